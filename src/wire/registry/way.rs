//! One registry as it is asked: the connection, and what it was shown to be let in.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::Scheme};
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
    Lacking, RegistryAddress,
    login::{Challenge, Login, challenge},
    named::{Named, bare, is_loopback},
    refusals,
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
    /// This machine cannot ask it, which says nothing of the registry: why, in a sentence.
    Unasked(String),
    /// It wants a login, and there is none for it.
    NoLogin,
    /// What nodes pull with is no login for it: one sentence.
    Unusable(String),
    /// It refuses the login: whose, and whether nodes pull with it.
    Refused(String, bool),
}

impl Stop {
    /// The same to who asks with these logins: what is refused has the name that it has there, for two secrets may hold one
    /// login. All are shown one after another, so that it is the last.
    pub(super) fn to(self, by: &Result<Vec<Login>, Lacking>) -> Self {
        match (self, by.as_ref().ok().and_then(|all| all.last())) {
            (Self::Refused(..), Some(login)) => Self::Refused(login.whose.clone(), login.of_nodes),
            (stop, _) => stop,
        }
    }

    /// In a sentence, after the name of the registry.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Failed(why) => why.clone(),
            Self::Unasked(why) | Self::Unusable(why) => format!("is not asked: {why}"),
            Self::NoLogin => "wants a login, and none is configured for it".into(),
            Self::Refused(whose, _) => format!("refuses {whose}"),
        }
    }
}

/// How a registry is asked.
pub(super) struct Way {
    client: Https,
    /// Asks others than the registry; the same, where it is asked under its own name.
    others: Https,
    base: String,
    /// The registry is not asked under its own name.
    is_elsewhere: bool,
    host: String,
    /// What it was shown, once it was let in.
    shown: Option<HeaderValue>,
    /// It is a token, good for one repository.
    is_token: bool,
    /// Those that are tried, one after another.
    logins: Result<Vec<Login>, Lacking>,
    /// Which of them is.
    turn: usize,
    /// It was sent, to the registry or to who hands out its tokens.
    sent: bool,
}

/// Whether what is sent to an address can be read on the way.
fn is_in_clear(uri: &Uri) -> bool {
    uri.scheme() != Some(&Scheme::HTTPS) && !uri.host().is_some_and(is_loopback)
}

