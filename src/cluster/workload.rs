//! Workloads and what stands around them: ReplicaSets, Services, autoscalers, disruption budgets.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Hints, Key, Labels, NodeName, Owner, PodSpec, ResourceVersion, Selector, ServicePort, Uid, WorkloadKey,
    WorkloadKind,
};

/// A Deployment or StatefulSet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Kind, namespace and name.
    #[serde(with = "super::id::Plain")]
    pub key: WorkloadKey,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion` as seen.
    pub resource_version: ResourceVersion,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `metadata.generation`: grows with each change of the spec.
    pub generation: i64,
    /// `status.observedGeneration`: what its controller has acted on.
    pub observed_generation: i64,
    /// `spec.replicas`, 1 when absent.
    pub desired: u32,
    /// When its replicas were last written (`metadata.managedFields`), where that is told: a writer's entry carries the time
    /// of its last change, but not that of a writer through `/scale`.
    pub scaled: Option<Timestamp>,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template.metadata.labels`.
    pub template_labels: Labels,
    /// `spec.template.spec`.
    pub template: Arc<PodSpec>,
    /// `spec.paused` (Deployments).
    pub paused: bool,
    /// `status.replicas`, `updatedReplicas`, `readyReplicas`, `availableReplicas`.
    pub counts: Counts,
    /// The condition `Progressing` is false with reason `ProgressDeadlineExceeded`, and since when.
    pub stuck_since: Option<Timestamp>,
    /// The condition `ReplicaFailure`: its pods cannot be made, and why.
    pub refused: Option<Refused>,
    /// The controller named by `metadata.ownerReferences`: it makes the object from another one, and takes changes back.
    pub owner: Option<Owner>,
    /// `spec.volumeClaimTemplates` by name (StatefulSets): each pod has a claim `TEMPLATE-POD`.
    pub claim_templates: Vec<Arc<str>>,
    /// `spec.ordinals.start` (StatefulSets): the number of its first pod.
    pub first_ordinal: u32,
    /// At so many replicas or fewer its rollout may take all pods away before the first new one is ready (`Recreate`, or
    /// `maxUnavailable` covers them all); 0: at none.
    pub all_gone_up_to: u32,
    /// `metadata.deletionTimestamp`: it is being deleted, and its controller acts on it no more.
    pub deleting: Option<Timestamp>,
    /// `metadata.finalizers`: who must agree before it is gone. Kept of workloads that are being deleted.
    pub finalizers: Vec<Arc<str>>,
    /// `spec.persistentVolumeClaimRetentionPolicy.whenScaled: Delete`: a pod that is scaled away takes its claims along.
    pub claims_go_when_scaled: bool,
    /// `spec.minReadySeconds`: a pod counts as available once it has been ready for so long.
    pub min_ready_seconds: u32,
    /// `spec.template.spec.nodeName`: every pod of it is bound there, and no scheduler is asked.
    pub bound_to: Option<NodeName>,
    /// When `kubectl rollout restart`, or the same from here, was last asked for: annotation
    /// `kubectl.kubernetes.io/restartedAt` of the template.
    pub restarted: Option<Arc<str>>,
    /// `spec.progressDeadlineSeconds`, 600 when absent: how long a pod may take to become ready.
    pub deadline: u32,
    /// Who else writes its replicas, where labels, annotations or `managedFields` tell.
    pub gitops: Option<GitOps>,
    /// What it says of its memory.
    pub hints: Hints,
    /// Annotation `wheelhouse.dev/migrate`: the command that migrates its database.
    pub migration: Option<Arc<str>>,
}

/// Why the pods of a workload cannot be made: an admission refusal, a quota, a LimitRange ...
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `reason`, such as `FailedCreate`.
    pub reason: Arc<str>,
    /// `message`, in the API server's words.
    pub message: Arc<str>,
    /// `lastTransitionTime`.
    pub since: Option<Timestamp>,
}

/// `status` counts of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All its pods that are not terminating.
    pub total: u32,
    /// Those of the newest template.
    pub updated: u32,
    /// Those Ready.
    pub ready: u32,
    /// Those Ready for `minReadySeconds`.
    pub available: u32,
}

/// A controller that owns the workload's manifest and may take a manual change back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOps {
    /// `Argo CD`, `Flux` or `Helm`.
    pub tool: Arc<str>,
    /// The application, release or kustomization, where it is known.
    pub owner: Option<Arc<str>>,
    /// It is known to manage `spec.replicas` itself (`managedFields`), not only the object.
    pub replicas: bool,
}

impl fmt::Display for GitOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Some(owner) => write!(f, "{} ({owner})", self.tool),
            None => f.write_str(&self.tool),
        }
    }
}

impl Workload {
    /// A rollout at so many replicas may take all pods away before the first new one is ready.
    pub fn all_gone(&self, replicas: u32) -> bool {
        (1..=self.all_gone_up_to).contains(&replicas)
    }

    /// A new template is being rolled out: some pods are not of the newest one, or its controller has not yet
    /// looked at the last change of the spec.
    pub fn is_rolling(&self) -> bool {
        !self.paused
            && (self.counts.updated < self.counts.total || self.observed_generation < self.generation)
    }

    /// The tag of the main image: of the container named `main`, or else of the last container.
    pub fn image_tag(&self, main: &str) -> &str {
        let container =
            self.template.containers.iter().find(|c| &*c.name == main).or(self.template.containers.last());
        container.map_or("", |c| image_tag(&c.image))
    }

