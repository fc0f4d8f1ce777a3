//! What the ready pods of a tenant take together, and what binds them.

use super::{
    super::{Container, Key, Memory, NodeName, Pod, PodSpec, Snapshot, Tenant, Usage},
    Bound,
};

/// What one ready pod contributes, reduced to what the sum needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub pod: Key,
    pub node: Option<NodeName>,
    /// Requests its node has memory for; `None`: not known.
    pub room: Option<u32>,
    /// Requests by the memory limits; `None`: there is no limit.
    pub memory: Option<u32>,
    pub children: u32,
}

impl Part {
    fn own(&self, relaxed: &[Bound]) -> u32 {
        let unless = |bound: Bound, n: u32| if relaxed.contains(&bound) { u32::MAX } else { n };
        let memory = unless(Bound::MemoryLimit, self.memory.unwrap_or(u32::MAX));
        memory.min(unless(Bound::MaxChildren, self.children))
    }
}

/// What parts take together with some constraints away. Those of one node stand together.
pub(super) fn total<'a>(parts: impl IntoIterator<Item = &'a Part>, relaxed: &[Bound]) -> u32 {
    let unroomed = relaxed.contains(&Bound::NodeMemory);
    let room = |part: &Part| part.room.filter(|_| !unroomed).unwrap_or(u32::MAX);
    let (mut all, mut here, mut last): (u32, u32, Option<&Part>) = (0, 0, None);
    for part in parts {
        if let Some(before) = last.filter(|l| l.node.is_none() || l.node != part.node) {
            all = all.saturating_add(here.min(room(before)));
            here = 0;
        }
        here = here.saturating_add(part.own(relaxed));
        last = Some(part);
    }
    all.saturating_add(last.map_or(0, |last| here.min(room(last))))
}

/// What parts take together, at most as many as the database has connections for.
pub(super) fn capped(parts: &[Part], cap: Option<u32>, relaxed: &[Bound]) -> u32 {
    let cap = cap.filter(|_| !relaxed.contains(&Bound::DatabaseConnections));
    total(parts, relaxed).min(cap.unwrap_or(u32::MAX))
}

/// The fewest constraints without which the number would be larger, those that give most.
pub(super) fn binding(parts: &[Part], cap: Option<u32>) -> Vec<Bound> {
    let now = capped(parts, cap, &[]);
    for size in 1..=Bound::ALL.len() {
        let sets = (1u32..1 << Bound::ALL.len()).filter(|set| set.count_ones() as usize == size);
        let sets = sets.map(|set| {
            let chosen = Bound::ALL.iter().enumerate().filter(|(i, _)| set & (1 << i) != 0);
            chosen.map(|(_, bound)| *bound).collect::<Vec<_>>()
        });
        let gains = sets.map(|set| (capped(parts, cap, &set), set)).filter(|(then, _)| *then > now);
        // Of equal gains the first in the list.
        if let Some((_, set)) = gains.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
            return set;
        }
    }
    Vec::new()
}

/// What the ready pods of a tenant take: ready to be asked, again and again, what is left without some of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    pub(super) parts: Vec<Part>,
    /// Ready pods of which nothing is known, and pods on nodes that do not answer.
    pub(super) unknown: Vec<(Key, Option<NodeName>)>,
    /// Pods that could not be read.
    pub(super) unread: u32,
}

impl Capacity {
    /// The capacity of a tenant.
    pub fn of(seen: &Snapshot, tenant: &Tenant) -> Self {
        Self::measured(seen, tenant, measured(seen, tenant))
    }

