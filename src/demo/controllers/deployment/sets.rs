//! A Deployment and its ReplicaSets: which they are, how many pods each is to have, which has the present template.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::store::Object;
use crate::value::{controller, int, map, name, namespace, share, text};
use crate::world::World;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MOST: &str = "deployment.kubernetes.io/max-replicas";
pub(super) const HASH: &str = "pod-template-hash";

/// The Deployment's ReplicaSets, oldest first.
pub(super) fn sets(world: &World, deployment: &Value) -> Vec<Object> {
    let mut sets: Vec<Object> = world
        .store
        .list(Kind::REPLICA_SET, Some(namespace(deployment)))
        .filter(|set| controller(set).is_some_and(|owner| owner["uid"] == deployment["metadata"]["uid"]))
        .cloned()
        .collect();
    sets.sort_by(|one, two| age(one).cmp(&age(two)));
    sets
}

pub(super) fn age(set: &Value) -> (&str, &str) {
    (text(&set["metadata"]["creationTimestamp"]), name(set))
}

pub(super) fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1).max(0)
}

pub(super) fn spec_replicas(set: &Value) -> i64 {
    int(&set["spec"]["replicas"]).max(0)
}

pub(super) fn revision(object: &Value) -> i64 {
    text(&object["metadata"]["annotations"][REVISION]).parse().unwrap_or(0)
}

/// maxSurge and maxUnavailable in pods. When both round to 0, one pod may be unavailable.
pub(super) fn bounds(deployment: &Value) -> (i64, i64) {
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

pub(super) fn newest<'a>(deployment: &Value, sets: &'a [Object]) -> Option<&'a Object> {
    let mut template = deployment["spec"]["template"].clone();
    map(&mut template, &["metadata", "labels"]).remove(HASH);
    sets.iter().find(|set| template_without_hash(set) == template)
}
