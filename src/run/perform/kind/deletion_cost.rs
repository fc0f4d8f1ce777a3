//! Which pod a ReplicaSet removes first when it has one too many.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, pod_rights};
use crate::{
    plan::{DeletionCost, LOWEST_COST},
    run::perform::{
        Failure, Right, Writer,
        objects::{Next, pod_path},
    },
};

const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

impl Act for DeletionCost {
    fn rights(&self) -> Vec<Right> {
        pod_rights(&self.pod, &["get", "patch"])
    }

    fn may(&self) -> &'static str {
        "change pods"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { pod, uid, from, to } = self;
            let name = &pod.name;
            let gives_back = *from == LOWEST_COST;
            let path = pod_path(pod);
            let written = writer.change(&path, cx.dry, cx.fence, |found| {
                let there = found.filter(|found| found.uid() == uid.as_str() && !found.is_leaving());
                let Some(found) = there else {
                    return match gives_back {
                        true => Ok(Next::Stands(format!("{name} is gone"))),
                        false => Err(Failure::Drift(format!("{name} is gone"))),
                    };
                };
                let now: i32 = found.annotation(COST).and_then(|cost| cost.parse().ok()).unwrap_or(0);
                if now == *to {
                    return Ok(Next::Stands(format!("it had the deletion cost {to} already")));
                }
                if now != *from {
                    let text = format!("{name} has the deletion cost {now}, neither {from} nor {to}");
                    return Err(Failure::Drift(text));
                }
                let cost = if *to == 0 { json!(null) } else { json!(to.to_string()) };
                let patch = json!({ "metadata": { "annotations": { COST: cost } } });
                Ok(Next::Merge(patch, format!("its deletion cost is {to}")))
            });
            let (wrote, text, left) = written.await?;
            let there = left.is_some_and(|pod| {
                pod["metadata"]["uid"] == uid.as_str() && pod["metadata"]["deletionTimestamp"].is_null()
            });
            Ok(Performed { wrote, text, mark: None, kept: gives_back && !there })
        }
        .boxed()
    }
}
