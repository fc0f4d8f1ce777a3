//! Nobody loses a ready pod: campaigns in worlds thrown from a seed, watched by somebody who counts for himself.
//!
//! The watcher reads every change of the API's store, knows nothing of tenants, plans or runs, and counts ready pods by
//! namespace. `WHEELHOUSE_WORLDS` is how many worlds there are, `WHEELHOUSE_FIRST_WORLD` the first seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use wheelhouse::{
    demo::{Kind, Options, World},
    plan::rebalance::{Goal, Policy},
    run::campaign::{self, Aim, CampaignState},
};

use crate::{
    campaigns::{drain, drive_until, proposed, rebalance, start},
    session::Ground,
    world::standing,
};

/// Numbers from a seed (xorshift64*): the same in every build.
struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.of(sides) == 0
    }
}

fn text<'a>(object: &'a Value, at: &str) -> &'a str {
    object.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
    ready && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Counts ready pods by namespace, with every change.
struct Watcher {
    revision: u64,
    ready: BTreeMap<(String, String), bool>,
    least: BTreeMap<String, usize>,
    fewer: Vec<String>,
}

impl Watcher {
    fn begin(world: &World) -> Self {
        let ready: BTreeMap<_, _> =
            world.store.list(Kind::POD, None).map(|pod| (key(pod), is_ready(pod))).collect();
        let least = count(&ready);
        Self { revision: world.store.revision(), ready, least, fewer: Vec::new() }
    }

    fn look(&mut self, world: &World) {
        let changes: Vec<_> =
            world.store.changes_since(self.revision).expect("they are kept").cloned().collect();
        for change in changes {
            self.revision = change.revision;
            if !std::ptr::eq(change.kind, Kind::POD) {
                continue;
            }
            let there = world_has(&change);
            self.ready.insert(key(&change.object), there && is_ready(&change.object));
            let now = count(&self.ready);
            for (space, least) in &self.least {
                let n = now.get(space).copied().unwrap_or(0);
                if n < *least {
                    self.fewer.push(format!(
                        "{space}: {n} of {least} ready after {}",
                        text(&change.object, "/metadata/name")
                    ));
                }
            }
        }
    }
}

fn world_has(change: &wheelhouse::demo::store::Change) -> bool {
    !matches!(change.change, wheelhouse::demo::store::ChangeType::Deleted)
}

fn key(pod: &Arc<Value>) -> (String, String) {
    (text(pod, "/metadata/namespace").into(), text(pod, "/metadata/name").into())
}

fn count(ready: &BTreeMap<(String, String), bool>) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for ((space, _), is) in ready {
        *all.entry(space.clone()).or_default() += usize::from(*is);
    }
    all
}

/// What was thrown: the tenants that no move is possible of, or that are short.
struct Thrown {
    ground: Ground,
    exempt: Vec<String>,
    told: String,
    /// What of all that can be thrown was.
    has: BTreeSet<&'static str>,
}

/// All that can be thrown: every one of it is in some of the worlds.
const SCENARIOS: &[&str] = &[
    "one node was lost",
    "two nodes were lost",
    "a zone was lost",
    "uneven nodes",
    "a tainted node",
    "a budget of all replicas",
    "required anti-affinity",
    "a spread constraint",
    "a StatefulSet",
    "a tenant that is short",
    "a tight quota",
    "a drain",
    "memory evened out",
];

