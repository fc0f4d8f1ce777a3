//! What is checked before pods that run are given other limits: each check is one sentence with its arithmetic.

use std::sync::Arc;

use super::{Wanted, room, support};
use crate::{
    cluster::{
        Cpu, Memory, Pod, PodSpec, Quota, Setting, Snapshot, Tenant, headroom,
        words::{age, count},
    },
    plan::{
        Check, Given,
        Verdict::{Ok, Refuse, Warn},
        admission, by_hand, check, in_use,
    },
};

/// All checks of one tenant, in reading order.
pub(super) fn all(seen: &Snapshot, tenant: &Tenant, wanted: &[Wanted]) -> Vec<Check> {
    let mut checks = support::checks(seen, wanted);
    checks.extend(wanted.iter().find_map(class));
    let used = use_of(seen, tenant, wanted);
    // What is in use says more than what is requested.
    let killed = used.iter().any(|check| check.verdict == Refuse);
    checks.extend(wanted.iter().find_map(below_request).filter(|_| !killed));
    checks.extend(used);
    checks.extend(room::checks(seen, wanted));
    checks.extend(allowed(seen, tenant, wanted));
    checks.extend(waits(wanted));
    checks.extend(restarts(wanted));
    // What is not done gains nothing, and nobody should copy a line that makes it last.
    if checks.iter().all(|check| check.verdict != Refuse) {
        checks.extend(gain(seen, tenant, wanted));
        checks.extend(template(seen, tenant, wanted));
    }
    checks.extend(check::rollout(seen, &tenant.workload));
    checks.extend(check::lease(seen, &tenant.name));
    checks
}

/// The spec of a pod with the limits it is to have.
fn becomes(one: &Wanted, spec: &PodSpec) -> PodSpec {
    let mut spec = spec.clone();
    for container in spec.containers.iter_mut().filter(|c| c.name == one.container) {
        one.to.put(&mut container.resources);
    }
    spec
}

/// The class of service that a pod would lose: the API server refuses that.
fn class(one: &Wanted) -> Option<Check> {
    let now = one.pod.wished();
    let (was, is) = (now.qos(), becomes(one, now).qos());
    let (name, container) = (&one.pod.key.name, &one.container);
    (was != is).then(|| {
        let text = format!(
            "{name} is {was}, and {} would make it {is}: a pod that runs keeps its class of service; give {container} \
             {} in the template",
            one.from.becomes(one.to),
            one.to.limits()
        );
        Check::new("class", Refuse, text)
    })
}

/// A limit below the request: the API server refuses that.
fn below_request(one: &Wanted) -> Option<Check> {
    let name = &one.pod.key.name;
    let Given { memory_request, memory_limit, cpu_request, cpu_limit } = one.to;
    let text = match (memory_request.zip(memory_limit), cpu_request.zip(cpu_limit)) {
        (Some((request, limit)), _) if limit < request => {
            format!(
                "{} of {name} requests {request} of memory, more than the limit of {limit}",
                one.container
            )
        }
        (_, Some((request, limit))) if limit < request => {
            format!("{} of {name} requests {request} CPUs, more than the limit of {limit}", one.container)
        }
        _ => return None,
    };
    Some(Check::new("request", Refuse, text))
}

/// A limit below what is in use or was used; what is not measured is not lowered.
fn use_of(seen: &Snapshot, tenant: &Tenant, wanted: &[Wanted]) -> Vec<Check> {
    let limits =
        |one: &Wanted| one.to.memory_limit.filter(|limit| Some(*limit) != one.in_force().memory_limit);
    let over = wanted.iter().find_map(|one| in_use::above(seen, &one.pod, &one.container, limits(one)?));
    if let Some(text) = over {
        return vec![Check::new("use", Refuse, text)];
    }
    let lowered: Vec<_> = wanted.iter().filter(|one| one.lowers()).collect();
    if let Some(one) = lowered.iter().find(|one| in_use::now(seen, &one.pod, &one.container).is_none()) {
        let text = format!(
            "what {} of {} uses is not measured: a lower limit may kill it",
            one.container, one.pod.key.name
        );
        return vec![Check::new("use", Refuse, text)];
    }
    let serves = tenant.workload.template.serving(&seen.tenancy.container);
    let serves = |container: &Arc<str>| serves.is_some_and(|c| c.name == *container);
    let peak = seen.history.peak(&tenant.name);
    if let Some((one, peak)) = lowered.iter().find(|one| serves(&one.container)).zip(peak) {
        let limit = one.to.memory_limit.unwrap_or_default();
        let since = age(seen.at, peak.since);
        if peak.used > limit {
            let ago = age(seen.at, peak.at);
            let text = format!(
                "{} of a pod used {} {ago} ago (the most in {since}), more than {limit}",
                one.container, peak.used
            );
            return vec![Check::new("use", Refuse, text)];
        }
        let text = format!("the most that {} of a pod used in {since} is {}", one.container, peak.used);
        return vec![near(text, peak.used, limit)];
    }
    let used = wanted.iter().filter_map(|one| in_use::now(seen, &one.pod, &one.container)).max();
    let least = lowered.iter().filter_map(|one| one.to.memory_limit).min().unwrap_or(Memory(u64::MAX));
    used.map(|used| near(format!("{used} at most in use"), used, least)).into_iter().collect()
}

