//! Plans on a healthy cluster of three with two proxies, and on what it becomes when something is wrong.

mod clocks;
mod clusters;
mod guards;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    cluster::{
        Freshness, Layers, Member, MemberRows, Observation, Proxy, ProxyRows, Seen, Table, Tenancy, Trouble,
    },
    plan::{Standing, plan},
};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn table(columns: &str, rows: &[String]) -> Table {
    let cells = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let row = |text: &String| cells(text).into_iter().map(|c| (c != "-").then_some(c)).collect();
    Table::new(cells(columns), rows.iter().map(row).collect())
}

/// Member `db1` and so on, at `db1:3306`; `more` overrides what a synced member says.
fn member(n: usize, size: usize, more: &[(&str, &str)]) -> Member {
    Member::new(format!("db{n}:3306").as_str().into()).answered(&member_rows(n, size, more), now())
}

/// What it says.
fn member_rows(n: usize, size: usize, more: &[(&str, &str)]) -> MemberRows {
    let name = format!("db{n}:3306");
    let incoming = (1..=size).map(|n| format!("db{n}:3306")).collect::<Vec<_>>().join(",");
    let (size, gcomm) = (size.to_string(), format!("gcomm-{n}"));
    let node = format!("db{n}");
    let status = [
        ("wsrep_local_state", "4"),
        ("wsrep_local_state_comment", "Synced"),
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_ready", "ON"),
        ("wsrep_connected", "ON"),
        ("wsrep_provider_name", "Galera"),
        ("wsrep_cluster_size", &size),
        ("wsrep_cluster_weight", &size),
        ("wsrep_cluster_state_uuid", "11111111-0000-0000-0000-000000000000"),
        ("wsrep_local_state_uuid", "11111111-0000-0000-0000-000000000000"),
        ("wsrep_cluster_conf_id", "7"),
        ("wsrep_gcomm_uuid", &gcomm),
        ("wsrep_evs_state", "OPERATIONAL"),
        ("wsrep_last_committed", "100"),
        ("wsrep_local_recv_queue", "0"),
        ("wsrep_desync_count", "0"),
        ("wsrep_incoming_addresses", &incoming),
        ("Threads_connected", "10"),
    ];
    let variables = [
        ("wsrep_on", "ON"),
        ("wsrep_node_name", &node),
        ("wsrep_node_incoming_address", &name),
        ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so"),
        ("wsrep_provider_options", "pc.weight = 1;"),
        ("wsrep_desync", "OFF"),
        ("read_only", "OFF"),
        ("max_connections", "500"),
        ("version", "10.11.6-MariaDB"),
    ];
    let pairs = |all: &[(&str, &str)]| {
        let value = |name: &str, value: &str| {
            more.iter().find(|(n, _)| *n == name).map_or(value, |(_, v)| v).to_owned()
        };
        let rows = all.iter().map(|(n, v)| vec![Some((*n).to_owned()), Some(value(n, v))]).collect();
        Table::new(vec!["Variable_name".into(), "Value".into()], rows)
    };
    MemberRows { status: pairs(&status), variables: pairs(&variables), ..MemberRows::default() }
}

const WEIGHTS: [u64; 3] = [100, 50, 10];

/// The rows of a proxy as the monitor sorts them: the first writes, all others wait and read.
fn sorted(weights: &[(usize, u64)]) -> Vec<String> {
    let mut order = weights.to_vec();
    order.sort_by_key(|(n, w)| std::cmp::Reverse((*w, *n)));
    let row = |group: u32, n: usize, status: &str, weight: u64| {
        format!("{group} db{n} 3306 0 {status} {weight} 0 100 0 0 0 db{n}")
    };
    let mut rows = Vec::new();
    for (i, (n, weight)) in order.into_iter().enumerate() {
        rows.push(row(10, n, if i == 0 { "ONLINE" } else { "SHUNNED" }, weight));
        if i > 0 {
            rows.push(row(20, n, "ONLINE", weight));
            rows.push(row(30, n, "ONLINE", weight));
        }
    }
    rows
}

