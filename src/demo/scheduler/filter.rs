//! The filters, in kube-scheduler's order, and the words of a refusal.

use std::collections::BTreeMap;

use super::node::{Node, Taint};
use super::pod::{Constraint, Pod};
use super::{Cluster, Placed};

/// Why a node cannot take the pod.
pub(super) struct Failure {
    reasons: Vec<&'static str>,
    /// Taking pods away from the node would not help.
    for_good: bool,
}

/// One entry for each node in order of name; `None` where the pod can go. `without` is a node from which the pods
/// of lower priority are thought away (the dry run of preemption).
pub(super) fn filter(cluster: &Cluster, pod: &Pod, without: Option<&str>) -> Vec<Option<Failure>> {
    let named = named_nodes(pod);
    let there = |placed: &&Placed| {
        without.is_none_or(|node| placed.node != node || placed.pod.priority >= pod.priority)
    };
    let spread = Spread::count(cluster, pod, &there);
    let affinity = Pairs::count(cluster, pod, &there);
    cluster
        .nodes
        .values()
        .map(|node| {
            if without.is_some_and(|name| name != node.name) {
                return None;
            }
            if let Some(named) = &named
                && !named.contains(&&node.name)
            {
                return Some(Failure::for_good("node(s) didn't satisfy plugin(s) [NodeAffinity]"));
            }
            belonging(pod, node)
                .or_else(|| match without {
                    None => capacity(pod, node),
                    Some(_) => capacity(pod, &relieved(cluster, pod, node)),
                })
                .or_else(|| spread.failure(pod, node))
                .or_else(|| affinity.failure(pod, node))
        })
        .collect()
}

/// Whether cordon, taints and node affinity let the pod onto the node: the filters a DaemonSet asks.
pub(super) fn belongs(pod: &Pod, node: &Node) -> bool {
    belonging(pod, node).is_none()
}

/// The scheduler's sentence: `0/5 nodes are available: ...`.
pub(super) fn refusal(cluster: &Cluster, pod: &Pod, outcome: &[Option<Failure>]) -> String {
    let total = cluster.nodes.len();
    let failures: Vec<(&Node, &Failure)> = cluster
        .nodes
        .values()
        .zip(outcome)
        .filter_map(|(node, failure)| Some((node, failure.as_ref()?)))
        .collect();
    let head = format!(
        "0/{total} nodes are available: {}.",
        histogram(failures.iter().flat_map(|(_, failure)| failure.reasons.iter().copied()))
    );
    if !pod.may_preempt {
        return format!(
            "{head} no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
        );
    }
    let mut reasons = Vec::new();
    for (node, failure) in &failures {
        if failure.for_good {
            reasons.push("Preemption is not helpful for scheduling");
            continue;
        }
        let victims = cluster
            .pods
            .values()
            .any(|placed| placed.node == node.name && placed.pod.priority < pod.priority);
        if !victims {
            reasons.push("No preemption victims found for incoming pod");
            continue;
        }
        let again = filter(cluster, pod, Some(&node.name));
        match cluster
            .nodes
            .keys()
            .zip(again)
            .find(|(name, _)| **name == node.name)
            .and_then(|(_, failure)| failure)
        {
            Some(failure) => reasons.extend(failure.reasons),
            None => return head,
        }
    }
    format!(
        "{head} no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        histogram(reasons)
    )
}

fn histogram(reasons: impl IntoIterator<Item = &'static str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    parts.join(", ")
}

impl Failure {
    fn for_good(reason: &'static str) -> Self {
        Self { reasons: vec![reason], for_good: true }
    }

    fn for_now(reason: &'static str) -> Self {
        Self { reasons: vec![reason], for_good: false }
    }
}

fn named_nodes(pod: &Pod) -> Option<Vec<&String>> {
    let terms = pod.node_required.as_ref().filter(|terms| !terms.is_empty())?;
    let mut all = Vec::new();
    for term in terms {
        all.extend(term.names()?);
    }
    Some(all)
}

fn belonging(pod: &Pod, node: &Node) -> Option<Failure> {
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    };
    if node.unschedulable && !pod.tolerates(&cordon) {
        return Some(Failure::for_good("node(s) were unschedulable"));
    }
    if node.taints.iter().any(|taint| repels(taint) && !pod.tolerates(taint)) {
        return Some(Failure::for_good("node(s) had untolerated taint(s)"));
    }
    if !pod.wants(node) {
        return Some(Failure::for_good("node(s) didn't match Pod's node affinity/selector"));
    }
    None
}

pub(super) fn repels(taint: &Taint) -> bool {
    matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
}

fn capacity(pod: &Pod, node: &Node) -> Option<Failure> {
    if pod.ports.iter().any(|port| node.load.ports.iter().any(|other| port.collides(other))) {
        return Some(Failure::for_now("node(s) didn't have free ports for the requested pod ports"));
    }
    let mut reasons = Vec::new();
    let mut for_good = false;
    if node.load.pods + 1 > node.most_pods {
        reasons.push("Too many pods");
    }
    for (wanted, used, room, reason) in [
        (pod.requests.cpu, node.load.requested.cpu, node.allocatable.cpu, "Insufficient cpu"),
        (pod.requests.memory, node.load.requested.memory, node.allocatable.memory, "Insufficient memory"),
    ] {
        if wanted > 0 && wanted > room.saturating_sub(used) {
            reasons.push(reason);
            for_good |= wanted > room;
        }
    }
    (!reasons.is_empty()).then_some(Failure { reasons, for_good })
}

/// The node as it would be without the pods of lower priority.
fn relieved(cluster: &Cluster, pod: &Pod, node: &Node) -> Node {
    let mut node = node.clone();
    let victims =
        cluster.pods.values().filter(|placed| placed.node == node.name && placed.pod.priority < pod.priority);
    let mut load = node.load.clone();
    victims.for_each(|victim| load.remove(&victim.pod));
    node.load = load;
    node
}

