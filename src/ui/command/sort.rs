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
        Self::ALL.iter().position(|sort| *sort == self).map_or("", |i| Self::WORDS[i])
    }

    /// Their words, in the same order.
    pub const WORDS: [&str; 8] =
        ["worst", "name", "ready", "replicas", "left", "memory", "restarts", "image"];
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
