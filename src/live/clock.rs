//! Our clock, corrected by the API server's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// The time as the API server has it, shared by the sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Now, in our clock corrected by the server's.
    pub fn now(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.0.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(skew).unwrap_or_else(|_| Timestamp::now())
    }

    /// Sets the correction, in milliseconds.
    pub fn correct(&self, skew_millis: i64) {
        self.0.store(skew_millis, Ordering::Relaxed);
    }
}
