//! Each guard by its rule: what it refuses, what it warns of, and that it is silent otherwise.

use super::*;

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
fn what_was_not_measured_is_said() {
    let new = |address: &str| DatabaseAct::AddServer { address: address.into(), like: None };
    let p = asked(&healthy(), new("db9:3306"));
    let (verdict, text) = one(&p, "measured");
    assert!(verdict == Verdict::Warn && text.contains("enters offline was not measured"), "{text}");
    let without = world(three(), vec![proxy(1, &sorted(&all()[..2]))]);
    let (verdict, text) =
        one_measured(&asked(&without, DatabaseAct::BringBack { member: "db3".into(), like: None }));
    assert!(verdict == Verdict::Ok && text.contains("as the standby writers do"), "{text}");
    let (verdict, text) = one_measured(&asked(&healthy(), take_out("db1")));
    assert!(verdict == Verdict::Warn && text.contains("made lighter"), "{text}");
    assert_eq!(found(&asked(&healthy(), take_out("db3")), "measured"), []);
    let other = ProxyRows {
        version: Some("3.0.2-3".into()),
        hostgroups: Some(groups("10 20 30 9999 1 1 1 100")),
        ..rows(&sorted(&all()))
    };
    let (_, text) = one_measured(&asked(&world(three(), vec![proxy_of(1, &other)]), take_out("db3")));
    assert!(text.contains("ProxySQL 3.0.2-3, writer_is_also_reader 1 was not measured"), "{text}");
}

fn one_measured(plan: &Plan) -> (Verdict, String) {
    let (verdict, text) = one(plan, "measured");
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
    for act in [take_out("db1"), DatabaseAct::MoveWriter { member: "db2".into() }] {
        let p = asked(&seen, act);
        let [cut] = part(&p).cut.as_slice() else { panic!("{p}") };
        assert_eq!((cut.clients, cut.seconds), (Some(4), Some(2)), "{p}");
        assert!(
            cut.text.starts_with(
                "4 sessions hold a connection on db1 in proxy1 (app in acme 3, app in globex 1)"
            ),
            "{p}"
        );
        assert!(one(&p, "clients").1.starts_with("at most 4 sessions are cut"), "{p}");
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
