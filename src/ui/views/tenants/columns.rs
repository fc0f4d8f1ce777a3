//! Which columns a width has room for.

use crate::{
    cluster::NodeState,
    ui::{command::Sort, format, paint::Pen, theme::Role, views::node_sign},
};

/// Columns of the requests left: a blank, the meter, the number, a blank.
pub const LEFT: u16 = 11;

/// Columns of whether its hosts are reached: a glyph and a word.
const REACH: u16 = 10;

/// Columns of the meter.
const METER: u16 = 4;

/// Where the columns begin. `None`: no room.
pub struct Columns {
    /// Columns for the name, from column 4.
    pub name: u16,
    pub state: Option<u16>,
    pub ready: u16,
    pub cells: Cells,
    pub percent: Option<u16>,
    /// The bar, and its width.
    pub bar: Option<(u16, u16)>,
    pub amount: Option<u16>,
    /// Requests left: the meter with its width, and where the number ends.
    pub left: Option<(u16, u16)>,
    pub restarts: Option<u16>,
    /// Whether its hosts are reached, where they are looked at.
    pub reach: Option<u16>,
    pub image: Option<(u16, u16)>,
}

/// The matrix.
pub enum Cells {
    /// No room at all.
    None,
    /// A column a node, each so wide.
    Nodes { x: u16, widths: Vec<u16> },
    /// Nodes and pods counted, and the worst cell.
    Counts { x: u16 },
}

impl Columns {
    /// What fits, the more important first.
    pub fn fit(width: u16, names: &[&str], short: &[String], looks: bool) -> Self {
        let name = match width {
            ..30 => width.saturating_sub(12).max(6),
            30..36 => 9,
            36..100 => 14,
            100..140 => 18,
            _ => 22,
        };
        let widths = |names: &mut dyn Iterator<Item = u16>| -> Vec<u16> { names.map(|w| w.max(3)).collect() };
        let full = widths(&mut names.iter().map(|n| format::width(n) + 1));
        let brief = widths(&mut short.iter().map(|n| format::width(n) + 1));
        let sum = |widths: &[u16]| widths.iter().fold(1u16, |sum, w| sum.saturating_add(w + 1));
        let counts = 19;
        let mut room = width.saturating_sub(4 + name + 1 + 6);
        let mut take = |columns: u16| {
            let fits = columns <= room;
            if fits {
                room -= columns;
            }
            fits
        };
        let has_state = take(9);
        // Where the pods sit is worth most, then memory and headroom; the image and restarts come last.
        let has_nodes = take(sum(&brief));
        let has_counts = !has_nodes && take(counts);
        let mut cells = has_nodes.then(|| brief.clone());
        let has_percent = has_state && take(6);
        let has_left = has_state && take(LEFT);
        let has_reach = looks && has_state && take(REACH + 1);
        let has_image = has_state && take(8);
        let has_restarts = has_state && take(5);
        let more = sum(&full).saturating_sub(sum(&brief));
        if cells.is_some() && width >= 100 && take(more) {
            cells = Some(full);
        }
        let has_bar = has_percent && take(6);
        let has_amount = has_percent && take(16);
        let mut x = 4 + name + 1;
        let mut column = |has: bool, before: u16, columns: u16| {
            has.then(|| {
                let at = x + before;
                x += before + columns;
                at
            })
        };
        let state = column(has_state, 0, 9);
        let ready = column(true, 0, 6).unwrap_or(0);
        let cells = match cells {
            Some(widths) => {
                let x = column(true, 1, sum(&widths) - 1).unwrap_or(0);
                Cells::Nodes { x, widths }
            }
            None => column(has_counts, 1, counts - 1).map_or(Cells::None, |x| Cells::Counts { x }),
        };
        let left = column(has_left, 0, LEFT).map(|x| (x, METER));
        let percent = column(has_percent, 1, 5);
        let bar = column(has_bar, 0, 6).map(|x| (x, 5));
        let amount = column(has_amount, 0, 16);
        let restarts = column(has_restarts, 1, 4);
        let reach = column(has_reach, 1, REACH);
        let image = column(has_image, 1, 7).map(|x| (x, width.saturating_sub(x).min(24)));
        Self { name, state, ready, cells, left, percent, bar, amount, restarts, reach, image }
    }

