//! Foreign objects become ours: JSON text of one Kubernetes object in, or its protobuf, a type of `cluster` out.
//!
//! Called by the sources for every object they read, by the benchmarks, and by tests with recorded replies. Pure: no
//! IO, no clock. A text that cannot be read gives an [`Unreadable`] naming the object, never a panic, and never costs
//! the other objects of its list.

use std::{
    collections::BTreeMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::HashSet;
use jiff::Timestamp;
use serde::de::{Deserialize, DeserializeOwned};

use super::{
    protobuf::{Message, Reader, schema},
    slim::{self, IntOrText, Quantities},
};
use crate::cluster::{
    Affinity, Amounts, Autoscaler, Budget, Certificate, Claim, Container, Cpu, EndpointSlice, Gateway,
    HttpRoute, Ingress, IngressClass, Job, Journal, Key, KubeEvent, LabelSet, Labels, Lease, LimitRange,
    Memory, Mounted, Node, NodeName, NodeUsage, Pod, PodSpec, Pool, PoolFiles, Quota, ReplicaSet,
    Requirement, ResourceVersion, Resources, Service, Shared, SpreadConstraint, Toleration, Usage, Volume,
    Workload, quantity,
};

mod labels;
mod node;
mod outside;
mod pod;
mod policy;
mod quota;
mod record;
mod resize;
mod trouble;
mod workload;

/// Where a kind of object is found in the API, and how people call it.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// API group, empty for the core.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Name in paths and rules, such as `pods`.
    pub plural: &'static str,
    /// One of them, for people.
    pub singular: &'static str,
    /// It lives in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The path of the collection, in one namespace or in all.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let Self { group, version, plural, .. } = self;
        let root =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        }
    }

    /// It comes with an extension of the API server, which may not be installed.
    pub(super) fn is_extension(&self) -> bool {
        ["gateway.networking.k8s.io", "cert-manager.io"].contains(&self.group)
    }

    /// The document that tells whether the server serves its group in this version.
    pub(super) fn discovery(&self) -> String {
        format!("/apis/{}/{}", self.group, self.version)
    }

    /// A server that does not serve it has none of it, and nothing else follows from that.
    pub(super) fn may_be_absent(&self) -> bool {
        let outside = ["ingresses", "ingressclasses", "endpointslices"];
        let around = ["resourcequotas", "limitranges", "persistentvolumeclaims", "jobs"];
        around.contains(&self.plural) || outside.contains(&self.plural)
    }

    /// The resource as role-based access control writes it, such as `poddisruptionbudgets.policy`.
    pub fn rule(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// A kind of object: where it is, and what its text means.
pub trait Kind: Send + 'static {
    /// What tells the objects of this kind apart.
    type Key: Ord + Clone + Send + 'static;
    /// What is kept of an object.
    type Value: Send + 'static;
    /// Where it is found.
    const RESOURCE: Resource;

    /// Its key, from namespace (empty for cluster-wide kinds) and name.
    fn key(namespace: &str, name: &str) -> Self::Key;

    /// Reads one object.
    fn read(text: &str, interner: &mut Interner) -> Result<Object<Self::Key, Self::Value>, Unreadable>;

    /// Reads the object that begins there, of which the end is not known. Quicker than to look for its end first.
    fn read_first(bytes: &[u8], interner: &mut Interner) -> First<Self::Key, Self::Value>;

    /// Reads one object of a list in protobuf. `None`: its lists are asked for in JSON.
    const READ_MESSAGE: Option<ReadMessage<Self::Key, Self::Value>> = None;
}

/// Reads one object from protobuf.
pub type ReadMessage<K, V> = fn(&[u8], &mut Interner) -> Result<Object<K, V>, Unreadable>;

/// What begins somewhere.
#[derive(Debug)]
pub enum First<K, V> {
    /// An object, and how many bytes it takes.
    Object(Result<Object<K, V>, Unreadable>, usize),
    /// The beginning of one.
    Short,
    /// What has to be looked at as a whole to say what is wrong with it.
    Odd,
}

