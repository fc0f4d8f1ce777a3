//! `spec.replicas` of a workload, through its scale.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, Telling};
use crate::{
    cluster::words::count,
    plan::Replicas,
    run::{
        evidence::Mark,
        perform::{Failure, Involved, Right, Writer, version},
    },
};

impl Act for Replicas {
    fn rights(&self) -> Vec<Right> {
        let right = |verb| Right {
            verb,
            group: "apps",
            resource: format!("{}/scale", self.workload.kind.resource()),
            namespace: self.workload.key.namespace.to_string(),
        };
        vec![right("get"), right("update")]
    }

    fn may(&self) -> &'static str {
        "scale"
    }

    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async {
            writer.try_scale(&self.workload, &self.uid, self.from, self.to).await?;
            Ok(None)
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let Self { workload, uid, from, to, autoscaled } = self;
            let mut from = *from;
            if *autoscaled && let Some(scale) = writer.scale_of(workload).await? {
                let now = scale.spec.and_then(|s| s.replicas).and_then(|n| u32::try_from(n).ok());
                from = now.filter(|now| self.is_between(*now)).unwrap_or(from);
            }
            let scaled = writer.scale(workload, uid, from, *to, || (cx.fence)()).await?;
            let mark = Mark::Workload { version: scaled.version, desired: *to };
            let text = match scaled.wrote {
                true => format!("{} asked for", count(*to, "replica")),
                false => format!("it had {to} replicas already"),
            };
            Ok(Performed { wrote: scaled.wrote, text, mark: Some(mark), kept: false })
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        workload(writer, &self.workload).boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { workload, uid, from, to, .. } = self;
        let what = format!("scaled {} from {from} to {to}", workload.key.name);
        Some(Telling { involved: Involved::workload(workload, uid), reason: "ScaledByWheelhouse", what })
    }
}

/// A workload by the API server's own word. `None`: it is gone, or not ours to read; what is seen will say so.
pub(super) async fn workload(
    writer: &Writer,
    key: &crate::cluster::WorkloadKey,
) -> Result<Option<Mark>, Failure> {
    match writer.scale_of(key).await {
        Ok(Some(scale)) => {
            let replicas = scale.spec.and_then(|s| s.replicas).unwrap_or(0);
            let desired = u32::try_from(replicas).unwrap_or(0);
            Ok(Some(Mark::Workload { version: version(&scale.metadata), desired }))
        }
        Ok(None) | Err(Failure::Refused { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}
