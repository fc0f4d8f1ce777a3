//! What follows once a question was answered by yes.

use jiff::Timestamp;

use super::{App, Effect, campaigns, unlock};
use crate::{
    run::RunState,
    ui::{Place, overlays::Ask},
};

/// Why a run was closed that was aborted by a key.
pub(super) const ABORTED: &str = "aborted";

/// The answer to a question was yes.
pub(super) fn answered(app: &mut App, ask: Ask, now: Timestamp, effects: &mut Vec<Effect>) {
    match ask {
        Ask::Unlock { seconds, .. } => unlock::unlock(app, seconds, now, effects),
        Ask::Leave { .. } => app.leaving = true,
        Ask::Resume { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::Resume(Box::new(run)));
            }
        }
        Ask::GoOn { campaign, .. } => campaigns::answered(app, &campaign, None, effects),
        Ask::GiveUp { what: "campaign", run, why, .. } => {
            campaigns::answered(app, &run, Some(why), effects);
        }
        Ask::Succeeded { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::Succeed(Box::new(run)));
            }
        }
        Ask::Abort { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run);
            match found.map(|known| (known.ours, known.run.state == RunState::Paused, known.run.clone())) {
                Some((true, false, run)) => {
                    app.aborting.insert(run.id.clone());
                    effects.push(Effect::PauseRun(run.id));
                }
                Some((_, _, run)) => effects.push(Effect::GiveUp(Box::new(run), ABORTED.into())),
                None => {}
            }
        }
        Ask::GiveUp { run, why, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::GiveUp(Box::new(run), why));
            }
        }
    }
}
