//! What is checked before a scale is offered: each check is one sentence with its arithmetic.

use std::collections::BTreeMap;

use jiff::Timestamp;

mod certain;
mod floor;
mod open_run;
mod rolled;

pub use crate::cluster::{meant_tenant, unknown_node, unknown_tenant as unknown};
pub(super) use certain::certain;
pub(super) use open_run::open_run;
pub(super) use rolled::{refused, replaced, rolled};

use super::{Check, Verdict, by_hand, draft::Draft};
use crate::cluster::{
    Budget, Freshness, Lease, Memory, NodeName, Snapshot, Tenant, TenantName, Workload,
    words::{age, count, ordinal, short_run},
};
use floor::floor;

use Verdict::{Ok, Refuse, Warn};

/// Seconds between two looks of the autoscaler's controller (`--horizontal-pod-autoscaler-sync-period`).
const AUTOSCALER_SYNC: u32 = 15;

/// What must be known, and known now, before anything is planned; and what is only good to know.
pub(super) fn freshness(seen: &Snapshot) -> Vec<Check> {
    let mut checks = Vec::new();
    let needed = [
        ("nodes", &seen.nodes.freshness),
        ("pods", &seen.pods.freshness),
        ("deployments", &seen.deployments.freshness),
        ("statefulsets", &seen.stateful_sets.freshness),
    ];
    for (name, freshness) in needed {
        let text = match freshness {
            Freshness::Live { .. } => continue,
            // Without any StatefulSet in sight, the right to read them is not missed.
            Freshness::Missing { .. } if name == "statefulsets" && seen.deployments.freshness.is_live() => {
                continue;
            }
            // What needs them is not known then, and the plan says so.
            Freshness::Missing { .. } if name == "nodes" => continue,
            Freshness::Connecting => format!("{name} have not been read yet"),
            Freshness::Missing { why } => format!("{name} cannot be read: {why}"),
            // A moment, not an age: nothing comes that would make the plan again.
            Freshness::Stale { since, why } => {
                format!("{name} were last seen at {} ({why}): a plan would be a guess", moment(*since))
            }
        };
        checks.push(Check::new("freshness", Refuse, text));
    }
    for (name, freshness) in
        [("replicasets", &seen.replica_sets.freshness), ("services", &seen.services.freshness)]
    {
        if let Some(why) = unread(freshness) {
            let text = format!(
                "{name} {why}: the scheduler's default spreading is not known, pods may land elsewhere"
            );
            checks.push(Check::new("freshness", Warn, text));
        }
    }
    checks.extend(certain::room(seen));
    checks
}

/// Why a source says nothing, when it never has said anything.
fn unread(freshness: &Freshness) -> Option<String> {
    match freshness {
        Freshness::Connecting => Some("have not been read yet".into()),
        Freshness::Missing { why } => Some(format!("cannot be read ({why})")),
        _ => None,
    }
}

/// All checks of one tenant, in reading order.
pub(super) fn tenant(seen: &Snapshot, draft: &Draft, blind: bool) -> Vec<Check> {
    let from = draft.tenant.desired();
    if !draft.changes() {
        let nothing = Check::new("range", Ok, format!("already at {from}: nothing to do"));
        // What is asked for may not be what there is.
        return [nothing].into_iter().chain(refused(&draft.tenant.workload)).collect();
    }
    let mut checks = Vec::new();
    if draft.to > 1000 {
        let text = format!("{} replicas: is the number meant?", draft.to);
        checks.push(Check::new("range", Warn, text));
    }
    if draft.to == 0 {
        let name = &draft.tenant.name;
        checks.push(Check::new(
            "zero",
            Warn,
            format!("no pod is left: {name} is down until it is scaled up again"),
        ));
    } else if !blind {
        checks.push(floor(seen, draft));
    }
    if !blind {
        checks.extend(quota(draft));
        checks.extend(fits(draft));
        checks.extend(draft.passed_over.iter().map(|(node, why)| {
            Check::new("node", Ok, format!("not on {node}, which has the fewest pods: {why}"))
        }));
    }
    let workload = &draft.tenant.workload;
    checks.extend(health(draft));
    checks.extend(lost(seen, draft));
    checks.extend(refused(workload).filter(|_| draft.new > 0));
    checks.extend(claims(seen, draft));
    checks.extend(autoscaler(seen, workload, draft.to));
    checks.extend(gitops(workload));
    checks.extend(owner(workload));
    checks.extend(budget(seen, workload, draft.to));
    checks.extend(rollout(seen, workload));
    checks.extend(lease(seen, &draft.tenant.name));
    checks
}

