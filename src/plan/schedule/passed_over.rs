//! Why a pod does not come up on the node that carries the least: what refuses it there, or what the scheduler likes more
//! of the one it takes.

use super::{
    board::{At, Board},
    class::{Class, Kind, Outlook},
    score,
};

impl Board {
    /// The node with the fewest pods among those that are up and take pods, where it carries less than half of this one.
    pub fn emptier_than(&self, at: At) -> Option<At> {
        let pods = |at: At| self.rooms[at.index()].used_pods;
        let open = |other: &At| self.node(*other).is_schedulable() && *other != at;
        let least = (0..self.len()).map(At::new).filter(open).min_by_key(|other| pods(*other))?;
        (pods(least) * 2 < pods(at)).then_some(least)
    }

    /// Why a pod of that class, which comes up on `taken`, does not come up on `other`: half a sentence. `None`: it may.
    pub fn passed_over(&mut self, class: Class, taken: At, other: At) -> Option<String> {
        let fits = self.land(class)?;
        if fits.best.contains(&other) {
            return None;
        }
        if !fits.feasible.contains(&other) {
            let refusal = self.refused(class);
            let (_, reasons) = refusal.reasons.iter().find(|(at, _)| *at == other)?;
            let why: Vec<_> = reasons.iter().map(|reason| reason.describe()).collect();
            return Some(why.join(", "));
        }
        let outlook = self.relate(class);
        let place = |at: At| fits.feasible.iter().position(|f| *f == at);
        let (taken_at, other_at) = (place(taken)?, place(other)?);
        let parts = self.parts(class, &outlook, &fits.feasible);
        let gain = |scores: &[i64]| scores[taken_at] - scores[other_at];
        let (what, scores) = parts.iter().max_by_key(|(_, scores)| gain(scores))?;
        (gain(scores) > 0).then(|| {
            let (low, high) = (fits.scores[other_at], fits.scores[taken_at]);
            format!("the scheduler scores it {low}, and {} {high}: {what}", self.node(taken).name)
        })
    }

    /// The score of each feasible node, a plugin each, weighted; their sum is [`Board::scores`].
    pub(super) fn parts(
        &self,
        class: Class,
        outlook: &Outlook,
        feasible: &[At],
    ) -> Vec<(&'static str, Vec<i64>)> {
        let kind: &Kind = &self.kinds[class.0 as usize];
        let nodes: Vec<usize> = feasible.iter().map(|at| at.index()).collect();
        let of = |score: &dyn Fn(usize) -> i64| nodes.iter().map(|n| score(*n)).collect::<Vec<_>>();
        let times =
            |weight: i64, scores: Vec<i64>| scores.into_iter().map(|s| weight * s).collect::<Vec<_>>();
        let fixed = &outlook.fixed;
        let taints = score::normalized(of(&|n| fixed.unloved[n]), true);
        let mut parts = vec![("fewer taints that pods are to avoid", times(3, taints))];
        if !kind.pod.spec.affinity.node_preferred.is_empty() {
            let preferred = score::normalized(of(&|n| fixed.preferred[n]), false);
            parts.push(("its node affinity prefers that node", times(2, preferred)));
        }
        if !outlook.soft.is_empty() {
            parts.push(("its pods are to be spread", times(2, self.spreading(kind, outlook, &nodes))));
        }
        if let Some(scores) = self.company(kind, &nodes) {
            parts.push(("the pods that it prefers to be with or apart from", times(2, scores)));
        }
        parts.push(("more of it is free of requests", of(&|n| score::least_allocated(kind, &self.rooms[n]))));
        parts.push(("its image is there already", of(&|n| fixed.images[n])));
        if kind.cpu != 0 || kind.memory != 0 {
            let balanced = of(&|n| score::balanced(kind, &self.rooms[n]));
            parts.push(("processor and memory are requested there in more equal shares", balanced));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{TenantName, sketch},
        plan::schedule::Incoming,
    };

    const TEXT: &str = "node w1 memory=32Gi cpu=16\nnode w2 memory=32Gi cpu=16\nnode w3 memory=1Gi cpu=16\n\
                        tenant acme 1 on w1 request=384Mi\n\
                        tenant globex 8 on w2 w2 w2 w2 w2 w2 w2 w2 request=384Mi";

    #[test]
    fn the_parts_add_up_to_the_score_and_the_greatest_difference_is_the_reason() {
        let seen = sketch(TEXT, jiff::Timestamp::UNIX_EPOCH).expect("a sketch");
        let mut board = Board::new(&seen);
        let class = board.class(&Incoming::next_of(&seen, &seen.tenants[&TenantName::from("acme")].workload));
        let fits = board.land(class).expect("it fits");
        let outlook = board.relate(class);
        let parts = board.parts(class, &outlook, &fits.feasible);
        let sums: Vec<i64> =
            (0..fits.feasible.len()).map(|n| parts.iter().map(|(_, all)| all[n]).sum()).collect();
        assert_eq!(sums, fits.scores);
        let (taken, other) = (fits.best[0], board.at(&"w3".into()).expect("a node"));
        assert_eq!(board.emptier_than(taken), Some(other));
        let why = board.passed_over(class, taken, other).expect("a reason");
        assert!(why.starts_with("the scheduler scores it ") && why.contains(", and w2 "), "{why}");
        // What does not take it at all says why.
        let full = TEXT.replace("memory=1Gi", "memory=256Mi");
        let seen = sketch(&full, jiff::Timestamp::UNIX_EPOCH).expect("a sketch");
        let mut board = Board::new(&seen);
        let class = board.class(&Incoming::next_of(&seen, &seen.tenants[&TenantName::from("acme")].workload));
        let why = board.passed_over(class, taken, other).expect("a reason");
        assert!(why.starts_with("memory short"), "{why}");
    }
}
