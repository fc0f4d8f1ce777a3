//! Members that are to write or serve, and are behind.

use super::super::routing::{Backend, BackendRole, Routing};
use crate::plan::{Check, Verdict::Warn};

/// Who is to write, or to serve again, and has many write-sets to apply yet. No proxy keeps clients off such a member:
/// `max_transactions_behind` is applied to read-only ones alone (measured).
pub(in crate::plan::database) fn behind(routing: &Routing<'_>, after: &[Vec<Backend>]) -> Vec<Check> {
    let limit = routing.seen.database.thresholds.queue;
    let lagging = routing.db.members.iter().filter_map(|row| {
        let queue = row.now()?.receive_queue;
        (queue >= limit).then_some((row, queue))
    });
    let checks = lagging.filter_map(|(row, queue)| {
        let newly = |so: fn(BackendRole) -> bool| {
            routing.proxied.iter().zip(after).any(|(proxied, backends)| {
                let of = |backends: &[Backend]| {
                    backends.iter().any(|s| s.member.as_ref() == Some(&row.name) && so(s.role))
                };
                of(backends) && !of(&proxied.backends)
            })
        };
        let means = if newly(|place| place == BackendRole::Writer) {
            "its commits wait behind them, and what is read there is old"
        } else if newly(BackendRole::serves) {
            "what is read there is old"
        } else {
            return None;
        };
        let text = format!("{} has {queue} write-sets to apply yet: until it has, {means}", row.label);
        Some(Check::new("behind", Warn, text))
    });
    checks.collect()
}
