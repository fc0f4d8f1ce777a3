//! What can be wrong with a node, with the nodes together, and with the sources.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{
    super::{Freshness, Node, NodeName, Snapshot, node_room},
    Answer, Found, Severity, Subject, found,
};

pub(super) fn node_overcommitted(s: &Snapshot, n: &Node) -> Option<Found> {
    let room = node_room(s, &n.name);
    let (factor, used, allocatable) = (room.overcommit?, room.used?, room.allocatable?);
    let in_use = used.share_of(allocatable);
    (factor > s.sizing.overcommit && in_use > s.sizing.node_used).then(|| {
        let text = format!(
            "limits are {factor:.1} x its memory, {:.0} % in use ({used} of {allocatable})",
            in_use * 100.0
        );
        found(Severity::Warning, text).answer(Answer::Node)
    })
}

/// Requested share below which a node that is full looks free to the scheduler, as a part of the share in use.
const UNDERSTATED: f64 = 0.75;
/// For this long it is said that another cluster, or an earlier state of it, was found.
const BROKEN_FOR: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn node_overpacked(s: &Snapshot, n: &Node) -> Option<Found> {
    let room = node_room(s, &n.name);
    let (used, allocatable) = (room.used?, room.allocatable?);
    let (in_use, requested) = (used.share_of(allocatable), room.requested?.share_of(allocatable));
    (n.is_schedulable() && in_use > s.sizing.node_used && requested < in_use * UNDERSTATED).then(|| {
        let text = format!(
            "{:.0} % of its memory in use, {:.0} % requested: the scheduler still sends pods",
            in_use * 100.0,
            requested * 100.0
        );
        found(Severity::Warning, text).answer(Answer::Node)
    })
}

pub(super) fn node_down(_: &Snapshot, n: &Node) -> Option<Found> {
    (!n.is_ready()).then(|| {
        let reason = n.ready_condition().map_or("never reported", |c| &*c.reason).to_owned();
        found(Severity::Critical, format!("not ready: {reason}")).since(n.ready_since()).answer(Answer::Node)
    })
}

pub(super) fn node_pressure(_: &Snapshot, n: &Node) -> Option<Found> {
    let first = n.pressures().next()?;
    let all: Vec<_> = n.pressures().map(|c| &*c.kind).collect();
    Some(found(Severity::Warning, all.join(", ")).since(first.since).answer(Answer::Node))
}

pub(super) fn empty_nodes(s: &Snapshot) -> Vec<(Subject, Found)> {
    if !s.is_ready() || !s.sees_all_pods() {
        return Vec::new();
    }
    let mut empty: BTreeSet<&NodeName> =
        s.nodes.values().filter(|n| n.is_schedulable()).map(|n| &n.name).collect();
    for pod in s.tenants.values().flat_map(|t| t.active()) {
        if empty.is_empty() {
            return Vec::new();
        }
        pod.node.as_ref().map(|node| empty.remove(node));
    }
    if empty.is_empty() {
        return Vec::new();
    }
    let doubled = s.tenants.values().filter(|t| t.placement().values().any(|pods| *pods > 1)).count();
    if doubled == 0 {
        return Vec::new();
    }
    let are = if doubled == 1 { "tenant is" } else { "tenants are" };
    let text = format!("carries no tenant while {doubled} {are} doubled up elsewhere");
    let empty = s.nodes.values().filter(|n| empty.contains(&n.name));
    empty
        .map(|n| {
            let f = found(Severity::Warning, text.clone()).since(n.ready_since()).answer(Answer::Node);
            (Subject::Node(n.name.clone()), f)
        })
        .collect()
}

pub(super) fn node_cordoned(_: &Snapshot, n: &Node) -> Option<Found> {
    (n.cordoned && n.is_ready())
        .then(|| found(Severity::Notice, "cordoned: takes no new pods").answer(Answer::Node))
}

pub(super) fn sources(s: &Snapshot) -> Vec<(Subject, Found)> {
    let mut all = Vec::new();
    if let Some(namespace) = s.absent_namespace() {
        let text = format!("there is no namespace {namespace}: nothing is seen");
        all.push((Subject::Source("namespaces".into()), found(Severity::Critical, text)));
    }
    for (name, freshness) in s.troubles() {
        let severity = match (name, freshness) {
            // Never seen for want of a right: what needs no nodes is known all the same.
            ("nodes", Freshness::Missing { .. }) if s.namespace.is_some() => Severity::Notice,
            ("nodes", Freshness::Missing { .. }) => Severity::Warning,
            ("nodes" | "pods" | "deployments", _) => Severity::Critical,
            _ => Severity::Notice,
        };
        let since = match freshness {
            Freshness::Stale { since, .. } => Some(*since),
            _ => None,
        };
        let why = freshness.trouble().unwrap_or_default().to_owned();
        all.push((Subject::Source(name.into()), found(severity, why).since(since)));
    }
    // What was planned or remembered before it may be about things that are no more.
    let broken = s.api.broken_course.as_ref().filter(|(at, _)| s.at.duration_since(*at) < BROKEN_FOR);
    all.extend(broken.map(|(at, why)| {
        (Subject::Source("API".into()), found(Severity::Warning, why.to_string()).since(Some(*at)))
    }));
    let unreadable = s.unreadable().into_iter();
    all.extend(unreadable.map(|(name, why)| (Subject::Source(name.into()), found(Severity::Notice, why))));
    all
}
