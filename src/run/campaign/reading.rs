//! What can be read off a campaign: how far it is, how fast it goes, what its items are about. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Asked, Campaign, CampaignState, Entry, Event, ItemState, words};
use crate::{
    cluster::NodeName,
    plan::{About, Intent, rebalance::Goal},
};

impl Campaign {
    /// How many items are done, and how many are through in whatever way, of all.
    pub fn counts(&self) -> Counts {
        let of_tenants = self.is_of_tenants();
        let mut counts = Counts { of_tenants, ..Counts::default() };
        for state in &self.states {
            match state {
                ItemState::Waiting => counts.waiting += 1,
                ItemState::Running(_) => counts.running += 1,
                ItemState::Done(_) => counts.done += 1,
                ItemState::Skipped(_) => counts.skipped += 1,
                ItemState::Failed(_) => counts.failed += 1,
                ItemState::Held(..) => counts.held += 1,
                ItemState::Replaced => counts.replaced += 1,
            }
        }
        counts.all = self.items.len() - counts.replaced;
        counts.unpredicted = self.unpredicted().count();
        counts
    }

    /// The items that are done and did not come out as predicted, each with what did not.
    pub fn unpredicted(&self) -> impl Iterator<Item = (usize, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Done { item, unpredicted: Some(why), .. }
                if matches!(self.states[*item], ItemState::Done(_)) =>
            {
                Some((*item, why.as_str()))
            }
            _ => None,
        })
    }

    /// The number of an item among those that count, from 1 on; `None`: another plan took its place.
    pub fn number(&self, item: usize) -> Option<usize> {
        if *self.states.get(item)? == ItemState::Replaced {
            return None;
        }
        let before = self.states[..item].iter().filter(|state| **state != ItemState::Replaced);
        Some(before.count() + 1)
    }

    /// The items that count, in order: those whose place no other plan took.
    pub fn counted(&self) -> impl Iterator<Item = usize> {
        let counts = |(_, state): &(usize, &ItemState)| **state != ItemState::Replaced;
        self.states.iter().enumerate().filter(counts).map(|(item, _)| item)
    }

    /// Failures since an operator last took it up, of items that were not tried again since: those before were seen.
    pub(super) fn failures(&self) -> u32 {
        let since = self.entries.iter().rev().take_while(|e| e.event != Event::Taken);
        let failed: BTreeSet<_> = since
            .filter_map(|e| match e.event {
                Event::Failed { item, .. } | Event::Held { item, .. } => Some(item),
                _ => None,
            })
            .collect();
        let counts = |item: &usize| matches!(self.states[*item], ItemState::Failed(_) | ItemState::Held(..));
        failed.into_iter().filter(counts).count() as u32
    }

    /// An item's run was begun or gone on with since an operator last took the campaign up.
    pub(super) fn is_fresh(&self, item: usize) -> bool {
        let since = self.entries.iter().rev().take_while(|e| e.event != Event::Taken);
        let mut since = since.map(|e| &e.event);
        since.any(|e| matches!(e, Event::Began { item: i, .. } | Event::Resumed { item: i } if *i == item))
    }

    /// The ids of the runs that it has begun.
    pub(super) fn begun(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|e| match &e.event {
            Event::Began { run, .. } => Some(run.as_str()),
            _ => None,
        })
    }

    /// What an item is about: two items of one are never under way together.
    pub fn about(&self, item: usize) -> Option<About> {
        match &self.items[item] {
            Intent::Move { moved } => {
                let node = || About::Node(moved.from.clone());
                Some(moved.tenant.clone().map_or_else(node, About::Tenant))
            }
            Intent::Restart { tenant } => Some(About::Tenant(tenant.clone())),
            Intent::Migrate { migration } => Some(About::Tenant(migration.tenant.clone())),
            Intent::Release { release } => Some(About::Tenant(release.tenant.clone())),
            Intent::Rollback { rollback } => Some(About::Tenant(rollback.tenant.clone())),
            Intent::Cordon { node, .. } => Some(About::Node(node.clone())),
            Intent::Undo { changes, .. } => changes.first().map(|(about, _)| about.clone()),
            Intent::Scale { targets } => targets.first().map(|t| About::Tenant(t.tenant.clone())),
            Intent::Resize { limits } => Some(About::Tenant(limits.tenant.clone())),
            Intent::DeletePod { .. } | Intent::Database { .. } => None,
        }
    }

    /// Its items are whole tenants, each for itself: one that cannot be done is left out, and what the database is busy
    /// with is waited for.
    pub fn is_of_tenants(&self) -> bool {
        self.items.iter().any(is_of_tenant)
    }

    /// The node that it empties or fills.
    pub fn node(&self) -> Option<&NodeName> {
        match &self.aim.as_ref()?.goal {
            Goal::Drain { node } | Goal::Fill { node } => Some(node),
            _ => None,
        }
    }

    /// It spreads tenants over the nodes and evens out memory.
    pub fn rebalances(&self) -> bool {
        matches!(self.aim.as_ref().map(|aim| &aim.goal), Some(Goal::Rebalance { .. }))
    }

    /// What closing it does with what it borrowed.
    pub fn closing(&self) -> &'static str {
        match self.is_of_tenants() {
            true => {
                "what is borrowed is given back; a run that is held, or whose job may be under way, stays open"
            }
            false => "what is borrowed (a new pod, a deletion cost) is taken back",
        }
    }

    /// A pod of an item in whose place another plan was put, which did not have it any more.
    pub(super) fn has_lost(&self, pod: &str) -> bool {
        let of = |at: &usize| match &self.items[*at] {
            Intent::Move { moved } => moved.pod.to_string() == pod,
            _ => false,
        };
        let last = (0..self.items.len()).rev().find(of);
        last.is_some_and(|at| self.states[at] == ItemState::Replaced)
    }

    /// What is not begun yet.
    pub fn left(&self) -> Vec<Intent> {
        let waiting = self.states.iter().zip(&self.items).filter(|(state, _)| **state == ItemState::Waiting);
        waiting.map(|(_, item)| item.clone()).collect()
    }

    /// No other item is under way together with this one.
    pub(super) fn is_alone(&self, item: usize) -> bool {
        matches!(self.items[item], Intent::Cordon { .. })
    }

    /// An item in a few words: `acme-5f6-x worker-1 → worker-3`.
    pub fn words(&self, item: usize) -> String {
        words(&self.items[item])
    }

    /// Who paused it by asking; `None`: it runs, is over, or paused by itself.
    pub fn paused_by(&self) -> Option<&str> {
        match self.entries.last() {
            // It is written down in the name of whoever asked for it, whoever drives it.
            Some(Entry { by, event: Event::Paused { asked: true, .. }, .. })
                if self.state == CampaignState::Paused =>
            {
                Some(by)
            }
            _ => None,
        }
    }

    /// Why it stands still, or how it ended.
    pub fn last_word(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|e| match &e.event {
            Event::Paused { why, .. } => Some(why.as_str()),
            Event::Finished { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The item whose plan was not agreed to and for which it is paused.
    pub fn beyond(&self) -> Option<usize> {
        match self.entries.last()?.event {
            Event::Paused { beyond, .. } if self.state == CampaignState::Paused => beyond,
            _ => None,
        }
    }

    /// When it began.
    pub fn began(&self) -> Option<Timestamp> {
        self.entries.first().map(|e| e.at)
    }

    /// When anything last happened.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.entries.last().map(|e| e.at)
    }

    /// Wishes that are not answered yet.
    pub fn unheard(&self) -> &[Asked] {
        self.asked.get(self.heard..).unwrap_or_default()
    }

    /// How long the items that are done took, on average: from their begin to their end. What is done to a node in a
    /// moment tells nothing of what is done to the pods on it.
    pub fn each(&self) -> Option<SignedDuration> {
        let (mut began, mut total, mut count) = (BTreeMap::new(), SignedDuration::ZERO, 0);
        for entry in &self.entries {
            match entry.event {
                // What it stood still for is no part of how long an item takes.
                Event::Taken => began.clear(),
                Event::Began { item, .. } => {
                    began.insert(item, entry.at);
                }
                Event::Done { item, .. } if !self.is_alone(item) => {
                    if let Some(since) = began.get(&item) {
                        total = total.saturating_add(entry.at.duration_since(*since));
                        count += 1;
                    }
                }
                _ => {}
            }
        }
        (count > 0).then(|| total / count)
    }

    /// Items done an hour, by those that are done: as many at once as its pace allows.
    pub fn an_hour(&self) -> Option<i64> {
        let each = self.each()?.as_secs().max(1);
        Some(3600 * i64::from(self.pace.parallel.max(1)) / each)
    }

    /// The time that what is left takes, by what is done; `None`: nothing is done yet, or it is over.
    pub fn time_left(&self) -> Option<SignedDuration> {
        if self.state.is_over() {
            return None;
        }
        let counts = self.counts();
        let left = i32::try_from(counts.waiting + counts.running).unwrap_or(i32::MAX);
        let at_once = i32::try_from(self.pace.parallel.max(1)).unwrap_or(i32::MAX);
        self.each().map(|each| each.saturating_mul(left) / at_once.min(left.max(1)))
    }
}

/// It is about a whole tenant, and stands for itself.
pub fn is_of_tenant(item: &Intent) -> bool {
    matches!(item, Intent::Migrate { .. } | Intent::Release { .. } | Intent::Restart { .. })
}

/// Items by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All that count: those whose place no other plan took.
    pub all: usize,
    /// Not begun.
    pub waiting: usize,
    /// Under way.
    pub running: usize,
    /// Done.
    pub done: usize,
    /// Done, and not as predicted: a tenant was without a ready pod meanwhile, or its pods are elsewhere. Among `done`.
    pub unpredicted: usize,
    /// Not needed, or skipped.
    pub skipped: usize,
    /// Failed.
    pub failed: usize,
    /// Held by their runs, which want an operator.
    pub held: usize,
    /// Not begun when another plan took their place; not among all.
    pub replaced: usize,
    /// They are whole tenants.
    #[serde(skip)]
    pub of_tenants: bool,
}

impl Counts {
    /// How far it is, in a few words: `7 of 19`, `7 of 19, 1 failed`.
    pub fn words(&self) -> String {
        let mut text = format!("{} of {}{}", self.done, self.all, if self.of_tenants { " done" } else { "" });
        if self.unpredicted > 0 {
            text += &format!(" ({} not as predicted)", self.unpredicted);
        }
        for (n, word) in [(self.skipped, "left out"), (self.failed, "failed"), (self.held, "held")] {
            if n > 0 {
                text += &format!(", {n} {word}");
            }
        }
        text
    }
}
