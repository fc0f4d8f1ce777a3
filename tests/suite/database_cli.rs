//! Acting on the database from the command line, against the embedded cluster and its simulated database.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::{Home, Served, text};

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
        ("galera weight db1", "<WEIGHT>"),
        ("galera weight db1 heavy", "heavy"),
        ("galera weight db1 10000001", "a whole number from 1 to 10000000"),
        ("galera weight db1 0", "a whole number from 1 to 10000000"),
        ("galera weight db1 +x", "a whole number from 1 to 10000000"),
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
        let (_, err) = world.run(1, line);
        assert!(err.contains(words), "{line}: {err}");
    }
    // A plan that is refused ends as refused moves and drains do.
    let (out, err) = world.run(1, "cordon nowhere --dry-run");
    assert!(out.contains("✖") && err.starts_with("wheelhouse: refused: "), "{out}{err}");
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

/// The proxies of a served world, asked beside the program.
impl World {
    fn ask(&self, proxy: usize, statement: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.config).expect("the configuration");
        let config: toml::Table = text.parse().expect("TOML");
        let proxysql = &config["proxysql"];
        let address = proxysql["addresses"][proxy].as_str().expect("an address");
        let (host, port) = address.rsplit_once(':').expect("host and port");
        let file = proxysql["password"]["file"].as_str().expect("a password file");
        let password = std::fs::read_to_string(file).expect("the password");
        let login = wheelhouse::wire::sql::Login {
            host: host.into(),
            port: port.parse().expect("a port"),
            user: proxysql["user"].as_str().expect("a user").into(),
            password: Some(password.trim().to_owned().into()),
            tls: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = runtime.block_on(async { wheelhouse::wire::sql::Sql::new(login).ask(statement).await });
        let rows = answer.unwrap_or_else(|e| panic!("{statement}: {e:?}")).rows;
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    /// A calm world whose monitors check five times a second.
    fn quick() -> Self {
        let world = Self::new("calm");
        for proxy in 0..2 {
            world.ask(proxy, "SET mysql-monitor_galera_healthcheck_interval=200");
            world.ask(proxy, "LOAD MYSQL VARIABLES TO RUNTIME");
        }
        world
    }

    /// What of the servers is configuration in one layer of a proxy.
    fn layer(&self, proxy: usize, table: &str) -> Vec<String> {
        let question = format!(
            "SELECT DISTINCT hostname || ':' || port || ' ' || weight || ' ' || max_connections || ' ' || comment \
             FROM {table} WHERE status <> 'OFFLINE_HARD' ORDER BY 1"
        );
        self.ask(proxy, &question)
    }

    /// Memory, runtime and disk of both proxies, and who writes and reads there.
    fn layers(&self) -> Vec<Vec<String>> {
        let online = "SELECT hostgroup_id || ' ' || port FROM runtime_mysql_servers WHERE status = 'ONLINE' AND \
                      hostgroup_id IN (10, 30) ORDER BY 1";
        let of = |proxy: usize| {
            let tables = ["main.mysql_servers", "runtime_mysql_servers", "disk.mysql_servers"];
            let layers = tables.map(|table| self.layer(proxy, table));
            layers.into_iter().chain([self.ask(proxy, online)])
        };
        (0..2).flat_map(of).collect()
    }

    fn disks(&self) -> [Vec<String>; 2] {
        [0, 1].map(|proxy| self.layer(proxy, "disk.mysql_servers"))
    }

    /// Carries an act out and takes it back: every layer of every proxy is as it was, and no disk was written.
    fn there_and_back(&self, line: &str, far: impl Fn(&Self)) {
        let (before, disks) = (self.layers(), self.disks());
        // What moves the writer wants the member's name typed, there and back.
        let member = line.strip_prefix("galera move-writer ");
        let yes = member.map_or("--yes".into(), |member| format!("--yes --confirm {member}"));
        let run = self.json(&format!("{line} {yes}"));
        assert_eq!(run["state"], "done", "{line}: {run}");
        far(self);
        assert_ne!(self.layers(), before, "{line} did something");
        let id = run["id"].as_str().expect("an id");
        let undone = self.json(&format!("runs undo {id} {yes}"));
        assert_eq!(undone["state"], "done", "{line}: {undone}");
        assert_eq!(self.layers(), before, "{line} was taken back");
        assert_eq!(self.disks(), disks, "{line}: a disk was written");
        let runs = self.json("runs");
        let first = runs.as_array().and_then(|all| all.iter().find(|r| r["id"] == id)).expect("the run");
        assert_eq!(first["state"], "undone", "{line}");
    }
}

#[test]
fn weights_and_the_writer_are_changed_and_taken_back() {
    let world = World::quick();
    world.there_and_back("galera weight db3 70", |w| assert_eq!(w.role("db1"), "writer"));
    // A sign counts from what it is now, as on the screen.
    let by = world.json("galera weight db1 -7 --dry-run");
    let to = world.json("galera weight db1 +7 --dry-run");
    let weight = |plan: &Value| plan["intent"]["act"]["weight"].as_u64().expect("a weight");
    assert_eq!(weight(&to) - weight(&by), 14, "{by} {to}");
    world.there_and_back("galera move-writer db2", |w| assert_eq!(w.role("db2"), "writer"));
    assert_eq!(world.role("db1"), "writer");
}

#[test]
fn servers_are_added_removed_and_brought_back_and_taken_back() {
    let world = World::quick();
    world.there_and_back("proxysql add 127.0.0.1:9", |w| {
        assert!(w.layer(1, "runtime_mysql_servers").iter().any(|row| row.starts_with("127.0.0.1:9 ")));
    });
    let third =
        world.layer(0, "main.mysql_servers").into_iter().find(|row| row.ends_with("db3")).expect("db3");
    let address = third.split(' ').next().expect("an address").to_owned();
    world.there_and_back(&format!("proxysql remove {address}"), |w| assert_eq!(w.role("db3"), "absent"));
    // Removed by its address: no run is undone instead, and it comes back like another.
    assert_eq!(world.json(&format!("proxysql remove {address} --yes"))["state"], "done");
    world.there_and_back("galera bring-back db3", |w| assert_ne!(w.role("db3"), "absent"));
}

#[test]
fn a_member_is_desynced_and_resynced_and_both_are_taken_back() {
    let world = World::quick();
    let state = || {
        let all = world.json("database");
        let members = all["members"].as_array().expect("members").clone();
        members.into_iter().find(|m| m["name"] == "db3").expect("db3")["state"].to_string()
    };
    let calm = state();
    let (before, done) = (world.layers(), |run: &Value| assert_eq!(run["state"], "done", "{run}"));
    let desync = world.json("galera desync db3 --yes");
    done(&desync);
    assert_ne!(state(), calm);
    done(&world.json(&format!("runs undo {} --yes", desync["id"].as_str().expect("an id"))));
    assert_eq!(state(), calm);
    done(&world.json("galera desync db3 --yes"));
    let resync = world.json("galera resync db3 --yes");
    done(&resync);
    assert_eq!(state(), calm);
    done(&world.json(&format!("runs undo {} --yes", resync["id"].as_str().expect("an id"))));
    assert_ne!(state(), calm);
    done(&world.json("galera resync db3 --yes"));
    assert_eq!([world.disks()[0].clone()], [before[2].clone()]);
}

#[test]
fn without_super_a_desync_is_refused_before_anything_is_sent() {
    let world = World::new("calm");
    let file = world.home.path("lesser");
    let (user, password) = ("wheelhouse", "least-grants-9c41");
    std::fs::write(&file, password).expect("a password file");
    let lesser = format!("--galera-user {user} --galera-password-file {}", file.display());
    let (out, err) = world.run(1, &format!("{lesser} galera desync db3 --yes"));
    assert!(err.contains("GRANT SUPER"), "{out}\n{err}");
    assert!(!format!("{out}{err}").contains(password));
    assert_eq!(world.json("runs"), Value::Array(Vec::new()), "nothing was begun");
    world.run(0, &format!("{lesser} galera take-out db3 --dry-run"));
}

#[test]
fn what_runs_is_saved_and_a_save_is_not_taken_back() {
    let world = World::quick();
    assert_eq!(world.json("galera weight db3 70 --yes")["state"], "done");
    // An edit that nobody loaded is not what runs, and is not saved.
    world.ask(0, "UPDATE mysql_servers SET weight = 9 WHERE comment = 'db3'");
    let run = world.json("proxysql save --yes");
    assert_eq!(run["state"], "done", "{run}");
    for proxy in 0..2 {
        let [memory, running, disk] = ["main.mysql_servers", "runtime_mysql_servers", "disk.mysql_servers"]
            .map(|table| world.layer(proxy, table));
        assert_eq!((&memory, &running), (&disk, &disk), "proxy {proxy}");
        assert!(disk.iter().any(|row| row.contains(" 70 ")), "{disk:?}");
    }
    let saved = world.layers();
    let (out, _) = world.run(1, &format!("runs undo {} --yes", run["id"].as_str().expect("an id")));
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("it cannot be taken back"), "{out}");
    assert_eq!(world.layers(), saved);
}

