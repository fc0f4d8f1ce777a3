//! What wheelhouse itself has left in the cluster: leases and journals, as observed.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Key, ResourceVersion, WorkloadKey};

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
    /// The name of the lease that guards a workload, such as `deployment.acme.acme-web`. A name the API would find too
    /// long (over 253 characters) is cut and told apart by a hash.
    pub fn name_for(workload: &WorkloadKey) -> String {
        let kind = workload.kind.name().to_lowercase();
        let name = format!("{kind}.{}.{}", workload.key.namespace, workload.key.name);
        if name.len() <= 253 {
            return name;
        }
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| {
            (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let cut: String = name.chars().take(230).collect();
        format!("{}.{hash:016x}", cut.trim_end_matches(['-', '.']))
    }

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
