//! Backends that come: a member brought back, a server added.

use std::sync::Arc;

use super::super::{Draft, routing::BackendRole};
use crate::{
    cluster::{
        MemberName, ServerRow,
        database::{Row, State},
    },
    plan::Verdict::{Ok, Refuse, Warn},
};

impl Draft<'_> {
    pub(super) fn bring(&mut self, row: &Row, like: Option<&MemberName>) {
        let label = row.label.clone();
        match row.state {
            State::Synced => {}
            _ => self.check(
                "state",
                Refuse,
                format!(
                    "{label} is {}, not synced: it would be given clients and fail them",
                    row.state.word()
                ),
            ),
        }
        if row.now().is_some_and(|s| s.read_only) {
            self.check("state", Warn, format!("{label} is read-only: it will only read"));
        }
        let address = self.routing.address_of(row);
        self.enter(&address, like);
    }

    pub(super) fn add(&mut self, address: &Arc<str>, like: Option<&MemberName>) {
        let port = address
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        if port.is_none() {
            self.check(
                "member",
                Refuse,
                format!("{address} is no address: write host:port, such as db4:3306"),
            );
            return;
        }
        match self.routing.member(address).cloned() {
            Some(row) if !matches!(row.state, State::Synced) => {
                let text = format!(
                    "{} is {}: it enters the offline hostgroup, from where the monitor takes it once it is synced",
                    row.label,
                    row.state.word()
                );
                self.check("state", Warn, text);
            }
            Some(_) => {}
            None => {
                let text = format!(
                    "{address} is no member that is followed: it enters the offline hostgroup, from where the monitor takes it once it finds it synced; add it to [galera] members"
                );
                self.check("member", Warn, text);
            }
        }
        self.enter(address, like);
    }

    /// Puts a backend into every proxy that lacks it.
    pub(super) fn enter(&mut self, address: &Arc<str>, like: Option<&MemberName>) {
        let model = match like {
            Some(name) => match self.known(name) {
                Some(row) => Some(row.name),
                None => return,
            },
            None => None,
        };
        // One that stands there under another address would stand there twice.
        let strangers = self.routing.db.unknown_backends.iter().filter(|a| *a != address);
        let strangers: Vec<_> = strangers.map(|a| a.to_string()).collect();
        if !strangers.is_empty() {
            let text = format!(
                "the proxies have {}, which is no configured member: if that is another address of {}, name it under [galera] aliases instead, or it stands there twice",
                strangers.join(", "),
                self.subject
            );
            self.check("member", Warn, text);
        }
        let mut of = Vec::new();
        for proxied in &self.routing.proxied {
            if proxied.backend(address).is_some() {
                continue;
            }
            // Without a model: like the lightest that serves, so that it does not become the writer by coming back.
            let mut serving: Vec<_> = proxied.backends.iter().filter(|s| s.role.serves()).collect();
            serving.sort_by_key(|s| (s.role != BackendRole::Standby, s.weight));
            let backend = match &model {
                Some(name) => proxied.backends.iter().find(|s| s.member.as_ref() == Some(name)),
                None => serving.first().copied(),
            };
            let rows = backend.map(|s| proxied.status.servers_of(&s.address)).unwrap_or_default();
            match rows.is_empty() {
                false => {
                    let comment: Arc<str> = match self.routing.member(address) {
                        Some(row) => row.label.clone(),
                        None => "".into(),
                    };
                    let like = |row| ServerRow { address: address.clone(), comment: comment.clone(), ..row };
                    of.push((proxied.name.clone(), rows.into_iter().map(like).collect()));
                }
                true => {
                    let who = like.map_or("a server that serves".into(), |l| l.to_string());
                    let text = format!("{} has no {who} whose rows could be taken as a model", proxied.name);
                    self.checks.push(crate::plan::Check::new("member", Refuse, text));
                }
            }
        }
        if of.is_empty()
            && !self.routing.proxied.is_empty()
            && self.checks.iter().all(|c| c.verdict != Refuse)
        {
            self.check(
                "nothing",
                Ok,
                format!("{} is in every proxy already: there is nothing to do", self.subject),
            );
            return;
        }
        self.towards(address, of);
        self.guard_servers();
        self.undo = format!("{} out of the proxies", self.subject);
    }
}