#[test]
fn the_preview_names_who_is_cut_and_for_how_long() {
    let world = World::new("calm");
    let (out, _) = world.run(0, "galera move-writer db2 --dry-run");
    for words in [
        "a connection on db1 in",
        "(app in tenant_acme",
        "connect again at once",
        "new writes go to db2 within",
    ] {
        let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words} is missing in\n{out}");
    }
    let cut = &world.json("galera move-writer db2 --dry-run")["database"]["cut"];
    let some = |key: &str| {
        cut.as_array().is_some_and(|all| all.iter().any(|c| c[key].as_u64().is_some_and(|n| n > 0)))
    };
    assert!(some("clients") && some("seconds"), "{cut}");
    assert_eq!(
        (&cut[0]["who"][0]["user"], &cut[0]["who"][0]["schema"]),
        (&"app".into(), &"tenant_acme".into()),
        "{cut}"
    );
}

#[test]
fn a_database_that_nobody_can_read_is_not_known_and_no_success() {
    let world = World::new("calm");
    let unread = "--galera-password-file /nowhere/password database";
    let (out, _) = world.run(1, unread);
    assert!(out.contains("quorum not known") && !out.contains("no quorum"), "{out}");
    let (out, _) = world.run(1, &format!("{unread} -o json"));
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}\n{out}"));
    assert!(json["quorum"].is_null() && json["members"][0]["primary"].is_null(), "{out}");
    let (out, _) = world.run(0, "database -o json");
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}\n{out}"));
    assert_eq!((&json["quorum"]["primary"], &json["members"][0]["primary"]), (&true.into(), &true.into()));
}

