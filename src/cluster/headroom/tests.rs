//! The arithmetic: on sketches, and for every tenant that can be made up.

use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    capacity::{Part, capped},
    *,
};
use crate::cluster::{
    Member, MemberRows, Observation, Pool, Proxy, ProxyRows, Resources, Seen, Table, Trouble, Usage, sketch,
};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn cluster(text: &str) -> Snapshot {
    sketch(text, now()).expect("a sketch")
}

fn of(seen: &Snapshot, tenant: &str) -> Headroom {
    headroom(seen, &seen.tenants[&TenantName::from(tenant)])
}

#[test]
fn a_pod_takes_what_is_free_to_its_limit_at_most_max_children() {
    let seen = cluster("node w1\nnode w2\ntenant acme 3 on w1 w2 w2~ used=320Mi limit=640Mi");
    let acme = of(&seen, "acme");
    assert_eq!((acme.more, acme.unknown, acme.binding.clone()), (Some(8), 0, vec![Bound::MemoryLimit]));
    assert_eq!(acme.without_largest, Some(4));
    let pod = &acme.pods[0];
    let php = &pod.containers[1];
    assert_eq!(
        (php.limit, php.used, php.free),
        (Some(Memory(640 << 20)), Some(Memory(320 << 20)), Some(Memory(320 << 20)))
    );
    assert!(php.serving && !pod.containers[0].serving);
    // nginx has 108 Mi free, php-fpm 320 Mi: the least is told.
    assert_eq!((pod.free, pod.more, pod.bound), (Some(Memory(108 << 20)), Some(4), Some(Bound::MemoryLimit)));

    let few = cluster("node w1\ntenant acme 1 on w1 used=320Mi children=3");
    assert_eq!((of(&few, "acme").more, of(&few, "acme").binding), (Some(3), vec![Bound::MaxChildren]));
    let fat = cluster("node w1\ntenant acme 1 on w1 used=320Mi each=150Mi");
    assert_eq!(of(&fat, "acme").more, Some(2));
}

#[test]
fn a_node_that_is_nearly_full_binds_all_its_pods_together() {
    let seen = cluster(
        "node w1 memory=4Gi used=3900Mi\nnode w2 memory=4Gi used=1Gi\ntenant acme 3 on w1 w1 w2 used=240Mi",
    );
    // w1 has 196 Mi left: two requests for both its pods, which could take five each.
    let acme = of(&seen, "acme");
    assert_eq!((acme.more, acme.binding), (Some(7), vec![Bound::NodeMemory]));
}

#[test]
fn measurements_are_found_with_others_between_them_and_with_one_missing() {
    let mut seen = cluster("node w1\ntenant acme 4 on w1 w1 w1 w1 used=320Mi");
    let of_pod = |(key, usage): (&Key, &Arc<Usage>)| (key.clone(), Usage::clone(usage));
    let all: Vec<_> = seen.usage.items.iter().map(of_pod).collect();
    let between = Key::new("acme", format!("{}-of-another", all[0].0.name));
    seen.observe(Observation::Usage(Seen::Put(between, all[0].1.clone())));
    assert_eq!((of(&seen, "acme").more, of(&seen, "acme").unknown), (Some(16), 0));
    seen.observe(Observation::Usage(Seen::Gone(all[1].0.clone())));
    assert_eq!((of(&seen, "acme").more, of(&seen, "acme").unknown), (Some(12), 1));
    let margin = Margin::of(&seen, &seen.tenants[&TenantName::from("acme")]);
    let tightest = margin.tightest.map(|t| (t.used, t.limit));
    assert_eq!((margin.more, tightest), (Some(12), Some((Memory(320 << 20), Memory(640 << 20)))));
}

