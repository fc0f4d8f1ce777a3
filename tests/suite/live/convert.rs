use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use wheelhouse::{
    cluster::{
        Cpu, Effect, GitOps, HostPort, Key, LabelSet, Memory, NodeState, Operator, Owner, Phase, Requirement,
        WorkloadKey, WorkloadKind,
    },
    live::convert::{
        Autoscalers, Budgets, Deployments, Events, Interner, Journals, Kind, Leases, Namespaces, NodeUsages,
        Nodes, PodUsages, Pods, ReplicaSets, Services, StatefulSets,
    },
};

use super::captures::{first, reply};

fn read<K: Kind>(object: &Value) -> K::Value {
    K::read(&object.to_string(), &mut Interner::default()).unwrap_or_else(|e| panic!("{e}")).value
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn with(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        object.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}"))[name.replace("~1", "/")] =
            value.clone();
    }
    object
}

fn is_in(key: &str, values: &[&str]) -> Requirement {
    Requirement { key: key.into(), operator: Operator::In(values.iter().map(|v| (*v).into()).collect()) }
}

#[test]
fn a_recorded_pod_is_read_field_by_field() {
    let pod = read::<Pods>(first("list-pods-limit-1"));
    assert_eq!(pod.key, Key::new("saas-capture", "acme-59fbdcbbcd-ck2qx"));
    assert_eq!(pod.uid.as_str(), "3733f0b9-0b8d-4fbe-94af-011ee7c6743c");
    let uid = "03225187-8667-4cab-b79a-311cc5db4cf9";
    let owner = Owner { kind: "ReplicaSet".into(), name: "acme-59fbdcbbcd".into(), uid: uid.into() };
    assert_eq!(pod.owner, Some(owner));
    assert_eq!(pod.labels.get("tenant").map(|v| &**v), Some("acme"));
    assert_eq!(pod.labels.len(), 6);
    assert_eq!(pod.node.as_ref().map(|n| n.as_str()), Some("node-1"));
    assert_eq!((pod.phase, pod.ready), (Phase::Running, true));
    let moment = at("2026-11-21T08:41:24Z");
    assert_eq!((pod.created, pod.ready_since, pod.deleting), (moment, Some(moment), None));
    assert_eq!((pod.unschedulable.as_deref(), pod.deletion_cost), (None, 0));
    assert!(pod.ready && pod.is_active());
    let status: Vec<_> =
        pod.containers.iter().map(|c| (&*c.name, c.ready, c.restarts, c.running_since)).collect();
    assert_eq!(status, [("nginx", true, 0, Some(moment)), ("php-fpm", true, 0, Some(moment))]);
    assert!(pod.containers.iter().all(|c| c.reason.is_none() && c.last_end.is_none()));

    let spec = &pod.spec;
    let containers: Vec<_> = spec.containers.iter().map(|c| (&*c.name, &*c.image)).collect();
    assert_eq!(
        containers,
        [("nginx", "registry.example/nginx:1.22"), ("php-fpm", "registry.example/app:2.4.1")]
    );
    let (requests, limits) = (&spec.containers[1].resources.requests, &spec.containers[1].resources.limits);
    assert_eq!((requests.cpu, requests.memory), (Some(Cpu(100)), Some(Memory(256 << 20))));
    assert_eq!((limits.cpu, limits.memory), (None, Some(Memory(640 << 20))));
    assert_eq!(spec.requests(), (Cpu(150), Memory(320 << 20)));
    let (weight, term) = &spec.affinity.anti_preferred[0];
    assert_eq!((*weight, term.topology_key.as_str()), (100, "kubernetes.io/hostname"));
    assert_eq!(*term.selector.as_ref().expect("a selector").requirements, [is_in("app", &["acme"])]);
    assert!(spec.affinity.node_required.is_none() && spec.affinity.anti_required.is_empty());
    let tolerations: Vec<_> =
        spec.tolerations.iter().map(|t| (t.key.as_deref(), t.exists, t.effect, t.seconds)).collect();
    let no_execute = Some(Effect::NoExecute);
    assert_eq!(
        tolerations,
        [
            (Some("node.kubernetes.io/not-ready"), true, no_execute, Some(300)),
            (Some("node.kubernetes.io/unreachable"), true, no_execute, Some(300)),
        ]
    );
    assert_eq!((spec.priority, spec.never_preempts), (0, false));
    assert_eq!(read::<Pods>(reply("pod-deletion-cost")).deletion_cost, -100);
}

