//! The ReplicaSet controller: as many active pods as asked for, and the real order of victims.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::MANAGER;
use super::pods::{available_at, pod_from_template, ready_since};
use crate::kind::Kind;
use crate::labels::{Selector, strings};
use crate::store::{Object, stamp};
use crate::value::{
    controller, int, is_active, is_finished, is_ready, list, name, namespace, reference, terminating, text,
    time, uid,
};
use crate::world::{Wake, Work, World};

/// How many pods one pass creates or deletes at most.
const BURST: usize = 500;

/// Creates and deletes pods until there are as many as wanted; counts those it found.
pub(crate) fn replica_set(world: &mut World, space: &str, called: &str) {
    let Some(set) = world.store.get(Kind::REPLICA_SET, space, called).cloned() else { return };
    claim(world, &set);
    let pods = world.pods_of(uid(&set));
    let failure = if terminating(&set) { None } else { manage(world, &set, &pods) };
    status(world, &set, &pods, failure);
}

/// The pods created or deleted; why not all, when something stands against it.
fn manage(world: &mut World, set: &Value, pods: &[Object]) -> Option<String> {
    // What it creates would not be its own: the API lets no such ReplicaSet in.
    if !Selector::read(&set["spec"]["selector"])
        .matches(&strings(&set["spec"]["template"]["metadata"]["labels"]))
    {
        return None;
    }
    let active: Vec<Object> = pods.iter().filter(|pod| is_active(pod)).cloned().collect();
    let wanted = usize::try_from(int(&set["spec"]["replicas"])).unwrap_or(0);
    for number in active.len()..wanted.min(active.len() + BURST) {
        let key = format!("{}{}", uid(set), number + world.store.revision() as usize);
        let mut pod = pod_from_template(set, &set["spec"]["template"], &key);
        crate::value::set(&mut pod, &["metadata", "generateName"], format!("{}-", name(set)).into());
        let work = Work::ReplicaSet(namespace(set).to_owned(), name(set).to_owned());
        if let Err(why) = world.create_pod(set, pod, work) {
            return Some(why);
        }
    }
    if active.len() > wanted {
        let related = related(world, set);
        for victim in victims(&active, &related, active.len() - wanted, world.now()) {
            world.delete_pod(set, &victim);
        }
    }
    None
}

/// Takes over pods that match the selector and belong to nobody, and lets go of its own that no longer match.
fn claim(world: &mut World, set: &Value) {
    let selector = Selector::read(&set["spec"]["selector"]);
    if terminating(set) || selector.is_empty() {
        return;
    }
    let matches = |pod: &Object| selector.matches(&strings(&pod["metadata"]["labels"]));
    let orphans: Vec<Object> = world
        .store
        .list(Kind::POD, Some(namespace(set)))
        .filter(|pod| controller(pod).is_none() && is_active(pod) && matches(pod))
        .cloned()
        .collect();
    let strangers =
        world.pods_of(uid(set)).into_iter().filter(|pod| !terminating(pod) && !matches(pod)).collect();
    let owners = |pod: &Value| pod["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let put = |world: &mut World, pod: &Value, owners: Vec<Value>| {
        let owners = if owners.is_empty() { Value::Null } else { owners.into() };
        world.store.update(Kind::POD, namespace(pod), name(pod), MANAGER, |pod| {
            crate::value::set(pod, &["metadata", "ownerReferences"], owners);
        });
    };
    for orphan in orphans {
        put(world, &orphan, owners(&orphan).into_iter().chain([reference(set)]).collect());
    }
    let strangers: Vec<Object> = strangers;
    for stranger in strangers {
        let left = owners(&stranger).into_iter().filter(|owner| owner["uid"] != uid(set)).collect();
        put(world, &stranger, left);
    }
}

/// The active pods of all ReplicaSets of the same Deployment.
fn related(world: &World, set: &Value) -> Vec<Object> {
    let Some(owner) = controller(set) else { return world.pods_of(uid(set)) };
    world
        .store
        .list(Kind::REPLICA_SET, Some(namespace(set)))
        .filter(|other| controller(other).is_some_and(|other| other["uid"] == owner["uid"]))
        .flat_map(|other| world.pods_of(uid(other)))
        .collect()
}

/// The pods to delete, in the order of `ActivePodsWithRanks` of kube-controller-manager 1.36: unassigned, pending,
/// not ready, lower deletion cost, more related pods on the node, ready for less time, more restarts, younger.
pub(super) fn victims(active: &[Object], related: &[Object], count: usize, now: Timestamp) -> Vec<Object> {
    let mut candidates: Vec<Candidate> = active.iter().map(|pod| Candidate::read(pod, related)).collect();
    // The order is not transitive (ages compare in powers of two, then uids), so no standard sort may see it.
    for end in 1..candidates.len() {
        let mut at = end;
        while at > 0 && candidates[at].before(&candidates[at - 1], now) {
            candidates.swap(at, at - 1);
            at -= 1;
        }
    }
    candidates.into_iter().take(count).map(|candidate| candidate.pod).collect()
}

struct Candidate {
    pod: Object,
    assigned: bool,
    phase: u8,
    ready: bool,
    cost: i64,
    rank: usize,
    ready_since: Option<Timestamp>,
    restarts: i64,
    created: Option<Timestamp>,
}

