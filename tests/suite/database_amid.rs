//! What comes up amid a run: the monitor moves members between two statements, somebody edits memory, a member fails
//! after the plan was made, another session has taken the run over.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use serde_json::Value;
use wheelhouse::{
    demo::database::{Endpoint, Meanwhile},
    plan::{DatabaseAct, Plan},
    run::{Handle, JournalPlace, Run, RunState, StepState},
};

use crate::{
    session::{Session, act, text},
    stage::Stage,
};

fn out(stage: &Stage, session: &Session, member: usize) -> Plan {
    act(session, DatabaseAct::TakeOut { member: stage.member(member).as_str().into() })
}

fn ports(stage: &Stage) -> Vec<u16> {
    stage.database().members.iter().map(|m| m.port()).collect()
}

fn meanwhile(stage: &Stage, statement: &'static str, happens: Meanwhile) {
    stage.database().with(|s| s.meanwhile = Some((statement, happens)));
}

#[test]
fn a_writer_that_moves_amid_an_edit_is_not_left_out_of_what_is_loaded() {
    // Memory was taken, the surplus writers are being deleted: one of them is made the writer.
    for statement in ["SAVE MYSQL SERVERS FROM RUNTIME", "DELETE FROM mysql_servers"] {
        let stage = Stage::with(1, 200);
        let alice = stage.session("alice@bastion");
        let ports = ports(&stage);
        let made = out(&stage, &alice, 2);
        let moves: Meanwhile = Box::new(|s| {
            s.galera.members[0].desync = true;
            s.step(Duration::from_secs(2));
        });
        meanwhile(&stage, statement, moves);
        let mut handle = alice.start(made, JournalPlace::Cluster);
        let over = |run: &Run| run.state.is_over() || run.state == RunState::Paused;
        let loads = || stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS");
        stage.drive_until(&alice, &mut handle, over, || {
            if loads() > 0 {
                assert_eq!(stage.writers(0), [ports[1]], "{statement}");
            }
        });
        let run = alice.block("the end", handle.ended());
        assert_eq!(run.state, RunState::Done, "{statement}: {}", text(&run));
        assert_eq!((stage.writers(0), loads()), (vec![ports[1]], 1), "{statement}");
        assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE MYSQL SERVERS FROM RUNTIME"), 2, "{statement}");
        assert_eq!(stage.hostgroups_of(0, 2), [0; 0], "{statement}");
    }
}

#[test]
fn with_no_writer_amid_an_edit_nothing_is_loaded_and_memory_is_put_back() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = out(&stage, &alice, 2);
    let gone: Meanwhile = Box::new(|s| {
        let rows = s.proxies[0].hostgroups.backends.iter_mut();
        rows.filter(|b| b.hostgroup == 10).for_each(|b| {
            b.status = wheelhouse::demo::database::hostgroups::Status::Shunned;
        });
    });
    meanwhile(&stage, "DELETE FROM mysql_servers", gone);
    let mut handle = alice.start(made, JournalPlace::Cluster);
    // The monitor does not look meanwhile.
    let run = alice.block("the end", async {
        let over = |run: &Run| run.state == RunState::Paused;
        handle.watch.wait_for(over).await.map(|run| run.clone()).unwrap()
    });
    assert!(text(&run).contains("has no writer now"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
    assert_eq!(stage.layer(&alice, 0, "main"), stage.layer(&alice, 0, "runtime"), "memory is as it runs");
}

#[test]
fn what_somebody_edits_in_memory_amid_ours_is_not_loaded_with_it() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = out(&stage, &alice, 2);
    let port = ports(&stage)[1];
    let edits: Meanwhile =
        Box::new(move |s| s.tell(0, &format!("UPDATE mysql_servers SET weight = 7 WHERE port = {port}")));
    meanwhile(&stage, "DELETE FROM mysql_servers", edits);
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    let words =
        format!("somebody edits {} in its memory at this moment: nothing was loaded", stage.member(1));
    assert!(text(&run).contains(&words), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
    assert!(
        stage.layer(&alice, 0, "main").iter().any(|row| row.contains(" 7 ")),
        "their edit is still theirs"
    );
}

#[test]
fn what_has_failed_since_the_plan_is_judged_again_before_each_write() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    // Thought over for long: meanwhile the others can no longer write.
    let made = out(&stage, &alice, 2);
    stage.database().with(|s| (0..2).for_each(|at| s.galera.members[at].read_only = true));
    alice.until("read-only members", |s| {
        s.galera.values().filter(|m| m.now().is_some_and(|n| n.read_only)).count() == 2
    });
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("none would be left"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "SAVE MYSQL SERVERS"), 0);
}

