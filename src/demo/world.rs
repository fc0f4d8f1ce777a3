//! The world: objects, and everything that moves them while time passes.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Options;
use super::store::Store;

/// The whole embedded cluster at one moment. Pure: its time moves only by [`World::step`].
pub struct World {
    /// The API's objects.
    pub store: Store,
}

/// One line a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The line without its end.
    pub text: String,
}

/// Why there is no log to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLog {
    /// No such pod.
    Pod,
    /// The pod has no such container.
    Container,
    /// The container has not started; the text is the reason it waits for.
    Waiting(String),
    /// There was no earlier run of this container.
    NoPrevious,
    /// The pod is not on a node yet, or its node does not answer.
    Node,
}

impl World {
    /// A settled world: the same options give the same objects relative to `now`.
    pub fn build(options: &Options, now: Timestamp) -> Self {
        Self { store: Store::new(now, options.seed) }
    }

    /// Lets `by` pass in world time.
    pub fn step(&mut self, by: Duration) {
        let _ = by;
    }

    /// Lets the controllers react to writes at the present moment.
    pub fn react(&mut self) {}

    /// The next moment at which something happens by itself.
    pub fn idle_until(&self) -> Option<Timestamp> {
        None
    }

    /// What the container wrote so far, oldest first.
    pub fn log_lines(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<Vec<LogLine>, NoLog> {
        let _ = (namespace, pod, container, previous);
        Err(NoLog::Pod)
    }

    /// `metrics.k8s.io` PodMetrics items.
    pub fn pod_metrics(&self, namespace: Option<&str>) -> Vec<Value> {
        let _ = namespace;
        Vec::new()
    }

    /// `metrics.k8s.io` NodeMetrics items.
    pub fn node_metrics(&self) -> Vec<Value> {
        Vec::new()
    }
}
