//! The four kinds of patches, as pure functions from an object and a body to a new object.

use json_patch::{AddOperation, PatchOperation, ReplaceOperation};
use serde_json::{Map, Value};

use super::decode::{self, Strictness};
use super::failure::{Failure, Fault};
use super::types::Message;
use crate::fields;

/// How a patch's body is to be read; from its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7396.
    Merge,
    /// Kubernetes' own, which merges lists by keys.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchType {
    /// The type of a `Content-Type` header.
    ///
    /// # Errors
    /// 415.
    pub fn of(content_type: &str) -> Result<Self, Failure> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Ok(PatchType::Json),
            "application/merge-patch+json" => Ok(PatchType::Merge),
            "application/strategic-merge-patch+json" => Ok(PatchType::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(PatchType::Apply),
            _ => Err(Failure {
                details: Value::Object(Map::new()),
                ..Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
            }),
        }
    }
}

/// The object a patch makes of `object`. For [`PatchType::Apply`] see `write`, which needs the owners.
///
/// # Errors
/// 400 when the body is not such a patch, 422 when it does not fit the object.
pub fn patched(patch: PatchType, object: &Value, body: &[u8]) -> Result<Value, Failure> {
    let mut after = object.clone();
    match patch {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_slice(body)
                .map_err(|e| Failure::bad_request(format!("error decoding patch: {e}")))?;
            for operation in operations.0 {
                let operation = lenient(operation, &after);
                json_patch::patch(&mut after, &[operation]).map_err(|_| {
                    let message = "the server rejected our request due to an error in our request";
                    Failure { details: Value::Object(Map::new()), ..Failure::new(422, "Invalid", message) }
                })?;
            }
        }
        PatchType::Merge => json_patch::merge(&mut after, &object_of(body)?),
        PatchType::Strategic | PatchType::Apply => strategic(&mut after, &object_of(body)?),
    }
    if after.is_object() {
        Ok(after)
    } else {
        Err(Failure::bad_request("the patch does not leave an object"))
    }
}

/// The library of the apiserver adds a member that is to be replaced and is not there.
fn lenient(operation: PatchOperation, object: &Value) -> PatchOperation {
    match operation {
        PatchOperation::Replace(ReplaceOperation { path, value })
            if object.pointer(path.as_str()).is_none()
                && path
                    .parent()
                    .and_then(|parent| object.pointer(parent.as_str()))
                    .is_some_and(Value::is_object) =>
        {
            PatchOperation::Add(AddOperation { path, value })
        }
        other => other,
    }
}

/// Checks what a patch made against the type it has to be, and takes away the fields that it does not have. Returns
/// the warnings of the reply.
///
/// # Errors
/// 422 with the patch (a strategic one) or with what it made, as a real apiserver tells it.
pub(super) fn decoded(
    message: &Message,
    patch: PatchType,
    body: &[u8],
    wanted: &mut Value,
    strictness: Strictness,
) -> Result<Vec<String>, Failure> {
    let made = wanted.to_string();
    let told = decode::decoded(message, wanted).and_then(|mut told| {
        if patch != PatchType::Json {
            told.extend(decode::duplicates(body));
        }
        strictness.judge(told)
    });
    told.map_err(|why| {
        let shown = match patch {
            PatchType::Strategic => go_map(&serde_json::from_slice(body).unwrap_or_default()),
            _ => made,
        };
        Failure::invalid("", "", "", &[Fault::invalid("patch", &Value::String(shown), &why)])
    })
}

/// A value as Go prints it with `%+v`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}:{}", go_map(value)));
            format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

fn object_of(body: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Failure::bad_request(format!("error decoding patch: {e}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Failure::bad_request("error decoding patch: it is not an object"))
    }
}

/// Merges `patch` into `object` as a strategic merge patch does: maps key by key, null deletes, lists with
/// a merge key item by item, other lists as a whole; `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/`
/// and `$setElementOrder/` directives.
pub fn strategic(object: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if patch.get("$patch").is_some_and(|d| d == "replace") || !object.is_object() {
        let mut fresh = Value::Object(Map::new());
        merge_into(&mut fresh, patch);
        *object = fresh;
        return;
    }
    if patch.get("$patch").is_some_and(|d| d == "delete") {
        *object = Value::Object(Map::new());
        return;
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array)
        && let Some(map) = object.as_object_mut()
    {
        map.retain(|key, _| kept.iter().any(|k| k == key));
    }
    merge_into(object, patch);
}

fn merge_into(object: &mut Value, patch: &Map<String, Value>) {
    let Some(map) = object.as_object_mut() else { return };
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(items), Some(gone)) =
                (map.get_mut(list).and_then(Value::as_array_mut), value.as_array())
            {
                items.retain(|i| !gone.contains(i));
            }
        } else if key.starts_with('$') {
            // directives that were read before, or that only order lists
        } else if value.is_null() {
            map.remove(key);
        } else if let Value::Array(items) = value {
            let merged = merged_list(key, map.get(key).and_then(Value::as_array), items);
            map.insert(key.clone(), merged);
        } else if value.is_object() {
            strategic(map.entry(key.clone()).or_insert(Value::Null), value);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
}

