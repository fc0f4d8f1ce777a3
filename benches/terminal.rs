//! What the real binary costs in a terminal: nothing while nothing happens, little while much does.
//!
//! The cockpit runs in a pseudo-terminal on an embedded cluster in this process: first standing still, then with 200 pod
//! events a second. Frames are counted by the pauses between what is read, processor time by the kernel. Then on every
//! screen at 80x24 in true colour: what a step of the cursor, another screen and standing still send, beside the goals.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use wheelhouse::demo::{self, Cluster, Kind, Options, Scenario};

const COLUMNS: u16 = 160;
const ROWS: u16 = 48;
const EVENTS_A_SECOND: usize = 200;
const SECONDS: u64 = 10;

#[derive(Clone, Copy, Default)]
struct Cost {
    bytes: usize,
    frames: usize,
    cpu: Duration,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = Options {
        tenants: 200,
        nodes: 20,
        seed: 7,
        scenario: Scenario::Calm,
        speed: 0.0,
        port: 0,
        epoch: None,
    };
    let cluster = runtime.block_on(demo::start(options)).expect("the embedded cluster starts");
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig()).expect("a file");

    let pty = native_pty_system()
        .openpty(PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 })
        .expect("a pseudo-terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_wheelhouse"));
    command.args(["--kubeconfig", kubeconfig.to_str().expect("a path")]);
    command.env("HOME", folder.path());
    command.env("XDG_STATE_HOME", folder.path());
    command.env("TERM", "xterm-256color");
    command.cwd(folder.path());
    let started = Instant::now();
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    let output = Arc::new(Mutex::new(Read::default()));
    listen(pty.master.try_clone_reader().expect("its output"), output.clone());
    let process = child.process_id().expect("it runs");
    let wait_for = |what: &str| {
        while !String::from_utf8_lossy(&output.lock().expect("the output").bytes).contains(what) {
            assert!(started.elapsed() < Duration::from_secs(60), "waited for {what}");
            thread::sleep(Duration::from_millis(1));
        }
        started.elapsed()
    };
    let first = wait_for("connecting");
    let filled = wait_for("200 tenants");
    thread::sleep(Duration::from_secs(3));
    let whole = output.lock().expect("the output").bytes.len();

    let measure = |work: &dyn Fn()| {
        let read = || output.lock().expect("the output").clone();
        let (before, cpu) = (read(), cpu_of(process));
        work();
        let after = read();
        Cost {
            bytes: after.bytes.len() - before.bytes.len(),
            frames: after.frames - before.frames,
            cpu: cpu_of(process).saturating_sub(cpu),
        }
    };
    let idle = measure(&|| thread::sleep(Duration::from_secs(SECONDS)));
    let busy = measure(&|| events(&cluster));
    child.kill().expect("it ends");
    slow_line(folder.path());

    let share = |cost: Cost| cost.cpu.as_secs_f64() / SECONDS as f64 * 100.0;
    println!("the binary in a terminal of {COLUMNS}x{ROWS}, 200 tenants on 20 nodes");
    println!("  first frame (connecting)      {:>8.0} ms after the start", first.as_secs_f64() * 1e3);
    println!(
        "  the cluster on the screen     {:>8.0} ms after the start, {whole} bytes so far",
        filled.as_secs_f64() * 1e3
    );
    println!(
        "  standing still, {SECONDS} s          {:>8} frames, {} bytes, {:.2} % of a core",
        idle.frames,
        idle.bytes,
        share(idle)
    );
    println!(
        "  {EVENTS_A_SECOND} pod events a second, {SECONDS} s {:>8} frames ({:.1} a second), {} bytes, {:.2} % of a core",
        busy.frames,
        busy.frames as f64 / SECONDS as f64,
        busy.bytes,
        share(busy)
    );
    let cells = usize::from(COLUMNS) * usize::from(ROWS);
    let frame = busy.bytes as f64 / busy.frames.max(1) as f64;
    println!(
        "  bytes a frame : cells of the screen = {frame:.0} : {cells} = 1 : {:.0}",
        cells as f64 / frame.max(1.0)
    );
}

