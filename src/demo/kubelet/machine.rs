//! Machines: they lose their power and come back, and post their node's status while they run.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::status;
use crate::kind::Kind;
use crate::store::{Object, stamp};
use crate::value::{hash, list, name, namespace, set, set_condition, terminating, text};
use crate::world::{Source, Step, Wake, Work, World};

/// The annotation by which anybody switches a node's machine.
pub(crate) const POWER: &str = "demo.wheelhouse.dev/power";
/// How often a kubelet posts a status in which nothing changed.
const REPORT: SignedDuration = SignedDuration::from_secs(300);

fn is_off(node: &Value) -> bool {
    node["metadata"]["annotations"][POWER] == "off"
}

/// Follows the power annotation of the node.
pub(crate) fn power(world: &mut World, called: &str) {
    let off = world.store.get(Kind::NODE, "", called).is_some_and(|node| is_off(node));
    let Some(machine) = world.kubelet.machines.get_mut(called) else { return };
    if machine.up && off {
        machine.up = false;
        machine.booting = false;
        // The grace period of 50 s counts from the last renewal of the node's lease, up to 5 s ago.
        let delay = world.draw_ms(45_000, 50_000);
        world.after(delay, Wake::NodeLost(called.to_owned()));
    } else if !machine.up && !off && !machine.booting {
        machine.booting = true;
        let delay = world.draw_ms(12_000, 22_000);
        world.after(delay, Wake::NodeBack(called.to_owned()));
    }
}

/// The machine has booted: the node is Ready, its pods start again, those given up meanwhile go.
pub(crate) fn node_back(world: &mut World, called: &str) {
    let Some(node) = world.store.get(Kind::NODE, "", called).cloned() else { return };
    let Some(machine) = world.kubelet.machines.get_mut(called) else { return };
    if machine.up || !machine.booting || is_off(&node) {
        machine.booting = false;
        return;
    }
    machine.up = true;
    machine.booting = false;
    let boot = world.store.new_uid();
    let by = Source { component: "kubelet", host: called, warning: false };
    world.event(&node, by, "Starting", "Starting kubelet.");
    let message = format!("Node {called} has been rebooted, boot id: {boot}");
    world.event(&node, Source { warning: true, ..by }, "Rebooted", &message);
    post(world, called, Some(&boot));
    world.event(&node, by, "NodeReady", &format!("Node {called} status is now: NodeReady"));
    let pods: Vec<Object> = world
        .on_node
        .get(called)
        .into_iter()
        .flatten()
        .filter_map(|(space, pod)| world.pod(space, pod))
        .collect();
    for pod in pods {
        if terminating(&pod) {
            world.kubelet.stopping.remove(text(&pod["metadata"]["uid"]));
        } else if list(&pod["status"]["containerStatuses"]).next().is_some() {
            world.change_pod(&pod, status::reboot);
            let delay = world.draw_ms(1500, 5000);
            world.later(&pod, delay, Step::Start);
        }
        world.enqueue(Work::Kubelet(namespace(&pod).to_owned(), name(&pod).to_owned()));
    }
}

/// Posts the node's status and puts the next time on the agenda.
pub(crate) fn heartbeat(world: &mut World, called: &str) {
    if world.store.get(Kind::NODE, "", called).is_none() {
        return;
    }
    if world.kubelet.is_up(called) {
        post(world, called, None);
    }
    world.after(REPORT, Wake::Heartbeat(called.to_owned()));
}

/// The four conditions of a healthy node.
pub(crate) fn healthy() -> [(&'static str, &'static str, &'static str, &'static str); 4] {
    [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
}

/// The images on the machine as the node's status lists them, largest first.
pub(crate) fn images(world: &World, called: &str) -> Value {
    let names = world.kubelet.machines.get(called).into_iter().flat_map(|machine| &machine.images);
    let mut images: Vec<(u64, &String)> = names.map(|image| (size(image), image)).collect();
    images.sort_by(|one, two| two.cmp(one));
    images.iter().take(50).map(|(size, image)| json!({"names": [image], "sizeBytes": size})).collect()
}

/// An image's size in bytes.
pub(super) fn size(image: &str) -> u64 {
    40_000_000 + hash(&[image]) % 200_000_000
}

fn post(world: &mut World, called: &str, boot: Option<&str>) {
    let now = world.now();
    let images = images(world, called);
    world.store.update_status(Kind::NODE, "", called, "kubelet", |node| {
        for (kind, status, reason, message) in healthy() {
            set_condition(
                node,
                json!({"type": kind, "status": status, "lastHeartbeatTime": stamp(now), "reason": reason, "message": message}),
                now,
            );
        }
        set(node, &["status", "images"], images);
        if let Some(boot) = boot {
            set(node, &["status", "nodeInfo", "bootID"], boot.into());
        }
    });
}