#[test]
fn what_is_not_known_is_not_zero() {
    let unmeasured = of(&cluster("node w1\ntenant acme 2 on w1 w1"), "acme");
    assert_eq!((unmeasured.more, unmeasured.unknown), (None, 2));
    assert!(unmeasured.binding.is_empty() && unmeasured.describe().contains("not known"));
    let unlimited = of(&cluster("node w1\ntenant acme 1 on w1 used=600Mi unlimited"), "acme");
    assert_eq!((unlimited.more, unlimited.binding), (Some(8), vec![Bound::MaxChildren]));
    assert_eq!(unlimited.pods[0].containers[1].free, None);
    let none = of(&cluster("node w1\ntenant acme 1 on w1~ used=100Mi"), "acme");
    assert_eq!((none.more, none.unknown), (Some(0), 0), "a tenant without a ready pod takes nothing");
}

#[test]
fn a_container_at_its_limit_takes_the_pod_out() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=100Mi");
    let (key, usage) =
        seen.usage.items.iter().next().map(|(k, u)| (k.clone(), Usage::clone(u))).expect("one");
    let mut full = usage.clone();
    full.containers.insert("nginx".into(), (crate::cluster::Cpu(5), Memory(128 << 20)));
    seen.observe(Observation::Usage(Seen::Put(key, full)));
    assert_eq!(of(&seen, "acme").more, Some(0));
}

#[test]
fn a_limit_of_the_whole_pod_counts_as_well() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=100Mi");
    let mut pod = Pod::clone(seen.pods.values().next().expect("a pod"));
    let mut whole = Resources::default();
    whole.limits.memory = Some(Memory(300 << 20));
    Arc::make_mut(&mut pod.spec).resources = Some(Box::new(whole));
    seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    // 300 less 100 of php-fpm less 20 of nginx.
    assert_eq!(of(&seen, "acme").pods[0].containers[1].free, Some(Memory(180 << 20)));
    assert_eq!(of(&seen, "acme").more, Some(2));
}

#[test]
fn the_source_of_each_number_is_the_first_that_says_it() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=0Mi");
    let source = |seen: &Snapshot| {
        let acme = of(seen, "acme");
        (acme.request_memory.source, acme.max_children.source, acme.max_children.value)
    };
    assert_eq!(source(&seen), (super::super::Origin::Default, super::super::Origin::Default, 8));
    let sizing = super::super::Sizing {
        request_memory: Some(Memory(100 << 20)),
        max_children: Some(5),
        ..super::super::Sizing::default()
    };
    seen.sizing = Arc::new(sizing);
    assert_eq!(source(&seen), (super::super::Origin::Configuration, super::super::Origin::Configuration, 5));
    let pool = |name: &str, app: &str| {
        let labels = Arc::new([(Arc::from("app"), Arc::from(app))].into());
        let files = [("www.conf".to_owned(), "pm.max_children = 6".to_owned())].into();
        Pool::read(Key::new("acme", name), labels, &files, None)
    };
    for (name, app) in [("unrelated", "acme"), ("acme-php", "other")] {
        let mut with = seen.clone();
        with.observe(Observation::Pool(Seen::All(vec![(Key::new("acme", name), pool(name, app))], now())));
        let source = super::super::Origin::ConfigMap(name.into());
        assert_eq!(of(&with, "acme").max_children, Setting { value: 6, source }, "{name}");
    }
    let mut other = seen.clone();
    other.observe(Observation::Pool(Seen::All(
        vec![(Key::new("acme", "acmeish"), pool("acmeish", "x"))],
        now(),
    )));
    assert_eq!(source(&other).2, 5, "neither its labels nor its name");
    other.observe(Observation::Pool(Seen::Put(Key::new("acme", "acmeish"), None)));
    assert!(other.pools.is_empty(), "nothing is kept of a ConfigMap that lost its pool");
}

