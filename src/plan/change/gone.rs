//! Wait until a pod is gone.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Key, Snapshot, Uid},
    plan::Names,
};

/// Wait until a pod is gone. Once it is seen to be, what is seen of its workload is later than its removal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    /// Which pod.
    pub pod: Key,
    /// Its uid: another of its name may be there.
    pub uid: Uid,
}

impl Kind for Gone {
    fn object(&self) -> Object {
        Object::Pod(self.pod.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        match pods::this(&self.pod, &self.uid, seen) {
            None => Standing::AtTo,
            Some(_) => Standing::AtFrom(format!("{} is still there", self.pod.name)),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("wait until {} is gone", self.pod.name)
    }

    fn missing(&self, seen: &Snapshot) -> String {
        pods::this(&self.pod, &self.uid, seen)
            .map_or(String::new(), |pod| format!("; {}", seen.what_keeps(pod)))
    }
}
