//! All ready nodes by the harm of their loss, the worst first.

use std::cmp::Reverse;

use super::{answers, counted, is_wide, not_known, nothing_yet, selection::Selection};
use crate::{
    cluster::{Subject, TenantName},
    plan::whatif::{Harm, Loss},
    ui::{
        action::Action,
        chrome,
        command::Command,
        filter::{Fields, Filter, Of},
        format,
        paint::Pen,
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, Place, View},
    },
};

/// The nodes by the harm of their loss.
#[derive(Default)]
pub struct Ranking {
    selection: Selection,
    filter: Filter,
    order: usize,
}

/// The orders of the nodes.
const ORDERS: [&str; 6] = ["harm", "name", "pending", "lost", "halved", "pods"];

static FIELDS: Fields =
    Fields { columns: &["node", "down", "pending", "lost", "halved", "pods"], labels: false };

fn ranking<'a>(cx: &Cx<'a>) -> &'a [Harm] {
    cx.outlook.map_or(&[], |o| &o.ranking)
}

/// Pods that nobody makes again, or not before the node is back.
fn lost(harm: &Harm) -> u32 {
    harm.stuck + harm.lone
}

impl Ranking {
    /// The nodes that are shown, in their order.
    fn shown<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Harm> {
        let keeps = |harm: &&Harm| {
            let down: Vec<_> = harm.down.iter().map(TenantName::as_str).collect();
            self.filter.is_empty()
                || self.filter.keeps(&format!("{} {}", harm.node, down.join(" ")), |of| match of {
                    Of::Column("node") => Some(harm.node.to_string()),
                    Of::Column("down") => Some(harm.down.len().to_string()),
                    Of::Column("halved") => Some(harm.halved.len().to_string()),
                    Of::Column("pending") => Some(harm.pending.to_string()),
                    Of::Column("lost") => Some(lost(harm).to_string()),
                    Of::Column("pods") => Some(harm.pods.to_string()),
                    _ => None,
                })
        };
        let mut all: Vec<_> = ranking(cx).iter().filter(keeps).collect();
        match ORDERS[self.order % ORDERS.len()] {
            "name" => all.sort_by(|a, b| a.node.cmp(&b.node)),
            "halved" => all.sort_by_key(|harm| Reverse(harm.halved.len())),
            "pending" => all.sort_by_key(|harm| Reverse(harm.pending)),
            "lost" => all.sort_by_key(|harm| Reverse(lost(harm))),
            "pods" => all.sort_by_key(|harm| Reverse(harm.pods)),
            _ => {}
        }
        all
    }
}

/// Lines for the whole of the selected one, with the one above them: in its row it may be cut.
fn foot((width, height): (u16, u16)) -> u16 {
    if is_wide(width) || height < 12 { 0 } else { 4 }
}

fn page(cx: &Cx<'_>) -> usize {
    usize::from(cx.size.1.saturating_sub(1 + foot(cx.size)))
}

/// Who is down if that node fails, and what becomes of the database.
fn told(harm: &Harm) -> String {
    let down = harm.down.iter().map(TenantName::as_str).collect::<Vec<_>>().join(", ");
    let database = harm.database.iter().flat_map(|database| database.sentences());
    let said = Some(down).filter(|down| !down.is_empty()).into_iter().chain(database);
    said.collect::<Vec<_>>().join("; ")
}

