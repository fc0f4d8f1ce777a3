//! One ProxySQL, as its admin port describes it: hostgroups, backends, the monitor's checks, layers, clients.
//!
//! Filled by `live::proxysql` and by tests from recorded answers. Two facts decide how to read it: `SHUNNED` in the
//! writer hostgroup is normal for surplus writers, and a dead member is `ONLINE` in the offline hostgroup.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use imbl::Vector;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Freshness, ProxyName, Table, Trouble};

/// Readings kept for the sparklines.
const HISTORY: usize = 180;

/// One ProxySQL, and how well it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// Its admin address as configured, or `namespace/pod:port`.
    pub name: ProxyName,
    /// Whether it answers; `Live` since the last answer.
    pub link: Freshness,
    /// Why it does not answer, by kind.
    pub trouble: Option<Trouble>,
    /// Since when it has not answered.
    pub silent_since: Option<Timestamp>,
    /// What it last said.
    pub status: Option<Arc<ProxyStatus>>,
    /// The last readings, oldest first.
    pub history: Vector<ProxySample>,
}

/// One reading, for sparklines.
#[derive(Clone, Debug, PartialEq)]
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

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

/// The state of a backend in a hostgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Drift {
    /// `mysql_servers`, `mysql_query_rules`, `mysql_users`, `global_variables`.
    pub table: Arc<str>,
    /// The layers, such as `runtime and disk`.
    pub layers: Layers,
    /// What differs: servers, rule numbers, users, variable names. Never a value.
    pub what: Vec<Arc<str>>,
}

/// Two layers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    /// Edited, not loaded.
    MemoryRuntime,
    /// Loaded, not saved: gone after a restart.
    RuntimeDisk,
}

/// Sessions of clients on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// The hostgroup the session is routed to.
    pub hostgroup: u32,
    /// `host:port` of the backend it holds a connection on.
    pub address: Arc<str>,
    /// How many.
    pub sessions: u32,
}

/// A statement, with its literals taken out.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// `stats_mysql_processlist`, by hostgroup, backend and command: columns `sessions`, `longest_ms`.
    pub sessions: Table,
    /// `stats_mysql_errors`: columns `hostname`, `port`, `errno`, `count_star`, `last_seen`.
    pub errors: Option<Table>,
    /// Variables by name: `mysql-max_connections`, `mysql-monitor_galera_healthcheck_interval`, `admin-read_only`.
    pub variables: Option<Table>,
    /// What differs, by table and layers: one column with what it is.
    pub drift: Option<Vec<(Arc<str>, Layers, Table)>>,
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
#[derive(Clone, Debug, PartialEq)]
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
    /// A proxy nothing is known of yet.
    pub fn new(name: ProxyName) -> Self {
        Self {
            name,
            link: Freshness::Connecting,
            trouble: None,
            silent_since: None,
            status: None,
            history: Vector::new(),
        }
    }

    /// The same proxy after it answered at `now`. What was not asked this time stays as it was.
    pub fn answered(&self, rows: &ProxyRows, now: Timestamp) -> Self {
        let status = ProxyStatus::from_rows(rows, self.status.as_deref(), now);
        let rates: Vec<f64> = status.backends.iter().filter_map(|b| b.query_rate).collect();
        let mut history = self.history.clone();
        history.push_back(ProxySample {
            at: now,
            clients: status.clients,
            queries: (!rates.is_empty()).then(|| rates.iter().sum()),
        });
        while history.len() > HISTORY {
            history.pop_front();
        }
        Self {
            name: self.name.clone(),
            link: Freshness::Live { since: now },
            trouble: None,
            silent_since: None,
            status: Some(Arc::new(status)),
            history,
        }
    }

    /// The same proxy after an attempt to ask it failed at `now`.
    pub fn failed(&self, trouble: Trouble, why: &str, now: Timestamp) -> Self {
        let mut proxy = self.clone();
        proxy.link = match &self.link {
            Freshness::Live { since } => Freshness::Stale { since: *since, why: why.into() },
            other => other.lost(now, why),
        };
        proxy.trouble = Some(trouble);
        proxy.silent_since = self.silent_since.or(Some(now));
        proxy
    }

    /// What it says now: nothing when it does not answer.
    pub fn now(&self) -> Option<&Arc<ProxyStatus>> {
        self.status.as_ref().filter(|_| self.link.is_live())
    }
}

