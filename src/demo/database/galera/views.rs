//! Who sees whom: views, quorum, and what happens at its time.

use std::collections::BTreeSet;

use super::{ALONE, EVICTION, Event, Galera, SUSPICION};
use crate::database::member::{Process, Provider, State, View};

impl Galera {
    /// Whether the process runs and its provider is in the group.
    pub(super) fn alive(&self, at: usize) -> bool {
        let m = &self.members[at];
        matches!(m.process, Process::Running | Process::Starting) && m.provider == Provider::Connected
    }

    pub(super) fn hears(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.members[a], &self.members[b]);
        a == b || self.alive(b) && x.partition == y.partition && !x.stale && !y.stale
    }

    /// All members this one can talk to, itself included; one that starts counts when it has been admitted.
    pub(super) fn group(&self, at: usize) -> Vec<usize> {
        let admitted = |m: &usize| {
            self.members[*m].process == Process::Running
                || !self.events.iter().any(|(_, e)| *e == Event::Admit(*m))
        };
        (0..self.members.len())
            .filter(|m| *m == at || self.alive(*m) && self.hears(at, *m) && admitted(m))
            .collect()
    }

    pub(super) fn after(&mut self, delay: u64, event: Event) {
        self.events.push((self.now + delay, event));
    }

    pub(super) fn halt(&mut self, at: usize, process: Process) {
        self.members[at].process = process;
        let doubt = self.now + SUSPICION;
        let peers: Vec<usize> = self.members[at].view.members.iter().copied().filter(|m| *m != at).collect();
        for peer in &peers {
            self.members[*peer].gather_at.get_or_insert(doubt);
        }
        self.end_donation(at);
        self.after(EVICTION, Event::Regroup(peers));
    }

    pub(super) fn depart(&mut self, at: usize, was: View) {
        self.departed.insert(at);
        let m = &mut self.members[at];
        m.last_primary = View::default();
        m.view = View { primary: false, members: vec![at], conf_id: 0 };
        self.end_donation(at);
        let peers: Vec<usize> = was.members.into_iter().filter(|m| *m != at).collect();
        self.regroup(&peers);
    }

    pub(super) fn happen(&mut self) {
        let now = self.now;
        if self.toi.as_ref().is_some_and(|toi| toi.change.started + toi.change.length <= now) {
            self.toi = None;
        }
        for m in &mut self.members {
            m.rsu.take_if(|rsu| rsu.started + rsu.length <= now);
        }
        let mut due: Vec<_> = self.events.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        for (_, event) in due {
            match event {
                Event::Regroup(members) => self.regroup(&members),
                Event::Notice(at) if self.members[at].stale => {
                    self.install(&[at], None);
                    self.after(ALONE, Event::Return(at));
                }
                Event::Return(at) if self.members[at].stale => {
                    self.members[at].stale = false;
                    self.regroup(&[at]);
                }
                Event::Notice(_) | Event::Return(_) => {}
                Event::Admit(at) if self.alive(at) => self.admit(at),
                Event::Admit(_) => {}
                Event::Transferred { joiner, donor } => self.transferred(joiner, donor),
            }
        }
    }

    /// Lets the living members among `these` agree on new views.
    pub(super) fn regroup(&mut self, these: &[usize]) {
        let mut done = BTreeSet::new();
        for at in these {
            if done.contains(at) || !self.alive(*at) || self.members[*at].stale {
                continue;
            }
            let group = self.group(*at);
            // A peer on the same side whose turn has not come yet still holds its old view: it is taken along.
            done.extend(group.iter().copied());
            let same = |m: &usize| {
                self.members[*m].believed() == group.iter().copied().collect()
                    && self.members[*m].view.primary == self.members[group[0]].view.primary
            };
            let settled = group.iter().all(same) && self.members[group[0]].view.primary;
            for m in &group {
                self.members[*m].gather_at = None;
            }
            if !settled {
                let conf_id = self.quorum(&group);
                self.install(&group, conf_id);
            }
        }
    }

    /// The id of the primary view these members would form, or `None` if they have no quorum. A component that comes
    /// from a primary one needs more than half of its weight, members that said goodbye not counted; components that
    /// were not primary need everybody of the last primary view they remember.
    fn quorum(&self, group: &[usize]) -> Option<u64> {
        let primary: Vec<usize> = group.iter().copied().filter(|m| self.members[*m].view.primary).collect();
        let before = group
            .iter()
            .filter(|m| primary.is_empty() || primary.contains(m))
            .map(|m| &self.members[*m].last_primary)
            .filter(|view| view.primary)
            .max_by_key(|view| view.conf_id)?;
        let weight = |m: &usize| self.members[*m].weight;
        let expected: Vec<usize> =
            before.members.iter().copied().filter(|m| !self.departed.contains(m)).collect();
        let quorum = if primary.is_empty() {
            expected.iter().all(|m| group.contains(m))
        } else {
            let here: u64 = expected.iter().filter(|m| group.contains(m)).map(weight).sum();
            2 * here > expected.iter().map(weight).sum()
        };
        quorum.then_some(before.conf_id + 1)
    }

    pub(super) fn install(&mut self, group: &[usize], conf_id: Option<u64>) {
        let head = group.iter().map(|m| self.members[*m].received).max().unwrap_or(0);
        let fresh = group.iter().all(|m| !self.members[*m].view.primary);
        let mut waiting = Vec::new();
        for at in group {
            let was_primary = self.members[*at].view.primary;
            let m = &mut self.members[*at];
            m.view =
                View { primary: conf_id.is_some(), members: group.to_vec(), conf_id: conf_id.unwrap_or(0) };
            if conf_id.is_none() {
                m.state = State::Initialized;
                m.received = m.committed;
                continue;
            }
            m.last_primary = m.view.clone();
            if m.process == Process::Starting {
                waiting.push(*at);
            } else if !was_primary {
                // Back from a non-primary view: the missing write-sets come from the gcache of the others.
                m.received = head.max(m.received);
                m.state = if fresh && m.queue() == 0 { State::Synced } else { State::Joined };
            }
        }
        if conf_id.is_some() {
            for at in group {
                self.departed.remove(at);
            }
            // A group that was nowhere primary: those that still start join it now.
            for at in waiting {
                if self.members[at].state == State::Initialized
                    && !self.events.iter().any(|(_, e)| *e == Event::Admit(at))
                {
                    self.transfer(at);
                }
            }
        }
    }
}
