//! The Deployment controller: ReplicaSets by template, rolling updates, scaling, status and conditions.

mod scale;
mod sets;
mod status;
mod writes;

use scale::{is_scaling, scale};
use serde_json::{Value, json};
use sets::{bounds, newest, replicas, revision, sets, spec_replicas};
pub(crate) use status::settled_status;
use status::{counts, is_complete, status};
pub(crate) use writes::new_replica_set;
use writes::{ensure_newest, resize};

use super::MANAGER;
use crate::kind::Kind;
use crate::labels::{Selector, strings};
use crate::store::{DeleteOptions, Object};
use crate::value::{controller, int, is_finished, name, namespace, reference, set, terminating, uid};
use crate::world::World;

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