impl ProxyStatus {
    fn from_rows(rows: &ProxyRows, before: Option<&Self>, now: Timestamp) -> Self {
        let address = |host: Option<&str>, port: Option<&str>| -> Arc<str> {
            format!("{}:{}", host.unwrap_or("?"), port.unwrap_or("?")).into()
        };
        let variable = |name: &str| rows.variables.as_ref().and_then(|t| t.value(name));
        let hostgroups = match &rows.hostgroups {
            Some(table) => table.lines().filter_map(|line| hostgroups(&line)).collect(),
            None => before.map(|b| b.hostgroups.clone()).unwrap_or_default(),
        };
        let drift = match &rows.drift {
            Some(found) => Some(drift(found)),
            None => before.and_then(|b| b.drift.clone()),
        };
        let checksums = match &rows.checksums {
            Some(table) => table
                .lines()
                .filter(|line| line.text("name") != Some("mysql_servers"))
                .filter_map(|line| Some((line.text("name")?.into(), line.text("checksum")?.into())))
                .collect(),
            None => before.map(|b| b.checksums.clone()).unwrap_or_default(),
        };
        let digests = match &rows.digests {
            Some(table) => table.lines().filter_map(|line| digest(&line)).collect(),
            None => before.map(|b| b.digests.clone()).unwrap_or_default(),
        };
        let mut pinned = Vec::new();
        let mut waiting = (0, 0);
        for line in rows.sessions.lines() {
            let sessions = line.number("sessions").unwrap_or(0u32);
            match (line.number("hostgroup"), line.text("srv_host")) {
                (Some(hostgroup), Some(host)) => pinned.push(Pinned {
                    hostgroup,
                    address: address(Some(host), line.text("srv_port")),
                    sessions,
                }),
                _ if line.text("command") == Some("Connect") => {
                    waiting.0 += sessions;
                    waiting.1 = waiting.1.max(line.number("longest_ms").unwrap_or(0));
                }
                _ => {}
            }
        }
        let refusals = match &rows.errors {
            Some(table) => refusals(table, address),
            None => before.map(|b| b.refusals.clone()).unwrap_or_default(),
        };
        let monitor_denied = match &rows.connects {
            Some(table) => denied(table, address),
            None => before.and_then(|b| b.monitor_denied.clone()),
        };
        let mut status = Self {
            at: now,
            took: rows.took,
            version: rows
                .version
                .clone()
                .or_else(|| Some(before?.version.clone()))
                .unwrap_or_else(|| "".into()),
            admin: rows.servers.is_some(),
            read_only: variable("admin-read_only")
                .map(|v| v == "true")
                .or_else(|| before.and_then(|b| b.read_only)),
            uptime: rows.global.amount("ProxySQL_Uptime"),
            hostgroups,
            backends: backends(rows, address),
            servers: servers(rows, address),
            rows_since: BTreeMap::new(),
            checks: checks(&rows.checks, address),
            check_every: variable("mysql-monitor_galera_healthcheck_interval")
                .and_then(|ms| ms.parse().ok().map(Duration::from_millis))
                .or_else(|| before.and_then(|b| b.check_every)),
            monitor_denied,
            clients: rows.global.amount("Client_Connections_connected"),
            max_clients: variable("mysql-max_connections")
                .and_then(|n| n.parse().ok())
                .or_else(|| before.and_then(|b| b.max_clients)),
            waiting,
            pinned,
            refusals,
            drift,
            checksums,
            digests,
            checked_since: now,
            writers_since: now,
        };
        status.rows_since = status.addresses().into_iter().map(|a| (a, now)).collect();
        if let Some(before) = before {
            status.follow(before);
        }
        status
    }

    fn follow(&mut self, before: &Self) {
        let interval = self.at.duration_since(before.at).as_secs_f64();
        let rate = |now: u64, then: u64| {
            // The counters start again whenever the row is made anew.
            let growth = now.checked_sub(then)?;
            (interval >= 0.05).then(|| growth as f64 / interval)
        };
        for backend in &mut self.backends {
            let same = |b: &&Backend| b.hostgroup == backend.hostgroup && b.address == backend.address;
            if let Some(then) = before.backends.iter().find(same) {
                backend.query_rate = rate(backend.queries, then.queries);
                backend.error_rate = rate(backend.errors, then.errors);
            }
        }
        let newest = |s: &Self| s.checks.iter().map(|c| c.at).max();
        if newest(self) == newest(before) {
            self.checked_since = before.checked_since;
        }
        if self.online_writers(&self.hostgroups) == before.online_writers(&before.hostgroups) {
            self.writers_since = before.writers_since;
        }
        for (address, since) in &before.rows_since {
            let since = match self.rows_of(address) == before.rows_of(address) {
                true => *since,
                false => self.at,
            };
            self.rows_since.insert(address.clone(), since);
        }
    }

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

