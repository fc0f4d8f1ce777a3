//! A pod: what it asked for, where it sits, how it is.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{Cpu, Key, Memory, NodeName, Uid};

/// Labels or annotations, shared between the objects that carry the same ones.
pub type Labels = Arc<BTreeMap<String, String>>;

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
    /// `spec`, shared between the pods of one template.
    pub spec: Arc<PodSpec>,
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
    /// `metadata.deletionTimestamp`: it is leaving.
    pub deleting: Option<Timestamp>,
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`, 0 when absent.
    pub deletion_cost: i32,
    /// The containers' state, in the order of the spec; empty before the kubelet has seen the pod.
    pub containers: Vec<ContainerStatus>,
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
    pub last_end: Option<ContainerEnd>,
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

/// What a pod asks of the cluster: the scheduler's input. Equal for all pods of one template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodSpec {
    /// `containers`, in order.
    pub containers: Vec<Container>,
    /// `initContainers`, in order; those with `restartPolicy: Always` are sidecars.
    pub init_containers: Vec<Container>,
    /// `resources` of the pod as a whole (pod-level resources), where given.
    pub resources: Option<Resources>,
    /// `overhead` of the runtime class.
    pub overhead: Amounts,
    /// `nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// `affinity`.
    pub affinity: Affinity,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
    /// `topologySpreadConstraints`.
    pub spread: Vec<SpreadConstraint>,
    /// `priority`, 0 when absent.
    pub priority: i32,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
}

/// One container of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Container {
    /// `name`.
    pub name: Arc<str>,
    /// `image`, as written.
    pub image: Arc<str>,
    /// `resources`.
    pub resources: Resources,
    /// `ports[].hostPort`.
    pub host_ports: Vec<HostPort>,
    /// `restartPolicy: Always` on an init container: it runs as long as the pod.
    pub sidecar: bool,
}

/// `resources` of a container or pod. `None` is "not given", never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// `requests`.
    pub requests: Amounts,
    /// `limits`.
    pub limits: Amounts,
}

/// Amounts by resource; `None` is "not given".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amounts {
    /// `cpu`.
    pub cpu: Option<Cpu>,
    /// `memory`.
    pub memory: Option<Memory>,
    /// All others (`ephemeral-storage`, extended resources), in their whole units.
    pub other: BTreeMap<String, u64>,
}

/// A port taken on the node's own address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// `hostIP`, `0.0.0.0` when absent.
    pub ip: Arc<str>,
    /// `protocol`, `TCP` when absent.
    pub protocol: Arc<str>,
    /// `hostPort`.
    pub port: u16,
}

/// `affinity`, all three kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Affinity {
    /// `nodeAffinity.required...`: any of these terms; `None` when not given.
    pub node_required: Option<Vec<NodeTerm>>,
    /// `nodeAffinity.preferred...`: weight 1 to 100.
    pub node_preferred: Vec<(i32, NodeTerm)>,
    /// `podAffinity.required...`.
    pub pod_required: Vec<PodTerm>,
    /// `podAffinity.preferred...`.
    pub pod_preferred: Vec<(i32, PodTerm)>,
    /// `podAntiAffinity.required...`.
    pub anti_required: Vec<PodTerm>,
    /// `podAntiAffinity.preferred...`.
    pub anti_preferred: Vec<(i32, PodTerm)>,
}

/// A node selector term: all its requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeTerm {
    /// `matchExpressions`, on labels.
    pub labels: Vec<Requirement>,
    /// `matchFields`, on `metadata.name`.
    pub fields: Vec<Requirement>,
}

/// A pod affinity term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodTerm {
    /// Which pods; `None` selects none.
    pub selector: Option<Selector>,
    /// `namespaces`; with no namespace selector either, the pod's own.
    pub namespaces: Vec<String>,
    /// `namespaceSelector`; an empty one selects all namespaces.
    pub namespace_selector: Option<Selector>,
    /// `topologyKey`.
    pub topology_key: String,
}

/// A label selector: `matchLabels` and `matchExpressions`, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// `matchLabels` are kept as `In` with one value.
    pub requirements: Vec<Requirement>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What must hold for it.
    pub operator: Operator,
}

/// The operators of label and node selectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Present, with one of these values.
    In(Vec<String>),
    /// Absent, or with none of these values.
    NotIn(Vec<String>),
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
    /// An integer above this one (node selectors only).
    Gt(i64),
    /// An integer below this one (node selectors only).
    Lt(i64),
}

