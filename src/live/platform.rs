//! The platform around is observed: each host is asked for at every edge, at the floating address and at every ingress
//! node, within a budget, and names are resolved. It only reads.
//!
//! Entered by [`follow`]. One task holds the schedule and what is known; a few looks are under way at once, each with a
//! deadline of its own, so that a place that hangs slows no other. What a place that does not answer was last seen to serve
//! stays known; one host is asked of it once in a while.

mod endpoint;
mod gluster;
mod place;
mod redis;
mod registry;
mod replica;
mod schedule;
mod stores;
mod stub;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::OrdMap;
use jiff::Timestamp;
use tokio::{
    net::lookup_host,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    edge::{Certificates, convert},
    registry::{ConfiguredRegistry, registries},
};
use crate::{
    cluster::{
        Address, HttpRoute, Ingress, Key, LinkState, Look, Node, NodeName, Observation, Outside, Seen,
        Served, Service, Snapshot, Tenant, TenantName,
        platform::{
            Around, Asked, ComponentKey, ComponentKind, Found, Looked, Reply, Spot, edge::Round, node,
        },
    },
    wire::{
        Wire, request,
        tls::{self, Roots},
    },
};
pub use endpoint::Place as StorePlace;
use place::{Place, Target};
use schedule::{Budget, Job, Schedule};
pub use stores::{ReplicaServer, Stores, follow as follow_stores};

/// Looks under way at once.
const AT_ONCE: usize = 8;
/// A place that does not answer is asked again after this.
const RETRY: Duration = Duration::from_secs(5);
/// The counters of an edge are read this often.
const STUB_EVERY: Duration = Duration::from_secs(10);
/// What is wrong is looked at again after this at the earliest.
const BROKEN_EVERY: Duration = Duration::from_secs(5);
/// An application that failed once is asked again after this, and then told.
const DOUBT: Duration = Duration::from_secs(30);
/// What is said of a place changes this often, while it answers.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// So many rounds lie between two looks at a name, and at what an ingress node says to a host that nobody has.
const SELDOM: u32 = 5;
/// A host that nobody has (RFC 2606).
const NOBODY: &str = "wheelhouse.invalid";

/// The name of an edge, its host and port, and where its counters are: host, port, path.
pub type Edge = (String, (String, u16), Option<(String, u16, String)>);

/// What is looked at, and how.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The edges.
    pub edges: Vec<Edge>,
    /// The floating address.
    pub floating: Option<(String, u16)>,
    /// The ingress nodes, by host and port.
    pub nodes: Vec<(String, u16)>,
    /// The port of the ingress controller on every node of the cluster.
    pub node_port: Option<u16>,
    /// Looks a second at most.
    pub probes: u32,
    /// Each host is looked at not more often than this at each place.
    pub every: Duration,
    /// The file that is asked for.
    pub path: String,
    /// What the application answers, and how rarely it is asked for.
    pub deep: Option<(String, Duration)>,
    /// The authorities that are trusted; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// The hosts of this tenant come first.
    pub first: Option<String>,
    /// What holds data: Redis, servers with replicas, volumes.
    pub stores: Stores,
    /// Where images come from, and how often it is asked.
    pub registry: Option<(ConfiguredRegistry, Duration)>,
    /// What is judged and shown of it.
    pub around: Around,
}

/// Observes the platform around until the receiver is gone or the returned tasks are dropped. The hosts are those that lead
/// to tenants in the newest snapshot.
pub fn follow(
    configured: Configured,
    wire: Option<Wire>,
    seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if !configured.stores.is_empty() {
        let mut stores = stores::follow(configured.stores.clone(), wire.clone(), into.clone());
        tasks.spawn(async move { while stores.join_next().await.is_some() {} });
    }
    if let Some((of, every)) = &configured.registry {
        let at = of.place.base.clone().unwrap_or_else(|| of.host.clone());
        let registries = registries(of, wire.clone());
        tasks.spawn(registry::follow(registries, at.into(), *every, wire, seen.clone(), into.clone()));
    }
    if configured.around.looks() {
        tasks.spawn(Poller::new(configured, seen, into).run());
    }
    tasks
}

/// What a job came to.
struct Done {
    job: Job,
    /// The address that was asked, where there is one.
    address: Option<SocketAddr>,
    found: Result<Outcome, place::Silence>,
}

enum Outcome {
    Found(Found),
    Answer(request::Answer),
}

