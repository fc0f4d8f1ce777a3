//! From the key to the result: what opens a review, what counts as a yes and what never does, and the run after it.

use std::sync::Arc;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use wheelhouse::{
    app::{Effect, Msg, update},
    plan::{Check, Intent, Verdict},
    run::{Event, JournalPlace, Rehearsal, Run},
    ui::Place,
};

use super::cockpit::{Cockpit, NIGHT, night};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

const CALM: &str = "
node worker-1 memory=32Gi
node worker-2 memory=32Gi
node worker-3 memory=32Gi
tenant acme 3 on worker-1 worker-2 worker-3 used=300Mi
tenant globex 2 on worker-1 worker-2 used=300Mi
";

fn starts(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| matches!(e, Effect::Start(..))).count()
}

#[test]
fn three_keys_lead_from_a_tenant_to_a_scaled_one() {
    let mut c = Cockpit::of(CALM, (80, 24));
    let effects = c.keys("+");
    assert!(matches!(effects.as_slice(), [Effect::Rehearse(_)]), "{effects:?}");
    look!("review_80x24", c);
    c.rehearse();
    assert_eq!(c.keys("y"), [], "a yes settles first");
    let effects = c.wait(200);
    let [Effect::Start(approved, place)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*place, JournalPlace::Cluster);
    let Intent::Scale { targets } = &approved.plan().intent else { panic!() };
    assert_eq!((targets[0].tenant.as_str(), targets[0].to), ("acme", 4));
}

/// Of nodes that the scheduler likes equally the prediction names one: the review does not keep the others to itself.
#[test]
fn the_review_names_the_nodes_that_would_do_as_well() {
    let five =
        CALM.replace("tenant acme", "node worker-4 memory=32Gi\nnode worker-5 memory=32Gi\ntenant acme");
    let mut c = Cockpit::of(&five, (80, 24));
    c.keys("+");
    assert!(c.text().contains("worker-5 would do as well"), "{}", c.text());
}

#[test]
fn the_number_is_filled_in_and_typing_replaces_it() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("s");
    look!("number_80x24", c);
    c.keys("x 5");
    assert!(c.text().contains("3 → 5"), "{}", c.text());
    c.keys("enter");
    assert!(c.text().contains("Scale acme 3 → 5"), "{}", c.text());
    c.keys("e");
    assert!(c.text().contains("replicas  5"));
    c.keys("- 1 enter");
    assert!(c.text().contains("Scale acme 3 → 2"), "{}", c.text());
    c.keys("esc s");
    c.keys("backspace enter");
    assert!(c.text().contains("type a whole number"), "{}", c.text());
}

#[test]
fn nothing_but_a_y_by_itself_is_a_yes() {
    let deny = |make: &dyn Fn(&mut Cockpit) -> Vec<Effect>, what: &str| {
        let mut c = Cockpit::of(CALM, (80, 24));
        c.keys("+");
        c.rehearse();
        let mut effects = make(&mut c);
        effects.extend(c.wait(1000));
        assert_eq!(starts(&effects), 0, "{what}: {}", c.text());
    };
    deny(&|c| c.keys("enter"), "enter");
    deny(&|c| c.keys("+"), "the key that opened it");
    deny(&|c| c.keys("Y"), "another y");
    deny(&|c| c.burst("y enter"), "keys at once after it");
    deny(&|c| c.burst("x y"), "keys at once before it");
    deny(&|c| c.send(Msg::Input(Input::Paste("y".into()))), "a paste");
    deny(&|c| c.keys("esc y"), "after leaving");
    let mut c = Cockpit::of(CALM, (80, 24));
    let mut effects = c.burst("+ y");
    c.rehearse();
    effects.extend(c.wait(1000));
    assert_eq!(starts(&effects), 0, "a burst that opens and confirms");
    assert!(c.text().contains("too fast"), "{}", c.text());
}

#[test]
fn a_yes_waits_for_the_rehearsal_and_can_be_taken_back() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+ y");
    assert_eq!(starts(&c.wait(1000)), 0);
    assert!(c.text().contains("as soon as the rehearsal has passed"), "{}", c.text());
    c.keys("esc");
    assert_eq!(starts(&c.rehearse()), 0, "it was taken back");
    c.keys("y");
    assert_eq!(starts(&c.wait(200)), 1);
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+ y");
    c.wait(1000);
    assert_eq!(starts(&c.rehearse()), 1);
}

#[test]
fn a_yes_holds_where_the_cluster_changes_faster_than_plans_are_made() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+");
    c.rehearse();
    let seen = |c: &mut Cockpit, seconds: i64| {
        let mut seen = night(CALM);
        seen.revision += 1;
        seen.at += jiff::SignedDuration::from_secs(seconds);
        update(&mut c.app, Msg::Observed(Arc::new(seen).into()), c.now)
    };
    let effects = seen(&mut c, 60);
    let Some(Effect::Plan(intent, _)) = effects.first() else { panic!("{effects:?}") };
    c.keys("y");
    assert_eq!(seen(&mut c, 120), [], "one plan at a time");
    assert_eq!(starts(&c.wait(1000)), 0, "what was looked at may be another plan by now");
    let plan = Box::new(c.plan().clone());
    let effects = update(&mut c.app, Msg::Planned(intent.clone(), plan), c.now);
    assert_eq!(starts(&effects), 1, "{effects:?}");
}

