//! What is said of the links of a way, and the rules that tell it.

use jiff::Timestamp;

use super::{Link, Part};
use crate::cluster::{LinkState, Term};

/// Requests end at this link.
pub(super) const UNREACHABLE: &str = "unreachable";
/// The edges or the ingress nodes do not serve the host.
pub(super) const NOT_SERVED: &str = "host-not-served";
/// Two objects name the same host and path.
pub(super) const CLAIMED_TWICE: &str = "host-claimed-twice";
/// An Ingress names a class that is not there.
pub(super) const NO_CLASS: &str = "ingress-class-missing";
/// A certificate has expired, or is about to.
pub(super) const CERTIFICATE: &str = "certificate";

/// What is said of the links; where only what is wrong is asked for, no sentence is made of what holds.
pub(super) struct Said {
    all: bool,
    pub(super) links: Vec<Link>,
    /// How long it holds while nothing that it rests on changes.
    pub(super) holds: Holds,
}

/// How long something holds that was said of a moment.
#[derive(Debug)]
pub(super) enum Holds {
    /// As long as each of these certificates, by the time it begins and ends, has more than enough of its life left.
    WhileGood(Vec<(Option<Timestamp>, Timestamp)>),
    /// It tells an age, or waits for a time to pass: at another moment it may be something else.
    AtThatMoment,
}

impl Holds {
    /// Whether it holds at that time.
    pub(super) fn at(&self, now: Timestamp) -> bool {
        match self {
            Self::WhileGood(all) => {
                all.iter().all(|(from, until)| Term::of(*from, *until, now) == Term::Good)
            }
            Self::AtThatMoment => false,
        }
    }

    /// What holds as long as both do.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::WhileGood(mut all), Self::WhileGood(more)) => {
                all.extend(more);
                Self::WhileGood(all)
            }
            _ => Self::AtThatMoment,
        }
    }
}

impl Said {
    pub(super) fn new(all: bool) -> Self {
        Self { all, links: Vec::new(), holds: Holds::WhileGood(Vec::new()) }
    }

    /// What follows rests on the time.
    pub(super) fn at_that_moment(&mut self) {
        self.holds = Holds::AtThatMoment;
    }

    /// What follows rests on a certificate whose term is good.
    pub(super) fn while_good(&mut self, not_before: Option<Timestamp>, not_after: Timestamp) {
        if let Holds::WhileGood(all) = &mut self.holds {
            all.push((not_before, not_after));
        }
    }

    pub(super) fn say(&mut self, part: Part, state: LinkState, text: impl FnOnce() -> String) {
        if self.all || state > LinkState::Unknown {
            self.links.push(Link { part, state, text: text(), since: None, remedy: None, rule: None });
        }
    }

    pub(super) fn ok(&mut self, part: Part, text: impl FnOnce() -> String) {
        self.say(part, LinkState::Ok, text);
    }

    pub(super) fn unknown(&mut self, part: Part, text: impl FnOnce() -> String) {
        self.say(part, LinkState::Unknown, text);
    }

    pub(super) fn fault(
        &mut self,
        rule: &'static str,
        part: Part,
        state: LinkState,
        text: String,
    ) -> &mut Link {
        self.links.push(Link { part, state, text, since: None, remedy: None, rule: Some(rule) });
        let last = self.links.len() - 1;
        &mut self.links[last]
    }

    /// Requests end here.
    pub(super) fn end(&mut self, part: Part, text: String) -> &mut Link {
        self.fault(UNREACHABLE, part, LinkState::Broken, text)
    }
}

impl Link {
    pub(super) fn mend(&mut self, remedy: impl Into<String>) {
        self.remedy = Some(remedy.into());
    }
}
