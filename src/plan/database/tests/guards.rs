//! Each guard by its rule: what it refuses, what it warns of, and that it is silent otherwise.

use super::*;
use crate::cluster::Database;

fn found<'a>(plan: &'a Plan, rule: &str) -> Vec<(Verdict, &'a str)> {
    plan.all_checks().filter(|c| c.rule == rule).map(|c| (c.verdict, c.text.as_str())).collect()
}

fn one<'a>(plan: &'a Plan, rule: &str) -> (Verdict, &'a str) {
    let all = found(plan, rule);
    assert_eq!(all.len(), 1, "{rule}: {plan}");
    all[0]
}

fn proxy_of(n: usize, rows: &ProxyRows) -> Proxy {
    Proxy::new(format!("proxy{n}").as_str().into()).answered(rows, now())
}

fn groups(text: &str) -> Table {
    let names = "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers \
                 writer_is_also_reader max_transactions_behind";
    table(names, &[text.to_owned()])
}

#[test]
fn proxies_that_synchronise_each_other_are_told() {
    let in_cluster = |sum: &str| ProxyRows {
        checksums: Some(table("name checksum", &[format!("proxysql_servers {sum}")])),
        ..rows(&sorted(&all()))
    };
    let two = |sum: &str| world(three(), vec![proxy_of(1, &in_cluster(sum)), proxy_of(2, &in_cluster(sum))]);
    let p = asked(&two("0xD1A7"), take_out("db3"));
    let (verdict, text) = one(&p, "cluster-sync");
    assert!(verdict == Verdict::Warn && text.contains("reaches the others in about 3 s"), "{text}");
    assert!(p.refusals().next().is_none(), "{p}");
    assert_eq!(found(&asked(&two("0x0000000000000000"), take_out("db3")), "cluster-sync"), []);
    let alone = world(three(), vec![proxy_of(1, &in_cluster("0xD1A7"))]);
    assert_eq!(found(&asked(&alone, take_out("db3")), "cluster-sync"), []);
}

#[test]
fn those_that_stay_must_have_room_for_the_connections_of_one_that_goes() {
    let busy = |used: u32| {
        let pool = table(
            "hostgroup srv_host srv_port status ConnUsed ConnFree ConnERR Queries Latency_us",
            &[
                format!("30 db3 3306 ONLINE {used} 0 0 0 0"),
                "30 db2 3306 ONLINE 20 0 0 0 0".to_owned(),
                "10 db1 3306 ONLINE 10 0 0 0 0".to_owned(),
            ],
        );
        let p = asked(
            &world(three(), vec![proxy_of(1, &ProxyRows { pool, ..rows(&sorted(&all())) })]),
            take_out("db3"),
        );
        let (verdict, text) = one(&p, "capacity");
        // db2 reads with 80 of 100 free, db1 writes with 90 of 100; db2's row as a surplus writer is no room.
        assert_eq!(text, format!("proxy1: {used} connections in use there, the others have room for 170"));
        verdict
    };
    assert_eq!([busy(100), busy(150), busy(171)], [Verdict::Ok, Verdict::Warn, Verdict::Refuse]);
}

#[test]
fn without_a_monitor_that_moves_members_nothing_is_written() {
    let refused_by = |rows: &ProxyRows, word: &str| {
        let p = asked(&world(three(), vec![proxy_of(1, rows)]), take_out("db3"));
        let said = found(&p, "monitor").into_iter().any(|(v, t)| v == Verdict::Refuse && t.contains(word));
        assert!(said, "{word}: {p}");
    };
    let off = ProxyRows { hostgroups: Some(groups("10 20 30 9999 0 1 2 100")), ..rows(&sorted(&all())) };
    refused_by(&off, "switched off (active=0)");
    let none = ProxyRows { hostgroups: Some(groups("")), ..rows(&sorted(&all())) };
    refused_by(&none, "no Galera hostgroups");
    let mut two = sorted(&all());
    two[1] = two[1].replace("SHUNNED", "ONLINE");
    refused_by(&rows(&two), "writes to 2 members, 1 may");
    let fragile: Vec<_> =
        sorted(&all()).into_iter().filter(|r| !r.contains("db2") || r.starts_with("10 ")).collect();
    refused_by(&rows(&fragile), "db2 has no row but a SHUNNED one");
    // A monitor that cannot log in somewhere may still do its work elsewhere.
    let said = ["db2", "3306", "1", "Access denied for user 'monitor'"].map(|cell| Some(cell.to_owned()));
    let columns = ["hostname", "port", "time_start_us", "connect_error"].map(str::to_owned);
    let denied = Table::new(columns.to_vec(), vec![said.to_vec()]);
    let denied = ProxyRows { connects: Some(denied), ..rows(&sorted(&all())) };
    let p = asked(&world(three(), vec![proxy_of(1, &denied)]), take_out("db3"));
    let (verdict, text) = one(&p, "monitor");
    assert!(verdict == Verdict::Warn && text.contains("cannot log in at db2:3306"), "{text}");
}

