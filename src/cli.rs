//! The command line: what `wheelhouse` does with its arguments.
//!
//! Every screen and every act is also a command, from the same engine, with `-o json`. Exit codes: 0 done, 1 failed or
//! refused, 2 wrong usage (arguments, configuration file, unknown context). `check` has those of monitoring plug-ins.

use std::{collections::BTreeMap, fmt, path::PathBuf, process::ExitCode, time::Duration};

use clap::{
    ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, parser::ValueSource,
};

use crate::{
    config::{self as configuration, Origin},
    ui,
    wire::{caught::is_caught, sql},
};

mod act;
mod actions;
mod campaign;
mod campaign_json;
mod campaigns;
mod check;
mod complete;
mod config;
mod cordon;
mod database;
mod database_act;
mod delete_pod;
#[cfg(feature = "demo")]
mod demo;
mod describe;
mod doctor;
mod drain;
#[cfg(feature = "demo")]
pub mod drill;
mod exec;
mod findings;
mod fits;
mod galera;
mod headroom;
pub mod help;
mod log;
mod logs;
mod man;
mod many;
mod migrate;
mod move_pod;
mod nodes;
mod outage;
mod output;
mod platform;
mod port_forward;
mod proposal;
mod proxysql;
mod rbac;
mod reach;
mod rebalance;
mod record;
mod release;
mod replay;
mod report;
mod resize;
mod restart;
mod rollback;
mod run_json;
mod runs;
mod scale;
mod screen;
mod session;
mod sizing;
mod span;
mod status;
mod table;
mod tenants;
mod usage;
mod version;
mod what_if;
mod which_database;

/// The arguments of `wheelhouse`.
#[derive(Debug, Parser)]
#[command(
    name = "wheelhouse",
    version = version::version(),
    disable_help_subcommand = true,
    about = "A terminal cockpit for the on-call engineers of a multi-tenant SaaS on Kubernetes",
    long_about = "A terminal cockpit for the on-call engineers of a multi-tenant SaaS on Kubernetes.\n\n\
                  Without a subcommand it opens the cockpit on the cluster of your kubeconfig. \
                  `wheelhouse demo` opens it on an embedded cluster and needs nothing.",
    after_help = "Exit codes: 0 done, 1 failed or refused, 2 wrong usage.\n\
                  Which database: `wheelhouse database --help` lists the flags, which every command takes.\n\
                  Reference: `wheelhouse help` lists the topics."
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which cluster")]
struct Common {
    /// The kubeconfig file [default: KUBECONFIG, ~/.kube/config, or the service account inside a cluster]
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig context [default: its current one]
    #[arg(long, value_name = "NAME", env = "WHEELHOUSE_CONTEXT", global = true)]
    context: Option<String>,
    /// Look at this namespace only
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,
    /// The configuration file [default: $XDG_CONFIG_HOME/wheelhouse/config.toml]
    #[arg(long, value_name = "FILE", env = "WHEELHOUSE_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Never write to the cluster
    #[arg(long, env = "WHEELHOUSE_READ_ONLY", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    read_only: bool,
    /// How long a command waits for the cluster before it gives up
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span::some, global = true)]
    timeout: Duration,
    /// A setting of the configuration file, such as galera.thresholds.queue=50 (in the environment one a line)
    #[arg(
        long = "set",
        value_name = "SECTION.KEY=VALUE",
        env = "WHEELHOUSE_SET",
        value_delimiter = '\n',
        global = true,
        hide_short_help = true
    )]
    settings: Vec<String>,
    #[command(flatten)]
    database: which_database::WhichDatabase,
    /// Colours: a built-in theme, or a file in the themes folder beside the configuration
    #[arg(
        long,
        value_name = "NAME",
        env = "WHEELHOUSE_THEME",
        global = true,
        display_order = 90,
        help_heading = None::<&str>
    )]
    theme: Option<String>,
    #[arg(skip)]
    given: Given,
}

/// Where the values of flags come from.
#[derive(Clone, Debug, Default)]
struct Given {
    /// The flags by their ids: those that the environment gives by their variable, the others by their own name.
    origins: BTreeMap<String, Origin>,
}

impl Given {
    fn of(command: &clap::Command, matches: &ArgMatches) -> Self {
        let origin = |id: &clap::Id| {
            let flag = command.get_arguments().find(|flag| flag.get_id() == id);
            let by_environment = matches.value_source(id.as_str()) == Some(ValueSource::EnvVariable);
            match flag.and_then(|flag| flag.get_env()).filter(|_| by_environment) {
                Some(variable) => Origin::Environment(variable.to_string_lossy().into_owned()),
                None => Origin::Flag(flag.and_then(|flag| flag.get_long()).unwrap_or(id.as_str()).to_owned()),
            }
        };
        Self { origins: matches.ids().map(|id| (id.as_str().to_owned(), origin(id))).collect() }
    }

