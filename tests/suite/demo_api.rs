//! The embedded cluster's API against recorded replies of a real kube-apiserver 1.36: the same requests in
//! the same order get the same status codes, reasons and shapes.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use wheelhouse::demo::{self, Cluster, Cut, On, Options};

use crate::world::{begin, standing};

const RECORDED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/kubernetes/kube-apiserver-1.36.jsonl"));

/// Differences that are knowingly left: the call, the path in the reply, the reason.
const LEFT: &[(&str, &str, &str)] = &[
    ("apis", "/groups", "only the groups that are served are listed"),
    ("core-v1", "/resources", "only the kinds that are served are listed"),
    ("*", "/items/status/containerStatuses/allocatedResources", RESIZES),
    ("*", "/items/status/containerStatuses/resources", RESIZES),
    ("*", "/object/status/containerStatuses/allocatedResources", RESIZES),
    ("*", "/object/status/containerStatuses/resources", RESIZES),
    ("*", "/status/containerStatuses/allocatedResources", RESIZES),
    ("*", "/status/containerStatuses/resources", RESIZES),
];

/// Why pods tell what is in force here, and did not in the recording.
const RESIZES: &str =
    "the kubelets of the recording were simulated and told nothing of resources; real ones since 1.33 do";

/// Maps keyed by names and not by fields: their keys are values.
const KEYED_BY_NAMES: &[&str] = &[
    "labels",
    "annotations",
    "matchLabels",
    "capacity",
    "allocatable",
    "limits",
    "requests",
    "usage",
    "fieldsV1",
];

/// Seconds of world time that the recording script let pass before a call.
fn pause_before(call: &str) -> u64 {
    match call {
        "get-deployment" | "watch-scale-up" | "after-image" | "evict-wrong-uid" | "get-statefulset" => 90,
        "get-job" => 5,
        _ => 0,
    }
}

pub fn still(nodes: usize, tenants: usize) -> Options {
    let epoch = Some("2026-11-21T08:41:00Z".parse().expect("a time"));
    Options { nodes, epoch, ..standing(tenants) }
}

async fn client_of(kubeconfig: &str) -> kube::Client {
    let config = kube::config::Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("a configuration");
    // a refused eviction is 429, which the client would try again for minutes
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client")
}

pub async fn client(cluster: &Cluster) -> kube::Client {
    client_of(&cluster.kubeconfig()).await
}

/// One request; the status, the content type and the body as text.
pub async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (u16, String, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.into_bytes())).expect("a request");
    let reply = client.send(request).await.expect("a reply");
    let status = reply.status().as_u16();
    let content_type = reply.headers().get("content-type").map(|v| v.to_str().expect("text").to_owned());
    let body = reply.into_body().collect().await.expect("a body").to_bytes();
    (status, content_type.unwrap_or_default(), String::from_utf8(body.to_vec()).expect("UTF-8"))
}

