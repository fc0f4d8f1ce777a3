//! What a campaign does next, and that it can always be carried on.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{record::*, *};
use crate::{
    cluster::{Freshness, Journal, Key, Observation, Seen, WorkloadKey, WorkloadKind, Written, sketch},
    plan::{
        Intent, Means, Migrations, Move, MoveReason, plan,
        rebalance::{Caps, Goal, Policy},
    },
    run::{self, Outcome, Run, RunSeen, RunState},
};

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn seen() -> Snapshot {
    let mut seen = sketch(
        "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 2 on w1 w2\ntenant initech 2 on w1 w3",
        now(),
    )
    .expect("a sketch");
    seen.journals.freshness = Freshness::Live { since: now() };
    seen
}

const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

fn campaign(pace: Pace) -> Campaign {
    let items: Vec<_> = TENANTS.iter().map(|t| Intent::Restart { tenant: (*t).into() }).collect();
    let mut campaign = Campaign::new("c", "alice", approved("restart 3 tenants", items, pace));
    note(&mut campaign, Event::Taken);
    campaign
}

fn approved(goal: &str, items: Vec<Intent>, pace: Pace) -> Approved {
    Proposed::new(&seen(), goal, None, items, pace).approve(None, None).expect("nothing is grave")
}

fn note(campaign: &mut Campaign, event: Event) {
    let entry = Entry { at: now(), by: "alice".into(), token: 1, heard: 0, event };
    campaign.apply(entry).expect("a legal order");
}

fn id(item: usize) -> String {
    format!("run-{item}")
}

fn begin(campaign: &mut Campaign, item: usize) {
    note(campaign, Event::Began { item, run: id(item) });
}

/// The run of an item, as it stands.
fn child(item: usize, state: RunState) -> RunSeen {
    let made = plan(&seen(), &Intent::Restart { tenant: TENANTS[item].into() });
    let mut run = Run::new(id(item), "alice", made.approve(None, None).expect("a plan"));
    let note = |run: &mut Run, event| {
        let entry = run::Entry { at: now(), by: "alice".into(), token: 1, event };
        run.apply(entry).expect("a legal order");
    };
    note(&mut run, run::Event::Taken);
    match state {
        RunState::Paused => {
            note(&mut run, run::Event::Paused { step: 0, why: "no room".into(), asked: false })
        }
        RunState::Failed => {
            let text = "given up".into();
            note(&mut run, run::Event::Finished { outcome: Outcome::Failed, text });
        }
        RunState::Done => {
            for step in 0..run.steps.len() {
                note(&mut run, run::Event::Done { step, text: String::new() });
            }
            let text = String::new();
            note(&mut run, run::Event::Finished { outcome: Outcome::Done, text });
        }
        _ => {}
    }
    RunSeen { ours: true, ..RunSeen::of(run) }
}

#[test]
fn who_takes_it_up_later_is_told_apart_from_who_began_it() {
    let mut campaign = campaign(Pace::default());
    note(&mut campaign, Event::Paused { why: "a test".into(), asked: true, beyond: None });
    note(&mut campaign, Event::Taken);
    let told: Vec<_> = campaign.entries.iter().map(|entry| describe(&campaign, &entry.event)).collect();
    assert_eq!(told[0], "▸ campaign c began: restart 3 tenants");
    assert_eq!(told[2], "▸ campaign c was taken up again");
}

#[test]
fn an_item_whose_run_failed_or_was_not_as_predicted_says_so() {
    let mut it = campaign(Pace::default());
    begin(&mut it, 0);
    let mut harmed = child(0, RunState::Running);
    let entry = |event| run::Entry { at: now(), by: "alice".into(), token: 1, event };
    let about = crate::plan::About::Tenant("acme".into());
    let text = "it was without a ready pod for 40 s; its pods: w1 2".to_owned();
    harmed.run.apply(entry(run::Event::Verified { about, as_predicted: false, text })).expect("running");
    for step in 0..harmed.run.steps.len() {
        harmed.run.apply(entry(run::Event::Done { step, text: String::new() })).expect("running");
    }
    let outcome = Outcome::Done;
    harmed.run.apply(entry(run::Event::Finished { outcome, text: String::new() })).expect("running");
    let Next::Note(event) = next(&it, &[harmed], &seen()) else { panic!("it is noted") };
    note(&mut it, event.clone());
    let counts = it.counts();
    assert_eq!((counts.done, counts.unpredicted), (1, 1));
    assert_eq!(counts.words(), "1 of 3 done (1 not as predicted)");
    let told = describe(&it, &event);
    assert!(
        told.starts_with("▲ 1 of 3: restart acme is done, not as predicted: acme: it was without"),
        "{told}"
    );
    // Its journal keeps it, and one without reads as before.
    let line = line(it.entries.last().expect("an entry"));
    assert!(line.contains("\"unpredicted\":"), "{line}");
}

