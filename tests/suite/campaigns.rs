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
        campaign::{
            self, Aim, Campaign, CampaignSeen, CampaignState, Event, Handle, ItemState, Pace, Proposed, Wish,
            campaigns,
        },
    },
};

use crate::{
    moves::{nothing_left, pods},
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
        campaign::start(session.access.clone(), approved, JournalPlace::Cluster, session.seen.clone())
    })
}

pub fn resume(session: &Session, it: Campaign) -> Handle {
    session.enter(|| campaign::resume(session.access.clone(), it, None, session.seen.clone()))
}

/// Closes a campaign that stands still.
pub fn close(ground: &Ground, session: &Session, it: Campaign) -> Campaign {
    let why = "nothing more of it is wanted";
    let mut handle =
        session.enter(|| campaign::give_up(session.access.clone(), it, why, session.seen.clone()));
    drive(ground, session, &mut handle)
}

/// What takes a campaign back.
pub fn undoing(session: &Session, it: &Campaign) -> Result<Proposed, String> {
    let seen = session.now();
    let (items, _) = campaign::back(it, &seen)?;
    Ok(Proposed::new(&seen, format!("undo {}", it.short()), None, items, Pace::default()).undoing(&it.id))
}

/// A cockpit whose leases do not run out by the world's time, which runs ahead of ours.
pub fn patient(ground: &Ground, operator: &str) -> Session {
    let mut session = ground.session(operator);
    session.access.lease_seconds = 3600;
    session
}

/// What a cockpit wishes of the only campaign there is.
fn ask(session: &Session, wish: Wish) {
    let seen = session.now();
    let it = campaigns(&seen).remove(0).campaign;
    session.block("a wish", campaign::ask(&session.access, &it, wish, &seen)).expect("it is written");
}

/// The only campaign, once it is so far in the eyes of a session.
fn the_one(session: &Session, what: &str, so: impl Fn(&CampaignSeen) -> bool) -> CampaignSeen {
    let seen = session.until(what, |s| campaigns(s).first().is_some_and(&so));
    campaigns(&seen).remove(0)
}

fn nothing_is_left(ground: &Ground) {
    for tenant in ["acme", "globex", "initech"] {
        nothing_left(ground, tenant);
        let pods = pods(ground, tenant);
        assert!(pods.iter().all(|pod| pod.2 && pod.3), "{pods:?}");
    }
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
            session.catch_up(ground);
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
    let alice = patient(&ground, "alice@bastion");
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

#[test]
fn another_cockpit_pauses_it_and_goes_on_with_it() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let bob = patient(&ground, "bob@bastion");
    let before = spread(&ground);
    let mut handle = start(&alice, three_moves(&alice));
    // Amid the first move: its new pod is there, and nobody owns it.
    drive_until(&ground, &alice, &mut handle, |it| {
        it.under_way.iter().any(|run| run.steps[1] == wheelhouse::run::StepState::Started)
    });
    the_one(&bob, "the campaign", |c| c.shown() == Shown::Running);
    let refused = resume(&bob, campaigns(&bob.now()).remove(0).campaign);
    let mut refused = refused;
    let refused = drive(&ground, &bob, &mut refused);
    assert!(refused.last_word().is_some_and(|why| why.contains("alice@bastion holds it")), "{refused:?}");
    ask(&bob, Wish::Pause);
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!((it.state, it.paused_by()), (CampaignState::Paused, Some("bob@bastion")), "{it:?}");
    assert_eq!(it.last_word(), Some("paused by bob@bastion"));
    ground.step(60);
    assert_eq!(spread(&ground), before, "what was borrowed is taken back");
    nothing_is_left(&ground);
    let known = the_one(&bob, "the pause", |c| matches!(c.shown(), Shown::Paused(_)));
    assert_eq!(known.shown().to_string(), "paused by bob@bastion");
    let mut handle = resume(&bob, known.campaign);
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    assert_eq!(bob.runs().len(), 3, "the run that was paused was gone on with");
    nothing_is_left(&ground);
}

