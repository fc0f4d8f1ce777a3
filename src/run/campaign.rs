//! What is larger than one short run: a goal, its items, how fast, and within which envelope.
//!
//! A campaign does nothing itself. [`next`] says, of what has happened, of the runs and of what is seen now: begin this
//! item, note what became of that one, wait, stop, or finish. Each item is an [`Intent`] that is planned on the
//! **present** snapshot, must lie inside the envelope that was approved, and becomes a run of its own, with its own
//! journal and leases. So nothing is predicted long before it is done, nothing is locked for longer than its own
//! steps, and any cockpit can carry a campaign on: the entry that begins an item names its run before that run exists.
//!
//! Pure: no IO and no clock. Its journal is a ConfigMap that holds 2,000 items (`record`).
//!
//! ```
//! use wheelhouse::{
//!     cluster::sketch,
//!     plan::Intent,
//!     run::campaign::{Campaign, Entry, Envelope, Event, Next, Pace, next},
//! };
//!
//! let now = "2026-11-21T09:00:00Z".parse().unwrap();
//! let seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2\ntenant globex 1 on w1", now).unwrap();
//! let restart = |tenant: &str| Intent::Restart { tenant: tenant.into() };
//! let items = vec![restart("acme"), restart("globex")];
//! let envelope = Envelope::of(&items);
//! let mut campaign =
//!     Campaign::new("20261121-090000-c0de", "alice@bastion", "restart 2 tenants", items, Pace::default(), envelope);
//! campaign.apply(Entry { at: now, by: "alice@bastion".into(), token: 1, event: Event::Taken }).unwrap();
//! assert_eq!(next(&campaign, &[], &seen), Next::Begin(0));
//! ```

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RunSeen, RunState};
use crate::{
    cluster::{NodeName, Snapshot, TenantName},
    plan::{About, Change, Confirmation, Guard, Intent, Means, Plan},
};

pub mod record;

/// How fast a campaign goes, and what stops it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// So many items at the same time, of different tenants.
    pub parallel: u32,
    /// So many items go alone first.
    pub canary: u32,
    /// It stops after so many failures.
    pub stop_after: u32,
    /// What must be so before an item is begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brakes: Vec<Guard>,
}

impl Default for Pace {
    /// One at a time; the first failure stops it, and so does a database in trouble.
    fn default() -> Self {
        Self { parallel: 1, canary: 1, stop_after: 1, brakes: vec![Guard::DatabaseCalm] }
    }
}

/// What the operator has approved: a plan that goes beyond it is not run without a new yes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The tenants whose pods may be touched.
    pub tenants: BTreeSet<TenantName>,
    /// The nodes that pods may come to, or that may be cordoned.
    pub nodes: BTreeSet<NodeName>,
    /// Pods may be evicted, with one ready pod less meanwhile.
    #[serde(default)]
    pub evictions: bool,
    /// What wants a name typed was agreed to.
    #[serde(default)]
    pub grave: bool,
}

impl Envelope {
    /// The envelope that these items need, without anything grave.
    pub fn of(items: &[Intent]) -> Self {
        let mut envelope = Self::default();
        for item in items {
            match item {
                Intent::Move { moved } => {
                    envelope.tenants.extend(moved.tenant.clone());
                    envelope.nodes.extend(moved.to.clone());
                    envelope.evictions |= moved.means == Means::Eviction;
                }
                Intent::Migrate { migration } => {
                    envelope.tenants.insert(migration.tenant.clone());
                }
                Intent::Restart { tenant } => {
                    envelope.tenants.insert(tenant.clone());
                }
                Intent::Scale { targets } => {
                    envelope.tenants.extend(targets.iter().map(|t| t.tenant.clone()));
                }
                Intent::Cordon { node, .. } => {
                    envelope.nodes.insert(node.clone());
                }
                Intent::Undo { changes, .. } => {
                    let tenants = changes.iter().filter_map(|(about, _)| about.tenant().cloned());
                    envelope.tenants.extend(tenants);
                }
                Intent::DeletePod { .. } | Intent::Database { .. } => {}
            }
        }
        envelope
    }

