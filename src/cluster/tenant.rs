//! A tenant: one workload, its pods, and where they sit.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{NodeName, Pod, PodState, TenantName, Workload};

/// A client organisation and its pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// What operators call it.
    pub name: TenantName,
    /// Its Deployment or StatefulSet.
    pub workload: Arc<Workload>,
    /// Its pods, by name, the terminating and finished ones too.
    pub pods: Vec<Arc<Pod>>,
    /// Pods that are its own by their names and could not be read: nothing is known of them.
    pub unread: u32,
}

/// Pods of one tenant on one node (or on none yet), by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Serving.
    pub ready: u32,
    /// Coming up, or waiting for a node.
    pub starting: u32,
    /// Being deleted.
    pub terminating: u32,
    /// Crashing or unschedulable.
    pub failing: u32,
    /// On a node that does not answer.
    pub unknown: u32,
}

impl Cell {
    /// Counts one pod in.
    pub fn add(&mut self, state: PodState) {
        match state {
            PodState::Ready => self.ready += 1,
            PodState::Starting => self.starting += 1,
            PodState::Terminating => self.terminating += 1,
            PodState::Unknown => self.unknown += 1,
            PodState::Failing | PodState::Unschedulable => self.failing += 1,
            PodState::Finished => {}
        }
    }

    /// Pods that count for the workload: all but the terminating.
    pub fn active(&self) -> u32 {
        self.ready + self.starting + self.failing + self.unknown
    }

    /// More than one active pod: the node's loss costs the tenant several.
    pub fn is_doubled(&self) -> bool {
        self.active() > 1
    }
}

impl Tenant {
    /// Replicas asked for (`spec.replicas`).
    pub fn desired(&self) -> u32 {
        self.workload.desired
    }

    /// Pods that serve: Ready and not leaving.
    pub fn ready(&self) -> u32 {
        self.active().filter(|p| p.ready).count() as u32
    }

    /// None of its pods is ready, while some are asked for. Where pods could not be read, that is not known.
    pub fn is_down(&self) -> bool {
        self.desired() > 0 && self.ready() == 0 && self.unread == 0
    }

    /// Ready pods of those asked for in the end: `2/3`, and `2?/3` where some could not be read.
    pub fn ready_of(&self, wanted: u32) -> String {
        format!("{}{}/{wanted}", self.ready(), if self.unread > 0 { "?" } else { "" })
    }

    /// That some of its pods could not be read: `2 of its pods could not be read`.
    pub fn unread_words(&self) -> Option<String> {
        (self.unread > 0).then(|| format!("{} of its pods could not be read", self.unread))
    }

    /// Pods that count: neither leaving nor finished.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.iter().filter(|p| p.is_active())
    }

    /// Whether a pod that belongs to nobody is made like its pods: in its namespace, with the labels it selects by.
    pub fn is_like(&self, pod: &Pod) -> bool {
        let workload = &self.workload;
        pod.key.namespace == workload.key.key.namespace
            && !workload.selector.requirements.is_empty()
            && workload.selector.matches(&pod.labels)
    }

    /// Active pods a node. Pods without a node are left out.
    pub fn placement(&self) -> BTreeMap<NodeName, u32> {
        let mut placement = BTreeMap::new();
        for node in self.active().filter_map(|p| p.node.clone()) {
            *placement.entry(node).or_default() += 1;
        }
        placement
    }

    /// Restarts of all containers of its active pods.
    pub fn restarts(&self) -> u32 {
        self.active().fold(0, |all, pod| all.saturating_add(pod.restarts()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn restarts_are_counted_as_far_as_numbers_go() {
        let many = "node w1\nnode w2\ntenant acme 2 on w1 w2 restarts=2147483648";
        let mut seen = sketch(many, Timestamp::UNIX_EPOCH).expect("a cluster");
        let tenant = seen.tenants.remove(&TenantName::from("acme")).expect("a tenant");
        assert_eq!(tenant.restarts(), u32::MAX, "of two pods");
        let mut pod = Pod::clone(&tenant.pods[0]);
        assert_eq!(pod.restarts(), 1 << 31);
        pod.containers.extend(pod.containers.clone());
        assert_eq!(pod.restarts(), u32::MAX, "of two containers");
    }
}
