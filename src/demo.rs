//! The embedded cluster: a deterministic world behind a real Kubernetes API on loopback.
//!
//! `start` builds a world from a seed and serves it; the `demo` subcommand and the tests call it.
//! Nothing under `demo` may import another room of this crate: a mistake in our model of Kubernetes
//! must not be mirrored in the cluster that it is tested against.

mod controllers;
pub mod fields;
pub mod kind;
mod kubelet;
mod labels;
mod logs;
mod quantity;
mod scenario;
mod scheduler;
pub mod store;
mod usage;
mod value;
mod world;

pub use scenario::Scenario;
pub use world::{LogLine, NoLog, World};

use jiff::Timestamp;

/// What the embedded cluster is made of and how its time runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of tenants, each with a namespace of its own.
    pub tenants: usize,
    /// Number of worker nodes.
    pub nodes: usize,
    /// Decides every name, uid, placement and number: the same seed gives the same world.
    pub seed: u64,
    /// What has happened to the world before it starts, and what will.
    pub scenario: Scenario,
    /// World seconds a wall-clock second; 0 stands still and is stepped by hand.
    pub speed: f64,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The world's time at the start; the wall clock's when absent.
    pub epoch: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self { tenants: 24, nodes: 6, seed: 1, scenario: Scenario::Calm, speed: 1.0, port: 0, epoch: None }
    }
}