/// Whether the API server lets the new pods in.
fn quota(draft: &Draft) -> Vec<Check> {
    let grows = draft.to > draft.tenant.desired();
    let unknown = draft.admission.unknown.iter().map(|why| Check::new("quota", Warn, why.clone()));
    let limit = draft.admission.limit.as_ref().map(|(_, why)| {
        let (new, let_in) = (draft.new, draft.let_in());
        let verdict = match (new > let_in, grows) {
            (false, _) => Ok,
            (true, true) => Refuse,
            (true, false) => Warn,
        };
        let text = match let_in {
            n if n == new => {
                format!("{} let in: {why}", if n == 1 { "the new pod is" } else { "the new pods are" })
            }
            0 => format!("no new pod is let in: {why}"),
            n => format!(
                "{n} of {} {} let in: {why}",
                count(new, "new pod"),
                if n == 1 { "is" } else { "are" }
            ),
        };
        Check::new("quota", verdict, text)
    });
    limit.into_iter().chain(unknown).collect()
}

/// More of what does not work may not work either.
fn health(draft: &Draft) -> Option<Check> {
    let pods = draft.tenant.active().count() as u32;
    let grows = draft.to > draft.tenant.desired();
    (grows && pods > 0 && draft.tenant.ready() == 0).then(|| {
        let text = match pods {
            1 => "its pod is not ready: a new one may fail too".to_owned(),
            n => format!("none of its {n} pods is ready: a new one may fail too"),
        };
        Check::new("health", Warn, text)
    })
}

/// Pods on nodes that do not answer: whether they serve anybody is not known.
fn lost(seen: &Snapshot, draft: &Draft) -> Option<Check> {
    let down = down(seen, draft);
    let lost: u32 = down.values().sum();
    let all: u32 = draft.predicted.values().sum();
    let names: Vec<_> = down.keys().map(|node| node.as_str()).collect();
    (lost > 0).then(|| {
        let (on, is) = if names.len() == 1 { ("node", "is") } else { ("nodes", "are") };
        let text = format!(
            "{lost} of {} on the {on} {}, which {is} not ready: whether they run is not known",
            count(all, "pod"),
            names.join(", ")
        );
        Check::new("lost", Warn, text)
    })
}

/// Pods that stay on nodes that are not ready.
fn down<'a>(seen: &Snapshot, draft: &'a Draft) -> BTreeMap<&'a NodeName, u32> {
    let is_down = |node: &NodeName| seen.nodes.get(node).is_some_and(|n| !n.is_ready());
    draft.predicted.iter().filter(|(node, _)| is_down(node)).map(|(node, pods)| (node, *pods)).collect()
}

