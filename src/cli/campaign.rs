//! From a proposal to a campaign and its result on the command line: show, rehearse, confirm, run, tell.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use serde::Serialize;

use super::{
    Failure, Format,
    act::{self, Consent},
    campaign_json::CampaignJson,
    outage, output,
    proposal::{self, MoveJson, ProposalJson},
    session::Session,
    table,
};
use crate::{
    cluster::{Snapshot, words},
    cockpit,
    plan::{Check, Intent, Verdict, rebalance::Proposal},
    run::{
        self, Run, RunSeen,
        campaign::{
            self, Campaign, CampaignSeen, CampaignState, Doing, Drained, Handle, ItemState, Pace, Proposed,
        },
    },
};

/// How fast a campaign goes.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PaceArgs {
    /// So many moves at the same time, of different tenants
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=32))]
    parallel: u32,
    /// So many moves go one by one first
    #[arg(long, value_name = "N", default_value_t = 1)]
    canary: u32,
    /// Go on until so many moves have failed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    stop_after: u32,
}

impl PaceArgs {
    pub(super) fn pace(self) -> Pace {
        let Self { parallel, canary, stop_after } = self;
        Pace { parallel, canary, stop_after, ..Pace::default() }
    }
}

/// What is to be done.
pub(super) struct Work {
    pub(super) proposed: Proposed,
    /// What stands above the question.
    pub(super) proposal: Proposal,
    /// What else has to be known before.
    pub(super) notes: Vec<String>,
    /// What the proposal was made on.
    pub(super) foreseen: Arc<Snapshot>,
}

/// How far it came.
#[derive(Default)]
pub(super) struct End {
    /// Shown and rehearsed only.
    dry_run: bool,
    campaign: Option<Campaign>,
    /// What was found by the rehearsal.
    rehearsal: Vec<Check>,
    /// Something could not be printed.
    unheard: bool,
}

#[derive(Serialize)]
struct WorkJson<'a> {
    #[serde(flatten)]
    proposal: ProposalJson<'a>,
    notes: &'a [String],
    rehearsal: &'a [Check],
    #[serde(flatten)]
    end: Option<EndJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drained: Option<&'a Drained>,
}

#[derive(Serialize)]
struct EndJson<'a> {
    moved: usize,
    /// Moves that were not made.
    left: Vec<MoveJson<'a>>,
    stopped: Option<&'a str>,
    runs: Vec<RunOfJson>,
    campaign: Option<CampaignJson>,
}

#[derive(Serialize)]
struct RunOfJson {
    id: String,
    state: &'static str,
    summary: String,
}

/// Shows what is proposed, rehearses it, asks once, and carries it out as far as consent goes.
pub(super) async fn carry_out(
    session: &mut Session,
    work: &mut Work,
    consent: &Consent,
) -> Result<End, Failure> {
    let dry_run = consent.dry_run;
    if work.proposed.items().is_empty() {
        if consent.output == Format::Table {
            table::print(&format!("nothing is to be moved\n{}", proposal::text(&work.proposal)))?;
        }
        return Ok(End { dry_run, ..End::default() });
    }
    let access = session.access(&work.foreseen);
    let plans = work.proposed.samples(&work.foreseen).plans;
    let mut left = campaign::refusals(&plans);
    let (rehearsal, refused) = campaign::rehearse(&access, &plans).await;
    left.extend(refused);
    let (proposed, stays) = work.proposed.without(&work.foreseen, &left);
    work.proposed = proposed;
    work.proposal = work.proposal.clone().without(&work.foreseen, stays);
    if consent.output == Format::Table {
        table::print(&shown(work, &rehearsal.checks))?;
    }
    let refused = rehearsal.checks.iter().filter(|c| c.verdict == Verdict::Refuse);
    let stops: Vec<_> = refused.map(|c| &*c.text).collect();
    if !stops.is_empty() {
        return Err(Failure::Failed(table::plain(&format!("refused: {}", stops.join("; ")))));
    }
    let place = act::place(consent, &rehearsal)?;
    let rehearsal = rehearsal.checks;
    if dry_run {
        return Ok(End { dry_run, rehearsal, ..End::default() });
    }
    let typed = act::confirm(work.proposed.confirmation(), consent)?;
    let approved = work.proposed.clone().approve(typed.as_deref(), consent.reason.clone());
    let approved = approved.map_err(Failure::failed)?;
    let handle = campaign::start(access, approved, place, session.seen.clone());
    let (campaign, heard) = ended(session, handle, consent.output, Past::default()).await;
    Ok(End { dry_run, campaign: Some(campaign), rehearsal, unheard: heard.is_err() })
}

