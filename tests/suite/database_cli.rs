//! Acting on the database from the command line, against the embedded cluster and its simulated database.

use std::process::Output;

use serde_json::Value;

use crate::program::{Home, Served};

fn text(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

/// A served world and the configuration that names its database.
struct World {
    home: Home,
    config: String,
    _served: Served,
}

impl World {
    fn new(scenario: &str) -> Self {
        let home = Home::new();
        let config = home.path("demo.toml").display().to_string();
        let served = home.serve(&[
            "--tenants",
            "2",
            "--nodes",
            "2",
            "--seed",
            "7",
            "--speed",
            "1",
            "--scenario",
            scenario,
            "--config-out",
            &config,
        ]);
        Self { home, config, _served: served }
    }

    /// Runs a command and expects this exit code.
    fn run(&self, code: i32, line: &str) -> (String, String) {
        let arguments: Vec<_> = ["--config", &self.config].into_iter().chain(line.split(' ')).collect();
        let output = self.home.run(&arguments);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{err}");
        assert!(!err.contains("panicked"), "{line}\n{err}");
        (out, err)
    }

    fn json(&self, line: &str) -> Value {
        let (out, _) = self.run(0, &format!("{line} -o json"));
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{line}: {e}\n{out}"))
    }

    fn role(&self, member: &str) -> String {
        let all = self.json("database");
        let members = all["members"].as_array().expect("members");
        let found = members.iter().find(|m| m["name"] == member).expect("the member");
        found["role"].as_str().expect("a role").to_owned()
    }
}

#[test]
fn wrong_usage_is_said_before_anything_is_asked() {
    let home = Home::new();
    for (line, word) in [
        ("galera take-out", "MEMBER"),
        ("galera weight db1", "<N>"),
        ("galera weight db1 heavy", "heavy"),
        ("galera weight db1 10000001", "10000001"),
        ("galera bring-back db1 --like", "--like"),
        ("proxysql add db4:port", "db4:port"),
        ("proxysql remove", "HOST:PORT"),
        ("galera desync db1 --undo", "--undo"),
        ("galera", "move-writer"),
        ("proxysql", "save"),
    ] {
        let output = home.run(&line.split(' ').collect::<Vec<_>>());
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {err}");
        assert!(err.contains(word), "{line}: {err}");
    }
}

#[test]
fn an_act_needs_a_database_and_names_that_are_there() {
    let world = World::new("calm");
    for (line, words) in [
        ("galera take-out db9", "no member is called db9: there are db1, db2, db3"),
        ("galera bring-back db2 --like db7 --dry-run", "no member is called db7"),
        ("proxysql save nowhere", "no proxy is called nowhere: there are 127.0.0.1:"),
    ] {
        let (_, err) = world.run(2, line);
        assert!(err.contains(words), "{line}: {err}");
    }
    let kubeconfig = world._served.kubeconfig();
    let output = world.home.run(&["--kubeconfig", kubeconfig, "galera", "desync", "db1", "--yes"]);
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("no database is configured"), "{err}");
}

#[test]
fn a_dry_run_shows_the_plan_in_words_and_as_json_and_changes_nothing() {
    let world = World::new("calm");
    let before = world.role("db3");
    let (out, _) = world.run(0, "galera take-out db3 --dry-run");
    for word in ["Take db3 out of the proxies", "now", "after", "undo", "DELETE FROM mysql_servers", "hold"] {
        assert!(out.contains(word), "{word} is missing in\n{out}");
    }
    let plan = world.json("galera take-out db3 --dry-run");
    let part = &plan["database"];
    assert_eq!(part["act"]["act"], "take-out");
    for key in ["now", "after", "checks", "sql"] {
        assert!(part[key].as_array().is_some_and(|list| !list.is_empty()), "{key}: {part}");
    }
    assert_ne!(part["now"], part["after"]);
    assert!(part["cut"].is_array() && part["undo"].is_string(), "{part}");
    assert!(plan["steps"].as_array().is_some_and(|s| s.iter().all(|s| s["tenant"].is_null())), "{plan}");
    assert_eq!(plan["refusals"], Value::Array(Vec::new()));
    assert_eq!(world.role("db3"), before);
}

#[test]
fn what_would_hurt_is_refused_with_code_1() {
    let world = World::new("galera-degraded");
    let (out, _) = world.run(1, "galera take-out db1 --yes");
    assert!(out.contains('✖'), "{out}");
    assert_eq!(world.role("db1"), "writer");
    let (_, err) = World::new("calm").run(1, "--read-only galera desync db3 --yes");
    assert!(err.contains("read-only"), "{err}");
}

#[test]
fn a_member_is_taken_out_brought_back_and_its_run_told() {
    let world = World::new("calm");
    let before = world.role("db3");
    let run = world.json("galera take-out db3 --yes --reason maintenance");
    assert_eq!((&run["state"], &run["reason"]), (&"done".into(), &"maintenance".into()), "{run}");
    assert_eq!(run["intent"]["act"]["act"], "take-out", "{run}");
    assert!(run["steps"].as_array().is_some_and(|s| s.iter().all(|s| s["about"] == "database")), "{run}");
    assert_eq!(world.role("db3"), "absent");
    let id = run["id"].as_str().expect("an id");
    let (story, _) = world.run(0, &format!("runs show {id}"));
    assert!(story.contains("is done") && story.contains("maintenance"), "{story}");
    assert!(!story.contains("as predicted: "), "{story}");
    let (out, err) = world.run(0, "galera bring-back db3 --yes");
    assert!(err.contains("undoing"), "{out}\n{err}");
    assert_eq!(world.role("db3"), before);
    assert_eq!(world.json("runs")[1]["state"], "undone");
    let (_, err) = world.run(1, &format!("runs resume {id}"));
    assert!(err.contains("nothing to resume"), "{err}");
}
