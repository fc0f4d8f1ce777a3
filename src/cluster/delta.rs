//! What differs between two snapshots, small enough to be kept every few seconds, and the snapshot put together again.
//!
//! Used by recordings. The derived parts (tenants, loads) are not kept: [`Restoring`] folds them again as `observe` does.
//! Measurements change all at once, so that they are kept in columns of differences. Pure.

use std::{cmp::Ordering, sync::Arc};

use imbl::{OrdMap, Vector, ordmap::DiffItem};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Api, Autoscaler, Budget, Certificate, Claim, Cpu, EndpointSlice, Freshness, Gateway, HttpRoute, Ingress,
    IngressClass, Job, Journal, Key, Labels, Lease, LimitRange, MemberName, MemberSample, Memory, Node,
    NodeName, NodeUsage, Observation, Pod, Pool, ProxyName, ProxySample, ProxyStatus, Quota, Reading,
    ReplicaSet, Seen, Service, Sizing, Slice, Snapshot, Status, Tenancy, Usage, Workload,
    database::Expectations,
    endpoint::{Endpoint, Trouble},
    freshness,
    history::Later,
    pack::pack,
    platform::{Around, ComponentKey, Facts, Gauge, Looked, Looker, Spot},
};

/// What a later snapshot has otherwise than an earlier one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delta {
    /// The revision of the later one.
    revision: u64,
    /// When the later one was published.
    at: Timestamp,
    /// The configuration that is part of it, as JSON.
    settings: Option<String>,
    api: Option<Api>,
    nodes: Change<NodeName, Node>,
    namespaces: Change<Arc<str>, Labels>,
    deployments: Change<Key, Workload>,
    stateful_sets: Change<Key, Workload>,
    replica_sets: Change<Key, ReplicaSet>,
    pods: Change<Key, Pod>,
    services: Change<Key, Service>,
    autoscalers: Change<Key, Autoscaler>,
    budgets: Change<Key, Budget>,
    quotas: Change<Key, Quota>,
    limit_ranges: Change<Key, LimitRange>,
    claims: Change<Key, Claim>,
    leases: Change<Key, Lease>,
    journals: Change<Key, Journal>,
    jobs: Change<Key, Job>,
    pools: Change<Key, Pool>,
    node_usage: Change<NodeName, NodeUsage>,
    galera: Endpoints<MemberName, Status, MemberSample>,
    proxies: Endpoints<ProxyName, ProxyStatus, ProxySample>,
    usage: Option<Measured>,
    history: Option<Later>,
    outside: OutsideDelta,
    platform: Endpoints<ComponentKey, Facts, Gauge>,
    looks: Change<Spot, Looked>,
}

/// What leads requests from outside to pods.
#[derive(Debug, Serialize, Deserialize)]
struct OutsideDelta {
    ingresses: Change<Key, Ingress>,
    ingress_classes: Change<Arc<str>, IngressClass>,
    endpoint_slices: Change<Key, EndpointSlice>,
    http_routes: Change<Key, HttpRoute>,
    gateways: Change<Key, Gateway>,
    certificates: Change<Key, Certificate>,
}

/// What of a snapshot is configuration.
#[derive(PartialEq, Serialize, Deserialize)]
struct Settings {
    tenancy: Arc<Tenancy>,
    sizing: Arc<Sizing>,
    database: Arc<Expectations>,
    #[serde(default)]
    around: Arc<Around>,
    #[serde(default)]
    looker: Looker,
    namespace: Option<Arc<str>>,
}

impl Settings {
    fn of(seen: &Snapshot) -> Self {
        Self {
            tenancy: seen.tenancy.clone(),
            sizing: seen.sizing.clone(),
            database: seen.database.clone(),
            around: seen.around.clone(),
            looker: seen.looker.clone(),
            namespace: seen.namespace.clone(),
        }
    }
}

