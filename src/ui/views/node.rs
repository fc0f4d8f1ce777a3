//! One node: its conditions, what it gives and what is taken of it, and the tenants on it.

pub(super) mod carried;
mod parts;

use std::{cmp::Reverse, collections::BTreeSet};

use ratatui::layout::Rect;

use carried::Carried;

use super::{answers, beside, counted, deeds, marks::Marks, nodes, side};
use crate::{
    cluster::{Key, NodeName, ObjectKey, Subject, TenantName},
    plan::whatif::Loss,
    ui::{
        action::{Action, Containers},
        command::Command,
        filter::{Fields, Filter, Of},
        paint::Pen,
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// One node.
pub struct NodeView {
    name: NodeName,
    list: List<TenantName>,
    rows: Vec<Carried>,
    /// Tenants here, shown or not.
    all: usize,
    filter: Filter,
    order: usize,
    marks: Marks<TenantName>,
}

/// The orders of the tenants; by ready those come first that miss most pods.
const ORDERS: [&str; 4] = ["worst", "name", "here", "ready"];

static FIELDS: Fields = Fields { columns: &["tenant", "here", "ready"], labels: false };

impl NodeView {
    /// The view of that node.
    pub fn new(name: NodeName) -> Self {
        Self {
            name,
            list: List::default(),
            rows: Vec::new(),
            all: 0,
            filter: Filter::default(),
            order: 0,
            marks: Marks::default(),
        }
    }

    /// The pod of a tenant here, the worst one.
    fn pod_of(&self, tenant: &TenantName, cx: &Cx<'_>) -> Option<Key> {
        let tenant = cx.seen.tenants.get(tenant)?;
        let here = tenant.pods.iter().filter(|pod| pod.node.as_ref() == Some(&self.name));
        here.max_by_key(|pod| cx.seen.state_of(pod)).map(|pod| pod.key.clone())
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(TOP + 1))
    }
}

/// Commands about the node, not about a tenant on it.
fn of_it(command: Command) -> bool {
    use Command::{Cordon, Drain, Rebalance, Uncordon, Undrain};
    matches!(command, Cordon | Drain | Rebalance | Uncordon | Undrain)
}

/// Lines above the tenants.
const TOP: u16 = 10;

impl View for NodeView {
    fn place(&self) -> Place {
        Place::Node(self.name.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.rows = carried::carried(cx, &self.name);
        self.all = self.rows.len();
        let here: BTreeSet<_> = self.rows.iter().map(|row| row.name.clone()).collect();
        self.marks.keep(|name| here.contains(name));
        let filter = &self.filter;
        self.rows.retain(|row| {
            filter.is_empty()
                || filter.keeps(&format!("{} {}/{}", row.name, row.ready, row.wanted), |of| match of {
                    Of::Column("tenant") => Some(row.name.to_string()),
                    Of::Column("here") => Some(row.here.active().to_string()),
                    Of::Column("ready") => Some(row.ready.to_string()),
                    _ => None,
                })
        });
        // Tenants come in the order of their names; a stable sort keeps it among equals.
        match ORDERS[self.order % ORDERS.len()] {
            "name" => {}
            "here" => self.rows.sort_by_key(|row| Reverse(row.here.active())),
            "ready" => self.rows.sort_by_key(|row| Reverse(row.wanted.saturating_sub(row.ready))),
            _ => self.rows.sort_by_key(|Carried { here, .. }| {
                Reverse((here.failing, here.unknown, here.starting, here.active()))
            }),
        }
        let (rows, page) = (&self.rows, self.page(cx));
        self.list.settle(rows.len(), page, |i| rows[i].name.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (rows, page) = (&self.rows, self.page(cx));
        if self.list.go(command, rows.len(), page, |i| rows[i].name.clone()) {
            return None;
        }
        if command == Command::WhatIf {
            return Some(Action::Go(Place::WhatIf(vec![self.name.clone()], Loss::Crash)));
        }
        if matches!(command, Command::Describe | Command::Yaml) {
            return Some(super::object::open(command, ObjectKey::Node(self.name.clone())));
        }
        if command == Command::Undo {
            return nodes::undoable(cx, &self.name).ok();
        }
        if of_it(command) {
            return match nodes::refused(command, Some(&self.name), cx) {
                Some(why) => Some(Action::Say(why)),
                None => nodes::of_node(command, self.name.clone(), cx),
            };
        }
        self.list.hold();
        let name = self.list.selected().cloned()?;
        match command {
            Command::Mark => {
                self.marks.toggle(&mut self.list, rows.len(), page, |i| rows[i].name.clone());
                None
            }
            Command::Exec => {
                let node = Some(self.name.clone());
                Some(Action::Shell(Containers { tenant: Some(name), node, ..Containers::default() }))
            }
            Command::Forward => {
                let node = Some(self.name.clone());
                Some(Action::AskForward(Containers { tenant: Some(name), node, ..Containers::default() }))
            }
            Command::Open => Some(match self.pod_of(&name, cx) {
                Some(pod) => Action::GoTo(Place::Tenant(name.clone()), Place::Log(name, Some(pod))),
                None => Action::Go(Place::Tenant(name)),
            }),
            _ => deeds::of_tenants(command, self.marks.targets(&self.list)),
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(node) = cx.seen.nodes.get(&self.name) else {
            let text = match cx.seen.nodes.freshness.trouble() {
                Some(why) if cx.seen.nodes.is_empty() => format!("nodes cannot be read: {why}"),
                _ => format!("there is no node {} any more", self.name),
            };
            pen.put(1, 1, width, &text, Role::Warn);
            return;
        };
        parts::head(pen, cx, node);
        parts::troubles(pen, node);
        parts::amounts(pen, cx, node);
        parts::if_it_fails(pen, cx, node);
        let (list, detail) = beside(pen.area, side(width));
        self.tenants(&mut pen.within(list), cx);
        if let Some(area) = detail {
            let area = Rect { y: area.y + TOP, height: area.height.saturating_sub(TOP), ..area };
            carried::hit(&mut pen.within(area), cx, &self.name);
        }
    }

    fn status(&self, _: &Cx<'_>) -> String {
        let marked = self.marks.words();
        let counted = counted(self.rows.len(), self.all, "tenant", &self.filter, &ORDERS, self.order);
        marked.into_iter().chain([counted]).collect::<Vec<_>>().join(" · ")
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        if command == Command::WhatIf {
            let there = cx.seen.nodes.get(&self.name).is_some();
            return (!there).then(|| format!("there is no node {} any more", self.name));
        }
        if of_it(command) {
            return nodes::refused(command, Some(&self.name), cx);
        }
        if command == Command::Undo {
            return nodes::undoable(cx, &self.name).err();
        }
        use Command::{Exec, Forward, Mark, Open};
        let of_tenant = deeds::is_of_tenants(command) || matches!(command, Exec | Forward | Mark | Open);
        (of_tenant && self.list.selected().is_none()).then(|| "no tenant is selected".into())
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        command == Command::Undo && self.refuses(command, cx).is_some()
    }

    fn turned(&self, command: Command, cx: &Cx<'_>) -> bool {
        command == Command::Cordon && nodes::is_cordoned(cx, Some(&self.name))
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Tenant(name) = what else { return };
        let (rows, page) = (&self.rows, self.page(cx));
        if let Some(at) = rows.iter().position(|row| row.name == *name) {
            self.list.put(at, rows.len(), page, |i| rows[i].name.clone());
        }
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        let about = |subject| Stop::About(subject);
        let tenant = self.list.selected().cloned().map(|name| about(Subject::Tenant(name)));
        let all = [about(Subject::Node(self.name.clone()))].into_iter().chain(tenant);
        answers::of_all(cx, &self.place(), all)
    }

    fn subject(&self) -> Option<String> {
        self.marks.subject(&self.list, "tenant")
    }
}

impl NodeView {
    fn tenants(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        carried::headings(pen, TOP);
        let body = usize::from(pen.height().saturating_sub(TOP + 1));
        for (i, y) in self.list.window(self.rows.len(), body).zip(TOP + 1..) {
            let row = &self.rows[i];
            self.marks.sign(pen, y, &row.name);
            carried::line(pen, y, cx, &self.name, row);
            if self.list.selected() == Some(&row.name) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.rows.is_empty() {
            let text = match self.all {
                0 => "no tenant has a pod here",
                _ => "no tenant matches the filter  esc shows all",
            };
            pen.put(4, TOP + 1, pen.width(), text, Role::Muted);
        }
    }
}
