//! Each act, worked out: what is wanted of every proxy's rows, and the phases that lead there.

use std::sync::Arc;

use super::{
    DatabaseAct, Draft, guard,
    routing::{BackendRole, Edit, Proxied},
    standing,
};
use crate::{
    cluster::{
        Hostgroups, MemberName, ProxyName, ServerRow, bare,
        database::{Row, State},
    },
    plan::Verdict::{Ok, Refuse},
};

mod enter;
mod weight;

impl Draft<'_> {
    pub(super) fn work_out(&mut self, act: &DatabaseAct) {
        match act {
            DatabaseAct::TakeOut { member } => {
                if let Some(row) = self.known(member) {
                    let address = self.routing.address_of(&row);
                    self.take_out(&address);
                }
            }
            DatabaseAct::RemoveServer { address } => {
                let address = match self.routing.member(address) {
                    Some(row) => self.routing.address_of(row),
                    None => bare(address).into(),
                };
                if self.routing.proxied.iter().all(|f| f.backend(&address).is_none()) {
                    let all = self.all_addresses();
                    self.check("member", Refuse, format!("no proxy has a server {address}; there are {all}"));
                    return;
                }
                self.take_out(&address);
            }
            DatabaseAct::BringBack { member, like } => {
                if let Some(row) = self.known(member) {
                    self.bring(&row, like.as_ref());
                }
            }
            DatabaseAct::AddServer { address, like } => self.add(&bare(address).into(), like.as_ref()),
            DatabaseAct::Weight { member, weight } => {
                if let Some(row) = self.known(member) {
                    self.change_weight(&row, |_| *weight, false);
                }
            }
            DatabaseAct::MoveWriter { member } => {
                if let Some(row) = self.known(member) {
                    self.move_writer(&row);
                }
            }
            DatabaseAct::Save { proxy } => self.save(proxy.as_ref()),
            DatabaseAct::Desync { member } => self.set_desync(member, true),
            DatabaseAct::Resync { member } => self.set_desync(member, false),
        }
    }

    fn known(&mut self, name: &MemberName) -> Option<Row> {
        let found = self.routing.member(name.as_str()).cloned();
        if found.is_none() {
            let all: Vec<_> = self.routing.db.members.iter().map(|r| &*r.label).collect();
            let there = if all.is_empty() {
                "none is configured".into()
            } else {
                format!("there are {}", all.join(", "))
            };
            self.check("member", Refuse, format!("there is no member {name}; {there}"));
        }
        found
    }

    fn all_addresses(&self) -> String {
        let all: std::collections::BTreeSet<_> =
            self.routing.proxied.iter().flat_map(|f| &f.backends).map(|s| &*s.address).collect();
        if all.is_empty() { "none".into() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
    }

    fn take_out(&mut self, address: &Arc<str>) {
        let of: Vec<_> = self.routing.proxied.iter().map(|f| (f.name.clone(), Vec::new())).collect();
        let weight =
            self.routing.proxied.iter().filter_map(|f| f.backend(address)?.weight).max().unwrap_or(0);
        self.towards(address, of);
        self.guard_servers();
        let after = self.after();
        let capacity = guard::capacity(&self.routing, address, &after);
        self.checks.extend(capacity);
        self.undo = format!("{} back into the proxies with weight {weight}", self.subject);
    }

    /// The phases that bring a backend's rows to those wanted. Who takes the writes and goes is first made the lightest,
    /// so that the monitor moves the writer while it still serves.
    pub(super) fn towards(&mut self, address: &Arc<str>, wanted: Vec<(ProxyName, Vec<ServerRow>)>) {
        let (mut first, mut then) = (Vec::new(), Vec::new());
        let mut heavy = Vec::new();
        for proxied in &self.routing.proxied {
            let Some((_, rows)) = wanted.iter().find(|(proxy, _)| proxy == proxied.name) else { continue };
            let now = proxied.rows(address);
            if ServerRow::alike(&proxied.status.servers_of(address), rows) {
                continue;
            }
            let to = self.placed(proxied, address, rows);
            let edit = |from, to| Edit { proxy: proxied.name.clone(), address: address.clone(), from, to };
            let others = proxied
                .backends
                .iter()
                .filter(|s| s.cluster == proxied.cluster(address) && s.address != *address)
                .filter(|s| matches!(s.role, BackendRole::Writer | BackendRole::Standby));
            let lightest = others.filter_map(|s| s.weight).min();
            match (to.is_empty() && proxied.writes_to(address), lightest) {
                (true, Some(lightest)) => {
                    let light: Vec<_> = now.iter().map(|r| ServerRow { weight: 1, ..r.clone() }).collect();
                    if lightest <= 1 {
                        heavy.push(proxied.name.to_string());
                    }
                    if ServerRow::alike(&now, &light) {
                        heavy.push(proxied.name.to_string());
                    }
                    first.push(edit(now, light.clone()));
                    then.push(edit(light, to));
                }
                _ => then.push(edit(now, to)),
            }
        }
        if !heavy.is_empty() {
            heavy.dedup();
            let text = format!(
                "{}: it takes the writes and no other is heavier than 1: move the writer first",
                heavy.join(", ")
            );
            self.check("last-writer", Refuse, text);
        }
        for (number, phase) in [first, then].into_iter().filter(|p| !p.is_empty()).enumerate() {
            match self.phases.get_mut(number) {
                Some(there) => there.extend(phase),
                None => self.phases.push(phase),
            }
        }
    }

    /// The rows in the hostgroups where they may be written now: where the backend stands, or, when it is not there,
    /// beside the writers in waiting. Who cannot be judged enters offline, and the monitor takes it from there.
    fn placed(&self, proxied: &Proxied<'_>, address: &str, rows: &[ServerRow]) -> Vec<ServerRow> {
        let Some(first) = rows.first() else { return Vec::new() };
        let into = |hostgroup: u32| {
            let row = near(rows, &proxied.groups, hostgroup).unwrap_or(first);
            ServerRow { hostgroup, ..row.clone() }
        };
        let now = proxied.rows(address);
        if !now.is_empty() {
            return now.iter().map(|r| into(r.hostgroup)).collect();
        }
        let stood = |g: &&Hostgroups| rows.iter().any(|row| g.has(row.hostgroup));
        let mut groups: Vec<_> = proxied.groups.iter().filter(stood).collect();
        if groups.is_empty() {
            groups.extend(proxied.groups.first());
        }
        if groups.is_empty() {
            return rows.to_vec();
        }
        let ready = self.routing.member(address).is_some_and(|r| matches!(r.state, State::Synced));
        let into_group = |group: &Hostgroups| match group.writer_is_also_reader {
            _ if !ready => vec![into(group.offline)],
            0 => vec![into(group.backup)],
            _ => vec![into(group.backup), into(group.reader)],
        };
        groups.into_iter().flat_map(into_group).collect()
    }

    fn save(&mut self, wanted: Option<&ProxyName>) {
        if let Some(name) = wanted
            && !self.routing.seen.proxies.items.contains_key(name)
        {
            let all: Vec<_> = self.routing.seen.proxies.items.keys().map(|p| p.as_str()).collect();
            self.check("member", Refuse, format!("there is no proxy {name}; there are {}", all.join(", ")));
            return;
        }
        let about = |name: &ProxyName| wanted.is_none_or(|w| w == name);
        for check in guard::proxies(&self.routing, &[], &[]) {
            // Of the others' troubles a save is free, and that the disk differs is what it mends.
            let mended = check.text.contains(guard::UNSAVED);
            if !mended && wanted.is_none_or(|w| check.text.contains(w.as_str())) {
                self.checks.push(check);
            }
        }
        for (name, proxy) in self.routing.seen.proxies.items.iter().filter(|(name, _)| about(name)) {
            let Some(status) = proxy.now() else {
                let text = format!("{name} does not answer: nothing can be saved there");
                self.checks.push(crate::plan::Check::new("freshness", Refuse, text));
                continue;
            };
            match standing::unsaved(status) {
                None => {
                    let text = format!("{name}: what is on its disk is not known yet");
                    self.checks.push(crate::plan::Check::new("freshness", Refuse, text));
                }
                Some(what) if what.is_empty() => {
                    let text = format!("{name} runs what is on its disk: there is nothing to save");
                    self.checks.push(crate::plan::Check::new("nothing", Ok, text));
                }
                Some(what) => {
                    self.saves.push((name.clone(), what.join(", ")));
                    self.checks.extend(guard::disk(name, status));
                }
            }
        }
        self.undo = "cannot be taken back: what was on the disks before is not kept".into();
    }

    pub(super) fn set_desync(&mut self, member: &MemberName, to: bool) {
        let Some(row) = self.known(member) else { return };
        self.checks.extend(guard::freshness(&self.routing, None, false));
        if row.now().is_some_and(|s| s.desync == to) {
            let word = if to { "desynced already" } else { "not desynced" };
            self.check("nothing", Ok, format!("{} is {word}: there is nothing to do", row.label));
            return;
        }
        self.checks.extend(guard::desync(&self.routing, &row, to));
        self.desync = Some((row.name.clone(), to));
        if to {
            self.checks.push(guard::transfer(&self.routing));
            let after = self.after();
            let checks = guard::afterwards(&self.routing, &after);
            self.checks.extend(checks);
            let address = self.routing.address_of(&row);
            let capacity = guard::capacity(&self.routing, &address, &after);
            self.checks.extend(capacity);
        }
        self.undo = format!("{} {}", if to { "resync" } else { "desync" }, row.label);
    }

    /// The checks of every change of servers.
    pub(super) fn guard_servers(&mut self) {
        let subject = self.routing.member(self.act.subject()).map(|r| r.name.to_string());
        let moves = self.moves_writer();
        let fresh = guard::freshness(&self.routing, subject.as_deref(), moves);
        self.checks.extend(fresh);
        let clusters = self.clusters();
        self.checks.extend(guard::proxies(&self.routing, &clusters, &self.phases));
        if self.phases.is_empty() {
            if self.leftovers.is_empty() && self.checks.iter().all(|c| c.verdict != Refuse) {
                self.check("nothing", Ok, "every proxy has it so already: there is nothing to do");
            }
            return;
        }
        self.checks.push(guard::transfer(&self.routing));
        let after = self.after();
        self.checks.extend(guard::afterwards(&self.routing, &after));
        self.checks.extend(guard::behind(&self.routing, &after));
        self.checks.extend(guard::tested(&self.routing, &self.phases));
        self.checks.extend(guard::conflicts(&self.routing, &after));
        let names = |kept: bool, word: &str| {
            let of = self
                .routing
                .proxied
                .iter()
                .filter(|proxied| guard::saved_already(proxied, &self.phases) == kept);
            of.map(|proxied| proxied.name.to_string()).collect::<Vec<_>>().join(word)
        };
        let (kept, lost) = (names(true, ", "), names(false, " or "));
        if !kept.is_empty() {
            self.check("drift", Ok, format!("{kept}: afterwards it runs what is on its disk"));
        }
        if !lost.is_empty() {
            self.check("drift", Ok, format!("runs until {lost} restarts; `save` keeps it"));
        }
    }
}

/// Of the rows a backend had, the one that says most of its row in a hostgroup: that very one, one that does the same
/// there, one of the same cluster.
fn near<'a>(rows: &'a [ServerRow], groups: &[Hostgroups], hostgroup: u32) -> Option<&'a ServerRow> {
    let group = groups.iter().find(|g| g.has(hostgroup));
    let reads = |h: u32| group.is_some_and(|g| g.reader == h);
    let same = rows.iter().find(|r| r.hostgroup == hostgroup);
    let of = || rows.iter().filter(|r| group.is_some_and(|g| g.has(r.hostgroup)));
    same.or_else(|| of().find(|r| reads(r.hostgroup) == reads(hostgroup))).or_else(|| of().next())
}
