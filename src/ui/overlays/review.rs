//! The review of a plan: what is so now, what will be, what was checked, what is done, and how it is taken back.
//!
//! The default is No. It is confirmed with `y` alone: never with the key that opened it, never with Enter, never by a
//! paste or a burst of keys; a grave plan wants a name typed first.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use tui_input::Input;

use super::{database, keys, labelled, panel, placement, prompt, wrapped};
use crate::{
    plan::{Check, Confirmation, DatabaseAct, Intent, Part, Plan, Verdict},
    run::{JournalPlace, Rehearsal},
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Columns for the name of a check: the longest is `cluster-sync`.
const RULE: u16 = 12;

/// Where the rehearsal stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Rehearsing {
    /// There is none: the plan cannot be run anyway.
    No,
    /// Asked for.
    Waiting,
    /// It answered.
    Came(Rehearsal),
}

/// What is typed in a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// The name that a grave plan wants.
    Name,
    /// Why it is done.
    Reason,
}

/// A plan under review.
pub struct Review {
    /// The plan as it is shown.
    pub plan: Plan,
    /// What the rehearsal said of this very plan.
    pub rehearsing: Rehearsing,
    /// Where the journal will be.
    pub place: JournalPlace,
    /// The plan on the screen is another one than the one that was looked at.
    pub changed: bool,
    /// Yes was said; it holds once no further key has followed at once, and the rehearsal has passed.
    pub yes: Option<jiff::Timestamp>,
    /// What is typed, when a name has to be.
    pub typed: Input,
    /// Why it is done: kept in the journal.
    pub reason: Input,
    /// What keys go to, when they are no commands.
    pub typing: Option<Typing>,
    /// Why the last key did nothing.
    pub note: Option<String>,
    /// Lines scrolled down.
    pub scroll: u16,
}

impl Review {
    /// A plan nobody has looked at.
    pub fn new(plan: Plan) -> Self {
        let wants_name = matches!(plan.confirmation(), Confirmation::Type(_));
        let typing = (wants_name && !plan.steps.is_empty() && plan.refusals().next().is_none())
            .then_some(Typing::Name);
        Self {
            plan,
            rehearsing: Rehearsing::No,
            place: JournalPlace::Cluster,
            changed: false,
            yes: None,
            typed: Input::default(),
            reason: Input::default(),
            typing,
            note: None,
            scroll: 0,
        }
    }

    /// The rehearsal's checks.
    pub fn rehearsed(&self) -> &[Check] {
        match &self.rehearsing {
            Rehearsing::Came(r) => &r.checks,
            _ => &[],
        }
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        match &self.rehearsing {
            Rehearsing::Came(r) => &r.journal_missing,
            _ => &[],
        }
    }

    /// What has to be typed and is not.
    pub fn untyped(&self) -> Option<String> {
        match self.plan.confirmation() {
            Confirmation::Type(text) if self.typed.value().trim() != text => Some(text),
            _ => None,
        }
    }

    /// It was asked for with a line that can be typed again.
    pub fn can_be_edited(&self) -> bool {
        use DatabaseAct::{AddServer, Weight};
        match &self.plan.intent {
            Intent::Scale { .. } => true,
            Intent::Database { act } => matches!(act, Weight { .. } | AddServer { like: None, .. }),
            Intent::Undo { .. }
            | Intent::Move { .. }
            | Intent::Cordon { .. }
            | Intent::Restart { .. }
            | Intent::DeletePod { .. } => false,
        }
    }

    /// Why it cannot be run at all, as it stands.
    pub fn refusal(&self, read_only: bool) -> Option<String> {
        let refused =
            self.plan.refusals().chain(self.rehearsed().iter().filter(|c| c.verdict == Verdict::Refuse));
        if let Some(check) = refused.into_iter().next() {
            return Some(format!("refused: {}", check.text));
        }
        if self.plan.steps.is_empty() {
            return Some("there is nothing to do".into());
        }
        read_only.then(|| "read-only: a plan can be looked at, not run".into())
    }

