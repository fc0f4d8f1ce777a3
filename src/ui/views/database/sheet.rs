//! Lines about one thing, under construction: facts with their names, courses, what is wrong.

use super::{Line, said, words};
use crate::{
    cluster::Subject,
    ui::{chrome, format, theme::Role, view::Cx},
};

/// Lines under construction.
pub(super) struct Sheet {
    pub(super) lines: Vec<Line>,
    pub(super) width: u16,
}

impl Sheet {
    pub(super) fn new(width: u16) -> Self {
        Self { lines: Vec::new(), width }
    }

    pub(super) fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    pub(super) fn title(&mut self, text: &str) {
        self.gap();
        self.lines.push(vec![said(format!("  {text}"), Role::Title)]);
    }

    /// A fact: its name, its value.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<String>, role: Role) {
        self.lines.push(vec![said(format!("    {name:<13}"), Role::Muted), said(value, role)]);
    }

    /// A fact that may need several lines.
    pub(super) fn long(&mut self, name: &str, value: &str, role: Role) {
        let lines = format::wrap(&format::plain(value), self.width.saturating_sub(18));
        for (i, line) in lines.into_iter().enumerate() {
            self.fact(if i == 0 { name } else { "" }, line, role);
        }
    }

    /// The course of a value over the last minutes.
    pub(super) fn course(
        &mut self,
        name: &str,
        values: impl DoubleEndedIterator<Item = Option<f64>>,
        now: String,
    ) {
        let columns = self.width.saturating_sub(40).clamp(8, 60);
        let (bars, top) = words::spark(values, columns);
        if bars.trim().is_empty() {
            return;
        }
        self.lines.push(vec![
            said(format!("    {name:<13}"), Role::Muted),
            said(format!("{bars} "), Role::Text),
            said(format!(" {now}"), Role::Text),
            said(format!("  most {}", words::rate(Some(top))), Role::Faint),
        ]);
    }

    /// What is wrong with it.
    pub(super) fn findings(&mut self, cx: &Cx<'_>, subject: &Subject) {
        for finding in cx.findings.iter().filter(|f| f.subject == *subject) {
            let since = finding.since.map(|s| format!("  {}", cx.age(s))).unwrap_or_default();
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
