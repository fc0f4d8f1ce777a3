//! What edges serve: real handshakes on loopback, with every certificate that an edge has been seen to present.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use wheelhouse::{
    cluster::{LinkState, Served},
    live::edge::served,
    wire::tls::Roots,
};

pub const HOST: &str = "acme.example.test";
const NOW: &str = "2026-11-29T04:30:00Z";

/// An authority of our own, and the file that names it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "House CA");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let own = params.self_signed(&key).expect("a certificate");
        std::fs::write(&file, own.pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), file, _folder: folder }
    }

    pub fn roots(&self) -> Roots {
        Roots::read(Some(&self.file)).expect("an authority")
    }

    /// A certificate for these names, valid between two days.
    pub fn issue(&self, names: &[&str], from: (i32, u8, u8), until: (i32, u8, u8)) -> Identity {
        let (params, key) = leaf(names, from, until);
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            chain: vec![made.der().clone()],
            key: key.serialize_der(),
            pem: (made.pem(), key.serialize_pem()),
        }
    }
}

fn leaf(names: &[&str], from: (i32, u8, u8), until: (i32, u8, u8)) -> (CertificateParams, KeyPair) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    (params, KeyPair::generate().expect("a key"))
}

/// A certificate, and its key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    /// Both in PEM.
    pub pem: (String, String),
}

/// As a server presents that nobody has configured for the host.
pub fn self_signed() -> Identity {
    let (mut params, key) = leaf(&["ingress.local"], (2026, 1, 1), (2036, 1, 1));
    params.distinguished_name.push(DnType::CommonName, "Kubernetes Ingress Controller Fake Certificate");
    let made = params.self_signed(&key).expect("a certificate");
    Identity {
        chain: vec![made.der().clone()],
        key: key.serialize_der(),
        pem: (made.pem(), key.serialize_pem()),
    }
}

/// A server that presents a certificate and answers every request with that status.
async fn edge(identity: Identity, status: &'static str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let key = PrivateKeyDer::try_from(identity.key).expect("a key");
    let config = config.with_no_client_auth().with_single_cert(identity.chain, key).expect("an identity");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut asked = Vec::new();
                let mut byte = [0; 256];
                while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut byte).await {
                        Ok(n @ 1..) => asked.extend_from_slice(&byte[..n]),
                        _ => return,
                    }
                }
                let asked = String::from_utf8_lossy(&asked).into_owned();
                let is_ours = asked.starts_with("HEAD /robots.txt HTTP/1.1\r\n")
                    && asked.contains(&format!("Host: {HOST}\r\n"))
                    && asked.contains("User-Agent: wheelhouse/");
                let status = if is_ours { status } else { "400 Bad Request" };
                let _ = stream
                    .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                    .await;
                let _ = stream.shutdown().await;
            });
        }
    });
    at
}

pub async fn look(at: &[SocketAddr], roots: &Roots) -> Vec<Served> {
    let addresses: Vec<_> = at.iter().map(ToString::to_string).collect();
    let now: Timestamp = NOW.parse().expect("a time");
    served(&addresses, &[HOST.into()], "/robots.txt", roots, now).await.expect("addresses")
}

async fn one(identity: Identity, status: &'static str, roots: &Roots) -> (LinkState, String) {
    let all = look(&[edge(identity, status).await], roots).await;
    (all[0].state, all[0].text.clone())
}

const OK: &str = "200 OK";
const GOOD: ((i32, u8, u8), (i32, u8, u8)) = ((2026, 11, 1), (2027, 1, 30));

#[tokio::test]
async fn names_dates_and_trust_are_judged_apart_and_the_first_cause_is_told() {
    let (ours, other) = (Authority::new(), Authority::new());
    let roots = ours.roots();
    let good = |a: &Authority, names: &[&str]| a.issue(names, GOOD.0, GOOD.1);
    let (state, text) = one(good(&ours, &[HOST]), OK, &roots).await;
    assert_eq!(
        (state, &*text),
        (LinkState::Ok, "presents a certificate of House CA that is valid for 61d more")
    );
    assert_eq!(
        one(good(&ours, &["*.example.test"]), OK, &roots).await.0,
        LinkState::Ok,
        "a wildcard for one label"
    );
    for (identity, starts) in [
        (
            self_signed(),
            "presents the self-signed certificate of its server (Kubernetes Ingress Controller Fake",
        ),
        (
            good(&ours, &["globex.example.test"]),
            "presents a certificate for globex.example.test, not for this host",
        ),
        // A wildcard covers one label only, and not the name itself.
        (good(&ours, &["*.test", "*.acme.example.test"]), "presents a certificate for *.test, *.acme"),
        (ours.issue(&[HOST], (2026, 8, 1), (2026, 11, 24)), "presents a certificate that expired 5d ago"),
        (
            ours.issue(&[HOST], (2026, 12, 9), (2027, 2, 1)),
            "presents a certificate that is valid only in 9d; or the clock",
        ),
        (good(&other, &[HOST]), "presents a certificate of House CA that is not trusted here"),
        // Several faults at once: the verifier of the client would name one of them alone.
        (other.issue(&[HOST], (2026, 8, 1), (2026, 11, 24)), "presents a certificate that expired 5d ago"),
        (
            other.issue(&["globex.test"], (2026, 8, 1), (2026, 11, 24)),
            "presents a certificate for globex.test",
        ),
    ] {
        let (state, text) = one(identity, OK, &roots).await;
        assert!(state == LinkState::Broken && text.starts_with(starts), "{starts}: {text}");
    }
    for (until, state) in [((2026, 12, 1), LinkState::Warning), ((2026, 12, 25), LinkState::Notice)] {
        let told = one(ours.issue(&[HOST], (2026, 9, 25), until), OK, &roots).await;
        assert_eq!(told.0, state, "{}", told.1);
    }
}

