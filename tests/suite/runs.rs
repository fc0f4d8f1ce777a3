//! Runs against the embedded cluster: what is written, who may, and what happens when something is in the way.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{os::unix::fs::PermissionsExt, time::Duration};

use serde_json::{Value, json};
use wheelhouse::{
    cluster::Snapshot,
    demo::{AccessRule, Kind, On},
    plan::{self, Change, Verdict},
    run::{
        Event, JournalPlace, Run, RunSeen, RunState, StepState, find, left_by_losing_it, local_journals,
        rehearse, runs, undo_intent,
    },
};

use crate::{
    program::{self, Home},
    session::{Ground, Session, text},
};

/// The run stands waiting for pods.
fn settling(run: &Run) -> bool {
    run.steps.get(1) == Some(&StepState::Started)
}

fn read_only_user(ground: &Ground, name: &str, more: Vec<AccessRule>) -> String {
    let mut rules = vec![AccessRule::new(&["get", "list", "watch"], &["*"], None)];
    rules.extend(more);
    ground.cluster.kubeconfig_for(&ground.cluster.users().add(name, &rules))
}

#[test]
fn a_run_goes_from_the_lease_to_the_verified_result_and_leaves_its_record() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    let (before, rehearsed) =
        (ground.replicas("acme"), alice.block("a rehearsal", rehearse(&alice.access, &plan)));
    assert!(rehearsed.checks.iter().all(|c| c.verdict == Verdict::Ok), "{:?}", rehearsed.checks);
    assert_eq!(rehearsed.journal_missing, Vec::<String>::new());
    assert!(ground.holders().is_empty() && ground.replicas("acme") == before, "a rehearsal moves nothing");

    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_eq!(ground.replicas("acme"), before + 1);
    assert_eq!(ground.holders(), [None]);
    let told = ground.events("acme");
    assert_eq!(
        told,
        [format!("alice@bastion scaled acme from {before} to {} (run {}): a test", before + 1, run.id)]
    );

    let order: Vec<_> =
        run.entries.iter().map(|e| serde_json::to_value(&e.event).unwrap()["event"].clone()).collect();
    assert_eq!(order, ["taken", "started", "done", "started", "done", "verified", "finished"]);
    let seen = alice.until("the journal", |s| runs(s).iter().any(|r| r.run.state == RunState::Done));
    let found = runs(&seen);
    assert_eq!(find(&found, run.short()).unwrap().run.entries, run.entries);

    let path = ground.state_dir().join("audit.jsonl");
    let mode = |p: &std::path::Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&ground.state_dir())), (0o600, 0o700));
    let audit = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = audit.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), run.entries.len());
    assert_eq!(lines[1]["kubectl"], run.plan().tenants[0].kubectl.as_str());
    for (key, value) in
        [("operator", "alice@bastion"), ("user", "operator"), ("reason", "a test"), ("event", "started")]
    {
        assert_eq!(lines[1][key], value, "{key}");
    }
}

#[test]
fn two_sessions_that_want_one_tenant_one_gets_it_and_the_other_is_told_who_has_it() {
    let ground = Ground::new();
    let (alice, bob) = (ground.session("alice@bastion"), ground.session("bob@bastion"));
    let (plan, generation) = (bob.plan("acme", 2), ground.generation("acme"));
    let mut first = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    ground.drive_until(&alice, &mut first, settling);

    let mut second = bob.start(plan, JournalPlace::Cluster);
    let refused = bob.block("the refusal", second.ended());
    assert_eq!(refused.state, RunState::Failed);
    assert!(text(&refused).contains("alice@bastion holds it since"), "{}", text(&refused));
    assert!(text(&refused).contains(&first.id), "{}", text(&refused));

    // Nor may it be resumed from under her.
    let seen = bob.until("her run", |s| !runs(s).is_empty() && !s.leases.is_empty());
    let hers = runs(&seen).remove(0);
    assert!(hers.holder.as_ref().is_some_and(|h| h.alive && h.who == "alice@bastion"), "{:?}", hers.holder);
    let mut again = bob.resume(hers.run);
    let refused = bob.block("the refusal", again.ended());
    assert_eq!(refused.state, RunState::Paused);
    assert!(text(&refused).contains("alice@bastion"), "{}", text(&refused));

    assert_eq!(ground.drive(&alice, &mut first).state, RunState::Done);
    assert_eq!(ground.generation("acme"), generation + 1);
    assert_eq!(alice.runs().len(), 1, "a refused run leaves no journal");
}

