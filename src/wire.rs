//! One handle to everything we talk to: connections and their deadlines, no meaning.
//!
//! Entered by `live` (reading), `run` (writing) and the command line (which cluster is meant). It resolves a kubeconfig
//! or the pod's own service account, builds the clients when they are first asked for, and puts transport errors into
//! one sentence. It must never interpret what it carries.

mod failure;
mod logins;
mod sentence;
pub mod sql;
mod target;
pub mod tunnel;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use kube::{Client, client::ClientBuilder};
use tokio::{sync::Mutex, time::Instant};

pub use logins::{Endpoint, Logins};
pub use sentence::sentence;
pub use target::Target;

/// How long a connection may take to come up.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long one read (get, list page) may take, all of it.
pub const READ_WITHIN: Duration = Duration::from_secs(30);
/// After this long without a byte a connection counts as dead, whatever it carries: half-open ones say nothing.
pub const SILENT_FOR: Duration = Duration::from_secs(60);
/// How long a credential plugin may take.
const PLUGIN_WITHIN: Duration = Duration::from_secs(30);
/// Clients younger than this are not built anew: many sources learn of expired credentials at once.
const RENEW_AFTER: Duration = Duration::from_secs(10);

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
}

#[derive(Default)]
struct Clients {
    config: Option<kube::Config>,
    reader: Option<Client>,
    writer: Option<Client>,
    built: Option<Instant>,
}

impl Wire {
    /// Finds out which cluster is meant. Reads files only: no network, no credential plugin.
    /// The error is one sentence; an unknown context names the known ones.
    pub async fn connect_lazily(target: &Target) -> Result<Self, String> {
        let (context, config) = target.resolve().await?;
        Ok(Self(Arc::new(Inner {
            target: Some(target.clone()),
            in_cluster: context.is_none(),
            context: context.unwrap_or_else(|| "in-cluster".to_owned()),
            server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            namespace: config.default_namespace.clone(),
            clients: Mutex::new(Clients { config: Some(config), ..Clients::default() }),
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
        }))
    }

    /// The client for reading. Built once (credential plugins run here, at most 30 s), with deadlines for connecting
    /// and for silence; a caller adds [`READ_WITHIN`]. It does not retry: the caller knows better when.
    pub async fn client(&self) -> Result<Client, String> {
        let mut clients = self.0.clients.lock().await;
        if let Some(client) = &clients.reader {
            return Ok(client.clone());
        }
        let client = self.build(&mut clients).await?;
        Ok(clients.reader.insert(client).clone())
    }

    /// The client for mutations and evictions. It never retries by itself: a request that may have been carried out
    /// must not be sent again unseen. (The stock client retries 429, 503 and 504 for minutes.)
    pub async fn writer(&self) -> Result<Client, String> {
        let mut clients = self.0.clients.lock().await;
        if let Some(client) = &clients.writer {
            return Ok(client.clone());
        }
        let client = self.build(&mut clients).await?;
        Ok(clients.writer.insert(client).clone())
    }

    /// The credentials were not accepted: the next client is built from the files as they are then, so that logging in
    /// again in another terminal is enough.
    pub async fn renew(&self) {
        let mut clients = self.0.clients.lock().await;
        if self.0.target.is_some() && clients.built.is_none_or(|at| at.elapsed() >= RENEW_AFTER) {
            *clients = Clients::default();
        }
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

    /// The namespace of the context, or `default`.
    pub fn default_namespace(&self) -> &str {
        &self.0.namespace
    }

    async fn build(&self, clients: &mut Clients) -> Result<Client, String> {
        let mut config = match (&clients.config, &self.0.target) {
            (Some(config), _) => config.clone(),
            (None, Some(target)) => target.resolve().await?.1,
            (None, None) => return Err("this connection cannot be built anew".into()),
        };
        clients.config = Some(config.clone());
        clients.built = Some(Instant::now());
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(SILENT_FOR + Duration::from_secs(5));
        // Otherwise the time a pooled connection lay idle counts against the next request on it.
        config.reset_reader_on_write = true;
        config.default_retry = false;
        let agent = concat!("wheelhouse/", env!("CARGO_PKG_VERSION"));
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
        trust_ring();
        // Plugins are run by blocking calls.
        let built = tokio::task::spawn_blocking(move || Ok(ClientBuilder::try_from(config)?.build()));
        match tokio::time::timeout(PLUGIN_WITHIN, built).await {
            Ok(Ok(client)) => client.map_err(|e: kube::Error| sentence(&e)),
            Ok(Err(_)) => Err("the client could not be built: the credentials cannot be used".into()),
            Err(_) => Err(format!(
                "the credential plugin of context {} has not answered within {} s",
                self.0.context,
                PLUGIN_WITHIN.as_secs()
            )),
        }
    }
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
