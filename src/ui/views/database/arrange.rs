//! Where the parts of the screen are, and what is wrong at its top.

use ratatui::layout::Rect;

use super::{DatabaseView, members, words};
use crate::{
    cluster::{Answer, Finding, Severity, Subject},
    ui::{
        chrome,
        command::{self, Command},
        format,
        paint::{Pen, Piece, piece, wide},
        theme::Role,
        view::Cx,
    },
};

/// From so many columns on there is room beside a table.
const WIDE: u16 = 150;

/// There is room beside a table.
pub(super) fn is_wide((width, _): (u16, u16)) -> bool {
    width >= WIDE
}

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

/// What is wrong in the same words with one or several.
struct Alike<'a> {
    finding: &'a Finding,
    /// Whom it is about.
    about: String,
    text: String,
    /// The findings of exactly that text.
    of: Vec<&'a Finding>,
    /// None of the text is cut off.
    whole: bool,
    /// The key that answers it, where no line above names it already.
    key: Vec<Piece<'a>>,
}

/// A line of what is wrong: of a finding its first or one that goes on, or how many there are besides.
enum Wrong<'a> {
    First(Alike<'a>, String),
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
        let wrong =
            u16::try_from(wrong(cx, width, self.most_wrong(cx, (width, height))).len()).unwrap_or(height);
        let top = if height < 10 || wrong == 0 { 0 } else { wrong + 1 };
        let room = height.saturating_sub(top);
        let left = width * 3 / 5;
        let members = self.member_lines(cx, width);
        let beside = |y: u16| Rect { x: left + 2, y, width: width - left - 2, height: height - y };
        if is_wide((width, height)) && height >= 30 && !cx.seen.proxies.is_empty() && !self.shown.is_empty() {
            let upper = members.min(room / 2);
            let y = top + upper + 1;
            return Layout {
                top,
                table: Rect { x: 0, y: top, width, height: upper },
                below: Some(Rect { x: 0, y, width: left, height: height - y }),
                detail: beside(y),
            };
        }
        if is_wide((width, height)) && self.proxies {
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

    /// Lines of the table of the members.
    fn member_lines(&self, cx: &Cx<'_>, width: u16) -> u16 {
        u16::try_from(self.shown.len()).unwrap_or(u16::MAX).saturating_add(1 + members::foot(cx, width))
    }

    /// Lines for what is wrong at most. It is worth more than all but the first of what is told of the selected one.
    fn most_wrong(&self, cx: &Cx<'_>, (width, height): (u16, u16)) -> usize {
        /// Of the selected one, with the blank lines above and below the table.
        const LEAST: u16 = 5;
        let left = height.saturating_sub(self.member_lines(cx, width) + LEAST);
        usize::from(((height + 2) / 4).max(if self.proxies { 0 } else { left }).clamp(1, 8))
    }

    /// Whether what is wrong is told at the top of the screen, word by word.
    pub(super) fn is_told(&self, cx: &Cx<'_>, finding: &Finding) -> bool {
        let lines = wrong(cx, cx.size.0, self.most_wrong(cx, cx.size));
        lines.iter().any(|line| match line {
            Wrong::First(told, _) => told.whole && told.of.iter().any(|of| std::ptr::eq(*of, finding)),
            Wrong::On(_) | Wrong::More(_) => false,
        })
    }

    pub(super) fn draw_wrong(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, height: u16, lines: u16) {
        let width = pen.width();
        let all = wrong(cx, width, self.most_wrong(cx, (width, height)));
        for (y, line) in all.iter().take(usize::from(lines)).enumerate() {
            let y = y as u16;
            let told = match line {
                Wrong::First(told, text) => {
                    pen.put(text_at(width, &told.about), y, width, text, Role::Text);
                    told
                }
                Wrong::On(text) => {
                    pen.put(hang(width), y, width, text, Role::Text);
                    continue;
                }
                Wrong::More(n) => {
                    let key = command::sign(Command::Findings);
                    let pieces = [
                        piece(format!("and {n} more  "), Role::Muted),
                        piece(key, Role::Key),
                        piece(" all", Role::Muted),
                    ];
                    pen.line(4, y, width, &pieces);
                    continue;
                }
            };
            let severity = Some(told.finding.severity);
            pen.put(2, y, 1, chrome::glyph(severity), chrome::role(severity));
            pen.put(4, y, name_width(width), &words::short(&told.about, name_width(width)), Role::Text);
            let aside = wide(&told.key);
            let age = cx.age_of(told.finding);
            pen.put_right(right(width, aside), y, AGE, &age, Role::Muted);
            pen.line_right(width.saturating_sub(1), y, aside, &told.key);
        }
    }
}

/// Columns for how long something is so.
const AGE: u16 = 5;

/// There is no room for columns: the text follows the name, and a key stands without its word.
fn narrow(width: u16) -> bool {
    width < 72
}

fn name_width(width: u16) -> u16 {
    if width < 100 { 9 } else { 16 }
}

/// Where the text of something about that one begins.
fn text_at(width: u16, about: &str) -> u16 {
    let name = name_width(width);
    5 + if narrow(width) { format::width(&words::short(about, name)).min(name) + 1 } else { name }
}

/// Where a text goes on.
fn hang(width: u16) -> u16 {
    if narrow(width) { 4 } else { 5 + name_width(width) }
}

/// Where the age of a finding ends that has so many columns beside it.
fn right(width: u16, aside: u16) -> u16 {
    width.saturating_sub(if aside > 0 { aside + 3 } else { 1 })
}

/// The text in lines: the first beside the name, its age and its key, the others as wide as there is room.
fn lines(told: &Alike<'_>, width: u16) -> Vec<String> {
    let first = clipped(told, width);
    let rest = width.saturating_sub(hang(width) + 1).max(8);
    let mut lines = format::wrap(&told.text, first);
    let on = lines.split_off(1).join(" ");
    if !on.is_empty() {
        lines.extend(format::wrap(&on, rest));
    }
    lines
}

/// What is wrong with the database, worst first, the same thing once.
fn told<'a>(cx: &Cx<'a>, width: u16) -> Vec<Alike<'a>> {
    let mut all: Vec<(Alike<'a>, Vec<String>)> = Vec::new();
    let loud = |f: &&Finding| f.severity > Severity::Notice && f.subject.is_database();
    for finding in cx.findings.iter().filter(loud) {
        let about = super::label(cx, &finding.subject).into_owned();
        let text = format::plain(&finding.text).into_owned();
        let like = all.iter_mut().find_map(|(other, names)| {
            let same = other.finding.rule == finding.rule && other.finding.severity == finding.severity;
            let text = format::alike(&other.text, &text).filter(|_| same)?;
            Some((other, names, text))
        });
        match like {
            Some((other, names, merged)) => {
                match (other.text == merged, text == merged) {
                    (true, true) => other.of.push(finding),
                    (true, false) => {}
                    (false, _) => other.of.clear(),
                }
                other.text = merged;
                if !names.contains(&about) {
                    names.push(about);
                    names.sort_by(|a, b| format::natural(a, b));
                }
                let each = names.join(", ");
                other.about = match (&finding.subject, names.len()) {
                    (_, 1) => each,
                    (Subject::Proxy(_), n) => format!("{n} proxies"),
                    (_, _) if format::width(&each) <= name_width(width) => each,
                    (_, n) => format!("{n} members"),
                };
            }
            None => {
                let mut key = words::key(cx, finding);
                if narrow(width) {
                    key.truncate(1);
                    key.iter_mut().for_each(|(text, _)| *text = text.trim_end().to_owned().into());
                }
                // Where the same key answers several findings it is named once: the room is the text's.
                if all.iter().any(|(other, _)| other.key == key && finding.answer == Some(Answer::Recovery)) {
                    key.clear();
                }
                let of = vec![finding];
                let told = Alike { finding, about: about.clone(), text, of, whole: true, key };
                all.push((told, vec![about]));
            }
        }
    }
    all.into_iter().map(|(told, _)| told).collect()
}

