//! What stands around the cluster: edges, ingress nodes, volumes, replicas, Redis, the registry. What was read of each, and
//! what that means. Pure.
//!
//! Each kind is a file with what is read of it (a variant of [`Facts`]: values alone) and how it is judged, all of one kind
//! together. The screen, the commands and the findings read [`Platform`] and nothing else. What is not configured is
//! absent.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Endpoint, Freshness, Key, LinkState, Snapshot,
    clocks::Dated,
    words::{few, natural},
};

mod awaited;
mod counter;
mod derived;
pub mod edge;
mod fit;
pub mod floating;
pub mod look;
mod looker;
mod loss;
pub mod node;
pub mod redis;
pub mod registry;
pub mod replica;
mod sight;
pub mod volume;

pub use counter::Counter;
pub(super) use derived::Derived;
pub use edge::{EdgeFacts, Stub};
pub use floating::FloatingFacts;
pub use look::{Asked, Found, Looked, Reply, Spot, Unlooked};
pub use looker::{Duty, Looker, Telling};
pub use loss::{PlatformLoss, lost_with, machines, runs_on};
pub use node::IngressNodeFacts;
pub use registry::RegistryFacts;
pub use sight::{Known, Sight};

/// What a component is. In the order of the way from a client to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// The address that clients come to, on one of the edges.
    Floating,
    /// A proxy in front of the cluster.
    Edge,
    /// A node on which the ingress controller listens.
    IngressNode,
    /// A node of the storage that volumes are made of.
    StorageNode,
    /// A volume of files.
    Volume,
    /// A MySQL or MariaDB server with replicas, or one of them.
    Replica,
    /// A Redis server.
    Redis,
    /// A sentinel that watches Redis servers.
    Sentinel,
    /// A registry of images.
    Registry,
}

impl ComponentKind {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Floating,
        Self::Edge,
        Self::IngressNode,
        Self::StorageNode,
        Self::Volume,
        Self::Replica,
        Self::Redis,
        Self::Sentinel,
        Self::Registry,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Floating => "floating",
            Self::Edge => "edge",
            Self::IngressNode => "ingress node",
            Self::StorageNode => "storage node",
            Self::Volume => "volume",
            Self::Replica => "replica",
            Self::Redis => "Redis",
            Self::Sentinel => "sentinel",
            Self::Registry => "registry",
        }
    }

    /// How it is typed, and written in JSON.
    pub fn id(self) -> &'static str {
        match self {
            Self::Floating => "floating",
            Self::Edge => "edge",
            Self::IngressNode => "ingress-node",
            Self::StorageNode => "storage-node",
            Self::Volume => "volume",
            Self::Replica => "replica",
            Self::Redis => "redis",
            Self::Sentinel => "sentinel",
            Self::Registry => "registry",
        }
    }
}

impl FromStr for ComponentKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.id() == text);
        found.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|kind| kind.id()).collect();
            format!("`{text}` is no kind of component; there are {}", all.join(", "))
        })
    }
}

impl Serialize for ComponentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for ComponentKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What names a component: its kind, and its name as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ComponentKey {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name.
    pub name: Arc<str>,
}

impl ComponentKey {
    /// The key of a component.
    pub fn new(kind: ComponentKind, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl Ord for ComponentKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind.cmp(&other.kind).then_with(|| natural(&self.name, &other.name))
    }
}

impl PartialOrd for ComponentKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ComponentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// What was read of a component at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Facts {
    /// Of the floating address.
    Floating(FloatingFacts),
    /// Of an edge.
    Edge(EdgeFacts),
    /// Of an ingress node.
    IngressNode(IngressNodeFacts),
    /// Of a storage node.
    Storage(volume::StorageFacts),
    /// Of a volume.
    Volume(volume::VolumeFacts),
    /// Of a server with replicas, or one of them.
    Replica(replica::ReplicaFacts),
    /// Of a Redis server.
    Redis(redis::RedisFacts),
    /// Of a sentinel.
    Sentinel(redis::SentinelFacts),
    /// Of a registry of images.
    Registry(RegistryFacts),
}

