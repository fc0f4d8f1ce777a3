//! ProxySQLs that are pods of the cluster, behind a service: found, reached by port-forward, and followed.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use wheelhouse::{
    cluster::{Key, Observation, Seen, Snapshot, Tenancy, TenantName, Usage},
    demo::{AccessRule, Cluster, Kind, Options},
    live::{
        Scope,
        database::{Account, Configured, Password, ProxyTarget, Reach, follow},
        observe, workers,
    },
    wire::{Wire, tunnel::Tunnel},
};

use crate::{
    program::PATIENCE,
    world::{begin, standing, wire},
};

/// A cluster whose time runs fast, so that pods start soon. It has two pods of ProxySQL.
async fn placed() -> Cluster {
    begin(Options { nodes: 3, speed: 100.0, ..standing(2) }).await
}

fn configured(cluster: &Cluster, port: &str, reach: Reach) -> Configured {
    let (user, password) = cluster.database().credentials.proxy_admin;
    let password = Password::Known(Some(SecretString::from(password.to_owned())));
    Configured {
        members: Vec::new(),
        members_by: Err("nobody asks members".into()),
        proxies: vec![ProxyTarget::Service {
            service: Key::new("database", "service-proxysql"),
            port: port.into(),
            reach,
        }],
        proxies_by: Ok(Account { user: user.into(), password, tls: None }),
        every: Duration::from_millis(50),
        expected: Default::default(),
    }
}

/// The database as it is followed.
struct Followed {
    snapshot: Snapshot,
    reports: mpsc::Receiver<Observation>,
    _tasks: JoinSet<()>,
}

