//! Where a pod goes: the filters leave nodes over, the scores choose among them.

use std::sync::Arc;

use super::{
    board::{At, Board},
    class::Class,
    explain::Refusal,
    filter::Filters,
    fixed::Gate,
};

/// Where a pod goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Placement {
    /// At least one node takes it.
    Fits(Fits),
    /// None does.
    Nowhere(Refusal),
}

/// The nodes that take a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fits {
    /// All nodes with the highest score: the scheduler takes one of them, which one cannot be known.
    pub best: Vec<At>,
    /// All nodes that pass the filters, in the order of their names.
    pub feasible: Vec<At>,
    /// The final score of each feasible node; all zero when there is only one, as nothing is scored then.
    pub scores: Vec<i64>,
}

impl Board {
    /// Where a pod of that class goes, by everything that is on the board. Nothing is bound.
    pub fn place(&mut self, class: Class) -> Placement {
        match self.land(class) {
            Some(fits) => Placement::Fits(fits),
            None => Placement::Nowhere(self.refused(class)),
        }
    }

    /// The same, without the reasons why no node takes it.
    pub fn land(&mut self, class: Class) -> Option<Fits> {
        let outlook = self.relate(class);
        let standing = Filters::new(self, class, &outlook);
        let feasible: Vec<At> =
            (0..self.nodes.len() as u32).map(At).filter(|at| self.passes(&standing, at.0 as usize)).collect();
        if feasible.is_empty() {
            return None;
        }
        let scores = if feasible.len() == 1 { vec![0] } else { self.scores(class, &outlook, &feasible) };
        let highest = scores.iter().copied().max().unwrap_or(0);
        let best = feasible.iter().zip(&scores).filter(|(_, s)| **s == highest).map(|(at, _)| *at).collect();
        Some(Fits { best, feasible, scores })
    }

    /// The first of these nodes that takes a pod of that class, whatever the scores say.
    pub fn first_to_take(&mut self, class: Class, nodes: impl IntoIterator<Item = At>) -> Option<At> {
        let outlook = self.relate(class);
        let standing = Filters::new(self, class, &outlook);
        nodes.into_iter().find(|at| self.passes(&standing, at.index()))
    }

    /// By node: it is open to pods of at least one of these classes, as far as taints, labels and its own state decide.
    pub fn open_to_any(&mut self, classes: &[Class]) -> Vec<bool> {
        let mut kinds: Vec<_> = classes.iter().map(|class| self.fixed_of(*class)).collect();
        kinds.sort_unstable_by_key(|fixed| Arc::as_ptr(fixed) as usize);
        kinds.dedup_by(|a, b| Arc::ptr_eq(a, b));
        (0..self.nodes.len()).map(|n| kinds.iter().any(|fixed| fixed.gate[n] == Gate::Open)).collect()
    }

    /// Why the nodes that do not take a pod of that class do not, node by node.
    pub fn refused(&mut self, class: Class) -> Refusal {
        let outlook = self.relate(class);
        let standing = Filters::new(self, class, &outlook);
        self.refusal(class, &standing)
    }

    /// The nodes that can win: [`Fits::best`], or more of them where the scheduler looks at a part of the nodes only.
    ///
    /// Source: `schedule_one.go` `numFeasibleNodesToFind`: from 100 nodes on it stops at 50 % less one for each 125
    /// nodes (at least 5 %, at least 100 nodes). Of `n` feasible nodes it then compares `k`, so that the winner is
    /// among the best `n - k + 1`.
    pub fn possible(&self, fits: &Fits) -> Vec<At> {
        let all = self.nodes.len();
        let share = (50usize.saturating_sub(all / 125)).max(5);
        let looked_at = if all < 100 { all } else { (all * share / 100).max(100) };
        let feasible = fits.feasible.len();
        if feasible <= looked_at {
            return fits.best.clone();
        }
        let mut ranked = fits.scores.clone();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let least = ranked[feasible - looked_at];
        let pairs = fits.feasible.iter().zip(&fits.scores);
        pairs.filter(|(_, score)| **score >= least).map(|(at, _)| *at).collect()
    }
}
