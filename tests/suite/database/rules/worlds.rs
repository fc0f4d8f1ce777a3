//! The worlds in which the rules speak.

use std::sync::Arc;

use wheelhouse::{
    cluster::{Layers, Member, MemberRows, Observation, Proxy, ProxyRows, Seen, Snapshot, Table},
    config::{Config, expectations},
};

use crate::database::{
    address, behind, changed, healthy, later, now, pairs, proxy_rows, rows, said, third, world,
};

pub fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
    let cell = |cell: &&str| (!cell.is_empty()).then(|| (*cell).to_owned());
    let rows = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    Table::new(columns.iter().map(|c| (*c).to_owned()).collect(), rows)
}

/// A process list of a member.
pub fn threads(rows: &[&[&str]]) -> Option<Table> {
    let idle: &[&str] = &["2", "system user", "", "Sleep", "100", "wsrep applier idle", "", "0", "0", "0"];
    let columns =
        ["ID", "USER", "HOST", "COMMAND", "TIME", "STATE", "INFO", "STAGE", "MAX_STAGE", "PROGRESS"];
    Some(table(&columns, &[&[idle], rows].concat()))
}

/// A member that has answered so, once a second.
pub fn spoke(node: u32, answers: &[MemberRows]) -> Member {
    let new = Member::new(address(node));
    answers.iter().enumerate().fold(new, |member, (i, rows)| member.answered(rows, later(i as f64)))
}

/// The captured variables of a member with some more.
pub fn with_variables(node: u32, more: &[(&str, &str)]) -> MemberRows {
    let rows = rows("healthy", node);
    let own = rows.variables.lines().map(|line| {
        let (name, value) = (line.text("Variable_name").expect("a name"), line.text("Value"));
        let value = more.iter().find(|(n, _)| *n == name).map_or(value, |(_, v)| Some(*v));
        vec![Some(name.to_owned()), value.map(str::to_owned)]
    });
    let more = more.iter().map(|(name, value)| vec![Some((*name).to_owned()), Some((*value).to_owned())]);
    let variables = Table::new(vec!["Variable_name".into(), "Value".into()], own.chain(more).collect());
    MemberRows { variables, ..rows }
}

/// The healthy world with one more word in its configuration.
pub fn configured(mut snapshot: Snapshot, settings: &[&str]) -> Snapshot {
    let set = |config: Config, setting: &&str| config.with(setting).expect("a setting");
    let config = settings.iter().fold(Config::default(), set);
    let mut expected = expectations(&config.galera, &config.proxysql);
    expected.aliases.extend(snapshot.database.aliases.clone());
    snapshot.database = Arc::new(expected);
    snapshot
}

/// The healthy world with other proxies.
pub fn fronted(proxies: Vec<Proxy>) -> Snapshot {
    let mut snapshot = behind("healthy", healthy());
    let proxies = proxies.into_iter().map(|p| (p.name.clone(), p)).collect();
    snapshot.observe(Observation::Proxy(Seen::All(proxies, now())));
    snapshot.at = now();
    snapshot
}

pub fn answers(edit: impl FnOnce(&mut ProxyRows)) -> Proxy {
    answers_as("ps1", edit)
}

pub fn answers_as(name: &str, edit: impl FnOnce(&mut ProxyRows)) -> Proxy {
    let mut rows = proxy_rows("healthy");
    edit(&mut rows);
    Proxy::new(name.into()).answered(&rows, now())
}

/// The servers of the healthy proxy, with other states among the writers.
pub fn servers(states: [&str; 3], weight: &str) -> Option<Table> {
    let columns = ["hostgroup_id", "hostname", "port", "status", "weight", "max_connections"];
    let writer = |port: &'static str, state| ["10", "127.0.0.1", port, state, weight, "100"];
    let reader = |port: &'static str| ["30", "127.0.0.1", port, "ONLINE", weight, "100"];
    let [one, two, three] = states;
    let rows = [
        writer("24010", one),
        writer("24020", two),
        writer("24030", three),
        reader("24020"),
        reader("24030"),
    ];
    Some(table(&columns, &rows.iter().map(|row| &row[..]).collect::<Vec<_>>()))
}

pub fn drift(of: &str, layers: Layers) -> Proxy {
    let what = table(&["what"], &[&["127.0.0.1:24020"]]);
    answers(|rows| rows.drift = Some(vec![(of.into(), layers, what)]))
}

/// A schema change that holds every commit, and a session that waits.
pub fn blocked() -> Member {
    let rows = MemberRows {
        threads: threads(&[
            &["9", "app", "h", "Query", "6", "Waiting for certification", "update t set a=1", "0", "0", "0"],
            &[
                "8",
                "root",
                "h",
                "Query",
                "7",
                "copy to tmp table",
                "ALTER TABLE big ADD x INT",
                "1",
                "2",
                "34.0",
            ],
        ]),
        ..rows("toi_alter", 1)
    };
    Member::new(address(1)).answered(&rows, now()).answered(&rows, later(5.0))
}

/// A session that holds a table while an applier waits for it.
pub fn locked(certain: bool, seconds: &str) -> Member {
    let applier: &[&str] =
        &["1", "system user", "", "Query", seconds, "Waiting for table metadata lock", "", "0", "0", "0"];
    let holders = match certain {
        true => {
            table(&["ID", "USER", "HOST", "TIME", "LOCK_MODE"], &[&["77", "app", "10.0.0.9", "8", "held"]])
        }
        false => table(&["ID", "USER", "HOST", "TIME"], &[&["77", "app", "10.0.0.9", "8"]]),
    };
    let rows = MemberRows { threads: threads(&[applier]), holders: Some(holders), ..rows("fc_locktable", 2) };
    spoke(2, &[rows])
}

