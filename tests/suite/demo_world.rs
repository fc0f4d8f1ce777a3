//! The embedded world by itself, without its API: stepped by hand, always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wheelhouse::demo::kind::{KINDS, Kind};
use wheelhouse::demo::store::DeleteOptions;
use wheelhouse::demo::{self, NoLog, Options, Scenario, World};

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
fn scaling_goes_up_and_down_and_says_so() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    scale(&mut world, &tenant, 4);
    let all = pods(&world, &tenant);
    assert_eq!((all.len(), ready(&world, &tenant)), (4, 2));
    let object = deployment(&world, &tenant);
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    assert_eq!(object["status"]["unavailableReplicas"], 2);
    let new: Vec<&Value> = all.iter().filter(|pod| !is_ready(pod)).collect();
    assert!(
        new.iter().all(|pod| text(pod, "/status/phase") == "Pending" && pod["spec"]["nodeName"].is_string())
    );
    seconds(&mut world, 30);
    assert_eq!(ready(&world, &tenant), 4);
    assert_eq!(deployment(&world, &tenant)["status"]["availableReplicas"], 4);
    for reason in ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"] {
        assert!(reasons(&world, &tenant).contains(reason), "no event {reason}");
    }
    scale(&mut world, &tenant, 1);
    assert_eq!(ready(&world, &tenant), 1);
    assert_eq!(pods(&world, &tenant).len(), 4, "terminating pods stay for their grace period");
    seconds(&mut world, 40);
    assert_eq!(pods(&world, &tenant).len(), 1);
    assert!(reasons(&world, &tenant).contains("Killing"));
    assert_eq!(deployment(&world, &tenant)["status"]["replicas"], 1);
    scale(&mut world, &tenant, 0);
    seconds(&mut world, 40);
    assert_eq!(pods(&world, &tenant).len(), 0);
    scale(&mut world, &tenant, 2);
    seconds(&mut world, 40);
    assert_eq!(ready(&world, &tenant), 2);
}

#[test]
fn a_deletion_cost_decides_the_victim() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    let victim = text(&pods(&world, &tenant)[1], "/metadata/name").to_owned();
    change(&mut world, Kind::POD, &tenant, &victim, |pod| {
        pod["metadata"]["annotations"] = json!({"controller.kubernetes.io/pod-deletion-cost": "-100"});
    });
    scale(&mut world, &tenant, 2);
    let left: Vec<String> = pods(&world, &tenant)
        .iter()
        .filter(|pod| is_ready(pod))
        .map(|pod| text(pod, "/metadata/name").to_owned())
        .collect();
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&victim));
}