#[test]
fn every_part_of_a_pod_that_is_planned_with_is_read() {
    let pod = with(
        first("list-pods-limit-1"),
        &[
            ("/spec/nodeName", Value::Null),
            (
                "/spec/containers/0/ports",
                json!([{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]),
            ),
            (
                "/spec/initContainers",
                json!([{"name": "proxy", "restartPolicy": "Always"}, {"name": "migrate", "image": "app:1"}]),
            ),
            ("/spec/overhead", json!({"cpu": "10m", "example.com/gpu": 1})),
            ("/spec/resources", json!({"requests": {"memory": "1Gi"}})),
            ("/spec/nodeSelector", json!({"disk": "ssd"})),
            (
                "/spec/affinity",
                json!({
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{
                        "matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["w1"]}],
                    }]}},
                    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                        {"topologyKey": "zone", "namespaceSelector": {}, "namespaces": ["x"]},
                    ]},
                }),
            ),
            (
                "/spec/topologySpreadConstraints",
                json!([
                    {
                        "maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {
                            "matchLabels": {"app": "acme"},
                            "matchExpressions": [{"key": "pod-template-hash", "operator": "In", "values": ["59f"]}],
                        },
                        "matchLabelKeys": ["pod-template-hash", "color"], "minDomains": 3,
                        "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor",
                    },
                    {"maxSkew": 1, "topologyKey": "host", "whenUnsatisfiable": "ScheduleAnyway"},
                ]),
            ),
            ("/spec/preemptionPolicy", "Never".into()),
            ("/spec/priority", json!(-5)),
            ("/metadata/deletionTimestamp", "2026-11-21T09:00:00Z".into()),
            ("/status/phase", "Pending".into()),
            (
                "/status/conditions",
                json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/5 nodes"}]),
            ),
            (
                "/status/containerStatuses",
                json!([
                    {
                        "name": "php-fpm", "ready": false, "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {
                            "reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-21T08:59:00Z"
                        }},
                    },
                    {"name": "nginx", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
                ]),
            ),
            (
                "/status/initContainerStatuses",
                json!([
                    {"name": "migrate", "ready": false, "restartCount": 1, "state": {"waiting": {"reason": "Error"}}},
                    {"name": "proxy", "ready": true},
                ]),
            ),
        ],
    );
    let pod = read::<Pods>(&pod);
    let spec = &pod.spec;
    let port = HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port: 8080 };
    assert_eq!(spec.containers[0].host_ports, [port]);
    let init: Vec<_> = spec.init_containers.iter().map(|c| (&*c.name, c.sidecar)).collect();
    assert_eq!(init, [("proxy", true), ("migrate", false)]);
    assert_eq!((spec.overhead.cpu, spec.overhead.other.get("example.com/gpu")), (Some(Cpu(10)), Some(&1)));
    assert_eq!(spec.resources.as_ref().expect("resources").requests.memory, Some(Memory(1 << 30)));
    assert_eq!(spec.node_selector, BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]));
    let node = &spec.affinity.node_required.as_ref().expect("terms")[0];
    assert_eq!(node.labels, [Requirement { key: "cores".into(), operator: Operator::Gt(4) }]);
    assert_eq!(node.fields, [is_in("metadata.name", &["w1"])]);
    let anti = &spec.affinity.anti_required[0];
    assert_eq!((anti.topology_key.as_str(), anti.selector.as_ref()), ("zone", None));
    assert_eq!(anti.namespaces, ["x"]);
    assert!(anti.namespace_selector.as_ref().expect("all namespaces").requirements.is_empty());
    let [hard, soft] = spec.spread.as_slice() else { panic!("two constraints") };
    assert_eq!((hard.max_skew, hard.hard, hard.min_domains), (2, true, Some(3)));
    assert_eq!((hard.honor_affinity, hard.honor_taints), (false, true));
    assert_eq!(hard.match_label_keys, ["color"], "what is merged into the selector is not said twice");
    assert_eq!(hard.selector.as_ref().expect("a selector").requirements.len(), 2);
    assert_eq!((soft.hard, soft.honor_affinity, soft.honor_taints), (false, true, false));
    assert_eq!((spec.priority, spec.never_preempts), (-5, true));
    assert_eq!((pod.node, pod.phase, pod.ready), (None, Phase::Pending, false));
    assert_eq!(pod.unschedulable.as_deref(), Some("0/5 nodes"));
    assert_eq!(pod.deleting, Some(at("2026-11-21T09:00:00Z")));
    let names: Vec<_> = pod.containers.iter().map(|c| &*c.name).collect();
    assert_eq!(
        names,
        ["nginx", "php-fpm", "proxy", "migrate"],
        "in the order of the spec, then the init containers"
    );
    assert_eq!(pod.containers[0].reason.as_deref(), Some("Completed"));
    let php = &pod.containers[1];
    assert_eq!((php.restarts, php.reason.as_deref(), php.running_since), (3, Some("CrashLoopBackOff"), None));
    let end = php.last_end.as_ref().expect("an end");
    assert_eq!((&*end.reason, end.code, end.at), ("OOMKilled", 137, Some(at("2026-11-21T08:59:00Z"))));
}

