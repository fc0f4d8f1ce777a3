//! The cluster as a value: everything observed, at one moment.
//!
//! A [`Snapshot`] is immutable once published and cheap to copy: its slices are persistent maps of shared objects, so
//! a new snapshot shares all that did not change with the one before. Views, planners and runs read the same one.
//!
//! This room is pure: no IO, no clock (`now` is an argument), no terminal, no foreign object types. What could not be
//! observed is an `Option` or a [`Freshness`], never a zero.

use std::{collections::BTreeMap, sync::Arc};

use imbl::{OrdMap, OrdSet};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

mod address;
mod advice;
pub mod by_hand;
mod chain;
mod clocks;
pub mod database;
mod delta;
mod detail;
mod endpoint;
mod few;
mod finding;
mod freshness;
mod galera;
mod hash;
mod headroom;
mod health;
mod hints;
mod history;
mod id;
mod images;
mod job;
mod link;
mod named;
mod near;
mod node;
mod observe;
mod outside;
mod pack;
pub mod platform;
mod pod;
mod pool;
mod ports;
mod proxysql;
pub mod quantity;
mod quota;
mod reach;
mod record;
mod revision;
mod selector;
mod served;
mod shared;
mod sizing;
mod sketch;
mod spec;
mod table;
mod tenancy;
mod tenant;
mod term;
mod unknown;
mod values;
mod withheld;
pub mod words;
mod workload;

pub use address::Address;
pub(crate) use address::bare;
pub use advice::{Advice, Evidence, Present, RequestMemory, Use, advice, advise, advised_by, advised_with};
pub use chain::{Chain, Claimant, Link, Outside, Part, Route};
pub use database::{Database, Headline, hostgroups_of};
pub use delta::{Delta, Restoring};
pub use detail::{Described, KubeEvent, KubeEvents, LogLine, LogRange, LogSource, ObjectKey};
pub use endpoint::{Endpoint, Reach, Trouble};
pub use few::Few;
pub use finding::{
    Answer, Finding, Judge, Judged, Judgement, RULES, Rule, Severity, Subject, findings, left_over, merged,
    other_limits,
};
pub use freshness::{Freshness, Reading};
pub use galera::{
    Component, FlowControl, Gcache, LocalState, Member, MemberRows, Peer, Reject, Sample as MemberSample,
    SchemaChange, Session, Status, Threads, ZERO_UUID,
};
pub use hash::{fnv1a, of_cluster};
pub use headroom::{
    Bound, Capacity, ConnectionLimit, Connections, ContainerHeadroom, Ends, Headroom, Margin, PodHeadroom,
    Room, Tightest, cluster_room, connections, headroom, headroom_within, measured_before, node_room,
};
pub use health::{Health, Healths, refuses, worst_of_tenants};
pub use hints::Hints;
pub use history::{Calm, History, Peak, Sample, Trend};
pub use id::{
    Key, MemberName, NodeName, ProxyName, ResourceVersion, TenantName, Uid, WorkloadKey, WorkloadKind,
};
pub use images::{ImageUse, images};
pub use job::{Job, JobEnd};
pub use link::LinkState;
pub use named::{Named, named, running};
pub use near::{did_you_mean, near};
pub use node::{Condition, Effect, Node, NodeState, Taint};
pub use observe::{Observation, Seen};
pub use outside::{
    Certificate, ConditionState, EndpointSlice, Gateway, HttpRoute, Ingress, IngressClass, IngressPath,
    IngressTls, NOT_INSTALLED, PortName, RouteParent, ServicePoint, ServicePort,
};
pub use pod::{ContainerEnd, ContainerStatus, Owner, Phase, Pod, PodState, Resize};
pub use pool::{Mounted, Pool, PoolFiles};
pub use ports::Ports;
pub use proxysql::{
    Backend, BackendStatus, Digest, Drift, Holder, Hostgroups, Layers, MonitorCheck, Pinned, Proxy,
    ProxyRows, ProxySample, ProxyStatus, ServerRow,
};
pub use quantity::{Amounts, Cpu, Memory};
pub use quota::{Claim, ClaimPhase, Limit, LimitRange, Quota, QuotaLine, QuotaScope, Unit, unit};
pub use record::{Journal, Lease, RUN_LABEL, Written};
pub use revision::{Revision, Template, TemplateDifference, differences, is_secret, settings};
pub use selector::{LabelSet, Labels, Operator, Requirement, Selector};
pub use served::{Look, Presented, Served, compare_served};
pub use shared::Shared;
pub use sizing::{Origin, Setting, Sizing};
pub use sketch::sketch;
pub use spec::{
    Affinity, Container, HostPort, NodeTerm, PodSpec, PodTerm, Qos, Resources, SpreadConstraint, Toleration,
    Volume, VolumeSource,
};
pub use table::{Line, Table};
pub use tenancy::Tenancy;
pub use tenant::{Cell, Tenant};
pub use term::Term;
pub use unknown::{meant_tenant, unknown_node, unknown_tenant};
pub use values::{is_off, is_on};
pub use workload::{
    Autoscaler, Budget, Counts, GitOps, Refused, ReplicaSet, Service, Workload, deployment_of, image_tag,
    workload_kind,
};

