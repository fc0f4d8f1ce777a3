//! How a log is drawn: its heading, times, pods and lines.

use std::collections::BTreeMap;

use super::{Container, LogView, MOST, TAIL, Times};
use crate::cluster::Key;
use crate::ui::{
    format,
    log::{Line, Log},
    paint::{Pen, piece},
    theme::Role,
    view::Cx,
};

impl LogView {
    pub(super) fn draw(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let log = &cx.detail.log;
        self.head(pen, cx);
        let width = pen.width();
        let troubles = Self::troubles(log);
        if log.lines.is_empty() {
            self.render_nothing(pen, cx, &troubles);
            return;
        }
        let told: Vec<String> = troubles
            .iter()
            .flat_map(|why| format::wrap(&format::plain(&format!("▲ {why}")), width.saturating_sub(2)))
            .take(usize::from(pen.height() / 3))
            .collect();
        let page = usize::from(pen.height().saturating_sub(1)).saturating_sub(told.len());
        let tags = self.tags(log);
        let tag_width = tags.iter().map(|tag| format::width(tag)).max().unwrap_or(0).min(width / 4);
        let time_width = match self.times {
            _ if width < 56 => 0,
            Times::None => 0,
            Times::Clock => 9,
            Times::Full => 25,
        };
        let tag_at = 1 + time_width;
        let text_at = tag_at + if tag_width > 0 { tag_width + 1 } else { 0 };
        let room = width.saturating_sub(text_at);
        // The last lines first, until the page is full.
        let mut rows: Vec<(&Line, bool, String)> = Vec::with_capacity(page);
        for line in log.lines.range(..self.end(log)).rev().filter(|line| self.shows(log, line)) {
            if rows.len() >= page {
                break;
            }
            let text = format::plain(&line.text);
            if self.wrap {
                let pieces = format::chop(&text, room);
                rows.extend(pieces.into_iter().enumerate().rev().map(|(i, text)| (line, i == 0, text)));
            } else {
                rows.push((line, true, text.into_owned()));
            }
        }
        rows.truncate(page);
        if rows.is_empty() {
            let text = format!("no line of {} matches", log.lines.len());
            pen.line(4, 2, width.saturating_sub(4), &[piece(text, Role::Muted)]);
        }
        let lines = rows.len();
        for (y, (line, first, text)) in (1u16..).zip(rows.into_iter().rev()) {
            if first {
                if let Some(at) = line.at.filter(|_| time_width > 0) {
                    let time = match self.times {
                        Times::Full => format::time(at),
                        _ => at.strftime("%H:%M:%S").to_string(),
                    };
                    pen.put(1, y, time_width - 1, &time, Role::Faint);
                }
                let tag = tags.get(line.of).map_or("", String::as_str);
                pen.put(tag_at, y, tag_width, tag, series(line.of));
            }
            self.draw_text(pen, text_at, y, room, &text);
            if self.found() == Some(line.number) {
                pen.tint_line(y, Role::Selection);
            }
        }
        for (y, text) in (lines as u16 + 1..).zip(told) {
            pen.put(1, y, width.saturating_sub(1), &text, Role::Warn);
        }
    }

    /// What tells the pods and containers of the log apart: the end of the pod's name, and the container where there
    /// are several.
    pub(super) fn tags(&self, log: &Log) -> Vec<String> {
        let pods: Vec<&Key> = log.sources.iter().map(|source| &source.pod).collect();
        let several = pods.iter().any(|pod| *pod != pods[0]);
        let tail = |pod: &Key| pod.name.rsplit('-').next().unwrap_or(&pod.name).to_owned();
        let mut tails: BTreeMap<String, &Key> = BTreeMap::new();
        let told = pods.iter().all(|pod| *tails.entry(tail(pod)).or_insert(pod) == *pod);
        log.sources
            .iter()
            .map(|source| {
                let pod = if told { tail(&source.pod) } else { source.pod.name.to_string() };
                match (several, self.container == Container::All) {
                    (true, true) => format!("{pod}/{}", source.container),
                    (true, false) => pod,
                    (false, true) => source.container.to_string(),
                    (false, false) => String::new(),
                }
            })
            .collect()
    }

