//! How well a source is known at this moment.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

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

    /// The same source after a failure at `now`: what was seen stays, and grows old.
    pub fn lost(&self, now: Timestamp, why: impl Into<Arc<str>>) -> Self {
        match self {
            Self::Live { .. } => Self::Stale { since: now, why: why.into() },
            Self::Stale { since, .. } => Self::Stale { since: *since, why: why.into() },
            Self::Connecting | Self::Missing { .. } => Self::Missing { why: why.into() },
        }
    }
}
