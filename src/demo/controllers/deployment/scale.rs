//! Scaling: a change of a Deployment's size is shared out among its ReplicaSets.

use std::cmp::Reverse;

use serde_json::Value;

use super::sets::{DESIRED, MOST, age, bounds, replicas, sets, spec_replicas};
use super::writes::{ensure_newest, resize};
use crate::store::Object;
use crate::value::{int, name, text};
use crate::world::World;

/// The size of the Deployment changed since its ReplicaSets were last sized.
pub(super) fn is_scaling(world: &World, deployment: &Value) -> bool {
    let desired = replicas(deployment).to_string();
    sets(world, deployment).iter().filter(|set| spec_replicas(set) > 0).any(|set| {
        let noted = &set["metadata"]["annotations"][DESIRED];
        noted.is_string() && noted != desired.as_str()
    })
}

/// Scaling without rolling: the only active ReplicaSet takes all; in the middle of a rollout each its share.
pub(super) fn scale(world: &mut World, deployment: &Value) {
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
