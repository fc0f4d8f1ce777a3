//! The filters: may this pod be on that node at all.

use crate::cluster::{Effect, HostPort, Taint};

use super::{
    board::{Board, Closed, Room},
    class::{self, Class, Kind, Outlook, Spread},
    fixed::{Gate, cordon, tolerates, untolerated},
    reason::Reason,
};

/// What the pods that are there mean for one incoming pod: summed up once, before the nodes are looked at.
pub(super) struct Filters<'a> {
    pub kind: &'a Kind,
    pub outlook: &'a Outlook,
    /// By hard constraint: matching pods by value, and the fewest of any domain.
    hard: Vec<(Vec<u32>, i64)>,
    /// By required affinity term: matching pods by value.
    near: Vec<Vec<u32>>,
    /// No pod matches all affinity terms anywhere, and the pod itself would.
    first_of_its_kind: bool,
    /// Values on which a pod stands that must be kept away from.
    apart: Vec<(u32, Vec<bool>)>,
    /// Values on which a pod stands that keeps this one away.
    kept_away: Vec<(u32, Vec<bool>)>,
}

impl<'a> Filters<'a> {
    pub fn new(board: &'a Board, class: Class, outlook: &'a Outlook) -> Self {
        let kind = &board.kinds[class.0 as usize];
        let relations = kind.relations();
        let hard = outlook.hard.iter().zip(&relations.spread).map(|(c, found)| {
            let counts = board.spread_counts(c, found);
            let fewest =
                counts.iter().zip(&c.domains).filter(|(_, is)| **is).map(|(n, _)| i64::from(*n)).min();
            let domains = c.domains.iter().filter(|is| **is).count();
            // Fewer domains than wanted: the global minimum is taken for zero.
            let fewest = fewest.filter(|_| domains >= c.min_domains as usize).unwrap_or(0);
            (counts, fewest)
        });
        let near: Vec<_> = kind.near.iter().map(|t| board.pods_by_value(*t, &relations.near)).collect();
        let terms = &kind.pod.spec.affinity.pod_required;
        let none_anywhere = near.iter().all(|counts| counts.iter().all(|n| *n == 0));
        let self_match = none_anywhere
            && terms.iter().all(|t| {
                let pod = &kind.pod;
                class::selects(t, &pod.namespace, &pod.namespace, &pod.labels, |name| {
                    board.namespaces.get(name).map(|l| &**l)
                })
            });
        let apart = kind.apart.iter().copied().zip(&relations.apart);
        let apart = apart.flat_map(|(t, found)| found.iter().map(move |class| (t, *class)));
        Self {
            hard: hard.collect(),
            near,
            first_of_its_kind: self_match,
            apart: board.values_taken(apart),
            kept_away: board.values_taken(relations.kept_away.iter().copied()),
            kind,
            outlook,
        }
    }
}

impl Board {
    /// All filters, in the scheduler's order.
    pub(super) fn passes(&self, s: &Filters, node: usize) -> bool {
        s.outlook.fixed.gate[node] == Gate::Open
            && self.shut(s, node).is_none()
            && ports_free(s.kind, &self.rooms[node])
            && fits(s.kind, &self.rooms[node])
            && s.outlook
                .hard
                .iter()
                .zip(&s.hard)
                .all(|(c, counts)| self.spreads_evenly(c, counts, node) == Ok(true))
            && self.near_others(s, node)
            && !self.on_taken_value(&s.apart, node)
            && !self.on_taken_value(&s.kept_away, node)
    }

    /// The reasons of the first filter a node fails, as the scheduler gives them: several only for room.
    pub(super) fn reasons(&self, s: &Filters, node: usize) -> Vec<Reason> {
        let room = &self.rooms[node];
        let one = |reason| vec![reason];
        let gate = s.outlook.fixed.gate[node];
        if !matches!(gate, Gate::NotNamed | Gate::Unschedulable)
            && let Some(reason) = self.shut(s, node)
        {
            return one(reason);
        }
        match gate {
            Gate::Open => {}
            Gate::NotNamed => return one(Reason::NotNamed),
            Gate::Unschedulable => return one(Reason::Cordoned),
            Gate::NotReady => return one(Reason::NotReady),
            Gate::Affinity => return one(Reason::NodeAffinity),
            Gate::Taint => {
                let taints = &self.nodes[node].taints;
                let taint = untolerated(taints, &s.kind.pod.spec.tolerations);
                return one(Reason::Taint(taint.map(|t| t.key.clone()).unwrap_or_default()));
            }
        }
        if !ports_free(s.kind, room) {
            let taken = s.kind.ports.iter().find(|p| room.ports.keys().any(|other| clash(p, other)));
            return one(Reason::Port(taken.map_or(0, |p| p.port)));
        }
        let short = shortages(s.kind, room);
        if !short.is_empty() {
            return short;
        }
        for (c, counts) in s.outlook.hard.iter().zip(&s.hard) {
            let key = || self.topologies[c.topology as usize].key.clone();
            match self.spreads_evenly(c, counts, node) {
                Ok(true) => {}
                Ok(false) => return one(Reason::Spread(key())),
                Err(NoLabel) => return one(Reason::SpreadLabel(key())),
            }
        }
        if !self.near_others(s, node) {
            return one(Reason::Affinity);
        }
        if self.on_taken_value(&s.apart, node) {
            return one(Reason::AntiAffinity);
        }
        if self.on_taken_value(&s.kept_away, node) {
            return one(Reason::KeptAway);
        }
        Vec::new()
    }

