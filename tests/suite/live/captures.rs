//! Replies of a real kube-apiserver 1.36, by name.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;

static REPLIES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let text = include_str!("../../captures/kubernetes/kube-apiserver-1.36.jsonl");
    let call = |line: &str| {
        let call: Value = serde_json::from_str(line).expect("a call a line");
        (call["name"].as_str().expect("a name").to_owned(), call["reply"].clone())
    };
    text.lines().map(call).collect()
});

/// The reply to the call of that name.
pub fn reply(name: &str) -> &'static Value {
    REPLIES.get(name).unwrap_or_else(|| panic!("{name} was not recorded"))
}

/// The first object of a recorded list.
pub fn first(name: &str) -> &'static Value {
    &reply(name)["items"][0]
}

/// The text of a line of a watch.
pub fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", serde_json::json!({"type": kind, "object": object}))
}

/// The bookmark that ends a streamed list.
pub fn initial_end(version: &str) -> String {
    let metadata = serde_json::json!({
        "resourceVersion": version, "annotations": {"k8s.io/initial-events-end": "true"}
    });
    event("BOOKMARK", &serde_json::json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata}))
}