/// What hosts and nodes are taken from. Of a snapshot no more is kept than that.
struct Basis {
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

/// Nobody listens any more.
struct Gone;

struct Poller {
    configured: Configured,
    certificates: Arc<Certificates>,
    /// Why it is not known whom to trust.
    trust: Option<Arc<str>>,
    seen: watch::Receiver<Arc<Snapshot>>,
    /// What the hosts were taken from, and when.
    basis: Option<Basis>,
    gathered: u64,
    into: mpsc::Sender<Observation>,
    begun: Instant,
    schedule: Schedule,
    budget: Budget,
    places: BTreeMap<ComponentKey, Place>,
    /// What was found of each host, and when it was last looked at.
    looks: HashMap<Spot, (Looked, Timestamp)>,
    hosts: BTreeSet<Arc<str>>,
    /// What was found wrong once, where one slow answer is no news.
    doubted: HashSet<Spot>,
}

impl Poller {
    fn new(
        configured: Configured,
        seen: watch::Receiver<Arc<Snapshot>>,
        into: mpsc::Sender<Observation>,
    ) -> Self {
        let (roots, trust) = match Roots::read(configured.ca.as_deref()) {
            Ok(roots) => (Some(roots), None),
            Err(why) => (None, Some(why.into())),
        };
        let mut poller = Self {
            certificates: Arc::new(Certificates::new(roots)),
            trust,
            seen,
            basis: None,
            gathered: 0,
            into,
            begun: Instant::now(),
            schedule: Schedule::default(),
            budget: Budget::new(configured.probes.max(1), 0),
            places: BTreeMap::new(),
            looks: HashMap::new(),
            hosts: BTreeSet::new(),
            doubted: HashSet::new(),
            configured,
        };
        let Configured { edges, floating, nodes, .. } = poller.configured.clone();
        for (name, at, stub) in edges {
            poller.place(ComponentKind::Edge, &name, Target { at, stub });
        }
        if let Some(at) = floating {
            let name = poller.configured.around.floating.clone().unwrap_or_default();
            poller.place(ComponentKind::Floating, &name, Target { at, stub: None });
        }
        for at in nodes {
            let name = Address { host: at.0.clone(), port: at.1 }.to_string();
            poller.place(ComponentKind::IngressNode, &name, Target { at, stub: None });
        }
        poller
    }

    /// Milliseconds since the begin.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn place(&mut self, kind: ComponentKind, name: &str, target: Target) {
        let key = ComponentKey::new(kind, name);
        if target.stub.is_some() {
            self.schedule.add(Job::Stub(key.clone()), 0);
        }
        // One thing is asked of it until it has answered.
        self.schedule.close(&key, 0);
        self.places.entry(key.clone()).or_insert_with(|| Place::new(key, target));
    }

    async fn tell(&self, observation: Observation) -> Result<(), Gone> {
        self.into.send(observation).await.map_err(|_| Gone)
    }

    async fn run(mut self) {
        let configured = self.places.values().map(|place| {
            let component = place.component.clone();
            Observation::Platform(Seen::Put(component.name.clone(), component))
        });
        let none = Observation::Look(Seen::All(vec![], Timestamp::now()));
        for observation in configured.chain([none]).collect::<Vec<_>>() {
            if self.tell(observation).await.is_err() {
                return;
            }
        }
        let mut running = JoinSet::new();
        loop {
            let mut wait = self.start(&mut running);
            match self.gather().await {
                Ok(ready) if !ready => wait = wait.min(100),
                Ok(_) => {}
                Err(Gone) => return,
            }
            if self.report().await.is_err() {
                return;
            }
            let done = tokio::select! {
                Some(done) = running.join_next() => done.ok(),
                () = sleep(Duration::from_millis(wait)) => None,
            };
            if let Some(done) = done
                && self.fold(done).await.is_err()
            {
                return;
            }
        }
    }

    /// Starts what is due, as far as the budget goes. Returns how many milliseconds until there is more to do.
    fn start(&mut self, running: &mut JoinSet<Done>) -> u64 {
        const IDLE: u64 = 1_000;
        loop {
            let now = self.now();
            let Some(due) = self.schedule.next_due() else { return IDLE };
            if running.len() >= AT_ONCE {
                return IDLE;
            }
            if due > now {
                return due.saturating_sub(now).clamp(5, IDLE);
            }
            if let Err(wait) = self.budget.take(now) {
                return wait.clamp(5, IDLE);
            }
            let Some(job) = self.schedule.take(now) else { return IDLE };
            self.work(job, running);
        }
    }

