//! What happens in a campaign, and the fold of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Aim, Approved, Asked, Envelope, Pace, words};
use crate::{
    cluster::{Key, NodeName, words::short_run},
    plan::{About, Intent},
    run::Run,
};

/// Why an item is skipped whose rest another plan took.
const REPLACED: &str = "another plan took its place";

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
    /// Its run stands still, holds what it borrowed, and wants an operator: a schema change whose outcome is not known,
    /// a failure that is held for a look, replicas that cannot be given back. Which run, and why.
    Held(String, String),
}

impl ItemState {
    /// The run that was begun for it and is open, done or held.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Running(run) | Self::Done(run) | Self::Held(run, _) => Some(run),
            Self::Waiting | Self::Skipped(_) | Self::Failed(_) => None,
        }
    }
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
    /// Taken back by another campaign.
    Undone,
}

impl CampaignState {
    /// Nobody has to do anything about it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Stopped | Self::Undone)
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Undone => "undone",
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
    /// With this entry, so many of the wishes in its journal are answered; 0: no more than before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub heard: usize,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
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
    /// About to go on with the run of an item: it stood still.
    Resumed {
        /// Index into the items.
        item: usize,
    },
    /// An item is done.
    Done {
        /// Index into the items.
        item: usize,
        /// The pod that came in place of the one that was moved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pod: Option<String>,
        /// The image before, of one that was rolled out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// A move goes to another node than was planned, within what was agreed to.
    Retargeted {
        /// Index into the items.
        item: usize,
        /// That node.
        to: NodeName,
        /// Why.
        why: String,
    },
    /// An operator agreed to another plan for what was not begun yet.
    Revised {
        /// What takes the place of the items that wait.
        #[serde(with = "super::record::items")]
        items: Vec<Intent>,
        /// Within what.
        envelope: Envelope,
    },
    /// An item is not needed, or an operator skipped it.
    Skipped {
        /// Index into the items.
        item: usize,
        /// Why.
        why: String,
    },
    /// The run of an item stands still and wants an operator; the other items go on without it.
    Held {
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
    /// An item is tried again: an operator wants it, or it failed before an operator took the campaign up again.
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
        /// The item whose plan was not agreed to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beyond: Option<usize>,
    },
    /// Nothing came of a wish.
    Declined {
        /// Which.
        wish: String,
        /// Why.
        why: String,
    },
    /// It is over.
    Finished {
        /// Every item is through.
        whole: bool,
        /// One sentence.
        text: String,
    },
    /// Another campaign has taken this one back.
    Undone {
        /// That campaign.
        by_campaign: String,
    },
}

/// A campaign: what was approved, and all that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its name, unique in the cluster: `20261121-094512-c0de`.
    pub id: String,
    /// Who started it.
    pub operator: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What it is for, in a few words: `drain worker-3`.
    pub goal: String,
    /// What the items were proposed for; `None`: they stand for themselves.
    pub aim: Option<Aim>,
    /// The campaign that this one takes back.
    pub undoes: Option<String>,
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
    /// Derived: so many wishes are answered.
    pub heard: usize,
    /// The wishes, in order; those beyond `heard` are not answered yet.
    pub asked: Vec<Asked>,
    /// The journal is kept on this machine only: nobody else can see or finish the campaign.
    pub local: bool,
    /// What the session that drives it is at, in words; not written down.
    pub doing: Option<String>,
    /// The runs under way in the session that drives it; not written down.
    pub under_way: Vec<Run>,
}

impl Campaign {
    /// A campaign of which nothing has happened yet.
    pub fn new(id: impl Into<String>, operator: impl Into<String>, approved: Approved) -> Self {
        let Approved { goal, aim, items, pace, envelope, undoes, reason } = approved;
        Self {
            id: id.into(),
            operator: operator.into(),
            reason,
            goal,
            aim,
            undoes,
            states: vec![ItemState::Waiting; items.len()],
            items,
            pace,
            envelope,
            entries: Vec::new(),
            state: CampaignState::Planned,
            stopping: false,
            heard: 0,
            asked: Vec::new(),
            local: false,
            doing: None,
            under_way: Vec::new(),
        }
    }

