//! What changes while a move is under way is found out before anything more is written, and what was borrowed is taken
//! back all the same.

use serde_json::Value;
use wheelhouse::{
    cluster::TenantName,
    demo::kind::Kind,
    plan::{Intent, Means, Move, Plan},
    run::{JournalPlace, Run, RunState, StepState, left_by_giving_up},
};

use crate::{
    campaigns::patient,
    moves::{nothing_left, planned, pods},
    session::{Ground, Session, text},
};

const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

fn moved(plan: &Plan) -> Move {
    let Intent::Move { moved } = plan.intent.clone() else { panic!("{plan}") };
    moved
}

/// A move of acme whose new pod is there and owned by nobody.
fn amid(ground: &Ground, alice: &Session) -> (Move, wheelhouse::run::Handle) {
    let plan = planned(alice, "acme", Means::Adoption);
    let moved = moved(&plan);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(alice, &mut handle, |run| run.steps[1] == StepState::Started);
    (moved, handle)
}

/// The name of the pod that came and belongs to nobody.
fn surge(ground: &Ground) -> String {
    pods(ground, "acme").into_iter().find(|p| !p.3).expect("the new pod").0
}

/// Whether any pod was given a deletion cost after that revision.
fn costs_since(ground: &Ground, revision: u64) -> bool {
    ground.cluster.with_world(|w| {
        let mut changes = w.store.changes_since(revision).expect("they are kept");
        changes
            .any(|c| std::ptr::eq(c.kind, Kind::POD) && !c.object["metadata"]["annotations"][COST].is_null())
    })
}

fn revision(ground: &Ground) -> u64 {
    ground.cluster.with_world(|w| w.store.revision())
}

/// Another pod than the one that goes, which is to stay.
fn delete_another(ground: &Ground, moved: &Move) -> String {
    let other = pods(ground, "acme").into_iter().find(|p| p.3 && p.0 != *moved.pod.name).expect("another").0;
    ground
        .cluster
        .with_world(|w| w.store.delete(Kind::POD, "acme", &other, &Default::default()))
        .expect("it goes");
    other
}

/// Pauses a move, changes something, and goes on with it once all has settled.
fn gone_on_after(change: impl FnOnce(&Ground, &Move)) -> (Ground, Run, u64) {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let (moved, mut handle) = amid(&ground, &alice);
    handle.pause();
    let paused = alice.block("the pause", handle.ended());
    assert_eq!(paused.state, RunState::Paused);
    ground.step(60);
    change(&ground, &moved);
    ground.step(180);
    let wanted = ground.replicas("acme");
    let seen = alice.until("that all has settled", |s| {
        let acme = &s.tenants[&TenantName::from("acme")];
        let free = s.leases.values().all(|lease| lease.holder.is_none());
        free && (acme.desired(), acme.ready(), acme.pods.len() as u32) == (wanted, wanted, wanted)
    });
    let before = revision(&ground);
    let found = wheelhouse::run::runs(&seen).remove(0).run;
    let mut handle = alice.resume(found);
    let run = ground.drive(&alice, &mut handle);
    (ground, run, before)
}

#[test]
fn a_move_that_is_gone_on_with_after_a_pod_that_was_to_stay_went_writes_nothing() {
    let (ground, run, before) = gone_on_after(|ground, moved| {
        delete_another(ground, moved);
    });
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("went, which was to stay"), "{}", text(&run));
    assert!(!costs_since(&ground, before));
    ground.step(60);
    nothing_left(&ground, "acme");
}

#[test]
fn a_move_that_is_gone_on_with_after_somebody_has_scaled_writes_nothing() {
    let (ground, run, before) = gone_on_after(|ground, _| ground.set_replicas("acme", 2));
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("asks for 2 replicas by now, not 3"), "{}", text(&run));
    assert!(!costs_since(&ground, before));
    ground.step(60);
    nothing_left(&ground, "acme");
    assert_eq!(pods(&ground, "acme").len(), 2);
}

#[test]
fn a_new_pod_that_was_relabelled_is_not_adopted_and_is_taken_back() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let before = pods(&ground, "acme");
    let (_, mut handle) = amid(&ground, &alice);
    let new = surge(&ground);
    ground.cluster.with_world(|w| {
        w.store
            .update(Kind::POD, "acme", &new, "somebody", |p| p["metadata"]["labels"]["app"] = "other".into())
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    assert!(text(&run).contains("it would not adopt it"), "{}", text(&run));
    assert!(text(&run).contains("app=other"), "{}", text(&run));
    ground.step(90);
    assert_eq!(pods(&ground, "acme"), before, "it is gone, and the pod that was to go is as it was");
    nothing_left(&ground, "acme");
}

#[test]
fn a_move_that_is_gone_on_with_while_its_own_new_pod_is_still_leaving_waits_for_it() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let (moved, mut handle) = amid(&ground, &alice);
    let new = surge(&ground);
    handle.pause();
    let paused = alice.block("the pause", handle.ended());
    let leaving = ground.cluster.with_world(|w| {
        w.store.get(Kind::POD, "acme", &new).is_some_and(|p| !p["metadata"]["deletionTimestamp"].is_null())
    });
    assert!(leaving, "its grace period runs");
    let mut handle = alice.resume(paused);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{}", text(&run));
    assert!(
        pods(&ground, "acme").iter().any(|p| Some(p.1.as_str()) == moved.to.as_ref().map(|n| n.as_str()))
    );
    nothing_left(&ground, "acme");
}

#[test]
fn why_a_move_pauses_is_the_reason_and_what_was_written_is_not_denied() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let (_, mut handle) = amid(&ground, &alice);
    ground.cluster.with_world(|w| {
        w.store.update(Kind::DEPLOYMENT, "acme", "acme", "somebody", |d: &mut Value| {
            d["spec"]["template"]["metadata"]["annotations"]["example.com/change"] = "1".into();
        })
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{}", text(&run));
    let said = text(&run);
    let names = ["rollout", "pods and asks for", "is being deleted", "is gone"];
    assert!(names.iter().any(|word| said.contains(word)), "{said}");
    assert!(!said.contains("3 of 3 ready") && !said.contains("nothing was written"), "{said}");
    ground.step(240);
    nothing_left(&ground, "acme");
}

#[test]
fn giving_a_move_up_says_that_its_new_pod_is_deleted() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let (_, _handle) = amid(&ground, &alice);
    let new = surge(&ground);
    alice.kill();
    ground.step(60);
    let bob = ground.session("bob@bastion");
    let run = bob.runs().remove(0).run;
    let said = left_by_giving_up(&run).expect("something is borrowed");
    assert!(said.starts_with("It is taken back: ") && said.contains(&new), "{said}");
    let run = ground.drive(&bob, &mut bob.give_up(run, "not needed"));
    assert_eq!(run.state, RunState::Failed, "{}", text(&run));
    ground.step(60);
    nothing_left(&ground, "acme");
    assert_eq!(left_by_giving_up(&run), None, "nothing is borrowed any more");
}
