//! What goes wrong amid a campaign stops it at once with the reason, leaves nothing borrowed behind, and once an operator
//! goes on the campaign comes to its end.

use serde_json::json;
use wheelhouse::{
    cluster::NodeName,
    demo::{Kind, On},
    plan::Intent,
    run::{
        StepState,
        campaign::{Campaign, CampaignState, ItemState},
    },
};

use crate::{
    campaigns::{drive, drive_until, patient, resume, start, three_moves},
    session::{Ground, Session},
};

/// Nothing that was borrowed stands: no pod that nobody owns, no cost, no label of ours. What leaves is not counted.
fn nothing_borrowed(ground: &Ground) -> Vec<String> {
    ground.cluster.with_world(|w| {
        let stays = |pod: &&std::sync::Arc<serde_json::Value>| pod["metadata"]["deletionTimestamp"].is_null();
        let wrong = |pod: &std::sync::Arc<serde_json::Value>| {
            let meta = &pod["metadata"];
            let bare = meta["ownerReferences"].as_array().is_none_or(Vec::is_empty);
            let cost = !meta["annotations"]["controller.kubernetes.io/pod-deletion-cost"].is_null();
            (bare || cost || !meta["labels"]["wheelhouse.dev/run"].is_null())
                .then(|| meta["name"].to_string())
        };
        w.store.list(Kind::POD, None).filter(stays).filter_map(wrong).collect()
    })
}

/// The first item, and where it goes.
fn first(it: &Campaign) -> (String, String, NodeName) {
    let Intent::Move { moved } = &it.items[0] else { panic!("a move") };
    let to = moved.to.clone().expect("a target");
    (moved.pod.namespace.to_string(), moved.pod.name.to_string(), to)
}

/// Lets something happen while the first new pod comes up, and gives the campaign as it ended then.
fn amid(ground: &Ground, alice: &Session, happens: impl Fn(&Campaign)) -> Campaign {
    let mut handle = start(alice, three_moves(alice));
    drive_until(ground, alice, &mut handle, |it| {
        it.under_way.iter().any(|run| run.steps[1] == StepState::Started)
    });
    happens(&handle.watch.borrow().clone());
    let it = drive(ground, alice, &mut handle);
    ground.step(90);
    let left = nothing_borrowed(ground);
    assert!(left.is_empty(), "{left:?} after {:?}", it.last_word());
    it
}

/// An operator goes on, again and again where something still stands in the way.
fn gone_on_with(ground: &Ground, alice: &Session, mut it: Campaign) -> Campaign {
    let mut told = Vec::new();
    for _ in 0..4 {
        if it.state.is_over() {
            break;
        }
        told.push(it.last_word().unwrap_or_default().to_owned());
        alice.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
        let mut handle = resume(alice, it);
        it = drive(ground, alice, &mut handle);
        ground.step(60);
    }
    assert_eq!(it.state, CampaignState::Done, "{told:?}, {:?}", it.last_word());
    let left = nothing_borrowed(ground);
    assert!(left.is_empty(), "{left:?}");
    it
}

/// It stands still, and says this.
fn stopped(it: &Campaign, words: &[&str]) {
    let why = it.last_word().unwrap_or_default();
    assert_eq!(it.state, CampaignState::Paused, "{why}");
    assert!(words.iter().any(|word| why.contains(word)), "{why}");
}

#[test]
fn the_target_dies() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let power = |node: &str, state: &str| {
        ground.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", node, "somebody", |n| {
                n["metadata"]["annotations"]["demo.wheelhouse.dev/power"] = state.into();
            });
        });
    };
    let it = amid(&ground, &alice, |it| power(first(it).2.as_str(), "off"));
    stopped(&it, &["ready", "not ready", "answer"]);
    power(first(&it).2.as_str(), "on");
    ground.step(400);
    alice.until("all pods", |s| s.tenants.values().all(|t| t.ready() == t.desired()));
    gone_on_with(&ground, &alice, it);
}

#[test]
fn the_pod_that_is_to_go_dies_by_itself() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |it| {
        let (space, pod, _) = first(it);
        ground
            .cluster
            .with_world(|w| w.store.delete(Kind::POD, &space, &pod, &Default::default()))
            .expect("it was there");
    });
    if it.state != CampaignState::Done {
        stopped(&it, &["ready", "gone", "neither", "went"]);
    }
    let it = gone_on_with(&ground, &alice, it);
    assert!(
        matches!(&it.states[0], ItemState::Skipped(why) if why.contains("gone"))
            || matches!(&it.states[0], ItemState::Done(_)),
        "{:?}",
        it.states
    );
}

