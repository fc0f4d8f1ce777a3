//! Decisions on sketched clusters, and what must hold for every interleaving of what is seen late.

mod database;

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    cluster::{Freshness, Observation, Seen, Workload, sketch},
    plan::{About, Change, Intent, Part, Plan, Replicas, Settle, Target},
    run::{
        Entry, Event,
        evidence::{Mark, at_least},
    },
};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// Tenant acme, asking for so many replicas with its pods on these nodes, at this version; its controller has acted
/// on generation `observed` of 4.
fn acme(desired: u32, pods: &str, version: u64, observed: i64) -> Snapshot {
    let text = format!("node w1\nnode w2\nnode w3\ntenant acme {desired} on {pods}");
    let mut seen = sketch(&text, now()).unwrap();
    let workload = Workload::clone(seen.deployments.values().next().unwrap());
    let resource_version = version.to_string().as_str().into();
    let workload = Workload { resource_version, generation: 4, observed_generation: observed, ..workload };
    seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
    seen
}

fn plan(from: u32, to: u32) -> Plan {
    let seen = acme(from, "w1 w2", 10, 4);
    let workload = seen.deployments.values().next().unwrap();
    let (key, uid) = (workload.key.clone(), workload.uid.clone());
    let step = |change| Step::new(About::Tenant("acme".into()), change, 60);
    Plan {
        on_failure: Default::default(),
        id: "p".into(),
        intent: Intent::Scale { targets: vec![Target { tenant: "acme".into(), to: to.into() }] },
        seen: 1,
        at: now(),
        nodes: vec![],
        database: None,
        tenants: vec![Part {
            tenant: "acme".into(),
            workload: key.clone(),
            from,
            to,
            now: BTreeMap::new(),
            predicted: BTreeMap::new(),
            unpredicted: None,
            landings: vec![],
            removals: vec![],
            checks: vec![],
            kubectl: String::new(),
            undo: String::new(),
            what: None,
            resized: Vec::new(),
        }],
        steps: vec![
            step(Change::Replicas(Replicas {
                workload: key.clone(),
                uid: uid.clone(),
                from,
                to,
                autoscaled: false,
            })),
            step(Change::Settle(Settle { workload: key, uid, replicas: to, alone: false })),
        ],
        checks: vec![],
    }
}

fn run(events: &[Event]) -> Run {
    let mut run = Run::new("r", "alice", plan(2, 3).approve(None, None).unwrap());
    for event in events {
        note(&mut run, event.clone());
    }
    run
}

fn note(run: &mut Run, event: Event) {
    run.apply(Entry { at: now(), by: "alice".into(), token: 1, event }).unwrap();
}

fn told(version: u64, desired: u32) -> Facts {
    let key = plan(2, 3).steps[0].change.object();
    let version = version.to_string().as_str().into();
    let marks = BTreeMap::from([(key, Mark::Workload { version, desired })]);
    Facts { marks, ..Facts::default() }
}

fn acme_tenant() -> About {
    About::Tenant("acme".into())
}

fn done(step: usize) -> Event {
    Event::Done { step, text: String::new() }
}

const TAKEN: Event = Event::Taken;
const STARTED: Event = Event::Started { step: 0 };

#[test]
fn a_write_is_done_skipped_or_settled_by_what_stands() {
    let none = Facts::default();
    let (two, three) = (acme(2, "w1 w2", 10, 4), acme(3, "w1 w2 w3", 10, 4));
    let at = |events: &[Event], seen: &Snapshot| decide(&run(events), seen, now(), &none);
    assert_eq!(at(&[TAKEN], &two), Decision::Perform(0));
    assert!(matches!(at(&[TAKEN], &three), Decision::Skip(0, _)));
    assert_eq!(at(&[TAKEN, STARTED], &two), Decision::Perform(0), "begun and not done: again");
    assert!(
        matches!(at(&[TAKEN, STARTED], &three), Decision::Done(0, _)),
        "begun, and done before the crash"
    );
    let Decision::Pause(0, why) = at(&[TAKEN, STARTED], &acme(7, "w1 w2", 10, 4)) else { panic!() };
    assert!(why.contains("asks for 7 replicas, neither 2 nor 3"), "{why}");
    let paused = Event::Paused { step: 0, why: "asked".into(), asked: true };
    assert!(matches!(at(&[TAKEN, paused.clone()], &two), Decision::Wait { .. }), "nobody has taken it up");
    assert_eq!(at(&[TAKEN, paused, TAKEN], &two), Decision::Perform(0));
}

