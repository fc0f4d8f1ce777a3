//! How fast a counter of a component grows, from reading to reading.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cluster::clocks::Dated;

/// Counter is told over so long.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Readings that are kept lie at least so far apart.
const STEP: SignedDuration = SignedDuration::from_secs(30);

/// The readings of a counter, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter(Vec<(Timestamp, u64)>);

impl Counter {
    /// The same with one more reading. A counter that fell was reset: what it counted before tells nothing.
    #[must_use]
    pub fn read(&self, total: u64, now: Timestamp) -> Self {
        let mut all = self.0.clone();
        if all.last().is_some_and(|(at, last)| *last > total || *at > now) {
            all.clear();
        }
        if let [.., (before, _), last] = all.as_mut_slice()
            && now.duration_since(*before) < STEP
        {
            *last = (now, total);
        } else {
            all.push((now, total));
        }
        // What is older than the window says how it was at its beginning: the youngest of these is kept.
        let old = all.iter().filter(|(at, _)| now.duration_since(*at) >= WINDOW).count();
        all.drain(..old.saturating_sub(1));
        Self(all)
    }

    /// By how much it has grown, and since when; `None`: not at all, or there is one reading only.
    pub fn lately(&self) -> Option<(u64, Timestamp)> {
        let ((since, first), (_, last)) = (self.0.first()?, self.0.last()?);
        (last > first).then(|| (last - first, *since))
    }
}

impl Dated for Counter {
    fn moved(self, by: SignedDuration) -> Self {
        Self(self.0.into_iter().map(|(at, total)| (at.moved(by), total)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_925_000 + seconds).unwrap()
    }

    #[test]
    fn a_counter_that_fell_was_reset_and_one_reading_tells_no_growth() {
        let growth = Counter::default().read(50, at(0));
        assert_eq!(growth.lately(), None);
        let growth = growth.read(60, at(1)).read(70, at(2));
        assert_eq!(growth.lately(), Some((20, at(0))));
        assert_eq!(growth.read(5, at(3)).lately(), None);
        assert_eq!(growth.read(5, at(3)).read(6, at(4)).lately(), Some((1, at(3))));
        // It grew once; ten minutes later it has not grown lately.
        let mut still = growth;
        for minute in 1..=12 {
            still = still.read(70, at(60 * minute));
        }
        assert_eq!(still.lately(), None);
    }
}