#[test]
fn wishes_are_answered_by_whoever_drives_it_now_or_later() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let bob = patient(&ground, "bob@bastion");
    let mut handle = start(&alice, three_moves(&alice));
    drive_until(&ground, &alice, &mut handle, |it| it.counts().done == 1);
    the_one(&bob, "the campaign", |c| c.campaign.counts().done == 1);
    // The third is skipped, tried again after all, and the second is the last.
    ask(&bob, Wish::SkipTenant { tenant: "initech".into() });
    ask(&bob, Wish::Retry { item: 2 });
    ask(&bob, Wish::Retry { item: 0 });
    ask(&bob, Wish::Stop);
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!((it.state, it.heard), (CampaignState::Stopped, 4), "{it:?}");
    assert!(it.last_word().is_some_and(|text| text.contains("1 not begun")), "{:?}", it.last_word());
    let by_bob: Vec<_> = it.entries.iter().filter(|e| e.by == "bob@bastion").map(|e| &e.event).collect();
    assert!(
        matches!(
            by_bob.as_slice(),
            [
                Event::Skipped { item: 2, .. },
                Event::Retried { item: 2 },
                Event::Declined { .. },
                Event::Stopping
            ]
        ),
        "{by_bob:?}"
    );
    nothing_is_left(&ground);

    // A wish of a campaign that nobody drives is answered by who goes on with it.
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, three_moves(&alice));
    drive_until(&ground, &alice, &mut handle, |it| it.counts().done == 1);
    alice.kill();
    ground.step(60);
    let bob = ground.session("bob@bastion");
    let known = the_one(&bob, "the interrupted campaign", |c| c.shown() == Shown::Interrupted);
    ask(&bob, Wish::Pause);
    ask(&bob, Wish::Skip { item: 2 });
    let mut handle = resume(&bob, known.campaign);
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    assert_eq!(it.states[2], ItemState::Skipped("skipped by bob@bastion".into()));
    assert_eq!((it.counts().done, it.heard), (2, 2), "{it:?}");
    nothing_is_left(&ground);
}

#[test]
fn several_go_at_once_after_the_first_and_never_two_of_one_tenant() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let proposed = three_moves(&alice);
    let pace = Pace { parallel: 3, ..Pace::default() };
    let proposed = Proposed::new(&alice.now(), "3 moves", None, proposed.items().to_vec(), pace);
    let mut handle = start(&alice, proposed);
    let most = std::cell::Cell::new(0);
    drive_until(&ground, &alice, &mut handle, |it| {
        most.set(most.get().max(it.under_way.len()));
        assert!(it.counts().done > 0 || it.under_way.len() <= 1, "the canary is alone");
        it.state.is_over() || it.state == CampaignState::Paused
    });
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!((it.state, most.get()), (CampaignState::Done, 2), "{:?}", it.last_word());
    nothing_is_left(&ground);
}

#[test]
fn a_campaign_is_taken_back_by_another_and_says_so() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let before = spread(&ground);
    let mut handle = start(&alice, three_moves(&alice));
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    // Of what came, one pod is gone by now: that item stays as it is, with the reason.
    let came = it.entries.iter().find_map(|e| match &e.event {
        Event::Done { item: 1, pod, .. } => pod.clone(),
        _ => None,
    });
    let Intent::Move { moved } = &it.items[1] else { panic!("{:?}", it.items[1]) };
    let gone = Key::new(moved.pod.namespace.clone(), came.expect("a pod came"));
    ground
        .cluster
        .with_world(|w| w.store.delete(Kind::POD, &gone.namespace, &gone.name, &Default::default()))
        .unwrap();
    ground.step(120);
    alice.until("the deletion", |s| {
        s.pods.get(&gone).is_none() && s.tenants.values().all(|t| t.ready() == t.desired())
    });
    let (items, stays) = campaign::back(&it, &alice.now()).expect("something is left");
    assert_eq!((items.len(), stays.len()), (2, 1));
    assert!(stays[0].contains("is gone: there is nothing to move back"), "{stays:?}");
    let mut handle = start(&alice, undoing(&alice, &it).expect("a proposal"));
    let undo = drive(&ground, &alice, &mut handle);
    assert_eq!(undo.state, CampaignState::Done, "{:?}", undo.last_word());
    let seen = alice.until("the mark", |s| campaigns(s).iter().any(|c| c.shown() == Shown::Undone));
    let undone = campaigns(&seen).into_iter().find(|c| c.campaign.id == it.id).expect("it is there");
    assert!(undone.offers(&seen).undo.is_err());
    let of = |all: &[String], tenant: &str| {
        all.iter().filter(|p| p.starts_with(tenant)).cloned().collect::<Vec<_>>()
    };
    for tenant in ["acme", "initech"] {
        assert_eq!(of(&spread(&ground), tenant), of(&before, tenant));
    }
    nothing_is_left(&ground);
}

