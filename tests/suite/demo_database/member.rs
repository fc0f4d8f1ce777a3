//! A member's answers against the recordings of real ones: states, variables, rights.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use wheelhouse::demo::database::member::{Hold, Reject};
use wheelhouse::demo::database::{Scenario, State};

use super::{begin, capture, connect, of, options, refusal, rows, seconds, status};

/// What a value looks like: two values of the same shape are read by the same parser.
fn shape(value: &str) -> String {
    let uuid = |v: &str| v.len() == 36 && v.bytes().filter(|b| *b == b'-').count() == 4;
    let parts: Vec<_> = value
        .split([',', ' ', ':', '/'])
        .map(|part| match part {
            "" => "",
            p if p.parse::<u64>() == Ok(u64::MAX) => "none",
            p if p.parse::<i64>().is_ok_and(|n| n < 0) => "negative",
            p if p.parse::<f64>().is_ok() => "number",
            p if uuid(p) => "uuid",
            p if p.contains('.') && p.split('.').all(|n| n.parse::<u8>().is_ok()) => "address",
            p if p.starts_with("0-1-") => "gtid",
            p => p,
        })
        .collect();
    parts.join(" ")
}

/// Values that must be the very same as in the recording of the same state.
const SAME: [&str; 15] = [
    "wsrep_cluster_size",
    "wsrep_cluster_status",
    "wsrep_cluster_weight",
    "wsrep_connected",
    "wsrep_desync_count",
    "wsrep_evs_state",
    "wsrep_flow_control_active",
    "wsrep_flow_control_requested",
    "wsrep_local_state",
    "wsrep_local_state_comment",
    "wsrep_protocol_version",
    "wsrep_provider_capabilities",
    "wsrep_provider_version",
    "wsrep_ready",
    "wsrep_thread_count",
];