#[test]
fn a_run_that_was_interrupted_is_told_with_the_database_and_resumed() {
    let world = World::new("calm");
    let told = |line: &str| world.run(0, line).0;
    assert!(!told("database").contains("run "), "no run yet");
    let line = format!("--config {} --set journal.lease=1s galera take-out db3 --yes", world.config);
    let mut child = world
        .home
        .command(&line.split(' ').collect::<Vec<_>>())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let until = Instant::now() + Duration::from_secs(60);
    let id = loop {
        let all = world.json("database");
        let run = &all["runs"][0];
        // Its first statements are sent.
        if run["steps"]
            .as_array()
            .is_some_and(|s| s.iter().any(|s| s["state"] == "done" || s["state"] == "running"))
        {
            assert!(all["runs_unknown"].is_null(), "{all}");
            break run["id"].as_str().expect("an id").to_owned();
        }
        assert!(Instant::now() < until, "no step of the run was begun: {all}");
    };
    crate::program::send(child.id(), "KILL");
    child.wait().expect("it ends");
    loop {
        let out = told("database");
        if out.contains("is interrupted") {
            assert!(out.contains("take db3 out"), "{out}");
            let resume = out.lines().find(|l| l.contains("→ wheelhouse")).expect("what to do");
            assert!(resume.contains(&format!("runs resume {id}")), "{out}");
            assert!(resume.contains(&format!("--config {}", world.config)), "{out}");
            break;
        }
        assert!(Instant::now() < until, "{out}");
    }
    world.run(0, &format!("runs resume {id} --yes"));
    assert_eq!(world.role("db3"), "absent");
    assert!(!told("database").contains("interrupted"));
}
