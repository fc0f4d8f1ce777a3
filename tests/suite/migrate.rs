//! A tenant's database is migrated: its autoscaler held, its replicas dropped, one Job, and all given back; whatever gets
//! in the way.

use serde_json::{Value, json};
use wheelhouse::{
    cluster::TenantName,
    demo::{
        kind::{KINDS, Kind},
        store::DeleteOptions,
    },
    plan::{Change, Intent, Migration, Migrations, OnFailure, Plan, Verdict, plan},
    run::{JournalPlace, Run, RunState, StepState, rehearse, runs, undo_intent},
};

use crate::{
    moves::pods,
    session::{Ground, Session, planned, text},
};

mod crash;
mod refusals;
mod told;

pub const TENANT: &str = "acme";
const NEW: &str = "2.5.0";

fn kind(plural: &str) -> &'static Kind {
    KINDS.iter().find(|k| k.plural == plural).expect("a kind")
}

/// What a migration must leave as it found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    pub replicas: u64,
    bounds: Option<(u64, u64)>,
    annotations: Value,
    image: String,
}

/// The tenant's autoscaler, from 3 to 6.
pub fn autoscaled(ground: &Ground) {
    let autoscaler = json!({
        "metadata": { "namespace": TENANT, "name": TENANT },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": TENANT },
            "minReplicas": 3,
            "maxReplicas": 6,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": 1000 } } }],
        },
    });
    ground.cluster.with_world(|w| {
        let there = w.store.get(Kind::AUTOSCALER, TENANT, TENANT).is_some();
        if !there {
            w.store.insert(Kind::AUTOSCALER, autoscaler);
        }
        let hold =
            |a: &mut Value| (a["spec"]["minReplicas"], a["spec"]["maxReplicas"]) = (3.into(), 6.into());
        w.store.update(Kind::AUTOSCALER, TENANT, TENANT, "test", hold).expect("an autoscaler");
    });
    ground.set_replicas(TENANT, 3);
    ground.step(60);
}

/// The tenant without an autoscaler.
pub fn plain(ground: &Ground) {
    ground.cluster.with_world(|w| {
        if w.store.get(Kind::AUTOSCALER, TENANT, TENANT).is_some() {
            w.store.delete(Kind::AUTOSCALER, TENANT, TENANT, &DeleteOptions::default()).expect("it goes");
        }
    });
    ground.set_replicas(TENANT, 3);
    ground.step(60);
}

fn workload(ground: &Ground) -> Value {
    ground.cluster.with_world(|w| {
        let found = [Kind::DEPLOYMENT, Kind::STATEFUL_SET];
        let mut found = found.iter().filter_map(|kind| w.store.get(kind, TENANT, TENANT));
        Value::clone(found.next().expect("the workload"))
    })
}

fn image_of(workload: &Value) -> String {
    let all = workload["spec"]["template"]["spec"]["containers"].as_array().expect("containers");
    let own = all.iter().find(|c| c["name"] == "php-fpm").expect("php-fpm");
    own["image"].as_str().expect("an image").to_owned()
}

pub fn before(ground: &Ground) -> Before {
    let object = workload(ground);
    let bounds = ground.cluster.with_world(|w| {
        let autoscaler = w.store.get(Kind::AUTOSCALER, TENANT, TENANT)?;
        let number = |name: &str| autoscaler["spec"][name].as_u64().expect("a number");
        Some((number("minReplicas"), number("maxReplicas")))
    });
    Before {
        replicas: object["spec"]["replicas"].as_u64().expect("a number"),
        bounds,
        annotations: object["spec"]["template"]["metadata"]["annotations"].clone(),
        image: image_of(&object),
    }
}

/// How many pods migrations' Jobs have ever made.
pub fn pods_of_jobs(ground: &Ground) -> u64 {
    let made = |e: &&std::sync::Arc<Value>| {
        e["reason"] == "SuccessfulCreate" && e["involvedObject"]["kind"] == "Job"
    };
    let count = |e: &std::sync::Arc<Value>| e["count"].as_u64().unwrap_or(1);
    ground.cluster.with_world(|w| w.store.list(Kind::EVENT, Some(TENANT)).filter(made).map(count).sum())
}

