//! What a run's journal says, as text: written by `drive`, read by everybody who opens a cockpit.
//!
//! One ConfigMap a run: `data.plan` is the approved plan with who runs it, `data.events` one JSON object a line. A file
//! of a run kept on one machine has the plan as its first line and the same events after it. Journals of older
//! versions stay readable (`tests/captures/journals`). Pure: nothing here reads or writes anything.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entry, Holder, Run, RunSeen};
use crate::{
    cluster::{Journal, Key, Lease, ResourceVersion, Snapshot, Written, fnv1a, words::short_run},
    plan::{Approved, Intent},
};

/// The format written. Raised when an older reader would misread it.
const FORMAT: u32 = 3;
/// A ConfigMap holds 1 MiB in all; the rest is for its metadata.
const ROOM: usize = 1_000_000;
/// What the entries of one step and its verification may take, at most.
const ROOM_A_STEP: usize = 1_500;
/// Room for pauses and resumptions.
const ROOM_FOR_TROUBLE: usize = 64_000;
/// Finished runs that are kept.
const KEPT: usize = 50;

/// The label every object of ours carries.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "wheelhouse");
/// The label, and on leases the annotation, that names the run.
pub(super) const RUN: &str = crate::cluster::RUN_LABEL;
/// What the name of a run's journal begins with.
const PREFIX: &str = "run-";
/// The label that names the campaign: on its own journal, and on those of its runs.
pub(super) const CAMPAIGN: &str = "wheelhouse.dev/campaign";
/// The label that tells the journal of a campaign from one of a run.
pub(super) const OF_CAMPAIGN: (&str, &str) = ("app.kubernetes.io/component", "campaign");
/// The label that names the state.
pub(super) const STATE: &str = "wheelhouse.dev/state";

/// The approved plan and who runs it.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    id: String,
    operator: String,
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    approved: Approved,
    /// [`sum()`] of `approved`, as it was written; absent before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<String>,
}

/// What tells that an approved plan is still the one that was written. By its text with the names in order, so that
/// every build comes to the same.
fn sum(head: &Value) -> String {
    sum_of(&head["approved"])
}

/// The sum of what was approved.
pub(super) fn sum_of(approved: &Value) -> String {
    format!("{:016x}", fnv1a(approved.to_string().bytes()))
}

/// Why a journal whose sum is another is not read.
pub(super) const EDITED: &str = "its plan is not the one that was approved: somebody has edited it";

/// Reads a journal.
///
/// # Errors
/// One sentence, when it is damaged or was written by a newer version.
pub fn decode(journal: &Journal) -> Result<Run, String> {
    let unread = |why: String| format!("journal {}: {why}", journal.key);
    let run = read(&journal.plan, &journal.events).map_err(unread)?;
    // Leases, files and commands are named by the id: one that names another run leads astray.
    match name(&run.id) == *journal.key.name {
        true => Ok(run),
        false => {
            Err(unread(String::from("it holds a run of another id than its name says: it cannot be trusted")))
        }
    }
}

/// The journals as they were read last: one that has not changed is not read again.
#[derive(Clone, Debug, Default)]
pub struct Decoded(BTreeMap<Key, (Arc<Journal>, Result<Run, String>)>);

impl Decoded {
    /// All runs that left a journal in the cluster, newest first, and one sentence for each that cannot be read.
    pub fn read(&mut self, snapshot: &Snapshot) -> (Vec<RunSeen>, Vec<String>) {
        self.0.retain(|key, (journal, _)| {
            snapshot.journals.get(key).is_some_and(|now| Arc::ptr_eq(now, journal))
        });
        for journal in snapshot.journals.values().filter(|j| j.of == Written::Run) {
            let read = || (journal.clone(), decode(journal));
            self.0.entry(journal.key.clone()).or_insert_with(read);
        }
        let mut runs: Vec<_> = self.0.values().filter_map(|(_, read)| read.as_ref().ok()).collect();
        // The id tells the second; those of one second stand as they began.
        let second = |run: &Run| run.id.get(..15).unwrap_or(&run.id).to_owned();
        runs.sort_by_cached_key(|run| {
            Reverse((second(run), run.entries.first().map(|entry| entry.at), run.id.clone()))
        });
        // Not known is not nobody.
        let unknown = snapshot.leases.freshness.trouble().map(|why| format!("leases: {why}"));
        let seen = runs.into_iter().map(|run| RunSeen {
            holder: holder(&run.id, snapshot),
            unknown: unknown.clone(),
            ..RunSeen::of(run.clone())
        });
        (seen.collect(), self.0.values().filter_map(|(_, read)| read.as_ref().err().cloned()).collect())
    }
}

/// Who holds a lease for a run or a campaign.
pub(super) fn holder(id: &str, snapshot: &Snapshot) -> Option<Holder> {
    let held = |l: &&Arc<Lease>| l.run.as_deref() == Some(id) && l.holder.is_some();
    let lease = snapshot.leases.values().filter(held).max_by_key(|l| l.renewed)?;
    let (who, session) = Holder::parse(lease.holder.as_deref()?);
    let alive = lease.is_held(snapshot.at);
    Some(Holder {
        who,
        session,
        since: lease.acquired,
        renewed: lease.renewed,
        until: lease.held_until(),
        alive,
    })
}

