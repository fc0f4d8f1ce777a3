//! Volumes, judged by the bricks they should have less those that are proven to be up.
//!
//! Rules (measured): replica 3 with one brick down serves from two, with two down clients get ENOTCONN on reads and
//! writes. Of 2+1 any two serve. What a node does not tell is not known, and never counted as up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Brick, Pending, StorageFacts, VolumeFacts, VolumeState};
use crate::cluster::{
    LinkState, Memory, Snapshot, Trouble,
    platform::{Component, ComponentKey, ComponentKind, Facts, Judged, few, of_kind},
    words::{count, span},
};

/// What a heal count says of a brick holds for so long, in seconds.
const COUNT_HOLDS: i64 = 300;
/// A summary is had every 5 min; one that is older tells its age, in seconds.
const SUMMARY_HOLDS: i64 = 600;
/// Free space below which it is told, of all.
const LOW: f64 = 0.10;
/// Over so many seconds a backlog must fall, or it does not.
const TREND: i64 = 600;

/// How one brick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
    /// Its process runs and does not answer.
    Hung,
    Unknown,
}

/// A volume, put together from what all nodes say.
struct Whole<'a> {
    defined: &'a VolumeState,
    bricks: Vec<(&'a Brick, State)>,
}

/// What the storage nodes and the volumes are found to be, at least one line each.
pub(in crate::cluster::platform) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let nodes: Vec<_> = of_kind(seen, ComponentKind::StorageNode)
        .into_iter()
        .map(|(key, component)| {
            let said = match component.status.as_deref() {
                Some(Facts::Storage(facts)) => Some(facts),
                _ => None,
            };
            (key, component, said)
        })
        .collect();
    // A node that is off is told by itself and by one of the others.
    let mut lost = BTreeSet::new();
    let mut all: Vec<_> =
        nodes.iter().flat_map(|(key, component, said)| node(key, component, *said, &mut lost)).collect();
    for (key, component) in of_kind(seen, ComponentKind::Volume) {
        let facts = match component.status.as_deref() {
            Some(Facts::Volume(facts)) => facts.clone(),
            _ => VolumeFacts::default(),
        };
        let said: Vec<_> = nodes
            .iter()
            .filter_map(|(_, component, said)| Some((component.link.is_live(), (*said)?)))
            .collect();
        let healers: Vec<&str> = nodes
            .iter()
            .filter(|(_, component, _)| component.link.is_live())
            .filter(|(.., said)| {
                let volumes = said.iter().flat_map(|said| &said.volumes);
                volumes.filter(|volume| volume.name == key.name).any(|volume| volume.heals == Some(false))
            })
            .map(|(key, ..)| &*key.name)
            .collect();
        all.extend(volume(key, component, &facts, &said, &healers, seen.at));
    }
    all
}

