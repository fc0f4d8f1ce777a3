//! The database on the screen: recorded answers of real members and a real ProxySQL, in the states that matter.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    app::Effect,
    cluster::{
        Layers, Member, Observation, Proxy, ProxyRows, Seen, Snapshot, Table, Trouble, database::Expectations,
    },
    plan::{DatabaseAct, Intent},
    ui::Place,
};

use super::cockpit::{Cockpit, NIGHT, night, now};
use crate::database::{address, changed, proxy_rows};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// A table of names and values with more of them.
fn with(table: &Table, more: &[(&str, &str)]) -> Table {
    let cell = |text: Option<&str>| text.map(str::to_owned);
    let mut rows: Vec<_> =
        table.lines().map(|l| vec![cell(l.text("Variable_name")), cell(l.text("Value"))]).collect();
    rows.extend(more.iter().map(|(name, value)| vec![cell(Some(name)), cell(Some(value))]));
    Table::new(vec!["Variable_name".into(), "Value".into()], rows)
}

/// A member that answered every second of the last minutes, up to `until` seconds ago.
pub fn member(node: u32, until: i64, changes: &[(&str, &str)]) -> Member {
    paused(node, until, changes, 3)
}

/// The same, paused by flow control for so many milliseconds of each second.
pub fn paused(node: u32, until: i64, changes: &[(&str, &str)], millis: i64) -> Member {
    let mut member = Member::new(address(node));
    for second in (until..until + 180).rev() {
        let step = 180 + until - second;
        // Some seconds write more than others.
        let written = step * 17 + (step * 7) % 11;
        let committed = (8_811_000 + written).to_string();
        let bytes = (written * 100).to_string();
        let paused = (step * millis * 1_000_000).to_string();
        let queue = if step % 13 == 0 { "2" } else { "0" };
        let mut all = changes.to_vec();
        all.extend([
            ("wsrep_last_committed", &*committed),
            ("wsrep_replicated_bytes", &bytes),
            ("wsrep_received_bytes", "0"),
            ("wsrep_flow_control_paused_ns", &paused),
            ("wsrep_local_recv_queue", queue),
        ]);
        let mut rows = changed("healthy", node, &all);
        let connections = (80 + node * 7 + step as u32 % 9).to_string();
        rows.status = with(&rows.status, &[("Threads_connected", &connections), ("Uptime", "520000")]);
        rows.variables = with(&rows.variables, &[("max_connections", "400")]);
        rows.threads = Some(table(&["user", "state"], &[&["system user", "wsrep applier idle"]]));
        rows.took = std::time::Duration::from_micros(700);
        member = member.answered(&rows, ago(second));
    }
    member
}

/// The same after it has fallen silent.
pub fn silent(node: u32) -> Member {
    let why = "127.0.0.1 refuses connections: no server runs there";
    member(node, 240, &[]).failed(Trouble::Refused, why, ago(239))
}

/// A proxy that answered the last seconds (its monitor checked before), its backends the busier the more they are used.
pub fn proxy(name: &str, rows: &ProxyRows) -> Proxy {
    (1..=5).rev().fold(Proxy::new(name.into()), |proxy, s| {
        let mut rows = rows.clone();
        rows.pool = busy(&rows.pool, 5 - s);
        proxy.answered(&rows, ago(s))
    })
}

/// The connection pool after so many seconds.
fn busy(pool: &Table, seconds: i64) -> Table {
    const COLUMNS: [&str; 9] = [
        "hostgroup",
        "srv_host",
        "srv_port",
        "status",
        "ConnUsed",
        "ConnFree",
        "ConnERR",
        "Queries",
        "Latency_us",
    ];
    let line = |line: wheelhouse::cluster::Line<'_>| {
        let rate = 70 * line.number::<i64>("ConnUsed").unwrap_or(0) + seconds % 7;
        let queries = line.number::<i64>("Queries").unwrap_or(0) + rate * seconds;
        let cell = |column| {
            if column == "Queries" { Some(queries.to_string()) } else { line.text(column).map(str::to_owned) }
        };
        COLUMNS.map(cell).to_vec()
    };
    Table::new(COLUMNS.map(str::to_owned).to_vec(), pool.lines().map(line).collect())
}

