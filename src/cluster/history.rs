//! A short memory of what the tenants use, for trends: fixed-size rings, one a tenant.
//!
//! Fed by `observe` with each sample of the measurements and by nobody else. A ring says nothing until it has seen
//! enough: without measurements there is no trend, never a flat one. A trend is worked out once, when a sample comes in.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Memory, Snapshot, TenantName, headroom::measured};

/// Samples of a ring: ten minutes at one each 15 seconds.
const SAMPLES: usize = 40;
/// Samples a trend needs at least.
const ENOUGH: usize = 4;

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
}

/// A sample in half the room: measuring windows end at whole seconds.
#[derive(Clone, Copy, Debug)]
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
    /// Most of the change is the trend and not noise (r² of at least one half).
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

    fn push(&mut self, tenant: &TenantName, sample: Sample) {
        let ring = self.rings.entry(tenant.clone()).or_default();
        let kept = Kept::from(sample);
        if ring.samples.last().is_some_and(|last| last.at >= kept.at) {
            return;
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
        let history = Arc::make_mut(&mut self.history);
        for (name, sample) in &samples {
            history.push(name, *sample);
        }
        history.rings.retain(|name, _| self.tenants.contains_key(name));
    }
}

impl Trend {
    fn of(ring: &[Kept]) -> Option<Self> {
        let newest = ring.last()?;
        let same = ring.iter().rev().take_while(|s| s.containers == newest.containers);
        let oldest = same.clone().last()?;
        let seconds = i64::from(newest.at) - i64::from(oldest.at);
        let since = |s: &Kept| f64::from(s.at - oldest.at) / 60.0;
        let points: Vec<(f64, f64)> = same.map(|s| (since(s), s.used.0 as f64)).collect();
        if points.len() < ENOUGH || seconds <= 0 {
            return None;
        }
        let count = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let yy: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let steady = yy > 0.0 && xy * xy >= 0.5 * xx * yy;
        Some(Self { bytes_per_minute: if xx > 0.0 { xy / xx } else { 0.0 }, seconds, steady })
    }

    /// How long until so much free memory is used up, when the use grows steadily.
    pub fn exhausts(&self, free: Memory) -> Option<SignedDuration> {
        let minutes = free.0 as f64 / self.bytes_per_minute;
        (self.steady && self.bytes_per_minute > 0.0 && minutes < 60.0 * 24.0 * 365.0)
            .then(|| SignedDuration::from_secs((minutes * 60.0) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(used: &[(u64, u32)]) -> History {
        let mut history = History::default();
        for (i, (used, containers)) in used.iter().enumerate() {
            let at = Timestamp::from_second(15 * i as i64).expect("a time");
            history.push(&"acme".into(), Sample { at, used: Memory(*used), containers: *containers });
        }
        history
    }

    #[test]
    fn a_steady_rise_tells_when_it_will_be_over() {
        let rising: Vec<_> = (0..10).map(|i| (1_000 + 100 * i, 2)).collect();
        let trend = history(&rising).trend(&"acme".into()).expect("a trend");
        assert!((trend.bytes_per_minute - 400.0).abs() < 1e-6 && trend.steady && trend.seconds == 135);
        assert_eq!(trend.exhausts(Memory(800)), Some(SignedDuration::from_mins(2)));
    }

    #[test]
    fn noise_a_fall_and_a_change_of_pods_are_no_rise() {
        let noise: Vec<_> = (0..10).map(|i| (1_000 + 900 * (i % 2), 2)).collect();
        let trend = history(&noise).trend(&"acme".into()).expect("a trend");
        assert!(!trend.steady && trend.exhausts(Memory(1)).is_none());
        let falling: Vec<_> = (0..10).map(|i| (2_000 - 100 * i, 2)).collect();
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
