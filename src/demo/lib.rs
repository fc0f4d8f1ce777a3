//! The embedded cluster: a deterministic world behind a real Kubernetes API on loopback, and its database beside it.
//!
//! `start` builds a world from a seed and serves it; the `demo` subcommand and the tests call it.
//! Nothing under `demo` may import another room of this crate: a mistake in our model of Kubernetes
//! must not be mirrored in the cluster that it is tested against.

mod admission;
mod api;
mod controllers;
mod course;
pub mod database;
mod faults;
pub mod fields;
mod forward;
mod http;
mod image;
pub mod kind;
mod kubeconfig;
mod kubelet;
mod labels;
mod logs;
mod outside;
mod port;
mod quantity;
mod scenario;
mod scheduler;
mod shared;
mod shell;
pub mod store;
mod usage;
mod value;
mod world;

pub use api::{AccessRule, User, Users};
pub use faults::{Cut, Faults, On};
pub use http::RequestLine;
pub use kind::Kind;
pub use outside::{ImageRegistry, Outside, Proxy};
pub use scenario::Scenario;
pub use world::{Around, Certificates, Edge, Edges, LogLine, NoLog, Registry, World};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::http::Server;
use self::shared::Shared;
use self::store::Store;

/// How far the world's time may lag behind while nothing happens in it.
const LAG: Duration = Duration::from_millis(250);
/// World seconds a second at most.
const FASTEST: f64 = 100_000.0;
/// How often a kube-apiserver lets etcd forget changes (`--etcd-compaction-interval`), in world time.
const COMPACTS: Duration = Duration::from_mins(5);
/// The same where the world is fast: clients take as long as ever.
const COMPACTS_NO_SOONER: Duration = Duration::from_mins(1);

/// What the embedded cluster is made of and how its time runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of tenants, each with a namespace of its own.
    pub tenants: usize,
    /// Number of worker nodes.
    pub nodes: usize,
    /// Decides every name, uid, placement and number: the same seed gives the same world.
    pub seed: u64,
    /// What has happened to the world before it starts, and what will.
    pub scenario: Scenario,
    /// World seconds a wall-clock second; 0 stands still and is stepped by hand.
    pub speed: f64,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The world's time at the start; the wall clock's when absent.
    pub epoch: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self { tenants: 24, nodes: 6, seed: 1, scenario: Scenario::Calm, speed: 1.0, port: 0, epoch: None }
    }
}

