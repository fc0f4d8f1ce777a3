//! The edges: proxies in front of the cluster, one active and others in waiting. What each presents for the hosts, and what
//! its `stub_status` counts.
//!
//! nginx without its paid additions tells nothing of what stands behind it, so that the counters say how busy it is and no
//! more; whether a host is served is seen by asking for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Component, ComponentKey, ComponentKind, Facts, Judged, few,
    look::{Asked, AtHost, by_host},
    lost, of_kind,
};
use crate::cluster::{
    LinkState, Look, Presented, Snapshot,
    clocks::Dated,
    served::newest,
    words::{age, count},
};

/// No edge answers, or one of several does not.
pub(in crate::cluster) const DOWN: &str = "platform-edge-down";
/// An edge presents an earlier certificate than another.
pub(in crate::cluster) const STALE: &str = "platform-edge-stale";
/// An edge does not know a host that another knows.
pub(in crate::cluster) const DIFFERS: &str = "platform-edge-differs";
/// Connections come near the limit.
pub(in crate::cluster) const SATURATED: &str = "platform-edge-saturated";
/// Some connections get no answer.
pub(in crate::cluster) const HUNG: &str = "platform-edge-hung";

/// The share of all connections of its workers at which clients are soon refused: a request to a pod takes two, and the
/// status counts those of clients alone.
const SATURATED_AT: f64 = 0.4;
/// So many of the last connections without an answer are told: one may be a packet that was lost.
pub(super) const LOST: u32 = 2;
/// A restart is told for so long.
const RESTARTED_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// An edge, as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// The machine it runs on: a node of the cluster or another.
    pub machine: Option<Arc<str>>,
    /// Connections that all its workers take together (`worker_processes` x `worker_connections`), where it is told.
    pub connections: Option<u32>,
}

/// What was read of an edge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeFacts {
    /// The address that is looked at, with its port.
    pub at: Arc<str>,
    /// How far its hosts have been looked at.
    pub round: Round,
    /// What its `stub_status` says, or why it cannot be read; `None`: it is not asked.
    pub stub: Option<Result<Stub, Arc<str>>>,
}

/// How far the hosts have been looked at, at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Hosts to look at.
    pub hosts: u32,
    /// Hosts that have been looked at.
    pub looked: u32,
    /// The oldest of the looks that count.
    pub oldest: Option<Timestamp>,
    /// Of its last looks so many got no answer ...
    pub silent: u32,
    /// ... of so many.
    pub of: u32,
    /// Why it is not known which certificates are to be trusted; `None`: it is.
    pub trust: Option<Arc<str>>,
}

impl Dated for Round {
    fn moved(self, by: SignedDuration) -> Self {
        Self { oldest: self.oldest.map(|at| at.moved(by)), ..self }
    }
}

impl Round {
    /// That trust is not judged, where it is not.
    pub(super) fn untrusting(&self, key: &ComponentKey) -> Option<Judged> {
        let why = self.trust.as_ref()?;
        let text = format!("answers; whether its certificates are trusted is not known: {why}");
        let remedy = "name a file that can be read with `ca` in [platform]";
        Some(Judged::new(key, LinkState::Warning, text).remedy(remedy))
    }

    /// That nothing is wrong with it, as far as it has been asked.
    pub(super) fn answers(&self) -> String {
        match (self.looked, self.hosts) {
            (0, 0) => "answers; no host is known to ask it for".to_owned(),
            (looked, hosts) if looked < hosts => {
                format!("answers for {looked} of {}; it is still asked for the others", count(hosts, "host"))
            }
            (looked, _) => format!("answers for {}", count(looked, "host")),
        }
    }

    pub(super) fn numbers(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut numbers = vec![("hosts", format!("{} of {}", self.looked, self.hosts))];
        numbers.extend(self.oldest.map(|oldest| ("oldest look", age(now, oldest))));
        numbers
    }
}

/// The counters of `stub_status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stub {
    /// Connections of clients, waiting ones too; that which asked is taken off.
    pub active: u32,
    /// Connections taken since the start.
    pub accepts: u64,
    /// Of these handled.
    pub handled: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Connections whose request is read.
    pub reading: u32,
    /// Connections that are answered; that which asked is taken off.
    pub writing: u32,
    /// Connections without a request.
    pub waiting: u32,
    /// Requests a second since the reading before, without those of this cockpit to this address.
    pub rate: Option<f64>,
    /// When the counters were first seen to have begun again.
    pub restarted: Option<Timestamp>,
}

