//! The nodes with their pods while moves are tried on them: who is where, what each node carries, what was moved.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Caps, Policy, chosen,
    movable::{self, Why},
};
use crate::{
    cluster::{NodeName, Operator, Pod, PodSpec, Snapshot, Tenant, TenantName},
    plan::{
        Means, MoveReason,
        schedule::{At, Board, Class, Incoming},
    },
};

const TEMPLATE_HASH: &str = "pod-template-hash";
const ZONE: &str = "topology.kubernetes.io/zone";
/// Shares of memory are counted in so many parts of the whole.
pub(super) const WHOLE: u64 = 1_000_000;

/// A tenant, by its number on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose(pub usize);

/// A pod of a tenant: the tenant's number and its own.
pub(super) type Who = (Whose, usize);

/// A tenant's pods and where they are.
pub(super) struct Housed {
    pub tenant: Arc<Tenant>,
    /// Active pods by node.
    pub counts: BTreeMap<At, u32>,
    pub pods: Vec<Lodger>,
    /// Why none of its pods may move.
    pub held: Option<Why>,
    pub in_scope: bool,
    pub moves: u32,
}

/// An active pod that is bound to a node.
pub(super) struct Lodger {
    pub pod: Arc<Pod>,
    pub at: At,
    pub moved: bool,
    /// It was moved once for memory in use: whether or not it stayed there, it is not again, or there would be no end.
    pub tired: bool,
    /// As it stands on the board, and as the new pod that names its node: without the template's hash.
    pub class: (Class, Class),
    /// Memory it requests, and what it has in use, in bytes.
    pub memory: u64,
    pub used: Option<u64>,
}

/// A move that was tried and kept.
#[derive(Clone)]
pub(super) struct Tried {
    pub who: Who,
    pub from: At,
    pub to: At,
    pub means: Means,
    pub reason: MoveReason,
}

pub(super) struct Stage<'a> {
    pub seen: &'a Snapshot,
    pub policy: &'a Policy,
    pub board: Board,
    /// By node: why it takes no moved pods.
    pub closed: Vec<Option<Why>>,
    /// By node: memory in use, in bytes.
    pub used: Vec<Option<u64>>,
    pub housed: Vec<Housed>,
    pub tried: Vec<Tried>,
    zones: Vec<Option<u32>>,
    caps: Caps,
    touched: Vec<u32>,
    nodes: Option<BTreeSet<At>>,
}

impl<'a> Stage<'a> {
    pub fn new(seen: &'a Snapshot, policy: &'a Policy, caps: Caps) -> Self {
        let mut seats: HashMap<*const Pod, (Class, At)> = HashMap::with_capacity(seen.pods.len());
        let mut board = Board::seated(seen, |pod, class, at| {
            seats.insert(Arc::as_ptr(pod), (class, at));
        });
        let mut again: HashMap<Class, Class> = HashMap::new();
        let mut housed = Vec::with_capacity(seen.tenants.len());
        for tenant in seen.tenants.values() {
            let mut pods = Vec::with_capacity(tenant.pods.len());
            let mut counts: BTreeMap<At, u32> = BTreeMap::new();
            for pod in tenant.active() {
                let Some(&(class, at)) = seats.get(&Arc::as_ptr(pod)) else { continue };
                *counts.entry(at).or_default() += 1;
                let surge = *again.entry(class).or_insert_with(|| board.class(&in_advance(pod)));
                let used = seen.usage.get(&pod.key);
                pods.push(Lodger {
                    pod: pod.clone(),
                    at,
                    moved: false,
                    tired: false,
                    class: (class, surge),
                    memory: pod.spec.requests().1.0,
                    used: used.map(|u| u.containers.values().map(|(_, memory)| memory.0).sum()),
                });
            }
            let held = movable::held(seen, tenant);
            housed.push(Housed { tenant: tenant.clone(), counts, pods, held, in_scope: true, moves: 0 });
        }
        let nodes: Vec<_> = (0..board.len()).map(At::new).collect();
        let closed =
            movable::closed(seen, policy, &nodes.iter().map(|at| &**board.node(*at)).collect::<Vec<_>>());
        let used = nodes.iter().map(|at| seen.node_usage.get(&board.node(*at).name).map(|u| u.memory.0));
        let used = used.collect();
        let mut values: BTreeMap<&str, u32> = BTreeMap::new();
        let zone = |at: &At| {
            let zone = seen.nodes.get(&board.node(*at).name)?.labels.get(ZONE)?;
            let next = values.len() as u32;
            Some(*values.entry(zone).or_insert(next))
        };
        let zones = nodes.iter().map(zone).collect();
        let touched = vec![0; board.len()];
        Self {
            seen,
            policy,
            board,
            closed,
            used,
            housed,
            tried: Vec::new(),
            zones,
            caps,
            touched,
            nodes: None,
        }
    }

