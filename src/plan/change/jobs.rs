//! What the kinds of change of Jobs have in common.

use super::replicas::unfollowed;
use crate::cluster::{Key, Snapshot};

/// Why Jobs and their pods are not evidence at present.
pub(super) fn unseen(seen: &Snapshot) -> Option<String> {
    unfollowed("jobs", &seen.jobs.freshness).or_else(|| unfollowed("pods", &seen.pods.freshness))
}

/// The Job of one run.
pub(super) fn of_run(job: &Key, run: &str) -> Key {
    Key::new(job.namespace.clone(), format!("{}-{run}", job.name))
}
