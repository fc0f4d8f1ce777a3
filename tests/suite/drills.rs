//! Drills: each is solved from the screen alone, by the keys that its table names, and the end report tells it.

use std::{fs, time::Duration};

use serde_json::Value;
use wheelhouse::{
    cli::drill::{DRILLS, Drill, DrillStep},
    cluster::{Snapshot, Tenant, findings},
    demo::Options,
    history::{Happened, Kind, Report, changes, of_runs},
    plan::Intent,
    run::{JournalPlace, RunState, actions, runs},
};

use crate::{
    program::{Home, Terminal, text},
    session::{Ground, planned},
};

fn named(name: &str) -> &'static Drill {
    DRILLS.iter().find(|drill| drill.name == name).expect("a drill")
}

fn begun(home: &Home, name: &str, speed: &str, report: &str) -> Terminal {
    home.terminal(&["drill", name, "--speed", speed, "--report", report], 120, 40)
}

/// How long a key may take to show before it is pressed again, as a person would.
const AGAIN: Duration = Duration::from_secs(20);

/// Presses the keys of each step when that is on the screen which it waits for. A yes that comes as fast as no person is, or
/// to a plan that has changed meanwhile, is none: it is said again while it is asked for. So is a key that led to nothing, and
/// once a command.
fn press(terminal: &mut Terminal, steps: &[DrillStep]) {
    let mut commands = 0..1;
    for (at, step) in steps.iter().enumerate() {
        terminal.wait_for(step.see);
        terminal.keys(step.keys);
        let answered = |screen: &str| !screen.contains("esc cancel");
        while step.keys == "y" && !terminal.shows_within(Duration::from_secs(1), answered) {
            terminal.keys(step.keys);
        }
        // What is typed into a form is not typed outside of it.
        let again = step.keys != "y" && (step.keys.len() == 1 || step.keys.starts_with(['g', ':', '/']));
        let next = match steps.get(at + 1) {
            _ if !again => continue,
            Some(next) => next.see,
            None if step.keys == "c" => "copied",
            None => continue,
        };
        for _ in 0..3 {
            if terminal.shows_within(AGAIN, |screen| screen.contains(next)) {
                break;
            }
            let screen = terminal.screen();
            eprintln!("{} led to no {next:?} yet:\n{screen}", step.keys.escape_debug());
            if step.keys.len() > 1 {
                assert!(commands.next().is_some(), "a second command led to nothing");
                terminal.keys("\u{1b}");
            } else if screen.contains("esc cancel") {
                continue;
            }
            terminal.keys(step.keys);
        }
    }
}

/// Presses the keys of the table, each when that is on the screen which it waits for. The end report, in words and as JSON.
fn solved(name: &str, speed: &str) -> (String, Value) {
    let home = Home::new();
    let file = home.path("end.md");
    let mut terminal = begun(&home, name, speed, file.to_str().expect("a path"));
    press(&mut terminal, named(name).model);
    let over = |screen: &str| screen.contains("How it could have been shorter");
    // What a first campaign left is moved by a second one.
    for _ in 0..3 {
        if name != "node-lost" || terminal.shows_within(AGAIN, over) {
            break;
        }
        terminal.keys("b");
        if terminal.shows_within(AGAIN, |screen| screen.contains("rehearsed in")) {
            terminal.keys("y");
        } else {
            terminal.keys("\u{1b}");
        }
    }
    terminal.wait("the end", |screen| screen.contains("How it could have been shorter"));
    assert_eq!(terminal.end(), 0);
    let told = fs::read_to_string(&file).expect("the end report");
    let json = fs::read_to_string(file.with_extension("json")).expect("the end report");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["outcome"], "solved", "{told}");
    for field in ["known_after", "seen_after", "acted_after"] {
        assert!(json[field].is_i64(), "{field}\n{told}");
    }
    assert!(json["known_after"].as_i64() <= json["seen_after"].as_i64(), "{told}");
    for words in [
        format!("# Drill {name}: solved after "),
        "after it began: on a screen you looked at".into(),
        "## What was done".into(),
        "## What users lost".into(),
        "These keys took ".into(),
        "The same changes, begun when it was known, end after ".into(),
        "# Incident report".into(),
    ] {
        assert!(told.contains(&words), "{words}\n{told}");
    }
    for stage in named(name).stages {
        assert!(told.contains(&format!("after it began: {}", stage.what)), "{}\n{told}", stage.what);
    }
    let actions = json["report"]["actions"].as_array().expect("a list");
    assert!(
        actions.iter().any(|acted| acted["operator"].as_str().is_some_and(|who| who.starts_with("alice@"))),
        "{told}"
    );
    (told, json)
}