pub async fn get(client: &kube::Client, path: &str) -> (u16, Value) {
    let (status, _, body) = send(client, "GET", path, &[("accept", "application/json")], String::new()).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

pub async fn call(
    client: &kube::Client,
    method: &str,
    path: &str,
    content_type: &str,
    body: Value,
) -> (u16, Value) {
    let headers = [("accept", "application/json"), ("content-type", content_type)];
    let (status, _, body) = send(client, method, path, &headers, body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

pub const MERGE: &str = "application/merge-patch+json";
pub const JSON: &str = "application/json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_calls_get_the_recorded_statuses_reasons_and_shapes() {
    let cluster = begin(still(5, 2)).await;
    let client = client(&cluster).await;
    let mut names = Names::default();
    let (_, nodes) = get(&client, "/api/v1/nodes").await;
    let nodes: Vec<String> =
        nodes["items"].as_array().expect("nodes").iter().map(|n| string(&n["metadata"]["name"])).collect();
    for (i, node) in nodes.iter().enumerate() {
        names.learned.insert(format!("node-{i}"), node.clone());
    }
    // the fifth node was down while the replies were recorded
    let off = json!({"metadata": {"annotations": {"demo.wheelhouse.dev/power": "off"}}});
    call(&client, "PATCH", &format!("/api/v1/nodes/{}", nodes[4]), MERGE, off).await;
    cluster.step(Duration::from_secs(120));

    let mut differences = Vec::new();
    let mut left = vec![false; LEFT.len()];
    for line in RECORDED.lines() {
        let recorded: Value = serde_json::from_str(line).expect("a recorded call");
        let name = string(&recorded["name"]);
        let request = &recorded["request"];
        cluster.step(Duration::from_secs(pause_before(&name)));
        let path = names.path(&cluster, request["path"].as_str().expect("a path"));
        let body = match &request["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => names.translated(body).to_string(),
        };
        let mut headers = vec![("accept", request["accept"].as_str().expect("accept"))];
        if let Some(content_type) = request["content_type"].as_str() {
            headers.push(("content-type", content_type));
        } else if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        for (key, value) in request["headers"].as_object().into_iter().flatten() {
            headers.push((key, value.as_str().expect("a header")));
        }
        let method = request["method"].as_str().expect("a method");
        // the server ends a watch by itself: no need to wait as long as the script did
        let path = path
            .replace("timeoutSeconds=2", "timeoutSeconds=1")
            .replace("timeoutSeconds=3", "timeoutSeconds=1")
            .replace("timeoutSeconds=4", "timeoutSeconds=1");
        let (status, content_type, text) = send(&client, method, &path, &headers, body).await;
        let reply = if path.contains("watch=true") {
            text.lines().map(|l| serde_json::from_str::<Value>(l).expect("a line of JSON")).collect()
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        if recorded["group"] != "discovery" {
            names.learn(&recorded["reply"], &reply);
        }
        let mut found = Vec::new();
        if recorded["status"] != status {
            found.push((String::new(), format!("status {status}, recorded {}: {reply}", recorded["status"])));
        }
        if recorded["content_type"] != content_type.as_str() {
            found.push((
                String::new(),
                format!("content type {content_type}, recorded {}", recorded["content_type"]),
            ));
        }
        compare("", "", &recorded["reply"], &reply, &mut found);
        for (at, what) in found {
            let known =
                LEFT.iter().position(|(call, path, _)| (*call == name || *call == "*") && *path == at);
            match known {
                Some(i) => left[i] = true,
                None => differences.push(format!("{name}: {at}: {what}")),
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    for (i, (call, path, _)) in LEFT.iter().enumerate() {
        assert!(left[i], "{call} {path} no longer differs: take it off the list");
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the recorded names, uids and revisions are called in the embedded cluster.
#[derive(Default)]
struct Names {
    learned: BTreeMap<String, String>,
}

impl Names {
    /// Pairs the strings that identify things in two replies of the same shape.
    fn learn(&mut self, recorded: &Value, reply: &Value) {
        match (recorded, reply) {
            (Value::Object(recorded), Value::Object(reply)) => {
                for (key, value) in recorded {
                    let Some(own) = reply.get(key) else { continue };
                    if let (Value::String(value), Value::String(own)) = (value, own)
                        && ["name", "uid", "resourceVersion", "continue"].contains(&key.as_str())
                    {
                        self.learned.insert(value.clone(), own.clone());
                    }
                    self.learn(value, own);
                }
            }
            (Value::Array(recorded), Value::Array(reply)) => {
                recorded.iter().zip(reply).for_each(|(r, o)| self.learn(r, o));
            }
            _ => {}
        }
    }

    fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.learned.get(text).unwrap_or(text).as_str().into(),
            Value::Array(items) => items.iter().map(|i| self.translated(i)).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), self.translated(v))).collect(),
            other => other.clone(),
        }
    }

    /// A recorded path, with the names and revisions of this cluster.
    fn path(&mut self, cluster: &Cluster, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut parts: Vec<String> = path.split('/').map(Into::into).collect();
        for i in 1..parts.len() {
            if parts[i - 1] == "pods"
                && parts[i].starts_with("acme-")
                && !self.learned.contains_key(&parts[i])
            {
                let own = self.another_pod(cluster);
                self.learned.insert(parts[i].clone(), own);
            }
            if let Some(own) = self.learned.get(&parts[i]) {
                parts[i].clone_from(own);
            }
        }
        let query: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => {
                    format!("{name}={}", self.learned.get(value).map_or(value, String::as_str))
                }
                None => pair.to_owned(),
            })
            .collect();
        if query == [""] { parts.join("/") } else { format!("{}?{}", parts.join("/"), query.join("&")) }
    }

    /// A ready pod of the newest template that has no recorded name yet.
    fn another_pod(&self, cluster: &Cluster) -> String {
        cluster.with_world(|world| {
            let mut pods: Vec<_> = world
                .store
                .list(demo::kind::Kind::POD, Some("saas-capture"))
                .filter(|p| {
                    p["metadata"].get("deletionTimestamp").is_none()
                        && p["metadata"]["labels"]["app"] == "acme"
                })
                .filter(|p| p["status"]["containerStatuses"][0]["ready"] == true)
                .filter(|p| !self.learned.values().any(|n| p["metadata"]["name"] == n.as_str()))
                .collect();
            pods.sort_by_key(|p| string(&p["metadata"]["creationTimestamp"]));
            pods.last().map(|p| string(&p["metadata"]["name"])).expect("a pod that is not known yet")
        })
    }
}

/// Compares keys and JSON types; of values only those that say what something is.
fn compare(at: &str, key: &str, recorded: &Value, reply: &Value, found: &mut Vec<(String, String)>) {
    match (recorded, reply) {
        (Value::Object(recorded), Value::Object(reply)) => {
            if KEYED_BY_NAMES.contains(&key) {
                return;
            }
            for (key, value) in recorded {
                match reply.get(key) {
                    Some(own) => compare(&format!("{at}/{key}"), key, value, own, found),
                    None => found.push((format!("{at}/{key}"), format!("missing, recorded {value}"))),
                }
            }
            for (key, own) in reply.iter().filter(|(key, _)| !recorded.contains_key(*key)) {
                found.push((format!("{at}/{key}"), format!("not in the recorded reply: {own}")));
            }
        }
        (Value::Array(recorded), Value::Array(reply)) => {
            if recorded.is_empty() != reply.is_empty() {
                found.push((at.into(), format!("{} items, recorded {}", reply.len(), recorded.len())));
            }
            if key == "cells" {
                if recorded.len() != reply.len() {
                    found.push((at.into(), format!("{} cells, recorded {}", reply.len(), recorded.len())));
                }
                for (i, (value, own)) in recorded.iter().zip(reply).enumerate() {
                    compare(&format!("{at}/{i}"), "", value, own, found);
                }
                return;
            }
            if key == "resources" || key == "groups" {
                for value in recorded {
                    match reply.iter().find(|own| own["name"] == value["name"]) {
                        Some(own) => {
                            compare(&format!("{at}/{}", string(&value["name"])), "", value, own, found)
                        }
                        None => found.push((at.into(), format!("{} is missing", value["name"]))),
                    }
                }
                return;
            }
            // every item is like one of the other side's; which and how many there are is not compared
            for own in reply {
                found.extend(nearest(at, recorded.iter(), |value, found| compare(at, "", value, own, found)));
            }
            for value in recorded {
                found.extend(nearest(at, reply.iter(), |own, found| compare(at, "", value, own, found)));
            }
        }
        (Value::String(value), Value::String(own)) => {
            if ["apiVersion", "kind", "reason", "status"].contains(&key) && value != own {
                found.push((at.into(), format!("{own:?}, recorded {value:?}")));
            }
        }
        (Value::Number(value), Value::Number(own)) => {
            if key == "code" && value != own {
                found.push((at.into(), format!("{own}, recorded {value}")));
            }
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Null, Value::Null) => {}
        _ => found.push((at.into(), format!("{reply}, recorded {recorded}"))),
    }
}

/// The differences to the candidate that differs least.
fn nearest<'a>(
    at: &str,
    candidates: impl Iterator<Item = &'a Value>,
    compare: impl Fn(&Value, &mut Vec<(String, String)>),
) -> Vec<(String, String)> {
    let _ = at;
    candidates
        .map(|candidate| {
            let mut found = Vec::new();
            compare(candidate, &mut found);
            found
        })
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

/// A namespace and a configuration map in it.
pub async fn noted(client: &kube::Client) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "notes"}});
    assert_eq!(call(client, "POST", "/api/v1/namespaces", JSON, namespace).await.0, 201);
    let note = json!({"metadata": {"name": "note"}, "data": {"a": "1"}});
    assert_eq!(call(client, "POST", NOTES, JSON, note).await.0, 201);
}

