//! What keeps the pods of a tenant from being ready, from being made, and from going: each cause is told once.

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        Memory, NodeName, Phase, Pod, PodState, Quota, Refused, Snapshot, Subject, Tenant, by_hand,
        words::count,
    },
    Answer, Found, Severity, found, unplaced,
};

/// A pod that is leaving should be gone by its deletion timestamp; after this long it is told.
const GONE_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Causes named in one sentence.
const CAUSES: usize = 2;

pub(super) fn down(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if !t.is_down() {
        return None;
    }
    let mut causes = Vec::new();
    if let Some(why) = why_refused(s, t) {
        causes.push(why);
    }
    let of = |state| in_state(s, t, state);
    causes.extend(silence(&of(PodState::Unknown)));
    causes.extend(grouped(&of(PodState::Failing)));
    if !of(PodState::Unschedulable).is_empty() {
        causes.push(unplaced::why(s, &of(PodState::Unschedulable)));
    }
    let none = t.active().next().is_none() && causes.is_empty();
    if none {
        causes.push("it has no pod".into());
    } else if causes.is_empty() && !of(PodState::Starting).is_empty() {
        causes.push(format!("{} starting", of(PodState::Starting).len()));
    }
    let mut text = format!("no pod of {} is ready", t.desired());
    if !causes.is_empty() {
        text +=
            &format!(": {}", causes.iter().take(CAUSES).map(String::as_str).collect::<Vec<_>>().join("; "));
    }
    text += &rollout(t);
    Some(found(Severity::Critical, text).since(out_since(t)).because(cause(s, t)).answer(Answer::Open))
}

/// Pods that could not be read: not known is not none. What its controller counts is told beside it.
pub(super) fn unread(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let what = t.unread_words()?;
    let (kind, counts) = (t.workload.key.kind.name(), t.workload.counts);
    let text = match t.desired() > t.ready() {
        true => format!(
            "{what}, and how many are ready is not known (its {kind} counts {} of {} ready)",
            counts.ready,
            t.desired()
        ),
        false => format!("{what}: where that is and what it takes is not known"),
    };
    Some(found(Severity::Warning, text).answer(Answer::Open))
}

/// A workload that is being deleted: nothing makes or replaces its pods any more.
pub(super) fn departing(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let text = t.workload.departure()?;
    Some(found(Severity::Warning, text).since(t.workload.deleting).answer(Answer::Open))
}

/// Since when no pod is ready: since the last one was; where none ever was, since the first one came.
fn out_since(t: &Tenant) -> Option<Timestamp> {
    let lost = t.active().filter_map(|p| p.lost_ready()).max();
    lost.or_else(|| t.active().map(|p| p.waiting_since()).min())
}

/// The node from which it follows that pods are not ready: all that are not are on it, and it is not ready.
fn cause(s: &Snapshot, t: &Tenant) -> Option<Subject> {
    let mut nodes = t.active().filter(|p| !p.ready).map(|p| p.node.as_ref());
    let node = nodes.next()??;
    let down = s.nodes.get(node).is_some_and(|n| !n.is_ready());
    (down && nodes.all(|other| other == Some(node))).then(|| Subject::Node(node.clone()))
}

fn in_state<'a>(s: &Snapshot, t: &'a Tenant, state: PodState) -> Vec<&'a Pod> {
    t.pods.iter().map(|p| &**p).filter(|p| s.state_of(p) == state).collect()
}

/// The nodes of these pods that do not answer.
fn silence(pods: &[&Pod]) -> Option<String> {
    let mut nodes: Vec<&NodeName> = pods.iter().filter_map(|p| p.node.as_ref()).collect();
    nodes.sort();
    nodes.dedup();
    let names: Vec<_> = nodes.iter().map(|n| n.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} does not answer")),
        many => Some(format!("{} do not answer", many.join(" and "))),
    }
}

/// The reasons that failing pods give, each once, the most frequent first.
fn grouped(pods: &[&Pod]) -> Vec<String> {
    by_frequency(pods.iter().map(|pod| pod.why_not_ready().unwrap_or_else(|| "not ready in time".into())))
}

/// Each once, the most frequent first.
fn by_frequency<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut counted: Vec<(T, usize)> = Vec::new();
    for one in all {
        match counted.iter_mut().find(|(other, _)| *other == one) {
            Some((_, n)) => *n += 1,
            None => counted.push((one, 1)),
        }
    }
    counted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counted.into_iter().map(|(one, _)| one).collect()
}

/// What its rollout is stuck at, as the end of a sentence that tells why.
fn rollout(t: &Tenant) -> String {
    match t.workload.stuck_since {
        Some(_) => {
            format!("; its rollout is stuck: {} updated of {}", t.workload.counts.updated, t.desired())
        }
        None => String::new(),
    }
}

