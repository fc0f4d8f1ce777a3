//! An OpenAPI document of version 2 as protobuf: the messages of gnostic's `OpenAPIv2.proto`, those that are used here.

use serde_json::Value;

use crate::value::{list, text};

/// The bytes of a `Document`.
pub(super) fn document(document: &Value) -> Vec<u8> {
    let mut out = Message::default();
    out.text(1, &document["swagger"]);
    let mut info = Message::default();
    info.text(1, &document["info"]["title"]);
    info.text(2, &document["info"]["version"]);
    out.inner(2, info);
    let mut paths = Message::default();
    for (name, item) in members(&document["paths"]) {
        paths.named(2, name, path_item(item));
    }
    out.inner(8, paths);
    let mut definitions = Message::default();
    for (name, schema) in members(&document["definitions"]) {
        definitions.named(1, name, self::schema(schema));
    }
    out.inner(9, definitions);
    out.0
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn path_item(item: &Value) -> Message {
    let mut out = Message::default();
    for (number, verb) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
        if item[verb].is_object() {
            out.inner(number, operation(&item[verb]));
        }
    }
    out
}

fn operation(operation: &Value) -> Message {
    let mut out = Message::default();
    out.text(5, &operation["operationId"]);
    for parameter in list(&operation["parameters"]) {
        let mut query = Message::default();
        query.text(2, &parameter["in"]);
        query.text(4, &parameter["name"]);
        query.text(6, &parameter["type"]);
        query.flag(20, &parameter["uniqueItems"]);
        out.inner(8, query.within(3).within(2).within(1));
    }
    let mut responses = Message::default();
    for (code, response) in members(&operation["responses"]) {
        let mut told = Message::default();
        told.text(1, &response["description"]);
        responses.named(1, code, told.within(1));
    }
    out.inner(9, responses);
    out.extensions(13, operation);
    out
}

fn schema(schema: &Value) -> Message {
    let mut out = Message::default();
    out.text(1, &schema["$ref"]);
    out.text(2, &schema["format"]);
    out.text(4, &schema["description"]);
    for required in list(&schema["required"]) {
        out.text(19, required);
    }
    if schema["additionalProperties"].is_object() {
        out.inner(21, self::schema(&schema["additionalProperties"]).within(1));
    }
    if schema["type"].is_string() {
        let mut kind = Message::default();
        kind.text(1, &schema["type"]);
        out.inner(22, kind);
    }
    if schema["items"].is_object() {
        out.inner(23, self::schema(&schema["items"]).within(1));
    }
    if schema["properties"].is_object() {
        let mut properties = Message::default();
        for (name, property) in members(&schema["properties"]) {
            properties.named(1, name, self::schema(property));
        }
        out.inner(25, properties);
    }
    out.extensions(31, schema);
    out
}

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn bytes(&mut self, number: u64, bytes: &[u8]) {
        self.varint(number << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// What is no text is absent.
    fn text(&mut self, number: u64, value: &Value) {
        if value.is_string() {
            self.bytes(number, text(value).as_bytes());
        }
    }

    fn flag(&mut self, number: u64, value: &Value) {
        if value == true {
            self.varint(number << 3);
            self.varint(1);
        }
    }

    fn inner(&mut self, number: u64, message: Message) {
        self.bytes(number, &message.0);
    }

    /// The field `number` of a message that has nothing else.
    fn within(self, number: u64) -> Message {
        let mut out = Message::default();
        out.inner(number, self);
        out
    }

    /// A pair of a name and a message.
    fn named(&mut self, number: u64, name: &str, message: Message) {
        let mut pair = Message::default();
        pair.bytes(1, name.as_bytes());
        pair.inner(2, message);
        self.inner(number, pair);
    }

    /// The members whose names begin with `x-`, as YAML, which JSON is.
    fn extensions(&mut self, number: u64, value: &Value) {
        for (name, value) in members(value).filter(|(name, _)| name.starts_with("x-")) {
            let mut any = Message::default();
            any.bytes(2, format!("{value}\n").as_bytes());
            self.named(number, name, any);
        }
    }
}
