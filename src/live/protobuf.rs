//! Kubernetes' protobuf: the lists of the kinds that are many, a third of their JSON and read in a fraction of the time, by
//! the server that writes them as by us.
//!
//! Messages are told to serde field by field under their JSON names, so that each type of [`slim`](super::slim) is read from
//! either. Asked for lists only: a watch tells one object at a time. Who cannot write protobuf answers in JSON, and says so.
//! The encoding: <https://protobuf.dev/programming-guides/encoding/>; the envelope:
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>.

use jiff::Timestamp;
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, Error},
    },
    forward_to_deserialize_any,
};

pub(super) use list::{MessageCutter, status};
use schema::Field;
pub(super) use schema::Message;

mod list;
pub(super) mod schema;
#[cfg(test)]
mod tests;

/// What a field holds.
#[derive(Debug)]
enum FieldType {
    Text,
    Int,
    Bool,
    /// Seconds since 1970, told as RFC 3339. An empty one is an absence.
    Time,
    Quantity,
    IntOrString,
    /// JSON, as it is.
    Json,
    Of(&'static Message),
    /// Its fields stand in its place.
    Inline(&'static Message),
    List(&'static Self),
    /// From texts.
    Map(&'static Self),
}

/// What stands behind the number of a field.
#[derive(Clone, Copy, Debug)]
enum Raw<'de> {
    Varint(u64),
    Bytes(&'de [u8]),
    /// A number of fixed length: no field that is read has one.
    Fixed,
}

const CUT: &str = "the protobuf message is cut short";

/// The field that begins `bytes`, which go on behind it; `None`: its end is not there.
fn field<'de>(bytes: &mut &'de [u8]) -> Result<Option<(u64, Raw<'de>)>, Error> {
    let mut rest = *bytes;
    let Some(tag) = varint(&mut rest)? else { return Ok(None) };
    let wire = match tag & 7 {
        0 => varint(&mut rest)?.map(Raw::Varint),
        1 => rest.split_off(..8).map(|_| Raw::Fixed),
        2 => match varint(&mut rest)? {
            Some(length) => usize::try_from(length).ok().and_then(|n| rest.split_off(..n)).map(Raw::Bytes),
            None => None,
        },
        5 => rest.split_off(..4).map(|_| Raw::Fixed),
        other => return Err(Error::custom(format_args!("protobuf has no wire type {other}"))),
    };
    let Some(wire) = wire else { return Ok(None) };
    *bytes = rest;
    Ok(Some((tag >> 3, wire)))
}

/// `None`: its end is not there.
fn varint(bytes: &mut &[u8]) -> Result<Option<u64>, Error> {
    let mut value = 0;
    for (n, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            *bytes = &bytes[n + 1..];
            return Ok(Some(value));
        }
        if n == 9 {
            return Err(Error::custom("a protobuf number has no end"));
        }
    }
    Ok(None)
}

fn whole_field<'de>(bytes: &mut &'de [u8]) -> Result<(u64, Raw<'de>), Error> {
    field(bytes)?.ok_or_else(|| Error::custom(CUT))
}

/// The first field of that number.
fn find<'de>(mut bytes: &'de [u8], number: u64) -> Result<Option<Raw<'de>>, Error> {
    while !bytes.is_empty() {
        match whole_field(&mut bytes)? {
            (found, wire) if found == number => return Ok(Some(wire)),
            _ => {}
        }
    }
    Ok(None)
}

fn text(wire: Option<Raw<'_>>) -> Result<&[u8], Error> {
    match wire {
        None => Ok(&[]),
        Some(Raw::Bytes(text)) => Ok(text),
        Some(_) => Err(Error::custom("a number stands where a text was expected")),
    }
}

fn number(wire: Option<Raw<'_>>) -> Result<i64, Error> {
    match wire {
        None => Ok(0),
        Some(Raw::Varint(number)) => Ok(number.cast_signed()),
        Some(_) => Err(Error::custom("a number was expected")),
    }
}

/// Tells a text to serde; what is no UTF-8 of it is replaced, as in JSON.
fn tell<'de, V: Visitor<'de>>(text: &'de [u8], visitor: V) -> Result<V::Value, Error> {
    match std::str::from_utf8(text) {
        Ok(text) => visitor.visit_borrowed_str(text),
        Err(_) => visitor.visit_string(String::from_utf8_lossy(text).into_owned()),
    }
}

