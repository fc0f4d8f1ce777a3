//! Releases: rolling, broken, recreated.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wheelhouse::demo::kind::Kind;
use wheelhouse::demo::{NoLog, Scenario, World};

use super::{
    build, change, condition, deployment, is_ready, pods, ready, reasons, scale, seconds, tenant_of, text,
};

fn release(world: &mut World, tenant: &str, tag: &str) {
    change(world, Kind::DEPLOYMENT, tenant, tenant, |object| {
        object["spec"]["template"]["spec"]["containers"][1]["image"] =
            format!("registry.example/app:{tag}").into();
    });
}

#[test]
fn a_release_rolls_without_losing_a_pod_and_can_be_taken_back() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    let first = deployment(&world, &tenant);
    let sets = |world: &World| world.store.list(Kind::REPLICA_SET, Some(&tenant)).count();
    let count = sets(&world);
    release(&mut world, &tenant, "2.5.0");
    for _ in 0..120 {
        assert!(ready(&world, &tenant) >= 3, "25 % of 3 rounds down to none that may be missing");
        assert!(
            pods(&world, &tenant).iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).count()
                <= 4
        );
        seconds(&mut world, 1);
    }
    assert_eq!(sets(&world), count + 1);
    assert!(
        pods(&world, &tenant).iter().all(|pod| text(pod, "/spec/containers/1/image").ends_with(":2.5.0"))
    );
    let object = deployment(&world, &tenant);
    assert_eq!(object["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!(condition(&object, "Progressing")["reason"], "NewReplicaSetAvailable");
    assert_eq!(object["status"]["updatedReplicas"], 3);
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| {
        object["spec"]["template"] = first["spec"]["template"].clone()
    });
    seconds(&mut world, 120);
    assert_eq!(sets(&world), count + 1, "the old ReplicaSet is used again");
    assert_eq!(
        deployment(&world, &tenant)["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "4"
    );
    assert_eq!(ready(&world, &tenant), 3);
}

#[test]
fn a_broken_image_stops_a_release_until_its_deadline_is_noticed() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    release(&mut world, &tenant, "2.5.0-broken");
    seconds(&mut world, 30);
    let stuck: Vec<Value> = pods(&world, &tenant).into_iter().filter(|pod| !is_ready(pod)).collect();
    assert_eq!((stuck.len(), ready(&world, &tenant)), (1, 3));
    let reason = text(&stuck[0], "/status/containerStatuses/1/state/waiting/reason");
    assert!(matches!(reason, "ErrImagePull" | "ImagePullBackOff"), "{reason}");
    let name = text(&stuck[0], "/metadata/name");
    assert!(matches!(world.log_lines(&tenant, name, "php-fpm", false), Err(NoLog::Waiting(_))));
    seconds(&mut world, 620);
    let object = deployment(&world, &tenant);
    assert_eq!(condition(&object, "Progressing")["reason"], "ProgressDeadlineExceeded");
    assert!(reasons(&world, &tenant).is_superset(&["Failed".to_owned(), "BackOff".to_owned()].into()));
    release(&mut world, &tenant, "2.5.1");
    seconds(&mut world, 120);
    assert_eq!(condition(&deployment(&world, &tenant), "Progressing")["reason"], "NewReplicaSetAvailable");
}

#[test]
fn recreate_stops_the_old_pods_first_and_a_paused_deployment_waits() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| object["spec"]["paused"] = true.into());
    release(&mut world, &tenant, "2.6.0");
    seconds(&mut world, 60);
    assert!(
        pods(&world, &tenant).iter().all(|pod| !text(pod, "/spec/containers/1/image").ends_with(":2.6.0"))
    );
    scale(&mut world, &tenant, 4);
    seconds(&mut world, 60);
    assert_eq!(ready(&world, &tenant), 4, "a paused deployment still scales");
    change(&mut world, Kind::DEPLOYMENT, &tenant, &tenant, |object| {
        object["spec"]["paused"] = false.into();
        object["spec"]["strategy"] = json!({"type": "Recreate"});
    });
    let images = |world: &World| -> BTreeSet<String> {
        pods(world, &tenant).iter().map(|pod| text(pod, "/spec/containers/1/image").to_owned()).collect()
    };
    let mut none = false;
    for _ in 0..60 {
        assert!(images(&world).len() <= 1, "never two releases at once");
        none |= images(&world).is_empty() || ready(&world, &tenant) == 0;
        seconds(&mut world, 1);
    }
    assert!(none);
    assert_eq!((ready(&world, &tenant), images(&world).len()), (4, 1));
}