fn thrown(seed: u64) -> Thrown {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        dice.of(2);
    }
    let (tenants, nodes) = (4 + dice.of(5) as usize, 4 + dice.of(2) as usize);
    let epoch = Some("2026-11-21T09:00:00Z".parse().expect("a time"));
    let ground = Ground::with(Options { seed, epoch, nodes, ..standing(tenants) });
    let (mut exempt, mut told) = (Vec::new(), format!("{tenants} tenants on {nodes} nodes"));
    let mut has = BTreeSet::new();
    if dice.one_in(3) {
        has.insert("uneven nodes");
        let small = format!("worker-{}", 1 + dice.of(nodes as u64));
        told += &format!("; {small} is half as large");
        ground.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", &small, "somebody", |n| {
                for of in ["capacity", "allocatable"] {
                    let all = amount(&n["status"][of]["memory"]);
                    n["status"][of]["memory"] = format!("{}Ki", all / 2048).into();
                }
            });
        });
    }
    let spaces: Vec<String> = ground.cluster.with_world(|w| {
        let all = w.store.list(Kind::DEPLOYMENT, None);
        let own = all.filter(|d| d["metadata"]["labels"]["app.kubernetes.io/part-of"] == "saas");
        own.map(|d| text(d, "/metadata/namespace").to_owned()).collect()
    });
    for space in &spaces {
        let replicas = 1 + dice.of(5);
        let kind = dice.of(5);
        let memory = ["128Mi", "256Mi", "1Gi", "3Gi"][dice.of(4) as usize];
        let short = dice.one_in(9);
        let replicas = if short { nodes as u64 + 1 } else { replicas };
        ground.cluster.with_world(|w| {
            w.store.update(Kind::DEPLOYMENT, space, space, "somebody", |d| {
                d["spec"]["replicas"] = replicas.into();
                let spec = &mut d["spec"]["template"]["spec"];
                spec["containers"][1]["resources"]["requests"]["memory"] = memory.into();
                spec["containers"][1]["resources"]["limits"]["memory"] = "4Gi".into();
                let selector = json!({"matchLabels": {"app": space}});
                if kind == 1 || short {
                    spec["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}]}});
                } else if kind == 2 {
                    spec["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]);
                }
            });
            if kind == 3 {
                w.store.update(Kind::DISRUPTION_BUDGET, space, space, "somebody", |b| {
                    b["spec"] = json!({"minAvailable": replicas, "selector": {"matchLabels": {"app": space}}});
                });
            }
        });
        told += &format!(
            "; {space}: {replicas} pods of {memory}, kind {kind}{}",
            if short { ", short" } else { "" }
        );
        // One to a node, and more than there are nodes: some find none.
        has.extend(short.then_some("a tenant that is short"));
        has.extend(match kind {
            1 => Some("required anti-affinity"),
            2 if !short => Some("a spread constraint"),
            3 => Some("a budget of all replicas"),
            _ => None,
        });
        if short || (kind == 1 && replicas > nodes as u64) {
            exempt.push(space.clone());
        }
    }
    if dice.one_in(4) {
        told += "; a StatefulSet";
        has.insert("a StatefulSet");
        exempt.push("ledger".into());
        ground.cluster.with_world(|w| {
            let label = json!({"app": "ledger", "tenant": "ledger"});
            w.store.insert_by(Kind::NAMESPACE, json!({"metadata": {"name": "ledger"}}), "somebody");
            w.store.insert_by(
                Kind::STATEFUL_SET,
                json!({"metadata": {"name": "ledger", "namespace": "ledger", "labels": label}, "spec": {
                    "replicas": 2, "serviceName": "ledger", "selector": {"matchLabels": {"app": "ledger"}},
                    "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
                    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                    "template": {"metadata": {"labels": label}, "spec": {"containers": [{"name": "php-fpm",
                        "image": "registry.example/saas/app:2.4.1", "resources": {"requests": {"memory": "128Mi"}},
                        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                        "imagePullPolicy": "IfNotPresent"}], "restartPolicy": "Always",
                        "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {},
                        "schedulerName": "default-scheduler"}}}}),
                "somebody",
            );
        });
    }
    ground.step(420);
    let names: Vec<String> = (1..=nodes).map(|n| format!("worker-{n}")).collect();
    let thrown = dice.of(7);
    has.extend(match thrown {
        0 => None,
        1 | 2 => Some("one node was lost"),
        3 | 4 => Some("two nodes were lost"),
        _ => Some("a zone was lost"),
    });
    let lost: Vec<&String> = match thrown {
        0 => vec![],
        1 | 2 => vec![&names[dice.of(nodes as u64) as usize]],
        3 | 4 => names.iter().take(2).collect(),
        _ => names.iter().enumerate().filter(|(n, _)| n % 3 == 2).map(|(_, name)| name).collect(),
    };
    told += &format!("; lost and back: {lost:?}");
    let power = |name: &str, state: &str| {
        ground.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", name, "somebody", |n| {
                n["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = state.into();
            });
        });
    };
    lost.iter().for_each(|name| power(name, "off"));
    ground.step(480);
    lost.iter().for_each(|name| power(name, "on"));
    ground.step(400);
    if dice.one_in(4) {
        let name = &names[dice.of(nodes as u64) as usize];
        told += &format!("; {name} is tainted");
        has.insert("a tainted node");
        ground.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", name, "somebody", |n| {
                n["spec"]["taints"] = json!([{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]);
            });
        });
    }
    if dice.one_in(3) {
        let space = &spaces[dice.of(spaces.len() as u64) as usize];
        told += &format!("; {space} has a tight quota");
        has.insert("a tight quota");
        exempt.push(space.clone());
        let pods = ground.cluster.with_world(|w| w.store.list(Kind::POD, Some(space)).count());
        ground.cluster.with_world(|w| {
            w.store.insert_by(
                Kind::RESOURCE_QUOTA,
                json!({"metadata": {"name": "tight", "namespace": space}, "spec": {"hard": {"pods": pods.to_string()}}}),
                "somebody",
            );
        });
    }
    ground.step(60);
    Thrown { ground, exempt, told, has }
}