    /// Draws it over the whole screen's middle.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
        let (width, margin) = match pen.width() {
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
        let mut sheet = Buffer::empty(Rect::new(0, 0, inner, 60 + tenants + database));
        let area = sheet.area;
        let mut on_sheet = Pen { area, buf: &mut sheet, theme: pen.theme };
        on_sheet.ground(Role::Panel);
        let lines = self.content(&mut on_sheet, cx).min(area.height);
        let foot = 3;
        let title = self.plan.summary();
        let mut letters = title.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let seen = format!("seen {} ago", cx.age(self.plan.at));
        let changed = if self.changed { "▲ changed  " } else { "" };
        let title = [piece(title, Role::Accent)];
        let aside = [piece(changed, Role::Warn), piece(seen, Role::Muted)];
        let mut pen = panel(pen, width, lines + foot + 2, &title, &aside);
        let body = pen.height().saturating_sub(foot);
        let scroll = self.scroll.min(lines.saturating_sub(body));
        for y in 0..body.min(lines) {
            for x in 0..pen.width().min(inner) {
                pen.buf[(pen.area.x + x, pen.area.y + y)] = sheet[(x, scroll + y)].clone();
            }
        }
        if lines > body {
            let below = lines - body - scroll;
            let text = if below > 0 { format!("{below} more lines  ↓") } else { "↑".to_owned() };
            pen.put_right(pen.width(), body + 1, 20, &text, Role::Muted);
        }
        self.foot(&mut pen, cx, body)
    }

