//! A Job that has not ended is deleted, and its pod with it.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, jobs};
use crate::{
    cluster::{Key, Snapshot},
    plan::Names,
};

/// A Job that has not ended is deleted, and its pod is gone before anything else is done. One that has ended stays, for
/// its log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopJob {
    /// Which Job.
    pub job: Key,
}

impl Kind for StopJob {
    fn object(&self) -> Object {
        Object::Job(self.job.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn never(&self) -> Option<String> {
        Some(format!("job {} was only there for its run", self.job.name))
    }

    fn of_run(&self, run: &str) -> Option<Change> {
        Some(Change::StopJob(Self { job: jobs::of_run(&self.job, run) }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        jobs::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        match seen.jobs.get(&self.job) {
            None => Standing::Gone(format!("job {} is gone", self.job)),
            Some(job) if job.ended.is_some() && job.terminating == 0 => Standing::AtTo,
            Some(_) => Standing::AtFrom(format!("job {} has not ended", self.job.name)),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("delete job {} unless it has ended", self.job)
    }

    fn found(&self) -> String {
        "it has ended: it is kept for its log".into()
    }
}
