//! Whether there is so much room that nobody has to ask where each pod goes.
//!
//! Asked by the what-if of every node, where most losses are harmless. The answer is "yes, whatever the scheduler
//! prefers" or "perhaps": it never says yes when a pod could be left over.

use super::{
    board::{Board, Room},
    class::{Class, Kind},
    fixed::Gate,
    topology::{HOSTNAME, NONE},
};

impl Board {
    /// All these pods find a node that is not closed, in whatever order they come and whichever nodes are taken.
    ///
    /// A node refuses a pod for want of room only after it has taken as many as it has room for of the largest kind.
    /// So there is a node for each as long as all nodes together have room for more of the largest kind than there are
    /// pods. Where pods keep away from each other, a pod may besides find as many nodes taken as there are pods in its
    /// namespace: that many are left out of the sum, the roomiest first.
    pub fn has_plenty_for(&mut self, pods: &[Class]) -> bool {
        if pods.is_empty() {
            return true;
        }
        let mut classes = pods.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let mut left_out = 0;
        for class in &classes {
            match self.nodes_taken_at_most(*class) {
                Some(taken) => left_out = left_out.max(taken),
                None => return false,
            }
        }
        let fixed: Vec<_> = classes.iter().map(|c| self.fixed_of(*c)).collect();
        let mut different = fixed.clone();
        different.sort_unstable_by_key(|f| std::sync::Arc::as_ptr(f) as usize);
        different.dedup_by(|a, b| std::sync::Arc::ptr_eq(a, b));
        let kinds = || classes.iter().map(|c| &self.kinds[c.0 as usize]);
        let largest =
            (kinds().map(|k| k.cpu).max().unwrap_or(0), kinds().map(|k| k.memory).max().unwrap_or(0));
        let open = |n: &usize| {
            self.closed[*n].is_none() && different.iter().all(|fixed| fixed.gate[*n] == Gate::Open)
        };
        let mut rooms: Vec<u64> =
            (0..self.nodes.len()).filter(open).map(|n| self.rooms[n].times(largest)).collect();
        rooms.sort_unstable_by(|a, b| b.cmp(a));
        rooms.iter().skip(left_out).sum::<u64>() >= pods.len() as u64
    }

    /// Nodes on which pods that must be kept apart from this one can stand at most; `None` when that, or anything else
    /// that forbids a node beside room, would have to be looked at closely.
    fn nodes_taken_at_most(&self, class: Class) -> Option<usize> {
        let kind = &self.kinds[class.0 as usize];
        let spec = &kind.pod.spec;
        let plain = kind.near.is_empty()
            && kind.ports.is_empty()
            && kind.other.is_empty()
            && !kind.wide
            && spec.spread.iter().all(|c| !c.hard);
        let neighbours = self.neighbours(class);
        let by_node = |topology: &u32| {
            let topology = &self.topologies[*topology as usize];
            let labelled = topology.value_of.iter().filter(|v| **v != NONE).count();
            topology.key == HOSTNAME && topology.values == labelled
        };
        let apart_by_node = |k: &Kind| k.apart.iter().all(by_node);
        if !plain
            || self.wide_apart()
            || !neighbours.iter().all(|id| apart_by_node(&self.kinds[*id as usize]))
        {
            return None;
        }
        let apart = neighbours.iter().any(|id| !self.kinds[*id as usize].apart.is_empty());
        let pods = |id: &u32| {
            self.kinds[*id as usize].placed.iter().map(|s| (s.live + s.leaving) as usize).sum::<usize>()
        };
        // A leaving pod and its replacement both stand somewhere.
        Some(if apart { 2 * neighbours.iter().map(pods).sum::<usize>() } else { 0 })
    }
}

impl Room {
    /// How many pods of that size it has room for.
    fn times(&self, (cpu, memory): (i64, i64)) -> u64 {
        let fit = |free: i64, each: i64| if each == 0 { u64::MAX } else { (free.max(0) / each) as u64 };
        u64::from(self.pods.saturating_sub(self.used_pods))
            .min(fit(self.cpu - self.used_cpu, cpu))
            .min(fit(self.memory - self.used_memory, memory))
    }
}
