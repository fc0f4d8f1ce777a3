//! Redis that keeps the sessions: what each server says of itself. Pure; `judge` tells what that means.
//!
//! Facts it rests on (Redis 7.0): `ROLE` names the role and the link to the master, `INFO` all that keeps a server from
//! taking writes. ACLs are not replicated. `CONFIG GET` shows passwords and is never asked; neither are `KEYS`, `SCAN`,
//! `MONITOR`, `DEBUG`, `CLIENT KILL`.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::counter::Counter;
use crate::cluster::{NodeName, clocks::Dated, words::one_line};

mod judge;
mod sentinel;

pub(super) use judge::judge;
pub use sentinel::{SentinelFacts, Watched};

/// Replies that tell that a write was refused.
const REFUSALS: [&str; 4] = ["MISCONF", "NOREPLICAS", "OOM", "READONLY"];

/// A Redis server as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// `host:port`.
    pub address: Arc<str>,
    /// Which servers belong together: what the sentinels call their master. All without a name belong together.
    pub set: Option<Arc<str>>,
    /// The sentinels that watch it, `host:port`.
    pub sentinels: Vec<Arc<str>>,
    /// The machine it runs on.
    pub machine: Option<NodeName>,
}

/// What a server said in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedisFacts {
    /// `ROLE`; `None`: the user may not ask it.
    pub role: Option<RedisRole>,
    /// `INFO`; `None`: the user may not ask it.
    pub info: Option<RedisInfo>,
    /// Commands the user may not run.
    pub denied: Vec<Arc<str>>,
    /// Keys it has thrown away to make room.
    pub evicted: Counter,
    /// Writes it has refused, by the first word of its reply.
    pub refused: BTreeMap<Arc<str>, Counter>,
}

/// What a server takes itself for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisRole {
    /// It takes writes.
    Master {
        /// How many bytes of changes it has made.
        offset: u64,
        /// Its replicas, `host:port`, and what each has confirmed.
        replicas: Vec<(Arc<str>, u64)>,
    },
    /// It follows a master.
    Replica {
        /// `host:port` of the master.
        of: Arc<str>,
        /// `connect`, `connecting`, `handshake`, `sync`, `connected`.
        link: Arc<str>,
        /// How far it is; `None`: nothing was copied yet.
        offset: Option<u64>,
    },
    /// Something else, such as a sentinel.
    Other(Arc<str>),
}

/// What of `INFO` matters. Fields that a version does not tell are `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedisInfo {
    /// `run_id`: another one after each start.
    pub run_id: Option<Arc<str>>,
    /// `redis_version`.
    pub version: Option<Arc<str>>,
    /// Its clock, seconds since 1970.
    pub clock: Option<i64>,
    /// A supervisor such as systemd starts it again.
    pub supervised: bool,
    /// `used_memory` without what does not count for evictions, bytes.
    pub used: Option<u64>,
    /// `maxmemory`, bytes; 0 is no limit.
    pub max: Option<u64>,
    /// `maxmemory_policy`.
    pub policy: Option<Arc<str>>,
    /// `evicted_keys`.
    pub evicted: Option<u64>,
    /// The last snapshot to disk worked.
    pub saves: Option<bool>,
    /// `aof_enabled`.
    pub aof: Option<bool>,
    /// The last write to the append-only file worked.
    pub appends: Option<bool>,
    /// Changes since the last snapshot.
    pub unsaved: Option<u64>,
    /// When the last snapshot was made, or the server was started: seconds since 1970.
    pub saved_at: Option<i64>,
    /// Replicas that are near enough, where `min-replicas-to-write` is set.
    pub good_replicas: Option<u32>,
    /// For how long the link to the master has been down, seconds.
    pub link_down: Option<u64>,
    /// A replica that takes writes of its own.
    pub writable_replica: bool,
    /// It still reads its data from disk.
    pub loading: bool,
    /// Keys, and those of them that expire, of all databases.
    pub keys: Option<(u64, u64)>,
    /// Connected clients, and how many may be.
    pub clients: Option<(u64, u64)>,
    /// Errors it has replied, by the first word.
    pub errors: BTreeMap<Arc<str>, u64>,
}

