//! Recordings: what is recorded is seen again exactly, and everything else about a file is one sentence.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use wheelhouse::{
    app::{Effect, Msg},
    cluster::{Cpu, Freshness, Journal, Key, Memory, Observation, Pod, Seen, Snapshot, Usage, Written},
    history::{Report, changes},
    plan::whatif::Forecast,
    record::{Head, Recorder, Recording},
    ui::{Outlook, Place, Replay, Seek},
};

use super::{
    campaigns,
    cockpit::{Cockpit, NIGHT, night, now},
    database, platform,
};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

/// Seconds from moment to moment: as often as measurements are recorded, so that each moment has its own.
const APART: i64 = 120;

/// A bad night in the order of time, a minute and more apart: pods fail and come back, a node goes, the database loses its
/// quorum, measurements change, a source is lost.
fn bad_night() -> Vec<Snapshot> {
    let mut all = Vec::new();
    let push = |mut seen: Snapshot, all: &mut Vec<Snapshot>| {
        let place = i64::try_from(all.len()).unwrap();
        seen.revision = 1 + u64::try_from(place).unwrap();
        seen.at = now() + SignedDuration::from_secs(APART * place);
        all.push(seen);
    };
    push(night(NIGHT), &mut all);
    // The same cluster goes on: what has not changed is the same object.
    let mut seen = all[0].clone();
    for round in 0..12_u64 {
        let at = now() + SignedDuration::from_secs(APART * (1 + round as i64));
        let usage: Vec<(Key, Usage)> = seen
            .pods
            .values()
            .skip((round % 3) as usize)
            .map(|pod| {
                let each = pod.spec.containers.iter().map(|c| {
                    (c.name.clone(), (Cpu(10 + round * 7), Memory((200 + round * 11) << 20 | round)))
                });
                (pod.key.clone(), Usage { at, containers: each.collect() })
            })
            .collect();
        seen.observe(Observation::Usage(Seen::All(usage, at)));
        let pod = seen.pods.values().nth(round as usize).unwrap().clone();
        let turned = Pod { ready: !pod.ready, ready_since: Some(at), ..Pod::clone(&pod) };
        seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), turned)));
        if round == 4 {
            let key = seen.pods.items.keys().next().cloned().unwrap();
            seen.observe(Observation::Pod(Seen::Gone(key)));
        }
        if round == 6 {
            let key = seen.pods.items.keys().next_back().cloned().unwrap();
            seen.observe(Observation::Pod(Seen::Unreadable(key, "it has no spec".into())));
            seen.observe(Observation::Service(Seen::Lost(at, "forbidden".into())));
        }
        if round == 8 {
            let again = seen.pods.items.values().next_back().map(|pod| Pod::clone(pod)).unwrap();
            seen.observe(Observation::Pod(Seen::Put(again.key.clone(), again)));
            seen.api.freshness = Freshness::Stale { since: at, why: "connection refused".into() };
        }
        push(seen.clone(), &mut all);
    }
    push(night(&NIGHT.replace("node worker-2 memory", "node worker-2 not-ready memory")), &mut all);
    push(database::healthy(), &mut all);
    push(database::no_quorum(), &mut all);
    push(campaigns::half_way((80, 24)).seen, &mut all);
    push(database::healthy(), &mut all);
    all
}

fn recorded(all: &[Snapshot], path: &Path) {
    let mut recorder =
        Recorder::create(path, &Head { context: "prod-eu".into(), ..Head::default() }).unwrap();
    for seen in all {
        recorder.take(seen).unwrap();
    }
    recorder.close().unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.rec");
    (folder, path)
}

/// The frames of every place, as they are drawn of a snapshot.
fn frames(seen: Snapshot) -> Vec<ratatui::buffer::Buffer> {
    let mut c = Cockpit::seeing(seen, (160, 48), |_| {});
    let keys = ["1", "1 enter", "q 2", "2 enter", "q W", "q 3", "4", "5", "1 h", "q @", "q t"];
    keys.map(|keys| {
        c.keys(keys);
        c.buffer()
    })
    .into()
}

