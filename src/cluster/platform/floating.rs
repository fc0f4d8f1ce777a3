//! The floating address: whether it answers, and on which edge it is, as far as that can be seen from outside.
//!
//! Nothing is asked of the edges' machines. An address is on the edge whose certificates it presents; where edges present
//! the same ones, on the one that gets the requests.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    ComponentKey, ComponentKind, Facts, Judged,
    edge::{self, Round},
    few,
    look::{Asked, by_host},
    lost, of_kind,
};
use crate::cluster::{LinkState, Look, Snapshot, clocks::Dated};

/// No edge holds the floating address, or two do.
pub(in crate::cluster) const FLOATING: &str = "platform-floating";

/// Requests a second from which an edge counts as one that clients come to.
const USED: f64 = 0.05;

/// What was read of the floating address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FloatingFacts {
    /// The address that is looked at, with its port.
    pub at: Arc<str>,
    /// How far the hosts have been looked at.
    pub round: Round,
}

impl Dated for FloatingFacts {
    fn moved(self, by: SignedDuration) -> Self {
        Self { round: self.round.moved(by), ..self }
    }
}

/// How often the address presents the same certificate as an edge, and another.
#[derive(Default)]
struct Like<'a> {
    same: Vec<&'a str>,
    other: Vec<&'a str>,
}

/// Judges the floating address.
pub(super) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let mut all = Vec::new();
    let edges = of_kind(seen, ComponentKind::Edge);
    let live: Vec<_> = edges.iter().filter(|(_, edge)| edge.now().is_some()).copied().collect();
    let names: Vec<&str> = live.iter().map(|(key, _)| &*key.name).collect();
    for (key, component) in of_kind(seen, ComponentKind::Floating) {
        if let Some(lost) = lost(key, component) {
            let held = lost.state == LinkState::Broken && !live.is_empty();
            let text = match names.len() {
                _ if !held => lost.text.clone(),
                1 => format!("no edge holds it: {}; {} answers at its own address", lost.text, names[0]),
                _ => format!("no edge holds it: {}; {} answer at their own", lost.text, few(&names)),
            };
            let lost = Judged { text, ..lost };
            // Where no edge answers either, that is told of them.
            all.push(match held {
                true => lost
                    .rule(FLOATING)
                    .remedy("look at keepalived on the edges, and who has the address: `ip -br addr`"),
                false => lost,
            });
            continue;
        }
        let Some(Facts::Floating(facts)) = component.status.as_deref() else { continue };
        all.push(held(seen, key, &facts.round, &live).numbers(facts.round.numbers(seen.at)));
        // Where edges answer too, they tell it.
        all.extend(facts.round.untrusting(key).filter(|_| live.is_empty()));
    }
    all
}

/// All looks at both places were made after each of the two was first found as it is now: a certificate that is renewed
/// between two looks is no difference between the places.
fn is_settled(seen: &Snapshot, host: &Arc<str>, places: [(&ComponentKey, &Round); 2]) -> bool {
    let since = |key: &ComponentKey| Some(seen.found(host, Asked::At(key.clone()))?.since);
    let last = places.iter().map(|(key, _)| since(key)).collect::<Option<Vec<_>>>();
    let last = last.and_then(|since| since.into_iter().max());
    last.is_some_and(|last| places.iter().all(|(_, round)| round.oldest.is_some_and(|oldest| oldest >= last)))
}

/// The address answers for some host as the one and not as the other.
fn as_one<'a>(one: &Like<'a>, other: &Like<'a>) -> bool {
    one.same.iter().any(|host| other.other.contains(host))
}

