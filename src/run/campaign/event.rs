//! What happens in a campaign, and the fold of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aim, Approved, Asked, Envelope, Pace};
use crate::{
    cluster::{NodeName, words::short_run},
    plan::Intent,
    run::Run,
};

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
    /// Another plan for the rest took its place before it was begun: it counts no more.
    Replaced,
}

impl ItemState {
    /// The run that was begun for it and is open, done or held.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Running(run) | Self::Done(run) | Self::Held(run, _) => Some(run),
            Self::Waiting | Self::Skipped(_) | Self::Failed(_) | Self::Replaced => None,
        }
    }
}

/// What the session that drives a campaign is at, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It works, or follows what is under way.
    At(String),
    /// It waits for something outside of the campaign, such as the database: why.
    Waits(String),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(text) => f.write_str(text),
            Self::Waits(why) => write!(f, "waits: {why}"),
        }
    }
}

impl From<String> for Doing {
    fn from(text: String) -> Self {
        Self::At(text)
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
        /// What did not come out as its plan said: a tenant was without a ready pod, its pods are elsewhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unpredicted: Option<String>,
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
    /// What the session that drives it is at; not written down.
    pub doing: Option<Doing>,
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
                        *state = ItemState::Replaced;
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
                ItemState::Replaced => Err(format!("another plan took the place of item {}", at + 1)),
                _ => Ok(()),
            },
            Event::Retried { item: at } => match item(at)? {
                ItemState::Replaced => Err(format!("another plan took the place of item {}", at + 1)),
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
}
