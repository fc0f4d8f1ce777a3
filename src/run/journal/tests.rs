//! What is read out of journals, whatever stands in them.

use jiff::Timestamp;

use super::*;
use crate::{
    cluster::{Observation, Seen, Tenancy},
    run::{RunState, Shown},
};

/// A journal of the first format, as it was stored.
fn stored() -> Value {
    serde_json::from_str(include_str!("../../../tests/captures/journals/format-1.json")).expect("JSON")
}

fn journal(plan: &str, events: &str) -> Journal {
    Journal {
        key: Key::new("wheelhouse", "run-20261121-090000-a7ff"),
        state: None,
        resource_version: "1".into(),
        created: Timestamp::UNIX_EPOCH,
        of: Written::Run,
        plan: plan.into(),
        events: events.into(),
        asked: "".into(),
    }
}

fn texts() -> (String, String) {
    let text = |key: &str| stored()["data"][key].as_str().expect("text").to_owned();
    (text("plan"), text("events"))
}

#[test]
fn a_journal_of_another_run_than_its_name_says_is_not_read() {
    let (plan, events) = texts();
    for id in ["20261121-090000-ffff", "../../etc/passwd", "", "x\\u001b]0;x\\u0007"] {
        let other = plan.replace("20261121-090000-a7ff", id);
        assert_ne!(other, plan);
        let why = decode(&journal(&other, &events)).expect_err("it is another's");
        assert!(why.contains("another id than its name says"), "{why}");
    }
}

#[test]
fn events_that_were_cut_or_removed_are_not_read_as_those_of_a_run_that_has_just_begun() {
    let (plan, events) = texts();
    let run = decode(&journal(&plan, &events)).expect("a run");
    let written = head(&run).expect("JSON");
    let labelled =
        |events: &str, state: &str| Journal { state: Some(state.into()), ..journal(&written, events) };
    let state = run.state.word();
    assert_eq!(decode(&labelled(&events, state)).expect("as it was"), run);
    let cut = &events[..events.len() - 30];
    assert!(decode(&labelled(cut, state)).is_err_and(|why| why.contains("is cut off")));
    let why = decode(&labelled("", state)).expect_err("its events are gone");
    assert!(why.contains(&format!("come to planned, and it was {state}")), "{why}");
    // Those of older formats stay readable, and so is what a power cut leaves of a file.
    let old = Journal { state: Some(state.into()), ..journal(&plan, cut) };
    assert!(decode(&old).is_ok() && read(&written, cut).is_ok());
}

#[test]
fn a_plan_that_was_edited_is_not_read_again() {
    let (plan, events) = texts();
    let run = decode(&journal(&plan, &events)).expect("a run");
    // Written again, it carries what tells an edit.
    let written = head(&run).expect("JSON");
    assert_eq!(decode(&journal(&written, &events)).expect("as it was").plan(), run.plan());
    for (from, to) in [("\"acme\"", "\"kube-system\""), ("\"to\":4", "\"to\":0"), ("a test", "another")] {
        let edited = written.replace(from, to);
        assert_ne!(edited, written, "{from}");
        let why = decode(&journal(&edited, &events)).expect_err("edited");
        assert!(why.contains("not the one that was approved"), "{why}");
    }
    let mut bare: Value = serde_json::from_str(&written).expect("JSON");
    bare.as_object_mut().and_then(|bare| bare.remove("sum")).expect("a sum");
    let why = decode(&journal(&bare.to_string(), &events)).expect_err("its sum is gone");
    assert!(why.ends_with(UNSUMMED), "{why}");
    // Of journals without it, what no planner makes.
    let value: Value = serde_json::from_str(&plan).expect("JSON");
    let step = |change: &dyn Fn(&mut Value)| {
        let mut value = value.clone();
        change(&mut value["approved"]["plan"]["steps"][1]);
        decode(&journal(&value.to_string(), "")).expect_err("no plan is made so")
    };
    let told = [
        step(&|s| s["within"] = 0.into()),
        step(&|s| s["takes_back"] = 7.into()),
        step(&|s| s["serves"] = 1.into()),
        step(&|s| s["tenant"] = Value::Null),
        step(&|s| s["change"]["workload"]["namespace"] = "kube-system".into()),
    ];
    let words = ["may take 0 s", "takes back step 8", "makes ready for step 2", "about database", "changes"];
    for (why, words) in told.iter().zip(words) {
        assert!(why.contains("step 2 of its plan") && why.contains(words), "{why}");
    }
}

