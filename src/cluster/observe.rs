//! Folding what the sources report into the snapshot, touching only what changed.
//!
//! Called by `live` for every event, and by tests that build a cluster by hand. The derived parts (tenants, loads) are
//! kept up here and nowhere else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::OrdMap;
use jiff::{SignedDuration, Timestamp};

use super::{
    Api, Autoscaler, Budget, Certificate, Claim, EndpointSlice, Freshness, Gateway, HttpRoute, Ingress,
    IngressClass, Job, Journal, Key, Labels, Lease, LimitRange, Load, Member, MemberName, Node, NodeName,
    NodeUsage, Pod, Pool, Proxy, ProxyName, Quota, Reading, ReplicaSet, Service, Slice, Snapshot, Tenant,
    TenantName, Usage, Workload, WorkloadKey, WorkloadKind,
    clocks::{Dated, objects_moved},
    platform::{Component, ComponentKey, Looked, Looker, Spot},
};

/// News of one kind of object.
#[derive(Clone, Debug)]
pub enum Seen<K, V> {
    /// The whole list, complete at this moment: what is not in it is gone.
    All(Vec<(K, V)>, Timestamp),
    /// The whole list, but for objects that could not be read (and why): what was known of those stays.
    AllBut(Vec<(K, V)>, Vec<(K, Arc<str>)>, Timestamp),
    /// One object, new or changed.
    Put(K, V),
    /// One object, new or changed, that could not be read, and why: what was known of it stays.
    Unreadable(K, Arc<str>),
    /// One object is gone.
    Gone(K),
    /// The first list is on its way: so much of it has been read.
    Reading(Reading),
    /// The source cannot be followed any more; what was seen stays.
    Lost(Timestamp, Arc<str>),
    /// The source is followed again without having missed anything.
    Back(Timestamp),
}

impl<K, V> Seen<K, Option<V>> {
    /// The same without the objects of which nothing is kept.
    fn known(self) -> Seen<K, V> {
        let kept = |all: Vec<(K, Option<V>)>| all.into_iter().filter_map(|(k, v)| Some((k, v?))).collect();
        match self {
            Self::All(all, at) => Seen::All(kept(all), at),
            Self::AllBut(all, odd, at) => Seen::AllBut(kept(all), odd, at),
            Self::Put(key, Some(value)) => Seen::Put(key, value),
            Self::Put(key, None) | Self::Gone(key) => Seen::Gone(key),
            Self::Unreadable(key, why) => Seen::Unreadable(key, why),
            Self::Reading(reading) => Seen::Reading(reading),
            Self::Lost(at, why) => Seen::Lost(at, why),
            Self::Back(at) => Seen::Back(at),
        }
    }
}

/// One report of one source.
#[derive(Clone, Debug)]
pub enum Observation {
    /// The API server itself.
    Api(Box<Api>),
    /// Nodes.
    Node(Seen<NodeName, Node>),
    /// Pods.
    Pod(Seen<Key, Pod>),
    /// Deployments.
    Deployment(Seen<Key, Workload>),
    /// StatefulSets.
    StatefulSet(Seen<Key, Workload>),
    /// ReplicaSets.
    ReplicaSet(Seen<Key, ReplicaSet>),
    /// Services.
    Service(Seen<Key, Service>),
    /// HorizontalPodAutoscalers.
    Autoscaler(Seen<Key, Autoscaler>),
    /// PodDisruptionBudgets.
    Budget(Seen<Key, Budget>),
    /// ResourceQuotas.
    Quota(Seen<Key, Quota>),
    /// LimitRanges.
    LimitRange(Seen<Key, LimitRange>),
    /// PersistentVolumeClaims.
    Claim(Seen<Key, Claim>),
    /// Ingresses.
    Ingress(Seen<Key, Ingress>),
    /// IngressClasses.
    IngressClass(Seen<Arc<str>, IngressClass>),
    /// EndpointSlices.
    EndpointSlice(Seen<Key, EndpointSlice>),
    /// HTTPRoutes.
    HttpRoute(Seen<Key, HttpRoute>),
    /// Gateways.
    Gateway(Seen<Key, Gateway>),
    /// Certificates.
    Certificate(Seen<Key, Certificate>),
    /// Namespaces.
    Namespace(Seen<Arc<str>, Labels>),
    /// Leases of wheelhouse.
    Lease(Seen<Key, Lease>),
    /// Journals of wheelhouse.
    Journal(Seen<Key, Journal>),
    /// The Jobs of wheelhouse.
    Job(Seen<Key, Job>),
    /// ConfigMaps: `None` for one without a php-fpm pool.
    Pool(Seen<Key, Option<Pool>>),
    /// Measured use of pods.
    Usage(Seen<Key, Usage>),
    /// Measured use of nodes.
    NodeUsage(Seen<NodeName, NodeUsage>),
    /// Members of the Galera cluster. Each carries its own freshness; the list is what is configured.
    Member(Seen<MemberName, Member>),
    /// ProxySQLs. Each carries its own freshness.
    Proxy(Seen<ProxyName, Proxy>),
    /// Components of the platform around. Each carries its own freshness; the list is what is configured.
    Platform(Seen<ComponentKey, Component>),
    /// What was found when somebody was asked for a host.
    Look(Seen<Spot, Looked>),
    /// Who looks at the platform around.
    Looker(Looker),
}

