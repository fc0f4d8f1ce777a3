//! What is wrong with the proxies, and with what they do with the members.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{Said, all, of, sessions, silence, successor};
use crate::cluster::{
    Answer, BackendStatus, Proxy, ProxyStatus, ServerRow, Severity, Snapshot, Subject, Trouble,
    database::{Database, Role, Row, State, hostgroups, owner},
    finding::{Found, found},
    proxysql::{Hostgroups, Layers, SERVERS},
    words::span,
};

/// `mysql-monitor_galera_healthcheck_interval` where it is not known: ProxySQL's default.
const CHECK_EVERY: Duration = Duration::from_secs(5);

pub(super) fn no_writer(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let lost = !d.members.is_empty() && d.view.is_none();
    for proxy in d.writers.keys().filter_map(|name| s.proxies.get(name)) {
        let Some(status) = proxy.now() else { continue };
        let subject = Subject::Proxy(proxy.name.clone());
        let groups = hostgroups(proxy, &s.database);
        let groups: Vec<_> = status.in_use(&groups).collect();
        let without = |g: &&&Hostgroups| status.online_writers(std::slice::from_ref(**g)).is_empty();
        if let Some(group) = groups.iter().find(without) {
            let which = if groups.len() > 1 { format!(" {}", group.writer) } else { String::new() };
            let text = format!("no backend ONLINE in the writer hostgroup{which}: writes fail");
            let found = found(Severity::Critical, text);
            let found = match (lost, absent(d)) {
                (true, _) => found.act(Answer::Recovery, "", "says how the members get their quorum back"),
                (false, Some(row)) => found.act(Answer::BringBack, &row.label, "gives it its rows again"),
                (false, None) => found.answer(Answer::Database).remedy(
                    "the monitor makes a member the writer that is synced and not read-only: see what its checks say of each",
                ),
            };
            said.push((subject, found));
        }
    }
    for row in &d.members {
        let sent = d.writers.iter().filter(|(_, writers)| writers.contains(&row.name));
        let by: Vec<_> = sent.map(|(proxy, _)| proxy.as_str()).collect();
        let send = match by.as_slice() {
            [one] => format!("{one} sends"),
            all if all.len() == d.writers.len() => "every proxy sends".into(),
            some => format!("{} send", some.join(", ")),
        };
        let read_only = row.now().is_some_and(|s| s.read_only);
        let text = match (row.state.takes_writes(), read_only) {
            _ if by.is_empty() => continue,
            (false, _) => format!("{send} the writes here, and it takes none: {}", row.state.meaning()),
            (true, true) => format!("{send} the writes here, and it is read-only"),
            (true, false) => continue,
        };
        let found = found(Severity::Critical, text);
        let found = match (lost, successor(d, row)) {
            (true, _) => found.act(Answer::Recovery, "", "says how the members get their quorum back"),
            (false, Some(next)) => found.act(
                Answer::MoveWriter,
                &next.label,
                "lets the proxies write to a member that takes writes",
            ),
            (false, None) => found.act(Answer::TakeOut, &row.label, "lets the monitor choose another"),
        };
        said.push((of(row), found));
    }
    said
}

pub(super) fn two_writers(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for proxy in s.proxies.values() {
        let Some(status) = proxy.now() else { continue };
        for group in hostgroups(proxy, &s.database).iter().filter(|g| status.writes_too_wide(g)) {
            let allowed = group.max_writers.max(1);
            let online = status.online_writers(std::slice::from_ref(group));
            let settled = s.at.duration_since(status.writers_since);
            let lasting = settled.unsigned_abs() >= s.database.thresholds.writers_settle;
            let severity = if lasting { Severity::Critical } else { Severity::Warning };
            let names: Vec<_> = online.iter().map(|a| &**a).collect();
            let text = format!("{} writers where {allowed} may be: {}", online.len(), names.join(", "));
            let remedy = "the monitor moves surplus writers back within a check; when they stay, see whether it checks at all, and max_writers";
            let found = found(severity, text).dated(proxy.first_read(), Some(status.writers_since));
            let found = found.answer(Answer::Database).remedy(remedy);
            said.push((Subject::Proxy(proxy.name.clone()), found));
        }
    }
    let mut differing: Vec<_> = d.writers.values().filter(|w| !w.is_empty()).collect();
    differing.dedup();
    if differing.len() > 1 {
        let each: Vec<_> = d
            .writers
            .iter()
            .map(|(proxy, w)| {
                format!("{proxy} to {}", w.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", "))
            })
            .collect();
        let text = format!("the proxies write to different members: {}", each.join("; "));
        let found = found(Severity::Critical, text);
        let found = match d.members.iter().find(|r| r.role == Role::Writer && r.state.takes_writes()) {
            Some(row) => found.act(Answer::MoveWriter, &row.label, "lets every proxy write to it"),
            None => found.answer(Answer::Database).remedy("make every proxy write to the same member"),
        };
        said.push((all(), found));
    }
    said
}

