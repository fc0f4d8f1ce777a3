//! A run as it is known here: the run, who is at it, and what may be asked of it. One state has one name, on the screen,
//! on the command line and in JSON.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Lent, Run, RunState, left_by_losing_it};
use crate::{
    cluster::Snapshot,
    plan::{Change, Standing, undo_offered},
};

/// A run, and who is at it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSeen {
    /// The run.
    pub run: Run,
    /// Who holds a lease for it; `None` when all were given back.
    pub holder: Option<Holder>,
    /// Why it is not known whether anybody holds one.
    pub unknown: Option<String>,
    /// This session drives it.
    pub ours: bool,
}

/// Who holds the lease of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `alice@bastion`.
    pub who: String,
    /// Their session: tells two cockpits of one operator apart.
    pub session: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When they last showed that they live.
    pub renewed: Option<Timestamp>,
    /// Until when it is theirs unless they renew it.
    pub until: Option<Timestamp>,
    /// They did so within the lease's duration and its margin, by the snapshot's time.
    pub alive: bool,
}

impl Holder {
    pub(super) fn parse(identity: &str) -> (String, String) {
        let (who, session) = identity.rsplit_once(' ').unwrap_or((identity, ""));
        (who.to_owned(), session.to_owned())
    }
}

/// How a run is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Written down, nothing done.
    Planned,
    /// Somebody is at it.
    Running,
    /// Nobody is at it any more, and it is not over: its session ended in the middle.
    Interrupted,
    /// It stands still; by whom, where an operator asked for it.
    Paused(Option<String>),
    /// Not over, and whether anybody is at it is not known.
    Unknown,
    /// All stands as planned.
    Done,
    /// Given up.
    Failed,
    /// Ended before every item was through: of a campaign.
    Stopped,
    /// Taken back by another run.
    Undone,
}

impl Shown {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Paused(_) => "paused",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Undone => "undone",
        }
    }

    /// Its sign, on every screen and in every command.
    pub fn glyph(&self) -> &'static str {
        match self {
            Self::Planned | Self::Running => "▸",
            Self::Interrupted => "▲",
            Self::Paused(_) => "‖",
            Self::Unknown => "?",
            Self::Done => "✓",
            Self::Failed => "✖",
            Self::Stopped => "■",
            Self::Undone => "↶",
        }
    }

    /// What is said of a run in that state: `is paused by alice@bastion`, `has failed`.
    pub fn phrase(&self) -> String {
        match self {
            Self::Failed => "has failed".into(),
            Self::Stopped => "was stopped".into(),
            Self::Undone => "was taken back".into(),
            Self::Unknown => "may be under way: whether anybody drives it is not known".into(),
            other => format!("is {other}"),
        }
    }
}

impl fmt::Display for Shown {
    /// `interrupted`, `paused by alice@bastion`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(Some(who)) => f.pad(&format!("paused by {who}")),
            other => f.pad(other.word()),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What may be asked of a run; each with the reason why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// Going on with it.
    pub resume: Result<(), String>,
    /// Taking back what it did.
    pub undo: Result<(), String>,
    /// Closing it; what it did stays.
    pub give_up: Result<(), String>,
    /// Saying that what it waits for has succeeded, where nothing that can be seen tells.
    pub succeeded: Result<(), String>,
}

impl RunSeen {
    /// A run that nobody holds, and that this session does not drive.
    pub fn of(run: Run) -> Self {
        Self { run, holder: None, unknown: None, ours: false }
    }

    /// Time has passed, and nothing else: whether its holder still lives is told by that alone.
    pub fn age(&mut self, now: Timestamp) {
        if let Some(holder) = &mut self.holder {
            holder.alive = holder.until.is_some_and(|until| now <= until);
        }
    }

