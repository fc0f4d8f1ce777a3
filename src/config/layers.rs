//! What is in force and where it comes from: defaults, the file, the section of the context, the environment, flags; the
//! later wins.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

use super::{
    BadConfig, Config, file, mistake,
    settings::{self, AtPath},
};

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody says it.
    Default,
    /// The configuration file.
    File,
    /// The section of this context in the file.
    Context(String),
    /// This environment variable.
    Environment(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Context(name) => write!(f, "file, [contexts.\"{name}\"]"),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Flag(name) => write!(f, "flag, --{name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A setting that is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InForce {
    /// Its path, such as `galera.thresholds.queue`.
    pub setting: String,
    /// Its value.
    pub value: toml::Value,
    /// Where the value comes from.
    pub from: Origin,
}

/// The configuration in its layers.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    path: Option<PathBuf>,
    file: Config,
    /// What the file says, without its contexts.
    told: toml::Table,
    /// What lies over the file, the later over the earlier.
    over: Vec<(Origin, toml::Table)>,
}

impl Layers {
    /// Reads the file: the named one, which must exist, or the user's own, which need not.
    ///
    /// # Errors
    /// The file cannot be read, or holds mistakes: the first of them.
    pub fn read(named: Option<&Path>) -> Result<Self, BadConfig> {
        file::read(named)?.map_or_else(|| Ok(Self::default()), |(path, text)| Self::of(path, &text))
    }

    /// What a file says.
    ///
    /// # Errors
    /// It holds mistakes: the first of them.
    pub fn of(path: PathBuf, text: &str) -> Result<Self, BadConfig> {
        let config = Config::parse(text).map_err(|e| BadConfig(format!("{}: {e}", path.display())))?;
        let mut told: toml::Table = toml::from_str(text).map_err(|e| BadConfig(e.message().to_owned()))?;
        told.remove(settings::CONTEXTS);
        Ok(Self { path: Some(path), file: config, told, over: Vec::new() })
    }

    /// The file that was read; `None`: there is none.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Lays the value of one setting over what there is.
    pub fn lay(&mut self, origin: Origin, path: &str, value: impl Serialize) {
        let value = toml::Value::try_from(value).expect("what is laid over is a value of the configuration");
        let table = path.rsplit('.').fold(value, |value, name| {
            toml::Value::Table(toml::Table::from_iter([(name.to_owned(), value)]))
        });
        if let toml::Value::Table(table) = table {
            self.over.push((origin, table));
        }
    }

    /// Lays a setting over what there is, written as in the file: `galera.thresholds.queue=50`. What is no value of TOML is
    /// taken for text.
    ///
    /// # Errors
    /// Says what is wrong with the setting.
    pub fn set(&mut self, origin: Origin, setting: &str) -> Result<(), BadConfig> {
        self.over.push((origin, setting_table(setting)?));
        Ok(())
    }

    /// What is in force in a context of the kubeconfig; `None`: in none.
    ///
    /// # Errors
    /// Two settings contradict each other: one sentence.
    pub fn config(&self, context: Option<&str>) -> Result<Config, BadConfig> {
        let mut all = Config::default().to_table();
        for (origin, table) in self.layers(context) {
            let by_parts = matches!(origin, Origin::Flag(_) | Origin::Environment(_));
            lay_over(&mut all, table.clone(), &[], by_parts);
        }
        let mut config: Config = all.try_into().map_err(|e| BadConfig(mistake::plainly(e.message())))?;
        config.check().map_err(|(_, why)| BadConfig(why))?;
        config.contexts.clone_from(&self.file.contexts);
        Ok(config)
    }

    /// The same for another context: what flags and the environment say of the namespace and of the database is about the
    /// cluster they were given for, and does not go along.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        let mut moved = self.clone();
        for (_, table) in &mut moved.over {
            for about_one_cluster in ["context", "namespace", "galera", "proxysql", "platform"] {
                table.remove(about_one_cluster);
            }
        }
        moved
    }

    /// Every setting that has a value, in the order of the file, with where it comes from.
    ///
    /// # Errors
    /// As of [`Layers::config`].
    pub fn in_force(&self, context: Option<&str>) -> Result<Vec<InForce>, BadConfig> {
        let all = self.config(context)?.to_table();
        let layers = self.layers(context);
        let of = |setting: String| {
            let value = lookup(&all, &setting)?.clone();
            let said = layers.iter().rev().find(|(_, table)| lookup(table, &setting).is_some());
            let from = said.map_or(Origin::Default, |(origin, _)| origin.clone());
            let is_said = !matches!(&value, toml::Value::Table(t) if t.is_empty()) || from != Origin::Default;
            is_said.then_some(InForce { setting, value, from })
        };
        Ok(settings::paths().filter_map(of).collect())
    }

    fn layers(&self, context: Option<&str>) -> Vec<(Origin, &toml::Table)> {
        let of_context = context.and_then(|name| Some((name, self.file.contexts.get(name)?)));
        let of_context = of_context.map(|(name, table)| (Origin::Context(name.to_owned()), table));
        let over = self.over.iter().map(|(origin, table)| (origin.clone(), table));
        [(Origin::File, &self.told)].into_iter().chain(of_context).chain(over).collect()
    }
}

