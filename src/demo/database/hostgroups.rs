//! ProxySQL's runtime: backends in hostgroups, the Galera monitor with its election of the writer, the connection
//! pool and the traffic through it. Pure. Rules read in ProxySQL 2.7.1 and checked against recorded failovers.

use std::collections::{BTreeMap, BTreeSet};

use super::noise::Noise;

mod check;
mod traffic;

/// Status of a backend in one hostgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Takes traffic.
    Online,
    /// Takes none for now: surplus writer, or errors.
    Shunned,
    /// Takes no new traffic. The Galera monitor undoes it at its next check.
    OfflineSoft,
    /// On its way out; only connections in use are left.
    OfflineHard,
}

impl Status {
    /// As the tables spell it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Online => "ONLINE",
            Status::Shunned => "SHUNNED",
            Status::OfflineSoft => "OFFLINE_SOFT",
            Status::OfflineHard => "OFFLINE_HARD",
        }
    }

    /// From the memory layer. SHUNNED is a state of the runtime: loading it gives ONLINE.
    pub fn loaded(word: &str) -> Status {
        match word.to_ascii_uppercase().as_str() {
            "OFFLINE_SOFT" => Status::OfflineSoft,
            "OFFLINE_HARD" => Status::OfflineHard,
            _ => Status::Online,
        }
    }
}

/// Counters of the connection pool of one backend in one hostgroup; they begin again when the row does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Connections in use.
    pub used: u64,
    /// Connections open and idle.
    pub free: u64,
    /// Connections made.
    pub ok: u64,
    /// Connections that failed.
    pub err: u64,
    /// Most in use at once.
    pub max_used: u64,
    /// Statements sent.
    pub queries: u64,
    /// Bytes to the backend.
    pub sent: u64,
    /// Bytes from the backend.
    pub received: u64,
}

/// A row of `runtime_mysql_servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Hostgroup.
    pub hostgroup: i64,
    /// Host.
    pub hostname: String,
    /// Port.
    pub port: u16,
    /// Status.
    pub status: Status,
    /// Weight: share of reads, and rank as a writer.
    pub weight: i64,
    /// Most connections from this proxy.
    pub max_connections: i64,
    /// gtid_port, compression, max_replication_lag, use_ssl, max_latency_ms: carried, never used.
    pub others: [i64; 5],
    /// Comment.
    pub comment: String,
    /// Its pool.
    pub pool: Pool,
}

/// Host and port of a backend.
pub type Place = (String, u16);

impl Backend {
    /// Host and port.
    pub fn place(&self) -> Place {
        (self.hostname.clone(), self.port)
    }
}

/// A row of `mysql_galera_hostgroups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Hostgroup of the writer, and of the surplus writers as SHUNNED.
    pub writer: i64,
    /// Hostgroup of the surplus writers as ONLINE.
    pub backup: i64,
    /// Hostgroup of the readers.
    pub reader: i64,
    /// Hostgroup of those that are out; they are ONLINE there.
    pub offline: i64,
    /// Whether the monitor acts.
    pub active: bool,
    /// Most writers at once.
    pub max_writers: i64,
    /// 0 no, 1 the writer reads too, 2 the surplus writers read.
    pub also_reader: i64,
    /// Receive queue above which a read-only member goes out.
    pub max_behind: u64,
}

/// What one check of one member gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An existing connection broke, or a new one was refused.
    Failed(String),
    /// No answer in time.
    TimedOut,
    /// An answer.
    Reply {
        /// `wsrep_cluster_status` is Primary.
        primary: bool,
        /// `read_only`.
        read_only: bool,
        /// `wsrep_local_recv_queue`.
        queue: u64,
        /// `wsrep_local_state`.
        state: u8,
        /// `wsrep_desync`.
        desync: bool,
        /// `wsrep_reject_queries` is not NONE.
        reject: bool,
        /// `wsrep_sst_donor_rejects_queries`.
        donor_rejects: bool,
    },
}

/// How a member treats a client that comes through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Reads and writes.
    Full,
    /// Reads; a commit waits.
    Stalled,
    /// Connects and answers 1047.
    Refusing,
    /// Accepts connections and never answers.
    Hanging,
    /// Refuses connections.
    Gone,
}

/// A row of `stats_mysql_errors`, by hostgroup, place and error number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How often.
    pub count: u64,
    /// World milliseconds, first and last.
    pub seen: (u64, u64),
    /// The last message.
    pub text: String,
}

