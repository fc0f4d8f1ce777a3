//! What has changed of the platform around: the components, each by what was read of it.

use std::sync::Arc;

use super::{Between, Turned, answers, differing};
use crate::{
    cluster::platform::{
        Component, ComponentKey, ComponentKind, Facts, RegistryFacts, Stub,
        redis::{RedisFacts, RedisRole, SentinelFacts},
        registry,
        replica::{Channel, ReplicaFacts},
        runs_on,
        volume::StorageFacts,
    },
    history::{Kind, Turn},
};

impl Between<'_> {
    pub(super) fn components(&mut self) {
        if self.others_look() {
            return;
        }
        for (key, was, is) in differing(&self.before.platform.items, &self.after.platform.items) {
            let (Some(was), Some(is)) = (was, is) else { continue };
            let mut told = answers(&was.link, &is.link, is.silent_since);
            if self.is_last_edge(&key) {
                for (_, turn, text) in told.iter_mut().filter(|(_, turn, _)| *turn == Turn::Worse) {
                    *turn = Turn::Outage;
                    text.push_str("; no other edge answers");
                }
            }
            if is.link.is_live() {
                told.extend(facts(&was, &is));
            }
            let node = self.after.nodes.items.keys().find(|node| runs_on(self.after, &key, node)).cloned();
            for (at, turn, text) in told {
                let at = self.dated(at);
                self.add(at, Kind::Platform, turn, &key.to_string(), text).node = node.clone();
            }
        }
    }

    /// Somebody else looks than before: what differs may be so only from where they are.
    pub(super) fn others_look(&self) -> bool {
        self.before.looker != self.after.looker
    }

    /// An edge, and none answers.
    fn is_last_edge(&self, key: &ComponentKey) -> bool {
        let mut edges = self.after.platform.items.iter().filter(|(key, _)| key.kind == ComponentKind::Edge);
        key.kind == ComponentKind::Edge && edges.all(|(_, edge)| !edge.link.is_live())
    }
}

fn facts(was: &Component, is: &Component) -> Vec<Turned> {
    let (Some(was), Some(is)) = (&was.status, &is.status) else { return Vec::new() };
    if Arc::ptr_eq(was, is) {
        return Vec::new();
    }
    match (&**was, &**is) {
        (Facts::Edge(was), Facts::Edge(is)) => restarted(was.stub.as_ref(), is.stub.as_ref()),
        (Facts::Redis(was), Facts::Redis(is)) => redis(was, is),
        (Facts::Sentinel(was), Facts::Sentinel(is)) => sentinel(was, is),
        (Facts::Replica(was), Facts::Replica(is)) => replica(was, is),
        (Facts::Storage(was), Facts::Storage(is)) => storage(was, is),
        (Facts::Registry(was), Facts::Registry(is)) => registry(was, is),
        _ => Vec::new(),
    }
}

fn restarted(was: Option<&Result<Stub, Arc<str>>>, is: Option<&Result<Stub, Arc<str>>>) -> Vec<Turned> {
    let at = |stub: Option<&Result<Stub, Arc<str>>>| stub?.as_ref().ok()?.restarted;
    let new = at(is).filter(|_| at(was) != at(is));
    new.map(|at| (Some(at), Turn::Change, "was restarted".to_owned())).into_iter().collect()
}

fn redis(was: &RedisFacts, is: &RedisFacts) -> Vec<Turned> {
    let mut told = Vec::new();
    let run = |facts: &RedisFacts| facts.info.as_ref().and_then(|info| info.run_id.clone());
    if let (Some(was), Some(is)) = (run(was), run(is))
        && was != is
    {
        told.push((None, Turn::Change, "was restarted".to_owned()));
    }
    const CONNECTED: &str = "connected";
    let change = match (&was.role, &is.role) {
        (Some(RedisRole::Replica { .. } | RedisRole::Other(_)), Some(RedisRole::Master { .. })) => {
            Some((Turn::Change, "is the master now".to_owned()))
        }
        (Some(RedisRole::Master { .. }), Some(RedisRole::Replica { of, .. })) => {
            Some((Turn::Change, format!("is no longer the master: it follows {of}")))
        }
        (Some(RedisRole::Replica { of: was, .. }), Some(RedisRole::Replica { of, .. })) if was != of => {
            Some((Turn::Change, format!("follows {of}")))
        }
        (Some(RedisRole::Replica { link: was, .. }), Some(RedisRole::Replica { of, link, .. })) => {
            match (&**was == CONNECTED, &**link == CONNECTED) {
                (true, false) => Some((Turn::Worse, format!("has lost its master {of} ({link})"))),
                (false, true) => Some((Turn::Better, format!("follows its master {of} again"))),
                _ => None,
            }
        }
        _ => None,
    };
    told.extend(change.map(|(turn, text)| (None, turn, text)));
    told
}

fn sentinel(was: &SentinelFacts, is: &SentinelFacts) -> Vec<Turned> {
    let mut told = Vec::new();
    for now in &is.masters {
        let Some(was) = was.masters.iter().find(|was| was.name == now.name) else { continue };
        if was.address != now.address {
            told.push((None, Turn::Change, format!("names {} the master of {}", now.address, now.name)));
        } else if was.down != now.down {
            let (turn, state) = if now.down { (Turn::Worse, "down") } else { (Turn::Better, "up again") };
            told.push((None, turn, format!("takes the master of {} for {state}", now.name)));
        }
    }
    told
}

