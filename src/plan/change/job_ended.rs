//! Wait until a Job has ended, and tell how: the Job's own words do not suffice for that.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing, jobs};
use crate::{
    cluster::{ContainerEnd, Job, JobEnd, Key, Phase, Pod, Snapshot},
    plan::Names,
};

/// Wait until a Job has ended. It has failed only where its container is seen to have ended with an exit code of its own:
/// the Job controller says the same (`BackoffLimitExceeded`) of a pod that was deleted or evicted, and then nobody knows
/// how far its command came (measured). A deadline that passed tells as little.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnded {
    /// Which Job.
    pub job: Key,
    /// The container that runs the command.
    pub container: Arc<str>,
}

/// How long the watch of pods may lag behind that of Jobs.
const LAG: SignedDuration = SignedDuration::from_secs(10);
/// Codes from here on are signals: the command did not end by itself.
const SIGNALS: i32 = 128;
/// Why a container waits that will not start.
const NEVER_STARTS: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
];
/// Why a container has ended that never ran its command.
const NEVER_RAN: [&str; 2] = ["StartError", "ContainerCannotRun"];

/// What a Job's pod tells of its command.
enum Exit {
    /// It never ran, and why.
    NeverRan(String),
    /// It ended by itself, with this code.
    Code(i32),
    /// It was cut off, in these words.
    Cut(String),
    /// Nothing.
    Nothing,
}

impl JobEnded {
    fn told(&self, pod: &Pod) -> Exit {
        let own = pod.containers.iter().find(|c| c.name == self.container);
        let end = own.and_then(|c| c.last_end.as_deref());
        if let Some(ContainerEnd { reason, code, .. }) = end {
            return match *code {
                _ if NEVER_RAN.contains(&&**reason) => Exit::NeverRan(format!("{} {reason}", self.container)),
                code if code >= SIGNALS || &**reason == "OOMKilled" => {
                    Exit::Cut(format!("it was killed ({reason}, exit code {code})"))
                }
                code => Exit::Code(code),
            };
        }
        let before = pod.containers.iter().filter(|c| c.name != self.container);
        let mut failed = before.filter_map(|c| Some((c, c.last_end.as_deref()?)));
        match failed.find(|(_, end)| end.code != 0) {
            Some((init, end)) if own.is_none_or(|c| c.running_since.is_none()) => {
                Exit::NeverRan(format!("its init container {} ended with exit code {}", init.name, end.code))
            }
            _ => Exit::Nothing,
        }
    }

    /// How a Job came out that has ended.
    fn ended(&self, job: &Job, end: &JobEnd, pod: Option<&Pod>, seen: &Snapshot) -> Standing {
        if end.complete {
            return Standing::AtTo;
        }
        let name = &self.job.name;
        let unknown = |why: String| Standing::Unknown(format!("the outcome of job {name} is unknown: {why}"));
        let told = pod.map_or(Exit::Nothing, |pod| self.told(pod));
        let late = &*end.reason == "DeadlineExceeded";
        match told {
            Exit::NeverRan(why) => Standing::Failed(format!("job {name} failed: {why}, and nothing was run")),
            Exit::Code(code) if code != 0 && !late => {
                Standing::Failed(format!("job {name} failed with exit code {code}"))
            }
            Exit::Code(0) => {
                unknown(format!("its command ended with exit code 0, and the job says {}", end.reason))
            }
            Exit::Code(_) | Exit::Cut(_) | Exit::Nothing if late => {
                unknown("its deadline passed: the statement may have gone through".into())
            }
            Exit::Cut(why) => unknown(why),
            Exit::Code(_) | Exit::Nothing => {
                let told = end.at.or(job.started).is_none_or(|at| seen.at.duration_since(at) >= LAG);
                match told {
                    true => unknown("its pod is gone without an exit code, deleted or evicted".into()),
                    false => Standing::AtFrom("the job has ended, and its pod is looked at".into()),
                }
            }
        }
    }
}

impl Kind for JobEnded {
    fn object(&self) -> Object {
        Object::Job(self.job.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn once(&self) -> bool {
        true
    }

    fn of_run(&self, run: &str) -> Option<Change> {
        Some(Change::JobEnded(Self { job: jobs::of_run(&self.job, run), ..self.clone() }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        jobs::unseen(seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let name = &self.job.name;
        let pod = seen.pods_of_job(&self.job).max_by_key(|pod| pod.created);
        let runs = |pod: &&Arc<Pod>| !matches!(pod.phase, Phase::Succeeded | Phase::Failed);
        let Some(job) = seen.jobs.get(&self.job) else {
            return match pod.filter(runs) {
                Some(pod) => Standing::AtFrom(format!("job {name} is gone, and {} runs on", pod.key.name)),
                None => Standing::Unknown(format!(
                    "the outcome of job {name} is unknown: it is gone, and how it ended was not seen"
                )),
            };
        };
        if let Some(end) = &job.ended {
            return match pod.filter(runs) {
                Some(pod) => Standing::AtFrom(format!("{} is still leaving", pod.key.name)),
                None if job.terminating > 0 => Standing::AtFrom("its pod is still leaving".into()),
                None => self.ended(job, end, pod.map(|pod| &**pod), seen),
            };
        }
        if job.suspended {
            return Standing::AtFrom(format!("job {name} is suspended"));
        }
        let Some(pod) = pod else { return Standing::AtFrom("its pod is not made yet".into()) };
        let containers = || pod.spec.init_containers.iter().chain(pod.spec.containers.iter());
        match pod.waits_for() {
            Some((container, why)) if NEVER_STARTS.contains(&why) => Standing::Failed(format!(
                "job {name} does not start: {} {why}: {}",
                container.name,
                containers().find(|c| c.name == container.name).map_or("", |c| &*c.image)
            )),
            _ => Standing::AtFrom(running(pod, seen)),
        }
    }

    fn words(&self, _: &Names) -> String {
        format!("wait until job {} has ended", self.job)
    }

    fn outcome(&self, seen: &Snapshot) -> String {
        let job = seen.jobs.get(&self.job);
        let took = job.and_then(|job| {
            let ended = job.ended.as_ref()?.at?;
            Some(ended.duration_since(job.started?).as_secs())
        });
        took.map_or("it succeeded".into(), |seconds| format!("it succeeded after {seconds} s"))
    }

    fn missing(&self, seen: &Snapshot) -> String {
        let pod = seen.pods_of_job(&self.job).max_by_key(|pod| pod.created);
        pod.map_or(String::new(), |pod| format!("; {}", running(pod, seen)))
    }
}

/// What a Job's pod is at.
fn running(pod: &Pod, seen: &Snapshot) -> String {
    let name = &pod.key.name;
    if let Some(why) = &pod.unschedulable {
        return format!("{name} is Pending: {why}");
    }
    let since = pod.containers.iter().find_map(|c| c.running_since);
    match (since, &pod.node) {
        (Some(since), Some(node)) => {
            format!("{name} runs on {node} for {} s", seen.at.duration_since(since).as_secs().max(0))
        }
        (_, Some(node)) => format!("{name} starts on {node}"),
        (_, None) => format!("{name} waits for a node"),
    }
}
