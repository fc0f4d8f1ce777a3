//! One node: its conditions, what it gives and what is taken of it, and the tenants on it.

mod parts;

use std::{cmp::Reverse, collections::BTreeSet};

use super::{answers, counted, deeds, heading, marks::Marks, nodes};
use crate::{
    cluster::{Cell, Key, NodeName, ObjectKey, Subject, TenantName},
    plan::whatif::Loss,
    run::Lent,
    ui::{
        action::{Action, Containers},
        command::Command,
        filter::{Fields, Filter, Of},
        paint::Pen,
        parts::cell,
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// One node.
pub struct NodeView {
    name: NodeName,
    list: List<TenantName>,
    rows: Vec<(TenantName, Cell, u32, u32)>,
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
        self.rows.clear();
        let lent = Lent::of(cx.runs);
        for tenant in cx.seen.tenants.values() {
            let mut cell = Cell::default();
            tenant
                .pods
                .iter()
                .filter(|p| p.node.as_ref() == Some(&self.name))
                .for_each(|p| cell.add(cx.seen.state_of(p)));
            if cell != Cell::default() {
                self.rows.push((tenant.name.clone(), cell, tenant.ready(), lent.wanted(tenant)));
            }
        }
        self.all = self.rows.len();
        let here: BTreeSet<_> = self.rows.iter().map(|row| row.0.clone()).collect();
        self.marks.keep(|name| here.contains(name));
        let filter = &self.filter;
        self.rows.retain(|(name, cell, ready, desired)| {
            filter.is_empty()
                || filter.keeps(&format!("{name} {ready}/{desired}"), |of| match of {
                    Of::Column("tenant") => Some(name.to_string()),
                    Of::Column("here") => Some(cell.active().to_string()),
                    Of::Column("ready") => Some(ready.to_string()),
                    _ => None,
                })
        });
        // Tenants come in the order of their names; a stable sort keeps it among equals.
        match ORDERS[self.order % ORDERS.len()] {
            "name" => {}
            "here" => self.rows.sort_by_key(|(_, cell, ..)| Reverse(cell.active())),
            "ready" => {
                self.rows.sort_by_key(|(_, _, ready, desired)| Reverse(desired.saturating_sub(*ready)))
            }
            _ => self.rows.sort_by_key(|(_, cell, ..)| {
                Reverse((cell.failing, cell.unknown, cell.starting, cell.active()))
            }),
        }
        let (rows, page) = (&self.rows, self.page(cx));
        self.list.settle(rows.len(), page, |i| rows[i].0.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (rows, page) = (&self.rows, self.page(cx));
        if self.list.go(command, rows.len(), page, |i| rows[i].0.clone()) {
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
                self.marks.toggle(&mut self.list, rows.len(), page, |i| rows[i].0.clone());
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
        self.tenants(pen, cx);
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

    fn let_go(&mut self) {
        self.list.release();
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Tenant(name) = what else { return };
        let (rows, page) = (&self.rows, self.page(cx));
        if let Some(at) = rows.iter().position(|(tenant, ..)| tenant == name) {
            self.list.put(at, rows.len(), page, |i| rows[i].0.clone());
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
        heading(pen, 4, TOP, "TENANT");
        pen.put_right(31, TOP, 8, "HERE", Role::Title);
        pen.put_right(40, TOP, 8, "READY", Role::Title);
        let body = usize::from(pen.height().saturating_sub(TOP + 1));
        for (line, i) in self.list.window(self.rows.len(), body).enumerate() {
            let y = TOP + 1 + line as u16;
            let (name, cell, ready, desired) = &self.rows[i];
            self.marks.sign(pen, y, name);
            pen.put(4, y, 20, &cx.tenant_name(name, 20), Role::Text);
            cell::draw(pen, 32, y, *cell);
            let tone = if ready < desired { Role::Warn } else { Role::Muted };
            pen.put_right(40, y, 8, &format!("{ready}/{desired}"), tone);
            if self.list.selected() == Some(name) {
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
