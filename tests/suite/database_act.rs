//! Acts on the database, carried out against the simulated one: what clients notice, what is undone, what is held off,
//! and what another session makes of a run that was cut off at any write.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use wheelhouse::{
    cluster::{Drift, Layers, ServerRow, Snapshot},
    demo::database::{Cuts, Endpoint},
    plan::{
        About, Change, DatabaseAct, DatabasePart, Desync, Desynced, Holds, Intent, Plan, Save, Servers, Step,
        Verdict,
    },
    run::{Event, JournalPlace, Run, RunState, StepState, rehearse, runs},
};

use crate::{
    session::{Session, text},
    stage::Stage,
};

fn plan(session: &Session, act: DatabaseAct, changes: Vec<Change>) -> Plan {
    let about = About::Database;
    let part = DatabasePart {
        act: act.clone(),
        subject: "a member".into(),
        now: vec![],
        after: vec![],
        cut: vec![],
        checks: vec![],
        sql: vec![],
        undo: String::new(),
        moves_writer: false,
        without: vec![],
        names: Default::default(),
    };
    Plan {
        on_failure: Default::default(),
        id: "test".into(),
        intent: Intent::Database { act },
        seen: session.now().revision,
        at: session.now().at,
        tenants: vec![],
        nodes: vec![],
        database: Some(part),
        steps: changes.into_iter().map(|change| Step::new(about.clone(), change, 60)).collect(),
        checks: vec![],
    }
}

/// The rows of a member in a proxy as this session sees them, and as they are to be.
fn change(
    stage: &Stage,
    session: &Session,
    proxy: usize,
    member: usize,
    to: impl Fn(ServerRow) -> Option<ServerRow>,
) -> Change {
    let (proxy, address) = (stage.proxy(proxy), stage.member(member));
    let from = session.now().proxies.get(&proxy.as_str().into()).unwrap().now().unwrap().servers_of(&address);
    let to = from.iter().cloned().filter_map(to).collect();
    Change::Servers(Servers { proxy: proxy.as_str().into(), address: address.as_str().into(), from, to })
}

/// The wait that belongs to a change.
fn holds(change: &Change, as_writer: Option<bool>) -> Change {
    let Change::Servers(Servers { proxy, address, to, .. }) = change else { panic!("{change} has no rows") };
    Change::Holds(Holds { proxy: proxy.clone(), address: address.clone(), rows: to.clone(), as_writer })
}

fn take_out(stage: &Stage, session: &Session, member: usize, proxies: usize) -> Plan {
    let changes = (0..proxies).flat_map(|p| {
        let change = change(stage, session, p, member, |_| None);
        let wait = holds(&change, None);
        [change, wait]
    });
    let act = DatabaseAct::TakeOut { member: stage.member(member).as_str().into() };
    plan(session, act, changes.collect())
}

/// The changes of a run the other way round.
fn taken_back(session: &Session, run: &Run) -> Plan {
    let changes = run.made().into_iter().rev().flat_map(|(_, change)| {
        let back = change.invert().unwrap();
        let wait = match &back {
            Change::Servers(_) => holds(&back, None),
            Change::Desync(Desync { member, to, .. }) => {
                Change::Desynced(Desynced { member: member.clone(), desynced: *to })
            }
            other => panic!("{other} has no inverse"),
        };
        [back, wait]
    });
    let act = run.plan().database.clone().unwrap().act;
    plan(session, act, changes.collect())
}

fn weighed(weight: u64) -> impl Fn(ServerRow) -> Option<ServerRow> {
    move |row| Some(ServerRow { weight, ..row })
}

