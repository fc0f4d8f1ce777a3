//! What is configured beside the cluster and has not been looked at yet: until it has, nobody knows that nothing is wrong.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{ComponentKey, ComponentKind};
use crate::cluster::{Freshness, Snapshot, words::count};

impl ComponentKind {
    /// So many of them, in words.
    fn counted(self, n: usize) -> String {
        match (self, n) {
            (Self::Floating, _) => "the floating address".into(),
            (Self::Registry, 1) => "the registry".into(),
            (Self::Registry, n) => format!("{n} registries"),
            (Self::Redis, n) => count(n, "Redis server"),
            (kind, n) => count(n, kind.word()),
        }
    }
}

impl Snapshot {
    /// What is configured beside the cluster and has neither answered yet nor said why not, and places at which not every
    /// host has been looked at; a few words each. Empty: all has been looked at, or nothing is configured.
    pub fn awaited(&self) -> Vec<String> {
        let around = &self.around;
        let names = |kind, names: Vec<_>| names.into_iter().map(move |name| ComponentKey::new(kind, name));
        let configured = [
            names(ComponentKind::Floating, around.floating.iter().cloned().collect()),
            names(ComponentKind::Edge, around.edges.iter().map(|one| one.name.clone()).collect()),
            names(ComponentKind::StorageNode, around.storage.iter().map(|one| one.name.clone()).collect()),
            names(ComponentKind::Replica, around.replicas.iter().map(|one| one.name.clone()).collect()),
            names(ComponentKind::Redis, around.redis.iter().map(|one| one.name.clone()).collect()),
        ];
        let all: BTreeSet<_> =
            configured.into_iter().flatten().chain(self.platform.items.keys().cloned()).collect();
        let mut silent: BTreeMap<ComponentKind, usize> = BTreeMap::new();
        let (mut places, mut hosts) = (0, 0);
        for key in all {
            let component = self.platform.items.get(&key);
            match component.map(|component| &component.link) {
                None | Some(Freshness::Connecting) => *silent.entry(key.kind).or_default() += 1,
                Some(Freshness::Live { .. }) => {
                    let facts = component.and_then(|component| component.now());
                    let left = facts
                        .as_ref()
                        .and_then(|facts| facts.round())
                        .map(|round| round.hosts - round.looked.min(round.hosts));
                    if let Some(left @ 1..) = left {
                        places += 1;
                        hosts = hosts.max(left);
                    }
                }
                Some(Freshness::Stale { .. } | Freshness::Missing { .. }) => {}
            }
        }
        let mut told: Vec<_> = silent.into_iter().map(|(kind, n)| kind.counted(n)).collect();
        let nodes = self.platform.items.keys().any(|key| key.kind == ComponentKind::IngressNode);
        if around.nodes && !nodes {
            told.push("the ingress nodes".into());
        }
        let waits = |link: &Freshness| *link == Freshness::Connecting;
        let members = self.galera.values().filter(|member| waits(&member.link)).count();
        let proxies = self.proxies.values().filter(|proxy| waits(&proxy.link)).count();
        told.extend((members > 0).then(|| count(members, "database member")));
        told.extend(
            (proxies > 0).then(|| if proxies == 1 { "1 proxy".into() } else { format!("{proxies} proxies") }),
        );
        told.extend((places > 0).then(|| format!("{} at {}", count(hosts, "host"), count(places, "place"))));
        told
    }

    /// What [`Self::awaited`] tells in a sentence, where nothing is known to be wrong; `None`: all has been looked at.
    pub fn nothing_wrong_so_far(&self) -> Option<String> {
        let told = self.awaited();
        let (last, before) = told.split_last()?;
        let list = match before {
            [] => last.clone(),
            before => format!("{} and {last}", before.join(", ")),
        };
        Some(format!("nothing is wrong so far; not looked at yet: {list}"))
    }
}
