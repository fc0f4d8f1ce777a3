//! Node labels as numbers: which nodes share a value of a topology key.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::cluster::Node;

/// The label every node carries with its own name: spreading treats it specially.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label that names a node's zone.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
/// A node without the label.
pub(super) const NONE: u32 = u32::MAX;

/// One topology key: the value of each node as a number.
pub(super) struct Topology {
    pub key: String,
    /// By node; [`NONE`] where the label is missing.
    pub value_of: Vec<u32>,
    /// How many different values there are.
    pub values: usize,
}

impl Topology {
    pub fn new(key: &str, nodes: &[Arc<Node>]) -> Self {
        let mut known: HashMap<&str, u32> = HashMap::new();
        let value_of = nodes
            .iter()
            .map(|node| match node.labels.get(key) {
                Some(value) => {
                    let next = known.len() as u32;
                    *known.entry(value).or_insert(next)
                }
                None => NONE,
            })
            .collect();
        Self { key: key.to_owned(), value_of, values: known.len() }
    }

    /// The node's value as an index, unless it lacks the label.
    pub fn of(&self, node: usize) -> Option<usize> {
        let value = self.value_of[node];
        (value != NONE).then_some(value as usize)
    }
}
