//! What may move, how, and where to: each rule with its sentence.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{EmptyDir, Policy};
use crate::{
    cluster::{Key, Lease, Node, NodeName, Pod, Snapshot, Tenant, VolumeSource, Workload},
    plan::{Means, admission::admission, check},
};

/// A rule's name, and its sentence.
pub(super) type Why = (&'static str, String);

/// Pods of this priority and above belong to the system (`system-cluster-critical`).
pub(super) const SYSTEM_PRIORITY: i32 = 2_000_000_000;

/// Why none of a tenant's pods may move at present.
pub(super) fn held(seen: &Snapshot, tenant: &Tenant) -> Option<Why> {
    let workload = &tenant.workload;
    let name = &tenant.name;
    let lease = Lease::name_of(name);
    if let Some(lease) = seen.leases.values().find(|l| *l.key.name == *lease)
        && lease.is_held(seen.at)
    {
        let run = lease.run.as_deref().map_or_else(|| "a run".to_owned(), |run| format!("run {run}"));
        return Some(("open-run", format!("{run} of {name} has not ended: finish it or undo it")));
    }
    if let Some(open) = check::open_run(seen, tenant) {
        return Some(("open-run", open.text));
    }
    if let Some(departure) = workload.departure() {
        return Some(("deleting", departure));
    }
    if let Some(unread) = tenant.unread_words() {
        return Some(("unread", format!("{unread}: where {name} stands is not known")));
    }
    if let Some(node) = &workload.bound_to {
        let text =
            format!("the template of {name} names the node {node} (nodeName): all its pods are bound there");
        return Some(("node-name", text));
    }
    if workload.stuck_since.is_some() || workload.is_rolling() {
        return Some(("rollout", format!("a rollout of {name} is under way: wait until it has ended")));
    }
    if workload.paused {
        return Some(("paused", format!("the rollout of {name} is paused: resume it first")));
    }
    let silent = |pod: &&std::sync::Arc<Pod>| {
        let node = pod.node.as_ref().and_then(|node| seen.nodes.get(node));
        node.is_some_and(|node| !node.is_ready())
    };
    if let Some(node) = tenant.pods.iter().find(silent).and_then(|pod| pod.node.as_ref()) {
        let text = format!(
            "{node} does not answer: its pods can neither be moved nor are they gone until it comes back or they are evicted"
        );
        return Some(("node-silent", text));
    }
    let active = tenant.active().count() as u32;
    if active != workload.desired {
        let text = format!("{name} has {active} of {} pods: wait until it has settled", workload.desired);
        return Some(("unsettled", text));
    }
    let ready = tenant.ready();
    if ready < active {
        let text = format!(
            "{ready} of {active} pods of {name} are ready: its ReplicaSet would remove one that is not ready first"
        );
        return Some(("not-ready", text));
    }
    None
}

/// How a tenant's pod may be moved, or why it may not.
pub(super) fn means(seen: &Snapshot, policy: &Policy, tenant: &Tenant, pod: &Pod) -> Result<Means, Why> {
    if pod.spec.priority >= SYSTEM_PRIORITY {
        return Err(("system", "its priority is that of the system: it is left alone".into()));
    }
    let young = |at: Timestamp| seen.at.duration_since(at) < policy.pod_age;
    if young(pod.created) {
        let text = format!("it is younger than {}", span(policy.pod_age));
        return Err(("too-young", text));
    }
    if let Some(annotation) = &pod.kept {
        return Err(("kept", format!("its annotation {annotation} asks to leave it where it is")));
    }
    match pod.owner.as_ref().map(|o| &*o.kind) {
        Some("ReplicaSet") => {
            scratch(policy, pod, true)?;
            claims(seen, pod)?;
            admitted(seen, &tenant.workload)?;
            Ok(Means::Adoption)
        }
        Some("StatefulSet") if policy.evict => scratch(policy, pod, true).map(|()| Means::Eviction),
        Some("StatefulSet") => {
            let ready = tenant.ready();
            let text = format!(
                "a StatefulSet adopts no pods: only an eviction moves it, with {ready} → {} ready meanwhile",
                ready.saturating_sub(1)
            );
            Err(("stateful-set", text))
        }
        Some(kind) => Err(("owner", format!("a {kind} owns it"))),
        None => Err(("bare", "no controller owns it: nobody would make another".into())),
    }
}

/// Whether what is in the `emptyDir` of a pod, of a tenant's or of another, may be lost.
pub(super) fn scratch(policy: &Policy, pod: &Pod, of_tenant: bool) -> Result<(), Why> {
    for volume in &pod.spec.volumes {
        let name = &volume.name;
        if let VolumeSource::EmptyDir { .. } = volume.source {
            let allowed = match policy.emptydir {
                EmptyDir::All => true,
                EmptyDir::Tenants => of_tenant,
                EmptyDir::None => false,
            };
            if !allowed {
                let text = format!(
                    "what is in its emptyDir {name} would be lost: allow it with --delete-emptydir-data"
                );
                return Err(("emptydir", text));
            }
        }
    }
    Ok(())
}

/// Whether a second pod can use the claims of this one from another node, while it is still there.
fn claims(seen: &Snapshot, pod: &Pod) -> Result<(), Why> {
    for volume in &pod.spec.volumes {
        let Some(claim) = volume.claim(&pod.key.name) else { continue };
        let key = Key::new(pod.key.namespace.clone(), claim.clone());
        match seen.claims.get(&key) {
            Some(claim)
                if claim.modes.iter().any(|mode| matches!(&**mode, "ReadWriteMany" | "ReadOnlyMany")) => {}
            Some(found) => {
                let modes = found.modes.join(", ");
                return Err(("volume", format!("its claim {claim} is {modes}: no second node can use it")));
            }
            None => {
                return Err((
                    "volume",
                    format!("whether its claim {claim} can be used on two nodes is not known"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether the namespace lets in the one pod more that a move needs for a while: quotas, LimitRanges, and what holds
/// every new pod of the workload back.
fn admitted(seen: &Snapshot, workload: &Workload) -> Result<(), Why> {
    let namespace = &*workload.key.key.namespace;
    if seen.quotas_of(namespace).next().is_none() && seen.limit_ranges_of(namespace).next().is_none() {
        return Ok(());
    }
    match admission(seen, workload).limit {
        Some((0, why)) => Err(("quota", format!("{why}; a move needs one pod more until the old one goes"))),
        _ => Ok(()),
    }
}

/// By node: why it takes no moved pods.
pub(super) fn closed(seen: &Snapshot, policy: &Policy, nodes: &[&Node]) -> Vec<Option<Why>> {
    let of_daemon_sets =
        seen.pods.values().filter(|p| p.owner.as_ref().is_some_and(|o| &*o.kind == "DaemonSet"));
    let unready: BTreeSet<(&NodeName, &str)> = of_daemon_sets
        .filter(|p| p.is_active() && !p.ready)
        .filter_map(|p| Some((p.node.as_ref()?, &*p.owner.as_ref()?.name)))
        .collect();
    let why = |node: &&Node| {
        let name = &node.name;
        if !node.is_ready() {
            return Some(("not-ready", format!("{name} is not ready")));
        }
        if node.deleting.is_some() {
            return Some(("deleting", format!("{name} is being deleted")));
        }
        if node.cordoned {
            return Some(("cordoned", format!("{name} is cordoned: uncordon it first")));
        }
        if let Some(pressure) = node.pressures().next() {
            return Some(("pressure", format!("{name} reports {}", pressure.kind)));
        }
        if let Some(since) = node.ready_since() {
            let ready = seen.at.duration_since(since);
            if ready < policy.node_ready_for {
                let text = format!(
                    "{name} has been ready for {}: it takes moved pods after {}",
                    span(ready),
                    span(policy.node_ready_for)
                );
                return Some(("node-too-young", text));
            }
        }
        let daemon_set = unready.range((name, "")..).next().filter(|(node, _)| *node == name);
        daemon_set
            .map(|(_, set)| ("daemon-set", format!("the pod of DaemonSet {set} on {name} is not ready")))
    };
    nodes.iter().map(why).collect()
}

/// A span in whole seconds.
fn span(span: SignedDuration) -> String {
    humantime::format_duration(std::time::Duration::from_secs(span.as_secs().max(0) as u64)).to_string()
}
