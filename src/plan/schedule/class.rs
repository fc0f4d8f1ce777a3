//! Pods that are the same to the scheduler, and how they bear on each other.

use std::sync::Arc;

use crate::cluster::{
    Affinity, HostPort, LabelSet, Labels, Operator, Owner, Pod, PodSpec, PodTerm, Requirement, Resources,
    Selector, Snapshot, SpreadConstraint, Workload, WorkloadKind,
};

use super::fixed::Fixed;

/// A pod as the scheduler meets it: before it has a name that matters or a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Incoming {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its labels, with the template hash where a ReplicaSet makes it.
    pub labels: Labels,
    /// What it asks for.
    pub spec: Arc<PodSpec>,
    /// The controller that makes it: its selector takes part in the default spreading.
    pub owner: Option<Owner>,
}

const TEMPLATE_HASH: &str = "pod-template-hash";

impl Incoming {
    /// The pod a new pod like this one would be.
    pub fn like(pod: &Pod) -> Self {
        Self {
            namespace: pod.key.namespace.clone(),
            labels: pod.labels.clone(),
            spec: unpinned(pod),
            owner: pod.owner.clone(),
        }
    }

    /// The pod its controller would make in its place: without the labels that the API server copied from its node
    /// when it was bound (PodTopologyLabels).
    pub fn in_place_of(pod: &Pod) -> Self {
        const COPIED: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
        let mut like = Self::like(pod);
        if COPIED.iter().any(|label| like.labels.contains_key(*label)) {
            let labels = Arc::make_mut(&mut like.labels);
            labels.retain(|label, _| !COPIED.contains(&&**label));
        }
        like
    }

    /// The pod a workload would make next: like its youngest pod of the newest template, which carries all that the
    /// API server fills in (priority, default tolerations, merged `matchLabelKeys`); without one, from the template.
    pub fn next_of(seen: &Snapshot, workload: &Workload) -> Self {
        let key = &workload.key.key;
        let newest = match workload.key.kind {
            WorkloadKind::StatefulSet => None,
            WorkloadKind::Deployment => seen
                .replica_sets
                .values()
                .filter(|s| s.key.namespace == key.namespace && s.deployment.as_deref() == Some(&*key.name))
                .max_by_key(|s| (s.revision, s.created)),
        };
        let owner = match workload.key.kind {
            WorkloadKind::StatefulSet => Some(Owner {
                kind: "StatefulSet".into(),
                name: key.name.clone(),
                uid: workload.uid.as_str().into(),
            }),
            WorkloadKind::Deployment => newest.map(|s| Owner {
                kind: "ReplicaSet".into(),
                name: s.key.name.clone(),
                uid: s.uid.as_str().into(),
            }),
        };
        let siblings = seen.tenant_of(&workload.key).map_or(&[][..], |t| &t.pods);
        let sibling = siblings
            .iter()
            .filter(|p| p.is_active())
            .filter(
                |p| if newest.is_some() { p.owner == owner } else { stems_from(&p.spec, &workload.template) },
            )
            .max_by_key(|p| (p.created, p.key.clone()));
        let hash = newest.and_then(|s| {
            s.selector.requirements.iter().find_map(|r| match &r.operator {
                Operator::In(values) if r.key == TEMPLATE_HASH => {
                    values.first().map(|hash| hash.as_str().into())
                }
                _ => None,
            })
        });
        let hash = hash.or_else(|| sibling.and_then(|p| p.labels.get(TEMPLATE_HASH).cloned()));
        let mut labels = workload.template_labels.clone();
        if let Some(hash) = hash {
            Arc::make_mut(&mut labels).insert(TEMPLATE_HASH.into(), hash);
        }
        let spec = sibling.map_or_else(|| Arc::new(defaulted(&workload.template)), |p| unpinned(p));
        Self { namespace: key.namespace.clone(), labels, spec, owner }
    }
}

