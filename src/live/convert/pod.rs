//! Pods and pod templates.

use std::sync::Arc;

use super::{Fault, Interner, Object, amounts, created, given, key_of, labels};
use crate::{
    cluster::{
        Affinity, Container, ContainerEnd, ContainerStatus, HostPort, Key, NodeTerm, Operator, Owner, Phase,
        Pod, PodSpec, PodTerm, Requirement, Resources, SpreadConstraint, Toleration,
    },
    live::slim,
};

pub(super) fn pod(slim: slim::Pod, interner: &mut Interner) -> Result<Object<Key, Pod>, Fault> {
    let slim::Pod { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let condition = |kind: &str| status.conditions.iter().find(|c| c.r#type == kind);
    let ready = condition("Ready");
    let waiting = condition("PodScheduled").filter(|c| c.status == "False" && spec.node_name.is_empty());
    let unschedulable =
        waiting.map(|c| interner.text(if c.message.is_empty() { &c.reason } else { &c.message }));
    let owner = meta
        .owner_references
        .iter()
        .find(|o| o.controller)
        .map(|o| Owner { kind: interner.text(&o.kind), name: interner.text(&o.name) });
    let node = given(&spec.node_name, interner).map(|name| (&*name).into());
    let value = Pod {
        key: key.clone(),
        uid: meta.uid.into(),
        owner,
        labels: interner.labels(meta.labels),
        node,
        phase: match status.phase.as_str() {
            "Running" => Phase::Running,
            "Succeeded" => Phase::Succeeded,
            "Failed" => Phase::Failed,
            "Unknown" => Phase::Unknown,
            _ => Phase::Pending,
        },
        ready: ready.is_some_and(|c| c.status == "True"),
        ready_since: ready.and_then(|c| c.last_transition_time),
        unschedulable,
        created: created(meta.creation_timestamp)?,
        deleting: meta.deletion_timestamp,
        // The ReplicaSet controller takes a text that is not a number for 0.
        deletion_cost: meta.annotations.deletion_cost.and_then(|c| c.parse().ok()).unwrap_or(0),
        containers: statuses(&spec, status.container_statuses, status.init_container_statuses, interner),
        spec: interned(spec, interner)?,
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

/// The shared copy of a pod template.
pub(super) fn interned(spec: slim::PodSpec, interner: &mut Interner) -> Result<Arc<PodSpec>, Fault> {
    let spec = PodSpec {
        containers: containers(spec.containers, interner)?,
        init_containers: containers(spec.init_containers, interner)?,
        resources: spec.resources.map(resources).transpose()?,
        overhead: amounts(&spec.overhead)?,
        node_selector: spec.node_selector,
        affinity: affinity(spec.affinity)?,
        tolerations: spec.tolerations.into_iter().map(toleration).collect::<Result<_, _>>()?,
        spread: spec.topology_spread_constraints.into_iter().map(spread).collect::<Result<_, _>>()?,
        priority: spec.priority,
        never_preempts: spec.preemption_policy == "Never",
    };
    Ok(interner.spec(spec))
}

/// The containers in the order of the spec; behind them the sidecars, and the init containers that have not ended
/// well: the pod waits for those, or fails with them.
fn statuses(
    spec: &slim::PodSpec,
    mut main: Vec<slim::ContainerStatus>,
    init: Vec<slim::ContainerStatus>,
    interner: &mut Interner,
) -> Vec<ContainerStatus> {
    let place = |containers: &[slim::Container], name: &str| {
        containers.iter().position(|c| c.name == name).unwrap_or(usize::MAX)
    };
    main.sort_by_key(|s| place(&spec.containers, &s.name));
    let sidecar =
        |name: &str| spec.init_containers.iter().any(|c| c.name == name && c.restart_policy == "Always");
    let mut init: Vec<_> = init
        .into_iter()
        .filter(|s| {
            let waits_its_turn = s.state.waiting.as_ref().is_some_and(|w| w.reason == "PodInitializing");
            sidecar(&s.name) || !(s.ready || waits_its_turn)
        })
        .collect();
    init.sort_by_key(|s| place(&spec.init_containers, &s.name));
    main.into_iter().chain(init).map(|s| container_status(s, interner)).collect()
}

fn container_status(given: slim::ContainerStatus, interner: &mut Interner) -> ContainerStatus {
    let slim::ContainerState { waiting, running, terminated } = given.state;
    let reason = match (&waiting, &terminated) {
        (Some(waiting), _) => waiting.reason.as_str(),
        (None, Some(end)) => end.reason.as_str(),
        (None, None) => "",
    };
    let reason = super::given(reason, interner);
    let ended = terminated.or(given.last_state.terminated);
    ContainerStatus {
        name: interner.text(&given.name),
        ready: given.ready,
        restarts: given.restart_count,
        reason,
        running_since: running.and_then(|r| r.started_at),
        last_end: ended.map(|end| ContainerEnd {
            reason: interner.text(&end.reason),
            code: end.exit_code,
            at: end.finished_at,
        }),
    }
}

fn containers(given: Vec<slim::Container>, interner: &mut Interner) -> Result<Vec<Container>, Fault> {
    let mut all = Vec::with_capacity(given.len());
    for slim in given {
        let fault = |e: Fault| format!("container {}: {e}", slim.name);
        let host_ports = slim.ports.iter().filter(|p| p.host_port != 0).map(|p| HostPort {
            ip: interner.text(if p.host_ip.is_empty() { "0.0.0.0" } else { &p.host_ip }),
            protocol: interner.text(if p.protocol.is_empty() { "TCP" } else { &p.protocol }),
            port: p.host_port,
        });
        let host_ports = host_ports.collect();
        all.push(Container {
            name: interner.text(&slim.name),
            image: interner.text(&slim.image),
            host_ports,
            sidecar: slim.restart_policy == "Always",
            resources: resources(slim.resources).map_err(fault)?,
        });
    }
    Ok(all)
}

fn resources(given: slim::Resources) -> Result<Resources, Fault> {
    Ok(Resources { requests: amounts(&given.requests)?, limits: amounts(&given.limits)? })
}

fn affinity(given: slim::Affinity) -> Result<Affinity, Fault> {
    let slim::Affinity { node_affinity: node, pod_affinity: pods, pod_anti_affinity: anti } = given;
    let node_required = node.required_during_scheduling_ignored_during_execution;
    let node_preferred = node.preferred_during_scheduling_ignored_during_execution;
    let terms = |terms: Vec<slim::PodTerm>| terms.into_iter().map(pod_term).collect::<Result<Vec<_>, _>>();
    let weighted = |terms: Vec<slim::PreferredPods>| {
        terms
            .into_iter()
            .map(|p| Ok((p.weight, pod_term(p.pod_affinity_term)?)))
            .collect::<Result<Vec<_>, Fault>>()
    };
    Ok(Affinity {
        node_required: node_required
            .map(|s| s.node_selector_terms.into_iter().map(node_term).collect())
            .transpose()?,
        node_preferred: node_preferred
            .into_iter()
            .map(|p| Ok((p.weight, node_term(p.preference)?)))
            .collect::<Result<_, Fault>>()?,
        pod_required: terms(pods.required_during_scheduling_ignored_during_execution)?,
        pod_preferred: weighted(pods.preferred_during_scheduling_ignored_during_execution)?,
        anti_required: terms(anti.required_during_scheduling_ignored_during_execution)?,
        anti_preferred: weighted(anti.preferred_during_scheduling_ignored_during_execution)?,
    })
}

fn node_term(given: slim::NodeTerm) -> Result<NodeTerm, Fault> {
    Ok(NodeTerm {
        labels: labels::requirements(given.match_expressions)?,
        fields: labels::requirements(given.match_fields)?,
    })
}

fn pod_term(given: slim::PodTerm) -> Result<PodTerm, Fault> {
    Ok(PodTerm {
        selector: given.label_selector.map(labels::selector).transpose()?,
        namespaces: given.namespaces,
        namespace_selector: given.namespace_selector.map(labels::selector).transpose()?,
        topology_key: given.topology_key,
    })
}

fn toleration(given: slim::Toleration) -> Result<Toleration, Fault> {
    Ok(Toleration {
        key: Some(given.key).filter(|k| !k.is_empty()),
        exists: given.operator == "Exists",
        value: given.value,
        effect: if given.effect.is_empty() { None } else { Some(super::node::effect(&given.effect)?) },
        seconds: given.toleration_seconds,
    })
}

fn spread(given: slim::SpreadConstraint) -> Result<SpreadConstraint, Fault> {
    let selector = given.label_selector.map(labels::selector).transpose()?;
    // The API server merges `matchLabelKeys` into the selector as `key In (value)`, by version and feature gate.
    let merged = |key: &String| {
        let is = |r: &Requirement| r.key == *key && matches!(&r.operator, Operator::In(v) if v.len() == 1);
        selector.as_ref().is_some_and(|s| s.requirements.iter().any(is))
    };
    Ok(SpreadConstraint {
        max_skew: given.max_skew,
        topology_key: given.topology_key,
        hard: given.when_unsatisfiable == "DoNotSchedule",
        match_label_keys: given.match_label_keys.into_iter().filter(|key| !merged(key)).collect(),
        selector,
        min_domains: given.min_domains,
        honor_affinity: given.node_affinity_policy != "Ignore",
        honor_taints: given.node_taints_policy == "Honor",
    })
}
