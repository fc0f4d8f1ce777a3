//! What a pod asks of the cluster: resources, and where it may sit.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Amounts, Cpu, Effect, Memory, Requirement, Selector, Shared};

/// What a pod asks of the cluster: the scheduler's input. Equal for all pods of one template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PodSpec {
    /// `containers`, in order.
    pub containers: Shared<Vec<Container>>,
    /// `initContainers`, in order; those with `restartPolicy: Always` are sidecars.
    pub init_containers: Shared<Vec<Container>>,
    /// `resources` of the pod as a whole (pod-level resources), where given.
    pub resources: Option<Box<Resources>>,
    /// `overhead` of the runtime class.
    pub overhead: Amounts,
    /// `nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// `affinity`.
    pub affinity: Shared<Affinity>,
    /// `tolerations`.
    pub tolerations: Shared<Vec<Toleration>>,
    /// `topologySpreadConstraints`.
    pub spread: Shared<Vec<SpreadConstraint>>,
    /// `priority`, 0 when absent.
    pub priority: i32,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
    /// `priorityClassName`, empty when absent.
    pub priority_class: Arc<str>,
    /// `activeDeadlineSeconds` is given.
    pub ends_by_itself: bool,
    /// `schedulerName`: who places it; empty when absent, which is the default scheduler.
    pub scheduler: Arc<str>,
    /// `schedulingGates`: no scheduler looks at it before they are taken away.
    pub gates: Vec<Arc<str>>,
    /// The volumes that hold data of the pod; those made of ConfigMaps, Secrets and tokens are left out.
    pub volumes: Shared<Vec<Volume>>,
}

/// A volume that holds data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Volume {
    /// `name`.
    pub name: Arc<str>,
    /// Where the data is.
    pub source: VolumeSource,
}

/// Where the data of a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VolumeSource {
    /// `emptyDir`: on the node, and gone with the pod; with `medium: Memory` in its memory.
    EmptyDir {
        /// `medium: Memory`.
        memory: bool,
    },
    /// `persistentVolumeClaim`, by its name.
    Claim(Arc<str>),
    /// The claim of a StatefulSet's pod, made from a template: `VOLUME-POD`.
    OwnClaim,
    /// `ephemeral`: a claim that comes and goes with the pod, `POD-VOLUME`.
    Ephemeral,
}

impl Volume {
    /// The name of the claim it needs in a pod of that name, if it needs one.
    pub fn claim(&self, pod: &str) -> Option<Arc<str>> {
        match &self.source {
            VolumeSource::EmptyDir { .. } => None,
            VolumeSource::Claim(name) => Some(name.clone()),
            VolumeSource::OwnClaim => Some(format!("{}-{pod}", self.name).into()),
            VolumeSource::Ephemeral => Some(format!("{pod}-{}", self.name).into()),
        }
    }
}

/// One container of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// `name`.
    pub name: Arc<str>,
    /// `image`, as written.
    pub image: Arc<str>,
    /// `resources`.
    pub resources: Resources,
    /// `ports[].hostPort`.
    pub host_ports: Vec<HostPort>,
    /// `ports[].containerPort` of TCP: where it says that it listens.
    pub ports: Vec<u16>,
    /// `restartPolicy: Always` on an init container: it runs as long as the pod.
    pub sidecar: bool,
    /// `resizePolicy[]`: the resources (`cpu`, `memory`) whose change in place restarts it.
    pub restarted_by: Vec<Arc<str>>,
}

/// The class of service of a pod, which a change in place may not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Every container has limits of processor and memory, and requests as much.
    Guaranteed,
    /// Something is requested or limited.
    Burstable,
    /// Nothing is.
    BestEffort,
}

impl std::fmt::Display for Qos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// `resources` of a container or pod. `None` is "not given", never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// `requests`.
    pub requests: Amounts,
    /// `limits`.
    pub limits: Amounts,
}

/// A port taken on the node's own address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// `hostIP`, `0.0.0.0` when absent.
    pub ip: Arc<str>,
    /// `protocol`, `TCP` when absent.
    pub protocol: Arc<str>,
    /// `hostPort`.
    pub port: u16,
}

/// `affinity`, all three kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeTerm {
    /// `matchExpressions`, on labels.
    pub labels: Vec<Requirement>,
    /// `matchFields`, on `metadata.name`.
    pub fields: Vec<Requirement>,
}

/// A pod affinity term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// `tolerations[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Toleration {
    /// The taint's key; `None` tolerates all keys (with `exists`).
    pub key: Option<String>,
    /// `operator: Exists`; otherwise `Equal`.
    pub exists: bool,
    /// `value`.
    pub value: String,
    /// `effect`; `None` tolerates all effects.
    pub effect: Option<Effect>,
    /// `tolerationSeconds`; `None` is for ever.
    pub seconds: Option<i64>,
}

/// `topologySpreadConstraints[]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// Its class of service is `BestEffort`: no request or limit of processor or memory anywhere.
    /// Source: `k8s.io/component-helpers/.../qos` `ComputePodQOS`.
    pub fn is_best_effort(&self) -> bool {
        let some = |a: &Amounts| a.cpu.is_some_and(|c| c.0 > 0) || a.memory.is_some_and(|m| m.0 > 0);
        let any = |r: &Resources| some(&r.requests) || some(&r.limits);
        let own = self.containers.iter().chain(&self.init_containers).any(|c| any(&c.resources));
        !own && !self.resources.as_deref().is_some_and(any)
    }

    /// Its class of service.
    /// Source: `k8s.io/component-helpers/.../qos` `ComputePodQOS`: those of the whole pod count where they are given.
    pub fn qos(&self) -> Qos {
        if self.is_best_effort() {
            return Qos::BestEffort;
        }
        let full = |r: &Resources| {
            let (request, limit) = (&r.requests, &r.limits);
            limit.cpu.is_some_and(|c| c.0 > 0 && request.cpu.is_none_or(|r| r == c))
                && limit.memory.is_some_and(|m| m.0 > 0 && request.memory.is_none_or(|r| r == m))
        };
        let guaranteed = match self.resources.as_deref() {
            Some(whole) => full(whole),
            None => self.containers.iter().chain(&self.init_containers).all(|c| full(&c.resources)),
        };
        if guaranteed { Qos::Guaranteed } else { Qos::Burstable }
    }

    fn effective(&self, amount: impl Fn(&Resources) -> Option<u64>, overhead: Option<u64>) -> u64 {
        if let Some(whole) = self.resources.as_deref().and_then(&amount) {
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
