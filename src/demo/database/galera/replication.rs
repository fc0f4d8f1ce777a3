//! What is committed, sent, applied and throttled in a tick.

use super::{Galera, TICK};
use crate::database::member::{Process, Provider, State, WRITE_SET};

impl Galera {
    /// Commits what the members of one component take, within what flow control leaves.
    pub(super) fn replicate(&mut self, group: &[usize], offered: &[f64], committed: &mut [u64]) {
        let mut demand: Vec<(usize, u64)> = Vec::new();
        for at in group.iter().copied() {
            if !self.takes_writes(at) || self.members[at].stale {
                continue;
            }
            let carry = &mut self.carry[at].0;
            *carry += offered.get(at).copied().unwrap_or(0.0) * TICK as f64 / 1000.0;
            let whole = carry.floor();
            *carry -= whole;
            demand.push((at, whole as u64));
        }
        let total: u64 = demand.iter().map(|(_, n)| n).sum();
        if total == 0
            || group.iter().any(|m| self.members[*m].view.members.iter().any(|p| !self.hears(*m, *p)))
        {
            return;
        }
        if self.toi.as_ref().is_some_and(|toi| group.contains(&toi.origin)) {
            return;
        }
        let room = group.iter().filter_map(|m| Some((self.room(*m)?, *m))).min();
        let taken = room.map_or(total, |(room, _)| room.min(total));
        if let Some((_, culprit)) = room.filter(|_| taken < total) {
            let lost = (TICK * 1_000_000) as f64 * (1.0 - taken as f64 / total as f64);
            for m in group {
                let member = &mut self.members[*m];
                (member.paused, member.requests_pause) = (true, *m == culprit);
                member.counters.paused_ns += lost as u64;
                if *m == culprit {
                    member.counters.fc_sent += 3;
                }
                member.counters.fc_recv += 3;
            }
        }
        let writers = demand.iter().filter(|(_, n)| *n > 0).count();
        let mut left = taken;
        for (at, n) in demand {
            let locked = self.members[at].sessions.values().any(|s| s.hold.is_some())
                || self.members[at].rsu.is_some();
            let n = if locked { 0 } else { (n * taken).div_ceil(total).min(left) };
            left -= n;
            committed[at] = n;
            let head = self.members[at].received;
            let behind = self.members[at].queue() > 0;
            for m in group {
                let member = &mut self.members[*m];
                member.received = head.max(member.received) + n;
                if *m == at {
                    if !behind {
                        member.committed += n;
                    }
                    let c = &mut member.counters;
                    c.replicated += n;
                    c.replicated_bytes += n * WRITE_SET;
                    c.local_commits += n;
                    // Two writers touch the same rows now and then; one writer never conflicts with itself.
                    if writers > 1 && n > 0 && self.noise.below(40) == 0 {
                        c.cert_failures += 1;
                        c.bf_aborts += self.noise.below(2);
                    }
                } else {
                    member.counters.received += n;
                    member.counters.received_bytes += n * WRITE_SET;
                }
            }
        }
    }

    /// Applies what waits, and moves a joiner on.
    pub(super) fn apply(&mut self, at: usize) {
        let rate = self.rate(at);
        let head = if self.alive(at) { self.members[at].received } else { self.members[at].committed };
        let carry = &mut self.carry[at].1;
        *carry = (*carry + rate * TICK as f64 / 1000.0).min(rate.max(1.0));
        let m = &mut self.members[at];
        let applied = if rate == 0.0 { 0 } else { (head - m.committed).min(carry.floor() as u64) };
        *carry -= applied as f64;
        m.committed += applied;
        if m.process == Process::Running && m.provider == Provider::Connected && m.view.primary {
            m.state = match m.state {
                State::Joining if m.queue() < 1500 => State::Joined,
                State::Joined if m.queue() == 0 => State::Synced,
                state => state,
            };
        }
        let queue = m.queue();
        m.counters.queue_max = m.counters.queue_max.max(queue);
        m.counters.queue_sum += queue as f64;
        m.counters.queue_samples += 1.0;
    }

    /// Write-sets a second this member applies now.
    fn rate(&self, at: usize) -> f64 {
        let m = &self.members[at];
        let held = m.sessions.values().any(|s| s.hold.is_some()) || m.rsu.is_some();
        if !self.alive(at) || held || !m.view.primary { 0.0 } else { m.apply_rate }
    }

    /// Write-sets this member still takes in this tick before it asks for a pause, or `None` if it never asks:
    /// `gcs.fc_limit` (16) times the square root of the size.
    pub(super) fn room(&self, at: usize) -> Option<u64> {
        let m = &self.members[at];
        if m.desync_count() > 0 || m.state != State::Synced || !self.alive(at) {
            return None;
        }
        let limit = (16.0 * (m.view.members.len() as f64).sqrt()).floor() + 1.0;
        let room = limit + self.rate(at) * TICK as f64 / 1000.0 - m.queue() as f64;
        Some(room.max(0.0) as u64)
    }
}