#[test]
fn a_forgotten_cordon() {
    let (told, _) = solved("cordoned", "4");
    assert!(told.contains("worker-2") && told.contains("uncordon"), "{told}");
}

#[test]
fn a_bad_release_is_rolled_back() {
    let (told, _) = solved("bad-release", "4");
    assert!(told.contains("globex") && told.contains("2.4.3-broken"), "{told}");
}

#[test]
fn memory_runs_out() {
    let (told, _) = solved("memory", "6");
    assert!(told.contains("globex"), "{told}");
}

#[test]
fn a_quota_is_full() {
    let (told, _) = solved("quota", "4");
    assert!(told.contains("soylent"), "{told}");
}

#[test]
fn a_node_is_lost_and_comes_back() {
    let (told, json) = solved("node-lost", "20");
    assert!(told.contains("worker-3"), "{told}");
    let texts = json["report"]["events"].to_string();
    assert!(texts.contains("is not ready") && texts.contains("is ready again"), "{texts}");
}

#[test]
fn a_migration_is_cut_off() {
    let (told, json) = solved("migration-cut-off", "2");
    assert!(told.contains("bob@") && told.contains("the release of this week"), "{told}");
    assert!(json["report"]["actions"].to_string().contains("bob@"), "{told}");
}

#[test]
fn the_writer_is_lost() {
    let (told, _) = solved("writer-lost", "4");
    assert!(told.contains("db1"), "{told}");
}

#[test]
fn flow_control_slows_every_write() {
    let (told, _) = solved("flow-control", "4");
    assert!(told.contains("db3"), "{told}");
}

#[test]
fn the_proxies_drift_apart() {
    let (told, _) = solved("proxysql-drift", "4");
    assert!(told.contains("save the servers"), "{told}");
}

#[test]
fn an_autoscaler_takes_every_further_pod_back() {
    let (told, _) = solved("autoscaler", "6");
    assert!(told.contains("globex") && told.contains("memory limit 640 Mi → 768 Mi"), "{told}");
}

/// As [`solved`], where a colleague does at the machines what is copied for them: that is in no journal.
fn solved_by_a_colleague(name: &str) -> String {
    let home = Home::new();
    let file = home.path("end.md");
    let mut terminal = begun(&home, name, "4", file.to_str().expect("a path"));
    press(&mut terminal, named(name).model);
    terminal.wait("the end", |screen| screen.contains("How it could have been shorter"));
    assert_eq!(terminal.end(), 0);
    let told = fs::read_to_string(&file).expect("the end report");
    let begins = format!("# Drill {name}: solved after ");
    assert!(told.contains(&begins) && told.contains("Nothing was changed"), "{told}");
    for stage in named(name).stages {
        assert!(told.contains(&format!("after it began: {}", stage.what)), "{}\n{told}", stage.what);
    }
    told
}

#[test]
fn the_quorum_is_lost() {
    let told = solved_by_a_colleague("no-quorum");
    assert!(told.contains("- all tenants: the database refused everything for "), "{told}");
}

#[test]
fn all_members_are_lost() {
    solved_by_a_colleague("all-down");
}

