//! What is not seen, for want of a right or because one namespace alone is looked at, is said and never guessed.

use std::process::Output;

use serde_json::Value;
use wheelhouse::demo::{AccessRule, Cluster};

use crate::{
    program::{Demo, Home, text},
    world::{begin, standing},
};

fn words(output: &Output) -> String {
    let (out, err) = text(output);
    format!("{out}{err}")
}

/// A cluster, and a user of it with other rights than all.
struct As {
    home: Home,
    kubeconfig: String,
}

impl As {
    fn new(cluster: &Cluster, rights: &[AccessRule]) -> Self {
        let home = Home::new();
        let path = home.path("kubeconfig");
        let token = cluster.users().add("viewer", rights);
        std::fs::write(&path, cluster.kubeconfig_for(&token)).expect("a file");
        Self { kubeconfig: path.display().to_string(), home }
    }

    fn run(&self, code: i32, arguments: &[&str]) -> String {
        let all: Vec<_> =
            ["--kubeconfig", &self.kubeconfig].into_iter().chain(arguments.iter().copied()).collect();
        let output = self.home.run(&all);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let all: Vec<_> =
            ["--kubeconfig", &self.kubeconfig].into_iter().chain(arguments.iter().copied()).collect();
        let output = self.home.run(&all);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", words(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{arguments:?}: {e} {}", words(&output)))
    }
}

/// The ClusterRole `view` as a cluster comes with it: no nodes, no Secrets, no leases.
fn view(namespace: Option<&str>) -> Vec<AccessRule> {
    let resources = [
        "configmaps",
        "events",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "pods/log",
        "resourcequotas",
        "services",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "horizontalpodautoscalers.autoscaling",
        "poddisruptionbudgets.policy",
        "jobs.batch",
        "pods.metrics.k8s.io",
    ];
    vec![AccessRule {
        verbs: ["get", "list", "watch"].map(Into::into).into(),
        resources: resources.map(Into::into).into(),
        namespace: namespace.map(Into::into),
    }]
}