impl Facts {
    /// How far all hosts have been looked at there, where hosts are.
    pub fn round(&self) -> Option<&edge::Round> {
        match self {
            Self::Floating(facts) => Some(&facts.round),
            Self::Edge(facts) => Some(&facts.round),
            Self::IngressNode(facts) => Some(&facts.round),
            _ => None,
        }
    }
}

impl Dated for Facts {
    fn moved(self, by: SignedDuration) -> Self {
        match self {
            Self::Floating(facts) => Self::Floating(facts.moved(by)),
            Self::Edge(facts) => Self::Edge(facts.moved(by)),
            Self::IngressNode(facts) => Self::IngressNode(facts.moved(by)),
            Self::Storage(facts) => Self::Storage(facts),
            Self::Volume(facts) => Self::Volume(facts.moved(by)),
            Self::Replica(facts) => Self::Replica(facts.moved(by)),
            Self::Redis(facts) => Self::Redis(facts.moved(by)),
            Self::Sentinel(facts) => Self::Sentinel(facts),
            Self::Registry(facts) => Self::Registry(facts.moved(by)),
        }
    }
}

/// One reading of the number that tells most of a component, for its trend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// When it was read.
    pub at: Timestamp,
    /// The number; its unit is the kind's.
    pub value: f64,
}

impl Dated for Gauge {
    fn moved(self, by: SignedDuration) -> Self {
        Self { at: self.at.moved(by), ..self }
    }
}

/// A component, and how well it is known: what cannot be read keeps what was known of it.
pub type Component = Endpoint<ComponentKey, Facts, Gauge>;

impl Component {
    /// The same component after this was read of it at `now`; the number is kept for its trend.
    #[must_use]
    pub fn read(&self, facts: Facts, number: Option<f64>, now: Timestamp) -> Self {
        match number {
            Some(value) => self.told(facts, Gauge { at: now, value }, now),
            None => Self {
                link: Freshness::Live { since: now },
                status: Some(Arc::new(facts)),
                history: self.history.clone(),
                ..Self::new(self.name.clone())
            },
        }
    }
}

/// What is configured of the platform around, as far as it is judged and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Around {
    /// The edges.
    pub edges: Vec<edge::Wanted>,
    /// The floating address, as configured.
    pub floating: Option<Arc<str>>,
    /// Ingress nodes are looked at.
    pub nodes: bool,
    /// Looks a second at most, of all edges, nodes and names together.
    pub probes: u32,
    /// Redis servers.
    pub redis: Vec<redis::Wanted>,
    /// The key of the tenants' ConfigMaps under which the place of their sessions stands.
    pub session_key: Option<Arc<str>>,
    /// Servers with replicas.
    pub replicas: Vec<replica::Wanted>,
    /// The Service that leads to the primary.
    pub read_write: Option<Key>,
    /// The Service that leads to the replicas.
    pub read_only: Option<Key>,
    /// Storage nodes.
    pub storage: Vec<volume::Wanted>,
    /// The volumes that are looked at; none: all.
    pub volumes: Vec<Arc<str>>,
}

impl Around {
    /// Hosts are looked at from outside.
    pub fn looks(&self) -> bool {
        !self.edges.is_empty() || self.floating.is_some() || self.nodes
    }

    /// The edge of that name.
    pub fn edge(&self, name: &str) -> Option<&edge::Wanted> {
        self.edges.iter().find(|edge| *edge.name == *name)
    }
}

/// What is to be said of a component: one thing that is wrong, or that nothing is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The component.
    pub key: ComponentKey,
    /// How it is.
    pub state: LinkState,
    /// In a sentence, after its name.
    pub text: String,
    /// Since when, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The rule that tells it as a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// Its numbers: what, and how much. Those of all that is said of a component are shown together.
    #[serde(skip)]
    pub numbers: Vec<(&'static str, String)>,
}

impl Judged {
    /// That of a component, in this state.
    pub fn new(key: &ComponentKey, state: LinkState, text: impl Into<String>) -> Self {
        let (key, text) = (key.clone(), text.into());
        Self { key, state, text, since: None, remedy: None, rule: None, numbers: Vec::new() }
    }

