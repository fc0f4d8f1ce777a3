//! Edges, the floating address and ingress nodes, judged; and the links in front of the cluster.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    Around, Asked, Component, ComponentKey, ComponentKind, EdgeFacts, Facts, FloatingFacts, Found,
    IngressNodeFacts, Looked, Platform, Reply, Spot, Stub,
    edge::{self, Round, Wanted},
    floating, node,
};
use crate::cluster::{
    Certificate, Chain, Delta, Finding, Ingress, IngressPath, IngressTls, Key, LinkState, Look, Observation,
    Part, Presented, Restoring, Seen, Snapshot, Subject, TenantName, Trouble, findings, sketch,
};

const NOW: &str = "2026-11-29T04:30:00Z";
const HOSTS: [&str; 2] = ["acme.example.test", "globex.example.test"];

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn days(n: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_hours(24 * n)
}

fn key(kind: ComponentKind, name: &str) -> ComponentKey {
    ComponentKey::new(kind, name)
}

fn edge(name: &str) -> ComponentKey {
    key(ComponentKind::Edge, name)
}

/// A certificate for a host with so many of 90 days left.
fn certificate(host: &str, left: i64) -> Presented {
    Presented {
        names: vec![host.into()],
        subject: host.into(),
        issuer: "House CA".into(),
        self_signed: false,
        not_before: days(left - 90),
        not_after: days(left),
        serial: "01".into(),
        distrusted: None,
        fingerprint: format!("{host} {left}").into(),
    }
}

fn presents(host: &str, left: i64, status: u16) -> Found {
    Found::Tls(Look::Presented(Box::new(certificate(host, left)), Ok(status)))
}

/// An installation: two tenants with a host each, two edges, the floating address and two ingress nodes, all well.
struct Site(Snapshot);

impl Site {
    fn new() -> Self {
        let mut seen = sketch("node w1\nnode w2\ntenant acme 1 on w1\ntenant globex 1 on w2", at(NOW))
            .expect("a sketch");
        let ingress = |host: &str| {
            let tenant = host.split('.').next().unwrap_or_default();
            let key = Key::new(tenant, tenant);
            let path = IngressPath { host: host.into(), path: "/".into(), exact: false, backend: None };
            let tls = IngressTls { hosts: vec![host.into()], secret: Some("tls".into()) };
            let bare = Ingress::bare(key.clone());
            (key, Ingress { created: days(-100), paths: vec![path], tls: vec![tls], ..bare })
        };
        seen.observe(Observation::Ingress(Seen::All(HOSTS.map(ingress).into(), at(NOW))));
        let wanted = |name: &str| Wanted { name: name.into(), machine: None, connections: Some(24) };
        seen.around = Arc::new(Around {
            edges: vec![wanted("edge-1"), wanted("edge-2")],
            floating: Some("192.0.2.10:443".into()),
            nodes: true,
            probes: 10,
            ..Around::default()
        });
        let mut site = Self(seen);
        for (name, ip) in [("edge-1", "192.0.2.11:443"), ("edge-2", "192.0.2.12:443")] {
            site.edge(name, EdgeFacts { at: ip.into(), round: round(), stub: None });
        }
        let floating = FloatingFacts { at: "192.0.2.10:443".into(), round: round() };
        site.up(key(ComponentKind::Floating, "192.0.2.10:443"), Facts::Floating(floating));
        for name in ["10.0.0.21:80", "10.0.0.22:80"] {
            let facts = IngressNodeFacts { at: name.into(), round: round() };
            site.up(key(ComponentKind::IngressNode, name), Facts::IngressNode(facts));
        }
        for host in HOSTS {
            site.found(host, Asked::Resolver, Found::Names(Ok(vec!["192.0.2.10".into()])));
            for place in site.0.platform.items.keys().cloned().collect::<Vec<_>>() {
                let found = match place.kind {
                    ComponentKind::IngressNode => Found::Http(Reply::Answered(200, false)),
                    _ => presents(host, 60, 200),
                };
                site.found(host, Asked::At(place), found);
            }
        }
        site
    }

