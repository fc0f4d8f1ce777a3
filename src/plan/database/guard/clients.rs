//! Who notices: clients that are cut, and for how long.

use super::super::{
    Cut,
    field::{Edit, Face, Field, Place, Seat},
};
use crate::{
    cluster::MemberName,
    plan::{
        Check,
        Verdict::{Ok, Warn},
    },
};

/// Who notices that a backend goes or the writer moves.
pub(in crate::plan::database) fn cuts(
    field: &Field<'_>,
    phases: &[Vec<Edit>],
    after: &[Vec<Seat>],
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for (face, seats) in field.faces.iter().zip(after) {
        let label = |a: &str| face.seat(a).map_or(a.to_owned(), |s| s.label.clone());
        let held =
            |a: &str| face.status.pinned.iter().filter(|p| &*p.address == a).map(|p| p.sessions).sum::<u32>();
        let gone: Vec<_> = phases
            .last()
            .into_iter()
            .flatten()
            .filter(|e| e.proxy == *face.name && e.to.is_empty())
            .collect();
        for edit in &gone {
            let clients = held(&edit.address);
            if clients > 0 {
                let text = format!(
                    "{clients} sessions that hold a connection on {} in {}: in a transaction they end with error 2013 and connect anew at once; all others are not cut",
                    label(&edit.address),
                    face.name
                );
                cuts.push(Cut { proxy: Some(face.name.clone()), clients: Some(clients), text });
            }
        }
        let writer = |seats: &[Seat]| {
            seats.iter().find(|s| s.place == Place::Writer).map(|s| (s.address.clone(), s.label.clone()))
        };
        if let (Some((old, from)), Some((new, to))) = (writer(&face.seats), writer(seats))
            && old != new
        {
            let clients = held(&old);
            let text = format!(
                "{clients} sessions that hold a connection on {from} in {}: open transactions end with error 2013; new writes go to {to} within {}",
                face.name,
                face.interval()
            );
            cuts.push(Cut { proxy: Some(face.name.clone()), clients: Some(clients), text });
        }
    }
    cuts
}

/// Who is connected to a member that its proxies take for offline once it is desynced.
pub(in crate::plan::database) fn pooled(field: &Field<'_>, member: &MemberName) -> Vec<Cut> {
    let one = |face: &Face<'_>| {
        let seat = face.seats.iter().find(|s| s.member.as_ref() == Some(member) && s.place.serves())?;
        let used: u32 =
            face.status.backends.iter().filter(|b| b.address == seat.address).map(|b| b.used).sum();
        let held =
            face.status.pinned.iter().filter(|p| p.address == seat.address).map(|p| p.sessions).sum::<u32>();
        let text = format!(
            "{} takes {} out of its readers within {}: the {} connections in use there end with error 2013",
            face.name,
            seat.label,
            face.interval(),
            used.max(held)
        );
        Some(Cut { proxy: Some(face.name.clone()), clients: Some(used.max(held)), text })
    };
    field.faces.iter().filter_map(one).collect()
}

/// The same as a check.
pub(in crate::plan::database) fn clients(cuts: &[Cut], quiet: &str) -> Check {
    let all: u32 = cuts.iter().filter_map(|c| c.clients).sum();
    match cuts.is_empty() || all == 0 {
        true => Check::new("clients", Ok, quiet.to_owned()),
        false => Check::new(
            "clients",
            Warn,
            format!(
                "at most {all} sessions are cut, in the moment of the change; they can connect anew at once"
            ),
        ),
    }
}