/// All objects of one kind, and how well they are known.
#[derive(Clone, Debug)]
pub struct Slice<K: Ord + Clone, V> {
    /// The objects by key.
    pub items: OrdMap<K, Arc<V>>,
    /// Whether this is what there is.
    pub freshness: Freshness,
    /// Objects whose last report could not be read, and why. What was known of them before stays in `items`.
    pub unreadable: OrdMap<K, Arc<str>>,
    /// How far its first list has come, while it takes long.
    pub reading: Option<Reading>,
}

impl<K: Ord + Clone, V> Default for Slice<K, V> {
    fn default() -> Self {
        Self {
            items: OrdMap::new(),
            freshness: Freshness::default(),
            unreadable: OrdMap::new(),
            reading: None,
        }
    }
}

impl<K: Ord + Clone, V> Slice<K, V> {
    /// The object of that key.
    pub fn get<Q>(&self, key: &Q) -> Option<&Arc<V>>
    where
        Q: Ord + ?Sized,
        K: std::borrow::Borrow<Q>,
    {
        self.items.get(key)
    }

    /// All objects, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &Arc<V>> {
        self.items.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The objects of which nothing is known but that they are there: they could not be read, and never were.
    pub fn unknown(&self) -> impl Iterator<Item = &K> {
        self.unreadable.keys().filter(|key| !self.items.contains_key(*key))
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// Measured use of a pod, from `metrics.k8s.io`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The end of the measuring window.
    pub at: Timestamp,
    /// Processor and memory (working set) by container.
    pub containers: Few<Arc<str>, (Cpu, Memory)>,
}

/// Measured use of a node, from `metrics.k8s.io`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeUsage {
    /// The end of the measuring window.
    pub at: Timestamp,
    /// Processor in use.
    pub cpu: Cpu,
    /// Memory in use (working set).
    pub memory: Memory,
}

/// What the pods bound to a node add up to. Finished pods count for nothing, terminating ones still count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// How many pods hold resources there.
    pub pods: u32,
    /// The sum of their requests, by the scheduler's rules.
    pub requests: (Cpu, Memory),
    /// The sum of their limits; a container without a limit counts for nothing here.
    pub limits: (Cpu, Memory),
}

