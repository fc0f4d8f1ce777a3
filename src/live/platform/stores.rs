//! What holds data around the cluster is followed: Redis, servers with replicas, volumes.
//!
//! Entered by [`follow`]. Each endpoint has a task, a deadline for everything, and is asked less often while it does not
//! answer. It only reads.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{gluster, redis, replica};
use crate::{
    cluster::{
        Observation, Seen, Trouble,
        platform::{Component, ComponentKey, ComponentKind},
    },
    live::database::{
        Account, Password,
        configured::resolve,
        lookup::fetch,
        watch::{self, watch},
    },
    wire::{
        Wire,
        sql::{Failure, Tls},
    },
};

/// What holds data, as configured.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Redis servers.
    pub redis: Vec<(Arc<str>, Place)>,
    /// Sentinels, by their addresses.
    pub sentinels: Vec<(Arc<str>, Place)>,
    /// Servers with replicas, and who asks them; or why that cannot be known.
    pub replicas: Vec<(Arc<str>, String, u16, Result<Account, String>)>,
    /// Storage nodes, and what `ssh` takes for them.
    pub storage: Vec<(Arc<str>, String)>,
    /// The volumes that are looked at; none: all.
    pub volumes: Vec<Arc<str>>,
    /// How long to wait between two rounds of Redis and replicas.
    pub every: Duration,
    /// The same of storage nodes.
    pub storage_every: Duration,
}

/// Where a Redis server or sentinel is, and who asks.
#[derive(Clone, Debug)]
pub struct Place {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The user; otherwise the default one.
    pub user: Option<String>,
    /// The password, or why it cannot be known.
    pub password: Result<Password, String>,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
}

/// Who asks, with the password at hand.
pub(super) struct Ready {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) tls: Option<Tls>,
}

/// Why an endpoint does not answer.
pub(super) struct Why {
    trouble: Trouble,
    text: String,
}

impl Why {
    pub(super) fn new(trouble: Trouble, text: String) -> Self {
        Self { trouble, text }
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The component after that.
    pub(super) fn tell(&self, component: &Component) -> Component {
        component.failed(self.trouble, &self.text, Timestamp::now())
    }
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Self {
        Self { trouble: watch::trouble(&failure), text: failure.text }
    }
}

impl Place {
    pub(super) async fn account(&self, wire: Option<&Wire>) -> Result<Ready, Why> {
        let denied = |why: String| Why::new(Trouble::Denied, why);
        let password = match self.password.clone().map_err(denied)? {
            Password::Known(password) => password,
            Password::Secret(secret, key) => Some(fetch(wire, &secret, &key).await.map_err(denied)?),
        };
        Ok(Ready { user: self.user.clone(), password, tls: self.tls.clone() })
    }
}

/// Tells what is known of a component now; whether anybody listens.
pub(super) async fn send(into: &mpsc::Sender<Observation>, component: &Component) -> bool {
    let news = Seen::Put(component.name.clone(), component.clone());
    into.send(Observation::Platform(news)).await.is_ok()
}

/// How long to wait before the next round.
pub(super) fn pause_after(trouble: Option<Trouble>, pause: Duration, every: Duration) -> Duration {
    watch::pause_after(trouble, pause, every)
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
        all.extend(of(ComponentKind::Replica, self.replicas.iter().map(|(name, ..)| name).collect()));
        all.extend(of(ComponentKind::StorageNode, self.storage.iter().map(|(name, _)| name).collect()));
        all.extend(of(ComponentKind::Volume, self.volumes.iter().collect()));
        all
    }
}

/// Follows all of it until the receiver is gone or the returned tasks are dropped. Without a wire passwords in Secrets
/// cannot be read, and say so.
pub fn follow(stores: Stores, wire: Option<Wire>, into: mpsc::Sender<Observation>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let Stores { every, storage_every, .. } = stores;
    for (what, kind, places) in [
        (redis::What::Server, ComponentKind::Redis, stores.redis),
        (redis::What::Sentinel, ComponentKind::Sentinel, stores.sentinels),
    ] {
        for (name, place) in places {
            let key = ComponentKey::new(kind, name);
            tasks.spawn(redis::watch(key, what, place, wire.clone(), every, into.clone()));
        }
    }
    for (name, host, port, by) in stores.replicas {
        let key = ComponentKey::new(ComponentKind::Replica, name);
        tasks.spawn(follow_replica(key, (host, port), by, wire.clone(), every, into.clone()));
    }
    if !stores.storage.is_empty() {
        let pool = gluster::Pool::default();
        for (name, destination) in stores.storage.clone() {
            let key = ComponentKey::new(ComponentKind::StorageNode, name);
            let only = stores.volumes.clone();
            tasks.spawn(gluster::watch_node(
                key,
                destination,
                pool.clone(),
                only,
                storage_every,
                into.clone(),
            ));
        }
        tasks.spawn(gluster::watch_volumes(stores.storage, pool, storage_every, into));
    }
    tasks
}

async fn follow_replica(
    key: ComponentKey,
    (host, port): (String, u16),
    by: Result<Account, String>,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let component = Component::new(key);
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