#[tokio::test]
async fn a_member_reports_each_state_as_a_real_one_does() {
    type Act = fn(&mut State);
    let cases: [(&str, usize, Act); 14] = [
        ("healthy.n1", 0, |_| {}),
        ("desynced.n2", 1, |s| s.galera.members[1].desync = true),
        ("ftwrl.n2", 1, |s| {
            s.galera.hold(1, "backup", Hold::ReadLock);
        }),
        ("reject_all.n3", 2, |s| s.galera.members[2].reject = Reject::All),
        ("read_only.n3", 2, |s| s.galera.members[2].read_only = true),
        ("killed1_unnoticed.n1", 0, |s| {
            s.galera.kill(2);
            s.step(seconds(4));
        }),
        ("killed1_noticed.n1", 0, |s| {
            s.galera.kill(2);
            s.step(seconds(7));
        }),
        ("graceful_survivor.n1", 0, |s| {
            s.galera.stop(2);
            s.galera.stop(1);
        }),
        ("nonprimary_survivor.n1", 0, |s| {
            s.galera.kill(1);
            s.galera.kill(2);
            s.step(seconds(7));
        }),
        ("disconnected.n3", 2, |s| s.galera.leave(2)),
        ("inconsistent.n3", 2, |s| s.galera.expel(2)),
        ("crash_restart_diverged.n1", 0, |s| {
            (0..3).for_each(|m| s.galera.kill(m));
            s.galera.reform_without_position();
        }),
        // The lock is held on the second; the first is the one that writes.
        ("fc_locktable.n1", 0, |s| {
            s.galera.hold(1, "batch", Hold::TableLock("invoices WRITE".to_owned()));
            s.step(seconds(10));
        }),
        ("fc_locktable.n2", 1, |s| {
            s.galera.hold(1, "batch", Hold::TableLock("invoices WRITE".to_owned()));
            s.step(seconds(10));
        }),
    ];
    for (name, at, act) in cases {
        let database = begin(Scenario::Calm).await;
        database.with(act);
        let mut conn = connect(database.members[at], database.credentials.monitor).await;
        let ours = status(&mut conn).await;
        let recorded = capture(&format!("galera/{name}.status.tsv"));
        let theirs: Vec<_> = recorded.lines().map(|line| line.split_once('\t').unwrap()).collect();
        let names = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, _)| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(ours.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>(), names(&theirs), "{name}");
        for (variable, value) in theirs {
            let mine = of(&ours, variable);
            if SAME.contains(&variable) {
                assert_eq!(mine, value, "{name}: {variable}");
            } else {
                assert_eq!(shape(mine), shape(value), "{name}: {variable}: {mine:?}, recorded {value:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_member_has_the_recorded_variables() {
    let database = begin(Scenario::Calm).await;
    let mut operator = connect(database.members[2], database.credentials.operator).await;
    let mut conn = connect(database.members[2], database.credentials.bare).await;
    for (name, change) in [
        ("healthy.n1", ""),
        ("reject_all.n3", "SET GLOBAL wsrep_reject_queries=ALL"),
        ("read_only.n3", "SET GLOBAL wsrep_reject_queries=NONE, GLOBAL read_only=1"),
        ("desynced.n2", "SET GLOBAL read_only=0, GLOBAL wsrep_desync=ON"),
    ] {
        if !change.is_empty() {
            operator.query_drop(change).await.unwrap();
        }
        let ours = rows(&mut conn, "SHOW GLOBAL VARIABLES").await;
        for line in capture(&format!("galera/{name}.vars.tsv")).lines() {
            let (variable, value) = line.split_once('\t').unwrap();
            let mine = &ours.iter().find(|r| r[0] == variable).unwrap_or_else(|| panic!("no {variable}"))[1];
            if ["read_only", "wsrep_reject_queries", "wsrep_desync", "wsrep_on", "version"]
                .contains(&variable)
            {
                assert_eq!(mine, value, "{name}: {variable}");
            }
            if variable == "wsrep_provider_options" {
                let keys = |o: &str| {
                    o.split("; ").map(|o| o.split(" =").next().unwrap().to_owned()).collect::<Vec<_>>()
                };
                assert_eq!(keys(mine), keys(value));
            }
        }
    }
    let mine =
        rows(&mut conn, "SELECT @@wsrep_desync, @@global.read_only AS ro, @@wsrep_reject_queries").await;
    assert_eq!(mine, [["1", "0", "NONE"]]);
    let first: Row = conn.query_first("SELECT @@wsrep_node_name, VERSION()").await.unwrap().unwrap();
    let names: Vec<_> = first.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
    assert_eq!(names, ["@@wsrep_node_name", "VERSION()"]);
}

#[tokio::test]
async fn privileges_are_those_of_mariadb() {
    let database = begin(Scenario::Calm).await;
    let at = database.members[0];
    let c = database.credentials;
    let mut monitor = connect(at, c.monitor).await;
    let mut bare = connect(at, c.bare).await;
    let mut operator = connect(at, c.operator).await;
    let members = "SELECT node_name FROM mysql.wsrep_cluster_members ORDER BY 1";
    assert_eq!(rows(&mut monitor, members).await, [["db1"], ["db2"], ["db3"]]);
    assert!(
        refusal(&mut bare, members).await.starts_with("1142 42000 SELECT command denied to user 'nobody'")
    );
    // Without SUPER: no rows, and no error.
    let membership = "SELECT NAME FROM information_schema.WSREP_MEMBERSHIP";
    assert!(rows(&mut monitor, membership).await.is_empty());
    assert_eq!(rows(&mut operator, membership).await.len(), 3);
    for sql in ["SET GLOBAL wsrep_desync=ON", "SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'"] {
        assert!(
            refusal(&mut monitor, sql)
                .await
                .starts_with("1227 42000 Access denied; you need (at least one of) the SUPER")
        );
    }
    assert!(refusal(&mut monitor, "SET GLOBAL read_only=1").await.contains("READ_ONLY ADMIN"));
    assert!(refusal(&mut monitor, "FLUSH STATUS").await.contains("RELOAD"));
    let others = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER='dba'";
    assert_eq!(rows(&mut monitor, others).await, [["1"]]);
    assert_eq!(rows(&mut bare, others).await, [["0"]]);
    for (login, using) in [((c.monitor.0, "wrong"), "YES"), ((c.monitor.0, ""), "NO"), (("who", "x"), "YES")]
    {
        let Err(Error::Server(e)) = Conn::new(options(at, login)).await else { panic!("{login:?} got in") };
        let expected = format!("Access denied for user '{}'@'127.0.0.1' (using password: {using})", login.0);
        assert_eq!((e.code, e.state.as_str(), e.message), (1045, "28000", expected));
    }
}

#[tokio::test]
async fn a_member_without_quorum_answers_what_a_real_one_answers() {
    let database = begin(Scenario::GaleraNoQuorum).await;
    let mut conn = connect(database.members[0], database.credentials.operator).await;
    for works in
        ["SELECT 1", "SHOW PROCESSLIST", "SHOW DATABASES", "SELECT * FROM mysql.wsrep_cluster_members"]
    {
        rows(&mut conn, works).await;
    }
    let blocked = "1047 08S01 WSREP has not yet prepared node for application use";
    for sql in
        ["SELECT * FROM tenant_acme.users", "BEGIN", "EXPLAIN SELECT 1", "CREATE USER x", "FLUSH STATUS"]
    {
        assert_eq!(refusal(&mut conn, sql).await, blocked, "{sql}");
    }
    assert!(refusal(&mut conn, "SET GLOBAL wsrep_desync=ON").await.starts_with("1396 "));
    // The table keeps the last primary view.
    assert_eq!(rows(&mut conn, "SELECT node_name FROM mysql.wsrep_cluster_members").await.len(), 3);
    conn.query_drop("SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'").await.unwrap();
    let now = status(&mut conn).await;
    assert_eq!((of(&now, "wsrep_cluster_status"), of(&now, "wsrep_cluster_size")), ("Primary", "1"));
    assert!(refusal(&mut conn, "SELECT * FROM tenant_acme.users").await.starts_with("1146 42S02"));
}

#[tokio::test]
async fn a_schema_change_is_seen_in_the_processlist() {
    let database = begin(Scenario::Calm).await;
    database.with(|s| s.galera.toi(0, "ALTER TABLE invoices ADD note TEXT", 20_000));
    database.step(seconds(5));
    let sql = "SELECT USER, STATE, INFO, STAGE, MAX_STAGE, PROGRESS FROM information_schema.PROCESSLIST WHERE PROGRESS > 0";
    for (at, user) in [(0, "app"), (1, "system user")] {
        let mut conn = connect(database.members[at], database.credentials.monitor).await;
        let alter = "ALTER TABLE invoices ADD note TEXT";
        let expected = [user, "copy to tmp table", alter, "1", "2", "25"];
        assert_eq!(rows(&mut conn, sql).await, [expected]);
        let waiting =
            "SELECT COUNT(*) > 0 FROM information_schema.PROCESSLIST WHERE STATE='Waiting for certification'";
        assert_eq!(rows(&mut conn, waiting).await, [["1"]]);
    }
}
