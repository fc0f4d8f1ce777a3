//! A new rollout of the same template: what `kubectl rollout restart` does.

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing,
    replicas::{short_kind, this_workload, unfollowed_workload},
};
use crate::{
    cluster::{Snapshot, Uid, WorkloadKey},
    plan::{Names, by_hand},
};

/// The annotation `kubectl.kubernetes.io/restartedAt` of a workload's template: every pod is replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestartRollout {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The value of the annotation: setting it twice is one restart.
    pub stamp: String,
}

impl Kind for RestartRollout {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn never(&self) -> Option<String> {
        Some(format!("{} has the same template as before: no pods would be other ones", self.workload))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        match this_workload(&self.workload, &self.uid, seen) {
            Err(why) => Standing::Elsewhere(why),
            Ok(workload) if workload.restarted.as_deref() == Some(&self.stamp) => Standing::AtTo,
            Ok(workload) => Standing::AtFrom(match &workload.restarted {
                Some(at) => format!("last restarted {at}"),
                None => "not restarted".into(),
            }),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("restart {}", self.workload)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let key = &self.workload.key;
        let kubectl = by_hand::kubectl(seen, Some(&key.namespace));
        Some(format!("{kubectl} rollout restart {}/{}", short_kind(self.workload.kind), key.name))
    }
}
