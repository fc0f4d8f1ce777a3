//! What was done, by whom and how it ended; unfinished first.

use super::{heading, run_sign};
use crate::{
    run::{Run, RunState, summary},
    ui::{
        action::{Action, Asks},
        command::Command,
        format,
        paint::Pen,
        theme::Role,
        view::{Cx, KnownRun, List, Place, View},
    },
};

/// All runs.
#[derive(Default)]
pub struct Runs {
    list: List<String>,
    filter: String,
    shown: Vec<String>,
}

/// What the column OUTCOME says.
pub fn outcome(cx: &Cx<'_>, known: &KnownRun) -> String {
    let run = &known.run;
    if known.is_orphaned() {
        let (done, all) = run.progress();
        return format!("unfinished at step {} of {all}: r resume, u undo", (done + 1).min(all));
    }
    match (&known.holder, run.state) {
        (Some(h), RunState::Running | RunState::Planned) if !known.ours => {
            format!("{} is at it since {}", h.who, cx.age_or_dash(h.since))
        }
        _ => {
            let word = run.last_word().unwrap_or("");
            // What was to be done stands beside it already.
            word.strip_prefix(&*summary(run))
                .map_or(word, |rest| rest.trim_start_matches([':', ' ']))
                .to_owned()
        }
    }
}

/// The names of the columns.
pub fn runs_heading(pen: &mut Pen<'_>, y: u16) {
    let c = columns(pen.width());
    heading(pen, 4, y, "STATE");
    heading(pen, c.run, y, "RUN");
    heading(pen, c.what, y, "WHAT");
    if let Some(x) = c.who {
        heading(pen, x, y, "WHO");
    }
    pen.put_right(c.age + 4, y, 4, "AGE", Role::Title);
    if let Some(x) = c.outcome {
        heading(pen, x, y, "OUTCOME");
    }
}

struct Columns {
    run: u16,
    what: u16,
    what_width: u16,
    who: Option<u16>,
    age: u16,
    outcome: Option<u16>,
}

fn columns(width: u16) -> Columns {
    let what_width = match width {
        ..60 => width.saturating_sub(24),
        60..100 => 22,
        _ => 34,
    };
    let what = 19;
    let mut x = what + what_width + 1;
    let who = (width >= 60).then(|| {
        x += 16;
        x - 16
    });
    let age = x;
    x += 6;
    Columns { run: 14, what, what_width, who, age, outcome: (width > x + 8).then_some(x) }
}

/// One run on one line.
pub fn run_line(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, known: &KnownRun) {
    let run = &known.run;
    let c = columns(pen.width());
    let orphan = known.is_orphaned();
    let (glyph, role) = run_sign(run.state, orphan);
    pen.put(2, y, 1, glyph, role);
    pen.put(4, y, 9, if orphan { "left" } else { run.state.word() }, role);
    pen.put(c.run, y, 4, run.short(), Role::Muted);
    pen.put(c.what, y, c.what_width, &summary(run), Role::Text);
    if let Some(x) = c.who {
        pen.put(x, y, 15, &run.operator, Role::Muted);
    }
    pen.put_right(c.age + 4, y, 4, &cx.age_or_dash(run.last_at()), Role::Muted);
    if let Some(x) = c.outcome {
        let place = if run.local { "on this machine only · " } else { "" };
        let text = format!("{place}{}", outcome(cx, known));
        pen.put(x, y, pen.width().saturating_sub(x), &text, if orphan { Role::Danger } else { Role::Muted });
    }
}

/// Why a run cannot be taken back, resumed, paused or given up.
pub fn refuses(command: Command, known: Option<&KnownRun>) -> Option<String> {
    let Some(known) = known else {
        use Command::{GiveUp, Open, Pause, Resume, Undo};
        return matches!(command, Undo | Resume | Pause | GiveUp | Open).then(|| "no run is selected".into());
    };
    let run = &known.run;
    let name = run.short();
    match command {
        Command::Undo if run.made().is_empty() => Some(format!("run {name} has changed nothing")),
        Command::Undo if run.state == RunState::Undone => Some(format!("run {name} is taken back already")),
        Command::Undo if !run.state.is_over() && (known.ours && run.state != RunState::Paused) => {
            Some(format!("run {name} is under way: p pauses it"))
        }
        Command::Undo | Command::Resume | Command::GiveUp
            if !run.state.is_over() && !known.ours && known.holder.as_ref().is_some_and(|h| h.alive) =>
        {
            Some(format!("{} is at it", known.holder.as_ref().map_or("somebody", |h| &h.who)))
        }
        Command::Resume | Command::GiveUp if run.state.is_over() => {
            Some(format!("run {name} is {}", run.state))
        }
        Command::Resume if known.ours && run.state == RunState::Running => {
            Some(format!("run {name} is under way"))
        }
        Command::GiveUp if known.ours && run.state != RunState::Paused => {
            Some(format!("run {name} is under way: p pauses it"))
        }
        Command::Pause if run.state.is_over() => Some(format!("run {name} is {}", run.state)),
        Command::Pause if !known.ours => Some(format!("run {name} is not driven from here")),
        Command::Pause if run.state == RunState::Paused => Some(format!("run {name} stands already")),
        _ => None,
    }
}

