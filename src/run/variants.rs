//! Every kind of change, walked through everything that a plan and a run ask of it: a kind that is half there fails
//! here by its name.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Method, Request};
use jiff::Timestamp;
use kube::{Client, client::Body};

use super::{
    Entry, Event, Run, RunState,
    decide::{Decision, Facts, Leaving, decide},
    perform::{Clock, Context, Failure, Right, Writer, act},
    rights::RbacRole,
};
use crate::{
    cluster::{Key, Memory, Revision, ServerRow, Snapshot, Tenancy, WorkloadKey, WorkloadKind, sketch},
    plan::{
        About, Adopt, Bounds, Change, Cordon, CreateJob, CreatePod, DeletePod, DeletionCost, Desync,
        Desynced, Discard, Evict, Given, Gone, Holds, Intent, JobEnded, Names, Plan, PodReady, Replaced,
        Replicas, Resize, Resized, RestartRollout, RolledOut, Save, Servers, Serves, SetImage, SetTemplate,
        Settle, Standing, StartJob, Step, StopJob, plan,
    },
};

/// The name a kind has in a journal. A new kind does not compile here until it is named, and then fails until it stands
/// among `all`.
fn name(change: &Change) -> &'static str {
    match change {
        Change::Replicas(_) => "replicas",
        Change::Settle(_) => "settle",
        Change::Servers(_) => "servers",
        Change::Holds(_) => "holds",
        Change::Save(_) => "save",
        Change::Desync(_) => "desync",
        Change::Desynced(_) => "desynced",
        Change::Serves(_) => "serves",
        Change::Cordon(_) => "cordon",
        Change::CreatePod(_) => "create-pod",
        Change::PodReady(_) => "pod-ready",
        Change::DeletionCost(_) => "deletion-cost",
        Change::Adopt(_) => "adopt",
        Change::Replaced(_) => "replaced",
        Change::Discard(_) => "discard",
        Change::Evict(_) => "evict",
        Change::DeletePod(_) => "delete-pod",
        Change::Gone(_) => "gone",
        Change::RestartRollout(_) => "restart-rollout",
        Change::RolledOut(_) => "rolled-out",
        Change::Bounds(_) => "bounds",
        Change::CreateJob(_) => "create-job",
        Change::StartJob(_) => "start-job",
        Change::JobEnded(_) => "job-ended",
        Change::StopJob(_) => "stop-job",
        Change::SetImage(_) => "set-image",
        Change::SetTemplate(_) => "set-template",
        Change::Resize(_) => "resize",
        Change::Resized(_) => "resized",
    }
}

const KINDS: usize = 29;