fn held(
    seen: &Snapshot,
    key: &ComponentKey,
    round: &Round,
    live: &[(&ComponentKey, &Arc<super::Component>)],
) -> Judged {
    let said = |state, text: String| Judged::new(key, state, text);
    let mut like: BTreeMap<&ComponentKey, Like<'_>> = BTreeMap::new();
    // The same of what does not come from the time of the looks.
    let mut settled: BTreeMap<&ComponentKey, Like<'_>> = BTreeMap::new();
    for at in by_host(seen, &[ComponentKind::Floating, ComponentKind::Edge]) {
        let of = |key: &ComponentKey| {
            let (_, found) = at.at.iter().find(|(other, _)| *other == key)?;
            match found.tls()? {
                Look::Presented(certificate, _) => Some(&certificate.fingerprint),
                _ => None,
            }
        };
        let Some(own) = of(key) else { continue };
        for (edge, component) in live {
            let Some(its) = of(edge) else { continue };
            let like = like.entry(*edge).or_default();
            if its == own {
                like.same.push(at.host)
            } else {
                like.other.push(at.host)
            }
            let Some(facts) = edge::facts(component) else { continue };
            if is_settled(seen, at.host, [(key, round), (*edge, &facts.round)]) {
                let like = settled.entry(*edge).or_default();
                if its == own { like.same.push(at.host) } else { like.other.push(at.host) }
            }
        }
    }
    if live.is_empty() || like.is_empty() {
        return said(LinkState::Ok, "answers; on which edge it is cannot be told yet".into());
    }
    let alike: Vec<_> = like.iter().filter(|(_, like)| like.other.is_empty()).map(|(key, _)| *key).collect();
    let names = |keys: &[&ComponentKey]| few(&keys.iter().map(|key| &*key.name).collect::<Vec<_>>());
    match alike.as_slice() {
        [one] if live.len() == 1 => {
            said(LinkState::Ok, format!("on {}, the only edge that answers", one.name))
        }
        [one] => said(LinkState::Ok, format!("on {}: its certificates are the same", one.name)),
        [] => {
            let pairs = settled.iter().enumerate();
            let mut pairs = pairs.flat_map(|(i, one)| settled.iter().skip(i + 1).map(move |two| (one, two)));
            let two = pairs.find(|((_, a), (_, b))| as_one(a, b) && as_one(b, a));
            let none = settled.len() == live.len() && like.values().all(|like| like.same.is_empty());
            match two {
                Some(((one, a), (two, b))) => {
                    let text = format!(
                        "answers as {} for {} and as {} for {}: two edges hold it",
                        one.name,
                        few(&a.same),
                        two.name,
                        few(&b.same)
                    );
                    let remedy =
                        "stop keepalived on one of the two, and look why they do not hear each other (VRRP)";
                    said(LinkState::Broken, text).rule(FLOATING).remedy(remedy)
                }
                None if !none => {
                    said(LinkState::Ok, "answers; on which edge it is cannot be told yet".into())
                }
                None => {
                    let text = "answers with certificates that no edge presents: another machine may hold it";
                    let remedy = "look who has the address: `ip -br addr` on the edges, `arp -n` here";
                    said(LinkState::Warning, text.into()).rule(FLOATING).remedy(remedy)
                }
            }
        }
        several => {
            let rate = |key: &&&ComponentKey| {
                let (_, component) = live.iter().find(|(edge, _)| *edge == **key)?;
                edge::facts(component)?.stub.as_ref()?.as_ref().ok()?.rate
            };
            let told = several.iter().all(|key| rate(&key).is_some());
            let used: Vec<_> =
                several.iter().filter(|key| rate(key).is_some_and(|rate| rate > USED)).copied().collect();
            match used.as_slice() {
                [one] if told => {
                    said(LinkState::Ok, format!("on {}, by the requests that it gets", one.name))
                }
                [_, _, ..] if told => said(
                    LinkState::Ok,
                    format!(
                        "answers; requests come to {}, so that it cannot be told where it is",
                        names(&used)
                    ),
                ),
                _ => said(
                    LinkState::Ok,
                    format!(
                        "answers; {} answer alike, so that it cannot be told where it is",
                        names(several)
                    ),
                ),
            }
        }
    }
}
