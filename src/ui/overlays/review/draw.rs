//! How the review of a plan is drawn: on a sheet of its own, of which the screen shows a part.

use std::collections::BTreeMap;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    super::{consent::Typed, database, keys, labelled, panel, panel_room, short_path, wrapped},
    Rehearsing, Review, Typing,
};
use crate::{
    plan::{Check, Part, Verdict},
    run::{JournalPlace, Rehearsal},
    ui::{
        Command, command, format,
        paint::{Pen, piece},
        parts::placement,
        theme::Role,
        view::Cx,
    },
};

/// Steps that are shown one by one.
const STEPS: usize = 16;

/// Columns for the name of a check: the longest is `cluster-sync`.
const RULE: u16 = 12;

/// A review made for a screen: the sheet of all its lines, and the part of it that is seen.
pub(super) struct Laid {
    /// Columns of the panel.
    width: u16,
    sheet: Buffer,
    pub lines: u16,
    /// Lines of the sheet that are seen.
    pub body: u16,
    /// Lines below them.
    foot: u16,
}

impl Review {
    pub(super) fn lay(&self, (columns, height): (u16, u16), cx: &Cx<'_>) -> Laid {
        let (width, margin) = match columns {
            w @ ..40 => (w, 0),
            w @ ..112 => (w, 4),
            _ => (100, 4),
        };
        // Laid out on a sheet of its own, of which the panel shows a part.
        let inner = width - margin;
        let tenants = u16::try_from(self.plan.tenants.len().min(100)).unwrap_or(100);
        let texts = self.plan.database.as_ref().map_or(0, |part| {
            let checks = part.checks.len() + self.plan.checks.len();
            part.now.len() + part.after.len() + part.cut.len() + part.sql.len() + checks
        });
        let database = u16::try_from(texts.min(500)).unwrap_or(500) * if inner < 60 { 12 } else { 4 };
        let tenants = tenants * if inner < 60 { 90 } else { 24 };
        let room = panel_room(columns, height);
        // The empty lines go first.
        let lay = |tight: bool| {
            let mut sheet = Buffer::empty(Rect::new(0, 0, inner, 60 + tenants + database));
            let area = sheet.area;
            let mut on_sheet = Pen { area, buf: &mut sheet, theme: cx.theme };
            on_sheet.ground(Role::Panel);
            let lines = self.content(&mut on_sheet, cx, tight).min(area.height);
            let foot = if tight { 2 } else { 3 };
            Laid { width, sheet, lines, body: room.saturating_sub(foot), foot }
        };
        let loose = lay(false);
        if loose.lines <= loose.body { loose } else { lay(true) }
    }

