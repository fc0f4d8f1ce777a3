//! What stands around a workload: Services, autoscalers, disruption budgets.

use super::{Fault, Interner, Object, count, given, key_of, labels, outside};
use crate::{
    cluster::{Autoscaler, Budget, Key, Service},
    live::slim::{self, IntOrText},
};

pub(super) fn service(slim: slim::Service, interner: &mut Interner) -> Result<Object<Key, Service>, Fault> {
    let key = key_of(&slim.metadata, interner)?;
    let is_external = slim.spec.r#type == "ExternalName";
    let ports = slim.spec.ports.iter().filter_map(|port| outside::service_port(port, interner)).collect();
    let external = given(&slim.spec.external_name, interner).filter(|_| is_external);
    let selector = interner.labels(slim.spec.selector);
    let value = Service { key: key.clone(), selector, ports, external };
    Ok(Object { key, version: slim.metadata.resource_version.into(), value })
}

pub(super) fn autoscaler(
    slim: slim::Autoscaler,
    interner: &mut Interner,
) -> Result<Object<Key, Autoscaler>, Fault> {
    let slim::Autoscaler { metadata: meta, spec } = slim;
    let key = key_of(&meta, interner)?;
    let target = &spec.scale_target_ref;
    let value = Autoscaler {
        key: key.clone(),
        target: (interner.text(&target.kind), interner.text(&target.name)),
        min: count(spec.min_replicas.unwrap_or(1)),
        max: count(spec.max_replicas),
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn budget(slim: slim::Budget, interner: &mut Interner) -> Result<Object<Key, Budget>, Fault> {
    let slim::Budget { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let (rule, min_available) = match (spec.min_available, spec.max_unavailable) {
        (Some(IntOrText::Int(n)), _) => (format!("minAvailable {n}"), Some(count(n))),
        (Some(IntOrText::Text(share)), _) => (format!("minAvailable {share}"), None),
        (Some(IntOrText::Float(n)), _) => (format!("minAvailable {n}"), None),
        (None, Some(IntOrText::Float(n))) => (format!("maxUnavailable {n}"), None),
        (None, Some(IntOrText::Int(n))) => (format!("maxUnavailable {n}"), None),
        (None, Some(IntOrText::Text(share))) => (format!("maxUnavailable {share}"), None),
        // With neither, the disruption controller takes every pod to be needed.
        (None, None) => ("no rule".to_owned(), None),
    };
    let value = Budget {
        key: key.clone(),
        selector: spec.selector.as_ref().map(|s| labels::selector(s, interner)).transpose()?,
        rule: interner.text(&rule),
        min_available,
        allowed: count(status.disruptions_allowed),
        healthy: count(status.current_healthy),
        needed: count(status.desired_healthy),
        lets_unready_go: spec.unhealthy_pod_eviction_policy == "AlwaysAllow",
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}