/// Builds the world and serves it on 127.0.0.1.
///
/// # Errors
/// When the port is taken, or the options make no sense (a speed out of range).
pub async fn start(options: Options) -> io::Result<Cluster> {
    if !(0.0..=FASTEST).contains(&options.speed) {
        let message =
            format!("the speed of the embedded cluster must be 0 to {FASTEST}, not {}", options.speed);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let (port, speed) = (options.port, options.speed);
    let now = options.epoch.unwrap_or_else(Timestamp::now);
    let database = database::start(database::Options {
        seed: options.seed,
        scenario: options.scenario.database(),
        speed,
        epoch: u64::try_from(now.as_second()).unwrap_or_default(),
        ..database::Options::default()
    });
    let database = database.await?;
    let world =
        tokio::task::spawn_blocking(move || World::build(&options, now)).await.map_err(io::Error::other)?;
    let shared = Arc::new(Shared::new(world));
    let server = Server::spawn(shared.clone(), port, &database.proxies).await?;
    let outside = Outside::start(&shared)?;
    let clock = tokio::spawn(run(shared.clone(), speed));
    Ok(Cluster { shared, server, database, outside, clock })
}

/// A running embedded cluster. Dropping it stops serving and ends every connection.
pub struct Cluster {
    shared: Arc<Shared>,
    server: Server,
    database: database::Database,
    outside: Option<Outside>,
    clock: JoinHandle<()>,
}

impl Cluster {
    /// The operator's kubeconfig, as YAML.
    pub fn kubeconfig(&self) -> String {
        self.server.kubeconfig()
    }

    /// The kubeconfig of the user with this token.
    pub fn kubeconfig_for(&self, token: &str) -> String {
        self.server.kubeconfig_for(token)
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The operator's bearer token.
    pub fn token(&self) -> &str {
        self.server.token()
    }

    /// The database of its tenants: Galera members and ProxySQLs. The ProxySQLs are also the pods `proxysql` of the
    /// namespace `database`, by port-forward to 6032.
    pub fn database(&self) -> &database::Database {
        &self.database
    }

    /// What stands around it, where the scenario has it: proxies that lead to its hosts, and the registry of its images.
    pub fn outside(&self) -> Option<&Outside> {
        self.outside.as_ref()
    }

    /// Users with fewer rights than the operator.
    pub fn users(&self) -> &Users {
        self.server.users()
    }

    /// The faults of the wire.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// What was asked so far, oldest first.
    pub fn requests(&self) -> Vec<RequestLine> {
        self.server.requests()
    }

    /// Lets `by` pass in world time. The database has a time of its own: [`database::Database::step`].
    pub fn step(&self, by: Duration) {
        self.with_world(|world| world.step(by));
    }

    /// Looks at the world or changes it; its controllers react before this returns.
    pub fn with_world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.shared.world();
        let result = look(&mut world);
        world.react();
        publish(&self.shared, &world);
        drop(world);
        self.shared.wrote.notify_one();
        result
    }

    /// Closes every connection and listens again on the same port, with the same objects.
    pub async fn restart(&self) {
        self.server.restart().await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

/// The clock: steps the world as time passes and lets watches know.
async fn run(shared: Arc<Shared>, speed: f64) {
    let mut last = Instant::now();
    let mut compaction = Compaction::new(speed, last);
    loop {
        let wait = {
            let mut world = shared.world();
            let now = Instant::now();
            if speed > 0.0 {
                world.step((now - last).mul_f64(speed));
            } else {
                world.react();
            }
            last = now;
            compaction.look(&mut world.store, now);
            publish(&shared, &world);
            let next = world.idle_until().map_or(LAG, |at| at.duration_since(world.now()).unsigned_abs());
            // At a high speed the lag in world time stays within a second, at the price of more looks.
            let lag = LAG.min(Duration::from_secs_f64(1.0 / speed.clamp(0.1, 50.0)));
            next.min(Duration::from_secs(3600)).div_f64(speed.max(1e-6)).clamp(Duration::from_millis(5), lag)
        };
        if speed > 0.0 {
            tokio::select! {
                () = sleep(wait) => {}
                () = shared.wrote.notified() => {}
            }
        } else {
            shared.wrote.notified().await;
        }
    }
}

/// Forgets the changes that were known at the look before the last, as a kube-apiserver does with etcd: a watch from
/// before them gets 410.
struct Compaction {
    every: Duration,
    last: Instant,
    known: u64,
}

impl Compaction {
    fn new(speed: f64, now: Instant) -> Self {
        // The clock of a world that is stepped by hand is the wall's.
        let every = if speed > 0.0 { COMPACTS.div_f64(speed) } else { COMPACTS };
        Self { every: every.max(COMPACTS_NO_SOONER), last: now, known: 0 }
    }

    fn look(&mut self, store: &mut Store, now: Instant) {
        if now - self.last >= self.every {
            store.forget_before(self.known);
            (self.last, self.known) = (now, store.revision());
        }
    }
}

fn publish(shared: &Shared, world: &World) {
    let revision = world.store.revision();
    shared.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    shared.around.send_if_modified(|known| {
        let changed = *known != world.around;
        if changed {
            known.clone_from(&world.around);
        }
        changed
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_forgotten_after_two_compactions() {
        let mut store = Store::new(Timestamp::UNIX_EPOCH, 1);
        let (began, before) = (Instant::now(), store.revision());
        let mut compaction = Compaction::new(1.0, began);
        store.insert(Kind::NAMESPACE, json!({"metadata": {"name": "acme"}}));
        let mut known = |minutes| {
            compaction.look(&mut store, began + Duration::from_mins(minutes));
            store.changes_since(before).is_ok()
        };
        assert_eq!([4, 5, 9, 10].map(&mut known), [true, true, true, false]);
    }

    #[test]
    fn a_fast_world_forgets_no_sooner_than_a_client_comes_back() {
        let every = |speed| Compaction::new(speed, Instant::now()).every;
        assert_eq!([0.0, 2.0, 100.0].map(every), [COMPACTS, COMPACTS / 2, COMPACTS_NO_SOONER]);
    }
}
