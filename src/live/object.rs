//! One object whole, and what Kubernetes tells of it.

use jiff::Timestamp;

use super::{
    convert::{Events, Interner, Kind},
    list,
    read::{self, encoded},
};
use crate::{
    cluster::{Described, KubeEvent, KubeEvents, ObjectKey, Seen, words},
    wire::{READ_WITHIN, Wire},
};

/// Reads an object and the Events about it, newest first. Fields that only the API server reads
/// (`metadata.managedFields`) are left out.
///
/// # Errors
/// Why the object cannot be read, in one sentence.
pub async fn object(wire: &Wire, key: &ObjectKey) -> Result<Described, String> {
    let path = path(key);
    let (read, events) = tokio::join!(read::get(wire, &path, READ_WITHIN), events_of(wire, key));
    let (_, bytes) = read.map_err(|fault| fault.why)?;
    let mut value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|e| format!("{key} cannot be read: {e}"))?;
    if let Some(meta) = value.get_mut("metadata").and_then(|meta| meta.as_object_mut()) {
        meta.remove("managedFields");
    }
    Ok(Described { value, events })
}

/// The Events about an object, newest first.
///
/// # Errors
/// Why they cannot be read, in one sentence.
pub async fn events_of(wire: &Wire, of: &ObjectKey) -> Result<KubeEvents, String> {
    let fields = format!("involvedObject.kind={},involvedObject.name={}", of.kind(), of.name());
    let path = Events::RESOURCE.path(of.namespace());
    all(wire, &format!("{path}?fieldSelector={}", encoded(&fields))).await
}

/// The Events of a namespace, or all there are, newest first.
///
/// # Errors
/// Why they cannot be read, in one sentence.
pub async fn events_in(wire: &Wire, namespace: Option<&str>) -> Result<KubeEvents, String> {
    all(wire, &Events::RESOURCE.path(namespace)).await
}

async fn all(wire: &Wire, path: &str) -> Result<KubeEvents, String> {
    let mut interner = Interner::default();
    let read = list::whole::<Events>(wire, path, &mut interner);
    let read = tokio::time::timeout(READ_WITHIN, read).await;
    let read = read.map_err(|_| "the API server does not answer in time".to_owned())?;
    let (all, odd) = match read.map_err(|fault| fault.why)?.seen(Timestamp::now()) {
        Seen::All(all, _) => (all, Vec::new()),
        Seen::AllBut(all, odd, _) => (all, odd),
        _ => Default::default(),
    };
    let mut all: Vec<KubeEvent> = all.into_iter().map(|(_, event)| event).collect();
    all.sort_by_key(|event| std::cmp::Reverse(event.at));
    let unread = odd
        .first()
        .map(|(key, why)| format!("{} could not be read: {key}: {why}", words::count(odd.len(), "event")));
    Ok(KubeEvents { all, unread })
}

fn path(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Pod(key) => {
            format!("/api/v1/namespaces/{}/pods/{}", encoded(&key.namespace), encoded(&key.name))
        }
        ObjectKey::Workload(workload) => {
            let (key, plural) = (&workload.key, workload.kind.resource());
            format!("/apis/apps/v1/namespaces/{}/{plural}/{}", encoded(&key.namespace), encoded(&key.name))
        }
        ObjectKey::Node(name) => format!("/api/v1/nodes/{}", encoded(name.as_str())),
    }
}