#[test]
fn pods_of_one_template_share_it() {
    let mut interner = Interner::default();
    let pods: Vec<_> = reply("list-pods")["items"]
        .as_array()
        .expect("pods")
        .iter()
        .map(|p| Pods::read(&p.to_string(), &mut interner).expect("a pod").value)
        .collect();
    assert_eq!((pods.len(), interner.templates()), (2, 1));
    assert!(std::sync::Arc::ptr_eq(&pods[0].spec, &pods[1].spec));
    // Templates nobody uses any more are let go of.
    for i in 0..5000 {
        let pod = with(first("list-pods-limit-1"), &[("/spec/priority", json!(i))]);
        Pods::read(&pod.to_string(), &mut interner).expect("a pod");
    }
    assert!(interner.templates() < 2000, "{} templates are kept", interner.templates());
}

#[test]
fn recorded_workloads_are_read_field_by_field() {
    let acme = read::<Deployments>(reply("get-deployment"));
    assert_eq!(acme.key, WorkloadKey::new(WorkloadKind::Deployment, "saas-capture", "acme"));
    assert_eq!(acme.uid.as_str(), "2850b026-6f19-4e63-9004-33b1314c2e40");
    assert_eq!(acme.resource_version.as_str(), "3223");
    assert_eq!(acme.labels.get("tenant").map(|v| &**v), Some("acme"));
    assert_eq!(acme.created, at("2026-11-21T08:41:24Z"));
    assert_eq!((acme.generation, acme.observed_generation, acme.desired, acme.paused), (1, 1, 2, false));
    assert_eq!(*acme.selector.requirements, [is_in("app", &["acme"])]);
    assert_eq!(acme.template_labels.len(), 3);
    assert_eq!(acme.image_tag("php-fpm"), "2.4.1");
    assert_eq!(acme.template.requests(), (Cpu(150), Memory(320 << 20)));
    let c = acme.counts;
    assert_eq!((c.total, c.updated, c.ready, c.available), (2, 2, 2, 2));
    assert_eq!((acme.stuck_since, acme.gitops.clone(), acme.is_rolling()), (None, None, false));

    let web = read::<StatefulSets>(reply("get-statefulset"));
    assert_eq!(web.key, WorkloadKey::new(WorkloadKind::StatefulSet, "saas-capture", "web"));
    assert_eq!((web.desired, web.counts.total, web.counts.updated, web.is_rolling()), (2, 2, 2, false));

    let stuck = json!([{
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        "lastTransitionTime": "2026-11-21T08:50:00Z",
    }]);
    let stuck = with(
        reply("get-deployment"),
        &[("/status/conditions", stuck), ("/spec/paused", true.into()), ("/spec/replicas", Value::Null)],
    );
    let stuck = read::<Deployments>(&stuck);
    assert_eq!((stuck.stuck_since, stuck.paused, stuck.desired), (Some(at("2026-11-21T08:50:00Z")), true, 1));

    let set = read::<ReplicaSets>(first("list-replicasets"));
    assert_eq!(set.key, Key::new("saas-capture", "acme-59fbdcbbcd"));
    assert_eq!((set.deployment.as_deref(), set.desired, set.revision), (Some("acme"), 2, 1));
    assert_eq!(
        *set.selector.requirements,
        [is_in("app", &["acme"]), is_in("pod-template-hash", &["59fbdcbbcd"])]
    );
    assert_eq!(set.created, at("2026-11-21T08:41:24Z"));
    assert_eq!(set.images, [("nginx".into(), "1.22".into()), ("php-fpm".into(), "2.4.1".into())]);
}

