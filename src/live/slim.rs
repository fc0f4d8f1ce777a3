//! Kubernetes objects as the wire carries them, reduced to the fields we use: the foreign types of this room.
//!
//! Read by `convert` and by nobody else; nothing here leaves it. Every field may be absent or `null`: what an absence
//! means is decided in `convert`. `managedFields`, two fifths of a pod's text, are skipped except where they answer a
//! question (who else writes a workload's `spec.replicas`, and when they were last written).

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, Visitor},
};

/// `null` is the same as an absence.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Structs with every field optional, named as in the API.
macro_rules! slim {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {$(
            $(#[$meta])*
            #[serde(default, deserialize_with = "or_default")]
            pub $field: $type,
        )*}
    )+};
}

/// A number or a text, where the API allows both.
#[derive(Debug)]
pub(super) enum IntOrText {
    Int(i64),
    Float(f64),
    Text(String),
}

/// By hand: an untagged enum tries one variant after the other, with an error written out for each that fails, and there
/// are a dozen quantities in a pod.
impl<'de> Deserialize<'de> for IntOrText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = IntOrText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<IntOrText, E> {
                Ok(IntOrText::Int(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrText, E> {
                Ok(i64::try_from(number).map_or(IntOrText::Float(number as f64), IntOrText::Int))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<IntOrText, E> {
                Ok(IntOrText::Float(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<IntOrText, E> {
                Ok(IntOrText::Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<IntOrText, E> {
                Ok(IntOrText::Text(text))
            }
        }
        from.deserialize_any(Either)
    }
}

pub(super) type Quantities = BTreeMap<String, IntOrText>;
pub(super) type Map = BTreeMap<String, String>;

slim! {
    Meta {
        name: String,
        namespace: String,
        uid: String,
        resource_version: String,
        generation: i64,
        creation_timestamp: Option<Timestamp>,
        deletion_timestamp: Option<Timestamp>,
        labels: Map,
        annotations: Annotations,
        owner_references: Vec<OwnerReference>,
        finalizers: Vec<String>,
    }
    // The few annotations that are read; the others are skipped while parsing.
    Annotations {
        #[serde(rename = "controller.kubernetes.io/pod-deletion-cost")]
        deletion_cost: Option<String>,
        #[serde(rename = "deployment.kubernetes.io/revision")]
        revision: Option<String>,
        #[serde(rename = "argocd.argoproj.io/tracking-id")]
        argo_tracking: Option<String>,
        #[serde(rename = "meta.helm.sh/release-name")]
        helm_release: Option<String>,
        #[serde(rename = "kubernetes.io/ingress.class")]
        ingress_class: Option<String>,
        #[serde(rename = "nginx.ingress.kubernetes.io/canary")]
        canary: Option<String>,
        #[serde(rename = "ingressclass.kubernetes.io/is-default-class")]
        default_class: Option<String>,
        #[serde(rename = "wheelhouse.dev/run")]
        run: Option<String>,
        #[serde(rename = "wheelhouse.dev/request-memory")]
        request_memory: Option<String>,
        #[serde(rename = "wheelhouse.dev/max-children")]
        max_children: Option<String>,
        #[serde(rename = "wheelhouse.dev/migrate")]
        migrate: Option<String>,
        #[serde(rename = "wheelhouse.dev/move")]
        movable: Option<String>,
        #[serde(rename = "descheduler.alpha.kubernetes.io/prefer-no-eviction")]
        prefer_no_eviction: Option<String>,
        #[serde(rename = "cluster-autoscaler.kubernetes.io/safe-to-evict")]
        safe_to_evict: Option<String>,
    }
    OwnerReference { kind: String, name: String, uid: String, controller: bool }

    // What is left of an object that could not be read, and all that is read of the metadata of a measurement.
    Stub { metadata: StubMeta }
    StubMeta { name: String, namespace: String, resource_version: String }

    Pod { metadata: Meta, spec: PodSpec, status: PodStatus }
    PodSpec {
        node_name: String,
        containers: Vec<Container>,
        init_containers: Vec<Container>,
        resources: Option<Resources>,
        overhead: Quantities,
        node_selector: Map,
        affinity: Affinity,
        tolerations: Vec<Toleration>,
        topology_spread_constraints: Vec<SpreadConstraint>,
        priority: i32,
        preemption_policy: String,
        priority_class_name: String,
        active_deadline_seconds: Option<i64>,
        scheduler_name: String,
        scheduling_gates: Vec<Named>,
        readiness_gates: Vec<ReadinessGate>,
        volumes: Vec<Volume>,
    }
    Named { name: String }
    ReadinessGate { condition_type: String }
    Container {
        name: String,
        image: String,
        resources: Resources,
        ports: Vec<Port>,
        restart_policy: String,
        volume_mounts: Vec<Mount>,
        resize_policy: Vec<ResizePolicy>,
    }
    ResizePolicy { resource_name: String, restart_policy: String }
    Mount { name: String, mount_path: String, sub_path: String }
    Resources { requests: Quantities, limits: Quantities }
    Port {
        #[serde(rename = "hostIP")]
        host_ip: String,
        host_port: u16,
        container_port: u16,
        protocol: String,
    }
    Affinity { node_affinity: NodeAffinity, pod_affinity: PodAffinity, pod_anti_affinity: PodAffinity }
    NodeAffinity {
        required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
        preferred_during_scheduling_ignored_during_execution: Vec<PreferredNode>,
    }
    NodeSelector { node_selector_terms: Vec<NodeTerm> }
    PreferredNode { weight: i32, preference: NodeTerm }
    NodeTerm { match_expressions: Vec<Expression>, match_fields: Vec<Expression> }
    Expression { key: String, operator: String, values: Vec<String> }
    PodAffinity {
        required_during_scheduling_ignored_during_execution: Vec<PodTerm>,
        preferred_during_scheduling_ignored_during_execution: Vec<PreferredPods>,
    }
    PreferredPods { weight: i32, pod_affinity_term: PodTerm }
    PodTerm {
        label_selector: Option<LabelSelector>,
        namespaces: Vec<String>,
        namespace_selector: Option<LabelSelector>,
        topology_key: String,
    }
    LabelSelector { match_labels: Map, match_expressions: Vec<Expression> }
    Toleration {
        key: String,
        operator: String,
        value: String,
        effect: String,
        toleration_seconds: Option<i64>,
    }
    SpreadConstraint {
        max_skew: u32,
        topology_key: String,
        when_unsatisfiable: String,
        label_selector: Option<LabelSelector>,
        match_label_keys: Vec<String>,
        min_domains: Option<u32>,
        node_affinity_policy: String,
        node_taints_policy: String,
    }
    PodStatus {
        phase: String,
        conditions: Vec<Condition>,
        container_statuses: Vec<ContainerStatus>,
        init_container_statuses: Vec<ContainerStatus>,
        reason: String,
        message: String,
        resize: String,
        resources: Option<Resources>,
        allocated_resources: Quantities,
    }
    Condition {
        r#type: String,
        status: String,
        reason: String,
        message: String,
        last_transition_time: Option<Timestamp>,
    }
    ContainerStatus {
        name: String,
        ready: bool,
        restart_count: i64,
        state: ContainerState,
        last_state: ContainerState,
        resources: Option<Resources>,
        allocated_resources: Quantities,
    }
    ContainerState { waiting: Option<Waiting>, running: Option<Running>, terminated: Option<Terminated> }
    Waiting { reason: String, message: String }
    Running { started_at: Option<Timestamp> }
    Terminated { reason: String, exit_code: i32, finished_at: Option<Timestamp> }

    Workload { metadata: OwnedMeta, spec: WorkloadSpec, status: WorkloadStatus }
    // The metadata of an object that somebody else may own.
    OwnedMeta {
        name: String,
        namespace: String,
        uid: String,
        resource_version: String,
        generation: i64,
        creation_timestamp: Option<Timestamp>,
        deletion_timestamp: Option<Timestamp>,
        finalizers: Vec<String>,
        labels: Map,
        annotations: Annotations,
        owner_references: Vec<OwnerReference>,
        managed_fields: Vec<ManagedFields>,
    }
    ManagedFields {
        manager: String,
        time: Option<Timestamp>,
        #[serde(rename = "fieldsV1")]
        fields: Fields,
    }
    Fields {
        #[serde(rename = "f:spec")]
        spec: SpecFields,
    }
    SpecFields {
        #[serde(rename = "f:replicas")]
        replicas: Option<Present>,
    }
    WorkloadSpec {
        replicas: Option<i64>,
        selector: LabelSelector,
        template: Template,
        paused: bool,
        min_ready_seconds: i64,
        progress_deadline_seconds: Option<i64>,
        volume_claim_templates: Vec<ClaimTemplate>,
        persistent_volume_claim_retention_policy: RetentionPolicy,
        ordinals: Ordinals,
        strategy: Rollout,
    }
    Rollout { r#type: String, rolling_update: RollingUpdate }
    RollingUpdate { max_unavailable: Option<IntOrText>, max_surge: Option<IntOrText> }
    Ordinals { start: i64 }
    ClaimTemplate { metadata: Named }
    RetentionPolicy { when_scaled: String }
    Template { metadata: TemplateMeta, spec: PodSpec }
    Volume {
        name: String,
        config_map: Option<VolumeSource>,
        projected: Projected,
        empty_dir: Option<EmptyDir>,
        persistent_volume_claim: Option<ClaimSource>,
        ephemeral: Option<Present>,
    }
    EmptyDir { medium: String }
    ClaimSource { claim_name: String }
    VolumeSource { name: String, items: Option<Vec<Item>> }
    Item { key: String, path: String }
    Projected { sources: Vec<ProjectedSource> }
    ProjectedSource { config_map: Option<VolumeSource> }
    TemplateMeta { labels: Map, annotations: TemplateNotes }
    TemplateNotes {
        #[serde(rename = "kubectl.kubernetes.io/restartedAt")]
        restarted: Option<String>,
    }
    WorkloadStatus {
        observed_generation: i64,
        replicas: i64,
        updated_replicas: i64,
        ready_replicas: i64,
        available_replicas: i64,
        current_revision: String,
        update_revision: String,
        conditions: Vec<Condition>,
    }

    ReplicaSet { metadata: OwnedMeta, spec: ReplicaSetSpec }
    ReplicaSetSpec { replicas: Option<i64>, selector: LabelSelector, template: ImagesTemplate }
    ImagesTemplate { spec: ImagesSpec }
    ImagesSpec { containers: Vec<Image> }
    Image { name: String, image: String }

    Node { metadata: Meta, spec: NodeSpec, status: NodeStatus }
    NodeSpec { unschedulable: bool, taints: Vec<Taint> }
    Taint { key: String, value: String, effect: String }
    NodeStatus {
        allocatable: Quantities,
        capacity: Capacity,
        conditions: Vec<Condition>,
        images: Vec<NodeImage>,
        node_info: NodeInfo,
        addresses: Vec<NodeAddress>,
    }
    NodeAddress { r#type: String, address: String }
    Capacity { memory: Option<IntOrText> }
    NodeImage { names: Vec<String>, size_bytes: u64 }
    NodeInfo { kubelet_version: String }

    Service { metadata: Meta, spec: ServiceSpec }
    ServiceSpec { selector: Map, ports: Vec<ServicePort>, r#type: String, external_name: String }
    ServicePort { name: String, port: i64, target_port: Option<IntOrText> }

    Ingress { metadata: Meta, spec: IngressSpec }
    IngressSpec {
        ingress_class_name: String,
        default_backend: Option<IngressBackend>,
        rules: Vec<IngressRule>,
        tls: Vec<IngressTls>,
    }
    IngressRule { host: String, http: IngressPaths }
    IngressPaths { paths: Vec<IngressPath> }
    IngressPath { path: String, path_type: String, backend: IngressBackend }
    IngressBackend { service: Option<IngressService> }
    IngressService { name: String, port: IngressPort }
    IngressPort { name: String, number: i64 }
    IngressTls { hosts: Vec<String>, secret_name: String }

    IngressClass { metadata: Meta, spec: IngressClassSpec }
    IngressClassSpec { controller: String }

    EndpointSlice { metadata: Meta, endpoints: Vec<SliceEndpoint>, ports: Vec<SlicePort> }
    SliceEndpoint { conditions: EndpointConditions, addresses: Vec<String>, target_ref: Option<ObjectReference> }
    EndpointConditions { ready: Option<bool> }
    SlicePort { name: String, port: Option<i64> }

    StatusCondition {
        r#type: String,
        status: String,
        reason: String,
        message: String,
        observed_generation: Option<i64>,
    }

    HttpRoute { metadata: Meta, spec: HttpRouteSpec, status: HttpRouteStatus }
    HttpRouteSpec { hostnames: Vec<String>, parent_refs: Vec<ParentReference>, rules: Vec<HttpRouteRule> }
    HttpRouteRule { backend_refs: Vec<BackendReference> }
    BackendReference {
        group: String,
        kind: String,
        namespace: String,
        name: String,
        port: i64,
        weight: Option<i64>,
    }
    ParentReference { group: String, kind: String, namespace: String, name: String, section_name: String }
    HttpRouteStatus { parents: Vec<RouteParentStatus> }
    RouteParentStatus { parent_ref: ParentReference, conditions: Vec<StatusCondition> }

    Gateway { metadata: Meta, spec: GatewaySpec, status: GatewayStatus }
    GatewaySpec { listeners: Vec<Listener> }
    Listener { name: String, hostname: String }
    GatewayStatus { conditions: Vec<StatusCondition>, listeners: Vec<ListenerStatus> }
    ListenerStatus { name: String, conditions: Vec<StatusCondition> }

    Certificate { metadata: Meta, spec: CertificateSpec, status: CertificateStatus }
    CertificateSpec { secret_name: String, dns_names: Vec<String> }
    CertificateStatus {
        conditions: Vec<StatusCondition>,
        not_before: Option<Timestamp>,
        not_after: Option<Timestamp>,
        last_failure_time: Option<Timestamp>,
    }

    Autoscaler { metadata: Meta, spec: AutoscalerSpec }
    AutoscalerSpec { scale_target_ref: ObjectReference, min_replicas: Option<i64>, max_replicas: i64 }
    ObjectReference { kind: String, namespace: String, name: String }

    Budget { metadata: Meta, spec: BudgetSpec, status: BudgetStatus }
    BudgetSpec {
        selector: Option<LabelSelector>,
        min_available: Option<IntOrText>,
        max_unavailable: Option<IntOrText>,
        unhealthy_pod_eviction_policy: String,
    }
    BudgetStatus { disruptions_allowed: i64, current_healthy: i64, desired_healthy: i64 }

    Quota { metadata: Meta, spec: QuotaSpec, status: QuotaStatus }
    QuotaSpec { hard: Quantities, scopes: Vec<String>, scope_selector: ScopeSelector }
    ScopeSelector { match_expressions: Vec<ScopeExpression> }
    ScopeExpression { scope_name: String, operator: String, values: Vec<String> }
    QuotaStatus { hard: Quantities, used: Quantities }

    LimitRange { metadata: Meta, spec: LimitRangeSpec }
    LimitRangeSpec { limits: Vec<LimitRangeItem> }
    LimitRangeItem {
        r#type: String,
        min: Quantities,
        max: Quantities,
        default: Quantities,
        default_request: Quantities,
        max_limit_request_ratio: Quantities,
    }

    Claim { metadata: Meta, spec: ClaimSpec, status: ClaimStatus }
    ClaimSpec { storage_class_name: String, access_modes: Vec<String>, resources: Resources }
    ClaimStatus { phase: String, capacity: Quantities }

    Namespace { metadata: Meta }

    Lease { metadata: Meta, spec: LeaseSpec }
    LeaseSpec {
        holder_identity: String,
        lease_duration_seconds: i64,
        acquire_time: Option<Timestamp>,
        renew_time: Option<Timestamp>,
        lease_transitions: i64,
    }

    Job { metadata: Meta, spec: JobSpec, status: JobStatus }
    JobSpec { suspend: bool }
    JobStatus {
        start_time: Option<Timestamp>,
        active: i64,
        terminating: i64,
        conditions: Vec<Condition>,
    }

    ConfigMap { metadata: Meta, data: JournalTexts }
    PoolFiles { metadata: Meta, data: Map }
    SightFile { metadata: Meta, binary_data: SightData }
    SightData { seen: String }
    JournalTexts { plan: String, campaign: String, events: String, asked: String }

    Event {
        metadata: Meta,
        involved_object: ObjectReference,
        r#type: String,
        reason: String,
        message: String,
        count: i64,
        first_timestamp: Option<Timestamp>,
        last_timestamp: Option<Timestamp>,
        event_time: Option<Timestamp>,
        series: Option<Series>,
    }
    Series { count: i64, last_observed_time: Option<Timestamp> }

    PodMetrics { metadata: StubMeta, timestamp: Option<Timestamp>, containers: Vec<ContainerMetrics> }
    ContainerMetrics { name: String, usage: Used }
    NodeMetrics { metadata: StubMeta, timestamp: Option<Timestamp>, usage: Used }
    Used { cpu: Option<IntOrText>, memory: Option<IntOrText> }
}

/// Something stands there; what it is does not matter.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Present(#[allow(dead_code, reason = "only its presence is asked for")] IgnoredAny);
