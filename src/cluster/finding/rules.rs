//! The table of the rules about the cluster.

use super::{Check, Rule, nodes, outside, pods, tenants};

pub(super) const OF_THE_CLUSTER: &[Rule] = &[
    Rule {
        name: "node-not-ready",
        doc: "The node does not report Ready: what follows from it for the tenants stands below it.",
        check: Check::Node(nodes::node_down),
    },
    Rule {
        name: "tenant-down",
        doc: "No pod of the tenant is ready: its users see errors.",
        check: Check::Tenant(pods::down),
    },
    Rule {
        name: "unreachable",
        doc: "A host name does not lead to the tenant's pods: a Service is missing, selects nobody or has no such port, or a \
              Gateway refuses its route.",
        check: Check::Cluster(outside::unreachable),
    },
    Rule {
        name: "host-not-served",
        doc: "A host name of the tenant is not served where clients come to: the edges present no valid certificate for it, or \
              the ingress nodes do not know it.",
        check: Check::Cluster(outside::not_served),
    },
    Rule {
        name: "host-claimed-twice",
        doc: "Another Ingress names the tenant's host and path: one of the two gets the requests.",
        check: Check::Cluster(outside::claimed_twice),
    },
    Rule {
        name: "certificate",
        doc: "A certificate of the tenant has expired (critical), has less than a ninth of its lifetime or 3 days left \
              (warning), or less than a third, so that its renewal is overdue (notice).",
        check: Check::Cluster(outside::certificate),
    },
    Rule {
        name: "ingress-class-missing",
        doc: "An Ingress of the tenant names an IngressClass that is not there: the API server takes it, and no controller \
              serves it.",
        check: Check::Cluster(outside::class_missing),
    },
    Rule {
        name: "pods-unread",
        doc: "Pods of the tenant could not be read: whether they are ready is not known.",
        check: Check::Tenant(pods::unread),
    },
    Rule {
        name: "workload-deleting",
        doc: "The tenant's workload is being deleted: its pods go or stay behind, and no new ones are made.",
        check: Check::Tenant(pods::departing),
    },
    Rule {
        name: "pods-refused",
        doc: "Pods of the tenant cannot be made: a quota, a LimitRange or an admission webhook refuses them.",
        check: Check::Tenant(pods::refused),
    },
    Rule {
        name: "pods-failing",
        doc: "Pods crash, cannot start, or do not become ready in time.",
        check: Check::Tenant(pods::failing),
    },
    Rule {
        name: "pods-unschedulable",
        doc: "No node takes a pod of the tenant.",
        check: Check::Tenant(pods::unschedulable),
    },
    Rule {
        name: "rollout-stuck",
        doc: "A rollout has passed its progress deadline.",
        check: Check::Tenant(pods::stuck),
    },
    Rule {
        name: "not-ready",
        doc: "Fewer pods are ready than asked for.",
        check: Check::Tenant(pods::short),
    },
    Rule {
        name: "pods-terminating",
        doc: "Pods are being deleted for far longer than they may take: they still hold their memory.",
        check: Check::Tenant(pods::terminating),
    },
    Rule {
        name: "pods-failed",
        doc: "Failed pods of a ReplicaSet were left behind, such as evicted ones: they are history, and crowd every list.",
        check: Check::Tenant(pods::left_behind),
    },
    Rule {
        name: "resize-pending",
        doc: "Resources of running pods are to change, and the change is not in force.",
        check: Check::Tenant(pods::resizing),
    },
    Rule {
        name: "resized",
        doc: "Pods have other limits than their template, as after a resize: the next rollout gives those of the template.",
        check: Check::Tenant(pods::resized),
    },
    Rule {
        name: "quota-full",
        doc: "A quota allows no further pod of the tenant.",
        check: Check::Tenant(pods::quota),
    },
    Rule { name: "parked", doc: "The tenant is scaled to zero.", check: Check::Tenant(tenants::parked) },
    Rule {
        name: "under-floor",
        doc: "Fewer replicas are asked for than the floor.",
        check: Check::Tenant(tenants::under_floor),
    },
    Rule {
        name: "node-empty",
        doc: "The node takes pods and carries hardly any, while tenants are doubled up on others: Kubernetes moves nothing back by itself.",
        check: Check::Cluster(nodes::empty_nodes),
    },
    Rule {
        name: "one-node",
        doc: "All pods sit on one node: its loss takes the tenant down.",
        check: Check::Tenant(tenants::one_node),
    },
    Rule {
        name: "memory-limit",
        doc: "A container uses over 90 % of its memory limit.",
        check: Check::Margin(tenants::memory),
    },
    Rule {
        name: "headroom-low",
        doc: "The tenant can take hardly any more requests at once.",
        check: Check::Margin(tenants::headroom_low),
    },
    Rule {
        name: "headroom-falling",
        doc: "The tenant's use of memory grows steadily: its headroom will soon be used up.",
        check: Check::Margin(tenants::headroom_falling),
    },
    Rule {
        name: "oom-killed",
        doc: "Containers of the tenant ran out of memory within the last hour.",
        check: Check::Tenant(tenants::oom_killed),
    },
    Rule {
        name: "no-limit",
        doc: "The serving container has no memory limit: it may take what its neighbours need.",
        check: Check::Tenant(tenants::no_limit),
    },
    Rule {
        name: "n-1",
        doc: "If this node fails now, tenants lose their last ready pod, or pods find no other node.",
        check: Check::Elsewhere,
    },
    Rule {
        name: "node-overcommitted",
        doc: "The limits on the node exceed its memory by far, and most of it is in use: the kernel may kill.",
        check: Check::Node(nodes::node_overcommitted),
    },
    Rule {
        name: "node-overpacked",
        doc: "Far more memory is in use than is requested: the scheduler still takes the node for free.",
        check: Check::Node(nodes::node_overpacked),
    },
    Rule {
        name: "doubled",
        doc: "Pods share a node while another node has none.",
        check: Check::Tenant(tenants::doubled),
    },
    Rule {
        name: "default-classes",
        doc: "Several IngressClasses are the default: new Ingresses without a class get the newest of them.",
        check: Check::Cluster(outside::default_classes),
    },
    Rule {
        name: "node-pressure",
        doc: "The kubelet reports pressure and may evict pods.",
        check: Check::Node(nodes::node_pressure),
    },
    Rule {
        name: "node-deleting",
        doc: "The node object is being deleted: its pods are deleted once it is gone.",
        check: Check::Node(nodes::node_deleting),
    },
    Rule {
        name: "node-cordoned",
        doc: "The node is cordoned and takes no pods.",
        check: Check::Node(nodes::node_cordoned),
    },
    Rule {
        name: "pod-left-over",
        doc: "A pod that was made for a move, whose run is over or unknown: it serves requests, and nobody owns it.",
        check: Check::Cluster(nodes::left_over),
    },
    Rule {
        name: "journal-unreadable",
        doc: "The journal of a run or campaign is damaged, or of a newer version: it can neither be finished nor taken back.",
        check: Check::Elsewhere,
    },
    Rule {
        name: "others-terminating",
        doc: "Pods of no tenant are being deleted for far longer than they may take.",
        check: Check::Cluster(nodes::terminating),
    },
    Rule {
        name: "source-lost",
        doc: "A source cannot be followed, or objects of it cannot be read: what depends on it may be old or missing.",
        check: Check::Cluster(nodes::sources),
    },
];
