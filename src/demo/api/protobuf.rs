//! Protobuf bodies, read into JSON: current kubectl and other Go clients send them. And lists, written in protobuf for who
//! asks for that first.
//!
//! All other replies are JSON, which such clients accept. What is no type of the API's table is refused as an unsupported
//! media type.

use base64::Engine;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::reply::Listing;
use super::types::{Field, Message, Type};
use crate::store::{stamp, stamp_micro};

/// How deep messages may be nested.
const DEEPEST: usize = 64;

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
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let Some(schema) = Message::named(group, version, &kind) else {
        return Err(format!("no protobuf schema for kind \"{kind}\""));
    };
    let mut object = message(schema, raw, 0)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(object.into())
}

/// Whether a client would rather have protobuf than what else it takes.
pub(crate) fn is_wished(accept: &str) -> bool {
    accept.split(',').next().is_some_and(|media| media.trim() == MEDIA_TYPE)
}

/// What it is called in headers.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// A list of whole objects, in its envelope. `None`: something in it has no place in protobuf.
pub(crate) fn list(listing: &Listing) -> Option<Vec<u8>> {
    let kind = listing.kind;
    let schema = Message::of_kind(kind)?;
    let mut list = Vec::with_capacity(listing.items.len() * 4096);
    let mut metadata = Vec::new();
    write(Message::named("", "v1", "ListMeta")?, &listing.metadata, &mut metadata)?;
    put_bytes(1, &metadata, &mut list);
    let mut written = Vec::new();
    for object in &listing.items {
        written.clear();
        write(schema, object, &mut written)?;
        put_bytes(2, &written, &mut list);
    }
    let mut type_meta = Vec::new();
    put_bytes(1, kind.api_version().as_bytes(), &mut type_meta);
    put_bytes(2, kind.list_kind.as_bytes(), &mut type_meta);
    let mut envelope = Vec::with_capacity(list.len() + 64);
    envelope.extend(b"k8s\0");
    put_bytes(1, &type_meta, &mut envelope);
    put_bytes(2, &list, &mut envelope);
    put_bytes(3, b"", &mut envelope);
    put_bytes(4, b"", &mut envelope);
    Some(envelope)
}

/// Writes the fields of an object.
fn write(schema: &Message, object: &Value, out: &mut Vec<u8>) -> Option<()> {
    // The type of an object stands in the envelope.
    let told = |name: &str| schema.fields.iter().any(|field| field.number == 0 && field.name == name);
    write_fields(schema, object.as_object()?.iter().filter(|(name, _)| !told(name)), out)
}

/// A field of an object: its name and what it holds.
type Pair<'a> = (&'a String, &'a Value);

fn write_fields<'a>(
    schema: &Message,
    fields: impl Iterator<Item = Pair<'a>>,
    out: &mut Vec<u8>,
) -> Option<()> {
    // What stands in the place of an inlined message is written into that.
    let mut inlined: Vec<(&Field, &Message, Vec<Pair<'_>>)> = Vec::new();
    for (name, value) in fields {
        let Some(field) = schema.fields.iter().find(|field| field.name == name && field.number > 0) else {
            match inlined.iter_mut().find(|(_, message, _)| has(message, name)) {
                Some((.., inner)) => inner.push((name, value)),
                None => {
                    let (field, message) = schema.fields.iter().find_map(|field| inlines(field, name))?;
                    inlined.push((field, message, vec![(name, value)]));
                }
            }
            continue;
        };
        match (value, &field.holds) {
            (Value::Null, _) => {}
            (Value::Array(all), Type::List(holds)) => {
                all.iter().try_for_each(|one| put(field.number, holds, one, out))?;
            }
            (Value::Object(all), Type::Map(holds)) => {
                for (key, value) in all {
                    let mut entry = Vec::new();
                    put_bytes(1, key.as_bytes(), &mut entry);
                    put(2, holds, value, &mut entry)?;
                    put_bytes(field.number, &entry, out);
                }
            }
            (value, holds) => put(field.number, holds, value, out)?,
        }
    }
    for (field, message, fields) in inlined {
        let mut inner = Vec::new();
        write_fields(message, fields.into_iter(), &mut inner)?;
        put_bytes(field.number, &inner, out);
    }
    Some(())
}

fn has(message: &Message, name: &str) -> bool {
    message.fields.iter().any(|field| field.name == name)
}

/// The message of a field that stands in its place, where it has one of that name.
fn inlines<'a>(field: &'a Field, name: &str) -> Option<(&'a Field, &'static Message)> {
    match &field.holds {
        Type::Message(key) if field.name == "-" => {
            Some((field, Message::of(key)?)).filter(|(_, message)| has(message, name))
        }
        _ => None,
    }
}

