//! The proxies and members as a plan sees them: who sits where in each proxy, now and after an edit.

use std::{cmp::Reverse, sync::Arc};

use super::standing;
use crate::cluster::{
    BackendStatus, Database, Hostgroups, MemberName, ProxyName, ProxyStatus, ServerRow, Snapshot, bare,
    database::{Row, State},
    hostgroups_of,
};

/// All that is known of the database.
pub(super) struct Routing<'a> {
    pub seen: &'a Snapshot,
    pub db: Arc<Database>,
    /// The proxies that answer.
    pub proxied: Vec<Proxied<'a>>,
}

/// One proxy that answers.
pub(super) struct Proxied<'a> {
    pub name: &'a ProxyName,
    pub status: &'a ProxyStatus,
    pub groups: Vec<Hostgroups>,
    pub backends: Vec<Backend>,
}

/// A backend of a proxy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Backend {
    pub address: Arc<str>,
    pub member: Option<MemberName>,
    pub label: String,
    /// Which of the proxy's Galera clusters it belongs to: an index into its hostgroups.
    pub cluster: usize,
    /// `None`: with the rights of the statistics it is not told.
    pub weight: Option<u64>,
    pub role: BackendRole,
    /// It reads beside what else it does.
    pub reads: bool,
}

/// Where a backend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackendRole {
    Writer,
    Standby,
    Reader,
    Shunned,
    Offline,
}

/// What is done to one backend's rows in one proxy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edit {
    pub proxy: ProxyName,
    pub address: Arc<str>,
    pub from: Vec<ServerRow>,
    pub to: Vec<ServerRow>,
}

impl<'a> Routing<'a> {
    pub fn of(seen: &'a Snapshot) -> Option<Self> {
        let db = Database::of(seen)?;
        let proxied = seen.proxies.values().filter_map(|proxy| {
            let status = proxy.now()?;
            let groups = hostgroups_of(seen, &proxy.name);
            let backends = backends(&db, &proxy.name, status, &groups);
            Some(Proxied { name: &proxy.name, status, groups, backends })
        });
        Some(Self { seen, proxied: proxied.collect(), db })
    }

    /// The member of a name, address, or address as a proxy knows it.
    pub fn member(&self, name: &str) -> Option<&Row> {
        let known_by = || {
            let backends = self.proxied.iter().flat_map(|f| &f.backends);
            let backend = backends.filter(|s| &*s.address == name).find_map(|s| s.member.as_ref());
            self.db.members.iter().find(|r| Some(&r.name) == backend)
        };
        let alias = || self.db.member(self.seen.database.aliases.get(name)?);
        self.db.member(name).or_else(known_by).or_else(alias)
    }

    /// How the proxies know a member, though it may be out of them now.
    pub fn address_of(&self, row: &Row) -> Arc<str> {
        if let Some((_, backend)) = row.backends.first() {
            return backend.address.clone();
        }
        let gone = self.proxied.iter().flat_map(|f| f.status.rows_since.keys());
        let own = |a: &&Arc<str>| self.member(a).is_some_and(|r| r.name == row.name);
        if let Some(known) = gone.clone().find(own) {
            return known.clone();
        }
        let mut aliases = self.seen.database.aliases.iter();
        match aliases.find(|(_, name)| name.as_str() == row.name.as_str()) {
            Some((alias, _)) => alias.as_str().into(),
            None => bare(row.name.as_str()).into(),
        }
    }

    /// Weights of the members in service in every proxy, and of the whole component.
    pub fn weights(&self, backends: &[Vec<Backend>]) -> (u32, u32) {
        let serves = |row: &Row| {
            let there = |backends: &Vec<Backend>| {
                backends.iter().any(|s| s.member.as_ref() == Some(&row.name) && s.role.serves())
            };
            row.is_primary() && backends.iter().all(there)
        };
        let sum = |which: &dyn Fn(&Row) -> bool| {
            let rows = self.db.members.iter().filter(|r| which(r));
            rows.filter_map(|r| r.now()).fold(0_u32, |sum, s| sum.saturating_add(s.weight))
        };
        let total = self.db.quorum.weight;
        // An arbitrator is no backend, and stays whatever is done to the proxies.
        let known = self.db.members.iter().filter(|r| r.is_primary()).count();
        let arbitrators = self.db.view.as_ref().map_or(0, |v| v.arbitrators);
        let all_known = self.db.quorum.size as usize == known + arbitrators as usize;
        let theirs = if all_known { total.saturating_sub(sum(&Row::is_primary)) } else { 0 };
        (sum(&serves).saturating_add(if arbitrators > 0 { theirs } else { 0 }), total)
    }
}

impl BackendRole {
    pub fn serves(self) -> bool {
        matches!(self, Self::Writer | Self::Standby | Self::Reader)
    }
}

