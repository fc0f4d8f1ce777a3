//! References of images, as registries know them.

use std::net::IpAddr;

/// Docker Hub, under the name that answers.
const HUB: &str = "registry-1.docker.io";

/// An image as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) name: String,
    pub(super) reference: String,
}

impl Named {
    /// Source: `distribution/reference`: the part before the first `/` is a host where it has a `.` or a `:`, or is
    /// `localhost`; what has none is of Docker Hub.
    pub(super) fn of(image: &str) -> Self {
        let (rest, digest) =
            image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
        let (host, path) = match rest.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
            _ => (HUB, rest),
        };
        let host = if host == "docker.io" || host == "index.docker.io" { HUB } else { host };
        let (name, tag) = match path.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (path, "latest"),
        };
        let official = host == HUB && !name.contains('/');
        Self {
            host: host.to_owned(),
            name: if official { format!("library/{name}") } else { name.to_owned() },
            reference: digest.unwrap_or(tag).to_owned(),
        }
    }

    /// Where it is asked, where nothing else is said: loopback without TLS, as container runtimes do it.
    pub(super) fn base(&self) -> String {
        let scheme = if is_loopback(&self.host) { "http" } else { "https" };
        format!("{scheme}://{}", self.host)
    }

    /// Its manifests may be read without that counting as a pull.
    pub(super) fn is_free(&self) -> bool {
        self.host != HUB
    }

    /// It names what is in it, and not a tag that may be moved.
    pub(super) fn is_pinned(&self) -> bool {
        self.reference.contains(':')
    }
}

/// A host without its port, and an address without brackets.
pub(super) fn bare(host: &str) -> &str {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if is_port(port) && (bare.ends_with(']') || !bare.contains(':')) => bare,
        _ => host,
    };
    bare.trim_matches(['[', ']'])
}

/// Whether a host, with a port or without, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = bare(host);
    let address: Option<IpAddr> = bare.parse().ok();
    bare == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// The registry that an image comes from, by its name and port; `registry-1.docker.io` where none is named.
pub fn host_of(image: &str) -> String {
    Named::of(image).host
}
