//! The runs and the campaigns that are known: those of the cluster, of this machine and of this session, as one list each.

use super::{App, past};
use crate::run::{
    Run, RunSeen, RunState,
    campaign::{Campaign, CampaignSeen, CampaignState},
};

/// Puts the journals and the runs of this session together: unfinished first, then the newest.
pub(super) fn gather(app: &mut App) {
    let (known, unreadable) = app.decoded.read(&app.world.seen);
    app.world.unreadable = unreadable;
    campaigns(app);
    // What a campaign of this session has under way is known before its journal is seen.
    let under_way = || app.campaigns.values().flat_map(|campaign| &campaign.under_way);
    let local = app.local.iter().map(|run| RunSeen::of(run.clone()));
    let mut all: Vec<RunSeen> = known
        .into_iter()
        .chain(local)
        .filter(|k| !app.driven.contains_key(&k.run.id))
        .filter(|k| under_way().all(|run| run.id != k.run.id))
        .collect();
    let ours = |run: &Run| RunSeen {
        ours: !run.state.is_over() && run.state != RunState::Paused,
        ..RunSeen::of(run.clone())
    };
    all.extend(app.driven.values().chain(under_way()).map(ours));
    all.sort_by(|a, b| {
        a.run.state.is_over().cmp(&b.run.state.is_over()).then_with(|| b.run.id.cmp(&a.run.id))
    });
    app.world.runs = all;
    past::gather(app);
}

/// Puts the journals and the campaigns of this session together: unfinished first, then the newest.
fn campaigns(app: &mut App) {
    let (known, unreadable) = app.decoded_campaigns.read(&app.world.seen);
    app.world.unreadable.extend(unreadable);
    let local = app.local_campaigns.iter().map(|campaign| CampaignSeen::of(campaign.clone()));
    let (of_us, mut all): (Vec<_>, Vec<_>) =
        known.into_iter().chain(local).partition(|known| app.campaigns.contains_key(&known.campaign.id));
    let standing = |campaign: &Campaign| campaign.state.is_over() || campaign.state == CampaignState::Paused;
    for campaign in app.campaigns.values() {
        let ours = !standing(campaign);
        // One that this session left, and another goes on with, is told by its journal.
        let later = |known: &&CampaignSeen| {
            !ours && known.campaign.id == campaign.id && known.campaign.entries.len() > campaign.entries.len()
        };
        let known = of_us.iter().find(later).cloned();
        all.push(known.unwrap_or_else(|| CampaignSeen { ours, ..CampaignSeen::of(campaign.clone()) }));
    }
    all.sort_by(|a, b| {
        let over = |known: &CampaignSeen| known.campaign.state.is_over();
        over(a).cmp(&over(b)).then_with(|| b.campaign.id.cmp(&a.campaign.id))
    });
    app.world.campaigns = all;
}
