//! The user's configuration: one TOML file, every default in one place.
//!
//! Order of precedence, the later wins: defaults, the file, its section of the context, environment variables
//! (`WHEELHOUSE_*`), flags. The last two are laid over by `cli`. `settings` is the list of all settings, `layers` tells what
//! is in force and where it comes from, `mistake` what is wrong in a file, `file` writes a new one.

use std::{
    collections::BTreeMap,
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
mod file;
mod keys;
mod layers;
mod mistake;
mod mycnf;
pub mod platform;
mod sense;
pub mod settings;
mod text;

pub use database::{
    Account, Address, Galera, Login, PasswordFrom, ProxyAddress, ProxyEntry, Proxysql, Reach, SecretKey,
    expectations,
};
pub use file::{commented, read, text, usual_path, written};
pub use keys::Bindings;
pub use layers::{InForce, Layers, Origin};
pub use mistake::{Mistake, line};

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
    /// Start read-only: nothing is written to the cluster, until it is unlocked for a while.
    pub read_only: bool,
    /// How this operator signs: otherwise `USER@HOST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The name of a theme: a built-in one, or a file in the `themes` folder beside the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// What the header calls this cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The colour of the label.
    #[serde(skip_serializing_if = "is_default")]
    pub label_colour: LabelColour,
    /// Shows ASCII only, whatever the locale says.
    pub ascii: bool,
    /// Takes the mouse of the terminal: to select, scroll and sort.
    pub mouse: bool,
    /// Other keys for commands of the screen.
    #[serde(skip_serializing_if = "Bindings::is_empty")]
    pub keys: Bindings,
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
    /// What the cockpit keeps of what it has seen.
    pub recording: Kept,
    /// How often sources that cannot be watched are read.
    pub refresh: Refresh,
    /// The members of the Galera cluster.
    pub galera: Galera,
    /// The ProxySQLs in front of it.
    pub proxysql: Proxysql,
    /// What stands around the cluster.
    pub platform: platform::Platform,
    /// `[contexts."NAME"]`: what differs in a context of the kubeconfig, as the file says it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, toml::Table>,
}

/// The colour of the label of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelColour {
    /// As a danger is shown.
    #[default]
    Red,
    /// As a warning is shown.
    Yellow,
    /// As what is well is shown.
    Green,
    /// As what is emphasised is shown.
    Blue,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

/// `[recording]`: what the cockpit keeps of what it has seen, in the state folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Kept {
    /// Keeps the last hours, for the timeline, `wheelhouse replay` and `wheelhouse report`.
    pub keep: bool,
    /// How far back is kept.
    pub back: Span,
    /// At most so many megabytes are kept of one cluster.
    pub megabytes: u32,
}

