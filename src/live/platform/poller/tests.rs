//! The poller against servers on loopback: one that serves, one that takes connections and says nothing, one that is not
//! there, and an ingress node.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    cluster::{
        Freshness, Ingress, IngressPath, Key, Observation, Seen,
        platform::{Around, Facts, Platform, edge::Wanted},
        sketch,
    },
    live::platform::look,
};

/// A cluster with one tenant that so many hosts lead to.
fn seen(hosts: usize) -> Snapshot {
    let mut seen = sketch("node w1\ntenant acme 1 on w1", Timestamp::now()).expect("a sketch");
    let path = |i: usize| IngressPath {
        host: format!("h{i}.example.test").into(),
        path: "/".into(),
        exact: false,
        backend: None,
    };
    let key = Key::new("acme", "acme");
    let ingress = Ingress { paths: (0..hosts).map(path).collect(), ..Ingress::bare(key.clone()) };
    let now = Timestamp::now();
    seen.observe(Observation::Ingress(Seen::All(vec![(key, ingress)], now)));
    let absent = || Seen::Lost(now, crate::cluster::NOT_INSTALLED.into());
    seen.observe(Observation::HttpRoute(absent()));
    seen.observe(Observation::Gateway(Seen::Lost(now, crate::cluster::NOT_INSTALLED.into())));
    seen.observe(Observation::Certificate(Seen::Lost(now, crate::cluster::NOT_INSTALLED.into())));
    seen.observe(Observation::IngressClass(Seen::Lost(now, crate::cluster::NOT_INSTALLED.into())));
    seen.observe(Observation::EndpointSlice(Seen::Lost(now, crate::cluster::NOT_INSTALLED.into())));
    seen
}

async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let (mut asked, mut part) = (Vec::new(), [0; 512]);
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part).await {
            Ok(n @ 1..) => asked.extend_from_slice(&part[..n]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&asked).into_owned())
}

/// Listens, counts the connections, and hands each to that.
async fn listen<F: Future<Output = ()> + Send>(
    serve: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at, count) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let serve = serve.clone();
            tokio::spawn(async move { serve(stream).await });
        }
    });
    (at, count)
}

/// An edge that presents a certificate for all hosts, in a file that names it as its own authority.
async fn serving() -> (SocketAddr, Arc<AtomicUsize>) {
    let params = CertificateParams::new(vec!["*.example.test".to_owned()]).expect("names");
    let key = KeyPair::generate().expect("a key");
    let der: CertificateDer<'static> = params.self_signed(&key).expect("a certificate").der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = config.with_no_client_auth().with_single_cert(vec![der], key).expect("an identity");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if head(&mut stream).await.is_some() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    })
    .await
}