/// The run of an item whose Job has succeeded.
fn migrated(item: usize) -> Run {
    let made = plan(&seen(), &migration(TENANTS[item]));
    let typed = match made.confirmation() {
        crate::plan::Confirmation::Type(text) => Some(text),
        crate::plan::Confirmation::Yes => None,
    };
    let mut run = Run::new(id(item), "alice", made.approve(typed.as_deref(), None).expect("a plan"));
    let ended = |step: &crate::plan::Step| matches!(step.change, crate::plan::Change::JobEnded(_));
    let last = run.plan().steps.iter().position(ended).expect("a job");
    let steps = (0..=last).map(|step| run::Event::Done { step, text: String::new() });
    for event in std::iter::once(run::Event::Taken).chain(steps) {
        run.apply(run::Entry { at: now(), by: "alice".into(), token: 1, event }).expect("a legal order");
    }
    run
}

#[test]
fn a_tenant_whose_job_succeeded_is_migrated_whatever_becomes_of_its_run() {
    let mut run = migrated(0);
    assert!(run.beyond_skipping().is_some_and(|why| why.contains("has succeeded")), "it is not skipped");
    let (outcome, text) = (Outcome::Failed, "given up by bob: skipped".to_owned());
    let event = run::Event::Finished { outcome, text };
    run.apply(run::Entry { at: now(), by: "bob".into(), token: 2, event }).expect("it is given up");
    let known = [RunSeen::of(run)];
    let pace = Pace { parallel: 1, canary: 1, stop_after: 3, brakes: Vec::new() };
    for held in [false, true] {
        let mut it = migrations(pace.clone());
        begin(&mut it, 0);
        if held {
            note(&mut it, Event::Held { item: 0, why: "its outcome is not known".into() });
        }
        let Next::Note(event) = next(&it, &known, &seen()) else {
            panic!("{:?}", next(&it, &known, &seen()))
        };
        note(&mut it, event);
        let (at, why) = it.unpredicted().next().expect("it says what became of the run");
        assert!(why.contains("failed once its migration had succeeded: given up by bob"), "{why}");
        let counts = it.counts();
        assert_eq!((at, counts.done, counts.failed, counts.skipped), (0, 1, 0, 0));
    }
}

#[test]
fn a_migration_that_was_begun_is_never_called_nothing() {
    let migrate = |tenant: &str| Intent::Migrate { migration: Migrations::default().of(tenant.into()) };
    let items = TENANTS.iter().map(|tenant| migrate(tenant)).collect();
    let proposed = Proposed::new(&seen(), "migrate", None, items, Pace::default());
    let typed = match proposed.confirmation() {
        crate::plan::Confirmation::Type(text) => Some(text.clone()),
        crate::plan::Confirmation::Yes => None,
    };
    let mut it = Campaign::new("c", "alice", proposed.approve(typed.as_deref(), None).expect("a yes"));
    note(&mut it, Event::Taken);
    assert_eq!(back(&it, &seen()), Err("campaign c has changed nothing".into()));
    begin(&mut it, 0);
    let stays = Err("migrate acme: what its migration did to the schema stays".to_owned());
    assert_eq!(back(&it, &seen()), stays);
    // However the item is noted afterwards.
    note(&mut it, Event::Skipped { item: 0, why: "skipped by alice".into() });
    assert_eq!(back(&it, &seen()), stays);
    note(&mut it, Event::Retried { item: 0 });
    assert_eq!(back(&it, &seen()), stays);
}