#[test]
fn a_dead_node_loses_its_pods_after_its_grace_and_gets_nothing_back() {
    let mut world = build(Scenario::Calm);
    let before = by_node(&world)["worker-2"];
    assert!(before > 0);
    let power = |world: &mut World, to: &str| {
        change(world, Kind::NODE, "", "worker-2", |node| {
            node["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = to.into();
        });
    };
    let status = |world: &World| {
        let node = world.store.get(Kind::NODE, "", "worker-2").unwrap();
        condition(node, "Ready")["status"].as_str().unwrap().to_owned()
    };
    power(&mut world, "off");
    seconds(&mut world, 40);
    assert_eq!(status(&world), "True", "nobody knows yet");
    seconds(&mut world, 12);
    assert_eq!(status(&world), "Unknown");
    let node = world.store.get(Kind::NODE, "", "worker-2").unwrap().clone();
    let taints: Vec<&str> =
        node["spec"]["taints"].as_array().unwrap().iter().map(|taint| text(taint, "/effect")).collect();
    assert_eq!(taints, ["NoSchedule", "NoExecute"]);
    let lost = world.store.list(Kind::POD, None).filter(|pod| pod["spec"]["nodeName"] == "worker-2");
    assert!(lost.into_iter().all(|pod| !is_ready(pod)));
    assert_eq!(by_node(&world)["worker-2"], before, "they are not given up yet");
    assert!(world.node_metrics().iter().all(|item| item["metadata"]["name"] != "worker-2"));
    seconds(&mut world, 290);
    assert_eq!(by_node(&world)["worker-2"], before);
    seconds(&mut world, 60);
    assert_eq!(by_node(&world)["worker-2"], 0, "evicted after 300 s");
    for object in world.store.list(Kind::DEPLOYMENT, None) {
        assert_eq!(
            object["status"]["availableReplicas"], object["spec"]["replicas"],
            "{}",
            object["metadata"]["name"]
        );
    }
    let stuck = |world: &World| {
        let pods = world.store.list(Kind::POD, None);
        pods.filter(|pod| {
            pod["spec"]["nodeName"] == "worker-2" && !pod["metadata"]["deletionTimestamp"].is_null()
        })
        .count()
    };
    assert!(stuck(&world) >= before, "no kubelet confirms their end");
    power(&mut world, "on");
    seconds(&mut world, 60);
    assert_eq!(status(&world), "True");
    assert_eq!((by_node(&world)["worker-2"], stuck(&world)), (0, 0), "nothing moves back");
    let node = world.store.get(Kind::NODE, "", "worker-2").unwrap();
    assert!(node["spec"]["taints"].is_null());
    assert!(
        reasons(&world, "default").is_superset(&["NodeNotReady".to_owned(), "NodeReady".to_owned()].into())
    );
}

#[test]
fn a_short_power_cut_restarts_the_containers() {
    let mut world = build(Scenario::Calm);
    for to in ["off", "on"] {
        change(&mut world, Kind::NODE, "", "worker-1", |node| {
            node["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = to.into();
        });
        seconds(&mut world, 60);
    }
    let there: Vec<Value> = world
        .store
        .list(Kind::POD, None)
        .filter(|pod| pod["spec"]["nodeName"] == "worker-1")
        .map(|pod| Value::clone(pod))
        .collect();
    assert!(!there.is_empty());
    for pod in there {
        assert!(is_ready(&pod), "{}", pod["metadata"]["name"]);
        assert!(pod["status"]["containerStatuses"][0]["restartCount"].as_i64() > Some(0));
    }
}

#[test]
fn a_cordoned_node_is_tainted_and_left_alone() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    let nodes: Vec<String> = by_node(&world).into_keys().collect();
    for node in &nodes[1..] {
        change(&mut world, Kind::NODE, "", node, |node| node["spec"]["unschedulable"] = true.into());
    }
    let node = world.store.get(Kind::NODE, "", &nodes[1]).unwrap();
    assert_eq!(node["spec"]["taints"][0]["key"], "node.kubernetes.io/unschedulable");
    let old: Vec<String> =
        pods(&world, &tenant).iter().map(|pod| text(pod, "/metadata/name").to_owned()).collect();
    scale(&mut world, &tenant, 4);
    for pod in
        pods(&world, &tenant).iter().filter(|pod| !old.contains(&text(pod, "/metadata/name").to_owned()))
    {
        assert_eq!(text(pod, "/spec/nodeName"), nodes[0], "the only node that takes pods");
    }
    change(&mut world, Kind::NODE, "", &nodes[1], |node| node["spec"]["unschedulable"] = false.into());
    assert!(world.store.get(Kind::NODE, "", &nodes[1]).unwrap()["spec"]["taints"].is_null());
}

fn release(world: &mut World, tenant: &str, tag: &str) {
    change(world, Kind::DEPLOYMENT, tenant, tenant, |object| {
        object["spec"]["template"]["spec"]["containers"][1]["image"] =
            format!("registry.example/app:{tag}").into();
    });
}

#[test]
fn a_release_rolls_without_losing_a_pod_and_can_be_taken_back() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    let first = deployment(&world, &tenant);
    let sets = |world: &World| world.store.list(Kind::REPLICA_SET, Some(&tenant)).count();
    let count = sets(&world);
    release(&mut world, &tenant, "2.5.0");
    for _ in 0..120 {
        assert!(ready(&world, &tenant) >= 3, "25 % of 3 rounds down to none that may be missing");
        assert!(
            pods(&world, &tenant).iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).count()
                <= 4
        );
        seconds(&mut world, 1);
    }
    assert_eq!(sets(&world), count + 1);
    assert!(
        pods(&world, &tenant).iter().all(|pod| text(pod, "/spec/containers/1/image").ends_with(":2.5.0"))
    );
    let object = deployment(&world, &tenant);
    assert_eq!(object["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!(condition(&object, "Progressing")["reason"], "NewReplicaSetAvailable");
    assert_eq!(object["status"]["updatedReplicas"], 3);
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| {
        object["spec"]["template"] = first["spec"]["template"].clone()
    });
    seconds(&mut world, 120);
    assert_eq!(sets(&world), count + 1, "the old ReplicaSet is used again");
    assert_eq!(
        deployment(&world, &tenant)["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "4"
    );
    assert_eq!(ready(&world, &tenant), 3);
}

#[test]
fn a_broken_image_stops_a_release_until_its_deadline_is_noticed() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    release(&mut world, &tenant, "2.5.0-broken");
    seconds(&mut world, 30);
    let stuck: Vec<Value> = pods(&world, &tenant).into_iter().filter(|pod| !is_ready(pod)).collect();
    assert_eq!((stuck.len(), ready(&world, &tenant)), (1, 3));
    let reason = text(&stuck[0], "/status/containerStatuses/1/state/waiting/reason");
    assert!(matches!(reason, "ErrImagePull" | "ImagePullBackOff"), "{reason}");
    let name = text(&stuck[0], "/metadata/name");
    assert!(matches!(world.log_lines(&tenant, name, "php-fpm", false), Err(NoLog::Waiting(_))));
    seconds(&mut world, 620);
    let object = deployment(&world, &tenant);
    assert_eq!(condition(&object, "Progressing")["reason"], "ProgressDeadlineExceeded");
    assert!(reasons(&world, &tenant).is_superset(&["Failed".to_owned(), "BackOff".to_owned()].into()));
    release(&mut world, &tenant, "2.5.1");
    seconds(&mut world, 120);
    assert_eq!(condition(&deployment(&world, &tenant), "Progressing")["reason"], "NewReplicaSetAvailable");
}

