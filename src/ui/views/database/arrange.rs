//! Where the parts of the screen are, and what is wrong at its top.

use ratatui::layout::Rect;

use super::{DatabaseView, members, words};
use crate::{
    cluster::{Finding, Severity},
    ui::{
        chrome,
        command::{self, Command},
        format,
        paint::{Pen, Piece, piece},
        theme::Role,
        view::Cx,
    },
};

/// From so many columns on there is room beside a table.
const WIDE: u16 = 150;

/// Where the parts of the screen are.
pub(super) struct Layout {
    /// Lines for what is wrong, with the one below them.
    pub(super) top: u16,
    /// The table.
    pub(super) table: Rect,
    /// The table of the proxies below that of the members, where there is room for both.
    pub(super) below: Option<Rect>,
    /// The selected one.
    pub(super) detail: Rect,
}

/// A line of what is wrong: of a finding its first or one that goes on, or how many there are besides.
enum Wrong<'a> {
    First(&'a Finding, String),
    On(String),
    More(usize),
}

impl DatabaseView {
    pub(super) fn page(&self, cx: &Cx<'_>) -> usize {
        let layout = self.layout(cx, cx.size);
        let table = if self.proxies { layout.below.unwrap_or(layout.table) } else { layout.table };
        usize::from(table.height.saturating_sub(1)).max(1)
    }

    pub(super) fn layout(&self, cx: &Cx<'_>, (width, height): (u16, u16)) -> Layout {
        let wrong = u16::try_from(wrong(cx, width, height).len()).unwrap_or(height);
        let top = if height < 10 || wrong == 0 { 0 } else { wrong + 1 };
        let room = height.saturating_sub(top);
        let left = width * 3 / 5;
        let members = u16::try_from(self.shown.len()).unwrap_or(room) + 1 + members::foot(cx, width);
        let beside = |y: u16| Rect { x: left + 2, y, width: width - left - 2, height: height - y };
        if width >= WIDE && height >= 30 && !cx.seen.proxies.is_empty() && !self.shown.is_empty() {
            let upper = members.min(room / 2);
            let y = top + upper + 1;
            return Layout {
                top,
                table: Rect { x: 0, y: top, width, height: upper },
                below: Some(Rect { x: 0, y, width: left, height: height - y }),
                detail: beside(y),
            };
        }
        if width >= WIDE && self.proxies {
            let table = Rect { x: 0, y: top, width: left, height: room };
            return Layout { top, table, below: None, detail: beside(top) };
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

    pub(super) fn draw_wrong(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, height: u16, lines: u16) {
        let (width, name) = (pen.width(), name_width(pen.width()));
        let x = 5 + name;
        let shown = wrong(cx, width, height);
        for (y, line) in shown.iter().take(usize::from(lines)).enumerate() {
            let y = y as u16;
            let room = width.saturating_sub(x);
            let finding = match line {
                Wrong::First(finding, _) => finding,
                Wrong::On(text) => {
                    pen.put(x, y, room, text, Role::Text);
                    continue;
                }
                Wrong::More(n) => {
                    let key = command::of(Command::Findings).keys.first().copied().unwrap_or_default();
                    let pieces = [
                        piece(format!("and {n} more  "), Role::Muted),
                        piece(key, Role::Key),
                        piece(" all", Role::Muted),
                    ];
                    pen.line(4, y, room, &pieces);
                    continue;
                }
            };
            let label = super::label(cx, &finding.subject);
            let severity = Some(finding.severity);
            pen.put(2, y, 1, chrome::glyph(severity), chrome::role(severity));
            pen.put(4, y, name, &words::short(&label, name), Role::Text);
            if let Wrong::First(_, text) = line {
                pen.put(x, y, room, text, Role::Text);
            }
            let key = words::key(cx, finding);
            let aside = wide(&key);
            let age = finding.since.map(|since| cx.age(since)).unwrap_or_default();
            pen.put_right(right(width, aside), y, 5, &age, Role::Muted);
            pen.line_right(width.saturating_sub(1), y, aside, &key);
        }
    }
}

fn wide(pieces: &[Piece<'_>]) -> u16 {
    pieces.iter().map(|(text, _)| format::width(text)).sum()
}

fn name_width(width: u16) -> u16 {
    if width < 100 { 9 } else { 16 }
}

/// Where the age of a finding ends that has so many columns beside it.
fn right(width: u16, aside: u16) -> u16 {
    width.saturating_sub(if aside > 0 { aside + 3 } else { 1 })
}

/// What is wrong with the database, worst first: in as many lines as each needs, as long as every one has its first.
fn wrong<'a>(cx: &Cx<'a>, width: u16, height: u16) -> Vec<Wrong<'a>> {
    let mut found: Vec<&Finding> = Vec::new();
    let loud = |f: &&Finding| f.severity > Severity::Notice && f.subject.is_database();
    for finding in cx.findings.iter().filter(loud) {
        if !found.iter().any(|f| f.text == finding.text && f.rule == finding.rule) {
            found.push(finding);
        }
    }
    let most = usize::from((height + 2) / 4).clamp(1, 8);
    let x = 5 + name_width(width);
    let parts = |finding: &Finding| {
        let room = right(width, wide(&words::key(cx, finding))).saturating_sub(x + 6);
        (format::wrap(&format::plain(&finding.text), room), room)
    };
    // The worst is told in full before others are told at all.
    let first = found.first().map_or(1, |f| parts(f).0.len()).clamp(1, if most > 3 { 2 } else { 1 });
    let most = most + 1 - first;
    let besides = if found.len() > most { found.len() + 1 - most } else { 0 };
    found.truncate(found.len() - besides);
    let mut spare = (most + first - 1).saturating_sub(found.len() + usize::from(besides > 0));
    let mut lines = Vec::new();
    for finding in found {
        let (mut parts, room) = parts(finding);
        let shown = parts.len().min(1 + spare);
        spare -= shown - 1;
        if shown < parts.len() {
            let rest = parts.split_off(shown - 1).join(" ");
            parts.push(words::clip(&rest, room));
        }
        let mut parts = parts.into_iter();
        lines.extend(parts.next().map(|text| Wrong::First(finding, text)));
        lines.extend(parts.map(Wrong::On));
    }
    if besides > 0 {
        lines.push(Wrong::More(besides));
    }
    lines
}
