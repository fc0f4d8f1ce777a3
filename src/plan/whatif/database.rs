//! What the database loses with a machine: its members, the quorum, the writer, and the proxies in front of it.
//!
//! Which member runs where is configured (`[galera.hosts]`); one without a host is a machine of its own, named by the
//! member. A proxy is where its pod is when it is found behind a service; otherwise `[proxysql.hosts]` says it.
//!
//! The quorum by Galera's rule: after a crash those that stay must have *more* than half of the last view's weight.
//! Before a drain a member is stopped gracefully: its weight leaves the sum, and whoever stays is a quorum. Members that
//! are in the view and do not tell their weight are counted with all that is left of it: the worst case.
//!
//! A drain does not take a proxy's pod away for good: it restarts where the scheduler puts it, is lost only if no node
//! takes it, and stays where it is when it is not evicted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::{Loss, WhatIf};
use crate::cluster::{
    Database, Key, NodeName, Proxy, Snapshot, Trouble,
    database::{Role, Row},
    platform::{self, PlatformLoss},
};

/// What the database loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseLoss {
    /// Members that are lost, as people call them.
    pub members: Vec<Arc<str>>,
    /// What is left of the weight of the primary component, and all of it; `None`: no member that answers is in one.
    pub weight: Option<(u32, u32)>,
    /// A quorum is left; `None`: not known, or there is none now.
    pub quorum: Option<bool>,
    /// The writer, if it is lost.
    pub writer: Option<Arc<str>>,
    /// Who writes then; `None`: nobody, or not known.
    pub next_writer: Option<Arc<str>>,
    /// Proxies that are lost.
    pub proxies: u32,
    /// Proxies that restart on another node: they serve nobody until they are up there.
    pub restarting: u32,
    /// Proxies there are now, those that do not answer left out.
    pub of_proxies: u32,
    /// The proxies that are lost or restart are pods.
    pub pods: bool,
    /// No quorum is there now: everything is refused already.
    pub stopped: bool,
}

/// Where the database runs, by machine: a node, or a name outside the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Machines {
    by_name: BTreeMap<NodeName, DatabaseLoss>,
    around: BTreeMap<NodeName, Vec<PlatformLoss>>,
}

/// The machine a member runs on: as configured by its address or by what people call it; otherwise the member itself.
pub fn machine(seen: &Snapshot, member: &Row) -> NodeName {
    let hosts = &seen.database.hosts;
    let host = hosts.get(member.name.as_str()).or_else(|| hosts.get(&*member.label));
    host.map_or_else(|| member.name.as_str().into(), |host| host.as_str().into())
}

/// The machine a proxy runs on, and its pod where it is one.
fn machine_of_proxy(seen: &Snapshot, proxy: &Proxy) -> Option<(NodeName, Option<Key>)> {
    let name = proxy.name.as_str();
    if let Some(host) = seen.database.proxy_hosts.get(name) {
        return match host.split_once('/') {
            Some((namespace, workload)) => pod_of_proxy(seen, name, host, namespace, workload),
            None => Some((host.as_str().into(), None)),
        };
    }
    let (namespace, rest) = name.split_once('/')?;
    let pod = rest.split_once(':').map_or(rest, |(pod, _)| pod);
    let pod = seen.pods.get(&Key::new(namespace, pod))?;
    Some((pod.node.clone()?, Some(pod.key.clone())))
}

/// The pod of a proxy that is said to be one of a workload's: which of them is told by nothing, so that they are counted off,
/// in the order of their names.
fn pod_of_proxy(
    seen: &Snapshot,
    proxy: &str,
    host: &str,
    namespace: &str,
    workload: &str,
) -> Option<(NodeName, Option<Key>)> {
    let alike = seen.database.proxy_hosts.iter().filter(|(_, on)| *on == host);
    let at = alike.map(|(name, _)| name).position(|name| name == proxy)?;
    let prefix = format!("{workload}-");
    let from = seen.pods.items.range(Key::new(namespace, prefix.as_str())..).map(|(_, pod)| pod);
    let own = from
        .take_while(|pod| *pod.key.namespace == *namespace && pod.key.name.starts_with(&prefix))
        .filter(|pod| pod.is_active());
    let pod = own.filter(|pod| pod.node.is_some()).nth(at)?;
    Some((pod.node.clone()?, Some(pod.key.clone())))
}

/// It does not run, as far as can be seen: nobody loses it.
fn gone(proxy: &Proxy) -> bool {
    matches!(proxy.trouble, Some(Trouble::Refused | Trouble::Silent | Trouble::Unreachable))
}

