//! How many more requests a tenant can take, what binds it, and what is free on the nodes.
//!
//! Called by the screens, the health rules, the what-if and the command line, on demand; nothing here is kept. Pure
//! arithmetic on a snapshot:
//!
//! - A container's free memory is its limit less its working set (`metrics.k8s.io`); under a limit of the whole pod,
//!   no more than that leaves. Without a limit or without a measurement it is not known, never zero.
//! - A pod takes `floor(free / request memory)` more requests in its serving container, at most `max_children`; none
//!   when any of its containers is at its limit.
//! - A tenant takes what its ready pods take together; on each node no more than the node has memory for
//!   (allocatable less use), and no more than the database has connections left for everybody ([`connections()`]).
//!
//! Each tenant is looked at alone: that its neighbours may want the same memory of a node is what the node's own
//! numbers tell.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    Container, Freshness, Key, Memory, NodeName, Pod, PodSpec, Setting, Snapshot, Tenant, TenantName, Trend,
    words,
};

mod capacity;
mod connections;
mod margin;
mod room;

use capacity::{binding, free, part, running, total};

pub use capacity::Capacity;
pub(super) use capacity::measured;
pub use connections::{ConnectionLimit, Connections, connections};
pub use margin::{Margin, Tightest};
pub use room::{Room, cluster_room, node_room};

/// OOM kills and restarts older than this are not told.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// What keeps a tenant from taking more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The memory limit of a container (or of the whole pod).
    MemoryLimit,
    /// `pm.max_children` of php-fpm.
    MaxChildren,
    /// The memory of the nodes its pods are on.
    NodeMemory,
    /// The connections of the database, which all tenants share.
    DatabaseConnections,
}

impl Bound {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::MemoryLimit, Self::MaxChildren, Self::NodeMemory, Self::DatabaseConnections];

    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::MemoryLimit => "memory limit",
            Self::MaxChildren => "max_children",
            Self::NodeMemory => "node memory",
            Self::DatabaseConnections => "database connections",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One container's memory. `None` is "not given" for limit and request, "not known" for the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerHeadroom {
    /// Its name.
    pub name: Arc<str>,
    /// Its limit.
    pub limit: Option<Memory>,
    /// Its request.
    pub request: Option<Memory>,
    /// Its working set.
    pub used: Option<Memory>,
    /// What is free to the limit.
    pub free: Option<Memory>,
    /// It serves the requests.
    pub serving: bool,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PodHeadroom {
    /// Its name.
    #[serde(serialize_with = "name_of")]
    pub pod: Key,
    /// Where it is.
    pub node: Option<NodeName>,
    /// Ready: what it can take counts.
    pub ready: bool,
    /// Its node does not answer: whether it is ready is not known.
    pub silent: bool,
    /// Its containers, sidecars last.
    pub containers: Vec<ContainerHeadroom>,
    /// The least that is free in any container with a limit.
    pub free: Option<Memory>,
    /// More requests it can take; `None`: not known.
    pub more: Option<u32>,
    /// Which of its own limits binds it.
    pub bound: Option<Bound>,
}

fn name_of<S: serde::Serializer>(key: &Key, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&key.name)
}

/// Containers that ended within the last hour. At least: of each container only the last end is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// By running out of memory.
    pub oom: u32,
    /// For whatever reason, those included.
    pub restarts: u32,
    /// The last one that ran out of memory.
    pub last_oom: Option<Timestamp>,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Headroom {
    /// Which.
    pub tenant: TenantName,
    /// Memory one request takes, and who says so.
    pub request_memory: Setting<Memory>,
    /// Requests one serving container takes at once, and who says so.
    pub max_children: Setting<u32>,
    /// Its active pods.
    pub pods: Vec<PodHeadroom>,
    /// More requests its ready pods can take together; `None`: nothing is known of any of them.
    pub more: Option<u32>,
    /// Requests the database has connections left for, for all tenants together; `None`: not known, or none configured.
    pub connections: Option<u32>,
    /// Ready pods of which nothing is known and pods on nodes that do not answer: they count for nothing in `more`.
    pub unknown: u32,
    /// Those of them that could not be read.
    pub unread: u32,
    /// What binds: without it (all of it, when several are named) the number would be larger. The first gives most.
    pub binding: Vec<Bound>,
    /// The same when the ready pod that can take most is lost: 0 with one pod or none; `None`: not known.
    pub without_largest: Option<u32>,
    /// How its use of memory goes; `None` until enough has been seen.
    pub trend: Option<Trend>,
    /// Until its headroom is used up, when the use grows steadily.
    pub exhausted_in: Option<SignedDuration>,
    /// Containers that ended within the last hour.
    pub ends: Ends,
    /// When the oldest measurement it rests on was taken; `None`: nothing is measured.
    pub measured: Option<Timestamp>,
    /// What was passed over and what is old, one sentence each.
    pub notes: Vec<Arc<str>>,
}

