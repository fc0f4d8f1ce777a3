//! What a namespace may use: refused in the real sentences, told by the conditions, tried again.

use serde_json::{Value, json};
use wheelhouse::demo::World;
use wheelhouse::demo::kind::Kind;

use super::{Scenario, build, change, condition, deployment, pods, scale, seconds, tenant_of, text};

fn quota(world: &mut World, tenant: &str, hard: Value) {
    let quota = json!({"metadata": {"name": "most", "namespace": tenant}, "spec": {"hard": hard}});
    world.store.insert(Kind::RESOURCE_QUOTA, quota);
    world.react();
}

fn used(world: &World, tenant: &str, resource: &str) -> String {
    let quota = world.store.get(Kind::RESOURCE_QUOTA, tenant, "most").expect("the quota");
    text(quota, &format!("/status/used/{resource}")).to_owned()
}

#[test]
fn a_full_quota_stops_a_scale_and_the_conditions_say_so_until_there_is_room() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    quota(&mut world, &tenant, json!({"pods": "4"}));
    assert_eq!(used(&world, &tenant, "pods"), "3");
    scale(&mut world, &tenant, 6);
    seconds(&mut world, 60);
    assert_eq!((pods(&world, &tenant).len(), used(&world, &tenant, "pods").as_str()), (4, "4"));
    let object = deployment(&world, &tenant);
    let failure = condition(&object, "ReplicaFailure");
    let message = text(failure, "/message");
    assert_eq!((text(failure, "/status"), text(failure, "/reason")), ("True", "FailedCreate"));
    let why = "is forbidden: exceeded quota: most, requested: pods=1, used: pods=4, limited: pods=4";
    assert!(message.starts_with(&format!("pods \"{tenant}-")) && message.ends_with(why), "{message}");
    let told = world.store.list(Kind::EVENT, Some(&tenant)).any(|event| {
        text(event, "/reason") == "FailedCreate"
            && text(event, "/message").starts_with("Error creating: pods \"")
    });
    assert!(told, "an event tells it");
    change(&mut world, Kind::RESOURCE_QUOTA, &tenant, "most", |quota| {
        quota["spec"]["hard"]["pods"] = "9".into()
    });
    // The wait between tries has doubled to at most a minute or so by now.
    seconds(&mut world, 200);
    assert_eq!((pods(&world, &tenant).len(), used(&world, &tenant, "pods").as_str()), (6, "6"));
    assert!(condition(&deployment(&world, &tenant), "ReplicaFailure").is_null(), "the failure is over");
    scale(&mut world, &tenant, 2);
    seconds(&mut world, 60);
    assert_eq!(used(&world, &tenant, "pods"), "2");
}

#[test]
fn memory_is_added_up_and_every_container_has_to_name_what_is_counted() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    quota(&mut world, &tenant, json!({"requests.memory": "1000Gi", "limits.cpu": "10"}));
    let total = used(&world, &tenant, "requests.memory");
    assert!(total.ends_with("Mi") || total.ends_with("Gi"), "{total}");
    scale(&mut world, &tenant, 3);
    seconds(&mut world, 5);
    let message = text(condition(&deployment(&world, &tenant), "ReplicaFailure"), "/message").to_owned();
    assert!(message.contains("failed quota: most: must specify limits.cpu for: nginx,php-fpm"), "{message}");
}

#[test]
fn a_limit_range_fills_in_what_is_missing() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    let range = json!({"metadata": {"name": "range", "namespace": tenant}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "50m"}, "max": {"memory": "10Gi"}}]}});
    world.store.insert(Kind::LIMIT_RANGE, range);
    scale(&mut world, &tenant, 3);
    seconds(&mut world, 60);
    let all = pods(&world, &tenant);
    let noted: Vec<&Value> = all
        .iter()
        .filter(|pod| pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"].is_string())
        .collect();
    let [new] = noted.as_slice() else { panic!("{} pods were filled in", noted.len()) };
    let note = text(new, "/metadata/annotations/kubernetes.io~1limit-ranger");
    assert!(
        note.starts_with("LimitRanger plugin set: ") && note.contains("cpu limit for container php-fpm"),
        "{note}"
    );
    assert_eq!(new["spec"]["containers"][0]["resources"]["limits"]["cpu"], "500m");
    change(&mut world, Kind::LIMIT_RANGE, &tenant, "range", |range| {
        range["spec"]["limits"][0]["max"]["memory"] = "8Mi".into();
    });
    scale(&mut world, &tenant, 4);
    seconds(&mut world, 5);
    let message = text(condition(&deployment(&world, &tenant), "ReplicaFailure"), "/message").to_owned();
    assert!(message.contains("maximum memory usage per Container is 8Mi, but limit is "), "{message}");
}
