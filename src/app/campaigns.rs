//! Campaigns in the cockpit: what a session that drives one reports, and what is asked of them.

use jiff::Timestamp;

use super::{App, Effect, known, schemes};
use crate::{
    cluster::Severity,
    run::campaign::{Campaign, CampaignSeen, CampaignState, Wish},
    ui::{
        Overlay, Place, Wanted,
        command::{self, Command},
        overlays::Ask,
    },
};

/// Takes in news of a campaign this session drives.
pub(super) fn reported(app: &mut App, campaign: Campaign, now: Timestamp) {
    let was = app.campaigns.get(&campaign.id).map(|known| known.state);
    let (id, state, short) = (campaign.id.clone(), campaign.state, campaign.short().to_owned());
    let said = campaign.last_word().unwrap_or_default().to_owned();
    let done = id.clone();
    let paused =
        campaign.paused_by().map_or_else(|| format!("paused: {said}"), |who| format!("paused by {who}"));
    app.campaigns.insert(id.clone(), campaign);
    known::gather(app);
    if was.is_none() && app.starting {
        app.starting = false;
        app.notice = None;
        // It moves the rows of many: afterwards the worst are in sight, not the one it was asked from.
        app.views.roots.iter_mut().for_each(|root| root.let_go());
        app.views.go(&Place::Campaign(id));
    }
    if was.is_some_and(|was| was != state) {
        match state {
            CampaignState::Done => {
                let undone = find(app, &done).is_some_and(|known| known.undo(&app.world.seen).is_ok());
                let back = format!(": {} takes it back", command::sign(Command::Undo));
                let text = format!("campaign {short} is done{}", if undone { back.as_str() } else { "" });
                app.say(Severity::Notice, text, now);
            }
            CampaignState::Stopped => {
                app.say(Severity::Warning, format!("campaign {short} stopped: {said}"), now);
            }
            CampaignState::Paused => {
                app.say(Severity::Warning, format!("campaign {short} is {paused}"), now);
            }
            _ => {}
        }
    }
    app.refresh(now);
}

fn find<'a>(app: &'a App, id: &str) -> Option<&'a CampaignSeen> {
    app.world.campaigns.iter().find(|known| known.campaign.id == id)
}

/// Asks something of a campaign, whoever drives it.
pub(super) fn wish(app: &mut App, id: &str, wish: Wish, now: Timestamp, effects: &mut Vec<Effect>) {
    if app.world.who.read_only {
        return app.say(Severity::Warning, "read-only: nothing can be asked of it", now);
    }
    let Some(known) = find(app, id) else { return };
    let text = match (&wish, known.ours) {
        (Wish::Pause, _) => "it pauses; what is under way puts back what it borrowed".to_owned(),
        (Wish::Stop, _) => "it stops once what is under way is through".to_owned(),
        (wish, _) => format!("asked: {wish}"),
    };
    effects.push(Effect::Wish(Box::new(known.campaign.clone()), wish));
    app.say(Severity::Notice, text, now);
}

/// Goes on with a campaign: asks first, or shows what is left where that was not agreed to.
pub(super) fn go_on(app: &mut App, id: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    if app.world.who.read_only {
        return app.say(Severity::Warning, "read-only: nothing can be resumed", now);
    }
    let Some(known) = find(app, id) else { return };
    let campaign = known.campaign.clone();
    if campaign.beyond().is_some() {
        return schemes::review(app, Wanted::Rest(Box::new(campaign)), now, effects);
    }
    let counts = campaign.counts();
    let text = format!(
        "{}. {} of {} are done; each that is left is planned on what is seen then, within what was agreed to.",
        campaign.goal, counts.done, counts.all
    );
    app.overlay = Some(Overlay::Ask(Ask::GoOn { campaign: campaign.id, text }));
}

/// Shows what takes a campaign back.
pub(super) fn undo(app: &mut App, id: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    let Some(known) = find(app, id) else { return };
    let campaign = Box::new(known.campaign.clone());
    schemes::review(app, Wanted::Back(campaign), now, effects);
}

/// The answer to the question was yes.
pub(super) fn answered(app: &mut App, id: &str, why: Option<String>, effects: &mut Vec<Effect>) {
    let Some(campaign) = find(app, id).map(|known| Box::new(known.campaign.clone())) else { return };
    app.views.go(&Place::Campaign(campaign.id.clone()));
    effects.push(match why {
        Some(why) => Effect::GiveUpCampaign(campaign, why),
        None => Effect::GoOn(campaign, None),
    });
}
