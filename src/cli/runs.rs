//! `wheelhouse runs`: the history, and what is left to finish or take back.

use clap::{Args, Subcommand, ValueEnum};

use super::{Common, Failure, Format, Output, act, output, run_json::RunJson, session, table};
use crate::{
    cluster::Snapshot,
    plan,
    run::{self, RunSeen, RunState},
    ui,
};

/// The arguments of `wheelhouse runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct RunsArgs {
    /// One run: its id, its last part, or the start of it [default: all, the newest first]
    id: Option<String>,
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// How to print the list
    #[command(flatten)]
    output: Output,
}

/// How a migration came out, by the word of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    Succeeded,
    Failed,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// All runs, the newest first
    List(Output),
    /// One run: its plan, and all that happened
    Show {
        /// The run's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Go on with a run that is paused or interrupted
    Resume {
        /// The run's id, its last part, or the start of it
        id: String,
        /// How its migration came out, where nothing that can be seen tells: `failed` gives the replicas back
        #[arg(long = "as", value_name = "OUTCOME", value_enum)]
        outcome: Option<Outcome>,
        #[command(flatten)]
        assent: act::Assent,
    },
    /// Close a run that can neither be finished nor taken back; what it did stays
    GiveUp {
        /// The run's id, its last part, or the start of it
        id: String,
        /// Why: kept in the journal
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        assent: act::Assent,
    },
    /// Do again what a run was for that has failed: a plan like any other
    Retry {
        /// The run's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        consent: act::Consent,
    },
    /// Take back what a run did: a plan like any other
    Undo {
        /// The run's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        consent: act::Consent,
    },
}

pub(super) async fn run(common: &Common, args: RunsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let runs = session.runs(&snapshot);
    if runs.is_empty() {
        act::journals_known(&snapshot)?;
    }
    let found = |id: &str| {
        run::find(&runs, id).map_err(|why| {
            let all = session.unreadable_journals(&snapshot);
            let its = all
                .into_iter()
                .find(|text| text.contains(&format!("run-{id}:")) || text.contains(&format!("-{id}:")));
            Failure::Failed(its.unwrap_or(why))
        })
    };
    let command = match (args.command, args.id) {
        (Some(command), _) => command,
        (None, Some(id)) => RunsCommand::Show { id, output: args.output },
        (None, None) => RunsCommand::List(args.output),
    };
    match command {
        RunsCommand::List(output) => {
            let unreadable = session.unreadable_journals(&snapshot);
            let unreadable: Vec<_> =
                unreadable.iter().map(|why| format!("▲ {}", table::plain(why))).collect();
            match output.output {
                // A list of runs has no place for what is none.
                Format::Json => {
                    unreadable.iter().try_for_each(output::tell)?;
                    table::json(&runs.iter().map(|known| RunJson::of(known, &snapshot)).collect::<Vec<_>>())
                }
                Format::Table => {
                    let unreadable = unreadable.iter().map(|line| format!("{line}\n"));
                    table::print(&(list(&runs, &snapshot) + &unreadable.collect::<String>()))
                }
            }
        }
        RunsCommand::Show { id, output } => {
            let seen = found(&id)?;
            match output.output {
                Format::Json => table::json(&RunJson::of(seen, &snapshot)),
                Format::Table => table::print(&story(seen, &snapshot)),
            }
        }
        RunsCommand::Resume { id, outcome, assent } => {
            let seen = found(&id)?;
            if seen.run.state.is_over() {
                return Err(Failure::Failed(format!(
                    "run {} is {}: nothing to resume",
                    seen.run.id, seen.run.state
                )));
            }
            seen.give_up(&snapshot).map_err(Failure::Failed)?;
            let snapshot = session.observed_for(&seen.run.plan().intent).await?;
            let access = session.access(&snapshot);
            if outcome.is_some() {
                seen.succeeded(&snapshot).map_err(Failure::Failed)?;
            }
            match outcome {
                None => {
                    seen.resume(&snapshot).map_err(Failure::Failed)?;
                    act::resume(&session, access, seen, assent).await
                }
                Some(Outcome::Succeeded) => act::take_as_succeeded(&session, access, seen, assent).await,
                Some(Outcome::Failed) => {
                    act::give_up(&session, access, seen, "its migration is taken as failed", assent).await
                }
            }
        }
        RunsCommand::GiveUp { id, reason, assent } => {
            let seen = found(&id)?;
            if seen.run.state.is_over() {
                return Err(Failure::Failed(format!(
                    "run {} is {}: it is closed already",
                    seen.run.id, seen.run.state
                )));
            }
            seen.give_up(&snapshot).map_err(Failure::Failed)?;
            let snapshot = session.observed_for(&seen.run.plan().intent).await?;
            let access = session.access(&snapshot);
            act::give_up(&session, access, seen, &reason, assent).await
        }
        RunsCommand::Retry { id, consent } => {
            let run = &found(&id)?.run;
            if run.state != RunState::Failed {
                let (id, phrase) = (&run.id, run.state.phrase());
                return Err(Failure::Failed(format!(
                    "run {id} {phrase}: one that has failed is tried again"
                )));
            }
            let intent = run.plan().intent.clone();
            act::carry_out(&mut session, &intent, consent).await
        }
        RunsCommand::Undo { id, consent } => {
            let seen = found(&id)?;
            let intent = run::undo_intent(&seen.run).ok_or_else(|| {
                Failure::Failed(format!("run {} changed nothing: nothing to undo", seen.run.id))
            })?;
            // What has nothing left to take back stays open until somebody closes it.
            let plan = plan::plan(&snapshot, &intent);
            let refused = plan.refusals().next().is_some();
            if !seen.run.state.is_over() && plan.steps.is_empty() && !refused {
                let (again, id) = (&session.again, &seen.run.id);
                return Err(Failure::Failed(format!(
                    "nothing of run {id} is left to take back: `{again} runs give-up {id} --reason TEXT` closes it"
                )));
            }
            // What a rule refuses is told with its plan.
            if !refused {
                seen.undo(&snapshot).map_err(Failure::Failed)?;
            }
            act::carry_out(&mut session, &intent, consent).await
        }
    }
}

