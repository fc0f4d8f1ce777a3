//! What a recording costs at 2,000 tenants and 10,000 pods: `cargo bench --bench record`.
//!
//! An hour is recorded as `wheelhouse record` does it, a snapshot each 10 s, in which every pod's measurements change twice
//! in 30 s and are recorded every 2 min, forty pods change, and five members and two proxies are read. What is measured is told for a day, beside its
//! goal: under 200 MB, under 1 % of a core, 5 MiB more memory, any moment within 200 ms. Then a timeline of a day is drawn:
//! under 5 ms.

mod simulated;

use std::{
    fmt::Write,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{Event, KeyCode};
use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect};
use simulated::{MEMBERS, PROXIES, readings};
use wheelhouse::{
    app::{App, Msg, Setup, update},
    cluster::{Cpu, Key, Memory, Observation, Pod, Seen, Snapshot, Usage, sketch},
    history::{Happened, Kind, Turn},
    record::{Head, Recorder, Recording},
};

const TENANTS: usize = 2_000;
const NODES: usize = 100;
const EVERY: i64 = 10;
const MOMENTS: i64 = 360;
const CHANGES_A_MINUTE: usize = 40;

/// Random enough, and the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

fn world(now: Timestamp, dice: &mut Dice) -> Snapshot {
    let mut text = String::new();
    for node in 0..NODES {
        writeln!(text, "node worker-{node} memory=128Gi cpu=64 pods=250").expect("a String takes text");
    }
    for tenant in 0..TENANTS {
        write!(text, "tenant tenant-{tenant:04} 5 on").expect("a String takes text");
        for pod in 0..5 {
            write!(text, " worker-{}", (tenant * 7 + pod * 13) % NODES).expect("a String takes text");
        }
        text.push_str(" used=300Mi\n");
    }
    let mut seen = sketch(&text, now).expect("a sketch");
    // Names and uids are as various as a cluster's.
    let pods: Vec<(Key, Pod)> = seen
        .pods
        .values()
        .map(|pod| {
            let mut pod = Pod::clone(pod);
            let (a, b) = (dice.below(u64::MAX), dice.below(u64::MAX));
            pod.uid = format!(
                "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
                a >> 32,
                a & 0xffff,
                b & 0xfff,
                b >> 20 & 0xfff,
                b >> 16
            )
            .into();
            let name = format!("{}-{:05x}", pod.key.name, dice.below(1 << 20));
            pod.key = Key::new(pod.key.namespace.clone(), name);
            pod.created = now - SignedDuration::from_secs(dice.below(8_000_000) as i64);
            pod.ready_since = Some(pod.created + SignedDuration::from_secs(7));
            (pod.key.clone(), pod)
        })
        .collect();
    seen.observe(Observation::Pod(Seen::All(pods, now)));
    seen
}

