//! How many pods there are: scaling, victims, autoscalers, budgets.

use serde_json::{Value, json};
use wheelhouse::demo::kind::Kind;
use wheelhouse::demo::store::DeleteOptions;
use wheelhouse::demo::{Scenario, World};

use super::{build, change, deployment, is_ready, pods, ready, reasons, scale, seconds, tenant_of, text};

#[test]
fn scaling_goes_up_and_down_and_says_so() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    scale(&mut world, &tenant, 4);
    let all = pods(&world, &tenant);
    assert_eq!((all.len(), ready(&world, &tenant)), (4, 2));
    let object = deployment(&world, &tenant);
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    assert_eq!(object["status"]["unavailableReplicas"], 2);
    let new: Vec<&Value> = all.iter().filter(|pod| !is_ready(pod)).collect();
    assert!(
        new.iter().all(|pod| text(pod, "/status/phase") == "Pending" && pod["spec"]["nodeName"].is_string())
    );
    seconds(&mut world, 30);
    assert_eq!(ready(&world, &tenant), 4);
    assert_eq!(deployment(&world, &tenant)["status"]["availableReplicas"], 4);
    for reason in ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"] {
        assert!(reasons(&world, &tenant).contains(reason), "no event {reason}");
    }
    scale(&mut world, &tenant, 1);
    assert_eq!(ready(&world, &tenant), 1);
    assert_eq!(pods(&world, &tenant).len(), 4, "terminating pods stay for their grace period");
    seconds(&mut world, 40);
    assert_eq!(pods(&world, &tenant).len(), 1);
    assert!(reasons(&world, &tenant).contains("Killing"));
    assert_eq!(deployment(&world, &tenant)["status"]["replicas"], 1);
    scale(&mut world, &tenant, 0);
    seconds(&mut world, 40);
    assert_eq!(pods(&world, &tenant).len(), 0);
    scale(&mut world, &tenant, 2);
    seconds(&mut world, 40);
    assert_eq!(ready(&world, &tenant), 2);
}

#[test]
fn a_deletion_cost_decides_the_victim() {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 3);
    let victim = text(&pods(&world, &tenant)[1], "/metadata/name").to_owned();
    change(&mut world, Kind::POD, &tenant, &victim, |pod| {
        pod["metadata"]["annotations"] = json!({"controller.kubernetes.io/pod-deletion-cost": "-100"});
    });
    scale(&mut world, &tenant, 2);
    let left: Vec<String> = pods(&world, &tenant)
        .iter()
        .filter(|pod| is_ready(pod))
        .map(|pod| text(pod, "/metadata/name").to_owned())
        .collect();
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&victim));
}

#[test]
fn the_autoscaler_takes_a_manual_scale_back_at_its_next_sync() {
    let mut world = build(Scenario::Calm);
    let autoscaler =
        world.store.list(Kind::AUTOSCALER, None).next().expect("twelve tenants have one").clone();
    let tenant = text(&autoscaler, "/metadata/name").to_owned();
    let before = deployment(&world, &tenant)["spec"]["replicas"].clone();
    scale(&mut world, &tenant, 1);
    assert_eq!(deployment(&world, &tenant)["spec"]["replicas"], 1);
    seconds(&mut world, 16);
    assert!(deployment(&world, &tenant)["spec"]["replicas"].as_i64() >= Some(2), "below its minimum");
    seconds(&mut world, 300);
    assert_eq!(deployment(&world, &tenant)["spec"]["replicas"], before, "its own choice again");
    let most = autoscaler["spec"]["maxReplicas"].as_i64().unwrap();
    scale(&mut world, &tenant, most + 4);
    seconds(&mut world, 16);
    assert!(deployment(&world, &tenant)["spec"]["replicas"].as_i64() <= Some(most));
    assert!(reasons(&world, &tenant).contains("SuccessfulRescale"));
}

#[test]
fn a_budget_counts_healthy_pods_and_granted_evictions() {
    let mut world = build(Scenario::Calm);
    let tenant = "acme";
    let budget =
        |world: &World| world.store.get(Kind::DISRUPTION_BUDGET, tenant, tenant).unwrap()["status"].clone();
    let count = pods(&world, tenant).len() as i64;
    let status = budget(&world);
    assert_eq!(status["expectedPods"], count);
    assert_eq!(status["currentHealthy"], count);
    assert_eq!(status["disruptionsAllowed"], count - 1);
    assert_eq!(status["conditions"][0]["reason"], "SufficientPods");
    // What the eviction API writes before it deletes; here the deletion does not follow.
    let pod = text(&pods(&world, tenant)[0], "/metadata/name").to_owned();
    let since =
        text(&json!(jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", world.now()).unwrap()), "").to_owned();
    world.store.update_status(Kind::DISRUPTION_BUDGET, tenant, tenant, "test", |budget| {
        budget["status"]["disruptionsAllowed"] = (count - 2).into();
        budget["status"]["disruptedPods"] = json!({pod.clone(): since});
    });
    world.react();
    assert_eq!(
        budget(&world)["disruptionsAllowed"],
        count - 2,
        "the grant counts although the pod still runs"
    );
    assert_eq!(budget(&world)["currentHealthy"], count - 1);
    seconds(&mut world, 130);
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 1, "for two minutes");
    assert!(budget(&world)["disruptedPods"].is_null());
    world.store.delete(Kind::POD, tenant, &pod, &DeleteOptions::default());
    world.react();
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 2);
    seconds(&mut world, 60);
    assert_eq!(budget(&world)["disruptionsAllowed"], count - 1);
}

/// A busy tenant of two whose autoscaler would have six; what it has at each sync after it was scaled to `to`.
fn held(hold: impl FnOnce(&mut Value), to: i64) -> Vec<i64> {
    let mut world = build(Scenario::Calm);
    let tenant = tenant_of(&world, 2);
    let autoscaler = json!({"metadata": {"name": tenant, "namespace": tenant}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": tenant}, "minReplicas": 2, "maxReplicas": 6,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 1}}}]}});
    world.store.insert(Kind::AUTOSCALER, autoscaler);
    change(&mut world, Kind::AUTOSCALER, &tenant, &tenant, hold);
    scale(&mut world, &tenant, to);
    let mut seen = Vec::new();
    for _ in 0..8 {
        seconds(&mut world, 15);
        seen.push(deployment(&world, &tenant)["spec"]["replicas"].as_i64().expect("a count"));
    }
    seen
}

#[test]
fn an_autoscaler_is_held_by_both_bounds_and_by_nothing_else() {
    let free = held(|_| {}, 1);
    assert_eq!(
        (free[0], *free.last().expect("a count")),
        (2, 6),
        "mended at once, then up to what it wants: {free:?}"
    );
    let switched_off =
        json!({"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": {"selectPolicy": "Disabled"}});
    let disabled = held(|object| object["spec"]["behavior"] = switched_off, 1);
    assert_eq!(disabled, [2; 8], "below the least is always mended");
    let bounds = |object: &mut Value| {
        object["spec"]["minReplicas"] = 1.into();
        object["spec"]["maxReplicas"] = 1.into();
    };
    assert_eq!(held(bounds, 1), [1; 8]);
    assert_eq!(held(|_| {}, 0), [0; 8], "scaling is disabled at zero");
}
