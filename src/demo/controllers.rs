//! The controllers of kube-controller-manager, each a function from the world's present state to its next writes.
//!
//! The world calls them when something they care about changed. They are level-triggered: called twice, the second
//! call writes nothing.

mod autoscaler;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoints;
mod garbage;
mod job;
mod namespace;
mod node;
mod pods;
mod replica_set;
mod stateful_set;

pub(super) use autoscaler::autoscale;
pub(super) use daemon_set::{daemon_pod, daemon_set, revision as daemon_revision};
pub(super) use deployment::{deployment, new_replica_set, settled_status};
pub(super) use disruption::budget;
pub(super) use endpoints::endpoints;
pub(super) use garbage::{orphaned, owner};
pub(super) use job::job;
pub(super) use namespace::namespace;
pub(super) use node::{evict, node, node_lost};
pub(super) use pods::pod_from_template;
pub(super) use replica_set::replica_set;
pub(super) use stateful_set::stateful_set;

/// Who writes: the field manager and event source of all of them.
const MANAGER: &str = "kube-controller-manager";
