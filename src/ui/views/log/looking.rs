//! Which lines are shown, and where among them one is: filtered, looked for, scrolled, saved.

use super::{Held, LogView};
use crate::ui::{
    action::Action,
    command::Command,
    filter::Of,
    format,
    log::{Line, Log},
    view::Cx,
};

impl LogView {
    pub(super) fn keeps(&self, log: &Log, line: &Line) -> bool {
        let source = log.sources.get(line.of);
        self.filter.is_empty()
            || self.filter.keeps(&format::plain(&line.text), |of| match of {
                Of::Column("pod") => source.map(|source| source.pod.name.to_string()),
                Of::Column("container") => source.map(|source| source.container.to_string()),
                _ => None,
            })
    }

    /// The line that was found last, while the same is looked for.
    pub(super) fn found(&self) -> Option<u64> {
        self.found.as_ref().filter(|(_, text)| text == self.filter.text()).map(|(number, _)| *number)
    }

    pub(super) fn shows(&self, log: &Log, line: &Line) -> bool {
        self.all_lines || self.keeps(log, line)
    }

    /// The places of the lines that are shown.
    pub(super) fn shown(&self, log: &Log) -> Vec<usize> {
        (0..log.lines.len()).filter(|at| self.shows(log, &log.lines[*at])).collect()
    }

    /// How many of the lines have been read when the last one on the screen has; one that is no longer kept is the
    /// first.
    pub(super) fn end(&self, log: &Log) -> usize {
        match self.held {
            None => log.lines.len(),
            Some(Held::Line(number)) => {
                log.lines.iter().position(|line| line.number == number).map_or(1, |at| at + 1)
            }
            Some(Held::Time(at)) => log.until(at).max(1),
        }
        .min(log.lines.len())
    }

    pub(super) fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(1)).max(1)
    }

    pub(super) fn scroll(&mut self, command: Command, cx: &Cx<'_>) {
        let log = &cx.detail.log;
        let shown = self.shown(log);
        let page = Self::page(cx);
        let Some(most) = shown.len().checked_sub(1) else { return };
        let end = self.end(log);
        let now = shown.partition_point(|at| *at < end).saturating_sub(1);
        let half = (page / 2).max(1);
        let least = (page - 1).min(most);
        let to = match command {
            Command::Up => now.saturating_sub(1),
            Command::Down => now + 1,
            Command::PageUp => now.saturating_sub(half),
            Command::PageDown => now + half,
            Command::Top => 0,
            Command::Bottom => {
                self.held = None;
                return;
            }
            _ => return,
        };
        self.held = Some(Held::Line(log.lines[shown[to.clamp(least, most)]].number));
    }

    /// To the next line with what is looked for, older or newer than the one before.
    pub(super) fn look(&mut self, older: bool, cx: &Cx<'_>) -> Option<Action> {
        let log = &cx.detail.log;
        if self.filter.is_empty() {
            return Some(Action::Say("nothing is looked for: / takes what it is".into()));
        }
        let from = self.found().and_then(|n| log.lines.iter().position(|line| line.number == n));
        let matching = |at: &usize| self.keeps(log, &log.lines[*at]);
        let hit = match (from, older) {
            (None, true) => (0..self.end(log)).rev().find(matching),
            (Some(from), true) => (0..from).rev().find(matching),
            (None, false) => (self.end(log)..log.lines.len()).find(matching),
            (Some(from), false) => (from + 1..log.lines.len()).find(matching),
        };
        let Some(hit) = hit else {
            let way = if older { "older" } else { "newer" };
            return Some(Action::Say(format!("no {way} line of those that are kept matches")));
        };
        self.found = Some((log.lines[hit].number, self.filter.text().to_owned()));
        // Some lines after it stay in sight.
        let shown = self.shown(log);
        let at = shown.partition_point(|at| *at < hit);
        let page = Self::page(cx);
        let last = (at + page / 3).max((page - 1).min(shown.len().saturating_sub(1)));
        let last = shown.get(last.min(shown.len().saturating_sub(1)));
        self.held = last.map(|at| Held::Line(log.lines[*at].number));
        None
    }

    /// What is shown, as it is saved: the whole time, the pod and container, the text.
    pub(super) fn text(&self, log: &Log) -> String {
        let mut text = String::new();
        for at in self.shown(log) {
            let line = &log.lines[at];
            let source = log.sources.get(line.of);
            let time = line.at.map_or("-".into(), format::time);
            let of = source.map_or(String::new(), |s| format!("{}/{}", s.pod.name, s.container));
            text += &format!("{time} {of} {}\n", format::plain(&line.text));
        }
        text
    }

    pub(super) fn save(&self, file: Option<&str>, cx: &Cx<'_>) -> Action {
        let log = &cx.detail.log;
        let text = self.text(log);
        if text.is_empty() {
            return Action::Say("there is no line to save".into());
        }
        Action::SaveLog { file: file.map(str::to_owned), name: self.tenant.to_string(), text }
    }
}
