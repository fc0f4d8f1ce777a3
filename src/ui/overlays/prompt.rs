//! One line is asked for, with what it is to be filled in; what it becomes is shown while it is typed.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};
use tui_input::{Input, backend::crossterm::EventHandler};

use super::{keys, panel, panel_width};
use crate::cluster::Ports;
use crate::ui::{
    action::{Action, Asks},
    format,
    paint::{Pen, piece},
    theme::Role,
    view::Cx,
};

/// Why a pair of ports is offered whose first one was free a moment ago.
const FREE: &str = "free here";

/// The longest line that is taken.
const LONGEST: usize = 200;

/// The question, and what is typed.
pub struct Prompt {
    /// What is asked for.
    pub asks: Asks,
    /// What is typed.
    pub input: Input,
    /// Nothing was typed yet: the first key replaces what stands there.
    pub fresh: bool,
    /// Why it was not taken.
    pub note: Option<String>,
    /// Why it is done, where that was typed already.
    pub reason: Input,
}

impl Prompt {
    /// Asks, with what is so now, or what is offered first, filled in.
    pub fn new(asks: Asks) -> Self {
        let text = asks.filled();
        Self { asks, input: Input::new(text), fresh: true, note: None, reason: Input::default() }
    }

    /// What the line asks the cockpit for. The error is one sentence.
    ///
    /// # Errors
    /// What was typed is no answer, and why: one sentence.
    pub fn answer(&self) -> Result<Action, String> {
        self.asks.answer(self.input.value())
    }

    /// Takes a key that neither leaves nor answers.
    pub fn key(&mut self, key: KeyEvent, name: &str) {
        self.note = None;
        if let "tab" | "shift-tab" = name {
            return self.offer(name == "tab");
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let types = matches!(key.code, KeyCode::Char(c) if !ctrl && self.asks.takes(c));
        let edits = ctrl || !matches!(key.code, KeyCode::Char(_));
        if self.fresh && (types || name == "backspace") {
            self.input = Input::default();
        }
        if let KeyCode::Char(c) = key.code
            && !ctrl
            && !types
        {
            self.note = Some(self.asks.declines(c));
        }
        if edits || (types && self.input.value().chars().count() < LONGEST) {
            self.fresh = false;
            self.input.handle_event(&Event::Key(key));
        }
    }

    /// The port-forward could not be opened. What was typed stays; a pair that is free is offered.
    pub fn not_opened(&mut self, why: String, free: Option<Ports>) {
        let Asks::Forward { offers, .. } = &mut self.asks else { return };
        let typed = self.input.value().trim();
        offers.retain(|(text, what)| **text != *typed && what != FREE);
        self.note = Some(match free {
            Some(free) => {
                offers.insert(0, (free.to_string().into(), FREE.to_owned()));
                format!("{why}; tab takes {free}")
            }
            None => why,
        });
    }

    /// Takes a pasted line.
    pub fn paste(&mut self, line: &str) {
        self.note = None;
        let before = if std::mem::take(&mut self.fresh) { "" } else { self.input.value() };
        self.input = Input::new(format!("{before}{line}").chars().take(LONGEST).collect());
    }

    /// The next of what is offered takes the place of what stands there.
    fn offer(&mut self, forward: bool) {
        let offers = self.asks.offers();
        let n = offers.len();
        if n == 0 {
            return;
        }
        let at = offers.iter().position(|(text, _)| **text == *self.input.value());
        let next = match (at, forward) {
            (None, _) => 0,
            (Some(i), true) => (i + 1) % n,
            (Some(i), false) => (i + n - 1) % n,
        };
        self.input = Input::new(offers[next].0.to_string());
        self.fresh = true;
    }

    /// Draws it; returns where the cursor is.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
        let width = if matches!(self.asks, Asks::Replicas(_)) { 52 } else { 72 };
        let inner = panel_width(pen, width).saturating_sub(4).max(1);
        let becomes = if self.fresh { None } else { self.asks.becomes(self.input.value()) };
        let mut lines: Vec<(String, Role)> = match (&self.note, becomes) {
            (Some(note), _) => vec![(note.clone(), Role::Warn)],
            (None, Some(text)) => vec![(text, Role::Text)],
            (None, None) => Vec::new(),
        };
        let hints = self.asks.hints(cx.seen.tenancy.floor);
        // What stands in the place of the first hint does not move the others.
        lines.extend(hints.into_iter().skip(lines.len()).map(|hint| (hint, Role::Muted)));
        let wrapped = lines.iter().flat_map(|(text, role)| {
            format::wrap(&format::plain(text), inner).into_iter().map(|line| (line, *role))
        });
        let lines: Vec<_> = wrapped.collect();
        let offers = self.asks.offers();
        let below = if offers.is_empty() { 0 } else { offers.len() + 1 };
        let height = u16::try_from(lines.len() + below + 7).unwrap_or(u16::MAX);
        let title = [piece(self.asks.title(), Role::Accent)];
        let mut pen = panel(pen, width, height, &title, &[]);
        let width = pen.width();
        let x = pen.put(0, 1, width, &format!("{}  ", self.asks.word()), Role::Muted);
        let (end, cursor) = line(&mut pen, x, 1, &self.input);
        if self.fresh && end > x {
            pen.tint(Rect { x, y: 1, width: end - x, height: 1 }, Role::Selection);
        }
        let mut y = 3;
        for (text, role) in &lines {
            pen.put(0, y, width, text, *role);
            y += 1;
        }
        y += u16::from(below > 0);
        for (text, what) in offers {
            let chosen = **text == *self.input.value();
            pen.put(0, y, 1, if chosen { "›" } else { " " }, Role::Key);
            let end = pen.put(2, y, width.saturating_sub(2), text, Role::Text);
            pen.put(end + 2, y, width.saturating_sub(end + 2), what, Role::Muted);
            y += 1;
        }
        let mut foot = vec![("⏎", self.asks.leads_to(), true)];
        if offers.len() > 1 {
            foot.push(("tab", "the next one", true));
        }
        foot.push(("esc", "cancel", true));
        pen.line(0, pen.height().saturating_sub(1), width, &keys(&foot));
        (pen.height() > 1).then_some(cursor)
    }
}

/// Draws what is typed, as much of it as there is room for. Returns where it ends, and where the cursor is.
pub(super) fn line(pen: &mut Pen<'_>, x: u16, y: u16, input: &Input) -> (u16, Position) {
    let room = pen.width().saturating_sub(x);
    let scroll = input.visual_scroll(usize::from(room.saturating_sub(1)));
    let shown: String = input.value().chars().skip(scroll).collect();
    let end = pen.put(x, y, room, &shown, Role::Text);
    let at = x + u16::try_from(input.visual_cursor().saturating_sub(scroll)).unwrap_or(0);
    (end, Position::new(pen.area.x + at.min(pen.width().saturating_sub(1)), pen.area.y + y))
}
