//! What a change is about, and what a lease or an observation is of.

use std::fmt;

use crate::cluster::{Key, MemberName, NodeName, ProxyName, WorkloadKey};

/// One thing a change is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A Deployment or StatefulSet.
    Workload(WorkloadKey),
    /// A node.
    Node(NodeName),
    /// A pod, by namespace and name.
    Pod(Key),
    /// A HorizontalPodAutoscaler.
    Autoscaler(Key),
    /// A Job.
    Job(Key),
    /// A ProxySQL.
    Proxy(ProxyName),
    /// A Galera member.
    Member(MemberName),
}

impl Object {
    /// It is an endpoint of the database: it may be gone for good, and is not waited for without end.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Proxy(_) | Self::Member(_))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(key) => write!(f, "{key}"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Pod(key) => write!(f, "pod {key}"),
            Self::Autoscaler(key) => write!(f, "autoscaler {key}"),
            Self::Job(key) => write!(f, "job {key}"),
            Self::Proxy(name) => write!(f, "{name}"),
            Self::Member(name) => write!(f, "{name}"),
        }
    }
}
