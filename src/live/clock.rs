//! Our clock, corrected by the API server's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// The time as the API server has it, and when it last answered, shared by the sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    /// Added to our clock, milliseconds.
    skew: AtomicI64,
    /// When anything last came from the server, by our clock, in milliseconds since the epoch; 0: nothing ever did.
    answered: AtomicI64,
}

impl Clock {
    /// Now, in our clock corrected by the server's.
    pub fn now(&self) -> Timestamp {
        self.corrected(Timestamp::now())
    }

    /// Something has come from the server just now.
    pub fn heard(&self) {
        self.0.answered.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }

    /// When something last came from the server; now, if nothing ever did. What was seen of it is known to hold until
    /// then: an outage is as old as the last answer, not as its discovery.
    pub fn answered(&self) -> Timestamp {
        match self.0.answered.load(Ordering::Relaxed) {
            0 => self.now(),
            at => self.corrected(Timestamp::from_millisecond(at).unwrap_or_else(|_| Timestamp::now())),
        }
    }

    fn corrected(&self, ours: Timestamp) -> Timestamp {
        let skew = SignedDuration::from_millis(self.0.skew.load(Ordering::Relaxed));
        ours.saturating_add(skew).unwrap_or(ours)
    }

    /// Sets the correction, in milliseconds.
    pub fn correct(&self, skew_millis: i64) {
        self.0.skew.store(skew_millis, Ordering::Relaxed);
    }
}
