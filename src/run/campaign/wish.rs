//! What operators wish of a campaign, whoever drives it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::TenantName;

/// What any cockpit may wish of a campaign that another one drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "kebab-case")]
pub enum Wish {
    /// Pause it, and what is under way.
    Pause,
    /// Not to pause after all.
    GoOn,
    /// End it once what is under way is through.
    Stop,
    /// Leave this item out.
    Skip {
        /// Index into the items.
        item: usize,
    },
    /// Leave out all that is left of this tenant.
    #[serde(rename = "skip-tenant")]
    SkipTenant {
        /// The tenant.
        tenant: TenantName,
    },
    /// Try an item again that failed or was skipped.
    Retry {
        /// Index into the items.
        item: usize,
    },
    /// What is not understood: a newer wheelhouse wrote it.
    #[serde(other)]
    Unread,
}

impl fmt::Display for Wish {
    /// `skip acme`, `retry item 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::GoOn => f.write_str("go on"),
            Self::Stop => f.write_str("stop"),
            Self::Skip { item } => write!(f, "skip item {}", item + 1),
            Self::SkipTenant { tenant } => write!(f, "skip {tenant}"),
            Self::Retry { item } => write!(f, "retry item {}", item + 1),
            Self::Unread => f.write_str("a wish"),
        }
    }
}

/// A wish, as it stands in a campaign's journal beside its events: whoever drives the campaign answers it with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When, in the API server's time.
    pub at: Timestamp,
    /// Who: `bob@bastion`.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub wish: Wish,
}

impl Asked {
    /// One that cannot be read.
    pub(super) fn unread(_: String) -> Self {
        Self { at: Timestamp::UNIX_EPOCH, by: "somebody".into(), wish: Wish::Unread }
    }
}
