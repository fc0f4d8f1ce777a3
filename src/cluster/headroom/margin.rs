//! How near a tenant is to its limits: the two numbers that every row shows and every rule about memory compares.

use std::sync::Arc;

use serde::Serialize;

use super::{
    super::{Key, Memory, Pod, Snapshot, Tenant, Usage},
    Capacity, measured, name_of, running,
};

/// How near a tenant is to its limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Margin {
    /// The container that is nearest to its memory limit among those of the active pods: summing would hide the one
    /// that is about to be killed. `None` when no container has both a limit and a measurement.
    pub tightest: Option<Tightest>,
    /// More requests its ready pods can take together; `None`: nothing is known of any of them.
    pub more: Option<u32>,
}

/// A container and its memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tightest {
    /// Its pod.
    #[serde(serialize_with = "name_of")]
    pub pod: Key,
    /// Its name; `the pod` where the limit of the whole pod is nearest.
    pub container: Arc<str>,
    /// In use.
    pub used: Memory,
    /// Its limit.
    pub limit: Memory,
}

impl Margin {
    /// That of a tenant.
    pub fn of(seen: &Snapshot, tenant: &Tenant) -> Self {
        let pods: Vec<_> = measured(seen, tenant).collect();
        let more = Capacity::measured(seen, tenant, pods.iter().copied()).more();
        Self { tightest: tightest(&pods), more }
    }

    /// What it rests on, beside the tenant, is the same in both.
    pub(crate) fn rests_on_the_same(a: &Snapshot, b: &Snapshot) -> bool {
        a.nodes.items.ptr_eq(&b.nodes.items)
            && a.usage.items.ptr_eq(&b.usage.items)
            && a.node_usage.items.ptr_eq(&b.node_usage.items)
            && a.pools.items.ptr_eq(&b.pools.items)
            && a.sizing == b.sizing
            && a.tenancy == b.tenancy
    }
}

fn tightest(pods: &[(&Pod, Option<&Usage>)]) -> Option<Tightest> {
    let whole: Arc<str> = "the pod".into();
    let mut worst: Option<(&Key, &Arc<str>, Memory, Memory)> = None;
    let mut look = |pod, name, used: Memory, limit: Memory| {
        if worst.is_none_or(|(_, _, u, l)| used.share_of(limit) > u.share_of(l)) {
            worst = Some((pod, name, used, limit));
        }
    };
    for (pod, usage) in pods {
        let Some(usage) = usage else { continue };
        for container in running(&pod.spec) {
            let used = usage.containers.get(&container.name);
            if let (Some(limit), Some((_, used))) = (container.resources.limits.memory, used) {
                look(&pod.key, &container.name, *used, limit);
            }
        }
        if let Some(limit) = pod.spec.resources.as_ref().and_then(|r| r.limits.memory) {
            look(&pod.key, &whole, usage.containers.values().map(|(_, used)| *used).sum(), limit);
        }
    }
    let (pod, container, used, limit) = worst?;
    Some(Tightest { pod: pod.clone(), container: container.clone(), used, limit })
}
