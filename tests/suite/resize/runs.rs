//! Runs that resize pods on the embedded cluster: carried out, undone, put off, stopped by a colleague or a right.

use serde_json::Value;
use wheelhouse::{
    cluster::{Memory, Pod, PodSpec, Qos, TenantName},
    demo::{AccessRule, kind::Kind},
    plan::{About, Change, Intent, NewLimits, plan},
    run::{self, JournalPlace, Run, RunState, undo_intent},
};

use super::in_force;
use crate::session::{Ground, Session, planned, text};

fn intent(mi: u64) -> Intent {
    let memory = Some(Memory(mi << 20));
    Intent::Resize { limits: NewLimits { tenant: "acme".into(), container: None, memory, cpu: None } }
}

/// A cockpit that has seen the memory in use.
fn session(ground: &Ground, operator: &str) -> Session {
    let session = ground.session(operator);
    session.until("the memory in use", |s| s.usage.freshness.is_live() && s.node_usage.freshness.is_live());
    session
}

fn run(ground: &Ground, session: &Session, intent: &Intent) -> Run {
    let made = planned(session, intent);
    ground.drive(session, &mut session.start(made, JournalPlace::Cluster))
}

fn pods(ground: &Ground) -> Vec<Value> {
    ground.cluster.with_world(|w| w.store.list(Kind::POD, Some("acme")).map(|p| Value::clone(p)).collect())
}

