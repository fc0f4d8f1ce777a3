//! The kubelets: pods come up, become ready, fail, restart and stop in time; machines die and come back.
//!
//! The pod's status is the state; what is remembered beside it is what a real kubelet keeps on its disk.

mod machine;
mod program;
mod resize;
mod status;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(super) use machine::{healthy, heartbeat, images, node_back, power};
pub(super) use status::{Exit, admit, become_ready, start};

use super::kind::Kind;
use super::quantity::units;
use super::store::{DeleteOptions, Object};
use super::usage;
use super::value::{
    in_force, int, is_active, is_finished, list, name, namespace, terminating, text, time, uid,
};
use super::world::{Source, Step, Wake, World};

/// How often the kubelets look at memory and probes.
const ROUND: SignedDuration = SignedDuration::from_secs(15);
/// A container that ran this long starts its back-off again.
const FORGIVEN: SignedDuration = SignedDuration::from_secs(600);

/// An image whose tag says so cannot be pulled.
fn is_broken(image: &str) -> bool {
    tag(image).contains("broken")
}

/// A program in an image whose tag says so ends soon after its start.
fn crashes(image: &str) -> bool {
    tag(image).contains("crash")
}

fn tag(image: &str) -> &str {
    image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag)
}

fn source<'a>(node: &'a str, warning: bool) -> Source<'a> {
    Source { component: "kubelet", host: node, warning }
}

fn involved(pod: &Value, container: &str) -> Value {
    json!({
        "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod), "apiVersion": "v1",
        "resourceVersion": pod["metadata"]["resourceVersion"],
        "fieldPath": format!("spec.containers{{{container}}}"),
    })
}

impl World {
    fn container_event(&mut self, pod: &Value, container: &str, warning: bool, reason: &str, message: &str) {
        let node = text(&pod["spec"]["nodeName"]).to_owned();
        self.event_on(involved(pod, container), source(&node, warning), reason, message);
    }

    fn later(&mut self, pod: &Value, delay: SignedDuration, step: Step) {
        let wake = Wake::Pod {
            namespace: namespace(pod).to_owned(),
            name: name(pod).to_owned(),
            uid: uid(pod).to_owned(),
            step,
        };
        self.after(delay, wake);
    }

    fn change_pod(&mut self, pod: &Value, change: impl FnOnce(&mut Value, Timestamp)) -> Option<Object> {
        let now = self.now();
        self.store.update_status(Kind::POD, namespace(pod), name(pod), "kubelet", |pod| change(pod, now))
    }
}

/// Looks at a pod that is bound to a node.
pub(super) fn sync(world: &mut World, space: &str, called: &str) {
    let Some(pod) = world.pod(space, called) else { return };
    let node = text(&pod["spec"]["nodeName"]).to_owned();
    if node.is_empty() {
        return;
    }
    if world.store.get(Kind::NODE, "", &node).is_none() {
        // The pod garbage collector takes the pods of a node that does not exist.
        world.store.remove(Kind::POD, space, called);
        return;
    }
    if !world.kubelet.is_up(&node) {
        return;
    }
    if terminating(&pod) {
        stop(world, &pod, &node);
    } else if pod["status"]["startTime"].is_null() && is_active(&pod) {
        begin(world, &pod, &node);
    } else {
        resize::sync(world, &pod, &node);
    }
}

fn begin(world: &mut World, pod: &Value, node: &str) {
    let host = world.kubelet.host_address(node);
    world.change_pod(pod, |pod, now| admit(pod, &host, now));
    let mut delay = world.draw_ms(700, 1500);
    for container in list(&pod["spec"]["containers"]).chain(list(&pod["spec"]["initContainers"])) {
        let (image, called) = (text(&container["image"]), text(&container["name"]));
        if is_broken(image) {
            world.container_event(pod, called, false, "Pulling", &format!("Pulling image \"{image}\""));
        } else if world.kubelet.fetch(node, image) {
            let message = format!(
                "Container image \"{image}\" already present on machine and can be accessed by the pod"
            );
            world.container_event(pod, called, false, "Pulled", &message);
        } else {
            world.container_event(pod, called, false, "Pulling", &format!("Pulling image \"{image}\""));
            let pull = world.draw_ms(1500, 6000);
            delay = delay.checked_add(pull).unwrap_or(delay);
            let seconds = pull.as_millis() as f64 / 1000.0;
            let size = machine::size(image);
            let message = format!(
                "Successfully pulled image \"{image}\" in {seconds}s ({seconds}s including waiting). Image size: {size} bytes."
            );
            world.container_event(pod, called, false, "Pulled", &message);
        }
    }
    world.later(pod, delay, Step::Start);
}