#[tokio::test]
async fn every_look_sees_the_certificate_since_no_session_is_resumed() {
    let ours = Authority::new();
    let at = edge(ours.issue(&[HOST], GOOD.0, GOOD.1), OK).await;
    for _ in 0..3 {
        let all = look(&[at], &ours.roots()).await;
        assert!(all[0].certificate.is_some() && all[0].status == Some(200), "{all:?}");
    }
}

#[tokio::test]
async fn the_edge_that_was_not_reloaded_is_told_beside_the_one_that_was() {
    let ours = Authority::new();
    let old = ours.issue(&[HOST], (2026, 9, 20), (2026, 12, 19));
    let new = ours.issue(&[HOST], (2026, 11, 20), (2027, 2, 18));
    let (active, passive) = (edge(new, OK).await, edge(old, OK).await);
    let all = look(&[active, passive], &ours.roots()).await;
    assert_eq!((all[0].state, all[1].state), (LinkState::Ok, LinkState::Warning));
    assert!(
        all[1].text.ends_with(&format!("; {active} presents a newer one: this one was not reloaded")),
        "{}",
        all[1].text
    );
    // An edge that does not know the host has no newer one, however late its own certificate ends.
    let lost = edge(self_signed(), OK).await;
    let all = look(&[active, lost], &ours.roots()).await;
    assert_eq!((all[0].state, all[1].state), (LinkState::Ok, LinkState::Broken), "{all:?}");
    // The same on both is none.
    let all = look(&[active, active], &ours.roots()).await;
    assert!(all.iter().all(|one| one.state == LinkState::Ok), "{all:?}");
}

#[tokio::test]
async fn what_is_answered_is_told_after_the_certificate() {
    let ours = Authority::new();
    for (status, state, words) in [
        ("301 Moved", LinkState::Ok, "is valid for"),
        ("404 Not Found", LinkState::Notice, "answers 404"),
        ("502 Bad Gateway", LinkState::Broken, "answers 502: it reaches no server"),
        ("503 Unavailable", LinkState::Broken, "answers 503: what it leads to has no ready endpoint"),
        ("500 Error", LinkState::Broken, "answers 500"),
    ] {
        let told = one(ours.issue(&[HOST], GOOD.0, GOOD.1), status, &ours.roots()).await;
        assert!(told.0 == state && told.1.contains(words), "{status}: {told:?}");
    }
}

#[tokio::test]
async fn who_does_not_listen_hangs_or_speaks_no_tls_is_told_apart() {
    let roots = Authority::new().roots();
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    // As workers that are stopped: the kernel takes the connection.
    let hung = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = plain.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    let all = look(&[nobody, hung.local_addr().expect("an address"), at], &roots).await;
    let texts: Vec<_> = all.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "refuses connections: nothing listens there",
            "takes the connection and does not answer the TLS handshake",
            "speaks no TLS on that port",
        ]
    );
    assert!(all.iter().all(|one| one.state == LinkState::Broken && one.remedy.is_some()));
}

#[tokio::test]
async fn an_address_and_a_file_that_are_not_understood_get_a_sentence() {
    let roots = Authority::new().roots();
    let now: Timestamp = NOW.parse().expect("a time");
    let wrong =
        served(&["no such host".to_owned()], &[HOST.into()], "/", &roots, now).await.expect_err("no address");
    assert!(wrong.contains("no such host"), "{wrong}");
    let missing = Roots::read(Some(std::path::Path::new("/nonexistent/ca.pem"))).expect_err("no file");
    assert!(missing.contains("/nonexistent/ca.pem cannot be read"), "{missing}");
}

#[tokio::test]
async fn of_an_address_that_does_not_answer_a_few_hosts_are_asked_for_and_the_others_are_told() {
    let ours = Authority::new();
    let good = edge(ours.issue(&["*.example.test"], GOOD.0, GOOD.1), OK).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let hosts: Vec<Arc<str>> = (0..5).map(|i| format!("h{i}.example.test").into()).collect();
    let at = [gone.to_string(), good.to_string()];
    let now: Timestamp = NOW.parse().expect("a time");
    let all = served(&at, &hosts, "/robots.txt", &ours.roots(), now).await.expect("addresses");
    let of = |address: &str| all.iter().filter(|one| *one.address == *address).collect::<Vec<_>>();
    assert_eq!((of(&at[0]).len(), of(&at[1]).len()), (2, 5));
    let last = &of(&at[0])[1].text;
    assert!(last.ends_with("; the 3 other hosts are not asked for there"), "{last}");
    // The looks of one host stand together.
    let order: Vec<_> = all.iter().map(|one| one.host.clone()).collect();
    assert!(order.is_sorted(), "{order:?}");
}
