//! The real binary in a pseudo-terminal: what is on the screen, what the keys do, and how the terminal is left.

use std::{fs, net::TcpListener, thread, time::Duration};

use crate::program::{Demo, Home, Terminal, send};

const DEMO: [&str; 11] =
    ["demo", "--tenants", "8", "--nodes", "4", "--seed", "7", "--scenario", "calm", "--speed", "60"];

/// Presses a key until it has had its effect: a key that follows another at once is taken for a paste and ignored, on
/// purpose, and how fast this test types depends on the machine.
fn press_until(terminal: &mut Terminal, key: &str, what: &str) -> String {
    for _ in 0..200 {
        terminal.keys(key);
        for _ in 0..10 {
            let screen = terminal.screen();
            if screen.contains(what) {
                return screen;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("pressed {key:?} for {what:?}; the screen was:\n{}", terminal.screen());
}

fn open(home: &Home, columns: u16, rows: u16) -> Terminal {
    let terminal = home.terminal(&DEMO, columns, rows);
    terminal.wait_for("acme");
    terminal
}

/// Leaves by the keys. The yes is only taken when it is not part of a burst, so it may need another try.
fn leave(mut terminal: Terminal) {
    for _ in 0..50 {
        press_until(&mut terminal, "q", "y leave");
        thread::sleep(Duration::from_millis(100));
        terminal.keys("y");
        if terminal.ends_within(Duration::from_millis(500)) {
            break;
        }
    }
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.is_taken(), "the terminal is the shell's again");
}

#[test]
fn a_terminal_that_can_do_nothing_gets_plain_lines() {
    let demo = Demo::cluster("--tenants 4 --nodes 4 --seed 7 --scenario calm");
    let mut terminal = demo.home.terminal_with(&demo.on(&[]), &[("TERM", "dumb")], 80, 24);
    terminal.wait_for("4 of 4 nodes ready");
    assert_eq!(terminal.end(), 0);
    let raw = terminal.raw();
    let text = String::from_utf8_lossy(&raw);
    assert!(text.contains("TERM=dumb shows no screens") && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_stop_from_outside_gives_the_terminal_back_and_takes_it_again() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    press_until(&mut terminal, "s", "esc cancel");
    send(terminal.id(), "TSTP");
    terminal.wait("the shell's screen", |screen| !screen.contains("acme"));
    assert!(!terminal.is_taken());
    // It may be told to go on before it has stopped.
    while !terminal.shows_within(Duration::from_secs(1), |screen| screen.contains("esc cancel")) {
        send(terminal.id(), "CONT");
    }
    assert!(terminal.is_taken() && terminal.screen().contains("acme"));
    press_until(&mut terminal, "\u{1b}", "5 findings");
    leave(terminal);
}

#[test]
fn a_tenant_is_scaled_with_a_few_keys_and_the_screen_shows_it() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    // To acme by name, then one more: the review, yes, done.
    terminal.keys(":tenant acme\r");
    terminal.wait_for("deploy/acme");
    press_until(&mut terminal, "+", "y run");
    let run = press_until(&mut terminal, "y", "scale acme 4 → 5");
    assert!(!run.contains("y run"), "{run}");
    terminal.wait("the run is done", |screen| screen.contains("done") && screen.contains("2 of 2 steps"));
    leave(terminal);
    let audit = fs::read_to_string(home.path("state/wheelhouse/audit.jsonl")).expect("an audit file");
    assert!(audit.contains("alice@"), "{audit}");
}

#[test]
fn a_paste_never_confirms() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    terminal.keys(":tenant acme\r");
    terminal.wait_for("deploy/acme");
    press_until(&mut terminal, "+", "y run");
    terminal.keys("\x1b[200~y\x1b[201~");
    terminal.keys("yyyyyyyyyy");
    terminal.resize(100, 30);
    terminal.wait("the review at its new size", |s| {
        s.contains("y run") && s.lines().any(|l| l.chars().count() > 82)
    });
    terminal.keys("\x1b");
    terminal.wait("the review is gone", |s| !s.contains("y run"));
    leave(terminal);
    assert!(!home.path("state/wheelhouse/audit.jsonl").exists(), "nothing was done");
}

#[test]
fn escape_and_the_next_key_arrive_both_in_one_piece() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    terminal.keys("?");
    terminal.wait_for("Help");
    terminal.keys("\x1b2");
    terminal.wait("the nodes", |s| s.contains("NODE") && !s.contains("Help"));
    leave(terminal);
}

