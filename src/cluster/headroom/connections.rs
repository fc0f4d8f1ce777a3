//! What is left of the database's connections, for all tenants together.
//!
//! A request that is served holds connections (`[headroom] connections`, one unless told otherwise) at each of three
//! places; the one with the least left binds:
//!
//! - **ProxySQL's clients**: `mysql-max_connections` less the clients connected, of all proxies that answer.
//! - **ProxySQL's writer hostgroup**: `max_connections` less the connections in use, of every backend that is `ONLINE` in
//!   it, at all proxies that answer. Connections at rest in the pool are left. No writer at all leaves nothing.
//! - **The members that write**: `max_connections` less `Threads_connected`, but what the proxies keep at rest in their
//!   writer pools is left. Without a proxy that knows the writers: the members of the primary component together.
//!
//! What is left is nobody's in particular: it is **shared by all tenants**, each may have all of it, and together they
//! have it once. It is the worst case: ProxySQL lends a backend connection for a transaction, not for a whole request.
//! A member that does not answer any more counts by its last word, so that its loss never raises the number. A place
//! that has not been observed is not known and left out, never zero.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::super::{
    Backend, BackendStatus, Database, MemberName, Proxy, ProxyName, Snapshot, Status, database::hostgroups,
};

/// What is left of the database's connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Connections {
    /// More requests they are enough for, of all tenants together; `None`: not known.
    pub more: Option<u32>,
    /// Connections one request holds.
    pub per_request: u32,
    /// The places where they end, the one with the least left first.
    pub limits: Vec<ConnectionLimit>,
    /// What is not known and left out, one sentence each.
    pub unknown: Vec<Arc<str>>,
}

/// One place where connections end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionLimit {
    /// Where, such as `proxysql clients` or `galera db1`.
    pub at: Arc<str>,
    /// How many there may be.
    pub maximum: u32,
    /// How many are in use.
    pub used: u32,
    /// How many are left.
    pub left: u32,
}

impl ConnectionLimit {
    fn new(at: &str, parts: &[(u32, u32)]) -> Self {
        let sum = |of: fn(&(u32, u32)) -> u32| parts.iter().map(of).fold(0u32, u32::saturating_add);
        Self {
            at: at.into(),
            maximum: sum(|p| p.0),
            used: sum(|p| p.1),
            left: sum(|p| p.0.saturating_sub(p.1)),
        }
    }
}

/// What is left of the database's connections; `None` when no database is configured.
pub fn connections(seen: &Snapshot) -> Option<Connections> {
    let database = Database::of(seen)?;
    let per_request = seen.sizing.connections.get();
    let mut places = Places::default();
    if !seen.proxies.is_empty() {
        places.take("the clients of ProxySQL", clients(seen));
        places.take("the writer hostgroup of ProxySQL", pooled(seen));
    }
    if !seen.galera.is_empty() {
        places.take("the connections of the Galera members", members(seen, &database));
    }
    let Places { mut limits, unknown } = places;
    limits.sort_by_key(|l| l.left);
    let more = limits.first().map(|l| l.left / per_request);
    Some(Connections { more, per_request, limits, unknown })
}

#[derive(Default)]
struct Places {
    limits: Vec<ConnectionLimit>,
    unknown: Vec<Arc<str>>,
}

impl Places {
    fn take(&mut self, what: &str, limit: Option<ConnectionLimit>) {
        match limit {
            Some(limit) => self.limits.push(limit),
            None => self.unknown.push(format!("{what} are not known, and left out").into()),
        }
    }
}

/// The proxies that answer. One that says nothing takes no clients either, as far as can be seen.
fn answering(seen: &Snapshot) -> impl Iterator<Item = &Proxy> {
    seen.proxies.values().map(|p| &**p).filter(|p| p.now().is_some())
}

fn clients(seen: &Snapshot) -> Option<ConnectionLimit> {
    let of = |proxy: &Proxy| proxy.now().and_then(|s| s.max_clients.zip(s.clients));
    let parts = answering(seen).map(of).collect::<Option<Vec<_>>>()?;
    (!parts.is_empty()).then(|| ConnectionLimit::new("proxysql clients", &parts))
}

/// The backends a proxy writes to; `None`: it does not answer, or its hostgroups are not known.
fn writing<'a>(seen: &Snapshot, proxy: &'a Proxy) -> Option<Vec<&'a Backend>> {
    let groups = hostgroups(proxy, &seen.database);
    let writers: BTreeSet<u32> = groups.iter().map(|g| g.writer).collect();
    let status = proxy.now().filter(|_| !writers.is_empty())?;
    let online = |b: &&Backend| writers.contains(&b.hostgroup) && b.status == BackendStatus::Online;
    Some(status.backends.iter().filter(online).collect())
}

fn pooled(seen: &Snapshot) -> Option<ConnectionLimit> {
    let proxies: Vec<_> = answering(seen).map(|p| writing(seen, p)).collect::<Option<_>>()?;
    let part = |b: &Backend| Some((b.max_connections?, b.used));
    let parts: Vec<_> = proxies.iter().flatten().map(|b| part(b)).collect::<Option<_>>()?;
    (!proxies.is_empty()).then(|| ConnectionLimit::new("proxysql writer hostgroup", &parts))
}

/// The members that write, by any proxy; `None`: no proxy knows.
fn writers(seen: &Snapshot, database: &Database) -> Option<BTreeSet<MemberName>> {
    let knows = answering(seen).any(|p| writing(seen, p).is_some());
    knows.then(|| database.writers.values().flatten().cloned().collect())
}

fn members(seen: &Snapshot, database: &Database) -> Option<ConnectionLimit> {
    let used = |status: &Status| status.max_connections.zip(status.connections);
    let Some(writers) = writers(seen, database) else {
        let primary = database.members.iter().filter(|row| row.is_primary());
        let parts: Vec<_> = primary.map(|row| used(row.now()?)).collect::<Option<_>>()?;
        let answers = database.members.iter().any(|row| row.now().is_some());
        return answers.then(|| ConnectionLimit::new("galera", &parts));
    };
    let mut names = Vec::new();
    let mut parts = Vec::new();
    for row in database.members.iter().filter(|row| writers.contains(&row.name)) {
        let (maximum, connected) = used(row.member.status.as_deref()?)?;
        let writes = |(name, b): &&(ProxyName, Backend)| {
            let proxy = seen.proxies.get(name);
            proxy.is_some_and(|p| hostgroups(p, &seen.database).iter().any(|g| g.writer == b.hostgroup))
        };
        let at_rest = row.backends.iter().filter(writes).map(|(_, b)| b.free);
        let at_rest = at_rest.fold(0u32, u32::saturating_add);
        parts.push((maximum, connected.saturating_sub(at_rest)));
        names.push(&*row.label);
    }
    let at = if names.is_empty() {
        "galera without a writer".into()
    } else {
        format!("galera {}", names.join(", "))
    };
    Some(ConnectionLimit::new(&at, &parts))
}

impl Connections {
    /// The number and its arithmetic in one line.
    pub fn describe(&self) -> String {
        let Some((first, more)) = self.limits.first().zip(self.more) else {
            return "database connections: not known".into();
        };
        let ConnectionLimit { at, maximum, used, left } = first;
        format!(
            "database connections: {more} more requests, shared by all tenants; {left} left at {at} ({used} of \
             {maximum} in use), {} a request",
            self.per_request
        )
    }
}
