//! How everything was at one moment, in few words, and what two moments differ in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Kind;
use crate::cluster::{
    Database, Finding, Freshness, Health, Healths, LinkState, Severity, Snapshot, TenantName, findings,
    platform::{Component, Platform},
    refuses,
    words::count,
    worst_of_tenants,
};

/// How everything was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// When.
    pub time: Timestamp,
    /// The tenants by their state.
    pub tenants: Healths,
    /// How many nodes are ready, of how many.
    pub nodes_ready: usize,
    /// See there.
    pub nodes: usize,
    /// The database in a few words; `None`: none is configured.
    pub database: Option<String>,
    /// What was wrong, the worst first, without notices.
    pub findings: Vec<String>,
    /// What of the platform around had not been looked at yet, or not for all hosts: nothing was found of it.
    pub not_looked_at: Vec<String>,
}

impl State {
    /// How everything is in a snapshot.
    pub fn of(seen: &Snapshot) -> Self {
        let found = findings(seen);
        let line = |finding: &Finding| {
            format!("{}: {}", crate::cluster::database::subject(seen, &finding.subject), finding.text)
        };
        Self {
            time: seen.at,
            tenants: Healths::of(seen, &found),
            nodes_ready: seen.nodes.values().filter(|node| node.is_ready()).count(),
            nodes: seen.nodes.len(),
            database: Database::of(seen).map(|database| database.headline()),
            findings: found.iter().filter(|f| f.severity > Severity::Notice).map(line).collect(),
            not_looked_at: seen.platform.values().filter_map(|one| not_looked_at(one)).collect(),
        }
    }
}

/// That a component had not been looked at yet, or not for all hosts; `None`: it had, or could not be.
fn not_looked_at(component: &Component) -> Option<String> {
    let name = &component.name;
    match &component.link {
        Freshness::Connecting => Some(name.to_string()),
        Freshness::Live { .. } => {
            let round = component.status.as_ref()?.round()?;
            let left = round.hosts.checked_sub(round.looked).filter(|left| *left > 0)?;
            Some(format!("{name} ({left} of {})", count(round.hosts, "host")))
        }
        Freshness::Stale { .. } | Freshness::Missing { .. } => None,
    }
}

/// What two moments differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What of it.
    pub what: &'static str,
    /// How it was; empty: it was not there.
    pub before: String,
    /// How it is; empty: it is not there.
    pub after: String,
}

/// What two moments differ in: tenants, nodes, the database, the platform around.
pub fn differences(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut compare = |kind, name: &str, was: &Facts, is: &Facts| {
        for (what, before) in was {
            let after = is.get(what).cloned().unwrap_or_default();
            if after != *before {
                all.push(Difference { kind, name: name.to_owned(), what, before: before.clone(), after });
            }
        }
        for (what, after) in is.iter().filter(|(what, _)| !was.contains_key(*what)) {
            let (before, after) = (String::new(), after.clone());
            all.push(Difference { kind, name: name.to_owned(), what, before, after });
        }
    };
    let (healths_was, healths) = (healths(before), healths(after));
    let names: std::collections::BTreeSet<_> = before.tenants.keys().chain(after.tenants.keys()).collect();
    for name in names {
        let (was, is) = (tenant(before, name, &healths_was), tenant(after, name, &healths));
        compare(Kind::Tenant, name.as_str(), &was, &is);
    }
    let names: std::collections::BTreeSet<_> =
        before.nodes.items.keys().chain(after.nodes.items.keys()).collect();
    for name in names {
        let facts = |seen: &Snapshot| -> Facts {
            let node = seen.nodes.get(name);
            let load = seen.loads.get(name).map_or(0, |load| load.pods);
            let of = |node: &std::sync::Arc<crate::cluster::Node>| {
                [("state", node.state().to_string()), ("pods", load.to_string())].into()
            };
            node.map(of).unwrap_or_default()
        };
        compare(Kind::Node, name.as_str(), &facts(before), &facts(after));
    }
    let database = |seen: &Snapshot| -> Facts {
        let database = Database::of(seen);
        database.map(|database| [("state", database.headline())].into()).unwrap_or_default()
    };
    compare(Kind::Database, "database", &database(before), &database(after));
    let (was, is) = (Platform::of(before), Platform::of(after));
    let keys: std::collections::BTreeSet<_> =
        was.components.iter().chain(&is.components).map(|row| &row.key).collect();
    for key in keys {
        let facts = |platform: &Platform| -> Facts {
            let Some(row) = platform.get(key) else { return Facts::new() };
            let text = match row.state {
                LinkState::Ok | LinkState::Notice => "ok",
                LinkState::Unknown | LinkState::Warning | LinkState::Broken => row.text(),
            };
            [("state", text.to_owned())].into()
        };
        compare(Kind::Platform, &key.to_string(), &facts(&was), &facts(&is));
    }
    all
}

/// What is compared of one thing.
type Facts = BTreeMap<&'static str, String>;

/// What is found of the tenants.
struct Found {
    worst: BTreeMap<TenantName, Severity>,
    /// The database refuses everybody.
    refused: bool,
}

fn healths(seen: &Snapshot) -> Found {
    let found = findings(seen);
    let refused = refuses(seen, &found);
    let worst = worst_of_tenants(&found).into_iter().map(|(name, worst)| (name.clone(), worst)).collect();
    Found { worst, refused }
}

fn tenant(seen: &Snapshot, name: &TenantName, worst: &Found) -> Facts {
    let Some(tenant) = seen.tenants.get(name) else { return Facts::new() };
    let mut places: Vec<_> = seen
        .cells(tenant)
        .into_iter()
        .map(|(node, cell)| {
            let node = node.map_or_else(|| "no node".to_owned(), |node| node.to_string());
            format!("{node} {}", cell.active())
        })
        .collect();
    places.sort();
    [
        ("state", Health::of(seen, tenant, worst.worst.get(name).copied(), worst.refused).to_string()),
        ("ready", format!("{} of {}", tenant.ready(), tenant.desired())),
        ("image", tenant.workload.image_tag(&seen.tenancy.container).to_owned()),
        ("pods on", places.join(", ")),
    ]
    .into()
}