#[test]
fn a_reader_leaves_every_proxy_and_comes_back_and_no_client_notices() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let plan = take_out(&stage, &alice, 2, 2);
    let rehearsed = alice.block("a rehearsal", rehearse(&alice.access, &plan));
    assert!(rehearsed.checks.iter().all(|c| c.verdict == Verdict::Ok), "{:?}", rehearsed.checks);
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE"), 0, "a rehearsal writes nothing");
    let writer = stage.database().members[0].port();
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let over = |run: &Run| run.state.is_over() || run.state == RunState::Paused;
    stage.drive_until(&alice, &mut handle, over, || {
        assert_eq!((stage.writers(0), stage.writers(1)), (vec![writer], vec![writer]));
    });
    let run = alice.block("the end", handle.ended());
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    for proxy in 0..2 {
        assert_eq!(stage.hostgroups_of(proxy, 2), [0; 0]);
        assert_eq!(stage.heard(Endpoint::Proxy(proxy), "LOAD MYSQL SERVERS"), 1);
    }
    let found = alice.until("the journal", |s| runs(s).iter().any(|r| r.run.state == RunState::Done));
    assert_eq!(runs(&found)[0].run.entries, run.entries, "the journal says what was shown");
    assert_eq!(stage.ground.holders(), [None], "the lease of the database was given back");

    let back = stage.run(&alice, taken_back(&alice, &run));
    assert_eq!(back.state, RunState::Done, "{}", text(&back));
    assert_eq!(stage.hostgroups_of(0, 2), [10, 20, 30]);
    assert_eq!(stage.cut(), 0, "no client was cut");
}

#[test]
fn the_writers_rows_are_not_taken_while_it_writes() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let run = stage.run(&alice, take_out(&stage, &alice, 0, 1));
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("move the writer first"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE"), 0, "nothing was written");
    assert_eq!(stage.writers(0), [stage.database().members[0].port()]);
}

#[test]
fn the_heaviest_writes_and_what_is_saved_survives_a_restart() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let heavier = change(&stage, &alice, 0, 2, weighed(500));
    let wait = holds(&heavier, Some(true));
    let act = DatabaseAct::MoveWriter { member: stage.member(2).as_str().into() };
    let run = stage.run(&alice, plan(&alice, act, vec![heavier, wait]));
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    let third = stage.database().members[2].port();
    assert_eq!((stage.writers(0), stage.cut()), (vec![third], 0));

    let proxy = stage.proxy(0);
    alice.until("the drift", |s| {
        s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap().drift.iter().flatten().count() > 0
    });
    let save = Change::Save(Save { proxy: proxy.as_str().into(), from: "db3".into() });
    let act = DatabaseAct::Save { proxy: Some(proxy.as_str().into()) };
    let run = stage.run(&alice, plan(&alice, act, vec![save]));
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE MYSQL SERVERS TO DISK"), 1);
    stage.database().with(|s| s.proxies[0].restart());
    assert_eq!(stage.writers(0).len(), 1, "the disk has one writer, not all");
    stage.database().step(Duration::from_secs(10));
    assert_eq!(stage.writers(0), [third]);
}

#[test]
fn a_member_is_desynced_and_back_but_never_while_it_donates() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let member = stage.member(2);
    let name = || member.as_str().into();
    let act = DatabaseAct::Desync { member: name() };
    let changes = vec![
        Change::Desync(Desync { member: name(), from: false, to: true }),
        Change::Desynced(Desynced { member: name(), desynced: true }),
    ];
    let desync = plan(&alice, act, changes);
    let run = stage.run(&alice, desync.clone());
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert!(stage.database().with(|s| s.galera.members[2].desync));
    let run = stage.run(&alice, taken_back(&alice, &run));
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert!(!stage.database().with(|s| s.galera.members[2].desync));

    stage.database().with(|s| s.galera.members[2].donating = Some(0));
    let run = stage.run(&alice, desync);
    assert_eq!(run.state, RunState::Paused);
    // As it was seen, or as it says itself when it was not seen yet.
    let told =
        ["is donor, not synced", "donates to another member"].iter().any(|words| text(&run).contains(words));
    assert!(told, "{}", text(&run));
    assert!(!stage.database().with(|s| s.galera.members[2].desync));
}

#[test]
fn what_has_become_read_only_since_the_plan_is_not_written() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let out = take_out(&stage, &alice, 2, 1);
    stage.tell(&alice, 0, "SET admin-read_only='true'");
    stage.tell(&alice, 0, "LOAD ADMIN VARIABLES TO RUNTIME");
    let rehearsed = alice.block("a rehearsal", rehearse(&alice.access, &out));
    let refused = |text: &str| text.contains("admin-read_only is true");
    assert!(
        rehearsed.checks.iter().any(|c| c.verdict == Verdict::Refuse && refused(&c.text)),
        "{rehearsed:?}"
    );
    let run = stage.run(&alice, out);
    assert!(run.state == RunState::Paused && refused(text(&run)), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE"), 0);
}

