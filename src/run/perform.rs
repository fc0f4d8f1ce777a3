//! Writes to the cluster and its database: the only code in the program that does, called by `run` alone.
//!
//! Every write to the Kubernetes API goes through [`Writer::write`], every write to the database through
//! [`Hand::write`]: both refuse in read-only mode. A function here sends a request once and says what came of it;
//! repeating is the driver's business, and every write here can be repeated: it names what it expects to find
//! (`resourceVersion`, `uid`, a name of its own, the rows of a server), so that an answer that got lost is found out
//! and nothing is done twice. It must never decide what to do.

mod api;
mod kind;
mod objects;
mod sql;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body, core::Status};
use serde::{Serialize, de::DeserializeOwned};

use crate::cluster::Key;
use crate::wire::{
    self, DatabaseEndpoint, Logins,
    sql::{Answer, Kind, Sql},
};

pub(super) use api::{EventNote, Involved, Right, Running, version};
pub(super) use kind::{Context, Performed, act};
use objects::version_of;
pub(super) use sql::Written;

/// Longest wait for one answer, sending and reading together.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Lines of a log that are asked for at once, and bytes.
const LOG_LINES: usize = 500;
const LOG_BYTES: usize = 256 * 1024;
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
    /// A disruption budget does not allow it at this moment.
    Blocked(String),
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
            | Self::Blocked(text)
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

    /// A right is missing.
    pub(super) fn is_forbidden(&self) -> bool {
        self.is(403)
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

/// The hand itself: cheap to copy.
#[derive(Clone)]
pub(super) struct Writer {
    client: Client,
    read_only: bool,
    namespace: String,
    logins: Option<Logins>,
    /// The API server's time.
    pub(super) clock: Clock,
}

impl Writer {
    /// A hand that keeps journals and leases in this namespace.
    pub(super) fn new(client: Client, read_only: bool, namespace: &str, clock: Clock) -> Self {
        Self { client, read_only, namespace: namespace.to_owned(), logins: None, clock }
    }

    /// The same hand, which reaches the database as well.
    pub(super) fn with_database(mut self, logins: Option<Logins>) -> Self {
        self.logins = logins;
        self
    }

    /// A connection to an endpoint of the database, for one act.
    async fn reach(&self, endpoint: DatabaseEndpoint) -> Result<Hand, Failure> {
        let Some(logins) = &self.logins else {
            let text = format!("{endpoint} cannot be reached: no database is configured for this session");
            return Err(refused(0, text));
        };
        let name = endpoint.to_string();
        let sql = logins.of(endpoint).await.map_err(|why| refused(0, format!("{name}: {why}")))?;
        Ok(Hand { sql, name, read_only: self.read_only })
    }

    /// The newest lines of a container's log, each with its time before it; from a moment on, where one is given.
    pub(super) async fn log(
        &self,
        pod: &Key,
        container: &str,
        since: Option<Timestamp>,
    ) -> Result<String, Failure> {
        let since =
            since.map_or(String::new(), |at| format!("&sinceTime={}", at.strftime("%Y-%m-%dT%H:%M:%SZ")));
        let path = format!(
            "{}/log?container={container}&timestamps=true&tailLines={LOG_LINES}&limitBytes={LOG_BYTES}{since}",
            objects::pod_path(pod)
        );
        self.raw(Method::GET, &path, None).await.map(|body| String::from_utf8_lossy(&body).into_owned())
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
        let body = self.raw(method, path, body).await?;
        serde_json::from_slice(&body)
            .map_err(|e| Failure::Unreached(format!("the API server's answer is not understood: {e}")))
    }

    async fn raw(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Bytes, Failure> {
        let content = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, content)
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
            return Ok(body);
        }
        let mut status: Status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let words = String::from_utf8_lossy(&body);
            Status::failure(words.lines().next().unwrap_or_default(), head.status.as_str())
        });
        status.code = code;
        let causes = status.details.iter().flat_map(|d| &d.causes);
        if let Some(cause) = causes.into_iter().find(|c| c.reason == "DisruptionBudget" && code == 429) {
            return Err(Failure::Blocked(cause.message.clone()));
        }
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

/// A connection to one endpoint of the database.
struct Hand {
    sql: Sql,
    /// Whose it is, in words.
    name: String,
    read_only: bool,
}

impl Hand {
    /// Asks a question. It must change nothing.
    async fn read(&mut self, question: &str) -> Result<Answer, Failure> {
        self.sql.ask(question).await.map_err(|failure| self.failure(&failure))
    }

    /// The one way to write to the database: one statement, in the text protocol.
    async fn write(&mut self, statement: &str) -> Result<Answer, Failure> {
        if self.read_only {
            return Err(Failure::ReadOnly);
        }
        self.sql.ask(statement).await.map_err(|failure| self.failure(&failure))
    }

    /// The same of a statement that must not be sent twice: a connection that was lost is not made again for it, and
    /// no answer is no reason to ask once more.
    async fn write_once(&mut self, statement: &str) -> Result<Answer, Failure> {
        self.write(statement).await
    }

    fn failure(&self, failure: &wire::sql::Failure) -> Failure {
        let text = format!("{}: {failure}", self.name);
        match failure.kind {
            Kind::Refused | Kind::Silent | Kind::Unreachable | Kind::Full | Kind::Lost => {
                Failure::Unreached(text)
            }
            Kind::Statement(code) => Failure::Refused { code, text },
            Kind::Denied | Kind::Tls | Kind::NotMysql | Kind::Taken | Kind::Other => refused(0, text),
        }
    }
}

fn refused(code: u16, text: String) -> Failure {
    Failure::Refused { code, text }
}

fn body(object: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(object).map_err(|e| refused(0, format!("it cannot be written as JSON: {e}")))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
    use serde_json::json;

    use super::*;
    use crate::cluster::{Uid, WorkloadKey};

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
        let involved = Involved::workload(&workload, &uid);
        let told = EventNote { name: "e".into(), involved, reason: "R", message: String::new() };
        assert_eq!(hand.tell(told).await, Err(Failure::ReadOnly));
    }
}