/// All runs that left a journal in the cluster, newest first. Reading them costs: [`Decoded`] reads each once.
pub fn runs(snapshot: &Snapshot) -> Vec<RunSeen> {
    Decoded::default().read(snapshot).0
}

/// The journals that cannot be read, one sentence each.
pub fn unreadable(snapshot: &Snapshot) -> Vec<String> {
    Decoded::default().read(snapshot).1
}

/// The run of that id, or whose id ends in `-id`, or the only one whose id begins with it.
///
/// # Errors
/// One sentence: none is, or several are.
pub fn find<'a>(runs: &'a [RunSeen], id: &str) -> Result<&'a RunSeen, String> {
    named(runs, id, |r| &r.run.id, "run")
}

/// The one of that id, or whose id ends in `-id`, or the only one whose id begins with it; `what` it is, in a word.
pub(super) fn named<'a, T>(
    all: &'a [T],
    id: &str,
    of: impl Fn(&T) -> &String,
    what: &str,
) -> Result<&'a T, String> {
    if let Some(exact) = all.iter().find(|one| of(one) == id) {
        return Ok(exact);
    }
    let last = |one: &&T| short_run(of(one)) == id;
    let start = |one: &&T| !id.is_empty() && of(one).starts_with(id);
    let mut found: Vec<_> = all.iter().filter(last).collect();
    if found.is_empty() {
        found = all.iter().filter(start).collect();
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("there is no {what} `{id}`: `wheelhouse {what}s` lists those there are")),
        several => {
            let ids: Vec<_> = several.iter().map(|one| of(one).as_str()).collect();
            Err(format!("`{id}` could be any of {}: name one in full", ids.join(", ")))
        }
    }
}

/// What would take a run back; `None` when it has begun nothing.
pub fn undo_intent(run: &Run) -> Option<Intent> {
    let changes = run.made();
    (!changes.is_empty()).then(|| Intent::Undo { run: run.id.clone(), changes })
}

/// The plan and who runs it, as it is stored.
pub(super) fn head(run: &Run) -> Result<String, String> {
    let head = Head {
        format: FORMAT,
        id: run.id.clone(),
        operator: run.operator.clone(),
        user: run.user.clone(),
        campaign: run.campaign.clone(),
        approved: run.approved.clone(),
        sum: None,
    };
    let text = |head: &Head| {
        serde_json::to_string(head).map_err(|e| format!("the plan cannot be written as JSON: {e}"))
    };
    let written = serde_json::from_str(&text(&head)?)
        .map_err(|e| format!("the plan cannot be read again as JSON: {e}"))?;
    text(&Head { sum: Some(sum(&written)), ..head })
}

/// One entry, as it is stored.
pub(super) fn line(entry: &Entry) -> String {
    let mut line = serde_json::to_string(entry).expect("an entry is text, numbers and times");
    line.push('\n');
    line
}

/// The run that was stored as this text. A last line without its end was being written when the power went: it is
/// dropped.
pub(super) fn read(plan: &str, events: &str) -> Result<Run, String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let format: Format = serde_json::from_str(plan).map_err(|e| format!("its plan cannot be read: {e}"))?;
    if format.format > FORMAT {
        let newer = format.format;
        return Err(format!("it was written by a newer wheelhouse (format {newer}): use that version"));
    }
    let head: Head = serde_json::from_str(plan).map_err(|e| format!("its plan cannot be read: {e}"))?;
    if let Some(written) = &head.sum {
        let found: Value = serde_json::from_str(plan).map_err(|e| format!("its plan cannot be read: {e}"))?;
        if *written != sum(&found) {
            return Err(EDITED.into());
        }
    }
    head.approved.plan().sound().map_err(|why| format!("{why}: no plan is made so"))?;
    let mut run = Run::new(head.id, head.operator, head.approved);
    run.user = head.user;
    run.campaign = head.campaign;
    for (number, line) in events.split_inclusive('\n').enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(entry) => {
                run.apply(entry).map_err(|e| format!("line {} of its events: {e}", number + 1))?;
            }
            Err(_) if !line.ends_with('\n') => break,
            Err(e) => return Err(format!("line {} of its events cannot be read: {e}", number + 1)),
        }
    }
    Ok(run)
}

