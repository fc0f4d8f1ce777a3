//! A move: one pod of a tenant leaves its node, and another of the same template serves in its place elsewhere.
//!
//! [`super::rebalance`] decides which moves there should be; a run carries out one of them. What both speak about is
//! here, and nothing else.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::cluster::{Key, Memory, NodeName, TenantName, Uid, WorkloadKey, words::all_pods};

mod carry;

pub use carry::{RefusedMove, plan};
pub(super) use carry::{back, planned};

/// One pod goes from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Whose pod it is; `None`: no tenant's, which a drain evicts.
    pub tenant: Option<TenantName>,
    /// The workload it belongs to, where one is known.
    pub workload: Option<WorkloadKey>,
    /// The pod that goes.
    pub pod: Key,
    /// Its uid: a successor of the same name is not meant.
    pub uid: Uid,
    /// The node it is on.
    pub from: NodeName,
    /// The node the other comes to. An evicted pod goes where the scheduler puts it: this is the prediction, and
    /// `None` when no node takes it.
    pub to: Option<NodeName>,
    /// How.
    pub means: Means,
    /// Why it should.
    pub reason: Reason,
    /// Memory of the target that no pod has requested, before this move and after it.
    pub free: Option<(Memory, Memory)>,
}

/// How a pod is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Means {
    /// A new pod is ready on the target before its ReplicaSet adopts it and removes the old one: no ready pod is lost.
    Adoption,
    /// The pod is evicted, within its disruption budgets, and its controller makes another: one ready pod less
    /// meanwhile.
    Eviction,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Adoption => "adoption",
            Self::Eviction => "eviction",
        })
    }
}

/// Why a pod should move. In the order in which the goals are pursued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "kebab-case")]
pub enum Reason {
    /// All ready pods of the tenant are on one node.
    OneNode {
        /// How many.
        pods: u32,
    },
    /// Several pods of the tenant are on its node, while another node that takes it has none.
    Doubled {
        /// How many.
        pods: u32,
    },
    /// It makes room for a pod of another tenant that is doubled up.
    MakesRoom {
        /// That tenant.
        tenant: TenantName,
    },
    /// Its node has a larger part of its memory requested than the others.
    Uneven {
        /// Requested there, in percent of its allocatable memory, before the move.
        from: u32,
        /// And on the target.
        to: u32,
    },
    /// Its node is drained.
    Drained,
    /// An operator asked for this move.
    Asked,
}

impl Reason {
    /// The same in a dozen letters.
    pub fn brief(&self) -> String {
        match self {
            Self::OneNode { .. } => "one node".into(),
            Self::Doubled { .. } => "doubled".into(),
            Self::MakesRoom { .. } => "makes room".into(),
            Self::Uneven { from, to } => format!("{from} → {to} %"),
            Self::Drained => "drained".into(),
            Self::Asked => self.to_string(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneNode { pods } => write!(f, "{} on one node", all_pods(*pods)),
            Self::Doubled { pods } => write!(f, "{pods} pods on one node"),
            Self::MakesRoom { tenant } => write!(f, "makes room for {tenant}"),
            Self::Uneven { from, to } => write!(f, "memory requested {from} % there, {to} % here"),
            Self::Drained => f.write_str("its node is drained"),
            Self::Asked => f.write_str("as asked"),
        }
    }
}

/// A pod that stays although the goals want it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The pod.
    pub pod: Key,
    /// Whose it is; `None`: no tenant's.
    pub tenant: Option<TenantName>,
    /// Where it is.
    pub node: NodeName,
    /// Stable name of the reason for scripts, such as `stateful-set`, `too-young`, `rollout`, `quota`, `no-room`.
    pub rule: String,
    /// Why, as one sentence, with what would make the move possible.
    pub why: String,
}

/// How the pods are spread over the nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// Active pods of tenants on each node.
    pub pods: BTreeMap<NodeName, u32>,
    /// Pods of a tenant beyond the first on a node, over all tenants and nodes.
    pub doubled: u32,
    /// Tenants of two replicas and more with all their ready pods on one node.
    pub on_one_node: u32,
    /// The most tenants that lose all their ready pods when one node fails, and that node; `None` without nodes.
    pub worst: Option<(NodeName, u32)>,
    /// Standard deviation over the nodes of the part of their allocatable memory that is requested, in percent.
    pub requests_deviation: f64,
    /// The same of memory in use; `None` where it is not known of every node.
    pub use_deviation: Option<f64>,
    /// The largest part of a node's allocatable memory that limits promise, in percent.
    pub overcommit: f64,
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn a_reason_in_a_dozen_letters_has_no_more() {
        for reason in [
            Reason::OneNode { pods: 3 },
            Reason::Doubled { pods: 2 },
            Reason::MakesRoom { tenant: "a-tenant-with-a-long-name".into() },
            Reason::Uneven { from: 100, to: 41 },
            Reason::Drained,
            Reason::Asked,
        ] {
            assert!(reason.brief().chars().count() <= 12, "{}", reason.brief());
        }
    }
}