impl RedisFacts {
    /// What a server said at `now`, after what it said before.
    pub fn read(
        role: Option<RedisRole>,
        info: Option<RedisInfo>,
        denied: Vec<Arc<str>>,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let evicted = before.map(|before| before.evicted.clone()).unwrap_or_default();
        let evicted = match info.as_ref().and_then(|info| info.evicted) {
            Some(total) => evicted.read(total, now),
            None => evicted,
        };
        let grown = |code: &&'static str| {
            let total = info.as_ref()?.errors.get(*code).copied().unwrap_or(0);
            let before = before.and_then(|before| before.refused.get(*code)).cloned().unwrap_or_default();
            Some((Arc::from(*code), before.read(total, now)))
        };
        let refused = REFUSALS.iter().filter_map(grown).collect();
        Self { role, info, denied, evicted, refused }
    }

    fn is_master(&self) -> bool {
        matches!(self.role, Some(RedisRole::Master { .. }))
    }

    fn has_run_id(&self, id: &str) -> bool {
        !id.is_empty() && self.info.as_ref().and_then(|info| info.run_id.as_deref()) == Some(id)
    }
}

impl Dated for RedisFacts {
    fn moved(self, by: SignedDuration) -> Self {
        let refused = self.refused.into_iter().map(|(code, grown)| (code, grown.moved(by))).collect();
        Self { evicted: self.evicted.moved(by), refused, ..self }
    }
}

impl RedisRole {
    /// What `ROLE` replied; `None`: it is not understood.
    pub fn read(reply: &Value) -> Option<Self> {
        let parts = reply.as_array()?;
        let address = |host: &Value, port: &Value| {
            let port = number(port)?;
            Some(Arc::from(format!("{}:{port}", host.as_str()?)))
        };
        Some(match (parts.first()?.as_str()?, parts.as_slice()) {
            ("master", [_, offset, replicas, ..]) => Self::Master {
                offset: number(offset)?,
                replicas: (replicas.as_array()?.iter().filter_map(Value::as_array))
                    .filter_map(|r| Some((address(r.first()?, r.get(1)?)?, number(r.get(2)?)?)))
                    .collect(),
            },
            ("slave", [_, host, port, link, offset, ..]) => Self::Replica {
                of: address(host, port)?,
                link: link.as_str()?.into(),
                offset: number(offset),
            },
            (other, _) => Self::Other(one_line(other).into()),
        })
    }
}

/// A number, or its digits as a string; what is below zero is none.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl RedisInfo {
    /// What `INFO` replied.
    pub fn read(text: &str) -> Self {
        let mut fields = BTreeMap::new();
        let mut errors = BTreeMap::new();
        let mut keys = None;
        for (name, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
            if let Some(code) = name.strip_prefix("errorstat_") {
                let count = value.strip_prefix("count=").and_then(|n| n.parse().ok());
                errors.extend(count.map(|n: u64| (Arc::from(code), n)));
            } else if name.strip_prefix("db").is_some_and(|n| n.parse::<u16>().is_ok()) {
                let of = |what: &str| {
                    let part = value.split(',').find_map(|part| part.strip_prefix(what));
                    part.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
                };
                let (all, expiring) = keys.unwrap_or((0, 0));
                keys = Some((all + of("keys="), expiring + of("expires=")));
            } else {
                fields.insert(name, value);
            }
        }
        let word = |name: &str| fields.get(name).map(|v| Arc::<str>::from(one_line(v)));
        let count = |name: &str| fields.get(name).and_then(|v| v.parse::<u64>().ok());
        let yes = |name: &str| fields.get(name).map(|v| *v == "1");
        let ok = |name: &str| fields.get(name).map(|v| *v == "ok");
        let clock = count("server_time_usec").map(|micros| micros / 1_000_000);
        // A server without keys lists no database.
        let keys = keys.or_else(|| text.contains("# Keyspace").then_some((0, 0)));
        Self {
            run_id: word("run_id"),
            version: word("redis_version"),
            clock: clock.and_then(|s| i64::try_from(s).ok()),
            supervised: fields.get("process_supervised").is_some_and(|v| *v != "no"),
            used: count("used_memory")
                .map(|used| used.saturating_sub(count("mem_not_counted_for_evict").unwrap_or(0))),
            max: count("maxmemory"),
            policy: word("maxmemory_policy"),
            evicted: count("evicted_keys"),
            saves: ok("rdb_last_bgsave_status"),
            aof: yes("aof_enabled"),
            appends: ok("aof_last_write_status"),
            unsaved: count("rdb_changes_since_last_save"),
            saved_at: count("rdb_last_save_time").and_then(|s| i64::try_from(s).ok()),
            good_replicas: count("min_slaves_good_slaves").and_then(|n| u32::try_from(n).ok()),
            link_down: count("master_link_down_since_seconds"),
            writable_replica: yes("slave_read_only") == Some(false),
            loading: yes("loading") == Some(true),
            keys,
            clients: count("connected_clients").zip(count("maxclients")),
            errors,
        }
    }
}

#[cfg(test)]
mod tests;
