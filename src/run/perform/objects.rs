//! Reading and writing single objects of the Kubernetes API: nodes, pods, workloads, autoscalers.

use std::fmt;

use http::Method;
use serde_json::{Value, json};

use super::{Failure, Writer};
use crate::cluster::{Key, ResourceVersion, Uid};

/// How often a write that somebody else's write overtook is tried again.
const OVERTAKEN: usize = 5;

/// An object by its path, as it stood when it was read.
pub(super) struct Found {
    path: String,
    /// The object.
    pub(super) object: Value,
}

impl Found {
    /// `metadata.uid`.
    pub(super) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// `metadata.resourceVersion`.
    fn version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// A text of it; empty where it is not there.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// It is being deleted.
    pub(super) fn is_leaving(&self) -> bool {
        self.object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
    }

    /// A label of it.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.object["metadata"]["labels"][name].as_str()
    }

    /// An annotation of it.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.object["metadata"]["annotations"][name].as_str()
    }

    /// The controller that owns it, by name.
    pub(super) fn owner(&self) -> Option<&str> {
        let owners = self.object["metadata"]["ownerReferences"].as_array()?;
        owners.iter().find(|o| o["controller"] == true).and_then(|o| o["name"].as_str())
    }

    /// The condition `Ready` is true.
    pub(super) fn is_ready(&self) -> bool {
        let conditions = self.object["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    }
}

/// The object that was planned with, by its uid.
pub(super) fn same<'a>(
    found: Option<&'a Found>,
    uid: &Uid,
    what: impl fmt::Display,
) -> Result<&'a Found, Failure> {
    match found {
        None => Err(Failure::Drift(format!("{what} is gone"))),
        Some(found) if found.uid() != uid.as_str() => {
            Err(Failure::Drift(format!("{what} was deleted and created again")))
        }
        Some(found) => Ok(found),
    }
}

/// What is to be done with an object that was read.
pub(super) enum Next {
    /// Nothing: the sentence says why.
    Stands(String),
    /// Merge this into it, and say this.
    Merge(Value, String),
    /// Merge this into it by a subresource of it (`/resize`), and say this.
    MergeBy(&'static str, Value, String),
    /// Delete it, and say this.
    Delete(String),
}

/// `metadata.resourceVersion` of an object as the API server told it.
pub(in crate::run) fn version_of(object: &Value) -> ResourceVersion {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().into()
}

/// The path of a pod.
pub(super) fn pod_path(pod: &Key) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name)
}

impl Writer {
    /// Reads an object. `None`: there is none.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Found>, Failure> {
        let found = self.find::<Value>(path).await?;
        Ok(found.map(|object| Found { path: path.to_owned(), object }))
    }

    /// Reads an object and does what `decide` says of it: only of that very version, and only if the fence holds right
    /// before; again where it was overtaken. Returns whether something was written, what was said, and the object as it
    /// stands then (none after a deletion, or where there was none).
    pub(super) async fn change(
        &self,
        path: &str,
        dry: bool,
        fence: &(dyn Fn() -> bool + Sync),
        decide: impl Fn(Option<&Found>) -> Result<Next, Failure>,
    ) -> Result<(bool, String, Option<Value>), Failure> {
        let dry = if dry { "dryRun=All&" } else { "" };
        for _ in 0..OVERTAKEN {
            let found = self.read(path).await?;
            let next = decide(found.as_ref())?;
            let Some(found) = found else {
                let Next::Stands(text) = next else { return Err(Failure::Drift(format!("{path} is gone"))) };
                return Ok((false, text, None));
            };
            if let Next::Stands(text) = next {
                return Ok((false, text, Some(found.object)));
            }
            if !fence() {
                return Err(Failure::Fenced);
            }
            let (uid, version) = (found.uid(), found.version());
            let (written, text) = match next {
                Next::Stands(_) => continue,
                Next::Merge(patch, text) => (self.merge(&found, "", patch, dry).await, text),
                Next::MergeBy(by, patch, text) => (self.merge(&found, by, patch, dry).await, text),
                Next::Delete(text) => {
                    let options = json!({
                        "apiVersion": "v1",
                        "kind": "DeleteOptions",
                        "preconditions": { "uid": uid, "resourceVersion": version },
                        "propagationPolicy": "Background",
                    });
                    let path = match dry {
                        "" => found.path.clone(),
                        _ => format!("{}?dryRun=All", found.path),
                    };
                    match self.write::<Value>(Method::DELETE, &path, &options).await {
                        Err(failure) if failure.is_missing() => (Ok(None), text),
                        other => (other.map(|_| None), text),
                    }
                }
            };
            match written {
                Ok(object) => return Ok((true, text, object)),
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Drift(format!("{path} was changed by others {OVERTAKEN} times in a row")))
    }

    /// Merges a patch into that very version of an object, by a subresource (`/resize`) or by none.
    async fn merge(
        &self,
        found: &Found,
        by: &str,
        mut patch: Value,
        dry: &str,
    ) -> Result<Option<Value>, Failure> {
        patch["metadata"]["uid"] = found.uid().into();
        patch["metadata"]["resourceVersion"] = found.version().into();
        let path = format!("{}{by}?{dry}fieldManager=wheelhouse", found.path);
        self.write(Method::PATCH, &path, &patch).await.map(Some)
    }

    /// Creates a pod. `None`: one of that name is there already.
    pub(super) async fn create_pod(&self, pod: &Value, dry: bool) -> Result<Option<Value>, Failure> {
        self.create("v1", "pods", pod, dry).await
    }

    /// Creates an object of a group and version (`batch/v1`; the core is `v1`). `None`: one of that name is there already.
    pub(super) async fn create(
        &self,
        api: &str,
        plural: &str,
        object: &Value,
        dry: bool,
    ) -> Result<Option<Value>, Failure> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let root = if api.contains('/') { "apis" } else { "api" };
        let dry = if dry { "dryRun=All&" } else { "" };
        let path = format!("/{root}/{api}/namespaces/{namespace}/{plural}?{dry}fieldManager=wheelhouse");
        match self.write::<Value>(Method::POST, &path, object).await {
            Ok(stored) => Ok(Some(stored)),
            Err(failure) if failure.is_conflict() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Evicts a pod of that very uid. False: it is gone already. One for a wrong uid would be refused and use up its
    /// budget all the same, so the uid is compared before.
    pub(super) async fn evict(
        &self,
        pod: &Key,
        uid: &Uid,
        dry: bool,
        fence: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Failure> {
        let path = pod_path(pod);
        match self.read(&path).await? {
            Some(found) if found.uid() == uid.as_str() && !found.is_leaving() => {}
            _ => return Ok(false),
        }
        if !fence() {
            return Err(Failure::Fenced);
        }
        let mut options = json!({ "preconditions": { "uid": uid.as_str() } });
        if dry {
            options["dryRun"] = json!(["All"]);
        }
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": { "name": &*pod.name, "namespace": &*pod.namespace },
            "deleteOptions": options,
        });
        match self.write::<Value>(Method::POST, &format!("{path}/eviction"), &eviction).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_missing() || failure.is_conflict() => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
