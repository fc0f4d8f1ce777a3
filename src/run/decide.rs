//! What a run does next: a pure function of what has happened, what is seen and what time it is.
//!
//! Called by `drive` in a loop, and by tests. It must never act. What is no evidence (`evidence`) decides nothing: it
//! waits.

use jiff::{SignedDuration, Timestamp};

use super::{
    Event, Outcome, Run, RunState, StepState,
    evidence::{LAG, Marks, unproven},
};
use crate::{
    cluster::Snapshot,
    plan::{About, Change, Holds, Object, OnFailure, Servers, Standing, Step},
};

/// The next move of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Write down that this step begins, then do it.
    Perform(usize),
    /// This step is not needed.
    Skip(usize, String),
    /// This step is done.
    Done(usize, String),
    /// Nothing to do until something is seen, or until then.
    Wait {
        /// Decide again at this time at the latest.
        until: Option<Timestamp>,
        /// What for.
        text: String,
    },
    /// Compare a part of the plan with its prediction.
    Verify(About),
    /// Do this step out of its turn: it takes an earlier one back on the way out.
    TakeBack(usize),
    /// Something has ended badly, and the run goes no further: what can be taken back is, and it has failed.
    Fail(usize, String),
    /// Stop at this step, and ask an operator.
    Pause(usize, String),
    /// It is over.
    Finish(Outcome, String),
}

/// What this session knows beside the journal and the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// What the run is about by its own word: an older observation is no evidence.
    pub(super) marks: Marks,
    /// An operator asked to stop, in words.
    pub(super) pause: Option<String>,
    /// It is on its way out: what is borrowed is taken back, and nothing else is begun.
    pub(super) leaving: Option<Leaving>,
}

/// Why a run is on its way out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaving {
    /// It pauses at this step.
    Pause(usize, String),
    /// It was given up.
    GiveUp(String),
}

/// How long an endpoint of the database may not be seen before a write, in seconds.
const UNSEEN: u32 = 60;
/// A step that was begun so often without an end is not begun again without an operator.
const BEGUN: usize = 5;

/// What to do next.
pub(super) fn decide(run: &Run, seen: &Snapshot, now: Timestamp, facts: &Facts) -> Decision {
    if run.state != RunState::Running {
        return Decision::Wait { until: None, text: format!("the run is {}", run.state) };
    }
    if let Some(why) = &run.leaving {
        return leave(run, &Leaving::GiveUp(why.clone()), seen, now, facts);
    }
    if let Some(leaving) = &facts.leaving {
        return leave(run, leaving, seen, now, facts);
    }
    let Some(i) = run.current() else {
        return conclude(run, seen, now);
    };
    if let Some(why) = &facts.pause {
        return Decision::Pause(i, why.clone());
    }
    // What is through is compared at once: its lease can be given back.
    if seen.pods.freshness.is_live()
        && let Some(about) = unverified(run).find(|about| run.is_through(about))
    {
        return verify(run, about, seen, now);
    }
    let step = &run.plan().steps[i];
    if let Some(of) = step.takes_back
        && !run.is_begun(of)
    {
        return Decision::Skip(i, "there is nothing to take back".into());
    }
    if step.way_out {
        return Decision::Skip(i, "the run goes through".into());
    }
    if let Some(of) = step.serves
        && run.steps[i] == StepState::Waiting
        && matches!(run.steps[of], StepState::Done(_))
    {
        let what = run.plan().words(&run.plan().steps[of].change);
        return Decision::Skip(i, format!("it was for a step that is done: {what}"));
    }
    if let Some(text) = unproven(&step.change, seen, &facts.marks, now) {
        if !step.change.object().is_of_database() {
            return Decision::Wait { until: again(&step.change, now), text };
        }
        // An endpoint of the database may be gone for good: then an operator is asked.
        let until = deadline(run, i, now);
        return match now < until {
            true => Decision::Wait { until: Some(until), text },
            false => Decision::Pause(i, text),
        };
    }
    let begun = run.steps[i] != StepState::Waiting;
    match (step.change.stands(seen), step.change.is_write()) {
        (Standing::Gone(why), _) if step.takes_back.is_some() => Decision::Skip(i, why),
        (Standing::Gone(why), true) if begun && step.change.once() => {
            Decision::Pause(i, format!("the outcome is unknown: {why}, and it may have begun"))
        }
        (Standing::Failed(why), _) => fail(run, i, lead(run, step) + &why),
        (Standing::Elsewhere(why) | Standing::Gone(why) | Standing::Unknown(why), _) => {
            Decision::Pause(i, lead(run, step) + &why)
        }
        (Standing::AtTo, true) if begun => Decision::Done(i, step.change.found(true)),
        (Standing::AtTo, true) => Decision::Skip(i, step.change.found(false)),
        (Standing::AtFrom(_), true) => match hindered(run, i, seen) {
            Some((why, waits)) => match patience(run, waits).filter(|until| now < *until) {
                Some(until) => Decision::Wait { until: Some(until), text: why },
                None => Decision::Pause(i, refrained(run, step, &why)),
            },
            None => begin(run, i),
        },
        (Standing::AtTo, false) => Decision::Done(i, step.change.outcome(seen)),
        (Standing::AtFrom(_), false) if run.steps[i] != StepState::Started => begin(run, i),
        (Standing::AtFrom(_), false)
            if put_back(run, i, seen).is_some_and(|write| run.is_taken_since(write)) =>
        {
            let write = put_back(run, i, seen).unwrap_or(i);
            match hindered(run, write, seen) {
                Some((why, _)) => Decision::Pause(i, refrained(run, step, &why)),
                None => begin(run, write),
            }
        }
        (Standing::AtFrom(text), false) => {
            let until = deadline(run, i, now);
            if now < until {
                // The step itself says what of the database is waited for.
                let text = match &step.about {
                    About::Database => text,
                    about => format!("{about}: {text}"),
                };
                let until = step.change.due(seen).map_or(until, |due| due.min(until));
                return Decision::Wait { until: Some(until), text };
            }
            let within = step.within;
            let missing = step.change.missing(seen);
            let lead = match &step.about {
                About::Database => lead(run, step),
                about => format!("{about}: "),
            };
            let again = match put_back(run, i, seen) {
                Some(_) => ": it was put back; resuming the run writes it again",
                None => "",
            };
            let why = format!("{lead}{text} after {within} s{missing}{again}");
            // What can happen once may still be under way.
            if step.change.once() { Decision::Pause(i, why) } else { fail(run, i, why) }
        }
    }
}