#[test]
fn a_weight_that_would_move_the_writer_by_now_is_not_given() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let ports = ports(&stage);
    let weigh = |at: usize, weight| DatabaseAct::Weight { member: stage.member(at).as_str().into(), weight };
    // Agreed to with a yes: the first has 100. Then somebody makes the first lighter.
    let made = act(&alice, weigh(2, 70));
    assert!(!made.database.as_ref().unwrap().moves_writer, "{made}");
    stage.database().with(|s| {
        let rows = s.proxies[0].hostgroups.backends.iter_mut();
        rows.filter(|b| b.port == ports[0]).for_each(|b| b.weight = 60);
    });
    let (proxy, first) = (stage.proxy(0), stage.member(0));
    alice.until("the lighter writer", |s| {
        let status = s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap();
        status.servers_of(&first).iter().all(|row| row.weight == 60)
    });
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("it would take the writes of"), "{}", text(&run));
    assert_eq!(stage.writers(0), [ports[0]]);
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
}

#[test]
fn a_member_that_writes_by_now_is_not_desynced() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = act(&alice, DatabaseAct::Desync { member: stage.member(1).as_str().into() });
    let port = ports(&stage)[1];
    stage.database().with(|s| {
        s.galera.members[0].read_only = true;
        s.step(Duration::from_secs(2));
    });
    assert_eq!(stage.writers(0), [port]);
    let proxy = stage.proxy(0);
    alice.until("the other writer", |s| {
        let status = s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap();
        status.online_writers(&status.hostgroups).iter().any(|a| a.ends_with(&port.to_string()))
    });
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("takes the writes of"), "{}", text(&run));
    assert!(!stage.database().with(|s| s.galera.members[1].desync));
}

#[test]
fn a_member_that_has_just_begun_to_donate_is_found_out_by_its_own_word() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = act(&alice, DatabaseAct::Desync { member: stage.member(2).as_str().into() });
    // Looked at once before the run goes on, and once right before the statement: only then it begins to donate.
    const ASKED: &str = "SELECT @@global.wsrep_desync";
    let then: Meanwhile = Box::new(|s| s.galera.members[2].donating = Some(0));
    meanwhile(&stage, ASKED, Box::new(move |s| s.meanwhile = Some((ASKED, then))));
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("donates to another member"), "{}", text(&run));
    assert!(!stage.database().with(|s| s.galera.members[2].desync));
}

/// An entry as a session with this token writes it.
fn entry(by: &str, token: i64) -> String {
    format!("{{\"at\":\"2026-11-21T09:00:00Z\",\"by\":\"{by}\",\"token\":{token},\"event\":\"taken\"}}\n")
}

fn events(journal: &Value) -> String {
    journal["data"]["events"].as_str().unwrap().to_owned()
}

/// A session takes a member out, and has done the first step.
fn begun(stage: &Stage) -> (Session, Handle) {
    let alice = stage.session("alice@bastion");
    let made = out(stage, &alice, 2);
    let handle = alice.start(made, JournalPlace::Cluster);
    stage.stand_until(&alice, &handle, |run| matches!(run.steps[0], StepState::Done(_)));
    (alice, handle)
}

