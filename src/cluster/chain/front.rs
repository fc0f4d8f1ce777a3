//! The links in front of the cluster, as they were seen: where the name leads, whether an edge answers, what it presents,
//! and whether an ingress node knows the host. What is not configured is no link.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Part,
    said::{CERTIFICATE, NOT_SERVED, Said, UNREACHABLE},
};
use crate::cluster::{
    Certificate, Freshness, LinkState, Look, Served, Snapshot, Tenant, Term, compare_served,
    platform::{Asked, Component, ComponentKey, ComponentKind, Facts, Found, Reply, node},
    served::is_fine,
    words::count,
};

/// The places in front of the cluster, worked out once for a snapshot.
#[derive(Debug, Default)]
pub(super) struct Front {
    floating: Vec<ComponentKey>,
    edges: Vec<ComponentKey>,
    nodes: Vec<ComponentKey>,
    /// Whose their addresses are.
    ours: BTreeMap<String, Whose>,
    /// Some host is seen to lead to one of them: the resolver here knows the names that clients use.
    resolves: bool,
}

/// Whose an address in front of the cluster is.
#[derive(Debug)]
enum Whose {
    Floating,
    Edge(Arc<str>),
}

impl Whose {
    fn word(&self) -> &str {
        match self {
            Self::Floating => "the floating address",
            Self::Edge(name) => name,
        }
    }
}