fn rows(servers: &[String]) -> ProxyRows {
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                   max_replication_lag use_ssl max_latency_ms comment";
    let groups = "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active \
                  max_writers writer_is_also_reader max_transactions_behind";
    let settings = ["mysql-monitor_galera_healthcheck_interval 2000".to_owned()];
    ProxyRows {
        servers: Some(table(columns, servers)),
        hostgroups: Some(table(groups, &["10 20 30 9999 1 1 2 100".to_owned()])),
        variables: Some(table("variable_name variable_value", &settings)),
        drift: Some(vec![]),
        took: Duration::ZERO,
        ..ProxyRows::default()
    }
}

fn proxy(n: usize, servers: &[String]) -> Proxy {
    Proxy::new(format!("proxy{n}").as_str().into()).answered(&rows(servers), now())
}

fn world(members: Vec<Member>, proxies: Vec<Proxy>) -> Snapshot {
    let mut snapshot = Snapshot::new(Tenancy::default());
    let members = members.into_iter().map(|m| (m.name.clone(), m)).collect();
    snapshot.observe(Observation::Member(Seen::All(members, now())));
    let proxies = proxies.into_iter().map(|p| (p.name.clone(), p)).collect();
    snapshot.observe(Observation::Proxy(Seen::All(proxies, now())));
    snapshot.at = later(1);
    snapshot
}

fn three() -> Vec<Member> {
    (1..=3).map(|n| member(n, 3, &[])).collect()
}

fn all() -> Vec<(usize, u64)> {
    (1..=3).zip(WEIGHTS).collect()
}

fn healthy() -> Snapshot {
    world(three(), vec![proxy(1, &sorted(&all())), proxy(2, &sorted(&all()))])
}

fn asked(seen: &Snapshot, act: DatabaseAct) -> Plan {
    plan(seen, &Intent::Database { act })
}

fn take_out(member: &str) -> DatabaseAct {
    DatabaseAct::TakeOut { member: member.into() }
}

fn refused(plan: &Plan) -> Vec<&str> {
    plan.refusals().map(|c| c.rule.as_str()).collect()
}

fn words(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|s| plan.words(&s.change)).collect()
}

fn part(plan: &Plan) -> &DatabasePart {
    plan.database.as_ref().unwrap()
}

/// What the proxies look like once a plan is through and the monitor has sorted them.
fn settled(seen: &Snapshot, plan: &Plan) -> Snapshot {
    let mut weights: std::collections::BTreeMap<ProxyName, std::collections::BTreeMap<usize, u64>> =
        seen.proxies.values().map(|p| (p.name.clone(), Default::default())).collect();
    let number = |address: &str| address[2..3].parse::<usize>().unwrap();
    for proxy in seen.proxies.values() {
        for row in &proxy.status.as_ref().unwrap().servers {
            weights.get_mut(&proxy.name).unwrap().insert(number(&row.address), row.weight);
        }
    }
    for step in &plan.steps {
        if let Change::Servers(Servers { proxy, address, to, .. }) = &step.change {
            let of = weights.get_mut(proxy).unwrap();
            match to.first() {
                Some(row) => of.insert(number(address), row.weight),
                None => of.remove(&number(address)),
            };
        }
    }
    let proxies = weights.into_iter().map(|(name, weights)| {
        let servers = sorted(&weights.into_iter().collect::<Vec<_>>());
        Proxy::new(name).answered(&rows(&servers), now())
    });
    world(seen.galera.values().map(|m| Member::clone(m)).collect(), proxies.collect())
}

fn undo_of(plan: &Plan) -> Intent {
    let writes = plan.steps.iter().filter(|s| s.change.is_write());
    Intent::Undo { run: "8f3".into(), changes: writes.map(|s| (s.about.clone(), s.change.clone())).collect() }
}

