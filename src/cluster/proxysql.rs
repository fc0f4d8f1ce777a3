//! One ProxySQL, as its admin port describes it: hostgroups, backends, the monitor's checks, layers, clients.
//!
//! Filled by `live::database` and by tests from recorded answers. Two facts decide how to read it: `SHUNNED` in the
//! writer hostgroup is normal for surplus writers, and a dead member is `ONLINE` in the offline hostgroup.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Endpoint, ProxyName, Table};

mod reading;

/// The checksum of the servers as they were loaded.
pub(super) const SERVERS: &str = "mysql_servers_v2";

/// One ProxySQL, and how well it is known.
pub type Proxy = Endpoint<ProxyName, ProxyStatus, ProxySample>;

/// One reading, for sparklines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxySample {
    /// When it was read.
    pub at: Timestamp,
    /// Client connections.
    pub clients: Option<u32>,
    /// Queries a second, of all backends.
    pub queries: Option<f64>,
}

/// What the hostgroups of one Galera cluster are for (`mysql_galera_hostgroups`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hostgroups {
    /// Takes the writes.
    pub writer: u32,
    /// Writers in waiting.
    pub backup: u32,
    /// Takes the reads.
    pub reader: u32,
    /// Out of service.
    pub offline: u32,
    /// The monitor moves members by itself.
    #[serde(default = "yes")]
    pub active: bool,
    /// How many write at once.
    #[serde(default = "one")]
    pub max_writers: u32,
    /// 0: writers do not read, 1: they do, 2: only the writers in waiting do.
    #[serde(default)]
    pub writer_is_also_reader: u8,
    /// How far a read-only member may be behind.
    #[serde(default)]
    pub max_transactions_behind: u64,
}

impl Hostgroups {
    /// It is one of these four.
    pub fn has(&self, hostgroup: u32) -> bool {
        [self.writer, self.backup, self.reader, self.offline].contains(&hostgroup)
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

/// The state of a backend in a hostgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BackendStatus {
    /// In use.
    Online,
    /// Not used: a surplus writer, or too many errors.
    Shunned,
    /// No new connections.
    OfflineSoft,
    /// Gone; its connections are being closed.
    OfflineHard,
}

/// A row of `mysql_servers`: all columns but the state, so that it can be put back as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerRow {
    /// `hostgroup_id`.
    pub hostgroup: u32,
    /// `host:port`.
    pub address: Arc<str>,
    /// `gtid_port`.
    #[serde(default)]
    pub gtid_port: u32,
    /// `weight`.
    pub weight: u64,
    /// `compression`.
    #[serde(default)]
    pub compression: u32,
    /// `max_connections`.
    pub max_connections: u32,
    /// `max_replication_lag`.
    #[serde(default)]
    pub max_replication_lag: u32,
    /// `use_ssl`.
    #[serde(default)]
    pub use_ssl: bool,
    /// `max_latency_ms`.
    #[serde(default)]
    pub max_latency_ms: u32,
    /// `comment`.
    #[serde(default)]
    pub comment: Arc<str>,
}

impl ServerRow {
    /// Whether rows say the same of a backend, wherever the monitor has moved it: the hostgroup is not compared.
    pub fn alike(one: &[Self], other: &[Self]) -> bool {
        let what = |rows: &[Self]| -> BTreeSet<Self> {
            rows.iter().map(|r| Self { hostgroup: 0, ..r.clone() }).collect()
        };
        what(one) == what(other)
    }
}

/// A backend in one hostgroup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// The hostgroup.
    pub hostgroup: u32,
    /// `host:port`, as ProxySQL knows it.
    pub address: Arc<str>,
    /// Its state there.
    pub status: BackendStatus,
    /// Its weight: the next writer is the heaviest. `None` with the stats user's rights.
    pub weight: Option<u64>,
    /// `max_connections`. `None` with the stats user's rights.
    pub max_connections: Option<u32>,
    /// Connections in use.
    pub used: u32,
    /// Connections at rest in the pool.
    pub free: u32,
    /// Connection errors since the row was made.
    pub errors: u64,
    /// Queries since the row was made.
    pub queries: u64,
    /// Queries a second.
    pub query_rate: Option<f64>,
    /// Connection errors a second.
    pub error_rate: Option<f64>,
    /// The last ping of the monitor, in microseconds.
    pub latency_us: Option<u64>,
}

