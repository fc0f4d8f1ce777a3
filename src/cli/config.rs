//! `wheelhouse config`: a new file, the mistakes in one, and what is in force.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Common, Failure, Format, Output, session, table};
use crate::{
    cluster::words::count,
    cockpit,
    config::{self, Config, InForce, Layers, Mistake, Origin, settings::CONTEXTS},
    ui::{
        Depth, Theme,
        command::{self, BadKey},
    },
};

/// The arguments of `wheelhouse config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a new configuration file in which every setting is explained; one that is there is never written over
    Init {
        /// Print it instead
        #[arg(long)]
        stdout: bool,
    },
    /// Name every mistake in the configuration file and in --set, with its line and what to do; exit code 1 if there is one
    Check(Output),
    /// Show what is in force, and where each value comes from: file, context, environment, flag or default
    Show(Output),
}

pub(super) fn run(common: &Common, args: ConfigArgs) -> Result<(), Failure> {
    match args.what {
        What::Init { stdout: true } => super::output::print_as_it_is(&config::commented()),
        What::Init { stdout: false } => init(common),
        What::Check(output) => check(common, output.output),
        What::Show(output) => show(common, output.output),
    }
}

/// The file that is meant: the named one, or the user's own.
fn path(common: &Common) -> Result<PathBuf, Failure> {
    common.config.clone().or_else(config::usual_path).ok_or_else(|| {
        Failure::Failed("no home folder is known for the configuration; name a file with --config".into())
    })
}

fn init(common: &Common) -> Result<(), Failure> {
    let path = path(common)?;
    let cannot = |e: std::io::Error| Failure::Failed(format!("cannot write {}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => Failure::Failed(format!(
                "{} is there already and stays as it is; `wheelhouse config init --stdout` prints a new one",
                path.display()
            )),
            _ => cannot(e),
        })?;
    file.write_all(config::commented().as_bytes()).map_err(cannot)?;
    table::print(&format!(
        "{} is written; every setting in it is a comment until you change it\n",
        path.display()
    ))
}

/// A check as JSON.
#[derive(Serialize)]
struct Checked {
    /// `null`: there is no file.
    file: Option<PathBuf>,
    mistakes: Vec<Wrong>,
}

/// A mistake, and where it stands.
#[derive(Serialize)]
struct Wrong {
    from: Origin,
    /// The line in the file, from 1; `null`: it stands in none.
    line: Option<usize>,
    message: String,
}

impl From<Mistake> for Wrong {
    fn from(Mistake { line, message }: Mistake) -> Self {
        Self { from: Origin::File, line: Some(line), message }
    }
}

impl Wrong {
    /// In a line. `path`: the file.
    fn told(&self, path: &str) -> String {
        let from = match &self.from {
            Origin::Flag(name) => format!("--{name}"),
            Origin::Environment(name) => name.clone(),
            Origin::Default | Origin::File | Origin::Context(_) => path.to_owned(),
        };
        let line = self.line.map_or(String::new(), |line| format!("line {line}: "));
        format!("{from}: {}\n", table::plain(&format!("{line}{}", self.message)))
    }
}

fn check(common: &Common, format: Format) -> Result<(), Failure> {
    let path = path(common)?;
    let is_there = common.config.is_some() || path.exists();
    let text = is_there.then(|| config::text(&path)).transpose().map_err(Failure::failed)?;
    let mut mistakes: Vec<_> = text.iter().flat_map(|text| of_file(text)).map(Wrong::from).collect();
    mistakes.extend(of_settings(common, mistakes.is_empty())?);
    let path = path.display().to_string();
    let told = match mistakes.as_slice() {
        [] if !is_there => format!(
            "there is no configuration at {path}: the defaults are in force; `wheelhouse config init` writes one\n"
        ),
        [] => format!("{path}: no mistakes\n"),
        all => {
            let lines = all.iter().map(|wrong| wrong.told(&path));
            lines.chain([format!("{}\n", count(all.len(), "mistake"))]).collect()
        }
    };
    let found = !mistakes.is_empty();
    match format {
        Format::Json => table::json(&Checked { file: is_there.then(|| path.into()), mistakes })?,
        Format::Table => table::print(&told)?,
    }
    if found { Err(Failure::Told) } else { Ok(()) }
}