    /// Only moves from or to these nodes, and only of these tenants; empty: all.
    pub fn only(&mut self, nodes: &[NodeName], tenants: &[TenantName]) {
        self.nodes = chosen(&nodes.iter().filter_map(|n| self.board.at(n)).collect::<Vec<_>>());
        if let Some(tenants) = chosen(tenants) {
            self.housed.iter_mut().for_each(|h| h.in_scope = tenants.contains(&h.tenant.name));
        }
    }

    pub fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.board.len()).map(At::new)
    }

    pub fn name(&self, at: At) -> &NodeName {
        &self.board.node(at).name
    }

    pub fn lodger(&self, (whose, pod): Who) -> &Lodger {
        &self.housed[whose.0].pods[pod]
    }

    pub fn takes_pods(&self, at: At) -> bool {
        self.closed[at.index()].is_none()
    }

    /// The part of a node's memory that would be requested with so much more, or less, on it. A node that offers
    /// nothing is full.
    pub fn share(&self, at: At, more: i64) -> u64 {
        let (used, all) = self.board.memory(at);
        part(used.saturating_add_signed(more), all)
    }

    /// How many pods of a tenant are in the zone of a node, itself among them.
    pub fn in_zone(&self, whose: Whose, at: At) -> u32 {
        match self.zones[at.index()] {
            None => 0,
            zone => {
                let counts = self.housed[whose.0].counts.iter();
                counts.filter(|(there, _)| self.zones[there.index()] == zone).map(|(_, n)| n).sum()
            }
        }
    }

    /// Only moves from or to these nodes are asked for; `None`: all.
    pub fn only_nodes(&self) -> Option<&BTreeSet<At>> {
        self.nodes.as_ref()
    }

    /// The caps and the scope allow that pod to end on that node. One that is moved already is sent elsewhere.
    pub fn allows(&self, who: Who, to: At) -> bool {
        let under = |so_far: u32, cap: Option<u32>| cap.is_none_or(|cap| so_far < cap);
        let kept = match self.lodger(who).moved {
            true => self.tried.iter().find(|t| t.who == who),
            false => None,
        };
        let from = kept.map_or(self.lodger(who).at, |t| t.from);
        let scope = self.nodes.as_ref().is_none_or(|nodes| nodes.contains(&from) || nodes.contains(&to));
        let back = kept.is_some() && to == from;
        scope
            && (back || under(self.touched[to.index()], self.caps.node))
            && (kept.is_some()
                || (under(self.tried.len() as u32, self.caps.moves)
                    && under(self.housed[who.0.0].moves, self.caps.tenant)
                    && under(self.touched[from.index()], self.caps.node)))
    }

    /// How the pod may be moved, or why not.
    ///
    /// # Errors
    /// The pod stays, and why.
    pub fn means(&self, who: Who) -> Result<Means, Why> {
        let housed = &self.housed[who.0.0];
        if let Some(why) = &housed.held {
            return Err(why.clone());
        }
        movable::means(self.seen, self.policy, &housed.tenant, &self.lodger(who).pod)
    }

    /// The first of these nodes that takes the new pod while the old one is still there. Spreading constraints are
    /// asked about the end, when the old one is gone; all else about the moment before.
    pub fn first_to_take(&mut self, who: Who, nodes: impl IntoIterator<Item = At>) -> Option<At> {
        let Lodger { class: (class, surge), at, used, .. } = *self.lodger(who);
        self.board.terminate(class, at);
        let most = u64::from(self.policy.most_in_use) * WHOLE / 100;
        let cool: Vec<_> = self.used.iter().map(|u| u.zip(used)).collect();
        let memory = |at: At| self.board.memory(at).1;
        let calm =
            |at: &At| cool[at.index()].is_none_or(|(there, pod)| part(there + pod, memory(*at)) <= most);
        let nodes: Vec<_> = nodes.into_iter().filter(calm).collect();
        let found = self.board.first_to_take(surge, nodes);
        self.board.stay(class, at);
        found
    }

    /// Moves a pod and keeps the move; one that is moved already is sent elsewhere.
    pub fn keep(&mut self, who: Who, to: At, means: Means, reason: MoveReason) {
        if let Some(kept) = self.tried.iter().position(|t| t.who == who) {
            return self.redirect(kept, to);
        }
        let from = self.lodger(who).at;
        self.put(who, to);
        self.housed[who.0.0].pods[who.1].moved = true;
        self.housed[who.0.0].moves += 1;
        self.touched[from.index()] += 1;
        self.touched[to.index()] += 1;
        self.tried.push(Tried { who, from, to, means, reason });
    }

    /// Puts a pod on another node, on the board and in all counts.
    pub fn put(&mut self, who: Who, to: At) {
        let housed = &mut self.housed[who.0.0];
        let lodger = &mut housed.pods[who.1];
        let from = std::mem::replace(&mut lodger.at, to);
        self.board.unbind(lodger.class.0, from);
        self.board.bind(lodger.class.0, to);
        if let Some(count) = housed.counts.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                housed.counts.remove(&from);
            }
        }
        *housed.counts.entry(to).or_default() += 1;
        if let Some(used) = lodger.used {
            let less = |n: &mut Option<u64>| *n = n.map(|n| n.saturating_sub(used));
            less(&mut self.used[from.index()]);
            self.used[to.index()] = self.used[to.index()].map(|n| n + used);
        }
    }

    /// Sends a kept move to another node instead; back to where the pod came from, it is no move any more.
    pub fn redirect(&mut self, tried: usize, to: At) {
        let Tried { who, from, to: before, .. } = self.tried[tried];
        self.put(who, to);
        if to == from {
            self.touched[from.index()] -= 1;
            self.touched[before.index()] -= 1;
            self.housed[who.0.0].moves -= 1;
            self.housed[who.0.0].pods[who.1].moved = false;
            self.tried.remove(tried);
            return;
        }
        self.tried[tried].to = to;
        self.touched[before.index()] -= 1;
        self.touched[to.index()] += 1;
    }
}

