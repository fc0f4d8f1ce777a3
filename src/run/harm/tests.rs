//! What is told of a tenant whose pods go wrong while a run holds it.

use std::sync::Arc;

use super::*;
use crate::{
    cluster::{ContainerEnd, sketch},
    plan::{Intent, plan},
    run::Entry,
};

const BEGAN: i64 = 1_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// A snapshot of acme with two pods, `ready` of which are, at that second; the first container of the first pod was
/// restarted so often and last ended at that second, killed for its memory.
fn seen(second: i64, ready: usize, ends: Option<(u32, i64)>) -> Snapshot {
    let mut seen = sketch("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2", at(second)).expect("a sketch");
    seen.at = at(second);
    let tenant = seen.tenants.values().next().expect("acme").clone();
    let mut tenant = Tenant::clone(&tenant);
    for (i, pod) in tenant.pods.iter_mut().enumerate() {
        let mut changed = (**pod).clone();
        changed.ready = i < ready;
        changed.created = at(0);
        changed.ready_since = Some(at(second));
        if let (0, Some((restarts, ended))) = (i, ends) {
            let container = changed.containers.first_mut().expect("a container");
            container.restarts = restarts;
            container.last_end =
                Some(Box::new(ContainerEnd { reason: "OOMKilled".into(), code: 137, at: Some(at(ended)) }));
        }
        *pod = Arc::new(changed);
    }
    let name = seen.tenants.keys().next().expect("acme").clone();
    Arc::make_mut(&mut seen.tenants).insert(name, Arc::new(tenant));
    seen
}

fn note(run: &mut Run, second: i64, event: Event) {
    let entry = Entry { at: at(second), by: "alice".into(), token: 1, event };
    run.apply(entry).expect("a legal order");
}

/// A scaling of acme that has begun.
fn run_to(to: i64) -> Run {
    let intent = Intent::Scale { targets: vec![crate::plan::Target { tenant: "acme".into(), to }] };
    let made = plan(&seen(BEGAN, 2, None), &intent);
    let mut run = Run::new("r", "alice", made.unchecked());
    note(&mut run, BEGAN, Event::Taken);
    run
}

/// What a watcher writes down over these looks, one after another.
fn written(run: &mut Run, watcher: &mut Watcher, looks: &[Snapshot]) -> Vec<String> {
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