const NOTES: &str = "/api/v1/namespaces/notes/configmaps";
const NOTE: &str = "/api/v1/namespaces/notes/configmaps/note";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_answers_as_the_write_would_and_changes_nothing() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let before = cluster.with_world(|w| w.store.revision());
    let made = json!({"metadata": {"generateName": "x-"}, "data": {}});
    let (status, planned) = call(&client, "POST", &format!("{NOTES}?dryRun=All"), JSON, made.clone()).await;
    assert_eq!((status, planned["metadata"].get("resourceVersion")), (201, None));
    let (status, patched) =
        call(&client, "PATCH", &format!("{NOTE}?dryRun=All"), MERGE, json!({"data": {"a": "2"}})).await;
    assert_eq!((status, &patched["data"]["a"]), (200, &json!("2")));
    assert_eq!(call(&client, "DELETE", &format!("{NOTE}?dryRun=All"), JSON, Value::Null).await.0, 400);
    assert_eq!(send(&client, "DELETE", &format!("{NOTE}?dryRun=All"), &[], String::new()).await.0, 200);
    let (status, refused) = call(&client, "PATCH", &format!("{NOTE}?dryRun=Some"), MERGE, json!({})).await;
    assert_eq!((status, refused["reason"].as_str()), (422, Some("Invalid")));
    assert_eq!(cluster.with_world(|w| w.store.revision()), before);
    assert_eq!(get(&client, NOTE).await.1["data"]["a"], "1");
    // a rehearsal does not use up names
    let (_, stored) = call(&client, "POST", NOTES, JSON, made).await;
    assert_eq!(stored["metadata"]["name"], planned["metadata"]["name"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preconditions_hold_a_write_back() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let (_, note) = get(&client, NOTE).await;
    let mut stale = note.clone();
    stale["data"]["a"] = "2".into();
    assert_eq!(call(&client, "PUT", NOTE, JSON, stale.clone()).await.0, 200);
    let (status, conflict) = call(&client, "PUT", NOTE, JSON, stale).await;
    assert_eq!((status, conflict["reason"].as_str()), (409, Some("Conflict")));
    let other = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    assert_eq!(call(&client, "DELETE", NOTE, JSON, other).await.0, 409);
    let old = json!({"preconditions": {"resourceVersion": note["metadata"]["resourceVersion"]}});
    assert_eq!(call(&client, "DELETE", NOTE, JSON, old).await.0, 409);
    assert_eq!(get(&client, NOTE).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_the_past_they_began_with_until_it_is_forgotten() {
    let cluster = begin(still(3, 4)).await;
    let client = client(&cluster).await;
    let (_, first) = get(&client, "/api/v1/pods?limit=3").await;
    let token = string(&first["metadata"]["continue"]);
    let total = first["items"].as_array().expect("pods").len() as u64
        + first["metadata"]["remainingItemCount"].as_u64().expect("a count");
    let gone = string(&get(&client, "/api/v1/pods").await.1["items"][total as usize - 1]["metadata"]["name"]);
    cluster.with_world(|world| {
        let pod = world.store.list(demo::Kind::POD, None).last().expect("a pod").clone();
        let namespace = pod["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
        world.store.remove(demo::Kind::POD, &namespace, &gone).expect("the last pod");
    });
    let (_, rest) = get(&client, &format!("/api/v1/pods?limit=1000&continue={token}")).await;
    let rest_items = rest["items"].as_array().expect("pods");
    assert_eq!(rest_items.len() as u64, total - 3);
    assert!(rest_items.iter().any(|p| p["metadata"]["name"] == gone.as_str()));
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    cluster.with_world(|world| world.store.forget_before(u64::MAX));
    let (status, expired) = get(&client, &format!("/api/v1/pods?limit=1000&continue={token}")).await;
    assert_eq!((status, expired["reason"].as_str()), (410, Some("Expired")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_with_a_selector_sees_objects_come_and_go() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let revision = cluster.with_world(|w| w.store.revision());
    for labels in [json!({"watched": "yes"}), json!({"watched": "yes", "b": "c"}), json!({"watched": "no"})] {
        call(&client, "PATCH", NOTE, MERGE, json!({"metadata": {"labels": labels}})).await;
    }
    let path =
        format!("{NOTES}?watch=1&timeoutSeconds=1&labelSelector=watched%3Dyes&resourceVersion={revision}");
    let (_, _, text) = send(&client, "GET", &path, &[], String::new()).await;
    let seen: Vec<String> =
        text.lines().map(|l| string(&serde_json::from_str::<Value>(l).expect("JSON")["type"])).collect();
    assert_eq!(seen, ["ADDED", "MODIFIED", "DELETED"]);
    let path = format!(
        "{NOTES}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    );
    let (_, _, text) = send(&client, "GET", &path, &[], String::new()).await;
    let last: Value = serde_json::from_str(text.lines().last().expect("a bookmark")).expect("JSON");
    assert_eq!(last["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true", "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_what_is_missing() {
    let cluster = begin(still(3, 1)).await;
    let token =
        cluster.users().add("viewer", &[demo::AccessRule::new(&["get", "list", "watch"], &["pods"], None)]);
    let viewer = client_of(&cluster.kubeconfig_for(&token)).await;
    assert_eq!(get(&viewer, "/api/v1/pods").await.0, 200);
    let (status, refused) = get(&viewer, "/api/v1/nodes").await;
    assert_eq!(status, 403);
    let wanted = "nodes is forbidden: User \"viewer\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
    assert_eq!(refused["message"], wanted);
    let operator = client(&cluster).await;
    cluster.faults().deny(None, "list", "pods");
    assert_eq!(get(&operator, "/api/v1/pods").await.0, 403);
    cluster.faults().clear();
    assert_eq!(get(&operator, "/api/v1/pods").await.0, 200);
    let stranger = client_of(&cluster.kubeconfig_for("no such token")).await;
    let (status, refused) = get(&stranger, "/api/v1/pods").await;
    assert_eq!((status, refused["reason"].as_str()), (401, Some("Unauthorized")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_written_in_protobuf_for_who_would_rather_have_it() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    let content_type = async |path: &str, accept: &str| {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).expect("a request");
        let reply = client.send(request).await.expect("a reply");
        let content_type = reply.headers()["content-type"].to_str().expect("text").to_owned();
        let body = reply.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body.starts_with(b"k8s\0"), content_type == PROTOBUF, "{path} {content_type}");
        content_type
    };
    const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
    let either = format!("{PROTOBUF}, {JSON}");
    for path in ["/api/v1/pods", "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets?limit=2"] {
        assert_eq!(content_type(path, &either).await, PROTOBUF, "{path}");
        assert_eq!(content_type(path, &format!("{JSON}, {PROTOBUF}")).await, JSON, "{path}");
    }
    assert_eq!(content_type("/api/v1/pods?limit=x", &either).await, JSON, "a refusal");
    // What has no place in protobuf is told in the other form.
    let pods = get(&client, "/api/v1/pods").await.1;
    cluster.faults().malform("pods", pods["items"][0]["metadata"]["name"].as_str().expect("a name"));
    assert_eq!(content_type("/api/v1/pods", &either).await, JSON);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_strike_where_they_are_set() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    cluster.faults().status(On::new("GET", "*/configmaps/*"), 503, Some(1), 1);
    assert_eq!(get(&client, NOTE).await.0, 503);
    assert_eq!(get(&client, NOTE).await.0, 200);

    let patch = |value: &str| {
        let body = json!({"data": {"a": value}}).to_string();
        Request::patch(NOTE)
            .header("content-type", MERGE)
            .body(Body::from(body.into_bytes()))
            .expect("a request")
    };
    cluster.faults().cut(On::new("WRITE", "*"), 1, Cut::Before);
    assert!(client.send(patch("before")).await.is_err());
    assert_eq!(get(&client, NOTE).await.1["data"]["a"], "1");
    cluster.faults().cut(On::new("WRITE", "*"), 1, Cut::After);
    assert!(client.send(patch("after")).await.is_err());
    assert_eq!(get(&client, NOTE).await.1["data"]["a"], "after");

    cluster.faults().hang_after(On::new("PATCH", "*"));
    let struck = cluster.faults().hits() + 1;
    let hanging = tokio::spawn({
        let (client, request) = (client.clone(), patch("hung"));
        async move { client.send(request).await.is_ok() }
    });
    cluster.faults().struck(struck).await;
    while get(&client, NOTE).await.1["data"]["a"] != "hung" {
        tokio::task::yield_now().await;
    }
    assert!(!hanging.is_finished());
    hanging.abort();
    cluster.faults().malform("configmaps", "note");
    assert!(get(&client, NOTE).await.1["metadata"]["labels"].is_string());
    cluster.faults().clear();
    cluster.restart().await;
    // the first client may not have noticed yet that its connection is gone
    let again = client_of(&cluster.kubeconfig()).await;
    assert_eq!(get(&again, NOTE).await.1["data"]["a"], "hung");
    let lines = cluster.requests();
    assert!(lines.iter().any(|l| l.status == 0 && l.method == "PATCH" && l.user == "operator"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_hurts_nobody() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let bodies = [
        "",
        "null",
        "[]",
        "7",
        "{}",
        "{\"metadata\":7}",
        "{\"spec\":[]}",
        "{\"metadata\":{\"labels\":{\"a\":1}}}",
        "\u{0}k8s",
    ];
    let targets = [
        ("POST", NOTES),
        ("PUT", NOTE),
        ("PATCH", NOTE),
        ("DELETE", NOTE),
        ("POST", "/api/v1/namespaces"),
        ("POST", "/api/v1/nodes"),
        ("POST", "/api/v1/namespaces/notes/pods"),
        ("POST", "/api/v1/namespaces/notes/events"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/notes/events"),
        ("POST", "/apis/apps/v1/namespaces/notes/deployments"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("PATCH", "/api/v1/namespaces/notes"),
        ("GET", "/api/v1/pods?limit=-1&watch=maybe"),
        ("GET", "/api/v1/%ff/%00"),
        ("PUT", "/version"),
        ("OPTIONS", "/api/v1/pods"),
    ];
    let types = [
        JSON,
        MERGE,
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
    ];
    for (method, path) in targets {
        for body in bodies {
            for content_type in types {
                let headers = [("content-type", content_type)];
                let (status, _, reply) = send(&client, method, path, &headers, body.into()).await;
                assert!(
                    (200..500).contains(&status),
                    "{method} {path} {content_type} {body}: {status} {reply}"
                );
            }
        }
    }
    cluster.step(Duration::from_secs(60));
    assert_eq!(get(&client, "/api/v1/nodes").await.0, 200);
}
