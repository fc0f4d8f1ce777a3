//! The StatefulSet controller: pods with ordinals, made and taken one after the other.

use serde_json::{Map, Value, json};

use super::MANAGER;
use super::pods::{available_at, pod_from_template};
use crate::kind::Kind;
use crate::store::Object;
use crate::value::{hash, int, is_active, is_ready, map, name, namespace, safe, set, terminating, text, uid};
use crate::world::{Work, World};

const REVISION: &str = "controller-revision-hash";

/// One pass of the controller.
pub(crate) fn stateful_set(world: &mut World, space: &str, called: &str) {
    let Some(owner) = world.store.get(Kind::STATEFUL_SET, space, called).cloned() else { return };
    if !owner["spec"]["template"].is_object() {
        return;
    }
    let revision = revision(&owner, called);
    if !terminating(&owner) {
        manage(world, &owner, &revision);
    }
    status(world, space, called, &revision);
}

fn revision(owner: &Value, called: &str) -> String {
    let digest = hash(&[&owner["spec"]["template"].to_string()]) as u32;
    format!("{called}-{}", safe(&digest.to_string()))
}

fn ordinal(pod: &Value, called: &str) -> Option<i64> {
    name(pod).strip_prefix(called)?.strip_prefix('-')?.parse().ok()
}

/// The set's pods with their ordinals, lowest first.
fn members(world: &World, owner: &Value) -> Vec<(i64, Object)> {
    let mut pods: Vec<(i64, Object)> = world
        .pods_of(uid(owner))
        .into_iter()
        .filter_map(|pod| Some((ordinal(&pod, name(owner))?, pod)))
        .collect();
    pods.sort_by_key(|(ordinal, _)| *ordinal);
    pods
}

fn manage(world: &mut World, owner: &Value, revision: &str) {
    let wanted = owner["spec"]["replicas"].as_i64().unwrap_or(1).clamp(0, 10_000);
    let first = int(&owner["spec"]["ordinals"]["start"]).max(0);
    let parallel = owner["spec"]["podManagementPolicy"] == "Parallel";
    for ordinal in first..first + wanted {
        let pods = members(world, owner);
        match pods.iter().find(|(other, _)| *other == ordinal) {
            Some((_, pod)) if is_active(pod) && is_ready(pod) => {}
            Some((_, pod)) if !is_active(pod) && !terminating(pod) => {
                world.delete_pod(owner, pod);
                return;
            }
            // The ordered policy waits for this one; its place is taken while it goes.
            Some(_) if !parallel => return,
            Some(_) => {}
            None => {
                create(world, owner, ordinal, revision);
                if !parallel {
                    return;
                }
            }
        }
    }
    let pods = members(world, owner);
    let surplus: Vec<&(i64, Object)> =
        pods.iter().rev().filter(|(ordinal, _)| !(first..first + wanted).contains(ordinal)).collect();
    for (_, pod) in &surplus {
        if !terminating(pod) {
            world.delete_pod(owner, pod);
        }
        if !parallel {
            return;
        }
    }
    if !surplus.is_empty() || owner["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return;
    }
    let partition = int(&owner["spec"]["updateStrategy"]["rollingUpdate"]["partition"]);
    for (ordinal, pod) in pods.iter().rev() {
        if *ordinal < partition {
            break;
        }
        if !is_active(pod) || !is_ready(pod) {
            return;
        }
        if text(&pod["metadata"]["labels"][REVISION]) != revision {
            world.delete_pod(owner, pod);
            return;
        }
    }
}

fn create(world: &mut World, owner: &Value, ordinal: i64, revision: &str) {
    let called = format!("{}-{ordinal}", name(owner));
    let mut pod = pod_from_template(owner, &owner["spec"]["template"], &format!("{}{ordinal}", uid(owner)));
    set(&mut pod, &["metadata", "name"], called.clone().into());
    set(&mut pod, &["metadata", "generateName"], format!("{}-", name(owner)).into());
    map(&mut pod, &["metadata", "labels"]).extend([
        ("apps.kubernetes.io/pod-index".to_owned(), Value::from(ordinal.to_string())),
        (REVISION.to_owned(), revision.into()),
        ("statefulset.kubernetes.io/pod-name".to_owned(), called.clone().into()),
    ]);
    set(&mut pod, &["spec", "hostname"], called.into());
    if owner["spec"]["serviceName"].is_string() {
        set(&mut pod, &["spec", "subdomain"], owner["spec"]["serviceName"].clone());
    }
    let work = Work::StatefulSet(namespace(owner).to_owned(), name(owner).to_owned());
    // What stands against it is told by an event, and tried again.
    let _ = world.create_pod(owner, pod, work);
}

fn status(world: &mut World, space: &str, called: &str, revision: &str) {
    let Some(owner) = world.store.get(Kind::STATEFUL_SET, space, called).cloned() else { return };
    let now = world.now();
    let pods: Vec<Object> = members(world, &owner).into_iter().map(|(_, pod)| pod).collect();
    let live: Vec<&Object> = pods.iter().filter(|pod| !terminating(pod)).collect();
    let of = |revision: &str| {
        live.iter().filter(|pod| text(&pod["metadata"]["labels"][REVISION]) == revision).count()
    };
    let updated = of(revision);
    let known = text(&owner["status"]["currentRevision"]);
    let wanted = usize::try_from(owner["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    let current =
        if known.is_empty() || (updated == wanted && updated == pods.len()) { revision } else { known };
    let mut status = Map::from_iter([
        ("observedGeneration".to_owned(), owner["metadata"]["generation"].clone()),
        ("replicas".to_owned(), pods.len().into()),
    ]);
    let ready = live.iter().filter(|pod| is_ready(pod)).count();
    for (field, count) in
        [("readyReplicas", ready), ("currentReplicas", of(current)), ("updatedReplicas", updated)]
    {
        if count > 0 {
            status.insert(field.to_owned(), count.into());
        }
    }
    status.insert("currentRevision".to_owned(), current.into());
    status.insert("updateRevision".to_owned(), revision.into());
    status.insert("collisionCount".to_owned(), 0.into());
    let available = live.iter().filter(|pod| available_at(pod, &owner).is_some_and(|at| at <= now)).count();
    status.insert("availableReplicas".to_owned(), available.into());
    world
        .store
        .update_status(Kind::STATEFUL_SET, space, called, MANAGER, |owner| owner["status"] = json!(status));
}
