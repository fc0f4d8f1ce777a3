//! What can be read off a run: how far it is, what it has borrowed, what is not known, how it came out. Pure.

use jiff::Timestamp;

use super::{Entry, Event, Run, RunState, StepState};
use crate::{
    cluster::TenantName,
    plan::{About, Change, OnFailure, PartRef},
};

/// Why a migration under way is not skipped.
const BEYOND_SKIPPING: &str = "its job runs, and a schema change that is cut off cannot be taken back: wait for it, or pause the campaign and decide about the run";
/// Why a migration that has succeeded is not skipped.
pub(super) const MIGRATED: &str =
    "its migration has succeeded, and its replicas are being given back: wait for it";

impl Run {
    /// An operator has taken the run up again since that step was done.
    pub fn is_taken_since(&self, step: usize) -> bool {
        let last = |is: &dyn Fn(&Event) -> bool| self.entries.iter().rposition(|e| is(&e.event));
        let done = last(&|e| matches!(e, Event::Done { step: s, .. } if *s == step));
        let taken = last(&|e| matches!(e, Event::Taken));
        done.is_some() && taken > done
    }

    /// The step it stands at; `None`: all are through.
    pub fn current(&self) -> Option<usize> {
        self.steps.iter().position(|step| !step.is_through())
    }