/// The runtime.
#[derive(Clone, Debug)]
pub struct Hostgroups {
    /// Every backend in every hostgroup, in the order of creation.
    pub backends: Vec<Backend>,
    /// The Galera hostgroups.
    pub roles: Vec<Roles>,
    /// Errors by hostgroup, place and number.
    pub failures: BTreeMap<(i64, Place, u16), Failure>,
    /// Client connections of this proxy.
    pub clients: u64,
    /// World milliseconds since which clients wait for a hostgroup without backends, and the hostgroup.
    pub waiting: Option<(u64, i64)>,
    /// Clients that gave up waiting (error 9001).
    pub gave_up: u64,
    /// Clients that lost their connection to what was loaded or to a member that was taken out.
    pub cut: u64,
    /// Statements of clients, reads and writes.
    pub questions: (u64, u64),
    /// Sessions that keep the connection they have, as in a transaction, by hostgroup and place.
    pub pinned: BTreeMap<(i64, Place), u64>,
    /// World milliseconds, as of the last tick.
    clock: u64,
    /// Since when rows are OFFLINE_HARD after a LOAD.
    gone: BTreeMap<(i64, Place), u64>,
    /// Rows as they were loaded: the monitor leaves them where they are when it makes a backend the writer.
    loaded: BTreeSet<(i64, Place)>,
    missed: BTreeMap<Place, u32>,
    noise: Noise,
}

impl Hostgroups {
    /// A runtime without backends.
    pub fn new(seed: u64) -> Hostgroups {
        Hostgroups {
            backends: Vec::new(),
            roles: Vec::new(),
            failures: BTreeMap::new(),
            clients: 24,
            waiting: None,
            gave_up: 0,
            cut: 0,
            questions: (0, 0),
            pinned: BTreeMap::new(),
            clock: 0,
            gone: BTreeMap::new(),
            loaded: BTreeSet::new(),
            missed: BTreeMap::new(),
            noise: Noise::new(seed),
        }
    }

    /// `LOAD MYSQL SERVERS TO RUNTIME`: exactly these rows. What is not among them goes; what is in use goes last.
    /// What went stays as OFFLINE_HARD, with its weight, until it is purged: the monitor may make it live again.
    pub fn load(&mut self, rows: Vec<Backend>, roles: Vec<Roles>) {
        self.purge();
        let key = |b: &Backend| (b.hostgroup, b.place());
        let wanted: BTreeSet<_> = rows.iter().filter(|b| b.status != Status::OfflineHard).map(key).collect();
        let named: BTreeSet<_> = rows.iter().map(key).collect();
        let reads = |this: &Hostgroups| {
            let reader = this.roles.first().map(|r| r.reader);
            this.backends.iter().any(|b| Some(b.hostgroup) == reader && b.status == Status::Online)
        };
        let had_readers = reads(self);
        for old in &mut self.backends {
            if !wanted.contains(&key(old)) {
                // Deleted rows drain; those that were put to OFFLINE_HARD are cut.
                if named.contains(&key(old)) && old.status != Status::OfflineHard {
                    self.cut += old.pool.used;
                }
                self.cut += self.pinned.remove(&key(old)).unwrap_or(0);
                (old.status, old.pool.free) = (Status::OfflineHard, 0);
                self.gone.insert(key(old), self.clock);
            }
        }
        for row in rows {
            if row.status == Status::OfflineHard {
                continue;
            }
            match self.backends.iter_mut().find(|b| b.status != Status::OfflineHard && key(b) == key(&row)) {
                Some(old) => *old = Backend { pool: std::mem::take(&mut old.pool), ..row },
                None => self.backends.push(row),
            }
        }
        self.roles = roles;
        self.loaded = wanted;
        if had_readers && !reads(self) {
            self.cut += self.clients;
        }
    }

    /// Rows on their way out end with their last used connection. Reading `runtime_mysql_servers` does it, and a LOAD
    /// before all else.
    pub fn purge(&mut self) {
        self.backends.retain(|b| b.status != Status::OfflineHard || b.pool.used > 0);
    }

    /// The backend clients write to, if there is one.
    pub fn writer(&self) -> Option<&Backend> {
        let roles = self.roles.first()?;
        self.backends.iter().find(|b| b.hostgroup == roles.writer && b.status == Status::Online)
    }

    /// The hosts the monitor checks.
    pub fn monitored(&self) -> Vec<Place> {
        let places: BTreeSet<_> =
            self.backends.iter().filter(|b| b.status != Status::OfflineHard).map(Backend::place).collect();
        places.into_iter().collect()
    }
}
