//! The review of many moves at once: where every pod is and will be, in numbers and as a matrix; the moves with their
//! reasons; what stays and why; and what a yes agrees to.
//!
//! The head is always on the screen; below it one of the sections is scrolled. As with every review the default is No,
//! and `y` alone confirms.

mod draw;
mod tenants;
mod words;

use tui_input::Input;

use super::{
    Rehearsing, Typing,
    consent::{Barred, READ_ONLY},
    panel_room,
};
use crate::{
    cluster::TenantName,
    plan::{Check, Confirmation, Verdict, rebalance::Samples, why_grave},
    run::{JournalPlace, campaign},
    ui::{
        Command, Draft, Term, Terms, Wanted,
        matrix::{self, Row},
    },
};

/// What was worked out for an aim, or the check that refuses it.
pub type Found = Result<Draft, Check>;

/// A part of what is shown below the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// Tenants by nodes, now and after.
    #[default]
    Pods,
    /// The moves.
    Moves,
    /// What stays, and why.
    Stays,
    /// What warns, in full: above the sections each kind has one line.
    Warnings,
}

const SECTIONS: [Section; 4] = [Section::Pods, Section::Moves, Section::Stays, Section::Warnings];

/// Many moves under review.
pub struct SchemeReview {
    /// What is asked.
    pub wanted: Wanted,
    /// How many moves, how fast, what is left out.
    pub terms: Terms,
    /// The choice that keys change; `None`: none.
    pub choosing: Option<Term>,
    /// The last key was a digit of a number.
    pub typed_number: bool,
    /// What was found is for other terms than these: it is being worked out again.
    pub stale: bool,
    /// What was found; `None`: it is being worked out for the first time.
    pub found: Option<Box<Found>>,
    /// It is being worked out, again or for the first time.
    pub busy: bool,
    /// When it was last asked for.
    pub asked: Option<jiff::Timestamp>,
    /// The revision of the snapshot that it was last asked for on.
    pub revision: Option<u64>,
    /// Counts what was found, so that an answer to an earlier rehearsal is known as such.
    pub number: u64,
    /// What the rehearsal said.
    pub rehearsing: Rehearsing,
    /// Where the journals will be.
    pub place: JournalPlace,
    /// Another scheme than the one that was looked at.
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
    section: Section,
    /// Lines scrolled down in each section.
    scroll: [usize; 4],
    /// Columns inside the panel, as it was looked at last.
    columns: u16,
    /// Lines of the section seen at once.
    page: usize,
    rows: Vec<Row>,
}