pub(super) fn readers_empty(s: &Snapshot, d: &Database) -> Said {
    each_proxy(s, |proxy, status| {
        let groups = hostgroups(proxy, &s.database);
        // With 0 only read-only members read: an empty hostgroup is meant then, unless somebody waits for it.
        let empty = status.in_use(&groups).find(|g| {
            g.writer_is_also_reader != 0
                && !status
                    .backends
                    .iter()
                    .any(|b| b.hostgroup == g.reader && b.status == BackendStatus::Online)
        })?;
        let text = format!("no backend ONLINE in reader hostgroup {}: reads wait and fail", empty.reader);
        let found = found(Severity::Critical, text);
        let of = |wanted: fn(&State) -> bool| d.members.iter().find(|r| wanted(&r.state));
        Some(match (of(|s| matches!(s, State::Desynced { .. })), absent(d)) {
            (Some(row), _) => found.act(Answer::Resync, &row.label, "if whoever desynced it is done"),
            (None, Some(row)) => found.act(Answer::BringBack, &row.label, "gives it its rows again"),
            (None, None) => found.answer(Answer::Database).remedy(
                "bring a member back to Synced; writer_is_also_reader=1 would let the writer read meanwhile",
            ),
        })
    })
}

/// A member that could serve and is in no proxy. One that a proxy may know under an address nobody is known by is none:
/// it would stand there twice.
fn absent(d: &Database) -> Option<&Row> {
    let out = |r: &&Row| r.role == Role::Absent && r.state == State::Synced;
    d.members.iter().find(out).filter(|_| d.unknown_backends.is_empty())
}

fn each_proxy(s: &Snapshot, check: impl Fn(&Proxy, &Arc<ProxyStatus>) -> Option<Found>) -> Said {
    let live = s.proxies.values().filter_map(|p| Some((p, p.now()?)));
    live.filter_map(|(p, status)| Some((Subject::Proxy(p.name.clone()), check(p, status)?))).collect()
}

pub(super) fn shunned(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for row in &d.members {
        let mut worst: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (proxy, backend) in row.backends.iter().filter(|(_, b)| b.status == BackendStatus::Shunned) {
            let groups = s.proxies.get(proxy).map(|p| hostgroups(p, &s.database)).unwrap_or_default();
            let surplus = groups.iter().any(|g| {
                g.writer == backend.hostgroup
                    && row.backends.iter().any(|(p, b)| {
                        p == proxy && b.hostgroup == g.backup && b.status == BackendStatus::Online
                    })
            });
            // Without the hostgroups a surplus writer cannot be told from a failing one.
            if !surplus && !groups.is_empty() {
                worst.entry(proxy.as_str()).or_default().push(backend.hostgroup);
            }
        }
        for (proxy, groups) in worst {
            let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
            let text = format!(
                "shunned by errors in hostgroup {} of {proxy}: not used there until traffic that succeeds, or the monitor, brings it back",
                groups.join(", ")
            );
            let remedy = "see the connection errors of the backend (stats_mysql_errors there), and correct what they name";
            said.push((of(row), found(Severity::Warning, text).answer(Answer::Database).remedy(remedy)));
        }
    }
    said
}

pub(super) fn monitor(s: &Snapshot, _: &Database) -> Said {
    each_proxy(s, |_, status| {
        if let Some((address, error)) = &status.monitor_denied {
            let text = format!(
                "its monitor may not log in at {address}: {error}; the next failover will not happen"
            );
            let remedy = "give the user of mysql-monitor_username that password on the members (one CREATE USER or ALTER USER, it is replicated)";
            return Some(found(Severity::Critical, text).answer(Answer::Database).remedy(remedy));
        }
        if status.monitored == Some(false) {
            let text = "its monitor is switched off (mysql-monitor_enabled=false): no member is moved, and none fails over";
            let remedy = "on its admin port: SET mysql-monitor_enabled='true', then LOAD MYSQL VARIABLES TO RUNTIME, once whoever switched it off is done";
            return Some(found(Severity::Critical, text).answer(Answer::Database).remedy(remedy));
        }
        let every = status.check_every.unwrap_or(CHECK_EVERY);
        // As far as it was read: between two readings it may have checked many times.
        let seen = status.at.duration_since(status.checked_since);
        let seen = if seen.is_negative() { Duration::ZERO } else { seen.unsigned_abs() };
        let age = status.check_age.unwrap_or_default().max(seen);
        let due = every * s.database.thresholds.missed_checks;
        (age > due).then(|| {
            let text = format!(
                "its monitor has not checked any member for {} (every {} s is set)",
                span(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)),
                every.as_secs_f64()
            );
            let remedy = "see mysql-monitor_enabled, and whether the proxy reaches any member; until then it moves nobody";
            let since = s.at.checked_sub(age).ok();
            let found = found(Severity::Critical, text).since(since);
            found.answer(Answer::Database).remedy(remedy)
        })
    })
}

