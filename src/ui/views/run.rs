//! One run: its steps as they happen, and where the pods are, before, now and as predicted.

mod job;

use super::{answers, heading, run_sign, runs, times};
use crate::{
    cluster::{LogRange, NodeName, TenantName},
    plan::{self, DatabasePart, Part},
    run::{Event, Run, RunSeen, RunState, StepState},
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
        let width = pen.width();
        let Some(known) = self.known(cx) else {
            pen.put(1, 1, width, &format!("run {} is not known here", self.id), Role::Warn);
            return;
        };
        let run = &known.run;
        let shown = known.shown();
        let (glyph, role) = run_sign(&shown);
        pen.line(
            1,
            0,
            width.saturating_sub(2),
            &[
                piece(glyph, role),
                piece(" ", Role::Text),
                piece(crate::run::summary(run), Role::Accent),
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
            + proxies.as_ref().map_or(1 + PLACED * run.plan().tenants.len(), |s| s.height() + 2);
        y = self.steps(pen, cx, known, y, below) + 1;
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
        y += u16::from(proxies.is_none());
        for part in &run.plan().tenants {
            y = placed(pen, cx, y, part);
        }
        if let Some(proxies) = proxies {
            proxies.draw(pen, y);
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
    fn steps(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &RunSeen, mut y: u16, below: usize) -> u16 {
        let run = &known.run;
        let width = pen.width();
        let at = |step: usize, begun: bool| {
            run.entries.iter().rev().find_map(|e| match &e.event {
                Event::Started { step: s } if begun && *s == step => Some(e.at),
                Event::Done { step: s, .. } | Event::Skipped { step: s, .. } if !begun && *s == step => {
                    Some(e.at)
                }
                _ => None,
            })
        };
        // Long runs show the steps around the one under way, which may take a second line.
        let open = |state: &&StepState| matches!(state, StepState::Started | StepState::Paused(_));
        let second = run.steps.iter().filter(open).count();
        let room = usize::from(pen.height().saturating_sub(y)).saturating_sub(below + second);
        let room = room.max(if run.state.is_over() { 1 } else { 3 });
        let (done, all) = run.progress();
        let start = done.saturating_sub(room / 2).min(all.saturating_sub(room));
        // A second line for what became of a step is the first thing to go.
        let tight = all * 2 > room;
        for (i, (step, state)) in run.plan().steps.iter().zip(&run.steps).enumerate().skip(start).take(room) {
            let what = run.plan().words(&step.change);
            let (glyph, role, text) = match state {
                StepState::Waiting | StepState::Started if run.failed_step() == Some(i) => {
                    ("✖", Role::Danger, String::new())
                }
                StepState::Waiting if step.takes_back.is_some_and(|of| run.is_taken_back(of)) => {
                    ("✓", Role::Ok, "given back".into())
                }
                StepState::Waiting if run.is_taken_back(i) => ("–", Role::Muted, "taken back".into()),
                StepState::Waiting => ("·", Role::Muted, String::new()),
                StepState::Started if known.is_interrupted() => {
                    ("?", Role::Warn, known.meanwhile(cx.seen).unwrap_or_else(|| "in doubt".into()))
                }
                StepState::Started => {
                    let limit = format!("at most {}", format::span(step.within.into()));
                    // What says no more than the step itself says nothing.
                    let doing = run.doing.clone().filter(|doing| *doing != what);
                    ("▸", Role::Busy, doing.unwrap_or(limit))
                }
                StepState::Done(text) => ("✓", Role::Ok, text.clone()),
                StepState::Skipped(text) => ("–", Role::Muted, format!("not needed: {text}")),
                StepState::Paused(text) => {
                    // The step stands before it already.
                    let why =
                        text.strip_prefix(&*what).map_or(&**text, |why| why.trim_start_matches([':', ' ']));
                    ("‖", Role::Warn, why.to_owned())
                }
            };
            pen.put(3, y, 1, glyph, role);
            let end = pen.put(
                5,
                y,
                width.saturating_sub(16),
                &what,
                if *state == StepState::Waiting { Role::Muted } else { Role::Text },
            );
            let took = match (at(i, true), at(i, false)) {
                (Some(a), Some(b)) => format::span(b.as_second() - a.as_second()),
                (Some(a), None) if *state == StepState::Started => cx.age(a),
                _ => String::new(),
            };
            pen.put_right(width.saturating_sub(1), y, 5, &took, Role::Muted);
            let room = width.saturating_sub(end + 10);
            if format::width(&text) <= room {
                pen.put(end + 3, y, room, &text, role);
            } else if !text.is_empty() && (!tight || !matches!(state, StepState::Done(_))) {
                y += 1;
                pen.put(7, y, width.saturating_sub(14), &text, role);
            }
            y += 1;
        }
        y
    }
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
