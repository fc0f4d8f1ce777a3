//! The simulated database against what was recorded on real MariaDB Galera members and a real ProxySQL, through a
//! real client.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path, time::Duration};

use mysql_async::{Conn, Error, OptsBuilder, Row, Value, prelude::Queryable};
use wheelhouse::demo::database::{
    self, Database, Endpoint, Fault, Login, Options, Scenario, State,
    hostgroups::Status,
    member::{Hold, Process, Reject, State as Local},
};

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

fn world(members: u16) -> State {
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let members: Vec<_> = (1..=members).map(|i| address(24_000 + i * 10)).collect();
    State::new(&Options::default(), &members, &[address(6032), address(6042)])
}

#[test]
fn quorum_counts_weights_and_forgives_a_goodbye() {
    let primary = |s: &State, at: usize| s.galera.members[at].view.primary;
    // A crash counts against the rest, a goodbye does not.
    for (members, crash, stop, survives) in [
        (3, vec![1, 2], vec![], false),
        (3, vec![], vec![1, 2], true),
        (3, vec![2], vec![1], false),
        (2, vec![1], vec![], false),
        (4, vec![2, 3], vec![], false),
        (5, vec![3, 4], vec![], true),
        (5, vec![2, 3, 4], vec![], false),
        (5, vec![3, 4], vec![2], false),
        (5, vec![4], vec![2, 3], false),
    ] {
        let mut s = world(members);
        stop.iter().for_each(|m| s.galera.stop(*m));
        crash.iter().for_each(|m| s.galera.kill(*m));
        s.step(seconds(10));
        let left = f64::from(members) - stop.len() as f64;
        let expected = (left - crash.len() as f64) * 2.0 > left;
        assert_eq!(primary(&s, 0), expected, "{members} members, {crash:?} crash, {stop:?} leave");
        assert_eq!(survives && stop.is_empty(), expected && stop.is_empty());
    }
    // One after the other each loss is measured against the view before it.
    let mut s = world(5);
    for (dies, survives) in [(4, true), (3, true), (2, true), (1, false)] {
        s.galera.kill(dies);
        s.step(seconds(10));
        assert_eq!(primary(&s, 0), survives, "after {dies}");
    }
    // Weights: two of three die, and the heavy one carries on alone.
    let mut s = world(3);
    s.galera.members[0].weight = 3;
    s.galera.kill(1);
    s.galera.kill(2);
    s.step(seconds(10));
    assert!(primary(&s, 0));
    let mut s = world(3);
    s.galera.members[0].weight = 3;
    s.galera.kill(0);
    s.step(seconds(10));
    assert!(!primary(&s, 1) && !primary(&s, 2), "2 of 5 is no quorum");
}

#[test]
fn a_partition_leaves_one_side_and_heals_by_itself() {
    let mut s = world(3);
    s.galera.isolate(2);
    s.step(seconds(3));
    assert_eq!(s.galera.members[0].view.members, [0, 1]);
    assert!(s.galera.members[2].view.primary, "the side that was cut off notices later");
    s.step(seconds(3));
    assert!(!s.galera.members[2].view.primary && s.galera.members[0].view.primary);
    let before = s.galera.members[2].committed;
    s.galera.heal();
    s.step(seconds(5));
    assert!(s.galera.members.iter().all(|m| m.view.primary && m.view.members.len() == 3 && m.ready()));
    assert!(s.galera.members[2].committed > before, "it has received what it missed");
}

#[test]
fn a_woken_member_claims_an_old_view_for_six_seconds() {
    let mut s = world(3);
    s.galera.freeze(0);
    s.step(seconds(10));
    let (old, new) = (s.galera.members[0].view.clone(), s.galera.members[1].view.clone());
    assert_eq!((old.members.len(), new.members.len()), (3, 2));
    s.galera.wake(0);
    s.step(seconds(5));
    let m = &s.galera.members[0];
    assert_eq!((m.local_state(), m.view.conf_id + 1), (Local::Synced, new.conf_id));
    s.step(seconds(2));
    assert!(!s.galera.members[0].view.primary);
    s.step(seconds(3));
    assert!(s.galera.members.iter().all(|m| m.view.members.len() == 3 && m.ready()));
}

