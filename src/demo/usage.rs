//! What containers use: memory and CPU that breathe with the requests of their tenant.
//!
//! Pure functions of the world's seed, the pod and the time: nothing is accumulated, so any moment can be asked for.
//! A php-fpm container takes about 60 MB and 80 MB for each request it serves at once, 8 at most.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kind::Kind;
use super::quantity::{milli_cpu, units};
use super::store::{Object, stamp};
use super::value::{
    hash, in_force, is_active, is_ready, list, name, namespace, terminating, text, time, uid,
};
use super::world::World;

/// metrics-server's resolution.
const WINDOW: i64 = 15;
/// The part of its memory limit from which on a container gets into trouble.
const TIGHT: f64 = 0.96;
const MIB: f64 = 1_048_576.0;
/// `pm.max_children` of every php-fpm pool here.
pub(super) const MOST_CHILDREN: f64 = 8.0;

fn app(pod: &Value) -> &str {
    let labels = &pod["metadata"]["labels"];
    labels["app"].as_str().or_else(|| labels["app.kubernetes.io/name"].as_str()).unwrap_or_default()
}

/// Smooth noise from -1 to 1 that belongs to these words and the time; it changes over `period` seconds.
fn noise(world: &World, words: &[&str], now: Timestamp, period: i64) -> f64 {
    let second = now.duration_since(world.epoch).as_secs();
    let cell = second.div_euclid(period);
    let part = second.rem_euclid(period) as f64 / period as f64;
    let at = |cell: i64| {
        let cell = cell.to_string();
        let mut all: Vec<&str> = words.to_vec();
        all.push(&cell);
        world.fate(&all) * 2.0 - 1.0
    };
    let ease = part * part * (3.0 - 2.0 * part);
    at(cell) * (1.0 - ease) + at(cell + 1) * ease
}

/// The requests each ready pod of an app serves at once.
fn requests_each(world: &World, space: &str, app: &str, ready: usize, now: Timestamp) -> f64 {
    let demand = world.usage.of(space, app);
    let slow = noise(world, &[space, app, "slow"], now, 900);
    let fast = noise(world, &[space, app, "fast"], now, 120);
    demand.requests * (1.0 + demand.swing * (0.7 * slow + 0.3 * fast)) / ready.max(1) as f64
}

struct Load {
    cpu: f64,
    memory: f64,
}

/// What one running container uses. `share` is what each pod of the app serves.
fn load(world: &World, pod: &Value, container: &Value, since: Timestamp, share: f64, now: Timestamp) -> Load {
    let called = text(&container["name"]);
    let own = noise(world, &[uid(pod), called], now, 60);
    let busy = busy(pod, own, since, share, now);
    match called {
        "php-fpm" => Load { cpu: 15.0 + 35.0 * busy, memory: (60.0 + 80.0 * busy + 4.0 * own) * MIB },
        "nginx" => Load { cpu: 3.0 + 3.0 * busy, memory: (14.0 + 1.5 * busy + own) * MIB },
        _ => {
            let (cpu, memory) = (
                milli_cpu(&container["resources"]["requests"]["cpu"]),
                units(&container["resources"]["requests"]["memory"]),
            );
            let cpu = if cpu > 0 { cpu as f64 * 0.3 } else { 5.0 };
            let memory = if memory > 0 { memory as f64 * 0.55 } else { 24.0 * MIB };
            Load { cpu: cpu * (1.0 + 0.3 * own), memory: memory * (1.0 + 0.06 * own) }
        }
    }
}

/// Requests that a container serves at once, with a noise of its own.
fn busy(pod: &Value, own: f64, since: Timestamp, share: f64, now: Timestamp) -> f64 {
    let age = now.duration_since(since).as_secs().max(0) as f64;
    let warm = (age / 45.0).min(1.0);
    if terminating(pod) { 0.0 } else { (share * (1.0 + 0.12 * own)).clamp(0.0, MOST_CHILDREN) * warm }
}

/// Requests that php-fpm of a pod serves now; 0 while it does not run.
pub(super) fn requests(world: &World, pod: &Value) -> f64 {
    let now = world.now();
    let statuses = || list(&pod["status"]["containerStatuses"]);
    let Some(status) = statuses().find(|status| status["name"] == "php-fpm") else { return 0.0 };
    let Some(since) = time(&status["state"]["running"]["startedAt"]) else { return 0.0 };
    let own = noise(world, &[uid(pod), "php-fpm"], now, 60);
    busy(pod, own, since, share(world, pod, now), now)
}

