//! A pod is moved by adoption: another one is created on the target without an owner, and then given the label by which
//! its ReplicaSet takes it over and gives up the victim.

use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::demo::{Cluster, Kind, Options};

use super::{Event, KINDS, happened, pod, recorded, revision, same, story, text, watched};
use crate::demo_api::{JSON, MERGE, call, client};
use crate::world::{begin, standing};

const SPACE: &str = "exp-capture";

/// Who is who: the new pod, the victim, and the other.
struct Cast {
    new: String,
    victim: String,
}

impl Cast {
    fn who(&self, pod: &Value) -> &'static str {
        match text(pod, "/metadata/name") {
            name if name == self.new => "new",
            name if name == self.victim => "victim",
            _ => "other",
        }
    }

    fn pods(&self, events: &[Event]) -> Vec<String> {
        story(events, "pods", &|object| Some(pod(object, self.who(object))))
    }

    /// Events of the control plane and of kubelets that stop something.
    fn events(&self, events: &[Event]) -> Vec<String> {
        story(events, "events", &|event| {
            let reason = text(event, "/reason");
            let wanted = ["Scheduled", "Killing", "SuccessfulDelete", "SuccessfulCreate"].contains(&reason);
            let about = text(event, "/involvedObject/name");
            let about = if about == self.new {
                "new"
            } else if about == self.victim {
                "victim"
            } else {
                "set"
            };
            wanted.then(|| json!({"reason": reason, "about": about}))
        })
    }

    /// The kinds in the order of the writes, from the label on until the Deployment has counted.
    fn order(&self, events: &[Event]) -> Vec<String> {
        let chain = ["pods", "replicasets", "deployments"];
        let mut written: Vec<&Event> =
            events.iter().filter(|(kind, _, _)| chain.contains(&kind.as_str())).collect();
        written.sort_by_key(|(_, _, object)| {
            text(object, "/metadata/resourceVersion").parse::<u64>().expect("a number")
        });
        let labelled = |(_, _, object): &&Event| {
            self.who(object) == "new" && object["metadata"]["labels"]["pod-template-hash"].is_string()
        };
        let from = written.iter().position(labelled).expect("the label");
        let rest = written.into_iter().skip(from).map(|(kind, _, _)| kind.clone());
        let mut order = Vec::new();
        for kind in rest {
            let last = kind == "deployments";
            order.push(kind);
            if last {
                break;
            }
        }
        order
    }
}

fn counts(object: &Value) -> Option<Value> {
    let status = &object["status"];
    let fields =
        ["replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas", "terminatingReplicas"];
    Some(fields.iter().map(|field| status[*field].clone()).collect())
}

fn budget(object: &Value) -> Option<Value> {
    let status = &object["status"];
    let fields = ["expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"];
    let reason = super::conditions(object, &[]);
    Some(json!([fields.map(|field| status[field].clone()), reason]))
}

