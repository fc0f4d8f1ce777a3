//! What the apiserver fills in when an object is created: the defaults of its fields, the initial status,
//! and what its admission plugins add to pods. After captured replies of kube-apiserver 1.36.

mod pod;

use base64::Engine;
use pod::{pod, template};
use serde_json::{Value, json};

use crate::admission;
use crate::kind::Kind;
use crate::store::text;

/// Fills in a new object. `suffix` is five random characters, for the name of a pod's token volume.
/// `metadata.uid` must be set for jobs, whose labels and selector carry it.
pub fn fill(kind: &Kind, object: &mut Value, suffix: &str) {
    if !object.is_object() {
        return;
    }
    drop_nulls(object);
    match kind.index {
        i if i == Kind::NAMESPACE.index => namespace(object),
        i if i == Kind::POD.index => pod(object, suffix),
        i if i == Kind::DEPLOYMENT.index => deployment(object),
        i if i == Kind::REPLICA_SET.index => {
            set(object, &["spec", "replicas"], json!(1));
            template(object, &["spec", "template"]);
            set(object, &["status", "replicas"], json!(0));
        }
        i if i == Kind::STATEFUL_SET.index => stateful_set(object),
        i if i == Kind::DAEMON_SET.index => daemon_set(object),
        i if i == Kind::JOB.index => job(object),
        i if i == Kind::CRON_JOB.index => cron_job(object),
        i if i == Kind::SERVICE.index => service(object),
        i if i == Kind::DISRUPTION_BUDGET.index => {
            for field in ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] {
                set(object, &["status", field], json!(0));
            }
        }
        i if i == Kind::AUTOSCALER.index => {
            set(object, &["spec", "minReplicas"], json!(1));
            set(object, &["status", "desiredReplicas"], json!(0));
            set(object, &["status", "currentMetrics"], Value::Null);
        }
        i if i == Kind::LIMIT_RANGE.index => limit_range(object),
        i if i == Kind::RESOURCE_QUOTA.index => set(object, &["status"], json!({})),
        i if i == Kind::SECRET.index => secret(object),
        i if i == Kind::EVENT.index => event(object),
        i if i == Kind::INGRESS.index => set(object, &["status", "loadBalancer"], json!({})),
        i if i == Kind::PRIORITY_CLASS.index => {
            set(object, &["preemptionPolicy"], json!("PreemptLowerPriority"));
        }
        i if i == Kind::LEASE.index => lease_times(object),
        _ => {}
    }
}

/// Rewrites the times of a lease with six digits of fraction, as the apiserver stores them.
pub fn lease_times(object: &mut Value) {
    for field in ["acquireTime", "renewTime"] {
        if let Some(time) = object.get_mut("spec").and_then(|s| s.get_mut(field))
            && let Some(at) = time.as_str().and_then(|t| t.parse().ok())
        {
            *time = crate::store::stamp_micro(at).into();
        }
    }
}

/// Removes nulls, which decoding an object drops.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn set(object: &mut Value, path: &[&str], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut at = object;
    for step in above {
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(*step).or_insert_with(|| json!({}));
    }
    if let Some(map) = at.as_object_mut() {
        map.entry(*last).or_insert(value);
    }
}

fn at<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(object, |value, step| value.get_mut(*step))
}

fn items<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn namespace(object: &mut Value) {
    let name = text(object, "/metadata/name").to_owned();
    set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name.into());
    set(object, &["spec", "finalizers"], json!(["kubernetes"]));
    set(object, &["status", "phase"], json!("Active"));
}

fn deployment(object: &mut Value) {
    set(object, &["spec", "replicas"], json!(1));
    set(object, &["spec", "strategy", "type"], json!("RollingUpdate"));
    if text(object, "/spec/strategy/type") == "RollingUpdate" {
        set(object, &["spec", "strategy", "rollingUpdate", "maxUnavailable"], json!("25%"));
        set(object, &["spec", "strategy", "rollingUpdate", "maxSurge"], json!("25%"));
    }
    set(object, &["spec", "revisionHistoryLimit"], json!(10));
    set(object, &["spec", "progressDeadlineSeconds"], json!(600));
    template(object, &["spec", "template"]);
    set(object, &["status"], json!({}));
}

fn stateful_set(object: &mut Value) {
    set(object, &["spec", "replicas"], json!(1));
    set(object, &["spec", "serviceName"], json!(""));
    set(object, &["spec", "podManagementPolicy"], json!("OrderedReady"));
    set(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
        set(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], json!(0));
    }
    set(object, &["spec", "revisionHistoryLimit"], json!(10));
    for when in ["whenDeleted", "whenScaled"] {
        set(object, &["spec", "persistentVolumeClaimRetentionPolicy", when], json!("Retain"));
    }
    template(object, &["spec", "template"]);
    set(object, &["status", "replicas"], json!(0));
    set(object, &["status", "availableReplicas"], json!(0));
}

