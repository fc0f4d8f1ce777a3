//! Which pod a ReplicaSet removes first when it has one too many.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, Snapshot, Uid},
    plan::{Names, by_hand},
};

/// The annotation `controller.kubernetes.io/pod-deletion-cost` of a pod; 0 stands for none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletionCost {
    /// Which pod.
    pub pod: Key,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Before.
    pub from: i32,
    /// Afterwards.
    pub to: i32,
}

impl Kind for DeletionCost {
    fn object(&self) -> Object {
        Object::Pod(self.pod.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::DeletionCost(Self { from: self.to, to: self.from, ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let name = &self.pod.name;
        match pods::this(&self.pod, &self.uid, seen) {
            None => Standing::Gone(format!("{name} is gone")),
            Some(pod) if pod.deleting.is_some() => Standing::Gone(format!("{name} is being deleted")),
            Some(pod) => match pod.deletion_cost {
                n if n == self.to => Standing::AtTo,
                n if n == self.from => Standing::AtFrom(format!("deletion cost {n}")),
                n => Standing::Elsewhere(format!(
                    "{name} has the deletion cost {n}, neither {} nor {}",
                    self.from, self.to
                )),
            },
        }
    }

    fn words(&self, _: &Names) -> String {
        match self.to {
            pods::LOWEST_COST => format!("give {} the lowest deletion cost", self.pod.name),
            0 => format!("remove the deletion cost of {}", self.pod.name),
            n => format!("give {} the deletion cost {n}", self.pod.name),
        }
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, Some(&self.pod.namespace));
        let note = "controller.kubernetes.io/pod-deletion-cost";
        Some(match self.to {
            0 => format!("{kubectl} annotate pod/{} {note}-", self.pod.name),
            n => format!("{kubectl} annotate --overwrite pod/{} {note}={n}", self.pod.name),
        })
    }
}
