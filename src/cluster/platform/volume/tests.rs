use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::cluster::{
    Freshness, LinkState, Slice, Snapshot, Trouble,
    platform::{Component, ComponentKey, ComponentKind, Facts, Judged, Platform},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_925_000 + seconds).unwrap()
}

const STATE: &str = include_str!("../../../../tests/captures/platform/gluster/healthy.get-state.ini");
const NO_QUORUM: &str =
    include_str!("../../../../tests/captures/platform/gluster/server_quorum_lost.get-state.ini");

/// The capture is of node 1: what node `n` would write of the same pool.
fn state(n: u8) -> String {
    let mut out = String::new();
    let mut kept = Vec::new();
    for line in STATE.lines() {
        let own =
            line.contains(".Brick1.") && !line.contains(".Brick1.path") && !line.contains(".Brick1.hostname");
        if own && n != 1 {
            // What follows the path of a node's own brick.
            kept.push(line.replace(".Brick1.", &format!(".Brick{n}.")));
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line.contains(&format!(".Brick{n}.hostname")) {
            let volume = line.split('.').next().unwrap_or_default();
            for line in kept.iter().filter(|line| line.starts_with(&format!("{volume}."))) {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn node(n: u8) -> StorageFacts {
    StorageFacts::read(&state(n)).unwrap()
}

fn count(text: &str) -> VolumeFacts {
    VolumeFacts { count: Some((at(0), HealCount::read(text).unwrap())), ..VolumeFacts::default() }
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/captures/platform/gluster/", $name))
    };
}

/// Three nodes, and a volume that is looked at.
struct Lab {
    seen: Snapshot,
}

impl Lab {
    fn new() -> Self {
        let mut seen = Snapshot { at: at(0), ..Snapshot::default() };
        seen.platform = Slice { freshness: Freshness::Live { since: at(0) }, ..Slice::default() };
        let lab = Self { seen };
        (1..=3).fold(lab, |lab, n| lab.node(n, node(n)))
    }

    fn put(mut self, kind: ComponentKind, name: &str, of: impl FnOnce(&Component) -> Component) -> Self {
        let key = ComponentKey::new(kind, name);
        let before = self.seen.platform.items.get(&key).cloned();
        let before = before.map_or_else(|| Component::new(key.clone()), |component| (*component).clone());
        self.seen.platform.items.insert(key, Arc::new(of(&before)));
        self.seen.surveyed.forget();
        self
    }

    fn node(self, n: u8, facts: StorageFacts) -> Self {
        let now = self.seen.at;
        self.put(ComponentKind::StorageNode, &format!("gluster-{n}"), |c| {
            c.read(Facts::Storage(facts), None, now)
        })
    }

    fn silent(self, n: u8) -> Self {
        let name = format!("gluster-{n}");
        self.put(ComponentKind::StorageNode, &name, |c| c.failed(Trouble::Unreachable, "no ssh", at(1)))
    }

    fn volume(self, name: &str, facts: VolumeFacts) -> Self {
        let now = self.seen.at;
        let total = facts.count.as_ref().map(|(_, count)| count.total(3).0 as f64);
        self.put(ComponentKind::Volume, name, |c| c.read(Facts::Volume(facts), total, now))
    }

    fn of(&self, name: &str) -> Judged {
        let platform = Platform::of(&self.seen);
        platform.components.iter().find(|row| *row.key.name == *name).unwrap().said[0].clone()
    }

    fn numbers(&self, name: &str) -> String {
        let platform = Platform::of(&self.seen);
        let row = platform.components.iter().find(|row| *row.key.name == *name).unwrap();
        row.numbers.iter().map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(", ")
    }
}

/// The brick of a node is down, as its own node says.
fn down(n: u8, volume: &str) -> StorageFacts {
    let mut facts = node(n);
    let volume = facts.volumes.iter_mut().find(|v| *v.name == *volume).unwrap();
    let own = volume.bricks.iter_mut().filter_map(|brick| brick.own.as_mut());
    own.for_each(|brick| brick.started = false);
    facts
}

#[test]
fn bricks_are_proven_by_their_own_nodes() {
    assert_eq!(node(1).volumes.len(), 3);
    for n in 1..=3 {
        let own = node(n).volumes[2].bricks.iter().position(|brick| brick.own.is_some());
        assert_eq!(own, Some(usize::from(n) - 1));
    }
    let lab = Lab::new().volume("uploads", count(capture!("healthy.heal-count.xml")));
    let well = lab.of("uploads");
    assert_eq!((well.state, &*well.text), (LinkState::Ok, "all 3 bricks are proven to be up"));
    assert_eq!(lab.numbers("uploads"), "bricks 3 of 3, to heal 0, split-brain 0, free ?");
    assert_eq!(lab.of("gluster-1").text, "tells its state, 3 bricks running");
}

#[test]
fn a_node_that_does_not_answer_leaves_its_bricks_unknown_and_never_up() {
    let lab = Lab::new().volume("uploads", count(capture!("healthy.heal-count.xml"))).silent(3);
    let unknown = lab.of("uploads");
    assert_eq!(unknown.state, LinkState::Unknown);
    assert_eq!(
        unknown.text,
        "1 of 3 bricks not known (127.1.1.3:LAB/gl/b3/uploads): it serves from the others"
    );
    assert!(lab.numbers("uploads").starts_with("bricks 2 of 3"));
    let lab = lab.silent(2);
    let unproven = lab.of("uploads");
    assert_eq!((unproven.state, unproven.rule), (LinkState::Warning, Some("platform-volume-bricks")));
    assert!(unproven.text.ends_with("that clients are served is not proven"), "{}", unproven.text);
    assert_eq!(lab.of("gluster-3").rule, Some("platform-storage-node"));
    let none = lab.silent(1).of("uploads");
    assert_eq!((none.state, &*none.text), (LinkState::Unknown, "is not known now: no storage node answers"));
}

#[test]
fn with_quorum_lost_a_heal_count_of_nought_is_no_health() {
    let counted = count(capture!("quorum_lost.heal-count.xml"));
    assert_eq!(counted.count.as_ref().unwrap().1.total(3), (0, 2));
    // Its own nodes still say that they run.
    let lab = Lab::new().volume("uploads", counted.clone());
    let lost = lab.of("uploads");
    assert_eq!((lost.state, lost.rule), (LinkState::Broken, Some("platform-volume-bricks")));
    assert!(lost.text.contains("2 of 3 bricks are down"), "{}", lost.text);
    assert!(
        lost.text.ends_with("clients can neither read nor write part of it, whatever the heal count says"),
        "{}",
        lost.text
    );
    assert!(lab.numbers("uploads").contains("to heal ?"), "{}", lab.numbers("uploads"));
    let both = Lab::new()
        .node(2, down(2, "uploads"))
        .node(3, down(3, "uploads"))
        .volume("uploads", VolumeFacts::default());
    assert_eq!(both.of("uploads").state, LinkState::Broken);
}

#[test]
fn one_brick_of_three_down_is_served_from_two_and_heals_later() {
    let lab = Lab::new()
        .node(3, down(3, "uploads"))
        .volume("uploads", count(capture!("brick_down.heal-count.xml")));
    let degraded = lab.of("uploads");
    assert_eq!((degraded.state, degraded.rule), (LinkState::Warning, Some("platform-volume-bricks")));
    assert!(degraded.text.ends_with("it serves from the others"), "{}", degraded.text);
    let platform = Platform::of(&lab.seen);
    let backlog = platform.wrong().find(|j| j.rule == Some("platform-volume-backlog")).unwrap();
    assert_eq!(backlog.text, "at least 41 entries to heal");
    assert!(lab.numbers("uploads").contains("to heal 41+"));
}

#[test]
fn a_brick_that_hangs_is_started_and_told_by_what_it_does_not_answer() {
    let lab = Lab::new().volume("uploads", count(capture!("brick_hung.heal-count.xml")));
    let hung = lab.of("uploads");
    assert_eq!(hung.state, LinkState::Warning);
    assert!(
        hung.text.starts_with("1 of 3 bricks not answering (127.1.1.3:LAB/gl/b3/uploads)"),
        "{}",
        hung.text
    );
}

#[test]
fn of_an_arbiter_volume_any_two_serve() {
    let arbiter = Lab::new().node(3, down(3, "arb")).volume("arb", VolumeFacts::default());
    assert_eq!(arbiter.of("arb").state, LinkState::Warning, "{}", arbiter.of("arb").text);
    let both = arbiter.node(2, down(2, "arb"));
    assert_eq!(both.of("arb").state, LinkState::Broken, "{}", both.of("arb").text);
    // A pair without quorum serves from one.
    let pair = Lab::new().node(2, down(2, "mirror")).volume("mirror", VolumeFacts::default());
    assert_eq!(pair.of("mirror").state, LinkState::Warning, "{}", pair.of("mirror").text);
    // With the server's quorum lost glusterd has stopped its own bricks.
    let facts = StorageFacts::read(NO_QUORUM).unwrap();
    let lab = Lab::new().silent(2).silent(3).node(1, facts).volume("arb", VolumeFacts::default());
    let lost = lab.of("arb");
    assert_eq!(lost.state, LinkState::Warning);
    assert!(lost.text.contains("1 of 3 bricks is down"), "{}", lost.text);
    assert_eq!(lab.of("gluster-1").text, "is not connected to 127.1.1.2 and 127.1.1.3");
}

#[test]
fn split_brain_is_nought_only_while_all_bricks_are_there() {
    let summary = |text: &str| HealSummary::read(text).unwrap().split_brain();
    assert_eq!(summary(capture!("healthy.heal-summary.xml")), Some(0));
    assert_eq!(summary(capture!("split_brain.heal-summary.xml")), Some(1));
    assert_eq!(summary(capture!("split_brain_one_brick_down.heal-summary.xml")), None);
    assert_eq!(summary(capture!("brick_down.heal-summary.xml")), None);
    let both = VolumeFacts {
        summary: Some((at(0), HealSummary::read(capture!("split_brain.heal-summary.xml")).unwrap())),
        ..count(capture!("split_brain.heal-count.xml"))
    };
    let lab = Lab::new().volume("mirror", both);
    let split = lab.of("mirror");
    assert_eq!((split.state, split.rule), (LinkState::Broken, Some("platform-volume-split-brain")));
    assert!(split.remedy.unwrap().contains("gluster volume heal mirror split-brain latest-mtime"));
    let one = count(capture!("split_brain_one_brick_down.heal-count.xml"));
    let lab = Lab::new().volume("mirror", one);
    assert!(lab.numbers("mirror").contains("split-brain ?"), "{}", lab.numbers("mirror"));
}

#[test]
fn what_is_no_answer_is_not_known_and_no_panic() {
    // Another transaction, a glusterd that is down, nothing at all with status 0.
    let error = HealCount::read(capture!("glusterd3_hung.heal-count.txt")).unwrap_err();
    assert_eq!(error, "another transaction is under way in the pool");
    assert!(HealCount::read(capture!("no_glusterd.txt")).unwrap_err().contains("Connection failed"));
    assert!(StorageFacts::read(capture!("no_glusterd.txt")).unwrap_err().contains("Connection failed"));
    assert!(HealSummary::read("").unwrap_err().contains("a file name that XML cannot hold"));
    assert_eq!(
        HealSummary::read(capture!("nosuch.heal-info.xml")).unwrap_err(),
        "Volume nosuch does not exist"
    );
    assert!(
        HealSummary::read(capture!("stopped.heal-info.xml"))
            .unwrap_err()
            .contains("Not able to fetch volfile")
    );
    // A dash is no number.
    let info = HealSummary::read(capture!("brick_hung.heal-info.xml")).unwrap();
    assert_eq!(info.split_brain(), None);
}

#[test]
fn free_is_what_clients_can_use() {
    let with = |free: u64| {
        let text = format!("{STATE}\n[wheelhouse space]\n{free} 120015872 LAB/gl/b1/uploads\nx y z\n");
        StorageFacts::read(&text).unwrap()
    };
    // gluster counts 117 MB as free; users of the file system have none.
    let full = Lab::new().node(1, with(0)).volume("uploads", count(capture!("healthy.heal-count.xml")));
    let told = full.of("uploads");
    assert_eq!((told.state, &*told.text), (LinkState::Broken, "is full: writes fail (ENOSPC)"));
    // What gluster reserves is none either: 1 %.
    let reserved =
        Lab::new().node(1, with(1_100_000)).volume("uploads", count(capture!("healthy.heal-count.xml")));
    assert_eq!(reserved.of("uploads").state, LinkState::Broken);
    let low =
        Lab::new().node(1, with(9_000_000)).volume("uploads", count(capture!("healthy.heal-count.xml")));
    assert_eq!(
        (low.of("uploads").state, low.of("uploads").rule),
        (LinkState::Warning, Some("platform-volume-space"))
    );
    let well =
        Lab::new().node(1, with(90_000_000)).volume("uploads", count(capture!("healthy.heal-count.xml")));
    assert!(well.numbers("uploads").ends_with("free 85 Mi of 114 Mi"), "{}", well.numbers("uploads"));
}

#[test]
fn a_backlog_is_told_with_its_rate_and_not_by_its_size() {
    let counted = |lab: Lab, seconds: i64, n: u64| {
        let mut lab = lab;
        lab.seen.at = at(seconds);
        let text = capture!("healing.heal-count.txt").replace("118", &n.to_string());
        let facts = VolumeFacts {
            count: Some((at(seconds), HealCount::read(&text).unwrap())),
            ..VolumeFacts::default()
        };
        let lab = (1..=3).fold(lab, |lab, n| lab.node(n, node(n)));
        lab.volume("uploads", facts)
    };
    let lab = counted(counted(Lab::new(), 0, 1_500), 120, 1_300);
    assert_eq!(
        (lab.of("uploads").state, &*lab.of("uploads").text),
        (LinkState::Notice, "1300 entries to heal, 100 fewer a minute: about 13m left")
    );
    let lab = counted(lab, 180, 1_900);
    assert_eq!(
        (lab.of("uploads").state, &*lab.of("uploads").text),
        (LinkState::Warning, "1900 entries to heal, 133 more a minute")
    );
    let still = counted(counted(Lab::new(), 0, 7), 590, 7);
    assert_eq!(still.of("uploads").text, "7 entries to heal, and it does not become less");
}

#[test]
fn only_names_of_volumes_are_sent_to_a_node() {
    for (name, fits) in [
        ("uploads", true),
        ("a.b-c_1", true),
        ("", false),
        ("-x", false),
        ("up;reboot", false),
        ("a b", false),
        ("$(x)", false),
        ("é", false),
    ] {
        assert_eq!(is_volume_name(name), fits, "{name}");
    }
}

#[test]
fn the_fullest_brick_counts_on_disks_of_any_size() {
    const T: u64 = 1 << 40;
    let with = |n: u8, free: u64, total: u64| {
        let mut facts = node(n);
        let volume = facts.volumes.iter_mut().find(|v| *v.name == *"uploads").unwrap();
        let own = volume.bricks.iter_mut().filter_map(|brick| brick.own.as_mut());
        own.for_each(|brick| brick.space = Some((free, total)));
        facts
    };
    let lab = Lab::new()
        .node(1, with(1, 6 * T, 16 * T))
        .node(2, with(2, 8 * T, 16 * T))
        .node(3, with(3, T / 2, 16 * T))
        .volume("uploads", count(capture!("healthy.heal-count.xml")));
    assert_eq!(lab.of("uploads").rule, Some("platform-volume-space"), "{}", lab.of("uploads").text);
}

#[test]
fn the_advice_is_of_what_the_bricks_lack() {
    let counted = || count(capture!("healthy.heal-count.xml"));
    let advice = |lab: &Lab| lab.of("uploads").remedy.unwrap().to_string();
    let down = advice(&Lab::new().node(3, down(3, "uploads")).volume("uploads", counted()));
    assert!(down.contains("gluster volume start uploads force"), "{down}");
    let hung = advice(&Lab::new().volume("uploads", count(capture!("brick_hung.heal-count.xml"))));
    assert!(hung.starts_with("its process runs") && !hung.contains("force"), "{hung}");
    let unknown = advice(&Lab::new().volume("uploads", counted()).silent(2).silent(3));
    assert!(unknown.starts_with("make the storage node answer first"), "{unknown}");
    let facts = StorageFacts::read(NO_QUORUM).unwrap();
    let lab = Lab::new().silent(2).silent(3).node(1, facts).volume("arb", VolumeFacts::default());
    let quorum = lab.of("arb").remedy.unwrap().to_string();
    assert!(quorum.starts_with("start the other storage nodes"), "{quorum}");
}

#[test]
fn a_peer_that_is_away_is_told_by_one_node_and_one_that_is_rejected_by_name() {
    let lost = |n: u8| {
        let mut facts = node(n);
        facts.peers[1].connected = false;
        facts
    };
    let lab = Lab::new().node(1, lost(1)).node(2, lost(2));
    let told = |lab: &Lab| {
        let platform = Platform::of(&lab.seen);
        platform.wrong().filter(|j| j.rule == Some("platform-storage-node")).count()
    };
    assert_eq!(told(&lab), 1);
    let mut rejected = node(1);
    rejected.peers[0].state = "Peer Rejected".into();
    let lab = Lab::new().node(1, rejected);
    assert_eq!(lab.of("gluster-1").state, LinkState::Warning);
    assert!(lab.of("gluster-1").text.contains("(Peer Rejected)"), "{}", lab.of("gluster-1").text);
}

#[test]
fn a_node_that_heals_nothing_is_told() {
    let mut idle = node(2);
    idle.volumes.iter_mut().for_each(|volume| volume.heals = Some(false));
    let lab = Lab::new().node(2, idle).volume("uploads", count(capture!("healthy.heal-count.xml")));
    let told = lab.of("uploads");
    assert_eq!(told.state, LinkState::Warning);
    assert_eq!(told.text, "is not healed from gluster-2: the self-heal daemon is offline there");
}

#[test]
fn a_trend_is_of_this_backlog_and_of_counts_that_compare() {
    let text = |n: u64| capture!("healing.heal-count.txt").replace("118", &n.to_string());
    let counted = |lab: Lab, seconds: i64, n: u64| {
        let mut lab = lab;
        lab.seen.at = at(seconds);
        let count = Some((at(seconds), HealCount::read(&text(n)).unwrap()));
        lab.volume("uploads", VolumeFacts { count, ..VolumeFacts::default() })
    };
    let told = |lab: &Lab| {
        let platform = Platform::of(&lab.seen);
        platform.wrong().find(|j| j.rule == Some("platform-volume-backlog")).unwrap().text.to_string()
    };
    // Nothing to heal before the fault is no start of a trend.
    let lab = counted(counted(Lab::new(), 0, 0), 300, 600);
    assert_eq!(told(&lab), "600 entries to heal");
    let lab = counted(lab, 360, 500);
    assert_eq!(told(&lab), "500 entries to heal, 100 fewer a minute: about 5m left");
    // A count that does not compare has no trend.
    let mut lab = lab;
    lab.seen.at = at(420);
    let facts = VolumeFacts {
        count: Some((at(420), HealCount::read(&text(900)).unwrap())),
        ..VolumeFacts::default()
    };
    let lab = lab.put(ComponentKind::Volume, "uploads", |c| c.read(Facts::Volume(facts), None, at(420)));
    assert_eq!(told(&lab), "900 entries to heal");
}

#[test]
fn an_old_summary_tells_its_age() {
    let mut lab = Lab::new();
    lab.seen.at = at(1_200);
    let lab = (1..=3).fold(lab, |lab, n| lab.node(n, node(n)));
    let summary = HealSummary::read(capture!("split_brain.heal-summary.xml")).unwrap();
    let facts =
        VolumeFacts { summary: Some((at(0), summary)), ..count(capture!("split_brain.heal-count.xml")) };
    let split = lab.volume("mirror", facts).of("mirror");
    assert!(split.text.starts_with("1 entry is in split-brain (as of 20m ago): "), "{}", split.text);
    assert_eq!(split.since, None);
}