/// The claims of a StatefulSet that go with its pods, and their data with them.
/// Source: `pkg/controller/statefulset/stateful_set_utils.go` `claimOwnerMatchesSetAndPod`.
fn claims(seen: &Snapshot, draft: &Draft) -> Option<Check> {
    let workload = &draft.tenant.workload;
    if !workload.claims_go_when_scaled || workload.claim_templates.is_empty() {
        return None;
    }
    const SHOWN: usize = 4;
    let namespace = &workload.key.key.namespace;
    let key = |name: &str| crate::cluster::Key::new(namespace.clone(), name);
    let name = &workload.key.key.name;
    // By the numbers that go, with their pods or without: a claim outlives the pod that is made again.
    let kept = workload.ordinals(draft.to);
    let goes = workload.ordinals(draft.tenant.desired()).filter(|n| !kept.contains(n)).rev().take(10_000);
    let mut pods: Vec<String> = goes.map(|n| format!("{name}-{n}")).collect();
    pods.extend(
        draft.removals.iter().map(|r| r.pod.clone()).filter(|pod| !pods.contains(pod)).collect::<Vec<_>>(),
    );
    let there = |pod: &str, claim: &str| {
        let known = seen.claims.freshness.is_live();
        let seen_pod = draft.removals.iter().any(|r| r.pod == pod);
        let key = key(claim);
        !known || seen_pod || seen.claims.get(&key).is_some() || seen.claims.unreadable.contains_key(&key)
    };
    let of_pod = |pod: &String| {
        let all = workload.claim_templates.iter().map(move |template| format!("{template}-{pod}"));
        all.filter(|claim| there(pod, claim)).collect::<Vec<_>>()
    };
    let names: Vec<_> = pods.iter().flat_map(of_pod).collect();
    if names.is_empty() {
        let text = "each new pod gets new, empty claims: its set deletes those of pods that are scaled away";
        return (draft.new > 0).then(|| Check::new("claims", Ok, text));
    }
    let size = |name: &String| seen.claims.get(&key(name)).and_then(|claim| claim.size);
    let shown = names.iter().take(SHOWN).map(|name| match size(name) {
        Some(size) => format!("{name} ({size})"),
        None => name.clone(),
    });
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "{} and the data on {} deleted (whenScaled: Delete), and no undo brings them back: {}{more}",
        count(names.len() as u32, "claim"),
        if names.len() == 1 { "it are" } else { "them are" },
        shown.collect::<Vec<_>>().join(", ")
    );
    Some(Check::new("claims", Warn, text))
}

/// Whether the new pods find nodes.
fn fits(draft: &Draft) -> Option<Check> {
    let grows = draft.to > draft.tenant.desired();
    if let Some(why) = &draft.refusal {
        let new = draft.new;
        let text = match (grows, draft.landed) {
            (false, _) => format!("{} without a node: {why}", count(new - draft.landed, "pod")),
            (true, 0) => format!("no node takes another pod: {why}"),
            (true, landed) => {
                let fit = if landed == 1 { "fits" } else { "fit" };
                format!("{landed} of {new} {fit}; the {}: {why}", ordinal(u64::from(landed) + 1))
            }
        };
        return Some(Check::new("fits", if grows { Refuse } else { Warn }, text));
    }
    if draft.room.is_empty() {
        return None;
    }
    const SHOWN: usize = 4;
    let room = draft.room.iter().take(SHOWN).map(|(node, free)| format!("{node} {}", Memory(*free)));
    let mut text = room.collect::<Vec<_>>().join(", ");
    if draft.room.len() > SHOWN {
        text += &format!(" and {} more", count((draft.room.len() - SHOWN) as u32, "node"));
    }
    Some(Check::new("fits", Ok, format!("{text} free of memory requests")))
}

fn autoscaler(seen: &Snapshot, workload: &Workload, to: u32) -> Vec<Check> {
    if let Some(why) = unread(&seen.autoscalers.freshness) {
        let text = format!("autoscalers {why}: whether one takes this back is not known");
        return vec![Check::new("autoscaler", Warn, text)];
    }
    let driving = seen.autoscalers.values().filter(|a| a.drives(&workload.key));
    let says = driving.map(|a| {
        let name = format!("{} ({}-{})", a.key.name, a.min, a.max);
        let back = |n: u32| format!("{name} will take it back to {n} at its next sync ({AUTOSCALER_SYNC} s)");
        let text = match to {
            0 => format!("{name} is switched off while replicas is 0"),
            _ if to < a.min => back(a.min),
            _ if to > a.max => back(a.max),
            _ if workload.desired == 0 => format!("{name} is switched on again, and may change the number"),
            _ => format!("{name} may change it again"),
        };
        Check::new("autoscaler", Warn, text)
    });
    says.collect()
}

