//! Nodes: how they are, what they carry of what they offer. Requests, limits and use are three different things and
//! are never added up.

use super::{node_sign, nothing_yet};
use crate::{
    cluster::{Cpu, Load, Memory, Node, NodeName, NodeState, Snapshot},
    ui::{
        action::Action,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List, Place, View},
    },
};

/// All nodes.
#[derive(Default)]
pub struct Nodes {
    list: List<NodeName>,
    filter: String,
    faults: bool,
    shown: Vec<NodeName>,
    short: Vec<(NodeName, String)>,
    /// Tenants with an active pod there.
    tenants: std::collections::BTreeMap<NodeName, usize>,
}

/// What is used, requested and limited of what a node offers.
pub(super) struct Shares {
    pub load: Load,
    pub cpu: Cpu,
    pub memory: Memory,
    /// Measured use, when there is any.
    pub used: Option<(Cpu, Memory)>,
}

impl Shares {
    pub fn of(seen: &Snapshot, node: &Node) -> Self {
        Self {
            load: seen.loads.get(&node.name).cloned().unwrap_or_default(),
            cpu: node.allocatable.cpu.unwrap_or_default(),
            memory: node.allocatable.memory.unwrap_or_default(),
            used: seen.node_usage.get(&node.name).map(|u| (u.cpu, u.memory)),
        }
    }
}

