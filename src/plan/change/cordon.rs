//! `spec.unschedulable` of a node.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, replicas::unfollowed};
use crate::{
    cluster::{NodeName, Snapshot, Uid},
    plan::{Names, by_hand},
};

/// `spec.unschedulable` of a node: new pods are kept off it, or may come again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cordon {
    /// Which node.
    pub node: NodeName,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Before.
    pub from: bool,
    /// Afterwards.
    pub to: bool,
}

impl Kind for Cordon {
    fn object(&self) -> Object {
        Object::Node(self.node.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::Cordon(Self { from: self.to, to: self.from, ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed("nodes", &seen.nodes.freshness)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let name = &self.node;
        match seen.nodes.get(name) {
            None => Standing::Elsewhere(format!("node {name} is gone")),
            Some(node) if node.uid != self.uid => {
                Standing::Elsewhere(format!("node {name} was deleted and created again"))
            }
            Some(node) if node.cordoned == self.to => Standing::AtTo,
            Some(_) => Standing::AtFrom(if self.to { "not cordoned" } else { "cordoned" }.into()),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("{} {}", if self.to { "cordon" } else { "uncordon" }, self.node)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, None);
        Some(format!("{kubectl} {} {}", if self.to { "cordon" } else { "uncordon" }, self.node))
    }
}
