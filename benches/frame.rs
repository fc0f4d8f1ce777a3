//! A frame of the cockpit at 160x48 with 2,000 tenants on 100 nodes, five Galera members and two ProxySQLs:
//! `cargo bench --bench frame`.
//!
//! What the cockpit works out beside its event loop (what is wrong, what is predicted) is worked out beside it here as
//! well, and told apart: no key waits for it. Times are medians of one run, and ratios to drawing an empty frame in the same run. The targets: `update` and `draw`
//! after one pod event together under 5 ms in release; so is `update` alone when all measurements are new, every 15 s;
//! after a reading of the database, of which several come every second, `update` and `draw` are under 1 ms.

mod simulated;

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{Event, KeyCode};
use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect};
use simulated::{MEMBERS, PROXIES, readings};
use wheelhouse::{
    app::{App, Effect, Msg, OnScreen, Setup, update},
    cluster::{Judge, Memory, Observation, Pod, Seen, Snapshot, Usage, sketch},
    plan::{
        Confirmation, Intent, Means, Migrations, Move, MoveReason,
        many::{Deed, many},
        whatif::Forecast,
    },
    run::campaign::{Campaign, Entry, Event as Happened, Pace, Proposed},
    ui::Outlook,
};

const SIZE: (u16, u16) = (160, 48);
const TENANTS: usize = 2_000;
const NODES: usize = 100;
const ROUNDS: usize = 60;
/// How often all measurements are new, as they are every 15 s.
const REPEATS: usize = 41;

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

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn time<T>(f: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(f());
    begun.elapsed()
}

/// Of several rounds: how long it took.
#[derive(Default)]
struct Times {
    /// To judge a snapshot and to free those before it, beside the loop.
    judge: Vec<Duration>,
    /// To take it in, to draw, and both.
    fold: Vec<Duration>,
    draw: Vec<Duration>,
    both: Vec<Duration>,
    /// To take in what was predicted of it.
    foreseen: Vec<Duration>,
    /// Cells that were others after it.
    changed: Vec<usize>,
}

/// The app, and what its outside does for it.
struct Cockpit {
    app: App,
    seen: Snapshot,
    judge: Judge,
    forecast: Forecast,
    shown: Buffer,
    next: Buffer,
}

impl Cockpit {
    fn new(seen: Snapshot) -> Self {
        let setup = Setup { operator: "alice@bastion".into(), ..Setup::default() };
        let app = App::new(setup, Arc::new(seen.clone()), SIZE).expect("a theme");
        let blank = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        Self {
            app,
            seen,
            judge: Judge::default(),
            forecast: Forecast::default(),
            shown: blank.clone(),
            next: blank,
        }
    }

    /// Publishes what is reported at that moment, takes it in and draws it.
    fn take(&mut self, report: Observation, now: Timestamp, times: &mut Times) {
        self.seen.observe(report);
        self.seen.revision += 1;
        self.seen.at = now;
        let snapshot = Arc::new(self.seen.clone());
        let mut effects = Vec::new();
        let begun = Instant::now();
        let published = Msg::Observed(self.judge.judge(snapshot));
        times.judge.push(begun.elapsed());
        let fold = time(|| effects = update(&mut self.app, published, now));
        self.next.reset();
        let draw = time(|| self.app.draw(&mut self.next, now));
        times.changed.push(self.shown.diff(&self.next).len());
        std::mem::swap(&mut self.shown, &mut self.next);
        times.fold.push(fold);
        times.draw.push(draw);
        times.both.push(fold + draw);
        for effect in effects {
            if let Effect::Foresee(OnScreen(seen), question) = effect {
                let outlook = Outlook::of(&mut self.forecast, seen, question);
                let message = Msg::Foreseen(Box::new(outlook));
                times.foreseen.push(time(|| update(&mut self.app, message, now)));
            }
        }
    }

    fn pod_events(&mut self, mut now: Timestamp) -> Times {
        let mut times = Times::default();
        let keys: Vec<_> = self.seen.pods.items.keys().cloned().collect();
        for round in 0..ROUNDS {
            let key = keys[round * 137 % keys.len()].clone();
            let mut pod = Pod::clone(&self.seen.pods.items[&key]);
            pod.ready = !pod.ready;
            now += SignedDuration::from_secs(1);
            self.take(Observation::Pod(Seen::Put(key, pod)), now, &mut times);
        }
        times
    }

