//! What is left on a node that was drained, and whether its machine may be powered off. Pure.

use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    cluster::{NodeName, Snapshot},
    plan::{
        rebalance::residents,
        whatif::{Loss, what_if},
    },
};

/// A pod that does not leave for so long after its time is over is not waited for.
const STUCK: SignedDuration = SignedDuration::from_secs(120);

/// What became of a node that was to be emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// The node.
    pub node: NodeName,
    /// No pod is left but those of DaemonSets and of the node itself.
    pub empty: bool,
    /// The machine may be powered off: it is empty, and the database does not lose its quorum with it.
    pub safe: bool,
    /// The pods that are left, as `namespace/name`.
    pub pods: Vec<String>,
    /// What is so, and what to do.
    pub text: String,
}

impl Drained {
    /// What is left on a node on what is seen.
    pub fn of(seen: &Snapshot, node: &NodeName) -> Self {
        let pods: Vec<_> = residents(seen, node).map(|pod| pod.key.to_string()).collect();
        let empty = pods.is_empty();
        let lost = what_if(seen, std::slice::from_ref(node), Loss::Crash).ok().and_then(|told| told.database);
        let members = lost.as_ref().filter(|lost| !lost.members.is_empty());
        let proxies = lost.as_ref().map_or(0, |lost| lost.proxies);
        let of_proxies = lost.as_ref().map_or(0, |lost| lost.of_proxies);
        let also = match proxies {
            0 => String::new(),
            1 => format!("; 1 of {of_proxies} ProxySQLs runs on its machine and goes with it"),
            n => format!("; {n} of {of_proxies} ProxySQLs run on its machine and go with it"),
        };
        let (safe, text) = match (pods.as_slice(), members) {
            ([], None) if proxies > 0 && proxies == of_proxies => {
                (false, format!("{node} is empty of pods{also}: do not power the machine off"))
            }
            ([], None) if proxies > 0 => (true, format!("{node} is empty of pods{also}: safe to power off")),
            ([], None) => (true, format!("{node} is empty: safe to power off")),
            ([], Some(lost)) => {
                let names = lost.members.join(", ");
                let weights =
                    lost.weight.map_or(String::new(), |(left, of)| format!(" ({left} of {of} weights left)"));
                let (safe, what) = match lost.quorum {
                    Some(true) if proxies > 0 && proxies == of_proxies => (
                        false,
                        format!(
                            "quorum holds without it{weights}, but no ProxySQL is left then: do not power the machine off"
                        ),
                    ),
                    Some(true) => (
                        true,
                        format!(
                            "quorum holds without it{weights}: take it out, then the machine is safe to power off"
                        ),
                    ),
                    Some(false) => {
                        (false, format!("QUORUM IS LOST without it{weights}: do not power the machine off"))
                    }
                    None => (
                        false,
                        "whether a quorum is left without it is not known: do not power the machine off"
                            .into(),
                    ),
                };
                (safe, format!("{node} is empty of pods{also}; the Galera member {names} runs on it; {what}"))
            }
            ([pod], _) => (false, format!("1 pod is left on {node}: {pod}")),
            (pods, _) => (false, format!("{} pods are left on {node}: {}", pods.len(), pods.join(", "))),
        };
        Self { node: node.clone(), empty, safe, pods, text }
    }
}

/// The pods that are on their way off a node, in words; `None`: none is, or it takes too long.
pub(super) fn leaving(seen: &Snapshot, node: &NodeName) -> Option<String> {
    if !seen.pods.freshness.is_live() {
        return Some("pods are not followed at present".into());
    }
    // The time of its deletion already has its grace in it.
    let soon = |since: jiff::Timestamp| seen.at.duration_since(since) < STUCK;
    let leaving: Vec<_> = residents(seen, node)
        .filter(|pod| pod.deleting.is_some_and(soon))
        .map(|pod| pod.key.to_string())
        .collect();
    (!leaving.is_empty()).then(|| format!("{} to leave {node}", leaving.join(", ")))
}
