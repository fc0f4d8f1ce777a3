//! Tenants by nodes, twice: where the pods are, and where they will be.
//!
//! ```text
//!                   NOW                    AFTER
//!  TENANT           w1  w2  w3  w4  w5     w1  w2  w3  w4  w5
//!  blackmesa         ·   ·   ·   2!  ·      ·   ·   1+  1-  ·    both pods on one node
//! ```
//!
//! What changes is told by `+` and `-` as well as by its colour. Where so many nodes find no room, each row says its
//! changes in words. Drawn in the review of a campaign and while one is under way.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{Cell, NodeName, Snapshot, TenantName},
    plan::Move,
    ui::{
        format,
        paint::{Pen, piece},
        parts::cell,
        theme::Role,
    },
};

/// Pods by node.
pub type Pods = BTreeMap<NodeName, u32>;

/// A tenant whose pods move.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub tenant: TenantName,
    /// Where its pods are before the first move.
    pub before: Pods,
    /// And after the last.
    pub after: Pods,
    /// Why, in a few words.
    pub why: String,
    /// The same in fewer.
    pub brief: String,
    /// The places of its moves among all.
    pub moves: Vec<usize>,
}

/// The nodes that pods come from or go to.
pub fn changed<'a>(moves: impl Iterator<Item = &'a Move>) -> Vec<NodeName> {
    let nodes: BTreeSet<_> = moves.flat_map(|m| [Some(&m.from), m.to.as_ref()]).flatten().collect();
    nodes.into_iter().cloned().collect()
}

