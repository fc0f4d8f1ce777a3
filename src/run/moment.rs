//! A moment by both clocks of this machine: how long ago it is, also where the machine slept since.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// One clock stands still while the machine sleeps, the other may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(Instant, Timestamp);

impl Moment {
    pub(super) fn now() -> Self {
        Self(Instant::now(), Timestamp::now())
    }

    /// How long ago it is, by the clock that has gone further.
    pub(super) fn age(self) -> Duration {
        let wall = Timestamp::now().duration_since(self.1);
        self.0.elapsed().max(Duration::try_from(wall).unwrap_or_default())
    }

    /// The same, had the machine slept so long since.
    #[cfg(test)]
    pub(super) fn slept(self, span: Duration) -> Self {
        Self(self.0, self.1.saturating_sub(span).expect("a time"))
    }
}
