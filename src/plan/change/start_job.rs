//! A Job that waits is started: from here on its command may have run.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, jobs};
use crate::{
    cluster::{Key, Snapshot},
    plan::{Names, by_hand},
};

/// `spec.suspend` of a Job is taken away: its pod is made, and its command runs once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartJob {
    /// Which Job.
    pub job: Key,
}

impl Kind for StartJob {
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
        Some("what a migration did to the schema stays".into())
    }

    fn once(&self) -> bool {
        true
    }

    fn of_run(&self, run: &str) -> Option<Change> {
        Some(Change::StartJob(Self { job: jobs::of_run(&self.job, run) }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        jobs::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        match seen.jobs.get(&self.job) {
            None => Standing::Gone(format!("job {} is gone", self.job)),
            Some(job) if job.suspended => Standing::AtFrom(format!("job {} waits", self.job.name)),
            Some(_) => Standing::AtTo,
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("start job {}", self.job)
    }

    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let kubectl = by_hand::kubectl(seen, Some(&self.job.namespace));
        Some(format!(
            "{kubectl} patch job/{} --type=merge -p '{{\"spec\":{{\"suspend\":false}}}}'",
            self.job.name
        ))
    }
}