/// What stands above the question.
fn shown(work: &Work, rehearsal: &[Check]) -> String {
    let mut text = String::new();
    for item in work.proposed.items() {
        if let Intent::Cordon { node, cordoned } = item {
            let word = if *cordoned { "cordoned" } else { "uncordoned" };
            text += &format!("{node} is {word} first\n\n");
        }
    }
    for item in work.proposed.items().iter().filter(|item| campaign::is_of_tenant(item)) {
        text += &format!("{}\n", campaign::words(item));
    }
    text += &proposal::text(&work.proposal);
    text.push('\n');
    for note in &work.notes {
        text += &format!("{} {note}\n", Verdict::Warn.glyph());
    }
    for check in rehearsal.iter().filter(|c| c.verdict != Verdict::Ok) {
        text += &format!("{} {}\n", check.verdict.glyph(), check.text);
    }
    if rehearsal.iter().all(|c| c.verdict != Verdict::Refuse) {
        text += &format!("{} rehearsed: the rights are there and the writes pass\n", Verdict::Ok.glyph());
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}

/// Tells what a campaign does until it is over or stands still, and when the API server is away meanwhile. An interrupt
/// pauses it. That nobody listens does not: it goes on to its end. The second value says whether all was heard.
pub(super) async fn ended(
    session: &Session,
    handle: Handle,
    output: Format,
    past: Past,
) -> (Campaign, Result<(), Failure>) {
    outage::told(session, handle.watch.clone(), telling(handle, output, &session.again, past)).await
}

/// What of a campaign was told before this session took it up: so many entries, and those of each of its runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    entries: usize,
    runs: BTreeMap<String, usize>,
}

impl Past {
    /// All that is known of it.
    pub(super) fn of(campaign: &Campaign, runs: &[RunSeen]) -> Self {
        let of_it = runs.iter().filter(|known| known.run.campaign.as_ref() == Some(&campaign.id));
        let runs = of_it.map(|known| (known.run.id.clone(), known.run.entries.len()));
        Self { entries: campaign.entries.len(), runs: runs.collect() }
    }
}

async fn telling(
    mut handle: Handle,
    output: Format,
    again: &str,
    past: Past,
) -> (Campaign, Result<(), Failure>) {
    let Past { entries: mut told, mut runs } = past;
    let (mut heard, mut asked, mut waited) = (Ok(()), false, String::new());
    let say = |heard: Result<(), Failure>, line: &str| match output {
        Format::Table => heard.and(output::tell(table::plain(line))),
        Format::Json => heard,
    };
    loop {
        let campaign = handle.watch.borrow_and_update().clone();
        for run in &campaign.under_way {
            let known = runs.entry(run.id.clone()).or_default();
            for line in lines(run, known) {
                let tenant = run.tenants().next().filter(|_| campaign.is_of_tenants());
                let line = tenant.map_or_else(|| format!("  {line}"), |tenant| format!("  {tenant}: {line}"));
                heard = say(heard, &line);
            }
        }
        if let Some(Doing::Waits(why)) = &campaign.doing {
            // A number in it changes with every look: the reason alone is told.
            let reason: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
            if reason != waited {
                heard = say(heard, &format!("  waits: {why}"));
                waited = reason;
            }
        } else if !campaign.under_way.is_empty() {
            waited.clear();
        }
        for entry in campaign.entries.iter().skip(told) {
            heard = say(heard, &progress(&campaign, entry));
        }
        told = campaign.entries.len();
        tokio::select! {
            changed = handle.watch.changed() => if changed.is_err() { break },
            () = cockpit::asked_to_stop(), if !asked => {
                asked = true;
                handle.pause();
                let text = format!("pausing: `{again} campaigns resume {}` goes on with it", campaign.id);
                heard = say(heard, &text);
            }
        }
    }
    (handle.ended().await, heard)
}