    /// Sends a job on its way.
    fn work(&mut self, job: Job, running: &mut JoinSet<Done>) {
        let (certificates, path) = (self.certificates.clone(), self.configured.path.clone());
        if let Job::Look(Spot { host, asked: Asked::Resolver }) = &job {
            let host = host.clone();
            running.spawn(async move {
                Done { found: Ok(Outcome::Found(names(&host).await)), address: None, job }
            });
            return;
        }
        // Clients come to the floating address; without one to an edge that answers.
        let of_counters = match &job {
            Job::Stub(key) => Some(key),
            _ => job.place(),
        };
        let key = of_counters.cloned().or_else(|| {
            let answers = |kind| self.places.values().find(|p| p.component.name.kind == kind && p.is_up());
            let place = answers(ComponentKind::Floating).or_else(|| answers(ComponentKind::Edge))?;
            Some(place.component.name.clone())
        });
        let Some(place) = key.and_then(|key| self.places.get_mut(&key)) else {
            let due = self.now() + millis(self.configured.every);
            return self.schedule.again(&job, due);
        };
        let kind = place.component.name.kind;
        let (at, known) = match &job {
            Job::Stub(_) => {
                let Some((host, port, stub)) = place.target.stub.clone() else {
                    return self.schedule.again(&job, u64::MAX);
                };
                running.spawn(async move {
                    let address = match resolved(&host, port, None).await {
                        Ok(address) => address,
                        Err(silence) => return Done { job, address: None, found: Err(silence) },
                    };
                    let found = request::get(address, &host, &stub).await;
                    Done { job, address: None, found: found.map(Outcome::Answer).map_err(Into::into) }
                });
                return;
            }
            _ => (place.target.at.clone(), place.address()),
        };
        let path = match (&job, &self.configured.deep) {
            (Job::Look(Spot { asked: Asked::Deep, .. }), Some((deep, _))) => deep.clone(),
            _ => path,
        };
        let host: Arc<str> = match &job {
            Job::Look(spot) => spot.host.clone(),
            _ => NOBODY.into(),
        };
        if kind != ComponentKind::IngressNode {
            place.own += 1;
        }
        let control = place.control.clone();
        running.spawn(async move {
            let address = match resolved(&at.0, at.1, known).await {
                Ok(address) => address,
                Err(silence) => return Done { job, address: None, found: Err(silence) },
            };
            let found = match (kind, &job) {
                (ComponentKind::IngressNode, Job::Control(_) | Job::Alive(_)) => {
                    request::get(address, &host, &path).await.map(Outcome::Answer).map_err(Into::into)
                }
                (ComponentKind::IngressNode, _) => {
                    said_by_node(request::get(address, &host, &path).await, control.as_ref())
                }
                _ => match tls::look(address, &host, &path).await {
                    Err(tls::Fault::Refused) => Err(place::Silence::refused()),
                    Err(tls::Fault::Unreachable(why)) => Err(place::Silence::unreachable(&why)),
                    Err(tls::Fault::Silent) => Err(place::Silence::silent()),
                    looked => Ok(Outcome::Found(Found::Tls(convert(looked, &certificates)))),
                },
            };
            Done { job, address: Some(address), found }
        });
    }

