//! How far is seen, and what cannot be said because it is not seen any further.
//!
//! A namespace that alone is looked at, or a right that is missing, hides pods that take room on the nodes. What rests
//! on all of them (room on a node, where a pod goes, what a lost node does) is then not known, and never a number.

use std::{collections::BTreeSet, sync::Arc};

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

    /// The nodes and pods that could not be read, and that room is not known of: `2 pods (acme/a, acme/b) could not be read`.
    pub fn unread_room(&self) -> Option<String> {
        fn some<K: Ord + Clone + std::fmt::Display, V>(
            what: &str,
            slice: &super::Slice<K, V>,
        ) -> Option<String> {
            const NAMED: usize = 2;
            let all: Vec<_> = slice.unknown().collect();
            let more = all.len().saturating_sub(NAMED);
            let mut names: Vec<_> = all.iter().take(NAMED).map(ToString::to_string).collect();
            names.extend((more > 0).then(|| format!("{more} more")));
            (!all.is_empty())
                .then(|| format!("{} ({})", super::words::count(all.len(), what), names.join(", ")))
        }
        let both: Vec<_> =
            [some("node", &self.nodes), some("pod", &self.pods)].into_iter().flatten().collect();
        (!both.is_empty()).then(|| format!("{} could not be read", both.join(" and ")))
    }

    /// What stands around the workloads of a namespace and could not be read: the kind, the names, and what is not known
    /// for it.
    pub fn unread_in(&self, namespace: &str) -> Vec<(&'static str, BTreeSet<&str>, &'static str)> {
        fn here<'a, V>(slice: &'a super::Slice<super::Key, V>, namespace: &str) -> BTreeSet<&'a str> {
            let keys = slice.unreadable.keys().filter(|key| *key.namespace == *namespace);
            keys.map(|key| &*key.name).collect()
        }
        let all = [
            ("replicaset", here(&self.replica_sets, namespace), "which pods are whose may not be known"),
            (
                "horizontalpodautoscaler",
                here(&self.autoscalers, namespace),
                "whether it takes this back is not known",
            ),
            (
                "poddisruptionbudget",
                here(&self.budgets, namespace),
                "what it keeps from being evicted is not known",
            ),
            ("resourcequota", here(&self.quotas, namespace), "whether it lets new pods in is not known"),
            ("limitrange", here(&self.limit_ranges, namespace), "whether it lets new pods in is not known"),
            (
                "persistentvolumeclaim",
                here(&self.claims, namespace),
                "whether pods that need it can start is not known",
            ),
        ];
        all.into_iter().filter(|(_, names, _)| !names.is_empty()).collect()
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
