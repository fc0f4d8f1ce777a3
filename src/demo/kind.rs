//! The kinds of objects the embedded cluster stores and serves: one table.
//!
//! The store indexes by it, the API derives paths and discovery from it. Pure data, after the discovery
//! documents of a real kube-apiserver 1.36.

use std::fmt;

/// One kind of object as discovery describes it. Compared by identity: there is one of each.
pub struct Kind {
    /// Its place in [`KINDS`].
    pub index: usize,
    /// API group, "" for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// `kind` of one object.
    pub kind: &'static str,
    /// `kind` of a list.
    pub list_kind: &'static str,
    /// Name in paths.
    pub plural: &'static str,
    /// Name of one in discovery.
    pub singular: &'static str,
    /// kubectl's abbreviations.
    pub short_names: &'static [&'static str],
    /// Groupings such as `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether `metadata.generation` is counted.
    pub generation: bool,
    /// Subresources served beside the object itself.
    pub subresources: &'static [&'static str],
    /// `storageVersionHash` of discovery; "" when it was never recorded.
    pub hash: &'static str,
}

impl Kind {
    /// `apiVersion` of its objects: `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The resource as error messages name it: `pods`, `deployments.apps`.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.into() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind whose objects this one shows. Events of both groups are the same objects.
    pub fn stored(&self) -> &'static Kind {
        if self == Kind::EVENT_V1 { Kind::EVENT } else { &KINDS[self.index] }
    }

    /// Whether it is of an extension, that not every cluster has.
    pub fn is_extension(&self) -> bool {
        self.group == Kind::CERTIFICATE.group
    }

    /// What can be done with its objects, in the order of discovery.
    pub fn verbs(&self) -> &'static [&'static str] {
        if self.index == Kind::NAMESPACE.index {
            &["create", "delete", "get", "list", "patch", "update", "watch"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }

    /// Whether the subresource is served.
    pub fn has(&self, subresource: &str) -> bool {
        self.subresources.contains(&subresource)
    }

    /// The kind named by a path.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.plural == plural && k.group == group && k.version == version)
    }

    /// The kind of an object with this `apiVersion` and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Option<&'static Kind> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        KINDS.iter().find(|k| k.kind == kind && k.group == group && k.version == version)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.index == other.index
    }
}

impl Eq for Kind {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource())
    }
}

