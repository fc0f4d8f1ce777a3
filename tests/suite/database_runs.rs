//! Runs on the database as the planner makes them: what they do to every layer of the proxies, how they are taken
//! back, and what another session makes of one that was cut off at any write, journal records and leases among them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use wheelhouse::{
    demo::{
        Cut, On,
        database::{Cuts, Endpoint},
    },
    plan::{DatabaseAct, Intent, Verdict, plan},
    run::{JournalPlace, Run, RunState, StepState, rehearse, runs, undo_intent},
};

use crate::{
    session::{Session, act, planned, text},
    stage::Stage,
};

/// Runs an act and takes it back: one member writes at every moment, no client is cut, the disks stay untouched, and in
/// the end every layer is as it was.
fn there_and_back(stage: &Stage, alice: &Session, what: DatabaseAct, far: impl Fn(&Stage)) {
    let place = what.to_string();
    let before = stage.layers(alice);
    let disk = |proxy: usize| stage.layer(alice, proxy, "disk");
    let disks = [disk(0), disk(1)];
    let over = |run: &Run| run.state.is_over() || run.state == RunState::Paused;
    let each = || {
        for proxy in 0..2 {
            assert_eq!(stage.writers(proxy).len(), 1, "{place}: writers of proxy {proxy}");
        }
    };
    let made = act(alice, what);
    let rehearsed = alice.block("a rehearsal", rehearse(&alice.access, &made));
    assert!(rehearsed.checks.iter().all(|c| c.verdict == Verdict::Ok), "{place}: {:?}", rehearsed.checks);
    let mut handle = alice.start(made, JournalPlace::Cluster);
    stage.drive_until(alice, &mut handle, over, each);
    let run = alice.block("the end", handle.ended());
    assert_eq!(run.state, RunState::Done, "{place}: {}", text(&run));
    far(stage);
    assert_ne!(stage.layers(alice), before, "{place} did something");
    assert_eq!([disk(0), disk(1)], disks, "{place}: a disk was written");

    let back = planned(alice, &undo_intent(&run).unwrap());
    let mut handle = alice.start(back, JournalPlace::Cluster);
    stage.drive_until(alice, &mut handle, over, each);
    let undone = alice.block("the end", handle.ended());
    assert_eq!(undone.state, RunState::Done, "{place}: {}", text(&undone));
    assert_eq!(stage.layers(alice), before, "{place} was taken back");
    assert_eq!(stage.cut(), 0, "{place}");
    alice
        .until("the mark", |s| runs(s).iter().any(|r| r.run.id == run.id && r.run.state == RunState::Undone));
}

fn member(stage: &Stage, at: usize) -> wheelhouse::cluster::MemberName {
    stage.member(at).as_str().into()
}

#[test]
fn each_act_on_the_servers_is_done_and_taken_back_in_every_layer() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let ports: Vec<_> = stage.database().members.iter().map(|m| m.port()).collect();
    let out = |at| DatabaseAct::TakeOut { member: member(&stage, at) };
    there_and_back(&stage, &alice, out(2), |s| assert_eq!(s.hostgroups_of(1, 2), [0; 0]));
    // The writer goes only after another writes.
    there_and_back(&stage, &alice, out(0), |s| {
        assert_eq!((s.writers(0), s.hostgroups_of(0, 0)), (vec![ports[1]], vec![]));
    });
    let weight = DatabaseAct::Weight { member: member(&stage, 2), weight: 70 };
    there_and_back(&stage, &alice, weight, |s| assert_eq!(s.writers(0), [ports[0]]));
    let mover = DatabaseAct::MoveWriter { member: member(&stage, 2) };
    there_and_back(&stage, &alice, mover, |s| {
        assert_eq!((s.writers(0), s.writers(1)), (vec![ports[2]], vec![ports[2]]));
        assert!(!s.hostgroups_of(0, 2).contains(&30), "the writer does not read beside");
    });
    // Somebody nobody follows enters offline, and stays there.
    let add = DatabaseAct::AddServer { address: "127.0.0.1:9".into(), like: None };
    there_and_back(&stage, &alice, add, |s| {
        let there = s.layer(&alice, 1, "runtime").iter().any(|row| row.starts_with("127.0.0.1:9 "));
        assert!(there, "{:?}", s.layer(&alice, 1, "runtime"));
    });
    let remove = DatabaseAct::RemoveServer { address: stage.member(1).as_str().into() };
    there_and_back(&stage, &alice, remove, |s| assert_eq!(s.hostgroups_of(0, 1), [0; 0]));
}

