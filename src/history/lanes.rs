//! Events on one axis: a lane a tenant or a node, in as many columns as there are.

use std::{cmp::Reverse, collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{Happened, Kind, Turn};
use crate::cluster::{NodeName, TenantName};

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

/// Whose a lane is: first what all share, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneOf {
    /// The API server's.
    Api,
    /// That of the platform around.
    Platform,
    /// The database's.
    Database,
    /// That of runs and campaigns.
    Runs,
    /// That of all nodes, beside the tenants.
    Nodes,
    /// A tenant's.
    Tenant(TenantName),
    /// A node's.
    Node(NodeName),
}

impl LaneOf {
    /// What is shared has one word.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Api => Some("API"),
            Self::Platform => Some("platform"),
            Self::Database => Some("database"),
            Self::Runs => Some("runs"),
            Self::Nodes => Some("nodes"),
            Self::Tenant(_) | Self::Node(_) => None,
        }
    }

    /// The name of the tenant or the node, or what is shared.
    pub fn name(&self) -> &str {
        match self {
            Self::Tenant(name) => name.as_str(),
            Self::Node(name) => name.as_str(),
            shared => shared.word().unwrap_or_default(),
        }
    }
}

/// Tells all apart: a tenant that is called as what is shared is told as a tenant.
impl fmt::Display for LaneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = [Self::Api, Self::Platform, Self::Database, Self::Runs, Self::Nodes];
        let name = self.name();
        match self {
            Self::Tenant(_) if shared.iter().any(|one| one.name() == name) => write!(f, "tenant {name}"),
            Self::Node(_) if shared.iter().any(|one| one.name() == name) => write!(f, "node {name}"),
            _ => f.write_str(name),
        }
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Whose it is.
    pub of: LaneOf,
    /// The events of it, by their places in the list, in the order of time.
    pub events: Vec<usize>,
    /// The worst that happened in each column.
    pub cells: Vec<Option<Turn>>,
}

/// The lanes of the events within a span: those all share first, then the others, the worst first. `events` are in the
/// order of time.
pub fn lanes(events: &[Happened], span: Span, by: By, columns: u16) -> Vec<Lane> {
    let first = events.partition_point(|event| event.time < span.from);
    let mut all: BTreeMap<LaneOf, Lane> = BTreeMap::new();
    for (i, event) in events.iter().enumerate().skip(first).take_while(|(_, event)| event.time <= span.until)
    {
        let own = match by {
            By::Tenant => event.tenant.clone().map(LaneOf::Tenant),
            By::Node => event.node.clone().map(LaneOf::Node),
        };
        let shared = match event.kind {
            Kind::Api => Some(LaneOf::Api),
            Kind::Platform => Some(LaneOf::Platform),
            Kind::Database => Some(LaneOf::Database),
            Kind::Run | Kind::Campaign => Some(LaneOf::Runs),
            // A node's troubles are told beside the tenants' as well.
            Kind::Node if by == By::Tenant => Some(LaneOf::Nodes),
            _ => None,
        };
        for of in shared.into_iter().chain(own) {
            let new = || Lane { of: of.clone(), events: Vec::new(), cells: vec![None; columns.into()] };
            let lane = all.entry(of.clone()).or_insert_with(new);
            lane.events.push(i);
            if let Some(column) = span.column(event.time, columns) {
                let cell = &mut lane.cells[usize::from(column)];
                *cell = (*cell).max(Some(event.turn));
            }
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    let worst = |lane: &Lane| lane.cells.iter().flatten().max().copied();
    // They are in the order of whose they are by now.
    all.sort_by_cached_key(|lane| {
        let own = lane.of.word().is_none();
        own.then(|| (Reverse(worst(lane)), Reverse(lane.events.len())))
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
        let names =
            |by| lanes(&events, span, by, 10).into_iter().map(|l| l.of.to_string()).collect::<Vec<_>>();
        assert_eq!(names(By::Tenant), ["runs", "nodes", "acme", "globex"]);
        assert_eq!(names(By::Node), ["runs", "w1"]);
        let acme = lanes(&events, span, By::Tenant, 10).remove(2);
        assert_eq!((acme.events, acme.cells[0]), (vec![1, 2], Some(Turn::Outage)));
    }
    #[test]
    fn a_tenant_and_a_node_that_are_called_as_what_is_shared_have_lanes_of_their_own() {
        let at = Timestamp::UNIX_EPOCH;
        let event = |kind, name: &str| Happened {
            time: at,
            kind,
            turn: Turn::Worse,
            tenant: Some(name.into()),
            node: Some(name.into()),
            name: name.into(),
            text: String::new(),
        };
        let events = [event(Kind::Platform, "acme"), event(Kind::Pod, "platform"), event(Kind::Pod, "runs")];
        for (by, expected) in [
            (By::Tenant, ["platform", "acme", "tenant platform", "tenant runs"]),
            (By::Node, ["platform", "acme", "node platform", "node runs"]),
        ] {
            let all = lanes(&events, Span { from: at, until: at }, by, 10);
            assert_eq!(all.iter().map(|lane| lane.of.to_string()).collect::<Vec<_>>(), expected);
            assert_eq!(all.iter().map(|lane| lane.events.len()).collect::<Vec<_>>(), [1; 4]);
        }
    }
}
