//! Members that are to write or serve, and are behind.

use super::super::field::{Field, Place, Seat};
use crate::plan::{Check, Verdict::Warn};

/// Who is to write, or to serve again, and has many write-sets to apply yet. No proxy keeps clients off such a member:
/// `max_transactions_behind` is applied to read-only ones alone (measured).
pub(in crate::plan::database) fn behind(field: &Field<'_>, after: &[Vec<Seat>]) -> Vec<Check> {
    let limit = field.seen.database.thresholds.queue;
    let lagging = field.db.members.iter().filter_map(|row| {
        let queue = row.now()?.receive_queue;
        (queue >= limit).then_some((row, queue))
    });
    let checks = lagging.filter_map(|(row, queue)| {
        let newly = |so: fn(Place) -> bool| {
            field.faces.iter().zip(after).any(|(face, seats)| {
                let of = |seats: &[Seat]| {
                    seats.iter().any(|s| s.member.as_ref() == Some(&row.name) && so(s.place))
                };
                of(seats) && !of(&face.seats)
            })
        };
        let means = if newly(|place| place == Place::Writer) {
            "its commits wait behind them, and what is read there is old"
        } else if newly(Place::serves) {
            "what is read there is old"
        } else {
            return None;
        };
        let text = format!("{} has {queue} write-sets to apply yet: until it has, {means}", row.label);
        Some(Check::new("behind", Warn, text))
    });
    checks.collect()
}
