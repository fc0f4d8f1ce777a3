//! The platform around: its components, what is told of each, the hosts in front of the tenants, and the failover sheet.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    app::Msg,
    cluster::{
        EndpointSlice, Ingress, IngressClass, IngressPath, IngressTls, Key, Look, Observation, PortName,
        Presented, Seen, Service, ServicePoint, ServicePort, Snapshot, Trouble,
        platform::{
            Around, Asked, Component, ComponentKey, ComponentKind, EdgeFacts, Facts, FloatingFacts, Found,
            IngressNodeFacts, Looked, Reply, Spot, Stub, edge,
            redis::{self, RedisFacts, RedisInfo, RedisRole},
            replica::{self, Channel, Gtids, ReplicaFacts},
            volume::{self, Brick, HealCount, OwnBrick, Pending, StorageFacts, VolumeFacts, VolumeState},
        },
    },
    history::{Happened, Report, changes},
    record::{Head, Recorder, Recording},
    ui::Place,
};

use super::cockpit::{Cockpit, NIGHT, night, now};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];
const HOSTS: [&str; 3] = ["acme.example.test", "globex.example.test", "wayne.example.test"];

fn days(n: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * n)
}

fn key(kind: ComponentKind, name: &str) -> ComponentKey {
    ComponentKey::new(kind, name)
}

fn up(seen: &mut Snapshot, kind: ComponentKind, name: &str, facts: Facts) {
    let key = key(kind, name);
    let component = Component::new(key.clone()).read(facts, None, now());
    seen.observe(Observation::Platform(Seen::Put(key, component)));
}

fn found(seen: &mut Snapshot, host: &str, asked: Asked, found: Found) {
    let looked = Looked { since: now(), found };
    seen.observe(Observation::Look(Seen::Put(Spot { host: host.into(), asked }, looked)));
}

/// A certificate of 90 days for a host, with so many left, is presented, and 200 answered.
fn presents(host: &str, left: i64) -> Found {
    let certificate = Presented {
        names: vec![host.into()],
        subject: host.into(),
        issuer: "House CA".into(),
        self_signed: false,
        not_before: days(left - 90),
        not_after: days(left),
        serial: "01".into(),
        distrusted: None,
        fingerprint: format!("{host} {left}").into(),
    };
    Found::Tls(Look::Presented(Box::new(certificate), Ok(200)))
}

fn server(read_only: bool, id: u64, written: &str, behind: Option<u64>) -> Facts {
    let follows = Channel {
        source: "10.0.0.51:3306".into(),
        source_id: Some(1),
        io: "Yes".into(),
        sql: "Yes".into(),
        behind,
        fetched: Gtids::read("0-1-4711"),
        ..Channel::default()
    };
    Facts::Replica(ReplicaFacts {
        server_id: Some(id),
        version: Some("10.11.19-MariaDB".into()),
        read_only: Some(read_only),
        written: Gtids::read(written),
        applied: Gtids::read("0-1-4711"),
        channels: Some(if read_only { vec![follows] } else { Vec::new() }),
        ..ReplicaFacts::default()
    })
}

fn keeps(role: RedisRole) -> Facts {
    let info = RedisInfo {
        version: Some("7.0.15".into()),
        used: Some(812 << 20),
        max: Some(1 << 30),
        policy: Some("volatile-lru".into()),
        evicted: Some(0),
        saves: Some(true),
        aof: Some(true),
        keys: Some((4_812, 4_812)),
        clients: Some((61, 10_000)),
        ..RedisInfo::default()
    };
    Facts::Redis(RedisFacts { role: Some(role), info: Some(info), ..RedisFacts::default() })
}