    fn up(&mut self, key: ComponentKey, facts: Facts) {
        let known = self
            .0
            .platform
            .get(&key)
            .map_or_else(|| Component::new(key.clone()), |known| Component::clone(known));
        self.0.observe(Observation::Platform(Seen::Put(key, known.read(facts, None, at(NOW)))));
    }

    fn edge(&mut self, name: &str, facts: EdgeFacts) {
        self.up(edge(name), Facts::Edge(facts));
    }

    fn down(&mut self, key: ComponentKey) {
        let known = Component::clone(self.0.platform.get(&key).expect("it is configured"));
        let why = "refuses connections: nothing listens there";
        let down = known.failed(Trouble::Refused, why, days(0));
        self.0.observe(Observation::Platform(Seen::Put(key, down)));
    }

    fn found(&mut self, host: &str, asked: Asked, found: Found) {
        let looked = Looked { since: at(NOW), found };
        self.0.observe(Observation::Look(Seen::Put(Spot { host: host.into(), asked }, looked)));
    }

    fn said(&self, key: &ComponentKey) -> (LinkState, String) {
        let platform = Platform::of(&self.0);
        let row = platform.get(key).expect("a row");
        (row.state, row.text().to_owned())
    }

    fn chain(&self, tenant: &str) -> Chain {
        Chain::of(&self.0, &self.0.tenants[&TenantName::from(tenant)])
    }

    /// The links of the way to acme that do not hold, and what is said.
    fn wrong(&self) -> Vec<(Part, LinkState, String)> {
        let chain = self.chain("acme");
        let links = chain.routes.iter().flat_map(|route| &route.links);
        let wrong = links.filter(|link| link.state > LinkState::Unknown);
        wrong.map(|link| (link.part, link.state, link.text.clone())).collect()
    }

    fn findings(&self, rule: &str) -> Vec<Finding> {
        findings(&self.0).into_iter().filter(|finding| finding.rule == rule).collect()
    }
}

fn round() -> Round {
    Round { hosts: 2, looked: 2, oldest: Some(at(NOW)), silent: 0, of: 10, trust: None }
}

fn stub(active: u32, rate: f64) -> EdgeFacts {
    let stub = Stub { active, rate: Some(rate), ..Stub::default() };
    EdgeFacts { at: "192.0.2.11:443".into(), round: round(), stub: Some(Ok(stub)) }
}

#[test]
fn where_all_is_well_every_link_in_front_holds_and_nothing_is_found() {
    let site = Site::new();
    let chain = site.chain("acme");
    let parts: Vec<_> = chain.routes[0].links.iter().map(|link| (link.part, link.state)).collect();
    let front = [Part::Dns, Part::Edge, Part::Served, Part::IngressNode].map(|part| (part, LinkState::Ok));
    assert_eq!(parts[..4], front, "{chain:?}");
    assert_eq!(site.wrong(), []);
    let tenant = &site.0.tenants[&TenantName::from("acme")];
    assert_eq!(Chain::worst(&site.0, tenant), None);
    assert_eq!(Chain::until(&site.0, tenant), Some(days(60)));
    assert!(findings(&site.0).iter().all(|finding| !finding.rule.starts_with("platform")));
    let platform = Platform::of(&site.0);
    assert_eq!(platform.components.len(), 5);
    assert!(platform.components.iter().all(|row| row.state == LinkState::Ok), "{platform:?}");
    assert_eq!(platform.components[1].numbers[0], ("hosts", "2 of 2".to_owned()));
    // What is not configured is absent.
    let none = Snapshot::default();
    assert_eq!(*Platform::of(&none), Platform::default());
}

#[test]
fn a_place_that_is_still_asked_does_not_pass_for_one_that_was() {
    let told = |looked, hosts| Round { looked, hosts, ..Round::default() }.answers();
    assert_eq!(told(0, 0), "answers; no host is known to ask it for");
    assert_eq!(told(0, 24), "answers for 0 of 24 hosts; it is still asked for the others");
    assert_eq!(told(1, 24), "answers for 1 of 24 hosts; it is still asked for the others");
    assert_eq!(told(24, 24), "answers for 24 hosts");
}

