//! What the keys do, made from the table of commands.

use ratatui::layout::Position;
use tui_input::Input;

use super::panel;
use crate::ui::{
    command::{self, Entry, On, Takes, key_sign},
    format,
    paint::{Pen, piece},
    theme::Role,
    view::VIEWS,
};

/// Columns of the panel, where there are so many.
const PANEL: u16 = 92;

/// `:weight [MEMBER NUMBER]`.
fn name(e: &Entry) -> String {
    let takes = if e.takes == Takes::Nothing { String::new() } else { format!(" {}", e.takes.word()) };
    format!(":{}{takes}", e.name)
}

/// The help.
pub struct Help {
    /// Where it was asked for: that part comes first.
    pub on: On,
    /// What is searched.
    pub input: Input,
    /// Keys go to the search.
    pub typing: bool,
    /// Lines scrolled down.
    pub scroll: usize,
    /// What the cockpit costs the cluster, a line each, once it is told.
    pub cost: Vec<String>,
}

enum Line {
    Title(String),
    /// A command, and the first line of what it does.
    Entry(&'static Entry, String),
    /// What does not fit beside it.
    More(String),
    Sign(&'static str, &'static str),
    /// Text over the whole width.
    Wide(String),
    Gap,
}

/// Columns to the left of what a command does.
const INDENT: u16 = 16;
/// From so many columns on its name stands at the right.
const WIDE: u16 = 70;

/// What the signs on the screens mean.
pub const SIGNS: [(&str, &str); 12] = [
    ("·", "no pod of the tenant there"),
    ("2", "two pods ready there"),
    ("2!", "two pods together on one node: if it fails, both are lost"),
    ("1~", "a pod is starting"),
    ("?", "a pod is unknown: its node does not answer"),
    ("1-", "a pod is leaving"),
    ("x", "a pod is failing"),
    ("✖ ▲ •", "critical: users see errors now; warning: the next failure does harm; notice"),
    ("◌", "cordoned: takes no new pods; of a member: out of service"),
    ("●", "the member the writes go to"),
    ("○", "the member that writes next"),
    ("◀", "asks for the pause of flow control that the others suffer"),
];

/// The lines of a command: its name takes what it needs; what does not fit beside it goes on below.
fn entry(lines: &mut Vec<Line>, e: &'static Entry, width: u16) {
    let name = if width >= WIDE { format::width(&name(e)) + 1 } else { 0 };
    let mut text = format::wrap(e.doc, width.saturating_sub(INDENT + 1 + name)).into_iter();
    lines.push(Line::Entry(e, text.next().unwrap_or_default()));
    let rest = text.collect::<Vec<_>>().join(" ");
    if !rest.is_empty() {
        let rest = format::wrap(&rest, width.saturating_sub(INDENT));
        lines.extend(rest.into_iter().map(Line::More));
    }
}

impl Help {
    /// The help as asked for there.
    pub fn new(on: On) -> Self {
        Self { on, input: Input::default(), typing: false, scroll: 0, cost: Vec::new() }
    }

