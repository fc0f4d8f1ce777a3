//! What a member says of itself: its status and its system variables. Pure.

use std::collections::BTreeMap;

use super::{
    answer::general,
    member::{Member, NO_HISTORY, Provider, Reject, State},
};

/// "None" of an unsigned counter, as the provider spells it.
const NO_NUMBER: &str = "18446744073709551615";
/// Status variables that need a connected provider.
const CONNECTED_ONLY: [&str; 8] = [
    "wsrep_cluster_weight",
    "wsrep_desync_count",
    "wsrep_evs_delayed",
    "wsrep_evs_evict_list",
    "wsrep_evs_repl_latency",
    "wsrep_evs_state",
    "wsrep_gcomm_uuid",
    "wsrep_gmcast_segment",
];

impl Member {
    /// `SHOW GLOBAL STATUS`, all of it: the wsrep variables first, in the recorded order.
    pub(super) fn status(&self, here: usize, peers: &[Member], now: u64) -> Vec<(String, String)> {
        let connected = self.provider == Provider::Connected;
        let mut rows: Vec<_> = include_str!("status.tsv")
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter(|(name, _)| connected || !CONNECTED_ONLY.contains(name))
            .map(|(name, recorded)| {
                let value = self.wsrep(name, here, peers, now).unwrap_or_else(|| recorded.to_owned());
                (name.to_owned(), value)
            })
            .collect();
        let c = &self.counters;
        let uptime = now.saturating_sub(self.started) / 1000;
        let running = 1 + u64::from(self.paused) * 9;
        let plain = [
            ("Aborted_connects", 0),
            ("Bytes_received", c.selects * 90 + c.replicated_bytes / 4),
            ("Bytes_sent", c.bytes_sent),
            ("Com_commit", c.local_commits),
            ("Com_select", c.selects),
            ("Com_update", c.local_commits * 2),
            ("Connections", 400 + c.selects / 5000),
            ("Max_used_connections", 48),
            ("Queries", c.selects + c.local_commits * 4),
            ("Questions", c.selects + c.local_commits * 4),
            ("Slow_queries", 0),
            ("Threads_connected", self.sessions.len() as u64 + 24),
            ("Threads_running", running),
            ("Uptime", uptime),
        ];
        rows.extend(plain.map(|(name, value)| (name.to_owned(), value.to_string())));
        rows
    }