impl Proxied<'_> {
    pub fn backend(&self, address: &str) -> Option<&Backend> {
        self.backends.iter().find(|s| &*s.address == address)
    }

    /// Those that take the writes of a cluster, of some backends.
    pub fn writers(backends: &[Backend], cluster: usize) -> Vec<&Backend> {
        backends.iter().filter(|s| s.cluster == cluster && s.role == BackendRole::Writer).collect()
    }

    /// Sessions that hold a connection on a backend in some hostgroups; all of them where `groups` is empty.
    pub fn sessions(&self, address: &str, groups: &[u32]) -> u32 {
        let of =
            |hostgroup: u32, at: &str| at == address && (groups.is_empty() || groups.contains(&hostgroup));
        let pinned = self.status.pinned.iter().filter(|p| of(p.hostgroup, &p.address)).map(|p| p.sessions);
        let used = self.status.backends.iter().filter(|b| of(b.hostgroup, &b.address)).map(|b| b.used);
        pinned.fold(0, u32::saturating_add).max(used.fold(0, u32::saturating_add))
    }

    /// Backends that no longer take writes and on which sessions of the writer hostgroups still hold a connection.
    pub fn left_behind(&self) -> Vec<&Backend> {
        let groups: Vec<u32> = self.groups.iter().map(|g| g.writer).collect();
        let still = |s: &&Backend| {
            s.role != BackendRole::Writer && !groups.is_empty() && self.sessions(&s.address, &groups) > 0
        };
        self.backends.iter().filter(still).collect()
    }

    pub fn writes_to(&self, address: &str) -> bool {
        self.backend(address).is_some_and(|s| s.role == BackendRole::Writer)
    }

    /// A backend's rows as they may be written: without the row of a surplus writer, which would make it a second one.
    pub fn rows(&self, address: &str) -> Vec<ServerRow> {
        let surplus =
            |hostgroup: u32| self.groups.iter().any(|g| g.writer == hostgroup) && !self.writes_to(address);
        self.status.servers_of(address).into_iter().filter(|r| !surplus(r.hostgroup)).collect()
    }

    /// Backends that would vanish when the surplus writers' rows are deleted: they have no other.
    pub fn fragile(&self) -> Vec<&Backend> {
        let lost =
            |s: &&Backend| self.rows(&s.address).is_empty() && !self.status.servers_of(&s.address).is_empty();
        self.backends.iter().filter(lost).collect()
    }

    /// Seconds within which the monitor must have done what is waited for: two of its checks, and as many again for it
    /// to act and to be read.
    pub fn patience(&self) -> u32 {
        let evidence = standing::evidence(self.status).as_secs();
        u32::try_from(evidence * 2).unwrap_or(u32::MAX).saturating_add(super::WRITE_WITHIN)
    }

    /// How often its monitor looks, in words.
    pub fn interval(&self) -> String {
        format!("{:.0} s", standing::evidence(self.status).as_secs_f64() / 2.0)
    }

    /// The Galera cluster of the proxy that a backend stands in.
    pub fn cluster(&self, address: &str) -> usize {
        self.backend(address).map_or(0, |s| s.cluster)
    }

    /// Its backends after some edits, once the monitor has sorted them.
    pub fn after(
        &self,
        edits: &[Edit],
        member: impl Fn(&str) -> Option<(MemberName, String, bool)>,
    ) -> Vec<Backend> {
        let mut backends = self.backends.clone();
        for edit in edits.iter().filter(|e| e.proxy == *self.name) {
            let Some(row) = edit.to.first() else {
                backends.retain(|s| s.address != edit.address);
                continue;
            };
            match backends.iter_mut().find(|s| s.address == edit.address) {
                Some(backend) => backend.weight = Some(row.weight),
                None => {
                    let known = member(&edit.address);
                    let ready = known.as_ref().is_some_and(|k| k.2);
                    backends.push(Backend {
                        address: edit.address.clone(),
                        label: known.as_ref().map_or(edit.address.to_string(), |k| k.1.clone()),
                        member: known.map(|k| k.0),
                        cluster: cluster(&self.groups, |g| g.has(row.hostgroup)),
                        weight: Some(row.weight),
                        role: if ready { BackendRole::Standby } else { BackendRole::Offline },
                        reads: ready,
                    });
                }
            }
        }
        elect(&mut backends, &self.groups);
        backends
    }

    /// Its backends after a member has left for the offline hostgroup.
    pub fn without(&self, address: &str) -> Vec<Backend> {
        let mut backends = self.backends.clone();
        for backend in backends.iter_mut().filter(|s| &*s.address == address) {
            (backend.role, backend.reads) = (BackendRole::Offline, false);
        }
        elect(&mut backends, &self.groups);
        backends
    }

    /// Its backends after a member has come back from the offline hostgroup.
    pub fn with(&self, address: &str) -> Vec<Backend> {
        let group = self.groups.get(self.cluster(address));
        let reads = group.is_some_and(|g| g.writer_is_also_reader != 0);
        let mut backends = self.backends.clone();
        for backend in backends.iter_mut().filter(|s| &*s.address == address) {
            (backend.role, backend.reads) = (BackendRole::Standby, reads);
        }
        elect(&mut backends, &self.groups);
        backends
    }
}

