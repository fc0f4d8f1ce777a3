//! How the servers of the simulated database stand towards their clients, by their state and by faults on demand.

use std::collections::BTreeMap;

use super::{Endpoint, State, member::Process};

/// How a server misbehaves on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are completed by the kernel, and nobody ever says a word. Those that exist get no more answers.
    Hang,
    /// Connections are refused, those that exist are closed.
    Refuse,
    /// The greeting comes, then nothing. Those that exist get no more answers.
    HalfOpen,
    /// Another protocol answers.
    WrongGreeting,
    /// Nobody gets in without TLS, which the server does not offer.
    RequireTls,
    /// Nobody gets in: too many connections (1040).
    Full,
}

/// Whether a server can be reached at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Open,
    Frozen,
    Refused,
}

/// How one server stands towards its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Posture {
    pub reach: Reach,
    /// Changes when the process does: connections to an older one are dead.
    pub life: u64,
    /// Changes when a connection is taken away from its client.
    pub sessions: u64,
    pub fault: Option<Fault>,
}

impl Posture {
    pub fn reach(self) -> Reach {
        match self.fault {
            Some(Fault::Hang) => Reach::Frozen,
            Some(Fault::Refuse) => Reach::Refused,
            _ => self.reach,
        }
    }

    /// Whether its port takes connections.
    pub fn is_open(self) -> bool {
        self.reach() != Reach::Refused
    }

    pub fn answers(self) -> bool {
        self.reach() == Reach::Open && self.fault != Some(Fault::HalfOpen)
    }
}

/// The postures of all servers.
#[derive(Clone, Debug)]
pub(super) struct Postures {
    all: BTreeMap<Endpoint, Posture>,
}

impl Postures {
    pub fn new(members: Vec<Posture>, proxies: Vec<Posture>) -> Postures {
        let members = members.into_iter().enumerate().map(|(i, p)| (Endpoint::Member(i), p));
        let proxies = proxies.into_iter().enumerate().map(|(i, p)| (Endpoint::Proxy(i), p));
        Postures { all: members.chain(proxies).collect() }
    }

    pub fn of(&self, endpoint: Endpoint) -> Posture {
        self.all[&endpoint]
    }

    /// Takes over what the state says; faults stay. Answers whether anything changed.
    pub fn update(&mut self, members: Vec<Posture>, proxies: Vec<Posture>) -> bool {
        let mut new = Postures::new(members, proxies).all;
        for (endpoint, posture) in &mut new {
            posture.fault = self.all.get(endpoint).and_then(|old| old.fault);
        }
        let changed = new != self.all;
        self.all = new;
        changed
    }

    pub fn fault(&mut self, endpoint: Endpoint, fault: Option<Fault>) -> bool {
        match self.all.get_mut(&endpoint) {
            Some(posture) if posture.fault != fault => {
                posture.fault = fault;
                true
            }
            _ => false,
        }
    }
}

/// How every member and every proxy stands, by its state.
pub(super) fn reach(state: &State) -> (Vec<Posture>, Vec<Posture>) {
    let ids = |ids: &mut dyn Iterator<Item = &u64>| {
        ids.fold(7u64, |sum, id| sum.wrapping_mul(31).wrapping_add(*id))
    };
    let members = state.galera.members.iter().map(|m| Posture {
        reach: match m.process {
            Process::Running => Reach::Open,
            Process::Frozen => Reach::Frozen,
            Process::Starting | Process::Stopped { .. } => Reach::Refused,
        },
        life: m.started,
        sessions: ids(&mut m.sessions.keys()),
        fault: None,
    });
    let proxies = state.proxies.iter().map(|p| Posture {
        reach: if p.down_until.is_some() { Reach::Refused } else { Reach::Open },
        life: p.started,
        sessions: ids(&mut p.sessions.iter()),
        fault: None,
    });
    (members.collect(), proxies.collect())
}