/// Counts for the hard topology spread constraints.
struct Spread<'a> {
    constraints: Vec<(&'a Constraint, BTreeMap<&'a str, i64>, i64)>,
}

impl<'a> Spread<'a> {
    fn count(cluster: &'a Cluster, pod: &'a Pod, there: &dyn Fn(&&Placed) -> bool) -> Self {
        let hard: Vec<&Constraint> = pod.constraints.iter().filter(|constraint| constraint.hard).collect();
        let all_keys =
            |node: &Node| hard.iter().all(|constraint| node.labels.contains_key(&constraint.topology));
        let constraints = hard
            .iter()
            .map(|constraint| {
                let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
                for node in
                    cluster.nodes.values().filter(|node| all_keys(node) && includes(constraint, pod, node))
                {
                    counts.insert(&node.labels[&constraint.topology], 0);
                }
                for placed in cluster.in_namespace(&pod.namespace).filter(there) {
                    let Some(node) = cluster.nodes.get(&placed.node) else { continue };
                    if all_keys(node)
                        && includes(constraint, pod, node)
                        && counts_for(constraint, &placed.pod)
                    {
                        *counts.entry(&node.labels[&constraint.topology]).or_default() += 1;
                    }
                }
                let least = if counts.len() < constraint.min_domains {
                    0
                } else {
                    counts.values().min().copied().unwrap_or(0)
                };
                (*constraint, counts, least)
            })
            .collect();
        Self { constraints }
    }

    fn failure(&self, pod: &Pod, node: &Node) -> Option<Failure> {
        for (constraint, counts, least) in &self.constraints {
            let Some(value) = node.labels.get(&constraint.topology) else {
                return Some(Failure::for_good(
                    "node(s) didn't match pod topology spread constraints (missing required label)",
                ));
            };
            let own = i64::from(constraint.selector.matches(&pod.labels));
            let count = counts.get(value.as_str()).copied().unwrap_or(0);
            if count + own - least > constraint.max_skew {
                return Some(Failure::for_now("node(s) didn't match pod topology spread constraints"));
            }
        }
        None
    }
}

/// Whether the node counts at all for the constraint.
pub(super) fn includes(constraint: &Constraint, pod: &Pod, node: &Node) -> bool {
    (!constraint.honour_affinity || pod.wants(node))
        && (!constraint.honour_taints
            || node.taints.iter().all(|taint| !repels(taint) || pod.tolerates(taint)))
}

/// Terminating pods do not count for spreading, and an empty selector counts none.
pub(super) fn counts_for(constraint: &Constraint, pod: &Pod) -> bool {
    !pod.terminating && !constraint.selector.is_empty() && constraint.selector.matches(&pod.labels)
}

type Counts<'a> = BTreeMap<(&'a str, &'a str), i64>;

/// Topology pairs that required pod affinity and anti-affinity allow or forbid.
struct Pairs<'a> {
    wanted: Counts<'a>,
    /// Nobody is there whom the affinity wants, and the pod itself would be wanted: the first of its kind.
    first: bool,
    unwanted: Counts<'a>,
    unwelcome: Counts<'a>,
}

impl<'a> Pairs<'a> {
    fn count(cluster: &'a Cluster, pod: &'a Pod, there: &dyn Fn(&&Placed) -> bool) -> Self {
        let (mut wanted, mut unwanted, mut unwelcome) = (Counts::new(), Counts::new(), Counts::new());
        let note = |counts: &mut Counts<'a>, topology: &'a str, placed: &'a Placed| {
            if let Some(value) = cluster.nodes.get(&placed.node).and_then(|node| node.labels.get(topology)) {
                *counts.entry((topology, value)).or_default() += 1;
            }
        };
        if let Some(first) = pod.affinity.required.first() {
            for placed in cluster.reached(first).filter(there) {
                if pod.affinity.required.iter().all(|term| cluster.selects(term, &placed.pod)) {
                    for term in &pod.affinity.required {
                        note(&mut wanted, &term.topology, placed);
                    }
                }
            }
        }
        for term in &pod.anti_affinity.required {
            for placed in
                cluster.reached(term).filter(there).filter(|placed| cluster.selects(term, &placed.pod))
            {
                note(&mut unwanted, &term.topology, placed);
            }
        }
        for placed in cluster.concerning(&pod.namespace).filter(there) {
            for term in placed.pod.anti_affinity.required.iter().filter(|term| cluster.selects(term, pod)) {
                note(&mut unwelcome, &term.topology, placed);
            }
        }
        let first = wanted.is_empty() && pod.affinity.required.iter().all(|term| cluster.selects(term, pod));
        Self { wanted, first, unwanted, unwelcome }
    }

    fn failure(&self, pod: &Pod, node: &Node) -> Option<Failure> {
        for term in &pod.affinity.required {
            let value = node.labels.get(&term.topology);
            let near = value
                .is_some_and(|value| self.wanted.contains_key(&(term.topology.as_str(), value.as_str())));
            if !near && (!self.first || value.is_none()) {
                return Some(Failure::for_good("node(s) didn't match pod affinity rules"));
            }
        }
        let hit = |counts: &Counts<'_>| {
            counts
                .keys()
                .any(|(topology, value)| node.labels.get(*topology).is_some_and(|have| have == value))
        };
        if hit(&self.unwanted) {
            return Some(Failure::for_now("node(s) didn't match pod anti-affinity rules"));
        }
        if hit(&self.unwelcome) {
            return Some(Failure::for_now("node(s) didn't satisfy existing pods anti-affinity rules"));
        }
        None
    }
}
