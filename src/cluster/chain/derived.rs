//! The ways of a snapshot and what is wrong on them, worked out once, however many ask for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imbl::OrdMap;
use jiff::Timestamp;

use super::{
    Fault, Outside,
    doors::Endpoints,
    front::Front,
    judge::{Judged, all_faults},
};
use crate::cluster::{
    Certificate, EndpointSlice, Gateway, HttpRoute, Ingress, Key, Labels, Pod, Service, Slice, Snapshot,
    Tenant, TenantName, Workload, WorkloadKey,
    platform::{Component, ComponentKey, Looked, Spot},
};

/// What was worked out. The ways are shared by all snapshots that come of each other: they hold for each of them in which
/// what they rest on is the same, which most observations do not change. What is wrong on them rests on the time as well:
/// whoever changes the snapshot says so with `forget`.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Derived {
    ways: Shared<Inputs, Outside>,
    /// The tenants of this snapshot, and names that they were found to have: many ask for its ways.
    named: Mutex<Option<(Tenants, Names)>>,
    endpoints: Shared<Slices, Endpoints>,
    front: Shared<Places, Front>,
    judged: Arc<Mutex<Judged>>,
    faults: Mutex<Option<(Timestamp, Arc<[Fault]>)>>,
}

/// What was worked out, with what it rests on; shared by all snapshots that come of each other.
type Shared<B, V> = Arc<Mutex<Option<(B, Arc<V>)>>>;

/// What was worked out, as long as it rests on the same; otherwise it is worked out again.
fn shared<B, V>(known: &Shared<B, V>, same: impl Fn(&B) -> bool, work: impl FnOnce() -> (B, V)) -> Arc<V> {
    let mut known = held(known);
    if let Some((_, value)) = known.as_ref().filter(|(basis, _)| same(basis)) {
        return value.clone();
    }
    let (basis, value) = work();
    let value = Arc::new(value);
    *known = Some((basis, value.clone()));
    value
}

/// The platform around and what was seen of the hosts there.
type Places = (OrdMap<ComponentKey, Arc<Component>>, OrdMap<Spot, Arc<Looked>>);

/// The tenants that there are.
type Tenants = OrdMap<TenantName, Arc<Tenant>>;

/// EndpointSlices as they are seen.
type Slices = OrdMap<Key, Arc<EndpointSlice>>;