#[test]
fn who_else_writes_the_replicas_is_found_out() {
    let fields = |manager: &str, spec: Value| json!([{"manager": manager, "fieldsV1": {"f:spec": spec}}]);
    let replicas = || json!({"f:replicas": {}, "f:template": {"f:spec": {}}});
    let owned = |tool: &str, owner: Option<&str>, replicas| {
        Some(GitOps { tool: tool.into(), owner: owner.map(Into::into), replicas })
    };
    let tracking = "/metadata/annotations/argocd.argoproj.io~1tracking-id";
    let cases = [
        (
            vec![(tracking, json!("shop:apps/Deployment:acme/web")), ("/metadata/managedFields", json!([]))],
            owned("Argo CD", Some("shop"), false),
        ),
        (
            vec![("/metadata/managedFields", fields("argocd-controller", replicas()))],
            owned("Argo CD", None, true),
        ),
        (
            vec![("/metadata/managedFields", fields("argocd-controller", json!({"f:template": {}})))],
            owned("Argo CD", None, false),
        ),
        (
            vec![
                ("/metadata/labels/kustomize.toolkit.fluxcd.io~1name", json!("apps")),
                ("/metadata/managedFields", fields("kustomize-controller", replicas())),
            ],
            owned("Flux", Some("apps"), true),
        ),
        (
            vec![
                ("/metadata/labels/app.kubernetes.io~1managed-by", json!("Helm")),
                ("/metadata/annotations/meta.helm.sh~1release-name", json!("acme-release")),
                ("/metadata/managedFields", fields("helm", replicas())),
            ],
            owned("Helm", Some("acme-release"), true),
        ),
        // Argo CD installs a chart: it is Argo CD that comes back.
        (
            vec![
                ("/metadata/labels/app.kubernetes.io~1managed-by", json!("Helm")),
                (tracking, json!("shop")),
                ("/metadata/managedFields", fields("argocd-controller", replicas())),
            ],
            owned("Argo CD", Some("shop"), true),
        ),
        (vec![("/metadata/managedFields", fields("kubectl", replicas()))], None),
    ];
    for (changes, expected) in cases {
        let workload = read::<Deployments>(&with(reply("get-deployment"), &changes));
        assert_eq!(workload.gitops, expected, "{changes:?}");
    }
}

