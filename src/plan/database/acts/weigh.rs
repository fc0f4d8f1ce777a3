//! Weights, and with them the writer: the heaviest writes.

use super::super::{
    Draft, Seat, WEIGHTS,
    field::{Edit, Face, Place, fit_to_write},
};
use crate::{
    cluster::{ServerRow, database::Row},
    plan::Verdict::{Ok, Refuse, Warn},
};

impl Draft<'_> {
    pub(super) fn weigh(&mut self, row: &Row, weight: impl Fn(&Face<'_>) -> u64, leave_readers: bool) {
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
            let family = face.family(&address);
            let writes = |s: &&Seat| s.family == family && s.place == Place::Writer;
            let find = |seats: &[Seat]| seats.iter().find(writes).cloned();
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

    pub(super) fn move_writer(&mut self, row: &Row) {
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
            let family = face.family(&address);
            let beside = face.seats.iter().filter(|s| s.family == family && s.address != address);
            let others = beside.map(|s| s.weight).max().unwrap_or(0);
            let own = face.seat(&address).map_or(0, |s| s.weight);
            if own > others { own } else { others + 1 }
        };
        self.weigh(row, above, true);
    }
}