#[test]
fn the_first_frame_is_there_whatever_the_network_does() {
    let home = Home::new();
    // It accepts, by the kernel's queue, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    fs::write(
        home.path("kubeconfig"),
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: silent\ncontexts:\n- name: silent\n  context: {{cluster: c, \
             user: u}}\nclusters:\n- name: c\n  cluster: {{server: 'https://127.0.0.1:{port}'}}\nusers:\n- name: u\n  \
             user: {{token: t}}\n"
        ),
    )
    .expect("a file");
    let terminal =
        home.terminal(&["--kubeconfig", home.path("kubeconfig").to_str().expect("a path")], 80, 24);
    terminal.wait("the connecting state", |s| s.contains("silent") && s.contains("connecting"));
    leave(terminal);
}

#[test]
fn any_size_is_survived_and_a_small_one_says_so() {
    let home = Home::new();
    let mut terminal = open(&home, 200, 50);
    for (columns, rows) in [(20, 5), (1, 1), (300, 80), (7, 2), (80, 3), (40, 12), (80, 24)] {
        terminal.resize(columns, rows);
    }
    terminal.wait("the screen at its last size", |s| {
        s.contains("acme") && s.lines().last().is_some_and(|l| l.trim_end().ends_with("?"))
    });
    terminal.resize(20, 5);
    terminal
        .wait("something at 20x5", |s| !s.trim().is_empty() && s.lines().all(|l| l.chars().count() <= 20));
    terminal.resize(80, 24);
    terminal.wait_for("acme");
    leave(terminal);
}

#[test]
fn a_signal_ends_it_with_the_terminal_given_back() {
    for signal in ["TERM", "HUP", "INT"] {
        let home = Home::new();
        let mut terminal = open(&home, 80, 24);
        send(terminal.id(), signal);
        assert_eq!(terminal.end(), 0, "{signal}");
        assert!(!terminal.is_taken(), "{signal}");
    }
}

#[test]
fn a_panic_ends_it_with_the_terminal_given_back_and_code_1() {
    let home = Home::new();
    let mut terminal = home.terminal_with(&DEMO, &[("WHEELHOUSE_PANIC", "1")], 80, 24);
    assert_eq!(terminal.end(), 1);
    assert!(!terminal.is_taken());
    let said = terminal.screen();
    assert!(said.contains("defect of wheelhouse"), "{said}");
}

#[test]
fn without_colour_no_colour_is_sent_and_everything_is_still_said() {
    let home = Home::new();
    let terminal = home.terminal_with(&DEMO, &[("NO_COLOR", "1")], 80, 24);
    terminal.wait_for("acme");
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let coloured = raw.split("\x1b[").skip(1).filter_map(|s| s.split_once('m')).filter(|(sgr, _)| {
        let numbers = |s: &str| s.chars().all(|c| c.is_ascii_digit() || c == ';');
        let colour = |n: u32| (30..=38).contains(&n) || (40..=48).contains(&n) || (90..=107).contains(&n);
        numbers(sgr) && sgr.split(';').filter_map(|n| n.parse().ok()).any(colour)
    });
    assert_eq!(coloured.count(), 0);
    leave(terminal);
}