pub fn seen(members: Vec<Member>, proxies: Vec<Proxy>) -> Snapshot {
    let mut seen = night(NIGHT);
    let aliases = (1..=3).map(|n| (format!("127.0.0.1:240{n}0"), address(n).to_string())).collect();
    seen.database = Arc::new(Expectations { aliases, ..Expectations::default() });
    let members = members.into_iter().map(|m| (m.name.clone(), m)).collect();
    seen.observe(Observation::Member(Seen::All(members, now())));
    let proxies = proxies.into_iter().map(|p| (p.name.clone(), p)).collect();
    seen.observe(Observation::Proxy(Seen::All(proxies, now())));
    seen
}

pub fn two_proxies(state: &str) -> Vec<Proxy> {
    vec![proxy("ps1", &proxy_rows(state)), proxy("ps2", &proxy_rows(state))]
}

pub fn healthy() -> Snapshot {
    seen((1..=3).map(|n| member(n, 1, &[])).collect(), two_proxies("healthy"))
}

/// Nobody is sent to the third member.
pub fn without_n3() -> Snapshot {
    let mut rows = proxy_rows("healthy");
    let kept = |table: &Table, columns: &str, port: &str| {
        let columns: Vec<_> = columns.split(' ').map(str::to_owned).collect();
        let lines = table.lines().filter(|l| l.text(port) != Some("24030"));
        let rows = lines.map(|l| columns.iter().map(|c| l.text(c).map(str::to_owned)).collect()).collect();
        Table::new(columns.clone(), rows)
    };
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections max_replication_lag use_ssl max_latency_ms comment";
    rows.servers = rows.servers.as_ref().map(|servers| kept(servers, columns, "port"));
    let columns = "hostgroup srv_host srv_port status ConnUsed ConnFree ConnOK ConnERR MaxConnUsed Queries Queries_GTID_sync Bytes_data_sent Bytes_data_recv Latency_us";
    rows.pool = kept(&rows.pool, columns, "srv_port");
    let proxies = vec![proxy("ps1", &rows), proxy("ps2", &rows)];
    seen((1..=3).map(|n| member(n, 1, &[])).collect(), proxies)
}

/// A fourth member has joined that nobody has told the cockpit or the proxies of.
pub fn grown() -> Snapshot {
    let four = [
        ("wsrep_cluster_size", "4"),
        ("wsrep_cluster_weight", "4"),
        ("wsrep_incoming_addresses", "127.0.0.1:13310,127.0.0.1:13320,127.0.0.1:13330,127.0.0.1:13340"),
    ];
    seen((1..=3).map(|n| member(n, 1, &four)).collect(), two_proxies("healthy"))
}

const TWO: &[(&str, &str)] = &[
    ("wsrep_cluster_size", "2"),
    ("wsrep_cluster_conf_id", "9"),
    ("wsrep_cluster_weight", "2"),
    ("wsrep_incoming_addresses", "127.0.0.1:13310,127.0.0.1:13320"),
];

pub fn degraded() -> Snapshot {
    let slow = [TWO, &[("wsrep_local_recv_queue", "412"), ("wsrep_flow_control_requested", "true")]].concat();
    seen(vec![member(1, 1, TWO), member(2, 1, &slow), silent(3)], two_proxies("healthy"))
}

pub fn no_quorum() -> Snapshot {
    // It went on for a while without those that had fallen silent.
    let rows = changed("nonprimary_survivor", 1, &[("wsrep_last_committed", "8820417")]);
    let survivor = Member::new(address(1)).answered(&rows, ago(1));
    seen(vec![survivor, silent(2), silent(3)], two_proxies("nonprim_t18"))
}

pub fn all_down() -> Snapshot {
    seen((1..=3).map(silent).collect(), vec![])
}

pub fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
    let row = |row: &&[&str]| row.iter().map(|cell| Some((*cell).to_owned())).collect();
    Table::new(columns.iter().map(|c| (*c).to_owned()).collect(), rows.iter().map(row).collect())
}

pub fn drift() -> Snapshot {
    let mut rows = proxy_rows("healthy");
    rows.drift = Some(vec![(
        "mysql_query_rules".into(),
        Layers::RuntimeDisk,
        table(&["what"], &[&["rule 200"], &["rule 210"]]),
    )]);
    rows.checksums = Some(table(&["name", "checksum"], &[&["mysql_query_rules", "0xFEED"]]));
    // Two sessions still write through a member that is no longer the writer.
    rows.sessions = table(
        &["hostgroup", "srv_host", "srv_port", "command", "sessions", "longest_ms"],
        &[
            &["10", "127.0.0.1", "24020", "Query", "2", "800"],
            &["10", "127.0.0.1", "24010", "Sleep", "5", "20"],
        ],
    );
    let proxies = vec![proxy("ps1", &rows), proxy("ps2", &proxy_rows("healthy"))];
    seen((1..=3).map(|n| member(n, 1, &[])).collect(), proxies)
}