#[test]
fn a_pool_whose_number_comes_from_elsewhere_is_said_to_be_passed_over() {
    use super::super::{Mounted, Workload};
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=0Mi");
    let mut workload = Workload::clone(&seen.tenants[&TenantName::from("acme")].workload);
    workload.hints.config_maps = vec![Mounted { config_map: "fpm".into(), ..Mounted::default() }].into();
    seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
    for (text, told) in [("pm.max_children = ${CHILDREN}", true), ("pm.max_children = 5", false)] {
        let key = Key::new("acme", "fpm");
        let files = [("www.conf".to_owned(), text.to_owned())].into();
        let pool = Pool::read(key.clone(), Arc::new(Default::default()), &files, None);
        seen.observe(Observation::Pool(Seen::All(vec![(key, pool)], now())));
        let notes = of(&seen, "acme").notes;
        assert_eq!(notes.iter().any(|n| n.contains("passed over: ConfigMap fpm says")), told, "{notes:?}");
    }
}

#[test]
fn free_has_three_meanings() {
    let seen = cluster(
        "node w1 memory=4Gi used=3Gi\nnode w2 not-ready\ntenant acme 4 on w1 w1 w1 w1 used=500Mi limit=1Gi request=100Mi",
    );
    let room = node_room(&seen, &"w1".into());
    let mi = |n: u64| Some(Memory(n << 20));
    assert_eq!((room.requested, room.limits), (mi(656), mi(4608)));
    assert_eq!((room.free_of_requests, room.free_of_limits, room.free_of_use), (mi(3440), mi(0), mi(1024)));
    assert_eq!((room.overcommit, room.to_eviction), (Some(1.125), mi(924)));
    assert_eq!(cluster_room(&seen), room, "a node that is not ready offers nothing");
    assert_eq!(node_room(&seen, &"w2".into()).free_of_use, None, "use is not known");
    // With the pods of other namespaces unseen, what is requested is not known; what is used is measured.
    let scoped = Snapshot { namespace: Some("acme".into()), ..seen };
    let room = node_room(&scoped, &"w1".into());
    assert_eq!(
        (room.requested, room.limits, room.free_of_requests, room.overcommit),
        (None, None, None, None)
    );
    assert_eq!((room.allocatable, room.free_of_use), (Some(Memory(4 << 30)), mi(1024)));
    assert_eq!(cluster_room(&scoped), room);
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let rooms = proptest::collection::vec(proptest::option::of(0u32..20), 3);
    let pods = proptest::collection::vec((0usize..3, proptest::option::weighted(0.9, 0u32..12)), 1..7);
    (rooms, pods, 1u32..10).prop_map(|(rooms, pods, children)| {
        let part = |(i, (node, memory)): (usize, (usize, Option<u32>))| Part {
            pod: Key::new("t", format!("p{i}")),
            node: Some(format!("w{node}").into()),
            room: rooms[node],
            memory,
            children,
        };
        let mut parts: Vec<_> = pods.into_iter().enumerate().map(part).collect();
        parts.sort_by(|a, b| a.node.cmp(&b.node));
        parts
    })
}