impl SchemeReview {
    /// What is asked, before anything is known.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            terms: Terms::of(&wanted),
            choosing: None,
            typed_number: false,
            stale: false,
            wanted,
            found: None,
            busy: false,
            asked: None,
            revision: None,
            number: 0,
            rehearsing: Rehearsing::No,
            place: JournalPlace::Cluster,
            changed: false,
            yes: None,
            typed: Input::default(),
            reason: Input::default(),
            typing: None,
            note: None,
            section: Section::default(),
            scroll: [0; 4],
            columns: 76,
            page: 1,
            rows: Vec::new(),
        }
    }

    /// Takes in what was worked out. Returns whether it is another scheme than before: it is to be rehearsed then, and
    /// wants a fresh yes.
    pub fn came(&mut self, found: Found) -> bool {
        let same = match (self.found.as_deref(), &found) {
            (Some(Ok(Draft { many: Some(old), .. })), Ok(Draft { many: Some(new), .. })) => old.is_like(new),
            (Some(Ok(old)), Ok(new)) => {
                let words = |samples: &Samples| {
                    samples.checks().into_iter().map(|c| (c.rule, c.verdict)).collect::<Vec<_>>()
                };
                old.scheme.is_like(&new.scheme) && words(&old.samples) == words(&new.samples)
            }
            (Some(Err(old)), Err(new)) => old == new,
            _ => false,
        };
        // Who has chosen other terms knows that it is another.
        let first = self.found.is_none() || std::mem::take(&mut self.stale);
        if let Ok(Draft { scheme, .. }) = &found {
            let before = |tenant: &TenantName| {
                scheme.foreseen.tenants.get(tenant).map(|t| t.placement()).unwrap_or_default()
            };
            self.rows = matrix::rows(scheme.proposal.moves.iter().enumerate(), before);
        } else {
            self.rows.clear();
        }
        self.found = Some(Box::new(found));
        if same {
            return false;
        }
        self.number += 1;
        self.rehearsing = Rehearsing::No;
        self.yes = None;
        self.note = None;
        if !first {
            self.changed = true;
            self.scroll = [0; 4];
            self.typed = Input::default();
        }
        if self.typing != Some(Typing::Reason) {
            self.typing = None;
        }
        true
    }

    /// What was found, if it is a scheme.
    pub fn draft(&self) -> Option<&Draft> {
        self.found.as_ref()?.as_ref().as_ref().ok()
    }

    /// The id by which its rehearsal is known.
    pub fn rehearsal_id(&self) -> String {
        format!("scheme-{}", self.number)
    }

    fn rehearsed(&self) -> &[Check] {
        self.rehearsing.checks()
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        self.rehearsing.journal_missing()
    }

    /// What has to be typed and is not.
    pub fn untyped(&self) -> Option<String> {
        match self.draft()?.proposed.confirmation() {
            Confirmation::Type(text) if self.typed.value().trim() != text => Some(text.clone()),
            _ => None,
        }
    }

    /// What refuses or warns, each sentence once.
    fn checks(&self) -> Vec<Check> {
        let told = |draft: &Draft| match &draft.many {
            Some(many) => tenants::checks(many),
            None => draft.samples.checks().into_iter().map(waited_for).collect(),
        };
        let mut all = self.draft().map(told).unwrap_or_default();
        for check in self.rehearsed().iter().filter(|c| c.verdict != Verdict::Ok) {
            if !all.iter().any(|c| c.text == check.text) {
                all.push(check.clone());
            }
        }
        all.sort_by_key(|c| std::cmp::Reverse(c.verdict));
        all
    }

    /// The same, one line for all of a kind: how many there are, and the first of them.
    fn kinds(&self) -> Vec<Check> {
        let mut kinds: Vec<(Check, usize)> = Vec::new();
        for check in self.checks() {
            let like =
                |(kind, _): &&mut (Check, usize)| kind.rule == check.rule && kind.verdict == check.verdict;
            match kinds.iter_mut().find(like) {
                Some((_, n)) => *n += 1,
                None => kinds.push((check, 1)),
            }
        }
        let told = |(check, n): (Check, usize)| match n {
            1 => check,
            n => Check { text: format!("{n} of a kind, the first: {}", check.text), ..check },
        };
        kinds.into_iter().map(told).collect()
    }

    /// Why a text has to be typed.
    fn why_typed(&self) -> Option<&'static str> {
        self.checks().iter().find(|check| check.grave).map(|check| why_grave(&check.rule))
    }

    /// Why it cannot be run at all, as it stands.
    pub fn refusal(&self, read_only: bool) -> Option<String> {
        self.barred(read_only).map(|barred| barred.why)
    }

    fn barred(&self, read_only: bool) -> Option<Barred> {
        let draft = match self.found.as_deref() {
            None => return Some(Barred::because("it is being worked out")),
            Some(Err(check)) => return Some(Barred::refused(&check.text)),
            Some(Ok(found)) => found,
        };
        if self.stale {
            return Some(Barred::because("it is being worked out"));
        }
        match &draft.many {
            Some(many) if many.items.is_empty() => return Some(Barred::because("nothing can be done")),
            None if draft.scheme.is_empty() => return Some(Barred::because("nothing is to be moved")),
            _ => {}
        }
        if let Some(check) = self.checks().into_iter().find(|c| c.verdict == Verdict::Refuse) {
            return Some(Barred::refused(&check.text));
        }
        read_only.then(|| Barred::because(READ_ONLY))
    }

    /// Whether all that a yes agrees to has room on a screen of that size.
    pub fn is_whole(&self, screen: (u16, u16)) -> bool {
        let (inner, room) = Self::inner(screen);
        self.head(inner, room).len() + draw::FOOT <= usize::from(room)
    }

    /// Takes other terms: it is to be worked out again, and a yes to the former ones holds no more.
    pub fn choose(&mut self, change: impl FnOnce(&mut Terms)) {
        let before = self.terms.clone();
        change(&mut self.terms);
        if self.terms != before {
            self.stale = true;
            self.yes = None;
            self.scroll = [0; 4];
        }
    }

    /// Moves in the section, or to another.
    pub fn go(&mut self, command: Command) {
        let at = SECTIONS.iter().position(|s| *s == self.section).unwrap_or(0);
        let many = self.draft().is_some_and(|draft| draft.many.is_some());
        match command {
            // Of tenants there are two lists: those it is done to, and those that are left out.
            Command::Next | Command::Previous if many => {
                self.section = if self.section == Section::Stays { Section::Pods } else { Section::Stays };
            }
            Command::Next | Command::Previous => {
                let all = SECTIONS.len() - usize::from(self.checks().is_empty());
                let step = if command == Command::Next { 1 } else { all - 1 };
                self.section = SECTIONS[(at.min(all - 1) + step) % all];
            }
            _ => {}
        }
        let most = self.lines(self.section).saturating_sub(self.page);
        let page = self.page.saturating_sub(1).max(1);
        let scroll = &mut self.scroll[at];
        *scroll = match command {
            Command::Up => scroll.saturating_sub(1),
            Command::Down => *scroll + 1,
            Command::PageUp => scroll.saturating_sub(page),
            Command::PageDown => *scroll + page,
            Command::Top => 0,
            Command::Bottom => most,
            _ => return,
        }
        .min(most);
    }

    /// Remembers how much is seen at once on a screen of that size.
    pub fn look(&mut self, screen: (u16, u16)) {
        let (inner, room) = Self::inner(screen);
        self.columns = inner;
        let head = self.head(inner, room).len();
        let pods = self.section == Section::Pods && self.draft().is_none_or(|draft| draft.many.is_none());
        let matrix = usize::from(pods) * 2;
        self.page = usize::from(room).saturating_sub(head + draw::FOOT + 1 + matrix).max(1);
    }

    /// Columns and lines inside the panel on a screen of that size.
    fn inner((width, height): (u16, u16)) -> (u16, u16) {
        let margin = if width < 40 || height < 12 { 0 } else { 4 };
        (width.saturating_sub(margin), panel_room(width, height))
    }

    /// Lines of a section.
    fn lines(&self, section: Section) -> usize {
        let Some(Draft { scheme, many, .. }) = self.draft() else { return 0 };
        if let Some(many) = many {
            return match section {
                Section::Pods | Section::Moves => many.rows.len(),
                Section::Stays | Section::Warnings => many.left.len(),
            };
        }
        match section {
            Section::Pods => self.rows.len() + 1,
            Section::Moves => scheme.proposal.moves.len(),
            Section::Stays => scheme.proposal.stays.len(),
            Section::Warnings => self.warnings(self.columns).len(),
        }
    }
}

/// What refuses an item now and passes by itself is waited for.
fn waited_for(check: Check) -> Check {
    match check.verdict == Verdict::Refuse && campaign::passes(&check) {
        true => Check { verdict: Verdict::Warn, text: format!("{}: it is waited for", check.text), ..check },
        false => check,
    }
}
