//! Writes to the Kubernetes API: scales, Events, leases, journals, and the questions that go with them.

use std::collections::BTreeSet;

use http::Method;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        autoscaling::v1::Scale,
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, EventSource, ObjectReference},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Failure, Writer, body};
use crate::cluster::{Key, NodeName, ResourceVersion, Uid, WorkloadKey};

/// How often a scale write that somebody else's write overtook is tried again.
const OVERTAKEN: usize = 5;
/// The name we write under, in `managedFields` and as the source of Events.
const WE: &str = "wheelhouse";

/// What became of a scale write.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::run) struct Scaled {
    /// The workload's `resourceVersion` with it: an observation before this one is no evidence.
    pub(in crate::run) version: ResourceVersion,
    /// It was written just now; otherwise it stood already.
    pub(in crate::run) wrote: bool,
}

/// A right, as RBAC spells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) struct Right {
    /// `get`, `update` ...
    pub(in crate::run) verb: &'static str,
    /// API group, empty for the core.
    pub(in crate::run) group: &'static str,
    /// `deployments/scale` ...
    pub(in crate::run) resource: String,
    /// Where; empty for cluster-wide.
    pub(in crate::run) namespace: String,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.namespace.is_empty() {
            write!(f, " in namespace {}", self.namespace)?;
        }
        Ok(())
    }
}

/// The object a Kubernetes Event is about.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::run) struct Involved {
    api_version: &'static str,
    kind: &'static str,
    /// Where the Event is stored; that of a cluster-wide object is `default`.
    namespace: String,
    name: String,
    uid: String,
}

impl Involved {
    /// A workload.
    pub(in crate::run) fn workload(key: &WorkloadKey, uid: &Uid) -> Self {
        Self {
            api_version: "apps/v1",
            kind: key.kind.name(),
            namespace: key.key.namespace.to_string(),
            name: key.key.name.to_string(),
            uid: uid.to_string(),
        }
    }

    /// A pod.
    pub(in crate::run) fn pod(key: &Key, uid: &Uid) -> Self {
        Self {
            api_version: "v1",
            kind: "Pod",
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: uid.to_string(),
        }
    }

    /// A node.
    pub(in crate::run) fn node(name: &NodeName, uid: &Uid) -> Self {
        Self {
            api_version: "v1",
            kind: "Node",
            namespace: "default".into(),
            name: name.to_string(),
            uid: uid.to_string(),
        }
    }

    /// The right to tell of it.
    pub(in crate::run) fn right(&self) -> Right {
        Right { verb: "create", group: "", resource: "events".into(), namespace: self.namespace.clone() }
    }

    /// Its name: Events begin with it.
    pub(in crate::run) fn name(&self) -> &str {
        &self.name
    }
}

/// What is told about a change in a Kubernetes Event.
pub(in crate::run) struct EventNote {
    /// Names the Event, so that telling it twice is telling it once.
    pub(in crate::run) name: String,
    /// About what.
    pub(in crate::run) involved: Involved,
    /// `ScaledByWheelhouse` ...
    pub(in crate::run) reason: &'static str,
    /// What was done, by whom, in which run and why.
    pub(in crate::run) message: String,
}

/// How pods run an image.
#[derive(Debug, Default)]
pub(in crate::run) struct Running {
    /// Some of them ask for it at each start: `imagePullPolicy: Always`.
    pub(in crate::run) pulls_always: bool,
    /// Its digests; each once. What a runtime tells without a repository is no digest of a registry.
    pub(in crate::run) digests: BTreeSet<String>,
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

impl Writer {
    /// Replicas asked for, by the API server itself, with the workload's uid and version. `None`: it is gone.
    pub(in crate::run) async fn scale_of(&self, workload: &WorkloadKey) -> Result<Option<Scale>, Failure> {
        self.find(&scale_path(workload)).await
    }

