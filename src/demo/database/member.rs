//! One simulated Galera member: what it is and what it believes. Pure. How it says so in status and system variables is in
//! `variables`; membership, quorum and replication are in `galera`, the words of an SQL client in `mysqld`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// How the server process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Serving.
    Running,
    /// Stopped by SIGSTOP: the kernel still completes TCP connections, nobody answers.
    Frozen,
    /// Starting, or receiving a state transfer: the SQL port refuses.
    Starting,
    /// Not there. `clean` after an orderly shutdown, which leaves its position in `grastate.dat`.
    Stopped {
        /// Whether it was shut down in order.
        clean: bool,
    },
}

/// Whether the provider takes part in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Connected to a component, primary or not.
    Connected,
    /// Left on purpose: `wsrep_cluster_address=''`.
    Left,
    /// Expelled by the vote after its data differed.
    Inconsistent,
}

/// `wsrep_local_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// 0: in no primary component.
    Initialized = 0,
    /// 1: receiving or applying a state transfer.
    Joining = 1,
    /// 2: donating, or desynced by hand, by FTWRL or by an RSU change.
    Donor = 2,
    /// 3: has the state, catching up.
    Joined = 3,
    /// 4: in sync.
    Synced = 4,
    /// 5: expelled.
    Inconsistent = 5,
}

/// A view of the group as one member holds it. Frozen and cut off members hold old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Whether it is the primary component.
    pub primary: bool,
    /// Positions of the members in `Galera::members`, ascending.
    pub members: Vec<usize>,
    /// `wsrep_cluster_conf_id`; meaningless when not primary.
    pub conf_id: u64,
}

/// `wsrep_reject_queries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Serve.
    None,
    /// Answer 1047 to everything that needs a table.
    All,
    /// The same, and close the connections that exist.
    AllKill,
}

/// What an SQL session holds that stops the applier of its member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// FLUSH TABLES WITH READ LOCK: desyncs the member, so it lags instead of throttling the others.
    ReadLock,
    /// LOCK TABLES ... WRITE: does not desync, so flow control stops the whole cluster.
    TableLock(String),
}

/// A connection, as the processlist shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: String,
    /// From where, `address:port`.
    pub host: String,
    /// Default schema.
    pub database: Option<String>,
    /// World milliseconds of its last statement.
    pub since: u64,
    /// What it holds.
    pub hold: Option<Hold>,
}

/// A schema change under RSU: this member alone, desynced.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The statement.
    pub statement: String,
    /// World milliseconds of its start.
    pub started: u64,
    /// Milliseconds it takes.
    pub length: u64,
}

impl Change {
    /// Percent done at `now`, 0 to 100.
    pub fn progress(&self, now: u64) -> f64 {
        (now.saturating_sub(self.started) as f64 / self.length.max(1) as f64 * 100.0).min(100.0)
    }
}

/// The counters of `SHOW GLOBAL STATUS LIKE 'wsrep_%'` and the few others a cockpit reads; all since start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Write-sets this member sent.
    pub replicated: u64,
    /// Their bytes.
    pub replicated_bytes: u64,
    /// Write-sets and control messages this member received.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Transactions committed by clients of this member.
    pub local_commits: u64,
    /// Lost in certification.
    pub cert_failures: u64,
    /// Aborted by a replicated transaction.
    pub bf_aborts: u64,
    /// Nanoseconds replication stood still for flow control.
    pub paused_ns: u64,
    /// The same at the last FLUSH STATUS.
    pub paused_ns_flushed: u64,
    /// Pause messages sent and received since the last FLUSH STATUS.
    pub fc_sent: u64,
    /// See `fc_sent`.
    pub fc_recv: u64,
    /// Longest receive queue since the last FLUSH STATUS.
    pub queue_max: u64,
    /// Sum and number of samples of the receive queue since the last FLUSH STATUS.
    pub queue_sum: f64,
    /// See `queue_sum`.
    pub queue_samples: f64,
    /// Statements of clients.
    pub selects: u64,
    /// Bytes to clients.
    pub bytes_sent: u64,
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// `wsrep_node_name`.
    pub name: String,
    /// Where clients reach it.
    pub address: SocketAddr,
    /// The process.
    pub process: Process,
    /// The provider.
    pub provider: Provider,
    /// The last view it was told.
    pub view: View,
    /// The last primary view it was in, for merging again after a split.
    pub last_primary: View,
    /// Its local state, apart from donating and desync: see [`Member::local_state`].
    pub state: State,
    /// `pc.weight`.
    pub weight: u64,
    /// History it belongs to; empty when it has none (expelled, or never joined).
    pub history: String,
    /// Position: the last write-set applied.
    pub committed: u64,
    /// The last write-set received; the receive queue is what lies between.
    pub received: u64,
    /// `SET GLOBAL wsrep_desync=ON`.
    pub desync: bool,
    /// Statements that set `wsrep_desync` and wait behind an applier that waits for a lock: world milliseconds of their
    /// begin, and the value. They go on when the client is long gone.
    pub pending_desync: Vec<(u64, bool)>,
    /// Reasons to be desynced that nothing takes back but a restart: of several such statements all but one.
    pub desync_left: u64,
    /// The joiner it donates to.
    pub donating: Option<usize>,
    /// A schema change under RSU.
    pub rsu: Option<Change>,
    /// `wsrep_reject_queries`.
    pub reject: Reject,
    /// `read_only`.
    pub read_only: bool,
    /// `wsrep_sst_donor_rejects_queries`.
    pub donor_rejects: bool,
    /// Write-sets a second its appliers manage.
    pub apply_rate: f64,
    /// `gcache.size` in bytes.
    pub gcache: u64,
    /// Members of different partitions do not hear each other.
    pub partition: u32,
    /// Woken, and not yet aware that the others went on without it.
    pub stale: bool,
    /// It asks the others to pause.
    pub requests_pause: bool,
    /// Replication is paused.
    pub paused: bool,
    /// World milliseconds at which its peers begin to suspect somebody; `evs_state` says GATHER from then on.
    pub gather_at: Option<u64>,
    /// World milliseconds of its start.
    pub started: u64,
    /// Identity of its present membership.
    pub gcomm: String,
    /// Its counters.
    pub counters: Counters,
    /// Open connections by id.
    pub sessions: BTreeMap<u64, Session>,
    /// System variables set at run time that have no meaning for the simulation.
    pub set: BTreeMap<String, String>,
    /// `version`.
    pub version: String,
}

