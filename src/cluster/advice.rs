//! How much memory is right: what a request really takes, and the limit and `pm.max_children` that follow.
//!
//! Pure: [`advise`] is a function of a series of measurements of one serving container, whoever kept them; [`advice()`]
//! feeds it with what the snapshots remember. Called by the screens and the command line.
//!
//! - Where it is known how many requests were active, memory is a straight line over them (least squares): what the
//!   container takes without any, and what each takes more.
//! - Where it is not, the lowest use stands for the first, and the second is what is configured, or what the peak proves:
//!   at most `max_children` requests were active then.
//! - No limit is advised below the peak: with a tenth more, rounded up to 16 Mi.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{Memory, Origin, Setting, Snapshot, Tenant, TenantName, headroom::ends, words::span};

/// What one serving container used at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// How much.
    pub used: Memory,
    /// Requests it served at once then; `None`: not known.
    pub active: Option<f64>,
}

/// What is so now.
#[derive(Clone, Debug, PartialEq)]
pub struct Present {
    /// The tenant.
    pub tenant: TenantName,
    /// Its serving container.
    pub container: Arc<str>,
    /// Its memory limit, the least of its pods; `None`: it has none.
    pub limit: Option<Memory>,
    /// Requests one container takes at once, and who says so.
    pub max_children: Setting<u32>,
    /// Memory one request takes, and who says so.
    pub request_memory: Setting<Memory>,
    /// Containers killed at their limit within the last hour.
    pub killed: u32,
}

/// On what the advice rests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Measurements: moments at which something was measured.
    pub measurements: usize,
    /// The first.
    pub from: Option<Timestamp>,
    /// The last.
    pub to: Option<Timestamp>,
    /// Hours that are covered: gaps of more than an hour do not count.
    pub hours: f64,
    /// Measurements of which it is known how many requests were active.
    pub with_requests: usize,
    /// The most requests that were active.
    pub most_requests: Option<f64>,
}

/// Memory of one request, and how it is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum RequestMemory {
    /// From measurements of memory and requests.
    Measured {
        /// Bytes.
        value: Memory,
        /// How much of what is seen the line explains, up to 1 (r²).
        fit: f64,
    },
    /// Nobody counts the requests: the peak proves this much at least, more than is configured.
    AtLeast {
        /// Bytes.
        value: Memory,
    },
    /// Nobody counts the requests: what is configured.
    Configured {
        /// Bytes.
        value: Memory,
        /// Who says so.
        source: Origin,
    },
}

impl RequestMemory {
    /// Bytes.
    pub fn value(&self) -> Memory {
        match self {
            Self::Measured { value, .. } | Self::AtLeast { value } | Self::Configured { value, .. } => *value,
        }
    }
}

/// What is right for one tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// Which.
    pub tenant: TenantName,
    /// Its serving container.
    pub container: Arc<str>,
    /// Its memory limit now.
    pub limit_now: Option<Memory>,
    /// `pm.max_children` now, and who says so.
    pub max_children_now: Setting<u32>,
    /// On what it rests.
    pub evidence: Evidence,
    /// What the container takes without any request; `None`: too little is measured.
    pub base: Option<Memory>,
    /// What each request takes more; `None`: too little is measured.
    pub request: Option<RequestMemory>,
    /// The most it was seen to use, or the limit it was killed at.
    pub peak: Option<Memory>,
    /// The limit that carries `pm.max_children` as it is now; never below the peak.
    pub limit: Option<Memory>,
    /// `pm.max_children` that the limit of now carries; `None`: it carries none, or there is no limit.
    pub max_children: Option<u32>,
    /// There is enough evidence to act on it.
    pub enough: bool,
    /// What is missing, one sentence each.
    pub missing: Vec<String>,
}

/// Measurements without which nothing is said.
const FEWEST: usize = 8;
/// Hours that show a day with its quiet and its busy ones.
const DAY: f64 = 24.0;
/// A longer time between two measurements is not covered.
const GAP: i64 = 3600;
/// How far apart the fewest and the most requests must be for a line through them.
const SPREAD: f64 = 2.0;
/// How much of what is seen a line must explain.
const FIT: f64 = 0.5;
/// A limit is a multiple of this.
const ROUND: u64 = 16 << 20;

/// The advice for a tenant, from what the snapshots remember.
pub fn advice(seen: &Snapshot, tenant: &Tenant) -> Advice {
    advised_by(seen, tenant, seen.history.uses(&tenant.name))
}

