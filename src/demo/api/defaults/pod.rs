//! The defaults of pods and of the templates they are made of, and what admission adds to pods.

use serde_json::{Value, json};

use super::{at, items, set};
use crate::admission;
use crate::store::text;

pub(super) fn template(object: &mut Value, path: &[&str]) {
    let spec: Vec<&str> = path.iter().copied().chain(["spec"]).collect();
    if at(object, path).is_none() {
        return;
    }
    set(object, &spec, json!({}));
    if let Some(spec) = at(object, &spec) {
        pod_spec(spec);
    }
}

pub(super) fn pod(object: &mut Value, suffix: &str) {
    set(object, &["spec"], json!({}));
    let Some(spec) = object.get_mut("spec") else { return };
    pod_spec(spec);
    set(spec, &["serviceAccountName"], json!("default"));
    let account = spec["serviceAccountName"].clone();
    set(spec, &["serviceAccount"], account);
    set(spec, &["priority"], json!(0));
    set(spec, &["enableServiceLinks"], json!(true));
    set(spec, &["preemptionPolicy"], json!("PreemptLowerPriority"));
    token_volume(spec, suffix);
    default_tolerations(spec);
    admission::request_limits(spec);
    let qos = admission::qos_class(spec);
    set(object, &["status", "phase"], json!("Pending"));
    set(object, &["status", "qosClass"], json!(qos));
}

fn pod_spec(spec: &mut Value) {
    set(spec, &["restartPolicy"], json!("Always"));
    set(spec, &["terminationGracePeriodSeconds"], json!(30));
    set(spec, &["dnsPolicy"], json!("ClusterFirst"));
    set(spec, &["securityContext"], json!({}));
    set(spec, &["schedulerName"], json!("default-scheduler"));
    for field in ["initContainers", "containers"] {
        for container in items(spec, field) {
            let latest = {
                let image = text(container, "/image");
                let tag = image.rsplit('/').next().unwrap_or_default();
                !image.contains('@') && (!tag.contains(':') || tag.ends_with(":latest"))
            };
            set(container, &["resources"], json!({}));
            set(container, &["terminationMessagePath"], json!("/dev/termination-log"));
            set(container, &["terminationMessagePolicy"], json!("File"));
            set(container, &["imagePullPolicy"], json!(if latest { "Always" } else { "IfNotPresent" }));
            for port in items(container, "ports") {
                set(port, &["protocol"], json!("TCP"));
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                if let Some(probe) = container.get_mut(probe) {
                    self::probe(probe);
                }
            }
        }
    }
    for volume in items(spec, "volumes") {
        for source in ["configMap", "secret", "projected"] {
            if volume.get(source).is_some_and(Value::is_object) {
                set(volume, &[source, "defaultMode"], json!(420));
            }
        }
    }
}

fn probe(probe: &mut Value) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        set(probe, &[field], json!(value));
    }
    if probe.get("httpGet").is_some() {
        set(probe, &["httpGet", "scheme"], json!("HTTP"));
        set(probe, &["httpGet", "path"], json!("/"));
    }
}

fn token_volume(spec: &mut Value, suffix: &str) {
    const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    if spec["automountServiceAccountToken"] == false {
        return;
    }
    set(spec, &["volumes"], json!([]));
    let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) else { return };
    if volumes.iter().any(|v| text(v, "/name").starts_with("kube-api-access-")) {
        return;
    }
    let name = format!("kube-api-access-{suffix}");
    volumes.push(json!({
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{
                    "path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                }]}},
            ],
            "defaultMode": 420,
        },
    }));
    for field in ["initContainers", "containers"] {
        for container in items(spec, field) {
            set(container, &["volumeMounts"], json!([]));
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut)
                && !mounts.iter().any(|m| m["mountPath"] == MOUNT)
            {
                mounts.push(json!({"name": name, "readOnly": true, "mountPath": MOUNT}));
            }
        }
    }
}

fn default_tolerations(spec: &mut Value) {
    set(spec, &["tolerations"], json!([]));
    let Some(tolerations) = spec.get_mut("tolerations").and_then(Value::as_array_mut) else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|t| t["key"] == key || t["key"].is_null() && t["operator"] == "Exists") {
            tolerations.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
}
