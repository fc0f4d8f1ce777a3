//! Noticing writes: indexes, the scheduler's view, and work for the controllers that care.

use jiff::SignedDuration;
use serde_json::Value;

use crate::controllers;
use crate::kind::{KINDS, Kind};
use crate::labels::{Selector, strings};
use crate::scheduler;
use crate::store::{ChangeType, Object};
use crate::value::{controller, is_active, list, name, namespace, terminating, text, uid};
use crate::world::{Wake, Work, World};

impl World {
    /// Notices the writes since the last time: indexes, the scheduler's view, work for the controllers.
    pub(super) fn notice(&mut self) {
        if self.seen == self.store.revision() {
            return;
        }
        let changes: Option<Vec<_>> =
            self.store.changes_since(self.seen).ok().map(|changes| changes.cloned().collect());
        let Some(changes) = changes else { return self.notice_all() };
        self.seen = self.store.revision();
        for change in changes {
            let before = change.before.as_deref();
            match change.change {
                ChangeType::Deleted => self.noticed(change.kind, Some(&change.object), None),
                _ => self.noticed(change.kind, before, Some(&change.object)),
            }
        }
    }

    /// Starts over from the objects themselves.
    pub(crate) fn notice_all(&mut self) {
        self.seen = self.store.revision();
        self.scheduler = scheduler::Cluster::default();
        self.dependents.clear();
        self.on_node.clear();
        self.unschedulable.clear();
        for kind in KINDS.iter().filter(|kind| kind.stored() == *kind) {
            let objects: Vec<Object> = self.store.list(kind, None).cloned().collect();
            for object in objects {
                self.noticed(kind, None, Some(&object));
            }
        }
    }

    fn noticed(&mut self, kind: &'static Kind, before: Option<&Value>, after: Option<&Value>) {
        let Some(object) = after.or(before) else { return };
        let (place, called) = (namespace(object).to_owned(), name(object).to_owned());
        let key = (kind.index, place.clone(), called.clone());
        for owner in before.iter().flat_map(|object| list(&object["metadata"]["ownerReferences"])) {
            if let Some(set) = self.dependents.get_mut(text(&owner["uid"])) {
                set.remove(&key);
                if set.is_empty() {
                    self.dependents.remove(text(&owner["uid"]));
                }
            }
            if after.is_none()
                && let Some(kind) = Kind::of(text(&owner["apiVersion"]), text(&owner["kind"]))
            {
                self.queue.insert(Work::Owner(kind.index, place.clone(), text(&owner["name"]).to_owned()));
            }
        }
        if let Some(after) = after {
            for owner in list(&after["metadata"]["ownerReferences"]) {
                self.dependents.entry(text(&owner["uid"]).to_owned()).or_default().insert(key.clone());
            }
            if terminating(after) && list(&after["metadata"]["finalizers"]).next().is_some() {
                self.queue.insert(Work::Owner(key.0, key.1.clone(), key.2.clone()));
            }
        } else {
            controllers::orphaned(self, object);
            if !place.is_empty()
                && self.store.get(Kind::NAMESPACE, "", &place).is_some_and(|space| terminating(space))
            {
                self.queue.insert(Work::Namespace(place.clone()));
            }
        }
        match kind.plural {
            "pods" => self.noticed_pod(place, called, before, after),
            "nodes" => {
                match after {
                    Some(node) => self.scheduler.set_node(scheduler::Node::read(node)),
                    None => {
                        self.scheduler.remove_node(&called);
                        let pods = self.on_node.get(&called).cloned().unwrap_or_default();
                        self.queue.extend(pods.into_iter().map(|(space, pod)| Work::Kubelet(space, pod)));
                    }
                }
                self.queue.insert(Work::Node(called));
                let apart = |node: Option<&Value>| {
                    node.map(|node| {
                        (
                            node["spec"].clone(),
                            node["metadata"]["labels"].clone(),
                            node["status"]["allocatable"].clone(),
                        )
                    })
                };
                if apart(before) != apart(after) {
                    self.retry();
                    let sets: Vec<Work> = self
                        .store
                        .list(Kind::DAEMON_SET, None)
                        .map(|set| Work::DaemonSet(namespace(set).to_owned(), name(set).to_owned()))
                        .collect();
                    self.queue.extend(sets);
                }
            }
            "namespaces" => {
                self.scheduler
                    .set_namespace(&called, after.map(|space| strings(&space["metadata"]["labels"])));
                self.queue.insert(Work::Namespace(called));
            }
            "services" => {
                let selector = after.map(|service| strings(&service["spec"]["selector"]));
                self.scheduler.set_service(&place, &called, selector);
                self.queue.insert(Work::Endpoints(place, called));
            }
            "deployments" => {
                self.queue.insert(Work::Deployment(place, called));
            }
            "replicasets" => {
                let selector = after.map(|set| Selector::read(&set["spec"]["selector"]));
                self.scheduler.set_owner("ReplicaSet", &place, &called, selector);
                if let Some(owner) = controller(object) {
                    self.queue.insert(Work::Deployment(place.clone(), text(&owner["name"]).to_owned()));
                }
                self.queue.insert(Work::ReplicaSet(place, called));
            }
            "statefulsets" => {
                let selector = after.map(|set| Selector::read(&set["spec"]["selector"]));
                self.scheduler.set_owner("StatefulSet", &place, &called, selector);
                self.queue.insert(Work::StatefulSet(place, called));
            }
            "daemonsets" => {
                self.queue.insert(Work::DaemonSet(place, called));
            }
            "jobs" => {
                self.queue.insert(Work::Job(place, called));
            }
            "poddisruptionbudgets" => {
                self.queue.insert(Work::Budget(place, called));
            }
            "resourcequotas" => {
                self.queue.insert(Work::Quota(place, called));
                return;
            }
            _ => {}
        }
        let came_or_went = before.is_none() != after.is_none();
        if !key.1.is_empty() && (came_or_went || kind == Kind::POD) {
            let quotas = self.store.list(Kind::RESOURCE_QUOTA, Some(&key.1));
            let quotas: Vec<Work> =
                quotas.map(|quota| Work::Quota(key.1.clone(), name(quota).to_owned())).collect();
            self.queue.extend(quotas);
        }
    }

