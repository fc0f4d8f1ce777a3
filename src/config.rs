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

use crate::{
    cluster::{Sizing, Tenancy},
    plan::{Migrations, rebalance::Policy},
};

mod database;
mod mistake;
mod mycnf;

pub use database::{
    Account, Address, Galera, Login, PasswordFrom, ProxyAddress, ProxyEntry, Proxysql, Reach, SecretKey,
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
    /// Which pods may move, and what is even enough.
    pub moves: Policy,
    /// How databases are migrated.
    pub migrations: Migrations,
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
        let config: Self = toml::from_str(text).map_err(|e| mistake::sentence(text, &e))?;
        if config.journal.namespace.is_empty() {
            return Err(BadConfig("journal.namespace must not be empty".into()));
        }
        config.galera.thresholds.check().map_err(|why| BadConfig(format!("[galera.thresholds] {why}")))?;
        Ok(config)
    }

    /// The same configuration with one setting changed, written as in the file: `galera.thresholds.queue=50`,
    /// `galera.password.env=NAME`. What is no value of TOML is taken for text.
    ///
    /// # Errors
    /// Says what is wrong with the setting.
    pub fn with(&self, setting: &str) -> Result<Self, BadConfig> {
        let (key, value) = setting
            .split_once('=')
            .filter(|(key, value)| !key.trim().is_empty() && !value.contains('\n'))
            .ok_or_else(|| BadConfig("a setting is written SECTION.KEY=VALUE".into()))?;
        let wrong = |why: String| BadConfig(format!("the setting {}: {why}", key.trim()));
        let as_text = || format!("{key} = {}", toml::Value::String(value.trim().into()));
        let given: toml::Table = toml::from_str(&format!("{key} = {value}"))
            .or_else(|_| toml::from_str(&as_text()))
            .map_err(|_| wrong("it is no key of TOML".into()))?;
        let mut all: toml::Table = toml::from_str(&self.to_toml()).map_err(|e| wrong(e.message().into()))?;
        lay_over(&mut all, given);
        let text = toml::to_string(&all).map_err(|e| wrong(e.to_string()))?;
        Self::parse(&text).map_err(|e| wrong(mistake::without_line(&e.to_string()).to_owned()))
    }

    /// The configuration as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every field has a TOML form")
    }
}

/// Lays a table over another; the place of a password is one of several, and replaced whole.
fn lay_over(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) if key != "password" => {
                lay_over(below, above);
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
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
    fn a_setting_is_laid_over_the_file() {
        let config = Config::parse("[galera]\nmembers = [\"db1\"]\npassword = { file = \"x\" }").unwrap();
        for (setting, toml) in [
            ("galera.thresholds.queue=50", "queue = 50"),
            ("galera.thresholds.unsynced=1m", "unsynced = \"1m\""),
            ("galera.password.env=DB", "env = \"DB\""),
            ("galera.hosts.\"db1:3306\"=worker-1", "\"db1:3306\" = \"worker-1\""),
            ("galera.names.\"db1:3306\"=one", "\"db1:3306\" = \"one\""),
            ("proxysql.addresses=[\"db/proxysql:6032\"]", "db/proxysql:6032"),
            ("proxysql.reach=direct", "reach = \"direct\""),
            ("read-only = true", "read-only = true"),
            ("refresh.database=2s", "database = \"2s\""),
        ] {
            let set = config.with(setting).unwrap();
            assert!(set.to_toml().contains(toml), "{setting}: {}", set.to_toml());
            assert_eq!(set.galera.members, config.galera.members);
        }
        for (setting, words) in [
            ("galera.quue=1", "galera.quue: [galera] has no key `quue`"),
            ("nothing", "SECTION.KEY=VALUE"),
            ("galera.thresholds.queue=many", "queue: the text \"many\" is given, a whole number is expected"),
            (
                "galera.members=db1:3306",
                "the text \"db1:3306\" is given, a list such as [\"db1:3306\"] is expected",
            ),
            ("galera.names=3", "`3` is given, a table such as"),
            ("galera.thresholds.flow-control=5", "0.05 for 5 %"),
        ] {
            let error = config.with(setting).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("line "), "{setting}: {error}");
        }
        let error = config.with("galera.password=hunter2").unwrap_err().to_string();
        assert!(error.contains("does not stand") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_key_that_is_none_is_named_with_its_section_and_line() {
        for (text, words) in [
            ("theem = \"dark\"", "line 1: there is no key `theem`; there are kubeconfig, "),
            ("\n[tenants]\nlable = \"x\"", "line 3: [tenants] has no key `lable`; it has label, "),
            ("[galera]\nmembers = []\nmember = [\"db1\"]", "line 3: [galera] has no key `member`"),
            (
                "[galera.thresholds]\nqueue = 5\nquue = 5",
                "line 3: [galera.thresholds] has no key `quue`; it has unsynced, ",
            ),
            (
                "[proxysql]\nhostgroups = [\n{ writer = 1, backup = 2, reader = 3, offline = 4, writr = 5 }]",
                "line 3: [proxysql] has no key `writr`",
            ),
            (
                "[proxysql]\nuser = \"x\"\n\n[proxisql]\nuser = \"x\"",
                "line 4: there is no section `proxisql`; there are ",
            ),
            ("[headroom]\nlow = 1\nhigh = 2", "line 3: [headroom] has no key `high`"),
            ("[galera]\ntls_ca = \"x\"", "line 2: [galera] has no key `tls_ca`"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(words), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
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