    fn origin(&self, id: &str) -> Origin {
        self.origins.get(id).cloned().unwrap_or_else(|| Origin::Flag(id.to_owned()))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run on an embedded cluster: no Kubernetes, no database, no configuration
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Practise: an incident in the embedded cluster, solved in the cockpit; at the end what was found when, and done
    #[cfg(feature = "demo")]
    Drill(drill::DrillArgs),
    /// One look: who is down or at risk, what is wrong, which runs are unfinished
    Status(status::StatusArgs),
    /// Everything that is wrong, what each means, and what answers it
    Findings(Output),
    /// The tenants, their replicas and where they sit
    Tenants(Output),
    /// The nodes, their state and load
    Nodes(Output),
    /// The database: the Galera members, and the ProxySQLs in front of them
    #[command(after_long_help = which_database::flags())]
    Database(Output),
    /// Galera: take a member out, bring it back, move the writer, desync; and the recovery sheet
    #[command(after_long_help = which_database::flags())]
    Galera(galera::GaleraArgs),
    /// ProxySQL: add or remove a server, save to disk
    #[command(after_long_help = which_database::flags())]
    Proxysql(proxysql::ProxysqlArgs),
    /// A monitoring plug-in: one line, exit code 0 ok, 1 warning, 2 critical, 3 unknown
    Check,
    /// How many more requests each tenant can take, and what is free on the nodes
    Headroom(headroom::HeadroomArgs),
    /// The way from each host name to the pods: which link is broken first, and until when certificates are valid
    Reach(reach::ReachArgs),
    /// What stands around the cluster: edges, ingress nodes and what else is configured, and what is wrong with it
    Platform(platform::PlatformArgs),
    /// What happens if nodes die or are drained now
    WhatIf(what_if::WhatIfArgs),
    /// How many more replicas of a tenant find a node, and why not on the others
    Fits(fits::FitsArgs),
    /// Change the number of a tenant's replicas: plan, confirm, run, verify
    Scale(scale::ScaleArgs),
    /// Spread the tenants over the nodes and even out memory: one move after another
    Rebalance(rebalance::RebalanceArgs),
    /// Move one pod of a tenant from one node to another
    Move(move_pod::MoveArgs),
    /// Keep new pods off a node, move those of tenants away, and evict the rest
    Drain(drain::DrainArgs),
    /// Let new pods come to a node again, and move pods there as a rebalancing does
    Undrain(drain::UndrainArgs),
    /// Keep new pods off a node
    Cordon(cordon::CordonArgs),
    /// Let new pods come to a node again
    Uncordon(cordon::CordonArgs),
    /// Give the pods of a tenant other limits while they run: in place, one pod after another
    Resize(resize::ResizeArgs),
    /// How much memory a request takes, and the limit and max_children that follow
    Sizing(sizing::SizingArgs),
    /// Replace every pod of a tenant by a new one of the same template
    Restart(restart::RestartArgs),
    /// A tenant's workload, a node or a pod: what it is made of, how it is, its events
    Describe(describe::DescribeArgs),
    /// What Kubernetes tells of a tenant, a node, a pod or everything, newest first
    Events(describe::EventsArgs),
    /// The log of a tenant: of all its pods in the order of the times, or of some
    Logs(logs::LogsArgs),
    /// A shell in a container of a tenant or of a pod, or another command there
    Exec(exec::ExecArgs),
    /// Ports of 127.0.0.1 lead to ports of a pod, until it is interrupted
    PortForward(port_forward::PortForwardArgs),
    /// Migrate the databases of tenants: replicas dropped, one Job, replicas given back
    Migrate(migrate::MigrateArgs),
    /// Roll an image out, watch it, and set the old one back when that fails
    Release(release::ReleaseArgs),
    /// Give a tenant the template it had before: image, environment and resources, with the difference shown
    Rollback(rollback::RollbackArgs),
    /// Which tenants have which image
    Images(Output),
    /// Delete one pod of a tenant: its controller makes another
    DeletePod(delete_pod::DeletePodArgs),
    /// What was done, by whom, and what is unfinished
    Runs(runs::RunsArgs),
    /// The action log: every request that changed anything, by whom, why, and what came of it
    Actions(actions::ActionsArgs),
    /// Record the cluster into a file, without a screen: replay, report and timeline read it
    Record(record::RecordArgs),
    /// Open the cockpit on a recording, or on what the cockpit has kept; nothing can be changed there
    Replay(replay::ReplayArgs),
    /// The report of an incident from a recording: states, events, actions, before and after
    Report(report::ReportArgs),
    /// Several runs for one goal: pause, resume, stop, skip, retry, undo
    Campaigns(campaigns::CampaignsArgs),
    /// Reference at hand: keys, findings, configuration, rights, JSON and more; without a topic, the list of them
    Help(help::HelpArgs),
    /// What will not work, and the line that mends it: rights, metrics, database, terminal, clocks; what we cost the cluster
    Doctor(doctor::DoctorArgs),
    /// Print the RBAC manifests of a role: least rights, for your configuration
    Rbac(rbac::RbacArgs),
    /// The configuration: write a new file, check one, show what is in force and where it comes from
    Config(config::ConfigArgs),
    /// Write the man pages, made from what the program knows of itself
    Man(man::ManArgs),
    /// Print the script with which a shell completes commands, tenants, nodes, contexts and runs
    Completions {
        /// Which shell
        #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
}

/// How a command prints.
#[derive(Clone, Copy, Debug, Args)]
struct Output {
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: `wheelhouse help json` tells what is in it
    Json,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// Wrong usage: exit code 2.
    Usage(String),
    /// Failed or refused: exit code 1.
    Failed(String),
    /// Failed, and everything has been said already.
    Told,
    /// What was to be said could not be written: exit code 1, and nothing more to say.
    Unheard,
    /// What a monitoring plug-in found: its exit code.
    Checked(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
            Self::Told | Self::Unheard | Self::Checked(_) => Ok(()),
        }
    }
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What the program is called by: a plug-in of kubectl is called through it.
fn name() -> &'static str {
    let called = std::env::args_os().next();
    let called = called.as_deref().map(std::path::Path::new).and_then(|path| path.file_name());
    match called.is_some_and(|name| name.to_string_lossy().starts_with("kubectl-")) {
        true => "kubectl wheelhouse",
        false => "wheelhouse",
    }
}

/// Reads the arguments of the process, does what they say, and tells how it ended.
pub fn main() -> ExitCode {
    complete::answer();
    report_panics();
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(wrong) if wrong.use_stderr() => {
            // What watches must not take a wrong argument for an outage: 2 means critical there.
            let given: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            if usage::command_of(&given) == Some("check") {
                check::wrong_usage(&wrong.to_string());
            }
            let _ = output::whisper(usage::told(&wrong.to_string(), &given));
            std::process::exit(wrong.exit_code())
        }
        Err(asked) => return output::print_by(|| asked.print()).map_or_else(report, |()| ExitCode::SUCCESS),
    };
    let _log = log::start(serves(&cli.command));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return report(Failure::Failed(format!("cannot start: {e}"))),
    };
    let result = runtime.block_on(async {
        let result = run(cli).await;
        sql::closed().await;
        result
    });
    // Tasks that still wait for a silent network must not hold the operator's prompt back.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(failure),
    }
}

