//! The OpenAPI documents, made of the table of types: version 2 as JSON and as protobuf, version 3 as JSON.
//!
//! Clients ask for them before they apply, explain, or rehearse on the server: since 1.27 for version 3, before for
//! version 2 as protobuf, without another way. Only kinds that are served are told.

mod protobuf;
mod words;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use words::{KINDS_TOLD, told};

use super::failure::Failure;
use super::path;
use super::reply::{Payload, Reply};
use super::types::{Field, Message, Type};
use crate::fields::merge_keys;
use crate::kind::{KINDS, Kind};
use crate::value::digest;

/// What version 2 is called as protobuf, old and new.
const PROTOBUF: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// Group, version and kind of what is a kind, by the keys of the types.
static KINDS_BY_TYPE: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let kinds = KINDS.iter().map(|kind| (kind.group, kind.version, kind.kind));
    let named = kinds.chain(path::groups().into_iter().flat_map(|(group, version)| others(group, version)));
    let typed = named.filter_map(|(group, version, kind)| {
        Some((Message::named(group, version, kind)?.key(), typed(group, version, kind)))
    });
    typed.collect()
});

static V2: LazyLock<Value> = LazyLock::new(|| {
    let dialect = Dialect { three: false };
    let mut definitions = BTreeMap::new();
    for (group, version) in path::groups() {
        definitions.extend(dialect.schemas(group, version));
    }
    let paths: Map<String, Value> =
        path::groups().into_iter().flat_map(|(group, version)| dialect.paths(group, version)).collect();
    json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": definitions})
});

static V2_PROTOBUF: LazyLock<Bytes> = LazyLock::new(|| protobuf::document(&V2).into());

/// `/openapi/v2` in the first form of an `Accept` header that is served.
///
/// # Errors
/// 406.
pub(super) fn v2(accept: &str) -> Result<Reply, Failure> {
    for media in accept.split(',').map(|media| media.split(';').next().unwrap_or_default().trim()) {
        if PROTOBUF.contains(&media) {
            // the old name is no valid media type
            let (content_type, reply) = (PROTOBUF[1], Reply::value(200, Value::Null));
            return Ok(Reply { content_type, payload: Payload::Bytes(V2_PROTOBUF.clone()), ..reply });
        }
        if matches!(media, "" | "*/*" | "application/*" | "application/json") {
            return Ok(Reply::value(200, V2.clone()));
        }
    }
    let message = format!("only the following media types are accepted: application/json, {}", PROTOBUF[1]);
    Err(Failure { details: json!({}), ..Failure::new(406, "NotAcceptable", message) })
}

/// `/openapi/v3`: one document for each group and version.
pub(super) fn v3_index() -> Value {
    let mut paths = Map::new();
    for (group, version) in path::groups() {
        let path = path_of(group, version);
        let hash = digest(&[env!("CARGO_PKG_VERSION"), &path]).to_uppercase();
        paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
    }
    json!({"paths": paths})
}

/// The document of a group and version.
pub(super) fn v3(group: &str, version: &str) -> Value {
    let dialect = Dialect { three: true };
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": dialect.paths(group, version),
        "components": {"schemas": dialect.schemas(group, version)},
    })
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "v1.36.2"})
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn of(group: &str, version: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.group == group && kind.version == version)
}

/// The types of a group and version that are no kinds, and are asked for by name: their groups, versions and kinds.
fn others(group: &str, version: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let all = [
        ("authentication.k8s.io", "v1", "SelfSubjectReview"),
        ("authorization.k8s.io", "v1", "SelfSubjectAccessReview"),
        ("authorization.k8s.io", "v1", "SelfSubjectRulesReview"),
        ("policy", "v1", "Eviction"),
    ];
    let scaled = of(group, version).any(|kind| kind.has("scale")).then_some(("autoscaling", "v1", "Scale"));
    all.into_iter().filter(|other| (other.0, other.1) == (group, version)).chain(scaled).collect()
}

