//! From a plan to its result on the command line: show, rehearse, confirm, run, tell.

use std::{
    io::{BufRead, IsTerminal},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Failure, Format, outage, output, run_json::RunJson, session::Session, table};
use crate::{
    cluster::Snapshot,
    cockpit,
    plan::{self, Check, Confirmation, Intent, Plan, Verdict},
    run::{self, Access, Handle, JournalPlace, Rehearsal, Run, RunSeen, RunState},
};

/// What every command that acts takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Consent {
    /// Show the plan and rehearse it; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// What has to be typed for a grave plan, such as the tenant's name; the plan says what
    #[arg(long, value_name = "TEXT")]
    confirm: Option<String>,
    /// Why it is done: kept in the journal, the audit file and the Kubernetes Event
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Where the run is written down; on this machine only, colleagues can neither see nor finish it
    #[arg(long, value_enum, default_value_t = JournalOn::Cluster)]
    journal: JournalOn,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum JournalOn {
    Cluster,
    Local,
}

/// A plan as JSON: the plan, and what follows from it.
#[derive(Serialize)]
struct PlanJson<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// Active pods by node once it has settled, of all its tenants together.
    predicted: std::collections::BTreeMap<crate::cluster::NodeName, u32>,
    /// Why it will not be done; empty for a plan that can be run.
    refusals: Vec<String>,
    /// Rights and dry runs.
    rehearsal: &'a [Check],
}

/// Plans an intent, shows the plan, and carries it out as far as consent goes.
pub(super) async fn carry_out(
    session: &mut Session,
    intent: &Intent,
    consent: Consent,
) -> Result<(), Failure> {
    let snapshot = session.observed_for(intent).await?;
    carry_out_on(session, snapshot, intent, consent).await
}

/// The same on what was seen when the intent was made.
pub(super) async fn carry_out_on(
    session: &mut Session,
    snapshot: Arc<Snapshot>,
    intent: &Intent,
    consent: Consent,
) -> Result<(), Failure> {
    let plan = plan::plan(&snapshot, intent);
    let access = session.access(&snapshot);
    let refused = plan.refusals().next().is_some();
    let nothing = plan.steps.is_empty();
    let rehearsal =
        if refused || nothing { Rehearsal::default() } else { run::rehearse(&access, &plan).await };
    let shows_result = consent.output == Format::Json && !consent.dry_run && !refused && !nothing;
    if !shows_result {
        show(&plan, &rehearsal, consent.output)?;
    }
    let stops: Vec<_> =
        rehearsal.checks.iter().filter(|c| c.verdict == Verdict::Refuse).map(|c| &*c.text).collect();
    if refused {
        let why: Vec<_> = plan.refusals().map(|check| check.text.as_str()).collect();
        return Err(match consent.output {
            Format::Json => Failure::Told,
            Format::Table => Failure::Failed(table::plain(&format!("refused: {}", why.join("; ")))),
        });
    }
    if nothing {
        return Ok(());
    }
    if !stops.is_empty() {
        return Err(Failure::Failed(format!("refused: {}", stops.join("; "))));
    }
    let place = place(&consent, &rehearsal)?;
    if consent.dry_run {
        return Ok(());
    }
    let typed = confirm(&plan.confirmation(), &consent)?;
    let approved = plan.approve(typed.as_deref(), consent.reason).map_err(Failure::failed)?;
    let handle = run::start(access, approved, place, session.seen.clone());
    follow(session, handle, consent.output, Past::default()).await
}

/// A plain yes to what is done to a run that is written down already.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Assent {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Assent {
    /// How to print.
    pub(super) fn output(self) -> Format {
        self.output
    }

    /// Says what will be done, and asks for a yes.
    ///
    /// # Errors
    /// It was not given, or nobody is there to give it.
    pub(super) fn to(self, what: &str) -> Result<(), Failure> {
        output::tell(table::plain(what))?;
        if self.yes { Ok(()) } else { asked(&Confirmation::Yes).map(drop) }
    }
}

/// Resumes a run that stands still, once somebody has said yes.
pub(super) async fn resume(
    session: &Session,
    access: Access,
    known: &RunSeen,
    assent: Assent,
) -> Result<(), Failure> {
    let run = known.run.clone();
    let (done, all) = run.progress();
    assent.to(&format!(
        "run {} of {} is {}: {}. {done} of {all} steps are done; each further step is checked against the cluster \
         before it is made.",
        run.id,
        run.operator,
        known.shown(),
        run::summary(&run)
    ))?;
    let past = Past::of(&run);
    follow(session, run::resume(access, run, session.seen.clone()), assent.output, past).await
}

/// Goes on with a run whose migration an operator takes as succeeded, once somebody has said yes.
pub(super) async fn take_as_succeeded(
    session: &Session,
    access: Access,
    known: &RunSeen,
    assent: Assent,
) -> Result<(), Failure> {
    let run = known.run.clone();
    assent.to(&format!(
        "run {} of {} is {}: {}. What it waits for is taken as succeeded on your word: {}.",
        run.id,
        run.operator,
        known.shown(),
        run::summary(&run),
        run.last_word().unwrap_or("its outcome is not known")
    ))?;
    let past = Past::of(&run);
    let handle = run::take_as_succeeded(access, run, session.seen.clone());
    follow(session, handle, assent.output, past).await
}

