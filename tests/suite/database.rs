//! What the cockpit says of the database, against recorded answers of real Galera members and a real ProxySQL.

mod endpoints;
mod noise;
mod once;
mod plugin;
mod proxies;
mod rules;
mod secrecy;
mod sheet;
mod states;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use wheelhouse::cluster::{
    Finding, Member, MemberName, MemberRows, Observation, Proxy, ProxyRows, Seen, Snapshot, Table, Tenancy,
    Trouble,
    database::{Database, Expectations},
};

fn captured(name: &str) -> String {
    let path = format!("{}/tests/captures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// `SHOW STATUS` and `SHOW VARIABLES` as recorded: name, tab, value.
fn pairs(name: &str) -> Table {
    let rows = captured(&format!("galera/{name}.tsv"));
    let row = |line: &str| line.split('\t').map(|cell| Some(cell.to_owned())).collect();
    Table::new(vec!["Variable_name".into(), "Value".into()], rows.lines().map(row).collect())
}

/// An answer of ProxySQL as recorded: the statement, the header, the rows.
fn proxysql(name: &str) -> Table {
    let text = captured(&format!("proxysql/{name}.tsv"));
    let mut lines = text.lines().skip(1);
    let columns = lines.next().expect("a header").split('\t').map(str::to_owned).collect();
    let cell = |cell: &str| (cell != "NULL").then(|| cell.to_owned());
    Table::new(columns, lines.map(|line| line.split('\t').map(cell).collect()).collect())
}

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn later(seconds: f64) -> Timestamp {
    now() + SignedDuration::from_secs_f64(seconds)
}

/// The captured cluster: member 1 of the lab listens at 13310, and so on.
pub fn address(node: u32) -> MemberName {
    format!("127.0.0.1:133{node}0").as_str().into()
}

pub fn rows(state: &str, node: u32) -> MemberRows {
    MemberRows {
        status: pairs(&format!("{state}.n{node}.status")),
        variables: pairs(&format!("{state}.n{node}.vars")),
        ..MemberRows::default()
    }
}

fn said(state: &str, node: u32, at: Timestamp) -> Member {
    Member::new(address(node)).answered(&rows(state, node), at)
}

fn silent(node: u32, trouble: Trouble) -> Member {
    Member::new(address(node)).failed(trouble, "127.0.0.1 refuses connections: no server runs there", now())
}

fn world(members: Vec<Member>, proxies: Vec<Proxy>, at: Timestamp) -> Snapshot {
    let mut snapshot = Snapshot::new(Tenancy::default());
    let members = members.into_iter().map(|m| (m.name.clone(), m)).collect();
    snapshot.observe(Observation::Member(Seen::All(members, now())));
    let proxies = proxies.into_iter().map(|p| (p.name.clone(), p)).collect();
    snapshot.observe(Observation::Proxy(Seen::All(proxies, now())));
    snapshot.at = at;
    snapshot
}

fn database(members: Vec<Member>) -> Arc<Database> {
    Database::of(&world(members, vec![], later(1.0))).expect("members are configured")
}

fn words(database: &Database) -> Vec<String> {
    database.members.iter().map(|row| row.state.word()).collect()
}

fn rules(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(|f| f.rule).collect()
}

fn finding<'a>(found: &'a [Finding], rule: &str) -> &'a Finding {
    found.iter().find(|f| f.rule == rule).unwrap_or_else(|| panic!("no {rule} in {:?}", rules(found)))
}

/// The recording of that node as it would be of another process, at address 3.
pub fn third(state: &str, node: u32, at: Timestamp) -> Member {
    let other = [("wsrep_gcomm_uuid", "33333333-e57f-11f1-a4d7-53902d4ee3af")];
    Member::new(address(3)).answered(&changed(state, node, &other), at)
}