#[test]
fn another_tenant_is_nobodys_business() {
    let ground = Ground::new();
    let (alice, bob) = (ground.session("alice@bastion"), ground.session("bob@bastion"));
    let mut first = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    ground.drive_until(&alice, &mut first, settling);
    let mut second = bob.start(bob.plan("globex", 1), JournalPlace::Cluster);
    assert_eq!(ground.drive(&bob, &mut second).state, RunState::Done);
    assert_eq!(ground.drive(&alice, &mut first).state, RunState::Done);
}

#[test]
fn one_session_cannot_run_two_plans_on_one_tenant() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let (plan, another) = (alice.plan("acme", 1), alice.plan("acme", 2));
    let mut first = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut first, settling);
    let mut second = alice.start(another, JournalPlace::Cluster);
    assert_eq!(alice.block("the refusal", second.ended()).state, RunState::Failed);
    assert_eq!(ground.drive(&alice, &mut first).state, RunState::Done);
}

/// Alice's renewals did not get through for so long that Bob went on with her run: what she does then does not count.
#[test]
fn who_has_lost_the_lease_stops() {
    let ground = Ground::new();
    let everything = AccessRule::new(&["*"], &["*"], None);
    let mut alice = ground.session_with("alice@bastion", &read_only_user(&ground, "alice", vec![everything]));
    let bob = ground.session("bob@bastion");
    let generation = ground.generation("acme");
    alice.access.lease_seconds = 3;
    // Planned before she can see that no node takes another pod.
    let made = alice.plan("acme", 1);
    ground.cordon(true);
    let mut first = alice.start(made, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut first, settling);
    ground.cluster.faults().deny(Some("alice"), "update", "leases.coordination.k8s.io");
    alice.block("a late lease", async {
        let late = |r: &Run| r.doing.as_deref().is_some_and(|d| d.contains("nothing is written until it is"));
        first.watch.wait_for(late).await.unwrap();
    });

    let seen = bob.until("her run", |s| runs(s).first().is_some_and(|r| settling(&r.run)));
    ground.step(30);
    let mut second = bob.resume(runs(&seen).remove(0).run);
    bob.block("a resumption", async {
        second.watch.wait_for(|r| r.entries.iter().any(|e| e.by == "bob@bastion")).await.unwrap();
    });
    ground.cluster.faults().clear();
    let lost = alice.block("the loss", first.ended());
    assert_eq!(lost.state, RunState::Paused);
    assert!(text(&lost).contains("bob@bastion"), "{}", text(&lost));

    ground.cordon(false);
    let run = ground.drive(&bob, &mut second);
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    let token = |by: &str| run.entries.iter().filter(|e| e.by == by).map(|e| e.token).collect::<Vec<_>>();
    assert!(token("alice@bastion").iter().max() < token("bob@bastion").iter().min(), "{:?}", run.entries);
    assert_eq!(ground.generation("acme"), generation + 1);
}

#[test]
fn a_paused_run_is_finished_by_a_colleague() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, settling);
    handle.pause();
    let paused = alice.block("the pause", handle.ended());
    assert_eq!((paused.state, text(&paused)), (RunState::Paused, "paused by alice@bastion"));
    assert_eq!(ground.holders(), [None]);
    let bob = ground.session("bob@bastion");
    let found = bob.runs().remove(0);
    assert_eq!((found.run.state, found.holder), (RunState::Paused, None));
    let mut handle = bob.resume(found.run);
    let run = ground.drive(&bob, &mut handle);
    assert_eq!(run.state, RunState::Done);
    assert_eq!(run.entries.iter().filter(|e| e.event == Event::Started { step: 0 }).count(), 1);
}

