//! An object described on the screen, in words and as YAML.

use std::sync::Arc;

use serde_json::json;
use wheelhouse::{
    app::{Effect, Msg},
    cluster::{Described, KubeEvent, ObjectKey},
};

use super::cockpit::{Cockpit, NIGHT, now};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

pub fn pod(key: &ObjectKey) -> Described {
    let (namespace, name) = (key.namespace().expect("a pod has one"), key.name());
    let value = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "creationTimestamp": "2026-11-20T20:00:00Z",
            "labels": {"app": "web", "tier": "gold"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d9", "controller": true}]
        },
        "spec": {
            "nodeName": "worker-1", "serviceAccountName": "default",
            "containers": [{
                "name": "php-fpm", "image": "registry.example/app:2.4.2",
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "640Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ping", "port": 9000}, "periodSeconds": 5},
                "env": [
                    {"name": "DB_HOST", "value": "proxysql"},
                    {"name": "DB_PASSWORD", "value": "hunter2"},
                    {"name": "APP_KEY", "valueFrom": {"secretKeyRef": {"name": "app", "key": "key"}}}
                ],
                "volumeMounts": [{"name": "conf", "mountPath": "/etc/php", "readOnly": true}]
            }],
            "volumes": [{"name": "conf", "configMap": {"name": "php-conf"}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
        },
        "status": {
            "phase": "Running", "podIP": "10.1.0.7", "qosClass": "Burstable",
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [php-fpm]", "lastTransitionTime": "2026-11-21T03:07:00Z"},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-20T20:00:00Z"}
            ],
            "containerStatuses": [{
                "name": "php-fpm", "ready": false, "restartCount": 41,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-21T03:10:00Z"}}
            }]
        }
    });
    let event = KubeEvent {
        at: now() - jiff::SignedDuration::from_secs(70),
        warning: true,
        reason: "BackOff".into(),
        object: ("Pod".into(), wheelhouse::cluster::Key::new(namespace, name)),
        message: "Back-off restarting failed container php-fpm in \u{1b}[31mpod".into(),
        count: 41,
    };
    Described { value, events: Ok(vec![event].into()) }
}

#[test]
fn a_pod_is_described_in_words_and_as_yaml() {
    for (name, size) in [("object_80x24", (80, 24)), ("object_200x50", (200, 50))] {
        let mut c = Cockpit::of(NIGHT, size);
        let effects = c.keys("enter d");
        let Some(Effect::WatchObject(key)) = effects.last() else { panic!("{effects:?}") };
        let key = key.clone();
        assert!(c.text().contains("asking for Pod "), "{}", c.text());
        c.send(Msg::Object(key.clone(), Ok(Arc::new(pod(&key)))));
        look!(name, c);
        let text = c.text();
        assert!(!text.contains("hunter2"), "{text}");
        c.keys("G");
        assert!(c.text().contains("Back-off restarting failed container php-fpm"), "{}", c.text());
        c.keys("/");
        c.typed("exit.code !started");
        c.keys("enter");
        assert!(c.text().contains("ended with exit code 137 2m ago: OOMKilled"), "{}", c.text());
        c.keys("/ esc y");
        let text = c.text();
        assert!(text.contains("apiVersion: v1") && text.contains("YAML"), "{text}");
        let effects = c.keys("c");
        let [Effect::Copy(copied)] = effects.as_slice() else { panic!("{effects:?}") };
        assert!(copied.contains("memory: 128Mi") && !copied.contains("hunter2"), "{copied}");
        let effects = c.keys("q");
        assert!(effects.contains(&Effect::StopObject), "{effects:?}");
    }
}

#[test]
fn the_workload_and_the_node_are_described_too() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let effects = c.keys("y");
    assert!(matches!(effects.as_slice(), [Effect::WatchObject(ObjectKey::Workload(_))]), "{effects:?}");
    let effects = c.keys("q 2 d");
    let Some(Effect::WatchObject(key @ ObjectKey::Node(_))) = effects.last() else { panic!("{effects:?}") };
    c.send(Msg::Object(key.clone(), Err("not found: nodes \"worker-1\" not found".into())));
    assert!(c.text().contains("not found: nodes"), "{}", c.text());
}
