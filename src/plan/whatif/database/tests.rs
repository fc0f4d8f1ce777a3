//! What the database loses, on sketches.

use jiff::Timestamp;

use super::{
    super::{Forecast, findings, what_if, worst},
    *,
};
use crate::cluster::{
    Member, MemberRows, Observation, ProxyRows, Seen, Table, database::Expectations, sketch,
};

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn table(columns: &str, rows: &[String]) -> Table {
    let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    let rows = rows.iter().map(|row| words(row).into_iter().map(Some).collect()).collect();
    Table::new(words(columns), rows)
}

/// Member `dbN` of a view of these weights.
fn member(n: usize, weights: &[u32]) -> Member {
    let clients: Vec<_> = (1..=weights.len()).map(|n| format!("db{n}:3306")).collect();
    let status = [
        format!("wsrep_cluster_size|{}", weights.len()),
        format!("wsrep_cluster_weight|{}", weights.iter().sum::<u32>()),
        format!("wsrep_cluster_conf_id|{}", 10 - weights.len()),
        format!("wsrep_incoming_addresses|{}", clients.join(",")),
        "wsrep_local_state|4".into(),
        "wsrep_cluster_status|Primary".into(),
        "wsrep_connected|ON".into(),
        "wsrep_ready|ON".into(),
    ];
    let variables = [
        "wsrep_on|ON".into(),
        "wsrep_provider|galera".into(),
        format!("wsrep_node_name|db{n}"),
        format!("wsrep_provider_options|pc.weight = {};", weights[n - 1]),
    ];
    let rows = MemberRows {
        status: table("name|value", &status),
        variables: table("name|value", &variables),
        ..MemberRows::default()
    };
    Member::new(format!("db{n}:3306").into()).answered(&rows, AT)
}

/// A proxy that writes to `db1`, and next to `db2`.
fn proxy(name: &str) -> Proxy {
    let servers = ["10|db1|3306|ONLINE|1".to_owned(), "20|db2|3306|ONLINE|1".into()];
    let rows = ProxyRows {
        servers: Some(table("hostgroup_id|hostname|port|status|weight", &servers)),
        hostgroups: Some(table(
            "writer_hostgroup|backup_writer_hostgroup|reader_hostgroup|offline_hostgroup",
            &["10|20|30|9999".to_owned()],
        )),
        ..ProxyRows::default()
    };
    Proxy::new(name.into()).answered(&rows, AT)
}

/// `dbN` on node `wN`, `pN` on machine `mN`.
fn hosts() -> Expectations {
    let on = |name: &str, at: &str| (1..=3).map(|n| (format!("{name}{n}"), format!("{at}{n}"))).collect();
    Expectations { hosts: on("db", "w"), proxy_hosts: on("p", "m"), ..Expectations::default() }
}

fn with(text: &str, weights: &[u32], proxies: &[&str]) -> Snapshot {
    let mut seen = sketch(text, AT).expect("a sketch");
    seen.database = Arc::new(hosts());
    let members = (1..=weights.len()).map(|n| member(n, weights)).map(|m| (m.name.clone(), m));
    seen.observe(Observation::Member(Seen::All(members.collect(), AT)));
    let proxies = proxies.iter().map(|name| ((*name).into(), proxy(name)));
    seen.observe(Observation::Proxy(Seen::All(proxies.collect(), AT)));
    seen
}

fn lost(seen: &Snapshot, node: &str, how: Loss) -> Option<DatabaseLoss> {
    what_if(seen, &[node.into()], how).expect("the room is known").database
}

fn said(seen: &Snapshot, node: &str, how: Loss) -> Vec<String> {
    lost(seen, node, how).map(|d| d.sentences()).unwrap_or_default()
}

const NODES: &str = "node w1\nnode w2\nnode w3";

#[test]
fn weights_decide_and_not_the_number_of_members() {
    let seen = with(NODES, &[2, 1, 1], &["p1"]);
    assert_eq!(
        said(&seen, "w1", Loss::Crash),
        ["galera: db1 lost, 2 of 4 weights left, QUORUM LOST", "nobody takes writes"],
        "two of three are left, and half of the weight"
    );
    assert_eq!(said(&seen, "w2", Loss::Crash), ["galera: db2 lost, 3 of 4 weights left, quorum holds"]);
    // Stopped gracefully, its weight is not missed.
    assert_eq!(
        said(&seen, "w1", Loss::Drain),
        ["galera: db1 lost, 2 of 4 weights left, quorum holds", "writer moves to db2"]
    );
}