impl Clone for Derived {
    fn clone(&self) -> Self {
        // One after the other: whoever judges the ways holds `faults` and wants `named`.
        let named = held(&self.named).clone();
        let faults = held(&self.faults).clone();
        Self {
            ways: self.ways.clone(),
            named: Mutex::new(named),
            endpoints: self.endpoints.clone(),
            front: self.front.clone(),
            judged: self.judged.clone(),
            faults: Mutex::new(faults),
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Derived {
    /// The ways of a snapshot.
    pub(super) fn ways(&self, seen: &Snapshot) -> Arc<Outside> {
        let same = |inputs: &Inputs| inputs.are_those_of(seen) && self.are_named(seen, &inputs.tenants);
        shared(&self.ways, same, || {
            let ways = Outside::derive(seen);
            (Inputs::of(seen, ways.looked_at_pods), ways)
        })
    }

    /// Whether the tenants of a snapshot have these names.
    fn are_named(&self, seen: &Snapshot, names: &Names) -> bool {
        let mut known = held(&self.named);
        let is_known =
            |(tenants, known): &(Tenants, Names)| tenants.ptr_eq(&seen.tenants) && Arc::ptr_eq(known, names);
        if known.as_ref().is_some_and(is_known) {
            return true;
        }
        let of = names.iter().map(|(name, key, labels)| (name, key, labels));
        let same =
            names.len() == seen.tenants.len() && of.eq(seen.tenants.values().map(|tenant| named(tenant)));
        *known = same.then(|| (seen.tenants.clone(), names.clone()));
        same
    }

    /// The EndpointSlices of each Service.
    pub(super) fn endpoints(&self, seen: &Snapshot) -> Arc<Endpoints> {
        let slices = &seen.endpoint_slices.items;
        let same = |of: &Slices| of.ptr_eq(slices);
        shared(&self.endpoints, same, || {
            let mut endpoints = Endpoints::default();
            for slice in slices.values() {
                let Some(service) = &slice.service else { continue };
                let key = Key::new(slice.key.namespace.clone(), service.clone());
                endpoints.entry(key).or_default().push(slice.clone());
            }
            (slices.clone(), endpoints)
        })
    }

    /// What stands in front of the cluster.
    pub(super) fn front(&self, seen: &Snapshot) -> Arc<Front> {
        let (platform, looks) = (&seen.platform.items, &seen.looks.items);
        let same = |(of, at): &Places| of.ptr_eq(platform) && at.ptr_eq(looks);
        shared(&self.front, same, || ((platform.clone(), looks.clone()), Front::of(seen)))
    }

    /// What is wrong on them.
    pub(super) fn faults(&self, seen: &Snapshot) -> Arc<[Fault]> {
        let mut known = held(&self.faults);
        match known.as_ref().filter(|(at, _)| *at == seen.at) {
            Some((_, faults)) => faults.clone(),
            None => {
                let faults: Arc<[Fault]> = all_faults(seen, &mut held(&self.judged)).into();
                *known = Some((seen.at, faults.clone()));
                faults
            }
        }
    }

    /// Forgets what rests on this very snapshot: it changes.
    pub(in crate::cluster) fn forget(&mut self) {
        *held(&self.faults) = None;
        *held(&self.named) = None;
    }
}

/// What the ways rest on, as it was then.
#[derive(Debug)]
struct Inputs {
    ingresses: OrdMap<Key, Arc<Ingress>>,
    routes: OrdMap<Key, Arc<HttpRoute>>,
    gateways: OrdMap<Key, Arc<Gateway>>,
    certificates: OrdMap<Key, Arc<Certificate>>,
    services: Known<Service>,
    /// Their workloads and the labels of their pods: the tenants themselves would keep old pods alive.
    tenants: Names,
    /// Where somebody had to look which pods there are.
    pods: Option<Pods>,
}

/// Tenants as the ways know them.
type Names = Arc<[(TenantName, WorkloadKey, Labels)]>;

/// The pods, and what makes them: Deployments and StatefulSets.
type Pods = (Known<Pod>, [OrdMap<Key, Arc<Workload>>; 2]);

/// The objects of a kind, those that cannot be read, and whether the kind is known at all.
#[derive(Debug)]
struct Known<V> {
    items: OrdMap<Key, Arc<V>>,
    unreadable: OrdMap<Key, Arc<str>>,
    known: bool,
}

impl<V> Known<V> {
    fn of(slice: &Slice<Key, V>) -> Self {
        let Slice { items, unreadable, freshness, .. } = slice;
        Self { items: items.clone(), unreadable: unreadable.clone(), known: freshness.is_known() }
    }

    fn is(&self, slice: &Slice<Key, V>) -> bool {
        self.items.ptr_eq(&slice.items)
            && self.unreadable.ptr_eq(&slice.unreadable)
            && self.known == slice.freshness.is_known()
    }
}

impl Inputs {
    fn of(seen: &Snapshot, pods: bool) -> Self {
        let tenants = seen.tenants.values();
        let workloads = || [seen.deployments.items.clone(), seen.stateful_sets.items.clone()];
        Self {
            ingresses: seen.ingresses.items.clone(),
            routes: seen.http_routes.items.clone(),
            gateways: seen.gateways.items.clone(),
            certificates: seen.certificates.items.clone(),
            services: Known::of(&seen.services),
            tenants: tenants
                .map(|tenant| {
                    let (name, key, labels) = named(tenant);
                    (name.clone(), key.clone(), labels.clone())
                })
                .collect(),
            pods: pods.then(|| (Known::of(&seen.pods), workloads())),
        }
    }

    /// Whether they are the same in a snapshot, but for the tenants.
    fn are_those_of(&self, seen: &Snapshot) -> bool {
        let same_pods = |(pods, [deployments, stateful_sets]): &Pods| {
            pods.is(&seen.pods)
                && deployments.ptr_eq(&seen.deployments.items)
                && stateful_sets.ptr_eq(&seen.stateful_sets.items)
        };
        self.ingresses.ptr_eq(&seen.ingresses.items)
            && self.routes.ptr_eq(&seen.http_routes.items)
            && self.gateways.ptr_eq(&seen.gateways.items)
            && self.certificates.ptr_eq(&seen.certificates.items)
            && self.services.is(&seen.services)
            && self.pods.as_ref().is_none_or(same_pods)
    }
}

/// What of a tenant the ways rest on: its pods come and go.
fn named(tenant: &Tenant) -> (&TenantName, &WorkloadKey, &Labels) {
    (&tenant.name, &tenant.workload.key, &tenant.workload.template_labels)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn a_snapshot_is_copied_while_others_judge_its_ways() {
        const TIMES: usize = 50_000;
        let mut seen = Snapshot::default();
        let key = Key::new("acme", "acme");
        seen.ingresses.items.insert(key.clone(), Arc::new(Ingress::bare(key)));
        let seen = Arc::new(seen);
        let (through, ends) = mpsc::channel();
        let spawn = |work: fn(&Snapshot)| {
            let (seen, through) = (seen.clone(), through.clone());
            thread::spawn(move || {
                (0..TIMES).for_each(|_| work(&seen));
                through.send(()).expect("it is waited for");
            });
        };
        spawn(|seen| drop(seen.outside.clone()));
        spawn(|seen| {
            *held(&seen.outside.faults) = None;
            seen.outside.faults(seen);
        });
        for _ in 0..2 {
            ends.recv_timeout(Duration::from_secs(60)).expect("neither waits for the other");
        }
    }
}
