//! Where the parts of the screen are, and what is wrong at its top.

use ratatui::layout::Rect;

use super::{DatabaseView, members, words};
use crate::{
    cluster::{Finding, Severity},
    ui::{format, paint::Pen, view::Cx},
};

/// Where the parts of the screen are.
pub(super) struct Layout {
    /// Lines for what is wrong.
    pub(super) top: u16,
    /// The table.
    pub(super) table: Rect,
    /// The table of the proxies below that of the members, where there is room for both.
    pub(super) below: Option<Rect>,
    /// The selected one.
    pub(super) detail: Rect,
}

impl DatabaseView {
    pub(super) fn page(&self, cx: &Cx<'_>) -> usize {
        let layout = self.layout(cx, cx.size);
        let table = if self.proxies { layout.below.unwrap_or(layout.table) } else { layout.table };
        usize::from(table.height.saturating_sub(1)).max(1)
    }

    /// What is wrong with the database, one line each thing.
    pub(super) fn wrong<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Finding> {
        let mut shown: Vec<&Finding> = Vec::new();
        let loud = |f: &&Finding| f.severity > Severity::Notice && words::is_database(f);
        for finding in cx.findings.iter().filter(loud) {
            if !shown.iter().any(|f| f.text == finding.text && f.rule == finding.rule) {
                shown.push(finding);
            }
        }
        shown
    }

    pub(super) fn layout(&self, cx: &Cx<'_>, (width, height): (u16, u16)) -> Layout {
        let most = if height < 24 { 3 } else { 8 };
        let wrong = u16::try_from(self.wrong(cx).len()).unwrap_or(most).min(most);
        let top = if height < 10 || wrong == 0 { 0 } else { wrong + 1 };
        let left = if width >= 150 { width - 66 } else { width };
        let room = height.saturating_sub(top);
        let members = u16::try_from(self.shown.len()).unwrap_or(room) + 1 + members::foot(cx, left);
        let both = width >= 150 && height >= 30 && !cx.seen.proxies.is_empty() && !self.shown.is_empty();
        let side = Rect { x: left + 2, y: top, width: (width - left).saturating_sub(2), height: room };
        if both {
            let upper = members.min(room / 2);
            let table = Rect { x: 0, y: top, width: left, height: upper };
            let below = Rect { y: top + upper + 1, height: room.saturating_sub(upper + 1), ..table };
            return Layout { top, table, below: Some(below), detail: side };
        }
        if width >= 150 {
            return Layout {
                top,
                table: Rect { x: 0, y: top, width: left, height: room },
                below: None,
                detail: side,
            };
        }
        let rows = match self.proxies {
            true => u16::try_from(self.rows.len()).unwrap_or(room) + 1,
            false => members,
        };
        // The selected one keeps some lines, as long as the table has its own.
        let table = rows.min(room.saturating_sub(room / 3)).max(room.min(4));
        let y = top + table + 1;
        Layout {
            top,
            table: Rect { x: 0, y: top, width, height: table },
            below: None,
            detail: Rect { x: 0, y, width, height: height.saturating_sub(y) },
        }
    }

    pub(super) fn draw_wrong(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, lines: u16) {
        let width = pen.width();
        let name = if width < 100 { 9 } else { 16 };
        for (y, finding) in self.wrong(cx).into_iter().take(usize::from(lines)).enumerate() {
            let y = y as u16;
            let key = words::key(finding);
            let aside: u16 = key.iter().map(|(t, _)| format::width(t)).sum();
            let right = width.saturating_sub(if aside > 0 { aside + 2 } else { 1 });
            super::super::finding_line(pen, y, right, finding, cx, name);
            pen.line_right(width.saturating_sub(1), y, aside, &key);
        }
    }
}