#[test]
fn a_session_that_was_overtaken_writes_nothing_more_into_the_journal() {
    let stage = Stage::with(1, 200);
    let (alice, mut handle) = begun(&stage);
    // She has not noticed yet: another session holds the lease, and has written.
    let id = handle.watch.borrow().id.clone();
    let mut written = String::new();
    stage.ground.change("configmaps", &format!("run-{id}"), |journal| {
        written = events(journal) + &entry("bob@bastion", 9);
        journal["data"]["events"] = written.clone().into();
    });
    let run = stage.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("bob@bastion has taken the run over"), "{}", text(&run));
    stage.ground.change("configmaps", &format!("run-{id}"), |journal| {
        assert_eq!(events(journal), written, "what he wrote stays as it is");
    });
}

#[test]
fn a_session_with_an_older_token_takes_no_run_up_and_a_deleted_lease_makes_none_older() {
    let stage = Stage::with(1, 200);
    let (alice, mut handle) = begun(&stage);
    handle.pause();
    let paused = alice.block("the pause", handle.ended());
    assert_eq!(paused.state, RunState::Paused, "{}", text(&paused));
    let journal = format!("run-{}", paused.id);
    stage.ground.change("configmaps", &journal, |journal| {
        journal["data"]["events"] = (events(journal) + &entry("carol@bastion", 40)).into();
        journal["metadata"]["labels"]["wheelhouse.dev/state"] = "running".into();
    });
    // He chose to resume on what he saw before that was written.
    let bob = stage.session("bob@bastion");
    let mut handle = bob.resume(paused.clone());
    let refused = bob.block("the refusal", handle.ended());
    assert!(text(&refused).contains("a session with a newer lease has written"), "{}", text(&refused));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 1);
    // Whoever sees it goes on, also where the lease begins again.
    stage.ground.delete("leases", "wheelhouse-database");
    let seen = bob.until("her entry", |s| {
        wheelhouse::run::runs(s).iter().any(|r| r.run.entries.iter().any(|e| e.token == 40))
    });
    let mut handle = bob.resume(wheelhouse::run::runs(&seen).remove(0).run);
    let done = stage.drive(&bob, &mut handle);
    assert_eq!(done.state, RunState::Done, "{}", text(&done));
    assert_eq!(done.entries.last().unwrap().token, 41);
}

/// A session with LOCK TABLES on the last member, whose applier waits for it.
fn locked(stage: &Stage) -> u64 {
    use wheelhouse::demo::database::member::Hold;
    stage.database().with(|s| {
        let id = s.galera.hold(2, "app", Hold::TableLock("t WRITE".into()));
        s.step(Duration::from_secs(4));
        id
    })
}

fn desync(stage: &Stage) -> DatabaseAct {
    DatabaseAct::Desync { member: stage.member(2).as_str().into() }
}

#[test]
fn a_desync_that_would_wait_behind_a_lock_is_not_sent() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    // Planned before the lock, run after it.
    let made = act(&alice, desync(&stage));
    locked(&stage);
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("lock"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Member(2), "SET GLOBAL wsrep_desync"), 0);
    // Planned now it is refused, with what holds it back, and the finding says what ends it.
    let so = |s: &wheelhouse::cluster::Snapshot| {
        s.galera.values().any(|m| {
            m.now().is_some_and(|n| {
                n.threads.as_ref().is_some_and(|t| t.applier_blocked.is_some())
                    && n.flow.share.unwrap_or(0.0) > 0.2
            })
        })
    };
    let mut seen = alice.now();
    while !so(&seen) {
        stage.database().step(Duration::from_millis(500));
        let last = seen.revision;
        seen = alice.until("news", |s| s.revision > last);
    }
    let refused = wheelhouse::plan::plan(&seen, &wheelhouse::plan::Intent::Database { act: desync(&stage) });
    assert!(
        refused.refusals().any(|c| c.text.contains("has waited") && c.text.contains("lock")),
        "{refused}"
    );
    let told = wheelhouse::cluster::findings(&seen);
    let flow = told.iter().find(|f| f.rule == "flow-control").expect("all writes wait");
    assert!(flow.remedy.as_deref().is_some_and(|r| r.contains("KILL")), "{flow:?}");
}

