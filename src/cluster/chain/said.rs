//! What is said of the links of a way, and the rules that tell it.

use super::{Link, Part};
use crate::cluster::LinkState;

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
}

impl Said {
    pub(super) fn new(all: bool) -> Self {
        Self { all, links: Vec::new() }
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
