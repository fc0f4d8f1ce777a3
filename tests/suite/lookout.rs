//! Of several cockpits that look at the same, one asks what stands around, and the others show what it tells. On the embedded
//! cluster, with an ingress node on loopback that counts who asks it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use wheelhouse::{
    cluster::{
        Freshness, Snapshot,
        platform::{Duty, Looker},
    },
    cockpit,
    config::Config,
    demo::{AccessRule, Cluster, Kind, Options},
    live,
};

use crate::{
    program::{Demo, PATIENCE},
    rights::rights_of,
    world::{begin, standing, wire},
};

/// An ingress node that has the file of every host but of one that nobody has, and how often it was asked.
async fn node() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at, asked) = (listener.local_addr().expect("an address").to_string(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut part = [0; 2048];
                let length = stream.read(&mut part).await.unwrap_or(0);
                let nobody = String::from_utf8_lossy(&part[..length]).contains("wheelhouse.invalid");
                let status = if nobody { "404 Not Found" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (at, asked)
}

/// A world that stands still, with the namespace of the journals.
async fn world() -> Cluster {
    let cluster = begin(Options { speed: 1.0, ..standing(4) }).await;
    cluster.with_world(|world| {
        world.store.insert(Kind::NAMESPACE, json!({"metadata": {"name": "wheelhouse"}}));
    });
    cluster
}

/// A cockpit without a screen: it stands for election, and observes.
struct Cockpit {
    seen: watch::Receiver<Arc<Snapshot>>,
    name: String,
    tasks: Vec<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    _folder: TempDir,
}

impl Cockpit {
    async fn opens(kubeconfig: &str, who: &str, node: &str, more: &str) -> Self {
        let settings = format!(
            "operator = '{who}'\n[journal]\nlease = '2s'\n[platform]\nevery = '1h'\ningress-nodes = ['{node}']\n{more}"
        );
        let config = Config::parse(&settings).expect("a configuration");
        let (wire, folder) = wire(kubeconfig).await;
        let mut candidate = cockpit::candidate(&config, &wire);
        let mut scope = cockpit::listening(&config);
        let sharing =
            scope.platform.as_mut().and_then(|platform| platform.sharing.as_mut()).expect("it shares");
        let (duty, heard) = watch::channel(Duty::Undecided);
        let (stop, stopped) = oneshot::channel();
        // Both are in one process.
        candidate.who.session = format!("1-{who}");
        (sharing.session, sharing.duty) = (candidate.who.session.clone(), heard);
        let (name, told) = (candidate.name.clone(), sharing.tell.subscribe());
        let standing = tokio::spawn(candidate.stand(duty, told, stopped));
        let (seen, following) = live::observe(wire, scope);
        Self { seen, name, tasks: vec![standing, following], stop: Some(stop), _folder: folder }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let found = timeout(PATIENCE, self.seen.wait_for(|seen| holds(seen))).await;
        if let Some(seen) = found.ok().and_then(|found| found.ok().map(|seen| seen.clone())) {
            return seen;
        }
        let last = self.seen.borrow();
        panic!("waited for {what}; {:?}, {:?}, {:?}", last.looker, last.platform.items, last.api.freshness);
    }

    /// Until it shows the node as one that answers and knows all hosts, by whom.
    async fn shows(&mut self, by: &Looker) -> Arc<Snapshot> {
        let known = |seen: &Snapshot| {
            let live = |seen: &Snapshot| seen.platform.values().all(|one| one.link.is_live());
            !seen.platform.is_empty() && live(seen) && seen.looks.len() == 4
        };
        self.until(&format!("{by:?}"), |seen| seen.looker == *by && known(seen)).await
    }

    /// Until it looks by itself; why.
    async fn alone(&mut self) -> String {
        let seen =
            self.until("that it looks by itself", |seen| matches!(seen.looker, Looker::Alone { .. })).await;
        let Looker::Alone { why } = &seen.looker else { unreachable!() };
        why.to_string()
    }

    /// It is left: the Lease is given back.
    async fn leaves(mut self) {
        let _ = self.stop.take().expect("it runs").send(());
        timeout(PATIENCE, self.tasks.remove(0)).await.expect("it ends").expect("it does not panic");
    }
}

impl Drop for Cockpit {
    /// It dies.
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn by(who: &str) -> Looker {
    Looker::Other { who: who.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_looks_and_when_it_dies_another_goes_on() {
    let (cluster, (node, asked)) = (world().await, node().await);
    let mut alice = Cockpit::opens(&cluster.kubeconfig(), "alice", &node, "").await;
    let seen = alice.shows(&Looker::ForAll).await;
    let times = asked.load(Ordering::Relaxed);
    assert!(times >= 5, "each host, and one that nobody has: {times}");
    let mut bob = Cockpit::opens(&cluster.kubeconfig(), "bob", &node, "").await;
    let shown = bob.shows(&by("alice")).await;
    assert_eq!(bob.name, alice.name);
    let looks = |seen: &Snapshot| {
        seen.looks.items.iter().map(|(k, v)| (k.clone(), v.found.clone())).collect::<Vec<_>>()
    };
    assert_eq!(looks(&shown), looks(&seen));
    let dated = |seen: &Snapshot| seen.looks.values().map(|look| look.since).max().expect("looks");
    let apart = dated(&shown).duration_since(dated(&seen)).abs();
    assert!(apart < jiff::SignedDuration::from_secs(3), "{apart:?}");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(asked.load(Ordering::Relaxed), times, "only one asks");
    drop(alice);
    let seen = bob.until("that it takes over", |seen| seen.looker == Looker::ForAll).await;
    assert!(!seen.platform.is_empty() && seen.looks.len() == 4, "it begins with what is known");
    assert!(seen.platform.values().all(|one| one.link != Freshness::Connecting));
    timeout(PATIENCE, async {
        while asked.load(Ordering::Relaxed) < times + 5 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it asks");
    // One that leaves gives the Lease back.
    let mut carol = Cockpit::opens(&cluster.kubeconfig(), "carol", &node, "").await;
    carol.shows(&by("bob")).await;
    bob.leaves().await;
    let lease = cluster.with_world(|world| world.store.get(Kind::LEASE, "wheelhouse", &carol.name).cloned());
    let holder = lease.expect("a Lease")["spec"]["holderIdentity"].clone();
    assert!(holder.is_null() || holder == "carol 1-carol", "{holder}");
    carol.shows(&Looker::ForAll).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_looked_at_otherwise_is_looked_at_apart() {
    let (cluster, (node, _)) = (world().await, node().await);
    let mut alice = Cockpit::opens(&cluster.kubeconfig(), "alice", &node, "").await;
    let mut bob = Cockpit::opens(&cluster.kubeconfig(), "bob", &node, "path = '/other.txt'\n").await;
    assert_ne!(alice.name, bob.name);
    alice.shows(&Looker::ForAll).await;
    bob.shows(&Looker::ForAll).await;
    let kept = |kind| {
        cluster.with_world(|world| {
            let ours = |one: &&Arc<Value>| {
                one["metadata"]["name"].as_str().is_some_and(|n| n.starts_with("platform-"))
            };
            world.store.list(kind, Some("wheelhouse")).filter(ours).count()
        })
    };
    let both = async {
        while [Kind::LEASE, Kind::CONFIG_MAP].map(&kept) != [2, 2] {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, both).await.expect("each tells in a place of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_write_reads_what_is_told_and_otherwise_looks_and_says_why() {
    let (cluster, (node, asked)) = (world().await, node().await);
    let see = AccessRule::new(&["get", "list", "watch"], &["*"], None);
    let viewer = cluster.kubeconfig_for(&cluster.users().add("viewer", &[see]));
    let mut bob = Cockpit::opens(&viewer, "bob", &node, "").await;
    assert_eq!(bob.alone().await, "it needs the right to create leases in namespace wheelhouse");
    bob.until("looks", |seen| seen.looks.len() == 4).await;
    let mut alice = Cockpit::opens(&cluster.kubeconfig(), "alice", &node, "").await;
    alice.shows(&Looker::ForAll).await;
    bob.shows(&by("alice")).await;
    // One that never writes, whatever its rights; and one that may not even read what is told.
    let mut carol = Cockpit::opens(
        &cluster.kubeconfig(),
        "carol",
        &node,
        "[[platform.redis]]\nname = 'r'\naddress = '127.0.0.1:1'\npassword = { env = 'NOT_SET' }\n",
    )
    .await;
    let why = carol.alone().await;
    assert!(why.starts_with("it has no login for r: "), "{why}");
    let less = AccessRule::new(
        &["get", "list", "watch"],
        &["nodes", "namespaces", "pods", "services", "deployments.apps", "ingresses.networking.k8s.io"],
        None,
    );
    let less = cluster.kubeconfig_for(&cluster.users().add("less", &[less]));
    let before = asked.load(Ordering::Relaxed);
    let mut dave = Cockpit::opens(&less, "dave", &node, "").await;
    let why = dave.alone().await;
    assert!(why.starts_with("it needs the right to"), "{why}");
    dave.until("looks", |seen| seen.looks.len() == 4).await;
    assert!(asked.load(Ordering::Relaxed) >= before + 5, "it looks by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_an_operator_are_enough_to_look_for_all_and_those_of_a_viewer_to_read_it() {
    let (cluster, (node, _)) = (world().await, node().await);
    let with = |role: &str| cluster.kubeconfig_for(&cluster.users().add(role, &rights_of(&[role])));
    let mut alice = Cockpit::opens(&with("operator"), "alice", &node, "").await;
    alice.shows(&Looker::ForAll).await;
    let mut bob = Cockpit::opens(&with("viewer"), "bob", &node, "").await;
    bob.shows(&by("alice")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_namespace_is_not_there_nothing_is_made() {
    let (cluster, (node, _)) = (begin(standing(4)).await, node().await);
    let mut alice = Cockpit::opens(&cluster.kubeconfig(), "alice", &node, "").await;
    assert_eq!(alice.alone().await, "there is no namespace wheelhouse to tell it in");
    cluster.with_world(|world| {
        assert!(world.store.get(Kind::NAMESPACE, "", "wheelhouse").is_none());
        assert!(world.store.list(Kind::LEASE, Some("wheelhouse")).next().is_none());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_has_put_there_takes_no_cockpit_down() {
    let (cluster, (node, _)) = (world().await, node().await);
    let see = AccessRule::new(&["get", "list", "watch"], &["*"], None);
    let viewer = cluster.kubeconfig_for(&cluster.users().add("viewer", &[see]));
    let mut bob = Cockpit::opens(&viewer, "bob", &node, "").await;
    bob.until("looks", |seen| seen.looks.len() == 4).await;
    let name = bob.name.clone();
    for (told, expected) in [
        (json!({"seen": "%%%"}), "what another cockpit tells is damaged: it is no base64"),
        (json!({"seen": "AAAA"}), "what another cockpit tells is damaged: it cannot be unpacked"),
        (json!({}), "what another cockpit tells is damaged: it cannot be unpacked"),
        (json!({"seen": "A".repeat(900_000)}), "what another cockpit tells is damaged: it is too long"),
    ] {
        let object = json!({"metadata": {"name": name, "namespace": "wheelhouse"}, "binaryData": told});
        cluster.with_world(|world| world.store.insert(Kind::CONFIG_MAP, object));
        let says = |seen: &Snapshot| matches!(&seen.looker, Looker::Alone { why } if &**why == expected);
        bob.until(expected, says).await;
        assert_eq!(bob.seen.borrow().looks.len(), 4, "it goes on looking");
    }
    // A cockpit that may write puts it right.
    let mut alice = Cockpit::opens(&cluster.kubeconfig(), "alice", &node, "").await;
    alice.shows(&Looker::ForAll).await;
    bob.shows(&by("alice")).await;
}

/// The program itself: a cockpit in a terminal looks, and commands show what it tells.
#[test]
fn a_cockpit_tells_and_commands_show_it() {
    let demo = Demo::database("--tenants 4 --nodes 3 --seed 7 --speed 1 --scenario edge-stale");
    // The namespace of the journals comes with the first run.
    let alone = demo.json(0, &["--set", "platform.share=false", "platform", "-o", "json"]);
    assert_eq!(alone["looker"], json!({"by": "alone", "why": "`share` is false"}));
    let alone = demo.json(0, &["platform", "-o", "json"]);
    assert_eq!(alone["looker"]["by"], "alone");
    assert_eq!(alone["looker"]["why"], "no cockpit that looks at the same has told what it sees");
    demo.run(0, &["scale", "acme", "+1", "--yes", "--reason", "a test"]);
    let mut cockpit = demo.home.terminal(&demo.on(&[]), 120, 40);
    cockpit.wait_for("acme");
    cockpit.keys(":platform\r");
    cockpit.wait_for("which tells the other cockpits");
    let begun = std::time::Instant::now();
    let told = loop {
        let told = demo.json(0, &["platform", "-o", "json"]);
        if told["looker"]["by"] == "other" {
            break told;
        }
        assert!(begun.elapsed() < PATIENCE, "{:#}", told["looker"]);
    };
    assert!(told["looker"]["who"].as_str().is_some_and(|who| who.starts_with("alice")), "{}", told["looker"]);
    assert!(
        told["told"].is_string()
            && told["probing"].as_str().is_some_and(|text| text.starts_with("seen by alice"))
    );
    let states = |seen: &Value| {
        let rows = seen["components"].as_array().expect("components");
        rows.iter().map(|row| (row["key"]["name"].to_string(), row["state"].to_string())).collect::<Vec<_>>()
    };
    assert_eq!(states(&told), states(&alone));
    let (text, _) = demo.run(0, &["platform"]);
    assert!(text.contains("seen by alice") && text.contains("this program asks nothing itself"), "{text}");
    let (text, _) = demo.run(0, &["doctor"]);
    assert!(text.contains("a cockpit of yours may look at it for all"), "{text}");
    cockpit.keys("q");
}