/// The API server and ourselves, as it sees us.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// The kubeconfig context, or `in-cluster`.
    pub context: Arc<str>,
    /// The server's address.
    pub server: Arc<str>,
    /// The flags with which another program (`kubectl`, `wheelhouse`) is led to the same cluster.
    pub flags: Arc<[Arc<str>]>,
    /// The user the server takes us for (SelfSubjectReview), where it says.
    pub user: Option<Arc<str>>,
    /// `gitVersion`.
    pub version: Option<Arc<str>>,
    /// Whether it answers.
    #[serde(with = "freshness::Plain")]
    pub freshness: Freshness,
    /// How long the last probe took.
    pub latency: Option<std::time::Duration>,
    /// It answers, and does not accept our credentials (401).
    pub refuses_us: bool,
    /// When another cluster was last found at this address, or this one at an earlier state, and which of the two.
    pub broken_course: Option<(Timestamp, Arc<str>)>,
    /// Server time minus ours, in milliseconds: added to our clock before ages are told. Zero within two seconds.
    pub skew_millis: i64,
}

/// Everything observed, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with every publish.
    pub revision: u64,
    /// When it was published, in our clock corrected by the server's.
    pub at: Timestamp,
    /// Which workloads are tenants, and how they are named.
    pub tenancy: Arc<Tenancy>,
    /// What a request takes, and when little headroom is a finding.
    pub sizing: Arc<Sizing>,
    /// The namespace that alone is looked at; `None`: all of them.
    pub namespace: Option<Arc<str>>,
    /// The API server.
    pub api: Api,
    /// Nodes.
    pub nodes: Slice<NodeName, Node>,
    /// Pods, all of them: the ones of no tenant take room as well.
    pub pods: Slice<Key, Pod>,
    /// Deployments.
    pub deployments: Slice<Key, Workload>,
    /// StatefulSets.
    pub stateful_sets: Slice<Key, Workload>,
    /// ReplicaSets.
    pub replica_sets: Slice<Key, ReplicaSet>,
    /// Services.
    pub services: Slice<Key, Service>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Slice<Key, Autoscaler>,
    /// PodDisruptionBudgets.
    pub budgets: Slice<Key, Budget>,
    /// ResourceQuotas.
    pub quotas: Slice<Key, Quota>,
    /// LimitRanges.
    pub limit_ranges: Slice<Key, LimitRange>,
    /// PersistentVolumeClaims.
    pub claims: Slice<Key, Claim>,
    /// Ingresses.
    pub ingresses: Slice<Key, Ingress>,
    /// IngressClasses by name.
    pub ingress_classes: Slice<Arc<str>, IngressClass>,
    /// EndpointSlices.
    pub endpoint_slices: Slice<Key, EndpointSlice>,
    /// HTTPRoutes of the Gateway API.
    pub http_routes: Slice<Key, HttpRoute>,
    /// Gateways of the Gateway API.
    pub gateways: Slice<Key, Gateway>,
    /// Certificates of cert-manager.
    pub certificates: Slice<Key, Certificate>,
    /// Namespaces and their labels.
    pub namespaces: Slice<Arc<str>, Labels>,
    /// Leases in wheelhouse's namespace.
    pub leases: Slice<Key, Lease>,
    /// Journals in wheelhouse's namespace, and those kept on this machine.
    pub journals: Slice<Key, Journal>,
    /// The Jobs that wheelhouse has made.
    pub jobs: Slice<Key, Job>,
    /// The php-fpm pools of ConfigMaps.
    pub pools: Slice<Key, Pool>,
    /// Measured use of pods.
    pub usage: Slice<Key, Usage>,
    /// Measured use of nodes.
    pub node_usage: Slice<NodeName, NodeUsage>,
    /// The members of the Galera cluster, as configured; each carries its own freshness.
    pub galera: Slice<MemberName, Member>,
    /// The ProxySQLs in front of it; each carries its own freshness.
    pub proxies: Slice<ProxyName, Proxy>,
    /// What is expected of the database.
    pub database: Arc<database::Expectations>,
    /// What stands around the cluster, as configured; each carries its own freshness.
    pub platform: Slice<platform::ComponentKey, platform::Component>,
    /// What was seen when edges, ingress nodes and the resolver were asked for a host.
    pub looks: Slice<platform::Spot, platform::Looked>,
    /// What is configured of the platform around.
    pub around: Arc<platform::Around>,
    /// Who has seen what is shown of it.
    pub looker: platform::Looker,
    /// Derived: the tenants, kept up with every observation.
    pub tenants: OrdMap<TenantName, Arc<Tenant>>,
    /// Derived: what the pods on each node add up to.
    pub loads: OrdMap<NodeName, Load>,
    /// Derived: what the tenants used in the last minutes.
    pub history: Arc<History>,
    /// Derived: the pods of each workload, by name.
    pods_of: OrdMap<WorkloadKey, Vec<Arc<Pod>>>,
    /// Derived: the pods of each ReplicaSet that does not tell its Deployment, because it has not been read or has none.
    unclaimed: OrdMap<Key, Vec<Arc<Pod>>>,
    /// Derived: the pods that are being deleted.
    leaving: OrdSet<Key>,
    /// Derived: which tenant a workload is.
    tenant_of: OrdMap<WorkloadKey, TenantName>,
    /// Derived when it is asked for: the database, judged.
    judged: database::Derived,
    /// Derived when it is asked for: the ways from outside to the tenants.
    outside: chain::Derived,
    /// Derived when it is asked for: the platform around, judged.
    surveyed: platform::Derived,
}