fn all() -> Vec<(About, Change)> {
    let workload = WorkloadKey::new(WorkloadKind::Deployment, "acme", "acme");
    let uid = || "workload-acme".into();
    let pod = |name: &str| Key::new("acme", name);
    let (new, old, old_uid) = (pod("acme-new"), pod("acme-old"), || "pod-old".into());
    let (proxy, address) = (|| "proxy1".into(), || Arc::<str>::from("db3:3306"));
    let member = || "db3:3306".into();
    let rows: Vec<ServerRow> = Vec::new();
    let of_pods = vec![
        Change::Replicas(Replicas {
            workload: workload.clone(),
            uid: uid(),
            from: 2,
            to: 3,
            autoscaled: false,
        }),
        Change::Settle(Settle { workload: workload.clone(), uid: uid(), replicas: 3, alone: false }),
        Change::CreatePod(CreatePod {
            pod: new.clone(),
            workload: workload.clone(),
            uid: uid(),
            replica_set: "acme-5f6d8c9b7".into(),
            node: "w3".into(),
        }),
        Change::PodReady(PodReady { pod: new.clone(), node: "w3".into(), seconds: 0 }),
        Change::DeletionCost(DeletionCost { pod: old.clone(), uid: old_uid(), from: 0, to: i32::MIN }),
        Change::Adopt(Adopt {
            pod: new.clone(),
            labels: [("pod-template-hash".to_owned(), "5f6d8c9b7".to_owned())].into(),
            replica_set: "acme-5f6d8c9b7".into(),
            victim: old.clone(),
            victim_uid: old_uid(),
            victim_node: "w1".into(),
        }),
        Change::Replaced(Replaced {
            workload: workload.clone(),
            uid: uid(),
            pod: new.clone(),
            victim: old.clone(),
            victim_uid: old_uid(),
            stay: vec![],
            replicas: 2,
        }),
        Change::Discard(Discard { pod: new, replica_set: "acme-5f6d8c9b7".into() }),
        Change::Evict(Evict { pod: old.clone(), uid: old_uid() }),
        Change::DeletePod(DeletePod { pod: old.clone(), uid: old_uid() }),
        Change::Gone(Gone { pod: old, uid: old_uid() }),
        Change::RestartRollout(RestartRollout {
            workload: workload.clone(),
            uid: uid(),
            stamp: "now".into(),
        }),
        Change::RolledOut(RolledOut {
            workload: workload.clone(),
            uid: uid(),
            image: None,
            template: None,
            restarted: None,
            steady: 0,
        }),
        Change::Bounds(Bounds { autoscaler: pod("acme"), from: (2, 6), to: (1, 1) }),
        Change::CreateJob(CreateJob {
            job: pod("acme-migrate"),
            workload: workload.clone(),
            uid: uid(),
            container: "php-fpm".into(),
            image: "app:2".into(),
            command: vec!["migrate".into()],
            labels: Default::default(),
            deadline: 60,
            kept: 60,
        }),
        Change::StartJob(StartJob { job: pod("acme-migrate") }),
        Change::JobEnded(JobEnded { job: pod("acme-migrate"), container: "php-fpm".into() }),
        Change::StopJob(StopJob { job: pod("acme-migrate") }),
        Change::SetTemplate(SetTemplate {
            workload: workload.clone(),
            uid: uid(),
            from: Revision { number: 2, set: "acme-2".into(), hash: "2".into() },
            to: Revision { number: 1, set: "acme-5f6d8c9b7".into(), hash: "5f6d8c9b7".into() },
        }),
        Change::Resize(Resize {
            pod: pod("acme-old"),
            uid: old_uid(),
            container: "php-fpm".into(),
            from: Given { memory_limit: Some(Memory(640 << 20)), ..Given::default() },
            to: Given { memory_limit: Some(Memory(768 << 20)), ..Given::default() },
        }),
        Change::Resized(Resized {
            pod: pod("acme-old"),
            uid: old_uid(),
            container: "php-fpm".into(),
            to: Given { memory_limit: Some(Memory(768 << 20)), ..Given::default() },
        }),
        Change::SetImage(SetImage {
            workload,
            uid: uid(),
            container: "php-fpm".into(),
            from: "registry.example/app:2.4.1".into(),
            to: "app:2".into(),
        }),
    ];
    let of_database = vec![
        Change::Servers(Servers { proxy: proxy(), address: address(), from: rows.clone(), to: vec![] }),
        Change::Holds(Holds { proxy: proxy(), address: address(), rows, as_writer: None }),
        Change::Save(Save { proxy: proxy(), from: "db3".into() }),
        Change::Desync(Desync { member: member(), from: false, to: true }),
        Change::Desynced(Desynced { member: member(), desynced: true }),
        Change::Serves(Serves { proxy: proxy(), address: address(), serves: true }),
    ];
    let cordon = Change::Cordon(Cordon { node: "w3".into(), uid: "node-w3".into(), from: false, to: true });
    let tenant = |change| (About::Tenant("acme".into()), change);
    let node = (About::Node("w3".into()), cordon);
    let database = |change| (About::Database, change);
    of_pods.into_iter().map(tenant).chain([node]).chain(of_database.into_iter().map(database)).collect()
}

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn seen() -> Snapshot {
    sketch("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2 hpa=2-6", now()).expect("a sketch")
}

/// A plan of these steps, as far as a run looks at it.
fn of(steps: Vec<Step>) -> Plan {
    let intent = Intent::Scale { targets: vec![] };
    Plan {
        id: "p".into(),
        intent,
        seen: 1,
        at: now(),
        tenants: vec![],
        nodes: vec![],
        database: None,
        steps,
        checks: vec![],
        on_failure: Default::default(),
    }
}

fn taken(steps: Vec<Step>) -> Run {
    let mut run = Run::new("r", "alice", of(steps).approve(None, None).expect("a plan"));
    note(&mut run, Event::Taken);
    run
}

fn note(run: &mut Run, event: Event) {
    run.apply(Entry { at: now(), by: "alice".into(), token: 1, event }).expect("a legal order");
}

/// A server where nothing is, and that remembers whether it was written to.
fn nowhere(read_only: bool) -> (Writer, Arc<AtomicBool>) {
    let written = Arc::new(AtomicBool::new(false));
    let wrote = written.clone();
    let answer = move |request: Request<Body>| {
        wrote.fetch_or(request.method() != Method::GET, Ordering::Relaxed);
        let body =
            r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"not found","code":404}"#;
        let answer = http::Response::builder().status(404).body(Body::from(body.as_bytes().to_vec()));
        std::future::ready(Ok::<_, Infallible>(answer.expect("an answer")))
    };
    let client = Client::new(tower::service_fn(answer), "default");
    (Writer::new(client, read_only, "wheelhouse", Clock::ahead(0)), written)
}

