//! Two hundred tenants at once: some fail, a node is lost, the cockpit dies in the middle.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use wheelhouse::{
    cluster::Snapshot,
    demo::Kind,
    run::{
        RunState,
        campaign::{Campaign, CampaignState, Handle, ItemState, campaigns},
    },
};

use super::{FAILS, begin, command, ground, migration, of_all, ran};
use crate::{
    campaigns::{patient, resume},
    session::{Ground, PATIENCE, Session},
};

const TENANTS: usize = 200;

/// Whoever held a lease has not shown that it lives for long.
fn let_leases_run_out(ground: &Ground) {
    ground.cluster.with_world(|w| {
        let keys: Vec<(String, String)> = {
            let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
            let all = w.store.list(Kind::LEASE, Some("wheelhouse"));
            all.map(|l| (text(&l["metadata"]["namespace"]), text(&l["metadata"]["name"]))).collect()
        };
        for (space, name) in keys {
            w.store.update(Kind::LEASE, &space, &name, "test", |lease| {
                lease["spec"]["leaseDurationSeconds"] = 1.into();
                lease["spec"]["renewTime"] = json!("2026-11-21T08:00:00.000000Z");
            });
        }
    });
}

fn replicas(ground: &Ground) -> BTreeMap<String, u64> {
    ground.cluster.with_world(|w| {
        let all = w.store.list(Kind::DEPLOYMENT, None);
        all.map(|d| {
            let name = d["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            (name, d["spec"]["replicas"].as_u64().unwrap_or(1))
        })
        .collect()
    })
}

/// Lets the world go on, as soon as it is seen and nobody has anything more to say for the moment, until the campaign is so
/// far: however slow the machine is, no deadline of the world passes before its runs have acted.
fn push(ground: &Ground, session: &Session, handle: &mut Handle, far: impl Fn(&Campaign) -> bool) {
    let began = std::time::Instant::now();
    while !far(&handle.watch.borrow_and_update()) {
        let it = handle.watch.borrow().clone();
        assert!(!over(&it), "{:?} {:?}", it.counts(), it.last_word());
        assert!(
            began.elapsed() < 5 * PATIENCE,
            "the campaign gets nowhere: {:?} {:?} {:?}",
            it.counts(),
            it.doing,
            it.under_way.iter().map(|run| (run.short(), run.state, &run.doing)).collect::<Vec<_>>()
        );
        let news = async { tokio::time::timeout(Duration::from_millis(20), handle.watch.changed()).await };
        if session.block("news", news).is_err() {
            session.catch_up(ground);
            ground.step(1);
        }
    }
}

/// Waits until nothing is held any more but by those who were killed: whoever is between the last word of a run and the end
/// of its lease leaves that behind.
fn free(bob: &Session) {
    let his = |s: &Snapshot| {
        s.leases.values().filter_map(|lease| lease.holder.as_ref()).any(|h| h.starts_with("bob"))
    };
    bob.until("free leases", |s| !his(s));
}

/// Switches worker-3 off or on.
fn power(ground: &Ground, power: &str) {
    ground.cluster.with_world(|w| {
        w.store.update(Kind::NODE, "", "worker-3", "somebody", |n| {
            n["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = power.into();
        });
    });
}

fn over(it: &Campaign) -> bool {
    it.state.is_over() || it.state == CampaignState::Paused
}

#[test]
fn two_hundred_tenants_each_end_in_a_named_state_and_nothing_ran_twice() {
    let ground = ground(TENANTS, 24);
    let alice = patient(&ground, "alice@bastion");
    let names: Vec<String> = alice.now().tenants.keys().map(ToString::to_string).collect();
    assert_eq!(names.len(), TENANTS);
    let was = replicas(&ground);
    // Every seventeenth fails.
    let failing: Vec<&String> = names.iter().skip(5).step_by(17).collect();
    failing.iter().for_each(|name| command(&ground, name, Some(FAILS)));
    alice.until("the commands", |s| {
        s.tenants.values().filter(|t| t.workload.migration.is_some()).count() == failing.len()
    });
    let made = of_all(&alice, &migration());
    assert_eq!(made.items.len(), TENANTS, "{:?}", made.left);
    let mut handle = begin(&alice, &made, 24, 2, 150);
    push(&ground, &alice, &mut handle, |it| it.counts().done >= 50);
    power(&ground, "off");
    push(&ground, &alice, &mut handle, |it| it.counts().done >= 90);
    alice.kill();
    let_leases_run_out(&ground);
    ground.step(5);
    let bob = patient(&ground, "bob@bastion");
    let mut it = campaigns(&bob.now()).remove(0).campaign;
    assert!(it.counts().running > 0 && it.counts().waiting > 0, "{:?}", it.counts());
    for _ in 0..6 {
        let mut handle = resume(&bob, it);
        push(&ground, &bob, &mut handle, over);
        it = bob.block("the end", handle.ended());
        let counts = it.counts();
        if it.state.is_over() || counts.waiting + counts.running == 0 {
            break;
        }
        free(&bob);
    }
    let counts = it.counts();
    assert_eq!((counts.waiting, counts.running), (0, 0), "{counts:?}: {:?}", it.last_word());
    assert_eq!(counts.done + counts.failed + counts.held + counts.skipped, TENANTS, "{counts:?}");
    assert!(counts.done > TENANTS / 2 && counts.failed >= failing.len() / 2, "{counts:?}");
    assert!(it.state == CampaignState::Stopped || it.state == CampaignState::Paused, "{:?}", it.state);
    // What is held is open as its own run, and is given back once an operator has said so.
    // A Job's pod on the lost node may run a statement until that node is back and says otherwise.
    free(&bob);
    power(&ground, "on");
    ground.step(60);
    for held in it.states.iter().filter_map(|s| match s {
        ItemState::Held(run, _) => Some(run),
        _ => None,
    }) {
        let known = bob.runs().into_iter().find(|r| r.run.id == *held).expect("its run is there");
        assert_eq!(known.run.state, RunState::Paused, "{:?}", known.run.last_word());
        let mut handle = bob.give_up(known.run, "a test");
        let run = ground.drive(&bob, &mut handle);
        assert!(run.state.is_over(), "{:?}", run.last_word());
    }
    assert_eq!(replicas(&ground), was, "{counts:?}");
    let twice: Vec<_> = names.iter().filter(|name| ran(&ground, name) > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let open = bob.runs().into_iter().filter(|r| !r.run.state.is_over()).count();
    assert_eq!(open, 0);
}