    /// What runs here and differs there, by the names of their checksums; not what belongs to each alone.
    pub fn differs(&self, other: &Self) -> Vec<&str> {
        let own = |name: &&str| ["admin_variables", "proxysql_servers"].contains(name);
        self.checksums
            .iter()
            .filter(|(name, sum)| other.checksums.get(*name).is_some_and(|theirs| theirs != *sum))
            .map(|(name, _)| &**name)
            .filter(|name| !own(name))
            .collect()
    }

    /// A backend's row in a hostgroup.
    pub fn backend(&self, hostgroup: u32, address: &str) -> Option<&Backend> {
        self.backends.iter().find(|b| b.hostgroup == hostgroup && &*b.address == address)
    }
}

type Address = fn(Option<&str>, Option<&str>) -> Arc<str>;

fn hostgroups(line: &super::table::Line<'_>) -> Option<Hostgroups> {
    Some(Hostgroups {
        writer: line.number("writer_hostgroup")?,
        backup: line.number("backup_writer_hostgroup")?,
        reader: line.number("reader_hostgroup")?,
        offline: line.number("offline_hostgroup")?,
        active: line.text("active") != Some("0"),
        max_writers: line.number("max_writers").unwrap_or(1),
        writer_is_also_reader: line.number("writer_is_also_reader").unwrap_or(0),
        max_transactions_behind: line.number("max_transactions_behind").unwrap_or(0),
    })
}

fn status_of(text: Option<&str>) -> Option<BackendStatus> {
    Some(match text?.to_ascii_uppercase().as_str() {
        "ONLINE" => BackendStatus::Online,
        "OFFLINE_SOFT" => BackendStatus::OfflineSoft,
        "OFFLINE_HARD" => BackendStatus::OfflineHard,
        // SHUNNED and its kinds, such as SHUNNED_REPLICATION_LAG.
        shunned if shunned.starts_with("SHUNNED") => BackendStatus::Shunned,
        _ => return None,
    })
}

/// The pool's rows with what the servers table adds; without the pool's row, the server's alone.
fn backends(rows: &ProxyRows, address: Address) -> Vec<Backend> {
    let mut all = BTreeMap::new();
    for line in rows.servers.iter().flat_map(Table::lines) {
        let (Some(hostgroup), Some(status)) = (line.number("hostgroup_id"), status_of(line.text("status")))
        else {
            continue;
        };
        let backend = Backend {
            hostgroup,
            address: address(line.text("hostname"), line.text("port")),
            status,
            weight: line.number("weight"),
            max_connections: line.number("max_connections"),
            used: 0,
            free: 0,
            errors: 0,
            queries: 0,
            query_rate: None,
            error_rate: None,
            latency_us: None,
        };
        all.insert((hostgroup, backend.address.clone()), backend);
    }
    for line in rows.pool.lines() {
        let (Some(hostgroup), Some(status)) = (line.number("hostgroup"), status_of(line.text("status")))
        else {
            continue;
        };
        let address = address(line.text("srv_host"), line.text("srv_port"));
        let new = Backend {
            hostgroup,
            address: address.clone(),
            status,
            weight: None,
            max_connections: None,
            used: 0,
            free: 0,
            errors: 0,
            queries: 0,
            query_rate: None,
            error_rate: None,
            latency_us: None,
        };
        // A row of the pool that the servers no longer have is only being emptied.
        let backend = match rows.servers {
            Some(_) => match all.get_mut(&(hostgroup, address)) {
                Some(backend) => backend,
                None => continue,
            },
            None => all.entry((hostgroup, address)).or_insert(new),
        };
        backend.used = line.number("ConnUsed").unwrap_or(0);
        backend.free = line.number("ConnFree").unwrap_or(0);
        backend.errors = line.number("ConnERR").unwrap_or(0);
        backend.queries = line.number("Queries").unwrap_or(0);
        backend.latency_us = line.number("Latency_us");
    }
    all.into_values().collect()
}