#[test]
fn an_edge_that_was_not_reloaded_is_told_once_and_no_tenant_is_blamed() {
    let mut site = Site::new();
    for host in HOSTS {
        site.found(host, Asked::At(edge("edge-2")), presents(host, 40, 200));
    }
    let (state, text) = site.said(&edge("edge-2"));
    assert_eq!(state, LinkState::Warning);
    assert_eq!(
        text,
        "presents an earlier certificate than edge-1 for acme.example.test and globex.example.test: it was not reloaded \
         since that was renewed"
    );
    assert_eq!(site.findings(edge::STALE).len(), 1);
    assert_eq!(site.findings("certificate"), []);
    assert!(site.wrong()[0].2.contains("this one was not reloaded"), "{:?}", site.wrong());
    assert_eq!(site.said(&edge("edge-1")).0, LinkState::Ok);
    // Nor where the earlier one is near its end, or over it.
    for left in [20, 2, -3] {
        site.found(HOSTS[0], Asked::At(edge("edge-2")), presents(HOSTS[0], left, 200));
        assert_eq!(site.findings("certificate").len() + site.findings("host-not-served").len(), 0, "{left}");
        assert_eq!(site.findings(edge::STALE).len(), 1);
    }
    // A certificate that ends later and is not trusted is not newer.
    let mut strange = certificate(HOSTS[0], 300);
    strange.distrusted = Some("its issuer is not trusted".into());
    let mut site = Site::new();
    site.found(HOSTS[0], Asked::At(edge("edge-2")), Found::Tls(Look::Presented(Box::new(strange), Ok(200))));
    assert_eq!(site.said(&edge("edge-1")).0, LinkState::Ok);
}

#[test]
fn a_host_that_the_passive_edge_does_not_know_breaks_nothing_yet() {
    let mut site = Site::new();
    let mut own = certificate("ingress.local", 3_000);
    (own.self_signed, own.distrusted) = (true, Some("its issuer is not trusted".into()));
    site.found(
        HOSTS[0],
        Asked::At(edge("edge-2")),
        Found::Tls(Look::Presented(Box::new(own.clone()), Ok(404))),
    );
    let (state, text) = site.said(&edge("edge-2"));
    assert_eq!(state, LinkState::Warning, "{text}");
    assert!(text.starts_with("presents no certificate for acme.example.test, and edge-1 does"), "{text}");
    assert_eq!(site.wrong().iter().map(|(_, state, _)| *state).max(), Some(LinkState::Warning));
    assert_eq!(site.findings("host-not-served"), []);
    // At the floating address clients see it.
    let floating = key(ComponentKind::Floating, "192.0.2.10:443");
    site.found(HOSTS[0], Asked::At(floating), Found::Tls(Look::Presented(Box::new(own), Ok(404))));
    let broken = site.chain("acme");
    let (host, link) = broken.broken().expect("it is broken");
    assert_eq!((host.map(|host| &**host), link.part), (Some(HOSTS[0]), Part::Served));
    assert!(link.text.contains("the host is not configured there"), "{}", link.text);
    let found = site.findings("host-not-served");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subject, Subject::Tenant("acme".into()));
}

#[test]
fn an_edge_that_is_down_is_a_warning_until_none_is_left() {
    let mut site = Site::new();
    site.down(edge("edge-2"));
    let (state, text) = site.said(&edge("edge-2"));
    assert_eq!(state, LinkState::Warning);
    assert!(text.ends_with("; edge-1 answers, and nothing is left when it fails"), "{text}");
    assert_eq!(site.wrong()[0].0, Part::Edge);
    assert_eq!(site.chain("acme").broken(), None);
    site.down(edge("edge-1"));
    site.down(key(ComponentKind::Floating, "192.0.2.10:443"));
    assert_eq!(site.said(&edge("edge-1")).0, LinkState::Broken);
    let chain = site.chain("acme");
    let (_, link) = chain.broken().expect("it is broken");
    assert_eq!(link.part, Part::Edge, "the first broken link");
    // It is told of the edges, and not of every tenant.
    assert_eq!(site.findings(edge::DOWN).len(), 2);
    assert_eq!(site.findings("host-not-served").len() + site.findings("unreachable").len(), 0);
}