/// No container with this share uses more.
fn most_memory(container: &Value, share: f64) -> f64 {
    let busy = (share * 1.12).clamp(0.0, MOST_CHILDREN);
    match text(&container["name"]) {
        "php-fpm" => (64.0 + 80.0 * busy) * MIB,
        "nginx" => (15.0 + 1.5 * busy) * MIB,
        _ => (units(&container["resources"]["requests"]["memory"]) as f64).max(48.0 * MIB),
    }
}

fn share(world: &World, pod: &Value, now: Timestamp) -> f64 {
    let space = namespace(pod);
    let app = app(pod);
    let ready = world
        .store
        .list(Kind::POD, Some(space))
        .filter(|other| self::app(other) == app && is_active(other) && is_ready(other))
        .count();
    requests_each(world, space, app, ready, now)
}

/// The moment of the last sample.
fn sample(world: &World) -> Timestamp {
    let past = world.now().duration_since(world.epoch).as_secs().rem_euclid(WINDOW);
    Timestamp::from_second(world.now().as_second() - past).unwrap_or(world.now())
}

/// Containers of a pod that run, with their number and use at `now`.
fn loads<'a>(
    world: &'a World,
    pod: &'a Value,
    share: f64,
    now: Timestamp,
) -> impl Iterator<Item = (usize, &'a Value, Load)> + 'a {
    list(&pod["spec"]["containers"]).enumerate().filter_map(move |(index, container)| {
        let status = list(&pod["status"]["containerStatuses"]).nth(index)?;
        let since = time(&status["state"]["running"]["startedAt"])?;
        Some((index, container, load(world, pod, container, since, share, now)))
    })
}

/// CPU of a pod in thousandths of a core at the last sample.
pub(super) fn pod_cpu(world: &World, pod: &Value) -> f64 {
    let now = sample(world);
    let share = share(world, pod, now);
    loads(world, pod, share, now).map(|(_, _, load)| load.cpu).sum()
}

/// Running containers with a memory limit that need the kubelet's eye: near or over it, or not ready.
pub(super) fn heavy(world: &World) -> Vec<(Object, usize, i64)> {
    let now = world.now();
    let mut found = Vec::new();
    let look = |pod: &Object, share: f64| {
        for (index, container) in list(&pod["spec"]["containers"]).enumerate() {
            let limit = units(&in_force(pod, index, container)["limits"]["memory"]) as f64 * TIGHT;
            let Some(status) = list(&pod["status"]["containerStatuses"]).nth(index) else { continue };
            let Some(since) = time(&status["state"]["running"]["startedAt"]) else { continue };
            // Most containers cannot come near their limit with what they serve: those are not looked at closely.
            if limit <= 0.0 || (status["ready"] == true && most_memory(container, share) < limit) {
                continue;
            }
            let load = load(world, pod, container, since, share, now);
            if load.memory > limit || status["ready"] != true {
                found.push((pod.clone(), index, load.memory as i64));
            }
        }
    };
    each(world, None, look, now);
    found
}

/// Memory in bytes of the container of this number now; None while it does not run.
pub(super) fn memory(world: &World, pod: &Value, index: usize) -> Option<i64> {
    let now = world.now();
    let share = share(world, pod, now);
    let mut all = loads(world, pod, share, now);
    all.find(|(number, ..)| *number == index).map(|(_, _, load)| load.memory as i64)
}

/// Calls `visit` for every pod on a node with what each ready pod of its app serves.
fn each(world: &World, only: Option<&str>, mut visit: impl FnMut(&Object, f64), now: Timestamp) {
    let mut block: Vec<&Object> = Vec::new();
    let mut flush = |block: &mut Vec<&Object>| {
        let mut ready: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in block.iter() {
            *ready.entry(app(pod)).or_default() += usize::from(is_active(pod) && is_ready(pod));
        }
        let shares: BTreeMap<&str, f64> = ready
            .iter()
            .filter_map(|(app, ready)| {
                Some((*app, requests_each(world, namespace(block.first()?), app, *ready, now)))
            })
            .collect();
        for pod in block.drain(..) {
            visit(pod, shares.get(app(pod)).copied().unwrap_or(0.0));
        }
    };
    for pod in world.store.list(Kind::POD, only) {
        if block.first().is_some_and(|first| namespace(first) != namespace(pod)) {
            flush(&mut block);
        }
        block.push(pod);
    }
    flush(&mut block);
}

impl World {
    /// `metrics.k8s.io` PodMetrics items, of one namespace or of all.
    pub fn pod_metrics(&self, namespace: Option<&str>) -> Vec<Value> {
        pod_metrics(self, namespace)
    }

    /// `metrics.k8s.io` NodeMetrics items.
    pub fn node_metrics(&self) -> Vec<Value> {
        node_metrics(self)
    }
}

/// PodMetrics as metrics-server shows them: pods that have run for a whole window.
fn pod_metrics(world: &World, only: Option<&str>) -> Vec<Value> {
    let now = sample(world);
    let mut items = Vec::new();
    each(
        world,
        only,
        |pod, share| {
            let node = text(&pod["spec"]["nodeName"]);
            let young = time(&pod["status"]["startTime"])
                .is_none_or(|since| now.duration_since(since) < SignedDuration::from_secs(WINDOW));
            if young || !world.kubelet.is_up(node) || !is_active(pod) {
                return;
            }
            let containers: Vec<Value> = loads(world, pod, share, now)
            .map(|(_, container, load)| json!({"name": container["name"], "usage": usage(world, pod, &load, now)}))
            .collect();
            if !containers.is_empty() {
                items.push(json!({
                "metadata": {"name": name(pod), "namespace": namespace(pod), "creationTimestamp": stamp(now),
                             "labels": pod["metadata"]["labels"]},
                "timestamp": stamp(now), "window": "15s", "containers": containers,
            }));
            }
        },
        now,
    );
    items
}

/// NodeMetrics as metrics-server shows them: nodes whose kubelet answers.
fn node_metrics(world: &World) -> Vec<Value> {
    let now = sample(world);
    let mut sums: BTreeMap<String, Load> = BTreeMap::new();
    each(
        world,
        None,
        |pod, share| {
            let sum = sums
                .entry(text(&pod["spec"]["nodeName"]).to_owned())
                .or_insert(Load { cpu: 0.0, memory: 0.0 });
            for (_, _, load) in loads(world, pod, share, now) {
                sum.cpu += load.cpu;
                sum.memory += load.memory;
            }
        },
        now,
    );
    world
        .store
        .list(Kind::NODE, None)
        .filter(|node| world.kubelet.is_up(name(node)))
        .map(|node| {
            let called = name(node);
            let pods = sums.get(called);
            let own = noise(world, &[called, "system"], now, 60);
            let system = world.usage.system.get(called).copied().unwrap_or(1300 << 20) as f64;
            let room = units(&node["status"]["capacity"]["memory"]) as f64;
            let memory = pods.map_or(0.0, |sum| sum.memory) + system * (1.0 + 0.01 * own);
            let load = Load {
                cpu: pods.map_or(0.0, |sum| sum.cpu) + 180.0 * (1.0 + 0.2 * own),
                memory: if room > 0.0 { memory.min(room * 0.99) } else { memory },
            };
            json!({
                "metadata": {"name": called, "creationTimestamp": stamp(now), "labels": node["metadata"]["labels"]},
                "timestamp": stamp(now), "window": "15s", "usage": usage(world, node, &load, now),
            })
        })
        .collect()
}

/// CPU in nanocores and memory in KiB, as cAdvisor counts them.
fn usage(world: &World, object: &Value, load: &Load, now: Timestamp) -> Value {
    let second = now.duration_since(world.epoch).as_secs().to_string();
    let odd = hash(&[uid(object), &second, &world.seed.to_string()]) % 100_000;
    let cpu = (load.cpu.max(0.1) * 1e6) as u64 + odd;
    json!({"cpu": format!("{cpu}n"), "memory": format!("{}Ki", (load.memory.max(1024.0) / 1024.0) as u64)})
}

/// How many lines a second a container of this pod logs: what it serves, more or less.
pub(super) fn pace(world: &World, pod: &Value) -> f64 {
    (world.usage.of(namespace(pod), app(pod)).requests / 4.0).clamp(0.2, 2.0)
}
