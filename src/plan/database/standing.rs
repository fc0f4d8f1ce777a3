//! Where a change of the database stands: by what is configured, and by what the monitor has left alone long enough.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    cluster::{
        BackendStatus, Layers, LocalState, Member, MemberName, Proxy, ProxyName, ProxyStatus, ServerRow,
        Snapshot,
    },
    plan::{Change, Standing},
};

/// `mysql-monitor_galera_healthcheck_interval` where it is not known: ProxySQL's default.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Why nothing can be told of a change; see [`Change::unseen`].
pub(in crate::plan) fn unseen(change: &Change, seen: &Snapshot) -> Option<String> {
    match change {
        Change::Replicas { .. } | Change::Settle { .. } => None,
        Change::Serves { proxy, .. } => {
            let known = seen.proxies.get(proxy)?;
            known.now().is_none().then(|| silent(proxy.as_str(), known.why()))
        }
        Change::Servers { proxy, .. } | Change::Holds { proxy, .. } | Change::Save { proxy, .. } => {
            let known = seen.proxies.get(proxy)?;
            match known.now() {
                Some(status) if status.admin => None,
                Some(_) => Some(format!("the servers of {proxy} may not be read with this user")),
                None => Some(silent(proxy.as_str(), known.why())),
            }
        }
        Change::Desync { member, .. } | Change::Desynced { member, .. } => {
            let known = seen.galera.get(member)?;
            known.now().is_none().then(|| silent(member.as_str(), known.why()))
        }
    }
}

fn silent(name: &str, why: Option<&str>) -> String {
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{name} does not answer at present{why}")
}

/// Where a change of the database stands.
pub(in crate::plan) fn stands(change: &Change, seen: &Snapshot) -> Standing {
    if let Some(why) = unseen(change, seen) {
        return Standing::AtFrom(why);
    }
    match change {
        Change::Replicas { .. } | Change::Settle { .. } => change.stands(seen),
        Change::Servers { proxy, address, from, to } => {
            with(seen, proxy, |status| servers(status, address, from, to))
        }
        Change::Holds { proxy, address, rows, as_writer } => {
            with(seen, proxy, |status| holds(seen, proxy, status, address, rows, *as_writer))
        }
        Change::Save { proxy, .. } => with(seen, proxy, |status| match unsaved(status) {
            None => Standing::AtFrom("what is on its disk is not known yet".into()),
            Some(what) if what.is_empty() => Standing::AtTo,
            Some(what) => Standing::AtFrom(format!("{} differ from its disk", what.join(", "))),
        }),
        Change::Desync { member, to, .. } => with_member(seen, member, |member| match member.now() {
            Some(status) if status.desync == *to => Standing::AtTo,
            _ => Standing::AtFrom(format!("wsrep_desync is {}", if *to { "OFF" } else { "ON" })),
        }),
        Change::Desynced { member, desynced } => {
            with_member(seen, member, |member| desync(member, *desynced))
        }
        Change::Serves { proxy, address, serves } => {
            with(seen, proxy, |status| match (in_service(seen, proxy, status, address), serves) {
                (now, wanted) if now == *wanted => Standing::AtTo,
                (true, _) => Standing::AtFrom("it is in service still".into()),
                (false, _) => Standing::AtFrom("it is not in service yet".into()),
            })
        }
    }
}

fn with(seen: &Snapshot, proxy: &ProxyName, tell: impl Fn(&ProxyStatus) -> Standing) -> Standing {
    match seen.proxies.get(proxy).map(|p: &Arc<Proxy>| p.now()) {
        Some(Some(status)) => tell(status),
        Some(None) => Standing::AtFrom(silent(proxy.as_str(), None)),
        None => Standing::Elsewhere(format!("there is no proxy {proxy} any more")),
    }
}

fn with_member(seen: &Snapshot, name: &MemberName, tell: impl Fn(&Member) -> Standing) -> Standing {
    match seen.galera.get(name) {
        Some(member) => tell(member),
        None => Standing::Elsewhere(format!("there is no member {name} any more")),
    }
}

