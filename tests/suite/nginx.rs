//! What a real nginx serves, as the edge of an installation: a renewed certificate that was not reloaded, a host it does not
//! know, workers that hang, and nobody behind it.
//!
//! Needs: nginx

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use wheelhouse::cluster::{LinkState, Served};

use crate::{
    program::{Demo, PATIENCE, send},
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
        Self::serving(HOST, identity)
    }

    /// One that serves hosts of that name.
    fn serving(names: &str, identity: &Identity) -> Self {
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
             server {{ listen {at} ssl; listen {floating} ssl; server_name {names}; ssl_certificate host.pem; ssl_certificate_key host.key;\n\
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
    let now = jiff::Timestamp::now();
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

/// The installation's edges as they are told by the command: of each component its state and all that is said.
fn platform(demo: &Demo, house: &Authority, edges: [&Edge; 2]) -> BTreeMap<String, (String, String)> {
    let edge = |(name, edge): (&str, &Edge)| {
        format!(
            "{{ name = \"{name}\", address = \"{}\", stub-status = \"http://{}/stub_status\", workers = 2, \
             worker-connections = 64 }}",
            edge.at, edge.status
        )
    };
    let named = ["edge-1", "edge-2"].into_iter().zip(edges).map(edge).collect::<Vec<_>>().join(", ");
    let settings = [
        format!("platform.edges=[{named}]"),
        format!("platform.floating={}", edges[0].floating),
        format!("platform.ca={}", house.file.display()),
        "platform.probes=100".to_owned(),
    ];
    let mut arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    arguments.extend(["platform", "-o", "json"]);
    let told = demo.json(0, &arguments);
    let of = |component: &serde_json::Value| {
        let said = component["said"].as_array().expect("a list").iter();
        let said: Vec<_> = said.map(|one| one["text"].as_str().unwrap_or_default()).collect();
        let state = component["state"].as_str().unwrap_or_default().to_owned();
        (component["key"]["name"].as_str().unwrap_or_default().to_owned(), (state, said.join("; ")))
    };
    told["components"].as_array().expect("a list").iter().map(of).collect()
}

/// Looks until this is said of a component.
fn until_said(
    demo: &Demo,
    house: &Authority,
    edges: [&Edge; 2],
    of: &str,
    holds: impl Fn(&str, &str) -> bool,
) {
    let begun = Instant::now();
    loop {
        let all = platform(demo, house, edges);
        let (state, text) = all.get(of).cloned().unwrap_or_default();
        if holds(&state, &text) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {of}: {all:#?}");
    }
}

#[test]
fn the_edges_of_an_installation_are_told_apart_by_what_they_serve_and_count() {
    let house = Authority::new();
    let names = "*.saas.example";
    let old = house.issue(&[names], (2026, 9, 20), (2036, 12, 19));
    let new = house.issue(&[names], (2026, 11, 20), (2037, 2, 18));
    let (one, two) = (Edge::serving(names, &old), Edge::serving(names, &old));
    let demo = Demo::cluster("--speed 1 --scenario calm --seed 7 --tenants 3 --nodes 2");
    let edges = [&one, &two];
    let floating = one.floating.to_string();
    until_said(&demo, &house, edges, "edge-2", |state, text| {
        state == "ok" && text.starts_with("answers for ")
    });
    until_said(&demo, &house, edges, &floating, |_, text| text.contains("edge-1 and edge-2 answer alike"));
    // The file is new on both, and one was reloaded: the address is on that one.
    one.renew(&new);
    two.renew(&new);
    one.reload();
    let stale = |state: &str, text: &str| {
        state == "warning" && text.contains("presents an earlier certificate than edge-1 for ")
    };
    until_said(&demo, &house, edges, "edge-2", stale);
    until_said(&demo, &house, edges, &floating, |_, text| text == "on edge-1: its certificates are the same");
    two.reload();
    until_said(&demo, &house, edges, "edge-2", |state, _| state == "ok");
    // Clients hold more than 40 % of 2 x 64 connections.
    let held: Vec<_> = (0..60).map(|_| TcpStream::connect(one.at).expect("a connection")).collect();
    until_said(&demo, &house, edges, "edge-1", |state, text| {
        state == "warning" && text.contains(" connections of clients, and its workers take 128 in all")
    });
    drop(held);
    // All workers hang: it takes connections, and nothing is left of it.
    two.workers().into_iter().for_each(|worker| send(worker, "STOP"));
    until_said(&demo, &house, edges, "edge-2", |state, text| {
        state == "warning" && text.starts_with("takes the connection and does not answer")
    });
}
