//! Who writes, by ProxySQL: elections as recorded, and what loads and statuses do to them.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use wheelhouse::demo::database::hostgroups::Status;
use wheelhouse::demo::database::member::Reject;
use wheelhouse::demo::database::{self, Scenario, State};

use super::{HEALTHY, backends, begin, capture, connect, of, refusal, rows, seconds, status, world};

/// The rows of a recorded or simulated `runtime_mysql_servers`: hostgroup, member, status, weight.
fn recorded_servers(name: &str) -> Vec<(i64, String, String, i64)> {
    let mut rows: Vec<_> = capture(&format!("proxysql/{name}_runtime_mysql_servers.tsv"))
        .lines()
        .skip(2)
        .map(|line| {
            let f: Vec<_> = line.split('\t').collect();
            let number = |i: usize| f[i].parse().expect("a number");
            (number(0), f[11].replace('n', "db"), f[4].to_owned(), number(5))
        })
        .collect();
    rows.sort();
    rows
}

fn servers(s: &State) -> Vec<(i64, String, String, i64)> {
    let line = |b: &database::hostgroups::Backend| {
        (b.hostgroup, b.comment.clone(), b.status.word().to_owned(), b.weight)
    };
    // As whoever reads the table has them: it is purged first.
    let mut seen = s.proxies[0].hostgroups.clone();
    seen.purge();
    let mut rows: Vec<_> = seen.backends.iter().map(line).collect();
    rows.sort();
    rows
}

#[test]
fn the_writer_is_elected_as_in_the_recorded_failovers() {
    type Act = fn(&mut State);
    let cases: [(&str, Act); 9] = [
        ("healthy", |s| s.step(seconds(4))),
        ("failover_t1", |s| {
            s.galera.kill(0);
            s.step(seconds(3));
        }),
        ("failover_t2", |s| {
            s.galera.kill(0);
            s.step(seconds(10));
        }),
        ("readonly_n3", |s| {
            s.galera.members[2].read_only = true;
            s.step(seconds(4));
        }),
        ("desync_reader", |s| {
            s.galera.members[1].desync = true;
            s.step(seconds(4));
        }),
        ("desync_writer", |s| {
            s.galera.members[0].desync = true;
            s.step(seconds(4));
        }),
        ("desync_all", |s| {
            s.galera.members.iter_mut().for_each(|m| m.desync = true);
            s.step(seconds(6));
        }),
        ("nonprim_t18", |s| {
            s.galera.kill(1);
            s.galera.kill(2);
            s.step(seconds(18));
        }),
        ("reject_n1", |s| {
            s.galera.members[0].reject = Reject::All;
            s.step(seconds(5));
        }),
    ];
    for (name, act) in cases {
        let mut s = world(3);
        act(&mut s);
        assert_eq!(servers(&s), recorded_servers(name), "{name}");
    }
}

#[test]
fn a_returning_heavy_member_takes_the_writer_back() {
    let mut s = world(3);
    s.galera.kill(0);
    s.step(seconds(20));
    assert_eq!(s.proxies[0].hostgroups.writer().unwrap().comment, "db2");
    s.galera.start(0);
    s.step(seconds(20));
    assert_eq!(s.proxies[0].hostgroups.writer().unwrap().comment, "db1");
    assert_eq!(servers(&s), recorded_servers("healthy"));
}

#[test]
fn a_hanging_writer_stays_until_three_checks_are_missed_and_is_back_too_soon() {
    let mut s = world(3);
    s.galera.freeze(0);
    s.step(seconds(3));
    assert_eq!(s.proxies[0].hostgroups.writer().unwrap().comment, "db1");
    s.step(seconds(5));
    assert_eq!(s.proxies[0].hostgroups.writer().unwrap().comment, "db2");
    s.step(seconds(5));
    s.galera.wake(0);
    s.step(Duration::from_millis(2100));
    let hostgroups = &s.proxies[0].hostgroups;
    let refused = hostgroups.failures.keys().any(|(_, _, number)| *number == 1047);
    assert!(
        hostgroups.writer().is_none_or(|w| w.comment == "db1") || refused,
        "it looked fine before it knew"
    );
    s.step(seconds(20));
    assert_eq!(servers(&s), recorded_servers("healthy"));
}

#[tokio::test]
async fn a_plain_load_makes_everybody_a_writer_and_empties_the_readers_for_one_check() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    assert_eq!(backends(&mut conn).await, HEALTHY);
    conn.query_drop("LOAD MYSQL SERVERS TO RUNTIME").await.unwrap();
    assert_eq!(backends(&mut conn).await, ["10 db1 ONLINE", "10 db2 ONLINE", "10 db3 ONLINE"]);
    database.step(seconds(2));
    assert_eq!(backends(&mut conn).await, HEALTHY);
}

