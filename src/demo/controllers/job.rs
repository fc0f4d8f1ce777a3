//! The Job controller: pods that run to completion.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::MANAGER;
use super::pods::pod_from_template;
use crate::kind::Kind;
use crate::store::{DeleteOptions, Object, stamp};
use crate::value::{is_active, is_ready, is_true, map, name, set, terminating, text, time, uid};
use crate::world::{Source, Wake, Work, World};

/// One pass of the controller.
pub(crate) fn job(world: &mut World, space: &str, called: &str) {
    let Some(job) = world.store.get(Kind::JOB, space, called).cloned() else { return };
    if !job["spec"]["template"].is_object() || terminating(&job) {
        return;
    }
    if is_true(&job, "Complete") || is_true(&job, "Failed") {
        return expire(world, &job);
    }
    let pods = world.pods_of(uid(&job));
    let phase = |wanted: &str| pods.iter().filter(|pod| pod["status"]["phase"] == wanted).count() as i64;
    let (succeeded, failed) = (phase("Succeeded"), phase("Failed"));
    let active: Vec<&Object> = pods.iter().filter(|pod| is_active(pod)).collect();
    let parallelism = job["spec"]["parallelism"].as_i64().unwrap_or(1).clamp(0, 1000);
    let completions = job["spec"]["completions"].as_i64();
    let allowed = job["spec"]["backoffLimit"].as_i64().unwrap_or(6);
    let done = completions.map_or(succeeded > 0 && active.is_empty(), |wanted| succeeded >= wanted);
    let broken = failed > allowed;
    let suspended = job["spec"]["suspend"] == true;
    let left = completions.map_or(parallelism, |wanted| wanted - succeeded);
    let wanted = if done || broken || suspended { 0 } else { parallelism.min(left).max(0) };
    let mut running = active.len() as i64;
    for pod in active.iter().skip(usize::try_from(wanted).unwrap_or(0)) {
        world.delete_pod(&job, pod);
        running -= 1;
    }
    // As the real controller, a job whose pod failed waits for that pod's successor's back-off; ours does not.
    let first = running;
    for number in first..wanted {
        let mut pod =
            pod_from_template(&job, &job["spec"]["template"], &format!("{}{number}{failed}", uid(&job)));
        set(&mut pod, &["metadata", "generateName"], format!("{called}-").into());
        let labels = map(&mut pod, &["metadata", "labels"]);
        for prefix in ["", "batch.kubernetes.io/"] {
            labels.insert(format!("{prefix}job-name"), called.into());
            labels.insert(format!("{prefix}controller-uid"), uid(&job).into());
        }
        world.create_pod(&job, pod);
        running += 1;
    }
    let now = world.now();
    let pods = world.pods_of(uid(&job));
    let leaving = pods.iter().filter(|pod| terminating(pod)).count();
    let ready = pods.iter().filter(|pod| is_active(pod) && is_ready(pod)).count();
    let outcome = if done {
        Some(("Complete", "CompletionsReached", "Reached expected number of succeeded pods"))
    } else if broken {
        Some(("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else {
        None
    };
    world.store.update_status(Kind::JOB, space, called, MANAGER, |job| {
        let mut status = json!({
            "startTime": time(&job["status"]["startTime"]).map_or_else(|| stamp(now), stamp),
            "terminating": leaving, "uncountedTerminatedPods": {}, "ready": ready,
        });
        for (field, count) in [("active", running), ("succeeded", succeeded), ("failed", failed)] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        if let Some((kind, reason, message)) = outcome {
            let before = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
            status["conditions"] = [before, kind]
                .map(|kind| {
                    json!({"type": kind, "status": "True", "lastProbeTime": stamp(now),
                           "lastTransitionTime": stamp(now), "reason": reason, "message": message})
                })
                .to_vec()
                .into();
            if kind == "Complete" {
                status["completionTime"] = stamp(now).into();
            }
        }
        job["status"] = status;
    });
    if let Some((kind, reason, message)) = outcome {
        let by = Source { component: "job-controller", host: "", warning: kind == "Failed" };
        let (reason, message) =
            if kind == "Complete" { ("Completed", "Job completed") } else { (reason, message) };
        world.event(&job, by, reason, message);
    }
}

/// Finished jobs with `ttlSecondsAfterFinished` go when it is over.
fn expire(world: &mut World, job: &Value) {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return };
    let ended =
        crate::value::list(&job["status"]["conditions"]).filter_map(|c| time(&c["lastTransitionTime"])).max();
    let Some(at) = ended.and_then(|ended| ended.checked_add(SignedDuration::from_secs(seconds.max(0))).ok())
    else {
        return;
    };
    let (space, called) = (text(&job["metadata"]["namespace"]).to_owned(), name(job).to_owned());
    if at <= world.now() {
        world.store.delete(Kind::JOB, &space, &called, &DeleteOptions::default());
    } else {
        world.at(at, Wake::Work(Work::Job(space, called)));
    }
}
