//! The objects of the embedded cluster: what etcd and the generic registry are to a real one.
//!
//! The world's controllers write through it and the API serves from it. One revision counter orders all
//! writes; a bounded log of changes feeds watches and consistent paging. Pure: no IO, no clock, no tasks;
//! the same calls give the same objects, names and uids.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::fields::{self, Manager};
use super::kind::{KINDS, Kind};
use delete::finished;

mod delete;

/// An object in the shape of the wire, with `apiVersion` and `kind`.
pub type Object = Arc<Value>;

/// How many changes are kept for watches and paging before the oldest are forgotten.
const KEPT: usize = 100_000;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeType {
    /// It appeared.
    Added,
    /// It has a new content.
    Modified,
    /// It is gone; the change carries its last content under the revision of its removal.
    Deleted,
}

/// One write.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision it made; each change has its own.
    pub revision: u64,
    /// The kind of the object.
    pub kind: &'static Kind,
    /// What happened.
    pub change: ChangeType,
    /// The object after the change, or the last content of a deleted one.
    pub object: Object,
    /// The object before it; absent when it was added.
    pub before: Option<Object>,
}

/// The asked-for revision is no longer in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The oldest revision that can still be asked for.
    pub oldest: u64,
}

/// How to delete, after `DeleteOptions` of the API.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds a pod gets to stop; its own `terminationGracePeriodSeconds` when absent.
    pub grace_seconds: Option<i64>,
    /// Dependents go first: the object waits with the `foregroundDeletion` finalizer.
    pub foreground: bool,
    /// Dependents stay: the object waits with the `orphan` finalizer.
    pub orphan: bool,
}

/// All objects, the log of changes, the world's time and its source of names and uids.
pub struct Store {
    objects: Vec<BTreeMap<String, BTreeMap<String, Object>>>,
    revision: u64,
    forgotten: u64,
    log: VecDeque<Change>,
    now: Timestamp,
    rng: ChaCha8Rng,
}

