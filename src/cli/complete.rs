//! What the shell offers for an argument: tenants, nodes, contexts, namespaces, runs, members and themes, as they are now;
//! and drills.
//!
//! The shell calls the program with `COMPLETE=SHELL`, by the script that `wheelhouse completions` prints. Nothing here may
//! write to the terminal or keep the shell waiting: a cluster that does not answer within a moment offers nothing.

use std::{ffi::OsString, sync::Arc, time::Duration};

use clap::{Arg, Command, CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::{CompleteEnv, env::Shells};

use super::{Cli, Common, Failure, output, session};
use crate::{
    cluster::{Snapshot, words::short_run},
    cockpit, config, live,
    live::Scope,
    run::{self, campaign},
    ui::Theme,
    wire::Wire,
};

/// The cluster is given so long to answer.
const WITHIN: Duration = Duration::from_millis(1_500);

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tenant,
    Node,
    Run,
    Campaign,
    Context,
    Namespace,
    Member,
    Theme,
    #[cfg(feature = "demo")]
    Drill,
}

/// Answers the shell, if it is the shell that calls; the process ends then.
pub(super) fn answer() {
    CompleteEnv::with_factory(|| offering(Cli::command(), "")).complete();
}

/// Prints the script that has a shell call the program.
pub(super) fn script(shell: &str) -> Result<(), Failure> {
    let shells = Shells::builtins();
    let found = shells.completer(shell).ok_or_else(|| {
        Failure::Usage(format!(
            "no completions for {shell}: there are {}",
            shells.names().collect::<Vec<_>>().join(", ")
        ))
    })?;
    let mut text = Vec::new();
    found
        .write_registration("COMPLETE", "wheelhouse", "wheelhouse", "wheelhouse", &mut text)
        .map_err(Failure::failed)?;
    output::print_as_it_is(&String::from_utf8_lossy(&text))
}

/// The command, with what its arguments offer.
fn offering(command: Command, within: &str) -> Command {
    let within = if within.is_empty() { command.get_name().to_owned() } else { within.to_owned() };
    let command = command.mut_args(|arg| match kind(&arg, &within) {
        Some(kind) => arg.add(ArgValueCandidates::new(move || candidates(kind))),
        None => arg,
    });
    // The first word below the program says what an id is of.
    let root = within == "wheelhouse";
    command.mut_subcommands(|below| {
        let name = if root { below.get_name().to_owned() } else { within.clone() };
        offering(below, &name)
    })
}

fn kind(arg: &Arg, within: &str) -> Option<Kind> {
    let names = arg.get_value_names().and_then(|names| names.first()).map(|name| name.to_string());
    match (arg.get_id().as_str(), names.as_deref().unwrap_or_default()) {
        ("context", _) => Some(Kind::Context),
        ("namespace", _) => Some(Kind::Namespace),
        ("theme", _) => Some(Kind::Theme),
        #[cfg(feature = "demo")]
        ("name", _) if within == "drill" => Some(Kind::Drill),
        ("id", _) if within == "campaigns" => Some(Kind::Campaign),
        ("id", _) => Some(Kind::Run),
        ("from" | "to", _) if within == "move" => Some(Kind::Node),
        (_, name) if name.contains("TENANT") => Some(Kind::Tenant),
        (_, "NODE" | "NODES") => Some(Kind::Node),
        (_, "MEMBER") => Some(Kind::Member),
        _ => None,
    }
}

/// What the shell has been given so far.
fn common() -> Option<Common> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    // What the command itself still lacks is no matter.
    Common::from_arg_matches(&matches).ok()
}

