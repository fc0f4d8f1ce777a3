//! What stands between a new object and the store: the defaults and limits of LimitRanges, and ResourceQuotas.
//!
//! The API and the controllers ask it alike. The sentences are kube-apiserver's.

mod limits;
mod quota;

use serde_json::Value;

pub(crate) use limits::defaults as range_defaults;
pub(crate) use quota::quota;

use crate::kind::Kind;
use crate::value::{list, name, set, text};
use crate::world::World;

/// Why an object may not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The sentence of the plug-in.
    pub(crate) why: String,
}

impl Refusal {
    /// The sentence about the object.
    pub(crate) fn sentence(&self, kind: &Kind, name: &str) -> String {
        format!("{} \"{name}\" is forbidden: {}", kind.resource(), self.why)
    }
}

/// Completes a new object by the LimitRanges of its namespace, and charges the ResourceQuotas with it (a rehearsal
/// charges nothing).
///
/// # Errors
/// When a limit or a quota forbids it.
pub(crate) fn admit(world: &mut World, kind: &Kind, object: &mut Value, dry: bool) -> Result<(), Refusal> {
    if kind == Kind::POD {
        limits::limit(world, object)?;
        set(object, &["status", "qosClass"], qos_class(&object["spec"]).into());
    }
    if kind == Kind::INGRESS {
        default_class(world, object);
    }
    quota::charge(world, kind, object, dry)
}

/// Gives an Ingress without a class the default one, of several the newest. That is done once, and never by an update.
fn default_class(world: &World, object: &mut Value) {
    let annotated = object["metadata"]["annotations"]["kubernetes.io/ingress.class"].is_string();
    if annotated || object["spec"]["ingressClassName"].is_string() {
        return;
    }
    let is_default = |class: &&crate::store::Object| {
        class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] == "true"
    };
    let made = |class: &crate::store::Object| text(&class["metadata"]["creationTimestamp"]).to_owned();
    let newest = world
        .store
        .list(Kind::INGRESS_CLASS, None)
        .filter(is_default)
        .max_by(|a, b| made(a).cmp(&made(b)).then_with(|| name(b).cmp(name(a))));
    let newest = newest.map(|class| name(class).to_owned());
    if let Some(class) = newest {
        set(object, &["spec", "ingressClassName"], class.into());
    }
}

/// Holds a pod that is to be resized to the LimitRanges and ResourceQuotas of its namespace: what it takes more has to
/// fit.
///
/// # Errors
/// When a limit or a quota forbids it.
pub(crate) fn readmit(world: &World, before: &Value, after: &mut Value) -> Result<(), Refusal> {
    limits::limit(world, after)?;
    quota::more(world, before, after)
}

/// A pod's quality of service from the requests and limits of its containers.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for container in list(&spec["containers"]).chain(list(&spec["initContainers"])) {
        let resources = &container["resources"];
        for resource in ["cpu", "memory"] {
            let (request, limit) = (&resources["requests"][resource], &resources["limits"][resource]);
            any |= !request.is_null() || !limit.is_null();
            guaranteed &= !limit.is_null() && (request.is_null() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// What is limited and not requested is requested: the API's own default, before any plug-in.
pub(crate) fn request_limits(pod_spec: &mut Value) {
    for containers in ["initContainers", "containers"] {
        for container in pod_spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten() {
            let limits = container["resources"]["limits"].as_object().cloned().unwrap_or_default();
            for (resource, amount) in limits {
                if container["resources"]["requests"].get(&resource).is_none() {
                    set(container, &["resources", "requests", &resource], amount);
                }
            }
        }
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"]["containers"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_class_follows_from_all_containers() {
        let of = |containers: Value| qos_class(&json!({"containers": containers}));
        assert_eq!(of(json!([{}])), "BestEffort");
        let all = json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}});
        assert_eq!(of(json!([all])), "Guaranteed");
        assert_eq!(of(json!([all, {}])), "Burstable");
    }

    #[test]
    fn a_limit_is_requested_when_nothing_else_is() {
        let mut spec = json!({"containers": [{"resources": {"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"cpu": "10m"}}}, {}]});
        request_limits(&mut spec);
        assert_eq!(spec["containers"][0]["resources"]["requests"], json!({"cpu": "10m", "memory": "1Gi"}));
        assert_eq!(spec["containers"][1], json!({}));
    }
}
