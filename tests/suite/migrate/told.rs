//! What is told of a migration beside that it came through: that its tenant was down meanwhile, and what became of its Job
//! while nobody was at it.

use serde_json::{Value, json};
use wheelhouse::{
    cluster::TenantName,
    demo::{kind::Kind, store::DeleteOptions},
    plan::{About, Intent},
    run::{RunState, runs},
};

use super::{TENANT, failing, long, plain, start, until_it_runs};
use crate::session::{Ground, text};

/// The pod of the tenant that serves.
fn serving(ground: &Ground) -> String {
    ground.cluster.with_world(|w| {
        let mut pods = w.store.list(Kind::POD, Some(TENANT));
        let own = pods.find(|p| p["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet");
        own.and_then(|p| p["metadata"]["name"].as_str().map(str::to_owned)).expect("a pod")
    })
}

#[test]
fn a_migration_whose_tenant_was_down_meanwhile_is_not_as_predicted() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, long());
    until_it_runs(&ground, &alice, &mut handle);
    // Its only pod goes, and the next one takes its time; a container of that one is killed for its memory.
    let only = serving(&ground);
    let now = DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() };
    ground.cluster.with_world(|w| w.store.delete(Kind::POD, TENANT, &only, &now)).expect("it goes");
    let tenant = TenantName::from(TENANT);
    ground.drive_until(&alice, &mut handle, |run| run.harm(&tenant).is_some_and(|harm| harm.down > 0));
    let next = serving(&ground);
    ground.cluster.with_world(|w| {
        let at = w.now().to_string();
        w.store.update(Kind::POD, TENANT, &next, "test", |p: &mut Value| {
            let status = &mut p["status"]["containerStatuses"][0];
            status["restartCount"] = 2.into();
            status["lastState"] =
                json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled", "finishedAt": at } });
        });
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    let harm = run.harm(&tenant).expect("it is told").clone();
    assert_eq!((harm.down_since, harm.ended.get("OOMKilled")), (None, Some(&2)), "{harm:?}");
    let words = format!("acme was without a ready pod for {} s; 2 containers were OOMKilled", harm.down);
    assert_eq!(text(&run), format!("acme migrated: not as predicted; {words}"));
    let (as_predicted, said) = run.verified(&About::Tenant(tenant.clone())).expect("it is compared");
    assert!(!as_predicted && said.contains("2 containers were OOMKilled; its pods: "), "{said}");
    // The journal keeps it.
    let seen = alice.until("the journal", |s| runs(s).first().is_some_and(|r| r.run.state == RunState::Done));
    assert_eq!(runs(&seen)[0].run.harm(&tenant), Some(&harm));
}

#[test]
fn what_loses_no_ready_pod_is_as_predicted() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    for intent in [
        alice.plan(TENANT, 1).intent,
        Intent::Restart { tenant: TENANT.into() },
        Intent::Scale { targets: vec![wheelhouse::plan::Target { tenant: TENANT.into(), to: 0 }] },
    ] {
        let plan = crate::session::planned(&alice, &intent);
        let mut handle = alice.start(plan, wheelhouse::run::JournalPlace::Cluster);
        let run = ground.drive(&alice, &mut handle);
        assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
        assert!(text(&run).ends_with("as predicted") && !text(&run).contains("not "), "{}", text(&run));
        ground.step(60);
        alice.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
        alice.until("the end in the journal", |s| runs(s).iter().all(|r| r.run.state.is_over()));
        alice.catch_up(&ground);
    }
}

#[test]
fn what_became_of_the_job_of_an_interrupted_run_is_told() {
    let ground = Ground::new();
    plain(&ground);
    for (migration, words) in
        [(long(), "its Job has succeeded meanwhile"), (failing(), "its Job has failed meanwhile: ")]
    {
        let alice = ground.session("alice@bastion");
        let calm = |s: &wheelhouse::cluster::Snapshot| {
            wheelhouse::plan::plan(s, &super::intent(super::migration())).refusals().next().is_none()
        };
        alice.until("a tenant that can be migrated", calm);
        let mut handle = start(&alice, migration);
        until_it_runs(&ground, &alice, &mut handle);
        alice.kill();
        ground.step(400);
        let bob = ground.session("bob@desk");
        let seen = bob.until("what became of it", |s| {
            runs(s).iter().any(|r| r.is_interrupted() && r.meanwhile(s).is_some())
        });
        let found = runs(&seen).into_iter().find(|r| r.is_interrupted()).expect("it is interrupted");
        assert!(found.meanwhile(&seen).is_some_and(|text| text.starts_with(words)), "{words}");
        let mut handle = match words.contains("failed") {
            true => bob.give_up(found.run, "its job has failed"),
            false => bob.resume(found.run),
        };
        let run = ground.drive(&bob, &mut handle);
        assert!(run.state.is_over(), "{:?}", run.last_word());
        ground.step(60);
    }
}