#[test]
fn somebody_elses_change_pauses_the_run_and_stays() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    ground.set_replicas("acme", 9);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("asks for 9 replicas"), "{}", text(&run));
    assert_eq!((ground.replicas("acme"), ground.holders()), (9, vec![None]));

    // What would pause at once again is not offered, by no screen and no command.
    let seen = alice.until("the pause", |s| {
        s.leases.values().all(|lease| lease.holder.is_none())
            && runs(s).first().is_some_and(|known| known.run.state == RunState::Paused)
    });
    let offers = runs(&seen).remove(0).offers(&seen);
    assert!(offers.resume.is_err_and(|why| why.contains("asks for 9 replicas")));
    assert_eq!(offers.give_up, Ok(()));
    let why = told(&ground.cluster.kubeconfig(), &["runs", "resume", &run.id, "--yes"]);
    assert!(why.contains("asks for 9 replicas"), "{why}");
    let seen = alice.until("the run", |s| !runs(s).is_empty());
    assert_eq!(runs(&seen).remove(0).run.entries, run.entries, "nothing is written");
}

#[test]
fn a_run_whose_change_somebody_took_back_is_only_closed() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let before = ground.replicas("acme");
    let plan = alice.plan("acme", 1);
    ground.cordon(true);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, settling);
    ground.set_replicas("acme", before);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    let seen = alice.until("the pause", |s| {
        s.leases.values().all(|lease| lease.holder.is_none())
            && runs(s).first().is_some_and(|known| known.run.state == RunState::Paused)
    });
    let offers = runs(&seen).remove(0).offers(&seen);
    assert!(offers.undo.as_ref().is_err_and(|why| why.contains("is left to take back")), "{:?}", offers.undo);
    assert!(offers.resume.is_err() && offers.give_up == Ok(()), "{:?}", offers.resume);
}

/// A command that fails, and its sentence.
fn told(kubeconfig: &str, arguments: &[&str]) -> String {
    let home = Home::new();
    let file = home.path("kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    let output = home.run(&[arguments, &["--kubeconfig", file.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    program::text(&output).1
}

#[test]
fn what_may_be_under_way_is_taken_back_by_no_command() {
    let ground = Ground::new();
    let everything = AccessRule::new(&["*"], &["*"], None);
    let carol = read_only_user(&ground, "carol", vec![everything]);
    for verb in ["list", "watch"] {
        ground.cluster.faults().deny(Some("carol"), verb, "leases.coordination.k8s.io");
    }
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    ground.cordon(true);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, settling);
    let id = handle.watch.borrow().id.clone();
    let entries = handle.watch.borrow().entries.len();
    for act in ["resume", "undo"] {
        let why = told(&carol, &["runs", act, &id, "--yes"]);
        assert!(why.contains("whether anybody drives run"), "{act}: {why}");
    }
    assert_eq!(handle.watch.borrow().entries.len(), entries);
}

/// What the namespace allows has changed since the plan: the run says so at once, and not when its time is up.
#[test]
fn a_quota_that_came_after_the_plan_pauses_the_run_within_seconds() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    ground.cluster.with_world(|w| {
        let pods = w.store.list(Kind::POD, Some("acme")).count();
        let quota = json!({
            "metadata": {"name": "tight", "namespace": "acme"}, "spec": {"hard": {"pods": pods.to_string()}},
        });
        w.store.insert_by(Kind::RESOURCE_QUOTA, quota, "somebody");
    });
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert!(run.state == RunState::Paused && text(&run).contains("exceeded quota: tight"), "{}", text(&run));
    let took = run.entries[run.entries.len() - 1].at.duration_since(run.entries[0].at);
    assert!(took.as_secs() < 60, "{took:?}");
}

/// The watch shows the old number still, the API server the new one.
#[test]
fn a_change_that_is_not_seen_yet_is_waited_for() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    ground.cluster.faults().silence_watches(true);
    ground.set_replicas("acme", 9);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    alice.block("a wait", async {
        let waits = |r: &Run| r.doing.as_deref().is_some_and(|d| d.contains("has not come back yet"));
        handle.watch.wait_for(waits).await.unwrap();
    });
    assert_eq!(ground.replicas("acme"), 9);
    ground.cluster.faults().silence_watches(false);
    let run = ground.drive(&alice, &mut handle);
    assert!(run.state == RunState::Paused && text(&run).contains("9 replicas"), "{}", text(&run));
}

