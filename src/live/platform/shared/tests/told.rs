//! What one that looks tells the others.

use super::{
    super::super::pack::{AT_MOST, unpacked},
    *,
};

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
    let read = Sight::read(&unpacked(&STANDARD.encode(&bytes)).expect("a text"));
    println!(
        "{} KiB of text, {} KiB told in {told:?}, read in {:?}",
        text.len() / 1024,
        bytes.len() / 1024,
        begun.elapsed() - told
    );
    assert!(read.is_ok() && bytes.len() < AT_MOST, "{} KiB", bytes.len() / 1024);
}
