//! How far is seen, and what cannot be said because it is not seen any further.
//!
//! A namespace that alone is looked at, or a right that is missing, hides pods that take room on the nodes. What rests
//! on all of them (room on a node, where a pod goes, what a lost node does) is then not known, and never a number.

use std::sync::Arc;

use super::{Freshness, Load, NodeName, Snapshot};

impl Snapshot {
    /// Why it is not known what room is on the nodes and where pods go, in one sentence; `None`: it is known.
    pub fn room_unknown(&self) -> Option<String> {
        if let Some(namespace) = &self.namespace {
            return Some(format!(
                "only namespace {namespace} is looked at, and the pods of the others take room too"
            ));
        }
        let unread = |name: &str, freshness: &Freshness| match freshness {
            Freshness::Connecting => Some(format!("{name} have not been read yet")),
            Freshness::Missing { why } => Some(format!("{name} cannot be read: {why}")),
            Freshness::Live { .. } | Freshness::Stale { .. } => None,
        };
        unread("nodes", &self.nodes.freshness).or_else(|| unread("pods", &self.pods.freshness))
    }

    /// What the pods on a node add up to; `None`: not all of them are seen.
    pub fn load_of(&self, node: &NodeName) -> Option<Load> {
        self.sees_all_pods().then(|| self.loads.get(node).cloned().unwrap_or_default())
    }

    /// The pods of all namespaces are seen.
    pub fn sees_all_pods(&self) -> bool {
        self.namespace.is_none() && self.pods.freshness.is_known()
    }

    /// The API server answers, and the pods or all workloads are refused: waiting will not help.
    pub fn is_out_of_reach(&self) -> bool {
        let missing = |f: &Freshness| matches!(f, Freshness::Missing { .. });
        let workloads = [&self.deployments.freshness, &self.stateful_sets.freshness];
        self.api.freshness.is_live()
            && (missing(&self.pods.freshness) || workloads.iter().all(|f| missing(f)))
    }

    /// The namespace that alone is looked at, and is not there.
    pub fn absent_namespace(&self) -> Option<&Arc<str>> {
        let namespace = self.namespace.as_ref()?;
        let known = self.namespaces.freshness.is_known();
        (known && self.namespaces.get(&**namespace).is_none()).then_some(namespace)
    }

    /// The nodes by name; where they may not be read, those that pods sit on.
    pub fn node_names(&self) -> Vec<NodeName> {
        if self.nodes.freshness.is_known() {
            return self.nodes.items.keys().cloned().collect();
        }
        self.loads.keys().cloned().collect()
    }
}
