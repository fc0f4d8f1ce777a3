//! The real binary: as a command with its output and exit code, and in a pseudo-terminal with keys and a screen.

use std::{
    io::{BufRead, BufReader, Read, Write},
    num::NonZero,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;

/// How long anything may take before a test gives up: generous, and never waited out when all is well.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The binary under test.
pub const WHEELHOUSE: &str = env!("CARGO_BIN_EXE_wheelhouse");

/// A home of its own for the processes of one test: configuration, state and kubeconfig live and die with it.
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// An empty home.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.path(name).display().to_string();
        vec![
            ("HOME", path("")),
            ("XDG_CONFIG_HOME", path("config")),
            ("XDG_STATE_HOME", path("state")),
            ("USER", "alice".into()),
            ("LOGNAME", "alice".into()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("TZ", "UTC".into()),
        ]
    }

    /// The binary with these arguments, in this home, and nothing else of our environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(WHEELHOUSE);
        command.args(arguments).env_clear().envs(self.environment()).stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Starts `wheelhouse demo --serve` with more arguments, and waits for the line that says it is ready.
    pub fn serve(&self, arguments: &[&str]) -> Served {
        let mut command = self.command(&["demo", "--serve"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is ours");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(!line.trim().is_empty(), "the demo ended before it was ready");
        Served { child, kubeconfig: line.trim().into() }
    }

    /// Starts the binary in a pseudo-terminal of that size.
    pub fn terminal(&self, arguments: &[&str], columns: u16, rows: u16) -> Terminal {
        self.terminal_with(arguments, &[], columns, rows)
    }

    /// The binary as it is started in a terminal.
    pub fn in_terminal(&self, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(WHEELHOUSE);
        command.args(arguments);
        command.env_clear();
        command.cwd(self.folder.path());
        for (key, value) in self.environment() {
            command.env(key, value);
        }
        command.env("TERM", "xterm-256color");
        command
    }

    /// The same with more environment.
    pub fn terminal_with(
        &self,
        arguments: &[&str],
        more: &[(&str, &str)],
        columns: u16,
        rows: u16,
    ) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = self.in_terminal(arguments);
        for (key, value) in more {
            command.env(key, value);
        }
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        drop(pair.slave);
        let shared = Arc::new((Mutex::new(Shown::new(columns, rows)), Condvar::new()));
        let mut reader = pair.master.try_clone_reader().expect("its output is ours");
        let into = shared.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut shown = into.0.lock().unwrap_or_else(PoisonError::into_inner);
                if read == 0 {
                    shown.ended = true;
                } else {
                    shown.raw.extend_from_slice(&buffer[..read]);
                    shown.parser.process(&buffer[..read]);
                }
                into.1.notify_all();
                if shown.ended {
                    break;
                }
            }
        });
        let writer = pair.master.take_writer().expect("its input is ours");
        Terminal { child, master: pair.master, writer, shared }
    }
}

/// An embedded cluster served by another process; ends with the test.
pub struct Served {
    child: Child,
    /// Where it wrote its kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Served {
    /// The kubeconfig as an argument.
    pub fn kubeconfig(&self) -> &str {
        Path::to_str(&self.kubeconfig).expect("a readable path")
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: &str) -> std::process::ExitStatus {
        send(self.child.id(), signal);
        self.child.wait().expect("it ends")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process printed, and what it complained of.
pub fn text(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

/// An embedded cluster served by another process, and commands run on it.
pub struct Demo {
    pub home: Home,
    pub served: Served,
    on: [String; 2],
}

impl Demo {
    /// The cluster alone, named by its kubeconfig. The arguments of the demo are cut at spaces.
    pub fn cluster(arguments: &str) -> Self {
        let home = Home::new();
        let served = home.serve(&arguments.split(' ').collect::<Vec<_>>());
        let on = ["--kubeconfig".into(), served.kubeconfig().into()];
        Self { home, served, on }
    }

    /// The cluster and its database, named by a configuration.
    pub fn database(arguments: &str) -> Self {
        let home = Home::new();
        let config = home.path("demo.toml").display().to_string();
        let arguments = arguments.split(' ').chain(["--config-out", &config]);
        let served = home.serve(&arguments.collect::<Vec<_>>());
        Self { home, served, on: ["--config".into(), config] }
    }

    /// These arguments, with the cluster they are for.
    pub fn on<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        self.on.iter().map(String::as_str).chain(arguments.iter().copied()).collect()
    }

    /// Runs a command on it and expects this exit code.
    pub fn run(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.home.run(&self.on(arguments));
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        assert!(!err.contains("panicked"), "{arguments:?}\n{err}");
        (out, err)
    }

    /// The JSON a command prints that ends with this exit code.
    pub fn json(&self, code: i32, arguments: &[&str]) -> serde_json::Value {
        let (out, _) = self.run(code, arguments);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{out}"))
    }
}

/// Sends a signal by name to a process we started.
pub fn send(process: u32, signal: &str) {
    let status =
        Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status().expect("kill runs");
    assert!(status.success(), "kill -{signal} {process}");
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has a size")
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    ended: bool,
}

impl Shown {
    fn new(columns: u16, rows: u16) -> Self {
        Self { parser: vt100::Parser::new(cells(rows), cells(columns), 0), raw: Vec::new(), ended: false }
    }
}

/// The binary in a pseudo-terminal.
pub struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    shared: Arc<(Mutex<Shown>, Condvar)>,
}

impl Terminal {
    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.writer.flush().expect("the terminal takes keys");
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.shared.0.lock().expect("the screen").parser.screen().contents()
    }

    /// Everything that was ever sent to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.0.lock().expect("the screen").raw.clone()
    }

    /// The alternate screen is on, or the cursor is hidden: the terminal is not the shell's.
    pub fn is_taken(&self) -> bool {
        let shown = self.shared.0.lock().expect("the screen");
        shown.parser.screen().alternate_screen() || shown.parser.screen().hide_cursor()
    }

    /// Waits until the screen satisfies a condition.
    pub fn wait(&self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut shown = self.shared.0.lock().expect("the screen");
        loop {
            let text = shown.parser.screen().contents();
            if holds(&text) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || shown.ended {
                // What was there for a moment only.
                let last = shown.raw.len().saturating_sub(6000);
                eprintln!("the last bytes: {}", shown.raw[last..].escape_ascii());
                panic!("waited for {what}; the screen was:\n{text}");
            }
            shown = self.shared.1.wait_timeout(shown, left).expect("the screen").0;
        }
    }

    /// Whether the screen satisfies a condition within this time.
    pub fn shows_within(&self, time: Duration, mut holds: impl FnMut(&str) -> bool) -> bool {
        let shown = self.shared.0.lock().expect("the screen");
        let waits = |s: &mut Shown| !s.ended && !holds(&s.parser.screen().contents());
        let (shown, _) = self.shared.1.wait_timeout_while(shown, time, waits).expect("the screen");
        let text = shown.parser.screen().contents();
        drop(shown);
        holds(&text)
    }

    /// Waits until a text is on the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Changes the size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.shared.0.lock().expect("the screen").parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size).expect("the terminal changes size");
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Whether the last output comes within this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        let shown = self.shared.0.lock().expect("the screen");
        self.shared.1.wait_timeout_while(shown, time, |s| !s.ended).expect("the screen").0.ended
    }

    /// Waits for the end and for the last output; gives the exit code.
    pub fn end(&mut self) -> u32 {
        assert!(self.ends_within(PATIENCE), "it does not end; the screen was:\n{}", self.screen());
        self.child.wait().expect("it ends").exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
