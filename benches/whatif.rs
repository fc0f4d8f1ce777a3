//! What the what-if of every node costs: `cargo bench --bench whatif`.
//!
//! The ranking from nothing, again when nothing changed, and again when only the measurements did. The ratios come from
//! one run on one machine; the absolute times are that machine's.

use std::{
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wheelhouse::{
    cluster::{Observation, Seen, Snapshot, Usage, sketch},
    plan::whatif::{Forecast, Loss, worst},
};

fn main() {
    println!("{:<34} {:>14} {:>16}", "", "100 n/10,000 p", "1,000 n/30,000 p");
    let small = measure(&|memory| cluster(100, 2_000, 5, memory), Duration::from_millis(100));
    let large = measure(&|memory| cluster(1_000, 6_000, 5, memory), Duration::from_secs(2));
    for ((name, small), (_, large)) in small.into_iter().zip(large) {
        println!("{name:<34} {small:>14} {large:>16}");
    }
}

/// So many nodes, and tenants of so many pods spread over them; the memory of a node in Gi, or of several sizes.
fn cluster(nodes: usize, tenants: usize, pods: usize, memory: Option<f64>) -> Snapshot {
    let mut text = String::new();
    for n in 0..nodes {
        let zone = ["a", "b", "c"][n % 3];
        let size = memory.unwrap_or(64.0 + 16.0 * (n % 5) as f64);
        writeln!(text, "node w{n:04} memory={size}Gi cpu=64 pods=250 zone={zone} used={}Gi", size / 2.0)
            .expect("a string takes all");
    }
    for t in 0..tenants {
        write!(text, "tenant t{t:05} {pods} pdb=1 used={}Mi on", 200 + t % 300).expect("a string takes all");
        for p in 0..pods {
            write!(text, " w{:04}", (t * 7 + p * 31) % nodes).expect("a string takes all");
        }
        text.push('\n');
    }
    sketch(&text, Timestamp::UNIX_EPOCH).expect("the text above is a sketch")
}

fn measure(cluster: &dyn Fn(Option<f64>) -> Snapshot, wanted: Duration) -> Vec<(&'static str, String)> {
    let mut seen = cluster(None);
    // Room for one pod more on each node: it has to be asked where each goes.
    let each = 0.4375 * (seen.pods.len() / seen.nodes.len() + 1) as f64;
    let tight = cluster(Some(each));
    let short = time(3, || {
        black_box(worst(&tight)).expect("the room is known");
    });
    let whole = time(3, || {
        black_box(worst(&seen)).expect("the room is known");
    });
    let mut forecast = Forecast::default();
    let _ = forecast.worst(&seen);
    let again = time(1_000, || {
        black_box(forecast.worst(&seen).map_or(0, <[_]>::len));
    });
    let usage: Vec<_> = seen.usage.items.iter().map(|(k, u)| (k.clone(), Usage::clone(u))).collect();
    let mut measured = Duration::ZERO;
    for _ in 0..3 {
        seen.observe(Observation::Usage(Seen::All(vec![], Timestamp::UNIX_EPOCH)));
        seen.observe(Observation::Usage(Seen::All(usage.clone(), Timestamp::UNIX_EPOCH)));
        measured += time(1, || {
            black_box(forecast.worst(&seen).map_or(0, <[_]>::len));
        });
    }
    let nodes = [seen.nodes.items.keys().next().expect("there are nodes").clone()];
    let one = time(20, || {
        let _ = black_box(forecast.what_if(&seen, &nodes, Loss::Crash));
    });
    let drain = time(20, || {
        let _ = black_box(forecast.what_if(&seen, &nodes, Loss::Drain));
    });
    vec![
        ("what-if of every node", text(whole)),
        ("of the time it may take", format!("{:.0} %", 100.0 * whole.as_secs_f64() / wanted.as_secs_f64())),
        ("what-if of every node, room short", text(short)),
        ("of the time it may take", format!("{:.0} %", 100.0 * short.as_secs_f64() / wanted.as_secs_f64())),
        ("again, only the measurements new", text(measured / 3)),
        ("again, nothing new", text(again)),
        ("every node / nothing new", format!("{:.0} x", whole.as_secs_f64() / again.as_secs_f64())),
        ("one node dies, in full", text(one)),
        ("one node is drained, in full", text(drain)),
    ]
}

/// The mean of so many calls.
fn time(calls: u32, mut what: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..calls).for_each(|_| what());
    start.elapsed() / calls
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}
