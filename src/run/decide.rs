//! What a run does next: a pure function of what has happened, what is seen and what time it is.
//!
//! Called by `drive` in a loop, and by tests. It must never act. Only what is followed at this moment, and is not older
//! than the last write, is evidence; from anything less it decides to wait.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Event, Outcome, Run, RunState, StepState, perform::Mark};
use crate::{
    cluster::{PodState, ResourceVersion, Snapshot, TenantName, WorkloadKey, WorkloadKind},
    plan::{About, Change, Standing, Step, hindrance, verify_database},
    wire::Endpoint,
};

/// The next move of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Write down that this step begins, then do it.
    Perform(usize),
    /// This step is not needed.
    Skip(usize, String),
    /// This step is done.
    Done(usize, String),
    /// Nothing to do until something is seen, or until then.
    Wait {
        /// Decide again at this time at the latest.
        until: Option<Timestamp>,
        /// What for.
        text: String,
    },
    /// Compare a tenant with its prediction.
    Verify(TenantName),
    /// Stop at this step, and ask an operator.
    Pause(usize, String),
    /// It is over.
    Finish(Outcome, String),
}

/// What this session knows beside the journal and the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Workloads as the API server itself told them to us: an older observation is no evidence.
    pub(super) told: BTreeMap<WorkloadKey, Told>,
    /// Endpoints of the database as they were last written or looked at: an older observation is no evidence.
    pub(super) marks: BTreeMap<Endpoint, Mark>,
    /// An operator asked to stop, in words.
    pub(super) pause: Option<String>,
}

/// A workload by the API server's own answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// Its `resourceVersion`.
    pub(super) version: ResourceVersion,
    /// Replicas it asked for.
    pub(super) desired: u32,
}

/// How long an endpoint of the database may not be seen before a write, in seconds.
const UNSEEN: u32 = 60;
/// The monitor of a proxy must have checked for so many intervals since a write.
const CHECKS: u32 = 2;
/// So many readings of an endpoint must be later than a write: the first may have begun before it.
const READINGS: usize = 2;

/// What to do next.
pub(super) fn decide(run: &Run, seen: &Snapshot, now: Timestamp, facts: &Facts) -> Decision {
    if run.state != RunState::Running {
        return Decision::Wait { until: None, text: format!("the run is {}", run.state) };
    }
    let open = |s: &StepState| !matches!(s, StepState::Done(_) | StepState::Skipped(_));
    let Some(i) = run.steps.iter().position(open) else {
        return conclude(run, seen);
    };
    if let Some(why) = &facts.pause {
        return Decision::Pause(i, why.clone());
    }
    let step = &run.plan().steps[i];
    if let Some(text) = blind(&step.change, seen, facts) {
        if step.change.workload().is_some() {
            return Decision::Wait { until: None, text };
        }
        // An endpoint of the database may be gone for good: then an operator is asked.
        let until = deadline(run, i, now);
        return match now < until {
            true => Decision::Wait { until: Some(until), text },
            false => Decision::Pause(i, text),
        };
    }
    let begun = run.steps[i] != StepState::Waiting;
    match (&step.change, step.change.stands(seen)) {
        (_, Standing::Elsewhere(why)) => Decision::Pause(i, lead(run, step) + &why),
        (Change::Replicas { .. }, Standing::AtFrom(_)) => Decision::Perform(i),
        (Change::Replicas { to, .. }, Standing::AtTo) if begun => {
            Decision::Done(i, format!("found at {to} replicas: the write had gone through"))
        }
        (Change::Replicas { to, .. }, Standing::AtTo) => {
            Decision::Skip(i, format!("it has {to} replicas already"))
        }
        (change, Standing::AtTo) if change.is_write() && begun => {
            Decision::Done(i, "found so: the write had gone through".into())
        }
        (change, Standing::AtTo) if change.is_write() => Decision::Skip(i, "it is so already".into()),
        (change, Standing::AtFrom(_)) if change.is_write() => {
            match hindrance(change, then_writes(run, i), seen) {
                Some(why) => Decision::Pause(i, format!("{}{why}; nothing was written", lead(run, step))),
                None => Decision::Perform(i),
            }
        }
        (_, Standing::AtTo) => Decision::Done(i, settled(step, seen)),
        (_, Standing::AtFrom(_)) if run.steps[i] != StepState::Started => Decision::Perform(i),
        (_, Standing::AtFrom(text)) => {
            let until = deadline(run, i, now);
            if now < until {
                // The step itself says what of the database is waited for.
                let text = match &step.about {
                    About::Tenant(name) => format!("{name}: {text}"),
                    About::Database => text,
                };
                return Decision::Wait { until: Some(until), text };
            }
            let within = step.within;
            let missing = missing(step, seen);
            let lead = match &step.about {
                About::Tenant(name) => format!("{name}: "),
                About::Database => lead(run, step),
            };
            Decision::Pause(i, format!("{lead}{text} after {within} s{missing}"))
        }
    }
}