fn replica(was: &ReplicaFacts, is: &ReplicaFacts) -> Vec<Turned> {
    let mut told = Vec::new();
    match (was.read_only, is.read_only) {
        (Some(true), Some(false)) => told.push((None, Turn::Change, "takes writes now".to_owned())),
        (Some(false), Some(true)) => told.push((None, Turn::Change, "takes no more writes".to_owned())),
        _ => {}
    }
    let (Some(was), Some(is)) = (&was.channels, &is.channels) else { return told };
    let of = |all: &[Channel], name: &str| all.iter().find(|channel| *channel.name == *name).cloned();
    for gone in was.iter().filter(|channel| of(is, &channel.name).is_none()) {
        told.push((None, Turn::Change, format!("replicates from {} no more", gone.source)));
    }
    for now in is {
        let Some(was) = of(was, &now.name).filter(|was| was.source == now.source) else {
            told.push((None, Turn::Change, format!("replicates from {}", now.source)));
            continue;
        };
        let runs = |channel: &Channel| channel.fetches() && channel.applies();
        match (runs(&was), runs(now)) {
            (true, false) => {
                let what = if now.applies() { "fetches" } else { "applies" };
                let error = now.sql_error.as_ref().or(now.io_error.as_ref());
                let why = error.map_or(String::new(), |(code, text)| format!(": error {code}, {text}"));
                told.push((None, Turn::Worse, format!("{what} nothing of {} any more{why}", now.source)));
            }
            (false, true) => told.push((None, Turn::Better, format!("replicates from {} again", now.source))),
            _ => {}
        }
    }
    told
}

/// The bricks of a storage node, by itself.
fn storage(was: &StorageFacts, is: &StorageFacts) -> Vec<Turned> {
    let mut told = Vec::new();
    for now in &is.volumes {
        let Some(was) = was.volumes.iter().find(|was| was.name == now.name) else { continue };
        if was.status != now.status {
            told.push((None, Turn::Change, format!("has volume {} {}", now.name, now.status.to_lowercase())));
        }
        for brick in &now.bricks {
            let was = was.bricks.iter().find(|was| was.name == brick.name).and_then(|was| was.own.as_ref());
            let (Some(was), Some(own)) = (was, &brick.own) else { continue };
            let (turn, state) = match (was.started, own.started) {
                (true, false) => (Turn::Worse, "is down"),
                (false, true) => (Turn::Better, "is up again"),
                _ => continue,
            };
            told.push((None, turn, format!("brick {} of volume {} {state}", brick.name, now.name)));
        }
    }
    told
}

fn registry(was: &RegistryFacts, is: &RegistryFacts) -> Vec<Turned> {
    use registry::{Base, HasImage as Image};
    let mut told = Vec::new();
    let bars = |base: &Base| match base {
        Base::Refuses(whose) => Some(format!("refuses {whose}")),
        Base::NoLogin(why) => Some(format!("gives nodes no image: {why}")),
        Base::Open | Base::WantsLogin | Base::Fails(_) | Base::Unasked(_) => None,
    };
    match (bars(&was.base), bars(&is.base)) {
        (None, Some(why)) => told.push((is.since, Turn::Worse, why)),
        (Some(_), None) => told.push((is.since, Turn::Better, "takes the login again".to_owned())),
        _ => {}
    }
    let lacks = |image: &Image| match image {
        Image::Missing => Some("has {} no more"),
        Image::Damaged(..) => Some("has not all of {} any more"),
        Image::Has(_) | Image::Moved(..) | Image::Barred(_) | Image::Unknown(_) => None,
    };
    for now in &is.images {
        let Some(was) = was.images.iter().find(|was| was.image == now.image) else { continue };
        let (turn, text) = match (&was.told, &now.told) {
            (was, is) if lacks(was).is_none() && lacks(is).is_some() => {
                (Turn::Worse, lacks(is).unwrap_or_default())
            }
            (was, Image::Has(_) | Image::Moved(..)) if lacks(was).is_some() => (Turn::Better, "has {} again"),
            (Image::Has(_), Image::Moved(..)) => (Turn::Change, "leads from {} to another image now"),
            _ => continue,
        };
        told.push((Some(now.since), turn, text.replace("{}", &now.image)));
    }
    told
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::changes;
    use crate::cluster::{
        Observation, Seen, Snapshot, Trouble,
        platform::{
            Asked, Component, ComponentKey, ComponentKind, Facts, Found, Looked, Looker, Spot,
            redis::RedisFacts,
        },
    };

    /// What somebody sees of one Redis and one name.
    fn seen(looker: Looker, broken: bool) -> Snapshot {
        let now = Timestamp::UNIX_EPOCH;
        let mut seen = Snapshot::default();
        let one = Component::new(ComponentKey::new(ComponentKind::Redis, "redis-1"));
        let facts = Facts::Redis(RedisFacts::default());
        let one = one.read(facts, None, now);
        let one = if broken { one.failed(Trouble::Unreachable, "no route to host", now) } else { one };
        let names = if broken { Err("Name or service not known".into()) } else { Ok(Vec::new()) };
        let spot = Spot { host: "a.example".into(), asked: Asked::Resolver };
        seen.observe(Observation::Looker(looker));
        seen.observe(Observation::Platform(Seen::Put(one.name.clone(), one)));
        seen.observe(Observation::Look(Seen::Put(spot, Looked { since: now, found: Found::Names(names) })));
        seen
    }

    #[test]
    fn what_differs_because_somebody_else_looks_has_not_happened() {
        let bob = || Looker::Other { who: "bob".into() };
        for (before, after) in [(true, false), (false, true)] {
            assert_eq!(changes(&seen(bob(), before), &seen(bob(), after)).len(), 2);
            assert_eq!(changes(&seen(bob(), before), &seen(Looker::ForAll, after)), []);
            assert_eq!(changes(&seen(Looker::ForAll, before), &seen(bob(), after)), []);
        }
    }
}