impl Followed {
    fn new(configured: Configured, wire: Wire) -> Self {
        let (tell, reports) = mpsc::channel(64);
        let tasks = follow(configured, Some(wire), tell);
        Self { snapshot: Snapshot::new(Tenancy::default()), reports, _tasks: tasks }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) {
        let looking = async {
            while !holds(&self.snapshot) {
                let report = self.reports.recv().await.expect("it is followed");
                self.snapshot.observe(report);
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("waited in vain for {what}: {:#?}", troubles(&self.snapshot));
        }
    }
}

fn troubles(s: &Snapshot) -> Vec<(String, Option<String>)> {
    s.proxies.values().map(|p| (p.name.to_string(), p.link.trouble().map(str::to_owned))).collect()
}

/// So many are asked, and all answer.
fn answer(s: &Snapshot, pods: usize) -> bool {
    s.proxies.len() == pods && s.proxies.values().all(|p| p.now().is_some())
}

fn says(s: &Snapshot, words: &str) -> bool {
    !s.proxies.is_empty()
        && s.proxies.values().all(|p| p.link.trouble().is_some_and(|why| why.contains(words)))
}

/// What the admin ports of the pods are called.
fn named(cluster: &Cluster) -> Vec<String> {
    cluster.with_world(|world| {
        let pods = world.store.list(Kind::POD, Some("database"));
        let names = pods.filter(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        names
            .map(|pod| format!("database/{}:6032", pod["metadata"]["name"].as_str().unwrap_or("?")))
            .collect()
    })
}

fn names(s: &Snapshot) -> Vec<String> {
    s.proxies.values().map(|p| p.name.to_string()).collect()
}

fn scale(cluster: &Cluster, replicas: u32) {
    cluster.with_world(|world| {
        world.store.update(Kind::DEPLOYMENT, "database", "proxysql", "kubectl", |deployment| {
            deployment["spec"]["replicas"] = replicas.into();
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_of_the_service_is_asked_at_every_pod_over_one_connection_each() {
    let cluster = placed().await;
    let (wire, _folder) = wire(&cluster.kubeconfig()).await;
    // By name, by number, and where the pods' own addresses lead nowhere.
    let ways = [("admin", Reach::PortForward), ("6032", Reach::PortForward), ("admin", Reach::Auto)];
    for (round, (port, reach)) in ways.into_iter().enumerate() {
        let mut followed = Followed::new(configured(&cluster, port, reach), wire.clone());
        let rounds = |s: &Snapshot| answer(s, 2) && s.proxies.values().all(|p| p.history.len() > 5);
        followed.until(port, rounds).await;
        assert_eq!(names(&followed.snapshot), named(&cluster));
        let connections: Vec<_> = cluster.database().with(|s| s.greeted.values().copied().collect());
        assert_eq!(connections, [round as u64 + 1; 2], "{port} {reach:?}");
    }
    let asked = cluster.requests();
    let forwards = asked.iter().filter(|r| r.path.contains("/portforward")).collect::<Vec<_>>();
    assert!(forwards.iter().all(|r| r.status == 101) && forwards.len() == 6, "{forwards:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_come_and_go_are_followed() {
    let cluster = placed().await;
    let (wire, _folder) = wire(&cluster.kubeconfig()).await;
    let mut followed = Followed::new(configured(&cluster, "admin", Reach::PortForward), wire);
    followed.until("both", |s| answer(s, 2)).await;
    scale(&cluster, 1);
    followed.until("one less", |s| answer(s, 1)).await;
    assert_eq!(names(&followed.snapshot), named(&cluster));
    scale(&cluster, 0);
    followed.until("none", |s| says(s, "no pod runs behind the service database/service-proxysql")).await;
    assert_eq!(names(&followed.snapshot), ["database/service-proxysql:admin"]);
    scale(&cluster, 2);
    followed.until("both again", |s| answer(s, 2)).await;
    let before = named(&cluster);
    let pod = before[0].trim_start_matches("database/").trim_end_matches(":6032").to_owned();
    cluster.with_world(|world| world.store.remove(Kind::POD, "database", &pod));
    followed.until("a successor", |s| answer(s, 2) && names(s) != before).await;
    assert_eq!(names(&followed.snapshot), named(&cluster));
    cluster.restart().await;
    followed.until("the restart of the API server", |s| !answer(s, 2)).await;
    followed.until("the way back", |s| answer(s, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_way_is_said() {
    let cluster = placed().await;
    let (operator, _folder) = wire(&cluster.kubeconfig()).await;
    let cases = [
        ("mysql", ":6033: nothing listens on that port of the pod"),
        ("metrics", "it has no port named metrics: it has mysql, admin"),
    ];
    for (port, words) in cases {
        let mut followed = Followed::new(configured(&cluster, port, Reach::PortForward), operator.clone());
        let first = |s: &Snapshot| {
            s.proxies.values().next().is_some_and(|p| p.link.trouble().is_some_and(|w| w.contains(words)))
        };
        followed.until(words, first).await;
    }
    let see = AccessRule::new(&["get", "list"], &["services", "pods", "pods/portforward"], None);
    let token = cluster.users().add("oncall", &[see]);
    let (oncall, _folder) = wire(&cluster.kubeconfig_for(&token)).await;
    let mut followed = Followed::new(configured(&cluster, "admin", Reach::PortForward), oncall);
    let words = "user oncall may not create pods/portforward in namespace database";
    followed.until(words, |s| s.proxies.len() == 2 && says(s, words)).await;
    // Without the tunnel, what would help is named.
    let mut followed = Followed::new(configured(&cluster, "admin", Reach::Direct), operator);
    followed.until("a hint", |s| says(s, "reach = \"port-forward\"")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_in_a_secret_is_read_and_read_again_when_it_was_changed() {
    let cluster = placed().await;
    let (wire, _folder) = wire(&cluster.kubeconfig()).await;
    let (_, right) = cluster.database().credentials.proxy_admin;
    let mut configured = configured(&cluster, "admin", Reach::PortForward);
    let secret = Key::new("database", "proxysql-login");
    configured.proxies_by =
        configured.proxies_by.map(|by| Account { password: Password::Secret(secret, "radmin".into()), ..by });
    let mut followed = Followed::new(configured, wire);
    followed.until("no Secret", |s| says(s, "the Secret database/proxysql-login")).await;
    let data = |password: &str| json!({"radmin": BASE64_STANDARD.encode(format!("{password}\n"))});
    cluster.with_world(|world| {
        let meta = json!({"name": "proxysql-login", "namespace": "database"});
        let old = json!({"metadata": meta, "type": "Opaque", "data": data("of-last-year")});
        world.store.insert_by(Kind::SECRET, old, "kubectl-create");
    });
    followed.until("a wrong password", |s| s.proxies.len() == 2 && says(s, "wrong password")).await;
    let told = troubles(&followed.snapshot);
    assert!(told[0].1.as_ref().is_some_and(|why| why.starts_with(&*told[0].0)), "{told:?}");
    cluster.with_world(|world| {
        world.store.update(Kind::SECRET, "database", "proxysql-login", "kubectl", |secret| {
            secret["data"] = data(right);
        });
    });
    followed.until("the new password", |s| answer(s, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_pass_whole_and_a_tunnel_ends_with_its_owner() {
    use tokio::io::AsyncReadExt;
    let cluster = placed().await;
    let (wire, _folder) = wire(&cluster.kubeconfig()).await;
    let mut followed = Followed::new(configured(&cluster, "admin", Reach::PortForward), wire.clone());
    followed.until("both", |s| answer(s, 2)).await;
    let pod = named(&cluster)[0].trim_start_matches("database/").trim_end_matches(":6032").to_owned();
    let tunnel = Tunnel::open(wire, "database", &pod, 6032).await.expect("loopback");
    let mut near = tokio::net::TcpStream::connect(tunnel.address()).await.expect("it listens");
    let mut head = [0; 5];
    near.read_exact(&mut head).await.expect("a greeting");
    assert_eq!((head[3], head[4], tunnel.trouble()), (0, 10, None), "the first packet of protocol 10");
    let address = tunnel.address();
    drop(tunnel);
    let mut rest = Vec::new();
    let _ = near.read_to_end(&mut rest).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens there any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_the_status_pages_of_the_pods_and_go_with_the_memory_measured_then() {
    let cluster = begin(standing(2)).await;
    let (wire, _folder) = wire(&cluster.kubeconfig()).await;
    let (mut live, _) = observe(wire.clone(), Scope::default());
    let known = |seen: &Arc<Snapshot>| {
        seen.is_ready()
            && seen.tenants.contains_key(&TenantName::from("acme"))
            && !seen.usage.items.is_empty()
    };
    let waited = tokio::time::timeout(PATIENCE, live.wait_for(known)).await;
    let first = waited.expect("the cluster is seen").expect("it is followed").clone();
    let measure = async |path: &str| {
        let (tell, seen) = watch::channel(first.clone());
        // Memory is measured once the first pages were read.
        let later = async {
            let mut next = Snapshot::clone(&first);
            let at = next.dated(Timestamp::now());
            let again = next.usage.items.iter();
            let again =
                again.map(|(key, usage)| (key.clone(), Usage { at, ..Usage::clone(usage) })).collect();
            next.observe(Observation::Usage(Seen::All(again, at)));
            tell.send_replace(Arc::new(next));
        };
        let page = path.parse().expect("a port and a path");
        workers::measured(&wire, &seen, &"acme".into(), &page, later).await
    };
    let uses = measure("8080/status").await.expect("its pods have such a page");
    assert!(
        !uses.is_empty() && uses.len() == first.tenants[&TenantName::from("acme")].ready() as usize,
        "{uses:?}"
    );
    for one in &uses {
        // A request takes 80 Mi there, beside 60.
        let active = one.active.expect("it is counted");
        let takes = (one.used.0 >> 20) as f64;
        assert!((60.0 + 80.0 * active - takes).abs() < 60.0, "{active} active in {takes} Mi");
    }
    for (page, why) in [
        ("8080/nothing", "is no status page of php-fpm: it names no `active processes`"),
        ("81/status", "nothing listens on that port of the pod"),
    ] {
        let refused = measure(page).await.expect_err("there is none");
        assert!(refused.contains(why), "{page}: {refused}");
    }
}