fn names(cluster: &Cluster, kind: &'static Kind) -> Vec<(String, String)> {
    cluster.with_world(|world| {
        let space = (kind == Kind::POD).then_some(SPACE);
        let all = world.store.list(kind, space);
        all.map(|o| (text(o, "/metadata/name").to_owned(), text(o, "/spec/nodeName").to_owned())).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_is_adopted_as_it_was_on_the_real_control_plane() {
    let lines = recorded(include_str!("../../captures/kubernetes/adoption.jsonl"));
    let of =
        |plural: &str| watched(&lines).into_iter().find(|(kind, _, _)| kind == plural).expect("an object").2;
    let requests: Vec<&Value> = lines.iter().filter(|line| line["note"] == "request").collect();
    let settled = lines.iter().position(|line| line["note"].is_string()).expect("a note");

    let cluster = begin(Options { nodes: 5, ..standing(1) }).await;
    let client = client(&cluster).await;
    let namespace = json!({"metadata": {"name": SPACE}});
    assert_eq!(call(&client, "POST", "/api/v1/namespaces", JSON, namespace).await.0, 201);
    let bare = |object: &Value| {
        let mut bare = object.clone();
        bare["metadata"] = json!({"name": object["metadata"]["name"], "namespace": SPACE});
        bare.as_object_mut().expect("an object").remove("status");
        bare
    };
    let deployments = format!("/apis/apps/v1/namespaces/{SPACE}/deployments");
    assert_eq!(call(&client, "POST", &deployments, JSON, bare(&of("deployments"))).await.0, 201);
    let budgets = format!("/apis/policy/v1/namespaces/{SPACE}/poddisruptionbudgets");
    assert_eq!(call(&client, "POST", &budgets, JSON, bare(&of("poddisruptionbudgets"))).await.0, 201);
    cluster.step(Duration::from_secs(60));
    let before = names(&cluster, Kind::POD);
    assert_eq!(before.len(), 2);
    let (victim, from) = before[0].clone();
    let taken: Vec<&String> = before.iter().map(|(_, node)| node).collect();
    let nodes = names(&cluster, Kind::NODE);
    let target =
        nodes.iter().map(|(name, _)| name).find(|name| !taken.contains(name)).expect("an empty node");

    let since = revision(&cluster);
    let pods = format!("/api/v1/namespaces/{SPACE}/pods");
    let body = requests[0]["body"].to_string().replace("node-0", target);
    let (status, made) = call(&client, "POST", &pods, JSON, serde_json::from_str(&body).expect("JSON")).await;
    assert_eq!(status, 201, "{made}");
    cluster.step(Duration::from_secs(30));
    let new = text(&made, "/metadata/name").to_owned();
    let cost = requests[1]["body"].clone();
    assert_eq!(call(&client, "PATCH", &format!("{pods}/{victim}"), MERGE, cost).await.0, 200);
    let hash = cluster.with_world(|world| {
        let victim = world.store.get(Kind::POD, SPACE, &victim).expect("the victim");
        victim["metadata"]["labels"]["pod-template-hash"].clone()
    });
    let label = json!({"metadata": {"labels": {"pod-template-hash": hash}}});
    assert_eq!(call(&client, "PATCH", &format!("{pods}/{new}"), MERGE, label).await.0, 200);
    cluster.step(Duration::from_secs(30));

    let after = names(&cluster, Kind::POD);
    assert!(
        after.contains(&(new.clone(), target.clone())) && !after.iter().any(|(_, node)| *node == from),
        "{after:?}"
    );
    let ours = happened(&cluster, SPACE, since);
    let real = watched(&lines[settled..]);
    let request = |number: usize| text(requests[number], "/what").trim_start_matches("pods/").to_owned();
    let (theirs, own) = (Cast { victim: request(1), new: request(2) }, Cast { victim, new });
    same("pods", &theirs.pods(&real), &own.pods(&ours));
    same("replica sets", &story(&real, "replicasets", &counts), &story(&ours, "replicasets", &counts));
    same("deployments", &story(&real, "deployments", &counts), &story(&ours, "deployments", &counts));
    same(
        "budgets",
        &story(&real, "poddisruptionbudgets", &budget),
        &story(&ours, "poddisruptionbudgets", &budget),
    );
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all.dedup();
        all
    };
    same("events", &sorted(theirs.events(&real)), &sorted(own.events(&ours)));
    same("the order of writes", &theirs.order(&real), &own.order(&ours));
    let ready_always = |events: &[Event]| {
        let budgets = events.iter().filter(|(kind, _, _)| kind == "poddisruptionbudgets");
        budgets.map(|(_, _, object)| object["status"]["currentHealthy"].as_i64().unwrap_or(0)).min()
    };
    assert_eq!(ready_always(&ours), Some(2), "never fewer than two are healthy");
    assert!(KINDS.iter().all(|kind| kind.has("status")));
}
