//! A pod beside those of a ReplicaSet, on a node of our choice: what a move by adoption begins with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Discard, Kind, Object, Standing, pods,
    replicas::{this_workload, unfollowed_workload},
};
use crate::{
    cluster::{Key, NodeName, Phase, Snapshot, Uid, WorkloadKey},
    plan::Names,
};

/// A pod made from a ReplicaSet's own template, without the label that its ReplicaSet knows its pods by, and with a
/// required node affinity on the name of one node. The Service sends it requests as soon as it is ready; no controller
/// owns it. It carries the run's label until it is adopted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreatePod {
    /// Its namespace and name. The name follows from what it replaces and from where it goes: creating it twice is
    /// finding it.
    pub pod: Key,
    /// The Deployment.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The ReplicaSet whose template it is made from.
    pub replica_set: Arc<str>,
    /// The only node it may come to.
    pub node: NodeName,
}

impl Kind for CreatePod {
    fn object(&self) -> Object {
        Object::Pod(self.pod.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        let Self { pod, replica_set, .. } = self.clone();
        Some(Change::Discard(Discard { pod, replica_set }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen).or_else(|| pods::unseen(seen))
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        if let Err(why) = this_workload(&self.workload, &self.uid, seen) {
            return Standing::Elsewhere(why);
        }
        let name = &self.pod.name;
        match seen.pods.get(&self.pod) {
            None => Standing::AtFrom(format!("{name} is not there")),
            // One of before goes by itself.
            Some(pod) if pod.deleting.is_some() => Standing::AtFrom(format!("{name} is being deleted")),
            Some(pod) if pod.phase == Phase::Failed => Standing::Failed(format!("{name} has failed")),
            Some(pod) => match &pod.node {
                Some(node) if *node != self.node => {
                    Standing::Elsewhere(format!("{name} is on {node}, not on {}", self.node))
                }
                _ => Standing::AtTo,
            },
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("create {} on {}, from the template of {}", self.pod.name, self.node, self.replica_set)
    }
}
