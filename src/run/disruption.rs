//! What went wrong with a tenant's pods while a run held it: no pod was ready, and containers ended by themselves. Pure.
//! `watcher` finds it, and a run's journal keeps it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::words,
    plan::{Change, Part, Plan},
};

/// What happened to the pods of one tenant while a run held it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disruption {
    /// Seconds in which no pod was ready, of the times that are over; each counts at least 1.
    #[serde(default)]
    pub down: u32,
    /// No pod is ready since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// A part of that nobody looked at: it was that long at most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_most: bool,
    /// Containers that ended by themselves, by the reason the kubelet gives: `OOMKilled`, `Error`; `` where it gives none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<String, u32>,
}

impl Disruption {
    /// What happened, after the tenant's name: `was without a ready pod for 40 s; 2 containers were OOMKilled`.
    pub fn words(&self) -> String {
        self.told("has no ready pod since")
    }

    /// The same of a run that nobody is at: what was so when it was last written may be over.
    pub fn words_then(&self) -> String {
        self.told("had no ready pod, when last looked at, since")
    }

    fn told(&self, none_since: &str) -> String {
        let down = match (self.down_since, self.down) {
            (Some(since), before) => {
                let more =
                    if before > 0 { format!(", and had none for {before} s before") } else { String::new() };
                Some(format!("{none_since} {}{more}", since.strftime("%H:%M:%S UTC")))
            }
            (None, 0) => None,
            (None, seconds) => {
                let most = if self.at_most { "at most " } else { "" };
                Some(format!("was without a ready pod for {most}{seconds} s"))
            }
        };
        let ended = self.ended.iter().map(|(reason, n)| {
            let containers = words::count(*n, "container");
            let were = if *n == 1 { "was" } else { "were" };
            match reason.as_str() {
                "" => format!("{containers} {were} restarted"),
                "OOMKilled" => format!("{containers} {were} OOMKilled"),
                reason => format!("{containers} ended ({reason})"),
            }
        });
        down.into_iter().chain(ended).collect::<Vec<_>>().join("; ")
    }

    /// Whether more happened than the plan foresees: it never foresees that a container ends by itself.
    pub(super) fn is_beyond(&self, part: &Part, plan: &Plan) -> bool {
        let down = self.down > 0 || self.down_since.is_some();
        !self.ended.is_empty() || down && !foresees_none_ready(part, plan)
    }
}

/// The plan itself leaves a tenant without a ready pod for a while: it asks for none, or takes away its only one.
fn foresees_none_ready(part: &Part, plan: &Plan) -> bool {
    let only = part.now.values().sum::<u32>() <= 1;
    let own = plan.steps.iter().filter(|step| step.about.tenant() == Some(&part.tenant));
    part.to == 0
        || part.checks.iter().any(|check| check.rule == "ready" && check.grave)
        || own.map(|step| &step.change).any(|change| match change {
            Change::Replicas(replicas) => replicas.to == 0,
            Change::Evict(_) | Change::DeletePod(_) => only,
            _ => false,
        })
}
