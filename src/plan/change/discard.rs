//! The pod that a move has created is deleted, unless its ReplicaSet has adopted it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, Snapshot},
    plan::Names,
};

/// The pod that a move has created is deleted, unless its ReplicaSet has adopted it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discard {
    /// The pod that was created.
    pub pod: Key,
    /// The ReplicaSet that may have adopted it.
    pub replica_set: Arc<str>,
}

impl Kind for Discard {
    fn object(&self) -> Object {
        Object::Pod(self.pod.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn never(&self) -> Option<String> {
        Some(format!("{} was only there for the move", self.pod.name))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        match seen.pods.get(&self.pod) {
            None => Standing::Gone(format!("{} is gone", self.pod.name)),
            Some(pod) if pod.owner.is_some() || pod.deleting.is_some() => Standing::AtTo,
            Some(_) => Standing::AtFrom(format!("{} belongs to nobody", self.pod.name)),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("delete {} unless it is adopted", self.pod.name)
    }

    fn found(&self) -> String {
        format!("{} is adopted by {}", self.pod.name, self.replica_set)
    }
}
