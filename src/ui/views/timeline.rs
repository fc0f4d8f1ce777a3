//! What happened in the last hours, on one axis: a lane a tenant or a node, and below the lane that is selected in words.
//!
//! ```text
//!              21:00     22:00     23:00     00:00     01:00     02:00     03:00
//!   runs       ·  •                               •  ✓
//! › acme                  ▲ ✖ ✓                               ▲
//! ────────────────────────────────────────────────────────────────────────────
//!  22:14:03 ✖ tenant acme  is down: no pod is ready
//! ```

use jiff::{SignedDuration, Timestamp};

use super::heading;
use crate::{
    history::{By, Happened, Kind, Lane, LaneOf, Span, Turn, lanes},
    ui::{
        action::Action,
        command::Command,
        filter::{Filter, NO_FIELDS},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// How far back is shown, in minutes: each by key, any by its name.
const BACK: [i64; 5] = [60, 180, 360, 720, 1_440];
/// As far back as this where nothing else is asked for, and so much is known.
const USUAL: i64 = 360;
/// Where less is known, the axis is the shortest of these that holds it, in minutes.
const YOUNG: [i64; 6] = [10, 20, 30, 60, 120, 180];

/// What happened in the last hours.
pub struct Timeline {
    by: By,
    /// Minutes that were asked for; `None`: six hours, or all that is known where that is less.
    back: Option<i64>,
    /// The lane that was come for, shown though nothing has happened there.
    wanted: Option<LaneOf>,
    list: List<LaneOf>,
    filter: Filter,
    lanes: Vec<Lane>,
    all: usize,
    span: Span,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            by: By::Tenant,
            back: None,
            wanted: None,
            list: List::default(),
            filter: Filter::default(),
            lanes: Vec::new(),
            all: 0,
            span: Span { from: Timestamp::UNIX_EPOCH, until: Timestamp::UNIX_EPOCH },
        }
    }
}

/// The glyph and role of a turn.
fn sign(turn: Turn) -> (&'static str, Role) {
    match turn {
        Turn::Outage => ("✖", Role::Danger),
        Turn::Worse => ("▲", Role::Warn),
        Turn::Better => ("✓", Role::Ok),
        Turn::Change => ("•", Role::Muted),
    }
}

/// Columns of the names.
fn names(width: u16) -> u16 {
    (width / 5).clamp(8, 28)
}

/// Columns of the axis.
fn axis(width: u16) -> u16 {
    width.saturating_sub(names(width) + 4)
}

impl Timeline {
    /// Lines of the lanes, and of the words below.
    fn parts(height: u16) -> (u16, u16) {
        let below = if height < 10 { 0 } else { height * 2 / 5 };
        (height.saturating_sub(1 + below), below)
    }

    fn page(cx: &Cx<'_>) -> usize {
        usize::from(Self::parts(cx.size.1).0).max(1)
    }

    /// What is shown: up to now; of a recording what is around its moment, and as little as can be beside its ends.
    fn span_of(&self, cx: &Cx<'_>) -> Span {
        let before = |at: Timestamp, by| at.saturating_sub(by).unwrap_or(at);
        let after = |at: Timestamp, by| at.saturating_add(by).unwrap_or(at);
        let Some(replay) = cx.replay else {
            let known = known_since(cx).map_or(0, |since| cx.now.duration_since(since).as_mins());
            let young = YOUNG.into_iter().find(|minutes| *minutes > known + 1);
            let back = SignedDuration::from_mins(self.back.or(young).unwrap_or(USUAL));
            // To the end of the minute: on a short axis each step of the time moves it, and sends it.
            let until = after(cx.now, SignedDuration::from_secs(60 - cx.now.as_second().rem_euclid(60)));
            return Span { from: before(until, back), until };
        };
        let whole = replay.until.duration_since(replay.from);
        let usual = || whole.clamp(SignedDuration::from_mins(1), SignedDuration::from_mins(USUAL));
        let back = self.back.map_or_else(usual, SignedDuration::from_mins);
        let until = after(cx.seen.at, back / 2).max(after(replay.from, back)).min(replay.until);
        Span { from: before(until, back), until }
    }

    /// For how long, in words.
    fn lasting(&self, cx: &Cx<'_>) -> String {
        let minutes = self.span.until.duration_since(self.span.from).as_mins();
        let long = if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
        match cx.replay {
            None => format!("last {long}"),
            Some(replay) if self.span.from <= replay.from && replay.until <= self.span.until => {
                "whole recording".into()
            }
            Some(_) => long,
        }
    }

    fn selected(&self) -> Option<&Lane> {
        let of = self.list.selected()?;
        self.lanes.iter().find(|lane| lane.of == *of)
    }
}