#[test]
fn recorded_nodes_and_measurements_are_read_field_by_field() {
    let node = read::<Nodes>(first("list-nodes"));
    assert_eq!((node.name.as_str(), node.uid.as_str()), ("node-0", "e5190d09-2867-49ef-b7d2-491b7aad2b90"));
    assert_eq!(node.labels.get("topology.kubernetes.io/zone").map(|v| &**v), Some("lab-a"));
    assert_eq!(node.created, at("2026-11-21T08:33:41Z"));
    assert_eq!((node.cordoned, node.taints.len(), node.pods), (false, 0, 110));
    let room = &node.allocatable;
    assert_eq!((room.cpu, room.memory), (Some(Cpu(4000)), Some(Memory(8 << 30))));
    assert_eq!(room.other, BTreeMap::from([("ephemeral-storage".to_owned(), 100 << 30)]));
    assert_eq!(node.conditions.len(), 4);
    assert_eq!((node.state(), node.ready_since()), (NodeState::Ready, Some(at("2026-11-21T08:33:41Z"))));
    assert_eq!(node.images[1], (vec!["registry.lab/php-fpm:8.3".to_owned()], 165_675_008));
    assert_eq!(&*node.kubelet, "v1.36.2");
    let cordoned = read::<Nodes>(reply("cordoned"));
    assert!(cordoned.cordoned);
    let taint = &cordoned.taints[0];
    assert_eq!((taint.key.as_str(), taint.effect), ("node.kubernetes.io/unschedulable", Effect::NoSchedule));

    let used = read::<NodeUsages>(first("metrics-nodes"));
    assert_eq!((used.at, used.cpu), (at("2026-11-21T08:41:15Z"), Cpu(1906)));
    assert_eq!(used.memory, Memory(5_266_559 << 10));
    let used = read::<PodUsages>(first("metrics-pods"));
    assert_eq!(used.containers.get("php-fpm"), Some(&(Cpu(193), Memory(246_678 << 10))));
    assert_eq!((used.at, used.containers.len()), (at("2026-11-21T08:41:15Z"), 2));
}

#[test]
fn recorded_neighbours_are_read_field_by_field() {
    let scaler = read::<Autoscalers>(reply("create-hpa"));
    assert_eq!(scaler.key, Key::new("saas-capture", "acme"));
    assert_eq!((&*scaler.target.0, &*scaler.target.1), ("Deployment", "acme"));
    assert_eq!((scaler.min, scaler.max), (2, 5));
    assert_eq!(read::<Autoscalers>(&with(reply("create-hpa"), &[("/spec/minReplicas", Value::Null)])).min, 1);

    let budget = read::<Budgets>(reply("get-pdb"));
    assert_eq!((&*budget.rule, budget.min_available), ("minAvailable 1", Some(1)));
    assert_eq!((budget.allowed, budget.healthy, budget.needed), (1, 2, 1));
    assert_eq!(*budget.selector.as_ref().expect("a selector").requirements, [is_in("app", &["acme"])]);
    let share = with(reply("get-pdb"), &[("/spec", json!({"maxUnavailable": "25%"}))]);
    let budget = read::<Budgets>(&share);
    assert_eq!((&*budget.rule, budget.min_available, budget.selector), ("maxUnavailable 25%", None, None));

    let namespace = read::<Namespaces>(reply("create-namespace"));
    assert_eq!(namespace.get("kubernetes.io/metadata.name").map(|v| &**v), Some("saas-capture"));
    let meta = json!({"name": "web", "namespace": "acme", "creationTimestamp": "2026-11-21T08:00:00Z"});
    let service = read::<Services>(&json!({"metadata": meta, "spec": {"selector": {"app": "acme"}}}));
    assert_eq!(*service.selector, LabelSet::from([("app".into(), "acme".into())]));

    let mut lease = reply("create-lease").clone();
    lease["metadata"]["annotations"] = json!({"wheelhouse.dev/run": "r-1"});
    let lease = read::<Leases>(&lease);
    assert_eq!(lease.key, Key::new("saas-capture", "tenant-acme"));
    assert_eq!((lease.holder.as_deref(), lease.run.as_deref()), (Some("alice@bastion"), Some("r-1")));
    let start = Some(at("2026-01-01T00:00:00Z"));
    assert_eq!((lease.acquired, lease.renewed, lease.seconds, lease.transitions), (start, start, 15, 0));
    let free = with(reply("create-lease"), &[("/spec/holderIdentity", "".into())]);
    assert_eq!(read::<Leases>(&free).holder, None);

    let journal = read::<Journals>(reply("create-configmap"));
    assert_eq!((&*journal.plan, &*journal.events, journal.resource_version.as_str()), ("{}", "", "3420"));
    assert_eq!(journal.created, at("2026-11-21T08:41:42Z"));

    let event = read::<Events>(reply("create-event"));
    assert_eq!((&*event.reason, &*event.message, event.count, event.warning), ("Scaled", "2 -> 3", 1, false));
    assert_eq!(event.at, at("2026-01-01T00:00:00Z"));
    let newer = with(
        reply("create-event"),
        &[
            ("/series", json!({"count": 7, "lastObservedTime": "2026-01-01T02:00:00.5Z"})),
            ("/type", "Warning".into()),
        ],
    );
    let event = read::<Events>(&newer);
    assert_eq!((event.count, event.warning, event.at), (7, true, at("2026-01-01T02:00:00.5Z")));
}