    fn noticed_pod(&mut self, place: String, called: String, before: Option<&Value>, after: Option<&Value>) {
        let key = (place.clone(), called.clone());
        let node = |pod: Option<&Value>| {
            pod.map(|pod| text(&pod["spec"]["nodeName"]).to_owned()).filter(|name| !name.is_empty())
        };
        let (left, entered) = (node(before), node(after));
        if left != entered {
            if let Some(pods) = left.as_ref().and_then(|node| self.on_node.get_mut(node)) {
                pods.remove(&key);
            }
            if let Some(node) = &entered {
                self.on_node.entry(node.clone()).or_default().insert(key.clone());
            }
        }
        match after {
            Some(pod) => {
                self.scheduler.set_pod(scheduler::Pod::read(pod));
                if entered.is_some() {
                    self.unschedulable.remove(&key);
                    self.queue.insert(Work::Kubelet(place.clone(), called.clone()));
                } else if !self.unschedulable.contains(&key)
                    || before.is_none_or(|old| old["spec"] != pod["spec"])
                {
                    self.queue.insert(Work::Schedule(place.clone(), called.clone()));
                }
            }
            None => {
                self.scheduler.remove_pod(&place, &called);
                self.unschedulable.remove(&key);
                self.kubelet.forget(before.map_or("", |pod| uid(pod)));
            }
        }
        let finished = |pod: Option<&Value>| pod.is_none_or(|pod| !is_active(pod));
        if !self.unschedulable.is_empty() && left.is_some() && finished(after) {
            self.retry();
        }
        if let Some(orphan) = after.filter(|pod| controller(pod).is_none() && is_active(pod)) {
            let labels = strings(&orphan["metadata"]["labels"]);
            let takes = |set: &&Object| {
                let selector = Selector::read(&set["spec"]["selector"]);
                !selector.is_empty() && selector.matches(&labels)
            };
            let sets = self.store.list(Kind::REPLICA_SET, Some(&place)).filter(takes);
            let sets: Vec<Work> =
                sets.map(|set| Work::ReplicaSet(place.clone(), name(set).to_owned())).collect();
            self.queue.extend(sets);
        }
        for owner in [before, after].into_iter().flatten().filter_map(controller) {
            let called = text(&owner["name"]).to_owned();
            let work = match text(&owner["kind"]) {
                "ReplicaSet" => Work::ReplicaSet(place.clone(), called),
                "StatefulSet" => Work::StatefulSet(place.clone(), called),
                "DaemonSet" => Work::DaemonSet(place.clone(), called),
                // The real controller gathers the changes of pods for a second.
                "Job" => {
                    self.after(SignedDuration::from_secs(1), Wake::Work(Work::Job(place.clone(), called)));
                    continue;
                }
                _ => continue,
            };
            self.queue.insert(work);
        }
        let budgets: Vec<Work> = self
            .store
            .list(Kind::DISRUPTION_BUDGET, Some(&place))
            .map(|budget| Work::Budget(place.clone(), name(budget).to_owned()))
            .chain(
                self.store
                    .list(Kind::SERVICE, Some(&place))
                    .map(|service| Work::Endpoints(place.clone(), name(service).to_owned())),
            )
            .collect();
        self.queue.extend(budgets);
    }

    /// Room may have come: the pods that found none try again.
    fn retry(&mut self) {
        let waiting = std::mem::take(&mut self.unschedulable);
        self.queue.extend(waiting.into_iter().map(|(place, called)| Work::Schedule(place, called)));
    }
}