/// A storage node.
fn node<'a>(
    key: &ComponentKey,
    component: &Component,
    said: Option<&'a StorageFacts>,
    told: &mut BTreeSet<&'a str>,
) -> Vec<Judged> {
    let judged = |state, text: String| Judged::new(key, state, text);
    if let Some(why) = component.link.trouble() {
        let answer = match component.trouble {
            Some(Trouble::Denied) => {
                "see `wheelhouse help platform`: the key, the known host, the script on the node"
            }
            Some(Trouble::Other) => "on it: `systemctl status glusterd`. Its bricks may serve all the same",
            _ => "see whether the machine answers; its bricks are not known until it does",
        };
        let judged = judged(LinkState::Warning, format!("does not tell its state: {why}"));
        return vec![judged.rule("platform-storage-node").remedy(answer).since(component.silent_since)];
    }
    let Some(said) = said else { return vec![judged(LinkState::Unknown, "has not been asked yet".into())] };
    let lost: Vec<&str> = said.peers.iter().filter(|peer| !peer.connected).map(|peer| &*peer.host).collect();
    let mut all = Vec::new();
    let newly: Vec<&str> = lost.iter().copied().filter(|host| told.insert(host)).collect();
    if !newly.is_empty() {
        let text = format!("is not connected to {}", few(&newly));
        let answer = "on that node: `systemctl status glusterd`";
        all.push(judged(LinkState::Warning, text).rule("platform-storage-node").remedy(answer));
    }
    let outside =
        |peer: &&super::Peer| peer.connected && !peer.state.is_empty() && *peer.state != *"Peer in Cluster";
    let outside: Vec<_> =
        said.peers.iter().filter(outside).map(|peer| format!("{} ({})", peer.host, peer.state)).collect();
    if !outside.is_empty() {
        let names: Vec<&str> = outside.iter().map(String::as_str).collect();
        let text = format!("is connected to {} and not in one pool with it", few(&names));
        let answer = "on both: `gluster peer status`; a peer is rejected where their files of a volume differ (/var/lib/glusterd/vols)";
        all.push(judged(LinkState::Warning, text).rule("platform-storage-node").remedy(answer));
    }
    let own = || said.volumes.iter().flat_map(|v| &v.bricks).filter_map(|brick| brick.own.as_ref());
    let up = own().filter(|brick| brick.started).count();
    if all.is_empty() {
        let bricks = count(own().count(), "brick");
        let running = if up == own().count() { bricks } else { format!("{up} of {bricks}") };
        all.push(judged(LinkState::Ok, format!("tells its state, {running} running")));
    }
    if let Some(first) = all.first_mut() {
        first.numbers = vec![
            ("bricks", format!("{up} of {}", own().count())),
            ("peers", format!("{} of {}", said.peers.len() - lost.len(), said.peers.len())),
        ];
    }
    all
}

impl<'a> Whole<'a> {
    /// `None`: no node knows the volume.
    fn of(
        name: &str,
        facts: &VolumeFacts,
        said: &[(bool, &'a StorageFacts)],
        now: Timestamp,
    ) -> Option<Self> {
        let known = |live: bool| {
            let of = said.iter().filter(move |(is_live, _)| *is_live == live);
            of.flat_map(|(_, facts)| &facts.volumes).filter(|volume| *volume.name == *name)
        };
        let defined = known(true).next().or_else(|| known(false).next())?;
        let own: BTreeMap<&Arc<str>, &Brick> = known(true)
            .flat_map(|volume| &volume.bricks)
            .filter(|brick| brick.own.is_some())
            .map(|brick| (&brick.name, brick))
            .collect();
        let count = facts.count.as_ref().filter(|(at, _)| now.duration_since(*at).as_secs() < COUNT_HOLDS);
        let state = |brick: &'a Brick| {
            let told = own.get(&brick.name).and_then(|brick| brick.own.as_ref());
            let counted = count.and_then(|(_, count)| count.of(&brick.name));
            let state = match (told.map(|own| own.started), counted) {
                (Some(false), _) => State::Down,
                (Some(true), Some(Pending::NotConnected)) => State::Down,
                (Some(true), Some(Pending::NoAnswer)) => State::Hung,
                (Some(true), _) => State::Up,
                (None, Some(Pending::NotConnected)) => State::Down,
                (None, _) => State::Unknown,
            };
            (own.get(&brick.name).copied().unwrap_or(brick), state)
        };
        Some(Self { defined, bricks: defined.bricks.iter().map(state).collect() })
    }

    /// How many bricks hold the same files.
    fn per_set(&self) -> usize {
        let set = if self.defined.disperse > 0 { self.defined.disperse } else { self.defined.replica };
        usize::try_from(set).unwrap_or(1).max(1)
    }

    /// How many of a set must be up for clients to be served.
    fn needed(&self, set: &[(&Brick, State)]) -> usize {
        let n = set.len();
        if self.defined.disperse > 0 {
            let may_be_lost = usize::try_from(self.defined.redundancy).unwrap_or(0);
            return n.saturating_sub(may_be_lost).max(1);
        }
        let option = |name: &str| self.defined.options.get(name).map(|value| &**value);
        match option("cluster.quorum-type") {
            Some("none") => 1,
            Some("fixed") => {
                option("cluster.quorum-count").and_then(|n| n.parse().ok()).unwrap_or(1).clamp(1, n.max(1))
            }
            // With an even number the first brick breaks the tie.
            Some(_) if n.is_multiple_of(2) && set.first().is_some_and(|(_, s)| *s == State::Up) => n / 2,
            None if n <= 2 => 1,
            _ => n / 2 + 1,
        }
    }

    fn named(&self, state: State) -> Vec<&'a str> {
        self.bricks.iter().filter(|(_, s)| *s == state).map(|(brick, _)| &*brick.name).collect()
    }

