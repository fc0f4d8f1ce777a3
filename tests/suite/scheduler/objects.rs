//! The recorded objects (API JSON, cut down) as cluster types. The parsing is the test's own: what the program reads
//! from a live API server goes through `live::convert`, which has its own tests.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;
use wheelhouse::cluster::{
    Affinity, Amounts, Condition, Container, ContainerStatus, Cpu, Effect, HostPort, Key, Memory, Node,
    NodeTerm, Operator, Owner, Phase, Pod, PodSpec, PodTerm, ReplicaSet, Requirement, Resources, Selector,
    Service, SpreadConstraint, Taint, Toleration, quantity,
};

type Map = BTreeMap<String, String>;

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    pub name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: Map,
    #[serde(default)]
    annotations: Map,
    deletion_timestamp: Option<Timestamp>,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    owner_references: Vec<JsonOwner>,
}

#[derive(Deserialize, Clone)]
struct JsonOwner {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
pub struct JsonNode {
    metadata: Meta,
    #[serde(default)]
    spec: NodeSpec,
    status: NodeStatus,
}

#[derive(Deserialize, Default)]
struct NodeSpec {
    #[serde(default)]
    unschedulable: bool,
    #[serde(default)]
    taints: Vec<JsonTaint>,
}

#[derive(Deserialize, Clone)]
pub struct JsonTaint {
    key: String,
    #[serde(default)]
    value: String,
    effect: String,
}

#[derive(Deserialize)]
struct NodeStatus {
    allocatable: Map,
    #[serde(default)]
    images: Vec<JsonImage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonImage {
    names: Vec<String>,
    size_bytes: u64,
}

#[derive(Deserialize)]
pub struct JsonService {
    metadata: Meta,
    spec: ServiceSpec,
}

#[derive(Deserialize)]
struct ServiceSpec {
    #[serde(default)]
    selector: Map,
}

#[derive(Deserialize)]
pub struct JsonReplicaSet {
    metadata: Meta,
    spec: ReplicaSetSpec,
}

#[derive(Deserialize)]
struct ReplicaSetSpec {
    replicas: u32,
    selector: JsonSelector,
}

#[derive(Deserialize)]
pub struct JsonPod {
    pub metadata: Meta,
    spec: JsonPodSpec,
    status: Option<PodStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    phase: Option<String>,
    #[serde(default)]
    conditions: Vec<JsonCondition>,
    #[serde(default)]
    container_statuses: Vec<JsonContainerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    last_transition_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonContainerStatus {
    name: String,
    restart_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonPodSpec {
    node_name: Option<String>,
    #[serde(default)]
    affinity: JsonAffinity,
    #[serde(default)]
    topology_spread_constraints: Vec<JsonSpread>,
    #[serde(default)]
    node_selector: Map,
    #[serde(default)]
    tolerations: Vec<JsonToleration>,
    #[serde(default)]
    priority: i32,
    preemption_policy: Option<String>,
    resources: Option<JsonResources>,
    #[serde(default)]
    containers: Vec<JsonContainer>,
    #[serde(default)]
    init_containers: Vec<JsonContainer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonContainer {
    name: String,
    image: String,
    restart_policy: Option<String>,
    #[serde(default)]
    ports: Vec<JsonPort>,
    #[serde(default)]
    resources: JsonResources,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonPort {
    #[serde(default)]
    host_port: u16,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    protocol: Option<String>,
}

#[derive(Deserialize, Default)]
struct JsonResources {
    #[serde(default)]
    requests: Map,
    #[serde(default)]
    limits: Map,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonToleration {
    key: Option<String>,
    operator: Option<String>,
    #[serde(default)]
    value: String,
    effect: Option<String>,
    toleration_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpread {
    max_skew: u32,
    topology_key: String,
    when_unsatisfiable: String,
    label_selector: Option<JsonSelector>,
    #[serde(default)]
    match_label_keys: Vec<String>,
    min_domains: Option<u32>,
    node_affinity_policy: Option<String>,
    node_taints_policy: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct JsonAffinity {
    node_affinity: JsonNodeAffinity,
    pod_affinity: JsonPodAffinity,
    pod_anti_affinity: JsonPodAffinity,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonNodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<JsonNodeSelector>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    preferred: Vec<JsonPreference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonNodeSelector {
    node_selector_terms: Vec<JsonNodeTerm>,
}

#[derive(Deserialize)]
struct JsonPreference {
    weight: i32,
    preference: JsonNodeTerm,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonNodeTerm {
    #[serde(default)]
    match_expressions: Vec<JsonRequirement>,
    #[serde(default)]
    match_fields: Vec<JsonRequirement>,
}

#[derive(Deserialize)]
struct JsonRequirement {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonPodAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Vec<JsonPodTerm>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    preferred: Vec<JsonWeighted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonWeighted {
    weight: i32,
    pod_affinity_term: JsonPodTerm,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonPodTerm {
    label_selector: Option<JsonSelector>,
    #[serde(default)]
    namespaces: Vec<String>,
    namespace_selector: Option<JsonSelector>,
    topology_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSelector {
    #[serde(default)]
    match_labels: Map,
    #[serde(default)]
    match_expressions: Vec<JsonRequirement>,
}

fn effect(text: &str) -> Effect {
    match text {
        "PreferNoSchedule" => Effect::PreferNoSchedule,
        "NoExecute" => Effect::NoExecute,
        _ => Effect::NoSchedule,
    }
}

fn amounts(map: Map) -> Amounts {
    let mut amounts = Amounts::default();
    for (name, text) in map {
        match name.as_str() {
            "cpu" => amounts.cpu = Some(text.parse::<Cpu>().expect("a quantity")),
            "memory" => amounts.memory = Some(text.parse::<Memory>().expect("a quantity")),
            "pods" => {}
            _ => {
                amounts.other.insert(name, quantity::parse(&text, 1).expect("a quantity"));
            }
        }
    }
    amounts
}

impl From<JsonResources> for Resources {
    fn from(json: JsonResources) -> Self {
        Self { requests: amounts(json.requests), limits: amounts(json.limits) }
    }
}

impl From<JsonRequirement> for Requirement {
    fn from(json: JsonRequirement) -> Self {
        let number = || json.values.first().and_then(|v| v.parse().ok()).expect("a number");
        let operator = match json.operator.as_str() {
            "In" => Operator::In(json.values.into_iter().map(Into::into).collect()),
            "NotIn" => Operator::NotIn(json.values.into_iter().map(Into::into).collect()),
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt(number()),
            "Lt" => Operator::Lt(number()),
            other => panic!("operator {other}"),
        };
        Self { key: json.key.into(), operator }
    }
}

impl From<JsonSelector> for Selector {
    fn from(json: JsonSelector) -> Self {
        let mut selector = Self::of(&json.match_labels);
        selector.requirements.extend(json.match_expressions.into_iter().map(Requirement::from));
        selector
    }
}

impl From<JsonNodeTerm> for NodeTerm {
    fn from(json: JsonNodeTerm) -> Self {
        Self {
            labels: json.match_expressions.into_iter().map(Requirement::from).collect(),
            fields: json.match_fields.into_iter().map(Requirement::from).collect(),
        }
    }
}

impl From<JsonPodTerm> for PodTerm {
    fn from(json: JsonPodTerm) -> Self {
        Self {
            selector: json.label_selector.map(Selector::from),
            namespaces: json.namespaces,
            namespace_selector: json.namespace_selector.map(Selector::from),
            topology_key: json.topology_key,
        }
    }
}

fn pod_terms(json: JsonPodAffinity) -> (Vec<PodTerm>, Vec<(i32, PodTerm)>) {
    (
        json.required.into_iter().map(PodTerm::from).collect(),
        json.preferred.into_iter().map(|w| (w.weight, w.pod_affinity_term.into())).collect(),
    )
}

impl From<JsonAffinity> for Affinity {
    fn from(json: JsonAffinity) -> Self {
        let (pod_required, pod_preferred) = pod_terms(json.pod_affinity);
        let (anti_required, anti_preferred) = pod_terms(json.pod_anti_affinity);
        let required = json.node_affinity.required;
        Self {
            node_required: required.map(|s| s.node_selector_terms.into_iter().map(NodeTerm::from).collect()),
            node_preferred: json
                .node_affinity
                .preferred
                .into_iter()
                .map(|p| (p.weight, p.preference.into()))
                .collect(),
            pod_required,
            pod_preferred,
            anti_required,
            anti_preferred,
        }
    }
}

impl From<JsonContainer> for Container {
    fn from(json: JsonContainer) -> Self {
        let ports = json.ports.into_iter().filter(|p| p.host_port > 0).map(|p| HostPort {
            ip: p.host_ip.as_deref().unwrap_or("0.0.0.0").into(),
            protocol: p.protocol.as_deref().unwrap_or("TCP").into(),
            port: p.host_port,
        });
        Self {
            name: json.name.into(),
            image: json.image.into(),
            host_ports: ports.collect(),
            ports: Vec::new(),
            resources: json.resources.into(),
            sidecar: json.restart_policy.as_deref() == Some("Always"),
            restarted_by: Vec::new(),
        }
    }
}

impl From<JsonPodSpec> for PodSpec {
    fn from(json: JsonPodSpec) -> Self {
        let toleration = |t: JsonToleration| Toleration {
            key: t.key.filter(|k| !k.is_empty()),
            exists: t.operator.as_deref() == Some("Exists"),
            value: t.value,
            effect: t.effect.filter(|e| !e.is_empty()).map(|e| effect(&e)),
            seconds: t.toleration_seconds,
        };
        let spread = |c: JsonSpread| SpreadConstraint {
            max_skew: c.max_skew,
            topology_key: c.topology_key,
            hard: c.when_unsatisfiable == "DoNotSchedule",
            selector: c.label_selector.map(Selector::from),
            match_label_keys: c.match_label_keys,
            min_domains: c.min_domains,
            honor_affinity: c.node_affinity_policy.as_deref() != Some("Ignore"),
            honor_taints: c.node_taints_policy.as_deref() == Some("Honor"),
        };
        Self {
            containers: json.containers.into_iter().map(Container::from).collect(),
            init_containers: json.init_containers.into_iter().map(Container::from).collect(),
            resources: json.resources.map(Resources::from).map(Box::new),
            overhead: Amounts::default(),
            node_selector: json.node_selector,
            affinity: Affinity::from(json.affinity).into(),
            tolerations: json.tolerations.into_iter().map(toleration).collect(),
            spread: json.topology_spread_constraints.into_iter().map(spread).collect(),
            priority: json.priority,
            never_preempts: json.preemption_policy.as_deref() == Some("Never"),
            ..Self::default()
        }
    }
}

impl From<JsonPod> for Pod {
    fn from(json: JsonPod) -> Self {
        let status = json.status;
        let condition = |kind: &str| status.iter().flat_map(|s| &s.conditions).find(|c| c.kind == kind);
        let phase = match status.as_ref().and_then(|s| s.phase.as_deref()) {
            Some("Running") => Phase::Running,
            Some("Succeeded") => Phase::Succeeded,
            Some("Failed") => Phase::Failed,
            Some("Unknown") => Phase::Unknown,
            _ => Phase::Pending,
        };
        let containers = status.iter().flat_map(|s| &s.container_statuses).map(|c| ContainerStatus {
            name: c.name.as_str().into(),
            restarts: c.restart_count,
            ..ContainerStatus::default()
        });
        let meta = json.metadata;
        let cost = meta.annotations.get("controller.kubernetes.io/pod-deletion-cost");
        Self {
            ready: condition("Ready").is_some_and(|c| c.status == "True"),
            ready_since: condition("Ready").and_then(|c| c.last_transition_time),
            unschedulable: None,
            finalizers: vec![],
            held_up: None,
            resize: None,
            containers: containers.collect(),
            uid: meta.uid.into(),
            owner: meta.owner_references.first().map(|o| Owner {
                kind: o.kind.as_str().into(),
                name: o.name.as_str().into(),
                uid: "".into(),
            }),
            created: meta.creation_timestamp.unwrap_or_default(),
            deleting: meta.deletion_timestamp,
            kept: None,
            deletion_cost: cost.map_or(0, |c| c.parse().expect("a cost")),
            labels: Arc::new(meta.labels.into()),
            node: json.spec.node_name.as_deref().map(Into::into),
            key: Key::new(meta.namespace, meta.name),
            spec: Arc::new(json.spec.into()),
            phase,
        }
    }
}

pub fn taints(json: Vec<JsonTaint>) -> Vec<Taint> {
    json.into_iter().map(|t| Taint { key: t.key, value: t.value, effect: effect(&t.effect) }).collect()
}

impl From<JsonNode> for Node {
    fn from(json: JsonNode) -> Self {
        let pods = json.status.allocatable.get("pods").map_or(0, |p| p.parse().expect("a number"));
        // The recorded nodes have no kubelet and no conditions; nothing in their worlds is NotReady.
        let ready = Condition {
            kind: "Ready".into(),
            status: Some(true),
            reason: "KubeletReady".into(),
            since: None,
        };
        Self {
            name: json.metadata.name.into(),
            uid: json.metadata.uid.into(),
            labels: Arc::new(json.metadata.labels.into()),
            created: json.metadata.creation_timestamp.unwrap_or_default(),
            cordoned: json.spec.unschedulable,
            taints: taints(json.spec.taints),
            allocatable: amounts(json.status.allocatable),
            capacity: None,
            pods,
            conditions: vec![ready],
            images: json.status.images.into_iter().map(|i| (i.names, i.size_bytes)).collect(),
            deleting: None,
            kubelet: "v1.36.2".into(),
            address: None,
        }
    }
}

impl From<JsonService> for Service {
    fn from(json: JsonService) -> Self {
        Self {
            key: Key::new(json.metadata.namespace, json.metadata.name),
            selector: Arc::new(json.spec.selector.into()),
            ports: Vec::new(),
            external: None,
        }
    }
}

impl From<JsonReplicaSet> for ReplicaSet {
    fn from(json: JsonReplicaSet) -> Self {
        Self {
            key: Key::new(json.metadata.namespace, json.metadata.name),
            uid: "".into(),
            deployment: None,
            desired: json.spec.replicas,
            selector: json.spec.selector.into(),
            revision: 1,
            created: Timestamp::UNIX_EPOCH,
            images: Vec::new(),
            scaled: None,
        }
    }
}