    /// The names of the columns, the one that orders marked; those of nodes that are not ready in the role of danger.
    pub fn heading(
        &self,
        pen: &mut Pen<'_>,
        (names, short): (&[&str], &[String]),
        states: &[NodeState],
        sort: Sort,
    ) {
        let lit = |is: bool| if is { Role::Accent } else { Role::Title };
        pen.put(
            4,
            0,
            self.name,
            if sort == Sort::Name { "TENANT▾" } else { "TENANT" },
            lit(sort == Sort::Name),
        );
        if let Some(x) = self.state {
            let worst = sort == Sort::Worst;
            pen.put(x, 0, 8, if worst { "STATE▾" } else { "STATE" }, Role::Title);
        }
        let ready = matches!(sort, Sort::Ready | Sort::Replicas);
        // The column after it is that of the sign of the first node.
        let signed = matches!(self.cells, Cells::Nodes { .. })
            && states.first().is_some_and(|state| *state != NodeState::Ready);
        pen.put_right(
            self.ready + 5 + u16::from(ready && !signed),
            0,
            6,
            if ready { "READY▾" } else { "READY" },
            lit(ready),
        );
        match &self.cells {
            Cells::None => {}
            Cells::Counts { x } => {
                pen.put(*x, 0, 8, "NODES", Role::Title);
                pen.put(x + 6, 0, 4, "PODS", Role::Title);
                pen.put(x + 11, 0, 5, "WORST", Role::Title);
            }
            Cells::Nodes { x, widths } => {
                let mut at = *x;
                for (i, width) in widths.iter().enumerate() {
                    let full = format::width(names[i]) < *width && *width > 5;
                    let name =
                        if full || names[i].len() < usize::from(*width) { names[i] } else { &short[i] };
                    let state = states.get(i).copied().unwrap_or(NodeState::Ready);
                    let (sign, role) = match state {
                        NodeState::Ready => ("", Role::Title),
                        other => node_sign(other),
                    };
                    let end = at + width - 1;
                    pen.put_right(end, 0, *width, name, role);
                    let start = end.saturating_sub(format::width(name));
                    pen.put(start.saturating_sub(1), 0, 1, sign, role);
                    at += width + 1;
                }
            }
        }
        if let Some((x, _)) = self.left {
            let mark = sort == Sort::Left;
            let text = if mark { "REQ LEFT▾" } else { "REQ LEFT" };
            pen.put_right(x + LEFT - 1 + u16::from(mark), 0, LEFT, text, lit(mark));
        }
        if let Some(x) = self.percent {
            let mark = sort == Sort::Memory;
            let text = match (self.bar.is_some(), mark) {
                (true, true) => "MEMORY▾",
                (true, false) => "MEMORY",
                (false, true) => "MEM▾",
                (false, false) => "MEM",
            };
            let end = if self.bar.is_some() { x } else { x + 4 - text.chars().count() as u16 };
            pen.put(end, 0, 8, text, lit(mark));
            if let Some(x) = self.amount {
                pen.put_right(x + 14, 0, 14, "USED OF LIMIT", Role::Title);
            }
        }
        if let Some(x) = self.restarts {
            let mark = sort == Sort::Restarts;
            pen.put_right(x + 3 + u16::from(mark), 0, 5, if mark { "RST▾" } else { "RST" }, lit(mark));
        }
        if let Some(x) = self.reach {
            pen.put(x, 0, REACH, "REACH", Role::Title);
        }
        if let Some((x, width)) = self.image {
            let mark = sort == Sort::Image;
            pen.put(x, 0, width, if mark { "IMAGE▾" } else { "IMAGE" }, lit(mark));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_never_overlap_or_leave_the_screen() {
        let names: Vec<String> = (1..=100).map(|i| format!("worker-{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for nodes in [0, 1, 5, 9, 100] {
            let short = format::short_names(&names[..nodes]);
            for width in 0..400 {
                let c = Columns::fit(width, &names[..nodes], &short, nodes % 2 == 1);
                let mut at = c.ready + 6;
                let mut next = |x: u16, w: u16| {
                    assert!(x >= at, "overlap at {width} with {nodes}: {x} < {at}");
                    at = x + w;
                };
                match &c.cells {
                    Cells::None => {}
                    Cells::Nodes { x, widths } => {
                        next(*x, widths.iter().map(|w| w + 1).sum::<u16>().saturating_sub(1))
                    }
                    Cells::Counts { x } => next(*x, 18),
                }
                c.left.into_iter().for_each(|(x, _)| next(x, LEFT - 1));
                c.percent.into_iter().for_each(|x| next(x, 4));
                c.bar.into_iter().for_each(|(x, w)| next(x, w));
                c.amount.into_iter().for_each(|x| next(x, 14));
                c.restarts.into_iter().for_each(|x| next(x, 3));
                c.reach.into_iter().for_each(|x| next(x, REACH));
                c.image.into_iter().for_each(|(x, _)| next(x, 6));
                assert!(width < 30 || at <= width, "{at} > {width} with {nodes}");
            }
        }
        let short = format::short_names(&names[..5]);
        for width in [79, 80] {
            let c = Columns::fit(width, &names[..5], &short, false);
            assert!(
                matches!(c.cells, Cells::Nodes { .. }) && c.left.is_some() && c.percent.is_some(),
                "{width}"
            );
        }
        for width in 30..80 {
            let c = Columns::fit(width, &names[..5], &short, false);
            assert!(
                c.state.is_some() || (c.restarts.is_none() && c.percent.is_none()),
                "{width}: the state first"
            );
        }
        let c = Columns::fit(80, &names, &format::short_names(&names), false);
        assert!(matches!(c.cells, Cells::Counts { .. }) && c.image.is_some());
    }
}
