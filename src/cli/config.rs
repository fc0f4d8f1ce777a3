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
    config::{self, Config, InForce, Mistake, settings::CONTEXTS},
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
    /// Name every mistake in the configuration file, with its line and what to do; exit code 1 if there is one
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
    mistakes: Vec<Mistake>,
}

fn check(common: &Common, format: Format) -> Result<(), Failure> {
    let path = path(common)?;
    if !path.exists() && common.config.is_none() {
        return match format {
            Format::Json => table::json(&Checked { file: None, mistakes: Vec::new() }),
            Format::Table => table::print(&format!(
                "there is no configuration at {}: the defaults are in force; `wheelhouse config init` writes one\n",
                path.display()
            )),
        };
    }
    let text = config::text(&path).map_err(Failure::failed)?;
    let mistakes = match Config::examine(&text) {
        Ok(config) => {
            let mut found = themes_that_are_none(&config, &text);
            found.extend(keys_that_cannot_be(&config, &text));
            found.sort_by_key(|mistake| mistake.line);
            found
        }
        Err(mistakes) => mistakes,
    };
    let found = !mistakes.is_empty();
    match format {
        Format::Json => table::json(&Checked { file: Some(path), mistakes })?,
        Format::Table => table::print(&told(&path.display().to_string(), &mistakes))?,
    }
    if found { Err(Failure::Told) } else { Ok(()) }
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
    let mut found: Vec<_> = bad(config.theme.as_deref(), &["theme"]).into_iter().chain(of_contexts).collect();
    found.sort_by_key(|mistake| mistake.line);
    found
}

/// Which commands and keys there are is known to the screen.
fn keys_that_cannot_be(config: &Config, text: &str) -> Vec<Mistake> {
    let wrong = command::bind(config.keys.iter()).err().unwrap_or_default();
    let mistake = |bad: BadKey| Mistake {
        line: config::line(text, &["keys", &bad.command]),
        message: format!("[keys] {}: {}", bad.command, bad.why),
    };
    wrong.into_iter().map(mistake).collect()
}

fn told(path: &str, mistakes: &[Mistake]) -> String {
    if mistakes.is_empty() {
        return format!("{path}: no mistakes\n");
    }
    let lines = mistakes.iter().map(|mistake| format!("{path}: {}\n", table::plain(&mistake.to_string())));
    let all: String = lines.collect();
    all + &format!("{}\n", count(mistakes.len(), "mistake"))
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