/// Changed between the record and the request: the precondition of the write finds it.
#[test]
fn a_change_right_before_the_write_is_found_by_its_precondition() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = alice.plan("acme", 1);
    let faults = ground.cluster.faults();
    faults.delay(On::new("PUT", "*/configmaps/*"), Duration::from_millis(500));
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    alice.block("the record of the step", faults.struck(1));
    ground.set_replicas("acme", 9);
    faults.clear();
    let run = ground.drive(&alice, &mut handle);
    assert!(run.state == RunState::Paused && text(&run).contains("asks for 9 replicas"), "{}", text(&run));
    assert_eq!(ground.replicas("acme"), 9);
}

#[test]
fn conflicts_are_read_again_and_a_busy_server_is_obeyed() {
    for (code, retry_after, times) in [(409, None, 3), (429, Some(1), 2), (503, None, 2), (500, None, 1)] {
        let ground = Ground::new();
        let alice = ground.session("alice@bastion");
        let generation = ground.generation("acme");
        ground.cluster.faults().status(On::new("PUT", "*/scale*"), code, retry_after, times);
        let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
        if code != 409 {
            alice.block("a second attempt", async {
                let tries = |r: &Run| r.doing.as_deref().is_some_and(|d| d.ends_with("trying again"));
                handle.watch.wait_for(tries).await.unwrap();
            });
        }
        let run = ground.drive(&alice, &mut handle);
        assert_eq!(run.state, RunState::Done, "{code}: {}", text(&run));
        assert_eq!(ground.generation("acme"), generation + 1, "{code}");
    }
}

#[test]
fn endless_conflicts_pause() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    ground.cluster.faults().status(On::new("PUT", "*/scale*"), 409, None, 99);
    let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert!(run.state == RunState::Paused && text(&run).contains("5 times in a row"), "{}", text(&run));
}

#[test]
fn the_api_server_may_restart_at_any_moment() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let generation = ground.generation("acme");
    let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    for steps in 0..3 {
        let so_far = |r: &Run| r.state.is_over() || r.entries.len() > steps * 2;
        ground.drive_until(&alice, &mut handle, so_far);
        ground.restart();
    }
    assert_eq!(ground.drive(&alice, &mut handle).state, RunState::Done);
    assert_eq!(ground.generation("acme"), generation + 1);
}

#[test]
fn pods_that_cannot_be_placed_pause_the_run_in_the_schedulers_words() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut plan = alice.plan("acme", 1);
    plan.steps[1].within = 20;
    ground.cordon(true);
    alice.until("cordoned nodes", |s| s.nodes.values().all(|n| n.cordoned));
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused);
    assert!(text(&run).contains("Pending: 0/"), "{}", text(&run));
    assert!(text(&run).contains("unschedulable"), "{}", text(&run));

    // Taking it back is possible from there.
    let undo = plan::plan(&alice.now(), &undo_intent(&run).unwrap());
    let mut handle = alice.start(undo, JournalPlace::Cluster);
    assert_eq!(ground.drive(&alice, &mut handle).state, RunState::Done);
    alice
        .until("the mark", |s| runs(s).iter().any(|r| r.run.id == run.id && r.run.state == RunState::Undone));
}

#[test]
fn a_read_only_session_writes_nothing_at_all() {
    let ground = Ground::new();
    let mut alice = ground.session("alice@bastion");
    alice.access.read_only = true;
    let plan = alice.plan("acme", 1);
    let rehearsed = alice.block("a rehearsal", rehearse(&alice.access, &plan));
    assert_eq!(rehearsed.checks[0].verdict, Verdict::Refuse);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    let run = alice.block("the refusal", handle.ended());
    assert_eq!(run.state, RunState::Failed);
    assert!(text(&run).contains("read-only"), "{}", text(&run));
    let writes: Vec<_> = ground.cluster.requests().into_iter().filter(writes).collect();
    assert!(writes.is_empty(), "{writes:?}");
}

fn writes(request: &wheelhouse::demo::RequestLine) -> bool {
    request.method != "GET" && !request.path.contains("/selfsubject")
}

