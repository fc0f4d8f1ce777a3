//! Two moments of a recording: what they differ in.

use jiff::Timestamp;

use super::{counted, heading};
use crate::{
    history::{Difference, Kind, differences},
    ui::{
        action::Action,
        command::Command,
        filter::{Fields, Filter, Of},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// The orders of the differences.
const ORDERS: [&str; 3] = ["kind", "name", "what"];

static FIELDS: Fields = Fields { columns: &["kind", "name", "what", "before", "after"], labels: false };

/// What two moments differ in.
#[derive(Default)]
pub struct Compare {
    list: List<(Kind, String, &'static str)>,
    filter: Filter,
    order: usize,
    shown: Vec<Difference>,
    /// What the two moments differ in, and which two they are: revision and time of each.
    all: Vec<Difference>,
    of: Option<[(u64, Timestamp); 2]>,
}

fn key(difference: &Difference) -> (Kind, String, &'static str) {
    (difference.kind, difference.name.clone(), difference.what)
}

fn column(difference: &Difference, of: Of<'_>) -> Option<String> {
    let Of::Column(name) = of else { return None };
    match name {
        "kind" => Some(difference.kind.to_string()),
        "name" => Some(difference.name.clone()),
        "what" => Some(difference.what.to_owned()),
        "before" => Some(difference.before.clone()),
        "after" => Some(difference.after.clone()),
        _ => None,
    }
}

impl Compare {
    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(2)).max(1)
    }
}

impl View for Compare {
    fn place(&self) -> Place {
        Place::Compare
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let marked = cx.replay.and_then(|replay| replay.marked.as_ref());
        // The earlier one is the one before, wherever one stands.
        let of = marked.map(|marked| [&**marked, cx.seen].map(|seen| (seen.revision, seen.at)));
        if of != self.of {
            self.of = of;
            self.all = marked.map_or_else(Vec::new, |marked| match marked.at <= cx.seen.at {
                true => differences(marked, cx.seen),
                false => differences(cx.seen, marked),
            });
        }
        let mut all = self.all.clone();
        all.retain(|d| {
            let words = || format!("{} {} {} {} {}", d.kind, d.name, d.what, d.before, d.after);
            self.filter.is_empty() || self.filter.keeps(&words(), |of| column(d, of))
        });
        match ORDERS[self.order % ORDERS.len()] {
            "name" => all.sort_by(|a, b| a.name.cmp(&b.name)),
            "what" => all.sort_by_key(|d| d.what),
            _ => {}
        }
        self.shown = all;
        let shown = &self.shown;
        self.list.settle(shown.len(), Self::page(cx), |i| key(&shown[i]));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let shown = &self.shown;
        if self.list.go(command, shown.len(), Self::page(cx), |i| key(&shown[i])) {
            return None;
        }
        let (kind, name, _) = self.list.selected().filter(|_| command == Command::Open)?;
        match kind {
            Kind::Tenant => Some(Action::Go(Place::Tenant(name.as_str().into()))),
            Kind::Node => Some(Action::Go(Place::Node(name.as_str().into()))),
            Kind::Database => Some(Action::Go(Place::Database)),
            Kind::Platform => Some(Action::Go(Place::Platform)),
            _ => None,
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(marked) = cx.replay.and_then(|replay| replay.marked.as_ref()) else {
            let text = "no moment is marked: = marks this one, and compares it with another";
            pen.put(4, 1, width.saturating_sub(5), text, Role::Muted);
            return;
        };
        let ends = [marked.at.min(cx.seen.at), marked.at.max(cx.seen.at)];
        let [from, to] = ends.map(|at| at.strftime("%d %b %H:%M:%S").to_string());
        let pieces = [
            piece("what differs between ", Role::Muted),
            piece(from, Role::Accent),
            piece(" and ", Role::Muted),
            piece(to, Role::Accent),
        ];
        pen.line(4, 0, width.saturating_sub(5), &pieces);
        let name = 4;
        let what = name + (width / 4).clamp(14, 30);
        let before = what + 10;
        let after = before + width.saturating_sub(before) / 2;
        heading(pen, name, 1, "NAME");
        heading(pen, what, 1, "WHAT");
        heading(pen, before, 1, "BEFORE");
        heading(pen, after, 1, "AFTER");
        for (y, i) in (2..).zip(self.list.window(self.shown.len(), Self::page(cx))) {
            let difference = &self.shown[i];
            pen.put(name, y, what - name - 1, &difference.name, Role::Text);
            pen.put(what, y, before - what - 1, difference.what, Role::Muted);
            let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
            pen.put(before, y, after.saturating_sub(before + 1), &dash(&difference.before), Role::Muted);
            pen.put(after, y, width.saturating_sub(after), &dash(&difference.after), Role::Text);
            if self.list.selected() == Some(&key(difference)) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.shown.is_empty() {
            let text = match self.all.len() {
                0 => "nothing differs: tenants, nodes and the database are the same",
                _ => "no difference matches the filter  esc shows all",
            };
            pen.put(4, 2, width.saturating_sub(5), text, Role::Muted);
        }
    }

    fn status(&self, _cx: &Cx<'_>) -> String {
        counted(self.shown.len(), self.all.len(), "difference", &self.filter, &ORDERS, self.order)
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|(_, name, _)| name.clone())
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        self.list.selected().map(|(_, name, _)| format::plain(name).into_owned())
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }
}
