//! What holds data around the cluster is followed: Redis, servers with replicas, volumes.
//!
//! Entered by [`follow`]. Each endpoint has a task, a deadline for everything, and is asked less often while it does not
//! answer. It only reads.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{
    endpoint::{Components, StoreAddress, Why, known_of, send},
    gluster, joined, redis, replica,
};
use crate::{
    cluster::{
        Observation, Trouble,
        platform::{Component, ComponentKey, ComponentKind},
    },
    live::database::{
        Account,
        configured::resolve,
        watch::{pause_after, watch},
    },
    wire::Wire,
};

/// What holds data, as configured.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Redis servers.
    pub redis: Vec<(Arc<str>, StoreAddress)>,
    /// Sentinels, by their addresses.
    pub sentinels: Vec<(Arc<str>, StoreAddress)>,
    /// Servers with replicas.
    pub replicas: Vec<ReplicaServer>,
    /// Storage nodes, and what `ssh` takes for them.
    pub storage: Vec<(Arc<str>, String)>,
    /// The volumes that are looked at; none: all.
    pub volumes: Vec<Arc<str>>,
    /// How long to wait between two rounds of Redis and replicas.
    pub every: Duration,
    /// The same of storage nodes.
    pub storage_every: Duration,
}

/// A server with replicas, or one of them.
#[derive(Clone, Debug)]
pub struct ReplicaServer {
    /// Its name.
    pub name: Arc<str>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Who asks; or why that cannot be known.
    pub by: Result<Account, String>,
}

impl Stores {
    /// Nothing of it is configured.
    pub fn is_empty(&self) -> bool {
        self.redis.is_empty() && self.replicas.is_empty() && self.storage.is_empty()
    }

    /// The components that are configured; volumes that are not named are found.
    pub fn keys(&self) -> Vec<ComponentKey> {
        let of = |kind: ComponentKind, names: Vec<&Arc<str>>| {
            names.into_iter().map(move |name| ComponentKey::new(kind, name.clone())).collect::<Vec<_>>()
        };
        let mut all = of(ComponentKind::Redis, self.redis.iter().map(|(name, _)| name).collect());
        all.extend(of(ComponentKind::Sentinel, self.sentinels.iter().map(|(name, _)| name).collect()));
        all.extend(of(ComponentKind::Replica, self.replicas.iter().map(|server| &server.name).collect()));
        all.extend(of(ComponentKind::StorageNode, self.storage.iter().map(|(name, _)| name).collect()));
        all.extend(of(ComponentKind::Volume, self.volumes.iter().collect()));
        all
    }
}

/// Follows all of it until the receiver is gone or the returned tasks are dropped. Without a wire passwords in Secrets
/// cannot be read, and say so.
pub fn follow(stores: Stores, wire: Option<Wire>, into: mpsc::Sender<Observation>) -> JoinSet<()> {
    follow_known(stores, Components::new(), wire, into)
}

/// The same; this much is known of it already.
pub(super) fn follow_known(
    stores: Stores,
    known: Components,
    wire: Option<Wire>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if stores.is_empty() {
        return tasks;
    }
    tasks.spawn(async move {
        // What is configured, all of it, before any of it is told.
        for key in stores.keys() {
            if !send(&into, &known_of(&known, key)).await {
                return;
            }
        }
        joined(watch_all(stores, &known, wire, into)).await;
    });
    tasks
}

fn watch_all(
    stores: Stores,
    known: &Components,
    wire: Option<Wire>,
    into: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let Stores { every, storage_every, .. } = stores;
    for (what, kind, places) in [
        (redis::What::Server, ComponentKind::Redis, stores.redis),
        (redis::What::Sentinel, ComponentKind::Sentinel, stores.sentinels),
    ] {
        for (name, place) in places {
            let component = known_of(known, ComponentKey::new(kind, name));
            tasks.spawn(redis::watch(component, what, place, wire.clone(), every, into.clone()));
        }
    }
    for ReplicaServer { name, host, port, by } in stores.replicas {
        let component = known_of(known, ComponentKey::new(ComponentKind::Replica, name));
        tasks.spawn(follow_replica(component, (host, port), by, wire.clone(), every, into.clone()));
    }
    if !stores.storage.is_empty() {
        let pool = gluster::Pool::default();
        for (name, destination) in stores.storage.clone() {
            let component = known_of(known, ComponentKey::new(ComponentKind::StorageNode, name));
            let only = stores.volumes.clone();
            tasks.spawn(gluster::watch_node(
                component,
                destination,
                pool.clone(),
                only,
                storage_every,
                into.clone(),
            ));
        }
        let (nodes, only, known) = (stores.storage, stores.volumes, known.clone());
        tasks.spawn(gluster::watch_volumes(nodes, pool, only, known, storage_every, into));
    }
    tasks
}

async fn follow_replica(
    component: Component,
    (host, port): (String, u16),
    by: Result<Account, String>,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut pause = every;
    loop {
        match resolve(&by, wire.as_ref()).await {
            Ok(ready) => {
                return watch::<replica::Source>(component, ready.way(host, port, None), every, into).await;
            }
            Err(why) => {
                let why = Why::new(Trouble::Denied, why);
                if !send(&into, &why.tell(&component)).await {
                    return;
                }
                pause = pause_after(Some(Trouble::Denied), pause, every);
                sleep(pause).await;
            }
        }
    }
}
