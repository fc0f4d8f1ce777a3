//! The bounds of a HorizontalPodAutoscaler.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, replicas::unfollowed};
use crate::{
    cluster::{Key, Snapshot},
    plan::{Names, by_hand},
};

/// `minReplicas` and `maxReplicas` of an autoscaler. With both at one number it leaves its workload at that number;
/// given back, the bounds come before the replicas (measured).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Which autoscaler.
    pub autoscaler: Key,
    /// Least and most before.
    pub from: (u32, u32),
    /// And afterwards.
    pub to: (u32, u32),
}

impl Kind for Bounds {
    fn object(&self) -> Object {
        Object::Autoscaler(self.autoscaler.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::Bounds(Self { autoscaler: self.autoscaler.clone(), from: self.to, to: self.from }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed("autoscalers", &seen.autoscalers.freshness)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let key = &self.autoscaler;
        match seen.autoscalers.get(key).map(|a| (a.min, a.max)) {
            None => Standing::Gone(format!("autoscaler {key} is gone")),
            Some(now) if now == self.to => Standing::AtTo,
            Some(now) if now == self.from => Standing::AtFrom(format!("{}-{} replicas", now.0, now.1)),
            Some((min, max)) => Standing::Elsewhere(format!(
                "autoscaler {key} has {min}-{max} replicas, neither {}-{} nor {}-{}",
                self.from.0, self.from.1, self.to.0, self.to.1
            )),
        }
    }

    fn words(&self, _: &Names) -> String {
        let Self { autoscaler, from, to } = self;
        format!("bounds of autoscaler {autoscaler} {}-{} → {}-{}", from.0, from.1, to.0, to.1)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, Some(&self.autoscaler.namespace));
        let (name, (min, max)) = (&self.autoscaler.name, self.to);
        let patch = format!("'{{\"spec\":{{\"minReplicas\":{min},\"maxReplicas\":{max}}}}}'");
        Some(format!("{kubectl} patch hpa/{name} --type=merge -p {patch}"))
    }
}
