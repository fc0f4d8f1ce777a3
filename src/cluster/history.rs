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
    Margin, Memory, Snapshot, TenantName, Use,
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
    forecast: Option<Growth>,
}

/// An hour in which a tenant had less to do than now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calm {
    /// When the hour was first measured.
    pub from: Timestamp,
    /// The most that one of its serving containers used in it.
    pub used: Memory,
    /// And uses now.
    pub now: Memory,
    /// Of so many hours that are remembered.
    pub hours: usize,
}

/// An hour is calmer when no more than this part of what is used now was used in it.
const CALMER: f64 = 0.9;

/// That a tenant's headroom will be used up, as it was told last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Until then, from the newest sample on.
    pub left: SignedDuration,
    /// Bytes a minute that its memory grows.
    pub rise: Memory,
    /// What it was told on, s.
    took: i64,
    /// Since which sample it is not borne out, in seconds since 1970.
    refuted: Option<u32>,
}

/// A sample in half the room: measuring windows end at whole seconds, and memory is measured in KiB.
#[derive(Clone, Copy, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Over at least five minutes most of the change is the trend and not noise (r² of at least three quarters), and it does
    /// not slow down in the last third.
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

    /// The calmest hour that is remembered of a tenant, beside the present one; `None`: none was calmer than it is now.
    pub fn calmer(&self, tenant: &TenantName) -> Option<Calm> {
        let ring = self.rings.get(tenant)?;
        let memory = |kib: u32| Memory(u64::from(kib) * KIB);
        let now = ring.samples.last()?.most;
        let (_, before) = ring.hours.split_last()?;
        let calmest = before.iter().min_by_key(|hour| (hour.most, std::cmp::Reverse(hour.from)))?;
        let calmer = f64::from(calmest.most) <= CALMER * f64::from(now);
        calmer.then(|| Calm {
            from: moment(calmest.from),
            used: memory(calmest.most),
            now: memory(now),
            hours: before.len(),
        })
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

    /// That its headroom will be used up, and when.
    pub fn forecast(&self, tenant: &TenantName) -> Option<&Growth> {
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
            (before, Some(left)) => Some(Growth {
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
                stays.then_some(Growth { left, refuted: Some(since), ..told })
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

    fn sample(at: Timestamp, used: u64, containers: u32) -> Sample {
        let used = Memory(used);
        Sample { at, used, containers, least: used, most: used }
    }

    fn history(used: &[(u64, u32)]) -> History {
        let mut history = History::default();
        for (i, (used, containers)) in used.iter().enumerate() {
            let at = Timestamp::from_second(30 * i as i64).expect("a time");
            history.push(&"acme".into(), sample(at, *used, *containers));
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
            history.push(&name, sample(at(i), 1_000 + 100 * i as u64, 2));
        }
        ring.clone_from(&history.rings[&name]);
        let mins = SignedDuration::from_mins;
        ring.foresee(Some(mins(8)));
        assert!(ring.forecast.is_some_and(|told| told.left == mins(8) && told.took == 330));
        // It took five and a half minutes: eleven samples that say otherwise.
        let next = |ring: &mut Ring, i: i64, left| {
            ring.samples.push(Kept {
                used: Memory(2_100),
                at: 30 * i as u32,
                containers: 2,
                least: 2,
                most: 3,
            });
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
    fn the_calmest_hour_is_told_where_it_was_calmer_than_now() {
        let mut history = History::default();
        let mut push = |hour: i64, kib: u64| {
            let at = Timestamp::from_second(3_600 * hour + 60).expect("a time");
            history.push(&"acme".into(), sample(at, kib * KIB, 1));
            history.calmer(&"acme".into())
        };
        assert_eq!(push(0, 700), None, "there is no hour before");
        assert_eq!(push(1, 400), None, "it is the calmest now");
        push(2, 400);
        push(3, 410);
        let calm = push(4, 640).expect("an hour before was calmer");
        let from = Timestamp::from_second(2 * 3_600 + 60).expect("a time");
        // Of two that are alike the later.
        assert_eq!(calm, Calm { from, used: Memory(400 * KIB), now: Memory(640 * KIB), hours: 4 });
        assert_eq!(push(5, 430), None, "hardly calmer is not calmer");
    }

    #[test]
    fn samples_that_come_fast_take_the_place_of_those_before() {
        let mut history = History::default();
        for i in 0..100 {
            let at = Timestamp::from_second(15 * i).expect("a time");
            history.push(&"acme".into(), sample(at, 1_000 + i as u64, 2));
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
