//! What one look tells: what takes time to be seen is read from what the servers say of the past, or is told as not known,
//! and never passed over. And how bad a state is, in one place.

use wheelhouse::cluster::{
    Database, Layers, Member, MemberRows, Proxy, ProxyRows, Severity, Snapshot, Trouble, findings,
};

use super::{
    address, behind, changed, finding, healthy, later, now, proxy, proxy_rows, rows, rules, said, silent,
    words, world,
};

/// One of the two that have noticed the loss of the third.
fn noticed(node: u32) -> Member {
    let changes = [
        ("wsrep_cluster_size", "2"),
        ("wsrep_cluster_weight", "2"),
        ("wsrep_cluster_conf_id", "9"),
        ("wsrep_incoming_addresses", "127.0.0.1:13310,127.0.0.1:13320"),
    ];
    Member::new(address(node)).answered(&changed("healthy", node, &changes), now())
}

fn once(members: Vec<Member>, seconds: f64) -> Snapshot {
    world(members, vec![], later(seconds))
}

/// A member that was looked at twice, with these threads, and committed nothing in between.
fn still(node: u32, threads: &[&[&str]]) -> Member {
    let rows = MemberRows { threads: rules::worlds::threads(threads), ..changed("healthy", node, &[]) };
    Member::new(address(node)).answered(&rows, now()).answered(&rows, later(0.4))
}

#[test]
fn commits_that_a_schema_change_blocks_are_told_in_the_first_look() {
    let alter = "ALTER TABLE invoices ADD note TEXT, ALGORITHM=COPY";
    let change: &[&str] =
        &["8", "app", "10.4.7.1", "Query", "13", "copy to tmp table", alter, "1", "2", "40"];
    let waits: &[&str] = &[
        "9",
        "app",
        "10.4.7.2",
        "Query",
        "12",
        "Waiting for certification",
        "UPDATE t SET a=1",
        "0",
        "0",
        "0",
    ];
    let seen = once(vec![still(1, &[change, waits]), still(2, &[]), still(3, &[])], 0.5);
    let told = findings(&seen);
    let blocked = finding(&told, "commits-blocked");
    assert_eq!(blocked.severity, Severity::Critical, "{blocked:?}");
    assert!(blocked.text.contains(", 1 session waits; ") && blocked.text.contains(alter), "{blocked:?}");
    // Nobody waits that is seen: it blocks whoever comes, as far as is known.
    let told = findings(&once(vec![still(1, &[change]), still(2, &[]), still(3, &[])], 0.5));
    assert_eq!(finding(&told, "commits-blocked").severity, Severity::Warning);
    // Sessions alone, that wait for long.
    let told = findings(&once(vec![still(1, &[waits]), still(2, &[]), still(3, &[])], 0.5));
    assert!(finding(&told, "commits-blocked").text.contains("while 1 session waits for certification"));
}

#[test]
fn a_member_found_out_of_sync_is_told_at_once_and_one_that_has_just_left_after_its_time() {
    let told = findings(&once(vec![said("desynced_peer", 1, now()), said("desynced", 2, now())], 0.5));
    let unsynced = finding(&told, "member-unsynced");
    assert!(unsynced.text.ends_with("; since when is not known") && unsynced.since.is_none(), "{unsynced:?}");
    let left = |seconds: f64| {
        let member = said("healthy", 2, now()).answered(&rows("desynced", 2), later(1.0));
        findings(&once(vec![said("desynced_peer", 1, now()), member], seconds))
    };
    assert!(!rules(&left(3.0)).contains(&"member-unsynced"), "{:?}", left(3.0));
    assert_eq!(finding(&left(12.0), "member-unsynced").since, Some(later(1.0)));
}

#[test]
fn what_was_so_when_it_was_first_looked_at_is_seen_from_then_on_and_not_since_then() {
    let lost = changed("healthy", 1, &[("wsrep_cluster_status", "non-Primary")]);
    let first = |node| Member::new(address(node)).answered(&lost, now());
    let down = |node| silent(node, Trouble::Refused);
    let told = findings(&once(vec![first(1), down(2), down(3)], 5.0));
    let found = finding(&told, "galera-no-quorum");
    assert_eq!((found.since, found.seen_since), (None, Some(now())), "{found:?}");
    let none = findings(&once(vec![down(1), down(2), down(3)], 5.0));
    let found = finding(&none, "galera-no-quorum");
    assert!(found.since.is_none() && found.seen_since.is_some(), "{found:?}");
    // Seen to begin.
    let then = |node| said("healthy", node, now()).answered(&lost, later(2.0));
    let gone = |node| said("healthy", node, now()).failed(Trouble::Refused, "refused", later(1.0));
    let told = findings(&once(vec![then(1), gone(2), gone(3)], 5.0));
    let found = finding(&told, "galera-no-quorum");
    assert_eq!((found.since, found.seen_since), (Some(later(2.0)), None), "{found:?}");
}

#[test]
fn who_has_not_answered_for_two_polls_is_not_counted_on() {
    let lost = |node| said("healthy", node, now()).failed(Trouble::Refused, "refused", later(1.0));
    let seen = |seconds| once(vec![said("healthy", 1, now()), lost(2), lost(3)], seconds);
    let at = |seconds| Database::of(&seen(seconds)).expect("members");
    assert_eq!(at(2.0).quorum.to_string(), "quorum 3 of 3 weights, one more loss is safe");
    let doubt = at(4.0);
    assert_eq!((doubt.quorum.present(), doubt.quorum.safe_losses), (1, 0));
    assert_eq!(
        doubt.quorum.to_string(),
        "quorum 1 of 3 weights, 2 members of the view do not answer: without the quorum is lost"
    );
    assert_eq!(doubt.headline(), "galera 1/3");
    assert!(rules(&findings(&seen(4.0))).contains(&"galera-size"));
    // One of three: the others hold it.
    let seen = once(vec![said("healthy", 1, now()), said("healthy", 2, now()), lost(3)], 4.0);
    let text = Database::of(&seen).expect("members").quorum.to_string();
    assert!(text.contains("1 member of the view does not answer: the quorum holds without"), "{text}");
}

