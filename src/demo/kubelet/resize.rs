//! Containers that run get other requests and limits: at once, later, or never.
//!
//! What is asked for stands in the spec, what is in force in `status.containerStatuses[].resources`; the conditions
//! `PodResizePending` (`Deferred`, `Infeasible`) and `PodResizeInProgress` tell what is between the two.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::status;
use crate::kind::Kind;
use crate::quantity::{milli_cpu, units};
use crate::scheduler;
use crate::store::Object;
use crate::usage;
use crate::value::{
    condition, in_force, int, is_active, list, name, namespace, set_condition, terminating, text, uid,
};
use crate::world::{Step, World};

const PENDING: &str = "PodResizePending";
const IN_PROGRESS: &str = "PodResizeInProgress";
/// How often what failed is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// Whether a container that runs asks for something else than is in force.
fn differs(pod: &Value) -> bool {
    list(&pod["spec"]["containers"]).enumerate().any(|(index, container)| {
        let runs = status::of(pod, index).is_some_and(|status| status["state"]["running"].is_object());
        runs && !same(&container["resources"], in_force(pod, index, container))
    })
}

fn same(one: &Value, other: &Value) -> bool {
    ["requests", "limits"].into_iter().all(|part| {
        let of = |all: &Value| (milli_cpu(&all[part]["cpu"]), units(&all[part]["memory"]));
        of(one) == of(other)
    })
}

/// What becomes of what is asked for.
enum Answer {
    /// It never fits on the node.
    Infeasible(String),
    /// It does not fit now.
    Deferred(String),
    /// It is being applied.
    Granted,
}

/// Looks at a pod whose containers run.
pub(super) fn sync(world: &mut World, pod: &Value, node: &str) {
    if terminating(pod) || !is_active(pod) {
        return;
    }
    let waits = condition(pod, PENDING).is_some() || condition(pod, IN_PROGRESS).is_some();
    if !differs(pod) {
        world.kubelet.deferred.remove(&(namespace(pod).to_owned(), name(pod).to_owned()));
        if waits {
            world.change_pod(pod, |pod, _| clear(pod, &[PENDING, IN_PROGRESS]));
        }
        return;
    }
    let generation = int(&pod["metadata"]["generation"]);
    let told = |kind: &str| condition(pod, kind).filter(|c| int(&c["observedGeneration"]) == generation);
    if told(IN_PROGRESS).is_some() {
        return;
    }
    let key = (namespace(pod).to_owned(), name(pod).to_owned());
    let pending = match answer(world, pod, node) {
        Answer::Granted => {
            world.kubelet.deferred.remove(&key);
            let granted = world.change_pod(pod, |pod, now| {
                clear(pod, &[PENDING]);
                allocate(pod);
                set_condition(pod, progress(generation), now);
            });
            let delay = world.draw_ms(900, 2600);
            world.later(&granted.map_or_else(|| pod.clone(), |pod| Value::clone(&pod)), delay, Step::Resize);
            return;
        }
        Answer::Infeasible(message) => {
            world.kubelet.deferred.remove(&key);
            ("Infeasible", message)
        }
        Answer::Deferred(message) => {
            world.kubelet.deferred.insert(key);
            ("Deferred", message)
        }
    };
    let already =
        told(PENDING).is_some_and(|c| c["reason"] == pending.0 && c["message"] == pending.1.as_str());
    if !already {
        world.change_pod(pod, |pod, now| {
            clear(pod, &[IN_PROGRESS]);
            let condition = json!({"type": PENDING, "status": "True", "reason": pending.0, "message": pending.1,
                "observedGeneration": generation, "lastProbeTime": null});
            set_condition(pod, condition, now);
        });
    }
}

/// What was put off is looked at again.
pub(super) fn again(world: &mut World) {
    for (space, called) in world.kubelet.deferred.clone() {
        match world.pod(&space, &called) {
            Some(pod) if world.kubelet.is_up(text(&pod["spec"]["nodeName"])) => {
                let node = text(&pod["spec"]["nodeName"]).to_owned();
                sync(world, &pod, &node);
            }
            Some(_) => {}
            None => {
                world.kubelet.deferred.remove(&(space, called));
            }
        }
    }
}

