//! Eight Jobs: succeeded, created again, failed, too late, its pod deleted, placed nowhere, suspended, deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::demo::Cluster;

use super::{Event, conditions, happened, pod, recorded, revision, same, story, text, watched};
use crate::demo_api::{JSON, MERGE, call, client, still};
use crate::world::begin;

const JOBS: &str = "/apis/batch/v1/namespaces/acme-jobs/jobs";
const PODS: &str = "/api/v1/namespaces/acme-jobs/pods";

fn job(job: &Value) -> Option<Value> {
    let status = &job["status"];
    let uncounted = |field: &str| status["uncountedTerminatedPods"][field].as_array().map(Vec::len);
    let mut said = json!({
        "suspended": job["spec"]["suspend"],
        "conditions": conditions(job, &[]),
        "uncounted": [uncounted("succeeded"), uncounted("failed")],
        "generation": job["metadata"]["generation"],
    });
    for field in ["active", "ready", "terminating", "succeeded", "failed"] {
        said[field] = status[field].clone();
    }
    for field in ["startTime", "completionTime", "uncountedTerminatedPods"] {
        said[field] = status[field].is_null().into();
    }
    Some(said)
}

/// The events of the control plane; each but once.
fn events(all: &[Event]) -> Vec<String> {
    let wanted = [
        "SuccessfulCreate",
        "SuccessfulDelete",
        "Completed",
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "Suspended",
        "Resumed",
        "Scheduled",
        "FailedScheduling",
    ];
    let mut told = story(all, "events", &|event| {
        let reason = text(event, "/reason");
        let said = json!([reason, text(event, "/involvedObject/kind"), text(event, "/type")]);
        wanted.contains(&reason).then_some(said)
    });
    told.retain(|said| said.starts_with("ADDED"));
    told.sort();
    told
}

/// The recorded lines of each case, by the Job's name.
fn cases(lines: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut cases: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        let named = match &line["watch"] {
            Value::Null => text(line, "/what").rsplit('/').next().unwrap_or_default().to_owned(),
            _ if line["watch"] == "events" => text(line, "/object/involvedObject/name").to_owned(),
            _ => text(line, "/object/metadata/name").to_owned(),
        };
        let job = named.split('-').next().unwrap_or_default().to_owned();
        cases.entry(job).or_default().push(line.clone());
    }
    cases
}

async fn replay(cluster: &Cluster, client: &kube::Client, name: &str, lines: &[Value]) {
    let since = revision(cluster);
    let requests: Vec<&Value> = lines.iter().filter(|line| line["note"] == "request").collect();
    let create = requests.iter().find(|request| request["verb"] == "create").expect("a creation");
    let body = create["body"].to_string().replace("\"lab/", "\"demo.wheelhouse.dev/");
    let mut body: Value = serde_json::from_str(&body).expect("JSON");
    body["metadata"]["namespace"] = "acme-jobs".into();
    let (status, made) = call(client, "POST", JOBS, JSON, body.clone()).await;
    assert_eq!(status, 201, "{name}: {made}");
    let step = |seconds: u64| cluster.step(Duration::from_secs(seconds));
    match name {
        "cut" => {
            step(5);
            let pods = crate::demo_api::get(client, PODS).await.1;
            let all = pods["items"].as_array().expect("pods");
            let pod = all.iter().map(|pod| text(pod, "/metadata/name")).find(|pod| pod.starts_with("cut-"));
            let path = format!("{PODS}/{}", pod.expect("its pod"));
            assert_eq!(call(client, "DELETE", &path, JSON, json!({})).await.0, 200);
        }
        "held" => {
            step(2);
            let resumed = json!({"spec": {"suspend": false}});
            assert_eq!(call(client, "PATCH", &format!("{JOBS}/held"), MERGE, resumed).await.0, 200);
        }
        "gone" => {
            step(5);
            let background = json!({"propagationPolicy": "Background"});
            assert_eq!(call(client, "DELETE", &format!("{JOBS}/gone"), JSON, background).await.0, 200);
        }
        _ => {}
    }
    step(30);
    if name == "ok" {
        let (status, again) = call(client, "POST", JOBS, JSON, body).await;
        assert_eq!((status, text(&again, "/message")), (409, "jobs.batch \"ok\" already exists"));
    }
    let (real, ours) = (watched(lines), happened(cluster, "acme-jobs", since));
    same(&format!("{name}: jobs"), &story(&real, "jobs", &job), &story(&ours, "jobs", &job));
    let pods = |all: &[Event]| story(all, "pods", &|object| Some(pod(object, name)));
    same(&format!("{name}: pods"), &pods(&real), &pods(&ours));
    same(&format!("{name}: events"), &events(&real), &events(&ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_as_they_went_on_the_real_control_plane() {
    let lines = recorded(include_str!("../../captures/kubernetes/jobs.jsonl"));
    let cases = cases(&lines);
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    let namespace = json!({"metadata": {"name": "acme-jobs"}});
    assert_eq!(call(&client, "POST", "/api/v1/namespaces", JSON, namespace).await.0, 201);
    for name in ["ok", "bad", "late", "cut", "nowhere", "held", "gone"] {
        replay(&cluster, &client, name, &cases[name]).await;
        // What is left of one case happens in none after it.
        let background = json!({"propagationPolicy": "Background"});
        call(&client, "DELETE", &format!("{JOBS}/{name}"), JSON, background).await;
        cluster.step(Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_job_goes_with_its_pod_when_its_time_is_over_and_leaves_a_log_until_then() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    let namespace = json!({"metadata": {"name": "acme-jobs"}});
    assert_eq!(call(&client, "POST", "/api/v1/namespaces", JSON, namespace).await.0, 201);
    let body = |name: &str, code: &str| {
        json!({"metadata": {"name": name}, "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 60, "template": {
            "metadata": {"annotations": {"demo.wheelhouse.dev/exit-after": "3s", "demo.wheelhouse.dev/exit-code": code}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "php-fpm", "image": "app:2",
                "command": ["php", "bin/console", "doctrine:migrations:migrate", "--no-interaction"]}]}}}})
    };
    for (name, code) in [("good", "0"), ("bad", "1")] {
        assert_eq!(call(&client, "POST", JOBS, JSON, body(name, code)).await.0, 201);
    }
    cluster.step(Duration::from_secs(30));
    let (_, pods) = crate::demo_api::get(&client, PODS).await;
    for (prefix, line) in [("good-", "[OK] Successfully migrated to version"), ("bad-", "SQLSTATE[42S21]")] {
        let pods = pods["items"].as_array().expect("pods").iter();
        let name =
            pods.map(|pod| text(pod, "/metadata/name")).find(|name| name.starts_with(prefix)).expect("a pod");
        let (_, _, log) =
            crate::demo_api::send(&client, "GET", &format!("{PODS}/{name}/log"), &[], String::new()).await;
        assert!(log.contains(line), "{name}: {log}");
    }
    cluster.step(Duration::from_secs(120));
    let left = |path: &'static str| {
        let client = client.clone();
        async move { crate::demo_api::get(&client, path).await.1["items"].as_array().map(Vec::len) }
    };
    assert_eq!((left(JOBS).await, left(PODS).await), (Some(0), Some(0)));
}