#[test]
fn connections_near_the_limit_a_restart_and_a_worker_that_hangs_are_told() {
    let mut site = Site::new();
    site.edge("edge-1", stub(9, 1.0));
    assert_eq!(site.said(&edge("edge-1")).0, LinkState::Ok, "9 of 24 connections");
    site.edge("edge-1", stub(10, 1.0));
    let (state, text) = site.said(&edge("edge-1"));
    assert!(
        state == LinkState::Warning && text.starts_with("10 connections of clients, and its workers take 24"),
        "{text}"
    );
    assert_eq!(site.findings(edge::SATURATED).len(), 1);
    let restarted = Stub { restarted: Some(at(NOW)), ..Stub::default() };
    site.edge("edge-1", EdgeFacts { stub: Some(Ok(restarted)), ..stub(0, 0.0) });
    assert_eq!(
        site.said(&edge("edge-1")),
        (LinkState::Notice, "was restarted: its counters began again".into())
    );
    let hung = EdgeFacts { round: Round { silent: 4, ..round() }, ..stub(0, 0.0) };
    site.edge("edge-1", hung);
    assert!(site.said(&edge("edge-1")).1.starts_with("4 of its last 10 connections got no answer"));
    // Counters that cannot be read are no reason to call it broken.
    site.edge("edge-1", EdgeFacts { stub: Some(Err("it answers 403".into())), ..stub(0, 0.0) });
    assert_eq!(site.said(&edge("edge-1")).0, LinkState::Notice);
}

#[test]
fn the_floating_address_is_on_the_edge_that_answers_alike_as_far_as_that_can_be_told() {
    let floating = key(ComponentKind::Floating, "192.0.2.10:443");
    let mut site = Site::new();
    let unclear = "answers; edge-1 and edge-2 answer alike, so that it cannot be told where it is";
    assert_eq!(site.said(&floating), (LinkState::Ok, unclear.into()));
    site.edge("edge-1", stub(1, 2.0));
    site.edge("edge-2", stub(1, 0.0));
    assert_eq!(site.said(&floating).1, "on edge-1, by the requests that it gets");
    site.edge("edge-2", stub(1, 3.0));
    assert!(
        site.said(&floating).1.contains("requests come to edge-1 and edge-2"),
        "{:?}",
        site.said(&floating)
    );
    // One of the two has other certificates.
    for host in HOSTS {
        site.found(host, Asked::At(edge("edge-1")), presents(host, 61, 200));
    }
    assert_eq!(site.said(&floating), (LinkState::Ok, "on edge-2: its certificates are the same".into()));
    // Two hold it: for one host it answers as the one, for the other as the other.
    site.found(HOSTS[1], Asked::At(floating.clone()), presents(HOSTS[1], 61, 200));
    let (state, text) = site.said(&floating);
    assert!(state == LinkState::Broken && text.ends_with("two edges hold it"), "{text}");
    assert_eq!(site.findings(floating::FLOATING).len(), 1);
    // A machine that is none of the edges.
    for host in HOSTS {
        site.found(host, Asked::At(floating.clone()), presents(host, 10, 200));
    }
    assert!(site.said(&floating).1.ends_with("another machine may hold it"));
    site.down(floating.clone());
    let (state, text) = site.said(&floating);
    assert!(
        state == LinkState::Broken && text.starts_with("no edge holds it: refuses connections"),
        "{text}"
    );
    // Where the edges are down themselves, that is the cause.
    site.down(edge("edge-1"));
    site.down(edge("edge-2"));
    assert_eq!(site.findings(floating::FLOATING), []);
}