#[test]
fn the_first_goes_alone_and_then_as_many_as_the_pace_says() {
    let pace = Pace { parallel: 2, ..Pace::default() };
    let mut it = campaign(pace);
    assert_eq!(next(&it, &[], &seen()), Next::Begin(0));
    begin(&mut it, 0);
    let running = [child(0, RunState::Running)];
    assert!(matches!(next(&it, &running, &seen()), Next::Wait(_)), "the canary is alone");
    let done = [child(0, RunState::Done)];
    assert_eq!(
        next(&it, &done, &seen()),
        Next::Note(Event::Done { item: 0, pod: None, was: None, unpredicted: None })
    );
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    assert_eq!(next(&it, &done, &seen()), Next::Begin(1));
    begin(&mut it, 1);
    let two = [child(0, RunState::Done), child(1, RunState::Running)];
    assert_eq!(next(&it, &two, &seen()), Next::Begin(2));
    begin(&mut it, 2);
    let all = [child(0, RunState::Done), child(1, RunState::Done), child(2, RunState::Done)];
    note(&mut it, Event::Done { item: 1, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Done { item: 2, pod: None, was: None, unpredicted: None });
    let text = "restart 3 tenants: 3 of 3 done".into();
    assert_eq!(next(&it, &all, &seen()), Next::Finish { whole: true, text });
}

#[test]
fn an_item_that_was_about_to_begin_is_begun_as_the_same_run() {
    let mut it = campaign(Pace::default());
    begin(&mut it, 0);
    // Its session died before the run was written down.
    assert_eq!(next(&it, &[], &seen()), Next::Begin(0));
    assert_eq!(it.states[0], ItemState::Running("run-0".into()));
    // As long as the journals are not followed, a run that is not seen may be there.
    let mut blind = seen();
    blind.journals.freshness = blind.journals.freshness.lost(now(), "gone away");
    assert!(matches!(next(&it, &[], &blind), Next::Wait(_)));
}

#[test]
fn a_surprise_stops_it_and_a_yes_goes_on() {
    let mut it = campaign(Pace::default());
    begin(&mut it, 0);
    let Next::Stop(why) = next(&it, &[child(0, RunState::Paused)], &seen()) else { panic!("it goes on") };
    assert!(why.contains("no room"), "{why}");
    let left = RunSeen { ours: false, ..child(0, RunState::Running) };
    let Next::Stop(why) = next(&it, &[left], &seen()) else { panic!("it goes on") };
    assert!(why.contains("interrupted"), "{why}");
    let failed = [child(0, RunState::Failed)];
    let Next::Note(event) = next(&it, &failed, &seen()) else { panic!("nothing became of it") };
    note(&mut it, event);
    assert_eq!(next(&it, &failed, &seen()), Next::Stop("restart acme failed: given up".into()));
    note(&mut it, Event::Paused { why: "given up".into(), asked: false, beyond: None });
    assert!(matches!(next(&it, &failed, &seen()), Next::Wait(_)));
    note(&mut it, Event::Taken);
    assert_eq!(next(&it, &failed, &seen()), Next::Begin(1), "the failure was seen");
    note(&mut it, Event::Retried { item: 0 });
    assert_eq!(next(&it, &failed, &seen()), Next::Begin(0));
}

#[test]
fn what_is_done_to_a_node_in_a_moment_does_not_tell_how_long_the_rest_takes() {
    let restart = Intent::Restart { tenant: "acme".into() };
    let items = vec![Intent::Cordon { node: "w1".into(), cordoned: true }, restart.clone(), restart];
    let mut it = Campaign::new("c", "alice", approved("drain w1", items, Pace::default()));
    let mut at = |seconds: i64, event| {
        let at = now() + SignedDuration::from_secs(seconds);
        it.apply(Entry { at, by: "alice".into(), token: 1, heard: 0, event }).expect("a legal order");
        it.each()
    };
    at(0, Event::Taken);
    at(0, Event::Began { item: 0, run: id(0) });
    assert_eq!(at(1, Event::Done { item: 0, pod: None, was: None, unpredicted: None }), None);
    at(1, Event::Began { item: 1, run: id(1) });
    let each = at(21, Event::Done { item: 1, pod: None, was: None, unpredicted: None });
    assert_eq!(each, Some(SignedDuration::from_secs(20)));
}

#[test]
fn stopping_begins_nothing_more_and_says_what_is_left() {
    let mut it = campaign(Pace::default());
    begin(&mut it, 0);
    note(&mut it, Event::Stopping);
    assert!(matches!(next(&it, &[child(0, RunState::Running)], &seen()), Next::Wait(_)));
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Skipped { item: 1, why: "not now".into() });
    let text = "restart 3 tenants: 1 of 3 done, 1 left out, 1 not begun".into();
    assert_eq!(next(&it, &[], &seen()), Next::Finish { whole: false, text });
}