#[test]
fn what_is_added_like_another_serves_like_it() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let remove = DatabaseAct::RemoveServer { address: stage.member(2).as_str().into() };
    assert_eq!(stage.run(&alice, act(&alice, remove)).state, RunState::Done);
    let like = Some(member(&stage, 1));
    let add = DatabaseAct::AddServer { address: stage.member(2).as_str().into(), like };
    there_and_back(&stage, &alice, add, |s| {
        assert_eq!(s.hostgroups_of(0, 2), [10, 20, 30]);
        let row = s.layer(&alice, 0, "runtime").into_iter().find(|r| r.starts_with(&s.member(2))).unwrap();
        assert!(row.contains(" 50 100 "), "{row}");
    });
    let bring = DatabaseAct::BringBack { member: member(&stage, 2), like: None };
    there_and_back(&stage, &alice, bring, |s| assert_eq!(s.hostgroups_of(1, 2), [10, 20, 30]));
}

#[test]
fn a_member_is_desynced_and_resynced_as_planned() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let desync = DatabaseAct::Desync { member: member(&stage, 2) };
    let on = |s: &Stage| s.database().with(|s| s.galera.members[2].desync);
    let run = stage.run(&alice, act(&alice, desync));
    assert_eq!((run.state, on(&stage)), (RunState::Done, true), "{}", text(&run));
    let undone = stage.run(&alice, planned(&alice, &undo_intent(&run).unwrap()));
    assert_eq!((undone.state, on(&stage)), (RunState::Done, false), "{}", text(&undone));
}

#[test]
fn of_two_operators_at_once_one_acts_and_the_other_is_told_who_and_since_when() {
    let stage = Stage::new();
    let (alice, bob) = (stage.session("alice@bastion"), stage.session("bob@bastion"));
    let (hers, his) = (
        act(&alice, DatabaseAct::TakeOut { member: member(&stage, 2) }),
        act(&bob, DatabaseAct::Weight { member: member(&stage, 1), weight: 60 }),
    );
    let mut handles = [alice.start(hers, JournalPlace::Cluster), bob.start(his, JournalPlace::Cluster)];
    let [first, second] = &mut handles;
    let (mut one, mut other) = (first.watch.clone(), second.watch.clone());
    let over = |run: &Run| run.state.is_over();
    alice.block("the refusal", async move {
        // Nobody's run ends well while the database stands still.
        tokio::select! {
            _ = one.wait_for(over) => {}
            _ = other.wait_for(over) => {}
        }
    });
    stage.drive_until(&alice, first, |run| run.state.is_over() || run.state == RunState::Paused, || {});
    let first = alice.block("her end", first.ended());
    stage.drive_until(&bob, second, |run| run.state.is_over() || run.state == RunState::Paused, || {});
    let second = bob.block("his end", second.ended());
    let (done, held) = if first.state == RunState::Done { (&first, &second) } else { (&second, &first) };
    assert_eq!(
        (done.state, held.state),
        (RunState::Done, RunState::Failed),
        "{} / {}",
        text(&first),
        text(&second)
    );
    let words = text(held);
    assert!(words.contains("the lease wheelhouse-database is taken"), "{words}");
    assert!(words.contains(&format!("{} holds it since ", done.operator)), "{words}");
    assert!(words.contains(&done.id) && words.contains("UTC"), "{words}");
    assert_eq!(alice.runs().len(), 1, "who is held off leaves no journal");
    assert_eq!(stage.ground.holders(), [None]);
}