impl Snapshot {
    /// Takes one report in. Returns whether anything that can be seen has changed.
    pub fn observe(&mut self, observation: Observation) -> bool {
        self.judged.forget();
        self.outside.forget();
        self.surveyed.forget();
        let skew = self.api.skew();
        match observation {
            Observation::Api(api) => self.observe_api(*api),
            Observation::Node(seen) => self.nodes.fold(seen, skew).any(),
            Observation::Service(seen) => self.services.fold(seen, skew).any(),
            Observation::Autoscaler(seen) => self.autoscalers.fold(seen, skew).any(),
            Observation::Budget(seen) => self.budgets.fold(seen, skew).any(),
            Observation::Quota(seen) => self.quotas.fold(seen, skew).any(),
            Observation::LimitRange(seen) => self.limit_ranges.fold(seen, skew).any(),
            Observation::Claim(seen) => self.claims.fold(seen, skew).any(),
            Observation::Ingress(seen) => self.ingresses.fold(seen, skew).any(),
            Observation::IngressClass(seen) => self.ingress_classes.fold(seen, skew).any(),
            Observation::EndpointSlice(seen) => self.endpoint_slices.fold(seen, skew).any(),
            Observation::HttpRoute(seen) => self.http_routes.fold(seen, skew).any(),
            Observation::Gateway(seen) => self.gateways.fold(seen, skew).any(),
            Observation::Certificate(seen) => self.certificates.fold(seen, skew).any(),
            Observation::Namespace(seen) => self.namespaces.fold(seen, skew).any(),
            Observation::Lease(seen) => self.leases.fold(seen, skew).any(),
            Observation::Journal(seen) => self.journals.fold(seen, skew).any(),
            Observation::Job(seen) => self.jobs.fold(seen, skew).any(),
            Observation::Pool(seen) => self.pools.fold(seen.known(), skew).any(),
            Observation::Usage(seen) => {
                let complete = matches!(seen, Seen::All(..) | Seen::AllBut(..));
                let changed = self.usage.fold_measured(seen, skew, |usage| usage.at);
                if complete && self.usage.freshness.is_live() {
                    self.remember();
                }
                changed
            }
            Observation::NodeUsage(seen) => self.node_usage.fold_measured(seen, skew, |usage| usage.at),
            Observation::Member(seen) => self.galera.fold(objects_moved(seen, skew), skew).any(),
            Observation::Proxy(seen) => self.proxies.fold(objects_moved(seen, skew), skew).any(),
            Observation::Platform(seen) => self.platform.fold(objects_moved(seen, skew), skew).any(),
            Observation::Look(seen) => self.looks.fold(objects_moved(seen, skew), skew).any(),
            Observation::Looker(looker) => std::mem::replace(&mut self.looker, looker) != self.looker,
            Observation::Pod(seen) => self.observe_pods(seen),
            Observation::Deployment(seen) => self.observe_workloads(WorkloadKind::Deployment, seen),
            Observation::StatefulSet(seen) => self.observe_workloads(WorkloadKind::StatefulSet, seen),
            Observation::ReplicaSet(seen) => self.observe_replica_sets(seen),
        }
    }