fn typed(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// How a version of OpenAPI says things.
struct Dialect {
    three: bool,
}

impl Dialect {
    /// The schemas of a group and version with all that they lead to, by their keys.
    fn schemas(&self, group: &str, version: &str) -> BTreeMap<String, Value> {
        let own = of(group, version).map(|kind| (kind.group, kind.version, kind.kind));
        let own = own.chain(others(group, version));
        let own = own.filter_map(|(group, version, kind)| Message::named(group, version, kind));
        let options = ["DeleteOptions", "Status"].map(|name| Message::named("", "v1", name));
        let options = options.into_iter().flatten().map(Message::key);
        let mut schemas = BTreeMap::new();
        let mut left: Vec<String> = own.map(Message::key).chain(options).collect();
        while let Some(key) = left.pop() {
            if schemas.contains_key(&key) {
                continue;
            }
            let (mut schema, leads) = match Message::of(&key) {
                Some(message) => self.message(message),
                None => (self.scalar(&key), Vec::new()),
            };
            if let Some(typed) = KINDS_BY_TYPE.get(&key) {
                schema["x-kubernetes-group-version-kind"] = json!([typed]);
            }
            schemas.insert(key, schema);
            left.extend(leads);
        }
        schemas
    }

    fn message(&self, message: &Message) -> (Value, Vec<String>) {
        let mut leads = Vec::new();
        let mut properties = Map::new();
        let shown = message.shown();
        for field in &shown {
            let mut schema = self.holding(&field.holds, &mut leads);
            merging(message, field, &mut schema);
            if let Some(told) = told(message, field.name) {
                schema = self.described(schema, told);
            }
            properties.insert(field.name.into(), schema);
        }
        let mut schema = json!({"type": "object"});
        if let Some((_, told)) = KINDS_TOLD.iter().find(|(kind, _)| *kind == message.name) {
            schema["description"] = (*told).into();
        }
        let required: Vec<&str> =
            shown.iter().filter(|field| field.required).map(|field| field.name).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !properties.is_empty() {
            schema["properties"] = properties.into();
        }
        (schema, leads)
    }

    /// A reference has no place for a description beside it in version 3.
    fn described(&self, schema: Value, told: &str) -> Value {
        let mut schema =
            if self.three && schema.get("$ref").is_some() { json!({"allOf": [schema]}) } else { schema };
        schema["description"] = told.into();
        schema
    }

    fn holding(&self, holds: &Type, leads: &mut Vec<String>) -> Value {
        let mut to = |key: &str| {
            leads.push(key.to_owned());
            let place = if self.three { "#/components/schemas" } else { "#/definitions" };
            json!({"$ref": format!("{place}/{key}")})
        };
        match holds {
            Type::Text => json!({"type": "string"}),
            Type::Bytes => json!({"type": "string", "format": "byte"}),
            Type::Bool => json!({"type": "boolean"}),
            Type::Int32 => json!({"type": "integer", "format": "int32"}),
            Type::Int64 => json!({"type": "integer", "format": "int64"}),
            Type::Double => json!({"type": "number", "format": "double"}),
            Type::Quantity => to(QUANTITY),
            Type::IntOrString => to(INT_OR_STRING),
            Type::Time => to(TIME),
            Type::MicroTime => to(MICRO_TIME),
            Type::Any => to(ANY),
            Type::List(item) => json!({"type": "array", "items": self.holding(item, leads)}),
            Type::Map(value) => {
                json!({"type": "object", "additionalProperties": self.holding(value, leads)})
            }
            Type::Message(key) => to(key),
        }
    }

    fn scalar(&self, key: &str) -> Value {
        match key {
            QUANTITY if self.three => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            INT_OR_STRING if self.three => {
                json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"})
            }
            QUANTITY => json!({"type": "string"}),
            INT_OR_STRING => json!({"type": "string", "format": "int-or-string"}),
            TIME | MICRO_TIME => json!({"type": "string", "format": "date-time"}),
            _ => json!({"type": "object"}),
        }
    }

    /// What can be done with the kinds of a group and version.
    fn paths(&self, group: &str, version: &str) -> Map<String, Value> {
        let mut paths = Map::new();
        for kind in of(group, version) {
            let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
            let all = format!("/{}{scope}/{}", path_of(group, version), kind.plural);
            let one = format!("{all}/{{name}}");
            paths.insert(
                all,
                json!({"get": self.operation(kind, "list"), "post": self.operation(kind, "post")}),
            );
            let verbs = ["get", "put", "patch", "delete"];
            let verbs: Map<String, Value> =
                verbs.iter().map(|verb| ((*verb).to_owned(), self.operation(kind, verb))).collect();
            paths.insert(one, verbs.into());
        }
        paths
    }

    fn operation(&self, kind: &Kind, action: &str) -> Value {
        let names: &[&str] = match action {
            "get" => &[],
            "list" => &["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "watch"],
            "delete" => &["dryRun", "gracePeriodSeconds", "propagationPolicy"],
            "patch" => &["dryRun", "fieldManager", "fieldValidation", "force"],
            _ => &["dryRun", "fieldManager", "fieldValidation"],
        };
        let parameter = |name: &&str| {
            let holds = match *name {
                "limit" | "gracePeriodSeconds" => "integer",
                "force" | "watch" => "boolean",
                _ => "string",
            };
            if self.three {
                json!({"name": name, "in": "query", "schema": {"type": holds, "uniqueItems": true}})
            } else {
                json!({"name": name, "in": "query", "type": holds, "uniqueItems": true})
            }
        };
        let parameters: Vec<Value> = names.iter().map(parameter).collect();
        json!({
            "operationId": format!("{action}{}{}{}", kind.group, kind.version, kind.kind),
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": typed(kind.group, kind.version, kind.kind),
        })
    }
}

/// How a strategic merge patch treats the field.
fn merging(message: &Message, field: &Field, schema: &mut Value) {
    match &field.holds {
        Type::List(item) => {
            let inner = match &**item {
                Type::Message(key) => Message::of(key),
                _ if field.name == "finalizers" => {
                    schema["x-kubernetes-patch-strategy"] = "merge".into();
                    return;
                }
                _ => None,
            };
            let Some(inner) = inner else { return };
            let has = |name: &str| inner.shown().iter().any(|field| field.name == name);
            let Some(keys) = merge_keys(field.name, &has).filter(|keys| keys.iter().all(|key| has(key)))
            else {
                return;
            };
            let strategy = if field.name == "volumes" { "merge,retainKeys" } else { "merge" };
            schema["x-kubernetes-patch-strategy"] = strategy.into();
            schema["x-kubernetes-patch-merge-key"] = keys[0].into();
            schema["x-kubernetes-list-type"] = "map".into();
            schema["x-kubernetes-list-map-keys"] = json!(keys);
        }
        Type::Message(_) if message.name == "DeploymentSpec" && field.name == "strategy" => {
            schema["x-kubernetes-patch-strategy"] = "retainKeys".into();
        }
        _ => {}
    }
}

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const ANY: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str().filter(|_| key == "$ref") {
                        Some(to) => found.push(to.to_owned()),
                        None => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_kind_has_one_with_a_sentence() {
        let mut documents = vec![V2.clone()];
        documents.extend(path::groups().into_iter().map(|(group, version)| v3(group, version)));
        for document in &documents {
            let mut found = Vec::new();
            references(document, &mut found);
            for to in found {
                let pointer = to.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{to}");
            }
        }
        for kind in KINDS {
            let key = Message::of_kind(kind).unwrap().key();
            let schema = &V2["definitions"][&key];
            let typed = typed(kind.group, kind.version, kind.kind);
            assert_eq!(schema["x-kubernetes-group-version-kind"][0], typed, "{key}");
            assert!(schema["description"].is_string(), "{key}");
        }
    }

    #[test]
    fn lists_say_by_what_they_are_merged() {
        let spec = &V2["definitions"]["io.k8s.api.core.v1.PodSpec"];
        let containers = &spec["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(spec["required"], json!(["containers"]));
        assert!(spec["properties"]["tolerations"].get("x-kubernetes-patch-merge-key").is_none());
        let ports =
            |key: &str| V2["definitions"][key]["properties"]["ports"]["x-kubernetes-patch-merge-key"].clone();
        assert_eq!(ports("io.k8s.api.core.v1.Container"), "containerPort");
        assert_eq!(ports("io.k8s.api.core.v1.ServiceSpec"), "port");
    }

    #[test]
    fn clients_get_the_form_they_accept() {
        let of = |accept: &str| v2(accept).map(|reply| reply.content_type).map_err(|failure| failure.code);
        assert_eq!(of(PROTOBUF[0]), Ok(PROTOBUF[1]));
        assert_eq!(of(&format!("{}, application/json", PROTOBUF[1])), Ok(PROTOBUF[1]));
        assert_eq!(of("application/json"), Ok("application/json"));
        assert_eq!(of("*/*"), Ok("application/json"));
        assert_eq!(of("text/html"), Err(406));
    }
}