/// The steps of a run that were not told yet.
fn lines(run: &Run, known: &mut usize) -> Vec<String> {
    let new = run.entries.iter().skip(*known).filter(|entry| is_told(run, &entry.event));
    let lines = new.filter_map(|entry| run::describe(run, &entry.event)).collect();
    *known = run.entries.len();
    lines
}

/// Of a tenant among many, what came about and what went wrong; of a pod that is moved, each step.
fn is_told(run: &Run, event: &run::Event) -> bool {
    let many = campaign::is_of_tenant(&run.plan().intent);
    !many || !matches!(event, run::Event::Started { .. } | run::Event::Skipped { .. } | run::Event::Log(_))
}

/// An entry, and after an item that is done how long the rest takes.
fn progress(campaign: &Campaign, entry: &campaign::Entry) -> String {
    let line = campaign::describe(campaign, &entry.event);
    let counts = campaign.counts();
    let left = counts.waiting + counts.running;
    match (&entry.event, campaign.time_left()) {
        (campaign::Event::Done { .. }, Some(time)) if left > 0 => {
            format!("{line} · {left} left, about {}", words::span(time.as_secs()))
        }
        _ => line,
    }
}

/// Its items are migrations.
fn is_migration(campaign: &Campaign) -> bool {
    campaign.items.iter().any(|item| matches!(item, Intent::Migrate { .. }))
}

/// Why a campaign did not end as done, and what to do; `None`: it did.
pub(super) fn not_done(campaign: &Campaign, again: &str) -> Option<String> {
    let (id, why) = (&campaign.id, campaign.last_word().unwrap_or("it has not begun"));
    match campaign.state {
        CampaignState::Done | CampaignState::Undone => None,
        // What a migration did to a schema is taken back by no campaign, and nothing done is nothing to take back.
        CampaignState::Paused if is_migration(campaign) || campaign.counts().done == 0 => {
            Some(format!("{why}; `{again} campaigns resume {id}` goes on"))
        }
        CampaignState::Paused => Some(format!(
            "{why}; `{again} campaigns resume {id}` goes on, `{again} campaigns undo {id}` takes it back"
        )),
        _ => Some(why.to_owned()),
    }
}