    fn observe_replica_sets(&mut self, seen: Seen<Key, ReplicaSet>) -> bool {
        let before = self.replica_sets.clone();
        let folded = self.replica_sets.fold(seen, self.api.skew());
        let deployment = |set: &Option<Arc<ReplicaSet>>| set.as_ref().and_then(|s| s.deployment.clone());
        let mut touched = BTreeSet::new();
        for (set, old, new) in &folded.changes {
            let uid = |set: &Option<Arc<ReplicaSet>>| set.as_ref().map(|s| s.uid.clone());
            if old.is_some() && new.is_some() && deployment(old) == deployment(new) && uid(old) == uid(new) {
                continue;
            }
            for pod in self.pods_of_set(set, old.as_deref()) {
                self.place(&pod, &before, false, &mut touched);
                self.place(&pod, &self.replica_sets.clone(), true, &mut touched);
            }
        }
        for workload in touched {
            self.refresh(&workload);
        }
        folded.any()
    }

    /// The pods of a ReplicaSet, by what was known of it: those of its Deployment, and those that were nobody's.
    fn pods_of_set(&self, set: &Key, known: Option<&ReplicaSet>) -> Vec<Arc<Pod>> {
        let mut pods: Vec<_> = self.unclaimed.get(set).into_iter().flatten().cloned().collect();
        if let Some(deployment) = known.and_then(|s| s.deployment.clone()) {
            let workload = WorkloadKey::new(WorkloadKind::Deployment, set.namespace.clone(), deployment);
            let of_set = |p: &&Arc<Pod>| set_of(p).is_some_and(|s| s == *set);
            pods.extend(self.pods_of.get(&workload).into_iter().flatten().filter(of_set).cloned());
        }
        pods
    }

    /// Adds a pod to those of its workload, or takes it off, with the ReplicaSets known at that time.
    fn place(
        &mut self,
        pod: &Arc<Pod>,
        sets: &Slice<Key, ReplicaSet>,
        add: bool,
        touched: &mut BTreeSet<WorkloadKey>,
    ) {
        if let Some(workload) = Self::owner_of(pod, sets) {
            seat(&mut self.pods_of, &workload, pod, add);
            touched.insert(workload);
        }
        // Which Deployment it is of may have to be guessed by its name, until its ReplicaSet tells.
        let owns = |set: &ReplicaSet| pod.owner.as_ref().is_some_and(|owner| owner.is(&set.uid));
        let is_open = |set: &Key| sets.get(set).is_none_or(|s| s.deployment.is_none() || !owns(s));
        if let Some(set) = set_of(pod).filter(is_open) {
            seat(&mut self.unclaimed, &set, pod, add);
        }
    }

    fn observe_pods(&mut self, seen: Seen<Key, Pod>) -> bool {
        let folded = self.pods.fold(seen, self.api.skew());
        let sets = self.replica_sets.clone();
        let mut touched = BTreeSet::new();
        for (_, before, after) in &folded.changes {
            if let Some(pod) = before {
                self.account(pod, false);
                self.place(pod, &sets, false, &mut touched);
            }
            if let Some(pod) = after {
                self.account(pod, true);
                self.place(pod, &sets, true, &mut touched);
            }
        }
        if folded.odd {
            // Whose pods those are that can be read no more, or again.
            touched.extend(self.tenants.values().filter(|t| t.unread > 0).map(|t| t.workload.key.clone()));
            touched.extend(self.pods.unknown().filter_map(|key| self.workload_named_by(key)));
        }
        for workload in touched {
            self.refresh(&workload);
        }
        folded.any()
    }

    /// The workload that a pod is of by its name and namespace: the one with the longest name that it begins with, as the
    /// pods of Deployments and StatefulSets are called after them (`NAME-HASH-SUFFIX`, `NAME-0`).
    fn workload_named_by(&self, pod: &Key) -> Option<WorkloadKey> {
        let of = |key: &&Key| {
            let rest = pod.name.strip_prefix(&*key.name).and_then(|rest| rest.strip_prefix('-'));
            key.namespace == pod.namespace && rest.is_some_and(|rest| !rest.is_empty())
        };
        let longest = |slice: &Slice<Key, Workload>| {
            let all = slice.items.range(Key::new(pod.namespace.clone(), "")..).map(|(key, _)| key);
            let here = all.take_while(|key| key.namespace == pod.namespace).filter(of);
            here.max_by_key(|key| key.name.len()).cloned()
        };
        let found = [
            (WorkloadKind::Deployment, longest(&self.deployments)),
            (WorkloadKind::StatefulSet, longest(&self.stateful_sets)),
        ];
        let found = found.into_iter().filter_map(|(kind, key)| Some(WorkloadKey { kind, key: key? }));
        found.max_by_key(|workload| workload.key.name.len())
    }

