//! The user's configuration: one TOML file, every default in one place.
//!
//! Order of precedence, the later wins: defaults, the file, environment variables (`WHEELHOUSE_*`), flags. The last two
//! are read by `cli`; this file knows only the first two.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::{AppStrategy, AppStrategyArgs, app_strategy::Xdg, choose_app_strategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::{Sizing, Tenancy};

mod database;
mod mycnf;

pub use database::{
    Account, Address, Galera, Login, PasswordFrom, Place, ProxyAddress, Proxysql, Reach, SecretKey,
    expectations,
};

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The kubeconfig file; otherwise `KUBECONFIG`, `~/.kube/config`, or the service account inside a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context; otherwise its current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Look at this namespace only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Never write to the cluster.
    pub read_only: bool,
    /// How this operator signs: otherwise `USER@HOST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The name of a theme: a built-in one, or a file in the `themes` folder beside the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// What a tenant is.
    pub tenants: Tenancy,
    /// What a request takes, and when little headroom is a finding.
    pub headroom: Sizing,
    /// Where runs are written down.
    pub journal: Journal,
    /// How often sources that cannot be watched are read.
    pub refresh: Refresh,
    /// The members of the Galera cluster.
    pub galera: Galera,
    /// The ProxySQLs in front of it.
    pub proxysql: Proxysql,
}

/// `[journal]`: where runs are written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Journal {
    /// The namespace of the journals and leases; created when it is missing.
    pub namespace: String,
    /// How long a lease is good without being renewed: after a crash, others may go on when it has run out.
    pub lease: Span,
}

impl Default for Journal {
    fn default() -> Self {
        Self { namespace: "wheelhouse".into(), lease: Span(Duration::from_secs(15)) }
    }
}

/// `[refresh]`: how often sources that cannot be watched are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Refresh {
    /// `metrics.k8s.io`.
    pub metrics: Span,
    /// Whether the API server still answers.
    pub probe: Span,
    /// The database members and proxies.
    pub database: Span,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            metrics: Span(Duration::from_secs(15)),
            probe: Span(Duration::from_secs(5)),
            database: Span(Duration::from_secs(1)),
        }
    }
}

/// A time span as people write it: `15s`, `2m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = humantime::parse_duration(&text)
            .map_err(|e| serde::de::Error::custom(format!("`{text}` is not a time span such as 15s: {e}")))?;
        if span < Duration::from_secs(1) || span > Duration::from_secs(86_400) {
            return Err(serde::de::Error::custom(format!("`{text}` is not between 1s and 1day")));
        }
        Ok(Self(span))
    }
}

/// A configuration that cannot be used: one sentence naming file, place and mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadConfig(String);

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadConfig {}

impl Config {
    /// Reads the file: the named one, which must exist, or the user's own, which need not.
    ///
    /// # Errors
    /// The file cannot be read, or holds something that is not understood.
    pub fn load(named: Option<&Path>) -> Result<Self, BadConfig> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => match folders() {
                Some(folders) if folders.config_dir().join("config.toml").exists() => {
                    folders.config_dir().join("config.toml")
                }
                _ => return Ok(Self::default()),
            },
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|e| BadConfig(format!("cannot read the configuration {}: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| BadConfig(format!("{}: {e}", path.display())))
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// Says line, key and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadConfig> {
        let config: Self = toml::from_str(text).map_err(|e| {
            let at = e.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let place = at.map_or(String::new(), |line| format!("line {line}: "));
            BadConfig(format!("{place}{}", e.message().replace('\n', " ")))
        })?;
        if config.journal.namespace.is_empty() {
            return Err(BadConfig("journal.namespace must not be empty".into()));
        }
        Ok(config)
    }

    /// The configuration as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every field has a TOML form")
    }
}

fn folders() -> Option<Xdg> {
    let app = AppStrategyArgs {
        top_level_domain: "dev".into(),
        author: "wheelhouse".into(),
        app_name: "wheelhouse".into(),
    };
    choose_app_strategy(app).ok()
}

/// `$XDG_STATE_HOME/wheelhouse`: the audit file, the log, and journals kept on this machine only.
pub fn state_dir() -> Option<PathBuf> {
    folders()?.state_dir()
}

/// The user's own themes, from `$XDG_CONFIG_HOME/wheelhouse/themes`: name and text of each file. One that cannot be
/// read is left out.
pub fn own_themes() -> Vec<(String, String)> {
    let Some(entries) = folders().and_then(|f| std::fs::read_dir(f.config_dir().join("themes")).ok()) else {
        return Vec::new();
    };
    let theme = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned();
        Some((name, std::fs::read_to_string(&path).ok()?))
    };
    entries.filter_map(|entry| theme(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_survives_its_own_file() {
        let config = Config::default();
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
        assert_eq!(Config::parse(""), Ok(Config::default()));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let error = Config::parse("theme = \"dark\"\n[tenants]\nlable = \"x\"\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3: ") && error.contains("lable"), "{error}");
        let error = Config::parse("[refresh]\nmetrics = \"soon\"").unwrap_err().to_string();
        assert!(error.contains("soon") && error.contains("15s"), "{error}");
        assert!(Config::parse("[refresh]\nprobe = \"1ms\"").is_err());
        assert!(
            Config::load(Some(Path::new("/nonexistent/x.toml")))
                .unwrap_err()
                .to_string()
                .contains("/nonexistent")
        );
    }
}