#[test]
fn the_last_that_can_write_or_read_stays() {
    let read_only = [("read_only", "ON")];
    let only_one = vec![member(1, 3, &[]), member(2, 3, &read_only), member(3, 3, &read_only)];
    let p = asked(&world(only_one, vec![proxy(1, &sorted(&all()))]), take_out("db1"));
    let none = found(&p, "last-writer")
        .into_iter()
        .any(|(v, t)| v == Verdict::Refuse && t.contains("none would be left"));
    assert!(none, "{p}");
    let warned = asked(&world(three(), vec![proxy(1, &sorted(&[(1, 100), (2, 50)]))]), take_out("db2"));
    let (verdict, text) = one(&warned, "last-writer");
    assert!(verdict == Verdict::Warn && text.contains("only db1 is left"), "{text}");
    let (verdict, text) = one(&warned, "last-reader");
    assert!(verdict == Verdict::Refuse && text.contains("9001"), "{text}");
    assert_eq!(found(&asked(&healthy(), take_out("db3")), "last-reader"), []);
    // Nobody who cannot write is made the writer.
    let seen = world(
        vec![member(1, 3, &[]), member(2, 3, &read_only), member(3, 3, &[])],
        vec![proxy(1, &sorted(&all()))],
    );
    let p = asked(&seen, DatabaseAct::MoveWriter { member: "db2".into() });
    assert!(one(&p, "state").1.contains("read-only"), "{p}");
}

#[test]
fn who_is_behind_is_told_when_clients_are_to_go_there() {
    let with = |queue: &str, weights: &[(usize, u64)]| {
        let lags = member(2, 3, &[("wsrep_local_recv_queue", queue)]);
        world(vec![member(1, 3, &[]), lags, member(3, 3, &[])], vec![proxy(1, &sorted(weights))])
    };
    let to = |name: &str| DatabaseAct::MoveWriter { member: name.into() };
    let text = "db2 has 100 write-sets to apply yet: until it has, its commits wait behind them, and what is read there is old";
    let all = all();
    assert_eq!(one(&asked(&with("100", &all), to("db2")), "behind"), (Verdict::Warn, text));
    // The writer leaves: the next one is behind.
    assert_eq!(one(&asked(&with("100", &all), take_out("db1")), "behind"), (Verdict::Warn, text));
    let back = DatabaseAct::BringBack { member: "db2".into(), like: None };
    let p = asked(&with("100", &[(1, 100), (3, 10)]), back);
    let text = "db2 has 100 write-sets to apply yet: until it has, what is read there is old";
    assert_eq!(one(&p, "behind"), (Verdict::Warn, text));
    for quiet in [asked(&with("99", &all), to("db2")), asked(&with("100", &all), to("db3"))] {
        assert_eq!(found(&quiet, "behind"), [], "{quiet}");
    }
}

#[test]
fn the_weights_in_service_must_stay_more_than_half() {
    let weighed = |n: usize| {
        let options = if n == 1 { "pc.weight = 3;" } else { "pc.weight = 1;" };
        member(n, 3, &[("wsrep_provider_options", options), ("wsrep_cluster_weight", "5")])
    };
    let seen = world((1..=3).map(weighed).collect(), vec![proxy(1, &sorted(&all()))]);
    let (verdict, text) = one_of(&asked(&seen, take_out("db1")));
    assert_eq!(
        (verdict, text.as_str()),
        (Verdict::Refuse, "weights in service 5 → 2 of 5 in the component, more than half is 3")
    );
    let (verdict, text) = one_of(&asked(&seen, take_out("db3")));
    assert_eq!(
        (verdict, text.as_str()),
        (Verdict::Ok, "weights in service 5 → 4 of 5 in the component, more than half is 3")
    );
}

#[test]
fn exactly_half_of_the_weights_is_no_quorum() {
    let weighed = |n: usize| {
        let options = if n == 1 { "pc.weight = 2;" } else { "pc.weight = 1;" };
        member(n, 3, &[("wsrep_provider_options", options), ("wsrep_cluster_weight", "4")])
    };
    let seen = world((1..=3).map(weighed).collect(), vec![proxy(1, &sorted(&all()))]);
    let expected = "weights in service 4 → 2 of 4 in the component, more than half is 3";
    assert_eq!(one_of(&asked(&seen, take_out("db1"))), (Verdict::Refuse, expected.to_owned()));
    assert_eq!(one_of(&asked(&seen, take_out("db3"))).0, Verdict::Ok);
}

#[test]
fn what_somebody_has_changed_since_is_not_taken_back() {
    let seen = healthy();
    let p = asked(&seen, DatabaseAct::Weight { member: "db3".into(), weight: 20 });
    let left = |weight: u64| {
        let servers = sorted(&[(1, 100), (2, 50), (3, weight)]);
        world(three(), vec![proxy(1, &servers), proxy(2, &servers)])
    };
    assert_eq!(refused(&plan(&left(20), &undo_of(&p))), [""; 0]);
    let back = plan(&left(77), &undo_of(&p));
    assert_eq!(refused(&back), ["undo"; 2], "{back}");
    assert!(
        found(&back, "undo")[0].1.ends_with("which run 8f3 did not leave: somebody has changed it since"),
        "{back}"
    );
    assert!(back.steps.is_empty(), "{back}");
}

