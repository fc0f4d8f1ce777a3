//! Donors and joiners.

use super::{Event, Galera, INCREMENTAL};
use crate::database::member::{Process, State};

impl Galera {
    pub(super) fn end_donation(&mut self, joiner: usize) {
        for m in &mut self.members {
            if m.donating == Some(joiner) {
                m.donating = None;
            }
        }
        self.events.retain(|(_, e)| !matches!(e, Event::Transferred { joiner: j, .. } if *j == joiner));
    }

    pub(super) fn admit(&mut self, at: usize) {
        self.regroup(&[at]);
        self.transfer(at);
    }

    /// Finds a donor for a member without state, and begins the transfer.
    pub(super) fn transfer(&mut self, at: usize) {
        let joiner = &self.members[at];
        if !joiner.view.primary || joiner.process != Process::Starting || joiner.state != State::Initialized {
            return;
        }
        let fit = |m: &&usize| **m != at && self.members[**m].local_state() == State::Synced;
        // The last Synced member donates: the first is as a rule the writer.
        let Some(donor) = joiner.view.members.iter().rev().find(fit).copied() else {
            // Nobody has a state to give: the whole group came back together, each with its own position.
            let head = joiner.view.members.iter().map(|m| self.members[*m].received).max().unwrap_or(0);
            let m = &mut self.members[at];
            (m.process, m.state, m.received) = (Process::Running, State::Joined, head.max(m.committed));
            return;
        };
        let source = &self.members[donor];
        let incremental = joiner.history == source.history && joiner.committed + 1 >= source.cached_downto();
        let length = if incremental { INCREMENTAL } else { self.full_copy };
        let (history, position, head) = (source.history.clone(), source.committed, source.received);
        let m = &mut self.members[at];
        m.state = State::Joining;
        if !incremental {
            (m.history, m.committed) = (history, position);
        }
        m.received = head.max(m.committed);
        self.members[donor].donating = Some(at);
        self.after(length, Event::Transferred { joiner: at, donor });
    }

    pub(super) fn transferred(&mut self, joiner: usize, donor: usize) {
        self.members[donor].donating.take_if(|j| *j == joiner);
        let m = &mut self.members[joiner];
        if m.process == Process::Starting {
            m.process = Process::Running;
        }
    }
}