/// The arguments of the process, with where they come from.
fn parsed() -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(name());
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|wrong| wrong.format(&mut command))?;
    cli.common.given = Given::of(&command, &matches);
    Ok(cli)
}

/// Whether this is the embedded cluster without a cockpit, whose log may go to the standard error.
fn serves(command: &Option<Command>) -> bool {
    match command {
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => args.serves(),
        _ => false,
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    // A wrong name is told by every command, not by the one that draws alone.
    if let Some(theme) = &common.theme {
        ui::Theme::load(theme, &configuration::own_themes(), ui::Depth::True).map_err(Failure::Usage)?;
    }
    match command {
        None => screen::run(&common).await,
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => demo::run(&common, args).await,
        #[cfg(feature = "demo")]
        Some(Command::Drill(args)) => drill::run(&common, args).await,
        Some(Command::Status(args)) => status::run(&common, args).await,
        Some(Command::Findings(output)) => findings::run(&common, output.output).await,
        Some(Command::Tenants(output)) => tenants::run(&common, output.output).await,
        Some(Command::Nodes(output)) => nodes::run(&common, output.output).await,
        Some(Command::Database(output)) => database::run(&common, output.output).await,
        Some(Command::Galera(args)) => galera::run(&common, args).await,
        Some(Command::Proxysql(args)) => proxysql::run(&common, args).await,
        Some(Command::Check) => check::run(&common).await,
        Some(Command::Headroom(args)) => headroom::run(&common, args).await,
        Some(Command::Reach(args)) => reach::run(&common, args).await,
        Some(Command::Platform(args)) => platform::run(&common, args).await,
        Some(Command::WhatIf(args)) => what_if::run(&common, args).await,
        Some(Command::Fits(args)) => fits::run(&common, args).await,
        Some(Command::Scale(args)) => scale::run(&common, args).await,
        Some(Command::Resize(args)) => resize::run(&common, args).await,
        Some(Command::Sizing(args)) => sizing::run(&common, args).await,
        Some(Command::Rebalance(args)) => rebalance::run(&common, args).await,
        Some(Command::Move(args)) => move_pod::run(&common, args).await,
        Some(Command::Drain(args)) => drain::drain(&common, args).await,
        Some(Command::Undrain(args)) => drain::undrain(&common, args).await,
        Some(Command::Cordon(args)) => cordon::run(&common, args, true).await,
        Some(Command::Uncordon(args)) => cordon::run(&common, args, false).await,
        Some(Command::Restart(args)) => restart::run(&common, args).await,
        Some(Command::Describe(args)) => describe::run(&common, args).await,
        Some(Command::Events(args)) => describe::events(&common, args).await,
        Some(Command::Logs(args)) => logs::run(&common, args).await,
        Some(Command::Exec(args)) => exec::run(&common, args).await,
        Some(Command::PortForward(args)) => port_forward::run(&common, args).await,
        Some(Command::Migrate(args)) => migrate::run(&common, args).await,
        Some(Command::Release(args)) => release::run(&common, args).await,
        Some(Command::Rollback(args)) => rollback::run(&common, args).await,
        Some(Command::Images(output)) => release::images(&common, output.output).await,
        Some(Command::DeletePod(args)) => delete_pod::run(&common, args).await,
        Some(Command::Runs(args)) => runs::run(&common, args).await,
        Some(Command::Actions(args)) => actions::run(&common, args).await,
        Some(Command::Record(args)) => record::run(&common, args).await,
        Some(Command::Replay(args)) => replay::run(&common, args).await,
        Some(Command::Report(args)) => report::run(&common, args).await,
        Some(Command::Campaigns(args)) => campaigns::run(&common, args).await,
        Some(Command::Help(args)) => help::run(&common, &args),
        Some(Command::Doctor(args)) => doctor::run(&common, args).await,
        Some(Command::Rbac(args)) => rbac::run(&common, &args),
        Some(Command::Config(args)) => config::run(&common, args),
        Some(Command::Man(args)) => man::run(&args),
        Some(Command::Completions { shell }) => complete::script(&shell),
    }
}

/// A panic is a defect: it is reported whole, as far as somebody reads it, and says what it leaves behind. That of a
/// library which is caught is an error like others.
fn report_panics() {
    let (panics, errors) = color_eyre::config::HookBuilder::default()
        .display_env_section(false)
        .panic_section(
            "This is a defect of wheelhouse. A run that was under way is in its journal: `wheelhouse runs`.",
        )
        .into_hooks();
    // The library's own hook panics where it cannot write, and a panic within a panic ends the program.
    std::panic::set_hook(Box::new(move |info| {
        if !is_caught() {
            let _ = output::tell(panics.panic_report(info));
        }
    }));
    // Another hook can only be there already if this is called twice.
    let _ = errors.install();
}

fn report(failure: Failure) -> ExitCode {
    let text = failure.to_string();
    if !text.is_empty() {
        let _ = output::tell(format_args!("wheelhouse: {text}"));
    }
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        Failure::Failed(_) | Failure::Told | Failure::Unheard => ExitCode::FAILURE,
        Failure::Checked(code) => ExitCode::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    /// The help of a command and of all below it: its path, and the text.
    fn helps(command: &mut clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        into.push((path.to_owned(), command.render_long_help().to_string()));
        for below in command.get_subcommands_mut() {
            let path = format!("{path} {}", below.get_name());
            helps(below, &path, into);
        }
    }

    #[test]
    fn help_is_about_its_command_and_the_flags_of_the_database_stand_with_the_database() {
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        helps(&mut command, "wheelhouse", &mut all);
        for (path, help) in &all {
            let tells = ["database", "galera", "proxysql"].iter().any(|c| *path == format!("wheelhouse {c}"));
            for flag in ["--galera-members", "--galera-tls-name", "--proxysql-addresses", "--proxysql-user"] {
                assert_eq!(help.contains(flag), tells, "{path} {flag}");
            }
        }
        let longest =
            all.iter().find(|(path, _)| path == "wheelhouse nodes").map(|(_, help)| help.lines().count());
        assert!(longest.is_some_and(|lines| lines < 60), "{longest:?} lines");
    }
}
