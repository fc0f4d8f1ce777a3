//! The scores: of the nodes that take a pod, which the scheduler likes best.

use super::{
    board::{At, Board, Room},
    class::{Class, Kind, Outlook, Spread},
    fixed::MAX,
};

impl Board {
    /// The weighted sum of all score plugins, by feasible node. A plugin that skips itself adds nothing to any.
    pub(super) fn scores(&self, class: Class, outlook: &Outlook, feasible: &[At]) -> Vec<i64> {
        let kind = &self.kinds[class.0 as usize];
        let nodes: Vec<usize> = feasible.iter().map(|at| at.0 as usize).collect();
        let mut total = vec![0; nodes.len()];
        let mut add = |weight: i64, scores: Vec<i64>| {
            total.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight * score);
        };
        let fixed = &outlook.fixed;
        add(3, normalized(nodes.iter().map(|n| fixed.unloved[*n]).collect(), true));
        if !kind.pod.spec.affinity.node_preferred.is_empty() {
            add(2, normalized(nodes.iter().map(|n| fixed.preferred[*n]).collect(), false));
        }
        if !outlook.soft.is_empty() {
            add(2, self.spreading(kind, outlook, &nodes));
        }
        if let Some(scores) = self.company(kind, &nodes) {
            add(2, scores);
        }
        let besteffort = kind.cpu == 0 && kind.memory == 0;
        for (sum, n) in total.iter_mut().zip(&nodes) {
            let room = &self.rooms[*n];
            *sum += least_allocated(kind, room) + fixed.images[*n];
            if !besteffort {
                *sum += balanced(kind, room);
            }
        }
        total
    }

    /// PodTopologySpread: fewer matching pods on the node's values are better; a value weighs by how many there are.
    /// Source: `podtopologyspread/scoring.go`.
    pub(super) fn spreading(&self, kind: &Kind, outlook: &Outlook, nodes: &[usize]) -> Vec<i64> {
        let topology = |c: &Spread| &self.topologies[c.topology as usize];
        let ignored = |n: usize| outlook.own_soft && outlook.soft.iter().any(|c| topology(c).of(n).is_none());
        let scored = nodes.iter().filter(|n| !ignored(**n)).count();
        let found = &kind.relations().spread[outlook.hard.len()..];
        let terms: Vec<_> = outlook
            .soft
            .iter()
            .zip(found)
            .map(|(c, classes)| {
                let (size, counts) = if c.hostname {
                    (scored, self.live_by_node(classes))
                } else {
                    let mut there = vec![false; topology(c).values + 1];
                    for n in nodes.iter().filter(|n| !ignored(**n)) {
                        // Nodes without the label count as one more domain.
                        there[topology(c).of(*n).unwrap_or(topology(c).values)] = true;
                    }
                    (there.iter().filter(|is| **is).count(), self.spread_counts(c, classes))
                };
                (c, ((size + 2) as f64).ln(), counts)
            })
            .collect();
        let score = |n: usize| {
            let mut score = 0.0;
            for (c, weight, counts) in &terms {
                if let Some(value) = topology(c).of(n) {
                    let count = counts[if c.hostname { n } else { value }];
                    score += f64::from(count) * weight + (c.max_skew - 1) as f64;
                }
            }
            // As `round`, which is slow where it is a function call: the score is not negative.
            let whole = score as i64;
            whole + i64::from(score - whole as f64 >= 0.5)
        };
        let raw: Vec<Option<i64>> = nodes.iter().map(|n| (!ignored(*n)).then(|| score(*n))).collect();
        let min = raw.iter().flatten().copied().min().unwrap_or(0);
        let max = raw.iter().flatten().copied().max().unwrap_or(0);
        let normal = |score: Option<i64>| match score {
            None => 0,
            Some(_) if max == 0 => MAX,
            Some(score) => MAX * (max + min - score) / max,
        };
        raw.into_iter().map(normal).collect()
    }

    /// InterPodAffinity: the weights of all preferred terms, of the pod and of those that are there, on the node's
    /// values. `None`: no such term is at work. Source: `interpodaffinity/scoring.go`.
    pub(super) fn company(&self, kind: &Kind, nodes: &[usize]) -> Option<Vec<i64>> {
        let relations = kind.relations();
        let own = kind.liked.iter().zip(&relations.liked);
        let own = own.flat_map(|((t, weight), found)| found.iter().map(move |class| (*t, *weight, *class)));
        let mut sums: Vec<(u32, Vec<i64>)> = Vec::new();
        for (key, weight, class) in own.chain(relations.liked_by.iter().copied()) {
            let placed = &self.kinds[class as usize].placed;
            if placed.is_empty() {
                continue;
            }
            let topology = &self.topologies[key as usize];
            let i = sums.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
                sums.push((key, vec![0; topology.values]));
                sums.len() - 1
            });
            for here in placed {
                if let Some(value) = topology.of(here.node as usize) {
                    sums[i].1[value] += weight * i64::from(here.live + here.leaving);
                }
            }
        }
        if sums.is_empty() {
            return None;
        }
        let score = |n: &usize| -> i64 {
            let on = |(key, by_value): &(u32, Vec<i64>)| {
                self.topologies[*key as usize].of(*n).map_or(0, |value| by_value[value])
            };
            sums.iter().map(on).sum()
        };
        let raw: Vec<i64> = nodes.iter().map(score).collect();
        let (min, max) = (raw.iter().copied().min()?, raw.iter().copied().max()?);
        let spread = (max - min) as f64;
        let normal =
            |score: i64| if max > min { (MAX as f64 * ((score - min) as f64 / spread)) as i64 } else { 0 };
        Some(raw.into_iter().map(normal).collect())
    }

    fn live_by_node(&self, classes: &[u32]) -> Vec<u32> {
        let mut counts = vec![0; self.nodes.len()];
        for here in classes.iter().flat_map(|class| &self.kinds[*class as usize].placed) {
            counts[here.node as usize] += here.live;
        }
        counts
    }
}