/// Closes a run that can neither be finished nor taken back. That it ends as failed is what was asked for.
pub(super) async fn give_up(
    session: &Session,
    access: Access,
    known: &RunSeen,
    why: &str,
    assent: Assent,
) -> Result<(), Failure> {
    let run = known.run.clone();
    assent.to(&format!(
        "run {} of {} is {}: {}. {}, and nobody can resume it afterwards.",
        run.id,
        run.operator,
        known.shown(),
        run::summary(&run),
        run::left_by_giving_up(&run).unwrap_or_else(|| "What it did stays".into())
    ))?;
    let mut handle = run::give_up(access, run, why, session.seen.clone());
    let run = outage::told(session, handle.watch.clone(), handle.ended()).await;
    match (run.state, assent.output) {
        (RunState::Failed, Format::Json) => table::json(&RunJson::of_run(&run, &session.seen.borrow())),
        (RunState::Failed, Format::Table) => table::print(&format!("run {} is closed\n", run.id)),
        (state, _) => {
            let why = run.last_word().unwrap_or("it could not be taken up");
            Err(Failure::Failed(format!("run {} is still {state}: {why}", run.id)))
        }
    }
}

fn show(plan: &Plan, rehearsal: &Rehearsal, output: Format) -> Result<(), Failure> {
    match output {
        Format::Json => table::json(&PlanJson {
            plan,
            predicted: plan.predicted(),
            refusals: plan
                .refusals()
                .chain(rehearsal.checks.iter().filter(|c| c.verdict == Verdict::Refuse))
                .map(|c| c.text.clone())
                .collect(),
            rehearsal: &rehearsal.checks,
        }),
        Format::Table => {
            let mut text = plan.to_string();
            for check in &rehearsal.checks {
                text.push_str(&format!("{} {}\n", check.verdict.glyph(), check.text));
            }
            table::print(&text.lines().map(|line| table::plain(line) + "\n").collect::<String>())
        }
    }
}

/// Nothing falls back silently: a journal that cannot be kept in the cluster must be asked for on this machine.
pub(super) fn place(consent: &Consent, rehearsal: &Rehearsal) -> Result<JournalPlace, Failure> {
    match consent.journal {
        JournalOn::Local => Ok(JournalPlace::Local),
        JournalOn::Cluster if rehearsal.journal_missing.is_empty() => Ok(JournalPlace::Cluster),
        JournalOn::Cluster => Err(Failure::Failed(format!(
            "the journal cannot be kept in the cluster: {}; with --journal local it stays on this machine, where \
             colleagues can neither see nor finish the run",
            rehearsal.journal_missing.join(", ")
        ))),
    }
}

/// The consent that is wanted, given by the flags or on the terminal; what was typed, where something had to be.
///
/// # Errors
/// It was not given, or something else was typed.
pub(super) fn confirm(wanted: &Confirmation, consent: &Consent) -> Result<Option<String>, Failure> {
    if let (Confirmation::Type(text), Some(typed)) = (wanted, &consent.confirm) {
        return if typed.trim() == text {
            Ok(Some(typed.clone()))
        } else {
            Err(Failure::Failed(format!("--confirm `{typed}` is not `{text}`: nothing was changed")))
        };
    }
    if consent.yes && *wanted == Confirmation::Yes {
        return Ok(None);
    }
    asked(wanted)
}

/// Asks on the terminal, and gives what was typed where something had to be.
fn asked(wanted: &Confirmation) -> Result<Option<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Failed(match wanted {
            Confirmation::Yes => "there is no terminal to ask on: use --yes".into(),
            Confirmation::Type(text) => {
                format!("this plan wants `{text}` typed: use --confirm {}", plan::shell(text))
            }
        }));
    }
    let (question, expected) = match wanted {
        Confirmation::Yes => ("Do it? [y/N] ".to_owned(), None),
        Confirmation::Type(text) => (format!("Type `{text}` to do it: "), Some(text)),
    };
    output::whisper(question)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::failed)?;
    let answer = answer.trim();
    let agreed = match expected {
        Some(text) => answer == text,
        None => ["y", "Y", "yes"].contains(&answer),
    };
    if agreed {
        Ok(expected.cloned())
    } else {
        Err(Failure::Failed("not confirmed: nothing was changed".into()))
    }
}

