//! The template of a Deployment as it was in another revision: what `kubectl rollout undo` sets.

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing, TEMPLATE_HASH,
    replicas::{short_kind, this_workload, unfollowed_workload},
};
use crate::{
    cluster::{Operator, ReplicaSet, Revision, Snapshot, Uid, WorkloadKey},
    plan::{Names, by_hand},
};

/// The whole template of a Deployment: that of one of its ReplicaSets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetTemplate {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The revision before.
    pub from: Revision,
    /// And the one whose template it gets.
    pub to: Revision,
}

/// The newest ReplicaSet of a Deployment: the one of its present template.
pub(in crate::plan) fn newest<'a>(seen: &'a Snapshot, workload: &WorkloadKey) -> Option<&'a ReplicaSet> {
    let own = seen.replica_sets.values().filter(|set| {
        set.key.namespace == workload.key.namespace && set.deployment.as_deref() == Some(&*workload.key.name)
    });
    own.max_by_key(|set| set.revision).map(|set| &**set)
}

/// The hash of a ReplicaSet's template.
fn hash(set: &ReplicaSet) -> Option<&str> {
    let own = set.selector.requirements.iter().find(|r| r.key == TEMPLATE_HASH)?;
    match &own.operator {
        Operator::In(values) => values.first().map(String::as_str),
        _ => None,
    }
}

impl Kind for SetTemplate {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        let Self { from, to, .. } = self.clone();
        Some(Change::SetTemplate(Self { from: to, to: from, ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        let sets = || seen.replica_sets.freshness.trouble().map(|why| format!("replicasets: {why}"));
        unfollowed_workload(&self.workload, seen).or_else(sets)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { workload: key, uid, from, to } = self;
        if let Err(why) = this_workload(key, uid, seen) {
            return Standing::Elsewhere(why);
        }
        match newest(seen, key).map(|set| (hash(set), set.revision)) {
            Some((Some(now), _)) if now == &*to.hash => Standing::AtTo,
            Some((Some(now), _)) if now == &*from.hash => {
                Standing::AtFrom(format!("it has the template of revision {}", from.number))
            }
            Some((_, now)) => Standing::Elsewhere(format!(
                "{key} has the template of revision {now}, neither {} nor {}",
                from.number, to.number
            )),
            None => Standing::Elsewhere(format!("{key} has no ReplicaSet")),
        }
    }

    fn words(&self, _: &Names) -> String {
        let Self { workload, from, to, .. } = self;
        format!("template of {workload} revision {} → {}", from.number, to.number)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let key = &self.workload.key;
        let kubectl = by_hand::kubectl(seen, Some(&key.namespace));
        let kind = short_kind(self.workload.kind);
        Some(format!("{kubectl} rollout undo {kind}/{} --to-revision={}", key.name, self.to.number))
    }
}