#[test]
fn an_object_that_cannot_be_read_says_which_it_is_and_why() {
    let pod = first("list-pods-limit-1");
    for (changes, why) in [
        (
            vec![("/spec/containers/1/resources/limits/memory", json!("a lot"))],
            "container php-fpm: memory: `a lot`",
        ),
        (vec![("/metadata/creationTimestamp", Value::Null)], "metadata.creationTimestamp is missing"),
        (vec![("/metadata/creationTimestamp", json!("yesterday"))], ""),
        (vec![("/spec/tolerations/0/effect", json!("Sometimes"))], "effect `Sometimes` is not known"),
        (vec![("/status/containerStatuses", json!("none"))], "expected a sequence"),
    ] {
        let text = with(pod, &changes).to_string();
        let odd = Pods::read(&text, &mut Interner::default()).expect_err("it is odd");
        assert_eq!((odd.namespace.as_str(), odd.name.as_str()), ("saas-capture", "acme-59fbdcbbcd-ck2qx"));
        assert_eq!(odd.version.as_ref().map(|v| v.as_str()), Some("3208"));
        assert!(odd.why.contains(why), "{odd}");
    }
    let nameless = Pods::read("null", &mut Interner::default()).expect_err("it is odd");
    assert!(nameless.to_string().starts_with("without a name: "), "{nameless}");
}

/// All kinds read one text; none may panic.
fn read_as_everything(text: &str) {
    let interner = &mut Interner::default();
    let _ = Pods::read(text, interner);
    let _ = Deployments::read(text, interner);
    let _ = StatefulSets::read(text, interner);
    let _ = ReplicaSets::read(text, interner);
    let _ = Nodes::read(text, interner);
    let _ = Services::read(text, interner);
    let _ = Autoscalers::read(text, interner);
    let _ = Budgets::read(text, interner);
    let _ = Namespaces::read(text, interner);
    let _ = Leases::read(text, interner);
    let _ = Journals::read(text, interner);
    let _ = Events::read(text, interner);
    let _ = PodUsages::read(text, interner);
    let _ = NodeUsages::read(text, interner);
}

fn samples() -> Vec<Value> {
    let whole =
        ["get-deployment", "get-statefulset", "get-pdb", "create-hpa", "create-lease", "create-event"];
    let listed = ["list-pods-limit-1", "list-nodes", "list-replicasets", "metrics-pods", "metrics-nodes"];
    whole.iter().map(|n| reply(n).clone()).chain(listed.iter().map(|n| first(n).clone())).collect()
}

/// Every place in a value, by pointer.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                places(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        Value::Array(list) => {
            for (i, inner) in list.iter().enumerate() {
                places(inner, format!("{at}/{i}"), into);
            }
        }
        _ => {}
    }
    into.push(at);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![Just("9E".to_owned()), Just("-1".to_owned()), Just("1e30".to_owned()), ".*"]
            .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, [], {}])),
        Just(json!({"": {"": null}})),
    ]
}

proptest! {
    #[test]
    fn nothing_an_object_holds_makes_reading_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
    ) {
        let mut object = which.get(&samples()).clone();
        for (place, value) in changes {
            let mut all = Vec::new();
            places(&object, String::new(), &mut all);
            *object.pointer_mut(place.get::<String>(&all)).expect("a place") = value;
        }
        read_as_everything(&object.to_string());
    }

    #[test]
    fn no_text_makes_reading_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        with in prop_oneof![".{0,8}", Just("\u{0}".to_owned()), Just("[".repeat(300))],
    ) {
        let text: Vec<char> = which.get(&samples()).to_string().chars().collect();
        let at = cut.index(text.len());
        let changed: String = text[..at].iter().copied().chain(with.chars()).chain(text[at + 1..].iter().copied()).collect();
        read_as_everything(&changed);
        read_as_everything(&text[..at].iter().collect::<String>());
    }
}
