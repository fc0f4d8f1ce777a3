//! Commands in containers: over the wire, on the command line, and with the terminal handed over and given back.

use std::{
    io::Write,
    process::{Output, Stdio},
    time::Duration,
};

use futures::SinkExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, TerminalSize},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wheelhouse::demo::{self, Cluster, Options};

use crate::{
    program::{Home, Terminal, send},
    world::{begin, standing, wire},
};

/// A cluster, and a home whose kubeconfig leads to it.
struct Bench {
    cluster: Cluster,
    home: Home,
}

impl Bench {
    async fn new() -> Self {
        let bench = Self { cluster: begin(Options { speed: 1.0, ..standing(4) }).await, home: Home::new() };
        std::fs::write(bench.home.path("kubeconfig"), bench.cluster.kubeconfig()).expect("a file");
        bench
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = self.home.path("kubeconfig").display().to_string();
        ["--kubeconfig".to_owned(), path]
            .into_iter()
            .chain(more.iter().map(|word| (*word).to_owned()))
            .collect()
    }

    fn terminal(&self, more: &[&str], columns: u16, rows: u16) -> Terminal {
        let all = self.arguments(more);
        self.home.terminal(&all.iter().map(String::as_str).collect::<Vec<_>>(), columns, rows)
    }

    /// Runs the binary with this input.
    async fn run(&self, more: &[&str], input: Option<&str>) -> Output {
        let all = self.arguments(more);
        let mut command = self.home.command(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let input = input.map(str::to_owned);
        let run = move || {
            let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
            let mut child = command
                .stdin(stdin)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary starts");
            if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
                pipe.write_all(input.as_bytes()).expect("it is taken");
            }
            child.wait_with_output().expect("it ends")
        };
        tokio::task::spawn_blocking(run).await.expect("it ends")
    }

