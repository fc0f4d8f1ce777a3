//! Members in every captured state: their words, their rates, and what is said of them.

use std::{sync::Arc, time::Duration};

use wheelhouse::cluster::{
    Freshness, Health, Healths, Member, MemberRows, Observation, Seen, Severity, Table, Trouble,
    database::{Database, Expectations},
    findings,
};

use super::{
    address, changed, database, finding, later, now, pairs, rows, rules, said, silent, third, words, world,
};

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
            &["donor (to 127.0.0.1:13340)", "synced", "synced", "joining"],
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
        assert_eq!(seen.headline(), headline, "{name}");
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
    let snapshot = world(vec![peer.clone(), third("frozen_peer", 1, later(9.0))], vec![], later(9.0));
    assert_eq!(words(&Database::of(&snapshot).unwrap())[1], "outdated view");
    let found = finding(&findings(&snapshot), "galera-views").clone();
    assert!(found.severity == Severity::Critical && found.text.contains("view 3"), "{found:?}");
    // Within a second of the change it may only not have heard of it yet.
    let fresh = said("frozen_gone_peer", 1, now());
    let behind = third("frozen_peer", 1, later(0.5));
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
        blocked.text.contains("17 % done, 1 session waits")
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
    let snapshot = world(vec![said("desynced_peer", 1, later(3.0)), quiet], vec![], later(4.0));
    let seen = Database::of(&snapshot).expect("members are configured");
    let json = serde_json::to_value(seen.report(&snapshot)).expect("JSON");
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
        (&serde_json::Value::Null, &4.0.into(), &"frozen".into())
    );
    assert!(three["receive_queue"].is_null() && three["flow_control"].is_null());
}

#[test]
fn two_halves_made_primary_have_the_same_number_and_are_told_apart() {
    // As measured: cut off, bootstrapped by hand, and the view's number is that of the others.
    let of = |node: u32, size: &str, listed: &str, at| {
        let changes = [
            ("wsrep_cluster_size", size),
            ("wsrep_cluster_weight", size),
            ("wsrep_incoming_addresses", listed),
            ("wsrep_cluster_conf_id", "4"),
        ];
        Member::new(address(node)).answered(&changed("healthy", node, &changes), at)
    };
    let two = "127.0.0.1:13310,127.0.0.1:13320";
    // Whichever was read last, and however many are left on either side.
    for last in 1..=3 {
        let at = |node| if node == last { later(5.0) } else { later(4.0) };
        let halves = |at: &dyn Fn(u32) -> jiff::Timestamp| {
            let again = |node: u32, size: &str, listed: &str| {
                let rows = of(node, size, listed, now());
                let changes = [
                    ("wsrep_cluster_size", size),
                    ("wsrep_cluster_weight", size),
                    ("wsrep_incoming_addresses", listed),
                    ("wsrep_cluster_conf_id", "4"),
                ];
                rows.answered(&changed("healthy", node, &changes), at(node))
            };
            vec![again(1, "2", two), again(2, "2", two), again(3, "1", "127.0.0.1:13330")]
        };
        let seen = world(halves(&at), vec![], later(5.0));
        let found = Database::of(&seen).expect("members");
        assert_eq!(words(&found), ["synced", "synced", "split brain"]);
        assert_eq!((found.quorum.size, found.headline().as_str()), (2, "galera 2/3 SPLIT BRAIN"));
        let told = findings(&seen);
        let split = finding(&told, "galera-views");
        assert!(
            split.severity == Severity::Critical && split.text.contains("their data part ways"),
            "{split:?}"
        );
    }
    // A list that is told a moment later is no split.
    let early = vec![of(1, "2", two, now()), of(2, "2", two, now()), of(3, "1", "127.0.0.1:13330", now())];
    assert_eq!(words(&database(early)), ["synced"; 3]);
}

#[test]
fn a_member_that_is_configured_at_two_addresses_counts_once() {
    let alone = database((1..=3).map(|node| said("healthy", node, now())).collect());
    let twin = Member::new("db1.example:3306".into()).answered(&rows("healthy", 1), now());
    let members = (1..=3).map(|node| said("healthy", node, now())).chain([twin.clone()]).collect();
    let seen = world(members, vec![], later(1.0));
    let both = Database::of(&seen).expect("members");
    assert_eq!((both.members.len(), both.headline()), (3, alone.headline()));
    assert_eq!(both.quorum, alone.quorum);
    // It is called by the address that it tells itself, and found by the other as well.
    assert_eq!(both.member("db1.example:3306").expect("it is member 1").name, address(1));
    let told = findings(&seen);
    let twice = finding(&told, "member-twice");
    assert!(
        twice.text.starts_with("db1.example:3306 is the same member as 127.0.0.1:13310"),
        "{}",
        twice.text
    );
    assert_eq!(twice.severity, Severity::Notice);
    // Silent at one of them, it answers all the same.
    let silent = twin.failed(Trouble::Refused, "refused", now());
    let members = (1..=3).map(|node| said("healthy", node, now())).chain([silent]).collect();
    assert_eq!(database(members).headline(), alone.headline());
}

#[test]
fn without_a_quorum_no_tenant_is_well_and_without_an_answer_it_is_not_known() {
    let seen = |members: Vec<Member>| {
        let text = "node w1\nnode w2\ntenant acme 2 on w1 w2";
        let mut seen = wheelhouse::cluster::sketch(text, now()).expect("a sketch");
        let members = members.into_iter().map(|m| (m.name.clone(), m)).collect();
        seen.observe(Observation::Member(Seen::All(members, now())));
        seen.at = later(1.0);
        let found = findings(&seen);
        Healths::of(&seen, &found)
    };
    let down = |node| silent(node, Trouble::Refused);
    let healthy = seen((1..=3).map(|node| said("healthy", node, now())).collect());
    assert_eq!((healthy.ok, healthy.degraded), (1, 0), "{healthy:?}");
    let refused = seen(vec![said("nonprimary_survivor", 1, now()), down(2), down(3)]);
    assert_eq!((refused.ok, refused.degraded), (0, 1), "{refused:?}");
    assert_eq!(refused.severity(Health::Degraded), Severity::Critical);
    let mute = seen((1..=3).map(|node| silent(node, Trouble::Silent)).collect());
    assert_eq!((mute.ok, mute.degraded), (1, 0), "it may be our own line: {mute:?}");
}
