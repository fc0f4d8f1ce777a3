//! Scenarios: what has happened to the world before it starts, and what happens to it later.

use std::str::FromStr;

/// A named state of the world, from `scenarios/*.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything is well.
    Calm,
    /// A node came back empty; its tenants are doubled up elsewhere.
    NodeRecovered,
    /// Memory is nearly exhausted and several things are wrong at once.
    Pressure,
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "calm" => Ok(Self::Calm),
            "node-recovered" => Ok(Self::NodeRecovered),
            "pressure" => Ok(Self::Pressure),
            _ => Err(format!("there is no scenario '{name}'; there are calm, node-recovered, pressure")),
        }
    }
}
