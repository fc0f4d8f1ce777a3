//! The review of a plan: what is so now, what will be, what was checked, what is done, and how it is taken back.
//!
//! The default is No. It is confirmed with `y` alone: never with the key that opened it, never with Enter, never by a
//! paste or a burst of keys; a grave plan wants a name typed first.

use std::collections::BTreeMap;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use tui_input::Input;

use super::{
    consent::{Barred, READ_ONLY, Typed},
    database, keys, labelled, panel, panel_room, wrapped,
};
use crate::{
    plan::{Check, Confirmation, DatabaseAct, Intent, Part, Plan, Verdict},
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

impl Rehearsing {
    /// What it found, as far as it has answered.
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Came(found) => &found.checks,
            _ => &[],
        }
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        match self {
            Self::Came(found) => &found.journal_missing,
            _ => &[],
        }
    }
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
    /// It is being planned again.
    pub busy: bool,
    /// The cluster has changed since that was asked for.
    pub stale: bool,
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
    /// Lines from the top that have been on the screen since the plan is what it is.
    pub shown: u16,
    /// Lines seen at once.
    page: u16,
    /// What has stood against the plan since it is what it is.
    known: Objections,
}

/// What stands against a plan, by the part of it and the rule: the worst verdict, and how many of them there were at most.
type Objections = BTreeMap<(String, String), (Verdict, usize)>;

fn objections(plan: &Plan) -> Objections {
    let mut all = Objections::new();
    let own = plan.checks.iter().map(|check| (String::new(), check));
    let parts = plan.parts().flat_map(|part| {
        let about = part.about().to_string();
        part.checks().iter().map(move |check| (about.clone(), check))
    });
    for (about, check) in own.chain(parts).filter(|(_, check)| check.verdict > Verdict::Ok) {
        let (worst, count) = all.entry((about, check.rule.clone())).or_insert((check.verdict, 0));
        (*worst, *count) = (check.verdict.max(*worst), *count + 1);
    }
    all
}

/// A review made for a screen: the sheet of all its lines, and the part of it that is seen.
struct Laid {
    /// Columns of the panel.
    width: u16,
    sheet: Buffer,
    lines: u16,
    /// Lines of the sheet that are seen.
    body: u16,
    /// Lines below them.
    foot: u16,
}

impl Review {
    /// A plan nobody has looked at.
    pub fn new(plan: Plan) -> Self {
        Self {
            known: objections(&plan),
            plan,
            busy: false,
            stale: false,
            rehearsing: Rehearsing::No,
            place: JournalPlace::Cluster,
            changed: false,
            yes: None,
            typed: Input::default(),
            reason: Input::default(),
            typing: None,
            note: None,
            scroll: 0,
            shown: 0,
            page: 1,
        }
    }

    /// Takes the same wish in as it is planned now. Returns whether a yes to the plan before is none to this one: it does
    /// something else, it wants another confirmation, or something stands against it that has not stood there before.
    /// What goes away, or comes again, takes no yes away; what is measured may do either every second.
    pub fn came(&mut self, fresh: Plan) -> bool {
        let found = objections(&fresh);
        let worse = |(rule, (verdict, count)): (&(String, String), &(Verdict, usize))| {
            self.known.get(rule).is_none_or(|(worst, most)| verdict > worst || count > most)
        };
        let other = fresh.steps != self.plan.steps || fresh.confirmation() != self.plan.confirmation();
        let differs = other || found.iter().any(worse);
        if other {
            self.known.clear();
        }
        for (rule, (verdict, count)) in found {
            let (worst, most) = self.known.entry(rule).or_insert((verdict, count));
            (*worst, *most) = (verdict.max(*worst), count.max(*most));
        }
        self.plan = fresh;
        differs
    }

    /// It is another plan, or more is said of it: nothing of it has been read.
    pub fn turn_back(&mut self) {
        (self.scroll, self.shown) = (0, 0);
    }