/// A night on which the passive edge was not reloaded, a certificate runs out, two servers of Redis take themselves for the
/// master, a replica has written by itself, and a brick is down.
pub fn around() -> Snapshot {
    let mut seen = night(NIGHT);
    let ingress = |host: &str| {
        let tenant = host.split('.').next().unwrap_or_default();
        let key = Key::new(tenant, tenant);
        let port = Some(PortName::Name("http".into()));
        let backend = Some(ServicePoint { namespace: None, service: tenant.into(), port });
        let path = IngressPath { host: host.into(), path: "/".into(), exact: false, backend };
        let tls = vec![IngressTls { hosts: vec![host.into()], secret: Some("tls".into()) }];
        let (created, paths, class) = (days(-100), vec![path], Some("nginx".into()));
        (key.clone(), Ingress { key, created, class, annotated: None, canary: false, paths, tls })
    };
    let tenants = || HOSTS.map(|host| host.split('.').next().unwrap_or_default());
    let service = |tenant: &str| {
        let ports = vec![ServicePort { name: "http".into(), port: 80, target: "80".into() }];
        let selector = Arc::new([("app".into(), tenant.into())].into_iter().collect());
        let key = Key::new(tenant, tenant);
        (key.clone(), Service { key, selector, ports, external: None })
    };
    let endpoints = |tenant: &str| {
        let (key, service, ports) = (Key::new(tenant, tenant), Some(tenant.into()), vec!["http".into()]);
        (key.clone(), EndpointSlice { key, service, total: 3, ready: 3, ports, elsewhere: Vec::new() })
    };
    let controller = "k8s.io/ingress-nginx".into();
    let class = IngressClass { controller, is_default: true, created: days(-100) };
    for all in [
        Observation::Ingress(Seen::All(HOSTS.map(ingress).into(), now())),
        Observation::IngressClass(Seen::All(vec![("nginx".into(), class)], now())),
        Observation::Service(Seen::All(tenants().map(service).into(), now())),
        Observation::EndpointSlice(Seen::All(tenants().map(endpoints).into(), now())),
    ] {
        seen.observe(all);
    }
    let proxy = |name: &str| edge::Wanted { name: name.into(), machine: None, connections: Some(4_096) };
    let session = |name: &str, address: &str| redis::Wanted {
        name: name.into(),
        address: address.into(),
        ..redis::Wanted::default()
    };
    let replica = |name: &str, address: &str| replica::Wanted {
        name: name.into(),
        address: address.into(),
        machine: None,
    };
    let storage = |name: &str| volume::Wanted { name: name.into(), machine: None };
    seen.around = Arc::new(Around {
        edges: vec![proxy("edge-1"), proxy("edge-2")],
        floating: Some("192.0.2.10:443".into()),
        nodes: true,
        probes: 10,
        redis: vec![session("redis-1", "10.0.0.31:6379"), session("redis-2", "10.0.0.32:6379")],
        replicas: vec![replica("db-1", "10.0.0.51:3306"), replica("db-2", "10.0.0.52:3306")],
        storage: ["gluster-1", "gluster-2", "gluster-3"].map(storage).into(),
        ..Around::default()
    });
    let round = || edge::Round { hosts: 3, looked: 3, oldest: Some(now()), silent: 0, of: 10, trust: None };
    for (name, ip, active) in [("edge-1", "192.0.2.11:443", 212), ("edge-2", "192.0.2.12:443", 0)] {
        let stub = Stub { active, ..Stub::default() };
        let facts = EdgeFacts { at: ip.into(), round: round(), stub: Some(Ok(stub)) };
        up(&mut seen, ComponentKind::Edge, name, Facts::Edge(facts));
    }
    let floating = FloatingFacts { at: "192.0.2.10:443".into(), round: round() };
    up(&mut seen, ComponentKind::Floating, "192.0.2.10:443", Facts::Floating(floating));
    let node = IngressNodeFacts { at: "10.0.0.21:30080".into(), round: round() };
    up(&mut seen, ComponentKind::IngressNode, "worker-1", Facts::IngressNode(node));
    for host in HOSTS {
        found(&mut seen, host, Asked::Resolver, Found::Names(Ok(vec!["192.0.2.10".into()])));
        for place in seen.platform.items.keys().cloned().collect::<Vec<_>>() {
            let left = match (&*place.name, host) {
                (_, "globex.example.test") => 2,
                ("edge-2", _) => 20,
                _ => 80,
            };
            let said = match place.kind {
                ComponentKind::IngressNode => Found::Http(Reply::Answered(200, false)),
                _ => presents(host, left),
            };
            found(&mut seen, host, Asked::At(place), said);
        }
    }
    let master = |offset| RedisRole::Master { offset, replicas: Vec::new() };
    up(&mut seen, ComponentKind::Redis, "redis-1", keeps(master(9_120_044)));
    up(&mut seen, ComponentKind::Redis, "redis-2", keeps(master(0)));
    up(&mut seen, ComponentKind::Replica, "db-1", server(false, 1, "0-1-4711", None));
    up(&mut seen, ComponentKind::Replica, "db-2", server(true, 2, "0-2-4712", Some(0)));
    for (n, own) in [("1", "gluster-1"), ("2", "gluster-2")] {
        let bricks = ["1", "2", "3"].map(|other| Brick {
            name: format!("gluster-{other}:/bricks/files").into(),
            arbiter: false,
            own: (other == n).then_some(OwnBrick { started: true, space: Some((61 << 30, 100 << 30)) }),
        });
        let volume = VolumeState {
            name: "files".into(),
            kind: "Replicate".into(),
            status: "Started".into(),
            bricks: bricks.into(),
            replica: 3,
            heals: Some(true),
            ..VolumeState::default()
        };
        let facts = StorageFacts { peers: Vec::new(), volumes: vec![volume] };
        up(&mut seen, ComponentKind::StorageNode, own, Facts::Storage(facts));
    }
    let lost = key(ComponentKind::StorageNode, "gluster-3");
    let why = "ssh: connect to host 10.0.0.63 port 22: Connection timed out";
    let down = Component::new(lost.clone()).failed(Trouble::Unreachable, why, now());
    seen.observe(Observation::Platform(Seen::Put(lost, down)));
    let pending = [Pending::Entries(12), Pending::Entries(12), Pending::NotConnected];
    let bricks = ["1", "2", "3"].map(|n| Arc::from(format!("gluster-{n}:/bricks/files")));
    let count = HealCount { bricks: bricks.into_iter().zip(pending).collect() };
    let facts = VolumeFacts { count: Some((now(), count)), ..VolumeFacts::default() };
    up(&mut seen, ComponentKind::Volume, "files", Facts::Volume(facts));
    seen
}

