//! The board: every node's room and every pod's place, indexed so that one placement costs one pass over the nodes.
//!
//! Pods that are the same to the scheduler share a [`Class`]; a board keeps counts by class and node, so that binding
//! a pod and taking it off again are small and exact inverses.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use imbl::OrdMap;

use crate::cluster::{Key, Labels, Node, NodeName, Pod, ReplicaSet, Service, Snapshot, Workload};

use super::{
    class::{self, Class, Incoming, Kind, Placed, clamp},
    fixed::{Fixed, FixedKey, Image},
    topology::{HOSTNAME, Topology, ZONE},
};

mod outlook;
mod room;

pub(super) use room::Room;

/// A node's number on one [`Board`]: in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub(super) u32);

/// Why a node takes no pods although it looks as if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is dead: NotReady and tainted `node.kubernetes.io/unreachable`.
    Dead,
    /// It is cordoned.
    Cordoned,
}

impl At {
    /// The node of that place in the order of the names.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// Its place in the order of the names.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Nodes and pods, ready for one placement after another.
pub struct Board {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) rooms: Vec<Room>,
    /// By node: closed for the sake of a what-if.
    pub(super) closed: Vec<Option<Closed>>,
    pub(super) kinds: Vec<Kind>,
    pub(super) topologies: Vec<Topology>,
    pub(super) namespaces: OrdMap<Arc<str>, Arc<Labels>>,
    known: HashMap<Arc<Incoming>, u32>,
    by_namespace: HashMap<Arc<str>, Vec<u32>>,
    /// Classes whose terms reach beyond their own namespace.
    wide: Vec<u32>,
    fixed: HashMap<FixedKey, Arc<Fixed>>,
    images: HashMap<String, Image>,
    services: HashMap<Arc<str>, Vec<Arc<Service>>>,
    replica_sets: OrdMap<Key, Arc<ReplicaSet>>,
    stateful_sets: OrdMap<Key, Arc<Workload>>,
}

impl Board {
    /// The nodes and all pods that are bound to one. Finished pods count for nothing; a pod bound to a node that is
    /// not known takes no room.
    pub fn new(seen: &Snapshot) -> Self {
        Self::seated(seen, |_, _, _| {})
    }

    /// The same, telling of each pod that takes room its class and its node.
    pub fn seated<'a>(seen: &'a Snapshot, mut tell: impl FnMut(&'a Arc<Pod>, Class, At)) -> Self {
        let nodes: Vec<_> = seen.nodes.values().cloned().collect();
        let rooms = nodes.iter().map(|n| Room::of(n)).collect();
        let mut images: HashMap<String, Image> = HashMap::new();
        for (names, size) in nodes.iter().flat_map(|n| &n.images) {
            for name in names {
                images.entry(name.clone()).or_insert(Image { size: *size, nodes: 0 }).nodes += 1;
            }
        }
        let mut services: HashMap<Arc<str>, Vec<Arc<Service>>> = HashMap::new();
        for service in seen.services.values() {
            services.entry(service.key.namespace.clone()).or_default().push(service.clone());
        }
        let topologies = vec![Topology::new(HOSTNAME, &nodes), Topology::new(ZONE, &nodes)];
        let mut board = Self {
            closed: vec![None; nodes.len()],
            nodes,
            rooms,
            kinds: Vec::new(),
            topologies,
            namespaces: seen.namespaces.items.clone(),
            known: HashMap::new(),
            by_namespace: HashMap::new(),
            wide: Vec::new(),
            fixed: HashMap::new(),
            images,
            services,
            replica_sets: seen.replica_sets.items.clone(),
            stateful_sets: seen.stateful_sets.items.clone(),
        };
        let index: HashMap<NodeName, u32> =
            board.nodes.iter().zip(0..).map(|(n, i)| (n.name.clone(), i)).collect();
        // Pods of one template mostly share their labels and spec: their class is found by address.
        let mut shared: HashMap<(usize, usize, &str, &str), Class> = HashMap::new();
        for pod in seen.pods.values().filter(|p| p.holds_resources()) {
            let Some(&node) = pod.node.as_ref().and_then(|n| index.get(n)) else { continue };
            let owner = pod.owner.as_ref().map_or("", |o| &*o.name);
            let address = (Arc::as_ptr(&pod.labels) as usize, Arc::as_ptr(&pod.spec) as usize);
            let class = *shared
                .entry((address.0, address.1, &*pod.key.namespace, owner))
                .or_insert_with(|| board.class(&Incoming::like(pod)));
            board.add(class, node, pod.deleting.is_some());
            tell(pod, class, At(node));
        }
        board
    }

