//! Lines about one thing, under construction: facts with their names, courses, what is wrong.

use jiff::Timestamp;

use super::{Line, said, words};
use crate::{
    cluster::{Finding, Subject},
    ui::{chrome, format, theme::Role, view::Cx},
};

/// Columns of a fact's name, with the blank behind it.
const NAME: u16 = 13;
/// Where a fact's name begins.
const INDENT: u16 = 4;

/// Lines under construction.
pub(super) struct Sheet {
    pub(super) lines: Vec<Line>,
    pub(super) width: u16,
    /// How long ago all of it was said, when that is not now.
    pub(super) old: Option<String>,
}

impl Sheet {
    pub(super) fn new(width: u16) -> Self {
        Self { lines: Vec::new(), width, old: None }
    }

    pub(super) fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    pub(super) fn title(&mut self, text: &str) {
        self.gap();
        let mut line = vec![said(format!("  {text}"), Role::Title)];
        line.extend(self.old.iter().map(|age| said(format!("  said {age} ago"), Role::Warn)));
        self.lines.push(line);
    }

    /// A fact: its name, its value. What is too long goes on below its beginning.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<String>, role: Role) {
        self.named(name, NAME, &value.into(), role);
    }

    /// The same, with so many columns for the name.
    pub(super) fn named(&mut self, name: &str, columns: u16, value: &str, role: Role) {
        let room = self.width.saturating_sub(INDENT + columns + 1);
        let role = if self.old.is_some() && role == Role::Text { Role::Muted } else { role };
        let plain = format::plain(value);
        // As it is where it fits: its blanks may stand for an order.
        let lines = match format::width(&plain) <= room {
            true => vec![plain.into_owned()],
            false => format::wrap(&plain, room),
        };
        let name = words::short(name, columns.saturating_sub(1));
        for (i, line) in lines.into_iter().enumerate() {
            let name = if i == 0 { &*name } else { "" };
            let pad = usize::from(columns.saturating_sub(format::width(name)));
            let head = format!("{}{name}{}", " ".repeat(usize::from(INDENT)), " ".repeat(pad));
            self.lines.push(vec![said(head, Role::Muted), said(line, role)]);
        }
    }

    /// The course of a value over the last minutes, against `full` where it is known what that is.
    pub(super) fn course(
        &mut self,
        name: &str,
        samples: &[(Timestamp, Option<f64>)],
        full: Option<f64>,
        text: impl Fn(Option<f64>) -> String,
    ) {
        if samples.iter().all(|(_, value)| value.is_none()) {
            return;
        }
        let columns = self.width.saturating_sub(46).clamp(8, 60);
        let (bars, top) = format::spark(&words::columns(samples, columns), full);
        let now = samples.last().and_then(|(_, value)| *value);
        self.lines.push(vec![
            said(format!("    {name:<13}"), Role::Muted),
            said(bars, Role::Text),
            said(format!("{:>9}", text(now)), Role::Text),
            said(format!("  most {}", text(Some(top))), Role::Faint),
        ]);
    }

    /// What is wrong with it, as far as it is wanted.
    pub(super) fn findings(&mut self, cx: &Cx<'_>, subject: &Subject, wanted: impl Fn(&Finding) -> bool) {
        let about = |f: &&Finding| f.subject == *subject && wanted(f);
        for finding in cx.findings.iter().filter(about) {
            let seen = finding.seen_since.map(|s| format!("  seen for {}", cx.age(s)));
            let since = finding.since.map(|s| format!("  {}", cx.age(s))).or(seen).unwrap_or_default();
            let role = words::tone(finding.severity);
            let sign = chrome::mark(finding.severity);
            let lines = format::wrap(&format::plain(&finding.text), self.width.saturating_sub(10));
            for (i, line) in lines.into_iter().enumerate() {
                let head = if i == 0 { format!("  {sign} ") } else { "    ".into() };
                let age = if i == 0 { since.clone() } else { String::new() };
                self.lines.push(vec![said(head, role), said(line, Role::Text), said(age, Role::Muted)]);
            }
        }
    }
}