    /// Everything but the last lines. Returns how many lines it took.
    fn content(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> u16 {
        let mut y = 1;
        for check in &self.plan.checks {
            y = check_line(pen, y, check);
        }
        y += u16::from(!self.plan.checks.is_empty());
        let many = self.plan.tenants.len() > 1;
        for part in &self.plan.tenants {
            y = part_lines(pen, cx, y, part, many) + u16::from(many);
        }
        if let Some(part) = &self.plan.database {
            y = database::change(pen, y, part) + 1;
            for check in &database::checks(part) {
                y = check_line(pen, y, check);
            }
        }
        y += u16::from(!many && self.rehearsing == Rehearsing::No);
        match &self.rehearsing {
            Rehearsing::No => {}
            Rehearsing::Waiting => {
                let text = "rights and dry runs are being asked for";
                y = result_line(pen, y, ("▸ asking", Role::Busy), "rehearsal", text, Role::Muted);
            }
            Rehearsing::Came(r) => {
                let good = r.checks.iter().filter(|c| c.verdict == Verdict::Ok).count();
                for check in r.checks.iter().filter(|c| c.verdict != Verdict::Ok) {
                    y = check_line(pen, y, check);
                }
                let all_good = good == r.checks.len() && r.journal_missing.is_empty();
                if all_good {
                    let text = format!("{} passed; nothing has moved", format::count(good, "check"));
                    y = result_line(pen, y, ("✓ ok", Role::Ok), "rehearsal", &text, Role::Muted);
                }
                y = self.journal(pen, y, r);
            }
        }
        y += u16::from(self.rehearsing != Rehearsing::No);
        if !self.plan.steps.is_empty() {
            y = self.steps(pen, y) + 1;
        }
        for part in self.plan.tenants.iter().take(20) {
            if part.from != part.to {
                y = labelled(pen, y, "same as", &part.kubectl, Role::Muted);
                y = labelled(pen, y, "undo", &part.undo, Role::Muted);
            }
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
                "the cluster takes no journal, missing: {missing}. J keeps it on this machine only: colleagues can then neither see nor finish the run"
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
        for (i, step) in self.plan.steps.iter().enumerate().take(12) {
            let number = format!("{}", i + 1);
            pen.put_right(2, y, 3, &number, Role::Muted);
            let limit = format!("at most {}", format::span(step.within.into()));
            let text = self.plan.words(&step.change);
            pen.put_right(width, y, 14, &limit, Role::Muted);
            for line in format::wrap(&format::plain(&text), width.saturating_sub(19).max(12)) {
                pen.put(4, y, width.saturating_sub(18), &line, Role::Text);
                y += 1;
            }
        }
        if all > 12 {
            pen.put(4, y, width, &format!("and {} more steps", all - 12), Role::Muted);
            y += 1;
        }
        y
    }

    /// The last lines: what is missing for a yes, and the keys.
    fn foot(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, y: u16) -> Option<Position> {
        let width = pen.width();
        let refusal = self.refusal(cx.who.read_only);
        let untyped = self.untyped();
        let typing = self.typing.filter(|typing| *typing == Typing::Reason || refusal.is_none());
        let mut cursor = None;
        let reason = self.reason.value();
        if typing != Some(Typing::Reason) && !reason.is_empty() {
            // The right end tells how much is below.
            pen.line(
                0,
                y + 1,
                width.saturating_sub(22),
                &[piece("why  ", Role::Muted), piece(reason, Role::Text)],
            );
        }
        if let Some(typing) = typing {
            let (text, input, role) = match typing {
                Typing::Name => {
                    let name = untyped.clone().unwrap_or_else(|| self.typed.value().to_owned());
                    let asks = self.note.clone().unwrap_or_else(|| format!("type {name} first"));
                    (format!("{asks}: "), &self.typed, Role::Warn)
                }
                Typing::Reason => ("why, for the journal: ".to_owned(), &self.reason, Role::Muted),
            };
            let x = pen.put(0, y, width, &text, role);
            cursor = Some(prompt::line(pen, x, y, input).1);
        } else if let Some(note) = &self.note {
            pen.line(0, y, width, &[piece("▲ ", Role::Warn), piece(note.as_str(), Role::Warn)]);
        } else if let Some(why) = &refusal {
            let role = if why.starts_with("refused") { Role::Danger } else { Role::Warn };
            let sign = if why.starts_with("refused") { "✖ " } else { "• " };
            pen.line(0, y, width, &[piece(sign, role), piece(why.as_str(), role)]);
        } else if self.yes.is_some() {
            pen.put(
                0,
                y,
                width,
                "▸ yes: it runs as soon as the rehearsal has passed  (esc takes it back)",
                Role::Busy,
            );
        } else if self.changed {
            pen.put(
                0,
                y,
                width,
                "▲ changed since you looked: read it again; y then means this plan",
                Role::Warn,
            );
        }
        let can = refusal.is_none();
        let line = if let Some(typing) = typing {
            let (done, leave) = match typing {
                Typing::Name => (untyped.is_none(), "leave it"),
                Typing::Reason => (true, "without"),
            };
            keys(&[("⏎", "done typing", done), ("esc", leave, true)])
        } else {
            let yes = if self.changed && can { "I have read it" } else { "run" };
            let mut all = vec![("y", yes, can)];
            if self.can_be_edited() {
                all.push(("e", "edit", true));
            }
            all.push(("r", "reason", can));
            if !self.journal_missing().is_empty() && self.place == JournalPlace::Cluster {
                all.push(("J", "journal here only", true));
            } else {
                let by_hand = if self.plan.database.is_some() { "copy SQL" } else { "copy kubectl" };
                all.push(("c", by_hand, true));
            }
            all.push(("esc", "leave it", true));
            keys(&all)
        };
        pen.line(0, y + 2, width, &line);
        cursor
    }
}

/// One tenant: where its pods are and will be, and what was checked.
fn part_lines(pen: &mut Pen<'_>, cx: &Cx<'_>, mut y: u16, part: &Part, many: bool) -> u16 {
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
    let involved = placement::nodes(part.now.keys().chain(part.predicted.keys()));
    let grid = placement::Grid::fit(width.saturating_sub(8 + 9), cx.seen, &involved);
    let x = 8;
    grid.heading(pen, x, y);
    let total = |m: &std::collections::BTreeMap<crate::cluster::NodeName, u32>| {
        format::count(m.values().sum::<u32>() as usize, "pod")
    };
    pen.put(0, y + 1, 8, "now", Role::Muted);
    grid.counts(pen, x, y + 1, &part.now, None);
    pen.put_right(width, y + 1, 8, &total(&part.now), Role::Muted);
    pen.put(0, y + 2, 8, if part.unpredicted.is_some() { "stay" } else { "after" }, Role::Text);
    grid.counts(pen, x, y + 2, &part.predicted, Some(&part.now));
    pen.put_right(width, y + 2, 8, &total(&part.predicted), Role::Text);
    y += 3;
    if part.unpredicted.is_some() {
        let new = part.to.saturating_sub(part.predicted.values().sum());
        let text = format!("{} new, on nodes that are not known", format::count(new as usize, "pod"));
        y = labelled(pen, y, "after", &text, Role::Warn);
    }
    if part.now != part.predicted {
        pen.put(0, y, 8, "change", Role::Muted);
        grid.changes(pen, x, y, &part.now, &part.predicted);
        y += 1;
    }
    for landing in part.landings.iter().filter(|l| l.node.is_none()) {
        let why = landing.why_not.as_deref().unwrap_or("no node takes it");
        y = labelled(pen, y, "pending", why, Role::Danger);
    }
    y += 1;
    for check in &part.checks {
        y = check_line(pen, y, check);
    }
    y
}

/// A check: glyph and word, what was checked, and the sentence.
fn check_line(pen: &mut Pen<'_>, y: u16, check: &Check) -> u16 {
    let (sign, role) = match check.verdict {
        Verdict::Ok => (("✓ ok", Role::Ok), Role::Muted),
        Verdict::Warn => (("▲ mind", Role::Warn), Role::Text),
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