    fn measurements(&mut self, mut now: Timestamp) -> Times {
        let mut times = Times::default();
        let first: Vec<_> = self.seen.usage.items.iter().map(|(k, u)| (k.clone(), Usage::clone(u))).collect();
        for round in 1..=REPEATS {
            now += SignedDuration::from_secs(15);
            let mut usage = first.clone();
            for (i, (_, u)) in usage.iter_mut().enumerate() {
                u.at = now;
                let more = Memory(((i * 37 + round * 11) as u64 % 8) << 20);
                u.containers.values_mut().for_each(|(_, used)| *used += more);
            }
            self.take(Observation::Usage(Seen::All(usage, now)), now, &mut times);
        }
        times
    }

    fn readings(&mut self, readings: &[(Timestamp, Observation)]) -> Times {
        let mut times = Times::default();
        for (at, reading) in readings {
            self.take(reading.clone(), *at, &mut times);
        }
        times
    }
}

/// A campaign of a move of each tenant, half of them done, as the session reports it that drives it.
fn campaign(seen: &Snapshot, at: Timestamp) -> Campaign {
    let nodes: Vec<_> = seen.nodes.items.keys().cloned().collect();
    let moved = |(i, tenant): (usize, &Arc<wheelhouse::cluster::Tenant>)| {
        let pod = tenant.pods.first().expect("it has pods");
        Intent::Move {
            moved: Move {
                tenant: Some(tenant.name.clone()),
                workload: Some(tenant.workload.key.clone()),
                pod: pod.key.clone(),
                uid: pod.uid.clone(),
                from: pod.node.clone().expect("it has a node"),
                to: Some(nodes[i % nodes.len()].clone()),
                means: Means::Adoption,
                reason: MoveReason::Asked,
                free: None,
            },
        }
    };
    let items: Vec<_> = seen.tenants.values().enumerate().map(moved).collect();
    let proposed = Proposed::new(seen, "rebalance the cluster", None, items, Pace::default());
    let approved = proposed.approve(None, None).expect("nothing in it is grave");
    let mut campaign = Campaign::new("20261121-090000-c0de", "alice@bastion", approved);
    let mut happen = |event| {
        let entry = Entry { at, by: "alice@bastion".into(), token: 1, heard: 0, event };
        campaign.apply(entry).expect("a legal order");
    };
    happen(Happened::Taken);
    for item in 0..TENANTS / 2 {
        happen(Happened::Began { item, run: format!("20261121-{item:06}-c0de") });
        happen(Happened::Done { item, pod: None, was: None, unpredicted: None });
    }
    happen(Happened::Began { item: TENANTS / 2, run: "20261121-999999-c0de".into() });
    campaign
}

/// A campaign of a migration of each tenant, half of them through, one in ten of those failed or held.
fn migrations(seen: &Snapshot, at: Timestamp) -> Campaign {
    let names: Vec<_> = seen.tenants.keys().cloned().collect();
    let deed = Deed::Migrate(Migrations::default().of("any".into()));
    let made = many(seen, &deed, &names);
    let proposed = Proposed::of_tenants(&made, Pace::of_tenants(seen, 4, 1, 100));
    let typed = match proposed.confirmation() {
        Confirmation::Type(text) => Some(text.clone()),
        Confirmation::Yes => None,
    };
    let approved = proposed.approve(typed.as_deref(), None).expect("it was typed");
    let mut campaign = Campaign::new("20261121-090001-c0de", "alice@bastion", approved);
    let mut happen = |event| {
        let entry = Entry { at, by: "alice@bastion".into(), token: 1, heard: 0, event };
        campaign.apply(entry).expect("a legal order");
    };
    happen(Happened::Taken);
    for item in 0..made.items.len() / 2 {
        happen(Happened::Began { item, run: format!("20261121-{item:06}-c0de") });
        happen(match item % 20 {
            0 => Happened::Failed { item, why: "its job failed with exit code 1".into() },
            1 => Happened::Held { item, why: "the outcome of its job is unknown".into() },
            _ => Happened::Done { item, pod: None, was: None, unpredicted: None },
        });
    }
    for item in made.items.len() / 2..made.items.len() / 2 + 4 {
        happen(Happened::Began { item, run: format!("20261121-{item:06}-c0de") });
    }
    campaign
}

