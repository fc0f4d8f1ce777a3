//! What wheelhouse itself has left in the cluster: leases and journals, as observed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Key, NodeName, ResourceVersion, TenantName, fnv1a};

/// A `coordination.k8s.io` Lease in wheelhouse's namespace: somebody is changing something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Namespace and name; the name says what is held.
    pub key: Key,
    /// `metadata.resourceVersion`.
    pub resource_version: ResourceVersion,
    /// `spec.holderIdentity`; `None` when it was given back.
    pub holder: Option<Arc<str>>,
    /// Annotation `wheelhouse.dev/run`: the run it is held for.
    pub run: Option<Arc<str>>,
    /// `spec.acquireTime`.
    pub acquired: Option<Timestamp>,
    /// `spec.renewTime`.
    pub renewed: Option<Timestamp>,
    /// `spec.leaseDurationSeconds`.
    pub seconds: i64,
    /// `spec.leaseTransitions`: the fencing token.
    pub transitions: i64,
}

impl Lease {
    /// The name of the lease that guards the database.
    pub const DATABASE: &str = "wheelhouse-database";

    /// The name of the lease that guards a tenant: `tenant-acme`. Names that Kubernetes would not take are made fit
    /// and get the figures of a hash, so that two tenants never share a lease.
    pub fn name_of(tenant: &TenantName) -> String {
        let name = tenant.as_str();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.is_empty() && name.len() <= 200 && name.chars().all(fits) && !name.ends_with('-') {
            return format!("tenant-{name}");
        }
        let safe = name.chars().take(200).map(|c| c.to_ascii_lowercase());
        let safe: String = safe.map(|c| if fits(c) { c } else { '-' }).collect();
        let hash = fnv1a(name.bytes());
        format!("tenant-{safe}-{:08x}", hash >> 32)
    }

    /// Who holds it, as they sign: `alice@bastion`. The session behind the name tells two cockpits of one operator apart,
    /// and is for programs.
    pub fn who(&self) -> Option<&str> {
        let holder = self.holder.as_deref()?;
        Some(holder.rsplit_once(' ').map_or(holder, |(who, _)| who))
    }

    /// The name of the lease that guards a node: `node-worker-3`. A node's name is a DNS name, as a lease's is.
    pub fn name_of_node(node: &NodeName) -> String {
        format!("node-{node}")
    }

    /// Clocks may differ by this much, seconds, before a lease is taken from a silent holder.
    pub const MARGIN: i64 = 5;

    /// Whether somebody holds it at `now` (in the API server's time): until its duration and the margin have passed
    /// since it was renewed. The one rule, for what is shown, what is refused and what is taken.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.holder.is_some() && self.held_until().is_some_and(|until| now <= until)
    }

    /// Until when it is held unless it is renewed.
    pub fn held_until(&self) -> Option<Timestamp> {
        let seconds = self.seconds.clamp(1, 86_400) + Self::MARGIN;
        Some(self.renewed?.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
    }
}

/// The label by which a pod that was made for a move names its run, until a ReplicaSet has adopted it. Journals carry it
/// as well.
pub const RUN_LABEL: &str = "wheelhouse.dev/run";

/// What a journal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Written {
    /// A run.
    Run,
    /// A campaign: a goal whose items are runs.
    Campaign,
}

/// A journal as it stands in the cluster: one ConfigMap a run or campaign. The text is read by `run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Namespace and name of the ConfigMap.
    pub key: Key,
    /// `metadata.resourceVersion`.
    pub resource_version: ResourceVersion,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// Label `wheelhouse.dev/state`, as it was written last: `running`, `paused`, `done` ...
    pub state: Option<Arc<str>>,
    /// What it is of, by its label.
    pub of: Written,
    /// `data.plan`, or `data.campaign`: what was approved and who runs it, JSON.
    pub plan: Arc<str>,
    /// `data.events`: one JSON object a line.
    pub events: Arc<str>,
    /// `data.asked`: what other cockpits wish of a campaign, one JSON object a line.
    pub asked: Arc<str>,
}

impl Journal {
    /// Whether its run is over, by the label that is written with each entry.
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_deref(), Some("done" | "failed" | "undone" | "stopped"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_has_a_lease_of_its_own_that_kubernetes_takes() {
        let names = ["acme", "Acme", "acme/web", "acme-web", "acme.web", "acme-", "", "é", &"x".repeat(300)];
        let leases: std::collections::BTreeSet<_> =
            names.iter().map(|n| Lease::name_of(&TenantName::from(*n))).collect();
        assert_eq!(leases.len(), names.len(), "{leases:?}");
        assert!(leases.contains("tenant-acme"));
        for lease in leases {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(lease.len() <= 253 && lease.chars().all(fits) && !lease.ends_with('-'), "{lease}");
        }
    }
}
