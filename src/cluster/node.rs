//! A node: what it offers, whether it takes pods, how long it has been well.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Amounts, Labels, Memory, NodeName, Uid};

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `metadata.name`.
    pub name: NodeName,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `metadata.deletionTimestamp`: it is being taken out of the cluster, and its pods go with it.
    pub deleting: Option<Timestamp>,
    /// `spec.unschedulable`: cordoned.
    pub cordoned: bool,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `status.allocatable`, without `pods`.
    pub allocatable: Amounts,
    /// `status.capacity.memory`: what the machine has.
    pub capacity: Option<Memory>,
    /// `status.allocatable.pods`.
    pub pods: u32,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `status.images`: each image's names and its size in bytes.
    pub images: Vec<(Vec<String>, u64)>,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet: Arc<str>,
    /// The first `status.addresses` of type `InternalIP`.
    pub address: Option<Arc<str>>,
}

/// A taint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taint {
    /// `key`.
    pub key: String,
    /// `value`.
    pub value: String,
    /// `effect`.
    pub effect: Effect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// No new pods.
    NoSchedule,
    /// New pods only when nothing better is there.
    PreferNoSchedule,
    /// No new pods, and those there are evicted.
    NoExecute,
}

/// One of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`, such as `Ready` or `MemoryPressure`.
    pub kind: Arc<str>,
    /// `status`: true, false, or `None` for `Unknown`.
    pub status: Option<bool>,
    /// `reason`.
    pub reason: Arc<str>,
    /// `lastTransitionTime`.
    pub since: Option<Timestamp>,
}

/// How a node is, in one word. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Ready and takes pods.
    Ready,
    /// Ready, cordoned.
    Cordoned,
    /// Ready, and short of memory, disk, or process numbers.
    Pressure,
    /// Not ready, or silent.
    NotReady,
}

impl NodeState {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Cordoned => "cordoned",
            Self::Pressure => "pressure",
            Self::NotReady => "not ready",
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Node {
    /// The condition `Ready`.
    pub fn ready_condition(&self) -> Option<&Condition> {
        self.conditions.iter().find(|c| &*c.kind == "Ready")
    }

    /// The condition `Ready` is true.
    pub fn is_ready(&self) -> bool {
        self.ready_condition().is_some_and(|c| c.status == Some(true))
    }

    /// Its kubelet does not answer: the condition `Ready` is unknown. One that says itself that it is not ready answers.
    pub fn is_silent(&self) -> bool {
        self.ready_condition().is_some_and(|c| c.status.is_none())
    }

    /// When `Ready` last changed, either way.
    pub fn ready_since(&self) -> Option<Timestamp> {
        self.ready_condition().and_then(|c| c.since)
    }

    /// Ready, and not cordoned: new pods may come.
    pub fn is_schedulable(&self) -> bool {
        self.is_ready() && !self.cordoned
    }

    /// The pressure conditions that hold, such as `MemoryPressure`.
    pub fn pressures(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter(|c| c.kind.ends_with("Pressure") && c.status == Some(true))
    }

    /// How it is, in one word.
    pub fn state(&self) -> NodeState {
        if !self.is_ready() {
            NodeState::NotReady
        } else if self.pressures().next().is_some() {
            NodeState::Pressure
        } else if self.cordoned {
            NodeState::Cordoned
        } else {
            NodeState::Ready
        }
    }
}