#[test]
fn a_plan_beyond_the_envelope_is_not_run() {
    let restart = |tenant: &str| Intent::Restart { tenant: tenant.into() };
    let envelope = Envelope::of(&[restart("acme")]);
    assert_eq!(envelope.exceeded(&plan(&seen(), &restart("acme"))), None);
    let why = envelope.exceeded(&plan(&seen(), &restart("globex")));
    assert_eq!(why.as_deref(), Some("globex was not agreed to"));
}

fn moved(item: usize) -> Intent {
    let tenant = format!("tenant-{item:04}");
    Intent::Move {
        moved: Move {
            tenant: Some(tenant.as_str().into()),
            workload: Some(WorkloadKey::new(WorkloadKind::Deployment, tenant.as_str(), "web")),
            pod: Key::new(tenant.as_str(), format!("web-5f6d8c9b7d-{item:05}")),
            uid: format!("7de31d60-2e32-4a2a-b77e-6d9a6fb{item:05}").as_str().into(),
            from: "worker-003.prod.example".into(),
            to: Some("worker-017.prod.example".into()),
            means: Means::Adoption,
            reason: MoveReason::Doubled { pods: 2 },
            free: None,
        },
    }
}

#[test]
fn two_thousand_moves_fit_into_a_journal_with_all_their_entries() {
    let items: Vec<_> = (0..2000).map(moved).collect();
    let mut it =
        Campaign::new("20261121-090000-c0de", "alice@bastion", approved("rebalance", items, Pace::default()));
    let text = head(&it).expect("it fits");
    let mut events = String::new();
    let mut add = |it: &mut Campaign, event: Event| {
        let entry = Entry { at: now(), by: "alice@bastion.prod".into(), token: 1, heard: 0, event };
        events += &line(&entry);
        it.apply(entry).expect("a legal order");
    };
    add(&mut it, Event::Taken);
    for item in 0..2000 {
        add(&mut it, Event::Began { item, run: format!("20261121-090000-{item:04x}") });
        add(
            &mut it,
            Event::Done {
                item,
                pod: Some(format!("web-5f6d8c9b7d-{item:08x}")),
                was: None,
                unpredicted: None,
            },
        );
    }
    assert!(text.len() + events.len() < ROOM, "{} + {}", text.len(), events.len());
    let began = std::time::Instant::now();
    assert_eq!(read(&text, &events).expect("a campaign"), it);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    let many: Vec<_> = (0..4000).map(moved).collect();
    let large = Campaign::new("c", "alice", approved("rebalance", many, Pace::default()));
    assert!(head(&large).is_err_and(|why| why.contains("do it in several")));
}

fn migration(tenant: &str) -> Intent {
    Intent::Migrate { migration: Migrations::default().of(tenant.into()) }
}

/// A campaign of migrations, taken up.
fn migrations(pace: Pace) -> Campaign {
    let items: Vec<_> = TENANTS.iter().map(|tenant| migration(tenant)).collect();
    let mut it = Campaign::new("c", "alice", approved("migrate 3 tenants", items, pace));
    note(&mut it, Event::Taken);
    it
}

#[test]
fn two_thousand_migrations_fit_into_a_journal_with_all_their_entries() {
    let items: Vec<_> = (0..2000).map(|i| migration(&format!("tenant-with-a-long-name-{i:04}"))).collect();
    let envelope = Envelope::of(&items);
    let approved = Approved {
        goal: "migrate 2000 tenants".into(),
        aim: None,
        items,
        pace: Pace::default(),
        envelope,
        undoes: None,
        reason: None,
    };
    let mut it = Campaign::new("20261121-090000-c0de", "alice@bastion", approved);
    let text = head(&it).expect("it fits");
    assert!(text.len() < 150_000, "what is the same is written once: {}", text.len());
    assert!(text.starts_with("{\"format\":3"), "an older reader is told");
    let mut events = String::new();
    let mut add = |it: &mut Campaign, event: Event| {
        let entry = Entry { at: now(), by: "alice@bastion.prod".into(), token: 1, heard: 0, event };
        events += &line(&entry);
        it.apply(entry).expect("a legal order");
    };
    add(&mut it, Event::Taken);
    for item in 0..2000 {
        add(&mut it, Event::Began { item, run: format!("20261121-090000-{item:04x}") });
        let why = "job tenant-migrate failed with exit code 1";
        add(
            &mut it,
            match item % 10 {
                0 => Event::Failed { item, why: why.into() },
                1 => Event::Held { item, why: format!("the outcome of its job is unknown: {why}") },
                _ => Event::Done {
                    item,
                    pod: None,
                    was: Some("registry.example/app:2.4.1".into()),
                    unpredicted: None,
                },
            },
        );
    }
    assert!(text.len() + events.len() < ROOM, "{} + {}", text.len(), events.len());
    assert_eq!(read(&text, &events).expect("a campaign"), it);
    let counts = it.counts();
    assert_eq!((counts.done, counts.failed, counts.held), (1600, 200, 200));
    // Others among them are written whole.
    let mixed = vec![migration("acme"), Intent::Restart { tenant: "acme".into() }, migration("globex")];
    let it = Campaign::new("c", "alice", Approved { items: mixed.clone(), ..approved_like() });
    assert_eq!(read(&head(&it).expect("it fits"), "").expect("a campaign").items, mixed);
}

