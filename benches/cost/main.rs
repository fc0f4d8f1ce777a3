//! What the cockpit costs on a large cluster, each figure beside its goal: `cargo bench --bench cost`.
//!
//! 2,000 tenants on 200 nodes, 10,000 pods of 8.6 kB, served by a process of its own that compresses lists and streams
//! watches as a real API server does. The cockpit is the real binary in a pseudo-terminal of 160x48. Times are ratios to
//! reading the list of pods with the same client in the same run; memory, bytes and processor time are what the kernel
//! counts. Sections can be named: `cargo bench --bench cost -- screen idle churn memory large back`. Of what is installed
//! (`cargo build --profile dist`) the figures are told with `WHEELHOUSE_BENCH_BINARY` as the path of that binary.

mod cockpit;
mod line;
mod server;

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use cockpit::Cockpit;
use line::Line;
use server::{Server, Size};

/// The cluster of all sections but one.
const USUAL: Size = Size { tenants: 2_000, nodes: 200, pods: 10_000 };
/// The cluster of the section `large`.
const LARGE: Size = Size { tenants: 6_000, nodes: 600, pods: 30_000 };

/// The lines that are tried, in bytes a second; `None`: loopback as it is.
const LINES: [Option<u32>; 3] = [None, Some(4_000_000), Some(1_000_000)];
const ROUNDS: usize = 3;
/// Measurements are read this often where ten minutes of them are to pass quickly ...
const QUICK: &str = "refresh.metrics=1s";
/// ... so many times: as many as ten minutes have at one each 15 s.
const POLLS: u64 = 40;
const IDLE: u64 = 60;
const CHURN: u64 = 30;

fn main() {
    if server::is_asked_to_serve() {
        return server::serve();
    }
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |section: &str| asked.is_empty() || asked.iter().any(|a| a == section);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if ["screen", "memory", "idle", "churn"].into_iter().any(wanted) {
        let mut server = start(USUAL);
        if wanted("screen") {
            screen(&server, &runtime);
        }
        if wanted("idle") {
            idle(&server);
        }
        if wanted("churn") {
            churn(&mut server);
        }
        if wanted("memory") {
            memory(&mut server, USUAL, 60);
        }
    }
    if wanted("large") {
        memory(&mut start(LARGE), LARGE, 150);
    }
    if wanted("back") {
        runtime.block_on(back());
    }
}

fn start(size: Size) -> Server {
    let server = Server::start(size);
    let Size { tenants, nodes, pods } = size;
    println!(
        "{tenants} tenants, {nodes} nodes, {pods} pods, a list of them is {} MB",
        server.listed / 1_000_000
    );
    server
}

/// What the header says once the pods have been read and all tenants have been judged by them.
fn whole(size: Size) -> String {
    format!("{} tenants ok", size.tenants)
}

fn told(what: &str, value: impl Display, goal: impl Display) {
    println!("  {what:<58} {value:>14}   goal {goal}");
}

/// The first screen, on three lines.
fn screen(server: &Server, runtime: &tokio::runtime::Runtime) {
    println!("the first screen");
    for rate in LINES {
        let line = runtime.block_on(Line::to(server.port, rate));
        let kubeconfig = server.kubeconfig_at(line.port);
        let gzip = rate.is_some();
        let (mut lists, mut screens, mut work) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            lists.push(runtime.block_on(server.list(line.port, gzip)));
            let cockpit = Cockpit::open(&kubeconfig, &[]);
            let (screen, cpu) = cockpit.cpu_at(&whole(USUAL));
            screens.push(screen);
            work.push(cpu);
        }
        let (list, screen) = (median(&mut lists), median(&mut screens));
        let name = match rate {
            None => "on loopback, to the raw list of pods".to_owned(),
            Some(rate) => format!("on {} MB/s, to the compressed list of pods", rate / 1_000_000),
        };
        let ratio = screen.as_secs_f64() / list.as_secs_f64();
        let times = format!("{:.2} s : {:.2} s", screen.as_secs_f64(), list.as_secs_f64());
        told(&format!("{name} ({times})"), format!("{ratio:.2} x"), if gzip { "1.2 x" } else { "1.0 x" });
        println!("    processor time of the cockpit by then {:.2} s", median(&mut work).as_secs_f64());
    }
}

