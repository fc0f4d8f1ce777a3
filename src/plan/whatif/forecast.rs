//! Predictions from snapshot to snapshot: what they rest on, and what is made again when that has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::{OrdMap, ordmap::DiffItem};

use super::{
    super::{by_hand, schedule::At},
    Already, Emptied, Halved, Harm, Loss, WhatIf,
    cast::{Attempt, Cast, Fate, Resident},
    database::{self, Machines},
    evacuation::{Evacuation, leaves},
};
use crate::cluster::{
    Capacity, Key, NodeName, Pod, Snapshot, Tenant, TenantName, Volume, VolumeSource, platform,
};

/// Predictions from snapshot to snapshot: nothing is worked out twice while what it rests on is the same.
#[derive(Default)]
pub struct Forecast {
    seen: Option<Snapshot>,
    cast: Option<Cast>,
    /// Pods without a node by the number of the lost one: kept while only measurements change.
    pending: Option<Vec<u32>>,
    capacities: Option<Vec<Capacity>>,
    machines: Option<Machines>,
    ranking: Option<Vec<Harm>>,
}

/// Changes that are looked at one by one before two snapshots are taken for different: by who asks often, and by who
/// would have to work it all out again.
const FEW: usize = 64;
const MANY: usize = 2_000;

/// What of the basis of a prediction is the same in both: where pods sit, and what is measured.
fn same(last: &Snapshot, seen: &Snapshot, most: usize) -> (bool, bool) {
    let placed = last.nodes.items.ptr_eq(&seen.nodes.items)
        && last.replica_sets.items.ptr_eq(&seen.replica_sets.items)
        && last.stateful_sets.items.ptr_eq(&seen.stateful_sets.items)
        && last.services.items.ptr_eq(&seen.services.items)
        && last.namespaces.items.ptr_eq(&seen.namespaces.items)
        && last.room_unknown() == seen.room_unknown()
        && last.unread_room() == seen.unread_room()
        && alike(&last.pods.items, &seen.pods.items, most, alike_pods)
        && alike(&last.tenants, &seen.tenants, most, alike_tenants);
    let measured = last.usage.items.ptr_eq(&seen.usage.items)
        && last.node_usage.items.ptr_eq(&seen.node_usage.items)
        && last.pools.items.ptr_eq(&seen.pools.items)
        && last.deployments.items.ptr_eq(&seen.deployments.items)
        && last.tenancy == seen.tenancy
        && last.sizing == seen.sizing;
    (placed, measured)
}

/// The same keys, and what has changed makes no difference.
fn alike<K: Ord, V: PartialEq>(
    last: &OrdMap<K, Arc<V>>,
    seen: &OrdMap<K, Arc<V>>,
    most: usize,
    alike: fn(&V, &V) -> bool,
) -> bool {
    let mut changes = last.diff(seen);
    let same = |change: DiffItem<'_, '_, K, Arc<V>>| match change {
        DiffItem::Update { old: (_, old), new: (_, new) } => alike(old, new),
        DiffItem::Add(..) | DiffItem::Remove(..) => false,
    };
    changes.by_ref().take(most).all(same) && changes.next().is_none()
}

/// To the scheduler and to the tenant: a container that restarts is nothing to either while the pod is as ready as before.
fn alike_pods(old: &Pod, new: &Pod) -> bool {
    *new == Pod { containers: new.containers.clone(), ..old.clone() }
}

/// Its pods are compared for themselves.
fn alike_tenants(old: &Tenant, new: &Tenant) -> bool {
    Arc::ptr_eq(&old.workload, &new.workload)
        && old.unread == new.unread
        && old.pods.len() == new.pods.len()
        && old.pods.iter().zip(&new.pods).all(|(old, new)| old.key == new.key)
}

/// Whether the database answered the same in both.
fn answered(last: &Snapshot, seen: &Snapshot) -> bool {
    last.galera.items.ptr_eq(&seen.galera.items)
        && last.proxies.items.ptr_eq(&seen.proxies.items)
        && last.database == seen.database
        && last.platform.items.ptr_eq(&seen.platform.items)
        && last.around == seen.around
}

impl Forecast {
    /// Whether all that is predicted on one snapshot is so on the other as well.
    pub fn holds(last: &Snapshot, seen: &Snapshot) -> bool {
        same(last, seen, FEW) == (true, true)
            && last.budgets.items.ptr_eq(&seen.budgets.items)
            && (answered(last, seen) || Machines::of(last) == Machines::of(seen))
    }

