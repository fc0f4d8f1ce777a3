//! What the ways from outside cost: a tenant with thousands of hosts against one with a quarter of them, from one run. All hosts
//! are in one Ingress with one entry of TLS, and each has a Service with endpoints of its own in the same namespace.
//! `cargo bench --bench ways`

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use wheelhouse::cluster::{
    Chain, EndpointSlice, Ingress, IngressClass, IngressPath, IngressTls, Key, Observation, Outside,
    PortName, Seen, Service, ServicePoint, ServicePort, Snapshot, TenantName, findings, sketch,
};

const HOSTS: usize = 4_000;
const TIMES: usize = 4;
const ROUNDS: usize = 9;

fn world(hosts: usize, now: Timestamp) -> Snapshot {
    let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
    let http: Arc<str> = "http".into();
    let name = |n: usize| Key::new("acme", format!("site-{n}").as_str());
    let host = |n: usize| Arc::from(format!("site-{n}.example.test"));
    let selector = Arc::new([("app".into(), "acme".into())].into_iter().collect());
    let service = |n: usize| {
        let ports = vec![ServicePort { name: http.clone(), port: 80, target: "web".into() }];
        (name(n), Service { key: name(n), selector: Arc::clone(&selector), ports, external: None })
    };
    let slice = |n: usize| {
        let service = Some(name(n).name);
        let slice = EndpointSlice {
            key: name(n),
            service,
            total: 2,
            ready: 2,
            ports: vec![http.clone()],
            elsewhere: Vec::new(),
        };
        (name(n), slice)
    };
    let path = |n: usize| {
        let port = Some(PortName::Name(http.clone()));
        let backend = Some(ServicePoint { namespace: None, service: name(n).name, port });
        IngressPath { host: host(n), path: "/".into(), exact: false, backend }
    };
    let key = Key::new("acme", "sites");
    let ingress = Ingress {
        key: key.clone(),
        created: now,
        class: Some("nginx".into()),
        annotated: None,
        canary: false,
        paths: (0..hosts).map(path).collect(),
        tls: vec![IngressTls { hosts: (0..hosts).map(host).collect(), secret: Some("sites-tls".into()) }],
    };
    let class = IngressClass { controller: "k8s.io/ingress-nginx".into(), is_default: true, created: now };
    for part in [
        Observation::Service(Seen::All((0..hosts).map(service).collect(), now)),
        Observation::EndpointSlice(Seen::All((0..hosts).map(slice).collect(), now)),
        Observation::IngressClass(Seen::All(vec![("nginx".into(), class)], now)),
        Observation::Ingress(Seen::All(vec![(key, ingress)], now)),
    ] {
        seen.observe(part);
    }
    seen
}

/// The median of some rounds: the ways, what is wrong on them at a later moment, and all lines of the screen.
fn cost(hosts: usize) -> [Duration; 3] {
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    let acme = TenantName::from("acme");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let mut seen = world(hosts, now);
        let mut measure = |at: usize, work: &dyn Fn(&Snapshot)| {
            let begun = Instant::now();
            work(&seen);
            times[at].push(begun.elapsed());
        };
        measure(0, &|seen| drop(black_box(Outside::of(seen))));
        measure(1, &|seen| drop(black_box(Chain::of(seen, &seen.tenants[&acme]))));
        seen.at += SignedDuration::from_secs(1);
        let begun = Instant::now();
        black_box(findings(&seen));
        times[2].push(begun.elapsed());
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

fn main() {
    let (few, many) = (cost(HOSTS / TIMES), cost(HOSTS));
    println!("{} hosts of a tenant, and {HOSTS}: {TIMES} times as many", HOSTS / TIMES);
    for (what, few, many) in [
        ("the ways", few[0], many[0]),
        ("all links of them", few[1], many[1]),
        ("all findings, a moment later", few[2], many[2]),
    ] {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{what}: {:.2} ms and {:.2} ms, ratio {ratio:.1}; linear: {TIMES}",
            millis(few),
            millis(many)
        );
    }
}