    /// The free share as clients see it, and the bytes; `None`: not known. The least of all sets counts.
    fn space(&self) -> Option<(u64, u64)> {
        let reserve = self.defined.options.get("storage.reserve").and_then(|value| value.parse::<u64>().ok());
        let reserve = reserve.unwrap_or(1).min(100);
        let free = |(brick, _): &(&Brick, State)| {
            let (free, total) = brick.own.as_ref()?.space.filter(|_| !brick.arbiter)?;
            Some((free.saturating_sub(total / 100 * reserve), total))
        };
        self.bricks.iter().filter_map(free).min_by(|(a, of_a), (b, of_b)| {
            let share = |free: u64, of_other: u64| u128::from(free) * u128::from(of_other);
            share(*a, *of_b).cmp(&share(*b, *of_a))
        })
    }
}

fn volume(
    key: &ComponentKey,
    component: &Component,
    facts: &VolumeFacts,
    said: &[(bool, &StorageFacts)],
    idle: &[&str],
    now: Timestamp,
) -> Vec<Judged> {
    let judged = |state, text: String| Judged::new(key, state, text);
    let Some(whole) = Whole::of(&key.name, facts, said, now) else {
        let answered = said.iter().any(|(live, _)| *live);
        return vec![match answered {
            true => judged(LinkState::Broken, "is not known to any storage node that answers".into())
                .rule("platform-volume-bricks")
                .remedy("see `gluster volume list`, and how it is written in the configuration"),
            false => judged(LinkState::Unknown, "is not known: no storage node answers".into()),
        }];
    };
    let mut all = Vec::new();
    if !said.iter().any(|(live, _)| *live) {
        all.push(judged(LinkState::Unknown, "is not known now: no storage node answers".into()));
    } else if *whole.defined.status != *"Started" {
        let text = format!("is {}: nobody can use it", whole.defined.status.to_lowercase());
        let answer = format!("where that is not meant: `gluster volume start {}`", key.name);
        all.push(judged(LinkState::Broken, text).rule("platform-volume-bricks").remedy(answer));
    } else {
        all.extend(bricks(key, &whole));
        all.extend(split_brain(key, facts, now));
        all.extend(no_healer(key, &whole, idle));
        all.extend(backlog(key, component, facts, &whole, now));
        all.extend(space(key, &whole));
    }
    if all.iter().all(|judged| judged.state == LinkState::Ok) && all.is_empty() {
        all.push(judged(LinkState::Ok, format!("{} proven to be up", all_up(whole.bricks.len()))));
    }
    if let Some(first) = all.first_mut() {
        first.numbers = numbers(facts, &whole);
    }
    all
}

fn all_up(n: usize) -> String {
    match n {
        1 => "its brick is".to_owned(),
        n => format!("all {n} bricks are"),
    }
}

