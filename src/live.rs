//! From the cluster to the snapshot: every source is followed, converted and folded, and each change is published.
//!
//! Entered by the cockpit and the command line. One task a kind of object follows it (`source`), one asks the API
//! server whether it answers (`probe`), one folds what they say into the snapshot and publishes it, at once and then at most
//! ten times a second. Nothing here writes to the cluster, and foreign types end at [`convert`].

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::{
    cluster::{Key, Observation, Seen, Sizing, Snapshot, Tenancy},
    wire::Wire,
};

mod clock;
pub mod convert;
mod course;
pub mod database;
pub mod edge;
mod event;
mod list;
mod log;
mod object;
mod ours;
mod outages;
mod piece;
pub mod platform;
mod probe;
mod protobuf;
mod read;
pub mod registry;
mod revisions;
mod slim;
mod source;
mod subject;
mod tenant;
pub mod workers;

use clock::Clock;
use convert::{Interner, Kind};
pub use log::read_log;
pub use object::{events_in, events_of, object};
pub use ours::ours;
use outages::Outages;
use probe::{Doubt, Link};
pub use revisions::revisions;
use subject::Subject;
pub use tenant::tenant_events;

/// The label on everything wheelhouse itself keeps in the cluster.
const OURS: &str = "app.kubernetes.io/managed-by=wheelhouse";
/// Reports on their way to the snapshot; when they are this many, the sources wait.
const UNDERWAY: usize = 4096;
/// After so many publications in a row ...
const RUSH: u32 = 30;
/// ... there are fewer of them, by this factor.
const SLOWER: u32 = 3;
/// Reports folded before the next look at the clock.
const BATCH: usize = 128;

/// What is observed, and how often.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Which workloads are tenants.
    pub tenancy: Tenancy,
    /// What a request takes, and when little headroom is a finding.
    pub sizing: Sizing,
    /// The namespace of journals and leases.
    pub journal_namespace: String,
    /// Only this namespace's objects; `None`: the whole cluster's.
    pub namespace: Option<String>,
    /// How often measurements are read.
    pub metrics_every: Duration,
    /// How often the API server is asked whether it answers.
    pub probe_every: Duration,
    /// Between two publications there is at least this.
    pub publish_at_most_every: Duration,
    /// The database, where one is configured.
    pub database: Option<database::Configured>,
    /// The platform around, where any of it is configured.
    pub platform: Option<platform::Configured>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            tenancy: Tenancy::default(),
            sizing: Sizing::default(),
            journal_namespace: "wheelhouse".into(),
            namespace: None,
            metrics_every: Duration::from_secs(15),
            probe_every: Duration::from_secs(5),
            publish_at_most_every: Duration::from_millis(100),
            database: None,
            platform: None,
        }
    }
}

/// Observes the cluster until the task is aborted. The first value is there at once: empty, in state `Connecting`,
/// with context and server filled in. Whatever the network does, the task neither ends nor panics.
pub fn observe(wire: Wire, scope: Scope) -> (watch::Receiver<Arc<Snapshot>>, JoinHandle<()>) {
    let clock = Clock::default();
    let mut first = Snapshot::new(scope.tenancy.clone());
    first.sizing = Arc::new(scope.sizing.clone());
    first.namespace = scope.namespace.as_deref().map(Into::into);
    first.api = probe::unseen(&wire);
    first.at = clock.now();
    if let Some(database) = &scope.database {
        first.database = Arc::new(database.expected.clone());
    }
    if let Some(platform) = &scope.platform {
        first.around = Arc::new(platform.around.clone());
    }
    let (publish, receiver) = watch::channel(Arc::new(first.clone()));
    let task = tokio::spawn(async move {
        let (tell, reports) = mpsc::channel(UNDERWAY);
        // Dropped with this task, and all sources with it.
        let _database = scope.database.clone().map(|d| database::follow(d, Some(wire.clone()), tell.clone()));
        // Who looks around reads what is seen; that is nobody for whom the sources are kept open.
        let (newest, seen) = watch::channel(Arc::new(first.clone()));
        let (sights, news) = mpsc::channel(4);
        let _platform = scope
            .platform
            .clone()
            .map(|around| platform::follow_shared(around, wire.clone(), seen, news, tell.clone()));
        let _sources = sources(&wire, &scope, &clock, tell, sights);
        let publish = Publish { outside: publish, newest };
        fold(first, reports, publish, scope.publish_at_most_every, &clock).await;
    });
    (receiver, task)
}

