//! The review of a plan: what is so now, what will be, what was checked, what is done, and how it is taken back.
//!
//! The default is No. It is confirmed with `y` alone: never with the key that opened it, never with Enter, never by a
//! paste or a burst of keys; a grave plan wants a name typed first.

mod draw;

use std::collections::BTreeMap;

use tui_input::Input;

use super::consent::{Barred, READ_ONLY};
use crate::{
    plan::{Check, Confirmation, DatabaseAct, Intent, Plan, Verdict},
    run::{JournalPlace, Rehearsal},
    ui::{Command, view::Cx},
};

/// Where the rehearsal stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Rehearsing {
    /// There is none: the plan cannot be run anyway.
    No,
    /// Asked for.
    Waiting,
    /// It answered.
    Came(Rehearsal),
}

impl Rehearsing {
    /// What it found, as far as it has answered.
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Came(found) => &found.checks,
            _ => &[],
        }
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        match self {
            Self::Came(found) => &found.journal_missing,
            _ => &[],
        }
    }
}

/// What is typed in a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// The name that a grave plan wants.
    Name,
    /// Why it is done.
    Reason,
}

/// A plan under review.
pub struct Review {
    /// The plan as it is shown.
    pub plan: Plan,
    /// What the rehearsal said of this very plan.
    pub rehearsing: Rehearsing,
    /// Where the journal will be.
    pub place: JournalPlace,
    /// It is being planned again.
    pub busy: bool,
    /// The cluster has changed since that was asked for.
    pub stale: bool,
    /// The plan on the screen is another one than the one that was looked at.
    pub changed: bool,
    /// Yes was said; it holds once no further key has followed at once, and the rehearsal has passed.
    pub yes: Option<jiff::Timestamp>,
    /// What is typed, when a name has to be.
    pub typed: Input,
    /// Why it is done: kept in the journal.
    pub reason: Input,
    /// What keys go to, when they are no commands.
    pub typing: Option<Typing>,
    /// Why the last key did nothing.
    pub note: Option<String>,
    /// Lines scrolled down.
    pub scroll: u16,
    /// Lines from the top that have been on the screen since the plan is what it is.
    pub shown: u16,
    /// Lines seen at once.
    page: u16,
    /// What has stood against the plan since it is what it is.
    known: Objections,
}

/// What stands against a plan, by the part of it and the rule: the worst verdict, and how many of them there were at most.
type Objections = BTreeMap<(String, String), (Verdict, usize)>;

fn objections(plan: &Plan) -> Objections {
    let mut all = Objections::new();
    let own = plan.checks.iter().map(|check| (String::new(), check));
    let parts = plan.parts().flat_map(|part| {
        let about = part.about().to_string();
        part.checks().iter().map(move |check| (about.clone(), check))
    });
    for (about, check) in own.chain(parts).filter(|(_, check)| check.verdict > Verdict::Ok) {
        let (worst, count) = all.entry((about, check.rule.clone())).or_insert((check.verdict, 0));
        (*worst, *count) = (check.verdict.max(*worst), *count + 1);
    }
    all
}

impl Review {
    /// A plan nobody has looked at.
    pub fn new(plan: Plan) -> Self {
        Self {
            known: objections(&plan),
            plan,
            busy: false,
            stale: false,
            rehearsing: Rehearsing::No,
            place: JournalPlace::Cluster,
            changed: false,
            yes: None,
            typed: Input::default(),
            reason: Input::default(),
            typing: None,
            note: None,
            scroll: 0,
            shown: 0,
            page: 1,
        }
    }

    /// Takes the same wish in as it is planned now. Returns whether a yes to the plan before is none to this one: it does
    /// something else, it wants another confirmation, or something stands against it that has not stood there before.
    /// What goes away, or comes again, takes no yes away; what is measured may do either every second.
    pub fn came(&mut self, fresh: Plan) -> bool {
        let found = objections(&fresh);
        let worse = |(rule, (verdict, count)): (&(String, String), &(Verdict, usize))| {
            self.known.get(rule).is_none_or(|(worst, most)| verdict > worst || count > most)
        };
        let other = fresh.steps != self.plan.steps || fresh.confirmation() != self.plan.confirmation();
        let differs = other || found.iter().any(worse);
        if other {
            self.known.clear();
        }
        for (rule, (verdict, count)) in found {
            let (worst, most) = self.known.entry(rule).or_insert((verdict, count));
            (*worst, *most) = (verdict.max(*worst), count.max(*most));
        }
        self.plan = fresh;
        differs
    }

