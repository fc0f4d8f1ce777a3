//! What the scheduler model costs: `cargo bench --bench schedule`.
//!
//! Building a board, one placement on it, and how many times cheaper that is than building again for each pod. The
//! ratios come from one run on one machine; the absolute times are that machine's.

use std::{
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wheelhouse::{
    cluster::{Snapshot, sketch},
    plan::{
        Intent, Target, plan,
        schedule::{Board, Class, Incoming, Placement},
    },
};

fn main() {
    println!("{:<28} {:>14} {:>14}", "", "100 n/10,000 p", "1,000 n/30,000 p");
    let small = measure(&cluster(100, 2_000, 5));
    let large = measure(&cluster(1_000, 6_000, 5));
    for ((name, small), (_, large)) in small.into_iter().zip(large) {
        println!("{name:<28} {small:>14} {large:>14}");
    }
}

/// So many nodes, and tenants of so many pods spread over them.
fn cluster(nodes: usize, tenants: usize, pods: usize) -> Snapshot {
    let mut text = String::new();
    for n in 0..nodes {
        let zone = ["a", "b", "c"][n % 3];
        let size = 64 + 16 * (n % 5);
        writeln!(text, "node w{n:04} memory={size}Gi cpu=64 pods=250 zone={zone}")
            .expect("a string takes all");
    }
    for t in 0..tenants {
        write!(text, "tenant t{t:05} {pods} on").expect("a string takes all");
        for p in 0..pods {
            write!(text, " w{:04}", (t * 7 + p * 31) % nodes).expect("a string takes all");
        }
        text.push('\n');
    }
    sketch(&text, Timestamp::UNIX_EPOCH).expect("the text above is a sketch")
}

fn measure(seen: &Snapshot) -> Vec<(&'static str, String)> {
    let build = time(5, || {
        black_box(Board::new(seen));
    });
    let mut board = Board::new(seen);
    let classes: Vec<Class> =
        seen.tenants.values().map(|t| board.class(&Incoming::next_of(seen, &t.workload))).collect();
    let mut next = classes.iter().cycle();
    let first = time(classes.len(), || {
        black_box(board.place(*next.next().expect("a cycle has no end")));
    });
    let place = time(3 * classes.len(), || {
        black_box(board.place(*next.next().expect("a cycle has no end")));
    });
    let there_and_back = time(classes.len(), || {
        let class = *next.next().expect("a cycle has no end");
        if let Placement::Fits(fits) = board.place(class) {
            board.bind(class, fits.best[0]);
            board.unbind(class, fits.best[0]);
        }
    });
    let name = seen.tenants.keys().next().expect("there are tenants").clone();
    let intent = Intent::Scale { targets: vec![Target { tenant: name, to: 8 }] };
    let whole = time(5, || {
        black_box(plan(seen, &intent));
    });
    vec![
        ("build the board", text(build)),
        ("first place of a class", text(first)),
        ("place", text(place)),
        ("place, bind, unbind", text(there_and_back)),
        ("rebuild / place", format!("{:.0} x", build.as_secs_f64() / place.as_secs_f64())),
        ("place as many as there are", text(place * seen.pods.len() as u32)),
        ("plan a scale by 3", text(whole)),
    ]
}

/// The mean of so many calls.
fn time(calls: usize, mut what: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..calls).for_each(|_| what());
    start.elapsed() / calls as u32
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}
