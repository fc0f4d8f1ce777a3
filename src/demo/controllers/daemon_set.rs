//! The DaemonSet controller: one pod on each node that suits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::MANAGER;
use super::pods::pod_from_template;
use crate::kind::Kind;
use crate::scheduler;
use crate::store::Object;
use crate::value::{
    hash, is_active, is_ready, list, map, name, namespace, safe, set, terminating, text, uid,
};
use crate::world::{Work, World};

const REVISION: &str = "controller-revision-hash";

/// Taints that the controller makes its pods tolerate.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// One pass of the controller.
pub(crate) fn daemon_set(world: &mut World, space: &str, called: &str) {
    let Some(owner) = world.store.get(Kind::DAEMON_SET, space, called).cloned() else { return };
    if !owner["spec"]["template"].is_object() {
        return;
    }
    let revision = revision(&owner);
    let suits = suitable(world, &owner, &revision);
    if !terminating(&owner) {
        manage(world, &owner, &revision, &suits);
    }
    let placed = placed(world, &owner);
    let on_suitable = || placed.iter().filter(|(node, _)| suits.contains(*node)).map(|(_, pod)| pod);
    let scheduled = on_suitable().count();
    let ready = on_suitable().filter(|pod| is_ready(pod)).count();
    let updated = on_suitable().filter(|pod| text(&pod["metadata"]["labels"][REVISION]) == revision).count();
    let mut status = json!({
        "currentNumberScheduled": scheduled, "numberMisscheduled": placed.len() - scheduled,
        "desiredNumberScheduled": suits.len(), "numberReady": ready,
        "observedGeneration": owner["metadata"]["generation"],
    });
    for (field, count) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", ready),
        ("numberUnavailable", suits.len().saturating_sub(ready)),
    ] {
        if count > 0 {
            status[field] = count.into();
        }
    }
    world.store.update_status(Kind::DAEMON_SET, space, called, MANAGER, |owner| owner["status"] = status);
}

/// The hash by which pods of the present template are told from older ones.
pub(crate) fn revision(owner: &Value) -> String {
    safe(&(hash(&[&owner["spec"]["template"].to_string()]) as u32).to_string())
}

/// A pod of the set for the node.
pub(crate) fn daemon_pod(owner: &Value, revision: &str, node: &str) -> Value {
    let mut pod = pod_from_template(owner, &owner["spec"]["template"], &format!("{}{node}", uid(owner)));
    set(&mut pod, &["metadata", "generateName"], format!("{}-", name(owner)).into());
    map(&mut pod, &["metadata", "labels"]).insert(REVISION.to_owned(), revision.into());
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    set(
        &mut pod,
        &["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"],
        json!({"nodeSelectorTerms": [{"matchFields": [field]}]}),
    );
    let mut tolerations =
        owner["spec"]["template"]["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    for (key, effect) in TOLERATED {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    set(&mut pod, &["spec", "tolerations"], tolerations.into());
    pod
}

fn suitable(world: &World, owner: &Value, revision: &str) -> BTreeSet<String> {
    world
        .store
        .list(Kind::NODE, None)
        .map(|node| name(node).to_owned())
        .filter(|node| {
            world.scheduler.belongs(&scheduler::Pod::read(&daemon_pod(owner, revision, node)), node)
        })
        .collect()
}

/// The node a pod is on or meant for.
fn node_of(pod: &Value) -> String {
    let assigned = text(&pod["spec"]["nodeName"]);
    if !assigned.is_empty() {
        return assigned.to_owned();
    }
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    list(&required["nodeSelectorTerms"])
        .flat_map(|term| list(&term["matchFields"]))
        .flat_map(|field| list(&field["values"]))
        .map(|value| text(value).to_owned())
        .next()
        .unwrap_or_default()
}

fn placed(world: &World, owner: &Value) -> BTreeMap<String, Object> {
    let pods = world.pods_of(uid(owner)).into_iter().filter(|pod| is_active(pod));
    pods.map(|pod| (node_of(&pod), pod)).collect()
}

fn manage(world: &mut World, owner: &Value, revision: &str, suits: &BTreeSet<String>) {
    let all = world.pods_of(uid(owner));
    for pod in all.iter().filter(|pod| !terminating(pod)) {
        if !is_active(pod) || !suits.contains(&node_of(pod)) {
            world.delete_pod(owner, pod);
        }
    }
    let placed = placed(world, owner);
    for node in suits.iter().filter(|node| !placed.contains_key(*node)) {
        // The place is free only when the old pod is really gone.
        if !all.iter().any(|pod| terminating(pod) && node_of(pod) == *node) {
            let work = Work::DaemonSet(namespace(owner).to_owned(), name(owner).to_owned());
            // What stands against it is told by an event, and tried again.
            let _ = world.create_pod(owner, daemon_pod(owner, revision, node), work);
        }
    }
    let old = |pod: &&Object| text(&pod["metadata"]["labels"][REVISION]) != revision;
    let rolling = owner["spec"]["updateStrategy"]["type"] != "OnDelete";
    let all_ready = suits.iter().all(|node| placed.get(node).is_some_and(|pod| is_ready(pod)));
    let next = placed.values().find(|pod| old(pod) && !is_ready(pod)).or_else(|| placed.values().find(old));
    if let Some(pod) = next
        && rolling
        && (all_ready || !is_ready(pod))
    {
        world.delete_pod(owner, pod);
    }
}