/// What is configured of each backend. A row that is only being emptied is no configuration.
fn servers(rows: &ProxyRows, address: Address) -> Vec<ServerRow> {
    let mut all: Vec<ServerRow> = rows
        .servers
        .iter()
        .flat_map(Table::lines)
        .filter(|line| status_of(line.text("status")) != Some(BackendStatus::OfflineHard))
        .filter_map(|line| {
            Some(ServerRow {
                hostgroup: line.number("hostgroup_id")?,
                address: address(line.text("hostname"), line.text("port")),
                gtid_port: line.number("gtid_port").unwrap_or(0),
                weight: line.number("weight").unwrap_or(1),
                compression: line.number("compression").unwrap_or(0),
                max_connections: line.number("max_connections").unwrap_or(1000),
                max_replication_lag: line.number("max_replication_lag").unwrap_or(0),
                use_ssl: line.number::<u32>("use_ssl").unwrap_or(0) != 0,
                max_latency_ms: line.number("max_latency_ms").unwrap_or(0),
                comment: line.text("comment").unwrap_or_default().into(),
            })
        })
        .collect();
    all.sort();
    all
}

/// The newest check of each backend.
fn checks(table: &Table, address: Address) -> Vec<MonitorCheck> {
    let mut newest: BTreeMap<Arc<str>, (i64, MonitorCheck)> = BTreeMap::new();
    for line in table.lines() {
        let Some(micros) = line.number::<i64>("time_start_us") else { continue };
        let Ok(at) = Timestamp::from_microsecond(micros) else { continue };
        let address = address(line.text("hostname"), line.text("port"));
        if newest.get(&address).is_some_and(|(then, _)| *then >= micros) {
            continue;
        }
        let error: Option<Arc<str>> = line.text("error").filter(|e| !e.is_empty()).map(Into::into);
        // Beside an error the other columns are only fillers.
        let ok = error.is_none();
        let check = MonitorCheck {
            address: address.clone(),
            at,
            primary: line.text("primary_partition").filter(|_| ok).map(|p| p == "YES"),
            local_state: line.number("wsrep_local_state").filter(|_| ok),
            queue: line.number("wsrep_local_recv_queue").filter(|_| ok),
            error,
        };
        newest.insert(address, (micros, check));
    }
    newest.into_values().map(|(_, check)| check).collect()
}

/// Where the newest attempt of the monitor to log in was denied.
fn denied(table: &Table, address: Address) -> Option<(Arc<str>, Arc<str>)> {
    let mut newest: BTreeMap<Arc<str>, (i64, Option<Arc<str>>)> = BTreeMap::new();
    for line in table.lines() {
        let Some(micros) = line.number::<i64>("time_start_us") else { continue };
        let address = address(line.text("hostname"), line.text("port"));
        if newest.get(&address).is_none_or(|(then, _)| *then < micros) {
            newest.insert(address, (micros, line.text("connect_error").map(Into::into)));
        }
    }
    newest.into_iter().find_map(|(address, (_, error))| {
        let error = error.filter(|e| e.contains("Access denied"))?;
        Some((address, error))
    })
}

fn refusals(table: &Table, address: Address) -> BTreeMap<Arc<str>, (u64, i64)> {
    let mut all = BTreeMap::new();
    for line in table.lines().filter(|line| line.text("errno") == Some("1047")) {
        let entry = all.entry(address(line.text("hostname"), line.text("port"))).or_insert((0, 0));
        entry.0 += line.number::<u64>("count_star").unwrap_or(0);
        entry.1 = entry.1.max(line.number("last_seen").unwrap_or(0));
    }
    all
}

fn drift(found: &[(Arc<str>, Layers, Table)]) -> Vec<Drift> {
    let mut all: Vec<_> = found
        .iter()
        .filter(|(_, _, rows)| !rows.is_empty())
        .map(|(table, layers, rows)| {
            let what: BTreeSet<Arc<str>> =
                rows.lines().filter_map(|line| line.text("what").map(Into::into)).collect();
            Drift { table: table.clone(), layers: *layers, what: what.into_iter().collect() }
        })
        .collect();
    all.sort();
    all
}

fn digest(line: &super::table::Line<'_>) -> Option<Digest> {
    let words: Vec<_> = line.text("digest_text")?.split_whitespace().collect();
    Some(Digest {
        hostgroup: line.number("hostgroup")?,
        text: words.join(" ").chars().take(200).collect::<String>().into(),
        schema: line.text("schemaname").unwrap_or_default().into(),
        count: line.number("count_star").unwrap_or(0),
        total_us: line.number("sum_time").unwrap_or(0),
    })
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