/// The objects of one namespace.
fn in_namespace<'a, V>(slice: &'a Slice<Key, V>, namespace: &'a str) -> impl Iterator<Item = &'a Arc<V>> {
    let all = slice.items.range(Key::new(namespace, "")..);
    all.take_while(move |(key, _)| *key.namespace == *namespace).map(|(_, object)| object)
}

impl Snapshot {
    /// An empty snapshot that will find tenants by this rule.
    pub fn new(tenancy: Tenancy) -> Self {
        Self { tenancy: Arc::new(tenancy), ..Self::default() }
    }

    /// The workload of that key, as last seen.
    pub fn workload(&self, key: &WorkloadKey) -> Option<&Arc<Workload>> {
        match key.kind {
            WorkloadKind::Deployment => self.deployments.get(&key.key),
            WorkloadKind::StatefulSet => self.stateful_sets.get(&key.key),
        }
    }

    /// The tenant a workload is, if any.
    pub fn tenant_of(&self, workload: &WorkloadKey) -> Option<&Arc<Tenant>> {
        self.tenants.get(self.tenant_of.get(workload)?)
    }

    /// The workload a pod belongs to: through its ReplicaSet, or directly for StatefulSets.
    pub fn workload_of(&self, pod: &Pod) -> Option<WorkloadKey> {
        Self::owner_of(pod, &self.replica_sets)
    }

    fn owner_of(pod: &Pod, replica_sets: &Slice<Key, ReplicaSet>) -> Option<WorkloadKey> {
        let owner = pod.owner.as_ref()?;
        let namespace = pod.key.namespace.clone();
        match &*owner.kind {
            "StatefulSet" => Some(WorkloadKey::new(WorkloadKind::StatefulSet, namespace, owner.name.clone())),
            "ReplicaSet" => {
                let set = replica_sets.get(&Key::new(namespace.clone(), owner.name.clone()));
                let hash = pod.labels.get("pod-template-hash").map(|hash| &**hash);
                let deployment = match set {
                    // The pod of an earlier ReplicaSet of that name, or a false claim: its controller does not count it.
                    Some(set) if !owner.is(&set.uid) => return None,
                    Some(set) => set.deployment.clone()?,
                    None => deployment_of(&owner.name, hash)?.into(),
                };
                Some(WorkloadKey::new(WorkloadKind::Deployment, namespace, deployment))
            }
            _ => None,
        }
    }

