//! What the recorded decisions do not cover: terms across namespaces, extended resources, pod-level requests, and the
//! pod a workload makes next.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::*;
use crate::cluster::{
    Cpu, HostPort, Key, Memory, Node, Observation, Operator, Pod, PodSpec, PodTerm, Requirement, Resources,
    Seen, Selector, Snapshot, Taint, Toleration, Workload, sketch,
};

fn cluster(text: &str) -> Snapshot {
    sketch(text, Timestamp::UNIX_EPOCH).unwrap()
}

/// The next pod of a tenant, changed.
fn next(seen: &Snapshot, tenant: &str, change: impl FnOnce(&mut PodSpec)) -> Incoming {
    let mut pod = Incoming::next_of(seen, &seen.tenants[&crate::cluster::TenantName::from(tenant)].workload);
    change(Arc::make_mut(&mut pod.spec));
    pod
}

fn everywhere(app: &str) -> PodTerm {
    PodTerm {
        selector: Some(Selector::of(&BTreeMap::from([("app".into(), app.into())]))),
        namespace_selector: Some(Selector::default()),
        topology_key: "kubernetes.io/hostname".into(),
        ..PodTerm::default()
    }
}

fn feasible(board: &mut Board, pod: &Incoming) -> Vec<String> {
    let class = board.class(pod);
    match board.place(class) {
        Placement::Fits(fits) => fits.feasible.iter().map(|at| board.node(*at).name.to_string()).collect(),
        Placement::Nowhere(_) => Vec::new(),
    }
}

const TWO: &str = "node w1\nnode w2\ntenant acme 1 on w1\ntenant globex 1 on w2";

#[test]
fn terms_reach_into_other_namespaces_both_ways() {
    let seen = cluster(TWO);
    let mut board = Board::new(&seen);
    let shy = next(&seen, "acme", |spec| spec.affinity.anti_required = vec![everywhere("globex")]);
    assert_eq!(feasible(&mut board, &shy), ["w1"], "it stays away from globex");
    let globex = next(&seen, "globex", |_| {});
    assert_eq!(feasible(&mut board, &globex), ["w1", "w2"]);
    let class = board.class(&shy);
    board.bind(class, At(0));
    assert_eq!(feasible(&mut board, &globex), ["w2"], "and globex from it");
    board.unbind(class, At(0));
    assert_eq!(feasible(&mut board, &globex), ["w1", "w2"]);

    let near = next(&seen, "acme", |spec| spec.affinity.pod_required = vec![everywhere("globex")]);
    assert_eq!(feasible(&mut board, &near), ["w2"]);
    let own = next(&seen, "acme", |spec| {
        spec.affinity.pod_required = vec![PodTerm { namespace_selector: None, ..everywhere("globex") }];
    });
    assert_eq!(feasible(&mut board, &own), [""; 0], "there is no globex in its own namespace");
    let named = next(&seen, "acme", |spec| {
        let namespaces = vec!["globex".to_owned()];
        spec.affinity.pod_required =
            vec![PodTerm { namespace_selector: None, namespaces, ..everywhere("globex") }];
    });
    assert_eq!(feasible(&mut board, &named), ["w2"]);
}

#[test]
fn namespaces_are_chosen_by_their_labels() {
    let mut seen = cluster(TWO);
    let labels = Arc::new([(Arc::from("tier"), Arc::from("gold"))].into());
    seen.observe(Observation::Namespace(Seen::Put("globex".into(), labels)));
    let tier = |value: &str| {
        let operator = Operator::In(vec![value.into()]);
        let requirement = Requirement { key: "tier".into(), operator };
        PodTerm {
            namespace_selector: Some(Selector { requirements: vec![requirement].into() }),
            ..everywhere("globex")
        }
    };
    let mut board = Board::new(&seen);
    let gold = next(&seen, "acme", |spec| spec.affinity.anti_required = vec![tier("gold")]);
    assert_eq!(feasible(&mut board, &gold), ["w1"]);
    let lead = next(&seen, "acme", |spec| spec.affinity.anti_required = vec![tier("lead")]);
    assert_eq!(feasible(&mut board, &lead), ["w1", "w2"]);
}

#[test]
fn placing_again_after_new_classes_came_counts_nothing_twice() {
    let seen = cluster("node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 1 on w3");
    let mut board = Board::new(&seen);
    let fond = next(&seen, "acme", |spec| {
        spec.affinity.pod_preferred = vec![(7, everywhere("globex"))];
        spec.affinity.anti_preferred = vec![(3, everywhere("acme"))];
    });
    let class = board.class(&fond);
    board.bind(class, At(1));
    let first = board.place(class);
    for i in 0..3 {
        let wide = next(&seen, "globex", |spec| {
            spec.priority = i;
            spec.affinity.anti_required = vec![everywhere("nobody")];
        });
        board.class(&wide);
        assert_eq!(board.place(class), first, "after {i}");
    }
}