fn gitops(workload: &Workload) -> Option<Check> {
    let owner = workload.gitops.as_ref()?;
    let text = match (owner.replicas, &*owner.tool) {
        (true, "Helm") => format!("{owner} sets replicas: its next upgrade takes this back"),
        (false, "Helm") => format!("{owner} owns the manifest: its next upgrade may take this back"),
        (true, _) => format!("{owner} sets replicas: it will take this back within minutes"),
        (false, _) => format!("{owner} owns the manifest: it may take this back"),
    };
    Some(Check::new("gitops", Warn, text))
}

/// Who else writes the workload's template and may take a change of it back.
pub(super) fn owners(workload: &Workload) -> Vec<Check> {
    let kind = workload.key.kind.name();
    let tool = workload
        .gitops
        .as_ref()
        .map(|tool| Check::new("gitops", Warn, format!("{tool} owns the manifest: it may take this back")));
    let owner = workload.owner.as_ref().map(|owner| {
        let (of, name) = (&owner.kind, &owner.name);
        let text = format!("this {kind} belongs to {of} {name}: its controller may take this back");
        Check::new("owner", Warn, text)
    });
    tool.into_iter().chain(owner).collect()
}

/// The controller that makes the object from another one.
fn owner(workload: &Workload) -> Option<Check> {
    let owner = workload.owner.as_ref()?;
    let kind = workload.key.kind.name();
    let text = format!(
        "this {kind} belongs to {} {}: its controller may take this back, change the number there",
        owner.kind, owner.name
    );
    Some(Check::new("owner", Warn, text))
}

/// Budgets guard evictions, never scaling: what matters is whether nodes can still be drained afterwards.
fn budget(seen: &Snapshot, workload: &Workload, to: u32) -> Vec<Check> {
    if let Some(why) = unread(&seen.budgets.freshness) {
        let text = format!("disruption budgets {why}: whether nodes can be drained afterwards is not known");
        return vec![Check::new("budget", Warn, text)];
    }
    let budgets: Vec<_> = seen.budgets_of(workload).collect();
    if let [one, other, ..] = budgets.as_slice() {
        let text =
            format!("{} and {} both guard it: every eviction is refused", one.key.name, other.key.name);
        return vec![Check::new("budget", Warn, text)];
    }
    let says = budgets.into_iter().filter(|_| to > 0).map(|budget| {
        let name = format!("{} ({})", budget.key.name, budget.rule);
        match allowed(budget, to) {
            Some(0) => {
                let text = format!("{name} will block every drain: 0 of {} may be evicted", count(to, "pod"));
                Check::new("budget", Warn, text)
            }
            Some(n) => Check::new("budget", Ok, format!("{name} guards evictions, {n} of {to} at a time")),
            None => Check::new("budget", Ok, format!("{name} guards evictions, not scaling")),
        }
    });
    says.collect()
}

/// How many of so many healthy pods may be evicted at once. Source: `disruption.go` `getExpectedPodCount`: percents
/// are rounded up.
fn allowed(budget: &Budget, pods: u32) -> Option<u32> {
    let (rule, value) = budget.rule.split_once(' ')?;
    let number = match value.strip_suffix('%') {
        Some(percent) => (percent.parse::<u64>().ok()? * u64::from(pods)).div_ceil(100) as u32,
        None => value.parse().ok()?,
    };
    match rule {
        "minAvailable" => Some(pods.saturating_sub(number)),
        "maxUnavailable" => Some(number.min(pods)),
        _ => None,
    }
}

