//! What planning moves costs: `cargo bench --bench rebalance`.
//!
//! Nodes have come back empty, and the tenants they carried are doubled up elsewhere. The ratios come from one run on one
//! machine: to the what-if of every node, which is worked out beside the event loop as well. The target: under 2 s for
//! 1,000 nodes and 30,000 pods.

use std::{
    fmt::Write as _,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wheelhouse::{
    cluster::{Snapshot, sketch},
    plan::{
        Check,
        rebalance::{Aim, Policy, targets},
        whatif::worst,
    },
    ui::{Draft, Terms, Wanted},
};

/// What a plan may take.
const TARGET: Duration = Duration::from_secs(2);

fn main() {
    for (nodes, tenants) in [(100, 2_000), (1_000, 6_000)] {
        println!("{nodes} nodes, {} pods", 5 * tenants);
        measure(nodes, tenants, 5);
    }
}

/// So many nodes, and tenants of so many pods spread over them, as they are after the first `back` nodes were away: what
/// they carried sits beside the next pod of its tenant.
fn cluster(nodes: usize, tenants: usize, pods: usize, back: usize) -> Arc<Snapshot> {
    let mut text = String::new();
    for n in 0..nodes {
        let zone = ["a", "b", "c"][n % 3];
        let since = if n < back { "since=12m" } else { "" };
        writeln!(text, "node w{n:04} memory=96Gi cpu=64 pods=250 zone={zone} used=30Gi {since}")
            .expect("a string takes all");
    }
    for t in 0..tenants {
        write!(text, "tenant t{t:05} {pods} used={}Mi on", 200 + t % 300).expect("a string takes all");
        let on = |p: usize| (t * 7 + p * 31) % nodes;
        for p in 0..pods {
            let there = (0..pods).map(|more| on((p + more) % pods)).find(|n| *n >= back).unwrap_or(back);
            write!(text, " w{there:04}").expect("a string takes all");
        }
        text.push('\n');
    }
    Arc::new(sketch(&text, Timestamp::UNIX_EPOCH).expect("the text above is a sketch"))
}

/// What a yes could be said to.
fn draft(seen: &Arc<Snapshot>, aim: &Aim) -> Result<Draft, Check> {
    let wanted = Wanted::Aim(aim.clone());
    Draft::of(seen, &wanted, &Terms::of(&wanted), &Policy::default())
}

fn measure(nodes: usize, tenants: usize, pods: usize) {
    let policy = Policy::default();
    let all = Aim::Rebalance { nodes: Vec::new(), tenants: Vec::new() };
    let say = |name: &str, text: String| println!("  {name:<44} {text:>12}");
    let even = cluster(nodes, tenants, pods, 0);
    let whole = time(|| {
        black_box(worst(&even)).expect("the room is known");
    });
    say("what-if of every node", text(whole));
    let plan = |name: &str, seen: &Arc<Snapshot>, aim: &Aim| {
        let mut moves = 0;
        let took = time(|| {
            let made = draft(seen, aim).expect("nothing refuses it");
            moves = black_box(made.scheme.proposal.moves.len());
        });
        say(name, text(took));
        say("  moves", moves.to_string());
        say("  of the what-if of every node", ratio(took, whole));
        say("  of the time it may take", ratio(took, TARGET));
    };
    plan("rebalance, nothing to do", &even, &all);
    let one = cluster(nodes, tenants, pods, 1);
    plan("rebalance, 1 node is back", &one, &all);
    plan("rebalance, 1 % of the nodes is back", &cluster(nodes, tenants, pods, nodes / 100), &all);
    plan("rebalance, 10 % of the nodes are back", &cluster(nodes, tenants, pods, nodes / 10), &all);
    plan("drain of a node", &even, &Aim::Drain { node: "w0000".into() });
    let made = draft(&one, &all).expect("nothing refuses it").scheme;
    let took = time(|| drop(black_box(made.samples())));
    say("  plans to rehearse, of 1 node", text(took));
    let tenant = one.tenants.values().next().expect("a tenant");
    let pod = tenant.pods.first().expect("a pod").key.clone();
    let took = time(|| drop(black_box(targets(&one, &tenant.name, &pod, &policy))));
    say("nodes that take one pod, and why not", text(took));
}

/// The best of three: what else the machine does only ever adds.
fn time(mut what: impl FnMut()) -> Duration {
    let once = |what: &mut dyn FnMut()| {
        let start = Instant::now();
        what();
        start.elapsed()
    };
    (0..3).map(|_| once(&mut what)).min().expect("three times")
}

fn ratio(took: Duration, of: Duration) -> String {
    format!("{:.0} %", 100.0 * took.as_secs_f64() / of.as_secs_f64())
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}