#[test]
fn a_target_that_takes_nothing_by_then_is_replaced_within_what_was_agreed_to() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let node = alice.now().tenants[&TenantName::from("acme")].pods[0].node.clone().expect("a node");
    let proposed = proposed(&alice, drain(node.as_str()));
    let last = proposed.items().iter().rev().find_map(|item| match item {
        Intent::Move { moved } if moved.tenant.is_some() => moved.to.clone(),
        _ => None,
    });
    let last = last.expect("a target");
    let mut handle = start(&alice, proposed);
    drive_until(&ground, &alice, &mut handle, |it| it.counts().done >= 1);
    ground.cluster.with_world(|w| {
        w.store
            .update(Kind::NODE, "", last.as_str(), "somebody", |n| n["spec"]["unschedulable"] = true.into())
    });
    let it = drive(&ground, &alice, &mut handle);
    let elsewhere =
        |e: &campaign::Entry| matches!(&e.event, Event::Retargeted { why, .. } if why.contains("cordoned"));
    assert!(it.entries.iter().any(elsewhere), "{:?}", it.entries);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    assert!(
        it.last_word().is_some_and(|text| text.ends_with("is empty: safe to power off")),
        "{:?}",
        it.last_word()
    );
    nothing_is_left(&ground);
}

#[test]
fn what_lies_outside_pauses_it_and_goes_on_with_another_plan() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let proposed = three_moves(&alice);
    let Some(Intent::Move { moved }) = proposed.items().get(1).cloned() else { panic!("a move") };
    let target = moved.to.clone().expect("a target");
    let mut handle = start(&alice, proposed);
    drive_until(&ground, &alice, &mut handle, |it| !it.under_way.is_empty());
    let cordon = |yes: bool| {
        ground.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", target.as_str(), "somebody", |n| {
                n["spec"]["unschedulable"] = yes.into()
            })
        });
    };
    drive_until(&ground, &alice, &mut handle, |it| {
        it.under_way.iter().any(|run| {
            run.steps.iter().all(|s| {
                matches!(s, wheelhouse::run::StepState::Done(_) | wheelhouse::run::StepState::Skipped(_))
            })
        }) || it.counts().done == 1
    });
    cordon(true);
    let it = drive(&ground, &alice, &mut handle);
    if it.state == CampaignState::Paused {
        let why = it.last_word().expect("a sentence");
        assert!(why.contains("cordoned"), "{why}");
        let rest = campaign::rest(&it, &alice.now()).expect("what is left").proposed;
        assert_eq!(rest.items().len(), it.counts().waiting);
        let replaced = it.counts().waiting;
        cordon(false);
        alice.until("the node", |s| s.nodes.get(&target).is_some_and(|n| n.is_schedulable()));
        let approved = rest.approve(None, None).expect("a yes");
        let mut handle =
            alice.enter(|| campaign::resume(alice.access.clone(), it, Some(approved), alice.seen.clone()));
        let it = drive(&ground, &alice, &mut handle);
        assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
        let counts = it.counts();
        assert_eq!((counts.all, counts.done, counts.replaced), (3, 3, replaced), "{counts:?}");
    } else {
        panic!("it went to a node that is cordoned: {:?}", it.entries);
    }
    nothing_is_left(&ground);
}

#[test]
fn without_the_rights_for_a_journal_it_is_kept_on_this_machine() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let approved = three_moves(&alice).approve(None, None).expect("a yes");
    let mut handle = alice
        .enter(|| campaign::start(alice.access.clone(), approved, JournalPlace::Local, alice.seen.clone()));
    drive_until(&ground, &alice, &mut handle, |it| it.counts().done == 1);
    alice.kill();
    ground.step(60);
    let alice = ground.session("alice@bastion");
    assert!(campaigns(&alice.now()).is_empty() && ground.holders().is_empty());
    let wire = &alice.access.wire;
    let known = campaign::local_campaigns(&alice.access.state_dir, wire.context(), wire.server());
    let it = known.into_iter().next().expect("a journal").expect("it can be read");
    assert!(it.local && it.counts().done == 1, "{it:?}");
    assert!(CampaignSeen::of(it.clone()).is_interrupted());
    alice
        .block("a wish", campaign::ask(&alice.access, &it, Wish::Skip { item: 2 }, &alice.now()))
        .expect("written");
    let mut handle = resume(&alice, it);
    let it = drive(&ground, &alice, &mut handle);
    assert_eq!((it.state, it.counts().done), (CampaignState::Done, 2), "{:?}", it.last_word());
    nothing_is_left(&ground);
}