pub fn migration() -> Migration {
    Migrations::default().of(TENANT.into())
}

fn failing() -> Migration {
    let command = "php bin/console doctrine:migrations:migrate exit 1";
    Migration { command: Some(command.into()), ..migration() }
}

pub fn intent(migration: Migration) -> Intent {
    Intent::Migrate { migration }
}

pub fn start(session: &Session, migration: Migration) -> wheelhouse::run::Handle {
    session.start(planned(session, &intent(migration)), JournalPlace::Cluster)
}

fn migrated(ground: &Ground, session: &Session, migration: Migration) -> Run {
    let mut handle = start(session, migration);
    ground.drive(session, &mut handle)
}

/// The step that waits for the Job.
fn waits(run: &Run) -> usize {
    let steps = &run.plan().steps;
    steps.iter().position(|s| matches!(s.change, Change::JobEnded(_))).expect("a wait for the job")
}

fn done(run: &Run, step: usize) -> bool {
    matches!(run.steps[step], StepState::Done(_))
}

/// The name of the pod of the Job, while it is there.
fn job_pod(ground: &Ground) -> Option<String> {
    ground.cluster.with_world(|w| {
        let mut pods = w.store.list(Kind::POD, Some(TENANT));
        let own = pods.find(|p| p["metadata"]["ownerReferences"][0]["kind"] == "Job");
        own.and_then(|p| p["metadata"]["name"].as_str().map(str::to_owned))
    })
}

/// Drives a run until the pod of its Job runs.
pub fn until_it_runs(ground: &Ground, session: &Session, handle: &mut wheelhouse::run::Handle) -> String {
    // The pod of an earlier job stays for as long as its log can be read.
    let running = |ground: &Ground| {
        ground.cluster.with_world(|w| {
            let mut pods = w.store.list(Kind::POD, Some(TENANT));
            let own = pods.find(|p| {
                p["metadata"]["ownerReferences"][0]["kind"] == "Job" && p["status"]["phase"] == "Running"
            });
            own.and_then(|p| p["metadata"]["name"].as_str().map(str::to_owned))
        })
    };
    ground.drive_until(session, handle, |run| {
        let over = run.state.is_over() || run.state == RunState::Paused;
        assert!(!over, "{:?}", run.last_word());
        run.steps[waits(run)] == StepState::Started && running(ground).is_some()
    });
    running(ground).expect("it runs")
}

/// A Job whose command runs for long.
fn long() -> Migration {
    Migration { command: Some("php bin/console doctrine:migrations:migrate sleep 300".into()), ..migration() }
}

