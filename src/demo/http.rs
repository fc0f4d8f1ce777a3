//! The wire of the API: TLS, HTTP/1.1, bearer tokens, impersonation, streams, and the faults.
//!
//! `demo` spawns one [`Server`] over a shared world. It listens on 127.0.0.1 only and answers nobody
//! without a token. What is answered is decided in `api`; nothing here reads or writes objects.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::api::{User, Users};
use super::faults::Faults;
use super::forward::Leads;
use super::kubeconfig;
use super::shared::Shared;
use request::serve;

mod reply;
mod request;

/// The largest body that is read, as etcd's limit has it.
const LARGEST: usize = 3 * 1024 * 1024;
/// How often a quiet watch is sent a bookmark.
const BOOKMARK: Duration = Duration::from_secs(60);
/// When a watch without `timeoutSeconds` ends.
const WATCH_ENDS: Duration = Duration::from_secs(45 * 60);
/// How many requests are remembered.
const REMEMBERED: usize = 50_000;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// HTTP method.
    pub method: String,
    /// Path and query as they came.
    pub path: String,
    /// `Accept` as it came.
    pub accept: String,
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