    /// Why a plan goes beyond it; `None`: it lies inside.
    pub fn exceeded(&self, plan: &Plan) -> Option<String> {
        for step in &plan.steps {
            let beyond = match &step.about {
                About::Tenant(tenant) => !self.tenants.contains(tenant),
                About::Node(node) => !self.nodes.contains(node),
                About::Database => true,
            };
            if beyond {
                return Some(format!("{} was not agreed to", step.about));
            }
            match &step.change {
                Change::CreatePod(pod) if !self.nodes.contains(&pod.node) => {
                    return Some(format!("a pod on {} was not agreed to", pod.node));
                }
                Change::Evict(_) if !self.evictions => {
                    return Some("an eviction was not agreed to".into());
                }
                _ => {}
            }
        }
        match plan.confirmation() {
            Confirmation::Type(name) if !self.grave => {
                let grave =
                    plan.all_checks().find(|c| c.grave).map_or(String::new(), |c| format!(": {}", c.text));
                Some(format!("the plan wants `{name}` typed{grave}"))
            }
            _ => None,
        }
    }
}

/// Where an item stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "text", rename_all = "lowercase")]
pub enum ItemState {
    /// Not begun.
    #[default]
    Waiting,
    /// Its run of this id was begun, or was about to be.
    Running(String),
    /// Done by the run of this id.
    Done(String),
    /// Not needed, or skipped: why.
    Skipped(String),
    /// Why it failed.
    Failed(String),
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignState {
    /// Written down, nothing begun.
    Planned,
    /// Under way; whether somebody is at it shows in its lease.
    Running,
    /// Stands still and wants an operator.
    Paused,
    /// Every item is through.
    Done,
    /// Ended before every item was through.
    Stopped,
}

impl CampaignState {
    /// Nobody has to do anything about it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Stopped)
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }
}

/// One line of a campaign's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in the API server's time.
    pub at: Timestamp,
    /// Who: `alice@bastion`.
    pub by: String,
    /// The lease's transition count.
    pub token: i64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen in a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A session took it up: at its start, or to go on.
    Taken,
    /// About to begin an item as a run of this id: it may or may not exist.
    Began {
        /// Index into the items.
        item: usize,
        /// The run.
        run: String,
    },
    /// An item is done.
    Done {
        /// Index into the items.
        item: usize,
    },
    /// An item is not needed, or an operator skipped it.
    Skipped {
        /// Index into the items.
        item: usize,
        /// Why.
        why: String,
    },
    /// An item failed.
    Failed {
        /// Index into the items.
        item: usize,
        /// Why.
        why: String,
    },
    /// An operator wants an item that failed or was skipped to be tried again.
    Retried {
        /// Index into the items.
        item: usize,
    },
    /// No further item is begun; it ends once those under way are through.
    Stopping,
    /// It stands still and wants an operator.
    Paused {
        /// Why.
        why: String,
        /// An operator asked for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        asked: bool,
    },
    /// It is over.
    Finished {
        /// Every item is through.
        whole: bool,
        /// One sentence.
        text: String,
    },
}

/// A campaign: what was approved, and all that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its name, unique in the cluster: `20261121-094512-c0de`.
    pub id: String,
    /// Who started it.
    pub operator: String,
    /// What it is for, in a few words: `drain worker-3`.
    pub goal: String,
    /// What is to be done, in order.
    pub items: Vec<Intent>,
    /// How fast.
    pub pace: Pace,
    /// Within what.
    pub envelope: Envelope,
    /// All that has happened, in order.
    pub entries: Vec<Entry>,
    /// Derived: each item's state.
    pub states: Vec<ItemState>,
    /// Derived: its state.
    pub state: CampaignState,
    /// Derived: no further item is begun.
    pub stopping: bool,
}

impl Campaign {
    /// A campaign of which nothing has happened yet.
    pub fn new(
        id: impl Into<String>,
        operator: impl Into<String>,
        goal: impl Into<String>,
        items: Vec<Intent>,
        pace: Pace,
        envelope: Envelope,
    ) -> Self {
        Self {
            id: id.into(),
            operator: operator.into(),
            goal: goal.into(),
            states: vec![ItemState::Waiting; items.len()],
            items,
            pace,
            envelope,
            entries: Vec::new(),
            state: CampaignState::Planned,
            stopping: false,
        }
    }

