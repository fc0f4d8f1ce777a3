//! The poller: one task holds the schedule and what is known; a few looks are under way at once, each with a deadline of its
//! own, so that a place that hangs slows no other. What a place that does not answer was last seen to serve stays known; one
//! host is asked of it once in a while.

mod gather;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use super::{
    Configured,
    ask::{NOBODY, Outcome, names, resolved, said_by_node},
    endpoint::{Components, known_of},
    place::{self, Target, Watched},
    schedule::{Budget, Job, Schedule},
};
use crate::{
    cluster::{
        Address, LinkState, Look, Observation, Seen, Served, Snapshot,
        platform::{
            Asked, ComponentKey, ComponentKind, Found, Known, Looked, Reply, Spot, edge::Round, node,
        },
    },
    live::edge::{Certificates, convert},
    wire::{
        request,
        tls::{self, Roots},
    },
};
use gather::Basis;
use settle::Unsettled;

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

/// What a job came to.
struct Done {
    job: Job,
    /// When it was begun.
    begun: u64,
    /// The address that was asked, where there is one.
    address: Option<SocketAddr>,
    found: Result<Outcome, place::Silence>,
}

/// Nobody listens any more.
struct Gone;

pub(super) struct Poller {
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
    places: BTreeMap<ComponentKey, Watched>,
    /// What was found of each host, and when it was last looked at.
    looks: HashMap<Spot, (Looked, Timestamp)>,
    hosts: BTreeSet<Arc<str>>,
    /// What was known of components before it began.
    known: Components,
    /// What was found wrong once, where one slow answer is no news.
    doubted: HashSet<Spot>,
    /// What is not told yet: the other places are asked first.
    unsettled: Unsettled,
}

impl Poller {
    pub(super) fn new(
        configured: Configured,
        known: &Known,
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
            hosts: known.looks.keys().map(|spot| spot.host.clone()).collect(),
            looks: known.looks.iter().map(|(spot, one)| (spot.clone(), (one.clone(), one.since))).collect(),
            known: known.components.clone(),
            doubted: HashSet::new(),
            unsettled: Unsettled::default(),
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
        let component = known_of(&self.known, key.clone());
        self.places.entry(key).or_insert_with(|| Watched::new(component, target));
    }

    async fn tell(&self, observation: Observation) -> Result<(), Gone> {
        self.into.send(observation).await.map_err(|_| Gone)
    }

    pub(super) async fn run(mut self) {
        let configured = self.places.values().map(|place| {
            let component = place.component.clone();
            Observation::Platform(Seen::Put(component.name.clone(), component))
        });
        let looks = self.looks.iter().map(|(spot, (looked, _))| (spot.clone(), looked.clone()));
        let looks = Observation::Look(Seen::All(looks.collect(), Timestamp::now()));
        for observation in configured.chain([looks]).collect::<Vec<_>>() {
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
            if self.settle().await.is_err() {
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
        let begun = self.now();
        if let Job::Look(Spot { host, asked: Asked::Resolver }) = &job {
            let host = host.clone();
            running.spawn(async move {
                Done { found: Ok(Outcome::Found(names(&host).await)), address: None, job, begun }
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
                        Err(silence) => return Done { job, begun, address: None, found: Err(silence) },
                    };
                    let found = request::get(address, &host, &stub).await;
                    Done { job, begun, address: None, found: found.map(Outcome::Answer).map_err(Into::into) }
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
                Err(silence) => return Done { job, begun, address: None, found: Err(silence) },
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
            Done { job, begun, address: Some(address), found }
        });
    }

    /// Takes in what a job came to.
    async fn fold(&mut self, Done { job, begun, address, found }: Done) -> Result<(), Gone> {
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
        if let Job::Look(spot) = &job
            && self.unsettled.asked(spot, begun)
        {
            self.schedule.hasten(&job);
        }
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
        if self.unsettles(&spot, &looked.found) {
            return Ok(());
        }
        self.tell(Observation::Look(Seen::Put(spot, looked))).await
    }

    /// Tells what is new of the places.
    async fn report(&mut self) -> Result<(), Gone> {
        let due = |place: &&Watched| place.is_news(TOLD_EVERY);
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

#[cfg(test)]
mod tests;