/// Memory over as many readings of new measurements as ten minutes have.
fn memory(server: &mut Server, size: Size, goal: u64) {
    println!("memory of {} pods, in MiB", size.pods);
    server.say("run 15");
    let cockpit = Cockpit::open(&server.kubeconfig_at(server.port), &["--set", QUICK]);
    cockpit.wait_for(&whole(size));
    let mut samples = vec![cockpit.memory()];
    for _ in 0..10 {
        let until = server.measurements() + POLLS / 10;
        while server.measurements() < until {
            std::thread::sleep(Duration::from_millis(100));
        }
        samples.push(cockpit.memory());
    }
    let (half, all) = (samples[samples.len() / 2].all, samples.last().expect("samples"));
    let course: Vec<String> = samples.iter().map(|s| s.all.to_string()).collect();
    println!("  course {}; of the program's file {}", course.join(" "), all.file);
    told("after as many readings as ten minutes have", all.all, goal);
    told("grown in the second half", all.all.saturating_sub(half), "0");
    server.say("stand");
}

/// Nothing happens, but measurements and probes.
fn idle(server: &Server) {
    println!("nothing happens for {IDLE} s");
    let cockpit = Cockpit::open(&server.kubeconfig_at(server.port), &[]);
    cockpit.wait_for(&whole(USUAL));
    std::thread::sleep(Duration::from_secs(20));
    let (bytes, cpu) = cockpit.during(|| std::thread::sleep(Duration::from_secs(IDLE)));
    told("bytes to the terminal", bytes, "0");
    told("share of a core", format!("{:.4}", cpu.as_secs_f64() / IDLE as f64), "0.005");
}

/// 200 pod events a second.
fn churn(server: &mut Server) {
    println!("200 pod events a second for {CHURN} s");
    let cockpit = Cockpit::open(&server.kubeconfig_at(server.port), &[]);
    cockpit.wait_for(&whole(USUAL));
    std::thread::sleep(Duration::from_secs(5));
    let begun = Instant::now();
    let (bytes, cpu) = cockpit.during(|| {
        server.say(&format!("churn {CHURN}"));
    });
    let share = cpu.as_secs_f64() / begun.elapsed().as_secs_f64();
    told("share of a core", format!("{share:.3}"), "0.1");
    println!("  bytes to the terminal {bytes}");
}

/// How soon everything is live again after the server answers again.
async fn back() {
    use wheelhouse::{
        demo::{self, Options, Scenario},
        live::{Scope, observe},
        wire::{Target, Wire},
    };
    println!("live again after the server answers again");
    let options = Options { scenario: Scenario::Calm, speed: 0.0, ..Options::default() };
    let cluster = demo::start(options).await.expect("the embedded cluster starts");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, cluster.kubeconfig()).expect("a file");
    let target = Target { kubeconfig: Some(file), ..Target::default() };
    let wire = Wire::connect_lazily(&target).await.expect("a kubeconfig");
    let (mut seen, _following) = observe(wire, Scope::default());
    let whole = |s: &wheelhouse::cluster::Snapshot| {
        s.api.freshness.is_live() && s.sources().iter().all(|(_, f)| f.is_live())
    };
    seen.wait_for(|s| whole(s)).await.expect("it is followed");
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (what, forgets) in [("a restart", false), ("a restart that has forgotten the past (410)", true)] {
        cluster.with_world(|world| {
            let nodes = world.store.list(demo::Kind::NODE, None).cloned();
            let node = nodes.into_iter().next().expect("a node");
            world.store.put(demo::Kind::NODE, (*node).clone());
            if forgets {
                world.store.forget_before(u64::MAX);
            }
        });
        cluster.restart().await;
        let begun = Instant::now();
        let revision = cluster.with_world(|world| world.store.revision());
        // Each watch that stood is cut at once; all have to be proven or read again. What is taken up before anybody
        // misses it is never told to be lost, and gives no snapshot to wait for.
        let lost = seen.wait_for(|s| !whole(s));
        let _ = tokio::time::timeout(Duration::from_millis(500), lost).await.is_ok();
        seen.wait_for(|s| whole(s)).await.expect("it is followed");
        told(
            &format!("{what} (revision {revision})"),
            format!("{:.2} s", begun.elapsed().as_secs_f64()),
            "2 s",
        );
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