/// The address without its port, and without the brackets of IPv6.
fn bare(at: &str) -> &str {
    let host = at.rsplit_once(':').map_or(at, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Front {
    pub(super) fn of(seen: &Snapshot) -> Self {
        let mut front = Self::default();
        if !seen.around.looks() {
            return front;
        }
        for (key, component) in &seen.platform.items {
            let (all, at) = match (key.kind, component.status.as_deref()) {
                (ComponentKind::Floating, Some(Facts::Floating(facts))) => {
                    (&mut front.floating, Some(&facts.at))
                }
                (ComponentKind::Edge, Some(Facts::Edge(facts))) => (&mut front.edges, Some(&facts.at)),
                (ComponentKind::Floating, _) => (&mut front.floating, None),
                (ComponentKind::Edge, _) => (&mut front.edges, None),
                (ComponentKind::IngressNode, _) => (&mut front.nodes, None),
                _ => continue,
            };
            all.push(key.clone());
            if let Some(at) = at {
                let whose = match key.kind {
                    ComponentKind::Floating => Whose::Floating,
                    _ => Whose::Edge(key.name.clone()),
                };
                front.ours.insert(bare(at).to_owned(), whose);
            }
        }
        let ours = |found: &Found| match found {
            Found::Names(Ok(all)) => all.iter().any(|address| front.ours.contains_key(&**address)),
            _ => false,
        };
        front.resolves = seen.looks.values().any(|looked| ours(&looked.found));
        front
    }

    /// The links of a host in front of the cluster.
    pub(super) fn links(
        &self,
        seen: &Snapshot,
        tenant: &Tenant,
        host: &Arc<str>,
        requested: Option<&Certificate>,
        said: &mut Said,
    ) {
        // What stands for many has no name to ask for.
        if !seen.around.looks() || tenant.desired() == 0 || host.is_empty() || host.contains('*') {
            return;
        }
        if !self.edges.is_empty() || !self.floating.is_empty() {
            self.name(seen, host, said);
            self.edge(seen, said);
            self.served(seen, tenant, host, requested, said);
        }
        if !self.nodes.is_empty() {
            self.node(seen, tenant, host, said);
        }
    }

    /// Where the name leads, as the resolver of this machine has it.
    fn name(&self, seen: &Snapshot, host: &Arc<str>, said: &mut Said) {
        let names = match seen.found(host, Asked::Resolver).map(|looked| &looked.found) {
            Some(Found::Names(names)) => names,
            Some(Found::Untold(why)) => {
                return said.unknown(Part::Dns, || format!("the resolver here does not tell: {why}"));
            }
            _ => return said.unknown(Part::Dns, || "not looked up yet".to_owned()),
        };
        let all = match names {
            Ok(all) => all,
            Err(why) if self.resolves => {
                let text = format!("the resolver here knows no such name, and knows others: {why}");
                return said
                    .fault(UNREACHABLE, Part::Dns, LinkState::Broken, text)
                    .mend("add the name to its zone");
            }
            Err(why) => {
                return said.unknown(Part::Dns, || format!("the resolver here does not know it: {why}"));
            }
        };
        let ours: Vec<&Whose> = all.iter().filter_map(|at| self.ours.get(&**at)).collect();
        let called = |by: &str| ours.iter().map(|one| one.word()).collect::<Vec<_>>().join(by);
        let listed = || all.iter().map(|at| &**at).collect::<Vec<_>>().join(", ");
        match ours.as_slice() {
            [] if self.resolves => said.say(Part::Dns, LinkState::Warning, || {
                format!("leads to {}, which is none of the edges; other hosts lead to an edge", listed())
            }),
            [] => said.unknown(Part::Dns, || format!("leads to {}, which is none of the edges", listed())),
            some if !self.floating.is_empty() && some.iter().all(|one| matches!(one, Whose::Edge(_))) => {
                said.say(Part::Dns, LinkState::Warning, || {
                    let edges = called(", ");
                    format!("leads to {edges} and not to the floating address: it fails with that edge")
                });
            }
            _ => said.ok(Part::Dns, || format!("leads to {} ({})", called(" and "), listed())),
        }
    }

    /// Whether the edges answer at all.
    fn edge(&self, seen: &Snapshot, said: &mut Said) {
        let of = |keys: &[ComponentKey]| -> Vec<Arc<Component>> {
            keys.iter().filter_map(|key| seen.platform.get(key).cloned()).collect()
        };
        let (floating, edges) = (of(&self.floating), of(&self.edges));
        let why = |all: &[Arc<Component>]| {
            let down = all.iter().find_map(|one| Some(format!("{} {}", one.name, one.link.trouble()?)));
            down.unwrap_or_default()
        };
        let (up, down): (Vec<_>, Vec<_>) = edges
            .iter()
            .cloned()
            .partition(|edge| edge.link == Freshness::Connecting || edge.now().is_some());
        if floating.iter().any(|one| one.link.trouble().is_some()) {
            return said.say(Part::Edge, LinkState::Broken, || why(&floating));
        }
        if floating.is_empty() && up.is_empty() {
            return said.say(Part::Edge, LinkState::Broken, || format!("no edge answers: {}", why(&down)));
        }
        if !down.is_empty() {
            let others = up.iter().map(|edge| &*edge.name.name).collect::<Vec<_>>().join(", ");
            let others = if others.is_empty() { String::new() } else { format!("; {others} answers") };
            return said.say(Part::Edge, LinkState::Warning, || format!("{}{others}", why(&down)));
        }
        if floating.iter().chain(&edges).any(|one| one.link == Freshness::Connecting) {
            return said.unknown(Part::Edge, || "not looked at yet".to_owned());
        }
        said.ok(Part::Edge, || {
            let names: Vec<_> = floating.iter().map(|one| one.name.to_string()).collect();
            let edges = edges.iter().map(|edge| edge.name.name.to_string());
            format!("{} answer", names.into_iter().chain(edges).collect::<Vec<_>>().join(", "))
        });
    }

    /// What the edges present for the host, and what they answer.
    fn served(
        &self,
        seen: &Snapshot,
        tenant: &Tenant,
        host: &Arc<str>,
        requested: Option<&Certificate>,
        said: &mut Said,
    ) {
        let live = |key: &&ComponentKey| seen.platform.get(*key).is_some_and(|one| one.now().is_some());
        let look = |key: &'_ ComponentKey| seen.found(host, Asked::At(key.clone()))?.found.tls();
        let places = || self.floating.iter().chain(&self.edges).filter(live);
        let looks: Vec<(&ComponentKey, &Look)> = places().filter_map(|key| Some((key, look(key)?))).collect();
        if looks.is_empty() {
            return said.unknown(Part::Served, || "not looked at yet".to_owned());
        }
        let ends = |look: &Look| match look {
            Look::Presented(certificate, _) => Some(certificate.not_after),
            _ => None,
        };
        let latest = looks.iter().filter_map(|(_, look)| ends(look)).max();
        let alike = looks.iter().all(|(_, look)| ends(look) == latest);
        let behind = requested.filter(|requested| {
            let same = |names: &[Arc<str>]| {
                requested.names.iter().all(|name| names.contains(name))
                    && names.len() == requested.names.len()
            };
            let earlier = |look: &Look| match look {
                Look::Presented(certificate, _) => {
                    same(&certificate.names)
                        && requested.not_after.is_some_and(|end| certificate.not_after < end)
                }
                _ => false,
            };
            looks.iter().all(|(_, look)| earlier(look))
        });
        if alike && behind.is_none() && looks.iter().all(|(_, look)| is_fine(look, host, seen.at)) {
            return said.ok(Part::Served, || match &looks[0].1 {
                Look::Presented(certificate, _) => {
                    let term = Term::of(Some(certificate.not_before), certificate.not_after, seen.at);
                    let words = term.words(Some(certificate.not_before), certificate.not_after, seen.at);
                    let places = count(looks.len(), "place");
                    format!("a certificate of {} that {words}, the same at {places}", certificate.issuer)
                }
                _ => String::new(),
            });
        }
        let mut all: Vec<Served> = looks
            .iter()
            .map(|(key, look)| Served::of(key.name.clone(), host.clone(), look, seen.at))
            .collect();
        compare_served(&mut all);
        // Clients come to the floating address; without one to any edge.
        let floats = looks.first().is_some_and(|(key, _)| key.kind == ComponentKind::Floating);
        let is_broken = |one: &&Served| one.state == LinkState::Broken;
        let ends_here = if floats { is_broken(&&all[0]) } else { all.iter().all(|one| is_broken(&one)) };
        let worst = if floats && ends_here {
            &all[0]
        } else {
            all.iter().max_by_key(|one| one.state).unwrap_or(&all[0])
        };
        let same = all.len() > 1 && all.iter().all(|one| one.text == worst.text);
        let who = if same { "every edge" } else { &*worst.address };
        let text = format!("{who} {}", worst.text);
        let state = if ends_here { LinkState::Broken } else { worst.state.min(LinkState::Warning) };
        let term = worst.certificate.as_ref().filter(|one| one.is_for(host) && one.distrusted.is_none());
        let term = term.map(|one| Term::of(Some(one.not_before), one.not_after, seen.at));
        let by_term = term.is_some_and(|term| term != Term::Good);
        // A certificate that another place presents in a newer form is told of the edge that was not reloaded.
        let renewed = term.is_some() && worst.certificate.as_ref().map(|one| one.not_after) < latest;
        let remedy = worst.remedy.clone();
        let failing = worst.status.is_some_and(|status| status >= 500);
        if let Some(requested) = behind.filter(|_| !ends_here) {
            let text = format!(
                "the edges present a certificate that ends earlier than the one that Certificate {} keeps",
                requested.key
            );
            let link = said.fault(CERTIFICATE, Part::Served, state.max(LinkState::Warning), text);
            return link.mend("put the renewed one there, and reload the proxies");
        }
        let rule = match (state, by_term) {
            (LinkState::Ok | LinkState::Unknown, _) => None,
            // The pods say why, in findings of their own.
            (_, false) if failing && tenant.ready() == 0 => None,
            _ if renewed && !ends_here => None,
            (_, true) => Some(CERTIFICATE),
            (LinkState::Broken, false) => Some(NOT_SERVED),
            // What differs between edges is told of the edge.
            (_, false) => None,
        };
        match rule {
            Some(rule) => {
                let link = said.fault(rule, Part::Served, state, text);
                link.remedy = remedy;
            }
            None => said.say(Part::Served, state, || text),
        }
    }

    /// Whether the ingress nodes know the host.
    fn node(&self, seen: &Snapshot, tenant: &Tenant, host: &Arc<str>, said: &mut Said) {
        let of = |key: &ComponentKey| seen.platform.get(key).cloned();
        let live: Vec<_> =
            self.nodes.iter().filter(|key| of(key).is_some_and(|one| one.now().is_some())).collect();
        let down = self.nodes.iter().filter_map(|key| Some((key, of(key)?.link.trouble()?.to_owned())));
        let down: Vec<_> = down.collect();
        if live.is_empty() {
            return match down.first() {
                Some((key, why)) if down.len() == self.nodes.len() => {
                    said.say(Part::IngressNode, LinkState::Broken, || {
                        format!("no ingress node answers: {} {why}", key.name)
                    });
                }
                _ => said.unknown(Part::IngressNode, || "not looked at yet".to_owned()),
            };
        }
        let reply =
            |key: &&&ComponentKey| seen.found(host, Asked::At((**key).clone()))?.found.http().cloned();
        let replies: Vec<(&ComponentKey, Reply)> =
            live.iter().filter_map(|key| Some((*key, reply(&key)?))).collect();
        if replies.is_empty() {
            return said.unknown(Part::IngressNode, || "not looked at yet".to_owned());
        }
        let serving = replies.iter().filter(|(_, reply)| node::serves(reply)).count();
        let know = || match (serving, self.nodes.len()) {
            (1, 1) => "the ingress node knows it".to_owned(),
            (n, of) if n == of => format!("all {n} ingress nodes know it"),
            (1, of) => format!("1 of {of} ingress nodes knows it"),
            (n, of) => format!("{n} of {of} ingress nodes know it"),
        };
        if serving == replies.len() {
            return said.ok(Part::IngressNode, || match down.len() {
                0 => know(),
                1 => format!("{}, 1 does not answer", know()),
                n => format!("{}, {n} do not answer", know()),
            });
        }
        let silent = replies.iter().find(|(_, reply)| *reply == Reply::Silent);
        let hangs =
            |key: &ComponentKey| format!("{} takes the request and does not answer in time", key.name);
        if serving > 0 {
            return said.say(Part::IngressNode, LinkState::Warning, || match silent {
                Some((key, _)) => format!("{}; {}", know(), hangs(key)),
                None => know(),
            });
        }
        // The file may be missing, and the application answer that as the controller does for a host that nobody has.
        let Some((key, reply)) = replies.iter().find(|(_, reply)| !matches!(reply, Reply::Answered(_, true)))
        else {
            let who = if replies.len() == 1 { "the ingress node" } else { "each ingress node" };
            return said.say(Part::IngressNode, LinkState::Warning, || {
                format!(
                    "{who} answers 404, as for a host that nobody has: it does not know the host, or the file that \
                     `path` names is not there"
                )
            });
        };
        let log = || format!("read its log: `wheelhouse logs {}`", tenant.name);
        let controller = || {
            "look at the log of the ingress controller, and whether it serves the class of the Ingress"
                .to_owned()
        };
        let (text, remedy) = match reply {
            Reply::Answered(status, _) => {
                (format!("{} answers {status}: it knows no ready endpoint", key.name), controller())
            }
            Reply::Silent => (hangs(key), log()),
            Reply::NotHttp => (format!("{} does not answer in HTTP", key.name), controller()),
        };
        if tenant.ready() == 0 {
            return said.say(Part::IngressNode, LinkState::Broken, || text);
        }
        said.fault(NOT_SERVED, Part::IngressNode, LinkState::Broken, text).mend(remedy);
    }

    /// What the application itself answers, where it is asked.
    pub(super) fn application(&self, seen: &Snapshot, tenant: &Tenant, host: &Arc<str>, said: &mut Said) {
        // It is asked through a place that answers: without one what it answered is no longer so.
        let up = |key: &ComponentKey| seen.platform.get(key).is_some_and(|one| one.now().is_some());
        let asked = tenant.desired() > 0 && self.floating.iter().chain(&self.edges).any(up);
        let found = seen.found(host, Asked::Deep).filter(|_| asked);
        let Some(Look::Presented(_, answer)) = found.and_then(|looked| looked.found.tls()) else { return };
        let text = match answer {
            Ok(status @ ..500) => return said.ok(Part::Application, || format!("answers {status}")),
            Ok(status) => format!("answers {status} where the application itself is asked"),
            Err(why) => format!("does not answer where the application itself is asked: {why}"),
        };
        if tenant.ready() == 0 {
            return said.say(Part::Application, LinkState::Broken, || text);
        }
        let link = said.fault(NOT_SERVED, Part::Application, LinkState::Broken, text);
        link.since = found.map(|looked| looked.since);
        link.mend(format!("read its log: `wheelhouse logs {}`", tenant.name));
    }
}

/// Until when the certificates are valid that are presented for a host: the first that ends.
pub(super) fn until(seen: &Snapshot, host: &Arc<str>) -> Option<jiff::Timestamp> {
    let places = seen.platform.items.keys();
    let looks = places.filter_map(|key| seen.found(host, Asked::At(key.clone()))?.found.tls());
    let ends = looks.filter_map(|look| match look {
        Look::Presented(certificate, _) if certificate.is_for(host) => Some(certificate.not_after),
        _ => None,
    });
    ends.min()
}