/// What a pod asks for, without the node that a move has named for it: no pod after it is held to that node.
fn unpinned(pod: &Pod) -> Arc<PodSpec> {
    let named = |r: &Requirement| {
        r.key == "metadata.name"
            && matches!((&r.operator, &pod.node), (Operator::In(names), Some(node)) if *names == [node.as_str()])
    };
    let of_set = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "ReplicaSet");
    let terms = pod.spec.affinity.node_required.as_deref().unwrap_or_default();
    if !of_set || terms.is_empty() || !terms.iter().all(|term| term.fields.iter().any(named)) {
        return pod.spec.clone();
    }
    let mut spec = PodSpec::clone(&pod.spec);
    let mut terms = terms.to_vec();
    terms.iter_mut().for_each(|term| term.fields.retain(|field| !named(field)));
    // A term of nothing but the name was added where the template has none.
    terms.retain(|term| !term.labels.is_empty() || !term.fields.is_empty());
    spec.affinity.node_required = (!terms.is_empty()).then_some(terms);
    Arc::new(spec)
}

/// The pod may stem from this template: it asks for no less (a LimitRange or an injected sidecar may add to it).
fn stems_from(pod: &PodSpec, template: &PodSpec) -> bool {
    let (pod_cpu, pod_memory) = pod.requests();
    let (cpu, memory) = defaulted(template).requests();
    pod_cpu >= cpu && pod_memory >= memory
}

/// A template as a pod of it would be stored: a request that is not given is the limit
/// (`SetDefaults_Pod` in `pkg/apis/core/v1/defaults.go`).
fn defaulted(template: &PodSpec) -> PodSpec {
    let mut spec = template.clone();
    let whole = |r: &Resources| {
        let (requests, limits) = (&r.requests, &r.limits);
        (requests.cpu.is_some() || limits.cpu.is_none())
            && (requests.memory.is_some() || limits.memory.is_none())
            && limits.other.keys().all(|name| requests.other.contains_key(name))
    };
    // What needs nothing stays shared.
    if spec.containers.iter().chain(&spec.init_containers).all(|c| whole(&c.resources)) {
        return spec;
    }
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        let Resources { requests, limits } = &mut container.resources;
        requests.cpu = requests.cpu.or(limits.cpu);
        requests.memory = requests.memory.or(limits.memory);
        for (name, limit) in &limits.other {
            requests.other.entry(name.clone()).or_insert(*limit);
        }
    }
    spec
}

/// Handle of a class of equal pods on one [`super::Board`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub(super) u32);

/// How many pods of a class sit on a node.
pub(super) struct Placed {
    pub node: u32,
    pub live: u32,
    /// Being deleted: they count for room and affinity, not for spreading.
    pub leaving: u32,
}

/// One class: what its pods ask for, where they sit, and whom they select.
pub(super) struct Kind {
    pub pod: Arc<Incoming>,
    /// Processor in thousandths and memory in bytes, as the filter counts them.
    pub cpu: i64,
    pub memory: i64,
    /// The same with 100m and 200 MiB for containers without a request, as LeastAllocated counts an incoming pod, and
    /// one that is there.
    pub scored: (i64, i64),
    pub scored_there: (i64, i64),
    /// Further requests (`ephemeral-storage`, extended), none of them zero.
    pub other: Box<[(String, i64)]>,
    pub ports: Box<[HostPort]>,
    /// Topology of each required affinity term.
    pub near: Box<[u32]>,
    /// Topology of each required anti-affinity term.
    pub apart: Box<[u32]>,
    /// Topology and signed weight of each preferred term: affinity first, then anti-affinity.
    pub liked: Box<[(u32, i64)]>,
    /// Its terms reach beyond its own namespace.
    pub wide: bool,
    pub placed: Vec<Placed>,
    /// Kept from the first time it is asked for.
    pub fixed: Option<Arc<Fixed>>,
    /// Worked out when the class is first placed: most classes only ever take room.
    pub outlook: Option<Arc<Outlook>>,
    /// Found out when the class is first placed, as well.
    pub relations: Option<Box<Relations>>,
}