    /// Why the node is closed to this pod, if it is.
    fn shut(&self, s: &Filters, node: usize) -> Option<Reason> {
        const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
        let tolerations = &s.kind.pod.spec.tolerations;
        match self.closed[node]? {
            Closed::Cordoned => {
                (!tolerations.iter().any(|t| tolerates(t, &cordon()))).then_some(Reason::Cordoned)
            }
            Closed::Dead => {
                let taint = |effect| Taint { key: UNREACHABLE.into(), value: String::new(), effect };
                let taints = [taint(Effect::NoSchedule), taint(Effect::NoExecute)];
                Some(match untolerated(&taints, tolerations) {
                    Some(taint) => Reason::Taint(taint.key.clone()),
                    None => Reason::NotReady,
                })
            }
        }
    }

    /// PodTopologySpread: matching pods of the value, one more for the pod itself, less the fewest of any domain.
    fn spreads_evenly(
        &self,
        c: &Spread,
        (counts, fewest): &(Vec<u32>, i64),
        node: usize,
    ) -> Result<bool, NoLabel> {
        let value = self.topologies[c.topology as usize].of(node).ok_or(NoLabel)?;
        Ok(i64::from(counts[value]) + i64::from(c.self_match) - fewest <= c.max_skew)
    }

    /// InterPodAffinity: on every term's value stands a pod that matches all terms, or there is none in the whole
    /// cluster and the pod is the first of its kind.
    fn near_others(&self, s: &Filters, node: usize) -> bool {
        let mut all_there = true;
        for (topology, counts) in s.kind.near.iter().zip(&s.near) {
            match self.topologies[*topology as usize].of(node) {
                None => return false,
                Some(value) => all_there &= counts[value] > 0,
            }
        }
        all_there || s.first_of_its_kind
    }

    fn on_taken_value(&self, taken: &[(u32, Vec<bool>)], node: usize) -> bool {
        taken.iter().any(|(topology, values)| {
            self.topologies[*topology as usize].of(node).is_some_and(|value| values[value])
        })
    }

    /// Live pods of these classes by topology value, on the nodes a constraint counts.
    pub(super) fn spread_counts(&self, c: &Spread, classes: &[u32]) -> Vec<u32> {
        let topology = &self.topologies[c.topology as usize];
        let mut counts = vec![0; topology.values];
        for here in classes.iter().flat_map(|class| &self.kinds[*class as usize].placed) {
            let node = here.node as usize;
            if c.counted[node]
                && let Some(value) = topology.of(node)
            {
                counts[value] += here.live;
            }
        }
        counts
    }

    /// Pods of these classes by topology value, the leaving ones too.
    fn pods_by_value(&self, topology: u32, classes: &[u32]) -> Vec<u32> {
        let topology = &self.topologies[topology as usize];
        let mut counts = vec![0; topology.values];
        for here in classes.iter().flat_map(|class| &self.kinds[*class as usize].placed) {
            if let Some(value) = topology.of(here.node as usize) {
                counts[value] += here.live + here.leaving;
            }
        }
        counts
    }

    /// The values on which a pod of the paired classes stands, by topology.
    fn values_taken(&self, pairs: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, Vec<bool>)> {
        let mut all: Vec<(u32, Vec<bool>)> = Vec::new();
        for (key, class) in pairs {
            let placed = &self.kinds[class as usize].placed;
            if placed.is_empty() {
                continue;
            }
            let topology = &self.topologies[key as usize];
            let i = all.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
                all.push((key, vec![false; topology.values]));
                all.len() - 1
            });
            for value in placed.iter().filter_map(|s| topology.of(s.node as usize)) {
                all[i].1[value] = true;
            }
        }
        all
    }
}

/// The node lacks the label a constraint goes by.
#[derive(Debug, PartialEq)]
struct NoLabel;

/// NodePorts.
fn ports_free(kind: &Kind, room: &Room) -> bool {
    kind.ports.is_empty()
        || room.ports.is_empty()
        || !kind.ports.iter().any(|port| room.ports.keys().any(|other| clash(port, other)))
}

/// Source: `framework/types.go` `HostPortInfo.CheckConflict`: `0.0.0.0` stands for every address.
fn clash(a: &HostPort, b: &HostPort) -> bool {
    let any = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
    a.port == b.port && a.protocol == b.protocol && (any(&a.ip) || any(&b.ip) || a.ip == b.ip)
}

/// NodeResourcesFit. A request of nothing is never insufficient, even on a node that is over its allocatable.
fn fits(kind: &Kind, room: &Room) -> bool {
    room.used_pods < room.pods
        && (kind.cpu == 0 || kind.cpu <= room.cpu - room.used_cpu)
        && (kind.memory == 0 || kind.memory <= room.memory - room.used_memory)
        && kind.other.iter().all(|(name, wanted)| *wanted <= room.free_other(name))
}

fn shortages(kind: &Kind, room: &Room) -> Vec<Reason> {
    let mut all = Vec::new();
    if room.used_pods >= room.pods {
        all.push(Reason::TooManyPods { limit: room.pods });
    }
    let mut check = |resource: &str, wanted: i64, capacity: i64, used: i64| {
        if wanted > 0 && wanted > capacity - used {
            all.push(Reason::Insufficient {
                resource: resource.into(),
                wanted: wanted as u64,
                free: (capacity - used).max(0) as u64,
                never: wanted > capacity,
            });
        }
    };
    check("cpu", kind.cpu, room.cpu, room.used_cpu);
    check("memory", kind.memory, room.memory, room.used_memory);
    for (name, wanted) in &kind.other {
        let capacity = room.other.get(name).copied().unwrap_or(0);
        check(name, *wanted, capacity, capacity - room.free_other(name));
    }
    all
}

impl Room {
    fn free_other(&self, name: &str) -> i64 {
        let capacity = self.other.get(name).copied().unwrap_or(0);
        capacity - self.used_other.get(name).copied().unwrap_or(0)
    }
}