fn approved_like() -> Approved {
    approved("x", vec![migration("acme")], Pace::default())
}

#[test]
fn the_first_tenant_shows_whether_the_others_may_follow_and_what_is_busy_is_waited_for() {
    let pace = |parallel| Pace { parallel, canary: 1, stop_after: 3, brakes: Vec::new() };
    let mut it = migrations(pace(2));
    assert_eq!(next(&it, &[], &seen()), Next::Begin(0));
    begin(&mut it, 0);
    note(&mut it, Event::Failed { item: 0, why: "exit code 1".into() });
    let why = "migrate acme failed: exit code 1".to_owned();
    assert_eq!(
        next(&it, &[], &seen()),
        Next::Stop(why),
        "the first one failed: three may fail, but not that one"
    );
    // Gone on with, the next one goes alone again.
    note(&mut it, Event::Taken);
    assert_eq!(next(&it, &[], &seen()), Next::Begin(1));
    begin(&mut it, 1);
    note(&mut it, Event::Skipped { item: 1, why: "parked".into() });
    assert_eq!(next(&it, &[], &seen()), Next::Begin(2));
    // What would stop a campaign of moves is waited for here.
    let workload = WorkloadKey::new(WorkloadKind::Deployment, "nobody", "nobody");
    let brakes = vec![Guard::AllReady { workload }];
    let it = migrations(Pace { brakes, ..pace(1) });
    assert!(matches!(next(&it, &[], &seen()), Next::Wait(Doing::Waits(_))), "it is waited for");
}

#[test]
fn what_is_held_is_counted_and_ends_when_its_run_does() {
    let mut it = migrations(Pace { parallel: 3, canary: 0, stop_after: 5, brakes: Vec::new() });
    for item in 0..3 {
        begin(&mut it, item);
    }
    note(&mut it, Event::Held { item: 0, why: "unknown".into() });
    note(&mut it, Event::Done { item: 1, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Failed { item: 2, why: "exit code 1".into() });
    assert_eq!(it.counts().words(), "1 of 3 done, 1 failed, 1 held");
    let stops = next(&it, &[], &seen());
    assert!(matches!(&stops, Next::Stop(why) if why.contains("1 held: migrate acme (run 0)")), "{stops:?}");
    assert!(
        it.apply(Entry { at: now(), by: "a".into(), token: 1, heard: 0, event: Event::Retried { item: 0 } })
            .is_err()
    );
    let done = [child(0, RunState::Done)];
    assert_eq!(
        next(&it, &done, &seen()),
        Next::Note(Event::Done { item: 0, pod: None, was: None, unpredicted: None })
    );
    let failed = [child(0, RunState::Failed)];
    assert!(matches!(next(&it, &failed, &seen()), Next::Note(Event::Failed { item: 0, .. })));
    // Ended by a wish, it is over with what is held.
    note(&mut it, Event::Stopping);
    assert!(
        matches!(next(&it, &[], &seen()), Next::Finish { whole: false, text } if text.contains("1 held"))
    );
}

#[test]
fn items_whose_place_another_plan_took_count_no_more() {
    let mut it = campaign(Pace::default());
    let written = head(&it).expect("it fits");
    begin(&mut it, 0);
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Paused { why: "no room".into(), asked: false, beyond: None });
    note(&mut it, Event::Taken);
    let restart = |tenant: &str| Intent::Restart { tenant: tenant.into() };
    let envelope = it.envelope.clone();
    note(&mut it, Event::Revised { items: vec![restart("globex"), restart("initech")], envelope });
    let counts = it.counts();
    assert_eq!((counts.all, counts.done, counts.waiting, counts.skipped, counts.replaced), (3, 1, 2, 0, 2));
    assert_eq!(counts.words(), "1 of 3 done");
    assert_eq!(it.counted().collect::<Vec<_>>(), [0, 3, 4]);
    let numbers: Vec<_> = (0..5).map(|item| it.number(item)).collect();
    assert_eq!(numbers, [Some(1), None, None, Some(2), Some(3)]);
    assert_eq!(describe(&it, &Event::Began { item: 3, run: id(3) }), "▸ 2 of 3: restart globex");
    assert_eq!(it.left().len(), 2);
    // Nobody tries or skips what is not there any more.
    for event in [Event::Retried { item: 1 }, Event::Skipped { item: 1, why: "skipped by bob".into() }] {
        let entry = Entry { at: now(), by: "bob".into(), token: 1, heard: 0, event };
        assert!(it.apply(entry).is_err_and(|why| why.contains("another plan took the place")));
    }
    let offers = CampaignSeen::of(it.clone()).offers(&seen());
    assert!(offers.retry.is_err_and(|why| why.ends_with("has no item that failed or was skipped")));
    assert_eq!(next(&it, &[], &seen()), Next::Begin(3));
    for item in [3, 4] {
        begin(&mut it, item);
        note(&mut it, Event::Done { item, pod: None, was: None, unpredicted: None });
    }
    let text = "restart 3 tenants: 3 of 3 done".into();
    assert_eq!(next(&it, &[], &seen()), Next::Finish { whole: true, text });
    // The journal says no more than before: what became of an item is told by its entries.
    let events: String = it.entries.iter().map(line).collect();
    assert_eq!(read(&written, &events).expect("a campaign"), it);
}