fn sources(
    wire: &Wire,
    scope: &Scope,
    clock: &Clock,
    tell: mpsc::Sender<Observation>,
    sights: mpsc::Sender<platform::News>,
) -> JoinSet<()> {
    let (link, heard) = watch::channel(Link::default());
    // Three rounds, each when the one before has been read: what tenants are made of, with what is small and urgent;
    // what else there is; measurements.
    let ((first, tenants), (second, all)) = (watch::channel(()), watch::channel(()));
    let (doubt, interner) = (Doubt::default(), Interner::default());
    if let Some(key) = scope.platform.as_ref().and_then(|platform| platform.around.session_key.as_deref()) {
        interner.keep_sessions(key);
    }
    let subject = |namespace: Option<&String>| Subject {
        wire: wire.clone(),
        clock: clock.clone(),
        interner: interner.clone(),
        link: heard.clone(),
        doubt: doubt.clone(),
        namespace: namespace.cloned(),
        labels: "",
        fields: String::new(),
        reading: None,
        after: None,
    };
    let scoped = || subject(scope.namespace.as_ref());
    let ours = || Subject { labels: OURS, ..subject(Some(&scope.journal_namespace)) };
    let namespaces = Subject {
        fields: scope.namespace.as_ref().map(|n| format!("metadata.name={n}")).unwrap_or_default(),
        ..subject(None)
    };
    // Contents cannot be selected on: every ConfigMap passes by once and is dropped unless it holds a pool. The one that
    // stands in every namespace and the journals, which change with every step of a run, are left out on the wire.
    let pools = Subject {
        fields: format!("metadata.name!=kube-root-ca.crt,metadata.namespace!={}", scope.journal_namespace),
        ..scoped()
    };
    let at_first = |subject| Subject { reading: Some(first.clone()), ..subject };
    let then = |subject| Subject { reading: Some(second.clone()), after: Some(tenants.clone()), ..subject };
    let mut tasks = JoinSet::new();
    if let Some(sharing) = scope.platform.as_ref().and_then(|platform| platform.sharing.as_ref()) {
        let Key { namespace, name } = &sharing.place;
        let sight =
            Subject { fields: format!("metadata.name={name}"), ..subject(Some(&namespace.to_string())) };
        tasks.spawn(source::follow::<convert::Sights, _>(sight, sights, |news| news));
    }
    let probe = probe::Probe {
        wire: wire.clone(),
        clock: clock.clone(),
        every: scope.probe_every,
        namespace: scope.namespace.clone(),
        doubt: doubt.clone(),
    };
    tasks.spawn(probe.ask(tell.clone(), link));
    follow::<convert::Nodes>(&mut tasks, at_first(subject(None)), &tell, Observation::Node);
    follow::<convert::Namespaces>(&mut tasks, at_first(namespaces), &tell, Observation::Namespace);
    follow::<convert::Deployments>(&mut tasks, at_first(scoped()), &tell, Observation::Deployment);
    follow::<convert::StatefulSets>(&mut tasks, at_first(scoped()), &tell, Observation::StatefulSet);
    follow::<convert::Pods>(&mut tasks, at_first(scoped()), &tell, Observation::Pod);
    follow::<convert::Leases>(&mut tasks, at_first(ours()), &tell, Observation::Lease);
    follow::<convert::Journals>(&mut tasks, at_first(ours()), &tell, Observation::Journal);
    let of_ours = Subject { labels: OURS, ..scoped() };
    follow::<convert::Jobs>(&mut tasks, at_first(of_ours), &tell, Observation::Job);
    follow::<convert::ReplicaSets>(&mut tasks, then(scoped()), &tell, Observation::ReplicaSet);
    follow::<convert::Budgets>(&mut tasks, then(scoped()), &tell, Observation::Budget);
    follow::<convert::Autoscalers>(&mut tasks, then(scoped()), &tell, Observation::Autoscaler);
    follow::<convert::Services>(&mut tasks, then(scoped()), &tell, Observation::Service);
    follow::<convert::Quotas>(&mut tasks, then(scoped()), &tell, Observation::Quota);
    follow::<convert::LimitRanges>(&mut tasks, then(scoped()), &tell, Observation::LimitRange);
    follow::<convert::Claims>(&mut tasks, then(scoped()), &tell, Observation::Claim);
    follow::<convert::Pools>(&mut tasks, then(pools), &tell, Observation::Pool);
    let every = scope.metrics_every;
    // What leads requests to pods comes last: nothing waits for it, and it need not be there.
    let outside = |subject| Subject { after: Some(all.clone()), ..subject };
    follow::<convert::Ingresses>(&mut tasks, outside(scoped()), &tell, Observation::Ingress);
    follow::<convert::IngressClasses>(&mut tasks, outside(subject(None)), &tell, Observation::IngressClass);
    follow::<convert::EndpointSlices>(&mut tasks, outside(scoped()), &tell, Observation::EndpointSlice);
    follow::<convert::HttpRoutes>(&mut tasks, outside(scoped()), &tell, Observation::HttpRoute);
    follow::<convert::Gateways>(&mut tasks, outside(scoped()), &tell, Observation::Gateway);
    follow::<convert::Certificates>(&mut tasks, outside(scoped()), &tell, Observation::Certificate);
    let pods =
        list::poll::<convert::PodUsages, _>(scoped(), every, all.clone(), tell.clone(), Observation::Usage);
    tasks.spawn(pods);
    tasks.spawn(list::poll::<convert::NodeUsages, _>(
        subject(None),
        every,
        all,
        tell,
        Observation::NodeUsage,
    ));
    tasks
}

