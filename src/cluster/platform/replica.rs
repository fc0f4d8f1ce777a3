//! MySQL and MariaDB as a primary with replicas: what each server says of itself. Pure.
//!
//! Facts it rests on (MariaDB 10.11, MySQL 8): MariaDB names its columns `Slave_*` and `Seconds_Behind_Master`, MySQL
//! from 8.0.22 on `Replica_*` and `Seconds_Behind_Source`. No row is no replica, which is not the same as a good one.
//! NULL seconds is worse than any number. Until `slave_net_timeout` has passed a replica of a primary that hangs reads 0.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cluster::{Line, NodeName, Table, clocks::Dated, values::is_on, words::one_line};

mod failover;
mod gtid;
mod judge;
mod server;
mod services;

pub use failover::{Candidate, FailoverSheet, failover};
pub use gtid::Gtids;
pub(super) use judge::judge;

/// Positions are remembered for so long.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(15);
/// They lie at least so far apart.
const STEP: SignedDuration = SignedDuration::from_secs(10);

/// A server as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// `host:port`.
    pub address: Arc<str>,
    /// The machine it runs on.
    pub machine: Option<NodeName>,
}

/// What a server said in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaFacts {
    /// `server_id`.
    pub server_id: Option<u64>,
    /// `server_uuid`, of MySQL.
    pub uuid: Option<Arc<str>>,
    /// `version`.
    pub version: Option<Arc<str>>,
    /// `read_only`.
    pub read_only: Option<bool>,
    /// What its binary log holds: `gtid_binlog_pos`, or `gtid_executed`.
    pub written: Gtids,
    /// What it has applied of others: `gtid_slave_pos`, or `gtid_executed`.
    pub applied: Gtids,
    /// What it replicates from; none: it is no replica. `None`: the user may not ask.
    pub channels: Option<Vec<Channel>>,
    /// What its binary log held lately, oldest first.
    pub before: Vec<(Timestamp, Gtids)>,
}

/// What a replica follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name; empty for the only one.
    pub name: Arc<str>,
    /// `host:port` of its source.
    pub source: Arc<str>,
    /// `server_id` of its source, where it knows it.
    pub source_id: Option<u64>,
    /// `Yes`, `No`, `Connecting`: whether it fetches.
    pub io: Arc<str>,
    /// Whether it applies.
    pub sql: Arc<str>,
    /// How many seconds it is behind; `None` is NULL.
    pub behind: Option<u64>,
    /// How many seconds it is to stay behind.
    pub delay: u64,
    /// Why it does not fetch: number and text.
    pub io_error: Option<(u32, Arc<str>)>,
    /// Why it does not apply: number and text, without the rows of the tables that are quoted in it.
    pub sql_error: Option<(u32, Arc<str>)>,
    /// What the applying thread does.
    pub doing: Arc<str>,
    /// What it has fetched: `Gtid_IO_Pos`, or `Retrieved_Gtid_Set`.
    pub fetched: Gtids,
}

impl ReplicaFacts {
    /// What a server said at `now`, after what it said before: the variables, and the status of its replication (`None`:
    /// the user may not ask it).
    pub fn read(variables: &Table, status: Option<&Table>, before: Option<&Self>, now: Timestamp) -> Self {
        let text = |name: &str| variables.value(name).map(|v| Arc::<str>::from(one_line(v)));
        let sets = |name: &str| variables.value(name).map(Gtids::read);
        let executed = sets("gtid_executed").filter(|sets| !sets.is_empty());
        let written = sets("gtid_binlog_pos").or_else(|| executed.clone()).unwrap_or_default();
        let mut remembered = before.map(|before| before.before.clone()).unwrap_or_default();
        remembered.retain(|(at, _)| *at < now && now.duration_since(*at) < REMEMBERED);
        if remembered.last().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            remembered.push((now, written.clone()));
        }
        Self {
            server_id: variables.amount("server_id"),
            uuid: text("server_uuid"),
            version: text("version"),
            read_only: variables.value("read_only").map(is_on),
            applied: sets("gtid_slave_pos").or(executed).unwrap_or_default(),
            written,
            channels: status.map(|status| status.lines().map(Channel::read).collect()),
            before: remembered,
        }
    }

    /// It follows another server.
    pub fn is_replica(&self) -> bool {
        self.channels.as_ref().is_some_and(|channels| !channels.is_empty())
    }
}