#[test]
fn a_tenant_is_migrated_at_one_replica_and_everything_is_given_back() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let was = before(&ground);
    let made = planned(&alice, &intent(Migration { image: Some(NEW.into()), ..migration() }));
    let rehearsal = alice.block("a rehearsal", rehearse(&alice.access, &made));
    // Nobody answers at the registry of the examples, and that is told.
    let (image, others): (Vec<_>, Vec<_>) = rehearsal.checks.iter().partition(|c| c.rule == "image");
    assert!(others.iter().all(|c| c.verdict == Verdict::Ok), "{:?}", rehearsal.checks);
    assert_eq!(image.iter().map(|c| c.verdict).collect::<Vec<_>>(), [Verdict::Warn], "{image:?}");
    assert_eq!(pods_of_jobs(&ground), 0, "a rehearsal makes nothing");
    let beside = std::cell::Cell::new((usize::MAX, 0));
    let mut handle = alice.start(made, JournalPlace::Cluster);
    ground.drive_until(&alice, &mut handle, |run| {
        if job_pod(&ground).is_some() && run.steps[waits(run)] == StepState::Started {
            let own = pods(&ground, TENANT).into_iter().filter(|p| !p.0.contains("migrate")).count();
            beside.set((beside.get().0.min(own), beside.get().1.max(own)));
        }
        run.state.is_over() || run.state == RunState::Paused
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    assert_eq!(beside.get(), (1, 1), "pods of the tenant beside the job");
    assert_eq!(pods_of_jobs(&ground), 1);
    let image = was.image.rsplit_once(':').map(|(name, _)| format!("{name}:{NEW}")).expect("a tag");
    assert_eq!(before(&ground), Before { image, ..was });
    let all = pods(&ground, TENANT);
    assert_eq!(all.iter().filter(|p| p.2 && !p.0.contains("migrate")).count(), 3, "{all:?}");
    assert!(run.log.lines.iter().any(|line| line.contains("Successfully migrated")), "{:?}", run.log);
    let seen = alice.until("the journal", |s| runs(s).first().is_some_and(|r| r.run.state == RunState::Done));
    let kept = &runs(&seen)[0].run;
    assert_eq!((&kept.log, &kept.entries), (&run.log, &run.entries), "the log is kept with the run");
    assert_eq!(ground.holders(), [None]);
    // What a migration did to the schema is not undone by pretending.
    let undo = plan(&seen, &undo_intent(&run).expect("something was made"));
    assert!(undo.refusals().any(|c| c.text.contains("stays")), "{undo}");
}

#[test]
fn the_job_is_selected_by_nobody_and_has_nothing_of_serving() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, long());
    let name = until_it_runs(&ground, &alice, &mut handle);
    ground.cluster.with_world(|w| {
        let pod = Value::clone(w.store.get(Kind::POD, TENANT, &name).expect("its pod"));
        let labels = pod["metadata"]["labels"].as_object().expect("labels").clone();
        let has = |selector: &Value| {
            let all = selector.as_object().filter(|all| !all.is_empty());
            all.is_some_and(|all| all.iter().all(|(key, value)| labels.get(key) == Some(value)))
        };
        for service in w.store.list(Kind::SERVICE, Some(TENANT)) {
            assert!(!has(&service["spec"]["selector"]), "{labels:?} {}", service["spec"]["selector"]);
        }
        for plural in ["replicasets", "deployments", "poddisruptionbudgets"] {
            for object in w.store.list(kind(plural), Some(TENANT)) {
                assert!(!has(&object["spec"]["selector"]["matchLabels"]), "{plural} {labels:?}");
            }
        }
        let containers = pod["spec"]["containers"].as_array().expect("containers");
        assert_eq!(containers.len(), 1);
        for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"] {
            assert!(containers[0][field].is_null(), "{field}: {}", containers[0][field]);
        }
        let template = &workload_in(w)["spec"]["template"]["spec"];
        let own =
            template["containers"].as_array().expect("containers").iter().find(|c| c["name"] == "php-fpm");
        let own = own.expect("php-fpm");
        for field in ["image", "env", "envFrom", "resources"] {
            assert_eq!(containers[0][field], own[field], "{field}");
        }
        assert_eq!(pod["spec"]["imagePullSecrets"], template["imagePullSecrets"]);
        let job = w.store.list(kind("jobs"), Some(TENANT)).next().expect("the job").clone();
        let spec = &job["spec"];
        assert_eq!((&spec["backoffLimit"], &spec["activeDeadlineSeconds"]), (&0.into(), &3600.into()));
        assert_eq!(spec["ttlSecondsAfterFinished"], 86_400);
    });
    handle.pause();
    let run = alice.block("the pause", handle.ended());
    assert_eq!(run.state, RunState::Paused);
}

fn workload_in(w: &mut wheelhouse::demo::World) -> Value {
    Value::clone(w.store.get(Kind::DEPLOYMENT, TENANT, TENANT).expect("the workload"))
}

#[test]
fn a_migration_that_fails_gives_everything_back_and_says_why() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let was = before(&ground);
    let run = migrated(&ground, &alice, Migration { image: Some(NEW.into()), ..failing() });
    assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
    assert!(text(&run).contains("failed with exit code 1"), "{}", text(&run));
    assert!(run.log.lines.iter().any(|line| line.contains("SQLSTATE")), "{:?}", run.log);
    assert_eq!((before(&ground), pods_of_jobs(&ground)), (was, 1));
    ground.step(60);
    let ready = pods(&ground, TENANT).iter().filter(|p| p.2).count();
    assert_eq!(ready, 3, "{:?}", pods(&ground, TENANT));
    assert_eq!(ground.holders(), [None]);
    // Trying again is another run, with a Job of its own.
    alice.until("free leases", |s| s.leases.values().all(|l| l.holder.is_none()));
    alice.until("its journal", |s| runs(s).first().is_some_and(|r| r.run.state == RunState::Failed));
    alice.until("ready pods", |s| s.tenants[&TenantName::from(TENANT)].ready() == 3);
    let again = migrated(&ground, &alice, migration());
    assert_eq!((again.state, pods_of_jobs(&ground)), (RunState::Done, 2), "{:?}", again.last_word());
}