fn one_of(plan: &Plan) -> (Verdict, String) {
    let (verdict, text) = one(plan, "quorum");
    (verdict, text.to_owned())
}

#[test]
fn nothing_is_written_while_a_member_gives_or_takes_a_state() {
    for (state, comment, word) in [
        ("2", "Donor/Desynced", "db3"),
        ("1", "Joining: receiving State Transfer", "db3"),
        ("3", "Joined", "db3"),
    ] {
        let busy = [
            ("wsrep_local_state", state),
            ("wsrep_local_state_comment", comment),
            ("wsrep_desync_count", "1"),
        ];
        let seen = world(
            vec![member(1, 3, &[]), member(2, 3, &[]), member(3, 3, &busy)],
            vec![proxy(1, &sorted(&all()))],
        );
        for act in [take_out("db2"), DatabaseAct::Weight { member: "db2".into(), weight: 60 }] {
            let p = asked(&seen, act);
            let (verdict, text) = one(&p, "transfer");
            assert!(verdict == Verdict::Refuse && text.starts_with(word), "{state}: {p}");
        }
    }
    assert_eq!(one(&asked(&healthy(), take_out("db3")), "transfer").0, Verdict::Ok);
}

#[test]
fn a_member_is_desynced_only_beside_others_in_step_and_resynced_only_when_a_hand_alone_holds_it() {
    let by_hand = [("wsrep_desync", "ON"), ("wsrep_local_state", "2"), ("wsrep_desync_count", "1")];
    let of = |members, act| asked(&world(members, vec![proxy(1, &sorted(&all()))]), act);
    let said = |plan: &Plan, verdict: Verdict, words: &str| {
        let all = found(plan, "desync");
        assert!(all.iter().any(|(v, t)| *v == verdict && t.contains(words)), "{words}: {plan}");
    };
    let desync = |n: &str| DatabaseAct::Desync { member: n.into() };
    said(
        &of(three(), desync("db1")),
        Verdict::Refuse,
        "db1 takes the writes of proxy1: move the writer first",
    );
    said(&of(three(), desync("db3")), Verdict::Ok, "2 other members are synced");
    let alone = vec![member(1, 3, &by_hand), member(2, 3, &by_hand), member(3, 3, &[])];
    said(&of(alone, desync("db3")), Verdict::Refuse, "db3 is the last synced member");

    let resync = |more: (&str, &str)| {
        let mut third = vec![("wsrep_local_state_comment", "Donor/Desynced"), more];
        third.extend(by_hand.iter().filter(|(name, _)| *name != more.0));
        let members = vec![member(1, 3, &[]), member(2, 3, &[]), member(3, 3, &third)];
        of(members, DatabaseAct::Resync { member: "db3".into() })
    };
    said(&resync(("wsrep_local_recv_queue", "100")), Verdict::Ok, "db3 is not donating: 100 write-sets wait");
    said(&resync(("wsrep_local_recv_queue", "101")), Verdict::Warn, "flow control may pause the cluster");
    said(
        &resync(("wsrep_desync_count", "2")),
        Verdict::Refuse,
        "for 2 reasons: it is desynced by more than a hand",
    );
}

#[test]
fn without_a_writer_no_servers_are_written() {
    let shunned: Vec<_> = sorted(&all())
        .iter()
        .map(|row| row.replace("10 db1 3306 0 ONLINE", "10 db1 3306 0 SHUNNED"))
        .collect();
    let p = asked(&world(three(), vec![proxy(1, &shunned)]), take_out("db3"));
    let said = |(v, t): &(Verdict, &str)| *v == Verdict::Refuse && t.contains("proxy1 has no writer now");
    assert!(found(&p, "last-writer").iter().any(said), "{p}");
}

#[test]
fn what_was_not_tested_is_said() {
    let new = |address: &str| DatabaseAct::AddServer { address: address.into(), like: None };
    let p = asked(&healthy(), new("db9:3306"));
    let (verdict, text) = one(&p, "tested");
    assert!(verdict == Verdict::Warn && text.contains("the offline hostgroup was not tested"), "{text}");
    let without = world(three(), vec![proxy(1, &sorted(&all()[..2]))]);
    let (verdict, text) =
        one_tested(&asked(&without, DatabaseAct::BringBack { member: "db3".into(), like: None }));
    assert!(verdict == Verdict::Ok && text.contains("as tested on a real ProxySQL"), "{text}");
    let (verdict, text) = one_tested(&asked(&healthy(), take_out("db1")));
    assert!(verdict == Verdict::Warn && text.contains("here the writer gets a lower one"), "{text}");
    assert_eq!(found(&asked(&healthy(), take_out("db3")), "tested"), []);
    let other = ProxyRows {
        version: Some("3.0.2-3".into()),
        hostgroups: Some(groups("10 20 30 9999 1 1 1 100")),
        ..rows(&sorted(&all()))
    };
    let (_, text) = one_tested(&asked(&world(three(), vec![proxy_of(1, &other)]), take_out("db3")));
    assert!(text.contains("not tested with ProxySQL 3.0.2-3, writer_is_also_reader 1"), "{text}");
}

