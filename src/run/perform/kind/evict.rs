//! A pod is evicted, within its disruption budgets.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, pod_rights};
use crate::{
    plan::Evict,
    run::perform::{Failure, Right, Writer},
};

impl Act for Evict {
    fn rights(&self) -> Vec<Right> {
        let evictions = Right {
            verb: "create",
            group: "",
            resource: "pods/eviction".into(),
            namespace: self.pod.namespace.to_string(),
        };
        [pod_rights(&self.pod, &["get"]), vec![evictions]].concat()
    }

    fn may(&self) -> &'static str {
        "evict pods"
    }

    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async {
            match writer.evict(&self.pod, &self.uid, true, &|| true).await {
                Ok(_) => Ok(None),
                // It is asked again while the run waits.
                Err(Failure::Blocked(text)) => Ok(Some(text)),
                Err(failure) => Err(failure),
            }
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
            let wrote = writer.evict(&self.pod, &self.uid, false, cx.fence).await?;
            let text = if wrote { format!("{name} is evicted") } else { format!("{name} was gone already") };
            Ok(Performed { wrote, text, mark: None, kept: false })
        }
        .boxed()
    }
}
