//! The Job controller: pods that run to completion, counted once each.
//!
//! As the real one does it, a pod carries a finalizer until it is counted, and a Job ends in two steps: the criterion is
//! met (`SuccessCriteriaMet`, `FailureTarget`), and when no pod runs any more, it is over (`Complete`, `Failed`).

mod tally;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tally::Tally;

use super::MANAGER;
use super::pods::pod_from_template;
use crate::kind::Kind;
use crate::store::{DeleteOptions, Object, stamp};
use crate::value::{condition, is_true, list, map, name, namespace, set, set_condition, text, time, uid};
use crate::world::{Source, Wake, Work, World};

/// Keeps a pod until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The wait after the first failed pod; it doubles with each.
const BACK_OFF: SignedDuration = SignedDuration::from_secs(10);
/// The longest such wait.
const LONGEST: SignedDuration = SignedDuration::from_secs(600);

/// Why a Job ends.
#[derive(Clone, Debug)]
struct End {
    fails: bool,
    reason: String,
    message: String,
}

/// One pass of the controller.
pub(crate) fn job(world: &mut World, space: &str, called: &str) {
    let Some(job) = world.store.get(Kind::JOB, space, called).cloned() else { return };
    if !job["spec"]["template"].is_object() {
        return;
    }
    let going = job["metadata"].get("deletionTimestamp").is_some();
    if is_true(&job, "Complete") || is_true(&job, "Failed") {
        for pod in Tally::read(world, &job).tracked() {
            release(world, &pod);
        }
        if !going {
            expire(world, &job);
        }
        return;
    }
    let mut tally = Tally::read(world, &job);
    let end = end(world, &job, &tally);
    let suspended = job["spec"]["suspend"] == true;
    if end.as_ref().is_some_and(|end| end.fails) || suspended {
        for pod in &tally.active {
            if end.is_none() {
                release(world, pod);
            }
            world.delete_pod(&job, pod);
        }
        tally = Tally::read(world, &job);
        if end.is_some() {
            // What still runs when the Job fails counts as failed.
            tally.count_leaving();
        }
    } else if end.is_none() && !going {
        let made = resize(world, &job, &tally);
        tally = Tally::read(world, &job);
        tally.active.extend(made);
    }
    suspend_or_resume(world, &job, suspended);
    conclude(world, &job, &tally, end.as_ref());
}

