//! Pods and pod templates.

use super::{
    Fault, Interner, Object, amounts, created, each, given, key_of, labels, resize, resources, trouble,
};
use crate::{
    cluster::{
        Affinity, Container, ContainerEnd, ContainerStatus, HostPort, Key, NodeTerm, Operator, Owner, Phase,
        Pod, PodSpec, PodTerm, Requirement, Resize, SpreadConstraint, Toleration, Volume, VolumeSource,
    },
    live::slim,
};

pub(super) fn pod(slim: slim::Pod, interner: &mut Interner) -> Result<Object<Key, Pod>, Fault> {
    let slim::Pod { metadata: meta, mut spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let condition = |kind: &str| status.conditions.iter().find(|c| c.r#type == kind);
    let ready = condition("Ready");
    let waiting = condition("PodScheduled").filter(|c| c.status == "False" && spec.node_name.is_empty());
    let unschedulable =
        waiting.map(|c| interner.text(if c.message.is_empty() { &c.reason } else { &c.message }));
    let owner = controller(&meta.owner_references, interner);
    let node = given(&spec.node_name, interner).map(|name| (&*name).into());
    let gates = std::mem::take(&mut spec.readiness_gates);
    let held_up = trouble::held_up(&gates, &status).map(|text| interner.text(&text));
    let mut wished = template(spec, interner)?;
    wished.volumes.iter_mut().for_each(|volume| own_claim(volume, &meta.name, owner.as_ref()));
    let granted = resize::in_force(&wished, &status)?;
    let pending = resize::pending(&status, interner);
    // What the kubelet has not looked at yet has no condition.
    let pending = pending.or_else(|| granted.is_some().then(|| (interner.text(""), None, None)));
    let resize = pending.map(|(reason, message, since)| {
        let wished = interner.spec(wished.clone());
        Box::new(Resize { reason, message, since, wished })
    });
    let ready_since = ready.and_then(|c| c.last_transition_time);
    let ready = ready.is_some_and(|c| c.status == "True");
    let leaves = meta.deletion_timestamp.is_some();
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
        ready,
        ready_since,
        unschedulable,
        created: created(meta.creation_timestamp)?,
        deleting: meta.deletion_timestamp,
        finalizers: meta.finalizers.iter().filter(|_| leaves).map(|f| interner.text(f)).collect(),
        held_up: held_up.filter(|_| !ready),
        kept: kept(&meta.annotations).map(Into::into),
        // The ReplicaSet controller takes a text that is not a number for 0.
        deletion_cost: meta.annotations.deletion_cost.and_then(|c| c.parse().ok()).unwrap_or(0),
        containers: statuses(&wished, status.container_statuses, status.init_container_statuses, interner),
        resize,
        spec: interner.spec(granted.unwrap_or(wished)),
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

/// The annotation by which a pod asks to be left where it is.
fn kept(annotations: &slim::Annotations) -> Option<&'static str> {
    let is = |value: &Option<String>, wanted: &str| value.as_deref() == Some(wanted);
    if is(&annotations.movable, "never") {
        Some("wheelhouse.dev/move: never")
    } else if annotations.prefer_no_eviction.as_deref().is_some_and(|v| v != "false") {
        Some("descheduler.alpha.kubernetes.io/prefer-no-eviction")
    } else if is(&annotations.safe_to_evict, "false") {
        Some("cluster-autoscaler.kubernetes.io/safe-to-evict: false")
    } else {
        None
    }
}

/// The controller among the owners.
pub(super) fn controller(owners: &[slim::OwnerReference], interner: &mut Interner) -> Option<Owner> {
    let owner = owners.iter().find(|o| o.controller)?;
    let mut text = |text: &str| interner.text(text);
    Some(Owner { kind: text(&owner.kind), name: text(&owner.name), uid: text(&owner.uid) })
}

/// The scheduler of pods that name none.
const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// A pod template, or the spec of a pod as written.
pub(super) fn template(spec: slim::PodSpec, interner: &mut Interner) -> Result<PodSpec, Fault> {
    let scheduler = if spec.scheduler_name == DEFAULT_SCHEDULER { "" } else { &*spec.scheduler_name };
    Ok(PodSpec {
        scheduler: interner.text(scheduler),
        containers: containers(spec.containers, interner)?.into(),
        init_containers: containers(spec.init_containers, interner)?.into(),
        resources: spec.resources.as_ref().map(resources).transpose()?.map(Box::new),
        overhead: amounts(&spec.overhead)?,
        node_selector: spec.node_selector,
        affinity: affinity(&spec.affinity, interner)?.into(),
        tolerations: each(spec.tolerations, toleration)?.into(),
        spread: each(spec.topology_spread_constraints, |c| spread(c, interner))?.into(),
        priority: spec.priority,
        never_preempts: spec.preemption_policy == "Never",
        priority_class: interner.text(&spec.priority_class_name),
        ends_by_itself: spec.active_deadline_seconds.is_some(),
        gates: spec.scheduling_gates.iter().map(|gate| interner.text(&gate.name)).collect(),
        volumes: spec.volumes.iter().filter_map(|v| volume(v, interner)).collect(),
    })
}

/// A volume that holds data.
fn volume(given: &slim::Volume, interner: &mut Interner) -> Option<Volume> {
    let source = match (&given.empty_dir, &given.persistent_volume_claim, &given.ephemeral) {
        (Some(empty), _, _) => VolumeSource::EmptyDir { memory: empty.medium == "Memory" },
        (None, Some(claim), _) => VolumeSource::Claim(interner.text(&claim.claim_name)),
        (None, None, Some(_)) => VolumeSource::Ephemeral,
        (None, None, None) => return None,
    };
    Some(Volume { name: interner.text(&given.name), source })
}

/// A claim that a StatefulSet made for this pod is named by its pattern: the pods of one template stay alike.
fn own_claim(volume: &mut Volume, pod: &str, owner: Option<&Owner>) {
    if let VolumeSource::Claim(claim) = &volume.source
        && owner.is_some_and(|o| &*o.kind == "StatefulSet")
        && claim.strip_prefix(&*volume.name).and_then(|rest| rest.strip_prefix('-')) == Some(pod)
    {
        volume.source = VolumeSource::OwnClaim;
    }
}

/// The containers in the order of the spec; behind them the sidecars, and the init containers that have not ended
/// well: the pod waits for those, or fails with them.
fn statuses(
    spec: &PodSpec,
    mut main: Vec<slim::ContainerStatus>,
    init: Vec<slim::ContainerStatus>,
    interner: &mut Interner,
) -> Vec<ContainerStatus> {
    let place = |containers: &[Container], name: &str| {
        containers.iter().position(|c| &*c.name == name).unwrap_or(usize::MAX)
    };
    main.sort_by_key(|s| place(&spec.containers, &s.name));
    let sidecar = |name: &str| spec.init_containers.iter().any(|c| &*c.name == name && c.sidecar);
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
        restarts: super::count(given.restart_count),
        reason,
        running_since: running.and_then(|r| r.started_at),
        last_end: ended.map(|end| {
            Box::new(ContainerEnd {
                reason: interner.text(&end.reason),
                code: end.exit_code,
                at: end.finished_at,
            })
        }),
    }
}

fn containers(given: Vec<slim::Container>, interner: &mut Interner) -> Result<Vec<Container>, Fault> {
    each(given, |slim| {
        let fault = |e: Fault| format!("container {}: {e}", slim.name);
        let host_ports = slim.ports.iter().filter(|p| p.host_port != 0).map(|p| HostPort {
            ip: interner.text(if p.host_ip.is_empty() { "0.0.0.0" } else { &p.host_ip }),
            protocol: interner.text(if p.protocol.is_empty() { "TCP" } else { &p.protocol }),
            port: p.host_port,
        });
        let host_ports = host_ports.collect();
        let tcp = slim.ports.iter().filter(|p| matches!(p.protocol.as_str(), "" | "TCP"));
        let ports = tcp.map(|p| p.container_port).filter(|port| *port != 0).collect();
        Ok(Container {
            name: interner.text(&slim.name),
            image: interner.text(&slim.image),
            host_ports,
            ports,
            sidecar: slim.restart_policy == "Always",
            restarted_by: slim
                .resize_policy
                .iter()
                .filter(|policy| policy.restart_policy == "RestartContainer")
                .map(|policy| interner.text(&policy.resource_name))
                .collect(),
            resources: resources(&slim.resources).map_err(fault)?,
        })
    })
}

fn affinity(given: &slim::Affinity, interner: &mut Interner) -> Result<Affinity, Fault> {
    let slim::Affinity { node_affinity: node, pod_affinity: pods, pod_anti_affinity: anti } = given;
    let mut affinity = Affinity::default();
    if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
        affinity.node_required = Some(each(&required.node_selector_terms, |term| node_term(term, interner))?);
    }
    affinity.node_preferred = each(&node.preferred_during_scheduling_ignored_during_execution, |wish| {
        Ok((wish.weight, node_term(&wish.preference, interner)?))
    })?;
    for (given, required, preferred) in [
        (pods, &mut affinity.pod_required, &mut affinity.pod_preferred),
        (anti, &mut affinity.anti_required, &mut affinity.anti_preferred),
    ] {
        *required = each(&given.required_during_scheduling_ignored_during_execution, |term| {
            pod_term(term, interner)
        })?;
        *preferred = each(&given.preferred_during_scheduling_ignored_during_execution, |wish| {
            Ok((wish.weight, pod_term(&wish.pod_affinity_term, interner)?))
        })?;
    }
    Ok(affinity)
}

fn node_term(given: &slim::NodeTerm, interner: &mut Interner) -> Result<NodeTerm, Fault> {
    Ok(NodeTerm {
        labels: labels::requirements(&given.match_expressions, interner)?,
        fields: labels::requirements(&given.match_fields, interner)?,
    })
}

fn pod_term(given: &slim::PodTerm, interner: &mut Interner) -> Result<PodTerm, Fault> {
    let mut selector = |given: &Option<slim::LabelSelector>| {
        given.as_ref().map(|selector| labels::selector(selector, interner)).transpose()
    };
    Ok(PodTerm {
        selector: selector(&given.label_selector)?,
        namespaces: given.namespaces.clone(),
        namespace_selector: selector(&given.namespace_selector)?,
        topology_key: given.topology_key.clone(),
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

fn spread(given: slim::SpreadConstraint, interner: &mut Interner) -> Result<SpreadConstraint, Fault> {
    let selector = given.label_selector.as_ref().map(|s| labels::selector(s, interner)).transpose()?;
    // The API server merges `matchLabelKeys` into the selector as `key In (value)`, by version and feature gate.
    let merged = |key: &String| {
        let is = |r: &Requirement| *r.key == **key && matches!(&r.operator, Operator::In(v) if v.len() == 1);
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
