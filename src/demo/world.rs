//! The world: objects, what is remembered beside them, and what is still to be done.
//!
//! PURE: no IO and no clock. It knows nobody who moves it: the controllers and kubelets act on it, and `course` lets
//! them, when work for them is queued and when what stands on the agenda is due.

mod around;
mod binding;
mod demand;
mod events;
mod machines;
mod work;

use std::collections::{BTreeMap, BTreeSet};

pub use around::{Around, Certificates, Edge, Edges, Registry};
pub(super) use around::{LIFETIME, ends};
pub(super) use demand::{Demand, Usage};
pub(super) use events::Source;
use jiff::{SignedDuration, Timestamp};
pub(super) use machines::{Kubelet, Step};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
pub(super) use work::{Act, Wake, Work};

use super::kind::Kind;
use super::scheduler;
use super::store::{Object, Store};
use super::value::{controller, hash};

/// The whole embedded cluster at one moment. Its time moves only by [`World::step`].
pub struct World {
    /// The API's objects.
    pub store: Store,
    pub(super) seed: u64,
    /// When it was built: noise is counted from here, so that it does not depend on the wall clock.
    pub(super) epoch: Timestamp,
    pub(super) rng: ChaCha8Rng,
    /// The last revision whose change was noticed.
    pub(super) seen: u64,
    pub(super) queue: BTreeSet<Work>,
    pub(super) agenda: BTreeMap<(Timestamp, u64), Wake>,
    written: u64,
    pub(super) scheduler: scheduler::Cluster,
    /// Pods that no node could take at the last attempt.
    pub(super) unschedulable: BTreeSet<(String, String)>,
    pub(super) dependents: BTreeMap<String, BTreeSet<(usize, String, String)>>,
    pub(super) on_node: BTreeMap<String, BTreeSet<(String, String)>>,
    pub(super) kubelet: Kubelet,
    pub(super) usage: Usage,
    /// How often in a row admission refused what this work was to create.
    pub(super) refusals: BTreeMap<Work, u32>,
    /// What each autoscaler recommended and did of late, by its uid.
    pub(super) autoscalers: BTreeMap<String, Scaling>,
    pub(super) timeline: Vec<Act>,
    /// What stands around the cluster, where the scenario has it.
    pub around: Around,
    /// Whether cert-manager is installed.
    pub(super) issues: bool,
    events: u64,
}

/// What an autoscaler remembers, oldest first.
#[derive(Default)]
pub(super) struct Scaling {
    /// The replicas it recommended.
    pub(super) recommended: Vec<(Timestamp, i64)>,
    /// By how many it changed them.
    pub(super) changed: Vec<(Timestamp, i64)>,
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

impl World {
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
            refusals: BTreeMap::new(),
            autoscalers: BTreeMap::new(),
            timeline: Vec::new(),
            around: Around::default(),
            issues: false,
            events: 0,
        }
    }

    /// The next moment at which something happens by itself.
    pub fn idle_until(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
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

    /// Admission refused what this work was to create: it is tried again after 5 ms, then after twice as long each time,
    /// at most 1000 s, as the controllers' work queues do it.
    pub(super) fn refused(&mut self, work: Work) {
        let times = self.refusals.entry(work.clone()).or_default();
        let wait = SignedDuration::from_millis(5_i64.saturating_mul(1 << (*times).min(18)).min(1_000_000));
        *times += 1;
        self.after(wait, Wake::Work(work));
    }

    /// Admission let through what this work was to create.
    pub(super) fn accepted(&mut self, work: &Work) {
        self.refusals.remove(work);
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

    /// From now on the users of a tenant make exactly so many requests at once, over all its pods.
    pub fn demand(&mut self, namespace: &str, app: &str, requests: f64) {
        self.usage.demand(namespace, app, Demand { requests, swing: 0.0 });
    }

    /// A number from 0 to below 1 that belongs to these words in this world.
    pub(super) fn fate(&self, words: &[&str]) -> f64 {
        let seed = self.seed.to_string();
        let mut parts = vec![seed.as_str()];
        parts.extend(words);
        (hash(&parts) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