/// One object, read.
#[derive(Clone, Debug)]
pub struct Object<K, V> {
    /// Which one.
    pub key: K,
    /// `metadata.resourceVersion`; empty for measurements.
    pub version: ResourceVersion,
    /// What is kept of it.
    pub value: V,
}

/// An object that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// `metadata.namespace`, as far as it is known.
    pub namespace: String,
    /// `metadata.name`, as far as it is known.
    pub name: String,
    /// `metadata.resourceVersion`, as far as it is known.
    pub version: Option<ResourceVersion>,
    /// What is wrong with it, where.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "without a name" } else { &self.name };
        write!(f, "{name}: {}", self.why)
    }
}

/// Keeps one copy of what many objects carry: pod templates, label sets, names. A clone of it shares what is kept, so
/// that what a Deployment and its pods have in common is there once.
///
/// Ten thousand pods of two thousand tenants have two thousand different templates.
#[derive(Clone, Debug, Default)]
pub struct Interner(Arc<Tables>);

#[derive(Debug, Default)]
struct Tables {
    texts: Mutex<Table<str>>,
    labels: Mutex<Table<LabelSet>>,
    specs: Mutex<Table<PodSpec>>,
    containers: Parts<Vec<Container>>,
    affinities: Parts<Affinity>,
    tolerations: Parts<Vec<Toleration>>,
    spreads: Parts<Vec<SpreadConstraint>>,
    volumes: Parts<Vec<Volume>>,
    selectors: Parts<Vec<Requirement>>,
    mounts: Parts<Vec<Mounted>>,
    pool_files: Parts<PoolFiles>,
    /// The key of ConfigMaps under which the place of sessions stands.
    session_key: std::sync::OnceLock<String>,
}

/// Parts of objects that many have in common.
#[derive(Debug, Default)]
struct Parts<T: Hash + Eq>(Mutex<Table<T>>);

impl<T: Hash + Eq> Parts<T> {
    /// Replaces a part by the copy of it that is kept.
    fn share(&self, part: &mut Shared<T>) {
        let mut table = open(&self.0);
        *part = match table.kept.get(&**part) {
            Some(kept) => kept.clone().into(),
            None => table.keep(part.clone().into()).into(),
        };
    }
}

/// What is kept under a lock is whole at any time: a panic elsewhere does not matter.
fn open<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Interner {
    /// Reads the place of sessions under this key of ConfigMaps, from now on.
    pub(super) fn keep_sessions(&self, key: &str) {
        // It is set before anything is read, once.
        let _ = self.0.session_key.set(key.to_owned());
    }

    /// The key of ConfigMaps under which the place of sessions stands.
    fn session_key(&self) -> Option<&str> {
        self.0.session_key.get().map(String::as_str)
    }

    /// The shared copy of a text.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        let mut texts = open(&self.0.texts);
        match texts.kept.get(text) {
            Some(kept) => kept.clone(),
            None => texts.keep(text.into()),
        }
    }

    /// The shared copy of a set of labels.
    pub fn labels(&mut self, labels: BTreeMap<String, String>) -> Labels {
        let mut text = |text: String| self.text(&text);
        let labels: LabelSet = labels.into_iter().map(|(key, value)| (text(key), text(value))).collect();
        let mut sets = open(&self.0.labels);
        match sets.kept.get(&labels) {
            Some(kept) => kept.clone(),
            None => sets.keep(Arc::new(labels)),
        }
    }

    /// The shared copy of a pod template.
    pub fn spec(&mut self, mut spec: PodSpec) -> Arc<PodSpec> {
        if let Some(kept) = open(&self.0.specs).kept.get(&spec) {
            return kept.clone();
        }
        // A new one has most of its parts in common with others.
        let tables = &*self.0;
        tables.containers.share(&mut spec.containers);
        tables.containers.share(&mut spec.init_containers);
        tables.affinities.share(&mut spec.affinity);
        tables.tolerations.share(&mut spec.tolerations);
        tables.spreads.share(&mut spec.spread);
        tables.volumes.share(&mut spec.volumes);
        open(&tables.specs).keep(Arc::new(spec))
    }

    /// Replaces the requirements of a selector by the copy of them that is kept.
    pub(super) fn requirements(&mut self, requirements: &mut Shared<Vec<Requirement>>) {
        self.0.selectors.share(requirements);
    }

    /// Replaces what is mounted by the copy of it that is kept.
    pub(super) fn mounts(&mut self, mounted: &mut Shared<Vec<Mounted>>) {
        self.0.mounts.share(mounted);
    }

    /// The shared copy of the files of a pool.
    pub(super) fn pool_files(&mut self, files: &mut Shared<PoolFiles>) {
        self.0.pool_files.share(files);
    }

    /// How many different pod templates are kept.
    pub fn templates(&self) -> usize {
        open(&self.0.specs).kept.len()
    }
}

