//! The world: objects, and everything that moves them while time passes.
//!
//! PURE: no IO and no clock. Writes (by the API or by the world's own controllers) are noticed by [`World::react`],
//! which queues work for the controllers concerned; what happens later by itself stands on the agenda. The same
//! options, steps and writes give the same objects.

mod binding;
mod events;
mod notice;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) use events::Source;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use super::controllers;
use super::kind::{KINDS, Kind};
use super::kubelet::{self, Kubelet};
use super::scenario;
use super::scheduler;
use super::store::{Object, Store};
use super::usage::Usage;
use super::value::{controller, hash};
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

    /// A number from 0 to below 1 that belongs to these words in this world.
    pub(super) fn fate(&self, words: &[&str]) -> f64 {
        let seed = self.seed.to_string();
        let mut parts = vec![seed.as_str()];
        parts.extend(words);
        (hash(&parts) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