#[test]
fn an_ingress_node_that_does_not_know_a_host_is_told_from_a_file_that_is_not_there() {
    let node = |name: &str| key(ComponentKind::IngressNode, name);
    let (one, two) = (node("10.0.0.21:80"), node("10.0.0.22:80"));
    let mut site = Site::new();
    let put = |site: &mut Site, at: &ComponentKey, status, default| {
        site.found(HOSTS[0], Asked::At(at.clone()), Found::Http(Reply::Answered(status, default)));
    };
    put(&mut site, &two, 404, false);
    assert_eq!(site.said(&two).0, LinkState::Ok, "the path may not be there");
    put(&mut site, &two, 404, true);
    let (state, text) = site.said(&two);
    assert!(
        state == LinkState::Warning && text == "does not know acme.example.test, and 10.0.0.21:80 does",
        "{text}"
    );
    assert_eq!(site.findings(node::DIFFERS).len(), 1);
    assert_eq!(site.chain("acme").broken(), None, "the other one does");
    // Where all answer so, the file may be missing, and every application answer it as the controller does.
    put(&mut site, &one, 404, true);
    assert_eq!(site.chain("acme").broken(), None);
    assert_eq!(site.findings("host-not-served"), []);
    let [(Part::IngressNode, LinkState::Warning, text)] = &site.wrong()[..] else {
        panic!("{:?}", site.wrong())
    };
    assert!(
        text.ends_with("it does not know the host, or the file that `path` names is not there"),
        "{text}"
    );
    put(&mut site, &one, 503, false);
    put(&mut site, &two, 503, false);
    let chain = site.chain("acme");
    let (_, link) = chain.broken().expect("it is broken");
    assert_eq!(link.text, "10.0.0.21:80 answers 503: it knows no ready endpoint");
    site.down(one.clone());
    assert_eq!(site.said(&one).0, LinkState::Warning);
    site.down(two);
    assert_eq!(site.said(&one).0, LinkState::Broken);
}

#[test]
fn a_name_that_the_resolver_does_not_know_counts_only_where_it_knows_others() {
    let mut site = Site::new();
    let unknown = || Found::Names(Err("no such host".into()));
    site.found(HOSTS[0], Asked::Resolver, unknown());
    let chain = site.chain("acme");
    assert_eq!(chain.broken().map(|(_, link)| link.part), Some(Part::Dns));
    site.found(HOSTS[1], Asked::Resolver, unknown());
    assert_eq!(site.chain("acme").broken(), None, "the resolver here may know other names");
    site.found(HOSTS[1], Asked::Resolver, Found::Names(Ok(vec!["192.0.2.10".into()])));
    site.found(HOSTS[0], Asked::Resolver, Found::Names(Ok(vec!["192.0.2.12".into()])));
    let [(Part::Dns, LinkState::Warning, text)] = &site.wrong()[..] else { panic!("{:?}", site.wrong()) };
    assert_eq!(text, "leads to edge-2 and not to the floating address: it fails with that edge");
}

#[test]
fn a_resolver_that_is_silent_breaks_no_way_to_a_tenant() {
    let mut site = Site::new();
    for why in ["no answer within 3 s", "Temporary failure in name resolution"] {
        site.found(HOSTS[0], Asked::Resolver, Found::Untold(why.into()));
        assert_eq!(site.chain("acme").broken(), None);
        assert_eq!((site.findings("unreachable"), site.wrong()), (vec![], vec![]));
        let chain = site.chain("acme");
        let link = &chain.routes[0].links[0];
        assert_eq!((link.part, link.state), (Part::Dns, LinkState::Unknown));
        assert_eq!(link.text, format!("the resolver here does not tell: {why}"));
    }
    site.found(HOSTS[0], Asked::Resolver, Found::Names(Ok(vec!["198.51.100.7".into()])));
    let text = &site.wrong()[0].2;
    assert_eq!(text, "leads to 198.51.100.7, which is none of the edges; other hosts lead to an edge");
}

#[test]
fn a_tenant_that_hangs_is_told_of_it_and_not_of_the_ingress_nodes() {
    let (one, two) =
        (key(ComponentKind::IngressNode, "10.0.0.21:80"), key(ComponentKind::IngressNode, "10.0.0.22:80"));
    let mut site = Site::new();
    site.found(HOSTS[0], Asked::At(two), Found::Http(Reply::Silent));
    let (_, state, text) = &site.wrong()[0];
    assert_eq!(
        (*state, text.as_str()),
        (
            LinkState::Warning,
            "1 of 2 ingress nodes knows it; 10.0.0.22:80 takes the request and does not answer in time"
        )
    );
    site.found(HOSTS[0], Asked::At(one.clone()), Found::Http(Reply::Silent));
    let chain = site.chain("acme");
    let (_, link) = chain.broken().expect("it is broken");
    assert_eq!(link.text, "10.0.0.21:80 takes the request and does not answer in time");
    assert_eq!(site.findings("host-not-served").len(), 1);
    assert_eq!(site.findings(node::DOWN), []);
    assert_eq!(site.said(&one).0, LinkState::Ok);
    // One request that got no answer may be a packet that was lost.
    for (silent, state) in [(1, LinkState::Ok), (2, LinkState::Warning)] {
        let round = Round { silent, ..round() };
        site.edge("edge-1", EdgeFacts { round: round.clone(), ..stub(0, 0.0) });
        site.up(one.clone(), Facts::IngressNode(IngressNodeFacts { at: "10.0.0.21:80".into(), round }));
        assert_eq!((site.said(&edge("edge-1")).0, site.said(&one).0), (state, state), "{silent}");
    }
}

