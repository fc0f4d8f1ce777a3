//! A campaign that is cut at any moment leaves something that another session finishes, stops or takes back: no item is
//! run twice, and nothing is left over.
//!
//! The cluster is cut off right before or right after a write (journal records and leases among them), and the process
//! that drove the campaign ends there. `WHEELHOUSE_CRASH_STEP` is how many writes lie between two cuts.

use wheelhouse::{
    demo::Cut,
    run::{
        RunState,
        campaign::{Campaign, CampaignState, ItemState, Proposed, campaigns},
    },
};

use crate::{
    campaigns::{close, drain, drive, proposed, resume, spread, start, three_moves, undoing},
    crash::{at_each_write, killed, step},
    moves::{nothing_left, pods},
    session::{Ground, Session},
};

/// What the colleague does who comes later.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Resume,
    Stop,
    Undo,
}

/// The pods of tenants: where others come up again is the scheduler's.
fn of_tenants(all: &[String]) -> Vec<&String> {
    all.iter().filter(|p| ["acme", "globex", "initech"].iter().any(|tenant| p.starts_with(tenant))).collect()
}

fn on_worker_1(all: &[String]) -> Vec<&String> {
    all.iter().filter(|p| p.ends_with("worker-1")).collect()
}

/// How a campaign is made.
type Make = fn(&Session) -> Proposed;

fn a_drain(session: &Session) -> Proposed {
    proposed(session, drain("worker-1"))
}

/// The end state of a campaign that nothing disturbs, and what was there before.
fn undisturbed(make: Make) -> (Vec<String>, Vec<String>) {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let before = spread(&ground);
    let it = drive(&ground, &alice, &mut start(&alice, make(&alice)));
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
    ground.step(60);
    (before, spread(&ground))
}

/// Cuts at the `nth` write; false when the campaign was through before it.
fn crash(make: Make, nth: usize, when: Cut, then: Then, ends: &(Vec<String>, Vec<String>)) -> bool {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let made = make(&alice);
    if !killed(&ground, alice, (nth, when), |alice| start(alice, made)) {
        return false;
    }
    ground.step(90);
    let place = format!("write {nth}, {when:?}");
    let bob = ground.session("bob@bastion");
    let end = match campaigns(&bob.now()).as_slice() {
        [] if then == Then::Resume => drive(&ground, &bob, &mut start(&bob, make(&bob))),
        [] => return true,
        [one] => {
            assert!(!one.holder.as_ref().is_some_and(|h| h.alive), "{place}: {:?}", one.holder);
            let it = one.campaign.clone();
            match then {
                _ if it.state.is_over() && then != Then::Undo => it,
                Then::Resume => drive(&ground, &bob, &mut resume(&bob, it)),
                Then::Stop => close(&ground, &bob, it),
                Then::Undo => taken_back(&ground, &bob, it, &place),
            }
        }
        several => panic!("{place}: {} campaigns", several.len()),
    };
    ground.step(60);
    let now = spread(&ground);
    match then {
        Then::Resume => {
            assert_eq!(end.state, CampaignState::Done, "{place}: {:?}", end.last_word());
            assert_eq!(of_tenants(&now), of_tenants(&ends.1), "{place}");
            assert_eq!(on_worker_1(&now), on_worker_1(&ends.1), "{place}");
            assert!(
                end.states.iter().all(|state| matches!(state, ItemState::Done(_))),
                "{place}: {:?}",
                end.states
            );
            let all = bob.runs();
            let done = all.iter().filter(|known| known.run.state == RunState::Done).count();
            assert_eq!(done, end.items.len(), "{place}: an item was run twice: {:?}", end.entries);
        }
        Then::Stop => assert!(end.state.is_over(), "{place}: {:?}", end.last_word()),
        // Where pods that are no tenant's come up again is the scheduler's.
        Then::Undo => assert_eq!(of_tenants(&now), of_tenants(&ends.0), "{place}"),
    }
    for tenant in ["acme", "globex", "initech"] {
        nothing_left(&ground, tenant);
        let pods = pods(&ground, tenant);
        assert!(
            pods.iter().all(|pod| pod.2) && pods.len() == ground.replicas(tenant) as usize,
            "{place}: {pods:?}"
        );
    }
    let held = ground.holders().into_iter().flatten().filter(|h| h.starts_with("bob")).count();
    assert_eq!(held, 0, "{place}: {:?}", ground.holders());
    true
}

/// Closes a campaign, and moves back what it moved.
fn taken_back(ground: &Ground, bob: &Session, it: Campaign, place: &str) -> Campaign {
    let it = if it.state.is_over() { it } else { close(ground, bob, it) };
    assert!(it.state.is_over(), "{place}: {:?}", it.last_word());
    bob.until("free leases", |s| {
        s.leases.values().all(|lease| !lease.holder.as_ref().is_some_and(|h| h.starts_with("bob")))
    });
    match undoing(bob, &it) {
        Err(_) => it,
        Ok(undo) => {
            let undo = drive(ground, bob, &mut start(bob, undo));
            assert_eq!(undo.state, CampaignState::Done, "{place}: {:?}", undo.last_word());
            undo
        }
    }
}

fn sweep(make: Make, when: Cut, then: Then, every: usize) {
    let ends = undisturbed(make);
    let nth = at_each_write((1, step(every)), 400, |nth| crash(make, nth, when, then, &ends));
    assert!(nth > 30, "it was through after {nth} writes");
}

#[test]
fn three_moves_cut_before_a_write_are_finished_by_another_session() {
    sweep(three_moves, Cut::Before, Then::Resume, 4);
}

#[test]
fn three_moves_cut_after_a_write_are_finished_by_another_session() {
    sweep(three_moves, Cut::After, Then::Resume, 4);
}

#[test]
fn three_moves_cut_after_a_write_are_stopped_by_another_session() {
    sweep(three_moves, Cut::After, Then::Stop, 7);
}

#[test]
fn three_moves_cut_after_a_write_are_taken_back_by_another_session() {
    sweep(three_moves, Cut::After, Then::Undo, 7);
}

#[test]
fn three_moves_cut_before_a_write_are_stopped_by_another_session() {
    sweep(three_moves, Cut::Before, Then::Stop, 13);
}

#[test]
fn three_moves_cut_before_a_write_are_taken_back_by_another_session() {
    sweep(three_moves, Cut::Before, Then::Undo, 13);
}

#[test]
fn a_drain_cut_after_a_write_is_stopped_by_another_session() {
    sweep(a_drain, Cut::After, Then::Stop, 13);
}

#[test]
fn a_drain_cut_before_a_write_is_taken_back_by_another_session() {
    sweep(a_drain, Cut::Before, Then::Undo, 13);
}

#[test]
fn a_drain_cut_after_a_write_is_taken_back_by_another_session() {
    sweep(a_drain, Cut::After, Then::Undo, 13);
}

#[test]
fn a_drain_cut_before_a_write_is_finished_by_another_session() {
    sweep(a_drain, Cut::Before, Then::Resume, 7);
}

#[test]
fn a_drain_cut_after_a_write_is_finished_by_another_session() {
    sweep(a_drain, Cut::After, Then::Resume, 7);
}
