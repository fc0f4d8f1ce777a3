//! The `resize` subresource of pods: requests and limits of containers that run. What else a request says is passed
//! over.

use serde_json::{Value, json};

use super::failure::{Failure, Fault};
use super::validate;
use crate::admission;
use crate::kind::Kind;
use crate::quantity::Amount;
use crate::store::text;
use crate::value::{list, name};
use crate::world::World;

/// The resources that are ever changed in place.
const MUTABLE: [&str; 2] = ["cpu", "memory"];

/// The pod with the resources of another, as the subresource takes them.
///
/// # Errors
/// 422 with what is at fault, 403 where a LimitRange or a quota forbids it.
pub(super) fn resized(world: &World, before: &Value, wanted: &Value) -> Result<Value, Failure> {
    let called = name(before).to_owned();
    let refuse = |faults: &[Fault]| Failure::invalid("", Kind::POD.kind, &called, faults);
    let mut faults = Vec::new();
    validate::containers(&wanted["spec"], "spec", &mut faults);
    let names = |pod: &Value| -> Vec<String> {
        list(&pod["spec"]["containers"]).map(|c| text(c, "/name").to_owned()).collect()
    };
    let same = |a: &Value, b: &Value| {
        let (mut a, mut b) = (names(a), names(b));
        a.sort();
        b.sort();
        a == b
    };
    if !same(before, wanted) {
        let why = "containers may not be added or removed on resize";
        faults.push(Fault::forbidden("spec.containers", why));
    }
    for (index, container) in list(&wanted["spec"]["containers"]).enumerate() {
        amounts(container, index, &mut faults);
    }
    if !faults.is_empty() {
        return Err(refuse(&faults));
    }
    if !before["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null() {
        return Err(refuse(&[Fault::forbidden("[]", "static pods cannot be resized")]));
    }
    let untold = |status: &Value| status["state"]["running"].is_object() && status["resources"].is_null();
    if list(&before["status"]["containerStatuses"]).any(untold) {
        let why = "Pod running on node without support for resize";
        return Err(refuse(&[Fault::forbidden("spec", why)]));
    }
    let mut after = before.clone();
    if let Some(containers) = after["spec"]["containers"].as_array_mut() {
        for container in containers {
            let own = list(&wanted["spec"]["containers"]).find(|c| c["name"] == container["name"]);
            let Some(own) = own else { continue };
            container["resources"] = own["resources"].clone();
        }
    }
    admission::request_limits(&mut after["spec"]);
    let class = admission::qos_class(&before["spec"]);
    if class != admission::qos_class(&after["spec"]) {
        let why = "Pod QOS Class may not change as a result of resizing";
        return Err(refuse(&[Fault::invalid("spec", &json!(class), why)]));
    }
    let pairs = list(&before["spec"]["containers"]).zip(list(&after["spec"]["containers"]));
    for (index, (was, is)) in pairs.enumerate() {
        fixed(&was["resources"], &is["resources"], index, &mut faults);
    }
    if !faults.is_empty() {
        return Err(refuse(&faults));
    }
    admission::readmit(world, before, &mut after)
        .map_err(|refusal| Failure::forbidden(Kind::POD, &called, &refusal.why))?;
    Ok(after)
}

/// Amounts are not negative, and no request is above its limit.
fn amounts(container: &Value, index: usize, faults: &mut Vec<Fault>) {
    let at = format!("spec.containers[{index}].resources");
    let resources = &container["resources"];
    for part in ["limits", "requests"] {
        for (resource, amount) in resources[part].as_object().into_iter().flatten() {
            if Amount::read(amount).is_some_and(|amount| amount.nano() < 0) {
                let why = "must be greater than or equal to 0";
                faults.push(Fault::invalid(format!("{at}.{part}[{resource}]"), amount, why));
            }
        }
    }
    for (resource, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][resource];
        let above = Amount::read(request).zip(Amount::read(limit)).is_some_and(|(r, l)| r.nano() > l.nano());
        if above {
            let limit = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
            let why = format!("must be less than or equal to {resource} limit of {limit}");
            faults.push(Fault::invalid(format!("{at}.requests"), request, &why));
        }
    }
}

/// Nothing that was given is taken away, and only processor and memory change.
fn fixed(was: &Value, is: &Value, index: usize, faults: &mut Vec<Fault>) {
    for (part, word) in [("requests", "requests"), ("limits", "limits")] {
        let gone = |resource: &String| is[part].get(resource).is_none_or(Value::is_null);
        if was[part].as_object().into_iter().flatten().any(|(resource, _)| gone(resource)) {
            let at = format!("spec.containers[{index}].resources.{part}");
            faults.push(Fault::forbidden(at, &format!("resource {word} cannot be removed")));
        }
        let all = is[part].as_object().into_iter().flatten();
        let other = |(resource, amount): (&String, &Value)| {
            !MUTABLE.contains(&resource.as_str()) && was[part].get(resource) != Some(amount)
        };
        if faults.is_empty() && all.into_iter().any(other) {
            faults.push(Fault::forbidden("spec", "only cpu and memory resources are mutable"));
        }
    }
}
