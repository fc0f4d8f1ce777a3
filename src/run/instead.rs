//! What is better done by taking a run back.

use super::{Run, RunSeen, RunState, undo_intent};
use crate::{
    cluster::Snapshot,
    plan::{DatabaseAct, Intent, Plan, plan},
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

/// Those of the runs whose undo may be better than what is asked for.
pub fn among(runs: &[RunSeen], intent: &Intent) -> Vec<Run> {
    let Intent::Database { act: DatabaseAct::BringBack { .. } } = intent else { return Vec::new() };
    runs.iter().map(|known| known.run.clone()).collect()
}

/// The plan of what is asked for, or of what is better than that.
pub fn planned(seen: &Snapshot, runs: &[Run], intent: &Intent) -> Plan {
    match instead(seen, runs, intent) {
        Some((_, undo)) => plan(seen, &undo),
        None => plan(seen, intent),
    }
}
