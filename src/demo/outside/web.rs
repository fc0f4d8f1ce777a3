//! The proxies in front of the world and the ingress controllers behind them, as HTTP.

use std::convert::Infallible;
use std::fmt::Write;
use std::future::pending;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Site;
use super::hosts::has_controller;
use crate::world::World;

/// Connections that users keep open at the same time, and new ones a second, at the proxy with the floating address.
const CLIENTS: u64 = 61;
const ARRIVALS: f64 = 3.5;
/// Requests in a connection.
const REQUESTS: u64 = 4;

/// What a proxy presents: for the hosts that Ingresses name, what it has read of their certificates.
struct Presenter {
    site: Arc<Site>,
    edge: usize,
}

impl std::fmt::Debug for Presenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presenter({})", self.edge)
    }
}

impl ResolvesServerCert for Presenter {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let issued = self.site.look(|world, hosts| {
            let edge = world.around.edges.as_ref()?.proxies.get(self.edge)?;
            hosts.has(&host).then(|| edge.loaded.of(&host))
        });
        let fallback = || Some(self.site.authority.fallback.clone());
        match issued {
            Some(issued) => self.site.authority.certificate(&[&host], issued).ok().or_else(fallback),
            None => fallback(),
        }
    }
}

impl Site {
    /// Looks at the world and at the hosts that it serves now.
    fn look<R>(&self, look: impl FnOnce(&World, &super::Hosts) -> R) -> R {
        let world = self.shared.world();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.follow(&world);
        look(&world, &hosts)
    }

    fn is_hung(&self, edge: usize) -> bool {
        let world = self.shared.world();
        world.around.edges.as_ref().and_then(|edges| edges.proxies.get(edge)).is_some_and(|edge| edge.hung)
    }
}

/// TLS with what `resolver` presents.
pub(super) async fn handshake(
    resolver: Arc<dyn ResolvesServerCert>,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()
}

pub(super) type Page = Response<Full<Bytes>>;

/// A page with this status, as nginx and the default backend of ingress-nginx make it.
fn page(status: u16) -> Page {
    let html = |title: &str| {
        format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        )
    };
    let (kind, body) = match status {
        200 => ("text/plain", "User-agent: *\nDisallow: /\n".to_owned()),
        404 => ("text/plain", "default backend - 404".to_owned()),
        502 => ("text/html", html("502 Bad Gateway")),
        _ => ("text/html", html("503 Service Temporarily Unavailable")),
    };
    made(status, kind, body)
}

/// A response with a body.
pub(super) fn made(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    page.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    page
}

/// The host that a request is for, without its port.
fn host(request: &Request<Incoming>) -> String {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri().host()).unwrap_or_default();
    named.rsplit_once(':').map_or(named, |(host, _)| host).to_ascii_lowercase()
}

/// Answers the requests of a connection.
pub(super) async fn answers(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(&Request<Incoming>) -> Page,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let page = answer(&request);
        async move { Ok::<_, Infallible>(page) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    if let Err(error) = server.keep_alive(true).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// A connection to a proxy.
pub(super) async fn edge(site: Arc<Site>, at: usize, stream: TcpStream) {
    if site.is_hung(at) {
        return pending().await;
    }
    let counted = |site: &Site| {
        if let Some((accepts, _)) = site.counted.get(at) {
            accepts.fetch_add(1, Relaxed);
        }
    };
    counted(&site);
    let resolver = Arc::new(Presenter { site: site.clone(), edge: at });
    let Some(stream) = handshake(resolver, stream).await else { return };
    answers(stream, |request| {
        if let Some((_, requests)) = site.counted.get(at) {
            requests.fetch_add(1, Relaxed);
        }
        let host = host(request);
        page(site.look(|world, hosts| {
            if has_controller(world, None) { hosts.status(world, &host, request.uri().path()) } else { 502 }
        }))
    })
    .await;
}

/// A connection to the ingress controller of a node: it is closed where there is none.
pub(super) async fn node(site: Arc<Site>, node: String, stream: TcpStream) {
    if !has_controller(&site.shared.world(), Some(&node)) {
        return;
    }
    answers(stream, |request| {
        let host = host(request);
        page(site.look(|world, hosts| hosts.status(world, &host, request.uri().path())))
    })
    .await;
}

/// A connection to the port where a proxy tells its status.
pub(super) async fn status(site: Arc<Site>, at: usize, stream: TcpStream) {
    if site.is_hung(at) {
        return pending().await;
    }
    answers(stream, |request| match request.uri().path() {
        "/stub_status" => made(200, "text/plain", stub_status(&site, at)),
        _ => made(404, "text/html", "<html><head><title>404 Not Found</title></head></html>\r\n"),
    })
    .await;
}

/// Source: `ngx_http_stub_status_module.c`, nginx 1.22.1: the blanks at the ends of lines are its own.
fn stub_status(site: &Site, at: usize) -> String {
    let counter = |pick: fn(&(std::sync::atomic::AtomicU64, std::sync::atomic::AtomicU64)) -> u64| {
        site.counted.get(at).map_or(0, pick)
    };
    let (accepts, requests) = (counter(|c| c.0.load(Relaxed)), counter(|c| c.1.load(Relaxed)));
    let world = site.shared.world();
    let edges = world.around.edges.as_ref();
    let is_active = edges.is_some_and(|edges| edges.floating == Some(at));
    let since = edges.map_or(0, |edges| world.now().duration_since(edges.since).as_secs());
    let arrived = if is_active { (since as f64 * ARRIVALS) as u64 } else { 0 };
    let active = if is_active { CLIENTS + arrived % 7 } else { 0 };
    // Who asks is one of them.
    let (accepts, requests) = (accepts + arrived + 1, requests + arrived * REQUESTS + 1);
    let mut text = format!("Active connections: {} \n", active + 1);
    let _ = write!(text, "server accepts handled requests\n {accepts} {accepts} {requests} \n");
    let _ = writeln!(text, "Reading: 0 Writing: {} Waiting: {} ", 1 + active / 8, active - active / 8);
    text
}