proptest! {
    #[test]
    fn losing_a_pod_never_raises_it(parts in parts()) {
        let capacity = Capacity { parts, unknown: vec![], unread: 0 };
        let now = capacity.more().expect("known");
        for part in &capacity.parts {
            prop_assert!(capacity.without(|pod, _| *pod == part.pod).expect("known") <= now);
        }
        if let Some(least) = capacity.without_largest() {
            prop_assert!(least <= now);
        }
        prop_assert_eq!(capacity.without(|_, _| true), Some(0));
    }

    #[test]
    fn a_larger_limit_never_lowers_it(parts in parts(), which in 0usize..7, more in 0u32..5) {
        let now = total(&parts, &[]);
        let mut larger = parts.clone();
        let i = which % larger.len();
        larger[i].memory = larger[i].memory.map(|m| m + more);
        prop_assert!(total(&larger, &[]) >= now);
        larger.iter_mut().for_each(|p| p.children += more);
        prop_assert!(total(&larger, &[]) >= now);
        larger.iter_mut().for_each(|p| p.room = p.room.map(|r| r + more));
        prop_assert!(total(&larger, &[]) >= now);
    }

    #[test]
    fn the_named_constraint_is_the_one_whose_relaxing_changes_the_number(parts in parts(), cap in proptest::option::of(0u32..60)) {
        let now = capped(&parts, cap, &[]);
        let named = binding(&parts, cap);
        prop_assert!(!named.is_empty(), "something always binds a pod");
        prop_assert!(capped(&parts, cap, &named) > now);
        // Fewer do not, and where one alone does, none other does more.
        for bound in Bound::ALL {
            let alone = capped(&parts, cap, &[bound]);
            match named.as_slice() {
                [one] => prop_assert!(alone <= capped(&parts, cap, &[*one])),
                _ => prop_assert_eq!(alone, now),
            }
        }
    }

    #[test]
    fn from_the_limits_of_a_sketch_to_the_number(
        used in 0u64..900, limit in 1u64..900, each in 1u64..200, children in 1u32..20,
        node_used in 0u64..5000, pods in 1usize..5,
    ) {
        let on = vec!["w1"; pods].join(" ");
        let with = |limit: u64, pods: &str, count: usize| cluster(&format!(
            "node w1 memory=4Gi used={node_used}Mi\ntenant acme {count} on {pods} used={used}Mi limit={limit}Mi each={each}Mi children={children}"
        ));
        let seen = with(limit, &on, pods);
        let now = of(&seen, "acme");
        let by_limit = limit.saturating_sub(used) / each;
        let by_node = 4096u64.saturating_sub(node_used) / each;
        let expected = (by_limit.min(u64::from(children)) * pods as u64).min(by_node);
        prop_assert_eq!(now.more, Some(expected as u32));
        let larger = of(&with(limit + each, &on, pods), "acme");
        prop_assert!(larger.more >= now.more);
        if pods > 1 {
            let fewer = of(&with(limit, &vec!["w1"; pods - 1].join(" "), pods - 1), "acme");
            prop_assert!(fewer.more <= now.more);
            prop_assert_eq!(fewer.more, now.without_largest);
        }
    }
}

fn table(columns: &str, rows: &[impl AsRef<str>]) -> Table {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let rows = rows.iter().map(|row| words(row.as_ref()).into_iter().map(Some).collect()).collect();
    Table::new(words(columns), rows)
}

/// A member `NAME:3306` in the primary component.
fn member(name: &str, (maximum, used): (u32, u32)) -> Member {
    let (used, maximum) = (format!("Threads_connected {used}"), format!("max_connections {maximum}"));
    let mut status =
        vec!["wsrep_cluster_size 3", "wsrep_local_state 4", "wsrep_cluster_status Primary", &used];
    status.extend(["wsrep_connected ON", "wsrep_ready ON", "wsrep_cluster_conf_id 7"]);
    let rows = MemberRows {
        status: table("name value", &status),
        variables: table("name value", &["wsrep_on ON", "wsrep_provider galera", &maximum]),
        ..MemberRows::default()
    };
    Member::new(format!("{name}:3306").into()).answered(&rows, now())
}

/// A proxy with so many clients of 1000, and these writers.
fn proxy(name: &str, clients: u32, writers: &[(&str, u32, u32)]) -> Proxy {
    let server = |(host, maximum, _): &(&str, u32, u32)| format!("10 {host} 3306 ONLINE 1 {maximum}");
    let pool = |(host, _, used): &(&str, u32, u32)| format!("10 {host} 3306 ONLINE {used} 2");
    let servers: Vec<_> = writers.iter().map(server).collect();
    let pools: Vec<_> = writers.iter().map(pool).collect();
    let rows = ProxyRows {
        servers: Some(table("hostgroup_id hostname port status weight max_connections", &servers)),
        hostgroups: Some(table(
            "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup",
            &["10 20 30 9999"],
        )),
        pool: table("hostgroup srv_host srv_port status ConnUsed ConnFree", &pools),
        global: table("name value", &[format!("Client_Connections_connected {clients}")]),
        variables: Some(table("name value", &["mysql-max_connections 1000"])),
        ..ProxyRows::default()
    };
    Proxy::new(name.into()).answered(&rows, now())
}