/// A setting written as on the command line, as a table of the file.
pub(super) fn setting_table(setting: &str) -> Result<toml::Table, BadConfig> {
    let (key, value) = setting
        .split_once('=')
        .filter(|(key, value)| !key.trim().is_empty() && !value.contains('\n'))
        .ok_or_else(|| BadConfig("a setting is written SECTION.KEY=VALUE".into()))?;
    let wrong = |why: &str| BadConfig(format!("the setting {}: {why}", key.trim()));
    let as_text = || format!("{key} = {}", toml::Value::String(value.trim().into()));
    let line = [format!("{key} = {value}"), as_text()]
        .into_iter()
        .find(|line| toml::from_str::<toml::Table>(line).is_ok());
    let line = line.ok_or_else(|| wrong("it is no key of TOML"))?;
    if let Err(mistakes) = mistake::alone(&line) {
        let first = mistakes.first().map_or("it is not understood", |m| &m.message);
        return Err(wrong(first));
    }
    toml::from_str(&line).map_err(|e| wrong(e.message()))
}

/// Lays a table over another. A setting that is a table itself (hosts, aliases) is replaced whole, or laid over by its
/// parts; the place of a password is one of several, and always replaced whole.
pub(super) fn lay_over(below: &mut toml::Table, above: toml::Table, path: &[&str], by_parts: bool) {
    for (key, value) in above {
        let here: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        let merged = matches!(settings::at(&here), Some(AtPath::Section)) || by_parts && key != "password";
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) if merged => {
                lay_over(below, above, &here, by_parts);
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn lookup<'a>(table: &'a toml::Table, path: &str) -> Option<&'a toml::Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { lookup(value.as_table()?, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(text: &str) -> Layers {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Layers::read(Some(&path)).unwrap()
    }

    const TWO: &str = r#"
theme = "light"
[galera]
members = ["db1"]
hosts = { "db1" = "worker-1" }
[galera.thresholds]
queue = 50
[contexts."prod"]
label = "PRODUCTION"
label-colour = "yellow"
read-only = true
[contexts.prod.galera]
members = ["p1", "p2"]
hosts = { "p1" = "w7" }
[contexts.staging]
theme = "dark"
"#;

    #[test]
    fn the_section_of_a_context_is_laid_over_the_file_and_that_over_the_defaults() {
        let mut layers = layers(TWO);
        let plain = layers.config(None).unwrap();
        assert_eq!((plain.label, plain.read_only), (None, false));
        let prod = layers.config(Some("prod")).unwrap();
        assert_eq!((prod.label.as_deref(), prod.read_only), (Some("PRODUCTION"), true));
        assert_eq!(prod.label_colour, super::super::LabelColour::Yellow);
        assert_eq!(prod.theme.as_deref(), Some("light"));
        assert_eq!(prod.galera.thresholds.queue, 50);
        // A table that is one setting is replaced: what stands for other members means nothing here.
        assert_eq!(prod.galera.hosts.len(), 1);
        assert_eq!(prod.galera.members.len(), 2);
        assert_eq!(layers.config(Some("staging")).unwrap().theme.as_deref(), Some("dark"));
        assert_eq!(layers.config(Some("other")).unwrap(), layers.config(None).unwrap());

        layers.lay(Origin::Environment("WHEELHOUSE_THEME".into()), "theme", "mono");
        layers.lay(Origin::Flag("read-only".into()), "read-only", true);
        layers.lay(Origin::Flag("namespace".into()), "namespace", "acme");
        layers.set(Origin::Flag("set".into()), "galera.hosts.\"p2\"=w8").unwrap();
        layers.set(Origin::Flag("set".into()), "journal.lease=20s").unwrap();
        let prod = layers.config(Some("prod")).unwrap();
        assert_eq!((prod.theme.as_deref(), prod.galera.hosts.len()), (Some("mono"), 2));

        let told = layers.in_force(Some("prod")).unwrap();
        let from = |setting: &str| told.iter().find(|s| s.setting == setting).map(|s| s.from.to_string());
        for (setting, origin) in [
            ("theme", Some("environment, WHEELHOUSE_THEME")),
            ("read-only", Some("flag, --read-only")),
            ("label", Some("file, [contexts.\"prod\"]")),
            ("galera.thresholds.queue", Some("file")),
            ("galera.thresholds.unsynced", Some("default")),
            ("galera.hosts", Some("flag, --set")),
            ("journal.lease", Some("flag, --set")),
            ("operator", None),
        ] {
            assert_eq!(from(setting).as_deref(), origin, "{setting}");
        }
        // Where another cluster is looked at, what was said of the first does not go along; read-only does.
        let staging = layers.elsewhere().config(Some("staging")).unwrap();
        assert_eq!((staging.namespace, staging.read_only), (None, true));
        assert_eq!((staging.galera.hosts.len(), staging.theme.as_deref()), (1, Some("mono")));
    }
}
