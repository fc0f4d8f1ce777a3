//! What it costs to publish a snapshot after one pod event among 10,000, against building it whole, from one run.
//! `cargo bench --bench publish`

use std::{
    fmt::Write,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wheelhouse::cluster::{Key, Observation, Seen, Snapshot, sketch};

const NODES: usize = 100;
const TENANTS: usize = 2_000;
const PODS_OF_A_TENANT: usize = 5;
const EVENTS: usize = 2_000;

fn world(now: Timestamp) -> Snapshot {
    let mut text = String::new();
    for node in 0..NODES {
        writeln!(text, "node w{node} memory=128Gi cpu=64 pods=250").expect("a String takes text");
    }
    for tenant in 0..TENANTS {
        write!(text, "tenant t{tenant} {PODS_OF_A_TENANT} on").expect("a String takes text");
        for pod in 0..PODS_OF_A_TENANT {
            write!(text, " w{}", (tenant * 7 + pod * 13) % NODES).expect("a String takes text");
        }
        text.push('\n');
    }
    sketch(&text, now).expect("a sketch")
}

fn all<K: Ord + Clone, V: Clone>(slice: &wheelhouse::cluster::Slice<K, V>, at: Timestamp) -> Seen<K, V> {
    Seen::All(slice.items.iter().map(|(k, v)| (k.clone(), V::clone(v))).collect(), at)
}

fn whole(from: &Snapshot, at: Timestamp) -> Snapshot {
    let mut snapshot = Snapshot::new((*from.tenancy).clone());
    for part in [
        Observation::Node(all(&from.nodes, at)),
        Observation::ReplicaSet(all(&from.replica_sets, at)),
        Observation::Deployment(all(&from.deployments, at)),
        Observation::Pod(all(&from.pods, at)),
    ] {
        snapshot.observe(part);
    }
    snapshot
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    let mut snapshot = world(now);
    println!(
        "{} pods, {} tenants, {} nodes",
        snapshot.pods.len(),
        snapshot.tenants.len(),
        snapshot.nodes.len()
    );
    let built = (0..9).map(|_| {
        let begun = Instant::now();
        black_box(whole(&snapshot, now));
        begun.elapsed()
    });
    let built = median(built.collect());

    let keys: Vec<Key> = snapshot.pods.items.keys().cloned().collect();
    let mut times = Vec::with_capacity(EVENTS);
    let mut published = Arc::new(snapshot.clone());
    for n in 0..EVENTS {
        let key = &keys[n * 4_801 % keys.len()];
        let mut pod = (**snapshot.pods.get(key).expect("it is there")).clone();
        pod.ready = !pod.ready;
        let begun = Instant::now();
        let changed = snapshot.observe(Observation::Pod(Seen::Put(key.clone(), pod)));
        snapshot.revision += 1;
        let next = Arc::new(snapshot.clone());
        times.push(begun.elapsed());
        assert!(changed, "the pod has changed");
        // The screen still holds the one before.
        published = black_box(next);
    }
    drop(published);
    let worst = times.iter().max().copied().unwrap_or_default();
    let published = median(times);
    println!(
        "one pod event, folded and published: median {:.1} us, worst {:.0} us",
        micros(published),
        micros(worst)
    );
    println!("the whole snapshot, built again:      median {:.0} us", micros(built));
    println!("ratio: {:.0}; target: under 1000 us", built.as_secs_f64() / published.as_secs_f64());
}