#[test]
fn a_reader_is_taken_out_of_every_proxy_and_put_back() {
    let seen = healthy();
    let p = asked(&seen, take_out("db3"));
    assert_eq!(refused(&p), [""; 0], "{p}");
    let expected = [
        "take db3 out of proxy1",
        "take db3 out of proxy2",
        "wait until db3 stays out of proxy1",
        "wait until db3 stays out of proxy2",
    ];
    assert_eq!(words(&p), expected);
    assert_eq!(part(&p).now[0], "proxy1  db1 writer (100), db2 next writer (50), db3 standby writer (10)");
    assert_eq!(part(&p).after[0], "proxy1  db1 writer (100), db2 next writer (50)");
    let sql = part(&p).sql.join("\n");
    assert!(sql.starts_with("-- at proxy1, then at proxy2\nSAVE MYSQL SERVERS FROM RUNTIME;\n"), "{sql}");
    assert!(sql.contains("runtime_mysql_servers WHERE hostgroup_id = 10 AND status = 'SHUNNED'"), "{sql}");
    // What a run wrote down keeps no surplus writer's row: put back as it is, it would be a second writer.
    let Change::Servers(Servers { from, .. }) = &p.steps[0].change else { panic!() };
    assert_eq!(from.iter().map(|r| r.hostgroup).collect::<Vec<_>>(), [20, 30]);

    let out = settled(&seen, &p);
    assert!(verify(part(&p), &out).0 && !verify(part(&p), &seen).0);
    let back = plan(&out, &undo_of(&p));
    assert_eq!(refused(&back), [""; 0], "{back}");
    assert_eq!(words(&back)[0], "put db3 into proxy1 with weight 10");
    let again = settled(&out, &back);
    assert_eq!(part(&asked(&again, take_out("db3"))).now, part(&p).now);
}

#[test]
fn who_comes_back_as_the_disk_has_it_drifts_no_more() {
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                   max_replication_lag use_ssl max_latency_ms comment";
    let p = asked(&healthy(), take_out("db1"));
    let proxies = (1..=2).map(|n| {
        let saved = ProxyRows {
            disk: Some(table(columns, &sorted(&all()))),
            drift: Some(vec![(
                "mysql_servers".into(),
                Layers::RuntimeDisk,
                table("what", &["db1:3306".to_owned()]),
            )]),
            ..rows(&sorted(&all()[1..]))
        };
        Proxy::new(format!("proxy{n}").as_str().into()).answered(&saved, now())
    });
    let out = world(three(), proxies.collect());
    let back = plan(&out, &undo_of(&p));
    let told: Vec<_> =
        back.all_checks().filter(|c| c.rule == "drift").map(|c| (c.verdict, &*c.text)).collect();
    assert_eq!(told, [(Verdict::Ok, "proxy1, proxy2: afterwards it runs what is on its disk")], "{back}");
    // Another weight than the saved one is lost with a restart.
    let other = plan(
        &out,
        &Intent::Database { act: DatabaseAct::BringBack { member: "db1".into(), like: Some("db3".into()) } },
    );
    assert!(other.all_checks().any(|c| c.rule == "drift" && c.verdict == Verdict::Warn), "{other}");
    assert!(other.all_checks().any(|c| c.text.contains("restarts; `save` keeps it")), "{other}");
}

#[test]
fn the_writer_goes_only_after_another_writes() {
    let p = asked(&healthy(), take_out("db1"));
    assert_eq!(refused(&p), [""; 0], "{p}");
    let w = words(&p);
    assert_eq!(w[0], "weight of db1 in proxy1 100 → 1");
    assert_eq!(w[2], "wait until proxy1 keeps db1 in service and writes elsewhere");
    assert_eq!(w[4], "take db1 out of proxy1");
    assert_eq!(part(&p).after[0], "proxy1  db2 writer (50), db3 next writer (10)");
}