    fn observe_workloads(&mut self, kind: WorkloadKind, seen: Seen<Key, Workload>) -> bool {
        let skew = self.api.skew();
        let slice = match kind {
            WorkloadKind::Deployment => &mut self.deployments,
            WorkloadKind::StatefulSet => &mut self.stateful_sets,
        };
        let folded = slice.fold(seen, skew);
        let tenancy = self.tenancy.clone();
        let identity =
            |w: Option<&Workload>| w.map(|w| (tenancy.admits(w), tenancy.label_of(w).map(str::to_owned)));
        if folded.ownership_changed(|before, after| identity(before) != identity(after)) {
            self.name();
        }
        for (key, ..) in &folded.changes {
            self.refresh(&WorkloadKey { kind, key: key.clone() });
        }
        folded.any()
    }

    /// Adds a pod to its node's load, or takes it off.
    fn account(&mut self, pod: &Pod, add: bool) {
        if pod.deleting.is_some() {
            if add {
                self.leaving.insert(pod.key.clone())
            } else {
                self.leaving.remove(&pod.key)
            };
        }
        let Some(node) = pod.node.clone().filter(|_| pod.holds_resources()) else { return };
        let (requests, limits) = (pod.spec.requests(), pod.spec.limits());
        let mut load = self.loads.get(&node).cloned().unwrap_or_default();
        let cpu = |a: super::Cpu, b| if add { a + b } else { a.saturating_sub(b) };
        let memory = |a: super::Memory, b| if add { a + b } else { a.saturating_sub(b) };
        load.pods = if add { load.pods + 1 } else { load.pods.saturating_sub(1) };
        load.requests = (cpu(load.requests.0, requests.0), memory(load.requests.1, requests.1));
        load.limits = (cpu(load.limits.0, limits.0), memory(load.limits.1, limits.1));
        if load == Load::default() {
            self.loads.remove(&node);
        } else {
            self.loads.insert(node, load);
        }
    }

    /// Renews one tenant from its workload and pods.
    fn refresh(&mut self, workload: &WorkloadKey) {
        let Some(name) = self.tenant_of.get(workload).cloned() else { return };
        match self.workload(workload).cloned() {
            Some(found) => {
                let mut pods = self.pods_of.get(workload).cloned().unwrap_or_default();
                if workload.kind == WorkloadKind::StatefulSet {
                    pods.retain(|pod| pod.owner.as_ref().is_some_and(|owner| owner.is(&found.uid)));
                }
                let own = |key: &&Key| self.workload_named_by(key).as_ref() == Some(workload);
                let unread = self.pods.unknown().filter(own).count() as u32;
                self.tenants.insert(name.clone(), Arc::new(Tenant { name, workload: found, pods, unread }));
            }
            None => {
                self.tenants.remove(&name);
            }
        }
    }

    /// Names the tenants again: when some come, go, or carry another label. Those that are called the same stay.
    fn name(&mut self) {
        let candidates: Vec<_> = self
            .deployments
            .values()
            .chain(self.stateful_sets.values())
            .filter(|w| self.tenancy.admits(w))
            .cloned()
            .collect();
        let mut in_namespace: OrdMap<&str, usize> = OrdMap::new();
        let mut with_label: OrdMap<&str, usize> = OrdMap::new();
        for workload in &candidates {
            *in_namespace.entry(&workload.key.key.namespace).or_default() += 1;
            if let Some(label) = self.tenancy.label_of(workload) {
                *with_label.entry(label).or_default() += 1;
            }
        }
        let name = |w: &Arc<Workload>| -> (WorkloadKey, TenantName) {
            let alone = in_namespace.get(&*w.key.key.namespace) == Some(&1);
            let alone_with_label = self.tenancy.label_of(w).is_some_and(|l| with_label.get(l) == Some(&1));
            (w.key.clone(), self.tenancy.name(w, alone, alone_with_label))
        };
        let mut tenant_of: OrdMap<_, _> = candidates.iter().map(name).collect();
        // A name stands for one workload: what still collides is called by its key, and then by its kind as well.
        tell_apart(&mut tenant_of, |workload| workload.key.to_string());
        tell_apart(&mut tenant_of, |workload| workload.to_string());
        let before = std::mem::replace(&mut self.tenant_of, tenant_of);
        let mut called: Vec<(WorkloadKey, TenantName)> = Vec::new();
        for (workload, name) in &before {
            if self.tenant_of.get(workload) != Some(name) {
                self.tenants.remove(name);
            }
        }
        for (workload, name) in &self.tenant_of {
            if before.get(workload) != Some(name) {
                called.push((workload.clone(), name.clone()));
            }
        }
        for (workload, _) in called {
            self.refresh(&workload);
        }
    }
}