    fn wsrep(&self, name: &str, here: usize, peers: &[Member], now: u64) -> Option<String> {
        let c = &self.counters;
        let connected = self.provider == Provider::Connected;
        let position = match (self.provider, self.history.as_str()) {
            (Provider::Inconsistent, _) | (_, "") => format!("{NO_HISTORY}:-1"),
            (_, NO_HISTORY) => format!("{NO_HISTORY}:0"),
            (_, uuid) => format!("{uuid}:{}", self.committed),
        };
        let on = |b: bool| if b { "ON" } else { "OFF" }.to_owned();
        let text = |s: &str| Some(s.to_owned());
        let uuid = if self.history.is_empty() || !connected && self.provider == Provider::Inconsistent {
            NO_HISTORY
        } else {
            &self.history
        };
        Some(match name {
            "wsrep_local_state_uuid" if uuid == NO_HISTORY && connected => String::new(),
            "wsrep_cluster_state_uuid" if self.provider == Provider::Inconsistent => peers
                .iter()
                .map(|m| m.history.as_str())
                .find(|h| !h.is_empty())
                .unwrap_or(NO_HISTORY)
                .to_owned(),
            "wsrep_local_state_uuid" | "wsrep_cluster_state_uuid" => uuid.to_owned(),
            "wsrep_last_committed" if self.provider == Provider::Inconsistent => "-1".to_owned(),
            "wsrep_last_committed" if uuid == NO_HISTORY => "0".to_owned(),
            "wsrep_last_committed" => self.committed.to_string(),
            "wsrep_replicated" => c.replicated.to_string(),
            "wsrep_replicated_bytes" => c.replicated_bytes.to_string(),
            "wsrep_repl_keys" => (c.replicated * 6).to_string(),
            "wsrep_repl_keys_bytes" => (c.replicated * 72).to_string(),
            "wsrep_repl_data_bytes" => (c.replicated_bytes - c.replicated_bytes / 14).to_string(),
            "wsrep_received" => c.received.to_string(),
            "wsrep_received_bytes" => c.received_bytes.to_string(),
            "wsrep_local_commits" => c.local_commits.to_string(),
            "wsrep_local_cert_failures" => c.cert_failures.to_string(),
            "wsrep_local_bf_aborts" => c.bf_aborts.to_string(),
            "wsrep_local_recv_queue" => self.queue().to_string(),
            "wsrep_local_recv_queue_max" => c.queue_max.to_string(),
            "wsrep_local_recv_queue_avg" => general(c.queue_sum / c.queue_samples.max(1.0)),
            "wsrep_local_cached_downto" => self.cached_downto().to_string(),
            "wsrep_flow_control_paused_ns" => c.paused_ns.to_string(),
            "wsrep_flow_control_paused" => {
                let window = now.saturating_sub(self.started).max(1) as f64 * 1e6;
                general((c.paused_ns - c.paused_ns_flushed) as f64 / window)
            }
            "wsrep_flow_control_sent" => c.fc_sent.to_string(),
            "wsrep_flow_control_recv" => c.fc_recv.to_string(),
            "wsrep_flow_control_active" => self.paused.to_string(),
            "wsrep_flow_control_requested" => self.requests_pause.to_string(),
            "wsrep_cert_deps_distance" if c.received > 100 => text("96.8412")?,
            "wsrep_apply_window" | "wsrep_commit_window" if c.received > 100 => text("1.0742")?,
            "wsrep_cert_index_size" => (c.received.min(270)).to_string(),
            "wsrep_local_state" => (self.local_state() as u8).to_string(),
            "wsrep_local_state_comment" => text(match self.local_state() {
                State::Initialized => "Initialized",
                State::Joining => "Joining",
                State::Donor => "Donor/Desynced",
                State::Joined => "Joined",
                State::Synced => "Synced",
                State::Inconsistent => "Inconsistent",
            })?,
            "wsrep_incoming_addresses" if !connected => String::new(),
            "wsrep_incoming_addresses" => {
                let seen: Vec<_> = self
                    .view
                    .members
                    .iter()
                    .filter_map(|m| peers.get(*m))
                    .map(|m| m.address.to_string())
                    .collect();
                seen.join(",")
            }
            "wsrep_cluster_weight" if !self.view.primary => "0".to_owned(),
            "wsrep_cluster_weight" => {
                let weights = self.view.members.iter().filter_map(|m| peers.get(*m)).map(|m| m.weight);
                weights.sum::<u64>().to_string()
            }
            "wsrep_desync_count" => self.desync_count().to_string(),
            "wsrep_evs_repl_latency" if self.view.members.len() == 1 => {
                text("1.953e-06/1.953e-06/1.953e-06/0/1")?
            }
            "wsrep_evs_state" if self.gather_at.is_some_and(|at| now >= at) => text("GATHER")?,
            "wsrep_gcomm_uuid" => self.gcomm.clone(),
            "wsrep_checkpoint_position" => position,
            // The storage engine still knows where it was, even when the provider has declared that void.
            "wsrep_se_checkpoint" if self.history == NO_HISTORY => {
                format!("{NO_HISTORY}:0 0-1-{}", self.committed)
            }
            "wsrep_se_checkpoint" => {
                let known =
                    peers.iter().map(|m| m.history.as_str()).find(|h| !h.is_empty()).unwrap_or(NO_HISTORY);
                format!("{known}:{} 0-1-{}", self.committed, self.committed)
            }
            "wsrep_applier_thread_count" if !connected => "0".to_owned(),
            "wsrep_thread_count" if self.provider == Provider::Left => "0".to_owned(),
            "wsrep_thread_count" if !connected => "1".to_owned(),
            "wsrep_cluster_conf_id" if !self.view.primary || !connected => NO_NUMBER.to_owned(),
            "wsrep_cluster_conf_id" => self.view.conf_id.to_string(),
            "wsrep_cluster_size" if !connected => "0".to_owned(),
            "wsrep_cluster_size" => self.view.members.len().to_string(),
            "wsrep_cluster_status" if !connected => text("Disconnected")?,
            "wsrep_cluster_status" => text(if self.view.primary { "Primary" } else { "non-Primary" })?,
            "wsrep_connected" => on(connected),
            "wsrep_local_index" if !connected => NO_NUMBER.to_owned(),
            "wsrep_local_index" => self
                .view
                .members
                .iter()
                .position(|m| *m == here)
                .map_or(NO_NUMBER.to_owned(), |i| i.to_string()),
            "wsrep_ready" => on(self.ready()),
            _ => return None,
        })
    }

