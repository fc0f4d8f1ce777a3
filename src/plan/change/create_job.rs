//! A Job made from a tenant's own pod template, that waits to be started.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing, StopJob, jobs,
    replicas::{this_workload, unfollowed_workload},
};
use crate::{
    cluster::{Key, Snapshot, Uid, WorkloadKey},
    plan::{Names, by_hand},
};

/// A Job made from a tenant's own pod template: one container of it, without probes, hooks, ports and sidecars, and
/// without any label that is selected on. It is made suspended: whether it was made may be in doubt after a crash, and
/// harms nobody; that it was begun is a change of an object that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateJob {
    /// Its namespace and name. The run's id is put behind the name when the run begins: creating it twice is finding it.
    pub job: Key,
    /// The workload whose template it is made from.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The container that is kept.
    pub container: Arc<str>,
    /// Its image in the Job.
    pub image: Arc<str>,
    /// What it runs.
    pub command: Vec<String>,
    /// The labels of its pod, beside those of the run.
    pub labels: BTreeMap<String, String>,
    /// `activeDeadlineSeconds`.
    pub deadline: u32,
    /// `ttlSecondsAfterFinished`: how long its log can be read.
    pub kept: u32,
}

/// The longest name of a Job: its pods get six characters more, and a host's name has 63.
const LONGEST: usize = 57;
/// The id of a run, and the dash before it.
const OF_RUN: usize = 21;

impl CreateJob {
    /// The name before a run's id is put behind it: `acme-migrate`.
    pub fn stem(workload: &WorkloadKey) -> Key {
        const WORD: &str = "-migrate";
        let name: String = workload.key.name.chars().take(LONGEST - OF_RUN - WORD.len()).collect();
        let name = name.trim_end_matches(['-', '.']).replace('.', "-");
        Key::new(workload.key.namespace.clone(), format!("{name}{WORD}"))
    }
}

impl Kind for CreateJob {
    fn object(&self) -> Object {
        Object::Job(self.job.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::StopJob(StopJob { job: self.job.clone() }))
    }

    fn of_run(&self, run: &str) -> Option<Change> {
        Some(Change::CreateJob(Self { job: jobs::of_run(&self.job, run), ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen).or_else(|| jobs::unseen(seen))
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        if let Err(why) = this_workload(&self.workload, &self.uid, seen) {
            return Standing::Elsewhere(why);
        }
        match seen.jobs.get(&self.job) {
            None => Standing::AtFrom(format!("job {} is not there", self.job.name)),
            Some(_) => Standing::AtTo,
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("create job {}: `{}` with {}", self.job, by_hand::words(&self.command), self.image)
    }
}