    /// That it is being deleted, and what becomes of its pods: `its Deployment is being deleted, its pods first`.
    ///
    /// A Deployment or StatefulSet with a deletion timestamp is not synced any more: no pods are made, none replaced.
    /// Source: `deployment_controller.go` `syncDeployment`, `stateful_set_control.go` `updateStatefulSet`; the finalizers
    /// of the garbage collector: `metav1.FinalizerDeleteDependents`, `FinalizerOrphanDependents`.
    pub fn departure(&self) -> Option<String> {
        self.deleting?;
        let kind = self.key.kind.name();
        let has = |finalizer: &str| self.finalizers.iter().any(|f| **f == *finalizer);
        let others: Vec<_> = self
            .finalizers
            .iter()
            .map(|f| &**f)
            .filter(|f| !["foregroundDeletion", "orphan"].contains(f))
            .collect();
        let pods = if has("orphan") {
            ", and its pods stay without it"
        } else if has("foregroundDeletion") {
            ", its pods first"
        } else {
            ", and its pods with it"
        };
        let waits = match others.as_slice() {
            [] => String::new(),
            [one] => format!("; that waits for finalizer {one}"),
            many => format!("; that waits for finalizers {}", many.join(", ")),
        };
        Some(format!("its {kind} is being deleted{pods}{waits}"))
    }

    /// The numbers of the pods it has at so many replicas, where it is a StatefulSet.
    pub fn ordinals(&self, replicas: u32) -> std::ops::Range<u64> {
        let first = u64::from(self.first_ordinal);
        first..first + u64::from(replicas)
    }

    /// The API group of its kind.
    pub fn group(&self) -> &'static str {
        "apps"
    }
}

/// The tag of an image reference (`registry:5000/app:2.4.1@sha256:..` gives `2.4.1`), or the first figures of its
/// digest, or `latest`.
pub fn image_tag(image: &str) -> &str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(n, d)| (n, Some(d)));
    let last = name.rsplit('/').next().unwrap_or(name);
    match (last.split_once(':'), digest) {
        (Some((_, tag)), _) => tag,
        (None, Some(digest)) => {
            let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
            hex.get(..hex.len().min(12)).unwrap_or(hex)
        }
        (None, None) => "latest",
    }
}

/// A ReplicaSet of a Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaSet {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`.
    pub uid: Uid,
    /// The Deployment that owns it, by name.
    pub deployment: Option<Arc<str>>,
    /// `spec.replicas`.
    pub desired: u32,
    /// `spec.selector`, with the template hash.
    pub selector: Selector,
    /// Annotation `deployment.kubernetes.io/revision`.
    pub revision: u64,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// The image tags of its template, by container.
    pub images: Vec<(Arc<str>, Arc<str>)>,
    /// When its Deployment's controller last wrote its `spec` or metadata (`metadata.managedFields`), which it does to scale
    /// it. Not recorded.
    #[serde(skip)]
    pub scaled: Option<Timestamp>,
}

/// A Service: only what the scheduler's default spreading asks of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Namespace and name.
    pub key: Key,
    /// `spec.selector`; empty selects nothing.
    pub selector: Labels,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.externalName` of a Service that stands for a name elsewhere.
    pub external: Option<Arc<str>>,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Namespace and name.
    pub key: Key,
    /// `spec.scaleTargetRef`: kind (`Deployment` ...) and name.
    pub target: (Arc<str>, Arc<str>),
    /// `spec.minReplicas`, 1 when absent.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
}

impl Autoscaler {
    /// Whether it drives this workload.
    pub fn drives(&self, workload: &WorkloadKey) -> bool {
        self.key.namespace == workload.key.namespace
            && &*self.target.0 == workload.kind.name()
            && self.target.1 == workload.key.name
    }
}

/// A PodDisruptionBudget. It guards evictions only, never scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Namespace and name.
    pub key: Key,
    /// `spec.selector`; `None` selects no pods.
    pub selector: Option<Selector>,
    /// `minAvailable` or `maxUnavailable` as written, such as `minAvailable 1`.
    pub rule: Arc<str>,
    /// `minAvailable` as a number of pods when it is one.
    pub min_available: Option<u32>,
    /// `status.disruptionsAllowed`.
    pub allowed: u32,
    /// `status.currentHealthy`.
    pub healthy: u32,
    /// `status.desiredHealthy`.
    pub needed: u32,
    /// `spec.unhealthyPodEvictionPolicy: AlwaysAllow`: pods that are not ready may be evicted whatever it allows.
    pub lets_unready_go: bool,
}

/// Which workload a pod's owner belongs to, by the naming convention of Deployments (`NAME-HASH`), for when the
/// ReplicaSets cannot be read.
pub fn deployment_of(replica_set: &str, template_hash: Option<&str>) -> Option<String> {
    let name = match template_hash {
        Some(hash) => replica_set.strip_suffix(hash)?.strip_suffix('-')?,
        None => replica_set.rsplit_once('-')?.0,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// The workload kind of that API kind, if tenants can be one.
pub fn workload_kind(kind: &str) -> Option<WorkloadKind> {
    match kind {
        "Deployment" => Some(WorkloadKind::Deployment),
        "StatefulSet" => Some(WorkloadKind::StatefulSet),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_every_form_of_reference() {
        for (image, tag) in [
            ("registry.example/app:2.4.1", "2.4.1"),
            ("registry:5000/app", "latest"),
            ("registry:5000/app:2.4.1@sha256:0123456789abcdef", "2.4.1"),
            ("app@sha256:0123456789abcdef", "0123456789ab"),
            ("", "latest"),
        ] {
            assert_eq!(image_tag(image), tag, "{image}");
        }
    }

    #[test]
    fn a_replica_set_names_its_deployment() {
        assert_eq!(deployment_of("acme-web-59fbdcbbcd", Some("59fbdcbbcd")).as_deref(), Some("acme-web"));
        assert_eq!(deployment_of("acme-web-59fbdcbbcd", None).as_deref(), Some("acme-web"));
        assert_eq!(deployment_of("bare", None), None);
    }
}
