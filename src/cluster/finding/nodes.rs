//! What can be wrong with a node, with the nodes together, and with the sources.

use std::{collections::BTreeMap, sync::Arc};

use foldhash::HashMap;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        Freshness, Node, NodeName, Pod, RUN_LABEL, Snapshot, Tenant, node_room,
        words::{count, short_run},
    },
    Answer, Found, Severity, Subject, found,
    pods::overdue,
};

/// Tenants named in one sentence.
const SHOWN: usize = 3;

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
/// Measurements that are older are a warning: they come every 15 s, and a moment without them is nothing.
const OLD_METRICS: SignedDuration = SignedDuration::from_mins(5);
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

pub(super) fn node_down(s: &Snapshot, n: &Node) -> Option<Found> {
    if n.is_ready() {
        return None;
    }
    let reason = n.ready_condition().map_or("it never reported", |c| &*c.reason);
    let mut text = match n.is_silent() {
        true if reason.is_empty() => "does not answer".to_owned(),
        true => format!("does not answer ({reason})"),
        false if reason.is_empty() => "not ready, and gives no reason".to_owned(),
        false => format!("not ready: {reason}"),
    };
    let here = |t: &Tenant| t.active().any(|p| !p.ready && p.node.as_ref() == Some(&n.name));
    let hit: Vec<_> =
        if s.is_ready() { s.tenants.values().filter(|t| here(t)).collect() } else { Vec::new() };
    let (down, degraded): (Vec<_>, Vec<_>) = hit.into_iter().partition(|t| t.is_down());
    let mut effects = Vec::new();
    if !down.is_empty() {
        let names: Vec<_> = down.iter().take(SHOWN).map(|t| t.name.as_str()).collect();
        let more = down.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        effects.push(format!("{} down ({}{more})", count(down.len(), "tenant"), names.join(", ")));
    }
    if !degraded.is_empty() {
        effects.push(format!("{} degraded", count(degraded.len(), "tenant")));
    }
    if !effects.is_empty() {
        text += &format!(": {}", effects.join(", "));
    }
    let severity = if down.is_empty() { Severity::Warning } else { Severity::Critical };
    Some(found(severity, text).since(n.ready_since()).answer(Answer::Node))
}

pub(super) fn node_pressure(_: &Snapshot, n: &Node) -> Option<Found> {
    let first = n.pressures().next()?;
    let all: Vec<_> = n.pressures().map(|c| &*c.kind).collect();
    Some(found(Severity::Warning, all.join(", ")).since(first.since).answer(Answer::Node))
}

/// A node that became ready at least so long after it was made, and at most so long ago, has come back.
const RETURNED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(5), SignedDuration::from_hours(24 * 7));

/// The node that tenants should be on and are not: empty, or back with less than half of what the others carry. Several
/// such nodes are one cause, told of the one that came last.
pub(super) fn empty_nodes(s: &Snapshot) -> Vec<(Subject, Found)> {
    if !s.is_ready() || !s.sees_all_pods() {
        return Vec::new();
    }
    let mut pods: HashMap<&str, usize> =
        s.nodes.values().filter(|n| n.is_schedulable()).map(|n| (n.name.as_str(), 0)).collect();
    let active = s.tenants.values().flat_map(|t| t.active());
    for node in active.filter_map(|pod| pod.node.as_ref()) {
        pods.entry(node.as_str()).and_modify(|n| *n += 1);
    }
    let (all, nodes) = (pods.values().sum::<usize>(), pods.len());
    let carries = |n: &Node| pods.get(n.name.as_str()).copied();
    let few = |n: &&Arc<Node>| match carries(n) {
        None => false,
        Some(0) => true,
        Some(here) => here * 2 * nodes < all && has_returned(s, n),
    };
    let mut lonely: Vec<_> = s.nodes.values().filter(few).collect();
    lonely.sort_by_key(|n| (std::cmp::Reverse(n.ready_since()), n.name.clone()));
    let Some((first, others)) = lonely.split_first() else { return Vec::new() };
    let doubled = |t: &Tenant| {
        let placement = t.placement();
        // What is on a node that does not answer comes up elsewhere by itself.
        let crowded = placement.iter().any(|(node, pods)| *pods > 1 && !s.is_silent(Some(node)));
        crowded && lonely.iter().any(|n| !placement.contains_key(&n.name))
    };
    let doubled = s.tenants.values().filter(|t| doubled(t)).count();
    if doubled == 0 {
        return Vec::new();
    }
    let are = if doubled == 1 { "is" } else { "are" };
    let tenants = format!("{} {are} doubled up", count(doubled, "tenant"));
    // Others that are doubled up have a pod there already.
    let without = match doubled {
        1 => "1 tenant without a pod there is doubled up".to_owned(),
        n => format!("{n} tenants without a pod there are doubled up"),
    };
    let names: Vec<_> = others.iter().take(SHOWN).map(|n| n.name.as_str()).collect();
    let also = match others.len() {
        0 => String::new(),
        n if n > SHOWN => format!(", as are {} and {} more", names.join(", "), n - SHOWN),
        1 => format!(", as is {}", names.join(", ")),
        _ => format!(", as are {}", names.join(", ")),
    };
    let text = match (has_returned(s, first), carries(first).unwrap_or(0)) {
        (true, 0) => format!("back and empty{also}: {tenants}"),
        (true, here) => {
            format!("back, and carries {here} of the cluster's {}{also}: {without}", count(all, "pod"))
        }
        (false, _) => format!("carries no tenant{also}, while {tenants} elsewhere"),
    };
    let f = found(Severity::Warning, text).since(first.ready_since());
    let moves = "moves pods back onto it, and no ready pod is lost";
    vec![(Subject::Node(first.name.clone()), f.act(Answer::Rebalance, first.name.as_str(), moves))]
}

