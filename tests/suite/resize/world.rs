//! What the kubelets of the embedded cluster do with a resize: at once, later, never, with an error.

use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::demo::{Options, Scenario, World, kind::Kind};

fn build() -> World {
    let options =
        Options { tenants: 3, nodes: 3, seed: 7, scenario: Scenario::Calm, speed: 0.0, port: 0, epoch: None };
    World::build(&options, "2026-03-01T03:00:00Z".parse().expect("a time"))
}

fn seconds(world: &mut World, seconds: u64) {
    world.step(Duration::from_secs(seconds));
}

fn pods(world: &World) -> Vec<Value> {
    world.store.list(Kind::POD, Some("acme")).map(|pod| Value::clone(pod)).collect()
}

fn ask(world: &mut World, pod: &Value, resources: Value) {
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let put = |pod: &mut Value| pod["spec"]["containers"][1]["resources"] = resources;
    world.store.update(Kind::POD, "acme", name, "somebody", put).expect("the pod");
    world.react();
}

/// Reason and message of a condition of the first pod.
fn condition(world: &World, kind: &str) -> Option<(String, String)> {
    let pod = &pods(world)[0];
    let found = pod["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)?.clone();
    assert_eq!(found["observedGeneration"], pod["metadata"]["generation"]);
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

fn in_force(world: &World) -> String {
    let pods = pods(world);
    pods[0]["status"]["containerStatuses"][1]["resources"]["limits"]["memory"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn resources(request: &str, limit: &str) -> Value {
    json!({"requests": {"cpu": "100m", "memory": request}, "limits": {"memory": limit}})
}

#[test]
fn what_fits_is_in_force_in_a_moment_without_a_restart() {
    let mut world = build();
    let pod = pods(&world)[0].clone();
    let before = in_force(&world);
    let own = pod["spec"]["containers"][1]["resources"].clone();
    assert_eq!(own["limits"]["memory"], before.as_str(), "what runs tells its resources");
    let mut wanted = own.clone();
    wanted["limits"]["memory"] = "768Mi".into();
    ask(&mut world, &pod, wanted);
    assert_eq!(condition(&world, "PodResizeInProgress"), Some(("".into(), "".into())));
    assert_eq!(in_force(&world), before);
    seconds(&mut world, 4);
    assert_eq!((in_force(&world), condition(&world, "PodResizeInProgress")), ("768Mi".into(), None));
    let status = &pods(&world)[0]["status"]["containerStatuses"][1];
    assert_eq!((&status["restartCount"], &status["ready"]), (&json!(0), &json!(true)), "{status}");
    assert_eq!(status["allocatedResources"]["memory"], own["requests"]["memory"]);
}

#[test]
fn what_never_fits_is_infeasible_and_what_does_not_fit_now_is_deferred() {
    let mut world = build();
    let pod = pods(&world)[0].clone();
    let before = in_force(&world);
    ask(&mut world, &pod, resources("4000Gi", "4000Gi"));
    let (reason, message) = condition(&world, "PodResizePending").expect("it waits");
    assert_eq!(reason, "Infeasible");
    assert!(message.starts_with("Node didn't have enough capacity: memory, requested: "), "{message}");
    seconds(&mut world, 60);
    assert_eq!(in_force(&world), before);

    let node = pod["spec"]["nodeName"].as_str().expect("a node").to_owned();
    let all = |world: &World| {
        world.store.get(Kind::NODE, "", &node).expect("the node")["status"]["allocatable"].clone()
    };
    let memory = all(&world)["memory"].as_str().expect("an amount").to_owned();
    let bytes: wheelhouse::cluster::Memory = memory.parse().expect("an amount");
    let nearly = format!("{}Ki", bytes.0 / 1024 - 256 * 1024);
    ask(&mut world, &pod, resources(&nearly, &nearly));
    let (reason, message) = condition(&world, "PodResizePending").expect("it waits");
    assert_eq!(reason, "Deferred");
    assert!(message.starts_with("Node didn't have enough resource: memory, requested: "), "{message}");
    // It is looked at again once the others are gone.
    let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
    let others: Vec<(String, String)> = world
        .store
        .list(Kind::POD, None)
        .filter(|p| p["spec"]["nodeName"] == node.as_str() && p["metadata"]["name"] != name.as_str())
        .map(|p| {
            let text = |at: &str| p["metadata"][at].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        })
        .collect();
    world.store.update(Kind::NODE, "", &node, "somebody", |node| node["spec"]["unschedulable"] = true.into());
    for (space, name) in others {
        let now = wheelhouse::demo::store::DeleteOptions { grace_seconds: Some(0), ..Default::default() };
        world.store.delete(Kind::POD, &space, &name, &now);
    }
    world.react();
    seconds(&mut world, 40);
    assert_eq!(condition(&world, "PodResizePending"), None);
    assert_eq!(in_force(&world), nearly);
}

#[test]
fn a_limit_below_the_use_is_an_error_that_is_tried_again() {
    let mut world = build();
    let pod = pods(&world)[0].clone();
    ask(&mut world, &pod, resources("8Mi", "16Mi"));
    seconds(&mut world, 10);
    let (reason, message) = condition(&world, "PodResizeInProgress").expect("it is under way");
    assert_eq!(reason, "Error");
    assert!(message.contains("below current usage"), "{message}");
    ask(&mut world, &pod, resources("8Mi", "640Mi"));
    seconds(&mut world, 20);
    assert_eq!((in_force(&world), condition(&world, "PodResizeInProgress")), ("640Mi".into(), None));
}

#[test]
fn a_policy_that_says_so_restarts_the_container() {
    let mut world = build();
    let pod = pods(&world)[0].clone();
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let policy = json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]);
    let put = |pod: &mut Value| pod["spec"]["containers"][1]["resizePolicy"] = policy.clone();
    world.store.update(Kind::POD, "acme", name, "somebody", put).expect("the pod");
    ask(&mut world, &pod, resources("128Mi", "768Mi"));
    seconds(&mut world, 30);
    let status = &pods(&world)[0]["status"]["containerStatuses"][1];
    assert_eq!((in_force(&world).as_str(), &status["restartCount"]), ("768Mi", &json!(1)), "{status}");
}