/// Restarts containers on paper: each write is one event on the pods' watch.
fn events(cluster: &Cluster) {
    let pods: Vec<(String, String)> = cluster.with_world(|world| {
        let key = |pod: &demo::store::Object| {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        world.store.list(Kind::POD, None).map(key).collect()
    });
    let begun = Instant::now();
    for i in 0..EVENTS_A_SECOND * SECONDS as usize {
        let (namespace, name) = &pods[i * 7 % pods.len()];
        cluster.with_world(|world| {
            world.store.update_status(Kind::POD, namespace, name, "bench", |pod| {
                pod["status"]["containerStatuses"][0]["restartCount"] = (i / pods.len() + 1 + i % 3).into();
            });
        });
        let due = begun + Duration::from_secs_f64((i + 1) as f64 / EVENTS_A_SECOND as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// What was read of a terminal so far.
#[derive(Clone, Default)]
struct Read {
    bytes: Vec<u8>,
    frames: usize,
    last: Option<Instant>,
}

fn listen(mut reader: Box<dyn io::Read + Send>, into: Arc<Mutex<Read>>) {
    /// What comes sooner belongs to the same frame.
    const PAUSE: Duration = Duration::from_millis(5);
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            let mut read = into.lock().expect("the output");
            read.frames += usize::from(read.last.is_none_or(|last| last.elapsed() > PAUSE));
            read.last = Some(Instant::now());
            read.bytes.extend_from_slice(&buffer[..n]);
        }
    });
}

/// Screens: the keys that lead there from any other.
const SCREENS: [(&str, &[&str]); 12] = [
    ("tenants", &["1"]),
    ("tenant", &["1", "\r"]),
    ("described", &["1", "d"]),
    ("YAML", &["1", "y"]),
    ("log", &["1", "l"]),
    ("headroom", &["1", "h"]),
    ("nodes", &["2"]),
    ("node", &["2", "\r"]),
    ("ranking", &["W"]),
    ("runs", &["3"]),
    ("database", &["4"]),
    ("findings", &["5"]),
];

/// What a slow line has to carry, on the demo with its database, which nobody uses.
fn slow_line(folder: &Path) {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_wheelhouse"));
    command.args([
        "demo",
        "--tenants",
        "40",
        "--nodes",
        "5",
        "--seed",
        "7",
        "--scenario",
        "calm",
        "--speed",
        "1",
    ]);
    command.env("HOME", folder);
    command.env("XDG_STATE_HOME", folder);
    command.env("TERM", "xterm-256color");
    command.env("COLORTERM", "truecolor");
    command.cwd(folder);
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    let mut writer = pty.master.take_writer().expect("its input");
    let output = Arc::new(Mutex::new(Read::default()));
    listen(pty.master.try_clone_reader().expect("its output"), output.clone());
    thread::sleep(Duration::from_secs(8));
    let bytes = || output.lock().expect("the output").bytes.len();
    let start = bytes();
    let mut press = |key: &str| {
        let before = bytes();
        writer.write_all(key.as_bytes()).expect("it reads");
        thread::sleep(Duration::from_millis(400));
        bytes() - before
    };
    println!("bytes to a terminal of 80x24 in true colour; the start took {start}");
    println!("  {:<12} {:>14} {:>14} {:>14}", "screen", "to it < 4000", "a step < 400", "idle 0 B/s");
    for (name, keys) in SCREENS {
        let to = keys.iter().map(|key| press(key)).last().unwrap_or(0);
        thread::sleep(Duration::from_secs(2));
        let step = ["j", "j", "k"].iter().map(|key| press(key)).max().unwrap_or(0);
        thread::sleep(Duration::from_secs(12));
        let before = bytes();
        thread::sleep(Duration::from_secs(SECONDS));
        let idle = (bytes() - before) as f64 / SECONDS as f64;
        println!("  {name:<12} {to:>14} {step:>14} {idle:>14.1}");
    }
    child.kill().expect("it ends");
}

/// User and system time of a process so far, in the kernel's hundredths of a second.
fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    let after = stat.rsplit(')').next().expect("the fields after the name");
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
