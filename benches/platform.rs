//! What it costs to look at 2,000 hosts on two edges within the budget of the configuration, and what a frame takes with all
//! that is known of them: `cargo bench --bench platform`.
//!
//! The edges run in a process of their own, so that the processor time of this one is the looking alone. It is told beside
//! what a bare handshake with its request takes in the same run: what the schedule, the certificates and the snapshot add.
//! The targets: under 5 % of a core while looking at the default pace, and a frame under 5 ms.

use std::{
    hint::black_box,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_rustls::TlsAcceptor;
use wheelhouse::{
    app::{App, Msg, Setup, update},
    cluster::{
        Chain, Ingress, IngressPath, Judge, Key, NOT_INSTALLED, Observation, Outside, Seen, Snapshot,
        platform::{Around, Asked, Platform, edge::Wanted},
        sketch,
    },
    live::platform::{Configured, follow},
    wire::tls,
};

const HOSTS: usize = 2_000;
const EDGES: usize = 2;
/// The default of the configuration.
const PROBES: u32 = 10;
const SECONDS: u64 = 20;
/// So much of a core may be used at most, in percent.
const AT_MOST: f64 = 5.0;
/// A frame may take so many milliseconds.
const FRAME: f64 = 5.0;
/// Set in the process that serves.
const SERVES: &str = "WHEELHOUSE_BENCH_SERVES";
const SIZE: (u16, u16) = (160, 48);

fn main() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if std::env::var_os(SERVES).is_some() {
        return runtime().block_on(serve());
    }
    let server = Server::start();
    let mut seen = cluster();
    let handshakes = runtime().block_on(bare(&server.edges));
    let (cpu, looks) =
        runtime().block_on(looking(&server.edges, &mut seen, PROBES, Duration::from_secs(SECONDS)));
    let share = cpu.as_secs_f64() / SECONDS as f64 * 100.0;
    let each = cpu.as_secs_f64() * 1e3 / looks.max(1) as f64;
    println!("looking at {HOSTS} hosts on {EDGES} edges, {PROBES} a second for {SECONDS} s");
    println!("  processor time                {:>8.1} ms, {share:.2} % of a core", cpu.as_secs_f64() * 1e3);
    println!("  answers                       {looks:>8}, {each:.2} ms each");
    println!("  a handshake and its request   {handshakes:>8.2} ms");
    println!("  look : handshake              {:>8.2} : 1", each / handshakes);
    println!("  bound : used                  {AT_MOST:>8} : {share:.2} = {:.1} : 1", AT_MOST / share);
    // All that there is to be known, as fast as it can be had.
    runtime().block_on(looking(&server.edges, &mut seen, 100_000, Duration::from_secs(600)));
    let (frame, judged, platform) = frames(&seen);
    println!("with {} answers known", seen.looks.len());
    println!("  judged beside the loop        {judged:>8.2} ms, of which the platform {platform:.2} ms");
    println!("  update and draw               {frame:>8.2} ms, {:.2} of the goal of {FRAME}", frame / FRAME);
}

fn cluster() -> Snapshot {
    let now = Timestamp::now();
    let mut text: String = (1..=20).map(|i| format!("node worker-{i} memory=64Gi\n")).collect();
    for i in 0..HOSTS {
        text.push_str(&format!("tenant tenant-{i:04} 1 on worker-{}\n", 1 + i % 20));
    }
    let mut seen = sketch(&text, now).expect("a sketch");
    let ingress = |i: usize| {
        let name = format!("tenant-{i:04}");
        let key = Key::new(name.as_str(), name.as_str());
        let path = IngressPath {
            host: format!("{name}.example.test").into(),
            path: "/".into(),
            exact: false,
            backend: None,
        };
        let ingress = Ingress {
            key: key.clone(),
            created: now - SignedDuration::from_hours(24),
            class: None,
            annotated: None,
            canary: false,
            paths: vec![path],
            tls: vec![],
        };
        (key, ingress)
    };
    seen.observe(Observation::Ingress(Seen::All((0..HOSTS).map(ingress).collect(), now)));
    seen.observe(Observation::HttpRoute(Seen::Lost(now, NOT_INSTALLED.into())));
    seen.observe(Observation::Gateway(Seen::Lost(now, NOT_INSTALLED.into())));
    seen.observe(Observation::Certificate(Seen::Lost(now, NOT_INSTALLED.into())));
    seen.observe(Observation::IngressClass(Seen::Lost(now, NOT_INSTALLED.into())));
    seen.observe(Observation::EndpointSlice(Seen::Lost(now, NOT_INSTALLED.into())));
    assert_eq!(Outside::hosts(&seen).len(), HOSTS);
    seen
}

/// Milliseconds of this process for a handshake and a request, each by a client that is made for it.
async fn bare(edges: &[SocketAddr]) -> f64 {
    const TIMES: u32 = 100;
    let before = own_cpu();
    for i in 0..TIMES {
        let at = edges[i as usize % edges.len()];
        let host = format!("tenant-{i:04}.example.test");
        black_box(tls::look(at, &host, "/robots.txt").await).expect("it presents a certificate");
    }
    own_cpu().saturating_sub(before).as_secs_f64() * 1e3 / f64::from(TIMES)
}

