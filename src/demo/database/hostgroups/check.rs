//! The Galera monitor: what it learns, and where it puts backends for it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Backend, Hostgroups, Place, Pool, Probe, Roles, Status};

/// What a verdict on a member is based on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Writer,
    ReadOnly,
    Unsure,
    Offline,
    /// Offline because it rejects queries.
    Rejecting,
}

impl Hostgroups {
    /// One round of the Galera monitor.
    pub fn check(&mut self, probes: &BTreeMap<Place, Probe>) {
        let mut verdicts = BTreeMap::new();
        for (place, probe) in probes {
            let missed = self.missed.entry(place.clone()).or_insert(0);
            let verdict = match probe {
                Probe::Failed(_) => Verdict::Offline,
                Probe::TimedOut => {
                    *missed += 1;
                    if *missed >= 3 { Verdict::Offline } else { Verdict::Unsure }
                }
                Probe::Reply { primary, read_only, queue, state, desync, reject, donor_rejects } => {
                    *missed = 0;
                    let behind = self.roles.first().map_or(0, |r| r.max_behind);
                    match () {
                        () if !primary || *desync || !(*state == 4 || *state == 2 && !donor_rejects) => {
                            Verdict::Offline
                        }
                        () if *reject => Verdict::Rejecting,
                        // Only read-only members are judged by their queue, whatever the manual says.
                        () if *read_only && behind > 0 && *queue > behind => Verdict::Offline,
                        () if *read_only => Verdict::ReadOnly,
                        () => Verdict::Writer,
                    }
                }
            };
            verdicts.insert(place.clone(), verdict);
        }
        let key = |b: &Backend| (b.hostgroup, b.place());
        let old = |b: &&Backend| b.status == Status::OfflineHard && self.gone_for_long(b);
        let gone: BTreeSet<_> = self.backends.iter().filter(old).map(key).collect();
        for roles in self.roles.clone().iter().filter(|roles| roles.active) {
            self.converge(roles, &verdicts);
        }
        // What the monitor changes it commits, and a commit purges before it removes.
        self.backends.retain(|b| {
            b.status != Status::OfflineHard || !gone.contains(&key(b)) || {
                b.pool.used > 0 && self.pinned.contains_key(&key(b))
            }
        });
    }

