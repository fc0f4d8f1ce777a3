//! Proxies that serve more than one cluster, or have rows that differ by hostgroup, or addresses of IPv6.

use super::*;
use crate::cluster::Database;

const NAMES: &str = "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers \
                     writer_is_also_reader max_transactions_behind";
const COLUMNS: &str = "hostgroup_id hostname port gtid_port status weight compression max_connections \
                       max_replication_lag use_ssl max_latency_ms comment";

fn fronted(servers: &[String], groups: &[&str]) -> Proxy {
    let groups: Vec<_> = groups.iter().map(|g| (*g).to_owned()).collect();
    let rows = ProxyRows {
        servers: Some(table(COLUMNS, servers)),
        hostgroups: Some(table(NAMES, &groups)),
        ..rows(&[])
    };
    Proxy::new("proxy1".into()).answered(&rows, now())
}

fn row(hostgroup: u32, host: &str, status: &str, weight: u64) -> String {
    format!("{hostgroup} {host} 3306 0 {status} {weight} 0 100 0 0 0 -")
}

/// Our cluster comes second; before it one whose members nobody follows, heavier than ours.
fn second() -> Vec<String> {
    let mut servers = vec![
        row(1, "other1", "ONLINE", 900),
        row(2, "other2", "ONLINE", 800),
        row(3, "other2", "ONLINE", 800),
    ];
    servers.extend(sorted(&all()));
    servers
}

const BOTH: [&str; 2] = ["1 2 3 4 1 1 2 100", "10 20 30 9999 1 1 2 100"];

fn written(plan: &Plan) -> Vec<(u32, u64)> {
    let servers = plan.steps.iter().find_map(|s| match &s.change {
        Change::Servers(Servers { to, .. }) => Some(to),
        _ => None,
    });
    servers.expect("a change of servers").iter().map(|r| (r.hostgroup, r.weight)).collect()
}

#[test]
fn each_cluster_behind_a_proxy_elects_its_own_writer() {
    let seen = world(three(), vec![fronted(&second(), &BOTH)]);
    let p = asked(&seen, DatabaseAct::MoveWriter { member: "db2".into() });
    assert_eq!(refused(&p), [""; 0], "{p}");
    // Heavier than ours, not than theirs.
    assert_eq!(written(&p), [(20, 101)], "{p}");
    let after = &part(&p).after[0];
    assert!(after.contains("db2 writer (101)") && after.contains("other1:3306 writer (900)"), "{after}");
    assert!(part(&p).moves_writer && part(&p).cut.len() <= 1, "{p}");
}

#[test]
fn who_comes_back_comes_back_to_its_own_cluster() {
    let without: Vec<_> = second().into_iter().filter(|r| !r.contains("db3")).collect();
    let seen = world(three(), vec![fronted(&without, &BOTH)]);
    let p = asked(&seen, DatabaseAct::BringBack { member: "db3".into(), like: Some("db2".into()) });
    assert_eq!(refused(&p), [""; 0], "{p}");
    assert_eq!(written(&p), [(20, 50), (30, 50)], "{p}");
    // Of one that serves two clusters nothing is lost.
    let rows = [10, 11].map(|h| crate::cluster::ServerRow {
        hostgroup: h,
        address: "db3:3306".into(),
        gtid_port: 0,
        weight: u64::from(h),
        compression: 0,
        max_connections: 100,
        max_replication_lag: 0,
        use_ssl: true,
        max_latency_ms: 7,
        comment: "".into(),
    });
    let change = Change::Servers(Servers {
        proxy: "proxy1".into(),
        address: "db3:3306".into(),
        from: rows.to_vec(),
        to: vec![],
    });
    let seen = world(
        three(),
        vec![fronted(&sorted(&[(1, 100), (2, 50)]), &["10 20 30 9999 1 1 2 100", "11 21 31 9998 1 1 0 100"])],
    );
    let undo = Intent::Undo { run: "8f3".into(), changes: vec![(About::Database, change)] };
    let p = plan(&seen, &undo);
    assert_eq!(written(&p), [(20, 10), (30, 10), (21, 11)], "{p}");
}

#[test]
fn the_last_candidate_of_a_cluster_stays_whatever_the_others_have() {
    let mut servers = vec![row(1, "other1", "ONLINE", 900), row(10, "db1", "ONLINE", 100)];
    servers.push(row(30, "db2", "ONLINE", 50));
    let seen = world(three(), vec![fronted(&servers, &BOTH)]);
    let p = asked(&seen, DatabaseAct::TakeOut { member: "db1".into() });
    let none = p.refusals().any(|c| c.rule == "last-writer" && c.text.contains("none would be left"));
    assert!(none, "{p}");
}

#[test]
fn two_writers_in_one_cluster_are_too_many_though_another_has_none() {
    let mut servers = second();
    servers.retain(|r| !r.starts_with("1 "));
    let servers: Vec<_> = servers
        .into_iter()
        .map(|r| if r.starts_with("10 db2") { r.replace("SHUNNED", "ONLINE") } else { r })
        .collect();
    let seen = world(three(), vec![fronted(&servers, &BOTH)]);
    let p = asked(&seen, take_out("db3"));
    assert!(p.refusals().any(|c| c.text.contains("writes to 2 members, 1 may")), "{p}");
    let found = crate::cluster::findings(&seen);
    let has = |rule: &str, word: &str| found.iter().any(|f| f.rule == rule && f.text.contains(word));
    assert!(has("two-writers", "2 writers where 1 may be: db1:3306, db2:3306"), "{found:?}");
    assert!(has("no-writer", "writer hostgroup 1: writes fail"), "{found:?}");
    assert!(Database::of(&seen).expect("a database").headline().ends_with("WRITERS DIFFER"));
}

