//! What a campaign does next. Pure.

use super::{Campaign, CampaignState, Counts, Doing, Event, ItemState, drained};
use crate::{
    cluster::{Snapshot, words::short_run},
    plan::{Change, OnFailure, Standing, rebalance::Goal},
    run::{Run, RunSeen, RunState, Shown},
};

/// Characters of a reason that are kept in the journal of a campaign of tenants: of 2,000 items each may have one.
const REASON: usize = 300;

/// The next move of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Plan this item on the present snapshot, and begin its run.
    Begin(usize),
    /// Go on with the run of this item, which stands still.
    Resume(usize),
    /// Give the run of this item up, which stands still: what it borrowed is taken back. The sentence says why.
    GiveUp(usize, String),
    /// Write down what became of an item.
    Note(Event),
    /// Nothing to do until something is seen: the text says what for.
    Wait(Doing),
    /// Stand still and ask an operator: the sentence says why.
    Stop(String),
    /// It is over.
    Finish {
        /// Every item is through.
        whole: bool,
        /// One sentence.
        text: String,
    },
}

/// What an item that is under way says.
enum Way {
    /// Somebody is at its run.
    On,
    /// Something is to be done about it at once.
    Now(Next),
    /// It stands still, and an operator has to know.
    Surprise(String),
}

/// What to do next: a function of what has happened, of the runs, and of what is seen now.
pub fn next(campaign: &Campaign, runs: &[RunSeen], seen: &Snapshot) -> Next {
    if campaign.state != CampaignState::Running {
        return Next::Wait(format!("the campaign is {}", campaign.state.word()).into());
    }
    let (mut under_way, mut surprise) = (Vec::new(), None);
    for (item, state) in campaign.states.iter().enumerate() {
        if let ItemState::Held(id, _) = state
            && let Some(found) = runs.iter().find(|r| r.run.id == *id)
            && let Some(event) = decided(item, found)
        {
            return Next::Note(event);
        }
        let ItemState::Running(id) = state else { continue };
        let way = match runs.iter().find(|r| r.run.id == *id) {
            Some(found) => stands(campaign, item, found, seen),
            // Written down and never begun: its session died in between. It is the same run that is begun.
            None if campaign.local || seen.journals.freshness.is_live() => Way::Now(Next::Begin(item)),
            None => Way::Now(Next::Wait(Doing::Waits("journals are not followed at present".into()))),
        };
        match way {
            Way::On => under_way.push(item),
            Way::Now(next) => return next,
            Way::Surprise(why) => surprise = surprise.or(Some(why)),
        }
    }
    let counts = campaign.counts();
    let tenants = campaign.is_of_tenants();
    // What goes first is there to show whether the others may follow.
    let first = tenants && counts.done < campaign.pace.canary as usize;
    let most = if first { 1 } else { campaign.pace.stop_after.max(1) };
    if surprise.is_none() && campaign.failures() >= most {
        let last = campaign.entries.iter().rev().find_map(|e| match &e.event {
            Event::Failed { item, why } if tenants => {
                Some(format!("{} failed: {why}", campaign.words(*item)))
            }
            Event::Held { item, why } => Some(format!("{} is held: {why}", campaign.words(*item))),
            Event::Failed { why, .. } => Some(why.clone()),
            _ => None,
        });
        surprise = Some(last.unwrap_or_else(|| "an item failed".to_owned()));
    }
    if let Some(why) = surprise {
        return match under_way.is_empty() {
            true => Next::Stop(why),
            false => Next::Wait(format!("{why}; {} under way, which end first", under_way.len()).into()),
        };
    }
    if counts.waiting == 0 || campaign.stopping {
        return match under_way.is_empty() {
            true => ending(campaign, counts, seen),
            false => Next::Wait(format!("{} under way", under_way.len()).into()),
        };
    }
    let through = if tenants { counts.done } else { counts.done + counts.skipped };
    let at_once = if through < campaign.pace.canary as usize { 1 } else { campaign.pace.parallel.max(1) };
    if under_way.len() >= at_once as usize {
        return Next::Wait(format!("{} under way", under_way.len()).into());
    }
    let busy: Vec<_> = under_way.iter().filter_map(|item| campaign.about(*item)).collect();
    // What is done to a node comes before what is done to the pods on it, and after what was begun before.
    let alone = |item: usize| campaign.is_alone(item);
    if under_way.iter().any(|item| alone(*item)) {
        return Next::Wait(format!("{} under way", under_way.len()).into());
    }
    let free = |item: &usize| {
        campaign.states[*item] == ItemState::Waiting
            && campaign.about(*item).is_none_or(|about| !busy.contains(&about))
    };
    let Some(item) = (0..campaign.items.len()).find(free) else {
        return Next::Wait(format!("{} under way", under_way.len()).into());
    };
    if alone(item) && !under_way.is_empty() {
        return Next::Wait(format!("{} under way", under_way.len()).into());
    }
    match campaign.pace.brakes.iter().find_map(|brake| brake.stops(seen)) {
        Some(why) if tenants => Next::Wait(Doing::Waits(why)),
        Some(why) if under_way.is_empty() => Next::Stop(why),
        Some(why) => Next::Wait(why.into()),
        None => Next::Begin(item),
    }
}