impl Dated for EdgeFacts {
    fn moved(self, by: SignedDuration) -> Self {
        let stub = |stub: Stub| Stub { restarted: stub.restarted.map(|at| at.moved(by)), ..stub };
        Self { round: self.round.moved(by), stub: self.stub.map(|said| said.map(stub)), ..self }
    }
}

/// What was read of a component that is an edge.
pub(super) fn facts(component: &Component) -> Option<&EdgeFacts> {
    match component.status.as_deref() {
        Some(Facts::Edge(facts)) => Some(facts),
        _ => None,
    }
}

/// What is wrong with the hosts of one edge, as compared with the others.
#[derive(Default)]
struct Hosts<'a> {
    /// It presents an earlier certificate than another edge.
    stale: Vec<&'a str>,
    newer: Option<&'a ComponentKey>,
    /// It does not know them, and another edge does.
    unknown: Vec<&'a str>,
    knows: Option<&'a ComponentKey>,
    /// It presents their certificate or none, and fails, where another edge answers.
    failing: Vec<&'a str>,
    serves: Option<&'a ComponentKey>,
    /// How it fails, each way once.
    how: BTreeSet<String>,
}

/// Judges all edges together.
pub(super) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let edges = of_kind(seen, ComponentKind::Edge);
    if edges.is_empty() {
        return Vec::new();
    }
    let live: Vec<_> = edges.iter().filter(|(_, edge)| edge.now().is_some()).map(|(key, _)| *key).collect();
    let mut hosts = compared(seen, &live);
    let mut all = Vec::new();
    for (key, edge) in &edges {
        if let Some(lost) = lost(key, edge) {
            all.push(down(lost, &live));
            continue;
        }
        let Some(facts) = facts(edge) else { continue };
        one(seen, key, facts, &hosts.remove(*key).unwrap_or_default(), &mut all);
    }
    all
}

/// How grave it is that an edge does not answer, by how many others do.
fn down(lost: Judged, live: &[&ComponentKey]) -> Judged {
    if lost.state != LinkState::Broken {
        return lost;
    }
    let state = if live.is_empty() { LinkState::Broken } else { LinkState::Warning };
    let others: Vec<_> = live.iter().map(|key| &*key.name).collect();
    let text = match others.len() {
        0 => lost.text.clone(),
        1 => format!("{}; {} answers, and nothing is left when it fails", lost.text, others[0]),
        _ => format!("{}; {} answer", lost.text, few(&others)),
    };
    Judged { state, text, ..lost }.rule(DOWN).remedy("look whether the machine is up, and start its proxy")
}

/// How an edge fails for a host, though its certificate may be right; `None`: it answers.
fn failure(look: &Look) -> Option<String> {
    match look {
        Look::Presented(_, Ok(status @ 500..)) => Some(format!("answers {status}")),
        Look::Presented(_, Err(why)) => Some(format!("does not answer a request: {why}")),
        Look::Handshake(why) => Some(format!("fails in the TLS handshake: {why}")),
        Look::NotTls => Some("speaks no TLS".to_owned()),
        Look::Presented(_, Ok(_)) | Look::Refused | Look::Unreachable(_) | Look::Silent => None,
    }
}

/// Adds to what is wrong where one edge fails for a host that another serves.
fn failing<'a>(
    seen: &'a Snapshot,
    host: &'a Arc<str>,
    looks: &[(&'a ComponentKey, &'a Look)],
    all: &mut BTreeMap<&'a ComponentKey, Hosts<'a>>,
) {
    let is_for = |look: &Look| match look {
        Look::Presented(certificate, _) => certificate.is_for(host),
        _ => false,
    };
    let serves = |look: &Look| is_for(look) && failure(look).is_none();
    for (key, look) in looks {
        let Some(how) = failure(look) else { continue };
        // A certificate for other hosts is told as such.
        if matches!(look, Look::Presented(..)) && !is_for(look) {
            continue;
        }
        let Some(looked) = seen.found(host, Asked::At((*key).clone())) else { continue };
        // The other edge has been asked since: what failed everywhere for a while is no difference.
        let asked_since = |other: &ComponentKey| {
            let facts = seen.platform.get(other).and_then(|edge| facts(edge));
            facts.and_then(|facts| facts.round.oldest).is_some_and(|oldest| oldest >= looked.since)
        };
        let other = looks.iter().find(|(other, look)| serves(look) && asked_since(other));
        let Some((other, _)) = other else { continue };
        let hosts = all.entry(*key).or_default();
        hosts.failing.push(host);
        hosts.serves = Some(*other);
        hosts.how.insert(how);
    }
}

