//! The Deployment controller: ReplicaSets by template, rolling updates, scaling, status and conditions.

mod status;

use std::cmp::Reverse;

use serde_json::{Map, Value, json};
pub(crate) use status::settled_status;
use status::{counts, is_complete, progress, status};

use super::MANAGER;
use crate::demo::kind::Kind;
use crate::demo::labels::{Selector, strings};
use crate::demo::store::{DeleteOptions, Object};
use crate::demo::value::{
    controller, hash, int, map, name, namespace, reference, safe, set, share, terminating, text, uid,
};
use crate::demo::world::{Source, World};

const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// Annotations of a Deployment that its ReplicaSets do not get.
const OWN: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    DESIRED,
    MOST,
    "deployment.kubernetes.io/revision-history",
];

/// One pass of the controller.
pub(crate) fn deployment(world: &mut World, space: &str, called: &str) {
    let Some(object) = world.store.get(Kind::DEPLOYMENT, space, called).cloned() else { return };
    if Selector::read(&object["spec"]["selector"]).is_empty() || !object["spec"]["template"].is_object() {
        return;
    }
    adopt(world, &object);
    if terminating(&object) {
        status(world, space, called);
        return;
    }
    let recreate = object["spec"]["strategy"]["type"] == "Recreate";
    if object["spec"]["paused"] == true || is_scaling(world, &object) {
        scale(world, &object);
    } else if recreate {
        roll_recreate(world, &object);
    } else {
        roll(world, &object);
    }
    clean_history(world, space, called);
    status(world, space, called);
}

/// The Deployment's ReplicaSets, oldest first.
fn sets(world: &World, deployment: &Value) -> Vec<Object> {
    let mut sets: Vec<Object> = world
        .store
        .list(Kind::REPLICA_SET, Some(namespace(deployment)))
        .filter(|set| controller(set).is_some_and(|owner| owner["uid"] == deployment["metadata"]["uid"]))
        .cloned()
        .collect();
    sets.sort_by(|one, two| age(one).cmp(&age(two)));
    sets
}

fn age(set: &Value) -> (&str, &str) {
    (text(&set["metadata"]["creationTimestamp"]), name(set))
}

/// Takes over ReplicaSets that match the selector and belong to nobody.
fn adopt(world: &mut World, deployment: &Value) {
    let selector = Selector::read(&deployment["spec"]["selector"]);
    let orphans: Vec<String> = world
        .store
        .list(Kind::REPLICA_SET, Some(namespace(deployment)))
        .filter(|set| controller(set).is_none() && !terminating(set) && !terminating(deployment))
        .filter(|set| selector.matches(&strings(&set["metadata"]["labels"])))
        .map(|set| name(set).to_owned())
        .collect();
    for orphan in orphans {
        world.store.update(Kind::REPLICA_SET, namespace(deployment), &orphan, MANAGER, |orphan| {
            set(orphan, &["metadata", "ownerReferences"], json!([reference(deployment)]));
        });
    }
}

fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1).max(0)
}

fn spec_replicas(set: &Value) -> i64 {
    int(&set["spec"]["replicas"]).max(0)
}

fn revision(object: &Value) -> i64 {
    text(&object["metadata"]["annotations"][REVISION]).parse().unwrap_or(0)
}

/// maxSurge and maxUnavailable in pods. When both round to 0, one pod may be unavailable.
fn bounds(deployment: &Value) -> (i64, i64) {
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        return (0, 0);
    }
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let wanted = replicas(deployment);
    let or = |value: &Value| if value.is_null() { json!("25%") } else { value.clone() };
    let surge = share(&or(&rolling["maxSurge"]), wanted, true).unwrap_or(1).max(0);
    let unavailable = share(&or(&rolling["maxUnavailable"]), wanted, false).unwrap_or(0).max(0);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    (surge, unavailable.min(wanted))
}

fn template_without_hash(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    map(&mut template, &["metadata", "labels"]).remove(HASH);
    template
}

fn newest<'a>(deployment: &Value, sets: &'a [Object]) -> Option<&'a Object> {
    let mut template = deployment["spec"]["template"].clone();
    map(&mut template, &["metadata", "labels"]).remove(HASH);
    sets.iter().find(|set| template_without_hash(set) == template)
}