#[test]
fn a_certificate_expires() {
    let told = solved_by_a_colleague("certificate");
    assert!(told.contains("initech") && told.contains(" expired "), "{told}");
    assert!(told.contains("- users of initech did not reach it for "), "{told}");
    let (debrief, _) = told.split_once("# Incident report").expect("the incident report");
    assert!(!debrief.contains("No tenant was down"), "{told}");
}

#[test]
fn who_leaves_has_given_up_and_is_told_what_there_was_to_find_and_to_do() {
    let home = Home::new();
    let file = home.path("end.md");
    let mut terminal = begun(&home, "bad-release", "20", file.to_str().expect("a path"));
    terminal.wait("the label", |screen| screen.contains("drill bad-release") && screen.contains("globex"));
    terminal.keys("H");
    terminal.wait("a hint", |screen| {
        screen.contains("nothing has happened yet") || screen.contains("Open globex")
    });
    terminal.wait("the incident", |screen| screen.contains("1 pod failing"));
    terminal.keys("H");
    terminal.wait_for("the new pods of globex do not start");
    terminal.keys("\u{3}");
    terminal.wait("the end", |screen| screen.contains("How it could have been shorter"));
    assert_eq!(terminal.end(), 0);
    let told = fs::read_to_string(&file).expect("the end report");
    assert!(told.starts_with("# Drill bad-release: given up after "), "{told}");
    assert!(told.contains("- not reached: globex has its old image") && told.contains("hint"), "{told}");
}

#[test]
fn where_a_report_cannot_be_written_the_end_is_told_and_the_other_form_is_kept() {
    let home = Home::new();
    let file = home.path("end.md");
    let mut terminal = begun(&home, "bad-release", "20", file.to_str().expect("a path"));
    terminal.wait("the label", |screen| screen.contains("drill bad-release") && screen.contains("globex"));
    // It could be written when the drill began.
    fs::create_dir(&file).expect("a folder in its place");
    terminal.wait("the incident", |screen| screen.contains("1 pod failing"));
    terminal.keys("\u{3}");
    terminal.wait("the end", |screen| screen.contains("How it could have been shorter"));
    terminal.wait("what is not kept", |screen| screen.contains("cannot write ") && screen.contains("end.md"));
    assert_eq!(terminal.end(), 1);
    let json = fs::read_to_string(file.with_extension("json")).expect("the end report");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["drill"], &json["outcome"]), (&"bad-release".into(), &"given-up".into()), "{json}");
}

