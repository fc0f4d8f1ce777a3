//! What is checked before an act on the database is offered: each check is one sentence with its arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    routing::{Backend, BackendRole, Edit, Proxied, Routing, fit_to_write},
    standing,
};
use crate::{
    cluster::{
        BackendStatus, Layers, LocalState, Proxy, ProxyName, ProxyStatus, ServerRow, Trouble,
        database::{Row, State},
    },
    plan::{
        Check,
        Verdict::{self, Ok, Refuse, Warn},
    },
};

mod behind;
mod clients;
mod tested;

pub(super) use behind::behind;
pub(super) use clients::{clients, cuts, pooled};
pub(super) use tested::tested;

/// Readings older than this are no ground to act on, in seconds.
const OLDEST: f64 = 10.0;

/// How a proxy is told whose disk has other servers than run.
pub(super) const UNSAVED: &str = "its disk has others than run";

/// Every member and every proxy must be known, and now. A member its peers have excluded is known: it is out. A proxy
/// that is gone is acted around, and comes back with what is on its disk; one that may still serve clients is not, where
/// the writer moves.
pub(super) fn freshness(routing: &Routing<'_>, subject: Option<&str>, moves_writer: bool) -> Vec<Check> {
    let seen = routing.seen;
    let mut checks = Vec::new();
    let ago = |at: jiff::Timestamp| seen.at.duration_since(at).as_secs_f64();
    let old = |name: &str, at: Option<jiff::Timestamp>, why: Option<&str>| {
        let text = match (at, why) {
            (None, None) => format!("{name} has not answered yet: nothing is planned on what is not known"),
            (None, Some(why)) => format!(
                "{name} does not answer ({why}), and never did: nothing is planned on what is not known"
            ),
            (Some(at), Some(why)) => {
                format!(
                    "{name} does not answer ({why}), last read {:.0} s ago: a plan would be a guess",
                    ago(at)
                )
            }
            (Some(at), None) if ago(at) > OLDEST => format!(
                "{name} was last read {:.0} s ago, more than {OLDEST:.0} s: a plan would be a guess",
                ago(at)
            ),
            _ => return None,
        };
        Some(Check::new("freshness", Refuse, text))
    };
    for row in routing.db.members.iter().filter(|r| !matches!(r.state, State::Down)) {
        let why = if row.now().is_none() { row.member.why() } else { None };
        let at = row.member.status.as_ref().map(|s| s.at).filter(|_| row.now().is_some() || why.is_some());
        checks.extend(old(&row.label, at, why));
    }
    for proxy in seen.proxies.values() {
        let status = proxy.status.as_deref();
        match proxy.why().filter(|_| proxy.now().is_none()) {
            Some(why) if !routing.proxied.is_empty() => checks.push(absent(proxy, why, moves_writer)),
            why => checks.extend(old(proxy.name.as_str(), status.map(|s| s.at), why)),
        }
    }
    if routing.db.members.is_empty() {
        let text = "no Galera member is followed: neither quorum nor state can be judged";
        checks.push(Check::new("freshness", Refuse, text));
    }
    let down = |r: &&Row| matches!(r.state, State::Down) && Some(r.name.as_str()) != subject;
    for row in routing.db.members.iter().filter(down) {
        let text = format!("{} is down, its peers have excluded it: it counts for nothing here", row.label);
        checks.push(Check::new("freshness", Warn, text));
    }
    checks
}

/// A proxy that does not answer while others do: what it will do when it comes back.
fn absent(proxy: &Proxy, why: &str, moves_writer: bool) -> Check {
    let name = &proxy.name;
    // A refused connection is said by the machine itself: nothing runs there. Otherwise it may serve its clients on.
    let gone = proxy.trouble == Some(Trouble::Refused);
    if moves_writer && !gone {
        let text = format!(
            "{name} does not answer ({why}) and may serve clients for all that: it would write to the old writer beside the new one. Stop it, or repair the way to it, first"
        );
        return Check::new("without", Refuse, text);
    }
    let disk = match proxy.status.as_deref().and_then(|s| s.disk.as_ref()) {
        Some(rows) => format!("with what is on its disk: {}", on_disk(rows)),
        None => "with what is on its disk, which is not known".into(),
    };
    let now = if gone { "" } else { ", and may serve clients as it is until then" };
    let text = format!(
        "{name} does not answer ({why}): nothing is done there{now}. It comes back {disk}; act again once it does"
    );
    Check::new("without", Warn, text)
}

