//! What a journal tells, the newest first, as far as there is room: beside a run and beside a campaign.

use jiff::Timestamp;

use super::heading;
use crate::ui::{
    format,
    paint::{Pen, piece},
    theme::Role,
};

/// An entry.
pub(super) struct Line<'a> {
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub by: &'a str,
    /// Its sign.
    pub sign: &'static str,
    /// In a sentence.
    pub text: String,
}

/// Draws them from that line on. Whom all is of is not named.
pub(super) fn draw<'a>(pen: &mut Pen<'_>, y: u16, operator: &str, lines: impl Iterator<Item = Line<'a>>) {
    /// Columns of the time and the sign.
    const HANG: u16 = 14;
    if y + 1 >= pen.height() {
        return;
    }
    heading(pen, 3, y, "journal");
    let room = pen.width().saturating_sub(HANG + 1);
    let mut y = y + 1;
    for line in lines {
        if y >= pen.height() {
            return;
        }
        let role = match line.sign {
            "✖" => Role::Danger,
            "▲" => Role::Warn,
            "✓" => Role::Ok,
            "▸" => Role::Busy,
            _ => Role::Muted,
        };
        let who = if line.by == operator { String::new() } else { format!("{}: ", line.by) };
        let time = line.at.strftime("%H:%M:%S ").to_string();
        pen.line(3, y, HANG, &[piece(time, Role::Muted), piece(line.sign, role)]);
        for part in format::wrap(&format::plain(&format!("{who}{}", line.text)), room) {
            if y >= pen.height() {
                return;
            }
            pen.put(HANG, y, room, &part, Role::Muted);
            y += 1;
        }
    }
}