fn one_tested(plan: &Plan) -> (Verdict, String) {
    let (verdict, text) = one(plan, "tested");
    (verdict, text.to_owned())
}

#[test]
fn who_is_cut_is_named_and_counted_once() {
    let sessions = table(
        "hostgroup srv_host srv_port command holder schema sessions longest_ms",
        &[
            "10 db1 3306 Query app acme 2 5".to_owned(),
            "10 db1 3306 Sleep app acme 1 5".to_owned(),
            "10 db1 3306 Query app globex 1 5".to_owned(),
            "10 - - Connect - - 4 5".to_owned(),
        ],
    );
    let seen = world(three(), vec![proxy_of(1, &ProxyRows { sessions, ..rows(&sorted(&all())) })]);
    // Where only the writer moves they stay where they are.
    let mover = DatabaseAct::MoveWriter { member: "db2".into() };
    for (act, cut_off) in [(take_out("db1"), 4), (mover, 0)] {
        let p = asked(&seen, act);
        let [cut] = part(&p).cut.as_slice() else { panic!("{p}") };
        assert_eq!((cut.clients, cut.seconds), (Some(cut_off), Some(2)), "{p}");
        assert!(
            cut.text.starts_with(
                "4 sessions hold a connection on db1 in proxy1 (app in acme 3, app in globex 1)"
            ),
            "{p}"
        );
        let told =
            if cut_off > 0 { "at most 4 sessions are cut" } else { "no client is cut; writes may wait" };
        assert!(one(&p, "clients").1.starts_with(told), "{p}");
    }
    assert_eq!(part(&asked(&seen, take_out("db3"))).cut, []);
}

#[test]
fn a_run_that_was_cut_off_amid_its_edit_leaves_nothing_in_memory() {
    let seen = healthy();
    let p = asked(&seen, take_out("db3"));
    let back = plan(&seen, &undo_of(&p));
    let expected =
        ["take the memory of proxy1 from its runtime", "take the memory of proxy2 from its runtime"];
    assert_eq!((refused(&back), words(&back)), (vec![], expected.map(str::to_owned).to_vec()));
    assert_eq!(part(&back).cut, []);
    // Cut off between the proxies: one is taken back, of the other only its memory.
    let half = world(three(), vec![proxy(1, &sorted(&all()[..2])), proxy(2, &sorted(&all()))]);
    let back = plan(&half, &undo_of(&p));
    assert_eq!(refused(&back), [""; 0], "{back}");
    assert_eq!(words(&back)[..2], [expected[1].to_owned(), "put db3 into proxy1 with weight 10".to_owned()]);
}

/// The sessions of a proxy: hostgroup, member, how many.
fn sessions(held: &[(u32, usize, u32)]) -> Table {
    let rows: Vec<_> = held
        .iter()
        .map(|(group, n, count)| format!("{group} db{n} 3306 Query app tenant_acme {count} 3"))
        .collect();
    table("hostgroup srv_host srv_port command holder schema sessions longest_ms", &rows)
}

fn holding(held: &[(u32, usize, u32)]) -> Snapshot {
    let rows = ProxyRows { sessions: sessions(held), ..rows(&sorted(&all())) };
    world(three(), vec![proxy_of(1, &rows)])
}

#[test]
fn everybody_whose_row_goes_is_counted_whatever_the_act_is_about() {
    let cut = |p: &Plan| part(p).cut.iter().filter_map(|c| c.clients).sum::<u32>();
    let told = |p: &Plan| part(p).cut.iter().map(|c| c.text.clone()).collect::<Vec<_>>().join("\n");
    // Sessions of the writer that was: their row goes with every LOAD.
    let left = holding(&[(10, 2, 4), (10, 1, 2)]);
    let p = asked(&left, DatabaseAct::Weight { member: "db3".into(), weight: 11 });
    assert_eq!(cut(&p), 4, "{p}");
    assert!(told(&p).contains("4 sessions hold a connection on db2 in proxy1 (app in tenant_acme 4)"), "{p}");
    assert!(one(&p, "clients").1.starts_with("at most 4 sessions are cut"), "{p}");
    // Without them nobody is.
    let calm = holding(&[(10, 1, 2), (30, 2, 1)]);
    let p = asked(&calm, DatabaseAct::Weight { member: "db3".into(), weight: 11 });
    assert_eq!((cut(&p), one(&p, "clients").1), (0, "no client is cut"), "{p}");
    // The readers of the next writer go; who writes stays, and is told so.
    let p = asked(
        &holding(&[(10, 1, 4), (30, 2, 3), (30, 3, 5)]),
        DatabaseAct::MoveWriter { member: "db2".into() },
    );
    assert_eq!(cut(&p), 3, "{p}");
    assert!(told(&p).contains("go on writing to db1 until they end"), "{p}");
    assert!(one(&p, "clients").1.contains("writes may wait up to 2 s"), "{p}");
    assert!(one(&p, "conflicts").1.contains("error 1213 (deadlock)"), "{p}");
    // The writer leaves: its sessions, the readers of the next one, and for a check those of the others.
    let p = asked(&holding(&[(10, 1, 4), (30, 2, 3), (30, 3, 5)]), take_out("db1"));
    assert_eq!(cut(&p), 12, "{p}");
    assert!(told(&p).contains("may leave the readers for one check (2 s)"), "{p}");
    assert_eq!(found(&asked(&calm, take_out("db3")), "conflicts"), [], "nobody else writes");
}