pub(super) fn failing(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.is_down() {
        return None;
    }
    let bad = in_state(s, t, PodState::Failing);
    let since = bad.iter().map(|p| p.waiting_since()).min()?;
    let reasons = grouped(&bad);
    let reasons: Vec<_> = reasons.iter().take(CAUSES).map(String::as_str).collect();
    let text = format!("{} failing: {}{}", count(bad.len(), "pod"), reasons.join("; "), rollout(t));
    Some(found(Severity::Warning, text).since(Some(since)).because(cause(s, t)).answer(Answer::Open))
}

pub(super) fn unschedulable(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.is_down() {
        return None;
    }
    let waiting = in_state(s, t, PodState::Unschedulable);
    let since = waiting.iter().map(|p| p.created).min()?;
    let told = waiting.len() > in_state(s, t, PodState::Failing).len();
    let rollout = if told { rollout(t) } else { String::new() };
    let text = format!("{} on no node: {}{rollout}", count(waiting.len(), "pod"), unplaced::why(s, &waiting));
    Some(found(Severity::Warning, text).since(Some(since)).answer(Answer::Open))
}

pub(super) fn stuck(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let since = t.workload.stuck_since?;
    let told = t.is_down()
        || why_refused(s, t).is_some()
        || t.pods.iter().any(|p| matches!(s.state_of(p), PodState::Failing | PodState::Unschedulable));
    let text =
        format!("rollout stuck: {} of {} pods on the new version", t.workload.counts.updated, t.desired());
    (!told).then(|| found(Severity::Warning, text).since(Some(since)).answer(Answer::Open))
}

pub(super) fn short(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let (ready, desired) = (t.ready(), t.desired());
    let of = |state| in_state(s, t, state);
    let told = of(PodState::Failing).len() + of(PodState::Unschedulable).len();
    let missing = desired.saturating_sub(t.active().count() as u32 + t.unread) as usize;
    let refused = if why_refused(s, t).is_some() { missing } else { 0 };
    // With pods that could not be read it is not known how many are short.
    if t.is_down() || t.unread > 0 || ready >= desired || told + refused >= (desired - ready) as usize {
        return None;
    }
    if s.grows(t) {
        let (n, start) = (desired - ready, if desired - ready == 1 { "starts" } else { "start" });
        let pods = count(n as usize, "pod");
        let text = format!("{ready} of {desired} ready: {pods} {start} after a scale-up");
        return Some(found(Severity::Notice, text).since(s.scaled(&t.workload)).answer(Answer::Open));
    }
    let unknown = of(PodState::Unknown);
    let why = silence(&unknown).map_or(String::new(), |why| format!(": {} unknown, {why}", unknown.len()));
    let since = t.active().filter(|p| !p.ready).map(|p| p.waiting_since()).min();
    let text = format!("{ready} of {desired} ready{why}");
    Some(found(Severity::Warning, text).since(since).because(cause(s, t)).answer(Answer::Open))
}

/// Why no further pod of the tenant can be made, while it has fewer than it asks for.
fn why_refused(s: &Snapshot, t: &Tenant) -> Option<String> {
    let active = t.active().count() as u32 + t.unread;
    if let Some(refused) = &t.workload.refused {
        return Some(refused.words());
    }
    (active < t.desired())
        .then(|| full(s, t).map(|(quota, text)| format!("quota {} is full: {text}", quota.key.name)))?
}

/// The quota that allows no further pod of the tenant, and its arithmetic.
fn full<'a>(s: &'a Snapshot, t: &'a Tenant) -> Option<(&'a Quota, String)> {
    let spec = t.active().last().map_or(&t.workload.template, |p| &p.spec);
    s.quotas_of(&t.workload.key.key.namespace).find_map(|quota| {
        let (resource, wanted, line) = quota.refuses(spec)?;
        let amount = |n| Quota::amount(resource, n);
        let used = line.used.map_or_else(|| "?".into(), amount);
        Some((
            &**quota,
            format!("{resource} {used} of {}, a pod takes {}", amount(line.hard), amount(wanted)),
        ))
    })
}

impl Refused {
    /// Why pods are refused, in a few words: `quota q is full: pods 2 of 2, a pod takes 1`.
    pub fn words(&self) -> String {
        refusal(&self.message, &self.reason)
    }
}