    /// Takes one entry in.
    ///
    /// # Errors
    /// An entry that cannot follow on what has happened, in a few words; the campaign is as it was.
    pub fn apply(&mut self, entry: Entry) -> Result<(), String> {
        self.may_follow(&entry.event)?;
        match &entry.event {
            Event::Taken => self.state = CampaignState::Running,
            Event::Began { item, run } => self.states[*item] = ItemState::Running(run.clone()),
            Event::Done { item } => {
                if let ItemState::Running(run) = &self.states[*item] {
                    self.states[*item] = ItemState::Done(run.clone());
                }
            }
            Event::Skipped { item, why } => self.states[*item] = ItemState::Skipped(why.clone()),
            Event::Failed { item, why } => self.states[*item] = ItemState::Failed(why.clone()),
            Event::Retried { item } => self.states[*item] = ItemState::Waiting,
            Event::Stopping => self.stopping = true,
            Event::Paused { .. } => self.state = CampaignState::Paused,
            Event::Finished { whole: true, .. } => self.state = CampaignState::Done,
            Event::Finished { whole: false, .. } => self.state = CampaignState::Stopped,
        }
        self.entries.push(entry);
        Ok(())
    }

    fn may_follow(&self, event: &Event) -> Result<(), String> {
        let item = |item: &usize| {
            let count = self.items.len();
            self.states.get(*item).ok_or_else(|| format!("item {} of {count} is none of its items", item + 1))
        };
        if self.state.is_over() {
            return Err(format!("the campaign is {}", self.state.word()));
        }
        if self.state == CampaignState::Planned && *event != Event::Taken {
            return Err("nobody has taken it up".into());
        }
        match event {
            Event::Began { item: at, .. } => match item(at)? {
                // One that was about to begin when its session died is begun again as the same run.
                ItemState::Waiting | ItemState::Running(_) => Ok(()),
                _ => Err(format!("item {} is through already", at + 1)),
            },
            Event::Done { item: at } => match item(at)? {
                ItemState::Running(_) => Ok(()),
                _ => Err(format!("item {} is not under way", at + 1)),
            },
            Event::Skipped { item: at, .. } | Event::Failed { item: at, .. } => match item(at)? {
                ItemState::Done(_) => Err(format!("item {} is done already", at + 1)),
                _ => Ok(()),
            },
            Event::Retried { item: at } => match item(at)? {
                ItemState::Failed(_) | ItemState::Skipped(_) => Ok(()),
                _ => Err(format!("item {} has not failed", at + 1)),
            },
            Event::Taken | Event::Stopping | Event::Paused { .. } | Event::Finished { .. } => Ok(()),
        }
    }

    /// How many items are done, and how many are through in whatever way, of all.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { all: self.items.len(), ..Counts::default() };
        for state in &self.states {
            match state {
                ItemState::Waiting => counts.waiting += 1,
                ItemState::Running(_) => counts.running += 1,
                ItemState::Done(_) => counts.done += 1,
                ItemState::Skipped(_) => counts.skipped += 1,
                ItemState::Failed(_) => counts.failed += 1,
            }
        }
        counts
    }

    /// Failures since an operator last took it up: those before were seen.
    fn failures(&self) -> u32 {
        let since = self.entries.iter().rev().take_while(|e| e.event != Event::Taken);
        since.filter(|e| matches!(e.event, Event::Failed { .. })).count() as u32
    }

    /// What an item is about: two items of one are never under way together.
    fn about(&self, item: usize) -> Option<About> {
        match &self.items[item] {
            Intent::Move { moved } => moved.tenant.clone().map(About::Tenant),
            Intent::Restart { tenant } => Some(About::Tenant(tenant.clone())),
            Intent::Migrate { migration } => Some(About::Tenant(migration.tenant.clone())),
            Intent::Cordon { node, .. } => Some(About::Node(node.clone())),
            _ => None,
        }
    }
}

