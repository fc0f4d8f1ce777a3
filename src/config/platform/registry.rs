//! `[platform.registry]`: where images come from, and who asks there.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::super::{PasswordFrom, Span, text::as_text};

/// `[platform.registry]`: the registry that the images of the tenants come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Registry {
    /// As images name it, with its port: `registry.example:5000`. Without it none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<RegistryName>,
    /// Where it is asked, where that is not under its name: `https://10.0.0.7:5000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<BaseUrl>,
    /// The certificate authority, a PEM file; otherwise those of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the password is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordFrom>,
    /// Asks with what nodes pull with: a Secret of this name in the namespace of the image, or `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<PullSecret>,
    /// How often it is asked.
    pub every: Span,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            name: None,
            address: None,
            ca: None,
            user: None,
            password: None,
            pull_secret: None,
            every: Span(Duration::from_secs(60)),
        }
    }
}

impl Registry {
    /// Whether there is one.
    pub fn is_configured(&self) -> bool {
        self.name.is_some()
    }

    /// What does not go together: the setting, and why.
    pub(in crate::config) fn senseless(&self) -> Option<(&'static str, String)> {
        if !self.is_configured() && *self != (Self { every: self.every, ..Self::default() }) {
            return Some(("name", "which registry is meant is not said: name it as images do".to_owned()));
        }
        match (&self.user, &self.password) {
            (Some(_), None) => Some(("user", "it has no password: say where it is".to_owned())),
            (None, Some(_)) => Some(("password", "it has no user: name one".to_owned())),
            (Some(_), Some(PasswordFrom::MyCnf(_))) => {
                Some(("password", "an option file of MySQL holds no password of a registry".to_owned()))
            }
            _ => None,
        }
    }
}

/// A registry as images name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryName(pub String);

/// The base of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub String);

/// The name of a Secret, with its namespace or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSecret(pub Option<Arc<str>>, pub Arc<str>);

impl FromStr for RegistryName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no registry as images name it, such as registry.example:5000");
        let plain =
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        // Docker Hub is known by another name to those who ask.
        let host =
            if matches!(text, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { text };
        let is_host = host.contains(['.', ':']) || host == "localhost";
        if plain && is_host { Ok(Self(host.to_owned())) } else { Err(bad()) }
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no address such as https://10.0.0.7:5000");
        let uri: http::Uri = text.parse().map_err(|_| bad())?;
        let base = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty());
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('@');
        if base && bare { Ok(Self(text.trim_end_matches('/').to_owned())) } else { Err(bad()) }
    }
}

impl FromStr for PullSecret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| !part.is_empty() && !part.contains(['/', ':', ' ', '"', '{']);
        match text.split_once('/') {
            Some((namespace, name)) if part(namespace) && part(name) => {
                Ok(Self(Some(namespace.into()), name.into()))
            }
            None if part(text) => Ok(Self(None, text.into())),
            // What stands there may be the secret itself: it is not repeated.
            _ => Err("a pull secret is the name of a Secret, such as registry or default/registry".into()),
        }
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PullSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(namespace) => write!(f, "{namespace}/{}", self.1),
            None => f.write_str(&self.1),
        }
    }
}

as_text!(RegistryName, BaseUrl, PullSecret);

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_registry_is_read_and_what_does_not_go_together_is_named() {
        let read = |text: &str| Config::parse(&format!("[platform.registry]\n{text}"));
        let config = read(
            "name = \"registry.example:5000\"\naddress = \"https://10.0.0.7:5000/\"\npull-secret = \"registry\"",
        );
        let config = config.expect("a configuration");
        assert_eq!(Config::parse(&config.to_toml()), Ok(config.clone()));
        let registry = config.platform.registry;
        assert_eq!(registry.address.expect("an address").0, "https://10.0.0.7:5000");
        let docker = read("name = \"docker.io\"").expect("a configuration").platform.registry;
        assert_eq!(docker.name.expect("a name").0, "registry-1.docker.io");
        for (text, words) in [
            ("name = \"registry\"", "`registry` is no registry as images name it"),
            ("name = \"https://registry.example\"", "is no registry as images name it"),
            ("name = \"r.example\"\naddress = \"10.0.0.7:5000\"", "is no address such as https://"),
            ("name = \"r.example\"\naddress = \"https://u:p@r.example\"", "is no address such as https://"),
            ("name = \"r.example\"\nuser = \"u\"", "it has no password"),
            ("name = \"r.example\"\npassword = { env = \"X\" }", "it has no user"),
            ("address = \"https://r.example\"", "name it as images do"),
        ] {
            let why = read(text).expect_err("a mistake").to_string();
            assert!(why.contains(words), "{text}: {why}");
        }
        // A secret in the wrong place is not repeated.
        let why = read("name = \"r.example\"\npull-secret = \"{auths: hunter2}\"")
            .expect_err("a mistake")
            .to_string();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
