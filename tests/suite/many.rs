//! Many tenants are migrated, or get an image, as a campaign: some first, then several at the same time, with brakes; who
//! cannot be is left out, who holds is held, and nobody is migrated twice.

use std::time::Duration;

use serde_json::Value;
use wheelhouse::{
    cluster::{Snapshot, TenantName},
    demo::{Kind, Options, store::DeleteOptions},
    plan::{
        Change, Confirmation, Migration, Migrations,
        many::{self, Deed, Many},
    },
    run::{
        RunState, StepState,
        campaign::{self, Campaign, CampaignState, Doing, ItemState, Pace, Proposed, Wish, campaigns},
    },
};

use crate::{
    campaigns::{drive, drive_until, patient, resume, start},
    moves::pods,
    session::{Ground, Session},
    stage::Stage,
    world::standing,
};

mod crash;
mod hundreds;

pub const FAILS: &str = "php bin/console doctrine:migrations:migrate exit 1";
const LONG: &str = "php bin/console doctrine:migrations:migrate sleep 300";

/// A cluster of so many tenants.
pub fn ground(tenants: usize, nodes: usize) -> Ground {
    let epoch = Some("2026-11-21T09:00:00Z".parse().expect("a time"));
    Ground::with(Options { seed: 11, epoch, nodes, ..standing(tenants) })
}

/// The command that migrates a tenant.
pub fn command(ground: &Ground, tenant: &str, command: Option<&str>) {
    ground.cluster.with_world(|w| {
        let set = |d: &mut Value| match command {
            Some(command) => d["metadata"]["annotations"]["wheelhouse.dev/migrate"] = command.into(),
            None => {
                d["metadata"]["annotations"].as_object_mut().and_then(|a| a.remove("wheelhouse.dev/migrate"));
            }
        };
        w.store.update(Kind::DEPLOYMENT, tenant, tenant, "somebody", set).expect("it is there");
    });
}

pub fn migration() -> Deed {
    Deed::Migrate(Migration { gitops_paused: true, ..Migrations::default().of("any".into()) })
}

/// What is proposed for all tenants a session sees.
pub fn of_all(session: &Session, deed: &Deed) -> Many {
    let seen = session.now();
    let names: Vec<TenantName> = seen.tenants.keys().cloned().collect();
    many::many(&seen, deed, &names)
}

pub fn begin(session: &Session, made: &Many, parallel: u32, canary: u32, failures: u32) -> campaign::Handle {
    let pace = Pace::of_tenants(&session.now(), parallel, canary, failures);
    // What is grave by then is agreed to: the load of this world is thrown.
    let made = Many { confirmation: Confirmation::Type("tenants".into()), ..made.clone() };
    start(session, Proposed::of_tenants(&made, pace))
}

/// How many pods the Jobs of a tenant have ever made.
pub fn ran(ground: &Ground, tenant: &str) -> u64 {
    let made = |e: &&std::sync::Arc<Value>| {
        e["reason"] == "SuccessfulCreate" && e["involvedObject"]["kind"] == "Job"
    };
    let count = |e: &std::sync::Arc<Value>| e["count"].as_u64().unwrap_or(1);
    ground.cluster.with_world(|w| w.store.list(Kind::EVENT, Some(tenant)).filter(made).map(count).sum())
}

fn the_one(session: &Session) -> Campaign {
    campaigns(&session.now()).remove(0).campaign
}

fn ask(session: &Session, wish: Wish) {
    let it = the_one(session);
    let seen = session.now();
    session.block("a wish", campaign::ask(&session.access, &it, wish, &seen)).expect("it is written");
}

fn free(session: &Session) {
    session.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
}

/// The pod of a tenant's Job that runs.
fn job_pod(ground: &Ground, tenant: &str) -> Option<String> {
    ground.cluster.with_world(|w| {
        let mut pods = w.store.list(Kind::POD, Some(tenant));
        let own = pods.find(|p| {
            p["metadata"]["ownerReferences"][0]["kind"] == "Job" && p["status"]["phase"] == "Running"
        });
        own.and_then(|p| p["metadata"]["name"].as_str().map(str::to_owned))
    })
}

