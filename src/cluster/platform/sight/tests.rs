//! What is told comes back as it was, with its moments in the clock of whoever reads it; and outside input is that.

use proptest::prelude::*;

use super::*;
use crate::cluster::{
    Api, Look, Presented,
    platform::{
        ComponentKind, EdgeFacts, FloatingFacts, IngressNodeFacts, RegistryFacts, Reply, Stub, redis,
        replica, volume,
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

/// A component of each kind, and looks.
fn seen() -> Snapshot {
    let mut seen = Snapshot::default();
    let stub = Stub { active: 12, ..Stub::default() };
    let facts = [
        (ComponentKind::Floating, Facts::Floating(FloatingFacts::default())),
        (ComponentKind::Edge, Facts::Edge(EdgeFacts { stub: Some(Ok(stub)), ..EdgeFacts::default() })),
        (ComponentKind::IngressNode, Facts::IngressNode(IngressNodeFacts::default())),
        (ComponentKind::StorageNode, Facts::Storage(volume::StorageFacts::default())),
        (ComponentKind::Volume, Facts::Volume(volume::VolumeFacts::default())),
        (ComponentKind::Replica, Facts::Replica(replica::ReplicaFacts::default())),
        (ComponentKind::Redis, Facts::Redis(redis::RedisFacts::default())),
        (ComponentKind::Sentinel, Facts::Sentinel(redis::SentinelFacts::default())),
        (ComponentKind::Registry, Facts::Registry(RegistryFacts::default())),
    ];
    for (kind, facts) in facts {
        let component = Component::new(ComponentKey::new(kind, "one"));
        let component = component.read(facts.clone(), Some(2.5), at(-30)).read(facts, Some(3.0), at(-3));
        let component = match kind {
            ComponentKind::Redis => component.failed(Trouble::Refused, "refuses connections", at(-2)),
            _ => component,
        };
        seen.observe(Observation::Platform(Seen::Put(component.name.clone(), component)));
    }
    let certificate = |host: &str| Presented {
        names: vec![host.into()],
        subject: host.into(),
        issuer: "House".into(),
        self_signed: false,
        not_before: at(-1_000),
        not_after: at(1_000_000),
        serial: "7".into(),
        distrusted: None,
        fingerprint: "f".into(),
    };
    let edge = |name: &str| Asked::At(ComponentKey::new(ComponentKind::Edge, name));
    for host in ["a.example", "b.example"] {
        let presented = Found::Tls(Look::Presented(Box::new(certificate(host)), Ok(200)));
        let all = [
            (edge("one"), presented.clone()),
            (edge("two"), presented),
            (Asked::Resolver, Found::Names(Err("Name or service not known".into()))),
            (Asked::Deep, Found::Http(Reply::Answered(503, false))),
        ];
        for (asked, found) in all {
            let spot = Spot { host: host.into(), asked };
            seen.observe(Observation::Look(Seen::Put(spot, Looked { since: at(-9), found })));
        }
    }
    seen
}

/// What somebody shows who has read it, and whose clock is so many seconds behind the API server's.
fn read_by(text: &str, behind: i64) -> Snapshot {
    let mut other = Snapshot::default();
    other.observe(Observation::Api(Box::new(Api { skew_millis: behind * 1_000, ..Api::default() })));
    for observation in Sight::read(text).expect("it is read").known(other.api.skew()).observed() {
        other.observe(observation);
    }
    other
}

#[test]
fn what_is_told_is_shown_as_it_is_whatever_the_clocks() {
    let seen = seen();
    let text = Sight::text(&seen, "alice@bastion", "1-a", at(0));
    for behind in [0, 3_600, -86_400] {
        let other = read_by(&text, behind);
        assert_eq!(other.platform.items, seen.platform.items, "{behind}");
        assert_eq!(other.looks.items, seen.looks.items, "{behind}");
        assert_eq!(other.platform.freshness, Freshness::Live { since: at(0) });
    }
    let read = Sight::read(&text).expect("it is read");
    assert_eq!((&*read.who, &*read.session, read.at), ("alice@bastion", "1-a", at(0)));
    // What hosts have in common is written once.
    assert_eq!(text.matches("Name or service not known").count(), 1);
}

/// A file that is read by this version: when it is not the text any more, either the change is undone or [`FORMAT`] raised
/// and a new file kept, so that no version takes the facts of another for its own.
#[test]
fn the_text_of_this_format_is_the_one_that_is_kept() {
    const KEPT: &str = include_str!("../../../../tests/captures/sight/format-1.json");
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let text = Sight::text(&seen(), "alice@bastion", "1-a", at(0));
    assert!(
        value(&text) == value(KEPT),
        "the facts are told otherwise than before: raise the format\n{text}"
    );
    assert_eq!(value(KEPT)["format"], FORMAT);
    assert_eq!(Sight::read(KEPT), Sight::read(&text));
}

#[test]
fn what_cannot_be_used_says_why() {
    let text = Sight::text(&seen(), "a", "1", at(0));
    let why = |text: &str| Sight::read(text).expect_err("it is not read");
    let of = |format: u32| text.replacen(&format!("\"format\":{FORMAT}"), &format!("\"format\":{format}"), 1);
    assert!(why(&of(FORMAT + 1)).contains("a newer wheelhouse"), "{}", why(&of(FORMAT + 1)));
    assert!(why(&of(0)).contains("an older wheelhouse"));
    assert!(why("{\"format\":2}").contains("a newer wheelhouse"), "whatever else it says");
    assert!(why("garbage").contains("damaged"));
    assert!(why(&text[..text.len() - 20]).contains("damaged"));
    let large = Sight::too_large(700 << 10, "a", "1", at(0));
    assert_eq!(why(&large), "what is seen takes 700 KiB: too much to tell each other");
    assert_eq!(
        why(&Sight::ended("bob", "Redis redis-1 lets it not in")),
        "bob looks for others no more: Redis redis-1 lets it not in"
    );
    let mut lost: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    lost["looks"][0][1][0][2] = 99.into();
    assert!(why(&lost.to_string()).contains("a look is missing"));
    let many =
        ["{\"name\":{\"kind\":\"edge\",\"name\":\"x\"},\"link\":\"Connecting\",\"readings\":[]}"; 6_000];
    let many = format!(
        "{{\"format\":1,\"who\":\"a\",\"session\":\"1\",\"at\":\"2027-01-15T08:00:00Z\",\"components\":[{}],\
         \"found\":[],\"looks\":[]}}",
        many.join(",")
    );
    assert!(why(&many).contains("more than there can be"), "{}", why(&many));
}

#[test]
fn texts_of_others_disturb_no_terminal_and_are_short() {
    let mut seen = seen();
    let bad = format!("red \u{1b}[31m\u{202e}\u{7f}\u{9b}1m \"quoted\" back\\slash \n{}", "x".repeat(10_000));
    let component = Component::new(ComponentKey::new(ComponentKind::Redis, "one"));
    let component = component.failed(Trouble::Other, &bad, at(-2));
    seen.observe(Observation::Platform(Seen::Put(component.name.clone(), component)));
    let other = read_by(&Sight::text(&seen, "mallory\u{1b}]0;x\u{7}", "1", at(0)), 0);
    let key = ComponentKey::new(ComponentKind::Redis, "one");
    let why = other.platform.get(&key).and_then(|one| one.link.trouble()).expect("it fails").to_owned();
    assert!(why.starts_with("red  [31m") && why.contains("\"quoted\" back\\slash"), "{why:?}");
    assert!(!why.chars().any(disturbs) && why.len() <= TEXT, "{why:?}");
    let escaped = "{\"format\":1,\"who\":\"a\\u001b\\u202e\\u0022\\u005c\\ud83d\\ude00b\",\"session\":\"1\",\
                   \"at\":\"2027-01-15T08:00:00Z\",\"components\":[],\"found\":[],\"looks\":[]}";
    let who = Sight::read(escaped).expect("it is read").who;
    assert!(who.starts_with('a') && who.ends_with('b') && !who.chars().any(disturbs), "{who:?}");
    assert!(who.contains("\"\\"), "{who:?}");
}

proptest! {
    #[test]
    fn whatever_stands_there_is_a_sentence_and_never_a_panic(cut in 0usize..6_000, with in ".{0,8}") {
        let text = Sight::text(&seen(), "a", "1", at(0));
        let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if let Ok(sight) = Sight::read(&format!("{}{with}{}", &text[..cut], &text[cut..])) {
            let mut other = Snapshot::default();
            for observation in sight.known(SignedDuration::MAX).observed() {
                other.observe(observation);
            }
            super::super::Platform::of(&other);
        }
    }
}