#[test]
fn a_crashed_member_comes_back_by_an_incremental_transfer_or_a_full_one() {
    for (gcache, full) in [(2 << 30, false), (1 << 20, true)] {
        let mut s = world(3);
        s.galera.members.iter_mut().for_each(|m| m.gcache = gcache);
        s.galera.kill(2);
        s.step(seconds(30));
        s.galera.start(2);
        s.step(seconds(3));
        let donor = s.galera.members.iter().position(|m| m.donating == Some(2)).unwrap();
        assert_eq!((donor, s.galera.members[donor].local_state()), (1, Local::Donor));
        assert_eq!(s.galera.members[2].process, Process::Starting, "the SQL port is closed meanwhile");
        assert_eq!(s.galera.members[0].view.members.len(), 3, "and its peers count it already");
        s.step(seconds(10));
        assert_eq!(s.galera.members[2].process == Process::Starting, full);
        s.step(seconds(60));
        assert!(s.galera.members.iter().all(|m| m.ready() && m.desync_count() == 0));
        let positions: BTreeSet<_> = s.galera.members.iter().map(|m| m.committed / 100).collect();
        assert!(positions.len() <= 2, "{positions:?}");
    }
}

#[test]
fn everything_down_comes_back_by_bootstrapping_the_most_advanced() {
    let mut s = world(3);
    (0..3).for_each(|m| s.galera.kill(m));
    s.step(seconds(5));
    let history = s.galera.members[0].history.clone();
    assert!(s.galera.members[0].grastate(true).contains("seqno:   -1\nsafe_to_bootstrap: 0"));
    let line = s.galera.members[0].recovered().unwrap();
    assert_eq!(
        line,
        format!("[Note] WSREP: Recovered position: {history}:{}", s.galera.members[0].committed)
    );
    s.galera.bootstrap(0);
    assert_eq!(s.galera.members[0].recovered(), None);
    (1..3).for_each(|m| s.galera.start(m));
    s.step(seconds(30));
    assert!(s.galera.members.iter().all(|m| m.ready() && m.view.members.len() == 3));
}

