//! How well something holds that stands between a client and a pod.

use serde::Serialize;

use super::Severity;

/// How a link is. The worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It holds.
    Ok,
    /// It is not known.
    Unknown,
    /// Worth knowing.
    Notice,
    /// It holds, and may not for long.
    Warning,
    /// Requests end here.
    Broken,
}

impl LinkState {
    /// How grave that is.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Ok | Self::Unknown => None,
            Self::Notice => Some(Severity::Notice),
            Self::Warning => Some(Severity::Warning),
            Self::Broken => Some(Severity::Critical),
        }
    }
}
