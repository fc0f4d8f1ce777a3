//! A run in words: for lists, for the command line, for the screens.

use super::{Event, Outcome, Run};
use crate::plan::{Intent, Plan};

/// What a run is about, in a line: `scale acme 3 → 5`, `undo 9c1f: scale acme 5 → 3`.
pub fn summary(run: &Run) -> String {
    let what = parts(run.plan());
    match &run.plan().intent {
        Intent::Scale { .. } => format!("scale {what}"),
        Intent::Database { act } => match &run.plan().database {
            Some(part) => part.words(),
            None => act.to_string(),
        },
        Intent::Undo { run: undone, .. } => {
            let undone = crate::cluster::words::short_run(undone);
            match &run.plan().database {
                Some(part) => format!("undo {undone}: {}", part.words_of_undo()),
                None => format!("undo {undone}: scale {what}"),
            }
        }
    }
}

fn parts(plan: &Plan) -> String {
    const SHOWN: usize = 3;
    let shown = plan.tenants.iter().take(SHOWN).map(|t| format!("{} {} → {}", t.tenant, t.from, t.to));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match plan.tenants.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// One entry in a sentence; `None` for an event that says nothing to people.
pub fn describe(run: &Run, event: &Event) -> Option<String> {
    let change = |step: &usize| match run.plan().steps.get(*step) {
        Some(step) => run.plan().words(&step.change),
        None => format!("step {}", step + 1),
    };
    Some(match event {
        Event::Taken if run.entries.first().is_some_and(|first| first.event == *event) => {
            format!("▸ run {} began", run.id)
        }
        Event::Taken => format!("▸ run {} was taken up again", run.id),
        Event::Started { step } => format!("▸ {}", change(step)),
        Event::Done { step, text } if text.is_empty() => format!("✓ {}", change(step)),
        Event::Done { step, text } => format!("✓ {}: {text}", change(step)),
        Event::Skipped { step, text } => format!("✓ {}: not needed, {text}", change(step)),
        // The text says so itself.
        Event::Verified { tenant, as_predicted: true, text } => format!("✓ {tenant}: {text}"),
        Event::Verified { tenant, as_predicted: false, text } => {
            format!("▲ {tenant}: not as predicted, {text}")
        }
        Event::Paused { step, why } => {
            format!("▲ paused at step {} of {}: {why}", step + 1, run.plan().steps.len())
        }
        Event::Finished { outcome: Outcome::Done, text } => format!("✓ done: {text}"),
        Event::Finished { outcome: Outcome::Failed, text } => format!("✖ failed: {text}"),
        Event::Undone { by_run } => format!("✓ taken back by run {by_run}"),
    })
}
