//! A new rollout of the same template.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, Telling, plainly, replicas::workload};
use crate::{
    plan::RestartRollout,
    run::{
        evidence::Mark,
        perform::{Failure, Involved, Right, Writer, objects::Next},
    },
};

const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

impl RestartRollout {
    async fn write(
        &self,
        writer: &Writer,
        dry: bool,
        fence: &(dyn Fn() -> bool + Sync),
    ) -> Result<Performed, Failure> {
        let Self { workload, uid, stamp } = self;
        let (key, resource) = (&workload.key, workload.kind.resource());
        let path = format!("/apis/apps/v1/namespaces/{}/{resource}/{}", key.namespace, key.name);
        let written = writer.change(&path, dry, fence, |found| {
            let Some(found) = found else { return Err(Failure::Drift(format!("{workload} is gone"))) };
            if found.uid() != uid.as_str() {
                return Err(Failure::Drift(format!("{workload} was deleted and created again")));
            }
            if found.object["spec"]["template"]["metadata"]["annotations"][RESTARTED] == stamp.as_str() {
                return Ok(Next::Stands("it was restarted already".into()));
            }
            if found.object["spec"]["paused"] == true {
                return Err(Failure::Drift(format!("the rollout of {workload} is paused")));
            }
            let annotations = json!({ RESTARTED: stamp });
            let patch = json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
            Ok(Next::Merge(patch, "its rollout has begun".into()))
        });
        let (wrote, text, object) = written.await?;
        let mark = object.map(|object| Mark::Workload {
            version: object["metadata"]["resourceVersion"].as_str().unwrap_or_default().into(),
            desired: object["spec"]["replicas"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        });
        Ok(Performed { mark, ..plainly((wrote, text, None)) })
    }
}

impl Act for RestartRollout {
    fn rights(&self) -> Vec<Right> {
        let right = |verb| Right {
            verb,
            group: "apps",
            resource: self.workload.kind.resource().into(),
            namespace: self.workload.key.namespace.to_string(),
        };
        vec![right("get"), right("patch")]
    }

    fn may(&self) -> &'static str {
        "restart"
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

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        workload(writer, &self.workload).boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { workload, uid, .. } = self;
        let what = format!("restarted {}", workload.key.name);
        Some(Telling { involved: Involved::workload(workload, uid), reason: "RestartedByWheelhouse", what })
    }
}