/// Why the Job ends, if it does: what was decided before stands.
fn end(world: &mut World, job: &Value, tally: &Tally) -> Option<End> {
    for (kind, fails) in [("FailureTarget", true), ("SuccessCriteriaMet", false)] {
        if let Some(met) = condition(job, kind).filter(|met| met["status"] == "True") {
            let word = |field: &str| text(&met[field]).to_owned();
            return Some(End { fails, reason: word("reason"), message: word("message") });
        }
    }
    let end = |fails, reason: &str, message: &str| {
        Some(End { fails, reason: reason.into(), message: message.into() })
    };
    let allowed = job["spec"]["backoffLimit"].as_i64().unwrap_or(6);
    let in_place = job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        && tally.restarts > 0
        && tally.restarts >= allowed;
    if tally.failed() > allowed || in_place {
        return end(true, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if let Some(seconds) = job["spec"]["activeDeadlineSeconds"].as_i64()
        && let Some(started) = time(&job["status"]["startTime"])
        && job["spec"]["suspend"] != true
        && let Ok(until) = started.checked_add(SignedDuration::from_secs(seconds.max(0)))
    {
        if until <= world.now() {
            return end(true, "DeadlineExceeded", "Job was active longer than specified deadline");
        }
        world.at(until, Wake::Work(work(job)));
    }
    let reached = match job["spec"]["completions"].as_i64() {
        Some(wanted) => tally.succeeded() >= wanted,
        None => tally.succeeded() > 0 && tally.active.is_empty(),
    };
    if reached {
        return end(false, "CompletionsReached", "Reached expected number of succeeded pods");
    }
    None
}

fn work(job: &Value) -> Work {
    Work::Job(namespace(job).to_owned(), name(job).to_owned())
}

/// As many pods as are wanted at once; after a failure the next one waits. Returns those it made.
fn resize(world: &mut World, job: &Value, tally: &Tally) -> Vec<Object> {
    let parallelism = job["spec"]["parallelism"].as_i64().unwrap_or(1).clamp(0, 1000);
    let left = job["spec"]["completions"].as_i64().map_or(parallelism, |all| all - tally.succeeded());
    let wanted = usize::try_from(parallelism.min(left)).unwrap_or(0);
    for surplus in tally.active.iter().skip(wanted) {
        // A pod that is not wanted any more counts for nothing.
        release(world, surplus);
        world.delete_pod(job, surplus);
    }
    let mut made = Vec::new();
    if tally.active.len() >= wanted {
        return made;
    }
    if let Some(failed) = tally.last_failure {
        let doublings = i32::try_from(tally.failed() - 1).unwrap_or(0).clamp(0, 10);
        let wait = BACK_OFF.checked_mul(1 << doublings).unwrap_or(LONGEST).min(LONGEST);
        let due = failed.checked_add(wait).unwrap_or(failed);
        if due > world.now() {
            world.at(due, Wake::Work(work(job)));
            return made;
        }
    }
    for number in tally.active.len()..wanted {
        let key = format!("{}{number}{}", uid(job), tally.failed());
        let mut pod = pod_from_template(job, &job["spec"]["template"], &key);
        set(&mut pod, &["metadata", "generateName"], format!("{}-", name(job)).into());
        set(&mut pod, &["metadata", "finalizers"], json!([TRACKING]));
        let labels = map(&mut pod, &["metadata", "labels"]);
        for prefix in ["", "batch.kubernetes.io/"] {
            labels.insert(format!("{prefix}job-name"), name(job).into());
            labels.insert(format!("{prefix}controller-uid"), uid(job).into());
        }
        match world.create_pod(job, pod, work(job)) {
            Ok(pod) => made.push(pod),
            Err(_) => break,
        }
    }
    made
}

/// Tells that the Job was suspended or goes on.
fn suspend_or_resume(world: &mut World, job: &Value, suspended: bool) {
    let was = condition(job, "Suspended").map(|told| told["status"] == "True");
    let (reason, message) = match (suspended, was) {
        (true, None | Some(false)) => ("Suspended", "Job suspended"),
        (false, Some(true)) => ("Resumed", "Job resumed"),
        _ => return,
    };
    world.event(job, by(false), reason, message);
}

fn by(warning: bool) -> Source<'static> {
    Source { component: "job-controller", host: "", warning }
}

/// Writes down what was counted: first which pods, then, when they are let go, how many.
fn conclude(world: &mut World, job: &Value, tally: &Tally, end: Option<&End>) {
    let newly = tally.newly();
    let mut status = tally.status(world, job);
    if let Some(end) = end {
        let kind = if end.fails { "FailureTarget" } else { "SuccessCriteriaMet" };
        put(world, &mut status, kind, end);
    }
    if !newly.is_empty() {
        let mut noted = status.clone();
        let uids = |pods: &[Object]| -> Value { pods.iter().map(|pod| uid(pod)).collect::<Vec<_>>().into() };
        for (field, pods) in [("succeeded", &tally.succeeded_now), ("failed", &tally.failed_now)] {
            if !pods.is_empty() {
                noted["status"]["uncountedTerminatedPods"][field] = uids(pods);
            }
        }
        write(world, job, noted["status"].take());
        for pod in &newly {
            release(world, pod);
        }
    }
    for (field, count) in [("succeeded", tally.succeeded()), ("failed", tally.failed())] {
        if count > 0 {
            status["status"][field] = count.into();
        }
    }
    let over = end.filter(|end| !end.fails || tally.leaving() == 0);
    if over.is_none() || newly.is_empty() {
        write(world, job, status["status"].clone());
    }
    let Some(end) = over else { return };
    put(world, &mut status, if end.fails { "Failed" } else { "Complete" }, end);
    if !end.fails {
        status["status"]["completionTime"] = stamp(world.now()).into();
    }
    write(world, job, status["status"].take());
    let (reason, message) =
        if end.fails { (end.reason.as_str(), end.message.as_str()) } else { ("Completed", "Job completed") };
    world.event(job, by(end.fails), reason, message);
}

fn put(world: &World, status: &mut Value, kind: &str, end: &End) {
    let now = world.now();
    if condition(status, kind).is_none() {
        let probed = stamp(now);
        let told = json!({"type": kind, "status": "True", "lastProbeTime": probed, "reason": end.reason,
            "message": end.message});
        set_condition(status, told, now);
    }
}

fn write(world: &mut World, job: &Value, status: Value) {
    world.store.update_status(Kind::JOB, namespace(job), name(job), MANAGER, |job| job["status"] = status);
}

/// The pod is counted: nothing keeps it any more.
pub(in crate::controllers) fn release(world: &mut World, pod: &Value) {
    world.store.update(Kind::POD, namespace(pod), name(pod), MANAGER, |pod| {
        let left: Vec<Value> =
            list(&pod["metadata"]["finalizers"]).filter(|other| *other != TRACKING).cloned().collect();
        let left = if left.is_empty() { Value::Null } else { left.into() };
        set(pod, &["metadata", "finalizers"], left);
    });
}

/// Finished jobs with `ttlSecondsAfterFinished` go when it is over, and their pods before them.
fn expire(world: &mut World, job: &Value) {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return };
    let ended = list(&job["status"]["conditions"]).filter_map(|c| time(&c["lastTransitionTime"])).max();
    let Some(at) = ended.and_then(|ended| ended.checked_add(SignedDuration::from_secs(seconds.max(0))).ok())
    else {
        return;
    };
    if at <= world.now() {
        let options = DeleteOptions { foreground: true, ..DeleteOptions::default() };
        world.store.delete(Kind::JOB, namespace(job), name(job), &options);
    } else {
        world.at(at, Wake::Work(work(job)));
    }
}
