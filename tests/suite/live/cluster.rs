//! The sources against the embedded cluster: the real client, TLS and HTTP on loopback.

use std::{collections::BTreeMap, time::Duration};

use wheelhouse::{
    cluster::{Key, LogRange, LogSource, Snapshot, TenantName},
    demo::{self, AccessRule, Cluster, On, Options, fields::Manager, kind::Kind as Stored},
    live::{
        Scope,
        convert::{
            Autoscalers, Budgets, Deployments, Interner, Kind, Namespaces, Nodes, Pods, ReplicaSets,
            Services, StatefulSets,
        },
        observe, read_log, tenant_events,
    },
    wire::{Target, Wire},
};

use super::server::Watched;

async fn world() -> Cluster {
    let options = Options { tenants: 12, nodes: 5, seed: 3, speed: 0.0, ..Options::default() };
    demo::start(options).await.expect("a cluster")
}

async fn wire(kubeconfig: &str) -> (tempfile::TempDir, Wire) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig).expect("a file");
    let target = Target { kubeconfig: Some(file), ..Target::default() };
    (folder, Wire::connect_lazily(&target).await.expect("a wire"))
}

fn scope() -> Scope {
    let often = Duration::from_millis(200);
    Scope { probe_every: often, metrics_every: often, ..Scope::default() }
}

async fn watched(cluster: &Cluster) -> Watched {
    let (_folder, wire) = wire(&cluster.kubeconfig()).await;
    Watched(observe(wire, scope()).0)
}

/// The objects of a kind as the world has them.
fn truth<K: Kind>(cluster: &Cluster, kind: &'static Stored) -> BTreeMap<K::Key, K::Value> {
    let mut interner = Interner::default();
    let read = |text: String| K::read(&text, &mut interner).unwrap_or_else(|e| panic!("{e}"));
    let texts: Vec<_> =
        cluster.with_world(|world| world.store.list(kind, None).map(ToString::to_string).collect());
    texts.into_iter().map(read).map(|object| (object.key, object.value)).collect()
}

/// Everything the snapshot shows is as the world has it.
fn is_true(cluster: &Cluster) -> impl Fn(&Snapshot) -> bool {
    macro_rules! same {
        ($s:ident $($truth:ident = $slice:ident),+) => {
            $($s.$slice.len() == $truth.len()
                && $truth.iter().all(|(key, value)| $s.$slice.get(key).is_some_and(|seen| **seen == *value)))&&+
        };
    }
    let nodes = truth::<Nodes>(cluster, Stored::NODE);
    let pods = truth::<Pods>(cluster, Stored::POD);
    let deployments = truth::<Deployments>(cluster, Stored::DEPLOYMENT);
    let sets = truth::<StatefulSets>(cluster, Stored::STATEFUL_SET);
    let replica_sets = truth::<ReplicaSets>(cluster, Stored::REPLICA_SET);
    let services = truth::<Services>(cluster, Stored::SERVICE);
    let autoscalers = truth::<Autoscalers>(cluster, Stored::AUTOSCALER);
    let budgets = truth::<Budgets>(cluster, Stored::DISRUPTION_BUDGET);
    let namespaces = truth::<Namespaces>(cluster, Stored::NAMESPACE);
    move |s| {
        same!(s nodes = nodes, pods = pods, deployments = deployments, sets = stateful_sets,
            replica_sets = replica_sets, services = services, autoscalers = autoscalers, budgets = budgets,
            namespaces = namespaces)
    }
}

fn scale(cluster: &Cluster, tenant: &Key, replicas: u32) {
    cluster.with_world(|world| {
        world.store.update(Stored::DEPLOYMENT, &tenant.namespace, &tenant.name, "test", |object| {
            object["spec"]["replicas"] = replicas.into();
        })
    });
}

fn a_deployment(snapshot: &Snapshot) -> (TenantName, Key) {
    let tenant =
        snapshot.tenants.values().find(|t| t.workload.key.kind.name() == "Deployment" && t.desired() > 0);
    let tenant = tenant.expect("a tenant");
    (tenant.name.clone(), tenant.workload.key.key.clone())
}

