//! The connection to the API server: straight, or through a proxy.

use std::{
    error::Error as StdError,
    io,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{
        HttpConnector,
        proxy::{SocksV5, Tunnel},
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt, service_fn};

use super::{
    proxy::{Protocol, Proxy, place},
    sentence::Said,
};

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to the API server.
#[derive(Clone)]
pub(super) struct Connector {
    straight: HttpConnector,
    through: Option<(Proxy, HttpsConnector<HttpConnector>)>,
}

impl Connector {
    /// Straight to the server.
    pub fn straight() -> Self {
        let mut straight = HttpConnector::new();
        straight.enforce_http(false);
        straight.set_nodelay(true);
        Self { straight, through: None }
    }

    /// Through a proxy, which is reached by `to_proxy`.
    pub fn through(proxy: Proxy, to_proxy: HttpsConnector<HttpConnector>) -> Self {
        Self { through: Some((proxy, to_proxy)), ..Self::straight() }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each call waits for a connector of its own.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self.through.clone() {
            None => {
                let straight = self.straight.clone();
                Box::pin(async move { Ok(MaybeHttpsStream::Http(straight.oneshot(to).await?)) })
            }
            Some((proxy, to_proxy)) => Box::pin(async move {
                let near = to_proxy.oneshot(proxy.address.clone()).await;
                let near = near.map_err(|e| Said(format!("the proxy {proxy} {}", unreached(&*e))))?;
                Ok(passed(&proxy, near, &to).await?)
            }),
        }
    }
}

/// Asks the proxy for the way to the server.
async fn passed(proxy: &Proxy, near: Stream, to: &Uri) -> Result<Stream, Said> {
    let (host, port) = place(to);
    let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    // The library's default port is that of https, whatever the scheme.
    let to: Uri =
        format!("https://{shown}/").parse().map_err(|_| Said(format!("{shown} is not an address")))?;
    let mut near = Some(near);
    let given = service_fn(move |_: Uri| {
        let near = near.take().ok_or_else(|| io::Error::other("the connection is used already"));
        async move { near }
    });
    let outcome = match proxy.protocol {
        Protocol::Socks5 => {
            let mut socks = SocksV5::new(proxy.address.clone(), given);
            if let Some((user, password)) = proxy.login.clone() {
                socks = socks.with_auth(user, password);
            }
            socks.call(to).await.map_err(|e| e.to_string())
        }
        Protocol::Connect => {
            let mut tunnel = Tunnel::new(proxy.address.clone(), given);
            if let Some(basic) = proxy.login.as_ref().and_then(|(user, password)| basic(user, password)) {
                tunnel = tunnel.with_auth(basic);
            }
            tunnel.call(to).await.map_err(|e| e.to_string())
        }
    };
    outcome.map_err(|why| {
        let why = why.rsplit(": ").next().unwrap_or_default().to_owned();
        let why = match why.as_str() {
            "proxy authorization required" => "it wants a user and a password that it accepts".into(),
            "unsuccessful" => "it refuses".into(),
            "unexpected end of file" | "io error establishing tunnel" | "io error during SOCKS handshake" => {
                "it closes the connection".into()
            }
            "failed parsing server response" | "server implements authentication incorrectly" => {
                "it does not speak the protocol that is configured".into()
            }
            _ => why,
        };
        Said(format!("the proxy {proxy} does not lead to {shown}: {why}"))
    })
}

/// `Basic user:password`.
pub(super) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {text}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Why there is no connection, without saying to whom.
fn unreached(error: &(dyn StdError + 'static)) -> String {
    let (mut next, mut deepest) = (Some(error), error.to_string());
    while let Some(cause) = next {
        deepest = cause.to_string();
        if deepest.contains("dns error") || deepest.contains("failed to lookup address") {
            return "has a name that cannot be resolved".to_owned();
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return "refuses connections".to_owned(),
            Some(io::ErrorKind::TimedOut) => return "does not answer in time".to_owned(),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                return "cannot be reached: there is no route to it".to_owned();
            }
            _ => next = cause.source(),
        }
    }
    format!("cannot be reached: {deepest}")
}