impl Kind {
    /// Whom it selects, and who selects it, as far as that was found out.
    pub fn relations(&self) -> &Relations {
        static NONE: Relations = Relations::none();
        self.relations.as_deref().unwrap_or(&NONE)
    }
}

/// How a class looks at the nodes.
pub(super) struct Outlook {
    pub fixed: Arc<Fixed>,
    /// DoNotSchedule constraints.
    pub hard: Vec<Spread>,
    /// ScheduleAnyway constraints, the pod's own or the system's.
    pub soft: Vec<Spread>,
    /// The soft ones are the pod's own: nodes that lack a key are left out of the scoring.
    pub own_soft: bool,
}

/// One spread constraint, resolved.
pub(super) struct Spread {
    pub topology: u32,
    pub hostname: bool,
    pub max_skew: i64,
    pub selector: Option<Selector>,
    pub self_match: bool,
    pub min_domains: u32,
    /// The nodes whose pods count, by the inclusion policies and the presence of all keys.
    pub counted: Vec<bool>,
    /// The values that occur among them.
    pub domains: Vec<bool>,
}

/// Which classes a class selects, and which select it: found once, extended as classes come.
pub(super) struct Relations {
    pub seen_near: usize,
    pub seen_all: usize,
    pub seen_wide: usize,
    /// By hard, then soft constraint.
    pub spread: Vec<Vec<u32>>,
    /// Classes that match all required affinity terms.
    pub near: Vec<u32>,
    /// By required anti-affinity term.
    pub apart: Vec<Vec<u32>>,
    /// By preferred term.
    pub liked: Vec<Vec<u32>>,
    /// Classes that keep this one away: topology, class.
    pub kept_away: Vec<(u32, u32)>,
    /// Classes that like this one near or far: topology, signed weight, class.
    pub liked_by: Vec<(u32, i64, u32)>,
}

impl Relations {
    /// Before anything was looked at.
    pub const fn none() -> Self {
        Self {
            seen_near: 0,
            seen_all: 0,
            seen_wide: 0,
            spread: Vec::new(),
            near: Vec::new(),
            apart: Vec::new(),
            liked: Vec::new(),
            kept_away: Vec::new(),
            liked_by: Vec::new(),
        }
    }
}

/// Keeps sums and products of amounts far from overflow: nothing real is larger than 4 PiB.
pub(super) fn clamp(amount: u64) -> i64 {
    amount.min(1 << 52) as i64
}

const DEFAULT_CPU: u64 = 100;
const DEFAULT_MEMORY: u64 = 200 * 1024 * 1024;

/// Processor and memory as LeastAllocated counts them for an incoming pod: the containers' sums (pod-level requests
/// are passed over), 100m and 200 MiB for what is not given.
/// Source: `noderesources/resource_allocation.go` `calculatePodResourceRequest`.
pub(super) fn scored(spec: &PodSpec) -> (i64, i64) {
    let cpu = containers(spec, |r| r.requests.cpu.map_or(DEFAULT_CPU, |c| c.0));
    let memory = containers(spec, |r| r.requests.memory.map_or(DEFAULT_MEMORY, |m| m.0));
    let overhead = &spec.overhead;
    (
        clamp(cpu.saturating_add(overhead.cpu.map_or(0, |c| c.0))),
        clamp(memory.saturating_add(overhead.memory.map_or(0, |m| m.0))),
    )
}

/// The same for a pod that is there: a pod-level request counts as it stands.
/// Source: `framework/types.go` `CalculateResource`, `getNonMissingContainerRequests`.
pub(super) fn scored_there(spec: &PodSpec) -> (i64, i64) {
    let whole = spec.resources.as_ref().map(|r| &r.requests);
    let (cpu, memory) = scored(spec);
    if !whole.is_some_and(|w| w.cpu.is_some() || w.memory.is_some()) {
        return (cpu, memory);
    }
    let requests = spec.requests();
    (
        if requests.0.0 > 0 { clamp(requests.0.0) } else { cpu },
        if requests.1.0 > 0 { clamp(requests.1.0) } else { memory },
    )
}