/// What a command asks of a run, or why it cannot be.
pub fn ask(command: Command, known: Option<&KnownRun>) -> Option<Action> {
    if let Some(why) = refuses(command, known) {
        return Some(Action::Say(why));
    }
    let id = known?.run.id.clone();
    match command {
        Command::Undo => Some(Action::Undo(id)),
        Command::Resume => Some(Action::Resume(id)),
        Command::Pause => Some(Action::Pause(id)),
        Command::GiveUp => Some(Action::Ask(Asks::GiveUp { run: id, text: farewell(&known?.run) })),
        Command::Open => Some(Action::Go(Place::Run(id))),
        _ => None,
    }
}

/// What giving a run up means, in two sentences.
pub fn farewell(run: &Run) -> String {
    let (done, all) = run.progress();
    let stays = match (run.made().is_empty(), done) {
        (true, _) => "It has changed nothing.".to_owned(),
        (false, n) => format!("{n} of {all} steps are done and stay done; u can still take them back."),
    };
    format!("{}. {stays} Nobody can resume it afterwards.", summary(run))
}

impl Runs {
    fn selected<'a>(&self, cx: &Cx<'a>) -> Option<&'a KnownRun> {
        let id = self.list.selected()?;
        cx.runs.iter().find(|k| k.run.id == *id)
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(4 + u16::try_from(cx.unreadable.len().min(3)).unwrap_or(0)))
    }
}

impl View for Runs {
    fn place(&self) -> Place {
        Place::Runs
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let text = self.filter.to_lowercase();
        let has = |k: &&KnownRun| {
            let words = format!("{} {} {} {}", k.run.id, summary(&k.run), k.run.operator, k.run.state);
            words.to_lowercase().contains(&text)
        };
        self.shown = cx.runs.iter().filter(has).map(|k| k.run.id.clone()).collect();
        let (shown, page) = (&self.shown, self.page(cx));
        self.list.settle(shown.len(), page, |i| shown[i].clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (shown, page) = (&self.shown, self.page(cx));
        if self.list.go(command, shown.len(), page, |i| shown[i].clone()) {
            return None;
        }
        if command == Command::Escape {
            self.filter.clear();
            self.refresh(cx);
            return None;
        }
        ask(command, self.selected(cx))
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        runs_heading(pen, 0);
        let mut y = 1;
        for text in cx.unreadable.iter().take(3) {
            pen.put(2, y, 1, "▲", Role::Warn);
            pen.put(4, y, pen.width().saturating_sub(5), text, Role::Warn);
            y += 1;
        }
        let foot = 3.min(pen.height().saturating_sub(y + 3));
        let page = usize::from(pen.height().saturating_sub(y + foot));
        for i in self.list.window(self.shown.len(), page) {
            let Some(known) = cx.runs.iter().find(|k| k.run.id == self.shown[i]) else { continue };
            run_line(pen, y, cx, known);
            if self.list.selected() == Some(&known.run.id) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
            y += 1;
        }
        // The whole outcome of the selected one: above it may have been cut.
        if let Some(known) = self.selected(cx).filter(|_| foot == 3) {
            let room = pen.width().saturating_sub(5);
            let lines = format::wrap(&format::plain(&outcome(cx, known)), room);
            for (i, line) in lines.iter().take(2).enumerate() {
                pen.put(4, pen.height() - 2 + i as u16, room, line, Role::Text);
            }
        }
        if self.shown.is_empty() {
            let text = match cx.seen.journals.freshness.trouble() {
                Some(why) => format!("the journals cannot be read: {why}"),
                None if !self.filter.is_empty() => "no run matches the filter  esc shows all".into(),
                None => "no runs: nothing was changed from a wheelhouse yet".into(),
            };
            pen.put(4, y + 1, pen.width().saturating_sub(5), &text, Role::Muted);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let left = cx.runs.iter().filter(|k| k.is_orphaned()).count();
        let all = format::count(self.shown.len(), "run");
        if left > 0 { format!("{left} unfinished · {all}") } else { all }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        refuses(command, self.selected(cx))
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|id| format!("run {}", format::short_run(id)))
    }

    fn filter(&mut self) -> Option<&mut String> {
        Some(&mut self.filter)
    }
}