impl Dated for ReplicaFacts {
    fn moved(self, by: SignedDuration) -> Self {
        let before = self.before.into_iter().map(|(at, sets)| (at.moved(by), sets)).collect();
        Self { before, ..self }
    }
}

impl Channel {
    /// One row of the status, by the names of either kind of server.
    fn read(row: Line<'_>) -> Self {
        let either = |one: &str, other: &str| row.text(one).or_else(|| row.text(other));
        let word =
            |one: &str, other: &str| Arc::<str>::from(one_line(either(one, other).unwrap_or_default()));
        let count = |one: &str, other: &str| either(one, other).and_then(|n| n.trim().parse::<u64>().ok());
        let error = |number: &str, text: &str| {
            let number = row.number::<u32>(number).filter(|n| *n > 0)?;
            Some((number, Arc::from(without_rows(row.text(text).unwrap_or_default()))))
        };
        let host = word("Master_Host", "Source_Host");
        let port = count("Master_Port", "Source_Port").unwrap_or(3306);
        Self {
            name: word("Connection_name", "Channel_Name"),
            source: match host.contains(':') {
                true => format!("[{host}]:{port}").into(),
                false => format!("{host}:{port}").into(),
            },
            source_id: count("Master_Server_Id", "Source_Server_Id").filter(|id| *id > 0),
            io: word("Slave_IO_Running", "Replica_IO_Running"),
            sql: word("Slave_SQL_Running", "Replica_SQL_Running"),
            behind: count("Seconds_Behind_Master", "Seconds_Behind_Source"),
            delay: count("SQL_Delay", "SQL_Delay").unwrap_or(0),
            io_error: error("Last_IO_Errno", "Last_IO_Error"),
            sql_error: error("Last_SQL_Errno", "Last_SQL_Error"),
            doing: word("Slave_SQL_Running_State", "Replica_SQL_Running_State"),
            fetched: Gtids::read(either("Gtid_IO_Pos", "Retrieved_Gtid_Set").unwrap_or_default()),
        }
    }

    /// It fetches.
    pub fn fetches(&self) -> bool {
        self.io.eq_ignore_ascii_case("yes")
    }

    /// It applies.
    pub fn applies(&self) -> bool {
        self.sql.eq_ignore_ascii_case("yes")
    }
}

/// An error without what is quoted in it: values of rows stand there, which are the customers'.
fn without_rows(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in one_line(text).split('\'').enumerate() {
        match at % 2 {
            0 => out.push_str(part),
            _ => out.push('…'),
        }
    }
    out
}

/// Which of the servers a channel follows, by its server id, or else by its address.
fn source_of<'a, T>(
    channel: &Channel,
    servers: &'a [T],
    known: impl Fn(&T) -> (&Arc<str>, Option<u64>),
) -> Option<&'a T> {
    let by_id = channel.source_id.and_then(|id| {
        let mut found = servers.iter().filter(|server| known(server).1 == Some(id));
        // Two servers with one id are told apart by their addresses.
        found.next().filter(|_| found.next().is_none())
    });
    by_id.or_else(|| servers.iter().find(|server| *known(server).0 == channel.source))
}

/// Numbers by name, for what is shown.
type Numbers = Vec<(&'static str, String)>;

/// The last sequence number of each domain, for whoever compares.
type Domains = BTreeMap<u64, (u64, u64)>;

#[cfg(test)]
mod tests;
