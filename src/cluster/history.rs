//! A short memory of what the tenants use, for trends: fixed-size rings, one a tenant.
//!
//! Fed by `observe` with each sample of the measurements and by nobody else. A ring says nothing until it has seen
//! enough: without measurements there is no trend, never a flat one. A trend is worked out once, when a sample comes in,
//! and so is the forecast that follows from it: what was told stays until it is refuted for as long as it took to be told.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

mod later;

pub(super) use later::Later;

use super::{
    Margin, Memory, Snapshot, TenantName,
    headroom::{exhausted_in, measured},
};

/// Samples of a ring: twenty minutes at one each 30 seconds.
const SAMPLES: usize = 40;
/// Samples that come faster take the place of the one before, s.
const APART: u32 = 25;
/// Samples a trend needs at least.
const ENOUGH: usize = 4;
/// A trend that something is concluded from has been measured for so long, s.
const EVIDENCE: i64 = 300;
/// It explains at least so much of what was measured (r²): the growth is at least six times the deviation from it.
const EXPLAINED: f64 = 0.75;

/// What the serving containers of a tenant used at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The end of the measuring window.
    pub at: Timestamp,
    /// Memory of the serving containers together.
    pub used: Memory,
    /// How many of them were measured.
    pub containers: u32,
}

/// The samples of all tenants, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    rings: BTreeMap<TenantName, Ring>,
}

#[derive(Clone, Debug, Default)]
struct Ring {
    /// Oldest first; no more room than is used, for there is one a tenant.
    samples: Vec<Kept>,
    trend: Option<Trend>,
    forecast: Option<Forecast>,
}

/// That a tenant's headroom will be used up, as it was told last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Until then, from the newest sample on.
    pub left: SignedDuration,
    /// Bytes a minute that its memory grows.
    pub rise: Memory,
    /// What it was told on, s.
    took: i64,
    /// Since which sample it is not borne out, in seconds since 1970.
    refuted: Option<u32>,
}

/// A sample in half the room: measuring windows end at whole seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kept {
    used: Memory,
    /// Seconds since 1970.
    at: u32,
    containers: u32,
}

impl From<Sample> for Kept {
    fn from(sample: Sample) -> Self {
        let at = u32::try_from(sample.at.as_second().max(0)).unwrap_or(u32::MAX);
        Self { used: sample.used, at, containers: sample.containers }
    }
}

impl From<&Kept> for Sample {
    fn from(kept: &Kept) -> Self {
        let at = Timestamp::from_second(kept.at.into()).unwrap_or(Timestamp::MAX);
        Self { at, used: kept.used, containers: kept.containers }
    }
}

/// How a tenant's use of memory goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Bytes a minute, by least squares; negative when the use falls.
    pub bytes_per_minute: f64,
    /// Over how many seconds.
    pub seconds: i64,
    /// Over at least five minutes most of the change is the trend and not noise (r² of at least three quarters), and it does
    /// not slow down in the last third.
    pub steady: bool,
}

impl History {
    /// The samples of a tenant, oldest first.
    pub fn of(&self, tenant: &TenantName) -> impl DoubleEndedIterator<Item = Sample> {
        self.rings.get(tenant).into_iter().flat_map(|ring| ring.samples.iter().map(Sample::from))
    }

    /// The trend since the number of containers last changed; `None` when too little has been seen.
    pub fn trend(&self, tenant: &TenantName) -> Option<Trend> {
        self.rings.get(tenant)?.trend
    }

    /// That its headroom will be used up, and when.
    pub fn forecast(&self, tenant: &TenantName) -> Option<&Forecast> {
        self.rings.get(tenant)?.forecast.as_ref()
    }

    fn push(&mut self, tenant: &TenantName, sample: Sample) {
        let ring = self.rings.entry(tenant.clone()).or_default();
        let kept = Kept::from(sample);
        if ring.samples.last().is_some_and(|last| last.at >= kept.at) {
            return;
        }
        if let [.., before, last] = ring.samples.as_slice()
            && last.at - before.at < APART
            && last.containers == kept.containers
        {
            ring.samples.pop();
        }
        if ring.samples.len() == SAMPLES {
            ring.samples.remove(0);
        }
        ring.samples.reserve_exact(1);
        ring.samples.push(kept);
        ring.trend = Trend::of(&ring.samples);
    }
}

