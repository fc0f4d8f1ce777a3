//! What the servers of Redis and their sentinels mean together: which is the master, what keeps it from taking writes,
//! and what a failover would do.
//!
//! The truth about the master is what most sentinels name. Without sentinels it is the one server that says so; of two
//! neither is believed.

mod itself;
mod sentinel;

use std::{collections::BTreeMap, sync::Arc};

use super::{RedisFacts, RedisInfo, RedisRole, SentinelFacts, Wanted, Watched};
use crate::cluster::{
    LinkState, Pool, Snapshot, Trouble,
    platform::{Component, ComponentKey, ComponentKind, Facts, Judged, few, of_kind},
    words::{count, span},
};
use itself::{denied, numbers, refuses, written_to};

/// Redis makes a snapshot an hour after a change by its own settings: later, none is configured. Seconds.
const UNSAVED: i64 = 3_700;

/// A server as configured, and what is known of it.
#[derive(Clone, Copy)]
struct Server<'a> {
    key: &'a ComponentKey,
    component: &'a Component,
    wanted: &'a Wanted,
    /// What it said last.
    said: Option<&'a RedisFacts>,
}

/// A sentinel, and which of the masters it watches is meant.
#[derive(Clone, Copy)]
struct View<'a> {
    key: &'a ComponentKey,
    component: &'a Component,
    said: Option<&'a SentinelFacts>,
    watched: Option<&'a Watched>,
}

/// The servers that belong together, and what the sentinels say of them.
struct Set<'a> {
    servers: Vec<Server<'a>>,
    views: Vec<View<'a>>,
}

/// What the servers and the sentinels are found to be, at least one line each.
pub(in crate::cluster::platform) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let mut sets: BTreeMap<Option<&Arc<str>>, Vec<Server<'_>>> = BTreeMap::new();
    for (key, component) in of_kind(seen, ComponentKind::Redis) {
        let Some(wanted) = seen.around.redis.iter().find(|wanted| wanted.name == key.name) else { continue };
        let said = match component.status.as_deref() {
            Some(Facts::Redis(facts)) => Some(facts),
            _ => None,
        };
        let server = Server { key, component, wanted, said };
        sets.entry(wanted.set.as_ref()).or_default().push(server);
    }
    let sentinels = of_kind(seen, ComponentKind::Sentinel);
    let mut all: Vec<Judged> = Vec::new();
    for (name, servers) in sets {
        let set = Set::of(name, servers, &sentinels);
        for server in &set.servers {
            let mut said = set.server(server);
            said.extend(set.pointed_to(seen, server));
            all.extend(said);
        }
        for view in &set.views {
            let told = |rule| {
                all.iter()
                    .any(|judged| judged.rule == Some(rule) && judged.key.kind == ComponentKind::Sentinel)
            };
            let judged = set.sentinel(view, told("platform-redis-quorum"));
            // One that watches several sets is told once, at its worst.
            match all.iter_mut().find(|known| known.key == *view.key) {
                Some(known) if known.state >= judged.state => {}
                Some(known) => *known = judged,
                None => all.push(judged),
            }
        }
    }
    all
}

impl<'a> Server<'a> {
    /// What it says now.
    fn now(&self) -> Option<&'a RedisFacts> {
        self.said.filter(|_| self.component.link.is_live())
    }

    fn is_master(&self) -> bool {
        self.now().is_some_and(RedisFacts::is_master)
    }

    fn has_run_id(&self, id: &str) -> bool {
        self.said.is_some_and(|said| said.has_run_id(id))
    }

    fn judged(&self, state: LinkState, text: impl Into<String>) -> Judged {
        Judged::new(self.key, state, text)
    }
}