/// The ReplicaSet a pod belongs to.
fn set_of(pod: &Pod) -> Option<Key> {
    let owner = pod.owner.as_ref().filter(|o| &*o.kind == "ReplicaSet")?;
    Some(Key::new(pod.key.namespace.clone(), owner.name.clone()))
}

/// Adds a pod to the pods under a key, in the order of their names, or takes it off.
fn seat<K: Ord + Clone>(seats: &mut OrdMap<K, Vec<Arc<Pod>>>, key: &K, pod: &Arc<Pod>, add: bool) {
    let place = |pods: &[Arc<Pod>]| pods.binary_search_by(|p| p.key.cmp(&pod.key));
    match seats.get_mut(key) {
        Some(pods) => match (place(pods), add) {
            (Ok(i), true) => pods[i] = pod.clone(),
            (Err(i), true) => {
                pods.reserve_exact(1);
                pods.insert(i, pod.clone());
            }
            (Ok(_), false) if pods.len() == 1 => {
                seats.remove(key);
            }
            (Ok(i), false) => {
                pods.remove(i);
            }
            (Err(_), false) => {}
        },
        None if add => {
            seats.insert(key.clone(), vec![pod.clone()]);
        }
        None => {}
    }
}

/// Gives another name to all that share one.
fn tell_apart(tenant_of: &mut OrdMap<WorkloadKey, TenantName>, name: impl Fn(&WorkloadKey) -> String) {
    let mut bearers: BTreeMap<&TenantName, Vec<&WorkloadKey>> = BTreeMap::new();
    for (workload, tenant) in &*tenant_of {
        bearers.entry(tenant).or_default().push(workload);
    }
    let shared: Vec<_> = bearers.into_values().filter(|all| all.len() > 1).flatten().cloned().collect();
    for workload in shared {
        let name = name(&workload);
        tenant_of.insert(workload, name.into());
    }
}

/// Key, before, after.
type Changed<K, V> = (K, Option<Arc<V>>, Option<Arc<V>>);

/// What a fold changed.
struct Folded<K, V> {
    changes: Vec<Changed<K, V>>,
    /// How well the source is known has changed.
    state: bool,
    /// Other objects than before could not be read.
    odd: bool,
}

impl<K, V> Folded<K, V> {
    fn any(&self) -> bool {
        self.state || !self.changes.is_empty()
    }

    fn ownership_changed(&self, differs: impl Fn(Option<&V>, Option<&V>) -> bool) -> bool {
        self.changes.iter().any(|(_, before, after)| differs(before.as_deref(), after.as_deref()))
    }
}

/// Measurements whose newest is older than this are old, however often they are read: metrics-server measures every 15 s
/// by default, and seldom less often than once a minute.
const MEASURED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What has an order, in another: a tree of `imbl` divides a leaf of sixteen when it is full, and in order nothing comes to
/// its first half any more. So of every sixteen eight come first, and then the other eight to theirs.
fn filling<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let eights = |first| all.chunks(8).skip(first).step_by(2).flatten();
    eights(0).chain(eights(1))
}