impl Snapshot {
    /// Remembers the present measurements.
    pub(super) fn remember(&mut self) {
        let container = &self.tenancy.container;
        let mut samples = Vec::with_capacity(self.tenants.len());
        for (name, tenant) in &self.tenants {
            let mut sample: Option<Sample> = None;
            for (pod, usage) in measured(self, tenant).filter(|(pod, _)| pod.ready) {
                let Some((usage, serving)) = usage.zip(pod.spec.serving(container)) else { continue };
                let Some((_, used)) = usage.containers.get(&serving.name) else { continue };
                let so_far = sample.get_or_insert(Sample { at: usage.at, used: Memory::ZERO, containers: 0 });
                so_far.at = so_far.at.max(usage.at);
                so_far.used += *used;
                so_far.containers += 1;
            }
            samples.extend(sample.map(|sample| (name.clone(), sample)));
        }
        let mut history = std::mem::take(&mut self.history);
        let rings = Arc::make_mut(&mut history);
        for (name, sample) in &samples {
            rings.push(name, *sample);
        }
        rings.rings.retain(|name, _| self.tenants.contains_key(name));
        for (name, ring) in &mut rings.rings {
            let rises = ring.trend.filter(|trend| trend.steady && trend.bytes_per_minute > 0.0);
            let left = rises.and_then(|trend| {
                let tenant = self.tenants.get(name)?;
                exhausted_in(self, tenant, &trend, Margin::of(self, tenant).more?)
            });
            ring.foresee(left.filter(|left| *left <= self.sizing.exhausted_within));
        }
        self.history = history;
    }
}

impl Ring {
    /// Takes in when the headroom will be used up by the newest sample; `None`: it is not foreseen.
    fn foresee(&mut self, left: Option<SignedDuration>) {
        let (Some(trend), Some(last)) = (self.trend, self.samples.last()) else {
            // Other pods: what was measured of those before says nothing of them.
            self.forecast = None;
            return;
        };
        self.forecast = match (self.forecast, left) {
            (before, Some(left)) => Some(Forecast {
                left,
                rise: Memory(trend.bytes_per_minute as u64),
                took: before.map_or(trend.seconds, |told| told.took),
                refuted: None,
            }),
            (Some(told), None) => {
                let since = told.refuted.unwrap_or(last.at);
                let passed = self.samples.iter().rev().nth(1).map_or(0, |before| last.at - before.at);
                let left = told.left - SignedDuration::from_secs(passed.into());
                let stays = i64::from(last.at - since) < told.took && left.is_positive();
                stays.then_some(Forecast { left, refuted: Some(since), ..told })
            }
            (None, None) => None,
        };
    }
}

impl Trend {
    /// The trend of the longest window that shows one: all since the number of containers changed, or the newest part of
    /// it, half as long each time. Where none does, that of all.
    fn of(ring: &[Kept]) -> Option<Self> {
        let newest = ring.last()?;
        let same = ring.iter().rev().take_while(|s| s.containers == newest.containers).count();
        let all = ring.get(ring.len() - same..)?;
        let whole = Self::over(all)?;
        let mut window = all;
        while !whole.steady && window.len() / 2 >= ENOUGH {
            window = &window[window.len() / 2..];
            match Self::over(window) {
                Some(trend) if trend.steady => return Some(trend),
                _ => {}
            }
        }
        Some(whole)
    }

    fn over(window: &[Kept]) -> Option<Self> {
        let (oldest, newest) = (window.first()?, window.last()?);
        let seconds = i64::from(newest.at) - i64::from(oldest.at);
        if window.len() < ENOUGH || seconds <= 0 {
            return None;
        }
        let since = |s: &Kept| f64::from(s.at - oldest.at) / 60.0;
        let points: Vec<(f64, f64)> = window.iter().map(|s| (since(s), s.used.0 as f64)).collect();
        let count = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let yy: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let explained = yy > 0.0 && xy * xy >= EXPLAINED * xx * yy;
        let steady = seconds >= EVIDENCE && explained && holds(&points);
        Some(Self { bytes_per_minute: if xx > 0.0 { xy / xx } else { 0.0 }, seconds, steady })
    }

    /// How long until so much free memory is used up, when the use grows steadily: never foreseen for longer than was
    /// measured, so that it has grown by as much already.
    pub fn exhausts(&self, free: Memory) -> Option<SignedDuration> {
        let minutes = free.0 as f64 / self.bytes_per_minute;
        (self.steady && self.bytes_per_minute > 0.0 && minutes * 60.0 <= self.seconds as f64)
            .then(|| SignedDuration::from_secs((minutes * 60.0) as i64))
    }
}

