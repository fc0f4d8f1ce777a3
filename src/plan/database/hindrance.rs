//! What has come up since the plan, and stands in the way of one of its writes now.

use super::{
    Edit, Seat,
    field::{self, Field, Place},
    guard,
};
use crate::{
    cluster::Snapshot,
    plan::{Change, Verdict},
};

/// The guards of a plan judge the moment it is made; an operator may think it over for minutes, and a run waits between
/// its steps. So each write is judged again right before it is begun: by the transfer of a state, by who can write and
/// read afterwards, by the quorum, and by whether it moves the writer where that was agreed to (`as_writer`, of the wait
/// that follows), and only there.
pub fn hindrance(change: &Change, as_writer: Option<bool>, seen: &Snapshot) -> Option<String> {
    let mut field = Field::of(seen)?;
    let mut checks = Vec::new();
    match change {
        // Only memory is put right: nobody is moved.
        Change::Servers { from, to, .. } if from == to => return None,
        Change::Servers { proxy, address, from, to } => {
            field.faces.retain(|face| face.name == proxy);
            let face = field.faces.first()?;
            let edit =
                Edit { proxy: proxy.clone(), address: address.clone(), from: from.clone(), to: to.clone() };
            let known = |address: &str| {
                let row = field.member(address)?;
                Some((row.name.clone(), row.label.to_string(), field::fit_to_write(row)))
            };
            let after = face.after(&[edit], known);
            let then = after.iter().find(|s| s.address == *address).map(|s| s.place);
            let writes = then.map(|place| place == Place::Writer);
            if as_writer.is_some() && writes.is_some() && writes != as_writer {
                let would = if writes == Some(true) { "would" } else { "would not" };
                return Some(format!(
                    "it {would} take the writes of {proxy} then, which is not what was planned: others have changed since"
                ));
            }
            checks.push(guard::transfer(&field));
            checks.extend(guard::afterwards(&field, &[after]));
        }
        Change::Desync { member, to, .. } => {
            let row = field.member(member.as_str())?;
            checks.extend(guard::desync(&field, row, *to));
            if *to {
                let left = |face: &field::Face<'_>| -> Vec<Seat> {
                    let seat = face.seats.iter().find(|s| s.member.as_ref() == Some(member));
                    seat.map_or(face.seats.clone(), |seat| face.without(&seat.address))
                };
                let after: Vec<_> = field.faces.iter().map(left).collect();
                checks.push(guard::transfer(&field));
                checks.extend(guard::afterwards(&field, &after));
            }
        }
        _ => return None,
    }
    checks.into_iter().find(|c| c.verdict == Verdict::Refuse).map(|c| c.text)
}