/// The newest check of a backend by the Galera monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorCheck {
    /// `host:port`.
    pub address: Arc<str>,
    /// When, by the proxy's clock.
    pub at: Timestamp,
    /// `primary_partition`; `None` when the check failed.
    pub primary: Option<bool>,
    /// `wsrep_local_state`; `None` when the check failed.
    pub local_state: Option<u8>,
    /// `wsrep_local_recv_queue`.
    pub queue: Option<u64>,
    /// Why it failed.
    pub error: Option<Arc<str>>,
}

/// Which configuration differs between two layers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Drift {
    /// `mysql_servers`, `mysql_query_rules`, `mysql_users`, `global_variables`.
    pub table: Arc<str>,
    /// The layers, such as `runtime and disk`.
    pub layers: Layers,
    /// What differs: servers, rule numbers, users, variable names. Never a value.
    pub what: Vec<Arc<str>>,
}

/// Two layers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    /// Edited, not loaded.
    MemoryRuntime,
    /// Loaded, not saved: gone after a restart.
    RuntimeDisk,
}

/// Sessions of clients on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The hostgroup the session is routed to.
    pub hostgroup: u32,
    /// `host:port` of the backend it holds a connection on.
    pub address: Arc<str>,
    /// How many.
    pub sessions: u32,
    /// Whose they are.
    pub holders: Vec<Holder>,
}

/// Who holds connections: a user of the database, and the schema it is in, which is most often a tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub user: Arc<str>,
    /// The schema.
    pub schema: Arc<str>,
    /// How many sessions.
    pub sessions: u32,
}

/// A statement, with its literals taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Where it is routed.
    pub hostgroup: u32,
    /// The statement, cut to 200 characters.
    pub text: Arc<str>,
    /// The schema.
    pub schema: Arc<str>,
    /// How often it ran.
    pub count: u64,
    /// Microseconds it took, all together.
    pub total_us: u64,
}

/// The answers of a proxy, as they came. What is `None` was not asked this time, or may not be read.
#[derive(Clone, Debug, Default)]
pub struct ProxyRows {
    /// `runtime_mysql_servers`; `None` with the stats user's rights.
    pub servers: Option<Table>,
    /// `runtime_mysql_galera_hostgroups`; `None` with the stats user's rights.
    pub hostgroups: Option<Table>,
    /// `stats_mysql_connection_pool`.
    pub pool: Table,
    /// `monitor.mysql_server_galera_log`, newest rows.
    pub checks: Table,
    /// `monitor.mysql_server_connect_log`, newest rows.
    pub connects: Option<Table>,
    /// `stats_mysql_global`.
    pub global: Table,
    /// `stats_mysql_processlist`, by hostgroup, backend, command and holder: columns `holder`, `schema`, `sessions`,
    /// `longest_ms`. Of sessions without a backend the holder is not told.
    pub sessions: Table,
    /// `stats_mysql_errors`: columns `hostname`, `port`, `errno`, `count_star`, `last_seen`.
    pub errors: Option<Table>,
    /// Variables by name: `mysql-max_connections`, `mysql-monitor_galera_healthcheck_interval`, `admin-read_only`.
    pub variables: Option<Table>,
    /// What differs, by table and layers: one column with what it is.
    pub drift: Option<Vec<(Arc<str>, Layers, Table)>>,
    /// `disk.mysql_servers`.
    pub disk: Option<Table>,
    /// `runtime_checksums_values`.
    pub checksums: Option<Table>,
    /// `stats_mysql_query_digest`, the dearest of each hostgroup.
    pub digests: Option<Table>,
    /// `SELECT @@version`.
    pub version: Option<Arc<str>>,
    /// How long the answers took.
    pub took: Duration,
}