/// Writes one value behind its number.
fn put(number: u64, holds: &Type, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    let mut inner = Vec::new();
    match holds {
        Type::Text => inner.extend(value.as_str()?.as_bytes()),
        Type::Bytes => inner = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?,
        Type::Bool => {
            put_varint(number << 3, out);
            put_varint(value.as_bool()?.into(), out);
            return Some(());
        }
        Type::Int32 | Type::Int64 => {
            put_varint(number << 3, out);
            put_varint(value.as_i64()?.cast_unsigned(), out);
            return Some(());
        }
        Type::Double => {
            put_varint(number << 3 | 1, out);
            out.extend(value.as_f64()?.to_le_bytes());
            return Some(());
        }
        Type::Quantity => match value {
            Value::Number(number) => put_bytes(1, number.to_string().as_bytes(), &mut inner),
            other => put_bytes(1, other.as_str()?.as_bytes(), &mut inner),
        },
        Type::IntOrString => match value {
            Value::Number(number) => {
                inner.extend([1 << 3, 0, 2 << 3]);
                put_varint(number.as_i64()?.cast_unsigned(), &mut inner);
            }
            other => {
                inner.extend([1 << 3, 1]);
                put_bytes(3, other.as_str()?.as_bytes(), &mut inner);
            }
        },
        Type::Time | Type::MicroTime => {
            let at: Timestamp = value.as_str()?.parse().ok()?;
            inner.push(1 << 3);
            put_varint(at.as_second().cast_unsigned(), &mut inner);
            inner.push(2 << 3);
            put_varint(i64::from(at.subsec_nanosecond()).cast_unsigned(), &mut inner);
        }
        Type::Any => put_bytes(1, &serde_json::to_vec(value).ok()?, &mut inner),
        Type::Message(key) => write(Message::of(key)?, value, &mut inner)?,
        Type::List(_) | Type::Map(_) => return None,
    }
    put_bytes(number, &inner, out);
    Some(())
}