    pub(super) fn range_words(&self) -> String {
        match (self.previous, self.since) {
            (true, _) => "before the last restart".into(),
            (_, None) => format!("last {TAIL} lines of each container"),
            (_, Some(seconds)) => format!("last {}", span(seconds)),
        }
    }

    pub(super) fn head(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let pods = self.pods(cx);
        let sources = self.sources(cx);
        let container = match &self.container {
            Container::Serving => {
                Self::serving(cx, &pods).map_or("no container".into(), |name| name.to_string())
            }
            Container::Named(name) => name.to_string(),
            Container::All => "all containers".into(),
        };
        let of = match (&self.pod, pods.len()) {
            (Some(pod), 0) => format!(" of {}, which is gone", pod.name),
            (Some(pod), _) => format!(" of {}", pod.name),
            (None, 1) => format!(" of the only pod of {}", self.tenant),
            (None, n) => format!(" of all {} of {}", format::count(n, "pod"), self.tenant),
        };
        let most = if sources.len() > MOST {
            format!("   only the first {MOST} of {} containers are read", sources.len())
        } else {
            String::new()
        };
        let pieces = [
            piece(container, Role::Accent),
            piece(of, Role::Muted),
            piece(format!("   {}", self.range_words()), Role::Faint),
            piece(most, Role::Warn),
        ];
        pen.line(1, 0, pen.width().saturating_sub(2), &pieces);
    }

    /// Why no more lines come, one line for those that say the same.
    pub(super) fn troubles(log: &Log) -> Vec<String> {
        let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (of, why) in &log.troubles {
            let name = log.sources.get(*of).map_or("", |source| &*source.pod.name);
            by_text.entry(why).or_default().push(name);
        }
        let told = |(why, names): (&str, Vec<&str>)| match (names.as_slice(), log.sources.len()) {
            (_, 1) => why.to_owned(),
            ([one], _) => format!("{one}: {why}"),
            ([one, rest @ ..], _) => format!("{one} and {} more: {why}", rest.len()),
            ([], _) => why.to_owned(),
        };
        by_text.into_iter().map(told).collect()
    }

    pub(super) fn render_nothing(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, troubles: &[String]) {
        let width = pen.width().saturating_sub(5);
        let mut y = 2;
        for why in troubles {
            let other = if self.previous { "; P shows the present log" } else { "" };
            for line in format::wrap(&format::plain(&format!("{why}{other}")), width) {
                pen.put(4, y, width, &line, Role::Warn);
                y += 1;
            }
        }
        if !troubles.is_empty() {
            return;
        }
        let text = if !cx.seen.is_ready() {
            format!("{}: the cluster has not been read yet", self.tenant)
        } else if !cx.seen.tenants.contains_key(&self.tenant) {
            format!("there is no tenant {}", self.tenant)
        } else if cx.detail.log.wanted.sources.is_empty() {
            "no pod has a log".into()
        } else if cx.detail.log.begun {
            "the log is empty".into()
        } else {
            "asking for the log …".into()
        };
        pen.put(4, y, width, &text, Role::Muted);
    }

    /// The text of a line, with what is looked for marked.
    pub(super) fn draw_text(&self, pen: &mut Pen<'_>, x: u16, y: u16, room: u16, text: &str) {
        let role = tone(text);
        let mut pieces = Vec::new();
        let mut at = 0;
        for place in self.filter.places(text) {
            pieces.push(piece(&text[at..place.start], role));
            pieces.push(piece(&text[place.clone()], Role::Changed));
            at = place.end;
        }
        pieces.push(piece(&text[at..], role));
        pen.line(x, y, room, &pieces);
    }
}

/// `5 min`, `1 h`.
fn span(seconds: u32) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds.into())).to_string()
}

/// The colour of a pod among others.
fn series(of: usize) -> Role {
    [Role::Series1, Role::Series2, Role::Series3, Role::Series4][of % 4]
}

/// How loud a line of a log is, by its words.
fn tone(text: &str) -> Role {
    let lower = text.to_ascii_lowercase();
    if ["error", "fatal", "panic", "critical"].iter().any(|word| lower.contains(word)) {
        Role::Danger
    } else if lower.contains("warn") {
        Role::Warn
    } else {
        Role::Text
    }
}