/// The same with what was kept of the time before, in the order of its times.
pub fn advised_with(seen: &Snapshot, tenant: &Tenant, kept: &[Use]) -> Advice {
    let remembered: Vec<Use> = seen.history.uses(&tenant.name).collect();
    let first = remembered.first().map(|one| one.at);
    let before = kept.iter().copied().filter(|one| first.is_none_or(|first| one.at < first));
    advised_by(seen, tenant, before.chain(remembered.iter().copied()))
}

/// The same from measurements that somebody else kept, in the order of their times.
pub fn advised_by(seen: &Snapshot, tenant: &Tenant, uses: impl Iterator<Item = Use>) -> Advice {
    advise(uses, present(seen, tenant))
}

/// What is so now of a tenant.
fn present(seen: &Snapshot, tenant: &Tenant) -> Present {
    let serving = |spec: &super::PodSpec| spec.serving(&seen.tenancy.container).cloned();
    let container = serving(&tenant.workload.template);
    let limits = tenant.active().filter_map(|pod| serving(&pod.spec)?.resources.limits.memory);
    let template = || container.as_ref().and_then(|c| c.resources.limits.memory);
    Present {
        tenant: tenant.name.clone(),
        limit: limits.min().or_else(template),
        container: container.as_ref().map(|c| c.name.clone()).unwrap_or_default(),
        max_children: seen.sizing.max_children(seen, &tenant.workload),
        request_memory: seen.sizing.request_memory(&tenant.workload),
        killed: ends(tenant, seen.at).oom,
    }
}

/// The advice that follows from measurements of one container, in the order of their times.
pub fn advise(uses: impl Iterator<Item = Use>, now: Present) -> Advice {
    let uses: Vec<Use> = uses.collect();
    let evidence = Evidence::of(&uses);
    let mut missing = evidence.missing();
    let line = Line::through(&uses);
    if let (None, true) = (&line, evidence.with_requests > 0) {
        missing.push(
            "memory and requests do not rise together clearly enough: more measurements at other loads are needed"
                .into(),
        );
    }
    let enough_measured = evidence.measurements >= FEWEST;
    if evidence.measurements > 0 && !enough_measured {
        missing.push(format!(
            "{} of the {FEWEST} measurements without which nothing can be advised",
            evidence.measurements
        ));
    }
    let seen_peak = uses.iter().map(|one| one.used).max().filter(|_| enough_measured);
    let killed_at = now.limit.filter(|_| now.killed > 0);
    let peak = seen_peak.max(killed_at);
    let lowest = uses.iter().map(|one| one.used).min().filter(|_| enough_measured);
    let base = line.as_ref().map(|line| line.base).or(lowest);
    let request = match (&line, base.zip(peak)) {
        _ if !enough_measured => None,
        (Some(line), _) => Some(RequestMemory::Measured { value: line.each, fit: line.fit }),
        (None, Some((base, peak))) => Some(assumed(base, peak, &now)),
        (None, None) => None,
    };
    let children = u64::from(now.max_children.value.max(1));
    let above = line.as_ref().map_or(0, |line| line.above);
    let carried = base.zip(request.as_ref()).map(|(base, request)| {
        base.0.saturating_add(request.value().0.saturating_mul(children)).saturating_add(above)
    });
    let least = peak.map(|peak| peak.0.saturating_add(peak.0 / 10));
    let limit = carried.zip(least).map(|(carried, least)| rounded(carried.max(least)));
    let max_children = now.limit.zip(base.zip(request.as_ref())).and_then(|(limit, (base, request))| {
        let room = limit.0.checked_sub(base.0.saturating_add(above))?;
        u32::try_from(room / request.value().0.max(1)).ok().filter(|n| *n > 0)
    });
    if killed_at.is_some() {
        missing.push(format!(
            "{} killed at the limit within the last hour: what it would have used is not known, more than the limit",
            super::words::count(now.killed, "container")
        ));
    }
    Advice {
        enough: missing.is_empty(),
        tenant: now.tenant,
        container: now.container,
        limit_now: now.limit,
        max_children_now: now.max_children,
        evidence,
        base,
        request,
        peak,
        limit,
        max_children,
        missing,
    }
}

/// What a request takes where nobody counts them: what is configured, or more where the peak proves it.
fn assumed(base: Memory, peak: Memory, now: &Present) -> RequestMemory {
    let children = u64::from(now.max_children.value.max(1));
    let proved = Memory(peak.saturating_sub(base).0 / children);
    let Setting { value, source } = now.request_memory.clone();
    match proved > value {
        true => RequestMemory::AtLeast { value: proved },
        false => RequestMemory::Configured { value, source },
    }
}

fn rounded(bytes: u64) -> Memory {
    Memory(bytes.div_ceil(ROUND).saturating_mul(ROUND))
}

