//! A Deployment's counts and conditions.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::sets::{bounds, newest, replicas, sets};
use crate::controllers::MANAGER;
use crate::kind::Kind;
use crate::store::{Object, stamp};
use crate::value::{condition, int, list, name, namespace, set, terminating, text, time};
use crate::world::{Wake, Work, World};

#[derive(Clone, Copy)]
pub(super) struct Counts {
    total: i64,
    updated: i64,
    ready: i64,
    available: i64,
    terminating: i64,
}

pub(super) fn counts(deployment: &Value, all: &[Object]) -> Counts {
    let sum = |field: &str| all.iter().map(|set| int(&set["status"][field])).sum();
    Counts {
        total: sum("replicas"),
        updated: newest(deployment, all).map_or(0, |set| int(&set["status"]["replicas"])),
        ready: sum("readyReplicas"),
        available: sum("availableReplicas"),
        terminating: sum("terminatingReplicas"),
    }
}

pub(super) fn is_complete(deployment: &Value, counts: &Counts) -> bool {
    let wanted = replicas(deployment);
    counts.updated == wanted && counts.total == wanted && counts.available == wanted
}

pub(super) fn status(world: &mut World, space: &str, called: &str) {
    let Some(object) = world.store.get(Kind::DEPLOYMENT, space, called).cloned() else { return };
    let all = sets(world, &object);
    let counts = counts(&object, &all);
    let before = &object["status"];
    let (_, unavailable) = bounds(&object);
    let now = world.now();
    let newest = newest(&object, &all).map(|set| name(set).to_owned());
    let progressing = condition(&object, "Progressing").cloned();
    let reason = progressing.as_ref().map_or("", |condition| text(&condition["reason"])).to_owned();
    let settled = counts.total == counts.updated && reason == "NewReplicaSetAvailable";
    let deadline =
        object["spec"]["progressDeadlineSeconds"].as_i64().filter(|seconds| *seconds < i64::from(i32::MAX));
    let subject = match &newest {
        Some(set) => format!("ReplicaSet \"{set}\""),
        None => format!("Deployment \"{called}\""),
    };
    let mut next = None;
    if deadline.is_some() && !settled && !terminating(&object) {
        let moved = counts.updated > int(&before["updatedReplicas"])
            || counts.total - counts.updated < int(&before["replicas"]) - int(&before["updatedReplicas"])
            || counts.ready > int(&before["readyReplicas"])
            || counts.available > int(&before["availableReplicas"]);
        if is_complete(&object, &counts) {
            next =
                Some(("True", "NewReplicaSetAvailable", format!("{subject} has successfully progressed.")));
        } else if moved {
            next = Some(("True", "ReplicaSetUpdated", format!("{subject} is progressing.")));
        } else if let (Some(condition), Some(deadline)) = (&progressing, deadline)
            && object["spec"]["paused"] != true
        {
            let since = time(&condition["lastUpdateTime"]).unwrap_or(now);
            let late =
                since.checked_add(SignedDuration::from_secs(deadline.max(0))).unwrap_or(Timestamp::MAX);
            let unchanging = matches!(reason.as_str(), "ProgressDeadlineExceeded" | "NewReplicaSetAvailable");
            if reason != "NewReplicaSetAvailable" && (reason == "ProgressDeadlineExceeded" || late <= now) {
                next = Some((
                    "False",
                    "ProgressDeadlineExceeded",
                    format!("{subject} has timed out progressing."),
                ));
            } else if !unchanging {
                world.at(late, Wake::Work(Work::Deployment(space.to_owned(), called.to_owned())));
            }
        }
    }
    if let Some((status, reason, message)) = &next {
        progress(world, &object, status, reason, message);
    }
    let enough = counts.available >= replicas(&object) - unavailable;
    let available = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let failure = failure(&all, newest.as_deref());
    world.store.update_status(Kind::DEPLOYMENT, space, called, MANAGER, |object| {
        match failure {
            Some(failure) => {
                let word = |field: &str| text(&failure[field]).to_owned();
                put_condition(object, "ReplicaFailure", "True", &word("reason"), &word("message"), now);
            }
            None if condition(object, "ReplicaFailure").is_some() => {
                forget_condition(object, "ReplicaFailure")
            }
            None => {}
        }
        put_condition(object, "Available", available.0, available.1, available.2, now);
        let conditions = object["status"]["conditions"].clone();
        let collisions = object["status"]["collisionCount"].clone();
        object["status"] = status_of(&object["metadata"]["generation"], &counts, conditions);
        if !collisions.is_null() {
            object["status"]["collisionCount"] = collisions;
        }
    });
    // A deadline that begins now has to be looked at when it ends.
    if matches!(&next, Some((_, "ReplicaSetUpdated", _)))
        && let Some(deadline) = deadline
    {
        world.after(
            SignedDuration::from_secs(deadline.max(0)),
            Wake::Work(Work::Deployment(space.to_owned(), called.to_owned())),
        );
    }
}

