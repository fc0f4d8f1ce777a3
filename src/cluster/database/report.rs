//! The database for scripts: what `wheelhouse database -o json` prints. Names and units are a promise.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{Database, MemberName, ProxyName, Quorum, Role, Row};

/// The database for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// In a few words, as in the header of the screens.
    pub headline: String,
    /// Whether it survives losses.
    pub quorum: Quorum,
    /// Every configured member.
    pub members: Vec<MemberReport>,
    /// The members that take writes, by proxy.
    pub writers: BTreeMap<ProxyName, Vec<MemberName>>,
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

impl Database {
    /// The database for scripts, at that moment.
    pub fn report(&self, at: Timestamp) -> Report {
        Report {
            headline: self.headline().text,
            quorum: self.quorum.clone(),
            members: self.members.iter().map(|row| member(row, at)).collect(),
            writers: self.writers.clone(),
            next_writer: self
                .next_writer
                .as_ref()
                .and_then(|n| self.member(n.as_str()))
                .map(|r| r.label.clone()),
        }
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
