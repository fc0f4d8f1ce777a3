//! Who looks and who reads, by what is heard and what the Lease says, with the time standing still.

mod told;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::{advance, sleep};

use super::{super::pack::packed, *};
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
