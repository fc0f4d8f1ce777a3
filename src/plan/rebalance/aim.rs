//! What an operator asks of many pods at once, and what becomes of it: the moves, what is done before them, how long they
//! take. Pure; made beside the event loop, and shown before anything is agreed to.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Goal, Proposal};
use crate::{
    cluster::{NodeName, Pod, Snapshot, Tenant, TenantName, words::count},
    plan::{Check, Intent, Means, Move, Plan, plan_each},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "aim", rename_all = "kebab-case")]
pub enum Aim {
    /// Spread the tenants, and even out memory.
    Rebalance {
        /// Only pods that come from or go to these nodes; empty: all.
        nodes: Vec<NodeName>,
        /// Only these tenants; empty: all.
        tenants: Vec<TenantName>,
    },
    /// Cordon a node and empty it.
    Drain {
        /// The node.
        node: NodeName,
    },
    /// Uncordon a node and move pods back onto it.
    Undrain {
        /// The node.
        node: NodeName,
    },
}

impl fmt::Display for Aim {
    /// `rebalance the cluster`, `drain worker-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebalance { nodes, tenants } => match (tenants.as_slice(), nodes.as_slice()) {
                ([], []) => f.write_str("rebalance the cluster"),
                ([one], _) => write!(f, "rebalance {one}"),
                ([], [one]) => write!(f, "rebalance {one}"),
                ([], nodes) => write!(f, "rebalance {}", count(nodes.len(), "node")),
                (tenants, _) => write!(f, "rebalance {}", count(tenants.len(), "tenant")),
            },
            Self::Drain { node } => write!(f, "drain {node}"),
            Self::Undrain { node } => write!(f, "undrain {node}"),
        }
    }
}

/// Moves, what is done before them, and all that is said of them before they are agreed to.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// The moves, what stays, and the numbers before and after.
    pub proposal: Proposal,
    /// All that is to be done, in order: the moves, and what comes before them.
    pub items: Vec<Intent>,
    /// What it was made on: what is seen, as it is once the first item is done.
    pub foreseen: Arc<Snapshot>,
    /// How long the moves take one after another, by how long pods of these tenants took to start.
    pub takes: SignedDuration,
    /// What else is to be said, a sentence each.
    pub notes: Vec<String>,
}

/// Seconds of a move beside the start of its pod: five writes, and waiting until each is seen.
const BESIDE: i64 = 4;
/// How long a pod starts, where none of its tenant tells.
const STARTS: SignedDuration = SignedDuration::from_secs(20);
/// A pod that took longer was held up by something else, or was ready before.
const LONGEST_START: SignedDuration = SignedDuration::from_mins(15);
/// Namespaces in which an adoption is rehearsed: rights and admission differ from one to the next.
const SAMPLES: usize = 200;

impl Aim {
    /// The goal the planner pursues for it.
    pub fn goal(&self) -> Goal {
        let nodes_of = |nodes: Vec<NodeName>, tenants| Goal::Rebalance { nodes, tenants, only_spread: false };
        match self {
            Self::Rebalance { nodes, tenants } => nodes_of(nodes.clone(), tenants.clone()),
            Self::Drain { node } => Goal::Drain { node: node.clone() },
            Self::Undrain { node } => Goal::Fill { node: node.clone() },
        }
    }

    /// What has to be done before its goal can be pursued, and what is seen then.
    pub fn before(&self, seen: &Arc<Snapshot>) -> (Option<Intent>, Arc<Snapshot>) {
        match self {
            Self::Undrain { node } if seen.nodes.get(node).is_some_and(|node| node.cordoned) => {
                let first = Intent::Cordon { node: node.clone(), cordoned: false };
                (Some(first), uncordoned(seen, node))
            }
            _ => (None, seen.clone()),
        }
    }

    /// What is to be said of a node that is to be filled and takes pods already.
    pub fn is_open(&self, seen: &Snapshot) -> Option<String> {
        let Self::Undrain { node } = self else { return None };
        let open = seen.nodes.get(node).is_some_and(|node| !node.cordoned);
        open.then(|| format!("{node} is not cordoned: pods are moved to it only"))
    }
}

/// What will be seen once the node is uncordoned.
fn uncordoned(seen: &Snapshot, name: &NodeName) -> Arc<Snapshot> {
    let mut foreseen = seen.clone();
    if let Some(node) = seen.nodes.get(name) {
        let mut node = (**node).clone();
        node.cordoned = false;
        node.taints.retain(|taint| taint.key != "node.kubernetes.io/unschedulable");
        foreseen.nodes.items.insert(name.clone(), Arc::new(node));
    }
    Arc::new(foreseen)
}

/// How long a pod took from being made to being ready, where that can still be seen.
fn start_of(pod: &Pod) -> Option<SignedDuration> {
    let took = pod.ready_since?.duration_since(pod.created);
    (pod.ready && pod.restarts() == 0 && !took.is_negative() && took < LONGEST_START).then_some(took)
}

/// How long a pod of a tenant usually takes to start; `None`: none of its pods tells.
pub fn usual_start(tenant: &Tenant) -> Option<SignedDuration> {
    let mut all: Vec<_> = tenant.active().filter_map(|pod| start_of(pod)).collect();
    all.sort();
    all.get(all.len() / 2).copied()
}

fn takes(seen: &Snapshot, moves: &[Move]) -> SignedDuration {
    let mut of: BTreeMap<&TenantName, SignedDuration> = BTreeMap::new();
    moves.iter().fold(SignedDuration::ZERO, |sum, moved| {
        let Some(name) = &moved.tenant else { return sum };
        let one = *of.entry(name).or_insert_with(|| match seen.tenants.get(name) {
            Some(tenant) => {
                let waits = SignedDuration::from_secs(i64::from(tenant.workload.min_ready_seconds));
                usual_start(tenant).unwrap_or(STARTS).saturating_add(waits)
            }
            None => STARTS,
        });
        sum.saturating_add(one).saturating_add(SignedDuration::from_secs(BESIDE))
    })
}