#[test]
fn somebody_elses_change_pauses_the_run_and_stays() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let plan = take_out(&stage, &alice, 2, 1);
    let port = stage.database().members[2].port();
    stage.tell(&alice, 0, &format!("UPDATE mysql_servers SET weight = 77 WHERE port = {port}"));
    stage.tell(&alice, 0, "LOAD MYSQL SERVERS TO RUNTIME");
    let loads = stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS");
    let run = stage.run(&alice, plan);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("77"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), loads);
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE MYSQL SERVERS"), 0);
}

#[test]
fn what_somebody_changes_between_two_attempts_is_not_written_over() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let port = stage.database().members[2].port();
    // Nothing comes through, so it is tried again; the next attempt finds other rows than were decided upon.
    stage.database().with(|s| s.cuts = Cuts { at: 1, answered: false, for_good: true, counted: 0 });
    let mut handle = alice.start(take_out(&stage, &alice, 2, 1), JournalPlace::Cluster);
    let tried = || stage.database().with(|s| s.cuts.counted) > 0;
    stage.drive_until(&alice, &mut handle, |run| tried() || run.state.is_over(), || {});
    stage.database().with(|s| {
        let rows = s.proxies[0].hostgroups.backends.iter_mut().filter(|b| b.port == port);
        rows.for_each(|b| b.weight = 77);
        s.cuts = Cuts::default();
    });
    let run = stage.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("weight 77") && text(&run).contains("not as planned"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
}

#[test]
fn a_second_operator_is_held_off_by_the_lease() {
    let stage = Stage::new();
    let (alice, bob) = (stage.session("alice@bastion"), stage.session("bob@bastion"));
    let (hers, his) = (take_out(&stage, &alice, 2, 1), take_out(&stage, &bob, 1, 1));
    let mut first = alice.start(hers, JournalPlace::Cluster);
    stage.stand_until(&alice, &first, |run| matches!(run.steps[0], StepState::Done(_)));
    let mut second = bob.start(his, JournalPlace::Cluster);
    let refused = bob.block("the refusal", second.ended());
    assert_eq!(refused.state, RunState::Failed);
    assert!(text(&refused).contains("wheelhouse-database"), "{}", text(&refused));
    assert!(text(&refused).contains("alice@bastion"), "{}", text(&refused));
    assert_eq!(stage.drive(&alice, &mut first).state, RunState::Done);
    assert_eq!(stage.hostgroups_of(0, 1), [10, 20, 30]);
}