/// What is seen while a run still has the lease of acme.
fn leased(run: &str) -> Snapshot {
    use crate::cluster::Lease;
    let mut seen =
        sketch("node w1\nnode w2 cordoned\nnode w3\ntenant acme 2 on w1 w1", now()).expect("a sketch");
    seen.journals.freshness = Freshness::Live { since: now() };
    let lease = Lease {
        key: Key::new("wheelhouse", &*Lease::name_of(&"acme".into())),
        holder: Some("alice@bastion 1".into()),
        run: Some(run.into()),
        acquired: Some(now()),
        renewed: Some(now()),
        seconds: 15,
        resource_version: "1".into(),
        transitions: 3,
    };
    seen.observe(Observation::Lease(Seen::Put(lease.key.clone(), lease)));
    seen
}

/// A campaign that spreads acme, begun before the lease was taken and the node was cordoned.
fn spreading(to: &str) -> Campaign {
    let seen = sketch("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1", now()).expect("a sketch");
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: true };
    let policy = Policy { pod_age: SignedDuration::ZERO, ..Policy::default() };
    let aim = Aim { goal, caps: Caps::default(), policy };
    let mut items = offer(&aim, &seen).expect("it is proposed").items;
    let [Intent::Move { moved }] = items.as_mut_slice() else { panic!("{items:?}") };
    moved.to = Some(to.into());
    let mut approved = Proposed::new(&seen, "rebalance", Some(aim), items, Pace::default())
        .approve(None, None)
        .expect("a yes");
    approved.envelope.nodes.extend(["w2".into(), "w3".into()]);
    let mut it = Campaign::new("c", "alice", approved);
    note(&mut it, Event::Taken);
    it
}

#[test]
fn the_lease_of_the_run_before_is_waited_for_whatever_else_has_changed() {
    let seen = leased("20261121-085900-0d0f");
    // The node it was to go to takes none by now: it goes elsewhere, and then waits for the lease.
    let Considered::Elsewhere(to, why) = consider(&spreading("w2"), 0, &seen, now()) else {
        panic!("{:?}", consider(&spreading("w2"), 0, &seen, now()))
    };
    assert_eq!(to.as_str(), "w3");
    assert!(why.contains("w2") && !why.contains("is changing it"), "{why}");
    let Considered::Later(Doing::At(why)) = consider(&spreading("w3"), 0, &seen, now()) else {
        panic!("{:?}", consider(&spreading("w3"), 0, &seen, now()))
    };
    assert!(why.contains("run 0d0f of alice@bastion is changing it"), "{why}");
}