/// All that is observed of a snapshot, and what is derived, as text.
fn whole(seen: &Snapshot) -> String {
    format!(
        "{:?} {:?} {:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        seen.revision,
        seen.at,
        seen.api,
        seen.nodes,
        seen.pods,
        seen.deployments,
        seen.services,
        seen.usage,
        seen.galera,
        seen.proxies,
        seen.tenants,
        seen.loads,
        seen.history
    )
}

#[test]
fn a_replay_draws_the_frames_that_live_drew() {
    let (_folder, path) = folder();
    let all = bad_night();
    recorded(&all, &path);
    let mut recording = Recording::open(&[path]).unwrap();
    assert_eq!(recording.gaps(), Vec::<String>::new());
    assert_eq!(recording.moments().len(), all.len());
    for (place, live) in all.iter().enumerate() {
        let replayed = recording.at(place).unwrap();
        let (one, other) = (whole(live), whole(&replayed));
        for (live, replayed) in one.lines().zip(other.lines()) {
            assert_eq!(live, replayed, "moment {place}");
        }
        for (i, (live, replayed)) in frames(live.clone()).iter().zip(frames(replayed)).enumerate() {
            assert_eq!(*live, replayed, "moment {place}, screen {i}");
        }
    }
}

#[test]
fn any_moment_is_the_same_from_wherever_one_comes() {
    let (_folder, path) = folder();
    let mut all = bad_night();
    // Enough for several whole snapshots among the differences.
    for round in 0..40 {
        let mut seen = all[12].clone();
        seen.revision = 100 + round;
        seen.at = now() + SignedDuration::from_secs(3_000 + APART * round as i64);
        all.push(seen);
    }
    recorded(&all, &path);
    let mut forward = Recording::open(std::slice::from_ref(&path)).unwrap();
    let straight: Vec<_> = (0..all.len()).map(|place| whole(&forward.at(place).unwrap())).collect();
    let mut recording = Recording::open(&[path]).unwrap();
    let mut place = 17;
    for _ in 0..80 {
        place = (place * 31 + 7) % all.len();
        assert_eq!(whole(&recording.at(place).unwrap()), straight[place], "{place}");
    }
    let at = |place: usize| recording.moments()[place];
    assert_eq!(recording.find(at(5)), Ok(5));
    assert_eq!(recording.find(at(5) + SignedDuration::from_secs(30)), Ok(5), "the last one before");
    let (first, last) = recording.ends();
    let early = recording.find(first - SignedDuration::from_secs(5)).unwrap_err();
    assert!(early.contains("is before the recording: it goes from 2026-11-21 03:12:00 UTC to"), "{early}");
    assert!(
        recording.find(last + SignedDuration::from_secs(5)).unwrap_err().contains("is after the recording")
    );
}

#[test]
fn a_recording_that_was_cut_off_or_damaged_is_read_to_that_point() {
    let (folder, path) = folder();
    let all = bad_night();
    recorded(&all, &path);
    let bytes = fs::read(&path).unwrap();
    let other = folder.path().join("cut.rec");
    let (mut read, mut refused) = (0, 0);
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        fs::write(&other, &bytes[..at]).unwrap();
        match Recording::open(std::slice::from_ref(&other)) {
            Ok(mut recording) => {
                let last = recording.moments().len() - 1;
                assert_eq!(recording.at(last).unwrap().at, all[last].at);
                let told = recording.gaps().join("; ");
                assert!(told.is_empty() || told.contains("was cut off after 2026-11-21"), "{told}");
                read += 1;
            }
            Err(why) => {
                let what = if at == 0 { "is no recording" } else { "was cut off before its first moment" };
                assert!(why.contains(what), "{why}");
                refused += 1;
            }
        }
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::write(&other, &damaged).unwrap();
        if let Ok(mut recording) = Recording::open(std::slice::from_ref(&other)) {
            assert!(!recording.gaps().is_empty(), "byte {at}");
            for (place, seen) in all.iter().enumerate().take(recording.moments().len()) {
                assert_eq!(recording.at(place).unwrap().at, seen.at, "byte {at}");
            }
        }
    }
    assert!(read > 5 && refused > 0, "{read} {refused}");
}

