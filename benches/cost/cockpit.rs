//! The real binary in a pseudo-terminal, and what the kernel counts of it.

use std::{
    io::Read,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

/// A cockpit; it ends when this is dropped.
pub struct Cockpit {
    child: Box<dyn Child + Send + Sync>,
    output: Arc<Mutex<Vec<u8>>>,
    started: Instant,
    process: u32,
    _folder: tempfile::TempDir,
    _terminal: Box<dyn portable_pty::MasterPty + Send>,
}

/// Resident memory, in MiB: all of it, and what of it is the program's own file.
pub struct Memory {
    pub all: u64,
    pub file: u64,
}

impl Cockpit {
    pub fn open(kubeconfig: &Path, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let size = PtySize { rows: 48, cols: 160, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let binary = std::env::var_os("WHEELHOUSE_BENCH_BINARY");
        let mut command = CommandBuilder::new(binary.unwrap_or(env!("CARGO_BIN_EXE_wheelhouse").into()));
        command.args(["--kubeconfig", kubeconfig.to_str().expect("a path")]);
        command.args(more);
        for home in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env(home, folder.path());
        }
        command.env("TERM", "xterm-256color");
        command.cwd(folder.path());
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).expect("the binary starts");
        let output = Arc::new(Mutex::new(Vec::new()));
        let (into, mut reader) = (output.clone(), pty.master.try_clone_reader().expect("its output"));
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                into.lock().expect("the output").extend_from_slice(&buffer[..read]);
            }
        });
        let process = child.process_id().expect("it runs");
        Self { child, output, started, process, _folder: folder, _terminal: pty.master }
    }

    /// How long after the start the screen says this.
    pub fn wait_for(&self, what: &str) -> Duration {
        self.cpu_at(what).0
    }

    /// The same, and the processor time it took.
    pub fn cpu_at(&self, what: &str) -> (Duration, Duration) {
        while !String::from_utf8_lossy(&self.output.lock().expect("the output")).contains(what) {
            assert!(self.started.elapsed() < Duration::from_secs(300), "waited for {what}");
            thread::sleep(Duration::from_millis(2));
        }
        (self.started.elapsed(), self.cpu())
    }

    /// Bytes to the terminal and processor time during that.
    pub fn during(&self, work: impl FnOnce()) -> (usize, Duration) {
        let written = || self.output.lock().expect("the output").len();
        let (bytes, cpu) = (written(), self.cpu());
        work();
        (written() - bytes, self.cpu().saturating_sub(cpu))
    }

    /// User and system time so far, in the kernel's hundredths of a second.
    fn cpu(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.process)).expect("a running process");
        let after = stat.rsplit(')').next().expect("the fields after the name");
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    pub fn memory(&self) -> Memory {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process)).expect("a running process");
        let of = |name: &str| {
            let line = status.lines().find(|l| l.starts_with(name)).expect("the kernel says it");
            line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1024
        };
        Memory { all: of("VmRSS:"), file: of("RssFile:") }
    }
}

impl Drop for Cockpit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