#[test]
fn an_autoscaler_that_is_quicker_than_the_replicas_does_not_keep_them() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let made = planned(&alice, &intent(migration()));
    let back = made.steps.iter().find_map(|step| match &step.change {
        Change::Replicas(back) if step.takes_back.is_some() => Some(back.clone()),
        _ => None,
    });
    let back = back.expect("the replicas are given back");
    assert!(back.autoscaled && back.is_between(2) && !back.is_between(1) && !back.is_between(3), "{back:?}");
    let mut handle = start(&alice, migration());
    let was = before(&ground);
    ground.drive_until(&alice, &mut handle, |run| {
        // The very moment its bounds are back, it has gone a part of the way.
        if before(&ground).bounds == was.bounds && before(&ground).replicas == 1 {
            ground.set_replicas(TENANT, 2);
        }
        run.state.is_over() || run.state == RunState::Paused
    });
    let run = alice.block("the end", handle.ended());
    assert_eq!((run.state, before(&ground)), (RunState::Done, was), "{:?}", run.last_word());
}

#[test]
fn giving_up_closes_a_run_and_leaves_what_somebody_else_has_changed_since() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, long());
    until_it_runs(&ground, &alice, &mut handle);
    ground.cluster.with_world(|w| {
        let theirs =
            |a: &mut Value| (a["spec"]["minReplicas"], a["spec"]["maxReplicas"]) = (4.into(), 9.into());
        w.store.update(Kind::AUTOSCALER, TENANT, TENANT, "somebody", theirs).expect("an autoscaler");
    });
    handle.pause();
    let run = alice.block("the pause", handle.ended());
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    let mut handle = alice.give_up(run, "not tonight");
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
    assert_eq!(before(&ground).bounds, Some((4, 9)), "what they set stays");
    let left =
        |state: &StepState| matches!(state, StepState::Skipped(text) if text.contains("left as it is"));
    assert!(run.steps.iter().any(left), "{:?}", run.steps);
}

#[test]
fn a_failure_can_be_held_for_a_look_and_giving_up_then_gives_back() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let was = before(&ground);
    let run = migrated(&ground, &alice, Migration { on_failure: OnFailure::Hold, ..failing() });
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    assert_eq!((before(&ground).replicas, before(&ground).bounds), (1, Some((1, 1))), "it is held");
    ground.step(120);
    assert_eq!(before(&ground).replicas, 1, "the autoscaler is held");
    let seen = alice.until("the pause", |s| {
        runs(s).first().is_some_and(|r| r.run.state == RunState::Paused && r.holder.is_none())
    });
    let found = &runs(&seen)[0];
    assert!(found.wants_an_operator());
    let offers = found.offers(&seen);
    assert!(offers.resume.is_err() && offers.succeeded.is_ok() && offers.give_up.is_ok(), "{offers:?}");
    // While it stands, no other migration may take one replica for what the tenant had.
    let second = plan(&seen, &intent(migration()));
    assert!(second.refusals().any(|c| c.text.contains("finish it or give it up first")), "{second}");
    let mut handle = alice.give_up(found.run.clone(), "mended by hand");
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
    assert_eq!(before(&ground), was);
}

