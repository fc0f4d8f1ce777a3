//! Who looks and who reads, by what is heard and what the Lease says, with the time standing still.

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::{advance, sleep};

use super::{
    super::pack::{AT_MOST, packed},
    *,
};
use crate::cluster::{
    Freshness, Trouble,
    platform::{Component, ComponentKey, ComponentKind, Found, Looked, Sight, Spot},
};

/// A program that shares, and its ends.
struct Eye {
    duty: watch::Sender<Duty>,
    news: mpsc::Sender<News>,
    seen: watch::Sender<Arc<Snapshot>>,
    told: watch::Receiver<Telling>,
    reports: mpsc::Receiver<Observation>,
    shown: Snapshot,
}

const PLACE: (&str, &str) = ("wheelhouse", "platform-1");

/// A cluster of which no more is known than that it answers.
fn answering() -> Snapshot {
    let mut seen = Snapshot::default();
    seen.api.freshness = Freshness::Live { since: Timestamp::now() };
    seen
}

fn begin() -> Eye {
    begin_with(look, answering())
}

fn begin_with(look: Look, seen: Snapshot) -> Eye {
    let (duty, heard) = watch::channel(Duty::Undecided);
    let (tell, told) = watch::channel(Telling::Nothing);
    let (news, listened) = mpsc::channel(4);
    let (seen, newest) = watch::channel(Arc::new(seen));
    let (into, reports) = mpsc::channel(64);
    let place = Key::new(PLACE.0, PLACE.1);
    let sharing = Sharing { place, who: "alice".into(), session: "1".into(), duty: heard, tell };
    let shared = Shared::new(Configured::default(), sharing, None, newest, into);
    tokio::spawn(Shared { look, ..shared }.run(listened));
    Eye { duty, news, seen, told, reports, shown: Snapshot::default() }
}

impl Eye {
    async fn hears(&self, news: News) {
        self.news.send(news).await.expect("it listens");
    }

    /// Who looks, after a moment.
    async fn looker(&mut self) -> Looker {
        sleep(Duration::from_secs(1)).await;
        while let Ok(report) = self.reports.try_recv() {
            self.shown.observe(report);
        }
        self.shown.looker.clone()
    }

    async fn alone(&mut self) -> String {
        match self.looker().await {
            Looker::Alone { why } => why.to_string(),
            other => panic!("it looks by itself: {other:?}"),
        }
    }
}

fn key() -> ComponentKey {
    ComponentKey::new(ComponentKind::Redis, "redis-1")
}

/// What shows one component, and so many names that were looked at.
fn seen(names: usize) -> Snapshot {
    let sketch = crate::cluster::sketch("node w1\ntenant acme 1 on w1", Timestamp::now());
    around(sketch.expect("a sketch"), names)
}

fn failed(trouble: Trouble, since: Timestamp) -> Component {
    Component::new(key()).failed(trouble, "is down", since)
}