    /// Draws it over the whole screen's middle.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
        let Laid { width, sheet, lines, body, foot } = self.lay((pen.width(), pen.height()), cx);
        let title = self.plan.summary();
        let mut letters = title.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let seen = format!("seen {} ago", cx.age(self.plan.at));
        let changed = if self.changed { "▲ changed  " } else { "" };
        let title = [piece(title, Role::Accent)];
        let aside = [piece(changed, Role::Warn), piece(seen, Role::Muted)];
        let mut pen = panel(pen, width, lines + foot + 2, &title, &aside);
        let inner = sheet.area.width;
        let scroll = self.scroll.min(lines.saturating_sub(body));
        let body = body.min(pen.height().saturating_sub(foot));
        for y in 0..body.min(lines) {
            for x in 0..pen.width().min(inner) {
                pen.buf[(pen.area.x + x, pen.area.y + y)] = sheet[(x, scroll + y)].clone();
            }
        }
        let more = match lines.saturating_sub(body) {
            0 => None,
            over if over > scroll => Some(format!("{} below  ↓", format::count(over - scroll, "more line"))),
            _ => Some("↑".to_owned()),
        };
        self.foot(&mut pen, cx, body, foot, more)
    }

    /// Everything but the last lines. Returns how many lines it took.
    fn content(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, tight: bool) -> u16 {
        let gap = u16::from(!tight);
        let mut y = gap;
        for check in &self.plan.checks {
            y = check_line(pen, y, check);
        }
        y += if self.plan.checks.is_empty() { 0 } else { gap };
        let many = self.plan.tenants.len() > 1;
        for part in &self.plan.tenants {
            y = part_lines(pen, cx, y, part, many, gap) + u16::from(many);
        }
        for part in &self.plan.nodes {
            for check in &part.checks {
                y = check_line(pen, y, check);
            }
        }
        if let Some(part) = &self.plan.database {
            let (good, against): (Vec<_>, Vec<_>) =
                database::checks(part).into_iter().partition(|check| check.verdict == Verdict::Ok);
            for check in &against {
                y = check_line(pen, y, check);
            }
            y += if against.is_empty() { 0 } else { gap };
            y = database::change(pen, y, part) + gap;
            for check in &good {
                y = check_line(pen, y, check);
            }
        }
        y += if !many && self.rehearsing == Rehearsing::No { gap } else { 0 };
        match &self.rehearsing {
            Rehearsing::No => {}
            Rehearsing::Waiting => {
                let text = "asking for your rights and a dry run of each write";
                y = result_line(pen, y, ("▸ asking", Role::Busy), "rehearsal", text, Role::Muted);
            }
            Rehearsing::Came(r) => {
                let good = r.checks.iter().filter(|c| c.verdict == Verdict::Ok).count();
                for check in r.checks.iter().filter(|c| c.verdict != Verdict::Ok) {
                    y = check_line(pen, y, check);
                }
                let all_good = good == r.checks.len() && r.journal_missing.is_empty();
                if all_good {
                    let text = format!("{} passed; nothing has been changed", format::count(good, "check"));
                    y = result_line(pen, y, ("✓ ok", Role::Ok), "rehearsal", &text, Role::Muted);
                }
                y = self.journal(pen, y, r);
            }
        }
        y += if self.rehearsing == Rehearsing::No { 0 } else { gap };
        if !self.plan.steps.is_empty() {
            y = self.steps(pen, y) + gap;
        }
        for part in self.plan.tenants.iter().take(20) {
            if !self.plan.steps.is_empty() {
                if !part.kubectl.is_empty() {
                    y = labelled(pen, y, "same as", &short_path(&part.kubectl), Role::Muted);
                }
                y = labelled(pen, y, "undo", &part.undo, Role::Muted);
            }
        }
        for part in self.plan.nodes.iter().filter(|_| !self.plan.steps.is_empty()) {
            y = labelled(pen, y, "same as", &short_path(&part.kubectl), Role::Muted);
            y = labelled(pen, y, "undo", &part.undo, Role::Muted);
        }
        match &self.plan.database {
            Some(part) if !self.plan.steps.is_empty() => database::by_hand(pen, y, part),
            _ => y,
        }
    }

    fn journal(&self, pen: &mut Pen<'_>, y: u16, rehearsal: &Rehearsal) -> u16 {
        if rehearsal.journal_missing.is_empty() {
            return y;
        }
        let missing = rehearsal.journal_missing.join(", ");
        let text = match self.place {
            JournalPlace::Cluster => format!(
                "the cluster takes no journal, missing: {missing}. {} keeps it on this machine only: colleagues can then neither see nor finish the run",
                command::first_key(Command::JournalHere)
            ),
            JournalPlace::Local => {
                "kept on this machine only: colleagues can neither see nor finish the run".to_owned()
            }
        };
        check_line(pen, y, &Check::new("journal", Verdict::Warn, text))
    }

    fn steps(&self, pen: &mut Pen<'_>, mut y: u16) -> u16 {
        let width = pen.width();
        let all = self.plan.steps.len();
        for (i, step) in self.plan.steps.iter().enumerate().take(STEPS) {
            let number = format!("{}", i + 1);
            pen.put_right(2, y, 3, &number, Role::Muted);
            let limit = format!("at most {}", format::span(step.within.into()));
            let text = self.plan.step_words(step);
            pen.put_right(width, y, 14, &limit, Role::Muted);
            for line in format::wrap(&format::plain(&text), width.saturating_sub(19).max(12)) {
                pen.put(4, y, width.saturating_sub(18), &line, Role::Text);
                y += 1;
            }
        }
        if all > STEPS {
            let more = format!("and {} more", format::count(all - STEPS, "step"));
            pen.put(4, y, width, &more, Role::Muted);
            y += 1;
        }
        y
    }

    /// The last lines: what is missing for a yes, and the keys.
    fn foot(
        &self,
        pen: &mut Pen<'_>,
        cx: &Cx<'_>,
        y: u16,
        lines: u16,
        more: Option<String>,
    ) -> Option<Position> {
        let width = pen.width();
        if let Some(text) = &more {
            pen.put_right(width, y + lines - 2, 24, text, Role::Muted);
        }
        let taken = if more.is_some() { 26 } else { 0 };
        // Where there are two lines only, they share the first of them.
        let said = width.saturating_sub(if lines < 3 { taken } else { 0 });
        let refusal = self.barred(cx.who.read_only);
        let untyped = self.untyped();
        let typed = Typed {
            untyped: untyped.as_deref(),
            wanted: self.plan.why_typed(),
            name: &self.typed,
            reason: &self.reason,
            note: self.note.as_deref(),
        };
        let typing = self.typing.filter(|typing| *typing == Typing::Reason || refusal.is_none());
        let mut cursor = None;
        let reason = self.reason.value();
        let why = [piece("why  ", Role::Muted), piece(reason, Role::Text)];
        let why = Some(why).filter(|_| typing != Some(Typing::Reason) && !reason.is_empty());
        let why_shown = why.as_ref().filter(|_| lines > 2);
        if let Some(why) = why_shown {
            pen.line(0, y + 1, width.saturating_sub(taken), why);
        }
        if let Some(typing) = typing {
            cursor = Some(typed.line(pen, y, said, typing));
        } else if let Some(note) = self.note.as_ref().filter(|_| refusal.is_none()) {
            pen.line(0, y, said, &[piece("▲ ", Role::Warn), piece(note.as_str(), Role::Warn)]);
        } else if let Some(why) = &refusal {
            let more = u16::from(lines > 2 && why_shown.is_none());
            why.line(pen, y, said, 1 + more);
        } else if self.yes.is_some() {
            pen.put(
                0,
                y,
                said,
                "▸ yes: it runs as soon as the rehearsal has passed, esc takes it back",
                Role::Busy,
            );
        } else if self.changed {
            pen.put(
                0,
                y,
                said,
                &format!(
                    "▲ changed since you looked: read it again; {} then means this plan",
                    command::first_key(Command::Yes)
                ),
                Role::Warn,
            );
        } else if untyped.is_some() {
            pen.put(0, y, said, &typed.asked(), Role::Warn);
        } else if let Some(why) = why.as_ref().filter(|_| lines < 3) {
            pen.line(0, y, said, why);
        }
        let can = refusal.is_none();
        let line = if let Some(typing) = typing {
            typed.keys(typing, &[])
        } else {
            let yes = match () {
                () if self.changed && can => "I have read it",
                () if untyped.is_some() => "type it",
                () => "run",
            };
            // Where there is nothing to do, no key is offered for it.
            let some = !self.plan.steps.is_empty();
            let mut all =
                if some && can { vec![(command::first_key(Command::Yes), yes, can)] } else { Vec::new() };
            if self.can_be_edited() {
                all.push((command::first_key(Command::Edit), "edit", true));
            }
            if some {
                all.push((command::first_key(Command::Reason), "reason", can));
            }
            if !self.journal_missing().is_empty() && self.place == JournalPlace::Cluster {
                all.push((command::first_key(Command::JournalHere), "journal here only", true));
            } else {
                let by_hand = if self.plan.database.is_some() { "copy SQL" } else { "copy kubectl" };
                all.push((command::first_key(Command::Copy), by_hand, true));
            }
            all.push(("esc", "cancel", true));
            keys(&all)
        };
        pen.line(0, y + lines - 1, width, &line);
        cursor
    }
}