/// Says how it ended; fails where it stopped, or where a drained node is not empty.
pub(super) fn tell(
    work: &Work,
    end: &End,
    drained: Option<&Drained>,
    output: Format,
    again: &str,
) -> Result<(), Failure> {
    let moves = &work.proposal.moves;
    let made = |campaign: &Campaign| {
        let items = campaign.items.iter().zip(&campaign.states);
        let done = items.filter(|(_, state)| matches!(state, ItemState::Done(_)));
        done.filter_map(|(item, _)| match item {
            Intent::Move { moved } => Some(moved.uid.clone()),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    let made = end.campaign.as_ref().map(made).unwrap_or_default();
    let moved = made.len();
    let left: Vec<_> = moves.iter().filter(|m| !made.contains(&m.uid)).cloned().collect();
    let stopped = end.campaign.as_ref().and_then(|campaign| not_done(campaign, again));
    let rest = drained.filter(|_| !end.dry_run);
    if output == Format::Json {
        let summed = || EndJson {
            moved,
            left: left.iter().map(MoveJson::of).collect(),
            stopped: stopped.as_deref(),
            runs: end.campaign.as_ref().map(runs).unwrap_or_default(),
            campaign: end
                .campaign
                .clone()
                .map(|it| CampaignJson::of(&CampaignSeen { ours: true, ..CampaignSeen::of(it) })),
        };
        table::json(&WorkJson {
            proposal: ProposalJson::of(&work.proposal),
            notes: &work.notes,
            rehearsal: &end.rehearsal,
            end: (!end.dry_run).then(summed),
            drained: rest,
        })?;
    } else if !end.dry_run {
        let mut text = String::new();
        if !moves.is_empty() {
            text += &format!("{moved} of {} moved\n", moves.len());
        }
        if stopped.is_some() && !left.is_empty() {
            text += &format!("not moved:\n{}", proposal::moves(&left).trim_start_matches('\n'));
        }
        if let Some(rest) = rest {
            text += &format!("{}\n", table::plain(&rest.text));
        }
        table::print(&text)?;
    }
    if let Some(why) = &stopped {
        return Err(Failure::Failed(table::plain(&format!("stopped: {why}"))));
    }
    if rest.is_some_and(|rest| !rest.empty) {
        return Err(Failure::Told);
    }
    if end.unheard { Err(Failure::Unheard) } else { Ok(()) }
}

/// The runs of a campaign's items.
fn runs(campaign: &Campaign) -> Vec<RunOfJson> {
    let items = campaign.states.iter().enumerate();
    let of = |(item, state): (usize, &ItemState)| {
        let (id, state) = match state {
            ItemState::Done(id) => (id, "done"),
            ItemState::Running(id) => (id, "paused"),
            _ => return None,
        };
        let summary = match &campaign.items[item] {
            Intent::Move { .. } => format!("move {}", campaign.words(item)),
            _ => campaign.words(item),
        };
        Some(RunOfJson { id: id.clone(), state, summary })
    };
    items.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::sketch,
        plan::{Confirmation, Migrations},
        run::campaign::{Entry, Event},
    };

    /// A campaign of these items that stands still, the first of them done.
    fn paused(items: Vec<Intent>) -> Campaign {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2\ntenant globex 2 on w1 w2", now)
            .expect("a sketch");
        let proposed = Proposed::new(&seen, "a goal", None, items, Pace::default());
        let typed = match proposed.confirmation() {
            Confirmation::Type(text) => Some(text.clone()),
            Confirmation::Yes => None,
        };
        let mut it = Campaign::new("c", "alice", proposed.approve(typed.as_deref(), None).expect("a yes"));
        let mut note = |event| {
            let entry = Entry { at: now, by: "alice".into(), token: 1, heard: 0, event };
            it.apply(entry).expect("a legal order");
        };
        note(Event::Taken);
        note(Event::Began { item: 0, run: "r".into() });
        note(Event::Done { item: 0, pod: None, was: None, unpredicted: None });
        note(Event::Paused { why: "no room".into(), asked: false, beyond: None });
        it
    }

    #[test]
    fn only_what_would_be_taken_is_offered_where_a_campaign_stands_still() {
        let cordon = |node: &str| Intent::Cordon { node: node.into(), cordoned: true };
        let told = not_done(&paused(vec![cordon("w1"), cordon("w2")]), "wheelhouse").expect("it is not done");
        assert!(told.contains("campaigns resume c") && told.contains("campaigns undo c"), "{told}");
        let migrate = |tenant: &str| Intent::Migrate { migration: Migrations::default().of(tenant.into()) };
        let told =
            not_done(&paused(vec![migrate("acme"), migrate("globex")]), "wheelhouse").expect("not done");
        assert!(told.contains("campaigns resume c") && !told.contains("undo"), "{told}");
    }

    #[test]
    fn closing_a_campaign_of_tenants_says_what_stays_open() {
        let migrate = |tenant: &str| Intent::Migrate { migration: Migrations::default().of(tenant.into()) };
        let closing = paused(vec![migrate("acme"), migrate("globex")]).closing();
        assert!(closing.contains("a run that is held") && closing.contains("stays open"), "{closing}");
    }
}