/// The mistakes of a file.
fn of_file(text: &str) -> Vec<Mistake> {
    match Config::examine(text) {
        Ok(config) => {
            let mut found = themes_that_are_none(&config, text);
            found.extend(keys_that_cannot_be(&config).into_iter().map(|bad| Mistake {
                line: config::line(text, &["keys", &bad.command]),
                message: of_key(&bad),
            }));
            found.sort_by_key(|mistake| mistake.line);
            found
        }
        Err(mistakes) => mistakes,
    }
}

/// The mistakes of the settings that are given with `--set` or its variable; where they and the file are good, what they say
/// against each other too.
fn of_settings(common: &Common, file_is_good: bool) -> Result<Vec<Wrong>, Failure> {
    let from = common.given.origin("settings");
    let wrong = |message: String| Wrong { from: from.clone(), line: None, message };
    let mut settings = common.settings.iter().filter(|setting| !setting.trim().is_empty()).peekable();
    if settings.peek().is_none() {
        return Ok(Vec::new());
    }
    let bad = settings.filter_map(|setting| Layers::default().set(from.clone(), setting).err());
    let bad: Vec<_> = bad.map(|bad| wrong(bad.to_string())).collect();
    if !bad.is_empty() || !file_is_good {
        return Ok(bad);
    }
    let layers = session::layers(common)?;
    let in_force = layers.config(None).and_then(|config| {
        let context = cockpit::target(&config).context_name();
        layers.config(context.as_deref())
    });
    let config = match in_force {
        Ok(config) => config,
        Err(bad) => return Ok(vec![wrong(bad.to_string())]),
    };
    let theme =
        config.theme.as_ref().and_then(|theme| Theme::load(theme, &config::own_themes(), Depth::True).err());
    let keys = keys_that_cannot_be(&config);
    Ok(theme.into_iter().chain(keys.iter().map(of_key)).map(wrong).collect())
}

/// Themes are files too: whether one is there is no matter of the text.
fn themes_that_are_none(config: &Config, text: &str) -> Vec<Mistake> {
    let own = config::own_themes();
    let bad = |theme: Option<&str>, path: &[&str]| {
        let message = Theme::load(theme?, &own, Depth::True).err()?;
        Some(Mistake { line: config::line(text, path), message })
    };
    let of_contexts = config.contexts.iter().filter_map(|(name, section)| {
        bad(section.get("theme").and_then(toml::Value::as_str), &[CONTEXTS, name, "theme"])
    });
    bad(config.theme.as_deref(), &["theme"]).into_iter().chain(of_contexts).collect()
}

/// Which commands and keys there are is known to the screen.
fn keys_that_cannot_be(config: &Config) -> Vec<BadKey> {
    command::bind(config.keys.iter()).err().unwrap_or_default()
}

fn of_key(bad: &BadKey) -> String {
    format!("[keys] {}: {}", bad.command, bad.why)
}

/// What is in force as JSON.
#[derive(Serialize)]
struct Shown {
    /// `null`: there is no file.
    file: Option<PathBuf>,
    /// The context that is looked at; `null`: it is not known.
    context: Option<String>,
    settings: Vec<InForce>,
}

fn show(common: &Common, format: Format) -> Result<(), Failure> {
    let layers = session::layers(common)?;
    let context = session::context(&layers)?;
    let settings = layers.in_force(context.as_deref()).map_err(|e| Failure::Usage(e.to_string()))?;
    let file = layers.path().map(ToOwned::to_owned);
    if format == Format::Json {
        return table::json(&Shown { file, context, settings });
    }
    let rows: Vec<_> = settings
        .iter()
        .map(|it| vec![it.setting.clone(), table::plain(&it.value.to_string()), it.from.to_string()])
        .collect();
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let context = context.unwrap_or_else(|| "not known".into());
    table::print(&format!(
        "file: {file}\ncontext: {}\n\n{}",
        table::plain(&context),
        table::table(&["SETTING", "VALUE", "FROM"], &rows)
    ))
}
