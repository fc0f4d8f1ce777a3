//! From the answers of a member to its status, and rates from the reading before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{Component, FlowControl, Gcache, LocalState, Member, MemberRows, Peer, Reject, Status, Threads};
use crate::cluster::{Table, is_off, is_on, values::bytes_of};

/// Readings nearer than this, in seconds, give no rate: the clock's grain would.
const LEAST_INTERVAL: f64 = 0.05;

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

impl Status {
    pub(super) fn from_rows(rows: &MemberRows, member: &Member, now: Timestamp) -> Self {
        let s = &rows.status;
        let v = &rows.variables;
        let text = |table: &Table, name: &str| -> Arc<str> { table.value(name).unwrap_or_default().into() };
        let on = |table: &Table, name: &str| table.value(name).is_some_and(is_on);
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
            galera: on(v, "wsrep_on") && !provider.is_empty() && !provider.eq_ignore_ascii_case("none"),
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
                Some(value) if value.eq_ignore_ascii_case("ALL") || value == "1" => Reject::All,
                Some(value) if value.eq_ignore_ascii_case("ALL_KILL") || value == "2" => Reject::AllKill,
                _ => Reject::None,
            },
            read_only: v.value("read_only").is_some_and(|r| !r.trim().is_empty() && !is_off(r)),
            donor_rejects: on(v, "wsrep_sst_donor_rejects_queries"),
            sst_method: text(v, "wsrep_sst_method"),
            osu_method: text(v, "wsrep_osu_method"),
            datadir: v.value("datadir").or(v.value("wsrep_data_home_dir")).unwrap_or_default().into(),
            cluster_address: text(v, "wsrep_cluster_address"),
            incoming: list(s.value("wsrep_incoming_addresses").unwrap_or_default()),
            arbitrators: arbitrators(s.value("wsrep_incoming_addresses").unwrap_or_default()),
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
        status.gcache.transactions = status
            .gcache
            .from
            .zip(status.last_committed)
            .and_then(|(from, to)| to.checked_add(1)?.checked_sub(from));
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
    pub(super) fn since(&self, before: Option<&Self>, counter: impl Fn(&Self) -> u64) -> Option<f64> {
        let before = before?;
        if self.uptime.zip(before.uptime).is_some_and(|(now, then)| now < then) {
            return None;
        }
        let interval = self.at.duration_since(before.at).as_secs_f64();
        let growth = counter(self).checked_sub(counter(before))?;
        (interval >= LEAST_INTERVAL).then(|| growth as f64 / interval)
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

/// The options of a recording.
pub(super) fn known_options<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<&'static str, Arc<str>>, D::Error> {
    let told = <BTreeMap<String, Arc<str>> as serde::Deserialize>::deserialize(from)?;
    let known = |name: &str| OPTIONS.iter().find(|known| **known == name).copied();
    Ok(told.into_iter().filter_map(|(name, value)| Some((known(&name)?, value))).collect())
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

/// A member without an address leaves its place between the commas empty, as measured with garbd 26.4. An empty list
/// tells of nobody.
fn arbitrators(incoming: &str) -> u32 {
    let empty = incoming.split(',').filter(|address| address.trim().is_empty()).count();
    if incoming.trim().is_empty() { 0 } else { u32::try_from(empty).unwrap_or(u32::MAX) }
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