#[tokio::test]
async fn the_embedded_cluster_is_seen_whole_and_followed() {
    let cluster = world().await;
    let mut seen = watched(&cluster).await;
    let whole = is_true(&cluster);
    let all_known = |s: &Snapshot| s.troubles().is_empty() && s.sources().iter().all(|(_, f)| f.is_known());
    let snapshot = seen.until("the whole world", |s| whole(s) && all_known(s)).await;
    assert_eq!(snapshot.tenants.len(), 12);
    assert_eq!(snapshot.unreadable(), []);
    assert!(!snapshot.usage.is_empty() && !snapshot.node_usage.is_empty());
    assert!(snapshot.api.version.is_some() && snapshot.api.latency.is_some());
    assert_eq!(snapshot.api.server.as_ref(), cluster.url());
    seen.until("who we are", |s| s.api.user.is_some()).await;

    let (name, key) = a_deployment(&snapshot);
    scale(&cluster, &key, 7);
    cluster.step(Duration::from_secs(90));
    let whole = is_true(&cluster);
    let snapshot = seen.until("the larger tenant", |s| whole(s)).await;
    assert_eq!(snapshot.tenants[&name].active().count(), 7);
    // Each object came once: whatever changed was told by the watch.
    let lists = |path: &str| cluster.requests().iter().filter(|r| r.path.starts_with(path)).count();
    assert_eq!((lists("/api/v1/pods?limit=2500"), lists("/apis/apps/v1/deployments?limit=2500")), (1, 1));
}

/// The API server writes no time for it, as a real one.
#[tokio::test]
async fn what_is_scaled_through_its_subresource_grows() {
    let cluster = world().await;
    cluster.step(Duration::from_secs(60));
    let mut seen = watched(&cluster).await;
    let whole = is_true(&cluster);
    let snapshot = seen.until("the world", |s| whole(s)).await;
    let (name, key) = a_deployment(&snapshot);
    let more = snapshot.tenants[&name].desired() + 1;
    cluster.with_world(|world| {
        let by = Manager::client("kubectl").through("scale");
        world.store.write(Stored::DEPLOYMENT, &key.namespace, &key.name, &by, |object| {
            object["spec"]["replicas"] = more.into();
        })
    });
    cluster.step(Duration::from_secs(2));
    let whole = is_true(&cluster);
    let snapshot = seen.until("its new pod", |s| whole(s)).await;
    let tenant = &snapshot.tenants[&name];
    assert_eq!((tenant.workload.scaled, tenant.desired(), tenant.ready()), (None, more, more - 1));
    assert!(snapshot.grows(tenant), "{tenant:#?}");
}

#[tokio::test]
async fn a_restart_of_the_api_server_is_survived() {
    let cluster = world().await;
    let mut seen = watched(&cluster).await;
    let whole = is_true(&cluster);
    let snapshot = seen.until("the world", |s| whole(s)).await;
    let (name, key) = a_deployment(&snapshot);
    for replicas in [5, 2] {
        cluster.restart().await;
        scale(&cluster, &key, replicas);
        cluster.step(Duration::from_secs(120));
        let whole = is_true(&cluster);
        let snapshot = seen.until("the world after it", |s| whole(s) && s.troubles().is_empty()).await;
        assert_eq!(snapshot.tenants[&name].active().count(), replicas as usize);
    }
}

#[tokio::test]
async fn missing_rights_and_odd_objects_cost_only_themselves() {
    let cluster = world().await;
    let odd = truth::<Pods>(&cluster, Stored::POD).into_keys().next().expect("a pod");
    cluster.faults().deny(None, "watch", "poddisruptionbudgets.policy");
    cluster.faults().malform("pods", &odd.name);
    let mut seen = watched(&cluster).await;
    let pods = truth::<Pods>(&cluster, Stored::POD).len();
    let both = |s: &Snapshot| s.budgets.freshness.trouble().is_some() && s.pods.freshness.is_live();
    let snapshot = seen.until("both faults", both).await;
    assert_eq!(snapshot.pods.len(), pods - 1);
    let said = snapshot.unreadable();
    assert!(said[0].1.starts_with(&format!("1 pod could not be read: {odd}: ")), "{said:?}");
    let why = snapshot.budgets.freshness.trouble().expect("a trouble");
    assert!(why.starts_with("needs list and watch on poddisruptionbudgets.policy at cluster scope"), "{why}");
    seen.until("the others", |s| s.is_ready() && s.services.freshness.is_live()).await;
}

