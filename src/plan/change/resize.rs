//! The requests and limits of one container of a pod that runs: its `resize` subresource.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, pods};
use crate::{
    cluster::{Cpu, Key, Memory, Pod, PodSpec, Resources, Snapshot, Uid},
    plan::{Names, Step, by_hand, in_use},
};

/// Requests and limits of one container: bytes, and thousandths of a core. `None` is "not given".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// `requests.memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_request: Option<Memory>,
    /// `limits.memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<Memory>,
    /// `requests.cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_request: Option<Cpu>,
    /// `limits.cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<Cpu>,
}

impl From<&Resources> for Given {
    fn from(all: &Resources) -> Self {
        Self {
            memory_request: all.requests.memory,
            memory_limit: all.limits.memory,
            cpu_request: all.requests.cpu,
            cpu_limit: all.limits.cpu,
        }
    }
}

impl Given {
    /// Those of a container of a spec; `None`: it has none of that name.
    pub fn of(spec: &PodSpec, container: &str) -> Option<Self> {
        spec.containers.iter().find(|c| &*c.name == container).map(|c| (&c.resources).into())
    }

    /// The same resources with these in place of theirs.
    pub fn put(self, all: &mut Resources) {
        (all.requests.memory, all.limits.memory) = (self.memory_request, self.memory_limit);
        (all.requests.cpu, all.limits.cpu) = (self.cpu_request, self.cpu_limit);
    }

    /// What becomes another: `memory limit 640 Mi → 768 Mi`.
    pub fn becomes(self, to: Self) -> String {
        let memory = |m: Option<Memory>| m.map_or_else(|| "none".to_owned(), |m| m.to_string());
        let cpu = |c: Option<Cpu>| c.map_or_else(|| "none".to_owned(), |c| c.to_string());
        let all = [
            ("memory limit", memory(self.memory_limit), memory(to.memory_limit)),
            ("memory request", memory(self.memory_request), memory(to.memory_request)),
            ("CPU limit", cpu(self.cpu_limit), cpu(to.cpu_limit)),
            ("CPU request", cpu(self.cpu_request), cpu(to.cpu_request)),
        ];
        let differs = all.into_iter().filter(|(_, from, to)| from != to);
        differs.map(|(what, from, to)| format!("{what} {from} → {to}")).collect::<Vec<_>>().join(", ")
    }

    /// Its limits: `a memory limit of 768 Mi and a CPU limit of 2`.
    pub fn limits(self) -> String {
        let memory = self.memory_limit.map(|m| format!("a memory limit of {m}"));
        let cpu = self.cpu_limit.map(|c| format!("a CPU limit of {c}"));
        let all: Vec<_> = memory.into_iter().chain(cpu).collect();
        if all.is_empty() { "no limit".into() } else { all.join(" and ") }
    }

    /// The fields in which the other differs, each as Kubernetes spells it: `limits`, `memory`, `768Mi`.
    pub fn differing(self, to: Self) -> Vec<(&'static str, &'static str, String)> {
        let memory =
            |from: Option<Memory>, to: Option<Memory>| to.filter(|_| from != to).map(Memory::notation);
        let cpu = |from: Option<Cpu>, to: Option<Cpu>| to.filter(|_| from != to).map(Cpu::notation);
        let all = [
            ("requests", "memory", memory(self.memory_request, to.memory_request)),
            ("limits", "memory", memory(self.memory_limit, to.memory_limit)),
            ("requests", "cpu", cpu(self.cpu_request, to.cpu_request)),
            ("limits", "cpu", cpu(self.cpu_limit, to.cpu_limit)),
        ];
        all.into_iter().filter_map(|(list, name, value)| Some((list, name, value?))).collect()
    }

    /// What the other no longer has: it cannot be reached, for the API server takes no amount away in place.
    pub fn loses(self, to: Self) -> bool {
        (self.memory_request.is_some() && to.memory_request.is_none())
            || (self.memory_limit.is_some() && to.memory_limit.is_none())
            || (self.cpu_request.is_some() && to.cpu_request.is_none())
            || (self.cpu_limit.is_some() && to.cpu_limit.is_none())
    }
}

/// The requests and limits of one container of a pod that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// Which pod.
    pub pod: Key,
    /// Its uid when it was seen: its successor has what the template says.
    pub uid: Uid,
    /// Which container.
    pub container: Arc<str>,
    /// What was asked for it before.
    pub from: Given,
    /// And afterwards.
    pub to: Given,
}

/// The pod where it is there and stays; else the sentence that says that it is not.
pub(super) fn there<'a>(key: &Key, uid: &Uid, seen: &'a Snapshot) -> Result<&'a Arc<Pod>, String> {
    match pods::this(key, uid, seen) {
        None => Err(format!("{} is gone: its successor has what the template says", key.name)),
        Some(pod) if pod.deleting.is_some() => Err(format!("{} is being deleted", key.name)),
        Some(pod) if !pod.is_active() => Err(format!("{} has ended", key.name)),
        Some(pod) => Ok(pod),
    }
}

/// What is to be done with a run whose pod is not there any more: it can neither go on nor be taken back.
pub(super) fn closed(why: &str) -> String {
    format!("{why}; `runs give-up` closes the run, then resize again")
}

impl Kind for Resize {
    fn object(&self) -> Object {
        Object::Pod(self.pod.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        let Self { from, to, .. } = *self;
        (!to.loses(from)).then(|| Change::Resize(Self { from: to, to: from, ..self.clone() }))
    }

    fn never(&self) -> Option<String> {
        let text = "it had no limit before, and a limit cannot be removed from a pod that runs".to_owned();
        self.invert().is_none().then_some(text)
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        pods::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { pod: key, uid, container, from, to } = self;
        let pod = match there(key, uid, seen) {
            Ok(pod) => pod,
            Err(why) => return Standing::Gone(closed(&why)),
        };
        match Given::of(pod.wished(), container) {
            None => Standing::Elsewhere(format!("{} has no container {container}", key.name)),
            Some(now) if now == *to => Standing::AtTo,
            Some(now) if now == *from => Standing::AtFrom(format!("{container} is as before")),
            Some(now) => Standing::Elsewhere(format!(
                "{container} of {} is neither as before nor as planned: {}",
                key.name,
                from.becomes(now)
            )),
        }
    }

    fn hindrance(&self, _: &[Step], seen: &Snapshot) -> Option<String> {
        let pod = there(&self.pod, &self.uid, seen).ok()?;
        let limit = self.to.memory_limit.filter(|to| self.from.memory_limit.is_none_or(|from| *to < from))?;
        in_use::above(seen, pod, &self.container, limit)
    }

    fn words(&self, _: &Names) -> String {
        let Self { pod, container, from, to, .. } = self;
        format!("resize {container} of {}: {}", pod.name, from.becomes(*to))
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let Self { pod, container, from, to, .. } = self;
        let mut resources = serde_json::Map::new();
        for (list, name, value) in from.differing(*to) {
            let list = resources.entry(list).or_insert_with(|| serde_json::json!({}));
            list[name] = value.into();
        }
        let patch = serde_json::json!({
            "spec": { "containers": [{ "name": &**container, "resources": resources }] }
        });
        let kubectl = by_hand::kubectl(seen, Some(&pod.namespace));
        let patch = by_hand::shell(&patch.to_string()).into_owned();
        Some(format!("{kubectl} patch pod/{} --subresource=resize -p {patch}", pod.name))
    }
}
