//! When predictions are made: once for what they rest on, at most once a second, and never on the event loop.

use jiff::{SignedDuration, Timestamp};

use super::{App, Effect, OnScreen};
use crate::{plan::whatif, run, ui::Outlook};

/// While the cluster changes all the time, it is predicted again this often.
const PACE: SignedDuration = SignedDuration::from_secs(1);

/// What is under way.
#[derive(Default)]
pub(super) struct Foresight {
    /// A prediction is being made.
    busy: bool,
    /// When it was last asked for.
    asked: Option<Timestamp>,
    /// When the next one may be asked for, if one is wanted.
    pub(super) due: Option<Timestamp>,
}

/// Asks for a prediction, if the last one no longer holds or does not answer what the place in front asks.
pub(super) fn ask(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    app.foresight.due = None;
    if app.foresight.busy || !app.world.seen.is_ready() {
        return;
    }
    let question = &app.wanted.question;
    let outlook = app.world.outlook.as_ref();
    let answered = question.is_none() || outlook.is_some_and(|o| o.question == *question);
    if answered {
        if outlook.is_some_and(|o| o.holds(&app.world.seen)) {
            return;
        }
        let next = app.foresight.asked.and_then(|at| at.checked_add(PACE).ok());
        // A recording stands still where nobody moves in it.
        if let Some(at) = next.filter(|at| *at > now && app.world.replay.is_none()) {
            app.foresight.due = Some(at);
            return;
        }
    }
    app.foresight.busy = true;
    app.foresight.asked = Some(now);
    effects.push(Effect::Foresee(OnScreen(app.world.seen.clone()), question.clone()));
}

/// Takes a prediction in. In a recording one may have moved on meanwhile: that of another moment is none of this one.
pub(super) fn foreseen(app: &mut App, outlook: Outlook, now: Timestamp) {
    app.foresight.busy = false;
    if app.world.replay.is_some() && !outlook.holds(&app.world.seen) {
        return;
    }
    app.world.outlook = Some(outlook);
    judge(app);
    app.refresh(now);
}

/// Puts together what the judge says and what is predicted.
pub(super) fn judge(app: &mut App) {
    let ranking = app.world.outlook.as_ref().map_or(&[][..], |o| &o.ranking);
    let world = &app.world;
    let found = world.judgement.findings.clone();
    let elsewhere = whatif::findings(ranking);
    app.world.findings = run::told(found, &world.seen, &world.runs, &world.unreadable, elsewhere);
}
