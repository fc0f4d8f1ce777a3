//! What the apiserver refuses as invalid (422): a selection, the rules that a cockpit or a careless user meets.

use serde_json::{Value, json};

use super::failure::{Failure, Fault};
use super::selector::Selector;
use crate::kind::Kind;
use crate::store::text;

/// Checks an object with its defaults; `before` is what it is to replace.
///
/// # Errors
/// 422 naming every field at fault.
pub fn valid(kind: &Kind, object: &Value, before: Option<&Value>) -> Result<(), Failure> {
    let mut faults = Vec::new();
    name(kind, object, &mut faults);
    keys(object, &mut faults);
    let workload = [Kind::DEPLOYMENT, Kind::REPLICA_SET, Kind::STATEFUL_SET, Kind::DAEMON_SET];
    if workload.contains(&kind) {
        workload_faults(kind, object, before, &mut faults);
    }
    match kind.index {
        i if i == Kind::POD.index => pod(object, before, &mut faults),
        i if i == Kind::JOB.index => job(object, before, &mut faults),
        i if i == Kind::NODE.index => taints(object, &mut faults),
        i if i == Kind::DISRUPTION_BUDGET.index => {
            let spec = &object["spec"];
            if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
                let why = "minAvailable and maxUnavailable cannot be both set";
                faults.push(Fault::invalid("spec", &json!("PodDisruptionBudgetSpec"), why));
            }
        }
        i if i == Kind::AUTOSCALER.index => {
            at_least(object, "spec.minReplicas", 1, &mut faults);
            let (min, max) =
                (object["spec"]["minReplicas"].as_i64().unwrap_or(1), object["spec"]["maxReplicas"].as_i64());
            match max {
                None => faults.push(Fault::required("spec.maxReplicas", "")),
                Some(max) if max < 1 => {
                    faults.push(Fault::invalid("spec.maxReplicas", &json!(max), "must be greater than 0"));
                }
                Some(max) if max < min => {
                    let why = "must be greater than or equal to `minReplicas`";
                    faults.push(Fault::invalid("spec.maxReplicas", &json!(max), why));
                }
                _ => {}
            }
        }
        i if i == Kind::LEASE.index => {
            if let Some(seconds) = object["spec"]["leaseDurationSeconds"].as_i64().filter(|s| *s <= 0) {
                faults.push(Fault::invalid(
                    "spec.leaseDurationSeconds",
                    &json!(seconds),
                    "must be greater than 0",
                ));
            }
            if let Some(count) = object["spec"]["leaseTransitions"].as_i64().filter(|s| *s < 0) {
                let why = "must be greater than or equal to 0";
                faults.push(Fault::invalid("spec.leaseTransitions", &json!(count), why));
            }
        }
        _ => {}
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(kind.group, kind.kind, text(object, "/metadata/name"), &faults))
}

/// Whether `name` is a lowercase RFC 1123 subdomain.
pub fn is_subdomain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

fn name(kind: &Kind, object: &Value, faults: &mut Vec<Fault>) {
    const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    let name = text(object, "/metadata/name");
    if name.is_empty() {
        faults.push(Fault::required("metadata.name", "name or generateName is required"));
    } else if kind.group == "rbac.authorization.k8s.io" || kind == Kind::EVENT {
        // any path segment
    } else if kind == Kind::NAMESPACE || kind == Kind::SERVICE {
        if !is_label(name) || name.len() > 63 {
            faults.push(Fault::invalid("metadata.name", &json!(name), LABEL));
        }
    } else if !is_subdomain(name) {
        faults.push(Fault::invalid("metadata.name", &json!(name), SUBDOMAIN));
    }
}

const KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn is_label_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().last())
}

fn is_label_key(key: &str) -> bool {
    match key.rsplit_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_part(name),
        None => is_label_part(key),
    }
}

fn keys(object: &Value, faults: &mut Vec<Fault>) {
    for (key, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_label_key(key) {
            faults.push(Fault::invalid("metadata.labels", &json!(key), KEY));
        }
        if !value.is_empty() && !is_label_part(value) {
            faults.push(Fault::invalid("metadata.labels", &json!(value), VALUE));
        }
    }
}

/// A fault when the number at the dotted path is below `least`.
pub fn at_least(object: &Value, field: &str, least: i64, faults: &mut Vec<Fault>) {
    let value = field.split('.').fold(object, |v, step| &v[step]);
    if value.as_i64().is_some_and(|n| n < least) {
        faults.push(Fault::invalid(field, value, &format!("must be greater than or equal to {least}")));
    }
}

