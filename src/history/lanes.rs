//! Events on one axis: a lane a tenant or a node, in as many columns as there are.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;

use super::{Happened, Kind, Turn};

/// What has a lane of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Each tenant.
    #[default]
    Tenant,
    /// Each node.
    Node,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last one.
    pub until: Timestamp,
}

impl Span {
    /// The column a moment falls into, of so many; `None`: it lies outside.
    pub fn column(&self, at: Timestamp, columns: u16) -> Option<u16> {
        if at < self.from || at > self.until || columns == 0 {
            return None;
        }
        let whole = self.until.as_millisecond() - self.from.as_millisecond();
        let part = at.as_millisecond() - self.from.as_millisecond();
        let column = part.saturating_mul(columns.into()).checked_div(whole.max(1)).unwrap_or(0);
        u16::try_from(column).ok().map(|column| column.min(columns - 1))
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Whose it is: a tenant, a node, or what has one lane: `API`, `platform`, `database`, `runs`.
    pub name: String,
    /// The events of it, by their places in the list, in the order of time.
    pub events: Vec<usize>,
    /// The worst that happened in each column.
    pub cells: Vec<Option<Turn>>,
}

/// The lanes of the events within a span: those all share first, then the others, the worst first. `events` are in the
/// order of time.
pub fn lanes(events: &[Happened], span: Span, by: By, columns: u16) -> Vec<Lane> {
    /// What all share comes first.
    const SHARED: [&str; 4] = ["API", "platform", "database", "runs"];
    let first = events.partition_point(|event| event.time < span.from);
    let mut all: BTreeMap<&str, Lane> = BTreeMap::new();
    for (i, event) in events.iter().enumerate().skip(first).take_while(|(_, event)| event.time <= span.until)
    {
        let own = match by {
            By::Tenant => event.tenant.as_ref().map(|name| name.as_str()),
            By::Node => event.node.as_ref().map(|name| name.as_str()),
        };
        let shared = match event.kind {
            Kind::Api => Some(SHARED[0]),
            Kind::Platform => Some(SHARED[1]),
            Kind::Database => Some(SHARED[2]),
            Kind::Run | Kind::Campaign => Some(SHARED[3]),
            // A node's troubles are told beside the tenants' as well.
            Kind::Node if by == By::Tenant => Some("nodes"),
            _ => None,
        };
        for name in shared.into_iter().chain(own) {
            let new =
                || Lane { name: name.to_owned(), events: Vec::new(), cells: vec![None; columns.into()] };
            let lane = all.entry(name).or_insert_with(new);
            lane.events.push(i);
            if let Some(column) = span.column(event.time, columns) {
                let cell = &mut lane.cells[usize::from(column)];
                *cell = (*cell).max(Some(event.turn));
            }
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    let shared = |lane: &Lane| SHARED.iter().chain(&["nodes"]).position(|name| *name == lane.name);
    let worst = |lane: &Lane| lane.cells.iter().flatten().max().copied();
    all.sort_by_cached_key(|lane| {
        (
            shared(lane).is_none(),
            shared(lane),
            Reverse(worst(lane)),
            Reverse(lane.events.len()),
            lane.name.clone(),
        )
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_fall_into_the_columns_of_their_lanes() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let span = Span { from: at(0), until: at(100) };
        assert_eq!([0, 9, 10, 99, 100].map(|s| span.column(at(s), 10)), [0, 0, 1, 9, 9].map(Some));
        assert_eq!((span.column(at(101), 10), span.column(at(5), 0)), (None, None));
        let event = |second, kind, turn, tenant: Option<&str>, node: Option<&str>| Happened {
            time: at(second),
            kind,
            turn,
            tenant: tenant.map(Into::into),
            node: node.map(Into::into),
            name: String::new(),
            text: String::new(),
        };
        let events = [
            event(5, Kind::Node, Turn::Worse, None, Some("w1")),
            event(6, Kind::Pod, Turn::Worse, Some("acme"), Some("w1")),
            event(7, Kind::Tenant, Turn::Outage, Some("acme"), None),
            event(50, Kind::Run, Turn::Change, Some("globex"), None),
            event(400, Kind::Api, Turn::Worse, None, None),
        ];
        let names = |by| lanes(&events, span, by, 10).into_iter().map(|l| l.name).collect::<Vec<_>>();
        assert_eq!(names(By::Tenant), ["runs", "nodes", "acme", "globex"]);
        assert_eq!(names(By::Node), ["runs", "w1"]);
        let acme = lanes(&events, span, By::Tenant, 10).remove(2);
        assert_eq!((acme.events, acme.cells[0]), (vec![1, 2], Some(Turn::Outage)));
    }
}
