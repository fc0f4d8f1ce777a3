//! The servers from outside: faults, deaths, and statements that make no sense.

use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use wheelhouse::demo::database::{Endpoint, Fault, Scenario};

use super::{again, begin, connect, of, options, seconds, status};

pub(super) async fn refused(address: SocketAddr) {
    // The port closes when its task has seen the change, which is soon and not at once.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn faults_look_as_they_do_from_outside() {
    use tokio::io::AsyncReadExt;
    let database = begin(Scenario::Calm).await;
    let (at, login) = (database.members[1], database.credentials.monitor);
    let endpoint = Endpoint::Member(1);
    let mut conn = connect(at, login).await;
    database.fault(endpoint, Some(Fault::Refuse));
    refused(at).await;
    assert!(conn.query_drop("SELECT 1").await.is_err(), "the connection that was is closed");
    database.fault(endpoint, Some(Fault::WrongGreeting));
    let mut stream = loop {
        match tokio::net::TcpStream::connect(at).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let mut start = [0; 4];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"SSH-");
    database.fault(endpoint, Some(Fault::RequireTls));
    let Err(Error::Server(e)) = Conn::new(options(at, login)).await else { panic!("in without TLS") };
    assert_eq!((e.code, e.state.as_str()), (3159, "08004"));
    database.fault(endpoint, Some(Fault::Full));
    let Err(Error::Server(e)) = Conn::new(options(at, login)).await else { panic!("in though full") };
    assert_eq!(e.code, 1040);
    // Half open: a greeting, and no more; once mended the same server serves.
    database.fault(endpoint, Some(Fault::HalfOpen));
    let mut half = tokio::net::TcpStream::connect(at).await.unwrap();
    half.read_exact(&mut start).await.unwrap();
    assert_eq!(start[3], 0, "the first packet");
    // Hang: connected by the kernel, and held until the fault ends.
    database.fault(endpoint, Some(Fault::Hang));
    let waiting = tokio::spawn(Conn::new(options(at, login)));
    database.fault(endpoint, None);
    waiting.await.unwrap().unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_killed_member_refuses_and_its_clients_are_cut_off() {
    let database = begin(Scenario::Calm).await;
    let (at, login) = (database.members[2], database.credentials.monitor);
    let mut conn = connect(at, login).await;
    database.with(|s| s.galera.kill(2));
    refused(at).await;
    assert!(conn.query_drop("SELECT 1").await.is_err());
    database.with(|s| s.galera.start(2));
    database.step(seconds(20));
    let mut conn = again(at, login).await;
    assert_eq!(of(&status(&mut conn).await, "wsrep_local_state"), "4");
    // ALL_KILL cuts everybody but the one who says so.
    let mut operator = connect(at, database.credentials.operator).await;
    operator.query_drop("SET GLOBAL wsrep_reject_queries=ALL_KILL").await.unwrap();
    assert!(conn.query_drop("SELECT 1").await.is_err());
    operator.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn no_statement_brings_a_server_down() {
    let database = begin(Scenario::Calm).await;
    let mut member = connect(database.members[0], database.credentials.operator).await;
    let mut proxy = connect(database.proxies[0], database.credentials.proxy_admin).await;
    let long = "%_".repeat(2_000);
    let likes = format!("SHOW VARIABLES LIKE '{long}'");
    let nested = format!("SELECT {}1{}", "(".repeat(3_000), ")".repeat(3_000));
    let nasty = [
        "SELECT",
        "SELECT @@",
        "SELECT @@global.",
        "SELECT 'a",
        "SELECT \"",
        "SELECT * FROM",
        "SELECT * FROM `",
        "SET",
        "SET =",
        "SET GLOBAL",
        "SET GLOBAL =1",
        "SET GLOBAL wsrep_provider_options='='",
        "SET mysql-",
        "SHOW",
        "SHOW LIKE",
        "SHOW VARIABLES LIKE",
        "SHOW STATUS WHERE",
        "SHOW TABLES FROM x.y'z",
        "SHOW CREATE TABLE a.b.c",
        "USE",
        "USE `DATABASE()`",
        "SELECT DATABASE()",
        "KILL",
        "KILL 99999999999999999999",
        "KILL CONNECTION x",
        "LOCK\u{2003}TABLES é",
        "ſELECT 1",
        "FLUSH",
        "LOAD",
        "LOAD MYSQL",
        "SAVE TO DISK",
        "CHECKSUM",
        "PROXYSQL",
        "/*",
        "-- ",
        "#",
        "\0",
        "é;é",
        "SELECT é, ' ; '",
        "PRAGMA table_info(x)",
        "SELECT 1 UNION",
        "INSERT",
        "UPDATE x",
        "CALL f()",
        "SELECT randomblob(9)",
        "FLUSH STATUS",
        &likes,
        &nested,
    ];
    for statement in nasty {
        for (name, conn) in [("member", &mut member), ("proxy", &mut proxy)] {
            match conn.query_drop(statement).await {
                Ok(()) | Err(Error::Server(_)) => {}
                Err(e) => panic!("{name}: {statement:?}: {e}"),
            }
            conn.ping().await.unwrap_or_else(|e| panic!("{name}: after {statement:?}: {e}"));
        }
    }
    // Bytes that are no protocol end their own connection only.
    use tokio::io::AsyncWriteExt;
    for junk in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[1, 0, 0, 1, 0], &[0, 0, 0, 1]] {
        let mut stream = tokio::net::TcpStream::connect(database.members[0]).await.unwrap();
        stream.write_all(junk).await.unwrap();
    }
    member.ping().await.unwrap();
}