    /// The same, where the measurements of its active pods are at hand.
    pub(super) fn measured<'a>(
        seen: &Snapshot,
        tenant: &Tenant,
        pods: impl Iterator<Item = (&'a Pod, Option<&'a Usage>)>,
    ) -> Self {
        let request = seen.sizing.request_memory(&tenant.workload).value;
        let children = seen.sizing.max_children(seen, &tenant.workload).value;
        let (mut parts, mut unknown) = (Vec::new(), Vec::new());
        for (pod, usage) in pods {
            // Whether a pod on a node that does not answer works is not known.
            if !pod.ready && seen.is_silent(pod.node.as_ref()) {
                unknown.push((pod.key.clone(), pod.node.clone()));
                continue;
            }
            if !pod.ready {
                continue;
            }
            match usage.and_then(|usage| part(seen, pod, usage, request, children)) {
                Some(part) => parts.push(part),
                None => unknown.push((pod.key.clone(), pod.node.clone())),
            }
        }
        parts.sort_by(|a: &Part, b| a.node.cmp(&b.node));
        parts.shrink_to_fit();
        Self { parts, unknown, unread: tenant.unread }
    }

    /// More requests they can take together; `None`: nothing is known of any of them.
    pub fn more(&self) -> Option<u32> {
        self.without(|_, _| false)
    }

    /// The same without the pods that are lost.
    pub fn without(&self, lost: impl Fn(&Key, Option<&NodeName>) -> bool) -> Option<u32> {
        let mut left = self.parts.iter().filter(|p| !lost(&p.pod, p.node.as_ref())).peekable();
        let known = left.peek().is_some()
            || self.unread == 0 && self.unknown.iter().all(|(pod, node)| lost(pod, node.as_ref()));
        known.then(|| total(left, &[]))
    }

    /// What binds them, whatever the database has left.
    pub(crate) fn binding(&self) -> Vec<Bound> {
        binding(&self.parts, None)
    }

    pub(super) fn without_largest(&self) -> Option<u32> {
        let lost =
            |i: usize| total(self.parts.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p), &[]);
        let nothing = (self.parts.len() + self.unknown.len() + self.unread as usize == 0).then_some(0);
        (0..self.parts.len()).map(lost).min().or(nothing)
    }
}

/// The active pods of a tenant, each with its measurement.
pub(in crate::cluster) fn measured<'a>(
    seen: &'a Snapshot,
    tenant: &'a Tenant,
) -> impl Iterator<Item = (&'a Pod, Option<&'a Usage>)> {
    let mut ahead = None;
    tenant.active().map(move |pod| {
        let this = |(key, _): &(&Key, _)| **key == pod.key;
        // The pods of a tenant mostly follow each other among all: the next is looked at before it is searched for.
        let next = ahead.as_mut().and_then(Iterator::next).filter(this);
        let from = || seen.usage.items.range::<_, Key>(&pod.key..);
        let usage = next.or_else(|| ahead.insert(from()).next().filter(this));
        (&**pod, usage.map(|(_, usage)| &**usage))
    })
}

/// What a pod contributes; `None` when that is not known.
pub(super) fn part(
    seen: &Snapshot,
    pod: &Pod,
    usage: &Usage,
    request: Memory,
    children: u32,
) -> Option<Part> {
    let memory = by_memory(seen, pod, usage, request)?;
    let free = pod.node.as_ref().and_then(|node| node_free(seen, node));
    let room = free.map(|free| fit(free, request));
    Some(Part { pod: pod.key.clone(), node: pod.node.clone(), room, memory, children })
}

/// Allocatable memory of a node that is not in use.
fn node_free(seen: &Snapshot, node: &NodeName) -> Option<Memory> {
    let allocatable = seen.nodes.get(node)?.allocatable.memory?;
    Some(allocatable.saturating_sub(seen.node_usage.get(node)?.memory))
}

fn fit(free: Memory, request: Memory) -> u32 {
    u32::try_from(free.0 / request.0.max(1)).unwrap_or(u32::MAX)
}

/// Requests a pod takes by its memory limits: `None` when that is not known, `Some(None)` when nothing limits it.
fn by_memory(seen: &Snapshot, pod: &Pod, usage: &Usage, request: Memory) -> Option<Option<u32>> {
    let serving = pod.spec.serving(&seen.tenancy.container)?;
    usage.containers.get(&serving.name)?;
    let mut left = None;
    for container in running(&pod.spec) {
        let free = free(pod, container, usage);
        if free == Some(Memory::ZERO) {
            return Some(Some(0));
        }
        if std::ptr::eq(container, serving) {
            left = free;
        }
    }
    Some(left.map(|free| fit(free, request)))
}

/// The containers that run as long as the pod.
pub(super) fn running(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().filter(|c| c.sidecar))
}

/// What a container may still take: of its own limit, and of the pod's.
pub(super) fn free(pod: &Pod, container: &Container, usage: &Usage) -> Option<Memory> {
    let (_, used) = usage.containers.get(&container.name)?;
    let own = container.resources.limits.memory.map(|limit| limit.saturating_sub(*used));
    let all = pod.spec.resources.as_ref().and_then(|r| r.limits.memory).map(|limit| {
        let together: Memory = usage.containers.values().map(|(_, used)| *used).sum();
        limit.saturating_sub(together)
    });
    own.into_iter().chain(all).min()
}
