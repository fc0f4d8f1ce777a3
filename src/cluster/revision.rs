//! The templates a Deployment has had, as they are read when somebody asks: what one sets, and how two differ.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fnv1a;

/// Which template of a Deployment: its ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Annotation `deployment.kubernetes.io/revision`.
    pub number: u64,
    /// The ReplicaSet's name.
    pub set: Arc<str>,
    /// The hash of its template: label `pod-template-hash`.
    pub hash: Arc<str>,
}

/// A template as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Whose.
    pub revision: Revision,
    /// When its ReplicaSet was made.
    pub created: Timestamp,
    /// What it sets, each in a line: `image of php-fpm` and so on.
    pub settings: BTreeMap<String, String>,
}

/// One thing in which two templates differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateDifference {
    /// What: `image of php-fpm`, `env APP_ENV of php-fpm`, `limits.memory of nginx`.
    pub what: String,
    /// In the one; `None`: it is not set there.
    pub from: Option<String>,
    /// In the other.
    pub to: Option<String>,
}

impl TemplateDifference {
    /// In a line.
    pub fn words(&self) -> String {
        let one = |text: &Option<String>| text.clone().unwrap_or_else(|| "not set".into());
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if is_masked(from) && is_masked(to) => {
                format!("{}: another value", self.what)
            }
            (from, to) => format!("{}: {} → {}", self.what, one(from), one(to)),
        }
    }
}

/// How two templates differ: images first, then environment and resources, then all else.
pub fn differences(from: &Template, to: &Template) -> Vec<TemplateDifference> {
    let mut names: Vec<_> = from.settings.keys().chain(to.settings.keys()).collect();
    names.sort_by_key(|name| (rank(name), (*name).clone()));
    names.dedup();
    let differs = |name: &&String| from.settings.get(*name) != to.settings.get(*name);
    let of = |name: &String| TemplateDifference {
        what: name.clone(),
        from: from.settings.get(name).cloned(),
        to: to.settings.get(name).cloned(),
    };
    names.into_iter().filter(differs).map(of).collect()
}

fn rank(name: &str) -> usize {
    let first = ["image of ", "env ", "requests.", "limits."];
    first.iter().position(|start| name.starts_with(start)).unwrap_or(first.len())
}

/// Letters of a value that are shown.
const SHOWN: usize = 120;
const MASK: &str = "***";

fn is_masked(value: &str) -> bool {
    value.starts_with(MASK)
}

/// What a pod template sets, each in a line.
pub fn settings(template: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (kind, word) in [("labels", "label"), ("annotations", "annotation")] {
        for (name, value) in object(&template["metadata"][kind]) {
            if name != "pod-template-hash" {
                all.insert(format!("{word} {name}"), text(value));
            }
        }
    }
    for (name, value) in object(&template["spec"]) {
        match name.as_str() {
            "containers" | "initContainers" => {
                value.as_array().into_iter().flatten().for_each(|c| container(c, &mut all))
            }
            name => drop(all.insert(name.to_owned(), text(value))),
        }
    }
    all
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null())
}

fn container(container: &Value, all: &mut BTreeMap<String, String>) {
    let name = container["name"].as_str().unwrap_or_default();
    for (field, value) in object(container) {
        match field.as_str() {
            "name" => {}
            "env" => {
                for env in value.as_array().into_iter().flatten() {
                    let key = env["name"].as_str().unwrap_or_default();
                    all.insert(format!("env {key} of {name}"), environment(key, env));
                }
            }
            "resources" => {
                for (kind, amounts) in object(value) {
                    for (what, amount) in object(amounts) {
                        all.insert(format!("{kind}.{what} of {name}"), text(amount));
                    }
                }
            }
            field => drop(all.insert(format!("{field} of {name}"), text(value))),
        }
    }
}

/// An environment variable of this name holds what nobody is to read on a screen, also where the manifest has it in
/// clear: addresses of databases carry passwords.
pub fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "DSN", "_URL"];
    words.iter().any(|word| upper.contains(word))
}

/// The value of a variable; one whose name says that it is a secret is only told apart.
fn environment(key: &str, env: &Value) -> String {
    if !env["valueFrom"].is_null() {
        return text(&env["valueFrom"]);
    }
    let value = env["value"].as_str().unwrap_or_default();
    match is_secret(key) {
        true => format!("{MASK}{:x}", fnv1a(value.bytes())),
        false => text(&env["value"]),
    }
}

fn text(value: &Value) -> String {
    let whole = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match whole.char_indices().nth(SHOWN) {
        // What is not shown tells two values apart all the same.
        Some((end, _)) => format!("{}… ({:x})", &whole[..end], fnv1a(whole.bytes()) & 0xffff),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(number: u64, image: &str, memory: &str, secret: &str) -> Template {
        let value = json!({
            "metadata": { "labels": { "app": "acme", "pod-template-hash": image }, "creationTimestamp": null },
            "spec": {
                "containers": [{
                    "name": "php-fpm", "image": image,
                    "env": [{ "name": "APP_ENV", "value": "prod" }, { "name": "DB_PASSWORD", "value": secret }],
                    "resources": { "limits": { "memory": memory } },
                }],
            },
        });
        let revision = Revision { number, set: "acme-1".into(), hash: image.into() };
        Template { revision, created: Timestamp::UNIX_EPOCH, settings: settings(&value) }
    }

    #[test]
    fn two_templates_differ_in_image_environment_and_resources_and_no_secret_is_told() {
        let (old, new) = (template(1, "app:1", "512Mi", "hunter1"), template(2, "app:2", "640Mi", "hunter2"));
        let words: Vec<_> = differences(&new, &old).iter().map(TemplateDifference::words).collect();
        assert_eq!(
            words,
            [
                "image of php-fpm: app:2 → app:1",
                "env DB_PASSWORD of php-fpm: another value",
                "limits.memory of php-fpm: 640Mi → 512Mi"
            ]
        );
        assert!(differences(&old, &old).is_empty());
        assert!(!old.settings.values().any(|v| v.contains("hunter")), "{:?}", old.settings);
    }
}