#[test]
fn every_kind_stands_among_all_and_is_stored_under_its_name() {
    let names: BTreeSet<_> = all().iter().map(|(_, change)| name(change)).collect();
    assert_eq!((names.len(), all().len()), (KINDS, KINDS), "{names:?}");
    for (about, change) in all() {
        let step = Step::new(about, change.clone(), 30);
        let text = serde_json::to_value(&step).expect("JSON");
        assert_eq!(text["change"]["kind"], name(&change));
        assert_eq!(serde_json::from_value::<Step>(text).expect("a step"), step);
    }
}

#[test]
fn every_kind_says_what_it_is_about_what_it_does_and_where_it_stands() {
    let (nothing, seen) = (Snapshot::new(Tenancy::default()), seen());
    for (_, change) in all() {
        let kind = name(&change);
        assert!(!change.words(&Names::default()).is_empty(), "{kind}");
        assert!(!change.object().to_string().is_empty(), "{kind}");
        if !change.object().is_of_database() {
            assert!(change.unseen(&nothing).is_some(), "{kind}: nothing is followed");
            assert_eq!(change.unseen(&seen), None, "{kind}");
        }
        // On what is not there nothing is done.
        let done = change.stands(&nothing) == Standing::AtTo;
        assert_eq!(
            done,
            matches!(kind, "evict" | "delete-pod" | "gone"),
            "{kind}: {:?}",
            change.stands(&nothing)
        );
        let writes = change.is_write();
        assert_eq!(writes, change.invert().is_some() || change.never().is_some(), "{kind}: undone, or never");
        if let Some(inverse) = change.invert() {
            assert!(inverse.is_write(), "{kind}");
        }
    }
}

#[tokio::test]
async fn every_kind_asks_for_its_rights_and_writes_only_within_them() {
    let (watching, blind) = (nowhere(true), nowhere(false));
    for (_, change) in all() {
        let (kind, side) = (name(&change), act(&change));
        let of_cluster = change.is_write() && !change.object().is_of_database();
        assert_eq!(of_cluster, !side.rights().is_empty(), "{kind}: its rights");
        assert_eq!(of_cluster, !side.may().is_empty(), "{kind}: its rights in words");
        let context = Context { run: "r", fence: &|| true, dry: false };
        let no_lease = Context { run: "r", fence: &|| false, dry: false };
        for (answer, what) in [
            (side.rehearse(&watching.0, "r").await.map(|_| ()), "rehearsed"),
            (side.perform(&watching.0, &context).await.map(|_| ()), "performed"),
            (side.perform(&blind.0, &no_lease).await.map(|_| ()), "performed without the lease"),
        ] {
            let fine =
                matches!(answer, Ok(()) | Err(Failure::ReadOnly | Failure::Drift(_) | Failure::Fenced));
            let no_database = matches!(&answer, Err(Failure::Refused { code: 0, .. }));
            assert!(fine || (change.object().is_of_database() && no_database), "{kind} {what}: {answer:?}");
        }
        let looked = side.look(&blind.0).await;
        assert!(looked.is_ok() || change.object().is_of_database(), "{kind}: {looked:?}");
    }
    assert!(!watching.1.load(Ordering::Relaxed), "a read-only session wrote");
    assert!(!blind.1.load(Ordering::Relaxed), "something was written without the lease");
}

#[test]
fn the_rights_of_every_kind_are_those_of_a_role_and_no_role_has_one_that_none_needs() {
    let of = |role: RbacRole| -> BTreeSet<Right> {
        role.rules().iter().flat_map(|rule| rule.rights("acme", "wheelhouse")).collect()
    };
    let granted: BTreeSet<_> = RbacRole::ALL.into_iter().flat_map(of).collect();
    let mut used = BTreeSet::new();
    for (_, change) in all() {
        let side = act(&change);
        let needed = side.rights().into_iter().chain(side.tells().map(|told| told.involved.right()));
        for right in needed {
            let elsewhere = Right { namespace: "acme".into(), ..right.clone() };
            let right =
                if right.namespace.is_empty() || right.namespace == "acme" { right } else { elsewhere };
            assert!(granted.contains(&right), "{}: no role has the right to {right}", name(&change));
            used.insert(right);
        }
    }
    for role in [RbacRole::Operator, RbacRole::Mover, RbacRole::Migrator] {
        let journal = |right: &Right| right.namespace == "wheelhouse";
        for right in of(role).into_iter().filter(|right| !journal(right)) {
            // The walk is over Deployments; what it needs of them it needs of StatefulSets.
            let alike = right.resource.replace("statefulsets", "deployments");
            let alike = Right { resource: alike, ..right.clone() };
            assert!(used.contains(&alike), "{}: no change needs the right to {right}", role.name());
        }
    }
}