#[test]
fn a_write_that_is_tried_again_is_held_back_once_the_lease_is_lost() {
    let stage = Stage::new();
    let mut alice = stage.session("alice@bastion");
    alice.access.lease_seconds = 3;
    let hers = act(&alice, DatabaseAct::TakeOut { member: member(&stage, 2) });
    // Nothing comes through, so it is tried again and again.
    stage.database().with(|s| s.cuts = Cuts { at: 1, answered: false, for_good: true, counted: 0 });
    let mut handle = alice.start(hers, JournalPlace::Cluster);
    let tried = || stage.database().with(|s| s.cuts.counted) > 0;
    stage.drive_until(&alice, &mut handle, |run| tried() || run.state.is_over(), || {});
    stage.ground.steal("wheelhouse-database", "bob@bastion 0b0b0b0b");
    let run = alice.block("the end", handle.ended());
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("bob@bastion has the lease wheelhouse-database now"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
}

#[test]
fn nobody_takes_back_a_run_that_its_operator_still_drives() {
    let stage = Stage::new();
    let (alice, bob) = (stage.session("alice@bastion"), stage.session("bob@bastion"));
    let hers = act(&alice, DatabaseAct::TakeOut { member: member(&stage, 2) });
    let mut first = alice.start(hers, JournalPlace::Cluster);
    stage.stand_until(&alice, &first, |run| matches!(run.steps[1], StepState::Done(_)));
    let gone = stage.member(2);
    let seen = bob.until("her run and what it did", |s| {
        let out = |p: &wheelhouse::cluster::Proxy| p.now().is_some_and(|n| n.servers_of(&gone).is_empty());
        !runs(s).is_empty() && s.proxies.values().all(|p| out(p))
    });
    let undo = undo_intent(&runs(&seen)[0].run).unwrap();
    let mut second = bob.start(planned(&bob, &undo), JournalPlace::Cluster);
    let refused = bob.block("the refusal", second.ended());
    assert_eq!(refused.state, RunState::Failed);
    assert!(text(&refused).contains("alice@bastion holds it since "), "{}", text(&refused));
    assert_eq!(stage.drive(&alice, &mut first).state, RunState::Done);
}

/// What the colleague does who comes later.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Resume,
    Undo,
    GiveUp,
}

/// Where the session of the run ends.
#[derive(Clone, Copy, Debug)]
enum Where {
    /// At a write of the journal or the lease, and at all after it.
    Journal(Cut),
    /// At a statement that writes to the database; whether it was carried out.
    Statement(bool),
}

/// Cuts the run of an act off at the `nth` write; false when it was through before it.
fn cut_off(what: impl Fn(&Stage) -> DatabaseAct, nth: usize, at: Where, then: Then) -> bool {
    let stage = Stage::with(1, 100);
    let alice = stage.session("alice@bastion");
    let before = stage.layers(&alice);
    let wanted = act(&alice, what(&stage));
    let loads = wanted.steps.iter().filter(|s| s.change.is_write()).count();
    let place = format!("{at:?} {nth}, {then:?}");
    let faults = stage.ground.cluster.faults();
    match at {
        Where::Journal(when) => {
            if when == Cut::After {
                faults.cut(On::new("WRITE", "*"), nth, Cut::After);
            }
            for _ in 0..200 {
                faults.cut(On::new("WRITE", "*"), nth, Cut::Before);
            }
        }
        Where::Statement(answered) => {
            stage.database().with(|s| s.cuts = Cuts { at: nth, answered, for_good: true, counted: 0 });
        }
    }
    let struck = || match at {
        Where::Journal(_) => faults.hits() > 0,
        Where::Statement(_) => stage.database().with(|s| s.cuts.counted >= nth),
    };
    let mut handle = alice.start(wanted, JournalPlace::Cluster);
    stage.drive_until(&alice, &mut handle, |run| struck() || run.state.is_over(), || {});
    if !struck() {
        alice.block("the end", handle.ended());
        if !struck() {
            return false;
        }
    }
    alice.kill();
    faults.clear();
    stage.database().with(|s| s.cuts = Cuts::default());
    stage.ground.step(60);
    stage.settle();

    let bob = stage.session("bob@bastion");
    let found = bob.until("the journals", |s| s.journals.freshness.is_live());
    let found = runs(&found);
    let loaded = || stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS");
    match (found.as_slice(), then) {
        ([], _) => {
            assert_eq!(loaded(), 0, "{place}: changed without being written down");
            assert_eq!(stage.layers(&bob), before, "{place}");
        }
        ([one], Then::Resume) => {
            assert!(!one.holder.as_ref().is_some_and(|h| h.alive), "{place}: {:?}", one.holder);
            if !one.run.state.is_over() {
                let mut handle = bob.resume(one.run.clone());
                let run = stage.drive(&bob, &mut handle);
                assert_eq!(run.state, RunState::Done, "{place}: {}", text(&run));
            }
            assert_eq!(loaded(), loads, "{place}: each change is loaded once");
            assert_ne!(stage.layers(&bob), before, "{place}");
            assert_eq!(stage.layer(&bob, 0, "main"), stage.layer(&bob, 0, "runtime"), "{place}");
        }
        ([one], Then::Undo) => {
            if let Some(undo) = undo_intent(&one.run) {
                let run = stage.run(&bob, planned(&bob, &undo));
                assert_eq!(run.state, RunState::Done, "{place}: {}", text(&run));
                let marked =
                    |r: &wheelhouse::run::RunSeen| r.run.id == one.run.id && r.run.state == RunState::Undone;
                bob.until("the mark", |s| runs(s).iter().any(marked));
            } else {
                assert_eq!(loaded(), 0, "{place}: changed without being begun");
            }
            stage.settle();
            assert_eq!(
                stage.layers(&bob),
                before,
                "{place}: memory, runtime, disk, who writes and who reads"
            );
        }
        ([one], Then::GiveUp) => {
            let before = (written(&stage), stage.layers(&bob));
            if !one.run.state.is_over() {
                let mut handle = bob.give_up(one.run.clone(), "nobody needs it");
                let run = bob.block("the end", handle.ended());
                assert_eq!(run.state, RunState::Failed, "{place}: {}", text(&run));
                assert!(text(&run).contains("given up by bob@bastion: nobody needs it"), "{}", text(&run));
                let mut handle = bob.resume(one.run.clone());
                let run = bob.block("the refusal", handle.ended());
                assert_eq!(run.state, RunState::Failed, "{place}: what was given up is not taken up");
            }
            assert_eq!((written(&stage), stage.layers(&bob)), before, "{place}: something was written");
        }
        (several, _) => panic!("{place}: {} runs", several.len()),
    }
    assert_eq!((stage.writers(0).len(), stage.cut()), (1, 0), "{place}");
    let held = stage.ground.holders().into_iter().flatten().filter(|h| h.starts_with("bob")).count();
    assert_eq!(held, 0, "{place}: {:?}", stage.ground.holders());
    true
}