/// What has changed of a slice.
#[derive(Debug, Serialize, Deserialize)]
struct Change<K: Ord + Clone, V> {
    put: Vec<(K, Arc<V>)>,
    gone: Vec<K>,
    known: Option<Known<K>>,
}

/// How well a slice is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known<K> {
    #[serde(with = "freshness::Plain")]
    freshness: Freshness,
    unreadable: Vec<(K, Arc<str>)>,
    reading: Option<Reading>,
}

/// What has changed of the endpoints of the database.
#[derive(Debug, Serialize, Deserialize)]
struct Endpoints<N: Ord + Clone, S, H> {
    put: Vec<Answer<N, S, H>>,
    gone: Vec<N>,
    known: Option<Known<N>>,
}

/// An endpoint, with the readings that are new.
#[derive(Debug, Serialize, Deserialize)]
struct Answer<N, S, H> {
    name: N,
    #[serde(with = "freshness::Plain")]
    link: Freshness,
    trouble: Option<Trouble>,
    silent_since: Option<Timestamp>,
    status: Option<Arc<S>>,
    /// So many of the readings before are kept, the newest of them.
    kept: usize,
    readings: Vec<H>,
}

/// The measured use of pods: those that are measured otherwise than before (new, or of other containers), and columns of
/// differences for all others, in the order of their keys.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    put: Vec<(Key, Arc<Usage>)>,
    gone: Vec<Key>,
    known: Option<Known<Key>>,
    /// Nanoseconds, in units of the first.
    at: (u64, Vec<i64>),
    /// Container by container: thousandths of a core.
    cpu: (u64, Vec<i64>),
    /// Bytes.
    memory: (u64, Vec<i64>),
}

impl<K: Ord + Clone> Known<K> {
    fn of<V>(before: &Slice<K, V>, after: &Slice<K, V>) -> Option<Self> {
        let same = before.freshness == after.freshness
            && before.reading == after.reading
            && (before.unreadable.ptr_eq(&after.unreadable) || before.unreadable == after.unreadable);
        (!same).then(|| Self {
            freshness: after.freshness.clone(),
            unreadable: after.unreadable.iter().map(|(key, why)| (key.clone(), why.clone())).collect(),
            reading: after.reading,
        })
    }

    fn set<V>(self, slice: &mut Slice<K, V>) {
        slice.freshness = self.freshness;
        slice.unreadable = self.unreadable.into_iter().collect();
        slice.reading = self.reading;
    }
}

/// The keys that are new or hold something else, and those that are gone.
type Differences<'a, K, V> = (Vec<(&'a K, &'a Arc<V>)>, Vec<K>);

fn differences<'a, K: Ord + Clone, V: PartialEq>(
    before: &'a OrdMap<K, Arc<V>>,
    after: &'a OrdMap<K, Arc<V>>,
) -> Differences<'a, K, V> {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    if before.ptr_eq(after) {
        return (put, gone);
    }
    for item in before.diff(after) {
        match item {
            DiffItem::Add(key, value) | DiffItem::Update { new: (key, value), .. } => put.push((key, value)),
            DiffItem::Remove(key, _) => gone.push(key.clone()),
        }
    }
    (put, gone)
}

impl<K: Ord + Clone, V: PartialEq> Change<K, V> {
    fn of(before: &Slice<K, V>, after: &Slice<K, V>) -> Self {
        let (put, gone) = differences(&before.items, &after.items);
        let put = put.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Self { put, gone, known: Known::of(before, after) }
    }

    /// Takes it over what was known, where nothing is derived of it: the moments in it are of the snapshot's clock already.
    fn apply(self, slice: &mut Slice<K, V>) {
        for key in &self.gone {
            slice.items.remove(key);
        }
        slice.items.extend(self.put);
        if let Some(known) = self.known {
            known.set(slice);
        }
    }
}

