//! The templates of a Deployment's ReplicaSets: read when somebody asks, and kept by nobody.

use serde::Deserialize;
use serde_json::Value;

use super::read::{self, encoded};
use crate::{
    cluster::{Operator, Revision, Template, Workload, WorkloadKind, settings},
    wire::{READ_WITHIN, Wire},
};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// The templates of a workload, the present one first.
///
/// # Errors
/// One sentence: it is no Deployment, or they cannot be read.
pub async fn revisions(wire: &Wire, workload: &Workload) -> Result<Vec<Template>, String> {
    let key = &workload.key;
    if key.kind != WorkloadKind::Deployment {
        let text = "a StatefulSet keeps its revisions otherwise: release the image before it instead";
        return Err(format!("{key}: {text}"));
    }
    // Only what can be asked in a few words; whose they are is told by their owner.
    let labels = workload.selector.requirements.iter().filter_map(|r| match &r.operator {
        Operator::In(values) if values.len() == 1 => Some(format!("{}={}", r.key, values[0])),
        _ => None,
    });
    let labels = labels.collect::<Vec<_>>().join(",");
    let path = format!(
        "/apis/apps/v1/namespaces/{}/replicasets?labelSelector={}",
        encoded(&key.key.namespace),
        encoded(&labels)
    );
    let unread = |why: String| format!("the ReplicaSets of {key} cannot be read: {why}");
    let (_, body) = read::get(wire, &path, READ_WITHIN).await.map_err(|fault| unread(fault.why))?;
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        items: Vec<Value>,
    }
    let list: List = serde_json::from_slice(&body).map_err(|e| unread(e.to_string()))?;
    let mut all: Vec<_> = list.items.iter().filter_map(|set| template(set, workload)).collect();
    all.sort_by_key(|template| std::cmp::Reverse(template.revision.number));
    Ok(all)
}

/// The template of a ReplicaSet that is this workload's.
fn template(set: &Value, workload: &Workload) -> Option<Template> {
    let meta = &set["metadata"];
    let owned = meta["ownerReferences"].as_array()?.iter().any(|o| o["uid"] == workload.uid.as_str());
    let revision = Revision {
        number: meta["annotations"][REVISION].as_str()?.parse().ok()?,
        set: meta["name"].as_str()?.into(),
        hash: meta["labels"][HASH].as_str()?.into(),
    };
    let created = meta["creationTimestamp"].as_str()?.parse().ok()?;
    owned.then(|| Template { revision, created, settings: settings(&set["spec"]["template"]) })
}
