//! What an image is made of, and whether the registry has all of it.

use http::{Method, StatusCode};
use serde::Deserialize;

use super::{
    named::Named,
    way::{Stop, Way},
};

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
pub(super) async fn missing(named: &Named, way: &Way) -> Result<Option<(String, bool)>, Stop> {
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

/// The digests of the manifests that an index leads to: what some runtimes say that they run.
pub(super) async fn platforms(named: &Named, way: &Way) -> Result<Vec<String>, Stop> {
    let index = manifest(named, way, &named.reference).await?.unwrap_or_default();
    let config = index.config.into_iter().map(|config| config.digest);
    Ok(index.manifests.into_iter().map(|part| part.digest).chain(config).collect())
}

/// The manifest of that reference; `None`: it is not there.
async fn manifest(named: &Named, way: &Way, reference: &str) -> Result<Option<Manifest>, Stop> {
    let answer = way.manifest(Method::GET, named, reference).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !answer.status().is_success() {
        return Err(Stop::Failed(format!("answers {}", answer.status().as_u16())));
    }
    let read = serde_json::from_slice(&Way::body(answer).await?);
    read.map(Some).map_err(|why| Stop::Failed(format!("has a manifest that is not understood: {why}")))
}

/// The configuration or the layer that is not there.
async fn gap(named: &Named, way: &Way, manifest: &Manifest) -> Result<Option<String>, Stop> {
    let kept = manifest.config.iter().chain(&manifest.layers).filter(|part| part.urls.is_empty());
    let asked = kept.map(async |part| {
        let answer = way.blob(named, &part.digest).await?;
        // A redirection leads to where it is stored.
        Ok::<_, Stop>((answer.status() == StatusCode::NOT_FOUND).then(|| part.digest.clone()))
    });
    let all = futures::future::try_join_all(asked).await?;
    Ok(all.into_iter().flatten().next())
}