    /// The name of the first pod of a tenant.
    fn pod(&self, tenant: &str) -> String {
        self.cluster.with_world(|world| {
            let mut pods = world.store.list(demo::Kind::POD, Some(tenant));
            pods.next().and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned)).expect("a pod")
        })
    }
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// On a thread of its own: a pseudo-terminal is waited for.
async fn on_terminal<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(f).await.expect("it passes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_library_runs_a_shell_on_a_terminal_of_the_embedded_cluster() {
    let bench = Bench::new().await;
    let (wire, _folder) = wire(&bench.cluster.kubeconfig()).await;
    let pods: Api<Pod> = Api::namespaced(wire.client().await.expect("a client"), "acme");
    let params = AttachParams::interactive_tty().container("php-fpm");
    let mut process = pods.exec(&bench.pod("acme"), ["sh"], &params).await.expect("a shell");
    let mut sizes = process.terminal_size().expect("a terminal");
    sizes.send(TerminalSize { width: 100, height: 30 }).await.expect("it takes sizes");
    let (mut typed, mut shown) = (process.stdin().expect("input"), process.stdout().expect("output"));
    let status = process.take_status().expect("a status");
    // The size goes another way than what is typed: it is asked for until it is there.
    let mut all = String::new();
    let mut some = [0; 512];
    while !all.contains("30 100\r\n") {
        typed.write_all(b"stty size\r").await.expect("it takes input");
        let read = shown.read(&mut some).await.expect("it speaks");
        all += &String::from_utf8_lossy(&some[..read]);
    }
    typed.write_all(b"cat\rtwice\r\x04false\rexit\r").await.expect("it takes input");
    shown.read_to_string(&mut all).await.expect("it speaks to its end");
    assert!(all.contains("twice\r\ntwice\r\n"), "{all:?}");
    let status = status.await.expect("an end");
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"), "{status:?}");

    let mut attached = pods
        .attach(&bench.pod("acme"), &AttachParams::default().container("nginx"))
        .await
        .expect("its output");
    let mut lines = attached.stdout().expect("output");
    let mut some = [0; 64];
    bench.cluster.step(Duration::from_secs(60));
    assert!(lines.read(&mut some).await.expect("a log goes on") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_with_its_own_exit_code_and_what_hinders_it_is_one_sentence() {
    let bench = Bench::new().await;
    let pod = bench.pod("acme");
    let run = async |more: &[&str]| said(&bench.run(more, None).await);
    assert_eq!(run(&["exec", "acme", "--", "hostname"]).await, (Some(0), pod.clone(), String::new()));
    let whole = format!("acme/{pod}");
    assert_eq!(run(&["exec", &whole, "--", "hostname"]).await, (Some(0), pod.clone(), String::new()));
    assert_eq!(run(&["exec", &pod, "-c", "nginx", "--", "pwd"]).await, (Some(0), "/".into(), String::new()));
    let (code, out, err) = run(&["exec", "acme", "--", "sh", "-c", "echo one; cat /none; exit 3"]).await;
    assert_eq!((code, out.as_str()), (Some(3), "one"));
    assert!(err.contains("No such file"), "{err}");
    // A script that is piped in.
    let piped = bench.run(&["exec", "acme"], Some("whoami\nstty size\nexit 4\n")).await;
    let (code, out, err) = said(&piped);
    assert_eq!((code, out.as_str()), (Some(4), "root"), "{err}");
    assert!(err.contains("Inappropriate ioctl"), "{err}");

    let none = format!("container php-fpm of {pod} has no program `psql`");
    bench.cluster.users().add("other", &[]);
    let mut cases = vec![
        (vec!["exec", "acme", "--", "psql"], 1, none.as_str()),
        (vec!["exec", "acem"], 1, "did you mean acme?"),
        (vec!["exec", "tenant/nobody"], 1, "nobody"),
        (vec!["exec", "node/acme", "--", "ls"], 1, "there is no pod acme in namespace node"),
        (vec!["exec", "acme", "-c", "redis", "--", "ls"], 1, "has no container redis; it has nginx, php-fpm"),
        (vec!["--read-only", "exec", "acme", "--", "ls"], 1, "read-only: no command is run in a container"),
        (vec!["exec", "acme", "-t", "--", "ls"], 1, "--tty needs a terminal"),
    ];
    for (more, code, words) in cases.drain(..) {
        let (ended, _, err) = run(&more).await;
        assert_eq!(ended, Some(code), "{more:?}: {err}");
        assert!(err.contains(words) && err.lines().count() == 1, "{more:?}: {err}");
    }
    let audit =
        std::fs::read_to_string(bench.home.path("state/wheelhouse/audit.jsonl")).expect("an audit file");
    assert_eq!(
        audit.lines().filter(|line| line.contains("\"exec\"") && line.contains(&pod)).count(),
        6,
        "{audit}"
    );
    let failed =
        audit.lines().filter(|line| line.contains("\"exec_failed\"") && line.contains("psql")).count();
    assert_eq!(failed, 1, "{audit}");

    // What cannot be written down is not started.
    let file = bench.home.path("state/wheelhouse/audit.jsonl");
    std::fs::rename(&file, bench.home.path("audit")).expect("renamed");
    std::fs::create_dir(&file).expect("a folder in its place");
    let (ended, _, err) = run(&["exec", &pod, "--", "touch", "/tmp/begun"]).await;
    assert!(ended == Some(1) && err.contains("audit file"), "{err}");
    std::fs::remove_dir(&file).expect("removed");
    let (ended, _, err) = run(&["exec", &pod, "--", "ls", "/tmp/begun"]).await;
    assert!(ended != Some(0) && err.contains("No such file"), "{err}");

    bench.cluster.faults().deny(None, "create", "pods/exec");
    let (ended, _, err) = run(&["exec", "acme", "--", "ls"]).await;
    assert_eq!(ended, Some(1));
    assert!(err.contains("may not create pods/exec in namespace acme"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_deleted_under_a_shell_ends_it_with_a_sentence() {
    let bench = Bench::new().await;
    let pod = bench.pod("acme");
    let mut terminal = bench.terminal(&["exec", &pod], 160, 24);
    let mut terminal = on_terminal(move || {
        terminal.wait_for("# ");
        terminal.keys("echo one\r");
        terminal.wait_for("\none");
        terminal
    })
    .await;
    let (wire, _folder) = wire(&bench.cluster.kubeconfig()).await;
    let pods: Api<Pod> = Api::namespaced(wire.writer().await.expect("a client"), "acme");
    let now = kube::api::DeleteParams { grace_period_seconds: Some(0), ..Default::default() };
    pods.delete(&pod, &now).await.expect("it is deleted");
    let (code, screen) = on_terminal(move || (terminal.end(), terminal.screen())).await;
    assert_eq!(code, 137, "{screen}");
    assert!(screen.contains("with its container or pod"), "{screen}");
    let lines: Vec<&str> = screen.lines().collect();
    let [shell, said] =
        ["echo one", "has ended with exit code 137"].map(|w| lines.iter().position(|l| l.contains(w)));
    assert!(shell < said, "below what was there before:\n{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_without_a_shell_says_so() {
    let bench = Bench::new().await;
    let pod = bench.pod("acme");
    bench.cluster.with_world(|world| {
        world.store.update(demo::Kind::POD, "acme", &pod, "test", |pod| {
            pod["spec"]["containers"][1]["image"] = "registry.example/distroless/app:1".into();
        });
    });
    let (code, _, err) = said(&bench.run(&["exec", &pod], Some("")).await);
    assert_eq!(
        (code, err.as_str()),
        (Some(1), &*format!("wheelhouse: container php-fpm of {pod} has no shell"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_on_the_command_line_has_the_terminal_with_its_size() {
    let bench = Bench::new().await;
    let mut terminal = bench.terminal(&["exec", "acme"], 90, 20);
    let ended = on_terminal(move || {
        terminal.wait_for("# ");
        terminal.keys("stty size\r");
        terminal.wait_for("20 90");
        terminal.resize(70, 33);
        // The size follows the resize on its way: it is asked for until it is there.
        for _ in 0..100 {
            terminal.keys("stty size\r");
            if terminal.screen().contains("33 70") {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        terminal.wait_for("33 70");
        // Ctrl-C is for the remote side.
        terminal.keys("cat\r\x03");
        terminal.wait_for("^C");
        terminal.keys("exit 7\r");
        (terminal.end(), terminal.is_taken())
    });
    assert_eq!(ended.await, (7, false));

    let mut terminal = bench.terminal(&["exec", "acme"], 80, 24);
    let ended = on_terminal(move || {
        terminal.wait_for("# ");
        terminal.keys("\r~.");
        let code = terminal.end();
        (code, terminal.screen())
    });
    let (code, screen) = ended.await;
    assert!(code == 1 && screen.contains("what ran there may still run"), "{screen}");

    // A lost terminal, and a lost connection.
    let mut terminal = bench.terminal(&["exec", "acme"], 80, 24);
    let ended = on_terminal(move || {
        terminal.wait_for("# ");
        send(terminal.id(), "HUP");
        terminal.end()
    });
    assert_eq!(ended.await, 1);
    let mut terminal = bench.terminal(&["exec", "acme"], 200, 24);
    let terminal = on_terminal(move || {
        terminal.wait_for("# ");
        terminal.keys("\x1b[?1049h");
        terminal
    });
    let mut terminal = terminal.await;
    bench.cluster.restart().await;
    let (code, screen) = on_terminal(move || (terminal.end(), terminal.screen())).await;
    assert!(code == 1 && screen.contains("php-fpm is lost") && screen.contains("may still run"), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cockpit_lends_its_terminal_to_a_shell_and_takes_it_back() {
    let bench = Bench::new().await;
    let mut terminal = bench.terminal(&[], 80, 24);
    let terminal = on_terminal(move || {
        terminal.wait_for("nothing is wrong");
        terminal.keys(":exec acme php-fpm\r");
        terminal.wait_for("A shell in");
        terminal.keys("\r");
        terminal.wait("the shell", |s| s.contains("exit leads back") && s.contains("# "));
        assert!(!terminal.is_taken(), "the alternate screen is left");
        // What is pasted is typed there, and is no command of the cockpit.
        terminal.keys("echo q; echo :quit\r");
        terminal.wait_for("\n:quit");
        // A paste of many lines arrives whole and in order, whatever keys of the cockpit are in it.
        let lines: String = (0..60).map(|i| format!("echo y{i}+q-{i}\r")).collect();
        terminal.keys(&lines);
        terminal.wait_for("\ny59+q-59");
        terminal.resize(100, 30);
        for _ in 0..100 {
            terminal.keys("stty size\r");
            if terminal.screen().contains("30 100") {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        terminal.wait_for("30 100");
        // Who types on is not taken for somebody who gives commands.
        terminal.keys("exit 3\rxyx");
        let screen =
            terminal.wait("the cockpit again", |s| s.contains("exit code 3") && s.contains("REQ LEFT"));
        assert!(screen.lines().any(|line| line.chars().count() > 82), "drawn at its new size:\n{screen}");
        assert!(terminal.is_taken());
        terminal
    });
    let mut terminal = terminal.await;
    let terminal = on_terminal(move || {
        std::thread::sleep(Duration::from_millis(700));
        terminal.keys(":exec acme nginx\r");
        terminal.wait_for("A shell in");
        terminal.keys("\r");
        terminal.wait("the shell", |s| s.contains("exit leads back") && s.contains("# "));
        terminal
    });
    let mut terminal = terminal.await;
    bench.cluster.restart().await;
    on_terminal(move || {
        terminal.wait("the lost connection", |s| s.contains("is lost") && s.contains("REQ LEFT"));
        send(terminal.id(), "HUP");
        assert_eq!(terminal.end(), 0);
        assert!(!terminal.is_taken());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_terminal_ends_the_cockpit_while_a_shell_has_it() {
    let bench = Bench::new().await;
    let mut terminal = bench.terminal(&[], 80, 24);
    on_terminal(move || {
        terminal.wait_for("nothing is wrong");
        terminal.keys(":exec acme php-fpm\r");
        terminal.wait_for("A shell in");
        terminal.keys("\r");
        terminal.wait("the shell", |s| s.contains("exit leads back") && s.contains("# "));
        send(terminal.id(), "HUP");
        assert_eq!(terminal.end(), 0);
        assert!(!terminal.is_taken());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hinders_a_shell_is_said_and_the_place_stays() {
    let bench = Bench::new().await;
    bench.cluster.faults().deny(None, "create", "pods/exec");
    let mut terminal = bench.terminal(&[], 120, 30);
    on_terminal(move || {
        terminal.wait_for("nothing is wrong");
        terminal.keys(":exec nobody\r");
        terminal.wait_for("nobody");
        terminal.keys(":exec acme redis\r");
        terminal.wait_for("no container redis of acme runs");
        terminal.keys(":exec acme php-fpm\r");
        terminal.wait_for("A shell in");
        terminal.keys("\r");
        terminal.wait_for("may not create pods/exec in namespace acme");
        assert!(terminal.is_taken());
    })
    .await;
}