/// An applier that has carried out a schema change before and now cannot get at a table, or waits for another change.
pub fn stuck(more: &[&[&str]]) -> Member {
    let state = "Waiting to execute in isolation";
    let insert: &[&str] = &["6", "system user", "", "Sleep", "6", state, "INSERT INTO t.b", "0", "0", "0"];
    let holders = table(&["ID", "USER", "HOST", "TIME"], &[&["77", "app", "10.0.0.9", "8"]]);
    let threads = threads(&[&[insert], more].concat());
    spoke(2, &[MemberRows { threads, holders: Some(holders), ..rows("fc_locktable", 2) }])
}

/// Flow control for 87 % of the last second, or so many of a hundred.
pub fn throttled(percent: u64) -> Vec<Member> {
    let paused = (percent * 10_000_000).to_string();
    let before = changed(
        "fc_locktable",
        2,
        &[("wsrep_flow_control_paused_ns", "0"), ("wsrep_flow_control_sent", "0")],
    );
    let after = changed("fc_locktable", 2, &[("wsrep_flow_control_paused_ns", &paused)]);
    // Its appliers wait for nobody.
    let [before, after] = [before, after].map(|rows| MemberRows { threads: threads(&[]), ..rows });
    vec![said("fc_locktable", 1, later(1.0)), spoke(2, &[before, after])]
}

pub fn counted(node: u32, name: &str, values: &[&str]) -> Member {
    let answers: Vec<_> = values.iter().map(|value| changed("healthy", node, &[(name, value)])).collect();
    spoke(node, &answers)
}

pub fn among(member: Member, count: u32) -> Vec<Member> {
    let others = (1..=3).filter(|n| address(*n) != member.name).take(count as usize - 1);
    let mut all: Vec<_> = others.map(|n| said("healthy", n, later(1.0))).collect();
    all.push(member);
    all
}

pub fn alone(members: Vec<Member>, seconds: f64) -> Snapshot {
    world(members, vec![], later(seconds))
}

/// A frozen member that woke among its peers.
pub fn woken() -> Vec<Member> {
    let peer = Member::new(address(1));
    let peer =
        peer.answered(&rows("frozen_gone_peer", 1), now()).answered(&rows("frozen_gone_peer", 1), later(9.0));
    vec![peer, third("frozen_peer", 1, later(9.0))]
}

/// Behind the healthy proxy, some time later.
pub fn behind_with(members: Vec<Member>, seconds: f64) -> Snapshot {
    let mut snapshot = behind("healthy", members);
    snapshot.at = later(seconds);
    snapshot
}

pub fn crowded(threads: &str) -> Member {
    let mut rows = with_variables(1, &[("max_connections", "100")]);
    let own = rows
        .status
        .lines()
        .map(|l| vec![l.text("Variable_name").map(str::to_owned), l.text("Value").map(str::to_owned)]);
    let more = vec![Some("Threads_connected".to_owned()), Some(threads.to_owned())];
    let own = own.filter(|row| row[0].as_deref() != Some("Threads_connected"));
    rows.status = Table::new(vec!["Variable_name".into(), "Value".into()], own.chain([more]).collect());
    spoke(1, &[rows])
}

pub fn options(from: &str, to: &str) -> Member {
    let own = pairs("healthy.n2.vars");
    let text = own.value("wsrep_provider_options").expect("options");
    let text = text.replace(from.trim_end_matches(';'), to.trim_end_matches(';'));
    spoke(2, &[with_variables(2, &[("wsrep_provider_options", &text)])])
}

/// A member that is in the view under an address nobody joins to it.
pub fn unlisted() -> Snapshot {
    let rows = with_variables(
        3,
        &[
            ("wsrep_node_incoming_address", "10.9.9.9:3306"),
            ("port", "3999"),
            ("wsrep_node_address", "10.9.9.9"),
        ],
    );
    let strange = Member::new("db3:3306".into()).answered(&rows, now());
    alone(vec![said("healthy", 1, now()), said("healthy", 2, now()), strange], 1.0)
}

/// Only the asking user's own threads are listed.
pub fn unprivileged() -> Member {
    let columns =
        ["ID", "USER", "HOST", "COMMAND", "TIME", "STATE", "INFO", "STAGE", "MAX_STAGE", "PROGRESS"];
    let own = table(&columns, &[&["5", "mon", "h", "Query", "0", "", "SELECT", "0", "0", "0"]]);
    spoke(1, &[MemberRows { threads: Some(own), ..rows("healthy", 1) }])
}

/// No schema change, and a session that waits while nothing is committed.
pub fn waiting() -> Member {
    let waits: &[&str] =
        &["9", "app", "h", "Query", "6", "Waiting for certification", "update t set a=1", "0", "0", "0"];
    let rows = MemberRows { threads: threads(&[waits]), ..rows("healthy", 1) };
    Member::new(address(1)).answered(&rows, now()).answered(&rows, later(5.0))
}

/// The healthy proxy with so many of 2048 client connections in use.
pub fn full_of_clients(clients: &str) -> Snapshot {
    fronted(vec![answers(|rows| {
        let names = ["Variable_Name", "Variable_Value"];
        rows.global = table(&names, &[&["Client_Connections_connected", clients]]);
    })])
}
