//! A short memory of what the tenants use, for trends: fixed-size rings, one a tenant.
//!
//! Fed by `observe` with each sample of the measurements and by nobody else. A ring says nothing until it has seen
//! enough: without measurements there is no trend, never a flat one. A trend is worked out once, when a sample comes in.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Memory, Snapshot, TenantName, Use, headroom::measured};

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
    /// What the one that uses least of them uses, at most a KiB less.
    pub least: Memory,
    /// What the one that uses most of them uses, at most a KiB more.
    pub most: Memory,
}

/// The most that one serving container of a tenant was seen to use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peak {
    /// How much.
    pub used: Memory,
    /// When.
    pub at: Timestamp,
    /// Since when it is measured.
    pub since: Timestamp,
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
    /// Oldest first.
    hours: Vec<Hour>,
    trend: Option<Trend>,
}

/// A sample in half the room: measuring windows end at whole seconds, and memory is measured in KiB.
#[derive(Clone, Copy, Debug)]
struct Kept {
    used: Memory,
    /// Seconds since 1970.
    at: u32,
    containers: u32,
    /// KiB, rounded down.
    least: u32,
    /// KiB, rounded up.
    most: u32,
}

const KIB: u64 = 1024;
/// Hours that are kept of each tenant: two days show the quiet and the busy ones.
const HOURS: usize = 48;

/// What one serving container used in one hour, in little room: the least and the most.
#[derive(Clone, Copy, Debug)]
struct Hour {
    /// Seconds since 1970 of its first and its last sample.
    from: u32,
    to: u32,
    /// KiB, rounded down.
    least: u32,
    /// KiB, rounded up.
    most: u32,
}

impl Hour {
    const SECONDS: u32 = 3600;

    fn of(kept: &Kept) -> Self {
        Self { from: kept.at, to: kept.at, least: kept.least, most: kept.most }
    }

    /// Takes in a sample of the same hour; false: it is of a later one.
    fn takes(&mut self, kept: &Kept) -> bool {
        if kept.at / Self::SECONDS != self.from / Self::SECONDS {
            return false;
        }
        self.to = self.to.max(kept.at);
        self.least = self.least.min(kept.least);
        self.most = self.most.max(kept.most);
        true
    }

    fn readings(self) -> [Use; 2] {
        let of = |at: u32, kib: u32| Use { at: moment(at), used: Memory(u64::from(kib) * KIB), active: None };
        [of(self.from, self.least), of(self.to, self.most)]
    }
}

fn moment(seconds: u32) -> Timestamp {
    Timestamp::from_second(seconds.into()).unwrap_or(Timestamp::MAX)
}

impl From<Sample> for Kept {
    fn from(sample: Sample) -> Self {
        let at = u32::try_from(sample.at.as_second().max(0)).unwrap_or(u32::MAX);
        let kib = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let (least, most) = (kib(sample.least.0 / KIB), kib(sample.most.0.div_ceil(KIB)));
        Self { used: sample.used, at, containers: sample.containers, least, most }
    }
}

impl From<&Kept> for Sample {
    fn from(kept: &Kept) -> Self {
        let at = moment(kept.at);
        let memory = |kib: u32| Memory(u64::from(kib) * KIB);
        Self {
            at,
            used: kept.used,
            containers: kept.containers,
            least: memory(kept.least),
            most: memory(kept.most),
        }
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

    /// The most that one of its serving containers was seen to use; `None`: it was not measured.
    pub fn peak(&self, tenant: &TenantName) -> Option<Peak> {
        let since = self.uses(tenant).next()?.at;
        let most = self.uses(tenant).max_by_key(|one| (one.used, std::cmp::Reverse(one.at)))?;
        Some(Peak { used: most.used, at: most.at, since })
    }

    /// What one of its serving containers used, oldest first: the least and the most of each hour, and of each sample
    /// that is kept.
    pub fn uses(&self, tenant: &TenantName) -> impl Iterator<Item = Use> {
        self.rings.get(tenant).into_iter().flat_map(|ring| {
            let (last, before) = ring.hours.split_last().map_or((None, &[][..]), |(l, b)| (Some(l), b));
            let [first, end] = last.map_or([None, None], |hour| hour.readings().map(Some));
            let samples = ring.samples.iter().map(Sample::from).flat_map(|sample| {
                [sample.least, sample.most].map(|used| Use { at: sample.at, used, active: None })
            });
            let hours = before.iter().flat_map(|hour| hour.readings());
            hours.chain(first).chain(samples).chain(end)
        })
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
        if !ring.hours.last_mut().is_some_and(|hour| hour.takes(&kept)) {
            if ring.hours.len() == HOURS {
                ring.hours.remove(0);
            }
            ring.hours.reserve_exact(1);
            ring.hours.push(Hour::of(&kept));
        }
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
                let so_far = sample.get_or_insert(Sample {
                    at: usage.at,
                    used: Memory::ZERO,
                    containers: 0,
                    least: *used,
                    most: *used,
                });
                so_far.at = so_far.at.max(usage.at);
                so_far.used += *used;
                so_far.containers += 1;
                so_far.least = so_far.least.min(*used);
                so_far.most = so_far.most.max(*used);
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
            let (used, containers) = (Memory(*used), *containers);
            history.push(&"acme".into(), Sample { at, used, containers, least: used, most: used });
        }
        history
    }

    #[test]
    fn the_peak_is_what_one_container_used_and_never_less() {
        let history = history(&[(100 << 20, 2), ((300 << 20) + 1, 2), (200 << 20, 3)]);
        let peak = history.peak(&"acme".into()).expect("it is measured");
        assert_eq!(peak.used, Memory((300 << 20) + 1024));
        assert_eq!(peak.since.as_second(), 0);
        assert_eq!(history.peak(&"globex".into()), None);
    }

    #[test]
    fn of_each_hour_the_least_and_the_most_are_kept_for_two_days() {
        let mut history = History::default();
        let tenant = "acme".into();
        for minute in 0..60 * 60 {
            let at = Timestamp::from_second(60 * minute).expect("a time");
            let used = Memory(((100 + minute as u64 % 60) << 20) + if minute == 0 { 900 << 20 } else { 0 });
            history.push(&tenant, Sample { at, used, containers: 1, least: used, most: used });
        }
        let uses: Vec<_> = history.uses(&tenant).collect();
        let uses = &uses[..2 * (HOURS - 1)];
        assert!(uses.iter().step_by(2).all(|one| one.used == Memory(100 << 20)), "{uses:?}");
        assert!(uses.iter().skip(1).step_by(2).all(|one| one.used == Memory(159 << 20)));
        assert!(uses.is_sorted_by_key(|one| one.at), "oldest first");
        assert_eq!(uses[0].at.as_second(), 12 * 3600, "the oldest are forgotten");
        assert_eq!(history.peak(&tenant).map(|peak| peak.used), Some(Memory(159 << 20)), "with their peak");
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