/// Bytes or thousandths of a core, as Kubernetes writes them.
fn amount(text: &Value) -> i64 {
    let text = text.as_str().unwrap_or("0");
    let split = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let number: i64 = text[..split].parse().unwrap_or(0);
    number
        * match &text[split..] {
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => 1,
        }
}

fn memory(pod: &Value) -> i64 {
    let containers = pod["spec"]["containers"].as_array();
    containers.into_iter().flatten().map(|c| amount(&c["resources"]["requests"]["memory"])).sum()
}

/// Tenants with two pods more on one node than on another that would take one, by a count of its own.
fn curable(world: &World, exempt: &[String]) -> Vec<String> {
    let live = |pod: &&Arc<Value>| {
        pod["metadata"]["deletionTimestamp"].is_null()
            && !["Succeeded", "Failed"].contains(&text(pod, "/status/phase"))
    };
    let pods: Vec<_> = world.store.list(Kind::POD, None).filter(live).cloned().collect();
    let ready = |node: &Value| {
        let conditions = node["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    let open = |node: &&Arc<Value>| {
        ready(node)
            && node["spec"]["unschedulable"] != true
            && node["spec"]["taints"].as_array().is_none_or(Vec::is_empty)
    };
    let mut wrong = Vec::new();
    for deployment in world.store.list(Kind::DEPLOYMENT, None) {
        let space = text(deployment, "/metadata/namespace");
        let tenant = deployment["metadata"]["labels"]["app.kubernetes.io/part-of"] == "saas";
        if !tenant || exempt.iter().any(|name| name == space) {
            continue;
        }
        let mine: Vec<_> = pods
            .iter()
            .filter(|p| text(p, "/metadata/namespace") == space && p["metadata"]["labels"]["app"] == space)
            .collect();
        let on = |node: &str| mine.iter().filter(|p| text(p, "/spec/nodeName") == node).count();
        for node in world.store.list(Kind::NODE, None).filter(open) {
            let name = text(node, "/metadata/name");
            let used: i64 =
                pods.iter().filter(|p| text(p, "/spec/nodeName") == name).map(|p| memory(p)).sum();
            let room = amount(&node["status"]["allocatable"]["memory"]) - used;
            let nodes = mine.iter().map(|p| text(p, "/spec/nodeName")).filter(|node| !node.is_empty());
            let most = nodes.map(on).max().unwrap_or(0);
            if most >= on(name) + 2 && mine.first().is_some_and(|p| memory(p) <= room) {
                wrong.push(format!("{space}: {most} on one node, {} on {name}, which has room", on(name)));
            }
        }
    }
    wrong
}

/// Whatever a move borrows: none of it is left.
fn left_over(world: &World, drained: Option<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    for pod in world.store.list(Kind::POD, None) {
        let meta = &pod["metadata"];
        let cost = !meta["annotations"]["controller.kubernetes.io/pod-deletion-cost"].is_null();
        let bare = meta["ownerReferences"].as_array().is_none_or(Vec::is_empty);
        if cost || bare || !meta["labels"]["wheelhouse.dev/run"].is_null() {
            wrong.push(format!("{}: cost {cost}, bare {bare}", text(pod, "/metadata/name")));
        }
    }
    for node in world.store.list(Kind::NODE, None) {
        let name = text(node, "/metadata/name");
        if (node["spec"]["unschedulable"] == true) != (drained == Some(name)) {
            wrong.push(format!("{name}: cordoned is {}", node["spec"]["unschedulable"]));
        }
    }
    wrong
}

/// How many items it took, and what was in that world.
fn one_world(seed: u64) -> (usize, BTreeSet<&'static str>) {
    let Thrown { ground, exempt, told, mut has } = thrown(seed);
    let alice = ground.session("alice@bastion");
    let drained = (seed % 4 == 3).then(|| format!("worker-{}", 1 + seed % 3));
    let policy = Policy { most_in_use: 1000, ..rebalance().policy };
    let aim = match &drained {
        Some(node) => Aim { policy, ..drain(node) },
        None => {
            let goal =
                Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: !seed.is_multiple_of(3) };
            Aim { goal, policy, ..rebalance() }
        }
    };
    has.extend(match &aim.goal {
        Goal::Drain { .. } => Some("a drain"),
        Goal::Rebalance { only_spread: false, .. } => Some("memory evened out"),
        _ => None,
    });
    let place = format!("world {seed}: {told}; {}", aim.words());
    let made = proposed(&alice, aim.clone());
    // What can only be evicted has one ready pod less meanwhile, and says so.
    let dips: Vec<String> = made
        .items()
        .iter()
        .filter_map(|item| match item {
            wheelhouse::plan::Intent::Move { moved } if moved.means == wheelhouse::plan::Means::Eviction => {
                Some(moved.pod.namespace.to_string())
            }
            _ => None,
        })
        .collect();
    let mut watcher = ground.cluster.with_world(|w| Watcher::begin(w));
    watcher.least.retain(|space, _| !dips.contains(space));
    let watcher = std::cell::RefCell::new(watcher);
    let mut end = None;
    if !made.items().is_empty() {
        let mut handle = start(&alice, made);
        drive_until(&ground, &alice, &mut handle, |it| {
            ground.cluster.with_world(|w| watcher.borrow_mut().look(w));
            it.state.is_over() || it.state == CampaignState::Paused
        });
        end = Some(alice.block("the end", handle.ended()));
    }
    ground.step(60);
    ground.cluster.with_world(|w| watcher.borrow_mut().look(w));
    if let Some(it) = &end {
        assert_eq!(it.state, CampaignState::Done, "{place}: {:?} {:?}", it.last_word(), it.states);
    }
    let fewer = watcher.into_inner().fewer;
    assert!(fewer.is_empty(), "{place}: {fewer:?}");
    let wrong = ground.cluster.with_world(|w| left_over(w, drained.as_deref()));
    assert!(wrong.is_empty(), "{place}: {wrong:?}");
    if drained.is_none() {
        let wrong = ground.cluster.with_world(|w| curable(w, &exempt));
        assert!(wrong.is_empty(), "{place}: {wrong:?}");
    }
    let ready = |s: &wheelhouse::cluster::Snapshot| s.leases.values().all(|lease| lease.holder.is_none());
    alice.until("free leases", ready);
    alice.catch_up(&ground);
    let again = campaign::offer(&aim, &alice.now()).expect("a proposal");
    let again: Vec<_> = again.items.iter().map(campaign::words).collect();
    assert!(
        again.is_empty(),
        "{place}: a second plan: {again:?}; the first was {:?}",
        end.as_ref().map(|it| &it.states)
    );
    (end.map_or(0, |it| it.counts().done), has)
}

