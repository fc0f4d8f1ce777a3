//! What the cockpit says of the database, against recorded answers of real Galera members and a real ProxySQL.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use wheelhouse::cluster::{
    Finding, Freshness, Layers, Member, MemberName, MemberRows, Observation, Proxy, ProxyName, ProxyRows,
    Seen, Severity, Snapshot, Table, Tenancy, Trouble,
    database::{Case, Database, Evidence, Expectations, Saved, recovery},
    findings,
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

#[test]
fn every_captured_state_has_its_words() {
    let at = now();
    let n = |state, node| said(state, node, at);
    let down = |node| silent(node, Trouble::Refused);
    let cases: Vec<(&str, Vec<Member>, &[&str], &str)> = vec![
        (
            "healthy",
            vec![n("healthy", 1), n("healthy", 2), n("healthy", 3)],
            &["synced", "synced", "synced"],
            "galera 3/3",
        ),
        (
            "desynced",
            vec![n("desynced_peer", 1), n("desynced", 2)],
            &["synced", "desynced by hand"],
            "galera 3/2",
        ),
        ("ftwrl", vec![n("ftwrl_peer", 1), n("ftwrl", 2)], &["synced", "paused, stale"], "galera 3/2"),
        ("rsu", vec![n("rsu_alter_peer", 1), n("rsu_alter", 2)], &["synced", "paused, stale"], "galera 3/2"),
        (
            "sst",
            vec![n("sst_in_progress", 1), n("sst_in_progress", 2), n("sst_in_progress", 3), down(4)],
            &["donor (to 127.0.0.1:13340)", "synced", "synced", "joining, full copy"],
            "galera 4/4",
        ),
        ("donor that rejects", vec![n("donor_rejects", 2)], &["donor"], "galera 4/1"),
        ("catching up", vec![n("joined_catching_up", 4)], &["catching up"], "galera 4/1"),
        (
            "stuck joiner",
            vec![n("joining_stuck_sstskip", 1), n("joining_stuck_sstskip", 2)],
            &["synced", "joining"],
            "galera 3/2",
        ),
        (
            "noticed",
            vec![n("killed1_noticed", 1), down(2), down(3)],
            &["synced", "no answer, peers list it", "down"],
            "galera 2/3",
        ),
        (
            "graceful",
            vec![n("graceful_survivor", 1), down(2), down(3)],
            &["synced", "down", "down"],
            "galera 1/3",
        ),
        (
            "survivor",
            vec![n("nonprimary_survivor", 1), down(2), down(3)],
            &["no quorum", "down", "down"],
            "galera NO QUORUM",
        ),
        (
            "all non-primary",
            vec![n("all_nonprimary", 1), n("all_nonprimary", 2), n("all_nonprimary", 3)],
            &["no quorum", "no quorum", "no quorum"],
            "galera NO QUORUM",
        ),
        (
            "partition",
            vec![n("partition_majority", 1), n("partition_minority", 3)],
            &["synced", "no quorum"],
            "galera 2/2",
        ),
        (
            "expelled",
            vec![n("inconsistent_peer", 1), n("inconsistent", 3)],
            &["synced", "expelled, data differ"],
            "galera 2/2",
        ),
        ("expelled, zeros", vec![n("inconsistent", 1)], &["expelled, data differ"], "galera NO QUORUM"),
        ("left", vec![n("disconnected", 3)], &["left the cluster"], "galera NO QUORUM"),
        (
            "re-formed",
            vec![
                n("crash_restart_diverged", 1),
                n("crash_restart_diverged", 2),
                n("crash_restart_diverged", 3),
            ],
            &["re-formed, data may differ"; 3],
            "galera 3/3",
        ),
        (
            "re-formed, then conflict",
            vec![n("inconsistent_peer", 2), n("inconsistent_peer", 3)],
            &["re-formed, data may differ"; 2],
            "galera 2/2",
        ),
        ("rejects", vec![n("reject_all", 3)], &["rejects clients"], "galera 3/1"),
        ("rejects and kills", vec![n("reject_all_kill", 3)], &["rejects clients"], "galera 3/1"),
        ("read-only", vec![n("read_only", 3)], &["synced"], "galera 3/1"),
        (
            "flow control",
            vec![n("fc_locktable", 1), n("fc_locktable", 2)],
            &["synced", "synced"],
            "galera 3/2",
        ),
        (
            "schema change",
            vec![n("toi_alter", 1), n("toi_alter", 2), n("toi_alter", 3)],
            &["synced"; 3],
            "galera 3/3",
        ),
        ("bootstrapped", vec![n("after_pc_bootstrap", 1)], &["synced"], "galera 1/1"),
        ("four", vec![n("size4", 1), n("size4", 4)], &["synced", "synced"], "galera 4/2"),
        ("five", vec![n("size5", 1), n("size5", 5)], &["synced", "synced"], "galera 5/2"),
        ("nobody", vec![down(1), down(2)], &["down", "down"], "galera DOES NOT ANSWER"),
    ];
    for (name, members, expected, headline) in cases {
        let seen = database(members);
        assert_eq!(words(&seen), expected, "{name}");
        assert_eq!(seen.headline().text, headline, "{name}");
    }
    let plain = MemberRows {
        status: pairs("not_galera.status"),
        variables: pairs("not_galera.vars"),
        ..MemberRows::default()
    };
    assert_eq!(words(&database(vec![Member::new(address(1)).answered(&plain, at)])), ["not galera"]);
}