impl<'a> Set<'a> {
    fn of(
        name: Option<&Arc<str>>,
        servers: Vec<Server<'a>>,
        sentinels: &[(&'a ComponentKey, &'a Arc<Component>)],
    ) -> Self {
        let known = |watched: &Watched| {
            let of = |address: &Arc<str>| servers.iter().any(|s| s.wanted.address == *address);
            of(&watched.address)
                || watched.replicas.iter().any(|(replica, _)| of(replica))
                || servers.iter().any(|s| s.has_run_id(&watched.run_id))
        };
        let view = |&(key, component): &(&'a ComponentKey, &'a Arc<Component>)| -> Option<View<'a>> {
            servers.iter().any(|s| s.wanted.sentinels.contains(&key.name)).then_some(())?;
            let said = match component.status.as_deref() {
                Some(Facts::Sentinel(facts)) => Some(facts),
                _ => None,
            };
            let masters = said.map_or(&[][..], |said| said.masters.as_slice());
            let watched = match (name, masters) {
                (Some(name), masters) => masters.iter().find(|m| m.name == *name),
                (None, [only]) => Some(only),
                (None, masters) => masters.iter().find(|m| known(m)),
            };
            Some(View { key, component: component.as_ref(), said, watched })
        };
        let views = sentinels.iter().filter_map(view).collect();
        Self { servers, views }
    }

    /// The sentinels that answer, and what they name.
    fn voting(&self) -> impl Iterator<Item = &'a Watched> {
        self.views.iter().filter(|view| view.component.link.is_live()).filter_map(|view| view.watched)
    }

    /// What most sentinels name, and how many of them; `None`: nobody says, or as many name another.
    fn chosen(&self) -> Option<(&'a Watched, usize)> {
        let mut votes: Vec<(&Watched, usize)> = Vec::new();
        for watched in self.voting() {
            match votes.iter_mut().find(|(known, _)| known.address == watched.address) {
                Some((_, n)) => *n += 1,
                None => votes.push((watched, 1)),
            }
        }
        votes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        match votes.as_slice() {
            [only] => Some(*only),
            [first, second, ..] if first.1 > second.1 => Some(*first),
            _ => None,
        }
    }

    fn is_chosen(&self, server: &Server<'_>, chosen: &Watched) -> bool {
        // The identity is sure; addresses may be those of another network.
        match self.servers.iter().any(|s| s.has_run_id(&chosen.run_id)) {
            true => server.has_run_id(&chosen.run_id),
            false => server.wanted.address == chosen.address,
        }
    }

    /// The sentinels' choice among the servers that are configured.
    fn master(&self) -> Option<&Server<'a>> {
        let (chosen, _) = self.chosen()?;
        self.servers.iter().find(|server| self.is_chosen(server, chosen))
    }

    fn server(&self, server: &Server<'a>) -> Vec<Judged> {
        let Some(said) = server.now() else { return vec![self.silent(server)] };
        let mut all = Vec::new();
        all.extend(denied(server, said));
        let info = said.info.as_ref();
        if info.is_some_and(|info| info.loading) {
            let text = "reads its data from disk and answers nobody yet";
            all.push(server.judged(LinkState::Warning, text).rule("platform-redis-down"));
        }
        match &said.role {
            Some(RedisRole::Master { replicas, .. }) => match self.second_master(server, replicas.len()) {
                Some(stray) => all.push(stray),
                None => {
                    all.extend(self.named_elsewhere(server));
                    all.extend(info.and_then(|info| refuses(server, said, info)));
                    all.extend(info.and_then(|info| self.empty_after_restart(server, info, replicas.len())));
                }
            },
            Some(RedisRole::Replica { of, link, .. }) => {
                all.extend(self.follows(server, info, of, link));
                all.extend(written_to(server, said));
                if info.is_some_and(|info| info.writable_replica) {
                    let text = "is a replica and takes writes (replica-read-only no): the next copy from the master drops them";
                    let answer = "`CONFIG SET replica-read-only yes` on it";
                    all.push(
                        server.judged(LinkState::Warning, text).rule("platform-redis-writes").remedy(answer),
                    );
                }
            }
            Some(RedisRole::Other(other)) => {
                let text = format!("is no Redis server but a {other}");
                let answer = "name its address under `sentinel` of the servers it watches";
                all.push(server.judged(LinkState::Warning, text).rule("platform-redis-down").remedy(answer));
            }
            None => {}
        }
        if let Some((n, since)) = said.evicted.lately() {
            let policy = info.and_then(|info| info.policy.as_deref()).unwrap_or("its policy");
            let text = format!(
                "has evicted {} lately ({policy}): its memory is full, and users are logged out without any error",
                count(n, "key")
            );
            let answer = "give it more memory (maxmemory), or let sessions expire sooner";
            let judged = server.judged(LinkState::Warning, text).rule("platform-redis-evictions");
            all.push(judged.remedy(answer).since(Some(since)));
        }
        if self.is_headless() && self.servers.first().is_some_and(|first| first.key == server.key) {
            all.push(self.headless(server));
        }
        if all.is_empty() && said.role.is_none() && info.is_none() {
            let text = "answers, and tells neither its role nor its state";
            all.push(server.judged(LinkState::Unknown, text));
        }
        if all.is_empty() {
            let text = match &said.role {
                Some(RedisRole::Master { replicas, .. }) => match replicas.len() {
                    0 => "is the master, without replicas".to_owned(),
                    n => format!("is the master of {}", count(n, "replica")),
                },
                Some(RedisRole::Replica { of, .. }) => format!("follows {of}"),
                _ => "answers".to_owned(),
            };
            all.push(server.judged(LinkState::Ok, text));
        }
        if let Some(first) = all.first_mut() {
            first.numbers = numbers(said);
        }
        all
    }

    /// ConfigMaps of tenants that name a server which is not the master: what is written there is refused, or lost.
    fn pointed_to(&self, seen: &Snapshot, server: &Server<'a>) -> Option<Judged> {
        seen.around.session_key.as_ref()?;
        let master = match self.master() {
            Some(master) => master,
            None => {
                let mut masters = self.servers.iter().filter(|server| server.is_master());
                masters.next().filter(|_| masters.next().is_none())?
            }
        };
        if master.key == server.key {
            return None;
        }
        let here = |pool: &&Arc<Pool>| pool.sessions.contains(&server.wanted.address);
        let named: Vec<_> = seen.pools.values().filter(here).map(|pool| pool.key.to_string()).collect();
        if named.is_empty() {
            return None;
        }
        let names: Vec<&str> = named.iter().map(String::as_str).collect();
        let what = if named.len() == 1 { "ConfigMap" } else { "ConfigMaps" };
        let verb = if named.len() == 1 { "names" } else { "name" };
        let text = format!(
            "is not the master ({} is), and {what} {} {verb} it as the place of sessions: users cannot log in there",
            master.key.name,
            few(&names)
        );
        let answer = "let a Service follow the master and name that, or name the master: the session handler of PHP knows no sentinel";
        Some(server.judged(LinkState::Broken, text).rule("platform-redis-clients").remedy(answer))
    }

    fn silent(&self, server: &Server<'a>) -> Judged {
        let component = server.component;
        let Some(why) = component.link.trouble() else {
            return server.judged(LinkState::Unknown, "has not been asked yet");
        };
        let since = component.silent_since;
        if component.trouble == Some(Trouble::Denied) {
            let others = self.servers.iter().filter(|other| other.now().is_some()).count();
            let also = match others {
                0 => String::new(),
                1 => "; 1 other server accepts it: ACLs are not replicated".to_owned(),
                n => format!("; {n} other servers accept it: ACLs are not replicated"),
            };
            let text = format!("refuses the login: {why}{also}");
            let answer = "on it: `ACL SETUSER USER on >PASSWORD -@all +ping +info +role`, then `ACL SAVE`";
            let judged = server.judged(LinkState::Warning, text).rule("platform-redis-login");
            return judged.remedy(answer).since(since);
        }
        let judged = |state, text: String, answer: &str| {
            server.judged(state, text).rule("platform-redis-down").remedy(answer).since(since)
        };
        let chosen = self.chosen().filter(|_| self.master().is_some());
        let is_master = match chosen {
            Some((chosen, _)) => self.is_chosen(server, chosen),
            None => {
                server.said.is_some_and(RedisFacts::is_master) && !self.servers.iter().any(Server::is_master)
            }
        };
        if !is_master {
            let answer = "look at its server: `systemctl status redis-server`";
            return judged(LinkState::Warning, format!("does not answer: {why}"), answer);
        }
        let then = match chosen {
            Some(_) if self.voting().any(|watched| watched.no_quorum.is_some()) => {
                "it is the master, nobody takes writes, and no failover will happen: the sentinels have no quorum".to_owned()
            }
            Some((_, 1)) => "1 sentinel names it the master: nobody takes writes until another is chosen".to_owned(),
            Some((_, n)) => {
                format!("{n} sentinels name it the master: nobody takes writes until another is chosen")
            }
            None => "it was the master: nobody takes writes".to_owned(),
        };
        let answer = "see what the sentinels do: `redis-cli -p 26379 SENTINEL MASTERS`";
        judged(LinkState::Broken, format!("does not answer: {why}; {then}"), answer)
    }

    /// All answer, and none is the master.
    fn is_headless(&self) -> bool {
        let replica = |server: &Server<'_>| {
            matches!(server.now().and_then(|said| said.role.as_ref()), Some(RedisRole::Replica { .. }))
        };
        // The master may be one that is not configured here.
        let elsewhere = self.chosen().is_some() && self.master().is_none();
        !elsewhere && self.servers.len() > 1 && self.servers.iter().all(replica)
    }

    fn headless(&self, server: &Server<'a>) -> Judged {
        let named = match self.master() {
            Some(master) => format!("; the sentinels name {}", master.key.name),
            None => String::new(),
        };
        let others = count(self.servers.len() - 1, "other server");
        let text = format!("is a replica, as {others} of its set: nobody takes writes{named}");
        server.judged(LinkState::Broken, text).rule("platform-redis-masters")
    }

    /// Another one is the master.
    fn second_master(&self, server: &Server<'a>, replicas: usize) -> Option<Judged> {
        let with = match replicas {
            0 => "without replicas".to_owned(),
            n => format!("with {}", count(n, "replica")),
        };
        let named = self.chosen();
        // An address that is none of the servers' says nothing about which of them is the master.
        let (text, answer) = match named.filter(|_| self.master().is_some()) {
            Some((chosen, _)) if self.is_chosen(server, chosen) => return None,
            Some((chosen, n)) => {
                let other = self.master().map_or(&chosen.address, |master| &master.key.name);
                let text = format!(
                    "takes itself for the master too, {with}: {n} of {} name {other}; what is written here is lost when it becomes a replica",
                    count(self.views.len(), "sentinel")
                );
                let (host, port) = chosen.address.rsplit_once(':').unwrap_or((&chosen.address, "6379"));
                let answer = format!(
                    "the sentinels make it a replica within seconds; if they do not: `REPLICAOF {host} {port}` on it"
                );
                (text, answer)
            }
            None => {
                let other = self.servers.iter().find(|other| other.key != server.key && other.is_master())?;
                let why = match (named, self.voting().next()) {
                    (Some((chosen, _)), _) => format!(
                        "the sentinels name {}, which is none of the servers configured",
                        chosen.address
                    ),
                    (None, None) if self.views.is_empty() => "no sentinel is configured".to_owned(),
                    (None, None) => "no sentinel answers".to_owned(),
                    (None, Some(_)) => "the sentinels do not agree".to_owned(),
                };
                let text = format!(
                    "takes itself for the master, as {} does, and {why}: which of them holds the sessions is not known",
                    other.key.name
                );
                let answer = "compare what they hold (`INFO keyspace`), then make one the replica of the other (`REPLICAOF`)";
                (text, answer.to_owned())
            }
        };
        Some(server.judged(LinkState::Broken, text).rule("platform-redis-masters").remedy(answer))
    }

    /// The sentinels name a server that is not configured, and this one is the only master of those that are.
    fn named_elsewhere(&self, server: &Server<'a>) -> Option<Judged> {
        let (chosen, _) = self.chosen().filter(|_| self.master().is_none())?;
        let text = format!(
            "is the master, and the sentinels name {}, which is none of the servers configured",
            chosen.address
        );
        let answer = "compare the two: an address of another network is the same server, which `+info` for the user proves (run_id)";
        Some(server.judged(LinkState::Notice, text).rule("platform-redis-masters").remedy(answer))
    }

    /// How a replica hangs on its master.
    fn follows(
        &self,
        server: &Server<'a>,
        info: Option<&RedisInfo>,
        of: &Arc<str>,
        link: &Arc<str>,
    ) -> Option<Judged> {
        let other = self.servers.iter().find(|other| other.wanted.address == *of);
        if let (Some(other), Some(master)) = (other, self.master())
            && other.key != master.key
            && master.key != server.key
        {
            let text =
                format!("follows {}, and the sentinels name {} the master", other.key.name, master.key.name);
            return Some(server.judged(LinkState::Warning, text).rule("platform-redis-replica"));
        }
        let down = info.and_then(|info| info.link_down).and_then(|s| i64::try_from(s).ok());
        let down = down.map_or(String::new(), |s| format!(" for {}", span(s)));
        let (state, text) = match &**link {
            "connected" => return None,
            "sync" => (LinkState::Notice, format!("fetches a full copy from {of}")),
            "handshake" | "connecting" => {
                (LinkState::Warning, format!("connects to its master {of} and gets nothing from it{down}"))
            }
            _ => (LinkState::Warning, format!("has lost its master {of}: the link is down{down}")),
        };
        let answer = "see why the master does not feed it: its log, and masterauth of the replica";
        Some(server.judged(state, text).rule("platform-redis-replica").remedy(answer))
    }

    /// A master that keeps nothing on disk comes back empty, and its replicas copy that.
    fn empty_after_restart(&self, server: &Server<'a>, info: &RedisInfo, replicas: usize) -> Option<Judged> {
        let unsaved = info.unsaved.filter(|n| *n > 0)?;
        let since = info.clock? - info.saved_at?;
        if info.aof != Some(false) || since < UNSAVED || replicas == 0 {
            return None;
        }
        let down_after = self.voting().filter_map(|watched| watched.down_after).max();
        let within = down_after.map_or(String::new(), |ms| {
            format!(" within {} s, before the sentinels miss it,", ms.div_ceil(1000))
        });
        let text = format!(
            "keeps nothing on disk ({} not saved, no append-only file): restarted{within} it comes back empty, and its replicas empty themselves",
            count(unsaved, "change")
        );
        let state = if info.supervised { LinkState::Warning } else { LinkState::Notice };
        let answer = "switch the append-only file on (`appendonly yes`), or let nothing restart it by itself (systemd: Restart=no)";
        Some(server.judged(state, text).rule("platform-redis-empty").remedy(answer))
    }
}
