//! The platform around is observed: each host is asked for at every edge, at the floating address and at every ingress
//! node, within a budget, and names are resolved; what holds data and where images come from is asked as well. It only reads.
//!
//! Entered by [`follow`]. Where cockpits share what they see, one of them looks and the others read (`shared`).

mod ask;
mod endpoint;
mod gluster;
mod pack;
mod place;
mod poller;
mod redis;
mod registry;
mod replica;
mod schedule;
mod shared;
mod stores;
mod stub;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::registry::{ConfiguredRegistry, registries};
use crate::{
    cluster::{
        Observation, Snapshot,
        platform::{Around, ComponentKey, ComponentKind, Known, Looker},
    },
    wire::Wire,
};
pub use endpoint::StoreAddress;
use endpoint::known_of;
use poller::Poller;
pub(super) use shared::News;
use shared::Shared;
pub use shared::Sharing;
pub use stores::{ReplicaServer, Stores, follow as follow_stores};

/// The name of an edge, its host and port, and where its counters are: host, port, path.
pub type Edge = (String, (String, u16), Option<(String, u16, String)>);

/// What is looked at, and how.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The edges.
    pub edges: Vec<Edge>,
    /// The floating address.
    pub floating: Option<(String, u16)>,
    /// The ingress nodes, by host and port.
    pub nodes: Vec<(String, u16)>,
    /// The port of the ingress controller on every node of the cluster.
    pub node_port: Option<u16>,
    /// Looks a second at most.
    pub probes: u32,
    /// Each host is looked at not more often than this at each place.
    pub every: Duration,
    /// The file that is asked for.
    pub path: String,
    /// What the application answers, and how rarely it is asked for.
    pub deep: Option<(String, Duration)>,
    /// The authorities that are trusted; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// The hosts of this tenant come first.
    pub first: Option<String>,
    /// What holds data: Redis, servers with replicas, volumes.
    pub stores: Stores,
    /// Where images come from, and how often it is asked.
    pub registry: Option<(ConfiguredRegistry, Duration)>,
    /// What is judged and shown of it.
    pub around: Around,
    /// How it is shared with other programs; `None`: it is not.
    pub sharing: Option<Sharing>,
}

impl Configured {
    /// Why this program cannot look at all of it, as far as that is known before it has asked: a login that it lacks.
    pub fn lacks(&self) -> Option<String> {
        let redis =
            self.stores.redis.iter().map(|(name, place)| (name.clone(), place.password.as_ref().err()));
        let replicas = self.stores.replicas.iter().map(|one| (one.name.clone(), one.by.as_ref().err()));
        let registry = self.registry.iter().map(|(of, _)| (of.host.as_str().into(), of.by.unread()));
        let mut all = redis.chain(replicas).chain(registry);
        all.find_map(|(name, why)| Some(format!("it has no login for {name}: {}", why?)))
    }
}

/// Observes the platform around by itself until the receiver is gone or the returned tasks are dropped. The hosts are those
/// that lead to tenants in the newest snapshot.
pub fn follow(
    configured: Configured,
    wire: Option<Wire>,
    seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    look(&configured, &Known::default(), wire, seen, into)
}

/// The same, or what another cockpit tells of it, where it is shared; `news` is of the ConfigMap of [`Sharing`]. Who looks is
/// told in any case.
pub(super) fn follow_shared(
    configured: Configured,
    wire: Wire,
    seen: watch::Receiver<Arc<Snapshot>>,
    news: mpsc::Receiver<News>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let Some(sharing) = configured.sharing.clone() else {
        let alone = Observation::Looker(Looker::Alone { why: "`share` is false".into() });
        let tell = into.clone();
        let mut tasks = follow(configured, Some(wire), seen, into);
        tasks.spawn(async move { tell.send(alone).await.unwrap_or_default() });
        return tasks;
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(Shared::new(configured, sharing, Some(wire), seen, into).run(news));
    tasks
}

/// Looks at it; this much is known of it already.
fn look(
    configured: &Configured,
    known: &Known,
    wire: Option<Wire>,
    seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if !configured.stores.is_empty() {
        let known = known.components.clone();
        let stores = stores::follow_known(configured.stores.clone(), known, wire.clone(), into.clone());
        tasks.spawn(joined(stores));
    }
    if let Some((of, every)) = &configured.registry {
        let at = of.place.base.clone().unwrap_or_else(|| of.host.clone());
        let key = ComponentKey::new(ComponentKind::Registry, of.host.as_str());
        let component = known_of(&known.components, key);
        let registries = registries(of, wire.clone());
        let follow =
            registry::follow(registries, component, at.into(), *every, wire, seen.clone(), into.clone());
        tasks.spawn(follow);
    }
    if configured.around.looks() {
        tasks.spawn(Poller::new(configured.clone(), known, seen, into).run());
    }
    tasks
}

/// Waits until all are done. One that panics takes the others with it: whoever waits is to know.
async fn joined(mut tasks: JoinSet<()>) {
    while let Some(done) = tasks.join_next().await {
        if let Err(why) = done
            && let Ok(panic) = why.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
