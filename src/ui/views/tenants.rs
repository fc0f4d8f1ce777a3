//! Tenants and where their pods sit: the first screen.
//!
//! ```text
//!  ✖ initech    no pod of 2 is ready           4m   a open    the worst findings, always as many lines
//!    TENANT     STATE   READY  w1 w2 w3  MEMORY  RST  IMAGE
//! ›✖ initech    down      0/2   x  ·  x     –      7  2.4.1    one row a tenant
//! ```

mod columns;
mod rows;
mod strip;
mod table;

use std::cmp::Reverse;

use ratatui::layout::Rect;

use super::{beside, deeds, is_wide, marks::Marks, nothing_yet, pods};
use crate::{
    cluster::{self, NodeName, ObjectKey, Severity, Snapshot, TenantName},
    plan::{rebalance::Aim, whatif::Loss},
    ui::{
        action::{Action, Containers},
        command::{self, Command, Sort},
        filter::Filter,
        paint::Pen,
        view::{Cx, Lens, List, Place, View},
    },
};

use rows::{Row, Rows};

/// Tenants and where their pods sit.
#[derive(Default)]
pub struct Tenants {
    list: List<TenantName>,
    /// The place of the order among [`Sort::ALL`].
    order: usize,
    filter: Filter,
    faults: bool,
    marks: Marks<TenantName>,
    rows: Rows,
    slots: strip::Slots,
    /// The places of those shown among the rows, in order.
    shown: Vec<usize>,
    /// Something but the cluster has changed: the filter, the order.
    stale: bool,
}

impl Tenants {
    fn arrange(&mut self, cx: &Cx<'_>) {
        let keep = |row: &Row| {
            (!self.faults || row.worst.is_some_and(|s| s > Severity::Notice))
                && (self.filter.is_empty() || self.rows.keeps(cx, &self.filter, row))
        };
        let rows = &self.rows.all;
        let mut shown: Vec<usize> = (0..rows.len()).filter(|i| keep(&rows[*i])).collect();
        let share = |r: &Row| match r.facts.wanted {
            0 => 1.0,
            n => f64::from(r.facts.ready) / f64::from(n),
        };
        let full = |r: &Row| r.memory().map_or(-1.0, |(used, limit)| used.share_of(limit));
        // Rows come in the order of their names; a stable sort keeps it among equals.
        match self.sort() {
            Sort::Worst => shown.sort_by_key(|i| (Reverse(rows[*i].worst), rows[*i].health, rows[*i].rank)),
            Sort::Name => {}
            Sort::Ready => shown.sort_by(|a, b| share(&rows[*a]).total_cmp(&share(&rows[*b]))),
            Sort::Replicas => shown.sort_by_key(|i| Reverse(rows[*i].facts.wanted)),
            Sort::Left => shown.sort_by_key(|i| self.rows.left(&rows[*i]).unwrap_or(u32::MAX)),
            Sort::Memory => shown.sort_by(|a, b| full(&rows[*b]).total_cmp(&full(&rows[*a]))),
            Sort::Restarts => shown.sort_by_key(|i| Reverse(rows[*i].facts.restarts)),
            Sort::Image => shown.sort_by(|a, b| rows[*a].facts.tag.cmp(&rows[*b].facts.tag)),
        }
        self.shown = shown;
    }

    fn settle(&mut self, cx: &Cx<'_>) {
        self.arrange(cx);
        let page = self.page(cx);
        let shown = &self.shown;
        self.list.settle(shown.len(), page, self.rows.names(shown));
        self.stale = false;
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        let strip = if is_wide(cx.size.0) { 0 } else { strip::height(cx.size.1) };
        usize::from(cx.size.1.saturating_sub(strip + 1))
    }

    /// The tenants a command is about: the marked ones, or the one under the cursor.
    fn targets(&self) -> Vec<TenantName> {
        self.marks.targets(&self.list)
    }

    fn arranged(&mut self, sort: Sort, cx: &Cx<'_>) {
        self.order = Sort::ALL.iter().position(|known| *known == sort).unwrap_or(0);
        self.list.release();
        self.settle(cx);
    }

    fn sort(&self) -> Sort {
        Sort::ALL.get(self.order).copied().unwrap_or_default()
    }
}

