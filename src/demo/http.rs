//! The wire of the API: TLS, HTTP/1.1, bearer tokens, impersonation, streams, and the faults.
//!
//! `demo` spawns one [`Server`] over a shared world. It listens on 127.0.0.1 only and answers nobody
//! without a token. What is answered is decided in `api`; nothing here reads or writes objects.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use super::api::{self, Answer, Failure, Follow, Forward, Reply, Request, Surroundings, User, Users, Watch};
use super::faults::{Faults, Outcome};
use super::forward::{self, Leads, Upgrade};
use super::kubeconfig;
use super::world::World;

/// The largest body that is read, as etcd's limit has it.
const LARGEST: usize = 3 * 1024 * 1024;
/// How often a quiet watch is sent a bookmark.
const BOOKMARK: Duration = Duration::from_secs(60);
/// When a watch without `timeoutSeconds` ends.
const WATCH_ENDS: Duration = Duration::from_secs(45 * 60);
/// How many requests are remembered.
const REMEMBERED: usize = 50_000;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the server shares with the clock of the world.
pub(crate) struct Shared {
    /// The world.
    pub(crate) world: Mutex<World>,
    /// Notified after a write of a client.
    pub(crate) wrote: Notify,
    /// The store's revision: watches wait for it to move.
    pub(crate) revision: watch::Sender<u64>,
}

impl Shared {
    /// Shares a world.
    pub(crate) fn new(world: World) -> Self {
        let revision = watch::Sender::new(world.store.revision());
        Self { world: Mutex::new(world), wrote: Notify::new(), revision }
    }

    /// The world, locked. A panic elsewhere does not take it from the others.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// HTTP method.
    pub method: String,
    /// Path and query as they came.
    pub path: String,
    /// Status of the answer; 0 when the connection was cut.
    pub status: u16,
    /// Who asked; "" without a valid token.
    pub user: String,
}

/// The API server. Dropping it ends every connection.
pub(crate) struct Server {
    inner: Arc<Inner>,
    accepting: tokio::sync::Mutex<JoinHandle<()>>,
    port: u16,
    ca_pem: String,
    token: String,
}

struct Inner {
    shared: Arc<Shared>,
    tls: TlsAcceptor,
    users: Arc<Users>,
    faults: Faults,
    requests: Mutex<VecDeque<RequestLine>>,
    leads: Arc<Leads>,
    /// What has been upgraded; it ends with the server.
    forwards: Mutex<JoinSet<()>>,
}

