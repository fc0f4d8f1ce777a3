//! A campaign of migrations that is cut off at a write is gone on with by another session: no tenant is migrated twice, and
//! each has what it had.

use wheelhouse::{
    demo::Cut,
    run::campaign::{CampaignState, ItemState, campaigns},
};

use super::{begin, ground, migration, of_all, ran};
use crate::{
    campaigns::{drive, resume},
    crash::{at_each_write, killed, step},
    session::Ground,
};

fn replicas(ground: &Ground, names: &[String]) -> Vec<u32> {
    names.iter().map(|name| ground.replicas(name)).collect()
}

/// Cuts at the `nth` write; false when the campaign was through before it.
fn crash(nth: usize, when: Cut) -> bool {
    let ground = ground(3, 3);
    let alice = ground.session("alice@bastion");
    let names: Vec<String> = alice.now().tenants.keys().map(ToString::to_string).collect();
    let was = replicas(&ground, &names);
    let made = of_all(&alice, &migration());
    if !killed(&ground, alice, (nth, when), |alice| begin(alice, &made, 2, 1, 1)) {
        return false;
    }
    ground.step(90);
    let place = format!("write {nth}, {when:?}");
    let bob = ground.session("bob@bastion");
    let it = match campaigns(&bob.now()).as_slice() {
        // It was never written down: nothing has happened.
        [] => {
            assert_eq!(replicas(&ground, &names), was, "{place}");
            return true;
        }
        [one] if one.campaign.state.is_over() => one.campaign.clone(),
        [one] => drive(&ground, &bob, &mut resume(&bob, one.campaign.clone())),
        several => panic!("{place}: {} campaigns", several.len()),
    };
    assert_eq!(it.state, CampaignState::Done, "{place}: {:?}", it.last_word());
    assert!(it.states.iter().all(|state| matches!(state, ItemState::Done(_))), "{place}: {:?}", it.states);
    assert_eq!(replicas(&ground, &names), was, "{place}");
    for name in &names {
        assert_eq!(ran(&ground, name), 1, "{place}: {name}");
    }
    true
}

/// Every so many writes are cut; `WHEELHOUSE_CRASH_STEP` for others.
fn sweep(when: Cut, first: usize) {
    let nth = at_each_write((first, step(9)), 400, |nth| crash(nth, when));
    assert!(nth > 60, "only {nth} writes");
}

#[test]
fn a_campaign_of_migrations_cut_before_a_write_is_finished_by_another_session() {
    sweep(Cut::Before, 2);
}

#[test]
fn a_campaign_of_migrations_cut_after_a_write_is_finished_by_another_session() {
    sweep(Cut::After, 5);
}