impl Selector {
    /// The selector that wants exactly these labels.
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::In(vec![value.clone()]),
        };
        Self { requirements: labels.iter().map(requirement).collect() }
    }

    /// Whether labels satisfy every requirement. An empty selector selects everything.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|r| r.matches(labels.get(&r.key).map(String::as_str)))
    }
}

impl Requirement {
    /// Whether a label's value (`None`: absent) satisfies it.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let number = |v: &str| v.parse::<i64>().ok();
        match (&self.operator, value) {
            (Operator::In(values), Some(v)) => values.iter().any(|one| one == v),
            (Operator::NotIn(values), Some(v)) => values.iter().all(|one| one != v),
            (Operator::NotIn(_) | Operator::DoesNotExist, None) | (Operator::Exists, Some(_)) => true,
            (Operator::Gt(bound), Some(v)) => number(v).is_some_and(|n| n > *bound),
            (Operator::Lt(bound), Some(v)) => number(v).is_some_and(|n| n < *bound),
            _ => false,
        }
    }
}

/// `tolerations[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// The taint's key; `None` tolerates all keys (with `exists`).
    pub key: Option<String>,
    /// `operator: Exists`; otherwise `Equal`.
    pub exists: bool,
    /// `value`.
    pub value: String,
    /// `effect`; `None` tolerates all effects.
    pub effect: Option<super::Effect>,
    /// `tolerationSeconds`; `None` is for ever.
    pub seconds: Option<i64>,
}

/// `topologySpreadConstraints[]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadConstraint {
    /// `maxSkew`.
    pub max_skew: u32,
    /// `topologyKey`.
    pub topology_key: String,
    /// `whenUnsatisfiable: DoNotSchedule`; otherwise `ScheduleAnyway`.
    pub hard: bool,
    /// `labelSelector` (with `matchLabelKeys` merged in); `None` selects no pods.
    pub selector: Option<Selector>,
    /// `matchLabelKeys`, where the API server has not merged them into the selector.
    pub match_label_keys: Vec<String>,
    /// `minDomains`, for hard constraints.
    pub min_domains: Option<u32>,
    /// `nodeAffinityPolicy: Honor` (the default).
    pub honor_affinity: bool,
    /// `nodeTaintsPolicy: Honor` (not the default).
    pub honor_taints: bool,
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

impl PodSpec {
    /// What the scheduler reserves for the pod: the larger of all containers together and of any single init
    /// container (with the sidecars started before it), or the pod-level request, plus overhead.
    /// Source: `k8s.io/component-helpers/resource` `PodRequests`.
    pub fn requests(&self) -> (Cpu, Memory) {
        (
            Cpu(self.effective(|a| a.requests.cpu.map(|c| c.0), self.overhead.cpu.map(|c| c.0))),
            Memory(self.effective(|a| a.requests.memory.map(|m| m.0), self.overhead.memory.map(|m| m.0))),
        )
    }

    /// The limits by the same rule; a container without a limit counts for nothing here.
    pub fn limits(&self) -> (Cpu, Memory) {
        (
            Cpu(self.effective(|a| a.limits.cpu.map(|c| c.0), None)),
            Memory(self.effective(|a| a.limits.memory.map(|m| m.0), None)),
        )
    }

    /// The request of any other resource (`ephemeral-storage`, extended), by the same rule.
    pub fn other_request(&self, resource: &str) -> u64 {
        self.effective(
            |a| a.requests.other.get(resource).copied(),
            self.overhead.other.get(resource).copied(),
        )
    }

    fn effective(&self, amount: impl Fn(&Resources) -> Option<u64>, overhead: Option<u64>) -> u64 {
        if let Some(whole) = self.resources.as_ref().and_then(&amount) {
            return whole.saturating_add(overhead.unwrap_or(0));
        }
        let of = |c: &Container| amount(&c.resources).unwrap_or(0);
        let (mut sidecars, mut peak) = (0u64, 0u64);
        for init in &self.init_containers {
            if init.sidecar {
                sidecars = sidecars.saturating_add(of(init));
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(sidecars.saturating_add(of(init)));
            }
        }
        let steady = self.containers.iter().fold(sidecars, |sum, c| sum.saturating_add(of(c)));
        steady.max(peak).saturating_add(overhead.unwrap_or(0))
    }
}