    /// The class of such a pod: equal pods have the same, whether they are on the board or not.
    pub fn class(&mut self, pod: &Incoming) -> Class {
        if let Some(id) = self.known.get(pod) {
            return Class(*id);
        }
        let id = self.kinds.len() as u32;
        let pod = Arc::new(pod.clone());
        let kind = self.kind(pod.clone());
        self.by_namespace.entry(pod.namespace.clone()).or_default().push(id);
        if kind.wide {
            self.wide.push(id);
        }
        self.kinds.push(kind);
        self.known.insert(pod, id);
        Class(id)
    }

    /// Gives back the room that was taken for classes that did not come.
    pub fn shrink(&mut self) {
        self.kinds.iter_mut().for_each(|kind| kind.placed.shrink_to_fit());
        self.kinds.shrink_to_fit();
        self.known.shrink_to_fit();
        self.by_namespace.values_mut().for_each(Vec::shrink_to_fit);
    }

    /// Pods of that class must be near others: a node that does not take one now may do so once more are there.
    pub fn seeks_company(&self, class: Class) -> bool {
        !self.kinds[class.0 as usize].near.is_empty()
    }

    /// The node of that number.
    pub fn node(&self, at: At) -> &Arc<Node> {
        &self.nodes[at.0 as usize]
    }