impl PodSpec {
    /// The container that serves requests: of that name, otherwise the last.
    pub fn serving(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|c| &*c.name == name).or(self.containers.last())
    }
}

/// The headroom of a tenant. For many tenants, ask [`connections()`] once and [`headroom_within`] for each.
pub fn headroom(seen: &Snapshot, tenant: &Tenant) -> Headroom {
    headroom_within(seen, tenant, connections(seen).and_then(|c| c.more))
}

/// The headroom of a tenant within so many requests that the database has connections for; `None`: nothing of its own
/// is bound by them.
pub fn headroom_within(seen: &Snapshot, tenant: &Tenant, connections: Option<u32>) -> Headroom {
    let request_memory = seen.sizing.request_memory(&tenant.workload);
    let max_children = seen.sizing.max_children(seen, &tenant.workload);
    let capacity = Capacity::of(seen, tenant);
    let own = capacity.more();
    let within = |own: u32| own.min(connections.unwrap_or(u32::MAX));
    let trend = seen.history.trend(&tenant.name);
    let told = seen.history.forecast(&tenant.name).map(|told| told.left);
    let exhausted_in = || trend.zip(own).and_then(|(trend, own)| exhausted_in(seen, tenant, &trend, own));
    let exhausted_in = told.or_else(exhausted_in);
    let pods = tenant.active().map(|p| pod_headroom(seen, p, request_memory.value, max_children.value));
    Headroom {
        tenant: tenant.name.clone(),
        pods: pods.collect(),
        more: own.map(within),
        connections,
        unknown: capacity.unknown.len() as u32 + tenant.unread,
        unread: tenant.unread,
        binding: binding(&capacity.parts, connections),
        without_largest: capacity.without_largest().map(within),
        trend,
        exhausted_in,
        ends: ends(tenant, seen.at),
        measured: tenant.active().filter_map(|p| Some(seen.usage.get(&p.key)?.at)).min(),
        notes: notes(seen, tenant),
        request_memory,
        max_children,
    }
}

/// What was passed over, and what is not as it looks.
fn notes(seen: &Snapshot, tenant: &Tenant) -> Vec<Arc<str>> {
    let misread = tenant.workload.hints.misread.iter();
    let mut notes: Vec<Arc<str>> = misread.map(|why| format!("passed over: {why}").into()).collect();
    let pool = super::pool::misread(seen, &tenant.workload);
    notes.extend(pool.map(|why| format!("passed over: {why}").into()));
    notes.extend(measured_before(seen).map(Arc::from).or_else(|| some_measured_before(seen, tenant)));
    notes
}

/// A measurement is old that was taken so long before the present.
const OLD: SignedDuration = SignedDuration::from_mins(5);

/// The same of some pods of a tenant only.
fn some_measured_before(seen: &Snapshot, tenant: &Tenant) -> Option<Arc<str>> {
    let all = tenant.active().filter_map(|pod| Some((pod, seen.usage.get(&pod.key)?.at)));
    let old: Vec<_> = all.filter(|(_, at)| seen.at.duration_since(*at) > OLD).collect();
    let (pod, at) = old.iter().min_by_key(|(_, at)| *at)?;
    let more = if old.len() > 1 { format!(" and {} more", old.len() - 1) } else { String::new() };
    let age = long_ago(seen, *at);
    Some(format!("memory of {}{more} was measured {age} ago, and may be another by now", pod.key.name).into())
}

/// `7 min`, `5 h`.
fn long_ago(seen: &Snapshot, at: Timestamp) -> String {
    let minutes = seen.at.duration_since(at).as_mins().max(0);
    if minutes < 120 { format!("{minutes} min") } else { format!("{} h", minutes / 60) }
}

/// That all memory in use was measured a while ago, or nobody knows when: `memory was measured 5 h ago: ...`.
pub fn measured_before(seen: &Snapshot) -> Option<String> {
    let Freshness::Stale { since, why } = &seen.usage.freshness else { return None };
    if *since > seen.at {
        return Some(format!("memory in use may be another by now: {why}"));
    }
    let age = long_ago(seen, *since);
    Some(format!("memory was measured {age} ago, and may be another by now: {why}"))
}

