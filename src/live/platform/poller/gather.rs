//! What is asked for, taken from the newest snapshot: the hosts that lead to tenants, and the nodes of the cluster.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;

use super::{
    super::{
        endpoint::known_of,
        place::{Target, Watched},
        schedule::Job,
    },
    Gone, Poller,
};
use crate::cluster::{
    Freshness, HttpRoute, Ingress, Key, Node, NodeName, Observation, Outside, Seen, Service, Snapshot,
    Tenant, TenantName,
    platform::{Asked, ComponentKey, ComponentKind, Spot},
};

/// What hosts and nodes are taken from. Of a snapshot no more is kept than that.
pub(super) struct Basis {
    tenants: OrdMap<TenantName, Arc<Tenant>>,
    ingresses: OrdMap<Key, Arc<Ingress>>,
    routes: OrdMap<Key, Arc<HttpRoute>>,
    services: OrdMap<Key, Arc<Service>>,
    nodes: OrdMap<NodeName, Arc<Node>>,
}

impl Basis {
    fn of(seen: &Snapshot) -> Self {
        Self {
            tenants: seen.tenants.clone(),
            ingresses: seen.ingresses.items.clone(),
            routes: seen.http_routes.items.clone(),
            services: seen.services.items.clone(),
            nodes: seen.nodes.items.clone(),
        }
    }

    fn is_that_of(&self, seen: &Snapshot) -> bool {
        self.tenants.ptr_eq(&seen.tenants)
            && self.ingresses.ptr_eq(&seen.ingresses.items)
            && self.routes.ptr_eq(&seen.http_routes.items)
            && self.services.ptr_eq(&seen.services.items)
            && self.nodes.ptr_eq(&seen.nodes.items)
    }
}

impl Poller {
    /// Takes the hosts, and the nodes of the cluster, from the newest snapshot. Returns whether there is one.
    pub(super) async fn gather(&mut self) -> Result<bool, Gone> {
        const GATHERED_EVERY: u64 = 2_000;
        if self.basis.is_some() && self.now() < self.gathered + GATHERED_EVERY {
            return Ok(true);
        }
        self.gathered = self.now();
        let seen = self.seen.borrow().clone();
        let settled = seen.is_ready()
            && seen.outside_sources().iter().all(|(_, freshness)| **freshness != Freshness::Connecting);
        if self.basis.as_ref().is_some_and(|basis| basis.is_that_of(&seen)) {
            return Ok(true);
        }
        const ALONE: u64 = 10_000;
        // Places are asked whether they answer, also where the cluster itself does not.
        if !settled && self.now() < ALONE {
            return Ok(false);
        }
        self.nodes(&seen).await?;
        let hosts = Outside::hosts(&seen);
        for gone in self.hosts.iter().filter(|host| !hosts.contains(*host)).cloned().collect::<Vec<_>>() {
            for spot in self.spots(&gone) {
                self.schedule.remove(&Job::Look(spot.clone()));
                self.doubted.remove(&spot);
                if self.looks.remove(&spot).is_some() {
                    self.tell(Observation::Look(Seen::Gone(spot))).await?;
                }
            }
        }
        let first =
            self.configured.first.as_deref().map(|tenant| Outside::of(&seen).hosts_of(&tenant.into()));
        let first = first.unwrap_or_default();
        self.hosts = hosts;
        let now = self.now();
        // Those that are new come in no order, host after host, each at all places.
        let mut order: Vec<(u64, Arc<str>)> =
            self.hosts.iter().map(|host| (rand::random(), host.clone())).collect();
        order.sort();
        for (rank, (_, host)) in (1..).zip(order) {
            let due = if first.contains(&host) { 0 } else { now + rank };
            for spot in self.spots(&host) {
                self.schedule.add(Job::Look(spot), due);
            }
        }
        for key in self.places.keys().cloned().collect::<Vec<_>>() {
            let alive = Job::Alive(key.clone());
            if self.hosts.is_empty() {
                self.schedule.add(alive, now)
            } else {
                self.schedule.remove(&alive)
            }
            if key.kind == ComponentKind::IngressNode {
                self.schedule.add(Job::Control(key), 0);
            }
        }
        self.places.values_mut().for_each(|place| place.changed = true);
        self.basis = settled.then(|| Basis::of(&seen));
        Ok(true)
    }

    /// All that is asked for a host.
    fn spots(&self, host: &Arc<str>) -> Vec<Spot> {
        let at = self.places.keys().map(|key| Asked::At(key.clone()));
        let edges = self.places.keys().any(|key| key.kind != ComponentKind::IngressNode);
        let deep = self.configured.deep.is_some().then_some(Asked::Deep);
        let resolver = edges.then_some(Asked::Resolver);
        at.chain(deep).chain(resolver).map(|asked| Spot { host: host.clone(), asked }).collect()
    }

    /// The nodes of the cluster, where the ingress controller listens on each.
    async fn nodes(&mut self, seen: &Snapshot) -> Result<(), Gone> {
        let Some(port) = self.configured.node_port else { return Ok(()) };
        let nodes =
            seen.nodes.values().filter_map(|node| Some((node.name.as_str(), node.address.as_deref()?)));
        let nodes: BTreeMap<&str, &str> = nodes.collect();
        let mut told = Vec::new();
        for (name, address) in &nodes {
            let key = ComponentKey::new(ComponentKind::IngressNode, *name);
            let at = ((*address).to_owned(), port);
            if self.places.get(&key).is_none_or(|place| place.target.at != at) {
                let place = Watched::new(known_of(&self.known, key.clone()), Target { at, stub: None });
                told.push(Observation::Platform(Seen::Put(key.clone(), place.component.clone())));
                self.schedule.close(&key, 0);
                self.places.insert(key, place);
            }
        }
        let ours = |key: &&ComponentKey| !self.places.contains_key(*key);
        let known: Vec<_> = self.known.keys().filter(ours).cloned().collect();
        let gone = |key: &&ComponentKey| {
            key.kind == ComponentKind::IngressNode
                && !key.name.contains(':')
                && !nodes.contains_key(&*key.name)
        };
        for key in self.places.keys().chain(&known).filter(gone).cloned().collect::<Vec<_>>() {
            self.places.remove(&key);
            self.known.remove(&key);
            let of_it = |job: &&Job| job.place() == Some(&key);
            for job in self.schedule.jobs().filter(of_it).cloned().collect::<Vec<_>>() {
                self.schedule.remove(&job);
            }
            let at_it = self.looks.keys().filter(|spot| spot.asked == Asked::At(key.clone()));
            for spot in at_it.cloned().collect::<Vec<_>>() {
                self.looks.remove(&spot);
                told.push(Observation::Look(Seen::Gone(spot)));
            }
            told.push(Observation::Platform(Seen::Gone(key)));
        }
        for observation in told {
            self.tell(observation).await?;
        }
        Ok(())
    }
}