#[tokio::test]
async fn a_user_of_one_namespace_sees_it() {
    let cluster = world().await;
    let key = truth::<Deployments>(&cluster, Stored::DEPLOYMENT)
        .into_keys()
        .find(|k| !k.namespace.starts_with("kube"))
        .expect("a tenant");
    let rule = AccessRule::new(&["get", "list", "watch"], &["*"], Some(&key.namespace));
    let token = cluster.users().add("viewer", &[rule]);
    let (_folder, wire) = wire(&cluster.kubeconfig_for(&token)).await;
    let only = Scope { namespace: Some(key.namespace.to_string()), ..scope() };
    let mut seen = Watched(observe(wire.clone(), only).0);
    let pods = |s: &Snapshot| s.pods.freshness.is_live() && s.deployments.freshness.is_live();
    let snapshot = seen.until("the namespace", pods).await;
    assert!(snapshot.pods.values().all(|p| p.key.namespace == key.namespace));
    assert!(snapshot.deployments.get(&key).is_some());
    let snapshot = seen.until("no nodes", |s| s.nodes.freshness.trouble().is_some()).await;
    assert_eq!(snapshot.nodes.freshness.trouble(), Some("needs list and watch on nodes at cluster scope"));
}

#[tokio::test]
async fn without_a_pulse_everything_is_old_until_it_returns() {
    let cluster = world().await;
    let mut seen = watched(&cluster).await;
    seen.until("everything", |s| s.is_ready() && s.troubles().is_empty() && s.usage.freshness.is_live())
        .await;
    cluster.faults().status(On::new("GET", "/version"), 503, None, usize::MAX);
    let gone = |s: &Snapshot| s.troubles().len() == s.sources().len() && s.api.freshness.trouble().is_some();
    let snapshot = seen.until("all old", gone).await;
    assert!(!snapshot.pods.is_empty(), "what was seen stays");
    cluster.faults().clear();
    seen.until("all true", |s| s.troubles().is_empty() && s.api.freshness.is_live()).await;
}

#[tokio::test]
async fn logs_and_events_of_a_tenant_are_followed() {
    let cluster = world().await;
    let (_folder, wire) = wire(&cluster.kubeconfig()).await;
    let pods = truth::<Pods>(&cluster, Stored::POD);
    let pod =
        pods.values().find(|p| p.ready && p.containers.iter().any(|c| &*c.name == "php-fpm")).expect("a pod");
    let of = |pod: &Key| LogSource { pod: pod.clone(), container: "php-fpm".into() };
    let range = LogRange { tail: Some(5), follow: true, ..LogRange::default() };
    let mut log = read_log(&wire, &of(&pod.key), range);
    let lines = log.recv().await.expect("a batch").expect("no error");
    assert!(!lines.is_empty() && lines.len() <= 5 && lines.iter().all(|l| l.at.is_some()), "{lines:?}");
    let nobody = Key::new(pod.key.namespace.clone(), "nobody");
    let error = read_log(&wire, &of(&nobody), range).recv().await.expect("a word").expect_err("no pod");
    assert!(error.contains("not found"), "{error}");

    let mut events = tenant_events(&wire, &pod.key.namespace);
    events.recv().await.expect("a list").expect("no error");
    let deployment = truth::<Deployments>(&cluster, Stored::DEPLOYMENT)
        .into_keys()
        .find(|k| k.namespace == pod.key.namespace)
        .expect("its deployment");
    scale(&cluster, &deployment, 6);
    loop {
        let list = events.recv().await.expect("a list").expect("no error");
        assert!(list.is_sorted_by(|a, b| a.at >= b.at));
        if list.iter().any(|e| &*e.reason == "ScalingReplicaSet") {
            break;
        }
    }
}