/// Whether a node was away and is ready again.
fn has_returned(s: &Snapshot, n: &Node) -> bool {
    let (after, within) = RETURNED;
    n.ready_since()
        .is_some_and(|since| since.duration_since(n.created) > after && s.at.duration_since(since) < within)
}

/// A node that is being deleted: nothing keeps its pods.
pub(super) fn node_deleting(_: &Snapshot, n: &Node) -> Option<Found> {
    let since = n.deleting?;
    let text = "is being deleted: the pods on it are deleted once it is gone, drain it first";
    Some(found(Severity::Warning, text).since(Some(since)).answer(Answer::Node))
}

pub(super) fn node_cordoned(s: &Snapshot, n: &Node) -> Option<Found> {
    if !n.cordoned || !n.is_ready() {
        return None;
    }
    let here = || s.tenants.values().flat_map(|t| t.active()).any(|pod| pod.node.as_ref() == Some(&n.name));
    if !s.is_ready() || !s.sees_all_pods() || here() {
        return Some(found(Severity::Notice, "cordoned: takes no new pods").answer(Answer::Node));
    }
    let text = match has_returned(s, n) {
        true => "cordoned and empty, and back: `undrain` moves pods back onto it",
        false => "cordoned and empty: takes no new pods",
    };
    let f = found(Severity::Notice, text).since(n.ready_since().filter(|_| has_returned(s, n)));
    Some(f.act(Answer::Undrain, n.name.as_str(), "uncordons it and moves pods back onto it"))
}

/// A pod whose run has no journal is left over once it is so old: the journal may not have been seen yet.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// Pods that were made for a move, belong to nobody, and whose run is over or gone; with the tenant each is like.
pub(super) fn forsaken_pods(s: &Snapshot) -> impl Iterator<Item = (&Arc<Pod>, Option<&Arc<Tenant>>, String)> {
    let known = s.is_ready() && s.journals.freshness.is_live();
    let ours = s.pods.values().filter(move |pod| known && pod.owner.is_none() && pod.is_active());
    ours.filter_map(|pod| {
        let why = forsaken(s, pod, pod.labels.get(RUN_LABEL)?)?;
        Some((pod, s.tenants.values().find(|t| t.is_like(pod)), why))
    })
}

pub(super) fn left_over(s: &Snapshot) -> Vec<(Subject, Found)> {
    let mut all: Vec<(Subject, Found)> = Vec::new();
    for (pod, of, why) in forsaken_pods(s) {
        let subject = of.map_or_else(|| Subject::Source("pods".into()), |t| Subject::Tenant(t.name.clone()));
        let text = format!("{} was made for a move and belongs to nobody: {why}", pod.key.name);
        let f = found(Severity::Warning, text).since(Some(pod.created));
        let adopt = "deletes it; its ReplicaSet adopts it instead once it has the label pod-template-hash";
        // One of a tenant at a time: when that is gone, the next is told.
        if !all.iter().any(|(other, _)| *other == subject) {
            all.push((subject, f.act(Answer::DeletePod, &pod.key.to_string(), adopt)));
        }
    }
    all
}

/// Why nobody will take care of a pod that was made by a run.
fn forsaken(s: &Snapshot, pod: &Pod, run: &str) -> Option<String> {
    let named = format!("run-{run}");
    let journal = s.journals.values().find(|journal| *journal.key.name == *named);
    match journal {
        Some(journal) if journal.is_over() => Some(format!("run {} is over", short_run(run))),
        Some(_) => None,
        None if s.at.duration_since(pod.created) > YOUNG => {
            Some(format!("the cluster has no journal of run {}", short_run(run)))
        }
        None => None,
    }
}

