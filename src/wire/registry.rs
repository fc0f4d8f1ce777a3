//! Asks a registry of images whether it has one, with an anonymous token where it wants one: a HEAD request, and where it
//! has it, whether its parts are there too. Where it has not, the image that runs is asked for as well: a registry whose
//! storage is not mounted says of every image that it is not there.
//!
//! Used by the rehearsal of a plan with an image that no node has. No password and no pull secret is sent: a registry that
//! wants one has not been asked.
//!
//! Source: the distribution specification (`HEAD /v2/NAME/manifests/REFERENCE`) and the token flow of `distribution`
//! (`WWW-Authenticate: Bearer realm=..,service=..,scope=..`). As container runtimes do, loopback addresses are spoken to
//! without TLS.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;

/// The operator waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than a token is long.
const LONGEST: usize = 64 * 1024;
/// A manifest is at most this long by the distribution specification.
const LONGEST_MANIFEST: usize = 4 << 20;
/// What a manifest may be: without these, a registry answers with the oldest kind it has.
const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";

/// What a registry says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has it: which registry.
    Has(String),
    /// It does not: which registry.
    HasNot(String),
    /// It has neither that nor the image that runs: which registry, and the image that runs.
    Lost(String, String),
    /// It has it, and a part of it is missing.
    Damaged {
        /// Which registry.
        host: String,
        /// The digest of a part that is missing.
        part: String,
        /// No platform of the image has all its parts.
        all: bool,
    },
    /// It could not be asked: one sentence.
    Unknown(String),
}

/// An image as a registry knows it.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    host: String,
    name: String,
    reference: String,
}

impl Named {
    /// Source: `distribution/reference`: the part before the first `/` is a host where it has a `.` or a `:`, or is
    /// `localhost`; what has none is of Docker Hub.
    fn of(image: &str) -> Self {
        let (rest, digest) =
            image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
        let (host, path) = match rest.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
            _ => ("registry-1.docker.io", rest),
        };
        let host =
            if host == "docker.io" || host == "index.docker.io" { "registry-1.docker.io" } else { host };
        let (name, tag) = match path.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (path, "latest"),
        };
        let official = host == "registry-1.docker.io" && !name.contains('/');
        Self {
            host: host.to_owned(),
            name: if official { format!("library/{name}") } else { name.to_owned() },
            reference: digest.unwrap_or(tag).to_owned(),
        }
    }

    fn is_loopback(&self) -> bool {
        let bare = self.host.rsplit_once(':').map_or(&*self.host, |(host, _)| host);
        let address: Option<IpAddr> = bare.trim_matches(['[', ']']).parse().ok();
        bare == "localhost" || address.is_some_and(|address| address.is_loopback())
    }

    fn manifest(&self) -> String {
        self.address("manifests", &self.reference)
    }

    fn address(&self, kind: &str, reference: &str) -> String {
        let scheme = if self.is_loopback() { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{kind}/{reference}", self.host, self.name)
    }

    /// Its manifests may be read without that counting as a pull.
    fn is_free(&self) -> bool {
        self.host != "registry-1.docker.io"
    }
}

/// Asks the registry of an image whether it has it, all of it. The image that runs is what the answer is held against.
pub async fn ask(image: &str, running: Option<&str>) -> Answer {
    let answer = ask_once(image).await;
    let Answer::HasNot(host) = &answer else { return answer };
    let same = |other: &&str| *other != image && Named::of(other).host == *host;
    match running.filter(same) {
        Some(other) if ask_once(other).await == Answer::HasNot(host.clone()) => {
            Answer::Lost(host.clone(), other.to_owned())
        }
        _ => answer,
    }
}

async fn ask_once(image: &str) -> Answer {
    let named = Named::of(image);
    let host = named.host.clone();
    match tokio::time::timeout(PATIENCE, asked(&named)).await {
        Ok(Ok(Some(way))) => match tokio::time::timeout(PATIENCE, missing(&named, &way)).await {
            Ok(Ok(Some((part, all)))) => Answer::Damaged { host, part, all },
            // That parts cannot be asked for says nothing against the image.
            _ => Answer::Has(host),
        },
        Ok(Ok(None)) => Answer::HasNot(host),
        Ok(Err(why)) => Answer::Unknown(format!("its registry {host} {why}")),
        Err(_) => {
            Answer::Unknown(format!("its registry {host} did not answer within {} s", PATIENCE.as_secs()))
        }
    }
}

