//! An embedded cluster in this process, observed by the real sources over the wire.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::sync::watch;
use wheelhouse::{
    cluster::{Snapshot, TenantName, findings},
    demo::{self, Cluster, Options, Scenario},
    live::{self, Scope},
    wire::{Target, Wire},
};

use crate::program::PATIENCE;

/// A calm world whose time stands still unless it is stepped.
pub fn standing(tenants: usize) -> Options {
    Options { tenants, nodes: 4, seed: 7, scenario: Scenario::Calm, speed: 0.0, port: 0, epoch: None }
}

/// An embedded cluster.
pub async fn begin(options: Options) -> Cluster {
    demo::start(options).await.expect("the embedded cluster starts")
}

/// An embedded cluster whose time stands still unless it is stepped.
pub async fn still(tenants: usize, scenario: Scenario) -> Cluster {
    begin(Options { scenario, ..standing(tenants) }).await
}

/// A connection to it with this kubeconfig.
pub async fn wire(kubeconfig: &str) -> (Wire, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig).expect("a file");
    let target = Target { kubeconfig: Some(path), context: None, namespace: None };
    (Wire::connect_lazily(&target).await.expect("a connection"), folder)
}

/// Snapshots of a cluster, as every part of the program gets them.
pub struct Seen {
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    task: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    /// Follows a cluster as the user of this kubeconfig.
    pub async fn of(kubeconfig: &str) -> Self {
        let (wire, folder) = wire(kubeconfig).await;
        let scope = Scope {
            probe_every: Duration::from_millis(200),
            metrics_every: Duration::from_millis(200),
            publish_at_most_every: Duration::from_millis(10),
            ..Scope::default()
        };
        let (snapshots, task) = live::observe(wire, scope);
        Self { snapshots, task, _folder: folder }
    }

    /// The first snapshot of which this holds.
    pub async fn wait(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let found = tokio::time::timeout(PATIENCE, self.snapshots.wait_for(|s| holds(s))).await;
        if let Some(snapshot) = found.ok().and_then(|found| found.ok().map(|s| s.clone())) {
            return snapshot;
        }
        let last = self.snapshots.borrow();
        panic!("waited for {what}; API {:?}, sources {:#?}", last.api, last.sources());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_cluster_is_seen_as_it_is() {
    let cluster = still(8, Scenario::Calm).await;
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    let told = |s: &Snapshot| s.api.user.is_some() && s.api.version.is_some();
    let all = |s: &Snapshot| s.is_ready() && told(s) && s.sources().iter().all(|(_, f)| f.is_live());
    let snapshot = seen.wait("all sources", all).await;
    assert_eq!((snapshot.tenants.len(), snapshot.nodes.len()), (8, 4));
    assert_eq!(findings(&snapshot), vec![], "a calm world has nothing wrong");
    assert!(!snapshot.usage.is_empty() && !snapshot.node_usage.is_empty());
    for tenant in snapshot.tenants.values() {
        assert_eq!(tenant.ready(), tenant.desired(), "{}", tenant.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovered_node_is_found_and_so_is_what_is_doubled_up() {
    let cluster = still(12, Scenario::NodeRecovered).await;
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    let snapshot = seen.wait("the world", |s| s.is_ready() && s.replica_sets.freshness.is_live()).await;
    let rules: Vec<_> = findings(&snapshot).iter().map(|f| f.rule).collect();
    assert!(rules.contains(&"node-empty") && rules.contains(&"doubled"), "{rules:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_takes_nothing_else_down_and_is_named() {
    let cluster = still(4, Scenario::Calm).await;
    cluster.faults().deny(None, "list", "poddisruptionbudgets.policy");
    cluster.faults().deny(None, "watch", "poddisruptionbudgets.policy");
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    let snapshot =
        seen.wait("the missing right", |s| s.is_ready() && s.budgets.freshness.trouble().is_some()).await;
    let why = snapshot.budgets.freshness.trouble().expect("a reason");
    assert!(why.contains("poddisruptionbudgets"), "{why}");
    assert!(snapshot.pods.freshness.is_live() && snapshot.tenants.len() == 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lists_of_what_is_many_come_in_protobuf_and_all_else_in_json() {
    let cluster = still(4, Scenario::Calm).await;
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    seen.wait("the world", |s| s.is_ready() && s.replica_sets.freshness.is_live()).await;
    let mut in_protobuf = std::collections::BTreeSet::new();
    for line in cluster.requests().into_iter().filter(|line| line.method == "GET") {
        let (path, query) = line.path.split_once('?').unwrap_or((&line.path, ""));
        let either = "application/vnd.kubernetes.protobuf, application/json";
        match line.accept == either {
            true => assert!(in_protobuf.insert(path.to_owned()) && query.contains("limit="), "{}", line.path),
            false => assert_eq!(line.accept, "application/json", "{}", line.path),
        }
    }
    let wanted = ["/api/v1/pods", "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets"];
    assert_eq!(in_protobuf.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_api_server_is_followed_again_and_nothing_is_blanked() {
    let cluster = still(4, Scenario::Calm).await;
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    seen.wait("the world", Snapshot::is_ready).await;
    cluster.restart().await;
    let acme = TenantName::from("acme");
    cluster.with_world(|world| {
        world.store.update(demo::kind::Kind::DEPLOYMENT, "acme", "acme", "test", |d| {
            d["spec"]["replicas"] = 1.into()
        });
    });
    let snapshot = seen
        .wait("the change after the restart", |s| {
            assert_eq!(s.tenants.len(), 4, "never blank");
            s.tenants.get(&acme).is_some_and(|t| t.desired() == 1)
        })
        .await;
    assert!(snapshot.is_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_api_server_is_noticed_and_what_was_seen_grows_old() {
    let cluster = still(4, Scenario::Calm).await;
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    seen.wait("the world", Snapshot::is_ready).await;
    cluster.faults().hang(demo::On::any());
    let snapshot = seen.wait("silence", |s| s.api.freshness.trouble().is_some()).await;
    assert_eq!(snapshot.tenants.len(), 4);
    cluster.faults().clear();
    seen.wait("the voice again", |s| s.api.freshness.is_live() && s.pods.freshness.is_live()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_object_is_told_and_the_rest_is_read() {
    let cluster = still(4, Scenario::Calm).await;
    cluster.faults().malform("deployments.apps", "acme");
    let mut seen = Seen::of(&cluster.kubeconfig()).await;
    let snapshot = seen.wait("the others", |s| s.is_ready() && s.tenants.len() == 3).await;
    let told = findings(&snapshot).into_iter().any(|f| f.text.contains("acme"));
    assert!(told, "{:?}", findings(&snapshot));
}
