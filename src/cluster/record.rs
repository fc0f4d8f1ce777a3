//! What wheelhouse itself has left in the cluster: leases and journals, as observed.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Key, ResourceVersion};

/// A `coordination.k8s.io` Lease in wheelhouse's namespace: somebody is changing something.
#[derive(Clone, Debug, PartialEq)]
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
    /// Whether somebody holds it at `now` (in the API server's time).
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.holder.is_some()
            && self
                .renewed
                .is_some_and(|at| now.as_second() - at.as_second() <= self.seconds.clamp(1, 86_400))
    }
}

/// A journal as it stands in the cluster: one ConfigMap a run. The text is read by `run`.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Namespace and name of the ConfigMap.
    pub key: Key,
    /// `metadata.resourceVersion`.
    pub resource_version: ResourceVersion,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `data.plan`: the plan and who runs it, JSON.
    pub plan: Arc<str>,
    /// `data.events`: one JSON object a line.
    pub events: Arc<str>,
}
