//! One run: its steps as they happen, and where the pods are, before, now and as predicted.

mod job;

use super::{answers, beside, heading, journal, run_sign, runs, side, steps, times};
use crate::{
    cluster::{LogRange, NodeName, TenantName},
    plan::{self, DatabasePart, Part},
    run::{self, Event, Run, RunSeen, RunState, StepState},
    ui::{
        action::Action,
        command::{self, Command},
        format,
        log::LogsWanted,
        paint::{Pen, piece},
        parts::{placement, together},
        stops::Stop,
        theme::Role,
        view::{Cx, Place, View, Wants},
    },
};

/// Lines of the table of a tenant's pods, with the gap above it.
const PLACED: usize = 5;
/// Lines of a log that are read when it is opened.
const TAIL: u32 = 200;

/// One run.
pub struct RunView {
    id: String,
}

impl RunView {
    /// The view of the run of that id.
    pub fn new(id: String) -> Self {
        Self { id }
    }

    fn known<'a>(&self, cx: &Cx<'a>) -> Option<&'a RunSeen> {
        cx.runs.iter().find(|k| k.run.id == self.id)
    }
}

impl View for RunView {
    fn place(&self) -> Place {
        Place::Run(self.id.clone())
    }

    fn refresh(&mut self, _cx: &Cx<'_>) {}

    /// The log of a job that another cockpit drives is read from its pod.
    fn wants(&self, cx: &Cx<'_>) -> Wants {
        let source = self.known(cx).and_then(|known| job::source(known, cx.seen));
        let range = LogRange { tail: Some(TAIL), since: None, previous: false, follow: true };
        match source {
            Some(source) => Wants { log: LogsWanted { sources: vec![source], range }, ..Wants::default() },
            None => Wants::default(),
        }
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        use Command::{Abort, GiveUp, Pause, Resume, Retry, Succeeded, Undo};
        matches!(command, Undo | Resume | Pause | Abort | GiveUp | Succeeded | Retry)
            .then(|| runs::ask(command, self.known(cx), cx.seen))
            .flatten()
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let Some(known) = self.known(cx) else {
            pen.put(1, 1, pen.width(), &format!("run {} is not known here", self.id), Role::Warn);
            return;
        };
        let run = &known.run;
        let (main, aside) = beside(pen.area, side(pen.area.width));
        if let Some(area) = aside {
            self.aside(&mut pen.within(area), cx, known);
        }
        let pen = &mut pen.within(main);
        let width = pen.width();
        let shown = known.shown();
        let (glyph, role) = run_sign(&shown);
        pen.line(
            1,
            0,
            width.saturating_sub(2),
            &[
                piece(glyph, role),
                piece(" ", Role::Text),
                piece(run::summary(run), Role::Accent),
                piece(format!("  {shown}"), role),
            ],
        );
        let started = run.began();
        let mut facts = format!("run {} of {}", run.short(), run.operator);
        if let (Some(start), Some(last)) = (started, run.last_at()) {
            facts = format!("{facts}, {}", times(cx, &shown, start, last));
        }
        if run.local {
            facts.push_str(", journal on this machine only");
        }
        if run.unaudited.is_some() {
            facts.push_str(", not in the audit file");
        }
        pen.put(3, 1, width.saturating_sub(4), &facts, Role::Muted);
        let (done, all) = run.progress();
        let bar = (width / 3).clamp(8, 40);
        pen.bar(3, 2, bar, done as f64 / all.max(1) as f64, role);
        pen.put(
            bar + 5,
            2,
            width.saturating_sub(bar + 6),
            &match run.taken_back() {
                0 => format!("{done} of {}", format::count(all, "step")),
                back => format!("{done} of {}, {back} taken back", format::count(all, "step")),
            },
            Role::Muted,
        );
        let mut y = 4;
        if let Some(reason) = run.approved.reason() {
            pen.line(
                3,
                y,
                width.saturating_sub(4),
                &[piece("why  ", Role::Muted), piece(reason, Role::Text)],
            );
            y += 2;
        }
        let proxies =
            run.plan().database.as_ref().map(|part| ProxyRows::of(part, cx, width.saturating_sub(15)));
        // Where all is as predicted, the last word would only repeat what the proxies are shown to do.
        let told = |text: &str| {
            let stands = |state: &StepState| matches!(state, StepState::Paused(why) if why == text);
            run.steps.iter().any(stands) && format::width(text) < width.saturating_sub(14)
        };
        let said = run.last_word().filter(|text| !told(text)).filter(|_| {
            run.state != RunState::Done || proxies.as_ref().is_none_or(|proxies| !proxies.as_predicted)
        });
        let last = said.map(|text| format::wrap(&format::plain(text), width.saturating_sub(6)));
        let mut last: Vec<_> = last.into_iter().flatten().take(4).collect();
        if run.state == RunState::Paused && !run.undecided().is_empty() && known.succeeded(cx.seen).is_ok() {
            let (succeeded, closed) = (command::sign(Command::Succeeded), command::sign(Command::GiveUp));
            last.push(format!(
                "{succeeded}: it has succeeded, and the run goes on; {closed} gives back what it took"
            ));
        }
        last.extend(known.goes_on_meanwhile(cx.seen));
        let job = job::height(known, cx, pen.height());
        let below = last.len()
            + usize::from(!last.is_empty())
            + job
            + usize::from(job > 0)
            + run.entries.iter().filter(|e| matches!(e.event, Event::Verified { .. })).count()
            + run.harms().filter(|(tenant, _)| is_open(run, tenant)).count()
            // The table below them is worth more than steps that are through or far away.
            + match (&proxies, &aside) {
                (_, Some(_)) => 0,
                (Some(proxies), None) => proxies.height() + 2,
                (None, None) => 1 + PLACED * run.plan().tenants.len(),
            };
        y = steps::draw(pen, cx, known, y, below) + 1;
        if !last.is_empty() {
            for line in &last {
                pen.put(
                    3,
                    y,
                    width.saturating_sub(4),
                    line,
                    if run.state == RunState::Done { Role::Ok } else { role },
                );
                y += 1;
            }
            y += 1;
        }
        if job > 0 {
            y = job::draw(pen, cx, known, y) + 1;
        }
        for (tenant, harm) in run.harms().filter(|(tenant, _)| is_open(run, tenant)) {
            pen.put(3, y, 1, "▲", Role::Warn);
            let words = if known.wants_an_operator() { harm.words_then() } else { harm.words() };
            let text = format!("{tenant} {words}");
            pen.put(5, y, width.saturating_sub(6), &text, Role::Warn);
            y += 1;
        }
        for entry in &run.entries {
            if let Event::Verified { about, as_predicted, text } = &entry.event {
                let (glyph, role) = if *as_predicted { ("✓", Role::Ok) } else { ("▲", Role::Warn) };
                pen.put(3, y, 1, glyph, role);
                pen.put(5, y, width.saturating_sub(6), &format!("{about}: {text}"), Role::Text);
                y += 1;
            }
        }
        if aside.is_none() {
            y += u16::from(proxies.is_none());
            moves(pen, cx, run, y, proxies.as_ref());
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        match self.known(cx) {
            Some(k) if k.ours && !k.run.state.is_over() => "esc leaves it running".into(),
            Some(k) => match &k.holder {
                Some(h) if h.alive => format!("{} drives it", h.who),
                _ => String::new(),
            },
            None => String::new(),
        }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        runs::refuses(command, self.known(cx), cx.seen)
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        command.is_of_runs() && self.refuses(command, cx).is_some()
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        Some(self.id.clone())
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        answers::of_all(cx, &self.place(), [Stop::Run(self.id.clone())])
    }

    fn subject(&self) -> Option<String> {
        Some(format!("run {}", format::short_run(&self.id)))
    }
}

impl RunView {
    /// Where the pods are, whom the proxies lead to, and the journal.
    fn aside(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &RunSeen) {
        let run = &known.run;
        let room = pen.width().saturating_sub(15);
        let proxies = run.plan().database.as_ref().map(|part| ProxyRows::of(part, cx, room));
        let y = moves(pen, cx, run, 0, proxies.as_ref());
        let told = run.entries.iter().rev().filter_map(|entry| {
            let (sign, text) = run::entry(run, &entry.event)?;
            Some(journal::Line { at: entry.at, by: &entry.by, sign, text })
        });
        journal::draw(pen, y, &run.operator, told);
    }
}

/// Where the pods were, are, and were predicted to be, and the same of whom the proxies lead to. Returns the line after it.
fn moves(pen: &mut Pen<'_>, cx: &Cx<'_>, run: &Run, mut y: u16, proxies: Option<&ProxyRows>) -> u16 {
    for part in &run.plan().tenants {
        y = placed(pen, cx, y, part);
    }
    if let Some(proxies) = proxies {
        proxies.draw(pen, y);
        y += proxies.height() as u16 + 1;
    }
    y
}

/// What came of a tenant is not compared yet: what happens to its pods stands by itself.
fn is_open(run: &Run, tenant: &TenantName) -> bool {
    !run.state.is_over() && run.verified(&plan::About::Tenant(tenant.clone())).is_none()
}

/// Whom the proxies sent their clients to, send them to now, and were to send them to.
struct ProxyRows {
    rows: [(&'static str, Vec<String>, Role); 3],
    as_predicted: bool,
}

impl ProxyRows {
    fn of(part: &DatabasePart, cx: &Cx<'_>, room: u16) -> Self {
        let mut now = plan::backends(cx.seen);
        if now.is_empty() {
            now.push("no proxy is followed here".into());
        }
        let as_predicted = now == part.after;
        let (sign, role) = if as_predicted { ("now ✓", Role::Ok) } else { ("now", Role::Text) };
        let wrapped = |lines: &[String]| {
            together(lines).iter().flat_map(|line| format::wrap(&format::plain(line), room.max(1))).collect()
        };
        let rows = [
            ("before", wrapped(&part.now), Role::Muted),
            (sign, wrapped(&now), role),
            ("predicted", wrapped(&part.after), Role::Muted),
        ];
        Self { rows, as_predicted }
    }

    fn height(&self) -> usize {
        1 + self.rows.iter().map(|(_, lines, _)| lines.len()).sum::<usize>()
    }

    fn draw(&self, pen: &mut Pen<'_>, y: u16) {
        heading(pen, 3, y, "proxies");
        let mut y = y + 1;
        for (word, lines, role) in &self.rows {
            pen.put(3, y, 10, word, *role);
            for line in lines {
                pen.put(14, y, pen.width().saturating_sub(15), line, *role);
                y += 1;
            }
        }
    }
}

/// Where a tenant's pods were, are, and were predicted to be.
fn placed(pen: &mut Pen<'_>, cx: &Cx<'_>, y: u16, part: &Part) -> u16 {
    let now = cx.seen.tenants.get(&part.tenant).map(|t| cx.seen.cells(t)).unwrap_or_default();
    let nodes: Vec<NodeName> =
        placement::nodes(part.now.keys().chain(part.predicted.keys()).chain(now.keys().flatten()));
    let room = pen.height().saturating_sub(y);
    if room < 2 {
        return y;
    }
    // The name of the tenant stands before those of the nodes, with a gap.
    let name = format::fit(part.tenant.as_str(), pen.width() / 3);
    let x = (5 + format::width(&name)).max(14);
    let grid = placement::Grid::fit(pen.width().saturating_sub(x), cx.seen, &nodes);
    heading(pen, 3, y, &name);
    grid.heading(pen, x, y);
    // Where they are now comes first, and where they were gives way first.
    let mut at = y;
    if room > 3 {
        at += 1;
        pen.put(3, at, 10, "before", Role::Muted);
        grid.counts(pen, x, at, &part.now, None);
    }
    pen.put(3, at + 1, 10, "now", Role::Text);
    grid.cells(pen, x, at + 1, &now);
    if room > 2 {
        pen.put(3, at + 2, 10, "predicted", Role::Muted);
        match part.arrivals() {
            None => grid.counts(pen, x, at + 2, &part.predicted, None),
            Some(text) => pen.put(x, at + 2, pen.width().saturating_sub(x), &text, Role::Muted),
        };
    }
    y + 5
}
