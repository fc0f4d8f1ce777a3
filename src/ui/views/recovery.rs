//! The recovery sheet, as `wheelhouse galera recovery` prints it. It is read here, and run by a person elsewhere.

use crate::{
    cluster::{
        Database,
        database::{Evidence, recovery},
    },
    ui::{
        action::Action,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Place, View},
    },
};

/// The recovery sheet.
#[derive(Default)]
pub struct Recovery {
    lines: Vec<(String, Role)>,
    from: usize,
}

/// How what members left on their disks is brought in.
const FEED: &str = "What members that are down left on their disks is fed on the command line: wheelhouse galera recovery --grastate db1=/path/to/grastate.dat --recovered db2=/path/to/error.log";

impl Recovery {
    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1).max(1)
    }

    fn last(&self, cx: &Cx<'_>) -> usize {
        self.lines.len().saturating_sub(Self::page(cx))
    }
}

/// How a line of the sheet looks. Headings are in capitals; commands stand deepest.
fn role(line: &str) -> Role {
    let indent = line.len() - line.trim_start().len();
    let heading = indent == 0 && line.chars().take(4).all(|c| c.is_uppercase() || c == ' ');
    match (heading, indent) {
        (true, _) if line.starts_with("RECOVERY") => Role::Danger,
        (true, _) => Role::Title,
        (false, 7..) => Role::Accent,
        (false, 0) => Role::Muted,
        _ => Role::Text,
    }
}

impl View for Recovery {
    fn place(&self) -> Place {
        Place::Recovery
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let width = cx.size.0.saturating_sub(3).max(1);
        let database = Database::of(cx.seen).filter(|d| !d.members.is_empty());
        let text = match &database {
            Some(database) => format!("{}\n{FEED}", recovery(&Evidence::of(database, &[]))),
            None => "no Galera members are configured: name them under [galera] members".into(),
        };
        self.lines.clear();
        for line in text.lines() {
            let line = format::plain(line);
            let role = role(&line);
            let indent = (line.len() - line.trim_start().len()).min(usize::from(width) / 2);
            // A command stays in one piece as far as it goes: it is read, compared and typed.
            let room = width.saturating_sub(u16::try_from(indent).unwrap_or(0));
            let parts = format::wrap(line.trim_start(), room);
            if parts.is_empty() {
                self.lines.push((String::new(), role));
            }
            for part in parts {
                self.lines.push((format!("{}{part}", " ".repeat(indent)), role));
            }
        }
        self.from = self.from.min(self.last(cx));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let half = Self::page(cx) / 2;
        let to = match command {
            Command::Up => self.from.saturating_sub(1),
            Command::Down => self.from + 1,
            Command::PageUp => self.from.saturating_sub(half),
            Command::PageDown => self.from + half,
            Command::Top => 0,
            Command::Bottom => usize::MAX,
            _ => return None,
        };
        self.from = to.min(self.last(cx));
        None
    }

    fn render(&self, pen: &mut Pen<'_>, _cx: &Cx<'_>) {
        let width = pen.width();
        let page = usize::from(pen.height());
        for (y, (line, role)) in self.lines.iter().skip(self.from).take(page).enumerate() {
            pen.line(1, y as u16, width.saturating_sub(1), &[piece(line.as_str(), *role)]);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let left = self.lines.len().saturating_sub(self.from + Self::page(cx));
        let more = if left > 0 { format!(" · {left} more ↓") } else { String::new() };
        format!("wheelhouse runs none of it{more}")
    }
}