/// The failure of the newest ReplicaSet, or of an old one when that has none.
fn failure<'a>(all: &'a [Object], newest: Option<&str>) -> Option<&'a Value> {
    let (new, old): (Vec<&Object>, Vec<&Object>) = all.iter().partition(|set| Some(name(set)) == newest);
    new.into_iter().chain(old).find_map(|set| condition(set, "ReplicaFailure"))
}

fn status_of(generation: &Value, counts: &Counts, conditions: Value) -> Value {
    let mut status = Map::from_iter([("observedGeneration".to_owned(), generation.clone())]);
    for (field, value) in [
        ("replicas", counts.total),
        ("updatedReplicas", counts.updated),
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.available),
        ("unavailableReplicas", counts.total - counts.available),
    ] {
        if value > 0 {
            status.insert(field.to_owned(), value.into());
        }
    }
    status.insert("terminatingReplicas".to_owned(), counts.terminating.into());
    status.insert("conditions".to_owned(), conditions);
    Value::Object(status)
}

/// The status of a Deployment that has had all its pods for long: rolled out at `since`.
pub(crate) fn settled_status(replicas: i64, set: &str, created: Timestamp, since: Timestamp) -> Value {
    let counts =
        Counts { total: replicas, updated: replicas, ready: replicas, available: replicas, terminating: 0 };
    let conditions = json!([
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
         "message": "Deployment has minimum availability.",
         "lastUpdateTime": stamp(since), "lastTransitionTime": stamp(since)},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
         "message": format!("ReplicaSet \"{set}\" has successfully progressed."),
         "lastUpdateTime": stamp(since), "lastTransitionTime": stamp(created)},
    ]);
    status_of(&json!(1), &counts, conditions)
}

pub(super) fn progress(world: &mut World, deployment: &Value, status: &str, reason: &str, message: &str) {
    let now = world.now();
    let (space, called) = (namespace(deployment), name(deployment));
    world.store.update_status(Kind::DEPLOYMENT, space, called, MANAGER, |object| {
        // Progress made is told again each time; anything else only when it is new.
        if reason == "ReplicaSetUpdated" {
            let kept = condition(object, "Progressing").filter(|old| old["status"] == status).cloned();
            forget_condition(object, "Progressing");
            put_condition(object, "Progressing", status, reason, message, now);
            if let Some(kept) = kept {
                let conditions = object["status"]["conditions"].as_array_mut();
                if let Some(last) = conditions.and_then(|conditions| conditions.last_mut()) {
                    last["lastTransitionTime"] = kept["lastTransitionTime"].clone();
                }
            }
        } else {
            put_condition(object, "Progressing", status, reason, message, now);
        }
    });
}

fn forget_condition(object: &mut Value, kind: &str) {
    let kept: Vec<Value> =
        list(&object["status"]["conditions"]).filter(|old| old["type"] != kind).cloned().collect();
    set(object, &["status", "conditions"], kept.into());
}

/// `SetDeploymentCondition`: nothing when status and reason stand already; else it goes to the end.
fn put_condition(object: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) {
    let old = condition(object, kind).cloned();
    if old.as_ref().is_some_and(|old| old["status"] == status && old["reason"] == reason) {
        return;
    }
    let since = old.filter(|old| old["status"] == status).map(|old| old["lastTransitionTime"].clone());
    forget_condition(object, kind);
    if let Some(conditions) = object["status"]["conditions"].as_array_mut() {
        conditions.push(json!({
            "type": kind, "status": status, "lastUpdateTime": stamp(now),
            "lastTransitionTime": since.unwrap_or_else(|| stamp(now).into()), "reason": reason, "message": message,
        }));
    }
}
