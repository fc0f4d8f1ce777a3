//! Pods node by node, on one line each: before, now, after.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{Cell, NodeName, Snapshot},
    ui::{format, paint::Pen, theme::Role},
};

use super::cell;

/// The nodes that are columns.
pub struct Grid {
    nodes: Vec<(NodeName, String)>,
    width: u16,
    /// Nodes there was no room for.
    pub more: usize,
}

/// The distinct nodes among these, by name.
pub fn nodes<'a>(all: impl Iterator<Item = &'a NodeName>) -> Vec<NodeName> {
    all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

impl Grid {
    /// The columns that fit: all nodes when they do, else those involved.
    pub fn fit(width: u16, seen: &Snapshot, involved: &[NodeName]) -> Self {
        let all: Vec<NodeName> = nodes(seen.nodes.items.keys().chain(involved));
        let names: Vec<&str> = all.iter().map(NodeName::as_str).collect();
        let short = format::short_names(&names);
        let label = |full: bool| -> Vec<(NodeName, String)> {
            let of = |(n, s): (&NodeName, &String)| (n.clone(), if full { n.to_string() } else { s.clone() });
            all.iter().zip(&short).map(of).collect()
        };
        let widest = |nodes: &[(NodeName, String)]| {
            nodes.iter().map(|(_, l)| format::width(l)).max().unwrap_or(0).max(3) + 1
        };
        for full in [true, false] {
            let nodes = label(full);
            let column = widest(&nodes);
            if usize::from(column + 1) * nodes.len() <= usize::from(width) {
                return Self { nodes, width: column, more: 0 };
            }
        }
        let mut nodes = label(false);
        nodes.retain(|(n, _)| involved.contains(n));
        let column = widest(&nodes);
        let room = usize::from(width.saturating_sub(8) / (column + 1)).max(1);
        let more = nodes.len().saturating_sub(room);
        nodes.truncate(room);
        Self { nodes, width: column, more }
    }

    fn each(&self, x: u16, mut draw: impl FnMut(u16, &NodeName, &str)) -> u16 {
        let mut right = x;
        for (node, label) in &self.nodes {
            right += self.width;
            draw(right, node, label);
            right += 1;
        }
        right
    }

    /// The names of the nodes.
    pub fn heading(&self, pen: &mut Pen<'_>, x: u16, y: u16) {
        let room = self.width;
        let end = self.each(x, |right, _, label| pen.put_right(right - 1, y, room, label, Role::Title));
        if self.more > 0 {
            pen.put(end, y, 8, &format!("+{}", self.more), Role::Title);
        }
    }

    /// Active pods a node; those that differ from `against` stand out.
    pub fn counts(
        &self,
        pen: &mut Pen<'_>,
        x: u16,
        y: u16,
        counts: &BTreeMap<NodeName, u32>,
        against: Option<&BTreeMap<NodeName, u32>>,
    ) -> u16 {
        self.each(x, |right, node, _| {
            let n = counts.get(node).copied().unwrap_or(0);
            let other = against.map(|a| a.get(node).copied().unwrap_or(0));
            if other.is_some_and(|o| o != n) {
                let digits = if n == 0 { "·".to_owned() } else { n.to_string() };
                pen.put_right(right - 1, y, 4, &digits, Role::Changed);
                pen.put(right - 1, y, 1, if n > 1 { "!" } else { "" }, Role::Warn);
            } else {
                cell::draw(pen, right, y, Cell { ready: n, ..Cell::default() });
            }
        })
    }

    /// What changes a node: `+1`, `-1`.
    pub fn changes(
        &self,
        pen: &mut Pen<'_>,
        x: u16,
        y: u16,
        from: &BTreeMap<NodeName, u32>,
        to: &BTreeMap<NodeName, u32>,
    ) {
        self.each(x, |right, node, _| {
            let of = |m: &BTreeMap<NodeName, u32>| i64::from(m.get(node).copied().unwrap_or(0));
            let by = of(to) - of(from);
            if by != 0 {
                pen.put_right(right - 1, y, 5, &format!("{by:+}"), Role::Changed);
            }
        });
    }

    /// Pods a node by state, as they are seen.
    pub fn cells(&self, pen: &mut Pen<'_>, x: u16, y: u16, cells: &BTreeMap<Option<NodeName>, Cell>) {
        let end = self.each(x, |right, node, _| {
            cell::draw(pen, right, y, cells.get(&Some(node.clone())).copied().unwrap_or_default());
        });
        if let Some(none) = cells.get(&None).filter(|c| c.active() > 0) {
            pen.put(end + 1, y, 20, &format!("{} on no node", none.active()), Role::Danger);
        }
    }
}
