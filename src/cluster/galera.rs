//! One member of the Galera cluster, as it describes itself: what its status and variables say, and rates between two
//! readings.
//!
//! Filled by `live::database` and by tests from recorded answers. A member's own word is never enough to judge it (a
//! frozen one that woke claims to be in sync for seconds): [`super::database`] judges across members.
//!
//! Facts of the format: numbers may be missing (a disconnected provider leaves eight out), "none" is spelt
//! 18446744073709551615 or -1, and averages since start are of no use: only differences of counters are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Endpoint, MemberName, Table};

mod reading;
mod thread;

pub use thread::{SchemaChange, Session, Threads};

/// A UUID that says: no position known.
pub const ZERO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// One configured member, and how well it is known.
pub type Member = Endpoint<MemberName, Status, Sample>;

/// One reading, for sparklines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was read.
    pub at: Timestamp,
    /// Write-sets waiting to be applied.
    pub queue: u64,
    /// Share of the interval paused by flow control, 0 to 1.
    pub flow_control: Option<f64>,
    /// Transactions committed a second, cluster-wide.
    pub commits: Option<f64>,
    /// Bytes of write-sets a second.
    pub bytes: Option<f64>,
    /// Client connections.
    pub connections: Option<u32>,
}

/// `wsrep_local_state`: matched by number, the text varies by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalState {
    /// 0: not part of a primary component.
    Initialized,
    /// 1: waiting for or receiving its state.
    Joining,
    /// 2: donor, or desynced.
    Donor,
    /// 3: has its state, catching up.
    Joined,
    /// 4: in sync.
    Synced,
    /// 5: expelled, its data differ.
    Inconsistent,
    /// Not said, or a number not known.
    Unknown,
}

/// `wsrep_cluster_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Has a quorum.
    Primary,
    /// Has none.
    NonPrimary,
    /// The provider is not connected.
    Disconnected,
}

/// `wsrep_reject_queries`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reject {
    /// Queries are served.
    #[default]
    None,
    /// New statements are answered with an error.
    All,
    /// The same, and clients are cut off.
    AllKill,
}

/// Flow control, as the member sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowControl {
    /// Replication is paused at this moment.
    pub active: bool,
    /// This member asks for the pause.
    pub requested: bool,
    /// Nanoseconds paused since start: only differences mean something.
    pub paused_ns: u64,
    /// Pause messages this member has sent since start.
    pub sent: u64,
    /// Share of the last interval paused, 0 to 1.
    pub share: Option<f64>,
    /// Pause messages sent a second.
    pub sent_rate: Option<f64>,
}

/// What the member keeps for those that come back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gcache {
    /// `gcache.size`, in bytes.
    pub size: Option<u64>,
    /// First transaction still kept.
    pub from: Option<u64>,
    /// How many transactions are kept.
    pub transactions: Option<u64>,
    /// How long another member may be away before it needs a full copy, at the write rate of the last minutes.
    /// `None` when nothing is written or no rate is known yet.
    #[serde(serialize_with = "seconds")]
    pub window: Option<Duration>,
}

/// The same for recordings, to the nanosecond.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Gcache")]
struct PlainGcache {
    size: Option<u64>,
    from: Option<u64>,
    transactions: Option<u64>,
    window: Option<Duration>,
}

fn seconds<S: serde::Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|s| s.as_secs()).serialize(to)
}

/// A member as another one lists it (`mysql.wsrep_cluster_members`: the last *primary* view).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its node UUID.
    pub uuid: Arc<str>,
    /// `wsrep_node_name`.
    pub name: Arc<str>,
    /// `wsrep_node_incoming_address`.
    pub address: Arc<str>,
}

/// The answers of a member, as they came.
#[derive(Clone, Debug, Default)]
pub struct MemberRows {
    /// `SHOW GLOBAL STATUS`, at least `wsrep_%`.
    pub status: Table,
    /// `SHOW GLOBAL VARIABLES`, at least `wsrep_%`, `version`, `read_only`.
    pub variables: Table,
    /// `mysql.wsrep_cluster_members`, where it may be read.
    pub peers: Option<Table>,
    /// Threads at work, from `information_schema.processlist`.
    pub threads: Option<Table>,
    /// Sessions that may hold a lock an applier waits for: asked for only then.
    pub holders: Option<Table>,
    /// How long the answers took.
    pub took: Duration,
}