pub(super) fn clients(s: &Snapshot, _: &Database) -> Said {
    let limits = &s.database.thresholds;
    each_proxy(s, |_, status| {
        let (waiting, longest) = status.waiting;
        if waiting > 0 && u128::from(longest) >= limits.clients_waiting.as_millis() {
            let clients = if waiting == 1 { "client waits" } else { "clients wait" };
            let text =
                format!("{waiting} {clients} for a backend connection, the longest {} s", longest / 1000);
            let remedy = "no backend is ONLINE for them, or its max_connections is reached: see the other findings, then the hostgroup";
            return Some(found(Severity::Critical, text).answer(Answer::Database).remedy(remedy));
        }
        let (clients, max) = status.clients.zip(status.max_clients)?;
        let share = f64::from(clients) / f64::from(max.max(1));
        (share >= limits.connections).then(|| {
            let critical = share >= limits.connections_critical;
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            let remedy = "fewer php-fpm children, another proxy, or a greater mysql-max_connections";
            let found = found(severity, format!("{clients} of {max} client connections in use"));
            found.answer(Answer::Database).remedy(remedy)
        })
    })
}

pub(super) fn pinned(s: &Snapshot, d: &Database) -> Said {
    let members: Vec<_> = s.galera.values().collect();
    each_proxy(s, |proxy, status| {
        let groups = hostgroups(proxy, &s.database);
        let online = status.online_writers(&groups);
        let old = status
            .pinned
            .iter()
            .filter(|p| groups.iter().any(|g| g.writer == p.hostgroup) && !online.contains(&p.address));
        let (mut sessions, mut on) = (0, Vec::new());
        for pinned in old {
            sessions = u32::saturating_add(sessions, pinned.sessions);
            on.push(pinned.address.to_string());
        }
        on.dedup();
        let names: Vec<_> = on
            .iter()
            .map(|a| match owner(&members, &s.database, a).and_then(|n| d.member(n.as_str())) {
                Some(row) => row.label.to_string(),
                None => a.clone(),
            })
            .collect();
        (sessions > 0).then(|| {
            let text = format!(
                "{} on {}, which is no longer the writer: they write there until they end",
                self::sessions(sessions, "holds a connection", "hold connections"),
                names.join(", ")
            );
            let remedy = "they end only with what holds them, such as their transactions; KILL on that member ends those that stay. The next change of the servers cuts them";
            found(Severity::Warning, text).answer(Answer::Database).remedy(remedy)
        })
    })
}

