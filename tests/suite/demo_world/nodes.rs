//! Nodes: dead, without power, cordoned.

use serde_json::Value;
use wheelhouse::demo::kind::Kind;
use wheelhouse::demo::{Scenario, World};

use super::{build, by_node, change, condition, is_ready, pods, reasons, scale, seconds, tenant_of, text};

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