pub fn at(seen: Snapshot, size: (u16, u16)) -> Cockpit {
    let mut c = Cockpit::seeing(seen, size, |_| {});
    c.keys("4");
    assert_eq!(c.app.place(), Place::Database);
    c
}

fn cursor(c: &Cockpit) -> String {
    let text = c.text();
    text.lines().find(|l| l.starts_with('›')).unwrap_or_else(|| panic!("no cursor: {text}")).to_owned()
}

#[test]
fn who_comes_to_the_database_is_at_the_worst_of_it_until_the_cursor_was_moved() {
    let mut c = at(degraded(), (80, 24));
    assert!(cursor(&c).contains(" n3 "), "{}", c.text());
    c.keys("1 4");
    assert!(cursor(&c).contains(" n3 "), "{}", c.text());
    c.keys("g 1 4");
    assert!(!cursor(&c).contains(" n3 "), "the operator's cursor stays: {}", c.text());
    // Of a proxy the members stay in front: what answers it is done from there.
    let c = at(drift(), (80, 24));
    assert!(cursor(&c).contains("n1"), "{}", c.text());
}

#[test]
fn the_header_of_every_screen_tells_the_database() {
    for (seen, words) in [
        (healthy(), "galera 3/3 writer n1"),
        (degraded(), "▲ galera 2/3 writer n1"),
        (no_quorum(), "✖ galera NO QUORUM"),
        (all_down(), "✖ galera NO ANSWER"),
    ] {
        let mut c = Cockpit::seeing(seen, (80, 24), |_| {});
        for key in ["1", "2", "3", "4", "f"] {
            c.keys(key);
            let text = c.text();
            let line = text.lines().nth(1).expect("a second line");
            assert!(line.contains(words), "{key}: {line}");
        }
        assert_eq!(c.text().contains("✖ galera"), words.starts_with('✖'), "{words}");
    }
}

#[test]
fn the_members_are_told_in_full() {
    for (name, size) in [("database_80x24", (80, 24)), ("database_200x50", (200, 50))] {
        look!(name, at(healthy(), size));
    }
    let c = at(healthy(), (80, 24));
    let text = c.text();
    let line =
        |what: &str| text.lines().find(|l| l.contains(what)).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(line("● writer").contains("n1"));
    assert!(line("○ next writer").contains("n2"));
    assert!(text.contains("one more loss is safe") && text.contains("2 proxies, alike"));
}

#[test]
fn trouble_comes_first_and_keeps_its_words() {
    look!("database_degraded_80x24", at(degraded(), (80, 24)));
    look!("database_degraded_160x48", at(degraded(), (160, 48)));
    let mut c = at(degraded(), (80, 24));
    c.keys("!");
    assert!(!c.text().contains("› ✓ n1"), "{}", c.text());
    c.keys("esc / n 3 enter");
    assert_eq!(c.selected().as_deref(), Some("n3"));
    c.keys("enter");
    look!("database_member_80x24", c);
    assert!(c.text().contains("REPLICATION  said 4m ago"), "{}", c.text());
    c.keys("G");
    assert!(c.text().contains("SERVER"), "{}", c.text());
    c.keys("enter");
    assert!(c.text().contains("MEMBER"));
}