#[test]
fn how_bad_a_member_is_is_decided_once() {
    let down = |node| silent(node, Trouble::Refused);
    let two = once(vec![noticed(1), noticed(2), down(3)], 20.0);
    let none = once(vec![down(1), down(2), down(3)], 20.0);
    for (seen, node, severity) in [(&two, 3, Severity::Warning), (&none, 1, Severity::Critical)] {
        let database = Database::of(seen).expect("members");
        let row = database.member(address(node).as_str()).expect("the member");
        assert_eq!(database.severity(row), Some(severity), "{:?}", words(&database));
        let told = findings(seen);
        let down = told.iter().find(|f| f.rule == "member-down").expect("it is down");
        assert_eq!(down.severity, severity, "{down:?}");
    }
    // With a quorum only the next failure does harm.
    let told = findings(&two);
    assert_eq!(finding(&told, "galera-size").severity, Severity::Warning);
    assert!(told.iter().all(|f| f.severity < Severity::Critical), "{told:?}");
}

#[test]
fn what_answers_a_lost_member_is_right_where_it_is() {
    let remedy = |members: Vec<Member>| {
        let told = findings(&once(members, 20.0));
        let down = told.into_iter().find(|f| f.rule == "member-down").expect("one is down");
        down.remedy.expect("a remedy")
    };
    let one = |trouble| vec![noticed(1), noticed(2), silent(3, trouble)];
    assert!(remedy(one(Trouble::Refused)).starts_with("start it on its machine"));
    assert!(remedy(one(Trouble::Silent)).contains("it is frozen"));
    let lone =
        vec![said("nonprimary_survivor", 1, now()), silent(2, Trouble::Refused), silent(3, Trouble::Refused)];
    assert!(remedy(lone).contains("without a quorum it waits with SQL closed"));
}

fn two_proxies(edit: impl Fn(&mut ProxyRows)) -> Snapshot {
    let other = |name: &str, edited: bool| {
        let mut rows = proxy_rows("healthy");
        if edited {
            edit(&mut rows);
        }
        Proxy::new(name.into()).answered(&rows, now())
    };
    let mut seen = behind("healthy", healthy());
    let proxies = [other("ps1", false), other("ps2", true)].map(|p| (p.name.clone(), p));
    seen.observe(wheelhouse::cluster::Observation::Proxy(wheelhouse::cluster::Seen::All(
        proxies.into(),
        now(),
    )));
    seen
}

#[test]
fn proxies_that_have_the_same_servers_do_not_differ_whatever_was_loaded_when() {
    use super::rules::worlds::table;
    let differ = |seen: &Snapshot| rules(&findings(seen)).contains(&"proxies-differ");
    let sums = |sum: &'static str| {
        move |rows: &mut ProxyRows| {
            rows.checksums = Some(table(&["name", "checksum"], &[&["mysql_servers_v2", sum]]));
        }
    };
    assert!(!differ(&two_proxies(sums("0xDEAD"))));
    assert!(!differ(&two_proxies(|_| {})));
    let other = two_proxies(|rows| {
        rows.hostgroups = proxy_rows("healthy").hostgroups.map(|_| {
            let names = [
                "writer_hostgroup",
                "backup_writer_hostgroup",
                "reader_hostgroup",
                "offline_hostgroup",
                "active",
                "max_writers",
                "writer_is_also_reader",
            ];
            table(&names, &[&["10", "20", "30", "9999", "1", "2", "2"]])
        })
    });
    assert!(differ(&other), "{:?}", findings(&other));
}

#[test]
fn what_saves_a_variable_is_the_statement_of_its_module() {
    use super::rules::worlds::table;
    let drift = |names: &[&[&str]]| {
        let rows = ProxyRows {
            drift: Some(vec![("global_variables".into(), Layers::RuntimeDisk, table(&["what"], names))]),
            ..proxy_rows("healthy")
        };
        let seen = world(healthy(), vec![Proxy::new("ps1".into()).answered(&rows, now())], now());
        finding(&findings(&seen), "proxy-drift").remedy.clone().expect("a remedy")
    };
    assert_eq!(
        drift(&[&["admin-read_only"]]),
        "on its admin port: SAVE ADMIN VARIABLES TO DISK keeps what is in memory"
    );
    let both = drift(&[&["admin-read_only"], &["mysql-max_connections"]]);
    assert!(both.contains("SAVE ADMIN VARIABLES TO DISK and SAVE MYSQL VARIABLES TO DISK"), "{both}");
}

#[test]
fn a_member_that_a_proxy_may_know_by_another_address_is_not_brought_in_twice() {
    // The captured proxy knows the members by other ports, which nobody has said to be theirs.
    let seen = world(healthy(), vec![proxy("healthy", "ps1", now())], now());
    let told = findings(&seen);
    let absent: Vec<_> = told.iter().filter(|f| f.text.starts_with("in no hostgroup of ProxySQL")).collect();
    assert_eq!(absent.len(), 3, "{told:?}");
    for finding in absent {
        assert_eq!(finding.answer, Some(wheelhouse::cluster::Answer::Database), "{finding:?}");
        assert!(finding.remedy.as_deref().is_some_and(|r| r.contains("[galera] aliases")), "{finding:?}");
    }
}
