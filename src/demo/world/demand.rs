//! What the tenants' users demand, and what processes outside of pods take.

use std::collections::BTreeMap;

/// What the tenants demand.
#[derive(Default)]
pub(crate) struct Usage {
    /// By namespace and app label.
    demands: BTreeMap<(String, String), Demand>,
    /// Memory that processes outside of pods take, in bytes by node.
    pub(crate) system: BTreeMap<String, i64>,
}

/// Requests a tenant's users make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// Requests at once, over all pods, on average.
    pub(crate) requests: f64,
    /// By which part they go up and down.
    pub(crate) swing: f64,
}

impl Usage {
    pub(crate) fn demand(&mut self, namespace: &str, app: &str, demand: Demand) {
        self.demands.insert((namespace.to_owned(), app.to_owned()), demand);
    }

    pub(crate) fn set_system(&mut self, node: &str, bytes: i64) {
        self.system.insert(node.to_owned(), bytes);
    }

    pub(crate) fn of(&self, namespace: &str, app: &str) -> Demand {
        let known = self.demands.get(&(namespace.to_owned(), app.to_owned())).copied();
        known.unwrap_or(Demand { requests: 3.0, swing: 0.2 })
    }
}
