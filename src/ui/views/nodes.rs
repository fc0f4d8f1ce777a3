//! Nodes: how they are, what they carry of what they offer. Requests, limits and use are three different things and
//! are never added up.

mod below;
mod columns;
mod shares;

use std::{cmp::Reverse, collections::BTreeMap};

use super::{answers, node_sign, nothing_yet, selection::Selection};
use crate::{
    cluster::{Finding, Node, NodeName, NodeState, ObjectKey, Severity, Subject, cluster_room, node_room},
    plan::{Intent, rebalance::Aim, whatif},
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

use columns::Columns;
use shares::{NAME, legend};
pub(super) use shares::{NARROW, Shares, free, stacked};

static FIELDS: Fields =
    Fields { columns: &["node", "state", "zone", "pods", "tenants", "memory", "taint"], labels: true };

/// The orders of the nodes.
const ORDERS: [&str; 6] = ["worst", "name", "pods", "tenants", "memory", "age"];

const ZONE: &str = "topology.kubernetes.io/zone";

/// All nodes.
#[derive(Default)]
pub struct Nodes {
    selection: Selection,
    filter: Filter,
    faults: bool,
    order: usize,
    shown: Vec<NodeName>,
    /// The place of each, shown or not, as they stood last in the usual order.
    stood: BTreeMap<NodeName, usize>,
    short: Vec<(NodeName, String)>,
    /// Tenants with an active pod there.
    tenants: BTreeMap<NodeName, usize>,
}

impl Nodes {
    fn arrange(&mut self, cx: &Cx<'_>) {
        let mut nodes: Vec<_> = cx.seen.nodes.values().collect();
        let pods = |n: &Node| cx.seen.load_of(&n.name).map_or(0, |load| load.pods);
        let full = |n: &Node| {
            let used = cx.seen.node_usage.get(&n.name).map(|u| u.memory);
            used.map_or(-1.0, |used| used.share_of(n.allocatable.memory.unwrap_or_default()))
        };
        // Nodes come in the order of their names; a stable sort keeps it among equals.
        match ORDERS[self.order % ORDERS.len()] {
            "name" => {}
            "pods" => nodes.sort_by_key(|n| Reverse(pods(n))),
            "tenants" => nodes.sort_by_key(|n| Reverse(self.tenants.get(&n.name).copied())),
            "memory" => nodes.sort_by(|a, b| full(b).total_cmp(&full(a))),
            "age" => nodes.sort_by_key(|n| n.ready_since()),
            _ => {
                nodes.sort_by_key(|n| Reverse((n.state(), trouble(cx, &n.name).is_some())));
                // Under a cursor that a key has moved no row jumps, but for a node that fails.
                if self.selection.list.is_held() {
                    let grave = |n: &Node| n.state().max(NodeState::Cordoned);
                    let stood = |n: &Node| self.stood.get(&n.name).copied().unwrap_or(usize::MAX);
                    nodes.sort_by_key(|n| (Reverse(grave(n)), stood(n)));
                }
                self.stood = nodes.iter().enumerate().map(|(at, n)| (n.name.clone(), at)).collect();
            }
        }
        nodes.retain(|n| !self.faults || n.state() != NodeState::Ready || trouble(cx, &n.name).is_some());
        nodes.retain(|n| self.keeps(cx, n));
        self.shown = nodes.into_iter().map(|n| n.name.clone()).collect();
        let page = self.page(cx);
        let shown = &self.shown;
        self.selection.list.settle(shown.len(), page, |i| shown[i].clone());
    }

    fn keeps(&self, cx: &Cx<'_>, node: &Node) -> bool {
        let state = state_of(cx, node).word;
        self.filter.is_empty()
            || self.filter.keeps(&format!("{} {state}", node.name), |of| match of {
                Of::Column("node") => Some(node.name.to_string()),
                Of::Column("state") => Some(state.into()),
                Of::Column("zone") => node.labels.get(ZONE).map(|zone| zone.to_string()),
                Of::Column("pods") => cx.seen.load_of(&node.name).map(|load| load.pods.to_string()),
                Of::Column("memory") => {
                    let used = cx.seen.node_usage.get(&node.name)?.memory;
                    let share = used.share_of(node.allocatable.memory?);
                    Some(format!("{:.0}", share * 100.0))
                }
                Of::Column("tenants") => Some(self.tenants.get(&node.name).copied().unwrap_or(0).to_string()),
                Of::Column("taint") => {
                    Some(node.taints.iter().map(|t| &*t.key).collect::<Vec<_>>().join(" "))
                }
                Of::Column(_) => None,
                Of::Label(key) => node.labels.get(key).map(|value| value.to_string()),
            })
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(1 + foot(cx.size)))
    }

    /// What is free on the selected node and on all ready ones, in each of its three meanings, and the signs.
    fn foot(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let lines = foot((pen.width(), pen.height()));
        if lines == 0 {
            return;
        }
        let mut y = pen.height() - lines + 1;
        let each = if lines > 4 { 2 } else { 1 };
        if let Some(name) = self.selection.list.selected() {
            free(pen, y, each, &cx.node_name(name, NAME), &node_room(cx.seen, name));
        }
        y += each;
        let ready = cx.seen.nodes.values().filter(|n| n.is_ready()).count();
        free(pen, y, each, &format::count(ready, "ready node"), &cluster_room(cx.seen));
        if pen.width() >= NARROW {
            legend(pen, y + each);
        }
    }
}