fn list(runs: &[RunSeen], seen: &Snapshot) -> String {
    if runs.is_empty() {
        return "no runs yet\n".into();
    }
    let row = |known: &RunSeen| {
        let (run, shown) = (&known.run, known.shown());
        let age = run.entries.first().map_or("-".into(), |entry| ui::age(seen.at, entry.at));
        [
            run.id.clone(),
            shown.word().to_owned(),
            age,
            run.operator.clone(),
            run::summary(run),
            now(known, seen),
        ]
        .map(|cell: String| table::plain(&cell))
        .to_vec()
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    table::with_text(&["RUN", "STATE", ">AGE", "OPERATOR", "WHAT", ""], &rows)
}

/// Where a run stands, and who is at it; when it ended.
fn now(known: &RunSeen, seen: &Snapshot) -> String {
    let run = &known.run;
    if let Some(ended) = run.last_at().filter(|_| run.state.is_over()) {
        return format!("ended {} ago", ui::age(seen.at, ended));
    }
    let at = run.at_step();
    match (&known.holder, known.meanwhile(seen)) {
        (Some(holder), _) if holder.alive => format!("{at}, held by {}", holder.who),
        (_, Some(what)) => format!("{at}: {what}"),
        _ => match run.last_word().filter(|_| known.wants_an_operator() && run.paused_by().is_none()) {
            Some(why) if run.state == RunState::Paused => format!("{at}: {why}"),
            _ => at,
        },
    }
}

fn log_head(log: &run::Log) -> String {
    match log.dropped {
        0 => "log of its job:".into(),
        n => format!("log of its job, without its first {n} lines:"),
    }
}

fn story(seen: &RunSeen, now: &Snapshot) -> String {
    let run = &seen.run;
    let mut text = format!("run {} of {} {}", run.id, run.operator, seen.shown().phrase());
    if let Some(reason) = run.approved.reason() {
        text.push_str(&format!(", because: {reason}"));
    }
    if let Some(what) = seen.meanwhile(now) {
        text.push_str(&format!("; {what}"));
    }
    for what in seen.goes_on_meanwhile(now) {
        text.push_str(&format!("; {what}"));
    }
    text.push_str(&format!("\n\n{}\n", run.plan()));
    for entry in &run.entries {
        if let run::Event::Log(log) = &entry.event {
            text.push_str(&format!("          {:<20}  {}\n", "", log_head(log)));
            log.lines.iter().for_each(|line| text.push_str(&format!("          {:<20}    | {line}\n", "")));
        }
        if let Some(line) = run::describe(run, &entry.event) {
            text.push_str(&format!("{}  {:<20}  {line}\n", entry.at.strftime("%H:%M:%S"), entry.by));
        }
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}