#[test]
fn of_several_recordings_the_one_that_was_cut_off_is_named_with_its_own_time() {
    let (folder, _) = folder();
    let all = bad_night();
    let files = ["a.rec", "b.rec", "c.rec"].map(|name| folder.path().join(name));
    for (file, part) in files.iter().zip(all.chunks(6)) {
        recorded(part, file);
    }
    let bytes = fs::read(&files[1]).unwrap();
    let name = files[1].display();
    fs::write(&files[1], &bytes[..bytes.len() - 9]).unwrap();
    let alone = Recording::open(&files[1..2]).unwrap();
    let last = alone.ends().1.strftime("%Y-%m-%d %H:%M:%S UTC");
    assert!(alone.ends().1 >= all[6].at);
    assert_eq!(alone.gaps(), [format!("the recording {name} was cut off after {last}")]);
    assert_eq!(Recording::open(&files).unwrap().gaps(), alone.gaps());
    // Before its first moment the last one of the file before is not its own.
    let head = (0..bytes.len()).rev().find(|at| {
        fs::write(&files[1], &bytes[..*at]).unwrap();
        Recording::open(&files[1..2]).is_err()
    });
    fs::write(&files[1], &bytes[..head.unwrap()]).unwrap();
    let told = format!("the recording {name} was cut off before its first moment");
    assert_eq!(Recording::open(&files).unwrap().gaps(), [told]);
}

#[test]
fn what_is_no_recording_or_a_newer_one_is_one_sentence() {
    let (folder, path) = folder();
    let refused = |path: &Path| Recording::open(&[path.to_owned()]).err().expect("it is refused");
    assert!(refused(&path).contains("cannot be read: No such file"), "{}", refused(&path));
    for text in [&b""[..], b"#!/bin/sh\n", &[0; 4_096]] {
        fs::write(&path, text).unwrap();
        assert!(refused(&path).contains("is no recording of wheelhouse"), "{}", refused(&path));
    }
    let newer = folder.path().join("newer.rec");
    recorded(&bad_night()[..1], &newer);
    let mut bytes = fs::read(&newer).unwrap();
    for at in [15, 20, 24] {
        fs::write(&path, &bytes[..at]).unwrap();
        assert!(refused(&path).ends_with("night.rec was cut off before its first moment"), "{at}");
    }
    for at in [17, 20, 21, 30] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        let why = refused(&path);
        assert!(why.ends_with("before its first moment") && why.starts_with("the recording "), "{at}: {why}");
    }
    bytes[15] = 9;
    fs::write(&newer, &bytes).unwrap();
    assert!(refused(&newer).contains("was recorded by a newer wheelhouse (format 9"), "{}", refused(&newer));
    let there = Recorder::create(&newer, &Head::default()).err().expect("it is not written over");
    assert!(there.contains("is there already"), "{there}");
    assert_eq!(fs::read(&newer).unwrap(), bytes);
}

