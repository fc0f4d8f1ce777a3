//! Resources that are in force, where a pod's spec only wishes for them (in-place resize).

use std::sync::Arc;

use jiff::Timestamp;

use super::{Fault, Interner, amounts, resources};
use crate::{
    cluster::{Amounts, PodSpec, Resources},
    live::slim::{self, Quantities},
};

/// The spec with what is in force in place of what is wished; `None`: that is the same.
///
/// Limits are those the kubelet reports (`status.containerStatuses[].resources`). Requests are what the scheduler
/// reserves: the largest of what is wished, allocated and in force; a wish that no node grants counts for nothing.
/// Source: `k8s.io/component-helpers/resource` `determineContainerReqs`, `determineContainerLimits`.
pub(super) fn in_force(wished: &PodSpec, status: &slim::PodStatus) -> Result<Option<PodSpec>, Fault> {
    let infeasible = reason(status).is_some_and(|(reason, _)| reason == "Infeasible");
    let mut granted = None;
    let all = status.container_statuses.iter().chain(&status.init_container_statuses);
    for told in all {
        let own = |spec: &PodSpec| {
            let main = spec.containers.iter().position(|c| *c.name == *told.name).map(|i| (true, i));
            let sidecar = || spec.init_containers.iter().position(|c| c.sidecar && *c.name == *told.name);
            main.or_else(|| sidecar().map(|i| (false, i)))
        };
        let Some((main, i)) = own(wished) else { continue };
        let container = if main { &wished.containers[i] } else { &wished.init_containers[i] };
        let force = of(&container.resources, told.resources.as_ref(), &told.allocated_resources, infeasible)
            .map_err(|e| format!("status of container {}: {e}", told.name))?;
        if let Some(force) = force {
            let granted = granted.get_or_insert_with(|| wished.clone());
            let list = if main { &mut granted.containers } else { &mut granted.init_containers };
            list[i].resources = force;
        }
    }
    if let Some(whole) = &wished.resources
        && let Some(force) = of(whole, status.resources.as_ref(), &status.allocated_resources, infeasible)?
    {
        granted.get_or_insert_with(|| wished.clone()).resources = Some(Box::new(force));
    }
    Ok(granted)
}

/// What is in force of one container or of the whole pod, where it differs from what is wished.
fn of(
    wished: &Resources,
    told: Option<&slim::Resources>,
    allocated: &Quantities,
    infeasible: bool,
) -> Result<Option<Resources>, Fault> {
    let Some(told) = told.filter(|t| !t.requests.is_empty() || !t.limits.is_empty()) else { return Ok(None) };
    let mut force = resources(told)?;
    force.requests = larger(force.requests, amounts(allocated)?);
    if !infeasible {
        force.requests = larger(force.requests, wished.requests.clone());
    }
    // Only processor and memory are ever changed in place.
    force.limits.other = wished.limits.other.clone();
    force.requests.other = wished.requests.other.clone();
    Ok((force != *wished).then_some(force))
}

fn larger(a: Amounts, b: Amounts) -> Amounts {
    Amounts { cpu: a.cpu.max(b.cpu), memory: a.memory.max(b.memory), other: a.other }
}

/// Reason, message and beginning of a change that is not in force yet.
pub(super) type Pending = (Arc<str>, Option<Arc<str>>, Option<Timestamp>);

/// A change of resources that is not in force yet.
pub(super) fn pending(status: &slim::PodStatus, interner: &mut Interner) -> Option<Pending> {
    let (reason, condition) = reason(status)?;
    let message = condition.and_then(|c| super::given(&c.message, interner));
    Some((interner.text(reason), message, condition.and_then(|c| c.last_transition_time)))
}

/// Its reason: a condition since 1.33, `status.resize` before.
fn reason(status: &slim::PodStatus) -> Option<(&str, Option<&slim::Condition>)> {
    let holds = |kind: &str| status.conditions.iter().find(|c| c.r#type == kind && c.status == "True");
    let condition = holds("PodResizePending").or_else(|| holds("PodResizeInProgress"));
    match condition {
        Some(c) if !c.reason.is_empty() => Some((&c.reason, condition)),
        Some(_) => Some(("InProgress", condition)),
        None if status.resize.is_empty() => None,
        None => Some((&status.resize, None)),
    }
}
