//! `record`, `replay`, `report` and `actions` as commands, and what the cockpit keeps.

use std::{fs, time::Duration};

use crate::program::{Demo, PATIENCE, text};

fn world() -> Demo {
    Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm")
}

#[test]
fn what_is_recorded_is_reported_and_replayed() {
    let demo = world();
    let file = demo.home.path("night.rec").display().to_string();
    let mut recording = demo
        .home
        .command(&demo.on(&["record", &file, "--every", "1s"]))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let begun = std::time::Instant::now();
    while fs::metadata(&file).map_or(0, |found| found.len()) < 1_000 {
        assert!(begun.elapsed() < PATIENCE, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(50));
    }
    demo.run(0, &["scale", "acme", "+1", "--yes", "--reason", "more traffic"]);
    crate::program::send(recording.id(), "INT");
    assert!(recording.wait().expect("it ends").success());
    assert_eq!(
        fs::metadata(&file).map(|f| std::os::unix::fs::PermissionsExt::mode(&f.permissions()) & 0o777).ok(),
        Some(0o600)
    );

    let report = demo.json(0, &["report", &file, "-o", "json"]);
    assert_eq!(
        report["actions"][0]["what"].as_str().map(|what| what.contains("acme")),
        Some(true),
        "{report}"
    );
    assert_eq!(report["actions"][0]["reason"], "more traffic");
    let texts: Vec<_> =
        report["events"].as_array().expect("a list").iter().map(|e| e["text"].to_string()).collect();
    assert!(
        texts.iter().any(|text| text.contains("replicas 2 → 3") || text.contains("replicas")),
        "{texts:?}"
    );
    let (told, _) = demo.run(0, &["report", &file]);
    assert!(told.starts_with("# Incident report") && told.contains("kubectl"), "{told}");

    let actions = demo.json(0, &["actions", "--since", "1h", "-o", "json"]);
    assert_eq!((&actions[0]["result"], &actions[0]["reason"]), (&"done".into(), &"more traffic".into()));
    assert!(demo.run(0, &["actions"]).0.contains("more traffic"));

    // A recording says how much memory is right, without a cluster.
    let (sized, err) = text(&demo.home.run(&["sizing", "--from", &file, "-o", "json"]));
    let sized: serde_json::Value = serde_json::from_str(&sized).unwrap_or_else(|e| panic!("{e}: {err}"));
    assert!(sized.as_array().is_some_and(|all| all.iter().any(|one| one["tenant"] == "acme")), "{sized}");
    let (one, _) = text(&demo.home.run(&["sizing", "acme", "--from", &file]));
    assert!(one.starts_with("acme  "), "{one}");
    let wrong = demo.home.run(&["sizing", "acne", "--from", &file]);
    assert!(text(&wrong).1.contains("did you mean acme"), "{}", text(&wrong).1);

    let (_, wrong) = demo.run(1, &["replay", &file, "--at", "2020-01-01 00:00"]);
    assert!(wrong.contains("is before the recording: it goes from"), "{wrong}");
    let (_, wrong) = demo.run(1, &["replay", &file, "--at", "-400d"]);
    assert!(wrong.contains("is before the recording: it goes from"), "{wrong}");
    let (_, wrong) = demo.run(2, &["replay", &file, "--at", "9999-12-31 00:00"]);
    assert!(wrong.contains("`9999-12-31 00:00` is too far away: no recording reaches there"), "{wrong}");
    // What was before is not known, in whichever way it is asked for.
    let whole = demo.json(0, &["report", &file, "-o", "json"]);
    for (flag, text, gap) in [
        ("--since", "-400d", "what was before"),
        ("--since", "2020-01-01 00:00", "what was before"),
        ("--until", "+400d", "what was after"),
        ("--until", "2099-01-01 00:00", "what was after"),
    ] {
        let mut part = demo.json(0, &["report", &file, flag, text, "-o", "json"]);
        let gaps = part["gaps"].take();
        assert!(gaps[0].as_str().is_some_and(|told| told.starts_with(gap)), "{flag} {text}: {gaps}");
        part["gaps"] = serde_json::json!([]);
        assert_eq!(part, whole, "{flag} {text}");
    }
    for (flag, text, why) in [
        ("--until", "-400d", "is before the recording: it goes from"),
        ("--until", "2020-01-01 00:00", "is before the recording: it goes from"),
        ("--since", "+400d", "is after the recording: it goes from"),
        ("--since", "2099-01-01 00:00", "is after the recording: it goes from"),
    ] {
        let (_, wrong) = demo.run(1, &["report", &file, flag, text]);
        assert!(wrong.contains(why), "{flag} {text}: {wrong}");
    }
    let (_, wrong) = demo.run(2, &["replay", &file, "--at", "soon"]);
    assert!(wrong.contains("is no time"), "{wrong}");
    let (_, wrong) = demo.run(2, &["report", &file, "--since", "-1s", "--until", "-5m"]);
    assert!(wrong.contains("is before --since"), "{wrong}");
    let missing = demo.home.run(&["sizing", "--from", "/nowhere/night.rec"]);
    assert!(text(&missing).1.contains("/nowhere/night.rec cannot be read: No such file"), "{missing:?}");
    let (_, wrong) = demo.run(1, &["record", &file]);
    assert!(wrong.contains("is there already"), "{wrong}");
    let (_, wrong) = demo.run(1, &["replay"]);
    assert!(wrong.contains("nothing is kept of"), "{wrong}");

    let mut terminal = demo.home.terminal(&demo.on(&["replay", &file]), 100, 30);
    terminal.wait("the recording", |screen| screen.contains("RECORDING") && screen.contains("acme"));
    terminal.keys("w");
    terminal.wait_for(" fails now");
    terminal.keys("\u{1b}");
    terminal.keys("T");
    terminal.keys("+1d\r");
    terminal.wait("a sentence", |screen| screen.contains("is after the recording"));
    terminal.keys("s");
    terminal.wait("a refusal", |screen| screen.contains("recording"));
    terminal.keys("\u{3}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn on_a_full_disk_recording_stops_and_says_so_and_what_was_recorded_is_read() {
    let demo = world();
    let file = demo.home.path("night.rec").display().to_string();
    // A file that may not grow is as good as a full disk, and needs no rights.
    let arguments = demo.on(&["record", &file, "--every", "1s", "--for", "60s"]).join(" ");
    let line = format!("trap '' XFSZ; ulimit -f 24; exec {} {arguments}", crate::program::WHEELHOUSE);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &line])
        .env_clear()
        .env("HOME", demo.home.path(""))
        .env("XDG_STATE_HOME", demo.home.path("state"));
    let output = shell.output().expect("a shell");
    let (_, err) = text(&output);
    if output.status.success() {
        // The minute was too short to fill it.
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("stops here: File too large") && err.contains("can be replayed"), "{err}");
    demo.run(0, &["report", &file]);
}

