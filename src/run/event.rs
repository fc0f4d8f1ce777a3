//! What happens in a run, and the fold of it: live, on replay and on the screens the same.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::TenantName,
    plan::{About, Approved, Change, Plan},
};

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in the API server's time.
    pub at: Timestamp,
    /// Who: `alice@bastion`.
    pub by: String,
    /// The lease's transition count: a session that has lost its lease writes with an old one and is refused.
    pub token: i64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A session took the run up: at its start, or to resume it.
    Taken,
    /// About to perform a step: its request may or may not have been sent.
    Started {
        /// Index into the plan's steps.
        step: usize,
    },
    /// A step is done.
    Done {
        /// Index into the plan's steps.
        step: usize,
        /// What was seen.
        text: String,
    },
    /// A step was not needed: it already stood.
    Skipped {
        /// Index into the plan's steps.
        step: usize,
        /// Why.
        text: String,
    },
    /// The outcome for a tenant, compared with the prediction.
    Verified {
        /// The tenant.
        tenant: TenantName,
        /// The prediction came true.
        as_predicted: bool,
        /// One sentence.
        text: String,
    },
    /// The run stands still and wants an operator: resume or undo.
    Paused {
        /// The step it stands at.
        step: usize,
        /// One sentence.
        why: String,
    },
    /// The run is over.
    Finished {
        /// How.
        outcome: Outcome,
        /// One sentence.
        text: String,
    },
    /// Another run has taken this one back.
    Undone {
        /// That run.
        by_run: String,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything stands as planned.
    Done,
    /// It was given up; what was done stays until it is undone.
    Failed,
}

/// Where a step stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "text", rename_all = "lowercase")]
pub enum StepState {
    /// Not begun.
    #[default]
    Waiting,
    /// Begun: after a crash, in doubt until the cluster is looked at.
    Started,
    /// Done.
    Done(String),
    /// Not needed.
    Skipped(String),
    /// Stands still.
    Paused(String),
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Written down, nothing done.
    Planned,
    /// Under way; whether somebody is at it shows in its lease.
    Running,
    /// Stands still and wants an operator.
    Paused,
    /// All stands as planned.
    Done,
    /// Given up.
    Failed,
    /// Taken back by another run.
    Undone,
}

impl RunState {
    /// Nobody has to do anything about it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Undone)
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undone => "undone",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A run: the approved plan, who does it, and all that has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name, unique in the cluster: `20261121-094512-9c1f`.
    pub id: String,
    /// Who started it: `alice@bastion`.
    pub operator: String,
    /// The Kubernetes user it was started as, where known.
    pub user: Option<String>,
    /// What was approved, frozen.
    pub approved: Approved,
    /// All that has happened, in order.
    pub entries: Vec<Entry>,
    /// Derived: each step's state.
    pub steps: Vec<StepState>,
    /// Derived: the run's state.
    pub state: RunState,
    /// The journal is kept on this machine only: nobody else can see or finish the run.
    pub local: bool,
    /// What the session that drives it is at, in words; not written down.
    pub doing: Option<String>,
}

impl Run {
    /// A run of which nothing has happened yet.
    pub fn new(id: impl Into<String>, operator: impl Into<String>, approved: Approved) -> Self {
        let steps = vec![StepState::Waiting; approved.plan().steps.len()];
        Self {
            id: id.into(),
            operator: operator.into(),
            user: None,
            approved,
            entries: Vec::new(),
            steps,
            state: RunState::Planned,
            local: false,
            doing: None,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.approved.plan()
    }

    /// The last four characters of the id: enough to tell runs apart on a screen.
    pub fn short(&self) -> &str {
        crate::cluster::words::short_run(&self.id)
    }

    /// Takes one entry in. An entry that speaks of a step the plan does not have is kept and changes nothing.
    pub fn apply(&mut self, entry: Entry) {
        let mut set = |step: usize, state: StepState| {
            if let Some(slot) = self.steps.get_mut(step) {
                *slot = state;
            }
        };
        match &entry.event {
            Event::Taken => self.state = RunState::Running,
            Event::Started { step } => set(*step, StepState::Started),
            Event::Done { step, text } => set(*step, StepState::Done(text.clone())),
            Event::Skipped { step, text } => set(*step, StepState::Skipped(text.clone())),
            Event::Verified { .. } => {}
            Event::Paused { step, why } => {
                set(*step, StepState::Paused(why.clone()));
                self.state = RunState::Paused;
            }
            Event::Finished { outcome, .. } => {
                self.state = match outcome {
                    Outcome::Done => RunState::Done,
                    Outcome::Failed => RunState::Failed,
                }
            }
            Event::Undone { .. } => self.state = RunState::Undone,
        }
        self.entries.push(entry);
    }

    /// Steps done or not needed, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        let over = |s: &&StepState| matches!(s, StepState::Done(_) | StepState::Skipped(_));
        (self.steps.iter().filter(over).count(), self.steps.len())
    }

    /// When anything last happened.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.entries.last().map(|e| e.at)
    }

    /// Why it stands still, or how it ended.
    pub fn last_word(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|e| match &e.event {
            Event::Paused { why, .. } => Some(why.as_str()),
            Event::Finished { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The writing changes it made or may have made (those it began), in order: what undoing it has to take back.
    pub fn made(&self) -> Vec<(About, Change)> {
        let begun = |i: usize| self.entries.iter().any(|e| e.event == Event::Started { step: i });
        let steps = self.plan().steps.iter().enumerate();
        steps
            .filter(|(i, step)| step.change.is_write() && begun(*i))
            .map(|(_, step)| (step.about.clone(), step.change.clone()))
            .collect()
    }

    /// The tenants it is about.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantName> {
        self.plan().tenants.iter().map(|t| &t.tenant)
    }
}