    /// Remembers what is on a screen of that size. Returns how many lines have not been on it yet.
    pub fn look(&mut self, screen: (u16, u16), cx: &Cx<'_>) -> u16 {
        let laid = self.lay(screen, cx);
        self.scroll = self.scroll.min(laid.lines.saturating_sub(laid.body));
        self.page = laid.body;
        // Lines that were jumped over have not been seen.
        if self.scroll <= self.shown {
            self.shown = self.shown.max(self.scroll + laid.body);
        }
        laid.lines.saturating_sub(self.shown)
    }

    /// Moves so many lines, or pages of what is seen at once.
    pub fn go(&mut self, command: Command) {
        let page = self.page.saturating_sub(1).max(1);
        self.scroll = match command {
            Command::Up => self.scroll.saturating_sub(1),
            Command::Down => self.scroll.saturating_add(1),
            Command::PageUp => self.scroll.saturating_sub(page),
            Command::PageDown => self.scroll.saturating_add(page),
            Command::Top => 0,
            Command::Bottom => u16::MAX,
            _ => self.scroll,
        };
    }

    /// The rehearsal's checks.
    pub fn rehearsed(&self) -> &[Check] {
        self.rehearsing.checks()
    }

    /// The rights the journal in the cluster lacks.
    pub fn journal_missing(&self) -> &[String] {
        self.rehearsing.journal_missing()
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
            | Intent::Release { .. }
            | Intent::Rollback { .. }
            | Intent::DeletePod { .. } => false,
            Intent::Resize { .. } => true,
            Intent::Migrate { .. } => true,
        }
    }

    /// Why it cannot be run at all, as it stands.
    pub fn refusal(&self, read_only: bool) -> Option<String> {
        self.barred(read_only).map(|barred| barred.why)
    }

    fn barred(&self, read_only: bool) -> Option<Barred> {
        let refused =
            self.plan.refusals().chain(self.rehearsed().iter().filter(|c| c.verdict == Verdict::Refuse));
        if let Some(check) = refused.into_iter().next() {
            return Some(Barred::refused(&check.text));
        }
        if self.plan.steps.is_empty() {
            return Some(Barred::because("there is nothing to do"));
        }
        read_only.then(|| Barred::because(READ_ONLY))
    }

    fn lay(&self, (columns, height): (u16, u16), cx: &Cx<'_>) -> Laid {
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
                    y = labelled(pen, y, "same as", &part.kubectl, Role::Muted);
                }
                y = labelled(pen, y, "undo", &part.undo, Role::Muted);
            }
        }
        for part in self.plan.nodes.iter().filter(|_| !self.plan.steps.is_empty()) {
            y = labelled(pen, y, "same as", &part.kubectl, Role::Muted);
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        cluster::sketch,
        plan::{Target, plan},
    };

    #[test]
    fn only_what_has_not_stood_against_it_before_takes_a_yes_away() {
        let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2";
        let seen = sketch(text, Timestamp::UNIX_EPOCH).expect("a sketch");
        let to = |to| plan(&seen, &Intent::Scale { targets: vec![Target { tenant: "acme".into(), to }] });
        let with = |more: &[(&str, Verdict)]| {
            let mut made = to(3);
            let checks = more.iter().map(|(rule, verdict)| Check::new(rule, *verdict, "measured"));
            made.tenants[0].checks.extend(checks);
            made
        };
        let (none, one) = (with(&[]), with(&[("load", Verdict::Warn)]));
        let two = with(&[("load", Verdict::Warn), ("load", Verdict::Warn)]);
        let mut review = Review::new(none.clone());
        assert!(!review.came(none.clone()), "the same");
        assert!(review.came(one.clone()), "a warning that is new");
        assert!(!review.came(none.clone()), "it went away");
        assert!(!review.came(one.clone()), "it was agreed to with it");
        assert!(review.came(two), "a second of its kind");
        assert!(review.came(with(&[("load", Verdict::Refuse)])), "it refuses now");
        assert!(!review.came(one.clone()));
        assert!(review.came(with(&[("owner", Verdict::Warn)])), "another rule");
        assert!(review.came(to(4)), "other steps");
        // What had stood against other steps is none of these.
        assert!(review.came(none));
        assert!(review.came(one));
    }
}
