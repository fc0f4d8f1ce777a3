//! Bodies: read, and checked against the kind and the place they are sent to.

use serde_json::{Map, Value, json};

use crate::api::decode::{self, Strictness};
use crate::api::failure::Failure;
use crate::api::path::Resource;
use crate::api::{Request, protobuf};
use crate::kind::Kind;
use crate::store::text;

/// The body of a request as JSON; YAML is read too.
///
/// # Errors
/// 400 when it cannot be read, 415 when its type is another one.
pub(in crate::api) fn json_body(request: &Request, kind: &str) -> Result<Value, Failure> {
    parsed(request, kind)
}

pub(super) fn parsed(request: &Request, kind: &str) -> Result<Value, Failure> {
    let content_type = request.content_type.split(';').next().unwrap_or_default().trim();
    let unrecognized = |why: String| {
        let start: String = String::from_utf8_lossy(&request.body).chars().take(120).collect();
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({start})"
        ))
    };
    let value: Value = match content_type {
        "" | "application/json" | "application/apply-patch+json" => {
            serde_json::from_slice(&request.body).map_err(|e| unrecognized(e.to_string()))?
        }
        "application/yaml" | "application/apply-patch+yaml" => {
            let text = std::str::from_utf8(&request.body).map_err(|e| unrecognized(e.to_string()))?;
            serde_saphyr::from_str(text).map_err(|e| unrecognized(e.to_string()))?
        }
        protobuf::MEDIA_TYPE => {
            protobuf::decode(&request.body).map_err(|why| Failure::new(415, "UnsupportedMediaType", why))?
        }
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml";
            return Err(Failure { details: json!({}), ..Failure::new(415, "UnsupportedMediaType", message) });
        }
    };
    if value.is_object() { Ok(value) } else { Err(unrecognized("it is not an object".into())) }
}

/// The body of a request as an object of a kind, and what is to be warned of.
pub(super) fn typed_body(request: &Request, kind: &'static Kind) -> Result<(Value, Vec<String>), Failure> {
    let mut value = parsed(request, kind.kind)?;
    check_type(&value, kind)?;
    let strictness = Strictness::of(request.param("fieldValidation"))?;
    let mut told = decode::duplicates(&request.body);
    told.extend(decode::of_kind(kind, &mut value)?);
    let warnings = strictness.judge(told).map_err(|why| decode::refused(kind, &why))?;
    Ok((value, warnings))
}

pub(super) fn check_type(value: &Value, kind: &Kind) -> Result<(), Failure> {
    let (api_version, given) = (text(value, "/apiVersion"), text(value, "/kind"));
    let expected = kind.api_version();
    // what is absent is taken from the path
    if (given == kind.kind || given.is_empty()) && (api_version == expected || api_version.is_empty()) {
        return Ok(());
    }
    let version = api_version.rsplit('/').next().unwrap_or_default();
    Err(Failure::bad_request(if given == kind.kind {
        format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )
    } else if Kind::of(api_version, given).is_some() {
        let group = if kind.group.is_empty() { "core" } else { kind.group };
        format!(
            "{given} in version \"{version}\" cannot be handled as a {}: converting ({api_version}.{given}) to ({group}.{}): unknown conversion",
            kind.kind, kind.kind
        )
    } else {
        format!(
            "no kind \"{given}\" is registered for version \"{api_version}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        )
    }))
}

/// Gives an object the namespace of its path.
pub(super) fn place(object: &mut Value, resource: &Resource) -> Result<(), Failure> {
    let given = text(object, "/metadata/namespace").to_owned();
    let Some(map) = object.as_object_mut() else { return Ok(()) };
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else { return Ok(()) };
    match (&resource.namespace, resource.kind.namespaced) {
        (Some(namespace), true) => {
            if !given.is_empty() && given != *namespace {
                return Err(Failure::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            metadata.insert("namespace".into(), namespace.as_str().into());
            Ok(())
        }
        (None, true) => Err(Failure::method()),
        (_, false) => {
            metadata.remove("namespace");
            Ok(())
        }
    }
}
