//! What is checked before an act on the database is offered: each check is one sentence with its arithmetic.

use super::field::{Face, Field, Place, Seat, fit_to_write};
use crate::{
    cluster::{
        BackendStatus, Layers, LocalState,
        database::{Row, State},
    },
    plan::{
        Check,
        Verdict::{self, Ok, Refuse, Warn},
    },
};

mod behind;
mod clients;
mod measured;

pub(super) use behind::behind;
pub(super) use clients::{clients, cuts, pooled};
pub(super) use measured::measured;

/// Readings older than this are no ground to act on, in seconds.
const OLDEST: f64 = 10.0;

/// How a proxy is told whose disk has other servers than run.
pub(super) const UNSAVED: &str = "its disk has others than run";

/// Every member and every proxy must be known, and now. A member its peers have excluded is known: it is out.
pub(super) fn freshness(field: &Field<'_>, subject: Option<&str>) -> Vec<Check> {
    let seen = field.seen;
    let mut checks = Vec::new();
    // Endpoints are dated by the clock of this machine, the snapshot by the API server's.
    let skew = jiff::SignedDuration::from_millis(seen.api.skew_millis);
    let here = seen.at.checked_sub(skew).unwrap_or(seen.at);
    let mut old = |name: &str, at: Option<jiff::Timestamp>, why: Option<&str>| {
        let age = at.map(|at| here.duration_since(at).as_secs_f64());
        let text = match (age, why) {
            (None, _) => format!("{name} has not answered yet: nothing is planned on what is not known"),
            (Some(age), Some(why)) => {
                format!("{name} does not answer ({why}), last read {age:.0} s ago: a plan would be a guess")
            }
            (Some(age), None) if age > OLDEST => {
                format!(
                    "{name} was last read {age:.0} s ago, more than {OLDEST:.0} s: a plan would be a guess"
                )
            }
            _ => return,
        };
        checks.push(Check::new("freshness", Refuse, text));
    };
    for row in field.db.members.iter().filter(|r| !matches!(r.state, State::Down)) {
        let why = row.now().is_none().then(|| row.member.why().unwrap_or("no answer"));
        old(&row.label, row.member.status.as_ref().map(|s| s.at), why);
    }
    for proxy in seen.proxies.values() {
        let why = proxy.now().is_none().then(|| proxy.why().unwrap_or("no answer"));
        old(proxy.name.as_str(), proxy.status.as_ref().map(|s| s.at), why);
    }
    if field.db.members.is_empty() {
        let text = "no Galera member is followed: neither quorum nor state can be judged";
        checks.push(Check::new("freshness", Refuse, text));
    }
    let down = |r: &&Row| matches!(r.state, State::Down) && Some(r.name.as_str()) != subject;
    for row in field.db.members.iter().filter(down) {
        let text = format!("{} is down, its peers have excluded it: it counts for nothing here", row.label);
        checks.push(Check::new("freshness", Warn, text));
    }
    checks
}

