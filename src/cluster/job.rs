//! A Job that wheelhouse has made, as observed: a migration that waits, runs or has ended.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, ResourceVersion};

/// A Job of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.resourceVersion`.
    pub resource_version: ResourceVersion,
    /// Label `wheelhouse.dev/run`: the run that made it.
    pub run: Option<Arc<str>>,
    /// Label `wheelhouse.dev/workload`: the name of the workload whose template it is made from.
    pub workload: Option<Arc<str>>,
    /// `spec.suspend`: it makes no pods.
    pub suspended: bool,
    /// `status.startTime`.
    pub started: Option<Timestamp>,
    /// `status.active`: pods that run or wait.
    pub active: u32,
    /// `status.terminating`: pods that are being deleted.
    pub terminating: u32,
    /// The condition `Complete` or `Failed`; `None`: it has not ended. `FailureTarget` alone is no end: its pod may still
    /// run.
    pub ended: Option<JobEnd>,
}

/// How a Job has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    /// `Complete`; otherwise `Failed`.
    pub complete: bool,
    /// The condition's reason, such as `BackoffLimitExceeded` or `DeadlineExceeded`. The first says the same of an exit
    /// code, of a deletion and of an eviction (measured).
    pub reason: Arc<str>,
    /// Since when.
    pub at: Option<Timestamp>,
}