impl Evidence {
    fn of(uses: &[Use]) -> Self {
        let steps = uses.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_secs());
        let covered: i64 = steps.filter(|seconds| (0..=GAP).contains(seconds)).sum();
        let active = uses.iter().filter_map(|one| one.active);
        // Several containers may have been measured at one moment.
        let moments = |counts: fn(&Use) -> bool| {
            let mut moments: Vec<Timestamp> =
                uses.iter().filter(|one| counts(one)).map(|one| one.at).collect();
            moments.dedup();
            moments.len()
        };
        Self {
            measurements: moments(|_| true),
            from: uses.first().map(|one| one.at),
            to: uses.last().map(|one| one.at),
            hours: covered as f64 / 3600.0,
            with_requests: moments(|one| one.active.is_some()),
            most_requests: active.reduce(f64::max),
        }
    }

    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let covered = span((self.hours * 3600.0) as i64);
        if self.measurements == 0 {
            missing.push("nothing is measured: without metrics-server there is no evidence".into());
            return missing;
        }
        if self.hours < DAY {
            let kept = "; the cockpit keeps them while it is open, `wheelhouse record` without it";
            let kept = if self.with_requests == 0 { kept } else { "" };
            missing.push(format!(
                "{covered} of measurements: 24 h are needed, which have quiet and busy hours{kept}"
            ));
        }
        if self.with_requests == 0 {
            missing.push(
                "how many requests were active is not known, so that what one takes is not measured: `wheelhouse sizing TENANT --for 24h --status 8080/status` counts them, `--from FILE.csv` takes lines of TIME,MEMORY,REQUESTS".to_owned(),
            );
        }
        missing
    }
}

/// Memory over active requests.
struct Line {
    base: Memory,
    each: Memory,
    fit: f64,
    /// How far the highest measurement is above the line, in bytes.
    above: u64,
}

impl Line {
    /// By least squares; `None` where it would say nothing.
    fn through(uses: &[Use]) -> Option<Self> {
        let points: Vec<(f64, f64)> =
            uses.iter().filter_map(|one| Some((one.active?, one.used.0 as f64))).collect();
        if points.len() < FEWEST {
            return None;
        }
        let low = points.iter().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        let n = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let yy: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        if high - low < SPREAD || xx <= 0.0 || yy <= 0.0 || xy <= 0.0 {
            return None;
        }
        let (each, fit) = (xy / xx, xy * xy / (xx * yy));
        let base = (mean_y - each * mean_x).max(0.0);
        let above = points.iter().map(|(x, y)| y - (base + each * x)).fold(0.0, f64::max);
        (fit >= FIT).then(|| Self {
            base: Memory(base as u64),
            each: Memory((each as u64).max(1)),
            fit,
            above: above.ceil() as u64,
        })
    }
}

impl Advice {
    /// On what it rests, in a few words: `248 measurements over 31h, active requests not known`.
    pub fn rests_on(&self) -> String {
        let Evidence { measurements, hours, with_requests, .. } = self.evidence;
        let requests = match with_requests {
            0 => "active requests not known".to_owned(),
            n if n == measurements => "active requests known".to_owned(),
            n => format!("active requests known of {n}"),
        };
        let covered = span((hours * 3600.0) as i64);
        format!("{} over {covered}, {requests}", super::words::count(measurements, "measurement"))
    }