/// Where the run of an item stands.
fn stands(campaign: &Campaign, item: usize, found: &RunSeen, seen: &Snapshot) -> Way {
    let run = &found.run;
    let (name, fresh) = (run.short(), campaign.is_fresh(item));
    let last = || run.last_word().unwrap_or("it ended").to_owned();
    let note = |event| Way::Now(Next::Note(event));
    match (run.state, found.shown()) {
        (RunState::Done, _) => note(done(item, run)),
        // Given up once its pod had moved or its schema was migrated: that stands.
        (RunState::Failed, _) if run.came_about().is_some() => note(done(item, run)),
        (RunState::Undone, _) => {
            note(Event::Skipped { item, why: format!("run {name} was taken back by another run") })
        }
        (RunState::Failed, _) if fresh => note(Event::Failed { item, why: brief(&last()) }),
        // It has run, and is tried again by a wish alone.
        (RunState::Failed, _) if campaign.is_of_tenants() => {
            note(Event::Failed { item, why: brief(&last()) })
        }
        // An operator has gone on since, and knows of it: it is planned again on what is seen now.
        (RunState::Failed, _) => note(Event::Retried { item }),
        (_, Shown::Running | Shown::Planned) => Way::On,
        (_, Shown::Unknown) => {
            let why = found.unknown.as_deref().unwrap_or_default();
            let text = format!("whether anybody drives run {name} is not known: {why}");
            Way::Now(Next::Wait(Doing::Waits(text)))
        }
        // It paused by itself with nothing done: what is seen now makes another plan of the item, or none.
        (_, Shown::Paused(None)) if !fresh && run.made().is_empty() => Way::Now(Next::GiveUp(item, last())),
        _ if !fresh => match found.offers(seen).resume {
            Ok(()) => Way::Now(Next::Resume(item)),
            // Its own journal tells as well why it stands still: the run that is taken up writes it down.
            Err(_) if is_held(run, seen) && run.state != RunState::Paused => Way::Now(Next::Resume(item)),
            Err(why) if is_held(run, seen) => note(Event::Held { item, why: brief(&why) }),
            Err(why) => Way::Now(Next::GiveUp(item, why)),
        },
        (_, Shown::Paused(Some(by))) => Way::Surprise(format!("run {name} is paused by {by}")),
        (_, Shown::Paused(None)) if is_held(run, seen) => note(Event::Held { item, why: brief(&last()) }),
        (_, Shown::Paused(None)) if campaign.failures() + 1 < campaign.pace.stop_after => {
            Way::Now(Next::GiveUp(item, last()))
        }
        (_, Shown::Paused(None)) => Way::Surprise(last()),
        _ => Way::Surprise(format!("run {name} was interrupted")),
    }
}

