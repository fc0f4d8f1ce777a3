//! What a run's journal says, as text: written by `drive`, read by everybody who opens a cockpit.
//!
//! One ConfigMap a run: `data.plan` is the approved plan with who runs it, `data.events` one JSON object a line. A file
//! of a run kept on one machine has the plan as its first line and the same events after it. Journals of older
//! versions stay readable (`tests/captures/journals`). Pure: nothing here reads or writes anything.

mod worn;

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Entry, Holder, Run, RunSeen};
use crate::{
    cluster::{Journal, Key, Lease, Snapshot, Written, fnv1a, words::short_run},
    plan::{Approved, Intent},
};

pub(super) use worn::oldest_finished;

/// The format written. Raised when an older reader would misread it.
const FORMAT: u32 = 5;
/// From this format on a journal carries the sum of what was approved, and one without it is not read.
const SUMMED: u32 = 5;
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
/// Why a journal without a sum is not read.
pub(super) const UNSUMMED: &str =
    "the sum that tells whether its plan is the one that was approved is gone: somebody has edited it";

/// What tells how a head is to be read.
#[derive(Deserialize)]
struct Marks {
    format: u32,
    #[serde(default)]
    sum: Option<String>,
}

/// The head of a journal, and its format: one that is known, of what was approved. `what` it is, in a word or two; `formats`
/// are the newest that is read, and the first that carries a sum.
pub(super) fn head_of(
    text: &str,
    what: &str,
    formats: (u32, u32),
    sum: impl FnOnce(&Value) -> String,
) -> Result<(Value, u32), String> {
    let unread = |e: serde_json::Error| format!("{what} cannot be read: {e}");
    let head: Value = serde_json::from_str(text).map_err(unread)?;
    let Marks { format, sum: written } = Marks::deserialize(&head).map_err(unread)?;
    let (newest, summed) = formats;
    match written {
        _ if format > newest => {
            Err(format!("it was written by a newer wheelhouse (format {format}): use that version"))
        }
        Some(written) if written != sum(&head) => Err(EDITED.into()),
        None if format >= summed => Err(UNSUMMED.into()),
        _ => Ok((head, format)),
    }
}

/// Takes in the entries of a journal, in order. A last line without its end was being written when the power went: it is
/// dropped.
pub(super) fn fold<E: DeserializeOwned>(
    events: &str,
    mut apply: impl FnMut(E) -> Result<(), String>,
) -> Result<(), String> {
    for (number, line) in events.split_inclusive('\n').enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(entry) => apply(entry).map_err(|e| format!("line {} of its events: {e}", number + 1))?,
            Err(_) if !line.ends_with('\n') => break,
            Err(e) => return Err(format!("line {} of its events cannot be read: {e}", number + 1)),
        }
    }
    Ok(())
}

/// Whether the events of a journal in the cluster are those that were written: each is stored whole, and with the state
/// that they come to.
pub(super) fn untouched(events: &str, label: Option<&str>, state: &str) -> Result<(), String> {
    if !events.is_empty() && !events.ends_with('\n') {
        return Err("the last of its events is cut off: somebody has edited it".into());
    }
    match label.filter(|label| *label != state) {
        Some(label) => Err(format!("its events come to {state}, and it was {label}: somebody has edited it")),
        None => Ok(()),
    }
}

/// Reads a journal.
///
/// # Errors
/// One sentence, when it is damaged or was written by a newer version.
pub fn decode(journal: &Journal) -> Result<Run, String> {
    let unread = |why: String| format!("journal {}: {why}", journal.key);
    let run = stored(&journal.plan, &journal.events, journal.state.as_deref()).map_err(unread)?;
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
        runs.sort_by_cached_key(|run| Reverse((second(run), run.began(), run.id.clone())));
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

/// The run that was stored as this text in a file.
pub(super) fn read(plan: &str, events: &str) -> Result<Run, String> {
    told(plan, events).map(|(run, _)| run)
}

/// The run that was stored as this text in the cluster, with the state it is labelled with.
fn stored(plan: &str, events: &str, label: Option<&str>) -> Result<Run, String> {
    let (run, format) = told(plan, events)?;
    match format >= SUMMED {
        true => untouched(events, label, run.state.word()).map(|()| run),
        false => Ok(run),
    }
}

/// The run that was stored as this text, and its format.
fn told(plan: &str, events: &str) -> Result<(Run, u32), String> {
    let (head, format) = head_of(plan, "its plan", (FORMAT, SUMMED), sum)?;
    let head: Head = serde_json::from_value(head).map_err(|e| format!("its plan cannot be read: {e}"))?;
    head.approved.plan().sound().map_err(|why| format!("{why}: no plan is made so"))?;
    let mut run = Run::new(head.id, head.operator, head.approved);
    run.user = head.user;
    run.campaign = head.campaign;
    fold(events, |entry| run.apply(entry))?;
    Ok((run, format))
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
    stored(text("plan"), text("events"), label(journal))
}

/// The state that a ConfigMap is labelled with.
pub(super) fn label(journal: &ConfigMap) -> Option<&str> {
    journal.metadata.labels.as_ref()?.get(STATE).map(String::as_str)
}

/// The events of a ConfigMap, as text.
pub(super) fn events(journal: &ConfigMap) -> &str {
    journal.data.as_ref().and_then(|d| d.get("events")).map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
