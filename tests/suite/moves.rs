//! A pod moves: by adoption without a ready pod less, by eviction with one less; and whatever gets in the way leaves
//! nothing behind.

use serde_json::Value;
use wheelhouse::{
    cluster::TenantName,
    demo::kind::Kind,
    plan::{Intent, Means, Move, MoveReason, Plan, Verdict, moves, plan},
    run::{JournalPlace, RunState, StepState, rehearse, undo_intent},
};

use crate::session::{Ground, Session, text};

/// A move of the first pod of a tenant to the first node that takes it.
pub fn a_move(session: &Session, tenant: &str, means: Means) -> Move {
    let seen = session.now();
    let found = &seen.tenants[&TenantName::from(tenant)];
    let pod = found.pods[0].clone();
    let from = pod.node.clone().expect("a node");
    let moved = |to: &wheelhouse::cluster::NodeName| Move {
        tenant: Some(tenant.into()),
        workload: Some(found.workload.key.clone()),
        pod: pod.key.clone(),
        uid: pod.uid.clone(),
        from: from.clone(),
        to: Some(to.clone()),
        means,
        reason: MoveReason::Asked,
        free: None,
    };
    let there = found.placement();
    let free = |node: &&wheelhouse::cluster::NodeName| {
        !there.contains_key(*node) && moves::plan(&seen, &moved(node)).is_ok()
    };
    moved(seen.nodes.items.keys().find(free).expect("a node that takes it"))
}

pub fn planned(session: &Session, tenant: &str, means: Means) -> Plan {
    moves::plan(&session.now(), &a_move(session, tenant, means)).expect("a plan")
}

/// The pods of a tenant that are not leaving: name, node, ready, and whether a controller owns it.
pub fn pods(ground: &Ground, tenant: &str) -> Vec<(String, String, bool, bool)> {
    let text = |pod: &Value, at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    ground.cluster.with_world(|w| {
        let pods = w.store.list(Kind::POD, Some(tenant));
        let stays = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stays
            .map(|pod| {
                let conditions = pod["status"]["conditions"].as_array();
                let ready =
                    conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
                let owned = pod["metadata"]["ownerReferences"].as_array().is_some_and(|all| !all.is_empty());
                (text(pod, "/metadata/name"), text(pod, "/spec/nodeName"), ready, owned)
            })
            .collect()
    })
}

/// Nothing of a move is left: no pod of ours, no cost.
pub fn nothing_left(ground: &Ground, tenant: &str) {
    ground.cluster.with_world(|w| {
        for pod in w.store.list(Kind::POD, Some(tenant)) {
            let meta = &pod["metadata"];
            assert!(meta["labels"]["wheelhouse.dev/run"].is_null(), "{meta}");
            assert!(meta["annotations"]["controller.kubernetes.io/pod-deletion-cost"].is_null(), "{meta}");
            assert!(meta["ownerReferences"].is_array(), "{meta}");
        }
    });
}

/// Runs a plan to its end, and waits until its leases are seen to be free.
fn through(ground: &Ground, session: &Session, plan: Plan) -> wheelhouse::run::Run {
    let mut handle = session.start(plan, JournalPlace::Cluster);
    let run = ground.drive(session, &mut handle);
    session.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
    run
}

#[test]
fn a_pod_is_moved_by_adoption_and_the_undo_moves_it_back() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let plan = planned(&alice, "acme", Means::Adoption);
    let Intent::Move { moved } = plan.intent.clone() else { panic!("{plan}") };
    let rehearsal = alice.block("a rehearsal", rehearse(&alice.access, &plan));
    assert!(rehearsal.checks.iter().all(|c| c.verdict == Verdict::Ok), "{:?}", rehearsal.checks);
    let (generation, wanted) = (ground.generation("acme"), pods(&ground, "acme").len());
    let fewest = std::cell::Cell::new(usize::MAX);
    let mut handle = alice.start(plan, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, |run| {
        let ready = pods(&ground, "acme").iter().filter(|p| p.2 && p.3).count();
        fewest.set(fewest.get().min(ready));
        run.state.is_over() || run.state == RunState::Paused
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    assert_eq!(ground.generation("acme"), generation, "the deployment is as it was");
    assert_eq!(fewest.get(), wanted, "fewer ready pods meanwhile");
    let after = pods(&ground, "acme");
    assert_eq!(after.len(), wanted, "{after:?}");
    assert!(!after.iter().any(|p| p.0 == *moved.pod.name), "{after:?}");
    assert!(
        after.iter().any(|p| Some(p.1.as_str()) == moved.to.as_ref().map(|node| node.as_str())),
        "{after:?}"
    );
    assert!(
        run.steps.iter().all(|s| matches!(s, StepState::Done(_) | StepState::Skipped(_))),
        "{:?}",
        run.steps
    );
    assert!(text(&run).contains("as predicted"), "{}", text(&run));
    nothing_left(&ground, "acme");

    let intent = undo_intent(&run).expect("something was made");
    alice.until("the move", |s| {
        let free = s.leases.values().all(|lease| lease.holder.is_none());
        free && s.tenants[&TenantName::from("acme")]
            .placement()
            .contains_key(moved.to.as_ref().expect("a target"))
    });
    let undo = crate::session::planned(&alice, &intent);
    let mut handle = alice.start(undo, JournalPlace::Cluster);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    assert!(pods(&ground, "acme").iter().any(|p| p.1 == moved.from.as_str()));
    nothing_left(&ground, "acme");
}

#[test]
fn a_pause_amid_a_move_takes_back_what_it_borrowed_and_going_on_does_it_again() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let before = pods(&ground, "acme");
    let mut handle = alice.start(planned(&alice, "acme", Means::Adoption), JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, |run| run.steps[1] == StepState::Started);
    assert_eq!(pods(&ground, "acme").len(), before.len() + 1, "the new pod is there");
    handle.pause();
    let run = alice.block("the pause", handle.ended());
    assert_eq!((run.state, run.paused_by()), (RunState::Paused, Some("alice@bastion")), "{run:?}");
    let left = pods(&ground, "acme");
    let kept = |p: &&(String, String, bool, bool)| before.iter().any(|b| b.0 == p.0);
    assert!(left.iter().filter(|p| !kept(p)).count() <= 1, "{left:?}");
    ground.step(60);
    assert_eq!(pods(&ground, "acme"), before, "nothing borrowed is left");
    assert!(run.made().is_empty(), "{:?}", run.made());
    let seen = alice.until("the pause", |s| s.tenants[&TenantName::from("acme")].pods.len() == before.len());
    let found = wheelhouse::run::runs(&seen).remove(0).run;
    let mut handle = alice.resume(found);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    nothing_left(&ground, "acme");
}