    fn converge(&mut self, roles: &Roles, verdicts: &BTreeMap<Place, Verdict>) {
        let managed = [roles.writer, roles.backup, roles.reader, roles.offline];
        let mut templates: BTreeMap<Place, Backend> = BTreeMap::new();
        for b in &self.backends {
            if managed.contains(&b.hostgroup) && b.status != Status::OfflineHard {
                templates.entry(b.place()).or_insert_with(|| b.clone());
            }
        }
        // A row among the writers that was deleted and not purged is made live again, and all others are copied from it:
        // whatever weight was loaded, the old one is back.
        let revived: Vec<_> = self
            .backends
            .iter()
            .filter(|b| b.hostgroup == roles.writer && b.status == Status::OfflineHard)
            .filter(|b| self.gone_for_long(b))
            .filter(|b| {
                verdicts.get(&b.place()) == Some(&Verdict::Writer) && templates.contains_key(&b.place())
            })
            .filter(|b| self.row(roles.writer, &b.place()) != Some(Status::Online))
            .cloned()
            .collect();
        for old in revived {
            for b in self.backends.iter_mut().filter(|b| managed.contains(&b.hostgroup)) {
                if b.place() == old.place() {
                    b.weight = old.weight;
                }
            }
            templates.insert(old.place(), old);
        }
        let outside = |this: &Hostgroups, place: &Place| !this.inside(place, roles);
        let (mut writers, mut readers, mut out, mut rejecting) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for place in templates.keys() {
            match verdicts.get(place).copied().unwrap_or(Verdict::Unsure) {
                Verdict::Writer => writers.push(place.clone()),
                Verdict::ReadOnly => readers.push(place.clone()),
                Verdict::Unsure if outside(self, place) => out.push(place.clone()),
                Verdict::Unsure if self.row(roles.writer, place).is_some() => writers.push(place.clone()),
                Verdict::Unsure => readers.push(place.clone()),
                // Traffic has already shunned it: it stays where it is, SHUNNED, and another one writes.
                Verdict::Rejecting if self.row(roles.writer, place) == Some(Status::Shunned) => {
                    rejecting.push(place.clone());
                }
                Verdict::Offline | Verdict::Rejecting => out.push(place.clone()),
            }
        }
        // The last one standing is left where it is, even if it is no use: nothing could take its place.
        if writers.is_empty() && readers.is_empty() && rejecting.is_empty() {
            let last = out
                .iter()
                .filter(|p| !outside(self, p))
                .max_by_key(|p| (self.row(roles.writer, p) == Some(Status::Online), templates[*p].weight))
                .cloned();
            out.retain(|p| Some(p) != last.as_ref());
        }
        writers.sort_by_key(|p| {
            let b = &templates[p];
            std::cmp::Reverse((b.weight, b.hostname.clone(), b.port))
        });
        let surplus = writers.split_off(writers.len().min(usize::try_from(roles.max_writers).unwrap_or(0)));
        let mut rebuild_later = false;
        for place in &writers {
            if self.row(roles.writer, place) != Some(Status::Online) {
                rebuild_later |= !rejecting.is_empty();
                self.place(&templates[place], roles.writer, Status::Online);
                self.remove(place, &[roles.offline]);
                self.remove_unloaded(place, roles.backup);
                if roles.also_reader != 1 {
                    self.remove_unloaded(place, roles.reader);
                }
            }
            if roles.also_reader == 1 {
                self.place(&templates[place], roles.reader, Status::Online);
            }
        }
        for place in &surplus {
            self.remove(place, &[roles.offline]);
            self.place(&templates[place], roles.writer, Status::Shunned);
            if rebuild_later {
                self.remove(place, &[roles.backup, roles.reader]);
                continue;
            }
            self.place(&templates[place], roles.backup, Status::Online);
            if roles.also_reader != 0 {
                self.place(&templates[place], roles.reader, Status::Online);
            }
        }
        for place in &readers {
            self.remove(place, &[roles.writer, roles.backup, roles.offline]);
            self.place(&templates[place], roles.reader, Status::Online);
        }
        for place in &rejecting {
            self.remove(place, &[roles.backup, roles.reader]);
        }
        for place in &out {
            let pooled = self.backends.iter().filter(|b| b.hostgroup == roles.reader && b.place() == *place);
            self.cut += pooled.map(|b| b.pool.used).sum::<u64>();
            self.remove(place, &[roles.writer, roles.backup, roles.reader]);
            self.place(&templates[place], roles.offline, Status::Online);
        }
    }

    /// Whoever reads at once after a LOAD purges its rows first, however slowly the machine runs that this world is
    /// simulated on: for a second no check finds them.
    fn gone_for_long(&self, b: &Backend) -> bool {
        self.gone.get(&(b.hostgroup, b.place())).is_none_or(|since| self.clock >= since + 1_000)
    }

    fn inside(&self, place: &Place, roles: &Roles) -> bool {
        [roles.writer, roles.backup, roles.reader].iter().any(|h| self.row(*h, place).is_some())
    }

    pub(super) fn row(&self, hostgroup: i64, place: &Place) -> Option<Status> {
        self.backends
            .iter()
            .find(|b| b.hostgroup == hostgroup && b.place() == *place && b.status != Status::OfflineHard)
            .map(|b| b.status)
    }

    pub(super) fn place(&mut self, template: &Backend, hostgroup: i64, status: Status) {
        let place = template.place();
        let row = self
            .backends
            .iter_mut()
            .find(|b| b.hostgroup == hostgroup && b.place() == place && b.status != Status::OfflineHard);
        match row {
            Some(row) => row.status = status,
            None => {
                self.backends.push(Backend { hostgroup, status, pool: Pool::default(), ..template.clone() })
            }
        }
    }

    fn remove(&mut self, place: &Place, hostgroups: &[i64]) {
        for b in &mut self.backends {
            if hostgroups.contains(&b.hostgroup) && b.place() == *place && b.status != Status::OfflineHard {
                b.status = Status::OfflineHard;
                self.cut += self.pinned.remove(&(b.hostgroup, b.place())).unwrap_or(0);
            }
        }
    }

    fn remove_unloaded(&mut self, place: &Place, hostgroup: i64) {
        if !self.loaded.contains(&(hostgroup, place.clone())) {
            self.remove(place, &[hostgroup]);
        }
    }
}