impl Default for Kept {
    fn default() -> Self {
        Self { keep: true, back: Span(Duration::from_secs(6 * 3_600)), megabytes: 200 }
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
        Layers::read(named)?.config(None)
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// Says line, key and what is wrong with the first mistake, and how many more there are.
    pub fn parse(text: &str) -> Result<Self, BadConfig> {
        Self::examine(text).map_err(|mistakes| {
            let more = match mistakes.len() {
                0 | 1 => String::new(),
                2 => "; 1 more mistake is listed by `wheelhouse config check`".to_owned(),
                n => format!("; {} more mistakes are listed by `wheelhouse config check`", n - 1),
            };
            BadConfig(mistakes.first().map_or_else(String::new, |first| format!("{first}{more}")))
        })
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// All mistakes in it, in the order of their lines.
    pub fn examine(text: &str) -> Result<Self, Vec<Mistake>> {
        mistake::read(text)
    }

    /// The same configuration with one setting changed, written as in the file: `galera.thresholds.queue=50`,
    /// `galera.password.env=NAME`. What is no value of TOML is taken for text.
    ///
    /// # Errors
    /// Says what is wrong with the setting.
    pub fn with(&self, setting: &str) -> Result<Self, BadConfig> {
        let mut all = self.to_table();
        layers::lay_over(&mut all, layers::setting_table(setting)?, &[], true);
        let config: Self = all.try_into().map_err(|e| BadConfig(mistake::plainly(e.message())))?;
        config.check().map_err(|(_, why)| BadConfig(why))?;
        Ok(config)
    }

    /// What is in force in a context of the kubeconfig: its section laid over the rest.
    ///
    /// # Errors
    /// A setting of the section is not understood: one sentence.
    pub fn in_context(&self, name: &str) -> Result<Self, BadConfig> {
        let Some(section) = self.contexts.get(name) else { return Ok(self.clone()) };
        let mut all = self.to_table();
        layers::lay_over(&mut all, section.clone(), &[], false);
        all.try_into().map_err(|e| BadConfig(mistake::plainly(e.message())))
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    /// The path of the one that does not, and why: one sentence.
    fn check(&self) -> Result<(), (String, String)> {
        sense::senseless(self).into_iter().next().map_or(Ok(()), Err)
    }

    /// The configuration as a table of TOML.
    fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("every field has a TOML form")
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

/// A path that begins with `~/`, below the home folder.
pub fn at_home(path: &Path) -> PathBuf {
    below(path, std::env::home_dir())
}

fn below(path: &Path, home: Option<PathBuf>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
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
            (
                "galera.thresholds.queue=many",
                "queue: the text \"many\" is given, a whole number from 0 on is expected",
            ),
            (
                "galera.members=db1:3306",
                "the text \"db1:3306\" is given, a list such as [\"db1:3306\"] is expected",
            ),
            ("galera.names=3", "names: 3 is given, a table such as"),
            ("galera.thresholds.flow-control=5", "0.05 for 5 %"),
        ] {
            let error = config.with(setting).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("line "), "{setting}: {error}");
        }
        let error = config.with("galera.password=hunter2").unwrap_err().to_string();
        assert!(error.contains("does not stand") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_key_that_is_none_is_named_with_its_section_its_line_and_the_nearest() {
        for (text, words) in [
            ("theem = \"dark\"", "line 1: there is no key `theem`; did you mean `theme`?"),
            ("qwertz = 1", "line 1: there is no key `qwertz`; there are kubeconfig, context, "),
            ("\n[tenants]\nlable = \"x\"", "line 3: [tenants] has no key `lable`; did you mean `label`?"),
            (
                "[galera]\nmembers = []\nmember = [\"db1\"]",
                "line 3: [galera] has no key `member`; did you mean `members`?",
            ),
            (
                "[galera.thresholds]\nqueue = 5\nquue = 5",
                "line 3: [galera.thresholds] has no key `quue`; did you mean `queue`?",
            ),
            (
                "[proxysql]\nhostgroups = [\n{ writer = 1, backup = 2, reader = 3, offline = 4, writr = 5 }]",
                "line 3: [[proxysql.hostgroups]] has no key `writr`; did you mean `writer`?",
            ),
            (
                "[proxysql]\nuser = \"x\"\n\n[proxisql]\nuser = \"x\"",
                "line 4: there is no section `proxisql`; did you mean `proxysql`?",
            ),
            (
                "[headroom]\nlow = 1\nzebra = 2",
                "line 3: [headroom] has no key `zebra`; there are request-memory, ",
            ),
            ("[galera]\ntls_ca = \"x\"", "line 2: [galera] has no key `tls_ca`; did you mean `tls-ca`?"),
            (
                "[galera]\nqueue = 5",
                "line 2: [galera] has no key `queue`; `queue` stands in [galera.thresholds]",
            ),
            (
                "[tenants]\noperator = \"x\"",
                "line 2: [tenants] has no key `operator`; `operator` stands before the first section",
            ),
            (
                "[contexts.prod]\nlabell = \"x\"",
                "line 2: [contexts.prod] has no key `labell`; did you mean `label`?",
            ),
            (
                "[contexts.prod.galera]\nmember = [\"x\"]",
                "line 2: [contexts.prod.galera] has no key `member`; did you mean `members`?",
            ),
            ("[contexts.prod]\nkubeconfig = \"x\"", "line 2: [contexts.prod] cannot hold `kubeconfig`: "),
            (
                "contexts = 3",
                "line 1: contexts is a section with a section for each context: write [contexts.\"NAME\"]",
            ),
            ("galera = 3", "line 1: galera is a section with keys of its own: write [galera]"),
            (
                "[contexts]\nprod = true",
                "line 2: the context prod is a section with keys of its own: write [contexts.\"prod\"]",
            ),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(words), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let text = "theem = \"dark\"\nread-only = \"yes\"\n[refresh]\nmetrics = \"soon\"\n[galera]\nmembers = [\"db1\",\n\"a b\"]\n\
                    hosts = { db1 = \"w\",\n \"x:y\" = \"w\" }\n[contexts.prod]\nlabel = 3\nlabel-colour = \"pink\"\n\
                    [contexts.prod.refresh]\nprobe = \"1ms\"\n";
        let found = Config::examine(text).unwrap_err();
        let lines: Vec<_> = found.iter().map(|m| m.line).collect();
        assert_eq!(lines, [1, 2, 4, 7, 9, 11, 12, 14], "{found:#?}");
        let said: Vec<_> = found.iter().map(|m| m.message.as_str()).collect();
        assert!(
            said[1].starts_with("read-only: the text \"yes\" is given, true or false is expected"),
            "{said:#?}"
        );
        assert!(said[2].contains("soon") && said[2].contains("15s"), "{said:#?}");
        assert!(said[3].starts_with("members: ") && said[3].contains("a b"), "{said:#?}");
        assert_eq!(said[6], "label-colour: there is no `pink`; there are red, yellow, green, blue");
        let told = Config::parse(text).unwrap_err().to_string();
        assert!(told.contains("7 more mistakes are listed by `wheelhouse config check`"), "{told}");
        // What contradicts something else is told at its own line, in a context as well.
        let text = "[galera.thresholds]\nflow-control = 0.3\nflow-control-critical = 0.5\n[contexts.a]\n\
                    [contexts.b.galera.thresholds]\nqueue = 3\nflow-control-critical = 0.2\n";
        let found = Config::examine(text).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.starts_with("in [contexts.b]: "), "{found:?}");
        // Text that is no TOML: each place once.
        let found = Config::examine("a = \n[tenants\nlabel = \"x\"\n").unwrap_err();
        assert_eq!(found[0].line, 1, "{found:?}");
    }

    #[test]
    fn a_mistake_in_one_of_several_tables_is_named_with_its_own_line_in_plain_words() {
        let edges = "[[platform.edges]]\nname = \"edge-1\"\naddress = \"192.0.2.1\"\n[[platform.edges]]\n";
        let many = "name = \"edge-2\"\naddress = \"192.0.2.2\"\nworkers = ";
        for (text, words) in [
            (
                format!("{edges}{many}\"many\""),
                "line 7: edges: the text \"many\" is given, a whole number from 0 to 4294967295 is expected",
            ),
            (
                format!("{edges}{many}5_000_000_000"),
                "line 7: edges: 5000000000 is given, a whole number from 0 to 4294967295 is expected",
            ),
            (
                format!("{edges}{many}[1.5]"),
                "line 7: edges: a list is given, a whole number from 0 to 4294967295 is expected",
            ),
            (
                format!("{edges}name = \"edge-2\"\nadress = \"192.0.2.2\""),
                "line 6: [[platform.edges]] has no key `adress`; did you mean `address`?",
            ),
            (format!("{edges}name = \"edge-2\""), "line 4: edges: `address` is missing"),
            (
                "[platform]\nnode-port = 70000".to_owned(),
                "line 2: node-port: 70000 is given, a whole number from 0 to 65535 is expected",
            ),
            (
                "[platform]\nnode-port = 30080.5".to_owned(),
                "line 2: node-port: 30080.5 is given, a whole number from 0 to 65535 is expected",
            ),
            ("read-only = 1".to_owned(), "line 1: read-only: 1 is given, true or false is expected"),
            ("label = { a = 1 }".to_owned(), "line 1: label: a table is given, text in quotes is expected"),
        ] {
            let error = Config::parse(&text).unwrap_err().to_string();
            assert_eq!(error, words, "{text}");
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

    /// The names serde knows in a section: a name that is none is answered with them all.
    fn known_to_the_type(section: &str) -> Vec<String> {
        let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let error = toml::from_str::<Config>(&format!("{head}no-such-key = 1\n")).unwrap_err();
        let names = error.message().split('`').skip(3).step_by(2);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn the_list_of_settings_is_that_of_the_types() {
        for section in settings::SECTIONS {
            let mut of_type = known_to_the_type(section.name);
            if of_type.is_empty() {
                // The login is flattened into both: their settings are held by the file with every line uncommented.
                assert!(["galera", "proxysql"].contains(&section.name), "{}", section.name);
                continue;
            }
            let mut listed: Vec<_> = settings::names(section.name).map(str::to_owned).collect();
            if section.name.is_empty() {
                listed.push(settings::CONTEXTS.to_owned());
            }
            of_type.sort();
            listed.sort();
            assert_eq!(listed, of_type, "[{}]", section.name);
        }
        let full = Config {
            galera: Galera {
                expected_size: Some(3),
                login: Login {
                    user: Some("x".into()),
                    password: Some(PasswordFrom::Env("X".into())),
                    tls_ca: Some("x".into()),
                    tls_name: Some("x".into()),
                },
                ..Galera::default()
            },
            ..Config::default()
        };
        let mut full = full.to_table();
        let keys = full
            .remove("galera")
            .and_then(|g| g.as_table().map(|g| g.keys().cloned().collect::<Vec<_>>()))
            .unwrap();
        for key in keys {
            assert!(settings::names("galera").any(|name| name == key), "{key}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let of = |typed: &str| below(Path::new(typed), Some("/home/alice".into()));
        assert_eq!(of("~/a b.log"), PathBuf::from("/home/alice/a b.log"));
        assert_eq!(of("x/~/y"), PathBuf::from("x/~/y"));
        assert_eq!(below(Path::new("~/a"), None), PathBuf::from("~/a"));
    }
}
