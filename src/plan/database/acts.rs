//! Each act, worked out: what is wanted of every proxy's rows, and the phases that lead there.

use std::sync::Arc;

use super::{
    DatabaseAct, Draft, WEIGHTS,
    field::{Edit, Face, Place, fit_to_write},
    guard, standing,
};
use crate::{
    cluster::{
        MemberName, ProxyName, ServerRow,
        database::{Row, State},
    },
    plan::Verdict::{Ok, Refuse, Warn},
};

impl Draft<'_> {
    pub(super) fn work_out(&mut self, act: &DatabaseAct) {
        match act {
            DatabaseAct::TakeOut { member } => {
                if let Some(row) = self.known(member) {
                    let address = self.field.address_of(&row);
                    self.take_out(&address);
                }
            }
            DatabaseAct::RemoveServer { address } => {
                let address = match self.field.member(address) {
                    Some(row) => self.field.address_of(row),
                    None => address.clone(),
                };
                if self.field.faces.iter().all(|f| f.seat(&address).is_none()) {
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
            DatabaseAct::AddServer { address, like } => self.add(address, like.as_ref()),
            DatabaseAct::Weight { member, weight } => {
                if let Some(row) = self.known(member) {
                    self.weigh(&row, |_| *weight, false);
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
        let found = self.field.member(name.as_str()).cloned();
        if found.is_none() {
            let all: Vec<_> = self.field.db.members.iter().map(|r| &*r.label).collect();
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
            self.field.faces.iter().flat_map(|f| &f.seats).map(|s| &*s.address).collect();
        if all.is_empty() { "none".into() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
    }

    fn take_out(&mut self, address: &Arc<str>) {
        let of: Vec<_> = self.field.faces.iter().map(|f| (f.name.clone(), Vec::new())).collect();
        let weight =
            self.field.faces.iter().filter_map(|f| f.seat(address)).map(|s| s.weight).max().unwrap_or(0);
        self.towards(address, of);
        self.guard_servers();
        let after = self.after();
        let capacity = guard::capacity(&self.field, address, &after);
        self.checks.extend(capacity);
        self.undo = format!("{} back into the proxies with weight {weight}", self.subject);
    }

    /// The phases that bring a backend's rows to those wanted. Who takes the writes and goes is first made the lightest,
    /// so that the monitor moves the writer while it still serves.
    pub(super) fn towards(&mut self, address: &Arc<str>, wanted: Vec<(ProxyName, Vec<ServerRow>)>) {
        let (mut first, mut then) = (Vec::new(), Vec::new());
        let mut heavy = Vec::new();
        for face in &self.field.faces {
            let Some((_, rows)) = wanted.iter().find(|(proxy, _)| proxy == face.name) else { continue };
            let now = face.rows(address);
            if ServerRow::alike(&face.status.servers_of(address), rows) {
                continue;
            }
            let to = self.placed(face, address, rows);
            let edit = |from, to| Edit { proxy: face.name.clone(), address: address.clone(), from, to };
            let others = face
                .seats
                .iter()
                .filter(|s| s.address != *address && matches!(s.place, Place::Writer | Place::Standby));
            let lightest = others.map(|s| s.weight).min();
            match (to.is_empty() && face.writes_to(address), lightest) {
                (true, Some(lightest)) => {
                    let light: Vec<_> = now.iter().map(|r| ServerRow { weight: 1, ..r.clone() }).collect();
                    if lightest <= 1 {
                        heavy.push(face.name.to_string());
                    }
                    if ServerRow::alike(&now, &light) {
                        heavy.push(face.name.to_string());
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
    fn placed(&self, face: &Face<'_>, address: &str, rows: &[ServerRow]) -> Vec<ServerRow> {
        let Some(first) = rows.first() else { return Vec::new() };
        let into = |hostgroup: u32| ServerRow { hostgroup, ..first.clone() };
        let now = face.rows(address);
        if !now.is_empty() {
            return now.iter().map(|r| into(r.hostgroup)).collect();
        }
        let Some(group) = face.groups.first() else { return rows.to_vec() };
        let ready = self.field.member(address).is_some_and(|r| matches!(r.state, State::Synced));
        if !ready {
            return vec![into(group.offline)];
        }
        match group.writer_is_also_reader {
            0 => vec![into(group.backup)],
            _ => vec![into(group.backup), into(group.reader)],
        }
    }

    fn bring(&mut self, row: &Row, like: Option<&MemberName>) {
        let label = row.label.clone();
        match row.state {
            State::Synced => {}
            _ => self.check(
                "state",
                Refuse,
                format!(
                    "{label} is {}, not synced: it would be given clients and fail them",
                    row.state.word()
                ),
            ),
        }
        if row.now().is_some_and(|s| s.read_only) {
            self.check("state", Warn, format!("{label} is read-only: it will only read"));
        }
        let address = self.field.address_of(row);
        self.enter(&address, like);
    }

    fn add(&mut self, address: &Arc<str>, like: Option<&MemberName>) {
        let port = address
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        if port.is_none() {
            self.check(
                "member",
                Refuse,
                format!("{address} is no address: write host:port, such as db4:3306"),
            );
            return;
        }
        match self.field.member(address).cloned() {
            Some(row) if !matches!(row.state, State::Synced) => {
                let text = format!(
                    "{} is {}: it enters the offline hostgroup, from where the monitor takes it once it is synced",
                    row.label,
                    row.state.word()
                );
                self.check("state", Warn, text);
            }
            Some(_) => {}
            None => {
                let text = format!(
                    "{address} is no member that is followed: it enters the offline hostgroup, from where the monitor takes it once it finds it synced; add it to [galera] members"
                );
                self.check("member", Warn, text);
            }
        }
        self.enter(address, like);
    }

    /// Puts a backend into every proxy that lacks it.
    fn enter(&mut self, address: &Arc<str>, like: Option<&MemberName>) {
        let model = match like {
            Some(name) => match self.known(name) {
                Some(row) => Some(row.name),
                None => return,
            },
            None => None,
        };
        let mut of = Vec::new();
        for face in &self.field.faces {
            if face.seat(address).is_some() {
                continue;
            }
            // Without a model: like the lightest that serves, so that it does not become the writer by coming back.
            let mut serving: Vec<_> = face.seats.iter().filter(|s| s.place.serves()).collect();
            serving.sort_by_key(|s| (s.place != Place::Standby, s.weight));
            let seat = match &model {
                Some(name) => face.seats.iter().find(|s| s.member.as_ref() == Some(name)),
                None => serving.first().copied(),
            };
            let row = seat.and_then(|s| face.status.servers_of(&s.address).into_iter().next());
            match row {
                Some(row) => {
                    let comment = match self.field.member(address) {
                        Some(row) => row.label.clone(),
                        None => "".into(),
                    };
                    of.push((
                        face.name.clone(),
                        vec![ServerRow { address: address.clone(), comment, ..row }],
                    ));
                }
                None => {
                    let who = like.map_or("a server that serves".into(), |l| l.to_string());
                    let text = format!("{} has no {who} whose rows could be taken as a model", face.name);
                    self.checks.push(crate::plan::Check::new("member", Refuse, text));
                }
            }
        }
        if of.is_empty() && !self.field.faces.is_empty() && self.checks.iter().all(|c| c.verdict != Refuse) {
            self.check(
                "nothing",
                Ok,
                format!("{} is in every proxy already: there is nothing to do", self.subject),
            );
            return;
        }
        self.towards(address, of);
        self.guard_servers();
        self.undo = format!("{} out of the proxies", self.subject);
    }

    fn weigh(&mut self, row: &Row, weight: impl Fn(&Face<'_>) -> u64, leave_readers: bool) {
        let address = self.field.address_of(row);
        let mut edits = Vec::new();
        let mut before = Vec::new();
        for face in &self.field.faces {
            let weight = weight(face);
            if !WEIGHTS.contains(&weight) {
                let (low, high) = (WEIGHTS.start(), WEIGHTS.end());
                let text = format!("a weight of {weight} is not between {low} and {high}");
                self.checks.push(crate::plan::Check::new("range", Refuse, text));
                return;
            }
            let from = face.rows(&address);
            if from.is_empty() {
                let text =
                    format!("{} is not among the servers of {}: bring it back first", row.label, face.name);
                self.checks.push(crate::plan::Check::new("member", Refuse, text));
                continue;
            }
            let mut to: Vec<_> = from.iter().map(|r| ServerRow { weight, ..r.clone() }).collect();
            if ServerRow::alike(&face.status.servers_of(&address), &to) {
                continue;
            }
            // The new writer's rows among the readers would stay, beside the writer's, unless they go now.
            let reader = |hostgroup: u32| {
                face.groups.iter().any(|g| g.reader == hostgroup && g.writer_is_also_reader != 1)
            };
            let others =
                face.seats.iter().any(|s| s.address != address && s.reads && s.place != Place::Writer);
            if leave_readers && others && to.iter().any(|r| !reader(r.hostgroup)) {
                to.retain(|r| !reader(r.hostgroup));
            }
            before.push(from.iter().map(|r| r.weight).max().unwrap_or(0));
            edits.push(Edit { proxy: face.name.clone(), address: address.clone(), from, to });
        }
        if edits.is_empty() {
            if self.checks.iter().all(|c| c.verdict != Refuse) {
                self.check("nothing", Ok, "every proxy has this weight already: there is nothing to do");
            }
            return;
        }
        self.phases.push(edits);
        self.guard_servers();
        let after = self.after();
        for (face, seats) in self.field.faces.iter().zip(&after) {
            let find = |seats: &[super::Seat]| seats.iter().find(|s| s.place == Place::Writer).cloned();
            let (Some(old), Some(new)) = (find(&face.seats), find(seats)) else { continue };
            if old.address == new.address {
                continue;
            }
            let fit =
                self.field.db.members.iter().any(|r| Some(&r.name) == new.member.as_ref() && fit_to_write(r));
            let (verdict, how) = if fit { (Warn, "") } else { (Refuse, ", which cannot write") };
            let text = format!(
                "{}: the writer moves from {} to {}{how}, within {}; until all proxies have moved, two members may take writes",
                face.name,
                old.label,
                new.label,
                face.interval()
            );
            self.checks.push(crate::plan::Check::new("writer", verdict, text));
        }
        before.dedup();
        let weights: Vec<_> = before.iter().map(u64::to_string).collect();
        self.undo = format!("weight of {} back to {}", row.label, weights.join("/"));
    }

    fn move_writer(&mut self, row: &Row) {
        if !fit_to_write(row) {
            let what =
                if row.now().is_some_and(|s| s.read_only) { "read-only".into() } else { row.state.word() };
            self.check("state", Refuse, format!("{} is {what}: it cannot take the writes", row.label));
        }
        let address = self.field.address_of(row);
        if !self.field.faces.is_empty() && self.field.faces.iter().all(|f| f.writes_to(&address)) {
            self.check(
                "nothing",
                Ok,
                format!("{} takes the writes of every proxy already: there is nothing to do", row.label),
            );
            return;
        }
        let above = |face: &Face<'_>| {
            let others =
                face.seats.iter().filter(|s| s.address != address).map(|s| s.weight).max().unwrap_or(0);
            let own = face.seat(&address).map_or(0, |s| s.weight);
            if own > others { own } else { others + 1 }
        };
        self.weigh(row, above, true);
    }

    fn save(&mut self, wanted: Option<&ProxyName>) {
        if let Some(name) = wanted
            && !self.field.seen.proxies.items.contains_key(name)
        {
            let all: Vec<_> = self.field.seen.proxies.items.keys().map(|p| p.as_str()).collect();
            self.check("member", Refuse, format!("there is no proxy {name}; there are {}", all.join(", ")));
            return;
        }
        let about = |name: &ProxyName| wanted.is_none_or(|w| w == name);
        for check in guard::proxies(&self.field) {
            // Of the others' troubles a save is free.
            if wanted.is_none() || wanted.is_some_and(|w| check.text.contains(w.as_str())) {
                self.checks.push(check);
            }
        }
        for (name, proxy) in self.field.seen.proxies.items.iter().filter(|(name, _)| about(name)) {
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
                Some(what) => self.saves.push((name.clone(), what.join(", "))),
            }
        }
        self.undo = "cannot be taken back: what was on the disks before is not kept".into();
    }

    pub(super) fn set_desync(&mut self, member: &MemberName, to: bool) {
        let Some(row) = self.known(member) else { return };
        self.checks.extend(guard::freshness(&self.field, None));
        if row.now().is_some_and(|s| s.desync == to) {
            let word = if to { "desynced" } else { "not desynced by hand" };
            self.check("nothing", Ok, format!("{} is {word} already: there is nothing to do", row.label));
            return;
        }
        self.checks.extend(guard::desync(&self.field, &row, to));
        self.desync = Some((row.name.clone(), to));
        if to {
            self.checks.push(guard::transfer(&self.field));
            let after = self.after();
            let checks = guard::afterwards(&self.field, &after);
            self.checks.extend(checks);
            let address = self.field.address_of(&row);
            let capacity = guard::capacity(&self.field, &address, &after);
            self.checks.extend(capacity);
        }
        self.undo = format!("{} {}", if to { "resync" } else { "desync" }, row.label);
    }

    /// The checks of every change of servers.
    pub(super) fn guard_servers(&mut self) {
        let subject = self.field.member(self.act.subject()).map(|r| r.name.to_string());
        let fresh = guard::freshness(&self.field, subject.as_deref());
        self.checks.extend(fresh);
        self.checks.extend(guard::proxies(&self.field));
        if self.phases.is_empty() {
            if self.checks.iter().all(|c| c.verdict != Refuse) {
                self.check("nothing", Ok, "every proxy has it so already: there is nothing to do");
            }
            return;
        }
        self.checks.push(guard::transfer(&self.field));
        let after = self.after();
        self.checks.extend(guard::afterwards(&self.field, &after));
        let names: Vec<_> = self.field.faces.iter().map(|f| f.name.as_str()).collect();
        self.check("drift", Ok, format!("runs until {} restarts; `save` keeps it", names.join(" or ")));
    }
}
