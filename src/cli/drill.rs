//! `wheelhouse drill`: an incident in the embedded cluster, solved in the cockpit with its real keys.

mod debrief;
mod site;
mod table;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, Output, demo as world, help, session, table as columns};
use crate::{
    cluster::{did_you_mean, near},
    cockpit, demo, run,
    ui::Role,
};
use debrief::Debrief;
use watch::Watch;

pub use table::{DRILLS, Drill, DrillStep, Stage};

/// How large the world of a drill is.
const TENANTS: usize = 12;
const SEED: u64 = 1;
/// What stands around the world is looked at not more often than this.
const SOONEST: Duration = Duration::from_secs(5);

/// The arguments of `wheelhouse drill`.
#[derive(Debug, Args)]
#[command(next_help_heading = "The drill")]
pub(super) struct DrillArgs {
    /// Which drill; without it they are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// List the drills
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// World seconds a second [default: by the drill]
    #[arg(long, value_name = "FACTOR", value_parser = speed, allow_hyphen_values = true)]
    speed: Option<f64>,
    /// Write the end report with the incident report to this file, and the same as JSON beside it
    #[arg(long, value_name = "FILE.md")]
    report: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.1..=100.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.1 to 100".into()),
    }
}

/// One line of the list.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    minutes: u32,
    speed: f64,
}

fn list(format: Format) -> Result<(), Failure> {
    let all = DRILLS.iter();
    if format == Format::Json {
        let of = |d: &Drill| Listed { name: d.name, about: d.about, minutes: d.minutes, speed: d.speed };
        return columns::json(&all.map(of).collect::<Vec<_>>());
    }
    let rows: Vec<_> = all.map(|drill| vec![drill.name.to_owned(), drill.about.to_owned()]).collect();
    columns::print(&columns::with_text(&["DRILL", "WHAT HAPPENS"], &rows))
}

/// The drill of that name.
fn named(name: &str) -> Result<&'static Drill, Failure> {
    DRILLS.iter().find(|drill| drill.name == name).ok_or_else(|| {
        let near = near(name, DRILLS.iter().map(|drill| drill.name));
        let hint = did_you_mean(&near);
        let name = columns::plain(name);
        Failure::Usage(format!("there is no drill `{name}`{hint}: `wheelhouse drill` lists them"))
    })
}

