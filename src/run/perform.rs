//! The hand that writes to the cluster: the only code in the program that does, called by `run` alone.
//!
//! Every write goes through [`Writer::write`], which refuses in read-only mode. A function here sends a request once and
//! says what came of it; repeating is the driver's business, and every write here can be repeated: it names what it
//! expects to find (`resourceVersion`, `uid`, a name of its own), so that an answer that got lost is found out and
//! nothing is done twice. It must never decide what to do.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, header};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        autoscaling::v1::Scale,
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, EventSource, ObjectReference},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Client, client::Body, core::Status};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    cluster::{ResourceVersion, Uid, WorkloadKey},
    wire,
};

/// Longest wait for one answer, sending and reading together.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often a scale write that somebody else's write overtook is tried again.
const OVERTAKEN: usize = 5;
/// The name we write under, in `managedFields` and as the source of Events.
const WE: &str = "wheelhouse";

/// Why a request had no success.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// This session may not write at all.
    ReadOnly,
    /// The API server said no; asking again changes nothing.
    Refused {
        /// The HTTP status.
        code: u16,
        /// One sentence.
        text: String,
    },
    /// The API server is too busy or broken for the moment.
    Busy {
        /// How long it asks us to wait.
        after: Duration,
        /// One sentence.
        text: String,
    },
    /// No answer: it may or may not have been done.
    Unreached(String),
    /// The cluster is not as the change expects; nothing was written.
    Drift(String),
    /// Our lease is not good at this moment; nothing was written.
    Fenced,
    /// The operator asked to stop while we were trying.
    Interrupted(String),
}

impl Failure {
    /// One sentence.
    pub(super) fn text(&self) -> String {
        match self {
            Self::ReadOnly => "this session is read-only: nothing is written".into(),
            Self::Fenced => "the lease could not be renewed in time".into(),
            Self::Refused { text, .. }
            | Self::Busy { text, .. }
            | Self::Unreached(text)
            | Self::Drift(text)
            | Self::Interrupted(text) => text.clone(),
        }
    }

    fn is(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// Overtaken: the object has changed, or exists already.
    pub(super) fn is_conflict(&self) -> bool {
        self.is(409)
    }

    /// The object, or its namespace, is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.is(404)
    }
}

/// The API server's clock, kept by the `Date` of its answers.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<Mutex<SignedDuration>>);

impl Clock {
    /// A clock that is this much ahead of ours, as far as is known.
    pub(super) fn ahead(millis: i64) -> Self {
        Self(Arc::new(Mutex::new(SignedDuration::from_millis(millis))))
    }

    /// The time it is there.
    pub(super) fn now(&self) -> Timestamp {
        let ahead = *self.0.lock().expect("nothing panics while it holds this lock");
        let ours = Timestamp::now();
        ours.checked_add(ahead).unwrap_or(ours)
    }

    /// A `Date` header tells whole seconds: only a real difference counts.
    fn heard(&self, date: &str) {
        let Ok(date) = jiff::fmt::rfc2822::parse(date) else { return };
        let date = date.timestamp();
        if date.duration_since(self.now()).abs() > SignedDuration::from_secs(2) {
            *self.0.lock().expect("nothing panics while it holds this lock") =
                date.duration_since(Timestamp::now());
        }
    }
}

/// What became of a scale write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scaled {
    /// The workload's `resourceVersion` with it: an observation before this one is no evidence.
    pub(super) version: ResourceVersion,
    /// It was written just now; otherwise it stood already.
    pub(super) wrote: bool,
}

/// A right, as RBAC spells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// `get`, `update` ...
    pub(super) verb: &'static str,
    /// API group, empty for the core.
    pub(super) group: &'static str,
    /// `deployments/scale` ...
    pub(super) resource: String,
    /// Where; empty for cluster-wide.
    pub(super) namespace: String,
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

/// What is told about a scaled workload in a Kubernetes Event.
pub(super) struct Told<'a> {
    /// Names the Event, so that telling it twice is telling it once.
    pub(super) name: String,
    /// About which workload.
    pub(super) workload: &'a WorkloadKey,
    /// And which one of that name.
    pub(super) uid: &'a Uid,
    /// What was done, by whom, in which run and why.
    pub(super) message: String,
}

/// The hand itself: cheap to copy.
#[derive(Clone)]
pub(super) struct Writer {
    client: Client,
    read_only: bool,
    namespace: String,
    /// The API server's time.
    pub(super) clock: Clock,
}

impl Writer {
    /// A hand that keeps journals and leases in this namespace.
    pub(super) fn new(client: Client, read_only: bool, namespace: &str, clock: Clock) -> Self {
        Self { client, read_only, namespace: namespace.to_owned(), clock }
    }

    /// Replicas asked for, by the API server itself, with the workload's uid and version. `None`: it is gone.
    pub(super) async fn scale_of(&self, workload: &WorkloadKey) -> Result<Option<Scale>, Failure> {
        self.find(&scale_path(workload)).await
    }

    /// Sets the replicas of a workload from one number to another: only of this very workload, only while it has the
    /// one, and only if `fence` holds right before. Nothing is done when it has the other already.
    pub(super) async fn scale(
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
    pub(super) async fn try_scale(
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
            return Err(Failure::Drift(format!("{workload} was deleted and made anew")));
        }
        let now = replicas(&scale);
        Ok((scale, now))
    }

    /// Tells what was done as an Event on the workload.
    pub(super) async fn tell(&self, told: Told<'_>) -> Result<(), Failure> {
        let Told { name, workload, uid, message } = told;
        let namespace = workload.key.namespace.to_string();
        let now = Time(self.clock.now());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("apps/v1".into()),
                kind: Some(workload.kind.name().into()),
                namespace: Some(namespace.clone()),
                name: Some(workload.key.name.to_string()),
                uid: Some(uid.to_string()),
                ..ObjectReference::default()
            },
            reason: Some("ScaledByWheelhouse".into()),
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
    pub(super) async fn lease(&self, name: &str) -> Result<Option<Lease>, Failure> {
        self.find(&format!("{}/{name}", self.leases())).await
    }

