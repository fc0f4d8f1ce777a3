//! The world: objects, and everything that moves them while time passes.
//!
//! PURE: no IO and no clock. Writes (by the API or by the world's own controllers) are noticed by [`World::react`],
//! which queues work for the controllers concerned; what happens later by itself stands on the agenda. The same
//! options, steps and writes give the same objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::controllers;
use super::kind::{KINDS, Kind};
use super::kubelet::{self, Kubelet};
use super::labels::{Selector, strings};
use super::scenario;
use super::scheduler;
use super::store::{ChangeType, Object, Store, stamp};
use super::usage::Usage;
use super::value::{controller, hash, int, list, name, namespace, terminating, text, uid};
use super::{Options, logs};

/// How much work one reaction may do before it leaves the rest to the next: a bound on two controllers that fight.
const REACTION: usize = 400_000;

/// The whole embedded cluster at one moment. Its time moves only by [`World::step`].
pub struct World {
    /// The API's objects.
    pub store: Store,
    pub(super) seed: u64,
    /// When it was built: noise is counted from here, so that it does not depend on the wall clock.
    pub(super) epoch: Timestamp,
    pub(super) rng: ChaCha8Rng,
    /// The last revision whose change was noticed.
    seen: u64,
    queue: BTreeSet<Work>,
    agenda: BTreeMap<(Timestamp, u64), Wake>,
    written: u64,
    pub(super) scheduler: scheduler::Cluster,
    /// Pods that no node could take at the last attempt.
    pub(super) unschedulable: BTreeSet<(String, String)>,
    pub(super) dependents: BTreeMap<String, BTreeSet<(usize, String, String)>>,
    pub(super) on_node: BTreeMap<String, BTreeSet<(String, String)>>,
    pub(super) kubelet: Kubelet,
    pub(super) usage: Usage,
    pub(super) autoscalers: controllers::Recommendations,
    pub(super) timeline: Vec<scenario::Act>,
    events: u64,
}

/// One line a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The line without its end.
    pub text: String,
}

/// Why there is no log to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLog {
    /// No such pod.
    Pod,
    /// The pod has no such container.
    Container,
    /// The container has not started; the text is the reason it waits for.
    Waiting(String),
    /// There was no earlier run of this container.
    NoPrevious,
    /// The pod is not on a node yet, or its node does not answer.
    Node,
}

/// Something a controller has to look at. Done in this order within one reaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    Node(String),
    Namespace(String),
    /// An object that waits for its dependents: kind, namespace, name.
    Owner(usize, String, String),
    Deployment(String, String),
    ReplicaSet(String, String),
    StatefulSet(String, String),
    DaemonSet(String, String),
    Job(String, String),
    Schedule(String, String),
    Kubelet(String, String),
    Budget(String, String),
    Endpoints(String, String),
}

/// Something that happens by itself at its time.
#[derive(Clone, Debug)]
pub(super) enum Wake {
    Work(Work),
    Pod { namespace: String, name: String, uid: String, step: kubelet::Step },
    NodeLost(String),
    NodeBack(String),
    Heartbeat(String),
    Evict { namespace: String, name: String, uid: String, node: String },
    Autoscale,
    Housekeeping,
    ForgetEvents,
    Act(usize),
}

impl World {
    /// A settled world: the same options give the same objects relative to `now`.
    pub fn build(options: &Options, now: Timestamp) -> Self {
        let mut world = Self::empty(options.seed, now);
        scenario::populate(&mut world, options);
        world
    }

