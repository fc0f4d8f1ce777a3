//! The HorizontalPodAutoscaler controller: every 15 s it puts the replica count where CPU use says, within bounds.

mod behavior;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::MANAGER;
use crate::kind::Kind;
use crate::labels::{Selector, strings};
use crate::quantity::milli_cpu;
use crate::store::{Object, stamp};
use crate::usage;
use crate::value::{condition, int, is_active, is_ready, list, name, namespace, set_condition, text};
use crate::world::{Source, Wake, World};

/// `--horizontal-pod-autoscaler-sync-period`.
const PERIOD: SignedDuration = SignedDuration::from_secs(15);
/// `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;

/// One sync of all autoscalers; the next is put on the agenda.
pub(crate) fn autoscale(world: &mut World) {
    let all: Vec<Object> = world.store.list(Kind::AUTOSCALER, None).cloned().collect();
    for autoscaler in all {
        sync(world, &autoscaler);
    }
    world.after(PERIOD, Wake::Autoscale);
}

fn sync(world: &mut World, autoscaler: &Value) {
    let (space, called) = (namespace(autoscaler), name(autoscaler));
    let spec = &autoscaler["spec"];
    let target = &spec["scaleTargetRef"];
    let Some(kind) =
        Kind::of(text(&target["apiVersion"]), text(&target["kind"])).filter(|kind| kind.has("scale"))
    else {
        return;
    };
    let now = world.now();
    let Some(scaled) = world.store.get(kind, space, text(&target["name"])).cloned() else {
        let message = format!(
            "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
            kind.resource(),
            text(&target["name"])
        );
        world.store.update_status(Kind::AUTOSCALER, space, called, MANAGER, |autoscaler| {
            put(autoscaler, "AbleToScale", "False", "FailedGetScale", &message, now);
        });
        return;
    };
    let current = scaled["spec"]["replicas"].as_i64().unwrap_or(1);
    let least = spec["minReplicas"].as_i64().unwrap_or(1).max(0);
    let most = int(&spec["maxReplicas"]).max(1);
    let mut metrics = Value::Null;
    let mut limited = None;
    let desired = if current == 0 && least != 0 {
        0
    } else if current > most {
        most
    } else if current < least {
        least
    } else {
        let (recommended, seen) = recommend(world, autoscaler, &scaled, current);
        metrics = seen;
        let memory = world.autoscalers.entry(text(&autoscaler["metadata"]["uid"]).to_owned()).or_default();
        let stable = behavior::allowed(autoscaler, memory, current, recommended, now);
        if stable > most {
            limited =
                Some(("TooManyReplicas", "the desired replica count is more than the maximum replica count"));
        } else if stable < least {
            limited =
                Some(("TooFewReplicas", "the desired replica count is less than the minimum replica count"));
        }
        stable.clamp(least, most)
    };
    if desired != current {
        let memory = world.autoscalers.entry(text(&autoscaler["metadata"]["uid"]).to_owned()).or_default();
        memory.changed.push((now, desired - current));
        world.store.write(
            kind,
            space,
            name(&scaled),
            &crate::fields::Manager::update(MANAGER).through("scale"),
            |object| crate::value::set(object, &["spec", "replicas"], desired.into()),
        );
        let reason = if current > most {
            "Current number of replicas above Spec.MaxReplicas"
        } else if current < least {
            "Current number of replicas below Spec.MinReplicas"
        } else if desired > current {
            "cpu resource utilization (percentage of request) above target"
        } else {
            "All metrics below target"
        };
        let message = format!("New size: {desired}; reason: {reason}");
        world.event(autoscaler, Source::normal("horizontal-pod-autoscaler"), "SuccessfulRescale", &message);
    }
    let disabled = current == 0 && least != 0;
    world.store.update_status(Kind::AUTOSCALER, space, called, MANAGER, |autoscaler| {
        let (able, message) = if desired == current {
            ("ReadyForNewScale", "recommended size matches current size".to_owned())
        } else {
            ("SucceededRescale", format!("the HPA controller was able to update the target scale to {desired}"))
        };
        put(autoscaler, "AbleToScale", "True", able, &message, now);
        if disabled {
            let message = "scaling is disabled since the replica count of the target is zero";
            put(autoscaler, "ScalingActive", "False", "ScalingDisabled", message, now);
        } else {
            let message = "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)";
            put(autoscaler, "ScalingActive", "True", "ValidMetricFound", message, now);
        }
        let (status, reason, message) = match limited {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", "DesiredWithinRange", "the desired count is within the acceptable range"),
        };
        put(autoscaler, "ScalingLimited", status, reason, message, now);
        let status = crate::value::map(autoscaler, &["status"]);
        status.insert("currentReplicas".to_owned(), current.into());
        status.insert("desiredReplicas".to_owned(), desired.into());
        if !metrics.is_null() || !status.contains_key("currentMetrics") {
            status.insert("currentMetrics".to_owned(), metrics.clone());
        }
        if desired != current {
            status.insert("lastScaleTime".to_owned(), stamp(now).into());
        }
    });
}

fn put(autoscaler: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) {
    let same = condition(autoscaler, kind)
        .is_some_and(|old| old["status"] == status && old["reason"] == reason && old["message"] == message);
    if !same {
        set_condition(
            autoscaler,
            json!({"type": kind, "status": status, "reason": reason, "message": message}),
            now,
        );
    }
}

/// Replicas by the use of CPU of the ready pods against their requests, and the metric as the status shows it.
fn recommend(world: &World, autoscaler: &Value, scaled: &Value, current: i64) -> (i64, Value) {
    let target = list(&autoscaler["spec"]["metrics"])
        .find(|metric| metric["resource"]["name"] == "cpu")
        .map(|metric| int(&metric["resource"]["target"]["averageUtilization"]))
        .filter(|percent| *percent > 0);
    let Some(target) = target else { return (current, Value::Null) };
    let selector = Selector::read(&scaled["spec"]["selector"]);
    let pods: Vec<&Object> = world
        .store
        .list(Kind::POD, Some(namespace(scaled)))
        .filter(|pod| {
            is_active(pod) && is_ready(pod) && selector.matches(&strings(&pod["metadata"]["labels"]))
        })
        .collect();
    let requested: i64 = pods
        .iter()
        .flat_map(|pod| list(&pod["spec"]["containers"]))
        .map(|container| milli_cpu(&container["resources"]["requests"]["cpu"]))
        .sum();
    if requested == 0 {
        return (current, Value::Null);
    }
    let used: f64 = pods.iter().map(|pod| usage::pod_cpu(world, pod)).sum();
    let percent = (used * 100.0 / requested as f64).round() as i64;
    let average = (used / pods.len() as f64).round() as i64;
    let metric = json!([{"type": "Resource", "resource": {"name": "cpu",
        "current": {"averageUtilization": percent, "averageValue": format!("{average}m")}}}]);
    let ratio = percent as f64 / target as f64;
    let ready = pods.len() as f64;
    let missing = current - pods.len() as i64;
    let recommended = if (ratio - 1.0).abs() <= TOLERANCE {
        current
    } else {
        let wanted = (ready * ratio).ceil() as i64;
        // Pods that are not ready count as idle upwards and as fully used downwards: they damp, never reverse.
        if ratio > 1.0 {
            wanted.max(current.min(pods.len() as i64 + missing.max(0)))
        } else {
            wanted + missing.max(0)
        }
    };
    (recommended, metric)
}