impl Scheme {
    /// These items, with what is said of their moves.
    pub fn new(proposal: Proposal, items: Vec<Intent>, foreseen: Arc<Snapshot>) -> Self {
        let takes = takes(&foreseen, &proposal.moves);
        Self { proposal, items, foreseen, takes, notes: Vec::new() }
    }

    /// What is done before the moves.
    pub fn first(&self) -> Option<&Intent> {
        self.items.first().filter(|item| !matches!(item, Intent::Move { .. }))
    }

    /// There is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Moves by eviction.
    pub fn evictions(&self) -> usize {
        self.proposal.moves.iter().filter(|moved| moved.means == Means::Eviction).count()
    }

    /// Plans of its items that stand for all of them in a rehearsal.
    pub fn samples(&self) -> Samples {
        Samples::of(&self.items, &self.foreseen)
    }

    /// Whether it asks for the same as another: the same moves, by the same means.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |scheme: &Self| {
            let moves = scheme.proposal.moves.iter();
            moves.map(|m| (m.uid.clone(), m.from.clone(), m.to.clone(), m.means)).collect::<Vec<_>>()
        };
        self.first() == other.first() && of(self) == of(other)
    }
}

/// Plans that stand for all.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// They.
    pub plans: Vec<Plan>,
    /// In so many namespaces pods are moved, of how many.
    pub namespaces: (usize, usize),
}

/// What rights and admission depend on: the namespace a pod is adopted in; other items each by itself.
pub fn kind_of(item: &Intent) -> String {
    match item {
        Intent::Move { moved } if moved.means == Means::Adoption => {
            format!("adoption {}", moved.pod.namespace)
        }
        Intent::Move { moved } => format!("{} {}", moved.means, moved.pod),
        Intent::Cordon { node, cordoned } => format!("cordon {node} {cordoned}"),
        // One stands for all: each is rehearsed again when its turn comes.
        Intent::Migrate { .. } | Intent::Release { .. } => "a tenant".to_owned(),
        other => format!("{other:?}"),
    }
}

impl Samples {
    /// Plans that stand for these items on what is seen: every item that is no move, every eviction, since each may want
    /// a name typed, and one adoption a namespace, of so many namespaces at most.
    pub fn of(items: &[Intent], seen: &Snapshot) -> Self {
        let adopted =
            |item: &Intent| matches!(item, Intent::Move { moved } if moved.means == Means::Adoption);
        let mut kinds: BTreeMap<String, &Intent> = BTreeMap::new();
        for item in items.iter().filter(|item| adopted(item)) {
            kinds.entry(kind_of(item)).or_insert(item);
        }
        let of = kinds.len();
        let others = items.iter().filter(|item| !adopted(item));
        let plans = plan_each(seen, others.chain(kinds.into_values().take(SAMPLES)));
        Self { plans: plans.collect(), namespaces: (of.min(SAMPLES), of) }
    }

    /// What refuses one of them, or warns of it, each sentence once.
    pub fn checks(&self) -> Vec<Check> {
        let mut all: Vec<Check> = Vec::new();
        let mut say = |check: Check| {
            if check.verdict != crate::plan::Verdict::Ok && !all.iter().any(|c| c.text == check.text) {
                all.push(check);
            }
        };
        for plan in &self.plans {
            plan.checks.iter().cloned().for_each(&mut say);
            for part in plan.parts() {
                let about = part.about();
                let told =
                    |check: &Check| Check { text: format!("{about}: {}", check.text), ..check.clone() };
                part.checks().iter().map(told).for_each(&mut say);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::sketch,
        plan::rebalance::{Caps, Policy, propose},
    };

    fn made(text: &str, aim: &Aim) -> Scheme {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let seen = Arc::new(sketch(text, now).expect("a sketch"));
        let (first, foreseen) = aim.before(&seen);
        let proposal = propose(&foreseen, &aim.goal(), Caps::default(), &Policy::default()).expect("moves");
        let moves = proposal.moves.iter().map(|moved| Intent::Move { moved: moved.clone() });
        let items = first.into_iter().chain(moves).collect();
        Scheme::new(proposal, items, foreseen)
    }

    #[test]
    fn an_undrain_uncordons_first_and_moves_onto_the_node() {
        let text = "node w1\nnode w2\nnode w3 cordoned\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w2";
        let undrain = made(text, &Aim::Undrain { node: "w3".into() });
        assert_eq!(undrain.first(), Some(&Intent::Cordon { node: "w3".into(), cordoned: false }));
        assert!(undrain.proposal.moves.iter().all(|m| m.to == Some("w3".into())), "{undrain:?}");
        assert_eq!((undrain.proposal.moves.len(), undrain.items.len()), (1, 2));
        assert!(undrain.takes > SignedDuration::ZERO && !undrain.is_empty());
    }

    #[test]
    fn samples_are_one_a_namespace_and_every_eviction() {
        let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w1\ntenant store 2 on w1 w2 statefulset";
        let drain = made(text, &Aim::Drain { node: "w1".into() });
        let samples = drain.samples();
        // acme, globex, and the pod of the StatefulSet.
        assert_eq!((samples.plans.len(), samples.namespaces), (3, (2, 2)), "{:?}", samples.plans);
        assert_eq!(drain.evictions(), 1);
        let told = samples.checks();
        assert!(told.iter().any(|c| c.text.starts_with("store: ")), "{told:?}");
    }
}