/// Recordings in `tests/recordings`, one of each format that is read, stay readable. A change of what snapshots hold is a
/// new format: raise FORMAT, keep reading the old one (or raise OLDEST while no release has written it), and record a new
/// file by running this test with WHEELHOUSE_BLESS=1.
#[test]
fn a_recording_of_each_format_stays_readable() {
    const FORMATS: [u16; 2] = [2, 3];
    let [oldest, .., newest] = FORMATS;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let file = |format: u16| folder.join(format!("format-{format}.rec"));
    let report = |recording: &mut Recording| {
        let last = recording.moments().len() - 1;
        let (before, after) = (recording.at(0).unwrap(), recording.at(last).unwrap());
        let events = recording.events().clone();
        Report::of(&before, &after, &events, &[], recording.gaps().to_vec()).markdown()
    };
    if std::env::var_os("WHEELHOUSE_BLESS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        let file = file(newest);
        let _ = fs::remove_file(&file);
        let mut all = bad_night();
        all.drain(4..13);
        all.truncate(7);
        for (mut seen, after) in platform::worse().into_iter().zip(1..) {
            seen.at = all[6].at + SignedDuration::from_secs(APART * after);
            seen.revision = 100 + after.unsigned_abs();
            all.push(seen);
        }
        recorded(&all, &file);
        let text = report(&mut Recording::open(std::slice::from_ref(&file)).unwrap());
        fs::write(file.with_extension("md"), text).unwrap();
    }
    for format in FORMATS {
        let file = file(format);
        let bytes = fs::read(&file).unwrap();
        assert_eq!(u16::from_le_bytes([bytes[15], bytes[16]]), format);
        let mut recording = Recording::open(std::slice::from_ref(&file)).unwrap();
        assert_eq!(report(&mut recording), fs::read_to_string(file.with_extension("md")).unwrap());
        for place in 0..recording.moments().len() {
            assert!(!frames(recording.at(place).unwrap()).is_empty());
        }
    }
    let (_folder, older) = self::folder();
    let mut bytes = fs::read(file(oldest)).unwrap();
    bytes[15] = 1;
    fs::write(&older, bytes).unwrap();
    let why = Recording::open(&[older]).err().expect("it is refused");
    assert!(why.contains("before its first release (format 1, this one reads from 2 on)"), "{why}");
    // What is written now is of the newest format.
    let (_folder, now) = self::folder();
    recorded(&bad_night()[..1], &now);
    assert_eq!(u16::from(fs::read(&now).unwrap()[15]), newest, "tests/recordings has no file of this format");
}

#[test]
fn between_measurements_a_replay_says_how_old_they_are() {
    let (mut c, all) = replaying((120, 35));
    let mut seen = all[3].clone();
    seen.at += SignedDuration::from_secs(45);
    seen.revision += 100;
    c.send(Msg::Observed(Arc::new(all[3].clone()).into()));
    assert!(!c.text().contains(" old "), "{}", c.text());
    c.send(Msg::Observed(Arc::new(seen).into()));
    assert!(c.text().contains(", memory 45s old"), "{}", c.text());
}

/// Measurements of a recording, and those that a cockpit kept, are evidence for the advice.
#[test]
fn what_was_recorded_is_evidence_for_the_right_size() {
    let (_folder, path) = folder();
    let mut all = vec![night(NIGHT)];
    for round in 1..40_u64 {
        let mut seen = all[all.len() - 1].clone();
        (seen.revision, seen.at) =
            (seen.revision + 1, now() + SignedDuration::from_secs(APART * round as i64));
        let memory = |pod: &Pod| {
            let each = pod.spec.containers.iter();
            each.map(|c| (c.name.clone(), (Cpu(10), Memory((400 + round) << 20)))).collect()
        };
        let usage =
            seen.pods.values().map(|pod| (pod.key.clone(), Usage { at: seen.at, containers: memory(pod) }));
        let usage = Observation::Usage(Seen::All(usage.collect(), seen.at));
        seen.observe(usage);
        all.push(seen);
    }
    recorded(&all, &path);
    let uses = Recording::open(&[path]).unwrap().uses().unwrap();
    let name: wheelhouse::cluster::TenantName = "acme".into();
    let (name, kept) = (&name, &uses[&name]);
    let seen = &all[0];
    let tenant = &seen.tenants[name];
    let alone = wheelhouse::cluster::advised_with(seen, tenant, &[]);
    let most = kept.iter().map(|one| one.used).max();
    assert_eq!(most, Some(Memory(439 << 20)));
    let advice = wheelhouse::cluster::advised_by(seen, tenant, kept.iter().copied());
    assert!(advice.evidence.measurements > alone.evidence.measurements, "{advice:?} {alone:?}");
    assert!(advice.peak >= most && advice.limit >= most, "{advice:?}");
    // On the screen of a cockpit that was opened later as well.
    let mut later = seen.clone();
    later.revision += 500;
    later.at = now() + SignedDuration::from_hours(3);
    let usage: Vec<(Key, Usage)> = later
        .usage
        .items
        .iter()
        .map(|(key, usage)| (key.clone(), Usage { at: later.at, ..Usage::clone(usage) }))
        .collect();
    later.history = Default::default();
    let at = later.at;
    later.observe(Observation::Usage(Seen::All(usage, at)));
    let mut c = Cockpit::seeing(later, (200, 50), |_| {});
    c.keys(":");
    c.typed(&format!("headroom {name}"));
    c.keys("enter");
    assert!(c.text().contains("1 measurement over 0s") || c.text().contains("SIZING"), "{}", c.text());
    let before = c.text();
    c.send(Msg::Used(uses.clone()));
    assert_ne!(c.text(), before);
}