    /// How a pod is, in one word: by its own report, unless its node does not answer.
    pub fn state_of(&self, pod: &Pod) -> PodState {
        let state = pod.reported(self.at, SignedDuration::MAX);
        if matches!(state, PodState::Starting | PodState::Failing) && self.is_silent(pod.node.as_ref()) {
            return PodState::Unknown;
        }
        if state != PodState::Starting {
            return state;
        }
        let workload = self.workload_of(pod).and_then(|key| self.workload(&key).cloned());
        let within = workload.map(|w| SignedDuration::from_secs(i64::from(w.deadline)));
        // By the minute: what rests on it need not be asked again every second.
        let now = Timestamp::from_second(self.at.as_second().div_euclid(60) * 60).unwrap_or(self.at);
        pod.reported(now, within.unwrap_or(pod::READY_WITHIN).min(pod::READY_AT_LAST))
    }

    /// What keeps a pod that is being deleted, in a few words.
    pub fn what_keeps(&self, pod: &Pod) -> String {
        let finalizers: Vec<_> = pod.finalizers.iter().map(|f| &**f).collect();
        let silent = pod.node.as_ref().filter(|node| self.is_silent(Some(node)));
        match (finalizers.as_slice(), silent) {
            ([], Some(node)) => format!("{node} does not answer"),
            ([], None) => "waits for its kubelet to end it".to_owned(),
            ([one], _) => format!("waits for finalizer {one}"),
            (many, _) => format!("waits for finalizers {}", many.join(", ")),
        }
    }

    /// A node that pods are bound to and that does not answer: its kubelet is silent, or it is gone.
    pub fn is_silent(&self, node: Option<&NodeName>) -> bool {
        node.is_some_and(|name| match self.nodes.get(name) {
            Some(node) => node.is_silent(),
            None => self.nodes.freshness.is_known() && !self.nodes.unreadable.contains_key(name),
        })
    }

    /// The pods of a tenant by node and state; under `None` those no node has taken.
    pub fn cells(&self, tenant: &Tenant) -> BTreeMap<Option<NodeName>, Cell> {
        let mut cells: BTreeMap<_, Cell> = BTreeMap::new();
        for pod in &tenant.pods {
            let state = self.state_of(pod);
            if state != PodState::Finished {
                cells.entry(pod.node.clone()).or_default().add(state);
            }
        }
        cells
    }

    /// The pods that are being deleted, finished or not, by key.
    pub fn leaving(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.leaving.iter().filter_map(|key| self.pods.get(key))
    }

    /// The autoscaler that drives a workload, if any is known.
    pub fn autoscaler_of(&self, workload: &WorkloadKey) -> Option<&Arc<Autoscaler>> {
        self.autoscalers.values().find(|a| a.drives(workload))
    }

    /// The quotas of a namespace.
    pub fn quotas_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Quota>> {
        in_namespace(&self.quotas, namespace)
    }

    /// The LimitRanges of a namespace.
    pub fn limit_ranges_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<LimitRange>> {
        in_namespace(&self.limit_ranges, namespace)
    }

