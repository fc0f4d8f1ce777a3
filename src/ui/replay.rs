//! The recording that is looked at instead of a cluster.

use std::sync::Arc;

use jiff::Timestamp;

use crate::cluster::Snapshot;

/// A recording on the screen, and the moment of it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What is replayed, such as the file's name.
    pub name: String,
    /// Its first moment.
    pub from: Timestamp,
    /// Its last one.
    pub until: Timestamp,
    /// The moment that others are compared with.
    pub marked: Option<Arc<Snapshot>>,
}

/// Where in a recording one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// So many recorded moments on, or back.
    Moments(i64),
    /// So many seconds on, or back.
    Seconds(i64),
    /// To this moment.
    To(Timestamp),
}
