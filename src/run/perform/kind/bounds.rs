//! The bounds of a HorizontalPodAutoscaler.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed};
use crate::{
    plan::Bounds,
    run::perform::{Failure, Right, Writer, objects::Next},
};

impl Act for Bounds {
    fn rights(&self) -> Vec<Right> {
        let right = |verb| Right {
            verb,
            group: "autoscaling",
            resource: "horizontalpodautoscalers".into(),
            namespace: self.autoscaler.namespace.to_string(),
        };
        vec![right("get"), right("patch")]
    }

    fn may(&self) -> &'static str {
        "change autoscalers"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { autoscaler: key, from, to } = self;
            let path = format!(
                "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}",
                key.namespace, key.name
            );
            let written = writer.change(&path, cx.dry, cx.fence, |found| {
                let Some(found) = found else { return Ok(Next::Stands(format!("autoscaler {key} is gone"))) };
                let number =
                    |name: &str| found.object["spec"][name].as_u64().and_then(|n| u32::try_from(n).ok());
                let now = (number("minReplicas").unwrap_or(1), number("maxReplicas").unwrap_or(0));
                if now == *to {
                    return Ok(Next::Stands(format!("it had {}-{} replicas already", to.0, to.1)));
                }
                if now != *from {
                    return Err(Failure::Drift(format!(
                        "autoscaler {key} has {}-{} replicas, not as planned",
                        now.0, now.1
                    )));
                }
                let patch = json!({ "spec": { "minReplicas": to.0, "maxReplicas": to.1 } });
                Ok(Next::Merge(patch, format!("it has {}-{} replicas", to.0, to.1)))
            });
            let (wrote, text, left) = written.await?;
            Ok(Performed { wrote, text, mark: None, kept: left.is_none() })
        }
        .boxed()
    }
}