/// Takes connections, and says nothing.
async fn silent() -> (SocketAddr, Arc<AtomicUsize>) {
    listen(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await
}

/// An ingress node that knows all hosts but the first, and the counters of an edge beside it.
async fn node() -> (SocketAddr, Arc<AtomicUsize>) {
    listen(|mut stream| async move {
        let Some(asked) = head(&mut stream).await else { return };
        let (status, body) = match &*asked {
            a if a.starts_with("GET /status ") => {
                ("200 OK", "Active connections: 3 \nserver accepts handled requests\n 7 7 9 \nReading: 0 Writing: 1 Waiting: 2 \n")
            }
            a if a.contains("Host: h0.example.test") || a.contains("Host: wheelhouse.invalid") => {
                ("404 Not Found", "default backend - 404")
            }
            _ => ("200 OK", "here"),
        };
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await
}

fn pair(at: SocketAddr) -> (String, u16) {
    (at.ip().to_string(), at.port())
}

/// Follows until that holds.
async fn until(configured: Configured, mut seen: Snapshot, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    seen.around = Arc::new(configured.around.clone());
    let (_keep, heard) = watch::channel(Arc::new(seen.clone()));
    let (tell, mut reports) = mpsc::channel(1_024);
    let _tasks = look(&configured, &Known::default(), None, heard, tell);
    let looking = async {
        while !holds(&seen) {
            let report = reports.recv().await.expect("it is followed");
            seen.observe(report);
            seen.at = Timestamp::now();
        }
    };
    timeout(Duration::from_secs(120), looking).await.expect("it comes");
    seen
}

fn configured(edges: &[(&str, SocketAddr)]) -> Configured {
    Configured {
        edges: edges.iter().map(|(name, at)| ((*name).to_owned(), pair(*at), None)).collect(),
        probes: 100,
        every: Duration::from_secs(600),
        path: "/robots.txt".into(),
        around: Around {
            edges: edges
                .iter()
                .map(|(name, _)| Wanted { name: (*name).into(), ..Wanted::default() })
                .collect(),
            probes: 100,
            ..Around::default()
        },
        ..Configured::default()
    }
}

fn edge(name: &str) -> ComponentKey {
    ComponentKey::new(ComponentKind::Edge, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_that_do_not_answer_are_told_after_a_look_and_not_host_after_host() {
    const HOSTS: usize = 60;
    let (good, asked) = serving().await;
    let (hung, held) = silent().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let all = configured(&[("good", good), ("gone", gone), ("hung", hung)]);
    let of = |seen: &Snapshot, name: &str| {
        let looked = |spot: &Spot| matches!(&spot.asked, Asked::At(key) if *key == edge(name));
        seen.looks.items.keys().filter(|spot| looked(spot)).count()
    };
    let down = |seen: &Snapshot, name: &str| {
        seen.platform.get(&edge(name)).is_some_and(|component| component.link.trouble().is_some())
    };
    let settled = |seen: &Snapshot| of(seen, "good") == HOSTS && down(seen, "gone") && down(seen, "hung");
    let seen = until(all, seen(HOSTS), settled).await;
    assert_eq!((of(&seen, "gone"), of(&seen, "hung")), (0, 0));
    assert!(asked.load(Ordering::Relaxed) >= HOSTS);
    assert!(held.load(Ordering::Relaxed) < HOSTS / 4, "{held:?} connections to one that hangs");
    let platform = Platform::of(&seen);
    let text = |name: &str| platform.get(&edge(name)).map(|row| row.text().to_owned()).unwrap_or_default();
    assert!(
        text("gone").starts_with("refuses connections: nothing listens there; good answers"),
        "{}",
        text("gone")
    );
    assert!(text("hung").starts_with("takes the connection and does not answer"), "{}", text("hung"));
    // Every look saw the certificate: no session was resumed.
    let presented = |looked: &Arc<Looked>| matches!(looked.found.tls(), Some(Look::Presented(..)));
    let at_good = seen.looks.items.iter().filter(|(spot, _)| spot.asked == Asked::At(edge("good")));
    assert!(at_good.clone().all(|(_, looked)| presented(looked)), "{:?}", at_good.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_read_and_an_ingress_node_that_does_not_know_a_host_is_told() {
    let (good, _) = serving().await;
    let (plain, _) = node().await;
    let mut all = configured(&[("good", good)]);
    all.edges[0].2 = Some((plain.ip().to_string(), plain.port(), "/status".into()));
    all.nodes = vec![pair(plain)];
    all.around.nodes = true;
    let key = ComponentKey::new(ComponentKind::IngressNode, plain.to_string());
    let reply = |seen: &Snapshot, host: &str| {
        let spot = Spot { host: host.into(), asked: Asked::At(key.clone()) };
        seen.looks.get(&spot).and_then(|looked| looked.found.http().cloned())
    };
    let counted = |seen: &Snapshot| {
        let component = seen.platform.get(&edge("good"))?;
        let Facts::Edge(facts) = component.status.as_deref()? else { return None };
        facts.stub.clone()?.ok()
    };
    let settled = |seen: &Snapshot| {
        let known = |host| reply(seen, host).is_some();
        known("h0.example.test") && known("h1.example.test") && counted(seen).is_some()
    };
    let seen = until(all, seen(2), settled).await;
    assert_eq!(reply(&seen, "h0.example.test"), Some(Reply::Answered(404, true)));
    assert_eq!(reply(&seen, "h1.example.test"), Some(Reply::Answered(200, false)));
    // The connection that asked is none of the clients'.
    assert_eq!(counted(&seen).map(|stub| (stub.active, stub.requests)), Some((2, 9)));
    assert!(matches!(seen.platform.get(&edge("good")).map(|c| &c.link), Some(Freshness::Live { .. })));
}

#[tokio::test]
async fn where_nothing_is_configured_nobody_is_asked() {
    let (_keep, heard) = watch::channel(Arc::new(Snapshot::default()));
    let (tell, mut reports) = mpsc::channel(1);
    assert!(look(&Configured::default(), &Known::default(), None, heard, tell).is_empty());
    assert!(reports.recv().await.is_none());
}

/// A poller of nothing yet, and what it tells.
fn poller(configured: Configured) -> (Poller, mpsc::Receiver<Observation>) {
    let (_, heard) = watch::channel(Arc::new(Snapshot::default()));
    let (tell, reports) = mpsc::channel(64);
    let mut poller = Poller::new(configured, &Known::default(), heard, tell);
    poller.hosts.insert("h0.example.test".into());
    (poller, reports)
}

/// The looks that were told since.
fn told(reports: &mut mpsc::Receiver<Observation>) -> Vec<Option<Found>> {
    let all = std::iter::from_fn(|| reports.try_recv().ok());
    let looks = all.filter_map(|report| match report {
        Observation::Look(Seen::Put(_, looked)) => Some(Some(looked.found)),
        Observation::Look(Seen::Gone(_)) => Some(None),
        _ => None,
    });
    looks.collect()
}

async fn fold(poller: &mut Poller, job: &Job, found: Result<Outcome, place::Silence>) {
    assert!(poller.fold(Done { job: job.clone(), begun: poller.now(), address: None, found }).await.is_ok());
}

#[tokio::test]
async fn a_host_that_hangs_takes_no_ingress_node_down_and_the_node_is_asked_for_itself() {
    let nodes = vec![("192.0.2.21".to_owned(), 80)];
    let (mut poller, mut reports) = poller(Configured { nodes, ..configured(&[]) });
    let key = poller.places.keys().next().cloned().expect("a node");
    let (control, spot) =
        (Job::Control(key.clone()), Spot { host: "h0.example.test".into(), asked: Asked::At(key.clone()) });
    let job = Job::Look(spot.clone());
    let answer = || request::Answer { status: 404, body: vec![] };
    poller.schedule.add(control.clone(), 0);
    assert_eq!(poller.schedule.take(poller.now()), Some(control.clone()));
    fold(&mut poller, &control, Ok(Outcome::Answer(answer()))).await;
    poller.schedule.add(job.clone(), 0);
    let hangs = || said_by_node(Err(request::Fault::Silent), None);
    for times in 0..12 {
        if times == 0 {
            assert_eq!(poller.schedule.take(poller.now()), Some(job.clone()));
        }
        fold(&mut poller, &job, hangs()).await;
        assert!(poller.places[&key].is_up(), "{times}");
        assert_eq!(poller.schedule.take(poller.now()), Some(control.clone()), "the node is asked for itself");
        fold(&mut poller, &control, Ok(Outcome::Answer(answer()))).await;
    }
    assert_eq!(told(&mut reports), [Some(Found::Http(Reply::Silent))], "after the second, and once");
    // A node that is silent itself is down, and is asked for itself first.
    poller.schedule.add(Job::Control(key.clone()), 0);
    for _ in 0..3 {
        fold(&mut poller, &control, Err(place::Silence::silent())).await;
    }
    assert!(!poller.places[&key].is_up());
}

#[tokio::test]
async fn an_application_that_fails_once_is_asked_again_before_it_is_told() {
    let deep = Some(("/health".to_owned(), Duration::from_secs(600)));
    let (mut poller, mut reports) = poller(Configured { deep, ..configured(&[]) });
    let spot = Spot { host: "h0.example.test".into(), asked: Asked::Deep };
    let job = Job::Look(spot.clone());
    let certificate = crate::cluster::Presented {
        names: vec![spot.host.clone()],
        subject: "a".into(),
        issuer: "b".into(),
        self_signed: false,
        not_before: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::MAX,
        serial: "1".into(),
        distrusted: None,
        fingerprint: "1".into(),
    };
    let found =
        |answer: Result<u16, Arc<str>>| Found::Tls(Look::Presented(Box::new(certificate.clone()), answer));
    let (good, bad) = (found(Ok(200)), found(Err("no answer within 3 s".into())));
    for (now, expected) in [
        (&good, vec![Some(good.clone())]),
        (&bad, vec![]),
        (&good, vec![]),
        (&bad, vec![]),
        (&bad, vec![Some(bad.clone())]),
        (&good, vec![Some(good.clone())]),
    ] {
        poller.schedule.remove(&job);
        poller.schedule.add(job.clone(), 0);
        assert_eq!(poller.schedule.take(poller.now()), Some(job.clone()));
        fold(&mut poller, &job, Ok(Outcome::Found(now.clone()))).await;
        assert_eq!(told(&mut reports), expected);
        let due = poller.schedule.next_due().expect("it is due again") - poller.now();
        assert_eq!(due < 300_000, now == &bad, "{due} ms: what failed is asked again sooner");
    }
    // The place itself is silent: what was known before is not so any more.
    fold(&mut poller, &job, Err(place::Silence::refused())).await;
    assert_eq!(told(&mut reports), [None]);
}

#[tokio::test]
async fn what_changes_at_all_places_between_two_looks_is_no_difference_between_them() {
    let at: SocketAddr = "192.0.2.11:443".parse().expect("an address");
    let nodes = vec![("192.0.2.21".to_owned(), 80)];
    let (mut poller, mut reports) = poller(Configured { nodes, ..configured(&[("one", at), ("two", at)]) });
    let of_node = |key: &&ComponentKey| key.kind == ComponentKind::IngressNode;
    let place = poller.places.keys().find(of_node).cloned().expect("a node");
    let spot = |name: &str| Spot { host: "h0.example.test".into(), asked: Asked::At(edge(name)) };
    let (one, two) = (Job::Look(spot("one")), Job::Look(spot("two")));
    let says = |what: &str| Found::Tls(Look::Handshake(what.into()));
    let found = |what| Ok(Outcome::Found(says(what)));
    poller.begun -= Duration::from_secs(1);
    async fn asked(poller: &mut Poller, job: &Job, found: Result<Outcome, place::Silence>) {
        poller.schedule.remove(job);
        poller.schedule.add(job.clone(), 0);
        assert_eq!(poller.schedule.take(poller.now()), Some(job.clone()));
        fold(poller, job, found).await;
        assert!(poller.settle().await.is_ok());
    }
    for job in [&one, &two] {
        asked(&mut poller, job, found("old")).await;
    }
    assert_eq!(told(&mut reports), [Some(says("old")), Some(says("old"))], "they agree, and nobody waits");
    // Both have changed, and one of them was asked first.
    asked(&mut poller, &one, found("new")).await;
    assert_eq!(told(&mut reports), [], "nothing is told of the one alone");
    assert_eq!(poller.schedule.next_due(), Some(0), "the other is asked now");
    asked(&mut poller, &two, found("new")).await;
    assert_eq!(told(&mut reports), [Some(says("new")), Some(says("new"))]);
    // What an edge waits for holds up no node, and no node is asked for the sake of an edge.
    let node = Spot { host: "h0.example.test".into(), asked: Asked::At(place.clone()) };
    asked(&mut poller, &Job::Look(node.clone()), found("new")).await;
    asked(&mut poller, &one, found("newer")).await;
    assert_eq!(told(&mut reports), [Some(says("new"))]);
    fold(&mut poller, &Job::Look(node), found("old")).await;
    assert!(poller.settle().await.is_ok());
    assert_eq!(told(&mut reports), [Some(says("old"))]);
    asked(&mut poller, &two, found("newer")).await;
    assert_eq!(told(&mut reports), [Some(says("newer")), Some(says("newer"))]);
    for job in [&one, &two] {
        asked(&mut poller, job, found("new")).await;
    }
    assert_eq!(told(&mut reports), [Some(says("new")), Some(says("new"))]);
    // The other is as it was: they differ.
    asked(&mut poller, &one, found("old")).await;
    assert_eq!(told(&mut reports), []);
    asked(&mut poller, &two, found("new")).await;
    assert_eq!(told(&mut reports), [Some(says("old"))]);
    asked(&mut poller, &two, found("old")).await;
    assert_eq!(told(&mut reports), [Some(says("old"))], "they agree again");
    // One that was asked before says nothing of afterwards.
    poller.schedule.remove(&two);
    poller.schedule.add(two.clone(), 0);
    assert_eq!(poller.schedule.take(poller.now()), Some(two.clone()));
    asked(&mut poller, &one, found("new")).await;
    let early = Done { job: two.clone(), begun: 0, address: None, found: found("old") };
    assert!(poller.fold(early).await.is_ok() && poller.settle().await.is_ok());
    assert_eq!((told(&mut reports), poller.schedule.next_due()), (vec![], Some(0)), "it is asked once more");
    // A place that does not answer is not waited for, whatever it was asked.
    let other = Job::Look(Spot { host: "h1.example.test".into(), asked: Asked::At(edge("two")) });
    assert_eq!(poller.schedule.take(poller.now()), Some(two));
    asked(&mut poller, &other, Err(place::Silence::refused())).await;
    assert_eq!(told(&mut reports), [Some(says("new"))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_authorities_that_cannot_be_read_distrusts_nobody_and_is_told() {
    let (good, _) = serving().await;
    let ca = Some(PathBuf::from("/nonexistent/house.pem"));
    let all = Configured { ca, ..configured(&[("good", good)]) };
    let spot = Spot { host: "h0.example.test".into(), asked: Asked::At(edge("good")) };
    let told = |seen: &Snapshot| {
        Platform::of(seen).get(&edge("good")).map(|row| row.text().to_owned()).unwrap_or_default()
    };
    let settled =
        |seen: &Snapshot| seen.looks.get(&spot).is_some() && told(seen).contains("/nonexistent/house.pem");
    let seen = until(all, seen(1), settled).await;
    let looked = seen.looks.get(&spot).expect("it was looked at");
    let Some(Look::Presented(certificate, Ok(200))) = looked.found.tls() else { panic!("{looked:?}") };
    assert_eq!(certificate.distrusted, None);
    assert!(
        told(&seen).starts_with("answers; whether its certificates are trusted is not known"),
        "{}",
        told(&seen)
    );
}
