//! What is read of an object, where the wish and the fact differ or the field is seldom filled.

use serde_json::{Value, json};
use wheelhouse::{
    cluster::{ClaimPhase, Cpu, Key, Memory, QuotaScope, VolumeSource},
    live::convert::{
        Claims, Deployments, Interner, Kind, LimitRanges, Pods, Quotas, ReplicaSets, StatefulSets,
    },
};

fn read<K: Kind>(object: &Value) -> K::Value {
    let read = K::read(&object.to_string(), &mut Interner::default());
    read.map(|o| o.value).unwrap_or_else(|e| panic!("{e}"))
}

fn meta(name: &str) -> Value {
    json!({"name": name, "namespace": "acme", "uid": "u", "resourceVersion": "1",
        "creationTimestamp": "2026-11-01T00:00:00Z"})
}

fn mi(n: u64) -> Option<Memory> {
    Some(Memory(n << 20))
}

/// A pod of one container with a limit of 4Gi and a request of 2Gi, of whose status this is said.
fn resized(status: Value) -> Value {
    let resources = json!({"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}});
    let container = json!({"name": "php-fpm", "image": "app:1", "resources": resources});
    json!({"metadata": meta("acme-1"), "spec": {"containers": [container], "nodeName": "n1"}, "status": status})
}

#[test]
fn what_is_wished_of_a_running_container_is_not_in_force() {
    let actual = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}});
    let told = json!([{"name": "php-fpm", "ready": true, "resources": actual}]);
    let pending = |reason: &str| {
        json!([{"type": "PodResizePending", "status": "True", "reason": reason, "message": "Node didn't have enough capacity",
            "lastTransitionTime": "2026-11-02T00:00:00Z"}])
    };
    let infeasible =
        read::<Pods>(&resized(json!({"containerStatuses": told, "conditions": pending("Infeasible")})));
    let force = &infeasible.spec.containers[0].resources;
    assert_eq!((force.limits.memory, force.requests.memory), (mi(1024), mi(1024)));
    let resize = infeasible.resize.expect("it waits");
    assert_eq!(&*resize.reason, "Infeasible");
    assert_eq!(resize.wished.containers[0].resources.limits.memory, mi(4096));
    assert!(resize.message.is_some_and(|m| m.contains("capacity")) && resize.since.is_some());

    // A wish that may still be granted is reserved by the scheduler already; the limit in force is the old one.
    let deferred =
        read::<Pods>(&resized(json!({"containerStatuses": told, "conditions": pending("Deferred")})));
    let force = &deferred.spec.containers[0].resources;
    assert_eq!((force.limits.memory, force.requests.memory), (mi(1024), mi(2048)));

    // Servers before 1.33 have a field for it.
    let field = read::<Pods>(&resized(json!({"containerStatuses": told, "resize": "Infeasible"})));
    assert_eq!(field.spec.containers[0].resources.requests.memory, mi(1024));
    // What is allocated is reserved even when it is not in force yet.
    let told = json!([{"name": "php-fpm", "resources": {"limits": {"memory": "1Gi"}}, "allocatedResources": {"memory": "3Gi"}}]);
    let allocated = read::<Pods>(&resized(json!({"containerStatuses": told})));
    assert_eq!(allocated.spec.containers[0].resources.requests.memory, mi(3072));
}

#[test]
fn a_status_that_says_nothing_of_resources_leaves_those_of_the_spec() {
    for told in [json!([]), json!([{"name": "php-fpm", "resources": {}}]), json!([{"name": "other"}])] {
        let pod = read::<Pods>(&resized(json!({"containerStatuses": told})));
        let force = &pod.spec.containers[0].resources;
        assert_eq!((force.limits.memory, force.requests.memory), (mi(4096), mi(2048)));
        assert_eq!((force.requests.cpu, pod.resize), (Some(Cpu(1000)), None));
    }
}

