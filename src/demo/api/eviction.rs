//! The eviction subresource of pods: a deletion that respects disruption budgets.
//!
//! As a real apiserver does it, the budget is charged before the pod is looked at: an eviction whose uid
//! does not match is answered 409 and consumes the budget nevertheless.

use serde_json::{Value, json};

use super::failure::Failure;
use super::list::found;
use super::path::Resource;
use super::reply::Reply;
use super::selector::Selector;
use super::{Request, write};
use crate::kind::Kind;
use crate::store::{Object, stamp, text};
use crate::world::World;

/// Evicts a pod.
///
/// # Errors
/// 400, 404, 409 for a failed precondition, 429 when a budget forbids it, 500 when two budgets match.
pub(super) fn create(world: &mut World, request: &Request, resource: &Resource) -> Result<Reply, Failure> {
    let body = write::json_body(request, "Eviction")?;
    if !body["kind"].is_null() && body["kind"] != "Eviction" {
        return Err(Failure::bad_request("the object provided is unrecognized (must be of type Eviction)"));
    }
    let name = resource.name.as_deref().unwrap_or_default();
    let given = text(&body, "/metadata/name");
    if !given.is_empty() && given != name {
        let message =
            format!("name in URL does not match name in Eviction object: \"{name}\" != \"{given}\"");
        return Err(Failure::bad_request(message));
    }
    let pod = found(&world.store, resource)?.clone();
    let mut deletion = write::Deletion::parse(request, &body["deleteOptions"])?;
    deletion.dry |= request.dry_run()?;
    let going = pod["metadata"].get("deletionTimestamp").is_some();
    let idle = matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed" | "Pending");
    if !going && !idle {
        charge(world, &pod, deletion.dry)?;
    }
    deletion.check(Kind::POD, name, &pod)?;
    if !deletion.dry {
        let namespace = text(&pod, "/metadata/namespace").to_owned();
        disrupted(world, &namespace, name);
        world.store.delete(Kind::POD, &namespace, name, &deletion.options);
    }
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    let reply = Reply::value(201, status);
    Ok(if deletion.dry { reply } else { reply.written() })
}

/// Takes one disruption from the budget of the pod, or refuses.
fn charge(world: &mut World, pod: &Object, dry: bool) -> Result<(), Failure> {
    let namespace = text(pod, "/metadata/namespace").to_owned();
    let guards: Vec<Object> = world
        .store
        .list(Kind::DISRUPTION_BUDGET, Some(&namespace))
        .filter(|b| {
            let selector = &b["spec"]["selector"];
            !selector.is_null() && Selector::of(selector).labels_match(&pod["metadata"]["labels"])
        })
        .cloned()
        .collect();
    let budget = match guards.as_slice() {
        [] => return Ok(()),
        [budget] => budget,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Failure::new(500, "", message));
        }
    };
    let status = &budget["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let name = text(budget, "/metadata/name");
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.any(|c| c["type"] == "Ready" && c["status"] == "True");
    if !ready {
        // the budget guards healthy pods; a sick one may go when the budget is met
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        let met = count("currentHealthy") >= count("desiredHealthy") && count("desiredHealthy") > 0;
        if always || met {
            return Ok(());
        }
    }
    if budget["metadata"]["generation"].as_i64().unwrap_or(0) > count("observedGeneration") {
        let busy = refused(format!("The disruption budget {name} is still being processed by the server."));
        return Err(busy.again_after(10));
    }
    if count("disruptionsAllowed") <= 0 {
        return Err(refused(format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            count("desiredHealthy"),
            count("currentHealthy")
        )));
    }
    if !dry {
        let now = stamp(world.store.now());
        let (left, pod) = (count("disruptionsAllowed") - 1, text(pod, "/metadata/name").to_owned());
        let budget = name.to_owned();
        world.store.update_status(Kind::DISRUPTION_BUDGET, &namespace, &budget, "kube-apiserver", |b| {
            b["status"]["disruptionsAllowed"] = left.into();
            if !b["status"]["disruptedPods"].is_object() {
                b["status"]["disruptedPods"] = json!({});
            }
            b["status"]["disruptedPods"][pod] = now.into();
        });
    }
    Ok(())
}

/// Marks the pod as the target of a disruption, as the eviction of a real apiserver does.
fn disrupted(world: &mut World, namespace: &str, name: &str) {
    let now = stamp(world.store.now());
    world.store.update_status(Kind::POD, namespace, name, "kube-apiserver", |pod| {
        if !pod["status"].is_object() {
            pod["status"] = json!({});
        }
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": now,
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        });
        match pod["status"]["conditions"].as_array_mut() {
            Some(conditions) => {
                if !conditions.iter().any(|c| c["type"] == "DisruptionTarget") {
                    conditions.push(condition);
                }
            }
            None => pod["status"]["conditions"] = Value::Array(vec![condition]),
        }
    });
}

fn refused(why: String) -> Failure {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Failure::new(429, "TooManyRequests", message)
        .because(json!([{"reason": "DisruptionBudget", "message": why}]))
}
