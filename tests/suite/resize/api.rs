//! The `resize` subresource as a real kube-apiserver 1.36 answers it: the same requests in the same order get the same
//! status, sentence and resources.

use serde_json::{Value, json};

use crate::{
    demo_api::{call, client, still},
    world::begin,
};

const RECORDED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/kubernetes/resize.jsonl"));

/// Of a pod what the recording kept.
fn kept(reply: &Value) -> Value {
    if reply["kind"] == "Pod" {
        let containers = reply["spec"]["containers"].as_array().into_iter().flatten();
        let own = |c: &Value| json!({"name": c["name"], "image": c["image"], "resources": c["resources"]});
        let containers: Vec<Value> = containers.map(own).collect();
        return json!({"kind": "Pod", "generation": reply["metadata"]["generation"], "containers": containers,
            "labels": reply["metadata"]["labels"]});
    }
    if reply["kind"] == "Status" {
        return json!({"status": reply["status"], "message": reply["message"], "reason": reply["reason"],
            "details": reply["details"]});
    }
    json!({"kind": reply["kind"]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_resizes_get_the_recorded_answers() {
    let cluster = begin(still(3, 1)).await;
    let client = client(&cluster).await;
    let mut asked = 0;
    for line in RECORDED.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let request = &line["request"];
        let text = |field: &str| request[field].as_str().unwrap_or_default();
        let body = request["body"].clone();
        let (status, reply) = call(&client, text("method"), text("path"), text("content_type"), body).await;
        let name = line["name"].as_str().unwrap_or_default();
        assert_eq!(line["status"], status, "{name}: {reply}");
        let (mut real, mut ours) = (line["reply"].clone(), kept(&reply));
        if name == "unknown-container" {
            // Where a new container is put among the others is not looked at.
            for reply in [&mut real, &mut ours] {
                *reply = reply["details"]["causes"][1].clone();
            }
        }
        assert_eq!(ours, real, "{name}");
        asked += 1;
    }
    assert_eq!(asked, 39);
}
