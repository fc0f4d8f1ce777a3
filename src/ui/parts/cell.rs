//! A cell of tenants by nodes: how it reads, and how it is drawn.
//!
//! `·` none; a digit the ready pods; after it `~` others start, `-` leave, `x` fail, `!` several sit together; without a
//! digit nobody is ready there (`~`, `x2`).

use crate::{
    cluster::Cell,
    ui::{paint::Pen, theme::Role},
};

/// How a cell reads: the digits, and the mark after them.
pub fn text(cell: Cell) -> (String, &'static str) {
    let mark = match cell {
        Cell { failing: 1.., .. } => "x",
        Cell { unknown: 1.., .. } => "?",
        Cell { starting: 1.., .. } => "~",
        _ if cell.is_doubled() => "!",
        Cell { terminating: 1.., .. } => "-",
        _ => "",
    };
    let others = cell.failing + cell.unknown + cell.starting + cell.terminating;
    match cell.ready {
        0 if others == 0 => ("·".into(), ""),
        0 => (mark.into(), ""),
        n => (n.to_string(), mark),
    }
}

/// Draws a cell so that its digits end one column before `right`, its mark in that column.
pub fn draw(pen: &mut Pen<'_>, right: u16, y: u16, cell: Cell) {
    let (digits, mark) = text(cell);
    let role = match cell {
        Cell { failing: 1.., .. } => Role::Danger,
        Cell { unknown: 1.., .. } => Role::Warn,
        Cell { starting: 1.., .. } => Role::Busy,
        _ if cell.is_doubled() => Role::Warn,
        Cell { terminating: 1.., .. } => Role::Muted,
        Cell { ready: 0, .. } => Role::Faint,
        _ => Role::Text,
    };
    pen.put_right(right - 1, y, 3, &digits, role);
    pen.put(right - 1, y, 1, mark, role);
}

/// The worst cell of a row, when one is worth a look.
pub fn worst(cells: &[(u16, Cell)]) -> Option<(u16, Cell)> {
    let weight = |c: &Cell| {
        (c.failing, c.unknown, c.starting, if c.is_doubled() { c.active() } else { 0 }, c.terminating)
    };
    cells.iter().copied().max_by_key(|(_, c)| weight(c)).filter(|(_, c)| weight(c) != (0, 0, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_without_colour() {
        let of = |ready, starting, terminating, failing| {
            let (digits, mark) = text(Cell { ready, starting, terminating, failing, unknown: 0 });
            format!("{digits}{mark}")
        };
        assert_eq!(of(0, 0, 0, 0), "·");
        assert_eq!(of(1, 0, 0, 0), "1");
        assert_eq!(of(2, 0, 0, 0), "2!");
        assert_eq!(of(1, 1, 0, 0), "1~");
        assert_eq!(of(0, 1, 0, 0), "~");
        assert_eq!(of(0, 0, 0, 2), "x");
        assert_eq!(of(1, 0, 1, 0), "1-");
        assert_eq!(of(0, 0, 1, 0), "-");
        assert_eq!(of(3, 1, 0, 1), "3x");
    }
}
