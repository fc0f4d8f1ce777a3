//! The parts of a plan: a tenant, a node or the database, each with its checks, its lines and its verification.

use serde::{Deserialize, Serialize};

use super::{About, Check, DatabasePart, Part, Plan, verify, verify_database};
use crate::cluster::{NodeName, Snapshot, Uid};

/// What a plan does to one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodePart {
    /// The node.
    pub node: NodeName,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// Cordoned before.
    pub from: bool,
    /// Cordoned afterwards.
    pub to: bool,
    /// What was checked, and how it came out.
    pub checks: Vec<Check>,
    /// The `kubectl` line that would do the same.
    pub kubectl: String,
    /// What undoing it would do, in words.
    pub undo: String,
    /// What is done in a few words, where it is no cordon: `evict shop/db-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// One part of a plan.
#[derive(Clone, Copy, Debug)]
pub enum PartRef<'a> {
    /// A tenant's.
    Tenant(&'a Part),
    /// A node's.
    Node(&'a NodePart),
    /// The database's.
    Database(&'a DatabasePart),
}

impl<'a> PartRef<'a> {
    /// What it is about: the same that its steps are about.
    pub fn about(self) -> About {
        match self {
            Self::Tenant(part) => About::Tenant(part.tenant.clone()),
            Self::Node(part) => About::Node(part.node.clone()),
            Self::Database(_) => About::Database,
        }
    }

    /// What was checked, and how it came out.
    pub fn checks(self) -> &'a [Check] {
        match self {
            Self::Tenant(part) => &part.checks,
            Self::Node(part) => &part.checks,
            Self::Database(part) => &part.checks,
        }
    }

    /// What is done to it, in a few words: `acme 3 → 5`.
    pub fn words(self) -> String {
        match self {
            Self::Tenant(part) => match &part.what {
                Some(what) => what.clone(),
                None => format!("{} {} → {}", part.tenant, part.from, part.to),
            },
            Self::Node(NodePart { what: Some(what), .. }) => what.clone(),
            Self::Node(NodePart { node, to: true, .. }) => format!("{node} cordoned"),
            Self::Node(NodePart { node, to: false, .. }) => format!("{node} uncordoned"),
            Self::Database(part) => part.words(),
        }
    }

    /// The lines that do the same by hand.
    pub fn by_hand(self) -> Vec<&'a str> {
        match self {
            Self::Tenant(part) => Some(&*part.kubectl).into_iter().filter(|line| !line.is_empty()).collect(),
            Self::Node(part) => Some(&*part.kubectl).into_iter().filter(|line| !line.is_empty()).collect(),
            Self::Database(part) => part.sql.iter().map(String::as_str).collect(),
        }
    }

    /// What undoing it would do, in words.
    pub fn undo(self) -> &'a str {
        match self {
            Self::Tenant(part) => &part.undo,
            Self::Node(part) => &part.undo,
            Self::Database(part) => &part.undo,
        }
    }

    /// Compares it with what the plan said of it: whether it came true, and one sentence.
    pub fn verify(self, after: &Snapshot) -> (bool, String) {
        match self {
            Self::Tenant(part) => verify(part, after),
            Self::Node(part) => node(part, after),
            Self::Database(part) => verify_database(part, after),
        }
    }
}

fn node(part: &NodePart, after: &Snapshot) -> (bool, String) {
    let word = |cordoned| if cordoned { "cordoned" } else { "not cordoned" };
    match after.nodes.get(&part.node) {
        None => (false, format!("node {} is gone", part.node)),
        Some(node) if node.cordoned == part.to => (true, word(part.to).into()),
        Some(node) => (false, format!("{} by now: somebody changed it", word(node.cordoned))),
    }
}

impl Plan {
    /// Its parts: the tenants', the nodes', the database's.
    pub fn parts(&self) -> impl Iterator<Item = PartRef<'_>> {
        let tenants = self.tenants.iter().map(PartRef::Tenant);
        let nodes = self.nodes.iter().map(PartRef::Node);
        tenants.chain(nodes).chain(self.database.iter().map(PartRef::Database))
    }
}