#[test]
fn as_many_writers_as_may_be_are_no_alarm_and_an_empty_cluster_is_none() {
    let seen = world(three(), vec![fronted(&second(), &BOTH)]);
    let found = crate::cluster::findings(&seen);
    let bad = ["two-writers", "no-writer", "readers-empty"];
    assert!(found.iter().all(|f| !bad.contains(&f.rule)), "{found:?}");
    let headline = Database::of(&seen).expect("a database").headline();
    assert!(headline.ends_with(" writers db1, other1:3306"), "{headline}");
    // Prepared, or switched off: nobody stands in it.
    let empty = ["10 20 30 9999 1 1 2 100", "11 21 31 9998 0 1 2 100"];
    let seen = world(three(), vec![fronted(&sorted(&all()), &empty)]);
    let found = crate::cluster::findings(&seen);
    assert!(found.iter().all(|f| !bad.contains(&f.rule)), "{found:?}");
}

#[test]
fn rows_that_differ_by_hostgroup_are_put_back_as_they_were() {
    let of = |hostgroup, weight| crate::cluster::ServerRow {
        hostgroup,
        address: "db3:3306".into(),
        gtid_port: 33,
        weight,
        compression: 0,
        max_connections: 100,
        max_replication_lag: 0,
        use_ssl: true,
        max_latency_ms: 900,
        comment: "of db3".into(),
    };
    let change = Change::Servers(Servers {
        proxy: "proxy1".into(),
        address: "db3:3306".into(),
        from: vec![of(20, 10), of(30, 1000)],
        to: vec![],
    });
    let seen = world(three(), vec![proxy(1, &sorted(&[(1, 100), (2, 50)]))]);
    let undo = Intent::Undo { run: "8f3".into(), changes: vec![(About::Database, change)] };
    let p = plan(&seen, &undo);
    let Change::Servers(Servers { to, .. }) = &p.steps[0].change else { panic!("{p}") };
    assert_eq!(*to, [of(20, 10), of(30, 1000)], "{p}");
}

#[test]
fn an_address_of_ipv6_is_written_as_the_proxies_have_it() {
    let mut members = three();
    members[2].name = "[fd00::3]:3306".into();
    let mut servers: Vec<_> = sorted(&all());
    servers.iter_mut().for_each(|r| *r = r.replace(" db3 3306", " fd00::3 3306"));
    let seen = world(members.clone(), vec![fronted(&servers, &["10 20 30 9999 1 1 2 100"])]);
    let p = asked(&seen, DatabaseAct::TakeOut { member: "[fd00::3]:3306".into() });
    assert_eq!(refused(&p), [""; 0], "{p}");
    let sql = part(&p).sql.join("\n");
    assert!(sql.contains("hostname = 'fd00::3' AND port = 3306"), "{sql}");
    let seen = world(members, vec![proxy(1, &sorted(&[(1, 100), (2, 50)]))]);
    for act in [
        DatabaseAct::BringBack { member: "[fd00::3]:3306".into(), like: None },
        DatabaseAct::AddServer { address: "[fd00::3]:3306".into(), like: None },
    ] {
        let p = asked(&seen, act);
        assert!(part(&p).sql.join("\n").contains("'fd00::3', 3306"), "{p}");
    }
}

#[test]
fn an_arbitrator_votes_and_is_no_backend() {
    // As measured with garbd: its place among the addresses is empty, its weight counts.
    let listed = [
        ("wsrep_incoming_addresses", "db1:3306,db2:3306,"),
        ("wsrep_cluster_weight", "3"),
        ("wsrep_cluster_size", "3"),
    ];
    let two = || vec![member(1, 2, &listed), member(2, 2, &listed)];
    let front = || vec![proxy(1, &sorted(&[(1, 100), (2, 50)]))];
    let seen = world(two(), front());
    let db = Database::of(&seen).expect("a database");
    assert_eq!(db.headline(), "galera 3/3 writer db1");
    assert!(db.strangers.is_empty() && db.quorum.safe_losses == 1, "{:?}", db.quorum);
    let quorum = asked(&seen, take_out("db2"));
    let text: Vec<_> = quorum.all_checks().filter(|c| c.rule == "quorum").map(|c| &*c.text).collect();
    assert_eq!(text, ["weights in service 3 → 2 of 3 in the component, more than half is 2"]);
    // One of the two that hold the data is gone: not whole, though as many vote as are configured.
    let left = [
        ("wsrep_incoming_addresses", "db1:3306,"),
        ("wsrep_cluster_weight", "2"),
        ("wsrep_cluster_size", "2"),
    ];
    let down = Member::new("db2:3306".into()).failed(Trouble::Refused, "refused", now());
    let seen = world(vec![member(1, 2, &left), down], front());
    let found = crate::cluster::findings(&seen);
    assert!(
        found.iter().any(|f| f.rule == "galera-size" && f.text.starts_with("2 of 3 members")),
        "{found:?}"
    );
}