#[test]
fn the_drills_are_listed_and_a_wrong_name_is_one_sentence() {
    let home = Home::new();
    for arguments in [&["drill"][..], &["drill", "--list"]] {
        let (out, _) = text(&home.run(arguments));
        assert_eq!(out.lines().count(), 1 + DRILLS.len(), "{out}");
        for drill in DRILLS {
            assert!(out.contains(drill.name) && out.contains(drill.about), "{out}");
        }
    }
    let (out, _) = text(&home.run(&["drill", "-o", "json"]));
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(DRILLS.len()));
    assert!(DRILLS.len() >= 10);
    for (arguments, code, words) in [
        (&["drill", "node-last"][..], 2, "there is no drill `node-last`; did you mean node-lost?"),
        (&["drill", "node-lost", "--speed", "0"], 2, "a number from 0.1 to 100"),
        (&["drill", "node-lost", "--context", "prod"], 2, "a drill brings its own cluster"),
        (&["drill", "node-lost", "--read-only"], 2, "a drill is solved by changes"),
        (&["drill", "node-lost", "--report", "/nowhere/end.md"], 1, "cannot write /nowhere/end.md"),
        (&["drill", "--report", "end.md"], 2, "--report wants the name of a drill"),
        (&["drill", "--list", "--report", "end.md"], 2, "--report wants the name of a drill"),
    ] {
        let output = home.run(arguments);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

/// Every drill has a way to its end, and hints on it.
#[test]
fn every_drill_has_its_way_and_its_hints() {
    for drill in DRILLS {
        assert!(!drill.model.is_empty() && !drill.stages.is_empty(), "{}", drill.name);
        assert!(drill.stages.iter().all(|stage| !stage.hint.is_empty()), "{}", drill.name);
        for rule in drill.rules {
            let known = wheelhouse::cluster::RULES.iter().any(|known| known.name == *rule);
            assert!(known, "{}: no rule is called {rule}", drill.name);
        }
    }
}

/// The incident report of a drill, in a world whose time is stepped: what the clock of this machine has a part in is put
/// aside, everything else stays as it was.
#[test]
fn the_incident_report_of_a_drill_stays_as_it_is() {
    let epoch = Some("2026-11-21T03:00:00Z".parse().expect("a time"));
    let options = Options { tenants: 12, nodes: 3, seed: 1, speed: 0.0, epoch, ..Options::default() };
    let ground = Ground::with(options);
    let alice = ground.session("alice@bastion");
    let seen = |what: &str, so: fn(&Snapshot) -> bool| {
        for _ in 0..30 {
            ground.step(1);
        }
        alice.until(what, so);
        alice.catch_up(&ground);
        let mut seen = Snapshot::clone(&alice.now());
        seen.at = ground.cluster.with_world(|world| world.now());
        seen
    };
    let whole = |seen: &Snapshot| {
        let ready = |tenant: &Tenant| tenant.ready() == tenant.desired();
        seen.tenants.values().all(|tenant| ready(tenant)) && seen.nodes.values().all(|node| !node.cordoned)
    };
    let before = seen("a calm cluster", whole);
    named("cordoned").strike_in(&ground.cluster).expect("it strikes");
    let struck = seen("the incident", |seen| {
        findings(seen).iter().any(|found| found.rule == "pods-unschedulable")
            && seen.nodes.values().filter(|node| node.cordoned).count() == 3
    });
    let undo = |node: &str| {
        let intent = Intent::Cordon { node: node.into(), cordoned: false };
        let run = ground.drive(&alice, &mut alice.start(planned(&alice, &intent), JournalPlace::Cluster));
        assert_eq!(run.state, RunState::Done, "{run:?}");
    };
    for node in ["worker-1", "worker-2", "worker-3"] {
        undo(node);
    }
    alice.until("the journals", |seen| {
        runs(seen).len() == 3 && runs(seen).iter().all(|run| run.run.state.is_over())
    });
    let after = seen("the end", whole);
    let mut events = changes(&before, &struck);
    events.extend(changes(&struck, &after));
    let runs = runs(&after);
    events.extend(of_runs(&runs, &[]));
    events.retain(|event| event.time >= before.at);
    let mut report = Report::of(&before, &after, &events, &actions(&runs, &[], &[], &after), Vec::new());
    // The clock of this machine has a part in when a run did what.
    let of_runs = |event: &Happened| event.kind == Kind::Run;
    report.events.sort_by_key(|e| (of_runs(e), (!of_runs(e)).then(|| e.name.clone()), settled(&e.text)));
    report.actions.sort_by(|a, b| a.what.cmp(&b.what));
    let told = settled(&report.markdown());
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drills/cordoned.md");
    if std::env::var_os("WHEELHOUSE_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, &told).expect("a file");
    }
    assert_eq!(told, fs::read_to_string(&file).expect("the report that is kept"));
}

/// Without times, and without what runs are called.
fn settled(report: &str) -> String {
    let patterns = [
        (r"\d{4}-\d\d-\d\d ", ""),
        (r"\d\d:\d\d:\d\d", "TIME"),
        (r"\d+ minutes?", "MINUTES"),
        (r"run \d{8}-\d{6}-[0-9a-f]{4}", "run RUN"),
        (r"run [0-9a-f]{4}\b", "run RUN"),
        (r"127\.0\.0\.1:\d+", "SERVER"),
        (r"--kubeconfig \S+", "--kubeconfig FILE"),
    ];
    patterns.iter().fold(report.to_owned(), |text, (pattern, by)| {
        regex::Regex::new(pattern).expect("a pattern").replace_all(&text, *by).into_owned()
    })
}
