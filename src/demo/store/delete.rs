//! Deletion: at once, with grace, by finalizers.

use std::sync::Arc;

use serde_json::Value;

use super::{Change, ChangeType, DeleteOptions, Object, Store, metadata_mut, stamp, text};
use crate::kind::Kind;

impl Store {
    /// Deletes as the API does. A pod gets its deletionTimestamp and stays until the kubelet removes it
    /// (at once when it is not on a node or its grace is 0); a namespace turns `Terminating`; an object
    /// with finalizers or to be deleted in the foreground stays, marked; anything else is removed.
    /// The returned object is the marked one, or the last content of the removed one.
    pub fn delete(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Option<Object> {
        let before = self.get(kind, namespace, name)?.clone();
        match self.marked(kind, &before, options) {
            Some(marked) if *before == marked => Some(before),
            Some(marked) if finished(kind, &marked) => {
                self.put(kind, marked);
                self.remove(kind, namespace, name)
            }
            Some(marked) => Some(self.put(kind, marked)),
            None => self.remove(kind, namespace, name),
        }
    }

    /// The object as a deletion would leave it; None when it would be gone at once. A pod is marked before it goes,
    /// also when that is at once.
    pub fn marked(&self, kind: &'static Kind, object: &Value, options: &DeleteOptions) -> Option<Value> {
        let mut marked = object.clone();
        if kind == Kind::NAMESPACE {
            if object["metadata"].get("deletionTimestamp").is_none() {
                marked["metadata"]["deletionTimestamp"] = stamp(self.now).into();
                marked["status"]["phase"] = "Terminating".into();
            }
            return Some(marked);
        }
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        for (wanted, finalizer) in [(options.foreground, "foregroundDeletion"), (options.orphan, "orphan")] {
            if wanted && !finalizers.iter().any(|f| f == finalizer) {
                finalizers.push(finalizer.into());
            }
        }
        let grace = if kind == Kind::POD { grace(object, options) } else { 0 };
        if finalizers.is_empty() && kind != Kind::POD {
            return None;
        }
        if !finalizers.is_empty() {
            marked["metadata"]["finalizers"] = finalizers.into();
        }
        let shortened = object["metadata"]["deletionGracePeriodSeconds"].as_i64().is_some_and(|g| grace < g);
        let first = object["metadata"].get("deletionTimestamp").is_none();
        if first || (kind == Kind::POD && shortened) {
            let at = self.now.checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(self.now);
            marked["metadata"]["deletionTimestamp"] = stamp(at).into();
            marked["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            if first && let Some(generation) = object["metadata"]["generation"].as_i64() {
                marked["metadata"]["generation"] = (generation + 1).into();
            }
        }
        Some(marked)
    }

    /// Takes the object away at once. Returns its last content under the revision of the removal.
    pub fn remove(&mut self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
        let kind = kind.stored();
        let names = self.objects[kind.index].get_mut(namespace)?;
        let before = names.remove(name)?;
        if names.is_empty() {
            self.objects[kind.index].remove(namespace);
        }
        self.revision += 1;
        let mut last = Value::clone(&before);
        metadata_mut(&mut last).insert("resourceVersion".into(), self.revision.to_string().into());
        let object: Object = Arc::new(last);
        self.record(Change {
            revision: self.revision,
            kind,
            change: ChangeType::Deleted,
            object: object.clone(),
            before: Some(before),
        });
        Some(object)
    }
}

/// Whether nothing holds the object any more: a pod waits for its kubelet, which deletes it with a grace of 0.
pub(super) fn finished(kind: &Kind, object: &Value) -> bool {
    kind != Kind::NAMESPACE
        && (kind != Kind::POD || object["metadata"]["deletionGracePeriodSeconds"] == 0)
        && object["metadata"].get("deletionTimestamp").is_some()
        && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

fn grace(pod: &Value, options: &DeleteOptions) -> i64 {
    let done = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if text(pod, "/spec/nodeName").is_empty() || done {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    options.grace_seconds.unwrap_or(own).max(0)
}