/// Rows in words: `db1:3306 10 (100)`, the hostgroup and the weight of each.
fn on_disk(rows: &[ServerRow]) -> String {
    let mut by: Vec<(&str, Vec<String>, u64)> = Vec::new();
    for row in rows {
        match by.iter_mut().find(|(address, _, weight)| *address == &*row.address && *weight == row.weight) {
            Some((_, groups, _)) => groups.push(row.hostgroup.to_string()),
            None => by.push((&row.address, vec![row.hostgroup.to_string()], row.weight)),
        }
    }
    let one = |(address, groups, weight): &(&str, Vec<String>, u64)| {
        format!("{address} in hostgroup {} with weight {weight}", groups.join(" and "))
    };
    if by.is_empty() { "no servers".into() } else { by.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// What the disk of a proxy has now, what a save makes of it, and what it would forget.
pub(super) fn disk(name: &ProxyName, status: &ProxyStatus) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(rows) = &status.disk {
        checks.push(Check::new("disk", Ok, format!("{name}: on its disk now: {}", on_disk(rows))));
    }
    // Without the rows of the writers in waiting, which would all write after a restart.
    let surplus = |row: &&ServerRow| {
        let here = status.backend(row.hostgroup, &row.address);
        let waits = here.is_some_and(|b| b.status == BackendStatus::Shunned);
        !(waits && status.hostgroups.iter().any(|g| g.writer == row.hostgroup))
    };
    let kept: Vec<_> = status.servers.iter().filter(surplus).cloned().collect();
    checks.push(Check::new("disk", Ok, format!("{name}: on its disk afterwards: {}", on_disk(&kept))));
    let lost: Vec<_> = status.only_on_disk().iter().map(|a| a.to_string()).collect();
    if !lost.is_empty() {
        let text = format!(
            "{name}: {} does not run and has its only rows on this disk: the save forgets them for good",
            lost.join(", ")
        );
        checks.push(Check::new("disk", Warn, text));
    }
    checks
}

/// While the proxies move to another writer one after the other, two members take writes: where any does.
pub(super) fn conflicts(routing: &Routing<'_>, after: &[Vec<Backend>]) -> Option<Check> {
    // Without a primary component nobody takes writes, whatever the proxies take for a writer.
    if !routing.db.quorum.primary {
        return None;
    }
    let writers = |backends: &[Backend]| {
        let all = backends.iter().filter(|s| s.role == BackendRole::Writer);
        all.map(|s| s.address.clone()).collect::<BTreeSet<_>>()
    };
    let moves =
        |(proxied, backends): &(&Proxied<'_>, &Vec<Backend>)| writers(&proxied.backends) != writers(backends);
    let moving: Vec<_> =
        routing.proxied.iter().zip(after).filter(moves).map(|(proxied, _)| proxied).collect();
    let longest = moving.iter().map(|proxied| proxied.interval()).max()?;
    let text = format!(
        "until every proxy and every session has moved (a proxy within {longest}), two members take writes: transactions that meet on the same rows end with error 1213 (deadlock) and are to be tried again"
    );
    Some(Check::new("conflicts", Warn, text))
}

/// What must hold of the proxies before their servers are written.
pub(super) fn proxies(
    routing: &Routing<'_>,
    clusters: &[(ProxyName, usize)],
    phases: &[Vec<Edit>],
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |rule, verdict, text: String| checks.push(Check::new(rule, verdict, text));
    if routing.seen.proxies.is_empty() {
        push("admin", Refuse, "no ProxySQL is configured: there is nothing to write to".into());
    }
    for proxied in &routing.proxied {
        let (name, status) = (proxied.name, proxied.status);
        if !status.admin {
            push(
                "admin",
                Refuse,
                format!(
                    "{name}: this user reads statistics only; changing servers takes an admin user (admin-admin_credentials)"
                ),
            );
            continue;
        }
        if status.read_only == Some(true) {
            push(
                "admin",
                Refuse,
                format!(
                    "{name}: admin-read_only is true, its tables cannot be written; LOAD would answer OK all the same"
                ),
            );
        }
        match proxied.groups.as_slice() {
            [] => push(
                "monitor",
                Refuse,
                format!("{name} has no Galera hostgroups: nothing would move its members"),
            ),
            groups if groups.iter().any(|g| !g.active) => push(
                "monitor",
                Refuse,
                format!(
                    "{name}: its Galera hostgroups are switched off (active=0): no member would be moved, and none fails over"
                ),
            ),
            _ => {}
        }
        if let Some((address, said)) = &status.monitor_denied {
            push(
                "monitor",
                Warn,
                format!("{name}: its monitor cannot log in at {address} ({said}): it may not move members"),
            );
        }
        if status.monitored == Some(false) {
            let text = format!(
                "{name}: its monitor is switched off (mysql-monitor_enabled=false): what is loaded would stay unsorted, and the proxies may write to different members; SET mysql-monitor_enabled='true' and LOAD MYSQL VARIABLES TO RUNTIME first"
            );
            push("monitor", Refuse, text);
        } else if let Some(age) = status.check_age.filter(|age| *age > standing::evidence(status) * 2) {
            let text = format!(
                "{name}: its monitor made its last check {} s ago, and one is due every {}: it would not sort what is loaded",
                age.as_secs(),
                proxied.interval()
            );
            push("monitor", Refuse, text);
        }
        // Of several clusters only the one that is changed has to be in order.
        let touched = |cluster: usize| clusters.is_empty() || clusters.contains(&(name.clone(), cluster));
        for (cluster, group) in proxied.groups.iter().enumerate() {
            if !touched(cluster) || !status.in_use(&proxied.groups).any(|g| g == group) {
                continue;
            }
            let writers = status.online_writers(std::slice::from_ref(group)).len();
            let most = group.max_writers.max(1);
            if writers > most as usize {
                push(
                    "monitor",
                    Refuse,
                    format!(
                        "{name} writes to {writers} members, {most} may: wait until its monitor has sorted them ({})",
                        proxied.interval()
                    ),
                );
            }
            if writers > 0 {
                continue;
            }
            push(
                "last-writer",
                Refuse,
                format!(
                    "{name} has no writer now: writing its servers would not give it one, and may take the last rows"
                ),
            );
        }
        for backend in proxied.fragile().into_iter().filter(|s| touched(s.cluster)) {
            push(
                "monitor",
                Refuse,
                format!(
                    "{name}: {} has no row but a SHUNNED one among the writers, which the safe form deletes: wait until the monitor has sorted it",
                    backend.label
                ),
            );
        }
        let drift = |layers| {
            let of = status
                .drift
                .iter()
                .flatten()
                .filter(move |d| &*d.table == "mysql_servers" && d.layers == layers);
            of.flat_map(|d| &d.what).map(|w| w.to_string()).collect::<Vec<_>>()
        };
        let edited = drift(Layers::MemoryRuntime);
        if !edited.is_empty() {
            push(
                "drift",
                Warn,
                format!(
                    "{name}: {} edited in memory and not loaded: taking memory from runtime drops these edits; ask whose they are",
                    edited.join(", ")
                ),
            );
        }
        let unsaved = drift(Layers::RuntimeDisk);
        if !unsaved.is_empty() && !saved_already(proxied, phases) {
            push(
                "drift",
                Warn,
                format!("{name}: {UNSAVED} ({}): a restart brings the old rows back", unsaved.join(", ")),
            );
        }
    }
    checks.extend(alike(routing));
    if routing.proxied.len() > 1
        && routing.proxied.iter().any(|f| f.status.checksums.contains_key("proxysql_servers"))
    {
        let peers = |f: &Proxied<'_>| {
            f.status
                .checksums
                .get("proxysql_servers")
                .is_some_and(|c| &**c != "0x0000000000000000" && !c.is_empty())
        };
        if routing.proxied.iter().any(peers) {
            let text = "where the proxies form a ProxySQL cluster a LOAD at one reaches the others in about 3 s, their disks among them; each is written here with the same rows, and read again. A run that ends between two proxies leaves the others to that: for those seconds two members may take writes";
            checks.push(Check::new("cluster-sync", Warn, text));
        }
    }
    checks
}

/// Whether a proxy runs afterwards what is on its disk: what differs now is what is written back.
pub(super) fn saved_already(proxied: &Proxied<'_>, phases: &[Vec<Edit>]) -> bool {
    let (Some(disk), Some(unsaved)) = (&proxied.status.disk, standing::unsaved(proxied.status)) else {
        return false;
    };
    // The monitor chooses the hostgroups.
    let rows = |all: &[ServerRow], address: &str| -> BTreeSet<String> {
        let of = all.iter().filter(|row| &*row.address == address);
        of.map(|row| format!("{:?}", ServerRow { hostgroup: 0, ..row.clone() })).collect()
    };
    let mut last: BTreeMap<&str, &[ServerRow]> = BTreeMap::new();
    for edit in phases.iter().flatten().filter(|edit| edit.proxy == *proxied.name) {
        last.insert(&edit.address, &edit.to);
    }
    let back = |address: &&str| last.get(address).is_some_and(|to| rows(to, address) == rows(disk, address));
    !last.is_empty() && unsaved.iter().all(back) && last.keys().all(back)
}

/// Proxies that have other servers or weights than the first.
fn alike(routing: &Routing<'_>) -> Option<Check> {
    let [first, rest @ ..] = routing.proxied.as_slice() else { return None };
    let of = |proxied: &Proxied<'_>| {
        let mut all: Vec<_> = proxied.backends.iter().map(|s| (s.address.clone(), s.weight)).collect();
        all.sort();
        all
    };
    let others: Vec<_> = rest.iter().filter(|f| of(f) != of(first)).map(|f| f.name.as_str()).collect();
    (!others.is_empty()).then(|| {
        let text = format!(
            "{} has other servers or weights than {}: each is changed from what it has",
            others.join(", "),
            first.name
        );
        Check::new("drift", Warn, text)
    })
}