#[test]
fn who_cannot_be_is_left_out_the_first_goes_alone_and_one_that_failed_is_tried_again() {
    let ground = ground(5, 4);
    let alice = patient(&ground, "alice@bastion");
    let names: Vec<String> = alice.now().tenants.keys().map(ToString::to_string).collect();
    let (parked, fails) = (&names[1], &names[2]);
    let was: Vec<_> = names.iter().map(|name| ground.replicas(name)).collect();
    ground.set_replicas(parked, 0);
    command(&ground, fails, Some(FAILS));
    ground.step(30);
    alice.until("what was changed", |s| {
        s.tenants[&TenantName::from(parked.as_str())].desired() == 0
            && s.tenants[&TenantName::from(fails.as_str())].workload.migration.is_some()
    });
    let made = of_all(&alice, &migration());
    assert_eq!((made.items.len(), made.left.len()), (4, 1), "{:?}", made.left);
    assert!(made.left[0].why.contains("is parked with 0 replicas"), "{:?}", made.left);
    let mut handle = begin(&alice, &made, 2, 1, 1);
    let most = std::cell::Cell::new((0, 0));
    drive_until(&ground, &alice, &mut handle, |it| {
        let running = it.counts().running;
        let (first, later) = most.get();
        most.set(if it.counts().done == 0 {
            (running.max(first), later)
        } else {
            (first, running.max(later))
        });
        it.state.is_over() || it.state == CampaignState::Paused
    });
    let it = alice.block("the pause", handle.ended());
    assert_eq!(most.get(), (1, 2), "the first goes alone, then two at the same time");
    assert_eq!(it.state, CampaignState::Paused);
    let why = it.last_word().unwrap_or_default();
    assert!(why.contains(&format!("migrate {fails} failed")) && why.contains("exit code 1"), "{why}");
    assert_eq!(ground.replicas(fails), was[2], "it got back what it had");
    assert_eq!(it.counts().failed, 1);
    // Another cockpit has it tried again, once its cause is gone, and goes on.
    command(&ground, fails, None);
    let bob = patient(&ground, "bob@bastion");
    bob.until("the change", |s| s.tenants[&TenantName::from(fails.as_str())].workload.migration.is_none());
    free(&bob);
    let failed = it.states.iter().position(|s| matches!(s, ItemState::Failed(_))).expect("one failed");
    ask(&bob, Wish::Retry { item: failed });
    let it = bob.until("the wish", |s| campaigns(s).first().is_some_and(|c| c.campaign.asked.len() == 1));
    let mut handle = resume(&bob, campaigns(&it).remove(0).campaign);
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    assert_eq!(it.counts().done, 4);
    assert!(it.each().is_some() && it.an_hour().is_some());
    for (name, was) in names.iter().zip(was).filter(|(name, _)| *name != parked) {
        assert_eq!(ground.replicas(name), was, "{name}");
        assert_eq!(ran(&ground, name), if name == fails { 2 } else { 1 }, "{name}");
    }
    assert_eq!(ran(&ground, parked), 0);
}

#[test]
fn one_whose_job_has_succeeded_is_not_skipped_and_its_run_ends_as_done() {
    let ground = ground(2, 3);
    let alice = patient(&ground, "alice@bastion");
    let made = of_all(&alice, &migration());
    let mut handle = begin(&alice, &made, 1, 0, 1);
    let last = std::cell::RefCell::new(None);
    drive_until(&ground, &alice, &mut handle, |it| {
        let migrated = it.under_way.iter().find(|run| run.has_migrated() && it.counts().done == 1);
        last.replace(migrated.and_then(|run| run.tenants().next().cloned())).is_some()
            || last.borrow().is_some()
    });
    let tenant = last.take().expect("the last of them");
    handle.wish(Wish::SkipTenant { tenant: tenant.clone() });
    let it = drive(&ground, &alice, &mut handle);
    let counts = it.counts();
    assert_eq!((it.state, counts.done, counts.skipped, counts.failed), (CampaignState::Done, 2, 0, 0));
    assert_eq!(ran(&ground, tenant.as_str()), 1);
    let done = |s: &Snapshot| {
        let all = wheelhouse::run::runs(s);
        all.len() == 2 && all.iter().all(|known| known.run.state == RunState::Done)
    };
    alice.until("both runs as done", done);
}

