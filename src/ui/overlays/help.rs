//! What the keys do, made from the table of commands.

use ratatui::layout::Position;
use tui_input::Input;

use super::panel;
use crate::ui::{
    command::{COMMANDS, Entry, On, Takes, key_sign},
    format,
    paint::{Pen, piece},
    theme::Role,
};

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
}

enum Line {
    Title(String),
    Entry(&'static Entry),
    Sign(&'static str, &'static str),
    Gap,
}

const SIGNS: [(&str, &str); 9] = [
    ("·", "no pod of the tenant there"),
    ("2", "two pods ready there"),
    ("2!", "several pods together on one node: its loss costs them all"),
    ("1~", "a pod is starting"),
    ("1-", "a pod is leaving"),
    ("x", "a pod is failing"),
    ("✖ ▲ •", "hurts users now, hurts with the next failure, worth knowing"),
    ("◌", "cordoned: takes no new pods"),
    ("2n 3p", "three pods on two nodes, where there is no room for a column a node"),
];

impl Help {
    /// The help as asked for there.
    pub fn new(on: On) -> Self {
        Self { on, input: Input::default(), typing: false, scroll: 0 }
    }

    fn lines(&self) -> Vec<Line> {
        let text = self.input.value().to_lowercase();
        let hit = |words: &[&str]| text.is_empty() || words.iter().any(|w| w.to_lowercase().contains(&text));
        let mut places = vec![self.on];
        places.extend(On::ALL.into_iter().filter(|on| *on != self.on));
        let mut lines = Vec::new();
        for place in places {
            let of: Vec<_> = COMMANDS
                .iter()
                .filter(|e| e.on.contains(&place))
                .filter(|e| hit(&[e.name, e.doc]) || e.keys.contains(&text.as_str()))
                .collect();
            if !of.is_empty() {
                lines.push(Line::Title(place.title().to_owned()));
                lines.extend(of.into_iter().map(Line::Entry));
                lines.push(Line::Gap);
            }
        }
        let signs: Vec<_> = SIGNS.iter().filter(|(sign, doc)| hit(&[sign, doc])).collect();
        if !signs.is_empty() {
            lines.push(Line::Title("Signs".into()));
            lines.extend(signs.into_iter().map(|(sign, doc)| Line::Sign(sign, doc)));
        }
        lines
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines().len()
    }

    /// Nothing is found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws it; returns where the cursor is.
    pub fn render(&self, pen: &mut Pen<'_>) -> Option<Position> {
        let lines = self.lines();
        let height = pen.height();
        let mut pen = panel(
            pen,
            92,
            height,
            &[piece("Help", Role::Accent)],
            &[piece("/ search   esc closes", Role::Muted)],
        );
        let width = pen.width();
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
                Line::Entry(e) => {
                    let keys: Vec<_> = e.keys.iter().map(|k| key_sign(k)).collect();
                    pen.put(2, y, 13, &keys.join(" "), Role::Key);
                    let takes = if e.takes == Takes::Nothing {
                        String::new()
                    } else {
                        format!(" {}", e.takes.word())
                    };
                    let name = format!(":{}{takes}", e.name);
                    let wide = width >= 70;
                    // The name takes what it needs: the words matter more.
                    let right = if wide { width.saturating_sub(format::width(&name) + 1) } else { width };
                    pen.put(16, y, right.saturating_sub(17), e.doc, Role::Text);
                    if wide {
                        pen.put_right(width, y, 30, &name, Role::Faint);
                    }
                }
            }
        }
        if lines.is_empty() {
            pen.put(0, 0, width, "nothing is called so", Role::Muted);
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