#[test]
fn missing_rights_show_in_the_rehearsal_and_stop_the_run_before_it_moves_anything() {
    let ground = Ground::new();
    let kubeconfig = read_only_user(&ground, "viewer", vec![]);
    let viewer = ground.session_with("viewer@bastion", &kubeconfig);
    let plan = viewer.plan("acme", 1);
    let rehearsed = viewer.block("a rehearsal", rehearse(&viewer.access, &plan));
    let access = rehearsed.checks.iter().find(|c| c.rule == "access").unwrap();
    assert_eq!(access.verdict, Verdict::Refuse);
    assert!(access.text.contains("update deployments/scale in namespace acme"), "{}", access.text);
    assert!(rehearsed.checks.iter().any(|c| c.rule == "dry-run" && c.verdict == Verdict::Refuse));
    for right in ["create leases", "update configmaps", "create namespaces"] {
        assert!(
            rehearsed.journal_missing.iter().any(|m| m.starts_with(right)),
            "{:?}",
            rehearsed.journal_missing
        );
    }
    let generation = ground.generation("acme");
    for place in [JournalPlace::Cluster, JournalPlace::Local] {
        let mut handle = viewer.start(plan.clone(), place);
        let run = ground.drive(&viewer, &mut handle);
        assert_ne!(run.state, RunState::Done);
        assert!(text(&run).contains("forbidden") || text(&run).contains("may not"), "{}", text(&run));
    }
    assert_eq!(ground.generation("acme"), generation);
}

fn local(ground: &Ground, session: &Session) -> Vec<Run> {
    let wire = &session.access.wire;
    let found = local_journals(&ground.state_dir(), wire.context(), wire.server());
    found.into_iter().map(|r| r.unwrap()).collect()
}

#[test]
fn without_the_rights_for_a_journal_one_on_this_machine_survives_a_crash() {
    let ground = Ground::new();
    let rule = AccessRule::new(&["get", "update"], &["deployments.apps/scale"], None);
    let kubeconfig = read_only_user(&ground, "scaler", vec![rule]);
    let alice = ground.session_with("alice@bastion", &kubeconfig);
    let (plan, generation) = (alice.plan("acme", 1), ground.generation("acme"));
    let rehearsed = alice.block("a rehearsal", rehearse(&alice.access, &plan));
    assert!(rehearsed.checks.iter().all(|c| c.verdict < Verdict::Refuse), "{:?}", rehearsed.checks);
    assert!(!rehearsed.journal_missing.is_empty());

    let mut handle = alice.start(plan, JournalPlace::Local);
    ground.drive_until(&alice, &mut handle, settling);
    // Nobody else on this machine may go on with it while it lives.
    let running = local(&ground, &alice).remove(0);
    let mut second = alice.resume(running);
    let refused = alice.block("the refusal", second.ended());
    assert!(text(&refused).contains("another process"), "{}", text(&refused));
    alice.kill();

    let path = std::fs::read_dir(ground.state_dir().join("runs")).unwrap().next().unwrap().unwrap().path();
    let path = std::fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    let torn = std::fs::read_to_string(&path).unwrap() + "{\"at\":\"2026-11-21T09:0";
    std::fs::write(&path, torn).unwrap();
    let alice = ground.session_with("alice@bastion", &kubeconfig);
    let found = local(&ground, &alice).remove(0);
    assert!(found.local && found.state == RunState::Running && settling(&found), "{found:?}");
    let mut handle = alice.resume(found);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert_eq!(local(&ground, &alice)[0].entries, run.entries);
    assert_eq!(ground.generation("acme"), generation + 1);
    let StepState::Done(done) = &run.steps[0] else { panic!("{:?}", run.steps) };
    assert!(done.contains("no Event tells of it"), "{done}");
}