macro_rules! kinds {
    ($($name:ident, $group:literal, $version:literal, $kind:literal, $plural:literal, $singular:literal,
       $short:expr, $categories:expr, $namespaced:expr, $generation:expr, $subresources:expr, $hash:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($name),* }

        /// All kinds, in the order of their groups in discovery.
        pub static KINDS: &[Kind] = &[$(Kind {
            index: Index::$name as usize,
            group: $group,
            version: $version,
            kind: $kind,
            list_kind: concat!($kind, "List"),
            plural: $plural,
            singular: $singular,
            short_names: $short,
            categories: $categories,
            namespaced: $namespaced,
            generation: $generation,
            subresources: $subresources,
            hash: $hash,
        }),*];

        impl Kind {
            $(#[doc = concat!("`", $plural, "`, group \"", $group, "\".")]
            pub const $name: &'static Kind = &KINDS[Index::$name as usize];)*
        }
    };
}

const ALL: &[&str] = &["all"];
const NO: &[&str] = &[];
const STATUS: &[&str] = &["status"];
const SCALE: &[&str] = &["scale", "status"];

kinds! {
    CONFIG_MAP, "", "v1", "ConfigMap", "configmaps", "configmap", &["cm"], NO, true, false, NO, "qFsyl6wFWjQ=";
    EVENT, "", "v1", "Event", "events", "event", &["ev"], NO, true, false, NO, "r2yiGXH7wu8=";
    LIMIT_RANGE, "", "v1", "LimitRange", "limitranges", "limitrange", &["limits"], NO, true, false, NO, "EBKMFVe6cwo=";
    NAMESPACE, "", "v1", "Namespace", "namespaces", "namespace", &["ns"], NO, false, false, &["finalize", "status"], "Q3oi5N2YM8M=";
    NODE, "", "v1", "Node", "nodes", "node", &["no"], NO, false, false, STATUS, "XwShjMxG9Fs=";
    CLAIM, "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"], NO, true, false, STATUS, "QWTyNDq0dC4=";
    POD, "", "v1", "Pod", "pods", "pod", &["po"], ALL, true, true, &["attach", "eviction", "exec", "log", "portforward", "resize", "status"], "xPOwRZ+Yhw8=";
    RESOURCE_QUOTA, "", "v1", "ResourceQuota", "resourcequotas", "resourcequota", &["quota"], NO, true, false, STATUS, "8uhSgffRX6w=";
    SECRET, "", "v1", "Secret", "secrets", "secret", NO, NO, true, false, NO, "S6u1pOWzb84=";
    SERVICE_ACCOUNT, "", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", &["sa"], NO, true, false, NO, "pbx9ZvyFpBE=";
    SERVICE, "", "v1", "Service", "services", "service", &["svc"], ALL, true, false, STATUS, "0/CO1lhkEBI=";
    DAEMON_SET, "apps", "v1", "DaemonSet", "daemonsets", "daemonset", &["ds"], ALL, true, true, STATUS, "dd7pWHUlMKQ=";
    DEPLOYMENT, "apps", "v1", "Deployment", "deployments", "deployment", &["deploy"], ALL, true, true, SCALE, "8aSe+NMegvE=";
    REPLICA_SET, "apps", "v1", "ReplicaSet", "replicasets", "replicaset", &["rs"], ALL, true, true, SCALE, "P1RzHs8/mWQ=";
    CONTROLLER_REVISION, "apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision", NO, NO, true, false, NO, "85nkx63pcBU=";
    STATEFUL_SET, "apps", "v1", "StatefulSet", "statefulsets", "statefulset", &["sts"], ALL, true, true, SCALE, "H+vl74LkKdo=";
    EVENT_V1, "events.k8s.io", "v1", "Event", "events", "event", &["ev"], NO, true, false, NO, "r2yiGXH7wu8=";
    AUTOSCALER, "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler", &["hpa"], ALL, true, false, STATUS, "";
    CRON_JOB, "batch", "v1", "CronJob", "cronjobs", "cronjob", &["cj"], ALL, true, true, STATUS, "";
    JOB, "batch", "v1", "Job", "jobs", "job", NO, ALL, true, true, STATUS, "";
    INGRESS, "networking.k8s.io", "v1", "Ingress", "ingresses", "ingress", &["ing"], NO, true, true, STATUS, "";
    INGRESS_CLASS, "networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass", NO, NO, false, true, NO, "";
    DISRUPTION_BUDGET, "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", &["pdb"], NO, true, true, STATUS, "";
    CLUSTER_ROLE_BINDING, "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", NO, NO, false, false, NO, "";
    CLUSTER_ROLE, "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "clusterrole", NO, NO, false, false, NO, "";
    ROLE_BINDING, "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "rolebinding", NO, NO, true, false, NO, "";
    ROLE, "rbac.authorization.k8s.io", "v1", "Role", "roles", "role", NO, NO, true, false, NO, "";
    PRIORITY_CLASS, "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass", &["pc"], NO, false, true, NO, "";
    LEASE, "coordination.k8s.io", "v1", "Lease", "leases", "lease", NO, NO, true, false, NO, "";
    ENDPOINT_SLICE, "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice", NO, NO, true, true, NO, "";
    CERTIFICATE, "cert-manager.io", "v1", "Certificate", "certificates", "certificate", &["cert", "certs"], &["cert-manager"], true, true, STATUS, "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_path_and_by_its_type() {
        for kind in KINDS {
            assert_eq!(Kind::find(kind.group, kind.version, kind.plural), Some(kind));
            assert_eq!(Kind::of(&kind.api_version(), kind.kind), Some(kind));
        }
        assert_eq!(Kind::DEPLOYMENT.resource(), "deployments.apps");
        assert_eq!(Kind::find("", "v1", "things"), None);
    }
}
