//! The status a kubelet writes into a pod, as functions from one status to the next.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::image;
use crate::store::stamp;
use crate::value::{digest, int, list, map, name, namespace, set, set_condition, terminating, text, uid};

/// How a container ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) reason: &'static str,
}

/// The status of the pod's container of this number.
pub(super) fn of(pod: &Value, index: usize) -> Option<&Value> {
    list(&pod["status"]["containerStatuses"]).nth(index)
}

fn change(pod: &mut Value, index: usize, change: impl FnOnce(&mut Value)) {
    if let Some(status) =
        pod["status"]["containerStatuses"].get_mut(index).filter(|status| status.is_object())
    {
        change(status);
    }
}

/// The kubelet took the pod: its containers are being created.
pub(crate) fn admit(pod: &mut Value, host: &str, now: Timestamp) {
    let waiting = |containers: &Value, reason: &str| -> Vec<Value> {
        list(containers)
            .map(|container| {
                json!({
                    "name": container["name"], "state": {"waiting": {"reason": reason}}, "lastState": {}, "ready": false,
                    "restartCount": 0, "image": container["image"], "imageID": "", "started": false,
                })
            })
            .collect()
    };
    let initial = waiting(&pod["spec"]["initContainers"], "PodInitializing");
    let reason = if initial.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let statuses = waiting(&pod["spec"]["containers"], reason);
    let status = map(pod, &["status"]);
    status.insert("phase".to_owned(), "Pending".into());
    status.insert("hostIP".to_owned(), host.into());
    status.insert("hostIPs".to_owned(), json!([{"ip": host}]));
    status.insert("startTime".to_owned(), stamp(now).into());
    if !initial.is_empty() {
        status.insert("initContainerStatuses".to_owned(), initial.into());
    }
    status.insert("containerStatuses".to_owned(), statuses.into());
    conclude(pod, now);
}

/// All containers run, but for those whose image is `broken`.
pub(crate) fn start(pod: &mut Value, address: &str, now: Timestamp, broken: &dyn Fn(usize) -> bool) {
    let id = uid(pod).to_owned();
    let status = map(pod, &["status"]);
    status.insert("podIP".to_owned(), address.into());
    status.insert("podIPs".to_owned(), json!([{"ip": address}]));
    if let Some(initial) = status.get_mut("initContainerStatuses").and_then(Value::as_array_mut) {
        for status in initial {
            status["state"] = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp(now),
                "finishedAt": stamp(now)}});
            status["ready"] = true.into();
        }
    }
    let containers: Vec<Value> = list(&pod["spec"]["containers"]).cloned().collect();
    for (index, container) in containers.iter().enumerate() {
        if !broken(index) {
            change(pod, index, |status| run(status, container, &id, now));
        }
    }
    conclude(pod, now);
}

fn run(status: &mut Value, container: &Value, pod: &str, now: Timestamp) {
    let (image, called) = (text(&container["image"]), text(&container["name"]));
    let count = int(&status["restartCount"]).to_string();
    let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
    let probed = container["readinessProbe"].is_object();
    status["state"] = json!({"running": {"startedAt": stamp(now)}});
    // What was put in force before stays so over a restart.
    if status["resources"].is_null() {
        report(status, container);
    }
    status["ready"] = (!probed).into();
    status["started"] = true.into();
    status["imageID"] = format!("{repository}@{}", image::image(image, 1).digest).into();
    status["containerID"] = format!("containerd://{}", digest(&[pod, called, &count])).into();
}

/// The container runs with what it asks for.
pub(super) fn put_in_force(pod: &mut Value, index: usize, container: &Value) {
    change(pod, index, |status| report(status, container));
}

fn report(status: &mut Value, container: &Value) {
    let resources = &container["resources"];
    set(status, &["resources"], if resources.is_object() { resources.clone() } else { json!({}) });
    if resources["requests"].is_object() {
        set(status, &["allocatedResources"], resources["requests"].clone());
    }
}

/// The container answers its readiness probe.
pub(crate) fn become_ready(pod: &mut Value, index: usize, now: Timestamp) {
    change(pod, index, |status| status["ready"] = true.into());
    conclude(pod, now);
}

/// The container no longer answers its readiness probe.
pub(super) fn probe_fails(pod: &mut Value, index: usize, now: Timestamp) {
    change(pod, index, |status| status["ready"] = false.into());
    conclude(pod, now);
}

/// The container ended for good.
pub(super) fn end(pod: &mut Value, index: usize, how: Exit, now: Timestamp) {
    change(pod, index, |status| {
        status["state"] = json!({"terminated": terminated(status, how, now)});
        status["ready"] = false.into();
        status["started"] = false.into();
    });
    conclude(pod, now);
}

fn terminated(status: &Value, how: Exit, now: Timestamp) -> Value {
    let started = &status["state"]["running"]["startedAt"];
    json!({
        "exitCode": how.code, "reason": how.reason,
        "startedAt": if started.is_string() { started.clone() } else { stamp(now).into() },
        "finishedAt": stamp(now), "containerID": status["containerID"],
    })
}

