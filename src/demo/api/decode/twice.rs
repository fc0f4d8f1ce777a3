//! Members of JSON objects that are there twice: a parsed value does not show them any more.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The members of a JSON body that are there twice, a sentence for each.
pub(in crate::api) fn duplicates(body: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    let seed = Twice { at: String::new(), told: &mut told };
    // what is no JSON was refused before
    let _ = seed.deserialize(&mut serde_json::Deserializer::from_slice(body));
    told
}

/// Looks for members that are there twice.
struct Twice<'a> {
    at: String,
    told: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Twice<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Twice<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let dot = if self.at.is_empty() { "" } else { "." };
            let at = format!("{}{dot}{key}", self.at);
            if !seen.insert(key) {
                self.told.push(format!("duplicate field {at:?}"));
            }
            map.next_value_seed(Twice { at, told: self.told })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut number = 0;
        while seq
            .next_element_seed(Twice { at: format!("{}[{number}]", self.at), told: self.told })?
            .is_some()
        {
            number += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_there_twice_are_named() {
        assert_eq!(
            duplicates(br#"{"a": [{"b": 1, "b": 2}], "c": {"d": null}, "c": 1}"#),
            ["duplicate field \"a[0].b\"", "duplicate field \"c\""]
        );
        assert_eq!(duplicates(b"{no"), Vec::<String>::new());
    }
}