/// No state transfer may be under way.
pub(super) fn transfer(routing: &Routing<'_>) -> Check {
    let busy: Vec<_> = routing
        .db
        .members
        .iter()
        .filter(|r| {
            matches!(
                r.state,
                State::Donor { .. }
                    | State::Joining { .. }
                    | State::Receiving { .. }
                    | State::CatchingUp { .. }
            )
        })
        .map(|r| format!("{} is {}", r.label, r.state.word()))
        .collect();
    match busy.is_empty() {
        true => Check::new("transfer", Ok, "no member gives or takes a state"),
        false => {
            Check::new("transfer", Refuse, format!("{}: wait until the transfer is over", busy.join(", ")))
        }
    }
}

/// Writer candidates and quorum, with the backends as they will be.
pub(super) fn afterwards(routing: &Routing<'_>, after: &[Vec<Backend>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let fit = |backend: &&Backend| {
        let row = routing.db.members.iter().find(|r| Some(&r.name) == backend.member.as_ref());
        matches!(backend.role, BackendRole::Writer | BackendRole::Standby) && row.is_some_and(fit_to_write)
    };
    let clusters = |proxied: &Proxied<'_>| 0..proxied.groups.len().max(1);
    let each = routing
        .proxied
        .iter()
        .zip(after)
        .flat_map(|(proxied, backends)| clusters(proxied).map(move |f| (proxied, backends, f)));
    for (proxied, backends, cluster) in each {
        let of = |s: &&Backend| s.cluster == cluster;
        // Of the clusters behind a proxy only those with members that are followed can be judged.
        let followed = |s: &Backend| s.cluster == cluster && s.member.is_some();
        if proxied.groups.len() > 1 && !proxied.backends.iter().any(followed) {
            continue;
        }
        let left: Vec<_> = backends.iter().filter(of).filter(fit).map(|s| s.label.as_str()).collect();
        let before = proxied.backends.iter().filter(of).filter(fit).count().max(left.len());
        let (verdict, text) = match left.as_slice() {
            [] if before == 0 => (
                Refuse,
                format!("{}: no member can take writes now, and this would not give it one", proxied.name),
            ),
            [] => {
                let now = if before == 1 {
                    "1 member can write now"
                } else {
                    &*format!("{before} members can write now")
                };
                (Refuse, format!("{}: {now}, none would be left", proxied.name))
            }
            [one] if before > 1 => (
                Warn,
                format!(
                    "{}: of {before} members that can write only {one} is left: when it fails, nobody takes writes",
                    proxied.name
                ),
            ),
            all => (
                Ok,
                format!("{}: {} of {before} members can write: {}", proxied.name, all.len(), all.join(", ")),
            ),
        };
        checks.push(Check::new("last-writer", verdict, text));
        let reads = |backend: &Backend| {
            proxied.groups.get(cluster).is_some_and(|g| match backend.role {
                BackendRole::Reader => true,
                BackendRole::Standby => g.writer_is_also_reader != 0,
                BackendRole::Writer => g.writer_is_also_reader == 1,
                BackendRole::Shunned | BackendRole::Offline => false,
            })
        };
        if proxied.backends.iter().filter(of).any(|s| s.reads && s.role.serves())
            && !backends.iter().filter(of).any(reads)
        {
            let text = format!(
                "{}: nobody would be left to read: reads would wait and end with error 9001 (10 s by default)",
                proxied.name
            );
            checks.push(Check::new("last-reader", Refuse, text));
        }
    }
    let now: Vec<_> = routing.proxied.iter().map(|f| f.backends.clone()).collect();
    let (before, total) = routing.weights(&now);
    let (left, _) = routing.weights(after);
    let text = format!(
        "weights in service {before} → {left} of {total} in the component, more than half is {}",
        total / 2 + 1
    );
    let verdict = match () {
        () if !routing.db.quorum.primary => Refuse,
        () if left < before && u64::from(left) * 2 <= u64::from(total) => Refuse,
        () if u64::from(left) * 2 <= u64::from(total) => Warn,
        () => Ok,
    };
    let text = if routing.db.quorum.primary {
        text
    } else {
        match routing.db.is_known() {
            true => "there is no primary component: see the recovery sheet".into(),
            false => "whether there is a quorum is not known: no member can be read".into(),
        }
    };
    checks.push(Check::new("quorum", verdict, text));
    checks
}

