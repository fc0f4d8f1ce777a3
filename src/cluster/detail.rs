//! What is fetched on demand about one tenant: Kubernetes Events and log lines.

use std::sync::Arc;

use jiff::Timestamp;

use super::Key;

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
