//! A Job made from a tenant's own pod template, that waits to be started.

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use super::{Act, Context, Performed, Telling, template};
use crate::{
    cluster::Key,
    plan::CreateJob,
    run::{
        RUN,
        evidence::Mark,
        journal::MANAGED_BY,
        perform::{Failure, Involved, Right, Writer, objects::same, version_of},
    },
};

/// The label that names the workload whose template a Job is made from.
const WORKLOAD: &str = "wheelhouse.dev/workload";

/// The path of a Job.
pub(super) fn job_path(job: &Key) -> String {
    format!("/apis/batch/v1/namespaces/{}/jobs/{}", job.namespace, job.name)
}

/// Rights on the Jobs of a namespace.
pub(super) fn job_rights(job: &Key, verbs: &[&'static str]) -> Vec<Right> {
    let namespace = job.namespace.to_string();
    let right = |verb: &&'static str| Right {
        verb,
        group: "batch",
        resource: "jobs".into(),
        namespace: namespace.clone(),
    };
    verbs.iter().map(right).collect()
}

/// A Job by the API server's own word. `None`: it is not there, or not ours to read.
pub(super) async fn look(writer: &Writer, job: &Key) -> Result<Option<Mark>, Failure> {
    match writer.read(&job_path(job)).await {
        Ok(Some(found)) => Ok(Some(Mark::Job { version: version_of(&found.object), at: writer.clock.now() })),
        Ok(None) | Err(Failure::Refused { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

impl CreateJob {
    /// The Job as it is created, from the workload as it stands.
    async fn made(&self, writer: &Writer, run: &str) -> Result<Value, Failure> {
        let Self { workload, uid, .. } = self;
        let found = writer.read(&template::path(workload)).await?;
        let found = same(found.as_ref(), uid, workload)?;
        let claims = found.object["spec"]["volumeClaimTemplates"].as_array();
        let claims: Vec<_> =
            claims.into_iter().flatten().filter_map(|c| c["metadata"]["name"].as_str()).collect();
        let template = self.template(&found.object["spec"]["template"], &claims, run);
        let template = template.map_err(|why| Failure::Drift(format!("{workload}: {why}")))?;
        let mut labels = json!({ MANAGED_BY.0: MANAGED_BY.1, RUN: run });
        labels[WORKLOAD] =
            workload.key.name.chars().take(63).collect::<String>().trim_end_matches(['-', '.', '_']).into();
        Ok(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "namespace": &*self.job.namespace, "name": &*self.job.name, "labels": labels },
            "spec": {
                "suspend": true,
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline,
                "ttlSecondsAfterFinished": self.kept,
                "template": template,
            },
        }))
    }

    /// The template of the Job's pod: one container of the tenant's, and of the pod what that one needs.
    fn template(&self, template: &Value, claims: &[&str], run: &str) -> Result<Value, String> {
        let mut spec = template["spec"].clone();
        let all = spec["containers"].as_array().cloned().unwrap_or_default();
        let own = all.into_iter().find(|c| c["name"] == *self.container);
        let mut own = own.ok_or_else(|| format!("it has no container {} any more", self.container))?;
        bare(&mut own, claims);
        own["image"] = (&*self.image).into();
        own["command"] = json!(self.command);
        if let Some(own) = own.as_object_mut() {
            own.remove("args");
        }
        let Some(fields) = spec.as_object_mut() else { return Err("its template has no pod".into()) };
        // Of the init containers those that end: a sidecar would keep the pod from ending.
        let init = fields.remove("initContainers");
        let init = init.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        let mut init: Vec<_> = init.into_iter().filter(|c| c["restartPolicy"] != "Always").collect();
        init.iter_mut().for_each(|container| bare(container, claims));
        if !init.is_empty() {
            fields.insert("initContainers".into(), init.into());
        }
        // What is about its being one of several replicas, or about its serving requests.
        for field in
            ["topologySpreadConstraints", "readinessGates", "activeDeadlineSeconds", "nodeName", "resources"]
        {
            fields.remove(field);
        }
        if let Some(affinity) = fields.get_mut("affinity").and_then(Value::as_object_mut) {
            affinity.remove("podAffinity");
            affinity.remove("podAntiAffinity");
        }
        fields.insert("containers".into(), json!([own]));
        fields.insert("restartPolicy".into(), "Never".into());
        let mut labels = json!(self.labels);
        labels[MANAGED_BY.0] = MANAGED_BY.1.into();
        labels[RUN] = run.into();
        // A restart asked for by annotation, or a mesh's sidecar, is none of a migration's.
        let kept = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        let kept = kept.into_iter().filter(|(key, _)| !key.starts_with("kubectl.kubernetes.io/"));
        let mut annotations: serde_json::Map<String, Value> = kept.collect();
        for (key, no) in [("sidecar.istio.io/inject", "false"), ("linkerd.io/inject", "disabled")] {
            annotations.insert(key.into(), no.into());
        }
        Ok(json!({ "metadata": { "labels": labels, "annotations": annotations }, "spec": spec }))
    }
}

/// A container without what belongs to serving, and without the volumes that are claims of a StatefulSet's pod.
fn bare(container: &mut Value, claims: &[&str]) {
    let Some(fields) = container.as_object_mut() else { return };
    for field in [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "ports",
        "resizePolicy",
        "restartPolicy",
    ] {
        fields.remove(field);
    }
    for mounts in ["volumeMounts", "volumeDevices"] {
        if let Some(mounts) = fields.get_mut(mounts).and_then(Value::as_array_mut) {
            mounts.retain(|mount| !claims.iter().any(|claim| mount["name"] == *claim));
        }
    }
}

impl Act for CreateJob {
    fn rights(&self) -> Vec<Right> {
        let workload = Right {
            verb: "get",
            group: "apps",
            resource: self.workload.kind.resource().into(),
            namespace: self.workload.key.namespace.to_string(),
        };
        [job_rights(&self.job, &["get", "create"]), vec![workload]].concat()
    }

    fn may(&self) -> &'static str {
        "create jobs"
    }

    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        run: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async {
            let made = self.made(writer, run).await?;
            let created = writer.create("batch/v1", "jobs", &made, true).await?;
            Ok(created.is_none().then(|| "it is there already".into()))
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let name = &self.job.name;
            let done = |wrote, text: String, object: &Value| {
                let mark = Mark::Job { version: version_of(object), at: writer.clock.now() };
                Performed { wrote, text, mark: Some(mark), kept: false }
            };
            loop {
                if let Some(found) = writer.read(&job_path(&self.job)).await? {
                    return match found.label(RUN) {
                        _ if found.is_leaving() => {
                            Err(Failure::Drift(format!("job {name} is being deleted")))
                        }
                        Some(run) if run == cx.run => {
                            Ok(done(false, "it was there already".into(), &found.object))
                        }
                        _ => Err(Failure::Drift(format!("job {name} is another job of that name"))),
                    };
                }
                let made = self.made(writer, cx.run).await?;
                if !(cx.fence)() {
                    return Err(Failure::Fenced);
                }
                // One that has appeared meanwhile is looked at.
                if let Some(stored) = writer.create("batch/v1", "jobs", &made, false).await? {
                    return Ok(done(true, "it waits to be started".into(), &stored));
                }
            }
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        look(writer, &self.job).boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let what = format!("made job {} to migrate {}", self.job.name, self.workload.key.name);
        let involved = Involved::workload(&self.workload, &self.uid);
        Some(Telling { involved, reason: "MigratedByWheelhouse", what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{WorkloadKey, WorkloadKind};

    #[test]
    fn of_the_template_is_kept_what_a_migration_needs() {
        let job = CreateJob {
            job: Key::new("acme", "acme-migrate-r"),
            workload: WorkloadKey::new(WorkloadKind::StatefulSet, "acme", "acme"),
            uid: "u".into(),
            container: "php-fpm".into(),
            image: "registry/app:2.5.0".into(),
            command: ["php", "bin/console", "migrate"].map(Into::into).into(),
            labels: [("team".to_owned(), "red".to_owned())].into(),
            deadline: 600,
            kept: 3600,
        };
        let template = json!({
            "metadata": {
                "labels": { "app": "acme", "team": "red" },
                "annotations": { "kubectl.kubernetes.io/restartedAt": "x", "vault/inject": "true" },
            },
            "spec": {
                "restartPolicy": "Always",
                "serviceAccountName": "acme",
                "imagePullSecrets": [{ "name": "registry" }],
                "securityContext": { "runAsUser": 33 },
                "nodeSelector": { "disk": "ssd" },
                "topologySpreadConstraints": [{ "maxSkew": 1 }],
                "affinity": { "podAntiAffinity": {}, "nodeAffinity": { "x": 1 } },
                "volumes": [{ "name": "cache", "emptyDir": {} }],
                "initContainers": [
                    { "name": "copy", "image": "a" },
                    { "name": "proxy", "image": "b", "restartPolicy": "Always" },
                ],
                "containers": [
                    { "name": "nginx", "image": "nginx" },
                    {
                        "name": "php-fpm",
                        "image": "registry/app:2.4.1",
                        "args": ["-F"],
                        "env": [{ "name": "A", "value": "b" }],
                        "ports": [{ "containerPort": 9000 }],
                        "livenessProbe": {}, "readinessProbe": {}, "startupProbe": {}, "lifecycle": {},
                        "securityContext": { "readOnlyRootFilesystem": true },
                        "volumeMounts": [{ "name": "cache", "mountPath": "/c" }, { "name": "data", "mountPath": "/d" }],
                    },
                ],
            },
        });
        let made = job.template(&template, &["data"], "r").expect("a template");
        assert_eq!(
            made["metadata"]["labels"],
            json!({ "team": "red", "app.kubernetes.io/managed-by": "wheelhouse", "wheelhouse.dev/run": "r" })
        );
        assert_eq!(made["metadata"]["annotations"]["vault/inject"], "true");
        assert_eq!(made["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"], Value::Null);
        let own = json!([{
            "name": "php-fpm",
            "image": "registry/app:2.5.0",
            "command": ["php", "bin/console", "migrate"],
            "env": [{ "name": "A", "value": "b" }],
            "securityContext": { "readOnlyRootFilesystem": true },
            "volumeMounts": [{ "name": "cache", "mountPath": "/c" }],
        }]);
        let spec = json!({
            "restartPolicy": "Never",
            "serviceAccountName": "acme",
            "imagePullSecrets": [{ "name": "registry" }],
            "securityContext": { "runAsUser": 33 },
            "nodeSelector": { "disk": "ssd" },
            "affinity": { "nodeAffinity": { "x": 1 } },
            "volumes": [{ "name": "cache", "emptyDir": {} }],
            "initContainers": [{ "name": "copy", "image": "a" }],
            "containers": own,
        });
        assert_eq!(made["spec"], spec);
        let gone = CreateJob { container: "fpm".into(), ..job };
        assert!(gone.template(&template, &[], "r").is_err_and(|why| why.contains("no container fpm")));
    }
}