impl Nodes {
    fn arrange(&mut self, cx: &Cx<'_>) {
        let text = self.filter.to_lowercase();
        let mut nodes: Vec<_> = cx
            .seen
            .nodes
            .values()
            .filter(|n| !self.faults || n.state() != NodeState::Ready)
            .filter(|n| {
                text.is_empty()
                    || n.name.as_str().to_lowercase().contains(&text)
                    || n.state().word().contains(&text)
            })
            .collect();
        nodes.sort_by_key(|n| std::cmp::Reverse(n.state()));
        self.shown = nodes.into_iter().map(|n| n.name.clone()).collect();
        let page = self.page(cx);
        let shown = &self.shown;
        self.list.settle(shown.len(), page, |i| shown[i].clone());
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(3))
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
        self.arrange(cx);
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        self.arrange(cx);
        let page = self.page(cx);
        let shown = &self.shown;
        if self.list.go(command, shown.len(), page, |i| shown[i].clone()) {
            return None;
        }
        match command {
            Command::Open => return self.list.selected().cloned().map(|n| Action::Go(Place::Node(n))),
            Command::Faults => self.faults = !self.faults,
            Command::Escape => {
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
        let body = usize::from(pen.height().saturating_sub(1));
        for (line, i) in self.list.window(self.shown.len(), body).enumerate() {
            let Some(node) = cx.seen.nodes.get(&self.shown[i]) else { continue };
            let y = line as u16 + 1;
            let short = self.short.iter().find(|(n, _)| *n == node.name).map_or("", |(_, s)| s);
            let tenants = self.tenants.get(&node.name).copied().unwrap_or(0);
            c.row(pen, y, cx, node, short, tenants);
            if self.list.selected() == Some(&node.name) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.shown.is_empty() {
            pen.put(4, 2, pen.width().saturating_sub(4), "no node to show  esc shows all", Role::Muted);
        }
        let bottom = pen.height().saturating_sub(1);
        if usize::from(bottom) > self.shown.len() + 1 && pen.width() >= 60 {
            legend(pen, bottom);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let all = cx.seen.nodes.len();
        let mut words = Vec::new();
        if self.faults {
            words.push("faults only".to_owned());
        }
        if !self.filter.is_empty() {
            words.push(format!("like “{}”", self.filter));
        }
        words.push(if self.shown.len() == all {
            format!("{} of {all}", (self.list.index() + 1).min(all))
        } else {
            format!("{} of {all} shown", self.shown.len())
        });
        words.join(" · ")
    }

    fn refuses(&self, command: Command, _cx: &Cx<'_>) -> Option<String> {
        (command == Command::Open && self.list.selected().is_none()).then(|| "no node is selected".into())
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(NodeName::to_string)
    }

    fn filter(&mut self) -> Option<&mut String> {
        Some(&mut self.filter)
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Node(name) = what else { return };
        if !self.shown.contains(name) {
            self.filter.clear();
            self.faults = false;
            self.arrange(cx);
        }
        let page = self.page(cx);
        let shown = &self.shown;
        if let Some(i) = shown.iter().position(|n| n == name) {
            self.list.put(i, shown.len(), page, |i| shown[i].clone());
        }
    }
}

/// What the glyphs of the bars stand for.
fn legend(pen: &mut Pen<'_>, y: u16) {
    let text = "of what the node can give (allocatable)";
    let pieces = [piece("█ used   ▒ requested   ░ limit   ", Role::Muted), piece(text, Role::Faint)];
    pen.line(4, y, pen.width().saturating_sub(5), &pieces);
}

/// A bar that tells use, requests and limits apart by glyph: `█` used, `▒` requested, `░` limit, of the whole.
pub(super) fn stacked(
    pen: &mut Pen<'_>,
    x: u16,
    y: u16,
    width: u16,
    used: Option<f64>,
    requested: f64,
    limit: f64,
) {
    let columns = |share: f64| {
        let n = (share.clamp(0.0, 1.0) * f64::from(width)).round() as u16;
        if share > 0.0 { n.max(1) } else { 0 }
    };
    let (used, requested, limit) = (used.map_or(0, columns), columns(requested), columns(limit));
    for i in 0..width {
        let (glyph, role) = if i < used {
            ("█", Role::Text)
        } else if i < requested {
            ("▒", Role::Muted)
        } else if i < limit {
            ("░", Role::Faint)
        } else {
            ("·", Role::Faint)
        };
        pen.put(x + i, y, 1, glyph, role);
    }
}

/// A sum of limits; none at all is not a limit of zero.
pub(super) fn given(sum: u64, text: String) -> String {
    if sum == 0 { "–".into() } else { text }
}

struct Columns {
    name: u16,
    since: u16,
    pods: u16,
    tenants: Option<u16>,
    bar: Option<(u16, u16)>,
    /// Column and width of "used / requested / limit of whole", memory.
    memory: Option<u16>,
    cpu: Option<u16>,
    conditions: Option<u16>,
}

impl Columns {
    fn fit(width: u16) -> Self {
        let name = if width < 40 {
            10
        } else if width < 100 {
            15
        } else {
            20
        };
        let state = 5 + name;
        let since = state + 11;
        let pods = since + 6;
        let mut x = pods + 9;
        let mut take = |columns: u16, from: u16| {
            (width >= from && x + columns <= width).then(|| {
                let at = x;
                x += columns;
                at
            })
        };
        let tenants = take(9, 60);
        let bar_width = if width < 100 {
            0
        } else if width < 150 {
            18
        } else {
            30
        };
        let bar = if bar_width > 0 { take(bar_width + 1, 100).map(|x| (x, bar_width)) } else { None };
        let memory = take(23, 70);
        let cpu = take(23, 120);
        let conditions = take(20, 150);
        Self { name, since, pods, tenants, bar, memory, cpu, conditions }
    }

    fn heading(&self, pen: &mut Pen<'_>) {
        pen.put(4, 0, self.name, "NODE", Role::Title);
        pen.put(5 + self.name, 0, 10, "STATE", Role::Title);
        pen.put_right(self.since + 5, 0, 6, "SINCE", Role::Title);
        pen.put_right(self.pods + 8, 0, 9, "PODS", Role::Title);
        if let Some(x) = self.tenants {
            pen.put_right(x + 8, 0, 8, "TENANTS", Role::Title);
        }
        if let Some((x, _)) = self.bar {
            pen.put(x, 0, 20, "MEMORY", Role::Title);
        }
        for (at, full) in [(self.memory, "MEM use/req/lim  of Gi"), (self.cpu, "CPU use/req/lim  of")] {
            if let Some(x) = at {
                pen.put_right(x + 22, 0, 22, full, Role::Title);
            }
        }
        if let Some(x) = self.conditions {
            pen.put(x + 2, 0, 30, "CONDITIONS", Role::Title);
        }
    }

    fn row(&self, pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, node: &Node, short: &str, tenants: usize) {
        let (glyph, role) = node_sign(node.state());
        let calm = node.state() == NodeState::Ready;
        let shares = Shares::of(cx.seen, node);
        pen.put(2, y, 1, glyph, if calm { Role::Faint } else { role });
        let x = pen.put(4, y, self.name, node.name.as_str(), Role::Text);
        if short != node.name.as_str() && x + 5 < 4 + self.name {
            pen.put(x + 1, y, 5, short, Role::Faint);
        }
        pen.put(5 + self.name, y, 10, node.state().word(), if calm { Role::Muted } else { role });
        pen.put_right(self.since + 5, y, 5, &cx.age_or_dash(node.ready_since()), Role::Muted);
        let pods = format!("{}/{}", shares.load.pods, node.pods);
        let full = node.pods > 0 && shares.load.pods * 10 >= node.pods * 9;
        pen.put_right(self.pods + 8, y, 8, &pods, if full { Role::Warn } else { Role::Text });
        if let Some(x) = self.tenants {
            let role = if tenants == 0 { Role::Warn } else { Role::Text };
            pen.put_right(x + 8, y, 7, &tenants.to_string(), role);
        }
        if let Some((x, width)) = self.bar {
            let used = shares.used.map(|(_, m)| m.share_of(shares.memory));
            let (req, lim) = (
                shares.load.requests.1.share_of(shares.memory),
                shares.load.limits.1.share_of(shares.memory),
            );
            stacked(pen, x, y, width, used, req, lim);
        }
        if let Some(x) = self.memory {
            let gi = |m: Memory| format!("{:.1}", m.0 as f64 / f64::from(1u32 << 30));
            let used = shares.used.map_or_else(|| "–".into(), |(_, m)| gi(m));
            let text = format!(
                "{used} / {} / {}",
                gi(shares.load.requests.1),
                given(shares.load.limits.1.0, gi(shares.load.limits.1))
            );
            let over = shares.used.is_some_and(|(_, m)| m.share_of(shares.memory) > 0.9);
            pen.put_right(x + 18, y, 18, &text, if over { Role::Warn } else { Role::Text });
            pen.put_right(
                x + 22,
                y,
                4,
                &format!("{:.0}", shares.memory.0 as f64 / f64::from(1u32 << 30)),
                Role::Muted,
            );
        }
        if let Some(x) = self.cpu {
            let cores = |c: Cpu| format!("{:.1}", c.0 as f64 / 1000.0);
            let used = shares.used.map_or_else(|| "–".into(), |(c, _)| cores(c));
            let text = format!(
                "{used} / {} / {}",
                cores(shares.load.requests.0),
                given(shares.load.limits.0.0, cores(shares.load.limits.0))
            );
            let over = shares.used.is_some_and(|(c, _)| c.share_of(shares.cpu) > 0.9);
            pen.put_right(x + 18, y, 18, &text, if over { Role::Warn } else { Role::Text });
            pen.put_right(x + 22, y, 4, &format!("{:.0}", shares.cpu.0 as f64 / 1000.0), Role::Muted);
        }
        if let Some(x) = self.conditions {
            let bad: Vec<_> = node.pressures().map(|c| &*c.kind).collect();
            let text = if !node.is_ready() {
                node.ready_condition().map_or("never reported", |c| &*c.reason).to_owned()
            } else {
                bad.join(" ")
            };
            pen.put(x + 2, y, pen.width().saturating_sub(x + 2), &text, role);
        }
    }
}
