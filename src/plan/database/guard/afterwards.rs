//! What the database will be after an act: who can write, whether the quorum holds, and whether those that stay have the
//! room.

use std::collections::BTreeSet;

use super::super::routing::{Backend, BackendRole, Proxied, Routing, fit_to_write};
use crate::{
    cluster::BackendStatus,
    plan::{
        Check,
        Verdict::{Ok, Refuse, Warn},
    },
};

/// Writer candidates and quorum, with the backends as they will be.
pub(in crate::plan::database) fn afterwards(routing: &Routing<'_>, after: &[Vec<Backend>]) -> Vec<Check> {
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
pub(in crate::plan::database) fn capacity(
    routing: &Routing<'_>,
    address: &str,
    after: &[Vec<Backend>],
) -> Vec<Check> {
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

/// While the proxies move to another writer one after the other, two members take writes: where any does.
pub(in crate::plan::database) fn conflicts(routing: &Routing<'_>, after: &[Vec<Backend>]) -> Option<Check> {
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
