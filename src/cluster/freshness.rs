//! How well a source is known at this moment.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of one source (one kind of object, or the API itself).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Freshness {
    /// Nothing seen yet.
    #[default]
    Connecting,
    /// Followed; what is shown is what there is. `since` is when it was last read in full.
    Live {
        /// When the present copy was complete.
        since: Timestamp,
    },
    /// Followed once, not now.
    Stale {
        /// The last moment it was known to be true.
        since: Timestamp,
        /// One sentence.
        why: Arc<str>,
    },
    /// Never seen, and why.
    Missing {
        /// One sentence, naming the right that is missing or the error.
        why: Arc<str>,
    },
}

/// The same for recordings, which do not tell variants by their names.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Freshness")]
pub(super) enum Plain {
    Connecting,
    Live { since: Timestamp },
    Stale { since: Timestamp, why: Arc<str> },
    Missing { why: Arc<str> },
}

/// How far the first list of a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Objects read so far.
    pub objects: u64,
    /// Of so many, where the server says it.
    pub of: Option<u64>,
}

impl std::fmt::Display for Reading {
    /// `3,500 of 10,000`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let grouped = |n: u64| {
            let digits = n.to_string();
            let (head, tail) = digits.split_at((digits.len() - 1) % 3 + 1);
            let tail = tail.as_bytes().chunks(3).map(|c| format!(",{}", String::from_utf8_lossy(c)));
            format!("{head}{}", tail.collect::<String>())
        };
        match self.of {
            Some(of) => write!(f, "{} of {}", grouped(self.objects), grouped(of.max(self.objects))),
            None => f.write_str(&grouped(self.objects)),
        }
    }
}

impl Freshness {
    /// Followed at present.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// It has been seen at least once, so that an absence in it means something.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Stale { .. })
    }

    /// Why it is not followed.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Connecting | Self::Live { .. } => None,
            Self::Stale { why, .. } | Self::Missing { why } => Some(why),
        }
    }

    /// The same source after a failure: what was seen stays, is known to hold until `until`, the last answer, and grows
    /// old.
    pub fn lost(&self, until: Timestamp, why: impl Into<Arc<str>>) -> Self {
        match self {
            Self::Live { since } => Self::Stale { since: until.max(*since), why: why.into() },
            Self::Stale { since, .. } => Self::Stale { since: *since, why: why.into() },
            Self::Connecting | Self::Missing { .. } => Self::Missing { why: why.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_list_has_come_is_written_in_groups_of_three() {
        let said = |objects, of| Reading { objects, of }.to_string();
        assert_eq!(said(3_500, Some(10_000)), "3,500 of 10,000");
        assert_eq!(said(999, None), "999");
        assert_eq!(said(1_234_567, Some(1_000)), "1,234,567 of 1,234,567");
        assert_eq!(said(0, Some(100)), "0 of 100");
    }
}
