//! What holds data around the cluster: `[[platform.redis]]`, `[[platform.replicas]]`, `[platform.gluster]`.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Platform, with_port};
use crate::{
    cluster::{
        Address, Key,
        platform::{
            redis, replica,
            volume::{self, is_volume_name},
        },
    },
    config::{Login, Span, text::as_text},
};

/// `[[platform.redis]]`: a Redis server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redis {
    /// What it is called.
    pub name: String,
    /// Its own address.
    pub address: RedisAddress,
    /// What the sentinels call its master, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The sentinels that watch it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentinel: Vec<SentinelAddress>,
    /// The machine it runs on: a node of the cluster or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub login: Login,
}

/// `[[platform.replicas]]`: a MySQL or MariaDB server with replicas, or one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replica {
    /// What it is called.
    pub name: String,
    /// Its own address.
    pub address: Address,
    /// The machine it runs on: a node of the cluster or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub login: Login,
}

/// `[platform.gluster]`: the storage nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Gluster {
    /// The storage nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<StorageNode>,
    /// The volumes that are looked at; without any all that there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// How long to wait between two rounds.
    pub every: Span,
}

impl Default for Gluster {
    fn default() -> Self {
        Self { nodes: Vec::new(), volumes: Vec::new(), every: Span(Duration::from_secs(30)) }
    }
}

/// `[[platform.gluster.nodes]]`: a storage node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StorageNode {
    /// What it is called.
    pub name: String,
    /// What `ssh` takes for it; otherwise its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<String>,
    /// The machine it is: a node of the cluster or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

/// `host:port` of a Redis server; the port is 6379 where it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress(pub Address);

/// `host:port` of a sentinel; the port is 26379 where it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelAddress(pub Address);

/// `namespace/name` of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(pub Key);

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |part: &str| {
            !part.is_empty() && !part.contains(['/', ':']) && !part.contains(char::is_whitespace)
        };
        match text.split_once('/').filter(|(namespace, name)| plain(namespace) && plain(name)) {
            Some((namespace, name)) => Ok(Self(Key::new(namespace, name))),
            None => Err(format!("`{text}` is not a Service such as db/mysql-rw: namespace/name")),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! address {
    ($name:ident, $port:literal) => {
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                with_port(text, $port).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        as_text!($name);
    };
}

as_text!(ServiceName);
address!(RedisAddress, 6379);
address!(SentinelAddress, 26379);

impl Gluster {
    /// No storage node is named.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Platform {
    /// Something that holds data is configured.
    pub fn has_stores(&self) -> bool {
        !self.redis.is_empty() || !self.replicas.is_empty() || !self.gluster.is_empty()
    }
}

impl Redis {
    pub(super) fn wanted(&self) -> redis::Wanted {
        redis::Wanted {
            name: self.name.as_str().into(),
            address: self.address.to_string().into(),
            set: self.set.as_deref().map(Into::into),
            sentinels: self.sentinel.iter().map(|at| Arc::from(at.to_string())).collect(),
            machine: self.machine.as_deref().map(Into::into),
        }
    }
}

impl Replica {
    pub(super) fn wanted(&self) -> replica::Wanted {
        replica::Wanted {
            name: self.name.as_str().into(),
            address: self.address.to_string().into(),
            machine: self.machine.as_deref().map(Into::into),
        }
    }
}

impl StorageNode {
    /// What `ssh` takes for it.
    pub fn ssh(&self) -> &str {
        self.ssh.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn wanted(&self) -> volume::Wanted {
        volume::Wanted { name: self.name.as_str().into(), machine: self.machine.as_deref().map(Into::into) }
    }
}

/// What cannot be meant.
pub(super) fn senseless(platform: &Platform) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let redis = platform.redis.iter().map(|r| (r.name.as_str(), r.address.to_string()));
    let replicas = platform.replicas.iter().map(|r| (r.name.as_str(), r.address.to_string()));
    let nodes = platform.gluster.nodes.iter().map(|n| (n.name.as_str(), n.ssh().to_owned()));
    let lists: [(&'static str, Vec<(&str, String)>); 3] =
        [("redis", redis.collect()), ("replicas", replicas.collect()), ("gluster.nodes", nodes.collect())];
    for (setting, all) in lists {
        for (i, (name, address)) in all.iter().enumerate() {
            let at = |key: &str| format!("{setting}.{i}.{key}");
            if name.trim().is_empty() {
                found.push((at("name"), "one has an empty name".to_owned()));
            } else if all[..i].iter().any(|(other, _)| other == name) {
                found.push((at("name"), format!("{name} is named twice; remove one")));
            } else if let Some((other, _)) = all[..i].iter().find(|(_, other)| other == address) {
                found.push((at("address"), format!("{other} and {name} have the same address {address}")));
            }
        }
    }
    for (setting, service) in [("read-write", &platform.read_write), ("read-only", &platform.read_only)] {
        if platform.replicas.is_empty() && service.is_some() {
            found.push((setting.to_owned(), "it is compared with the servers: name replicas".to_owned()));
        }
    }
    for (i, node) in platform.gluster.nodes.iter().enumerate() {
        // What begins with a dash is an option of ssh.
        if node.ssh().starts_with('-') || node.ssh().contains(char::is_whitespace) {
            found.push((
                format!("gluster.nodes.{i}"),
                format!("`{}` is no host that ssh can be told", node.ssh()),
            ));
        }
    }
    for (i, name) in platform.gluster.volumes.iter().enumerate() {
        if !is_volume_name(name) {
            let text = format!("`{name}` is no name of a volume: letters, digits, `_`, `-` and `.`");
            found.push((format!("gluster.volumes.{i}"), text));
        }
    }
    if platform.gluster.nodes.is_empty() && !platform.gluster.volumes.is_empty() {
        found.push((
            "gluster.volumes".to_owned(),
            "volumes are looked at from storage nodes: name some".to_owned(),
        ));
    }
    found
}
