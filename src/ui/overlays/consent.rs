//! The last lines of a review: what is typed before a yes, why there can be none, and the keys meanwhile.

use std::borrow::Cow;

use ratatui::layout::Position;
use tui_input::Input;

use super::{Typing, keys, prompt};
use crate::ui::{
    format,
    paint::{Pen, Piece},
    theme::Role,
};

/// What is typed in a review, and what is asked for.
pub(super) struct Typed<'a> {
    /// The name that a grave plan wants and that is not typed yet.
    pub(super) untyped: Option<&'a str>,
    /// Why it is wanted, in a few words.
    pub(super) wanted: Option<&'static str>,
    /// What is typed of it.
    pub(super) name: &'a Input,
    /// Why it is done.
    pub(super) reason: &'a Input,
    /// Why the last key did nothing.
    pub(super) note: Option<&'a str>,
}

impl Typed<'_> {
    /// What has to be typed before it is run, and why: `▲ acme must be typed before it runs: under the floor`.
    pub(super) fn asked(&self) -> String {
        let why = self.wanted.map_or(String::new(), |why| format!(": {why}"));
        format!("▲ {} must be typed before it runs{why}", self.quoted())
    }

    /// What has to be typed; several words stand in quotes.
    fn quoted(&self) -> Cow<'_, str> {
        let name = self.untyped.unwrap_or_else(|| self.name.value());
        if name.contains(' ') { format!("“{name}”").into() } else { name.into() }
    }

    /// Asks for it on one line of so many columns. Returns where the cursor is.
    pub(super) fn line(&self, pen: &mut Pen<'_>, y: u16, room: u16, typing: Typing) -> Position {
        let (text, input, role) = match typing {
            Typing::Name => {
                let name = self.quoted();
                let wanted = self.wanted.map_or(String::new(), |why| format!(" ({why})"));
                let asks = self.note.map_or_else(|| format!("type {name} first{wanted}"), str::to_owned);
                (format!("{asks}: "), self.name, Role::Warn)
            }
            Typing::Reason => ("why, for the journal: ".to_owned(), self.reason, Role::Muted),
        };
        let x = pen.put(0, y, room, &text, role);
        prompt::line(pen, x, y, input).1
    }

    /// The keys while it is typed; `more` stand before the one that leaves.
    pub(super) fn keys(&self, typing: Typing, more: &[(&'static str, &'static str)]) -> Vec<Piece<'static>> {
        let (done, leave) = match typing {
            Typing::Name => (self.untyped.is_none(), "cancel"),
            Typing::Reason => (true, "without"),
        };
        let mut all = vec![("⏎", "done typing", done)];
        all.extend(more.iter().map(|(key, what)| (*key, *what, true)));
        all.push(("esc", leave, true));
        keys(&all)
    }
}

/// Why nothing is run in a session that changes nothing.
pub(super) const READ_ONLY: &str = "read-only: a plan can be looked at, not run";

/// Why there can be no yes.
pub(super) struct Barred {
    /// A check refuses it; otherwise it only cannot be run as things are.
    pub(super) refused: bool,
    /// One sentence.
    pub(super) why: String,
}

impl Barred {
    /// A check refuses it.
    pub(super) fn refused(why: &str) -> Self {
        Self { refused: true, why: format!("refused: {why}") }
    }

    /// It cannot be run as things are.
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self { refused: false, why: why.into() }
    }

    /// Draws it on so many columns and at most so many lines.
    pub(super) fn line(&self, pen: &mut Pen<'_>, y: u16, room: u16, lines: u16) {
        let (sign, role) = if self.refused { ("✖ ", Role::Danger) } else { ("• ", Role::Warn) };
        let room = room.saturating_sub(2).max(1);
        let mut said = format::wrap(&format::plain(&self.why), room);
        let most = usize::from(lines.max(1));
        if said.len() > most {
            // The last line is cut where it ends, and so marked.
            let rest = said.split_off(most - 1).join(" ");
            said.push(rest);
        }
        for (y, line) in (y..).zip(&said) {
            pen.put(0, y, 2, if std::ptr::eq(line, &said[0]) { sign } else { "" }, role);
            pen.put(2, y, room, line, role);
        }
    }
}
