//! Where the story of the simulated database begins. A scenario is what was done to a healthy cluster, played in
//! world time, so that every number in it has come about by the rules. Pure.

use std::{fmt, str::FromStr, time::Duration};

use super::State;

/// World time that passes before a scenario is handed over.
pub(super) const PRELUDE: Duration = Duration::from_secs(120);

/// The scenarios, by what is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing is wrong.
    #[default]
    Calm,
    /// One member was killed; the others have quorum.
    GaleraDegraded,
    /// One member is left and has no quorum.
    GaleraNoQuorum,
    /// All members were killed at different positions.
    GaleraAllDown,
    /// A slow member throttles the writers of all.
    FlowControl,
    /// Memory, runtime and disk differ in one proxy, and the proxies differ from each other.
    ProxysqlDrift,
    /// The writer was killed three seconds ago.
    WriterLost,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 7] = [
        Scenario::Calm,
        Scenario::GaleraDegraded,
        Scenario::GaleraNoQuorum,
        Scenario::GaleraAllDown,
        Scenario::FlowControl,
        Scenario::ProxysqlDrift,
        Scenario::WriterLost,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Calm => "calm",
            Scenario::GaleraDegraded => "galera-degraded",
            Scenario::GaleraNoQuorum => "galera-no-quorum",
            Scenario::GaleraAllDown => "galera-all-down",
            Scenario::FlowControl => "flow-control",
            Scenario::ProxysqlDrift => "proxysql-drift",
            Scenario::WriterLost => "writer-lost",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Scenario, String> {
        let names = Scenario::ALL.map(Scenario::name).join(", ");
        Scenario::ALL
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or_else(|| format!("no database scenario is called {text:?}: use one of {names}"))
    }
}

/// At which second of the prelude something is done.
type Act<'a> = (u64, &'a dyn Fn(&mut State));

/// Plays a scenario up to the moment it is handed over.
pub(super) fn play(state: &mut State, scenario: Scenario) {
    let last = state.galera.members.len() - 1;
    let seconds = Duration::from_secs;
    // Loads and saves of a proxy's configuration, as an operator would have sent them.
    let operate = |state: &mut State, proxy: usize, statements: &[&str]| {
        if let Some(p) = state.proxies.get_mut(proxy) {
            for statement in statements {
                super::admin::answer(p, super::admin::Role::Admin, super::PROXY_ADMIN.0, statement);
            }
        }
    };
    let acts: &[Act] = match scenario {
        Scenario::Calm => &[],
        Scenario::GaleraDegraded => &[(60, &|s| s.galera.kill(last))],
        Scenario::GaleraNoQuorum => &[(90, &|s| (1..=last).for_each(|m| s.galera.kill(m)))],
        Scenario::GaleraAllDown => &[
            (84, &|s| {
                // Those that lag a little when they die end at different positions.
                for (m, rate) in s.galera.members.iter_mut().zip([2_000.0, 60.0, 50.0]) {
                    m.apply_rate = rate;
                }
            }),
            (87, &|s| s.galera.kill(last)),
            (96, &|s| (0..last).rev().for_each(|m| s.galera.kill(m))),
        ],
        Scenario::FlowControl => &[(60, &|s| s.galera.members[last].apply_rate = 58.0)],
        Scenario::ProxysqlDrift => &[(60, &|s| {
            operate(
                s,
                0,
                &[
                    "SET mysql-max_connections=4096",
                    "LOAD MYSQL VARIABLES TO RUNTIME",
                    "UPDATE mysql_servers SET weight=80 WHERE comment='db2'",
                ],
            );
            operate(
                s,
                1,
                &[
                    "UPDATE mysql_servers SET max_connections=200 WHERE comment='db3'",
                    "LOAD MYSQL SERVERS TO RUNTIME",
                    "SAVE MYSQL SERVERS TO DISK",
                    "UPDATE mysql_query_rules SET destination_hostgroup=10 WHERE rule_id=200",
                ],
            );
        })],
        Scenario::WriterLost => &[(117, &|s| s.galera.kill(0))],
    };
    let mut at = 0;
    for (second, act) in acts {
        state.step(seconds(second - at));
        act(state);
        at = *second;
    }
    state.step(PRELUDE - seconds(at));
}
