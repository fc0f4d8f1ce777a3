//! A model of kube-scheduler: which nodes take a pod, which of them it likes best, and why the others do not.
//!
//! Called by the planners (scaling now; what-if, rebalancing and draining later) on a [`Board`] made from a snapshot
//! once; pods are then bound and taken off it one after another. It must never decide anything itself: what a plan
//! does with a placement is the planner's business.
//!
//! It stands for the default profile of kube-scheduler 1.36 (`pkg/scheduler/apis/config/v1/default_plugins.go`),
//! checked against recorded decisions in `tests/suite/scheduler.rs`:
//!
//! - filters, in the order in which they give their reasons: NodeAffinity's node names (PreFilter), NodeUnschedulable,
//!   TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit, PodTopologySpread, InterPodAffinity;
//! - scores with their weights: TaintToleration 3; NodeAffinity, PodTopologySpread, InterPodAffinity 2;
//!   NodeResourcesFit (LeastAllocated), NodeResourcesBalancedAllocation, ImageLocality 1;
//! - one rule of our own: a node that is not Ready takes nothing, even in the moments before its taints say so.
//!
//! Where it knowingly stops:
//!
//! - Of several nodes with the highest score any may be taken: all of them are given ([`Fits::best`]).
//! - From 100 nodes on, the scheduler stops looking when it has found enough feasible nodes (`numFeasibleNodesToFind`),
//!   from a starting point nobody outside knows: [`Board::possible`] gives the nodes that can win then.
//! - Preemption is recognised ([`Refusal::preemption`]), not simulated; so are pods that wait for a nominated node.
//! - Scheduling gates, claims that are not there and other schedulers are asked about before (`plan::admission`); where
//!   a volume can be attached (zones, limits), dynamic resources, extenders and further profiles are not modelled.
//!   ReplicationControllers do not contribute to the default spreading.
//! - Host ports are counted a pod each; the scheduler keeps a set, so that of two pods forced onto one node with the
//!   same port the first to go frees it.

mod board;
mod class;
mod explain;
mod filter;
mod fixed;
mod passed_over;
mod place;
mod plenty;
mod reason;
mod score;
mod topology;
mod victims;

pub use board::{At, Board, Closed};
pub use class::{Class, Incoming};
pub use explain::{Preemption, Refusal};
pub use place::{Fits, Placement};
pub use reason::Reason;
pub use victims::victims;

#[cfg(test)]
mod tests;
