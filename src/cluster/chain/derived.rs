//! The ways of a snapshot and what is wrong on them, worked out once, however many ask for them.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::{Fault, Outside, judge::all_faults};
use crate::cluster::Snapshot;

/// What was worked out of a snapshot, and the moment of it. Whoever changes the snapshot says so with `forget`.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Derived(OnceLock<(Timestamp, Worked)>);

#[derive(Clone, Debug)]
pub(super) struct Worked {
    pub(super) outside: Arc<Outside>,
    pub(super) faults: Arc<[Fault]>,
}

impl Worked {
    fn of(seen: &Snapshot) -> Self {
        let outside = Outside::derive(seen);
        Self { faults: all_faults(seen, &outside).into(), outside: Arc::new(outside) }
    }
}

impl Derived {
    pub(super) fn of(&self, seen: &Snapshot) -> Worked {
        // What rests on the time is judged again.
        let (at, worked) = self.0.get_or_init(|| (seen.at, Worked::of(seen)));
        if *at == seen.at { worked.clone() } else { Worked::of(seen) }
    }

    /// Forgets it: the snapshot changes.
    pub(in crate::cluster) fn forget(&mut self) {
        self.0.take();
    }
}