impl View for Tenants {
    fn place(&self) -> Place {
        Place::Tenants
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.rows.gather(cx);
        let tenants = &cx.seen.tenants;
        if cx.seen.is_ready() {
            self.marks.keep(|name| tenants.contains_key(name));
        }
        self.slots.settle(cx);
        self.settle(cx);
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        if self.stale {
            self.settle(cx);
        }
        let page = self.page(cx);
        let shown = &self.shown;
        let arranges = matches!(command, Command::Escape | Command::Faults | Command::Sort(_));
        if !arranges {
            self.list.hold();
        }
        if self.list.go(command, shown.len(), page, self.rows.names(shown)) {
            return None;
        }
        match command {
            Command::Open => {
                return self.list.selected().cloned().map(|name| Action::Go(Place::Tenant(name)));
            }
            Command::Describe | Command::Yaml => {
                let name = self.list.selected()?;
                let key = cx.seen.tenants.get(name)?.workload.key.clone();
                return Some(super::object::open(command, ObjectKey::Workload(key)));
            }
            Command::Exec | Command::Forward => {
                let tenant = Some(self.list.selected().cloned()?);
                let meant = Containers { tenant, ..Containers::default() };
                return Some(match command {
                    Command::Exec => Action::Shell(meant),
                    _ => Action::AskForward(meant),
                });
            }
            Command::WhatIf => {
                let node = self.list.selected().and_then(|name| leans_on(cx, name));
                let (node, text) = node?;
                return Some(Action::GoSaying(Place::WhatIf(vec![node], Loss::Crash), text));
            }
            // Without marks it is the cluster: one tenant alone is seldom what is meant here.
            Command::Rebalance => {
                let tenants = self.marks.all();
                return Some(Action::Aim(Aim::Rebalance { nodes: Vec::new(), tenants }));
            }
            command if deeds::is_of_tenants(command) => return deeds::of_tenants(command, self.targets()),
            Command::AnswerLine(nth) => {
                return Some(self.slots.answer(cx, nth).unwrap_or_else(Action::Say));
            }
            Command::Recovery => return Some(Action::Go(Place::Recovery)),
            Command::ShowNode => {
                let (node, text) = self.list.selected().and_then(|name| leans_on(cx, name))?;
                return Some(Action::GoSaying(Place::Node(node), text));
            }
            Command::Undo => {
                let run = self.list.selected().and_then(|name| undoable(cx, name));
                return Some(match run {
                    Some(id) => Action::Undo(id),
                    None => Action::Say(self.refuses(command, cx).unwrap_or_default()),
                });
            }
            Command::Mark => {
                let shown = &self.shown;
                self.marks.toggle(&mut self.list, shown.len(), page, self.rows.names(shown));
            }
            Command::Escape => {
                self.marks.clear();
                self.filter.clear();
                self.faults = false;
                self.settle(cx);
            }
            Command::Faults => {
                self.faults = !self.faults;
                self.settle(cx);
            }
            Command::Sort(sort) => self.arranged(sort, cx),
            _ => {}
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        if nothing_yet(pen, cx) {
            return;
        }
        let area = pen.area;
        let (table, Some(side)) = beside(area, super::side(area.width)) else {
            let top = strip::height(area.height);
            self.findings(pen, cx, top.saturating_sub(1));
            let table = Rect { y: area.y + top, height: area.height.saturating_sub(top), ..area };
            self.table(&mut pen.within(table), cx);
            return;
        };
        // Beside the table: what is wrong, and below it whom the cursor is on.
        self.table(&mut pen.within(table), cx);
        let lines = strip::WIDE as u16;
        let causes = Rect { height: lines.min(area.height), ..side };
        self.findings(&mut pen.within(causes), cx, causes.height);
        let below = Rect { y: area.y + lines + 1, height: area.height.saturating_sub(lines + 1), ..causes };
        if let Some(tenant) = self.list.selected().and_then(|name| cx.seen.tenants.get(name)) {
            pods::aside(&mut pen.within(below), cx, tenant);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        if !cx.seen.is_ready() {
            return String::new();
        }
        let mut words = Vec::new();
        words.extend(self.marks.words());
        if self.faults {
            words.push("faults only".into());
        }
        words.extend(self.filter.words());
        let all = self.rows.all.len();
        words.push(if self.shown.len() == all {
            format!("{} of {all}", (self.list.index() + 1).min(all))
        } else {
            format!("{} of {all} shown", self.shown.len())
        });
        words.push(match self.sort() {
            Sort::Worst => "worst first".into(),
            Sort::Image if cx.size.0 >= 100 => {
                format!("by image: {}, {}", images(cx.seen), super::usual(&Sort::WORDS))
            }
            sort => format!("by {sort}, {}", super::usual(&Sort::WORDS)),
        });
        words.join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        use Command::{Describe, Exec, Forward, Mark, Open, ShowNode, WhatIf, Yaml};
        match command {
            Command::Recovery => super::answers::nothing_to_recover(cx),
            command
                if self.list.selected().is_none()
                    && (deeds::is_of_tenants(command)
                        || matches!(
                            command,
                            Describe | Exec | Forward | Mark | Open | ShowNode | WhatIf | Yaml
                        )) =>
            {
                Some("no tenant is selected".into())
            }
            WhatIf | ShowNode => match self.list.selected() {
                Some(name) if leans_on(cx, name).is_none() => Some(format!(
                    "{name} has no ready pod on a node; {} ranks the nodes",
                    command::sign(Command::Ranking)
                )),
                _ => None,
            },
            Command::Undo => match self.list.selected() {
                None => Some("no tenant is selected".into()),
                Some(name) if undoable(cx, name).is_none() => {
                    Some(format!("no run of {name} can be taken back"))
                }
                Some(_) => None,
            },
            _ => None,
        }
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        strip::answer(cx)
    }

    fn subject(&self) -> Option<String> {
        self.marks.subject(&self.list, "tenant")
    }

    fn lens(&mut self) -> Lens<'_> {
        self.stale = true;
        Lens::of(&mut self.filter, &rows::FIELDS, &mut self.order, &Sort::WORDS)
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        command == Command::Recovery && super::answers::nothing_to_recover(cx).is_some()
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        if *what == Place::Tenants {
            self.slots.clear();
            self.slots.settle(cx);
        }
        let Place::Tenant(name) = what else { return };
        let place = |all: &Self| all.shown.iter().position(|i| all.rows.all[*i].name() == name);
        if place(self).is_none() {
            self.filter.clear();
            self.faults = false;
            self.settle(cx);
        }
        let page = self.page(cx);
        if let Some(i) = place(self) {
            let shown = &self.shown;
            self.list.put(i, shown.len(), page, self.rows.names(shown));
        }
    }
}

/// The node that carries most of the tenant's ready pods, which it would miss most; and that in words.
fn leans_on(cx: &Cx<'_>, name: &TenantName) -> Option<(NodeName, String)> {
    let tenant = cx.seen.tenants.get(name)?;
    let placed = cx.seen.cells(tenant).into_iter().filter_map(|(node, cell)| Some((node?, cell.ready))).rev();
    let (node, here) = placed.filter(|(_, ready)| *ready > 0).max_by_key(|(_, ready)| *ready)?;
    let text = match (here, tenant.ready()) {
        (1, 1) => format!("{node} carries the only ready pod of {name}"),
        (1, all) => format!("{node} carries 1 of {all} ready pods of {name}, no node carries more"),
        (here, all) => {
            format!("{node} carries {here} of {all} ready pods of {name}, more than any other node")
        }
    };
    Some((node, text))
}

/// The last run that changed this tenant and is not taken back, when it is over.
pub(super) fn undoable(cx: &Cx<'_>, name: &TenantName) -> Option<String> {
    let newest = cx
        .runs
        .iter()
        .filter(|k| k.run.tenants().any(|t| t == name))
        .max_by(|a, b| a.run.id.cmp(&b.run.id))?;
    use crate::run::RunState::{Done, Failed, Paused};
    (matches!(newest.run.state, Done | Failed | Paused) && !newest.run.made().is_empty())
        .then(|| newest.run.id.clone())
}

/// How many tenants have which image, those that most have first.
fn images(seen: &Snapshot) -> String {
    const TOLD: usize = 4;
    let all = cluster::images(seen);
    let mut told: Vec<_> =
        all.iter().take(TOLD).map(|image| format!("{} {}", image.tag, image.tenants.len())).collect();
    if all.len() > TOLD {
        told.push(format!("{} more", all.len() - TOLD));
    }
    told.join(", ")
}