/// Whether the change goes on: from the first third to the second and on to the last, and there not less than half as fast.
fn holds(points: &[(f64, f64)]) -> bool {
    let third = points.len() / 3;
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        (part.iter().map(|(x, _)| x).sum::<f64>() / count, part.iter().map(|(_, y)| y).sum::<f64>() / count)
    };
    let [first, second, last] =
        [&points[..third], &points[third..points.len() - third], &points[points.len() - third..]].map(mean);
    let rate = |(x, y): (f64, f64), (later, then): (f64, f64)| (then - y) / (later - x);
    let (before, now) = (rate(first, second), rate(second, last));
    before * now > 0.0 && now.abs() >= before.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(used: &[(u64, u32)]) -> History {
        let mut history = History::default();
        for (i, (used, containers)) in used.iter().enumerate() {
            let at = Timestamp::from_second(30 * i as i64).expect("a time");
            history.push(&"acme".into(), Sample { at, used: Memory(*used), containers: *containers });
        }
        history
    }

    #[test]
    fn a_steady_rise_tells_when_it_will_be_over() {
        let rising: Vec<_> = (0..12).map(|i| (1_000 + 100 * i, 2)).collect();
        let trend = history(&rising).trend(&"acme".into()).expect("a trend");
        assert!((trend.bytes_per_minute - 200.0).abs() < 1e-6 && trend.steady && trend.seconds == 330);
        assert_eq!(trend.exhausts(Memory(800)), Some(SignedDuration::from_mins(4)));
        assert_eq!(
            trend.exhausts(Memory(1_200)),
            None,
            "six minutes cannot be foreseen from five and a half"
        );
        let short = history(&rising[..10]).trend(&"acme".into()).expect("a trend");
        assert!(
            !short.steady && short.exhausts(Memory(1)).is_none(),
            "less than five minutes are no evidence"
        );
    }

    #[test]
    fn a_rise_that_begins_late_is_seen_and_one_that_ends_is_none() {
        let late: Vec<_> = (0..40).map(|i| (1_000 + 100 * u64::max(i, 24) - 2_400, 2)).collect();
        let trend = history(&late).trend(&"acme".into()).expect("a trend");
        assert!(trend.steady && trend.seconds < 600, "{trend:?}");
        let ended: Vec<_> = (0..24).map(|i| (1_000 + 100 * u64::min(i, 14), 2)).collect();
        let trend = history(&ended).trend(&"acme".into()).expect("a trend");
        assert!(!trend.steady, "{trend:?}");
    }

    #[test]
    fn a_forecast_stays_until_it_is_refuted_for_as_long_as_it_took() {
        let mut ring = Ring::default();
        let at = |i: i64| Timestamp::from_second(30 * i).expect("a time");
        let mut history = History::default();
        let name: TenantName = "acme".into();
        for i in 0..12 {
            history.push(&name, Sample { at: at(i), used: Memory(1_000 + 100 * i as u64), containers: 2 });
        }
        ring.clone_from(&history.rings[&name]);
        let mins = SignedDuration::from_mins;
        ring.foresee(Some(mins(8)));
        assert!(ring.forecast.is_some_and(|told| told.left == mins(8) && told.took == 330));
        // It took five and a half minutes: eleven samples that say otherwise.
        let next = |ring: &mut Ring, i: i64, left| {
            ring.samples.push(Kept { used: Memory(2_100), at: 30 * i as u32, containers: 2 });
            ring.foresee(left);
            ring.forecast.map(|told| told.left)
        };
        for i in 12..23 {
            let passed = SignedDuration::from_secs(30 * (i - 11));
            assert_eq!(next(&mut ring, i, None), Some(mins(8) - passed), "sample {i}");
        }
        let mut again = ring.clone();
        assert_eq!(next(&mut ring, 23, None), None);
        assert_eq!(next(&mut again, 23, Some(mins(3))), Some(mins(3)), "it is borne out again");
        assert_eq!(next(&mut again, 24, None), Some(mins(3) - SignedDuration::from_secs(30)));
        again.trend = None;
        assert_eq!(next(&mut again, 25, None), None, "other pods");
    }

    #[test]
    fn samples_that_come_fast_take_the_place_of_those_before() {
        let mut history = History::default();
        for i in 0..100 {
            let at = Timestamp::from_second(15 * i).expect("a time");
            history.push(&"acme".into(), Sample { at, used: Memory(1_000 + i as u64), containers: 2 });
        }
        let all: Vec<_> = history.of(&"acme".into()).collect();
        assert_eq!((all.len(), all[39].at.as_second()), (SAMPLES, 15 * 99));
        assert!(all[38].at.duration_since(all[0].at) >= SignedDuration::from_mins(18), "{:?}", all[0]);
    }

    #[test]
    fn noise_a_fall_and_a_change_of_pods_are_no_rise() {
        let noise: Vec<_> = (0..20).map(|i| (1_000 + 900 * (i % 2), 2)).collect();
        let trend = history(&noise).trend(&"acme".into()).expect("a trend");
        assert!(!trend.steady && trend.exhausts(Memory(1)).is_none());
        let falling: Vec<_> = (0..20).map(|i| (2_000 - 100 * i, 2)).collect();
        assert_eq!(history(&falling).trend(&"acme".into()).and_then(|t| t.exhausts(Memory(1))), None);
        let scaled: Vec<_> = (0..10).map(|i| if i < 7 { (1_000, 2) } else { (1_500, 3) }).collect();
        assert_eq!(history(&scaled).trend(&"acme".into()), None, "three samples of three pods are too few");
    }

    #[test]
    fn a_ring_forgets_and_takes_no_sample_twice() {
        let mut history = history(&(0..100).map(|i| (i, 1)).collect::<Vec<_>>());
        assert_eq!(history.of(&"acme".into()).count(), SAMPLES);
        let last = history.of(&"acme".into()).next_back().expect("a sample");
        history.push(&"acme".into(), last);
        assert_eq!(history.of(&"acme".into()).count(), SAMPLES);
    }
}
