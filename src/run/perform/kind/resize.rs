//! Requests and limits of a container of a pod that runs.

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::{Act, Context, Performed, Telling, plainly, pod_rights};
use crate::{
    plan::{Given, Resize},
    run::perform::{
        Failure, Involved, Right, Writer,
        objects::{Next, pod_path, same},
        refused,
    },
};

/// What a container of a pod asks for, as the API server tells it.
fn given(container: &Value) -> Given {
    let text = |list: &str, name: &str| container["resources"][list][name].as_str();
    Given {
        memory_request: text("requests", "memory").and_then(|t| t.parse().ok()),
        memory_limit: text("limits", "memory").and_then(|t| t.parse().ok()),
        cpu_request: text("requests", "cpu").and_then(|t| t.parse().ok()),
        cpu_limit: text("limits", "cpu").and_then(|t| t.parse().ok()),
    }
}

impl Act for Resize {
    fn rights(&self) -> Vec<Right> {
        let patch = Right {
            verb: "patch",
            group: "",
            resource: "pods/resize".into(),
            namespace: self.pod.namespace.to_string(),
        };
        pod_rights(&self.pod, &["get"]).into_iter().chain([patch]).collect()
    }

    fn may(&self) -> &'static str {
        "resize pods"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { pod, uid, container, from, to } = self;
            let (name, path) = (&pod.name, pod_path(pod));
            let written = writer.change(&path, cx.dry, cx.fence, |found| {
                let found = same(found, uid, name)?;
                if found.is_leaving() {
                    return Err(Failure::Drift(format!("{name} is being deleted")));
                }
                // A merge replaces the whole list: that it has not changed is what the version says.
                let mut all = found.object["spec"]["containers"].clone();
                let own = all.as_array_mut().into_iter().flatten().find(|c| c["name"] == **container);
                let Some(own) = own else {
                    return Err(Failure::Drift(format!("{name} has no container {container}")));
                };
                let now = given(own);
                if now == *to {
                    return Ok(Next::Stands(format!("it asked for {} already", to.limits())));
                }
                if now != *from {
                    let text = format!("{container} of {name} is not as planned: {}", from.becomes(now));
                    return Err(Failure::Drift(text));
                }
                for (list, resource, value) in from.differing(*to) {
                    if !own["resources"][list].is_object() {
                        own["resources"][list] = Value::Object(Map::new());
                    }
                    own["resources"][list][resource] = value.into();
                }
                let patch = json!({ "spec": { "containers": all } });
                Ok(Next::MergeBy("/resize", patch, format!("it asks for {}", to.limits())))
            });
            match written.await {
                // The pod was there a moment ago: what is missing is the subresource.
                Err(failure) if failure.is_missing() => Err(refused(
                    404,
                    format!(
                        "the API server has no pods/resize (Kubernetes 1.33 and later have it), or {name} is gone by now"
                    ),
                )),
                other => other.map(plainly),
            }
        }
        .boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { pod, uid, container, from, to } = self;
        let what = format!("resized {container}: {}", from.becomes(*to));
        Some(Telling { involved: Involved::pod(pod, uid), reason: "ResizedByWheelhouse", what })
    }
}