fn compared<'a>(seen: &'a Snapshot, live: &[&'a ComponentKey]) -> BTreeMap<&'a ComponentKey, Hosts<'a>> {
    let mut all: BTreeMap<&ComponentKey, Hosts<'a>> = BTreeMap::new();
    for AtHost { host, at } in by_host(seen, &[ComponentKind::Edge]) {
        let looks = at.iter().filter(|(key, _)| live.contains(key));
        let looks: Vec<(&ComponentKey, &Look)> =
            looks.filter_map(|(key, found)| Some((*key, found.tls()?))).collect();
        failing(seen, host, &looks, &mut all);
        let presented = looks.iter().filter_map(|(key, look)| match look {
            Look::Presented(certificate, _) => Some((*key, &**certificate)),
            _ => None,
        });
        let presented: Vec<(&ComponentKey, &Presented)> = presented.collect();
        let Some((newer, newest)) = newest(host, presented.iter().copied()) else { continue };
        for (key, certificate) in presented {
            let hosts = all.entry(key).or_default();
            if !certificate.is_for(host) {
                hosts.unknown.push(host);
                hosts.knows = Some(newer);
            } else if certificate.not_after < newest.not_after {
                hosts.stale.push(host);
                hosts.newer = Some(newer);
            }
        }
    }
    all
}

fn one(seen: &Snapshot, key: &ComponentKey, facts: &EdgeFacts, hosts: &Hosts<'_>, all: &mut Vec<Judged>) {
    let said = |state, text: String| Judged::new(key, state, text);
    let begun = all.len();
    if let Some(newer) = hosts.newer {
        let text = format!(
            "presents an earlier certificate than {} for {}: it was not reloaded since that was renewed",
            newer.name,
            few(&hosts.stale)
        );
        let remedy = "put the newer certificate there, and reload its proxy: `nginx -t && nginx -s reload`";
        all.push(said(LinkState::Warning, text).rule(STALE).remedy(remedy));
    }
    if let Some(knows) = hosts.knows {
        let text = format!(
            "presents no certificate for {}, and {} does: users see errors when it takes over",
            few(&hosts.unknown),
            knows.name
        );
        let remedy = format!("configure it as {} is, and reload its proxy", knows.name);
        all.push(said(LinkState::Warning, text).rule(DIFFERS).remedy(remedy));
    }
    if let Some(serves) = hosts.serves {
        let how = hosts.how.iter().map(String::as_str).collect::<Vec<_>>();
        let text =
            format!("does not serve {} ({}), and {} does", few(&hosts.failing), few(&how), serves.name);
        let remedy = format!("read its error log, and look whether it reaches what {} leads to", serves.name);
        all.push(said(LinkState::Warning, text).rule(DIFFERS).remedy(remedy));
    }
    all.extend(facts.round.untrusting(key));
    let Round { silent, of, .. } = facts.round;
    if silent >= LOST {
        let text = format!("{silent} of its last {of} connections got no answer: a worker may hang");
        let remedy = "look at its workers (`ps`) and its error log, and reload the proxy";
        all.push(said(LinkState::Warning, text).rule(HUNG).remedy(remedy));
    }
    let limit = seen.around.edge(&key.name).and_then(|edge| edge.connections);
    let mut numbers = facts.round.numbers(seen.at);
    match &facts.stub {
        Some(Ok(stub)) => {
            if let Some(limit) = limit.filter(|limit| *limit > 0) {
                let share = f64::from(stub.active) / f64::from(limit);
                if share > SATURATED_AT {
                    let text = format!(
                        "{} of clients, and its workers take {limit} in all: a request to a pod takes two, so that \
                         clients are refused at half of it",
                        count(stub.active, "connection")
                    );
                    let remedy = "raise worker_connections, or find who holds the connections";
                    all.push(said(LinkState::Warning, text).rule(SATURATED).remedy(remedy));
                }
            }
            let recent = |at: &Timestamp| seen.at.duration_since(*at) < RESTARTED_WITHIN;
            if let Some(at) = stub.restarted.filter(recent) {
                let text = "was restarted: its counters began again";
                all.push(said(LinkState::Notice, text.into()).since(Some(at)));
            }
            let of = limit.map_or(String::new(), |limit| format!(" of {limit}"));
            numbers.push(("connections", format!("{}{of}", stub.active)));
            numbers.extend(stub.rate.map(|rate| ("requests", format!("{rate:.1}/s"))));
        }
        Some(Err(why)) => {
            let text = format!("answers, and its stub_status cannot be read: {why}");
            all.push(said(LinkState::Notice, text));
        }
        None => {}
    }
    if all.len() == begun {
        all.push(said(LinkState::Ok, facts.round.answers()));
    }
    if let Some(first) = all.get_mut(begun) {
        first.numbers = numbers;
    }
}
