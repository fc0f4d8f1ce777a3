//! The PodDisruptionBudget controller: how many pods may be evicted now.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::MANAGER;
use crate::kind::Kind;
use crate::labels::{Selector, strings};
use crate::store::Object;
use crate::value::{
    controller, int, is_ready, name, namespace, set, set_condition, share, terminating, text, time, uid,
};
use crate::world::{Wake, Work, World};

/// How long an eviction that was granted but did not happen counts against the budget.
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_secs(120);

/// Recomputes a budget's status.
pub(crate) fn budget(world: &mut World, space: &str, called: &str) {
    let Some(budget) = world.store.get(Kind::DISRUPTION_BUDGET, space, called).cloned() else { return };
    let now = world.now();
    let selector = Selector::read(&budget["spec"]["selector"]);
    let pods: Vec<Object> = world
        .store
        .list(Kind::POD, Some(space))
        .filter(|pod| selector.matches(&strings(&pod["metadata"]["labels"])))
        .filter(|pod| !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed"))
        .cloned()
        .collect();
    let mut disrupted = budget["status"]["disruptedPods"].as_object().cloned().unwrap_or_default();
    let mut next = None;
    disrupted.retain(|pod, since| {
        let there = pods.iter().any(|other| name(other) == pod && !terminating(other));
        let until = time(since).and_then(|since| since.checked_add(DELETION_TIMEOUT).ok());
        let counts = there && until.is_some_and(|until| until > now);
        if counts {
            next = next.into_iter().chain(until).min();
        }
        counts
    });
    if let Some(next) = next {
        world.at(next, Wake::Work(Work::Budget(space.to_owned(), called.to_owned())));
    }
    let (expected, desired) = expectation(world, &budget, &pods);
    let healthy = pods
        .iter()
        .filter(|pod| !terminating(pod) && !disrupted.contains_key(name(pod)) && is_ready(pod))
        .count() as i64;
    let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
    let generation = budget["metadata"]["generation"].clone();
    world.store.update_status(Kind::DISRUPTION_BUDGET, space, called, MANAGER, |budget| {
        let old = &budget["status"];
        let same = int(&old["disruptionsAllowed"]) == allowed
            && int(&old["currentHealthy"]) == healthy
            && int(&old["desiredHealthy"]) == desired
            && int(&old["expectedPods"]) == expected
            && old["observedGeneration"] == generation
            && old["conditions"].is_array()
            && old["disruptedPods"].as_object().is_none_or(|old| *old == disrupted)
            && (disrupted.is_empty() == old["disruptedPods"].as_object().is_none_or(serde_json::Map::is_empty));
        if same {
            return;
        }
        let conditions = old["conditions"].clone();
        let mut status = json!({
            "observedGeneration": generation, "disruptionsAllowed": allowed, "currentHealthy": healthy,
            "desiredHealthy": desired, "expectedPods": expected, "conditions": conditions,
        });
        if !disrupted.is_empty() {
            status["disruptedPods"] = disrupted.into();
        }
        set(budget, &["status"], status);
        let (value, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        set_condition(
            budget,
            json!({"type": "DisruptionAllowed", "status": value, "observedGeneration": generation, "reason": reason, "message": ""}),
            now,
        );
    });
}

/// Expected pods and how many of them must be healthy.
fn expectation(world: &World, budget: &Value, pods: &[Object]) -> (i64, i64) {
    let spec = &budget["spec"];
    let there = pods.len() as i64;
    if !spec["maxUnavailable"].is_null() {
        let expected = scale_of(world, pods);
        let unavailable = share(&spec["maxUnavailable"], expected, true).unwrap_or(0);
        return (expected, (expected - unavailable).max(0));
    }
    match &spec["minAvailable"] {
        Value::String(_) => {
            let expected = scale_of(world, pods);
            (expected, share(&spec["minAvailable"], expected, true).unwrap_or(0))
        }
        Value::Number(number) => (there, number.as_i64().unwrap_or(0)),
        _ => (there, 1),
    }
}

/// What the controllers of these pods want together (pods without one count for nothing).
fn scale_of(world: &World, pods: &[Object]) -> i64 {
    let mut owners: Vec<(String, i64)> = Vec::new();
    for pod in pods {
        let Some(owner) = controller(pod) else { continue };
        let (space, called) = (namespace(pod), text(&owner["name"]));
        let of = |kind| world.store.get(kind, space, called).cloned();
        let found = match text(&owner["kind"]) {
            "ReplicaSet" => of(Kind::REPLICA_SET).map(|set| {
                let above = controller(&set).and_then(|owner| {
                    world.store.get(Kind::DEPLOYMENT, space, text(&owner["name"])).cloned()
                });
                above.unwrap_or(set)
            }),
            "StatefulSet" => of(Kind::STATEFUL_SET),
            _ => None,
        };
        if let Some(found) = found
            && !owners.iter().any(|(other, _)| other == uid(&found))
        {
            owners.push((uid(&found).to_owned(), found["spec"]["replicas"].as_i64().unwrap_or(1)));
        }
    }
    owners.iter().map(|(_, replicas)| replicas).sum()
}
