//! The drills, one entry each: what happens, how it is seen that it is over, hints, and the keys that solve it.

mod cluster;
mod database;

use super::site::{Colleague, Site};
use crate::demo::{Cluster, Scenario};

/// One drill.
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// What has happened, told afterwards.
    pub story: &'static str,
    /// The world it begins in.
    pub scenario: Scenario,
    /// So many nodes are in it.
    pub nodes: usize,
    /// World seconds a second where nothing else is said.
    pub speed: f64,
    /// It strikes so many world seconds after the operator is at the screen.
    pub strikes_after: i64,
    pub(super) strike: fn(&Site<'_>) -> Result<(), String>,
    /// What else happens, by the world seconds since, and what somebody does with what was copied. What is to be said of it.
    pub(super) meanwhile: fn(&Site<'_>, i64, &str) -> Option<String>,
    /// The rules whose findings tell of it.
    pub rules: &'static [&'static str],
    /// What has to be so, one after another.
    pub stages: &'static [Stage],
    /// It is over after so many minutes of the world's time.
    pub minutes: u32,
    /// The keys that solve it, for tests and for the end report.
    pub model: &'static [DrillStep],
    /// World seconds from its begin to its end with these keys, as they were measured.
    pub reference: u32,
}

impl Drill {
    /// Lets the incident strike in a cluster.
    ///
    /// # Errors
    /// One sentence: who takes part in it cannot be started.
    pub fn strike_in(&self, cluster: &Cluster) -> Result<(), String> {
        (self.strike)(&Site { cluster, colleague: &Colleague::default() })
    }
}

/// A part of the way to the end.
pub struct Stage {
    /// What is done in it, told afterwards.
    pub what: &'static str,
    /// What to do now.
    pub hint: &'static str,
    /// It is over: by what is so in the cluster, whatever keys led there.
    pub(super) done: fn(&Site<'_>) -> bool,
}

/// A step of the way that is known to lead to the end.
pub struct DrillStep {
    /// What is on the screen then.
    pub see: &'static str,
    /// The keys, as a terminal sends them.
    pub keys: &'static str,
    /// What they do.
    pub what: &'static str,
}

const fn step(see: &'static str, keys: &'static str, what: &'static str) -> DrillStep {
    DrillStep { see, keys, what }
}

fn nothing(_: &Site<'_>, _: i64, _: &str) -> Option<String> {
    None
}

/// All drills, the easiest first.
pub const DRILLS: &[Drill] = &[
    cluster::CORDONED,
    cluster::BAD_RELEASE,
    cluster::MEMORY,
    cluster::QUOTA,
    cluster::AUTOSCALER,
    cluster::NODE_LOST,
    cluster::MIGRATION_CUT_OFF,
    cluster::CERTIFICATE,
    database::WRITER_LOST,
    database::FLOW_CONTROL,
    database::PROXYSQL_DRIFT,
    database::NO_QUORUM,
    database::ALL_DOWN,
];
