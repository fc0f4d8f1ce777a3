//! What the real binary costs in a terminal: nothing while nothing happens, little while much does.
//!
//! The cockpit runs in a pseudo-terminal on an embedded cluster in this process: first standing still, then with 200 pod
//! events a second. Frames are counted by their marks (synchronised updates), processor time by the kernel.

use std::{
    io::Read,
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
    let output = Arc::new(Mutex::new(Vec::new()));
    let (into, mut reader) = (output.clone(), pty.master.try_clone_reader().expect("its output"));
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            into.lock().expect("the output").extend_from_slice(&buffer[..read]);
        }
    });
    let process = child.process_id().expect("it runs");
    let wait_for = |what: &str| {
        while !String::from_utf8_lossy(&output.lock().expect("the output")).contains(what) {
            assert!(started.elapsed() < Duration::from_secs(60), "waited for {what}");
            thread::sleep(Duration::from_millis(1));
        }
        started.elapsed()
    };
    let first = wait_for("connecting");
    let filled = wait_for("200 tenants");
    thread::sleep(Duration::from_secs(3));
    let whole = count(&output.lock().expect("the output")).bytes;

    let measure = |work: &dyn Fn()| {
        let (before, cpu) = (output.lock().expect("the output").len(), cpu_of(process));
        work();
        let output = output.lock().expect("the output");
        Cost { cpu: cpu_of(process).saturating_sub(cpu), ..count(&output[before..]) }
    };
    let idle = measure(&|| thread::sleep(Duration::from_secs(SECONDS)));
    let busy = measure(&|| events(&cluster));
    child.kill().expect("it ends");

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

fn count(bytes: &[u8]) -> Cost {
    let mark = b"\x1b[?2026h";
    Cost {
        bytes: bytes.len(),
        frames: bytes.windows(mark.len()).filter(|w| w == mark).count(),
        cpu: Duration::ZERO,
    }
}

/// User and system time of a process so far, in the kernel's hundredths of a second.
fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    let after = stat.rsplit(')').next().expect("the fields after the name");
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
