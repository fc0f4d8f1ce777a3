//! The database for scripts: what `wheelhouse database -o json` prints. Names and units are a promise.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Backend, Component, Database, MemberName, Proxy, ProxyName, Quorum, Reject, Role, Row, Snapshot,
    hostgroups,
};

/// The database for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseReport {
    /// In a few words, as in the header of the screens.
    pub headline: String,
    /// Whether it survives losses; `null`: no member can be read.
    pub quorum: Option<Quorum>,
    /// Every configured member.
    pub members: Vec<MemberReport>,
    /// The addresses that take writes, by proxy: members by their configured address.
    pub writers: BTreeMap<ProxyName, Vec<MemberName>>,
    /// Every backend in every hostgroup of every proxy that answers.
    pub backends: Vec<BackendReport>,
    /// Who writes next.
    pub next_writer: Option<Arc<str>>,
}

/// A member for scripts. What is not known is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberReport {
    /// What people call it.
    pub name: Arc<str>,
    /// Its address as configured.
    pub address: MemberName,
    /// Its state in words, judged across members.
    pub state: String,
    /// It is in the primary component; `null`: it does not say.
    pub primary: Option<bool>,
    /// What the proxies do with it.
    pub role: Role,
    /// Reads go to it.
    pub reads: bool,
    /// `primary`, `non-primary` or `disconnected`, by its own word.
    pub component: Option<Component>,
    /// Members of its component.
    pub cluster_size: Option<u32>,
    /// The number of its view: grows with every change.
    pub cluster_view: Option<u64>,
    /// The history it belongs to.
    pub cluster_uuid: Option<Arc<str>>,
    /// `pc.weight`: its share of the quorum.
    pub weight: Option<u32>,
    /// Write-sets waiting to be applied.
    pub receive_queue: Option<u64>,
    /// Write-sets waiting to be sent.
    pub send_queue: Option<u64>,
    /// Share of the last interval paused by flow control, 0 to 1.
    pub flow_control: Option<f64>,
    /// It asks for the pause: now, or in the last interval.
    pub flow_control_sender: Option<bool>,
    /// Transactions that failed certification, a second.
    pub certification_failures: Option<f64>,
    /// Local transactions aborted by replicated ones, a second.
    pub brute_force_aborts: Option<f64>,
    /// The last transaction it has.
    pub last_committed: Option<u64>,
    /// Transactions committed a second.
    pub commits: Option<f64>,
    /// Transactions another member may miss before it needs a full copy.
    pub gcache_transactions: Option<u64>,
    /// Seconds another member may be away before it needs a full copy, at the present write rate.
    pub gcache_seconds: Option<u64>,
    /// It was desynced by hand.
    pub desync: Option<bool>,
    /// It refuses clients by hand.
    pub rejects: Option<Reject>,
    /// Client connections now.
    pub connections: Option<u32>,
    /// Client connections allowed.
    pub max_connections: Option<u32>,
    /// Its server's version.
    pub version: Option<Arc<str>>,
    /// Seconds since its server started.
    pub uptime: Option<u64>,
    /// Seconds since it last answered; `null`: it never did.
    pub age: Option<f64>,
    /// Why it does not answer.
    pub trouble: Option<String>,
}

/// A backend in one hostgroup, for scripts. What is not known is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendReport {
    /// The proxy.
    pub proxy: ProxyName,
    /// What the hostgroup is for: `writer`, `backup`, `reader`, `offline`.
    pub part: Option<&'static str>,
    /// The member it is, where it is a configured one.
    pub member: Option<Arc<str>>,
    /// Its row. `SHUNNED` is normal for a writer in waiting.
    #[serde(flatten)]
    pub backend: Backend,
}

impl Database {
    /// The database for scripts, at that moment.
    pub fn report(&self, seen: &Snapshot) -> DatabaseReport {
        let at = seen.at;
        DatabaseReport {
            headline: self.headline(),
            quorum: self.is_known().then(|| self.quorum.clone()),
            members: self.members.iter().map(|row| member(row, at)).collect(),
            writers: self.writers.clone(),
            backends: seen.proxies.values().flat_map(|proxy| self.backends(seen, proxy)).collect(),
            next_writer: self
                .next_writer
                .as_ref()
                .and_then(|n| self.member(n.as_str()))
                .map(|r| r.label.clone()),
        }
    }
}

impl Database {
    fn backends(&self, seen: &Snapshot, proxy: &Proxy) -> Vec<BackendReport> {
        let groups = hostgroups(proxy, &seen.database);
        let backends = proxy.now().map(|status| &status.backends[..]).unwrap_or_default();
        let report = |backend: &Backend| {
            let part = groups.iter().find_map(|g| match backend.hostgroup {
                n if n == g.writer => Some("writer"),
                n if n == g.backup => Some("backup"),
                n if n == g.reader => Some("reader"),
                n if n == g.offline => Some("offline"),
                _ => None,
            });
            let own = |(name, b): &(ProxyName, Backend)| *name == proxy.name && b.address == backend.address;
            let member = self.members.iter().find(|row| row.backends.iter().any(own));
            BackendReport {
                proxy: proxy.name.clone(),
                part,
                member: member.map(|row| row.label.clone()),
                backend: backend.clone(),
            }
        };
        backends.iter().map(report).collect()
    }
}

fn member(row: &Row, at: Timestamp) -> MemberReport {
    let now = row.now();
    MemberReport {
        name: row.label.clone(),
        address: row.name.clone(),
        state: row.state.word(),
        primary: now.map(|_| row.is_primary()),
        role: row.role,
        reads: row.reads,
        component: now.map(|s| s.component),
        cluster_size: now.map(|s| s.size),
        cluster_view: now.and_then(|s| s.conf_id),
        cluster_uuid: now.map(|s| s.cluster_uuid.clone()),
        weight: now.map(|s| s.weight),
        receive_queue: now.map(|s| s.receive_queue),
        send_queue: now.map(|s| s.send_queue),
        flow_control: now.and_then(|s| s.flow.share),
        flow_control_sender: now.map(|s| s.flow.requested || s.flow.sent_rate.is_some_and(|r| r > 0.0)),
        certification_failures: now.and_then(|s| s.cert_failures.1),
        brute_force_aborts: now.and_then(|s| s.bf_aborts.1),
        last_committed: now.and_then(|s| s.last_committed),
        commits: now.and_then(|s| s.commits),
        gcache_transactions: now.and_then(|s| s.gcache.transactions),
        gcache_seconds: now.and_then(|s| s.gcache.window).map(|w| w.as_secs()),
        desync: now.map(|s| s.desync),
        rejects: now.map(|s| s.reject),
        connections: now.and_then(|s| s.connections),
        max_connections: now.and_then(|s| s.max_connections),
        version: row.member.status.as_ref().map(|s| s.version.clone()),
        uptime: now.and_then(|s| s.uptime),
        age: row.member.status.as_ref().map(|s| at.duration_since(s.at).as_secs_f64().max(0.0)),
        trouble: row.member.link.trouble().map(str::to_owned),
    }
}