#[test]
fn secrets_log_texts_and_values_are_in_no_recording() {
    let (_folder, path) = folder();
    let mut seen = database::healthy();
    let journal = Journal {
        key: Key::new("wheelhouse", "run-20261121-030000-9c1f"),
        resource_version: "1".into(),
        created: now(),
        state: None,
        of: Written::Run,
        plan: r#"{"env":[{"name":"DATABASE_URL","value":"mysql://app:h0rsebattery@db"}]}"#.into(),
        events: "{\"event\":\"log\",\"lines\":[\"token=staple\"]}\n".into(),
        asked: "".into(),
    };
    seen.observe(Observation::Journal(Seen::All(vec![(journal.key.clone(), journal)], now())));
    recorded(&[seen], &path);
    let restored = Recording::open(&[path]).unwrap().at(0).unwrap();
    let journal = restored.journals.values().next().unwrap();
    assert!(!journal.plan.contains("h0rsebattery") && !journal.events.contains("staple"), "{journal:?}");
}

/// A cockpit on a recording of a bad night.
fn replaying(size: (u16, u16)) -> (Cockpit, Vec<Snapshot>) {
    let all = bad_night();
    let mut c = Cockpit::seeing(all[0].clone(), size, |setup| {
        (setup.read_only, setup.fixed) = (true, true);
        setup.replay = Some(Replay {
            name: "night.rec".into(),
            from: all[0].at,
            until: all[all.len() - 1].at,
            marked: None,
        });
    });
    let happened = all.windows(2).flat_map(|pair| changes(&pair[0], &pair[1])).collect();
    c.send(Msg::Happened(happened));
    (c, all)
}