#[test]
fn a_plan_is_rehearsed_once_what_refused_it_has_gone() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+");
    let calm = c.plan().clone();
    let mut refused = calm.clone();
    refused.checks.push(Check::new("seen", Verdict::Refuse, "the pods were not read yet"));
    let mut c = Cockpit::of(CALM, (80, 24));
    let planned = |c: &mut Cockpit, plan: &wheelhouse::plan::Plan| {
        update(&mut c.app, Msg::Planned(plan.intent.clone(), Box::new(plan.clone())), c.now)
    };
    update(&mut c.app, Msg::Input(Input::Key(KeyEvent::new(KeyCode::Char('+'), KeyModifiers::NONE))), c.now);
    assert_eq!(planned(&mut c, &refused), [], "nothing is rehearsed that cannot be run");
    let effects = planned(&mut c, &calm);
    assert!(matches!(effects.as_slice(), [Effect::Rehearse(_)]), "{effects:?}");
    c.send(Msg::Rehearsed(Rehearsal { plan: calm.id, ..Rehearsal::default() }));
    c.keys("y");
    assert_eq!(starts(&c.wait(200)), 1, "{}", c.text());
}

#[test]
fn a_rehearsal_that_finds_something_wants_another_look() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+ y");
    c.wait(100);
    let refuse = Check::new("access", Verdict::Refuse, "alice may not patch deployments/scale in acme");
    let rehearsal = Rehearsal { plan: c.plan().id.clone(), checks: vec![refuse], journal_missing: vec![] };
    assert_eq!(starts(&c.send(Msg::Rehearsed(rehearsal))), 0);
    c.keys("y");
    assert_eq!(starts(&c.wait(1000)), 0);
    assert!(c.text().contains("may not patch"), "{}", c.text());
    let other = Rehearsal { plan: "of another plan".into(), ..Rehearsal::default() };
    c.send(Msg::Rehearsed(other));
    assert!(c.text().contains("may not patch"), "the answer to another plan is dropped");
}

#[test]
fn a_journal_on_this_machine_is_the_operators_choice() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("+ J");
    let missing = vec!["create configmaps in wheelhouse".to_owned()];
    let rehearsal = Rehearsal { plan: c.plan().id.clone(), checks: vec![], journal_missing: missing };
    c.send(Msg::Rehearsed(rehearsal));
    assert!(c.text().contains("missing: create"), "{}", c.text());
    c.keys("y");
    assert_eq!(starts(&c.wait(1000)), 0);
    assert!(c.text().contains("J keeps it on this machine only"), "{}", c.text());
    c.keys("J y");
    let effects = c.wait(200);
    assert!(matches!(effects.as_slice(), [Effect::Start(_, JournalPlace::Local)]), "{effects:?}");
}

#[test]
fn what_changed_since_it_was_looked_at_wants_a_fresh_yes() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys(": s c a l e space a c m e space 5 enter");
    c.rehearse();
    let same = c.observe(CALM);
    assert!(!same.iter().any(|e| matches!(e, Effect::Rehearse(_))) && !c.text().contains("changed since"));
    c.keys("y");
    // Somebody else scales in the very moment of the yes.
    let effects = c.observe(&CALM.replace("acme 3 on worker-1", "acme 4 on worker-1 worker-1"));
    assert!(effects.iter().any(|e| matches!(e, Effect::Rehearse(_))), "{effects:?}");
    c.rehearse();
    assert_eq!(starts(&c.wait(1000)), 0);
    assert!(c.text().contains("changed since you looked") && c.text().contains("4 → 5"), "{}", c.text());
    look!("review_changed_80x24", c);
    c.keys("y");
    assert_eq!(starts(&c.wait(1000)), 0, "the first y says it was read");
    c.keys("y");
    assert_eq!(starts(&c.wait(200)), 1);
}

#[test]
fn a_grave_plan_wants_the_name_typed() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys(": s c a l e space g l o b space 0 enter");
    assert!(c.text().contains("globex must be typed before it runs"), "{}", c.text());
    look!("review_typed_80x24", c);
    c.rehearse();
    // Until y asks for it, keys are commands.
    c.keys("r w h y enter y");
    assert!(c.text().contains("type globex first") && c.text().contains("why"), "{}", c.text());
    c.keys("g l o b e enter y");
    assert_eq!(starts(&c.wait(1000)), 0);
    c.keys("backspace x");
    assert_eq!(starts(&c.wait(1000)), 0, "typing the name is not the yes");
    c.keys("enter");
    assert_eq!(starts(&c.wait(1000)), 0, "nor is enter");
    c.keys("y");
    assert_eq!(starts(&c.wait(200)), 1, "{}", c.text());
}

