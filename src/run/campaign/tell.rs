//! A campaign's entries and items in words. Pure.

use std::ptr;

use super::{Campaign, Event};
use crate::{
    cluster::{
        NodeName,
        words::{count, short_run},
    },
    plan::{Intent, Means},
};

/// One of its entries in a sentence, its sign before it.
pub fn describe(campaign: &Campaign, event: &Event) -> String {
    let (sign, text) = entry(campaign, event);
    format!("{sign} {text}")
}

/// One of its entries: its sign, and the sentence.
pub fn entry(campaign: &Campaign, event: &Event) -> (&'static str, String) {
    let words = |item: &usize| campaign.words(*item);
    // Of one whose place another plan took, no number is left.
    let at = |item: &usize| {
        let all = || campaign.counted().count();
        campaign.number(*item).map_or_else(String::new, |n| format!("{n} of {}: ", all()))
    };
    match event {
        Event::Taken if campaign.entries.first().is_some_and(|first| ptr::eq(&first.event, event)) => {
            ("▸", format!("campaign {} began: {}", campaign.id, campaign.goal))
        }
        Event::Taken => ("▸", format!("campaign {} was taken up again", campaign.id)),
        Event::Began { item, .. } => ("▸", format!("{}{}", at(item), words(item))),
        Event::Resumed { item } => ("▸", format!("{}{} is gone on with", at(item), words(item))),
        Event::Done { item, unpredicted: Some(why), .. } => {
            ("▲", format!("{}{} is done, not as predicted: {why}", at(item), words(item)))
        }
        Event::Done { item, .. } => ("✓", format!("{}{}", at(item), words(item))),
        Event::Skipped { item, why } => ("–", format!("{}{} is left out: {why}", at(item), words(item))),
        Event::Held { item, why } => ("▲", format!("{}{} is held: {why}", at(item), words(item))),
        Event::Failed { item, why } => ("✖", format!("{}{}: {why}", at(item), words(item))),
        Event::Retried { item } => ("▸", format!("{}{} is tried again", at(item), words(item))),
        Event::Retargeted { item, to, why } => ("▲", format!("{}it goes to {to}: {why}", at(item))),
        Event::Revised { items, .. } => {
            ("▸", format!("what was left is planned again: {}", count(items.len(), "item")))
        }
        Event::Stopping => ("▲", "it ends once what is under way is through".into()),
        Event::Paused { why, asked: true, .. } => ("▲", why.clone()),
        Event::Paused { why, .. } => ("▲", format!("paused: {why}")),
        Event::Declined { wish, why } => ("▲", format!("{wish}: {why}")),
        Event::Finished { whole: true, text } => ("✓", format!("done: {text}")),
        Event::Finished { whole: false, text } => ("▲", format!("stopped: {text}")),
        Event::Undone { by_campaign } => ("✓", format!("taken back by campaign {by_campaign}")),
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
        Intent::Resize { limits } => format!("resize {}", limits.tenant),
        Intent::Database { .. } => "an act on the database".into(),
    }
}