fn follow<K: Kind>(
    tasks: &mut JoinSet<()>,
    subject: Subject,
    tell: &mpsc::Sender<Observation>,
    wrap: fn(Seen<K::Key, K::Value>) -> Observation,
) {
    tasks.spawn(source::follow::<K, Observation>(subject, tell.clone(), wrap));
}

/// Where snapshots are published.
struct Publish {
    /// To whoever asked for them.
    outside: watch::Sender<Arc<Snapshot>>,
    /// To the sources that read what the others have seen.
    newest: watch::Sender<Arc<Snapshot>>,
}

impl Publish {
    fn send(&self, snapshot: Arc<Snapshot>) {
        self.newest.send_replace(snapshot.clone());
        self.outside.send_replace(snapshot);
    }
}

/// Folds reports into the snapshot and publishes what changed: the first change at once, later ones at most every
/// `pace`, all that has come by then in one.
async fn fold(
    mut snapshot: Snapshot,
    mut reports: mpsc::Receiver<Observation>,
    publish: Publish,
    pace: Duration,
    clock: &Clock,
) {
    let mut ready = Vec::with_capacity(BATCH);
    let (mut changed, mut next) = (false, Instant::now());
    let mut outages = Outages::default();
    // Publications in a row, each as soon as the one before allowed it.
    let mut row = 0u32;
    loop {
        tokio::select! {
            count = reports.recv_many(&mut ready, BATCH) => {
                if count == 0 {
                    // Cannot be while the sources live; the last snapshot stays.
                    return std::future::pending().await;
                }
                for report in ready.drain(..) {
                    changed |= snapshot.observe(report);
                }
            }
            () = sleep_until(next), if changed => {}
            // Nobody looks any more: the sources close their connections.
            () = publish.outside.closed() => return,
        }
        if changed && Instant::now() >= next {
            snapshot.revision += 1;
            snapshot.at = snapshot.dated(clock.now());
            outages.note(&snapshot);
            publish.send(Arc::new(snapshot.clone()));
            let now = Instant::now();
            row = if now < next + pace { row.saturating_add(1) } else { 0 };
            // What goes on changing is looked at less often: the numbers of one moment are nothing to act on then.
            (changed, next) = (false, now + if row < RUSH { pace } else { pace * SLOWER });
        }
    }
}