#[test]
fn an_edge_that_fails_for_hosts_that_another_serves_is_told() {
    let mut site = Site::new();
    for host in HOSTS {
        site.found(host, Asked::At(edge("edge-2")), presents(host, 60, 502));
    }
    let (state, text) = site.said(&edge("edge-2"));
    assert_eq!(
        (state, text.as_str()),
        (
            LinkState::Warning,
            "does not serve acme.example.test and globex.example.test (answers 502), and edge-1 does"
        )
    );
    assert_eq!(site.findings(edge::DIFFERS).len(), 1);
    assert_eq!(site.chain("acme").broken(), None);
    assert!(site.wrong()[0].2.starts_with("edge-2 answers 502"), "{:?}", site.wrong());
    for look in [Look::NotTls, Look::Handshake("unrecognized name".into())] {
        site.found(HOSTS[0], Asked::At(edge("edge-2")), Found::Tls(look));
        assert_eq!(site.findings(edge::DIFFERS).len(), 1);
    }
    // Where it fails everywhere, or the other was not asked since, no edge differs.
    let whole = |mut site: Site, of: Round| {
        site.found(HOSTS[0], Asked::At(edge("edge-2")), presents(HOSTS[0], 60, 502));
        site.edge("edge-1", EdgeFacts { round: of, ..stub(0, 0.0) });
        site.findings(edge::DIFFERS).len()
    };
    assert_eq!(whole(Site::new(), round()), 1);
    assert_eq!(whole(Site::new(), Round { oldest: Some(days(-1)), ..round() }), 0);
    let mut all = Site::new();
    all.found(HOSTS[0], Asked::At(edge("edge-1")), presents(HOSTS[0], 60, 502));
    assert_eq!(whole(all, round()), 0);
}

#[test]
fn a_certificate_that_is_renewed_between_two_looks_is_not_two_edges_that_hold_the_address() {
    let floating = key(ComponentKind::Floating, "192.0.2.10:443");
    let unclear = (LinkState::Ok, "answers; on which edge it is cannot be told yet".to_owned());
    // Of the first host the address and edge-1 have been looked at since, of the second edge-2 was not yet.
    let mut site = Site::new();
    site.found(HOSTS[0], Asked::At(floating.clone()), presents(HOSTS[0], 90, 200));
    site.found(HOSTS[0], Asked::At(edge("edge-1")), presents(HOSTS[0], 90, 200));
    site.found(HOSTS[1], Asked::At(edge("edge-1")), presents(HOSTS[1], 90, 200));
    assert_eq!(site.said(&floating).0, LinkState::Broken, "all were looked at since");
    for name in ["edge-1", "edge-2"] {
        let round = Round { oldest: Some(at(NOW) - SignedDuration::from_secs(30)), ..round() };
        site.edge(name, EdgeFacts { round, ..stub(0, 0.0) });
    }
    assert_eq!(site.said(&floating), unclear);
    assert_eq!(site.findings(floating::FLOATING), []);
    // A host that both present in the same way, and one that neither does, is no sign of two.
    let mut site = Site::new();
    site.found(HOSTS[0], Asked::At(floating.clone()), presents(HOSTS[0], 90, 200));
    assert_eq!(site.said(&floating), unclear);
    assert_eq!(site.findings(floating::FLOATING), []);
}

#[test]
fn where_it_is_not_known_whom_to_trust_that_is_told_and_no_tenant_is_blamed() {
    let mut site = Site::new();
    let trust = Some("the certificates in /etc/ssl/house.pem cannot be read: no such file".into());
    site.edge("edge-1", EdgeFacts { round: Round { trust, ..round() }, ..stub(0, 0.0) });
    let (state, text) = site.said(&edge("edge-1"));
    assert_eq!(state, LinkState::Warning);
    assert!(text.contains("trusted is not known: the certificates in /etc/ssl/house.pem cannot"), "{text}");
    assert_eq!(site.wrong(), []);
}

