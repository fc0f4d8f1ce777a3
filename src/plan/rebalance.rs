//! Which pods should move where: rebalancing after a node has come back, draining one, or moving a single pod.
//!
//! [`propose`] is the one door: total, deterministic, pure. It decides and explains; carrying out one [`Move`] is a
//! plan and a run of its own, made on what is seen then.
//!
//! Goals, in this order:
//!
//! 1. No tenant has two pods more on one node than on another that takes its pods. The measure is the number of
//!    *pairs* of a tenant's pods that share a node; with fewer replicas than nodes that is "no two on one node".
//! 2. Every tenant survives the loss of any single node. It follows from the first where it can be had at all; such
//!    tenants are moved first.
//! 3. Memory evens out: requests, as a part of what each node offers, until all nodes lie within
//!    [`Policy::even_within`] of their mean; then memory in use, within [`Policy::use_within`]. No such move gives up
//!    anything of the first goal.
//! 4. As few moves as that takes. A pod moves once, and each move brings a goal nearer, so that a plan that was
//!    carried out leaves nothing to plan.
//!
//! A target must take the new pod while the old one is still there, by the model of the scheduler: the new pod names
//! its node (a required affinity), so that it has to fit, and nothing else decides.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Balance, Check, Move, Stay, Verdict, check};
use crate::cluster::{NodeName, Snapshot, TenantName};

mod aim;
mod balance;
mod drain;
mod even;
mod given;
mod movable;
mod order;
mod single;
mod spread;
mod stage;
mod targets;

#[cfg(test)]
mod tests;

pub use aim::{Aim, Samples, Scheme, kind_of, usual_start};
use stage::Stage;
pub use targets::{TargetNode, Targets, targets};

pub use drain::{elsewhere, emptied, residents};
pub use given::given;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "kebab-case")]
pub enum Goal {
    /// Spread the tenants over the nodes and even out memory.
    Rebalance {
        /// Only pods that come from or go to these nodes; empty: all.
        #[serde(default)]
        nodes: Vec<NodeName>,
        /// Only these tenants; empty: all.
        #[serde(default)]
        tenants: Vec<TenantName>,
        /// Leave memory as it is.
        #[serde(default)]
        only_spread: bool,
    },
    /// Empty a node of all that can leave it.
    Drain {
        /// The node.
        node: NodeName,
    },
    /// Fill a node that takes pods again, with its part of what evens out the whole cluster: nothing else is moved.
    Fill {
        /// The node.
        node: NodeName,
    },
    /// Move one pod of a tenant.
    Move {
        /// The tenant.
        tenant: TenantName,
        /// The node one of its pods is on.
        from: NodeName,
        /// The node that pod's successor comes to.
        to: NodeName,
    },
}

/// How often moves that no order allows are looked for in another way.
const TRIES: u32 = 4;

/// At most so many moves; `None`: as many as it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// In all.
    pub moves: Option<u32>,
    /// From or to any one node.
    pub node: Option<u32>,
    /// Of any one tenant.
    pub tenant: Option<u32>,
}

/// Whose pods with an `emptyDir` may move: what is in it is lost, and the new pod starts with an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyDir {
    /// Those of tenants, which fill theirs at the start.
    #[default]
    Tenants,
    /// Nobody's.
    None,
    /// Everybody's.
    All,
}

/// `[moves]` of the configuration: what may move, and what is even enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Policy {
    /// Whose pods with an `emptyDir` may move.
    pub emptydir: EmptyDir,
    /// A node takes moved pods once it has been Ready for this long.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub node_ready_for: SignedDuration,
    /// A pod is left where it is until it is this old.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub pod_age: SignedDuration,
    /// Requested memory is even when no node lies further than this from the mean, in percent of what it offers.
    pub even_within: u32,
    /// The same of memory in use.
    pub use_within: u32,
    /// A node takes no moved pod beyond this much memory in use, in percent of what it offers.
    pub most_in_use: u32,
    /// Pods that only an eviction moves (StatefulSets) are moved as well, with one ready pod less meanwhile.
    pub evict: bool,
    /// A drain evicts pods that no controller makes again as well: they are lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            emptydir: EmptyDir::Tenants,
            node_ready_for: SignedDuration::from_mins(2),
            pod_age: SignedDuration::from_mins(2),
            even_within: 5,
            use_within: 20,
            most_in_use: 90,
            evict: false,
            force: false,
        }
    }
}

/// What should move, what stays and why, and what comes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// In the order in which they can be carried out, the most harmful first.
    pub moves: Vec<Move>,
    /// What stays although the goals want it elsewhere.
    pub stays: Vec<Stay>,
    /// The nodes that take no moved pods at present, although the goal may want some there.
    #[serde(default)]
    pub closed: Vec<Closed>,
    /// How the pods are spread now.
    pub before: Balance,
    /// And once all has moved.
    pub after: Balance,
}

impl Proposal {
    /// The same, with these pods staying.
    pub fn without(mut self, seen: &Snapshot, stays: Vec<Stay>) -> Self {
        if stays.is_empty() {
            return self;
        }
        self.moves.retain(|moved| !stays.iter().any(|stay| stay.pod == moved.pod));
        self.stays.extend(stays);
        self.after = given(seen, self.moves.clone()).after;
        self
    }
}