#[test]
fn every_write_is_begun_found_and_taken_back_on_every_way_out() {
    let seen = seen();
    for (about, change) in all().into_iter().filter(|(_, change)| change.is_write()) {
        let kind = name(&change);
        let back = change.invert().unwrap_or_else(|| change.clone());
        let steps = vec![
            Step::new(about.clone(), change.clone(), 30),
            Step { takes_back: Some(0), ..Step::new(about, back, 30) },
        ];
        let mut run = taken(steps);
        // Never begun, there is nothing to take back.
        assert_eq!(run.borrowed().count(), 0, "{kind}");
        let leaving = Facts { leaving: Some(Leaving::GiveUp("enough".into())), ..Facts::default() };
        assert!(matches!(decide(&run, &seen, now(), &leaving), Decision::Finish(..)), "{kind}");
        note(&mut run, Event::Started { step: 0 });
        assert!(run.is_begun(0) && run.made().len() == 1, "{kind}");
        assert_eq!(decide(&run, &seen, now(), &leaving), Decision::TakeBack(1), "{kind}");
        note(&mut run, Event::Started { step: 1 });
        note(&mut run, Event::TakenBack { step: 0, text: String::new() });
        assert!(!run.is_begun(0) && run.made().is_empty(), "{kind}: {:?}", run.made());
        assert_eq!(run.current(), Some(0), "{kind}: it is to be done again");
        assert!(matches!(decide(&run, &seen, now(), &leaving), Decision::Finish(..)), "{kind}");
    }
}

#[test]
fn undoing_says_something_of_every_write() {
    let seen = seen();
    for (about, change) in all().into_iter().filter(|(_, change)| change.is_write()) {
        let intent = Intent::Undo { run: "9c1f".into(), changes: vec![(about, change.clone())] };
        let undo = plan(&seen, &intent);
        let says: Vec<_> = undo.all_checks().map(|c| c.text.as_str()).collect();
        let kind = name(&change);
        assert!(!says.is_empty() || !undo.steps.is_empty(), "{kind}");
        assert!(!says.iter().any(|text| text.contains("changed nothing")), "{kind}: {says:?}");
    }
}

#[test]
fn a_step_that_is_begun_again_and_again_pauses() {
    let seen = seen();
    let (about, change) = all().into_iter().find(|(_, c)| name(c) == "cordon").expect("a cordon");
    let mut run = taken(vec![Step::new(about, change, 30)]);
    for _ in 0..5 {
        assert_eq!(decide(&run, &seen, now(), &Facts::default()), Decision::Perform(0));
        note(&mut run, Event::Started { step: 0 });
    }
    let Decision::Pause(0, why) = decide(&run, &seen, now(), &Facts::default()) else { panic!("it goes on") };
    assert!(why.contains("begun 5 times without an end"), "{why}");
    // An operator who goes on knows of it.
    note(&mut run, Event::Paused { step: 0, why, asked: false });
    note(&mut run, Event::Taken);
    assert_eq!(decide(&run, &seen, now(), &Facts::default()), Decision::Perform(0));
}

#[test]
fn entries_in_an_illegal_order_are_refused_and_change_nothing() {
    let (about, change) = all().remove(0);
    let step = || Step::new(about.clone(), change.clone(), 30);
    let entry = |event| Entry { at: now(), by: "alice".into(), token: 1, event };
    let done = |step| Event::Done { step, text: String::new() };
    let finished = Event::Finished { outcome: super::Outcome::Done, text: String::new() };
    let fresh = Run::new("r", "alice", of(vec![step(), step()]).approve(None, None).expect("a plan"));
    for (before, event, words) in [
        (vec![], Event::Started { step: 0 }, "planned"),
        (vec![], done(0), "planned"),
        (vec![Event::Taken], Event::Started { step: 7 }, "none of the plan"),
        (vec![Event::Taken, done(0)], done(0), "through already"),
        (vec![Event::Taken, done(0)], Event::Started { step: 0 }, "through already"),
        (vec![Event::Taken], finished.clone(), "not every step is through"),
        (vec![Event::Taken, done(0), done(1), finished.clone()], Event::Taken, "done"),
        (vec![Event::Taken, done(0), done(1), finished], Event::Started { step: 1 }, "through already"),
        (vec![Event::Taken, Event::Undone { by_run: "x".into() }], done(0), "was taken back"),
    ] {
        let mut run = fresh.clone();
        before.iter().for_each(|event| run.apply(entry(event.clone())).expect("a legal order"));
        let was = run.clone();
        let why = run.apply(entry(event.clone())).expect_err("an illegal order");
        assert!(why.contains(words), "{event:?} after {before:?}: {why}");
        assert_eq!(run, was);
    }
    assert_eq!(fresh.state, RunState::Planned);
}
