//! Nodes, and the measured use of nodes and pods.

use super::{Fault, Interner, Object, amount, amounts, created, each, key, named};
use crate::{
    cluster::{Condition, Cpu, Effect, Key, Memory, Node, NodeName, NodeUsage, Taint, Usage},
    live::slim::{self, IntOrText},
};

pub(super) fn node(slim: slim::Node, interner: &mut Interner) -> Result<Object<NodeName, Node>, Fault> {
    let slim::Node { metadata: meta, spec, status } = slim;
    let name: NodeName = named(&meta.name)?.into();
    let mut allocatable = amounts(&status.allocatable).map_err(|e| format!("status.allocatable: {e}"))?;
    let pods = allocatable.other.remove("pods").unwrap_or(0);
    let memory = status.capacity.memory.as_ref();
    let capacity = memory.map(|m| amount("status.capacity.memory", m, 1)).transpose()?.map(Memory);
    let internal = status.addresses.into_iter().find(|address| address.r#type == "InternalIP");
    let value = Node {
        name: name.clone(),
        uid: meta.uid.into(),
        labels: interner.labels(meta.labels),
        created: created(meta.creation_timestamp)?,
        deleting: meta.deletion_timestamp,
        cordoned: spec.unschedulable,
        taints: each(spec.taints, taint)?,
        allocatable,
        capacity,
        pods: u32::try_from(pods).unwrap_or(u32::MAX),
        conditions: status.conditions.into_iter().map(|c| condition(c, interner)).collect(),
        images: status.images.into_iter().map(|i| (i.names, i.size_bytes)).collect(),
        kubelet: interner.text(&status.node_info.kubelet_version),
        address: internal.map(|address| address.address.into()),
    };
    Ok(Object { key: name, version: meta.resource_version.into(), value })
}

fn taint(given: slim::Taint) -> Result<Taint, Fault> {
    let effect = effect(&given.effect)?;
    Ok(Taint { key: given.key, value: given.value, effect })
}

pub(super) fn effect(text: &str) -> Result<Effect, Fault> {
    match text {
        "NoSchedule" => Ok(Effect::NoSchedule),
        "PreferNoSchedule" => Ok(Effect::PreferNoSchedule),
        "NoExecute" => Ok(Effect::NoExecute),
        other => Err(format!("the taint effect `{other}` is not known")),
    }
}

fn condition(given: slim::Condition, interner: &mut Interner) -> Condition {
    Condition {
        kind: interner.text(&given.r#type),
        status: match given.status.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        },
        reason: interner.text(&given.reason),
        since: given.last_transition_time,
    }
}

pub(super) fn pod_usage(
    slim: slim::PodMetrics,
    interner: &mut Interner,
) -> Result<Object<Key, Usage>, Fault> {
    let key = key(&slim.metadata.namespace, &slim.metadata.name, interner)?;
    let mut containers = Vec::with_capacity(slim.containers.len());
    for container in slim.containers {
        let used = used(&container.usage).map_err(|e| format!("container {}: {e}", container.name))?;
        containers.push((interner.text(&container.name), used));
    }
    let at = slim.timestamp.ok_or("timestamp is missing")?;
    Ok(Object { key, version: "".into(), value: Usage { at, containers: containers.into_iter().collect() } })
}

pub(super) fn node_usage(
    slim: slim::NodeMetrics,
    _: &mut Interner,
) -> Result<Object<NodeName, NodeUsage>, Fault> {
    let key: NodeName = named(&slim.metadata.name)?.into();
    let (cpu, memory) = used(&slim.usage)?;
    let at = slim.timestamp.ok_or("timestamp is missing")?;
    Ok(Object { key, version: "".into(), value: NodeUsage { at, cpu, memory } })
}

fn used(usage: &slim::Used) -> Result<(Cpu, Memory), Fault> {
    let of = |name: &str, given: &Option<IntOrText>, unit| match given {
        Some(given) => amount(name, given, unit),
        None => Err(format!("usage.{name} is missing")),
    };
    Ok((Cpu(of("cpu", &usage.cpu, 1000)?), Memory(of("memory", &usage.memory, 1)?)))
}
