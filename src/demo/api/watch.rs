//! Watches: what a watcher is to be told next. `http` asks again whenever the revision moves.

use serde_json::{Value, json};

use super::failure::Failure;
use super::list;
use super::path::Resource;
use super::reply::{Form, Include, Partial};
use super::selector::Selector;
use super::{Request, Surroundings, shown, table};
use crate::kind::Kind;
use crate::store::{ChangeType, Object, Store};
use crate::world::World;

/// One watch and how far it has come.
pub(crate) struct Watch {
    kind: &'static Kind,
    namespace: Option<String>,
    name: Option<String>,
    selector: Selector,
    form: Form,
    bookmarks: bool,
    /// Whether it starts with the objects there are, and whether their end is to be marked.
    initial: Option<bool>,
    revision: u64,
    headed: bool,
    /// The revision of the last bookmark.
    marked: u64,
    /// Seconds after which the server ends it.
    pub(crate) timeout: Option<u64>,
}

/// What a watch has to send.
pub(crate) struct Polled {
    /// Lines of JSON; empty when there is nothing new.
    pub(crate) bytes: Vec<u8>,
    /// Whether the stream ends after them.
    pub(crate) end: bool,
}

/// Begins a watch.
///
/// # Errors
/// 400, 406, 422, and 500 for a malformed resourceVersion.
pub(super) fn start(world: &World, request: &Request, resource: &Resource) -> Result<Watch, Failure> {
    let form = Form::of(&request.accept, request.param("includeObject"))?;
    let selector =
        Selector::parse(resource.kind, request.param("labelSelector"), request.param("fieldSelector"))?;
    let matching = request.param("resourceVersionMatch");
    let send_initial = match request.param("sendInitialEvents") {
        "" => None,
        text => Some(matches!(text, "1" | "true")),
    };
    let fault = |why: &str| {
        let fault = super::failure::Fault::forbidden("resourceVersionMatch", why);
        Failure::invalid("meta.k8s.io", "ListOptions", "", &[fault])
    };
    if send_initial.is_some() && matching != "NotOlderThan" {
        return Err(fault("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
    if send_initial.is_none() && !matching.is_empty() {
        return Err(fault(
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    let asked = request.param("resourceVersion");
    let from_now = asked.is_empty() || asked == "0";
    let revision = if from_now { world.store.revision() } else { list::revision(asked)? };
    let bookmarks = request.flag("allowWatchBookmarks");
    let initial = match send_initial {
        Some(true) => Some(bookmarks),
        Some(false) => None,
        None => from_now.then_some(false),
    };
    Ok(Watch {
        kind: resource.kind,
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
        selector,
        form,
        bookmarks,
        initial,
        revision,
        headed: false,
        marked: 0,
        timeout: request.param("timeoutSeconds").parse().ok().filter(|t| *t > 0),
    })
}

impl Watch {
    /// Everything that happened since the last call.
    pub(crate) fn poll(&mut self, store: &Store, around: &Surroundings<'_>) -> Polled {
        let mut bytes = Vec::new();
        if let Some(mark) = self.initial.take() {
            let all = store.list(self.kind, self.namespace.as_deref());
            let wanted: Vec<&Object> = all.filter(|o| self.wants(o)).collect();
            for object in wanted {
                let object = shown(self.kind, object, around.malformed);
                self.event("ADDED", &object, store, &mut bytes);
            }
            self.revision = store.revision();
            if mark {
                self.bookmark(true, &mut bytes);
            }
            return Polled { bytes, end: false };
        }
        let changes = match store.changes_since(self.revision) {
            Ok(changes) => changes,
            Err(too_old) => {
                let message = format!("too old resource version: {} ({})", self.revision, too_old.oldest);
                line(&json!({"type": "ERROR", "object": Failure::expired(&message).status()}), &mut bytes);
                return Polled { bytes, end: true };
            }
        };
        for change in changes.filter(|c| c.kind == self.kind.stored()) {
            let now = change.change != ChangeType::Deleted && self.wants(&change.object);
            let before = change.before.as_ref().is_some_and(|b| self.wants(b));
            let (event, object) = match (before, now) {
                (false, true) => ("ADDED", &change.object),
                (true, true) => ("MODIFIED", &change.object),
                (true, false) => ("DELETED", &change.object),
                (false, false) => continue,
            };
            let object = shown(self.kind, object, around.malformed);
            self.event(event, &object, store, &mut bytes);
        }
        self.revision = self.revision.max(store.revision());
        Polled { bytes, end: false }
    }

    /// A bookmark at the revision reached, when bookmarks are wanted and it says something new.
    pub(crate) fn mark(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.bookmarks && self.marked != self.revision {
            self.bookmark(false, &mut bytes);
        }
        bytes
    }

    fn wants(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        self.namespace.as_deref().is_none_or(|n| metadata["namespace"] == n)
            && self.name.as_deref().is_none_or(|n| metadata["name"] == n)
            && self.selector.matches(self.kind, object)
    }

    fn event(&mut self, event: &str, object: &Object, store: &Store, bytes: &mut Vec<u8>) {
        match self.form {
            Form::Plain => line(&Event { event, object: object.as_ref() }, bytes),
            Form::Metadata => line(&Event { event, object: &Partial::of(object) }, bytes),
            Form::Table(include) => {
                let row = match include {
                    Include::None => Value::Null,
                    Include::Metadata => serde_json::to_value(Partial::of(object)).unwrap_or_default(),
                    Include::Object => Value::clone(object),
                };
                let cells = table::row(self.kind, object, store.now());
                let table = json!({
                    "kind": "Table",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"resourceVersion": object["metadata"]["resourceVersion"]},
                    // the columns come with the first event only
                    "columnDefinitions": if self.headed { Value::Null } else { table::columns(self.kind) },
                    "rows": [{"cells": cells, "object": row}],
                });
                self.headed = true;
                line(&Event { event, object: &table }, bytes);
            }
        }
    }

    fn bookmark(&mut self, end_of_initial: bool, bytes: &mut Vec<u8>) {
        self.marked = self.revision;
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if end_of_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.form {
            Form::Plain => {
                let mut object = json!({
                    "kind": self.kind.kind,
                    "apiVersion": self.kind.api_version(),
                    "metadata": metadata,
                });
                // what an empty object of these Go types prints
                if self.kind == Kind::POD {
                    object["spec"] = json!({"containers": null});
                    object["status"] = json!({});
                } else if self.kind.has("status") {
                    object["spec"] = json!({});
                    object["status"] = json!({});
                }
                object
            }
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table(_) => json!({
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "columnDefinitions": null,
                "rows": [],
            }),
        };
        line(&Event { event: "BOOKMARK", object: &object }, bytes);
    }
}

#[derive(serde::Serialize)]
struct Event<'a, T: serde::Serialize> {
    #[serde(rename = "type")]
    event: &'a str,
    object: &'a T,
}

fn line(event: &impl serde::Serialize, bytes: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *bytes, event).is_ok() {
        bytes.push(b'\n');
    }
}
