//! `wheelhouse campaigns`: several runs for one goal; what is under way, and what is left to finish or take back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{
    Common, Failure, Format, Output, act,
    campaign::{self as work, PaceArgs},
    campaign_json::CampaignJson,
    outage, output, proposal,
    session::{self, Session},
    table,
};
use crate::{
    cluster::{Snapshot, words},
    plan::{Confirmation, Intent, rebalance::given},
    run::{
        self, Shown,
        campaign::{self, Approved, Campaign, CampaignSeen, CampaignState, ItemState, Proposed, Rest, Wish},
    },
    ui,
};

/// Leases of its own runs are waited for so long: whoever holds one longer is at work.
const OWN_LEASES: Duration = Duration::from_secs(90);

/// The arguments of `wheelhouse campaigns`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct CampaignsArgs {
    /// One campaign: its id, its last part, or the start of it [default: all, the newest first]
    id: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Option<CampaignsCommand>,
}

#[derive(Debug, Subcommand)]
enum CampaignsCommand {
    /// One campaign: its items, and all that happened
    Show {
        /// The campaign's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Pause a campaign, whoever drives it; what is under way is paused too
    Pause {
        /// The campaign's id, its last part, or the start of it
        id: String,
    },
    /// Go on with a campaign that is paused or interrupted
    Resume {
        /// The campaign's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        consent: act::Consent,
    },
    /// End a campaign once what is under way is through
    Stop {
        /// The campaign's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        assent: act::Assent,
    },
    /// Leave out an item, or all that is left of a tenant
    Skip {
        /// The campaign's id, its last part, or the start of it
        id: String,
        /// All that is left of this tenant
        #[arg(long, value_name = "TENANT", required_unless_present = "item", conflicts_with = "item")]
        tenant: Option<String>,
        /// The item of this number
        #[arg(long, value_name = "N")]
        item: Option<usize>,
    },
    /// Try again what failed
    Retry {
        /// The campaign's id, its last part, or the start of it
        id: String,
        /// All of this tenant that failed or was skipped
        #[arg(long, value_name = "TENANT", conflicts_with = "item")]
        tenant: Option<String>,
        /// The item of this number, failed or skipped [default: all that failed]
        #[arg(long, value_name = "N")]
        item: Option<usize>,
    },
    /// Take back what a campaign did and what is still there: a campaign like any other
    Undo {
        /// The campaign's id, its last part, or the start of it
        id: String,
        #[command(flatten)]
        pace: PaceArgs,
        #[command(flatten)]
        consent: act::Consent,
    },
    /// Close a campaign that is paused or interrupted; what it did stays
    GiveUp {
        /// The campaign's id, its last part, or the start of it
        id: String,
        /// Why: kept in the journal
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        assent: act::Assent,
    },
}

pub(super) async fn run(common: &Common, args: CampaignsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let all = session.campaigns(&snapshot);
    if all.is_empty() {
        act::journals_known(&snapshot)?;
    }
    let found = |id: &str| {
        campaign::find(&all, id).map_err(|why| {
            // One that is there and cannot be read is not missing.
            let named = |text: &String| text.contains("campaign-") && text.contains(&format!("-{id}:"));
            let its = session.unreadable_journals(&snapshot).into_iter().find(named);
            Failure::Failed(table::plain(&its.unwrap_or(why)))
        })
    };
    let (id, output, command) = match args.command {
        Some(CampaignsCommand::Show { id, output }) => (Some(id), output, None),
        command => (args.id, args.output, command),
    };
    let Some(command) = command else {
        return match (&id, output.output) {
            (Some(id), Format::Json) => table::json(&CampaignJson::of(found(id)?)),
            (Some(id), Format::Table) => table::print(&story(found(id)?)),
            (None, format) => {
                let unreadable = session.unreadable_journals(&snapshot);
                let unreadable: Vec<_> =
                    unreadable.iter().map(|why| format!("▲ {}", table::plain(why))).collect();
                match format {
                    // A list of campaigns has no place for what is none.
                    Format::Json => {
                        unreadable.iter().try_for_each(output::tell)?;
                        table::json(&all.iter().map(CampaignJson::of).collect::<Vec<_>>())
                    }
                    Format::Table => {
                        let unreadable = unreadable.iter().map(|line| format!("{line}\n"));
                        let unreadable = unreadable.collect::<String>();
                        let none = all.is_empty() && !unreadable.is_empty();
                        let known = if none { String::new() } else { list(&all, snapshot.at) };
                        table::print(&(known + &unreadable))
                    }
                }
            }
        };
    };
    match command {
        // It is printed above.
        CampaignsCommand::Show { .. } => Ok(()),
        CampaignsCommand::Pause { id } => {
            let seen = found(&id)?;
            let id = &seen.campaign.id;
            // Nobody would answer.
            let idle = |why: String| match seen.wants_an_operator() {
                true => format!(
                    "{why}: `{0} campaigns resume {id}` goes on with it, `{0} campaigns give-up {id} --reason TEXT` closes it",
                    session.again
                ),
                false => why,
            };
            seen.offers(&snapshot).pause.map_err(|why| Failure::Failed(idle(why)))?;
            wish(&session, &snapshot, seen, &[Wish::Pause]).await
        }
        CampaignsCommand::Skip { id, tenant, item } => {
            let seen = found(&id)?;
            seen.offers(&snapshot).skip.map_err(Failure::Failed)?;
            let wanted = match (tenant, item) {
                (Some(tenant), _) => {
                    let tenant = tenant.into();
                    let it = &seen.campaign;
                    let of = |at: usize| it.about(at).is_some_and(|about| about.tenant() == Some(&tenant));
                    if !(0..it.items.len()).any(of) {
                        return Err(Failure::Failed(format!(
                            "campaign {} has no item of {tenant}",
                            it.short()
                        )));
                    }
                    Wish::SkipTenant { tenant }
                }
                (None, item) => Wish::Skip { item: numbered(&seen.campaign, item.unwrap_or(0))? },
            };
            wish(&session, &snapshot, seen, &[wanted]).await
        }
        CampaignsCommand::Retry { id, tenant, item } => {
            let seen = found(&id)?;
            seen.offers(&snapshot).retry.map_err(Failure::Failed)?;
            let items = match (item, tenant) {
                (Some(item), _) => vec![numbered(&seen.campaign, item)?],
                (None, Some(tenant)) => {
                    let it = &seen.campaign;
                    let tenant = tenant.into();
                    let own = |at: &usize| {
                        it.about(*at).is_some_and(|about| about.tenant() == Some(&tenant))
                            && matches!(it.states[*at], ItemState::Failed(_) | ItemState::Skipped(_))
                    };
                    let items: Vec<_> = it.counted().filter(own).collect();
                    if items.is_empty() {
                        let why =
                            format!("no item of {tenant} failed or was skipped in campaign {}", it.short());
                        return Err(Failure::Failed(why));
                    }
                    items
                }
                (None, None) => {
                    let states = seen.campaign.states.iter().enumerate();
                    states.filter(|(_, s)| matches!(s, ItemState::Failed(_))).map(|(at, _)| at).collect()
                }
            };
            if items.is_empty() {
                return Err(Failure::Failed(format!("no item of campaign {} failed", seen.campaign.short())));
            }
            let wishes: Vec<_> = items.into_iter().map(|item| Wish::Retry { item }).collect();
            wish(&session, &snapshot, seen, &wishes).await
        }
        CampaignsCommand::Stop { id, assent } => {
            let seen = found(&id)?;
            let offers = seen.offers(&snapshot);
            offers.stop.map_err(Failure::Failed)?;
            match seen.shown() {
                Shown::Running | Shown::Planned => wish(&session, &snapshot, seen, &[Wish::Stop]).await,
                _ => {
                    offers.give_up.map_err(Failure::Failed)?;
                    close(&session, &snapshot, seen, "nothing more of it is wanted", assent).await
                }
            }
        }
        CampaignsCommand::GiveUp { id, reason, assent } => {
            let seen = found(&id)?;
            seen.offers(&snapshot).give_up.map_err(Failure::Failed)?;
            close(&session, &snapshot, seen, &reason, assent).await
        }
        CampaignsCommand::Resume { id, consent } => {
            let seen = found(&id)?;
            seen.offers(&snapshot).resume.map_err(Failure::Failed)?;
            resume(&session, snapshot, seen, consent).await
        }
        CampaignsCommand::Undo { id, pace, consent } => {
            let seen = found(&id)?;
            seen.offers(&snapshot).undo.map_err(Failure::Failed)?;
            let it = seen.campaign.clone();
            undo(&mut session, snapshot, it, pace, consent).await
        }
    }
}

/// An item by its number, which counts from one.
fn numbered(it: &Campaign, item: usize) -> Result<usize, Failure> {
    let found = item.checked_sub(1).and_then(|at| it.counted().nth(at));
    let none = || Failure::Failed(format!("campaign {} has items 1 to {}", it.short(), it.counts().all));
    found.ok_or_else(none)
}

/// Writes wishes into a campaign's journal, and waits until whoever drives it has answered them.
async fn wish(
    session: &Session,
    snapshot: &Arc<Snapshot>,
    seen: &CampaignSeen,
    wishes: &[Wish],
) -> Result<(), Failure> {
    let (id, name) = (seen.campaign.id.clone(), seen.campaign.short().to_owned());
    let access = session.access(snapshot);
    for wish in wishes {
        campaign::ask(&access, &seen.campaign, wish.clone(), snapshot).await.map_err(Failure::Failed)?;
    }
    let driver = match (seen.shown(), &seen.holder) {
        (Shown::Running | Shown::Planned, Some(holder)) => holder.who.clone(),
        _ => {
            let again = &session.again;
            return table::print(&format!(
                "written into the journal of campaign {name}: it is answered once somebody goes on with it \
                 (`{again} campaigns resume {id}`)\n"
            ));
        }
    };
    let asked = seen.campaign.asked.len() + wishes.len();
    let pause = wishes.contains(&Wish::Pause);
    let answered = |it: &Campaign| {
        it.state.is_over() || if pause { it.state == CampaignState::Paused } else { it.heard >= asked }
    };
    let mut watch = session.seen.clone();
    let found = |s: &Snapshot| campaign::campaigns(s).into_iter().find(|c| c.campaign.id == id);
    let wait = watch.wait_for(|s| found(s).is_none_or(|c| answered(&c.campaign)));
    let waited = tokio::time::timeout(session.timeout, wait).await.is_ok();
    let now = found(&session.seen.borrow()).map(|c| c.campaign);
    match now {
        Some(it) if waited => {
            let told = it.entries.iter().skip(seen.campaign.entries.len());
            let lines = told.map(|entry| campaign::describe(&it, &entry.event) + "\n").collect::<String>();
            table::print(&lines.lines().map(|line| table::plain(line) + "\n").collect::<String>())
        }
        now => {
            let again = &session.again;
            let lease = now.and_then(|_| {
                session.campaigns(&session.seen.borrow()).into_iter().find(|c| c.campaign.id == id)
            });
            let lives = lease.is_some_and(|known| matches!(known.shown(), Shown::Running | Shown::Planned));
            let who = match lives {
                true => format!("{driver} drives it, or did until its lease runs out"),
                false => format!("{driver} drives it no more"),
            };
            table::print(&format!(
                "written into the journal of campaign {name}, and not answered yet: {who}; it is answered once somebody \
                 goes on with it (`{again} campaigns resume {id}`)\n"
            ))
        }
    }
}

/// Closes a campaign that stands still.
async fn close(
    session: &Session,
    snapshot: &Snapshot,
    seen: &CampaignSeen,
    why: &str,
    assent: act::Assent,
) -> Result<(), Failure> {
    let it = &seen.campaign;
    let counts = it.counts();
    assent.to(&format!(
        "campaign {} of {} {}: {}, {} of {} done. What it did stays; {}. Nobody can resume it afterwards.",
        it.id,
        it.operator,
        seen.shown().phrase(),
        it.goal,
        counts.done,
        counts.all,
        it.closing()
    ))?;
    let it = closed(session, snapshot, it, why).await?;
    match assent.output() {
        Format::Json => table::json(&CampaignJson::of(&CampaignSeen::of(it))),
        Format::Table => table::print(&format!("campaign {} is closed\n", it.id)),
    }
}

async fn closed(
    session: &Session,
    snapshot: &Snapshot,
    it: &Campaign,
    why: &str,
) -> Result<Campaign, Failure> {
    let mut handle = campaign::give_up(session.access(snapshot), it.clone(), why, session.seen.clone());
    let it = outage::told(session, handle.watch.clone(), handle.ended()).await;
    match it.state.is_over() {
        true => Ok(it),
        false => {
            let why = it.last_word().unwrap_or("it could not be taken up");
            Err(Failure::Failed(table::plain(&format!(
                "campaign {} is still {}: {why}",
                it.id,
                it.state.word()
            ))))
        }
    }
}

/// Goes on with a campaign; where it stands still by itself and the rest would be done otherwise by now, that other plan
/// is shown first.
async fn resume(
    session: &Session,
    snapshot: Arc<Snapshot>,
    seen: &CampaignSeen,
    consent: act::Consent,
) -> Result<(), Failure> {
    let it = seen.campaign.clone();
    let counts = it.counts();
    let text = format!(
        "campaign {} of {} {}: {}, {} of {} done; each further item is planned on what is seen then",
        it.id,
        it.operator,
        seen.shown().phrase(),
        it.goal,
        counts.done,
        counts.all
    );
    if consent.output == Format::Table {
        table::print(&format!("{}\n", table::plain(&text)))?;
    }
    let instead = match it.state == CampaignState::Paused && it.paused_by().is_none() {
        true => another(session, &it, &consent).await?,
        false => None,
    };
    if consent.dry_run {
        return Ok(());
    }
    if instead.is_none() {
        act::confirm(&Confirmation::Yes, &consent)?;
    }
    let past = work::Past::of(&it, &session.runs(&snapshot));
    let handle = campaign::resume(session.access(&snapshot), it, instead, session.seen.clone());
    let (it, heard) = work::ended(session, handle, consent.output, past).await;
    if consent.output == Format::Json {
        let seen = CampaignSeen { ours: true, ..CampaignSeen::of(it.clone()) };
        table::json(&CampaignJson::of(&seen))?;
    }
    match work::not_done(&it, &session.again) {
        Some(why) => Err(Failure::Failed(table::plain(&format!("stopped: {why}")))),
        None => heard,
    }
}

/// The rest of a campaign on what is seen now. A lease of its own runs, which a session that died left behind, is waited
/// for.
async fn rest(session: &Session, it: &Campaign, output: Format) -> Result<Rest, Failure> {
    let mut told = false;
    let began = tokio::time::Instant::now();
    loop {
        let mut seen = Snapshot::clone(&session.seen.borrow());
        // A lease runs out without anything being seen.
        seen.at = run::server_time(&seen);
        let check = match campaign::rest(it, &seen) {
            Ok(rest) => return Ok(rest),
            Err(check) => check,
        };
        if check.rule != "lease" || began.elapsed() > OWN_LEASES {
            return Err(Failure::Failed(table::plain(&format!("refused: {}", check.text))));
        }
        if output == Format::Table && !std::mem::replace(&mut told, true) {
            output::tell(table::plain(&check.text))?;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The plan for the rest on what is seen now, once agreed to; `None`: it is the same as before.
async fn another(
    session: &Session,
    it: &Campaign,
    consent: &act::Consent,
) -> Result<Option<Approved>, Failure> {
    let Rest { proposed: rest, proposal } = rest(session, it, consent.output).await?;
    let target = |item: &Intent| match item {
        Intent::Move { moved } => format!("{} {} {:?}", moved.uid, moved.from, moved.to),
        other => campaign::words(other),
    };
    let waiting: Vec<_> = it
        .items
        .iter()
        .zip(&it.states)
        .filter(|(_, state)| **state == ItemState::Waiting)
        .map(|(item, _)| target(item))
        .collect();
    let same = waiting == rest.items().iter().map(target).collect::<Vec<_>>();
    if rest.items().is_empty() || (same && it.beyond().is_none()) {
        // With nothing left to do, what stays is the answer.
        let stays = proposal.filter(|_| rest.items().is_empty() && consent.output == Format::Table);
        return match stays.map(|proposal| proposal::stays(&proposal.stays)) {
            Some(stays) if !stays.is_empty() => table::print(&format!("nothing more can be moved\n{stays}")),
            _ => Ok(()),
        }
        .map(|()| None);
    }
    if consent.output == Format::Table {
        let lines = rest.items().iter().map(|item| format!("  {}\n", table::plain(&campaign::words(item))));
        let stays = proposal.map_or_else(String::new, |proposal| proposal::stays(&proposal.stays));
        table::print(&format!("what is left is planned again:\n{}{stays}", lines.collect::<String>()))?;
    }
    if consent.dry_run {
        return Ok(None);
    }
    let typed = act::confirm(rest.confirmation(), consent)?;
    rest.approve(typed.as_deref(), it.reason.clone()).map(Some).map_err(Failure::failed)
}

/// Takes a campaign back by another one. One that stands still is closed first.
async fn undo(
    session: &mut Session,
    snapshot: Arc<Snapshot>,
    it: Campaign,
    pace: PaceArgs,
    consent: act::Consent,
) -> Result<(), Failure> {
    let (items, stays) = campaign::back(&it, &snapshot).map_err(Failure::Failed)?;
    let moves = items.iter().filter_map(|item| match item {
        Intent::Move { moved } => Some(moved.clone()),
        _ => None,
    });
    let proposal = given(&snapshot, moves.collect());
    let goal = format!("undo {}: {}", it.short(), it.goal);
    let proposed = Proposed::new(&snapshot, goal, None, items, pace.pace()).undoing(&it.id);
    let mut job = work::Work { proposed, proposal, notes: stays, foreseen: snapshot.clone() };
    if !it.state.is_over() && !consent.dry_run {
        closed(session, &snapshot, &it, "it is undone").await?;
    }
    let end = work::carry_out(session, &mut job, &consent).await?;
    work::tell(&job, &end, None, consent.output, &session.again)
}

fn list(all: &[CampaignSeen], now: Timestamp) -> String {
    if all.is_empty() {
        return "no campaigns yet\n".into();
    }
    let row = |seen: &CampaignSeen| {
        let it = CampaignJson::of(seen);
        let age = it.started.map_or("-".into(), |at| ui::age(now, at));
        let left = seen
            .campaign
            .time_left()
            .filter(|_| !seen.wants_an_operator())
            .map_or(String::new(), |left| format!("{} left", words::span(left.as_secs())));
        let driver = match &it.holder {
            Some(holder) if holder.alive => format!("driven by {}", holder.who),
            _ if seen.campaign.state.is_over() => {
                let ended = seen.campaign.last_at();
                ended.map_or(String::new(), |at| format!("ended {} ago", ui::age(now, at)))
            }
            _ => {
                let told = seen.wants_an_operator() && seen.campaign.paused_by().is_none();
                seen.campaign.last_word().filter(|_| told).unwrap_or_default().to_owned()
            }
        };
        let done = format!("{}/{}", it.counts.done, it.counts.all);
        [it.id, it.state.to_string(), age, it.operator, it.goal, done, left, driver]
            .map(|cell: String| table::plain(&cell))
            .to_vec()
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table::with_text(&["CAMPAIGN", "STATE", ">AGE", "OPERATOR", "GOAL", ">DONE", ">TIME", ""], &rows)
}

fn story(seen: &CampaignSeen) -> String {
    let it = &seen.campaign;
    let mut text = format!("campaign {} is {}, by {}: {}", it.id, seen.shown(), it.operator, it.goal);
    if let Some(reason) = &it.reason {
        text += &format!(", because: {reason}");
    }
    text += "\n\n";
    let unpredicted: BTreeMap<_, _> = it.unpredicted().collect();
    for (number, at) in (1..).zip(it.counted()) {
        let (glyph, rest) = match &it.states[at] {
            ItemState::Done(run) if unpredicted.contains_key(&at) => {
                ("▲", format!(" (run {run}): not as predicted, {}", unpredicted[&at]))
            }
            ItemState::Waiting => (" ", String::new()),
            ItemState::Running(run) => ("▸", format!(" (run {run})")),
            ItemState::Done(run) => ("✓", format!(" (run {run})")),
            ItemState::Skipped(why) => ("·", format!(": {why}")),
            ItemState::Failed(why) => ("✖", format!(": {why}")),
            ItemState::Held(run, why) => ("▲", format!(": held by run {run}, {why}")),
            ItemState::Replaced => continue,
        };
        text += &format!("{number:>4} {glyph} {}{rest}\n", it.words(at));
    }
    text += "\n";
    for entry in &it.entries {
        let line = campaign::describe(it, &entry.event);
        text += &format!("{}  {:<20}  {line}\n", entry.at.strftime("%H:%M:%S"), entry.by);
    }
    for asked in it.unheard() {
        text +=
            &format!("{}  {:<20}  {} is asked for\n", asked.at.strftime("%H:%M:%S"), asked.by, asked.wish);
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}