/// What was written to the proxy so far.
fn written(stage: &Stage) -> usize {
    ["SAVE", "LOAD", "DELETE", "INSERT", "UPDATE"]
        .iter()
        .map(|verb| stage.heard(Endpoint::Proxy(0), verb))
        .sum()
}

fn at_every(at: Where, then: Then, what: impl Fn(&Stage) -> DatabaseAct) -> usize {
    let mut points = 0;
    while cut_off(&what, points + 1, at, then) {
        points += 1;
        assert!(points < 40, "the run never ends");
    }
    points
}

fn reader_out(stage: &Stage) -> DatabaseAct {
    DatabaseAct::TakeOut { member: member(stage, 2) }
}

fn writer_out(stage: &Stage) -> DatabaseAct {
    DatabaseAct::TakeOut { member: member(stage, 0) }
}

/// Lease, namespace, journal, two records of each of two steps, the end, the lease again.
const RECORDS: usize = 8;

#[test]
fn cut_before_every_record_another_session_finishes_it() {
    assert!(at_every(Where::Journal(Cut::Before), Then::Resume, reader_out) >= RECORDS);
}

#[test]
fn cut_after_every_record_another_session_finishes_it() {
    assert!(at_every(Where::Journal(Cut::After), Then::Resume, reader_out) >= RECORDS);
}

#[test]
fn cut_before_every_record_another_session_takes_it_back() {
    assert!(at_every(Where::Journal(Cut::Before), Then::Undo, reader_out) >= RECORDS);
}

#[test]
fn cut_after_every_record_another_session_takes_it_back() {
    assert!(at_every(Where::Journal(Cut::After), Then::Undo, reader_out) >= RECORDS);
}

/// The writer leaves in two LOADs: memory, surplus writers, the successor among the readers, its own rows, LOAD.
const STATEMENTS: usize = 9;

#[test]
fn cut_before_every_statement_another_session_takes_it_back() {
    assert!(at_every(Where::Statement(false), Then::Undo, writer_out) >= STATEMENTS);
}

#[test]
fn cut_after_every_statement_another_session_takes_it_back() {
    assert!(at_every(Where::Statement(true), Then::Undo, writer_out) >= STATEMENTS);
}

#[test]
fn cut_at_every_statement_another_session_finishes_it() {
    assert!(at_every(Where::Statement(false), Then::Resume, writer_out) >= STATEMENTS);
}

#[test]
fn cut_off_amid_its_statements_it_is_given_up_and_nothing_more_is_written() {
    // Before anything is in memory, amid the edit, at the first LOAD, and at the second.
    for (nth, carried_out) in [(1, false), (3, true), (5, false), (5, true), (9, true)] {
        assert!(cut_off(writer_out, nth, Where::Statement(carried_out), Then::GiveUp), "{nth}");
    }
}

#[test]
fn old_readings_are_no_ground_to_act_on() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let mut seen = wheelhouse::cluster::Snapshot::clone(&alice.now());
    seen.at += Duration::from_secs(60);
    let made = plan(&seen, &Intent::Database { act: reader_out(&stage) });
    let refused: Vec<_> = made.refusals().map(|c| c.rule.as_str()).collect();
    assert!(refused.contains(&"freshness"), "{made}");
}