impl View for Ranking {
    fn place(&self) -> Place {
        Place::Ranking
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.selection.marks.keep(|node| ranking(cx).iter().any(|h| h.node == *node));
        let all = self.shown(cx);
        self.selection.list.settle(all.len(), page(cx), |i| all[i].node.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let all = self.shown(cx);
        let key = |i: usize| all[i].node.clone();
        self.selection.list.hold();
        if self.selection.list.go(command, all.len(), page(cx), key) {
            return None;
        }
        match command {
            Command::Open => {
                let node = self.selection.list.selected().cloned()?;
                return Some(Action::Go(Place::WhatIf(vec![node], Loss::Crash)));
            }
            Command::WhatIf => return self.selection.if_lost(),
            Command::Mark => self.selection.mark(all.len(), page(cx), key),
            Command::Escape => {
                self.selection.marks.clear();
                self.filter.clear();
                self.refresh(cx);
            }
            _ => {}
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        if nothing_yet(pen, cx) {
            return;
        }
        let width = pen.width();
        let all = self.shown(cx);
        if cx.outlook.is_none() {
            pen.put(4, 1, width, "working out the loss of each node …", Role::Busy);
            return;
        }
        if let Some(why) = cx.outlook.and_then(|o| o.unknown.as_ref()) {
            not_known(pen, 1, why);
            return;
        }
        let name = if width < 100 { 18 } else { 28 };
        // Each column where it ends.
        let ends = [8, 17, 23, 31, 37].map(|x| 5 + name + x);
        pen.put(4, 0, name, "IF THIS NODE FAILS", Role::Title);
        for (end, title) in ends.into_iter().zip(["DOWN", "PENDING", "LOST", "HALVED", "PODS"]) {
            pen.put_right(end, 0, 8, title, Role::Title);
        }
        let names_at = ends[4] + 3;
        pen.put(names_at, 0, width.saturating_sub(names_at), "TENANTS DOWN", Role::Title);
        for (line, i) in self.selection.list.window(all.len(), page(cx)).enumerate() {
            let (y, harm) = (line as u16 + 1, all[i]);
            let severity = harm.severity();
            let tone = if severity.is_some() { chrome::role(severity) } else { Role::Faint };
            pen.put(2, y, 1, chrome::glyph(severity), tone);
            pen.put(4, y, name, &cx.node_name(&harm.node, name), Role::Text);
            let [pending, lost, pods] = [harm.pending, lost(harm), harm.pods].map(|n| n as usize);
            let counts = [harm.down.len(), pending, lost, harm.halved.len(), pods];
            for (i, (end, n)) in ends.into_iter().zip(counts).enumerate() {
                let role = match (i, n) {
                    (_, 0) => Role::Faint,
                    (0..=2, _) => Role::Warn,
                    _ => Role::Text,
                };
                pen.put_right(end, y, 6, &n.to_string(), role);
            }
            pen.put(names_at, y, width.saturating_sub(names_at + 1), &told(harm), Role::Text);
            self.selection.signs(pen, y, &harm.node);
        }
        let foot = foot(cx.size).saturating_sub(1);
        if let Some(harm) = all.get(self.selection.list.index()).filter(|_| foot > 0) {
            let room = width.saturating_sub(5);
            let said = Some(told(harm)).filter(|said| !said.is_empty());
            let text = format!("if {} fails: {}", harm.node, said.as_deref().unwrap_or("no tenant is down"));
            let top = pen.height().saturating_sub(foot);
            for (y, line) in (top..pen.height()).zip(format::wrap(&format::plain(&text), room)) {
                pen.put(4, y, room, &line, Role::Muted);
            }
        }
        if all.is_empty() {
            let text = match ranking(cx) {
                [] => "no node is ready",
                _ => "no node matches the filter  esc shows all",
            };
            pen.put(4, 1, width, text, Role::Muted);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let mut words = Vec::new();
        if let Some(age) = cx.outdated() {
            words.push(format!("as of {age} ago"));
        }
        words.extend(self.selection.words());
        let (shown, all) = (self.shown(cx).len(), ranking(cx).len());
        words.push(counted(shown, all, "ready node", &self.filter, &ORDERS, self.order));
        words.join(" · ")
    }

    fn refuses(&self, command: Command, _: &Cx<'_>) -> Option<String> {
        self.selection.refuses(command)
    }

    fn let_go(&mut self) {
        self.selection.list.release();
    }

    fn unmark(&mut self) -> bool {
        self.selection.marks.clear()
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        self.selection.names()
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        let node = self.selection.list.selected()?.clone();
        answers::of_all(cx, &self.place(), [Stop::About(Subject::Node(node))])
    }

    fn answers_any(&self, cx: &Cx<'_>) -> bool {
        let of_nodes = cx.findings.iter().map(|finding| &finding.subject);
        let of_nodes = of_nodes.filter(|subject| matches!(subject, Subject::Node(_))).cloned();
        answers::of_all(cx, &self.place(), of_nodes.map(Stop::About)).is_some()
    }

    fn subject(&self) -> Option<String> {
        self.selection.subject()
    }
}
