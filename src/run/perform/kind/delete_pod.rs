//! A pod is deleted.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, plainly, pod_rights};
use crate::{
    plan::DeletePod,
    run::perform::{
        Failure, Right, Writer,
        objects::{Next, pod_path},
    },
};

impl Act for DeletePod {
    fn rights(&self) -> Vec<Right> {
        pod_rights(&self.pod, &["get", "delete"])
    }

    fn may(&self) -> &'static str {
        "delete pods"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let name = &self.pod.name;
            let path = pod_path(&self.pod);
            let written = writer.change(&path, cx.dry, cx.fence, |found| {
                let there = found.is_some_and(|f| f.uid() == self.uid.as_str() && !f.is_leaving());
                Ok(match there {
                    true => Next::Delete(format!("{name} is being deleted")),
                    false => Next::Stands(format!("{name} was gone already")),
                })
            });
            written.await.map(plainly)
        }
        .boxed()
    }
}
