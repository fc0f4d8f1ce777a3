//! `[keys]`: other keys for the commands of the screen. Which commands and keys there are is known to the screen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A command's name with its keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bindings(BTreeMap<String, Bound>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a key such as \"s\", or a list of them")]
enum Bound {
    One(String),
    Several(Vec<String>),
}

impl Bindings {
    /// Nothing is said of keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each command that is named, with its keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.0.iter().map(|(command, bound)| {
            let keys = match bound {
                Bound::One(key) => vec![key.as_str()],
                Bound::Several(keys) => keys.iter().map(String::as_str).collect(),
            };
            (command.as_str(), keys)
        })
    }
}