#[test]
fn journals_of_the_first_format_stay_readable() {
    let (plan, events) = texts();
    let run = decode(&journal(&plan, &events)).expect("a run");
    assert_eq!((run.id.as_str(), run.short()), ("20261121-090000-a7ff", "a7ff"));
    assert_eq!((run.operator.as_str(), run.user.as_deref()), ("alice@bastion", Some("operator")));
    assert_eq!(run.state, RunState::Undone);
    assert_eq!(run.approved.reason(), Some("a test"));
    let kinds: Vec<_> =
        run.entries.iter().map(|e| serde_json::to_value(&e.event).expect("JSON")["event"].clone()).collect();
    let all = [
        "taken", "started", "done", "started", "paused", "taken", "started", "done", "verified", "finished",
        "undone",
    ];
    assert_eq!(kinds, all);
    let told = |entry: usize| crate::run::describe(&run, &run.entries[entry].event).expect("a sentence");
    assert_eq!(told(0), "▸ run 20261121-090000-a7ff began");
    assert_eq!(told(5), "▸ run 20261121-090000-a7ff was taken up again");
    assert_eq!(run.made().len(), 1);
    let Some(Intent::Undo { run: of, changes }) = undo_intent(&run) else { panic!("something was made") };
    assert_eq!((of.as_str(), changes.len()), ("20261121-090000-a7ff", 1));
    // What is read is written the same again.
    let again: String = run.entries.iter().map(line).collect();
    assert_eq!(again, events);
    assert_eq!(read(&head(&run).expect("text"), &again).expect("a run"), run);
}

#[test]
fn a_journal_cut_at_any_byte_is_a_shorter_run_or_a_sentence() {
    let (plan, events) = texts();
    let whole = read(&plan, &events).expect("a run").entries;
    for cut in (0..events.len()).filter(|n| events.is_char_boundary(*n)) {
        let run = read(&plan, &events[..cut]).expect("a torn last line is dropped");
        assert_eq!(run.entries, whole[..run.entries.len()]);
    }
    for cut in (0..plan.len()).filter(|n| plan.is_char_boundary(*n)) {
        assert!(read(&plan[..cut], &events).is_err(), "{cut}");
    }
}

#[test]
fn damaged_and_newer_journals_are_told_in_a_sentence() {
    let (plan, events) = texts();
    let newer = plan.replacen("\"format\":1", "\"format\":6", 1);
    for (plan, events, words) in [
        (newer.as_str(), "", "newer wheelhouse (format 6)"),
        ("", "", "its plan cannot be read"),
        ("[]", "", "its plan cannot be read"),
        (&plan, "{}\n", "line 1 of its events"),
        (&plan, &events.replacen("\"taken\"", "\"flown\"", 1), "line 1 of its events"),
    ] {
        let why = decode(&journal(plan, events)).expect_err("it cannot be read");
        assert!(
            why.starts_with("journal wheelhouse/run-20261121-090000-a7ff: ") && why.contains(words),
            "{why}"
        );
    }
    // Nor can what cannot have happened in that order.
    for (from, to, words) in [
        ("\"step\":1", "\"step\":77", "line 4 of its events: step 78 of 2 is none of the plan"),
        (
            "\"event\":\"done\",\"step\":0",
            "\"event\":\"done\",\"step\":1",
            "line 4 of its events: step 2 is through",
        ),
        (
            "\"event\":\"paused\"",
            "\"event\":\"undone\",\"by_run\":\"x\"",
            "line 6 of its events: the run was taken back",
        ),
    ] {
        let strange = events.replace(from, to);
        let why = decode(&journal(&plan, &strange)).expect_err("an illegal order");
        assert!(why.contains(words), "{why}");
    }
}

/// A snapshot with these runs: id, and whether it is over.
fn seen(ids: &[(&str, bool)]) -> Snapshot {
    let (plan, events) = texts();
    let first = events.lines().next().expect("a line").to_owned() + "\n";
    let mut snapshot = Snapshot::new(Tenancy::default());
    let journals = ids.iter().map(|(id, over)| {
        let plan = plan.replace("20261121-090000-a7ff", id);
        let one = journal(&plan, if *over { &events } else { &first });
        let key = Key::new("wheelhouse", name(id));
        (key.clone(), Journal { key, ..one })
    });
    snapshot.observe(Observation::Journal(Seen::All(journals.collect(), Timestamp::UNIX_EPOCH)));
    snapshot
}

#[test]
fn runs_of_one_second_stand_as_they_began() {
    let mut snapshot = seen(&[("20261121-090000-ffff", true)]);
    let (plan, events) = texts();
    let at = events.split('"').find(|text| text.starts_with("2026-")).expect("a time").to_owned();
    let later = at.parse::<Timestamp>().expect("a time") + jiff::SignedDuration::from_millis(300);
    let plan = plan.replace("20261121-090000-a7ff", "20261121-090000-0000");
    let one = journal(&plan, &events.replacen(&at, &later.to_string(), 1));
    let key = Key::new("wheelhouse", name("20261121-090000-0000"));
    snapshot.observe(Observation::Journal(Seen::Put(key.clone(), Journal { key, ..one })));
    let runs = runs(&snapshot);
    let ids: Vec<_> = runs.iter().map(|r| r.run.id.as_str()).collect();
    assert_eq!(ids, ["20261121-090000-0000", "20261121-090000-ffff"]);
}