#[test]
fn sessions_that_write_to_the_old_writer_are_told_when_it_is_done() {
    let seen = holding(&[(30, 2, 1)]);
    let p = asked(&seen, DatabaseAct::MoveWriter { member: "db2".into() });
    let weights = [(1, 100), (2, 101), (3, 10)];
    let held = ProxyRows { sessions: sessions(&[(10, 1, 4), (10, 2, 1)]), ..rows(&sorted(&weights)) };
    let (as_planned, text) = verify(part(&p), &world(three(), vec![proxy_of(1, &held)]));
    assert!(
        as_planned && text.ends_with("; 4 sessions of proxy1 still write to db1 until they end"),
        "{text}"
    );
}

fn settings(more: &[&str]) -> Option<Table> {
    let mut all = vec!["mysql-monitor_galera_healthcheck_interval 2000".to_owned()];
    all.extend(more.iter().map(|s| (*s).to_owned()));
    Some(table("variable_name variable_value", &all))
}

#[test]
fn a_monitor_that_is_switched_off_or_checks_no_more_stops_every_act() {
    for value in ["false", "0", "OFF"] {
        let off = format!("mysql-monitor_enabled {value}");
        let rows = ProxyRows { variables: settings(&[&off]), ..rows(&sorted(&all())) };
        let seen = world(three(), vec![proxy_of(1, &rows)]);
        for act in [take_out("db3"), DatabaseAct::MoveWriter { member: "db2".into() }] {
            let p = asked(&seen, act);
            assert!(one(&p, "monitor").1.contains("mysql-monitor_enabled=false"), "{p}");
            assert_eq!(one(&p, "monitor").0, Verdict::Refuse);
        }
        // It would not go on by itself, and it is told at once.
        let told = crate::cluster::findings(&seen);
        assert!(
            told.iter().any(|f| f.rule == "monitor-failing" && f.text.contains("switched off")),
            "{told:?}"
        );
    }
    // By the proxy's own clock, in the first reading.
    let stale = |age: i64| {
        let check = format!("db1 3306 {} {}", now().as_microsecond(), now().as_second() + age);
        let rows =
            ProxyRows { checks: table("hostname port time_start_us now", &[check]), ..rows(&sorted(&all())) };
        world(three(), vec![proxy_of(1, &rows)])
    };
    assert!(one(&asked(&stale(20), take_out("db3")), "monitor").1.contains("20 s ago"));
    assert!(crate::cluster::findings(&stale(20)).iter().any(|f| f.rule == "monitor-failing"));
    assert_eq!(found(&asked(&stale(3), take_out("db3")), "monitor"), []);
    // It is read seldom: what the monitor did since the last reading is not known, and no finding.
    let mut seldom = stale(1);
    seldom.at = later(64);
    assert!(!crate::cluster::findings(&seldom).iter().any(|f| f.rule == "monitor-failing"));
    // The clock of the API server is a minute ahead of ours, which dates what the proxy says.
    let mut ahead = stale(1);
    let api = crate::cluster::Api { skew_millis: 60_000, ..ahead.api.clone() };
    ahead.observe(Observation::Api(Box::new(api)));
    assert_eq!(ahead.at, later(61));
    assert!(!crate::cluster::findings(&ahead).iter().any(|f| f.rule == "monitor-failing"));
}

#[test]
fn a_proxy_that_is_gone_is_acted_around_and_what_it_comes_back_with_is_told() {
    use crate::plan::Confirmation::{Type, Yes};
    let disk = sorted(&[(1, 100), (2, 50)]);
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                   max_replication_lag use_ssl max_latency_ms comment";
    let known = ProxyRows { disk: Some(table(columns, &disk)), ..rows(&sorted(&all())) };
    let lost = |trouble| proxy_of(2, &known).failed(trouble, "proxy2: refuses connections", now());
    let seen = |trouble| world(three(), vec![proxy(1, &sorted(&all())), lost(trouble)]);
    let p = asked(&seen(Trouble::Refused), take_out("db3"));
    assert_eq!(refused(&p), [""; 0], "{p}");
    let (verdict, text) = one(&p, "without");
    assert!(verdict == Verdict::Warn && text.contains("nothing is done there"), "{text}");
    assert!(text.contains("on its disk: db1:3306 in hostgroup 10 with weight 100, db2:3306"), "{text}");
    assert_eq!(p.confirmation(), Type("db3".into()));
    assert_eq!(words(&p), ["take db3 out of proxy1", "wait until db3 stays out of proxy1"]);
    assert_eq!(asked(&healthy(), take_out("db3")).confirmation(), Yes);
    // It may serve on: then the writer does not move past it.
    let mover = || DatabaseAct::MoveWriter { member: "db2".into() };
    assert_eq!(refused(&asked(&seen(Trouble::Unreachable), take_out("db3"))), [""; 0]);
    assert_eq!(refused(&asked(&seen(Trouble::Unreachable), mover())), ["without"]);
    assert_eq!(refused(&asked(&seen(Trouble::Refused), mover())), [""; 0]);
    // A run that was done at both is taken back at the one that answers.
    let done = settled(&healthy(), &asked(&healthy(), take_out("db3")));
    let out = done.proxies.values().next().unwrap();
    let half = world(three(), vec![Proxy::clone(out), lost(Trouble::Refused)]);
    let back = plan(&half, &undo_of(&asked(&healthy(), take_out("db3"))));
    assert_eq!(refused(&back), [""; 0], "{back}");
    assert_eq!(words(&back)[0], "put db3 into proxy1 with weight 10");
    assert_eq!(back.confirmation(), Type("db3".into()));
    // And it is as planned when the other comes back with what it had.
    let both = world(three(), vec![proxy(1, &sorted(&[(1, 100), (2, 50)])), proxy(2, &sorted(&all()))]);
    assert!(verify(part(&p), &both).0, "{:?}", verify(part(&p), &both));
}

