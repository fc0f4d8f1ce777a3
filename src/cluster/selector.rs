//! Labels, and what selects by them.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Few, Shared};

/// Labels or annotations, shared between the objects that carry the same ones.
pub type Labels = Arc<LabelSet>;

/// Label by label, its value.
pub type LabelSet = Few<Arc<str>, Arc<str>>;

/// A label selector: `matchLabels` and `matchExpressions`, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// `matchLabels` are kept as `In` with one value.
    pub requirements: Shared<Vec<Requirement>>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The label.
    pub key: Arc<str>,
    /// What must hold for it.
    pub operator: Operator,
}

/// The operators of label and node selectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

impl Selector {
    /// As `kubectl -l` takes it: `tier=gold,region in (eu,us),!legacy`.
    pub fn written(&self) -> String {
        let one = |r: &Requirement| match &r.operator {
            Operator::In(values) if values.len() == 1 => format!("{}={}", r.key, values[0]),
            Operator::In(values) => format!("{} in ({})", r.key, values.join(",")),
            Operator::NotIn(values) => format!("{} notin ({})", r.key, values.join(",")),
            Operator::Exists => r.key.to_string(),
            Operator::DoesNotExist => format!("!{}", r.key),
            Operator::Gt(n) => format!("{}>{n}", r.key),
            Operator::Lt(n) => format!("{}<{n}", r.key),
        };
        self.requirements.iter().map(one).collect::<Vec<_>>().join(",")
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

impl FromStr for Selector {
    type Err = String;

    /// Reads what `kubectl -l` takes: `tier=gold,region in (eu, us),!legacy`.
    ///
    /// # Errors
    /// One sentence that names the part that cannot be read.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in parts(text) {
            let part = part.trim();
            let wrong =
                || format!("`{part}` is no selector of labels, such as tier=gold, tier!=gold, tier or !tier");
            requirements.push(requirement(part).ok_or_else(wrong)?);
        }
        Ok(Self { requirements: requirements.into() })
    }
}

/// The parts of a selector: commas inside brackets separate values, not parts.
fn parts(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.split(|c| {
        inside = match c {
            '(' => true,
            ')' => false,
            _ => inside,
        };
        c == ',' && !inside
    })
    .collect()
}

/// One part of a selector.
///
/// Source: the grammar of `k8s.io/apimachinery/pkg/labels`.
fn requirement(part: &str) -> Option<Requirement> {
    let made = |key: &str, operator: Operator| {
        let key = key.trim();
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!key.is_empty() && key.chars().all(letter)).then(|| Requirement { key: key.into(), operator })
    };
    let value = |text: &str| {
        let text = text.trim();
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        text.chars().all(letter).then(|| vec![Arc::from(text)])
    };
    if let Some((key, text)) = part.split_once("!=") {
        return made(key, Operator::NotIn(value(text)?));
    }
    if let Some((key, text)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return made(key, Operator::In(value(text)?));
    }
    if let Some((head, list)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let words: Vec<_> = head.split_whitespace().collect();
        let values: Option<Vec<_>> =
            list.split(',').map(|text| value(text).map(|mut v| v.remove(0))).collect();
        return match words.as_slice() {
            [key, "in"] => made(key, Operator::In(values?)),
            [key, "notin"] => made(key, Operator::NotIn(values?)),
            _ => None,
        };
    }
    match part.strip_prefix('!') {
        Some(key) => made(key, Operator::DoesNotExist),
        None => made(part, Operator::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_read_as_kubectl_reads_it() {
        let labels = BTreeMap::from([("tier", "gold"), ("region", "eu")]);
        let labels: LabelSet = labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        for (text, matches) in [
            ("tier=gold", true),
            ("tier == gold, region=eu", true),
            ("tier!=gold", false),
            ("region in (us, eu),tier", true),
            ("region notin (eu)", false),
            ("!legacy", true),
            ("legacy", false),
            ("legacy!=x", true),
        ] {
            let selector: Selector = text.parse().expect(text);
            assert_eq!(selector.matches(&labels), matches, "{text}");
        }
        for bad in ["", "tier=", "a=b=c", "=x", "tier in gold", "tier in (a", "a b", "tier=gold,", "!"] {
            let read = bad.parse::<Selector>();
            let empty = bad == "tier=" && read.is_ok();
            assert!(empty || read.is_err(), "{bad}: {read:?}");
        }
    }
}
