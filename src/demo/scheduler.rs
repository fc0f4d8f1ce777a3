//! The scheduler: filters and scores of kube-scheduler's default profile, as recorded from 1.36.
//!
//! PURE. The world feeds it nodes, pods, services and ReplicaSets and asks it for a [`Decision`].
//! Preemption is not performed; the text of a refusal says what preemption would have said.

mod filter;
mod node;
mod pod;
#[cfg(test)]
mod recorded;
mod score;

use std::collections::BTreeMap;

use node::Load;
pub(crate) use node::{Amount, Node, Taint, taints};
use pod::Term;
pub(crate) use pod::{Pod, tolerations};

use super::labels::{Labels, Selector};

/// What the scheduler knows of the cluster.
#[derive(Default)]
pub(crate) struct Cluster {
    nodes: BTreeMap<String, Node>,
    /// Pods that are on a node and not finished, by namespace and name.
    pods: BTreeMap<(String, String), Placed>,
    /// Keys of pods whose affinity terms reach other namespaces than their own.
    far: BTreeMap<(String, String), ()>,
    services: BTreeMap<(String, String), Labels>,
    owners: BTreeMap<(&'static str, String, String), Selector>,
    namespaces: BTreeMap<String, Labels>,
}

struct Placed {
    pod: Pod,
    node: String,
}

/// What became of one attempt to place a pod.
pub(crate) struct Decision {
    /// The nodes that can take it, in order of name.
    #[cfg_attr(not(test), expect(dead_code, reason = "the recorded decisions are compared set by set"))]
    pub(crate) feasible: Vec<String>,
    /// The feasible nodes with the highest score; the caller draws one of them.
    pub(crate) best: Vec<String>,
    /// Each feasible node's weighted scores by plugin; empty when only one node is feasible.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the recorded decisions are compared plugin by plugin")
    )]
    pub(crate) scores: BTreeMap<String, BTreeMap<&'static str, i64>>,
    /// Why no node can take it, in kube-scheduler's words; empty when one can.
    pub(crate) refusal: String,
}

impl Cluster {
    /// A node came or changed.
    pub(crate) fn set_node(&mut self, mut node: Node) {
        node.load = self.nodes.remove(&node.name).map(|old| old.load).unwrap_or_default();
        if node.load.pods == 0 {
            let mut load = Load::default();
            for placed in self.pods.values().filter(|placed| placed.node == node.name) {
                load.add(&placed.pod);
            }
            node.load = load;
        }
        self.nodes.insert(node.name.clone(), node);
    }

    /// A node is gone.
    pub(crate) fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// A pod came or changed. Pods without a node and finished ones count for nothing.
    pub(crate) fn set_pod(&mut self, pod: Pod) {
        let key = (pod.namespace.clone(), pod.name.clone());
        self.remove_pod(&key.0, &key.1);
        if pod.node.is_empty() || pod.finished {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&pod.node) {
            node.load.add(&pod);
        }
        if pod.terms().any(|term| term.reaches_beyond(&pod.namespace)) {
            self.far.insert(key.clone(), ());
        }
        let node = pod.node.clone();
        self.pods.insert(key, Placed { pod, node });
    }

    /// A pod is gone.
    pub(crate) fn remove_pod(&mut self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(old) = self.pods.remove(&key) {
            self.far.remove(&key);
            if let Some(node) = self.nodes.get_mut(&old.node) {
                node.load.remove(&old.pod);
            }
        }
    }

    /// A Service came, changed, or (`None`) went.
    pub(crate) fn set_service(&mut self, namespace: &str, name: &str, selector: Option<Labels>) {
        let key = (namespace.to_owned(), name.to_owned());
        match selector {
            Some(selector) if !selector.is_empty() => self.services.insert(key, selector),
            _ => self.services.remove(&key),
        };
    }

