//! What was seen when somebody was asked for a host: the resolver, an edge, an ingress node.

use std::{cmp::Ordering, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Component, ComponentKey, ComponentKind};
use crate::cluster::{Freshness, Look, Snapshot, clocks::Dated};

/// Whom one asks for a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Asked {
    /// The resolver of this machine.
    Resolver,
    /// An edge, the floating address or an ingress node: a file.
    At(ComponentKey),
    /// The way that clients take, for a path that the application answers.
    Deep,
}

/// A host, and whom one asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spot {
    /// The host.
    pub host: Arc<str>,
    /// Who is asked.
    pub asked: Asked,
}

impl Ord for Spot {
    fn cmp(&self, other: &Self) -> Ordering {
        self.host.cmp(&other.host).then_with(|| self.asked.cmp(&other.asked))
    }
}

impl PartialOrd for Spot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What was found, and since when it is so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// When it was first found so.
    pub since: Timestamp,
    /// What.
    pub found: Found,
}

impl Dated for Looked {
    fn moved(self, by: SignedDuration) -> Self {
        Self { since: self.since.moved(by), ..self }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Found {
    /// The addresses that a name leads to, or how the resolver says that there is no such name.
    Names(Result<Vec<Arc<str>>, Arc<str>>),
    /// What came of a TLS handshake and a request.
    Tls(Look),
    /// What came of a request without TLS.
    Http(Reply),
    /// The resolver does not tell where a name leads: why. It is no word about the name.
    Untold(Arc<str>),
}

/// What came of a request without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It takes the request and does not answer.
    Silent,
    /// What it answers is no HTTP.
    NotHttp,
    /// It answers with this status; and whether it answers the same to a host that nobody has.
    Answered(u16, bool),
}

/// Hosts that have not been looked at yet at one place around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unlooked {
    /// The place.
    pub at: ComponentKey,
    /// The hosts.
    pub hosts: Vec<Arc<str>>,
}

impl Snapshot {
    /// What was found when somebody was asked for a host.
    pub(in crate::cluster) fn found(&self, host: &Arc<str>, asked: Asked) -> Option<&Looked> {
        self.looks.get(&Spot { host: host.clone(), asked }).map(|looked| &**looked)
    }
}

impl Snapshot {
    /// All that holds data has answered or said why not, volumes of storage nodes that answer counted in.
    pub fn has_heard_stores(&self) -> bool {
        let around = &self.around;
        let heard = |kind: ComponentKind, name: &Arc<str>| {
            let component = self.platform.items.get(&ComponentKey::new(kind, name.clone()));
            component.is_some_and(|component| component.link != Freshness::Connecting)
        };
        let sentinels = || around.redis.iter().flat_map(|one| &one.sentinels);
        // The volumes that a storage node tells, as far as they are looked at.
        let told = self.platform.values().filter_map(|component| match component.now()?.as_ref() {
            super::Facts::Storage(facts) => Some(facts.volumes.iter().map(|volume| &volume.name)),
            _ => None,
        });
        let wanted = |name: &&Arc<str>| {
            super::volume::is_volume_name(name)
                && (around.volumes.is_empty() || around.volumes.contains(*name))
        };
        let mut volumes = told.flatten().filter(wanted);
        around.redis.iter().all(|one| heard(ComponentKind::Redis, &one.name))
            && sentinels().all(|name| heard(ComponentKind::Sentinel, name))
            && around.replicas.iter().all(|one| heard(ComponentKind::Replica, &one.name))
            && around.storage.iter().all(|node| heard(ComponentKind::StorageNode, &node.name))
            && volumes.all(|name| heard(ComponentKind::Volume, name))
    }

    /// Every place around has answered or said why not, and where it answers these hosts have been looked at.
    pub fn has_looked_at(&self, hosts: &[Arc<str>]) -> bool {
        let mut places = self.places().peekable();
        places.peek().is_some()
            && places.all(|(_, place)| place.link != Freshness::Connecting)
            && self.unlooked(hosts).is_empty()
    }

    /// Which of these hosts have not been looked at yet, place by place: where one does not answer, none is waited for.
    pub fn unlooked(&self, hosts: &[Arc<str>]) -> Vec<Unlooked> {
        let missing = |(key, place): (&ComponentKey, &Arc<Component>)| {
            let lacks = |host: &&Arc<str>| match &place.link {
                Freshness::Connecting => true,
                Freshness::Live { .. } => self.found(host, Asked::At(key.clone())).is_none(),
                Freshness::Stale { .. } | Freshness::Missing { .. } => false,
            };
            let hosts: Vec<_> = hosts.iter().filter(lacks).cloned().collect();
            (!hosts.is_empty()).then(|| Unlooked { at: key.clone(), hosts })
        };
        self.places().filter_map(missing).collect()
    }

    /// Where hosts are looked at.
    fn places(&self) -> impl Iterator<Item = (&ComponentKey, &Arc<Component>)> {
        let looks =
            |kind| matches!(kind, ComponentKind::Floating | ComponentKind::Edge | ComponentKind::IngressNode);
        self.platform.items.iter().filter(move |(key, _)| looks(key.kind))
    }
}

impl Found {
    /// The handshake.
    pub fn tls(&self) -> Option<&Look> {
        match self {
            Self::Tls(look) => Some(look),
            Self::Names(_) | Self::Untold(_) | Self::Http(_) => None,
        }
    }

    /// The request without TLS.
    pub fn http(&self) -> Option<&Reply> {
        match self {
            Self::Http(reply) => Some(reply),
            Self::Names(_) | Self::Untold(_) | Self::Tls(_) => None,
        }
    }
}

/// The looks of one host at the components of a kind.
pub(super) struct AtHost<'a> {
    pub(super) host: &'a Arc<str>,
    pub(super) at: Vec<(&'a ComponentKey, &'a Found)>,
}

/// The looks at the components of these kinds, host after host.
pub(super) fn by_host<'a>(seen: &'a Snapshot, kinds: &[ComponentKind]) -> Vec<AtHost<'a>> {
    let mut all: Vec<AtHost<'a>> = Vec::new();
    for (spot, looked) in &seen.looks.items {
        let Asked::At(key) = &spot.asked else { continue };
        if !kinds.contains(&key.kind) {
            continue;
        }
        match all.last_mut().filter(|last| *last.host == spot.host) {
            Some(last) => last.at.push((key, &looked.found)),
            None => all.push(AtHost { host: &spot.host, at: vec![(key, &looked.found)] }),
        }
    }
    all
}