#[test]
fn a_schema_change_stops_every_commit_and_shows_in_no_status() {
    let mut s = world(3);
    s.step(seconds(1));
    let before = s.galera.members[1].committed;
    s.step(seconds(1));
    assert!(s.galera.members[1].committed > before);
    s.galera.toi(0, "ALTER TABLE invoices ADD COLUMN note TEXT, ALGORITHM=COPY", 18_800);
    let before: Vec<_> = s.galera.members.iter().map(|m| m.committed).collect();
    s.step(seconds(18));
    assert_eq!(before, s.galera.members.iter().map(|m| m.committed).collect::<Vec<_>>());
    assert!(s.galera.members.iter().all(|m| m.ready() && !m.paused && m.queue() == 0));
    let done = s.galera.toi.as_ref().unwrap().change.progress(s.galera.now);
    assert!((95.0..96.0).contains(&done), "{done}");
    s.step(seconds(2));
    assert!(s.galera.members[2].committed > before[2]);
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

#[test]
fn a_lock_throttles_everybody_and_a_read_lock_only_its_own_member() {
    let mut s = world(3);
    let before = s.galera.members[0].counters.paused_ns;
    let id = s.galera.hold(2, "batch", Hold::TableLock("invoices WRITE".to_owned()));
    s.step(seconds(10));
    let paused = s.galera.members[0].counters.paused_ns - before;
    assert!((8_000_000_000..=10_000_000_000).contains(&paused), "{paused}");
    assert!(
        s.galera.members[2].requests_pause
            && !s.galera.members[0].requests_pause
            && s.galera.members[0].paused
    );
    assert!(s.galera.end_session(2, id));
    s.step(seconds(1));
    let paused = s.galera.members[0].counters.paused_ns;
    s.galera.hold(2, "backup", Hold::ReadLock);
    let before = s.galera.members[2].committed;
    s.step(seconds(10));
    let m = &s.galera.members[2];
    assert_eq!((m.committed, m.local_state(), m.desync), (before, Local::Donor, false));
    assert!(m.queue() > 1000 && s.galera.members[0].counters.paused_ns == paused);
}

#[test]
fn flush_status_on_one_member_resets_all_but_not_the_nanoseconds() {
    let mut s = world(3);
    s.galera.members[2].apply_rate = 40.0;
    s.step(seconds(10));
    let ns = s.galera.members[0].counters.paused_ns;
    assert!(ns > 0 && s.galera.members[0].counters.fc_recv > 0);
    s.galera.flush_status(1);
    let c = &s.galera.members[0].counters;
    assert_eq!((c.fc_recv, c.paused_ns), (0, ns));
}

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
    let mut rows: Vec<_> = s.proxies[0].hostgroups.backends.iter().map(line).collect();
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
async fn the_layers_drift_and_a_restart_takes_the_disk() {
    let database = begin(Scenario::Calm).await;
    let login = database.credentials.proxy_admin;
    let mut conn = connect(database.proxies[0], login).await;
    let rule = "SELECT 'memory', destination_hostgroup FROM mysql_query_rules WHERE rule_id=200 UNION ALL \
                SELECT 'runtime', destination_hostgroup FROM runtime_mysql_query_rules WHERE rule_id=200 UNION ALL \
                SELECT 'disk', destination_hostgroup FROM disk.mysql_query_rules WHERE rule_id=200";
    let values = async |conn: &mut Conn| {
        rows(conn, rule).await.into_iter().map(|r| r[1].clone()).collect::<Vec<_>>().join(" ")
    };
    let sums = async |conn: &mut Conn| {
        let sql =
            "SELECT name, version, checksum FROM runtime_checksums_values WHERE name='mysql_query_rules'";
        rows(conn, sql).await.remove(0)
    };
    let before = sums(&mut conn).await;
    conn.query_drop("UPDATE mysql_query_rules SET destination_hostgroup=10 WHERE rule_id=200").await.unwrap();
    assert_eq!(values(&mut conn).await, "10 30 30");
    conn.query_drop("LOAD MYSQL QUERY RULES TO RUNTIME").await.unwrap();
    assert_eq!(values(&mut conn).await, "10 10 30");
    let after = sums(&mut conn).await;
    assert_eq!((before[1].as_str(), after[1].as_str(), before[2] == after[2]), ("1", "2", false));
    let sides = async |conn: &mut Conn| {
        let disk = rows(conn, "CHECKSUM DISK MYSQL QUERY RULES").await;
        disk == rows(conn, "CHECKSUM MEMORY MYSQL QUERY RULES").await
    };
    assert!(!sides(&mut conn).await);
    // A value out of range is put back without a word.
    conn.query_drop("SET mysql-monitor_galera_healthcheck_interval=1").await.unwrap();
    let variable = "SELECT variable_value FROM global_variables WHERE variable_name='mysql-monitor_galera_healthcheck_interval'";
    assert_eq!(rows(&mut conn, variable).await, [["1"]]);
    conn.query_drop("LOAD MYSQL VARIABLES TO RUNTIME").await.unwrap();
    assert_eq!(rows(&mut conn, variable).await, [["2000"]]);
    // A lone semicolon kills the process; what was not saved is gone.
    assert!(matches!(conn.query_drop(";").await, Err(Error::Io(_) | Error::Driver(_))));
    database.step(seconds(6));
    let mut conn = again(database.proxies[0], login).await;
    assert_eq!(values(&mut conn).await, "30 30 30");
    assert!(sides(&mut conn).await);
}

/// Statements whose recorded answer depends on the moment, the machine or the load: only their form is compared.
fn only_form(statement: &str) -> bool {
    [
        "CHECKSUM",
        "SHOW DATABASES",
        "SHOW FULL PROCESSLIST",
        "SHOW PROCESSLIST",
        "EXPLAIN",
        "SELECT USER",
        "SELECT CURRENT_USER",
    ]
    .iter()
    .chain(&[
        "SHOW VARIABLES LIKE 'mysql-mon",
        "SELECT GLOBAL_CHECKSUM",
        "SELECT CONFIG",
        "SELECT * FROM mysql_servers LIMIT",
    ])
    .chain(&[
        "SELECT hostgroup,srv_port",
        "SELECT COUNT(*) FROM monitor",
        "SELECT COUNT(*) FROM mysql_server_g",
    ])
    .any(|start| statement.starts_with(start))
}

#[tokio::test]
async fn the_admin_port_answers_every_recorded_statement() {
    let database = begin(Scenario::Calm).await;
    let mut admin = connect(database.proxies[0], database.credentials.proxy_admin).await;
    let mut stats = connect(database.proxies[0], database.credentials.proxy_stats).await;
    let recording = capture("proxysql/client_compat.tsv");
    // A recorded statement may hold a line break: a record ends where it has three fields.
    let mut records: Vec<String> = Vec::new();
    for line in recording.lines() {
        match records.last_mut() {
            Some(last) if last.matches('\t').count() < 2 => *last = format!("{last}\n{line}"),
            _ => records.push(line.to_owned()),
        }
    }
    let mut compared = 0;
    for record in &records {
        let fields: Vec<_> = record.splitn(3, '\t').collect();
        let conn = match fields[0] {
            "pymysql/admin" => &mut admin,
            "pymysql/stats" => &mut stats,
            _ => continue,
        };
        let (statement, recorded) = (fields[1], fields[2]);
        let ours = match conn.query_iter(statement).await {
            Err(Error::Server(e)) => {
                let quote = if e.message.contains('\'') && !e.message.contains('"') { '"' } else { '\'' };
                let text = if quote == '\'' { e.message.replace('\'', "\\'") } else { e.message };
                format!("ERR OperationalError ({}, {quote}{text}{quote})", e.code)
            }
            Err(e) => panic!("{statement}: {e}"),
            Ok(result) if result.columns_ref().is_empty() => {
                let info = result.info().into_owned();
                let affected = result.affected_rows();
                result.drop_result().await.unwrap();
                format!("OK affected={affected} info={info}")
            }
            Ok(result) => {
                let names: Vec<_> = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
                let kinds: BTreeSet<_> = result.columns_ref().iter().map(|c| c.column_type() as u8).collect();
                let kinds: Vec<_> = kinds.into_iter().collect();
                let found: Vec<Row> = result.collect_and_drop().await.unwrap();
                let first =
                    found.first().map(|row| (0..row.len()).map(|i| text(&row[i])).collect::<Vec<_>>());
                let shown = |v: &Option<String>| v.as_ref().map_or("None".to_owned(), |v| format!("'{v}'"));
                let first = first.map_or("None".to_owned(), |row| {
                    let values: Vec<_> = row.iter().map(shown).collect();
                    format!("({}{})", values.join(", "), if values.len() == 1 { "," } else { "" })
                });
                let quoted = |name: &String| {
                    if name.contains('\'') { format!("\"{name}\"") } else { format!("'{name}'") }
                };
                let names: Vec<_> = names.iter().map(quoted).collect();
                format!("ROWS n={} cols=[{}] types={kinds:?} first={first}", found.len(), names.join(", "))
            }
        };
        let (recorded, ours) = match () {
            // `info` was recorded with its length byte.
            () if recorded.starts_with("OK ") => {
                let affected = recorded.split(' ').nth(1).unwrap();
                let info = recorded.split("ERROR: ").nth(1).map_or(String::new(), |rest| {
                    format!("ERROR: {}", rest.rsplit_once(['"', '\'']).unwrap().0)
                });
                (format!("OK {affected} info={info}"), ours)
            }
            () if only_form(statement) && recorded.starts_with("ROWS ") => {
                let form = |s: &str| {
                    let from = s.find("cols=").unwrap_or_else(|| panic!("{statement}: {s}"));
                    s[from..].split(" first=").next().unwrap().to_owned()
                };
                (form(recorded), form(&ours))
            }
            () if statement == "SHOW TABLES"
                || statement.starts_with("SELECT COUNT(*) FROM stats_mysql_query_digest_r") =>
            {
                let form =
                    |s: &str| s.split_once("cols=").unwrap().1.split(" first=").next().unwrap().to_owned();
                (form(recorded), form(&ours))
            }
            () => (recorded.to_owned(), ours),
        };
        assert_eq!(ours, recorded, "{}: {statement}", fields[0]);
        compared += 1;
    }
    assert!(compared > 110, "only {compared} statements compared");
}

#[tokio::test]
async fn the_admin_port_treats_binary_statements_and_resets_as_recorded() {
    let database = begin(Scenario::Calm).await;
    let login = database.credentials.proxy_admin;
    let mut conn = connect(database.proxies[0], login).await;
    let Err(Error::Server(e)) = conn.exec_drop("SELECT 1", ()).await else { panic!("prepared") };
    assert_eq!((e.code, e.message.as_str()), (1045, "Command not supported"));
    conn.ping().await.unwrap();
    assert!(conn.reset().await.is_err());
    // A client that asks for its settings on connecting does not get in.
    let asking = options(database.proxies[0], login).max_allowed_packet(None).wait_timeout(None);
    let Err(Error::Server(e)) = Conn::new(asking).await else { panic!("asked, and got in") };
    assert_eq!((e.code, e.message.as_str()), (1045, "ProxySQL Admin Error: near \",\": syntax error"));
    let Err(Error::Server(e)) = Conn::new(options(database.proxies[0], (login.0, "x"))).await else {
        panic!("in")
    };
    assert_eq!(e.message, "ProxySQL Error: Access denied for user 'admin'@'127.0.0.1' (using password: YES)");
}

#[tokio::test]
async fn tables_and_columns_are_the_recorded_ones() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    for schema in ["main", "disk", "stats", "monitor"] {
        let theirs: Vec<_> = capture(&format!("proxysql/show_tables_{schema}.tsv"))
            .lines()
            .skip(2)
            .map(str::to_owned)
            .collect();
        let ours: Vec<_> =
            rows(&mut conn, &format!("SHOW TABLES FROM {schema}")).await.into_iter().flatten().collect();
        assert_eq!(ours, theirs, "{schema}");
    }
    for name in [
        "mysql_server_galera_log failover_t2_galera_log",
        "mysql_server_ping_log healthy_ping_log",
        "mysql_server_connect_log healthy_connect_log",
        "runtime_checksums_values healthy_runtime_checksums_values",
        "runtime_mysql_servers healthy_runtime_mysql_servers",
        "stats_mysql_connection_pool healthy_stats_mysql_connection_pool",
        "stats_mysql_errors nonprim_t18_errors",
        "stats_mysql_global healthy_stats_mysql_global",
        "stats_mysql_processlist healthy_stats_mysql_processlist",
        "stats_mysql_query_digest healthy_stats_mysql_query_digest",
        "stats_mysql_users healthy_stats_mysql_users",
        "stats_mysql_commands_counters healthy_stats_mysql_commands_counters",
    ] {
        let (table, file) = name.split_once(' ').unwrap();
        let recorded = capture(&format!("proxysql/{file}.tsv"));
        let header: Vec<_> = recorded.lines().nth(1).unwrap().split('\t').collect();
        let result = conn.query_iter(format!("SELECT * FROM {table}")).await.unwrap();
        let names: Vec<_> = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
        assert_eq!(names, header, "{table}");
        let ours: Vec<Row> = result.collect_and_drop().await.unwrap();
        let theirs = recorded.lines().nth(2).map(|line| line.split('\t').collect::<Vec<_>>());
        let (Some(first), Some(theirs)) = (ours.first(), theirs) else { continue };
        for (i, value) in theirs.iter().enumerate() {
            let number = |v: &str| v.parse::<f64>().is_ok();
            if let Some(ours) = text(&first[i]).filter(|_| *value != "NULL" && header[i] != "info") {
                assert_eq!(
                    number(&ours),
                    number(value),
                    "{table}.{}: {ours:?}, recorded {value:?}",
                    header[i]
                );
            }
        }
        if table == "stats_mysql_global" {
            let names = |rows: Vec<String>| {
                rows.iter().map(|r| r.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
            };
            let theirs = names(recorded.lines().skip(2).map(str::to_owned).collect());
            assert_eq!(names(ours.iter().map(|row| text(&row[0]).unwrap()).collect()), theirs);
        }
    }
}

#[tokio::test]
async fn a_table_named_in_capitals_is_not_refreshed_and_a_reset_table_resets() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_stats).await;
    let lower = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='Questions'";
    let upper = lower.replace("stats_mysql_global", "STATS_MYSQL_GLOBAL");
    let first = rows(&mut conn, lower).await;
    database.step(seconds(5));
    assert_eq!(rows(&mut conn, &upper).await, first);
    assert_ne!(rows(&mut conn, lower).await, first);
    let count = "SELECT COUNT(*) FROM stats_mysql_query_digest";
    assert_eq!(rows(&mut conn, count).await, [["10"]]);
    assert_eq!(rows(&mut conn, &format!("{count}_reset")).await, [["10"]]);
    assert_eq!(rows(&mut conn, count).await, [["0"]], "even the stats user's reading resets");
    assert!(database.heard(Endpoint::Proxy(0)).iter().any(|s| s.contains("_reset")));
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

#[test]
fn the_same_seed_gives_the_same_world_however_time_is_cut() {
    let print = |s: &State| {
        let members: Vec<_> =
            s.galera.members.iter().map(|m| (m.committed, m.counters.clone(), m.gcomm.clone())).collect();
        let pools: Vec<_> = s.proxies.iter().map(|p| p.hostgroups.backends.clone()).collect();
        format!("{members:?} {pools:?}")
    };
    let (mut a, mut b) = (world(3), world(3));
    for s in [&mut a, &mut b] {
        s.galera.freeze(1);
    }
    a.step(seconds(40));
    for _ in 0..400 {
        b.step(Duration::from_millis(37));
        b.step(Duration::from_millis(63));
    }
    assert_eq!(print(&a), print(&b));
    let other =
        State::new(&Options { seed: 2, ..Options::default() }, &[([127, 0, 0, 1], 24_010).into()], &[]);
    assert_ne!(other.galera.members[0].history, a.galera.members[0].history);
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

async fn refused(address: SocketAddr) {
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
