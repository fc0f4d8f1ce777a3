//! Pods as the controllers create them, and what the workload controllers count of them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::admission;
use crate::kind::Kind;
use crate::store::{DeleteOptions, Object};
use crate::value::{condition, int, is_ready, map, name, namespace, reference, set, text, time};
use crate::world::{Source, Work, World};

/// A pod of this template owned by `owner`, completed as the API's admission completes it. `key` decides the name of
/// its token volume.
pub(crate) fn pod_from_template(owner: &Value, template: &Value, key: &str) -> Value {
    let mut pod = json!({
        "metadata": {"namespace": owner["metadata"]["namespace"], "ownerReferences": [reference(owner)]},
        "spec": template["spec"],
        "status": {"phase": "Pending", "qosClass": admission::qos_class(&template["spec"])},
    });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            set(&mut pod, &["metadata", field], template["metadata"][field].clone());
        }
    }
    let spec = map(&mut pod, &["spec"]);
    for (field, default) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("serviceAccountName", json!("default")),
        ("securityContext", json!({})),
        ("schedulerName", json!("default-scheduler")),
        ("priority", json!(0)),
        ("enableServiceLinks", json!(true)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
    ] {
        spec.entry(field).or_insert(default);
    }
    let account = spec["serviceAccountName"].clone();
    spec.entry("serviceAccount").or_insert(account);
    tolerate(spec.entry("tolerations").or_insert_with(|| json!([])));
    let token = format!(
        "kube-api-access-{}",
        crate::value::safe(&format!("{:05}", crate::value::hash(&[key]) % 100_000))
    );
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.push(json!({"name": token, "projected": {"sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ], "defaultMode": 420}}));
    }
    let mount = json!({"name": token, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    for containers in ["containers", "initContainers"] {
        for container in spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = map(container, &[]).entry("volumeMounts").or_insert_with(|| json!([]));
            if let Some(mounts) = mounts.as_array_mut() {
                mounts.push(mount.clone());
            }
        }
    }
    admission::request_limits(&mut pod["spec"]);
    pod
}

/// The two tolerations of 300 s that the DefaultTolerationSeconds admission adds.
fn tolerate(tolerations: &mut Value) {
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let has = tolerations.iter().any(|toleration| {
            (toleration["key"] == key || text(&toleration["key"]).is_empty())
                && matches!(text(&toleration["effect"]), "" | "NoExecute")
        });
        if !has {
            tolerations.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
}

impl World {
    /// Creates a pod for its controller and says so. When admission refuses it, `work` is done again after a wait that
    /// doubles with each refusal.
    ///
    /// # Errors
    /// What admission says.
    pub(super) fn create_pod(&mut self, owner: &Value, mut pod: Value, work: Work) -> Result<Object, String> {
        if text(&pod["metadata"]["name"]).is_empty() {
            let called = format!("{}{}", text(&pod["metadata"]["generateName"]), self.store.new_suffix());
            set(&mut pod, &["metadata", "name"], called.into());
        }
        let ordinal = owner["kind"] == "StatefulSet";
        if let Err(refusal) = admission::admit(self, Kind::POD, &mut pod, false) {
            let why = refusal.sentence(Kind::POD, name(&pod));
            let told = if ordinal {
                format!("create Pod {} in StatefulSet {} failed error: {why}", name(&pod), name(owner))
            } else {
                format!("Error creating: {why}")
            };
            self.event(owner, Source::warning(component(owner)), "FailedCreate", &told);
            self.refused(work);
            return Err(why);
        }
        self.accepted(&work);
        let pod = self.store.insert(Kind::POD, pod);
        let told = if ordinal {
            format!("create Pod {} in StatefulSet {} successful", name(&pod), name(owner))
        } else {
            format!("Created pod: {}", name(&pod))
        };
        self.event(owner, Source::normal(component(owner)), "SuccessfulCreate", &told);
        Ok(pod)
    }

    /// Deletes a pod for its controller and says so.
    pub(super) fn delete_pod(&mut self, owner: &Value, pod: &Value) {
        self.store.delete(Kind::POD, namespace(pod), name(pod), &DeleteOptions::default());
        let told = if owner["kind"] == "StatefulSet" {
            format!("delete Pod {} in StatefulSet {} successful", name(pod), name(owner))
        } else {
            format!("Deleted pod: {}", name(pod))
        };
        self.event(owner, Source::normal(component(owner)), "SuccessfulDelete", &told);
    }
}

fn component(owner: &Value) -> &'static str {
    match text(&owner["kind"]) {
        "ReplicaSet" => "replicaset-controller",
        "StatefulSet" => "statefulset-controller",
        "DaemonSet" => "daemonset-controller",
        "Job" => "job-controller",
        _ => super::MANAGER,
    }
}

/// Since when the pod is Ready.
pub(super) fn ready_since(pod: &Value) -> Option<Timestamp> {
    condition(pod, "Ready")
        .filter(|ready| ready["status"] == "True")
        .and_then(|ready| time(&ready["lastTransitionTime"]))
}

/// When the pod becomes (or became) available: Ready for `minReadySeconds`. None while it is not Ready.
pub(super) fn available_at(pod: &Value, owner: &Value) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    let least = int(&owner["spec"]["minReadySeconds"]).max(0);
    let since = ready_since(pod)?;
    since.checked_add(SignedDuration::from_secs(least)).ok()
}