fn stop(world: &mut World, pod: &Value, node: &str) {
    let grace = int(&pod["metadata"]["deletionGracePeriodSeconds"]);
    let known = !world.kubelet.stopping.insert(uid(pod).to_owned());
    if known && grace > 0 {
        return;
    }
    if !known {
        for status in
            list(&pod["status"]["containerStatuses"]).filter(|status| status["state"]["running"].is_object())
        {
            let container = text(&status["name"]);
            let message = format!("Stopping container {container}");
            let at = source(node, false);
            world.event_on(involved(pod, container), at, "Killing", &message);
        }
    }
    let delay = world.draw_ms(1100, 2600).min(SignedDuration::from_secs(grace.max(0)));
    world.later(pod, delay, Step::Gone);
}

/// The moment of a step has come.
pub(super) fn happen(world: &mut World, space: &str, called: &str, wanted: &str, step: Step) {
    let Some(pod) = world.pod(space, called) else { return };
    let node = text(&pod["spec"]["nodeName"]).to_owned();
    if uid(&pod) != wanted || !world.kubelet.is_up(&node) {
        return;
    }
    if step == Step::Gone {
        if terminating(&pod) {
            gone(world, &pod);
        }
        return;
    }
    if terminating(&pod) || !is_active(&pod) {
        return;
    }
    match step {
        Step::Start => run_all(world, &pod, &node),
        Step::Ready(index) => {
            if running_since(&pod, index).is_some() {
                world.change_pod(&pod, |pod, now| become_ready(pod, index, now));
            }
        }
        Step::Exit(index, code) => {
            if running_since(&pod, index).is_some() {
                let reason = if code == 0 { "Completed" } else { "Error" };
                exit(world, &pod, index, Exit { code, reason });
            }
        }
        Step::Restart(index) => restart(world, &pod, index),
        Step::Pull(index, tries) => pull(world, &pod, index, tries),
        Step::Resize => {
            let Some((pod, restarted)) = resize::apply(world, &pod) else { return };
            for index in restarted {
                exit(world, &pod, index, Exit { code: 0, reason: "Completed" });
            }
        }
        Step::Gone => {}
    }
}

/// A pod that stopped: its end is written down, and it is deleted without grace. Somebody's finalizer may hold it.
fn gone(world: &mut World, pod: &Value) {
    if !is_finished(pod) {
        world.change_pod(pod, status::stopped);
    }
    let at_once = DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() };
    world.store.delete(Kind::POD, namespace(pod), name(pod), &at_once);
}

fn running_since(pod: &Value, index: usize) -> Option<Timestamp> {
    time(&status::of(pod, index)?["state"]["running"]["startedAt"])
}

fn run_all(world: &mut World, pod: &Value, node: &str) {
    let address = match &pod["status"]["podIP"] {
        Value::String(known) => known.clone(),
        _ => world.kubelet.address(node),
    };
    let containers: Vec<Value> = list(&pod["spec"]["containers"]).cloned().collect();
    let broken =
        |index: usize| containers.get(index).is_some_and(|container| is_broken(text(&container["image"])));
    let Some(pod) = world.change_pod(pod, |pod, now| start(pod, &address, now, &broken)) else { return };
    for (index, container) in containers.iter().enumerate() {
        let called = text(&container["name"]).to_owned();
        if broken(index) {
            pull(world, &pod, index, 0);
            continue;
        }
        world.container_event(&pod, &called, false, "Created", "Container created");
        world.container_event(&pod, &called, false, "Started", "Container started");
        after_start(world, &pod, container, index);
    }
}

/// What a container that has just started will do by itself.
fn after_start(world: &mut World, pod: &Value, container: &Value, index: usize) {
    if container["readinessProbe"].is_object() {
        let first =
            SignedDuration::from_secs(int(&container["readinessProbe"]["initialDelaySeconds"]).clamp(0, 600));
        let delay = first.checked_add(world.draw_ms(1500, 4500)).unwrap_or(first);
        world.later(pod, delay, Step::Ready(index));
    }
    if crashes(text(&container["image"])) {
        let delay = world.draw_ms(6000, 10_000);
        world.later(pod, delay, Step::Exit(index, 255));
    } else if text(&pod["spec"]["restartPolicy"]) != "Always" && !pod["spec"]["restartPolicy"].is_null() {
        let (delay, code) = program::course(world, pod, container);
        world.later(pod, delay, Step::Exit(index, code));
    }
}

/// A container ended; it is restarted after its back-off where the policy says so.
pub(super) fn exit(world: &mut World, pod: &Value, index: usize, how: Exit) {
    let Some(container) = list(&pod["spec"]["containers"]).nth(index).cloned() else { return };
    let called = text(&container["name"]).to_owned();
    let ran =
        running_since(pod, index).map_or(SignedDuration::ZERO, |since| world.now().duration_since(since));
    let again = match text(&pod["spec"]["restartPolicy"]) {
        "Never" => false,
        "OnFailure" => how.code != 0,
        _ => true,
    };
    if !again {
        world.change_pod(pod, |pod, now| status::end(pod, index, how, now));
        return;
    }
    let failures = world.kubelet.failures.entry((uid(pod).to_owned(), called.clone())).or_default();
    if ran >= FORGIVEN {
        *failures = 0;
    }
    *failures += 1;
    let wait = match *failures {
        1 => 0,
        n => 10 * (1_i64 << (n - 2).min(5)),
    }
    .min(300);
    world.change_pod(pod, |pod, now| status::back_off(pod, index, how, wait, now));
    if wait > 0 {
        let message = format!(
            "Back-off restarting failed container {called} in pod {}_{}({})",
            name(pod),
            namespace(pod),
            uid(pod)
        );
        world.container_event(pod, &called, true, "BackOff", &message);
    }
    let delay = SignedDuration::from_secs(wait)
        .checked_add(world.draw_ms(400, 1200))
        .unwrap_or(SignedDuration::from_secs(wait));
    world.later(pod, delay, Step::Restart(index));
}