fn candidates(kind: Kind) -> Vec<CompletionCandidate> {
    let Some(common) = common() else { return Vec::new() };
    let names = match kind {
        Kind::Theme => Theme::names(&config::own_themes()),
        #[cfg(feature = "demo")]
        Kind::Drill => super::drill::DRILLS.iter().map(|drill| drill.name.to_owned()).collect(),
        Kind::Context => contexts(&common).unwrap_or_default(),
        Kind::Member => members(&common).unwrap_or_default(),
        Kind::Tenant | Kind::Node | Kind::Run | Kind::Campaign | Kind::Namespace => {
            seen(&common).map(|seen| of_cluster(kind, &seen)).unwrap_or_default()
        }
    };
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn contexts(common: &Common) -> Option<Vec<String>> {
    let config = session::layers(common).ok()?.config(None).ok()?;
    Some(cockpit::target(&config).contexts())
}

fn members(common: &Common) -> Option<Vec<String>> {
    let galera = session::configure(common).ok()?.galera;
    let name =
        |member: &config::Address| galera.names.get(member).cloned().unwrap_or_else(|| member.to_string());
    Some(galera.members.iter().map(name).collect())
}

fn of_cluster(kind: Kind, seen: &Snapshot) -> Vec<String> {
    match kind {
        Kind::Tenant => seen.tenants.keys().map(ToString::to_string).collect(),
        Kind::Node => seen.nodes.items.keys().map(ToString::to_string).collect(),
        Kind::Namespace => seen.namespaces.items.keys().map(ToString::to_string).collect(),
        Kind::Run => run::runs(seen).iter().map(|it| short_run(&it.run.id).to_owned()).collect(),
        Kind::Campaign => {
            campaign::campaigns(seen).iter().map(|it| short_run(&it.campaign.id).to_owned()).collect()
        }
        Kind::Context | Kind::Member | Kind::Theme => Vec::new(),
        #[cfg(feature = "demo")]
        Kind::Drill => Vec::new(),
    }
}

/// The cluster, as far as it has been read in a moment; `None`: it does not answer.
fn seen(common: &Common) -> Option<Arc<Snapshot>> {
    let config = session::configure(common).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let look = async {
        let wire = Wire::connect_lazily(&cockpit::target(&config)).await.ok()?;
        let (mut seen, _) = live::observe(wire, Scope { database: None, ..cockpit::scope(&config) });
        let known = seen.wait_for(|seen| {
            let slices = [&seen.nodes.freshness, &seen.namespaces.freshness, &seen.deployments.freshness];
            let more = [&seen.stateful_sets.freshness, &seen.journals.freshness];
            slices
                .into_iter()
                .chain(more)
                .all(|freshness| *freshness != crate::cluster::Freshness::Connecting)
        });
        known.await.ok().map(|seen| seen.clone())
    };
    let found = runtime.block_on(async { tokio::time::timeout(WITHIN, look).await.ok().flatten() });
    runtime.shutdown_background();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(path: &[&str]) -> Vec<(String, Kind)> {
        let mut command = Cli::command();
        let mut within = "wheelhouse";
        for (depth, name) in path.iter().enumerate() {
            if depth == 0 {
                within = name;
            }
            command = command.find_subcommand(name).cloned().unwrap();
        }
        command
            .get_arguments()
            .filter_map(|arg| Some((arg.get_id().to_string(), kind(arg, within)?)))
            .collect()
    }

    #[test]
    fn arguments_offer_what_they_name() {
        let has = |path: &[&str], id: &str, wanted: Kind| {
            let all = kinds(path);
            assert!(all.contains(&(id.to_owned(), wanted)), "{path:?}: {all:?}");
        };
        has(&["scale"], "tenant", Kind::Tenant);
        has(&["drain"], "node", Kind::Node);
        has(&["runs", "show"], "id", Kind::Run);
        has(&["campaigns", "pause"], "id", Kind::Campaign);
        has(&["galera", "take-out"], "member", Kind::Member);
        has(&[], "context", Kind::Context);
        has(&[], "namespace", Kind::Namespace);
        has(&[], "theme", Kind::Theme);
        has(&["move"], "from", Kind::Node);
        has(&["migrate"], "tenant", Kind::Tenant);
        #[cfg(feature = "demo")]
        has(&["drill"], "name", Kind::Drill);
    }
}