pub(super) fn rollout(seen: &Snapshot, workload: &Workload) -> Option<Check> {
    let counts = workload.counts;
    let updated = format!("{} of {} updated", counts.updated, count(counts.total, "pod"));
    let text = if let Some(since) = workload.stuck_since {
        format!("its rollout is stuck for {} ({updated}): the prediction is uncertain", age(seen.at, since))
    } else if workload.is_rolling() {
        format!("a rollout is under way ({updated}): the prediction is uncertain")
    } else if workload.paused && counts.updated < counts.total {
        format!("its rollout is paused ({updated}): both versions are scaled, the prediction is uncertain")
    } else {
        return None;
    };
    Some(Check::new("rollout", Warn, text))
}

/// A pod of a tenant on a node that does not answer: whether it runs is not known, and nor is when it goes.
pub(super) fn silent<'a>(seen: &Snapshot, tenant: &'a Tenant) -> Option<(&'a str, &'a NodeName)> {
    tenant.pods.iter().find_map(|pod| {
        let node = pod.node.as_ref()?;
        (!seen.nodes.get(node)?.is_ready()).then_some((&*pod.key.name, node))
    })
}

/// Another operator's run: while somebody drives it, it keeps the tenant; interrupted, it should be finished or taken back first.
pub(super) fn lease(seen: &Snapshot, tenant: &TenantName) -> Option<Check> {
    lease_named(seen, &Lease::name_of(tenant))
}

/// The same of a lease of that name.
pub(super) fn lease_named(seen: &Snapshot, name: &str) -> Option<Check> {
    if let Some(why) = unread(&seen.leases.freshness) {
        let text = format!("leases {why}: another operator's run would not be seen");
        return Some(Check::new("lease", Warn, text));
    }
    if let Some((key, why)) = seen.leases.unreadable.iter().find(|(key, _)| *key.name == *name) {
        let text = format!("lease {key} could not be read ({why}): another operator's run may be under way");
        return Some(Check::new("lease", Refuse, text));
    }
    let lease = seen.leases.values().find(|l| *l.key.name == *name)?;
    let holder = lease.who()?;
    let run = lease.run.as_deref().map(short_run);
    let named = run.map_or_else(|| "a run".to_owned(), |run| format!("run {run}"));
    let ago = |at: Option<Timestamp>| at.map(|at| age(seen.at, at));
    Some(if lease.is_held(seen.at) {
        let since = ago(lease.acquired).map_or(String::new(), |since| format!(", for {since}"));
        let renewed = ago(lease.renewed).map_or(String::new(), |ago| format!(" (renewed {ago} ago)"));
        let text = format!(
            "{named} of {holder} is changing it{since}{renewed}: wait for its end, or pause it there"
        );
        Check::new("lease", Refuse, text)
    } else {
        let resume = run.map_or_else(String::new, |run| {
            format!(
                ": `{} runs resume {run}` finishes it, `runs give-up` closes it",
                by_hand::wheelhouse(seen)
            )
        });
        let when = ago(lease.renewed)
            .map_or_else(|| "at a time that its lease does not tell".into(), |ago| format!("{ago} ago"));
        let text = format!("{named} of {holder} was interrupted {when}{resume}");
        Check::new("lease", Warn, text)
    })
}

/// `09:00:12 UTC`.
fn moment(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_allow_what_their_rule_says() {
        let budget = |rule: &str| Budget {
            key: crate::cluster::Key::new("a", "a"),
            selector: None,
            rule: rule.into(),
            min_available: None,
            allowed: 0,
            healthy: 0,
            needed: 0,
            lets_unready_go: false,
        };
        for (rule, pods, allowed_then) in [
            ("minAvailable 1", 1, Some(0)),
            ("minAvailable 1", 3, Some(2)),
            ("minAvailable 50%", 3, Some(1)),
            ("maxUnavailable 1", 3, Some(1)),
            ("maxUnavailable 0%", 3, Some(0)),
            ("minAvailable x", 3, None),
        ] {
            assert_eq!(allowed(&budget(rule), pods), allowed_then, "{rule} {pods}");
        }
    }
}
