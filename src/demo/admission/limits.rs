//! LimitRanger: defaults for containers without resources, and bounds for containers and pods.

use serde_json::{Value, json};

use super::{Refusal, containers};
use crate::kind::Kind;
use crate::quantity::Amount;
use crate::store::Object;
use crate::value::{list, map, namespace, text};
use crate::world::World;

/// The annotation that says what was filled in.
const NOTE: &str = "kubernetes.io/limit-ranger";

/// Fills in the pod's defaults and holds it to the bounds of its namespace.
///
/// # Errors
/// Every bound that it breaks.
pub(super) fn limit(world: &World, pod: &mut Value) -> Result<(), Refusal> {
    let ranges: Vec<Object> = world.store.list(Kind::LIMIT_RANGE, Some(namespace(pod))).cloned().collect();
    for range in &ranges {
        fill(range, pod);
    }
    for range in &ranges {
        let broken: Vec<String> =
            list(&range["spec"]["limits"]).flat_map(|bounds| broken(bounds, pod)).collect();
        match broken.as_slice() {
            [] => {}
            [only] => return Err(Refusal { why: only.clone() }),
            all => return Err(Refusal { why: format!("[{}]", all.join(", ")) }),
        }
    }
    Ok(())
}

/// The default limits and requests of a range: what is not said follows from the bounds.
pub(crate) fn defaults(item: &Value) -> (Value, Value) {
    let merged = |parts: [&Value; 2]| {
        let mut all = json!({});
        for part in parts {
            for (resource, amount) in part.as_object().into_iter().flatten() {
                all[resource] = amount.clone();
            }
        }
        all
    };
    let limits = merged([&item["max"], &item["default"]]);
    let least = merged([&item["min"], &limits]);
    (limits, merged([&least, &item["defaultRequest"]]))
}

fn fill(range: &Value, pod: &mut Value) {
    let Some(item) = list(&range["spec"]["limits"]).find(|item| item["type"] == "Container") else { return };
    let (limits, requests) = defaults(item);
    let mut notes = Vec::new();
    for (field, word) in [("initContainers", "init container"), ("containers", "container")] {
        let containers = pod.get_mut("spec").and_then(|spec| spec.get_mut(field));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            let called = text(&container["name"]).to_owned();
            for (kind, singular, defaults) in
                [("requests", "request", &requests), ("limits", "limit", &limits)]
            {
                let own = map(container, &["resources", kind]);
                let mut filled = Vec::new();
                for (resource, amount) in defaults.as_object().into_iter().flatten() {
                    if !own.contains_key(resource) {
                        own.insert(resource.clone(), amount.clone());
                        filled.push(resource.as_str());
                    }
                }
                if !filled.is_empty() {
                    notes.push(format!("{} {singular} for {word} {called}", filled.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        map(pod, &["metadata", "annotations"]).insert(NOTE.into(), note.into());
    }
}

fn broken(bounds: &Value, pod: &Value) -> Vec<String> {
    let scope = text(&bounds["type"]);
    let parts: Vec<(Value, Value)> = match scope {
        "Container" => {
            let all = containers(pod).chain(list(&pod["spec"]["initContainers"]));
            all.map(|c| (c["resources"]["requests"].clone(), c["resources"]["limits"].clone())).collect()
        }
        "Pod" => vec![(sum(pod, "requests"), sum(pod, "limits"))],
        _ => return Vec::new(),
    };
    let mut faults = Vec::new();
    for (requests, limits) in &parts {
        for (bound, holds) in [("min", true), ("max", false)] {
            for (resource, amount) in bounds[bound].as_object().into_iter().flatten() {
                let outside = |own: &Value| {
                    let (own, amount) = (Amount::read(own), Amount::read(amount));
                    own.is_some_and(|own| {
                        amount.is_some_and(|amount| if holds { own < amount } else { own > amount })
                    })
                };
                let (request, limit) = (&requests[resource], &limits[resource]);
                let head = format!(
                    "{}imum {resource} usage per {scope} is {}",
                    if holds { "min" } else { "max" },
                    shown(amount)
                );
                let (asked, missing) = if holds { (request, "request") } else { (limit, "limit") };
                if asked.is_null() {
                    faults.push(format!("{head}.  No {missing} is specified"));
                } else if outside(limit) {
                    faults.push(format!("{head}, but limit is {}", shown(limit)));
                } else if outside(request) {
                    faults.push(format!("{head}, but request is {}", shown(request)));
                }
            }
        }
        for (resource, most) in bounds["maxLimitRequestRatio"].as_object().into_iter().flatten() {
            let head = format!("{resource} max limit to request ratio per {scope} is {}", shown(most));
            let of = |part: &Value| Amount::read(&part[resource]).filter(|amount| amount.nano() > 0);
            match (of(requests), of(limits)) {
                (None, _) => faults.push(format!("{head}, but no request is specified or request is 0")),
                (_, None) => faults.push(format!("{head}, but no limit is specified or limit is 0")),
                (Some(request), Some(limit)) => {
                    let ratio = limit.nano() as f64 / request.nano() as f64;
                    let most = Amount::read(most).map_or(f64::MAX, |most| most.nano() as f64 / 1e9);
                    if ratio > most {
                        faults.push(format!("{head}, but provided ratio is {ratio:.6}"));
                    }
                }
            }
        }
    }
    faults
}

fn shown(amount: &Value) -> String {
    Amount::read(amount).map_or_else(|| amount.to_string(), |amount| amount.to_string())
}

/// The sum over the containers that say something; null where none does.
fn sum(pod: &Value, kind: &str) -> Value {
    let mut total = json!({});
    for resource in ["cpu", "memory", "ephemeral-storage"] {
        let each: Vec<Amount> =
            containers(pod).filter_map(|c| Amount::read(&c["resources"][kind][resource])).collect();
        if !each.is_empty() {
            total[resource] = each.into_iter().fold(Amount::default(), Amount::plus).to_string().into();
        }
    }
    total
}
