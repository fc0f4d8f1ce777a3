//! A campaign's entries and items in words. Pure.

use std::ptr;

use super::{Campaign, Event, event::is_of_tenant};
use crate::{
    cluster::{NodeName, words::short_run},
    plan::{Intent, Means},
};

/// One of its entries in a sentence.
pub fn describe(campaign: &Campaign, event: &Event) -> String {
    let (all, words) = (campaign.items.len(), |item: &usize| campaign.words(*item));
    match event {
        Event::Taken if campaign.entries.first().is_some_and(|first| ptr::eq(&first.event, event)) => {
            format!("▸ campaign {} began: {}", campaign.id, campaign.goal)
        }
        Event::Taken => format!("▸ campaign {} was taken up again", campaign.id),
        Event::Began { item, .. } => format!("▸ {} of {all}: {}", item + 1, words(item)),
        Event::Resumed { item } => format!("▸ {} of {all}: {} is gone on with", item + 1, words(item)),
        Event::Done { item, .. } => format!("✓ {} of {all}: {}", item + 1, words(item)),
        Event::Skipped { item, why } if is_of_tenant(&campaign.items[*item]) => {
            format!("– {} of {all}: {} is left out: {why}", item + 1, words(item))
        }
        Event::Held { item, why } => format!("▲ {} of {all}: {} is held: {why}", item + 1, words(item)),
        Event::Skipped { item, why } => format!("✓ {} of {all}: not needed, {why}", item + 1),
        Event::Failed { item, why } => format!("✖ {} of {all}: {}: {why}", item + 1, words(item)),
        Event::Retried { item } => format!("▸ {} of {all}: {} is tried again", item + 1, words(item)),
        Event::Retargeted { item, to, why } => format!("▲ {} of {all} goes to {to}: {why}", item + 1),
        Event::Revised { items, .. } => {
            format!("▸ another plan of {} items took the place of the rest", items.len())
        }
        Event::Stopping => "▲ it ends once what is under way is through".into(),
        Event::Paused { why, asked: true, .. } => format!("▲ {why}"),
        Event::Paused { why, .. } => format!("▲ paused: {why}"),
        Event::Declined { wish, why } => format!("▲ {wish}: {why}"),
        Event::Finished { whole: true, text } => format!("✓ done: {text}"),
        Event::Finished { whole: false, text } => format!("▲ stopped: {text}"),
        Event::Undone { by_campaign } => format!("✓ taken back by campaign {by_campaign}"),
    }
}

/// An item in a few words.
pub fn words(item: &Intent) -> String {
    match item {
        Intent::Move { moved } => {
            let to = moved.to.as_ref().map_or("no node", NodeName::as_str);
            match (moved.means, &moved.tenant) {
                (Means::Eviction, None) => format!("evict {} from {}", moved.pod, moved.from),
                _ => format!("{} {} → {to}", moved.pod.name, moved.from),
            }
        }
        Intent::Cordon { node, cordoned: true } => format!("cordon {node}"),
        Intent::Cordon { node, cordoned: false } => format!("uncordon {node}"),
        Intent::Restart { tenant } => format!("restart {tenant}"),
        Intent::Migrate { migration } => format!("migrate {}", migration.tenant),
        Intent::Rollback { rollback } => {
            format!("rollback {} to revision {}", rollback.tenant, rollback.to.number)
        }
        Intent::Release { release } => format!("release {} to {}", release.image, release.tenant),
        Intent::Undo { run, .. } => format!("undo {}", short_run(run)),
        Intent::Scale { targets } => {
            let each = targets.iter().map(|t| format!("{} to {}", t.tenant, t.to));
            format!("scale {}", each.collect::<Vec<_>>().join(", "))
        }
        Intent::DeletePod { pod } => format!("delete {pod}"),
        Intent::Database { .. } => "an act on the database".into(),
    }
}