/// What a proxy said of itself at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// When.
    pub at: Timestamp,
    /// How long it took to answer.
    pub took: Duration,
    /// `SELECT @@version`.
    pub version: Arc<str>,
    /// The admin tables may be read; otherwise only statistics: roles and weights are not known from it.
    pub admin: bool,
    /// `admin-read_only`.
    pub read_only: Option<bool>,
    /// Seconds since it started.
    pub uptime: Option<u64>,
    /// What the hostgroups are for. Empty: no Galera hostgroups, or they may not be read.
    pub hostgroups: Vec<Hostgroups>,
    /// Every backend in every hostgroup.
    pub backends: Vec<Backend>,
    /// The servers as they run, all columns. Empty with the stats user's rights.
    pub servers: Vec<ServerRow>,
    /// Since when each backend's rows are what they are, hostgroup and state among them, as far as was seen. One that
    /// is gone stays listed.
    pub rows_since: BTreeMap<Arc<str>, Timestamp>,
    /// The newest check of every backend.
    pub checks: Vec<MonitorCheck>,
    /// How old the newest check is, by the proxy's own clock.
    pub check_age: Option<Duration>,
    /// `mysql-monitor_enabled`; `None`: not known.
    pub monitored: Option<bool>,
    /// How often the monitor checks, where it is known.
    pub check_every: Option<Duration>,
    /// The monitor cannot log in somewhere: the address, and what the server said.
    pub monitor_denied: Option<(Arc<str>, Arc<str>)>,
    /// Client connections now.
    pub clients: Option<u32>,
    /// `mysql-max_connections`.
    pub max_clients: Option<u32>,
    /// Sessions that wait for a backend connection, and for how many milliseconds the longest has.
    pub waiting: (u32, u64),
    /// Sessions that hold a connection, by hostgroup and backend.
    pub pinned: Vec<Pinned>,
    /// Errors 1047 (not part of a primary component) seen on backends: address, how often, last at (seconds).
    pub refusals: BTreeMap<Arc<str>, (u64, i64)>,
    /// What differs between its layers. `None`: not known.
    pub drift: Option<Vec<Drift>>,
    /// The servers on its disk, with which it starts again. `None`: not known.
    pub disk: Option<Vec<ServerRow>>,
    /// Checksums of what runs, by name. Only what is configured; not what the monitor moves.
    pub checksums: BTreeMap<Arc<str>, Arc<str>>,
    /// The dearest statements of each hostgroup.
    pub digests: Vec<Digest>,
    /// When a new check was last seen, by our clock: the proxy's may differ.
    pub checked_since: Timestamp,
    /// Since when the same backends are online writers, as far as was seen.
    pub writers_since: Timestamp,
}

impl Proxy {
    /// When the oldest reading that is kept was made: what began then or before may be older than it seems.
    pub fn first_read(&self) -> Option<Timestamp> {
        self.history.front().map(|reading| reading.at)
    }

    /// The same proxy after it answered at `now`. What was not asked this time stays as it was.
    pub fn answered(&self, rows: &ProxyRows, now: Timestamp) -> Self {
        let status = ProxyStatus::from_rows(rows, self.status.as_deref(), now);
        let rates: Vec<f64> = status.backends.iter().filter_map(|b| b.query_rate).collect();
        let reading = ProxySample {
            at: now,
            clients: status.clients,
            queries: (!rates.is_empty()).then(|| rates.iter().sum()),
        };
        self.told(status, reading, now)
    }
}

impl ProxyStatus {
    fn addresses(&self) -> BTreeSet<Arc<str>> {
        self.backends.iter().map(|b| b.address.clone()).collect()
    }