    /// Sets the replicas of a workload from one number to another: only of this very workload, only while it has the
    /// one, and only if `fence` holds right before. Nothing is done when it has the other already.
    pub(in crate::run) async fn scale(
        &self,
        workload: &WorkloadKey,
        uid: &Uid,
        from: u32,
        to: u32,
        fence: impl Fn() -> bool,
    ) -> Result<Scaled, Failure> {
        for _ in 0..OVERTAKEN {
            let (mut scale, now) = self.scale_at(workload, uid).await?;
            if now == i64::from(to) {
                return Ok(Scaled { version: version(&scale.metadata), wrote: false });
            }
            if now != i64::from(from) {
                let text = format!("{workload} asks for {now} replicas, neither {from} nor {to}");
                return Err(Failure::Drift(text));
            }
            if !fence() {
                return Err(Failure::Fenced);
            }
            scale.spec.get_or_insert_default().replicas = i32::try_from(to).ok();
            let path = format!("{}?fieldManager={WE}", scale_path(workload));
            match self.write::<Scale>(Method::PUT, &path, &scale).await {
                Ok(stored) if replicas(&stored) == i64::from(to) => {
                    return Ok(Scaled { version: version(&stored.metadata), wrote: true });
                }
                Ok(stored) => {
                    let stored = replicas(&stored);
                    return Err(Failure::Drift(format!(
                        "{workload} was to ask for {to} replicas, and the API server stored {stored}: \
                         an admission webhook changes it"
                    )));
                }
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Drift(format!("{workload} was changed by others {OVERTAKEN} times in a row")))
    }

    /// The same as a dry run: what the API server and its admission would say.
    pub(in crate::run) async fn try_scale(
        &self,
        workload: &WorkloadKey,
        uid: &Uid,
        from: u32,
        to: u32,
    ) -> Result<(), Failure> {
        for _ in 0..OVERTAKEN {
            let (mut scale, now) = self.scale_at(workload, uid).await?;
            if now != i64::from(from) && now != i64::from(to) {
                let text = format!("{workload} asks for {now} replicas by now, not {from}");
                return Err(Failure::Drift(text));
            }
            scale.spec.get_or_insert_default().replicas = i32::try_from(to).ok();
            let path = format!("{}?dryRun=All&fieldManager={WE}", scale_path(workload));
            match self.write::<Scale>(Method::PUT, &path, &scale).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    async fn scale_at(&self, workload: &WorkloadKey, uid: &Uid) -> Result<(Scale, i64), Failure> {
        let Some(scale) = self.scale_of(workload).await? else {
            return Err(Failure::Drift(format!("{workload} is gone")));
        };
        if scale.metadata.uid.as_deref() != Some(uid.as_str()) {
            return Err(Failure::Drift(format!("{workload} was deleted and created again")));
        }
        let now = replicas(&scale);
        Ok((scale, now))
    }

    /// Tells what was done as an Event.
    pub(in crate::run) async fn tell(&self, told: EventNote) -> Result<(), Failure> {
        let EventNote { name, involved, reason, message } = told;
        let namespace = involved.namespace;
        let now = Time(self.clock.now());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(involved.api_version.into()),
                kind: Some(involved.kind.into()),
                namespace: (involved.kind != "Node").then(|| namespace.clone()),
                name: Some(involved.name),
                uid: Some(involved.uid),
                ..ObjectReference::default()
            },
            reason: Some(reason.into()),
            message: Some(message),
            type_: Some("Normal".into()),
            source: Some(EventSource { component: Some(WE.into()), host: None }),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            count: Some(1),
            ..Event::default()
        };
        match self
            .write::<Value>(Method::POST, &format!("/api/v1/namespaces/{namespace}/events"), &event)
            .await
        {
            Err(failure) if !failure.is_conflict() => Err(failure),
            _ => Ok(()),
        }
    }

    /// A lease, and the API server's time when it was read. `None`: there is none.
    pub(in crate::run) async fn lease(&self, name: &str) -> Result<Option<Lease>, Failure> {
        self.find(&format!("{}/{name}", self.leases())).await
    }

    /// Stores a lease: a new one when it has no version yet, else in place of that very version.
    pub(in crate::run) async fn put_lease(&self, lease: &Lease) -> Result<Lease, Failure> {
        self.put(&self.leases(), &lease.metadata, lease).await
    }

    /// The same, where its namespace is there.
    pub(in crate::run) async fn store_lease(&self, lease: &Lease) -> Result<Lease, Failure> {
        self.store(&self.leases(), &lease.metadata, lease).await
    }

    /// Deletes a lease that nobody holds any more. Where that is not possible it stays.
    pub(in crate::run) async fn delete_lease(&self, name: &str) {
        let Ok(Some(lease)) = self.lease(name).await else { return };
        if lease.spec.as_ref().and_then(|s| s.holder_identity.as_deref()).is_some_and(|h| !h.is_empty()) {
            return;
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "resourceVersion": lease.metadata.resource_version },
        });
        let path = format!("{}/{name}", self.leases());
        if let Err(failure) = self.write::<Value>(Method::DELETE, &path, &options).await {
            tracing::debug!(name, why = failure.text(), "an old lease stays");
        }
    }

    /// A journal. `None`: there is none.
    pub(in crate::run) async fn journal(&self, name: &str) -> Result<Option<ConfigMap>, Failure> {
        self.find(&format!("{}/{name}", self.journals())).await
    }

    /// Stores a journal: a new one when it has no version yet, else in place of that very version.
    pub(in crate::run) async fn put_journal(&self, journal: &ConfigMap) -> Result<ConfigMap, Failure> {
        self.put(&self.journals(), &journal.metadata, journal).await
    }

    /// Stores a ConfigMap that is no journal, where its namespace is there.
    pub(in crate::run) async fn store_file(&self, file: &ConfigMap) -> Result<ConfigMap, Failure> {
        self.store(&self.journals(), &file.metadata, file).await
    }