#[test]
fn sidecars_and_whole_pods_are_resized_as_well() {
    let mut pod = resized(json!({
        "initContainerStatuses": [{"name": "mesh", "resources": {"limits": {"memory": "64Mi"}}},
            {"name": "migrate", "resources": {"limits": {"memory": "64Mi"}}}],
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}},
    }));
    pod["spec"]["initContainers"] = json!([
        {"name": "mesh", "restartPolicy": "Always", "resources": {"limits": {"memory": "128Mi"}}},
        {"name": "migrate", "resources": {"limits": {"memory": "128Mi"}}}]);
    pod["spec"]["resources"] = json!({"limits": {"memory": "5Gi"}, "requests": {"memory": "512Mi"}});
    let pod = read::<Pods>(&pod);
    let limit = |i: usize| pod.spec.init_containers[i].resources.limits.memory;
    assert_eq!((limit(0), limit(1)), (mi(64), mi(128)), "a container that ends is not resized");
    let whole = pod.spec.resources.clone().expect("given");
    assert_eq!((whole.limits.memory, whole.requests.memory), (mi(2048), mi(1024)));
}

#[test]
fn what_holds_a_pod_up_is_in_its_own_words() {
    let said = |spec: Value, status: Value| {
        let pod = json!({"metadata": meta("p"), "spec": spec, "status": status});
        read::<Pods>(&pod).held_up.map(|text| text.to_string())
    };
    let gates = json!({"readinessGates": [{"conditionType": "example.com/lb"}]});
    let ready = json!([{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}]);
    assert_eq!(
        said(gates.clone(), json!({"conditions": ready})).as_deref(),
        Some("readiness gate example.com/lb is not true: nobody has set it")
    );
    let mut told = ready.clone();
    told.as_array_mut().expect("a list").push(
        json!({"type": "example.com/lb", "status": "False", "reason": "Unregistered", "message": "no target group"}),
    );
    assert_eq!(
        said(gates, json!({"conditions": told})).as_deref(),
        Some("readiness gate example.com/lb is not true: Unregistered: no target group")
    );
    let waiting = |reason: &str, message: &str| json!({"initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": reason, "message": message}}}]});
    let missing = "secret \"keys\" not found";
    assert_eq!(
        said(json!({}), waiting("CreateContainerConfigError", missing)).as_deref(),
        Some("secret \"keys\" not found")
    );
    assert_eq!(said(json!({}), waiting("CrashLoopBackOff", "back-off 20s restarting")), None);
    assert_eq!(
        said(json!({}), json!({"conditions": [{"type": "PodReadyToStartContainers", "status": "False"}]}))
            .as_deref(),
        Some("its volumes or its network are not ready")
    );
    assert_eq!(
        said(
            json!({}),
            json!({"reason": "Evicted", "message": "The node was low on resource: memory.\nmore"})
        )
        .as_deref(),
        Some("Evicted: The node was low on resource: memory.")
    );
    assert_eq!(
        said(json!({}), json!({"conditions": [{"type": "Ready", "status": "True", "reason": "X"}]})),
        None
    );
}

