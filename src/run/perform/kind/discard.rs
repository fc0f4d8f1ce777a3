//! The pod that a move has created is deleted, unless its ReplicaSet has adopted it.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, pod_rights};
use crate::{
    plan::Discard,
    run::{
        RUN,
        perform::{
            Failure, Right, Writer,
            objects::{Next, pod_path},
        },
    },
};

impl Act for Discard {
    fn rights(&self) -> Vec<Right> {
        pod_rights(&self.pod, &["get", "delete"])
    }

    fn may(&self) -> &'static str {
        "delete pods"
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
            let name = &self.pod.name;
            let path = pod_path(&self.pod);
            let written = writer.change(&path, false, cx.fence, |found| {
                let Some(found) = found else { return Ok(Next::Stands(format!("{name} is gone"))) };
                Ok(match (found.owner(), found.label(RUN)) {
                    (Some(owner), _) => Next::Stands(format!("{name} is adopted by {owner}")),
                    _ if found.is_leaving() => Next::Stands(format!("{name} is being deleted")),
                    // Its name is one run's alone; whoever takes that run back deletes it as well.
                    (None, Some(_)) => Next::Delete(format!("{name} is deleted")),
                    // The hash is there and its ReplicaSet is about to take it.
                    (None, None) => Next::Stands(format!("{name} is about to be adopted")),
                })
            });
            let (wrote, text, left) = written.await?;
            // What is still there, and is not on its way out, has become the cluster's own.
            let kept = left.is_some_and(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            Ok(Performed { wrote, text, mark: None, kept })
        }
        .boxed()
    }
}
