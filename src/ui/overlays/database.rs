//! What a plan does to the database: each proxy now and afterwards, which clients are cut, and the statements.

use super::review::labelled;
use crate::{
    plan::DatabasePart,
    ui::{paint::Pen, theme::Role},
};

/// Where each proxy sends whom, now and afterwards, and who is cut on the way. Returns the next free line.
pub fn change(pen: &mut Pen<'_>, mut y: u16, part: &DatabasePart) -> u16 {
    y = side(pen, y, "now", &part.now, Role::Muted);
    y = side(pen, y, "after", &part.after, Role::Text);
    if part.cut.is_empty() {
        return labelled(pen, y, "cut", "no client", Role::Muted);
    }
    for (i, cut) in part.cut.iter().enumerate() {
        y = labelled(pen, y, if i == 0 { "cut" } else { "" }, &cut.text, Role::Warn);
    }
    y
}

/// One side of a change, line by line under its word.
pub fn side(pen: &mut Pen<'_>, mut y: u16, word: &str, lines: &[String], role: Role) -> u16 {
    for (i, line) in lines.iter().enumerate() {
        y = labelled(pen, y, if i == 0 { word } else { "" }, line, role);
    }
    y
}

/// The statements an operator would type, and how it is taken back. Returns the next free line.
pub fn by_hand(pen: &mut Pen<'_>, mut y: u16, part: &DatabasePart) -> u16 {
    y = side(pen, y, "same as", &part.sql, Role::Muted);
    labelled(pen, y, "undo", &part.undo, Role::Muted)
}
