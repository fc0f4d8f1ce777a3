//! What the scheduler reads of nodes, and counts on them. Anything may be missing from an object: nothing here fails.

use serde_json::Value;

use crate::labels::{Labels, strings};
use crate::quantity::{milli_cpu, units};
use crate::value::{list, text};

/// CPU in thousandths of a core, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
}

impl Amount {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }
}

/// A host port a pod binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(super) ip: String,
    pub(super) protocol: String,
    pub(super) number: i64,
}

impl Port {
    pub(crate) fn collides(&self, other: &Self) -> bool {
        let any = |ip: &str| ip == "0.0.0.0";
        self.number == other.number
            && self.protocol == other.protocol
            && (self.ip == other.ip || any(&self.ip) || any(&other.ip))
    }
}

/// What the pods on a node ask of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    pub(crate) pods: i64,
    pub(crate) requested: Amount,
    /// With kube-scheduler's assumptions for containers that ask for nothing.
    pub(crate) assumed: Amount,
    pub(crate) ports: Vec<Port>,
}

/// A taint of a node.
#[derive(Clone, Debug)]
pub(crate) struct Taint {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) effect: String,
}

/// A node as the scheduler sees it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
    pub(crate) allocatable: Amount,
    pub(crate) most_pods: i64,
    /// Image name to size in bytes.
    pub(crate) images: Vec<(String, i64)>,
    pub(crate) load: Load,
}

impl Node {
    pub(crate) fn read(object: &Value) -> Self {
        let allocatable = &object["status"]["allocatable"];
        let images = list(&object["status"]["images"])
            .flat_map(|image| {
                let size = image["sizeBytes"].as_i64().unwrap_or(0);
                list(&image["names"]).map(move |name| (normal_image(text(name)), size))
            })
            .collect();
        Self {
            name: text(&object["metadata"]["name"]).to_owned(),
            labels: strings(&object["metadata"]["labels"]),
            taints: taints(object),
            unschedulable: object["spec"]["unschedulable"].as_bool().unwrap_or(false),
            allocatable: Amount {
                cpu: milli_cpu(&allocatable["cpu"]),
                memory: units(&allocatable["memory"]),
            },
            most_pods: units(&allocatable["pods"]),
            images,
            load: Load::default(),
        }
    }

    pub(crate) fn image(&self, name: &str) -> Option<i64> {
        self.images.iter().find(|(other, _)| other == name).map(|(_, size)| *size)
    }
}

/// The taints of a node object.
pub(crate) fn taints(object: &Value) -> Vec<Taint> {
    list(&object["spec"]["taints"])
        .map(|taint| Taint {
            key: text(&taint["key"]).to_owned(),
            value: text(&taint["value"]).to_owned(),
            effect: text(&taint["effect"]).to_owned(),
        })
        .collect()
}

/// An image name without a tag stands for `latest`.
pub(super) fn normal_image(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') || last.contains('@') { name.to_owned() } else { format!("{name}:latest") }
}
