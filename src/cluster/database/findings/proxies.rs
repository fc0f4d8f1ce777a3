//! What is wrong with the proxies, and with what they do with the members.

use std::{collections::BTreeMap, sync::Arc};

use super::{Said, all, of};
use crate::cluster::{
    Answer, BackendStatus, Proxy, ProxyStatus, Severity, Snapshot, Subject,
    database::{Database, hostgroups, owner},
    finding::{Found, found},
    proxysql::Layers,
};

pub(super) fn no_writer(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (proxy, writers) in &d.writers {
        let subject = Subject::Proxy(proxy.clone());
        if writers.is_empty() {
            let text = "no backend is ONLINE in the writer hostgroup: writes fail";
            said.push((subject, found(Severity::Critical, text).answer(Answer::Database)));
            continue;
        }
        for row in d.members.iter().filter(|r| writers.contains(&r.name) && !r.state.takes_writes()) {
            let text = format!("writes go to {}, which takes none: {}", row.label, row.state.meaning());
            said.push((subject.clone(), found(Severity::Critical, text).answer(Answer::TakeOut)));
        }
        for row in d.members.iter().filter(|r| writers.contains(&r.name)) {
            if row.now().is_some_and(|s| s.read_only) {
                let text = format!("writes go to {}, which is read-only", row.label);
                said.push((subject.clone(), found(Severity::Critical, text).answer(Answer::TakeOut)));
            }
        }
    }
    said
}

pub(super) fn two_writers(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for proxy in s.proxies.values() {
        let Some(status) = proxy.now() else { continue };
        let groups = hostgroups(proxy, &s.database);
        let allowed: u32 = groups.iter().map(|g| g.max_writers).sum();
        let online = status.online_writers(&groups);
        if allowed > 0 && online.len() > allowed as usize {
            let settled = s.at.duration_since(status.writers_since);
            let lasting = settled.unsigned_abs() >= s.database.thresholds.writers_settle;
            let severity = if lasting { Severity::Critical } else { Severity::Warning };
            let names: Vec<_> = online.iter().map(|a| &**a).collect();
            let text = format!("{} writers where {allowed} may be: {}", online.len(), names.join(", "));
            let found = found(severity, text).since(Some(status.writers_since)).answer(Answer::Database);
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
        said.push((all(), found(Severity::Critical, text).answer(Answer::Database)));
    }
    said
}

pub(super) fn readers_empty(s: &Snapshot, _: &Database) -> Said {
    each_proxy(s, |proxy, status| {
        let groups = hostgroups(proxy, &s.database);
        let empty = groups.iter().find(|g| {
            !status.backends.iter().any(|b| b.hostgroup == g.reader && b.status == BackendStatus::Online)
        })?;
        let text =
            format!("no backend is ONLINE in the reader hostgroup {}: reads wait and fail", empty.reader);
        Some(found(Severity::Critical, text).answer(Answer::Database))
    })
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
                "shunned by errors in hostgroup {} of {proxy}; only traffic brings it back",
                groups.join(", ")
            );
            said.push((of(row), found(Severity::Warning, text).answer(Answer::Database)));
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
            return Some(found(Severity::Critical, text).answer(Answer::Database));
        }
        let every = status.check_every?;
        let age = s.at.duration_since(status.checked_since).unsigned_abs();
        let due = every * s.database.thresholds.missed_checks;
        (age > due && s.at > status.checked_since).then(|| {
            let text = format!(
                "its monitor has not checked any member for {} s (every {} s is set)",
                age.as_secs(),
                every.as_secs_f64()
            );
            found(Severity::Critical, text).since(Some(status.checked_since)).answer(Answer::Database)
        })
    })
}

pub(super) fn clients(s: &Snapshot, _: &Database) -> Said {
    each_proxy(s, |_, status| {
        let (waiting, longest) = status.waiting;
        if waiting > 0 && longest >= 1000 {
            let text =
                format!("{waiting} clients wait for a backend connection, the longest {} s", longest / 1000);
            return Some(found(Severity::Critical, text).answer(Answer::Database));
        }
        let (clients, max) = status.clients.zip(status.max_clients)?;
        let share = f64::from(clients) / f64::from(max.max(1));
        (share >= s.database.thresholds.connections).then(|| {
            let severity = if share >= 0.95 { Severity::Critical } else { Severity::Warning };
            found(severity, format!("{clients} of {max} client connections in use")).answer(Answer::Database)
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
            sessions += pinned.sessions;
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
                "{sessions} writing sessions hold connections on {}, no longer the writer",
                names.join(", ")
            );
            found(Severity::Warning, text).answer(Answer::Database)
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
            let (severity, answer) = match drift.layers {
                Layers::RuntimeDisk => (Severity::Warning, Answer::Save),
                Layers::MemoryRuntime => (Severity::Notice, Answer::Database),
            };
            said.push((Subject::Proxy(proxy.name.clone()), found(severity, text).answer(answer)));
        }
    }
    said
}

pub(super) fn proxies_differ(s: &Snapshot, _: &Database) -> Said {
    let mut by_name: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (proxy, status) in s.proxies.values().filter_map(|p| Some((p, p.now()?))) {
        for (name, checksum) in &status.checksums {
            // Admin variables differ by design: addresses and credentials.
            if !["admin_variables", "proxysql_servers"].contains(&&**name) {
                by_name.entry(name).or_default().entry(checksum).or_default().push(proxy.name.as_str());
            }
        }
    }
    let differing: Vec<_> =
        by_name.iter().filter(|(_, sums)| sums.len() > 1).map(|(name, _)| *name).collect();
    if differing.is_empty() {
        return Vec::new();
    }
    let text = format!("the proxies run different {}", differing.join(", "));
    vec![(Subject::Source("proxysql".into()), found(Severity::Warning, text).answer(Answer::Database))]
}

pub(super) fn proxy_lost(s: &Snapshot, _: &Database) -> Said {
    let lost = s.proxies.values().filter_map(|p| Some((p, p.link.trouble()?)));
    lost.map(|(p, why)| {
        let found = found(Severity::Warning, why).since(p.silent_since).answer(Answer::Database);
        (Subject::Proxy(p.name.clone()), found)
    })
    .collect()
}
