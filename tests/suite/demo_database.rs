//! The simulated database against what was recorded on real MariaDB Galera members and a real ProxySQL, through a
//! real client.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Row, Value};
use wheelhouse::demo::database::{self, Database, Login, Options, Scenario, State};

mod admin;
mod cluster;
mod member;
mod outside;
mod writer;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn capture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

async fn begin(scenario: Scenario) -> Database {
    database::start(Options { scenario, ..Options::default() }).await.expect("loopback has free ports")
}

fn options(address: SocketAddr, login: Login) -> OptsBuilder {
    // Without the two lengths the client would ask for them on connecting, which ProxySQL refuses.
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(login.0))
        .pass(Some(login.1))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
}

async fn connect(address: SocketAddr, login: Login) -> Conn {
    Conn::new(options(address, login)).await.expect("this account gets in")
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => panic!("the text protocol sends text: {other:?}"),
    }
}

async fn table(conn: &mut Conn, sql: &str) -> Vec<Vec<Option<String>>> {
    let rows: Vec<Row> = conn.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    rows.iter().map(|row| (0..row.len()).map(|i| text(&row[i])).collect()).collect()
}

async fn rows(conn: &mut Conn, sql: &str) -> Vec<Vec<String>> {
    let shown = |v: Option<String>| v.unwrap_or_else(|| "NULL".to_owned());
    table(conn, sql).await.into_iter().map(|row| row.into_iter().map(shown).collect()).collect()
}

/// `CODE STATE text` of the refusal.
async fn refusal(conn: &mut Conn, sql: &str) -> String {
    match conn.query_drop(sql).await {
        Err(Error::Server(e)) => format!("{} {} {}", e.code, e.state, e.message),
        other => panic!("{sql} was to be refused: {other:?}"),
    }
}

async fn status(conn: &mut Conn) -> Vec<(String, String)> {
    let rows = rows(conn, "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'").await;
    rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn of<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    &pairs.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn world(members: u16) -> State {
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let members: Vec<_> = (1..=members).map(|i| address(24_000 + i * 10)).collect();
    State::new(&Options::default(), &members, &[address(6032), address(6042)])
}

async fn backends(conn: &mut Conn) -> Vec<String> {
    let sql = "SELECT hostgroup_id||' '||comment||' '||status FROM runtime_mysql_servers WHERE status<>'OFFLINE_HARD' ORDER BY 1";
    rows(conn, sql).await.into_iter().flatten().collect()
}

const HEALTHY: [&str; 7] = [
    "10 db1 ONLINE",
    "10 db2 SHUNNED",
    "10 db3 SHUNNED",
    "20 db2 ONLINE",
    "20 db3 ONLINE",
    "30 db2 ONLINE",
    "30 db3 ONLINE",
];

#[tokio::test]
async fn every_scenario_shows_its_signs() {
    for scenario in Scenario::ALL {
        let database = begin(scenario).await;
        let c = database.credentials;
        let mut seen = Vec::new();
        for address in &database.members {
            seen.push(match Conn::new(options(*address, c.monitor)).await {
                Ok(mut conn) => Some(status(&mut conn).await),
                Err(Error::Io(_)) => None,
                Err(e) => panic!("{scenario}: {e}"),
            });
        }
        let up: Vec<_> = seen.iter().flatten().collect();
        let sizes: Vec<_> = up.iter().map(|s| of(s, "wsrep_cluster_size")).collect();
        let mut proxy = connect(database.proxies[0], c.proxy_admin).await;
        let writer =
            backends(&mut proxy).await.into_iter().find(|b| b.starts_with("10 ") && b.ends_with("ONLINE"));
        let different = async |conn: &mut Conn, a: &str, b: &str| {
            !rows(conn, &format!("SELECT * FROM {a} EXCEPT SELECT * FROM {b}")).await.is_empty()
        };
        match scenario {
            Scenario::Calm => {
                assert_eq!(sizes, ["3", "3", "3"]);
                assert_eq!(backends(&mut proxy).await, HEALTHY);
                assert!(up.iter().all(|s| of(s, "wsrep_flow_control_paused") == "0"));
                assert!(!different(&mut proxy, "disk.mysql_servers", "main.mysql_servers").await);
                assert!(!different(&mut proxy, "runtime_global_variables", "disk.global_variables").await);
            }
            Scenario::GaleraDegraded => {
                assert!(seen[2].is_none());
                assert_eq!(sizes, ["2", "2"]);
                assert_eq!(writer.as_deref(), Some("10 db1 ONLINE"));
                assert!(backends(&mut proxy).await.contains(&"9999 db3 ONLINE".to_owned()));
            }
            Scenario::GaleraNoQuorum => {
                assert_eq!(up.len(), 1);
                assert_eq!(of(up[0], "wsrep_cluster_status"), "non-Primary");
                assert_eq!(of(up[0], "wsrep_cluster_conf_id"), u64::MAX.to_string());
            }
            Scenario::GaleraAllDown => {
                assert!(up.is_empty());
                let positions =
                    database.with(|s| s.galera.members.iter().map(|m| m.committed).collect::<Vec<_>>());
                assert!(positions[0] > positions[1] && positions[1] > positions[2], "{positions:?}");
            }
            Scenario::FlowControl => {
                assert_eq!(of(up[0], "wsrep_flow_control_active"), "true");
                let asks: Vec<_> = up.iter().map(|s| of(s, "wsrep_flow_control_requested")).collect();
                assert_eq!(asks, ["false", "false", "true"]);
                let ns =
                    |s: &[(String, String)]| of(s, "wsrep_flow_control_paused_ns").parse::<f64>().unwrap();
                let before = ns(up[0]);
                database.step(seconds(10));
                let mut conn = connect(database.members[0], c.monitor).await;
                let share = (ns(&status(&mut conn).await) - before) / 1e10;
                assert!((0.3..0.7).contains(&share), "{share}");
            }
            Scenario::ProxysqlDrift => {
                assert!(different(&mut proxy, "runtime_global_variables", "disk.global_variables").await);
                assert!(different(&mut proxy, "main.mysql_servers", "disk.mysql_servers").await);
                let mut other = connect(database.proxies[1], c.proxy_admin).await;
                assert!(!different(&mut other, "main.mysql_servers", "disk.mysql_servers").await);
                assert!(different(&mut other, "main.mysql_query_rules", "runtime_mysql_query_rules").await);
                let sum = "SELECT checksum FROM runtime_checksums_values WHERE name='mysql_servers_v2'";
                assert_ne!(rows(&mut proxy, sum).await, rows(&mut other, sum).await);
                assert_eq!(backends(&mut other).await, HEALTHY);
            }
            Scenario::WriterLost => {
                assert!(seen[0].is_none());
                assert_eq!(writer.as_deref(), Some("10 db2 ONLINE"));
                assert_eq!(sizes, ["3", "3"], "its peers have not noticed yet");
                database.step(seconds(5));
                let mut conn = connect(database.members[1], c.monitor).await;
                assert_eq!(of(&status(&mut conn).await, "wsrep_cluster_size"), "2");
            }
        }
    }
    assert_eq!("flow-control".parse(), Ok(Scenario::FlowControl));
    assert!("calmer".parse::<Scenario>().unwrap_err().contains("galera-no-quorum"));
}

/// Connects to a server that is coming back: its port opens when its task has seen the change.
async fn again(address: SocketAddr, login: Login) -> Conn {
    loop {
        match Conn::new(options(address, login)).await {
            Ok(conn) => return conn,
            Err(Error::Io(_)) => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    }
}
