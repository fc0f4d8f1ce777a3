//! Decoding as the apiserver decodes: every field of its type, in Go's words; fields that a type does not have are
//! taken away and named.

mod twice;

use base64::Engine;
use serde_json::Value;
pub(super) use twice::duplicates;

use super::failure::{Failure, Fault};
use super::types::{Message, Type};
use crate::kind::Kind;

/// What is done about fields that are unknown or there twice; from the parameter `fieldValidation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the reply carries a warning for each.
    Warn,
    /// They are refused.
    Strict,
}

impl Strictness {
    /// Of the parameter's value.
    ///
    /// # Errors
    /// 422 for another value.
    pub(super) fn of(value: &str) -> Result<Self, Failure> {
        match value {
            "" | "Warn" => Ok(Strictness::Warn),
            "Ignore" => Ok(Strictness::Ignore),
            "Strict" => Ok(Strictness::Strict),
            other => {
                let known = ["Ignore", "Strict", "Warn"];
                let fault = Fault::unsupported("fieldValidation", &other.into(), &known);
                Err(Failure::invalid("meta.k8s.io", "CreateOptions", "", &[fault]))
            }
        }
    }

    /// The warnings of a reply.
    ///
    /// # Errors
    /// Under [`Strictness::Strict`] the decoder's sentence, when there is anything to say.
    pub(super) fn judge(self, told: Vec<String>) -> Result<Vec<String>, String> {
        match self {
            Strictness::Ignore => Ok(Vec::new()),
            Strictness::Strict if !told.is_empty() => {
                Err(format!("strict decoding error: {}", told.join(", ")))
            }
            _ => Ok(told),
        }
    }
}

/// Checks the fields of an object and takes away those its type does not have. Returns a sentence for each of these.
///
/// # Errors
/// What a Go decoder says of the first value of a wrong type.
pub(super) fn decoded(message: &Message, object: &mut Value) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    let at = FieldPath { owner: message.name, path: String::new(), shown: String::new() };
    fields(message, object, &at, &mut told)?;
    Ok(told)
}

/// [`decoded`] for an object of a kind.
///
/// # Errors
/// 400.
pub(super) fn of_kind(kind: &Kind, object: &mut Value) -> Result<Vec<String>, Failure> {
    let Some(message) = Message::of_kind(kind) else { return Ok(Vec::new()) };
    decoded(message, object).map_err(|why| refused(kind, &why))
}

/// 400: the object is no `kind`.
pub(super) fn refused(kind: &Kind, why: &str) -> Failure {
    Failure::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        kind.kind, kind.version, kind.kind
    ))
}

/// Where a value is: whose field, by Go's path (without places in lists) and by the path that is shown.
#[derive(Clone)]
struct FieldPath {
    owner: &'static str,
    path: String,
    shown: String,
}

impl FieldPath {
    fn field(&self, owner: &'static str, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { owner, path: format!("{}{dot}{name}", self.path), shown: format!("{}{dot}{name}", self.shown) }
    }

    fn item(&self, number: usize) -> Self {
        Self { shown: format!("{}[{number}]", self.shown), ..self.clone() }
    }

    fn key(&self, key: &str) -> Self {
        Self { shown: format!("{}.{key}", self.shown), ..self.clone() }
    }

    fn wrong(&self, value: &Value, wanted: &Type) -> String {
        let numeric = matches!(wanted, Type::Int32 | Type::Int64 | Type::Double);
        let found = match value {
            Value::String(_) => "string".to_owned(),
            Value::Number(n) if numeric => format!("number {n}"),
            Value::Number(_) => "number".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Array(_) => "array".to_owned(),
            _ => "object".to_owned(),
        };
        if self.path.is_empty() {
            return format!("json: cannot unmarshal {found} into Go value of type {}", go(wanted));
        }
        format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {}",
            self.owner,
            self.path,
            go(wanted)
        )
    }
}

fn go(holds: &Type) -> String {
    match holds {
        Type::Text | Type::Quantity | Type::IntOrString | Type::Time | Type::MicroTime => "string".into(),
        Type::Bytes => "[]uint8".into(),
        Type::Bool => "bool".into(),
        Type::Int32 => "int32".into(),
        Type::Int64 => "int64".into(),
        Type::Double => "float64".into(),
        Type::Any => "interface {}".into(),
        Type::List(item) => format!("[]{}", go(item)),
        Type::Map(value) => format!("map[string]{}", go(value)),
        Type::Message(key) => {
            let mut parts = key.rsplit('.');
            let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            format!("{version}.{name}")
        }
    }
}

fn fields(
    message: &Message,
    object: &mut Value,
    at: &FieldPath,
    told: &mut Vec<String>,
) -> Result<(), String> {
    let Some(map) = object.as_object_mut() else {
        return Err(at.wrong(object, &Type::Message(message.key())));
    };
    let known = message.shown();
    map.retain(|name, _| {
        let there = known.iter().any(|field| field.name == name);
        if !there {
            told.push(format!("unknown field {:?}", at.field(message.name, name).shown));
        }
        there
    });
    for (name, value) in map {
        if let Some(field) = known.iter().find(|field| field.name == name) {
            check(&field.holds, value, &at.field(owner(message, field.name), name), told)?;
        }
    }
    Ok(())
}

/// The type that has the field itself: an inlined one has its own.
fn owner(message: &Message, field: &str) -> &'static str {
    let inlined = message.fields.iter().filter(|own| own.name == "-").filter_map(|own| match &own.holds {
        Type::Message(key) => Message::of(key),
        _ => None,
    });
    let mut inlined = inlined.filter(|inner| inner.shown().iter().any(|own| own.name == field));
    inlined.next().map_or(message.name, |inner| inner.name)
}

