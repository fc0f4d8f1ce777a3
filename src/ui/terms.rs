//! What an operator chooses beside what is asked of many pods: how many moves at most, how fast, and whether memory
//! counts.

use super::Wanted;
use crate::{
    plan::rebalance::{Aim, Caps},
    run::campaign::{Pace, Refusals},
};

/// The choices, and what a rehearsal has left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// At most so many moves.
    pub caps: Caps,
    /// How many at once, how many first, after how many failures it stops.
    pub parallel: u32,
    /// So many go alone first.
    pub canary: u32,
    /// It stops after so many failures.
    pub stop_after: u32,
    /// Leave memory as it is.
    pub only_spread: bool,
    /// What a rehearsal has refused, with the reason: it is left out.
    pub left: Refusals,
}

/// One of the choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Moves in all.
    Moves,
    /// Moves from or to one node.
    Node,
    /// Moves of one tenant.
    Tenant,
    /// At the same time.
    AtOnce,
    /// Alone first.
    Canary,
    /// Failures that stop it.
    StopAt,
    /// Whether memory is evened out.
    Memory,
}

/// The largest number of moves that can be chosen as a limit.
const MOST: u32 = 9999;
/// So many at the same time at most.
const AT_ONCE: u32 = 32;

impl Terms {
    /// Those it begins with.
    pub fn of(wanted: &Wanted) -> Self {
        let Pace { parallel, canary, stop_after, .. } = match wanted {
            Wanted::Rest(campaign) | Wanted::Back(campaign) => campaign.pace.clone(),
            Wanted::Tenants(wanted) => Pace {
                parallel: wanted.parallel,
                canary: wanted.canary,
                stop_after: wanted.max_failures,
                ..Pace::default()
            },
            Wanted::Aim(_) => Pace::default(),
        };
        let caps = Caps::default();
        Self { caps, parallel, canary, stop_after, only_spread: false, left: Refusals::new() }
    }

    /// How fast, with the brakes of another pace.
    pub fn pace(&self, brakes: Pace) -> Pace {
        let Self { parallel, canary, stop_after, .. } = *self;
        Pace { parallel, canary, stop_after, ..brakes }
    }

    fn cap(&mut self, term: Term) -> Option<&mut Option<u32>> {
        match term {
            Term::Moves => Some(&mut self.caps.moves),
            Term::Node => Some(&mut self.caps.node),
            Term::Tenant => Some(&mut self.caps.tenant),
            Term::AtOnce | Term::Canary | Term::StopAt | Term::Memory => None,
        }
    }

    /// A choice by so many more or fewer.
    pub fn step(&mut self, term: Term, by: i64) {
        let moved = |n: u32, least: u32, most: u32| {
            (i64::from(n) + by).clamp(i64::from(least), i64::from(most)) as u32
        };
        if let Some(cap) = self.cap(term) {
            // Below one there is no limit.
            let next = moved(cap.unwrap_or(0), 0, MOST);
            *cap = (next > 0).then_some(next);
            return;
        }
        match term {
            Term::AtOnce => self.parallel = moved(self.parallel, 1, AT_ONCE),
            Term::Canary => self.canary = moved(self.canary, 0, MOST),
            Term::StopAt => self.stop_after = moved(self.stop_after, 1, MOST),
            _ => self.only_spread = !self.only_spread,
        }
    }

    /// Sets a number; 0 takes a limit away.
    pub fn set(&mut self, term: Term, number: u32) {
        let number = number.min(MOST);
        if let Some(cap) = self.cap(term) {
            *cap = (number > 0).then_some(number);
            return;
        }
        match term {
            Term::AtOnce => self.parallel = number.clamp(1, AT_ONCE),
            Term::Canary => self.canary = number,
            Term::StopAt => self.stop_after = number.max(1),
            _ => {}
        }
    }
}

impl Term {
    /// Those that can be chosen.
    pub fn all(wanted: &Wanted) -> &'static [Self] {
        use Term::{AtOnce, Canary, Memory, Moves, Node, StopAt, Tenant};
        match wanted {
            Wanted::Aim(Aim::Rebalance { .. }) => &[Moves, Node, Tenant, AtOnce, Canary, StopAt, Memory],
            Wanted::Aim(Aim::Undrain { .. }) => &[Moves, AtOnce, Canary, StopAt],
            Wanted::Aim(Aim::Drain { .. }) | Wanted::Tenants(_) | Wanted::Back(_) => {
                &[AtOnce, Canary, StopAt]
            }
            // What is left of a campaign goes on as it was agreed to.
            Wanted::Rest(_) => &[],
        }
    }

    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Moves => "moves",
            Self::Node => "node",
            Self::Tenant => "tenant",
            Self::AtOnce => "at once",
            Self::Canary => "canary",
            Self::StopAt => "stop at",
            Self::Memory => "memory",
        }
    }

    /// What it means, while it is chosen.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Moves => "at most so many moves in all",
            Self::Node => "at most so many moves from or to any one node",
            Self::Tenant => "at most so many moves of any one tenant",
            Self::AtOnce => "so many at the same time, of different tenants",
            Self::Canary => "so many go one by one first",
            Self::StopAt => "it stops after so many failures",
            Self::Memory => "on: memory is evened out as well; off: tenants are spread only",
        }
    }

    /// How it is chosen.
    pub fn value(self, terms: &Terms) -> String {
        let cap = |cap: Option<u32>| cap.map_or("all".to_owned(), |n| n.to_string());
        match self {
            Self::Moves => cap(terms.caps.moves),
            Self::Node => cap(terms.caps.node),
            Self::Tenant => cap(terms.caps.tenant),
            Self::AtOnce => terms.parallel.to_string(),
            Self::Canary => terms.canary.to_string(),
            Self::StopAt => terms.stop_after.to_string(),
            Self::Memory => if terms.only_spread { "off" } else { "on" }.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_what_makes_sense() {
        let wanted = Wanted::Aim(Aim::Rebalance { nodes: vec![], tenants: vec![] });
        let mut terms = Terms::of(&wanted);
        let told = |terms: &Terms| Term::all(&wanted).iter().map(|t| t.value(terms)).collect::<Vec<_>>();
        assert_eq!(told(&terms), ["all", "all", "all", "1", "1", "1", "on"]);
        for term in Term::all(&wanted) {
            terms.step(*term, -1);
        }
        assert_eq!(told(&terms), ["all", "all", "all", "1", "0", "1", "off"]);
        for term in Term::all(&wanted) {
            terms.step(*term, 1);
        }
        assert_eq!(told(&terms), ["1", "1", "1", "2", "1", "2", "on"]);
        for term in Term::all(&wanted) {
            terms.set(*term, 100_000);
        }
        assert_eq!(told(&terms), ["9999", "9999", "9999", "32", "9999", "9999", "on"]);
        terms.set(Term::Moves, 0);
        assert_eq!(terms.caps.moves, None);
    }
}