#[test]
fn a_refusal_says_why_and_cannot_be_run() {
    let mut c = Cockpit::of(CALM, (80, 24));
    let effects = c.keys(": s c a l e space a c m e space - 9 enter");
    assert!(effects.is_empty(), "nothing is rehearsed that cannot be run: {effects:?}");
    assert!(c.text().contains("refused"), "{}", c.text());
    c.keys("y");
    assert_eq!(starts(&c.wait(1000)), 0);
    look!("review_refused_80x24", c);
}

#[test]
fn several_marked_tenants_are_one_plan() {
    let mut c = Cockpit::of(CALM, (120, 35));
    c.keys("space space s + 1 enter");
    assert!(c.text().contains("acme") && c.text().contains("globex"), "{}", c.text());
    look!("review_several_120x35", c);
}

#[test]
fn read_only_shows_plans_and_runs_none() {
    let mut c = Cockpit::with(CALM, (80, 24), |setup| setup.read_only = true);
    let mut effects = c.keys("+ y");
    effects.extend(c.wait(1000));
    assert_eq!(effects, []);
    assert!(c.text().contains("read-only"), "{}", c.text());
}

#[test]
fn every_size_shows_a_review() {
    for width in (1..10).chain([20, 39, 40, 41, 59, 60, 80, 111, 112, 300]) {
        for height in [1, 2, 3, 4, 5, 8, 11, 12, 13, 24, 90] {
            let mut c = Cockpit::of(CALM, (width, height));
            c.keys("space space s 5 enter j j k");
            c.buffer();
            c.keys("esc : s c a l e space g l o b space 0 enter g l o");
            c.buffer();
        }
    }
}

#[test]
fn a_run_shows_its_steps_and_is_undone_by_a_plan() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("s 5 enter");
    c.start();
    assert!(matches!(c.app.place(), Place::Run(_)), "{:?}", c.app.place());
    c.progress(1);
    look!("run_80x24", c);
    c.resize(200, 50);
    look!("run_200x50", c);
    c.resize(80, 24);
    assert!(c.app.alarm().is_some(), "seconds pass on the screen");
    assert_eq!(c.keys("p"), [Effect::PauseRun("20261121-031201-9c1f".into())]);
    c.keys("ctrl-c");
    assert!(!c.app.is_leaving() && c.text().contains("under way"), "{}", c.text());
    c.keys("esc esc");
    assert_eq!(c.app.place(), Place::Tenants, "esc leaves it running");
    c.keys("3");
    look!("runs_80x24", c);
    c.resize(200, 50);
    look!("runs_200x50", c);
    c.resize(80, 24);
    c.keys("enter");
    c.finish();
    look!("run_done_80x24", c);
    c.resize(200, 50);
    look!("run_done_200x50", c);
    c.resize(80, 24);
    c.observe(&CALM.replace("acme 3 on", "acme 5 on worker-1 worker-2"));
    let effects = c.keys("u");
    assert!(matches!(effects.as_slice(), [Effect::Rehearse(p)] if matches!(p.intent, Intent::Undo { .. })));
    look!("review_undo_80x24", c);
}

#[test]
fn a_long_tenant_and_long_nodes_do_not_run_into_each_other() {
    let long = CALM.replace("acme", "a-planetexpress1").replace("worker-", "worker-pool-b-");
    let mut c = Cockpit::of(&long, (80, 24));
    c.keys("s 5 enter");
    c.start();
    c.progress(1);
    let text = c.text();
    // Behind the name there is always room, and so there is between the names of nodes.
    for name in ["a-planetexpress1", "worker-pool-b-1", "worker-pool-b-2", "b-3"] {
        let joined =
            text.split(name).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        assert!(!joined, "{name}:\n{text}");
    }
    assert!(text.contains("a-planetexpress1 "), "{text}");
}

#[test]
fn an_unfinished_run_of_nobody_is_found_and_resumed() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("s 5 enter");
    c.start();
    c.happen(Event::Started { step: 0 });
    let mut run: Run = c.run().clone();
    run.operator = "bob@bastion".into();
    let mut c = Cockpit::of(CALM, (80, 24));
    c.send(Msg::Local(vec![run.clone()], vec![]));
    assert!(c.text().contains("interrupted"), "{}", c.text());
    c.keys("3");
    look!("runs_unfinished_80x24", c);
    assert_eq!(c.keys("r"), [], "it asks first");
    assert_eq!(c.keys("enter"), []);
    let effects = c.keys("y");
    assert!(matches!(effects.as_slice(), [Effect::Resume(r)] if r.id == run.id), "{effects:?}");
    assert!(matches!(c.app.place(), Place::Run(_)));
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.read_only = true);
    c.send(Msg::Local(vec![run], vec![]));
    assert_eq!(c.keys("3 r y"), []);
}
