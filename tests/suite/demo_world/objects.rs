//! Other objects: deletion and its consequences, other workloads, and objects that make no sense.

use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::demo::kind::{KINDS, Kind};
use wheelhouse::demo::store::DeleteOptions;
use wheelhouse::demo::{Scenario, World};

use super::{build, change, condition, pods, ready, seconds, text};

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