#[test]
fn recreate_stops_the_old_pods_first_and_a_paused_deployment_waits() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| object["spec"]["paused"] = true.into());
    release(&mut world, &tenant, "2.6.0");
    seconds(&mut world, 60);
    assert!(
        pods(&world, &tenant).iter().all(|pod| !text(pod, "/spec/containers/1/image").ends_with(":2.6.0"))
    );
    scale(&mut world, &tenant, 4);
    seconds(&mut world, 60);
    assert_eq!(ready(&world, &tenant), 4, "a paused deployment still scales");
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| {
        object["spec"]["paused"] = false.into();
        object["spec"]["strategy"] = json!({"type": "Recreate"});
    });
    let images = |world: &World| -> BTreeSet<String> {
        pods(world, &tenant).iter().map(|pod| text(pod, "/spec/containers/1/image").to_owned()).collect()
    };
    let mut none = false;
    for _ in 0..60 {
        assert!(images(&world).len() <= 1, "never two releases at once");
        none |= images(&world).is_empty() || ready(&world, &tenant) == 0;
        seconds(&mut world, 1);
    }
    assert!(none);
    assert_eq!((ready(&world, &tenant), images(&world).len()), (4, 1));
}

#[test]
fn the_autoscaler_takes_a_manual_scale_back_at_its_next_sync() {
    let mut world = build(Scenario::Calm);
    let autoscaler =
        world.store.list(Kind::AUTOSCALER, None).next().expect("twelve tenants have one").clone();
    let tenant = text(&autoscaler, "/metadata/name").to_owned();
    let before = deployment(&world, &tenant)["spec"]["replicas"].clone();
    scale(&mut world, &tenant, 1);
    assert_eq!(deployment(&world, &tenant)["spec"]["replicas"], 1);
    seconds(&mut world, 16);
    assert!(deployment(&world, &tenant)["spec"]["replicas"].as_i64() >= Some(2), "below its minimum");
    seconds(&mut world, 300);
    assert_eq!(deployment(&world, &tenant)["spec"]["replicas"], before, "its own choice again");
    let most = autoscaler["spec"]["maxReplicas"].as_i64().unwrap();
    scale(&mut world, &tenant, most + 4);
    seconds(&mut world, 16);
    assert!(deployment(&world, &tenant)["spec"]["replicas"].as_i64() <= Some(most));
    assert!(reasons(&world, &tenant).contains("SuccessfulRescale"));
}