#[test]
fn a_deleted_pod_leaves_the_outcome_unknown_and_the_choice_to_an_operator() {
    for succeeded in [true, false] {
        let ground = Ground::new();
        autoscaled(&ground);
        let alice = ground.session("alice@bastion");
        let was = before(&ground);
        let mut handle = start(&alice, Migration { image: Some(NEW.into()), ..long() });
        let pod = until_it_runs(&ground, &alice, &mut handle);
        ground
            .cluster
            .with_world(|w| w.store.delete(Kind::POD, TENANT, &pod, &DeleteOptions::default()).is_some());
        let run = ground.drive(&alice, &mut handle);
        assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
        assert!(text(&run).contains("unknown"), "{}", text(&run));
        assert_eq!(before(&ground).replicas, 1, "nothing is done silently");
        // The watch of pods has had its time to tell of an exit code.
        ground.step(30);
        let seen = alice.until("the open question", |s| {
            let paused =
                |r: &&wheelhouse::run::RunSeen| r.run.state == RunState::Paused && r.holder.is_none();
            runs(s).first().filter(paused).is_some_and(|r| r.offers(s).succeeded.is_ok())
        });
        let found = runs(&seen).remove(0);
        let offers = found.offers(&seen);
        assert!(offers.resume.is_err(), "{offers:?}");
        let undo = plan(&seen, &undo_intent(&found.run).expect("something was made"));
        assert!(undo.refusals().next().is_some(), "{undo}");
        let mut handle = match succeeded {
            true => alice.take_as_succeeded(found.run),
            false => alice.give_up(found.run, "its migration is taken as failed"),
        };
        let run = ground.drive(&alice, &mut handle);
        let wanted = if succeeded { RunState::Done } else { RunState::Failed };
        assert_eq!(run.state, wanted, "{:?}", run.last_word());
        let then = before(&ground);
        assert_eq!((then.replicas, then.bounds), (was.replicas, was.bounds));
        assert_eq!(then.image.ends_with(NEW), succeeded, "{}", then.image);
        assert_eq!(pods_of_jobs(&ground), 1, "it ran once");
        if succeeded {
            assert!(done(&run, waits(&run)));
        }
    }
}

#[test]
fn a_job_that_is_gone_and_one_that_is_late_leave_the_outcome_unknown() {
    for late in [true, false] {
        let ground = Ground::new();
        plain(&ground);
        let alice = ground.session("alice@bastion");
        let mut handle = start(&alice, Migration { deadline: 60, ..long() });
        until_it_runs(&ground, &alice, &mut handle);
        if !late {
            ground.cluster.with_world(|w| {
                let name =
                    w.store.list(kind("jobs"), Some(TENANT)).next().expect("a job")["metadata"]["name"]
                        .clone();
                w.store
                    .delete(kind("jobs"), TENANT, name.as_str().expect("a name"), &DeleteOptions::default())
                    .expect("it goes");
            });
        }
        let run = ground.drive(&alice, &mut handle);
        assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
        let word = if late { "deadline passed" } else { "it is gone" };
        assert!(text(&run).contains("unknown") && text(&run).contains(word), "{}", text(&run));
        assert_eq!(before(&ground).replicas, 1);
    }
}

#[test]
fn an_image_that_cannot_be_pulled_fails_before_anything_ran_and_is_given_back() {
    for init in [false, true] {
        let ground = Ground::new();
        autoscaled(&ground);
        let alice = ground.session("alice@bastion");
        let was = before(&ground);
        let mut handle = start(&alice, long());
        ground.drive_until(&alice, &mut handle, |run| run.steps[waits(run)] == StepState::Started);
        ground.drive_until(&alice, &mut handle, |_| job_pod(&ground).is_some());
        let pod = job_pod(&ground).expect("a pod");
        let waiting = |name: &str, reason: &str| {
            json!([{ "name": name, "ready": false, "restartCount": 0, "image": "x", "imageID": "",
                "state": { "waiting": { "reason": reason } }, "lastState": {} }])
        };
        ground.cluster.with_world(|w| {
            if init {
                w.store.update(Kind::POD, TENANT, &pod, "somebody", |p| {
                    p["spec"]["initContainers"] =
                        json!([{ "name": "setup", "image": "registry.example/setup:1" }]);
                });
            }
            w.store.update_status(Kind::POD, TENANT, &pod, "kubelet", |p| {
                let own = if init { "PodInitializing" } else { "ImagePullBackOff" };
                p["status"]["containerStatuses"] = waiting("php-fpm", own);
                if init {
                    p["status"]["initContainerStatuses"] = waiting("setup", "ImagePullBackOff");
                }
            });
        });
        let run = ground.drive(&alice, &mut handle);
        assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
        let who = if init {
            "setup ImagePullBackOff: registry.example/setup:1"
        } else {
            "php-fpm ImagePullBackOff: "
        };
        assert!(text(&run).contains(who), "{}", text(&run));
        assert_eq!(before(&ground), was);
        ground.step(60);
        assert_eq!(job_pod(&ground), None, "the job is deleted");
    }
}

