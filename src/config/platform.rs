//! `[platform]`: what stands around the cluster, kind by kind. What is not configured is not looked at and not shown.

mod registry;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

mod stores;

use super::{Span, text::as_text};
use crate::cluster::{
    Address,
    platform::{Around, edge},
};
pub use stores::{Gluster, Redis, RedisAddress, Replica, SentinelAddress, ServiceName, StorageNode};

pub use registry::{BaseUrl, PullSecret, Registry, RegistryName};

/// `[platform]`: the edges, the ingress nodes, and how hosts are looked at through them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Platform {
    /// The proxies in front of the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// The address that clients come to, on one of the edges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floating: Option<TlsAddress>,
    /// Where the ingress controller listens, without TLS.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ingress_nodes: Vec<PlainAddress>,
    /// The port at which it listens on every node of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<Port>,
    /// One cockpit looks for all that look at the same.
    pub share: bool,
    /// Looks a second at most.
    pub probes: Probes,
    /// Each host is looked at not more often than this.
    pub every: Span,
    /// What is asked for: a file, so that no worker of the application is taken.
    pub path: UrlPath,
    /// What the application answers, asked for rarely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deep_path: Option<UrlPath>,
    /// How rarely.
    pub deep_every: Span,
    /// Certificates are trusted that are issued by those in this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Redis servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redis: Vec<Redis>,
    /// The key of the tenants' ConfigMaps under which the place of their sessions stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// Servers with replicas: the primary and its replicas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    /// The Service that leads to the primary, `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_write: Option<ServiceName>,
    /// The Service that leads to the replicas, `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<ServiceName>,
    /// The storage nodes of GlusterFS.
    pub gluster: Gluster,
    /// Where images come from.
    pub registry: Registry,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            edges: Vec::new(),
            floating: None,
            ingress_nodes: Vec::new(),
            node_port: None,
            share: true,
            probes: Probes(10),
            every: Span(Duration::from_secs(60)),
            path: UrlPath("/robots.txt".into()),
            deep_path: None,
            deep_every: Span(Duration::from_secs(600)),
            ca: None,
            redis: Vec::new(),
            session_key: None,
            replicas: Vec::new(),
            read_write: None,
            read_only: None,
            gluster: Gluster::default(),
            registry: Registry::default(),
        }
    }
}

impl Platform {
    /// Hosts are looked at from outside.
    pub fn looks(&self) -> bool {
        let nodes = !self.ingress_nodes.is_empty() || self.node_port.is_some();
        !self.edges.is_empty() || self.floating.is_some() || nodes
    }

    /// Nothing around is configured.
    pub fn is_empty(&self) -> bool {
        !self.looks() && !self.has_stores() && !self.registry.is_configured()
    }
}

/// `[[platform.edges]]`: a proxy in front of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Edge {
    /// What it is called.
    pub name: String,
    /// Its own address.
    pub address: TlsAddress,
    /// Where its `stub_status` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stub_status: Option<HttpUrl>,
    /// The machine it runs on: a node of the cluster or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// `worker_processes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// `worker_connections` of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_connections: Option<u32>,
}

/// `host:port`; the port is 443 where it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsAddress(pub Address);

/// `host:port` of what speaks no TLS; the port is 80 where it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainAddress(pub Address);

/// A path of a URL, such as `/robots.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath(pub String);

/// A URL without TLS, such as `http://192.0.2.11:8080/stub_status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// Where it leads.
    pub at: Address,
    /// The path.
    pub path: UrlPath,
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Port(pub u16);

/// Looks a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Probes(pub u32);

/// An address whose port may be left out.
fn with_port(text: &str, port: u16) -> Result<Address, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let whole = if bare.contains("::") && !text.starts_with('[') {
        format!("[{bare}]:{port}")
    } else if text.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty() && !text.ends_with(']')) {
        text.to_owned()
    } else {
        format!("{text}:{port}")
    };
    whole.parse().map_err(|_: String| {
        format!("`{text}` is not an address such as 192.0.2.11 or edge-1.example:{port}")
    })
}

impl std::str::FromStr for TlsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        with_port(text, 443).map(Self)
    }
}