impl Store {
    /// An empty store. Revisions start well above 1, as in any cluster that has lived for a while.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            objects: KINDS.iter().map(|_| BTreeMap::new()).collect(),
            revision: 1000,
            forgotten: 1000,
            log: VecDeque::new(),
            now,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The world's time: what creation and deletion timestamps are made of.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the world's time.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// One object; `namespace` is "" for cluster-scoped kinds.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<&Object> {
        self.objects[kind.stored().index].get(namespace)?.get(name)
    }

    /// The objects of a kind, of one namespace or of all, ordered by namespace and name.
    pub fn list(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &Object> + use<'_> {
        let namespaces = &self.objects[kind.stored().index];
        let (one, all) = match namespace {
            Some(namespace) => (namespaces.get(namespace), None),
            None => (None, Some(namespaces.values())),
        };
        one.into_iter().chain(all.into_iter().flatten()).flat_map(|names| names.values())
    }

    /// The objects of a kind as they were at `revision`.
    ///
    /// # Errors
    /// [`TooOld`] when the changes since then are no longer known.
    pub fn list_at(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Object>, TooOld> {
        if revision == self.revision() {
            return Ok(self.list(kind, namespace).cloned().collect());
        }
        let key =
            |o: &Object| (text(o, "/metadata/namespace").to_owned(), text(o, "/metadata/name").to_owned());
        let mut then: BTreeMap<_, Object> = self.list(kind, namespace).map(|o| (key(o), o.clone())).collect();
        let changes: Vec<&Change> =
            self.changes_since(revision)?.filter(|c| c.kind == kind.stored()).collect();
        for change in changes.into_iter().rev() {
            let key = key(&change.object);
            if namespace.is_some_and(|n| n != key.0) {
                continue;
            }
            match &change.before {
                Some(before) => then.insert(key, before.clone()),
                None => then.remove(&key),
            };
        }
        Ok(then.into_values().collect())
    }

    /// Stores a new object for `kube-controller-manager`; see [`Store::insert_by`].
    pub fn insert(&mut self, kind: &'static Kind, object: Value) -> Object {
        self.insert_by(kind, object, "kube-controller-manager")
    }

    /// Stores a new object as the apiserver does: uid, resourceVersion, creationTimestamp, generation, and
    /// a name when only `generateName` is given. A creationTimestamp, uid or managedFields already present
    /// are kept. An object of the same name is replaced.
    pub fn insert_by(&mut self, kind: &'static Kind, object: Value, by: &str) -> Object {
        let object = self.completed(kind, object, &Manager::update(by));
        self.put(kind, object)
    }

    /// The object as [`Store::insert_by`] would store it, without storing it. Draws a name and a uid.
    pub fn completed(&mut self, kind: &'static Kind, mut object: Value, by: &Manager) -> Value {
        if !object.is_object() {
            object = json!({});
        }
        object["apiVersion"] = kind.stored().api_version().into();
        object["kind"] = kind.kind.into();
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let now = stamp(self.now);
        let (uid, suffix) = (self.new_uid(), self.new_suffix());
        let metadata = metadata_mut(&mut object);
        if metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            let stem = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
            let name = format!("{stem}{suffix}");
            metadata.insert("name".into(), name.into());
        }
        if !kind.namespaced {
            metadata.remove("namespace");
        }
        metadata.entry("uid").or_insert(uid.into());
        metadata.entry("creationTimestamp").or_insert(now.clone().into());
        if metadata["creationTimestamp"].is_null() {
            metadata.insert("creationTimestamp".into(), now.clone().into());
        }
        if kind.generation {
            metadata.entry("generation").or_insert(1.into());
        }
        if !metadata.contains_key("managedFields") {
            fields::record(None, &mut object, by, kind, &now);
        }
        object
    }

    /// Puts an object as it is, under the next revision. For writes that were already completed.
    pub fn put(&mut self, kind: &'static Kind, mut object: Value) -> Object {
        let kind = kind.stored();
        self.revision += 1;
        metadata_mut(&mut object).insert("resourceVersion".into(), self.revision.to_string().into());
        let namespace = text(&object, "/metadata/namespace").to_owned();
        let name = text(&object, "/metadata/name").to_owned();
        let object: Object = Arc::new(object);
        let before = self.objects[kind.index].entry(namespace).or_default().insert(name, object.clone());
        let change = if before.is_some() { ChangeType::Modified } else { ChangeType::Added };
        self.record(Change { revision: self.revision, kind, change, object: object.clone(), before });
        object
    }

    /// Stores a prepared object; one under deletion whose last finalizer went is removed instead.
    pub fn commit(&mut self, kind: &'static Kind, after: Value) -> Object {
        if finished(kind, &after) {
            let (namespace, name) = (text(&after, "/metadata/namespace"), text(&after, "/metadata/name"));
            if let Some(last) = self.remove(kind, namespace, name) {
                return last;
            }
        }
        self.put(kind, after)
    }

    /// Lets `what` draw names and uids without using them up: for rehearsals.
    pub fn trial<T>(&mut self, what: impl FnOnce(&mut Store) -> T) -> T {
        let rng = self.rng.clone();
        let result = what(self);
        self.rng = rng;
        result
    }

    /// Changes an object's metadata, spec or data. A change of the spec counts as a new generation; a
    /// change of nothing writes nothing. `by` is the field manager. The last finalizer leaving an object
    /// under deletion removes it (pods and namespaces wait for [`Store::remove`]).
    pub fn update(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        by: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        self.write(kind, namespace, name, &Manager::update(by), change)
    }

    /// As [`Store::update`] through the status subresource: never a new generation.
    pub fn update_status(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        by: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        self.write(kind, namespace, name, &Manager::update(by).through("status"), change)
    }

    /// As [`Store::update`] for any field manager.
    pub fn write(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        by: &Manager,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        let before = self.get(kind, namespace, name)?.clone();
        let mut after = Value::clone(&before);
        change(&mut after);
        match self.prepared(kind, &before, after, by) {
            None => Some(before),
            Some(after) => Some(self.commit(kind, after)),
        }
    }

    /// `after` as it would be stored in the place of `before`, except for its revision: identity kept,
    /// generation counted, managed fields recorded. None when nothing changed.
    pub fn prepared(
        &self,
        kind: &'static Kind,
        before: &Value,
        mut after: Value,
        by: &Manager,
    ) -> Option<Value> {
        if !after.get("metadata").is_some_and(Value::is_object) {
            return None;
        }
        after["apiVersion"] = before["apiVersion"].clone();
        after["kind"] = before["kind"].clone();
        let kept = [
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "generation",
            "generateName",
        ];
        let deletion = ["deletionTimestamp", "deletionGracePeriodSeconds"];
        let metadata = metadata_mut(&mut after);
        for key in kept.iter().chain(&deletion) {
            match before["metadata"].get(key) {
                Some(value) => metadata.insert((*key).into(), value.clone()),
                None => metadata.remove(*key),
            };
        }
        if *before == after {
            return None;
        }
        let status_only = by.subresource.as_deref() == Some("status");
        if kind.generation && !status_only && changed_beside_status(before, &after) {
            let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            metadata_mut(&mut after).insert("generation".into(), generation.into());
        }
        fields::record(Some(before), &mut after, by, kind, &stamp(self.now));
        Some(after)
    }

    /// The changes after `revision`, oldest first. A revision that is not reached yet has none.
    ///
    /// # Errors
    /// [`TooOld`] when some of them are no longer known.
    pub fn changes_since(&self, revision: u64) -> Result<impl Iterator<Item = &Change> + use<'_>, TooOld> {
        if revision < self.forgotten {
            return Err(TooOld { oldest: self.forgotten });
        }
        let start = self.log.partition_point(|c| c.revision <= revision);
        Ok(self.log.range(start..))
    }

    /// Forgets the changes up to `revision`, as etcd's compaction does: watches from before it get 410.
    pub fn forget_before(&mut self, revision: u64) {
        let revision = revision.min(self.revision);
        while self.log.front().is_some_and(|c| c.revision <= revision) {
            self.log.pop_front();
        }
        self.forgotten = self.forgotten.max(revision);
    }

    /// A random version 4 UUID.
    pub fn new_uid(&mut self) -> String {
        let mut bytes = [0u8; 16];
        self.rng.fill_bytes(&mut bytes);
        let n = (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{n:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// The five characters the apiserver appends to `generateName`.
    pub fn new_suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5).map(|_| LETTERS[self.rng.next_u32() as usize % LETTERS.len()] as char).collect()
    }

    fn record(&mut self, change: Change) {
        self.log.push_back(change);
        if self.log.len() > KEPT
            && let Some(oldest) = self.log.pop_front()
        {
            self.forgotten = oldest.revision;
        }
    }
}

/// A time as objects carry it: RFC 3339 in UTC with whole seconds.
pub fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time as `MicroTime` fields carry it (leases, `eventTime`): six digits of fraction.
pub fn stamp_micro(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The string at a JSON pointer, "" when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"].as_object_mut().expect("made an object just above")
}

fn changed_beside_status(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return true };
    let counts = |key: &String| key != "metadata" && key != "status";
    before.iter().any(|(k, v)| counts(k) && after.get(k) != Some(v))
        || after.keys().any(|k| counts(k) && !before.contains_key(k))
}

#[cfg(test)]
mod tests;
