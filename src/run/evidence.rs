//! What counts as evidence for a step: only what is followed at this moment, and is not older than the last write.
//!
//! Pure. `perform` tells what it wrote or saw as a [`Mark`]; an observation from before it says nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    cluster::{ResourceVersion, Snapshot},
    plan::{Change, Object},
};

/// What an object was last known to be by its own word: an older observation is no evidence.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A workload by the API server's own answer.
    Workload {
        /// Its `resourceVersion`.
        version: ResourceVersion,
        /// Replicas it asked for.
        desired: u32,
    },
    /// A Job by the API server's own answer.
    Job {
        /// Its `resourceVersion`.
        version: ResourceVersion,
        /// When it was told, by the API server's clock.
        at: Timestamp,
    },
    /// An endpoint of the database at a moment.
    Endpoint(Moment),
}

/// A moment at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// By the clock of this machine.
    pub(super) at: Timestamp,
    /// The newest check of the proxy's monitor, by its clock.
    pub(super) checked: Option<Timestamp>,
}

/// The marks of one session.
pub(super) type Marks = BTreeMap<Object, Mark>;

/// How long a watch may take to tell what was written.
pub(super) const LAG: SignedDuration = SignedDuration::from_secs(10);
/// The monitor of a proxy must have checked for so many intervals since a write.
const CHECKS: u32 = 2;
/// So many readings of an endpoint must be later than a write: the first may have begun before it.
const READINGS: usize = 2;

/// Why nothing can be told about a change from this snapshot, if so: it is not seen, or was last seen before it was
/// last written.
pub(super) fn unproven(change: &Change, seen: &Snapshot, marks: &Marks, now: Timestamp) -> Option<String> {
    if let Some(why) = change.unseen(seen) {
        return Some(why);
    }
    let object = change.object();
    match (marks.get(&object)?, &object) {
        (Mark::Workload { version, desired }, Object::Workload(key)) => {
            // A workload that is gone is gone: it was there when the API server told of it.
            let workload = seen.workload(key)?;
            let now = &workload.resource_version;
            let caught_up = at_least(now, version).unwrap_or(now == version || workload.desired == *desired);
            (!caught_up).then(|| format!("{key}: what was written has not come back yet"))
        }
        (Mark::Job { version, at }, Object::Job(key)) => {
            let text = || format!("job {}: what was written has not come back yet", key.name);
            match seen.jobs.get(key) {
                Some(job) => {
                    let known = &job.resource_version;
                    (!at_least(known, version).unwrap_or(known == version)).then(text)
                }
                // One that is gone is gone; the watch may take a while to tell of one that was just made.
                None => (now.duration_since(*at) < LAG).then(text),
            }
        }
        (Mark::Endpoint(mark), Object::Member(member)) => {
            let (history, at) = (&seen.galera.get(member)?.history, seen.dated(mark.at));
            unread(member.as_str(), history.iter().filter(|s| s.at > at).count())
        }
        (Mark::Endpoint(mark), Object::Proxy(proxy)) => {
            let (known, at) = (seen.proxies.get(proxy)?, seen.dated(mark.at));
            unread(proxy.as_str(), known.history.iter().filter(|s| s.at > at).count()).or_else(|| {
                // Only what holds is judged by the monitor's checks.
                let Change::Holds(_) = change else { return None };
                let status = known.now()?;
                let interval = SignedDuration::try_from(status.check_every? * CHECKS).ok()?;
                let wanted = mark.checked?.checked_add(interval).ok()?;
                let newest = status.checks.iter().map(|c| c.at).max();
                newest.is_none_or(|newest| newest < wanted).then(|| {
                    format!(
                        "the monitor of {proxy} has not made {CHECKS} checks since: what it does not want it puts back"
                    )
                })
            })
        }
        _ => None,
    }
}

fn unread(name: &str, readings: usize) -> Option<String> {
    (readings < READINGS).then(|| format!("{name} has not been read again yet"))
}

/// Whether a version is that one or a later one. Versions are whole numbers of any size that only grow, as Kubernetes
/// 1.35 promises and every release with etcd behaves; `None` when a server has others.
pub(super) fn at_least(version: &ResourceVersion, wanted: &ResourceVersion) -> Option<bool> {
    let number = |v: &ResourceVersion| {
        let digits = v.as_str();
        let is = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is.then(|| (digits.trim_start_matches('0').len(), digits.trim_start_matches('0').to_owned()))
    };
    Some(number(version)? >= number(wanted)?)
}