    /// Forgets what no longer holds.
    fn look(&mut self, seen: &Snapshot) {
        if let Some(last) = &self.seen {
            let (placed, measured) = same(last, seen, MANY);
            if !placed {
                (self.cast, self.pending) = (None, None);
            }
            if !placed || !measured {
                (self.capacities, self.ranking) = (None, None);
            }
            if !placed || !answered(last, seen) {
                // It answers every second and mostly the same: what follows from it is compared, not worked out again.
                let now = Machines::of(seen);
                if self.machines.as_ref() != Some(&now) {
                    if let Some(ranking) = &mut self.ranking {
                        rank(ranking, &now);
                    }
                    self.machines = Some(now);
                }
            }
        }
        self.seen = Some(seen.clone());
    }

    /// The same as [`super::worst`].
    ///
    /// # Errors
    /// It is not known, and why.
    pub fn worst(&mut self, seen: &Snapshot) -> Result<&[Harm], String> {
        self.look(seen);
        if let Some(why) = seen.room_unknown() {
            return Err(why);
        }
        let Self { cast, pending, capacities, machines, ranking, .. } = self;
        Ok(ranking.get_or_insert_with(|| {
            let cast = cast.get_or_insert_with(|| Cast::new(seen));
            let nodes = 0..cast.board.len();
            let pending = pending.get_or_insert_with(|| nodes.map(|i| cast.stranded(At::new(i))).collect());
            let capacities = capacities.get_or_insert_with(|| capacities_of(seen));
            let ready = |i: &usize| cast.board.node(At::new(*i)).is_ready();
            let mut all: Vec<_> = (0..cast.board.len())
                .filter(ready)
                .map(|i| Harm { pending: pending[i], ..harm(cast, capacities, i) })
                .collect();
            rank(&mut all, machines.get_or_insert_with(|| Machines::of(seen)));
            all
        }))
    }

    /// The same as [`super::what_if`].
    ///
    /// # Errors
    /// It is not known, and why.
    pub fn what_if(&mut self, seen: &Snapshot, nodes: &[NodeName], loss: Loss) -> Result<WhatIf, String> {
        self.look(seen);
        if let Some(why) = seen.room_unknown() {
            return Err(why);
        }
        let cast = self.cast.get_or_insert_with(|| Cast::new(seen));
        let capacities = self.capacities.get_or_insert_with(|| capacities_of(seen));
        let lost: BTreeSet<At> = nodes.iter().filter_map(|n| cast.board.at(n)).collect();
        let mut told = WhatIf {
            nodes: lost.iter().map(|at| cast.board.node(*at).name.clone()).collect(),
            loss,
            pods: 0,
            down: Vec::new(),
            halved: Vec::new(),
            landings: Vec::new(),
            pending: Vec::new(),
            stuck: Vec::new(),
            lone: Vec::new(),
            with_node: Vec::new(),
            already: already(seen, nodes),
            blocked: Vec::new(),
            emptied: Vec::new(),
            left: 0,
            kubectl: Vec::new(),
            database: None,
            platform: Vec::new(),
            not_counted: seen.unread_room(),
        };
        told.nodes.extend(database::outside(seen, nodes));
        let Cast { board, residents, ready, names } = cast;
        let mut all: Vec<(At, &Resident)> =
            lost.iter().flat_map(|at| residents[at.index()].iter().map(|r| (*at, r))).collect();
        all.sort_by(|(_, a), (_, b)| {
            b.pod.spec.priority.cmp(&a.pod.spec.priority).then_with(|| a.pod.key.cmp(&b.pod.key))
        });
        let gone =
            Evacuation { seen, names, told: &mut told, attempt: Attempt::new(board) }.run(&lost, &all, loss);
        if loss == Loss::Drain {
            drained(seen, names, &all, &mut told);
        }
        told.pods = all.iter().filter(|(_, r)| leaves(r, loss)).count() as u32 - told.blocked.len() as u32;
        people(seen, ready, capacities, &gone, &mut told);
        told.database = database::lost_with(seen, nodes, &told);
        told.platform = platform::lost_with(seen, nodes, loss == Loss::Drain);
        Ok(told)
    }
}

/// The worst first, by what is lost of the database as well.
pub(super) fn rank(all: &mut [Harm], machines: &Machines) {
    for harm in all.iter_mut() {
        harm.database = machines.get(&harm.node).cloned();
        harm.platform = machines.around(&harm.node).to_vec();
    }
    all.sort_by(|a, b| b.rank().cmp(&a.rank()).then_with(|| a.node.cmp(&b.node)));
}

/// Those of the nodes that do not answer, and who is down with pods there.
fn already(seen: &Snapshot, nodes: &[NodeName]) -> Vec<Already> {
    let silent = nodes.iter().filter(|node| seen.nodes.get(*node).is_some_and(|n| n.is_silent()));
    let down = |node: &NodeName| {
        let here = |t: &Tenant| t.active().any(|pod| pod.node.as_ref() == Some(node));
        let down = seen.tenants.values().filter(|t| t.is_down() && here(t));
        down.map(|t| t.name.clone()).collect()
    };
    silent.map(|node| Already { node: node.clone(), down: down(node) }).collect()
}

