//! Wait until every pod of a workload is of its newest template and ready.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing, pods,
    replicas::{this_workload, unfollowed_workload},
    settle::{lacks, placed},
};
use crate::{
    cluster::{Pod, PodState, Snapshot, Uid, WorkloadKey},
    plan::Names,
};

/// Wait until every pod of a workload is of its newest template and ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolledOut {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The container and image that is rolled out: a pod of it that crashes or cannot start ends the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<(Arc<str>, Arc<str>)>,
}

impl RolledOut {
    /// Why a pod of the image that is rolled out will not become ready.
    fn fails(&self, seen: &Snapshot) -> Option<String> {
        let (container, image) = self.image.as_ref()?;
        let tenant = seen.tenant_of(&self.workload)?;
        let new = |pod: &&Arc<Pod>| {
            pod.is_active() && pod.spec.containers.iter().any(|c| c.name == *container && c.image == *image)
        };
        let failing = |pod: &&Arc<Pod>| seen.state_of(pod) == PodState::Failing;
        tenant.pods.iter().filter(new).find(failing).and_then(|pod| lacks(seen, pod))
    }
}

impl Kind for RolledOut {
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
        if workload.paused {
            return Standing::Elsewhere(format!("the rollout of {} is paused", self.workload));
        }
        if workload.observed_generation < workload.generation {
            return Standing::AtFrom("its controller has not looked yet".into());
        }
        let (counts, wanted) = (workload.counts, workload.desired);
        let text = format!("{} of {wanted} updated, {} ready", counts.updated, counts.ready);
        if workload.stuck_since.is_some() {
            let tenant = seen.tenant_of(&self.workload);
            let why = tenant.and_then(|tenant| tenant.pods.iter().find_map(|pod| lacks(seen, pod)));
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            return Standing::Failed(format!("the rollout of {} is stuck, {text}{why}", self.workload));
        }
        if let Some(why) = self.fails(seen) {
            return Standing::Failed(format!("the rollout of {} fails, {text}: {why}", self.workload));
        }
        let text = match &workload.refused {
            Some(refused) if counts.updated < wanted => {
                format!("{text}; its pods are refused: {}", refused.message)
            }
            _ => text,
        };
        match (counts.updated, counts.total, counts.available) == (wanted, wanted, wanted) {
            true => Standing::AtTo,
            false => Standing::AtFrom(text),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("wait until {} has rolled out", self.workload)
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