#[test]
fn the_end_of_the_run_before_is_waited_for_until_it_is_seen() {
    let seen = sketch("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w1", now()).expect("a sketch");
    let mut it = spreading("w3");
    let Considered::Run(made) = consider(&it, 0, &seen, now()) else { panic!("nothing is in its way") };
    let run = Run::new(id(0), "alice", made.approve(None, None).expect("a plan"));
    // Its lease is seen no more, or is from long ago.
    let lagging = |mut seen: Snapshot| {
        let journal = run::journal::blank(&run, "wheelhouse").expect("a ConfigMap");
        let plan = journal.data.as_ref().and_then(|d| d.get("plan")).expect("a plan").as_str().into();
        let (state, key) = (Some("running".into()), Key::new("wheelhouse", run::journal::name(&run.id)));
        let journal = Journal {
            key: key.clone(),
            resource_version: "1".into(),
            created: now(),
            state,
            of: Written::Run,
            plan,
            events: "".into(),
            asked: "".into(),
        };
        seen.observe(Observation::Journal(Seen::Put(key, journal)));
        seen
    };
    let seen = lagging(seen);
    let in_the_way = |considered: &Considered| matches!(considered, Considered::Stop(why, _) if why.contains("finish it or give it up first"));
    assert!(in_the_way(&consider(&it, 0, &seen, now())), "the run of somebody else");
    begin(&mut it, 0);
    note(&mut it, Event::Failed { item: 0, why: "a test".into() });
    assert!(matches!(consider(&it, 0, &seen, now()), Considered::Later(_)));
    let much_later = now() + SignedDuration::from_mins(4);
    assert!(in_the_way(&consider(&it, 0, &seen, much_later)), "not for ever");
}

#[test]
fn the_rest_is_planned_once_its_own_runs_have_given_their_leases_back() {
    let mut it = spreading("w3");
    begin(&mut it, 0);
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Paused { why: "node w2 is gone".into(), asked: false, beyond: None });
    let check = rest(&it, &leased("run-0")).expect_err("its lease is held");
    assert_eq!(check.rule, "lease");
    assert!(check.text.contains("its lease tenant-acme back: it runs out in "), "{}", check.text);
    // Another's run bars its tenant, and nothing else: it stays, with the reason.
    let left = rest(&it, &leased("somebody-s-run")).expect("it is planned");
    let stays = left.proposal.expect("an aim").stays;
    assert!(
        left.proposed.items().is_empty() && stays.iter().any(|stay| stay.rule == "open-run"),
        "{stays:?}"
    );
    // Once it has run out, the pod has its plan again.
    let mut later = leased("run-0");
    later.at = now() + SignedDuration::from_secs(60);
    assert_eq!(rest(&it, &later).expect("it is planned").proposed.items().len(), 1);
}

#[test]
fn a_journal_cut_at_any_byte_is_a_shorter_campaign_or_a_sentence() {
    let mut it = campaign(Pace::default());
    begin(&mut it, 0);
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Paused { why: "asked".into(), asked: true, beyond: None });
    let (text, events) = (head(&it).expect("it fits"), it.entries.iter().map(line).collect::<String>());
    assert_eq!(read(&text, &events).expect("a campaign"), it);
    for cut in 0..events.len() {
        let shorter = read(&text, &events[..cut]).expect("a torn last line is dropped");
        assert_eq!(shorter.entries, it.entries[..shorter.entries.len()]);
    }
    for cut in 0..text.len() {
        assert!(read(&text[..cut], &events).is_err(), "{cut}");
    }
    assert!(
        read(&text.replacen("\"format\":3", "\"format\":9", 1), "").is_err_and(|why| why.contains("newer"))
    );
    let again = events.replacen("\"event\":\"began\"", "\"event\":\"done\"", 1);
    assert!(read(&text, &again).is_err_and(|why| why.contains("line 2")));
}

