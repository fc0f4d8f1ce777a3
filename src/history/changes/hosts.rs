//! What has changed of the hosts in front of the tenants: whether they are served, and with which certificate.

use std::{collections::BTreeMap, sync::Arc};

use imbl::ordmap::DiffItem;
use jiff::Timestamp;

use super::{Between, differing};
use crate::{
    cluster::{
        Certificate, LinkState, Look, Outside, Presented, Served, Snapshot, TenantName,
        platform::{Asked, Found, Looked, Reply, Spot, node::serves},
    },
    history::{Kind, Turn},
};

/// Hosts of one kind of change that are told one by one; more are told together.
const EACH: usize = 12;

/// What became of a host, where it was asked for.
struct Turned {
    host: Arc<str>,
    at: Timestamp,
    turn: Turn,
    text: String,
}

/// How a host is served.
enum Serving {
    /// It is.
    Well,
    /// It is not: why, after `it`.
    Badly(String),
}

impl Between<'_> {
    pub(super) fn hosts(&mut self) {
        let mut all: Vec<Turned> = Vec::new();
        if !self.others_look() && !self.before.looks.items.ptr_eq(&self.after.looks.items) {
            for item in self.before.looks.items.diff(&self.after.looks.items) {
                if let DiffItem::Update { old: (_, was), new: (spot, is) } = item {
                    all.extend(self.turned(spot, was, is));
                }
            }
        }
        // Certificates run out without anything being read.
        let unchanged = |spot: &Spot, is: &Arc<Looked>| {
            self.before.looks.get(spot).is_some_and(|was| Arc::ptr_eq(was, is) || **was == **is)
        };
        for (spot, is) in &self.after.looks.items {
            let ends = presented(&is.found).map(|certificate| certificate.not_after);
            if ends.is_some_and(|at| at > self.before.at && at <= self.after.at) && unchanged(spot, is) {
                let turned = self.turned(spot, is, is);
                all.extend(
                    turned.into_iter().map(|turned| Turned { at: ends.unwrap_or(turned.at), ..turned }),
                );
            }
        }
        if all.is_empty() {
            return;
        }
        let tenants = tenants(self.after);
        let mut alike: BTreeMap<(Turn, &str), Vec<&Turned>> = BTreeMap::new();
        for turned in &all {
            alike.entry((turned.turn, &turned.text)).or_default().push(turned);
        }
        for ((turn, text), mut hosts) in alike {
            if hosts.len() > EACH {
                let first = hosts.iter().map(|turned| turned.at).min().unwrap_or(self.after.at);
                let name = format!("{} hosts ({}, ..)", hosts.len(), hosts[0].host);
                self.add(first, Kind::Platform, turn, &name, plural(text));
                continue;
            }
            hosts.sort_by_key(|turned| turned.at);
            for turned in hosts {
                let name = format!("host {}", turned.host);
                let event = self.add(turned.at, Kind::Platform, turn, &name, text);
                event.tenant = tenants.get(&turned.host).cloned();
            }
        }
    }

    /// What became of a host where it is asked for.
    fn turned(&self, spot: &Spot, was: &Looked, is: &Looked) -> Vec<Turned> {
        let place = match &spot.asked {
            Asked::Resolver => None,
            Asked::Deep => Some("the way of clients".to_owned()),
            // Whoever does not answer tells so itself.
            Asked::At(key) => match self.after.platform.get(key) {
                Some(place) if place.link.is_live() => Some(key.to_string()),
                _ => return Vec::new(),
            },
        };
        let at = self.dated(Some(is.since));
        let told = |turn, text| vec![Turned { host: spot.host.clone(), at, turn, text }];
        let ends = [(was, self.before.at), (is, self.after.at)];
        let [Some(before), Some(after)] = ends.map(|(looked, at)| serving(&spot.host, &looked.found, at))
        else {
            return Vec::new();
        };
        match (before, after, place) {
            (Serving::Well, Serving::Badly(why), Some(place)) => {
                told(Turn::Worse, format!("is not served by {place}: it {why}"))
            }
            (Serving::Badly(_), Serving::Well, Some(place)) => {
                told(Turn::Better, format!("is served by {place} again"))
            }
            (Serving::Well, Serving::Badly(why), None) => {
                told(Turn::Worse, format!("does not resolve: {why}"))
            }
            (Serving::Badly(_), Serving::Well, None) => told(Turn::Better, "resolves again".into()),
            (Serving::Well, Serving::Well, Some(place)) => match certificate(&was.found, &is.found) {
                Some(text) => told(Turn::Change, format!("gets {text} from {place}")),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The certificates that cert-manager keeps.
    pub(super) fn certificates(&mut self) {
        let all = differing(&self.before.certificates.items, &self.after.certificates.items);
        let tenants = if all.is_empty() { BTreeMap::new() } else { tenants(self.after) };
        for (key, was, is) in all {
            let (Some(was), Some(is)) = (was, is) else { continue };
            let tenant = is.names.iter().find_map(|host| tenants.get(host)).cloned();
            for (at, turn, text) in kept(&was, &is) {
                let at = self.dated(at);
                let name = format!("certificate {key}");
                self.add(at, Kind::Platform, turn, &name, text).tenant = tenant.clone();
            }
        }
    }
}

fn kept(was: &Certificate, is: &Certificate) -> Vec<super::Turned> {
    let mut told = Vec::new();
    match (was.not_after, is.not_after) {
        (was, Some(until)) if was.is_none_or(|was| was < until) => {
            let what = if was.is_some() { "was renewed" } else { "was issued" };
            told.push((is.not_before, Turn::Better, format!("{what}, valid until {}", day(until))));
        }
        _ => {}
    }
    if let Some((at, why)) = &is.failed
        && was.failed.as_ref().is_none_or(|(before, _)| before != at)
    {
        told.push((Some(*at), Turn::Worse, format!("is not issued: {why}")));
    }
    told
}

/// How a host is served by what was found at a moment; `None`: that says nothing of it.
fn serving(host: &Arc<str>, found: &Found, at: Timestamp) -> Option<Serving> {
    let how = match found {
        Found::Untold(_) | Found::Tls(Look::Refused | Look::Unreachable(_)) => return None,
        Found::Names(Ok(_)) => Serving::Well,
        Found::Names(Err(why)) => Serving::Badly(why.to_string()),
        Found::Tls(look) => {
            let served = Served::of("".into(), host.clone(), look, at);
            match served.state == LinkState::Broken {
                true => Serving::Badly(served.text),
                false => Serving::Well,
            }
        }
        Found::Http(reply) if serves(reply) => Serving::Well,
        Found::Http(Reply::Answered(_, true)) => Serving::Badly("does not know the host".into()),
        Found::Http(Reply::Answered(status, false)) => Serving::Badly(format!("answers {status}")),
        Found::Http(Reply::Silent) => Serving::Badly("takes the request and does not answer".into()),
        Found::Http(Reply::NotHttp) => Serving::Badly("speaks no HTTP".into()),
    };
    Some(how)
}

fn presented(found: &Found) -> Option<&Presented> {
    match found.tls()? {
        Look::Presented(certificate, _) => Some(certificate),
        _ => None,
    }
}

/// That another certificate is presented.
fn certificate(was: &Found, is: &Found) -> Option<String> {
    let (was, is) = (presented(was)?, presented(is)?);
    if was.fingerprint == is.fingerprint {
        return None;
    }
    let what = if is.not_after > was.not_after { "a renewed" } else { "another" };
    Some(format!("{what} certificate, valid until {},", day(is.not_after)))
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// The same of several.
fn plural(text: &str) -> String {
    for (one, several) in [("is ", "are "), ("does ", "do "), ("gets ", "get "), ("resolves ", "resolve ")] {
        if let Some(rest) = text.strip_prefix(one) {
            return format!("{several}{rest}");
        }
    }
    text.to_owned()
}

/// The tenant a host leads to.
fn tenants(seen: &Snapshot) -> BTreeMap<Arc<str>, TenantName> {
    let outside = Outside::of(seen);
    let of = |name: &TenantName| {
        outside.hosts_of(name).into_iter().map(|host| (host, name.clone())).collect::<Vec<_>>()
    };
    seen.tenants.keys().flat_map(of).collect()
}