    /// It is another plan, or more is said of it: nothing of it has been read.
    pub fn turn_back(&mut self) {
        (self.scroll, self.shown) = (0, 0);
    }

    /// Remembers what is on a screen of that size. Returns how many lines have not been on it yet.
    pub fn look(&mut self, screen: (u16, u16), cx: &Cx<'_>) -> u16 {
        let laid = self.lay(screen, cx);
        self.scroll = self.scroll.min(laid.lines.saturating_sub(laid.body));
        self.page = laid.body;
        // Lines that were jumped over have not been seen.
        if self.scroll <= self.shown {
            self.shown = self.shown.max(self.scroll + laid.body);
        }
        laid.lines.saturating_sub(self.shown)
    }

    /// Moves so many lines, or pages of what is seen at once.
    pub fn go(&mut self, command: Command) {
        let page = self.page.saturating_sub(1).max(1);
        self.scroll = match command {
            Command::Up => self.scroll.saturating_sub(1),
            Command::Down => self.scroll.saturating_add(1),
            Command::PageUp => self.scroll.saturating_sub(page),
            Command::PageDown => self.scroll.saturating_add(page),
            Command::Top => 0,
            Command::Bottom => u16::MAX,
            _ => self.scroll,
        };
    }

    /// The rehearsal's checks.
    pub fn rehearsed(&self) -> &[Check] {
        self.rehearsing.checks()
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        self.rehearsing.journal_missing()
    }

    /// What has to be typed and is not.
    pub fn untyped(&self) -> Option<String> {
        match self.plan.confirmation() {
            Confirmation::Type(text) if self.typed.value().trim() != text => Some(text),
            _ => None,
        }
    }

    /// It was asked for with a line that can be typed again.
    pub fn can_be_edited(&self) -> bool {
        use DatabaseAct::{AddServer, Weight};
        match &self.plan.intent {
            Intent::Scale { .. } => true,
            Intent::Database { act } => matches!(act, Weight { .. } | AddServer { like: None, .. }),
            Intent::Undo { .. }
            | Intent::Move { .. }
            | Intent::Cordon { .. }
            | Intent::Restart { .. }
            | Intent::Release { .. }
            | Intent::Rollback { .. }
            | Intent::DeletePod { .. } => false,
            Intent::Resize { .. } => true,
            Intent::Migrate { .. } => true,
        }
    }

    /// Why it cannot be run at all, as it stands.
    pub fn refusal(&self, read_only: bool) -> Option<String> {
        self.barred(read_only).map(|barred| barred.why)
    }

    fn barred(&self, read_only: bool) -> Option<Barred> {
        let refused =
            self.plan.refusals().chain(self.rehearsed().iter().filter(|c| c.verdict == Verdict::Refuse));
        if let Some(check) = refused.into_iter().next() {
            return Some(Barred::refused(&check.text));
        }
        if self.plan.steps.is_empty() {
            return Some(Barred::because("there is nothing to do"));
        }
        read_only.then(|| Barred::because(READ_ONLY))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        cluster::sketch,
        plan::{Target, plan},
    };

    #[test]
    fn only_what_has_not_stood_against_it_before_takes_a_yes_away() {
        let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2";
        let seen = sketch(text, Timestamp::UNIX_EPOCH).expect("a sketch");
        let to = |to| plan(&seen, &Intent::Scale { targets: vec![Target { tenant: "acme".into(), to }] });
        let with = |more: &[(&str, Verdict)]| {
            let mut made = to(3);
            let checks = more.iter().map(|(rule, verdict)| Check::new(rule, *verdict, "measured"));
            made.tenants[0].checks.extend(checks);
            made
        };
        let (none, one) = (with(&[]), with(&[("load", Verdict::Warn)]));
        let two = with(&[("load", Verdict::Warn), ("load", Verdict::Warn)]);
        let mut review = Review::new(none.clone());
        assert!(!review.came(none.clone()), "the same");
        assert!(review.came(one.clone()), "a warning that is new");
        assert!(!review.came(none.clone()), "it went away");
        assert!(!review.came(one.clone()), "it was agreed to with it");
        assert!(review.came(two), "a second of its kind");
        assert!(review.came(with(&[("load", Verdict::Refuse)])), "it refuses now");
        assert!(!review.came(one.clone()));
        assert!(review.came(with(&[("owner", Verdict::Warn)])), "another rule");
        assert!(review.came(to(4)), "other steps");
        // What had stood against other steps is none of these.
        assert!(review.came(none));
        assert!(review.came(one));
    }
}