/// One tenant: where its pods are and will be, and what was checked.
fn part_lines(pen: &mut Pen<'_>, cx: &Cx<'_>, mut y: u16, part: &Part, many: bool, gap: u16) -> u16 {
    let width = pen.width();
    if many {
        pen.line(
            0,
            y,
            width,
            &[
                piece(part.tenant.as_str(), Role::Accent),
                piece(format!("  {} → {}", part.from, part.to), Role::Text),
            ],
        );
        y += 1;
    }
    // Pods that are only given other limits stay where they are.
    if part.resized.is_empty() {
        y = placed(pen, cx, y, part);
        y += gap;
    }
    for check in &part.checks {
        y = check_line(pen, y, check);
    }
    y
}

/// Where the pods of a tenant are and will be.
fn placed(pen: &mut Pen<'_>, cx: &Cx<'_>, mut y: u16, part: &Part) -> u16 {
    let width = pen.width();
    let involved = placement::nodes(part.now.keys().chain(part.predicted.keys()));
    let grid = placement::Grid::fit(width.saturating_sub(8 + 9), cx.seen, &involved);
    let x = 8;
    grid.heading(pen, x, y);
    let total =
        |m: &BTreeMap<crate::cluster::NodeName, u32>| format::count(m.values().sum::<u32>() as usize, "pod");
    pen.put(0, y + 1, 8, "now", Role::Muted);
    grid.counts(pen, x, y + 1, &part.now, None);
    pen.put_right(width, y + 1, 8, &total(&part.now), Role::Muted);
    y += 2;
    let arrivals = part.arrivals();
    let all_new = arrivals.is_some() && part.predicted.is_empty();
    if !all_new {
        pen.put(0, y, 8, if arrivals.is_some() { "stay" } else { "after" }, Role::Text);
        grid.counts(pen, x, y, &part.predicted, Some(&part.now));
        pen.put_right(width, y, 8, &total(&part.predicted), Role::Text);
        y += 1;
    }
    if let Some(text) = arrivals {
        y = labelled(pen, y, "after", &text, Role::Text);
    }
    if part.now != part.predicted && !all_new {
        pen.put(0, y, 8, "change", Role::Muted);
        grid.changes(pen, x, y, &part.now, &part.predicted);
        y += 1;
    }
    if let Some(text) = part.as_well() {
        y = labelled(pen, y, "", &text, Role::Muted);
    }
    for landing in part.landings.iter().filter(|l| l.node.is_none()) {
        let why = landing.why_not.as_deref().unwrap_or("no node takes it");
        y = labelled(pen, y, "pending", why, Role::Danger);
    }
    y
}

/// A check: glyph and word, what was checked, and the sentence.
fn check_line(pen: &mut Pen<'_>, y: u16, check: &Check) -> u16 {
    let (sign, role) = match check.verdict {
        Verdict::Ok => (("✓ ok", Role::Ok), Role::Muted),
        Verdict::Warn => (("▲ warning", Role::Warn), Role::Text),
        Verdict::Refuse => (("✖ refused", Role::Danger), Role::Text),
    };
    result_line(pen, y, sign, &check.rule, &check.text, role)
}

fn result_line(pen: &mut Pen<'_>, y: u16, sign: (&str, Role), name: &str, text: &str, role: Role) -> u16 {
    pen.put(0, y, 10, sign.0, sign.1);
    let narrow = pen.width() < 60;
    if !narrow {
        pen.put(10, y, RULE, name, Role::Muted);
    }
    wrapped(pen, if narrow { 10 } else { 11 + RULE }, y, text, role)
}
