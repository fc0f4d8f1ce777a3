//! Why one node does not take a pod: in the scheduler's words, and in ours.

use std::borrow::Cow;

use crate::cluster::{Cpu, Memory};

/// One reason why a node does not take a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The pod names other nodes (NodeAffinity, PreFilter).
    NotNamed,
    /// `spec.unschedulable` (NodeUnschedulable).
    Cordoned,
    /// This taint is not tolerated (TaintToleration).
    Taint(String),
    /// The node is not Ready; its taints do not say so yet (our own rule).
    NotReady,
    /// `nodeSelector` or the required node affinity does not hold (NodeAffinity).
    NodeAffinity,
    /// This host port is taken (NodePorts).
    Port(u16),
    /// The node has its full number of pods (NodeResourcesFit).
    TooManyPods {
        /// How many it takes.
        limit: u32,
    },
    /// Not enough is free (NodeResourcesFit).
    Insufficient {
        /// `cpu`, `memory` or another resource.
        resource: String,
        /// What the pod asks for: thousandths of a core, bytes, or whole units.
        wanted: u64,
        /// What no pod there has requested.
        free: u64,
        /// Even the empty node has not as much.
        never: bool,
    },
    /// The node lacks the label of a spread constraint (PodTopologySpread).
    SpreadLabel(String),
    /// One more pod would break the constraint on this key (PodTopologySpread).
    Spread(String),
    /// No pod the new one must be near is there (InterPodAffinity).
    Affinity,
    /// A pod the new one must stay away from is there (InterPodAffinity).
    AntiAffinity,
    /// A pod there keeps the new one away (InterPodAffinity).
    KeptAway,
}

impl Reason {
    /// As the scheduler of 1.36 says it.
    pub fn in_its_words(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotNamed => "node(s) didn't satisfy plugin(s) [NodeAffinity]",
            Self::Cordoned => "node(s) were unschedulable",
            Self::Taint(_) => "node(s) had untolerated taint(s)",
            Self::NotReady => "node(s) were not ready",
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::Port(_) => "node(s) didn't have free ports for the requested pod ports",
            Self::TooManyPods { .. } => "Too many pods",
            Self::Insufficient { resource, .. } => return format!("Insufficient {resource}").into(),
            Self::SpreadLabel(_) => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Self::Spread(_) => "node(s) didn't match pod topology spread constraints",
            Self::Affinity => "node(s) didn't match pod affinity rules",
            Self::AntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::KeptAway => "node(s) didn't satisfy existing pods anti-affinity rules",
        })
    }

    /// In our words, without the node: `memory short (448 Mi wanted, 120 Mi free)`.
    pub fn describe(&self) -> String {
        match self {
            Self::NotNamed => "not named by the pod".into(),
            Self::Cordoned => "cordoned".into(),
            Self::Taint(key) => format!("taint {key}"),
            Self::NotReady => "not ready".into(),
            Self::NodeAffinity => "not matched by the pod's node affinity".into(),
            Self::Port(port) => format!("host port {port} taken"),
            Self::TooManyPods { limit } => format!("full ({limit} pods)"),
            Self::Insufficient { resource, wanted, free, .. } => {
                let amount = |n: u64| match &**resource {
                    "cpu" => Cpu(n).to_string(),
                    "memory" | "ephemeral-storage" => Memory(n).to_string(),
                    _ => n.to_string(),
                };
                format!("{resource} short ({} wanted, {} free)", amount(*wanted), amount(*free))
            }
            Self::SpreadLabel(key) => format!("without the label {key}"),
            Self::Spread(key) => format!("spreading over {key} forbids one more"),
            Self::Affinity => "without the pods it must be near".into(),
            Self::AntiAffinity => "taken by a pod it must stay away from".into(),
            Self::KeptAway => "holds a pod that keeps it away".into(),
        }
    }

    /// Removing pods from the node could help. Source: the plugins answer `UnschedulableAndUnresolvable` otherwise.
    pub(super) fn resolvable(&self) -> bool {
        match self {
            Self::Port(_) | Self::TooManyPods { .. } => true,
            Self::Spread(_) | Self::AntiAffinity | Self::KeptAway => true,
            Self::Insufficient { never, .. } => !never,
            _ => false,
        }
    }
}
