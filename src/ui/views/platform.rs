//! The platform around: edges, ingress nodes and what else is configured, each a row with its state, numbers and age; below
//! the selected one whole, with what answers it.

use std::{borrow::Cow, sync::Arc};

use super::{answers, counted, with_remedy};
use crate::{
    cluster::{
        LinkState, Subject,
        platform::{ComponentKey, ComponentKind, Platform, Row, runs_on},
        words::count,
    },
    ui::{
        action::Action,
        chrome,
        command::Command,
        filter::{Fields, Filter, Of},
        format,
        paint::{Pen, Piece, piece},
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// The orders of the components.
const ORDERS: [&str; 4] = ["kind", "worst", "name", "age"];

static FIELDS: Fields = Fields { columns: &["kind", "name", "state"], labels: false };

/// The platform around.
#[derive(Default)]
pub struct PlatformView {
    list: List<ComponentKey>,
    filter: Filter,
    order: usize,
    platform: Arc<Platform>,
    /// Places among its components.
    shown: Vec<usize>,
    /// The component to begin with.
    wanted: Option<ComponentKey>,
}

/// A component's name in so many columns: with its kind, or where that has no room without it, cut where the names of its
/// kind are alike.
pub(super) fn name(cx: &Cx<'_>, key: &ComponentKey, columns: u16) -> String {
    let whole = key.to_string();
    if format::width(&whole) <= columns {
        return whole;
    }
    let alike = cx.seen.platform.items.keys().filter(|other| other.kind == key.kind);
    match super::database::short(&key.name, columns) {
        Cow::Owned(end) => end,
        Cow::Borrowed(name) => format::apart(name, alike.map(|other| &*other.name), columns).into_owned(),
    }
}

fn numbers(row: &Row) -> String {
    row.numbers.iter().map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(", ")
}

impl PlatformView {
    /// With this component selected.
    pub fn at(key: ComponentKey) -> Self {
        Self { wanted: Some(key), ..Self::default() }
    }

    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(foot(cx.size.1) + 1)).max(1)
    }

    fn row(&self, i: usize) -> &Row {
        &self.platform.components[self.shown[i]]
    }

    fn selected(&self) -> Option<&Row> {
        self.platform.get(self.list.selected()?)
    }

    /// Where the selected one leads: servers with replicas to the failover sheet, what runs on a node to that node.
    fn opened(&self, cx: &Cx<'_>) -> Option<Place> {
        let key = self.list.selected()?;
        let node = || cx.seen.nodes.items.keys().find(|node| runs_on(cx.seen, key, node)).cloned();
        match key.kind {
            ComponentKind::Replica => Some(Place::Recovery),
            _ => node().map(Place::Node),
        }
    }

    fn keeps(&self, row: &Row) -> bool {
        let (_, word, _) = chrome::link(row.state);
        self.filter.is_empty()
            || self.filter.keeps(&format!("{} {word} {}", row.key, row.text()), |of| match of {
                Of::Column("kind") => Some(row.key.kind.id().to_owned()),
                Of::Column("name") => Some(row.key.name.to_string()),
                Of::Column("state") => Some(word.to_owned()),
                _ => None,
            })
    }

    fn arrange(&mut self, cx: &Cx<'_>) {
        let all = &self.platform.components;
        let mut shown: Vec<usize> = (0..all.len()).filter(|i| self.keeps(&all[*i])).collect();
        match ORDERS[self.order % ORDERS.len()] {
            "worst" => shown.sort_by_key(|i| std::cmp::Reverse(all[*i].state)),
            "name" => shown.sort_by(|a, b| format::natural(&all[*a].key.name, &all[*b].key.name)),
            "age" => shown.sort_by_key(|i| all[*i].answered()),
            _ => {}
        }
        self.shown = shown;
        let (all, shown) = (&self.platform.components, &self.shown);
        self.list.settle(shown.len(), Self::page(cx), |i| all[shown[i]].key.clone());
    }
}

/// Lines for the whole of the selected one, with the one above them.
fn foot(height: u16) -> u16 {
    if height < 8 { 0 } else { (height / 2).clamp(4, 14) }
}

/// All that is said of a component, its numbers, and what answers it.
fn whole<'a>(row: &Row, width: u16) -> Vec<Vec<Piece<'a>>> {
    let wrapped = |text: &str, columns: u16| format::wrap(&format::plain(text), columns);
    let mut lines = Vec::new();
    for said in &row.said {
        let (glyph, _, role) = chrome::link(said.state);
        for (i, line) in wrapped(&said.text, width.saturating_sub(2)).into_iter().enumerate() {
            lines.push(vec![
                piece(if i == 0 { format!("{glyph} ") } else { "  ".into() }, role),
                piece(line, Role::Text),
            ]);
        }
        let remedy = said.remedy.iter().flat_map(|remedy| wrapped(remedy, width.saturating_sub(4)));
        for (i, line) in remedy.enumerate() {
            lines.push(vec![piece(if i == 0 { "  → " } else { "    " }, Role::Key), piece(line, Role::Text)]);
        }
    }
    let muted = |text: String| wrapped(&text, width).into_iter().map(|line| vec![piece(line, Role::Muted)]);
    lines.extend(Some(numbers(row)).filter(|text| !text.is_empty()).into_iter().flat_map(muted));
    lines
}

