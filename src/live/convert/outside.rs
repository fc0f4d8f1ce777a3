//! What leads requests from outside to pods.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Fault, Interner, Object, count, created, given, key_of, named};
use crate::{
    cluster::{
        Certificate, ConditionState, EndpointSlice, Gateway, HttpRoute, Ingress, IngressClass, IngressPath,
        IngressTls, Key, PortName, RouteParent, ServicePoint, ServicePort,
    },
    live::slim::{self, IntOrText},
};

/// A port number; what is none is not told.
fn port(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| *number > 0)
}

pub(super) fn service_port(port: &slim::ServicePort, interner: &mut Interner) -> Option<ServicePort> {
    let target = match &port.target_port {
        Some(IntOrText::Int(number)) if *number > 0 => number.to_string(),
        Some(IntOrText::Text(name)) if !name.is_empty() => name.clone(),
        _ => port.port.to_string(),
    };
    let number = self::port(port.port)?;
    Some(ServicePort { name: interner.text(&port.name), port: number, target: interner.text(&target) })
}

fn backend(of: &slim::IngressBackend, interner: &mut Interner) -> Option<ServicePoint> {
    let service = of.service.as_ref().filter(|service| !service.name.is_empty())?;
    let by_name = given(&service.port.name, interner).map(PortName::Name);
    let port = by_name.or_else(|| port(service.port.number).map(PortName::Number));
    Some(ServicePoint { namespace: None, service: interner.text(&service.name), port })
}