proptest! {
    /// Wherever its session dies, and however late the runs are seen: every item becomes one run, and the campaign ends.
    #[test]
    fn every_item_becomes_one_run(moves in prop::collection::vec((0..3u8, any::<bool>()), 60..80), parallel in 1..4u32) {
        let mut it = campaign(Pace { parallel, ..Pace::default() });
        let mut states: Vec<Option<RunState>> = vec![None; 3];
        let mut started = [0; 3];
        let mut finished = false;
        for (time, crash) in moves.into_iter().chain(std::iter::repeat_n((0, false), 40)) {
            let runs: Vec<_> =
                states.iter().enumerate().filter_map(|(i, s)| Some(child(i, (*s)?))).collect();
            match next(&it, &runs, &seen()) {
                Next::Begin(item) => {
                    begin(&mut it, item);
                    // The session may die between the entry and the run.
                    if !crash {
                        started[item] += 1;
                        states[item] = Some(RunState::Running);
                    }
                }
                Next::Note(event) => note(&mut it, event),
                Next::Finish { whole, .. } => {
                    prop_assert!(whole);
                    finished = true;
                    break;
                }
                Next::Stop(why) | Next::GiveUp(_, why) => prop_assert!(false, "{why}"),
                Next::Resume(item) => prop_assert!(false, "item {item} is at it already"),
                Next::Wait(_) => {}
            }
            if time == 0 {
                let under_way = states.iter_mut().find(|s| **s == Some(RunState::Running));
                if let Some(state) = under_way {
                    *state = Some(RunState::Done);
                }
            }
            if crash {
                note(&mut it, Event::Taken);
            }
        }
        prop_assert!(finished);
        prop_assert_eq!(started, [1; 3]);
    }
}

#[test]
fn a_drain_is_not_done_while_pods_are_left_that_a_later_plan_could_not_move() {
    let seen = seen();
    let aim =
        Aim { goal: Goal::Drain { node: "w1".into() }, caps: Caps::default(), policy: Policy::default() };
    let items = offer(&aim, &seen).expect("it can be drained").items;
    let [Intent::Cordon { .. }, first @ Intent::Move { .. }, Intent::Move { .. }, ..] = items.as_slice()
    else {
        panic!("{items:?}")
    };
    let proposed = Proposed::new(&seen, "drain w1", Some(aim), items.clone(), Pace::default());
    let approved = proposed.approve(None, None).expect("nothing is grave");
    let envelope = approved.envelope.clone();
    let mut it = Campaign::new("c", "alice", approved);
    note(&mut it, Event::Taken);
    begin(&mut it, 0);
    note(&mut it, Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    note(&mut it, Event::Paused { why: "w2 is gone".into(), asked: false, beyond: None });
    note(&mut it, Event::Taken);
    note(&mut it, Event::Revised { items: vec![first.clone()], envelope: envelope.clone() });
    let at = it.items.len() - 1;
    begin(&mut it, at);
    note(&mut it, Event::Done { item: at, pod: None, was: None, unpredicted: None });
    let Next::Stop(why) = next(&it, &[], &seen) else { panic!("{:?}", next(&it, &[], &seen)) };
    assert!(why.contains("pods are left on w1") && why.ends_with("resume plans them again"), "{why}");
    // The next plan has them again, and what an operator skips is not asked for once more.
    note(&mut it, Event::Paused { why, asked: false, beyond: None });
    note(&mut it, Event::Taken);
    note(&mut it, Event::Revised { items: items[2..].to_vec(), envelope });
    for item in at + 1..it.items.len() {
        note(&mut it, Event::Skipped { item, why: "skipped by alice".into() });
    }
    assert!(matches!(next(&it, &[], &seen), Next::Finish { whole: true, .. }), "{:?}", next(&it, &[], &seen));
}

#[test]
fn a_campaign_that_was_edited_is_not_read_again_and_an_old_one_without_a_sum_is() {
    let it = campaign(Pace::default());
    let written = head(&it).expect("it fits");
    assert_eq!(read(&written, "").expect("as it was").items, it.items);
    for (from, to) in [("\"acme\"", "\"hooli\""), ("\"w3\"", "\"w1\""), ("alice", "bob")] {
        let edited = written.replace(from, to);
        if edited != written {
            assert_eq!(read(&edited, "").expect_err("edited"), run::journal::EDITED, "{from}");
        }
    }
    let edited = written.replacen("acme", "hooli", 1);
    assert!(edited != written && read(&edited, "").is_err(), "{written}");
    // As it was written before there was a sum.
    let mut old: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    assert!(old.as_object_mut().and_then(|old| old.remove("sum")).is_some());
    assert_eq!(read(&old.to_string(), "").expect_err("its sum is gone"), run::journal::UNSUMMED);
    old["format"] = 2.into();
    assert_eq!(read(&old.to_string(), "").expect("an old one").items, it.items);
}