    /// Takes in what a job came to.
    async fn fold(&mut self, Done { job, address, found }: Done) -> Result<(), Gone> {
        let (now, at) = (self.now(), Timestamp::now());
        let every = millis(self.configured.every);
        let mut again = every;
        if let Job::Stub(key) = &job {
            if let Some(place) = self.places.get_mut(key) {
                place.counted(found.map(|outcome| outcome.answer()), at);
            }
            self.schedule.again(&job, now + jittered(millis(STUB_EVERY)));
            return Ok(());
        }
        // The host may be what hangs: the node speaks for itself where it is asked for a host that nobody has.
        let hangs = matches!(&found, Ok(Outcome::Found(Found::Http(Reply::Silent))));
        if let Some(key) = job.place().filter(|_| hangs) {
            if self.places.get(key).is_some_and(|place| !place.is_up()) {
                self.schedule.close(key, now);
            }
            self.schedule.hasten(&Job::Control(key.clone()));
        } else if let Some(place) = job.place().and_then(|key| self.places.get_mut(key)) {
            let key = place.component.name.clone();
            let up = place.heard(address, found.as_ref().err(), at);
            if up {
                self.schedule.open(&key)
            } else {
                self.schedule.close(&key, now + jittered(millis(RETRY)))
            }
        }
        match (&job, found) {
            (Job::Control(key), Ok(outcome)) => {
                if let Some(place) = self.places.get_mut(key) {
                    place.control = outcome.answer();
                }
                again = every * u64::from(SELDOM);
            }
            // What it says to a host that nobody has comes before what it says to others.
            (Job::Control(_), Err(_)) => {
                self.schedule.again(&job, 0);
                return Ok(());
            }
            // The place is at fault, and what the application answered before is no longer known.
            (Job::Look(spot), Err(_)) if spot.asked == Asked::Deep => {
                again = millis(DOUBT);
                if self.looks.remove(spot).is_some() {
                    self.tell(Observation::Look(Seen::Gone(spot.clone()))).await?;
                }
            }
            (Job::Look(spot), Ok(Outcome::Found(found))) if self.is_doubted(spot, &found) => {
                again = millis(if spot.asked == Asked::Deep { DOUBT } else { BROKEN_EVERY });
            }
            (Job::Look(spot), Ok(Outcome::Found(found))) => {
                again = match &spot.asked {
                    Asked::Resolver => every * u64::from(SELDOM),
                    Asked::Deep => self.configured.deep.as_ref().map_or(every, |(_, every)| millis(*every)),
                    Asked::At(_) => every,
                };
                if spot.asked == Asked::Deep && may_pass(spot, &found) {
                    again = (again / 6).max(millis(DOUBT)).min(again);
                } else if is_wrong(&found, &spot.host, at) && spot.asked != Asked::Deep {
                    again = (every / 6).max(millis(BROKEN_EVERY)).min(again);
                }
                if self.hosts.contains(&spot.host) {
                    self.found(spot.clone(), found, at).await?;
                }
            }
            _ => {}
        }
        self.schedule.again(&job, now + jittered(again));
        Ok(())
    }

    /// Whether something was found that may pass, for the first time in a row: it is looked at again before it is told.
    fn is_doubted(&mut self, spot: &Spot, found: &Found) -> bool {
        if !may_pass(spot, found) {
            self.doubted.remove(spot);
            return false;
        }
        self.hosts.contains(&spot.host) && self.doubted.insert(spot.clone())
    }

    /// Keeps what was found of a host, and tells it where it is something else than before.
    async fn found(&mut self, spot: Spot, found: Found, at: Timestamp) -> Result<(), Gone> {
        if let Some((known, last)) = self.looks.get_mut(&spot)
            && known.found == found
        {
            *last = at;
            return Ok(());
        }
        let looked = Looked { since: at, found };
        self.looks.insert(spot.clone(), (looked.clone(), at));
        self.tell(Observation::Look(Seen::Put(spot, looked))).await
    }

    /// Takes the hosts, and the nodes of the cluster, from the newest snapshot. Returns whether there is one.
    async fn gather(&mut self) -> Result<bool, Gone> {
        const GATHERED_EVERY: u64 = 2_000;
        if self.basis.is_some() && self.now() < self.gathered + GATHERED_EVERY {
            return Ok(true);
        }
        self.gathered = self.now();
        let seen = self.seen.borrow().clone();
        let settled = seen.is_ready()
            && seen
                .outside_sources()
                .iter()
                .all(|(_, freshness)| **freshness != crate::cluster::Freshness::Connecting);
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
                let place = Place::new(key.clone(), Target { at, stub: None });
                told.push(Observation::Platform(Seen::Put(key.clone(), place.component.clone())));
                self.schedule.close(&key, 0);
                self.places.insert(key, place);
            }
        }
        let gone = |key: &&ComponentKey| {
            key.kind == ComponentKind::IngressNode
                && !key.name.contains(':')
                && !nodes.contains_key(&*key.name)
        };
        for key in self.places.keys().filter(gone).cloned().collect::<Vec<_>>() {
            self.places.remove(&key);
            let of_it = |job: &&Job| job.place() == Some(&key);
            for job in self.schedule.jobs().filter(of_it).cloned().collect::<Vec<_>>() {
                self.schedule.remove(&job);
                if let Job::Look(spot) = job
                    && self.looks.remove(&spot).is_some()
                {
                    told.push(Observation::Look(Seen::Gone(spot)));
                }
            }
            told.push(Observation::Platform(Seen::Gone(key)));
        }
        for observation in told {
            self.tell(observation).await?;
        }
        Ok(())
    }

    /// Tells what is new of the places.
    async fn report(&mut self) -> Result<(), Gone> {
        let due = |place: &&Place| place.is_news(TOLD_EVERY);
        let news: Vec<ComponentKey> =
            self.places.values().filter(due).map(|place| place.component.name.clone()).collect();
        for key in news {
            let looks =
                self.hosts.iter().map(|host| Spot { host: host.clone(), asked: Asked::At(key.clone()) });
            let mut round = Round {
                hosts: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
                trust: self.trust.clone(),
                ..Default::default()
            };
            for (_, at) in looks.filter_map(|spot| self.looks.get(&spot)) {
                round.looked += 1;
                round.oldest = Some(round.oldest.map_or(*at, |oldest| oldest.min(*at)));
            }
            let Some(place) = self.places.get_mut(&key) else { continue };
            let component = place.told(round);
            self.tell(Observation::Platform(Seen::Put(key, component))).await?;
        }
        Ok(())
    }
}

