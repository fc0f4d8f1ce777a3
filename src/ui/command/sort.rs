//! The orders of the tenants.

use std::fmt;

/// The order of the tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The worst first, then by name.
    #[default]
    Worst,
    /// By name.
    Name,
    /// The smallest share of ready pods first.
    Ready,
    /// The most replicas first.
    Replicas,
    /// The fewest requests left first.
    Left,
    /// The fullest memory first.
    Memory,
    /// The most restarts first.
    Restarts,
    /// By image.
    Image,
}

impl Sort {
    /// All orders, as `<` and `>` go through them.
    pub const ALL: [Self; 8] = [
        Self::Worst,
        Self::Name,
        Self::Ready,
        Self::Replicas,
        Self::Left,
        Self::Memory,
        Self::Restarts,
        Self::Image,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Name => "name",
            Self::Ready => "ready",
            Self::Replicas => "replicas",
            Self::Left => "left",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
            Self::Image => "image",
        }
    }

    /// The order of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    pub(in crate::ui) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