fn main() {
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let empty = App::new(Setup::default(), Arc::new(Snapshot::default()), SIZE).expect("a theme");
    let mut buf = Buffer::empty(area);
    let now = Timestamp::now();
    let blank = median(&(0..ROUNDS).map(|_| time(|| empty.draw(&mut buf, now))).collect::<Vec<_>>());

    let said = readings(Duration::from_millis(50), ROUNDS + 2);
    let now = said.last().expect("a reading").0;
    let mut cockpit = Cockpit::new(cluster(now));
    let pods = cockpit.seen.pods.len();
    let event = cockpit.pod_events(now);
    let now = now + SignedDuration::from_mins(2);
    let again = cockpit.measurements(now);
    // Until all have answered and the app has been asked for nothing else, it is no ordinary second.
    let (first, said) = said.split_at(2 + (MEMBERS + PROXIES) * 2);
    let (tenants, database) = said.split_at(said.len() / 2);
    cockpit.readings(first);
    let tenants = cockpit.readings(tenants);
    update(&mut cockpit.app, Msg::Input(Event::Key(KeyCode::Char('4').into())), now);
    let database = cockpit.readings(database);
    let played = campaign(&cockpit.seen, now);
    update(&mut cockpit.app, Msg::Campaign(Box::new(played.clone())), now);
    for key in [KeyCode::Char('3'), KeyCode::Enter] {
        update(&mut cockpit.app, Msg::Input(Event::Key(key.into())), now);
    }
    let moving = cockpit.pod_events(now + SignedDuration::from_mins(20));
    let news: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let news = Msg::Campaign(Box::new(played.clone()));
            time(|| update(&mut cockpit.app, news, now))
        })
        .collect();

    let begun = Instant::now();
    let migrated = migrations(&cockpit.seen, now);
    let planned = begun.elapsed();
    update(&mut cockpit.app, Msg::Campaign(Box::new(migrated)), now);
    for key in [KeyCode::Esc, KeyCode::Char('3'), KeyCode::Char('g'), KeyCode::Enter] {
        update(&mut cockpit.app, Msg::Input(Event::Key(key.into())), now);
    }
    let migrating = cockpit.pod_events(now + SignedDuration::from_mins(40));

    println!(
        "{}x{}, {TENANTS} tenants, {pods} pods, {NODES} nodes, {MEMBERS} members, {PROXIES} proxies",
        SIZE.0, SIZE.1
    );
    println!("  empty frame                       {blank:8.3} ms");
    let told = |what: &str, times: &[Duration], target: Option<f64>| {
        let took = median(times);
        let target = target.map(|most| format!("   target {most} ms")).unwrap_or_default();
        println!("  {what:<34}{took:8.3} ms   {:6.1} x the empty frame{target}", took / blank);
    };
    println!("after one pod event, tenants");
    told("draw", &event.draw, None);
    told("update", &event.fold, None);
    told("update and draw", &event.both, Some(5.0));
    told("taking in what is predicted of it", &event.foreseen, None);
    told("judging, beside the loop", &event.judge, None);
    println!("after all measurements again, tenants");
    told("update", &again.fold, Some(5.0));
    told("update and draw", &again.both, None);
    told("taking in what is predicted of it", &again.foreseen, Some(5.0));
    told("judging, beside the loop", &again.judge, None);
    println!("after a reading of the database");
    told("update and draw, tenants", &tenants.both, Some(1.0));
    told("update and draw, database", &database.both, Some(1.0));
    println!("a campaign of {TENANTS} moves under way, after a pod event");
    told("draw", &moving.draw, None);
    told("update and draw", &moving.both, Some(5.0));
    told("taking in its news", &news, Some(5.0));
    println!("a campaign of {TENANTS} migrations under way, after a pod event");
    println!("  planning all of them              {:8.0} ms", planned.as_secs_f64() * 1e3);
    told("draw", &migrating.draw, None);
    told("update and draw", &migrating.both, Some(5.0));
    let mut changed = event.changed;
    changed.sort_unstable();
    println!("cells changed by a pod event        {:8} of {}", changed[changed.len() / 2], area.area());
}
