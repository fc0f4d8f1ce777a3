//! `spec.unschedulable` of a node.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, Telling, plainly};
use crate::{
    plan::Cordon,
    run::perform::{
        Failure, Involved, Right, Writer,
        objects::{Next, same},
    },
};

impl Act for Cordon {
    fn rights(&self) -> Vec<Right> {
        let right = |verb| Right { verb, group: "", resource: "nodes".into(), namespace: String::new() };
        vec![right("get"), right("patch")]
    }

    fn may(&self) -> &'static str {
        "cordon nodes"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { node, uid, to, .. } = self;
            let word = if *to { "cordoned" } else { "not cordoned" };
            let path = format!("/api/v1/nodes/{node}");
            let written = writer.change(&path, cx.dry, cx.fence, |found| {
                let found = same(found, uid, format_args!("node {node}"))?;
                if found.object["spec"]["unschedulable"].as_bool().unwrap_or(false) == *to {
                    return Ok(Next::Stands(format!("it was {word} already")));
                }
                let value = if *to { json!(true) } else { json!(null) };
                Ok(Next::Merge(json!({ "spec": { "unschedulable": value } }), format!("it is {word}")))
            });
            written.await.map(plainly)
        }
        .boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { node, uid, to, .. } = self;
        let (word, reason) = match to {
            true => ("cordoned", "CordonedByWheelhouse"),
            false => ("uncordoned", "UncordonedByWheelhouse"),
        };
        let what = format!("{word} {node}");
        Some(Telling { involved: Involved::node(node, uid), reason, what })
    }
}