#[test]
fn a_budget_counts_healthy_pods_and_granted_evictions() {
    let mut world = build(Scenario::Calm);
    let tenant = "acme";
    let budget =
        |world: &World| world.store.get(Kind::DISRUPTION_BUDGET, tenant, tenant).unwrap()["status"].clone();
    let count = pods(&world, tenant).len() as i64;
    let status = budget(&world);
    assert_eq!(status["expectedPods"], count);
    assert_eq!(status["currentHealthy"], count);
    assert_eq!(status["disruptionsAllowed"], count - 1);
    assert_eq!(status["conditions"][0]["reason"], "SufficientPods");
    // What the eviction API writes before it deletes; here the deletion does not follow.
    let pod = text(&pods(&world, tenant)[0], "/metadata/name").to_owned();
    let since =
        text(&json!(jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", world.now()).unwrap()), "").to_owned();
    world.store.update_status(Kind::DISRUPTION_BUDGET, tenant, tenant, "test", |budget| {
        budget["status"]["disruptionsAllowed"] = (count - 2).into();
        budget["status"]["disruptedPods"] = json!({pod.clone(): since});
    });
    world.react();
    assert_eq!(
        budget(&world)["disruptionsAllowed"],
        count - 2,
        "the grant counts although the pod still runs"
    );
    assert_eq!(budget(&world)["currentHealthy"], count - 1);
    seconds(&mut world, 130);
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 1, "for two minutes");
    assert!(budget(&world)["disruptedPods"].is_null());
    world.store.delete(Kind::POD, tenant, &pod, &DeleteOptions::default());
    world.react();
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 2);
    seconds(&mut world, 60);
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 1);
}

#[test]
fn who_is_over_the_memory_limit_is_killed_and_crashes_back_off() {
    let mut world = build(Scenario::Pressure);
    seconds(&mut world, 900);
    let killed = world
        .store
        .list(Kind::POD, None)
        .flat_map(|pod| pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default())
        .filter(|status| status["lastState"]["terminated"]["reason"] == "OOMKilled")
        .filter(|status| text(status, "/lastState/terminated/finishedAt") > EPOCH)
        .count();
    assert!(killed > 0, "some php-fpm met its limit");
    assert!(reasons(&world, "default").contains("OOMKilling"));
    let crashing: Vec<Value> = pods(&world, "umbrella").into_iter().filter(|pod| !is_ready(pod)).collect();
    assert!(!crashing.is_empty());
    let status = &crashing[0]["status"]["containerStatuses"][1];
    assert!(status["restartCount"].as_i64() > Some(3), "{status}");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 255);
    let waiting = text(status, "/state/waiting/reason");
    assert!(waiting == "CrashLoopBackOff" || status["state"]["running"].is_object(), "{status}");
    let name = text(&crashing[0], "/metadata/name");
    let last = world.log_lines("umbrella", name, "php-fpm", true).unwrap().pop().unwrap();
    assert!(last.text.contains("PHP Fatal error"), "{}", last.text);
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
fn deleting_takes_what_is_owned_and_a_namespace_empties() {
    let mut world = build(Scenario::Calm);
    let sets = |world: &World, space: &str| world.store.list(Kind::REPLICA_SET, Some(space)).count();
    world.store.delete(Kind::DEPLOYMENT, "acme", "acme", &DeleteOptions::default());
    world.react();
    assert_eq!(sets(&world, "acme"), 0);
    assert_eq!(ready(&world, "acme"), 0);
    seconds(&mut world, 40);
    assert_eq!(pods(&world, "acme").len(), 0);

    world.store.delete(
        Kind::DEPLOYMENT,
        "globex",
        "globex",
        &DeleteOptions { foreground: true, ..Default::default() },
    );
    world.react();
    assert!(world.store.get(Kind::DEPLOYMENT, "globex", "globex").is_some(), "it waits for its pods");
    seconds(&mut world, 40);
    assert!(world.store.get(Kind::DEPLOYMENT, "globex", "globex").is_none());
    assert_eq!(pods(&world, "globex").len(), 0);

    let count = ready(&world, "hooli");
    world.store.delete(
        Kind::DEPLOYMENT,
        "hooli",
        "hooli",
        &DeleteOptions { orphan: true, ..Default::default() },
    );
    world.react();
    seconds(&mut world, 40);
    assert!(world.store.get(Kind::DEPLOYMENT, "hooli", "hooli").is_none());
    assert_eq!(ready(&world, "hooli"), count);

    world.store.delete(Kind::NAMESPACE, "", "stark", &DeleteOptions::default());
    world.react();
    assert!(world.store.get(Kind::NAMESPACE, "", "stark").is_some());
    seconds(&mut world, 60);
    assert!(world.store.get(Kind::NAMESPACE, "", "stark").is_none());
    for kind in KINDS.iter().filter(|kind| kind.namespaced) {
        assert_eq!(world.store.list(kind, Some("stark")).count(), 0, "{kind:?}");
    }
}

