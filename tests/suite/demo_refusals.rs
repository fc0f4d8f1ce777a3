//! What the embedded API refuses, warns of and lets pass, call by call as a real kube-apiserver 1.36 was seen to.

use serde_json::{Value, json};

use crate::demo_api::{JSON, MERGE, call, client, get, noted, send, still};
use crate::world::begin;

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const PATCH: &str = "application/json-patch+json";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/notes/deployments";

fn deployment(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}})
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}})
}

fn told(reply: &(u16, Value)) -> (u16, &str, &str) {
    let word = |field: &str| reply.1[field].as_str().unwrap_or_default();
    (reply.0, word("reason"), word("message"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_of_zero_can_be_replaced_by_a_json_patch() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    assert_eq!(call(&client, "POST", DEPLOYMENTS, JSON, deployment("d")).await.0, 201);
    let scale = format!("{DEPLOYMENTS}/d/scale");
    assert_eq!(get(&client, &scale).await.1["spec"], json!({}));
    let replace = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
    let (status, scaled) = call(&client, "PATCH", &scale, PATCH, replace).await;
    assert_eq!((status, &scaled["spec"]["replicas"]), (200, &json!(2)));
    let absent = json!([{"op": "remove", "path": "/spec/paused"}]);
    assert_eq!(call(&client, "PATCH", &format!("{DEPLOYMENTS}/d"), PATCH, absent).await.0, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_are_refused_warned_of_or_dropped_as_the_client_asks() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let mut odd = deployment("d");
    odd["spec"]["replica"] = 3.into();
    odd["spec"]["template"]["spec"]["containers"][0]["imagePullPolicie"] = "Always".into();
    let strict = format!("{DEPLOYMENTS}?fieldValidation=Strict");
    let refused = call(&client, "POST", &strict, JSON, odd.clone()).await;
    let why = "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: \
               unknown field \"spec.replica\", unknown field \"spec.template.spec.containers[0].imagePullPolicie\"";
    assert_eq!(told(&refused), (400, "BadRequest", why));
    let (status, made) = call(&client, "POST", DEPLOYMENTS, JSON, odd).await;
    assert_eq!((status, made["spec"].get("replica")), (201, None), "dropped, as typed decoding drops it");
    let patch = json!({"spec": {"replica": 4}});
    let one = format!("{DEPLOYMENTS}/d?fieldValidation=Strict");
    let refused = call(&client, "PATCH", &one, MERGE, patch.clone()).await;
    assert_eq!(refused.0, 422, "{}", refused.1);
    assert!(
        told(&refused).2.ends_with("strict decoding error: unknown field \"spec.replica\""),
        "{}",
        refused.1
    );
    assert_eq!(call(&client, "PATCH", &format!("{DEPLOYMENTS}/d"), MERGE, patch).await.0, 200);
    let twice = "{\"metadata\": {\"name\": \"e\"}, \"data\": {\"a\": \"1\", \"a\": \"2\"}}".to_owned();
    let maps = "/api/v1/namespaces/notes/configmaps?fieldValidation=Strict";
    let (status, _, body) = send(&client, "POST", maps, &[("content-type", JSON)], twice).await;
    assert!(status == 400 && body.contains("duplicate field \\\"data.a\\\""), "{status} {body}");
    let applied =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note"}, "datum": {"a": "1"}});
    let path = "/api/v1/namespaces/notes/configmaps/note?fieldManager=one";
    let refused = call(&client, "PATCH", path, "application/apply-patch+yaml", applied).await;
    let why = "failed to create typed patch object (notes/note; v1, Kind=ConfigMap): .datum: field not declared in schema";
    assert_eq!(told(&refused), (500, "", why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_names_what_was_dropped() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let body = json!({"metadata": {"name": "n"}, "datum": {}}).to_string();
    let request = http::Request::post("/api/v1/namespaces/notes/configmaps")
        .header("content-type", JSON)
        .body(kube::client::Body::from(body.into_bytes()))
        .expect("a request");
    let reply = client.send(request).await.expect("a reply");
    let warning = reply.headers().get("warning").and_then(|value| value.to_str().ok());
    assert_eq!((reply.status().as_u16(), warning), (201, Some("299 - \"unknown field \\\"datum\\\"\"")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decoded_is_bad_in_a_body_and_invalid_in_a_patch() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    let mut vast = pod("p");
    vast["spec"]["containers"][0]["resources"] = json!({"requests": {"memory": "lots"}});
    let refused = call(&client, "POST", "/api/v1/namespaces/notes/pods", JSON, vast).await;
    let form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let why = format!("Pod in version \"v1\" cannot be handled as a Pod: {form}");
    assert_eq!(told(&refused), (400, "BadRequest", why.as_str()));
    let mut text = deployment("d");
    text["spec"]["replicas"] = "2".into();
    assert_eq!(call(&client, "POST", DEPLOYMENTS, JSON, text).await.0, 400);
    assert_eq!(call(&client, "POST", DEPLOYMENTS, JSON, deployment("d")).await.0, 201);
    let type_error = "json: cannot unmarshal string into Go struct field";
    for (path, content_type) in [("d", MERGE), ("d", STRATEGIC), ("d/scale", MERGE)] {
        let path = format!("{DEPLOYMENTS}/{path}");
        let refused = call(&client, "PATCH", &path, content_type, json!({"spec": {"replicas": "2"}})).await;
        let (status, reason, message) = told(&refused);
        assert_eq!((status, reason), (422, "Invalid"), "{path} {content_type}");
        assert!(
            message.starts_with(" \"\" is invalid: patch: Invalid value: ") && message.contains(type_error),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taint_without_a_real_effect_is_refused() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    let (_, nodes) = get(&client, "/api/v1/nodes").await;
    let name = nodes["items"][0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let path = format!("/api/v1/nodes/{name}");
    let taint = |effect: &str| json!({"spec": {"taints": [{"key": "a", "effect": effect}]}});
    let refused = call(&client, "PATCH", &path, MERGE, taint("Never")).await;
    let why = format!(
        "Node \"{name}\" is invalid: metadata.taints[0].effect: Unsupported value: \"Never\": supported values: \
         \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""
    );
    assert_eq!(told(&refused), (422, "Invalid", why.as_str()));
    assert_eq!(call(&client, "PATCH", &path, MERGE, taint("PreferNoSchedule")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_options_that_mean_nothing_are_told_as_a_status() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    for path in
        ["/apis/apps/v1/things", "/api/v1/namespaces/default/things/x", "/apis/metrics.k8s.io/v1beta1/things"]
    {
        let refused = get(&client, path).await;
        assert_eq!(
            told(&refused),
            (404, "NotFound", "the server could not find the requested resource"),
            "{path}"
        );
    }
    let lonely = get(&client, "/api/v1/pods?resourceVersionMatch=NotOlderThan").await;
    let why = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
               resourceVersionMatch is forbidden unless resourceVersion is provided";
    assert_eq!(told(&lonely), (422, "Invalid", why));
    for (options, at) in [
        ("resourceVersion=1&resourceVersionMatch=Sometimes", "Unsupported value: \"Sometimes\""),
        ("resourceVersion=0&resourceVersionMatch=Exact", "is forbidden for resourceVersion \"0\""),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
    ] {
        let refused = get(&client, &format!("/api/v1/pods?{options}")).await;
        assert!(refused.0 == 422 && told(&refused).2.contains(at), "{options}: {}", refused.1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_goes_at_once_says_when_it_was_deleted() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    const PODS: &str = "/api/v1/namespaces/notes/pods";
    let since =
        get(&client, PODS).await.1["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    assert_eq!(call(&client, "POST", PODS, JSON, pod("p")).await.0, 201);
    cluster.step(std::time::Duration::from_secs(30));
    let (status, gone) =
        call(&client, "DELETE", &format!("{PODS}/p"), JSON, json!({"gracePeriodSeconds": 0})).await;
    let metadata = &gone["metadata"];
    assert_eq!((status, &metadata["deletionGracePeriodSeconds"]), (200, &json!(0)), "{gone}");
    assert!(metadata["deletionTimestamp"].is_string(), "{gone}");
    assert_eq!(get(&client, &format!("{PODS}/p")).await.0, 404);
    let watch = format!("{PODS}?watch=true&resourceVersion={since}&timeoutSeconds=1");
    let (_, _, events) = send(&client, "GET", &watch, &[("accept", JSON)], String::new()).await;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let end: Vec<_> = events
        .iter()
        .rev()
        .take(2)
        .map(|e| (e["type"].as_str(), &e["object"]["metadata"]["generation"]))
        .collect();
    assert_eq!(end, [(Some("DELETED"), &json!(2)), (Some("MODIFIED"), &json!(2))], "marked, then gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_needs_a_connection_that_can_be_upgraded() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    assert_eq!(call(&client, "POST", "/api/v1/namespaces/notes/pods", JSON, pod("p")).await.0, 201);
    cluster.step(std::time::Duration::from_secs(30));
    let exec = |rest: &str| format!("/api/v1/namespaces/notes/pods/{rest}");
    for (path, status, why) in [
        ("p/exec?command=date", 400, "Upgrade request required"),
        ("p/exec", 400, "you must specify at least 1 command for the container"),
        ("p/exec?command=date&container=d", 400, "container d is not valid for pod p"),
        ("q/exec?command=date", 404, "pods \"q\" not found"),
    ] {
        let refused = get(&client, &exec(path)).await;
        assert_eq!((refused.0, told(&refused).2), (status, why), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_budgets_on_one_pod_are_not_supported() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    assert_eq!(call(&client, "POST", "/api/v1/namespaces/notes/pods", JSON, pod("p")).await.0, 201);
    for name in ["one", "two"] {
        let budget = json!({"metadata": {"name": name}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "p"}}}});
        let budgets = "/apis/policy/v1/namespaces/notes/poddisruptionbudgets";
        assert_eq!(call(&client, "POST", budgets, JSON, budget).await.0, 201);
    }
    cluster.step(std::time::Duration::from_secs(30));
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let refused = call(&client, "POST", "/api/v1/namespaces/notes/pods/p/eviction", JSON, eviction).await;
    let why =
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!(told(&refused), (500, "", why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_not_ready_goes_where_the_budget_says_always() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    noted(&client).await;
    const PODS: &str = "/api/v1/namespaces/notes/pods";
    const BUDGET: &str = "/apis/policy/v1/namespaces/notes/poddisruptionbudgets";
    let budget = json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}}});
    assert_eq!(call(&client, "POST", BUDGET, JSON, budget).await.0, 201);
    let mut sick = pod("p");
    // its probe never has an answer before the first step
    sick["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"port": 80}, "initialDelaySeconds": 500});
    assert_eq!(call(&client, "POST", PODS, JSON, sick).await.0, 201);
    cluster.step(std::time::Duration::from_secs(30));
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let path = format!("{PODS}/p/eviction");
    let refused = call(&client, "POST", &path, JSON, eviction.clone()).await;
    assert_eq!(refused.0, 429, "{}", refused.1);
    let why = &refused.1["details"]["causes"][0]["message"];
    assert_eq!(*why, "The disruption budget b needs 1 healthy pods and has 0 currently");
    let always = json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}});
    assert_eq!(call(&client, "PATCH", &format!("{BUDGET}/b"), MERGE, always).await.0, 200);
    assert_eq!(call(&client, "POST", &path, JSON, eviction).await.0, 201);
}