    /// Whether a journal could be stored, as a dry run; also where its namespace would have to be made first.
    pub(in crate::run) async fn try_journal(&self, journal: &ConfigMap) -> Result<(), Failure> {
        let path = format!("{}?dryRun=All", self.journals());
        match self.write::<Value>(Method::POST, &path, journal).await {
            Err(failure) if failure.is_missing() => {
                let path = "/api/v1/namespaces?dryRun=All";
                match self.write::<Value>(Method::POST, path, &self.namespace_object()).await {
                    Err(failure) if !failure.is_conflict() => Err(failure),
                    _ => Ok(()),
                }
            }
            other => other.map(drop),
        }
    }

    /// Deletes a journal of that very version.
    pub(in crate::run) async fn delete_journal(
        &self,
        name: &str,
        version: &ResourceVersion,
    ) -> Result<(), Failure> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "resourceVersion": version.as_str() },
        });
        let path = format!("{}/{name}", self.journals());
        self.write::<Value>(Method::DELETE, &path, &options).await.map(drop)
    }

    /// Asks for nothing but the time: the answer's date is what counts.
    pub(in crate::run) async fn hear(&self) {
        let _ = self.find::<Value>("/version").await;
    }

    /// Whether the journals' namespace is there. `None`: we may not look.
    pub(in crate::run) async fn has_namespace(&self) -> Result<Option<bool>, Failure> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        match self.find::<Value>(&path).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(Failure::Refused { code: 403, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// How the pods of a namespace run an image, by their containers of that name.
    pub(in crate::run) async fn running(
        &self,
        namespace: &str,
        container: &str,
        image: &str,
    ) -> Result<Running, Failure> {
        let path = format!("/api/v1/namespaces/{namespace}/pods?limit=200");
        let found: Value = self.find(&path).await?.unwrap_or_default();
        let mut running = Running::default();
        for pod in list(&found["items"]) {
            let containers = list(&pod["spec"]["containers"]);
            let its = containers.iter().find(|one| one["name"] == container && one["image"] == image);
            let Some(its) = its else { continue };
            running.pulls_always |= its["imagePullPolicy"] == "Always";
            let statuses = list(&pod["status"]["containerStatuses"]);
            let status = statuses.iter().find(|one| one["name"] == container);
            let id = status.and_then(|status| status["imageID"].as_str()).unwrap_or_default();
            running.digests.extend(id.split_once('@').map(|(_, digest)| digest.to_owned()));
        }
        Ok(running)
    }

    /// Whether we have a right. Asking changes nothing, so it is allowed in read-only mode.
    pub(in crate::run) async fn may(&self, right: &Right) -> Result<bool, Failure> {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, sub)) => (resource, Some(sub.to_owned())),
            None => (right.resource.as_str(), None),
        };
        let attributes = ResourceAttributes {
            verb: Some(right.verb.into()),
            group: Some(right.group.into()),
            resource: Some(resource.into()),
            subresource,
            namespace: (!right.namespace.is_empty()).then(|| right.namespace.clone()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer: SelfSubjectAccessReview = self.send(Method::POST, path, Some(body(&review)?)).await?;
        Ok(answer.status.is_some_and(|s| s.allowed))
    }

    fn leases(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    fn journals(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    fn namespace_object(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": self.namespace, "labels": { "app.kubernetes.io/managed-by": WE } },
        })
    }

    async fn put<T: Serialize + DeserializeOwned>(
        &self,
        folder: &str,
        meta: &ObjectMeta,
        object: &T,
    ) -> Result<T, Failure> {
        match self.store(folder, meta, object).await {
            // Nothing else can be missing when something is made: the namespace is.
            Err(failure) if failure.is_missing() && meta.resource_version.is_none() => {
                match self.write::<Value>(Method::POST, "/api/v1/namespaces", &self.namespace_object()).await
                {
                    Err(failure) if !failure.is_conflict() => return Err(failure),
                    _ => {}
                }
                self.write(Method::POST, folder, object).await
            }
            other => other,
        }
    }

    /// Stores something: new when it has no version yet, else in place of that very version.
    async fn store<T: Serialize + DeserializeOwned>(
        &self,
        folder: &str,
        meta: &ObjectMeta,
        object: &T,
    ) -> Result<T, Failure> {
        if meta.resource_version.is_none() {
            return self.write(Method::POST, folder, object).await;
        }
        let name = meta.name.as_deref().unwrap_or_default();
        self.write(Method::PUT, &format!("{folder}/{name}"), object).await
    }

    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.send(Method::GET, path, None).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn scale_path(workload: &WorkloadKey) -> String {
    let (key, resource) = (&workload.key, workload.kind.resource());
    format!("/apis/apps/v1/namespaces/{}/{resource}/{}/scale", key.namespace, key.name)
}

/// `spec.replicas`; an absent one is zero here, as the API leaves zeros out of a Scale.
fn replicas(scale: &Scale) -> i64 {
    scale.spec.as_ref().and_then(|s| s.replicas).map_or(0, i64::from)
}

/// The version of an object as the API server told it.
pub(in crate::run) fn version(meta: &ObjectMeta) -> ResourceVersion {
    meta.resource_version.as_deref().unwrap_or_default().into()
}
