//! What the controller writes to ReplicaSets: a new one for a new template, and their sizes.

use serde_json::{Map, Value, json};

use super::sets::{DESIRED, HASH, MOST, REVISION, bounds, newest, replicas, revision, sets, spec_replicas};
use super::status::progress;
use crate::controllers::MANAGER;
use crate::kind::Kind;
use crate::store::Object;
use crate::value::{hash, int, map, name, namespace, reference, safe, uid};
use crate::world::{Source, World};

/// Annotations of a Deployment that its ReplicaSets do not get.
const OWN: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    DESIRED,
    MOST,
    "deployment.kubernetes.io/revision-history",
];

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
pub(super) fn ensure_newest(world: &mut World, deployment: &Value, create: bool) -> Option<Object> {
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
                crate::value::set(&mut set, &["metadata", "name"], format!("{called}-{suffix}").into());
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
pub(super) fn resize(world: &mut World, deployment: &Value, set: &Value, to: i64) {
    let from = spec_replicas(set);
    let (surge, _) = bounds(deployment);
    let desired = replicas(deployment);
    world.store.update(Kind::REPLICA_SET, namespace(deployment), name(set), MANAGER, |set| {
        crate::value::set(set, &["spec", "replicas"], to.into());
        let annotations = map(set, &["metadata", "annotations"]);
        annotations.insert(DESIRED.to_owned(), desired.to_string().into());
        annotations.insert(MOST.to_owned(), (desired + surge).to_string().into());
    });
    if from != to {
        scaled(world, deployment, name(set), from, to);
    }
}