#[test]
fn in_a_recording_one_moves_in_time_and_changes_nothing() {
    let (mut c, all) = replaying((120, 35));
    assert!(c.text().contains("RECORDING 21 Nov 03:12:00"), "{}", c.text());
    for (key, seek) in [
        ("<", Seek::Seconds(-60)),
        (">", Seek::Seconds(60)),
        ("{", Seek::Seconds(-600)),
        ("}", Seek::Seconds(600)),
        (",", Seek::Moments(-1)),
        (".", Seek::Moments(1)),
    ] {
        assert_eq!(c.keys(key), [Effect::Seek(seek, None)], "{key}");
    }
    c.keys("T");
    c.typed("03:20:30");
    let to: Timestamp = "2026-11-21T03:20:30Z".parse().unwrap();
    assert_eq!(c.keys("enter"), [Effect::Seek(Seek::To(to), None)]);
    c.keys(":");
    c.typed("at soon");
    assert_eq!(c.keys("enter"), Vec::<Effect>::new());
    assert!(c.text().contains("`soon` is no time"), "{}", c.text());
    for (keys, why) in [
        ("s", "nothing can be changed"),
        ("+", "nothing can be changed"),
        ("b", "nothing can be changed"),
        ("M", "nothing can be changed"),
        ("r", "nothing can be changed"),
        ("E", "no shell can be opened in its pods"),
        ("F", "no port can be forwarded to its pods"),
        ("l", "logs are not in it"),
        ("d", "whole objects are not in it"),
        ("y", "whole objects are not in it"),
    ] {
        assert_eq!(c.keys(keys), Vec::<Effect>::new(), "{keys}");
        assert!(c.text().contains(&format!("this is a recording: {why}")), "{keys}: {}", c.text());
        assert_eq!(c.app.place(), Place::Tenants, "{keys}");
    }
    // A pod is opened by its log.
    c.keys("enter enter");
    assert!(matches!(c.app.place(), Place::Tenant(_)), "{:?}", c.app.place());
    assert!(c.text().contains("this is a recording: logs are not in it"), "{}", c.text());
    c.keys("1");
    c.resize(300, 50);
    let text = c.text();
    let bar = text.lines().last().unwrap_or_default();
    for word in ["scale", "migrate", " log", "describe", "YAML", "shell", "port-forward", "rebalance", "less"]
    {
        assert!(!bar.contains(word), "{word}: {bar}");
    }
    assert!(bar.contains("what-if") && bar.contains("headroom"), "{bar}");
    c.resize(120, 35);
    c.keys(":");
    c.typed("scale acme 5");
    assert_eq!(c.keys("enter"), Vec::<Effect>::new());
    assert!(c.text().contains("this is a recording"), "{}", c.text());
    c.keys("m");
    assert!(c.text().contains("this is a recording: nothing can be changed"), "{}", c.text());
    c.keys("esc");
    assert_eq!(c.app.alarm(), None, "nothing moves by itself");
    // Two moments are compared, the earlier one first.
    c.keys("=");
    assert!(c.text().contains("03:12:00 is marked"), "{}", c.text());
    c.send(Msg::Observed(Arc::new(all[13].clone()).into()));
    c.keys("=");
    assert_eq!(c.app.place(), Place::Compare);
    look!("compare_120x35", c);
    assert!(c.text().contains("worker-2") && c.text().contains("not ready"), "{}", c.text());
}

#[test]
fn the_timeline_tells_what_happened_by_tenant_and_by_node() {
    for size in [(80, 24), (200, 50)] {
        let (mut c, _) = replaying(size);
        c.keys("t");
        assert_eq!(c.app.place(), Place::Timeline);
        look!(format!("timeline_{}x{}", size.0, size.1), c);
    }
    let (mut c, _) = replaying((120, 35));
    c.keys("t tab");
    assert!(c.text().contains("BY NODE") && c.text().contains("worker-2"), "{}", c.text());
    let effects = c.keys("x");
    assert!(matches!(effects.as_slice(), [Effect::Export(..)]), "{effects:?}");
    c.keys("tab / p i e d enter");
    assert!(c.text().contains("1 of"), "{}", c.text());
    c.keys("esc :");
    c.typed("since 10m");
    c.keys("enter");
    assert!(c.text().contains(" 10 min · "), "{}", c.text());
    c.keys("o");
    assert!(c.text().contains("whole recording"), "{}", c.text());
    c.keys("1 4 t");
    assert_eq!(c.app.place(), Place::Database, "there the key takes a member out");
    c.keys(":");
    c.typed("timeline");
    c.keys("enter");
    assert_eq!(c.app.place(), Place::Timeline);
}