/// The rows of moves, in the order of the first move of each tenant. `before` says where a tenant's pods are.
pub fn rows<'a>(
    moves: impl Iterator<Item = (usize, &'a Move)>,
    before: impl Fn(&TenantName) -> Pods,
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places: BTreeMap<TenantName, usize> = BTreeMap::new();
    for (at, moved) in moves {
        let Some(tenant) = &moved.tenant else { continue };
        let place = *places.entry(tenant.clone()).or_insert_with(|| {
            let before = before(tenant);
            rows.push(Row {
                tenant: tenant.clone(),
                after: before.clone(),
                before,
                why: moved.reason.to_string(),
                brief: moved.reason.brief(),
                moves: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[place];
        row.moves.push(at);
        go(&mut row.after, moved);
    }
    rows
}

/// Makes a move among the pods of its tenant.
pub fn go(pods: &mut Pods, moved: &Move) {
    take(pods, &moved.from);
    if let Some(to) = &moved.to {
        *pods.entry(to.clone()).or_default() += 1;
    }
}

/// Takes a move back.
pub fn back(pods: &mut Pods, moved: &Move) {
    if let Some(to) = &moved.to {
        take(pods, to);
    }
    *pods.entry(moved.from.clone()).or_default() += 1;
}

fn take(pods: &mut Pods, node: &NodeName) {
    if let Some(here) = pods.get_mut(node) {
        *here = here.saturating_sub(1);
    }
    pods.retain(|_, pods| *pods > 0);
}

/// Where the columns of the matrix are.
pub struct Matrix {
    name: u16,
    /// The nodes that are columns, and columns for each; `None`: no room for them.
    grids: Option<(Vec<(NodeName, String)>, u16)>,
    /// Where the reason begins, if there is room for one.
    why: Option<u16>,
}

/// Columns before the name: the sign of a row.
const SIGN: u16 = 2;
/// Columns between the parts.
const GAP: u16 = 3;
/// Fewer columns tell no reason.
const LEAST_WHY: u16 = 12;

impl Matrix {
    /// Nodes that are columns.
    pub fn columns(&self) -> usize {
        self.grids.as_ref().map_or(0, |(nodes, _)| nodes.len())
    }

    /// The columns that fit: all nodes where they do, else those whose pods change.
    pub fn fit(width: u16, seen: &Snapshot, changed: &[NodeName]) -> Self {
        let name = match width {
            ..60 => 12,
            60..110 => 16,
            _ => 24,
        };
        let room = width.saturating_sub(SIGN + name + 1 + GAP) / 2;
        let all: Vec<&NodeName> = seen.nodes.items.keys().collect();
        let names: Vec<&str> = all.iter().map(|n| n.as_str()).collect();
        let short: BTreeMap<&str, String> = names.iter().copied().zip(format::short_names(&names)).collect();
        let fitted = |nodes: &[&NodeName], full: bool| {
            let label = |n: &&NodeName| {
                let short = short.get(n.as_str()).filter(|_| !full);
                short.cloned().unwrap_or_else(|| n.to_string())
            };
            let labels: Vec<_> = nodes.iter().map(|n| ((*n).clone(), label(n))).collect();
            let widest = labels.iter().map(|(_, l)| format::width(l)).max().unwrap_or(0).max(3) + 1;
            let fits = usize::from(widest) * labels.len() <= usize::from(room);
            (fits && !labels.is_empty()).then_some((labels, widest))
        };
        // Whole names only where they leave room for the reason.
        let spare = |(nodes, w): &(Vec<(NodeName, String)>, u16)| {
            let both = 2 * w * u16::try_from(nodes.len()).unwrap_or(u16::MAX / 4);
            width >= SIGN + name + 1 + GAP + both + GAP + 30
        };
        let grids = fitted(&all, true)
            .filter(spare)
            .or_else(|| fitted(&all, false))
            .or_else(|| fitted(&changed.iter().collect::<Vec<_>>(), false));
        let end = match &grids {
            Some((nodes, w)) => SIGN + name + 1 + 2 * w * nodes.len() as u16 + GAP,
            None => SIGN + name + 1 + 30,
        };
        let why = (width >= end + GAP + LEAST_WHY).then_some(end + GAP);
        Self { name, grids, why }
    }

    /// Lines of the heading.
    pub fn heading_height(&self) -> u16 {
        if self.grids.is_some() { 2 } else { 1 }
    }

    fn first(&self) -> u16 {
        SIGN + self.name + 1
    }

    /// The columns' names: the parts above, the nodes below.
    pub fn heading(&self, pen: &mut Pen<'_>, y: u16, parts: [&str; 2]) {
        let Some((nodes, w)) = &self.grids else {
            pen.put(SIGN, y, self.name, "TENANT", Role::Title);
            pen.put(self.first(), y, 30, "PODS ON A NODE", Role::Title);
            return;
        };
        pen.put(SIGN, y + 1, self.name, "TENANT", Role::Title);
        if let Some(x) = self.why {
            pen.put(x, y + 1, pen.width().saturating_sub(x), "WHY", Role::Title);
        }
        for (side, part) in parts.into_iter().enumerate() {
            let mut right = self.first() + side as u16 * (w * nodes.len() as u16 + GAP);
            let across = w * nodes.len() as u16;
            let rule = across.saturating_sub(format::width(part) + 3);
            pen.put(right + 1, y, across, part, Role::Title);
            pen.put(right + format::width(part) + 2, y, rule, &"─".repeat(rule.into()), Role::Faint);
            for (_, label) in nodes {
                right += w;
                pen.put_right(right - 1, y + 1, *w, label, Role::Title);
            }
        }
    }

    /// A row: the pods before, or as they are now, and after. What differs after from before stands out.
    pub fn row(&self, pen: &mut Pen<'_>, y: u16, name: &str, row: (&Pods, &Pods), now: Option<&Cells>) {
        pen.put(SIGN, y, self.name, name, Role::Text);
        let (before, after) = row;
        let of = |pods: &Pods, node: &NodeName| pods.get(node).copied().unwrap_or(0);
        let Some((nodes, w)) = &self.grids else {
            let mut text = Vec::new();
            let mut nodes: Vec<_> = before.keys().chain(after.keys()).collect();
            nodes.sort();
            nodes.dedup();
            for node in nodes {
                let (from, to) = (of(before, node), of(after, node));
                if from != to {
                    text.push(format!("{node} {from} → {to}"));
                }
            }
            let room = if self.why.is_some() { 30 } else { pen.width().saturating_sub(self.first()) };
            pen.put(self.first(), y, room, &text.join(", "), Role::Changed);
            return;
        };
        let mut right = self.first();
        for (node, _) in nodes {
            right += w;
            let cell = match now {
                Some(cells) => cells.get(&Some(node.clone())).copied().unwrap_or_default(),
                None => Cell { ready: of(before, node), ..Cell::default() },
            };
            cell::draw(pen, right, y, cell);
        }
        right += GAP;
        for (node, _) in nodes {
            right += w;
            let (from, to) = (of(before, node), of(after, node));
            if from == to {
                cell::draw(pen, right, y, Cell { ready: to, ..Cell::default() });
            } else {
                let digits = if to == 0 { "·".to_owned() } else { to.to_string() };
                pen.put_right(right - 1, y, 4, &digits, Role::Changed);
                pen.put(right - 1, y, 1, if to > from { "+" } else { "-" }, Role::Changed);
            }
        }
    }

    /// All tenants together on each node: numbers, in which nothing is doubled up.
    pub fn totals(&self, pen: &mut Pen<'_>, y: u16, name: &str, before: &Pods, after: &Pods) {
        let Some((nodes, w)) = &self.grids else { return };
        pen.put(SIGN, y, self.name, name, Role::Muted);
        let mut right = self.first();
        for pods in [before, after] {
            for (node, _) in nodes {
                right += w;
                let n = pods.get(node).copied().unwrap_or(0);
                let differs = before.get(node) != after.get(node) && std::ptr::eq(pods, after);
                let role = if differs { Role::Changed } else { Role::Muted };
                pen.put_right(right - 1, y, *w, &n.to_string(), role);
            }
            right += GAP;
        }
    }

    /// Why, at the right, where there is room: in the words that fit whole.
    pub fn why(&self, pen: &mut Pen<'_>, y: u16, text: &str, brief: &str) {
        if let Some(x) = self.why {
            let room = pen.width().saturating_sub(x);
            let text = if format::width(text) <= room || brief.is_empty() { text } else { brief };
            pen.line(x, y, room, &[piece(text, Role::Muted)]);
        }
    }
}

/// Pods of a tenant by node and state, as they are seen.
pub type Cells = BTreeMap<Option<NodeName>, Cell>;
