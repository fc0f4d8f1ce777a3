//! A run that is cut at any moment leaves something that another session finds, understands, and finishes or takes back.
//!
//! The cluster is cut off right before or right after each write that a run makes, journal records and lease writes
//! among them, and the process that drove the run ends there. Then another one comes.

use wheelhouse::{
    cluster::TenantName,
    demo::{Cut, On},
    plan::plan,
    run::{
        Handle, JournalPlace, RunState,
        campaign::{self, Campaign, CampaignState},
        runs, undo_intent,
    },
};

use crate::session::{Ground, Session};

/// What the colleague does who comes later.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Resume,
    Undo,
}

/// From the `nth` write on, nothing gets through any more.
fn cut_off(ground: &Ground, nth: usize, when: Cut) {
    let on = || On::new("WRITE", "*");
    if when == Cut::After {
        ground.cluster.faults().cut(on(), nth, Cut::After);
    }
    for _ in 0..400 {
        ground.cluster.faults().cut(on(), nth, Cut::Before);
    }
}

/// What a session drives: a run, or a campaign.
pub trait Driven {
    /// Steps the world until it stands still or is over, or until this is so.
    fn drive_until(&mut self, ground: &Ground, session: &Session, cut: &dyn Fn() -> bool);
    /// Waits until its session is through with it, its leases given back.
    fn ended(&mut self, session: &Session);
}

impl Driven for Handle {
    fn drive_until(&mut self, ground: &Ground, session: &Session, cut: &dyn Fn() -> bool) {
        ground.drive_until(session, self, |run| cut() || run.state.is_over());
    }

    fn ended(&mut self, session: &Session) {
        session.block("the end of the run", Self::ended(self));
    }
}

impl Driven for campaign::Handle {
    fn drive_until(&mut self, ground: &Ground, session: &Session, cut: &dyn Fn() -> bool) {
        let stands = |it: &Campaign| it.state.is_over() || it.state == CampaignState::Paused;
        crate::campaigns::drive_until(ground, session, self, |it| cut() || stands(it));
    }

    fn ended(&mut self, session: &Session) {
        session.block("the end of the campaign", Self::ended(self));
    }
}

/// Begins a run or a campaign in a session whose process ends at its `nth` write: the cluster is cut off right before it
/// or right after it. False when it was through before.
pub fn killed<D: Driven>(
    ground: &Ground,
    session: Session,
    (nth, when): (usize, Cut),
    begin: impl FnOnce(&Session) -> D,
) -> bool {
    cut_off(ground, nth, when);
    let mut handle = begin(&session);
    let faults = ground.cluster.faults();
    handle.drive_until(ground, &session, &|| faults.hits() > 0);
    if faults.hits() == 0 {
        // Over in the journal; the leases are still to be given back.
        Driven::ended(&mut handle, &session);
        if faults.hits() == 0 {
            return false;
        }
    }
    session.kill();
    faults.clear();
    true
}