#[test]
fn only_the_newest_fifty_finished_runs_are_kept() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    assert_eq!(ground.drive(&alice, &mut handle).state, RunState::Done);
    let kind = wheelhouse::demo::kind::KINDS.iter().find(|k| k.plural == "configmaps").unwrap();
    ground.cluster.with_world(|w| {
        let name = format!("run-{}", handle.id);
        let one = Value::clone(w.store.get(kind, "wheelhouse", &name).unwrap());
        for n in 0..60 {
            let id = format!("20250101-0000{n:02}-0000");
            let mut object = one.clone();
            object["metadata"] = serde_json::json!({
                "name": format!("run-{id}"), "namespace": "wheelhouse", "labels": one["metadata"]["labels"],
            });
            let plan = one["data"]["plan"].as_str().unwrap().replace(&handle.id, &id);
            let mut plan: Value = serde_json::from_str(&plan).unwrap();
            // The sum is that of the other run's plan; old journals have none.
            plan.as_object_mut().unwrap().remove("sum").expect("a sum");
            plan["format"] = 4.into();
            object["data"]["plan"] = plan.to_string().into();
            if n == 0 {
                // An unfinished one, however old, stays; and what is not understood stays as well.
                let events =
                    one["data"]["events"].as_str().unwrap().lines().next().unwrap().to_owned() + "\n";
                object["data"]["events"] = events.into();
            } else if n == 1 {
                object["data"]["plan"] = "{}".into();
            }
            w.store.insert(kind, object);
        }
    });
    alice.until("all journals", |s| s.journals.len() == 61 && s.leases.values().all(|l| l.holder.is_none()));
    let mut handle = alice.start(alice.plan("acme", -1), JournalPlace::Cluster);
    assert_eq!(ground.drive(&alice, &mut handle).state, RunState::Done);
    let finished = |s: &Snapshot| runs(s).iter().filter(|r| r.run.state.is_over()).count();
    // Fifty were kept as the run ended, and it may not have been among those seen by then.
    let seen = alice.until("fewer journals", |s| finished(s) <= 51);
    let left = runs(&seen);
    assert!(
        left.iter().any(|r| r.run.id == "20250101-000000-0000" && !r.run.state.is_over()),
        "unfinished by its events, whatever its label says"
    );
    assert!(seen.journals.values().any(|j| &*j.key.name == "run-20250101-000001-0000"));
    assert!(left.iter().any(|r| r.run.id == handle.id), "the newest stays");
}

#[test]
fn several_tenants_are_changed_one_after_the_other() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut plan = alice.plan("acme", 1);
    let more = alice.plan("globex", -1);
    plan.steps.extend(more.steps);
    plan.tenants.extend(more.tenants);
    let generations = [ground.generation("acme"), ground.generation("globex")];
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, settling);
    assert_eq!(
        ground.generation("globex"),
        generations[1],
        "the first has to settle before the second moves"
    );
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert_eq!([ground.generation("acme"), ground.generation("globex")], generations.map(|g| g + 1));
    assert_eq!(ground.holders(), [None, None]);
    let writes = run.plan().steps.iter().filter(|s| matches!(s.change, Change::Replicas(_))).count();
    assert_eq!(run.made().len(), writes);
}

/// A journal that is deleted or written over under a run: nobody can go on with it, and the lines that take it back by
/// hand are told instead of commands that cannot work.
#[test]
fn a_run_whose_journal_is_lost_says_what_is_left_and_how_it_is_taken_back_by_hand() {
    for damaged in [false, true] {
        let ground = Ground::new();
        let alice = ground.session("alice@bastion");
        let plan = alice.plan("acme", 1);
        ground.cordon(true);
        let mut handle = alice.start(plan, JournalPlace::Cluster);
        ground.drive_until(&alice, &mut handle, settling);
        let name = format!("run-{}", handle.id);
        match damaged {
            true => ground.change("configmaps", &name, |journal| {
                let events = journal["data"]["events"].as_str().unwrap().to_owned();
                journal["data"]["events"] = (events + "nonsense\n").into();
            }),
            false => ground.delete("configmaps", &name),
        }
        ground.cordon(false);
        let run = ground.drive(&alice, &mut handle);
        let why = text(&run);
        assert_eq!(run.state, RunState::Paused, "{why}");
        assert!(!why.contains("taken the run over"), "{why}");
        let word = if damaged { "is damaged" } else { "was deleted" };
        assert!(why.contains(&format!("the journal {name} {word}")), "{why}");
        let seen = alice.now();
        let offers = RunSeen::of(run.clone()).offers(&seen);
        let left = left_by_losing_it(&run, &seen).unwrap();
        assert!(left.contains("`kubectl ") && left.contains("--replicas="), "{left}");
        assert_eq!((offers.resume, offers.give_up), (Err(left.clone()), Err(left)));
    }
}

#[test]
fn an_audit_file_that_cannot_be_written_is_told_and_changes_nothing_else() {
    let ground = Ground::new();
    let mut alice = ground.session("alice@bastion");
    alice.access.state_dir = "/dev/null/state".into();
    let mut handle = alice.start(alice.plan("acme", 1), JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    let why = run.unaudited.unwrap();
    assert!(why.starts_with("the audit file /dev/null/state/audit.jsonl cannot be written: "), "{why}");
}