    /// How it is called.
    pub fn shown(&self) -> Shown {
        let alive = self.ours || self.holder.as_ref().is_some_and(|h| h.alive);
        match self.run.state {
            RunState::Done => Shown::Done,
            RunState::Failed => Shown::Failed,
            RunState::Undone => Shown::Undone,
            // Its pause is written down before the lease is given back: whoever holds one takes it up.
            RunState::Paused if alive && !self.ours => Shown::Running,
            RunState::Paused => Shown::Paused(self.run.paused_by().map(str::to_owned)),
            RunState::Planned if alive => Shown::Planned,
            RunState::Running if alive => Shown::Running,
            RunState::Planned | RunState::Running if self.unknown.is_some() && !self.run.local => {
                Shown::Unknown
            }
            RunState::Planned | RunState::Running => Shown::Interrupted,
        }
    }

    /// Its session ended in the middle, and nobody has taken it up.
    pub fn is_interrupted(&self) -> bool {
        self.shown() == Shown::Interrupted
    }

    /// It is not over and nobody is at it: an operator has to decide.
    pub fn wants_an_operator(&self) -> bool {
        matches!(self.shown(), Shown::Interrupted | Shown::Paused(_))
    }

    /// It waits for an operator, and meanwhile something is not as it should be for its tenant: what it borrowed is not
    /// given back, or how something it began came out is not known. Why, in a few words; it comes before all else.
    pub fn open(&self, seen: &Snapshot) -> Option<String> {
        let run = &self.run;
        if !self.wants_an_operator() {
            return None;
        }
        let steps = &run.plan().steps;
        if let Some(step) = run.undecided().last() {
            let said = run.last_word().filter(|_| run.state == RunState::Paused);
            let not_known =
                || format!("how this came out is not known: {}", run.plan().step_words(&steps[*step]));
            return Some(said.map_or_else(not_known, str::to_owned));
        }
        // What is gone, or as before, needs nobody any more.
        let stands = |step: &usize| {
            let change = &steps[*step].change;
            let needless = || matches!(change.stands(seen), Standing::Gone(_) | Standing::AtTo);
            change.unseen(seen).is_some() || !needless()
        };
        let back = run.borrowed().find(stands)?;
        Some(format!("still to be given back: {}", run.plan().step_words(&steps[back])))
    }

    /// What has become of the Job it waits for while nobody was at it, in a few words; `None`: it runs, or is not seen.
    pub fn meanwhile(&self, seen: &Snapshot) -> Option<String> {
        let run = &self.run;
        if !self.wants_an_operator() || run.leaving.is_some() {
            return None;
        }
        let step = run.current().map(|at| &run.plan().steps[at])?;
        let Change::JobEnded(waits) = &step.change else { return None };
        if step.change.unseen(seen).is_some() || seen.jobs.get(&waits.job).is_none() {
            return None;
        }
        match step.change.stands(seen) {
            Standing::AtTo => Some("its Job has succeeded meanwhile".into()),
            // That is why it paused.
            Standing::Failed(why) if run.state != RunState::Paused => {
                Some(format!("its Job has failed meanwhile: {why}"))
            }
            _ => None,
        }
    }

    /// What goes on while it stands still: its Job, and the tenants that it holds at fewer replicas. A sentence each.
    pub fn goes_on_meanwhile(&self, seen: &Snapshot) -> Vec<String> {
        if !self.wants_an_operator() {
            return Vec::new();
        }
        let run = &self.run;
        let at_work = |step: &&usize| {
            let change = &run.plan().steps[**step].change;
            let ends = matches!(change, Change::JobEnded(_)) && change.unseen(seen).is_none();
            ends && matches!(change.stands(seen), Standing::AtFrom(_))
        };
        let job = run.undecided().iter().find(at_work).map(|_| "its job goes on by itself".to_owned());
        let lent = Lent::of(std::slice::from_ref(self));
        let held = run.tenants().filter_map(|name| {
            let tenant = seen.tenants.get(name)?;
            let (back, now) = (lent.back(tenant)?, tenant.desired());
            Some(format!("{name} stays at {now} of {back} replicas until the run goes on or is given up"))
        });
        job.into_iter().chain(held).collect()
    }

    /// Who is at it, where that is somebody else.
    fn held(&self) -> Option<String> {
        let holder = self.holder.as_ref().filter(|h| h.alive && !self.ours)?;
        Some(format!("{} drives it", holder.who))
    }