#[test]
fn somebody_scales() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |it| ground.set_replicas(&first(it).0, 4));
    stopped(&it, &["of 4 ready", "asks for 4"]);
    ground.step(120);
    gone_on_with(&ground, &alice, it);
    assert_eq!(ground.replicas("acme"), 4, "that stays as somebody wants it");
}

#[test]
fn somebody_rolls_out() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |it| {
        let space = first(it).0;
        ground.cluster.with_world(|w| {
            w.store.update(Kind::DEPLOYMENT, &space, &space, "somebody", |d| {
                d["spec"]["template"]["metadata"]["annotations"] =
                    json!({"kubectl.kubernetes.io/restartedAt": "now"});
            });
        });
    });
    stopped(&it, &["rollout", "ready", "pods and asks for"]);
    ground.step(240);
    let it = gone_on_with(&ground, &alice, it);
    assert!(matches!(&it.states[0], ItemState::Skipped(why) if why.contains("gone")), "{:?}", it.states);
}

#[test]
fn the_image_of_the_new_pod_cannot_be_pulled() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |it| {
        let space = first(it).0;
        ground.cluster.with_world(|w| {
            let pods = w.store.list(Kind::POD, Some(&space));
            let ours = pods.filter(|p| !p["metadata"]["labels"]["wheelhouse.dev/run"].is_null());
            let names: Vec<_> =
                ours.map(|p| p["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect();
            for name in names {
                w.store.update(Kind::POD, &space, &name, "somebody", |p| {
                    p["spec"]["containers"][1]["image"] = "registry.example/saas/app:2.4.3-broken".into();
                });
            }
        });
    });
    stopped(&it, &["image", "pull", "Image"]);
    gone_on_with(&ground, &alice, it);
}

#[test]
fn a_quota_appears() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |it| {
        let Intent::Move { moved } = &it.items[1] else { panic!("a move") };
        let space = moved.pod.namespace.to_string();
        ground.cluster.with_world(|w| {
            let pods = w.store.list(Kind::POD, Some(&space)).count();
            let hard = json!({"pods": pods.to_string()});
            let quota = json!({"metadata": {"name": "tight", "namespace": space}, "spec": {"hard": hard}});
            w.store.insert_by(Kind::RESOURCE_QUOTA, quota, "somebody");
        });
    });
    stopped(&it, &["quota"]);
    assert_eq!(it.counts().done, 1);
    let Intent::Move { moved } = it.items[1].clone() else { panic!("a move") };
    ground.cluster.with_world(|w| {
        w.store
            .delete(Kind::RESOURCE_QUOTA, &moved.pod.namespace, "tight", &Default::default())
            .expect("it was there");
    });
    gone_on_with(&ground, &alice, it);
}

#[test]
fn the_api_server_fails_now_and_then() {
    let ground = Ground::new();
    let alice = patient(&ground, "alice@bastion");
    let it = amid(&ground, &alice, |_| {
        ground.cluster.faults().status(On::new("WRITE", "*"), 500, None, 3);
        ground.cluster.faults().status(On::new("WRITE", "*"), 429, Some(1), 2);
    });
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
}

#[test]
fn who_has_lost_the_lease_of_a_campaign_stops_and_another_goes_on() {
    let ground = Ground::new();
    let alice = ground.session("alice@bastion");
    let mut handle = start(&alice, three_moves(&alice));
    drive_until(&ground, &alice, &mut handle, |it| {
        it.under_way.iter().any(|run| run.steps[1] == StepState::Started)
    });
    ground.steal(&format!("campaign-{}", handle.id), "mallory@bastion 1");
    // It is found out with the next renewal.
    let began = std::time::Instant::now();
    let over = |it: &Campaign| it.state == CampaignState::Paused;
    while !over(&handle.watch.borrow()) {
        assert!(began.elapsed() < crate::session::PATIENCE);
        let _ = alice.block("news", async {
            tokio::time::timeout(std::time::Duration::from_millis(50), handle.watch.changed()).await
        });
    }
    let it = alice.block("the end", handle.ended());
    assert!(
        it.last_word().is_some_and(|why| why.contains("mallory@bastion has the lease")),
        "{:?}",
        it.last_word()
    );
    ground.step(90);
    assert!(nothing_borrowed(&ground).is_empty());
    let bob = ground.session("bob@bastion");
    let known = wheelhouse::run::campaign::campaigns(&bob.now()).remove(0);
    let mut handle = resume(&bob, known.campaign);
    let it = drive(&ground, &bob, &mut handle);
    assert_eq!(it.state, CampaignState::Done, "{:?}", it.last_word());
}