#[test]
fn without_a_terminal_the_cockpit_says_what_else_there_is() {
    let home = Home::new();
    let output = home.run(&["demo"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("needs a terminal") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_configuration_gives_commands_other_keys_and_a_chosen_theme_is_kept() {
    let home = Home::new();
    let file = home.path("wheelhouse.toml");
    fs::write(&file, "[keys]\nscale = \"e\"\nnodes = [\"8\", \"F2\"]\nundo = []\nyes = \"K\"\n")
        .expect("a file");
    let arguments: Vec<&str> = ["--config", file.to_str().expect("a path")].into_iter().chain(DEMO).collect();
    let mut terminal = home.terminal(&arguments, 80, 24);
    terminal.wait_for("acme");
    press_until(&mut terminal, "8", "PODS");
    press_until(&mut terminal, "1", "TENANT");
    let screen = terminal.wait("the keys in the bar", |s| s.contains("e scale") && s.contains("8 nodes"));
    assert!(!screen.contains("s scale"), "{screen}");
    // What says yes has its own key in the review.
    press_until(&mut terminal, "+", "K run");
    terminal.keys("\x1b");
    terminal.wait("the review is gone", |s| !s.contains("K run"));
    press_until(&mut terminal, "e", "replicas");
    terminal.keys("\x1b");
    terminal.wait("the question is gone", |s| !s.contains("⏎ show"));
    terminal.keys(":theme ember\r");
    let kept = home.path("state/wheelhouse/themes.toml");
    for _ in 0..500 {
        if kept.exists() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let themes = fs::read_to_string(&kept).expect("the choice is kept");
    assert_eq!(themes, "dark = \"ember\"\n");
    press_until(&mut terminal, "q", "K leave");
    thread::sleep(Duration::from_millis(100));
    press_until(&mut terminal, "\x1b", "acme");
    terminal.keys(":quit\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_key_that_cannot_be_is_told_before_the_screen_is_taken() {
    let home = Home::new();
    let file = home.path("wheelhouse.toml");
    fs::write(&file, "[keys]\nscael = \"e\"\nscale = \"b\"\n").expect("a file");
    let arguments = ["--config", file.to_str().expect("a path")];
    let output = home.run(&[&arguments[..], &DEMO].concat());
    let (said, wrong) = crate::program::text(&output);
    assert_eq!((output.status.code(), said.as_str()), (Some(2), ""), "{wrong}");
    assert!(wrong.contains("[keys] scael: there is no command `scael`; did you mean `scale`?"), "{wrong}");
    assert!(wrong.contains("[keys] scale: `b` is the key of `rebalance` too"), "{wrong}");
    let output = home.run(&[&arguments[..], &["config", "check"]].concat());
    let (said, _) = crate::program::text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("line 2: [keys] scael:") && said.contains("line 3: [keys] scale:"), "{said}");
}

/// Whether the kernel holds the process stopped.
fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

#[test]
fn a_stop_gives_the_terminal_to_the_shell_and_fg_draws_everything_again() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    for (columns, rows) in [(100, 30), (80, 24)] {
        terminal.keys("\x1a");
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while !is_stopped(terminal.id()) || terminal.is_taken() {
            assert!(std::time::Instant::now() < until, "it is not stopped:\n{}", terminal.screen());
            thread::sleep(Duration::from_millis(5));
        }
        // What the shell prints meanwhile is not what the cockpit drew last.
        terminal.resize(columns, rows);
        send(terminal.id(), "CONT");
        let wide = usize::from(columns);
        terminal.wait("the whole screen at its size", |screen| {
            let bar = screen.lines().last().unwrap_or_default();
            screen.contains("acme")
                && bar.trim_end().ends_with('?')
                && screen.lines().next().is_some_and(|line| line.trim_end().chars().count() > wide - 8)
        });
        assert!(terminal.is_taken());
    }
    press_until(&mut terminal, "2", "worker-1");
    leave(terminal);
}

#[test]
fn a_terminal_that_is_gone_ends_it_and_leaves_nothing_running() {
    use std::io::Read as _;

    let home = Home::new();
    let size = portable_pty::PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pty = portable_pty::native_pty_system().openpty(size).expect("a pseudo-terminal");
    let mut child = pty.slave.spawn_command(home.in_terminal(&DEMO)).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("its output");
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("acme") {
        let n = reader.read(&mut buffer).expect("it writes");
        seen.extend_from_slice(&buffer[..n]);
    }
    // Every end of it is closed, as when the connection of an SSH session is lost.
    drop(reader);
    drop(pty.master);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("it can be waited for").is_none() {
        assert!(std::time::Instant::now() < until, "it still runs");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_storm_of_sizes_and_keys_ends_in_the_right_picture() {
    let home = Home::new();
    let mut terminal = open(&home, 80, 24);
    for i in 0..60u16 {
        terminal.resize(40 + i * 3, 10 + i % 30);
        terminal.keys("jk2W1");
    }
    terminal.keys(&"j".repeat(400));
    terminal.resize(120, 40);
    let settled = |screen: &str| {
        let bar = screen.lines().last().unwrap_or_default();
        screen.lines().count() == 40 && bar.trim_end().ends_with('?') && screen.contains("TENANT")
    };
    terminal.wait("the size it has", settled);
    // Another full drawing changes nothing: no cell is left over from before.
    press_until(&mut terminal, "1", "TENANT");
    let body = |screen: String| screen.lines().skip(3).take(34).map(str::to_owned).collect::<Vec<_>>();
    for _ in 0..20 {
        let before = body(terminal.screen());
        terminal.keys("\x0c");
        thread::sleep(Duration::from_millis(300));
        let after = body(terminal.screen());
        let names = |lines: &[String]| {
            lines.iter().map(|l| l.chars().take(24).collect::<String>()).collect::<Vec<_>>()
        };
        if names(&before) == names(&after) {
            return leave(terminal);
        }
    }
    panic!("it is not the same when it is drawn again:\n{}", terminal.screen());
}
