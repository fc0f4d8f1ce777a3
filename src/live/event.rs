//! What the lines of a watch say.
//!
//! Called by the sources for each line. One odd object costs its own event and no more; what the server says of the watch
//! itself ends it.

use kube::core::Status;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    convert::{Interner, Kind, Object, Unreadable},
    read::Fault,
};

/// What one event of a watch says.
pub(super) enum Line<K, V> {
    Put(Result<Object<K, V>, Unreadable>),
    Gone(K, Option<String>),
    Bookmark { version: String },
    Nothing,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMeta {
    resource_version: String,
}

/// What a line of a watch says. The error is the server's own: the watch is over.
pub(super) fn told<K: Kind>(line: &[u8], interner: &mut Interner) -> Result<Line<K::Key, K::Value>, Fault> {
    let event = match serde_json::from_slice::<Event<'_>>(line) {
        Ok(event) => event,
        Err(why) => {
            // A refusal may come as a bare Status. Anything else costs this one event, not the watch.
            if let Ok(status) = serde_json::from_slice::<Status>(line)
                && status.code != 0
            {
                return Err(Fault::of_status(status));
            }
            let (namespace, name) = (String::new(), "(unknown)".to_owned());
            return Ok(Line::Put(Err(Unreadable { namespace, name, version: None, why: why.to_string() })));
        }
    };
    let text = event.object.get();
    Ok(match event.r#type.as_str() {
        "ADDED" | "MODIFIED" => Line::Put(K::read(text, interner)),
        "DELETED" => match K::read(text, interner) {
            Ok(object) => Line::Gone(object.key, Some(object.version.as_str().to_owned())),
            Err(odd) => {
                Line::Gone(K::key(&odd.namespace, &odd.name), odd.version.map(|v| v.as_str().to_owned()))
            }
        },
        "BOOKMARK" => match serde_json::from_str::<Bookmark>(text) {
            Ok(Bookmark { metadata }) => Line::Bookmark { version: metadata.resource_version },
            Err(_) => Line::Nothing,
        },
        "ERROR" => return Err(Fault::of_status(serde_json::from_str(text).unwrap_or_default())),
        _ => Line::Nothing,
    })
}

/// What is left of a reply that ended in the middle of a line.
pub(super) fn cut(rest: &[u8]) -> Fault {
    match serde_json::from_slice::<Status>(rest) {
        Ok(status) if status.code != 0 => Fault::of_status(status),
        _ => Fault::transport("the API server's watch broke in the middle of an event"),
    }
}