/// What the API server said when it refused a pod, without the pod's name.
fn refusal(message: &str, reason: &str) -> String {
    let message = message.lines().next().unwrap_or_default().trim();
    let message = message.split_once(" is forbidden: ").map_or(message, |(_, rest)| rest);
    let message = message.strip_prefix("error when creating pods: ").unwrap_or(message);
    if let Some(rest) = message.strip_prefix("exceeded quota: ") {
        let mut parts = rest.split(", ");
        let quota = parts.next().unwrap_or_default();
        let part = |name: &str| {
            let text = rest.split_once(name)?.1;
            Some(text.split([':', ' ']).next()?.trim_end_matches(',').to_owned())
        };
        // `requested: pods=1, used: pods=2, limited: pods=2`; several resources stand between the same words.
        if let (Some(wanted), Some(used), Some(limited)) =
            (part("requested: "), part("used: "), part("limited: "))
        {
            let resource = limited.split('=').next().unwrap_or_default().to_owned();
            let value = |text: &str| text.split_once('=').map_or(text, |(_, v)| v).to_owned();
            if wanted.starts_with(&*resource) && used.starts_with(&*resource) {
                let (wanted, used, limited) = (value(&wanted), value(&used), value(&limited));
                return format!(
                    "quota {quota} is full: {resource} {used} of {limited}, a pod takes {wanted}"
                );
            }
        }
        return format!("quota {quota} is full: {}", parts.collect::<Vec<_>>().join(", "));
    }
    match message {
        "" => reason.to_owned(),
        // As a LimitRange says it: `maximum memory usage per Container is 1Gi, but limit is 4Gi`.
        text if text.starts_with("maximum ")
            || text.starts_with("minimum ")
            || text.contains(" ratio per ") =>
        {
            format!("a LimitRange refuses them: {text}")
        }
        text => text.to_owned(),
    }
}

pub(super) fn refused(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.is_down() {
        return None;
    }
    let why = why_refused(s, t)?;
    let missing = t.desired().saturating_sub(t.active().count() as u32 + t.unread);
    let what = if missing == 0 { "a pod".to_owned() } else { format!("{missing} of {} pods", t.desired()) };
    let since = t.workload.refused.as_ref().and_then(|r| r.since);
    let text = format!("{what} cannot be made: {why}{}", rollout(t));
    Some(found(Severity::Warning, text).since(since).answer(Answer::Open))
}

pub(super) fn quota(s: &Snapshot, t: &Tenant) -> Option<Found> {
    if t.desired() == 0 || why_refused(s, t).is_some() {
        return None;
    }
    let (quota, text) = full(s, t)?;
    let text = format!("quota {} allows no further pod: {text}", quota.key.name);
    Some(found(Severity::Notice, text).answer(Answer::Open))
}

/// A pod that should be gone by now, and why it is not.
pub(super) fn overdue(s: &Snapshot, pod: &Pod) -> Option<(Timestamp, String, Option<Subject>)> {
    let due = pod.deleting?;
    // By the minute: what rests on it need not be asked again every second.
    if s.at.as_second().div_euclid(60) * 60 - due.as_second() < GONE_WITHIN.as_secs() {
        return None;
    }
    let on = pod.node.as_ref().map_or(String::new(), |n| format!(" on {n}"));
    let silent = pod.node.as_ref().filter(|n| s.is_silent(Some(n)));
    let why = s.what_keeps(pod);
    let held = pod.spec.requests().1;
    let held =
        if pod.holds_resources() && held > Memory::ZERO { format!(", holds {held}") } else { String::new() };
    let cause = silent.filter(|_| pod.finalizers.is_empty()).map(|n| Subject::Node((*n).clone()));
    Some((due, format!("{}{on} {why}{held}", pod.key.name), cause))
}

pub(super) fn terminating(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let all: Vec<_> = t.pods.iter().filter_map(|p| overdue(s, p)).collect();
    let (due, text, cause) = all.iter().min_by_key(|(due, ..)| *due)?;
    let more = if all.len() > 1 { format!(" and {} more", all.len() - 1) } else { String::new() };
    let text = format!("{} terminating: {text}{more}", count(all.len(), "pod"));
    Some(found(Severity::Warning, text).since(Some(*due)).because(cause.clone()).answer(Answer::Open))
}

/// Pods that a ReplicaSet made, that have failed as a whole (evicted, refused by the node) and were left behind: their
/// replacements are there, and nothing removes them below the garbage collector's 12,500.
pub(super) fn left_behind(s: &Snapshot, t: &Tenant) -> Option<Found> {
    let made = |p: &&Pod| p.owner.as_ref().is_some_and(|o| &*o.kind == "ReplicaSet") && p.deleting.is_none();
    let all: Vec<&Pod> =
        t.pods.iter().map(|p| &**p).filter(|p| p.phase == Phase::Failed).filter(made).collect();
    let newest = all.iter().map(|p| p.created).max()?;
    let held_up = all.iter().filter_map(|p| p.held_up.as_deref());
    let mut reasons = by_frequency(held_up.map(|why| why.split(':').next().unwrap_or(why).trim()));
    reasons.truncate(CAUSES);
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let (are, take) = if all.len() == 1 { ("is", "it takes") } else { ("are", "they take") };
    let text = format!("{} {are} left behind{why}: {take} no resources", count(all.len(), "failed pod"));
    let selector = t.workload.selector.written();
    let remedy = format!(
        "`{} delete pods --field-selector=status.phase=Failed -l {}` removes them",
        by_hand::kubectl(s, Some(&t.workload.key.key.namespace)),
        by_hand::shell(&selector)
    );
    Some(found(Severity::Notice, text).since(Some(newest)).answer(Answer::Open).remedy(remedy))
}

