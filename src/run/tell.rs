//! A run in words: for lists, for the command line, for the screens.

use std::ptr;

use super::{Event, Outcome, Run};
use crate::{
    cluster::Snapshot,
    plan::{About, Change, PartRef},
};

/// What a run is about, in a line: `scale acme 3 → 5`, `undo 9c1f: scale acme 5 → 3`.
pub fn summary(run: &Run) -> String {
    run.plan().summary()
}

/// How a run came out that has gone through, in one sentence.
pub(super) fn ending(run: &Run) -> String {
    let told = |part: &PartRef<'_>| run.verified(&part.about()).unwrap_or((true, ""));
    let (database, others): (Vec<_>, Vec<_>) =
        run.plan().parts().partition(|part| part.about() == About::Database);
    let mut all = Vec::new();
    if !others.is_empty() {
        let what = match others.as_slice() {
            few if few.len() <= 3 => few.iter().map(|part| part.words()).collect::<Vec<_>>().join(", "),
            many => format!("{} tenants changed", many.len()),
        };
        let harm = run.harm_words();
        let differs = if harm.is_some() { "not as predicted" } else { "not where predicted" };
        let how = match others.iter().filter(|part| !told(part).0).count() {
            0 => "as predicted".into(),
            1 if others.len() == 1 => differs.to_owned(),
            n => format!("{n} {differs}"),
        };
        all.push(format!("{what}: {how}"));
        all.extend(harm);
    }
    all.extend(database.iter().map(|part| format!("{}: {}", part.words(), told(part).1)));
    // What only takes back what a run had borrowed has nothing to be verified.
    if all.is_empty() {
        all.push(format!("{}: every step is done", summary(run)));
    }
    all.join("; ")
}

/// Why a run has failed, with what happened to the pods of its tenants meanwhile.
pub(super) fn failure(run: &Run, why: &str) -> String {
    let migrated = run.has_migrated().then(|| "its migration has succeeded, and stays".to_owned());
    [Some(why.to_owned()), migrated, run.harm_words()].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What is taken back when a run is given up, in a sentence without its end; `None`: nothing is borrowed, and what it did
/// stays.
pub fn left_by_giving_up(run: &Run) -> Option<String> {
    let words = |i: usize| run.plan().words(&run.plan().steps[i].change);
    let back: Vec<_> = run.borrowed().map(words).collect();
    match (back.is_empty(), run.undecided().is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("It is taken back: {}", back.join(", "))),
        (false, false) => Some(format!(
            "Its migration may have changed the schema in part: what a statement did stays, and one that is cut off is \
             not undone (MariaDB's schema changes are not transactional). It is taken back: {}",
            back.join(", ")
        )),
    }
}

/// What is left of a run whose journal is lost, and the lines that take it back by hand; `None`: its journal is there.
pub fn left_by_losing_it(run: &Run, seen: &Snapshot) -> Option<String> {
    run.journal_lost.as_ref()?;
    let steps = &run.plan().steps;
    let borrowed: Vec<_> = run.borrowed().map(|i| &steps[i].change).collect();
    let back = run.made().into_iter().rev().filter_map(|(_, change)| change.invert());
    let back: Vec<Change> = borrowed.into_iter().cloned().chain(back).collect();
    let lines: Vec<_> =
        back.iter().filter_map(|change| change.by_hand(seen)).map(|line| format!("`{line}`")).collect();
    let words: Vec<_> = back.iter().map(|change| run.plan().words(change)).collect();
    Some(match (words.is_empty(), lines.is_empty()) {
        (true, _) => "it has changed nothing".into(),
        (false, true) => {
            format!("nobody can go on with it; what takes it back by hand: {}", words.join(", "))
        }
        (false, false) => {
            format!("nobody can go on with it; what takes it back by hand: {}", lines.join(", "))
        }
    })
}

/// One of its entries in a sentence, its sign before it; `None` for an event that says nothing to people.
pub fn describe(run: &Run, event: &Event) -> Option<String> {
    entry(run, event).map(|(sign, text)| format!("{sign} {text}"))
}

/// One of its entries: its sign, and the sentence.
pub fn entry(run: &Run, event: &Event) -> Option<(&'static str, String)> {
    let change = |step: &usize| match run.plan().steps.get(*step) {
        Some(step) => run.plan().words(&step.change),
        None => format!("step {}", step + 1),
    };
    Some(match event {
        Event::Taken if run.entries.first().is_some_and(|first| ptr::eq(&first.event, event)) => {
            ("▸", format!("run {} began", run.id))
        }
        Event::Taken => ("▸", format!("run {} was taken up again", run.id)),
        Event::Started { step } => ("▸", change(step)),
        Event::Done { step, text } if text.is_empty() => ("✓", change(step)),
        Event::Done { step, text } => ("✓", format!("{}: {text}", change(step))),
        Event::Skipped { step, text } => ("✓", format!("{}: not needed, {text}", change(step))),
        // The text says so itself.
        Event::Verified { about, as_predicted: true, text } => ("✓", format!("{about}: {text}")),
        Event::Verified { about, as_predicted: false, text } => {
            ("▲", format!("{about}: not as predicted, {text}"))
        }
        Event::Harmed { tenant, harm } => ("▲", format!("{tenant} {}", harm.words())),
        Event::TakenBack { step, text } => ("▲", format!("taken back: {}: {text}", change(step))),
        Event::Paused { step, asked: true, .. } if run.paused_by().is_some() => {
            let by = run.paused_by().unwrap_or_default();
            ("▲", format!("paused by {by} at step {} of {}", step + 1, run.plan().steps.len()))
        }
        Event::Paused { step, why, .. } => {
            ("▲", format!("paused at step {} of {}: {why}", step + 1, run.plan().steps.len()))
        }
        Event::Leaving { why } => ("▲", format!("goes no further: {why}")),
        Event::Versions(read) => ("✓", format!("{} has {}", read.table, read.words())),
        Event::Log(_) => return None,
        Event::Finished { outcome: Outcome::Done, text } => ("✓", format!("done: {text}")),
        Event::Finished { outcome: Outcome::Failed, text } => ("✖", format!("failed: {text}")),
        Event::Undone { by_run } => ("✓", format!("taken back by run {by_run}")),
    })
}