/// Whether a backend is to write once a step that changes its rows has held: what the wait for that says.
fn then_writes(run: &Run, i: usize) -> Option<bool> {
    let Change::Servers { proxy, address, .. } = &run.plan().steps[i].change else { return None };
    run.plan().steps[i..].iter().find_map(|step| match &step.change {
        Change::Holds { proxy: p, address: a, as_writer, .. } if (p, a) == (proxy, address) => {
            Some(*as_writer)
        }
        _ => None,
    })?
}

/// What a sentence about the database is about: alone it would not say.
fn lead(run: &Run, step: &Step) -> String {
    match step.about {
        About::Tenant(_) => String::new(),
        About::Database => format!("{}: ", run.plan().words(&step.change)),
    }
}

/// Why nothing can be told about a change from this snapshot, if so.
fn blind(change: &Change, seen: &Snapshot, facts: &Facts) -> Option<String> {
    let Some(key) = change.workload() else { return unproven(change, seen, facts) };
    let workloads = match key.kind {
        WorkloadKind::Deployment => ("deployments", &seen.deployments.freshness),
        WorkloadKind::StatefulSet => ("statefulsets", &seen.stateful_sets.freshness),
    };
    let mut needed = vec![workloads];
    if !change.is_write() {
        needed.push(("pods", &seen.pods.freshness));
    }
    for (name, freshness) in needed {
        if !freshness.is_live() {
            let why = freshness.trouble().map_or(String::new(), |why| format!(": {why}"));
            return Some(format!("{name} are not followed at present{why}"));
        }
    }
    let told = facts.told.get(key)?;
    // A workload that is gone is gone: it was there when the API server told of it.
    let workload = seen.workload(key)?;
    let caught_up = at_least(&workload.resource_version, &told.version)
        .unwrap_or(workload.resource_version == told.version || workload.desired == told.desired);
    (!caught_up).then(|| format!("{key}: what was written has not come back yet"))
}

/// The endpoint of the database a change is about.
pub(super) fn endpoint(change: &Change) -> Option<Endpoint> {
    match change {
        Change::Replicas { .. } | Change::Settle { .. } => None,
        Change::Servers { proxy, .. }
        | Change::Holds { proxy, .. }
        | Change::Serves { proxy, .. }
        | Change::Save { proxy, .. } => Some(Endpoint::Proxy(proxy.as_str().to_owned())),
        Change::Desync { member, .. } | Change::Desynced { member, .. } => {
            Some(Endpoint::Member(member.as_str().to_owned()))
        }
    }
}

/// Why nothing can be told about a change of the database: its endpoint is not seen, or was last seen before it was
/// last written.
fn unproven(change: &Change, seen: &Snapshot, facts: &Facts) -> Option<String> {
    if let Some(why) = change.unseen(seen) {
        return Some(why);
    }
    let mark = facts.marks.get(&endpoint(change)?)?;
    let (name, readings) = match change {
        Change::Desync { member, .. } | Change::Desynced { member, .. } => {
            let history = &seen.galera.get(member)?.history;
            (member.to_string(), history.iter().filter(|s| s.at > mark.at).count())
        }
        Change::Servers { proxy, .. }
        | Change::Holds { proxy, .. }
        | Change::Serves { proxy, .. }
        | Change::Save { proxy, .. } => {
            let history = &seen.proxies.get(proxy)?.history;
            (proxy.to_string(), history.iter().filter(|s| s.at > mark.at).count())
        }
        Change::Replicas { .. } | Change::Settle { .. } => return None,
    };
    if readings < READINGS {
        return Some(format!("{name} has not been read again yet"));
    }
    let Change::Holds { proxy, .. } = change else { return None };
    let status = seen.proxies.get(proxy)?.now()?;
    let interval = SignedDuration::try_from(status.check_every? * CHECKS).ok()?;
    let wanted = mark.checked?.checked_add(interval).ok()?;
    let newest = status.checks.iter().map(|c| c.at).max();
    newest.is_none_or(|newest| newest < wanted).then(|| {
        format!(
            "the monitor of {name} has not made {CHECKS} checks since: what it does not want it puts back"
        )
    })
}

/// Whether a version is that one or a later one. Versions are whole numbers of any size that only grow, as Kubernetes
/// 1.35 promises and every release with etcd behaves; `None` when a server has others.
fn at_least(version: &ResourceVersion, wanted: &ResourceVersion) -> Option<bool> {
    let number = |v: &ResourceVersion| {
        let digits = v.as_str();
        let is = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is.then(|| (digits.trim_start_matches('0').len(), digits.trim_start_matches('0').to_owned()))
    };
    Some(number(version)? >= number(wanted)?)
}

