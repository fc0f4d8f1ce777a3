//! One handle to everything we talk to: connections and their deadlines, no meaning.
//!
//! Entered by `live` (reading), `run` (writing) and the command line (which cluster is meant). It resolves a kubeconfig
//! or the pod's own service account, builds the clients when they are first asked for, and puts transport errors into
//! one sentence. It must never interpret what it carries.

pub mod caught;
mod connector;
pub mod cost;
mod credentials;
pub mod exec;
mod failure;
mod frames;

mod kubeconfig;
mod logins;
mod plugin;
mod proxy;
pub mod redis;
pub mod registry;
pub mod request;
mod sentence;
pub mod sql;
pub mod ssh;
mod target;
pub mod tls;
pub mod tunnel;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use base64::Engine;
use hyper_timeout::TimeoutConnector;
use hyper_util::{client::legacy, rt::TokioExecutor};
use jiff::Timestamp;
use kube::{Client, client::ConfigExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::Instant};
use tower::{ServiceBuilder, filter::AsyncFilterLayer};
use tower_http::decompression::DecompressionLayer;

use connector::Connector;
use cost::Tally;
use credentials::Credentials;
pub use logins::{DatabaseEndpoint, Logins};
use proxy::Protocol;
pub use sentence::{one_line, sentence};
use target::Way;
pub use target::{KUBECONFIG, Target};

/// Every connection holds a piece of this size, which is a record of TLS; one that grows to what the first list fills would
/// keep 400 kB for good.
const READ_AT_ONCE: usize = 16 << 10;
/// How long a connection may take to come up.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long one read (get, list page) may take, all of it.
pub const READ_WITHIN: Duration = Duration::from_secs(30);
/// After this long without a byte a connection counts as dead, whatever it carries: half-open ones say nothing.
pub const SILENT_FOR: Duration = Duration::from_secs(60);
/// Clients younger than this are not built again, and four times as long as the last building took: many sources learn of
/// expired credentials at once, and a credential plug-in may be slow.
const RENEW_AFTER: Duration = Duration::from_secs(1);

/// A cheap handle to one cluster.
#[derive(Clone)]
pub struct Wire(Arc<Inner>);

struct Inner {
    target: Option<Target>,
    context: String,
    /// There is no kubeconfig: it is the cluster we run in.
    in_cluster: bool,
    server: String,
    namespace: String,
    clients: Mutex<Clients>,
    tally: Tally,
    /// The proxy on the way to the server, without a password.
    proxy: Option<String>,
}

#[derive(Default)]
struct Clients {
    way: Option<(Way, Credentials)>,
    reader: Option<Client>,
    writer: Option<Client>,
    /// When the certificate that a plug-in handed out has to be renewed.
    until: Option<Timestamp>,
    /// When they were built, and how long that took.
    built: Option<(Instant, Duration)>,
    /// Why they could not be built: not tried again before [`RENEW_AFTER`].
    failed: Option<String>,
}

impl Wire {
    /// Finds out which cluster is meant. Reads files only: no network, no credential plugin.
    ///
    /// # Errors
    /// One sentence; an unknown context names the known ones.
    pub async fn connect_lazily(target: &Target) -> Result<Self, String> {
        let way = target.resolve()?;
        Ok(Self(Arc::new(Inner {
            target: Some(target.clone()),
            in_cluster: way.context.is_none(),
            context: way.context.clone().unwrap_or_else(|| target::IN_CLUSTER.to_owned()),
            server: way.config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            namespace: way.config.default_namespace.clone(),
            tally: Tally::default(),
            proxy: way.proxy.as_ref().map(ToString::to_string),
            clients: Mutex::new(Clients { way: Some(ready(way)), ..Clients::default() }),
        })))
    }

    /// A wire over a client that exists already, for reading and writing: for tests, and for anything that is not
    /// behind a kubeconfig.
    pub fn over(client: Client, context: &str, server: &str) -> Self {
        let namespace = client.default_namespace().to_owned();
        let clients = Clients { reader: Some(client.clone()), writer: Some(client), ..Clients::default() };
        Self(Arc::new(Inner {
            target: None,
            in_cluster: false,
            context: context.to_owned(),
            server: server.to_owned(),
            namespace,
            clients: Mutex::new(clients),
            tally: Tally::default(),
            proxy: None,
        }))
    }

    /// The client for reading. Built once (credential plug-ins run here, at most 30 s), with deadlines for connecting
    /// and for silence; a caller adds [`READ_WITHIN`]. It does not retry: the caller knows better when.
    ///
    /// # Errors
    /// One sentence.
    pub async fn client(&self) -> Result<Client, String> {
        self.one_of(|clients| &mut clients.reader).await
    }

    /// The client for mutations and evictions. It never retries by itself: a request that may have been carried out
    /// must not be sent again unseen. (The stock client retries 429, 503 and 504 for minutes.)
    ///
    /// # Errors
    /// One sentence.
    pub async fn writer(&self) -> Result<Client, String> {
        self.one_of(|clients| &mut clients.writer).await
    }

    async fn one_of(&self, which: fn(&mut Clients) -> &mut Option<Client>) -> Result<Client, String> {
        let mut clients = self.0.clients.lock().await;
        if clients.until.is_some_and(|until| Timestamp::now() >= until) && clients.may_be_built() {
            let way = clients.way.take();
            *clients = Clients { way, ..Clients::default() };
        }
        if let Some(client) = which(&mut clients) {
            return Ok(client.clone());
        }
        if let Some(why) = clients.failed.clone().filter(|_| !clients.may_be_built()) {
            return Err(why);
        }
        let begun = Instant::now();
        let built = self.build(&mut clients).await;
        clients.built = Some((Instant::now(), begun.elapsed()));
        clients.failed = built.as_ref().err().cloned();
        if clients.failed.is_some() {
            // The files may say something else the next time.
            clients.way = None;
        }
        Ok(which(&mut clients).insert(built?).clone())
    }