impl<N, S, H> Endpoints<N, S, H>
where
    N: Ord + Clone,
    S: PartialEq,
    H: Clone + PartialEq,
{
    fn of(before: &Slice<N, Endpoint<N, S, H>>, after: &Slice<N, Endpoint<N, S, H>>) -> Self {
        let (put, gone) = differences(&before.items, &after.items);
        let answer = |(name, endpoint): (&N, &Arc<Endpoint<N, S, H>>)| {
            let old = before.items.get(name).map(|old| &old.history);
            let last = old.and_then(Vector::last);
            let kept = last.and_then(|last| endpoint.history.iter().rposition(|reading| reading == last));
            let kept = kept.map_or(0, |at| at + 1);
            Answer {
                name: name.clone(),
                link: endpoint.link.clone(),
                trouble: endpoint.trouble,
                silent_since: endpoint.silent_since,
                status: endpoint.status.clone(),
                kept,
                readings: endpoint.history.iter().skip(kept).cloned().collect(),
            }
        };
        Self { put: put.into_iter().map(answer).collect(), gone, known: Known::of(before, after) }
    }

    fn apply(self, slice: &mut Slice<N, Endpoint<N, S, H>>) {
        for name in &self.gone {
            slice.items.remove(name);
        }
        for answer in self.put {
            let Answer { name, link, trouble, silent_since, status, kept, readings } = answer;
            let mut history = slice.items.get(&name).map(|old| old.history.clone()).unwrap_or_default();
            let mut history = history.split_off(history.len().saturating_sub(kept));
            history.extend(readings);
            let endpoint = Endpoint { name: name.clone(), link, trouble, silent_since, status, history };
            slice.items.insert(name, Arc::new(endpoint));
        }
        if let Some(known) = self.known {
            known.set(slice);
        }
    }
}

impl Measured {
    fn of(before: &Slice<Key, Usage>, after: &Slice<Key, Usage>) -> Option<Self> {
        let known = Known::of(before, after);
        if before.items.ptr_eq(&after.items) && known.is_none() {
            return None;
        }
        let mut measured = Self { known, ..Self::default() };
        let mut old = before.items.iter().peekable();
        for (key, now) in &after.items {
            while let Some((gone, _)) = old.next_if(|(k, _)| *k < key) {
                measured.gone.push(gone.clone());
            }
            let same = |was: &Usage| was.containers.keys().eq(now.containers.keys());
            match old.next_if(|(k, _)| *k == key) {
                Some((_, was)) if same(was) => {
                    let later = now.at.as_nanosecond() - was.at.as_nanosecond();
                    measured.at.1.push(i64::try_from(later).unwrap_or(i64::MAX));
                    for ((cpu, memory), (cpu_was, memory_was)) in
                        now.containers.values().zip(was.containers.values())
                    {
                        measured.cpu.1.push(cpu.0.wrapping_sub(cpu_was.0) as i64);
                        measured.memory.1.push(memory.0.wrapping_sub(memory_was.0) as i64);
                    }
                }
                _ => measured.put.push((key.clone(), now.clone())),
            }
        }
        measured.gone.extend(old.map(|(key, _)| key.clone()));
        for (unit, numbers) in [&mut measured.at, &mut measured.cpu, &mut measured.memory] {
            *unit = pack(numbers);
        }
        Some(measured)
    }