#[test]
fn the_writer_moves_and_moves_back() {
    let seen = healthy();
    let p = asked(&seen, DatabaseAct::MoveWriter { member: "db2".into() });
    assert_eq!(refused(&p), [""; 0], "{p}");
    assert_eq!(words(&p)[0], "weight of db2 in proxy1 50 → 101");
    assert_eq!(words(&p)[2], "wait until proxy1 writes to db2");
    let moved = settled(&seen, &p);
    assert!(verify(part(&p), &moved).0);
    let back = settled(&moved, &plan(&moved, &undo_of(&p)));
    assert_eq!(part(&asked(&back, take_out("db3"))).now, part(&p).now);
    let same = asked(&seen, DatabaseAct::MoveWriter { member: "db1".into() });
    assert!(same.steps.is_empty() && same.refusals().count() == 0, "{same}");
    assert_eq!(part(&same).checks[0].rule, "nothing");
}

#[test]
fn another_writer_wants_its_name_typed_and_nothing_else_does() {
    use crate::plan::Confirmation::{Type, Yes};
    let seen = healthy();
    let wants = |act| asked(&seen, act).confirmation();
    assert_eq!(wants(take_out("db1")), Type("db1".into()));
    assert_eq!(wants(DatabaseAct::RemoveServer { address: "db1:3306".into() }), Type("db1".into()));
    assert_eq!(wants(DatabaseAct::MoveWriter { member: "db2:3306".into() }), Type("db2".into()));
    assert_eq!(wants(DatabaseAct::Weight { member: "db3".into(), weight: 500 }), Type("db3".into()));
    assert_eq!(wants(DatabaseAct::Weight { member: "db3".into(), weight: 60 }), Yes);
    assert_eq!(wants(take_out("db3")), Yes);
    let moves = asked(&seen, DatabaseAct::MoveWriter { member: "db2".into() });
    assert!(moves.clone().approve(None, None).is_err() && moves.clone().approve(Some("y"), None).is_err());
    assert!(moves.clone().approve(Some("db2"), None).is_ok());
    let moved = settled(&seen, &moves);
    assert_eq!(plan(&moved, &undo_of(&moves)).confirmation(), Type("db2".into()));
}

#[test]
fn what_must_not_be_done_is_refused_by_its_rule() {
    let p = |members, servers: &[(usize, u64)]| world(members, vec![proxy(1, &sorted(servers))]);
    let donor = [("wsrep_local_state", "2"), ("wsrep_desync_count", "1")];
    let two_out = p(three(), &[(1, 100), (2, 50)]);
    let cases: Vec<(&str, Snapshot, DatabaseAct)> = vec![
        ("member", healthy(), take_out("db9")),
        ("quorum", two_out, take_out("db2")),
        ("last-writer", p(three(), &[(1, 100)]), take_out("db1")),
        (
            "transfer",
            p(vec![member(1, 3, &[]), member(2, 3, &[]), member(3, 3, &donor)], &all()),
            take_out("db2"),
        ),
        ("desync", healthy(), DatabaseAct::Desync { member: "db1".into() }),
        ("range", healthy(), DatabaseAct::Weight { member: "db2".into(), weight: 0 }),
        ("member", healthy(), DatabaseAct::AddServer { address: "db4".into(), like: None }),
        ("member", Snapshot::new(Tenancy::default()), take_out("db1")),
    ];
    for (rule, seen, act) in cases {
        let plan = asked(&seen, act);
        assert!(refused(&plan).contains(&rule), "{rule}: {plan}");
    }
    // Old data, no proxy that answers, and a user that may only read statistics.
    let mut old = healthy();
    old.at = later(60);
    assert!(refused(&asked(&old, take_out("db3"))).contains(&"freshness"));
    let silent = proxy(2, &sorted(&all())).failed(Trouble::Refused, "refused", now());
    assert!(refused(&asked(&world(three(), vec![silent]), take_out("db3"))).contains(&"freshness"));
    let bare = Proxy::new("proxy1".into()).answered(&ProxyRows { servers: None, ..rows(&[]) }, now());
    assert!(refused(&asked(&world(three(), vec![bare]), take_out("db3"))).contains(&"admin"));
}