#[test]
fn a_pause_before_the_job_gives_back_and_one_beside_it_holds() {
    let ground = Ground::new();
    autoscaled(&ground);
    let alice = ground.session("alice@bastion");
    let was = before(&ground);
    let mut handle = start(&alice, long());
    ground.drive_until(&alice, &mut handle, |run| run.steps[2] == StepState::Started);
    handle.pause();
    let run = alice.block("the pause", handle.ended());
    assert_eq!((run.state, before(&ground)), (RunState::Paused, was.clone()), "{:?}", run.last_word());
    assert_eq!(pods_of_jobs(&ground), 0);
    ground.step(60);
    alice.until("the pause", |s| runs(s).first().is_some_and(|r| r.holder.is_none()));
    let mut handle = alice.resume(run);
    until_it_runs(&ground, &alice, &mut handle);
    handle.pause();
    let run = alice.block("the pause", handle.ended());
    assert_eq!((run.state, before(&ground).replicas), (RunState::Paused, 1), "it is held beside the job");
    let seen = alice.until("the pause", |s| {
        runs(s).first().is_some_and(|r| r.run.state == RunState::Paused && r.holder.is_none())
    });
    let found = runs(&seen).remove(0);
    let offers = found.offers(&seen);
    assert!(offers.resume.is_ok() && offers.succeeded.is_err(), "{offers:?}");
    // Giving it up stops the job first: nothing is given back beside a statement that runs.
    let mut handle = alice.give_up(found.run, "not tonight");
    let alone = std::cell::Cell::new(true);
    ground.drive_until(&alice, &mut handle, |run| {
        let given = before(&ground).replicas > 1;
        alone.set(alone.get() && !(given && job_pod(&ground).is_some()));
        run.state.is_over() || run.state == RunState::Paused
    });
    let run = ground.drive(&alice, &mut handle);
    assert_eq!((run.state, before(&ground)), (RunState::Failed, was), "{:?}", run.last_word());
    assert!(alone.get(), "replicas were given back beside the job");
}

#[test]
fn replicas_that_cannot_be_given_back_keep_the_run_open() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, Migration { command: Some("sleep 30; exit 1".into()), ..migration() });
    until_it_runs(&ground, &alice, &mut handle);
    ground.cordon(true);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    assert!(run.leaving.is_some() && before(&ground).replicas == 3, "{:?}", run.last_word());
    ground.cordon(false);
    let seen = alice.until("the pause", |s| {
        runs(s).first().is_some_and(|r| r.run.state == RunState::Paused && r.holder.is_none())
    });
    let found = runs(&seen).remove(0);
    assert!(found.offers(&seen).resume.is_ok());
    let mut handle = alice.resume(found.run);
    let run = ground.drive(&alice, &mut handle);
    assert_eq!((run.state, pods_of_jobs(&ground)), (RunState::Failed, 1), "{:?}", run.last_word());
    assert_eq!(pods(&ground, TENANT).iter().filter(|p| p.2).count(), 3);
}

/// The plan this session would make, whatever its checks say.
pub fn made(session: &Session, migration: Migration) -> Plan {
    plan(&session.now(), &intent(migration))
}

#[test]
fn a_second_operator_is_told_who_is_at_it_and_the_first_stops_once_its_lease_is_taken() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, long());
    until_it_runs(&ground, &alice, &mut handle);
    let bob = ground.session("bob@bastion");
    // Her lease is renewed as time goes by, however far the world was stepped.
    bob.until("who is at it", |s| {
        let second = plan(s, &intent(migration()));
        second.refusals().any(|c| c.text.contains("alice@bastion is changing it"))
    });
    let generation = ground.generation(TENANT);
    ground.steal("tenant-acme", "bob@bastion 1-1");
    let run = ground.drive(&alice, &mut handle);
    assert_eq!(run.state, RunState::Paused, "{:?}", run.last_word());
    ground.step(400);
    assert_eq!(ground.generation(TENANT), generation, "nothing is written without the lease");
    assert_eq!(pods_of_jobs(&ground), 1);
}