#[test]
fn what_the_application_answered_is_not_known_where_no_edge_answers() {
    let mut site = Site::new();
    site.found(HOSTS[0], Asked::Deep, presents(HOSTS[0], 60, 200));
    let says = |site: &Site| {
        let chain = site.chain("acme");
        chain.routes[0].links.iter().any(|link| link.part == Part::Application && link.state == LinkState::Ok)
    };
    assert!(says(&site));
    for place in site.0.platform.items.keys().cloned().collect::<Vec<_>>() {
        site.down(place);
    }
    assert!(!says(&site));
}

#[test]
fn what_is_served_is_compared_with_what_was_requested_and_ends_by_its_lifetime() {
    let mut site = Site::new();
    let kept = Certificate {
        key: Key::new("acme", "acme"),
        secret: "tls".into(),
        names: vec![HOSTS[0].into()],
        not_before: Some(days(-1)),
        not_after: Some(days(89)),
        failed: None,
    };
    site.0.observe(Observation::Certificate(Seen::All(vec![(kept.key.clone(), kept)], at(NOW))));
    let [(Part::Served, LinkState::Warning, text)] = &site.wrong()[..] else { panic!("{:?}", site.wrong()) };
    assert_eq!(
        text,
        "the edges present a certificate that ends earlier than the one that Certificate acme/acme keeps"
    );
    // Two of 90 days are left, and none.
    for (left, state, severity) in [(2, LinkState::Warning, "warning"), (-1, LinkState::Broken, "critical")] {
        let mut site = Site::new();
        for place in site.0.platform.items.keys().cloned().collect::<Vec<_>>() {
            if place.kind != ComponentKind::IngressNode {
                site.found(HOSTS[0], Asked::At(place), presents(HOSTS[0], left, 200));
            }
        }
        assert_eq!(site.wrong()[0].1, state, "{:?}", site.wrong());
        let found = site.findings("certificate");
        assert_eq!(found.iter().map(|f| f.severity.word()).collect::<Vec<_>>(), [severity]);
        assert_eq!(site.said(&edge("edge-1")).0, LinkState::Ok, "no edge is to blame");
    }
}

#[test]
fn a_tenant_without_a_ready_pod_is_told_by_its_pods_and_not_by_the_edges() {
    let mut site = Site(sketch("node w1\ntenant acme 1 on w1x", at(NOW)).expect("a sketch"));
    let whole = Site::new();
    (site.0.platform, site.0.looks, site.0.around, site.0.ingresses) =
        (whole.0.platform.clone(), whole.0.looks.clone(), whole.0.around.clone(), whole.0.ingresses.clone());
    for place in site.0.platform.items.keys().cloned().collect::<Vec<_>>() {
        if place.kind != ComponentKind::IngressNode {
            site.found(HOSTS[0], Asked::At(place), presents(HOSTS[0], 60, 502));
        }
    }
    assert!(site.wrong().iter().any(|(part, state, _)| (*part, *state) == (Part::Served, LinkState::Broken)));
    assert_eq!(site.findings("host-not-served"), []);
}

#[test]
fn a_recording_holds_the_platform_as_it_was() {
    let mut site = Site::new();
    let whole = site.0.clone();
    site.down(edge("edge-1"));
    site.found(HOSTS[0], Asked::At(edge("edge-2")), presents(HOSTS[0], 2, 200));
    site.0.revision = whole.revision + 1;
    let mut restoring = Restoring::default();
    let mut before = Snapshot::default();
    for seen in [&whole, &site.0] {
        let bytes = postcard::to_stdvec(&Delta::between(&before, seen)).expect("it is written");
        restoring.apply(postcard::from_bytes(&bytes).expect("it is read")).expect("it is understood");
        let replayed = restoring.snapshot();
        assert_eq!(*Platform::of(&replayed), *Platform::of(seen));
        assert_eq!(replayed.looks.items, seen.looks.items);
        before = seen.clone();
    }
}
