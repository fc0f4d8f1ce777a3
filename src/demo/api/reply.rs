//! Replies and the forms objects are asked for in: whole, metadata only, or as rows of a table.
//!
//! Lists are kept as shared pointers and written out only when the world is no longer locked, without
//! copying an object.

use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::failure::Failure;
use super::table;
use crate::kind::Kind;
use crate::store::Object;

/// The form of the objects in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Whole.
    Plain,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`; with what in each row.
    Table(Include),
}

/// `includeObject` of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// `PartialObjectMetadata`, the default.
    Metadata,
    /// The whole object.
    Object,
}

impl Form {
    /// The first form of an `Accept` header that is served.
    ///
    /// # Errors
    /// 406.
    pub(crate) fn of(accept: &str, include: &str) -> Result<Self, Failure> {
        let include = match include {
            "None" => Include::None,
            "Object" => Include::Object,
            _ => Include::Metadata,
        };
        for media in accept.split(',').map(str::trim) {
            let mut parts = media.split(';').map(str::trim);
            if !matches!(parts.next(), Some("" | "*/*" | "application/*" | "application/json")) {
                continue;
            }
            let parameters: Vec<(&str, &str)> = parts.filter_map(|p| p.split_once('=')).collect();
            let of = |name: &str| parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
            match (of("as"), of("g").unwrap_or("meta.k8s.io"), of("v").unwrap_or("v1")) {
                (None, ..) => return Ok(Form::Plain),
                (Some("Table"), "meta.k8s.io", "v1") => return Ok(Form::Table(include)),
                (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), "meta.k8s.io", "v1") => {
                    return Ok(Form::Metadata);
                }
                _ => {}
            }
        }
        let message = "only the following media types are accepted: application/json";
        Err(Failure { details: json!({}), ..Failure::new(406, "NotAcceptable", message) })
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// HTTP status code.
    pub(crate) status: u16,
    /// `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) payload: Payload,
    /// Whether the world was changed.
    pub(crate) wrote: bool,
    /// What the `Warning` headers say.
    pub(crate) warnings: Vec<String>,
}

/// A body that is not written out yet.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// A document.
    Value(Value),
    /// One object of the store.
    Object(Object),
    /// Many.
    List(Listing),
    /// Text.
    Text(String),
    /// Bytes of a form of their own.
    Bytes(Bytes),
}

/// A list of objects of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// Their kind.
    pub(crate) kind: &'static Kind,
    /// `metadata` of the list.
    pub(crate) metadata: Value,
    /// The objects.
    pub(crate) items: Vec<Object>,
    /// How each is shown.
    pub(crate) form: Form,
    /// The world's time, for ages.
    pub(crate) now: Timestamp,
}

impl Reply {
    /// JSON with a status.
    pub(crate) fn value(status: u16, value: Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            payload: Payload::Value(value),
            wrote: false,
            warnings: Vec::new(),
        }
    }

    /// One object of the store.
    pub(crate) fn object(status: u16, object: Object) -> Self {
        Self {
            status,
            content_type: "application/json",
            payload: Payload::Object(object),
            wrote: false,
            warnings: Vec::new(),
        }
    }

    /// A list.
    pub(crate) fn list(listing: Listing) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            payload: Payload::List(listing),
            wrote: false,
            warnings: Vec::new(),
        }
    }

    /// Text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            status: 200,
            content_type: "text/plain",
            payload: Payload::Text(text.into()),
            wrote: false,
            warnings: Vec::new(),
        }
    }

    /// What a path answers that names nothing.
    pub(crate) fn nowhere() -> Self {
        Self {
            status: 404,
            content_type: "text/plain; charset=utf-8",
            payload: Payload::Text("404 page not found\n".into()),
            wrote: false,
            warnings: Vec::new(),
        }
    }

    /// The same, with these warnings.
    pub(crate) fn warned(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// The same, for a request that changed the world.
    pub(crate) fn written(mut self) -> Self {
        self.wrote = true;
        self
    }
}

impl Payload {
    /// The bytes of the body.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Payload::Value(value) => value.to_string().into_bytes(),
            Payload::Object(object) => object.to_string().into_bytes(),
            Payload::Text(text) => text.clone().into_bytes(),
            Payload::Bytes(bytes) => bytes.to_vec(),
            Payload::List(listing) if listing.form == Form::Plain => {
                listing.clone().pieces().flatten().collect()
            }
            Payload::List(listing) => serde_json::to_vec(listing).unwrap_or_default(),
        }
    }
}

impl Listing {
    /// The list of whole objects, written out piece by piece: as a real API server streams one, no more of it is held
    /// than is being sent.
    pub(crate) fn pieces(self) -> Pieces {
        Pieces { listing: self, at: None }
    }
}

/// A list on its way out.
pub(crate) struct Pieces {
    listing: Listing,
    /// The object that comes next; `None` before the first.
    at: Option<usize>,
}