#[test]
fn stateful_sets_jobs_and_daemon_sets_run() {
    let mut world = build(Scenario::Calm);
    let template = |labels: Value, policy: &str, command: Value| {
        json!({"metadata": {"labels": labels}, "spec": {"restartPolicy": policy, "containers": [
            {"name": "main", "image": "registry.example/app:2.4.1", "command": command}]}})
    };
    let labels = json!({"app": "db"});
    world.store.insert(
        Kind::STATEFUL_SET,
        json!({"metadata": {"name": "db", "namespace": "acme"},
               "spec": {"replicas": 3, "serviceName": "db", "selector": {"matchLabels": labels},
                        "template": template(labels.clone(), "Always", Value::Null)}}),
    );
    world.react();
    let of = |world: &World, prefix: &str| -> Vec<String> {
        let names = pods(world, "acme").into_iter().map(|pod| text(&pod, "/metadata/name").to_owned());
        names.filter(|name| name.starts_with(prefix)).collect()
    };
    assert_eq!(of(&world, "db-"), ["db-0"], "one after the other");
    seconds(&mut world, 60);
    assert_eq!(of(&world, "db-"), ["db-0", "db-1", "db-2"]);
    change(&mut world, Kind::STATEFUL_SET, "acme", "db", |set| set["spec"]["replicas"] = 1.into());
    seconds(&mut world, 60);
    assert_eq!(of(&world, "db-"), ["db-0"], "the highest ordinals go");
    assert_eq!(world.store.get(Kind::STATEFUL_SET, "acme", "db").unwrap()["status"]["readyReplicas"], 1);

    for (name, command) in [("migrate", json!(["php", "migrate"])), ("wrong", json!(["sh", "-c", "exit 1"]))]
    {
        world.store.insert(
            Kind::JOB,
            json!({"metadata": {"name": name, "namespace": "acme"},
                   "spec": {"parallelism": 1, "completions": 1, "backoffLimit": 1,
                            "template": template(json!({"job": name}), "Never", command)}}),
        );
    }
    world.react();
    seconds(&mut world, 90);
    let job = |name: &str| world.store.get(Kind::JOB, "acme", name).unwrap();
    assert_eq!(condition(job("migrate"), "Complete")["status"], "True");
    assert_eq!(condition(job("wrong"), "Failed")["reason"], "BackoffLimitExceeded");
    assert_eq!(job("wrong")["status"]["failed"], 2);

    let daemons = world.store.list(Kind::POD, Some("ingress-nginx")).count();
    assert_eq!(daemons, 5, "one on each node");
    let victim = text(&pods(&world, "ingress-nginx")[0], "/metadata/name").to_owned();
    world.store.delete(Kind::POD, "ingress-nginx", &victim, &DeleteOptions::default());
    world.react();
    seconds(&mut world, 60);
    assert_eq!(ready(&world, "ingress-nginx"), 5);
}