    /// A ReplicaSet or StatefulSet came, changed, or (`None`) went.
    pub(crate) fn set_owner(
        &mut self,
        kind: &'static str,
        namespace: &str,
        name: &str,
        selector: Option<Selector>,
    ) {
        let key = (kind, namespace.to_owned(), name.to_owned());
        match selector {
            Some(selector) => self.owners.insert(key, selector),
            None => self.owners.remove(&key),
        };
    }

    /// A namespace came, changed, or (`None`) went.
    pub(crate) fn set_namespace(&mut self, name: &str, labels: Option<Labels>) {
        match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels),
            None => self.namespaces.remove(name),
        };
    }

    /// Where the pod can go and where it best goes.
    pub(crate) fn decide(&self, pod: &Pod) -> Decision {
        let outcome = filter::filter(self, pod, None);
        let refused =
            |refusal| Decision { feasible: Vec::new(), best: Vec::new(), scores: BTreeMap::new(), refusal };
        let feasible: Vec<&Node> = self
            .nodes
            .values()
            .zip(&outcome)
            .filter(|(_, failure)| failure.is_none())
            .map(|(node, _)| node)
            .collect();
        if self.nodes.is_empty() {
            return refused("no nodes available to schedule pods".to_owned());
        }
        if feasible.is_empty() {
            return refused(filter::refusal(self, pod, &outcome));
        }
        let names: Vec<String> = feasible.iter().map(|node| node.name.clone()).collect();
        if let [only] = names.as_slice() {
            let best = vec![only.clone()];
            return Decision { feasible: names, best, scores: BTreeMap::new(), refusal: String::new() };
        }
        let scores = score::score(self, pod, &feasible);
        let totals: Vec<i64> = names.iter().map(|name| scores[name].values().sum()).collect();
        let most = totals.iter().max().copied().unwrap_or_default();
        let best = names
            .iter()
            .zip(&totals)
            .filter(|(_, total)| **total == most)
            .map(|(name, _)| name.clone())
            .collect();
        Decision { feasible: names, best, scores, refusal: String::new() }
    }

    /// The nodes of this cluster whose filters this pod passes when only node affinity, taints and resources
    /// count for a DaemonSet: whether the pod belongs on the node at all.
    pub(crate) fn belongs(&self, pod: &Pod, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| filter::belongs(pod, node))
    }

    fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Placed> {
        let start = (namespace.to_owned(), String::new());
        self.pods
            .range(start..)
            .take_while(move |((other, _), _)| other == namespace)
            .map(|(_, placed)| placed)
    }

    /// Pods whose terms may concern a pod in `namespace`: those of the namespace and those that reach far.
    fn concerning(&self, namespace: &str) -> impl Iterator<Item = &Placed> {
        let far = self.far.keys().filter(move |key| key.0 != namespace).filter_map(|key| self.pods.get(key));
        self.in_namespace(namespace).chain(far)
    }

    /// Pods that `term` of a pod in its namespace may select.
    fn reached<'a>(&'a self, term: &'a Term) -> Box<dyn Iterator<Item = &'a Placed> + 'a> {
        match term.only_namespace() {
            Some(namespace) => Box::new(self.in_namespace(namespace)),
            None => Box::new(self.pods.values()),
        }
    }

    fn selects(&self, term: &Term, pod: &Pod) -> bool {
        term.selects(pod, self.namespaces.get(&pod.namespace))
    }

    /// The selector of system-default spreading: all matching Services' and the owner's.
    fn default_selector(&self, pod: &Pod) -> Selector {
        let start = (pod.namespace.clone(), String::new());
        let mut merged = Labels::new();
        for (_, selector) in
            self.services.range(start..).take_while(|((namespace, _), _)| *namespace == pod.namespace)
        {
            if Selector::of(selector).matches(&pod.labels) {
                merged.extend(selector.clone());
            }
        }
        let mut selector = Selector::of(&merged);
        if let Some((kind, name)) = &pod.owner
            && let Some(owner) = self.owners.get(&(*kind, pod.namespace.clone(), name.clone()))
        {
            selector.and(owner);
        }
        selector
    }
}