#[test]
fn a_desync_without_an_answer_is_sent_once_however_often_the_run_is_resumed() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = act(&alice, desync(&stage));
    // The lock comes right after everything was looked at.
    let lock: Meanwhile = Box::new(|s| {
        s.galera.hold(2, "app", wheelhouse::demo::database::member::Hold::TableLock("t WRITE".into()));
        s.step(Duration::from_secs(4));
    });
    meanwhile(
        &stage,
        "SELECT ID, USER, HOST, COMMAND, TIME, STATE, LEFT(INFO, 400) AS INFO, STAGE, MAX_STAGE, PROGRESS FROM information_schema.PROCESSLIST WHERE ID",
        lock,
    );
    let sent = || stage.heard(Endpoint::Member(2), "SET GLOBAL wsrep_desync");
    let run = stage.run(&alice, made);
    assert_eq!((run.state, sent()), (RunState::Paused, 1), "{}", text(&run));
    assert!(text(&run).contains("is not sent again while it may be pending"), "{}", text(&run));
    for _ in 0..2 {
        let mut handle = alice.resume(run.clone());
        let again = stage.drive(&alice, &mut handle);
        assert_eq!((again.state, sent()), (RunState::Paused, 1), "{}", text(&again));
    }
    // Once the lock is gone it takes effect, and the run goes on.
    stage.database().with(|s| {
        let holds: Vec<_> = s.galera.members[2]
            .sessions
            .iter()
            .filter(|(_, s)| s.hold.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in holds {
            s.galera.end_session(2, id);
        }
        s.step(Duration::from_secs(5));
    });
    let mut handle = alice.resume(run);
    let done = stage.drive(&alice, &mut handle);
    assert_eq!((done.state, sent()), (RunState::Done, 1), "{}", text(&done));
    assert_eq!(stage.database().with(|s| s.galera.members[2].desync_count()), 1);
}

#[test]
fn sessions_on_a_writer_that_was_are_cut_as_predicted_and_not_unpredicted() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let port = ports(&stage)[1];
    stage.database().with(|s| {
        let place = ("127.0.0.1".to_owned(), port);
        s.proxies[0].hostgroups.pinned.insert((10, place), 4);
        s.step(Duration::from_secs(1));
    });
    let proxy = stage.proxy(0);
    alice.until("the sessions", |s| {
        let status = s.proxies.get(&proxy.as_str().into()).unwrap().now().unwrap();
        status
            .pinned
            .iter()
            .any(|p| p.hostgroup == 10 && p.address.ends_with(&port.to_string()) && p.sessions == 4)
    });
    let made = act(&alice, DatabaseAct::Weight { member: stage.member(2).as_str().into(), weight: 11 });
    let told: u32 = made.database.as_ref().unwrap().cut.iter().filter_map(|c| c.clients).sum();
    assert_eq!(told, 4, "{made}");
    assert_eq!(stage.cut(), 0);
    let run = stage.run(&alice, made);
    assert_eq!((run.state, stage.cut()), (RunState::Done, 4), "{}", text(&run));
}

#[test]
fn with_a_monitor_that_was_switched_off_since_the_plan_nothing_is_written() {
    let stage = Stage::with(1, 200);
    let alice = stage.session("alice@bastion");
    let made = out(&stage, &alice, 2);
    stage.tell(&alice, 0, "SET mysql-monitor_enabled='false'");
    stage.tell(&alice, 0, "LOAD MYSQL VARIABLES TO RUNTIME");
    let run = stage.run(&alice, made);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("its monitor is switched off"), "{}", text(&run));
    assert_eq!(stage.heard(Endpoint::Proxy(0), "LOAD MYSQL SERVERS"), 0);
}