#[test]
fn further_resources_and_ports_are_counted() {
    let mut seen = cluster(TWO);
    let mut node = Node::clone(seen.nodes.get(&"w1".into()).unwrap());
    node.allocatable.other.insert("nvidia.com/gpu".into(), 1);
    seen.observe(Observation::Node(Seen::Put(node.name.clone(), node)));
    let mut board = Board::new(&seen);
    let gpu = next(&seen, "acme", |spec| {
        spec.containers[0].resources.requests.other.insert("nvidia.com/gpu".into(), 1);
    });
    let class = board.class(&gpu);
    assert_eq!(feasible(&mut board, &gpu), ["w1"]);
    board.bind(class, At(0));
    let Placement::Nowhere(refusal) = board.place(class) else { panic!("the only one is taken") };
    assert_eq!(refusal.message(), "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.");
    assert_eq!(refusal.describe(&board), "nvidia.com/gpu short on w1 and w2 (1 wanted, at most 0 free)");

    let port = |ip: &str| {
        let ip = ip.to_owned();
        next(&seen, "acme", |spec| {
            spec.containers[0].host_ports =
                vec![HostPort { ip: ip.as_str().into(), protocol: "TCP".into(), port: 80 }];
        })
    };
    let class = board.class(&port("127.0.0.1"));
    board.bind(class, At(0));
    assert_eq!(feasible(&mut board, &port("127.0.0.1")), ["w2"]);
    assert_eq!(feasible(&mut board, &port("0.0.0.0")), ["w2"]);
    assert_eq!(feasible(&mut board, &port("127.0.0.2")), ["w1", "w2"]);
}

#[test]
fn a_pod_level_request_stands_for_its_containers() {
    let seen = cluster("node w1 memory=1Gi\ntenant acme 0 on");
    let mut board = Board::new(&seen);
    let whole = next(&seen, "acme", |spec| {
        let mut resources = Resources::default();
        resources.requests.memory = Some(Memory(2 << 30));
        spec.resources = Some(Box::new(resources));
    });
    assert_eq!(feasible(&mut board, &whole), [""; 0]);
}

#[test]
fn a_node_that_is_not_ready_takes_nothing_whatever_is_tolerated() {
    let mut seen = cluster("node w1\nnode w2 not-ready\ntenant acme 0 on");
    let mut node = Node::clone(seen.nodes.get(&"w2".into()).unwrap());
    let effect = crate::cluster::Effect::NoSchedule;
    node.taints = vec![Taint { key: "node.kubernetes.io/not-ready".into(), value: String::new(), effect }];
    seen.observe(Observation::Node(Seen::Put(node.name.clone(), node)));
    let mut board = Board::new(&seen);
    let stubborn = next(&seen, "acme", |spec| {
        spec.tolerations.push(Toleration { exists: true, ..Toleration::default() });
    });
    assert_eq!(feasible(&mut board, &stubborn), ["w1"]);
    let class = board.class(&stubborn);
    assert_eq!(board.refused(class).counts(), "1 node(s) were not ready");
    let plain = board.class(&next(&seen, "acme", |_| {}));
    assert_eq!(board.refused(plain).counts(), "1 node(s) had untolerated taint(s)");
}

#[test]
fn preemption_is_recognised() {
    let seen = cluster("node w1 memory=1Gi\nnode w2 memory=256Mi\ntenant acme 2 on w1 w1");
    let mut board = Board::new(&seen);
    let mut preemption = |priority: i32, never: bool| {
        let class = board.class(&next(&seen, "acme", |spec| {
            (spec.priority, spec.never_preempts) = (priority, never);
        }));
        board.refused(class).preemption
    };
    assert_eq!(preemption(0, false), Preemption::NoUse);
    assert_eq!(preemption(5, false), Preemption::Possible(vec![At(0)]));
    assert_eq!(preemption(5, true), Preemption::Never);
}

#[test]
fn the_next_pod_is_like_the_youngest_of_the_newest_template() {
    let mut seen = cluster("node w1\ntenant acme 1 on w1");
    let pod = seen.pods.values().next().unwrap().clone();
    let mut stored = Pod::clone(&pod);
    Arc::make_mut(&mut stored.spec).priority = 9;
    // The API server copies the node's zone into a bound pod's labels; the next pod has none yet.
    Arc::make_mut(&mut stored.labels).insert("topology.kubernetes.io/zone".into(), "a".into());
    seen.observe(Observation::Pod(Seen::Put(stored.key.clone(), stored)));
    let like = next(&seen, "acme", |_| {});
    assert_eq!(like.spec.priority, 9);
    assert_eq!(like.labels, pod.labels);
    assert_eq!(like.owner, pod.owner);

    // Without any pod, from the template: requests that are not given are the limits.
    let mut seen = cluster("node w1\ntenant acme 0 on");
    let mut workload = Workload::clone(&seen.tenants[&crate::cluster::TenantName::from("acme")].workload);
    let resources = &mut Arc::make_mut(&mut workload.template).containers[1].resources;
    resources.requests.memory = None;
    resources.limits.cpu = Some(Cpu(900));
    seen.observe(Observation::Deployment(Seen::Put(Key::new("acme", "acme"), workload)));
    let from_template = next(&seen, "acme", |_| {});
    assert_eq!(from_template.spec.containers[1].resources.requests.memory, Some(Memory(640 << 20)));
    assert_eq!(from_template.spec.containers[1].resources.requests.cpu, Some(Cpu(150)));
    assert_eq!(from_template.labels.get("pod-template-hash").map(|hash| &**hash), Some("5f6d8c9b7"));
}