/// What a member said of itself at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When.
    pub at: Timestamp,
    /// How long it took to answer.
    pub took: Duration,
    /// `wsrep_node_name`, or `hostname`.
    pub node: Arc<str>,
    /// The addresses it goes by: incoming address, node address with its port, host name with its port.
    pub addresses: BTreeSet<Arc<str>>,
    /// A Galera provider is loaded and `wsrep_on`.
    pub galera: bool,
    /// `wsrep_local_state`.
    pub local_state: LocalState,
    /// `wsrep_local_state_comment`, as it came.
    pub comment: Arc<str>,
    /// `wsrep_cluster_status`.
    pub component: Component,
    /// `wsrep_ready`: it takes queries, as far as Galera is concerned.
    pub ready: bool,
    /// `wsrep_connected`: it has a connection to the group.
    pub connected: bool,
    /// `wsrep_cluster_size`.
    pub size: u32,
    /// `wsrep_cluster_state_uuid`: which history.
    pub cluster_uuid: Arc<str>,
    /// `wsrep_local_state_uuid`.
    pub local_uuid: Arc<str>,
    /// `wsrep_cluster_conf_id`: grows with every change of the primary view.
    pub conf_id: Option<u64>,
    /// `wsrep_gcomm_uuid`.
    pub gcomm_uuid: Arc<str>,
    /// `pc.weight` of this member.
    pub weight: u32,
    /// `wsrep_cluster_weight`: of the whole component.
    pub cluster_weight: Option<u32>,
    /// `wsrep_evs_state`, such as `OPERATIONAL` or `GATHER`.
    pub evs_state: Arc<str>,
    /// `wsrep_last_committed`.
    pub last_committed: Option<u64>,
    /// Transactions committed a second.
    pub commits: Option<f64>,
    /// Write-sets waiting to be applied.
    pub receive_queue: u64,
    /// Write-sets waiting to be sent.
    pub send_queue: u64,
    /// Flow control.
    pub flow: FlowControl,
    /// Certification failures since start, and a second.
    pub cert_failures: (u64, Option<f64>),
    /// Local transactions aborted by replicated ones since start, and a second.
    pub bf_aborts: (u64, Option<f64>),
    /// Bytes of write-sets replicated and received since start.
    pub bytes: u64,
    /// What it keeps for those that come back.
    #[serde(with = "PlainGcache")]
    pub gcache: Gcache,
    /// `wsrep_desync`: taken out of flow control by hand.
    pub desync: bool,
    /// `wsrep_desync_count`: how many reasons there are to be desynced.
    pub desync_count: u32,
    /// `wsrep_reject_queries`.
    pub reject: Reject,
    /// `read_only`.
    pub read_only: bool,
    /// `wsrep_sst_donor_rejects_queries`.
    pub donor_rejects: bool,
    /// `wsrep_sst_method`.
    pub sst_method: Arc<str>,
    /// `wsrep_OSU_method`: how a schema change is carried out, `TOI` or `RSU`; empty where it is not told.
    pub osu_method: Arc<str>,
    /// `datadir`.
    pub datadir: Arc<str>,
    /// `wsrep_cluster_address`.
    pub cluster_address: Arc<str>,
    /// `wsrep_incoming_addresses`: the clients' addresses of all members of the view.
    pub incoming: Vec<Arc<str>>,
    /// Members of the view that have no such address: arbitrators (`garbd`), which vote and hold no data.
    pub arbitrators: u32,
    /// The last primary view by name, where it may be read.
    pub peers: Vec<Peer>,
    /// Provider options that matter.
    #[serde(deserialize_with = "reading::known_options")]
    pub options: BTreeMap<&'static str, Arc<str>>,
    /// `version`, without the prefix old clients need.
    pub version: Arc<str>,
    /// `wsrep_provider_version`.
    pub provider_version: Arc<str>,
    /// Seconds since the server started.
    pub uptime: Option<u64>,
    /// Client connections now.
    pub connections: Option<u32>,
    /// `max_connections`.
    pub max_connections: Option<u32>,
    /// What its threads do; `None` without the PROCESS right.
    pub threads: Option<Threads>,
    /// Since when state and component are what they are, as far as was seen.
    pub state_since: Timestamp,
    /// Since when it tells of this view, as far as was seen.
    pub view_since: Timestamp,
    /// When `last_committed` was last seen to change.
    pub committed_since: Timestamp,
}

impl Member {
    /// When the oldest reading that is kept was made: what began then or before may be older than it seems.
    pub fn first_read(&self) -> Option<Timestamp> {
        self.history.front().map(|reading| reading.at)
    }

    /// The same member after it answered at `now`: its status, and rates since the reading before.
    pub fn answered(&self, rows: &MemberRows, now: Timestamp) -> Self {
        let status = Status::from_rows(rows, self, now);
        let reading = Sample {
            at: now,
            queue: status.receive_queue,
            flow_control: status.flow.share,
            commits: status.commits,
            bytes: status.since(self.status.as_deref(), |s| s.bytes),
            connections: status.connections,
        };
        self.told(status, reading, now)
    }

    /// The name people use: what the member calls itself, or its address.
    pub fn label(&self) -> Arc<str> {
        match &self.status {
            Some(status) if !status.node.is_empty() => status.node.clone(),
            _ => self.name.as_str().into(),
        }
    }
}

impl Status {
    /// It names no history: the cluster was formed by members that knew no position.
    pub fn is_reformed(&self) -> bool {
        self.component == Component::Primary && &*self.cluster_uuid == ZERO_UUID
    }

    /// The connections in use, as a share of those allowed.
    pub fn connection_share(&self) -> Option<f64> {
        let (used, max) = self.connections.zip(self.max_connections)?;
        (max > 0).then(|| f64::from(used) / f64::from(max))
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "Primary",
            Self::NonPrimary => "non-Primary",
            Self::Disconnected => "Disconnected",
        })
    }
}
