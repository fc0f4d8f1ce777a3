//! What a plan prints to be typed is what a run sends, and is right when a person types it, slowly, while the monitors of
//! the proxies go on checking.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use wheelhouse::{
    cluster::MemberName,
    demo::database::Endpoint,
    plan::{DatabaseAct, Plan},
    run::{Run, RunState, undo_intent},
};

use crate::{
    session::{Session, act, planned, text},
    stage::Stage,
};

/// Milliseconds between two checks of a monitor.
const CHECK: u64 = 2_000;
/// From one line to the next: a person types, and a check or two go by.
const TYPING: Duration = Duration::from_millis(2_700);

fn member(stage: &Stage, at: usize) -> MemberName {
    stage.member(at).as_str().into()
}

fn sql(plan: &Plan) -> Vec<String> {
    plan.database.as_ref().unwrap().sql.clone()
}

/// The statements to type at one proxy, as a client sends them.
fn statements(lines: &[String]) -> impl Iterator<Item = &str> {
    let typed = lines.iter().filter(|line| !line.starts_with("--"));
    typed.flat_map(|line| line.split(';')).map(str::trim).filter(|s| !s.is_empty())
}

/// Types what was printed, and looks after each line whether one member writes in every proxy.
fn type_it(stage: &Stage, at: &Session, lines: &[String]) {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    for line in lines {
        match blocks.last_mut() {
            Some(block) if !line.starts_with("-- at ") => block.push(line.clone()),
            _ => blocks.push(vec![line.clone()]),
        }
    }
    for block in blocks {
        if block[0].contains(": repeat the SELECT until ") {
            stage.database().step(Duration::from_millis(2 * CHECK) + TYPING);
            continue;
        }
        let places = block[0].strip_prefix("-- at ").unwrap().split(", then at ");
        for place in places {
            let proxy = (0..2).find(|at| stage.proxy(*at) == place).unwrap();
            for line in block[1..].iter().filter(|line| !line.starts_with("--")) {
                for statement in statements(std::slice::from_ref(line)) {
                    stage.tell(at, proxy, statement);
                }
                stage.database().step(TYPING);
                for proxy in 0..2 {
                    assert_eq!(stage.writers(proxy).len(), 1, "after {line}");
                }
            }
        }
    }
    stage.database().step(Duration::from_millis(3 * CHECK));
}

type Act = fn(&Stage) -> DatabaseAct;

const ACTS: [(&str, Act); 6] = [
    ("a reader leaves", |s| DatabaseAct::TakeOut { member: member(s, 2) }),
    ("the writer leaves", |s| DatabaseAct::TakeOut { member: member(s, 0) }),
    ("a weight", |s| DatabaseAct::Weight { member: member(s, 2), weight: 70 }),
    ("a weight that moves the writer", |s| DatabaseAct::Weight { member: member(s, 2), weight: 700 }),
    ("the writer moves", |s| DatabaseAct::MoveWriter { member: member(s, 1) }),
    ("a server comes", |_| DatabaseAct::AddServer { address: "127.0.0.1:9".into(), like: None }),
];

/// Runs an act to its end.
fn run(stage: &Stage, at: &Session, what: Act) -> (Plan, Run) {
    let made = act(at, what(stage));
    let run = stage.run(at, made.clone());
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    stage.database().step(Duration::from_millis(3 * CHECK));
    (made, run)
}

/// What is configured and who writes and reads, members by their place.
fn shape(stage: &Stage, at: &Session) -> Vec<String> {
    let names = |mut text: String| {
        for member in 0..3 {
            let address = stage.member(member);
            text = text.replace(&address, &format!("db{member}"));
            let port = address.rsplit(':').next().unwrap();
            text = text.replace(port, &format!("port{member}"));
        }
        text
    };
    let mut all: Vec<_> = stage
        .layers(at)
        .into_iter()
        .map(|mut layer| {
            layer = layer.into_iter().map(names).collect();
            layer.sort();
            layer.join("; ")
        })
        .collect();
    for proxy in 0..2 {
        all.extend((0..3).map(|member| format!("{:?}", stage.hostgroups_of(proxy, member))));
    }
    all
}

