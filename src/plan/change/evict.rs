//! A pod is evicted, within its disruption budgets.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, Snapshot, Uid},
    plan::Names,
};

/// A pod is evicted: the API server refuses where a disruption budget does not allow it, and is asked again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evict {
    /// Which pod.
    pub pod: Key,
    /// Its uid when it was seen. It is compared before the eviction is asked for: one for a wrong uid is refused, and
    /// uses up the budget all the same.
    pub uid: Uid,
}

impl Kind for Evict {
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
        format!("evict {}", self.pod.name)
    }

    fn found(&self) -> String {
        format!("{} is gone already", self.pod.name)
    }
}
