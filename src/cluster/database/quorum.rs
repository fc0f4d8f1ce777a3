//! How many more losses the primary component survives.
//!
//! Galera's rule: after a change the members that stay are a quorum when their weights are *more* than half of the last
//! view's, without the weights of those that left gracefully. A crash keeps its weight in the sum; a graceful leave
//! takes it out. Each loss is measured against the view before it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{Expectations, Row, State, View};

/// Two polls, and what an answer may take: who has been silent for longer is not counted on.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Whether the primary component survives losses.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Quorum {
    /// There is a primary component.
    pub primary: bool,
    /// Members in it, by its view.
    pub size: u32,
    /// Of these, members that have not answered for longer than two polls: they may be gone, and are not counted on.
    pub silent: u32,
    /// Members there should be.
    pub expected: u32,
    /// The weight of those in it.
    pub weight: u32,
    /// The weight of all that should be in it.
    pub expected_weight: u32,
    /// Crashes, one after another, each after the cluster has noticed the one before, that are surely survived.
    pub safe_losses: u32,
    /// Crashes at the same moment that are surely survived.
    pub safe_at_once: u32,
}

impl Quorum {
    /// Members that are there.
    pub fn present(&self) -> u32 {
        self.size.saturating_sub(self.silent)
    }

    pub(super) fn of(rows: &[Row], view: Option<&View>, expected: &Expectations, at: Timestamp) -> Self {
        let configured = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let arbitrators = view.map_or(0, |v| v.arbitrators);
        let expected = expected.size.unwrap_or(configured.saturating_add(arbitrators));
        let known: Vec<u32> =
            rows.iter().filter(|r| r.is_primary()).filter_map(|r| r.now()).map(|s| s.weight).collect();
        let Some(view) = view else {
            return Self { expected, expected_weight: expected, ..Self::default() };
        };
        let size = view.size.min(10_000);
        let sum: u32 = known.iter().fold(0, |sum, w| sum.saturating_add(*w));
        let total = view.weight.unwrap_or_else(|| sum.max(size));
        let mut weights = known;
        weights.truncate(size as usize);
        let gone = |r: &&Row| {
            matches!(r.state, State::Unnoticed | State::Unanswering)
                && r.member.silent_since.is_some_and(|since| at.duration_since(since) > GONE_AFTER)
        };
        let silent = rows.iter().filter(gone).count().min(size as usize - weights.len());
        if silent > 0 {
            return Self::in_doubt(size, silent, expected, total, sum);
        }
        // Members of the view we cannot read share the rest of its weight; the worst case is one that has it all.
        let unread = (size as usize).saturating_sub(weights.len());
        let mut rest = total.saturating_sub(sum);
        for left in (1..=unread).rev() {
            let share = if left == 1 { rest } else { rest.saturating_sub(left as u32 - 1).max(1).min(rest) };
            weights.push(share);
            rest -= share;
        }
        weights.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            primary: true,
            size,
            silent: 0,
            expected,
            weight: total,
            expected_weight: total.saturating_add(expected.saturating_sub(size)),
            safe_losses: in_turn(&weights),
            safe_at_once: at_once(&weights),
        }
    }
}

impl Quorum {
    /// Some of the view do not answer: what is left if they are gone, which their peers will have noticed in seconds.
    fn in_doubt(size: u32, silent: usize, expected: u32, total: u32, there: u32) -> Self {
        let silent = u32::try_from(silent).unwrap_or(u32::MAX);
        Self {
            primary: true,
            size,
            silent,
            expected,
            weight: there.min(total),
            expected_weight: total.saturating_add(expected.saturating_sub(size)),
            safe_losses: 0,
            safe_at_once: 0,
        }
    }
}

/// The worst order: the heaviest outweighs the others the sooner, the more of the next heaviest have gone before it.
/// Where the heaviest goes first it is survived more often: 2, 1, 1, 1 stand three losses then, and only one when a 1
/// goes before the 2.
fn in_turn(weights: &[u32]) -> u32 {
    let Some((heaviest, others)) = weights.split_first() else { return 0 };
    let mut left: u64 = others.iter().map(|w| u64::from(*w)).sum();
    let mut losses = 0;
    for next in others {
        if left <= u64::from(*heaviest) {
            break;
        }
        left -= u64::from(*next);
        losses += 1;
    }
    losses
}

fn at_once(weights: &[u32]) -> u32 {
    let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
    let mut left = total;
    let mut losses = 0;
    for weight in weights {
        left -= u64::from(*weight);
        if left * 2 <= total {
            break;
        }
        losses += 1;
    }
    losses
}

impl fmt::Display for Quorum {
    /// `quorum 3 of 3 weights, one more loss is safe`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.primary {
            return write!(f, "no quorum");
        }
        write!(f, "quorum {} of {} weights, ", self.weight, self.expected_weight)?;
        if self.silent > 0 {
            let (members, do_not) =
                if self.silent == 1 { ("member", "does not") } else { ("members", "do not") };
            write!(f, "{} {members} of the view {do_not} answer", self.silent)?;
            return match u64::from(self.weight) * 2 > u64::from(self.expected_weight.max(self.weight)) {
                true => {
                    write!(f, ": the quorum holds without, and no further loss is safe before that is known")
                }
                false => write!(f, ": without the quorum is lost"),
            };
        }
        match self.safe_losses {
            0 if self.size == 1 => write!(f, "on the last member"),
            0 => write!(f, "the next loss stops everything (a graceful stop does not)"),
            1 => write!(f, "one more loss is safe"),
            n => write!(f, "{n} more losses are safe, {} at once", self.safe_at_once),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_as_galera_counts_them() {
        for (weights, turn, once) in [
            (&[1][..], 0, 0),
            (&[1, 1], 0, 0),
            (&[1, 1, 1], 1, 1),
            (&[1, 1, 1, 1], 2, 1),
            (&[1, 1, 1, 1, 1], 3, 2),
            (&[2, 1, 1], 0, 0),
            (&[3, 2, 2], 1, 1),
            (&[], 0, 0),
            (&[0, 0], 0, 0),
            (&[1, 0, 0], 0, 0),
            (&[2, 1, 1, 1], 1, 1),
            (&[3, 2, 1, 1, 1], 1, 1),
        ] {
            assert_eq!((in_turn(weights), at_once(weights)), (turn, once), "{weights:?}");
        }
    }

    /// As many as every order of crashes is survived, tried one by one.
    fn tried(weights: &[u32]) -> u32 {
        let total: u32 = weights.iter().sum();
        let after = |gone: usize| {
            let mut left = weights.to_vec();
            let weight = left.remove(gone);
            let survived = (total - weight) * 2 > total;
            if survived { 1 + tried(&left) } else { 0 }
        };
        (0..weights.len()).map(after).min().unwrap_or(0)
    }

    #[test]
    fn what_is_said_to_be_survived_is_survived_in_every_order() {
        for number in 0..4_u32.pow(5) {
            let all = (0..5).map(|digit| number / 4_u32.pow(digit) % 4);
            for size in 1..=5 {
                let mut weights: Vec<_> = all.clone().take(size).collect();
                weights.sort_unstable_by(|a, b| b.cmp(a));
                assert_eq!(in_turn(&weights), tried(&weights), "{weights:?}");
            }
        }
    }
}
