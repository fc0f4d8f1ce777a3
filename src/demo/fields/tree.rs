//! Trees of fields, as `fieldsV1` writes them: what differs, and what two of them have in common.

use serde_json::{Map, Value, json};

use super::lists::{list_keys, same_item};

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

/// The tree of fields that are in `after` and differ from `before`.
pub(super) fn changed(before: Option<&Value>, after: &Value, depth: usize) -> Map<String, Value> {
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
pub(super) fn subtract(owned: &mut Map<String, Value>, other: &Map<String, Value>) {
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

pub(super) fn unite(owned: &mut Map<String, Value>, other: &Map<String, Value>) {
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
pub(super) fn keep_existing(owned: &mut Map<String, Value>, object: &Value) {
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

pub(super) fn overlaps(
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