    /// The advice, one sentence a line; what is missing is `missing`'s to say.
    pub fn told(&self) -> Vec<String> {
        let (Some(base), Some(request), Some(peak)) = (self.base, &self.request, self.peak) else {
            return Vec::new();
        };
        let value = request.value();
        let takes = match request {
            RequestMemory::Measured { .. } => format!("{value} a request, measured"),
            RequestMemory::AtLeast { .. } => format!("{value} a request at least, by the peak"),
            RequestMemory::Configured { source, .. } => format!("{value} a request ({source}, not measured)"),
        };
        let without = match request {
            RequestMemory::Measured { .. } => format!("{base} without any"),
            _ => format!("{base} at its lowest"),
        };
        let mut told = vec![format!("{} takes {without}, {takes}; peak {peak}", self.container)];
        let children = self.max_children_now.value;
        let so_far = if self.enough { "" } else { "so far: " };
        if let Some(limit) = self.limit {
            let now = self.limit_now.map_or_else(|| "none now".to_owned(), |now| format!("{now} now"));
            told.push(format!("{so_far}limit for max_children {children}: {limit} ({now})"));
        }
        if let Some(now) = self.limit_now {
            told.push(match self.max_children {
                Some(n) => format!("{so_far}max_children for the limit of {now}: {n} ({children} now)"),
                None => format!("the limit of {now} carries no request: it is too low"),
            });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MI: u64 = 1 << 20;

    fn now(limit: u64, killed: u32) -> Present {
        Present {
            tenant: "acme".into(),
            container: "php-fpm".into(),
            limit: Some(Memory(limit * MI)),
            max_children: Setting { value: 8, source: Origin::Default },
            request_memory: Setting { value: Memory(80 * MI), source: Origin::Default },
            killed,
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(60 * minutes).expect("a time")
    }

    /// A day and more, a measurement each ten minutes.
    fn day(used: impl Fn(i64) -> u64, active: impl Fn(i64) -> Option<f64>) -> Vec<Use> {
        (0..150).map(|i| Use { at: at(10 * i), used: Memory(used(i)), active: active(i) }).collect()
    }

    #[test]
    fn base_and_request_are_measured_where_the_requests_are_known() {
        let load = |i: i64| i % 6;
        let uses = day(|i| (60 + 90 * load(i) as u64) * MI, |i| Some(load(i) as f64));
        let advice = advise(uses.into_iter(), now(640, 0));
        assert!(advice.enough, "{:?}", advice.missing);
        let close = |found: Memory, wanted: u64| found.0.abs_diff(wanted * MI) < MI / 4;
        assert!(advice.base.is_some_and(|base| close(base, 60)), "{advice:?}");
        assert!(advice.request.as_ref().is_some_and(|r| close(r.value(), 90)), "{advice:?}");
        // 60 + 8 * 90 = 780, rounded up to a multiple of 16 Mi; (640 - 60) / 90 = 6.4.
        assert_eq!(advice.limit, Some(Memory(784 * MI)));
        assert_eq!(advice.max_children, Some(6));
    }

    #[test]
    fn no_limit_is_advised_below_the_peak() {
        for peak in [300, 700, 1200] {
            let uses = day(|i| if i == 70 { peak * MI } else { 100 * MI }, |i| Some((i % 4) as f64));
            let advice = advise(uses.into_iter(), now(2048, 0));
            assert_eq!(advice.peak, Some(Memory(peak * MI)));
            assert!(advice.limit.is_some_and(|limit| limit.0 >= peak * MI), "{advice:?}");
        }
        // Killed at its limit, it would have used more.
        let uses = day(|_| 300 * MI, |_| None);
        let advice = advise(uses.into_iter(), now(640, 2));
        assert!(advice.limit.is_some_and(|limit| limit.0 > 640 * MI) && !advice.enough, "{advice:?}");
        assert!(advice.missing.iter().any(|why| why.starts_with("2 containers killed at the limit")));
    }

    #[test]
    fn without_the_requests_what_is_configured_counts_unless_the_peak_proves_more() {
        let quiet = advise(day(|i| (60 + i as u64) * MI, |_| None).into_iter(), now(640, 0));
        assert_eq!(
            quiet.request,
            Some(RequestMemory::Configured { value: Memory(80 * MI), source: Origin::Default })
        );
        assert_eq!((quiet.limit, quiet.max_children), (Some(Memory(704 * MI)), Some(7)));
        assert!(!quiet.enough && quiet.missing.iter().any(|why| why.contains("not measured")));
        let busy =
            advise(day(|i| if i % 2 == 0 { 40 * MI } else { 1000 * MI }, |_| None).into_iter(), now(1024, 0));
        assert_eq!(busy.request, Some(RequestMemory::AtLeast { value: Memory(120 * MI) }));
    }

    #[test]
    fn too_little_is_no_evidence_and_says_what_is_missing() {
        let nothing = advise(std::iter::empty(), now(640, 0));
        assert!(!nothing.enough && nothing.limit.is_none() && nothing.told().is_empty());
        assert_eq!(nothing.missing, ["nothing is measured: without metrics-server there is no evidence"]);
        let few = advise(day(|_| 100 * MI, |_| None).into_iter().take(3), now(640, 0));
        assert!(few.limit.is_none() && few.told().is_empty(), "{few:?}");
        assert!(few.missing.iter().any(|why| why.starts_with("20m of measurements")), "{:?}", few.missing);
        // Memory that does not follow the requests is no line.
        let noise = advise(
            day(|i| (100 + 400 * (i as u64 % 2)) * MI, |i| Some(((i / 2) % 5) as f64)).into_iter(),
            now(640, 0),
        );
        assert!(!noise.enough && noise.missing.iter().any(|why| why.contains("do not rise together")));
    }

    #[test]
    fn hours_without_measurements_are_not_counted() {
        let mut uses = day(|_| 100 * MI, |_| None);
        uses.truncate(13);
        uses.extend((0..13).map(|i| Use { at: at(6000 + 10 * i), used: Memory(MI), active: None }));
        let advice = advise(uses.into_iter(), now(640, 0));
        assert_eq!(advice.evidence.hours, 4.0);
    }
}
