//! Who notices: clients that are cut, and for how long.

use super::super::{
    Cut,
    field::{Edit, Face, Field, Place, Seat},
    standing,
};
use crate::{
    cluster::{Holder, MemberName},
    plan::{
        Check,
        Verdict::{Ok, Warn},
    },
};

/// Of those that hold connections, so many are named.
const NAMED: usize = 3;

/// The sessions on a backend of one proxy.
struct Held {
    clients: u32,
    who: Vec<Holder>,
}

impl Held {
    /// As the list of sessions has them, or as the pool counts connections in use, whichever is more.
    fn of(face: &Face<'_>, address: &str) -> Self {
        let pinned = || face.status.pinned.iter().filter(|p| &*p.address == address);
        let used: u32 = face
            .status
            .backends
            .iter()
            .filter(|b| &*b.address == address)
            .map(|b| b.used)
            .fold(0, u32::saturating_add);
        let mut who: Vec<Holder> = Vec::new();
        for holder in pinned().flat_map(|p| &p.holders) {
            match who.iter_mut().find(|w| (&w.user, &w.schema) == (&holder.user, &holder.schema)) {
                Some(known) => known.sessions = known.sessions.saturating_add(holder.sessions),
                None => who.push(holder.clone()),
            }
        }
        who.sort_by(|a, b| {
            b.sessions.cmp(&a.sessions).then_with(|| (&a.schema, &a.user).cmp(&(&b.schema, &b.user)))
        });
        Self { clients: pinned().map(|p| p.sessions).fold(0, u32::saturating_add).max(used), who }
    }

    /// `3 sessions hold a connection on db1 in proxy1 (app in tenant_acme 2, app in tenant_globex 1)`.
    fn words(&self, label: &str, face: &Face<'_>) -> String {
        let one = |h: &Holder| format!("{} in {} {}", h.user, h.schema, h.sessions);
        let mut named: Vec<_> = self.who.iter().take(NAMED).map(one).collect();
        if self.who.len() > NAMED {
            named.push(format!("{} more", self.who.len() - NAMED));
        }
        let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
        let (sessions, hold) = if self.clients == 1 { ("session", "holds") } else { ("sessions", "hold") };
        format!("{} {sessions} {hold} a connection on {label} in {}{named}", self.clients, face.name)
    }

    fn cut(self, face: &Face<'_>, label: &str, what: &str, seconds: u32) -> Cut {
        let text = format!("{}: {what}", self.words(label, face));
        Cut {
            proxy: Some(face.name.clone()),
            clients: Some(self.clients),
            who: self.who,
            seconds: Some(seconds),
            text,
        }
    }
}

/// Who notices that a backend goes or the writer moves.
pub(in crate::plan::database) fn cuts(
    field: &Field<'_>,
    phases: &[Vec<Edit>],
    after: &[Vec<Seat>],
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for (face, seats) in field.faces.iter().zip(after) {
        let edited = phases.iter().flatten().find(|e| e.proxy == *face.name);
        let family = edited.map_or(0, |e| face.family(&e.address));
        let writer = |seats: &[Seat]| {
            let mut of = seats.iter().filter(|s| s.family == family);
            of.find(|s| s.place == Place::Writer).map(|s| (s.address.clone(), s.label.clone()))
        };
        let goes = |address: &str| {
            let edits = phases.iter().flatten();
            edits.filter(|e| e.proxy == *face.name && e.to.is_empty()).any(|e| &*e.address == address)
        };
        let moves = match (writer(&face.seats), writer(seats)) {
            (Some(old), Some(new)) if old.0 != new.0 => Some((old, new.1)),
            _ => None,
        };
        let leaves =
            |seat: &&Seat| moves.as_ref().is_none_or(|(old, _)| old.0 != seat.address) && goes(&seat.address);
        for seat in face.seats.iter().filter(leaves) {
            let held = Held::of(face, &seat.address);
            if held.clients > 0 {
                let what = "between statements they are moved and notice nothing; in a transaction they may end with \
                            error 2013 (not measured), and connect anew at once";
                cuts.push(held.cut(face, &seat.label, what, 0));
            }
        }
        if let Some(((old, from), to)) = moves {
            let within = face.interval();
            let then = match goes(&old) {
                true => format!("; what is open there when {from} goes may end with error 2013"),
                false => ", or ends with error 2013".into(),
            };
            let what = format!(
                "new writes go to {to} within {within}; an open transaction goes on on {from} until it ends{then} (not \
                 measured), and connects anew at once"
            );
            let seconds = standing::evidence(face.status).as_secs_f64() / 2.0;
            cuts.push(Held::of(face, &old).cut(face, &from, &what, seconds.ceil() as u32));
        }
    }
    cuts
}

/// Who is connected to a member that its proxies take for offline once it is desynced.
pub(in crate::plan::database) fn pooled(field: &Field<'_>, member: &MemberName) -> Vec<Cut> {
    let one = |face: &Face<'_>| {
        let seat = face.seats.iter().find(|s| s.member.as_ref() == Some(member) && s.place.serves())?;
        let what = format!(
            "the proxy takes it out of its readers within {}, and they end with error 2013; they connect anew at once",
            face.interval()
        );
        Some(Held::of(face, &seat.address).cut(face, &seat.label, &what, 0))
    };
    field.faces.iter().filter_map(one).collect()
}

/// The same as a check.
pub(in crate::plan::database) fn clients(cuts: &[Cut], quiet: &str) -> Check {
    let all = cuts.iter().filter_map(|c| c.clients).fold(0, u32::saturating_add);
    if all == 0 {
        return Check::new("clients", Ok, quiet.to_owned());
    }
    let (sessions, are) = if all == 1 { ("session", "is") } else { ("sessions", "are") };
    let wait = match cuts.iter().filter_map(|c| c.seconds).max() {
        Some(seconds @ 1..) => format!("; writes may wait up to {seconds} s for the new writer"),
        _ => String::new(),
    };
    let text = format!(
        "at most {all} {sessions} {are} cut, in the moment of the change; they can connect anew at once{wait}"
    );
    Check::new("clients", Warn, text)
}
