//! A campaign as JSON: the form that `wheelhouse help json` tells of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::run_json::HolderJson;
use crate::{
    plan::Intent,
    run::{
        Shown,
        campaign::{Asked, CampaignSeen, Counts, Entry, ItemState},
    },
};

/// A campaign as JSON.
#[derive(Serialize)]
pub(super) struct CampaignJson {
    pub(super) id: String,
    /// As it is called everywhere: one that nobody drives is `interrupted`.
    pub(super) state: Shown,
    pub(super) operator: String,
    /// When it began.
    pub(super) started: Option<Timestamp>,
    /// When anything last happened.
    updated: Option<Timestamp>,
    /// What it is for, in a few words.
    pub(super) goal: String,
    reason: Option<String>,
    items: Vec<ItemJson>,
    pub(super) counts: Counts,
    /// Seconds that what is left takes, by what is done; `null`: not known, it stands still or is over.
    seconds_left: Option<i64>,
    /// So many items at the same time.
    parallel: u32,
    /// What was wished of it and is not answered yet.
    wishes: Vec<Asked>,
    entries: Vec<Entry>,
    /// `cluster`, or `local`: on this machine only.
    journal: &'static str,
    /// Who drives it.
    pub(super) holder: Option<HolderJson>,
    /// Why it is not known who drives it; `null`: it is known.
    holder_unknown: Option<String>,
    /// Why it stands still, or how it ended.
    pub(super) last_word: Option<String>,
}

#[derive(Serialize)]
struct ItemJson {
    /// As `campaigns skip --item` and `retry --item` take it; `null`: another plan took its place.
    number: Option<usize>,
    /// In a few words.
    what: String,
    tenant: Option<String>,
    /// Its run; `null`: it was not begun, or failed.
    run: Option<String>,
    state: &'static str,
    /// Why it failed or is not needed; of one that is done, what did not come out as predicted.
    why: Option<String>,
    intent: Intent,
}

impl CampaignJson {
    /// It in a line, with the command that goes on with it where nobody drives it.
    pub(super) fn summary(&self, again: &str) -> String {
        let Self { id, operator, state, goal, counts, .. } = self;
        let on = match state {
            Shown::Interrupted | Shown::Paused(_) => {
                format!("; `{again} campaigns resume {id}` goes on with it")
            }
            _ => String::new(),
        };
        format!(
            "campaign {id} of {operator} {}: {goal}, {} of {} done{on}",
            state.phrase(),
            counts.done,
            counts.all
        )
    }

    pub(super) fn of(seen: &CampaignSeen) -> Self {
        let it = &seen.campaign;
        let unpredicted: BTreeMap<_, _> = it.unpredicted().collect();
        let item = |(at, state): (usize, &ItemState)| {
            let (state, run, why) = match state {
                ItemState::Waiting => ("waiting", None, None),
                ItemState::Running(run) => ("running", Some(run), None),
                ItemState::Done(run) => ("done", Some(run), None),
                ItemState::Skipped(why) => ("skipped", None, Some(why)),
                ItemState::Failed(why) => ("failed", None, Some(why)),
                ItemState::Held(run, why) => ("held", Some(run), Some(why)),
                ItemState::Replaced => ("replaced", None, None),
            };
            let about = it.about(at);
            ItemJson {
                number: it.number(at),
                what: it.words(at),
                tenant: about.and_then(|about| about.tenant().map(ToString::to_string)),
                run: run.cloned(),
                state,
                why: why.cloned().or_else(|| unpredicted.get(&at).map(|why| (*why).to_owned())),
                intent: it.items[at].clone(),
            }
        };
        Self {
            id: it.id.clone(),
            state: seen.shown(),
            operator: it.operator.clone(),
            started: it.began(),
            updated: it.last_at(),
            goal: it.goal.clone(),
            reason: it.reason.clone(),
            items: it.states.iter().enumerate().map(item).collect(),
            counts: it.counts(),
            seconds_left: it.time_left().filter(|_| !seen.wants_an_operator()).map(|left| left.as_secs()),
            parallel: it.pace.parallel,
            wishes: it.unheard().to_vec(),
            entries: it.entries.clone(),
            journal: if it.local { "local" } else { "cluster" },
            holder: seen.holder.as_ref().map(HolderJson::of),
            holder_unknown: seen.unknown.clone(),
            last_word: it.last_word().map(str::to_owned),
        }
    }
}
