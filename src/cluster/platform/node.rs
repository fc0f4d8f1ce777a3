//! The ingress nodes: whether the ingress controller answers on each, and knows the hosts.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    ComponentKey, ComponentKind, Facts, Judged, Reply,
    edge::{self, Round},
    few,
    look::by_host,
    lost, of_kind,
};
use crate::cluster::{LinkState, Snapshot, clocks::Dated, words::count};

/// An ingress node does not answer.
pub(in crate::cluster) const DOWN: &str = "platform-node-down";
/// An ingress node does not know a host that another knows, or has no endpoint for it.
pub(in crate::cluster) const DIFFERS: &str = "platform-node-differs";

/// What was read of an ingress node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IngressNodeFacts {
    /// The address that is looked at, with its port.
    pub at: Arc<str>,
    /// How far the hosts have been looked at.
    pub round: Round,
}

impl Dated for IngressNodeFacts {
    fn moved(self, by: SignedDuration) -> Self {
        Self { round: self.round.moved(by), ..self }
    }
}

/// Hosts that a node does not serve, and another does.
#[derive(Default)]
struct Hosts<'a> {
    unknown: Vec<&'a str>,
    without: Vec<&'a str>,
    other: Option<&'a ComponentKey>,
}

/// Whether a node leads a host to pods, as far as its answer tells.
pub fn serves(reply: &Reply) -> bool {
    matches!(reply, Reply::Answered(status, default) if !default && *status != 503)
}

/// Judges all ingress nodes together.
pub(super) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let nodes = of_kind(seen, ComponentKind::IngressNode);
    let live: Vec<_> = nodes.iter().filter(|(_, node)| node.now().is_some()).map(|(key, _)| *key).collect();
    let mut hosts: BTreeMap<&ComponentKey, Hosts<'_>> = BTreeMap::new();
    if !nodes.is_empty() {
        for host in by_host(seen, &[ComponentKind::IngressNode]) {
            let replies = || {
                host.at
                    .iter()
                    .filter(|(key, _)| live.contains(key))
                    .filter_map(|(key, found)| Some((*key, found.http()?)))
            };
            let Some((other, _)) = replies().find(|(_, reply)| serves(reply)) else { continue };
            for (key, reply) in replies() {
                let of = match reply {
                    Reply::Answered(_, true) => &mut hosts.entry(key).or_default().unknown,
                    Reply::Answered(503, _) => &mut hosts.entry(key).or_default().without,
                    _ => continue,
                };
                of.push(&**host.host);
                hosts.entry(key).or_default().other = Some(other);
            }
        }
    }
    let mut all = Vec::new();
    for (key, node) in &nodes {
        let said = |state, text: String| Judged::new(key, state, text);
        if let Some(lost) = lost(key, node) {
            if lost.state != LinkState::Broken {
                all.push(lost);
                continue;
            }
            let state = if live.is_empty() { LinkState::Broken } else { LinkState::Warning };
            let others = match live.len() {
                0 => String::new(),
                n => format!("; {} answer{}", count(n, "other"), if n == 1 { "s" } else { "" }),
            };
            let text = format!("{}{others}", lost.text);
            let remedy = "look at the ingress controller's pod there; with externalTrafficPolicy Local a node without one refuses";
            all.push(Judged { state, text, ..lost }.rule(DOWN).remedy(remedy));
            continue;
        }
        let Some(Facts::IngressNode(facts)) = node.status.as_deref() else { continue };
        let begun = all.len();
        if let Some(Hosts { unknown, without, other: Some(other) }) = hosts.get(*key) {
            let remedy =
                "look at the ingress controller's pod there: its log, and whether it may read Ingresses";
            if !unknown.is_empty() {
                let text = format!("does not know {}, and {} does", few(unknown), other.name);
                all.push(said(LinkState::Warning, text).rule(DIFFERS).remedy(remedy));
            }
            if !without.is_empty() {
                let text = format!("has no ready endpoint for {}, and {} has", few(without), other.name);
                all.push(said(LinkState::Warning, text).rule(DIFFERS).remedy(remedy));
            }
        }
        if facts.round.silent >= edge::LOST {
            let text =
                format!("{} of its last {} requests got no answer", facts.round.silent, facts.round.of);
            all.push(
                said(LinkState::Warning, text)
                    .rule(DOWN)
                    .remedy("look at the ingress controller's pod there"),
            );
        }
        if all.len() == begun {
            all.push(said(LinkState::Ok, facts.round.answers()));
        }
        if let Some(first) = all.get_mut(begun) {
            first.numbers = facts.round.numbers(seen.at);
        }
    }
    all
}