impl View for PlatformView {
    fn place(&self) -> Place {
        Place::Platform
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.platform = Platform::of(cx.seen);
        self.arrange(cx);
        if let Some(key) = self.wanted.take() {
            self.select(&Place::Component(key), cx);
        }
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (all, shown) = (&self.platform.components, &self.shown);
        self.list.hold();
        if self.list.go(command, shown.len(), Self::page(cx), |i| all[shown[i]].key.clone()) {
            return None;
        }
        match command {
            Command::Open => return self.opened(cx).map(Action::Go),
            Command::Escape => {
                self.filter.clear();
                self.refresh(cx);
            }
            _ => {}
        }
        None
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let closed = command == Command::Open && self.opened(cx).is_none();
        closed.then(|| "all that is known of it is shown below: no node of the cluster is its machine".into())
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        if self.shown.is_empty() {
            let text = match self.platform.components.is_empty() {
                true => {
                    "nothing around the cluster is configured: `wheelhouse help platform` tells how to name it"
                }
                false => "no component matches the filter  esc shows all",
            };
            for (y, line) in (1..).zip(format::wrap(text, width.saturating_sub(5))) {
                pen.put(4, y, width.saturating_sub(5), &line, Role::Muted);
            }
            return;
        }
        let names = if width < 100 { 25 } else { 32 };
        let wide = width >= 140;
        let numbers_at = if wide { width - 72 } else { width };
        pen.put(4, 0, names, "COMPONENT", Role::Title);
        pen.put(5 + names, 0, width, "WHAT IS KNOWN", Role::Title);
        if wide {
            pen.put(numbers_at, 0, 50, "NUMBERS", Role::Title);
        }
        pen.put_right(width.saturating_sub(1), 0, 8, "ANSWERED", Role::Title);
        for (line, i) in self.list.window(self.shown.len(), Self::page(cx)).enumerate() {
            let (y, row) = (line as u16 + 1, self.row(i));
            let (glyph, _, role) = chrome::link(row.state);
            // Few tones in a row: each costs bytes on every step of the cursor.
            pen.put(2, y, 1, glyph, if row.state == LinkState::Ok { Role::Muted } else { role });
            pen.put(4, y, names, &name(cx, &row.key, names), Role::Text);
            let tone = if row.state > LinkState::Notice { Role::Text } else { Role::Muted };
            let end = if wide { numbers_at } else { width.saturating_sub(8) };
            let text = format::plain(row.text());
            pen.put(5 + names, y, end.saturating_sub(6 + names), &text, tone);
            if wide {
                pen.put(numbers_at, y, 62, &numbers(row), Role::Muted);
            }
            let age: Cow<'_, str> = row.answered().map_or("–".into(), |at| cx.age(at).into());
            pen.put_right(width.saturating_sub(1), y, 6, &age, Role::Muted);
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        let Some(room) = foot(pen.height()).checked_sub(1).filter(|room| *room > 0) else { return };
        let Some(row) = self.selected() else { return };
        let top = pen.height().saturating_sub(room);
        let inner = width.saturating_sub(5);
        let lines = whole(row, inner);
        // The last lines are the same whichever is selected, and stay where they are.
        let probing = self.platform.probing.as_deref().map(|text| format::wrap(&format::plain(text), inner));
        let probing = probing.filter(|lines| usize::from(room) > lines.len() + 2).unwrap_or_default();
        let last = pen.height().saturating_sub(probing.len() as u16);
        for (y, line) in (last..).zip(&probing) {
            pen.put(4, y, inner, line, Role::Muted);
        }
        let room = usize::from(room) - probing.len();
        let shown = if lines.len() > room { room - 1 } else { room };
        for (y, line) in (top..).zip(lines.iter().take(shown)) {
            pen.line(4, y, inner, line);
        }
        if let more @ 1.. = lines.len().saturating_sub(shown) {
            let kind = row.key.kind.id();
            let text = format!("{}: `wheelhouse platform {kind} -o wide`", count(more, "more line"));
            pen.put(4, top + shown as u16, inner, &text, Role::Muted);
        }
    }

    fn status(&self, _cx: &Cx<'_>) -> String {
        counted(
            self.shown.len(),
            self.platform.components.len(),
            "component",
            &self.filter,
            &ORDERS,
            self.order,
        )
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        let key = self.list.selected()?.clone();
        answers::of_all(cx, &self.place(), [Stop::About(Subject::Component(key))])
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|key| key.name.to_string())
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        let row = self.selected()?;
        let remedy = row.said.first().and_then(|said| said.remedy.as_deref());
        let line = with_remedy(format!("{}: {}", row.key, row.text()), remedy);
        Some(line.lines().map(format::plain).collect::<Vec<_>>().join("\n"))
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Component(key) = what else { return };
        if !self.shown.iter().any(|i| self.platform.components[*i].key == *key) {
            self.filter.clear();
            self.arrange(cx);
        }
        let (all, shown) = (&self.platform.components, &self.shown);
        if let Some(i) = shown.iter().position(|i| all[*i].key == *key) {
            self.list.put(i, shown.len(), Self::page(cx), |i| all[shown[i]].key.clone());
        }
    }
}
