//! Who set which field of an object: `metadata.managedFields`, and the keys by which lists are merged.
//!
//! The store records every write with it; server-side apply finds its conflicts with it. Coarser than a
//! real apiserver: writes of controllers are recorded two levels deep, and "." entries are left out. Pure.

mod lists;
mod tree;

use serde_json::{Map, Value, json};

pub use lists::{list_keys, merge_keys, same_item};
use tree::{changed, keep_existing, overlaps, subtract, unite};

use super::kind::Kind;

/// The author of a write, as `managedFields` tells authors apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Name of the manager: `fieldManager`, or the first word of the user agent. "" records nothing, as
    /// the binding of a pod to its node does.
    pub name: String,
    /// Whether the write is a server-side apply.
    pub apply: bool,
    /// The subresource written through: `status`, `scale`.
    pub subresource: Option<String>,
    /// Down to which depth fields are told apart.
    pub depth: usize,
}

impl Manager {
    /// A controller of the world: coarse records.
    pub fn update(name: &str) -> Self {
        Self { name: name.into(), apply: false, subresource: None, depth: 2 }
    }

    /// A client of the API: full records.
    pub fn client(name: &str) -> Self {
        Self { depth: usize::MAX, ..Self::update(name) }
    }

    /// A server-side apply.
    pub fn applier(name: &str) -> Self {
        Self { apply: true, ..Self::client(name) }
    }

    /// The same manager writing through a subresource.
    pub fn through(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.into());
        self
    }

    fn operation(&self) -> &'static str {
        if self.apply { "Apply" } else { "Update" }
    }

    fn is(&self, entry: &Value) -> bool {
        entry["manager"] == self.name.as_str()
            && entry["operation"] == self.operation()
            && entry["subresource"].as_str() == self.subresource.as_deref()
    }
}

/// A conflict of a server-side apply: the other manager and the field, as messages write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// Who owns the field.
    pub manager: String,
    /// Whether the owner wrote it by an update (and with which version), not by an apply.
    pub update: Option<String>,
    /// The path: `.data.state`.
    pub field: String,
}

/// Writes into `after` who owns what, now that `by` has made it from `before`.
pub fn record(before: Option<&Value>, after: &mut Value, by: &Manager, kind: &Kind, now: &str) {
    let entries = before.map(|b| b["metadata"]["managedFields"].clone()).unwrap_or_default();
    let mut entries = match entries {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    };
    let changed = changed(before, after, by.depth);
    for entry in &mut entries {
        let mine = by.is(entry);
        if let Some(owned) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) {
            if !mine {
                subtract(owned, &changed);
            }
            keep_existing(owned, after);
        }
    }
    let own = entries.iter_mut().find(|e| by.is(e));
    match own {
        Some(entry) if !changed.is_empty() => {
            if let Some(owned) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) {
                unite(owned, &changed);
            }
            entry["time"] = now.into();
            untimed(entry);
        }
        None if !by.name.is_empty() && (!changed.is_empty() || by.apply) => {
            entries.push(entry(by, kind, now, changed))
        }
        _ => {}
    }
    entries.retain(|e| e["fieldsV1"].as_object().is_some_and(|f| !f.is_empty()));
    if let Some(metadata) = after.get_mut("metadata").and_then(Value::as_object_mut) {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}

/// Makes the applier's own entry exactly the fields of its configuration.
pub fn own_applied(object: &mut Value, applied: &Value, by: &Manager, kind: &Kind, now: &str) {
    let owned = changed(None, applied, usize::MAX);
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let entries = metadata.entry("managedFields").or_insert_with(|| json!([]));
    let Some(entries) = entries.as_array_mut() else { return };
    match entries.iter_mut().find(|e| by.is(e)) {
        Some(entry) => entry["fieldsV1"] = Value::Object(owned),
        None => entries.insert(0, entry(by, kind, now, owned)),
    }
}

/// What an apply of `applied` on `live` would take from other managers.
pub fn conflicts(live: &Value, applied: &Value, by: &Manager) -> Vec<FieldConflict> {
    let wanted = changed(None, applied, usize::MAX);
    let mut found = Vec::new();
    for entry in live["metadata"]["managedFields"].as_array().into_iter().flatten() {
        if entry["manager"] == by.name.as_str() && entry["operation"] == by.operation() {
            continue;
        }
        let Some(owned) = entry["fieldsV1"].as_object() else { continue };
        let manager = entry["manager"].as_str().unwrap_or_default();
        let update = (entry["operation"] == "Update")
            .then(|| entry["apiVersion"].as_str().unwrap_or_default().to_owned());
        let mut paths = Vec::new();
        overlaps(owned, &wanted, live, applied, String::new(), &mut paths);
        found.extend(paths.into_iter().map(|field| FieldConflict {
            manager: manager.into(),
            update: update.clone(),
            field,
        }));
    }
    found
}

