//! What an operator asks of many pods at once, and what becomes of it: the moves, what is done before them, how long they
//! take. Pure; made beside the event loop, and shown before anything is agreed to.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Caps, Goal, Policy, Proposal, onto, propose};
use crate::{
    cluster::{NodeName, Pod, Snapshot, Tenant, TenantName, words::count},
    plan::{Check, Confirmation, Intent, Means, Move, Plan, Stay, by_hand, plan},
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

/// The moves that bring an aim nearer, and all that is said of them before they are agreed to.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// What was asked.
    pub aim: Aim,
    /// What is done before the moves.
    pub first: Option<Intent>,
    /// The moves, what stays, and the numbers before and after.
    pub proposal: Proposal,
    /// What it was made on: what is seen, as it is once the first is done.
    pub foreseen: Arc<Snapshot>,
    /// How long the moves take one after another, by how long pods of these tenants took to start.
    pub takes: SignedDuration,
}

/// Seconds of a move beside the start of its pod: five writes, and waiting until each is seen.
const BESIDE: i64 = 4;
/// How long a pod starts, where none of its tenant tells.
const STARTS: SignedDuration = SignedDuration::from_secs(20);
/// A pod that took longer was held up by something else, or was ready before.
const LONGEST_START: SignedDuration = SignedDuration::from_mins(15);
/// Plans that are rehearsed before a campaign: rights and admission differ from namespace to namespace.
const SAMPLES: usize = 12;

/// The scheme of an aim on what is seen.
///
/// # Errors
/// The check that refuses it, as [`propose`] does.
pub fn scheme(seen: &Arc<Snapshot>, aim: &Aim, caps: Caps, policy: &Policy) -> Result<Scheme, Check> {
    let cordoned = |node: &NodeName| seen.nodes.get(node).is_some_and(|node| node.cordoned);
    let (wanted, first, foreseen) = match aim {
        Aim::Rebalance { nodes, tenants } => {
            let (nodes, tenants) = (nodes.clone(), tenants.clone());
            let goal = Goal::Rebalance { nodes, tenants, only_spread: false };
            (propose(seen, &goal, caps, policy), None, seen.clone())
        }
        Aim::Drain { node } => {
            let first = Intent::Cordon { node: node.clone(), cordoned: true };
            let goal = Goal::Drain { node: node.clone() };
            (propose(seen, &goal, caps, policy), Some(first).filter(|_| !cordoned(node)), seen.clone())
        }
        Aim::Undrain { node } => {
            let first = Intent::Cordon { node: node.clone(), cordoned: false };
            let foreseen = if cordoned(node) { uncordoned(seen, node) } else { seen.clone() };
            (onto(&foreseen, node, caps, policy), Some(first).filter(|_| cordoned(node)), foreseen)
        }
    };
    let mut proposal = wanted?;
    if let Aim::Drain { node } = aim {
        leave_to_kubectl(seen, node, &mut proposal);
    }
    let takes = takes(&foreseen, &proposal.moves);
    Ok(Scheme { aim: aim.clone(), first, proposal, foreseen, takes })
}

/// What no run can move is left to `kubectl drain`, and said to be.
fn leave_to_kubectl(seen: &Snapshot, node: &NodeName, proposal: &mut Proposal) {
    let by_hand = drain_by_hand(seen, node);
    let moves = std::mem::take(&mut proposal.moves);
    let (moves, others): (Vec<_>, Vec<_>) =
        moves.into_iter().partition(|moved| moved.tenant.is_none() || moved.to.is_some());
    proposal.moves = moves;
    proposal.stays.extend(others.into_iter().map(|moved| {
        let why = format!("no other node takes it: `{by_hand}` evicts it, and it stays Pending");
        Stay { pod: moved.pod, tenant: moved.tenant, node: moved.from, rule: "no-room".into(), why }
    }));
}

