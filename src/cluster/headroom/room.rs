//! The memory of a node and of all of them: offered, requested, limited and used are four different things.

use serde::Serialize;

use super::super::{Memory, NodeName, Snapshot};

/// The memory of a node, or of all ready nodes together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Room {
    /// What pods may have.
    pub allocatable: Option<Memory>,
    /// What pods have requested, by the scheduler's rules; `None`: not all pods are seen.
    pub requested: Option<Memory>,
    /// What pods may use; containers without a limit count for nothing. `None`: not all pods are seen.
    pub limits: Option<Memory>,
    /// What is in use.
    pub used: Option<Memory>,
    /// Free, as the scheduler sees it: allocatable less requests.
    pub free_of_requests: Option<Memory>,
    /// Free, if every pod used its limit: allocatable less limits.
    pub free_of_limits: Option<Memory>,
    /// Free at this moment: allocatable less use.
    pub free_of_use: Option<Memory>,
    /// Limits as a share of allocatable; above 1 they cannot all be used.
    pub overcommit: Option<f64>,
    /// What may still be used before the kubelet evicts pods: capacity less use less the eviction threshold.
    pub to_eviction: Option<Memory>,
}

/// The memory of a node.
pub fn node_room(seen: &Snapshot, node: &NodeName) -> Room {
    let known = seen.nodes.get(node);
    let load = seen.load_of(node);
    let used = seen.node_usage.get(node).map(|u| u.memory);
    let to_eviction = known.and_then(|n| n.capacity).zip(used);
    Room {
        to_eviction: to_eviction
            .map(|(capacity, used)| capacity.saturating_sub(used).saturating_sub(seen.sizing.eviction)),
        ..Room::of(
            known.and_then(|n| n.allocatable.memory),
            load.as_ref().map(|l| l.requests.1),
            load.as_ref().map(|l| l.limits.1),
            used,
        )
    }
}

/// The memory of all ready nodes together; use is known when that of each is. The distance to eviction is the least
/// of them: that is where it begins.
pub fn cluster_room(seen: &Snapshot) -> Room {
    let rooms: Vec<_> =
        seen.nodes.values().filter(|n| n.is_ready()).map(|n| node_room(seen, &n.name)).collect();
    let all = |of: fn(&Room) -> Option<Memory>| rooms.iter().map(of).sum::<Option<Memory>>();
    if rooms.is_empty() {
        return Room::default();
    }
    Room {
        to_eviction: rooms.iter().filter_map(|r| r.to_eviction).min(),
        ..Room::of(all(|r| r.allocatable), all(|r| r.requested), all(|r| r.limits), all(|r| r.used))
    }
}

impl Room {
    fn of(
        allocatable: Option<Memory>,
        requested: Option<Memory>,
        limits: Option<Memory>,
        used: Option<Memory>,
    ) -> Self {
        let less =
            |taken: Option<Memory>| allocatable.zip(taken).map(|(all, taken)| all.saturating_sub(taken));
        Self {
            allocatable,
            requested,
            limits,
            used,
            free_of_requests: less(requested),
            free_of_limits: less(limits),
            free_of_use: less(used),
            overcommit: allocatable
                .filter(|a| *a > Memory::ZERO)
                .zip(limits)
                .map(|(all, limits)| limits.share_of(all)),
            to_eviction: None,
        }
    }
}