#[test]
fn runs_are_found_by_the_whole_id_its_end_or_its_beginning() {
    let snapshot = seen(&[
        ("20261121-090000-aaaa", true),
        ("20261121-090001-bbbb", false),
        ("20261122-000000-aaaa", true),
    ]);
    let runs = runs(&snapshot);
    let ids: Vec<_> = runs.iter().map(|r| r.run.id.as_str()).collect();
    assert_eq!(ids, ["20261122-000000-aaaa", "20261121-090001-bbbb", "20261121-090000-aaaa"]);
    let id = |text: &str| find(&runs, text).map(|r| r.run.id.clone());
    assert_eq!(id("bbbb").as_deref(), Ok("20261121-090001-bbbb"));
    assert_eq!(id("20261122").as_deref(), Ok("20261122-000000-aaaa"));
    assert_eq!(id("20261121-090000-aaaa").as_deref(), Ok("20261121-090000-aaaa"));
    for (text, words) in
        [("aaaa", "could be any of"), ("20261121", "could be any of"), ("", "no run"), ("x", "no run")]
    {
        assert!(id(text).is_err_and(|why| why.contains(words)), "{text}");
    }
}

#[test]
fn a_run_is_shown_with_who_holds_it() {
    let mut snapshot = seen(&[("20261121-090001-bbbb", false)]);
    let now: Timestamp = "2026-11-21T09:10:00Z".parse().expect("a time");
    snapshot.at = now;
    let key = Key::new("wheelhouse", "tenant-acme");
    let lease = |seconds: i64| Lease {
        key: key.clone(),
        resource_version: "1".into(),
        holder: Some("alice smith@bastion 12-ab".into()),
        run: Some("20261121-090001-bbbb".into()),
        acquired: Some(now),
        renewed: Some(now - jiff::SignedDuration::from_secs(seconds)),
        seconds: 15,
        transitions: 0,
    };
    // Its 15 s, and some for clocks that differ.
    for (ago, alive) in [(3, true), (17, true), (21, false), (40, false)] {
        snapshot.observe(Observation::Lease(Seen::Put(key.clone(), lease(ago))));
        let holder = runs(&snapshot).remove(0).holder.expect("a holder");
        assert_eq!((holder.who.as_str(), holder.session.as_str()), ("alice smith@bastion", "12-ab"));
        assert_eq!(holder.alive, alive, "renewed {ago} s ago");
    }
    snapshot.observe(Observation::Lease(Seen::Put(key.clone(), Lease { holder: None, ..lease(3) })));
    assert_eq!(runs(&snapshot).remove(0).holder, None);
}

#[test]
fn whether_anybody_drives_a_run_is_not_known_without_the_leases() {
    let mut snapshot = seen(&[("20261121-090001-bbbb", false)]);
    snapshot.observe(Observation::Lease(Seen::Lost(snapshot.at, "needs list and watch on leases".into())));
    let run = runs(&snapshot).remove(0);
    assert_eq!(run.shown(), Shown::Unknown);
    for (what, answer) in [
        ("resume", run.resume(&snapshot)),
        ("undo", run.undo(&snapshot)),
        ("give up", run.give_up(&snapshot)),
    ] {
        let why = answer.expect_err(what);
        assert!(why.contains("whether anybody drives run bbbb is not known"), "{what}: {why}");
    }
}

#[test]
fn a_journal_that_would_not_fit_is_refused_before_anything_is_done() {
    let (plan, events) = texts();
    let run = read(&plan, &events).expect("a run");
    let blank = blank(&run, "wheelhouse").expect("it fits");
    let entry = &run.entries[0];
    assert_eq!(events_of(&with(&blank, &run, entry).expect("it fits")), line(entry));
    let mut full = blank.clone();
    full.data.get_or_insert_default().insert("events".into(), "x".repeat(ROOM - 100));
    assert!(with(&full, &run, entry).is_err_and(|why| why.contains("full")));

    let mut large = serde_json::from_str::<Value>(&plan).expect("JSON");
    let step = large["approved"]["plan"]["steps"][0].clone();
    large["approved"]["plan"]["steps"] = vec![step; 2000].into();
    let large = read(&large.to_string(), "").expect("a run");
    let why = super::blank(&large, "wheelhouse").expect_err("too large");
    assert!(why.contains("2000 steps") && why.contains("several runs"), "{why}");
}

fn events_of(journal: &ConfigMap) -> String {
    events(journal).to_owned()
}

#[test]
fn what_is_not_over_or_not_understood_is_never_worn_out() {
    let ids: Vec<_> = (0..KEPT + 3).map(|n| format!("20260101-0000{n:02}-0000")).collect();
    let all: Vec<_> = ids.iter().enumerate().map(|(n, id)| (id.as_str(), n != 1)).collect();
    let mut snapshot = seen(&all);
    let odd = Key::new("wheelhouse", "run-0");
    snapshot.journals.items.insert(odd.clone(), Arc::new(Journal { key: odd, ..journal("?", "") }));
    let names: Vec<_> = oldest_finished(&snapshot).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["run-20260101-000002-0000", "run-20260101-000000-0000"]);
}
