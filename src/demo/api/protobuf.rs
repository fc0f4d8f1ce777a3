//! Protobuf bodies, read into JSON: current kubectl and other Go clients send them.
//!
//! Replies are always JSON, which such clients accept. The messages that clients of this cluster create
//! are listed in `protobuf.schema`; others are refused as an unsupported media type.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::store::{stamp, stamp_micro};

/// Integers that are pointers in Go: their zero is a value and not an absence.
const OPTIONAL_INTS: &[&str] = &[
    "replicas",
    "minReplicas",
    "partition",
    "parallelism",
    "completions",
    "backoffLimit",
    "gracePeriodSeconds",
    "terminationGracePeriodSeconds",
    "revisionHistoryLimit",
    "tolerationSeconds",
    "ttlSecondsAfterFinished",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "leaseTransitions",
    "value",
];

/// Booleans that are pointers in Go.
const OPTIONAL_BOOLS: &[&str] = &[
    "automountServiceAccountToken",
    "enableServiceLinks",
    "optional",
    "suspend",
    "controller",
    "blockOwnerDeletion",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "runAsNonRoot",
    "privileged",
    "immutable",
    "orphanDependents",
];

/// How deep messages may be nested.
const DEEPEST: usize = 64;

struct Field {
    name: &'static str,
    kind: &'static str,
    repeated: bool,
    map: bool,
}

type Message = HashMap<u64, Field>;

static SCHEMA: LazyLock<HashMap<&'static str, Message>> = LazyLock::new(|| {
    include_str!("protobuf.schema")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ').filter(|w| !w.is_empty());
            let name = words.next()?;
            let fields = words.filter_map(|word| {
                let mut parts = word.splitn(3, ':');
                let (number, name, kind) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
                let (repeated, map) = (kind.starts_with('*'), kind.starts_with('%'));
                Some((number, Field { name, kind: kind.trim_start_matches(['*', '%']), repeated, map }))
            });
            Some((name, fields.collect()))
        })
        .collect()
});

