//! The types of the API: one table of messages and their fields.
//!
//! What bodies are read by (`protobuf`), checked by (`decode`), and what the OpenAPI documents tell (`openapi`).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::kind::Kind;

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A string.
    Text,
    /// Base64.
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    /// `100m`, `64Mi`.
    Quantity,
    IntOrString,
    /// RFC 3339.
    Time,
    /// RFC 3339 with six digits of fraction.
    MicroTime,
    /// Any JSON.
    Any,
    List(Box<Type>),
    /// Keys are strings.
    Map(Box<Type>),
    /// A type of the table: its key.
    Message(String),
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// Its number on the wire.
    pub(super) number: u64,
    /// Its name in JSON; "-" when its own fields stand in its place.
    pub(super) name: &'static str,
    pub(super) holds: Type,
    /// A pointer in Go: its zero is a value and not an absence.
    pub(super) pointer: bool,
    pub(super) required: bool,
}

/// A type with fields.
#[derive(Debug)]
pub(super) struct Message {
    /// `io.k8s.api.core.v1`
    pub(super) package: &'static str,
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
}

/// All types by their keys: package and name.
static TYPES: LazyLock<HashMap<String, Message>> = LazyLock::new(|| read(include_str!("types.schema")));

impl Message {
    /// The type of this key.
    pub(super) fn of(key: &str) -> Option<&'static Message> {
        TYPES.get(key)
    }

    /// The type of the objects of a group and version that call themselves `kind`.
    pub(super) fn named(group: &str, version: &str, kind: &str) -> Option<&'static Message> {
        let part = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or_default() };
        let meta = || format!("{META}.{kind}");
        TYPES.get(&format!("io.k8s.api.{part}.{version}.{kind}")).or_else(|| TYPES.get(&meta()))
    }

    /// The type of a kind's objects.
    pub(super) fn of_kind(kind: &Kind) -> Option<&'static Message> {
        Self::named(kind.group, kind.version, kind.kind)
    }

    /// Its key: what OpenAPI calls it.
    pub(super) fn key(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }

    /// Its fields as JSON shows them: inlined ones in their places.
    pub(super) fn shown(&self) -> Vec<&Field> {
        let inlined = |field: &'static Field| match &field.holds {
            Type::Message(key) if field.name == "-" => {
                Message::of(key).map(Message::shown).unwrap_or_default()
            }
            _ => vec![field],
        };
        // every message lives as long as the table
        Message::of(&self.key()).into_iter().flat_map(|own| &own.fields).flat_map(inlined).collect()
    }
}

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

fn read(text: &'static str) -> HashMap<String, Message> {
    let mut package = "";
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('@') {
            Some(named) => package = named,
            None => lines.push((package, line.split(' ').collect::<Vec<_>>())),
        }
    }
    let home = |own: &str, name: &str| {
        let places = lines.iter().filter(|(_, words)| words[0] == name).map(|(package, _)| *package);
        let places: Vec<&str> = places.collect();
        let package = places.iter().find(|package| **package == own).or_else(|| places.first());
        format!("{}.{name}", package.copied().unwrap_or_default())
    };
    let message = |(package, words): &(&'static str, Vec<&'static str>)| {
        let fields = words[1..].iter().filter_map(|word| field(word, &|name| home(package, name))).collect();
        (format!("{package}.{}", words[0]), Message { package, name: words[0], fields })
    };
    lines.iter().map(message).collect()
}

fn field(word: &'static str, home: &dyn Fn(&str) -> String) -> Option<Field> {
    let mut parts = word.splitn(3, ':');
    let (number, name, told) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let (told, required) = told.strip_suffix('!').map_or((told, false), |told| (told, true));
    let (told, pointer) = told.strip_suffix('?').map_or((told, false), |told| (told, true));
    Some(Field { number, name, holds: holds(told, home), pointer, required })
}

fn holds(told: &str, home: &dyn Fn(&str) -> String) -> Type {
    if let Some(item) = told.strip_prefix('*') {
        return Type::List(Box::new(holds(item, home)));
    }
    if let Some(value) = told.strip_prefix('%') {
        return Type::Map(Box::new(holds(value, home)));
    }
    match told {
        "s" => Type::Text,
        "b" => Type::Bytes,
        "o" => Type::Bool,
        "i" => Type::Int32,
        "l" => Type::Int64,
        "d" => Type::Double,
        "Q" => Type::Quantity,
        "I" => Type::IntOrString,
        "T" => Type::Time,
        "U" => Type::MicroTime,
        "J" => Type::Any,
        name => Type::Message(home(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::KINDS;

    #[test]
    fn every_kind_has_a_type_and_every_field_leads_to_one() {
        for kind in KINDS {
            assert!(Message::of_kind(kind).is_some(), "{kind:?}");
        }
        for message in TYPES.values() {
            for field in &message.fields {
                let mut holds = &field.holds;
                while let Type::List(inner) | Type::Map(inner) = holds {
                    holds = inner;
                }
                if let Type::Message(key) = holds {
                    assert!(Message::of(key).is_some(), "{}.{}: {key}", message.name, field.name);
                }
            }
        }
    }

    #[test]
    fn a_name_that_two_packages_have_is_looked_for_at_home_first() {
        let event = Message::named("events.k8s.io", "v1", "Event").unwrap();
        let series = event.fields.iter().find(|field| field.name == "series").unwrap();
        assert_eq!(series.holds, Type::Message("io.k8s.api.events.v1.EventSeries".into()));
        assert_eq!(Message::named("", "v1", "Event").unwrap().package, "io.k8s.api.core.v1");
        let volume = Message::named("", "v1", "Pod").unwrap().key().replace("Pod", "Volume");
        let volume = Message::of(&volume).unwrap();
        assert!(volume.shown().iter().any(|field| field.name == "emptyDir"), "inlined fields are shown");
    }
}
