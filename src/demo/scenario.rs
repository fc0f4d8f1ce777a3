//! Scenarios: what has happened to the world before it starts, and what happens to it later.
//!
//! A scenario is a file in `scenarios/`. [`World::build`] makes the settled world and lets the past of its scenario happen.

pub(super) mod act;
mod around;
mod cluster;
mod objects;
mod outside;
mod script;
mod settled;
mod tenants;

pub(crate) use around::{PULLER, REGISTRY};

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::world::{Act, Wake, World};
use super::{Options, database};
use script::{Script, numbered};

/// A named state of the world, from `scenarios/*.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything is well.
    Calm,
    /// A node came back empty; its tenants are doubled up elsewhere.
    NodeRecovered,
    /// Memory is nearly exhausted and several things are wrong at once.
    Pressure,
    /// A tenant's host leads to another tenant.
    HostStolen,
    /// The certificates of two hosts end soon, since their renewal fails.
    CertificateExpiring,
    /// The passive edge was not reloaded since the certificates were renewed.
    EdgeStale,
    /// The storage of the registry is not there.
    RegistryLost,
    /// One member of the database was killed; the others have quorum.
    GaleraDegraded,
    /// One member of the database is left and has no quorum.
    GaleraNoQuorum,
    /// All members of the database were killed at different positions.
    GaleraAllDown,
    /// A slow member of the database throttles the writers of all.
    FlowControl,
    /// The configuration of the proxies of the database differs from what is loaded and saved.
    ProxysqlDrift,
    /// The member of the database that takes the writes was killed a moment ago.
    WriterLost,
}

impl Scenario {
    /// All of them. Those of the database have a calm cluster, and the others a calm database.
    pub const ALL: [Self; 13] = [
        Self::Calm,
        Self::NodeRecovered,
        Self::Pressure,
        Self::HostStolen,
        Self::CertificateExpiring,
        Self::EdgeStale,
        Self::RegistryLost,
        Self::GaleraDegraded,
        Self::GaleraNoQuorum,
        Self::GaleraAllDown,
        Self::FlowControl,
        Self::ProxysqlDrift,
        Self::WriterLost,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::NodeRecovered => "node-recovered",
            Self::Pressure => "pressure",
            Self::HostStolen => "host-stolen",
            Self::CertificateExpiring => "certificate-expiring",
            Self::EdgeStale => "edge-stale",
            Self::RegistryLost => "registry-lost",
            _ => self.database().name(),
        }
    }

    /// What is going on in the database.
    pub fn database(self) -> database::Scenario {
        match self {
            Self::Calm
            | Self::NodeRecovered
            | Self::Pressure
            | Self::HostStolen
            | Self::CertificateExpiring
            | Self::EdgeStale
            | Self::RegistryLost => database::Scenario::Calm,
            Self::GaleraDegraded => database::Scenario::GaleraDegraded,
            Self::GaleraNoQuorum => database::Scenario::GaleraNoQuorum,
            Self::GaleraAllDown => database::Scenario::GaleraAllDown,
            Self::FlowControl => database::Scenario::FlowControl,
            Self::ProxysqlDrift => database::Scenario::ProxysqlDrift,
            Self::WriterLost => database::Scenario::WriterLost,
        }
    }

    /// One line about it.
    pub fn summary(self) -> String {
        self.script().summary
    }

    fn script(self) -> Script {
        let text = match self {
            Self::NodeRecovered => include_str!("scenarios/node-recovered.toml"),
            Self::Pressure => include_str!("scenarios/pressure.toml"),
            Self::HostStolen => include_str!("scenarios/host-stolen.toml"),
            Self::CertificateExpiring => include_str!("scenarios/certificate-expiring.toml"),
            Self::EdgeStale => include_str!("scenarios/edge-stale.toml"),
            Self::RegistryLost => include_str!("scenarios/registry-lost.toml"),
            _ => include_str!("scenarios/calm.toml"),
        };
        toml::from_str(text).expect("the built-in scenarios are read by the tests")
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no scenario '{name}'; there are {names}")
        })
    }
}

impl World {
    /// A settled world: the same options give the same objects relative to `now`.
    pub fn build(options: &Options, now: Timestamp) -> Self {
        let mut world = Self::empty(options.seed, now);
        populate(&mut world, options);
        world
    }
}

/// Builds the world at the present of `options` with the scenario's past behind it.
fn populate(world: &mut World, options: &Options) {
    let script = options.scenario.script();
    let now = world.now();
    let longest = script.history.iter().map(|moment| moment.when.0).max().unwrap_or(SignedDuration::ZERO);
    // What the past holds really happens: the world starts that long ago and is stepped to the present.
    let start = now.checked_sub(longest).unwrap_or(now);
    world.store.set_now(start);
    around::stand(world, &script, now);
    let nodes = cluster::nodes(world, options.nodes);
    tenants::populate(world, options.tenants, &nodes, script.recovered.as_ref());
    cluster::system(world, &nodes);
    world.store.set_now(start);
    cluster::report(world, &nodes);
    world.notice_all();
    world.react();
    for node in &nodes {
        let delay = world.draw_ms(0, 300_000);
        world.after(delay, Wake::Heartbeat(node.clone()));
    }
    world.after(SignedDuration::from_millis(7_300), Wake::Autoscale);
    world.after(SignedDuration::from_secs(10), Wake::Housekeeping);
    world.after(SignedDuration::from_mins(10), Wake::ForgetEvents);
    for moment in &script.history {
        let at = now.checked_sub(moment.when.0).unwrap_or(start);
        schedule(world, at, &moment.act);
    }
    for moment in &script.timeline {
        let at = now.checked_add(moment.when.0).unwrap_or(now);
        schedule(world, at, &moment.act);
    }
    world.step(now.duration_since(start).unsigned_abs());
    outside::class(world);
    if let Some(stolen) = &script.stolen {
        outside::steal(world, stolen);
    }
    around::furnish(world, &script);
    for full in &script.full {
        cluster::fill(world, &numbered(&nodes, full.node), full.percent);
    }
}

fn schedule(world: &mut World, at: Timestamp, act: &Act) {
    world.timeline.push(act.clone());
    let number = world.timeline.len() - 1;
    world.at(at, Wake::Act(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_read_and_found_by_its_name() {
        for scenario in Scenario::ALL {
            assert!(!scenario.summary().is_empty());
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        let error = "storm".parse::<Scenario>().unwrap_err();
        assert!(error.contains("storm") && error.contains("pressure"), "{error}");
    }

    #[test]
    fn a_scenario_with_an_unknown_field_is_refused() {
        assert!(toml::from_str::<Script>("summary = \"x\"\nnodes = 3").is_err());
        assert!(
            toml::from_str::<Script>(
                "summary = \"x\"\n[[history]]\nwhen = \"soon\"\nact.cordon = {node = 1}"
            )
            .is_err()
        );
    }
}