fn put_bytes(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(number << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        // The low seven bits, and that more follow.
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn message(schema: &Message, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    if depth > DEEPEST {
        return Err("messages are nested too deeply".into());
    }
    let mut object = Map::new();
    for (number, wire) in fields(bytes)? {
        let Some(field) = schema.fields.iter().find(|field| field.number == number) else { continue };
        let value = |holds: &Type, wire: &Wire<'_>| {
            value(holds, wire, depth).map_err(|why| format!("field {}: {why}", field.name))
        };
        match &field.holds {
            Type::Map(holds) => {
                let (mut key, mut entry) = (String::new(), None);
                if let Wire::Bytes(pair) = wire {
                    for (number, wire) in fields(pair)? {
                        match (number, &wire) {
                            (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into(),
                            (2, _) => entry = Some(value(holds, &wire)?),
                            _ => {}
                        }
                    }
                }
                let map = object.entry(field.name).or_insert_with(|| json!({}));
                map[key] = entry.unwrap_or_else(|| json!(""));
            }
            Type::List(holds) => {
                let value = value(holds, &wire)?;
                if let Some(list) = object.entry(field.name).or_insert_with(|| json!([])).as_array_mut() {
                    list.push(value);
                }
            }
            holds => match value(holds, &wire)? {
                Value::Object(inline) if field.name == "-" => object.extend(inline),
                value => {
                    let absent = match &value {
                        Value::Null => true,
                        Value::String(text) => text.is_empty(),
                        Value::Number(n) => n.as_i64() == Some(0) && !field.pointer && !field.required,
                        Value::Bool(yes) => !yes && !field.pointer,
                        _ => false,
                    };
                    if !absent {
                        object.insert(field.name.into(), value);
                    }
                }
            },
        }
    }
    Ok(object)
}

fn value(holds: &Type, wire: &Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (holds, wire) {
        (Type::Text, Wire::Bytes(text)) => String::from_utf8_lossy(text).into(),
        (Type::Bytes, Wire::Bytes(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        (Type::Bool, Wire::Varint(n)) => (*n != 0).into(),
        (Type::Int32 | Type::Int64, Wire::Varint(n)) => n.cast_signed().into(),
        (Type::Double, Wire::Fixed(bits)) => f64::from_bits(*bits).into(),
        (Type::Quantity, Wire::Bytes(bytes)) => string_at(bytes, 1)?.into(),
        (Type::IntOrString, Wire::Bytes(bytes)) => {
            if number_at(bytes, 1)? == 1 {
                string_at(bytes, 3)?.into()
            } else {
                number_at(bytes, 2)?.into()
            }
        }
        (Type::Time | Type::MicroTime, Wire::Bytes(bytes)) => {
            let (seconds, nanos) = (number_at(bytes, 1)?, number_at(bytes, 2)?);
            let at = Timestamp::new(seconds, i32::try_from(nanos).unwrap_or(0));
            match at {
                Ok(_) if seconds == 0 && nanos == 0 => Value::Null,
                Ok(at) => if *holds == Type::Time { stamp(at) } else { stamp_micro(at) }.into(),
                Err(e) => return Err(e.to_string()),
            }
        }
        (Type::Any, Wire::Bytes(bytes)) => {
            let raw = fields(bytes)?.into_iter().find_map(|(number, wire)| match (number, wire) {
                (1, Wire::Bytes(raw)) => Some(raw),
                _ => None,
            });
            serde_json::from_slice(raw.unwrap_or(b"null")).map_err(|e| e.to_string())?
        }
        (Type::Message(key), Wire::Bytes(bytes)) => match Message::of(key) {
            Some(schema) => message(schema, bytes, depth + 1)?.into(),
            None => return Err("its type is not known".into()),
        },
        _ => return Err("the wire type is another one".into()),
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
        let version: &[u8] = if kind == "Deployment" { b"apps/v1" } else { b"v1" };
        let meta = [field(1, version), field(2, kind.as_bytes())].concat();
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
    fn what_is_written_is_read_again() {
        let pod = json!({
            "metadata": {"name": "p", "labels": {"a": "b"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": true}],
                "creationTimestamp": "2026-11-21T09:00:00Z",
                "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:nodeName": {}}}}]},
            "spec": {
                "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}],
                "tolerations": [{"operator": "Exists", "tolerationSeconds": 300}],
                "containers": [{"name": "c", "resources": {"requests": {"memory": "1Gi", "cpu": "100m"}},
                    "readinessProbe": {"httpGet": {"port": 80}, "initialDelaySeconds": 5}, "tty": true,
                    "livenessProbe": {"httpGet": {"port": "http"}}}],
                "priority": -7,
            },
            "status": {"phase": "Running"},
        });
        let schema = Message::named("", "v1", "Pod").unwrap();
        let mut bytes = Vec::new();
        write(schema, &pod, &mut bytes).expect("it has a place for all of it");
        assert_eq!(Value::from(message(schema, &bytes, 0).unwrap()), pod);
        for odd in
            [json!({"spec": {"nodeName": 5}}), json!({"metadata": {"labels": "x"}}), json!({"more": 1})]
        {
            assert_eq!(write(schema, &odd, &mut Vec::new()), None, "{odd}");
        }
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
