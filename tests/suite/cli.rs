//! The commands, as a user or a script runs them, against an embedded cluster served by another process.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::program::{Home, PATIENCE, Served, send};

/// An embedded cluster whose pods are ready in a moment.
fn world(home: &Home) -> Served {
    home.serve(&["--tenants", "8", "--nodes", "4", "--seed", "7", "--scenario", "calm", "--speed", "60"])
}

fn text(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

/// Runs a command on the served cluster and expects this exit code.
fn run(home: &Home, served: &Served, code: i32, arguments: &[&str]) -> (String, String) {
    let mut all = vec!["--kubeconfig", served.kubeconfig()];
    all.extend(arguments);
    let output = home.run(&all);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

fn json(home: &Home, served: &Served, arguments: &[&str]) -> Value {
    let (out, _) = run(home, served, 0, arguments);
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{out}"))
}

fn tenant(home: &Home, served: &Served, name: &str) -> Value {
    let all = json(home, served, &["tenants", "-o", "json"]);
    all.as_array().expect("a list").iter().find(|t| t["name"] == name).expect("the tenant").clone()
}

#[test]
fn the_views_are_commands_with_stable_json() {
    let home = Home::new();
    let served = world(&home);
    let tenants = json(&home, &served, &["tenants", "-o", "json"]);
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
    let nodes = json(&home, &served, &["nodes", "-o", "json"]);
    assert_eq!(nodes.as_array().map(Vec::len), Some(4));
    for node in nodes.as_array().expect("a list") {
        assert_eq!((&node["ready"], &node["schedulable"]), (&true.into(), &true.into()));
        assert!(
            node["pods"].as_u64() > Some(0) && node["memory"]["allocatable"].as_u64() > Some(1 << 30),
            "{node}"
        );
    }
    let status = json(&home, &served, &["status", "-o", "json"]);
    assert_eq!((&status["tenants"]["total"], &status["nodes"]["ready"]), (&8.into(), &4.into()));
    for (command, word) in
        [("tenants", "TENANT"), ("nodes", "NODE"), ("status", "8 tenants"), ("runs", "no runs yet")]
    {
        let (out, _) = run(&home, &served, 0, &[command]);
        assert!(out.contains(word), "{command}: {out}");
    }
}

#[test]
fn scaling_is_planned_run_verified_listed_and_undone() {
    let home = Home::new();
    let served = world(&home);
    let before = tenant(&home, &served, "acme");
    let from = before["desired"].as_u64().expect("a number");
    let to = (from + 2).to_string();

    let plan = json(&home, &served, &["scale", "acme", &to, "--dry-run", "-o", "json"]);
    assert!(plan["id"].is_string() && plan["refusals"].as_array().is_some_and(Vec::is_empty), "{plan}");
    let predicted: u64 =
        plan["predicted"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
    assert_eq!(predicted, from + 2);
    assert_eq!(tenant(&home, &served, "acme")["desired"], before["desired"], "a dry run changes nothing");

    let run_json =
        json(&home, &served, &["scale", "acme", &to, "--yes", "--reason", "more traffic", "-o", "json"]);
    assert_eq!(
        (&run_json["state"], &run_json["reason"]),
        (&"done".into(), &"more traffic".into()),
        "{run_json}"
    );
    let after = tenant(&home, &served, "acme");
    assert_eq!((&after["desired"], &after["ready"]), (&(from + 2).into(), &(from + 2).into()));
    assert_eq!(after["placement"], plan["predicted"], "the prediction came true");

    let id = run_json["id"].as_str().expect("an id");
    let listed = json(&home, &served, &["runs", "-o", "json"]);
    assert_eq!((&listed[0]["id"], &listed[0]["operator"]), (&id.into(), &run_json["operator"]));
    let (story, _) = run(&home, &served, 0, &["runs", "show", id]);
    assert!(story.contains("more traffic") && story.contains("is done"), "{story}");

    let undo = json(&home, &served, &["runs", "undo", id, "--yes", "-o", "json"]);
    assert_eq!(undo["state"], "done", "{undo}");
    assert_eq!(tenant(&home, &served, "acme")["desired"], before["desired"]);
    let states: Vec<_> = json(&home, &served, &["runs", "-o", "json"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| r["state"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(states, ["done", "undone"]);

    let audit = fs::read_to_string(home.path("state/wheelhouse/audit.jsonl")).expect("an audit file");
    assert!(audit.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{audit}");
    assert!(audit.contains("more traffic") && audit.contains("alice@"), "{audit}");
}

#[test]
fn what_must_not_be_done_is_refused_in_words_with_code_1() {
    let home = Home::new();
    let served = world(&home);
    let desired = tenant(&home, &served, "acme")["desired"].clone();
    for (arguments, word) in [
        (&["scale", "acme", "-1", "--yes"][..], "below zero"),
        (&["scale", "acmee", "3", "--yes"], "acme"),
        (&["scale", "acme", "900", "--yes"], "memory"),
        (&["scale", "acme", "0", "--yes"], "acme"),
        (&["scale", "acme", "0", "--confirm", "acne"], "acne"),
        (&["scale", "acme", "1", "--yes"], "--confirm"),
        (&["runs", "show", "nothing"], "nothing"),
        (&["runs", "resume", "nothing"], "nothing"),
    ] {
        let (out, err) = run(&home, &served, 1, arguments);
        let both = format!("{out}{err}");
        assert!(both.contains(word), "{arguments:?}: {both}");
        assert!(!both.contains("panicked"), "{arguments:?}: {both}");
    }
    let (_, err) = run(&home, &served, 1, &["--read-only", "scale", "acme", "5", "--yes"]);
    assert!(err.contains("read-only"), "{err}");
    assert_eq!(tenant(&home, &served, "acme")["desired"], desired);
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
        (&["scale", "acme", "many"], "many"),
        (&["--config", bad.to_str().expect("a path"), "status"], "line 2"),
        (&["--config", "/nonexistent.toml", "status"], "/nonexistent.toml"),
        (&["--kubeconfig", kubeconfig, "--context", "two", "status"], "one"),
        (&["--kubeconfig", "/nonexistent", "status"], "/nonexistent"),
        (&["demo", "--scenario", "doom"], "calm"),
        (&["demo", "--speed", "-1"], "speed"),
        (&["--theme", "neon", "--kubeconfig", kubeconfig], "dark"),
    ] {
        let output = home.run(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
    let output = home.run(&["--kubeconfig", kubeconfig, "status"]);
    let (_, err) = text(&output);
    assert_eq!((output.status.code(), err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
}

#[test]
fn the_served_world_is_private_deterministic_and_gone_when_it_ends() {
    let home = Home::new();
    let served = world(&home);
    let mode = fs::metadata(&served.kubeconfig).expect("a kubeconfig").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Home::new();
    let twin = world(&again);
    let placements = |home: &Home, served: &Served| -> Vec<(Value, Value)> {
        let all = json(home, served, &["tenants", "-o", "json"]);
        all.as_array().expect("a list").iter().map(|t| (t["name"].clone(), t["placement"].clone())).collect()
    };
    assert_eq!(placements(&home, &served), placements(&again, &twin));
    let kubeconfig = served.kubeconfig.clone();
    assert!(served.end("TERM").success());
    assert!(!kubeconfig.exists());
}

#[test]
fn a_killed_run_is_found_and_finished_by_the_next_command() {
    let home = Home::new();
    // At this pace a new pod takes seconds to become ready: the run still waits when it is killed.
    let served = home.serve(&[
        "--tenants",
        "4",
        "--nodes",
        "4",
        "--seed",
        "7",
        "--scenario",
        "calm",
        "--speed",
        "0.5",
    ]);
    fs::create_dir_all(home.path("config/wheelhouse")).expect("a folder");
    fs::write(home.path("config/wheelhouse/config.toml"), "[journal]\nlease = '1s'\n").expect("a file");
    let from = tenant(&home, &served, "acme")["desired"].as_u64().expect("a number");
    let to = (from + 1).to_string();
    let mut child = home
        .command(&["--kubeconfig", served.kubeconfig(), "scale", "acme", &to, "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let until = std::time::Instant::now() + PATIENCE;
    while tenant(&home, &served, "acme")["desired"] != from + 1 {
        assert!(std::time::Instant::now() < until, "the scale was never written");
    }
    send(child.id(), "KILL");
    child.wait().expect("it ends");
    let runs = json(&home, &served, &["runs", "-o", "json"]);
    assert_eq!(runs[0]["state"], "running", "{runs}");
    let id = runs[0]["id"].as_str().expect("an id").to_owned();
    let status = json(&home, &served, &["status", "-o", "json"]);
    assert_eq!(status["runs"][0]["id"], id.as_str(), "an unfinished run is part of the status");
    // The dead session's lease is good for a second more: until then the undo is refused.
    let undone = loop {
        let output =
            home.run(&["--kubeconfig", served.kubeconfig(), "runs", "undo", &id, "--yes", "-o", "json"]);
        if output.status.success() {
            break serde_json::from_slice::<Value>(&output.stdout).expect("a run");
        }
        let (out, err) = text(&output);
        assert!(std::time::Instant::now() < until && format!("{out}{err}").contains("lease"), "{out}{err}");
    };
    assert_eq!(undone["state"], "done", "{undone}");
    assert_eq!(tenant(&home, &served, "acme")["desired"], from);
}