fn check(holds: &Type, value: &mut Value, at: &FieldPath, told: &mut Vec<String>) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let right = match holds {
        Type::Message(key) => {
            return Message::of(key).map_or(Ok(()), |message| fields(message, value, at, told));
        }
        Type::List(item) => {
            let Some(items) = value.as_array_mut() else { return Err(at.wrong(value, holds)) };
            for (number, value) in items.iter_mut().enumerate() {
                check(item, value, &at.item(number), told)?;
            }
            true
        }
        Type::Map(inner) => {
            let Some(map) = value.as_object_mut() else { return Err(at.wrong(value, holds)) };
            for (key, value) in map {
                check(inner, value, &at.key(key), told)?;
            }
            true
        }
        Type::Text => value.is_string(),
        Type::Bytes => match value.as_str() {
            Some(text) => {
                base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| {
                    let at = match error {
                        base64::DecodeError::InvalidByte(at, _) => at,
                        _ => text.len() / 4 * 4,
                    };
                    format!("illegal base64 data at input byte {at}")
                })?;
                true
            }
            None => false,
        },
        Type::Bool => value.is_boolean(),
        Type::Int32 => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        Type::Int64 => value.is_i64(),
        Type::Double => value.is_number(),
        Type::Quantity => return quantity(value),
        Type::IntOrString => value.is_string() || value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        Type::Time | Type::MicroTime => match value.as_str() {
            Some(text) => {
                text.parse::<jiff::Timestamp>().map_err(|_| {
                    format!(
                        "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
                    )
                })?;
                true
            }
            None => false,
        },
        Type::Any => true,
    };
    if right { Ok(()) } else { Err(at.wrong(value, holds)) }
}

/// A quantity as `resource.ParseQuantity` reads it.
fn quantity(amount: &Value) -> Result<(), String> {
    const FORM: &str =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let text = match amount {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &digits[..digits.len() - unit.len()];
    let letters = unit.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let power = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if number.is_empty() || !power.chars().all(|c| c.is_ascii_digit()) {
        return Err(FORM.into());
    }
    if number.matches('.').count() > 1 || number == "." {
        return Err("unable to parse numeric part of quantity".into());
    }
    let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = unit.strip_prefix(['e', 'E']).is_some_and(|power| power.parse::<i32>().is_ok());
    if units.contains(&unit) || exponent { Ok(()) } else { Err("unable to parse quantity's suffix".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(mut deployment: Value) -> Result<Vec<String>, String> {
        of_kind(Kind::DEPLOYMENT, &mut deployment).map_err(|failure| failure.message)
    }

    #[test]
    fn wrong_types_are_told_in_go_s_words() {
        let head = "Deployment in version \"v1\" cannot be handled as a Deployment: ";
        for (wrong, said) in [
            (
                json!({"spec": {"replicas": "2"}}),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "a", "value": 1}]}]}}}}),
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ),
            (
                json!({"spec": 1}),
                "json: cannot unmarshal number into Go struct field Deployment.spec of type v1.DeploymentSpec",
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"memory": "lots"}}}]}}}}),
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
        ] {
            assert_eq!(told(wrong), Err(format!("{head}{said}")));
        }
    }

    #[test]
    fn everything_in_a_world_is_of_its_type() {
        for scenario in crate::Scenario::ALL {
            let options = crate::Options { tenants: 6, scenario, speed: 0.0, ..crate::Options::default() };
            let world = crate::World::build(&options, "2026-03-01T03:00:00Z".parse().unwrap());
            for kind in crate::kind::KINDS.iter().filter(|kind| kind.stored() == *kind) {
                for object in world.store.list(kind, None) {
                    let mut object = Value::clone(object);
                    assert_eq!(
                        of_kind(kind, &mut object),
                        Ok(Vec::new()),
                        "{kind:?} {}",
                        object["metadata"]["name"]
                    );
                }
            }
        }
    }

    #[test]
    fn unknown_fields_are_named_with_their_places_and_taken_away() {
        let mut odd = json!({"kind": "Deployment", "spec": {"replica": 1, "template": {"spec": {"containers": [
            {"name": "c"}, {"name": "d", "imagePullPolicie": "Always"}], "volumes": [{"name": "v", "emptyDir": {}}]}}}});
        let told = of_kind(Kind::DEPLOYMENT, &mut odd).unwrap();
        let wanted = [
            "unknown field \"spec.replica\"",
            "unknown field \"spec.template.spec.containers[1].imagePullPolicie\"",
        ];
        assert_eq!(told, wanted);
        assert_eq!(of_kind(Kind::DEPLOYMENT, &mut odd), Ok(Vec::new()));
        assert_eq!(odd["spec"]["template"]["spec"]["volumes"][0]["emptyDir"], json!({}));
    }

    #[test]
    fn quantities_are_read_as_go_reads_them() {
        for good in [
            json!("1"),
            json!("100m"),
            json!("64Mi"),
            json!("1.5Gi"),
            json!("1e3"),
            json!(2),
            json!("-1"),
            json!("1E"),
        ] {
            assert_eq!(quantity(&good), Ok(()), "{good}");
        }
        for bad in [
            json!(""),
            json!("Mi"),
            json!("1Q"),
            json!("a"),
            json!("1 Gi"),
            json!("1kk"),
            json!(true),
            json!("1.2.3"),
        ] {
            assert!(quantity(&bad).is_err(), "{bad}");
        }
    }
}