/// Every pod uses a little more or less than before.
fn measured(seen: &Snapshot, now: Timestamp, dice: &mut Dice) -> Observation {
    let all = seen.pods.values().map(|pod| {
        let old = seen.usage.get(&pod.key);
        let each = pod.spec.containers.iter().map(|container| {
            let before = old.and_then(|old| old.containers.get(&container.name).copied());
            let (_, memory) = before.unwrap_or((Cpu(20), Memory(200 << 20)));
            // A fifth of them has a request more or less, all others drift by some pages.
            let step = if dice.below(5) == 0 { 20_000 } else { 300 };
            let pages = memory.0 / 4096 + dice.below(2 * step + 1);
            let memory = Memory(pages.saturating_sub(step).clamp(20_000, 160_000) * 4096);
            (container.name.clone(), (Cpu(5 + dice.below(60)), memory))
        });
        (pod.key.clone(), Usage { at: now, containers: each.collect() })
    });
    Observation::Usage(Seen::All(all.collect(), now))
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn main() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let start: Timestamp = "2026-11-21T03:00:00Z".parse().expect("a time");
    let mut seen = world(start, &mut dice);
    let mut readings =
        readings(Duration::from_millis(20), MOMENTS as usize).into_iter().map(|(_, said)| said);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hour.rec");
    let keys: Vec<Key> = seen.pods.items.keys().cloned().collect();
    let mut recorder = Recorder::create(&path, &Head::default()).expect("a new file");
    let (mut spent, mut slowest, mut whole) = (Duration::ZERO, Duration::ZERO, 0);
    let (mut before, mut most) = (0, 0);
    for moment in 0..MOMENTS {
        let now = start + SignedDuration::from_secs(moment * EVERY);
        // As metrics-server does: each 15 s, of which the recording takes one every 2 min.
        if moment % 3 != 1 {
            let usage = measured(&seen, now, &mut dice);
            seen.observe(usage);
        }
        for _ in 0..CHANGES_A_MINUTE / 6 {
            let key = &keys[dice.below(keys.len() as u64) as usize];
            let Some(pod) = seen.pods.get(key).cloned() else { continue };
            let pod = Pod { ready: !pod.ready, ready_since: Some(now), ..Pod::clone(&pod) };
            seen.observe(Observation::Pod(Seen::Put(key.clone(), pod)));
        }
        for reading in readings.by_ref().take(MEMBERS + PROXIES) {
            seen.observe(reading);
        }
        (seen.revision, seen.at) = (seen.revision + 1, now);
        let published = Arc::new(seen.clone());
        before = if moment == 1 { resident() } else { before };
        let begun = Instant::now();
        recorder.take(&published).expect("it is recorded");
        let took = begun.elapsed();
        most = most.max(resident().saturating_sub(if before == 0 { u64::MAX } else { before }));
        if moment > 0 {
            spent += took;
            slowest = slowest.max(took);
        } else {
            (spent, whole) = (spent + took, recorder.size().0);
        }
    }
    recorder.close().expect("it is written");
    let bytes = std::fs::metadata(&path).expect("it is there").len();
    let hours = (MOMENTS * EVERY) as f64 / 3_600.0;
    let day = bytes as f64 * 24.0 / hours / 1e6;
    println!("{} pods, {} tenants, {} moments in {hours:.1} h", seen.pods.len(), seen.tenants.len(), MOMENTS);
    println!("a whole snapshot      {:8.2} MB", whole as f64 / 1e6);
    println!("24 h                  {day:8.0} MB     {:.2} of the goal of 200", day / 200.0);
    let share = spent.as_secs_f64() / (hours * 3_600.0) * 100.0;
    println!(
        "processor             {share:8.2} %      {share:.2} of the goal of 1, slowest moment {:.0} ms",
        slowest.as_secs_f64() * 1e3
    );
    println!(
        "memory, at most       {:8.1} MiB more, {:.2} of the goal of 5; cluster and recorder together",
        most as f64 / (1 << 20) as f64,
        most as f64 / (5 << 20) as f64
    );

    let mut recording = Recording::open(std::slice::from_ref(&path)).expect("it is read");
    let places: Vec<usize> = (0..40).map(|_| dice.below(recording.moments().len() as u64) as usize).collect();
    let mut times: Vec<Duration> = places
        .into_iter()
        .map(|place| {
            let begun = Instant::now();
            black_box(recording.at(place).expect("a snapshot"));
            begun.elapsed()
        })
        .collect();
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "any moment            {:8.0} ms     {:.2} of the goal of 200, slowest {:.0} ms",
        millis(times[times.len() / 2]),
        millis(times[times.len() / 2]) / 200.0,
        millis(times[times.len() - 1])
    );
    timeline(seen, &mut dice);
}

/// Draws the timeline of a day in which 20,000 things happened.
fn timeline(seen: Snapshot, dice: &mut Dice) {
    let now = seen.at;
    let mut events: Vec<Happened> = (0..20_000)
        .map(|_| Happened {
            time: now - SignedDuration::from_secs(dice.below(86_400) as i64),
            kind: Kind::Pod,
            turn: if dice.below(2) == 0 { Turn::Worse } else { Turn::Better },
            tenant: Some(format!("tenant-{:04}", dice.below(TENANTS as u64)).as_str().into()),
            node: Some(format!("worker-{}", dice.below(NODES as u64)).as_str().into()),
            name: "a-pod".into(),
            text: "is not ready".into(),
        })
        .collect();
    events.sort_by_key(|event| event.time);
    let size = (160, 48);
    let setup = Setup { operator: "alice@bastion".into(), ..Setup::default() };
    let mut app = App::new(setup, Arc::new(seen), size).expect("a theme");
    update(&mut app, Msg::Happened(events), now);
    let mut at = now;
    let mut press = |app: &mut App, key| {
        at += SignedDuration::from_millis(100);
        update(app, Msg::Input(Event::Key(KeyCode::Char(key).into())), at);
    };
    ['t', 'o', 'o'].into_iter().for_each(|key| press(&mut app, key));
    let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    let time = |f: &mut dyn FnMut()| {
        let mut all: Vec<Duration> = (0..41)
            .map(|_| {
                let begun = Instant::now();
                f();
                begun.elapsed()
            })
            .collect();
        all.sort();
        all[20].as_secs_f64() * 1e3
    };
    let draw = time(&mut || {
        buf.reset();
        black_box(app.draw(&mut buf, now));
    });
    // Another span makes the lanes again.
    let lanes = time(&mut || press(&mut app, 'o'));
    println!(
        "timeline of 24 h      {draw:8.2} ms     {:.2} of the goal of 5; made for another span in {lanes:.2} ms",
        draw / 5.0
    );
}