/// The proxies: the pod of each, where it is one, and whether it answers.
pub(in crate::plan) fn proxies(seen: &Snapshot) -> impl Iterator<Item = (Option<Key>, bool)> {
    seen.proxies.values().map(|proxy| {
        let pod = machine_of_proxy(seen, proxy).and_then(|(_, pod)| pod);
        (pod, !gone(proxy))
    })
}

impl Machines {
    /// What the loss of each machine alone takes from the database.
    pub(super) fn of(seen: &Snapshot) -> Self {
        let around = around(seen);
        let Some(database) = Database::of(seen) else { return Self { around, ..Self::default() } };
        let members = database.members.iter().map(|row| machine(seen, row));
        let proxies = seen.proxies.values().filter_map(|p| Some(machine_of_proxy(seen, p)?.0));
        let names: BTreeSet<NodeName> = members.chain(proxies).collect();
        let alone = |name: NodeName| {
            let lost = loss(seen, &database, &BTreeSet::from([&name]), Loss::Crash, |_| After::Lost)?;
            Some((name, lost))
        };
        Self { by_name: names.into_iter().filter_map(alone).collect(), around }
    }

    pub(super) fn around(&self, name: &NodeName) -> &[PlatformLoss] {
        self.around.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn get(&self, name: &NodeName) -> Option<&DatabaseLoss> {
        self.by_name.get(name)
    }
}

/// What the loss of each machine alone takes from the platform around, where it takes something.
fn around(seen: &Snapshot) -> BTreeMap<NodeName, Vec<PlatformLoss>> {
    if seen.platform.is_empty() {
        return BTreeMap::new();
    }
    let alone = |name: NodeName| {
        let lost = platform::lost_with(seen, std::slice::from_ref(&name), false);
        (!lost.is_empty()).then_some((name, lost))
    };
    platform::machines(seen).into_iter().filter_map(alone).collect()
}

/// What becomes of a proxy when its machine is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Lost,
    Restarts,
    Stays,
}

/// What the database loses with these machines, where its pods go as told; `None`: nothing of it is known to run there.
pub(super) fn lost_with(seen: &Snapshot, machines: &[NodeName], told: &WhatIf) -> Option<DatabaseLoss> {
    let after = |pod: Option<&Key>| match (told.loss, pod) {
        (Loss::Crash, _) | (_, None) => After::Lost,
        (Loss::Drain, Some(pod)) if told.landings.iter().any(|l| l.pod == *pod) => After::Restarts,
        (Loss::Drain, Some(pod)) if told.pending.iter().any(|w| w.pod == *pod) => After::Lost,
        (Loss::Drain, Some(_)) => After::Stays,
    };
    loss(seen, &*Database::of(seen)?, &machines.iter().collect(), told.loss, after)
}

/// Those of these names that are no node, and where something of the database or of the platform around runs.
pub(super) fn outside(seen: &Snapshot, names: &[NodeName]) -> Vec<NodeName> {
    let outside: BTreeSet<&NodeName> = names.iter().filter(|n| seen.nodes.get(*n).is_none()).collect();
    if outside.is_empty() {
        return Vec::new();
    }
    let database = Database::of(seen);
    let members = database.iter().flat_map(|d| &d.members).map(|row| machine(seen, row));
    let proxies = seen.proxies.values().filter_map(|p| Some(machine_of_proxy(seen, p)?.0));
    let around = platform::machines(seen);
    let known: BTreeSet<NodeName> = members.chain(proxies).chain(around).collect();
    outside.into_iter().filter(|n| known.contains(*n)).cloned().collect()
}

