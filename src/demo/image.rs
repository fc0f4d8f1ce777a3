//! Images as a registry keeps them: what is in one follows from its name, digests are of what is in it.
//!
//! PURE. The kubelets say by it which image they run, the registry of the world serves it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::json;

/// An index of images, the oldest kind of which nobody makes any more.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The image for one platform.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The platforms that images are built for.
const PLATFORMS: [&str; 2] = ["amd64", "arm64"];
/// Layers of an image: the base, and the application.
const LAYERS: [&str; 2] = ["base", "application"];

/// Images by name and build: they are made of nothing else.
type Known = BTreeMap<(String, u32), Arc<Image>>;
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Something that a registry keeps by its digest.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) media: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// An image: the digest of its index, and all that it is made of.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) digest: String,
    /// Index and manifests.
    pub(crate) manifests: BTreeMap<String, Blob>,
    /// Configurations and layers.
    pub(crate) blobs: BTreeMap<String, Blob>,
}

/// Of what bytes it is.
fn digest_of(bytes: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
    sum.as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// The image that was pushed under this name as the `build`-th: a tag that is moved leads to another build.
pub(crate) fn image(name: &str, build: u32) -> Arc<Image> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (name.to_owned(), build);
    known.entry(key).or_insert_with(|| Arc::new(made(name, build))).clone()
}

/// The images whose names begin so, as far as anybody has asked for them by their names.
pub(crate) fn known(prefix: &str) -> Vec<Arc<Image>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let from = (prefix.to_owned(), 0);
    let all = known.range(from..).take_while(|((name, _), _)| name.starts_with(prefix));
    all.map(|(_, image)| image.clone()).collect()
}

fn made(name: &str, build: u32) -> Image {
    let (mut manifests, mut blobs) = (BTreeMap::new(), BTreeMap::new());
    let mut keep = |media: &'static str, bytes: Vec<u8>| {
        let (digest, size) = (digest_of(&bytes), bytes.len());
        blobs.insert(digest.clone(), Blob { media, bytes });
        (digest, size)
    };
    let mut listed = Vec::new();
    for platform in PLATFORMS {
        let layers: Vec<_> = LAYERS
            .iter()
            .map(|layer| {
                let text = format!("{name} {build} {platform} {layer}\n");
                let (digest, size) = keep("application/octet-stream", text.into_bytes());
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size})
            })
            .collect();
        let config = json!({"architecture": platform, "os": "linux", "config": {"Labels": {
            "org.opencontainers.image.ref.name": name, "dev.wheelhouse.demo.build": build.to_string()}},
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| layer["digest"].clone()).collect::<Vec<_>>()}});
        let (digest, size) = keep("application/octet-stream", config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size}});
        let bytes = manifest.to_string().into_bytes();
        let (digest, size) = (digest_of(&bytes), bytes.len());
        manifests.insert(digest.clone(), Blob { media: MANIFEST, bytes });
        listed.push(json!({"mediaType": MANIFEST, "digest": digest, "size": size,
                           "platform": {"architecture": platform, "os": "linux"}}));
    }
    let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string().into_bytes();
    let digest = digest_of(&bytes);
    manifests.insert(digest.clone(), Blob { media: INDEX, bytes });
    Image { digest, manifests, blobs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_of_what_is_in_it() {
        let one = image("registry.example/app:2.4.1", 1);
        assert_eq!(one.digest, image("registry.example/app:2.4.1", 1).digest);
        assert_ne!(one.digest, image("registry.example/app:2.4.1", 2).digest, "the tag was moved");
        assert_ne!(one.digest, image("registry.example/app:2.4.2", 1).digest);
        assert_eq!((one.manifests.len(), one.blobs.len()), (3, 6));
        for (digest, blob) in one.manifests.iter().chain(&one.blobs) {
            assert_eq!(*digest, digest_of(&blob.bytes));
        }
        // Source: `sha256sum` of an empty file.
        assert_eq!(digest_of(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
