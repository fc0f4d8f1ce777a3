//! Who looks at the platform around: one cockpit for all that look at the same, or each by itself. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{
    Freshness, Snapshot,
    words::{age, count},
};

/// Who has seen what a snapshot shows of the platform around.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Looker {
    /// It is not decided yet, or was not recorded.
    #[default]
    Unknown,
    /// This program, for itself alone.
    Alone {
        /// Why, in a sentence: neither does it tell others nor is it told by them.
        why: Arc<str>,
    },
    /// This program, for all that look at the same.
    ForAll,
    /// Another cockpit.
    Other {
        /// How its operator signs.
        who: Arc<str>,
    },
}

/// What a program has to do about the platform around, by the Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// It is not known yet who holds it.
    #[default]
    Undecided,
    /// This program holds it: it looks, and tells the others.
    Look,
    /// Somebody else does: how its operator signs.
    Read(Arc<str>),
    /// This program never takes it: why, in a sentence.
    Barred(Arc<str>),
}

/// What a program that looks tells those that look at the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Nothing yet.
    #[default]
    Nothing,
    /// What it sees, to be stored for them.
    Sight(Arc<[u8]>),
    /// It may see less than they do, and must not look for them.
    Unfit {
        /// Why, in a sentence.
        why: Arc<str>,
        /// What is stored for them in place of what it told before, which is not known to be so any more.
        last: Arc<[u8]>,
    },
}

impl Telling {
    /// Why it must not look for others.
    pub fn unfit(&self) -> Option<&Arc<str>> {
        match self {
            Self::Unfit { why, .. } => Some(why),
            Self::Nothing | Self::Sight(_) => None,
        }
    }
}

impl Snapshot {
    /// When another cockpit told what is shown of the platform around; `None`: none did.
    pub fn told_around(&self) -> Option<Timestamp> {
        match (&self.looker, &self.platform.freshness) {
            (Looker::Other { .. }, Freshness::Live { since } | Freshness::Stale { since, .. }) => {
                Some(*since)
            }
            _ => None,
        }
    }
}

/// Who looks, and how, in a sentence.
pub(super) fn told(seen: &Snapshot) -> String {
    let looks = seen.around.looks().then(|| {
        let probes = count(seen.around.probes, "look");
        format!("at most {probes} a second, {} so far", count(seen.looks.len(), "answer"))
    });
    let with = |who: String| [Some(who), looks.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    match &seen.looker {
        Looker::Unknown => looks.unwrap_or_else(|| "it is not known yet who looks".to_owned()),
        Looker::Alone { why } => with(format!("looked at by this program for itself: {why}")),
        Looker::ForAll => with("looked at by this program, which tells the other cockpits".into()),
        Looker::Other { who } => {
            let ago =
                seen.told_around().map(|at| format!(", told {} ago", age(seen.at, at))).unwrap_or_default();
            format!("seen by {who}{ago}; this program asks nothing itself")
        }
    }
}