fn capacities_of(seen: &Snapshot) -> Vec<Capacity> {
    seen.tenants.values().map(|t| Capacity::of(seen, t)).collect()
}

/// The part of the harm that needs no scheduler.
fn harm(cast: &Cast, capacities: &[Capacity], node: usize) -> Harm {
    let name = &cast.board.node(At::new(node)).name;
    let mut there: BTreeMap<u32, u32> = BTreeMap::new();
    let residents = &cast.residents[node];
    for resident in residents.iter().filter(|r| r.pod.ready && r.fate != Fate::Leaving) {
        if let Some(tenant) = resident.tenant {
            *there.entry(tenant).or_default() += 1;
        }
    }
    let (mut down, mut halved) = (Vec::new(), Vec::new());
    for (tenant, lost) in there {
        let tenant = tenant as usize;
        if lost >= cast.ready[tenant] {
            down.push(cast.names[tenant].clone());
        } else {
            let after = capacities[tenant].without(|_, at| at == Some(name));
            if halves(capacities[tenant].more(), after) {
                halved.push(cast.names[tenant].clone());
            }
        }
    }
    let pods = residents.iter().filter(|r| r.fate != Fate::Leaving).count() as u32;
    let of = |fate| residents.iter().filter(|r| r.fate == fate).count() as u32;
    let (stuck, lone) = (of(Fate::Numbered), of(Fate::Lone));
    Harm {
        node: name.clone(),
        pods,
        down,
        halved,
        pending: 0,
        stuck,
        lone,
        database: None,
        platform: Vec::new(),
    }
}

fn halves(before: Option<u32>, after: Option<u32>) -> bool {
    before.zip(after).is_some_and(|(before, after)| before > 0 && u64::from(after) * 2 <= u64::from(before))
}

/// What a drain by hand needs to be told, and what it takes away: `kubectl drain` refuses pods with `emptyDir` volumes, and
/// those of DaemonSets, until flags say that they are meant.
/// Source: `k8s.io/kubectl/pkg/drain/filters.go`.
fn drained(seen: &Snapshot, names: &[TenantName], all: &[(At, &Resident)], told: &mut WhatIf) {
    let blocked: BTreeSet<_> = told.blocked.iter().map(|b| &b.pod).collect();
    for (_, resident) in all {
        let pod = &resident.pod;
        let daemon = pod.owner.as_ref().is_some_and(|o| &*o.kind == "DaemonSet");
        told.left += u32::from(daemon && resident.fate == Fate::OfTheNode);
        let local = |v: &&Volume| matches!(v.source, VolumeSource::EmptyDir { .. });
        let volumes: Vec<_> = pod.spec.volumes.iter().filter(local).map(|v| v.name.clone()).collect();
        if leaves(resident, Loss::Drain) && !volumes.is_empty() && !blocked.contains(&pod.key) {
            let tenant = resident.tenant.map(|number| names[number as usize].clone());
            told.emptied.push(Emptied { pod: pod.key.clone(), tenant, volumes });
        }
    }
    if !told.blocked.is_empty() {
        return;
    }
    let mut flags = String::new();
    if told.left > 0 {
        flags += " --ignore-daemonsets";
    }
    if !told.emptied.is_empty() {
        flags += " --delete-emptydir-data";
    }
    let here: Vec<_> = told.nodes.iter().filter(|node| seen.nodes.get(*node).is_some()).collect();
    told.kubectl = here
        .into_iter()
        .map(|node| {
            format!("{} drain {}{flags}", by_hand::kubectl(seen, None), by_hand::shell(node.as_str()))
        })
        .collect();
}

/// Which tenants lose by the pods that are gone at the same time.
fn people(
    seen: &Snapshot,
    ready: &[u32],
    capacities: &[Capacity],
    gone: &BTreeMap<u32, BTreeSet<Key>>,
    told: &mut WhatIf,
) {
    for ((number, (name, tenant)), capacity) in seen.tenants.iter().enumerate().zip(capacities) {
        let Some(gone) = gone.get(&(number as u32)) else { continue };
        let lost = tenant.active().filter(|p| p.ready && gone.contains(&p.key)).count() as u32;
        if lost == 0 {
            continue;
        }
        if lost >= ready[number] {
            told.down.push(name.clone());
            continue;
        }
        let (before, after) = (capacity.more(), capacity.without(|pod, _| gone.contains(pod)));
        if halves(before, after) {
            let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
            told.halved.push(Halved { tenant: name.clone(), before, after });
        }
    }
}