    /// The last four characters of the id: enough to tell campaigns apart on a screen.
    pub fn short(&self) -> &str {
        short_run(&self.id)
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
            Event::Done { item, .. } => {
                if let Some(run) = self.states[*item].run() {
                    self.states[*item] = ItemState::Done(run.to_owned());
                }
            }
            Event::Skipped { item, why } => self.states[*item] = ItemState::Skipped(why.clone()),
            Event::Failed { item, why } => self.states[*item] = ItemState::Failed(why.clone()),
            Event::Held { item, why } => {
                if let Some(run) = self.states[*item].run() {
                    self.states[*item] = ItemState::Held(run.to_owned(), why.clone());
                }
            }
            Event::Retried { item } => self.states[*item] = ItemState::Waiting,
            Event::Retargeted { item, to, .. } => {
                if let Intent::Move { moved } = &mut self.items[*item] {
                    moved.to = Some(to.clone());
                }
            }
            Event::Revised { items, envelope } => {
                for state in &mut self.states {
                    if *state == ItemState::Waiting {
                        *state = ItemState::Skipped(REPLACED.into());
                    }
                }
                self.items.extend(items.iter().cloned());
                self.states.resize(self.items.len(), ItemState::Waiting);
                self.envelope.widen(envelope);
            }
            Event::Stopping => self.stopping = true,
            Event::Paused { .. } => self.state = CampaignState::Paused,
            Event::Finished { whole: true, .. } => self.state = CampaignState::Done,
            Event::Finished { whole: false, .. } => self.state = CampaignState::Stopped,
            Event::Undone { .. } => self.state = CampaignState::Undone,
            Event::Resumed { .. } | Event::Declined { .. } => {}
        }
        self.heard = self.heard.max(entry.heard);
        self.entries.push(entry);
        Ok(())
    }

    fn may_follow(&self, event: &Event) -> Result<(), String> {
        let item = |item: &usize| {
            let count = self.items.len();
            self.states.get(*item).ok_or_else(|| format!("item {} of {count} is none of its items", item + 1))
        };
        match event {
            Event::Undone { .. } if self.state == CampaignState::Undone => {
                return Err("the campaign is undone already".into());
            }
            Event::Undone { .. } => return Ok(()),
            _ if self.state.is_over() => return Err(format!("the campaign is {}", self.state.word())),
            _ => {}
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
            Event::Done { item: at, .. } => match item(at)? {
                ItemState::Running(_) | ItemState::Held(..) => Ok(()),
                _ => Err(format!("item {} is not under way", at + 1)),
            },
            Event::Resumed { item: at } | Event::Held { item: at, .. } => match item(at)? {
                ItemState::Running(_) => Ok(()),
                _ => Err(format!("item {} is not under way", at + 1)),
            },
            Event::Skipped { item: at, .. } | Event::Failed { item: at, .. } => match item(at)? {
                ItemState::Done(_) => Err(format!("item {} is done already", at + 1)),
                _ => Ok(()),
            },
            Event::Retried { item: at } => match item(at)? {
                ItemState::Failed(_) | ItemState::Skipped(_) | ItemState::Running(_) => Ok(()),
                ItemState::Waiting | ItemState::Done(_) => Err(format!("item {} has not failed", at + 1)),
                ItemState::Held(run, _) => {
                    Err(format!("item {} is held by run {}: decide about that one", at + 1, short_run(run)))
                }
            },
            Event::Retargeted { item: at, .. } => match (item(at)?, &self.items[*at]) {
                (ItemState::Waiting, Intent::Move { .. }) => Ok(()),
                (ItemState::Waiting, _) => Err(format!("item {} is no move", at + 1)),
                _ => Err(format!("item {} is begun already", at + 1)),
            },
            Event::Taken
            | Event::Revised { .. }
            | Event::Stopping
            | Event::Paused { .. }
            | Event::Declined { .. }
            | Event::Finished { .. }
            | Event::Undone { .. } => Ok(()),
        }
    }

    /// How many items are done, and how many are through in whatever way, of all.
    pub fn counts(&self) -> Counts {
        let of_tenants = self.is_of_tenants();
        let mut counts = Counts { all: self.items.len(), of_tenants, ..Counts::default() };
        for state in &self.states {
            match state {
                ItemState::Waiting => counts.waiting += 1,
                ItemState::Running(_) => counts.running += 1,
                ItemState::Done(_) => counts.done += 1,
                ItemState::Skipped(_) => counts.skipped += 1,
                ItemState::Failed(_) => counts.failed += 1,
                ItemState::Held(..) => counts.held += 1,
            }
        }
        counts
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
            Intent::DeletePod { .. } | Intent::Database { .. } => None,
        }
    }

    /// Its items are whole tenants, each for itself: one that cannot be done is left out, and what the database is busy
    /// with is waited for.
    pub fn is_of_tenants(&self) -> bool {
        self.items.iter().any(is_of_tenant)
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
        last.is_some_and(|at| matches!(&self.states[at], ItemState::Skipped(why) if why == REPLACED))
    }

    /// What is not begun yet.
    pub fn left(&self) -> Vec<Intent> {
        let waiting = self.states.iter().zip(&self.items).filter(|(state, _)| **state == ItemState::Waiting);
        waiting.map(|(_, item)| item.clone()).collect()
    }

    /// The image an item replaced, of one that is done.
    pub fn was(&self, item: usize) -> Option<&str> {
        self.entries.iter().rev().find_map(|e| match &e.event {
            Event::Done { item: at, was, .. } if *at == item => Some(was.as_deref()),
            _ => None,
        })?
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

    /// When anything last happened.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.entries.last().map(|e| e.at)
    }

    /// Wishes that are not answered yet.
    pub fn unheard(&self) -> &[Asked] {
        self.asked.get(self.heard..).unwrap_or_default()
    }

    /// The pod that came in place of the one that was moved, where an item is a move by adoption that is done.
    pub fn came(&self, item: usize) -> Option<Key> {
        let Intent::Move { moved } = &self.items[item] else { return None };
        if !matches!(self.states[item], ItemState::Done(_)) {
            return None;
        }
        let name = self.entries.iter().rev().find_map(|e| match &e.event {
            Event::Done { item: at, pod, .. } if *at == item => Some(pod.clone()),
            _ => None,
        });
        Some(Key::new(moved.pod.namespace.clone(), name??))
    }

    /// How long the items that are done took, on average: from their begin to their end. What is done to a node in a
    /// moment tells nothing of what is done to the pods on it.
    pub fn each(&self) -> Option<SignedDuration> {
        let (mut began, mut total, mut count) = (BTreeMap::new(), SignedDuration::ZERO, 0);
        for entry in &self.entries {
            match entry.event {
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
    /// Held by their runs, which want an operator.
    pub held: usize,
    /// They are whole tenants.
    #[serde(skip)]
    pub of_tenants: bool,
}

impl Counts {
    /// How what is skipped is called.
    pub fn skipped_word(&self) -> &'static str {
        if self.of_tenants { "left out" } else { "not needed" }
    }

    /// How far it is, in a few words: `7 of 19`, `7 of 19, 1 failed`.
    pub fn words(&self) -> String {
        let mut text = format!("{} of {}{}", self.done, self.all, if self.of_tenants { " done" } else { "" });
        for (n, word) in [(self.skipped, self.skipped_word()), (self.failed, "failed"), (self.held, "held")] {
            if n > 0 {
                text += &format!(", {n} {word}");
            }
        }
        text
    }
}
