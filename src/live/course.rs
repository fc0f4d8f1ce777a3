//! Whether the cluster that answers is the one that was read, and has gone on from there.
//!
//! Looked at by the probe. A watch that is opened where the last one stood is silent on a control plane that was restored
//! from a backup or built again at the same address: the server only knows versions below that place. So the uid of a
//! namespace that is never deleted must stay, and versions must not go back.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use super::read::{self, Fault, encoded};
use crate::wire::Wire;

const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// It is there as long as its cluster is.
const LASTING: &str = "kube-system";

/// A cluster's course of events, without a gap and in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    /// Grows when the course was broken.
    pub number: u32,
    /// How that was seen.
    pub why: Arc<str>,
}

/// The course as far as it was seen.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub world: World,
    last: Position,
}

/// Where a cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    /// The uid of [`LASTING`], where it may be read.
    uid: Option<String>,
    /// The version of the whole store (etcd counts all writes in one row), where it is a number.
    version: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    metadata: ListMeta,
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    metadata: ItemMeta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ItemMeta {
    uid: Option<String>,
}

impl Course {
    /// Looks where the cluster stands. Returns whether its course was broken since the last look; not when that cannot
    /// be known.
    pub async fn look(&mut self, wire: &Wire, namespace: Option<&str>) -> bool {
        let Ok(mut now) = place(wire, namespace).await else { return false };
        if self.last.went_back(&now) {
            // A list may be read from a store that is behind for a moment: what is said twice is true.
            let Ok(again) = place(wire, namespace).await else { return false };
            now = again;
        }
        let broken = self.last.broken(&now);
        self.last =
            Position { uid: now.uid.or(self.last.uid.take()), version: now.version.or(self.last.version) };
        if let Some(why) = broken {
            self.world = World { number: self.world.number + 1, why: why.into() };
        }
        broken.is_some()
    }
}

impl Position {
    fn went_back(&self, now: &Self) -> bool {
        matches!((self.version, now.version), (Some(then), Some(now)) if now < then)
    }

    fn broken(&self, now: &Self) -> Option<&'static str> {
        match (&self.uid, &now.uid) {
            (Some(then), Some(now)) if then != now => {
                Some("another cluster answers at this address: everything is read again")
            }
            _ if self.went_back(now) => {
                Some("the cluster was restored to an earlier state: everything is read again")
            }
            _ => None,
        }
    }
}

/// A consistent list of at most one object: its version is that of the store.
async fn place(wire: &Wire, namespace: Option<&str>) -> Result<Position, Fault> {
    let lasting = format!("/api/v1/namespaces?limit=1&fieldSelector=metadata.name%3D{LASTING}");
    let bytes = match (read::get(wire, &lasting, LOOK_WITHIN).await, namespace) {
        (Err(fault), Some(namespace)) if fault.code == 403 => {
            let pods = format!("/api/v1/namespaces/{}/pods?limit=1", encoded(namespace));
            let list = parsed(&read::get(wire, &pods, LOOK_WITHIN).await?.1);
            return Ok(Position { uid: None, ..list });
        }
        (reply, _) => reply?.1,
    };
    Ok(parsed(&bytes))
}

fn parsed(bytes: &[u8]) -> Position {
    let list: List = serde_json::from_slice(bytes).unwrap_or_default();
    Position {
        uid: list.items.into_iter().find_map(|item| item.metadata.uid),
        version: list.metadata.resource_version.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_broken_by_another_uid_and_by_a_version_that_goes_back() {
        let at = |uid: &str, version| Position { uid: (!uid.is_empty()).then(|| uid.into()), version };
        let then = at("a", Some(100));
        for whole in [at("a", Some(100)), at("a", Some(5_000)), at("", None)] {
            assert_eq!(then.broken(&whole), None, "{whole:?}");
        }
        assert_eq!(Position::default().broken(&then), None);
        let another = then.broken(&at("b", Some(5_000))).expect("broken");
        assert!(another.starts_with("another cluster answers at this address"), "{another}");
        for (then, now) in [(then, at("a", Some(99))), (at("", Some(100)), at("", Some(99)))] {
            let back = then.broken(&now).expect("broken");
            assert!(back.starts_with("the cluster was restored to an earlier state"), "{back}");
        }
    }

    #[test]
    fn a_place_is_read_from_a_list() {
        let list = br#"{"metadata":{"resourceVersion":"3224"},"items":[{"metadata":{"name":"kube-system","uid":"u"}}]}"#;
        assert_eq!(parsed(list), Position { uid: Some("u".into()), version: Some(3224) });
        assert_eq!(parsed(b"{}"), Position::default());
        assert_eq!(parsed(b"no"), Position::default());
    }
}
