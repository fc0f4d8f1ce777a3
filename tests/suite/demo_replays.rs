//! Exchanges recorded on a real control plane 1.36, replayed on the embedded cluster: the same watch events in the same
//! order, kind by kind.

mod adoption;
mod jobs;

use serde_json::{Value, json};
use wheelhouse::demo::{Cluster, Kind, store::ChangeType};

/// The lines of a recording.
fn recorded(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// One event of a watch: the kind's plural, what happened, and the object.
type Event = (String, &'static str, Value);

/// The watch events of a recording.
fn watched(lines: &[Value]) -> Vec<Event> {
    let change = |line: &Value| match text(line, "/type") {
        "ADDED" => "ADDED",
        "DELETED" => "DELETED",
        _ => "MODIFIED",
    };
    let events = lines.iter().filter(|line| line["watch"].is_string());
    events.map(|line| (text(line, "/watch").to_owned(), change(line), line["object"].clone())).collect()
}

/// What happened in a namespace of the embedded cluster since a revision.
fn happened(cluster: &Cluster, namespace: &str, since: u64) -> Vec<Event> {
    cluster.with_world(|world| {
        let changes = world.store.changes_since(since).expect("changes that are known");
        let changes = changes.filter(|change| text(&change.object, "/metadata/namespace") == namespace);
        let change = |change: &wheelhouse::demo::store::Change| {
            let what = match change.change {
                ChangeType::Added => "ADDED",
                ChangeType::Modified => "MODIFIED",
                ChangeType::Deleted => "DELETED",
            };
            (change.kind.plural.to_owned(), what, Value::clone(&change.object))
        };
        changes.map(change).collect()
    })
}

fn revision(cluster: &Cluster) -> u64 {
    cluster.with_world(|world| world.store.revision())
}

/// A status condition as `Type=Status/Reason`.
fn conditions(object: &Value, wanted: &[&str]) -> Vec<String> {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    let all = all.filter(|condition| wanted.is_empty() || wanted.contains(&text(condition, "/type")));
    all.map(|c| format!("{}={}/{}", text(c, "/type"), text(c, "/status"), text(c, "/reason"))).collect()
}

/// What of a pod the two clusters have in common. `who` names it.
fn pod(pod: &Value, who: &str) -> Value {
    let phase = text(pod, "/status/phase");
    let terminated = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let ended = terminated.filter(|status| status["state"]["terminated"].is_object()).count();
    json!({
        "pod": who,
        "placed": pod["spec"]["nodeName"].is_string(),
        // whether a program that is told to stop ends well is its own affair
        "phase": if phase == "Failed" && pod["metadata"]["deletionTimestamp"].is_string() { "Succeeded" } else { phase },
        "ready": conditions(pod, &["Ready"]).first().is_some_and(|ready| ready.starts_with("Ready=True")),
        "ended": ended > 0,
        "labelled": pod["metadata"]["labels"]["pod-template-hash"].is_string(),
        "costs": pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"],
        "owner": pod["metadata"]["ownerReferences"][0]["kind"],
        "held": pod["metadata"]["finalizers"],
        "leaving": pod["metadata"]["deletionTimestamp"].is_string(),
        "grace": pod["metadata"]["deletionGracePeriodSeconds"],
        "generation": pod["metadata"]["generation"],
    })
}

/// The events of one kind as what they say; what says the same twice in a row is said once.
fn story(events: &[Event], kind: &str, say: &dyn Fn(&Value) -> Option<Value>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (_, change, object) in events.iter().filter(|(plural, _, _)| plural == kind) {
        let Some(said) = say(object) else { continue };
        let said = format!("{change} {said}");
        if all.last() != Some(&said) {
            all.push(said);
        }
    }
    all
}

#[track_caller]
fn same(what: &str, recorded: &[String], ours: &[String]) {
    assert!(!recorded.is_empty(), "{what}: nothing was recorded");
    assert_eq!(recorded, ours, "{what}:\nrecorded:\n{}\nhere:\n{}", recorded.join("\n"), ours.join("\n"));
}

/// The kinds served are those the recordings speak of.
const KINDS: [&Kind; 4] = [Kind::POD, Kind::REPLICA_SET, Kind::DEPLOYMENT, Kind::DISRUPTION_BUDGET];
