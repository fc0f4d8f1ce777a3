//! Weights, and with them the writer: the heaviest writes.

use super::super::{
    Backend, Draft, WEIGHTS,
    routing::{BackendRole, Edit, Proxied, fit_to_write},
};
use crate::{
    cluster::{ServerRow, database::Row},
    plan::Verdict::{Ok, Refuse, Warn},
};

impl Draft<'_> {
    pub(super) fn change_weight(
        &mut self,
        row: &Row,
        weight: impl Fn(&Proxied<'_>) -> u64,
        leave_readers: bool,
    ) {
        let address = self.routing.address_of(row);
        let mut edits = Vec::new();
        let mut before = Vec::new();
        for proxied in &self.routing.proxied {
            let weight = weight(proxied);
            if !WEIGHTS.contains(&weight) {
                let (low, high) = (WEIGHTS.start(), WEIGHTS.end());
                let text = format!("a weight of {weight} is not between {low} and {high}");
                self.checks.push(crate::plan::Check::new("range", Refuse, text));
                return;
            }
            let from = proxied.rows(&address);
            if from.is_empty() {
                let text = format!(
                    "{} is not among the servers of {}: bring it back first",
                    row.label, proxied.name
                );
                self.checks.push(crate::plan::Check::new("member", Refuse, text));
                continue;
            }
            let mut to: Vec<_> = from.iter().map(|r| ServerRow { weight, ..r.clone() }).collect();
            if ServerRow::alike(&proxied.status.servers_of(&address), &to) {
                continue;
            }
            // The new writer's rows among the readers would stay, beside the writer's, unless they go now.
            let reader = |hostgroup: u32| {
                proxied.groups.iter().any(|g| g.reader == hostgroup && g.writer_is_also_reader != 1)
            };
            let others = proxied
                .backends
                .iter()
                .any(|s| s.address != address && s.reads && s.role != BackendRole::Writer);
            if leave_readers && others && to.iter().any(|r| !reader(r.hostgroup)) {
                to.retain(|r| !reader(r.hostgroup));
            }
            before.push(from.iter().map(|r| r.weight).max().unwrap_or(0));
            edits.push(Edit { proxy: proxied.name.clone(), address: address.clone(), from, to });
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
        for (proxied, backends) in self.routing.proxied.iter().zip(&after) {
            let cluster = proxied.cluster(&address);
            let (old, new) =
                (Proxied::writers(&proxied.backends, cluster), Proxied::writers(backends, cluster));
            let names = |of: &[&Backend], but: &[&Backend]| {
                let left = of.iter().filter(|s| but.iter().all(|o| o.address != s.address));
                left.map(|s| s.label.as_str()).collect::<Vec<_>>().join(", ")
            };
            let (from, to) = (names(&old, &new), names(&new, &old));
            if to.is_empty() {
                continue;
            }
            let unfit = new.iter().any(|s| {
                let row = self.routing.db.members.iter().find(|r| Some(&r.name) == s.member.as_ref());
                !row.is_some_and(fit_to_write)
            });
            let (verdict, how) = if unfit { (Refuse, ", which cannot write") } else { (Warn, "") };
            let text = format!(
                "{}: the writer moves from {from} to {to}{how}, within {}",
                proxied.name,
                proxied.interval()
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
        let address = self.routing.address_of(row);
        if !self.routing.proxied.is_empty() && self.routing.proxied.iter().all(|f| f.writes_to(&address)) {
            self.check(
                "nothing",
                Ok,
                format!("{} takes the writes of every proxy already: there is nothing to do", row.label),
            );
            return;
        }
        let above = |proxied: &Proxied<'_>| {
            let cluster = proxied.cluster(&address);
            let beside = proxied.backends.iter().filter(|s| s.cluster == cluster && s.address != address);
            let others = beside.filter_map(|s| s.weight).max().unwrap_or(0);
            let own = proxied.backend(&address).and_then(|s| s.weight).unwrap_or(0);
            if own > others { own } else { others + 1 }
        };
        self.change_weight(row, above, true);
    }
}