pub(super) fn resizing(_: &Snapshot, t: &Tenant) -> Option<Found> {
    let waits = t.active().filter_map(|p| Some((p, p.resize.as_ref().filter(|r| !r.reason.is_empty())?)));
    let waits: Vec<_> = waits.collect();
    let (pod, resize) = waits.first()?;
    let wished = resize.wished.containers.iter().zip(&pod.spec.containers);
    let differs = wished.filter(|(w, f)| w.resources.limits.memory != f.resources.limits.memory);
    let memory = |m: Option<Memory>| m.map_or_else(|| "no limit".into(), |m| m.to_string());
    let what = differs.map(|(w, f)| {
        let (wished, force) = (w.resources.limits.memory, f.resources.limits.memory);
        format!("{} asks for {}, {} is in force", w.name, memory(wished), memory(force))
    });
    let what = what.collect::<Vec<_>>().join(", ");
    let what =
        if what.is_empty() { "other resources are asked for than are in force".to_owned() } else { what };
    let why = match &resize.message {
        Some(message) => format!("{}: {message}", resize.reason),
        None => resize.reason.to_string(),
    };
    let severity = if &*resize.reason == "InProgress" { Severity::Notice } else { Severity::Warning };
    let text = format!("resize of {} pending: {what} ({why})", count(waits.len(), "pod"));
    Some(found(severity, text).since(resize.since).answer(Answer::Open))
}

/// Pods that run with other limits than new ones would get, in one sentence.
pub fn other_limits(tenant: &Tenant) -> Option<String> {
    // In a rollout the older ones are of another template.
    if tenant.workload.is_rolling() {
        return None;
    }
    let template = &tenant.workload.template.containers;
    let other = |pod: &&Pod| {
        pod.spec.containers.iter().find_map(|has| {
            let wanted = template.iter().find(|container| container.name == has.name)?;
            let (has, wanted) = (&has.resources.limits, &wanted.resources.limits);
            let memory = wanted.memory.zip(has.memory).filter(|(wanted, has)| wanted != has);
            let cpu = wanted.cpu.zip(has.cpu).filter(|(wanted, has)| wanted != has);
            let memory = memory.map(|(wanted, has)| ("memory", wanted.to_string(), has.to_string()));
            memory.or_else(|| cpu.map(|(wanted, has)| ("CPU", wanted.to_string(), has.to_string())))
        })
    };
    let (mut pods, mut first) = (0, None);
    for found in tenant.active().filter_map(|pod| other(&&**pod)) {
        pods += 1;
        first.get_or_insert(found);
    }
    let (what, wanted, has) = first?;
    let have = if pods == 1 { "has" } else { "have" };
    Some(format!(
        "{} {have} a {what} limit of {has}, the template says {wanted}: the next rollout gives {wanted}",
        count(pods, "pod")
    ))
}

pub(super) fn resized(_: &Snapshot, t: &Tenant) -> Option<Found> {
    Some(found(Severity::Notice, other_limits(t)?).answer(Answer::Open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_without_the_name_of_a_pod() {
        for (message, told) in [
            (
                "pods \"acme-1-\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
                "quota q is full: pods 2 of 2, a pod takes 1",
            ),
            (
                "pods \"a\" is forbidden: exceeded quota: q, requested: limits.memory=1Gi,pods=1, used: limits.memory=2Gi,pods=2, limited: limits.memory=2Gi,pods=2",
                "quota q is full: limits.memory 2Gi,pods=2 of 2Gi,pods=2, a pod takes 1Gi,pods=1",
            ),
            (
                "pods \"a\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi",
                "a LimitRange refuses them: maximum memory usage per Container is 1Gi, but limit is 4Gi",
            ),
            (
                "admission webhook \"policy.example.com\" denied the request: no tag latest",
                "admission webhook \"policy.example.com\" denied the request: no tag latest",
            ),
            (
                "pods \"a\" is forbidden: error looking up service account acme/web: serviceaccount \"web\" not found",
                "error looking up service account acme/web: serviceaccount \"web\" not found",
            ),
            ("", "FailedCreate"),
        ] {
            assert_eq!(refusal(message, "FailedCreate"), told);
        }
    }
}
