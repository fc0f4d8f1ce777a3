//! What kinds and their common fields are, in a sentence each.

use crate::api::types::Message;

/// What a field is that every kind has.
pub(super) fn told(message: &Message, field: &str) -> Option<&'static str> {
    let is_kind = message.fields.iter().any(|field| field.name == "kind" && field.number == 0);
    Some(match field {
        "apiVersion" if is_kind => "The group and version of this object's type.",
        "kind" if is_kind => "The name of this object's type.",
        "metadata" => "The object's name, namespace, labels, annotations and owners.",
        "spec" => "What is wished.",
        "status" => "What is observed; written by controllers.",
        _ => return None,
    })
}

/// A sentence for each kind.
pub(super) const KINDS_TOLD: &[(&str, &str)] = &[
    ("ConfigMap", "Configuration that pods read: keys with text or bytes."),
    ("Event", "Something that happened to an object, kept for an hour."),
    ("LimitRange", "Limits and defaults for the resources of each pod and container of a namespace."),
    ("Namespace", "A scope for names."),
    ("Node", "A machine that runs pods."),
    ("PersistentVolumeClaim", "A wish for storage that outlives pods."),
    ("Pod", "A group of containers that run together on one node."),
    ("ResourceQuota", "Limits for the sum of what a namespace uses."),
    ("Secret", "Data of a confidential kind."),
    ("ServiceAccount", "An identity for the processes in pods."),
    ("Service", "A name and an address for pods that a selector chooses."),
    ("DaemonSet", "One pod on each node."),
    ("Deployment", "Pods of a template, of which new ones replace old ones step by step."),
    ("ReplicaSet", "So many pods of one template."),
    ("ControllerRevision", "A template as it was, for going back to it."),
    ("StatefulSet", "Pods of a template with names and storage that stay."),
    ("HorizontalPodAutoscaler", "Keeps the number of pods where a measurement says, within bounds."),
    ("CronJob", "Jobs at set times."),
    ("Job", "Pods that run to completion."),
    ("Ingress", "HTTP from outside, led to Services by host and path."),
    ("IngressClass", "Which controller carries out the Ingresses that name it."),
    ("PodDisruptionBudget", "How many pods an eviction may take."),
    ("ClusterRoleBinding", "Gives a ClusterRole to users in the whole cluster."),
    ("ClusterRole", "Rights in the whole cluster."),
    ("RoleBinding", "Gives a role to users in a namespace."),
    ("Role", "Rights in a namespace."),
    ("PriorityClass", "A priority that pods can have."),
    ("Lease", "Who holds something, and until when."),
    ("EndpointSlice", "Addresses behind a Service."),
    ("Certificate", "A certificate that is kept in a Secret, and renewed in time."),
];