/// What is wrong with the database, worst first: in as many lines as each needs, as long as every one has its first.
fn wrong<'a>(cx: &Cx<'a>, width: u16, most: usize) -> Vec<Wrong<'a>> {
    let mut found = told(cx, width);
    // The worst is told in full before others are told at all.
    let full = match narrow(width) {
        true => most.saturating_sub(1).max(1),
        false => most.saturating_sub(2).max(1),
    };
    let first = found.first().map_or(1, |told| lines(told, width).len()).clamp(1, full);
    let room = most + 1 - first;
    let besides = if found.len() > room { found.len() + 1 - room } else { 0 };
    found.truncate(found.len() - besides);
    let mut spare = most.saturating_sub(found.len() + usize::from(besides > 0));
    let mut all = Vec::new();
    for mut told in found {
        let mut parts = lines(&told, width);
        let shown = parts.len().min(1 + spare);
        spare -= shown - 1;
        if shown < parts.len() {
            told.whole = false;
            let rest = parts.split_off(shown - 1).join(" ");
            let own = if shown > 1 { width.saturating_sub(hang(width) + 1) } else { clipped(&told, width) };
            parts.push(words::clip(&rest, own));
        }
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        all.push(Wrong::First(told, first));
        all.extend(parts.map(Wrong::On));
    }
    if besides > 0 {
        all.push(Wrong::More(besides));
    }
    all
}

/// Columns of the first line of a text.
fn clipped(told: &Alike<'_>, width: u16) -> u16 {
    let dated = told.finding.since.or(told.finding.seen_since).is_some();
    let age = if dated { AGE + 1 } else { 1 };
    right(width, wide(&told.key)).saturating_sub(text_at(width, &told.about) + age).max(8)
}
