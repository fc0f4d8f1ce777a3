//! Wait until a pod has taken the place of another.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing, pods,
    replicas::{this_workload, unfollowed_workload},
    settle::{lacks, placed},
};
use crate::{
    cluster::{Key, Snapshot, Uid, WorkloadKey},
    plan::Names,
};

/// Wait until a pod is owned, the one it replaces is gone, and no other went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    /// The Deployment.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The pod that came.
    pub pod: Key,
    /// The pod that goes ...
    pub victim: Key,
    /// ... and its uid.
    pub victim_uid: Uid,
    /// The names of the pods that stay.
    pub stay: Vec<Arc<str>>,
    /// Replicas the workload asks for all the time.
    pub replicas: u32,
}

impl Kind for Replaced {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen).or_else(|| pods::unseen(seen))
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let workload = match this_workload(&self.workload, &self.uid, seen) {
            Ok(workload) => workload,
            Err(why) => return Standing::Elsewhere(why),
        };
        let (came, goes) = (&self.pod.name, &self.victim.name);
        if workload.desired != self.replicas {
            let (n, key) = (workload.desired, &self.workload);
            return Standing::Elsewhere(format!("{key} asks for {n} replicas by now, not {}", self.replicas));
        }
        let Some(pod) = seen.pods.get(&self.pod) else {
            return Standing::Elsewhere(format!("{came} is gone"));
        };
        let key = |name: &Arc<str>| Key::new(self.pod.namespace.clone(), name.clone());
        let leaves = |name: &&Arc<str>| seen.pods.get(&key(name)).is_none_or(|pod| pod.deleting.is_some());
        if let Some(other) = self.stay.iter().find(leaves) {
            return Standing::Elsewhere(format!("{other} went, which was to stay"));
        }
        if pod.owner.is_none() {
            return Standing::AtFrom(format!("{came} belongs to nobody yet"));
        }
        match pods::this(&self.victim, &self.victim_uid, seen) {
            Some(victim) if victim.deleting.is_some() => {
                return Standing::AtFrom(format!("{goes} is still leaving"));
            }
            Some(_) => return Standing::AtFrom(format!("{goes} is still there")),
            None => {}
        }
        let Some(tenant) = seen.tenant_of(&self.workload) else {
            return Standing::Elsewhere(format!("{} is no tenant any more", self.workload));
        };
        let (ready, active) = (tenant.ready(), tenant.active().count() as u32);
        match (ready, active) == (self.replicas, self.replicas) {
            true => Standing::AtTo,
            false => Standing::AtFrom(format!("{ready} of {} ready", self.replicas)),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("wait until {} has taken the place of {}", self.pod.name, self.victim.name)
    }

    fn outcome(&self, seen: &Snapshot) -> String {
        seen.tenant_of(&self.workload).map_or(String::new(), |tenant| placed(tenant))
    }

    fn missing(&self, seen: &Snapshot) -> String {
        let tenant = seen.tenant_of(&self.workload);
        let lacking = tenant.and_then(|tenant| tenant.pods.iter().find_map(|pod| lacks(seen, pod)));
        lacking.map_or(String::new(), |text| format!("; {text}"))
    }
}