impl Way {
    /// A login that is lacking is told once one is wanted: what everybody may pull needs none.
    pub(super) fn to(
        named: &Named,
        place: &RegistryAddress,
        logins: Result<Vec<Login>, Lacking>,
    ) -> Result<Self, Stop> {
        let cannot = |why: String| Stop::Unasked(why);
        let roots = tls::store(place.authority.as_deref()).map_err(cannot)?;
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|why| cannot(why.to_string()))?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let builder = || HttpsConnectorBuilder::new().with_tls_config(config.clone()).https_or_http();
        let client = |connector| Client::builder(TokioExecutor::new()).build(connector);
        let others: Https = client(builder().enable_http1().build());
        let own = match place.base {
            // It is asked elsewhere, and is who it is.
            Some(_) => {
                let name = ServerName::try_from(bare(&named.host).to_owned());
                let name = FixedServerNameResolver::new(name.map_err(|why| cannot(why.to_string()))?);
                client(builder().with_server_name_resolver(name).enable_http1().build())
            }
            None => others.clone(),
        };
        Ok(Self {
            client: own,
            others,
            base: place.base.clone().unwrap_or_else(|| named.base()),
            is_elsewhere: place.base.is_some(),
            host: named.host.clone(),
            shown: None,
            is_token: false,
            logins,
            turn: 0,
            sent: false,
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

    /// Asks, and shows a login where a 401 wants one: each once, for accounts are locked by those who try again.
    pub(super) async fn ask(&mut self, method: Method, path: &str) -> Result<Reply, Stop> {
        let first = self.get(method.clone(), path).await?;
        if first.status() != StatusCode::UNAUTHORIZED || self.shown.is_some() {
            return self.let_in(first);
        }
        let wanted = challenge(&first);
        loop {
            let asked = async {
                self.show(&wanted).await?;
                let reply = self.get(method.clone(), path).await?;
                self.let_in(reply)
            };
            match asked.await {
                // As nodes do: what one may not, another may.
                Err(Stop::Refused(..)) if self.has_another() => {
                    (self.turn, self.sent, self.shown, self.is_token) = (self.turn + 1, false, None, false);
                }
                other => return other,
            }
        }
    }

    /// What a 401 wants is shown from now on.
    async fn show(&mut self, wanted: &Challenge) -> Result<(), Stop> {
        match wanted {
            Challenge::Bearer(wanted) => {
                let token = self.token(wanted).await?;
                let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
                let mut value =
                    value.map_err(|_| Stop::Failed("hands out no token that can be sent".into()))?;
                value.set_sensitive(true);
                (self.shown, self.is_token) = (Some(value), true);
            }
            Challenge::Basic => {
                let Ok(Some(login)) = self.login() else { return Err(self.shut()) };
                if self.in_clear() {
                    return Err(self.shut());
                }
                self.shown = Some(self.basic(login, "")?);
                self.sent = true;
            }
            Challenge::Other => {
                return Err(match self.login() {
                    Ok(Some(_)) => Stop::Failed("wants a login of another kind than Basic or a token".into()),
                    _ => self.shut(),
                });
            }
        }
        Ok(())
    }

    /// Who asks now.
    fn login(&self) -> Result<Option<&Login>, &Lacking> {
        self.logins.as_ref().map(|all| all.get(self.turn))
    }

    fn has_another(&self) -> bool {
        self.logins.as_ref().is_ok_and(|all| self.turn + 1 < all.len())
    }

    /// Another repository is asked for next: a token is not good for it, and who may not this one may that.
    pub(super) fn drop_token(&mut self) {
        if self.is_token {
            (self.shown, self.is_token, self.turn, self.sent) = (None, false, 0, false);
        }
    }

    fn in_clear(&self) -> bool {
        self.base.parse().map_or(true, |uri| is_in_clear(&uri))
    }

    /// What is shown for a login, unless it was refused a short while ago, for anything or for this scope.
    fn basic(&self, login: &Login, scope: &str) -> Result<HeaderValue, Stop> {
        if refusals::is_refused(&self.base, scope, login) {
            return Err(Stop::Refused(login.whose.clone(), login.of_nodes));
        }
        let odd = || Stop::Unasked(format!("{login} holds characters that no header may hold"));
        login.basic().ok_or_else(odd)
    }

    /// Why it does not let us in: that it refuses a login is said of one that was sent alone.
    fn shut(&self) -> Stop {
        self.shut_for("")
    }

    /// The same of one scope: another may be let in.
    fn shut_for(&self, scope: &str) -> Stop {
        match self.login() {
            Ok(Some(login)) if self.sent => {
                // One that a token was handed out for is good, if not for this repository.
                if !self.is_token {
                    refusals::refused(&self.base, scope, login);
                }
                Stop::Refused(login.whose.clone(), login.of_nodes)
            }
            Ok(Some(_)) => Stop::Failed("wants a login, and none is sent without TLS".into()),
            Ok(None) => Stop::NoLogin,
            Err(Lacking::Unusable(why)) => Stop::Unusable(why.clone()),
            Err(Lacking::Unread(why)) => Stop::Unasked(why.clone()),
        }
    }

    fn let_in(&self, reply: Reply) -> Result<Reply, Stop> {
        if reply.status() == StatusCode::UNAUTHORIZED { Err(self.shut()) } else { Ok(reply) }
    }

    /// A token, of somebody where there is a login, else of nobody.
    async fn token(&mut self, wanted: &BTreeMap<String, String>) -> Result<SecretString, Stop> {
        let none = |why: String| Stop::Failed(format!("hands out no token: {why}"));
        let odd = || none("where it is asked for is not understood".into());
        let realm = wanted.get("realm").ok_or_else(odd)?;
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
        let mut uri: Uri = address.parse().map_err(|_| odd())?;
        // It hands out its tokens itself: where it is asked, they are asked for.
        let is_own = uri.authority().is_some_and(|at| at.as_str().eq_ignore_ascii_case(&self.host));
        let own = self.is_elsewhere && is_own;
        if own {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            uri = format!("{}{path}", self.base).parse().map_err(|_| odd())?;
        }
        let secure = !is_in_clear(&uri) && !self.in_clear();
        let scope = wanted.get("scope").map_or("", String::as_str);
        let mut request = Request::get(uri);
        if own {
            request = request.header(header::HOST, &self.host);
        }
        if let Ok(Some(login)) = self.login()
            && secure
        {
            request = request.header(header::AUTHORIZATION, self.basic(login, scope)?);
            self.sent = true;
        }
        let request = request.body(Empty::new()).map_err(|_| odd())?;
        let client = if own { &self.client } else { &self.others };
        let answer = client.request(request).await.map_err(|why| none(deepest(&why)))?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => return Err(self.shut()),
            // Some say so of a wrong password, others of a repository that is not for this login.
            StatusCode::FORBIDDEN if self.sent => return Err(self.shut_for(scope)),
            status if status.is_client_error() && !self.sent => return Err(self.shut()),
            status if !status.is_success() => return Err(none(format!("it answers {}", status.as_u16()))),
            _ => {}
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map_err(|why| none(why.to_string()))?.to_bytes();
        let unclear = || none("its answer is not understood".into());
        let Token { token, access_token } = serde_json::from_slice(&body).map_err(|_| unclear())?;
        token.or(access_token).ok_or_else(unclear)
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
