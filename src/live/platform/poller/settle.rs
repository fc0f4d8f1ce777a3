//! A host is asked for at several places, one after another. What changes everywhere between two looks is no difference
//! between places: what is found at one of them and is not what the others have said is told once these were asked since,
//! together with what they say.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{super::schedule::Job, Gone, Poller};
use crate::cluster::{
    Observation, Seen,
    platform::{Asked, ComponentKey, ComponentKind, Found, Spot},
};

/// What was found of hosts, and waits for what other places say of them.
#[derive(Default)]
pub(super) struct Unsettled(HashMap<Group, Waiting>);

/// A host, and places that are asked the same of it: what they say can be compared.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    host: Arc<str>,
    /// Ingress nodes; else the edges with the floating address.
    nodes: bool,
}

impl Group {
    /// The group in which a place is asked for a host, and the place.
    fn of(spot: &Spot) -> Option<(Self, &ComponentKey)> {
        match &spot.asked {
            Asked::At(key) => Some((Self { host: spot.host.clone(), nodes: is_node(key) }, key)),
            Asked::Resolver | Asked::Deep => None,
        }
    }

    fn spot(&self, at: &ComponentKey) -> Spot {
        Spot { host: self.host.clone(), asked: Asked::At(at.clone()) }
    }
}

fn is_node(key: &ComponentKey) -> bool {
    key.kind == ComponentKind::IngressNode
}

struct Waiting {
    /// When the first of it was found, in milliseconds since the begin.
    since: u64,
    /// Where something was found.
    found: BTreeSet<ComponentKey>,
    /// Who is asked before that is told.
    asks: BTreeSet<ComponentKey>,
}

impl Unsettled {
    /// Somebody was asked for a host, and has answered or not. Returns whether that began too early to count.
    pub(super) fn asked(&mut self, spot: &Spot, begun: u64) -> bool {
        let Some((group, at)) = Group::of(spot) else { return false };
        let Some(waiting) = self.0.get_mut(&group) else { return false };
        if begun >= waiting.since {
            waiting.asks.remove(at);
        }
        waiting.asks.contains(at)
    }
}

impl Poller {
    /// Whether this waits for what other places say of the host: those are asked now.
    pub(super) fn unsettles(&mut self, spot: &Spot, found: &Found) -> bool {
        let Some((group, here)) = Group::of(spot) else { return false };
        if let Some(waiting) = self.unsettled.0.get_mut(&group) {
            waiting.found.insert(here.clone());
            return true;
        }
        let differs = |at: &ComponentKey| {
            self.looks.get(&group.spot(at)).is_some_and(|(known, _)| known.found != *found)
        };
        let others =
            self.places.iter().filter(|(key, place)| is_node(key) == group.nodes && !place.is_silent());
        let asks: BTreeSet<_> = others.map(|(key, _)| key).filter(|at| differs(at)).cloned().collect();
        if asks.is_empty() {
            return false;
        }
        asks.iter().for_each(|at| self.schedule.hasten(&Job::Look(group.spot(at))));
        let waiting = Waiting { since: self.now(), found: [here.clone()].into(), asks };
        self.unsettled.0.insert(group, waiting);
        true
    }

    /// Tells what waits no more. Nobody waits for a place that does not answer.
    pub(super) async fn settle(&mut self) -> Result<(), Gone> {
        let (places, hosts) = (&self.places, &self.hosts);
        let answers = |at: &ComponentKey| places.get(at).is_some_and(|place| !place.is_silent());
        let settled = self.unsettled.0.extract_if(|group, waiting| {
            waiting.asks.retain(|at| hosts.contains(&group.host) && answers(at));
            waiting.asks.is_empty()
        });
        for (group, waiting) in settled.collect::<Vec<_>>() {
            // What was found at a place that is gone since has been told as gone.
            let looked = |spot| Some((self.looks.get(&spot)?.0.clone(), spot));
            let spots = waiting.found.iter().map(|at| group.spot(at));
            let looks: Vec<_> = spots.filter_map(looked).collect();
            // Together: nobody is to see some of it.
            let permits = self.into.reserve_many(looks.len()).await.map_err(|_| Gone)?;
            for (permit, (looked, spot)) in permits.zip(looks) {
                permit.send(Observation::Look(Seen::Put(spot, looked)));
            }
        }
        Ok(())
    }
}
