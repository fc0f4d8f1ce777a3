//! Volumes of GlusterFS: what each storage node says of its own bricks, and what is left to heal. Pure.
//!
//! Facts it rests on (glusterfs 10.3): `get-state` takes no lock and knows the state of the node's own bricks only; a node
//! that does not answer leaves its bricks out of everybody's reports, so that what is not told is not known. A brick that
//! hangs is `Started`. The heal count is 0 while quorum is lost. `volume status` takes a lock of the whole cluster, and
//! is never asked.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cluster::{NodeName, clocks::Dated};

mod heal;
mod judge;
mod state;

pub use heal::{HealCount, HealSummary, Pending};
pub(super) use judge::judge;
pub use state::{Brick, OwnBrick, Peer, StorageFacts, VolumeState, is_volume_name};

/// A storage node as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// The machine it is.
    pub machine: Option<NodeName>,
}

/// What is left to heal of a volume. Its bricks are told by the storage nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// The last heal count that was had.
    pub count: Option<(Timestamp, HealCount)>,
    /// Why none was had in the last round.
    pub uncounted: Option<Arc<str>>,
    /// The last summary that was had: it knows of split-brain, and is asked seldom.
    pub summary: Option<(Timestamp, HealSummary)>,
}

impl Dated for VolumeFacts {
    fn moved(self, by: SignedDuration) -> Self {
        let count = self.count.map(|(at, count)| (at.moved(by), count));
        let summary = self.summary.map(|(at, summary)| (at.moved(by), summary));
        Self { count, summary, ..self }
    }
}

/// Settings of a volume by name.
type Options = BTreeMap<Arc<str>, Arc<str>>;

#[cfg(test)]
mod tests;
