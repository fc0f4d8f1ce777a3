//! A pod: where it sits, how it is.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Container, Key, Labels, NodeName, PodSpec, Uid};

/// One pod, slim: only what is shown, planned with or waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub resize: Option<Box<Resize>>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// The reason of the condition `PodResizePending` (`Infeasible`, `Deferred`) or `PodResizeInProgress` (`Error`), or
    /// `InProgress`; empty while the kubelet has said nothing of it.
    pub reason: Arc<str>,
    /// Its message, where it has one.
    pub message: Option<Arc<str>>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `spec` as written.
    pub wished: Arc<PodSpec>,
}

/// The controller named by `metadata.ownerReferences` (`controller: true`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job` ...
    pub kind: Arc<str>,
    /// Its name, in the pod's namespace.
    pub name: Arc<str>,
    /// Its uid; empty where that is not known.
    pub uid: Arc<str>,
}

impl Owner {
    /// Whether it is the object of that uid, and not an earlier or another one of its name. What is not known is taken
    /// for right.
    pub fn is(&self, uid: &Uid) -> bool {
        self.uid.is_empty() || uid.as_str().is_empty() || *self.uid == *uid.as_str()
    }
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its node does not answer: nobody knows how it is.
    Unknown,
    /// No node takes it.
    Unschedulable,
    /// Its containers crash or cannot be started, it was ready and is no more, or it does not become ready in time.
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
            Self::Unknown => "unknown",
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// `OOMKilled`, `Error`, `Completed` ...
    pub reason: Arc<str>,
    /// `exitCode`.
    pub code: i32,
    /// `finishedAt`.
    pub at: Option<Timestamp>,
}

/// A pod that has not become ready after this long is failing, where its workload does not give it more time.
pub(super) const READY_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// More time is given to no pod.
pub(super) const READY_AT_LAST: SignedDuration = SignedDuration::from_hours(1);

impl ContainerStatus {
    /// It neither runs nor is on its way there: whatever reason it gives that is not one of those of a start.
    fn is_failing(&self) -> bool {
        const ON_ITS_WAY: [&str; 3] = ["ContainerCreating", "PodInitializing", "Completed"];
        let stopped = self.reason.as_deref().is_some_and(|r| !ON_ITS_WAY.contains(&r));
        !self.ready && (stopped || self.restarts > 0)
    }
}

impl Pod {
    /// How it is by its own report, at `now`, when it may take `within` to become ready. Whether its node answers is not
    /// looked at: ask [`super::Snapshot::state_of`].
    pub(super) fn reported(&self, now: Timestamp, within: SignedDuration) -> PodState {
        if matches!(self.phase, Phase::Succeeded | Phase::Failed) {
            PodState::Finished
        } else if self.deleting.is_some() {
            PodState::Terminating
        } else if self.ready {
            PodState::Ready
        } else if self.node.is_none() {
            if self.unschedulable.is_some() { PodState::Unschedulable } else { PodState::Starting }
        } else if self.phase == Phase::Unknown
            || self.containers.iter().any(ContainerStatus::is_failing)
            || self.lost_ready().is_some()
            || now.duration_since(self.waiting_since()) > within
        {
            PodState::Failing
        } else {
            PodState::Starting
        }
    }

    /// Since when it is not ready: since it last was, or since it came.
    pub fn waiting_since(&self) -> Timestamp {
        self.ready_since.unwrap_or(self.created).max(self.created)
    }

    /// When it stopped being ready; `None`: it is, or it never was, as far as can be told.
    ///
    /// The condition `Ready` is false from the moment the kubelet first sees a pod, before any container starts. Where it
    /// turned later than that, the pod was ready in between.
    pub fn lost_ready(&self) -> Option<Timestamp> {
        let turned = self.ready_since.filter(|_| !self.ready)?;
        let started = self.containers.iter().filter_map(|c| c.running_since).max();
        let ended = self.containers.iter().filter_map(|c| c.last_end.as_ref()?.at).max();
        let ran_before = |at: Option<Timestamp>| at.is_some_and(|at| at < turned);
        // A container that ended takes the readiness along at that moment: a second for the kubelet to say so.
        let ends = |at: Timestamp| (turned.duration_since(at)).abs() <= SignedDuration::from_secs(5);
        let all_run = self.containers.iter().all(|c| c.running_since.is_some());
        (all_run && ran_before(started) || ended.is_some_and(ends)).then_some(turned)
    }

    /// Why it is not ready, in its own words; `None`: it says nothing.
    pub fn why_not_ready(&self) -> Option<String> {
        let waits = || self.containers.iter().filter(|c| !c.ready);
        let runs = |c: &&ContainerStatus| {
            self.init(c).is_some_and(|i| !i.sidecar) && c.reason.is_none() && c.running_since.is_some()
        };
        if let Some(init) = waits().find(runs).filter(|_| self.held_up.is_none()) {
            return Some(format!("init container {} runs and does not end", init.name));
        }
        let reason = self.waits_for();
        let name = reason.and_then(|(c, _)| {
            let kind = if self.init(c)?.sidecar { "sidecar" } else { "init container" };
            Some(format!("{kind} {}: ", c.name))
        });
        let detail = self.held_up.as_deref();
        let why = match (reason, detail) {
            (Some((_, reason)), Some(detail)) if detail.contains(reason) => Some(detail.to_owned()),
            (Some((_, reason)), Some(detail)) => Some(format!("{reason} ({detail})")),
            (Some((c, reason)), None) => {
                let end = c.last_end.as_ref().map(|end| &*end.reason).filter(|end| *end != reason);
                let end = end.filter(|end| !["Completed", "Error"].contains(end));
                Some(end.map_or_else(|| reason.to_owned(), |end| format!("{reason} ({end})")))
            }
            (None, Some(detail)) => Some(detail.to_owned()),
            (None, None) if self.node.is_none() => None,
            (None, None) if self.containers.is_empty() => Some("its kubelet has not reported it".into()),
            (None, None) => waits().find(|c| c.running_since.is_some()).map(|c| match &c.last_end {
                Some(end) => format!("{} runs and is not ready, after {}", c.name, end.reason),
                None => format!("{} runs and is not ready", c.name),
            }),
        };
        why.map(|why| name.unwrap_or_default() + &why)
    }

    /// The container for which it waits, and why that is not ready; `None`: none gives a reason.
    pub fn waits_for(&self) -> Option<(&ContainerStatus, &str)> {
        let reasons =
            self.containers.iter().filter(|c| !c.ready).filter_map(|c| Some((c, c.reason.as_deref()?)));
        // The others wait for their turn behind an init container, and give that as their reason.
        reasons.min_by_key(|(c, reason)| (*reason == "PodInitializing", self.init(c).is_none()))
    }

    /// The init container of that status.
    fn init(&self, status: &ContainerStatus) -> Option<&Container> {
        self.spec.init_containers.iter().find(|c| c.name == status.name)
    }

    /// Its `spec` as written: what is wished of it.
    pub fn wished(&self) -> &Arc<PodSpec> {
        self.resize.as_ref().map_or(&self.spec, |resize| &resize.wished)
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
        self.containers.iter().fold(0, |all, container| all.saturating_add(container.restarts))
    }
}
