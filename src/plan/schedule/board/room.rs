//! The room on a node.

use std::collections::BTreeMap;

use super::super::class::{Kind, clamp};
use crate::cluster::{HostPort, Node};

/// What a node offers, and what is taken of it. Thousandths of a core, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::plan::schedule) struct Room {
    pub cpu: i64,
    pub memory: i64,
    pub pods: u32,
    pub other: BTreeMap<String, i64>,
    pub used_cpu: i64,
    pub used_memory: i64,
    pub used_pods: u32,
    pub used_other: BTreeMap<String, i64>,
    /// As LeastAllocated counts it.
    pub scored_cpu: i64,
    pub scored_memory: i64,
    pub ports: BTreeMap<HostPort, u32>,
}

impl Room {
    pub(super) fn of(node: &Node) -> Self {
        Self {
            cpu: node.allocatable.cpu.map_or(0, |c| clamp(c.0)),
            memory: node.allocatable.memory.map_or(0, |m| clamp(m.0)),
            pods: node.pods,
            other: node.allocatable.other.iter().map(|(name, n)| (name.clone(), clamp(*n))).collect(),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, kind: &Kind) {
        self.count(kind, 1);
        for port in &kind.ports {
            *self.ports.entry(port.clone()).or_default() += 1;
        }
    }

    pub(super) fn take(&mut self, kind: &Kind) {
        self.count(kind, -1);
        for port in &kind.ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
    }

    fn count(&mut self, kind: &Kind, sign: i64) {
        self.used_pods = self.used_pods.saturating_add_signed(sign as i32);
        self.used_cpu += sign * kind.cpu;
        self.used_memory += sign * kind.memory;
        self.scored_cpu += sign * kind.scored_there.0;
        self.scored_memory += sign * kind.scored_there.1;
        for (name, amount) in &kind.other {
            let used = self.used_other.entry(name.clone()).or_default();
            *used += sign * amount;
            if *used == 0 {
                self.used_other.remove(name);
            }
        }
    }
}
