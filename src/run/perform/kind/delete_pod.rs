//! A pod is deleted.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, plainly, pod_rights};
use crate::{
    plan::DeletePod,
    run::{
        evidence::Mark,
        perform::{
            Failure, Right, Writer,
            objects::{Next, pod_path},
        },
    },
};

impl DeletePod {
    async fn write(
        &self,
        writer: &Writer,
        dry: bool,
        fence: &(dyn Fn() -> bool + Sync),
    ) -> Result<Performed, Failure> {
        let name = &self.pod.name;
        let path = pod_path(&self.pod);
        let written = writer.change(&path, dry, fence, |found| {
            let there = found.is_some_and(|f| f.uid() == self.uid.as_str() && !f.is_leaving());
            Ok(match there {
                true => Next::Delete(format!("{name} is being deleted")),
                false => Next::Stands(format!("{name} was gone already")),
            })
        });
        written.await.map(plainly)
    }
}

impl Act for DeletePod {
    fn rights(&self) -> Vec<Right> {
        pod_rights(&self.pod, &["get", "delete"])
    }

    fn may(&self) -> &'static str {
        "delete pods"
    }

    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async { self.write(writer, true, &|| true).await.map(|_| None) }.boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        self.write(writer, false, cx.fence).boxed()
    }

    fn look<'a>(&'a self, _: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        std::future::ready(Ok(None)).boxed()
    }
}