/// Whether the node has it: its allocatable, less what its other pods reserve.
fn answer(world: &World, pod: &Value, node: &str) -> Answer {
    let Some(host) = world.store.get(Kind::NODE, "", node) else { return Answer::Granted };
    let allocatable = &host["status"]["allocatable"];
    let all = [("cpu", milli_cpu(&allocatable["cpu"])), ("memory", units(&allocatable["memory"]))];
    let wanted = scheduler::Pod::read(pod).requests;
    let others = world.on_node.get(node).into_iter().flatten().filter_map(|(space, called)| {
        let other = world.pod(space, called)?;
        (uid(&other) != uid(pod) && is_active(&other)).then(|| scheduler::Pod::read(&other).requests)
    });
    let used = others.fold(scheduler::Amount::default(), scheduler::Amount::plus);
    let of = |amount: scheduler::Amount, resource: &str| match resource {
        "cpu" => amount.cpu,
        _ => amount.memory,
    };
    for (resource, capacity) in all {
        let requested = of(wanted, resource);
        if requested > capacity {
            return Answer::Infeasible(format!(
                "Node didn't have enough capacity: {resource}, requested: {requested}, capacity: {capacity}"
            ));
        }
    }
    for (resource, capacity) in all {
        let (requested, used) = (of(wanted, resource), of(used, resource));
        if requested + used > capacity {
            return Answer::Deferred(format!(
                "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
            ));
        }
    }
    Answer::Granted
}

fn progress(generation: i64) -> Value {
    json!({"type": IN_PROGRESS, "status": "True", "observedGeneration": generation, "lastProbeTime": null})
}

/// The requests are the pod's from now on.
fn allocate(pod: &mut Value) {
    let requests: Vec<Value> = list(&pod["spec"]["containers"])
        .map(|container| container["resources"]["requests"].clone())
        .collect();
    for (index, requests) in requests.into_iter().enumerate().filter(|(_, requests)| requests.is_object()) {
        if let Some(status) = pod["status"]["containerStatuses"].get_mut(index) {
            status["allocatedResources"] = requests;
        }
    }
}

fn clear(pod: &mut Value, kinds: &[&str]) {
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|condition| !kinds.contains(&text(&condition["type"])));
    }
}

/// What was granted is put in force. Returns the pod as it is then, and the containers that are restarted for it.
pub(super) fn apply(world: &mut World, pod: &Value) -> Option<(Object, Vec<usize>)> {
    condition(pod, IN_PROGRESS)?;
    let containers: Vec<Value> = list(&pod["spec"]["containers"]).cloned().collect();
    for (index, container) in containers.iter().enumerate() {
        let limit = units(&container["resources"]["limits"]["memory"]);
        let now = units(&in_force(pod, index, container)["limits"]["memory"]);
        let lowered = limit > 0 && (now == 0 || limit < now);
        let used = usage::memory(world, pod, index).unwrap_or(0);
        if lowered && used > limit {
            let message =
                format!("attempting to set pod memory limit ({limit}) below current usage ({used})");
            let generation = int(&pod["metadata"]["generation"]);
            world.change_pod(pod, |pod, now| {
                let mut condition = progress(generation);
                condition["reason"] = "Error".into();
                condition["message"] = message.into();
                set_condition(pod, condition, now);
            });
            world.later(pod, AGAIN, Step::Resize);
            return None;
        }
    }
    let restarted: Vec<usize> = (containers.iter().enumerate())
        .filter(|(index, container)| restarts(container, in_force(pod, *index, container)))
        .map(|(index, _)| index)
        .collect();
    let done = world.change_pod(pod, |pod, _| put(pod, &containers))?;
    for index in &restarted {
        let called = text(&containers[*index]["name"]);
        let message = format!("Container {called} resize requires restart");
        world.container_event(&done, called, false, "Killing", &message);
    }
    Some((done, restarted))
}

/// The change of what is in force restarts the container, by its own policy.
fn restarts(container: &Value, now: &Value) -> bool {
    let changes = |resource: &str| {
        let of = |all: &Value| match resource {
            "cpu" => (milli_cpu(&all["requests"]["cpu"]), milli_cpu(&all["limits"]["cpu"])),
            _ => (units(&all["requests"]["memory"]), units(&all["limits"]["memory"])),
        };
        of(&container["resources"]) != of(now)
    };
    list(&container["resizePolicy"])
        .any(|policy| policy["restartPolicy"] == "RestartContainer" && changes(text(&policy["resourceName"])))
}

fn put(pod: &mut Value, containers: &[Value]) {
    for (index, container) in containers.iter().enumerate() {
        status::put_in_force(pod, index, container);
    }
    clear(pod, &[PENDING, IN_PROGRESS]);
}
