//! Wait until the kubelet has put the requests and limits of a container in force.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Given, Kind, Object, Standing, pods,
    resize::{closed, there},
};
use crate::{
    cluster::{Key, NodeName, Pod, Snapshot, Uid},
    plan::Names,
};

/// Wait until the status of a pod shows these requests and limits in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resized {
    /// Which pod.
    pub pod: Key,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Which container.
    pub container: Arc<str>,
    /// What is to be in force.
    pub to: Given,
}

impl Resized {
    /// It is in force, and nothing else is wished.
    fn is_in_force(&self, pod: &Pod) -> bool {
        let is = |spec| Given::of(spec, &self.container) == Some(self.to);
        is(&pod.spec) && is(pod.wished())
    }
}

/// What the kubelet of a node says of a change that is not in force yet.
pub(in crate::plan) fn told(pod: &Pod) -> Option<String> {
    let resize = pod.resize.as_ref()?;
    let node = pod.node.as_ref().map_or("its node", NodeName::as_str);
    let message = resize.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    Some(match &*resize.reason {
        "" => format!("the kubelet of {node} has not taken it up yet"),
        "Infeasible" => format!("{node} can never give that (Infeasible){message}"),
        "Deferred" => format!("{node} cannot give that now, and its kubelet tries again (Deferred){message}"),
        "Error" => format!("the kubelet of {node} fails to apply it, and tries again (Error){message}"),
        "InProgress" => format!("the kubelet of {node} is applying it{message}"),
        other => format!("the kubelet of {node} says {other}{message}"),
    })
}

impl Kind for Resized {
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
        let pod = match there(&self.pod, &self.uid, seen) {
            Ok(pod) => pod,
            Err(why) => return Standing::Elsewhere(closed(&why)),
        };
        if self.is_in_force(pod) {
            return Standing::AtTo;
        }
        let infeasible = pod.resize.as_ref().is_some_and(|resize| &*resize.reason == "Infeasible");
        match (told(pod), Given::of(pod.wished(), &self.container)) {
            (Some(text), Some(wished)) if wished == self.to && infeasible => {
                Standing::Failed(format!("{name}: {text}"))
            }
            (Some(text), _) => Standing::AtFrom(format!("{name}: {text}")),
            (None, _) => Standing::AtFrom(format!("{name} does not show it yet")),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("wait until {} of {} has it in force", self.container, self.pod.name)
    }

    fn outcome(&self, _: &Snapshot) -> String {
        format!("{} of {} has {} in force", self.container, self.pod.name, self.to.limits())
    }
}