    /// The rule that tells it.
    #[must_use]
    pub fn rule(self, rule: &'static str) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// What answers it.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Since when it is so, where that is known.
    #[must_use]
    pub fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }

    /// Its numbers.
    #[must_use]
    pub fn numbers(self, numbers: Vec<(&'static str, String)>) -> Self {
        Self { numbers, ..self }
    }
}

/// A component, and all that is said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The component.
    pub key: ComponentKey,
    /// How it is: the worst of what is said.
    pub state: LinkState,
    /// What is said of it, the worst first; at least one thing.
    pub said: Vec<Judged>,
    /// Its numbers.
    #[serde(serialize_with = "as_table")]
    pub numbers: Vec<(&'static str, String)>,
    /// How well it is known.
    pub freshness: Freshness,
}

fn as_table<S: Serializer>(numbers: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(numbers.iter().map(|(name, value)| (name, value)))
}

impl Row {
    /// The worst in a sentence.
    pub fn text(&self) -> &str {
        self.said.first().map_or("", |said| &said.text)
    }

    /// When it last answered.
    pub fn answered(&self) -> Option<Timestamp> {
        match &self.freshness {
            Freshness::Live { since } | Freshness::Stale { since, .. } => Some(*since),
            Freshness::Connecting | Freshness::Missing { .. } => None,
        }
    }
}

/// The platform around, judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Platform {
    /// Its components, in their order.
    pub components: Vec<Row>,
    /// Who looks at it and how, in a sentence; `None`: nothing of it is configured.
    pub probing: Option<String>,
    /// Who looks at it.
    pub looker: Looker,
}

impl Platform {
    /// The platform of a snapshot, worked out once for it.
    pub fn of(seen: &Snapshot) -> Arc<Self> {
        seen.surveyed.of(seen)
    }

    fn derive(seen: &Snapshot) -> Self {
        if seen.platform.is_empty() {
            return Self::default();
        }
        let mut said = floating::judge(seen);
        said.extend(edge::judge(seen));
        said.extend(node::judge(seen));
        said.extend(volume::judge(seen));
        said.extend(replica::judge(seen));
        said.extend(redis::judge(seen));
        said.extend(registry::judge(seen));
        let row = |(key, component): (&ComponentKey, &Arc<Component>)| {
            let mut said: Vec<_> = said.iter().filter(|said| said.key == *key).cloned().collect();
            if said.is_empty() {
                said.extend(lost(key, component));
            }
            said.sort_by_key(|said| std::cmp::Reverse(said.state));
            let numbers = said.iter_mut().flat_map(|said| std::mem::take(&mut said.numbers)).collect();
            let state = said.first().map_or(LinkState::Unknown, |said| said.state);
            Row { key: key.clone(), state, said, numbers, freshness: component.link.clone() }
        };
        let components = seen.platform.items.iter().map(row).collect();
        Self { components, probing: Some(looker::told(seen)), looker: seen.looker.clone() }
    }

    /// The component of that key.
    pub fn get(&self, key: &ComponentKey) -> Option<&Row> {
        self.components.iter().find(|row| row.key == *key)
    }

    /// All that is wrong.
    pub fn wrong(&self) -> impl Iterator<Item = &Judged> {
        self.components.iter().flat_map(|row| &row.said).filter(|said| said.rule.is_some())
    }
}

/// The components of a kind.
fn of_kind(seen: &Snapshot, kind: ComponentKind) -> Vec<(&ComponentKey, &Arc<Component>)> {
    seen.platform.items.iter().filter(|(key, _)| key.kind == kind).collect()
}

/// That a component is not read: not yet, or why not. `None`: it is.
fn lost(key: &ComponentKey, component: &Component) -> Option<Judged> {
    let since = component.silent_since;
    match &component.link {
        Freshness::Live { .. } => None,
        Freshness::Connecting => Some(Judged::new(key, LinkState::Unknown, "not looked at yet")),
        Freshness::Stale { why, .. } | Freshness::Missing { why } => {
            Some(Judged::new(key, LinkState::Broken, &**why).since(since))
        }
    }
}

#[cfg(test)]
mod tests;