/// A recording that is no longer than the usual hours is on the axis whole, wherever one is in it.
#[test]
fn the_timeline_of_a_recording_stays_where_it_is_while_one_moves() {
    let (mut c, all) = replaying((120, 35));
    c.keys("t");
    let axis = |c: &Cockpit| c.text().lines().find(|line| line.contains("BY TENANT")).map(str::to_owned);
    let first = axis(&c).expect("an axis");
    assert!(first.contains("03:15") && first.contains("03:40"), "{first}");
    assert!(c.text().contains("whole recording"), "{}", c.text());
    for place in [7, 12] {
        c.send(Msg::Observed(Arc::new(all[place].clone()).into()));
        assert_eq!(axis(&c).as_ref(), Some(&first), "moment {place}");
    }
}

#[test]
fn a_recording_says_so_at_any_width() {
    for columns in [20, 40, 45, 50, 80] {
        let (c, _) = replaying((columns, 12));
        let header = c.text().lines().next().map(str::to_owned).unwrap_or_default();
        assert!(header.contains("RECORDING"), "{columns}: {header}");
    }
}

/// What is predicted rests on the moment that is shown, however fast one moves.
#[test]
fn predictions_follow_the_moment_of_a_recording() {
    let (mut c, all) = replaying((120, 35));
    let all: Vec<_> = all.into_iter().map(Arc::new).collect();
    let outlook = |place: usize| Box::new(Outlook::of(&mut Forecast::default(), all[place].clone(), None));
    let header = |c: &Cockpit| c.text().lines().nth(1).map(str::to_owned).unwrap_or_default();
    for place in [3, 7, 1] {
        let asked = c.send(Msg::Sought(all[place].clone().into(), Some(outlook(place))));
        assert_eq!((asked.as_slice(), c.foreseen), (&[][..], 1), "it has come with the moment");
        let header = header(&c);
        assert!(header.contains("fails: ") && !header.contains("ago"), "{place}: {header}");
    }
    // That of another moment comes late, such as the answer to what was asked before one moved on.
    let before = header(&c);
    for late in [13, 16] {
        c.send(Msg::Foreseen(outlook(late)));
        assert_eq!(header(&c), before, "moment {late}");
    }
    assert_eq!(c.foreseen, 1, "nothing has to be asked again");
    // Of a moment that is only passed nothing is predicted: nothing old is shown, and the prediction is asked for.
    c.send(Msg::Sought(all[7].clone().into(), None));
    assert_eq!(c.foreseen, 2);
    c.send(Msg::Foreseen(outlook(7)));
    assert!(header(&c).contains("fails: "), "{}", header(&c));
}

#[test]
fn the_action_log_lists_what_this_and_other_cockpits_did() {
    for size in [(80, 24), (200, 50)] {
        let mut c = Cockpit::of(NIGHT, size);
        c.keys("/ a c m e enter esc s 5 enter");
        c.start();
        c.finish();
        let effects = c.keys("esc esc 1 @");
        assert!(effects.contains(&Effect::ReadAudit), "{effects:?}");
        look!(format!("actions_{}x{}", size.0, size.1), c);
        c.keys("enter");
        assert!(matches!(c.app.place(), Place::Run(_)), "{}", c.text());
        c.keys("q");
        let effects = c.keys("c");
        assert!(
            matches!(effects.as_slice(), [Effect::Copy(line)] if line.contains("kubectl")),
            "{effects:?}"
        );
        c.keys("/ n o t h i n g enter");
        assert!(c.text().contains("no action matches the filter"), "{}", c.text());
    }
}

#[test]
fn a_report_tells_before_and_after_what_happened_and_what_users_lost() {
    let all = bad_night();
    let happened: Vec<_> = all.windows(2).flat_map(|pair| changes(&pair[0], &pair[1])).collect();
    let report = Report::of(&all[0], &all[13], &happened, &[], vec!["what was before".into()]);
    let text = report.markdown();
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
        insta::assert_snapshot!("report", text);
    });
    let json = serde_json::to_value(&report).unwrap();
    for key in
        ["cluster", "from", "until", "before", "after", "differences", "harm", "events", "actions", "gaps"]
    {
        assert!(json.get(key).is_some(), "{key}");
    }
}