    /// Takes it over what was measured before, which is in the order of its keys.
    fn apply(self, usage: &mut Vec<(Key, Usage)>) {
        let Self { put, gone, at, cpu, memory, .. } = self;
        if !gone.is_empty() {
            let mut gone = gone.into_iter().peekable();
            usage.retain(|(key, _)| {
                while gone.next_if(|g| g < key).is_some() {}
                gone.next_if(|g| g == key).is_none()
            });
        }
        let mut put = put.into_iter().peekable();
        let mut next = usage.iter_mut();
        let (mut ats, mut cpus, mut memories) = (at.1.into_iter(), cpu.1.into_iter(), memory.1.into_iter());
        let mut new = Vec::new();
        for (key, usage) in next.by_ref() {
            while let Some((key, value)) = put.next_if(|(k, _)| (*k).cmp(key) == Ordering::Less) {
                new.push((key, Arc::unwrap_or_clone(value)));
            }
            if let Some((_, other)) = put.next_if(|(k, _)| k == key) {
                *usage = Arc::unwrap_or_clone(other);
                continue;
            }
            let nanos = ats.next().unwrap_or(0).saturating_mul(at.0 as i64);
            usage.at = usage.at.checked_add(SignedDuration::from_nanos(nanos)).unwrap_or(usage.at);
            for (Cpu(cores), Memory(bytes)) in usage.containers.values_mut() {
                let more = cpus.next().unwrap_or(0).wrapping_mul(cpu.0 as i64);
                *cores = cores.wrapping_add(more as u64);
                let more = memories.next().unwrap_or(0).wrapping_mul(memory.0 as i64);
                *bytes = bytes.wrapping_add(more as u64);
            }
        }
        new.extend(put.map(|(key, value)| (key, Arc::unwrap_or_clone(value))));
        if !new.is_empty() {
            usage.extend(new);
            usage.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
    }
}

impl OutsideDelta {
    fn between(before: &Snapshot, after: &Snapshot) -> Self {
        Self {
            ingresses: Change::of(&before.ingresses, &after.ingresses),
            ingress_classes: Change::of(&before.ingress_classes, &after.ingress_classes),
            endpoint_slices: Change::of(&before.endpoint_slices, &after.endpoint_slices),
            http_routes: Change::of(&before.http_routes, &after.http_routes),
            gateways: Change::of(&before.gateways, &after.gateways),
            certificates: Change::of(&before.certificates, &after.certificates),
        }
    }

    fn apply(self, seen: &mut Snapshot) {
        fold(seen, self.ingresses, |s| &mut s.ingresses, Observation::Ingress);
        fold(seen, self.ingress_classes, |s| &mut s.ingress_classes, Observation::IngressClass);
        fold(seen, self.endpoint_slices, |s| &mut s.endpoint_slices, Observation::EndpointSlice);
        fold(seen, self.http_routes, |s| &mut s.http_routes, Observation::HttpRoute);
        fold(seen, self.gateways, |s| &mut s.gateways, Observation::Gateway);
        fold(seen, self.certificates, |s| &mut s.certificates, Observation::Certificate);
    }
}

impl Delta {
    /// What `after` has otherwise than `before`. Neither may hold what is never recorded: see [`Snapshot::recorded`].
    pub fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let settings = Settings::of(after);
        let changed = before.revision == 0 || settings != Settings::of(before);
        Self {
            revision: after.revision,
            at: after.at,
            settings: changed.then(|| serde_json::to_string(&settings).unwrap_or_default()),
            api: (before.api != after.api).then(|| after.api.clone()),
            nodes: Change::of(&before.nodes, &after.nodes),
            namespaces: Change::of(&before.namespaces, &after.namespaces),
            deployments: Change::of(&before.deployments, &after.deployments),
            stateful_sets: Change::of(&before.stateful_sets, &after.stateful_sets),
            replica_sets: Change::of(&before.replica_sets, &after.replica_sets),
            pods: Change::of(&before.pods, &after.pods),
            services: Change::of(&before.services, &after.services),
            autoscalers: Change::of(&before.autoscalers, &after.autoscalers),
            budgets: Change::of(&before.budgets, &after.budgets),
            quotas: Change::of(&before.quotas, &after.quotas),
            limit_ranges: Change::of(&before.limit_ranges, &after.limit_ranges),
            claims: Change::of(&before.claims, &after.claims),
            leases: Change::of(&before.leases, &after.leases),
            journals: Change::of(&before.journals, &after.journals),
            jobs: Change::of(&before.jobs, &after.jobs),
            pools: Change::of(&before.pools, &after.pools),
            node_usage: Change::of(&before.node_usage, &after.node_usage),
            galera: Endpoints::of(&before.galera, &after.galera),
            proxies: Endpoints::of(&before.proxies, &after.proxies),
            usage: Measured::of(&before.usage, &after.usage),
            history: (!Arc::ptr_eq(&before.history, &after.history))
                .then(|| after.history.since(&before.history)),
            outside: OutsideDelta::between(before, after),
            platform: Endpoints::of(&before.platform, &after.platform),
            looks: Change::of(&before.looks, &after.looks),
        }
    }