async fn with<T: Send + 'static>(work: impl FnOnce(&Cluster) -> T + Send + 'static) -> T {
    let cluster = begin(wheelhouse::demo::Options { speed: 60.0, ..standing(4) }).await;
    tokio::task::spawn_blocking(move || work(&cluster)).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_nodes_all_that_needs_none_works_and_the_rest_says_why() {
    with(|cluster| {
        let user = As::new(cluster, &view(None));
        let tenants = user.json(0, &["tenants", "-o", "json"]);
        assert_eq!(tenants.as_array().map(Vec::len), Some(4));
        assert!(tenants[0]["placement"].as_object().is_some_and(|p| !p.is_empty()), "{tenants}");
        let status = user.json(0, &["status", "-o", "json"]);
        assert_eq!((&status["nodes"]["total"], &status["tenants"]["total"]), (&Value::Null, &4.into()));
        assert!(user.run(0, &["status"]).contains("nodes not known"));
        assert!(user.run(0, &["runs"]).contains("runs") || user.run(1, &["runs"]).contains("journal"));
        let acme = user.json(0, &["headroom", "acme", "-o", "json"]);
        assert!(acme["more"].as_u64() > Some(0), "{acme}");
        assert!(user.run(0, &["headroom"]).contains("requests and limits on the nodes are not known"));
        for (arguments, what) in [
            (&["fits", "acme"][..], "how many more of acme fit is not known"),
            (&["what-if"], "the harm of losing a node is not known"),
            (&["what-if", "worker-1"], "what the loss does is not known"),
            (&["nodes"], "nodes cannot be read"),
        ] {
            let said = user.run(1, arguments);
            assert!(said.contains(what) && said.contains("needs list and watch on nodes"), "{said}");
        }
        let unknown = user.json(1, &["fits", "acme", "-o", "json"]);
        assert!(unknown["fits"].is_null() && unknown["unknown"].is_string(), "{unknown}");
        // No right to write: the plan is made all the same, and warns.
        let plan = user.run(1, &["scale", "acme", "+1", "--dry-run"]);
        assert!(plan.contains("▲ scope") && plan.contains("whether they find room, is not known"), "{plan}");
        assert!(plan.contains("1 pod new, on nodes that are not known"), "{plan}");
        let less = user.run(1, &["scale", "acme", "-1", "--dry-run"]);
        assert!(!less.contains("▲ scope"), "which pods go needs no node: {less}");
        let check = user.run(3, &["check"]);
        assert!(check.contains("UNKNOWN - 4/4 tenants ready, nodes not known"), "{check}");
        assert!(check.contains("nodes cannot be read: needs list and watch on nodes"), "{check}");

        let arguments = ["--kubeconfig", &user.kubeconfig];
        let mut screen = user.home.terminal(&arguments, 100, 30);
        screen.wait_for("acme");
        screen.wait_for("nodes not known");
        screen.keys("W");
        screen.wait_for("not known: nodes cannot be read");
        screen.keys("2");
        screen.wait_for("nodes cannot be read: needs list and watch on nodes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_rights_in_one_namespace_the_way_in_is_named_and_leads_in() {
    with(|cluster| {
        let user = As::new(cluster, &view(Some("acme")));
        let said = user.run(1, &["tenants"]);
        assert!(
            said.contains("needs list and watch on") && said.contains("name it with -n NAMESPACE"),
            "{said}"
        );
        let tenants = user.json(0, &["-n", "acme", "tenants", "-o", "json"]);
        assert_eq!((tenants.as_array().map(Vec::len), &tenants[0]["name"]), (Some(1), &"acme".into()));
        let check = user.run(0, &["-n", "acme", "check"]);
        assert!(check.contains("OK - 1/1 tenants ready, nodes not known (namespace acme only)"), "{check}");
        let screen = user.home.terminal(&["--kubeconfig", &user.kubeconfig], 100, 30);
        screen.wait_for("not allowed to read it");
        screen.wait_for("start with -n NAMESPACE");
    })
    .await;
}

#[test]
fn a_namespace_that_alone_is_looked_at_makes_no_room() {
    let demo = Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm --speed 60");
    let truth = demo.json(0, &["fits", "acme", "-o", "json"]);
    assert!(truth["fits"].as_u64() > Some(0));
    for arguments in [&["fits", "acme"][..], &["what-if"], &["what-if", "worker-1"]] {
        let all: Vec<_> = ["-n", "acme"].iter().chain(arguments).copied().collect();
        let (_, err) = demo.run(1, &all);
        assert!(err.contains("not known: only namespace acme is looked at"), "{err}");
    }
    let nodes = demo.json(0, &["-n", "acme", "nodes", "-o", "json"]);
    for node in nodes.as_array().expect("a list") {
        assert_eq!(
            (&node["pods"], &node["memory"]["requests"], &node["cpu"]["limits"]),
            (&Value::Null, &Value::Null, &Value::Null),
            "{node}"
        );
        assert!(node["memory"]["used"].as_u64().is_some() && node["ready"] == true, "{node}");
    }
    let headroom = demo.json(0, &["-n", "acme", "headroom", "-o", "json"]);
    assert!(headroom["cluster"]["requested"].is_null() && headroom["unknown"].is_string(), "{headroom}");
    let status = demo.json(0, &["-n", "acme", "status", "-o", "json"]);
    assert_eq!((&status["cluster"]["namespace"], &status["tenants"]["total"]), (&"acme".into(), &1.into()));
    let rules: Vec<_> = status["findings"].as_array().expect("a list").iter().map(|f| &f["rule"]).collect();
    assert!(
        !rules.iter().any(|rule| ["n-1", "node-empty", "node-overpacked"].iter().any(|r| *rule == r)),
        "{rules:?}"
    );
    let (plan, _) = demo.run(0, &["-n", "acme", "scale", "acme", "+1", "--dry-run"]);
    assert!(plan.contains("▲ scope"), "{plan}");
    // It can be done all the same, and is not called wrong afterwards.
    let run = demo.json(0, &["-n", "acme", "scale", "acme", "+1", "--yes", "-o", "json"]);
    assert_eq!(run["state"], "done", "{run}");
    assert!(run["entries"].to_string().contains("was not predicted"), "{run}");
}

#[test]
fn a_namespace_that_is_not_there_is_an_error_and_never_well() {
    let demo = Demo::cluster("--tenants 4 --nodes 3 --seed 7 --scenario calm --speed 60");
    for command in ["tenants", "nodes", "status", "headroom", "what-if", "runs"] {
        let (_, err) = demo.run(1, &["-n", "nope", command]);
        assert!(err.contains("there is no namespace nope in "), "{command}: {err}");
    }
    let (out, _) = demo.run(3, &["-n", "nope", "check"]);
    assert!(out.contains("UNKNOWN - there is no namespace nope"), "{out}");
    let screen = demo.home.terminal(&demo.on(&["-n", "nope"]), 80, 24);
    screen.wait_for("no namespace nope");
    assert!(!screen.screen().contains("all well") && !screen.screen().contains("✓"), "{}", screen.screen());
    let (out, _) = demo.run(3, &["--set", "tenants.namespaces=[\"nobody\"]", "check"]);
    assert!(out.contains("UNKNOWN - 0/0 tenants ready") && out.contains("no workload is a tenant"), "{out}");
}
