//! Headroom and what a loss would do: on the first screen, one key away, and worked out once for what it rests on.

use std::sync::Arc;

use wheelhouse::{
    app::{Effect, Msg, update},
    cluster::{Cpu, Memory, NodeUsage, Observation, Seen},
    plan::whatif::{Forecast, Loss},
    ui::{Outlook, Place},
};

use super::cockpit::{Cockpit, NIGHT, night, now};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

#[test]
fn the_header_of_every_screen_names_the_worst_node() {
    for keys in ["", "2", "3", "f", "1 enter", "q h", "W", "enter"] {
        let mut c = Cockpit::of(NIGHT, (80, 24));
        c.keys(keys);
        let text = c.text();
        let line = text.lines().nth(1).expect("a second line");
        assert!(line.contains("if w3 fails: 2 down"), "{keys}: {line}");
        c.resize(120, 35);
        assert!(c.text().contains("if worker-3 fails: 2 "), "{keys}: {}", c.text());
    }
    let mut c = Cockpit::of(NIGHT, (120, 35));
    c.keys("5");
    assert!(c.text().contains("tenants down (piedpiper"), "{}", c.text());
    // No tenant would be down: it says so.
    c.now += jiff::SignedDuration::from_secs(2);
    c.observe("node worker-1\nnode worker-2\nnode worker-3\ntenant acme 3 on worker-1 worker-2 worker-3");
    assert!(c.text().contains("any one node may fail"), "{}", c.text());
}

#[test]
fn requests_left_are_a_column_with_a_meter() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let text = c.text();
    let heading = text.lines().find(|l| l.contains("TENANT")).expect("a heading");
    assert!(heading.contains("REQ LEFT") && heading.contains("MEM"), "{heading}");
    c.keys("L");
    assert!(c.text().contains("REQ LEFT▾") && c.text().contains("by left"), "{}", c.text());
    look!("tenants_left_80x24", c);
}

#[test]
fn the_arithmetic_and_what_fits_are_one_key_away() {
    for (name, size) in [("headroom_80x24", (80, 24)), ("headroom_160x48", (160, 48))] {
        let mut c = Cockpit::of(NIGHT, size);
        c.keys("/ g l o b enter h");
        assert!(matches!(c.app.place(), Place::Headroom(_)));
        look!(name, c);
        let text = c.text();
        assert!(text.contains("max_children") && text.contains("default"), "{text}");
        c.keys("G");
        assert!(c.text().contains("worker-4"), "why it does not fit there: {}", c.text());
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys(": h e a d r o o m space a c m e enter");
    assert!(matches!(c.app.place(), Place::Headroom(name) if name.as_str() == "acme"));
}

#[test]
fn w_tells_a_crash_and_d_a_drain() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("2 j j j w");
    assert!(matches!(c.app.place(), Place::WhatIf(_, Loss::Crash)), "{:?}", c.app.place());
    look!("whatif_80x24", c);
    assert!(c.text().contains("fails now") && c.text().contains("2 tenants down"), "{}", c.text());
    c.keys("d");
    assert!(c.text().contains("is drained now") && c.text().contains("not evicted"), "{}", c.text());
    look!("whatif_drain_80x24", c);
    c.keys("q");
    assert_eq!(c.app.place(), Place::Nodes);
    let mut c = Cockpit::of(NIGHT, (160, 48));
    c.keys("2 space space space w");
    let Place::WhatIf(nodes, _) = c.app.place() else { panic!("{:?}", c.app.place()) };
    assert_eq!(nodes.len(), 3, "the marked ones together");
    assert!(c.text().contains("fail now"), "{}", c.text());
    look!("whatif_three_160x48", c);
}

#[test]
fn the_nodes_are_ranked_by_harm_from_anywhere() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("3 W");
    assert_eq!(c.app.place(), Place::Ranking);
    look!("ranking_80x24", c);
    let worst = c.selected().expect("a row");
    c.keys("enter");
    let Place::WhatIf(nodes, Loss::Crash) = c.app.place() else { panic!("{:?}", c.app.place()) };
    assert_eq!(nodes[0].as_str(), worst);
    c.keys("W W");
    assert_eq!(c.app.place(), Place::Ranking);
    c.keys("q");
    assert_eq!(c.app.place(), Place::Runs, "a place is on the way back once");
}

#[test]
fn nothing_is_predicted_twice() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    assert_eq!(c.foreseen, 1);
    c.keys("j k 2 3 5 1 enter q");
    c.wait(60_000);
    assert_eq!(c.foreseen, 1, "keys and time change nothing it rests on");
    let seen = night(NIGHT);
    c.send(Msg::Observed(Arc::new(seen.clone()).into()));
    assert_eq!(c.foreseen, 2, "another cluster");
    // The same cluster with another revision: nothing that matters has changed.
    let mut same = seen.clone();
    same.revision += 1;
    c.now += jiff::SignedDuration::from_secs(10);
    c.send(Msg::Observed(Arc::new(same.clone()).into()));
    c.wait(10_000);
    assert_eq!(c.foreseen, 2);
    // New measurements count; those within a second wait.
    for (i, wait) in [(1, 0), (2, 0), (3, 0)] {
        let usage = NodeUsage { at: now(), cpu: Cpu(i), memory: Memory(i << 30) };
        let nodes: Vec<_> = same.nodes.items.keys().map(|n| (n.clone(), usage.clone())).collect();
        same.observe(Observation::NodeUsage(Seen::All(nodes, now())));
        c.send(Msg::Observed(Arc::new(same.clone()).into()));
        c.wait(wait);
    }
    assert_eq!(c.foreseen, 3, "three changes in one moment");
    let alarm = c.app.alarm().expect("it waits for the next");
    assert!(alarm <= c.now + jiff::SignedDuration::from_secs(1));
    c.wait(1_000);
    assert_eq!(c.foreseen, 4);
    c.wait(60_000);
    assert_eq!(c.foreseen, 4);
    // A question is answered at once, and once.
    c.keys("2 w");
    assert_eq!(c.foreseen, 5);
    c.keys("j k G g");
    assert_eq!(c.foreseen, 5);
    c.keys("d");
    assert_eq!(c.foreseen, 6);
}

#[test]
fn while_one_prediction_is_made_no_other_is_asked_for() {
    let seen = Arc::new(night(NIGHT));
    let setup = wheelhouse::app::Setup { theme: "dark".into(), ..Default::default() };
    let mut app = wheelhouse::app::App::new(setup, seen.clone(), (80, 24)).expect("a theme");
    let asked = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Foresee(..))).count();
    let mut at = now();
    assert_eq!(asked(&update(&mut app, Msg::Tick, at)), 1);
    for _ in 0..5 {
        at += jiff::SignedDuration::from_secs(2);
        assert_eq!(asked(&update(&mut app, Msg::Observed(Arc::new(night(NIGHT)).into()), at)), 0);
    }
    // The answer is about the first: the next is asked for at once.
    let outlook = Outlook::of(&mut Forecast::default(), seen, None);
    assert_eq!(asked(&update(&mut app, Msg::Foreseen(Box::new(outlook)), at)), 1);
}

#[test]
fn an_old_prediction_says_how_old() {
    let mut c = Cockpit::of(NIGHT, (120, 35));
    let mut at = c.now;
    // Nobody answers.
    for _ in 0..3 {
        at += jiff::SignedDuration::from_secs(12);
        let mut seen = night(NIGHT);
        seen.at = at;
        update(&mut c.app, Msg::Observed(Arc::new(seen).into()), at);
    }
    c.now = at;
    assert!(c.text().contains("(30s ago)"), "{}", c.text());
}