    /// When the later snapshot was published.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl Snapshot {
    /// This snapshot as it is recorded after `before`: without what is never recorded, and with the measurements of
    /// `before` unless it is their turn.
    pub fn recorded(&self, before: &Self, measured: bool) -> Self {
        let mut seen = self.clone().without_secrets(before);
        if !measured {
            seen.usage = before.usage.clone();
            seen.node_usage = before.node_usage.clone();
            seen.history = before.history.clone();
        }
        seen
    }
}

/// A snapshot that is put together again, one difference after another.
#[derive(Clone, Default)]
pub struct Restoring {
    seen: Snapshot,
    /// The measured use of pods, in the order of the keys.
    usage: Vec<(Key, Usage)>,
    /// Measurements came that the snapshot does not have yet.
    measured: bool,
}

impl Restoring {
    /// Takes in what came next. The first is the difference from the empty snapshot.
    ///
    /// # Errors
    /// Its configuration is not understood: one sentence.
    pub fn apply(&mut self, delta: Delta) -> Result<(), String> {
        let seen = &mut self.seen;
        if let Some(settings) = &delta.settings {
            let settings: Settings = serde_json::from_str(settings)
                .map_err(|why| format!("its configuration is not understood: {why}"))?;
            seen.tenancy = settings.tenancy;
            seen.sizing = settings.sizing;
            seen.database = settings.database;
            seen.around = settings.around;
            seen.looker = settings.looker;
            seen.namespace = settings.namespace;
        }
        fold(seen, delta.nodes, |s| &mut s.nodes, Observation::Node);
        fold(seen, delta.namespaces, |s| &mut s.namespaces, Observation::Namespace);
        fold(seen, delta.deployments, |s| &mut s.deployments, Observation::Deployment);
        fold(seen, delta.stateful_sets, |s| &mut s.stateful_sets, Observation::StatefulSet);
        fold(seen, delta.replica_sets, |s| &mut s.replica_sets, Observation::ReplicaSet);
        fold(seen, delta.pods, |s| &mut s.pods, Observation::Pod);
        fold(seen, delta.services, |s| &mut s.services, Observation::Service);
        fold(seen, delta.autoscalers, |s| &mut s.autoscalers, Observation::Autoscaler);
        fold(seen, delta.budgets, |s| &mut s.budgets, Observation::Budget);
        fold(seen, delta.quotas, |s| &mut s.quotas, Observation::Quota);
        fold(seen, delta.limit_ranges, |s| &mut s.limit_ranges, Observation::LimitRange);
        fold(seen, delta.claims, |s| &mut s.claims, Observation::Claim);
        fold(seen, delta.leases, |s| &mut s.leases, Observation::Lease);
        fold(seen, delta.journals, |s| &mut s.journals, Observation::Journal);
        fold(seen, delta.jobs, |s| &mut s.jobs, Observation::Job);
        fold(seen, delta.pools, |s| &mut s.pools, |report| Observation::Pool(kept(report)));
        fold(seen, delta.node_usage, |s| &mut s.node_usage, Observation::NodeUsage);
        delta.outside.apply(seen);
        delta.galera.apply(&mut seen.galera);
        delta.proxies.apply(&mut seen.proxies);
        delta.platform.apply(&mut seen.platform);
        delta.looks.apply(&mut seen.looks);
        if let Some(api) = delta.api {
            seen.api = api;
        }
        self.measured |= delta.usage.is_some() || delta.history.is_some();
        if let Some(mut measured) = delta.usage {
            if let Some(known) = measured.known.take() {
                known.set(&mut seen.usage);
            }
            measured.apply(&mut self.usage);
        }
        if let Some(later) = delta.history {
            Arc::make_mut(&mut seen.history).take(later);
        }
        seen.revision = delta.revision;
        seen.at = delta.at;
        Ok(())
    }

