//! One member of the Galera cluster, as it describes itself: what its status and variables say, and rates between two
//! readings.
//!
//! Filled by `live::galera` and by tests from recorded answers. A member's own word is never enough to judge it (a
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

use imbl::Vector;
use jiff::Timestamp;
use serde::Serialize;

use super::{Freshness, MemberName, Table};

mod thread;

pub use thread::{SchemaChange, Session, Threads};

/// Readings kept for the sparklines.
const HISTORY: usize = 180;
/// Readings nearer than this give no rate: the clock's grain would.
const LEAST_INTERVAL: f64 = 0.05;
/// A UUID that says: no position known.
pub const ZERO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// One configured member, and how well it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its address as configured.
    pub name: MemberName,
    /// Whether it answers; `Live` since the last answer.
    pub link: Freshness,
    /// Why it does not answer, by kind.
    pub trouble: Option<Trouble>,
    /// Since when it has not answered.
    pub silent_since: Option<Timestamp>,
    /// What it last said.
    pub status: Option<Arc<Status>>,
    /// The last readings, oldest first.
    pub history: Vector<Sample>,
}

/// Why an SQL endpoint does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing listens at the port.
    Refused,
    /// The port takes connections and says nothing (a frozen process), or a query got no answer in time.
    Silent,
    /// No connection came up in time, or there is no way to the host.
    Unreachable,
    /// Wrong user or password, or a right is missing.
    Denied,
    /// TLS is wanted and not spoken, or its certificate is not accepted.
    Tls,
    /// Something else than a MySQL server answers.
    NotMysql,
    /// The server has no connection left.
    Full,
    /// Anything else.
    Other,
}

/// One reading, for sparklines.
#[derive(Clone, Debug, PartialEq)]
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
}

/// `wsrep_local_state`: matched by number, the text varies by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

fn seconds<S: serde::Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|s| s.as_secs()).serialize(to)
}

/// A member as another one lists it (`mysql.wsrep_cluster_members`: the last *primary* view).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq)]
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
    /// `datadir`.
    pub datadir: Arc<str>,
    /// `wsrep_cluster_address`.
    pub cluster_address: Arc<str>,
    /// `wsrep_incoming_addresses`: the clients' addresses of all members of the view.
    pub incoming: Vec<Arc<str>>,
    /// The last primary view by name, where it may be read.
    pub peers: Vec<Peer>,
    /// Provider options that matter.
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

/// Provider options worth comparing between members, and the ones a decision rests on.
const OPTIONS: &[&str] = &[
    "cert.log_conflicts",
    "cert.optimistic_pa",
    "evs.inactive_timeout",
    "evs.suspect_timeout",
    "gcache.recover",
    "gcache.size",
    "gcs.fc_factor",
    "gcs.fc_limit",
    "gcs.fc_single_primary",
    "gcs.sync_donor",
    "pc.ignore_quorum",
    "pc.ignore_sb",
    "pc.recovery",
    "pc.weight",
    "repl.commit_order",
    "repl.proto_max",
    "socket.ssl",
];

impl Member {
    /// A member nothing is known of yet.
    pub fn new(name: MemberName) -> Self {
        Self {
            name,
            link: Freshness::Connecting,
            trouble: None,
            silent_since: None,
            status: None,
            history: Vector::new(),
        }
    }

