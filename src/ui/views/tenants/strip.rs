//! The worst findings, above the table, and what each leads to.

use super::{super::finding_line, Tenants};
use crate::{
    cluster::{Answer, Finding, Subject},
    ui::{
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Lines for findings above the table, with the gap below them: it depends on the height alone, so that nothing
/// shifts.
pub(super) fn height(screen: u16) -> u16 {
    match screen {
        ..10 => 0,
        10..16 => 3,
        16..28 => 4,
        28..40 => 6,
        _ => 8,
    }
}

impl Tenants {
    pub(super) fn findings(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, lines: u16) {
        if lines == 0 {
            return;
        }
        let width = pen.width();
        let right = width.saturating_sub(14);
        let name = if width < 100 { 14 } else { 22 };
        let orphans = cx.runs.iter().filter(|k| k.is_orphaned()).take(1);
        let mut y = 0;
        for known in orphans {
            let who = &known.run.operator;
            let text = format!("run of {who} is unfinished and nobody is at it");
            pen.put(2, y, 1, "✖", Role::Danger);
            pen.put(4, y, name, known.run.short(), Role::Text);
            pen.put(5 + name, y, right.saturating_sub(11 + name), &text, Role::Text);
            pen.put_right(right, y, 5, &cx.age_or_dash(known.run.last_at()), Role::Muted);
            pen.line_right(width - 1, y, 12, &[piece("3 ", Role::Key), piece("runs", Role::Muted)]);
            y += 1;
        }
        if cx.findings.is_empty() && y == 0 {
            pen.line(2, 0, width, &[piece("✓ ", Role::Ok), piece("nothing is wrong", Role::Muted)]);
        }
        let room = usize::from(lines - y.min(lines));
        let mut shown: Vec<&Finding> = Vec::with_capacity(room);
        for finding in cx.findings {
            if shown.len() == room {
                break;
            }
            if !shown.iter().any(|f| f.subject == finding.subject) {
                shown.push(finding);
            }
        }
        for finding in shown {
            finding_line(pen, y, right, finding, cx, name);
            let here = matches!(&finding.subject, Subject::Tenant(n) if Some(n) == self.list.selected());
            let (key, word) = match (finding.answer, here) {
                (Some(Answer::Scale), true) => ("s ", "scale"),
                (Some(_), true) => ("⏎ ", "open"),
                (_, false) => ("n ", "go there"),
                (None, true) => ("", ""),
            };
            if here || y == 0 || cx.findings.len() > 1 {
                let tone = if here { Role::Key } else { Role::Faint };
                let word_tone = if here { Role::Muted } else { Role::Faint };
                pen.line_right(width - 1, y, 12, &[piece(key, tone), piece(word, word_tone)]);
            }
            y += 1;
        }
    }
}
