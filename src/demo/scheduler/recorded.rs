//! The model against thousands of decisions recorded from a real kube-scheduler 1.36.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use super::{Cluster, Node, Pod};
use crate::labels::{Labels, Selector, strings};

fn lines(file: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/captures/scheduler/{file}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn world(seed: &Value) -> Cluster {
    let mut cluster = Cluster::default();
    for node in list(&seed["nodes"]) {
        cluster.set_node(Node::read(node));
    }
    for name in list(&seed["namespaces"]).filter_map(Value::as_str) {
        let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
        cluster.set_namespace(name, Some(labels));
    }
    let names = |object: &Value| {
        let text = |key| object["metadata"][key].as_str().unwrap().to_owned();
        (text("namespace"), text("name"))
    };
    for service in list(&seed["services"]) {
        let (namespace, name) = names(service);
        cluster.set_service(&namespace, &name, Some(strings(&service["spec"]["selector"])));
    }
    for set in list(&seed["replicaSets"]) {
        let (namespace, name) = names(set);
        cluster.set_owner("ReplicaSet", &namespace, &name, Some(Selector::read(&set["spec"]["selector"])));
    }
    for pod in list(&seed["pods"]) {
        cluster.set_pod(Pod::read(pod));
    }
    cluster
}

fn remove(cluster: &mut Cluster, key: &str) {
    let (namespace, name) = key.split_once('/').unwrap();
    cluster.remove_pod(namespace, name);
}

/// What differs between one recorded attempt and the model; empty when nothing does.
fn differences(cluster: &Cluster, step: &Value) -> Vec<String> {
    let decision = cluster.decide(&Pod::read(&step["pod"]));
    let mut wrong = Vec::new();
    if step["result"] == "unschedulable" {
        // A preemption that found victims is not in the model beyond its words.
        if decision.refusal != step["message"].as_str().unwrap() {
            wrong.push(format!("words: {}\n      real: {}", decision.refusal, step["message"]));
        }
        return wrong;
    }
    let mut feasible: Vec<&str> = list(&step["feasible"]).filter_map(Value::as_str).collect();
    feasible.sort_unstable();
    if feasible != decision.feasible {
        wrong.push(format!("feasible: {:?}, real: {feasible:?}", decision.feasible));
        return wrong;
    }
    if !decision.best.iter().any(|node| step["node"] == node.as_str()) {
        wrong.push(format!("best: {:?}, real: {}", decision.best, step["node"]));
    }
    for (node, scores) in step["scores"].as_object().into_iter().flatten() {
        for (plugin, score) in list(&step["plugins"]).zip(list(scores)) {
            let plugin = plugin.as_str().unwrap();
            let ours = decision.scores[node].get(plugin).copied();
            if plugin != "DynamicResources" && ours != score.as_i64() {
                wrong.push(format!("{plugin} on {node}: {ours:?}, real: {score}"));
            }
        }
    }
    wrong
}

#[test]
fn decides_as_the_real_scheduler_did() {
    let (mut attempts, mut right, mut report) = (0, 0, Vec::new());
    for file in ["sched-000.jsonl.gz", "sched-150.jsonl.gz", "sched-250.jsonl.gz"] {
        for seed in lines(file).iter().filter(|seed| seed["hostPortDuplicates"].is_null()) {
            let mut cluster = world(seed);
            let mut nodes: std::collections::BTreeMap<String, Value> = list(&seed["nodes"])
                .map(|node| (node["metadata"]["name"].as_str().unwrap().to_owned(), node.clone()))
                .collect();
            let mut pods: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
            let key = |pod: &Value| {
                let text = |key| pod["metadata"][key].as_str().unwrap().to_owned();
                format!("{}/{}", text("namespace"), text("name"))
            };
            for pod in list(&seed["pods"]) {
                pods.insert(key(pod), pod.clone());
            }
            for (number, step) in list(&seed["steps"]).enumerate() {
                match step["op"].as_str().unwrap() {
                    "pod" => {
                        attempts += 1;
                        let wrong = differences(&cluster, step);
                        if wrong.is_empty() {
                            right += 1;
                        } else {
                            report.push(format!("seed {} step {number}: {}", seed["seed"], wrong.join("; ")));
                        }
                        for victim in list(&step["victims"]).chain(list(&step["victimsAlreadyTerminating"])) {
                            remove(&mut cluster, victim.as_str().unwrap());
                        }
                        let bound =
                            if step["result"] == "bound" { &step["node"] } else { &step["after"]["node"] };
                        if bound.is_string() {
                            let mut pod = step["pod"].clone();
                            pod["spec"]["nodeName"] = bound.clone();
                            cluster.set_pod(Pod::read(&pod));
                            pods.insert(key(&pod), pod);
                        }
                    }
                    "delete" => remove(&mut cluster, step["pod"].as_str().unwrap()),
                    "terminate" => {
                        let pod = pods.get_mut(step["pod"].as_str().unwrap()).unwrap();
                        pod["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z".into();
                        cluster.set_pod(Pod::read(pod));
                    }
                    operation => {
                        let node = nodes.get_mut(step["node"].as_str().unwrap()).unwrap();
                        node["spec"]["unschedulable"] = (operation == "cordon").into();
                        node["spec"]["taints"] = step["taints"].clone();
                        cluster.set_node(Node::read(node));
                    }
                }
            }
        }
    }
    assert!(attempts > 1900, "only {attempts} attempts were read");
    assert_eq!(right, attempts, "they differ in:\n{}", report[..report.len().min(25)].join("\n"));
}