/// Items by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Not begun.
    pub waiting: usize,
    /// Under way.
    pub running: usize,
    /// Done.
    pub done: usize,
    /// Not needed, or skipped.
    pub skipped: usize,
    /// Failed.
    pub failed: usize,
}

/// The next move of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Plan this item on the present snapshot, and begin its run.
    Begin(usize),
    /// Write down what became of an item.
    Note(Event),
    /// Nothing to do until something is seen: the text says what for.
    Wait(String),
    /// Stand still and ask an operator: the sentence says why.
    Stop(String),
    /// It is over.
    Finish {
        /// Every item is through.
        whole: bool,
        /// One sentence.
        text: String,
    },
}

/// What to do next: a function of what has happened, of the runs, and of what is seen now.
pub fn next(campaign: &Campaign, runs: &[RunSeen], seen: &Snapshot) -> Next {
    if campaign.state != CampaignState::Running {
        return Next::Wait(format!("the campaign is {}", campaign.state.word()));
    }
    let mut under_way = Vec::new();
    for (item, state) in campaign.states.iter().enumerate() {
        let ItemState::Running(id) = state else { continue };
        match runs.iter().find(|r| r.run.id == *id) {
            // Written down and never begun: its session died in between. It is the same run that is begun.
            None if seen.journals.freshness.is_live() => return Next::Begin(item),
            None => return Next::Wait("journals are not followed at present".into()),
            Some(found) => match found.run.state {
                RunState::Done => return Next::Note(Event::Done { item }),
                RunState::Failed | RunState::Undone => {
                    let why = found.run.last_word().unwrap_or("it was taken back").to_owned();
                    return Next::Note(Event::Failed { item, why });
                }
                RunState::Paused => {
                    let why = found.run.last_word().unwrap_or_default();
                    return Next::Stop(format!("run {} is paused: {why}", found.run.short()));
                }
                RunState::Planned | RunState::Running if found.is_interrupted() => {
                    return Next::Stop(format!(
                        "run {} was interrupted: resume it or give it up",
                        found.run.short()
                    ));
                }
                RunState::Planned | RunState::Running => under_way.push(item),
            },
        }
    }
    let counts = campaign.counts();
    if campaign.failures() >= campaign.pace.stop_after.max(1) {
        let last = campaign.entries.iter().rev().find_map(|e| match &e.event {
            Event::Failed { why, .. } => Some(why.as_str()),
            _ => None,
        });
        return match under_way.is_empty() {
            true => Next::Stop(last.unwrap_or("an item failed").to_owned()),
            false => Next::Wait("the runs under way end first".into()),
        };
    }
    if counts.waiting == 0 || campaign.stopping {
        if !under_way.is_empty() {
            return Next::Wait(format!("{} under way", under_way.len()));
        }
        let whole = counts.waiting == 0 && counts.failed == 0;
        let mut text = format!("{}: {} of {} done", campaign.goal, counts.done, counts.all);
        for (n, word) in
            [(counts.skipped, "not needed"), (counts.failed, "failed"), (counts.waiting, "not begun")]
        {
            if n > 0 {
                text += &format!(", {n} {word}");
            }
        }
        return Next::Finish { whole, text };
    }
    let through = counts.done + counts.skipped;
    let at_once = if through < campaign.pace.canary as usize { 1 } else { campaign.pace.parallel.max(1) };
    if under_way.len() >= at_once as usize {
        return Next::Wait(format!("{} under way", under_way.len()));
    }
    let busy: Vec<_> = under_way.iter().filter_map(|item| campaign.about(*item)).collect();
    let free = |item: &usize| {
        campaign.states[*item] == ItemState::Waiting
            && campaign.about(*item).is_none_or(|about| !busy.contains(&about))
    };
    let Some(item) = (0..campaign.items.len()).find(free) else {
        return Next::Wait(format!("{} under way", under_way.len()));
    };
    match campaign.pace.brakes.iter().find_map(|brake| brake.stops(seen)) {
        Some(why) if under_way.is_empty() => Next::Stop(why),
        Some(why) => Next::Wait(why),
        None => Next::Begin(item),
    }
}

#[cfg(test)]
mod tests;