/// The captured answers of a member, with some status values changed.
pub fn changed(state: &str, node: u32, changes: &[(&str, &str)]) -> MemberRows {
    let original = rows(state, node);
    let status: Vec<_> = original
        .status
        .lines()
        .map(|line| {
            let name = line.text("Variable_name").expect("a name");
            let value = changes
                .iter()
                .find(|(n, _)| *n == name)
                .map_or(line.text("Value").expect("a value"), |(_, v)| v);
            vec![Some(name.to_owned()), Some(value.to_owned())]
        })
        .collect();
    MemberRows { status: Table::new(vec!["Variable_name".into(), "Value".into()], status), ..original }
}

/// A proxy as captured in a state; the lab's members listened at other ports then.
fn proxy(state: &str, name: &str, at: Timestamp) -> Proxy {
    Proxy::new(name.into()).answered(&proxy_rows(state), at)
}

/// What a proxy answers in a state.
pub fn proxy_rows(state: &str) -> ProxyRows {
    let pool = if state == "healthy" {
        "healthy_stats_mysql_connection_pool".into()
    } else {
        format!("{state}_pool")
    };
    let servers = if state == "saturation" {
        "saturation_runtime".into()
    } else {
        format!("{state}_runtime_mysql_servers")
    };
    let sessions = match state {
        "saturation" | "nonprim_t18" | "hang_t22" => by_backend(&proxysql(&format!("{state}_processlist"))),
        _ => by_backend(&proxysql("healthy_stats_mysql_processlist")),
    };
    let checks =
        if state == "saturation" { "healthy_galera_log".into() } else { format!("{state}_galera_log") };
    let settings = vec![
        vec![Some("mysql-max_connections".to_owned()), Some("2048".to_owned())],
        vec![Some("mysql-monitor_galera_healthcheck_interval".to_owned()), Some("2000".to_owned())],
    ];
    ProxyRows {
        servers: Some(proxysql(&servers)),
        hostgroups: Some(proxysql("healthy_runtime_mysql_galera_hostgroups")),
        pool: proxysql(&pool),
        checks: proxysql(&checks),
        connects: Some(proxysql("healthy_connect_log")),
        global: proxysql("healthy_stats_mysql_global"),
        sessions,
        errors: Some(proxysql("healthy_stats_mysql_errors")),
        variables: Some(Table::new(vec!["variable_name".into(), "variable_value".into()], settings)),
        drift: Some(vec![]),
        disk: None,
        checksums: Some(proxysql("healthy_runtime_checksums_values")),
        digests: Some(proxysql("healthy_stats_mysql_query_digest")),
        version: Some("2.7.1-16-g2726c27".into()),
        took: Duration::ZERO,
    }
}

/// The process list, counted as the cockpit asks for it.
fn by_backend(list: &Table) -> Table {
    let mut counts: BTreeMap<Vec<Option<String>>, (u32, u64)> = BTreeMap::new();
    for line in list.lines() {
        let key = ["hostgroup", "srv_host", "srv_port", "command"]
            .map(|c| line.text(c).map(str::to_owned))
            .to_vec();
        let entry = counts.entry(key).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(line.number("time_ms").unwrap_or(0));
    }
    let columns =
        ["hostgroup", "srv_host", "srv_port", "command", "sessions", "longest_ms"].map(String::from);
    let rows = counts.into_iter().map(|(mut key, (sessions, longest))| {
        key.extend([Some(sessions.to_string()), Some(longest.to_string())]);
        key
    });
    Table::new(columns.to_vec(), rows.collect())
}

fn behind(state: &str, members: Vec<Member>) -> Snapshot {
    let mut snapshot = world(members, vec![proxy(state, "ps1", now())], now());
    let aliases = (1..=3).map(|n| (format!("127.0.0.1:240{n}0"), address(n).to_string())).collect();
    snapshot.database = Arc::new(Expectations { aliases, ..Expectations::default() });
    snapshot
}

fn healthy() -> Vec<Member> {
    (1..=3).map(|node| said("healthy", node, now())).collect()
}