impl View for Nodes {
    fn place(&self) -> Place {
        Place::Nodes
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let names: Vec<&str> = cx.seen.nodes.items.keys().map(NodeName::as_str).collect();
        let short = format::short_names(&names);
        self.short = cx.seen.nodes.items.keys().cloned().zip(short).collect();
        self.tenants.clear();
        for tenant in cx.seen.tenants.values() {
            for node in tenant.placement().into_keys() {
                *self.tenants.entry(node).or_default() += 1;
            }
        }
        let nodes = &cx.seen.nodes;
        self.selection.marks.keep(|name| nodes.get(name).is_some());
        self.arrange(cx);
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        self.arrange(cx);
        let page = self.page(cx);
        let shown = &self.shown;
        if !matches!(command, Command::Escape | Command::Faults) {
            self.selection.list.hold();
        }
        if self.selection.list.go(command, shown.len(), page, |i| shown[i].clone()) {
            return None;
        }
        match command {
            Command::Open => {
                return self.selection.list.selected().cloned().map(|n| Action::Go(Place::Node(n)));
            }
            Command::Describe | Command::Yaml => {
                let node = self.selection.list.selected().cloned()?;
                return Some(super::object::open(command, ObjectKey::Node(node)));
            }
            Command::WhatIf => return self.selection.if_lost(),
            Command::Rebalance => {
                let nodes = self.selection.marks.all();
                return Some(Action::Aim(Aim::Rebalance { nodes, tenants: Vec::new() }));
            }
            Command::Undo => return undoable(cx, self.selection.list.selected()?).ok(),
            Command::Cordon | Command::Uncordon | Command::Drain | Command::Undrain => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let node = self.selection.targets().into_iter().next()?;
                return of_node(command, node, cx);
            }
            Command::Mark => {
                let shown = &self.shown;
                self.selection.mark(shown.len(), page, |i| shown[i].clone());
            }
            Command::Faults => self.faults = !self.faults,
            Command::Escape => {
                self.selection.marks.clear();
                self.filter.clear();
                self.faults = false;
            }
            _ => {}
        }
        self.arrange(cx);
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        if nothing_yet(pen, cx) {
            return;
        }
        let c = Columns::fit(pen.width());
        c.heading(pen);
        let body = usize::from(pen.height().saturating_sub(1 + foot(cx.size)));
        for (line, i) in self.selection.list.window(self.shown.len(), body).enumerate() {
            let Some(node) = cx.seen.nodes.get(&self.shown[i]) else { continue };
            let y = line as u16 + 1;
            let short = self.short.iter().find(|(n, _)| *n == node.name).map_or("", |(_, s)| s);
            let tenants = self.tenants.get(&node.name).copied().unwrap_or(0);
            c.row(pen, y, cx, node, short, tenants);
            self.selection.signs(pen, y, &node.name);
        }
        if self.shown.is_empty() {
            let text = match cx.seen.nodes.freshness.trouble() {
                Some(why) if cx.seen.nodes.is_empty() => format!("nodes cannot be read: {why}"),
                _ => "no node to show  esc shows all".into(),
            };
            pen.put(4, 2, pen.width().saturating_sub(4), &text, Role::Muted);
        }
        self.below(pen, cx);
        self.foot(pen, cx);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let all = cx.seen.nodes.len();
        let mut words = Vec::new();
        words.extend(self.selection.words());
        if self.faults {
            words.push("faults only".to_owned());
        }
        words.extend(self.filter.words());
        words.push(if self.shown.len() == all {
            format!("{} of {all}", (self.selection.list.index() + 1).min(all))
        } else {
            format!("{} of {all} shown", self.shown.len())
        });
        words.extend(super::order_words(&ORDERS, self.order));
        words.join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let acts = matches!(command, Command::Cordon | Command::Uncordon | Command::Drain | Command::Undrain);
        match self.selection.marks.several("node").filter(|_| acts) {
            Some(why) => Some(why),
            None if acts => refused(command, self.selection.targets().first(), cx),
            None if command == Command::Undo => match self.selection.list.selected() {
                Some(node) => undoable(cx, node).err(),
                None => Some("no node is selected".into()),
            },
            None => self.selection.refuses(command),
        }
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        self.selection.names()
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        command == Command::Undo && self.refuses(command, cx).is_some()
    }

    fn unmark(&mut self) -> bool {
        self.selection.marks.clear()
    }

    fn let_go(&mut self) {
        self.selection.list.release();
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

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }

    fn turned(&self, command: Command, cx: &Cx<'_>) -> bool {
        command == Command::Cordon && is_cordoned(cx, self.selection.targets().first())
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        // Who comes back sees the worst first again.
        if *what == Place::Nodes {
            self.stood.clear();
            return self.arrange(cx);
        }
        let Place::Node(name) = what else { return };
        if !self.shown.contains(name) {
            self.filter.clear();
            self.faults = false;
            self.arrange(cx);
        }
        let page = self.page(cx);
        let shown = &self.shown;
        if let Some(i) = shown.iter().position(|n| n == name) {
            self.selection.list.put(i, shown.len(), page, |i| shown[i].clone());
        }
    }
}

