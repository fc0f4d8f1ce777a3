//! Endpoints that hang, refuse, are half-open or silent: each is told with its age and reason, and slows nobody.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use wheelhouse::{
    cluster::{Database, Freshness, Snapshot, Tenancy, Trouble},
    demo::database::{self as simulated, Endpoint, Fault, Options},
    live::database::follow,
};

use crate::{database_demo::configured, program::PATIENCE};

/// What is followed, and what is seen of it.
struct Followed {
    snapshot: Snapshot,
    reports: mpsc::Receiver<wheelhouse::cluster::Observation>,
}

impl Followed {
    async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) {
        let looking = async {
            while !holds(&self.snapshot) {
                let report = self.reports.recv().await.expect("it goes on");
                self.snapshot.observe(report);
                self.snapshot.at = jiff::Timestamp::now();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, looking).await;
        assert!(waited.is_ok(), "waited for {what}: {:#?}", Database::of(&self.snapshot));
    }
}

fn rounds(s: &Snapshot, address: SocketAddr) -> usize {
    let address = address.to_string();
    let member = s.galera.values().find(|m| m.name.as_str() == address).map(|m| m.history.len());
    let proxy = s.proxies.values().find(|p| p.name.as_str() == address).map(|p| p.history.len());
    member.or(proxy).expect("it is configured")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_answer_is_told_with_age_and_reason_and_slows_nobody() {
    let database = simulated::start(Options::default()).await.expect("the simulated database starts");
    // The kernel completes its connections, and nobody ever says a word.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = port.local_addr().expect("an address");
    let mut configured = configured(&database, database.credentials.proxy_admin);
    configured.members.push((silent.to_string().as_str().into(), "127.0.0.1".into(), silent.port()));
    let (tell, reports) = mpsc::channel(64);
    let _tasks = follow(configured, None, tell);
    let mut followed = Followed { snapshot: Snapshot::new(Tenancy::default()), reports };
    let first = database.members.clone();
    followed
        .until("the first answers", |s| {
            s.galera.len() == 4
                && s.proxies.len() == 2
                && first.iter().all(|at| rounds(s, *at) > 1)
                && s.proxies.values().all(|p| p.link != Freshness::Connecting)
        })
        .await;
    database.fault(Endpoint::Member(0), Some(Fault::Hang));
    database.fault(Endpoint::Member(1), Some(Fault::HalfOpen));
    database.fault(Endpoint::Proxy(0), Some(Fault::Refuse));
    let (well, proxy) = (database.members[2], database.proxies[1]);
    let before = [rounds(&followed.snapshot, well), rounds(&followed.snapshot, proxy)];
    let begun = Instant::now();
    let troubles = |s: &Snapshot| {
        let members = s.galera.values().filter(|m| m.link.trouble().is_some()).count();
        members + s.proxies.values().filter(|p| p.link.trouble().is_some()).count()
    };
    followed.until("all four are told", |s| troubles(s) == 4).await;
    let took = begun.elapsed();
    // 3 s to answer, 3 s to connect, 1 s to find out why; the rest is for a slow machine.
    assert!(took < Duration::from_secs(30), "{took:?}");
    // Every 50 ms on an idle machine. Whoever waited for those that hang would have done one round in this time.
    let after = [rounds(&followed.snapshot, well), rounds(&followed.snapshot, proxy)];
    let least = 4;
    assert!(
        after.iter().zip(before).all(|(now, then)| now - then >= least),
        "{before:?} {after:?} in {took:?}"
    );

    let s = &followed.snapshot;
    let seen = Database::of(s).expect("it is configured");
    let report = seen.report(s);
    let row = |at: SocketAddr| {
        report
            .members
            .iter()
            .find(|m| m.address.as_str() == at.to_string())
            .expect("every member has its row")
    };
    for (at, kind) in [(database.members[0], Trouble::Silent), (database.members[1], Trouble::Silent)] {
        let member = seen.members.iter().find(|m| m.name.as_str() == at.to_string()).expect("the member");
        assert_eq!(member.member.trouble, Some(kind), "{member:?}");
        assert!(row(at).age.is_some_and(|age| age >= 2.0), "{:?}", row(at));
        let why = row(at).trouble.as_deref().unwrap_or_default();
        assert!(why.contains(&at.to_string()) && why.contains("answer"), "{why}");
        assert_eq!(row(at).receive_queue, None, "what it said before is old");
    }
    assert_eq!(row(silent).age, None, "it never answered");
    let why = row(silent).trouble.as_deref().unwrap_or_default();
    assert!(why.contains("takes connections and never answers"), "{why}");
    assert!(row(well).trouble.is_none(), "{:?}", row(well));
    assert!(row(well).age < row(database.members[0]).age, "{:?}", row(well));
    let refusing = s.proxies.values().find(|p| p.name.as_str() == database.proxies[0].to_string());
    let refusing = refusing.expect("the proxy");
    assert_eq!(refusing.trouble, Some(Trouble::Refused));
    assert!(refusing.link.trouble().is_some_and(|why| why.contains("no server runs there")), "{refusing:?}");
    assert!(refusing.status.is_some(), "what it said before stays, and grows old");
    let told = format!("{s:?}");
    let logins = database.credentials;
    assert!([logins.monitor.1, logins.proxy_admin.1].iter().all(|secret| !told.contains(secret)), "{told}");
}
