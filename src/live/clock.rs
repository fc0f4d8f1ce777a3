//! This machine's clock, and when the API server was last heard.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;

/// The clock that dates what the sources report, shared by them. The snapshot moves that into the server's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(
    /// When anything last came from the server, in milliseconds since the epoch; 0: nothing ever did.
    Arc<AtomicI64>,
);

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Something has come from the server just now.
    pub fn heard(&self) {
        self.0.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }

    /// When something last came from the server; now, if nothing ever did. What was seen of it is known to hold until
    /// then: an outage is as old as the last answer, not as its discovery.
    pub fn answered(&self) -> Timestamp {
        match self.0.load(Ordering::Relaxed) {
            0 => self.now(),
            at => Timestamp::from_millisecond(at).unwrap_or_else(|_| self.now()),
        }
    }
}