/// The write that a wait for a backend's rows is for, where the rows are again what they were before it: the monitor has
/// made deleted ones live again, or the proxy has come back from its disk.
fn put_back(run: &Run, i: usize, seen: &Snapshot) -> Option<usize> {
    let steps = &run.plan().steps;
    let Change::Holds(Holds { proxy, address, rows, .. }) = &steps[i].change else { return None };
    let write = steps[..i].iter().rposition(|step| match &step.change {
        Change::Servers(Servers { proxy: p, address: a, from, to }) => {
            (p, a) == (proxy, address) && to == rows && from != to
        }
        _ => false,
    })?;
    let back = matches!(steps[write].change.stands(seen), Standing::AtFrom(_));
    (back && matches!(run.steps[write], StepState::Done(_))).then_some(write)
}

/// What stands in the way of writing a step now: its guards, and what its kind says itself; and how many seconds that is
/// waited for.
fn hindered(run: &Run, i: usize, seen: &Snapshot) -> Option<(String, u32)> {
    let step = &run.plan().steps[i];
    let mut guards = step.guards.iter().filter_map(|guard| Some((guard.stops(seen)?, guard.waits())));
    // What is not waited for counts first.
    let first = guards.by_ref().min_by_key(|(_, waits)| *waits);
    first.or_else(|| step.change.hindrance(&run.plan().steps[i + 1..], seen).map(|why| (why, 0)))
}

/// Until when what stands in the way of a write is waited for: its time runs from the last thing that happened.
fn patience(run: &Run, waits: u32) -> Option<Timestamp> {
    let since = run.last_at().filter(|_| waits > 0)?;
    since.checked_add(SignedDuration::from_secs(waits.into())).ok()
}

/// Why a step was not written; whether anything was before it stands in the journal.
fn refrained(run: &Run, step: &Step, why: &str) -> String {
    let rest = if run.entries.iter().any(|e| matches!(e.event, Event::Started { .. })) {
        ""
    } else {
        "; nothing was written"
    };
    format!("{}{why}{rest}", lead(run, step))
}

/// Begins a step, unless it was begun again and again without an end.
fn begin(run: &Run, i: usize) -> Decision {
    let since = run.entries.iter().rev().take_while(|e| e.event != Event::Taken);
    let begun = since.filter(|e| e.event == Event::Started { step: i }).count();
    if begun < BEGUN {
        return Decision::Perform(i);
    }
    let words = run.plan().words(&run.plan().steps[i].change);
    Decision::Pause(i, format!("{words} was begun {begun} times without an end"))
}

/// The way out: what is borrowed is taken back, in the order of the plan, then the run pauses or is over. Whether it
/// still stands is not asked of the snapshot, which may be older than the last write: the write itself looks.
fn leave(run: &Run, leaving: &Leaving, seen: &Snapshot, now: Timestamp, facts: &Facts) -> Decision {
    let pauses = matches!(leaving, Leaving::Pause(..));
    // Who only pauses leaves standing what a run that goes through would leave.
    let back = |i: &usize| !(pauses && run.plan().steps[*i].way_out);
    if let Some(step) = run.borrowed().find(back) {
        return Decision::TakeBack(step);
    }
    if let Some(i) = run.unconfirmed().filter(|_| !pauses) {
        return confirm(run, i, seen, now, facts);
    }
    match leaving {
        Leaving::Pause(step, why) => Decision::Pause(*step, why.clone()),
        Leaving::GiveUp(why) => Decision::Finish(Outcome::Failed, super::tell::failure(run, why)),
    }
}

