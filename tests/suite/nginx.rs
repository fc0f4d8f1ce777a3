//! What a real nginx serves, as the edge of an installation: a renewed certificate that was not reloaded, a host it does not
//! know, workers that hang, and nobody behind it.
//!
//! Needs: nginx

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use wheelhouse::{
    cluster::{
        Ingress, IngressPath, Key, LinkState, NOT_INSTALLED, Observation, Seen, Served, Snapshot,
        platform::{Around, Platform, edge::Wanted},
        sketch,
    },
    live::platform::{Configured, follow},
};

use crate::{
    program::{PATIENCE, send},
    reach::served::{Authority, HOST, Identity, look, self_signed},
};

const NGINX: &str = "/usr/sbin/nginx";

/// An edge in front of an ingress node that is not there, on ports of its own.
struct Edge {
    at: SocketAddr,
    /// Another address of the same, as the floating one is.
    floating: SocketAddr,
    /// Where its counters are.
    status: SocketAddr,
    folder: tempfile::TempDir,
    master: Child,
}

impl Drop for Edge {
    fn drop(&mut self) {
        // A test that fails must not fail again here.
        let tell = |process: u32, signal: &str| {
            let _ = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
        };
        self.workers().into_iter().for_each(|worker| tell(worker, "-CONT"));
        tell(self.master.id(), "-TERM");
        let _ = self.master.wait();
    }
}