/// What becomes of it within two minutes, and three days later.
pub fn worse() -> [Snapshot; 4] {
    let first = around();
    let later = |seen: &Snapshot, seconds: i64| {
        let mut seen = seen.clone();
        seen.at += SignedDuration::from_secs(seconds);
        seen.revision += 1;
        seen
    };
    let fails = |seen: &mut Snapshot, kind, name: &str, why: &str| {
        let key = key(kind, name);
        let failed = seen.platform.items[&key].failed(Trouble::Refused, why, seen.at);
        seen.observe(Observation::Platform(Seen::Put(key, failed)));
    };
    let answers = |seen: &mut Snapshot, kind, name: &str| {
        let key = key(kind, name);
        let before = &seen.platform.items[&key];
        let again = before.read(before.status.as_deref().expect("a status").clone(), None, seen.at);
        seen.observe(Observation::Platform(Seen::Put(key, again)));
    };
    let says = |seen: &mut Snapshot, host: &str, edge: &str, said: Found| {
        let spot = Spot { host: host.into(), asked: Asked::At(key(ComponentKind::Edge, edge)) };
        let looked = Looked { since: seen.at, found: said };
        seen.observe(Observation::Look(Seen::Put(spot, looked)));
    };
    let answering = |status| match presents(HOSTS[2], 80) {
        Found::Tls(Look::Presented(certificate, _)) => Found::Tls(Look::Presented(certificate, Ok(status))),
        other => other,
    };
    let mut bad = later(&first, 60);
    fails(&mut bad, ComponentKind::Edge, "edge-2", "192.0.2.12:443 refuses connections");
    fails(&mut bad, ComponentKind::IngressNode, "worker-1", "10.0.0.21:30080 refuses connections");
    says(&mut bad, HOSTS[0], "edge-1", presents(HOSTS[0], 90));
    says(&mut bad, HOSTS[2], "edge-1", answering(502));
    // Of an edge that does not answer nothing is told of its hosts.
    says(&mut bad, HOSTS[2], "edge-2", answering(502));
    let follows =
        RedisRole::Replica { of: "10.0.0.31:6379".into(), link: "connected".into(), offset: Some(9) };
    up(&mut bad, ComponentKind::Redis, "redis-2", keeps(follows));
    let Facts::Replica(mut facts) = server(true, 2, "0-2-4712", None) else { unreachable!("it is one") };
    for channel in facts.channels.iter_mut().flatten() {
        channel.sql = "No".into();
        channel.sql_error = Some((1062, "Duplicate entry … for key …".into()));
    }
    up(&mut bad, ComponentKind::Replica, "db-2", Facts::Replica(facts));
    let gluster = key(ComponentKind::StorageNode, "gluster-2");
    let Some(Facts::Storage(mut facts)) = bad.platform.items[&gluster].status.as_deref().cloned() else {
        unreachable!("it is one")
    };
    for own in facts.volumes.iter_mut().flat_map(|v| &mut v.bricks).filter_map(|brick| brick.own.as_mut()) {
        own.started = false;
    }
    up(&mut bad, ComponentKind::StorageNode, "gluster-2", Facts::Storage(facts));
    let mut good = later(&bad, 60);
    answers(&mut good, ComponentKind::Edge, "edge-2");
    answers(&mut good, ComponentKind::IngressNode, "worker-1");
    says(&mut good, HOSTS[2], "edge-1", presents(HOSTS[2], 80));
    up(&mut good, ComponentKind::Replica, "db-2", server(true, 2, "0-2-4712", Some(0)));
    let over = later(&good, 3 * 24 * 3_600);
    [first, bad, good, over]
}

