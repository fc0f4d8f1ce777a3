//! From the answers of a proxy to its status, and rates from the reading before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Backend, BackendStatus, Digest, Drift, Holder, Hostgroups, Layers, MonitorCheck, Pinned, ProxyRows,
    ProxyStatus, ServerRow,
};
use crate::cluster::{Table, is_off, is_on, table::Line};

impl ProxyStatus {
    pub(super) fn from_rows(rows: &ProxyRows, before: Option<&Self>, now: Timestamp) -> Self {
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
        let mut pinned: Vec<Pinned> = Vec::new();
        let mut waiting = (0, 0);
        for line in rows.sessions.lines() {
            let sessions = line.number("sessions").unwrap_or(0u32);
            match (line.number("hostgroup"), line.text("srv_host")) {
                (Some(hostgroup), Some(host)) => {
                    let address = address(Some(host), line.text("srv_port"));
                    let holder = line.text("holder").map(|user| Holder {
                        user: user.into(),
                        schema: line.text("schema").unwrap_or("no schema").into(),
                        sessions,
                    });
                    match pinned.iter_mut().find(|p| p.hostgroup == hostgroup && p.address == address) {
                        Some(known) => {
                            known.sessions = known.sessions.saturating_add(sessions);
                            known.holders.extend(holder);
                        }
                        None => {
                            let holders = holder.into_iter().collect();
                            pinned.push(Pinned { hostgroup, address, sessions, holders });
                        }
                    }
                }
                _ if line.text("command") == Some("Connect") => {
                    waiting.0 = u32::saturating_add(waiting.0, sessions);
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
            read_only: variable("admin-read_only").map(is_on).or_else(|| before.and_then(|b| b.read_only)),
            uptime: rows.global.amount("ProxySQL_Uptime"),
            hostgroups,
            backends: backends(rows, address),
            servers: servers(rows.servers.as_ref(), address),
            rows_since: BTreeMap::new(),
            checks: checks(&rows.checks, address),
            check_age: check_age(&rows.checks),
            monitored: variable("mysql-monitor_enabled")
                .map(|v| !is_off(v))
                .or_else(|| before.and_then(|b| b.monitored)),
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
            disk: match &rows.disk {
                Some(table) => Some(servers(Some(table), address)),
                None => before.and_then(|b| b.disk.clone()),
            },
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
            // The counters start again whenever the row is made again.
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
}

type Address = fn(Option<&str>, Option<&str>) -> Arc<str>;

fn hostgroups(line: &Line<'_>) -> Option<Hostgroups> {
    Some(Hostgroups {
        writer: line.number("writer_hostgroup")?,
        backup: line.number("backup_writer_hostgroup")?,
        reader: line.number("reader_hostgroup")?,
        offline: line.number("offline_hostgroup")?,
        active: !line.text("active").is_some_and(is_off),
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

/// A backend of which only this is known, and no traffic yet.
fn at_rest(hostgroup: u32, address: Arc<str>, status: BackendStatus) -> Backend {
    Backend {
        hostgroup,
        address,
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
    }
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
            weight: line.number("weight"),
            max_connections: line.number("max_connections"),
            ..at_rest(hostgroup, address(line.text("hostname"), line.text("port")), status)
        };
        all.insert((hostgroup, backend.address.clone()), backend);
    }
    for line in rows.pool.lines() {
        let (Some(hostgroup), Some(status)) = (line.number("hostgroup"), status_of(line.text("status")))
        else {
            continue;
        };
        let address = address(line.text("srv_host"), line.text("srv_port"));
        let new = at_rest(hostgroup, address.clone(), status);
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
fn servers(rows: Option<&Table>, address: Address) -> Vec<ServerRow> {
    let mut all: Vec<ServerRow> = rows
        .into_iter()
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

/// How old the newest check is, by the clock that dates it: the statement's column `now`, in seconds.
fn check_age(table: &Table) -> Option<Duration> {
    let newest = table.lines().filter_map(|line| line.number::<u64>("time_start_us")).max()?;
    let now = table.lines().find_map(|line| line.number::<u64>("now"))?;
    Some(Duration::from_secs(now.saturating_sub(newest / 1_000_000)))
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
        entry.0 = u64::saturating_add(entry.0, line.number("count_star").unwrap_or(0));
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

fn digest(line: &Line<'_>) -> Option<Digest> {
    let words: Vec<_> = line.text("digest_text")?.split_whitespace().collect();
    Some(Digest {
        hostgroup: line.number("hostgroup")?,
        text: words.join(" ").chars().take(200).collect::<String>().into(),
        schema: line.text("schemaname").unwrap_or_default().into(),
        count: line.number("count_star").unwrap_or(0),
        total_us: line.number("sum_time").unwrap_or(0),
    })
}