/// A lower limit leaves a tenth more than was used, or that is a warning.
fn near(text: String, used: Memory, limit: Memory) -> Check {
    match used + Memory(used.0 / 10) > limit {
        true => {
            let text = format!("{text}: {limit} leaves less than a tenth more, and it may be killed soon");
            Check::new("use", Warn, text)
        }
        false => Check::new("use", Ok, text),
    }
}

/// Whether LimitRanges and quotas allow it.
fn allowed(seen: &Snapshot, tenant: &Tenant, wanted: &[Wanted]) -> Vec<Check> {
    let namespace = &*tenant.workload.key.key.namespace;
    let mut all = Vec::new();
    for (what, freshness) in
        [("quotas", &seen.quotas.freshness), ("LimitRanges", &seen.limit_ranges.freshness)]
    {
        if let crate::cluster::Freshness::Missing { why } = freshness {
            let text = format!("{what} cannot be read ({why}): whether one refuses it is not known");
            all.push(Check::new("quota", Warn, text));
        }
    }
    let broken = wanted.iter().find_map(|one| {
        let spec = becomes(one, one.pod.wished());
        let mut ranges = seen.limit_ranges_of(namespace);
        ranges.find_map(|range| Some((range.key.name.clone(), admission::out_of_range(range, &spec)?)))
    });
    all.extend(
        broken
            .map(|(range, why)| Check::new("quota", Refuse, format!("LimitRange {range} refuses it: {why}"))),
    );
    for quota in seen.quotas_of(namespace) {
        all.extend(over_quota(quota, wanted));
    }
    all
}

/// The resource of a quota that does not allow it.
/// Source: `pkg/quota/v1/evaluator/core/pods.go`: what a pod takes more is charged.
fn over_quota(quota: &Quota, wanted: &[Wanted]) -> Option<Check> {
    let of = |resource: &str, spec: &PodSpec| match resource {
        "requests.memory" | "memory" => spec.requests().1.0,
        "limits.memory" => spec.limits().1.0,
        "requests.cpu" | "cpu" => spec.requests().0.0,
        "limits.cpu" => spec.limits().0.0,
        _ => 0,
    };
    quota.lines.iter().find_map(|(resource, line)| {
        let left = line.left()?;
        let counted = wanted.iter().filter(|one| quota.counts(one.pod.wished()) != Some(false));
        let (now, then) = counted.fold((0u64, 0u64), |(now, then), one| {
            let spec = one.pod.wished();
            (now.saturating_add(of(resource, spec)), then.saturating_add(of(resource, &becomes(one, spec))))
        });
        let more = then.saturating_sub(now);
        (more > left).then(|| {
            let amount = |n| Quota::amount(resource, n);
            let (used, hard, name) = (line.used.unwrap_or(0), line.hard, &quota.key.name);
            let text = format!(
                "quota {name} has {resource} {} of {} used, this takes {} more",
                amount(used),
                amount(hard),
                amount(more)
            );
            Check::new("quota", Refuse, text)
        })
    })
}

/// What kubelets say of changes that are under way already.
fn waits(wanted: &[Wanted]) -> Option<Check> {
    let (one, text) =
        wanted.iter().find_map(|one| Some((one, super::super::change::resize_told(&one.pod)?)))?;
    let text = format!("{} is being resized already: {text}", one.pod.key.name);
    Some(Check::new("resize", Warn, text))
}