#[test]
fn without_a_quorum_the_sheet_is_offered_and_never_run() {
    look!("database_no_quorum_80x24", at(no_quorum(), (80, 24)));
    look!("database_all_down_160x48", at(all_down(), (160, 48)));
    let mut c = at(all_down(), (80, 24));
    assert!(c.text().contains("R recovery sheet"), "{}", c.text());
    let effects = c.keys("R");
    assert_eq!((c.app.place(), effects.len()), (Place::Recovery, 0));
    look!("recovery_80x24", c);
    let top = c.text();
    c.keys("G");
    assert!(c.text().contains("--grastate") && c.text() != top, "{}", c.text());
    c.keys("g");
    assert_eq!(c.text(), top);
    // It is copied whole, and pasting it by accident runs nothing.
    let effects = c.keys("c");
    let [Effect::Copy(text)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(
        text.contains("RECOVERY") && text.contains("wsrep-recover") && text.contains("--grastate"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    c.keys("?");
    assert!(c.text().contains("copy the kubectl line, the statements, the sheet"), "{}", c.text());
    c.keys("esc q");
    assert_eq!(c.app.place(), Place::Database);
    let mut c = Cockpit::seeing(no_quorum(), (80, 24), |_| {});
    c.keys("5 R");
    assert_eq!(c.app.place(), Place::Recovery);
    let mut c = at(healthy(), (80, 24));
    c.keys("R");
    assert!(c.text().contains("nothing is to be recovered"), "{}", c.text());
}

#[test]
fn the_proxies_show_every_hostgroup_and_what_drifts() {
    for (name, size) in [("proxies_80x24", (80, 24)), ("proxies_120x35", (120, 35))] {
        let mut c = at(drift(), size);
        c.keys("tab");
        look!(name, c);
    }
    let mut c = at(drift(), (80, 24));
    c.keys("tab enter");
    look!("proxy_80x24", c);
    let mut text = c.text();
    c.keys("G");
    text.push_str(&c.text());
    for words in ["rule 200", "not saved", "no longer the writer", "differs", "DEAREST STATEMENTS"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn findings_lead_to_their_member_and_proxy() {
    let mut c = Cockpit::seeing(degraded(), (120, 35), |_| {});
    c.keys("5 / n 3 enter");
    c.keys("enter");
    assert_eq!(c.app.place(), Place::Member(address(3)), "{}", c.text());
    assert_eq!(c.selected().as_deref(), Some("n3"));
    c.keys("q");
    assert_eq!(c.app.place(), Place::Findings);
    let mut c = Cockpit::seeing(drift(), (120, 35), |_| {});
    c.keys("5 / r u l e space 2 0 0 enter enter");
    assert_eq!(c.app.place(), Place::Proxy("ps1".into()), "{}", c.text());
    assert!(c.text().contains("› ps1"), "{}", c.text());
}

#[test]
fn without_a_database_one_sentence_says_what_to_configure() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("4");
    assert!(c.text().contains("[galera] members") && c.text().contains("[proxysql]"), "{}", c.text());
    c.keys("enter tab R ! / x enter esc j G");
}

#[test]
fn no_size_makes_the_database_fall() {
    let mut sizes: Vec<(u16, u16)> = (1..=24).flat_map(|w| (1..=8).map(move |h| (w, h))).collect();
    sizes.extend([
        (20, 5),
        (500, 5),
        (5, 300),
        (600, 200),
        (0, 0),
        (149, 29),
        (150, 30),
        (151, 12),
        (80, 14),
    ]);
    for seen in [degraded(), drift(), all_down()] {
        for size in &sizes {
            let mut c = Cockpit::seeing(seen.clone(), *size, |_| {});
            for keys in ["4", "G", "tab G", "enter ctrl-d G", "enter tab", "R G", "q m"] {
                c.keys(keys);
                let _ = c.buffer();
            }
        }
    }
}

#[test]
fn acts_on_the_selected_member_are_plans_to_be_reviewed() {
    // A plan that can be rehearsed is about this; one that is refused is shown all the same.
    fn asks(c: &mut Cockpit, key: &str, act: DatabaseAct) {
        let before = c.body();
        let effects = c.keys(key);
        assert_ne!(c.body(), before, "{key}: nothing lies over the screen");
        for effect in &effects {
            let Effect::Rehearse(plan) = effect else { continue };
            assert_eq!(plan.intent, Intent::Database { act: act.clone() }, "{key}");
        }
        c.keys("esc");
    }
    let mut c = at(healthy(), (120, 35));
    c.keys("M");
    assert!(c.text().contains("n1 is the writer already"), "{}", c.text());
    c.keys("Y");
    assert!(c.text().contains("n1 is not desynced"), "{}", c.text());
    c.keys("S");
    assert!(c.text().contains("what is on its disk"), "{}", c.text());
    c.keys("j");
    for (key, wanted) in [
        ("t", DatabaseAct::TakeOut { member: address(2) }),
        ("M", DatabaseAct::MoveWriter { member: address(2) }),
        ("D", DatabaseAct::Desync { member: address(2) }),
    ] {
        asks(&mut c, key, wanted);
    }
    let mut c = at(drift(), (120, 35));
    c.keys("tab");
    asks(&mut c, "S", DatabaseAct::Save { proxy: Some("ps1".into()) });
}