impl Edge {
    fn start(identity: &Identity) -> Self {
        assert!(PathBuf::from(NGINX).exists(), "nginx is missing: apt-get install nginx-light, or tests/run");
        let folder = tempfile::tempdir().expect("a folder");
        let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (at, floating, status, nobody) = (free(), free(), free(), free());
        put(&folder, "default", &self_signed());
        put(&folder, "host", identity);
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "{user} worker_processes 2; daemon off; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c;\n\
             uwsgi_temp_path d; scgi_temp_path e;\n\
             server {{ listen {status}; location = /stub_status {{ stub_status; }} }}\n\
             server {{ listen {at} ssl default_server; listen {floating} ssl default_server; ssl_certificate default.pem; ssl_certificate_key default.key;\n\
             return 444; }}\n\
             server {{ listen {at} ssl; listen {floating} ssl; server_name {HOST}; ssl_certificate host.pem; ssl_certificate_key host.key;\n\
             location = /robots.txt {{ return 200; }} location / {{ proxy_pass http://{nobody}; }} }} }}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("a file");
        let prefix = format!("{}/", folder.path().display());
        let mut command = Command::new(NGINX);
        command.args(["-p", &prefix, "-c", "nginx.conf", "-e", "error.log"]).stdin(Stdio::null());
        let master = command.stderr(Stdio::null()).spawn().expect("nginx starts");
        let edge = Self { at, floating, status, folder, master };
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            let said = || fs::read_to_string(edge.folder.path().join("error.log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "nginx does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        edge
    }

    /// Puts a renewed certificate where the old one was.
    fn renew(&self, identity: &Identity) {
        put(&self.folder, "host", identity);
    }

    fn reload(&self) {
        send(self.master.id(), "HUP");
    }

    /// The processes that its master has started.
    fn workers(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.master.id());
        let text = fs::read_to_string(children).unwrap_or_default();
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }
}

fn put(folder: &tempfile::TempDir, name: &str, Identity { pem: (certificate, key), .. }: &Identity) {
    fs::write(folder.path().join(format!("{name}.pem")), certificate).expect("a file");
    fs::write(folder.path().join(format!("{name}.key")), key).expect("a file");
}

/// Looks until this holds.
async fn until(
    at: &[SocketAddr],
    house: &Authority,
    what: &str,
    holds: impl Fn(&[Served]) -> bool,
) -> Vec<Served> {
    let begun = Instant::now();
    loop {
        let seen = look(at, &house.roots()).await;
        if holds(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {what}: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_served_only_by_the_edge_that_was_reloaded() {
    let house = Authority::new();
    let old = house.issue(&[HOST], (2026, 9, 20), (2026, 12, 19));
    let new = house.issue(&[HOST], (2026, 11, 20), (2027, 2, 18));
    let (active, passive) = (Edge::start(&old), Edge::start(&old));
    let both = [active.at, passive.at];
    let seen = look(&both, &house.roots()).await;
    assert!(seen.iter().all(|one| one.state == LinkState::Notice && one.status == Some(200)), "{seen:?}");
    // The file is new on both, and one was reloaded.
    active.renew(&new);
    passive.renew(&new);
    active.reload();
    let seen = until(&both, &house, "the new certificate", |seen| seen[0].state == LinkState::Ok).await;
    assert_eq!(seen[1].state, LinkState::Warning);
    assert!(seen[1].text.ends_with("presents a newer one: this one was not reloaded"), "{}", seen[1].text);
    passive.reload();
    until(&both, &house, "both", |seen| seen.iter().all(|one| one.state == LinkState::Ok)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_it_does_not_know_and_workers_that_hang_are_told_apart() {
    let house = Authority::new();
    let edge = Edge::start(&house.issue(&["globex.example.test"], (2026, 11, 20), (2027, 2, 18)));
    let seen = look(&[edge.at], &house.roots()).await;
    assert!(seen[0].text.starts_with("presents a certificate for globex.example.test"), "{}", seen[0].text);
    let now = Timestamp::now();
    let at = [edge.at.to_string()];
    let unknown = ["initech.example.test".into()];
    let seen =
        wheelhouse::live::edge::served(&at, &unknown, "/", &house.roots(), now).await.expect("an address");
    assert!(seen[0].text.contains("the host is not configured there"), "{}", seen[0].text);
    edge.workers().into_iter().for_each(|worker| send(worker, "STOP"));
    let seen = look(&[edge.at], &house.roots()).await;
    assert_eq!(seen[0].text, "takes the connection and does not answer the TLS handshake");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_with_nobody_behind_it_answers_and_says_so() {
    let house = Authority::new();
    let edge = Edge::start(&house.issue(&[HOST], (2026, 11, 20), (2027, 2, 18)));
    let now = "2026-11-29T04:30:00Z".parse().expect("a time");
    let at = [edge.at.to_string()];
    let seen = wheelhouse::live::edge::served(&at, &[HOST.into()], "/", &house.roots(), now)
        .await
        .expect("an address");
    assert_eq!((seen[0].state, seen[0].status), (LinkState::Broken, Some(502)));
}

/// A cluster that leads the host to a tenant.
fn cluster() -> Snapshot {
    let now = Timestamp::now();
    let mut seen = sketch("node w1\ntenant acme 1 on w1", now).expect("a sketch");
    let key = Key::new("acme", "acme");
    let path = IngressPath { host: HOST.into(), path: "/".into(), exact: false, backend: None };
    let ingress = Ingress {
        key: key.clone(),
        created: now,
        class: None,
        annotated: None,
        canary: false,
        paths: vec![path],
        tls: vec![],
    };
    seen.observe(Observation::Ingress(Seen::All(vec![(key, ingress)], now)));
    let absent = || NOT_INSTALLED.into();
    seen.observe(Observation::HttpRoute(Seen::Lost(now, absent())));
    seen.observe(Observation::Gateway(Seen::Lost(now, absent())));
    seen.observe(Observation::Certificate(Seen::Lost(now, absent())));
    seen.observe(Observation::IngressClass(Seen::Lost(now, absent())));
    seen.observe(Observation::EndpointSlice(Seen::Lost(now, absent())));
    seen
}

/// Two edges, the first with the floating address, followed until each of these says what begins or ends so.
async fn told(house: &Authority, edges: [&Edge; 2], expected: &[(&str, LinkState, &str)]) {
    let pair = |at: SocketAddr| (at.ip().to_string(), at.port());
    let named = || ["edge-1", "edge-2"].into_iter().zip(edges);
    let floating = edges[0].floating.to_string();
    let wanted = |name: &str| Wanted { name: name.into(), machine: None, connections: Some(2 * 64) };
    let around = Around {
        edges: named().map(|(name, _)| wanted(name)).collect(),
        floating: Some(floating.as_str().into()),
        probes: 100,
        ..Around::default()
    };
    let stub = |edge: &Edge| (edge.status.ip().to_string(), edge.status.port(), "/stub_status".to_owned());
    let configured = Configured {
        edges: named().map(|(name, edge)| (name.to_owned(), pair(edge.at), Some(stub(edge)))).collect(),
        floating: Some(pair(edges[0].floating)),
        probes: 100,
        every: Duration::from_millis(200),
        path: "/robots.txt".into(),
        ca: Some(house.file.clone()),
        around: around.clone(),
        ..Configured::default()
    };
    let mut seen = cluster();
    seen.around = Arc::new(around);
    let (_keep, heard) = watch::channel(Arc::new(seen.clone()));
    let (tell, mut reports) = mpsc::channel(64);
    let _tasks = follow(configured, None, heard, tell);
    let begun = Instant::now();
    loop {
        let report =
            tokio::time::timeout(PATIENCE, reports.recv()).await.expect("it is told").expect("it goes on");
        seen.observe(report);
        seen.at = Timestamp::now();
        let platform = Platform::of(&seen);
        let holds = |(name, state, text): &(&str, LinkState, &str)| {
            let name = if name.is_empty() { floating.as_str() } else { *name };
            let row = platform.components.iter().find(|row| *row.key.name == *name);
            row.is_some_and(|row| row.state == *state && row.text().contains(text))
        };
        if expected.iter().all(holds) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {expected:?}: {platform:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edges_of_an_installation_are_told_apart_by_what_they_serve_and_count() {
    use LinkState::{Ok, Warning};
    let house = Authority::new();
    let old = house.issue(&[HOST], (2026, 9, 20), (2036, 12, 19));
    let new = house.issue(&[HOST], (2026, 11, 20), (2037, 2, 18));
    let (one, two) = (Edge::start(&old), Edge::start(&old));
    let edges = [&one, &two];
    let serves = "answers for 1 host";
    told(&house, edges, &[("edge-1", Ok, serves), ("edge-2", Ok, serves), ("", Ok, "answer alike")]).await;
    // The file is new on both, and one was reloaded: the address is on that one.
    one.renew(&new);
    two.renew(&new);
    one.reload();
    let stale = "presents an earlier certificate than edge-1 for acme.example.test: it was not reloaded";
    let on = "on edge-1: its certificates are the same";
    told(&house, edges, &[("edge-1", Ok, serves), ("edge-2", Warning, stale), ("", Ok, on)]).await;
    // Clients hold more than 40 % of 2 x 64 connections.
    let _held: Vec<_> = (0..60).map(|_| TcpStream::connect(one.at).expect("a connection")).collect();
    told(&house, edges, &[("edge-1", Warning, "connections of clients, and its workers take 128 in all")])
        .await;
}