#[test]
fn what_is_not_followed_decides_nothing() {
    for spoil in [
        |s: &mut Snapshot| s.deployments.freshness = s.deployments.freshness.lost(now(), "gone away"),
        |s: &mut Snapshot| s.deployments.freshness = Freshness::Connecting,
    ] {
        let mut seen = acme(2, "w1 w2", 10, 4);
        spoil(&mut seen);
        let Decision::Wait { until: None, text } = decide(&run(&[TAKEN]), &seen, now(), &Facts::default())
        else {
            panic!("decided on stale data")
        };
        assert!(text.starts_with("deployments are not followed"), "{text}");
    }
    let mut seen = acme(3, "w1 w2 w3", 11, 4);
    seen.pods.freshness = seen.pods.freshness.lost(now(), "403");
    let waiting = run(&[TAKEN, STARTED, done(0), Event::Started { step: 1 }]);
    // However late it is: what is not seen has not failed.
    let decision = decide(&waiting, &seen, later(9999), &told(11, 3));
    assert!(matches!(decision, Decision::Wait { until: None, .. }), "{decision:?}");
}

#[test]
fn a_wait_begins_lasts_and_ends() {
    let begun = run(&[TAKEN, STARTED, done(0)]);
    let facts = told(11, 3);
    assert_eq!(decide(&begun, &acme(3, "w1 w2", 11, 4), now(), &facts), Decision::Perform(1));
    let waiting = run(&[TAKEN, STARTED, done(0), Event::Started { step: 1 }]);
    let at = |seen: &Snapshot, seconds| decide(&waiting, seen, later(seconds), &facts);
    let starting = acme(3, "w1 w2 w3~", 12, 4);
    assert_eq!(
        at(&starting, 0),
        Decision::Wait { until: Some(later(60)), text: "acme: 2 of 3 ready".into() }
    );
    assert!(matches!(at(&starting, 59), Decision::Wait { .. }));
    for (pods, words) in [
        ("w1 w2 ?", "is Pending: 0/1 nodes are available: 1 Insufficient memory."),
        ("w1 w2 w3x", "on w3 is not ready: nginx CrashLoopBackOff"),
        ("w1 w2 w3 w1-", "is still leaving"),
    ] {
        let Decision::Pause(1, why) = at(&acme(3, pods, 12, 4), 60) else { panic!("{pods}") };
        assert!(why.contains(words) && why.starts_with("acme: "), "{why}");
    }
    let Decision::Done(1, text) = at(&acme(3, "w1 w2 w3", 12, 4), 9999) else { panic!("all are there") };
    assert_eq!(text, "3 ready on w1, w2, w3");
    let Decision::Pause(1, why) = at(&acme(2, "w1 w2", 13, 4), 1) else { panic!("taken back by others") };
    assert!(why.contains("asks for 2 replicas by now, not 3"), "{why}");
}

/// Scaled from 3 to 2 and the watch shows what was before the 3: everything looks settled, and is not.
#[test]
fn an_old_picture_that_looks_settled_does_not_count() {
    let mut run = Run::new("r", "alice", plan(3, 2).approve(None, None).unwrap());
    for event in [TAKEN, STARTED, done(0), Event::Started { step: 1 }] {
        note(&mut run, event);
    }
    let facts = told(20, 2);
    let at = |seen: &Snapshot| decide(&run, seen, now(), &facts);
    let old = acme(2, "w1 w2", 19, 4);
    assert!(matches!(at(&old), Decision::Wait { until: None, .. }), "older than the write");
    assert!(matches!(at(&acme(2, "w1 w2", 20, 3)), Decision::Wait { .. }), "its controller has not looked");
    // The workload has caught up and still counts three pods; the pods' own watch shows two, from before.
    let mut apart = acme(2, "w1 w2", 21, 4);
    let mut workload = Workload::clone(apart.deployments.values().next().unwrap());
    workload.counts.total = 3;
    apart.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
    let Decision::Wait { text, .. } = at(&apart) else { panic!("{:?}", at(&apart)) };
    assert!(text.contains("its controller counts 2 ready of 3 pods"), "{text}");
    assert!(matches!(at(&acme(2, "w1 w2", 21, 4)), Decision::Done(1, _)));
}