    /// The pods of a Job.
    pub fn pods_of_job<'a>(&'a self, job: &'a Key) -> impl Iterator<Item = &'a Arc<Pod>> {
        let own = |pod: &&Arc<Pod>| {
            pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "Job" && owner.name == job.name)
        };
        in_namespace(&self.pods, &job.namespace).filter(own)
    }

    /// The Services of a namespace.
    pub fn services_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Service>> {
        in_namespace(&self.services, namespace)
    }

    /// The disruption budgets whose selector matches a workload's pods.
    pub fn budgets_of<'a>(&'a self, workload: &'a Workload) -> impl Iterator<Item = &'a Arc<Budget>> {
        self.budgets.values().filter(|b| {
            b.key.namespace == workload.key.key.namespace
                && b.selector.as_ref().is_some_and(|s| s.matches(&workload.template_labels))
        })
    }

    /// The sources that are not followed at present, each with the reason, in reading order.
    pub fn troubles(&self) -> Vec<(&'static str, &Freshness)> {
        self.sources().into_iter().filter(|(_, f)| f.trouble().is_some()).collect()
    }

    /// The sources with objects that could not be read, each with one sentence naming the first of them.
    pub fn unreadable(&self) -> Vec<(&'static str, String)> {
        fn sentence<K: Ord + Clone + std::fmt::Display, V>(
            source: &'static str,
            slice: &Slice<K, V>,
        ) -> Option<(&'static str, String)> {
            let (key, why) = slice.unreadable.get_min()?;
            let what = match slice.unreadable.len() {
                1 => format!("1 {}", source.trim_end_matches('s')),
                n => format!("{n} {source}"),
            };
            Some((source, format!("{what} could not be read: {key}: {why}")))
        }
        [
            sentence("nodes", &self.nodes),
            sentence("pods", &self.pods),
            sentence("deployments", &self.deployments),
            sentence("statefulsets", &self.stateful_sets),
            sentence("replicasets", &self.replica_sets),
            sentence("services", &self.services),
            sentence("horizontalpodautoscalers", &self.autoscalers),
            sentence("poddisruptionbudgets", &self.budgets),
            sentence("resourcequotas", &self.quotas),
            sentence("limitranges", &self.limit_ranges),
            sentence("persistentvolumeclaims", &self.claims),
            sentence("namespaces", &self.namespaces),
            sentence("leases", &self.leases),
            sentence("journals", &self.journals),
            sentence("jobs", &self.jobs),
            sentence("configmaps", &self.pools),
            sentence("pod metrics", &self.usage),
            sentence("node metrics", &self.node_usage),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How far the lists have come that take long to read the first time, in reading order.
    pub fn reading(&self) -> Vec<(&'static str, Reading)> {
        let all = [
            ("nodes", self.nodes.reading),
            ("pods", self.pods.reading),
            ("deployments", self.deployments.reading),
            ("statefulsets", self.stateful_sets.reading),
            ("replicasets", self.replica_sets.reading),
            ("services", self.services.reading),
            ("horizontalpodautoscalers", self.autoscalers.reading),
            ("poddisruptionbudgets", self.budgets.reading),
            ("namespaces", self.namespaces.reading),
            ("resourcequotas", self.quotas.reading),
            ("limitranges", self.limit_ranges.reading),
            ("persistentvolumeclaims", self.claims.reading),
            ("configmaps", self.pools.reading),
        ];
        all.into_iter().filter_map(|(name, reading)| Some((name, reading?))).collect()
    }

    /// Every source by the name operators know it by, in reading order.
    pub fn sources(&self) -> [(&'static str, &Freshness); 18] {
        [
            ("nodes", &self.nodes.freshness),
            ("pods", &self.pods.freshness),
            ("deployments", &self.deployments.freshness),
            ("statefulsets", &self.stateful_sets.freshness),
            ("replicasets", &self.replica_sets.freshness),
            ("services", &self.services.freshness),
            ("horizontalpodautoscalers", &self.autoscalers.freshness),
            ("poddisruptionbudgets", &self.budgets.freshness),
            ("resourcequotas", &self.quotas.freshness),
            ("limitranges", &self.limit_ranges.freshness),
            ("persistentvolumeclaims", &self.claims.freshness),
            ("namespaces", &self.namespaces.freshness),
            ("leases", &self.leases.freshness),
            ("journals", &self.journals.freshness),
            ("jobs", &self.jobs.freshness),
            ("configmaps", &self.pools.freshness),
            ("pod metrics", &self.usage.freshness),
            ("node metrics", &self.node_usage.freshness),
        ]
    }

    /// Pods and workloads have been seen, and nodes, or why they cannot be: the screens and the planners have something to
    /// say.
    pub fn is_ready(&self) -> bool {
        let workloads = [&self.deployments.freshness, &self.stateful_sets.freshness];
        self.nodes.freshness != Freshness::Connecting
            && self.pods.freshness.is_known()
            && workloads.iter().all(|f| **f != Freshness::Connecting)
            && workloads.iter().any(|f| f.is_known())
    }
}
