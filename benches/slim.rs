//! What a list of 10,000 pods costs, read into the slim types and into the full client types: time and memory, from
//! one run. `cargo bench --bench slim`
#![allow(unsafe_code, reason = "counting allocations means implementing GlobalAlloc")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use wheelhouse::live::convert::{Interner, Kind, Pods};

const PODS: usize = 10_000;
const PODS_OF_A_TENANT: usize = 5;
const ROUNDS: usize = 5;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Deserialize)]
struct Full {
    items: Vec<k8s_openapi::api::core::v1::Pod>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// A list as a real API server sends it: the recorded pod, under other names.
fn list() -> String {
    let recorded = include_str!("../tests/captures/kubernetes/kube-apiserver-1.36.jsonl");
    let call = recorded.lines().find(|l| l.contains("\"list-pods-limit-1\"")).expect("it was recorded");
    let call: Value = serde_json::from_str(call).expect("a call");
    let template = call["reply"]["items"][0].to_string();
    let pod = |n: usize| {
        let tenant = n / PODS_OF_A_TENANT;
        template
            .replace("acme-59fbdcbbcd-ck2qx", &format!("t{tenant:04}-59fbdcbbcd-{n:05}"))
            .replace("acme-59fbdcbbcd", &format!("t{tenant:04}-59fbdcbbcd"))
            .replace("\"acme\"", &format!("\"t{tenant:04}\""))
            .replace("saas-capture", &format!("t{tenant:04}"))
            .replace("3733f0b9-0b8d-4fbe-94af", &format!("3733f0b9-0b8d-4fbe-{n:04x}"))
            .replace("\"node-1\"", &format!("\"node-{}\"", n % 100))
    };
    let items: Vec<_> = (0..PODS).map(pod).collect();
    format!(
        "{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"items\":[{}]}}",
        items.join(",")
    )
}

struct Cost {
    time: Duration,
    kept: usize,
    peak: usize,
}

/// The fastest of some rounds, and what the result holds.
fn cost<T>(read: impl Fn() -> T) -> Cost {
    let mut best: Option<Cost> = None;
    for _ in 0..ROUNDS {
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let begun = Instant::now();
        let result = black_box(read());
        let time = begun.elapsed();
        let kept = HELD.load(Relaxed) - before;
        let peak = PEAK.load(Relaxed) - before;
        drop(result);
        if best.as_ref().is_none_or(|b| time < b.time) {
            best = Some(Cost { time, kept, peak });
        }
    }
    best.expect("some rounds")
}

fn main() {
    let text = list();
    println!("a list of {PODS} pods, {:.1} MB of JSON, read with serde_json", text.len() as f64 / 1e6);
    let full = cost(|| serde_json::from_str::<Full>(&text).expect("a list").items);
    let slim = cost(|| {
        let raw: Raw<'_> = serde_json::from_str(&text).expect("a list");
        let mut interner = Interner::default();
        let pods: Vec<_> =
            raw.items.iter().map(|pod| Pods::read(pod.get(), &mut interner).expect("a pod")).collect();
        (pods, interner)
    });
    for (name, cost) in [("full client types", &full), ("slim types", &slim)] {
        println!(
            "{name:>18}: {:6.0} ms, {:5.1} us a pod; keeps {:7} B a pod, {:6.1} MB at the highest",
            cost.time.as_secs_f64() * 1e3,
            cost.time.as_secs_f64() * 1e6 / PODS as f64,
            cost.kept / PODS,
            cost.peak as f64 / 1e6,
        );
    }
    println!(
        "             ratio: {:.1} times faster, {:.0} times less kept, {:.0} times lower at the highest",
        full.time.as_secs_f64() / slim.time.as_secs_f64(),
        full.kept as f64 / slim.kept as f64,
        full.peak as f64 / slim.peak as f64,
    );
}