/// Whether those that stay can take the connections of one that goes.
pub(super) fn capacity(routing: &Routing<'_>, address: &str, after: &[Vec<Backend>]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (proxied, backends) in routing.proxied.iter().zip(after) {
        let stays = |a: &str| backends.iter().any(|s| &*s.address == a && s.role.serves());
        if stays(address) {
            continue;
        }
        let theirs = proxied.status.backends.iter().filter(|b| &*b.address == address);
        let mine = theirs.map(|b| b.used).fold(0, u32::saturating_add);
        let others = proxied
            .status
            .backends
            .iter()
            .filter(|b| &*b.address != address && stays(&b.address))
            .filter(|b| {
                let writes = backends.iter().any(|s| s.address == b.address && s.role == BackendRole::Writer);
                proxied.groups.iter().any(|g| {
                    g.writer == b.hostgroup && writes
                        || g.reader == b.hostgroup && b.status == BackendStatus::Online
                })
            })
            .map(|b| Some(b.max_connections?.saturating_sub(b.used)));
        let room = others.reduce(|all, one| Some(all?.saturating_add(one?))).unwrap_or(Some(0));
        let connections = if mine == 1 { "connection" } else { "connections" };
        let Some(room) = room else {
            let text = format!(
                "{}: {mine} {connections} in use there, for how many the others have room is not known",
                proxied.name
            );
            checks.push(Check::new("capacity", Warn, text));
            continue;
        };
        let text =
            format!("{}: {mine} {connections} in use there, the others have room for {room}", proxied.name);
        let verdict = if mine > room {
            Refuse
        } else if u64::from(mine) * 5 > u64::from(room) * 4 {
            Warn
        } else {
            Ok
        };
        checks.push(Check::new("capacity", verdict, text));
    }
    checks
}