type Https = Client<hyper_rustls::HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// How a registry was asked that has the image: the client, and the token it wanted.
struct Way {
    client: Https,
    token: Option<String>,
}

/// `None`: it does not have it.
async fn asked(named: &Named) -> Result<Option<Way>, String> {
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
    let connector =
        connector.map_err(|why| format!("cannot be asked: no certificates are trusted here ({why})"))?;
    let client: Https =
        Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
    let manifest = named.manifest();
    let first = send(&client, Method::HEAD, &manifest, None).await?;
    let mut used = None;
    let answer = match challenge(&first).filter(|_| first.status() == StatusCode::UNAUTHORIZED) {
        Some(challenge) => {
            let token = used.insert(token(&client, &challenge).await?);
            send(&client, Method::HEAD, &manifest, Some(token)).await?
        }
        None => first,
    };
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => Ok(Some(Way { client, token: used })),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err("wants a login for it, and none is sent".into())
        }
        status => Err(format!("answers {}", status.as_u16())),
    }
}

/// A manifest, or an index of manifests.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    manifests: Vec<Part>,
    config: Option<Part>,
    layers: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    digest: String,
    platform: Option<Platform>,
    /// Where a layer is that may not be kept in a registry.
    urls: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: String,
}

/// A part of the image that the registry does not have, though it has its manifest (a bad garbage collection leaves that
/// behind), and whether no platform of it is whole.
async fn missing(named: &Named, way: &Way) -> Result<Option<(String, bool)>, String> {
    if !named.is_free() {
        return Ok(None);
    }
    let Some(index) = manifest(named, way, &named.reference).await? else { return Ok(None) };
    if index.manifests.is_empty() {
        return Ok(gap(named, way, &index).await?.map(|part| (part, true)));
    }
    let on_linux = |part: &&Part| part.platform.as_ref().is_none_or(|platform| platform.os == "linux");
    let (mut lost, mut whole) = (None, 0);
    for part in index.manifests.iter().filter(on_linux) {
        let gap = match manifest(named, way, &part.digest).await? {
            Some(manifest) => gap(named, way, &manifest).await?,
            None => Some(part.digest.clone()),
        };
        match gap {
            Some(part) => lost = lost.or(Some(part)),
            None => whole += 1,
        }
    }
    Ok(lost.map(|part| (part, whole == 0)))
}

