//! What one request takes and how many a container serves: where these numbers come from, and when they alarm.
//!
//! Asked by `headroom` and by the health rules; `live::convert` reads [`Hints`] and [`Pool`]s from the cluster. A number
//! is taken from the first of: an annotation on the workload, the php-fpm pool of its ConfigMap, the configuration, the
//! default; which of them it was is kept beside it.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Key, Labels, Memory, Snapshot, Workload};

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

/// The php-fpm pools of a ConfigMap: all that is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Namespace and name of the ConfigMap.
    pub key: Key,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `pm.max_children`, of all pools together.
    pub max_children: u32,
}

/// The setting by which a php-fpm pool is known.
pub const POOL_KEY: &str = "pm.max_children";

/// `pm.max_children` of all pools in these files together; `None` when no file sets it to a number.
///
/// As php-fpm reads them (`fpm_conf.c`): files in the order of their names, `;` and `#` begin a comment, values may
/// stand in quotes, and a pool that is opened twice is one pool whose later setting counts. A value that php-fpm
/// would take from the environment (`${..}`) is not known here. What a script may take (`memory_limit`) is a bound and
/// no measure of what a request takes, and is not read.
pub fn max_children(files: &BTreeMap<String, String>) -> Option<u32> {
    let mut pools: BTreeMap<&str, u32> = BTreeMap::new();
    for file in files.values().filter(|text| text.contains(POOL_KEY)) {
        let mut section = "www";
        for line in file.lines() {
            let line = line.split([';', '#']).next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim();
            } else if let Some((key, value)) = line.split_once('=')
                && key.trim() == POOL_KEY
                && let Ok(children) = value.trim().trim_matches(['"', '\'']).parse::<u32>()
                && children > 0
            {
                pools.insert(section, children);
            }
        }
    }
    (!pools.is_empty()).then(|| pools.values().fold(0u32, |sum, n| sum.saturating_add(*n)))
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
        let pool = || pool_of(seen, workload);
        let (value, source) = match (workload.hints.max_children, self.max_children) {
            (Some(value), _) => (value, Origin::Annotation),
            (None, configured) => match (pool(), configured) {
                (Some(pool), _) => (pool.max_children, Origin::ConfigMap(pool.key.name.clone())),
                (None, Some(value)) => (value, Origin::Configuration),
                (None, None) => (MAX_CHILDREN, Origin::Default),
            },
        };
        Setting { value, source }
    }
}

/// The pool of a workload: of the ConfigMaps its template mounts; otherwise one that carries the workload's labels or
/// begins with its name.
fn pool_of<'a>(seen: &'a Snapshot, workload: &Workload) -> Option<&'a Arc<Pool>> {
    let Key { namespace, name } = &workload.key.key;
    let named = |name: &Arc<str>| seen.pools.get(&Key::new(namespace.clone(), name.clone()));
    if let Some(mounted) = workload.hints.config_maps.iter().find_map(named) {
        return Some(mounted);
    }
    let from = Key::new(namespace.clone(), "");
    let beside = || {
        let all = seen.pools.items.range(from.clone()..).map(|(_, pool)| pool);
        all.take_while(|pool| pool.key.namespace == *namespace)
    };
    let selects = |pool: &&Arc<Pool>| {
        !workload.selector.requirements.is_empty() && workload.selector.matches(&pool.labels)
    };
    let begins = |pool: &&Arc<Pool>| {
        pool.key.name.strip_prefix(&**name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    beside().find(selects).or_else(|| beside().find(begins))
}

/// An amount of memory in a file: the shortest whole notation, such as `80Mi`.
fn notation(memory: Memory) -> String {
    let units = [(1u64 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
    let unit = units.into_iter().find(|(unit, _)| memory.0 >= *unit && memory.0.is_multiple_of(*unit));
    unit.map_or_else(|| memory.0.to_string(), |(unit, suffix)| format!("{}{suffix}", memory.0 / unit))
}

mod quantity {
    use super::{Deserialize, Deserializer, Memory, Serializer, notation};

    pub fn serialize<S: Serializer>(memory: &Memory, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&notation(*memory))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn pools_are_read_as_php_fpm_reads_them() {
        for (all, children) in [
            (&[("www.conf", "[www]\npm = dynamic\npm.max_children = 8\n")][..], Some(8)),
            (&[("www.conf", "pm.max_children=12")], Some(12)),
            (&[("a.conf", "[www]\npm.max_children = \"5\" ; five\n[api]\n pm.max_children = 3")], Some(8)),
            (&[("a.conf", "[www]\npm.max_children = 5"), ("b.conf", "[www]\npm.max_children = 7")], Some(7)),
            (&[("a.conf", ";pm.max_children = 50\n#pm.max_children = 4")], None),
            (&[("a.conf", "pm.max_children = ${CHILDREN}")], None),
            (&[("a.conf", "pm.max_children = 0")], None),
            (&[("a.conf", "xpm.max_children = 9\n[")], None),
            (&[("a.conf", "")], None),
        ] {
            assert_eq!(max_children(&files(all)), children, "{all:?}");
        }
    }

    #[test]
    fn amounts_keep_their_notation() {
        for text in ["80Mi", "1Gi", "512Ki", "1000001"] {
            assert_eq!(notation(text.parse().expect("an amount")), text);
        }
    }
}