/// Until when a wait may last: its time runs from its begin, or from when a session took the run up again.
fn deadline(run: &Run, i: usize, now: Timestamp) -> Timestamp {
    let begins = |e: &&super::Entry| e.event == Event::Taken || e.event == Event::Started { step: i };
    let began = run.entries.iter().rev().find(begins).map_or(now, |e| e.at);
    let step = &run.plan().steps[i];
    // A write has no time of its own: this is how long its endpoint may not be seen.
    let within = if step.change.is_write() { step.within.max(UNSEEN) } else { step.within };
    let within = SignedDuration::from_secs(within.into());
    began.checked_add(within).unwrap_or(Timestamp::MAX)
}

/// Where the pods are, now that they are all there.
fn settled(step: &Step, seen: &Snapshot) -> String {
    let Some(tenant) = step.change.workload().and_then(|key| seen.tenant_of(key)) else {
        return String::new();
    };
    match tenant.ready() {
        0 => "no pods".into(),
        n => format!("{n} ready{}", on(&tenant.placement())),
    }
}

fn on(placement: &BTreeMap<crate::cluster::NodeName, u32>) -> String {
    const SHOWN: usize = 8;
    let mut nodes: Vec<_> = placement
        .iter()
        .take(SHOWN)
        .map(|(node, n)| if *n == 1 { node.to_string() } else { format!("{node} ({n})") })
        .collect();
    if placement.len() > SHOWN {
        nodes.push(format!("{} more nodes", placement.len() - SHOWN));
    }
    if nodes.is_empty() { String::new() } else { format!(" on {}", nodes.join(", ")) }
}

/// What a wait still lacks, pod by pod, in the words of the scheduler and the kubelet.
fn missing(step: &Step, seen: &Snapshot) -> String {
    const SHOWN: usize = 3;
    let Some(tenant) = step.change.workload().and_then(|key| seen.tenant_of(key)) else {
        return String::new();
    };
    let words: Vec<_> = tenant
        .pods
        .iter()
        .filter_map(|pod| {
            let name = &pod.key.name;
            match seen.state_of(pod) {
                PodState::Ready | PodState::Finished => None,
                PodState::Terminating => Some(format!("{name} is still leaving")),
                PodState::Unschedulable => Some(format!(
                    "{name} is Pending: {}",
                    pod.unschedulable.as_deref().unwrap_or("no node takes it")
                )),
                PodState::Unknown => Some(format!(
                    "{name} is not known: {} does not answer",
                    pod.node.as_ref().map_or("its node", |n| n.as_str())
                )),
                PodState::Starting | PodState::Failing => {
                    let node = pod.node.as_ref().map_or(String::new(), |n| format!(" on {n}"));
                    let stopped = pod.containers.iter().find(|c| !c.ready && c.reason.is_some());
                    let container = stopped.map_or(String::new(), |c| format!("{} ", c.name));
                    let why = pod.why_not_ready().map_or(String::new(), |why| format!(": {container}{why}"));
                    Some(format!("{name}{node} is not ready{why}"))
                }
            }
        })
        .collect();
    if words.is_empty() {
        return String::new();
    }
    let more = words.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more pods") } else { String::new() };
    format!("; {}{more}", words.into_iter().take(SHOWN).collect::<Vec<_>>().join("; "))
}

/// All steps are through: the tenants are compared with the prediction, then it is over.
fn conclude(run: &Run, seen: &Snapshot) -> Decision {
    let verified = |tenant: &TenantName| {
        run.entries.iter().find_map(|e| match &e.event {
            Event::Verified { tenant: t, as_predicted, .. } if t == tenant => Some(*as_predicted),
            _ => None,
        })
    };
    if let Some(part) = &run.plan().database {
        let (_, text) = verify_database(part, seen);
        return Decision::Finish(Outcome::Done, format!("{}: {text}", part.words()));
    }
    let mut surprises = 0;
    for part in &run.plan().tenants {
        match verified(&part.tenant) {
            Some(as_predicted) => surprises += usize::from(!as_predicted),
            None if !seen.pods.freshness.is_live() => {
                return Decision::Wait { until: None, text: "pods are not followed at present".into() };
            }
            None => return Decision::Verify(part.tenant.clone()),
        }
    }
    let parts: Vec<_> =
        run.plan().tenants.iter().map(|p| format!("{} {} → {}", p.tenant, p.from, p.to)).collect();
    let what = match parts.as_slice() {
        few if few.len() <= 3 => few.join(", "),
        many => format!("{} tenants scaled", many.len()),
    };
    let how = match surprises {
        0 => "as predicted".into(),
        1 if parts.len() == 1 => "not where predicted".into(),
        n => format!("{n} not where predicted"),
    };
    Decision::Finish(Outcome::Done, format!("{what}: {how}"))
}

#[cfg(test)]
mod tests;