    /// Stores a lease: a new one when it has no version yet, else in place of that very version.
    pub(super) async fn put_lease(&self, lease: &Lease) -> Result<Lease, Failure> {
        self.put(&self.leases(), &lease.metadata, lease).await
    }

    /// A journal. `None`: there is none.
    pub(super) async fn journal(&self, name: &str) -> Result<Option<ConfigMap>, Failure> {
        self.find(&format!("{}/{name}", self.journals())).await
    }

    /// Stores a journal: a new one when it has no version yet, else in place of that very version.
    pub(super) async fn put_journal(&self, journal: &ConfigMap) -> Result<ConfigMap, Failure> {
        self.put(&self.journals(), &journal.metadata, journal).await
    }

    /// Whether a journal could be stored, as a dry run; also where its namespace would have to be made first.
    pub(super) async fn try_journal(&self, journal: &ConfigMap) -> Result<(), Failure> {
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
    pub(super) async fn delete_journal(&self, name: &str, version: &ResourceVersion) -> Result<(), Failure> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "resourceVersion": version.as_str() },
        });
        let path = format!("{}/{name}", self.journals());
        self.write::<Value>(Method::DELETE, &path, &options).await.map(drop)
    }

    /// Whether the journals' namespace is there. `None`: we may not look.
    pub(super) async fn has_namespace(&self) -> Result<Option<bool>, Failure> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        match self.find::<Value>(&path).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(Failure::Refused { code: 403, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Whether we have a right. Asking changes nothing, so it is allowed in read-only mode.
    pub(super) async fn may(&self, right: &Right) -> Result<bool, Failure> {
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
        if meta.resource_version.is_some() {
            let name = meta.name.as_deref().unwrap_or_default();
            return self.write(Method::PUT, &format!("{folder}/{name}"), object).await;
        }
        match self.write(Method::POST, folder, object).await {
            // Nothing else can be missing when something is made: the namespace is.
            Err(failure) if failure.is_missing() => {
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

    async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.send(Method::GET, path, None).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The one way to write, and the one place where read-only mode is enforced.
    async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, Failure> {
        if self.read_only {
            return Err(Failure::ReadOnly);
        }
        self.send(method, path, Some(body(object)?)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.unwrap_or_default()))
            .map_err(|e| refused(0, format!("`{path}` is no address of an object: {e}")))?;
        let answer = async {
            let (head, body) = self.client.send(request).await?.into_parts();
            Ok((head, body.collect_bytes().await?))
        };
        let (head, body) = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Failure::Unreached(wire::sentence(&error))),
            Err(_) => {
                let text = format!("the API server did not answer within {} s", ANSWER_WITHIN.as_secs());
                return Err(Failure::Unreached(text));
            }
        };
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
        if let Some(date) = header(header::DATE) {
            self.clock.heard(date);
        }
        let code = head.status.as_u16();
        if head.status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|e| Failure::Unreached(format!("the API server's answer is not understood: {e}")));
        }
        let mut status: Status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let words = String::from_utf8_lossy(&body);
            Status::failure(words.lines().next().unwrap_or_default(), head.status.as_str())
        });
        status.code = code;
        let text = wire::sentence(&kube::Error::Api(Box::new(status)));
        match code {
            408 | 429 | 500.. => {
                let seconds = header(header::RETRY_AFTER).and_then(|v| v.parse().ok()).unwrap_or(1);
                Err(Failure::Busy { after: Duration::from_secs(seconds), text })
            }
            _ => Err(Failure::Refused { code, text }),
        }
    }
}

fn refused(code: u16, text: String) -> Failure {
    Failure::Refused { code, text }
}

fn body(object: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(object).map_err(|e| refused(0, format!("it cannot be written as JSON: {e}")))
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
pub(super) fn version(meta: &ObjectMeta) -> ResourceVersion {
    meta.resource_version.as_deref().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn a_read_only_hand_sends_nothing_that_writes() {
        let scale = json!({ "metadata": { "uid": "u", "resourceVersion": "1" }, "spec": { "replicas": 2 } });
        let answer = move |request: Request<Body>| {
            assert_eq!(request.method(), Method::GET, "{}", request.uri());
            let body = Body::from(scale.to_string().into_bytes());
            std::future::ready(Ok::<_, Infallible>(http::Response::new(body)))
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let hand = Writer::new(client, true, "wheelhouse", Clock::ahead(0));
        let workload = WorkloadKey::new(crate::cluster::WorkloadKind::Deployment, "acme", "acme");
        let (uid, stored) = (Uid::from("u"), ConfigMap::default());
        assert_eq!(hand.scale(&workload, &uid, 2, 3, || true).await, Err(Failure::ReadOnly));
        assert_eq!(hand.try_scale(&workload, &uid, 2, 3).await, Err(Failure::ReadOnly));
        assert_eq!(hand.put_lease(&Lease::default()).await, Err(Failure::ReadOnly));
        assert_eq!(hand.put_journal(&stored).await, Err(Failure::ReadOnly));
        assert_eq!(hand.try_journal(&stored).await, Err(Failure::ReadOnly));
        assert_eq!(hand.delete_journal("run-x", &"1".into()).await, Err(Failure::ReadOnly));
        let told = Told { name: "e".into(), workload: &workload, uid: &uid, message: String::new() };
        assert_eq!(hand.tell(told).await, Err(Failure::ReadOnly));
    }
}