#[test]
fn a_healthy_member_is_read_in_full() {
    let member = said("healthy", 1, now());
    let s = member.now().unwrap();
    assert_eq!((&*s.node, s.size, s.weight, s.cluster_weight), ("n1", 3, 1, Some(3)));
    assert_eq!(
        (s.last_committed, s.gcache.size, s.gcache.from, s.gcache.transactions),
        (Some(4), Some(16 << 20), Some(2), Some(3))
    );
    assert_eq!(&*s.version, "10.11.19-MariaDB-0+deb12u1");
    assert_eq!(s.options["gcs.fc_limit"].as_ref(), "16");
    assert_eq!(s.incoming.len(), 3);
    assert!(s.addresses.contains("127.0.0.1:13310") && s.ready && !s.desync);
    let none = said("nonprimary_survivor", 1, now());
    assert_eq!(none.now().unwrap().conf_id, None);
    assert_eq!(said("inconsistent", 1, now()).now().unwrap().last_committed, None);
    let database =
        database(vec![said("healthy", 1, now()), said("healthy", 2, now()), said("healthy", 3, now())]);
    assert_eq!(database.quorum.to_string(), "quorum 3 of 3 weights, one more loss is safe");
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

#[test]
fn rates_are_of_two_readings_and_survive_resets() {
    let first = changed(
        "healthy",
        1,
        &[
            ("wsrep_flow_control_paused_ns", "1000000000"),
            ("wsrep_last_committed", "100"),
            ("wsrep_received_bytes", "0"),
        ],
    );
    let next = changed(
        "healthy",
        1,
        &[
            ("wsrep_flow_control_paused_ns", "1500000000"),
            ("wsrep_last_committed", "300"),
            ("wsrep_local_cert_failures", "10"),
            ("wsrep_received_bytes", "2097152"),
        ],
    );
    let member = Member::new(address(1)).answered(&first, now());
    assert_eq!(member.now().unwrap().flow.share, None);
    let member = member.answered(&next, later(2.0));
    let s = member.now().unwrap();
    assert_eq!((s.flow.share, s.commits, s.cert_failures.1), (Some(0.25), Some(100.0), Some(5.0)));
    // 16 MB at 1 MB a second, known from the next reading on.
    let again = member.answered(&next, later(3.0));
    assert_eq!(again.now().unwrap().gcache.window, Some(Duration::from_secs(16)));
    // FLUSH STATUS on any member resets the counters of all.
    let reset = again.answered(&first, later(4.0));
    let s = reset.now().unwrap();
    assert_eq!((s.flow.share, s.commits), (None, None));
    // Two answers at once give no rate, not an infinite one.
    assert_eq!(reset.answered(&next, later(4.0)).now().unwrap().commits, None);
}

#[test]
fn a_silent_member_keeps_what_it_said_and_its_peers_decide_what_it_means() {
    let quiet = said("healthy", 3, now()).failed(Trouble::Refused, "refused", later(2.0));
    assert!(matches!(&quiet.link, Freshness::Stale { since, .. } if *since == now()));
    assert!(quiet.status.is_some() && quiet.now().is_none());
    let peer = said("killed1_unnoticed", 1, later(4.0));
    let snapshot = world(vec![peer, quiet.clone()], vec![], later(4.0));
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(words(&seen), ["synced", "silent, not yet excluded"]);
    assert!(finding(&findings(&snapshot), "member-down").text.contains("at most 6 s"));
    let after = world(vec![said("killed1_noticed", 1, later(7.0)), quiet], vec![], later(7.0));
    assert_eq!(words(&Database::of(&after).unwrap()), ["synced", "down"]);
    assert!(rules(&findings(&after)).contains(&"member-down"));
}

#[test]
fn a_frozen_member_that_wakes_is_not_believed() {
    // Its peers have been at view 4 without it for a while; it still tells view 3 of three members.
    let peer = Member::new(address(1));
    let peer =
        peer.answered(&rows("frozen_gone_peer", 1), now()).answered(&rows("frozen_gone_peer", 1), later(9.0));
    let woke = said("frozen_peer", 1, later(9.0));
    let woke = Member { name: address(3), ..woke };
    let snapshot = world(vec![peer.clone(), woke], vec![], later(9.0));
    assert_eq!(words(&Database::of(&snapshot).unwrap())[1], "outdated view");
    let found = finding(&findings(&snapshot), "galera-views").clone();
    assert!(found.severity == Severity::Critical && found.text.contains("view 3"), "{found:?}");
    // Within a second of the change it may only not have heard of it yet.
    let fresh = said("frozen_gone_peer", 1, now());
    let behind = Member { name: address(3), ..said("frozen_peer", 1, later(0.5)) };
    assert_eq!(words(&database(vec![fresh, behind]))[1], "synced");
}

#[test]
fn commits_that_stand_still_are_told_with_their_statement() {
    let columns =
        ["ID", "USER", "HOST", "COMMAND", "TIME", "STATE", "INFO", "STAGE", "MAX_STAGE", "PROGRESS"];
    let table = |rows: &[[&str; 10]]| {
        let rows = rows.iter().map(|r| r.iter().map(|c| Some((*c).to_owned())).collect()).collect();
        Table::new(columns.map(String::from).to_vec(), rows)
    };
    let system = ["2", "system user", "", "Sleep", "100", "wsrep applier idle", "", "0", "0", "0"];
    let busy = MemberRows {
        threads: Some(table(&[
            system,
            ["9", "app", "h", "Query", "6", "Waiting for certification", "update t set a=1", "0", "0", "0"],
            [
                "8",
                "root",
                "h",
                "Query",
                "7",
                "copy to tmp table",
                "ALTER TABLE\n big ADD x INT",
                "1",
                "2",
                "34.0",
            ],
        ])),
        ..rows("toi_alter", 1)
    };
    let member = Member::new(address(1)).answered(&busy, now()).answered(&busy, later(5.0));
    let found = findings(&world(vec![member], vec![], later(5.0)));
    let blocked = finding(&found, "commits-blocked");
    assert_eq!(blocked.severity, Severity::Critical);
    assert!(
        blocked.text.contains("17 % done, 1 sessions wait")
            && blocked.text.contains("ALTER TABLE big ADD x INT"),
        "{}",
        blocked.text
    );
    // Without the PROCESS right only one's own threads are listed: that is said, not taken for idleness.
    let own = MemberRows {
        threads: Some(table(&[["5", "mon", "h", "Query", "0", "", "SELECT", "0", "0", "0"]])),
        ..rows("healthy", 1)
    };
    let blind = Member::new(address(1)).answered(&own, now());
    assert!(blind.now().unwrap().threads.is_none());
    assert!(
        finding(&findings(&world(vec![blind], vec![], now())), "rights-missing").text.contains("PROCESS")
    );
}

#[test]
fn flow_control_names_who_asks_for_it() {
    let before = changed(
        "fc_locktable",
        2,
        &[("wsrep_flow_control_paused_ns", "0"), ("wsrep_flow_control_sent", "0")],
    );
    let after = changed("fc_locktable", 2, &[("wsrep_flow_control_paused_ns", "870000000")]);
    let culprit = Member::new(address(2)).answered(&before, now()).answered(&after, later(1.0));
    let found = findings(&world(vec![said("fc_locktable", 1, later(1.0)), culprit], vec![], later(1.0)));
    let flow = finding(&found, "flow-control");
    assert_eq!(flow.severity, Severity::Critical);
    assert!(flow.text.contains("87 %") && flow.text.contains("n2, which has 30"), "{}", flow.text);
}

#[test]
fn members_that_should_be_alike_and_members_nobody_configured_are_findings() {
    let other = changed("healthy", 2, &[("wsrep_provider_version", "4.9(r0)")]);
    let two = Member::new(address(2)).answered(&other, now());
    let snapshot = world(vec![said("healthy", 1, now()), two], vec![], now());
    let found = findings(&snapshot);
    assert!(finding(&found, "members-differ").text.contains("4.9(r0) on n2"));
    assert!(finding(&found, "member-unknown").text.contains("127.0.0.1:13330"));
    let mut quiet = world(vec![said("read_only", 3, now()), said("reject_all", 3, now())], vec![], now());
    quiet.database = Arc::new(Expectations { size: Some(3), ..Expectations::default() });
    assert!(rules(&findings(&quiet)).contains(&"member-rejects"));
}

#[test]
fn scripts_are_told_what_is_known_and_null_for_the_rest() {
    let quiet = said("healthy", 3, now()).failed(Trouble::Silent, "frozen", later(2.0));
    let seen = database(vec![said("desynced_peer", 1, later(3.0)), quiet]);
    let json = serde_json::to_value(seen.report(later(4.0))).expect("JSON");
    let (one, three) = (&json["members"][0], &json["members"][1]);
    assert_eq!(
        (&one["name"], &one["state"], &one["primary"]),
        (&"n1".into(), &"synced".into(), &true.into())
    );
    assert_eq!(
        (&one["receive_queue"], &one["age"], &one["role"]),
        (&0.into(), &1.0.into(), &"unknown".into())
    );
    assert_eq!(
        (&three["primary"], &three["age"], &three["trouble"]),
        (&false.into(), &4.0.into(), &"frozen".into())
    );
    assert!(three["receive_queue"].is_null() && three["flow_control"].is_null());
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

#[test]
fn the_role_of_each_member_is_read_from_the_hostgroups() {
    for (state, roles, headline) in [
        ("healthy", ["writer", "next writer", "standby writer, reads"], "galera 3/3 writer n1"),
        ("failover_t2", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("desync_reader", ["writer", "offline", "next writer"], "galera 3/3 writer n1"),
        ("desync_writer", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("desync_all", ["writer", "offline", "offline"], "galera 3/3 writer n1"),
        ("readonly_n3", ["writer", "next writer", "reader"], "galera 3/3 writer n1"),
        ("reject_n1", ["shunned", "writer", "next writer"], "galera 3/3 writer n2"),
        ("hang_t22", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("saturation", ["writer", "next writer", "standby writer, reads"], "galera 3/3 writer n1"),
    ] {
        let seen = Database::of(&behind(state, healthy())).unwrap();
        let said: Vec<_> = seen.members.iter().map(|r| r.role_words()).collect();
        assert_eq!(said, roles, "{state}");
        assert_eq!(seen.headline().text, headline, "{state}");
        assert!(seen.unknown_backends.is_empty(), "{state}");
    }
}

#[test]
fn shunned_surplus_writers_are_normal_and_shunned_by_errors_are_not() {
    let calm = findings(&behind("healthy", healthy()));
    assert!(calm.iter().all(|f| f.severity == Severity::Notice), "{calm:?}");
    let shunned = findings(&behind("reject_n1", healthy()));
    assert!(finding(&shunned, "backend-shunned").text.contains("hostgroup 10"));
}

#[test]
fn a_writer_without_quorum_is_not_a_writer() {
    // ProxySQL keeps the last member ONLINE as the writer, for ever.
    let members =
        vec![said("nonprimary_survivor", 1, now()), silent(2, Trouble::Refused), silent(3, Trouble::Refused)];
    let snapshot = behind("nonprim_t18", members);
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(seen.members[0].role_words(), "writer");
    assert_eq!(seen.members[1].role_words(), "offline");
    assert_eq!(seen.headline().text, "galera NO QUORUM");
    let found = findings(&snapshot);
    assert!(finding(&found, "no-writer").text.contains("takes none: no quorum"));
    assert!(rules(&found).contains(&"galera-no-quorum") && rules(&found).contains(&"readers-empty"));
    assert!(finding(&found, "clients-waiting").text.contains("4 clients wait"));
}

#[test]
fn what_a_proxy_hides_is_found() {
    let found = findings(&behind("desync_all", healthy()));
    assert!(finding(&found, "readers-empty").text.contains("30"));
    let found = findings(&behind("saturation", healthy()));
    assert!(finding(&found, "clients-waiting").text.contains("3 clients wait"));

    let mut snapshot = behind("healthy", healthy());
    let name = ProxyName::from("ps1");
    let what = |names: &[&str]| {
        Table::new(vec!["what".into()], names.iter().map(|n| vec![Some((*n).to_owned())]).collect())
    };
    let other = ProxyName::from("ps2");
    let drifting = ProxyRows {
        drift: Some(vec![("mysql_query_rules".into(), Layers::RuntimeDisk, what(&["rule 200"]))]),
        checksums: Some(Table::new(
            vec!["name".into(), "checksum".into()],
            vec![vec![Some("mysql_query_rules".into()), Some("0x1".into())]],
        )),
        connects: Some(Table::new(
            ["hostname", "port", "time_start_us", "connect_error"].map(String::from).to_vec(),
            vec![vec![
                Some("db1".into()),
                Some("3306".into()),
                Some("5".into()),
                Some("Access denied for user 'monitor'".into()),
            ]],
        )),
        ..ProxyRows::default()
    };
    let one = Proxy::clone(&snapshot.proxies.items[&name]);
    let two = Proxy::new(other.clone()).answered(&drifting, now());
    snapshot.observe(Observation::Proxy(Seen::All(vec![(name, one), (other, two)], now())));
    let found = findings(&snapshot);
    assert!(
        finding(&found, "proxy-drift").text.contains("mysql_query_rules")
            && finding(&found, "proxy-drift").text.contains("rule 200")
    );
    assert!(finding(&found, "proxies-differ").text.contains("mysql_query_rules"));
    assert!(finding(&found, "monitor-failing").text.contains("may not log in at db1:3306"));
    assert!(finding(&found, "rights-missing").text.contains("statistics rights only"));
}

#[test]
fn with_statistics_rights_the_roles_come_from_the_configuration() {
    let rows = ProxyRows {
        pool: proxysql("healthy_stats_mysql_connection_pool"),
        checks: proxysql("healthy_galera_log"),
        ..ProxyRows::default()
    };
    let stats = Proxy::new("ps1".into()).answered(&rows, now());
    let mut snapshot = behind("healthy", healthy());
    snapshot.observe(Observation::Proxy(Seen::All(vec![("ps1".into(), stats)], now())));
    assert_eq!(Database::of(&snapshot).unwrap().headline().text, "galera 3/3");
    let hostgroups =
        vec![serde_json::from_str(r#"{"writer":10,"backup":20,"reader":30,"offline":9999}"#).unwrap()];
    snapshot.database = Arc::new(Expectations { hostgroups, ..(*snapshot.database).clone() });
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(seen.headline().text, "galera 3/3 writer n1");
    // Two wait and no weight is known: who is next cannot be told.
    assert_eq!(seen.next_writer, None);
}

const UUID: &str = "616bac65-e57f-11f1-a4d7-53902d4ee3af";

fn grastate(seqno: i64, safe: u8) -> String {
    format!(
        "# GALERA saved state\nversion: 2.1\nuuid:    {UUID}\nseqno:   {seqno}\nsafe_to_bootstrap: {safe}\n"
    )
}

#[test]
fn evidence_is_read_from_what_people_paste() {
    let saved = Saved::parse(&captured("galera/wsrep-recover.n1.log")).unwrap();
    assert_eq!(saved.position().unwrap().to_string(), format!("{UUID}:22134"));
    let crashed = Saved::parse(&grastate(-1, 0)).unwrap();
    assert_eq!((crashed.position(), crashed.empty), (None, false));
    let both = Saved::parse(&format!("{}2026 [Note] WSREP: Recovered position: {UUID}:7\n", grastate(-1, 0)))
        .unwrap();
    assert_eq!(both.position().unwrap().seqno, 7);
    assert_eq!(Saved::parse(&format!("{UUID}:12")).unwrap().position().unwrap().seqno, 12);
    let zero = "00000000-0000-0000-0000-000000000000:-1";
    assert!(Saved::parse(&format!("Recovered position: {zero}")).unwrap().empty);
    assert!(Saved::parse("hello\nworld: 1").unwrap_err().contains("grastate.dat"));
    assert!(Saved::parse("uuid: 616bac65-e57f-11f1-a4d7-53902d4ee3af\nseqno: many").is_err());
}

fn sheet(members: Vec<Member>, fed: &[(u32, String)]) -> wheelhouse::cluster::database::Sheet {
    let saved: Vec<_> =
        fed.iter().map(|(n, text)| (address(*n), Saved::parse(text).expect("evidence"))).collect();
    recovery(&Evidence::of(&database(members), &saved))
}

#[test]
fn the_sheet_names_the_most_advanced_only_when_it_is_proven() {
    let down = |node| silent(node, Trouble::Refused);
    let all = || vec![down(1), down(2), down(3)];

    let blank = sheet(all(), &[]);
    assert_eq!((blank.case, blank.verdict.member.clone(), blank.steps.len()), (Case::AllDown, None, 3));
    assert!(blank.steps.iter().all(|s| s.command.contains("--wsrep-recover")));

    // Two of three known: whatever they say, the third may have more.
    let some = sheet(all(), &[(1, format!("{UUID}:10")), (2, format!("{UUID}:12"))]);
    assert!(!some.verdict.proven && some.verdict.reason.contains("seqno 12"));
    assert!(some.steps.iter().all(|s| !s.command.contains("galera_new_cluster")), "{some}");

    let known = sheet(
        all(),
        &[
            (1, format!("{UUID}:10")),
            (2, format!("{}\n{UUID}:12", grastate(-1, 0))),
            (3, format!("{UUID}:9")),
        ],
    );
    assert!(known.verdict.proven);
    assert_eq!(known.verdict.member.as_deref(), Some("127.0.0.1:13320"));
    let commands: Vec<_> =
        known.steps.iter().map(|s| s.by_hand.clone().unwrap_or(s.command.clone())).collect();
    assert!(commands[0].contains("safe_to_bootstrap: 1"));
    assert_eq!(commands[1], format!("mariadbd --wsrep-new-cluster --wsrep_start_position={UUID}:12"));
    assert_eq!(commands[3], format!("mariadbd --wsrep_start_position={UUID}:10"));
    assert!(known.to_string().contains("proven by the evidence"));

    // The last to stop cleanly proves it alone.
    let last = sheet(all(), &[(3, grastate(40, 1))]);
    assert!(last.verdict.proven && last.verdict.member.as_deref() == Some("127.0.0.1:13330"));

    // Different histories never compare; a zero one is no candidate.
    let other = UUID.replace("616bac65", "716bac65");
    let mixed =
        sheet(all(), &[(1, format!("{UUID}:10")), (2, format!("{other}:99")), (3, format!("{UUID}:9"))]);
    assert!(
        mixed.verdict.member.is_none()
            && mixed.steps.is_empty()
            && mixed.verdict.reason.contains("Stop here")
    );
    let zero = "00000000-0000-0000-0000-000000000000:-1";
    let expelled = sheet(all(), &[(1, zero.into()), (2, format!("{UUID}:3")), (3, format!("{UUID}:2"))]);
    assert!(expelled.verdict.proven && expelled.verdict.member.as_deref() == Some("127.0.0.1:13320"));
}

#[test]
fn the_sheet_for_survivors_asks_about_the_silent_ones_first() {
    let down = |node| silent(node, Trouble::Refused);
    let members = || vec![said("nonprimary_survivor", 1, now()), down(2), down(3)];
    let survivor = sheet(members(), &[]);
    assert_eq!(survivor.case, Case::NoQuorum);
    assert!(!survivor.verdict.proven && survivor.verdict.member.as_deref() == Some("n1"));
    assert!(survivor.steps[0].command.contains("pgrep") && survivor.steps[1].command.contains("pgrep"));
    assert!(survivor.steps[2].command.contains("pc.bootstrap=YES"));
    assert!(survivor.unproven.iter().any(|line| line.contains("two clusters")));
    let fed = sheet(members(), &[(2, format!("{UUID}:22060")), (3, format!("{UUID}:100"))]);
    assert!(fed.verdict.proven, "{fed}");
    let ahead = sheet(members(), &[(2, format!("{UUID}:22061")), (3, format!("{UUID}:100"))]);
    assert!(ahead.verdict.member.as_deref() == Some("127.0.0.1:13320") && !ahead.verdict.proven);
    assert!(ahead.steps.iter().all(|s| !s.command.contains("pc.bootstrap")), "{ahead}");

    assert_eq!(sheet(healthy(), &[]).case, Case::Primary);
    let reformed = (1..=3).map(|n| said("crash_restart_diverged", n, now())).collect();
    let reformed = sheet(reformed, &[]);
    assert!(reformed.case == Case::Reformed && reformed.steps[0].command.contains("ALL_KILL"));
    let json = serde_json::to_value(&reformed).unwrap();
    assert_eq!((&json["case"], &json["verdict"]["proven"]), (&"reformed".into(), &false.into()));
}

fn any_table(names: &'static [&'static str]) -> impl Strategy<Value = Table> {
    let value = prop_oneof![
        Just(None),
        Just(Some(u64::MAX.to_string())),
        any::<i64>().prop_map(|n| Some(n.to_string())),
        "[ -~]{0,20}".prop_map(Some),
        Just(Some("Primary".to_owned())),
        Just(Some("ON".to_owned())),
        Just(Some("gcache.size = 9999999999999T; pc.weight = -1; =;;".to_owned())),
    ];
    let row =
        (proptest::sample::select(names), value).prop_map(|(name, value)| vec![Some(name.to_owned()), value]);
    proptest::collection::vec(row, 0..30)
        .prop_map(|rows| Table::new(vec!["Variable_name".into(), "Value".into()], rows))
}

const NAMES: &[&str] = &[
    "wsrep_local_state",
    "wsrep_cluster_status",
    "wsrep_cluster_size",
    "wsrep_cluster_conf_id",
    "wsrep_last_committed",
    "wsrep_local_cached_downto",
    "wsrep_flow_control_paused_ns",
    "wsrep_cluster_weight",
    "wsrep_on",
    "wsrep_provider",
    "wsrep_provider_options",
    "wsrep_incoming_addresses",
    "wsrep_cluster_state_uuid",
    "Uptime",
    "port",
    "hostname",
    "wsrep_received_bytes",
    "wsrep_local_recv_queue",
    "max_connections",
    "Threads_connected",
    "wsrep_desync",
];

fn any_cells() -> impl Strategy<Value = Table> {
    let columns = [
        "hostgroup",
        "hostgroup_id",
        "srv_host",
        "srv_port",
        "hostname",
        "port",
        "status",
        "time_start_us",
        "error",
        "weight",
        "ConnUsed",
        "Queries",
        "writer_hostgroup",
        "backup_writer_hostgroup",
        "reader_hostgroup",
        "offline_hostgroup",
        "max_writers",
        "sessions",
        "command",
        "longest_ms",
        "user",
        "state",
        "info",
        "time",
        "stage",
        "max_stage",
        "progress",
        "id",
        "errno",
        "count_star",
        "digest_text",
        "what",
    ];
    let cell = prop_oneof![
        Just(None),
        any::<i64>().prop_map(|n| Some(n.to_string())),
        "[ -~é]{0,12}".prop_map(Some),
        proptest::sample::select(&["ONLINE", "SHUNNED", "10", "20", "NaN", "inf", "1e308", "ALTER"][..])
            .prop_map(|t| Some(t.to_owned())),
    ];
    let row = proptest::collection::vec(cell, 0..columns.len() + 2);
    proptest::collection::vec(row, 0..8)
        .prop_map(move |rows| Table::new(columns.map(String::from).to_vec(), rows))
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        status in any_table(NAMES), again in any_table(NAMES), variables in any_table(NAMES),
        cells in any_cells(), more in any_cells(), gap in 0i64..100_000_000,
    ) {
        let at = now() + SignedDuration::from_millis(gap);
        let rows = |status: Table| MemberRows {
            status, variables: variables.clone(), peers: Some(cells.clone()), threads: Some(more.clone()),
            holders: Some(cells.clone()), took: Duration::ZERO,
        };
        let one = Member::new(address(1)).answered(&rows(status.clone()), now()).answered(&rows(again), at);
        let two = Member::new(address(2)).answered(&rows(status), at).failed(Trouble::Silent, "why", now());
        let proxy = |first: &Table, second: &Table| ProxyRows {
            servers: Some(first.clone()), hostgroups: Some(second.clone()), pool: second.clone(), checks: first.clone(),
            connects: Some(second.clone()), global: first.clone(), sessions: second.clone(), errors: Some(first.clone()),
            variables: Some(second.clone()), drift: Some(vec![("t".into(), Layers::RuntimeDisk, first.clone())]),
            checksums: Some(second.clone()), digests: Some(first.clone()), version: None, took: Duration::ZERO,
        };
        let ps = Proxy::new("ps1".into()).answered(&proxy(&cells, &more), now()).answered(&proxy(&more, &cells), at);
        let snapshot = world(vec![one, two], vec![ps], at);
        let seen = Database::of(&snapshot).unwrap();
        let _ = (findings(&snapshot), seen.headline(), seen.quorum.to_string());
        let _ = recovery(&Evidence::of(&seen, &[])).to_string();
    }

    #[test]
    fn no_paste_makes_it_panic(text in "(uuid: |seqno: |Recovered position: |safe_to_bootstrap: |616bac65-e57f-11f1-a4d7-53902d4ee3af|:|-1|[ -~é\n]){0,30}") {
        let _ = Saved::parse(&text).map(|saved| saved.position());
    }
}
