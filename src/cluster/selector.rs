//! Labels, and what selects by them.

use std::{collections::BTreeMap, sync::Arc};

use super::Few;

/// Labels or annotations, shared between the objects that carry the same ones.
pub type Labels = Arc<LabelSet>;

/// Label by label, its value.
pub type LabelSet = Few<Arc<str>, Arc<str>>;

/// A label selector: `matchLabels` and `matchExpressions`, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// `matchLabels` are kept as `In` with one value.
    pub requirements: Vec<Requirement>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label.
    pub key: Arc<str>,
    /// What must hold for it.
    pub operator: Operator,
}

/// The operators of label and node selectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Present, with one of these values.
    In(Vec<Arc<str>>),
    /// Absent, or with none of these values.
    NotIn(Vec<Arc<str>>),
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
    /// An integer above this one (node selectors only).
    Gt(i64),
    /// An integer below this one (node selectors only).
    Lt(i64),
}

impl Selector {
    /// The selector that wants exactly these labels.
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.as_str().into(),
            operator: Operator::In(vec![value.as_str().into()]),
        };
        Self { requirements: labels.iter().map(requirement).collect() }
    }

    /// Whether labels satisfy every requirement. An empty selector selects everything.
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.requirements.iter().all(|r| r.matches(labels.get(&*r.key).map(|value| &**value)))
    }
}

impl Requirement {
    /// Whether a label's value (`None`: absent) satisfies it.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let number = |v: &str| v.parse::<i64>().ok();
        match (&self.operator, value) {
            (Operator::In(values), Some(v)) => values.iter().any(|one| **one == *v),
            (Operator::NotIn(values), Some(v)) => values.iter().all(|one| **one != *v),
            (Operator::NotIn(_) | Operator::DoesNotExist, None) | (Operator::Exists, Some(_)) => true,
            (Operator::Gt(bound), Some(v)) => number(v).is_some_and(|n| n > *bound),
            (Operator::Lt(bound), Some(v)) => number(v).is_some_and(|n| n < *bound),
            _ => false,
        }
    }
}
