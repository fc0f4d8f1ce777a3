//! How the items of a campaign ended: when, after how long, and why those did that did not come through. Pure.

use jiff::Timestamp;

use crate::{
    run::campaign::{Campaign, Event, ItemState},
    ui::format,
};

/// How an item ended.
#[derive(Debug, PartialEq)]
pub(super) struct Ended {
    /// It is done.
    pub done: bool,
    /// When.
    pub at: Option<Timestamp>,
    /// Why, where that is known.
    pub why: Option<String>,
    /// When, and why or after how long: `failed 03:12: worker-3 is not ready`.
    pub text: String,
    /// The same in few words: `failed 03:12`.
    pub brief: String,
}

/// How an item ended; `None`: it waits, or is under way.
pub(super) fn ended(campaign: &Campaign, item: usize) -> Option<Ended> {
    let at = campaign.entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Done { item: of, .. }
        | Event::Failed { item: of, .. }
        | Event::Skipped { item: of, .. }
        | Event::Held { item: of, .. }
            if *of == item =>
        {
            Some(entry.at)
        }
        _ => None,
    });
    let clock = |at: Timestamp| at.strftime("%H:%M").to_string();
    let short = |why: &str, word: &str| {
        let brief = at.map_or(word.to_owned(), |at| format!("{word} {}", clock(at)));
        Some(Ended { done: false, at, text: format!("{brief}: {why}"), brief, why: Some(why.to_owned()) })
    };
    match campaign.states.get(item)? {
        ItemState::Done(_) => {
            let took = took(campaign, item).map(|took| format!(", took {}", format::span(took)));
            let text = format!("done {}{}", at?.strftime("%H:%M:%S"), took.unwrap_or_default());
            Some(Ended { done: true, at, why: None, text, brief: format!("done {}", clock(at?)) })
        }
        ItemState::Failed(why) => short(why, "failed"),
        ItemState::Skipped(why) => short(why, "left out"),
        ItemState::Held(_, why) => short(why, "held"),
        ItemState::Waiting if campaign.state.is_over() => {
            let over = campaign.entries.iter().rev().find_map(|entry| match &entry.event {
                Event::Finished { .. } => Some(format!(": the campaign ended {}", clock(entry.at))),
                _ => None,
            });
            let text = format!("not begun{}", over.unwrap_or_default());
            Some(Ended { done: false, at: None, why: None, text, brief: "not begun".into() })
        }
        ItemState::Waiting | ItemState::Running(_) | ItemState::Replaced => None,
    }
}

/// When the last run of an item began.
pub(super) fn began(campaign: &Campaign, item: usize) -> Option<Timestamp> {
    campaign.entries.iter().rev().find_map(|e| match &e.event {
        Event::Began { item: at, .. } if *at == item => Some(e.at),
        _ => None,
    })
}

/// Seconds an item that is done took.
pub(super) fn took(campaign: &Campaign, item: usize) -> Option<i64> {
    let ended = campaign.entries.iter().rev().find_map(|e| match &e.event {
        Event::Done { item: at, .. } if *at == item => Some(e.at),
        _ => None,
    })?;
    let began = began(campaign, item)?;
    // What it stood still for is no part of it.
    let (mut still, mut since) = (0, None);
    for entry in campaign.entries.iter().filter(|e| e.at >= began && e.at <= ended) {
        match entry.event {
            Event::Paused { .. } => since = Some(entry.at),
            Event::Taken => still += since.take().map_or(0, |at| entry.at.as_second() - at.as_second()),
            _ => {}
        }
    }
    Some(ended.as_second() - began.as_second() - still)
}
