//! What happens in a run, and the fold of it: live, on replay and on the screens the same.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Disruption, Log};
use crate::{
    cluster::{TenantName, words::short_run},
    plan::{About, Approved, Plan, Versions},
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
    /// A step was taken back on the way out: it, and those after it, are to be done again by whoever goes on.
    TakenBack {
        /// Index of the step that was taken back.
        step: usize,
        /// What was seen.
        text: String,
    },
    /// The outcome for a part of the plan, compared with the prediction.
    Verified {
        /// The tenant, node or database.
        #[serde(rename = "tenant", default)]
        about: About,
        /// The prediction came true.
        as_predicted: bool,
        /// One sentence.
        text: String,
    },
    /// A tenant's pods went wrong while the run holds it: all that has happened to them so far.
    Harmed {
        /// Which tenant.
        tenant: TenantName,
        /// What.
        harm: Disruption,
    },
    /// What the tenant's migrations table held, right before the migration began.
    Versions(Versions),
    /// The run stands still and wants an operator: resume or undo.
    Paused {
        /// The step it stands at.
        step: usize,
        /// One sentence.
        why: String,
        /// An operator asked for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        asked: bool,
    },
    /// The run goes no further: it has failed or was given up. What is borrowed is taken back, by whoever resumes it too.
    Leaving {
        /// One sentence.
        why: String,
    },
    /// What a Job has written so far, bounded: its newest lines.
    Log(Log),
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

impl StepState {
    /// It is done, or was not needed.
    pub fn is_through(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Skipped(_))
    }
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

    /// What is said of a run in that state: `is paused`, `has failed`.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Planned => "is planned",
            Self::Running => "is running",
            Self::Paused => "is paused",
            Self::Done => "is done",
            Self::Failed => "has failed",
            Self::Undone => "was taken back",
        }
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
    /// Derived: why it goes no further, and only takes back.
    pub leaving: Option<String>,
    /// What its Job has written, as far as it is known here; bounded.
    pub log: Log,
    /// The campaign it is an item of.
    pub campaign: Option<String>,
    /// The journal is kept on this machine only: nobody else can see or finish the run.
    pub local: bool,
    /// What the session that drives it is at, in words; not written down.
    pub doing: Option<String>,
    /// The journal was deleted or damaged under the session that drove it, and how: nobody can go on with the run.
    pub journal_lost: Option<String>,
    /// Why the audit file of this machine lacks what this session did.
    pub unaudited: Option<String>,
}

impl Run {
    /// A run of which nothing has happened yet.
    pub fn new(id: impl Into<String>, operator: impl Into<String>, approved: Approved) -> Self {
        let steps = vec![StepState::Waiting; approved.plan().steps.len()];
        Self {
            id: id.into(),
            operator: operator.into(),
            user: None,
            campaign: None,
            approved,
            entries: Vec::new(),
            steps,
            state: RunState::Planned,
            leaving: None,
            log: Log::default(),
            local: false,
            doing: None,
            journal_lost: None,
            unaudited: None,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.approved.plan()
    }

    /// The last four characters of the id: enough to tell runs apart on a screen.
    pub fn short(&self) -> &str {
        short_run(&self.id)
    }

    /// Takes one entry in.
    ///
    /// # Errors
    /// An entry that cannot follow on what has happened, in a few words; the run is as it was.
    pub fn apply(&mut self, entry: Entry) -> Result<(), String> {
        self.may_follow(&entry.event)?;
        match &entry.event {
            Event::Taken => self.state = RunState::Running,
            Event::Started { step } => self.steps[*step] = StepState::Started,
            Event::Done { step, text } => self.steps[*step] = StepState::Done(text.clone()),
            Event::Skipped { step, text } => self.steps[*step] = StepState::Skipped(text.clone()),
            Event::TakenBack { step, .. } => {
                let plan = self.approved.plan();
                for (i, state) in self.steps.iter_mut().enumerate().skip(*step) {
                    let at = &plan.steps[i];
                    // What stands for good stands, and so does what was given back of an earlier step.
                    let stands = match at.takes_back {
                        Some(of) => of < *step,
                        None if at.change.once() => true,
                        None => i != *step && at.change.is_write() && !plan.is_borrowed(i),
                    };
                    if !(stands && state.is_through()) {
                        *state = StepState::Waiting;
                    }
                }
            }
            Event::Verified { .. } | Event::Versions(_) | Event::Harmed { .. } => {}
            Event::Leaving { why } => self.leaving = Some(why.clone()),
            Event::Log(log) => {
                if log.len() > self.log.len() {
                    self.log = log.clone();
                }
            }
            Event::Paused { step, why, .. } => {
                if let Some(state) = self.steps.get_mut(*step).filter(|s| !s.is_through()) {
                    *state = StepState::Paused(why.clone());
                }
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
        Ok(())
    }

    /// Whether an event can follow on what has happened.
    fn may_follow(&self, event: &Event) -> Result<(), String> {
        let (state, steps) = (self.state, self.steps.len());
        let known = |step: usize| match self.steps.get(step) {
            Some(at) => Ok(at),
            None => Err(format!("step {} of {steps} is none of the plan", step + 1)),
        };
        let running = || match state {
            RunState::Running => Ok(()),
            state => Err(format!("the run {}", state.phrase())),
        };
        let open = |step: usize| match known(step)? {
            at if at.is_through() => Err(format!("step {} is through already", step + 1)),
            _ => running(),
        };
        match event {
            Event::Taken if state.is_over() => Err(format!("the run {}", state.phrase())),
            Event::Taken => Ok(()),
            // What was done and put back is begun again, once for each time an operator takes the run up.
            Event::Started { step } if self.is_taken_since(*step) => running(),
            Event::Started { step } | Event::Done { step, .. } | Event::Skipped { step, .. } => open(*step),
            Event::TakenBack { step, .. } => known(*step).and_then(|_| running()),
            Event::Paused { step, .. } => known(*step).and_then(|_| running()),
            Event::Verified { .. }
            | Event::Versions(_)
            | Event::Harmed { .. }
            | Event::Leaving { .. }
            | Event::Log(_) => running(),
            Event::Finished { outcome: Outcome::Done, .. } => {
                match self.steps.iter().all(StepState::is_through) {
                    true => running(),
                    false => Err("not every step is through".into()),
                }
            }
            Event::Finished { .. } if state.is_over() => Err(format!("the run {}", state.phrase())),
            Event::Finished { .. } => Ok(()),
            Event::Undone { .. } if state == RunState::Undone => Err("the run is undone already".into()),
            Event::Undone { .. } => Ok(()),
        }
    }
}