/// The name of a run's ConfigMap.
pub(super) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// The ConfigMap of a run that has no entry yet.
pub(super) fn blank(run: &Run, namespace: &str) -> Result<ConfigMap, String> {
    let plan = head(run)?;
    let steps = run.plan().steps.len();
    if plan.len() + steps * ROOM_A_STEP + ROOM_FOR_TROUBLE > ROOM {
        let kib = plan.len() / 1024;
        return Err(format!(
            "a plan of {steps} steps ({kib} KiB) does not fit into a journal: do it in several runs"
        ));
    }
    let campaign = run.campaign.as_deref().map(|id| (CAMPAIGN, id));
    let labels = [MANAGED_BY, ("app.kubernetes.io/component", "journal"), (RUN, run.id.as_str())];
    let metadata = ObjectMeta {
        name: Some(name(&run.id)),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels.into_iter().chain(campaign).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([("plan".to_owned(), plan), ("events".to_owned(), String::new())]);
    Ok(ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

/// The same ConfigMap with one entry more; `run` is the run with that entry applied.
pub(super) fn with(journal: &ConfigMap, run: &Run, entry: &Entry) -> Result<ConfigMap, String> {
    let mut journal = journal.clone();
    let data = journal.data.get_or_insert_default();
    let size: usize = data.values().map(String::len).sum();
    let line = line(entry);
    if size + line.len() > ROOM {
        return Err("its journal is full: undo it, or plan again what is left".into());
    }
    data.entry("events".into()).or_default().push_str(&line);
    let labels = journal.metadata.labels.get_or_insert_default();
    labels.insert(STATE.into(), run.state.word().into());
    Ok(journal)
}

/// The run a ConfigMap holds.
pub(super) fn of(journal: &ConfigMap) -> Result<Run, String> {
    let text = |key| journal.data.as_ref().and_then(|d| d.get(key)).map_or("", String::as_str);
    read(text("plan"), text("events"))
}

/// The events of a ConfigMap, as text.
pub(super) fn events(journal: &ConfigMap) -> &str {
    journal.data.as_ref().and_then(|d| d.get("events")).map_or("", String::as_str)
}

/// The runs that a campaign still looks at: all but those of its items that are done. None once it is over.
fn needed(campaign: &str, seen: &Snapshot) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Line {
        event: String,
        item: Option<usize>,
        run: Option<String>,
    }
    let of = |journal: &&Arc<Journal>| {
        journal.of == Written::Campaign && journal.key.name.strip_suffix(campaign) == Some("campaign-")
    };
    let Some(journal) = seen.journals.values().find(of) else { return BTreeSet::new() };
    let mut runs: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for line in journal.events.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        match (&*line.event, line.item, line.run) {
            ("began", Some(item), Some(run)) => {
                runs.entry(item).or_default().insert(run);
            }
            ("done", Some(item), _) => {
                runs.remove(&item);
            }
            ("finished" | "undone", ..) => return BTreeSet::new(),
            _ => {}
        }
    }
    runs.into_values().flatten().collect()
}

/// The journals that may go: of runs that are over, all but the newest fifty. One that cannot be read stays.
pub(super) fn oldest_finished(seen: &Snapshot) -> Vec<(String, ResourceVersion)> {
    #[derive(Deserialize)]
    struct Head {
        campaign: Option<String>,
    }
    // Each of two thousand runs asks this at its end: only what may go is read whole.
    let by_label = |j: &&Arc<Journal>| j.of == Written::Run && (j.state.is_none() || j.is_over());
    let mut over: Vec<_> = seen.journals.values().filter(by_label).collect();
    if over.len() <= KEPT {
        return Vec::new();
    }
    let mut campaigns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    over.retain(|j| {
        let head: Option<Head> = serde_json::from_str(&j.plan).ok();
        let Some(campaign) = head.and_then(|head| head.campaign) else { return true };
        let runs = campaigns.entry(campaign).or_insert_with_key(|id| needed(id, seen));
        !j.key.name.strip_prefix(PREFIX).is_some_and(|id| runs.contains(id))
    });
    over.sort_by(|a, b| b.key.name.cmp(&a.key.name));
    let is_over = |j: &&Arc<Journal>| decode(j).is_ok_and(|run| run.state.is_over());
    let gone = over.into_iter().filter(|j| j.is_over() || is_over(j)).skip(KEPT).filter(is_over);
    gone.map(|j| (j.key.name.to_string(), j.resource_version.clone())).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        cluster::{Observation, Seen, Tenancy},
        run::RunState,
    };

    /// A journal of the first format, as it was stored.
    fn stored() -> Value {
        serde_json::from_str(include_str!("../../tests/captures/journals/format-1.json")).expect("JSON")
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
        let words =
            ["may take 0 s", "takes back step 8", "makes ready for step 2", "about database", "changes"];
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
        let kinds: Vec<_> = run
            .entries
            .iter()
            .map(|e| serde_json::to_value(&e.event).expect("JSON")["event"].clone())
            .collect();
        let all = [
            "taken", "started", "done", "started", "paused", "taken", "started", "done", "verified",
            "finished", "undone",
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
        let newer = plan.replacen("\"format\":1", "\"format\":4", 1);
        for (plan, events, words) in [
            (newer.as_str(), "", "newer wheelhouse (format 4)"),
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
        for (ago, alive) in [(3, true), (40, false)] {
            snapshot.observe(Observation::Lease(Seen::Put(key.clone(), lease(ago))));
            let holder = runs(&snapshot).remove(0).holder.expect("a holder");
            assert_eq!((holder.who.as_str(), holder.session.as_str()), ("alice smith@bastion", "12-ab"));
            assert_eq!(holder.alive, alive);
        }
        snapshot.observe(Observation::Lease(Seen::Put(key.clone(), Lease { holder: None, ..lease(3) })));
        assert_eq!(runs(&snapshot).remove(0).holder, None);
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
}