#[test]
fn without_the_rights_nothing_is_begun_and_the_rehearsal_says_so() {
    let stage = Stage::new();
    let logins = stage.database().credentials;
    let mut alice = stage.session("alice@bastion");
    let weak = stage.session_by("bob@bastion", logins.monitor, logins.proxy_stats);
    let out = take_out(&stage, &alice, 2, 1);
    let name = || stage.member(2).as_str().into();
    let act = DatabaseAct::Desync { member: name() };
    let desync = plan(&alice, act, vec![Change::Desync(Desync { member: name(), from: false, to: true })]);
    for (plan, word) in [(&out, "only its statistics"), (&desync, "SUPER")] {
        let found = weak.block("a rehearsal", rehearse(&weak.access, plan));
        let refused = found.checks.iter().find(|c| c.verdict == Verdict::Refuse).expect("a refusal");
        assert!(refused.text.contains(word), "{refused:?}");
        for secret in [logins.monitor.1, logins.proxy_stats.1] {
            assert!(!format!("{found:?}").contains(secret), "a password is told");
        }
    }
    alice.access.read_only = true;
    let run = stage.run(&alice, out);
    assert_eq!(run.state, RunState::Failed);
    assert!(text(&run).contains("read-only"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE"), 0);
}

/// Cuts the connection at the `nth` write to the database; false when the run was through before it.
fn crash(nth: usize, answered: bool, dies: bool) -> bool {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let plan = take_out(&stage, &alice, 2, 1);
    stage.database().with(|s| s.cuts = Cuts { at: nth, answered, for_good: dies, counted: 0 });
    let struck = || stage.database().with(|s| s.cuts.counted >= nth);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let place = format!("write {nth}, answered {answered}, dies {dies}");
    let run = if dies {
        stage.drive_until(&alice, &mut handle, |run| struck() || run.state.is_over(), || {});
        if !struck() {
            return false;
        }
        alice.kill();
        stage.database().with(|s| s.cuts = Cuts::default());
        stage.ground.step(60);
        let bob = stage.session("bob@bastion");
        let found = bob.until("the run", |s| !runs(s).is_empty());
        let found = runs(&found).remove(0);
        assert!(!found.run.state.is_over(), "{place}");
        let mut handle = bob.resume(found.run);
        stage.drive(&bob, &mut handle)
    } else {
        let run = stage.drive(&alice, &mut handle);
        if !struck() {
            return false;
        }
        run
    };
    assert_eq!(run.state, RunState::Done, "{place}: {}", text(&run));
    assert_eq!(stage.hostgroups_of(0, 2), [0; 0], "{place}");
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 1, "{place}: loaded once");
    assert_eq!((stage.writers(0).len(), stage.cut()), (1, 0), "{place}");
    let done = run.entries.iter().filter(|e| matches!(e.event, Event::Done { step: 0, .. })).count();
    assert_eq!(done, 1, "{place}");
    true
}

/// Save, the surplus writer, the server, load.
fn cut_at_every_write(answered: bool, dies: bool) {
    let mut points = 0;
    while crash(points + 1, answered, dies) {
        points += 1;
        assert!(points < 20, "the run never ends");
    }
    assert_eq!(points, 4, "answered {answered}, dies {dies}");
}

#[test]
fn cut_before_every_write_it_is_found_out_what_came_of_it() {
    cut_at_every_write(false, false);
}

#[test]
fn cut_after_every_write_it_is_found_out_what_came_of_it() {
    cut_at_every_write(true, false);
}

#[test]
fn cut_before_every_write_and_gone_another_session_finds_out_what_came_of_it() {
    cut_at_every_write(false, true);
}

#[test]
fn cut_after_every_write_and_gone_another_session_finds_out_what_came_of_it() {
    cut_at_every_write(true, true);
}

#[test]
fn an_answer_is_no_proof_what_is_read_afterwards_is() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    let (member, proxy) = (stage.member(2), stage.proxy(0));
    let name = || member.as_str().into();
    let weight = change(&stage, &alice, 0, 2, weighed(70));
    let act = DatabaseAct::Weight { member: name(), weight: 70 };
    let run = stage.run(&alice, plan(&alice, act, vec![weight]));
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    let running = |s: &Snapshot| {
        let status = s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap();
        status.servers_of(&member).iter().all(|row| row.weight == 70)
    };
    // The drift is known as soon as the weight is: who has changed one saves it at once.
    alice.until("the weight, and in the same moment the drift", |s| {
        let status = s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap();
        let unsaved = |d: &Drift| &*d.table == "mysql_servers" && d.layers == Layers::RuntimeDisk;
        assert!(!running(s) || status.drift.iter().flatten().any(unsaved), "{:?}", status.drift);
        running(s)
    });
    let desync = Change::Desync(Desync { member: name(), from: false, to: true });
    let save = Change::Save(Save { proxy: proxy.as_str().into(), from: "db3".into() });
    let cases = [
        ("LOAD MYSQL SERVERS", change(&stage, &alice, 0, 2, |_| None), "answered the LOAD, and still has"),
        ("SAVE MYSQL SERVERS TO DISK", save, "answered the SAVE, and its disk still differs"),
        ("SET GLOBAL wsrep_desync", desync, "answered, and wsrep_desync is still OFF"),
    ];
    for (statement, change, words) in cases {
        stage.database().with(|s| s.deaf_to = Some(statement));
        let act = DatabaseAct::TakeOut { member: name() };
        let run = stage.run(&alice, plan(&alice, act, vec![change]));
        assert_eq!(run.state, RunState::Paused, "{statement}: {}", text(&run));
        assert!(text(&run).contains(words), "{statement}: {}", text(&run));
        let done = |e: &wheelhouse::run::Entry| matches!(e.event, Event::Done { .. });
        assert!(!run.entries.iter().any(done), "{statement}: {:?}", run.entries);
        // Of what was edited nothing is left to the next case.
        stage.database().with(|s| s.deaf_to = None);
        stage.tell(&alice, 0, "SAVE MYSQL SERVERS FROM RUNTIME");
        let mut handle = alice.give_up(run, "the answer was no proof");
        assert_eq!(alice.block("the end", handle.ended()).state, RunState::Failed);
    }
}
