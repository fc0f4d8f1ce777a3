//! The database for scripts: what `wheelhouse database -o json` prints. Names and units are a promise.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Backend, BackendStatus, Database, MemberName, Proxy, ProxyName, Quorum, Role, Row, Snapshot, hostgroups,
};

/// The database for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// In a few words, as in the header of the screens.
    pub headline: String,
    /// Whether it survives losses.
    pub quorum: Quorum,
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
    /// It is in the primary component.
    pub primary: bool,
    /// What the proxies do with it.
    pub role: Role,
    /// Reads go to it.
    pub reads: bool,
    /// Write-sets waiting to be applied.
    pub receive_queue: Option<u64>,
    /// Share of the last interval paused by flow control, 0 to 1.
    pub flow_control: Option<f64>,
    /// The last transaction it has.
    pub last_committed: Option<u64>,
    /// Its server's version.
    pub version: Option<Arc<str>>,
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
    /// The hostgroup.
    pub hostgroup: u32,
    /// What the hostgroup is for: `writer`, `backup`, `reader`, `offline`.
    pub part: Option<&'static str>,
    /// Its address, as the proxy knows it.
    pub address: Arc<str>,
    /// The member it is, where it is a configured one.
    pub member: Option<Arc<str>>,
    /// As ProxySQL spells it; `SHUNNED` is normal for a writer in waiting.
    pub status: BackendStatus,
    /// Connections in use.
    pub used: u32,
    /// Connections at rest.
    pub free: u32,
    /// Connection errors since the row was made.
    pub errors: u64,
}

impl Database {
    /// The database for scripts, at that moment.
    pub fn report(&self, seen: &Snapshot) -> Report {
        let at = seen.at;
        let mut writers = self.writers.clone();
        for (proxy, addresses) in &self.outside {
            writers.entry(proxy.clone()).or_default().extend(addresses.iter().map(|a| (&**a).into()));
        }
        Report {
            headline: self.headline().text,
            quorum: self.quorum.clone(),
            members: self.members.iter().map(|row| member(row, at)).collect(),
            writers,
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
                hostgroup: backend.hostgroup,
                part,
                address: backend.address.clone(),
                member: member.map(|row| row.label.clone()),
                status: backend.status,
                used: backend.used,
                free: backend.free,
                errors: backend.errors,
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
        primary: row.is_primary(),
        role: row.role,
        reads: row.reads,
        receive_queue: now.map(|s| s.receive_queue),
        flow_control: now.and_then(|s| s.flow.share),
        last_committed: now.and_then(|s| s.last_committed),
        version: row.member.status.as_ref().map(|s| s.version.clone()),
        age: row.member.status.as_ref().map(|s| at.duration_since(s.at).as_secs_f64().max(0.0)),
        trouble: row.member.link.trouble().map(str::to_owned),
    }
}