/// Whether `wsrep_desync` may be set so on a member.
pub(super) fn desync(routing: &Routing<'_>, row: &Row, to: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |verdict: Verdict, text: String| checks.push(Check::new("desync", verdict, text));
    let label = &row.label;
    let Some(status) = row.now() else {
        push(Refuse, format!("{label} does not answer"));
        return checks;
    };
    if !status.galera || !row.is_primary() {
        push(
            Refuse,
            format!(
                "{label} is {}: wsrep_desync is set on members of the primary component only",
                row.state.word()
            ),
        );
    }
    if let Some(threads) = status.threads.as_ref().filter(|t| t.applier_blocked.is_some()) {
        push(
            Refuse,
            format!(
                "an applier of {label} has waited {} s for a lock ({}): SET GLOBAL wsrep_desync would wait behind it, and each one sent counts for good; {}",
                threads.applier_blocked.unwrap_or(0),
                threads.holder(),
                threads.release(label)
            ),
        );
    } else if status.threads.is_none() && status.flow.requested {
        push(
            Refuse,
            format!(
                "{label} asks for flow control, and without the PROCESS right it is not seen whether its applier waits for a lock, behind which SET GLOBAL wsrep_desync would wait too: GRANT PROCESS, or SHOW PROCESSLIST there"
            ),
        );
    }
    if to {
        let writers = routing.proxied.iter().filter(|f| {
            f.backends.iter().any(|s| s.role == BackendRole::Writer && s.member.as_ref() == Some(&row.name))
        });
        let names: Vec<_> = writers.map(|f| f.name.as_str()).collect();
        if !names.is_empty() {
            push(Refuse, format!("{label} takes the writes of {}: move the writer first", names.join(", ")));
        }
        let others = routing
            .db
            .members
            .iter()
            .filter(|r| r.name != row.name && matches!(r.state, State::Synced))
            .count();
        match others {
            0 => push(Refuse, format!("{label} is the last synced member")),
            1 => push(Ok, "1 other member is synced".into()),
            n => push(Ok, format!("{n} other members are synced")),
        }
        if !matches!(row.state, State::Synced) {
            push(Refuse, format!("{label} is {}, not synced", row.state.word()));
        }
    } else {
        let peers_donating = matches!(row.state, State::Donor { .. });
        if let State::StuckDesync { count, .. } = row.state {
            push(
                Refuse,
                format!(
                    "{label} was desynced {count} times: wsrep_desync=OFF takes back one, and only a restart the others. Take it out of the proxies, restart it, bring it back"
                ),
            );
        } else if peers_donating || status.desync_count > 1 {
            push(
                Refuse,
                format!(
                    "{label} is {} for {} reasons: it is desynced by more than a hand, wait until the transfer is over",
                    row.state.word(),
                    status.desync_count
                ),
            );
        } else if status.desync && status.local_state == LocalState::Donor {
            let text = format!(
                "{label} is not donating: {} write-sets wait, flow control may pause the cluster until it has applied them",
                status.receive_queue
            );
            push(if status.receive_queue > 100 { Warn } else { Ok }, text);
        }
    }
    checks
}
