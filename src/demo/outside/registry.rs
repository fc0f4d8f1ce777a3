//! The registry of the world's images: version 2 of the API, with Basic auth, over TLS.
//!
//! Source: the distribution specification, and replies of docker-registry 2.8.2: which `Accept` it answers 404 and which
//! 400, that HEAD has no body, that `/v2/` answers 200 without the storage.

use std::sync::Arc;

use base64::Engine;
use http::{HeaderValue, Method, Request, header};
use hyper::body::Incoming;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::web::{Page, answers, handshake, made};
use super::{PULLER, REGISTRY, Site};
use crate::image::{self, Blob, INDEX};
use crate::kind::Kind;
use crate::value::list;
use crate::world::World;

const JSON: &str = "application/json; charset=utf-8";
/// The certificate of the registry is so old.
const AGE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 12);

#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

pub(super) async fn connection(site: Arc<Site>, stream: TcpStream) {
    let issued = site.shared.world().epoch.saturating_sub(AGE).unwrap_or_default();
    let Ok(own) = site.authority.certificate(&[REGISTRY, "localhost", "127.0.0.1"], issued) else { return };
    let Some(stream) = handshake(Arc::new(Own(own)), stream).await else { return };
    answers(stream, |request| answer(&site.shared.world(), request)).await;
}

fn failure(status: u16, code: &str, message: &str) -> Page {
    made(
        status,
        JSON,
        json!({"errors": [{"code": code, "message": message, "detail": null}]}).to_string() + "\n",
    )
}

/// Who may not pull is answered by the proxy in front of a registry, as it mostly is.
fn unauthorized() -> Page {
    let title = "401 Authorization Required";
    let mut page =
        made(401, "text/html", format!("<html>\r\n<head><title>{title}</title></head>\r\n</html>\r\n"));
    let wanted = HeaderValue::from_static("Basic realm=\"registry\"");
    page.headers_mut().insert(header::WWW_AUTHENTICATE, wanted);
    page
}

fn answer(world: &World, request: &Request<Incoming>) -> Page {
    let word = |name: header::HeaderName| {
        let all = request.headers().get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        all.collect::<Vec<_>>().join(", ")
    };
    let (user, password) = PULLER;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut page = if word(header::AUTHORIZATION) != format!("Basic {login}") {
        unauthorized()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        failure(405, "UNSUPPORTED", "the operation is unsupported")
    } else {
        served(world, request.uri().path(), &word(header::ACCEPT))
    };
    let version = HeaderValue::from_static("registry/2.0");
    page.headers_mut().insert("Docker-Distribution-Api-Version", version);
    page
}

fn served(world: &World, path: &str, accept: &str) -> Page {
    if matches!(path, "/v2" | "/v2/") {
        return made(200, JSON, "{}");
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return made(404, "text/plain", "404 page not found\n");
    };
    if let Some((name, reference)) = rest.rsplit_once("/manifests/") {
        return manifest(world, name, reference, accept);
    }
    if let Some((name, digest)) = rest.rsplit_once("/blobs/") {
        let blob = images(world, name).find_map(|image| {
            image.blobs.get(digest).filter(|_| !is_collected(world, digest)).map(|blob| sent(digest, blob))
        });
        return blob.unwrap_or_else(|| failure(404, "BLOB_UNKNOWN", "blob unknown to registry"));
    }
    if let Some(name) = rest.strip_suffix("/tags/list") {
        let tags = tags(world, name);
        if tags.is_empty() {
            return failure(404, "NAME_UNKNOWN", "repository name not known to registry");
        }
        return made(200, JSON, json!({"name": name, "tags": tags}).to_string() + "\n");
    }
    made(404, "text/plain", "404 page not found\n")
}

fn is_mounted(world: &World) -> bool {
    world.around.registry.as_ref().is_some_and(|registry| registry.mounted)
}

fn is_collected(world: &World, digest: &str) -> bool {
    world.around.registry.as_ref().is_some_and(|registry| registry.collected.contains(digest))
}

/// The tags of a repository: those that any Deployment has, had, or asks for, where somebody pushed them.
fn tags(world: &World, name: &str) -> Vec<String> {
    let prefix = format!("{REGISTRY}/{name}:");
    let templates = [Kind::DEPLOYMENT, Kind::REPLICA_SET].into_iter();
    let templates = templates.flat_map(|kind| world.store.list(kind, None));
    let images = templates.flat_map(|one| list(&one["spec"]["template"]["spec"]["containers"]));
    let tag = |container: &Value| Some(container["image"].as_str()?.strip_prefix(&prefix)?.to_owned());
    let mut tags: Vec<String> = images.filter_map(tag).collect();
    tags.sort();
    tags.dedup();
    let pushed = |tag: &String| has(world, name, tag);
    tags.retain(pushed);
    tags
}

/// Whether somebody pushed it: what has `broken` in its tag was forgotten, as the kubelets have it too.
fn has(world: &World, name: &str, tag: &str) -> bool {
    let whole = format!("{REGISTRY}/{name}:{tag}");
    let absent = world.around.registry.as_ref().is_none_or(|registry| registry.absent.contains(&whole));
    is_mounted(world) && !absent && !tag.contains("broken") && matches!(name, "app" | "nginx")
}

fn image_of(world: &World, name: &str, tag: &str) -> Arc<image::Image> {
    let whole = format!("{REGISTRY}/{name}:{tag}");
    let build = world.around.registry.as_ref().and_then(|registry| registry.moved.get(&whole));
    image::image(&whole, build.copied().unwrap_or(1))
}

/// The images of a repository that run or were asked for, with those that a tag was moved away from.
fn images(world: &World, name: &str) -> impl Iterator<Item = Arc<image::Image>> + use<> {
    let all = if is_mounted(world) { image::known(&format!("{REGISTRY}/{name}:")) } else { Vec::new() };
    all.into_iter()
}

fn manifest(world: &World, name: &str, reference: &str, accept: &str) -> Page {
    let unknown = || failure(404, "MANIFEST_UNKNOWN", "manifest unknown");
    let found = if reference.starts_with("sha256:") {
        let by_digest = |image: Arc<image::Image>| {
            image.manifests.contains_key(reference).then(|| (reference.to_owned(), image))
        };
        images(world, name).find_map(by_digest)
    } else {
        let pushed = has(world, name, reference);
        pushed.then(|| image_of(world, name, reference)).map(|image| (image.digest.clone(), image))
    };
    let Some((digest, image)) = found.filter(|(digest, _)| is_mounted(world) && !is_collected(world, digest))
    else {
        return unknown();
    };
    let Some(blob) = image.manifests.get(&digest) else { return unknown() };
    let takes = accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == blob.media);
    if !takes {
        let what = if blob.media == INDEX { "index found" } else { "manifest found" };
        let text = format!(
            "OCI {what}, but accept header does not support OCI {}",
            if blob.media == INDEX { "indexes" } else { "manifests" }
        );
        return failure(404, "MANIFEST_UNKNOWN", &text);
    }
    sent(&digest, blob)
}

fn sent(digest: &str, blob: &Blob) -> Page {
    let mut page = made(200, blob.media, blob.bytes.clone());
    if let Ok(digest) = HeaderValue::from_str(digest) {
        page.headers_mut().insert("Docker-Content-Digest", digest);
    }
    page
}