#[test]
fn logs_only_ever_grow() {
    let mut world = build(Scenario::Calm);
    let pod = text(&pods(&world, "acme")[0], "/metadata/name").to_owned();
    for container in ["nginx", "php-fpm"] {
        let before = world.log_lines("acme", &pod, container, false).unwrap();
        assert!(before.len() > 100 && before.is_sorted_by_key(|line| line.at));
        assert!(before.iter().all(|line| line.at <= world.now()));
        let last = before.last().unwrap().clone();
        seconds(&mut world, 60);
        let after = world.log_lines("acme", &pod, container, false).unwrap();
        let new = after.iter().skip_while(|line| **line != last).count();
        assert!(new > 1, "{container} wrote something in a minute");
    }
    assert_eq!(world.log_lines("acme", "nobody", "nginx", false), Err(NoLog::Pod));
    assert_eq!(world.log_lines("acme", &pod, "redis", false), Err(NoLog::Container));
}

#[test]
fn metrics_breathe_within_their_bounds() {
    let mut world = build(Scenario::Calm);
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        for item in world.pod_metrics(Some("acme")) {
            assert_eq!(item["window"], "15s");
            let memory = text(&item, "/containers/1/usage/memory");
            let kib: i64 = memory.trim_end_matches("Ki").parse().unwrap();
            assert!((50 << 10..640 << 10).contains(&kib), "{memory}");
            seen.insert(memory.to_owned());
        }
        seconds(&mut world, 15);
    }
    assert!(seen.len() > 40, "it moves");
    assert_eq!(world.node_metrics().len(), 5);
}

#[test]
fn odd_objects_hurt_nobody() {
    let mut world = build(Scenario::Calm);
    let odd = [
        json!({"metadata": {"name": "odd", "namespace": "acme"}}),
        json!({"metadata": {"name": "odd", "namespace": "acme"}, "spec": "nonsense", "status": [1, 2]}),
        json!({"metadata": {"name": "odd", "namespace": "acme", "labels": 3, "annotations": [], "ownerReferences": "me",
                            "deletionTimestamp": 7, "finalizers": {}}, "spec": {}, "status": {"conditions": {}}}),
        json!({"metadata": {"name": "odd", "namespace": "acme"},
               "spec": {"replicas": -5, "minReplicas": 9, "maxReplicas": -1, "selector": {"matchLabels": {"a": "b"}}, "template": {},
                        "strategy": {"rollingUpdate": {"maxSurge": "many%", "maxUnavailable": {}}},
                        "containers": [{"name": 5}, null], "initContainers": "x", "nodeName": "worker-1", "tolerations": [null],
                        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "acme"},
                        "metrics": [{}], "parallelism": -3, "completions": -2, "minAvailable": "x%"},
               "status": {"containerStatuses": [3], "phase": 4, "conditions": [null, "x"], "disruptedPods": {"a": 5}}}),
        json!({"metadata": {"name": "odd", "namespace": "acme"},
               "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": [], "spec": {"containers": {},
                        "volumes": "none", "tolerations": {}}}, "jobTemplate": null, "ports": [[]]}}),
    ];
    for kind in KINDS.iter().filter(|kind| **kind != *Kind::NAMESPACE && kind.stored() == *kind) {
        for object in &odd {
            world.store.insert(kind, object.clone());
            world.react();
            seconds(&mut world, 40);
            let space = if kind.namespaced { "acme" } else { "" };
            world.store.delete(
                kind,
                space,
                "odd",
                &DeleteOptions { grace_seconds: Some(0), ..Default::default() },
            );
            world.react();
            world.store.remove(kind, space, "odd");
            world.react();
        }
    }
    world.step(Duration::from_secs(600));
    assert_eq!(ready(&world, "globex"), pods(&world, "globex").len());
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