fn with(members: Vec<Member>, proxies: Vec<Proxy>) -> Snapshot {
    let mut seen = cluster("node w1\ntenant acme 1 on w1 used=320Mi");
    let members = members.into_iter().map(|m| (m.name.clone(), m)).collect();
    seen.observe(Observation::Member(Seen::All(members, now())));
    seen.observe(Observation::Proxy(Seen::All(
        proxies.into_iter().map(|p| (p.name.clone(), p)).collect(),
        now(),
    )));
    seen
}

#[test]
fn the_least_that_is_left_of_the_databases_connections_binds_everybody() {
    let db1 = || member("db1", (100, 40));
    // Of the 40 on db1, 4 rest in the pools.
    let proxies = |used| vec![proxy("p1", 10, &[("db1", 50, used)]), proxy("p2", 10, &[("db1", 50, used)])];
    let left = connections(&with(vec![db1(), member("db2", (10, 10))], proxies(5))).expect("configured");
    let told: Vec<_> = left.limits.iter().map(|l| (&*l.at, l.maximum, l.used, l.left)).collect();
    let writing = ("proxysql writer hostgroup", 100, 10, 90);
    assert_eq!(told, [("galera db1:3306", 100, 36, 64), writing, ("proxysql clients", 2000, 20, 1980)]);
    assert_eq!((left.more, left.unknown.len()), (Some(64), 0));

    let mut tight = with(vec![db1()], proxies(49));
    let acme = of(&tight, "acme");
    assert_eq!(
        (acme.more, acme.connections, acme.binding),
        (Some(2), Some(2), vec![Bound::DatabaseConnections])
    );
    let sizing = super::super::Sizing { connections: 2.try_into().expect("above 0"), ..Default::default() };
    tight.sizing = Arc::new(sizing);
    assert_eq!(of(&tight, "acme").more, Some(1), "two connections a request");
}

#[test]
fn connections_that_are_not_known_are_not_zero() {
    assert_eq!(connections(&cluster("node w1")), None, "no database is configured");
    let silent = || Proxy::new("p1".into()).failed(Trouble::Refused, "nobody is there", now());
    let unseen = with(vec![Member::new("db1:3306".into())], vec![silent()]);
    let left = connections(&unseen).expect("configured");
    assert_eq!((left.more, left.limits.len(), left.unknown.len()), (None, 0, 3));
    let acme = of(&unseen, "acme");
    assert_eq!((acme.more, acme.connections, acme.binding), (Some(4), None, vec![Bound::MemoryLimit]));
    // Without a proxy, the members together.
    let members = with(vec![member("db1", (9, 5)), member("db2", (9, 6))], vec![]);
    assert_eq!(connections(&members).and_then(|c| c.more), Some(7));
}

proptest! {
    #[test]
    fn losing_a_member_never_raises_it(
        members in proptest::collection::vec((0u32..50, 0u32..60, 0u32..30, 0u32..30), 1..4),
        clients in 900u32..1100, writers in 1usize..4, lost in 0usize..3,
    ) {
        let name = |i: usize| ["db1", "db2", "db3"][i];
        let rows: Vec<_> = members.iter().enumerate().take(writers).map(|(i, m)| (name(i), m.2, m.3)).collect();
        let all: Vec<_> = members.iter().enumerate().map(|(i, m)| member(name(i), (m.0, m.1))).collect();
        let more = |seen: &Snapshot| of(seen, "acme").more.expect("measured");
        let now_more = more(&with(all.clone(), vec![proxy("p1", clients, &rows)]));
        let lost = lost % all.len();
        let mut silent = all.clone();
        silent[lost] = silent[lost].failed(Trouble::Refused, "nobody is there", now());
        prop_assert!(more(&with(silent.clone(), vec![proxy("p1", clients, &rows)])) <= now_more);
        let rest: Vec<_> = rows.iter().copied().filter(|r| r.0 != name(lost)).collect();
        prop_assert!(more(&with(silent, vec![proxy("p1", clients, &rest)])) <= now_more);
    }
}