#[test]
fn a_run_that_is_given_up_amid_a_move_leaves_nothing_behind() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let before = pods(&ground, "acme");
    let mut handle = alice.start(planned(&alice, "acme", Means::Adoption), JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, |run| run.steps[1] == StepState::Started);
    alice.kill();
    ground.step(60);
    let bob = ground.session("bob@bastion");
    let run = bob.runs().remove(0).run;
    assert_eq!(pods(&ground, "acme").len(), before.len() + 1, "the crash left the new pod");
    let mut handle = bob.give_up(run, "not needed");
    let run = ground.drive(&bob, &mut handle);
    assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
    ground.step(60);
    assert_eq!(pods(&ground, "acme"), before);
}

#[test]
fn a_node_is_cordoned_and_uncordoned_by_its_undo() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let cordoned = |ground: &Ground, node: &str| {
        ground.cluster.with_world(|w| {
            w.store.get(Kind::NODE, "", node).expect("a node")["spec"]["unschedulable"] == true
        })
    };
    let made = plan(&alice.now(), &Intent::Cordon { node: "worker-2".into(), cordoned: true });
    let rehearsal = alice.block("a rehearsal", rehearse(&alice.access, &made));
    assert!(rehearsal.checks.iter().all(|c| c.verdict == Verdict::Ok), "{:?}", rehearsal.checks);
    let run = through(&ground, &alice, made);
    assert_eq!((run.state, text(&run)), (RunState::Done, "worker-2 cordoned: as predicted"));
    assert!(cordoned(&ground, "worker-2"));
    let again = plan(&alice.now(), &Intent::Cordon { node: "worker-2".into(), cordoned: true });
    assert!(again.steps.is_empty() && again.refusals().next().is_none(), "{again}");
    let undo = crate::session::planned(&alice, &undo_intent(&run).expect("something was made"));
    let mut handle = alice.start(undo, JournalPlace::Cluster);
    assert_eq!(ground.drive(&alice, &mut handle).state, RunState::Done);
    assert!(!cordoned(&ground, "worker-2"));
    let unknown = plan(&alice.now(), &Intent::Cordon { node: "worker-22".into(), cordoned: true });
    let why: Vec<_> = unknown.refusals().map(|c| c.text.as_str()).collect();
    assert!(
        why.iter().any(|text| text.contains("there is no node worker-22; did you mean worker-2")),
        "{why:?}"
    );
}

#[test]
fn an_eviction_a_restart_and_a_deletion_end_with_every_pod_ready() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    // What is evicted would come up again where it was.
    let held: Vec<_> = pods(&ground, "acme").into_iter().map(|pod| pod.1).collect();
    held.iter().for_each(|node| ground.cordon_one(node));
    alice.until("the cordons", |s| {
        held.iter().all(|node| s.nodes.get(&node.as_str().into()).is_some_and(|n| n.cordoned))
    });
    let wanted = pods(&ground, "acme").len();
    let pod = alice.now().tenants[&TenantName::from("acme")].pods[0].key.clone();
    for intent in [
        Intent::Move { moved: a_move(&alice, "acme", Means::Eviction) },
        Intent::Restart { tenant: "acme".into() },
        Intent::DeletePod { pod },
    ] {
        let intent = match intent {
            Intent::DeletePod { .. } => {
                let seen = alice.now();
                let pod = seen.tenants[&TenantName::from("acme")].active().next().expect("a pod").key.clone();
                Intent::DeletePod { pod }
            }
            other => other,
        };
        let before = pods(&ground, "acme");
        let made = crate::session::planned(&alice, &intent);
        let run = through(&ground, &alice, made);
        assert_eq!(run.state, RunState::Done, "{intent:?}: {:?}", run.last_word());
        let after = pods(&ground, "acme");
        ground.cordon(false);
        assert!(after.len() == wanted && after.iter().all(|p| p.2) && after != before, "{after:?}");
        let seen =
            alice.until("ready pods", |s| s.tenants[&TenantName::from("acme")].ready() == wanted as u32);
        let undo = plan(&seen, &undo_intent(&run).expect("something was made"));
        assert!(undo.refusals().any(|c| c.text.contains("cannot be taken back")), "{undo}");
    }
}
