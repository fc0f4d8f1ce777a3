//! A pod beside those of a ReplicaSet, on a node of our choice.

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use super::{Act, Context, Performed, Telling, pod_rights};
use crate::{
    cluster::NodeName,
    plan::{CreatePod, TEMPLATE_HASH},
    run::{
        RUN,
        perform::{Failure, Involved, Right, Writer, objects::pod_path},
    },
};

impl CreatePod {
    /// The pod as it is created, from the ReplicaSet as it stands.
    async fn made(&self, writer: &Writer, run: &str) -> Result<Value, Failure> {
        let Self { pod, uid, replica_set, node, .. } = self;
        let namespace = &pod.namespace;
        let path = format!("/apis/apps/v1/namespaces/{namespace}/replicasets/{replica_set}");
        let Some(set) = writer.read(&path).await? else {
            return Err(Failure::Drift(format!("replicaset {replica_set} is gone")));
        };
        let owners = set.object["metadata"]["ownerReferences"].as_array();
        if !owners.into_iter().flatten().any(|o| o["uid"] == uid.as_str()) {
            return Err(Failure::Drift(format!("replicaset {replica_set} belongs to another deployment")));
        }
        if set.object["spec"]["replicas"].as_u64() == Some(0) {
            return Err(Failure::Drift(format!("a rollout has replaced replicaset {replica_set}")));
        }
        let mut made = from_template(&set.object["spec"]["template"], node).map_err(Failure::Drift)?;
        made["metadata"]["name"] = (&*pod.name).into();
        made["metadata"]["namespace"] = (&**namespace).into();
        made["metadata"]["labels"][RUN] = run.into();
        Ok(made)
    }
}

/// A pod of that template that no ReplicaSet knows for its own, and that only one node takes: as the DaemonSet
/// controller does, the node's name is put into each required term, which are alternatives.
fn from_template(template: &Value, node: &NodeName) -> Result<Value, String> {
    let mut metadata = template["metadata"].clone();
    if let Some(labels) = metadata["labels"].as_object_mut() {
        labels.remove(TEMPLATE_HASH);
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|key, _| ["labels", "annotations", "finalizers"].contains(&key.as_str()));
    }
    let mut spec = template["spec"].clone();
    if let Some(bound) = spec["nodeName"].as_str().filter(|bound| !bound.is_empty()) {
        return Err(format!("its template names the node {bound} (nodeName)"));
    }
    let name = json!({ "key": "metadata.name", "operator": "In", "values": [node.as_str()] });
    let required = &mut spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = &mut required["nodeSelectorTerms"];
    match terms.as_array_mut() {
        None => *terms = json!([{ "matchFields": [name] }]),
        Some(terms) => {
            // A term without any requirement matches no node.
            let says = |term: &Value, of: &str| term[of].as_array().is_some_and(|all| !all.is_empty());
            terms.retain(|term| says(term, "matchExpressions") || says(term, "matchFields"));
            if terms.is_empty() {
                return Err("its node affinity allows no node".into());
            }
            for term in terms {
                match term["matchFields"].as_array_mut() {
                    Some(fields) => fields.push(name.clone()),
                    None => term["matchFields"] = json!([name]),
                }
            }
        }
    }
    Ok(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }))
}

impl Act for CreatePod {
    fn rights(&self) -> Vec<Right> {
        let sets = Right {
            verb: "get",
            group: "apps",
            resource: "replicasets".into(),
            namespace: self.pod.namespace.to_string(),
        };
        [pod_rights(&self.pod, &["get", "create"]), vec![sets]].concat()
    }

    fn may(&self) -> &'static str {
        "create pods"
    }

    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        run: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async {
            let made = self.made(writer, run).await?;
            let created = writer.create_pod(&made, true).await?;
            Ok(created.is_none().then(|| "it is there already".into()))
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let name = &self.pod.name;
            let done = |wrote, text: String| Performed { wrote, text, mark: None, kept: false };
            loop {
                if let Some(found) = writer.read(&pod_path(&self.pod)).await? {
                    return match (found.label(RUN), found.owner()) {
                        // It goes by itself, and is made again then.
                        _ if found.is_leaving() => {
                            Err(Failure::Blocked(format!("{name} is still being deleted")))
                        }
                        (Some(run), None) if run == cx.run => Ok(done(false, "it was there already".into())),
                        (_, Some(owner)) => Err(Failure::Drift(format!("{name} belongs to {owner}"))),
                        (Some(run), None) => {
                            Err(Failure::Drift(format!("{name} is left from run {run}: delete it first")))
                        }
                        (None, None) => Err(Failure::Drift(format!("{name} is another pod of that name"))),
                    };
                }
                let made = self.made(writer, cx.run).await?;
                if !(cx.fence)() {
                    return Err(Failure::Fenced);
                }
                // One that has appeared meanwhile is looked at.
                if writer.create_pod(&made, false).await?.is_some() {
                    return Ok(done(true, format!("created for {} only", self.node)));
                }
            }
        }
        .boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let what = format!("created {} on {}", self.pod.name, self.node);
        let involved = Involved::workload(&self.workload, &self.uid);
        Some(Telling { involved, reason: "MovedByWheelhouse", what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_put_into_each_required_term_and_the_hash_is_left_out() {
        let expression = json!({ "key": "disk", "operator": "In", "values": ["ssd"] });
        let node = NodeName::from("w3");
        let name = json!({ "key": "metadata.name", "operator": "In", "values": ["w3"] });
        let of = |terms: Value| {
            let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } });
            let template = json!({
                "metadata": { "labels": { "app": "acme", TEMPLATE_HASH: "5f6" }, "annotations": { "a": "b" }, "creationTimestamp": null },
                "spec": { "containers": [{ "name": "php" }], "affinity": affinity },
            });
            from_template(&template, &node)
        };
        let pod = of(json!([
            { "matchExpressions": [expression] },
            { "matchFields": [{ "key": "metadata.name", "operator": "NotIn", "values": ["w1"] }] },
            {}
        ]))
        .unwrap();
        assert_eq!(pod["metadata"], json!({ "labels": { "app": "acme" }, "annotations": { "a": "b" } }));
        let terms = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            ["nodeSelectorTerms"];
        assert_eq!(terms[0], json!({ "matchExpressions": [expression], "matchFields": [name] }));
        assert_eq!(terms[1]["matchFields"][1], name);
        assert_eq!(terms.as_array().map(Vec::len), Some(2), "a term without requirements matches no node");
        assert!(of(json!([{}])).is_err_and(|why| why.contains("allows no node")));
        let bound = from_template(&json!({ "metadata": {}, "spec": { "nodeName": "w1" } }), &node);
        assert!(bound.is_err_and(|why| why.contains("names the node w1")));
        let plain = from_template(&json!({ "metadata": {}, "spec": {} }), &node).unwrap();
        let required =
            &plain["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(required["nodeSelectorTerms"], json!([{ "matchFields": [name] }]));
    }
}
