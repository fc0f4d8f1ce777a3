//! A frame of the tenants screen at 160x48 with 2,000 tenants on 100 nodes: `cargo bench --bench frame`.
//!
//! Times are medians of one run, and ratios to drawing an empty frame in the same run. The target: `update` and `draw`
//! after one pod event together under 5 ms in release; so is `update` alone when all measurements are new.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect};
use wheelhouse::{
    app::{App, Msg, Setup, update},
    cluster::{Memory, Observation, Pod, Seen, Snapshot, sketch},
};

const SIZE: (u16, u16) = (160, 48);
const TENANTS: usize = 2_000;
const NODES: usize = 100;
const ROUNDS: usize = 60;
/// How often all measurements are new, as they are every 15 s.
const ANEW: i64 = 21;

fn cluster(now: Timestamp) -> Snapshot {
    let mut text: String = (1..=NODES).map(|i| format!("node worker-{i} memory=64Gi\n")).collect();
    for i in 0..TENANTS {
        let on = |k: usize| 1 + (i * 7 + k * 31) % NODES;
        let used = 200 + i * 13 % 430;
        text.push_str(&format!(
            "tenant tenant-{i:04} 5 on worker-{} worker-{} worker-{} worker-{} worker-{} used={used}Mi\n",
            on(0),
            on(1),
            on(2),
            on(3),
            on(4)
        ));
    }
    sketch(&text, now).expect("a sketch")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() {
    let now: Timestamp = "2026-11-21T03:12:00Z".parse().expect("a time");
    let mut seen = cluster(now);
    let setup = Setup { operator: "alice@bastion".into(), ..Setup::default() };
    let mut app = App::new(setup, Arc::new(seen.clone()), SIZE).expect("a theme");
    let empty = App::new(Setup::default(), Arc::new(Snapshot::default()), SIZE).expect("a theme");
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut buf = Buffer::empty(area);

    let time = |f: &mut dyn FnMut()| {
        let begun = Instant::now();
        f();
        begun.elapsed()
    };
    let blank = median(
        (0..ROUNDS)
            .map(|_| {
                time(&mut || {
                    black_box(empty.draw(&mut buf, now));
                })
            })
            .collect(),
    );

    let keys: Vec<_> = seen.pods.items.keys().cloned().collect();
    let (mut folds, mut draws, mut both, mut changed) = (vec![], vec![], vec![], vec![]);
    let mut before = Buffer::empty(area);
    app.draw(&mut before, now);
    for round in 0..ROUNDS {
        let key = keys[round * 137 % keys.len()].clone();
        let mut pod = Pod::clone(&seen.pods.items[&key]);
        pod.ready = !pod.ready;
        seen.observe(Observation::Pod(Seen::Put(key, pod)));
        seen.revision += 1;
        let snapshot = Arc::new(seen.clone());
        let fold = time(&mut || drop(black_box(update(&mut app, Msg::Observed(snapshot.clone()), now))));
        buf.reset();
        let draw = time(&mut || {
            black_box(app.draw(&mut buf, now));
        });
        changed.push(before.diff(&buf).len());
        before.clone_from(&buf);
        folds.push(fold);
        draws.push(draw);
        both.push(fold + draw);
    }
    let usage: Vec<_> = seen.usage.items.iter().map(|(k, u)| (k.clone(), (**u).clone())).collect();
    let (mut all, mut whole) = (vec![], vec![]);
    for round in 1..=ANEW {
        let mut usage = usage.clone();
        for (i, (_, u)) in usage.iter_mut().enumerate() {
            u.at = now + jiff::SignedDuration::from_secs(15 * round);
            let more = Memory(((i as u64 * 37 + round as u64 * 11) % 8) << 20);
            u.containers.values_mut().for_each(|(_, used)| *used += more);
        }
        seen.observe(Observation::Usage(Seen::All(usage, now)));
        seen.revision += 1;
        let snapshot = Arc::new(seen.clone());
        let fold = time(&mut || drop(black_box(update(&mut app, Msg::Observed(snapshot.clone()), now))));
        buf.reset();
        let draw = time(&mut || {
            black_box(app.draw(&mut buf, now));
        });
        all.push(fold);
        whole.push(fold + draw);
    }

    changed.sort_unstable();
    let (fold, draw, both) = (median(folds), median(draws), median(both));
    let (all, whole) = (median(all), median(whole));
    println!("tenants screen {}x{}, {TENANTS} tenants, {} pods, {NODES} nodes", SIZE.0, SIZE.1, keys.len());
    println!("  empty frame                       {blank:8.3} ms");
    println!("  draw                              {draw:8.3} ms   {:6.1} x the empty frame", draw / blank);
    println!("  update after one pod event        {fold:8.3} ms   {:6.1} x", fold / blank);
    println!("  update and draw                   {both:8.3} ms   {:6.1} x   target 5 ms", both / blank);
    println!("  update, all measurements new      {all:8.3} ms   {:6.1} x   target 5 ms", all / blank);
    println!("  the same and draw                 {whole:8.3} ms   {:6.1} x", whole / blank);
    println!("  cells changed by a pod event      {:8} of {}", changed[changed.len() / 2], area.area());
}