    /// A world without any object.
    pub(super) fn empty(seed: u64, now: Timestamp) -> Self {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self {
            store: Store::new(now, seed),
            seed,
            epoch: now,
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5eed),
            seen: 0,
            queue: BTreeSet::new(),
            agenda: BTreeMap::new(),
            written: 0,
            scheduler: scheduler::Cluster::default(),
            unschedulable: BTreeSet::new(),
            dependents: BTreeMap::new(),
            on_node: BTreeMap::new(),
            kubelet: Kubelet::default(),
            usage: Usage::default(),
            autoscalers: controllers::Recommendations::default(),
            timeline: Vec::new(),
            events: 0,
        }
    }

    /// Lets `by` pass in world time: what stands on the agenda happens at its moment, in order.
    pub fn step(&mut self, by: Duration) {
        self.react();
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        let until = self.now().checked_add(by).unwrap_or(Timestamp::MAX);
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), wake) = entry.remove_entry();
            if at > self.now() {
                self.store.set_now(at);
            }
            self.happen(wake);
            self.react();
        }
        self.store.set_now(until);
    }

    /// Lets the controllers react to writes at the present moment.
    pub fn react(&mut self) {
        for _ in 0..REACTION {
            self.notice();
            let Some(work) = self.queue.pop_first() else { return };
            self.work(&work);
        }
        tracing::warn!(
            left = self.queue.len(),
            "the controllers of the embedded cluster did not come to rest"
        );
    }

    /// The next moment at which something happens by itself.
    pub fn idle_until(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// What the container wrote so far, oldest first.
    ///
    /// # Errors
    /// [`NoLog`] when there is nothing to show.
    pub fn log_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<Vec<LogLine>, NoLog> {
        logs::lines(self, namespace, pod, container, previous)
    }

    /// `metrics.k8s.io` PodMetrics items, of one namespace or of all.
    pub fn pod_metrics(&self, namespace: Option<&str>) -> Vec<Value> {
        super::usage::pod_metrics(self, namespace)
    }

    /// `metrics.k8s.io` NodeMetrics items.
    pub fn node_metrics(&self) -> Vec<Value> {
        super::usage::node_metrics(self)
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(super) fn at(&mut self, when: Timestamp, wake: Wake) {
        self.written += 1;
        self.agenda.insert((when.max(self.now()), self.written), wake);
    }

    pub(super) fn after(&mut self, delay: SignedDuration, wake: Wake) {
        let when = self.now().checked_add(delay).unwrap_or(Timestamp::MAX);
        self.at(when, wake);
    }

    pub(super) fn enqueue(&mut self, work: Work) {
        self.queue.insert(work);
    }

    /// A number of milliseconds within the range, drawn from the world's seed.
    pub(super) fn draw_ms(&mut self, from: i64, to: i64) -> SignedDuration {
        let range = u64::try_from(to - from).unwrap_or(0).max(1);
        SignedDuration::from_millis(from + i64::try_from(self.rng.next_u64() % range).unwrap_or(0))
    }

    pub(super) fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.next_u64() % (below.max(1) as u64)).unwrap_or(0)
    }

    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<Object> {
        self.store.get(Kind::POD, namespace, name).cloned()
    }

    /// The pods of a namespace whose controller has this uid.
    pub(super) fn pods_of(&self, owner: &str) -> Vec<Object> {
        self.dependents
            .get(owner)
            .into_iter()
            .flatten()
            .filter(|(kind, _, _)| *kind == Kind::POD.index)
            .filter_map(|(_, namespace, name)| self.pod(namespace, name))
            .filter(|pod| controller(pod).is_some_and(|controller| controller["uid"] == owner))
            .collect()
    }

    /// Records a core/v1 Event about `object`; the same event again counts up.
    pub(super) fn event(&mut self, object: &Value, source: Source<'_>, reason: &str, message: &str) {
        let involved = json!({
            "kind": object["kind"], "namespace": object["metadata"]["namespace"], "name": object["metadata"]["name"],
            "uid": object["metadata"]["uid"], "apiVersion": object["apiVersion"],
            "resourceVersion": object["metadata"]["resourceVersion"],
        });
        self.event_on(involved, source, reason, message);
    }

    pub(super) fn event_on(&mut self, mut involved: Value, source: Source<'_>, reason: &str, message: &str) {
        if let Some(map) = involved.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        let namespace = match text(&involved["namespace"]) {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        let same = |event: &Object| {
            event["involvedObject"]["uid"] == involved["uid"]
                && event["reason"] == reason
                && event["message"] == message
                && event["involvedObject"]["fieldPath"] == involved["fieldPath"]
        };
        let now = self.now();
        let old = self
            .store
            .list(Kind::EVENT, Some(&namespace))
            .find(|event| same(event))
            .map(|event| name(event).to_owned());
        if let Some(old) = old {
            self.store.update(Kind::EVENT, &namespace, &old, source.component, |event| {
                event["count"] = (int(&event["count"]) + 1).into();
                event["lastTimestamp"] = stamp(now).into();
            });
            return;
        }
        self.events += 1;
        let nanos = now.duration_since(self.epoch).as_nanos() as u64;
        let number = 0x18a3_5b00_0000_0000_u64.wrapping_add(nanos).wrapping_add(self.events);
        let event_name = format!("{}.{number:x}", text(&involved["name"]));
        let mut origin = json!({"component": source.component});
        if !source.host.is_empty() {
            origin["host"] = source.host.into();
        }
        let event = json!({
            "metadata": {"name": event_name, "namespace": namespace},
            "involvedObject": involved, "reason": reason, "message": message, "source": origin,
            "firstTimestamp": stamp(now), "lastTimestamp": stamp(now), "count": 1,
            "type": if source.warning { "Warning" } else { "Normal" },
            "eventTime": null, "reportingComponent": source.component, "reportingInstance": source.host,
        });
        self.store.insert_by(Kind::EVENT, event, source.component);
    }

    /// Notices the writes since the last time: indexes, the scheduler's view, work for the controllers.
    fn notice(&mut self) {
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
    pub(super) fn notice_all(&mut self) {
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
            _ => {}
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
        let finished = |pod: Option<&Value>| pod.is_none_or(|pod| !super::value::is_active(pod));
        if !self.unschedulable.is_empty() && left.is_some() && finished(after) {
            self.retry();
        }
        for owner in [before, after].into_iter().flatten().filter_map(controller) {
            let called = text(&owner["name"]).to_owned();
            let work = match text(&owner["kind"]) {
                "ReplicaSet" => Work::ReplicaSet(place.clone(), called),
                "StatefulSet" => Work::StatefulSet(place.clone(), called),
                "DaemonSet" => Work::DaemonSet(place.clone(), called),
                "Job" => Work::Job(place.clone(), called),
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

    fn work(&mut self, work: &Work) {
        match work {
            Work::Node(name) => controllers::node(self, name),
            Work::Namespace(name) => controllers::namespace(self, name),
            Work::Owner(kind, namespace, name) => controllers::owner(self, &KINDS[*kind], namespace, name),
            Work::Deployment(namespace, name) => controllers::deployment(self, namespace, name),
            Work::ReplicaSet(namespace, name) => controllers::replica_set(self, namespace, name),
            Work::StatefulSet(namespace, name) => controllers::stateful_set(self, namespace, name),
            Work::DaemonSet(namespace, name) => controllers::daemon_set(self, namespace, name),
            Work::Job(namespace, name) => controllers::job(self, namespace, name),
            Work::Schedule(namespace, name) => self.schedule(namespace, name),
            Work::Kubelet(namespace, name) => kubelet::sync(self, namespace, name),
            Work::Budget(namespace, name) => controllers::budget(self, namespace, name),
            Work::Endpoints(namespace, name) => controllers::endpoints(self, namespace, name),
        }
    }

    fn happen(&mut self, wake: Wake) {
        match wake {
            Wake::Work(work) => {
                self.queue.insert(work);
            }
            Wake::Pod { namespace, name, uid, step } => kubelet::happen(self, &namespace, &name, &uid, step),
            Wake::NodeLost(name) => controllers::node_lost(self, &name),
            Wake::NodeBack(name) => kubelet::node_back(self, &name),
            Wake::Heartbeat(name) => kubelet::heartbeat(self, &name),
            Wake::Evict { namespace, name, uid, node } => {
                controllers::evict(self, &namespace, &name, &uid, &node)
            }
            Wake::Autoscale => controllers::autoscale(self),
            Wake::Housekeeping => kubelet::housekeeping(self),
            Wake::ForgetEvents => self.forget_events(),
            Wake::Act(number) => scenario::act(self, number),
        }
    }

    /// Events live for an hour, as on a real apiserver.
    fn forget_events(&mut self) {
        let limit = stamp(self.now().checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN));
        let old: Vec<(String, String)> = self
            .store
            .list(Kind::EVENT, None)
            .filter(|event| {
                let last = text(&event["lastTimestamp"]);
                let last = if last.is_empty() { text(&event["metadata"]["creationTimestamp"]) } else { last };
                last < limit.as_str()
            })
            .map(|event| (namespace(event).to_owned(), name(event).to_owned()))
            .collect();
        for (namespace, name) in old {
            self.store.remove(Kind::EVENT, &namespace, &name);
        }
        self.after(SignedDuration::from_mins(10), Wake::ForgetEvents);
    }

    fn schedule(&mut self, namespace: &str, name: &str) {
        let Some(pod) = self.pod(namespace, name) else { return };
        let idle = text(&pod["spec"]["nodeName"]).is_empty() && super::value::is_active(&pod);
        let gated = list(&pod["spec"]["schedulingGates"]).next().is_some();
        if !idle || gated || !matches!(text(&pod["spec"]["schedulerName"]), "" | "default-scheduler") {
            return;
        }
        let decision = self.scheduler.decide(&scheduler::Pod::read(&pod));
        let now = self.now();
        let by = Source { component: "default-scheduler", host: "", warning: decision.best.is_empty() };
        if decision.best.is_empty() {
            self.unschedulable.insert((namespace.to_owned(), name.to_owned()));
            let refusal = decision.refusal;
            let told = super::value::condition(&pod, "PodScheduled")
                .is_some_and(|told| told["message"] == refusal.as_str());
            self.store.update_status(Kind::POD, namespace, name, "kube-scheduler", |pod| {
                super::value::set_condition(
                    pod,
                    json!({
                        "type": "PodScheduled", "status": "False", "lastProbeTime": null,
                        "reason": "Unschedulable", "message": refusal,
                    }),
                    now,
                );
            });
            if !told {
                self.event(&pod, by, "FailedScheduling", &refusal);
            }
            return;
        }
        let drawn = self.draw(decision.best.len());
        let node = decision.best[drawn].clone();
        self.bind(namespace, name, &node);
        self.event(&pod, by, "Scheduled", &format!("Successfully assigned {namespace}/{name} to {node}"));
    }

    /// Puts the pod on the node, as the binding subresource does: the node's zone and region become labels.
    pub(super) fn bind(&mut self, namespace: &str, name: &str, node: &str) {
        let now = self.now();
        let labels: Vec<(String, Value)> = self
            .store
            .get(Kind::NODE, "", node)
            .into_iter()
            .flat_map(|node| {
                ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]
                    .into_iter()
                    .filter_map(|key| Some((key.to_owned(), node["metadata"]["labels"].get(key)?.clone())))
            })
            .collect();
        self.store.update_status(Kind::POD, namespace, name, "kube-scheduler", |pod| {
            bind(pod, node, labels, now);
        });
    }

    /// A number from 0 to below 1 that belongs to these words in this world.
    pub(super) fn fate(&self, words: &[&str]) -> f64 {
        let seed = self.seed.to_string();
        let mut parts = vec![seed.as_str()];
        parts.extend(words);
        (hash(&parts) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What binding writes into the pod.
pub(super) fn bind(pod: &mut Value, node: &str, labels: Vec<(String, Value)>, now: Timestamp) {
    super::value::set(pod, &["spec", "nodeName"], node.into());
    super::value::map(pod, &["metadata", "labels"]).extend(labels);
    super::value::set_condition(
        pod,
        json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null}),
        now,
    );
}

/// Who records an event, and whether it is a warning.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) component: &'a str,
    pub(super) host: &'a str,
    pub(super) warning: bool,
}

impl<'a> Source<'a> {
    pub(super) fn normal(component: &'a str) -> Self {
        Self { component, host: "", warning: false }
    }

    pub(super) fn warning(component: &'a str) -> Self {
        Self { component, host: "", warning: true }
    }
}
