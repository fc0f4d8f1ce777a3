//! The platform of a snapshot, worked out once, however many ask for it.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::Platform;
use crate::cluster::Snapshot;

/// What was worked out of a snapshot, and the moment of it. Whoever changes the snapshot says so with `forget`.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Derived(OnceLock<(Timestamp, Arc<Platform>)>);

impl Derived {
    pub(super) fn of(&self, seen: &Snapshot) -> Arc<Platform> {
        // What rests on the time is judged again.
        let (at, worked) = self.0.get_or_init(|| (seen.at, Arc::new(Platform::derive(seen))));
        if *at == seen.at { worked.clone() } else { Arc::new(Platform::derive(seen)) }
    }

    /// Forgets it: the snapshot changes.
    pub(in crate::cluster) fn forget(&mut self) {
        self.0.take();
    }
}
