//! All that can be done with a row, and why the rest cannot.

use super::panel;
use crate::ui::{
    command::{Entry, key_sign},
    format,
    paint::{Pen, piece},
    theme::Role,
};

/// Lines for one sentence in full, with the one above them.
const FOOT: u16 = 3;

/// The menu.
pub struct Menu {
    /// Whom it is about.
    pub subject: String,
    /// What there is, and why it cannot be.
    pub items: Vec<(&'static Entry, Option<String>)>,
    /// The one under the cursor.
    pub at: usize,
}

impl Menu {
    /// Draws it.
    pub fn render(&self, pen: &mut Pen<'_>) {
        // All names end before the first sentence begins.
        let names = self.items.iter().map(|(entry, _)| format::width(entry.name)).max().unwrap_or(0).max(12);
        let x = 8 + names + 2;
        let said = |(entry, why): &(&'static Entry, Option<String>)| {
            format::width(why.as_deref().unwrap_or(entry.doc))
        };
        let longest = self.items.iter().map(said).max().unwrap_or(0);
        // As wide as its longest sentence, where the screen is.
        let columns = (x + longest + 5).min(pen.width() * 9 / 10).max(72);
        let cut = x + longest + 5 > columns.min(pen.width());
        let foot = if cut { FOOT } else { 0 };
        let height = u16::try_from(self.items.len()).unwrap_or(u16::MAX).saturating_add(4 + foot);
        let mut pen = panel(pen, columns, height, &[piece(self.subject.as_str(), Role::Accent)], &[]);
        let width = pen.width();
        // Where there is room, what the one under the cursor does stands below in full.
        let foot = if pen.height() > 4 * FOOT { foot } else { 0 };
        // The line below the last one says how many more there are.
        let page = usize::from(pen.height().saturating_sub(1 + foot.max(1))).max(1);
        let start = (self.at + 1).saturating_sub(page);
        let below = self.items.len().saturating_sub(start + page);
        if below > 0 && pen.height() > 4 {
            let y = pen.height() - foot.max(1);
            pen.put_right(width.saturating_sub(1), y, 12, &format!("{below} more ↓"), Role::Muted);
        }
        for (line, (i, (entry, why))) in self.items.iter().enumerate().skip(start).take(page).enumerate() {
            let y = line as u16 + u16::from(pen.height() > 3);
            let key = entry.keys.first().map_or("", |k| key_sign(k));
            let (key_role, role) =
                if why.is_some() { (Role::Faint, Role::Muted) } else { (Role::Key, Role::Text) };
            pen.put(2, y, 5, key, key_role);
            pen.put(8, y, width.saturating_sub(8), entry.name, role);
            let text = why.as_deref().unwrap_or(entry.doc);
            let role = if why.is_some() { Role::Warn } else { Role::Muted };
            pen.put(x, y, width.saturating_sub(x), text, role);
            if i == self.at && foot > 0 && format::width(text) > width.saturating_sub(x) {
                let top = pen.height() - foot + 1;
                for (y, line) in (top..).zip(format::wrap(text, width.saturating_sub(10)).iter().take(2)) {
                    pen.put(8, y, width.saturating_sub(8), line, role);
                }
            }
            if i == self.at {
                pen.tint(ratatui::layout::Rect { x: 0, y, width, height: 1 }, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
    }
}