#[test]
fn a_member_is_desynced_and_resynced() {
    let p = asked(&healthy(), DatabaseAct::Desync { member: "db3".into() });
    assert_eq!(refused(&p), [""; 0], "{p}");
    // What the proxies do with it is the monitor's work: the run waits for it.
    let waits = ["proxy1", "proxy2"].map(|p| format!("wait until {p} has taken db3 out of service"));
    assert_eq!(words(&p)[..2], ["desync db3", "wait until db3 is desynced"]);
    assert_eq!(words(&p)[2..], waits);
    let said = [("wsrep_desync", "ON"), ("wsrep_local_state", "2"), ("wsrep_desync_count", "1")];
    let members = || vec![member(1, 3, &[]), member(2, 3, &[]), member(3, 3, &said)];
    let early = world(members(), vec![proxy(1, &sorted(&all())), proxy(2, &sorted(&all()))]);
    let stands = |seen: &Snapshot| p.steps.iter().map(|s| s.change.stands(seen)).collect::<Vec<_>>();
    let still = Standing::AtFrom("it is in service still".into());
    assert_eq!(stands(&early), [Standing::AtTo, Standing::AtTo, still.clone(), still]);
    let seen = world(members(), vec![proxy(1, &desynced(3)), proxy(2, &desynced(3))]);
    assert_eq!(stands(&seen), [(); 4].map(|()| Standing::AtTo));
    let back = plan(&seen, &undo_of(&p));
    assert_eq!(refused(&back), [""; 0], "{back}");
    assert_eq!(words(&back)[..2], ["resync db3", "wait until db3 is synced"]);
    assert_eq!(words(&back)[2..], ["proxy1", "proxy2"].map(|p| format!("wait until {p} serves from db3")));
    let part = back.database.unwrap();
    assert!(!part.moves_writer && part.after[0].contains("db3 standby writer"), "{:?}", part.after);
    // The heaviest takes the writes back as soon as it is in sync: that is told, and wants its name typed.
    let members = vec![member(1, 3, &said), member(2, 3, &[]), member(3, 3, &[])];
    let seen = world(members, vec![proxy(1, &desynced(1))]);
    let part = asked(&seen, DatabaseAct::Resync { member: "db1".into() }).database.unwrap();
    assert!(part.moves_writer && part.after[0].contains("db1 writer"), "{:?}", part.after);
}

/// The rows of a proxy after a member was desynced.
fn desynced(n: usize) -> Vec<String> {
    let rest: Vec<_> = all().into_iter().filter(|(m, _)| *m != n).collect();
    let mut rows = sorted(&rest);
    let weight = all().iter().find(|(m, _)| *m == n).unwrap().1;
    rows.push(format!("9999 db{n} 3306 0 ONLINE {weight} 0 100 0 0 0 db{n}"));
    rows
}

#[test]
fn drift_is_saved_once_and_pending_edits_are_named() {
    let what = table("what", &["db3:3306".to_owned()]);
    let drift = vec![
        ("mysql_servers".into(), Layers::RuntimeDisk, what.clone()),
        ("mysql_servers".into(), Layers::MemoryRuntime, what),
    ];
    let drifted = Proxy::new("proxy1".into())
        .answered(&ProxyRows { drift: Some(drift), ..rows(&sorted(&all())) }, now());
    let seen = world(three(), vec![drifted, proxy(2, &sorted(&all()))]);
    let p = asked(&seen, DatabaseAct::Save { proxy: None });
    assert_eq!((refused(&p), words(&p)), (vec![], vec!["save the servers of proxy1 to its disk".to_owned()]));
    assert!(p.all_checks().any(|c| c.rule == "drift" && c.text.contains("db3:3306 edited in memory")), "{p}");
    // That the disk differs is what a save mends, not what stands against it.
    assert!(p.all_checks().all(|c| !c.text.contains("its disk has others")), "{p}");
    let back = plan(&seen, &undo_of(&p));
    assert_eq!(refused(&back), ["undo"]);
    assert_eq!(back.database.unwrap().words_of_undo(), "a save cannot be taken back");
}

