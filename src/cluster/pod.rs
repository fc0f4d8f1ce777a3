//! A pod: where it sits, how it is.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{Key, Labels, NodeName, PodSpec, Uid};

/// One pod, slim: only what is shown, planned with or waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Namespace and name.
    pub key: Key,
    /// Tells it from a successor of the same name.
    pub uid: Uid,
    /// The controller that made it.
    pub owner: Option<Owner>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec`, shared between the pods of one template, with the resources that are in force: what is wished of a pod
    /// that is there already may not be granted yet (see [`Resize`]).
    pub spec: Arc<PodSpec>,
    /// Its resources are to become others.
    pub resize: Option<Resize>,
    /// `spec.nodeName`: where it is bound.
    pub node: Option<NodeName>,
    /// `status.phase`.
    pub phase: Phase,
    /// The condition `Ready` is true.
    pub ready: bool,
    /// When `Ready` last changed.
    pub ready_since: Option<Timestamp>,
    /// Why the scheduler could not place it, in its own words (condition `PodScheduled` false).
    pub unschedulable: Option<Arc<str>>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `metadata.deletionTimestamp`: it is leaving, and should be gone by then.
    pub deleting: Option<Timestamp>,
    /// `metadata.finalizers`: who must agree before it is gone. Kept of pods that are leaving.
    pub finalizers: Vec<Arc<str>>,
    /// Why it is not ready, where its conditions or `status.reason` say more than its containers do.
    pub held_up: Option<Arc<str>>,
    /// The annotation by which it asks to be left where it is: `wheelhouse.dev/move: never`, or that of the descheduler
    /// or the cluster autoscaler.
    pub kept: Option<Arc<str>>,
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`, 0 when absent.
    pub deletion_cost: i32,
    /// The containers' state, in the order of the spec; empty before the kubelet has seen the pod.
    pub containers: Vec<ContainerStatus>,
}

/// A change of resources of a pod that is there already, not in force yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// The reason of the condition `PodResizePending` (`Infeasible`, `Deferred`) or `PodResizeInProgress`, or `InProgress`.
    pub reason: Arc<str>,
    /// Its message, where it has one.
    pub message: Option<Arc<str>>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `spec` as written.
    pub wished: Arc<PodSpec>,
}

/// The controller named by `metadata.ownerReferences` (`controller: true`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job` ...
    pub kind: Arc<str>,
    /// Its name, in the pod's namespace.
    pub name: Arc<str>,
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// Not all containers run: unscheduled, or being started.
    #[default]
    Pending,
    /// At least one container runs.
    Running,
    /// All containers ended well; counts for nothing.
    Succeeded,
    /// All containers ended, one badly; counts for nothing.
    Failed,
    /// The node has lost contact.
    Unknown,
}

/// How a pod is, in the words and glyphs of the screens. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PodState {
    /// Serves requests.
    Ready,
    /// Completed or failed for good; counts for nothing.
    Finished,
    /// Being deleted.
    Terminating,
    /// Bound to a node, not ready yet.
    Starting,
    /// No node takes it.
    Unschedulable,
    /// Its containers crash, cannot be pulled, or it was ready and is no more.
    Failing,
}

impl PodState {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Finished => "finished",
            Self::Terminating => "terminating",
            Self::Starting => "starting",
            Self::Unschedulable => "unschedulable",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for PodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One container's state, from `status.containerStatuses`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerStatus {
    /// `name`.
    pub name: Arc<str>,
    /// `ready`.
    pub ready: bool,
    /// `restartCount`.
    pub restarts: u32,
    /// Why it waits or ended, such as `CrashLoopBackOff`, `ErrImagePull`, `Completed`; none while it runs.
    pub reason: Option<Arc<str>>,
    /// Since when it runs.
    pub running_since: Option<Timestamp>,
    /// Why it ended last time, such as `OOMKilled`, with its exit code and moment.
    pub last_end: Option<Box<ContainerEnd>>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerEnd {
    /// `OOMKilled`, `Error`, `Completed` ...
    pub reason: Arc<str>,
    /// `exitCode`.
    pub code: i32,
    /// `finishedAt`.
    pub at: Option<Timestamp>,
}

impl Pod {
    /// How it is, in one word.
    pub fn state(&self) -> PodState {
        const BAD: [&str; 8] = [
            "CrashLoopBackOff",
            "ErrImagePull",
            "ImagePullBackOff",
            "InvalidImageName",
            "CreateContainerConfigError",
            "CreateContainerError",
            "RunContainerError",
            "Error",
        ];
        let bad = |c: &ContainerStatus| {
            c.reason.as_deref().is_some_and(|r| BAD.contains(&r) || r == "OOMKilled")
                || (!c.ready && c.restarts > 0)
        };
        if matches!(self.phase, Phase::Succeeded | Phase::Failed) {
            PodState::Finished
        } else if self.deleting.is_some() {
            PodState::Terminating
        } else if self.ready {
            PodState::Ready
        } else if self.node.is_none() {
            if self.unschedulable.is_some() { PodState::Unschedulable } else { PodState::Starting }
        } else if self.phase == Phase::Unknown || self.containers.iter().any(bad) {
            PodState::Failing
        } else {
            PodState::Starting
        }
    }

    /// Counts for its workload: neither finished nor being deleted.
    pub fn is_active(&self) -> bool {
        self.deleting.is_none() && !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Counts against its node's resources: not finished (a terminating pod still does).
    pub fn holds_resources(&self) -> bool {
        !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Restarts of all containers together.
    pub fn restarts(&self) -> u32 {
        self.containers.iter().map(|c| c.restarts).sum()
    }
}