/// An operator has decided about the run that held an item: what became of it.
fn decided(item: usize, found: &RunSeen) -> Option<Event> {
    let run = &found.run;
    let last = || run.last_word().unwrap_or("it ended").to_owned();
    match run.state {
        RunState::Done => Some(done(item, run)),
        RunState::Failed if run.came_about().is_some() => Some(done(item, run)),
        RunState::Failed => Some(Event::Failed { item, why: brief(&last()) }),
        RunState::Undone => {
            Some(Event::Skipped { item, why: format!("run {} was taken back by another run", run.short()) })
        }
        RunState::Planned | RunState::Running | RunState::Paused => None,
    }
}

/// Its run stands still with what it borrowed, and only an operator can say how it goes on: nobody gives it up, and the
/// other items do not wait for it.
fn is_held(run: &Run, seen: &Snapshot) -> bool {
    let failed = |i: &usize| matches!(run.plan().steps[*i].change.stands(seen), Standing::Failed(_));
    let open = run.undecided();
    let looks = run.plan().on_failure == OnFailure::Hold && run.holds();
    let unknown = |i: &usize| !failed(i) || run.cut_off().is_some();
    run.leaving.is_some() || looks || open.last().is_some_and(unknown)
}

/// A reason as it is kept.
pub(super) fn brief(why: &str) -> String {
    match why.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why.to_owned(),
    }
}

/// An item whose run came through.
pub(super) fn done(item: usize, run: &Run) -> Event {
    let was = run.plan().steps.iter().find_map(|step| match &step.change {
        Change::SetImage(set) if !step.way_out => Some(set.from.to_string()),
        _ => None,
    });
    // What it is for had come about when its run was given up: the run says failed, and so does this.
    let failed = run.came_about().filter(|_| run.state == RunState::Failed).map(|what| {
        let why = run.last_word().unwrap_or("it was given up");
        format!("run {} failed once {what}: {why}", run.short())
    });
    let unpredicted = failed.or_else(|| run.unpredicted()).map(|text| brief(&text));
    Event::Done { item, pod: came(run), was, unpredicted }
}

/// The pod that came by adoption.
pub(super) fn came(run: &Run) -> Option<String> {
    run.plan().steps.iter().find_map(|step| match &step.change {
        Change::Adopt(adopted) => Some(adopted.pod.name.to_string()),
        _ => None,
    })
}

fn ending(campaign: &Campaign, counts: Counts, seen: &Snapshot) -> Next {
    let whole = counts.waiting == 0 && counts.failed == 0 && counts.held == 0;
    if counts.held > 0 && !campaign.stopping {
        let held = campaign.states.iter().enumerate().filter_map(|(item, state)| match state {
            ItemState::Held(run, _) => Some(format!("{} (run {})", campaign.words(item), short_run(run))),
            _ => None,
        });
        let mut named: Vec<_> = held.take(4).collect();
        let what = if counts.held == 1 { "its run" } else { "their runs" };
        if counts.held > 3 {
            named.truncate(3);
            named.push(format!("{} more", counts.held - 3));
        }
        return Next::Stop(format!(
            "{} held: {}; decide about {what}, then resume",
            counts.held,
            named.join(", ")
        ));
    }
    let mut text = format!("{}: {} of {} done", campaign.goal, counts.done, counts.all);
    if counts.unpredicted > 0 {
        text += &format!(" ({} not as predicted)", counts.unpredicted);
    }
    for (n, word) in [
        (counts.skipped, "left out"),
        (counts.failed, "failed"),
        (counts.held, "held"),
        (counts.waiting, "not begun"),
    ] {
        if n > 0 {
            text += &format!(", {n} {word}");
        }
    }
    if let Some(Goal::Drain { node }) = campaign.aim.as_ref().map(|aim| &aim.goal)
        && whole
    {
        if let Some(wait) = drained::leaving(seen, node) {
            return Next::Wait(Doing::Waits(wait));
        }
        let drained = drained::Drained::of(seen, node);
        text += &format!("; {}", drained.text);
        // The plan that took the place of the rest did not have them: they could not be moved then.
        if drained.pods.iter().any(|pod| campaign.has_lost(pod)) && !campaign.stopping {
            return Next::Stop(format!(
                "{text}; the last plan could not move all of them: resume plans them again"
            ));
        }
    }
    Next::Finish { whole, text }
}
