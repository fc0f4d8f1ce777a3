//! Real MariaDB Galera members, in every state that matters, and the words the cockpit has for it.
//!
//! Needs: galera
//!
//! Two clusters of three are taken through their states one after the other, at the same time: forming one costs most,
//! and the members do what they do in their own time. Nothing waits for a fixed time: every state is waited for, with a
//! deadline that says what was seen instead.

mod acts;
mod blocked;
mod by_hand;
mod entry;
mod eye;
pub mod lab;
mod lost;
mod migrated;
mod proxied;
mod sheet;
mod simulated;
mod transfer;

use eye::Eye;
pub use lab::grants;
use lab::{Lab, WATCHER};
use wheelhouse::cluster::Severity;

#[tokio::test(flavor = "multi_thread")]
async fn real_members_that_serve_are_told_right_and_acted_on() {
    let mut lab = Lab::founded(3).await;
    let mut eye = Eye::on(&lab, WATCHER);
    eye.until_states("one of three", &["synced", "down", "down"]).await;
    assert!(eye.has("galera-size") && !eye.has("rights-missing"), "{}", eye.all());
    lab.start(2, &[]);
    eye.until_states("the second is in", &["synced", "synced", "down"]).await;
    transfer::held(&mut lab, &mut eye).await;
    healthy(&mut eye).await;
    at_two_addresses(&lab).await;
    simulated::answers_like_a_real_member(&lab).await;
    by_hand::seen_without_rights(&lab).await;
    by_hand::set(&lab, &mut eye).await;
    by_hand::options_that_differ(&lab, &mut eye).await;
    by_hand::logs_in_with_ed25519(&lab).await;
    acts::desync_and_resync(&lab, &mut eye).await;
    blocked::by_a_table_lock(&lab, &mut eye).await;
    blocked::by_a_global_lock(&lab, &mut eye).await;
    blocked::by_a_schema_change_here(&lab, &mut eye).await;
    blocked::by_a_schema_change_everywhere(&lab, &mut eye).await;
    lost::cut_off(&lab, &mut eye).await;
    lost::expelled(&mut lab, &mut eye).await;
    lost::split_by_hand(&lab, &mut eye).await;
    assert!(!format!("{:?} {:?}", eye.findings(), eye.snapshot).contains(lab::PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_members_that_are_lost_are_told_right_and_recovered_by_the_sheet() {
    let mut lab = Lab::founded(3).await;
    let mut eye = Eye::on(&lab, WATCHER);
    for node in [2, 3] {
        lab.start(node, &[]);
        lab.until_serving(node).await;
    }
    eye.until_states("all are in", &["synced"; 3]).await;
    let writing = lab.writer(1);
    lost::frozen(&lab, &mut eye).await;
    drop(writing);
    lost::left_gracefully(&mut lab, &mut eye).await;
    lost::killed_one_by_one(&mut lab, &mut eye).await;
    sheet::survivor_without_quorum(&mut lab, &mut eye).await;
    sheet::all_killed(&mut lab, &mut eye).await;
    sheet::re_formed_without_a_position(&mut lab, &mut eye).await;
    assert!(!format!("{:?} {:?}", eye.findings(), eye.snapshot).contains(lab::PASSWORD));
}

/// One of them is configured at another address as well.
async fn at_two_addresses(lab: &Lab) {
    let mut eye = Eye::also_at(lab, WATCHER, &[("db1.example:3306", 1)]);
    let once = |eye: &Eye| eye.has("member-twice") && eye.headline() == "galera 3/3";
    eye.until("the same member at two addresses", once).await;
    let database = eye.database();
    assert_eq!((database.members.len(), database.quorum.expected), (3, 3), "{}", eye.all());
}

/// All is well, and it says nothing else.
async fn healthy(eye: &mut Eye) {
    eye.until_states("healthy", &["synced"; 3]).await;
    let database = eye.database();
    assert_eq!(database.headline(), "galera 3/3");
    assert_eq!(database.quorum.to_string(), "quorum 3 of 3 weights, one more loss is safe");
    assert_eq!(database.members[1].now().expect("it answers").peers.len(), 3);
    let loud: Vec<_> = eye.findings().into_iter().filter(|f| f.severity > Severity::Notice).collect();
    assert!(loud.is_empty(), "{loud:?}");
}
