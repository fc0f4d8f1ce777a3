//! Headroom and what-if against the embedded cluster: what is read of it, what the commands say, and whether what is
//! predicted of a dead node comes true.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use wheelhouse::{
    cluster::{
        Bound, Key, Memory, NodeName, Observation, Origin, Seen, Sizing, Snapshot, Tenancy, TenantName,
        headroom,
    },
    demo::{Options, Scenario, World, kind::Kind as Stored, store::DeleteOptions},
    live::convert::{
        Autoscalers, Budgets, Deployments, Interner, Kind, Namespaces, NodeUsages, Nodes, PodUsages, Pods,
        Pools, ReplicaSets, Services, StatefulSets,
    },
    plan::whatif::{Loss, WhatIf, what_if, worst},
};

use crate::{
    program::Demo,
    world::{Seen as Followed, still},
};

/// Everything in a world, read as the sources read it.
fn look(world: &World) -> Snapshot {
    let mut seen = Snapshot::new(Tenancy::default());
    follow(world, &mut seen, &world.pod_metrics(None));
    seen
}

/// Sees everything in a world as it is now, with these measurements of its pods.
fn follow(world: &World, seen: &mut Snapshot, measured: &[Value]) {
    fn all<K: Kind>(
        texts: impl Iterator<Item = String>,
        at: Timestamp,
        interner: &mut Interner,
    ) -> Seen<K::Key, K::Value> {
        let read = |text: String| K::read(&text, interner).unwrap_or_else(|e| panic!("{e}: {text}"));
        Seen::All(texts.map(read).map(|o| (o.key, o.value)).collect(), at)
    }
    let (at, mut interner) = (world.now(), Interner::default());
    let stored = |kind| world.store.list(kind, None).map(ToString::to_string);
    let i = &mut interner;
    for observation in [
        Observation::Node(all::<Nodes>(stored(Stored::NODE), at, i)),
        Observation::Namespace(all::<Namespaces>(stored(Stored::NAMESPACE), at, i)),
        Observation::ReplicaSet(all::<ReplicaSets>(stored(Stored::REPLICA_SET), at, i)),
        Observation::Deployment(all::<Deployments>(stored(Stored::DEPLOYMENT), at, i)),
        Observation::StatefulSet(all::<StatefulSets>(stored(Stored::STATEFUL_SET), at, i)),
        Observation::Pod(all::<Pods>(stored(Stored::POD), at, i)),
        Observation::Service(all::<Services>(stored(Stored::SERVICE), at, i)),
        Observation::Autoscaler(all::<Autoscalers>(stored(Stored::AUTOSCALER), at, i)),
        Observation::Budget(all::<Budgets>(stored(Stored::DISRUPTION_BUDGET), at, i)),
        Observation::Pool(all::<Pools>(stored(Stored::CONFIG_MAP), at, i)),
        Observation::Usage(all::<PodUsages>(measured.iter().map(Value::to_string), at, i)),
        Observation::NodeUsage(all::<NodeUsages>(world.node_metrics().iter().map(Value::to_string), at, i)),
    ] {
        seen.observe(observation);
    }
    seen.at = at;
}

/// The quarters of a minute in which rules speak, by rule and subject, while a world runs with measurements each 15 s.
fn spoken(world: &mut World, minutes: u32, change: impl Fn(u32, &mut Value)) -> BTreeMap<String, Vec<u32>> {
    let mut seen = Snapshot::new(Tenancy::default());
    let mut spoken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for quarter in 0..minutes * 4 {
        world.step(Duration::from_secs(15));
        let mut measured = world.pod_metrics(None);
        measured.iter_mut().for_each(|pod| change(quarter, pod));
        follow(world, &mut seen, &measured);
        for finding in wheelhouse::cluster::findings(&seen).iter().filter(|f| f.rule.starts_with("headroom-"))
        {
            spoken.entry(format!("{} {}", finding.rule, finding.subject.name())).or_default().push(quarter);
        }
    }
    spoken
}

fn calm(seed: u64) -> World {
    let options =
        Options { tenants: 24, nodes: 5, seed, scenario: Scenario::Calm, speed: 0.0, port: 0, epoch: None };
    World::build(&options, "2026-03-01T03:00:00Z".parse().expect("a time"))
}

#[test]
fn load_that_comes_and_goes_is_no_forecast() {
    for seed in 1..=2 {
        let spoken = spoken(&mut calm(seed), 15, |_, _| {});
        assert!(spoken.is_empty(), "seed {seed}: {spoken:?}");
    }
}

