//! Label and field selectors, in the grammar and with the errors of a real apiserver.

mod grammar;

use serde_json::Value;

use grammar::{Parser, Requirement, Test};

use super::failure::Failure;
use crate::kind::Kind;

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// Reads both selectors of a request for objects of `kind`.
    ///
    /// # Errors
    /// 400 in the words of the apiserver.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Failure> {
        Ok(Self {
            labels: Parser::new(labels).requirements().map_err(Failure::bad_request)?,
            fields: parse_fields(kind, fields)?,
        })
    }

    /// The label selector of an object's `spec.selector` (`matchLabels` and `matchExpressions`).
    pub fn of(selector: &Value) -> Self {
        let mut labels = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let test = Test::In(vec![value.as_str().unwrap_or_default().into()]);
            labels.push(Requirement { key: key.clone(), test });
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let values = || {
                let values = expression["values"].as_array().into_iter().flatten();
                values.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let test = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "Exists" => Test::Exists,
                _ => Test::Absent,
            };
            labels.push(Requirement { key: expression["key"].as_str().unwrap_or_default().into(), test });
        }
        Self { labels, fields: Vec::new() }
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether the object is selected.
    pub fn matches(&self, kind: &Kind, object: &Value) -> bool {
        self.labels_match(&object["metadata"]["labels"])
            && self
                .fields
                .iter()
                .all(|(field, equal, value)| (field_of(kind, object, field) == *value) == *equal)
    }

    /// Whether a map of labels is selected.
    pub fn labels_match(&self, labels: &Value) -> bool {
        self.labels.iter().all(|r| {
            let value = labels.get(&r.key).and_then(Value::as_str);
            let number = || value.and_then(|v| v.parse::<i64>().ok());
            match &r.test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|v| values.iter().any(|x| x == v)),
                Test::NotIn(values) => value.is_none_or(|v| !values.iter().any(|x| x == v)),
                Test::Greater(than) => number().is_some_and(|n| n > *than),
                Test::Less(than) => number().is_some_and(|n| n < *than),
            }
        })
    }
}

/// The labels of a selector as one string: `app=acme,tier in (a,b)`. What `status.selector` of a scale holds.
pub fn words(selector: &Value) -> String {
    let mut words: Vec<String> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        words.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        values.sort_unstable();
        words.push(match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    words.join(",")
}

fn known_fields(kind: &Kind) -> &'static [&'static str] {
    match kind.stored().index {
        i if i == Kind::POD.index => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        i if i == Kind::EVENT.index => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingComponent",
            "reportingController",
            "source",
            "type",
        ],
        i if i == Kind::NODE.index => &["spec.unschedulable"],
        i if i == Kind::NAMESPACE.index => &["status.phase", "name"],
        i if i == Kind::SECRET.index => &["type"],
        i if i == Kind::JOB.index => &["status.successful"],
        i if i == Kind::REPLICA_SET.index => &["status.replicas"],
        i if i == Kind::SERVICE.index => &["spec.clusterIP", "spec.type"],
        _ => &[],
    }
}

fn field_of(kind: &Kind, object: &Value, field: &str) -> String {
    let event = kind.stored() == Kind::EVENT;
    let path = match field {
        "name" => "metadata.name".into(),
        "source" if event => "source.component".into(),
        "reportingController" if event => "reportingComponent".into(),
        _ if event && field.starts_with("regarding.") => field.replacen("regarding", "involvedObject", 1),
        _ if field == "status.successful" => "status.succeeded".into(),
        _ => field.to_owned(),
    };
    let found = path.split('.').fold(object, |value, step| &value[step]);
    match found {
        Value::String(text) => text.clone(),
        Value::Null if matches!(field, "spec.unschedulable" | "spec.hostNetwork") => "false".into(),
        Value::Null if matches!(field, "status.successful" | "status.replicas") => "0".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn parse_fields(kind: &Kind, text: &str) -> Result<Vec<(String, bool, String)>, Failure> {
    let mut terms = Vec::new();
    for term in text.split(',').filter(|t| !t.is_empty()) {
        let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
            (field, false, value)
        } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (field, true, value)
        } else {
            let message = format!("invalid selector: '{text}'; can't understand '{term}'");
            return Err(Failure::bad_request(message));
        };
        let general = field == "metadata.name" || field == "metadata.namespace" && kind.namespaced;
        let known = known_fields(kind);
        if !general && !known.contains(&field) {
            return Err(Failure::bad_request(if known.is_empty() {
                format!(
                    "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                )
            } else {
                format!("field label not supported: {field}")
            }));
        }
        terms.push((field.to_owned(), equal, value.to_owned()));
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(text: &str, labels: Value) -> bool {
        Selector::parse(Kind::POD, text, "").unwrap().labels_match(&labels)
    }

    #[test]
    fn labels_are_selected_by_equality_and_by_sets() {
        let labels = json!({"app": "acme", "n": "3"});
        for text in [
            "app=acme",
            "app==acme",
            "app!=x",
            "app in (acme, x)",
            "!z",
            "app",
            "app notin (x),n>2",
            "z!=1",
            "",
        ] {
            assert!(selects(text, labels.clone()), "{text}");
        }
        for text in ["app=x", "!app", "z", "app notin (acme)", "n<3", "app=acme,z"] {
            assert!(!selects(text, labels.clone()), "{text}");
        }
    }

    #[test]
    fn bad_selectors_are_told_as_the_apiserver_does() {
        let message = |text| Selector::parse(Kind::POD, text, "").unwrap_err().message;
        assert_eq!(message("=="), "found '==', expected: !, identifier, or 'end of string'");
        assert!(message("a in x").starts_with("unable to parse requirement"));
        assert!(message("a=b,").contains("identifier after ','"));
        let fields = |text| Selector::parse(Kind::POD, "", text).unwrap_err().message;
        assert_eq!(fields("spec.nothing=1"), "field label not supported: spec.nothing");
        assert!(fields("gibberish").starts_with("invalid selector"));
    }

    #[test]
    fn fields_are_selected() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Running"}});
        let ok = |text| Selector::parse(Kind::POD, "", text).unwrap().matches(Kind::POD, &pod);
        assert!(ok("status.phase=Running,metadata.name!=q"));
        assert!(!ok("status.phase!=Running"));
        assert!(ok("spec.nodeName="));
    }

    #[test]
    fn a_selector_is_told_in_words() {
        let selector = json!({"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["y", "x"]}]});
        assert_eq!(words(&selector), "app=a,k in (x,y)");
    }
}