/// The pod was told to stop, and its containers did.
pub(super) fn stopped(pod: &mut Value, now: Timestamp) {
    let count = list(&pod["status"]["containerStatuses"]).count();
    // Servers stop well when they are told to; a program that is to come to its own end does not.
    let told = match text(&pod["spec"]["restartPolicy"]) {
        "Always" | "" => Exit { code: 0, reason: "Completed" },
        _ => Exit { code: 143, reason: "Error" },
    };
    for index in 0..count {
        change(pod, index, |status| {
            let how = match &status["state"] {
                state if state["running"].is_object() => told,
                state if state["terminated"].is_object() => return,
                _ => Exit { code: 137, reason: "ContainerStatusUnknown" },
            };
            status["state"] = json!({"terminated": terminated(status, how, now)});
            status["ready"] = false.into();
            status["started"] = false.into();
        });
    }
    conclude(pod, now);
}

/// The container ended and will be restarted after `wait` seconds.
pub(super) fn back_off(pod: &mut Value, index: usize, how: Exit, wait: i64, now: Timestamp) {
    let owner = format!("{}_{}({})", name(pod), namespace(pod), uid(pod));
    change(pod, index, |status| {
        let ended = terminated(status, how, now);
        if wait == 0 {
            status["state"] = json!({"terminated": ended});
        } else {
            let span = if wait < 60 { format!("{wait}s") } else { format!("{}m{}s", wait / 60, wait % 60) };
            let message =
                format!("back-off {span} restarting failed container={} pod={owner}", text(&status["name"]));
            status["lastState"] = json!({"terminated": ended});
            status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        }
        status["ready"] = false.into();
        status["started"] = false.into();
    });
    conclude(pod, now);
}

/// The container runs again.
pub(super) fn restart(pod: &mut Value, index: usize, ready: bool, now: Timestamp) {
    let (id, container) =
        (uid(pod).to_owned(), list(&pod["spec"]["containers"]).nth(index).cloned().unwrap_or_default());
    change(pod, index, |status| {
        if status["state"]["terminated"].is_object() {
            status["lastState"] = json!({"terminated": status["state"]["terminated"]});
        }
        status["restartCount"] = (int(&status["restartCount"]) + 1).into();
        run(status, &container, &id, now);
        status["ready"] = ready.into();
    });
    conclude(pod, now);
}

/// The machine restarted under the container.
pub(super) fn reboot(pod: &mut Value, now: Timestamp) {
    let count = list(&pod["status"]["containerStatuses"]).count();
    for index in 0..count {
        change(pod, index, |status| {
            if status["state"]["running"].is_object() {
                let ended = terminated(status, Exit { code: 255, reason: "Unknown" }, now);
                status["lastState"] = json!({"terminated": ended});
                status["restartCount"] = (int(&status["restartCount"]) + 1).into();
            }
            status["state"] = json!({"waiting": {"reason": "ContainerCreating"}});
            status["ready"] = false.into();
            status["started"] = false.into();
        });
    }
    conclude(pod, now);
}

/// The container waits.
pub(super) fn waits(pod: &mut Value, index: usize, reason: &str, message: &str, now: Timestamp) {
    change(pod, index, |status| status["state"] = json!({"waiting": {"reason": reason, "message": message}}));
    conclude(pod, now);
}

/// Phase and conditions as they follow from the containers.
fn conclude(pod: &mut Value, now: Timestamp) {
    let statuses: Vec<Value> = list(&pod["status"]["containerStatuses"]).cloned().collect();
    let state = |status: &Value, kind: &str| status["state"][kind].is_object();
    let never_ran =
        |status: &Value| state(status, "waiting") && !status["lastState"]["terminated"].is_object();
    let ended = !statuses.is_empty() && statuses.iter().all(|status| state(status, "terminated"));
    let policy = text(&pod["spec"]["restartPolicy"]);
    let again = matches!(policy, "Always" | "") && !terminating(pod);
    let for_good = ended && !again;
    let failed = statuses.iter().any(|status| int(&status["state"]["terminated"]["exitCode"]) != 0);
    let phase = if for_good && !failed {
        "Succeeded"
    } else if for_good && (policy == "Never" || terminating(pod)) {
        "Failed"
    } else if statuses.iter().any(never_ran) {
        "Pending"
    } else {
        "Running"
    };
    set(pod, &["status", "phase"], phase.into());
    let generation = pod["metadata"]["generation"].clone();
    if !generation.is_null() {
        set(pod, &["status", "observedGeneration"], generation.clone());
    }
    let unready: Vec<&str> = statuses
        .iter()
        .filter(|status| status["ready"] != true)
        .map(|status| text(&status["name"]))
        .collect();
    let sandbox = pod["status"]["podIP"].is_string() && !for_good;
    let initialized = list(&pod["status"]["initContainerStatuses"]).all(|status| status["ready"] == true);
    let unmet = if phase == "Succeeded" {
        ("PodCompleted", String::new())
    } else {
        ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" ")))
    };
    for (kind, holds) in [
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized),
        ("ContainersReady", unready.is_empty()),
        ("Ready", unready.is_empty()),
    ] {
        let mut condition = json!({
            "type": kind, "observedGeneration": generation, "status": if holds { "True" } else { "False" },
            "lastProbeTime": null,
        });
        if !holds && kind.ends_with("Ready") {
            condition["reason"] = unmet.0.into();
            if !unmet.1.is_empty() {
                condition["message"] = unmet.1.clone().into();
            }
        }
        set_condition(pod, condition, now);
    }
}
