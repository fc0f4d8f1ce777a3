//! How near a certificate is to its end, by the share of its lifetime that is left, since lifetimes differ and shrink; and
//! for whom it is.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::words::span;

/// Where a certificate is in its life. The worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// More than a third of its lifetime is left.
    Good,
    /// Less than a third is left: cert-manager and certbot renew at a third.
    Overdue,
    /// Less than a ninth, or less than three days.
    Ending,
    /// It is not valid yet; or the clock is wrong.
    NotYet,
    /// It has expired.
    Over,
}

/// However long it lives, the last days are the last days.
const LAST: SignedDuration = SignedDuration::from_hours(72);

impl Term {
    /// Where a certificate is that is valid from `not_before`, where that is known, until `not_after`.
    pub fn of(not_before: Option<Timestamp>, not_after: Timestamp, now: Timestamp) -> Self {
        let left = not_after.duration_since(now);
        if !left.is_positive() {
            return Self::Over;
        }
        let Some(begins) = not_before else {
            return if left < LAST { Self::Ending } else { Self::Good };
        };
        if begins > now {
            return Self::NotYet;
        }
        let whole = not_after.duration_since(begins).as_secs();
        let left_of = |parts: i64| left.as_secs().saturating_mul(parts) < whole;
        // One that lives for less than nine days is not in its last days all its life.
        let last = LAST.as_secs().min(whole / 3);
        if left_of(9) || left.as_secs() < last {
            Self::Ending
        } else if left_of(3) {
            Self::Overdue
        } else {
            Self::Good
        }
    }

    /// It in words, after what it is about: `has expired 5d ago`.
    pub fn words(self, not_before: Option<Timestamp>, not_after: Timestamp, now: Timestamp) -> String {
        let left = span(not_after.as_second().saturating_sub(now.as_second()));
        match self {
            Self::Good => format!("is valid for {left} more"),
            Self::Overdue => {
                format!(
                    "expires in {left}: less than a third of its lifetime is left, its renewal is overdue"
                )
            }
            Self::Ending => format!("expires in {left}, and was not renewed"),
            Self::NotYet => {
                let begins = not_before.map_or(0, |begins| begins.as_second() - now.as_second());
                format!("is valid only in {}; or the clock here is wrong", span(begins))
            }
            Self::Over => format!("expired {} ago", span(now.as_second() - not_after.as_second())),
        }
    }
}

/// Whether a host is covered by a name: the same, or a wildcard for its first label.
pub(super) fn covers(name: &str, host: &str) -> bool {
    name == host
        || name.strip_prefix("*.").is_some_and(|rest| {
            host.split_once('.').is_some_and(|(first, after)| !first.is_empty() && after == rest)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_judged_by_its_lifetime_and_not_by_a_number_of_days() {
        let begin: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
        let day = |n: i64| begin + SignedDuration::from_hours(24 * n);
        let of = |lives: i64, at: i64| Term::of(Some(begin), day(lives), day(at));
        for (lives, at, term) in [
            (90, 59, Term::Good),
            (90, 61, Term::Overdue),
            (90, 81, Term::Ending),
            (45, 29, Term::Good),
            (45, 31, Term::Overdue),
            (45, 41, Term::Ending),
            (398, 362, Term::Ending),
            // Six days in all: three of them are no last days.
            (6, 2, Term::Good),
            (6, 5, Term::Ending),
            (20, 18, Term::Ending),
            (90, -1, Term::NotYet),
            (90, 90, Term::Over),
        ] {
            assert_eq!(of(lives, at), term, "lives {lives} days, looked at after {at}");
        }
        assert_eq!(Term::of(None, day(4), day(0)), Term::Good);
        assert_eq!(Term::of(None, day(2), day(0)), Term::Ending);
        assert_eq!(Term::Over.words(Some(begin), day(5), day(10)), "expired 5d ago");
        assert_eq!(Term::Ending.words(None, day(4), day(0)), "expires in 4d, and was not renewed");
    }
}