impl Pieces {
    /// The length of a piece, in bytes; the last is shorter, and none is longer by more than one object.
    pub(crate) const LENGTH: usize = 128 * 1024;
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let Self { listing: Listing { kind, metadata, items, .. }, at } = self;
        if at.is_some_and(|at| at > items.len()) {
            return None;
        }
        let mut piece = Vec::with_capacity(Self::LENGTH * 5 / 4);
        let mut next = at.unwrap_or_else(|| {
            let head = json!([kind.list_kind, kind.api_version(), metadata]);
            let head =
                format!(r#"{{"kind":{},"apiVersion":{},"metadata":{},"items":["#, head[0], head[1], head[2]);
            piece.extend_from_slice(head.as_bytes());
            0
        });
        while piece.len() < Self::LENGTH
            && let Some(object) = items.get(next)
        {
            if next > 0 {
                piece.push(b',');
            }
            // Writing into memory does not fail.
            let _ = serde_json::to_writer(&mut piece, &Untyped(object));
            next += 1;
        }
        if next == items.len() {
            piece.extend_from_slice(b"]}");
            next += 1;
        }
        *at = Some(next);
        Some(piece)
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        match self.form {
            Form::Plain => {
                map.serialize_entry("kind", self.kind.list_kind)?;
                map.serialize_entry("apiVersion", &self.kind.api_version())?;
                map.serialize_entry("metadata", &self.metadata)?;
                map.serialize_entry("items", &self.items.iter().map(|o| Untyped(o)).collect::<Vec<_>>())?;
            }
            Form::Metadata => {
                map.serialize_entry("kind", "PartialObjectMetadataList")?;
                map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
                map.serialize_entry("metadata", &self.metadata)?;
                let items: Vec<Partial<'_>> = self.items.iter().map(|o| Partial::of(o)).collect();
                map.serialize_entry("items", &items)?;
            }
            Form::Table(include) => {
                map.serialize_entry("kind", "Table")?;
                map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
                map.serialize_entry("metadata", &self.metadata)?;
                map.serialize_entry("columnDefinitions", &table::columns(self.kind))?;
                map.serialize_entry("rows", &Rows { listing: self, include })?;
            }
        }
        map.end()
    }
}

/// An object of a list: without its `kind` and `apiVersion`.
struct Untyped<'a>(&'a Value);

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = self.0.as_object() else { return self.0.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "kind" && *key != "apiVersion") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// An object's metadata as an object of its own.
#[derive(Serialize)]
pub(crate) struct Partial<'a> {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    metadata: &'a Value,
}

impl<'a> Partial<'a> {
    /// The metadata of an object.
    pub(crate) fn of(object: &'a Value) -> Self {
        Self { kind: "PartialObjectMetadata", api_version: "meta.k8s.io/v1", metadata: &object["metadata"] }
    }
}

struct Rows<'a> {
    listing: &'a Listing,
    include: Include,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.listing.items.len()))?;
        for object in &self.listing.items {
            let cells = table::row(self.listing.kind, object, self.listing.now);
            rows.serialize_element(&Row { cells, object, include: self.include })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    cells: Vec<Value>,
    object: &'a Value,
    include: Include,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(2))?;
        row.serialize_entry("cells", &self.cells)?;
        match self.include {
            Include::None => row.serialize_entry("object", &Value::Null)?,
            Include::Metadata => row.serialize_entry("object", &Partial::of(self.object))?,
            Include::Object => row.serialize_entry("object", self.object)?,
        }
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_is_taken() {
        let of = |accept| Form::of(accept, "").map_err(|f| f.code);
        assert_eq!(of(""), Ok(Form::Plain));
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), Ok(Form::Plain));
        assert_eq!(
            of("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
            Ok(Form::Table(Include::Metadata))
        );
        assert_eq!(of("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"), Ok(Form::Plain));
        assert_eq!(
            of("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"),
            Ok(Form::Metadata)
        );
        assert_eq!(of("application/vnd.kubernetes.protobuf"), Err(406));
    }

    #[test]
    fn a_list_is_the_same_in_pieces_and_as_a_whole() {
        let object = |n: usize| json!({"kind": "Pod", "metadata": {"name": n, "pad": "x".repeat(1000)}});
        for count in [0, 1, 500] {
            let items = (0..count).map(|n| Object::new(object(n))).collect();
            let metadata = json!({"resourceVersion": "7", "continue": "more"});
            let listing =
                Listing { kind: Kind::POD, metadata, items, form: Form::Plain, now: Timestamp::UNIX_EPOCH };
            let pieces: Vec<_> = listing.clone().pieces().collect();
            assert!(pieces.iter().all(|p| p.len() < Pieces::LENGTH + 2_000));
            assert_eq!(pieces.len(), if count == 500 { 4 } else { 1 });
            let whole = serde_json::to_value(&listing).expect("it can be written");
            assert_eq!(serde_json::from_slice::<Value>(&pieces.concat()).expect("JSON"), whole);
        }
    }
}
