//! A migration that is cut at any request is finished or taken back by another session: the tenant has what it had, and
//! the Job ran once, or the run says what is not known.

use wheelhouse::demo::Cut;

use super::*;
use crate::crash::{at_each_write, killed};

/// What is swept.
struct Swept {
    ground: fn(&Ground),
    migration: fn() -> Migration,
    ends: RunState,
}

/// What the colleague does who comes later.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Resume,
    GiveUp,
}

/// Cuts at the `nth` write; false when the run was through before it.
fn cut(swept: &Swept, nth: usize, when: Cut, then: Then) -> bool {
    let ground = Ground::new();
    (swept.ground)(&ground);
    let alice = ground.session("alice@bastion");
    let was = before(&ground);
    let plan = planned(&alice, &intent((swept.migration)()));
    if !killed(&ground, alice, (nth, when), |alice| alice.start(plan, JournalPlace::Cluster)) {
        return false;
    }
    ground.step(60);
    let place = format!("write {nth}, {when:?}, {then:?}");
    let bob = ground.session("bob@bastion");
    let known = bob.runs();
    let wanted = (swept.migration)();
    let (run, ran) = match known.as_slice() {
        [] => {
            assert_eq!(before(&ground), was, "{place}: changed without being written down");
            return true;
        }
        [one] if one.run.state.is_over() => (one.run.clone(), one.run.clone()),
        [one] => {
            let ran = one.run.clone();
            let mut handle = match then {
                Then::Resume => bob.resume(ran.clone()),
                Then::GiveUp => bob.give_up(ran.clone(), "enough"),
            };
            (ground.drive(&bob, &mut handle), ran)
        }
        several => panic!("{place}: {} runs", several.len()),
    };
    ground.step(60);
    let now = before(&ground);
    let jobs = pods_of_jobs(&ground);
    let gives_up = then == Then::GiveUp && !ran.state.is_over();
    let ends = if gives_up { RunState::Failed } else { swept.ends };
    assert_eq!(run.state, ends, "{place}: {:?}", run.last_word());
    assert_eq!((now.replicas, now.bounds), (was.replicas, was.bounds), "{place}");
    assert_eq!(now.annotations, was.annotations, "{place}");
    // Given up once nothing was borrowed any more, what it did stays; before, the image comes back with the rest.
    let kept = ran.plan().steps.iter().zip(&ran.steps).any(|(step, state)| {
        matches!((&step.change, step.way_out, state), (Change::SetImage(_), true, StepState::Skipped(_)))
    });
    let released = wanted.image.is_some()
        && (ends == RunState::Done || gives_up && kept && ran.borrowed().next().is_none());
    assert_eq!(now.image != was.image, released, "{place}: {}", now.image);
    assert!(jobs <= 1 && (gives_up || jobs == 1), "{place}: the job ran {jobs} times");
    let ready = pods(&ground, TENANT).into_iter().filter(|p| p.2 && p.3 && !p.0.contains("migrate")).count();
    assert_eq!(ready as u64, was.replicas, "{place}: {:?}", pods(&ground, TENANT));
    let held = ground.holders().into_iter().flatten().filter(|h| h.starts_with("bob")).count();
    assert_eq!(held, 0, "{place}: {:?}", ground.holders());
    true
}

fn sweep(swept: &Swept, when: Cut, then: Then, least: usize) {
    let points = at_each_write((1, 1), 120, |nth| cut(swept, nth, when, then)) - 1;
    assert!(points >= least, "only {points} writes were cut");
}

const RELEASED: Swept = Swept {
    ground: autoscaled,
    migration: || Migration { image: Some(NEW.into()), ..migration() },
    ends: RunState::Done,
};
const PLAIN: Swept = Swept { ground: plain, migration, ends: RunState::Done };
const FAILING: Swept = Swept { ground: autoscaled, migration: failing, ends: RunState::Failed };
const STATEFUL: Swept = Swept { ground: stateful, migration, ends: RunState::Done };

/// The tenant as a StatefulSet.
fn stateful(ground: &Ground) {
    plain(ground);
    let mut set = workload(ground);
    ground.cluster.with_world(|w| {
        w.store.delete(Kind::DEPLOYMENT, TENANT, TENANT, &DeleteOptions::default()).expect("it goes");
    });
    ground.step(90);
    let labels = set["metadata"]["labels"].clone();
    set["metadata"] = json!({ "namespace": TENANT, "name": TENANT, "labels": labels });
    set["kind"] = "StatefulSet".into();
    set["spec"]["serviceName"] = TENANT.into();
    for field in ["strategy", "progressDeadlineSeconds"] {
        set["spec"].as_object_mut().expect("a spec").remove(field);
    }
    set.as_object_mut().expect("an object").remove("status");
    ground.cluster.with_world(|w| w.store.insert(Kind::STATEFUL_SET, set));
    ground.step(240);
    assert_eq!(pods(ground, TENANT).iter().filter(|p| p.2).count(), 3, "{:?}", pods(ground, TENANT));
}

#[test]
fn a_release_with_a_migration_that_is_cut_before_any_write_is_finished() {
    sweep(&RELEASED, Cut::Before, Then::Resume, 30);
}

#[test]
fn a_release_with_a_migration_that_is_cut_after_any_write_is_finished() {
    sweep(&RELEASED, Cut::After, Then::Resume, 30);
}

#[test]
fn a_release_with_a_migration_that_is_cut_is_given_up_and_leaves_what_was() {
    sweep(&RELEASED, Cut::After, Then::GiveUp, 30);
}

#[test]
fn a_migration_without_an_autoscaler_that_is_cut_is_finished() {
    sweep(&PLAIN, Cut::After, Then::Resume, 20);
}

#[test]
fn a_failing_migration_that_is_cut_gives_back_what_was() {
    sweep(&FAILING, Cut::Before, Then::Resume, 20);
    sweep(&FAILING, Cut::After, Then::Resume, 20);
}

#[test]
fn a_migration_of_a_stateful_set_that_is_cut_is_finished() {
    sweep(&STATEFUL, Cut::After, Then::Resume, 20);
}