#[test]
fn a_change_holds_only_after_two_checks_of_the_monitor() {
    let p = asked(&healthy(), take_out("db3"));
    let wait = &p.steps[2].change;
    let before = proxy(1, &sorted(&all()));
    let out = rows(&sorted(&all()[..2]));
    let at = |proxy: Proxy| world(three(), vec![proxy]);
    let seen = |seconds: i64| at(before.answered(&out, later(1)).answered(&out, later(seconds)));
    let stands = |seconds| wait.stands(&seen(seconds));
    assert!(matches!(wait.stands(&at(before.clone())), Standing::AtFrom(_)));
    assert!(matches!(stands(4), Standing::AtFrom(_)), "{:?}", stands(4));
    assert_eq!(stands(5), Standing::AtTo);
    // Put back by the monitor in between, the evidence begins again.
    let back =
        before.answered(&out, later(1)).answered(&rows(&sorted(&all())), later(3)).answered(&out, later(5));
    assert!(matches!(wait.stands(&at(back.answered(&out, later(7)))), Standing::AtFrom(_)));
    assert_eq!(wait.stands(&at(back.answered(&out, later(9)))), Standing::AtTo);
    // A proxy that fell silent tells nothing.
    let silent =
        seen(5).proxies.values().next().map(|p| p.failed(Trouble::Refused, "gone", later(9))).unwrap();
    assert!(matches!(silent.link, Freshness::Stale { .. }));
    assert!(wait.unseen(&at(silent)).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in the proxies and asked for: what may be run leaves a writer and a quorum, and is undone to where
    /// it began; the undo of the undo is what was there after the first.
    #[test]
    fn no_plan_takes_the_last_writer_and_undo_leads_back(
        present in proptest::collection::btree_map(1usize..=3, 2u64..200, 1..=3),
        who in 1usize..=3,
        weight in 1u64..300,
        kind in 0..4,
    ) {
        let servers = sorted(&present.into_iter().collect::<Vec<_>>());
        let seen = world(three(), vec![proxy(1, &servers)]);
        let member: MemberName = format!("db{who}").as_str().into();
        let act = match kind {
            0 => DatabaseAct::TakeOut { member },
            1 => DatabaseAct::BringBack { member, like: None },
            2 => DatabaseAct::Weight { member, weight },
            _ => DatabaseAct::MoveWriter { member },
        };
        let p = asked(&seen, act);
        if p.refusals().next().is_none() {
            let done = settled(&seen, &p);
            let left = Routing::of(&done).unwrap();
            prop_assert!(left.proxied.iter().all(|f| f.backends.iter().any(|s| s.role == BackendRole::Writer)));
            prop_assert!(p.steps.is_empty() || verify(part(&p), &done).0, "{} but {:?}", p, verify(part(&p), &done));
            let back = plan(&done, &undo_of(&p));
            if !p.steps.is_empty() && back.refusals().next().is_none() {
                let start = settled(&done, &back);
                let lines = |s: &Snapshot| part(&asked(s, DatabaseAct::Save { proxy: None })).now.clone();
                prop_assert_eq!(lines(&start), lines(&seen));
                let again = settled(&start, &plan(&start, &undo_of(&back)));
                prop_assert_eq!(lines(&again), lines(&done));
            }
        }
    }
}

#[test]
fn a_plan_in_words_tells_seats_checks_statements_and_the_way_back() {
    let text = asked(&healthy(), take_out("db3")).to_string();
    for line in [
        "Take db3 out of the proxies",
        "  now    proxy1  db1 writer (100), db2 next writer (50), db3 standby writer (10)",
        "  after  proxy1  db1 writer (100), db2 next writer (50)",
        "weights in service 3 → 2 of 3 in the component, more than half is 2",
        "LOAD MYSQL SERVERS TO RUNTIME;",
        "  undo: db3 back into the proxies with weight 10",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
