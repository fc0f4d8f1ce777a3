//! The image of one container in a workload's template.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{Act, Context, Performed, Telling, replicas::workload, template};
use crate::{
    cluster::image_tag,
    plan::SetImage,
    run::{
        evidence::Mark,
        perform::{Failure, Involved, Right, Writer, objects::Next},
    },
};

impl Act for SetImage {
    fn rights(&self) -> Vec<Right> {
        template::rights(&self.workload)
    }

    fn may(&self) -> &'static str {
        "change images"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { workload, uid, container, from, to } = self;
            template::change(writer, (workload, uid), cx.dry, cx.fence, |found| {
                // A merge replaces the whole list: that it has not changed is what the version says.
                let mut all = found.object["spec"]["template"]["spec"]["containers"].clone();
                let own = all.as_array_mut().into_iter().flatten().find(|c| c["name"] == **container);
                let Some(own) = own else {
                    return Err(Failure::Drift(format!("{workload} has no container {container} any more")));
                };
                if own["image"] == **to {
                    return Ok(Next::Stands(format!("it had the image {} already", image_tag(to))));
                }
                if own["image"] != **from {
                    let text =
                        format!("{container} of {workload} has the image {}, not as planned", own["image"]);
                    return Err(Failure::Drift(text));
                }
                own["image"] = (&**to).into();
                let patch = json!({ "spec": { "template": { "spec": { "containers": all } } } });
                Ok(Next::Merge(patch, format!("its image is {}", image_tag(to))))
            })
            .await
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        workload(writer, &self.workload).boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { workload, uid, container, from, to } = self;
        let (old, new) = (image_tag(from), image_tag(to));
        let what = format!("set the image of {container} from {old} to {new}");
        Some(Telling { involved: Involved::workload(workload, uid), reason: "ReleasedByWheelhouse", what })
    }
}