fn servers(status: &ProxyStatus, address: &str, from: &[ServerRow], to: &[ServerRow]) -> Standing {
    let now = status.servers_of(address);
    // Of memory nothing is known that is not older than the run: the proxy itself is asked.
    if from == to && ServerRow::alike(&now, to) {
        return Standing::AtFrom("its memory may hold what was begun".into());
    }
    if ServerRow::alike(&now, to) {
        return Standing::AtTo;
    }
    if ServerRow::alike(&now, from) {
        return Standing::AtFrom(words(&now));
    }
    Standing::Elsewhere(format!("it is {}, neither {} nor {}", words(&now), words(from), words(to)))
}

/// Rows in words: what is most often changed by somebody else.
pub(in crate::plan) fn words(rows: &[ServerRow]) -> String {
    match rows.first() {
        None => "not among the servers".into(),
        Some(row) => format!("among the servers with weight {}", row.weight),
    }
}

/// How long the monitor must have left something alone before it counts.
pub(in crate::plan) fn evidence(status: &ProxyStatus) -> Duration {
    status.check_every.unwrap_or(CHECK_EVERY) * 2
}

fn holds(
    seen: &Snapshot,
    proxy: &ProxyName,
    status: &ProxyStatus,
    address: &str,
    rows: &[ServerRow],
    as_writer: Option<bool>,
) -> Standing {
    let now = status.servers_of(address);
    if !ServerRow::alike(&now, rows) {
        return Standing::AtFrom(format!("it is {}", words(&now)));
    }
    let groups = crate::cluster::hostgroups_of(seen, proxy);
    let writes = status.online_writers(&groups);
    let is_writer = writes.contains(address);
    let serves = in_service(seen, proxy, status, address);
    match as_writer {
        Some(true) if !is_writer => {
            return Standing::AtFrom("it does not take the writes yet".into());
        }
        Some(true) if groups.iter().any(|group| status.writes_too_wide(group)) => {
            return Standing::AtFrom(format!("{} backends take writes", writes.len()));
        }
        Some(false) if is_writer => return Standing::AtFrom("it takes the writes still".into()),
        Some(false) if !serves => return Standing::AtFrom("it is not in service yet".into()),
        _ => {}
    }
    let mut since = status.rows_since.get(address).copied();
    if as_writer.is_some() {
        since = since.max(Some(status.writers_since));
    }
    let needed = evidence(status);
    let held = held(since, status.at);
    match since {
        // Never heard of: it has not been among the servers since the proxy is followed.
        None => Standing::AtTo,
        Some(_) if held >= needed => Standing::AtTo,
        Some(_) => Standing::AtFrom(format!(
            "it is so for {:.0} of {:.0} s: two checks of the monitor",
            held.as_secs_f64(),
            needed.as_secs_f64()
        )),
    }
}

/// A backend takes statements there, or would if the writer went.
fn in_service(seen: &Snapshot, proxy: &ProxyName, status: &ProxyStatus, address: &str) -> bool {
    let groups = crate::cluster::hostgroups_of(seen, proxy);
    status.backends.iter().any(|b| {
        &*b.address == address
            && b.status == BackendStatus::Online
            && groups.iter().any(|g| [g.writer, g.backup, g.reader].contains(&b.hostgroup))
    })
}

fn held(since: Option<Timestamp>, at: Timestamp) -> Duration {
    let span = since.map_or(SignedDuration::ZERO, |since| at.duration_since(since));
    Duration::try_from(span).unwrap_or_default()
}

/// The servers that are not on the proxy's disk as they run; `None`: not known.
pub(in crate::plan) fn unsaved(status: &ProxyStatus) -> Option<Vec<&str>> {
    let drift = status.drift.as_ref()?;
    let ours = drift.iter().filter(|d| &*d.table == "mysql_servers" && d.layers == Layers::RuntimeDisk);
    Some(ours.flat_map(|d| &d.what).map(|w| &**w).collect())
}

fn desync(member: &Member, desynced: bool) -> Standing {
    let Some(status) = member.now() else { return Standing::AtFrom(silent(member.name.as_str(), None)) };
    let state = status.local_state;
    match (desynced, status.desync, state) {
        (true, true, LocalState::Donor) | (false, false, LocalState::Synced) => Standing::AtTo,
        (_, now, _) if now != desynced => {
            Standing::AtFrom(format!("wsrep_desync is {}", if now { "ON" } else { "OFF" }))
        }
        _ => Standing::AtFrom(format!(
            "it is {} still, {} write-sets wait",
            status.comment, status.receive_queue
        )),
    }
}