fn daemon_set(object: &mut Value) {
    set(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
        set(object, &["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], json!(1));
        set(object, &["spec", "updateStrategy", "rollingUpdate", "maxSurge"], json!(0));
    }
    set(object, &["spec", "revisionHistoryLimit"], json!(10));
    template(object, &["spec", "template"]);
    for field in ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"] {
        set(object, &["status", field], json!(0));
    }
}

fn job(object: &mut Value) {
    let (uid, name) = (text(object, "/metadata/uid").to_owned(), text(object, "/metadata/name").to_owned());
    job_spec(object, &["spec"]);
    set(object, &["spec", "manualSelector"], json!(false));
    if object["spec"]["manualSelector"] == false {
        set(object, &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"], json!(uid));
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ] {
            set(object, &["spec", "template", "metadata", "labels", label], json!(value));
        }
        let labels = object["spec"]["template"]["metadata"]["labels"].clone();
        set(object, &["metadata", "labels"], labels);
    }
    set(object, &["status"], json!({}));
}

fn job_spec(object: &mut Value, path: &[&str]) {
    let below = |field: &'static str| -> Vec<&str> { path.iter().copied().chain([field]).collect() };
    set(object, &below("parallelism"), json!(1));
    set(object, &below("completions"), json!(1));
    set(object, &below("backoffLimit"), json!(6));
    set(object, &below("completionMode"), json!("NonIndexed"));
    set(object, &below("suspend"), json!(false));
    set(object, &below("podReplacementPolicy"), json!("TerminatingOrFailed"));
    template(object, &below("template"));
}

fn cron_job(object: &mut Value) {
    set(object, &["spec", "concurrencyPolicy"], json!("Allow"));
    set(object, &["spec", "suspend"], json!(false));
    set(object, &["spec", "successfulJobsHistoryLimit"], json!(3));
    set(object, &["spec", "failedJobsHistoryLimit"], json!(1));
    template(object, &["spec", "jobTemplate", "spec", "template"]);
    set(object, &["status"], json!({}));
}

fn service(object: &mut Value) {
    set(object, &["spec", "type"], json!("ClusterIP"));
    set(object, &["spec", "sessionAffinity"], json!("None"));
    if text(object, "/spec/type") != "ExternalName" {
        let address = cluster_ip(text(object, "/metadata/uid"));
        set(object, &["spec", "clusterIP"], json!(address));
        let address = text(object, "/spec/clusterIP").to_owned();
        set(object, &["spec", "clusterIPs"], json!([address]));
        set(object, &["spec", "ipFamilies"], json!(["IPv4"]));
        set(object, &["spec", "ipFamilyPolicy"], json!("SingleStack"));
        set(object, &["spec", "internalTrafficPolicy"], json!("Cluster"));
    }
    if let Some(spec) = object.get_mut("spec") {
        for port in items(spec, "ports") {
            set(port, &["protocol"], json!("TCP"));
            let number = port["port"].clone();
            set(port, &["targetPort"], number);
        }
    }
    set(object, &["status", "loadBalancer"], json!({}));
}

fn cluster_ip(uid: &str) -> String {
    let n = uid.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    format!("10.{}.{}.{}", 96 + (n >> 16) % 16, (n >> 8) % 256, 1 + n % 254)
}

fn limit_range(object: &mut Value) {
    for item in at(object, &["spec"]).into_iter().flat_map(|spec| items(spec, "limits")) {
        if item["type"] == "Container" {
            let (limits, requests) = admission::range_defaults(item);
            for (field, amounts) in [("default", limits), ("defaultRequest", requests)] {
                if amounts.as_object().is_some_and(|amounts| !amounts.is_empty()) {
                    item[field] = amounts;
                }
            }
        }
    }
}

fn secret(object: &mut Value) {
    set(object, &["type"], json!("Opaque"));
    let Some(plain) = object.as_object_mut().and_then(|o| o.remove("stringData")) else { return };
    set(object, &["data"], json!({}));
    let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) else { return };
    for (key, value) in plain.as_object().into_iter().flatten() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        data.insert(key.clone(), encoded.into());
    }
}

fn event(object: &mut Value) {
    set(object, &["metadata"], json!({}));
    set(object, &["involvedObject"], json!({}));
    set(object, &["source"], json!({}));
    for field in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        set(object, &[field], Value::Null);
    }
    if let Some(at) = object["eventTime"].as_str().and_then(|t| t.parse().ok()) {
        object["eventTime"] = crate::store::stamp_micro(at).into();
    }
    set(object, &["reportingComponent"], json!(""));
    set(object, &["reportingInstance"], json!(""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_what_admission_adds() {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "r/app:2", "ports": null}]}});
        fill(Kind::POD, &mut pod, "abcde");
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
        assert_eq!(pod["spec"]["volumes"][0]["name"], "kube-api-access-abcde");
        assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 2);
        assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
        let once = pod.clone();
        fill(Kind::POD, &mut pod, "fghij");
        assert_eq!(pod, once);
    }

    #[test]
    fn garbage_is_left_alone() {
        for garbage in [
            json!(1),
            json!({"spec": 3, "metadata": []}),
            json!({"spec": {"containers": {"a": 1}, "template": 7}}),
        ] {
            for kind in crate::kind::KINDS {
                fill(kind, &mut garbage.clone(), "abcde");
            }
        }
    }
}