    /// All that is configured of a backend, and where it stands. What is only being emptied does not count.
    fn rows_of(&self, address: &str) -> BTreeSet<(u32, BackendStatus, Option<&ServerRow>)> {
        let row =
            |hostgroup| self.servers.iter().find(|r| r.hostgroup == hostgroup && &*r.address == address);
        let counts = |b: &&Backend| &*b.address == address && b.status != BackendStatus::OfflineHard;
        self.backends.iter().filter(counts).map(|b| (b.hostgroup, b.status, row(b.hostgroup))).collect()
    }

    /// The configured rows of a backend.
    pub fn servers_of(&self, address: &str) -> Vec<ServerRow> {
        self.servers.iter().filter(|r| &*r.address == address).cloned().collect()
    }

    /// The backends that take writes: `ONLINE` in the writer hostgroup.
    pub fn online_writers(&self, hostgroups: &[Hostgroups]) -> BTreeSet<Arc<str>> {
        let writes = |b: &&Backend| {
            b.status == BackendStatus::Online && hostgroups.iter().any(|g| g.writer == b.hostgroup)
        };
        self.backends.iter().filter(writes).map(|b| b.address.clone()).collect()
    }

    /// More backends than may take the writes of this cluster.
    pub fn writes_too_wide(&self, group: &Hostgroups) -> bool {
        self.online_writers(std::slice::from_ref(group)).len() > group.max_writers.max(1) as usize
    }

    /// Of several clusters those that some backend stands in, and one alone in any case: one that is prepared and has no
    /// backend yet, or was switched off and emptied, lacks nothing.
    pub fn in_use<'a>(&self, groups: &'a [Hostgroups]) -> impl Iterator<Item = &'a Hostgroups> {
        let stands =
            |b: &Backend, g: &Hostgroups| b.status != BackendStatus::OfflineHard && g.has(b.hostgroup);
        groups.iter().filter(move |g| groups.len() == 1 || self.backends.iter().any(|b| stands(b, g)))
    }

    /// What runs here and differs there, by the names of their checksums; not what belongs to each alone. The checksum
    /// of the servers says nothing: it is of the rows as they were loaded, in the hostgroups of that moment, which the
    /// monitor has changed since. The servers themselves are compared.
    pub fn differs(&self, other: &Self) -> Vec<&str> {
        let own = |name: &str| ["admin_variables", "proxysql_servers", SERVERS].contains(&name);
        let sums = self.checksums.iter();
        let sums = sums.filter(|(name, sum)| other.checksums.get(*name).is_some_and(|theirs| theirs != *sum));
        let mut all: Vec<_> = sums.map(|(name, _)| &**name).filter(|name| !own(name)).collect();
        if self.admin && other.admin && self.hostgroups != other.hostgroups {
            all.push("mysql_galera_hostgroups");
        }
        let addresses = self.servers.iter().chain(&other.servers).map(|row| &row.address);
        let alike = |a: &Arc<str>| ServerRow::alike(&self.servers_of(a), &other.servers_of(a));
        if self.admin && other.admin && !addresses.collect::<BTreeSet<_>>().into_iter().all(alike) {
            all.push("mysql_servers");
        }
        all
    }

    /// Servers on its disk that do not run: a save would forget them.
    pub fn only_on_disk(&self) -> BTreeSet<Arc<str>> {
        let runs = |row: &&ServerRow| self.servers.iter().any(|own| own.address == row.address);
        self.disk.iter().flatten().filter(|row| !runs(row)).map(|row| row.address.clone()).collect()
    }

    /// A backend's row in a hostgroup.
    pub fn backend(&self, hostgroup: u32, address: &str) -> Option<&Backend> {
        self.backends.iter().find(|b| b.hostgroup == hostgroup && &*b.address == address)
    }
}

impl std::fmt::Display for BackendStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Online => "ONLINE",
            Self::Shunned => "SHUNNED",
            Self::OfflineSoft => "OFFLINE_SOFT",
            Self::OfflineHard => "OFFLINE_HARD",
        })
    }
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::MemoryRuntime => "memory differs from runtime: edited, not loaded",
            Self::RuntimeDisk => "runtime differs from disk: loaded, not saved, gone after a restart",
        })
    }
}