fn workload_faults(kind: &Kind, object: &Value, before: Option<&Value>, faults: &mut Vec<Fault>) {
    at_least(object, "spec.replicas", 0, faults);
    let selector = &object["spec"]["selector"];
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    if selector.is_null() {
        faults.push(Fault::required("spec.selector", ""));
    } else if Selector::of(selector).is_empty() {
        let why = format!("empty selector is invalid for {}", kind.kind.to_lowercase());
        faults.push(Fault::invalid("spec.selector", selector, &why));
    } else if !Selector::of(selector).labels_match(labels) {
        let empty = json!({});
        let shown = if labels.is_null() { &empty } else { labels };
        let why = "`selector` does not match template `labels`";
        faults.push(Fault::invalid("spec.template.metadata.labels", shown, why));
    }
    if let Some(before) = before.filter(|b| b["spec"]["selector"] != *selector) {
        let _ = before;
        faults.push(Fault::invalid("spec.selector", selector, "field is immutable"));
    }
    containers(&object["spec"]["template"]["spec"], "spec.template.spec", faults);
    let policy = &object["spec"]["template"]["spec"]["restartPolicy"];
    if !policy.is_null() && policy != "Always" {
        faults.push(Fault::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

pub(super) fn containers(spec: &Value, path: &str, faults: &mut Vec<Fault>) {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        faults.push(Fault::required(format!("{path}.containers"), ""));
    }
    for (i, container) in containers.iter().enumerate() {
        let at = format!("{path}.containers[{i}]");
        let name = text(container, "/name");
        if name.is_empty() {
            faults.push(Fault::required(format!("{at}.name"), ""));
        } else if containers[..i].iter().any(|c| text(c, "/name") == name) {
            faults.push(Fault {
                field: format!("{at}.name"),
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: \"{name}\""),
            });
        }
        if text(container, "/image").is_empty() {
            faults.push(Fault::required(format!("{at}.image"), ""));
        }
    }
}

fn pod(object: &Value, before: Option<&Value>, faults: &mut Vec<Fault>) {
    containers(&object["spec"], "spec", faults);
    let Some(before) = before else { return };
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            for free in
                ["tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "schedulingGates"]
            {
                spec.remove(free);
            }
            for list in ["containers", "initContainers"] {
                let containers = spec.get_mut(list).and_then(Value::as_array_mut);
                for container in containers.into_iter().flatten() {
                    if let Some(container) = container.as_object_mut() {
                        container.remove("image");
                    }
                }
            }
        }
        spec
    };
    if fixed(before) != fixed(object) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        faults.push(Fault::forbidden("spec", why));
    }
}

fn job(object: &Value, before: Option<&Value>, faults: &mut Vec<Fault>) {
    at_least(object, "spec.parallelism", 0, faults);
    at_least(object, "spec.completions", 0, faults);
    at_least(object, "spec.backoffLimit", 0, faults);
    containers(&object["spec"]["template"]["spec"], "spec.template.spec", faults);
    let policy = &object["spec"]["template"]["spec"]["restartPolicy"];
    if policy != "Never" && policy != "OnFailure" {
        faults.push(Fault::unsupported("spec.template.spec.restartPolicy", policy, &["OnFailure", "Never"]));
    }
    if let Some(before) = before
        && before["spec"]["template"] != object["spec"]["template"]
    {
        faults.push(Fault::invalid("spec.template", &object["spec"]["template"], "field is immutable"));
    }
}

/// As `validateNodeTaints`, which looks for them under `metadata`.
fn taints(node: &Value, faults: &mut Vec<Fault>) {
    let taints = node["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, taint) in taints.iter().enumerate() {
        let at = |field: &str| format!("metadata.taints[{number}]{field}");
        let (key, value, effect) = (text(taint, "/key"), text(taint, "/value"), &taint["effect"]);
        if !is_label_key(key) {
            faults.push(Fault::invalid(at(".key"), &json!(key), KEY));
        }
        if !value.is_empty() && !is_label_part(value) {
            faults.push(Fault::invalid(at(".value"), &json!(value), VALUE));
        }
        match effect.as_str() {
            Some("NoSchedule" | "PreferNoSchedule" | "NoExecute") => {}
            None | Some("") => faults.push(Fault::required(at(".effect"), "")),
            Some(_) => faults.push(Fault::unsupported(
                at(".effect"),
                effect,
                &["NoSchedule", "PreferNoSchedule", "NoExecute"],
            )),
        }
        if taints[..number].iter().any(|other| other["key"] == taint["key"] && other["effect"] == *effect) {
            let message = format!("Duplicate value: {taint}");
            faults.push(Fault { field: at(""), reason: "FieldValueDuplicate", message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(replicas: i64) -> Value {
        json!({"metadata": {"name": "d"}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    }

    #[test]
    fn a_negative_count_is_invalid() {
        assert_eq!(valid(Kind::DEPLOYMENT, &deployment(0), None), Ok(()));
        let failure = valid(Kind::DEPLOYMENT, &deployment(-1), None).unwrap_err();
        assert_eq!(
            failure.message,
            "Deployment.apps \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
    }
}