/// Until a tenant that can take so many more requests can take none, as its use of memory goes.
pub(super) fn exhausted_in(
    seen: &Snapshot,
    tenant: &Tenant,
    trend: &Trend,
    more: u32,
) -> Option<SignedDuration> {
    let request = seen.sizing.request_memory(&tenant.workload).value;
    trend.exhausts(Memory(u64::from(more).saturating_mul(request.0)))
}

fn pod_headroom(seen: &Snapshot, pod: &Pod, request: Memory, children: u32) -> PodHeadroom {
    let usage = seen.usage.get(&pod.key);
    let serving = pod.spec.serving(&seen.tenancy.container).map(|c| &c.name);
    let containers: Vec<_> = running(&pod.spec)
        .map(|c| ContainerHeadroom {
            name: c.name.clone(),
            limit: c.resources.limits.memory,
            request: c.resources.requests.memory,
            used: usage.and_then(|u| u.containers.get(&c.name)).map(|(_, used)| *used),
            free: usage.and_then(|u| free(pod, c, u)),
            serving: Some(&c.name) == serving,
        })
        .collect();
    let part = usage.and_then(|usage| part(seen, pod, usage, request, children));
    let silent = seen.is_silent(pod.node.as_ref());
    PodHeadroom {
        pod: pod.key.clone(),
        node: pod.node.clone(),
        ready: pod.ready && !silent,
        silent,
        free: containers.iter().filter_map(|c| c.free).min(),
        containers,
        more: part.as_ref().map(|_| total(part.as_slice(), &[])),
        bound: binding(part.as_slice(), None).first().copied(),
    }
}

pub(super) fn ends(tenant: &Tenant, now: Timestamp) -> Ends {
    let mut ends = Ends::default();
    for status in tenant.pods.iter().flat_map(|p| &p.containers) {
        let Some(end) = status.last_end.as_ref().filter(|_| status.restarts > 0) else { continue };
        // By the minute, as tenants that have not changed are judged.
        let minute = now.as_second().div_euclid(60) * 60;
        let recent = |at: &Timestamp| minute - at.as_second() <= RECENT.as_secs();
        let Some(at) = end.at.filter(recent) else { continue };
        ends.restarts += 1;
        if &*end.reason == "OOMKilled" {
            ends.oom += 1;
            ends.last_oom = ends.last_oom.max(Some(at));
        }
    }
    ends
}

impl Headroom {
    /// The number and its arithmetic in one line: `12 more: 3 pods, memory limit; 80 Mi a request (default)`.
    pub fn describe(&self) -> String {
        let Some(more) = self.more else {
            return match self.pods.iter().find(|p| p.silent).and_then(|p| p.node.as_ref()) {
                _ if self.unread > 0 => {
                    format!("not known: {} could not be read", words::count(self.unread as usize, "pod"))
                }
                Some(node) => format!("not known: {node} does not answer"),
                None => "not known: no pod is measured".into(),
            };
        };
        let ready = self.pods.iter().filter(|p| p.ready).count();
        let pods = if ready == 1 { "1 pod".to_owned() } else { format!("{ready} pods") };
        let binding: Vec<_> = self.binding.iter().map(|b| b.word()).collect();
        let binding = if binding.is_empty() { String::new() } else { format!(", {}", binding.join(" and ")) };
        let Setting { value, source } = &self.request_memory;
        let mut text = format!("{more} more: {pods}{binding}; {value} a request ({source})");
        let Setting { value, source } = &self.max_children;
        text += &format!(", max_children {value} ({source})");
        if let Some(requests) = self.connections {
            text += &format!(", database connections for {requests} of all tenants");
        }
        if self.unknown > 0 {
            text += &format!("; {} not measured", self.unknown);
        }
        text
    }

    /// What else is to be said of it, one sentence each: without its largest pod, the trend, what ended lately.
    pub fn told(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(left) = self.without_largest.filter(|_| self.pods.iter().any(|p| p.ready)) {
            all.push(format!("when the pod that can take most is lost: {left} more"));
        }
        if let Some(trend) = &self.trend {
            let rate = Memory(trend.bytes_per_minute.abs() as u64);
            let way = if trend.bytes_per_minute < 0.0 { "falls" } else { "grows" };
            let steady = if trend.steady { "steadily" } else { "unsteadily" };
            all.push(format!("memory {way} {steady} by {rate} a minute over {} min", trend.seconds / 60));
        }
        if let Some(left) = self.exhausted_in {
            all.push(format!("used up in {} min", left.as_mins()));
        }
        if self.ends.restarts > 0 {
            let Ends { restarts, oom, .. } = self.ends;
            all.push(format!(
                "within the last hour at least {restarts} restarted, {oom} of them out of memory"
            ));
        }
        all
    }
}

#[cfg(test)]
mod tests;
