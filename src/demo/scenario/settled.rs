//! Objects as they stand when nothing has happened to them for a while.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controllers;
use crate::kind::Kind;
use crate::kubelet;
use crate::store::{Object, stamp};
use crate::value::{self, list, name, set, text};
use crate::world::World;

/// The instant `ago` before the world's present.
pub(super) fn past(now: Timestamp, ago: SignedDuration) -> Timestamp {
    now.checked_sub(ago).unwrap_or(now)
}

/// Creates a namespace with what every namespace has, at the store's present.
pub(super) fn namespace(world: &mut World, called: &str, mut labels: Value) {
    set(&mut labels, &["kubernetes.io/metadata.name"], called.into());
    world.store.insert_by(
        Kind::NAMESPACE,
        json!({"metadata": {"name": called, "labels": labels}, "spec": {"finalizers": ["kubernetes"]},
               "status": {"phase": "Active"}}),
        "kubectl-create",
    );
    controllers::namespace(world, called);
}

/// Creates the ReplicaSet and the pods of a Deployment that was rolled out at `rolled`, all as they stand when
/// nothing has happened since. `pod` gives each pod, its node (None: it stays pending) and since when it runs.
pub(super) fn settle_deployment(
    world: &mut World,
    deployment: &Object,
    revision: i64,
    born: Timestamp,
    rolled: Timestamp,
    mut pod: impl FnMut(&mut World, &Value, usize) -> (Value, Option<String>, Timestamp),
) {
    let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let (space, called) = (text(&deployment["metadata"]["namespace"]), name(deployment));
    world.store.set_now(rolled);
    let set =
        world.store.insert(Kind::REPLICA_SET, controllers::new_replica_set(deployment, revision, replicas));
    let mut placed = 0;
    for index in 0..usize::try_from(replicas).unwrap_or(0) {
        let (mut object, node, since) = pod(world, &set, index);
        value::set(&mut object, &["metadata", "generateName"], format!("{}-", name(&set)).into());
        settle_pod(world, object, node.as_deref(), since);
        placed += i64::from(node.is_some());
    }
    let done = rolled.checked_add(SignedDuration::from_secs(40)).unwrap_or(rolled);
    world.store.set_now(done);
    world.store.update_status(Kind::REPLICA_SET, space, name(&set), "kube-controller-manager", |set| {
        set["status"] = json!({"replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": placed,
            "availableReplicas": placed, "terminatingReplicas": 0, "observedGeneration": 1});
    });
    world.store.update_status(Kind::DEPLOYMENT, space, called, "kube-controller-manager", |deployment| {
        deployment["status"] = controllers::settled_status(replicas, name(&set), born, done);
    });
}

/// Stores a pod that has run on the node since `since`; without a node it is stored as just created.
pub(super) fn settle_pod(world: &mut World, object: Value, node: Option<&str>, since: Timestamp) {
    world.store.set_now(since);
    let pod = world.store.insert(Kind::POD, object);
    let Some(node) = node else { return };
    let host = world.kubelet.host_address(node);
    let address = world.kubelet.address(node);
    for container in list(&pod["spec"]["containers"]) {
        world.kubelet.fetch(node, text(&container["image"]));
    }
    world.bind(text(&pod["metadata"]["namespace"]), name(&pod), node);
    let after = |seconds: i64| since.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(since);
    let (started, ready) = (after(3), after(7));
    let restarts = restarts(world, &pod, since);
    world.store.set_now(ready);
    world.store.update_status(Kind::POD, text(&pod["metadata"]["namespace"]), name(&pod), "kubelet", |pod| {
        kubelet::admit(pod, &host, since);
        kubelet::start(pod, &address, started, &|_| false);
        for index in 0..list(&pod["spec"]["containers"]).count() {
            kubelet::become_ready(pod, index, ready);
        }
        if let Some((count, killed)) = restarts {
            restarted(pod, count, killed);
        }
    });
}

/// Some pods of tenants met their memory limit once: how often, and when last.
fn restarts(world: &World, pod: &Value, since: Timestamp) -> Option<(i64, Timestamp)> {
    let id = text(&pod["metadata"]["uid"]);
    let tenant = pod["metadata"]["labels"]["tenant"].is_string();
    let age = world.epoch.duration_since(since).as_secs();
    if !tenant || age < 86_400 || world.fate(&[id, "restarts"]) > 0.06 {
        return None;
    }
    let count = 1 + (world.fate(&[id, "count"]) * 3.0) as i64;
    let after = (age as f64 * (0.1 + 0.8 * world.fate(&[id, "killed"]))) as i64;
    Some((count, since.checked_add(SignedDuration::from_secs(after)).ok()?))
}

fn restarted(pod: &mut Value, count: i64, killed: Timestamp) {
    let status = pod["status"]["containerStatuses"].as_array_mut();
    let Some(status) = status.into_iter().flatten().find(|status| status["name"] == "php-fpm") else {
        return;
    };
    let before = status["state"]["running"]["startedAt"].clone();
    let id = status["containerID"].clone();
    let again = killed.checked_add(SignedDuration::from_secs(1)).unwrap_or(killed);
    status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": before,
        "finishedAt": stamp(killed), "containerID": id}});
    status["state"] = json!({"running": {"startedAt": stamp(again)}});
    status["restartCount"] = count.into();
}
