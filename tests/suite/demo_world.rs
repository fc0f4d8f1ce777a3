//! The embedded world by itself, without its API: stepped by hand, always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use wheelhouse::demo::kind::{KINDS, Kind};
use wheelhouse::demo::{self, Options, Scenario, World};

mod nodes;
mod objects;
mod pods;
mod quota;
mod releases;
mod scaling;

const EPOCH: &str = "2026-03-01T03:00:00Z";

fn options(scenario: Scenario) -> Options {
    Options { tenants: 12, nodes: 5, seed: 7, scenario, speed: 0.0, port: 0, epoch: None }
}

fn build(scenario: Scenario) -> World {
    World::build(&options(scenario), EPOCH.parse().expect("a time"))
}

fn seconds(world: &mut World, seconds: u64) {
    world.step(Duration::from_secs(seconds));
}

/// Everything there is, as text.
fn everything(world: &World) -> String {
    let mut text = String::new();
    for kind in KINDS {
        for object in world.store.list(kind, None) {
            text.push_str(&object.to_string());
            text.push('\n');
        }
    }
    for metrics in world.pod_metrics(None).iter().chain(&world.node_metrics()) {
        text.push_str(&metrics.to_string());
    }
    text
}

fn deployment(world: &World, tenant: &str) -> Value {
    Value::clone(world.store.get(Kind::DEPLOYMENT, tenant, tenant).expect("the tenant's Deployment"))
}

fn change(world: &mut World, kind: &'static Kind, space: &str, name: &str, change: impl FnOnce(&mut Value)) {
    world.store.update(kind, space, name, "test", change).expect("the object to change");
    world.react();
}

fn scale(world: &mut World, tenant: &str, replicas: i64) {
    change(world, Kind::DEPLOYMENT, tenant, tenant, |object| object["spec"]["replicas"] = replicas.into());
}

fn pods(world: &World, space: &str) -> Vec<Value> {
    world.store.list(Kind::POD, Some(space)).map(|pod| Value::clone(pod)).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready")["status"] == "True" && pod["metadata"]["deletionTimestamp"].is_null()
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    static NONE: Value = Value::Null;
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == kind).unwrap_or(&NONE)
}

fn ready(world: &World, space: &str) -> usize {
    pods(world, space).iter().filter(|pod| is_ready(pod)).count()
}

fn reasons(world: &World, space: &str) -> BTreeSet<String> {
    world.store.list(Kind::EVENT, Some(space)).map(|event| text(event, "/reason").to_owned()).collect()
}

/// A tenant with this many replicas that no autoscaler looks after.
fn tenant_of(world: &World, replicas: i64) -> String {
    world
        .store
        .list(Kind::DEPLOYMENT, None)
        .filter(|object| object["metadata"]["labels"]["app.kubernetes.io/part-of"] == "saas")
        .filter(|object| object["spec"]["replicas"] == replicas)
        .map(|object| text(object, "/metadata/name").to_owned())
        .find(|name| world.store.get(Kind::AUTOSCALER, name, name).is_none())
        .expect("twelve tenants have one of each common size")
}

fn by_node(world: &World) -> BTreeMap<String, usize> {
    let mut count: BTreeMap<String, usize> =
        world.store.list(Kind::NODE, None).map(|node| (text(node, "/metadata/name").to_owned(), 0)).collect();
    for pod in world.store.list(Kind::POD, None) {
        if pod["metadata"]["deletionTimestamp"].is_null() && pod["metadata"]["labels"]["tenant"].is_string() {
            *count.entry(text(pod, "/spec/nodeName").to_owned()).or_default() += 1;
        }
    }
    count
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    for scenario in Scenario::ALL {
        let (mut one, mut two) = (build(scenario), build(scenario));
        assert_eq!(everything(&one), everything(&two), "{scenario}");
        for world in [&mut one, &mut two] {
            scale(world, "acme", 4);
        }
        // The same time in other steps is the same time.
        seconds(&mut one, 600);
        for _ in 0..60 {
            seconds(&mut two, 10);
        }
        assert_eq!(everything(&one), everything(&two), "{scenario}");
    }
    let other = World::build(&Options { seed: 8, ..options(Scenario::Calm) }, EPOCH.parse().unwrap());
    assert_ne!(everything(&build(Scenario::Calm)), everything(&other));
}

#[test]
fn the_wall_clock_changes_nothing_but_times() {
    let world = |epoch: &str| World::build(&options(Scenario::Calm), epoch.parse().unwrap());
    let names = |world: &World| -> Vec<String> {
        let pods = world.store.list(Kind::POD, None);
        pods.map(|pod| {
            format!("{} {} {}", pod["metadata"]["name"], pod["metadata"]["uid"], pod["spec"]["nodeName"])
        })
        .collect()
    };
    let usage = |world: &World| -> Vec<Value> {
        world.pod_metrics(None).iter().map(|item| item["containers"].clone()).collect()
    };
    let (one, two) = (world(EPOCH), world("2031-07-09T11:22:33.5Z"));
    assert_eq!(names(&one), names(&two));
    assert_eq!(usage(&one), usage(&two));
}

