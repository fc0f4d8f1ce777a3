//! A Job's pods: which run, which ended, and which of these are not counted yet.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TRACKING;
use crate::store::{Object, stamp};
use crate::value::{
    condition, int, is_active, is_finished, is_ready, list, set_condition, terminating, time, uid,
};
use crate::world::World;

/// The pods of a Job by what they count as.
pub(super) struct Tally {
    pods: Vec<Object>,
    pub(super) active: Vec<Object>,
    /// Ended well, and carry the finalizer still.
    pub(super) succeeded_now: Vec<Object>,
    /// Ended badly or are being deleted, and carry the finalizer still.
    pub(super) failed_now: Vec<Object>,
    counted: (i64, i64),
    /// How often the containers of active pods were started again.
    pub(super) restarts: i64,
    /// When a pod failed last.
    pub(super) last_failure: Option<Timestamp>,
}

fn is_tracked(pod: &Value) -> bool {
    list(&pod["metadata"]["finalizers"]).any(|finalizer| finalizer == TRACKING)
}

impl Tally {
    pub(super) fn read(world: &World, job: &Value) -> Self {
        let pods = world.pods_of(uid(job));
        let succeeded = |pod: &&Object| pod["status"]["phase"] == "Succeeded";
        // A pod that is being deleted is replaced, and counts as failed, unless its end is to be waited for.
        let waits = job["spec"]["podReplacementPolicy"] == "Failed";
        let failed = |pod: &&Object| {
            pod["status"]["phase"] == "Failed" || !succeeded(pod) && terminating(pod) && !waits
        };
        let tracked = || pods.iter().filter(|pod| is_tracked(pod));
        let ended = |pod: &Object| {
            let finished = list(&pod["status"]["containerStatuses"])
                .filter_map(|status| time(&status["state"]["terminated"]["finishedAt"]));
            finished
                .max()
                .or_else(|| time(&pod["metadata"]["deletionTimestamp"]).map(|at| at.min(world.now())))
        };
        Self {
            active: pods.iter().filter(|pod| is_active(pod)).cloned().collect(),
            succeeded_now: tracked().filter(succeeded).cloned().collect(),
            failed_now: tracked().filter(failed).cloned().collect(),
            counted: (int(&job["status"]["succeeded"]), int(&job["status"]["failed"])),
            restarts: pods
                .iter()
                .filter(|pod| is_active(pod))
                .flat_map(|pod| list(&pod["status"]["containerStatuses"]))
                .map(|status| int(&status["restartCount"]))
                .sum(),
            last_failure: pods.iter().filter(failed).filter_map(ended).max(),
            pods,
        }
    }

    /// Counts every pod that is being deleted as failed, whatever the policy.
    pub(super) fn count_leaving(&mut self) {
        let leaving = self.pods.iter().filter(|pod| {
            is_tracked(pod)
                && terminating(pod)
                && !is_finished(pod)
                && !self.failed_now.iter().any(|other| uid(other) == uid(pod))
        });
        let leaving: Vec<Object> = leaving.cloned().collect();
        self.failed_now.extend(leaving);
    }

    pub(super) fn succeeded(&self) -> i64 {
        self.counted.0 + self.succeeded_now.len() as i64
    }

    pub(super) fn failed(&self) -> i64 {
        self.counted.1 + self.failed_now.len() as i64
    }

    /// The pods that are not counted yet.
    pub(super) fn newly(&self) -> Vec<Object> {
        self.succeeded_now.iter().chain(&self.failed_now).cloned().collect()
    }

    /// The pods that still carry the finalizer.
    pub(super) fn tracked(&self) -> Vec<Object> {
        self.pods.iter().filter(|pod| is_tracked(pod)).cloned().collect()
    }

    /// How many are being deleted and have not ended.
    pub(super) fn leaving(&self) -> usize {
        self.pods.iter().filter(|pod| terminating(pod) && !is_finished(pod)).count()
    }

    /// An object whose status is the Job's with these counts, but for the pods that are not counted yet.
    pub(super) fn status(&self, world: &World, job: &Value) -> Value {
        let now = world.now();
        let old = &job["status"];
        let suspended = job["spec"]["suspend"] == true;
        let mut status = json!({
            "ready": self.active.iter().filter(|pod| is_ready(pod)).count(),
            "terminating": self.leaving(),
            "uncountedTerminatedPods": {},
        });
        if !suspended {
            let started = old["startTime"].as_str();
            status["startTime"] = started.map_or_else(|| stamp(now), str::to_owned).into();
        }
        for (field, count) in
            [("active", self.active.len() as i64), ("succeeded", self.counted.0), ("failed", self.counted.1)]
        {
            if count > 0 {
                status[field] = count.into();
            }
        }
        if old["conditions"].is_array() {
            status["conditions"] = old["conditions"].clone();
        }
        let mut object = json!({"status": status});
        let was = condition(job, "Suspended").map(|told| told["status"] == "True");
        let told = match (suspended, was) {
            (true, None | Some(false)) => Some(("True", "JobSuspended", "Job suspended")),
            (false, Some(true)) => Some(("False", "JobResumed", "Job resumed")),
            _ => None,
        };
        if let Some((status, reason, message)) = told {
            let told = json!({"type": "Suspended", "status": status, "lastProbeTime": stamp(now),
                "reason": reason, "message": message});
            set_condition(&mut object, told, now);
        }
        object
    }
}