impl<K: Ord + Clone, V: PartialEq> Slice<K, V> {
    /// Folds measurements: they are as old as the newest of them, not as the moment they were read.
    fn fold_measured(
        &mut self,
        seen: Seen<K, V>,
        skew: SignedDuration,
        measured: impl Fn(&V) -> Timestamp,
    ) -> bool {
        let seen = seen.moved(skew);
        let read = match &seen {
            Seen::All(_, at) | Seen::AllBut(_, _, at) => Some(*at),
            _ => None,
        };
        let before = self.freshness.clone();
        let folded = self.fold(seen, SignedDuration::ZERO);
        if let (Some(read), Some(newest)) = (read, self.items.values().map(|v| measured(v)).max()) {
            let age = read.duration_since(newest);
            self.freshness = if age < -MEASURED_WITHIN {
                let why =
                    "the metrics API dates its measurements in the future: when they were made is not known";
                Freshness::Stale { since: newest, why: why.into() }
            } else if age <= MEASURED_WITHIN {
                Freshness::Live { since: newest }
            } else {
                let why = "the metrics API answers with old measurements";
                Freshness::Stale { since: newest, why: why.into() }
            };
        }
        before != self.freshness || !folded.changes.is_empty() || folded.state
    }

    /// Takes in a report that is dated by this machine's clock, which is that much behind the server's.
    fn fold(&mut self, seen: Seen<K, V>, skew: SignedDuration) -> Folded<K, V> {
        let (before, odd, read) = (self.freshness.clone(), self.unreadable.clone(), self.reading);
        let mut changes = Vec::new();
        match seen.moved(skew) {
            Seen::All(all, at) => {
                return self.fold(Seen::AllBut(all, Vec::new(), at), SignedDuration::ZERO);
            }
            Seen::AllBut(all, unreadable, at) => {
                self.unreadable = unreadable.into_iter().collect();
                changes = self.differences(all);
                for (key, _, new) in filling(&changes) {
                    match new {
                        Some(new) => self.items.insert(key.clone(), new.clone()),
                        None => self.items.remove(key),
                    };
                }
                self.reading = None;
                self.freshness = Freshness::Live { since: at };
            }
            Seen::Unreadable(key, why) => {
                self.unreadable.insert(key, why);
            }
            Seen::Put(key, value) => {
                self.unreadable.remove(&key);
                let old = self.items.get(&key).cloned();
                if old.as_deref() != Some(&value) {
                    let new = Arc::new(value);
                    self.items.insert(key.clone(), new.clone());
                    changes.push((key, old, Some(new)));
                }
            }
            Seen::Gone(key) => {
                self.unreadable.remove(&key);
                if let Some(old) = self.items.remove(&key) {
                    changes.push((key, Some(old), None));
                }
            }
            Seen::Reading(reading) => self.reading = Some(reading),
            Seen::Lost(at, why) => {
                self.freshness = self.freshness.lost(at, why);
                self.reading = None;
            }
            Seen::Back(at) => {
                if self.freshness.is_known() && !self.freshness.is_live() {
                    self.freshness = Freshness::Live { since: at };
                }
            }
        }
        let odd = odd != self.unreadable;
        let state = before != self.freshness || odd || read != self.reading;
        Folded { state, changes, odd }
    }

    /// What a whole list changes: what is not in it is gone, unless it could not be read. What is equal stays the same
    /// object under the same key, so that nothing is kept twice and nobody takes it for new.
    fn differences(&self, mut all: Vec<(K, V)>) -> Vec<Changed<K, V>> {
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut changes = Vec::new();
        let gone = |(key, old): (&K, &Arc<V>)| {
            (!self.unreadable.contains_key(key)).then(|| (key.clone(), Some(old.clone()), None))
        };
        let mut known = self.items.iter().peekable();
        let mut listed = all.into_iter().peekable();
        while let Some((key, value)) = listed.next() {
            // Said twice: the later holds.
            if listed.peek().is_some_and(|(next, _)| *next == key) {
                continue;
            }
            while let Some(missing) = known.next_if(|(k, _)| **k < key) {
                changes.extend(gone(missing));
            }
            match known.next_if(|(k, _)| **k == key) {
                Some((_, old)) if **old == value => {}
                Some((key, old)) => changes.push((key.clone(), Some(old.clone()), Some(Arc::new(value)))),
                None => changes.push((key, None, Some(Arc::new(value)))),
            }
        }
        changes.extend(known.filter_map(gone));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::filling;

    #[test]
    fn in_the_order_that_fills_a_tree_all_come_once() {
        let all: Vec<_> = (0..41).collect();
        let mut filled: Vec<_> = filling(&all).copied().collect();
        let eights = [0, 16, 32, 8, 24, 40].map(|at| filled.iter().position(|n| *n == at));
        assert_eq!(eights, [0, 8, 16, 24, 32, 40].map(Some));
        filled.sort_unstable();
        assert_eq!(filled, all);
    }
}
