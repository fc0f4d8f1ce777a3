//! What the disks of the proxies have, and what a save makes of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    routing::{Edit, Proxied},
    standing,
};
use crate::{
    cluster::{BackendStatus, ProxyName, ProxyStatus, ServerRow},
    plan::{
        Check,
        Verdict::{Ok, Warn},
    },
};

/// What the disk of a proxy has now, what a save makes of it, and what it would forget.
pub(in crate::plan::database) fn disk(name: &ProxyName, status: &ProxyStatus) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(rows) = &status.disk {
        checks.push(Check::new("disk", Ok, format!("{name}: on its disk now: {}", on_disk(rows))));
    }
    // Without the rows of the writers in waiting, which would all write after a restart.
    let surplus = |row: &&ServerRow| {
        let here = status.backend(row.hostgroup, &row.address);
        let waits = here.is_some_and(|b| b.status == BackendStatus::Shunned);
        !(waits && status.hostgroups.iter().any(|g| g.writer == row.hostgroup))
    };
    let kept: Vec<_> = status.servers.iter().filter(surplus).cloned().collect();
    checks.push(Check::new("disk", Ok, format!("{name}: on its disk afterwards: {}", on_disk(&kept))));
    let lost: Vec<_> = status.only_on_disk().iter().map(|a| a.to_string()).collect();
    if !lost.is_empty() {
        let text = format!(
            "{name}: {} does not run and has its only rows on this disk: the save forgets them for good",
            lost.join(", ")
        );
        checks.push(Check::new("disk", Warn, text));
    }
    checks
}

/// Whether a proxy runs afterwards what is on its disk: what differs now is what is written back.
pub(in crate::plan::database) fn saved_already(proxied: &Proxied<'_>, phases: &[Vec<Edit>]) -> bool {
    let (Some(disk), Some(unsaved)) = (&proxied.status.disk, standing::unsaved(proxied.status)) else {
        return false;
    };
    // The monitor chooses the hostgroups.
    let rows = |all: &[ServerRow], address: &str| -> BTreeSet<String> {
        let of = all.iter().filter(|row| &*row.address == address);
        of.map(|row| format!("{:?}", ServerRow { hostgroup: 0, ..row.clone() })).collect()
    };
    let mut last: BTreeMap<&str, &[ServerRow]> = BTreeMap::new();
    for edit in phases.iter().flatten().filter(|edit| edit.proxy == *proxied.name) {
        last.insert(&edit.address, &edit.to);
    }
    let back = |address: &&str| last.get(address).is_some_and(|to| rows(to, address) == rows(disk, address));
    !last.is_empty() && unsaved.iter().all(back) && last.keys().all(back)
}

/// Rows in words: `db1:3306 10 (100)`, the hostgroup and the weight of each.
pub(super) fn on_disk(rows: &[ServerRow]) -> String {
    let mut by: Vec<(&str, Vec<String>, u64)> = Vec::new();
    for row in rows {
        match by.iter_mut().find(|(address, _, weight)| *address == &*row.address && *weight == row.weight) {
            Some((_, groups, _)) => groups.push(row.hostgroup.to_string()),
            None => by.push((&row.address, vec![row.hostgroup.to_string()], row.weight)),
        }
    }
    let one = |(address, groups, weight): &(&str, Vec<String>, u64)| {
        format!("{address} in hostgroup {} with weight {weight}", groups.join(" and "))
    };
    if by.is_empty() { "no servers".into() } else { by.iter().map(one).collect::<Vec<_>>().join(", ") }
}
