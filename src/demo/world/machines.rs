//! What the kubelets remember beside the objects, as real ones do on their disks, and what comes next for a pod.

use std::collections::{BTreeMap, BTreeSet};

/// What the kubelets remember.
#[derive(Default)]
pub(crate) struct Kubelet {
    pub(crate) machines: BTreeMap<String, Machine>,
    /// Uids of pods whose containers were told to stop.
    pub(crate) stopping: BTreeSet<String>,
    /// How often a container failed in a row, by pod uid and container name.
    pub(crate) failures: BTreeMap<(String, String), u32>,
    /// Pods whose resize was put off, by namespace and name.
    pub(crate) deferred: BTreeSet<(String, String)>,
}

/// One machine under a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    number: u32,
    pub(crate) up: bool,
    pub(crate) booting: bool,
    pub(crate) images: BTreeSet<String>,
    addresses: u32,
}

/// What comes next for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its images are there and its sandbox is made.
    Start,
    /// The readiness probe of a container succeeds for the first time.
    Ready(usize),
    /// A container ends by itself.
    Exit(usize, i32),
    /// The back-off of a container is over.
    Restart(usize),
    /// An image is tried again.
    Pull(usize, u32),
    /// The resources that were granted are put in force.
    Resize,
    /// Its last container has stopped.
    Gone,
}

impl Kubelet {
    /// A machine that is up.
    pub(crate) fn add(&mut self, name: &str) {
        let number = u32::try_from(self.machines.len()).unwrap_or(0);
        self.machines.insert(name.to_owned(), Machine { number, up: true, ..Machine::default() });
    }

    /// Whether the node's machine runs.
    pub(crate) fn is_up(&self, name: &str) -> bool {
        self.machines.get(name).is_some_and(|machine| machine.up)
    }

    /// Nothing is known any more of the pod with this uid.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.stopping.remove(uid);
        self.failures.retain(|(other, _), _| other != uid);
    }

    /// Whether the image is on the machine; it is afterwards.
    pub(crate) fn fetch(&mut self, node: &str, image: &str) -> bool {
        self.machines.get_mut(node).is_none_or(|machine| !machine.images.insert(image.to_owned()))
    }

    /// The next free pod address on the machine.
    pub(crate) fn address(&mut self, node: &str) -> String {
        let Some(machine) = self.machines.get_mut(node) else { return "10.42.255.1".to_owned() };
        machine.addresses += 1;
        let (net, host) = (machine.number, 1 + machine.addresses % 250);
        format!("10.{}.{}.{host}", 42 + net / 256, net % 256)
    }

    /// The machine's own address.
    pub(crate) fn host_address(&self, node: &str) -> String {
        let number = self.machines.get(node).map_or(0, |machine| machine.number);
        format!("192.168.{}.{}", 10 + number / 200, 11 + number % 200)
    }
}