#[derive(Debug)]
struct Table<T: ?Sized + Hash + Eq> {
    kept: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized + Hash + Eq> Default for Table<T> {
    fn default() -> Self {
        Self { kept: HashSet::default(), sweep_at: 1024 }
    }
}

impl<T: ?Sized + Hash + Eq> Table<T> {
    /// Keeps a new copy; from time to time lets go of those nobody else holds any more.
    fn keep(&mut self, new: Arc<T>) -> Arc<T> {
        if self.kept.len() >= self.sweep_at {
            self.kept.retain(|kept| Arc::strong_count(kept) > 1);
            self.sweep_at = (self.kept.len() * 2).max(1024);
        }
        self.kept.insert(new.clone());
        new
    }
}

/// Declares the kinds: where each is found, its key, and what reads it.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $value:ty, $group:literal $version:literal $plural:literal $singular:literal
        $scope:ident, $read:path $(, $message:ident)?;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $kind;

        impl Kind for $kind {
            type Key = kinds!(@key $scope);
            type Value = $value;
            const RESOURCE: Resource = Resource {
                group: $group,
                version: $version,
                plural: $plural,
                singular: $singular,
                namespaced: kinds!(@namespaced $scope),
            };

            fn key(namespace: &str, name: &str) -> Self::Key {
                kinds!(@make $scope namespace name)
            }

            fn read(text: &str, interner: &mut Interner) -> Result<Object<Self::Key, $value>, Unreadable> {
                parse(text, |slim| $read(slim, interner))
            }

            fn read_first(bytes: &[u8], interner: &mut Interner) -> First<Self::Key, $value> {
                parse_first(bytes, |slim| $read(slim, interner))
            }

            $(const READ_MESSAGE: Option<ReadMessage<Self::Key, $value>> = Some(|bytes, interner| {
                parse_message(bytes, &schema::$message, |slim| $read(slim, interner))
            });)?
        }
    )+};
    (@key namespaced) => { Key };
    (@key node) => { NodeName };
    (@key cluster) => { Arc<str> };
    (@namespaced namespaced) => { true };
    (@namespaced $other:ident) => { false };
    (@make namespaced $namespace:ident $name:ident) => { Key::new($namespace, $name) };
    (@make $other:ident $namespace:ident $name:ident) => {{
        let _ = $namespace;
        $name.into()
    }};
}

