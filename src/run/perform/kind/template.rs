//! What the changes of a workload's template have in common.

use super::{Performed, plainly};
use crate::{
    cluster::{Uid, WorkloadKey},
    run::{
        evidence::Mark,
        perform::{
            Failure, Right, Writer,
            objects::{Found, Next, same},
            version_of,
        },
    },
};

/// The path of a workload.
pub(super) fn path(workload: &WorkloadKey) -> String {
    let (key, resource) = (&workload.key, workload.kind.resource());
    format!("/apis/apps/v1/namespaces/{}/{resource}/{}", key.namespace, key.name)
}

/// Reading a workload and merging into it.
pub(super) fn rights(workload: &WorkloadKey) -> Vec<Right> {
    let right = |verb| Right {
        verb,
        group: "apps",
        resource: workload.kind.resource().into(),
        namespace: workload.key.namespace.to_string(),
    };
    vec![right("get"), right("patch")]
}

/// Does what `decide` says of a workload, if it is the one that was planned with.
pub(super) async fn change(
    writer: &Writer,
    (workload, uid): (&WorkloadKey, &Uid),
    dry: bool,
    fence: &(dyn Fn() -> bool + Sync),
    decide: impl Fn(&Found) -> Result<Next, Failure>,
) -> Result<Performed, Failure> {
    let path = path(workload);
    let written = writer.change(&path, dry, fence, |found| decide(same(found, uid, workload)?));
    let (wrote, text, object) = written.await?;
    let mark = object.map(|object| Mark::Workload {
        version: version_of(&object),
        desired: object["spec"]["replicas"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
    });
    Ok(Performed { mark, ..plainly((wrote, text, None)) })
}