    /// The snapshot so far.
    pub fn snapshot(&mut self) -> Snapshot {
        if std::mem::take(&mut self.measured) {
            let mut measured = Vec::with_capacity(self.usage.len());
            for (key, usage) in &self.usage {
                let old = self.seen.usage.items.get(key).filter(|old| ***old == *usage);
                measured.push((key.clone(), old.cloned().unwrap_or_else(|| Arc::new(usage.clone()))));
            }
            self.seen.usage.items = measured.into_iter().collect();
            Arc::make_mut(&mut self.seen.history).settle();
        }
        self.seen.judged.forget();
        self.seen.outside.forget();
        self.seen.surveyed.forget();
        self.seen.clone()
    }
}

fn kept(report: Seen<Key, Pool>) -> Seen<Key, Option<Pool>> {
    match report {
        Seen::All(all, at) => Seen::All(all.into_iter().map(|(key, pool)| (key, Some(pool))).collect(), at),
        Seen::Put(key, pool) => Seen::Put(key, Some(pool)),
        Seen::Unreadable(key, why) => Seen::Unreadable(key, why),
        // No other is made here.
        Seen::Gone(key) => Seen::Gone(key),
        Seen::AllBut(_, odd, at) => Seen::AllBut(Vec::new(), odd, at),
        Seen::Reading(reading) => Seen::Reading(reading),
        Seen::Lost(at, why) => Seen::Lost(at, why),
        Seen::Back(at) => Seen::Back(at),
    }
}

/// Folds what has changed of a slice in as if it had been observed, so that all that is derived of it follows.
fn fold<K: Ord + Clone, V: Clone + PartialEq>(
    seen: &mut Snapshot,
    change: Change<K, V>,
    slice: fn(&mut Snapshot) -> &mut Slice<K, V>,
    wrap: impl Fn(Seen<K, V>) -> Observation,
) {
    let Change { put, gone, known } = change;
    let (freshness, reading) = (slice(seen).freshness.clone(), slice(seen).reading);
    let all: Vec<(K, V)> = put.into_iter().map(|(key, value)| (key, Arc::unwrap_or_clone(value))).collect();
    if slice(seen).is_empty() && all.len() > 1 {
        seen.observe(wrap(Seen::All(all, Timestamp::UNIX_EPOCH)));
    } else {
        for (key, value) in all {
            seen.observe(wrap(Seen::Put(key, value)));
        }
        for key in gone {
            seen.observe(wrap(Seen::Gone(key)));
        }
    }
    let Some(known) = known else {
        // A whole list says more of its slice than was kept.
        slice(seen).freshness = freshness;
        slice(seen).reading = reading;
        return;
    };
    // Whose objects cannot be read any more, or can again, is part of what is derived.
    let before = slice(seen).unreadable.clone();
    for (key, why) in &known.unreadable {
        if before.get(key) != Some(why) {
            seen.observe(wrap(Seen::Unreadable(key.clone(), why.clone())));
        }
    }
    let is = |key: &K| known.unreadable.iter().any(|(k, _)| k == key);
    for key in before.keys().filter(|key| !is(key)) {
        let value = slice(seen).items.get(key).map(|value| V::clone(value));
        seen.observe(wrap(value.map_or_else(|| Seen::Gone(key.clone()), |v| Seen::Put(key.clone(), v))));
    }
    known.set(slice(seen));
}