#[test]
fn pods_are_resized_one_after_another_without_a_restart_and_an_undo_gives_back_what_each_had() {
    let ground = Ground::new();
    let alice = session(&ground, "alice@bastion");
    let (before, template) = (pods(&ground), ground.generation("acme"));
    // One of them has had another limit already.
    let odd = before[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    ground.cluster.with_world(|w| {
        let put =
            |pod: &mut Value| pod["spec"]["containers"][1]["resources"]["limits"]["memory"] = "700Mi".into();
        w.store.update(Kind::POD, "acme", &odd, "somebody", put).expect("the pod");
    });
    ground.step(10);
    let is = |pod: &Pod, limit: u64| {
        let of = |spec: &PodSpec| spec.containers[1].resources.limits.memory == Some(Memory(limit << 20));
        of(&pod.spec) && of(pod.wished())
    };
    alice.until("the other limit", |s| s.tenants[&TenantName::from("acme")].active().any(|pod| is(pod, 700)));
    let done = run(&ground, &alice, &intent(768));
    assert_eq!(done.state, RunState::Done, "{:?}", done.last_word());
    assert!(in_force(&ground, "acme").iter().all(|(limit, waits)| limit == "768Mi" && !waits));
    assert_eq!(ground.generation("acme"), template, "the template keeps what it has");
    let after = pods(&ground);
    assert_eq!(after.len(), before.len());
    for (was, is) in before.iter().zip(&after) {
        assert_eq!(was["metadata"]["uid"], is["metadata"]["uid"], "the same pod");
        assert_eq!(is["status"]["containerStatuses"][1]["restartCount"], 0);
    }
    let (as_predicted, came) = done.verified(&About::Tenant("acme".into())).expect("it was compared");
    assert!(as_predicted && came.contains("php-fpm has a memory limit of 768 Mi in force in"), "{came}");
    assert!(text(&done).ends_with("memory limit of 768 Mi: as predicted"), "{}", text(&done));
    let told = ground.cluster.with_world(|w| {
        let ours = w.store.list(Kind::EVENT, Some("acme")).filter(|e| e["reason"] == "ResizedByWheelhouse");
        ours.map(|e| e["message"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(told.len(), before.len(), "{told:?}");
    assert!(told.iter().any(|t| t.contains("memory limit 640 Mi → 768 Mi")), "{told:?}");

    alice.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
    let undo = undo_intent(&done).expect("it can be taken back");
    let undone = run(&ground, &alice, &undo);
    assert_eq!(undone.state, RunState::Done, "{:?}", undone.last_word());
    let mut limits: Vec<_> = in_force(&ground, "acme").into_iter().map(|(limit, _)| limit).collect();
    limits.sort();
    limits.dedup();
    assert_eq!(limits, ["640Mi", "700Mi"]);
}

#[test]
fn what_a_kubelet_puts_off_pauses_the_run_with_its_words_and_can_be_taken_back() {
    let ground = Ground::new();
    let alice = session(&ground, "alice@bastion");
    // A Guaranteed pod takes more of the node; then the node loses what it had.
    guarantee(&ground);
    ground.step(10);
    alice.until("the class", |s| {
        let mut own = s.tenants[&TenantName::from("acme")].active();
        own.all(|pod| pod.spec.qos() == Qos::Guaranteed && pod.resize.is_none())
    });
    let made = planned(&alice, &intent(900));
    let Change::Resize(first) = made.steps[0].change.clone() else { panic!("{made}") };
    let node = pods(&ground)
        .iter()
        .find(|pod| pod["metadata"]["name"] == *first.pod.name)
        .and_then(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned))
        .expect("its node");
    ground.cluster.with_world(|w| {
        let small = |node: &mut Value| node["status"]["allocatable"]["memory"] = "1100Mi".into();
        w.store.update_status(Kind::NODE, "", &node, "somebody", small).expect("the node");
    });
    let run = ground.drive(&alice, &mut alice.start(made, JournalPlace::Cluster));
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    assert!(
        text(&run).contains("its kubelet tries again (Deferred): Node didn't have enough"),
        "{}",
        text(&run)
    );
    let undo = undo_intent(&run).expect("it can be taken back");
    let undone = ground.drive(&alice, &mut alice.start(planned(&alice, &undo), JournalPlace::Cluster));
    assert_eq!(undone.state, RunState::Done, "{:?}", undone.last_word());
    assert!(in_force(&ground, "acme").iter().all(|(limit, waits)| limit == "640Mi" && !waits));
}

/// Every container of acme requests what it may use at most.
fn guarantee(ground: &Ground) {
    for pod in pods(ground) {
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        ground.cluster.with_world(|w| {
            let put = |pod: &mut Value| {
                for container in pod["spec"]["containers"].as_array_mut().expect("containers") {
                    let memory = container["resources"]["limits"]["memory"].clone();
                    let cpu = container["resources"]["requests"]["cpu"].clone();
                    let all = serde_json::json!({ "memory": memory, "cpu": cpu });
                    container["resources"] = serde_json::json!({ "limits": all, "requests": all });
                }
            };
            w.store.update(Kind::POD, "acme", &name, "somebody", put).expect("the pod");
        });
    }
}

#[test]
fn a_colleague_who_runs_meanwhile_is_respected_and_a_limit_that_somebody_set_pauses() {
    let ground = Ground::new();
    let (alice, bob) = (session(&ground, "alice@bastion"), session(&ground, "bob@bastion"));
    let made = planned(&alice, &intent(768));
    let mut handle = alice.start(made, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, |run| run.progress().0 > 0);
    bob.until("the lease", |s| s.leases.values().any(|l| l.who().is_some()));
    let refused = plan(&bob.now(), &intent(900));
    assert!(refused.refusals().any(|c| c.text.contains("alice@bastion")), "{refused}");
    // Somebody without a cockpit changes a pod whose turn has not come.
    let last = pods(&ground).last().expect("a pod")["metadata"]["name"].as_str().expect("a name").to_owned();
    ground.cluster.with_world(|w| {
        let put =
            |pod: &mut Value| pod["spec"]["containers"][1]["resources"]["limits"]["memory"] = "650Mi".into();
        w.store.update(Kind::POD, "acme", &last, "somebody", put).expect("the pod");
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    assert!(
        text(&run).contains("neither as before nor as planned") || text(&run).contains("not as planned"),
        "{}",
        text(&run)
    );
}

#[test]
fn the_right_to_resize_is_asked_for_before_anything_is_written() {
    let ground = Ground::new();
    let rules = [AccessRule::new(&["*"], &["*"], None)];
    ground.cluster.users().add("carol", &rules);
    ground.cluster.faults().deny(None, "patch", "pods/resize");
    let alice = session(&ground, "alice@bastion");
    let made = planned(&alice, &intent(768));
    let found = alice.block("a rehearsal", run::rehearse(&alice.access, &made));
    let refused: Vec<_> = found
        .checks
        .iter()
        .filter(|c| c.verdict == wheelhouse::plan::Verdict::Refuse)
        .map(|c| c.text.as_str())
        .collect();
    assert!(
        refused.iter().any(|t| t.contains("you may not patch pods/resize in namespace acme")),
        "{refused:?}"
    );
    assert!(in_force(&ground, "acme").iter().all(|(limit, waits)| limit == "640Mi" && !waits));
}