pub(super) async fn run(common: &Common, args: DrillArgs) -> Result<(), Failure> {
    let Some(name) = args.name.as_deref() else {
        if args.report.is_some() {
            return Err(Failure::Usage(
                "--report wants the name of a drill: `wheelhouse drill` lists them".into(),
            ));
        }
        return list(args.output.output);
    };
    let drill = named(name)?;
    if common.kubeconfig.is_some() || common.context.is_some() {
        return Err(Failure::Usage(
            "a drill brings its own cluster: --kubeconfig and --context do not go with it".into(),
        ));
    }
    if common.read_only {
        return Err(Failure::Usage("a drill is solved by changes: --read-only does not go with it".into()));
    }
    if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        return Err(Failure::Failed("TERM=dumb shows no screens, and a drill is solved on them".into()));
    }
    if let Some(path) = &args.report {
        // Whoever has solved it for half an hour is not told then that there is no such folder.
        let json = path.with_extension("json");
        if json == *path {
            return Err(Failure::Usage(
                "--report names the Markdown file, and the JSON is written beside it: name it FILE.md".into(),
            ));
        }
        for path in [path, &json] {
            can_write(path)?;
        }
    }
    let layers = session::layers(common)?;
    let mut config = layers.config(Some(world::DEMO)).map_err(|e| Failure::Usage(e.to_string()))?;
    config.read_only = false;
    let speed = args.speed.unwrap_or(drill.speed);
    let options = demo::Options {
        tenants: TENANTS,
        nodes: drill.nodes,
        seed: SEED,
        scenario: drill.scenario,
        speed,
        ..demo::Options::default()
    };
    let cluster = demo::start(options)
        .await
        .map_err(|e| Failure::Failed(format!("the embedded cluster cannot listen on 127.0.0.1: {e}")))?;
    let kubeconfig = world::default_path()?;
    world::write_private(&kubeconfig, &cluster.kubeconfig())?;
    config.kubeconfig = Some(kubeconfig.clone());
    config.context = None;
    let passwords = world::point_at(&mut config, &cluster, &kubeconfig, drill.nodes)?;
    // Its time is faster, and so are the looks at what stands around it.
    let every = config.platform.every.0.div_f64(speed.max(1.0));
    config.platform.every.0 = every.max(SOONEST);
    let colleague = kubeconfig.with_extension("toml");
    world::write_private(&colleague, &config.to_toml())?;
    let colleague = site::Colleague::new(colleague, site::home(&kubeconfig)?);
    let watch = Arc::new(Watch::new(drill, cluster, colleague));
    let played = play(layers, config, &watch).await;
    for path in passwords.iter().chain([&kubeconfig]) {
        let _ = std::fs::remove_file(path);
    }
    let told = played.map(|(operator, audit)| {
        let notes = watch.notes();
        Debrief::of(drill, &notes, &operator, &audit)
    });
    watch.close();
    let Some(debrief) = told? else {
        if args.output.output == Format::Json {
            return columns::json(&serde_json::json!({ "drill": drill.name, "outcome": "not-begun" }));
        }
        return columns::print(&format!("{}: left before anything had happened\n", drill.name));
    };
    // Nobody plays it again for the sake of a file: it is told even where it cannot be kept.
    let kept = args.report.as_ref().map_or(Ok(()), |path| keep(&debrief, path));
    match args.output.output {
        Format::Json => columns::json(&debrief)?,
        Format::Table => columns::print(&help::paged(&debrief.markdown()))?,
    }
    kept
}

/// Writes the end report as Markdown, and as JSON beside it: each as far as it can be written.
fn keep(debrief: &Debrief, path: &Path) -> Result<(), Failure> {
    let markdown = put(path, &format!("{}\n{}", debrief.markdown(), debrief.report()));
    let json = serde_json::to_string_pretty(debrief).map_err(Failure::failed)? + "\n";
    markdown.and(put(&path.with_extension("json"), &json))
}

/// Opens the cockpit on it until it is over. Who played, and what the audit file says.
async fn play(
    layers: crate::config::Layers,
    config: crate::config::Config,
    watch: &Arc<Watch>,
) -> Result<(String, Vec<run::AuditLine>), Failure> {
    let state_dir = session::state_dir()?;
    cockpit::setup(&config, &state_dir).map_err(Failure::Usage)?;
    let mut look = cockpit::Look::at(layers, config, &state_dir).await.map_err(Failure::Failed)?;
    look.setup.passing = true;
    look.setup.read_only = false;
    look.setup.label = Some(("DRILL".to_owned(), Role::Warn));
    look.setup.onlooker = Some(watch.clone());
    let operator = look.setup.operator.clone();
    let (context, server) = (look.wire.context().to_owned(), look.wire.server().to_owned());
    session::log_in(&look.wire).await?;
    let pacing = watch.clone();
    let pacing = tokio::spawn(async move { pacing.run().await });
    let result = cockpit::run(look, state_dir.clone()).await;
    pacing.abort();
    let _ = pacing.await;
    watch.left();
    result.map_err(Failure::Failed)?;
    // The journals tell what was done where the audit file cannot.
    let audit = run::audited(&state_dir, &context, &server).unwrap_or_default();
    Ok((operator, audit.lines))
}

/// Whether a file can be written, without a change to what is there.
fn can_write(path: &Path) -> Result<(), Failure> {
    let there = path.exists();
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|e| Failure::Failed(format!("cannot write {}: {e}", path.display())))?;
    if !there {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::Failed(format!("cannot write {}: {e}", path.display())))
}