#[test]
fn nobody_loses_a_ready_pod_and_nothing_is_left_to_do_or_lies_about() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let (worlds, first) =
        (number("WHEELHOUSE_WORLDS").unwrap_or(40), number("WHEELHOUSE_FIRST_WORLD").unwrap_or(1));
    let wrong = std::sync::Mutex::new(Vec::new());
    let census = std::sync::Mutex::new(BTreeMap::<&str, u64>::new());
    let done = AtomicUsize::new(0);
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= first + worlds {
                        return;
                    }
                    match std::panic::catch_unwind(|| one_world(seed)) {
                        Ok((items, has)) => {
                            done.fetch_add(items, Relaxed);
                            let mut census = census.lock().expect("nobody panics with it");
                            has.into_iter().for_each(|one| *census.entry(one).or_default() += 1);
                        }
                        Err(_) => wrong.lock().expect("nobody panics with it").push(seed),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody panics with it");
    let done = done.into_inner();
    let census = census.into_inner().expect("nobody panics with it");
    println!("{done} items in {worlds} worlds: {census:?}");
    assert!(done as u64 >= worlds, "only {done} items in {worlds} worlds: nothing was to be done");
    assert!(wrong.is_empty(), "worlds {wrong:?} of {worlds}: see above");
    let missing = SCENARIOS.iter().copied().filter(|one| worlds >= 40 && !census.contains_key(one));
    assert_eq!(missing.collect::<Vec<&str>>(), [""; 0], "in none of {worlds} worlds");
}
