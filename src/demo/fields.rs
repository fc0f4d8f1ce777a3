//! Who set which field of an object: `metadata.managedFields`, and the keys by which lists are merged.
//!
//! The store records every write with it; server-side apply finds its conflicts with it. Coarser than a
//! real apiserver: writes of controllers are recorded two levels deep, and "." entries are left out. Pure.

use serde_json::{Map, Value, json};

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

const SYSTEM: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

/// Maps that belong to one owner as a whole.
const ATOMIC: &[&str] = &["selector", "matchLabels", "nodeSelector", "involvedObject"];

/// The keys that identify an item of a list that is merged and not replaced; None for a list that is
/// replaced as a whole. After the `x-kubernetes-list-map-keys` and `patchMergeKey` of the API.
pub fn list_keys(field: &str, items: &[Value]) -> Option<&'static [&'static str]> {
    let has = |key: &str| items.iter().any(|i| i.get(key).is_some());
    let keys: &'static [&'static str] = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "resourceClaims" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "conditions" | "addresses" => &["type"],
        "ownerReferences" => &["uid"],
        "hostAliases" | "podIPs" | "hostIPs" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        "taints" => &["key", "effect"],
        "ports" if has("containerPort") => &["containerPort"],
        "ports" if has("port") => &["port"],
        _ => return None,
    };
    items.iter().all(Value::is_object).then_some(keys)
}

/// Whether two items of a merged list are the same item.
pub fn same_item(keys: &[&str], one: &Value, two: &Value) -> bool {
    keys.iter().all(|k| one.get(k) == two.get(k))
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

/// The tree of fields that are in `after` and differ from `before`.
fn changed(before: Option<&Value>, after: &Value, depth: usize) -> Map<String, Value> {
    let mut tree = Map::new();
    for (key, value) in after.as_object().into_iter().flatten() {
        if key == "apiVersion" || key == "kind" {
            continue;
        }
        let old = before.and_then(|b| b.get(key));
        if key == "metadata" {
            let mut below = Map::new();
            for (key, value) in value.as_object().into_iter().flatten() {
                if !SYSTEM.contains(&key.as_str()) {
                    differ(&format!("f:{key}"), key, old.and_then(|o| o.get(key)), value, depth, &mut below);
                }
            }
            if !below.is_empty() {
                tree.insert("f:metadata".into(), below.into());
            }
        } else if !(key == "status" && value.as_object().is_some_and(Map::is_empty)) {
            differ(&format!("f:{key}"), key, old, value, depth, &mut tree);
        }
    }
    tree
}

fn differ(
    step: &str,
    field: &str,
    old: Option<&Value>,
    new: &Value,
    depth: usize,
    out: &mut Map<String, Value>,
) {
    if old == Some(new) {
        return;
    }
    let mut below = Map::new();
    if depth > 1 && !ATOMIC.contains(&field) {
        match new {
            Value::Object(map) => {
                for (key, value) in map {
                    differ(
                        &format!("f:{key}"),
                        key,
                        old.and_then(|o| o.get(key)),
                        value,
                        depth - 1,
                        &mut below,
                    );
                }
                if below.is_empty() && !map.is_empty() {
                    return; // only removals below
                }
            }
            Value::Array(items) if !items.is_empty() => {
                if let Some(keys) = list_keys(field, items) {
                    let olds = old.and_then(Value::as_array);
                    for item in items {
                        let before = olds.and_then(|o| o.iter().find(|o| same_item(keys, o, item)));
                        let mut inner = Map::new();
                        differ("f:", "", before, item, depth - 1, &mut inner);
                        let Some(Value::Object(mut inner)) = inner.remove("f:") else { continue };
                        if before.is_none() {
                            inner.insert(".".into(), json!({}));
                        }
                        let key: Map<String, Value> =
                            keys.iter().map(|k| ((*k).into(), item[*k].clone())).collect();
                        below.insert(format!("k:{}", Value::Object(key)), inner.into());
                    }
                }
            }
            _ => {}
        }
    }
    out.insert(step.into(), below.into());
}

/// Takes from `owned` the leaves of `other`.
fn subtract(owned: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (step, below) in other {
        let Some(Value::Object(mine)) = owned.get_mut(step) else { continue };
        let theirs = below.as_object();
        if theirs.is_none_or(Map::is_empty) {
            owned.remove(step);
        } else if !mine.is_empty() {
            if let Some(theirs) = theirs {
                subtract(mine, theirs);
            }
            if mine.is_empty()
                || mine.keys().all(|k| k == ".") && !theirs.is_some_and(|t| t.contains_key("."))
            {
                owned.remove(step);
            }
        }
    }
}

fn unite(owned: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (step, below) in other {
        match owned.get_mut(step) {
            Some(Value::Object(mine)) if !mine.is_empty() => {
                if let Some(below) = below.as_object() {
                    unite(mine, below);
                }
            }
            Some(_) => {}
            None => {
                owned.insert(step.clone(), below.clone());
            }
        }
    }
}

/// Drops from `owned` what the object no longer has.
fn keep_existing(owned: &mut Map<String, Value>, object: &Value) {
    owned.retain(|step, below| {
        if step == "." {
            return true;
        }
        let Some(value) = child(object, step) else { return false };
        match below.as_object_mut() {
            Some(below) if !below.is_empty() => {
                keep_existing(below, value);
                !below.is_empty()
            }
            _ => true,
        }
    });
}

fn child<'a>(object: &'a Value, step: &str) -> Option<&'a Value> {
    if let Some(name) = step.strip_prefix("f:") {
        return object.get(name);
    }
    let key: Value = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
    let keys: Vec<&str> = key.as_object()?.keys().map(String::as_str).collect();
    object.as_array()?.iter().find(|i| same_item(&keys, i, &key))
}

fn overlaps(
    owned: &Map<String, Value>,
    wanted: &Map<String, Value>,
    live: &Value,
    applied: &Value,
    path: String,
    out: &mut Vec<String>,
) {
    for (step, below) in wanted {
        if step == "." {
            continue;
        }
        let Some(mine) = owned.get(step).and_then(Value::as_object) else { continue };
        let (old, new) = (child(live, step), child(applied, step));
        if old == new {
            continue;
        }
        let path = match step.strip_prefix("f:") {
            Some(name) => format!("{path}.{name}"),
            None => format!("{path}{}", bracketed(step)),
        };
        match below.as_object() {
            Some(below) if !below.is_empty() && !mine.is_empty() => {
                let null = Value::Null;
                overlaps(mine, below, old.unwrap_or(&null), new.unwrap_or(&null), path, out);
            }
            _ => out.push(path),
        }
    }
}

/// `k:{"name":"nginx"}` as messages write it: `[name="nginx"]`.
fn bracketed(step: &str) -> String {
    let key: Value = step.strip_prefix("k:").and_then(|k| serde_json::from_str(k).ok()).unwrap_or_default();
    let pairs: Vec<String> = key.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={v}")).collect();
    format!("[{}]", pairs.join(","))
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