#[test]
fn why_an_endpoint_does_not_answer_is_told_by_every_act() {
    // One wrong password is one refusal.
    let why = "wrong password for user wh";
    let refused_at =
        |n: usize| Member::new(format!("db{n}:3306").as_str().into()).failed(Trouble::Denied, why, now());
    let members = vec![refused_at(1), refused_at(2), member(3, 3, &[])];
    let p = asked(&world(members, vec![proxy(1, &sorted(&all()))]), take_out("db3"));
    let (_, text) = one(&p, "freshness");
    assert!(text.starts_with("db1:3306 and db2:3306 do not answer (wrong password for user wh), and"), "{p}");
    let denied = Member::new("db2:3306".into()).failed(Trouble::Denied, "wrong password for user wh", now());
    let seen = world(vec![member(1, 3, &[]), denied, member(3, 3, &[])], vec![proxy(1, &sorted(&all()))]);
    let p = asked(&seen, take_out("db3"));
    assert!(one(&p, "freshness").1.contains("does not answer (wrong password for user wh)"), "{p}");
    let proxy = Proxy::new("proxy1".into()).failed(Trouble::Denied, "wrong password for user radmin", now());
    let p = asked(&world(three(), vec![proxy]), take_out("db3"));
    assert!(one(&p, "freshness").1.contains("wrong password for user radmin"), "{p}");
    let unasked = Proxy::new("proxy1".into());
    let p = asked(&world(three(), vec![unasked]), take_out("db3"));
    assert!(one(&p, "freshness").1.contains("has not answered yet"), "{p}");
}

#[test]
fn without_the_right_to_see_weights_none_are_told_and_nobody_is_predicted() {
    let pool = table(
        "hostgroup srv_host srv_port status ConnUsed ConnFree ConnERR Queries Latency_us",
        &["10 db1", "20 db2", "30 db2", "20 db3", "30 db3"].map(|row| format!("{row} 3306 ONLINE 0 0 0 0 0")),
    );
    let bare = ProxyRows { servers: None, hostgroups: None, pool, ..rows(&[]) };
    let mut seen = world(three(), vec![proxy_of(1, &bare)]);
    let group = rows(&[]).hostgroups.unwrap();
    let known = Proxy::new("x".into()).answered(&ProxyRows { hostgroups: Some(group), ..rows(&[]) }, now());
    let hostgroups = known.status.unwrap().hostgroups.clone();
    seen.database = Arc::new(crate::cluster::database::Expectations { hostgroups, ..Default::default() });
    let line = backends(&seen).remove(0);
    assert!(line.contains("db1 writer (weight not known)") && !line.contains("next writer"), "{line}");
    let p = asked(&seen, DatabaseAct::Desync { member: "db2".into() });
    assert!(part(&p).after[0].contains("db1 writer (weight not known)"), "{p}");
}

/// The proxy with other hostgroups.
fn with_groups(servers: &[String], text: &str) -> Snapshot {
    let rows = ProxyRows { hostgroups: Some(groups(text)), ..rows(servers) };
    world(three(), vec![proxy_of(1, &rows)])
}