fn happened(all: &[Snapshot]) -> Vec<Happened> {
    all.windows(2).flat_map(|pair| changes(&pair[0], &pair[1])).collect()
}

#[test]
fn what_changes_is_on_the_timeline_in_the_report_and_in_recordings() {
    let all = worse();
    let told = |events: &[Happened]| -> Vec<String> {
        let whose = |e: &Happened| {
            let tenant = e.tenant.as_ref().map(|name| format!(" [{name}]"));
            let node = e.node.as_ref().map(|name| format!(" [{name}]"));
            tenant.or(node).unwrap_or_default()
        };
        events.iter().map(|e| format!("{:?}: {} {}{}", e.turn, e.subject(), e.text, whose(e))).collect()
    };
    let mut same = all[0].clone();
    same.at = all[1].at;
    assert_eq!(changes(&all[0], &same), []);
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
        insta::assert_snapshot!("platform_changes", told(&happened(&all)).join("\n"));
    });
    // The whole pool of edges.
    let mut none = all[1].clone();
    let last = key(ComponentKind::Edge, "edge-1");
    let failed = none.platform.items[&last].failed(Trouble::Silent, "192.0.2.11:443 is silent", none.at);
    none.observe(Observation::Platform(Seen::Put(last, failed)));
    let outage = told(&changes(&all[1], &none));
    assert_eq!(
        outage,
        ["Outage: edge edge-1 does not answer: 192.0.2.11:443 is silent; no other edge answers"]
    );

    let events = happened(&all[..3]);
    let report = Report::of(&all[0], &all[1], &events, &[], Vec::new());
    let text = report.markdown();
    for line in [
        "| 03:13:00 | ▲ | edge edge-2 | does not answer: 192.0.2.12:443 refuses connections |",
        "| Redis redis-2 state | ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    let of = |part: &str| json[part].as_array().unwrap().iter().any(|one| one["kind"] == "platform");
    assert!(of("events") && of("differences"), "{json:#}");

    for size in SIZES {
        let mut c = Cockpit::seeing(all[2].clone(), size, |_| {});
        c.now = all[2].at + SignedDuration::from_secs(5);
        c.send(Msg::Happened(events.clone()));
        c.keys("t");
        for lane in ["platform", "acme", "wayne"] {
            assert!(c.text().contains(lane), "{lane}: {}", c.text());
        }
        c.keys("tab");
        assert!(c.text().contains("worker-1"), "{}", c.text());
        c.keys("tab / p l a t enter enter");
        assert_eq!(c.app.place(), Place::Platform);
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.rec");
    let mut recorder = Recorder::create(&path, &Head::default()).unwrap();
    all.iter().for_each(|seen| recorder.take(seen).unwrap());
    recorder.close().unwrap();
    let mut recording = Recording::open(&[path]).unwrap();
    let mut expected = happened(&all);
    expected.sort_by_key(|event| event.time);
    assert_eq!(recording.events().to_vec(), expected);
    let replayed = recording.at(1).unwrap();
    assert_eq!(replayed.platform.items, all[1].platform.items);
    assert_eq!(replayed.looks.items, all[1].looks.items);
}

#[test]
fn the_components_stand_with_what_is_known_of_each() {
    for (size, [name, below, tenants, reach, sheet]) in SIZES.into_iter().zip([
        [
            "platform_80x24",
            "platform_redis_80x24",
            "platform_tenants_80x24",
            "platform_reach_80x24",
            "failover_80x24",
        ],
        [
            "platform_200x50",
            "platform_redis_200x50",
            "platform_tenants_200x50",
            "platform_reach_200x50",
            "failover_200x50",
        ],
    ]) {
        let mut c = Cockpit::seeing(around(), size, |_| {});
        look!(tenants, c);
        c.typed(":platform");
        c.keys("enter");
        assert_eq!(c.app.place(), Place::Platform);
        look!(name, c);
        c.typed("/redis");
        c.keys("enter G");
        look!(below, c);
        assert!(c.text().contains("2 of "), "{}", c.text());
        c.keys("esc");
        c.typed(":recovery");
        c.keys("enter");
        look!(sheet, c);
        c.keys("1");
        c.typed("/globex");
        c.keys("enter enter");
        while !c.text().contains("DNS") {
            c.keys("tab");
        }
        look!(reach, c);
    }
}

#[test]
fn a_component_leads_to_what_is_found_of_it_and_is_copied() {
    let mut c = Cockpit::seeing(around(), (80, 24), |_| {});
    c.typed(":platform");
    c.keys("enter");
    c.typed("/kind:edge");
    c.keys("enter j");
    assert!(c.text().contains("2 of 12"), "{}", c.text());
    let copied = c.keys("c");
    let [wheelhouse::app::Effect::Copy(text)] = copied.as_slice() else { panic!("{copied:?}") };
    assert!(text.starts_with("edge edge-2: presents an earlier certificate"), "{text}");
    assert!(text.contains("\n→ put the newer certificate there, and reload its proxy: `nginx -t"), "{text}");
    c.keys("esc 5");
    c.typed("/edge-2");
    c.keys("enter enter");
    let selected = c.text().lines().find(|l| l.starts_with('›')).map(str::to_owned).unwrap_or_default();
    assert!(c.app.place() == Place::Platform && selected.contains("edge-2"), "{}", c.text());
    // A server with replicas leads to the failover sheet, what runs on a node to that node.
    for (filter, place) in [
        ("db-2", Place::Recovery),
        ("worker-1", Place::Node("worker-1".into())),
        ("redis-1", Place::Platform),
    ] {
        let mut c = Cockpit::seeing(around(), (80, 24), |_| {});
        c.typed(":platform");
        c.keys("enter");
        c.typed(&format!("/{filter}"));
        c.keys("enter enter");
        assert_eq!(c.app.place(), place, "{}", c.text());
        let said = c.text().contains("all that is known of it is shown below");
        assert_eq!(said, place == Place::Platform, "{}", c.text());
    }
    // Nothing is configured: it says how.
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.typed(":platform");
    c.keys("enter");
    assert!(c.text().contains("nothing around the cluster is configured"), "{}", c.text());
}

#[test]
fn a_finding_about_a_component_shows_its_name_where_its_kind_has_no_room() {
    let mut seen = around();
    for name in ["ingress-eu-west-1a", "ingress-eu-west-1b"] {
        let lost = Component::new(key(ComponentKind::IngressNode, name));
        let lost = lost.failed(Trouble::Refused, "refuses connections", now());
        seen.observe(Observation::Platform(Seen::Put(lost.name.clone(), lost)));
    }
    for (size, expected) in [
        ((80, 24), ["ingress…-west-1a ", "ingress…-west-1b "]),
        ((160, 48), ["ingress-eu-west-1a ", "ingress-eu-west-1b "]),
    ] {
        let mut c = Cockpit::seeing(seen.clone(), size, |_| {});
        c.keys("5");
        c.typed("/ingress");
        c.keys("enter");
        for name in expected {
            assert!(c.text().contains(name), "{name}\n{}", c.text());
        }
    }
}