fn around(mut seen: Snapshot, names: usize) -> Snapshot {
    seen.observe(Observation::Platform(Seen::Put(key(), failed(Trouble::Silent, Timestamp::now()))));
    for n in 0..names {
        let spot = Spot { host: format!("h{n}").into(), asked: crate::cluster::platform::Asked::Resolver };
        let text: String = (0..1_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
        let found = Found::Names(Ok(vec![text.into()]));
        seen.observe(Observation::Look(Seen::Put(spot, Looked { since: Timestamp::now(), found })));
    }
    seen
}

fn file(who: &str, session: &str, at: Timestamp) -> String {
    STANDARD.encode(packed(&Sight::text(&seen(1), who, session, at)))
}

fn put(base64: String) -> News {
    Seen::Put(Key::new(PLACE.0, PLACE.1), base64)
}

fn there(base64: Option<String>) -> News {
    let all = base64.map(|base64| (Key::new(PLACE.0, PLACE.1), base64));
    Seen::All(all.into_iter().collect(), Timestamp::now())
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - jiff::SignedDuration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn what_another_tells_is_shown_until_it_is_too_old_and_then_one_looks() {
    let mut eye = begin();
    eye.hears(there(None)).await;
    eye.duty.send_replace(Duty::Read("bob".into()));
    assert_eq!(eye.looker().await, Looker::Unknown, "it has just begun, and another looks");
    // It came while we listened, and is old all the same.
    eye.hears(put(file("bob", "2", ago(60)))).await;
    assert_eq!(eye.looker().await, Looker::Unknown);
    eye.hears(put(file("bob", "2", ago(1)))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    assert!(eye.shown.platform.get(&key()).is_some() && eye.shown.looks.len() == 1);
    advance(GOOD_FOR - Duration::from_secs(3)).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    advance(Duration::from_secs(5)).await;
    assert_eq!(eye.alone().await, "bob is to look for all, and has told nothing of late");
    // The same once more is no news.
    eye.hears(put(file("bob", "2", ago(0)))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
}

#[tokio::test(start_paused = true)]
async fn what_was_there_before_counts_by_its_date_and_ones_own_not_at_all() {
    for (file, expected) in [
        (None, None),
        (Some(file("bob", "2", ago(5))), Some("bob")),
        (Some(file("bob", "2", ago(3_600))), None),
        (Some(file("alice", "1", ago(5))), None),
    ] {
        let mut eye = begin();
        eye.duty.send_replace(Duty::Barred("read-only".into()));
        assert_eq!(eye.looker().await, Looker::Unknown, "it is not known what is there");
        eye.hears(there(file)).await;
        let looker = eye.looker().await;
        match expected {
            Some(who) => assert_eq!(looker, Looker::Other { who: who.into() }),
            None => assert_eq!(looker, Looker::Alone { why: "read-only".into() }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_said_and_one_looks() {
    let mut eye = begin();
    eye.duty.send_replace(Duty::Read("bob".into()));
    eye.hears(put("garbage!".into())).await;
    assert_eq!(eye.alone().await, "what another cockpit tells is damaged: it is no base64");
    let text = Sight::text(&seen(0), "bob", "2", ago(0)).replacen("\"format\":1", "\"format\":9", 1);
    eye.hears(put(STANDARD.encode(packed(&text)))).await;
    assert_eq!(eye.alone().await, "another cockpit looks with a newer wheelhouse (format 9, here 1)");
    eye.hears(put(STANDARD.encode(packed(&Sight::too_large(800 << 10, "bob", "2", ago(0)))))).await;
    assert_eq!(eye.alone().await, "what is seen takes 800 KiB: too much to tell each other");
    eye.hears(Seen::Gone(Key::new(PLACE.0, PLACE.1))).await;
    eye.hears(Seen::Lost(ago(0), "needs list and watch on configmaps".into())).await;
    advance(DECIDED_WITHIN).await;
    assert_eq!(eye.alone().await, "what bob sees cannot be read: needs list and watch on configmaps");
}

#[tokio::test(start_paused = true)]
async fn one_that_holds_the_lease_tells_news_at_once_and_nothing_new_seldom() {
    let mut eye = begin();
    eye.hears(there(Some(file("bob", "2", ago(1))))).await;
    eye.duty.send_replace(Duty::Look);
    eye.seen.send_replace(Arc::new(around(answering(), 3)));
    assert_eq!(eye.looker().await, Looker::ForAll);
    assert!(!eye.told.has_changed().expect("it lives"), "the cluster is not read yet");
    eye.seen.send_replace(Arc::new(seen(3)));
    assert_eq!(eye.looker().await, Looker::ForAll);
    assert!(!eye.told.has_changed().expect("it lives"), "whether Redis answers is not asked yet");
    sleep(teller::ASKED_WITHIN).await;
    let times = async |eye: &mut Eye, seconds: u64| {
        let mut times = 0;
        for _ in 0..seconds * 4 {
            sleep(Duration::from_millis(250)).await;
            times += u32::from(eye.told.has_changed().expect("it tells"));
            eye.told.mark_unchanged();
        }
        times
    };
    assert!(matches!(*eye.told.borrow_and_update(), Telling::Sight(_)));
    assert_eq!(times(&mut eye, 60).await, 4, "nothing is new");
    eye.seen.send_replace(Arc::new(seen(4)));
    assert_eq!(times(&mut eye, 3).await, 1, "something is");
    // More than can be told.
    eye.seen.send_replace(Arc::new(seen(1_200)));
    assert_eq!(times(&mut eye, 3).await, 1);
    assert!(eye.alone().await.ends_with("and cockpits tell each other 512 KiB at most"));
    assert!(matches!(&*eye.told.borrow(), Telling::Sight(bytes) if bytes.len() < 1_000), "it says so");
    // It has lost the Lease, and nobody else tells anything: it goes on looking, and tells no more.
    eye.duty.send_replace(Duty::Undecided);
    assert_eq!(eye.alone().await, "the cluster does not tell who looks for all");
    assert_eq!(*eye.told.borrow_and_update(), Telling::Nothing);
    assert_eq!(times(&mut eye, 60).await, 0);
}

thread_local! {
    /// What those that began to look in this test knew.
    static KNOWN: std::cell::RefCell<Vec<Known>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Looks, and remembers with what it began.
fn remembers(
    _: &Configured,
    known: &Known,
    _: Option<Wire>,
    _: watch::Receiver<Arc<Snapshot>>,
    _: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    KNOWN.with_borrow_mut(|all| all.push(known.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn(std::future::pending());
    tasks
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_over_to_looking_begins_with_what_was_told_last() {
    let told = |since: Timestamp, at: Timestamp, who: &str| {
        let mut seen = seen(2);
        seen.observe(Observation::Platform(Seen::Put(key(), failed(Trouble::Silent, since))));
        STANDARD.encode(packed(&Sight::text(&seen, who, "2", at)))
    };
    // It holds the Lease before it has read what stands there.
    let mut eye = begin_with(remembers, answering());
    eye.duty.send_replace(Duty::Look);
    assert_eq!(eye.looker().await, Looker::Unknown);
    let broken = ago(7_200);
    eye.hears(there(Some(told(broken, ago(60), "bob")))).await;
    assert_eq!(eye.looker().await, Looker::ForAll);
    let known = KNOWN.take();
    let of = |known: &Known| known.components.get(&key()).and_then(|one| one.silent_since);
    assert_eq!(known.iter().map(of).collect::<Vec<_>>(), [Some(broken)]);
    assert_eq!((known[0].looks.len(), eye.shown.looks.len()), (2, 2), "it is shown as well");
    // It reads, and holds it in the moment in which something newer is told.
    let mut eye = begin_with(remembers, answering());
    eye.hears(there(Some(told(ago(10), ago(5), "bob")))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    eye.duty.send_replace(Duty::Look);
    eye.hears(put(told(broken, ago(1), "bob"))).await;
    assert_eq!(eye.looker().await, Looker::ForAll);
    // What it was like long ago is nothing to begin with.
    let mut eye = begin_with(remembers, answering());
    eye.hears(there(Some(told(broken, ago(900), "bob")))).await;
    eye.duty.send_replace(Duty::Look);
    assert_eq!(eye.looker().await, Looker::ForAll);
    assert_eq!(KNOWN.take().last().map(of), Some(None));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_judged_by_its_age_before_the_clock_of_the_api_server_is_known() {
    let mut eye = begin_with(remembers, Snapshot::default());
    eye.hears(there(Some(file("bob", "2", ago(3_605))))).await;
    for duty in [Duty::Read("bob".into()), Duty::Look, Duty::Barred("read-only".into())] {
        eye.duty.send_replace(duty);
        assert_eq!(eye.looker().await, Looker::Unknown);
    }
    let mut late = answering();
    late.api.skew_millis = -3_600_000;
    eye.seen.send_replace(Arc::new(late));
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    // Where it does not answer at all, one looks.
    let mut eye = begin_with(remembers, Snapshot::default());
    eye.duty.send_replace(Duty::Undecided);
    sleep(DECIDED_WITHIN).await;
    assert_eq!(eye.alone().await, "the cluster does not tell who looks for all");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_let_in_somewhere_does_not_tell_that_as_what_all_see() {
    let mut eye = begin_with(remembers, answering());
    eye.hears(there(None)).await;
    eye.duty.send_replace(Duty::Look);
    assert_eq!(eye.looker().await, Looker::ForAll);
    let sees = |trouble| {
        let mut seen = seen(1);
        seen.observe(Observation::Platform(Seen::Put(key(), failed(trouble, ago(1)))));
        Arc::new(seen)
    };
    // One that is let in again soon keeps the Lease, and tells nothing meanwhile.
    for trouble in [Trouble::Denied, Trouble::Silent, Trouble::Denied] {
        let before = Telling::clone(&eye.told.borrow());
        eye.seen.send_replace(sees(trouble));
        sleep(LASTS - Duration::from_secs(3)).await;
        assert_eq!(eye.looker().await, Looker::ForAll, "{trouble:?}");
        assert!(eye.told.borrow().unfit().is_none());
        if trouble == Trouble::Denied {
            assert_eq!(*eye.told.borrow(), before);
        }
    }
    sleep(Duration::from_secs(3)).await;
    let why = "others may see more than it does: Redis redis-1: is down";
    assert_eq!(eye.alone().await, why);
    assert_eq!(eye.told.borrow().unfit().map(|why| &**why), Some(why));
    // What it told before is not to be used any more, and it gives its own reason.
    let Telling::Unfit { last, .. } = Telling::clone(&eye.told.borrow()) else { panic!("it is unfit") };
    eye.duty.send_replace(Duty::Barred(why.into()));
    eye.hears(put(STANDARD.encode(&last))).await;
    assert_eq!(eye.alone().await, why);
    let mut other = begin_with(remembers, answering());
    other.duty.send_replace(Duty::Barred("read-only".into()));
    other.hears(put(STANDARD.encode(&last))).await;
    assert_eq!(other.alone().await, format!("alice looks for others no more: {why}"));
    // Another may be let in: whoever shows what that one tells does not know more of itself.
    eye.duty.send_replace(Duty::Barred(why.into()));
    eye.hears(put(file("bob", "2", ago(0)))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    eye.seen.send_replace(sees(Trouble::Silent));
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    assert_eq!(eye.told.borrow().unfit().map(|why| &**why), Some(why));
    eye.hears(Seen::Gone(Key::new(PLACE.0, PLACE.1))).await;
    eye.looker().await;
    assert_eq!(*eye.told.borrow(), Telling::Nothing, "it looks, and is let in");
    // What it lacked does not count for ever while another looks.
    eye.seen.send_replace(sees(Trouble::Denied));
    sleep(LASTS).await;
    assert_eq!(eye.alone().await, why);
    for _ in (0..LACKS_FOR.as_secs()).step_by(40) {
        eye.hears(put(file("bob", "2", ago(0)))).await;
        assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
        assert_eq!(eye.told.borrow().unfit().map(|why| &**why), Some(why));
        sleep(Duration::from_secs(39)).await;
    }
    assert_eq!(*eye.told.borrow(), Telling::Nothing);
}

#[tokio::test(start_paused = true)]
async fn what_another_told_before_is_never_put_in_place_of_what_one_saw_since() {
    let mut eye = begin_with(remembers, answering());
    eye.hears(there(None)).await;
    eye.duty.send_replace(Duty::Barred("read-only".into()));
    assert_eq!(eye.alone().await, "read-only");
    // It was told before this program began to look.
    eye.hears(put(file("bob", "2", ago(5)))).await;
    assert_eq!(eye.alone().await, "read-only");
    assert!(eye.shown.platform.is_empty());
    eye.hears(put(file("bob", "2", ago(0)))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    // It looks again: what is told in that moment, but of a minute ago, is older than what it saw.
    KNOWN.take();
    let broken = ago(60);
    let mut own = answering();
    own.observe(Observation::Platform(Seen::Put(key(), failed(Trouble::Silent, broken))));
    eye.seen.send_replace(Arc::new(own));
    eye.hears(put(file("bob", "2", ago(55)))).await;
    assert_eq!(eye.alone().await, "read-only");
    let of = |known: &Known| known.components.get(&key()).and_then(|one| one.silent_since);
    assert_eq!(KNOWN.take().iter().map(of).collect::<Vec<_>>(), [Some(broken)]);
}

#[tokio::test(start_paused = true)]
async fn who_looks_is_told_before_what_that_one_saw() {
    let first = |eye: &mut Eye| match eye.reports.try_recv() {
        Ok(Observation::Looker(looker)) => looker,
        other => panic!("who looks comes first: {other:?}"),
    };
    for (duty, looker) in
        [(Duty::Read("bob".into()), Looker::Other { who: "bob".into() }), (Duty::Look, Looker::ForAll)]
    {
        let mut eye = begin_with(remembers, answering());
        eye.hears(there(Some(file("bob", "2", ago(if duty == Duty::Look { 60 } else { 1 }))))).await;
        eye.duty.send_replace(duty);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(first(&mut eye), looker);
        assert!(matches!(eye.reports.try_recv(), Ok(Observation::Platform(Seen::All(..)))));
    }
}

/// Fails as soon as it looks.
fn fails(
    _: &Configured,
    _: &Known,
    _: Option<Wire>,
    _: watch::Receiver<Arc<Snapshot>>,
    _: mpsc::Sender<Observation>,
) -> JoinSet<()> {
    let mut inner = JoinSet::new();
    inner.spawn(async { panic!("no such edge") });
    let mut tasks = JoinSet::new();
    tasks.spawn(super::super::joined(inner));
    tasks
}

#[tokio::test(start_paused = true)]
async fn what_looks_and_fails_is_told_and_another_may_look_for_all() {
    let mut eye = begin_with(fails, answering());
    eye.hears(there(None)).await;
    eye.duty.send_replace(Duty::Look);
    let why = "what looks around has failed here: no such edge";
    assert_eq!(eye.alone().await, why);
    assert_eq!(eye.told.borrow().unfit().map(|why| &**why), Some(why));
    eye.duty.send_replace(Duty::Barred(why.into()));
    eye.hears(put(file("bob", "2", ago(1)))).await;
    assert_eq!(eye.looker().await, Looker::Other { who: "bob".into() });
    assert_eq!(
        eye.told.borrow().unfit().map(|why| &**why),
        Some(why),
        "it is not the one to look for others"
    );
}

#[tokio::test(start_paused = true)]
async fn where_nobody_stands_for_it_any_more_it_tells_nothing() {
    let mut eye = begin_with(remembers, seen(1));
    eye.hears(there(None)).await;
    eye.duty.send_replace(Duty::Look);
    sleep(teller::ASKED_WITHIN).await;
    assert_eq!(eye.looker().await, Looker::ForAll);
    assert!(matches!(*eye.told.borrow(), Telling::Sight(_)));
    let (gone, _) = watch::channel(Duty::Look);
    drop(std::mem::replace(&mut eye.duty, gone));
    sleep(DECIDED_WITHIN).await;
    assert_eq!(eye.alone().await, "the cluster does not tell who looks for all");
    assert_eq!(*eye.told.borrow(), Telling::Nothing);
}

/// Two thousand hosts at two edges and the floating address, each with a certificate of its own.
#[test]
fn what_is_seen_of_two_thousand_hosts_can_be_told() {
    use crate::cluster::{Look, Presented, platform::Asked};
    let mut seen = seen(0);
    let random = |n: usize| (0..n).map(|_| format!("{:02x}", rand::random::<u8>())).collect::<String>();
    for n in 0..2_000 {
        let host: Arc<str> = format!("tenant-{n}.saas.example").into();
        let certificate = Presented {
            names: vec![host.clone(), format!("www.{host}").into()],
            subject: host.clone(),
            issuer: format!("R{}", n % 4).into(),
            self_signed: false,
            not_before: ago(rand::random_range(0..6_000_000)),
            not_after: ago(-rand::random_range(0..6_000_000)),
            serial: random(18).into(),
            distrusted: None,
            fingerprint: random(32).into(),
        };
        let edges = ["edge-1", "edge-2"].map(|name| ComponentKey::new(ComponentKind::Edge, name));
        let places = edges.into_iter().chain([ComponentKey::new(ComponentKind::Floating, "192.0.2.10")]);
        for key in places {
            let found = Found::Tls(Look::Presented(Box::new(certificate.clone()), Ok(200)));
            let (spot, since) =
                (Spot { host: host.clone(), asked: Asked::At(key) }, ago(rand::random_range(0..90_000)));
            seen.observe(Observation::Look(Seen::Put(spot, Looked { since, found })));
        }
        let names = Found::Names(Ok(vec!["192.0.2.10".into()]));
        let spot = Spot { host, asked: Asked::Resolver };
        seen.observe(Observation::Look(Seen::Put(spot, Looked { since: ago(n), found: names })));
    }
    let begun = std::time::Instant::now();
    let text = Sight::text(&seen, "alice@bastion", "1", Timestamp::now());
    let bytes = packed(&text);
    let told = begun.elapsed();
    let read = Sight::read(&super::super::pack::unpacked(&STANDARD.encode(&bytes)).expect("a text"));
    println!(
        "{} KiB of text, {} KiB told in {told:?}, read in {:?}",
        text.len() / 1024,
        bytes.len() / 1024,
        begun.elapsed() - told
    );
    assert!(read.is_ok() && bytes.len() < AT_MOST, "{} KiB", bytes.len() / 1024);
}