#[test]
fn with_two_writers_the_one_that_stops_writing_is_named_and_the_wait_ends() {
    let two = |first: usize, second: usize, third: usize, weights: [u64; 3]| {
        let row = |group: u32, n: usize, status: &str| {
            format!("{group} db{n} 3306 0 {status} {} 0 100 0 0 0 db{n}", weights[n - 1])
        };
        vec![
            row(10, first, "ONLINE"),
            row(10, second, "ONLINE"),
            row(10, third, "SHUNNED"),
            row(20, third, "ONLINE"),
            row(30, third, "ONLINE"),
        ]
    };
    let held = ProxyRows {
        hostgroups: Some(groups("10 20 30 9999 1 2 2 100")),
        sessions: sessions(&[(10, 2, 4), (10, 1, 3)]),
        ..rows(&two(1, 2, 3, [100, 50, 10]))
    };
    let seen = world(three(), vec![proxy_of(1, &held)]);
    let p = asked(&seen, DatabaseAct::MoveWriter { member: "db3".into() });
    assert_eq!(refused(&p), ["last-reader"; 0], "{p}");
    assert!(one(&p, "writer").1.contains("the writer moves from db2 to db3"), "{p}");
    let cut: Vec<_> = part(&p).cut.iter().map(|c| c.text.as_str()).collect();
    assert!(cut.len() == 1 && cut[0].contains("4 sessions hold a connection on db2"), "{cut:?}");
    // Two that write are as many as may.
    let moved = |seconds| {
        let rows = ProxyRows { sessions: sessions(&[]), ..held.clone() };
        let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                       max_replication_lag use_ssl max_latency_ms comment";
        let servers = Some(table(columns, &two(3, 1, 2, [100, 50, 101])));
        let rows = ProxyRows { servers, ..rows };
        let proxy = proxy_of(1, &rows).answered(&rows, later(seconds));
        world(three(), vec![proxy])
    };
    let wait = p.steps.iter().find(|s| matches!(s.change, Change::Holds { .. })).unwrap();
    assert_eq!(wait.change.stands(&moved(9)), Standing::AtTo, "{:?}", wait.change.stands(&moved(9)));
}

#[test]
fn with_readers_by_design_none_nothing_is_wrong_until_somebody_waits() {
    let servers: Vec<_> = sorted(&all()).into_iter().filter(|row| !row.starts_with("30 ")).collect();
    let empty = |seen: &Snapshot| crate::cluster::findings(seen).iter().any(|f| f.rule == "readers-empty");
    assert!(!empty(&with_groups(&servers, "10 20 30 9999 1 1 0 100")));
    assert!(empty(&with_groups(&servers, "10 20 30 9999 1 1 2 100")));
    let p = asked(
        &with_groups(&servers, "10 20 30 9999 1 1 0 100"),
        DatabaseAct::MoveWriter { member: "db2".into() },
    );
    assert_eq!(refused(&p), [""; 0], "{p}");
}

#[test]
fn a_second_cluster_without_a_writer_is_none_of_the_firsts_business() {
    let mut servers = sorted(&all());
    servers.push("11 other1 3306 0 SHUNNED 100 0 100 0 0 0 other1".into());
    servers.push("21 other1 3306 0 ONLINE 100 0 100 0 0 0 other1".into());
    let names = "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers \
                 writer_is_also_reader max_transactions_behind";
    let both = ["10 20 30 9999 1 1 2 100", "11 21 31 9998 1 1 2 100"].map(str::to_owned);
    let rows = ProxyRows { hostgroups: Some(table(names, &both)), ..rows(&servers) };
    let p = asked(&world(three(), vec![proxy_of(1, &rows)]), take_out("db3"));
    assert_eq!(refused(&p), [""; 0], "{p}");
}

#[test]
fn what_a_save_stores_is_told_row_by_row_and_so_is_what_it_forgets() {
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                   max_replication_lag use_ssl max_latency_ms comment";
    let saved = ProxyRows {
        disk: Some(table(
            columns,
            &["10 db1 3306 0 ONLINE 100 0 100 0 0 0 db1", "10 db9 3306 0 ONLINE 5 0 100 0 0 0 db9"]
                .map(str::to_owned),
        )),
        drift: Some(vec![(
            "mysql_servers".into(),
            Layers::RuntimeDisk,
            table("what", &["db9:3306".to_owned()]),
        )]),
        ..rows(&sorted(&[(1, 100), (2, 150), (3, 10)]))
    };
    let p = asked(&world(three(), vec![proxy_of(1, &saved)]), DatabaseAct::Save { proxy: None });
    let told: Vec<_> = found(&p, "disk").into_iter().map(|(_, text)| text).collect();
    assert!(told[0].contains("on its disk now: db1:3306 in hostgroup 10 with weight 100"), "{told:?}");
    // Who writes now is in the writer hostgroup, and nobody else.
    assert!(told[1].contains("db2:3306 in hostgroup 10 with weight 150"), "{told:?}");
    assert!(told[1].contains("db1:3306 in hostgroup 20 and 30 with weight 100"), "{told:?}");
    assert!(told[2].contains("db9:3306 does not run and has its only rows on this disk"), "{told:?}");
    let sql = &part(&p).sql;
    assert_eq!(sql.first().map(String::as_str), Some("-- at proxy1"), "{sql:?}");
    assert!(sql.iter().any(|s| s == "SAVE MYSQL SERVERS FROM RUNTIME;"), "{sql:?}");
    assert_eq!(sql.last().map(String::as_str), Some("SAVE MYSQL SERVERS TO DISK;"), "{sql:?}");
    // Nor is it offered where it would lose something.
    let told = crate::cluster::findings(&world(three(), vec![proxy_of(1, &saved)]));
    let drift = told.iter().find(|f| f.rule == "proxy-drift").expect("it differs");
    assert!(drift.answer != Some(crate::cluster::Answer::Save), "{drift:?}");
    assert!(drift.remedy.as_deref().is_some_and(|r| r.contains("db9:3306")), "{drift:?}");
}