/// The uuid of no history.
pub(super) const NO_HISTORY: &str = "00000000-0000-0000-0000-000000000000";
/// Average bytes of a write-set; with the recorded 1887 of the lab.
pub(super) const WRITE_SET: u64 = 1900;
impl Member {
    /// Write-sets waiting to be applied.
    pub fn queue(&self) -> u64 {
        self.received.saturating_sub(self.committed)
    }

    /// How many reasons there are not to slow the cluster down: `wsrep_desync_count`.
    pub fn desync_count(&self) -> u64 {
        let read_lock = self.sessions.values().any(|s| s.hold == Some(Hold::ReadLock));
        [self.desync, self.donating.is_some(), self.rsu.is_some(), read_lock]
            .into_iter()
            .filter(|b| *b)
            .count() as u64
            + self.desync_left
    }

    /// An applier waits for a lock that a session holds.
    pub fn applier_blocked(&self) -> bool {
        self.sessions.values().any(|s| matches!(s.hold, Some(Hold::TableLock(_)))) && self.queue() > 0
    }

    /// `wsrep_local_state`.
    pub fn local_state(&self) -> State {
        match self.state {
            State::Synced if self.desync_count() > 0 => State::Donor,
            state => state,
        }
    }

    /// Whether it answers SQL clients with data: `wsrep_ready`.
    pub fn ready(&self) -> bool {
        self.provider == Provider::Connected && self.view.primary && self.state == State::Synced
    }

    /// Oldest write-set in the gcache: `wsrep_local_cached_downto`. A joiner just before it needs a full copy.
    pub fn cached_downto(&self) -> u64 {
        self.received.saturating_sub(self.gcache / WRITE_SET).max(1)
    }

    /// `grastate.dat` as it lies on the disk now. A running or crashed member shows -1.
    pub fn grastate(&self, last_to_leave: bool) -> String {
        let clean = self.process == Process::Stopped { clean: true };
        let uuid = if self.history.is_empty() { NO_HISTORY } else { &self.history };
        let seqno = if clean && !self.history.is_empty() { self.committed as i64 } else { -1 };
        format!(
            "# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   {seqno}\nsafe_to_bootstrap: {}\n",
            u8::from(clean && last_to_leave)
        )
    }

    /// The line `mariadbd --wsrep-recover` would write, or `None` while the process runs.
    pub fn recovered(&self) -> Option<String> {
        let Process::Stopped { .. } = self.process else { return None };
        let position = match self.history.as_str() {
            "" => format!("{NO_HISTORY}:-1"),
            uuid => format!("{uuid}:{}", self.committed),
        };
        Some(format!("[Note] WSREP: Recovered position: {position}"))
    }

    /// Positions of the members it believes to be with.
    pub(super) fn believed(&self) -> BTreeSet<usize> {
        self.view.members.iter().copied().collect()
    }
}
