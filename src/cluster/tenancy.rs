//! Which workloads are tenants, and what they are called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Selector, TenantName, Workload};

/// The rule that finds tenants among the workloads.
///
/// A workload is a tenant when its namespace is not excluded and its labels match the selector. Its name is the value
/// of the label; without that label, the namespace when the workload is the only candidate in it; else
/// `namespace/workload`. Two workloads with the same label value are told apart as `value/workload`; where that is not
/// enough (the same in two namespaces), as `namespace/workload`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenancy {
    /// The label whose value names the tenant.
    pub label: String,
    /// Labels a workload must carry to be a tenant at all; empty: any workload.
    pub selector: BTreeMap<String, String>,
    /// Only these namespaces; empty: all.
    pub namespaces: Vec<String>,
    /// Namespaces that hold no tenants, `*` at the end standing for anything.
    pub exclude: Vec<String>,
    /// The container that serves requests: its image tag is shown.
    pub container: String,
    /// Pods a tenant should have at least, each on its own node.
    pub floor: u32,
}

impl Default for Tenancy {
    fn default() -> Self {
        let exclude =
            ["kube-*", "wheelhouse", "ingress-*", "cert-manager", "monitoring", "database", "*-system"];
        Self {
            label: "tenant".into(),
            selector: BTreeMap::new(),
            namespaces: Vec::new(),
            exclude: exclude.map(String::from).to_vec(),
            container: "php-fpm".into(),
            floor: 2,
        }
    }
}

impl Tenancy {
    /// Whether this workload is a tenant.
    pub fn admits(&self, workload: &Workload) -> bool {
        let namespace = &*workload.key.key.namespace;
        (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == namespace))
            && !self.exclude.iter().any(|pattern| glob(pattern, namespace))
            && Selector::of(&self.selector).matches(&workload.labels)
    }

    /// The tenant's name by its label, looked up on the workload and on its pod template.
    pub fn label_of<'a>(&self, workload: &'a Workload) -> Option<&'a str> {
        let labels = workload.labels.get(&*self.label).or_else(|| workload.template_labels.get(&*self.label));
        labels.map(|name| &**name).filter(|name| !name.is_empty())
    }

    /// The names of the tenants among the workloads of one namespace or one label value.
    pub(super) fn name(
        &self,
        workload: &Workload,
        alone_in_namespace: bool,
        alone_with_label: bool,
    ) -> TenantName {
        let key = &workload.key.key;
        match self.label_of(workload) {
            Some(label) if alone_with_label => label.into(),
            Some(label) => format!("{label}/{}", key.name).into(),
            None if alone_in_namespace => key.namespace.as_ref().into(),
            None => key.to_string().into(),
        }
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_the_start_or_the_end() {
        for (pattern, text, yes) in [
            ("kube-*", "kube-system", true),
            ("*-system", "olm-system", true),
            ("a", "ab", false),
            ("kube-*", "ku", false),
        ] {
            assert_eq!(glob(pattern, text), yes, "{pattern} {text}");
        }
    }
}
