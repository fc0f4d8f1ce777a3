//! A new rollout of the same template.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, Telling, replicas::workload, template};
use crate::{
    plan::RestartRollout,
    run::{
        evidence::Mark,
        perform::{Failure, Involved, Right, Writer, objects::Next},
    },
};

const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

impl Act for RestartRollout {
    fn rights(&self) -> Vec<Right> {
        template::rights(&self.workload)
    }

    fn may(&self) -> &'static str {
        "restart"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { workload, uid, stamp } = self;
            template::change(writer, (workload, uid), cx.dry, cx.fence, |found| {
                if found.object["spec"]["template"]["metadata"]["annotations"][RESTARTED] == stamp.as_str() {
                    return Ok(Next::Stands("it was restarted already".into()));
                }
                if found.object["spec"]["paused"] == true {
                    return Err(Failure::Drift(format!("the rollout of {workload} is paused")));
                }
                let annotations = json!({ RESTARTED: stamp });
                let patch = json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
                Ok(Next::Merge(patch, "its rollout has begun".into()))
            })
            .await
        }
        .boxed()
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