#[test]
fn memory_that_grows_is_told_in_time_and_until_it_is_used_up() {
    // 2 MiB a pod and quarter of a minute, on top of what the load does.
    let grows = |quarter: u32, pod: &mut Value| {
        if pod["metadata"]["namespace"] == "acme" {
            for container in pod["containers"].as_array_mut().expect("containers") {
                if container["name"] == "php-fpm" {
                    let used = container["usage"]["memory"]
                        .as_str()
                        .and_then(|m| m.strip_suffix("Ki")?.parse().ok());
                    let used: u32 = used.expect("memory in Ki");
                    container["usage"]["memory"] = format!("{}Ki", used + quarter * 2048).into();
                }
            }
        }
    };
    let spoken = spoken(&mut calm(1), 30, grows);
    let falling: Vec<_> = spoken.keys().filter(|key| key.starts_with("headroom-falling")).collect();
    assert_eq!(falling, ["headroom-falling acme"], "{spoken:?}");
    let (told, over) = (&spoken["headroom-falling acme"], spoken["headroom-low acme"][0]);
    assert!(over - told[0] >= 12, "three minutes before: {told:?}, {over}");
    let gaps = (told[0]..over).filter(|quarter| !told.contains(quarter)).count();
    assert_eq!(gaps, 0, "it does not come and go: {told:?}, {over}");
}

/// The world of a seed: now and then with a cordoned node, and in two of three with so little memory that not all pods
/// of a dead node find another.
fn build(seed: u64) -> World {
    let mut draw = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed;
    let mut draw = |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let options = Options {
        tenants: 3 + draw(8) as usize,
        nodes: 3 + draw(4) as usize,
        seed,
        scenario: if draw(2) == 0 { Scenario::Calm } else { Scenario::NodeRecovered },
        speed: 0.0,
        port: 0,
        epoch: None,
    };
    let mut world = World::build(&options, "2026-03-01T03:00:00Z".parse().expect("a time"));
    // An autoscaler answers the loss in its own way, which is not the scheduler's.
    let autoscalers: Vec<String> = world
        .store
        .list(Stored::AUTOSCALER, None)
        .map(|a| a["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect();
    for name in autoscalers {
        world.store.delete(Stored::AUTOSCALER, &name, &name, &DeleteOptions::default());
    }
    if draw(3) > 0 {
        let seen = look(&world);
        for (node, load) in &seen.loads {
            let memory = load.requests.1.0 + draw(5) * (200 << 20);
            world.store.update_status(Stored::NODE, "", node.as_str(), "kubelet", |node| {
                node["status"]["allocatable"]["memory"] = memory.to_string().into();
            });
        }
    }
    if draw(4) == 0 {
        world.store.update(Stored::NODE, "", "worker-2", "test", |node| {
            node["spec"]["unschedulable"] = true.into();
        });
    }
    world.step(Duration::from_secs(30));
    world
}

/// Active pods without a node, by workload.
fn pending(seen: &Snapshot) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for pod in seen.pods.values().filter(|p| p.is_active() && p.node.is_none()) {
        let owner = seen.workload_of(pod).map_or_else(|| pod.key.to_string(), |w| w.to_string());
        *all.entry(owner).or_default() += 1;
    }
    all
}

fn predicted_pending(seen: &Snapshot, predicted: &WhatIf) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for key in predicted.pending.iter().map(|w| &w.pod) {
        let pod = seen.pods.get(key).expect("a pod that was seen");
        let owner = seen.workload_of(pod).map_or_else(|| pod.key.to_string(), |w| w.to_string());
        *all.entry(owner).or_default() += 1;
    }
    all
}

/// Tenants of which a pod was ready before and still is. A pod elsewhere that the others' requests have overloaded
/// since is not lost with the node.
fn served(before: &Snapshot, after: &Snapshot, dead: Option<&NodeName>) -> BTreeSet<TenantName> {
    let up = |pod: &Key| after.pods.get(pod).is_some_and(|p| p.ready || p.node.as_ref() != dead);
    let served = before.tenants.values().filter(|t| t.active().any(|p| p.ready && up(&p.key)));
    served.map(|t| t.name.clone()).collect()
}

/// One world: what was predicted of a node's death, and what came of it.
struct Outcome {
    seed: u64,
    predicted: WhatIf,
    pending: (BTreeMap<String, i64>, BTreeMap<String, i64>),
    down: (BTreeSet<TenantName>, BTreeSet<TenantName>),
    lost: (BTreeSet<Key>, BTreeSet<Key>),
    halved: (BTreeSet<TenantName>, BTreeSet<TenantName>),
}