/// Since when it is known what happened: since the cluster was first looked at, or the first event that was kept.
fn known_since(cx: &Cx<'_>) -> Option<Timestamp> {
    let first = cx.history.first().map(|event| event.time);
    first.into_iter().chain(cx.since).min()
}

/// An event on one line, after its time.
fn words(event: &Happened) -> String {
    match event.kind {
        Kind::Run | Kind::Campaign => format!("{}: {}", event.subject(), event.text),
        Kind::Api => format!("{} {}", event.name, event.text),
        _ => format!("{} {}", event.subject(), event.text),
    }
}

impl View for Timeline {
    fn place(&self) -> Place {
        Place::Timeline
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.span = self.span_of(cx);
        let columns = axis(cx.size.0);
        let mut all = lanes(cx.history, self.span, self.by, columns);
        if let Some(of) = self.wanted.as_ref().filter(|of| all.iter().all(|lane| lane.of != **of)) {
            let (events, cells) = (Vec::new(), vec![None; columns.into()]);
            all.push(Lane { of: of.clone(), events, cells });
        }
        self.all = all.len();
        if !self.filter.is_empty() {
            all.retain(|lane| {
                let texts = lane.events.iter().map(|i| words(&cx.history[*i]));
                let text = std::iter::once(lane.of.to_string()).chain(texts).collect::<Vec<_>>().join(" ");
                self.filter.keeps(&text, |_| None)
            });
        }
        self.lanes = all;
        let shown = &self.lanes;
        self.list.settle(shown.len(), Self::page(cx), |i| shown[i].of.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let shown = &self.lanes;
        if self.list.go(command, shown.len(), Self::page(cx), |i| shown[i].of.clone()) {
            return None;
        }
        match command {
            Command::Next | Command::Previous => {
                self.by = if self.by == By::Tenant { By::Node } else { By::Tenant };
                self.wanted = None;
                self.refresh(cx);
                None
            }
            Command::Since => {
                let shown = self.span.until.duration_since(self.span.from).as_secs() / 60;
                let next = BACK.iter().copied().find(|back| *back > shown);
                self.back = Some(next.unwrap_or(BACK[0]));
                self.refresh(cx);
                None
            }
            Command::Export => {
                let until = if cx.replay.is_some() { self.span.until } else { self.span.until.min(cx.now) };
                Some(Action::Export(self.span.from, until))
            }
            Command::Open => Some(Action::Go(match &self.selected()?.of {
                LaneOf::Api => Place::Findings,
                LaneOf::Platform => Place::Platform,
                LaneOf::Database => Place::Database,
                LaneOf::Runs => Place::Runs,
                LaneOf::Nodes => Place::Nodes,
                LaneOf::Tenant(name) => Place::Tenant(name.clone()),
                LaneOf::Node(name) => Place::Node(name.clone()),
            })),
            _ => None,
        }
    }

    fn typed(&mut self, command: Command, text: &str, cx: &Cx<'_>) -> Result<Option<Action>, String> {
        let none = || format!("`{text}` is no span from 1m to 7d, such as 2h");
        if command != Command::Since {
            return Err(none());
        }
        let span = humantime::parse_duration(text).map_err(|_| none())?;
        let minutes = i64::try_from(span.as_secs() / 60).map_err(|_| none())?;
        if !(1..=7 * 1_440).contains(&minutes) {
            return Err(none());
        }
        self.back = Some(minutes);
        self.refresh(cx);
        Ok(None)
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let (left, columns) = (names(width) + 3, axis(width));
        heading(pen, 3, 0, if self.by == By::Tenant { "BY TENANT" } else { "BY NODE" });
        self.scale(pen, left, columns);
        let now = cx.replay.and_then(|_| self.span.column(cx.seen.at, columns));
        for (y, i) in (1..).zip(self.list.window(self.lanes.len(), Self::page(cx))) {
            let lane = &self.lanes[i];
            let role = lane.cells.iter().flatten().max().map_or(Role::Text, |worst| match worst {
                Turn::Outage | Turn::Worse => Role::Text,
                Turn::Better | Turn::Change => Role::Muted,
            });
            pen.put(3, y, names(width) - 1, &lane.of.to_string(), role);
            for (x, turn) in (left..).zip(&lane.cells) {
                match turn {
                    Some(turn) => {
                        let (glyph, role) = sign(*turn);
                        pen.put(x, y, 1, glyph, role);
                    }
                    None if now == Some(x - left) => {
                        pen.put(x, y, 1, "│", Role::Accent);
                    }
                    None => {}
                }
            }
            if self.list.selected() == Some(&lane.of) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.lanes.is_empty() {
            let text = match self.all {
                0 => "nothing has happened in this time, as far as it was seen",
                _ => "no lane matches the filter  esc shows all",
            };
            pen.put(3, 2, width.saturating_sub(4), text, Role::Muted);
        }
        self.tell(pen, cx);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let since = known_since(cx).filter(|since| *since > self.span.from && cx.replay.is_none());
        let since = since.map(|since| format!("known since {}", since.strftime("%H:%M")));
        let lanes = match self.lanes.len() == self.all {
            true if self.all > 0 => {
                format!("{} of {}", self.list.index() + 1, format::count(self.all, "lane"))
            }
            true => format::count(self.all, "lane"),
            false => format!("{} of {}", self.lanes.len(), format::count(self.all, "lane")),
        };
        let filter = self.filter.words();
        filter.into_iter().chain(since).chain([self.lasting(cx), lanes]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, _cx: &Cx<'_>) -> Option<String> {
        let none = matches!(command, Command::Open | Command::CopyName) && self.selected().is_none();
        none.then(|| "no lane is selected".into())
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|of| of.name().to_owned())
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        let lane = self.selected()?;
        let line = |i: &usize| {
            let event = cx.history.get(*i)?;
            Some(format!("{} {}", format::time(event.time), format::plain(&words(event))))
        };
        Some(lane.events.iter().filter_map(line).collect::<Vec<_>>().join("\n"))
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let (by, of) = match what {
            Place::Tenant(name) => (By::Tenant, LaneOf::Tenant(name.clone())),
            Place::Node(name) => (By::Node, LaneOf::Node(name.clone())),
            Place::Database => (self.by, LaneOf::Database),
            Place::Platform => (self.by, LaneOf::Platform),
            Place::Runs => (self.by, LaneOf::Runs),
            _ => return,
        };
        self.by = by;
        self.filter.clear();
        self.wanted = matches!(what, Place::Tenant(_) | Place::Node(_)).then(|| of.clone());
        self.refresh(cx);
        let shown = &self.lanes;
        if let Some(at) = shown.iter().position(|lane| lane.of == of) {
            self.list.put(at, shown.len(), Self::page(cx), |i| shown[i].of.clone());
        }
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::filtered(&mut self.filter, &NO_FIELDS)
    }
}

impl Timeline {
    /// The times above the axis, as many as have room.
    fn scale(&self, pen: &mut Pen<'_>, left: u16, columns: u16) {
        let seconds = self.span.until.duration_since(self.span.from).as_secs().max(1);
        // Each label takes seven columns and a gap.
        let steps = [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
        let most = i64::from((columns / 9).max(1));
        let step = steps.into_iter().find(|step| seconds / step <= most).unwrap_or(86_400);
        let first = self.span.from.as_second().div_euclid(step) * step + step;
        let mut at = first;
        while at <= self.span.until.as_second() {
            let moment = Timestamp::from_second(at).unwrap_or(self.span.until);
            if let Some(column) = self.span.column(moment, columns).filter(|column| column + 5 <= columns) {
                pen.put(left + column, 0, 5, &moment.strftime("%H:%M").to_string(), Role::Muted);
            }
            at += step;
        }
    }

    /// The selected lane in words, the newest first.
    fn tell(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let (above, below) = Self::parts(pen.height());
        let Some(lane) = self.selected().filter(|_| below > 2) else { return };
        let top = above + 1;
        let room = pen.width().saturating_sub(4);
        let title = format!("{}: {}", lane.of, format::count(lane.events.len(), "event"));
        heading(pen, 3, top, &format::plain(&title));
        let last = self.list.window(self.lanes.len(), usize::from(above).max(1)).end;
        if let below @ 1.. = self.lanes.len() - last {
            let text = format!(" {} ↓", format::count(below, "more lane"));
            pen.put_right(pen.width().saturating_sub(1), top, 20, &text, Role::Muted);
        }
        if lane.events.is_empty() {
            pen.put(3, top + 1, room, "nothing has happened there in this time", Role::Muted);
        }
        let events = lane.events.iter().rev().filter_map(|i| cx.history.get(*i));
        let mut y = top + 1;
        for event in events {
            if y >= pen.height() {
                return;
            }
            let (glyph, role) = sign(event.turn);
            let tone = if event.turn >= Turn::Worse { Role::Text } else { Role::Muted };
            let time = piece(event.time.strftime("%H:%M:%S ").to_string(), Role::Muted);
            let x = 1 + pen.line(3, y, room, &[time, piece(glyph, role)]);
            for line in format::wrap(&format::plain(&words(event)), pen.width().saturating_sub(x + 1)) {
                if y >= pen.height() {
                    return;
                }
                pen.put(x, y, room, &line, tone);
                y += 1;
            }
        }
    }
}