#[test]
fn one_whose_outcome_is_unknown_is_held_and_the_others_go_on() {
    let ground = ground(4, 4);
    let alice = patient(&ground, "alice@bastion");
    let names: Vec<String> = alice.now().tenants.keys().map(ToString::to_string).collect();
    let (held, was) = (&names[1], ground.replicas(&names[1]));
    command(&ground, held, Some(LONG));
    alice.until("the command", |s| s.tenants[&TenantName::from(held.as_str())].workload.migration.is_some());
    let made = of_all(&alice, &migration());
    let mut handle = begin(&alice, &made, 2, 1, 3);
    drive_until(&ground, &alice, &mut handle, |it| {
        assert!(!it.state.is_over() && it.state != CampaignState::Paused, "{:?}", it.last_word());
        let waits = |run: &wheelhouse::run::Run| {
            let steps = run.plan().steps.iter().zip(&run.steps);
            steps
                .filter(|(step, _)| matches!(step.change, Change::JobEnded(_)))
                .any(|(_, state)| *state == StepState::Started)
        };
        let own = it.under_way.iter().any(|run| run.tenants().any(|t| t.as_str() == held) && waits(run));
        own && job_pod(&ground, held).is_some()
    });
    // Its job runs: it is not skipped, whoever wishes it.
    handle.wish(Wish::SkipTenant { tenant: held.as_str().into() });
    drive_until(&ground, &alice, &mut handle, |it| {
        it.entries.iter().any(
            |e| matches!(&e.event, campaign::Event::Declined { why, .. } if why.contains("its job runs")),
        )
    });
    let pod = job_pod(&ground, held).expect("its pod");
    ground.cluster.with_world(|w| w.store.delete(Kind::POD, held, &pod, &DeleteOptions::default()));
    let it = drive(&ground, &alice, &mut handle);
    let counts = it.counts();
    assert_eq!((counts.done, counts.held, counts.failed), (3, 1, 0), "{:?}", it.last_word());
    assert_eq!(it.state, CampaignState::Paused);
    let why = it.last_word().unwrap_or_default();
    assert!(why.contains(&format!("1 held: migrate {held} (run ")), "{why}");
    assert_eq!(ground.replicas(held), 1, "nothing is done silently");
    // What is held is not tried again beside its run.
    free(&alice);
    let seen = alice.until("the pause", |s| {
        campaigns(s).first().is_some_and(|c| c.campaign.state == CampaignState::Paused)
    });
    let mut handle = resume(&alice, campaigns(&seen).remove(0).campaign);
    handle.wish(Wish::Retry { item: 1 });
    let it = drive(&ground, &alice, &mut handle);
    assert!(
        it.entries
            .iter()
            .any(|e| matches!(&e.event, campaign::Event::Declined { why, .. } if why.contains("holds it"))),
        "{:?}",
        it.entries.last()
    );
    assert_eq!(it.counts().held, 1);
    // Its run is decided about by itself, by anybody.
    let bob = patient(&ground, "bob@bastion");
    ground.step(30);
    free(&bob);
    bob.until("the open question", |s| {
        let open = wheelhouse::run::runs(s).into_iter().find(|r| r.run.state == RunState::Paused);
        open.is_some_and(|r| r.offers(s).succeeded.is_ok())
    });
    let open = bob.runs().into_iter().find(|r| r.run.state == RunState::Paused).expect("it is open");
    let mut run = bob.take_as_succeeded(open.run);
    assert_eq!(ground.drive(&bob, &mut run).state, RunState::Done);
    free(&bob);
    let seen =
        bob.until("its end", |s| wheelhouse::run::runs(s).iter().all(|r| r.run.state == RunState::Done));
    let mut handle = resume(&bob, campaigns(&seen).remove(0).campaign);
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!((it.state, it.counts().done), (CampaignState::Done, 4), "{:?}", it.last_word());
    assert_eq!((ground.replicas(held), ran(&ground, held)), (was, 1));
}