/// The larger of all containers together and of any init container with the sidecars before it.
fn containers(spec: &PodSpec, amount: impl Fn(&Resources) -> u64) -> u64 {
    let (mut sidecars, mut peak) = (0u64, 0u64);
    for init in &spec.init_containers {
        let alone = sidecars.saturating_add(amount(&init.resources));
        if init.sidecar {
            sidecars = alone;
        }
        peak = peak.max(alone);
    }
    spec.containers.iter().fold(sidecars, |sum, c| sum.saturating_add(amount(&c.resources))).max(peak)
}

/// All resources beside processor and memory that a pod asks for.
pub(super) fn other_requests(spec: &PodSpec) -> Box<[(String, i64)]> {
    let all =
        spec.containers.iter().chain(&spec.init_containers).flat_map(|c| c.resources.requests.other.keys());
    let whole = spec.resources.iter().flat_map(|r| r.requests.other.keys());
    let mut names: Vec<_> = all.chain(whole).chain(spec.overhead.other.keys()).cloned().collect();
    names.sort();
    names.dedup();
    let requests = names.into_iter().map(|name| {
        let amount = clamp(spec.other_request(&name));
        (name, amount)
    });
    requests.filter(|(_, amount)| *amount > 0).collect()
}

/// Host ports of the containers and sidecars. Source: `scheduler/util` `GetHostPorts`.
pub(super) fn host_ports(spec: &PodSpec) -> Box<[HostPort]> {
    let sidecars = spec.init_containers.iter().filter(|c| c.sidecar);
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.host_ports.iter().cloned());
    let mut ports: Vec<_> = ports.filter(|p| p.port > 0).collect();
    ports.sort();
    ports.dedup();
    ports.into()
}

/// A constraint's selector with the pod's own values of `matchLabelKeys` merged in.
/// Source: `podtopologyspread/common.go` `filterTopologySpreadConstraints`.
pub(super) fn merged_selector(constraint: &SpreadConstraint, labels: &LabelSet) -> Option<Selector> {
    let mut selector = constraint.selector.clone()?;
    for key in &constraint.match_label_keys {
        if let Some(value) = labels.get(&**key) {
            let requirement =
                Requirement { key: key.clone(), operator: Operator::In(vec![value.to_string()]) };
            if !selector.requirements.contains(&requirement) {
                selector.requirements.push(requirement);
            }
        }
    }
    Some(selector)
}

/// Whether a term of a pod in `own` selects a pod in `namespace` with these labels.
/// Source: `framework/types.go` `AffinityTerm.Matches`.
pub(super) fn selects<'a>(
    term: &PodTerm,
    own: &str,
    namespace: &str,
    labels: &LabelSet,
    namespace_labels: impl FnOnce(&str) -> Option<&'a Labels>,
) -> bool {
    let listed = if term.namespaces.is_empty() && term.namespace_selector.is_none() {
        own == namespace
    } else {
        term.namespaces.iter().any(|n| n == namespace)
    };
    let in_reach = listed
        || term.namespace_selector.as_ref().is_some_and(|s| match namespace_labels(namespace) {
            Some(labels) => s.matches(labels),
            None => s.requirements.is_empty(),
        });
    in_reach && term.selector.as_ref().is_some_and(|s| s.matches(labels))
}

/// All terms of a pod's affinity.
pub(super) fn terms(affinity: &Affinity) -> impl Iterator<Item = &PodTerm> {
    let required = affinity.pod_required.iter().chain(&affinity.anti_required);
    required.chain(affinity.pod_preferred.iter().chain(&affinity.anti_preferred).map(|(_, term)| term))
}
