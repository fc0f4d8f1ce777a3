//! What can be wrong with the platform around: what its kinds say, rule by rule.

use super::{
    super::{
        Snapshot,
        platform::{Platform, edge, floating, node},
    },
    Answer, Check, Found, Rule, Subject, found,
};

/// The rules about the platform around. What is not configured is not judged.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: floating::FLOATING,
        doc: "No edge holds the floating address, or two do: clients come to it.",
        check: Check::Cluster(|s| of(s, floating::FLOATING)),
    },
    Rule {
        name: edge::DOWN,
        doc: "An edge does not answer: critical when none does, a warning when another still answers.",
        check: Check::Cluster(|s| of(s, edge::DOWN)),
    },
    Rule {
        name: node::DOWN,
        doc: "The ingress controller does not answer on a node: critical when it answers on none.",
        check: Check::Cluster(|s| of(s, node::DOWN)),
    },
    Rule {
        name: edge::DIFFERS,
        doc: "An edge presents no certificate for a host that another edge knows: its users see errors after a failover.",
        check: Check::Cluster(|s| of(s, edge::DIFFERS)),
    },
    Rule {
        name: edge::STALE,
        doc: "An edge presents an earlier certificate than another: the file was renewed, and its proxy not reloaded.",
        check: Check::Cluster(|s| of(s, edge::STALE)),
    },
    Rule {
        name: node::DIFFERS,
        doc: "The ingress controller of a node does not know a host that another knows, or has no endpoint for it.",
        check: Check::Cluster(|s| of(s, node::DIFFERS)),
    },
    Rule {
        name: edge::SATURATED,
        doc: "Clients hold over 40 % of the connections that the workers of an edge take: each request to a pod takes two.",
        check: Check::Cluster(|s| of(s, edge::SATURATED)),
    },
    Rule {
        name: edge::HUNG,
        doc: "An edge takes connections and answers some of them only: a worker may hang.",
        check: Check::Cluster(|s| of(s, edge::HUNG)),
    },
];

fn of(s: &Snapshot, rule: &str) -> Vec<(Subject, Found)> {
    let platform = Platform::of(s);
    let told = platform.wrong().filter(|said| said.rule == Some(rule)).filter_map(|said| {
        let told = found(said.state.severity()?, said.text.clone()).since(said.since).answer(Answer::Open);
        let told = match &said.remedy {
            Some(remedy) => told.remedy(remedy.clone()),
            None => told,
        };
        Some((Subject::Component(said.key.clone()), told))
    });
    told.collect()
}