/// Waits on the way out until what was taken back has come about. Where it does not, the run stays open.
fn confirm(run: &Run, i: usize, seen: &Snapshot, now: Timestamp, facts: &Facts) -> Decision {
    if let Some(why) = &facts.pause {
        return Decision::Pause(i, why.clone());
    }
    let change = &run.plan().steps[i].change;
    if let Some(text) = unproven(change, seen, &facts.marks, now) {
        return Decision::Wait { until: again(change, now), text };
    }
    match change.stands(seen) {
        Standing::AtTo => Decision::Done(i, change.outcome(seen)),
        Standing::AtFrom(_) if run.steps[i] != StepState::Started => Decision::Perform(i),
        Standing::AtFrom(text) => {
            let until = deadline(run, i, now);
            match now < until {
                true => Decision::Wait { until: Some(until), text },
                false => {
                    let within = run.plan().steps[i].within;
                    Decision::Pause(i, format!("{text} after {within} s{}", change.missing(seen)))
                }
            }
        }
        Standing::Elsewhere(why) | Standing::Gone(why) | Standing::Failed(why) | Standing::Unknown(why) => {
            Decision::Pause(i, why)
        }
    }
}

/// When to look again at what has not come back: a Job that was deleted never does, and then that is told.
fn again(change: &Change, now: Timestamp) -> Option<Timestamp> {
    let job = matches!(change.object(), Object::Job(_));
    job.then(|| now.saturating_add(LAG).unwrap_or(now))
}

/// A step has ended badly by itself: what then becomes of the run was approved with the plan. A run that has nothing
/// left to take back stays open, for an operator to see.
fn fail(run: &Run, i: usize, why: String) -> Decision {
    match run.plan().on_failure {
        OnFailure::Restore if run.borrowed().next().is_some() => Decision::Fail(i, why),
        OnFailure::Restore | OnFailure::Pause | OnFailure::Hold => Decision::Pause(i, why),
    }
}

/// What a sentence about the database is about: alone it would not say.
fn lead(run: &Run, step: &Step) -> String {
    match step.about {
        About::Database => format!("{}: ", run.plan().words(&step.change)),
        About::Tenant(_) | About::Node(_) => String::new(),
    }
}

/// Until when a wait may last: its time runs from its begin, or from when a session took the run up again.
pub(super) fn deadline(run: &Run, i: usize, now: Timestamp) -> Timestamp {
    let begins = |e: &&super::Entry| e.event == Event::Taken || e.event == Event::Started { step: i };
    let began = run.entries.iter().rev().find(begins).map_or(now, |e| e.at);
    let step = &run.plan().steps[i];
    // A write has no time of its own: this is how long its endpoint may not be seen.
    let within = if step.change.is_write() { step.within.max(UNSEEN) } else { step.within };
    let within = SignedDuration::from_secs(within.into());
    began.checked_add(within).unwrap_or(Timestamp::MAX)
}

/// The parts of the plan whose outcome was not compared yet.
fn unverified(run: &Run) -> impl Iterator<Item = About> {
    run.plan().parts().map(|part| part.about()).filter(|about| run.verified(about).is_none())
}

/// All steps are through: the parts are compared with the prediction, then it is over.
fn conclude(run: &Run, seen: &Snapshot, now: Timestamp) -> Decision {
    if let Some(about) = unverified(run).next() {
        return match about {
            About::Tenant(_) | About::Node(_) if !seen.pods.freshness.is_live() => {
                Decision::Wait { until: None, text: "pods are not followed at present".into() }
            }
            about => verify(run, about, seen, now),
        };
    }
    Decision::Finish(Outcome::Done, super::tell::ending(run))
}

/// Compares a part with its prediction. What was written to a node is not waited for by a step: for a moment it may not
/// have come back yet.
fn verify(run: &Run, about: About, seen: &Snapshot, now: Timestamp) -> Decision {
    let node = run.plan().parts().find(|part| part.about() == about && matches!(about, About::Node(_)));
    let written = run.entries.last().map(|entry| entry.at.saturating_add(LAG).unwrap_or(entry.at));
    match (node, written) {
        (Some(part), Some(until)) if now < until && !part.verify(seen).0 => Decision::Wait {
            until: Some(until),
            text: format!("{about}: what was written has not come back yet"),
        },
        _ => Decision::Verify(about),
    }
}

#[cfg(test)]
mod tests;