/// What must hold of the proxies before their servers are written.
pub(super) fn proxies(field: &Field<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |rule, verdict, text: String| checks.push(Check::new(rule, verdict, text));
    if field.seen.proxies.is_empty() {
        push("admin", Refuse, "no ProxySQL is configured: there is nothing to write to".into());
    }
    for face in &field.faces {
        let (name, status) = (face.name, face.status);
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
        match face.groups.as_slice() {
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
        for group in status.in_use(&face.groups) {
            let writers = status.online_writers(std::slice::from_ref(group)).len();
            let most = group.max_writers.max(1);
            if writers > most as usize {
                push(
                    "monitor",
                    Refuse,
                    format!(
                        "{name} writes to {writers} members, {most} may: wait until its monitor has sorted them ({})",
                        face.interval()
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
        for seat in face.fragile() {
            push(
                "monitor",
                Refuse,
                format!(
                    "{name}: {} has no row but a SHUNNED one among the writers, which the safe form deletes: wait until the monitor has sorted it",
                    seat.label
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
        if !unsaved.is_empty() {
            push(
                "drift",
                Warn,
                format!("{name}: {UNSAVED} ({}): a restart brings the old rows back", unsaved.join(", ")),
            );
        }
    }
    checks.extend(alike(field));
    if field.faces.len() > 1
        && field.faces.iter().any(|f| f.status.checksums.contains_key("proxysql_servers"))
    {
        let peers = |f: &Face<'_>| {
            f.status
                .checksums
                .get("proxysql_servers")
                .is_some_and(|c| &**c != "0x0000000000000000" && !c.is_empty())
        };
        if field.faces.iter().any(peers) {
            let text = "where the proxies form a ProxySQL cluster a LOAD at one reaches the others in about 3 s, their disks among them; each is written here with the same rows, and read again";
            checks.push(Check::new("cluster-sync", Warn, text));
        }
    }
    checks
}

/// Proxies that have other servers or weights than the first.
fn alike(field: &Field<'_>) -> Option<Check> {
    let [first, rest @ ..] = field.faces.as_slice() else { return None };
    let of = |face: &Face<'_>| {
        let mut all: Vec<_> = face.seats.iter().map(|s| (s.address.clone(), s.weight)).collect();
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
pub(super) fn transfer(field: &Field<'_>) -> Check {
    let busy: Vec<_> = field
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

/// Writer candidates and quorum, with the seats as they will be.
pub(super) fn afterwards(field: &Field<'_>, after: &[Vec<Seat>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let fit = |seat: &&Seat| {
        let row = field.db.members.iter().find(|r| Some(&r.name) == seat.member.as_ref());
        matches!(seat.place, Place::Writer | Place::Standby) && row.is_some_and(fit_to_write)
    };
    let families = |face: &Face<'_>| 0..face.groups.len().max(1);
    let each =
        field.faces.iter().zip(after).flat_map(|(face, seats)| families(face).map(move |f| (face, seats, f)));
    for (face, seats, family) in each {
        let of = |s: &&Seat| s.family == family;
        // Of the clusters behind a proxy only those with members that are followed can be judged.
        let followed = |s: &Seat| s.family == family && s.member.is_some();
        if face.groups.len() > 1 && !face.seats.iter().any(followed) {
            continue;
        }
        let left: Vec<_> = seats.iter().filter(of).filter(fit).map(|s| s.label.as_str()).collect();
        let before = face.seats.iter().filter(of).filter(fit).count().max(left.len());
        let (verdict, text) = match left.as_slice() {
            [] => (Refuse, format!("{}: of {before} members that can write none would be left", face.name)),
            [one] if before > 1 => (
                Warn,
                format!(
                    "{}: of {before} members that can write only {one} is left: its loss stops writes",
                    face.name
                ),
            ),
            all => (
                Ok,
                format!("{}: {} of {before} members can write: {}", face.name, all.len(), all.join(", ")),
            ),
        };
        checks.push(Check::new("last-writer", verdict, text));
        let reads = |seat: &Seat| {
            face.groups.get(family).is_some_and(|g| match seat.place {
                Place::Reader => true,
                Place::Standby => g.writer_is_also_reader != 0,
                Place::Writer => g.writer_is_also_reader == 1,
                Place::Shunned | Place::Offline => false,
            })
        };
        if face.seats.iter().filter(of).any(|s| s.reads && s.place.serves())
            && !seats.iter().filter(of).any(reads)
        {
            let text = format!(
                "{}: nobody would be left to read: reads would wait and end with error 9001 (10 s by default)",
                face.name
            );
            checks.push(Check::new("last-reader", Refuse, text));
        }
    }
    let now: Vec<_> = field.faces.iter().map(|f| f.seats.clone()).collect();
    let (before, total) = field.weights(&now);
    let (left, _) = field.weights(after);
    let text = format!(
        "weights in service {before} → {left} of {total} in the component, more than half is {}",
        total / 2 + 1
    );
    let verdict = match () {
        () if !field.db.quorum.primary => Refuse,
        () if left < before && u64::from(left) * 2 <= u64::from(total) => Refuse,
        () if u64::from(left) * 2 <= u64::from(total) => Warn,
        () => Ok,
    };
    let text = if field.db.quorum.primary {
        text
    } else {
        "there is no primary component: see the recovery sheet".into()
    };
    checks.push(Check::new("quorum", verdict, text));
    checks
}

/// Whether those that stay can take the connections of one that goes.
pub(super) fn capacity(field: &Field<'_>, address: &str, after: &[Vec<Seat>]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (face, seats) in field.faces.iter().zip(after) {
        let stays = |a: &str| seats.iter().any(|s| &*s.address == a && s.place.serves());
        if stays(address) {
            continue;
        }
        let theirs = face.status.backends.iter().filter(|b| &*b.address == address);
        let mine = theirs.map(|b| b.used).fold(0, u32::saturating_add);
        let room = face
            .status
            .backends
            .iter()
            .filter(|b| &*b.address != address && stays(&b.address))
            .filter(|b| {
                let writes = seats.iter().any(|s| s.address == b.address && s.place == Place::Writer);
                face.groups.iter().any(|g| {
                    g.writer == b.hostgroup && writes
                        || g.reader == b.hostgroup && b.status == BackendStatus::Online
                })
            })
            .map(|b| b.max_connections.unwrap_or(0).saturating_sub(b.used))
            .fold(0, u32::saturating_add);
        let connections = if mine == 1 { "connection" } else { "connections" };
        let text =
            format!("{}: {mine} {connections} in use there, the others have room for {room}", face.name);
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
pub(super) fn desync(field: &Field<'_>, row: &Row, to: bool) -> Vec<Check> {
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
    if to {
        let writers = field.faces.iter().filter(|f| {
            f.seats.iter().any(|s| s.place == Place::Writer && s.member.as_ref() == Some(&row.name))
        });
        let names: Vec<_> = writers.map(|f| f.name.as_str()).collect();
        if !names.is_empty() {
            push(Refuse, format!("{label} takes the writes of {}: move the writer first", names.join(", ")));
        }
        let others = field
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
        if peers_donating || status.desync_count > 1 {
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