    fn lines(&self, width: u16) -> Vec<Line> {
        let text = self.input.value().to_lowercase();
        let hit = |words: &[&str]| text.is_empty() || words.iter().any(|w| w.to_lowercase().contains(&text));
        let mut places = vec![self.on];
        places.extend(On::ALL.into_iter().filter(|on| *on != self.on));
        let mut lines = Vec::new();
        // First the ways to all places, then what is done here.
        let ways: Vec<_> = VIEWS
            .iter()
            .map(|(_, command, _)| command::of(*command))
            .filter(|e| hit(&[e.name, e.doc]) || e.keys.contains(&text.as_str()))
            .collect();
        if !ways.is_empty() {
            lines.push(Line::Title("Places".into()));
            ways.into_iter().for_each(|e| entry(&mut lines, e, width));
            lines.push(Line::Gap);
        }
        let is_way = |e: &Entry| VIEWS.iter().any(|(_, command, _)| *command == e.command);
        for place in places {
            let of: Vec<_> = command::table()
                .iter()
                .filter(|e| e.on.contains(&place) && !is_way(e))
                .filter(|e| hit(&[e.name, e.doc]) || e.keys.contains(&text.as_str()))
                .collect();
            if !of.is_empty() {
                lines.push(Line::Title(place.title().to_owned()));
                of.into_iter().for_each(|e| entry(&mut lines, e, width));
                lines.push(Line::Gap);
            }
        }
        let signs: Vec<_> = SIGNS.iter().filter(|(sign, doc)| hit(&[sign, doc])).collect();
        if !signs.is_empty() {
            lines.push(Line::Title("Signs".into()));
            lines.extend(signs.into_iter().map(|(sign, doc)| Line::Sign(sign, doc)));
        }
        let cost: Vec<_> = self.cost.iter().filter(|line| hit(&["cost", line])).collect();
        if !cost.is_empty() {
            lines.push(Line::Gap);
            lines.push(Line::Title("What this cockpit costs the cluster".into()));
            let wrapped = cost.iter().flat_map(|line| format::wrap(line, width.saturating_sub(2)));
            lines.extend(wrapped.map(Line::Wide));
        }
        lines
    }

    /// How many lines there are on a screen of so many columns.
    pub fn lines_on(&self, screen: u16) -> usize {
        self.lines(if screen < 40 { screen } else { screen.min(PANEL) - 4 }).len()
    }

    /// Draws it; returns where the cursor is.
    pub fn render(&self, pen: &mut Pen<'_>) -> Option<Position> {
        let height = pen.height();
        let mut pen = panel(
            pen,
            PANEL,
            height,
            &[piece("Help", Role::Accent)],
            &[piece("/ search   esc closes", Role::Muted)],
        );
        let width = pen.width();
        let lines = self.lines(width);
        let search = self.typing || !self.input.value().is_empty();
        // How much more there is has a line of its own: it lies over no row.
        let foot = u16::from(search || lines.len() > usize::from(pen.height()));
        let page = usize::from(pen.height().saturating_sub(foot));
        let start = self.scroll.min(lines.len().saturating_sub(page));
        for (y, line) in lines.iter().skip(start).take(page).enumerate() {
            let y = y as u16;
            match line {
                Line::Gap => {}
                Line::Title(text) => {
                    pen.put(0, y, width, text, Role::Accent);
                }
                Line::Sign(sign, doc) => {
                    pen.put(2, y, 12, sign, Role::Key);
                    pen.put(16, y, width.saturating_sub(16), doc, Role::Text);
                }
                Line::Wide(text) => {
                    pen.put(2, y, width.saturating_sub(2), text, Role::Text);
                }
                Line::More(text) => {
                    pen.put(INDENT, y, width.saturating_sub(INDENT), text, Role::Text);
                }
                Line::Entry(e, text) => {
                    let keys: Vec<_> = e.keys.iter().map(|k| key_sign(k)).collect();
                    pen.put(2, y, 13, &keys.join(" "), Role::Key);
                    pen.put(INDENT, y, width.saturating_sub(INDENT), text, Role::Text);
                    if width >= WIDE {
                        pen.put_right(width, y, 30, &name(e), Role::Faint);
                    }
                }
            }
        }
        if lines.is_empty() {
            pen.put(0, 0, width, "no key, name or text contains that", Role::Muted);
        }
        let below = lines.len().saturating_sub(start + page);
        let y = pen.height().saturating_sub(1);
        if search {
            let x = pen.put(0, y, width, "/", Role::Key);
            pen.put(x, y, width.saturating_sub(x), self.input.value(), Role::Text);
            let at = x + u16::try_from(self.input.visual_cursor()).unwrap_or(0);
            return self
                .typing
                .then(|| Position::new(pen.area.x + at.min(width.saturating_sub(1)), pen.area.y + y));
        }
        if below > 0 && width > 20 {
            pen.put_right(width, y, 12, &format!(" {below} more ↓"), Role::Muted);
        }
        None
    }
}