/// Looks at that pace for that long, or until all is known: the processor time, and how many answers came.
async fn looking(
    edges: &[SocketAddr],
    seen: &mut Snapshot,
    probes: u32,
    time: Duration,
) -> (Duration, usize) {
    let name = |i: usize| format!("edge-{}", i + 1);
    let around = Around {
        edges: (0..EDGES).map(|i| Wanted { name: name(i).into(), ..Wanted::default() }).collect(),
        probes,
        ..Around::default()
    };
    seen.around = Arc::new(around.clone());
    let configured = Configured {
        edges: edges
            .iter()
            .enumerate()
            .map(|(i, at)| (name(i), (at.ip().to_string(), at.port()), None))
            .collect(),
        probes,
        every: Duration::from_secs(60),
        path: "/robots.txt".into(),
        around,
        ..Configured::default()
    };
    let (_keep, heard) = watch::channel(Arc::new(seen.clone()));
    let (tell, mut told) = mpsc::channel(4_096);
    let _tasks = follow(configured, None, heard, tell);
    let after = |time| tokio::time::Instant::now() + time;
    if time < Duration::from_secs(60) {
        // What may be spent at once is not what is measured.
        take(&mut told, seen, after(Duration::from_secs(2))).await;
    }
    let before = own_cpu();
    let looks = take(&mut told, seen, after(time)).await;
    (own_cpu().saturating_sub(before), looks)
}

/// Takes in what is told until then, or until all hosts are known at all edges. Returns how many answers came.
async fn take(
    told: &mut mpsc::Receiver<Observation>,
    seen: &mut Snapshot,
    end: tokio::time::Instant,
) -> usize {
    let at_edges =
        |seen: &Snapshot| seen.looks.items.keys().filter(|spot| spot.asked != Asked::Resolver).count();
    let (mut heard, mut looks) = (0_usize, 0);
    while let Ok(Some(observation)) = tokio::time::timeout_at(end, told.recv()).await {
        looks += usize::from(matches!(observation, Observation::Look(Seen::Put(..))));
        seen.observe(observation);
        heard += 1;
        if heard % 50 == 0 && at_edges(seen) == HOSTS * EDGES {
            break;
        }
    }
    looks
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Milliseconds of a frame of the tenants, to judge a snapshot, and of that to judge the platform.
fn frames(seen: &Snapshot) -> (f64, f64, f64) {
    let setup = Setup { operator: "alice@bastion".into(), ..Setup::default() };
    let mut app = App::new(setup, Arc::new(seen.clone()), SIZE).expect("a theme");
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let mut judge = Judge::default();
    let (mut frame, mut judged, mut platform) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = seen.clone();
    let spots: Vec<_> =
        seen.looks.items.iter().map(|(spot, looked)| (spot.clone(), (**looked).clone())).collect();
    let milliseconds = |begun: Instant| begun.elapsed().as_secs_f64() * 1e3;
    for round in 0..41 {
        let (spot, mut looked) = spots[round * 37 % spots.len()].clone();
        seen.at += SignedDuration::from_secs(1);
        seen.revision += 1;
        looked.since = seen.at;
        seen.observe(Observation::Look(Seen::Put(spot, looked)));
        let snapshot = Arc::new(seen.clone());
        let begun = Instant::now();
        black_box(Platform::of(&snapshot));
        platform.push(milliseconds(begun));
        let begun = Instant::now();
        let judgement = judge.judge(snapshot.clone());
        black_box(Chain::worst(&snapshot, &snapshot.tenants.values().next().expect("a tenant").clone()));
        judged.push(milliseconds(begun) + platform[round]);
        let begun = Instant::now();
        let _ = update(&mut app, Msg::Observed(judgement), seen.at);
        buffer.reset();
        app.draw(&mut buffer, seen.at);
        frame.push(milliseconds(begun));
    }
    (median(frame), median(judged), median(platform))
}

/// The processor time of this process so far.
fn own_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a process");
    let after = stat.rsplit(')').next().expect("the fields after the name");
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The edges, in a process of their own.
struct Server {
    child: Child,
    edges: Vec<SocketAddr>,
}

impl Server {
    fn start() -> Self {
        let own = std::env::current_exe().expect("this program");
        let mut command = Command::new(own);
        let mut child = command.env(SERVES, "1").stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let edges = (0..EDGES).map(|_| {
            let line = lines.next().expect("a line").expect("text");
            line.parse().expect("an address")
        });
        let edges = edges.collect();
        Self { child, edges }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve() {
    let params = CertificateParams::new(vec!["*.example.test".to_owned()]).expect("names");
    let key = KeyPair::generate().expect("a key");
    let der = params.self_signed(&key).expect("a certificate").der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = config.with_no_client_auth().with_single_cert(vec![der], key).expect("an identity");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    for _ in 0..EDGES {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut part = [0; 1_024];
                    if matches!(stream.read(&mut part).await, Ok(1..)) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
    }
    std::future::pending().await
}
