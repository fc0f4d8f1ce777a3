//! Campaigns: several runs for one goal, driven by one session, and what others see of it and wish of it.

use wheelhouse::{
    cluster::{Key, TenantName},
    demo::kind::Kind,
    plan::{
        Intent,
        rebalance::{Caps, Goal, Policy},
    },
    run::{
        JournalPlace, Shown,
        campaign::{self, Aim, Campaign, CampaignState, Handle, ItemState, Pace, Proposed, campaigns},
    },
};

use crate::{
    moves::nothing_left,
    session::{Ground, Session},
};

/// All pods of tenants, as `tenant node`, in order.
pub fn spread(ground: &Ground) -> Vec<String> {
    let mut all = ground.cluster.with_world(|w| {
        let pods = w.store.list(Kind::POD, None).filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let text = |pod: &serde_json::Value, at: &str| {
            pod.pointer(at).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
        };
        pods.map(|pod| format!("{} {}", text(pod, "/metadata/namespace"), text(pod, "/spec/nodeName")))
            .collect::<Vec<_>>()
    });
    all.sort();
    all
}

/// The aim of a rebalancing after which every tenant is spread.
pub fn rebalance() -> Aim {
    let goal = Goal::Rebalance { nodes: vec![], tenants: vec![], only_spread: true };
    Aim {
        goal,
        caps: Caps::default(),
        policy: Policy { pod_age: jiff::SignedDuration::ZERO, ..Policy::default() },
    }
}

pub fn drain(node: &str) -> Aim {
    Aim { goal: Goal::Drain { node: node.into() }, ..rebalance() }
}

/// A campaign of this aim, on what the session sees.
pub fn proposed(session: &Session, aim: Aim) -> Proposed {
    let seen = session.now();
    let items = campaign::offer(&aim, &seen).expect("it is proposed").items;
    Proposed::new(&seen, aim.words(), Some(aim), items, Pace::default())
}

/// A move of one pod of each tenant.
pub fn three_moves(session: &Session) -> Proposed {
    let tenants: Vec<TenantName> = session.now().tenants.keys().cloned().collect();
    let moved = |tenant: &TenantName| Intent::Move {
        moved: crate::moves::a_move(session, tenant.as_str(), wheelhouse::plan::Means::Adoption),
    };
    let items: Vec<_> = tenants.iter().take(3).map(moved).collect();
    Proposed::new(&session.now(), "3 moves", None, items, Pace::default())
}

pub fn start(session: &Session, proposed: Proposed) -> Handle {
    let typed = match proposed.confirmation() {
        wheelhouse::plan::Confirmation::Yes => None,
        wheelhouse::plan::Confirmation::Type(text) => Some(text.clone()),
    };
    let approved = proposed.approve(typed.as_deref(), Some("a test".into())).expect("a yes");
    session.enter(|| {
        campaign::start(session.hands.clone(), approved, JournalPlace::Cluster, session.seen.clone())
    })
}

pub fn resume(session: &Session, it: Campaign) -> Handle {
    session.enter(|| campaign::resume(session.hands.clone(), it, None, session.seen.clone()))
}

/// Steps the world until the campaign is so far.
pub fn drive_until(ground: &Ground, session: &Session, handle: &mut Handle, far: impl Fn(&Campaign) -> bool) {
    let began = std::time::Instant::now();
    while !far(&handle.watch.borrow_and_update()) {
        assert!(
            began.elapsed() < crate::session::PATIENCE,
            "the campaign gets nowhere: {:?}",
            handle.watch.borrow().doing
        );
        let news = async {
            tokio::time::timeout(std::time::Duration::from_millis(20), handle.watch.changed()).await
        };
        if session.block("news", news).is_err() {
            ground.step(1);
        }
    }
}

/// Steps the world until the session is through with the campaign.
pub fn drive(ground: &Ground, session: &Session, handle: &mut Handle) -> Campaign {
    let ended = |it: &Campaign| it.state.is_over() || it.state == CampaignState::Paused;
    drive_until(ground, session, handle, ended);
    session.block("the end of the campaign", handle.ended())
}

#[test]
fn three_moves_are_done_one_after_another_and_seen_by_everybody() {
    let ground = Ground::new();
    let mut alice = ground.session("alice@bastion");
    // The world's time runs ahead of ours, by which leases are renewed.
    alice.hands.lease_seconds = 3600;
    let bob = ground.session("bob@bastion");
    let before = spread(&ground);
    let mut handle = start(&alice, three_moves(&alice));
    drive_until(&ground, &alice, &mut handle, |it| it.counts().done == 1);
    let seen = bob.until("the campaign", |s| campaigns(s).iter().any(|c| c.campaign.counts().done == 1));
    let known = campaigns(&seen).remove(0);
    assert_eq!(known.shown(), Shown::Running);
    assert_eq!(known.holder.as_ref().map(|h| h.who.as_str()), Some("alice@bastion"));
    let offers = known.offers(&seen);
    assert!(offers.pause.is_ok() && offers.stop.is_ok() && offers.skip.is_ok(), "{offers:?}");
    assert_eq!(offers.resume, Err("alice@bastion drives it".into()));
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    assert_eq!(it.last_word(), Some("3 moves: 3 of 3 done"));
    assert!(it.each().is_some() && it.time_left().is_none());
    assert_ne!(spread(&ground), before);
    for tenant in alice.now().tenants.keys() {
        nothing_left(&ground, tenant.as_str());
    }
    let seen = bob.until("the end", |s| campaigns(s).iter().any(|c| c.shown() == Shown::Done));
    let known = campaigns(&seen).remove(0).campaign;
    assert_eq!(known.entries, it.entries, "the journal is what was shown");
    assert!(known.states.iter().all(|state| matches!(state, ItemState::Done(_))));
    // Its runs say whose they are.
    let runs = bob.runs();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|r| r.run.campaign.as_deref() == Some(known.id.as_str())));
    bob.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
    assert!(seen.journals.get(&Key::new("wheelhouse", format!("campaign-{}", known.id))).is_some());
}
