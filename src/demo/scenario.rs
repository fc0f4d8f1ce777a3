//! Scenarios: what has happened to the world before it starts, and what happens to it later.
//!
//! A scenario is a file in `scenarios/`; this reads it and performs its acts. `populate` builds the settled world.

mod cluster;
mod objects;
mod tenants;

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use super::kind::Kind;
use super::usage::Demand;
use super::value::{int, map, set};
use super::world::{Wake, World};
use super::{Options, database};

/// A named state of the world, from `scenarios/*.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything is well.
    Calm,
    /// A node came back empty; its tenants are doubled up elsewhere.
    NodeRecovered,
    /// Memory is nearly exhausted and several things are wrong at once.
    Pressure,
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
    pub const ALL: [Self; 9] = [
        Self::Calm,
        Self::NodeRecovered,
        Self::Pressure,
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
            _ => self.database().name(),
        }
    }

    /// What is going on in the database.
    pub fn database(self) -> database::Scenario {
        match self {
            Self::Calm | Self::NodeRecovered | Self::Pressure => database::Scenario::Calm,
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

/// A scenario file. Nodes and tenants are numbers from 1; beyond the last they count on from the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    summary: String,
    recovered: Option<Recovered>,
    #[serde(default)]
    full: Vec<Full>,
    /// What has happened; `when` is how long ago.
    #[serde(default)]
    history: Vec<Moment>,
    /// What will happen; `when` is after how long.
    #[serde(default)]
    timeline: Vec<Moment>,
}

/// A node that died and came back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recovered {
    node: usize,
    died: Span,
    back: Span,
    /// The part of its pods that went where their tenant already had one.
    doubled: f64,
}

/// A node whose memory is used to this part.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    node: usize,
    percent: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moment {
    when: Span,
    act: Act,
}

/// Something that somebody does to the world.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Act {
    PowerOff {
        node: usize,
    },
    PowerOn {
        node: usize,
    },
    Cordon {
        node: usize,
    },
    Uncordon {
        node: usize,
    },
    Scale {
        tenant: usize,
        replicas: i64,
    },
    /// A release: this tag for the application's image.
    Image {
        tenant: usize,
        tag: String,
    },
    /// So many requests at once for each replica.
    Busy {
        tenant: usize,
        requests: f64,
    },
    /// A Deployment beside the tenant's that asks for this much memory.
    Oversized {
        tenant: usize,
        memory: String,
    },
}

/// A time span as `90s`, `12m`, `1h 30m`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(SignedDuration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span = humantime::parse_duration(&text)
            .map_err(|error| format!("'{text}' is not a time span: {error}"))?;
        SignedDuration::try_from(span).map(Self).map_err(|error| format!("'{text}' is too long: {error}"))
    }
}

/// Builds the world at the present of `options` with the scenario's past behind it.
pub(super) fn populate(world: &mut World, options: &Options) {
    let script = options.scenario.script();
    let now = world.now();
    let longest = script.history.iter().map(|moment| moment.when.0).max().unwrap_or(SignedDuration::ZERO);
    // What the past holds really happens: the world starts that long ago and is stepped to the present.
    let start = now.checked_sub(longest).unwrap_or(now);
    world.store.set_now(start);
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
    for full in &script.full {
        cluster::fill(world, &numbered(&nodes, full.node), full.percent);
    }
}

fn schedule(world: &mut World, at: jiff::Timestamp, act: &Act) {
    world.timeline.push(act.clone());
    let number = world.timeline.len() - 1;
    world.at(at, Wake::Act(number));
}

fn numbered(names: &[String], number: usize) -> String {
    names.get(number.saturating_sub(1) % names.len().max(1)).cloned().unwrap_or_default()
}

/// Performs an act of the timeline.
pub(super) fn act(world: &mut World, number: usize) {
    let Some(act) = world.timeline.get(number).cloned() else { return };
    let nodes: Vec<String> = cluster::names(world.store.list(Kind::NODE, None).count()).into_iter().collect();
    let tenant = |number: usize| {
        let spaces: Vec<String> = tenants::names(tenants::count(world));
        numbered(&spaces, number)
    };
    match act {
        Act::PowerOff { node } => annotate(world, &numbered(&nodes, node), "off"),
        Act::PowerOn { node } => annotate(world, &numbered(&nodes, node), "on"),
        Act::Cordon { node } => cordon(world, &numbered(&nodes, node), true),
        Act::Uncordon { node } => cordon(world, &numbered(&nodes, node), false),
        Act::Scale { tenant: number, replicas } => {
            let tenant = tenant(number);
            world.store.update(Kind::DEPLOYMENT, &tenant, &tenant, "kubectl", |deployment| {
                set(deployment, &["spec", "replicas"], replicas.into());
            });
        }
        Act::Image { tenant: number, tag } => {
            let tenant = tenant(number);
            world.store.update(Kind::DEPLOYMENT, &tenant, &tenant, "kubectl-set", |deployment| {
                let containers = deployment["spec"]["template"]["spec"]["containers"].as_array_mut();
                for container in
                    containers.into_iter().flatten().filter(|container| container["name"] == "php-fpm")
                {
                    set(container, &["image"], format!("{}:{tag}", objects::APP_IMAGE).into());
                }
            });
        }
        Act::Busy { tenant: number, requests } => {
            let tenant = tenant(number);
            let replicas = world
                .store
                .get(Kind::DEPLOYMENT, &tenant, &tenant)
                .map_or(1, |d| int(&d["spec"]["replicas"]));
            let demand = Demand { requests: requests * replicas.max(1) as f64, swing: 0.08 };
            world.usage.demand(&tenant, &tenant, demand);
        }
        Act::Oversized { tenant: number, memory } => {
            let tenant = tenant(number);
            let called = format!("{tenant}-export");
            let labels = json!({"app": called, "app.kubernetes.io/part-of": "saas-jobs"});
            let mut deployment = objects::deployment(&tenant, &called, 1, "2.4.1");
            map(&mut deployment, &["metadata"]).insert("labels".to_owned(), labels.clone());
            set(&mut deployment, &["spec", "selector"], json!({"matchLabels": {"app": called}}));
            set(&mut deployment, &["spec", "template", "metadata", "labels"], labels);
            set(
                &mut deployment,
                &["spec", "template", "spec", "containers"],
                json!([{
                    "name": "export", "image": format!("{}:2.4.1", objects::APP_IMAGE),
                    "command": ["php", "bin/console", "app:export"],
                    "resources": {"requests": {"cpu": "500m", "memory": memory}, "limits": {"memory": memory}},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }]),
            );
            world.store.insert_by(Kind::DEPLOYMENT, deployment, "kubectl-create");
        }
    }
}

fn annotate(world: &mut World, node: &str, power: &str) {
    world.store.update(Kind::NODE, "", node, "kubectl-annotate", |node| {
        map(node, &["metadata", "annotations"]).insert("demo.wheelhouse.dev/power".to_owned(), power.into());
    });
}

fn cordon(world: &mut World, node: &str, on: bool) {
    world.store.update(Kind::NODE, "", node, "kubectl-cordon", |node| {
        set(node, &["spec", "unschedulable"], if on { true.into() } else { serde_json::Value::Null });
    });
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