pub(super) fn drift(s: &Snapshot, _: &Database) -> Said {
    let mut said = Vec::new();
    for (proxy, status) in s.proxies.values().filter_map(|p| Some((p, p.now()?))) {
        for drift in status.drift.iter().flatten() {
            let some: Vec<_> = drift.what.iter().take(3).map(|w| &**w).collect();
            let more = drift.what.len().saturating_sub(some.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!("{}: {}: {}{more}", drift.table, drift.layers, some.join(", "));
            let found = match (drift.layers, &*drift.table) {
                (Layers::RuntimeDisk, "mysql_servers") if !status.only_on_disk().is_empty() => {
                    let lost: Vec<_> = status.only_on_disk().iter().map(|a| a.to_string()).collect();
                    found(Severity::Warning, text).answer(Answer::Database).remedy(format!(
                        "the disk has the only rows of {0}: `galera bring-back` it, or undo the run that took it out; a save would forget it",
                        lost.join(", ")
                    ))
                }
                (Layers::RuntimeDisk, "mysql_servers") => {
                    found(Severity::Warning, text).act(Answer::Save, proxy.name.as_str(), "keeps what runs")
                }
                (Layers::RuntimeDisk, table) => found(Severity::Warning, text).answer(Answer::Database).remedy(
                    format!(
                        "on its admin port: {} keeps what is in memory",
                        each(table, &drift.what, |module| format!("SAVE {module} TO DISK"))
                    ),
                ),
                (Layers::MemoryRuntime, "mysql_servers") => found(Severity::Notice, text)
                    .answer(Answer::Database)
                    .remedy("ask who edited it; an act of ours drops such edits, and a plain LOAD makes every member a writer for a moment"),
                (Layers::MemoryRuntime, table) => found(Severity::Notice, text).answer(Answer::Database).remedy(
                    format!(
                        "ask who edited it; on its admin port {} lets it take effect",
                        each(table, &drift.what, |module| format!("LOAD {module} TO RUNTIME"))
                    ),
                ),
            };
            said.push((Subject::Proxy(proxy.name.clone()), found));
        }
    }
    said
}

/// A statement for each module that something of a table belongs to.
fn each(table: &str, what: &[Arc<str>], statement: impl Fn(&str) -> String) -> String {
    let modules: BTreeSet<&str> = match table {
        "mysql_query_rules" => ["MYSQL QUERY RULES"].into(),
        "mysql_users" => ["MYSQL USERS"].into(),
        "global_variables" => {
            let admin = |name: &Arc<str>| {
                if name.starts_with("admin-") { "ADMIN VARIABLES" } else { "MYSQL VARIABLES" }
            };
            what.iter().map(admin).collect()
        }
        _ => ["MYSQL SERVERS"].into(),
    };
    modules.into_iter().map(statement).collect::<Vec<_>>().join(" and ")
}

/// Backends that not every proxy has, or not with the same weight and limits. Where the monitor moved them is left out.
fn servers_that_differ(s: &Snapshot) -> BTreeSet<Arc<str>> {
    let live: Vec<_> = s.proxies.values().filter_map(|p| p.now()).filter(|p| p.admin).collect();
    let all: BTreeSet<_> = live.iter().flat_map(|p| &p.servers).map(|r| r.address.clone()).collect();
    let differs = |address: &Arc<str>| {
        let rows: Vec<_> = live.iter().map(|p| p.servers_of(address)).collect();
        rows.windows(2).any(|pair| !ServerRow::alike(&pair[0], &pair[1]))
    };
    all.into_iter().filter(differs).collect()
}

pub(super) fn proxies_differ(s: &Snapshot, _: &Database) -> Said {
    let mut by_name: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (proxy, status) in s.proxies.values().filter_map(|p| Some((p, p.now()?))) {
        for (name, checksum) in &status.checksums {
            // Admin variables differ by design: addresses and credentials.
            if !["admin_variables", "proxysql_servers", SERVERS].contains(&&**name) {
                by_name.entry(name).or_default().entry(checksum).or_default().push(proxy.name.as_str());
            }
        }
    }
    let mut differing: Vec<String> =
        by_name.iter().filter(|(_, sums)| sums.len() > 1).map(|(name, _)| (*name).to_owned()).collect();
    let groups = s.proxies.values().filter_map(|p| p.now()).filter(|p| p.admin).map(|p| &p.hostgroups);
    if groups.collect::<Vec<_>>().windows(2).any(|pair| pair[0] != pair[1]) {
        differing.push("Galera hostgroups".into());
    }
    let servers: Vec<_> = servers_that_differ(s).into_iter().map(|a| a.to_string()).collect();
    if !servers.is_empty() {
        differing.push(format!("servers ({})", servers.join(", ")));
    }
    if differing.is_empty() {
        return Vec::new();
    }
    let text = format!("the proxies run different {}", differing.join(", "));
    let remedy = "find out which of them is meant; each is changed at its own admin port, and saved";
    let found = found(Severity::Warning, text).answer(Answer::Database).remedy(remedy);
    vec![(Subject::Source("proxysql".into()), found)]
}

pub(super) fn proxy_lost(s: &Snapshot, _: &Database) -> Said {
    // The login is that of all of them.
    let no_login = |p: &Proxy| p.trouble == Some(Trouble::NoLogin);
    let first = s.proxies.values().find(|p| no_login(p)).map(|p| p.name.clone());
    let lost = s.proxies.values().filter(|p| !no_login(p) || first.as_ref() == Some(&p.name));
    let lost = lost.filter_map(|p| Some((p, p.why()?)));
    // Where a port is only out of our reach the proxy may serve its clients for all that.
    let none_runs = s.proxies.values().all(|p| p.trouble == Some(Trouble::Refused));
    lost.map(|(p, why)| {
        let remedy = match p.trouble {
            Some(Trouble::NoLogin) => "correct [proxysql.password] in the configuration, or what it names",
            Some(Trouble::Denied) => "correct user and password under [proxysql]",
            Some(Trouble::Tls) => "correct tls-ca and tls-name under [proxysql]",
            Some(Trouble::NotMysql) => {
                "correct the address under [proxysql] addresses: it is the admin port that is meant"
            }
            _ => "start it, or repair the way to it: its clients cannot be judged from here",
        };
        let (severity, text) = match none_runs {
            true => {
                (Severity::Critical, format!("{why}; no proxy runs: nobody reaches the database through one"))
            }
            false => (Severity::Warning, why.to_owned()),
        };
        let found = silence(p, found(severity, text)).answer(Answer::Database).remedy(remedy);
        let subject =
            if no_login(p) { Subject::Source("proxysql".into()) } else { Subject::Proxy(p.name.clone()) };
        (subject, found)
    })
    .collect()
}
