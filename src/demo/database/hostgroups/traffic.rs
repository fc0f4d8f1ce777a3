//! The queries of the tenants: where they go, what fails, and what is shunned for it.

use std::collections::BTreeMap;

use super::{Backend, Failure, Hostgroups, Place, Service, Status};

impl Hostgroups {
    /// One tick of traffic: `reads` and `writes` statements a second are offered by the clients of this proxy.
    /// Answers what reaches each place: statements read in this tick, and writes offered a second.
    pub fn traffic(
        &mut self,
        now: u64,
        tick: u64,
        (reads, writes): (f64, f64),
        service: impl Fn(&Place) -> Service,
    ) -> BTreeMap<Place, (u64, f64)> {
        self.clock = now;
        let mut reached = BTreeMap::new();
        let Some(roles) = self.roles.first().cloned() else { return reached };
        // What was on its way out and waits for a commit stays; the rest has ended since the last tick.
        for b in &mut self.backends {
            let stalled = service(&b.place()) == Service::Stalled;
            if b.status == Status::OfflineHard && !stalled {
                b.pool.used = 0;
            }
        }
        let takes = |b: &Backend, hostgroup| b.hostgroup == hostgroup && b.status == Status::Online;
        let readers: i64 =
            self.backends.iter().filter(|b| takes(b, roles.reader)).map(|b| b.weight.max(1)).sum();
        let writers = self.backends.iter().filter(|b| takes(b, roles.writer)).count();
        // A client that waits for a reader sends no write either.
        let empty = if readers == 0 { Some(roles.reader) } else { (writers == 0).then_some(roles.writer) };
        match (self.waiting, empty) {
            (_, None) => self.waiting = None,
            (None, Some(hostgroup)) => self.waiting = Some((now, hostgroup)),
            (Some((since, _)), Some(hostgroup)) if now >= since + 10_000 => {
                self.gave_up += self.clients;
                self.waiting = Some((now, hostgroup));
            }
            _ => {}
        }
        let (clients, seconds) = (self.clients, tick as f64 / 1000.0);
        let mut failures = Vec::new();
        for b in &mut self.backends {
            let (is_reader, is_writer) = (takes(b, roles.reader), takes(b, roles.writer) && readers > 0);
            if !is_reader && !is_writer {
                if b.status != Status::OfflineHard {
                    let pins = self.pinned.get(&(b.hostgroup, b.place())).copied().unwrap_or(0);
                    b.pool.free += b.pool.used.saturating_sub(pins);
                    b.pool.used = pins;
                }
                continue;
            }
            let share = if is_reader {
                reads * b.weight.max(1) as f64 / readers as f64
            } else {
                writes / writers as f64
            };
            let n = (share * seconds) as u64
                + u64::from(self.noise.below(1000) < ((share * seconds).fract() * 1000.0) as u64);
            let place = b.place();
            let state = service(&place);
            let busy = match state {
                Service::Full => (n / 4).clamp(u64::from(n > 0), clients),
                Service::Stalled if is_reader => (n / 4).clamp(1, clients).max(3),
                Service::Stalled | Service::Hanging => clients,
                Service::Refusing | Service::Gone => 0,
            };
            let most = b.max_connections.max(0) as u64;
            let pins = self.pinned.get(&(b.hostgroup, place.clone())).copied().unwrap_or(0);
            let busy = busy.max(pins).min(most);
            let open = b.pool.used + b.pool.free;
            if busy > open {
                b.pool.ok += busy - open;
            }
            b.pool.used = busy;
            b.pool.free = open.max(busy) - busy;
            b.pool.max_used = b.pool.max_used.max(busy);
            let entry: &mut (u64, f64) = reached.entry(place.clone()).or_default();
            match state {
                Service::Full | Service::Stalled if is_reader => {
                    entry.0 += n;
                    b.pool.queries += n;
                    b.pool.sent += n * 64;
                    b.pool.received += n * 420;
                    self.questions.0 += n;
                }
                Service::Full => {
                    entry.1 += share;
                    b.pool.queries += n * 3;
                    b.pool.sent += n * 210;
                    b.pool.received += n * 11;
                    self.questions.1 += n;
                }
                Service::Stalled => entry.1 += share,
                Service::Hanging => {}
                Service::Refusing if n > 0 => {
                    b.status = Status::Shunned;
                    b.pool.err += 5;
                    let text = "WSREP has not yet prepared node for application use";
                    failures.push((b.hostgroup, place, 1047, 5, text.to_owned()));
                }
                Service::Gone => {
                    b.status = Status::Shunned;
                    b.pool.err += 5;
                    (b.pool.used, b.pool.free) = (0, 0);
                    let text = format!("Can't connect to server on '{}' (115)", b.hostname);
                    failures.push((b.hostgroup, place, 2002, 5, text));
                }
                Service::Refusing => {}
            }
        }
        for (hostgroup, place, number, count, text) in failures {
            let failure = self.failures.entry((hostgroup, place, number)).or_insert(Failure {
                count: 0,
                seen: (now, now),
                text: String::new(),
            });
            failure.count += count;
            failure.seen.1 = now;
            failure.text = text;
        }
        reached
    }
}