/// A message, field by field.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    fields: &'static [Field],
    /// What goes on behind the message that stands in the place of its fields.
    outer: Option<(&'de [u8], &'static [Field])>,
    next: Option<(&'static Field, Raw<'de>)>,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8], message: &'static Message) -> Self {
        Self { rest: bytes, fields: message.fields, outer: None, next: None }
    }

    /// The next element of a list, where it follows at once: who writes protobuf writes lists so.
    fn another(&mut self, number: u64) -> Result<Option<Raw<'de>>, Error> {
        let mut rest = self.rest;
        if rest.is_empty() {
            return Ok(None);
        }
        let (found, wire) = whole_field(&mut rest)?;
        if found != number {
            return Ok(None);
        }
        self.rest = rest;
        Ok(Some(wire))
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Reader<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        loop {
            if self.rest.is_empty() {
                match self.outer.take() {
                    Some((rest, fields)) => (self.rest, self.fields) = (rest, fields),
                    None => return Ok(None),
                }
                continue;
            }
            let (number, wire) = whole_field(&mut self.rest)?;
            let Some(field) = self.fields.iter().find(|field| field.number == number) else { continue };
            if let FieldType::Inline(message) = field.holds {
                if self.outer.replace((self.rest, self.fields)).is_some() {
                    return Err(Error::custom("two messages stand in the place of their fields"));
                }
                (self.rest, self.fields) = (text(Some(wire))?, message.fields);
                continue;
            }
            self.next = Some((field, wire));
            return seed.deserialize(BorrowedStrDeserializer::<Error>::new(field.name)).map(Some);
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (field, wire) = self.next.take().ok_or_else(|| Error::custom("a value has no key"))?;
        let first = Some(wire);
        match field.holds {
            FieldType::List(holds) => seed.deserialize(Many { of: self, field, holds, first, is_map: false }),
            FieldType::Map(holds) => seed.deserialize(Many { of: self, field, holds, first, is_map: true }),
            ref holds => seed.deserialize(One { holds, wire }),
        }
        .map_err(|why| Error::custom(format_args!("{}: {why}", field.name)))
    }
}

/// A list or a map: the same field over and over.
struct Many<'a, 'de> {
    of: &'a mut Reader<'de>,
    field: &'static Field,
    holds: &'static FieldType,
    first: Option<Raw<'de>>,
    is_map: bool,
}

impl<'de> Many<'_, 'de> {
    fn next(&mut self) -> Result<Option<Raw<'de>>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.of.another(self.field.number),
        }
    }
}

impl<'de> Deserializer<'de> for Many<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_map {
            visitor.visit_map(Entries { of: self, value: None })
        } else {
            visitor.visit_seq(self)
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        while self.next()?.is_some() {}
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

impl<'de> SeqAccess<'de> for Many<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(wire) = self.next()? else { return Ok(None) };
        seed.deserialize(One { holds: self.holds, wire }).map(Some)
    }
}

/// The entries of a map, each a message of its key and its value.
struct Entries<'a, 'de> {
    of: Many<'a, 'de>,
    value: Option<Raw<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(wire) = self.of.next()? else { return Ok(None) };
        let entry = text(Some(wire))?;
        self.value = find(entry, 2)?;
        let key = text(find(entry, 1)?)?;
        seed.deserialize(One { holds: &FieldType::Text, wire: Raw::Bytes(key) }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let wire = self.value.take().unwrap_or(Raw::Bytes(&[]));
        seed.deserialize(One { holds: self.of.holds, wire })
    }
}

/// One value.
struct One<'de> {
    holds: &'static FieldType,
    wire: Raw<'de>,
}

impl One<'_> {
    /// The moment it holds.
    fn moment(bytes: &[u8]) -> Result<Option<Timestamp>, Error> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let moment = Timestamp::from_second(number(find(bytes, 1)?)?);
        moment.map(Some).map_err(Error::custom)
    }
}

impl<'de> Deserializer<'de> for One<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { holds, wire } = self;
        match holds {
            FieldType::Text => tell(text(Some(wire))?, visitor),
            FieldType::Int => visitor.visit_i64(number(Some(wire))?),
            FieldType::Bool => visitor.visit_bool(number(Some(wire))? != 0),
            FieldType::Time => match Self::moment(text(Some(wire))?)? {
                Some(moment) => visitor.visit_string(moment.to_string()),
                None => visitor.visit_unit(),
            },
            FieldType::Quantity => tell(text(find(text(Some(wire))?, 1)?)?, visitor),
            FieldType::IntOrString => {
                let bytes = text(Some(wire))?;
                match number(find(bytes, 1)?)? {
                    0 => visitor.visit_i64(number(find(bytes, 2)?)?),
                    _ => tell(text(find(bytes, 3)?)?, visitor),
                }
            }
            FieldType::Json => match text(find(text(Some(wire))?, 1)?)? {
                [] => visitor.visit_unit(),
                json => {
                    serde_json::Deserializer::from_slice(json).deserialize_any(visitor).map_err(Error::custom)
                }
            },
            FieldType::Of(message) | FieldType::Inline(message) => {
                visitor.visit_map(Reader::new(text(Some(wire))?, message))
            }
            FieldType::List(_) | FieldType::Map(_) => {
                Err(Error::custom("a list stands where one value was expected"))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.holds, self.wire) {
            (FieldType::Time, Raw::Bytes([])) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}