#[test]
fn a_calm_world_is_settled_and_stays_so() {
    let mut world = build(Scenario::Calm);
    let kinds = [Kind::POD, Kind::DEPLOYMENT, Kind::REPLICA_SET, Kind::DAEMON_SET, Kind::DISRUPTION_BUDGET];
    let versions = |world: &World| -> Vec<String> {
        let all = kinds.iter().flat_map(|kind| world.store.list(kind, None));
        all.map(|object| text(object, "/metadata/resourceVersion").to_owned()).collect()
    };
    let before = versions(&world);
    seconds(&mut world, 1800);
    assert_eq!(before, versions(&world), "half an hour of calm changes no workload");
    for object in world.store.list(Kind::DEPLOYMENT, None) {
        let wanted = &object["spec"]["replicas"];
        assert_eq!(&object["status"]["availableReplicas"], wanted, "{}", object["metadata"]["name"]);
        assert_eq!(condition(object, "Progressing")["reason"], "NewReplicaSetAvailable");
    }
    for tenant in ["acme", "globex", "initech"] {
        let nodes: BTreeSet<String> =
            pods(&world, tenant).iter().map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
        assert_eq!(nodes.len(), pods(&world, tenant).len(), "{tenant} is on different nodes");
    }
}

#[test]
fn the_scenarios_look_as_they_say() {
    let world = build(Scenario::NodeRecovered);
    assert_eq!(by_node(&world)["worker-3"], 0, "it came back empty");
    let doubled = world.store.list(Kind::DEPLOYMENT, None).filter(|object| {
        let space = text(object, "/metadata/namespace");
        let nodes: Vec<String> =
            pods(&world, space).iter().map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
        object["metadata"]["labels"]["tenant"].is_string()
            && nodes.iter().collect::<BTreeSet<_>>().len() < nodes.len()
    });
    assert!(doubled.count() >= 3);
    let node = world.store.get(Kind::NODE, "", "worker-3").unwrap();
    assert_eq!(condition(node, "Ready")["lastTransitionTime"], "2026-03-01T02:48:00Z");

    let mut world = build(Scenario::Pressure);
    let pending = pods(&world, "initech").into_iter().find(|pod| pod["spec"]["nodeName"].is_null()).unwrap();
    let message = text(condition(&pending, "PodScheduled"), "/message");
    assert_eq!(
        message,
        "0/5 nodes are available: 1 node(s) were unschedulable, 4 Insufficient memory. no new claims to deallocate, \
         preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
    );
    assert!(reasons(&world, "initech").contains("FailedScheduling"));
    let full = world.node_metrics().into_iter().find(|item| item["metadata"]["name"] == "worker-4").unwrap();
    let kib: i64 = text(&full, "/usage/memory").trim_end_matches("Ki").parse().unwrap();
    assert!(kib > (32 << 20) / 100 * 93, "{kib}");
    seconds(&mut world, 1300);
    let node = world.store.get(Kind::NODE, "", "worker-1").unwrap();
    assert_eq!(condition(node, "Ready")["status"], "Unknown", "the timeline went on");
}

#[test]
fn a_large_world_is_built_and_reacts() {
    let options = Options { tenants: 300, nodes: 20, ..options(Scenario::Calm) };
    let mut world = World::build(&options, Timestamp::UNIX_EPOCH);
    assert_eq!(
        world
            .store
            .list(Kind::NAMESPACE, None)
            .filter(|space| space["metadata"]["labels"]["tenant"].is_string())
            .count(),
        300
    );
    let pending = world.store.list(Kind::POD, None).filter(|pod| pod["spec"]["nodeName"].is_null()).count();
    assert_eq!(pending, 0);
    scale(&mut world, "tenant-0299", 5);
    seconds(&mut world, 30);
    assert_eq!(ready(&world, "tenant-0299"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_runs_at_its_speed_or_stands_still() {
    let epoch: Timestamp = EPOCH.parse().unwrap();
    let cluster = demo::start(Options { epoch: Some(epoch), ..options(Scenario::Calm) }).await.unwrap();
    cluster.step(Duration::from_secs(60));
    assert_eq!(cluster.with_world(|world| world.now()), epoch + Duration::from_secs(60));
    assert!(cluster.kubeconfig().contains(&cluster.url()));
    drop(cluster);
    let fast = Options { epoch: Some(epoch), speed: 1000.0, ..options(Scenario::Calm) };
    let cluster = demo::start(fast).await.unwrap();
    while cluster.with_world(|world| world.now()) < epoch + Duration::from_secs(60) {
        tokio::task::yield_now().await;
    }
    let wrong = demo::start(Options { speed: -1.0, ..options(Scenario::Calm) }).await;
    assert!(wrong.err().unwrap().to_string().contains("-1"));
}
