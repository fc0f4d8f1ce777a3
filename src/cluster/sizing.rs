//! What one request takes and how many a container serves: where these numbers come from, and when they alarm.
//!
//! Asked by `headroom` and by the health rules; `live::convert` reads [`Hints`](super::Hints) and
//! [`Pool`](super::Pool)s from the cluster. A number is taken from the first of: an annotation on the workload, the php-fpm pool of its ConfigMap, the
//! configuration, the default; which of them it was is kept beside it.

use std::{fmt, num::NonZeroU32, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Memory, Snapshot, Workload, pool};

/// Memory of one request where nothing else is said: 80 MB.
const REQUEST_MEMORY: Memory = Memory(80 << 20);
/// Requests of one php-fpm container where nothing else is said.
const MAX_CHILDREN: u32 = 8;

/// `[headroom]`: what is known of the application, and from when on little headroom is a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Sizing {
    /// Memory one request takes, such as `80Mi`; otherwise 80 MB.
    #[serde(skip_serializing_if = "Option::is_none", with = "quantity_option")]
    pub request_memory: Option<Memory>,
    /// Requests one php-fpm container serves at once; otherwise 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_children: Option<u32>,
    /// Database connections one request holds.
    pub connections: NonZeroU32,
    /// A tenant that can take no more than so many requests is a finding.
    pub low: u32,
    /// So is one whose headroom will be used up within this time.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub exhausted_within: SignedDuration,
    /// A node is overcommitted when its limits exceed its allocatable memory by this factor ...
    pub overcommit: f64,
    /// ... and this share of the memory is in use.
    pub node_used: f64,
    /// The kubelet evicts pods when less than this is available (`memory.available` of `evictionHard`).
    #[serde(with = "quantity")]
    pub eviction: Memory,
}

impl Default for Sizing {
    fn default() -> Self {
        Self {
            request_memory: None,
            max_children: None,
            connections: NonZeroU32::MIN,
            low: 1,
            exhausted_within: SignedDuration::from_mins(15),
            overcommit: 1.5,
            node_used: 0.85,
            eviction: Memory(100 << 20),
        }
    }
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", content = "name", rename_all = "lowercase")]
pub enum Origin {
    /// An annotation on the workload.
    Annotation,
    /// A ConfigMap in the workload's namespace, by name.
    ConfigMap(Arc<str>),
    /// `[headroom]` of the configuration.
    Configuration,
    /// Nothing says it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation => f.write_str("annotation"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::Configuration => f.write_str("configuration"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A number and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    /// The number.
    pub value: T,
    /// Where it comes from.
    pub source: Origin,
}

impl Sizing {
    /// Memory one request of that workload takes. Never nothing.
    pub fn request_memory(&self, workload: &Workload) -> Setting<Memory> {
        let (value, source) = match (workload.hints.request_memory, self.request_memory) {
            (Some(value), _) => (value, Origin::Annotation),
            (None, Some(value)) => (value, Origin::Configuration),
            (None, None) => (REQUEST_MEMORY, Origin::Default),
        };
        Setting { value: value.max(Memory(1)), source }
    }

    /// Requests one serving container of that workload takes at once.
    pub fn max_children(&self, seen: &Snapshot, workload: &Workload) -> Setting<u32> {
        let pool = || pool::children(seen, workload);
        let (value, source) = match (workload.hints.max_children, self.max_children) {
            (Some(value), _) => (value, Origin::Annotation),
            (None, configured) => match (pool(), configured) {
                (Some((children, name)), _) => (children, Origin::ConfigMap(name)),
                (None, Some(value)) => (value, Origin::Configuration),
                (None, None) => (MAX_CHILDREN, Origin::Default),
            },
        };
        Setting { value, source }
    }
}

mod quantity {
    use super::{Deserialize, Deserializer, Memory, Serializer};

    pub fn serialize<S: Serializer>(memory: &Memory, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&memory.notation())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Memory, D::Error> {
        let memory: Memory = String::deserialize(from)?.parse().map_err(serde::de::Error::custom)?;
        if memory == Memory::ZERO {
            return Err(serde::de::Error::custom("an amount of memory must be above 0"));
        }
        Ok(memory)
    }
}

mod quantity_option {
    use super::{Deserializer, Memory, Serializer, quantity};

    pub fn serialize<S: Serializer>(memory: &Option<Memory>, to: S) -> Result<S::Ok, S::Error> {
        match memory {
            Some(memory) => quantity::serialize(memory, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Memory>, D::Error> {
        quantity::deserialize(from).map(Some)
    }
}