#[tokio::test]
async fn the_safe_form_keeps_writer_and_readers() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    conn.query_drop("SAVE MYSQL SERVERS FROM RUNTIME").await.unwrap();
    // SHUNNED is saved as ONLINE: without the next statement all three would be writers.
    conn.query_drop("DELETE FROM mysql_servers WHERE hostgroup_id=10 AND comment<>'db1'").await.unwrap();
    assert_eq!(conn.affected_rows(), 2);
    conn.query_drop("LOAD MYSQL SERVERS TO RUNTIME").await.unwrap();
    assert_eq!(conn.affected_rows(), 0);
    let kept: Vec<_> = HEALTHY.into_iter().filter(|row| !row.contains("SHUNNED")).collect();
    assert_eq!(backends(&mut conn).await, kept);
    database.step(seconds(2));
    assert_eq!(backends(&mut conn).await, HEALTHY);
}

#[tokio::test]
async fn offline_soft_is_undone_by_the_monitor_unless_it_is_switched_off() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    let prepare = [
        "SAVE MYSQL SERVERS FROM RUNTIME",
        "DELETE FROM mysql_servers WHERE hostgroup_id=10 AND comment<>'db1'",
        "UPDATE mysql_servers SET status='OFFLINE_SOFT' WHERE comment='db3'",
        "LOAD MYSQL SERVERS TO RUNTIME",
    ];
    for sql in prepare {
        conn.query_drop(sql).await.unwrap();
    }
    assert!(backends(&mut conn).await.contains(&"30 db3 OFFLINE_SOFT".to_owned()));
    database.step(seconds(2));
    assert_eq!(backends(&mut conn).await, HEALTHY);
    conn.query_drop("UPDATE mysql_galera_hostgroups SET active=0").await.unwrap();
    for sql in prepare {
        // The first statement would take the hostgroups from the runtime again.
        if !sql.starts_with("SAVE") {
            conn.query_drop(sql).await.unwrap();
        }
    }
    database.step(seconds(10));
    assert!(backends(&mut conn).await.contains(&"30 db3 OFFLINE_SOFT".to_owned()));
}

#[tokio::test]
async fn a_greater_weight_moves_the_writer() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    conn.query_drop("UPDATE mysql_servers SET weight=1000 WHERE comment='db2'").await.unwrap();
    conn.query_drop("LOAD MYSQL SERVERS TO RUNTIME").await.unwrap();
    database.step(seconds(2));
    let now = backends(&mut conn).await;
    assert_eq!(now[..3], ["10 db1 SHUNNED", "10 db2 ONLINE", "10 db3 SHUNNED"]);
    assert_eq!(now[5..], ["30 db1 ONLINE", "30 db3 ONLINE"]);
}

#[tokio::test]
async fn last_one_standing_stays_the_writer_and_is_given_away_by_the_log() {
    let database = begin(Scenario::GaleraNoQuorum).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    assert_eq!(backends(&mut conn).await, ["10 db1 ONLINE", "9999 db2 ONLINE", "9999 db3 ONLINE"]);
    let port = database.members[0].port();
    let log = format!(
        "SELECT primary_partition, read_only, wsrep_local_state, wsrep_desync, error FROM mysql_server_galera_log \
         WHERE port={port} ORDER BY time_start_us DESC LIMIT 1"
    );
    assert_eq!(rows(&mut conn, &log).await, [["NO", "NO", "0", "NO", "NULL"]]);
    let dead = log.replace(&port.to_string(), &database.members[2].port().to_string());
    let error = "timeout or error in creating new connection: Can't connect to server on '127.0.0.1' (115)";
    assert_eq!(rows(&mut conn, &dead).await, [["NO", "YES", "0", "YES", error]]);
    let waiting = "SELECT COUNT(*) FROM stats_mysql_processlist WHERE command='Connect' AND srv_host IS NULL";
    assert_eq!(rows(&mut conn, waiting).await, [["24"]]);
}

#[tokio::test]
async fn acting_on_a_member_moves_it_in_the_proxy() {
    let database = begin(Scenario::Calm).await;
    let mut operator = connect(database.members[0], database.credentials.operator).await;
    operator.query_drop("SET GLOBAL wsrep_desync=ON").await.unwrap();
    database.step(seconds(2));
    let writer = |s: &mut State| s.proxies[0].hostgroups.writer().map(|w| (w.comment.clone(), w.status));
    assert_eq!(database.with(writer), Some(("db2".to_owned(), Status::Online)));
    operator.query_drop("SET GLOBAL wsrep_desync=OFF").await.unwrap();
    database.step(seconds(2));
    assert_eq!(database.with(writer), Some(("db1".to_owned(), Status::Online)));
    operator.query_drop("SET GLOBAL wsrep_provider_options='pc.weight=3'").await.unwrap();
    assert_eq!(of(&status(&mut operator).await, "wsrep_cluster_weight"), "5");
    assert!(
        refusal(&mut operator, "SET GLOBAL wsrep_provider_options='pc.wait=3'").await.starts_with("1231 ")
    );
    assert!(refusal(&mut operator, "SET GLOBAL wsrep_reject_queries=SOME").await.starts_with("1231 "));
    assert!(refusal(&mut operator, "SET GLOBAL no_such=1").await.starts_with("1193 "));
}
