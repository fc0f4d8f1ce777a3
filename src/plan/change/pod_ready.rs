//! Wait until a pod is ready on its node, and has been for as long as its workload wants.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods, settle::lacks};
use crate::{
    cluster::{Key, NodeName, PodState, Snapshot},
    plan::Names,
};

/// Wait until a pod is ready on its node, and has been for `minReadySeconds`: before, its workload does not count it as
/// available.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodReady {
    /// Which pod.
    pub pod: Key,
    /// Where it must be.
    pub node: NodeName,
    /// Seconds it must have been ready.
    pub seconds: u32,
}

impl Kind for PodReady {
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
        let name = &self.pod.name;
        let Some(pod) = seen.pods.get(&self.pod) else {
            return Standing::AtFrom(format!("{name} is not there"));
        };
        if let Some(node) = pod.node.as_ref().filter(|node| **node != self.node) {
            return Standing::Elsewhere(format!("{name} is on {node}, not on {}", self.node));
        }
        match (seen.state_of(pod), lacks(seen, pod)) {
            (PodState::Ready, _) => {
                let wanted = SignedDuration::from_secs(self.seconds.into());
                let held = pod.ready_since.map_or(wanted, |since| seen.at.duration_since(since));
                // Clocks may differ: what has to be ready for no time at all is not measured.
                match self.seconds == 0 || held >= wanted {
                    true => Standing::AtTo,
                    false => Standing::AtFrom(format!(
                        "{name} is ready for {} of {} s",
                        held.as_secs(),
                        self.seconds
                    )),
                }
            }
            (PodState::Finished, _) => Standing::Failed(format!("{name} has ended")),
            (PodState::Starting, why) => {
                Standing::AtFrom(why.unwrap_or_else(|| format!("{name} is starting")))
            }
            // No node, a crash, an image that cannot be pulled, a deletion: waiting is no answer.
            (_, why) => Standing::Failed(why.unwrap_or_else(|| format!("{name} is not ready"))),
        }
    }

    fn due(&self, seen: &Snapshot) -> Option<Timestamp> {
        let since = seen.pods.get(&self.pod).filter(|pod| pod.ready)?.ready_since?;
        since.checked_add(SignedDuration::from_secs(self.seconds.into())).ok()
    }

    fn words(&self, _: &Names) -> String {
        let held = if self.seconds > 0 { format!(" for {} s", self.seconds) } else { String::new() };
        format!("wait until {} is ready on {}{held}", self.pod.name, self.node)
    }

    fn outcome(&self, _: &Snapshot) -> String {
        format!("ready on {}", self.node)
    }
}
