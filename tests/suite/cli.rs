//! The commands, as a user or a script runs them, against an embedded cluster served by another process.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::{Demo, Home, PATIENCE, send, text};

/// An embedded cluster whose pods are ready in a moment.
fn world() -> Demo {
    Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm --speed 60")
}

fn tenant(demo: &Demo, name: &str) -> Value {
    let all = demo.json(0, &["tenants", "-o", "json"]);
    all.as_array().expect("a list").iter().find(|t| t["name"] == name).expect("the tenant").clone()
}

#[test]
fn the_views_are_commands_with_stable_json() {
    let demo = world();
    let tenants = demo.json(0, &["tenants", "-o", "json"]);
    assert_eq!(tenants.as_array().map(Vec::len), Some(8));
    for tenant in tenants.as_array().expect("a list") {
        for key in [
            "name",
            "namespace",
            "workload",
            "desired",
            "ready",
            "placement",
            "findings",
            "restarts",
            "image",
        ] {
            assert!(tenant.get(key).is_some(), "{key} is missing in {tenant}");
        }
        assert_eq!(tenant["workload"]["kind"], "Deployment");
        let placed: u64 =
            tenant["placement"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
        assert_eq!(Some(placed), tenant["desired"].as_u64(), "{tenant}");
    }
    let nodes = demo.json(0, &["nodes", "-o", "json"]);
    assert_eq!(nodes.as_array().map(Vec::len), Some(4));
    for node in nodes.as_array().expect("a list") {
        assert_eq!((&node["ready"], &node["schedulable"]), (&true.into(), &true.into()));
        assert!(
            node["pods"].as_u64() > Some(0) && node["memory"]["allocatable"].as_u64() > Some(1 << 30),
            "{node}"
        );
    }
    let status = demo.json(0, &["status", "-o", "json"]);
    assert_eq!((&status["tenants"]["total"], &status["nodes"]["ready"]), (&8.into(), &4.into()));
    assert_eq!(status["database"], Value::Null, "none is configured");
    for (command, word) in
        [("tenants", "TENANT"), ("nodes", "NODE"), ("status", "8 tenants"), ("runs", "no runs yet")]
    {
        let (out, _) = demo.run(0, &[command]);
        assert!(out.contains(word), "{command}: {out}");
    }
}

#[test]
fn scaling_is_planned_run_verified_listed_and_undone() {
    let demo = world();
    let before = tenant(&demo, "acme");
    let from = before["desired"].as_u64().expect("a number");
    let to = (from + 2).to_string();

    let plan = demo.json(0, &["scale", "acme", &to, "--dry-run", "-o", "json"]);
    assert!(plan["id"].is_string() && plan["refusals"].as_array().is_some_and(Vec::is_empty), "{plan}");
    let predicted: u64 =
        plan["predicted"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
    assert_eq!(predicted, from + 2);
    assert_eq!(tenant(&demo, "acme")["desired"], before["desired"], "a dry run changes nothing");

    let run_json = demo.json(0, &["scale", "acme", &to, "--yes", "--reason", "more traffic", "-o", "json"]);
    assert_eq!(
        (&run_json["state"], &run_json["reason"]),
        (&"done".into(), &"more traffic".into()),
        "{run_json}"
    );
    let after = tenant(&demo, "acme");
    assert_eq!((&after["desired"], &after["ready"]), (&(from + 2).into(), &(from + 2).into()));
    assert_eq!(after["placement"], plan["predicted"], "the prediction came true");

    let id = run_json["id"].as_str().expect("an id");
    let listed = demo.json(0, &["runs", "-o", "json"]);
    assert_eq!((&listed[0]["id"], &listed[0]["operator"]), (&id.into(), &run_json["operator"]));
    let (story, _) = demo.run(0, &["runs", "show", id]);
    assert!(story.contains("more traffic") && story.contains("is done"), "{story}");

    let undo = demo.json(0, &["runs", "undo", id, "--yes", "-o", "json"]);
    assert_eq!(undo["state"], "done", "{undo}");
    assert_eq!(tenant(&demo, "acme")["desired"], before["desired"]);
    let states: Vec<_> = demo
        .json(0, &["runs", "-o", "json"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| r["state"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(states, ["done", "undone"]);

    let audit = fs::read_to_string(demo.home.path("state/wheelhouse/audit.jsonl")).expect("an audit file");
    assert!(audit.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{audit}");
    assert!(audit.contains("more traffic") && audit.contains("alice@"), "{audit}");
}

#[test]
fn what_must_not_be_done_is_refused_in_words_with_code_1() {
    let demo = world();
    let desired = tenant(&demo, "acme")["desired"].clone();
    for (arguments, word) in [
        (&["scale", "acme", "-9", "--yes"][..], "below zero"),
        (&["scale", "acmee", "3", "--yes"], "acme"),
        (&["scale", "acme", "900", "--yes"], "memory"),
        (&["scale", "acme", "0", "--yes"], "acme"),
        (&["scale", "acme", "0", "--confirm", "acne"], "acne"),
        (&["scale", "acme", "1", "--yes"], "--confirm"),
        (&["runs", "show", "nothing"], "nothing"),
        (&["runs", "resume", "nothing"], "nothing"),
        (&["headroom", "acem"], "did you mean acme"),
        (&["fits", "acem"], "did you mean acme"),
    ] {
        let (out, err) = demo.run(1, arguments);
        let both = format!("{out}{err}");
        assert!(both.contains(word), "{arguments:?}: {both}");
        assert!(!both.contains("panicked"), "{arguments:?}: {both}");
    }
    let (_, err) = demo.run(1, &["--read-only", "scale", "acme", "5", "--yes"]);
    assert!(err.contains("read-only"), "{err}");
    assert_eq!(tenant(&demo, "acme")["desired"], desired);
}

#[test]
fn wrong_usage_is_one_sentence_with_code_2() {
    let home = Home::new();
    fs::write(home.path("bad.toml"), "[tenants]\nlable = 'x'\n").expect("a file");
    fs::write(
        home.path("kubeconfig"),
        "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts:\n- name: one\n  context: {cluster: c, user: u}\n\
         clusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:1'}\nusers:\n- name: u\n  user: {token: t}\n",
    )
    .expect("a file");
    let (kubeconfig, bad) = (home.path("kubeconfig"), home.path("bad.toml"));
    let kubeconfig = kubeconfig.to_str().expect("a path");
    for (arguments, word) in [
        (&["scale", "acme"][..], "REPLICAS"),
        (&["scale", "acme", "five"], "`five` is not a whole number such as 5, +1 or -1"),
        (&["scale", "acme", "99999999999"], "99999999999 is too large"),
        (&["fits", "acme", "1.5"], "`1.5` is not a whole number"),
        (&["--config", bad.to_str().expect("a path"), "status"], "line 2"),
        (&["demo", "--scenario", "doom"], "calm"),
        (&["demo", "--speed", "-1"], "speed"),
        (&["--theme", "neon", "--kubeconfig", kubeconfig], "dark"),
    ] {
        let output = home.run(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
    // What is named and is not there is no wrong usage.
    for (arguments, word) in [
        (&["--config", "/nonexistent.toml", "status"][..], "/nonexistent.toml"),
        (&["--kubeconfig", kubeconfig, "--context", "two", "status"], "it has one"),
        (&["--kubeconfig", "/nonexistent", "status"], "/nonexistent"),
    ] {
        let output = home.run(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
    let output = home.run(&["--kubeconfig", kubeconfig, "status"]);
    let (_, err) = text(&output);
    assert_eq!((output.status.code(), err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
}

#[test]
fn a_sign_counts_from_now_and_a_number_alone_is_the_number() {
    let demo = world();
    let now = tenant(&demo, "acme")["desired"].as_i64().expect("a number");
    let planned = |number: &str| demo.json(0, &["scale", "acme", number, "--dry-run", "-o", "json"]);
    for (typed, to) in [("+1", now + 1), ("+3", now + 3), ("-1", now - 1), ("5", 5)] {
        let plan = planned(typed);
        assert_eq!(
            (&plan["tenants"][0]["from"], &plan["tenants"][0]["to"]),
            (&now.into(), &to.into()),
            "{typed}"
        );
    }
    let asked = |number: &str| demo.json(0, &["fits", "acme", number, "-o", "json"])["asked"].clone();
    assert_eq!((asked("+2"), asked(&(now + 2).to_string())), (2.into(), 2.into()));
    let (_, err) = demo.run(2, &["fits", "acme", "-1"]);
    assert!(err.contains(&format!("acme asks for {now} now")), "{err}");
    let done = demo.json(0, &["scale", "acme", "+1", "--yes", "-o", "json"]);
    assert_eq!(done["state"], "done");
    assert_eq!(tenant(&demo, "acme")["desired"], now + 1);
}

#[test]
fn the_served_world_is_private_deterministic_and_gone_when_it_ends() {
    let demo = world();
    let mode = fs::metadata(&demo.served.kubeconfig).expect("a kubeconfig").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let twin = world();
    let placements = |demo: &Demo| -> Vec<(Value, Value)> {
        let all = demo.json(0, &["tenants", "-o", "json"]);
        all.as_array().expect("a list").iter().map(|t| (t["name"].clone(), t["placement"].clone())).collect()
    };
    assert_eq!(placements(&demo), placements(&twin));
    let kubeconfig = demo.served.kubeconfig.clone();
    assert!(demo.served.end("TERM").success());
    assert!(!kubeconfig.exists());
}

#[test]
fn a_killed_run_is_found_and_finished_by_the_next_command() {
    // At this pace a new pod takes seconds to become ready: the run still waits when it is killed.
    let demo = Demo::cluster("--tenants 4 --nodes 4 --seed 7 --scenario calm --speed 0.5");
    fs::create_dir_all(demo.home.path("config/wheelhouse")).expect("a folder");
    fs::write(demo.home.path("config/wheelhouse/config.toml"), "[journal]\nlease = '1s'\n").expect("a file");
    let from = tenant(&demo, "acme")["desired"].as_u64().expect("a number");
    let to = (from + 1).to_string();
    let mut child = demo
        .home
        .command(&demo.on(&["scale", "acme", &to, "--yes"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let until = std::time::Instant::now() + PATIENCE;
    while tenant(&demo, "acme")["desired"] != from + 1 {
        assert!(std::time::Instant::now() < until, "the scale was never written");
    }
    send(child.id(), "KILL");
    child.wait().expect("it ends");
    let runs = demo.json(0, &["runs", "-o", "json"]);
    assert_eq!(runs[0]["state"], "running", "{runs}");
    let id = runs[0]["id"].as_str().expect("an id").to_owned();
    let status = demo.json(0, &["status", "-o", "json"]);
    assert_eq!(status["runs"][0]["id"], id.as_str(), "an unfinished run is part of the status");
    // The dead session's lease is good for a second more, and for the margin for clocks that differ, by the time of the
    // world: until then every act on its run is refused.
    let until = std::time::Instant::now() + 3 * PATIENCE;
    for act in [&["runs", "resume", &id][..], &["runs", "give-up", &id, "--reason", "gone"]] {
        let err = loop {
            let (_, err) = demo.run(1, act);
            if !err.contains("drives it") {
                break err;
            }
            assert!(std::time::Instant::now() < until, "{err}");
        };
        assert!(err.contains("there is no terminal to ask on: use --yes"), "{err}");
        assert!(err.contains("scale acme") && err.contains("alice@"), "it says what it would do: {err}");
    }
    let undone = demo.json(0, &["runs", "undo", &id, "--yes", "-o", "json"]);
    assert_eq!(undone["state"], "done", "{undone}");
    assert_eq!(tenant(&demo, "acme")["desired"], from);
}

#[test]
fn what_is_no_file_is_never_replaced_by_one() {
    let home = Home::new();
    let (folder, pipe) = (home.path("folder"), home.path("pipe"));
    fs::create_dir_all(&folder).expect("a folder");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let link = home.path("link");
    symlink("/dev/null", &link).expect("a link");
    for (flag, path, what) in [
        ("--kubeconfig-out", &folder, "a folder"),
        ("--kubeconfig-out", &pipe, "a pipe"),
        ("--kubeconfig-out", &link, "a device"),
        ("--config-out", &pipe, "a pipe"),
        ("--config-out", &link, "a device"),
    ] {
        let kind = fs::metadata(path).expect("it is there").file_type();
        let path = path.to_str().expect("a path");
        let output = home.run(&["demo", "--serve", flag, path]);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{flag} {path}: {err}");
        assert!(err.contains(&format!("{path} is {what}: name a file")), "{err}");
        assert_eq!(fs::metadata(path).expect("it is there still").file_type(), kind, "{path}");
    }
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
}

#[test]
fn a_span_and_a_theme_that_are_none_are_told_in_a_sentence() {
    let home = Home::new();
    for (arguments, why) in [
        (&["status", "--timeout", "abc"][..], "`abc` is no span of time, such as 10m, 2h or 1d"),
        (&["status", "--timeout", "0s"], "`0s` is no time at all; give one such as 10s or 5m"),
        (&["actions", "--since", "abc"], "`abc` is no span of time"),
        (&["events", "--since", "abc"], "`abc` is no span of time"),
        (&["status", "--theme", "nope"], "nope"),
        (&["doctor", "--theme", "nope"], "nope"),
    ] {
        let output = home.run(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains(why), "{arguments:?}: {err}");
    }
}

#[test]
fn an_object_is_named_as_kubectl_names_it_and_every_list_shows_one_of_its_own() {
    let demo = Demo::cluster("--tenants 4 --nodes 3 --seed 7 --scenario node-recovered --speed 20");
    for words in [&["node", "worker-2"][..], &["node/worker-2"], &["worker-2"], &["no", "worker-2"]] {
        let arguments: Vec<_> = ["describe"].iter().chain(words).copied().collect();
        let (out, _) = demo.run(0, &arguments);
        assert!(out.contains("worker-2"), "{words:?}: {out}");
    }
    let (_, err) = demo.run(2, &["describe", "service", "acme"]);
    assert!(err.contains("service/acme is neither tenant/NAME, node/NAME nor pod/NAME"), "{err}");
    let found = demo.json(0, &["findings", "-o", "json"]);
    let found = found.as_array().expect("a list");
    assert!(!found.is_empty() && found.iter().all(|one| one["rule"].is_string()), "{found:?}");
    let (out, _) = demo.run(0, &["findings"]);
    assert!(out.contains("worker") && out.contains("→ ") && out.contains(" · "), "{out}");
    demo.run(0, &["scale", "acme", "+1", "--yes"]);
    let runs = demo.json(0, &["runs", "-o", "json"]);
    let id = runs[0]["id"].as_str().expect("an id").to_owned();
    let (shown, named) = (demo.run(0, &["runs", "show", &id]).0, demo.run(0, &["runs", &id]).0);
    assert_eq!(shown, named);
    demo.run(0, &["rebalance", "--max-moves", "1", "--yes"]);
    let campaigns = demo.json(0, &["campaigns", "-o", "json"]);
    let id = campaigns[0]["id"].as_str().expect("an id").to_owned();
    let (shown, named) = (demo.run(0, &["campaigns", "show", &id]).0, demo.run(0, &["campaigns", &id]).0);
    assert_eq!(shown, named);
}