    /// Why it cannot be touched, whatever is wanted of it.
    fn untouchable(&self) -> Option<String> {
        let name = self.run.short();
        match self.shown() {
            Shown::Running | Shown::Planned if self.ours => {
                Some(format!("run {name} is under way: p pauses it"))
            }
            Shown::Running | Shown::Planned => self.held(),
            Shown::Unknown => {
                let why = self.unknown.as_deref().unwrap_or_default();
                Some(format!("whether anybody drives run {name} is not known: {why}"))
            }
            _ => None,
        }
    }

    /// What may be asked of it on what is seen: only what would be accepted.
    pub fn offers(&self, seen: &Snapshot) -> Offers {
        Offers {
            resume: self.resume(seen),
            undo: self.undo(seen),
            give_up: self.give_up(seen),
            succeeded: self.succeeded(seen),
        }
    }

    /// Whether it may be closed; what it did stays.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn give_up(&self, seen: &Snapshot) -> Result<(), String> {
        let run = &self.run;
        let closed = || run.state.is_over().then(|| format!("run {} {}", run.short(), self.shown().phrase()));
        let lost = || run.journal_lost.clone().and_then(|_| left_by_losing_it(run, seen));
        closed().or_else(|| self.untouchable()).or_else(lost).map_or(Ok(()), Err)
    }

    /// Whether it may be gone on with.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn resume(&self, seen: &Snapshot) -> Result<(), String> {
        self.give_up(seen).and_then(|()| self.goes_on(seen))
    }

    /// Whether what it did may be taken back.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn undo(&self, seen: &Snapshot) -> Result<(), String> {
        if self.run.state == RunState::Undone {
            return Err(format!("run {} is taken back already", self.run.short()));
        }
        self.untouchable().map_or(Ok(()), Err).and_then(|()| takes_back(&self.run, seen))
    }

    /// Whether it may be said that what it waits for has succeeded.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn succeeded(&self, seen: &Snapshot) -> Result<(), String> {
        self.give_up(seen).and_then(|()| self.is_open_question(seen))
    }

    /// Whether an operator has to say how something came out.
    fn is_open_question(&self, seen: &Snapshot) -> Result<(), String> {
        let (run, name) = (&self.run, self.run.short());
        let Some(step) = run.undecided().last().map(|i| &run.plan().steps[*i]) else {
            return Err(format!("nothing of run {name} is waited for whose outcome is not known"));
        };
        match step.change.stands(seen) {
            _ if step.change.unseen(seen).is_some() => Err("what it waits for is not seen at present".into()),
            Standing::AtTo => Err(format!("it has succeeded: resume run {name}")),
            Standing::AtFrom(text) => Err(format!("its outcome is not known before it has ended: {text}")),
            _ => Ok(()),
        }
    }

    /// Whether its present step could be gone on with.
    fn goes_on(&self, seen: &Snapshot) -> Result<(), String> {
        if self.run.leaving.is_some() {
            return Ok(());
        }
        let Some(step) = self.run.current().map(|i| &self.run.plan().steps[i]) else { return Ok(()) };
        if step.change.unseen(seen).is_some() {
            return Ok(());
        }
        match step.change.stands(seen) {
            // Nobody has written down yet that it failed: going on does what was agreed to for that.
            Standing::Failed(_) if self.run.state != RunState::Paused => Ok(()),
            Standing::Elsewhere(why) | Standing::Failed(why) | Standing::Unknown(why) => Err(why),
            Standing::Gone(why) if step.takes_back.is_none() => Err(why),
            _ => Ok(()),
        }
    }
}

/// Whether undoing a run would do something, and may be done as far as a look at its objects tells: no view waits for a
/// plan.
fn takes_back(run: &Run, seen: &Snapshot) -> Result<(), String> {
    let changes = run.made();
    match changes.is_empty() {
        true => Err(format!("run {} has changed nothing", run.short())),
        false => undo_offered(seen, run.short(), &changes),
    }
}
