//! Where a change of the database stands: by what is configured, and by what the monitor has left alone long enough.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    cluster::{
        BackendStatus, Layers, LocalState, Member, MemberName, Proxy, ProxyName, ProxyStatus, ServerRow,
        Snapshot,
    },
    plan::{Kind, Standing},
};

/// `mysql-monitor_galera_healthcheck_interval` where it is not known: ProxySQL's default.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Why the servers of a proxy say nothing at present: it does not answer, or they cannot be read.
pub(in crate::plan) fn proxy_unread(proxy: &ProxyName, seen: &Snapshot) -> Option<String> {
    match seen.proxies.get(proxy)?.now() {
        Some(status) if status.admin => None,
        Some(_) => Some(format!("the servers of {proxy} cannot be read with this user")),
        None => proxy_silent(proxy, seen),
    }
}

/// Why nothing is known of a proxy at present.
pub(in crate::plan) fn proxy_silent(proxy: &ProxyName, seen: &Snapshot) -> Option<String> {
    let known = seen.proxies.get(proxy)?;
    known.now().is_none().then(|| silent(proxy.as_str(), known.why()))
}

/// Why nothing is known of a member at present.
pub(in crate::plan) fn member_silent(member: &MemberName, seen: &Snapshot) -> Option<String> {
    let known = seen.galera.get(member)?;
    known.now().is_none().then(|| silent(member.as_str(), known.why()))
}

fn silent(name: &str, why: Option<&str>) -> String {
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{name} does not answer at present{why}")
}

/// Where a change of a proxy stands, by what the proxy says.
pub(in crate::plan) fn of_proxy(
    change: &dyn Kind,
    proxy: &ProxyName,
    seen: &Snapshot,
    tell: impl Fn(&ProxyStatus) -> Standing,
) -> Standing {
    if let Some(why) = change.unseen(seen) {
        return Standing::AtFrom(why);
    }
    match seen.proxies.get(proxy).map(|p: &Arc<Proxy>| p.now()) {
        Some(Some(status)) => tell(status),
        Some(None) => Standing::AtFrom(silent(proxy.as_str(), None)),
        None => Standing::Elsewhere(format!("there is no proxy {proxy} any more")),
    }
}

/// Where a change of a member stands, by what the member says.
pub(in crate::plan) fn of_member(
    change: &dyn Kind,
    name: &MemberName,
    seen: &Snapshot,
    tell: impl Fn(&Member) -> Standing,
) -> Standing {
    if let Some(why) = change.unseen(seen) {
        return Standing::AtFrom(why);
    }
    match seen.galera.get(name) {
        Some(member) => tell(member),
        None => Standing::Elsewhere(format!("there is no member {name} any more")),
    }
}

/// Where the rows of a backend stand.
pub(in crate::plan) fn servers(
    status: &ProxyStatus,
    address: &str,
    from: &[ServerRow],
    to: &[ServerRow],
) -> Standing {
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

/// Whether a backend's rows have held for two checks of the monitor.
pub(in crate::plan) fn holds(
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
pub(in crate::plan) fn in_service(
    seen: &Snapshot,
    proxy: &ProxyName,
    status: &ProxyStatus,
    address: &str,
) -> bool {
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

/// Whether a member shows its desync.
pub(in crate::plan) fn desync(member: &Member, desynced: bool) -> Standing {
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