#[test]
fn a_job_that_went_while_nobody_drove_is_told_by_its_own_run_and_without_its_journal_it_can_be_skipped() {
    let ground = ground(2, 3);
    let alice = ground.session("alice@bastion");
    let names: Vec<String> = alice.now().tenants.keys().map(ToString::to_string).collect();
    let first = &names[0];
    command(&ground, first, Some(LONG));
    alice.until("the command", |s| s.tenants[&TenantName::from(first.as_str())].workload.migration.is_some());
    let made = of_all(&alice, &migration());
    let mut handle = begin(&alice, &made, 1, 1, 1);
    drive_until(&ground, &alice, &mut handle, |it| {
        assert!(!it.state.is_over() && it.state != CampaignState::Paused, "{:?}", it.last_word());
        job_pod(&ground, first).is_some()
    });
    alice.kill();
    ground.cluster.with_world(|w| {
        let names: Vec<String> = {
            let jobs = w.store.list(Kind::JOB, Some(first));
            jobs.filter_map(|job| job["metadata"]["name"].as_str().map(str::to_owned)).collect()
        };
        names.iter().for_each(|name| drop(w.store.delete(Kind::JOB, first, name, &DeleteOptions::default())));
    });
    ground.step(90);
    let bob = patient(&ground, "bob@bastion");
    let mut handle = resume(&bob, the_one(&bob));
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!((it.state, it.counts().held), (CampaignState::Paused, 1), "{:?}", it.last_word());
    free(&bob);
    // Not the campaign alone says so: the run itself is paused with the reason, and takes the decision.
    let seen = bob.until("the open question", |s| {
        let open = wheelhouse::run::runs(s).into_iter().find(|r| r.run.state == RunState::Paused);
        open.is_some_and(|r| {
            r.run.last_word().is_some_and(|why| why.contains("unknown")) && r.offers(s).succeeded.is_ok()
        })
    });
    let run = wheelhouse::run::runs(&seen)
        .into_iter()
        .find(|r| r.run.state == RunState::Paused)
        .expect("it is open")
        .run;
    // Somebody deletes its journal: nobody can decide about it any more.
    ground.delete("configmaps", &format!("run-{}", run.id));
    let seen = bob.until("the loss", |s| wheelhouse::run::runs(s).iter().all(|r| r.run.id != run.id));
    let known = campaigns(&seen).remove(0);
    assert!(known.offers(&seen).skip.is_ok(), "{:?}", known.offers(&seen).skip);
    let mut handle = resume(&bob, known.campaign);
    handle.wish(Wish::SkipTenant { tenant: first.as_str().into() });
    let it = drive(&ground, &bob, &mut handle);
    let counts = it.counts();
    assert_eq!((it.state, counts.done, counts.skipped), (CampaignState::Done, 1, 1), "{:?}", it.last_word());
    assert_eq!((ran(&ground, first), ran(&ground, &names[1])), (1, 1));
}

#[test]
fn between_tenants_a_busy_database_is_waited_for_with_the_reason() {
    let stage = Stage::new();
    let alice = stage.session("alice@bastion");
    stage.database().with(|s| s.galera.toi(0, "ALTER TABLE orders ADD price_cents INT NOT NULL", 600_000));
    stage.database().step(Duration::from_secs(2));
    let busy = |s: &Snapshot| {
        s.galera
            .values()
            .filter_map(|m| m.now())
            .any(|m| m.threads.as_ref().is_some_and(|t| t.schema_change.is_some()))
    };
    alice.until("the schema change", busy);
    let made = of_all(&alice, &migration());
    assert!(
        made.left.is_empty() && made.items.len() == 3,
        "it is waited for, nobody is left out: {:?}",
        made.left
    );
    assert!(
        made.waits.as_deref().is_some_and(|why| why.contains("a schema change runs on")),
        "{:?}",
        made.waits
    );
    let mut handle = begin(&alice, &made, 1, 1, 1);
    let mut watch = handle.watch.clone();
    let waits = async {
        watch
            .wait_for(|it| {
                it.doing.as_ref().is_some_and(|d| d.to_string().contains("a schema change runs on"))
            })
            .await
            .map(drop)
    };
    alice.block("the wait", waits).expect("it is driven");
    let it = handle.watch.borrow().clone();
    let waits = |doing: &Doing| matches!(doing, Doing::Waits(why) if why.starts_with("the database: "));
    assert!(it.doing.as_ref().is_some_and(waits), "{:?}", it.doing);
    assert_eq!((it.counts().waiting, it.state), (3, CampaignState::Running));
    handle.pause();
    let it = alice.block("the pause", handle.ended());
    assert_eq!((it.state, it.paused_by()), (CampaignState::Paused, Some("alice@bastion")));
    for tenant in ["acme", "globex", "initech"] {
        assert_eq!(ran(&stage.ground, tenant), 0, "{tenant}");
        assert!(pods(&stage.ground, tenant).iter().all(|pod| pod.2), "{tenant}");
    }
}