/// A ReplicaSet for the Deployment's present template.
pub(crate) fn new_replica_set(deployment: &Value, revision: i64, size: i64) -> Value {
    let template = &deployment["spec"]["template"];
    let digest = hash(&[&template.to_string()]) as u32;
    let suffix = safe(&digest.to_string());
    let mut own = template.clone();
    map(&mut own, &["metadata", "labels"]).insert(HASH.to_owned(), suffix.clone().into());
    let mut selector = deployment["spec"]["selector"].clone();
    map(&mut selector, &["matchLabels"]).insert(HASH.to_owned(), suffix.clone().into());
    let mut set = json!({
        "metadata": {
            "name": format!("{}-{suffix}", name(deployment)), "namespace": namespace(deployment),
            "labels": own["metadata"]["labels"], "annotations": annotations(deployment, revision),
            "ownerReferences": [reference(deployment)],
        },
        "spec": {"replicas": size, "selector": selector, "template": own},
        "status": {"replicas": 0},
    });
    if int(&deployment["spec"]["minReadySeconds"]) > 0 {
        set["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"].clone();
    }
    set
}

fn annotations(deployment: &Value, revision: i64) -> Value {
    let mut all: Map<String, Value> =
        deployment["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    all.retain(|key, _| !OWN.contains(&key.as_str()));
    let (surge, _) = bounds(deployment);
    all.insert(DESIRED.to_owned(), replicas(deployment).to_string().into());
    all.insert(MOST.to_owned(), (replicas(deployment) + surge).to_string().into());
    all.insert(REVISION.to_owned(), revision.to_string().into());
    Value::Object(all)
}

/// The newest ReplicaSet, created when there is none yet; its revision is the highest.
fn ensure_newest(world: &mut World, deployment: &Value, create: bool) -> Option<Object> {
    let all = sets(world, deployment);
    let (space, called) = (namespace(deployment), name(deployment));
    let found = newest(deployment, &all).cloned();
    let highest = all
        .iter()
        .filter(|set| found.as_ref().is_none_or(|found| name(found) != name(set)))
        .map(|set| revision(set))
        .max()
        .unwrap_or(0);
    let (set, revision) = match found {
        Some(found) => {
            let revision = revision(&found).max(highest + 1);
            let wanted = annotations(deployment, revision);
            let set = world.store.update(Kind::REPLICA_SET, space, name(&found), MANAGER, |set| {
                let (desired, most) = (
                    set["metadata"]["annotations"][DESIRED].clone(),
                    set["metadata"]["annotations"][MOST].clone(),
                );
                map(set, &["metadata", "annotations"])
                    .extend(wanted.as_object().cloned().unwrap_or_default());
                // Those two are the mark of the last scaling: only scaling moves them.
                for (key, value) in [(DESIRED, desired), (MOST, most)] {
                    if !value.is_null() {
                        map(set, &["metadata", "annotations"]).insert(key.to_owned(), value);
                    }
                }
            })?;
            (set, revision)
        }
        None if create => {
            let others: i64 = all.iter().map(|set| spec_replicas(set)).sum();
            let (surge, _) = bounds(deployment);
            let wanted = replicas(deployment);
            let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
            let size = if recreate { wanted } else { (wanted + surge - others).clamp(0, wanted) };
            let mut set = new_replica_set(deployment, highest + 1, size);
            if world.store.get(Kind::REPLICA_SET, space, name(&set)).is_some() {
                // Somebody else's ReplicaSet has the name: the real controller counts the collision into the hash.
                let suffix = safe(&(hash(&[name(&set), uid(deployment)]) as u32).to_string());
                let places: [&[&str]; 3] = [
                    &["metadata", "labels"],
                    &["spec", "selector", "matchLabels"],
                    &["spec", "template", "metadata", "labels"],
                ];
                for place in places {
                    map(&mut set, place).insert(HASH.to_owned(), suffix.clone().into());
                }
                crate::demo::value::set(&mut set, &["metadata", "name"], format!("{called}-{suffix}").into());
            }
            let set = world.store.insert(Kind::REPLICA_SET, set);
            if size > 0 {
                scaled(world, deployment, name(&set), 0, size);
            }
            let message = format!("Created new replica set \"{}\"", name(&set));
            progress(world, deployment, "True", "NewReplicaSetCreated", &message);
            (set, highest + 1)
        }
        None => return None,
    };
    world.store.update(Kind::DEPLOYMENT, space, called, MANAGER, |object| {
        map(object, &["metadata", "annotations"]).insert(REVISION.to_owned(), revision.to_string().into());
    });
    Some(set)
}

fn scaled(world: &mut World, deployment: &Value, set: &str, from: i64, to: i64) {
    let direction = if to > from { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {set} from {from} to {to}");
    world.event(deployment, Source::normal("deployment-controller"), "ScalingReplicaSet", &message);
}

/// Gives the ReplicaSet this size and writes down the Deployment's.
fn resize(world: &mut World, deployment: &Value, set: &Value, to: i64) {
    let from = spec_replicas(set);
    let (surge, _) = bounds(deployment);
    let desired = replicas(deployment);
    world.store.update(Kind::REPLICA_SET, namespace(deployment), name(set), MANAGER, |set| {
        crate::demo::value::set(set, &["spec", "replicas"], to.into());
        let annotations = map(set, &["metadata", "annotations"]);
        annotations.insert(DESIRED.to_owned(), desired.to_string().into());
        annotations.insert(MOST.to_owned(), (desired + surge).to_string().into());
    });
    if from != to {
        scaled(world, deployment, name(set), from, to);
    }
}

/// The size of the Deployment changed since its ReplicaSets were last sized.
fn is_scaling(world: &World, deployment: &Value) -> bool {
    let desired = replicas(deployment).to_string();
    sets(world, deployment).iter().filter(|set| spec_replicas(set) > 0).any(|set| {
        let noted = &set["metadata"]["annotations"][DESIRED];
        noted.is_string() && noted != desired.as_str()
    })
}

/// Scaling without rolling: the only active ReplicaSet takes all; in the middle of a rollout each its share.
fn scale(world: &mut World, deployment: &Value) {
    let newest = ensure_newest(world, deployment, false);
    let all = sets(world, deployment);
    let wanted = replicas(deployment);
    let active: Vec<&Object> = all.iter().filter(|set| spec_replicas(set) > 0).collect();
    let only = match active.as_slice() {
        [] => newest.clone().or_else(|| all.last().cloned()),
        [only] => Some((*only).clone()),
        _ => None,
    };
    if let Some(only) = only {
        if spec_replicas(&only) != wanted || is_scaling(world, deployment) {
            resize(world, deployment, &only, wanted);
        }
        return;
    }
    if let Some(newest) = &newest
        && spec_replicas(newest) == wanted
        && int(&newest["status"]["availableReplicas"]) == wanted
        && text(&newest["metadata"]["annotations"][DESIRED]) == wanted.to_string()
    {
        for old in active.iter().filter(|set| name(set) != name(newest)) {
            resize(world, deployment, old, 0);
        }
        return;
    }
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        return;
    }
    let (surge, _) = bounds(deployment);
    let total: i64 = active.iter().map(|set| spec_replicas(set)).sum();
    let allowed = if wanted > 0 { wanted + surge } else { 0 };
    let to_add = allowed - total;
    let mut ordered: Vec<&Object> = active.clone();
    if to_add > 0 {
        ordered.sort_by(|one, two| {
            (Reverse(spec_replicas(one)), Reverse(age(one)))
                .cmp(&(Reverse(spec_replicas(two)), Reverse(age(two))))
        });
    } else {
        ordered.sort_by(|one, two| {
            (Reverse(spec_replicas(one)), age(one)).cmp(&(Reverse(spec_replicas(two)), age(two)))
        });
    }
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::new();
    for set in &ordered {
        let part = if to_add == 0 { 0 } else { portion(deployment, set, allowed, to_add - added) };
        added += part;
        sizes.push(spec_replicas(set) + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    let sized: Vec<(Object, i64)> = ordered.into_iter().cloned().zip(sizes).collect();
    for (set, size) in sized {
        resize(world, deployment, &set, size);
    }
}

/// `GetReplicaSetFraction`: the ReplicaSet's share of what is added or taken.
fn portion(deployment: &Value, set: &Value, allowed: i64, left: i64) -> i64 {
    let size = spec_replicas(set);
    if replicas(deployment) == 0 {
        return -size;
    }
    let noted: i64 = text(&set["metadata"]["annotations"][MOST]).parse().unwrap_or(0);
    let noted = if noted > 0 { noted } else { int(&deployment["status"]["replicas"]).max(1) };
    let target = (size as f64 * allowed as f64 / noted as f64).round() as i64;
    let part = target - size;
    if left > 0 { part.min(left) } else { part.max(left) }
}

fn roll_recreate(world: &mut World, deployment: &Value) {
    let all = sets(world, deployment);
    let newest_name = newest(deployment, &all).map(|set| name(set).to_owned());
    let old: Vec<&Object> = all.iter().filter(|set| Some(name(set)) != newest_name.as_deref()).collect();
    let mut scaled_down = false;
    for set in old.iter().filter(|set| spec_replicas(set) > 0) {
        resize(world, deployment, set, 0);
        scaled_down = true;
    }
    if scaled_down || old.iter().any(|set| world.pods_of(uid(set)).iter().any(|pod| !is_finished(pod))) {
        return;
    }
    if let Some(newest) = ensure_newest(world, deployment, true)
        && spec_replicas(&newest) != replicas(deployment)
    {
        resize(world, deployment, &newest, replicas(deployment));
    }
}

fn is_finished(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

fn roll(world: &mut World, deployment: &Value) {
    let Some(newest) = ensure_newest(world, deployment, true) else { return };
    let wanted = replicas(deployment);
    let (surge, unavailable) = bounds(deployment);
    let all = sets(world, deployment);
    let total: i64 = all.iter().map(|set| spec_replicas(set)).sum();
    let size = spec_replicas(&newest);
    if size > wanted {
        resize(world, deployment, &newest, wanted);
        return;
    }
    if size < wanted {
        let room = wanted + surge - total;
        if room > 0 {
            resize(world, deployment, &newest, size + room.min(wanted - size));
            return;
        }
    }
    let least = wanted - unavailable;
    let newest_unavailable = size - int(&newest["status"]["availableReplicas"]);
    let mut most_down = total - least - newest_unavailable;
    if most_down <= 0 {
        return;
    }
    let mut old: Vec<(Object, i64)> = all
        .iter()
        .filter(|set| name(set) != name(&newest) && spec_replicas(set) > 0)
        .map(|set| (set.clone(), spec_replicas(set)))
        .collect();
    for (set, size) in &mut old {
        let unhealthy = (*size - int(&set["status"]["availableReplicas"])).min(most_down).max(0);
        *size -= unhealthy;
        most_down -= unhealthy;
    }
    let available: i64 = all.iter().map(|set| int(&set["status"]["availableReplicas"])).sum();
    let mut healthy_down = (available - least).max(0);
    for (_, size) in &mut old {
        let take = healthy_down.min(*size);
        *size -= take;
        healthy_down -= take;
    }
    for (set, size) in old {
        if size != spec_replicas(&set) {
            resize(world, deployment, &set, size);
        }
    }
}

fn clean_history(world: &mut World, space: &str, called: &str) {
    let Some(object) = world.store.get(Kind::DEPLOYMENT, space, called).cloned() else { return };
    let limit = usize::try_from(object["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10)).unwrap_or(0);
    let all = sets(world, &object);
    let newest = newest(&object, &all).map(|set| name(set).to_owned());
    if !is_complete(&object, &counts(&object, &all)) {
        return;
    }
    let mut old: Vec<&Object> =
        all.iter().filter(|set| Some(name(set)) != newest.as_deref() && !terminating(set)).collect();
    old.sort_by_key(|set| revision(set));
    for set in old.iter().take(old.len().saturating_sub(limit)) {
        let idle = spec_replicas(set) == 0
            && int(&set["status"]["replicas"]) == 0
            && int(&set["metadata"]["generation"]) <= int(&set["status"]["observedGeneration"]);
        if idle {
            world.store.delete(Kind::REPLICA_SET, space, name(set), &DeleteOptions::default());
        }
    }
}