    /// The same member after it answered at `now`: its status, and rates since the reading before.
    pub fn answered(&self, rows: &MemberRows, now: Timestamp) -> Self {
        let status = Status::from_rows(rows, self, now);
        let mut history = self.history.clone();
        history.push_back(Sample {
            at: now,
            queue: status.receive_queue,
            flow_control: status.flow.share,
            commits: status.commits,
            bytes: status.since(self.status.as_deref(), |s| s.bytes),
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

    /// The same member after an attempt to ask it failed at `now`: what it said before stays, and grows old.
    pub fn failed(&self, trouble: Trouble, why: &str, now: Timestamp) -> Self {
        let mut member = self.clone();
        member.link = match &self.link {
            Freshness::Live { since } => Freshness::Stale { since: *since, why: why.into() },
            other => other.lost(now, why),
        };
        member.trouble = Some(trouble);
        member.silent_since = self.silent_since.or(Some(now));
        member
    }

    /// The name people use: what the member calls itself, or its address.
    pub fn label(&self) -> Arc<str> {
        match &self.status {
            Some(status) if !status.node.is_empty() => status.node.clone(),
            _ => self.name.as_str().into(),
        }
    }

    /// What it says now: nothing when it does not answer.
    pub fn now(&self) -> Option<&Arc<Status>> {
        self.status.as_ref().filter(|_| self.link.is_live())
    }
}

impl Status {
    fn from_rows(rows: &MemberRows, member: &Member, now: Timestamp) -> Self {
        let s = &rows.status;
        let v = &rows.variables;
        let text = |table: &Table, name: &str| -> Arc<str> { table.value(name).unwrap_or_default().into() };
        let on = |table: &Table, name: &str| {
            matches!(table.value(name), Some("ON" | "on" | "1" | "YES" | "true" | "TRUE"))
        };
        let count = |name: &str| s.amount::<u64>(name).unwrap_or(0);
        let some = |name: &str| s.amount::<u64>(name).filter(|n| *n != u64::MAX);
        let options = options(v.value("wsrep_provider_options").unwrap_or_default());
        let provider = v.value("wsrep_provider").unwrap_or_default();
        let port = v.value("port").unwrap_or_default();
        let node = match v.value("wsrep_node_name") {
            Some(name) if !name.is_empty() => name.into(),
            _ => text(v, "hostname"),
        };
        let mut addresses = BTreeSet::new();
        for host in ["wsrep_node_address", "hostname"] {
            match v.value(host) {
                Some(host) if !host.is_empty() && !port.is_empty() => {
                    addresses.insert(format!("{}:{port}", host_of(host)).into());
                }
                _ => {}
            }
        }
        if let Some(own) = v.value("wsrep_node_incoming_address").filter(|a| !a.is_empty() && *a != "AUTO") {
            addresses.insert(with_port(own, port).into());
        }
        let list = |text: &str| -> Vec<Arc<str>> {
            text.split(',').map(str::trim).filter(|a| !a.is_empty()).map(Into::into).collect()
        };
        let peers = rows.peers.iter().flat_map(Table::lines).map(|line| Peer {
            uuid: line.text("node_uuid").unwrap_or_default().into(),
            name: line.text("node_name").unwrap_or_default().into(),
            address: line.text("node_incoming_address").unwrap_or_default().into(),
        });
        let gcache = Gcache {
            size: options.get("gcache.size").and_then(|size| bytes_of(size)),
            from: some("wsrep_local_cached_downto"),
            transactions: None,
            window: None,
        };
        let mut status = Self {
            at: now,
            took: rows.took,
            node,
            addresses,
            galera: on(v, "wsrep_on") && !provider.is_empty() && provider != "none",
            local_state: LocalState::of(s.amount("wsrep_local_state")),
            comment: text(s, "wsrep_local_state_comment"),
            component: match s.value("wsrep_cluster_status") {
                Some("Primary") => Component::Primary,
                Some("non-Primary") => Component::NonPrimary,
                _ => Component::Disconnected,
            },
            ready: on(s, "wsrep_ready"),
            connected: on(s, "wsrep_connected"),
            size: s.amount("wsrep_cluster_size").unwrap_or(0),
            cluster_uuid: text(s, "wsrep_cluster_state_uuid"),
            local_uuid: text(s, "wsrep_local_state_uuid"),
            conf_id: some("wsrep_cluster_conf_id"),
            gcomm_uuid: text(s, "wsrep_gcomm_uuid"),
            weight: options.get("pc.weight").and_then(|w| w.parse().ok()).unwrap_or(1),
            cluster_weight: s.amount("wsrep_cluster_weight"),
            evs_state: text(s, "wsrep_evs_state"),
            last_committed: some("wsrep_last_committed"),
            commits: None,
            receive_queue: count("wsrep_local_recv_queue"),
            send_queue: count("wsrep_local_send_queue"),
            flow: FlowControl {
                active: on(s, "wsrep_flow_control_active"),
                requested: on(s, "wsrep_flow_control_requested"),
                paused_ns: count("wsrep_flow_control_paused_ns"),
                sent: count("wsrep_flow_control_sent"),
                share: None,
                sent_rate: None,
            },
            cert_failures: (count("wsrep_local_cert_failures"), None),
            bf_aborts: (count("wsrep_local_bf_aborts"), None),
            bytes: count("wsrep_replicated_bytes").saturating_add(count("wsrep_received_bytes")),
            gcache,
            desync: on(v, "wsrep_desync"),
            desync_count: s.amount("wsrep_desync_count").unwrap_or(0),
            reject: match v.value("wsrep_reject_queries") {
                Some("ALL") => Reject::All,
                Some("ALL_KILL") => Reject::AllKill,
                _ => Reject::None,
            },
            read_only: v.value("read_only").is_some_and(|r| !matches!(r, "OFF" | "0" | "")),
            donor_rejects: on(v, "wsrep_sst_donor_rejects_queries"),
            sst_method: text(v, "wsrep_sst_method"),
            datadir: v.value("datadir").or(v.value("wsrep_data_home_dir")).unwrap_or_default().into(),
            cluster_address: text(v, "wsrep_cluster_address"),
            incoming: list(s.value("wsrep_incoming_addresses").unwrap_or_default()),
            peers: peers.collect(),
            options,
            version: v.value("version").map(|v| v.strip_prefix("5.5.5-").unwrap_or(v)).unwrap_or("").into(),
            provider_version: text(s, "wsrep_provider_version"),
            uptime: s.amount("Uptime"),
            connections: s.amount("Threads_connected"),
            max_connections: v.amount("max_connections"),
            threads: rows.threads.as_ref().and_then(|t| Threads::from_rows(t, rows.holders.as_ref())),
            state_since: now,
            view_since: now,
            committed_since: now,
        };
        status.gcache.transactions =
            status.gcache.from.zip(status.last_committed).and_then(|(from, to)| (to + 1).checked_sub(from));
        status.follow(member);
        status
    }

    /// Fills in what follows from the reading before.
    fn follow(&mut self, member: &Member) {
        let Some(before) = member.status.as_deref() else { return };
        self.flow.share = self.since(Some(before), |s| s.flow.paused_ns).map(|ns| (ns / 1e9).clamp(0.0, 1.0));
        self.flow.sent_rate = self.since(Some(before), |s| s.flow.sent);
        self.cert_failures.1 = self.since(Some(before), |s| s.cert_failures.0);
        self.bf_aborts.1 = self.since(Some(before), |s| s.bf_aborts.0);
        if before.last_committed.is_some() && before.cluster_uuid == self.cluster_uuid {
            self.commits = self.since(Some(before), |s| s.last_committed.unwrap_or(0));
        }
        if (before.local_state, before.component) == (self.local_state, self.component) {
            self.state_since = before.state_since;
        }
        if (&before.cluster_uuid, before.conf_id, before.size)
            == (&self.cluster_uuid, self.conf_id, self.size)
        {
            self.view_since = before.view_since;
        }
        if before.last_committed == self.last_committed && before.cluster_uuid == self.cluster_uuid {
            self.committed_since = before.committed_since;
        }
        let rates: Vec<f64> = member.history.iter().filter_map(|s| s.bytes).collect();
        let rate = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        self.gcache.window = self
            .gcache
            .size
            .filter(|_| rate >= 1.0)
            .and_then(|size| Duration::try_from_secs_f64(size as f64 / rate).ok());
    }

    /// A counter's growth a second since the reading before. `None` after a restart, when the counter was reset, or when
    /// the two readings are too near each other.
    fn since(&self, before: Option<&Self>, counter: impl Fn(&Self) -> u64) -> Option<f64> {
        let before = before?;
        if self.uptime.zip(before.uptime).is_some_and(|(now, then)| now < then) {
            return None;
        }
        let interval = self.at.duration_since(before.at).as_secs_f64();
        let growth = counter(self).checked_sub(counter(before))?;
        (interval >= LEAST_INTERVAL).then(|| growth as f64 / interval)
    }

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

impl LocalState {
    fn of(number: Option<u8>) -> Self {
        match number {
            Some(0) => Self::Initialized,
            Some(1) => Self::Joining,
            Some(2) => Self::Donor,
            Some(3) => Self::Joined,
            Some(4) => Self::Synced,
            Some(5) => Self::Inconsistent,
            _ => Self::Unknown,
        }
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

/// The options that matter out of `wsrep_provider_options` (`name = value; ...`).
fn options(text: &str) -> BTreeMap<&'static str, Arc<str>> {
    let mut options = BTreeMap::new();
    for (name, value) in text.split(';').filter_map(|o| o.split_once('=')) {
        if let Some(name) = OPTIONS.iter().find(|known| **known == name.trim()) {
            options.insert(*name, value.trim().into());
        }
    }
    options
}

/// Bytes of `128M`, `1G`, `16777216`: binary multiples, as the provider reads them.
fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, scale) = match text.char_indices().next_back()? {
        (at, 'K' | 'k') => (&text[..at], 1u64 << 10),
        (at, 'M' | 'm') => (&text[..at], 1 << 20),
        (at, 'G' | 'g') => (&text[..at], 1 << 30),
        (at, 'T' | 't') => (&text[..at], 1 << 40),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// The host of `host`, `host:port` or `[v6]:port`.
fn host_of(address: &str) -> &str {
    match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => match address.split_once(':') {
            Some((host, rest)) if !rest.contains(':') => host,
            _ => address,
        },
    }
}

/// The address with this port, unless it has one.
fn with_port(address: &str, port: &str) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
            && (!host.contains(':') || host.ends_with(']'))
    });
    if has_port || port.is_empty() { address.to_owned() } else { format!("{address}:{port}") }
}
