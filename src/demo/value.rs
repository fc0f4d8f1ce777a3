//! Reading and writing JSON objects that may be odd: nothing here panics, whatever a user stored.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::store::stamp;

/// The string, or "".
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items, or none.
pub(crate) fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().map_or(&[] as &[Value], Vec::as_slice).iter()
}

/// The whole number, or 0.
pub(crate) fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// A time as objects carry it.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// `metadata.namespace`, "" for cluster-scoped objects.
pub(crate) fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// Whether its deletion has been asked for.
pub(crate) fn terminating(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// The owner reference with `controller: true`.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    list(&object["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true)
}

/// A controller's reference to `owner`.
pub(crate) fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

/// The field as an object, made one when it is something else.
pub(crate) fn map<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut at = value;
    for key in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[*key];
    }
    if !at.is_object() {
        *at = json!({});
    }
    at.as_object_mut().expect("made an object just above")
}

/// Sets the field at the path; `null` removes it.
pub(crate) fn set(value: &mut Value, path: &[&str], to: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let map = map(value, parents);
    if to.is_null() {
        map.remove(*last);
    } else {
        map.insert((*last).to_owned(), to);
    }
}

/// The status condition of this type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&object["status"]["conditions"]).find(|condition| condition["type"] == kind)
}

/// Whether the status condition of this type is `True`.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Puts a condition among the status conditions in the place of the one of its type. Its `lastTransitionTime`
/// is kept while its status stays the same.
pub(crate) fn set_condition(object: &mut Value, mut condition: Value, now: Timestamp) {
    let status = map(object, &["status"]);
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    let old = conditions.iter().position(|other| other["type"] == condition["type"]);
    let kept = old
        .map(|at| &conditions[at])
        .filter(|old| old["status"] == condition["status"])
        .map(|old| old["lastTransitionTime"].clone());
    map(&mut condition, &[])
        .insert("lastTransitionTime".to_owned(), kept.unwrap_or_else(|| stamp(now).into()));
    match old {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}

/// What the pod's container of this number runs with: what its kubelet says is in force, else what is asked for.
pub(crate) fn in_force<'a>(pod: &'a Value, index: usize, container: &'a Value) -> &'a Value {
    let told = list(&pod["status"]["containerStatuses"]).nth(index).map(|status| &status["resources"]);
    told.filter(|resources| resources.is_object()).unwrap_or(&container["resources"])
}

/// The pod is neither finished nor being deleted.
pub(crate) fn is_active(pod: &Value) -> bool {
    !terminating(pod) && !is_finished(pod)
}

/// The pod has ended by itself.
pub(crate) fn is_finished(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// The pod's `Ready` condition holds.
pub(crate) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// A number of pods or a percentage of `total`; rounded up where asked.
pub(crate) fn share(value: &Value, total: i64, round_up: bool) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let product = percent.checked_mul(total)?;
            Some(if round_up {
                product.div_euclid(100) + i64::from(product.rem_euclid(100) != 0)
            } else {
                product / 100
            })
        }
        _ => None,
    }
}

/// FNV-1a, 64 bits: what names, ids and noise are drawn from.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // FNV's high bits are weak for short input; one round of mixing spreads them.
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// A 64-digit hexadecimal id drawn from the parts.
pub(crate) fn digest(parts: &[&str]) -> String {
    let first = hash(parts);
    let mut next = first;
    let mut text = String::with_capacity(64);
    for _ in 0..4 {
        text.push_str(&format!("{next:016x}"));
        next = hash(&[&text]);
    }
    text
}

/// The letters that the apiserver and the controllers make suffixes of: no vowels, nothing easily confused.
pub(crate) fn safe(text: &str) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|byte| LETTERS[usize::from(byte) % LETTERS.len()] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_as_the_deployment_controller_rounds() {
        assert_eq!(share(&json!("25%"), 5, true), Some(2));
        assert_eq!(share(&json!("25%"), 5, false), Some(1));
        assert_eq!(share(&json!(3), 5, true), Some(3));
        assert_eq!(share(&json!("many"), 5, true), None);
    }

    #[test]
    fn writing_into_odd_objects_replaces_what_is_in_the_way() {
        let mut odd = json!({"status": "fine", "metadata": {"labels": []}});
        set(&mut odd, &["metadata", "labels", "a"], "b".into());
        set_condition(&mut odd, json!({"type": "Ready", "status": "True"}), Timestamp::UNIX_EPOCH);
        assert_eq!(odd["metadata"]["labels"]["a"], "b");
        assert!(is_ready(&odd));
    }
}
