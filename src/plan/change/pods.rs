//! What the kinds of change of pods have in common.

use std::sync::Arc;

use super::{Standing, replicas::unfollowed};
use crate::cluster::{Key, Pod, Snapshot, Uid};

/// The label that Deployments tell the pods of their ReplicaSets apart by.
pub const TEMPLATE_HASH: &str = "pod-template-hash";

/// The deletion cost that makes a ReplicaSet remove a pod before any other that is ready.
pub const LOWEST_COST: i32 = i32::MIN;

/// Why pods are not evidence at present.
pub(super) fn unseen(seen: &Snapshot) -> Option<String> {
    unfollowed("pods", &seen.pods.freshness)
}

/// The pod of that name and uid; `None`: it is gone, though another of its name may be there.
pub(super) fn this<'a>(key: &Key, uid: &Uid, seen: &'a Snapshot) -> Option<&'a Arc<Pod>> {
    seen.pods.get(key).filter(|pod| pod.uid == *uid)
}

/// Where the removal of a pod stands: done when it is gone or going.
pub(super) fn removed(key: &Key, uid: &Uid, seen: &Snapshot) -> Standing {
    match this(key, uid, seen) {
        None => Standing::AtTo,
        Some(pod) if pod.deleting.is_some() => Standing::AtTo,
        Some(_) => Standing::AtFrom(format!("{} is there", key.name)),
    }
}