fn loss(
    seen: &Snapshot,
    database: &Database,
    machines: &BTreeSet<&NodeName>,
    how: Loss,
    after: impl Fn(Option<&Key>) -> After,
) -> Option<DatabaseLoss> {
    // What refuses everything already loses nothing more.
    let refuses = database.view.is_none() && database.members.iter().any(|row| row.now().is_some());
    // A member that has gone already is nobody's loss.
    let counts = |row: &&Row| database.view.is_none() || row.is_primary() || in_view(database, row);
    let (lost, kept): (Vec<&Row>, Vec<&Row>) =
        database.members.iter().filter(counts).partition(|row| machines.contains(&machine(seen, row)));
    let up = || seen.proxies.values().filter(|p| !gone(p));
    let places: Vec<_> = up().filter_map(|p| machine_of_proxy(seen, p)).collect();
    let hit = places.iter().filter(|(at, _)| machines.contains(at));
    let hit: Vec<_> =
        hit.map(|(_, pod)| (after(pod.as_ref()), pod)).filter(|(after, _)| *after != After::Stays).collect();
    let proxies = |what: After| hit.iter().filter(|(after, _)| *after == what).count() as u32;
    if lost.is_empty() && hit.is_empty() {
        return None;
    }
    let weight = database.quorum.primary.then(|| weight_left(database, &lost));
    let quorum = weight.map(|(left, all)| match how {
        Loss::Crash => u64::from(left) * 2 > u64::from(all),
        Loss::Drain => left > 0,
    });
    let writer = database.writer().filter(|row| !refuses && lost.iter().any(|l| l.name == row.name));
    let next_writer = writer.filter(|_| quorum != Some(false)).and_then(|_| {
        let next = |role| kept.iter().filter(move |row| row.role == role).map(|row| row.label.clone());
        let standby: Vec<_> = next(Role::Standby).collect();
        // Of several in waiting the order is not told here.
        next(Role::NextWriter).next().or_else(|| (standby.len() == 1).then(|| standby[0].clone()))
    });
    Some(DatabaseLoss {
        members: lost.iter().map(|row| row.label.clone()).collect(),
        weight: weight.filter(|_| !lost.is_empty()),
        quorum: quorum.filter(|_| !lost.is_empty()),
        writer: writer.map(|row| row.label.clone()),
        next_writer,
        proxies: proxies(After::Lost),
        restarting: proxies(After::Restarts),
        of_proxies: up().count() as u32,
        pods: !hit.is_empty() && hit.iter().all(|(_, pod)| pod.is_some()),
        stopped: refuses,
    })
}

/// The weight that is left, and all of it.
fn weight_left(database: &Database, lost: &[&Row]) -> (u32, u32) {
    let all = database.quorum.weight;
    let told = |rows: &mut dyn Iterator<Item = &Row>| {
        let weights = rows.filter(|r| r.is_primary()).filter_map(|r| r.now()).map(|s| s.weight);
        weights.fold(0u32, u32::saturating_add)
    };
    let rest = all.saturating_sub(told(&mut database.members.iter()));
    let unread = lost.iter().any(|r| !r.is_primary() && in_view(database, r));
    let taken = told(&mut lost.iter().copied()).saturating_add(if unread { rest } else { 0 });
    (all.saturating_sub(taken), all)
}

/// The last view lists it.
fn in_view(database: &Database, row: &Row) -> bool {
    let said = row.member.status.as_ref();
    let goes_by = |a: &Arc<str>| **a == *row.name.as_str() || said.is_some_and(|s| s.addresses.contains(a));
    database.view.iter().flat_map(|v| &v.addresses).any(goes_by)
}

impl DatabaseLoss {
    /// Nothing can be written any more: no quorum is left, or no proxy.
    pub fn stops(&self) -> bool {
        !self.stopped
            && (self.quorum == Some(false) || (self.of_proxies > 0 && self.proxies == self.of_proxies))
    }

    /// Every proxy is lost or restarts: while none is up, nobody is served.
    pub fn has_gap(&self) -> bool {
        self.restarting > 0 && self.proxies + self.restarting == self.of_proxies
    }

    /// The writer is lost, and who writes then is not known.
    pub fn is_headless(&self) -> bool {
        self.writer.is_some() && self.next_writer.is_none()
    }

    /// What is lost, a sentence each: `galera: db2 lost, 2 of 3 weights left, quorum holds`.
    pub fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        if !self.members.is_empty() {
            let names = self.members.join(", ");
            let left =
                self.weight.map_or(String::new(), |(left, of)| format!(", {left} of {of} weights left"));
            let quorum = match self.quorum {
                Some(true) => "quorum holds",
                Some(false) => "QUORUM LOST",
                None if self.stopped => "no quorum as it is",
                None => "whether a quorum is left is not known",
            };
            all.push(format!("galera: {names} lost{left}, {quorum}"));
        }
        match (&self.writer, &self.next_writer) {
            (Some(_), Some(next)) => all.push(format!("writer moves to {next}")),
            (Some(_), None) if self.quorum == Some(false) => all.push("nobody takes writes".into()),
            (Some(writer), None) => {
                all.push(format!("the writer {writer} is lost, and who takes over is not known"));
            }
            _ => {}
        }
        let what = match (self.pods, self.of_proxies) {
            (true, 1) => "ProxySQL pod",
            (true, _) => "ProxySQL pods",
            (false, 1) => "ProxySQL",
            (false, _) => "ProxySQLs",
        };
        if self.proxies > 0 {
            all.push(format!("{} of {} {what} lost", self.proxies, self.of_proxies));
        }
        if self.restarting > 0 {
            let verb = if self.restarting == 1 { "restarts" } else { "restart" };
            let gap = if self.has_gap() { ": no client is served while none is up" } else { "" };
            all.push(format!(
                "{} of {} {what} {verb} on another node{gap}",
                self.restarting, self.of_proxies
            ));
        }
        all
    }
}

#[cfg(test)]
mod tests;
