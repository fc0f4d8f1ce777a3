//! How the review of many moves is drawn.

use std::ops::Range;

use ratatui::layout::Position;

use super::{
    SECTIONS, SchemeReview, Section, tenants,
    words::{Pieces, envelope, numbers, sentence},
};
use crate::{
    plan::{Check, Verdict, many::Many, rebalance::Scheme},
    run::JournalPlace,
    ui::{
        Command, Draft, Term, Terms, command, format,
        matrix::{self, Matrix},
        overlays::{Rehearsing, Typing, consent::Typed, keys, panel},
        paint::{Pen, Piece, piece},
        theme::Role,
        view::Cx,
    },
};

impl SchemeReview {
    /// All that is always on the screen. Where it would leave no room for the sections, what is said beside the sentence
    /// and the envelope has a line each: in full it stands in the section of the warnings.
    pub(super) fn head(&self, width: u16, room: u16) -> Vec<Pieces> {
        let kinds = self.kinds();
        let full = self.said(width, false, &kinds);
        if full.len() + FOOT + SECTION <= usize::from(room) { full } else { self.said(width, true, &kinds) }
    }

    fn said(&self, width: u16, short: bool, checks: &[Check]) -> Vec<Pieces> {
        let Some(Draft { scheme, samples, many, proposed }) = self.draft() else { return Vec::new() };
        let mut head = if many.is_some() { Vec::new() } else { numbers(scheme, width) };
        let mut say = |sign: &'static str, role: Role, text: &str, tone: Role| {
            let room = width.saturating_sub(2).max(1);
            let text = format::plain(text);
            let lines = match short && !["→", "□"].contains(&sign) {
                true => vec![format::fit(&text, room).into_owned()],
                false => format::wrap(&text, room),
            };
            for (i, line) in lines.into_iter().enumerate() {
                let sign = if i == 0 { sign } else { " " };
                head.push(vec![piece(sign, role), piece(" ", Role::Text), piece(line, tone)]);
            }
        };
        match many {
            Some(many) => {
                say("→", Role::Key, &tenants::sentence(many), Role::Text);
                if !many.items.is_empty() {
                    say("□", Role::Muted, &tenants::envelope(many, proposed.pace()), Role::Muted);
                }
            }
            None => {
                say("→", Role::Key, &sentence(scheme, proposed.pace()), Role::Text);
                if !scheme.is_empty() {
                    say("□", Role::Muted, &envelope(scheme, proposed.pace()), Role::Muted);
                }
            }
        }
        for note in scheme.notes.iter().take(3) {
            say("•", Role::Muted, note, Role::Muted);
        }
        let shown = if checks.len() > CHECKS { CHECKS - 1 } else { checks.len() };
        for check in checks.iter().take(shown) {
            let (sign, role) = sign(check.verdict);
            say(sign, role, &check.text, Role::Text);
        }
        if checks.len() > shown {
            let more = format!("and {}", format::count(checks.len() - shown, "more warning"));
            say("▲", Role::Warn, &more, Role::Text);
        }
        match &self.rehearsing {
            Rehearsing::No => {}
            Rehearsing::Waiting => {
                say("▸", Role::Busy, "asking for your rights and a dry run of the writes", Role::Muted);
            }
            Rehearsing::Came(r) if r.checks.iter().all(|c| c.verdict == Verdict::Ok) => {
                let (some, all) = samples.namespaces;
                let places = match some == all {
                    _ if many.is_some() && some < all => {
                        format!("for {some} of {all} tenants, each again at its turn")
                    }
                    _ if many.is_some() => format!("for {}", format::count(all, "tenant")),
                    true => format!("in {}", format::count(all, "namespace")),
                    false => format!("in {some} of {all} namespaces"),
                };
                let text = format!("rehearsed {places}: the rights are there, and the writes would pass");
                say("✓", Role::Ok, &text, Role::Muted);
            }
            Rehearsing::Came(_) => {}
        }
        if !self.journal_missing().is_empty() {
            let missing = self.journal_missing().join(", ");
            let text = match self.place {
                JournalPlace::Cluster => format!(
                    "the cluster takes no journal, missing: {missing}. {} keeps it on this machine only",
                    command::first_key(Command::JournalHere)
                ),
                JournalPlace::Local => "the journals are kept on this machine only".to_owned(),
            };
            say("▲", Role::Warn, &text, Role::Text);
        }
        head
    }

    /// Draws it.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
        let screen = (pen.width(), pen.height());
        let (inner, room) = Self::inner(screen);
        let head = self.head(inner, room);
        let title = capital(&self.wanted.words());
        let seen = match self.draft() {
            _ if self.busy && self.found.is_some() => "working it out again".to_owned(),
            Some(draft) => format!("seen {} ago", cx.age(draft.scheme.foreseen.at)),
            None => String::new(),
        };
        let changed = if self.changed { "▲ changed  " } else { "" };
        let aside = [piece(changed, Role::Warn), piece(seen, Role::Muted)];
        let many = self.draft().and_then(|draft| draft.many.as_ref());
        let matrix = self.section == Section::Pods && many.is_none();
        let body = self.lines(self.section).max(2) + usize::from(matrix) * 2;
        let stays = self.stays_below(usize::from(room), head.len());
        let wanted = head.len() + 1 + body + stays + FOOT + 2;
        let height = if self.draft().is_some() { u16::try_from(wanted).unwrap_or(u16::MAX) } else { 9 };
        let mut pen = panel(pen, screen.0, height.max(9), &[piece(title, Role::Accent)], &aside);
        let (width, height) = (pen.width(), pen.height());
        let foot_at = height.saturating_sub(FOOT as u16);
        match self.found.as_deref() {
            None => {
                pen.put(0, 1, width, "working out where every pod should be …", Role::Busy);
            }
            Some(Err(check)) => {
                for (y, line) in (1..).zip(format::wrap(&format::plain(&check.text), width.saturating_sub(2)))
                {
                    pen.put(0, y, 2, if y == 1 { "✖" } else { "" }, Role::Danger);
                    pen.put(2, y, width, &line, Role::Text);
                }
            }
            Some(Ok(Draft { scheme, many, .. })) => {
                // Where it is too low for both, what is agreed to is worth more than the list.
                let top = (head.len() as u16).min(foot_at);
                for (y, line) in (0..top).zip(&head) {
                    pen.line(0, y, width, line);
                }
                let below = (stays as u16).min(foot_at.saturating_sub(top));
                let area = ratatui::layout::Rect {
                    y: pen.area.y + top,
                    height: foot_at.saturating_sub(top + below),
                    ..pen.area
                };
                match many {
                    Some(many) => self.of_tenants(&mut pen.within(area), cx, many),
                    None => self.section(&mut pen.within(area), cx, scheme),
                }
                if below > 2 {
                    let area =
                        ratatui::layout::Rect { y: pen.area.y + foot_at - below, height: below, ..pen.area };
                    let mut pen = pen.within(area);
                    pen.put(0, 1, width, "STAYS", Role::Title);
                    let lines = usize::from(below - 2);
                    self.stays(&mut pen, cx, scheme, 2, 0..lines.min(scheme.proposal.stays.len()));
                }
            }
        }
        self.foot(&mut pen, cx, foot_at)
    }

    /// Lines for what stays below the matrix, where there is room for both; with its heading and a gap.
    fn stays_below(&self, room: usize, head: usize) -> usize {
        let Some(Draft { scheme, .. }) = self.draft() else { return 0 };
        if self.draft().is_some_and(|draft| draft.many.is_some()) {
            return 0;
        }
        let stays = scheme.proposal.stays.len();
        let left = room.saturating_sub(head + FOOT + 3 + self.rows.len() + 1);
        if self.section != Section::Pods || stays == 0 || left < 4 { 0 } else { (stays + 2).min(left) }
    }

    /// The tenants it is done to, or those that are left out.
    fn of_tenants(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, many: &Many) {
        let width = pen.width();
        let left = self.section == Section::Stays;
        let names = [("Tenants", many.rows.len(), !left), ("Left out", many.left.len(), left)];
        let shown = self.scrolled(pen, &names, 0);
        match (left, self.lines(self.section)) {
            (true, 0) => {
                let text = "no tenant is left out";
                pen.line(2, 1, width, &[piece("✓ ", Role::Ok), piece(text, Role::Muted)]);
            }
            (true, _) => tenants::left(pen, cx, many, 1, shown),
            (false, _) => tenants::rows(pen, cx, many, 1, shown),
        }
    }

    /// The names of the sections with how many lines each has, and where more is. Returns the lines of the one in front
    /// that there is room for below so many of heading.
    fn scrolled(&self, pen: &mut Pen<'_>, names: &[(&str, usize, bool)], heading: u16) -> Range<usize> {
        let width = pen.width();
        let mut x = 0;
        for (name, n, here) in names {
            let role = if *here { Role::Accent } else { Role::Muted };
            x = pen.put(x, 0, 2, if *here { "▸ " } else { "  " }, Role::Key);
            x = pen.put(x, 0, width.saturating_sub(x), name, role);
            x = pen.put(x + 1, 0, width.saturating_sub(x + 1), &n.to_string(), Role::Muted) + 2;
        }
        let page = usize::from(pen.height().saturating_sub(1 + heading));
        let all = self.lines(self.section);
        let at = SECTIONS.iter().position(|s| *s == self.section).unwrap_or(0);
        let start = self.scroll[at].min(all.saturating_sub(page));
        let shown = start..all.min(start + page);
        if all > shown.end || start > 0 {
            let text = match all - shown.end {
                0 => "↑".to_owned(),
                below => format!("{below} below  ↓"),
            };
            pen.put_right(width, 0, 16, &text, Role::Muted);
        } else if x + 14 < width {
            pen.line_right(width, 0, 14, &[piece("tab ", Role::Key), piece("section", Role::Muted)]);
        }
        shown
    }

    /// The names of the sections, and the one in front.
    fn section(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, scheme: &Scheme) {
        let width = pen.width();
        let warned = self.checks().len();
        let names = SECTIONS.map(|section| {
            let (name, n) = match section {
                Section::Pods => ("Pods by node", self.rows.len()),
                Section::Moves => ("Moves", scheme.proposal.moves.len()),
                Section::Stays => ("Stays", scheme.proposal.stays.len()),
                Section::Warnings => ("Warnings", warned),
            };
            (name, n, section == self.section)
        });
        let names = &names[..names.len() - usize::from(warned == 0)];
        let changed = matrix::changed(scheme.proposal.moves.iter());
        let matrix = Matrix::fit(width, cx.seen, &changed);
        let heading = if self.section == Section::Pods { matrix.heading_height() } else { 0 };
        let shown = self.scrolled(pen, names, heading);
        match self.section {
            Section::Warnings => {
                let lines = self.warnings(width);
                for (y, line) in (1..).zip(lines.get(shown).unwrap_or_default()) {
                    pen.line(0, y, width, line);
                }
            }
            Section::Pods => {
                matrix.heading(pen, 1, ["NOW", "AFTER"]);
                for (y, i) in (1 + heading..).zip(shown) {
                    let Some(row) = i.checked_sub(1).and_then(|i| self.rows.get(i)) else {
                        let (before, after) = (&scheme.proposal.before.pods, &scheme.proposal.after.pods);
                        matrix.totals(pen, y, "all tenants", before, after);
                        continue;
                    };
                    let name = cx.tenant_name(&row.tenant, 24);
                    matrix.row(pen, y, &name, (&row.before, &row.after), None);
                    matrix.why(pen, y, &row.why, &row.brief);
                }
            }
            Section::Moves => self.moves(pen, cx, scheme, 1, shown),
            Section::Stays if scheme.proposal.stays.is_empty() => {
                let text = "nothing stays that should be elsewhere";
                pen.line(2, 1, width, &[piece("✓ ", Role::Ok), piece(text, Role::Muted)]);
            }
            Section::Stays => self.stays(pen, cx, scheme, 1, shown),
        }
    }

    /// What warns, in full, on so many columns.
    pub(super) fn warnings(&self, width: u16) -> Vec<Pieces> {
        let mut lines = Vec::new();
        for check in self.checks() {
            let (sign, role) = sign(check.verdict);
            let room = width.saturating_sub(2).max(1);
            for (i, line) in format::wrap(&format::plain(&check.text), room).into_iter().enumerate() {
                let sign = if i == 0 { sign } else { " " };
                lines.push(vec![piece(sign, role), piece(" ", Role::Text), piece(line, Role::Text)]);
            }
        }
        lines
    }

    fn moves(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, scheme: &Scheme, y: u16, shown: Range<usize>) {
        let width = pen.width();
        let (tenant, node) = if width < 100 { (16, 10) } else { (26, 20) };
        for (y, i) in (y..).zip(shown) {
            let moved = &scheme.proposal.moves[i];
            pen.put_right(4, y, 5, &(i + 1).to_string(), Role::Muted);
            let name = moved.tenant.as_ref().map_or("no tenant's".into(), |t| cx.tenant_name(t, tenant));
            pen.put(6, y, tenant, &name, Role::Text);
            let mut x = 6 + tenant + 1;
            pen.put_right(x + node, y, node, &cx.node_name(&moved.from, node), Role::Text);
            let to = moved.to.as_ref().map_or("no node".into(), |n| cx.node_name(n, node));
            x = pen.line(x + node + 1, y, width, &[piece("→ ", Role::Muted), piece(to, Role::Text)]);
            x = x.max(6 + tenant + 2 * node + 5);
            let means = match moved.means {
                crate::plan::Means::Adoption => piece("", Role::Muted),
                crate::plan::Means::Eviction => piece("evicted  ", Role::Warn),
            };
            let room = width.saturating_sub(x);
            let pod = if width < 100 { String::new() } else { format!("   {}", moved.pod.name) };
            let line = [means, piece(moved.reason.to_string(), Role::Muted), piece(pod, Role::Faint)];
            pen.line(x, y, room, &line);
        }
    }

    fn stays(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, scheme: &Scheme, y: u16, shown: Range<usize>) {
        let width = pen.width();
        let (name, node) = if width < 100 { (16, 9) } else { (40, 20) };
        for (y, i) in (y..).zip(shown) {
            let stay = &scheme.proposal.stays[i];
            let who = match &stay.tenant {
                Some(tenant) if width < 100 => cx.tenant_name(tenant, name).into_owned(),
                _ => stay.pod.name.to_string(),
            };
            pen.put(2, y, name, &who, Role::Text);
            pen.put(name + 3, y, node, &cx.node_name(&stay.node, node), Role::Muted);
            let x = name + node + 4;
            pen.put(x, y, width.saturating_sub(x), &stay.why, Role::Muted);
        }
    }

    /// The terms, and the one that keys change.
    fn terms_line(&self) -> Vec<Piece<'static>> {
        let mut line = Vec::new();
        for term in Term::all(&self.wanted) {
            let chosen = self.choosing == Some(*term);
            let (sign, role) = if chosen { ("› ", Role::Key) } else { ("  ", Role::Muted) };
            line.push(piece(sign, Role::Key));
            line.push(piece(format!("{} ", term.word()), role));
            let default = Terms::of(&self.wanted);
            let value = term.value(&self.terms);
            let changed = value != term.value(&default);
            let role = match (chosen, changed) {
                (true, _) => Role::Accent,
                (false, true) => Role::Changed,
                (false, false) => Role::Muted,
            };
            line.push(piece(value, role));
        }
        line
    }

    fn foot(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, y: u16) -> Option<Position> {
        let width = pen.width();
        let refusal = self.barred(cx.who.read_only);
        let untyped = self.untyped();
        let typed = Typed {
            untyped: untyped.as_deref(),
            wanted: self.why_typed(),
            name: &self.typed,
            reason: &self.reason,
            note: self.note.as_deref(),
        };
        let typing = self.typing.filter(|typing| *typing == Typing::Reason || refusal.is_none());
        let mut cursor = None;
        let reason = self.reason.value();
        if let Some(typing) = typing {
            cursor = Some(typed.line(pen, y, width, typing));
        } else if self.choosing.is_some() {
            pen.line(0, y, width, &self.terms_line());
        } else if let Some(note) = self.note.as_ref().filter(|_| refusal.is_none()) {
            pen.put(0, y, width, &format!("▲ {note}"), Role::Warn);
        } else if let Some(why) = refusal.as_ref().filter(|_| self.draft().is_some()) {
            why.line(pen, y, width, 1);
        } else if self.yes.is_some() {
            let text = "▸ yes: it begins as soon as the rehearsal has passed, esc takes it back";
            pen.put(0, y, width, text, Role::Busy);
        } else if self.changed {
            let yes = command::first_key(Command::Yes);
            let text = format!("▲ changed since you looked: read it again; {yes} then means this one");
            pen.put(0, y, width, &text, Role::Warn);
        } else if untyped.is_some() && refusal.is_none() {
            pen.put(0, y, width, &typed.asked(), Role::Warn);
        } else if !reason.is_empty() {
            pen.line(0, y, width, &[piece("why  ", Role::Muted), piece(reason, Role::Text)]);
        } else if self.draft().is_some() && !Term::all(&self.wanted).is_empty() {
            pen.line(0, y, width, &self.terms_line());
        }
        let can = refusal.is_none();
        let line = if let Some(typing) = typing {
            let read: &[_] = match typing {
                Typing::Name => &[("tab", "section"), ("↑ ↓", "scroll")],
                Typing::Reason => &[],
            };
            typed.keys(typing, read)
        } else if let Some(term) = self.choosing {
            let mut line = keys(&[("← →", "choose", true), ("+ -", "change", true), ("⏎", "done", true)]);
            line.push(piece(format!("   {}", term.meaning()), Role::Muted));
            line
        } else {
            let yes = match () {
                () if self.changed && can => "I have read it",
                () if untyped.is_some() => "type it",
                () => "run",
            };
            let some = self.draft().is_some_and(|draft| match &draft.many {
                Some(many) => !many.items.is_empty(),
                None => !draft.scheme.is_empty(),
            });
            let mut all = if some && can {
                vec![
                    (command::first_key(Command::Yes), yes, can),
                    (command::first_key(Command::Reason), "reason", can),
                ]
            } else {
                Vec::new()
            };
            if self.draft().is_some() && !Term::all(&self.wanted).is_empty() {
                all.push((command::first_key(Command::Edit), "options", true));
            }
            if self.draft().is_some() {
                all.push(("tab", "section", true));
                all.push(("j k", "scroll", true));
            }
            if !self.journal_missing().is_empty() && self.place == JournalPlace::Cluster {
                all.push((command::first_key(Command::JournalHere), "journal here only", true));
            }
            all.push(("esc", "cancel", true));
            keys(&all)
        };
        pen.line(0, pen.height().saturating_sub(1), width, &line);
        cursor
    }
}

/// Kinds of checks that are told at most.
const CHECKS: usize = 4;

/// Lines that a section wants: its name, the heading of the matrix, all tenants, and three of them.
const SECTION: usize = 7;

fn sign(verdict: Verdict) -> (&'static str, Role) {
    match verdict {
        Verdict::Ok => ("✓", Role::Ok),
        Verdict::Warn => ("▲", Role::Warn),
        Verdict::Refuse => ("✖", Role::Danger),
    }
}

/// Lines below the sections: what is said, and the keys.
pub(super) const FOOT: usize = 2;

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