/// So much of the whole.
pub(super) fn part(used: u64, all: u64) -> u64 {
    if all == 0 { WHOLE } else { (u128::from(used) * u128::from(WHOLE) / u128::from(all)) as u64 }
}

/// The pod that is made before the old one goes: of the same template, without the label by which its ReplicaSet
/// would count it, and without the terms the API server merged in from that label (`matchLabelKeys`).
fn in_advance(pod: &Pod) -> Incoming {
    let mut new = Incoming::in_place_of(pod);
    if new.labels.contains_key(TEMPLATE_HASH) {
        Arc::make_mut(&mut new.labels).retain(|label, _| &**label != TEMPLATE_HASH);
    }
    let merged = |spec: &PodSpec| {
        let selectors = spec.spread.iter().filter_map(|c| c.selector.as_ref());
        selectors.flat_map(|s| &s.requirements).any(|r| *r.key == *TEMPLATE_HASH)
    };
    if merged(&new.spec) {
        let spec = Arc::make_mut(&mut new.spec);
        for selector in spec.spread.iter_mut().filter_map(|c| c.selector.as_mut()) {
            let by_hash = |r: &crate::cluster::Requirement| {
                *r.key == *TEMPLATE_HASH && matches!(r.operator, Operator::In(_))
            };
            selector.requirements.retain(|r| !by_hash(r));
        }
    }
    new.owner = None;
    new
}
