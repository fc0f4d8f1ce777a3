//! The template of a Deployment as it was in another revision.

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::{Act, Context, Performed, Telling, replicas::workload, template};
use crate::{
    cluster::Revision,
    plan::{SetTemplate, TEMPLATE_HASH},
    run::{
        evidence::Mark,
        perform::{Failure, Involved, Right, Writer, objects::Next},
    },
};

impl SetTemplate {
    /// The template of a revision, by its ReplicaSet.
    async fn template(&self, writer: &Writer, revision: &Revision) -> Result<Value, Failure> {
        let Revision { number, set, hash } = revision;
        let path = format!("/apis/apps/v1/namespaces/{}/replicasets/{set}", self.workload.key.namespace);
        let found: Option<Value> = writer.find(&path).await?;
        let gone = || Failure::Drift(format!("{} keeps no revision {number} any more", self.workload));
        let found = found.ok_or_else(gone)?;
        if found["metadata"]["labels"][TEMPLATE_HASH] != **hash {
            return Err(gone());
        }
        Ok(own(&found["spec"]["template"]))
    }
}

/// A template without what a ReplicaSet adds to it, and without what is not set.
fn own(template: &Value) -> Value {
    let mut template = set_only(template);
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

fn set_only(value: &Value) -> Value {
    match value {
        Value::Object(all) => {
            let set = all.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key.clone(), set_only(value))).collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(set_only).collect()),
        other => other.clone(),
    }
}

/// What, merged into the one, gives the other (RFC 7386): what is not set there is taken away.
fn merge(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let differs = to.iter().filter(|(key, value)| from.get(*key) != Some(value));
    let set = differs.map(|(key, value)| (key.clone(), merge(from.get(key).unwrap_or(&Value::Null), value)));
    Value::Object(gone.chain(set).collect::<Map<_, _>>())
}

impl Act for SetTemplate {
    fn rights(&self) -> Vec<Right> {
        let mut rights = template::rights(&self.workload);
        rights.push(Right {
            verb: "get",
            group: "apps",
            resource: "replicasets".into(),
            namespace: self.workload.key.namespace.to_string(),
        });
        rights
    }

    fn may(&self) -> &'static str {
        "roll back"
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async move {
            let Self { workload, uid, from, to } = self;
            let (before, after) = (self.template(writer, from).await?, self.template(writer, to).await?);
            template::change(writer, (workload, uid), cx.dry, cx.fence, |found| {
                let now = own(&found.object["spec"]["template"]);
                if now == after {
                    return Ok(Next::Stands(format!(
                        "it had the template of revision {} already",
                        to.number
                    )));
                }
                if now != before {
                    let text = format!(
                        "the template of {workload} is not that of revision {} any more",
                        from.number
                    );
                    return Err(Failure::Drift(text));
                }
                let patch = json!({ "spec": { "template": merge(&now, &after) } });
                Ok(Next::Merge(patch, format!("its template is that of revision {}", to.number)))
            })
            .await
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        workload(writer, &self.workload).boxed()
    }

    fn tells(&self) -> Option<Telling> {
        let Self { workload, uid, from, to } = self;
        let what =
            format!("rolled {} back from revision {} to {}", workload.key.name, from.number, to.number);
        Some(Telling { involved: Involved::workload(workload, uid), reason: "RolledBackByWheelhouse", what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_takes_away_what_is_not_set_and_leaves_what_is_the_same() {
        let from = json!({ "a": 1, "b": { "c": 2, "d": [1, 2] }, "e": 3 });
        let to = json!({ "a": 1, "b": { "c": 4, "d": [1] }, "f": { "g": 5 } });
        assert_eq!(merge(&from, &to), json!({ "b": { "c": 4, "d": [1] }, "e": null, "f": { "g": 5 } }));
        assert_eq!(merge(&from, &from), json!({}));
        let set = json!({ "metadata": { "creationTimestamp": null, "labels": { "pod-template-hash": "x", "a": "b" } } });
        assert_eq!(own(&set), json!({ "metadata": { "labels": { "a": "b" } } }));
    }
}