pub(super) fn ingress(slim: slim::Ingress, interner: &mut Interner) -> Result<Object<Key, Ingress>, Fault> {
    let slim::Ingress { metadata: meta, spec } = slim;
    let key = key_of(&meta, interner)?;
    let rules = spec.rules.iter().map(|rule| rule.http.paths.len()).sum::<usize>();
    let mut paths = Vec::with_capacity(rules + usize::from(spec.default_backend.is_some()));
    for rule in &spec.rules {
        // Hosts are told apart without regard to case; the API server takes lower case alone.
        let host = interner.text(&rule.host.to_ascii_lowercase());
        for path in &rule.http.paths {
            let exact = path.path_type == "Exact";
            let text = if path.path.is_empty() { "/" } else { path.path.as_str() };
            let (text, backend) = (interner.text(text), backend(&path.backend, interner));
            paths.push(IngressPath { host: host.clone(), path: text, exact, backend });
        }
    }
    if let Some(of) = &spec.default_backend {
        let nothing = interner.text("");
        let backend = backend(of, interner);
        paths.push(IngressPath { host: nothing.clone(), path: nothing, exact: false, backend });
    }
    let tls = |tls: slim::IngressTls, interner: &mut Interner| {
        let hosts = tls.hosts.iter().map(|host| interner.text(&host.to_ascii_lowercase())).collect();
        IngressTls { hosts, secret: given(&tls.secret_name, interner) }
    };
    let value = Ingress {
        key: key.clone(),
        created: created(meta.creation_timestamp)?,
        class: given(&spec.ingress_class_name, interner),
        annotated: meta.annotations.ingress_class.as_deref().and_then(|class| given(class, interner)),
        canary: meta.annotations.canary.as_deref() == Some("true"),
        paths,
        tls: spec.tls.into_iter().map(|entry| tls(entry, interner)).collect(),
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn ingress_class(
    slim: slim::IngressClass,
    interner: &mut Interner,
) -> Result<Object<Arc<str>, IngressClass>, Fault> {
    let slim::IngressClass { metadata: meta, spec } = slim;
    let key: Arc<str> = named(&meta.name)?.into();
    let value = IngressClass {
        controller: interner.text(&spec.controller),
        is_default: meta.annotations.default_class.as_deref() == Some("true"),
        created: created(meta.creation_timestamp)?,
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn endpoint_slice(
    slim: slim::EndpointSlice,
    interner: &mut Interner,
) -> Result<Object<Key, EndpointSlice>, Fault> {
    let key = key_of(&slim.metadata, interner)?;
    // A condition that is not told is one that holds; addresses are what counts, and there is at least one.
    let ready = slim.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false)).count();
    let pod =
        |endpoint: &slim::SliceEndpoint| endpoint.target_ref.as_ref().is_some_and(|to| to.kind == "Pod");
    let elsewhere = slim.endpoints.iter().filter(|e| e.conditions.ready != Some(false) && !pod(e));
    let value = EndpointSlice {
        elsewhere: elsewhere.flat_map(|e| &e.addresses).map(|address| interner.text(address)).collect(),
        key: key.clone(),
        service: slim.metadata.labels.get("kubernetes.io/service-name").map(|name| interner.text(name)),
        total: count(slim.endpoints.len() as i64),
        ready: count(ready as i64),
        // A port without a number stands for none.
        ports: slim.ports.iter().filter(|port| port.port.is_some()).map(|p| interner.text(&p.name)).collect(),
    };
    Ok(Object { key, version: slim.metadata.resource_version.into(), value })
}

/// What the conditions say of one type, for the present version of the object.
fn verdict(conditions: &[slim::StatusCondition], of: &str, generation: i64) -> ConditionState {
    let Some(condition) = conditions.iter().find(|condition| condition.r#type == of) else {
        return ConditionState::Unknown;
    };
    match condition.status.as_str() {
        _ if condition.observed_generation.is_some_and(|seen| seen < generation) => ConditionState::Unknown,
        "True" => ConditionState::Holds,
        "False" => {
            let parts = [condition.reason.as_str(), condition.message.trim()];
            let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            ConditionState::Fails(if said.is_empty() {
                "no reason is told".into()
            } else {
                said.join(": ").into()
            })
        }
        _ => ConditionState::Unknown,
    }
}

fn is_gateway(reference: &slim::ParentReference) -> bool {
    let of = |text: &str, what: &str| text.is_empty() || text == what;
    of(&reference.kind, "Gateway") && of(&reference.group, "gateway.networking.k8s.io")
}

pub(super) fn http_route(
    slim: slim::HttpRoute,
    interner: &mut Interner,
) -> Result<Object<Key, HttpRoute>, Fault> {
    let slim::HttpRoute { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let mut backends = Vec::new();
    for backend in spec.rules.iter().flat_map(|rule| &rule.backend_refs) {
        let is_service = backend.kind.is_empty() || backend.kind == "Service";
        // A weight of zero sends nothing there.
        if !is_service || !backend.group.is_empty() || backend.weight == Some(0) {
            continue;
        }
        let namespace = given(&backend.namespace, interner).filter(|other| *other != key.namespace);
        let port = port(backend.port).map(PortName::Number);
        let point = ServicePoint { namespace, service: interner.text(&backend.name), port };
        if !backends.contains(&point) {
            backends.push(point);
        }
    }
    let place = |reference: &slim::ParentReference, interner: &mut Interner| {
        let namespace = given(&reference.namespace, interner).unwrap_or_else(|| key.namespace.clone());
        let section = given(&reference.section_name, interner);
        (Key::new(namespace, interner.text(&reference.name)), section)
    };
    let mut parents = Vec::new();
    for reference in spec.parent_refs.iter().filter(|reference| is_gateway(reference)) {
        let (gateway, section) = place(reference, interner);
        let of = |parent: &&slim::RouteParentStatus| {
            place(&parent.parent_ref, &mut interner.clone()) == (gateway.clone(), section.clone())
        };
        let told = status.parents.iter().find(of).map_or(&[][..], |parent| &parent.conditions);
        let accepted = verdict(told, "Accepted", meta.generation);
        let resolved = verdict(told, "ResolvedRefs", meta.generation);
        parents.push(RouteParent { gateway, section, accepted, resolved });
    }
    let value = HttpRoute {
        created: created(meta.creation_timestamp)?,
        hosts: spec.hostnames.iter().map(|host| interner.text(&host.to_ascii_lowercase())).collect(),
        backends,
        parents,
        key: key.clone(),
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn gateway(slim: slim::Gateway, interner: &mut Interner) -> Result<Object<Key, Gateway>, Fault> {
    let slim::Gateway { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let listeners = spec.listeners.iter().map(|listener| {
        let told = status.listeners.iter().find(|told| told.name == listener.name);
        let told = told.map_or(&[][..], |told| &told.conditions);
        let resolved = verdict(told, "ResolvedRefs", meta.generation);
        let host = given(&listener.hostname.to_ascii_lowercase(), interner);
        (interner.text(&listener.name), host, resolved)
    });
    let listeners = listeners.collect();
    let programmed = verdict(&status.conditions, "Programmed", meta.generation);
    let value = Gateway { key: key.clone(), programmed, listeners };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn certificate(
    slim: slim::Certificate,
    interner: &mut Interner,
) -> Result<Object<Key, Certificate>, Fault> {
    let slim::Certificate { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let issuing = status.conditions.iter().find(|c| c.r#type == "Issuing" && c.status == "False");
    let failed = |at: Timestamp| {
        let message = issuing.map(|condition| condition.message.trim()).filter(|text| !text.is_empty());
        (at, interner.text(message.unwrap_or("no reason is told")))
    };
    let value = Certificate {
        key: key.clone(),
        // `status.lastFailureTime` is taken away by the next success.
        failed: status.last_failure_time.map(failed),
        secret: interner.text(&spec.secret_name),
        names: spec.dns_names.iter().map(|name| interner.text(&name.to_ascii_lowercase())).collect(),
        not_before: status.not_before,
        not_after: status.not_after,
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}