/// The bricks that are missing, and what that does.
fn bricks(key: &ComponentKey, whole: &Whole<'_>) -> Option<Judged> {
    let total = whole.bricks.len();
    let (mut broken, mut unproven) = (false, false);
    for set in whole.bricks.chunks(whole.per_set()) {
        let of = |state| set.iter().filter(|(_, s)| *s == state).count();
        let needed = whole.needed(set);
        if of(State::Up) < needed {
            match of(State::Up) + of(State::Unknown) < needed {
                true => broken = true,
                false => unproven = true,
            }
        }
    }
    let (down, hung, unknown) =
        (whole.named(State::Down), whole.named(State::Hung), whole.named(State::Unknown));
    if down.is_empty() && hung.is_empty() && unknown.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let be = |n: usize| if n == 1 { "is" } else { "are" };
    if !down.is_empty() {
        parts.push(format!(
            "{} of {} {} down ({})",
            down.len(),
            count(total, "brick"),
            be(down.len()),
            few(&down)
        ));
    }
    if !hung.is_empty() {
        parts.push(format!("{} of {} not answering ({})", hung.len(), count(total, "brick"), few(&hung)));
    }
    if !unknown.is_empty() {
        parts.push(format!("{} of {} not known ({})", unknown.len(), count(total, "brick"), few(&unknown)));
    }
    let what = parts.join(", ");
    let text = if broken && whole.defined.server_quorum_lost {
        format!("{what}: the servers have no quorum and stop their own bricks, nobody can use it")
    } else if broken {
        format!("{what}: clients can neither read nor write part of it, whatever the heal count says")
    } else if unproven {
        format!("{what}: that clients are served is not proven")
    } else {
        format!("{what}: it serves from the others")
    };
    let state = match (broken, down.len() + hung.len()) {
        (true, _) => LinkState::Broken,
        (false, 0) if !unproven => LinkState::Unknown,
        _ => LinkState::Warning,
    };
    let judged = Judged::new(key, state, text);
    Some(match state {
        LinkState::Unknown => judged,
        _ => {
            let answer = if whole.defined.server_quorum_lost {
                "start the other storage nodes: with the quorum the bricks come back by themselves".to_owned()
            } else if !down.is_empty() {
                format!(
                    "on the node of the brick see why its process ended (its log under /var/log/glusterfs/bricks), then `gluster volume start {} force`, which starts what is missing",
                    key.name
                )
            } else if !hung.is_empty() {
                "its process runs: on its node see its log (/var/log/glusterfs/bricks) and its disk; `ps` shows state D where the disk hangs".to_owned()
            } else {
                "make the storage node answer first: its bricks may run".to_owned()
            };
            judged.rule("platform-volume-bricks").remedy(answer)
        }
    })
}

/// The daemon that heals does not run on some nodes.
fn no_healer(key: &ComponentKey, whole: &Whole<'_>, idle: &[&str]) -> Option<Judged> {
    // Without the quorum it is stopped like the bricks, and that is told of them.
    if idle.is_empty() || whole.per_set() < 2 || whole.defined.server_quorum_lost {
        return None;
    }
    let text = format!("is not healed from {}: the self-heal daemon is offline there", few(idle));
    let answer = format!(
        "where `cluster.self-heal-daemon` is not off on purpose: `gluster volume start {} force` starts it",
        key.name
    );
    Some(Judged::new(key, LinkState::Warning, text).rule("platform-volume-bricks").remedy(answer))
}

fn split_brain(key: &ComponentKey, facts: &VolumeFacts, now: Timestamp) -> Option<Judged> {
    let (at, summary) = facts.summary.as_ref()?;
    let n = summary.split_brain().filter(|n| *n > 0)?;
    let old = now.duration_since(*at).as_secs();
    let when = if old >= SUMMARY_HOLDS { format!(" (as of {} ago)", span(old)) } else { String::new() };
    let text = format!(
        "{} in split-brain{when}: clients get errors for them, and nothing heals them by itself",
        match n {
            1 => "1 entry is".to_owned(),
            n => format!("{n} entries are"),
        }
    );
    let answer = format!(
        "look at them: `gluster volume heal {0} info split-brain`; which copy is right is decided file by file: `gluster volume heal {0} split-brain latest-mtime FILE` or `source-brick HOST:BRICK FILE`",
        key.name
    );
    Some(Judged::new(key, LinkState::Broken, text).rule("platform-volume-split-brain").remedy(answer))
}

/// How the backlog changes, of what was counted in the same way.
struct Trend {
    /// Entries more a minute.
    rate: f64,
    /// Over so many seconds.
    seconds: i64,
    /// The last of these counts.
    last: f64,
}

/// The trend up to the count of `at`; `None`: that count is of some bricks only, or the first of this backlog.
fn trend(component: &Component, at: Timestamp) -> Option<Trend> {
    let last = component.history.last().filter(|last| last.at == at)?;
    // What was counted before there was something to heal is no part of how it heals.
    let of_now = |gauge: &&crate::cluster::platform::Gauge| {
        gauge.value > 0.0 && at.duration_since(gauge.at).as_secs() <= TREND
    };
    let first = component.history.iter().rev().take_while(of_now).last()?;
    let seconds = at.duration_since(first.at).as_secs();
    let rate = (last.value - first.value) * 60.0 / seconds.max(1) as f64;
    (seconds >= 60).then_some(Trend { rate, seconds, last: last.value })
}

