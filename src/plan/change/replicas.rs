//! `spec.replicas` of a workload.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{Freshness, Snapshot, Uid, Workload, WorkloadKey, WorkloadKind},
    plan::{Names, by_hand},
};

/// `spec.replicas` of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replicas {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen: a successor of the same name is another workload.
    pub uid: Uid,
    /// Replicas before.
    pub from: u32,
    /// Replicas afterwards.
    pub to: u32,
    /// An autoscaler may have gone a part of the way by then: its bounds were given back just before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub autoscaled: bool,
}

impl Replicas {
    /// The autoscaler has gone a part of the way.
    pub fn is_between(&self, now: u32) -> bool {
        self.autoscaled && (self.from.min(self.to) + 1..self.from.max(self.to)).contains(&now)
    }
}

impl Kind for Replicas {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::Replicas(Self { from: self.to, to: self.from, ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { workload: key, from, to, .. } = self;
        match this_workload(key, &self.uid, seen) {
            Err(why) => Standing::Elsewhere(why),
            Ok(workload) => match workload.desired {
                n if n == *to => Standing::AtTo,
                n if n == *from || self.is_between(n) => Standing::AtFrom(format!("{n} replicas")),
                n => Standing::Elsewhere(format!("{key} asks for {n} replicas, neither {from} nor {to}")),
            },
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("scale {} {} → {}", self.workload, self.from, self.to)
    }

    fn found(&self) -> String {
        format!("it has {} replicas already", self.to)
    }

    fn found_done(&self) -> String {
        format!("found at {} replicas: the write had gone through", self.to)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let (key, kind) = (&self.workload.key, short_kind(self.workload.kind));
        let kubectl = by_hand::kubectl(seen, Some(&key.namespace));
        Some(format!(
            "{kubectl} scale {kind}/{} --replicas={} --current-replicas={}",
            key.name, self.to, self.from
        ))
    }
}

/// The kind of a workload as it is typed for kubectl.
pub(super) fn short_kind(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deploy",
        WorkloadKind::StatefulSet => "sts",
    }
}

/// The workload of that key and uid, or why it is not there.
pub(super) fn this_workload<'a>(
    key: &WorkloadKey,
    uid: &Uid,
    seen: &'a Snapshot,
) -> Result<&'a Workload, String> {
    match seen.workload(key) {
        None => Err(format!("{key} is gone")),
        Some(workload) if workload.uid != *uid => Err(format!("{key} was deleted and created again")),
        Some(workload) => Ok(workload),
    }
}

/// Why the workloads of that kind are not evidence at present.
pub(super) fn unfollowed_workload(key: &WorkloadKey, seen: &Snapshot) -> Option<String> {
    match key.kind {
        WorkloadKind::Deployment => unfollowed("deployments", &seen.deployments.freshness),
        WorkloadKind::StatefulSet => unfollowed("statefulsets", &seen.stateful_sets.freshness),
    }
}

/// Why a source is no evidence at present.
pub(super) fn unfollowed(name: &str, freshness: &Freshness) -> Option<String> {
    if freshness.is_live() {
        return None;
    }
    let why = freshness.trouble().map_or(String::new(), |why| format!(": {why}"));
    Some(format!("{name} are not followed at present{why}"))
}
