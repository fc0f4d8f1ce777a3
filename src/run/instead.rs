//! What is better done by taking a run back.

use super::{Run, RunState, undo_intent};
use crate::{
    cluster::Snapshot,
    plan::{DatabaseAct, Intent, plan},
};

/// To bring back a member that a run took out, undoing that run is better than rows like another's: it knows what they
/// were. The newest such run and the undo of it, where there is one and it can be undone on what is seen.
pub fn instead<'a>(
    seen: &Snapshot,
    runs: impl IntoIterator<Item = &'a Run>,
    intent: &Intent,
) -> Option<(String, Intent)> {
    let Intent::Database { act: DatabaseAct::BringBack { member, like: None } } = intent else { return None };
    let took_out = |run: &&Run| {
        let wanted = &run.plan().intent;
        matches!(wanted, Intent::Database { act: DatabaseAct::TakeOut { member: out } } if out == member)
    };
    let newest = runs.into_iter().filter(took_out).max_by(|a, b| a.id.cmp(&b.id));
    let run = newest.filter(|run| run.state != RunState::Undone)?;
    let undo = undo_intent(run)?;
    let planned = plan(seen, &undo);
    let can = !planned.steps.is_empty() && planned.refusals().next().is_none();
    can.then(|| (run.short().to_owned(), undo))
}