    /// The credentials were not accepted: the next client is built from the files as they are then, so that logging in
    /// again in another terminal is enough.
    pub async fn renew(&self) {
        let mut clients = self.0.clients.lock().await;
        if self.0.target.is_some() && clients.may_be_built() {
            *clients = Clients { built: clients.built, ..Clients::default() };
        }
    }

    /// Whether a credential plug-in says that it must ask on a terminal.
    pub async fn asks(&self) -> bool {
        self.0.clients.lock().await.way.as_ref().is_some_and(|(_, credentials)| credentials.ask())
    }

    /// Lets the credential plug-in ask on the terminal. Whether there is one.
    ///
    /// # Errors
    /// One sentence.
    pub async fn log_in(&self) -> Result<bool, String> {
        let Some(target) = &self.0.target else { return Ok(false) };
        let mut clients = self.0.clients.lock().await;
        let way = match clients.way.take() {
            Some(way) => way,
            None => ready(target.resolve()?),
        };
        let done = way.1.log_in().await;
        // A certificate that was handed out is a part of the connection.
        *clients = Clients { way: Some(way), ..Clients::default() };
        done
    }

    /// The kubeconfig context, or `in-cluster`.
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// The flags with which `kubectl` and `wheelhouse` are led to the same cluster: the kubeconfig where one was named,
    /// and the context. None inside a cluster.
    pub fn flags(&self) -> Arc<[Arc<str>]> {
        let target = self.0.target.as_ref().filter(|_| !self.0.in_cluster);
        let Some(target) = target else { return Arc::default() };
        let mut flags: Vec<Arc<str>> = Vec::new();
        if let Some(file) = &target.kubeconfig {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            flags.extend(["--kubeconfig".into(), file.to_string_lossy().into()]);
        }
        flags.extend(["--context".into(), self.context().into()]);
        flags.into()
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// What the server has been asked by now.
    pub fn cost(&self) -> cost::ApiCost {
        self.0.tally.cost()
    }

    /// The proxy on the way to the API server, without a password; `None`: it is asked directly.
    pub fn proxy(&self) -> Option<&str> {
        self.0.proxy.as_deref()
    }

    /// The namespace of the context, or `default`.
    pub fn default_namespace(&self) -> &str {
        &self.0.namespace
    }

    async fn build(&self, clients: &mut Clients) -> Result<Client, String> {
        let (way, credentials) = match (clients.way.take(), &self.0.target) {
            (Some(way), _) => way,
            (None, Some(target)) => ready(target.resolve().map_err(|why| why.to_string())?),
            (None, None) => return Err("this connection cannot be built again".into()),
        };
        let (way, credentials) = clients.way.insert((way, credentials));
        let mut config = way.config.clone();
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(SILENT_FOR + Duration::from_secs(5));
        // Otherwise the time a pooled connection lay idle counts against the next request on it.
        config.reset_reader_on_write = true;
        let agent = concat!("wheelhouse/", env!("CARGO_PKG_VERSION"));
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
        let issued = credentials.issued().await?;
        if let Some((issued, (certificate, key))) = issued.and_then(|i| Some((i.clone(), i.certificate?))) {
            let encoded = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
            config.auth_info.client_certificate_data = Some(encoded(&certificate));
            config.auth_info.client_key_data = Some(SecretString::from(encoded(key.expose_secret())));
            clients.until = issued.expires.map(|end| end - credentials::BEFORE_END);
        }
        trust_ring();
        assembled(config, way, credentials.clone(), &self.0.tally).map_err(|e| sentence(&e))
    }
}

impl Clients {
    /// The last building is long enough ago.
    fn may_be_built(&self) -> bool {
        self.built.is_none_or(|(at, took)| at.elapsed() >= RENEW_AFTER.max(took * 4))
    }
}

fn ready(way: Way) -> (Way, Credentials) {
    let credentials = Credentials::new(way.credentials.clone());
    (way, credentials)
}

/// The layers of a client, as `kube` puts them together; the connection, the credentials and the retries are ours.
fn assembled(
    config: kube::Config,
    way: &Way,
    credentials: Credentials,
    tally: &Tally,
) -> Result<Client, kube::Error> {
    let connector = match &way.proxy {
        None => Connector::straight(),
        Some(proxy) => {
            // The name that is expected of the server is not that of its proxy.
            let mut to_proxy = config.clone();
            to_proxy.tls_server_name = None;
            if proxy.protocol == Protocol::Socks5 {
                to_proxy.auth_info = kube::config::AuthInfo::default();
            }
            Connector::through(proxy.clone(), to_proxy.rustls_https_connector()?)
        }
    };
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .layer(AsyncFilterLayer::new(move |request| credentials.clone().put(request)))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(
            tally.around(
                legacy::Builder::new(TokioExecutor::new())
                    .http1_read_buf_exact_size(READ_AT_ONCE)
                    .build(connector),
            ),
        );
    Ok(Client::new(service, config.default_namespace))
}

/// rustls wants one process-wide cryptography provider; whoever comes second finds it installed.
fn trust_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests;