/// The manifest of that reference; `None`: it is not there.
async fn manifest(named: &Named, way: &Way, reference: &str) -> Result<Option<Manifest>, String> {
    let address = named.address("manifests", reference);
    let answer = send(&way.client, Method::GET, &address, way.token.as_deref()).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !answer.status().is_success() {
        return Err(format!("answers {}", answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), LONGEST_MANIFEST).collect().await;
    let body = body.map_err(|why| format!("does not tell its manifest: {why}"))?.to_bytes();
    let read = serde_json::from_slice(&body);
    read.map(Some).map_err(|why| format!("has a manifest that is not understood: {why}"))
}

/// The configuration or the layer that is not there.
async fn gap(named: &Named, way: &Way, manifest: &Manifest) -> Result<Option<String>, String> {
    let kept = manifest.config.iter().chain(&manifest.layers).filter(|part| part.urls.is_empty());
    let asked = kept.map(async |part| {
        let address = named.address("blobs", &part.digest);
        let answer = send(&way.client, Method::HEAD, &address, way.token.as_deref()).await?;
        // A redirection leads to where it is stored.
        Ok::<_, String>((answer.status() == StatusCode::NOT_FOUND).then(|| part.digest.clone()))
    });
    let all = futures::future::try_join_all(asked).await?;
    Ok(all.into_iter().flatten().next())
}

async fn send(
    client: &Https,
    method: Method,
    address: &str,
    token: Option<&str>,
) -> Result<Response<hyper::body::Incoming>, String> {
    let mut request = Request::builder().method(method).uri(address).header(header::ACCEPT, KINDS);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request =
        request.body(Empty::new()).map_err(|_| "has a name that no address can be made of".to_owned())?;
    client.request(request).await.map_err(|why| format!("cannot be reached: {}", deepest(&why)))
}

/// What a token is asked for with, where the registry hands them out.
fn challenge<B>(answer: &Response<B>) -> Option<BTreeMap<String, String>> {
    let text = answer.headers().get(header::WWW_AUTHENTICATE)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // `key="value"`, with commas between them, and in values too.
    let mut found = BTreeMap::new();
    let mut rest = rest.trim();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        found.insert(key.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    Some(found)
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

async fn token(client: &Https, challenge: &BTreeMap<String, String>) -> Result<String, String> {
    let none = || "wants a login for it, and none is sent".to_owned();
    let realm = challenge.get("realm").ok_or_else(none)?;
    let plain = |text: &str| {
        let kept = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:".contains(&b);
        text.bytes()
            .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect::<String>()
    };
    let query = ["service", "scope"].iter().filter_map(|key| {
        let value = challenge.get(*key)?;
        Some(format!("{key}={}", plain(value)))
    });
    let joint = if realm.contains('?') { '&' } else { '?' };
    let address = format!("{realm}{joint}{}", query.collect::<Vec<_>>().join("&"));
    let uri: Uri = address.parse().map_err(|_| none())?;
    let answer = client.get(uri).await.map_err(|why| format!("hands out no token: {}", deepest(&why)))?;
    if !answer.status().is_success() {
        return Err(none());
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|why| format!("hands out no token: {why}"))?.to_bytes();
    let Token { token, access_token } = serde_json::from_slice(&body).map_err(|_| none())?;
    token.or(access_token).ok_or_else(none)
}

/// The cause that says most.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr};

    use hyper::{server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn references_are_read_as_container_runtimes_do() {
        for (image, host, name, reference) in [
            ("app", "registry-1.docker.io", "library/app", "latest"),
            ("team/app:2", "registry-1.docker.io", "team/app", "2"),
            ("docker.io/library/app:2", "registry-1.docker.io", "library/app", "2"),
            ("registry:5000/app", "registry:5000", "app", "latest"),
            ("registry.example/a/b:2.4.1", "registry.example", "a/b", "2.4.1"),
            ("localhost/app:1@sha256:01", "localhost", "app", "sha256:01"),
        ] {
            let named = Named::of(image);
            assert_eq!((&*named.host, &*named.name, &*named.reference), (host, name, reference), "{image}");
        }
        for (image, plain) in [
            ("127.0.0.1:5000/a", true),
            ("[::1]:5000/a", true),
            ("localhost/a", true),
            ("r.example/a", false),
        ] {
            assert_eq!(Named::of(image).manifest().starts_with("http://"), plain, "{image}");
        }
    }

    /// A registry on loopback that has `app:1`, wants a token for `guarded`, and a login for `private`.
    async fn registry() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let answer = move |request: Request<hyper::body::Incoming>| async move {
            let (path, query) =
                (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
            let bearer =
                request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
            let wants = |realm: &str| {
                format!(
                    "Bearer realm=\"http://{at}/{realm}\",service=\"r\",scope=\"repository:guarded/app:pull,push\""
                )
            };
            let reply = Response::builder();
            let (status, challenge, body) = match (path.as_str(), bearer.as_deref()) {
                ("/token", _) if query == "service=r&scope=repository:guarded/app:pull%2Cpush" => {
                    (200, None, r#"{"token":"t0k"}"#)
                }
                ("/v2/app/manifests/1", _) | ("/v2/guarded/app/manifests/1", Some("Bearer t0k")) => {
                    (200, None, "")
                }
                ("/v2/guarded/app/manifests/2", Some("Bearer t0k")) | ("/v2/app/manifests/2", _) => {
                    (404, None, "")
                }
                // Its storage is not mounted: everything is missing.
                (path, _) if path.starts_with("/v2/lost/") => (404, None, ""),
                ("/v2/index/manifests/1" | "/v2/half/manifests/1" | "/v2/bare/manifests/1", _) => (
                    200,
                    None,
                    r#"{"manifests":[{"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
                        {"digest":"sha256:b","platform":{"os":"linux","architecture":"arm64"}},
                        {"digest":"sha256:c","platform":{"os":"unknown","architecture":"unknown"}}]}"#,
                ),
                (
                    "/v2/index/manifests/sha256:a" | "/v2/half/manifests/sha256:a" | "/v2/cut/manifests/1",
                    _,
                ) => (
                    200,
                    None,
                    r#"{"config":{"digest":"sha256:conf"},"layers":[{"digest":"sha256:one"},
                        {"digest":"sha256:two"},{"digest":"sha256:far","urls":["https://x.example"]}]}"#,
                ),
                (
                    "/v2/index/manifests/sha256:b" | "/v2/half/manifests/sha256:b" | "/v2/whole/manifests/1",
                    _,
                ) => (200, None, r#"{"config":{"digest":"sha256:conf"},"layers":[{"digest":"sha256:one"}]}"#),
                (path, _) if path.ends_with("/blobs/sha256:two") && !path.contains("/index/") => {
                    (404, None, "")
                }
                (path, _) if path.ends_with("/blobs/sha256:far") => (404, None, ""),
                (path, _) if path.starts_with("/v2/bare/manifests/") => (404, None, ""),
                // Where it is stored is told by a redirection.
                (path, _) if path.contains("/blobs/") => (307, None, ""),
                (path, None) if path.starts_with("/v2/guarded/") => (401, Some(wants("token")), ""),
                (path, _) if path.starts_with("/v2/private/") => (401, Some("Basic realm=\"r\"".into()), ""),
                (path, _) if path.starts_with("/v2/broken/") => (503, None, ""),
                _ => (401, Some(wants("nowhere")), ""),
            };
            let reply = challenge.into_iter().fold(reply.status(status), |reply, wants: String| {
                reply.header(header::WWW_AUTHENTICATE, wants)
            });
            Ok::<_, Infallible>(
                reply.body(http_body_util::Full::new(Bytes::from_static(body.as_bytes()))).expect("a reply"),
            )
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
        });
        at
    }

    #[tokio::test]
    async fn a_registry_says_whether_it_has_an_image() {
        let at = registry().await;
        let of = |image: &str| format!("{at}/{image}");
        assert_eq!(ask(&of("app:1"), None).await, Answer::Has(at.to_string()));
        assert_eq!(ask(&of("app:2"), None).await, Answer::HasNot(at.to_string()));
        assert_eq!(ask(&of("guarded/app:1"), None).await, Answer::Has(at.to_string()));
        assert_eq!(ask(&of("guarded/app:2"), None).await, Answer::HasNot(at.to_string()));
        for (image, says) in [
            ("private/app:1", "wants a login"),
            ("other:1", "wants a login"),
            ("broken/app:1", "answers 503"),
        ] {
            let answer = ask(&of(image), None).await;
            assert!(matches!(&answer, Answer::Unknown(why) if why.contains(says)), "{image}: {answer:?}");
        }
        // The control: it has not even what runs, or it has.
        let lost = ask(&of("lost/app:2"), Some(&of("lost/app:1"))).await;
        assert_eq!(lost, Answer::Lost(at.to_string(), of("lost/app:1")));
        assert_eq!(ask(&of("app:2"), Some(&of("app:1"))).await, Answer::HasNot(at.to_string()));
        // One of another registry, or the same again, proves nothing.
        assert_eq!(ask(&of("lost/app:2"), Some("r.example/app:1")).await, Answer::HasNot(at.to_string()));
        assert_eq!(ask(&of("lost/app:2"), Some(&of("lost/app:2"))).await, Answer::HasNot(at.to_string()));
        // Parts: all there (a redirection counts), a layer gone, and one platform of two that is whole.
        assert_eq!(ask(&of("whole:1"), None).await, Answer::Has(at.to_string()));
        assert_eq!(ask(&of("index:1"), None).await, Answer::Has(at.to_string()));
        let damaged = |part: &str, whole: bool| Answer::Damaged {
            host: at.to_string(),
            part: format!("sha256:{part}"),
            all: whole,
        };
        assert_eq!(ask(&of("cut:1"), None).await, damaged("two", true));
        assert_eq!(ask(&of("half:1"), None).await, damaged("two", false));
        assert_eq!(ask(&of("bare:1"), None).await, damaged("a", true));
        // Nobody listens there.
        let nobody =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let answer = ask(&format!("{nobody}/app:1"), None).await;
        assert!(matches!(&answer, Answer::Unknown(why) if why.contains("cannot be reached")), "{answer:?}");
    }
}
