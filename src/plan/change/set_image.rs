//! The image of one container in a workload's template.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing,
    replicas::{short_kind, this_workload, unfollowed_workload},
};
use crate::{
    cluster::{Snapshot, Uid, WorkloadKey, image_tag},
    plan::{Names, by_hand},
};

/// The image of one container in a workload's template: a rollout begins with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetImage {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Which container.
    pub container: Arc<str>,
    /// Its image before.
    pub from: Arc<str>,
    /// And afterwards.
    pub to: Arc<str>,
}

impl Kind for SetImage {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        let Self { from, to, .. } = self.clone();
        Some(Change::SetImage(Self { from: to, to: from, ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { workload: key, container, from, to, .. } = self;
        let workload = match this_workload(key, &self.uid, seen) {
            Ok(workload) => workload,
            Err(why) => return Standing::Elsewhere(why),
        };
        match workload.template.containers.iter().find(|c| c.name == *container) {
            None => Standing::Elsewhere(format!("{key} has no container {container} any more")),
            Some(found) if found.image == *to => Standing::AtTo,
            Some(found) if found.image == *from => Standing::AtFrom(format!("{container} has {from}")),
            Some(found) => Standing::Elsewhere(format!(
                "{container} of {key} has the image {}, neither {from} nor {to}",
                found.image
            )),
        }
    }

    fn words(&self, _: &Names) -> String {
        let Self { workload, container, from, to, .. } = self;
        let (old, new) = (image_tag(from), image_tag(to));
        let named = |image: &Arc<str>| image.strip_suffix(image_tag(image)).map(str::to_owned);
        match named(from) == named(to) {
            true => format!("image of {container} in {workload} {old} → {new}"),
            false => format!("image of {container} in {workload} {from} → {to}"),
        }
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let Self { workload, container, to, .. } = self;
        let kubectl = by_hand::kubectl(seen, Some(&workload.key.namespace));
        let image = by_hand::shell(to);
        Some(format!(
            "{kubectl} set image {}/{} {container}={image}",
            short_kind(workload.kind),
            workload.key.name
        ))
    }
}