#[test]
fn the_finding_tells_what_the_loss_of_a_node_does_to_the_database() {
    let text = |seen: &Snapshot| {
        findings(&worst(seen).expect("the room is known")).iter().map(|f| f.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        text(&with(NODES, &[2, 1, 1], &["p1"])),
        [
            "if it fails: the database stops (galera: db1 lost, 2 of 4 weights left, QUORUM LOST, nobody takes writes)"
        ]
    );
    let carried = format!("{NODES}\ntenant acme 1 on w1");
    assert_eq!(
        text(&with(&carried, &[1, 1, 1], &["p1"])),
        [
            "if it fails: 1 tenant down (acme); galera: db1 lost, 2 of 3 weights left, quorum holds; writer moves to db2"
        ]
    );
    assert!(text(&with(NODES, &[1, 1, 1], &["p1"])).is_empty(), "the writer moves on: no finding");
}

/// ProxySQL as a pod on `w1`, found behind a service.
fn in_a_pod(text: &str) -> Snapshot {
    let mut seen = sketch(text, AT).expect("a sketch");
    let pod = seen.pods.items.keys().find(|key| &*key.namespace == "proxysql").expect("its pod").clone();
    let proxy = proxy(&format!("{}/{}:6032", pod.namespace, pod.name));
    seen.observe(Observation::Proxy(Seen::All(vec![(proxy.name.clone(), proxy)], AT)));
    seen
}

#[test]
fn a_proxy_is_where_its_pod_is() {
    let seen = in_a_pod("node w1\nnode w2\ntenant proxysql 1 on w1");
    assert_eq!(said(&seen, "w1", Loss::Crash), ["1 of 1 ProxySQL pod lost"]);
    assert!(lost(&seen, "w1", Loss::Crash).is_some_and(|d| d.stops() && d.pods));
    assert_eq!(lost(&seen, "w2", Loss::Crash), None);
}

#[test]
fn a_drained_proxy_restarts_elsewhere_if_a_node_takes_it() {
    let text = "node w1\nnode w2\ntenant proxysql 1 on w1";
    let seen = in_a_pod(text);
    assert_eq!(
        said(&seen, "w1", Loss::Drain),
        ["1 of 1 ProxySQL pod restarts on another node: no client is served while none is up"]
    );
    let gap = lost(&seen, "w1", Loss::Drain).expect("it is hit");
    assert!(gap.has_gap() && !gap.stops());

    let alone = in_a_pod(&text.replace("node w2", "node w2 cordoned"));
    assert_eq!(said(&alone, "w1", Loss::Drain), ["1 of 1 ProxySQL pod lost"]);
    assert!(lost(&alone, "w1", Loss::Drain).is_some_and(|d| d.stops()));

    // A budget keeps it where it is.
    assert_eq!(lost(&in_a_pod(&format!("{text} pdb=1")), "w1", Loss::Drain), None);

    let mut second = in_a_pod(text);
    second.observe(Observation::Proxy(Seen::Put("p2".into(), proxy("p2"))));
    assert_eq!(said(&second, "w1", Loss::Drain), ["1 of 2 ProxySQL pods restarts on another node"]);
}

#[test]
fn a_forecast_holds_until_the_database_is_another() {
    let before = with(NODES, &[1, 1, 1], &["p1", "p2"]);
    let after = |change: &dyn Fn(&mut Snapshot)| {
        let mut after = before.clone();
        change(&mut after);
        Forecast::holds(&before, &after)
    };
    assert!(after(&|_| ()));
    // It answers every second, and mostly the same.
    let again = after(&|s| {
        let mut same = member(2, &[1, 1, 1]);
        same.history.clear();
        s.observe(Observation::Member(Seen::Put(same.name.clone(), same)));
    });
    assert!(again, "the same answer changes nothing");

    let expect = |s: &mut Snapshot, change: &dyn Fn(&mut Expectations)| {
        let mut expected = hosts();
        change(&mut expected);
        s.database = Arc::new(expected);
    };
    let moved = |e: &mut Expectations| drop(e.hosts.insert("db1".into(), "w3".into()));
    assert!(!after(&|s| expect(s, &moved)), "a member is on another host");
    let moved = |e: &mut Expectations| drop(e.proxy_hosts.insert("p2".into(), "w1".into()));
    assert!(!after(&|s| expect(s, &moved)), "a proxy is on another host");
    let shrunk = after(&|s| {
        let members = (1..=2).map(|n| member(n, &[1, 1])).map(|m| (m.name.clone(), m));
        s.observe(Observation::Member(Seen::All(members.collect(), AT)));
    });
    assert!(!shrunk, "a member is gone");
    let fewer = after(&|s| {
        s.observe(Observation::Proxy(Seen::Gone("p2".into())));
    });
    assert!(!fewer, "a proxy is gone");
}

#[test]
fn proxies_that_are_pods_of_a_workload_are_where_its_pods_run() {
    let mut seen = with("node w1\nnode w2\nnode w3\ntenant proxysql 2 on w2 w3", &[1, 1, 1], &["p1", "p2"]);
    let mut expected = hosts();
    for proxy in ["p1", "p2"] {
        expected.proxy_hosts.insert(proxy.into(), "proxysql/proxysql".into());
    }
    seen.database = Arc::new(expected);
    let at: Vec<_> =
        proxies(&seen).map(|(pod, _)| pod.and_then(|pod| seen.pods.get(&pod)?.node.clone())).collect();
    assert_eq!(at, [Some("w2".into()), Some("w3".into())]);
    let lost = |node: &str| {
        let told = what_if(&seen, &[node.into()], Loss::Crash).expect("it is known").database;
        told.map_or(0, |lost| lost.proxies + lost.restarting)
    };
    assert_eq!((lost("w1"), lost("w2"), lost("w3")), (0, 1, 1));
}