/// What is wrong with the node itself. What its loss would do is not: that has a column of its own.
fn trouble<'a>(cx: &Cx<'a>, node: &NodeName) -> Option<&'a Finding> {
    let of_it = |f: &&Finding| {
        f.severity > Severity::Notice
            && f.rule != whatif::RULE
            && matches!(&f.subject, Subject::Node(name) if name == node)
    };
    cx.findings.iter().filter(of_it).max_by_key(|f| f.severity)
}

/// How a node is, as its row says it.
pub(super) struct State {
    pub sign: &'static str,
    pub role: Role,
    pub word: &'static str,
}

/// How a node is: by its conditions, and where these say nothing, by what is found of it.
pub(super) fn state_of(cx: &Cx<'_>, node: &Node) -> State {
    let (sign, role) = node_sign(node.state());
    let state = State { sign, role, word: node.state().word() };
    match trouble(cx, &node.name).filter(|_| node.state() == NodeState::Ready) {
        None => state,
        Some(found) => State {
            sign: chrome::mark(found.severity),
            role: chrome::role(Some(found.severity)),
            word: match found.rule {
                "node-overcommitted" | "node-overpacked" => "memory",
                "node-empty" => "empty",
                "node-deleting" => "deleting",
                _ => state.word,
            },
        },
    }
}

/// What takes back the last that was done to a node: its drain, its cordon.
///
/// # Errors
/// Nothing of it can be: one sentence.
pub(super) fn undoable(cx: &Cx<'_>, node: &NodeName) -> Result<Action, String> {
    let campaigns = cx.campaigns.iter().filter(|known| known.campaign.node() == Some(node));
    let campaign = campaigns.max_by(|a, b| a.campaign.id.cmp(&b.campaign.id));
    let runs = cx.runs.iter().filter(|known| {
        known.run.campaign.is_none() && known.run.plan().nodes.iter().any(|part| part.node == *node)
    });
    let run = runs.max_by(|a, b| a.run.id.cmp(&b.run.id));
    match (campaign, run) {
        (Some(known), run) if run.is_none_or(|run| run.run.id < known.campaign.id) => {
            known.undo(cx.seen).map(|()| Action::UndoCampaign(known.campaign.id.clone()))
        }
        (_, Some(known)) => known.undo(cx.seen).map(|()| Action::Undo(known.run.id.clone())),
        _ => Err(format!("nothing was done to {node} that can be taken back")),
    }
}

/// Whether the node is cordoned.
pub(super) fn is_cordoned(cx: &Cx<'_>, node: Option<&NodeName>) -> bool {
    node.and_then(|node| cx.seen.nodes.get(node)).is_some_and(|node| node.cordoned)
}

/// What a command asks of one node.
pub(super) fn of_node(command: Command, node: NodeName, cx: &Cx<'_>) -> Option<Action> {
    let cordoned = is_cordoned(cx, Some(&node));
    Some(match command {
        Command::Cordon => Action::Plan(Intent::Cordon { node, cordoned: !cordoned }),
        Command::Uncordon => Action::Plan(Intent::Cordon { node, cordoned: false }),
        Command::Drain => Action::Aim(Aim::Drain { node }),
        Command::Undrain => Action::Aim(Aim::Undrain { node }),
        Command::Rebalance => Action::Aim(Aim::Rebalance { nodes: vec![node], tenants: Vec::new() }),
        _ => return None,
    })
}

/// Why a command cannot do anything to a node.
pub(super) fn refused(command: Command, node: Option<&NodeName>, cx: &Cx<'_>) -> Option<String> {
    let Some(name) = node else { return Some("no node is selected".into()) };
    let Some(node) = cx.seen.nodes.get(name) else { return Some(format!("there is no node {name}")) };
    match command {
        Command::Uncordon if !node.cordoned => Some(format!("{name} is not cordoned")),
        Command::Undrain if !node.is_ready() => Some(format!("{name} is not ready")),
        _ => None,
    }
}

/// Lines below the table, with the gap above them: by the height alone, so that nothing shifts.
fn foot((width, height): (u16, u16)) -> u16 {
    match (width, height) {
        (_, ..14) => 0,
        (..NARROW, 18..) => 5,
        (..NARROW, _) => 3,
        _ => 4,
    }
}
