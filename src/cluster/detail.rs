//! What is fetched on demand: Kubernetes Events, log lines, and objects whole.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::{Key, NodeName, WorkloadKey};

/// A Kubernetes Event about an object of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeEvent {
    /// When it last happened.
    pub at: Timestamp,
    /// `type: Warning`; otherwise `Normal`.
    pub warning: bool,
    /// `reason`, such as `BackOff`.
    pub reason: Arc<str>,
    /// `involvedObject`: kind and key.
    pub object: (Arc<str>, Key),
    /// `message`.
    pub message: Arc<str>,
    /// How often it happened.
    pub count: u32,
}

/// An object that can be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKey {
    /// A pod.
    Pod(Key),
    /// A Deployment or StatefulSet.
    Workload(WorkloadKey),
    /// A node.
    Node(NodeName),
}

impl ObjectKey {
    /// `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pod(_) => "Pod",
            Self::Workload(workload) => workload.kind.name(),
            Self::Node(_) => "Node",
        }
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Pod(key) | Self::Workload(WorkloadKey { key, .. }) => Some(&key.namespace),
            Self::Node(_) => None,
        }
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        match self {
            Self::Pod(key) | Self::Workload(WorkloadKey { key, .. }) => &key.name,
            Self::Node(name) => name.as_str(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind(), self.name()),
            None => write!(f, "{} {}", self.kind(), self.name()),
        }
    }
}

/// An object as the API server has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// All of it.
    pub value: serde_json::Value,
    /// The Events about it, newest first, or why there are none.
    pub events: Result<KubeEvents, String>,
}

/// Events, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KubeEvents {
    /// Those that could be read.
    pub all: Vec<KubeEvent>,
    /// One sentence about those that could not be.
    pub unread: Option<String>,
}

impl From<Vec<KubeEvent>> for KubeEvents {
    fn from(all: Vec<KubeEvent>) -> Self {
        Self { all, unread: None }
    }
}

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogSource {
    /// Which pod.
    pub pod: Key,
    /// Which container.
    pub container: Arc<str>,
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRange {
    /// Not more than so many of the last lines; `None`: all of them.
    pub tail: Option<u32>,
    /// Not older than so many seconds; `None`: of any age.
    pub since: Option<u32>,
    /// Of the container's run before its last restart. That log has an end.
    pub previous: bool,
    /// What is written from now on as well.
    pub follow: bool,
}

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When the kubelet received it, where it says.
    pub at: Option<Timestamp>,
    /// The text, as it came.
    pub text: Arc<str>,
}