/// The fields the applier owned through its last apply and no longer applies: they are removed from the
/// object when nobody else owns them.
pub fn abandoned(live: &Value, applied: &Value, by: &Manager) -> Map<String, Value> {
    let entries = live["metadata"]["managedFields"].as_array();
    let mut left = Map::new();
    for entry in entries.into_iter().flatten().filter(|e| by.is(e)) {
        if let Some(owned) = entry["fieldsV1"].as_object() {
            left = owned.clone();
        }
    }
    subtract(&mut left, &changed(None, applied, usize::MAX));
    for entry in entries.into_iter().flatten().filter(|e| !by.is(e)) {
        if let Some(owned) = entry["fieldsV1"].as_object() {
            subtract(&mut left, owned);
        }
    }
    left
}

/// Removes the fields of the tree from the object.
pub fn remove_fields(object: &mut Value, fields: &Map<String, Value>) {
    for (step, below) in fields {
        let Some(below) = below.as_object() else { continue };
        if let (Some(name), Some(map)) = (step.strip_prefix("f:"), object.as_object_mut()) {
            let whole = below.is_empty();
            if whole {
                map.remove(name);
            } else if let Some(inner) = map.get_mut(name) {
                remove_fields(inner, below);
            }
        } else if let (Some(key), Some(items)) = (step.strip_prefix("k:"), object.as_array_mut()) {
            let Ok(key) = serde_json::from_str::<Value>(key) else { continue };
            let keys: Vec<&str> =
                key.as_object().map(|k| k.keys().map(String::as_str).collect()).unwrap_or_default();
            if below.contains_key(".") {
                items.retain(|i| !same_item(&keys, i, &key));
            } else if let Some(item) = items.iter_mut().find(|i| same_item(&keys, i, &key)) {
                remove_fields(item, below);
            }
        }
    }
}

fn entry(by: &Manager, kind: &Kind, now: &str, fields: Map<String, Value>) -> Value {
    let mut entry = json!({
        "manager": by.name,
        "operation": by.operation(),
        "apiVersion": kind.api_version(),
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    });
    if let Some(subresource) = &by.subresource {
        entry["subresource"] = subresource.as_str().into();
    }
    untimed(&mut entry);
    entry
}

/// The scale subresource records no time: seen on a real apiserver.
fn untimed(entry: &mut Value) {
    if entry["subresource"] == "scale"
        && let Some(entry) = entry.as_object_mut()
    {
        entry.remove("time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn a_field_belongs_to_who_changed_it_last() {
        let mut one = json!({"metadata": {"name": "d"}, "spec": {"replicas": 2, "paused": false}});
        record(None, &mut one, &Manager::client("kubectl"), Kind::DEPLOYMENT, NOW);
        let mut two = one.clone();
        two["spec"]["replicas"] = 3.into();
        record(Some(&one), &mut two, &Manager::client("hpa").through("scale"), Kind::DEPLOYMENT, NOW);
        let entries = &two["metadata"]["managedFields"];
        assert_eq!(entries[0]["fieldsV1"], json!({"f:spec": {"f:paused": {}}}));
        assert_eq!(entries[1]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
        assert!(entries[1].get("time").is_none());
    }

    #[test]
    fn a_removed_field_has_no_owner() {
        let mut one = json!({"metadata": {"name": "d", "annotations": {"a": "b"}}});
        record(None, &mut one, &Manager::client("kubectl"), Kind::DEPLOYMENT, NOW);
        let mut two = one.clone();
        two["metadata"]["annotations"] = json!({});
        record(Some(&one), &mut two, &Manager::client("other"), Kind::DEPLOYMENT, NOW);
        assert!(!two.to_string().contains("f:a\""), "{two}");
    }

    #[test]
    fn applying_another_value_conflicts_and_the_same_value_does_not() {
        let mut live = json!({"metadata": {"name": "c"}, "data": {"state": "planned"}});
        record(None, &mut live, &Manager::applier("one"), Kind::CONFIG_MAP, NOW);
        let two = Manager::applier("two");
        assert_eq!(conflicts(&live, &json!({"data": {"state": "planned"}}), &two), []);
        let found = conflicts(&live, &json!({"data": {"state": "done"}}), &two);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].manager.as_str(), found[0].field.as_str()), ("one", ".data.state"));
    }

    #[test]
    fn a_container_is_told_by_its_name() {
        let pod = |image: &str| json!({"spec": {"containers": [{"name": "nginx", "image": image}]}});
        let mut live = pod("a");
        live["metadata"] = json!({"name": "p"});
        record(None, &mut live, &Manager::applier("one"), Kind::POD, NOW);
        let found = conflicts(&live, &pod("b"), &Manager::applier("two"));
        assert_eq!(found[0].field, ".spec.containers[name=\"nginx\"].image");
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let mut live = json!({"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}});
        let by = Manager::applier("one");
        record(None, &mut live, &by, Kind::CONFIG_MAP, NOW);
        let left = abandoned(&live, &json!({"data": {"a": "1"}}), &by);
        remove_fields(&mut live, &left);
        assert_eq!(live["data"], json!({"a": "1"}));
    }
}