fn merged_list(field: &str, old: Option<&Vec<Value>>, patch: &[Value]) -> Value {
    let old = old.cloned().unwrap_or_default();
    if field == "finalizers" {
        let new = patch.iter().filter(|i| !old.contains(i)).cloned().collect::<Vec<_>>();
        return old.iter().cloned().chain(new).collect();
    }
    let directive = |item: &Value| item.get("$patch").and_then(Value::as_str).map(str::to_owned);
    let replace = patch.iter().any(|i| directive(i).as_deref() == Some("replace"));
    let items: Vec<Value> =
        patch.iter().filter(|i| directive(i).as_deref() != Some("replace")).cloned().collect();
    let all: Vec<Value> = old.iter().chain(&items).cloned().collect();
    let Some(keys) = fields::list_keys(field, &all) else { return Value::Array(items) };
    if replace {
        return Value::Array(items);
    }
    // the merge key of a strategic patch is the first of the keys
    let keys = &keys[..1];
    let mut merged = old;
    for item in items {
        let found = merged.iter().position(|o| fields::same_item(keys, o, &item));
        match (found, directive(&item).as_deref() == Some("delete")) {
            (Some(at), true) => {
                merged.remove(at);
            }
            (Some(at), false) => strategic(&mut merged[at], &item),
            (None, true) => {}
            (None, false) => {
                let mut fresh = Value::Object(Map::new());
                strategic(&mut fresh, &item);
                merged.push(fresh);
            }
        }
    }
    Value::Array(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_strategic_patch_merges_containers_by_name() {
        let mut pod = json!({"spec": {"containers": [{"name": "nginx", "image": "a"}, {"name": "php", "image": "b", "tty": true}]}});
        strategic(
            &mut pod,
            &json!({"spec": {"containers": [{"name": "php", "image": "c"}, {"name": "new", "image": "d"}]}}),
        );
        let containers = pod["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 3);
        assert_eq!(containers[1], json!({"name": "php", "image": "c", "tty": true}));
    }

    #[test]
    fn directives_delete_replace_and_retain() {
        let mut o =
            json!({"containers": [{"name": "a"}, {"name": "b"}], "m": {"x": 1, "y": 2}, "finalizers": ["f"]});
        let patch = json!({
            "containers": [{"name": "a", "$patch": "delete"}],
            "m": {"$patch": "replace", "z": 3},
            "$deleteFromPrimitiveList/finalizers": ["f"],
            "$setElementOrder/containers": [{"name": "b"}],
        });
        strategic(&mut o, &patch);
        assert_eq!(o, json!({"containers": [{"name": "b"}], "m": {"z": 3}, "finalizers": []}));
    }

    #[test]
    fn a_list_without_a_key_is_replaced() {
        let mut o = json!({"tolerations": [{"key": "a"}], "args": [1, 2]});
        strategic(&mut o, &json!({"tolerations": [{"key": "b"}], "args": [3]}));
        assert_eq!(o, json!({"tolerations": [{"key": "b"}], "args": [3]}));
    }

    #[test]
    fn a_member_that_is_not_there_is_replaced_and_an_item_is_not() {
        let o = json!({"spec": {}, "list": []});
        let replaced =
            patched(PatchType::Json, &o, br#"[{"op":"replace","path":"/spec/replicas","value":2}]"#).unwrap();
        assert_eq!(replaced["spec"], json!({"replicas": 2}));
        for none in [
            br#"[{"op":"replace","path":"/list/0","value":2}]"#.as_slice(),
            br#"[{"op":"replace","path":"/a/b","value":2}]"#,
            br#"[{"op":"remove","path":"/spec/replicas"}]"#,
        ] {
            assert_eq!(patched(PatchType::Json, &o, none).unwrap_err().code, 422);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_shown_as_go_shows_it() {
        let message = Message::of_kind(crate::kind::Kind::DEPLOYMENT).unwrap();
        let body = br#"{"spec":{"replicas":"2"}}"#;
        let made = || json!({"spec": {"replicas": "2"}});
        let why = |patch| decoded(message, patch, body, &mut made(), Strictness::Warn).unwrap_err().message;
        let end =
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
        let merge = format!(
            " \"\" is invalid: patch: Invalid value: \"{{\\\"spec\\\":{{\\\"replicas\\\":\\\"2\\\"}}}}\": {end}"
        );
        assert_eq!(why(PatchType::Merge), merge);
        let strategic =
            format!(" \"\" is invalid: patch: Invalid value: \"map[spec:map[replicas:2]]\": {end}");
        assert_eq!(why(PatchType::Strategic), strategic);
    }

    #[test]
    fn a_failing_test_is_invalid_and_a_bad_body_is_bad() {
        let o = json!({"a": 1});
        let failing = br#"[{"op":"test","path":"/a","value":2}]"#;
        assert_eq!(patched(PatchType::Json, &o, failing).unwrap_err().code, 422);
        assert_eq!(patched(PatchType::Json, &o, b"{").unwrap_err().code, 400);
        assert_eq!(patched(PatchType::Merge, &o, b"[]").unwrap_err().code, 400);
        assert_eq!(
            patched(PatchType::Json, &o, br#"[{"op":"replace","path":"","value":3}]"#).unwrap_err().code,
            400
        );
        assert_eq!(PatchType::of("application/json").unwrap_err().code, 415);
    }
}
