//! The numbers of the fields that are read, as `generated.proto` of Kubernetes 1.36 has them, under their names in JSON. What
//! is not here is passed over.

use super::FieldType::{self, Bool, Inline, Int, IntOrString, Json, List, Map, Of, Quantity, Text, Time};

/// A type of messages.
#[derive(Debug)]
pub(in crate::live) struct Message {
    pub(super) fields: &'static [Field],
}

#[derive(Debug)]
pub(super) struct Field {
    pub number: u64,
    /// In JSON; `_` where the fields of its message stand in the place of it.
    pub name: &'static str,
    pub holds: FieldType,
}

macro_rules! messages {
    ($($message:ident { $($number:literal $name:tt: $holds:expr),* $(,)? })+) => {$(
        pub(in crate::live) static $message: Message = Message {
            fields: &[$(Field { number: $number, name: stringify!($name), holds: $holds }),*],
        };
    )+};
}

messages! {
    // What a list and a refusal are.
    LIST_META { 2 resourceVersion: Text, 3 continue: Text, 4 remainingItemCount: Int }
    STATUS { 3 message: Text, 4 reason: Text, 5 details: Of(&STATUS_DETAILS), 6 code: Int }
    STATUS_DETAILS {
        1 name: Text, 2 group: Text, 3 kind: Text, 4 causes: List(&Of(&STATUS_CAUSE)), 5 retryAfterSeconds: Int, 6 uid: Text,
    }
    STATUS_CAUSE { 1 reason: Text, 2 message: Text, 3 field: Text }

    POD { 1 metadata: Of(&OBJECT_META), 2 spec: Of(&POD_SPEC), 3 status: Of(&POD_STATUS) }
    OBJECT_META {
        1 name: Text, 3 namespace: Text, 5 uid: Text, 6 resourceVersion: Text, 7 generation: Int,
        8 creationTimestamp: Time, 9 deletionTimestamp: Time, 11 labels: Map(&Text), 12 annotations: Map(&Text),
        13 ownerReferences: List(&Of(&OWNER_REFERENCE)), 14 finalizers: List(&Text),
        17 managedFields: List(&Of(&MANAGED_FIELDS_ENTRY)),
    }
    OWNER_REFERENCE { 1 kind: Text, 3 name: Text, 4 uid: Text, 6 controller: Bool }
    POD_SPEC {
        1 volumes: List(&Of(&VOLUME)), 2 containers: List(&Of(&CONTAINER)), 5 activeDeadlineSeconds: Int,
        7 nodeSelector: Map(&Text), 10 nodeName: Text, 18 affinity: Of(&AFFINITY), 19 schedulerName: Text,
        20 initContainers: List(&Of(&CONTAINER)), 22 tolerations: List(&Of(&TOLERATION)), 24 priorityClassName: Text,
        25 priority: Int, 28 readinessGates: List(&Of(&POD_READINESS_GATE)), 31 preemptionPolicy: Text,
        32 overhead: Map(&Quantity), 33 topologySpreadConstraints: List(&Of(&TOPOLOGY_SPREAD_CONSTRAINT)),
        38 schedulingGates: List(&Of(&POD_SCHEDULING_GATE)), 40 resources: Of(&RESOURCE_REQUIREMENTS),
    }
    VOLUME { 1 name: Text, 2 _: Inline(&VOLUME_SOURCE) }
    VOLUME_SOURCE {
        2 emptyDir: Of(&EMPTY_DIR_VOLUME_SOURCE),
        10 persistentVolumeClaim: Of(&PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE),
        19 configMap: Of(&CONFIG_MAP_VOLUME_SOURCE), 26 projected: Of(&PROJECTED_VOLUME_SOURCE),
        29 ephemeral: Of(&PRESENT),
    }
    EMPTY_DIR_VOLUME_SOURCE { 1 medium: Text }
    PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE { 1 claimName: Text }
    CONFIG_MAP_VOLUME_SOURCE { 1 _: Inline(&LOCAL_OBJECT_REFERENCE), 2 items: List(&Of(&KEY_TO_PATH)) }
    LOCAL_OBJECT_REFERENCE { 1 name: Text }
    KEY_TO_PATH { 1 key: Text, 2 path: Text }
    PROJECTED_VOLUME_SOURCE { 1 sources: List(&Of(&VOLUME_PROJECTION)) }
    VOLUME_PROJECTION { 3 configMap: Of(&CONFIG_MAP_PROJECTION) }
    CONFIG_MAP_PROJECTION { 1 _: Inline(&LOCAL_OBJECT_REFERENCE), 2 items: List(&Of(&KEY_TO_PATH)) }
    CONTAINER {
        1 name: Text, 2 image: Text, 6 ports: List(&Of(&CONTAINER_PORT)), 8 resources: Of(&RESOURCE_REQUIREMENTS),
        9 volumeMounts: List(&Of(&VOLUME_MOUNT)), 23 resizePolicy: List(&Of(&CONTAINER_RESIZE_POLICY)),
        24 restartPolicy: Text,
    }
    CONTAINER_PORT { 2 hostPort: Int, 3 containerPort: Int, 4 protocol: Text, 5 hostIP: Text }
    RESOURCE_REQUIREMENTS { 1 limits: Map(&Quantity), 2 requests: Map(&Quantity) }
    CONTAINER_RESIZE_POLICY { 1 resourceName: Text, 2 restartPolicy: Text }
    VOLUME_MOUNT { 1 name: Text, 3 mountPath: Text, 4 subPath: Text }
    AFFINITY {
        1 nodeAffinity: Of(&NODE_AFFINITY), 2 podAffinity: Of(&POD_AFFINITY), 3 podAntiAffinity: Of(&POD_AFFINITY),
    }
    NODE_AFFINITY {
        1 requiredDuringSchedulingIgnoredDuringExecution: Of(&NODE_SELECTOR),
        2 preferredDuringSchedulingIgnoredDuringExecution: List(&Of(&PREFERRED_SCHEDULING_TERM)),
    }
    NODE_SELECTOR { 1 nodeSelectorTerms: List(&Of(&NODE_SELECTOR_TERM)) }
    NODE_SELECTOR_TERM {
        1 matchExpressions: List(&Of(&NODE_SELECTOR_REQUIREMENT)),
        2 matchFields: List(&Of(&NODE_SELECTOR_REQUIREMENT)),
    }
    NODE_SELECTOR_REQUIREMENT { 1 key: Text, 2 operator: Text, 3 values: List(&Text) }
    PREFERRED_SCHEDULING_TERM { 1 weight: Int, 2 preference: Of(&NODE_SELECTOR_TERM) }
    POD_AFFINITY {
        1 requiredDuringSchedulingIgnoredDuringExecution: List(&Of(&POD_AFFINITY_TERM)),
        2 preferredDuringSchedulingIgnoredDuringExecution: List(&Of(&WEIGHTED_POD_AFFINITY_TERM)),
    }
    POD_AFFINITY_TERM {
        1 labelSelector: Of(&LABEL_SELECTOR), 2 namespaces: List(&Text), 3 topologyKey: Text,
        4 namespaceSelector: Of(&LABEL_SELECTOR),
    }
    LABEL_SELECTOR { 1 matchLabels: Map(&Text), 2 matchExpressions: List(&Of(&LABEL_SELECTOR_REQUIREMENT)) }
    LABEL_SELECTOR_REQUIREMENT { 1 key: Text, 2 operator: Text, 3 values: List(&Text) }
    WEIGHTED_POD_AFFINITY_TERM { 1 weight: Int, 2 podAffinityTerm: Of(&POD_AFFINITY_TERM) }
    TOLERATION { 1 key: Text, 2 operator: Text, 3 value: Text, 4 effect: Text, 5 tolerationSeconds: Int }
    POD_READINESS_GATE { 1 conditionType: Text }
    TOPOLOGY_SPREAD_CONSTRAINT {
        1 maxSkew: Int, 2 topologyKey: Text, 3 whenUnsatisfiable: Text, 4 labelSelector: Of(&LABEL_SELECTOR),
        5 minDomains: Int, 6 nodeAffinityPolicy: Text, 7 nodeTaintsPolicy: Text, 8 matchLabelKeys: List(&Text),
    }
    POD_SCHEDULING_GATE { 1 name: Text }
    POD_STATUS {
        1 phase: Text, 2 conditions: List(&Of(&POD_CONDITION)), 3 message: Text, 4 reason: Text,
        8 containerStatuses: List(&Of(&CONTAINER_STATUS)), 10 initContainerStatuses: List(&Of(&CONTAINER_STATUS)),
        14 resize: Text, 19 allocatedResources: Map(&Quantity), 20 resources: Of(&RESOURCE_REQUIREMENTS),
    }
    POD_CONDITION { 1 type: Text, 2 status: Text, 4 lastTransitionTime: Time, 5 reason: Text, 6 message: Text }
    CONTAINER_STATUS {
        1 name: Text, 2 state: Of(&CONTAINER_STATE), 3 lastState: Of(&CONTAINER_STATE), 4 ready: Bool,
        5 restartCount: Int, 10 allocatedResources: Map(&Quantity), 11 resources: Of(&RESOURCE_REQUIREMENTS),
    }
    CONTAINER_STATE {
        1 waiting: Of(&CONTAINER_STATE_WAITING), 2 running: Of(&CONTAINER_STATE_RUNNING),
        3 terminated: Of(&CONTAINER_STATE_TERMINATED),
    }
    CONTAINER_STATE_WAITING { 1 reason: Text, 2 message: Text }
    CONTAINER_STATE_RUNNING { 1 startedAt: Time }
    CONTAINER_STATE_TERMINATED { 1 exitCode: Int, 3 reason: Text, 6 finishedAt: Time }
    DEPLOYMENT { 1 metadata: Of(&OBJECT_META), 2 spec: Of(&DEPLOYMENT_SPEC), 3 status: Of(&DEPLOYMENT_STATUS) }
    MANAGED_FIELDS_ENTRY { 1 manager: Text, 4 time: Time, 7 fieldsV1: Json }
    DEPLOYMENT_SPEC {
        1 replicas: Int, 2 selector: Of(&LABEL_SELECTOR), 3 template: Of(&POD_TEMPLATE_SPEC),
        4 strategy: Of(&DEPLOYMENT_STRATEGY), 5 minReadySeconds: Int, 7 paused: Bool, 9 progressDeadlineSeconds: Int,
    }
    POD_TEMPLATE_SPEC { 1 metadata: Of(&OBJECT_META), 2 spec: Of(&POD_SPEC) }
    DEPLOYMENT_STRATEGY { 1 type: Text, 2 rollingUpdate: Of(&ROLLING_UPDATE_DEPLOYMENT) }
    ROLLING_UPDATE_DEPLOYMENT { 1 maxUnavailable: IntOrString, 2 maxSurge: IntOrString }
    DEPLOYMENT_STATUS {
        1 observedGeneration: Int, 2 replicas: Int, 3 updatedReplicas: Int, 4 availableReplicas: Int,
        6 conditions: List(&Of(&DEPLOYMENT_CONDITION)), 7 readyReplicas: Int,
    }
    DEPLOYMENT_CONDITION { 1 type: Text, 2 status: Text, 4 reason: Text, 5 message: Text, 7 lastTransitionTime: Time }
    REPLICA_SET { 1 metadata: Of(&OBJECT_META), 2 spec: Of(&REPLICA_SET_SPEC) }
    REPLICA_SET_SPEC { 1 replicas: Int, 2 selector: Of(&LABEL_SELECTOR), 3 template: Of(&POD_TEMPLATE_SPEC) }
    // That it is there says all.
    PRESENT {}
}
