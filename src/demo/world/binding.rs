//! Binding: an attempt to place a pod, and what the binding writes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Source, World};
use crate::kind::Kind;
use crate::scheduler;
use crate::value::{condition, is_active, list, map, set, set_condition, text};

impl World {
    pub(crate) fn schedule(&mut self, namespace: &str, name: &str) {
        let Some(pod) = self.pod(namespace, name) else { return };
        let idle = text(&pod["spec"]["nodeName"]).is_empty() && is_active(&pod);
        let gated = list(&pod["spec"]["schedulingGates"]).next().is_some();
        if !idle || gated || !matches!(text(&pod["spec"]["schedulerName"]), "" | "default-scheduler") {
            return;
        }
        let decision = self.scheduler.decide(&scheduler::Pod::read(&pod));
        let now = self.now();
        let by = Source { component: "default-scheduler", host: "", warning: decision.best.is_empty() };
        if decision.best.is_empty() {
            self.unschedulable.insert((namespace.to_owned(), name.to_owned()));
            let refusal = decision.refusal;
            let told =
                condition(&pod, "PodScheduled").is_some_and(|told| told["message"] == refusal.as_str());
            self.store.update_status(Kind::POD, namespace, name, "kube-scheduler", |pod| {
                set_condition(
                    pod,
                    json!({
                        "type": "PodScheduled", "status": "False", "lastProbeTime": null,
                        "reason": "Unschedulable", "message": refusal,
                    }),
                    now,
                );
            });
            if !told {
                self.event(&pod, by, "FailedScheduling", &refusal);
            }
            return;
        }
        let drawn = self.draw(decision.best.len());
        let node = decision.best[drawn].clone();
        self.bind(namespace, name, &node);
        self.event(&pod, by, "Scheduled", &format!("Successfully assigned {namespace}/{name} to {node}"));
    }

    /// Puts the pod on the node, as the binding subresource does: the node's zone and region become labels.
    pub(crate) fn bind(&mut self, namespace: &str, name: &str, node: &str) {
        let now = self.now();
        let labels: Vec<(String, Value)> = self
            .store
            .get(Kind::NODE, "", node)
            .into_iter()
            .flat_map(|node| {
                ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]
                    .into_iter()
                    .filter_map(|key| Some((key.to_owned(), node["metadata"]["labels"].get(key)?.clone())))
            })
            .collect();
        // The binding subresource leaves no trace in managedFields.
        let Some(mut pod) = self.store.get(Kind::POD, namespace, name).map(|pod| Value::clone(pod)) else {
            return;
        };
        bind(&mut pod, node, labels, now);
        self.store.put(Kind::POD, pod);
    }
}

/// What binding writes into the pod.
fn bind(pod: &mut Value, node: &str, labels: Vec<(String, Value)>, now: Timestamp) {
    set(pod, &["spec", "nodeName"], node.into());
    map(pod, &["metadata", "labels"]).extend(labels);
    set_condition(pod, json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null}), now);
}