kinds! {
    /// Nodes.
    Nodes: Node, "" "v1" "nodes" "node" node, node::node;
    /// Pods.
    Pods: Pod, "" "v1" "pods" "pod" namespaced, pod::pod, POD;
    /// Deployments.
    Deployments: Workload, "apps" "v1" "deployments" "deployment" namespaced, workload::deployment, DEPLOYMENT;
    /// StatefulSets.
    StatefulSets: Workload, "apps" "v1" "statefulsets" "statefulset" namespaced, workload::stateful_set;
    /// ReplicaSets.
    ReplicaSets: ReplicaSet, "apps" "v1" "replicasets" "replicaset" namespaced, workload::replica_set, REPLICA_SET;
    /// Services.
    Services: Service, "" "v1" "services" "service" namespaced, policy::service;
    /// HorizontalPodAutoscalers.
    Autoscalers: Autoscaler, "autoscaling" "v2" "horizontalpodautoscalers" "horizontalpodautoscaler" namespaced,
        policy::autoscaler;
    /// PodDisruptionBudgets.
    Budgets: Budget, "policy" "v1" "poddisruptionbudgets" "poddisruptionbudget" namespaced, policy::budget;
    /// ResourceQuotas.
    Quotas: Quota, "" "v1" "resourcequotas" "resourcequota" namespaced, quota::quota;
    /// LimitRanges.
    LimitRanges: LimitRange, "" "v1" "limitranges" "limitrange" namespaced, quota::limit_range;
    /// PersistentVolumeClaims.
    Claims: Claim, "" "v1" "persistentvolumeclaims" "persistentvolumeclaim" namespaced, quota::claim;
    /// Namespaces and their labels.
    Namespaces: Labels, "" "v1" "namespaces" "namespace" cluster, record::namespace;
    /// Leases of wheelhouse.
    Leases: Lease, "coordination.k8s.io" "v1" "leases" "lease" namespaced, record::lease;
    /// Journals of wheelhouse.
    Journals: Journal, "" "v1" "configmaps" "configmap" namespaced, record::journal;
    /// What a cockpit tells of the platform around, in base64.
    Sights: String, "" "v1" "configmaps" "configmap" namespaced, record::sight;
    /// The Jobs of wheelhouse.
    Jobs: Job, "batch" "v1" "jobs" "job" namespaced, record::job;
    /// The php-fpm pools of ConfigMaps; nothing is kept of a ConfigMap without one.
    Pools: Option<Pool>, "" "v1" "configmaps" "configmap" namespaced, record::pool;
    /// Ingresses.
    Ingresses: Ingress, "networking.k8s.io" "v1" "ingresses" "ingress" namespaced, outside::ingress;
    /// IngressClasses.
    IngressClasses: IngressClass, "networking.k8s.io" "v1" "ingressclasses" "ingressclass" cluster,
        outside::ingress_class;
    /// EndpointSlices.
    EndpointSlices: EndpointSlice, "discovery.k8s.io" "v1" "endpointslices" "endpointslice" namespaced,
        outside::endpoint_slice;
    /// HTTPRoutes of the Gateway API.
    HttpRoutes: HttpRoute, "gateway.networking.k8s.io" "v1" "httproutes" "httproute" namespaced,
        outside::http_route;
    /// Gateways of the Gateway API.
    Gateways: Gateway, "gateway.networking.k8s.io" "v1" "gateways" "gateway" namespaced, outside::gateway;
    /// Certificates of cert-manager.
    Certificates: Certificate, "cert-manager.io" "v1" "certificates" "certificate" namespaced,
        outside::certificate;
    /// Kubernetes Events.
    Events: KubeEvent, "" "v1" "events" "event" namespaced, record::event;
    /// Measured use of pods.
    PodUsages: Usage, "metrics.k8s.io" "v1beta1" "pods" "pod metric" namespaced, node::pod_usage;
    /// Measured use of nodes.
    NodeUsages: NodeUsage, "metrics.k8s.io" "v1beta1" "nodes" "node metric" node, node::node_usage;
}

/// What is wrong with an object, where: `status.capacity.cpu: ...`.
type Fault = String;

fn parse<S: DeserializeOwned, K, V>(
    text: &str,
    convert: impl FnOnce(S) -> Result<Object<K, V>, Fault>,
) -> Result<Object<K, V>, Unreadable> {
    let read = serde_json::from_str(text).map_err(|e| e.to_string()).and_then(convert);
    read.map_err(|why| unreadable(text.as_bytes(), why))
}

