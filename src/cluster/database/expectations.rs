//! What the operator expects of the database: its size, names and thresholds. Part of the configuration.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::cluster::Hostgroups;

/// What is expected of the database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expectations {
    /// How many members there should be; otherwise as many as are configured.
    pub size: Option<u32>,
    /// Addresses as ProxySQL or the members tell them, and the configured ones they stand for.
    pub aliases: BTreeMap<String, String>,
    /// What members are called until they say it themselves, by address.
    pub names: BTreeMap<String, String>,
    /// The machines the members run on, by address or by what people call them: nodes of the cluster, or others.
    pub hosts: BTreeMap<String, String>,
    /// The machines the proxies run on, by address.
    pub proxy_hosts: BTreeMap<String, String>,
    /// What the hostgroups are for, where ProxySQL may not be asked.
    pub hostgroups: Vec<Hostgroups>,
    /// When something is worth saying.
    pub thresholds: Thresholds,
}

/// `[galera.thresholds]`: when something is worth saying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Thresholds {
    /// A member may be out of sync this long.
    #[serde(with = "span")]
    pub unsynced: Duration,
    /// Write-sets waiting on a member.
    pub queue: u64,
    /// Share of time paused by flow control that is worth a warning, 0 to 1.
    pub flow_control: f64,
    /// Share of time paused by flow control that is critical.
    pub flow_control_critical: f64,
    /// A member should be able to be away this long without needing a full copy.
    #[serde(with = "span")]
    pub gcache_window: Duration,
    /// Certification failures and brute-force aborts a second.
    pub conflicts: f64,
    /// Commits may stand still this long on all members while sessions wait.
    #[serde(with = "span")]
    pub commits_still: Duration,
    /// An applier may wait this long for a lock that a session holds.
    #[serde(with = "span")]
    pub lock_wait: Duration,
    /// Share of connections in use that is worth a warning, 0 to 1.
    pub connections: f64,
    /// Share of connections in use that is critical.
    pub connections_critical: f64,
    /// Clients may wait this long for a backend connection.
    #[serde(with = "span")]
    pub clients_waiting: Duration,
    /// The monitor's newest check may be this many intervals old.
    pub missed_checks: u32,
    /// More writers than allowed may be seen this long: loading servers causes it for one check.
    #[serde(with = "span")]
    pub writers_settle: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            unsynced: Duration::from_secs(10),
            queue: 100,
            flow_control: 0.05,
            flow_control_critical: 0.20,
            gcache_window: Duration::from_secs(3600),
            conflicts: 1.0,
            commits_still: Duration::from_secs(3),
            lock_wait: Duration::from_secs(2),
            connections: 0.80,
            connections_critical: 0.95,
            clients_waiting: Duration::from_secs(1),
            missed_checks: 3,
            writers_settle: Duration::from_secs(3),
        }
    }
}

impl Thresholds {
    /// Says which threshold can never be what is meant, and how it is written.
    ///
    /// # Errors
    /// A share that is none, or a warning that comes after what is critical.
    pub fn check(&self) -> Result<(), String> {
        let pairs = [
            ("flow-control", self.flow_control, "flow-control-critical", self.flow_control_critical),
            ("connections", self.connections, "connections-critical", self.connections_critical),
        ];
        for (name, share, critical_name, critical) in pairs {
            for (name, share) in [(name, share), (critical_name, critical)] {
                if !(0.0..=1.0).contains(&share) {
                    return Err(format!("{name} = {share} is no share: write 0.05 for 5 %"));
                }
            }
            if share > critical {
                return Err(format!("{name} = {share} is more than {critical_name} = {critical}"));
            }
        }
        if !self.conflicts.is_finite() || self.conflicts <= 0.0 {
            return Err(format!("conflicts = {} is no number a second above 0", self.conflicts));
        }
        Ok(())
    }
}

mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map_err(|e| D::Error::custom(format!("`{text}` is not a time span such as 10s: {e}")))
    }
}
