//! One registry as it is asked: the connection, and what it was shown to be let in.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, pki_types::ServerName};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    Place,
    login::{Challenge, Login, challenge},
    named::{Named, is_loopback},
};
use crate::wire::tls;

/// The operator waits meanwhile.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// More than a token is long.
const LONGEST: usize = 64 * 1024;
/// A manifest is at most this long by the distribution specification.
const LONGEST_MANIFEST: usize = 4 << 20;
/// What a manifest may be: without all of these, a registry answers 404 or 400 for an image that it has.
const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";

type Https = Client<hyper_rustls::HttpsConnector<HttpConnector>, Empty<Bytes>>;
pub(super) type Reply = Response<hyper::body::Incoming>;

/// Why a registry was not asked to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something is in the way: one sentence, after the name of the registry.
    Failed(String),
    /// It wants a login, and there is none for it.
    NoLogin,
    /// What nodes pull with is no login for it: one sentence.
    Unusable(String),
    /// It refuses the login: whose, and whether nodes pull with it.
    Refused(String, bool),
}

impl Stop {
    /// In a sentence, after the name of the registry.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Failed(why) => why.clone(),
            Self::Unusable(why) => format!("is not asked: {why}"),
            Self::NoLogin => "wants a login, and none is configured for it".into(),
            Self::Refused(whose, _) => format!("refuses {whose}"),
        }
    }
}

/// How a registry is asked.
pub(super) struct Way {
    client: Https,
    base: String,
    host: String,
    /// What it was shown, once it was let in.
    shown: Option<HeaderValue>,
    /// It is a token, good for one repository.
    is_token: bool,
    login: Option<Login>,
}

impl Way {
    pub(super) fn to(named: &Named, place: &Place, login: Option<Login>) -> Result<Self, Stop> {
        let cannot = |why: String| Stop::Failed(format!("cannot be asked: {why}"));
        let roots = tls::store(place.authority.as_deref()).map_err(cannot)?;
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|why| cannot(why.to_string()))?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        if place.base.is_some() {
            // It is asked elsewhere, and is who it is.
            let name = named.host.rsplit_once(':').map_or(&*named.host, |(name, _)| name).to_owned();
            let name = ServerName::try_from(name).map_err(|why| cannot(why.to_string()))?;
            connector = connector.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()),
            base: place.base.clone().unwrap_or_else(|| named.base()),
            host: named.host.clone(),
            shown: None,
            is_token: false,
            login,
        })
    }

    pub(super) async fn manifest(
        &self,
        method: Method,
        named: &Named,
        reference: &str,
    ) -> Result<Reply, Stop> {
        self.get(method, &format!("/v2/{}/manifests/{reference}", named.name)).await
    }

    pub(super) async fn blob(&self, named: &Named, digest: &str) -> Result<Reply, Stop> {
        self.get(Method::HEAD, &format!("/v2/{}/blobs/{digest}", named.name)).await
    }

    /// The body of a manifest.
    pub(super) async fn body(reply: Reply) -> Result<Bytes, Stop> {
        let body = Limited::new(reply.into_body(), LONGEST_MANIFEST).collect().await;
        let body = body.map_err(|why| Stop::Failed(format!("does not tell its manifest: {why}")))?;
        Ok(body.to_bytes())
    }

    async fn get(&self, method: Method, path: &str) -> Result<Reply, Stop> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let mut request = request.header(header::ACCEPT, KINDS).header(header::HOST, &self.host);
        if let Some(shown) = &self.shown {
            request = request.header(header::AUTHORIZATION, shown);
        }
        let odd = |_| Stop::Failed("has a name that no address can be made of".to_owned());
        let request = request.body(Empty::new()).map_err(odd)?;
        let answer = self.client.request(request).await;
        answer.map_err(|why| Stop::Failed(format!("cannot be reached: {}", deepest(&why))))
    }

    /// Asks, and shows a login where a 401 wants one: once, for accounts are locked by those who try again.
    pub(super) async fn ask(&mut self, method: Method, path: &str) -> Result<Reply, Stop> {
        let first = self.get(method.clone(), path).await?;
        if first.status() != StatusCode::UNAUTHORIZED || self.shown.is_some() {
            return self.let_in(first);
        }
        match challenge(&first) {
            Challenge::Bearer(wanted) => {
                let token = self.token(&wanted).await?;
                let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
                let mut value =
                    value.map_err(|_| Stop::Failed("hands out no token that can be sent".into()))?;
                value.set_sensitive(true);
                (self.shown, self.is_token) = (Some(value), true);
            }
            Challenge::Basic => {
                let login = self.login.as_ref().ok_or(Stop::NoLogin)?;
                let insecure =
                    self.base.starts_with("http://") && !is_loopback(self.base.trim_start_matches("http://"));
                if insecure {
                    return Err(Stop::Failed("is asked without TLS, and wants a login: none is sent".into()));
                }
                let odd = || {
                    Stop::Failed(format!(
                        "cannot be shown {login}: it holds characters that no header may hold"
                    ))
                };
                self.shown = Some(login.basic().ok_or_else(odd)?);
            }
            Challenge::Other => return Err(Stop::NoLogin),
        }
        let second = self.get(method, path).await?;
        self.let_in(second)
    }

    /// Another repository is asked for next: a token is not good for it.
    pub(super) fn drop_token(&mut self) {
        if self.is_token {
            (self.shown, self.is_token) = (None, false);
        }
    }

    fn let_in(&self, reply: Reply) -> Result<Reply, Stop> {
        match (reply.status(), &self.login) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(login)) if self.shown.is_some() => {
                Err(Stop::Refused(login.whose.clone(), login.of_nodes))
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Err(Stop::NoLogin),
            _ => Ok(reply),
        }
    }

    /// A token, of somebody where there is a login, else of nobody.
    async fn token(&self, wanted: &BTreeMap<String, String>) -> Result<SecretString, Stop> {
        let realm = wanted.get("realm").ok_or(Stop::NoLogin)?;
        let plain = |text: &str| {
            let kept = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:".contains(&b);
            text.bytes()
                .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect::<String>()
        };
        let query = ["service", "scope"].iter().filter_map(|key| {
            let value = wanted.get(*key)?;
            Some(format!("{key}={}", plain(value)))
        });
        let joint = if realm.contains('?') { '&' } else { '?' };
        let address = format!("{realm}{joint}{}", query.collect::<Vec<_>>().join("&"));
        let uri: Uri = address.parse().map_err(|_| Stop::NoLogin)?;
        let secure = uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback);
        let mut request = Request::get(uri);
        let login = self.login.as_ref().filter(|_| secure);
        if let Some(basic) = login.and_then(Login::basic) {
            request = request.header(header::AUTHORIZATION, basic);
        }
        let request = request.body(Empty::new()).map_err(|_| Stop::NoLogin)?;
        let none = |why: String| Stop::Failed(format!("hands out no token: {why}"));
        let answer = self.client.request(request).await.map_err(|why| none(deepest(&why)))?;
        match (answer.status(), login) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(login)) => {
                return Err(Stop::Refused(login.whose.clone(), login.of_nodes));
            }
            (status, _) if status.is_client_error() => return Err(Stop::NoLogin),
            (status, _) if !status.is_success() => {
                return Err(none(format!("it answers {}", status.as_u16())));
            }
            _ => {}
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map_err(|why| none(why.to_string()))?.to_bytes();
        let Token { token, access_token } = serde_json::from_slice(&body).map_err(|_| Stop::NoLogin)?;
        token.or(access_token).ok_or(Stop::NoLogin)
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
}

/// The cause that says most.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
