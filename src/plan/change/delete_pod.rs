//! A pod is deleted, whatever its disruption budgets say.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, Snapshot, Uid},
    plan::{Names, by_hand},
};

/// A pod is deleted: its controller makes another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletePod {
    /// Which pod.
    pub pod: Key,
    /// Its uid when it was seen: a successor of the same name stays.
    pub uid: Uid,
}

impl Kind for DeletePod {
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
        Some(format!("{} is gone: its controller has made another", self.pod.name))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        pods::removed(&self.pod, &self.uid, seen)
    }

    fn words(&self, _: &Names) -> String {
        format!("delete {}", self.pod.name)
    }

    fn found(&self) -> String {
        format!("{} is gone already", self.pod.name)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, Some(&self.pod.namespace));
        Some(format!("{kubectl} delete pod/{}", self.pod.name))
    }
}