#[test]
fn the_cockpit_keeps_the_last_hours_unless_it_is_told_not_to() {
    let demo = world();
    let mut terminal = demo.home.terminal(&demo.on(&[]), 100, 30);
    terminal.wait("the tenants", |screen| screen.contains("acme") && screen.contains("REQ LEFT"));
    terminal.keys("\u{3}");
    assert_eq!(terminal.end(), 0);
    let (told, _) = demo.run(0, &["report"]);
    assert!(told.contains("# Incident report"), "{told}");
    let kept = demo.home.path("state/wheelhouse/kept");
    assert!(kept.is_dir());
    fs::remove_dir_all(&kept).expect("it is removed");
    let mut terminal = demo.home.terminal(&demo.on(&["--set", "recording.keep=false"]), 100, 30);
    terminal.wait("the tenants", |screen| screen.contains("acme") && screen.contains("REQ LEFT"));
    terminal.keys("t");
    terminal.wait_for("BY TENANT");
    terminal.keys("x");
    terminal.wait_for("nothing is kept of demo yet");
    terminal.keys("\u{3}");
    assert_eq!(terminal.end(), 0);
    assert!(!kept.exists() && !demo.home.path("state/wheelhouse/reports").exists());
}

#[test]
fn what_is_no_regular_file_is_never_waited_for() {
    let home = crate::program::Home::new();
    let pipe = home.path("night.rec").display().to_string();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    for file in [&*pipe, "/dev/zero", "/dev"] {
        for arguments in [&["replay"][..], &["report"], &["sizing", "--from"], &["sizing", "acme", "--from"]]
        {
            let arguments = [arguments, &[file]].concat();
            let mut command = home.command(&arguments);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
            let child = command.spawn().expect("the binary starts");
            let process = child.id();
            let (tell, told) = std::sync::mpsc::channel();
            std::thread::spawn(move || tell.send(child.wait_with_output()));
            let Ok(output) = told.recv_timeout(PATIENCE) else {
                crate::program::send(process, "KILL");
                panic!("{arguments:?} waits");
            };
            let (_, err) = text(&output.expect("it ends"));
            let told = format!(
                "wheelhouse: {file} is no regular file: it is read from where it lies, give that file\n"
            );
            assert_eq!(err, told, "{arguments:?}");
        }
    }
}

#[test]
fn the_actions_of_this_machine_are_told_when_the_cluster_is_silent_and_a_pipe_is_not_waited_for() {
    let demo = world();
    demo.run(0, &["scale", "acme", "+1", "--yes", "--reason", "more traffic"]);
    crate::program::send(demo.served.id(), "STOP");
    let (out, err) = demo.run(1, &["actions", "--timeout", "1s"]);
    crate::program::send(demo.served.id(), "CONT");
    assert!(out.contains("more traffic") && out.contains("scale"), "{out}");
    assert!(err.contains("these are the actions of this machine alone"), "{err}");

    let audit = demo.home.path("state").join("wheelhouse/audit.jsonl");
    fs::remove_file(&audit).expect("the audit file");
    let made = std::process::Command::new("mkfifo").arg(&audit).status().expect("mkfifo runs");
    assert!(made.success());
    let (_, err) = demo.run(1, &["actions"]);
    assert!(err.contains("cannot be read: it is a pipe or a socket and no file"), "{err}");
}