    /// `SHOW GLOBAL VARIABLES`: those that were recorded, and a few that clients ask for on connecting.
    pub(super) fn variables(&self, peers: &[Member]) -> Vec<(String, String)> {
        let on = |b: bool| if b { "ON" } else { "OFF" }.to_owned();
        let mut rows: Vec<(String, String)> = include_str!("variables.tsv")
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(name, recorded)| {
                let value = match name {
                    "hostname" | "wsrep_node_name" => self.name.clone(),
                    "port" => self.address.port().to_string(),
                    "read_only" => on(self.read_only),
                    "version" => self.version.clone(),
                    "wsrep_cluster_address" if self.provider == Provider::Left => String::new(),
                    "wsrep_cluster_address" => {
                        let all: Vec<_> =
                            peers.iter().map(|m| format!("{}:{}", m.address.ip(), 4567)).collect();
                        format!("gcomm://{}", all.join(","))
                    }
                    "wsrep_cluster_name" => "wheelhouse".to_owned(),
                    "wsrep_data_home_dir" => "/var/lib/mysql/".to_owned(),
                    "wsrep_desync" => on(self.desync),
                    "wsrep_node_address" => self.address.ip().to_string(),
                    "wsrep_node_incoming_address" => self.address.to_string(),
                    "wsrep_provider_options" => self.provider_options(recorded),
                    "wsrep_reject_queries" => match self.reject {
                        Reject::None => "NONE",
                        Reject::All => "ALL",
                        Reject::AllKill => "ALL_KILL",
                    }
                    .to_owned(),
                    "wsrep_sst_donor_rejects_queries" => on(self.donor_rejects),
                    "wsrep_sst_receive_address" => format!("{}:4444", self.address.ip()),
                    _ => recorded.to_owned(),
                };
                (name.to_owned(), self.set.get(name).cloned().unwrap_or(value))
            })
            .collect();
        let others = [
            ("datadir", "/var/lib/mysql/"),
            ("gtid_domain_id", "0"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("lower_case_table_names", "0"),
            ("max_allowed_packet", "16777216"),
            ("max_connections", "151"),
            ("socket", "/run/mysqld/mysqld.sock"),
            (
                "sql_mode",
                "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
            ),
            ("time_zone", "SYSTEM"),
            ("version_comment", "Debian 12"),
            ("wait_timeout", "28800"),
        ];
        rows.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
        rows.sort();
        rows
    }

    fn provider_options(&self, recorded: &str) -> String {
        let own = BTreeMap::from([
            ("base_dir", "/var/lib/mysql/".to_owned()),
            ("base_host", self.address.ip().to_string()),
            ("base_port", "4567".to_owned()),
            ("gcache.dir", "/var/lib/mysql/".to_owned()),
            ("gcache.size", format!("{}M", self.gcache >> 20)),
            ("gmcast.listen_addr", "tcp://0.0.0.0:4567".to_owned()),
            ("ist.recv_addr", format!("{}:4568", self.address.ip())),
            ("pc.weight", self.weight.to_string()),
        ]);
        let option = |option: &str| {
            let (name, value) = option.split_once(" = ")?;
            let value = self.set.get(name).or_else(|| own.get(name)).map_or(value, String::as_str);
            Some(format!("{name} = {value}; "))
        };
        recorded.split("; ").filter_map(option).collect()
    }
}