#[test]
fn what_is_printed_is_what_is_run_statement_for_statement() {
    for (name, what) in ACTS {
        let stage = Stage::with(2, 200);
        let alice = stage.session("alice@bastion");
        let (made, _) = run(&stage, &alice, what);
        let wrote = |s: &String| {
            ["SAVE", "LOAD", "DELETE", "INSERT", "UPDATE"].iter().any(|verb| s.starts_with(verb))
        };
        for proxy in 0..2 {
            let mut heard = stage.database().heard(Endpoint::Proxy(proxy));
            // What set the stage up is not of the run.
            let begun = heard.iter().position(|s| s.starts_with("SAVE MYSQL SERVERS")).unwrap();
            heard.drain(..begun);
            let shown = |s: &String| wrote(s) || s.ends_with("ORDER BY 1, 2, 3");
            let sent: Vec<_> = heard.into_iter().filter(shown).collect();
            let mut printed = Vec::new();
            let mut here = false;
            for line in sql(&made) {
                match line.strip_prefix("-- at ") {
                    Some(places) => here = places.split(", then at ").any(|p| p == stage.proxy(proxy)),
                    None if here => printed.extend(statements(&[line]).map(str::to_owned)),
                    None => {}
                }
            }
            assert_eq!(sent, printed, "{name}");
        }
    }
}

#[test]
fn what_is_printed_is_right_when_it_is_typed_slowly() {
    for (name, what) in ACTS {
        let (ran, typed) = (Stage::with(2, CHECK), Stage::with(2, CHECK));
        let (alice, bob) = (ran.session("alice@bastion"), typed.session("bob@bastion"));
        run(&ran, &alice, what);
        let made = act(&bob, what(&typed));
        type_it(&typed, &bob, &sql(&made));
        assert_eq!(shape(&typed, &bob), shape(&ran, &alice), "{name}:\n{}", sql(&made).join("\n"));
    }
}

#[test]
fn typed_without_the_select_the_monitor_brings_the_old_weight_back() {
    let stage = Stage::with(2, CHECK);
    let bob = stage.session("bob@bastion");
    let made = act(&bob, DatabaseAct::Weight { member: member(&stage, 2), weight: 70 });
    let without: Vec<_> =
        sql(&made).into_iter().map(|line| line.split("; SELECT").next().unwrap().to_owned()).collect();
    // Nobody looks on: whoever reads the runtime purges it.
    drop(bob);
    let bare = stage.bare("bob@bastion");
    type_it(&stage, &bare, &without);
    let rows = stage.layer(&bare, 0, "runtime");
    assert!(rows.iter().any(|row| row.starts_with(&stage.member(2)) && row.contains(" 10 100 ")), "{rows:?}");
}

/// What is done first in both worlds, and what is planned then: an undo of it, a save, another act.
type Then = fn(&Stage, &Session, &Run) -> Plan;

/// Runs the same first act in two worlds, and what follows it: run in one, typed in the other.
fn after(name: &str, first: Act, then: Then) {
    let (ran, typed) = (Stage::with(2, CHECK), Stage::with(2, CHECK));
    let (alice, bob) = (ran.session("alice@bastion"), typed.session("bob@bastion"));
    let done = run(&ran, &alice, first).1;
    let made = then(&ran, &alice, &done);
    assert!(!made.steps.is_empty(), "{name}: {made}");
    let run_of_it = ran.run(&alice, made);
    assert_eq!(run_of_it.state, RunState::Done, "{name}: {}", text(&run_of_it));
    ran.database().step(Duration::from_millis(3 * CHECK));
    let done = run(&typed, &bob, first).1;
    let printed = sql(&then(&typed, &bob, &done));
    assert!(!printed.is_empty(), "{name}");
    type_it(&typed, &bob, &printed);
    assert_eq!(shape(&typed, &bob), shape(&ran, &alice), "{name}:\n{}", printed.join("\n"));
}

#[test]
fn what_takes_a_run_back_is_right_when_it_is_typed_slowly() {
    for (name, what) in ACTS {
        after(name, what, |_, at, done| planned(at, &undo_intent(done).expect("it changed something")));
    }
}

#[test]
fn a_save_is_right_when_it_is_typed() {
    let save: Then = |_, at, _| act(at, DatabaseAct::Save { proxy: None });
    after("what runs is saved", |s| DatabaseAct::Weight { member: member(s, 2), weight: 70 }, save);
    after("another writer is saved", |s| DatabaseAct::MoveWriter { member: member(s, 1) }, save);
}

#[test]
fn the_removal_of_a_server_is_right_when_it_is_typed_slowly() {
    let strange: Act = |_| DatabaseAct::AddServer { address: "127.0.0.1:9".into(), like: None };
    after("a server that is no member", strange, |_, at, _| {
        act(at, DatabaseAct::RemoveServer { address: "127.0.0.1:9".into() })
    });
    let light: Act = |s| DatabaseAct::Weight { member: member(s, 2), weight: 5 };
    after("a member by its address", light, |s, at, _| {
        act(at, DatabaseAct::RemoveServer { address: s.member(2).into() })
    });
}