/// Reads the envelope `k8s\0` with its type and the message in it.
///
/// # Errors
/// A sentence saying what is wrong with the bytes.
pub(super) fn decode(body: &[u8]) -> Result<Value, String> {
    let envelope =
        body.strip_prefix(b"k8s\0").ok_or("the body does not start with the protobuf magic number")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for (number, value) in fields(envelope)? {
        match (number, value) {
            (1, Wire::Bytes(meta)) => {
                for (number, value) in fields(meta)? {
                    match (number, value) {
                        (1, Wire::Bytes(text)) => api_version = String::from_utf8_lossy(text).into(),
                        (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into(),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    if !SCHEMA.contains_key(kind.as_str()) {
        return Err(format!("no protobuf schema for kind \"{kind}\""));
    }
    let mut object = message(&kind, raw, 0)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(object.into())
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    if depth > DEEPEST {
        return Err("messages are nested too deeply".into());
    }
    let empty = Message::new();
    let schema = SCHEMA.get(name).unwrap_or(&empty);
    let mut object = Map::new();
    for (number, wire) in fields(bytes)? {
        let Some(field) = schema.get(&number) else { continue };
        if field.map {
            let (mut key, mut value) = (String::new(), None);
            if let Wire::Bytes(entry) = wire {
                for (number, wire) in fields(entry)? {
                    match (number, &wire) {
                        (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into(),
                        (2, _) => value = Some(self::value(field, &wire, depth)?),
                        _ => {}
                    }
                }
            }
            let map = object.entry(field.name).or_insert_with(|| json!({}));
            map[key] = value.unwrap_or_else(|| json!(""));
        } else if field.name == "-" {
            if let Value::Object(inline) = value(field, &wire, depth)? {
                object.extend(inline);
            }
        } else if field.repeated {
            let value = value(field, &wire, depth)?;
            if let Some(list) = object.entry(field.name).or_insert_with(|| json!([])).as_array_mut() {
                list.push(value);
            }
        } else {
            let value = value(field, &wire, depth)?;
            let absent = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Number(n) => n.as_i64() == Some(0) && !OPTIONAL_INTS.contains(&field.name),
                Value::Bool(yes) => !yes && !OPTIONAL_BOOLS.contains(&field.name),
                _ => false,
            };
            if !absent {
                object.insert(field.name.into(), value);
            }
        }
    }
    Ok(object)
}

fn value(field: &Field, wire: &Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (field.kind, wire) {
        ("s", Wire::Bytes(text)) => String::from_utf8_lossy(text).into(),
        ("b", Wire::Bytes(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        ("o", Wire::Varint(n)) => (*n != 0).into(),
        ("i", Wire::Varint(n)) => n.cast_signed().into(),
        ("d", Wire::Fixed(bits)) => f64::from_bits(*bits).into(),
        ("Q", Wire::Bytes(bytes)) => string_at(bytes, 1)?.into(),
        ("I", Wire::Bytes(bytes)) => {
            if number_at(bytes, 1)? == 1 {
                string_at(bytes, 3)?.into()
            } else {
                number_at(bytes, 2)?.into()
            }
        }
        ("T" | "U", Wire::Bytes(bytes)) => {
            let (seconds, nanos) = (number_at(bytes, 1)?, number_at(bytes, 2)?);
            let at = Timestamp::new(seconds, i32::try_from(nanos).unwrap_or(0));
            match at {
                Ok(_) if seconds == 0 && nanos == 0 => Value::Null,
                Ok(at) => if field.kind == "T" { stamp(at) } else { stamp_micro(at) }.into(),
                Err(e) => return Err(e.to_string()),
            }
        }
        ("J", Wire::Bytes(bytes)) => {
            let raw = fields(bytes)?.into_iter().find_map(|(number, wire)| match (number, wire) {
                (1, Wire::Bytes(raw)) => Some(raw),
                _ => None,
            });
            serde_json::from_slice(raw.unwrap_or(b"null")).map_err(|e| e.to_string())?
        }
        (name, Wire::Bytes(bytes)) if SCHEMA.contains_key(name) => message(name, bytes, depth + 1)?.into(),
        _ => return Err(format!("field {} has the wrong wire type", field.name)),
    })
}

fn string_at(bytes: &[u8], number: u64) -> Result<String, String> {
    let found = fields(bytes)?.into_iter().find_map(|(n, wire)| match wire {
        Wire::Bytes(text) if n == number => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    Ok(found.unwrap_or_default())
}

fn number_at(bytes: &[u8], number: u64) -> Result<i64, String> {
    let found = fields(bytes)?.into_iter().find_map(|(n, wire)| match wire {
        Wire::Varint(value) if n == number => Some(value.cast_signed()),
        _ => None,
    });
    Ok(found.unwrap_or_default())
}

enum Wire<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in their order.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, String> {
    const CUT: &str = "the protobuf message is cut short";
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes).ok_or(CUT)?;
        let wire = match tag & 7 {
            0 => Wire::Varint(varint(&mut bytes).ok_or(CUT)?),
            1 => {
                let (fixed, rest) = bytes.split_first_chunk::<8>().ok_or(CUT)?;
                bytes = rest;
                Wire::Fixed(u64::from_le_bytes(*fixed))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes).ok_or(CUT)?).map_err(|_| CUT)?;
                let (inner, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
                bytes = rest;
                Wire::Bytes(inner)
            }
            5 => {
                let (fixed, rest) = bytes.split_first_chunk::<4>().ok_or(CUT)?;
                bytes = rest;
                Wire::Fixed(u32::from_le_bytes(*fixed).into())
            }
            other => return Err(format!("unknown protobuf wire type {other}")),
        };
        found.push((tag >> 3, wire));
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift < 64 {
            value |= u64::from(first & 0x7f) << shift;
        }
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    fn enveloped(kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn an_object_is_read() {
        let metadata = field(1, &field(1, b"c"));
        let data = field(2, &[field(1, b"key"), field(2, b"value")].concat());
        let read = decode(&enveloped("ConfigMap", &[metadata, data].concat())).unwrap();
        let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"key": "value"}});
        assert_eq!(read, wanted);
    }

    #[test]
    fn zeros_that_mean_something_are_kept() {
        let spec = [vec![1 << 3, 0], vec![5 << 3, 0]].concat();
        let read = decode(&enveloped("Deployment", &field(2, &spec))).unwrap();
        assert_eq!(read["spec"], json!({"replicas": 0}));
    }

    #[test]
    fn broken_bytes_are_refused_and_never_panic() {
        let whole = enveloped("ConfigMap", &field(1, &field(1, b"c")));
        for end in 0..whole.len() {
            let _ = decode(&whole[..end]);
        }
        assert!(decode(b"{}").is_err());
        assert!(decode(&enveloped("Nothing", b"")).is_err());
        assert!(decode(&enveloped("ConfigMap", &[0xff; 20])).is_err());
    }
}