impl Server {
    /// Listens on a port of 127.0.0.1 (0 takes a free one) and serves the world, whose ProxySQL pods lead to `proxies`.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn spawn(shared: Arc<Shared>, port: u16, proxies: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = listener.local_addr()?.port();
        let (ca_pem, tls) = certificates().map_err(io::Error::other)?;
        let users = Arc::new(Users::default());
        let token = format!("{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
        let groups = vec!["system:masters".into(), "system:authenticated".into()];
        users.admit(&token, User { name: "operator".into(), groups });
        let inner = Arc::new(Inner {
            shared,
            tls,
            faults: Faults::new(users.clone()),
            users,
            requests: Mutex::default(),
            leads: Arc::new(Leads::new(proxies)),
            forwards: Mutex::default(),
        });
        let accepting = tokio::sync::Mutex::new(tokio::spawn(accept(inner.clone(), listener)));
        Ok(Self { inner, accepting, port, ca_pem, token })
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `https://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The bearer token of the operator, who may do everything.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The operator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> String {
        self.kubeconfig_for(&self.token)
    }

    /// The kubeconfig of the user with this token.
    pub(crate) fn kubeconfig_for(&self, token: &str) -> String {
        kubeconfig::yaml(&self.url(), &self.ca_pem, token)
    }

    /// The users it knows.
    pub(crate) fn users(&self) -> &Users {
        &self.inner.users
    }

    /// The faults that are set.
    pub(crate) fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// What was asked so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<RequestLine> {
        lock(&self.inner.requests).iter().cloned().collect()
    }

    /// Closes every connection and listens again on the same port.
    pub(crate) async fn restart(&self) {
        let mut accepting = self.accepting.lock().await;
        accepting.abort();
        let _ = (&mut *accepting).await;
        lock(&self.inner.forwards).abort_all();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let inner = self.inner.clone();
        // between the two somebody else may have taken the port: ask until it is ours again
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        *accepting = tokio::spawn(accept(inner, listener));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.get_mut().abort();
        lock(&self.inner.forwards).abort_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A CA of its own and a server certificate for loopback.
fn certificates() -> Result<(String, TlsAcceptor), Box<dyn std::error::Error + Send + Sync>> {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "embedded cluster CA");
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    let certificate = params.signed_by(&key, &issuer)?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_pem, TlsAcceptor::from(Arc::new(config))))
}

/// Serves connections until it is aborted; they end with it.
async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(inner.clone(), stream));
                }
                // out of descriptors: wait for some to be closed
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn connection(inner: Arc<Inner>, stream: tokio::net::TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = inner.tls.accept(stream).await else { return };
    let service = service_fn(move |request| serve(inner.clone(), request));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for Closed {}

async fn serve(inner: Arc<Inner>, mut request: http::Request<Incoming>) -> Result<Response<Body>, Closed> {
    let upgrade = Upgrade::of(&mut request);
    let (parts, body) = request.into_parts();
    let mut line = RequestLine {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        status: 0,
        user: String::new(),
    };
    let answered = match read(&inner, &parts, body, &mut line).await {
        Ok(request) => {
            let watching = request.is_watch() || request.is_follow();
            let (delay, outcome) = inner.faults.meet(&line.method, parts.uri.path(), watching);
            if !delay.is_zero() {
                sleep(delay).await;
            }
            match outcome {
                Outcome::Answer => Ok(answer(&inner, request, upgrade)),
                Outcome::Status(code, retry_after) => Ok(refusal(&inner, &faulty(code, retry_after))),
                Outcome::Hang { before } => {
                    if !before {
                        answer(&inner, request, None);
                    }
                    std::future::pending().await
                }
                Outcome::Cut { before } => {
                    if !before {
                        answer(&inner, request, None);
                    }
                    Err(Closed)
                }
            }
        }
        Err(failure) => Ok(refusal(&inner, &failure)),
    };
    line.status = answered.as_ref().map_or(0, |r| r.status().as_u16());
    tracing::debug!(
        method = line.method,
        path = line.path,
        status = line.status,
        user = line.user,
        "request"
    );
    if matches!(line.status, 405 | 406 | 415 | 501) || line.status == 404 && is_text(&answered) {
        tracing::warn!(method = line.method, path = line.path, status = line.status, "not supported");
    }
    let mut requests = lock(&inner.requests);
    if requests.len() == REMEMBERED {
        requests.pop_front();
    }
    requests.push_back(line);
    answered
}

fn is_text(answered: &Result<Response<Body>, Closed>) -> bool {
    let content_type = answered.as_ref().ok().and_then(|r| r.headers().get(header::CONTENT_TYPE));
    content_type.is_some_and(|t| t.as_bytes().starts_with(b"text/plain"))
}

/// A failure that a fault asks for.
fn faulty(code: u16, retry_after: Option<u32>) -> Failure {
    let (reason, message) = match code {
        429 => ("TooManyRequests", "Too many requests, please try again later."),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        _ => ("InternalError", "Internal error occurred: the fault that was asked for"),
    };
    Failure { retry_after, ..Failure::new(code, reason, message) }
}

/// Authenticates a request and reads its body.
async fn read(
    inner: &Inner,
    parts: &http::request::Parts,
    body: Incoming,
    line: &mut RequestLine,
) -> Result<Request, Failure> {
    let word = |name: header::HeaderName| {
        parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let authorization = word(header::AUTHORIZATION);
    let user = authorization
        .strip_prefix("Bearer ")
        .and_then(|token| inner.users.of_token(token.trim()))
        .ok_or_else(|| Failure::new(401, "Unauthorized", "Unauthorized"))?;
    line.user.clone_from(&user.name);
    let user = impersonated(user, &parts.headers)?;
    line.user.clone_from(&user.name);
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            let message = format!("Request entity too large: limit is {LARGEST}");
            Failure::new(413, "RequestEntityTooLarge", message)
        } else {
            Failure::bad_request(format!("the body could not be read: {error}"))
        }
    })?;
    let query = parts.uri.query().unwrap_or_default();
    let query = query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .map(|(name, value)| (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " "))))
        .collect();
    Ok(Request {
        method: parts.method.to_string(),
        path: decoded(parts.uri.path()),
        query,
        accept: word(header::ACCEPT),
        content_type: word(header::CONTENT_TYPE),
        user_agent: word(header::USER_AGENT),
        body: body.to_bytes(),
        user,
    })
}

/// The user of the `Impersonate-*` headers; only who may do everything may be somebody else.
fn impersonated(user: User, headers: &HeaderMap) -> Result<User, Failure> {
    let Some(name) = headers.get("impersonate-user").and_then(|v| v.to_str().ok()) else { return Ok(user) };
    if !user.groups.iter().any(|g| g == "system:masters") {
        let message = format!(
            "users \"{name}\" is forbidden: User \"{}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            user.name
        );
        return Err(Failure::new(403, "Forbidden", message));
    }
    let groups = headers.get_all("impersonate-group").iter().filter_map(|v| v.to_str().ok());
    let mut groups: Vec<String> = groups.map(Into::into).collect();
    if !groups.iter().any(|g| g == "system:authenticated") {
        groups.push("system:authenticated".into());
    }
    Ok(User { name: name.into(), groups })
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
        match (bytes[i], hex(bytes.get(i + 1)), hex(bytes.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                i += 3;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Lets the API answer, and tells watches and the clock when the world was changed.
fn answer(inner: &Arc<Inner>, request: Request, upgrade: Option<Upgrade>) -> Response<Body> {
    let shared = &inner.shared;
    let malformed = inner.faults.malformed();
    let around = Surroundings { users: &inner.users, malformed: &malformed };
    let mut world = shared.world();
    let answered = api::answer(&mut world, &around, &request);
    let wrote = matches!(&answered, Ok(Answer::Reply(reply)) if reply.wrote);
    if wrote {
        world.react();
        shared.revision.send_replace(world.store.revision());
    }
    drop(world);
    if wrote {
        shared.wrote.notify_one();
    }
    match answered {
        Ok(Answer::Reply(reply)) => {
            whole(inner, reply.status, reply.content_type, None, reply.payload.bytes())
        }
        Ok(Answer::Watch(watch)) => watched(inner, *watch),
        Ok(Answer::Follow(follow)) => followed(inner, *follow),
        Ok(Answer::Forward(forward)) => forwarded(inner, *forward, upgrade),
        Err(failure) => refusal(inner, &failure),
    }
}

fn refusal(inner: &Inner, failure: &Failure) -> Response<Body> {
    let body = Reply::value(failure.code, failure.status()).payload.bytes();
    whole(inner, failure.code, "application/json", failure.retry_after, body)
}

fn whole(
    inner: &Inner,
    status: u16,
    content_type: &'static str,
    retry_after: Option<u32>,
    body: Vec<u8>,
) -> Response<Body> {
    let mut response = head(inner, status, content_type, Full::new(Bytes::from(body)).boxed_unsync());
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A response with the headers every response has; `Date` is the world's time.
fn head(inner: &Inner, status: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let now = inner.shared.world().store.now();
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    if let Ok(date) = date.parse() {
        headers.insert(header::DATE, date);
    }
    response
}

/// A stream of events that follows the world.
fn watched(inner: &Arc<Inner>, watch: Watch) -> Response<Body> {
    struct State {
        inner: Arc<Inner>,
        watch: Watch,
        revision: watch::Receiver<u64>,
        silent: watch::Receiver<bool>,
        ends: Instant,
        bookmark: Instant,
        ended: bool,
    }
    let now = Instant::now();
    let state = State {
        revision: inner.shared.revision.subscribe(),
        silent: inner.faults.silence(),
        ends: now + watch.timeout.map_or(WATCH_ENDS, |s| Duration::from_secs(s.min(WATCH_ENDS.as_secs()))),
        bookmark: now + BOOKMARK,
        inner: inner.clone(),
        watch,
        ended: false,
    };
    let events = stream::unfold(state, |mut s| async move {
        loop {
            if s.ended {
                return None;
            }
            if s.silent.wait_for(|silent| !silent).await.is_err() {
                return None;
            }
            s.revision.borrow_and_update();
            let polled = {
                let malformed = s.inner.faults.malformed();
                let around = Surroundings { users: &s.inner.users, malformed: &malformed };
                let world = s.inner.shared.world();
                s.watch.poll(&world.store, &around)
            };
            s.ended = polled.end;
            let mut bytes = polled.bytes;
            if bytes.is_empty() {
                tokio::select! {
                    moved = s.revision.changed() => s.ended = moved.is_err(),
                    _ = s.silent.changed() => {}
                    () = sleep_until(s.ends) => {
                        s.ended = true;
                        bytes = s.watch.mark();
                    }
                    () = sleep_until(s.bookmark) => {
                        s.bookmark = Instant::now() + BOOKMARK;
                        bytes = s.watch.mark();
                    }
                }
            }
            if !bytes.is_empty() {
                return Some((Ok::<_, Infallible>(Frame::data(Bytes::from(bytes))), s));
            }
        }
    });
    head(inner, 200, "application/json", StreamBody::new(events).boxed_unsync())
}

/// A log that goes on until its container ends.
fn followed(inner: &Arc<Inner>, mut follow: Follow) -> Response<Body> {
    let first = std::mem::take(&mut follow.first);
    let silent = inner.faults.silence();
    let state = (inner.clone(), follow, silent, Some(first));
    let lines = stream::unfold(state, |(inner, mut follow, mut silent, mut first)| async move {
        loop {
            if silent.wait_for(|silent| !silent).await.is_err() {
                return None;
            }
            let bytes = match first.take() {
                Some(first) => first,
                None => {
                    sleep(Follow::EVERY).await;
                    let world = inner.shared.world();
                    follow.poll(&world)?
                }
            };
            if !bytes.is_empty() {
                let frame = Frame::data(Bytes::from(bytes));
                return Some((Ok::<_, Infallible>(frame), (inner, follow, silent, None)));
            }
        }
    });
    head(inner, 200, "text/plain", StreamBody::new(lines).boxed_unsync())
}

/// Ports of a pod over the connection, which speaks websockets from here on.
fn forwarded(inner: &Arc<Inner>, forward: Forward, upgrade: Option<Upgrade>) -> Response<Body> {
    let Some(upgrade) = upgrade else {
        return refusal(inner, &Failure::bad_request("Upgrade request required"));
    };
    let accept = match upgrade.accept() {
        Ok(accept) => accept,
        Err(failure) => return refusal(inner, &failure),
    };
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, header::HeaderValue::from_static(forward::PROTOCOL));
    if let Ok(accept) = accept.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let carried = forward::carry(upgrade, forward, inner.leads.clone(), inner.shared.clone());
    let mut forwards = lock(&inner.forwards);
    while forwards.try_join_next().is_some() {}
    forwards.spawn(carried);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decoded("app%20in%20%28a%2Cb%29"), "app in (a,b)");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%C3%A9"), "%zzé");
    }
}
