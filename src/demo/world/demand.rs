//! What the tenants' users demand, and what processes outside of pods take.

use std::collections::BTreeMap;

/// What the tenants demand.
#[derive(Default)]
pub(in crate::demo) struct Usage {
    /// By namespace and app label.
    demands: BTreeMap<(String, String), Demand>,
    /// Memory that processes outside of pods take, in bytes by node.
    pub(in crate::demo) system: BTreeMap<String, i64>,
}

/// Requests a tenant's users make.
#[derive(Clone, Copy, Debug)]
pub(in crate::demo) struct Demand {
    /// Requests at once, over all pods, on average.
    pub(in crate::demo) requests: f64,
    /// By which part they go up and down.
    pub(in crate::demo) swing: f64,
}

impl Usage {
    pub(in crate::demo) fn demand(&mut self, namespace: &str, app: &str, demand: Demand) {
        self.demands.insert((namespace.to_owned(), app.to_owned()), demand);
    }

    pub(in crate::demo) fn set_system(&mut self, node: &str, bytes: i64) {
        self.system.insert(node.to_owned(), bytes);
    }

    pub(in crate::demo) fn of(&self, namespace: &str, app: &str) -> Demand {
        let known = self.demands.get(&(namespace.to_owned(), app.to_owned())).copied();
        known.unwrap_or(Demand { requests: 3.0, swing: 0.2 })
    }
}
