//! Why no node takes a pod: the reasons of all nodes as one sentence, and whether the scheduler may make room.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    board::{At, Board},
    class::Class,
    filter::Filters,
    reason::Reason,
};

/// Why no node takes a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// How many nodes there are.
    pub nodes: usize,
    /// The reasons of each node that does not take it, in the order of their names.
    pub reasons: Vec<(At, Vec<Reason>)>,
    /// Whether the scheduler may make room by removing pods of lower priority.
    pub preemption: Preemption,
}

/// Whether the scheduler may make room. Recognised only: which pods it would remove is not worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// `preemptionPolicy: Never`.
    Never,
    /// On no node would it help.
    NoUse,
    /// On these nodes sit pods of lower priority, and removing pods could help: the scheduler may do it.
    Possible(Vec<At>),
}

impl Refusal {
    /// The reasons as the scheduler counts and sorts them: `1 Insufficient cpu, 3 Too many pods`.
    pub fn counts(&self) -> String {
        let mut counts: BTreeMap<Cow<str>, usize> = BTreeMap::new();
        for reason in self.reasons.iter().flat_map(|(_, reasons)| reasons) {
            *counts.entry(reason.in_its_words()).or_default() += 1;
        }
        let mut texts: Vec<_> = counts.into_iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        texts.sort();
        texts.join(", ")
    }

    /// The scheduler's sentence, without its tail about preemption: `0/4 nodes are available: 4 Insufficient cpu.`
    /// Source: `framework/types.go` `FitError.Error`.
    pub fn message(&self) -> String {
        match self.nodes {
            0 => "0/0 nodes are available.".into(),
            n => format!("0/{n} nodes are available: {}.", self.counts()),
        }
    }

    /// In our words, nodes with the same trouble together: `memory short on w1 and w3 (448 Mi wanted, at most
    /// 120 Mi free); w4 cordoned`.
    pub fn describe(&self, board: &Board) -> String {
        let mut short: BTreeMap<&str, (Vec<&str>, u64, u64)> = BTreeMap::new();
        let mut others: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (at, reasons) in &self.reasons {
            let name = board.node(*at).name.as_str();
            for reason in reasons {
                match reason {
                    Reason::Insufficient { resource, wanted, free, .. } => {
                        let entry = short.entry(resource).or_insert((Vec::new(), *wanted, 0));
                        entry.0.push(name);
                        entry.2 = entry.2.max(*free);
                    }
                    other => others.entry(other.describe()).or_default().push(name),
                }
            }
        }
        let short = short.into_iter().map(|(resource, (nodes, wanted, most))| {
            let one = Reason::Insufficient { resource: resource.into(), wanted, free: most, never: false };
            let text = one.describe();
            let (head, tail) = text.split_once(" (").unwrap_or((&text, ""));
            let tail =
                if nodes.len() > 1 { tail.replace("wanted, ", "wanted, at most ") } else { tail.into() };
            format!("{head} on {} ({tail}", list(&nodes))
        });
        let others = others.into_iter().map(|(reason, nodes)| format!("{} {reason}", list(&nodes)));
        let all: Vec<_> = short.chain(others).collect();
        if all.is_empty() { "there are no nodes".into() } else { all.join("; ") }
    }
}

/// `w1`, `w1 and w2`, `w1, w2, w3 and 4 more`.
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    match names {
        [] => "no node".into(),
        [one] => (*one).into(),
        _ if names.len() > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Board {
    pub(super) fn refusal(&self, class: Class, standing: &Filters) -> Refusal {
        let all = (0..self.nodes.len()).map(|n| (At(n as u32), self.reasons(standing, n)));
        let reasons: Vec<_> = all.filter(|(_, reasons)| !reasons.is_empty()).collect();
        let preemption = self.preemption(class, &reasons);
        Refusal { nodes: self.nodes.len(), reasons, preemption }
    }

    /// Source: `plugins/defaultpreemption`: nodes whose refusal can be resolved, with pods of lower priority.
    fn preemption(&self, class: Class, reasons: &[(At, Vec<Reason>)]) -> Preemption {
        let pod = &self.kinds[class.0 as usize].pod.spec;
        if pod.never_preempts {
            return Preemption::Never;
        }
        let mut lower = vec![false; self.nodes.len()];
        for kind in self.kinds.iter().filter(|k| k.pod.spec.priority < pod.priority) {
            kind.placed.iter().for_each(|here| lower[here.node as usize] = true);
        }
        let helps = |(at, reasons): &&(At, Vec<Reason>)| {
            lower[at.0 as usize] && reasons.iter().all(Reason::resolvable)
        };
        let nodes: Vec<_> = reasons.iter().filter(helps).map(|(at, _)| *at).collect();
        if nodes.is_empty() { Preemption::NoUse } else { Preemption::Possible(nodes) }
    }
}
