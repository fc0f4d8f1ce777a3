//! Labels and the selectors over them. Used by the scheduler and the controllers.

use std::collections::BTreeMap;

use serde_json::Value;

/// The labels of one object.
pub(crate) type Labels = BTreeMap<String, String>;

/// A string map of an object (labels, annotations, selectors); what is not a string is left out.
pub(crate) fn strings(value: &Value) -> Labels {
    value
        .as_object()
        .map(|map| map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
        .unwrap_or_default()
}

/// All of its requirements must hold; without any it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
    Unknown,
}

impl Selector {
    /// A `metav1.LabelSelector`; an absent one matches nothing.
    pub(crate) fn read(value: &Value) -> Self {
        if !value.is_object() {
            return Self { requirements: Vec::new(), nothing: true };
        }
        let mut selector = Self::of(&strings(&value["matchLabels"]));
        selector.requirements.extend(requirements(&value["matchExpressions"]));
        selector
    }

    /// Every one of these labels with this value.
    pub(crate) fn of(labels: &Labels) -> Self {
        let requirements = labels.iter().map(|(key, value)| Requirement::equals(key, value)).collect();
        Self { requirements, nothing: false }
    }

    /// One label with one value.
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.requirements.push(Requirement::equals(key, value));
    }

    /// Both selectors together.
    pub(crate) fn and(&mut self, other: &Self) {
        self.requirements.extend(other.requirements.iter().cloned());
        self.nothing |= other.nothing;
    }

    /// Has no requirement at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether the labels satisfy it.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

/// The `matchExpressions` of a label selector or of a node selector term.
pub(crate) fn requirements(value: &Value) -> Vec<Requirement> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|expression| Requirement {
            key: expression["key"].as_str().unwrap_or_default().to_owned(),
            operator: match expression["operator"].as_str() {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("Exists") => Operator::Exists,
                Some("DoesNotExist") => Operator::DoesNotExist,
                Some("Gt") => Operator::Gt,
                Some("Lt") => Operator::Lt,
                _ => Operator::Unknown,
            },
            values: expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
        })
        .collect()
}

impl Requirement {
    fn equals(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), operator: Operator::In, values: vec![value.to_owned()] }
    }

    /// Whether the labels satisfy it (an absent label satisfies `NotIn`).
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compare(value, |have, want| have > want),
            Operator::Lt => self.compare(value, |have, want| have < want),
            Operator::Unknown => false,
        }
    }

    /// The values of an `In` on this field, if that is what it is.
    pub(crate) fn names(&self, field: &str) -> Option<&[String]> {
        (self.operator == Operator::In && self.key == field).then_some(self.values.as_slice())
    }

    fn compare(&self, value: Option<&String>, holds: impl Fn(i64, i64) -> bool) -> bool {
        let have = value.and_then(|value| value.parse().ok());
        let want = self.values.first().and_then(|value| value.parse().ok());
        matches!((have, want), (Some(have), Some(want)) if holds(have, want))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nil_matches_nothing_and_empty_everything() {
        let labels = strings(&json!({"app": "acme", "n": 3}));
        assert!(!Selector::read(&Value::Null).matches(&labels));
        assert!(Selector::read(&json!({})).matches(&labels));
        assert!(Selector::read(&json!({"matchLabels": {"app": "acme"}})).matches(&labels));
        let other = json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["acme"]}]});
        assert!(!Selector::read(&other).matches(&labels));
        assert!(Selector::read(&other).matches(&Labels::new()));
    }
}
