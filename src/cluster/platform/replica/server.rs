//! The servers that are configured with what is known of them, and who follows whom.

use super::{Channel, ReplicaFacts, Wanted, source_of};
use crate::cluster::{
    LinkState, Snapshot,
    platform::{Component, ComponentKey, ComponentKind, Facts, Judged, of_kind},
};

/// A server as configured, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) key: &'a ComponentKey,
    pub(super) component: &'a Component,
    pub(super) wanted: &'a Wanted,
    /// What it said last.
    pub(super) said: Option<&'a ReplicaFacts>,
}

impl<'a> Server<'a> {
    pub(super) fn now(&self) -> Option<&'a ReplicaFacts> {
        self.said.filter(|_| self.component.link.is_live())
    }

    pub(super) fn channels(&self) -> &'a [Channel] {
        self.said.and_then(|said| said.channels.as_deref()).unwrap_or_default()
    }

    /// It is MariaDB and not MySQL; one that has never said is taken for it.
    pub(super) fn is_maria(&self) -> bool {
        self.said.and_then(|said| said.version.as_deref()).is_none_or(|v| v.contains("MariaDB"))
    }

    /// What a replica is called in its statements: MySQL from 8.4 on knows the new name alone, before 8.0.22 the old one alone,
    /// and MariaDB both.
    pub(super) fn replica(&self) -> &'static str {
        let version = self.said.and_then(|said| said.version.as_deref()).unwrap_or_default();
        let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        let version = std::array::from_fn(|_| numbers.next().unwrap_or(0));
        if self.is_maria() || version < [8, 0, 22] { "SLAVE" } else { "REPLICA" }
    }

    /// What systemd calls it.
    pub(super) fn unit(&self) -> &'static str {
        if self.is_maria() { "mariadb" } else { "mysql" }
    }

    pub(super) fn judged(&self, state: LinkState, text: impl Into<String>) -> Judged {
        Judged::new(self.key, state, text)
    }
}

/// The servers that are configured, with what is known of them.
pub(super) fn servers(seen: &Snapshot) -> Vec<Server<'_>> {
    let mut all = Vec::new();
    for (key, component) in of_kind(seen, ComponentKind::Replica) {
        let Some(wanted) = seen.around.replicas.iter().find(|wanted| wanted.name == key.name) else {
            continue;
        };
        let said = match component.status.as_deref() {
            Some(Facts::Replica(facts)) => Some(facts),
            _ => None,
        };
        all.push(Server { key, component, wanted, said });
    }
    all
}

/// Whom a server follows.
pub(super) fn source<'a>(channel: &Channel, servers: &'a [Server<'a>]) -> Option<&'a Server<'a>> {
    source_of(channel, servers, |server| {
        (&server.wanted.address, server.said.and_then(|said| said.server_id))
    })
}

/// How many servers follow this one.
pub(super) fn followers(server: &Server<'_>, servers: &[Server<'_>]) -> usize {
    let follows = |other: &&Server<'_>| {
        other.channels().iter().any(|channel| source(channel, servers).is_some_and(|s| s.key == server.key))
    };
    servers.iter().filter(|other| other.key != server.key).filter(follows).count()
}
