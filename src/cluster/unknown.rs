//! A name that nobody has, with the names that are nearest to it.

use super::{NodeName, Snapshot, TenantName, did_you_mean, near};

/// A name no tenant has, with those that are nearest: one sentence.
pub fn unknown_tenant(seen: &Snapshot, name: &str) -> String {
    let workloads = |source: &str| source == "deployments" || source == "statefulsets";
    let unread: Vec<_> = seen.unreadable().into_iter().filter(|(source, _)| workloads(source)).collect();
    if let [(_, why), ..] = unread.as_slice() {
        return format!("there is no tenant {name} among those that could be read: {why}");
    }
    nobody("tenant", name, seen.tenants.keys().map(TenantName::as_str))
}

/// A name no node has, with those that are nearest: one sentence.
pub fn unknown_node(seen: &Snapshot, name: &str) -> String {
    nobody("node", name, seen.nodes.items.keys().map(NodeName::as_str))
}

/// What is said of a name that is near to those of tenants: `; did you mean acme?`, or nothing.
pub fn meant_tenant(seen: &Snapshot, name: &str) -> String {
    did_you_mean(&near(name, seen.tenants.keys().map(TenantName::as_str)))
}

fn nobody<'a>(kind: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut all = 0;
    let names = near(wanted, known.inspect(|_| all += 1));
    match (names.as_slice(), all) {
        ([], 0) => format!("there is no {kind} {wanted}: no {kind} is seen"),
        ([], n) => format!("there is no {kind} {wanted} among {n}"),
        (names, _) => format!("there is no {kind} {wanted}{}", did_you_mean(names)),
    }
}