/// The line that drains a node by hand.
pub fn drain_by_hand(seen: &Snapshot, node: &NodeName) -> String {
    let flags = seen.api.flags.iter().map(|flag| &**flag);
    let drain = ["drain", node.as_str(), "--ignore-daemonsets", "--delete-emptydir-data"];
    by_hand::line("kubectl", flags.chain(drain))
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
    /// All that is to be done, in order.
    pub fn items(&self) -> Vec<Intent> {
        let moves = self.proposal.moves.iter().map(|moved| Intent::Move { moved: moved.clone() });
        self.first.iter().cloned().chain(moves).collect()
    }

    /// There is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.proposal.moves.is_empty()
    }

    /// Moves by eviction.
    pub fn evictions(&self) -> usize {
        self.proposal.moves.iter().filter(|moved| moved.means == Means::Eviction).count()
    }

    /// Plans of its items that stand for all of them in a rehearsal: what comes first, every eviction, since each may
    /// want a name typed, and one adoption a namespace, of so many namespaces at most.
    pub fn samples(&self) -> Samples {
        let mut namespaces: BTreeMap<&str, &Move> = BTreeMap::new();
        for moved in self.proposal.moves.iter().filter(|moved| moved.means == Means::Adoption) {
            namespaces.entry(&*moved.pod.namespace).or_insert(moved);
        }
        let of = namespaces.len();
        let evicted = self.proposal.moves.iter().filter(|moved| moved.means == Means::Eviction);
        let moves = evicted.chain(namespaces.into_values().take(SAMPLES));
        let items = moves.map(|moved| Intent::Move { moved: moved.clone() });
        let plans = self.first.iter().cloned().chain(items);
        let plans = plans.map(|item| plan(&self.foreseen, &item)).collect();
        Samples { plans, namespaces: (of.min(SAMPLES), of) }
    }

    /// Whether it asks for the same as another: the same moves, by the same means.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |scheme: &Self| {
            let moves = scheme.proposal.moves.iter();
            moves.map(|m| (m.uid.clone(), m.from.clone(), m.to.clone(), m.means)).collect::<Vec<_>>()
        };
        self.aim == other.aim && self.first == other.first && of(self) == of(other)
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

impl Samples {
    /// What has to be typed for all of them together.
    pub fn confirmation(&self) -> Confirmation {
        let typed: std::collections::BTreeSet<_> = self
            .plans
            .iter()
            .filter_map(|plan| match plan.confirmation() {
                Confirmation::Type(text) => Some(text),
                Confirmation::Yes => None,
            })
            .collect();
        match typed.len() {
            0 => Confirmation::Yes,
            1 => Confirmation::Type(typed.into_iter().next().unwrap_or_default()),
            n => Confirmation::Type(format!("{n} tenants")),
        }
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
    use crate::cluster::sketch;

    fn seen(text: &str) -> Arc<Snapshot> {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        Arc::new(sketch(text, now).expect("a sketch"))
    }

    #[test]
    fn an_undrain_uncordons_first_and_a_drain_cordons_first() {
        let seen =
            seen("node w1\nnode w2\nnode w3 cordoned\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w2");
        let made = |aim: Aim| scheme(&seen, &aim, Caps::default(), &Policy::default()).expect("a scheme");
        let undrain = made(Aim::Undrain { node: "w3".into() });
        assert_eq!(undrain.first, Some(Intent::Cordon { node: "w3".into(), cordoned: false }));
        assert!(undrain.proposal.moves.iter().all(|m| m.to == Some("w3".into())), "{undrain:?}");
        assert_eq!((undrain.proposal.moves.len(), undrain.items().len()), (1, 2));
        let drain = made(Aim::Drain { node: "w2".into() });
        assert_eq!(drain.first, Some(Intent::Cordon { node: "w2".into(), cordoned: true }));
        assert_eq!(drain.aim.to_string(), "drain w2");
        assert!(drain.takes > SignedDuration::ZERO && !drain.is_empty());
        let again = made(Aim::Drain { node: "w3".into() });
        assert!(again.first.is_none() && again.is_empty(), "cordoned and empty already: {again:?}");
    }

    #[test]
    fn samples_are_one_a_namespace_and_every_eviction() {
        let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1\ntenant globex 2 on w1 w1\ntenant store 2 on w1 w2 statefulset";
        let seen = seen(text);
        let drain = Aim::Drain { node: "w1".into() };
        let made = scheme(&seen, &drain, Caps::default(), &Policy::default()).expect("a scheme");
        let samples = made.samples();
        // The cordon, acme, globex, and the pod of the StatefulSet.
        assert_eq!((samples.plans.len(), samples.namespaces), (4, (2, 2)), "{:?}", samples.plans);
        assert_eq!(made.evictions(), 1);
        assert_eq!(samples.confirmation(), Confirmation::Type("store".into()));
    }
}