impl Candidate {
    fn read(pod: &Object, related: &[Object]) -> Self {
        let node = text(&pod["spec"]["nodeName"]);
        let cost = &pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"];
        Self {
            pod: pod.clone(),
            assigned: !node.is_empty(),
            phase: match text(&pod["status"]["phase"]) {
                "Pending" => 0,
                "Running" => 2,
                _ => 1,
            },
            ready: is_ready(pod),
            cost: text(cost).parse::<i32>().map_or(0, i64::from),
            rank: related
                .iter()
                .filter(|other| is_active(other) && text(&other["spec"]["nodeName"]) == node)
                .count(),
            ready_since: ready_since(pod),
            restarts: list(&pod["status"]["containerStatuses"])
                .map(|status| int(&status["restartCount"]))
                .max()
                .unwrap_or(0),
            created: time(&pod["metadata"]["creationTimestamp"]),
        }
    }

    fn before(&self, other: &Self, now: Timestamp) -> bool {
        if self.assigned != other.assigned {
            return !self.assigned;
        }
        if self.phase != other.phase {
            return self.phase < other.phase;
        }
        if self.ready != other.ready {
            return !self.ready;
        }
        if self.cost != other.cost {
            return self.cost < other.cost;
        }
        if self.rank != other.rank {
            return self.rank > other.rank;
        }
        if self.ready && self.ready_since != other.ready_since {
            return self.younger(other, self.ready_since, other.ready_since, now);
        }
        if self.restarts != other.restarts {
            return self.restarts > other.restarts;
        }
        self.created != other.created && self.younger(other, self.created, other.created, now)
    }

    fn younger(
        &self,
        other: &Self,
        mine: Option<Timestamp>,
        theirs: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let (Some(mine), Some(theirs)) = (mine, theirs) else { return mine.is_none() };
        let (mine, theirs) = (age_rank(mine, now), age_rank(theirs, now));
        if mine == theirs { uid(&self.pod) < uid(&other.pod) } else { mine < theirs }
    }
}

/// `int64(log2(nanoseconds of age))`, -1 for the future.
fn age_rank(since: Timestamp, now: Timestamp) -> i64 {
    let age = now.as_nanosecond() - since.as_nanosecond();
    if age > 0 { (age as f64).log2() as i64 } else { -1 }
}

/// Counts the pods as they were found: what was just created or deleted is counted by the next pass.
fn status(world: &mut World, set: &Value, pods: &[Object], failure: Option<String>) {
    let (space, called) = (namespace(set), name(set));
    let now = world.now();
    let active: Vec<&Object> = pods.iter().filter(|pod| is_active(pod)).collect();
    let template = strings(&set["spec"]["template"]["metadata"]["labels"]);
    let wanted = Selector::of(&template);
    let count = |n: usize| Value::from(n);
    let available = active.iter().filter(|pod| available_at(pod, set).is_some_and(|at| at <= now)).count();
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let labelled = active.iter().filter(|pod| wanted.matches(&strings(&pod["metadata"]["labels"]))).count();
    if ready > available
        && let Some(soon) =
            active.iter().filter_map(|pod| available_at(pod, set)).filter(|at| *at > now).min()
    {
        world.at(soon, Wake::Work(Work::ReplicaSet(space.to_owned(), called.to_owned())));
    }
    let mut status = Map::from_iter([("replicas".to_owned(), count(active.len()))]);
    for (field, value) in
        [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        if value > 0 {
            status.insert(field.to_owned(), count(value));
        }
    }
    let leaving = pods.iter().filter(|pod| terminating(pod) && !is_finished(pod)).count();
    status.insert("terminatingReplicas".to_owned(), count(leaving));
    status.insert("observedGeneration".to_owned(), set["metadata"]["generation"].clone());
    let mut conditions: Vec<Value> = list(&set["status"]["conditions"]).cloned().collect();
    let failed = conditions.iter().any(|condition| condition["type"] == "ReplicaFailure");
    match failure {
        Some(message) if !failed => conditions.push(json!({"type": "ReplicaFailure", "status": "True",
            "lastTransitionTime": stamp(now), "reason": "FailedCreate", "message": message})),
        None if failed => conditions.retain(|condition| condition["type"] != "ReplicaFailure"),
        _ => {}
    }
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), conditions.into());
    }
    world.store.update_status(Kind::REPLICA_SET, space, called, MANAGER, |set| {
        set["status"] = json!(status);
    });
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use super::*;

    /// Every scale-down recorded from a real kube-controller-manager: the same victim, or one that compares equal.
    #[test]
    fn takes_the_victims_the_real_controller_took() {
        let path =
            format!("{}/../../tests/captures/scheduler/scaledown.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        let mut cases = 0;
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let pods: Vec<Object> = list(&case["before"]["pods"]).map(|pod| Arc::new(pod.clone())).collect();
            let owner = |pod: &Object| {
                pod["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or("").to_owned()
            };
            let victim = case["victims"][0].as_str().unwrap();
            // Which ReplicaSet loses a pod in a rollout is the Deployment controller's decision.
            let set = pods.iter().find(|pod| name(pod) == victim).map(owner).unwrap();
            let active: Vec<Object> =
                pods.iter().filter(|pod| is_active(pod) && owner(pod) == set).cloned().collect();
            let nanos = (case["before"]["nowUnix"].as_f64().unwrap() * 1e9) as i128;
            let now = Timestamp::from_nanosecond(nanos).unwrap();
            let ours = victims(&active, &pods, 1, now);
            let ours = name(&ours[0]);
            let equal = list(&case["predicted"]["equal"]).any(|other| other == ours);
            assert!(
                ours == victim || equal,
                "{}: {ours}, real: {victim}, {}",
                case["case"],
                case["predicted"]
            );
            cases += 1;
        }
        assert_eq!(cases, 102);
    }
}