/// A node that takes no moved pods at present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// The node.
    pub node: NodeName,
    /// Stable name of the reason for scripts: `not-ready`, `cordoned`, `pressure`, `node-too-young` or `daemon-set`.
    pub rule: String,
    /// Why, as one sentence.
    pub why: String,
}

/// The moves that bring a goal nearer on what is seen. The same input gives the same moves.
///
/// # Errors
/// The check that refuses it: what is seen is not known well enough, a node or a tenant is unknown, or the goal makes
/// no sense as things are (a target that takes no pods, a drain of the last node).
pub fn propose(seen: &Snapshot, goal: &Goal, caps: Caps, policy: &Policy) -> Result<Proposal, Check> {
    if let Some(unknown) = check::freshness(seen).into_iter().find(|c| c.verdict == Verdict::Refuse) {
        return Err(unknown);
    }
    match goal {
        Goal::Rebalance { nodes, tenants, only_spread } => {
            nodes.iter().try_for_each(|node| known_node(seen, node))?;
            tenants.iter().try_for_each(|tenant| known_tenant(seen, tenant))?;
            // With fewer moves, the most harmful of all are made.
            let mut stage = Stage::new(seen, policy, Caps { moves: None, ..caps });
            stage.only(nodes, tenants);
            let before = balance::of(&stage);
            let mut tries = 0..TRIES;
            let moves = loop {
                // Evening out makes room here and there, which may let a tenant be spread after all.
                while spread::spread(&mut stage)
                    | (!only_spread && (even::requests(&mut stage) | even::in_use(&mut stage)))
                {
                }
                let wanted = stage.tried.len();
                let moves = order::ordered(&mut stage);
                // What no order allowed may be had in another way.
                if moves.len() == wanted || tries.next().is_none() {
                    break moves;
                }
            };
            let mut stays = spread::left(&mut stage);
            if !only_spread {
                let told: BTreeSet<_> = stays.iter().map(|stay| stay.pod.clone()).collect();
                stays.extend(even::left(&mut stage).into_iter().filter(|stay| !told.contains(&stay.pod)));
            }
            let whole = Proposal { moves, stays, closed: closed(&stage), before, after: balance::of(&stage) };
            Ok(first(seen, whole, caps))
        }
        Goal::Drain { node } => {
            known_node(seen, node)?;
            // All has to go: the youngest as well, and what only an eviction moves.
            let policy = Policy { pod_age: SignedDuration::ZERO, evict: true, ..policy.clone() };
            drain::drain(Stage::new(seen, &policy, caps), node)
        }
        Goal::Fill { node } => onto(seen, node, caps, policy),
        Goal::Move { tenant, from, to } => {
            known_tenant(seen, tenant)?;
            known_node(seen, from)?;
            known_node(seen, to)?;
            single::single(Stage::new(seen, policy, caps), tenant, from, to)
        }
    }
}

/// What a rebalancing of the whole cluster moves to that node.
fn onto(seen: &Snapshot, node: &NodeName, caps: Caps, policy: &Policy) -> Result<Proposal, Check> {
    known_node(seen, node)?;
    let goal = Goal::Rebalance { nodes: Vec::new(), tenants: Vec::new(), only_spread: false };
    let mut whole = propose(seen, &goal, Caps { moves: None, ..caps }, policy)?;
    let all = whole.moves.len();
    whole.moves.retain(|moved| moved.to.as_ref() == Some(node));
    if whole.moves.len() < all {
        whole.after = given(seen, whole.moves.clone()).after;
    }
    Ok(first(seen, whole, caps))
}

/// No more moves than are wanted, the most harmful state first.
fn first(seen: &Snapshot, mut whole: Proposal, caps: Caps) -> Proposal {
    if let Some(most) = caps.moves.map(|most| most as usize).filter(|most| *most < whole.moves.len()) {
        whole.moves.truncate(most);
        whole.after = given(seen, whole.moves.clone()).after;
    }
    whole
}

/// The nodes of the scope that take no moved pods.
fn closed(stage: &Stage) -> Vec<Closed> {
    let closed = stage.all().filter_map(|at| {
        let (rule, why) = stage.closed[at.index()].clone()?;
        Some(Closed { node: stage.name(at).clone(), rule: rule.into(), why })
    });
    closed.collect()
}

fn known_node(seen: &Snapshot, node: &NodeName) -> Result<(), Check> {
    match seen.nodes.get(node) {
        Some(_) => Ok(()),
        None => Err(refuse("node", check::unknown_node(seen, node.as_str()))),
    }
}

fn known_tenant(seen: &Snapshot, tenant: &TenantName) -> Result<(), Check> {
    match seen.tenants.get(tenant) {
        Some(_) => Ok(()),
        None => Err(refuse("tenant", check::unknown(seen, tenant.as_str()))),
    }
}

/// A refusal of that name.
fn refuse(rule: &str, why: impl Into<String>) -> Check {
    Check::new(rule, Verdict::Refuse, why)
}

/// The names in a list that is not empty.
fn chosen<T: Ord + Clone>(names: &[T]) -> Option<BTreeSet<T>> {
    (!names.is_empty()).then(|| names.iter().cloned().collect())
}
