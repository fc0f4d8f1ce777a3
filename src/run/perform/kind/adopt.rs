//! The labels that make a ReplicaSet take a pod for its own.

use std::collections::BTreeMap;

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, plainly, pod_rights};
use crate::{
    plan::Adopt,
    run::{
        RUN,
        perform::{
            Failure, Right, Writer,
            objects::{Next, pod_path},
        },
    },
};

/// The labels by which the ReplicaSet selects its pods.
async fn selected(writer: &Writer, adopt: &Adopt) -> Result<BTreeMap<String, String>, Failure> {
    let (namespace, set) = (&adopt.pod.namespace, &adopt.replica_set);
    let path = format!("/apis/apps/v1/namespaces/{namespace}/replicasets/{set}");
    let Some(found) = writer.read(&path).await? else {
        return Err(Failure::Drift(format!("replicaset {set} is gone")));
    };
    let labels = found.object["spec"]["selector"]["matchLabels"].as_object();
    let text = |(key, value): (&String, &serde_json::Value)| Some((key.clone(), value.as_str()?.to_owned()));
    Ok(labels.into_iter().flatten().filter_map(text).collect())
}

impl Act for Adopt {
    fn rights(&self) -> Vec<Right> {
        let sets = Right {
            verb: "get",
            group: "apps",
            resource: "replicasets".into(),
            namespace: self.pod.namespace.to_string(),
        };
        [pod_rights(&self.pod, &["get", "patch"]), vec![sets]].concat()
    }

    fn may(&self) -> &'static str {
        "change pods"
    }

    fn rehearse<'a>(&'a self, _: &'a Writer, _: &'a str) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        // Before the run there is no such pod.
        std::future::ready(Ok(None)).boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let Self { pod, labels, victim, victim_uid, replica_set, .. } = self;
            // The ReplicaSet removes a pod within milliseconds: both are looked at right before.
            let goes = writer.read(&pod_path(victim)).await?;
            let goes = goes.filter(|found| found.uid() == victim_uid.as_str() && !found.is_leaving());
            let selected = selected(writer, self).await?;
            let path = pod_path(pod);
            let written = writer.change(&path, false, cx.fence, |found| {
                let name = &pod.name;
                let Some(found) = found else { return Err(Failure::Drift(format!("{name} is gone"))) };
                if labels.iter().all(|(key, value)| found.label(key) == Some(value)) {
                    return Ok(Next::Stands("it was adopted already".into()));
                }
                if found.is_leaving() {
                    return Err(Failure::Drift(format!("{name} is being deleted")));
                }
                if goes.is_none() {
                    return Err(Failure::Drift(format!("{} is gone: nothing is replaced", victim.name)));
                }
                let other = selected.iter().find(|(key, value)| found.label(key) != Some(value));
                if let Some((key, value)) = other.filter(|(key, _)| !labels.contains_key(*key)) {
                    let has = found.label(key).map_or("none".to_owned(), |v| format!("{key}={v}"));
                    let text = format!(
                        "{replica_set} selects {key}={value}, and {name} has {has}: it would not adopt it"
                    );
                    return Err(Failure::Drift(text));
                }
                if !found.is_ready() {
                    return Err(Failure::Drift(format!("{name} is not ready any more")));
                }
                let mut all = json!({ RUN: null });
                labels.iter().for_each(|(key, value)| all[key] = value.as_str().into());
                let text = format!("{replica_set} adopts {name}");
                Ok(Next::Merge(json!({ "metadata": { "labels": all } }), text))
            });
            written.await.map(plainly)
        }
        .boxed()
    }
}