fn parse_message<S: DeserializeOwned, K, V>(
    bytes: &[u8],
    message: &'static Message,
    convert: impl FnOnce(S) -> Result<Object<K, V>, Fault>,
) -> Result<Object<K, V>, Unreadable> {
    let read = S::deserialize(Reader::new(bytes, message)).map_err(|e| e.to_string());
    read.and_then(convert)
        .map_err(|why| of_stub(slim::Stub::deserialize(Reader::new(bytes, message)).unwrap_or_default(), why))
}

fn parse_first<S: DeserializeOwned, K, V>(
    bytes: &[u8],
    convert: impl FnOnce(S) -> Result<Object<K, V>, Fault>,
) -> First<K, V> {
    let mut objects = serde_json::Deserializer::from_slice(bytes).into_iter();
    match objects.next() {
        Some(Ok(slim)) => {
            let length = objects.byte_offset();
            First::Object(convert(slim).map_err(|why| unreadable(&bytes[..length], why)), length)
        }
        Some(Err(why)) if !why.is_eof() => First::Odd,
        _ => First::Short,
    }
}

fn unreadable(text: &[u8], why: Fault) -> Unreadable {
    of_stub(serde_json::from_slice(text).unwrap_or_default(), why)
}

fn of_stub(stub: slim::Stub, why: Fault) -> Unreadable {
    let stub = stub.metadata;
    let version = Some(stub.resource_version.as_str().into()).filter(|_| !stub.resource_version.is_empty());
    Unreadable { namespace: stub.namespace, name: stub.name, version, why }
}

fn named(name: &str) -> Result<&str, Fault> {
    if name.is_empty() { Err("metadata.name is missing".into()) } else { Ok(name) }
}

fn key_of(meta: &slim::Meta, interner: &mut Interner) -> Result<Key, Fault> {
    key(&meta.namespace, &meta.name, interner)
}

fn key(namespace: &str, name: &str, interner: &mut Interner) -> Result<Key, Fault> {
    if namespace.is_empty() {
        return Err("metadata.namespace is missing".into());
    }
    // The measurements of a pod, its Service and its budget are called as it, or as its workload.
    Ok(Key::new(interner.text(namespace), interner.text(named(name)?)))
}

fn created(at: Option<Timestamp>) -> Result<Timestamp, Fault> {
    at.ok_or_else(|| "metadata.creationTimestamp is missing".into())
}

/// Reads each, in no more room than they take: what is collected from results has room for four, and what is collected
/// from a list of the wire keeps the room of that.
fn each<I: IntoIterator<IntoIter: ExactSizeIterator>, T>(
    given: I,
    read: impl FnMut(I::Item) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let given = given.into_iter();
    let mut all = Vec::with_capacity(given.len());
    for one in given.map(read) {
        all.push(one?);
    }
    Ok(all)
}

/// The shared copy of a text that may be absent.
fn given(text: &str, interner: &mut Interner) -> Option<Arc<str>> {
    if text.is_empty() { None } else { Some(interner.text(text)) }
}

/// A count: below zero it is nothing.
fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn amount(name: &str, given: &IntOrText, unit: u64) -> Result<u64, Fault> {
    let parsed = match given {
        IntOrText::Int(number) => quantity::parse(&number.to_string(), unit),
        IntOrText::Float(number) => quantity::parse(&number.to_string(), unit),
        IntOrText::Text(text) => quantity::parse(text, unit),
    };
    parsed.map_err(|e| format!("{name}: {e}"))
}

fn amounts(quantities: &Quantities) -> Result<Amounts, Fault> {
    let mut amounts = Amounts::default();
    for (name, given) in quantities {
        match name.as_str() {
            "cpu" => amounts.cpu = Some(Cpu(amount(name, given, 1000)?)),
            "memory" => amounts.memory = Some(Memory(amount(name, given, 1)?)),
            _ => {
                amounts.other.insert(name.clone(), amount(name, given, 1)?);
            }
        }
    }
    Ok(amounts)
}

/// Requests and limits of a container or a pod.
fn resources(given: &slim::Resources) -> Result<Resources, Fault> {
    Ok(Resources { requests: amounts(&given.requests)?, limits: amounts(&given.limits)? })
}