/// Follows a run to its end, prints it as JSON where that is wanted, and fails unless it ended as done.
async fn follow(session: &Session, handle: Handle, output: Format, past: Past) -> Result<(), Failure> {
    let (seen, again) = (&session.seen, &session.again);
    let (run, mut heard) = ended(session, handle, output, past).await;
    if output == Format::Json {
        heard = heard.and(table::json(&RunJson::of_run(&run, &seen.borrow())));
    }
    let seen = seen.borrow().clone();
    match (not_done(&run, &seen, again), &run.unaudited) {
        (Some(why), _) => Err(Failure::Failed(why)),
        (None, Some(why)) => Err(Failure::Failed(format!("run {} is {}, and {why}", run.id, run.state))),
        (None, None) => heard,
    }
}

/// Tells what a run does until it is over or stands still, and when the API server is away meanwhile. An interrupt makes
/// it stand still. That nobody listens does not: the run goes on to its end, and gives its leases back. The second value
/// says whether all was heard.
async fn ended(session: &Session, handle: Handle, output: Format, past: Past) -> (Run, Result<(), Failure>) {
    outage::told(session, handle.watch.clone(), telling(handle, output, &session.again, past)).await
}

/// What of a run was told before this session took it up: so many entries, and lines of its Job.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    entries: usize,
    lines: usize,
}

impl Past {
    fn of(run: &Run) -> Self {
        Self { entries: run.entries.len(), lines: run.log.len() }
    }
}

async fn telling(mut handle: Handle, output: Format, again: &str, past: Past) -> (Run, Result<(), Failure>) {
    let mut asked = false;
    let Past { entries: mut told, mut lines } = past;
    let (mut heard, mut audited) = (Ok(()), true);
    loop {
        let run = handle.watch.borrow_and_update().clone();
        if let Some(why) = run.unaudited.as_ref().filter(|_| audited) {
            heard = heard.and(output::tell(table::plain(&format!("▲ {why}"))));
            audited = false;
        }
        if output == Format::Table {
            for entry in run.entries.iter().skip(told) {
                // What the job wrote stands before what became of it.
                heard = heard.and(job_log(&run, &mut lines));
                if let Some(line) = run::describe(&run, &entry.event) {
                    heard = heard.and(output::tell(table::plain(&line)));
                }
            }
        }
        if output == Format::Table {
            heard = heard.and(job_log(&run, &mut lines));
        }
        told = run.entries.len();
        tokio::select! {
            changed = handle.watch.changed() => if changed.is_err() { break },
            () = cockpit::asked_to_stop(), if !asked => {
                asked = true;
                handle.pause();
                let text = format!("pausing: `{again} runs resume {}` goes on with it", handle.id);
                heard = heard.and(output::tell(table::plain(&text)));
            }
        }
    }
    (handle.ended().await, heard)
}

/// Tells the lines of a run's Job that were not told yet.
fn job_log(run: &Run, told: &mut usize) -> Result<(), Failure> {
    let fresh = run.log.since(*told).to_vec();
    *told = run.log.len().max(*told);
    fresh.iter().try_for_each(|line| output::tell(table::plain(&format!("  | {line}"))))
}

/// Why a run did not end as done, and what to do; `None`: it did.
pub(super) fn not_done(run: &Run, seen: &Snapshot, again: &str) -> Option<String> {
    let why = run.last_word().unwrap_or("it has not begun");
    let next = match run.state {
        RunState::Done => return None,
        _ if run.journal_lost.is_some() => {
            run::left_by_losing_it(run, seen).map_or(String::new(), |left| format!("; {left}"))
        }
        RunState::Paused if !run.undecided().is_empty() => format!(
            "; `{again} runs resume {0} --as succeeded` goes on, `--as failed` gives back what it took",
            run.id
        ),
        RunState::Paused => still_open(run, seen, again),
        // What was refused before it was written down has no journal to be found by.
        RunState::Failed if run.entries.iter().any(|entry| entry.event == run::Event::Taken) => {
            format!("; `{again} runs retry {}` plans it again", run.id)
        }
        _ => String::new(),
    };
    Some(match run.paused_by() {
        Some(who) => format!("run {} is paused by {who}{next}", run.id),
        None if run.state == RunState::Failed => format!("run {} failed: {why}{next}", run.id),
        None => format!("run {} is {}: {why}{next}", run.id, run.state),
    })
}

/// What can be done with a run that stands still: only what would be accepted.
fn still_open(run: &Run, seen: &Snapshot, again: &str) -> String {
    let offers = RunSeen::of(run.clone()).offers(seen);
    let all = [(offers.resume, "resume"), (offers.undo, "undo")];
    let ways = all.into_iter().filter(|(offer, _)| offer.is_ok());
    let ways: Vec<_> = ways.map(|(_, way)| format!("`{again} runs {way} {}`", run.id)).collect();
    match ways.is_empty() {
        true => format!("; `{again} runs give-up {} --reason TEXT` closes it", run.id),
        false => format!("; {}", ways.join(" or ")),
    }
}

/// The snapshot's runs must be known before one is looked for.
pub(super) fn journals_known(snapshot: &Snapshot) -> Result<(), Failure> {
    match snapshot.journals.freshness.trouble() {
        Some(why) => Err(Failure::Failed(format!("the journals cannot be read: {why}"))),
        None => Ok(()),
    }
}