impl std::str::FromStr for PlainAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        with_port(text, 80).map(Self)
    }
}

impl std::str::FromStr for UrlPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("`{text}` is no path: it begins with / and has no blanks"))
    }
}

impl std::str::FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a URL such as http://192.0.2.11:8080/stub_status");
        let rest = text.strip_prefix("http://").ok_or_else(bad)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let at = with_port(host, 80).map_err(|_| bad())?;
        Ok(Self { at, path: format!("/{path}").parse()? })
    }
}

impl std::fmt::Display for TlsAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for PlainAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for UrlPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.at, self.path)
    }
}

as_text!(TlsAddress, PlainAddress, UrlPath, HttpUrl);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        if number == 0 { Err(D::Error::custom("0 is no port")) } else { Ok(Self(number)) }
    }
}

impl<'de> Deserialize<'de> for Probes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            n @ 1..=100 => Ok(Self(n)),
            n => Err(D::Error::custom(format!("{n} is not between 1 and 100 looks a second"))),
        }
    }
}

/// What is judged and shown of it.
pub fn around(platform: &Platform) -> Around {
    let edge = |edge: &Edge| edge::Wanted {
        name: edge.name.as_str().into(),
        machine: edge.machine.as_deref().map(Into::into),
        connections: edge
            .workers
            .unwrap_or(1)
            .checked_mul(edge.worker_connections.unwrap_or(0))
            .filter(|n| *n > 0),
    };
    Around {
        edges: platform.edges.iter().map(edge).collect(),
        floating: platform.floating.as_ref().map(|at| at.to_string().into()),
        nodes: !platform.ingress_nodes.is_empty() || platform.node_port.is_some(),
        probes: platform.probes.0,
        session_key: platform.session_key.as_deref().map(Into::into),
        redis: platform.redis.iter().map(Redis::wanted).collect(),
        replicas: platform.replicas.iter().map(Replica::wanted).collect(),
        read_write: platform.read_write.as_ref().map(|service| service.0.clone()),
        read_only: platform.read_only.as_ref().map(|service| service.0.clone()),
        storage: platform.gluster.nodes.iter().map(StorageNode::wanted).collect(),
        volumes: platform.gluster.volumes.iter().map(|name| name.as_str().into()).collect(),
    }
}

/// What cannot be meant: the setting within the section, and why, one sentence each.
pub(super) fn senseless(platform: &Platform) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (i, edge) in platform.edges.iter().enumerate() {
        let before = &platform.edges[..i];
        let at = |key: &str| format!("edges.{i}.{key}");
        if edge.name.trim().is_empty() {
            found.push((at("name"), "an edge has an empty name".to_owned()));
        }
        if before.iter().any(|other| other.name == edge.name) {
            found.push((at("name"), format!("{} is named twice; remove one", edge.name)));
        }
        if let Some(other) = before.iter().find(|other| other.address == edge.address) {
            found.push((
                at("address"),
                format!("{} and {} have the same address {}", other.name, edge.name, edge.address),
            ));
        }
        if platform.floating.as_ref() == Some(&edge.address) {
            let text = format!(
                "{} is the address of {}: an edge is named by its own address",
                edge.address, edge.name
            );
            found.push(("floating".to_owned(), text));
        }
        if edge.workers.is_some() && edge.worker_connections.is_none() {
            found.push((
                at("workers"),
                format!("{} has workers and no worker-connections: name both", edge.name),
            ));
        }
        if edge.workers == Some(0) || edge.worker_connections == Some(0) {
            let key = if edge.workers == Some(0) { "workers" } else { "worker-connections" };
            found.push((at(key), format!("{} has 0 workers or worker-connections", edge.name)));
        }
    }
    for (i, node) in platform.ingress_nodes.iter().enumerate() {
        if platform.ingress_nodes[..i].contains(node) {
            found.push((format!("ingress-nodes.{i}"), format!("{node} is named twice; remove one")));
        }
    }
    if platform.deep_path.is_some() && platform.edges.is_empty() && platform.floating.is_none() {
        found.push((
            "deep-path".to_owned(),
            "it is asked for through an edge: name edges or the floating address".to_owned(),
        ));
    }
    found.extend(stores::senseless(platform));
    found
}
