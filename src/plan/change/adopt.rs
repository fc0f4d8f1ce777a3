//! The labels that make a ReplicaSet take a pod for its own.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, NodeName, Snapshot, Uid},
    plan::{Names, by_hand},
};

/// The labels that make a ReplicaSet take a pod for its own. It counts one too many at once, and removes the one with
/// the lowest deletion cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adopt {
    /// The pod that is to be adopted.
    pub pod: Key,
    /// The labels, such as `pod-template-hash`.
    pub labels: BTreeMap<String, String>,
    /// The ReplicaSet.
    pub replica_set: Arc<str>,
    /// The pod that is to go in its place ...
    pub victim: Key,
    /// ... and its uid.
    pub victim_uid: Uid,
    /// Where it is: a move back goes there.
    pub victim_node: NodeName,
}

impl Kind for Adopt {
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
        Some(format!("{} is gone: another move can only go the other way", self.victim.name))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let name = &self.pod.name;
        match seen.pods.get(&self.pod) {
            None => Standing::Elsewhere(format!("{name} is gone")),
            Some(pod) if pod.deleting.is_some() => Standing::Elsewhere(format!("{name} is being deleted")),
            Some(pod)
                if self
                    .labels
                    .iter()
                    .all(|(key, value)| pod.labels.get(key.as_str()).is_some_and(|v| **v == **value)) =>
            {
                Standing::AtTo
            }
            Some(_) => Standing::AtFrom(format!("{name} belongs to nobody")),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("let {} adopt {} in place of {}", self.replica_set, self.pod.name, self.victim.name)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, Some(&self.pod.namespace));
        let labels: Vec<_> = self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Some(format!("{kubectl} label pod/{} {}", self.pod.name, labels.join(" ")))
    }
}