/// Pods of no tenant that should be gone by now, by node.
pub(super) fn terminating(s: &Snapshot) -> Vec<(Subject, Found)> {
    let mut by_node: BTreeMap<Option<&NodeName>, Vec<Overdue>> = BTreeMap::new();
    for pod in s.leaving() {
        let of_a_tenant = || s.workload_of(pod).is_some_and(|key| s.tenant_of(&key).is_some());
        if let Some((due, text, cause)) = overdue(s, pod).filter(|_| !of_a_tenant()) {
            by_node.entry(pod.node.as_ref()).or_default().push((
                due,
                format!("{}/{text}", pod.key.namespace),
                cause,
            ));
        }
    }
    let told = by_node.into_iter().filter_map(|(node, pods)| {
        let (due, text, cause) = pods.iter().min_by_key(|(due, ..)| *due)?;
        let more = if pods.len() > 1 { format!(" and {} more", pods.len() - 1) } else { String::new() };
        let text = format!("{} terminating: {text}{more}", count(pods.len(), "pod"));
        let subject = node.map_or_else(|| Subject::Source("pods".into()), |n| Subject::Node(n.clone()));
        Some((subject, found(Severity::Warning, text).since(Some(*due)).because(cause.clone())))
    });
    told.collect()
}

/// When a pod should have been gone, why it is not, and what that follows from.
type Overdue = (Timestamp, String, Option<Subject>);

/// A source, how well it is known, and what the reason names.
type Lost<'a> = (&'a str, &'a Freshness, String);

/// Sources that are not followed: those lost for one reason are one finding, and a silent API server is the reason for all.
pub(super) fn sources(s: &Snapshot) -> Vec<(Subject, Found)> {
    const CORE: [&str; 3] = ["nodes", "pods", "deployments"];
    let mut all = Vec::new();
    if let Some(namespace) = s.absent_namespace() {
        let text = format!("there is no namespace {namespace}: nothing is seen");
        all.push((Subject::Source("namespaces".into()), found(Severity::Critical, text)));
    }
    let silent = s.api.freshness.trouble();
    if let Some(why) = silent {
        let since = match &s.api.freshness {
            Freshness::Stale { since, .. } => Some(*since),
            _ => None,
        };
        // One that refuses us does answer, and says so itself.
        let silent = if s.api.refuses_us { "" } else { "the API server does not answer: " };
        let text = format!("{silent}{why}; what is shown is as old as that");
        all.push((Subject::Source("api".into()), found(Severity::Critical, text).since(since)));
    }
    // Each reason with its sources, in reading order.
    let mut reasons: Vec<(String, Vec<Lost<'_>>)> = Vec::new();
    for (name, freshness) in s.troubles() {
        if silent.is_some() && (freshness.is_known() || freshness.trouble() == silent) {
            continue;
        }
        let why = freshness.trouble().unwrap_or_default();
        // `needs list and watch on services at cluster scope`: the right is the same, what it is missing on differs.
        let right = why.strip_prefix("needs ").and_then(|rest| rest.split_once(" on "));
        let (reason, what) = match right {
            Some((verbs, rest)) => {
                let (what, scope) = rest.split_once(' ').unwrap_or((rest, ""));
                (format!("needs {verbs} {scope}"), what.to_owned())
            }
            None => (why.to_owned(), name.to_owned()),
        };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, sources)) => sources.push((name, freshness, what)),
            None => reasons.push((reason, vec![(name, freshness, what)])),
        }
    }
    for (reason, sources) in reasons {
        let severity = |(name, freshness, _): &Lost<'_>| match (*name, freshness) {
            // Never seen for want of a right: what needs no nodes is known all the same.
            ("nodes", Freshness::Missing { .. }) if s.namespace.is_some() => Severity::Notice,
            ("nodes", Freshness::Missing { .. }) => Severity::Warning,
            // What rests on old measurements is not known: that nothing is wrong with it is no good news. Nor is it known
            // when those were made that are dated in the future.
            ("pod metrics" | "node metrics", Freshness::Stale { since, .. })
                if s.at.duration_since(*since).abs() > OLD_METRICS =>
            {
                Severity::Warning
            }
            (name, _) if CORE.contains(&name) => Severity::Critical,
            _ => Severity::Notice,
        };
        let severity = sources.iter().map(severity).max().unwrap_or(Severity::Notice);
        let since = sources.iter().filter_map(|(_, freshness, _)| match freshness {
            Freshness::Stale { since, .. } => Some(*since).filter(|since| *since <= s.at),
            _ => None,
        });
        let since = since.min();
        let text = match sources.as_slice() {
            [(_, freshness, _)] => freshness.trouble().unwrap_or_default().to_owned(),
            many => {
                let what: Vec<_> = many.iter().map(|(_, _, what)| what.as_str()).collect();
                format!("{reason}: {}", what.join(", "))
            }
        };
        all.push((Subject::Source(sources[0].0.into()), found(severity, text).since(since)));
    }
    // What was planned or remembered before it may be about things that are no more.
    let broken = s.api.broken_course.as_ref().filter(|(at, _)| s.at.duration_since(*at) < BROKEN_FOR);
    all.extend(broken.map(|(at, why)| {
        (Subject::Source("API".into()), found(Severity::Warning, why.to_string()).since(Some(*at)))
    }));
    let unreadable = s.unreadable().into_iter();
    all.extend(unreadable.map(|(name, why)| (Subject::Source(name.into()), found(Severity::Warning, why))));
    all
}