    /// Steps that are through, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.steps.iter().filter(|step| step.is_through()).count(), self.steps.len())
    }

    /// A step was begun, and not taken back since: its request may have been sent.
    pub fn is_begun(&self, step: usize) -> bool {
        let follows = self.plan().steps.get(step).and_then(|step| step.follows);
        let of = |e: &Entry| match &e.event {
            Event::Started { step: s } if *s == step || Some(*s) == follows => Some(true),
            Event::TakenBack { step: s, .. } if *s == step => Some(false),
            _ => None,
        };
        self.entries.iter().rev().find_map(of).unwrap_or(false)
    }

    /// A step was done or begun, taken back on the way out, and not begun since.
    pub fn is_taken_back(&self, step: usize) -> bool {
        let of = |e: &Entry| match &e.event {
            Event::Started { step: s } if *s == step => Some(false),
            Event::TakenBack { step: s, .. } if *s == step => Some(true),
            _ => None,
        };
        self.entries.iter().rev().find_map(of).unwrap_or(false)
    }

    /// The step that was under way when the run was left; `None`: it goes on, or that step came through.
    pub fn failed_step(&self) -> Option<usize> {
        let left = self.entries.iter().position(|e| matches!(e.event, Event::Leaving { .. }))?;
        let of = |e: &Entry| match e.event {
            Event::Started { step } => Some(Some(step)),
            Event::Done { .. } | Event::Skipped { .. } | Event::Paused { .. } => Some(None),
            _ => None,
        };
        self.entries[..left].iter().rev().find_map(of).flatten()
    }

    /// So many steps were taken back, and are not done again.
    pub fn taken_back(&self) -> usize {
        (0..self.steps.len()).filter(|step| self.is_taken_back(*step)).count()
    }

    /// Where it stands: `at step 5 of 8`.
    pub fn at_step(&self) -> String {
        let all = self.steps.len();
        format!("at step {} of {all}", self.current().map_or(all, |at| at + 1))
    }

    /// The steps that take back what is borrowed at this moment, in the order of the plan.
    pub fn borrowed(&self) -> impl Iterator<Item = usize> {
        let steps = self.plan().steps.iter().enumerate();
        steps
            .filter(move |(i, step)| {
                step.takes_back.is_some_and(|of| self.is_begun(of)) && !self.steps[*i].is_through()
            })
            .map(|(i, _)| i)
    }

    /// The wait that tells whether what was taken back on the way out has come about, while that is not known.
    pub fn unconfirmed(&self) -> Option<usize> {
        let steps = &self.plan().steps;
        let returned = |of: usize| {
            self.entries.iter().any(|e| matches!(&e.event, Event::TakenBack { step, .. } if *step == of))
        };
        let waits = |i: usize| {
            let back = steps[i].confirms?;
            steps[back].takes_back.filter(|of| returned(*of))
        };
        (0..steps.len()).find(|i| !self.steps[*i].is_through() && waits(*i).is_some())
    }

    /// What it borrowed stays while it stands still: something was begun that cannot be begun twice and has not come to
    /// its end, or the operator wants to look at what failed.
    pub fn holds(&self) -> bool {
        let plan = self.plan();
        let begun =
            |i: usize| plan.steps[i].change.once() && plan.steps[i].change.is_write() && self.is_begun(i);
        let looks = plan.on_failure == OnFailure::Hold && self.leaving.is_none();
        !self.undecided().is_empty() || looks && (0..plan.steps.len()).any(begun)
    }

    /// The steps that can come about once, were begun, and have not come to an end that is known.
    pub fn undecided(&self) -> Vec<usize> {
        let plan = self.plan();
        let all = || (0..plan.steps.len()).filter(|i| plan.steps[*i].change.once());
        let begun = all().any(|i| plan.steps[i].change.is_write() && self.is_begun(i));
        match begun && self.leaving.is_none() {
            true => all().filter(|i| !self.steps[*i].is_through()).collect(),
            false => Vec::new(),
        }
    }

    /// What its Job wrote last tells that its connection to the database was cut: whether the statement that ran then has
    /// gone through is told by nobody. The line.
    ///
    /// Source: the client errors 2006 and 2013 of MariaDB and MySQL.
    pub fn cut_off(&self) -> Option<&str> {
        const NEWEST: usize = 20;
        let told = |line: &&String| {
            let line = line.to_ascii_lowercase();
            ["server has gone away", "lost connection to"].iter().any(|words| line.contains(words))
        };
        self.log.lines.iter().rev().take(NEWEST).find(told).map(String::as_str)
    }

    /// The Job of its migration has succeeded: what it did to the schema stays, whatever becomes of the run.
    pub fn has_migrated(&self) -> bool {
        let mut steps = self.plan().steps.iter().zip(&self.steps);
        steps.any(|(step, state)| matches!((&step.change, state), (Change::JobEnded(_), StepState::Done(_))))
    }

    /// Why the run of an item is not given up for a wish to leave the item out; `None`: it is.
    pub fn beyond_skipping(&self) -> Option<&'static str> {
        match self {
            run if run.state.is_over() => None,
            run if run.holds() => Some(BEYOND_SKIPPING),
            run => run.has_migrated().then_some(MIGRATED),
        }
    }

    /// Every image that it was to roll out stands.
    fn has_released(&self) -> bool {
        let mut steps = self.plan().steps.iter().zip(&self.steps);
        steps.all(|(step, state)| {
            step.way_out || !matches!(step.change, Change::SetImage(_)) || state.is_through()
        })
    }

    /// What an item of a campaign is there for has come about, though its run was given up afterwards: in a few words.
    pub(super) fn came_about(&self) -> Option<&'static str> {
        if self.has_moved() {
            return Some("the pod had moved");
        }
        (self.has_migrated() && self.has_released()).then_some("its migration had succeeded")
    }

    /// Its new pod was adopted, by the API server's own word: there was nothing to discard any more.
    fn has_moved(&self) -> bool {
        self.plan().steps.iter().zip(&self.steps).any(|(step, state)| {
            let begun = step.takes_back.is_some_and(|of| self.is_begun(of));
            begun && matches!((&step.change, state), (Change::Discard(_), StepState::Skipped(_)))
        })
    }

    /// All steps about this are through.
    pub fn is_through(&self, about: &About) -> bool {
        let mut steps = self.plan().steps.iter().zip(&self.steps);
        steps.all(|(step, state)| step.about != *about || state.is_through())
    }

    /// Whether a part came out as predicted, and the sentence; `None`: it was not compared yet.
    pub fn verified(&self, about: &About) -> Option<(bool, &str)> {
        self.entries.iter().find_map(|e| match &e.event {
            Event::Verified { about: of, as_predicted, text } if of == about => {
                Some((*as_predicted, text.as_str()))
            }
            _ => None,
        })
    }

    /// The part of the plan that is about this.
    pub fn part(&self, about: &About) -> Option<PartRef<'_>> {
        self.plan().parts().find(|part| part.about() == *about)
    }

    /// Who paused it by asking; `None`: it runs, is over, or paused by itself.
    pub fn paused_by(&self) -> Option<&str> {
        match self.entries.last() {
            Some(Entry { by, event: Event::Paused { asked: true, .. }, .. })
                if self.state == RunState::Paused =>
            {
                Some(by)
            }
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

    /// Why it stands still, or how it ended.
    pub fn last_word(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|e| match &e.event {
            Event::Paused { why, .. } => Some(why.as_str()),
            Event::Finished { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The writing changes it made or may have made (those it began), in order: what undoing it has to take back. What
    /// was only borrowed and given back again is none of them.
    pub fn made(&self) -> Vec<(About, Change)> {
        let steps = &self.plan().steps;
        let returned = |i: usize| {
            let mut all = steps.iter().zip(&self.steps);
            all.any(|(step, state)| step.takes_back == Some(i) && matches!(state, StepState::Done(_)))
        };
        let begun = steps.iter().enumerate().filter(|(i, step)| {
            step.change.is_write() && step.takes_back.is_none() && self.is_begun(*i) && !returned(*i)
        });
        begun.map(|(_, step)| (step.about.clone(), step.change.clone())).collect()
    }

    /// The tenants it is about.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantName> {
        self.plan().tenants.iter().map(|t| &t.tenant)
    }
}
