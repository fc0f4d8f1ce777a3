//! EndpointSlices: which pods stand behind a Service.

use serde_json::{Value, json};

use super::MANAGER;
use crate::kind::Kind;
use crate::labels::{Selector, strings};
use crate::store::Object;
use crate::value::{is_ready, list, name, namespace, reference, terminating, text, uid};
use crate::world::World;

/// Brings the Service's slice up to date.
pub(crate) fn endpoints(world: &mut World, space: &str, called: &str) {
    let Some(service) = world.store.get(Kind::SERVICE, space, called).cloned() else { return };
    let labels = strings(&service["spec"]["selector"]);
    if labels.is_empty() || terminating(&service) {
        return;
    }
    let selector = Selector::of(&labels);
    let pods: Vec<Object> = world
        .store
        .list(Kind::POD, Some(space))
        .filter(|pod| selector.matches(&strings(&pod["metadata"]["labels"])))
        .filter(|pod| pod["status"]["podIP"].is_string())
        .filter(|pod| !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed"))
        .cloned()
        .collect();
    let endpoints: Vec<Value> = pods.iter().map(|pod| endpoint(world, pod)).collect();
    let ports: Vec<Value> =
        list(&service["spec"]["ports"]).map(|port| resolved(port, pods.first())).collect();
    let old = world
        .store
        .list(Kind::ENDPOINT_SLICE, Some(space))
        .find(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == called)
        .map(|slice| name(slice).to_owned());
    let (endpoints, ports) = (Value::from(endpoints), Value::from(ports));
    match old {
        Some(old) => {
            world.store.update(Kind::ENDPOINT_SLICE, space, &old, MANAGER, |slice| {
                slice["endpoints"] = endpoints;
                slice["ports"] = ports;
            });
        }
        None => {
            let slice = json!({
                "metadata": {
                    "generateName": format!("{called}-"), "namespace": space,
                    "labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                               "kubernetes.io/service-name": called},
                    "ownerReferences": [reference(&service)],
                },
                "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
            });
            world.store.insert(Kind::ENDPOINT_SLICE, slice);
        }
    }
}

fn endpoint(world: &World, pod: &Value) -> Value {
    let (ready, leaving) = (is_ready(pod), terminating(pod));
    let node = text(&pod["spec"]["nodeName"]);
    let mut endpoint = json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready && !leaving, "serving": ready, "terminating": leaving},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod)},
    });
    let zone = world
        .store
        .get(Kind::NODE, "", node)
        .map(|node| node["metadata"]["labels"]["topology.kubernetes.io/zone"].clone());
    if let Some(zone) = zone.filter(Value::is_string) {
        endpoint["zone"] = zone;
    }
    endpoint
}

fn resolved(port: &Value, pod: Option<&Object>) -> Value {
    let number = match &port["targetPort"] {
        Value::String(wanted) => pod
            .into_iter()
            .flat_map(|pod| list(&pod["spec"]["containers"]))
            .flat_map(|container| list(&container["ports"]))
            .find(|candidate| candidate["name"] == wanted.as_str())
            .map_or(port["port"].clone(), |found| found["containerPort"].clone()),
        Value::Null => port["port"].clone(),
        number => number.clone(),
    };
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    json!({"name": port["name"].as_str().unwrap_or(""), "port": number, "protocol": protocol})
}