fn backlog(
    key: &ComponentKey,
    component: &Component,
    facts: &VolumeFacts,
    whole: &Whole<'_>,
    now: Timestamp,
) -> Option<Judged> {
    let (at, counted) = facts.count.as_ref()?;
    let (total, unknown) = counted.total(whole.per_set());
    if total == 0 {
        return None;
    }
    let least = if unknown > 0 { "at least " } else { "" };
    let old = now.duration_since(*at).as_secs();
    let when = if old >= COUNT_HOLDS { format!(" ({} ago)", span(old)) } else { String::new() };
    let entries = if total == 1 { "1 entry".to_owned() } else { format!("{total} entries") };
    let (state, trend) = match trend(component, *at) {
        Some(Trend { rate, last, .. }) if rate <= -0.5 => {
            let left = (last / -rate * 60.0) as i64;
            (LinkState::Notice, format!(", {:.0} fewer a minute: about {} left", -rate, span(left)))
        }
        Some(Trend { rate, .. }) if rate >= 0.5 => (LinkState::Warning, format!(", {rate:.0} more a minute")),
        Some(Trend { seconds, .. }) if seconds >= TREND - 60 => {
            (LinkState::Warning, ", and it does not become less".to_owned())
        }
        _ => (LinkState::Notice, String::new()),
    };
    let text = format!("{least}{entries} to heal{trend}{when}");
    let answer = match whole.named(State::Down).is_empty() && whole.named(State::Hung).is_empty() {
        true => "it heals by itself while all bricks are up; take no node away until it is done",
        false => "it heals when the bricks are back; take no other node away until then",
    };
    Some(Judged::new(key, state, text).rule("platform-volume-backlog").remedy(answer))
}

fn space(key: &ComponentKey, whole: &Whole<'_>) -> Option<Judged> {
    let (free, total) = whole.space()?;
    let share = free as f64 / total.max(1) as f64;
    if share >= LOW {
        return None;
    }
    let (state, text) = match free {
        0 => (LinkState::Broken, "is full: writes fail (ENOSPC)".to_owned()),
        free => {
            let text = format!(
                "has {} of {} free for clients ({:.0} %)",
                Memory(free),
                Memory(total),
                share * 100.0
            );
            (LinkState::Warning, text)
        }
    };
    let answer =
        "make room, or add bricks; what `gluster volume status detail` calls free holds what is reserved";
    Some(Judged::new(key, state, text).rule("platform-volume-space").remedy(answer))
}

fn numbers(facts: &VolumeFacts, whole: &Whole<'_>) -> Vec<(&'static str, String)> {
    let up = whole.bricks.iter().filter(|(_, state)| *state == State::Up).count();
    let mut all = vec![("bricks", format!("{up} of {}", whole.bricks.len()))];
    let to_heal = facts.count.as_ref().map(|(_, count)| match count.total(whole.per_set()) {
        (0, 1..) => "?".to_owned(),
        (n, 1..) => format!("{n}+"),
        (n, 0) => n.to_string(),
    });
    all.push(("to heal", to_heal.unwrap_or_else(|| "?".to_owned())));
    all.extend(facts.uncounted.as_ref().map(|why| ("not counted", why.to_string())));
    // Without anything to heal there is no split-brain: such entries are counted as well.
    let healed = facts.count.as_ref().is_some_and(|(_, count)| count.total(whole.per_set()) == (0, 0));
    let split = facts.summary.as_ref().and_then(|(_, summary)| summary.split_brain());
    let split = if healed { Some(0) } else { split };
    all.push(("split-brain", split.map_or_else(|| "?".to_owned(), |n| n.to_string())));
    let space = whole.space().map(|(free, total)| format!("{} of {}", Memory(free), Memory(total)));
    all.push(("free", space.unwrap_or_else(|| "?".to_owned())));
    all
}
