//! What can be wrong with a tenant.

use jiff::Timestamp;

use super::{
    super::{
        Capacity, Margin, Snapshot, Tenant, Tightest, WorkloadKind,
        headroom::ends,
        words::{all_pods, count},
    },
    Answer, Found, Severity, found,
};

pub(super) fn parked(_: &Snapshot, t: &Tenant) -> Option<Found> {
    (t.desired() == 0).then(|| found(Severity::Notice, "scaled to zero").answer(Answer::Scale))
}

pub(super) fn under_floor(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let (desired, floor) = (t.desired(), s.tenancy.floor);
    (desired > 0 && desired < floor).then(|| {
        found(
            Severity::Warning,
            format!("{} asked for, the floor is {floor}", count(desired as usize, "replica")),
        )
        .answer(Answer::Scale)
    })
}

pub(super) fn one_node(_: &Snapshot, t: &Tenant) -> Option<Found> {
    // A tenant that is down has nothing left to lose; pods that could not be read may be on another node.
    if t.ready() == 0 || t.unread > 0 {
        return None;
    }
    let placement = t.placement();
    let (node, pods) = placement.first_key_value()?;
    (placement.len() == 1 && *pods > 1)
        .then(|| found(Severity::Warning, format!("{} on {node}", all_pods(*pods))).answer(Answer::Open))
}

pub(super) fn memory(s: &Snapshot, t: &Tenant, margin: &Margin) -> Option<Found> {
    let Tightest { container, used, limit, .. } = margin.tightest.as_ref()?;
    // Said in requests, the same says more.
    (used.share_of(*limit) > 0.9 && low(s, t, margin).is_none()).then(|| {
        found(Severity::Warning, format!("{container} at {used} of {limit} memory")).answer(Answer::Scale)
    })
}

/// How many more requests, when they are too few.
fn low(s: &Snapshot, t: &Tenant, margin: &Margin) -> Option<u32> {
    margin.more.filter(|more| *more <= s.sizing.low && t.ready() > 0)
}

pub(super) fn headroom_low(s: &Snapshot, t: &Tenant, margin: &Margin) -> Option<Found> {
    let more = low(s, t, margin)?;
    let request = s.sizing.request_memory(&t.workload).value;
    let binding: Vec<_> = Capacity::of(s, t).binding().iter().map(|b| b.word()).collect();
    let requests = match more {
        0 => "no more request".to_owned(),
        n => format!("only {} more", count(n as usize, "request")),
    };
    let text = format!("room for {requests} ({}, {} each)", binding.join(" and "), request);
    Some(found(Severity::Warning, text).answer(Answer::Scale))
}

pub(super) fn headroom_falling(s: &Snapshot, t: &Tenant, margin: &Margin) -> Option<Found> {
    let more = margin.more.filter(|more| *more > s.sizing.low)?;
    let told = s.history.forecast(&t.name)?;
    let rise = told.rise;
    let text = format!(
        "room for {} used up in {} min (memory grows {rise} a minute)",
        count(more as usize, "request"),
        told.left.as_mins().max(1)
    );
    Some(found(Severity::Warning, text).answer(Answer::Scale))
}

pub(super) fn oom_killed(s: &Snapshot, t: &Tenant) -> Option<Found> {
    // Only where a container has ended at all is there something to add up.
    t.pods.iter().flat_map(|p| &p.containers).find(|c| c.last_end.is_some())?;
    // By the minute: what rests on it need not be asked again every second.
    let minute = Timestamp::from_second(s.at.as_second().div_euclid(60) * 60).unwrap_or(s.at);
    let ends = ends(t, minute);
    (ends.oom > 0).then(|| {
        let text =
            format!("{} ran out of memory within the last hour", count(ends.oom as usize, "container"));
        found(Severity::Warning, text).since(ends.last_oom).answer(Answer::Scale)
    })
}

pub(super) fn no_limit(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let template = &t.workload.template;
    let serving = template.serving(&s.tenancy.container)?;
    let limited = serving.resources.limits.memory.is_some()
        || template.resources.as_ref().is_some_and(|r| r.limits.memory.is_some())
        // A LimitRange gives the pods what the template leaves out.
        || t.active().any(|p| {
            let serving = p.spec.serving(&s.tenancy.container);
            serving.is_some_and(|c| c.resources.limits.memory.is_some())
        });
    (!limited).then(|| {
        found(Severity::Notice, format!("{} has no memory limit", serving.name)).answer(Answer::Open)
    })
}

pub(super) fn doubled(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.unread > 0 || t.workload.key.kind != WorkloadKind::Deployment && t.pods.len() < 2 {
        return None;
    }
    let placement = t.placement();
    let (node, pods) = placement.iter().filter(|(_, pods)| **pods > 1).max_by_key(|(_, pods)| **pods)?;
    let free = s.nodes.values().filter(|n| n.is_schedulable() && !placement.contains_key(&n.name)).count();
    (placement.len() > 1 && free > 0).then(|| {
        found(Severity::Notice, format!("{pods} pods on {node}, {} without any", count(free, "node")))
            .answer(Answer::Open)
    })
}