/// How many writes lie between two cuts: `WHEELHOUSE_CRASH_STEP`, or else this many.
pub fn step(otherwise: usize) -> usize {
    std::env::var("WHEELHOUSE_CRASH_STEP").ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Cuts at one write after the other, with so many between two cuts, until there are no more: how many there were.
pub fn at_each_write((first, every): (usize, usize), most: usize, cut: impl Fn(usize) -> bool) -> usize {
    let mut nth = first;
    while cut(nth) {
        nth += every;
        assert!(nth < most, "it never ends");
    }
    nth
}

/// Cuts at the `nth` write; false when the run was through before it.
fn crash(tenant: &str, nth: usize, when: Cut, then: Then) -> bool {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let (before, generation) = (ground.replicas(tenant), ground.generation(tenant));
    let made = alice.plan(tenant, 1);
    if !killed(&ground, alice, (nth, when), |alice| alice.start(made, JournalPlace::Cluster)) {
        return false;
    }
    let place = format!("write {nth}, {when:?}");

    // Alice's lease runs out by the API server's clock.
    ground.step(60);
    let bob = ground.session("bob@bastion");
    let written = ground.generation(tenant) - generation;
    let found = bob.runs();
    let expected = match (found.as_slice(), then) {
        ([], _) => {
            // Nothing was written down: then nothing was done, and nobody is in the way.
            assert_eq!(written, 0, "{place}: changed without being written down");
            let mut handle = bob.start(bob.plan(tenant, 1), JournalPlace::Cluster);
            assert_eq!(ground.drive(&bob, &mut handle).state, RunState::Done, "{place}");
            before + 1
        }
        ([one], Then::Resume) => {
            assert!(!one.holder.as_ref().is_some_and(|h| h.alive), "{place}: {:?}", one.holder);
            if one.run.state.is_over() {
                assert_eq!(one.run.state, RunState::Done, "{place}");
            } else {
                let mut handle = bob.resume(one.run.clone());
                let run = ground.drive(&bob, &mut handle);
                assert_eq!(run.state, RunState::Done, "{place}: {:?}", run.last_word());
            }
            before + 1
        }
        ([one], Then::Undo) => match undo_intent(&one.run) {
            None => {
                assert_eq!(written, 0, "{place}: changed without being begun");
                before
            }
            Some(intent) if written == 0 => {
                // Begun and not done: there is nothing to take back, and the run is closed.
                let plan = plan(&bob.now(), &intent);
                assert!(plan.steps.is_empty() && plan.refusals().count() == 0, "{place}: {plan:?}");
                let mut handle = bob.give_up(one.run.clone(), "nothing to take back");
                let run = ground.drive(&bob, &mut handle);
                assert_eq!(run.state, RunState::Failed, "{place}");
                assert_eq!(run.last_word(), Some("given up by bob@bastion: nothing to take back"));
                until_marked(&bob, &run.id, RunState::Failed);
                before
            }
            Some(intent) => {
                let mut handle = bob.start(plan(&bob.now(), &intent), JournalPlace::Cluster);
                let run = ground.drive(&bob, &mut handle);
                assert_eq!(run.state, RunState::Done, "{place}: {:?}", run.last_word());
                until_marked(&bob, &one.run.id, RunState::Undone);
                before
            }
        },
        (several, _) => panic!("{place}: {} runs", several.len()),
    };
    assert_eq!(ground.replicas(tenant), expected, "{place}");
    let writes = ground.generation(tenant) - generation;
    let needed = if expected == before { 2 * written } else { 1 };
    assert_eq!(writes, needed, "{place}: the scale was written {writes} times");
    bob.until("ready pods", |s| s.tenants[&TenantName::from(tenant)].ready() == expected);
    // A crash in the midst of giving leases back leaves one that has run out and is nobody's any more.
    let held = ground.holders().into_iter().flatten().filter(|h| h.starts_with("bob")).count();
    assert_eq!(held, 0, "{place}: {:?}", ground.holders());
    // Whoever goes on tells of what the dead one did as well; whoever takes it back tells of that only.
    let told = ground.events(tenant).len() as i64;
    let untold = if expected == before { writes / 2 } else { 0 };
    assert!((writes - untold..=writes).contains(&told), "{place}: {:?}", ground.events(tenant));
    true
}

fn until_marked(session: &Session, id: &str, state: RunState) {
    session.until("the mark on the run", |s| runs(s).iter().any(|r| r.run.id == id && r.run.state == state));
}

fn every_write(when: Cut, then: Then) {
    let points = at_each_write((1, 1), 60, |nth| crash("acme", nth, when, then)) - 1;
    // Lease, namespace, journal, two records a step, the scale, its Event, verification, end, lease again.
    assert!(points >= 12, "only {points} writes were cut");
}

#[test]
fn cut_before_every_write_another_session_finishes_it() {
    every_write(Cut::Before, Then::Resume);
}

#[test]
fn cut_after_every_write_another_session_finishes_it() {
    every_write(Cut::After, Then::Resume);
}

#[test]
fn cut_before_every_write_another_session_takes_it_back() {
    every_write(Cut::Before, Then::Undo);
}

#[test]
fn cut_after_every_write_another_session_takes_it_back() {
    every_write(Cut::After, Then::Undo);
}

/// One answer lost, at any request, and the session lives on: it finds out what became of it.
#[test]
fn one_lost_answer_changes_nothing() {
    for when in [Cut::Before, Cut::After] {
        for nth in 1.. {
            let ground = Ground::new();
            let alice = ground.session("alice@bastion");
            let (before, generation) = (ground.replicas("acme"), ground.generation("acme"));
            ground.cluster.faults().cut(On::new("WRITE", "*"), nth, when);
            let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
            let run = ground.drive(&alice, &mut handle);
            if ground.cluster.faults().hits() == 0 {
                assert!(nth > 10);
                break;
            }
            let place = format!("write {nth}, {when:?}");
            assert_eq!(run.state, RunState::Done, "{place}: {:?}", run.last_word());
            assert_eq!(ground.replicas("acme"), before + 1, "{place}");
            assert_eq!(ground.generation("acme"), generation + 1, "{place}");
            assert_eq!(ground.holders(), [None], "{place}");
            let found = alice.until("the journal", |s| runs(s).iter().any(|r| r.run.state == RunState::Done));
            let found = runs(&found);
            assert_eq!(found[0].run.entries, run.entries, "{place}: the journal is what was shown");
        }
    }
}

/// What is swept: how its plan is made, and what must be so at the end when it was done.
struct Swept {
    /// What is so before.
    before: fn(&Ground),
    plan: fn(&Session) -> wheelhouse::plan::Plan,
    done: fn(&Ground) -> bool,
}

const MOVE: Swept = Swept {
    before: |_| {},
    plan: |session| crate::moves::planned(session, "acme", wheelhouse::plan::Means::Adoption),
    done: |ground| {
        crate::moves::nothing_left(ground, "acme");
        let pods = crate::moves::pods(ground, "acme");
        pods.len() == 3 && pods.iter().all(|p| p.2)
    },
};

const EVICTION: Swept = Swept {
    // What is evicted would come up again where it was.
    before: |ground| {
        for (_, node, ..) in crate::moves::pods(ground, "acme") {
            ground.cordon_one(&node);
        }
    },
    plan: |session| crate::moves::planned(session, "acme", wheelhouse::plan::Means::Eviction),
    ..MOVE
};

const CORDON: Swept = Swept {
    before: |_| {},
    plan: |session| {
        let node = "worker-2".into();
        plan(&session.now(), &wheelhouse::plan::Intent::Cordon { node, cordoned: true })
    },
    done: |ground| {
        let node = |w: &mut wheelhouse::demo::World| {
            w.store
                .get(wheelhouse::demo::kind::Kind::NODE, "", "worker-2")
                .is_some_and(|n| n["spec"]["unschedulable"] == true)
        };
        ground.cluster.with_world(node)
    },
};

const RESTART: Swept = Swept {
    before: |_| {},
    plan: |session| plan(&session.now(), &wheelhouse::plan::Intent::Restart { tenant: "acme".into() }),
    done: |ground| ground.generation("acme") == 2 && crate::moves::pods(ground, "acme").iter().all(|p| p.2),
};

const RESIZE: Swept = Swept {
    before: |_| {},
    plan: |session| {
        let memory = Some(wheelhouse::cluster::Memory(768 << 20));
        let limits =
            wheelhouse::plan::NewLimits { tenant: "acme".into(), container: None, memory, cpu: None };
        plan(&session.now(), &wheelhouse::plan::Intent::Resize { limits })
    },
    done: |ground| {
        crate::resize::in_force(ground, "acme").iter().all(|(limit, pending)| limit == "768Mi" && !pending)
    },
};

/// Cuts a run of that kind at its `nth` write, and lets a colleague finish it or take it back; false when it was through
/// before.
fn cut_and_ended(swept: &Swept, nth: usize, when: Cut, then: Then) -> bool {
    let ground = Ground::new();
    (swept.before)(&ground);
    let alice = ground.session("alice@bastion");
    let made = (swept.plan)(&alice);
    if !killed(&ground, alice, (nth, when), |alice| alice.start(made, JournalPlace::Cluster)) {
        return false;
    }
    ground.step(60);
    let place = format!("write {nth}, {when:?}, {then:?}");
    let bob = ground.session("bob@bastion");
    bob.until("the memory in use", |seen| seen.usage.freshness.is_live());
    let run = match (bob.runs().as_slice(), then) {
        ([], Then::Undo) => return true,
        ([], Then::Resume) => {
            Some(ground.drive(&bob, &mut bob.start((swept.plan)(&bob), JournalPlace::Cluster)))
        }
        ([one], Then::Undo) => undo_intent(&one.run).and_then(|intent| {
            let undo = crate::session::planned(&bob, &intent);
            let anything = !undo.steps.is_empty();
            anything.then(|| ground.drive(&bob, &mut bob.start(undo, JournalPlace::Cluster)))
        }),
        ([one], Then::Resume) if one.run.state.is_over() => Some(one.run.clone()),
        ([one], Then::Resume) => Some(ground.drive(&bob, &mut bob.resume(one.run.clone()))),
        (several, _) => panic!("{place}: {} runs", several.len()),
    };
    if let Some(run) = run {
        assert_eq!(run.state, RunState::Done, "{place}: {:?}", run.last_word());
        assert_ne!(run.last_word(), Some(""), "{place}");
    }
    ground.step(60);
    assert!((swept.done)(&ground), "{place}: {:?}", crate::moves::pods(&ground, "acme"));
    let held = ground.holders().into_iter().flatten().filter(|h| h.starts_with("bob")).count();
    assert_eq!(held, 0, "{place}: {:?}", ground.holders());
    true
}

fn sweep(swept: &Swept, when: Cut, then: Then, least: usize) {
    let points = at_each_write((1, 1), 90, |nth| cut_and_ended(swept, nth, when, then)) - 1;
    assert!(points >= least, "only {points} writes were cut");
}

#[test]
fn a_move_that_is_cut_before_any_write_is_finished_by_another_session() {
    sweep(&MOVE, Cut::Before, Then::Resume, 20);
}

#[test]
fn a_move_that_is_cut_after_any_write_is_finished_by_another_session() {
    sweep(&MOVE, Cut::After, Then::Resume, 20);
}

#[test]
fn a_move_that_is_cut_before_any_write_is_taken_back_by_another_session() {
    sweep(&MOVE, Cut::Before, Then::Undo, 20);
}

#[test]
fn a_move_that_is_cut_after_any_write_is_taken_back_by_another_session() {
    sweep(&MOVE, Cut::After, Then::Undo, 20);
}

#[test]
fn an_eviction_that_is_cut_after_any_write_is_finished_by_another_session() {
    sweep(&EVICTION, Cut::After, Then::Resume, 10);
}

#[test]
fn a_cordon_that_is_cut_at_any_write_is_finished_by_another_session() {
    sweep(&CORDON, Cut::Before, Then::Resume, 8);
    sweep(&CORDON, Cut::After, Then::Resume, 8);
}

#[test]
fn a_restart_that_is_cut_after_any_write_is_finished_by_another_session() {
    sweep(&RESTART, Cut::After, Then::Resume, 10);
}

#[test]
fn a_resize_that_is_cut_before_any_write_is_finished_by_another_session() {
    sweep(&RESIZE, Cut::Before, Then::Resume, 12);
}

#[test]
fn a_resize_that_is_cut_after_any_write_is_finished_by_another_session() {
    sweep(&RESIZE, Cut::After, Then::Resume, 12);
}

#[test]
fn a_resize_that_is_cut_at_any_write_is_taken_back_by_another_session() {
    let back = Swept {
        done: |ground| {
            crate::resize::in_force(ground, "acme")
                .iter()
                .all(|(limit, pending)| limit == "640Mi" && !pending)
        },
        ..RESIZE
    };
    sweep(&back, Cut::Before, Then::Undo, 12);
    sweep(&back, Cut::After, Then::Undo, 12);
}