impl Outcome {
    fn answer(self) -> Option<request::Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Found(_) => None,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A little more or less, so that cockpits that were begun together do not go on together.
fn jittered(span: u64) -> u64 {
    (span as f64 * rand::random_range(0.9..1.1)) as u64
}

/// What is looked at again soon.
fn is_wrong(found: &Found, host: &Arc<str>, now: Timestamp) -> bool {
    match found {
        Found::Names(names) => names.is_err(),
        Found::Untold(_) => true,
        Found::Http(reply) => !node::serves(reply),
        Found::Tls(look) => Served::of("".into(), host.clone(), look, now).state == LinkState::Broken,
    }
}

/// One slow answer, or one while pods are replaced, says little of an application.
fn may_pass(spot: &Spot, found: &Found) -> bool {
    match (&spot.asked, found) {
        (Asked::Deep, Found::Tls(Look::Presented(_, answer))) => !matches!(answer, Ok(..500)),
        (_, Found::Http(reply)) => *reply == Reply::Silent,
        _ => false,
    }
}

/// What an ingress node says of a host. One that takes the request and is silent says nothing of itself.
fn said_by_node(
    answer: Result<request::Answer, request::Fault>,
    control: Option<&request::Answer>,
) -> Result<Outcome, place::Silence> {
    let reply = match answer {
        Ok(answer) => reply(&answer, control),
        Err(request::Fault::NotHttp) => Reply::NotHttp,
        Err(request::Fault::Silent) => Reply::Silent,
        Err(fault) => return Err(fault.into()),
    };
    Ok(Outcome::Found(Found::Http(reply)))
}

/// What an ingress node answers; and whether that is what it answers for a host that nobody has.
fn reply(answer: &request::Answer, control: Option<&request::Answer>) -> Reply {
    let default = answer.status == 404 && control.is_some_and(|control| control == answer);
    Reply::Answered(answer.status, default)
}

/// The address of a host and port.
async fn resolved(host: &str, port: u16, known: Option<SocketAddr>) -> Result<SocketAddr, place::Silence> {
    if let Some(known) = known {
        return Ok(known);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let unknown =
        |why: String| place::Silence::unreachable(&format!("the name {host} is not resolved: {why}"));
    match timeout(tls::WITHIN, lookup_host((host, port))).await {
        Ok(Ok(mut all)) => all.next().ok_or_else(|| unknown("it stands for no address".into())),
        Ok(Err(why)) => Err(unknown(why.to_string())),
        Err(_) => Err(unknown(format!("no answer within {} s", tls::WITHIN.as_secs()))),
    }
}

/// The addresses that a name leads to, by the resolver of this machine.
async fn names(host: &str) -> Found {
    match timeout(tls::WITHIN, lookup_host((host, 443))).await {
        Ok(Ok(all)) => {
            let all: BTreeSet<_> = all.map(|address| address.ip().to_string()).collect();
            Found::Names(Ok(all.into_iter().map(Into::into).collect()))
        }
        Ok(Err(why)) => unresolved(&why.to_string()),
        Err(_) => Found::Untold(format!("no answer within {} s", tls::WITHIN.as_secs()).into()),
    }
}

/// What the system says when a name is not there (EAI_NONAME, EAI_NODATA), by glibc, musl and macOS. All else is about the
/// resolver: it is silent, or fails.
const NO_SUCH_NAME: [&str; 6] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided",
    "No address associated with nodename",
];

/// What it means that a name is not resolved, by what the system says.
fn unresolved(why: &str) -> Found {
    if NO_SUCH_NAME.iter().any(|said| why.contains(said)) {
        Found::Names(Err(why.into()))
    } else {
        Found::Untold(why.into())
    }
}

#[cfg(test)]
mod tests;
