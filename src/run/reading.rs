//! What can be read off a run: how far it is, what it has borrowed, what is not known, how it came out. Pure.

use jiff::Timestamp;

use super::{Entry, Event, Run, RunState, StepState};
use crate::{
    cluster::TenantName,
    plan::{About, Change, OnFailure, PartRef},
};

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
        self.steps.iter().position(|s| !matches!(s, StepState::Done(_) | StepState::Skipped(_)))
    }

    /// Steps that are through, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        let through = self.steps.iter().filter(|s| matches!(s, StepState::Done(_) | StepState::Skipped(_)));
        (through.count(), self.steps.len())
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
        let through = |i: usize| matches!(self.steps[i], StepState::Done(_) | StepState::Skipped(_));
        let steps = self.plan().steps.iter().enumerate();
        steps
            .filter(move |(i, step)| step.takes_back.is_some_and(|of| self.is_begun(of)) && !through(*i))
            .map(|(i, _)| i)
    }

    /// The wait that tells whether what was taken back on the way out has come about, while that is not known.
    pub fn unconfirmed(&self) -> Option<usize> {
        let steps = &self.plan().steps;
        let open = |i: usize| !matches!(self.steps[i], StepState::Done(_) | StepState::Skipped(_));
        let returned = |of: usize| {
            self.entries.iter().any(|e| matches!(&e.event, Event::TakenBack { step, .. } if *step == of))
        };
        let waits = |i: usize| {
            let back = steps[i].confirms?;
            steps[back].takes_back.filter(|of| returned(*of))
        };
        (0..steps.len()).find(|i| open(*i) && waits(*i).is_some())
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
        let open = |i: &usize| !matches!(self.steps[*i], StepState::Done(_) | StepState::Skipped(_));
        match begun && self.leaving.is_none() {
            true => all().filter(open).collect(),
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

    /// All steps about this are through.
    pub fn is_through(&self, about: &About) -> bool {
        let mut steps = self.plan().steps.iter().zip(&self.steps);
        steps.all(|(step, state)| {
            step.about != *about || matches!(state, StepState::Done(_) | StepState::Skipped(_))
        })
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