#[test]
fn a_desync_is_refused_where_it_would_wait_behind_a_lock_and_the_holder_is_named() {
    let columns = "ID USER HOST COMMAND TIME STATE INFO STAGE MAX_STAGE PROGRESS";
    let cells = |row: &str| row.split('|').map(|c| (c != "-").then(|| c.to_owned())).collect::<Vec<_>>();
    let threads = Table::new(
        columns.split(' ').map(str::to_owned).collect(),
        vec![cells("2|system user||Sleep|9|Waiting for table metadata lock|-|0|0|0")],
    );
    let holders = Table::new(
        ["ID", "USER", "HOST", "TIME", "LOCK_MODE"].map(str::to_owned).to_vec(),
        vec![cells("77|app|10.4.7.19|30|held")],
    );
    let blocked = MemberRows { threads: Some(threads), holders: Some(holders), ..member_rows(3, 3, &[]) };
    let db3 = Member::new("db3:3306".into()).answered(&blocked, now());
    let seen = world(vec![member(1, 3, &[]), member(2, 3, &[]), db3], vec![proxy(1, &sorted(&all()))]);
    let p = asked(&seen, DatabaseAct::Desync { member: "db3".into() });
    let why: Vec<_> = found(&p, "desync").into_iter().filter(|(v, _)| *v == Verdict::Refuse).collect();
    assert!(why.len() == 1 && why[0].1.contains("held by session 77 (app@10.4.7.19, 30 s)"), "{why:?}");
    assert!(why[0].1.contains("KILL 77 on db3"), "{why:?}");
}

#[test]
fn a_member_that_was_desynced_several_times_is_known_and_stops_nothing_else() {
    let stuck = [("wsrep_desync", "ON"), ("wsrep_desync_count", "5"), ("wsrep_local_state", "2")];
    let applier = Table::new(
        ["ID", "USER", "STATE"].map(str::to_owned).to_vec(),
        vec![["2", "system user", "wsrep applier idle"].map(|c| Some(c.to_owned())).to_vec()],
    );
    let rows = MemberRows { threads: Some(applier), ..member_rows(3, 3, &stuck) };
    let db3 = Member::new("db3:3306".into()).answered(&rows, now());
    let seen = world(vec![member(1, 3, &[]), member(2, 3, &[]), db3], vec![proxy(1, &desynced(3))]);
    let row = Database::of(&seen).unwrap().member("db3").unwrap().clone();
    assert_eq!(row.state.word(), "desynced 5 times");
    assert_eq!(refused(&asked(&seen, DatabaseAct::Weight { member: "db2".into(), weight: 60 })), [""; 0]);
    let p = asked(&seen, DatabaseAct::Resync { member: "db3".into() });
    assert!(p.refusals().any(|c| c.text.contains("only a restart")), "{p}");
    let told = crate::cluster::findings(&seen);
    let told = told.iter().find(|f| f.rule == "member-unsynced").expect("it is told at once");
    assert!(told.remedy.as_deref().is_some_and(|r| r.contains("restart db3")), "{told:?}");
}

#[test]
fn without_a_primary_component_no_two_members_are_said_to_write() {
    let alone =
        [("wsrep_cluster_status", "non-Primary"), ("wsrep_ready", "OFF"), ("wsrep_cluster_size", "1")];
    let down = |n: usize| {
        Member::new(format!("db{n}:3306").as_str().into()).failed(Trouble::Refused, "refused", now())
    };
    let seen = world(vec![member(1, 1, &alone), down(2), down(3)], vec![proxy(1, &sorted(&all()))]);
    for act in [take_out("db1"), DatabaseAct::MoveWriter { member: "db2:3306".into() }] {
        let p = asked(&seen, act);
        assert_eq!(found(&p, "conflicts"), [], "{p}");
        let none = found(&p, "last-writer")
            .into_iter()
            .any(|(v, t)| v == Verdict::Refuse && t.contains("no member can take writes now"));
        assert!(none, "{p}");
        let cuts = p.database.iter().flat_map(|part| &part.cut);
        assert!(cuts.clone().all(|cut| !cut.text.contains("new writes go to")), "{p}");
    }
}

#[test]
fn how_sessions_that_stay_are_cut_is_printed_where_a_writer_stays_behind() {
    let printed = |act| {
        let part = asked(&healthy(), act).database.expect("a part");
        part.sql.into_iter().filter(|line| line.contains("KILL CONNECTION")).collect::<Vec<_>>()
    };
    let moved = printed(DatabaseAct::MoveWriter { member: "db2".into() });
    assert!(!moved.is_empty() && moved.iter().all(|line| line.starts_with("-- only to cut")), "{moved:?}");
    assert!(moved[0].contains("srv_host='db1' AND srv_port=3306"), "{moved:?}");
    assert_eq!(printed(take_out("db1")), Vec::<String>::new(), "its rows go, and they end with them");
    assert_eq!(printed(take_out("db3")), Vec::<String>::new());
}