#[test]
fn a_pause_that_was_asked_for_comes_before_the_next_step_and_never_after_the_last() {
    let facts = Facts { pause: Some("paused by alice".into()), ..Facts::default() };
    let seen = acme(2, "w1 w2", 10, 4);
    assert_eq!(decide(&run(&[TAKEN]), &seen, now(), &facts), Decision::Pause(0, "paused by alice".into()));
    let through = run(&[TAKEN, STARTED, done(0), done(1)]);
    assert_eq!(decide(&through, &seen, now(), &facts), Decision::Verify(acme_tenant()));
}

#[test]
fn the_end_says_what_became_of_it() {
    for (as_predicted, words) in
        [(true, "acme 2 → 3: as predicted"), (false, "acme 2 → 3: not where predicted")]
    {
        let verified = Event::Verified { about: acme_tenant(), as_predicted, text: String::new() };
        let through = run(&[TAKEN, STARTED, done(0), done(1), verified]);
        let decision = decide(&through, &acme(3, "w1 w2 w3", 12, 4), now(), &Facts::default());
        assert_eq!(decision, Decision::Finish(Outcome::Done, words.into()));
    }
}

#[test]
fn versions_are_numbers_of_any_size() {
    let at = |a: &str, b: &str| at_least(&a.into(), &b.into());
    assert_eq!(at("100", "99"), Some(true));
    assert_eq!(at("99", "100"), Some(false));
    assert_eq!(at("7", "7"), Some(true));
    assert_eq!(at("99999999999999999999999", "99999999999999999999998"), Some(true));
    assert_eq!(at("x", "1"), None);
    assert_eq!(at("", "1"), None);
}

/// The world as it changes by itself once it was written to: each picture that the watches may show, in order.
fn pictures() -> Vec<Arc<Snapshot>> {
    [
        acme(2, "w1 w2", 10, 4),
        acme(2, "w1 w2", 11, 4),
        acme(3, "w1 w2", 12, 3),
        acme(3, "w1 w2", 13, 4),
        acme(3, "w1 w2 ?", 14, 4),
        acme(3, "w1 w2 w3~", 15, 4),
        acme(3, "w1 w2 w3", 16, 4),
    ]
    .map(Arc::new)
    .into()
}

proptest! {
    /// However late the watches show what happened, whatever is shown twice, and wherever the session dies: the scale
    /// is written exactly once, nothing pauses, and nothing counts as settled before it is.
    #[test]
    fn every_change_is_made_once(moves in prop::collection::vec((0..7usize, 0..4usize, 0..5u8), 30..60)) {
        let pictures = pictures();
        // Until the write the world stands at picture 1, afterwards it goes on by itself.
        let (mut world, mut shown, mut writes) = (1, 0, 0);
        let look = |world: usize| told(10 + world as u64, if world < 2 { 2 } else { 3 });
        let mut facts = look(world);
        let mut run = run(&[TAKEN]);
        let rest = std::iter::repeat_n((1, 9, 4), 40);
        for (time, watch, crash) in moves.into_iter().chain(rest) {
            if writes > 0 {
                world = (world + usize::from(time % 2 == 0 || watch == 9)).min(6);
            }
            shown = world.min(shown + watch % 8);
            let decision = decide(&run, &pictures[shown], now(), &facts);
            match decision {
                Decision::Perform(step) => {
                    note(&mut run, Event::Started { step });
                    if crash != 0 && step == 0 {
                        // As the hand does: only from what the API server itself says.
                        if world < 2 {
                            writes += 1;
                            world = 2;
                        }
                        facts = look(world);
                        if crash != 1 {
                            note(&mut run, done(0));
                        }
                    }
                }
                Decision::Done(step, text) => {
                    prop_assert!(step == 0 || shown == 6, "settled at picture {shown}");
                    note(&mut run, Event::Done { step, text });
                }
                Decision::Verify(about) => {
                    note(&mut run, Event::Verified { about, as_predicted: true, text: String::new() });
                }
                Decision::Finish(outcome, text) => {
                    note(&mut run, Event::Finished { outcome, text });
                    break;
                }
                Decision::Wait { .. } => {}
                other => prop_assert!(false, "{other:?} at picture {shown} of {world}"),
            }
            if crash < 2 {
                // Another session: it lists again, and asks the API server before it decides.
                shown = shown.saturating_sub(2);
                facts = look(world);
                note(&mut run, TAKEN);
            }
        }
        prop_assert_eq!(writes, 1);
        prop_assert_eq!(run.state, RunState::Done);
    }
}