    /// The number of the node of that name.
    pub fn at(&self, name: &NodeName) -> Option<At> {
        self.nodes.binary_search_by(|n| n.name.cmp(name)).ok().map(|i| At(i as u32))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Puts a pod of that class on a node, whether it fits or not.
    pub fn bind(&mut self, class: Class, at: At) {
        self.add(class, at.0, false);
    }

    /// Takes a pod of that class off a node: the inverse of [`Board::bind`]. Tells whether one was there.
    pub fn unbind(&mut self, class: Class, at: At) -> bool {
        self.take(class, at.0, false)
    }

    /// A pod of that class begins to leave its node: it still takes room there, and counts for affinity, but not for
    /// spreading.
    pub fn terminate(&mut self, class: Class, at: At) {
        if self.take(class, at.0, false) {
            self.add(class, at.0, true);
        }
    }

    /// A leaving pod of that class is gone.
    pub fn gone(&mut self, class: Class, at: At) {
        self.take(class, at.0, true);
    }

    /// A leaving pod of that class does not leave after all: the inverse of [`Board::terminate`].
    pub fn stay(&mut self, class: Class, at: At) {
        if self.take(class, at.0, true) {
            self.add(class, at.0, false);
        }
    }

    /// From now on the node takes no pods; those that are there stay, and it still counts as a place to spread over.
    pub fn close(&mut self, at: At, why: Closed) {
        self.closed[at.0 as usize] = Some(why);
    }

    /// The inverse of [`Board::close`].
    pub fn open(&mut self, at: At) {
        self.closed[at.0 as usize] = None;
    }

    /// Memory of a node that no pod has requested, in bytes: allocatable less requests.
    pub fn free_memory(&self, at: At) -> u64 {
        let room = &self.rooms[at.0 as usize];
        room.memory.saturating_sub(room.used_memory).max(0) as u64
    }

    /// Memory that pods have requested on a node and that it offers, in bytes.
    pub fn memory(&self, at: At) -> (u64, u64) {
        let room = &self.rooms[at.0 as usize];
        (room.used_memory.max(0) as u64, room.memory.max(0) as u64)
    }

    /// No node carries more than it offers, in pods, processor and memory; the names of those that do.
    pub fn overfull(&self) -> Vec<&NodeName> {
        let over = |r: &Room| r.used_pods > r.pods || r.used_cpu > r.cpu || r.used_memory > r.memory;
        self.nodes.iter().zip(&self.rooms).filter(|(_, r)| over(r)).map(|(n, _)| &n.name).collect()
    }

    fn add(&mut self, class: Class, node: u32, leaving: bool) {
        let kind = &mut self.kinds[class.0 as usize];
        self.rooms[node as usize].add(kind);
        let here = match kind.placed.binary_search_by_key(&node, |s| s.node) {
            Ok(i) => &mut kind.placed[i],
            Err(i) => {
                kind.placed.insert(i, Placed { node, live: 0, leaving: 0 });
                &mut kind.placed[i]
            }
        };
        if leaving { here.leaving += 1 } else { here.live += 1 }
    }

    fn take(&mut self, class: Class, node: u32, leaving: bool) -> bool {
        let kind = &mut self.kinds[class.0 as usize];
        let Ok(i) = kind.placed.binary_search_by_key(&node, |s| s.node) else { return false };
        let here = &mut kind.placed[i];
        let count = if leaving { &mut here.leaving } else { &mut here.live };
        if *count == 0 {
            return false;
        }
        *count -= 1;
        if here.live + here.leaving == 0 {
            kind.placed.remove(i);
        }
        self.rooms[node as usize].take(kind);
        true
    }

    /// The number of a topology key; the nodes' values are looked up the first time.
    fn topology(&mut self, key: &str) -> u32 {
        if let Some(i) = self.topologies.iter().position(|t| t.key == key) {
            return i as u32;
        }
        self.topologies.push(Topology::new(key, &self.nodes));
        self.topologies.len() as u32 - 1
    }

    fn kind(&mut self, pod: Arc<Incoming>) -> Kind {
        let spec = &pod.spec;
        let affinity = &spec.affinity;
        let near = affinity.pod_required.iter().map(|t| self.topology(&t.topology_key)).collect();
        let apart = affinity.anti_required.iter().map(|t| self.topology(&t.topology_key)).collect();
        let towards = affinity.pod_preferred.iter().map(|(w, t)| (i64::from(*w), t));
        let away = affinity.anti_preferred.iter().map(|(w, t)| (-i64::from(*w), t));
        let liked = towards.chain(away).map(|(w, t)| (self.topology(&t.topology_key), w)).collect();
        let (cpu, memory) = spec.requests();
        Kind {
            cpu: clamp(cpu.0),
            memory: clamp(memory.0),
            scored: class::scored(spec),
            scored_there: class::scored_there(spec),
            other: class::other_requests(spec),
            ports: class::host_ports(spec),
            near,
            apart,
            liked,
            wide: class::terms(affinity).any(|t| {
                t.namespace_selector.is_some() || t.namespaces.iter().any(|n| **n != *pod.namespace)
            }),
            placed: Vec::new(),
            fixed: None,
            outlook: None,
            relations: None,
            pod: pod.clone(),
        }
    }

    /// What of the nodes does not depend on other pods, for that class.
    pub(super) fn fixed_of(&mut self, class: Class) -> Arc<Fixed> {
        let kind = &mut self.kinds[class.0 as usize];
        if let Some(fixed) = &kind.fixed {
            return fixed.clone();
        }
        let key = FixedKey::of(&kind.pod.spec);
        let fixed = match self.fixed.get(&key) {
            Some(fixed) => fixed.clone(),
            None => {
                let fixed = Arc::new(Fixed::new(&key, &self.nodes, &self.images));
                self.fixed.insert(key, fixed.clone());
                fixed
            }
        };
        kind.fixed = Some(fixed.clone());
        fixed
    }

    /// All classes in the namespace of that one, itself among them.
    pub(super) fn neighbours(&self, class: Class) -> &[u32] {
        let namespace = &self.kinds[class.0 as usize].pod.namespace;
        self.by_namespace.get(namespace).map_or(&[], |all| all)
    }

    /// Some pods keep away from others beyond their own namespace.
    pub(super) fn wide_apart(&self) -> bool {
        self.wide.iter().any(|id| !self.kinds[*id as usize].apart.is_empty())
    }
}