fn restart(world: &mut World, pod: &Value, index: usize) {
    let Some(container) = list(&pod["spec"]["containers"]).nth(index).cloned() else { return };
    let called = text(&container["name"]).to_owned();
    if running_since(pod, index).is_some() {
        return;
    }
    let probed = container["readinessProbe"].is_object();
    let Some(pod) = world.change_pod(pod, |pod, now| status::restart(pod, index, !probed, now)) else {
        return;
    };
    let message = format!(
        "Container image \"{}\" already present on machine and can be accessed by the pod",
        text(&container["image"])
    );
    world.container_event(&pod, &called, false, "Pulled", &message);
    world.container_event(&pod, &called, false, "Created", "Container created");
    world.container_event(&pod, &called, false, "Started", "Container started");
    after_start(world, &pod, &container, index);
}

/// An image that cannot be pulled: the error, then the back-off, and so on.
fn pull(world: &mut World, pod: &Value, index: usize, tries: u32) {
    let Some(container) = list(&pod["spec"]["containers"]).nth(index).cloned() else { return };
    let (called, image) = (text(&container["name"]).to_owned(), text(&container["image"]).to_owned());
    let failing = tries.is_multiple_of(2);
    let (reason, message) = if failing {
        let detail = format!(
            "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
        );
        ("ErrImagePull", detail)
    } else {
        ("ImagePullBackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {image}: not found"))
    };
    world.change_pod(pod, |pod, now| status::waits(pod, index, reason, &message, now));
    let delay = if failing {
        world.container_event(
            pod,
            &called,
            true,
            "Failed",
            &format!("Failed to pull image \"{image}\": {message}"),
        );
        world.container_event(pod, &called, true, "Failed", "Error: ErrImagePull");
        SignedDuration::from_secs(12)
    } else {
        world.container_event(pod, &called, false, "BackOff", &format!("Back-off pulling image \"{image}\""));
        world.container_event(pod, &called, true, "Failed", "Error: ImagePullBackOff");
        SignedDuration::from_secs(10 * (1_i64 << (tries / 2).min(5))).min(SignedDuration::from_secs(300))
    };
    world.later(pod, delay, Step::Pull(index, tries.saturating_add(1)));
}

/// Every 15 s: who is over the memory limit is killed, who is near it fails the readiness probe.
pub(super) fn housekeeping(world: &mut World) {
    world.after(ROUND, Wake::Housekeeping);
    resize::again(world);
    for (pod, index, memory) in usage::heavy(world) {
        let node = text(&pod["spec"]["nodeName"]).to_owned();
        if !world.kubelet.is_up(&node) || terminating(&pod) {
            continue;
        }
        let Some(container) = list(&pod["spec"]["containers"]).nth(index).cloned() else { continue };
        let (called, limit) = (
            text(&container["name"]).to_owned(),
            units(&in_force(&pod, index, &container)["limits"]["memory"]),
        );
        if limit > 0 && memory > limit {
            if let Some(host) = world.store.get(Kind::NODE, "", &node).cloned() {
                let kib = memory / 1024;
                let message = format!(
                    "Memory cgroup out of memory: Killed process {} ({called}) total-vm:{}kB, anon-rss:{kib}kB, file-rss:18432kB, shmem-rss:0kB, UID:33 pgtables:1492kB oom_score_adj:981",
                    4000 + memory.rem_euclid(25_000),
                    kib * 2
                );
                world.event(
                    &host,
                    Source { component: "kernel-monitor", host: &node, warning: true },
                    "OOMKilling",
                    &message,
                );
            }
            exit(world, &pod, index, Exit { code: 137, reason: "OOMKilled" });
            continue;
        }
        let ready = status::of(&pod, index).is_some_and(|status| status["ready"] == true);
        let tight = limit > 0 && memory > limit / 100 * 96;
        if ready && tight {
            world.change_pod(&pod, |pod, now| status::probe_fails(pod, index, now));
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            world.container_event(&pod, &called, true, "Unhealthy", message);
        } else if !ready
            && !tight
            && running_since(&pod, index).is_some_and(|since| world.now().duration_since(since) > ROUND)
        {
            world.change_pod(&pod, |pod, now| become_ready(pod, index, now));
        }
    }
}
