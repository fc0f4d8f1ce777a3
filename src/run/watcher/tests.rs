//! What is told of a tenant whose pods go wrong while a run holds it.

use super::*;
use crate::{
    cluster::{ContainerEnd, ContainerStatus, sketch},
    plan::{Intent, Target, plan},
    run::{Outcome, tell},
};

const BEGAN: i64 = 1_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// A snapshot of acme with two pods, `ready` of which are, at that second; a container of the first one was restarted so
/// often, and was last killed for its memory at that second.
fn seen(second: i64, ready: usize, ends: (u32, Option<i64>)) -> Snapshot {
    let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2";
    let mut seen = sketch(text, at(BEGAN)).expect("a sketch");
    seen.at = at(second);
    let name = TenantName::from("acme");
    let mut tenant = Tenant::clone(&seen.tenants[&name]);
    for (i, pod) in tenant.pods.iter_mut().enumerate() {
        let pod = Arc::make_mut(pod);
        pod.ready = i < ready;
        pod.created = at(0);
        pod.ready_since = Some(at(second));
        let last_end = ends.1.filter(|_| i == 0).map(|ended| {
            Box::new(ContainerEnd { reason: "OOMKilled".into(), code: 137, at: Some(at(ended)) })
        });
        let restarts = if i == 0 { ends.0 } else { 0 };
        let name = "php-fpm".into();
        pod.containers = vec![ContainerStatus { name, restarts, last_end, ..ContainerStatus::default() }];
    }
    seen.tenants.insert(name, Arc::new(tenant));
    seen
}

fn note(run: &mut Run, second: i64, event: Event) {
    let entry = Entry { at: at(second), by: "alice".into(), token: 1, event };
    run.apply(entry).expect("a legal order");
}

/// A scaling of acme that has begun.
fn run_to(to: i64) -> Run {
    let intent = Intent::Scale { targets: vec![Target { tenant: "acme".into(), to }] };
    let made = plan(&seen(BEGAN, 2, (0, None)), &intent);
    let typed = Some("acme").filter(|_| made.confirmation() != crate::plan::Confirmation::Yes);
    let mut run = Run::new("r", "alice", made.approve(typed, None).expect("a plan"));
    note(&mut run, BEGAN, Event::Taken);
    run
}

/// What a watcher has written down over these looks, one after another.
fn watched(run: &mut Run, watcher: &mut Watcher, looks: &[Snapshot]) -> Vec<String> {
    let mut told = Vec::new();
    for seen in looks {
        watcher.look(run, seen);
        for (tenant, harm) in watcher.news(run, seen.at, false) {
            told.push(harm.words());
            note(run, seen.at.as_second(), Event::Harmed { tenant, harm });
        }
    }
    told
}

#[test]
fn a_tenant_without_a_ready_pod_is_told_in_seconds() {
    let mut run = run_to(3);
    let looks = [
        seen(1_001, 2, (0, None)),
        seen(1_010, 0, (0, None)),
        seen(1_030, 0, (0, None)),
        seen(1_050, 1, (0, None)),
    ];
    let told = watched(&mut run, &mut Watcher::default(), &looks);
    assert_eq!(told, ["has no ready pod since 00:16:50 UTC", "was without a ready pod for 40 s"]);
    // Not as predicted, whatever became of the pods.
    let part = run.plan().tenants[0].clone();
    let (as_predicted, text) = run.compared(&part, (true, "w1 1, w2 1, w3 1, as predicted".into()));
    assert_eq!(
        (as_predicted, text.as_str()),
        (false, "it was without a ready pod for 40 s; its pods: w1 1, w2 1, w3 1, as predicted")
    );
    let about = About::Tenant("acme".into());
    note(&mut run, 1_051, Event::Verified { about, as_predicted, text });
    assert_eq!(tell::ending(&run), "acme 2 → 3: not as predicted; acme was without a ready pod for 40 s");
    assert!(run.unpredicted().is_some_and(|text| text.contains("for 40 s")));
    assert_eq!(tell::failure(&run, "aborted"), "aborted; acme was without a ready pod for 40 s");
    note(&mut run, 1_052, Event::Finished { outcome: Outcome::Failed, text: String::new() });
}

#[test]
fn containers_that_end_by_themselves_are_counted_once_each() {
    let mut run = run_to(3);
    let looks = [
        // Those before it began are none of its own.
        seen(1_001, 2, (3, Some(900))),
        // One ends, then is restarted; the kubelet counts that later.
        seen(1_020, 1, (3, Some(1_020))),
        seen(1_040, 2, (4, Some(1_020))),
        // Two more while nobody looked.
        seen(1_060, 2, (6, Some(1_055))),
    ];
    let told = watched(&mut run, &mut Watcher::default(), &looks);
    assert_eq!(told, ["1 container was OOMKilled", "3 containers were OOMKilled"]);
    let part = run.plan().tenants[0].clone();
    assert!(!run.compared(&part, (true, String::new())).0);
}

#[test]
fn who_takes_a_run_up_counts_on_from_where_its_journal_ends() {
    let mut run = run_to(3);
    let first = [seen(1_001, 2, (0, None)), seen(1_010, 0, (0, Some(1_009)))];
    watched(&mut run, &mut Watcher::default(), &first);
    // Another session: the same end is not counted again, one since then is; the pods tell since when they are ready.
    let mut back = seen(1_200, 2, (2, Some(1_100)));
    let name = TenantName::from("acme");
    let mut tenant = Tenant::clone(&back.tenants[&name]);
    for pod in &mut tenant.pods {
        Arc::make_mut(pod).ready_since = Some(at(1_070));
    }
    back.tenants.insert(name, Arc::new(tenant));
    let told = watched(&mut run, &mut Watcher::default(), &[back]);
    assert_eq!(told, ["was without a ready pod for at most 60 s; 2 containers were OOMKilled"]);
}

#[test]
fn what_the_plan_asks_for_is_no_surprise() {
    // All pods are to go.
    let mut run = run_to(0);
    let looks = [seen(1_001, 2, (0, None)), seen(1_010, 0, (0, None)), seen(1_020, 1, (0, None))];
    watched(&mut run, &mut Watcher::default(), &looks);
    let part = run.plan().tenants[0].clone();
    let (as_predicted, text) = run.compared(&part, (true, "no pod is left, as predicted".into()));
    assert!(as_predicted && text.contains("without a ready pod for 10 s, as the plan says"), "{text}");
    assert_eq!(run.harm_words(), None);
    // And a tenant that was down before is not taken down.
    let mut run = run_to(3);
    let looks = [seen(1_001, 0, (0, None)), seen(1_020, 2, (0, None))];
    assert!(watched(&mut run, &mut Watcher::default(), &looks).is_empty());
}

#[test]
fn a_crash_loop_does_not_fill_the_journal() {
    let mut run = run_to(3);
    let looks: Vec<_> = (1..=60).map(|n| seen(1_000 + n, 2, (n as u32, Some(1_000 + n)))).collect();
    let mut watcher = Watcher::default();
    let told = watched(&mut run, &mut watcher, &looks);
    assert!(told.len() <= 7, "{told:?}");
    // At its end all of it is there.
    let (_, harm) = watcher.news(&run, at(1_060), true).remove(0);
    assert_eq!(harm.ended["OOMKilled"], 60);
}
