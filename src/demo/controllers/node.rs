//! The node lifecycle controller: taints by condition and cordon, and what happens to the pods of a lost node.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::MANAGER;
use crate::kind::Kind;
use crate::kubelet;
use crate::scheduler::{self, Taint};
use crate::store::{DeleteOptions, Object, stamp};
use crate::value::{
    condition, is_ready, list, name, namespace, set, set_condition, terminating, text, time, uid,
};
use crate::world::{Source, Wake, World};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const CORDON: &str = "node.kubernetes.io/unschedulable";

/// One pass: the machine's power, the taints that belong to the node's state, evictions by `NoExecute` taints.
pub(crate) fn node(world: &mut World, called: &str) {
    if world.store.get(Kind::NODE, "", called).is_none() {
        return;
    }
    kubelet::power(world, called);
    let Some(node) = world.store.get(Kind::NODE, "", called).cloned() else { return };
    let ready = condition(&node, "Ready").map_or("", |ready| text(&ready["status"])).to_owned();
    let wanted: Vec<(&str, &str)> = [
        (node["spec"]["unschedulable"] == true, CORDON, "NoSchedule"),
        (ready == "Unknown", UNREACHABLE, "NoSchedule"),
        (ready == "Unknown", UNREACHABLE, "NoExecute"),
        (ready != "True" && ready != "Unknown", NOT_READY, "NoSchedule"),
        (ready == "False", NOT_READY, "NoExecute"),
    ]
    .into_iter()
    .filter(|(applies, _, _)| *applies)
    .map(|(_, key, effect)| (key, effect))
    .collect();
    let ours = |taint: &Value| matches!(text(&taint["key"]), NOT_READY | UNREACHABLE | CORDON);
    let now = stamp(world.now());
    let mut taints: Vec<Value> = list(&node["spec"]["taints"])
        .filter(|taint| {
            !ours(taint)
                || wanted.iter().any(|(key, effect)| taint["key"] == *key && taint["effect"] == *effect)
        })
        .cloned()
        .collect();
    for (key, effect) in wanted {
        if !taints.iter().any(|taint| taint["key"] == key && taint["effect"] == effect) {
            taints.push(json!({"key": key, "effect": effect, "timeAdded": now}));
        }
    }
    let taints = if taints.is_empty() { Value::Null } else { taints.into() };
    world.store.update(Kind::NODE, "", called, MANAGER, |node| set(node, &["spec", "taints"], taints));
    execute(world, called);
}

/// Sends away (now or later) the pods that do not tolerate the node's `NoExecute` taints.
fn execute(world: &mut World, called: &str) {
    let Some(node) = world.store.get(Kind::NODE, "", called).cloned() else { return };
    if !list(&node["spec"]["taints"]).any(|taint| taint["effect"] == "NoExecute") {
        return;
    }
    for pod in pods_on(world, called) {
        if terminating(&pod) {
            continue;
        }
        if let Some(after) = patience(&node, &pod) {
            let wake = Wake::Evict {
                namespace: namespace(&pod).to_owned(),
                name: name(&pod).to_owned(),
                uid: uid(&pod).to_owned(),
                node: called.to_owned(),
            };
            let since = list(&node["spec"]["taints"])
                .filter(|taint| taint["effect"] == "NoExecute")
                .filter_map(|taint| time(&taint["timeAdded"]))
                .max()
                .unwrap_or(world.now());
            world.at(since.checked_add(after).unwrap_or(since), wake);
        }
    }
}

/// How long the pod bears the node's `NoExecute` taints; None for ever.
fn patience(node: &Value, pod: &Value) -> Option<SignedDuration> {
    let tolerations = scheduler::tolerations(&pod["spec"]);
    scheduler::taints(node)
        .iter()
        .filter(|taint| taint.effect == "NoExecute")
        .filter_map(|taint: &Taint| {
            let tolerating: Vec<_> =
                tolerations.iter().filter(|toleration| toleration.tolerates(taint)).collect();
            if tolerating.is_empty() {
                return Some(0);
            }
            tolerating.iter().filter_map(|toleration| toleration.seconds).min()
        })
        .min()
        .map(|seconds| SignedDuration::from_secs(seconds.max(0)))
}

/// The time a pod had on its tainted node is over.
pub(crate) fn evict(world: &mut World, space: &str, called: &str, wanted: &str, node: &str) {
    let Some(pod) = world.pod(space, called) else { return };
    let Some(host) = world.store.get(Kind::NODE, "", node).cloned() else { return };
    if uid(&pod) != wanted || terminating(&pod) || text(&pod["spec"]["nodeName"]) != node {
        return;
    }
    let Some(after) = patience(&host, &pod) else { return };
    let since = list(&host["spec"]["taints"])
        .filter(|taint| taint["effect"] == "NoExecute")
        .filter_map(|taint| time(&taint["timeAdded"]))
        .max()
        .unwrap_or(world.now());
    if since.checked_add(after).is_ok_and(|due| due > world.now()) {
        // The node came back and was lost again since: that loss has its own appointment.
        return;
    }
    let now = world.now();
    world.store.update_status(Kind::POD, space, called, MANAGER, |pod| {
        let message = "Taint manager: deleting due to NoExecute taint";
        set_condition(
            pod,
            json!({"type": "DisruptionTarget", "status": "True", "lastProbeTime": null,
                   "reason": "DeletionByTaintManager", "message": message}),
            now,
        );
    });
    let message = format!("Marking for deletion Pod {space}/{called}");
    world.event(&pod, Source::normal("taint-eviction-controller"), "TaintManagerEviction", &message);
    world.store.delete(Kind::POD, space, called, &DeleteOptions::default());
}

/// The node has not been heard of for the grace period: its state is unknown, its pods are not ready.
pub(crate) fn node_lost(world: &mut World, called: &str) {
    let Some(node) = world.store.get(Kind::NODE, "", called).cloned() else { return };
    if world.kubelet.is_up(called)
        || condition(&node, "Ready").is_some_and(|ready| ready["status"] == "Unknown")
    {
        return;
    }
    let now = world.now();
    world.store.update_status(Kind::NODE, "", called, MANAGER, |node| {
        for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
            let heartbeat =
                condition(node, kind).map(|old| old["lastHeartbeatTime"].clone()).unwrap_or_default();
            set_condition(
                node,
                json!({"type": kind, "status": "Unknown", "lastHeartbeatTime": heartbeat,
                       "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}),
                now,
            );
        }
    });
    let message = format!("Node {called} status is now: NodeNotReady");
    world.event(&node, Source::normal("node-controller"), "NodeNotReady", &message);
    for pod in pods_on(world, called) {
        if !is_ready(&pod) {
            continue;
        }
        world.store.update_status(Kind::POD, namespace(&pod), name(&pod), MANAGER, |pod| {
            let old = condition(pod, "Ready").cloned().unwrap_or_else(|| json!({"type": "Ready"}));
            let mut ready = old;
            ready["status"] = "False".into();
            set_condition(pod, ready, now);
        });
        world.event(&pod, Source::warning("node-controller"), "NodeNotReady", "Node is not ready");
    }
}

fn pods_on(world: &World, called: &str) -> Vec<Object> {
    let names = world.on_node.get(called).into_iter().flatten();
    names.filter_map(|(space, name)| world.pod(space, name)).collect()
}