fn kill_a_node(seed: u64) -> Outcome {
    let mut world = build(seed);
    let before = look(&world);
    let nodes: Vec<NodeName> = before.nodes.items.keys().cloned().collect();
    let node = nodes[seed as usize % nodes.len()].clone();
    let predicted = what_if(&before, std::slice::from_ref(&node), Loss::Crash).expect("the room is known");
    // The ranking takes a shorter way to the same numbers.
    for harm in worst(&before).expect("the room is known").iter().filter(|h| h.node == node) {
        let unplaced = predicted.pending.len() + predicted.stuck.len();
        assert_eq!((harm.pending as usize, &harm.down), (unplaced, &predicted.down), "seed {seed}");
        let halved: Vec<_> = predicted.halved.iter().map(|h| h.tenant.clone()).collect();
        assert_eq!((harm.pods, &harm.halved), (predicted.pods, &halved), "seed {seed}");
    }
    world.store.update(Stored::NODE, "", node.as_str(), "kubectl", |object| {
        object["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = "off".into();
    });
    // NotReady after 50 s at most, evicted 300 s later: in between nothing comes up elsewhere.
    world.step(Duration::from_secs(60));
    let lost = look(&world);
    world.step(Duration::from_secs(330));
    let after = look(&world);

    let was_pending = pending(&before);
    let mut is_pending = pending(&after);
    for (owner, pods) in was_pending {
        let now = is_pending.entry(owner).or_default();
        *now -= pods;
    }
    is_pending.retain(|_, pods| *pods != 0);
    let gone = |p: &&std::sync::Arc<wheelhouse::cluster::Pod>| {
        after.pods.get(&p.key).is_none_or(|now| now.uid != p.uid || now.deleting.is_some())
    };
    let replaced: BTreeSet<Key> =
        before.pods.values().filter(|p| p.deleting.is_none()).filter(gone).map(|p| p.key.clone()).collect();
    let expected = predicted.landings.iter().map(|l| &l.pod).chain(predicted.pending.iter().map(|w| &w.pod));
    // Who lost half, by the headroom of the pods that are still ready as they were measured before.
    let mut halved = BTreeSet::new();
    for (name, tenant) in &before.tenants {
        let still = |p: &Key| lost.pods.get(p).is_some_and(|p| p.ready || p.node.as_ref() != Some(&node));
        let capacity = wheelhouse::cluster::Capacity::of(&before, tenant);
        let (was, is) = (capacity.more(), capacity.without(|pod, _| !still(pod)));
        let up = served(&before, &lost, Some(&node)).contains(name);
        if up && was.zip(is).is_some_and(|(was, is)| was > 0 && is * 2 <= was) {
            halved.insert(name.clone());
        }
    }
    Outcome {
        seed,
        pending: (predicted_pending(&before, &predicted), is_pending),
        down: (
            predicted.down.iter().cloned().collect(),
            served(&before, &before, None)
                .difference(&served(&before, &lost, Some(&node)))
                .cloned()
                .collect(),
        ),
        lost: (expected.cloned().collect(), replaced),
        halved: (predicted.halved.iter().map(|h| h.tenant.clone()).collect(), halved),
        predicted,
    }
}

#[test]
fn what_is_predicted_of_a_dead_node_comes_true() {
    const WORLDS: u64 = 200;
    let half = |odd: u64| {
        std::thread::spawn(move || (0..WORLDS).filter(|s| s % 2 == odd).map(kill_a_node).collect::<Vec<_>>())
    };
    let halves = [half(0), half(1)];
    let outcomes: Vec<_> = halves.into_iter().flat_map(|h| h.join().expect("no panic")).collect();
    let (mut waiting, mut down, mut numbers, mut who) = (0, 0, 0, 0);
    for o in &outcomes {
        assert_eq!(o.down.0, o.down.1, "seed {}: who has no ready pod", o.seed);
        assert_eq!(o.lost.0, o.lost.1, "seed {}: which pods are replaced", o.seed);
        assert_eq!(o.halved.0, o.halved.1, "seed {}: who lost half the headroom", o.seed);
        let sum = |pods: &BTreeMap<String, i64>| pods.values().sum::<i64>();
        numbers += u64::from(sum(&o.pending.0) != sum(&o.pending.1));
        if o.pending.0 != o.pending.1 {
            who += 1;
            println!(
                "seed {}: predicted {:?}, came {:?}, equals {:?}",
                o.seed,
                o.pending.0,
                o.pending.1,
                o.predicted.landings.iter().map(|l| l.equals).collect::<Vec<_>>()
            );
        }
        waiting += u64::from(sum(&o.pending.1) > 0);
        down += u64::from(!o.down.1.is_empty());
    }
    println!(
        "{WORLDS} worlds: pods without a node in {waiting}, tenants down in {down}; \
         another number of pending pods in {numbers}, of other tenants in {who}"
    );
    assert!(waiting >= WORLDS / 5 && down >= 5, "the worlds must hurt: {waiting} {down}");
    assert_eq!((numbers, who), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_and_capacities_are_read_over_the_wire() {
    let cluster = still(4, Scenario::Calm).await;
    let mut seen = Followed::of(&cluster.kubeconfig()).await;
    let ready =
        |s: &Snapshot| s.is_ready() && !s.pools.is_empty() && !s.usage.is_empty() && !s.node_usage.is_empty();
    let snapshot = seen.wait("pools and measurements", ready).await;
    assert_eq!(snapshot.pools.len(), 4, "of all ConfigMaps only those with a pool");
    let acme = headroom(&snapshot, &snapshot.tenants[&TenantName::from("acme")]);
    assert_eq!(
        (acme.max_children.value, &acme.max_children.source),
        (8, &Origin::ConfigMap("acme-php".into()))
    );
    assert_eq!(
        (acme.request_memory.value, &acme.request_memory.source),
        (Memory(80 << 20), &Origin::Default)
    );
    assert!(acme.more.is_some_and(|n| n > 0) && acme.binding == [Bound::MemoryLimit], "{acme:?}");
    assert!(snapshot.nodes.values().all(|n| n.capacity == Some(Memory(32 << 30))));

    cluster.with_world(|world| {
        world.store.update(Stored::CONFIG_MAP, "acme", "acme-php", "test", |map| {
            map["data"]["www.conf"] = "[www]\npm.max_children = 3\n".into();
        });
        world.store.update(Stored::DEPLOYMENT, "globex", "globex", "test", |deployment| {
            deployment["metadata"]["annotations"]["wheelhouse.dev/max-children"] = "5".into();
            deployment["metadata"]["annotations"]["wheelhouse.dev/request-memory"] = "100Mi".into();
        });
    });
    let setting = |s: &Snapshot, tenant: &str| {
        let h = headroom(s, &s.tenants[&TenantName::from(tenant)]);
        (h.max_children, h.request_memory)
    };
    let changed = |s: &Snapshot| setting(s, "acme").0.value == 3 && setting(s, "globex").0.value == 5;
    let snapshot = seen.wait("the changes", changed).await;
    let (children, memory) = setting(&snapshot, "globex");
    assert_eq!((children.source, memory.source), (Origin::Annotation, Origin::Annotation));
    assert_eq!(memory.value, Memory(100 << 20));
}

#[test]
fn headroom_what_if_and_fits_are_commands() {
    let demo = Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm --speed 1");
    let on = |code, arguments: &[&str]| demo.json(code, arguments);
    let all = on(0, &["headroom", "-o", "json"]);
    assert_eq!(
        (all["tenants"].as_array().map(Vec::len), all["nodes"].as_array().map(Vec::len)),
        (Some(8), Some(4))
    );
    for key in [
        "allocatable",
        "requested",
        "limits",
        "used",
        "free_of_requests",
        "free_of_limits",
        "free_of_use",
        "overcommit",
        "to_eviction",
    ] {
        assert!(
            !all["cluster"][key].is_null() && !all["nodes"][0][key].is_null(),
            "{key}: {}",
            all["cluster"]
        );
    }
    let acme = on(0, &["headroom", "acme", "-o", "json"]);
    assert!(
        acme["more"].as_u64() > Some(0) && acme["without_largest"].as_u64() < acme["more"].as_u64(),
        "{acme}"
    );
    assert_eq!(
        acme["max_children"],
        serde_json::json!({"value": 8, "source": {"from": "configmap", "name": "acme-php"}})
    );
    assert_eq!(acme["binding"], serde_json::json!(["memory-limit"]));

    let ranking = on(0, &["what-if", "-o", "json"]);
    assert_eq!(ranking.as_array().map(Vec::len), Some(4));
    let crash = on(0, &["what-if", "worker-1", "-o", "json"]);
    let drain = on(0, &["what-if", "worker-1", "--drain", "-o", "json"]);
    assert_eq!((&crash["loss"], &drain["loss"]), (&"crash".into(), &"drain".into()));
    let landings = |w: &Value| w["landings"].as_array().map_or(0, Vec::len);
    let landed: u64 = crash["landed"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
    assert!(landed > 0 && landed == landings(&crash) as u64, "{crash}");
    assert!(crash["landed"].get("worker-1").is_none() && crash["pods"].as_u64() > drain["pods"].as_u64());

    let two = on(0, &["fits", "acme", "+2", "-o", "json"]);
    assert_eq!((&two["fits"], &two["asked"], &two["or_more"]), (&2.into(), &2.into(), &true.into()));
    let many = on(1, &["fits", "acme", "+900", "-o", "json"]);
    assert_eq!(many["refusing"].as_array().map(Vec::len), Some(4), "every node says why: {many}");
    assert!(many["message"].as_str().is_some_and(|m| m.starts_with("0/4 nodes are available: ")), "{many}");

    for (arguments, code, word) in [
        (&["headroom"][..], 0, "FREE OF REQUESTS"),
        (&["headroom", "acme"], 0, "php-fpm"),
        (&["headroom", "acmee"], 1, "no tenant acmee"),
        (&["what-if"], 0, "TENANTS DOWN"),
        (&["what-if", "worker-1", "worker-2"], 0, "fail now"),
        (&["what-if", "worker-9"], 1, "no node worker-9"),
        (&["what-if", "--drain"], 2, "NODE"),
        (&["fits", "acme"], 0, "WHY NOT MORE"),
        (&["fits", "acme", "+many"], 2, "+many"),
    ] {
        let (out, err) = demo.run(code, arguments);
        let said = format!("{out}{err}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}

#[test]
fn the_database_binds_headroom_and_falls_with_its_machines() {
    let demo = Demo::database("--tenants 4 --nodes 4 --seed 7 --scenario calm --speed 1");
    let on = |code, arguments: &[&str]| demo.json(code, arguments);
    let acme = on(0, &["headroom", "acme", "-o", "json"]);
    assert!(acme["connections"].as_u64() > Some(0), "{acme}");
    assert_eq!(acme["database"]["limits"].as_array().map(Vec::len), Some(3), "{acme}");
    let one = on(0, &["what-if", "worker-1", "-o", "json"]);
    let mut members = one["database"].clone();
    for of_proxies in ["proxies", "restarting", "pods"] {
        members.as_object_mut().and_then(|all| all.remove(of_proxies)).expect("it is told");
    }
    assert_eq!(
        members,
        serde_json::json!({
            "members": ["db1"], "weight": [2, 3], "quorum": true, "writer": "db1", "next_writer": "db2",
            "of_proxies": 2, "stopped": false
        })
    );
    // The proxies are lost with the nodes that their pods run on: each with one.
    let proxies = |node: &str| {
        let lost = on(0, &["what-if", node, "-o", "json"])["database"].clone();
        let of = |field: &str| lost[field].as_u64().unwrap_or(0);
        assert_eq!(of("proxies") + of("restarting") > 0, lost["pods"] == true, "{node}: {lost}");
        of("proxies") + of("restarting")
    };
    let all: u64 = ["worker-1", "worker-2", "worker-3", "worker-4"].map(proxies).iter().sum();
    assert_eq!(all, 2);
    assert_eq!(on(0, &["what-if", "db1", "-o", "json"]), one, "a member is its machine");
    let two = on(0, &["what-if", "db1", "db2", "-o", "json"]);
    assert_eq!((&two["database"]["quorum"], &two["database"]["next_writer"]), (&false.into(), &Value::Null));
    let drained = on(0, &["what-if", "db1", "db2", "--drain", "-o", "json"]);
    assert_eq!(drained["database"]["quorum"], true, "stopped gracefully, their weight leaves the sum");
    assert_eq!(on(0, &["what-if", "-o", "json"])[0]["node"], "worker-1");
}

#[test]
fn thresholds_are_configuration() {
    let text =
        "[headroom]\nrequest-memory = \"96Mi\"\nmax-children = 12\nlow = 3\nexhausted-within = \"30m\"\n";
    let config = wheelhouse::config::Config::parse(text).expect("a configuration");
    let sizing = Sizing {
        request_memory: Some(Memory(96 << 20)),
        max_children: Some(12),
        low: 3,
        exhausted_within: jiff::SignedDuration::from_mins(30),
        ..Sizing::default()
    };
    assert_eq!(config.headroom, sizing);
    assert_eq!(wheelhouse::config::Config::parse(&config.to_toml()), Ok(config));
    for (wrong, word) in [
        ("request-memory = \"lots\"", "lots"),
        ("request-memory = \"0\"", "above 0"),
        ("lowest = 3", "lowest"),
    ] {
        let error =
            wheelhouse::config::Config::parse(&format!("[headroom]\n{wrong}\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && error.contains(word), "{error}");
    }
}