/// The heaviest of those that may write do, ties from the top by host name and port: as ProxySQL 2.7 elects, in each
/// cluster by itself.
fn elect(backends: &mut [Backend], groups: &[Hostgroups]) {
    backends.sort_by_key(|s| Reverse(order(s)));
    for cluster in 0..groups.len().max(1) {
        let most = groups.get(cluster).map_or(1, |g| g.max_writers.max(1) as usize);
        let waits = |s: &&Backend| {
            s.cluster == cluster && matches!(s.role, BackendRole::Writer | BackendRole::Standby)
        };
        // Where no weights are told nobody knows who is elected: they stay as they are.
        if backends.iter().filter(waits).any(|s| s.weight.is_none()) {
            continue;
        }
        let of = backends.iter_mut().filter(|s| s.cluster == cluster);
        let candidates = of.filter(|s| matches!(s.role, BackendRole::Writer | BackendRole::Standby));
        for (i, backend) in candidates.enumerate() {
            backend.role = if i < most { BackendRole::Writer } else { BackendRole::Standby };
        }
    }
}

/// The first of these clusters; the first of all where it is none of them.
pub(super) fn cluster(groups: &[Hostgroups], is: impl Fn(&Hostgroups) -> bool) -> usize {
    groups.iter().position(is).unwrap_or(0)
}

fn order(backend: &Backend) -> (Option<u64>, String, u32) {
    let (host, port) = backend.address.rsplit_once(':').unwrap_or((&backend.address, ""));
    (backend.weight, host.to_owned(), port.parse().unwrap_or(0))
}

fn backends(db: &Database, proxy: &ProxyName, status: &ProxyStatus, groups: &[Hostgroups]) -> Vec<Backend> {
    let mut backends: Vec<Backend> = Vec::new();
    for backend in status.backends.iter().filter(|b| b.status != BackendStatus::OfflineHard) {
        if backends.iter().any(|s| s.address == backend.address) {
            continue;
        }
        let at = |pick: fn(&Hostgroups) -> u32| {
            let mut rows = status.backends.iter().filter(|b| b.address == backend.address);
            rows.any(|b| b.status == BackendStatus::Online && groups.iter().any(|g| pick(g) == b.hostgroup))
        };
        let reads = at(|g| g.reader);
        let role = match () {
            () if at(|g| g.writer) => BackendRole::Writer,
            () if at(|g| g.backup) => BackendRole::Standby,
            () if reads => BackendRole::Reader,
            () if at(|g| g.offline) => BackendRole::Offline,
            () => BackendRole::Shunned,
        };
        let owns = |r: &&Row| r.backends.iter().any(|(p, b)| p == proxy && b.address == backend.address);
        let row = db.members.iter().find(owns);
        backends.push(Backend {
            address: backend.address.clone(),
            member: row.map(|r| r.name.clone()),
            cluster: cluster(groups, |g| g.has(backend.hostgroup)),
            label: row.map_or(backend.address.to_string(), |r| r.label.to_string()),
            weight: backend.weight,
            role,
            reads,
        });
    }
    backends.sort_by_key(|s| Reverse(order(s)));
    backends
}

/// `proxy1 db1 writer, db2 next writer, db3 standby writer`.
pub(super) fn line(proxy: &ProxyName, backends: &[Backend]) -> String {
    // The next one is told where the order is known.
    let mut next = backends.iter().all(|s| s.weight.is_some());
    let mut words: Vec<_> = backends.iter().collect();
    words.sort_by_key(|s| s.role as u8);
    let words: Vec<_> = words
        .into_iter()
        .map(|backend| {
            let word = match backend.role {
                BackendRole::Writer => "writer",
                BackendRole::Standby if std::mem::take(&mut next) => "next writer",
                BackendRole::Standby => "standby writer",
                BackendRole::Reader => "reader",
                BackendRole::Shunned => "shunned",
                BackendRole::Offline => "offline",
            };
            match backend.weight {
                Some(weight) => format!("{} {word} ({weight})", backend.label),
                None => format!("{} {word} (weight not known)", backend.label),
            }
        })
        .collect();
    format!("{proxy}  {}", if words.is_empty() { "no servers".into() } else { words.join(", ") })
}

/// Whether a member could write if a proxy chose it: known, in sync, and not read-only.
pub(super) fn fit_to_write(row: &Row) -> bool {
    matches!(row.state, State::Synced | State::Donor { .. }) && row.now().is_some_and(|s| !s.read_only)
}