#[test]
fn a_volume_with_data_is_kept_and_the_pods_of_one_set_stay_alike() {
    let volumes = json!([{"name": "sock", "emptyDir": {}}, {"name": "cache", "emptyDir": {"medium": "Memory"}},
        {"name": "shared", "persistentVolumeClaim": {"claimName": "files"}}, {"name": "scratch", "ephemeral": {}},
        {"name": "token", "projected": {"sources": []}}, {"name": "conf", "configMap": {"name": "c"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-acme-0"}}]);
    let mut pod = json!({"metadata": meta("acme-0"), "spec": {"volumes": volumes}});
    pod["metadata"]["ownerReferences"] = json!([{"kind": "StatefulSet", "name": "acme", "controller": true, "uid": "s", "apiVersion": "apps/v1"}]);
    let pod = read::<Pods>(&pod);
    let claims: Vec<_> =
        pod.spec.volumes.iter().map(|v| (&*v.name, v.claim("acme-0").map(|c| c.to_string()))).collect();
    let named = |text: &str| Some(text.to_owned());
    assert_eq!(
        claims,
        [
            ("sock", None),
            ("cache", None),
            ("shared", named("files")),
            ("scratch", named("acme-0-scratch")),
            ("data", named("data-acme-0")),
        ]
    );
    assert_eq!(pod.spec.volumes[4].source, VolumeSource::OwnClaim);
    assert_eq!(pod.spec.volumes[1].source, VolumeSource::EmptyDir { memory: true });

    let set = json!({"metadata": meta("acme"), "spec": {"replicas": 2, "selector": {}, "template": {},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"}}});
    let set = read::<StatefulSets>(&set);
    assert_eq!((set.claim_templates.len(), set.claims_go_when_scaled), (1, true));
    assert_eq!(set.template.volumes[0].source, VolumeSource::OwnClaim);
}

#[test]
fn a_replica_set_says_when_it_was_scaled() {
    let fields = |replicas: Value| {
        json!({"manager": "kube-controller-manager", "operation": "Update",
        "time": "2026-11-29T03:00:07Z", "fieldsV1": {"f:spec": replicas}})
    };
    let mut set =
        json!({"metadata": meta("acme-1"), "spec": {"replicas": 2, "selector": {}, "template": {}}});
    let status = json!({"manager": "kube-controller-manager", "operation": "Update", "subresource": "status",
        "time": "2026-11-29T03:09:00Z", "fieldsV1": {"f:status": {"f:replicas": {}}}});
    set["metadata"]["managedFields"] = json!([fields(json!({"f:replicas": {}})), status]);
    assert_eq!(read::<ReplicaSets>(&set).scaled, "2026-11-29T03:00:07Z".parse().ok());
    set["metadata"]["managedFields"] = json!([fields(json!({"f:selector": {}})), status]);
    assert_eq!(read::<ReplicaSets>(&set).scaled, None);
}

#[test]
fn a_workload_says_why_no_pod_can_be_made_and_who_made_it() {
    let mut deployment = json!({"metadata": meta("acme"), "spec": {"selector": {}, "template": {}},
        "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods is forbidden: exceeded quota", "lastTransitionTime": "2026-11-02T00:00:00Z"}]}});
    deployment["metadata"]["ownerReferences"] = json!([{"kind": "PhpApp", "name": "shop", "controller": true, "uid": "y", "apiVersion": "apps.example.com/v1"}]);
    let read = read::<Deployments>(&deployment);
    let refused = read.refused.expect("told");
    assert_eq!((&*refused.reason, &*refused.message), ("FailedCreate", "pods is forbidden: exceeded quota"));
    let owner = read.owner.expect("told");
    assert_eq!((&*owner.kind, &*owner.name, read.deadline), ("PhpApp", "shop", 600));
}

#[test]
fn quotas_limits_and_claims_are_read_in_their_units() {
    let quota = json!({"metadata": meta("q"),
        "spec": {"hard": {"pods": "9"}, "scopes": ["NotTerminating"],
            "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}},
        "status": {"hard": {"pods": "4", "requests.cpu": "2500m", "limits.memory": "1Gi", "count/secrets": "3"},
            "used": {"pods": "4", "requests.cpu": "1"}}});
    let quota = read::<Quotas>(&quota);
    let line = |name: &str| quota.lines.get(name).map(|l| (l.hard, l.used, l.left()));
    assert_eq!(line("pods"), Some((4, Some(4), Some(0))));
    assert_eq!(line("requests.cpu"), Some((2500, Some(1000), Some(1500))));
    assert_eq!(line("limits.memory"), Some((1 << 30, None, None)));
    assert_eq!(quota.scopes[0], QuotaScope::Terminating(false));
    let mut spec = wheelhouse::cluster::PodSpec::default();
    assert_eq!(quota.counts(&spec), Some(false), "of another priority class");
    spec.priority_class = "high".into();
    assert_eq!(quota.counts(&spec), Some(true));
    spec.ends_by_itself = true;
    assert_eq!(quota.counts(&spec), Some(false));

    let range = json!({"metadata": meta("r"), "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"},
        "default": {"memory": "512Mi"}, "defaultRequest": {"cpu": "100m"}, "maxLimitRequestRatio": {"cpu": "1.5"}}]}});
    let range = read::<LimitRanges>(&range);
    let limit = &range.limits[0];
    assert_eq!((limit.max.memory, limit.default_limit.memory), (mi(1024), mi(512)));
    assert_eq!((limit.default_request.cpu, limit.ratio.get("cpu")), (Some(Cpu(100)), Some(&1500)));

    let claim = json!({"metadata": meta("data"), "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}}}, "status": {"phase": "Bound", "capacity": {"storage": "12Gi"}}});
    let claim = read::<Claims>(&claim);
    assert_eq!((claim.key, claim.phase), (Key::new("acme", "data"), ClaimPhase::Bound));
    assert_eq!(claim.size, Some(Memory(12 << 30)));
}

#[test]
fn a_workload_tells_that_it_is_being_deleted_and_where_its_numbers_begin() {
    let mut set = json!({"metadata": meta("acme"), "spec": {"replicas": 2, "selector": {}, "template": {}, "ordinals": {"start": 3}}});
    let stays = read::<StatefulSets>(&set);
    assert_eq!((stays.ordinals(2), stays.departure()), (3..5, None));
    set["metadata"]["finalizers"] = json!(["orphan", "shop.example/keep"]);
    assert!(read::<StatefulSets>(&set).finalizers.is_empty(), "nobody waits for them yet");
    set["metadata"]["deletionTimestamp"] = json!("2026-11-02T00:00:00Z");
    assert_eq!(
        read::<StatefulSets>(&set).departure().as_deref(),
        Some(
            "its StatefulSet is being deleted, and its pods stay without it; that waits for finalizer shop.example/keep"
        )
    );
}

#[test]
fn a_number_below_zero_loses_no_object() {
    let mut event = json!({"metadata": meta("e"), "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Odd",
        "lastTimestamp": "2026-11-02T00:00:00Z", "count": -5});
    assert_eq!(read::<wheelhouse::live::convert::Events>(&event).count, 1);
    event["series"] = json!({"count": 7});
    assert_eq!(read::<wheelhouse::live::convert::Events>(&event).count, 7);
    let deployment = json!({"metadata": meta("acme"), "spec": {"selector": {}, "template": {}},
        "status": {"replicas": 2, "readyReplicas": -1}});
    assert_eq!(read::<Deployments>(&deployment).counts.ready, 0);
}

#[test]
fn how_many_replicas_a_rollout_takes_away_at_once_is_read_of_its_strategy() {
    let up_to = |strategy: Value| {
        let template = json!({"metadata": {"labels": {"app": "acme"}}, "spec": {"containers": []}});
        let spec = json!({"replicas": 3, "strategy": strategy, "template": template,
            "selector": {"matchLabels": {"app": "acme"}}});
        read::<Deployments>(&json!({"metadata": meta("acme"), "spec": spec})).all_gone_up_to
    };
    let rolling = |unavailable: Value, surge: Value| {
        let both = json!({"maxUnavailable": unavailable, "maxSurge": surge});
        up_to(json!({"type": "RollingUpdate", "rollingUpdate": both}))
    };
    assert_eq!(up_to(json!({"type": "Recreate"})), u32::MAX);
    assert_eq!(up_to(json!({})), 0, "the default: a quarter of each");
    for (unavailable, surge, most) in [
        (json!("25%"), json!("25%"), 0),
        (json!(1), json!(0), 1),
        (json!(2), json!(1), 2),
        (json!("100%"), json!(0), u32::MAX),
        // Neither comes to a pod: one may be unavailable.
        (json!("25%"), json!(0), 1),
        (json!(0), json!("0%"), 1),
    ] {
        assert_eq!(rolling(unavailable.clone(), surge.clone()), most, "{unavailable} {surge}");
    }
}