/// How many more requests the tenant takes before and after.
fn gain(seen: &Snapshot, tenant: &Tenant, wanted: &[Wanted]) -> Option<Check> {
    let now = headroom(seen, tenant);
    let to = |pod: &Arc<Pod>| match wanted.iter().find(|one| one.pod.key == pod.key) {
        Some(one) => Arc::new(Pod { spec: Arc::new(becomes(one, &pod.spec)), ..Pod::clone(pod) }),
        None => pod.clone(),
    };
    let then = Tenant { pods: tenant.pods.iter().map(to).collect(), ..tenant.clone() };
    let then = headroom(seen, &then);
    let (before, after) = (now.more?, then.more?);
    let Setting { value, source } = &now.request_memory;
    let bound: Vec<_> = then.binding.iter().map(|bound| bound.word()).collect();
    let bound = match bound.is_empty() || after > before {
        true => String::new(),
        false => format!("; {} binds", bound.join(" and ")),
    };
    let text = format!(
        "room for {} at once before, {after} afterwards ({value} a request, {source}){bound}",
        count(before, "more request")
    );
    Some(Check::new("headroom", Ok, text))
}

/// A container whose resize policy restarts it.
fn restarts(wanted: &[Wanted]) -> Option<Check> {
    let which = |one: &Wanted| {
        let (from, to) = (one.from, one.to);
        let memory = (from.memory_request, from.memory_limit) != (to.memory_request, to.memory_limit);
        let cpu = (from.cpu_request, from.cpu_limit) != (to.cpu_request, to.cpu_limit);
        let changed = [("memory", memory), ("cpu", cpu)].into_iter().filter(|(_, differs)| *differs);
        changed.map(|(resource, _)| resource).find(|resource| one.restarted_by(resource))
    };
    let all: Vec<_> = wanted.iter().filter_map(|one| Some((one, which(one)?))).collect();
    let (one, resource) = all.first()?;
    let text = format!(
        "{} of {} is restarted: its resizePolicy for {resource} is RestartContainer; the requests it serves are cut, one \
         pod after another",
        one.container,
        count(all.len(), "pod")
    );
    Some(Check::grave("restart", text))
}

/// What the next rollout makes of it, and the line by which it lasts.
fn template(seen: &Snapshot, tenant: &Tenant, wanted: &[Wanted]) -> Option<Check> {
    let first = wanted.first()?;
    let workload = &tenant.workload;
    let has = Given::of(&workload.template, &first.container)?;
    let differs = has.differing(first.to);
    if differs.is_empty() {
        return Some(Check::new("template", Ok, "the template has the same: new pods get it too"));
    }
    let keeps: Vec<_> = differs.iter().map(|(list, name, _)| kept(has, list, name)).collect();
    let now = keeps.join(" and ");
    let of = |list: &str| {
        let all =
            differs.iter().filter(|(l, ..)| *l == list).map(|(_, name, value)| format!("{name}={value}"));
        all.collect::<Vec<_>>().join(",")
    };
    let flag = |name: &str, text: String| if text.is_empty() { text } else { format!(" --{name}={text}") };
    let kubectl = by_hand::kubectl(seen, Some(&workload.key.key.namespace));
    let line = format!(
        "{kubectl} set resources {}/{} -c {}{}{}",
        workload.key.kind.name().to_lowercase(),
        workload.key.key.name,
        first.container,
        flag("requests", of("requests")),
        flag("limits", of("limits"))
    );
    let kind = workload.key.kind.name();
    let last = match (&workload.owner, &workload.gitops) {
        // What is set in the workload itself is taken back.
        (Some(owner), _) => format!(
            "change it in {} {}, to which this {kind} belongs: its controller takes back what is set here",
            owner.kind, owner.name
        ),
        (None, Some(tool)) => format!("change it where {tool} has the manifest from"),
        (None, None) => format!("`{line}` (which begins a rollout)"),
    };
    let text = format!(
        "the template keeps {now}: pods of the next rollout, and any new pod, have that; to make this last: {last}"
    );
    Some(Check::new("template", Warn, text))
}

/// What the template has of one resource: `a memory limit of 640 Mi`, `no CPU limit`.
fn kept(has: Given, list: &str, name: &str) -> String {
    let memory = |m: Option<Memory>| m.map(|m| m.to_string());
    let cpu = |c: Option<Cpu>| c.map(|c| c.to_string());
    let (what, amount) = match (name, list) {
        ("memory", "limits") => ("memory limit", memory(has.memory_limit)),
        ("memory", _) => ("memory request", memory(has.memory_request)),
        (_, "limits") => ("CPU limit", cpu(has.cpu_limit)),
        _ => ("CPU request", cpu(has.cpu_request)),
    };
    amount.map_or_else(|| format!("no {what}"), |amount| format!("a {what} of {amount}"))
}