/// Source: `plugins/helper/normalize_score.go` `DefaultNormalizeScore`.
pub(super) fn normalized(mut scores: Vec<i64>, reverse: bool) -> Vec<i64> {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in &mut scores {
        let share = if max == 0 { 0 } else { MAX * *score / max };
        *score = if reverse { MAX - share } else { share };
    }
    scores
}

/// NodeResourcesFit with LeastAllocated: the free share of processor and memory, whole percents each.
/// Source: `noderesources/least_allocated.go`.
pub(super) fn least_allocated(kind: &Kind, room: &Room) -> i64 {
    let share = |capacity: i64, wanted: i64| {
        if wanted > capacity { 0 } else { (capacity - wanted) * MAX / capacity }
    };
    let mut scores =
        [(room.cpu, room.scored_cpu + kind.scored.0), (room.memory, room.scored_memory + kind.scored.1)]
            .into_iter()
            .filter(|(capacity, _)| *capacity > 0)
            .map(|(capacity, wanted)| share(capacity, wanted));
    match (scores.next(), scores.next()) {
        (Some(one), Some(other)) => (one + other) / 2,
        (Some(one), None) => one,
        _ => 0,
    }
}

/// NodeResourcesBalancedAllocation: how much nearer the shares of processor and memory come to each other.
/// Source: `noderesources/balanced_allocation.go` of 1.36.
pub(super) fn balanced(kind: &Kind, room: &Room) -> i64 {
    let evenness = |cpu: i64, memory: i64| {
        let share = |used: i64, capacity: i64| (used as f64 / capacity as f64).min(1.0);
        let deviation = if room.cpu > 0 && room.memory > 0 {
            (share(cpu, room.cpu) - share(memory, room.memory)).abs() / 2.0
        } else {
            0.0
        };
        ((1.0 - deviation) * MAX as f64) as i64
    };
    let without = evenness(room.used_cpu, room.used_memory);
    let with = evenness(room.used_cpu + kind.cpu, room.used_memory + kind.memory);
    MAX / 2 + (MAX / 2 + with - without) / 2
}
