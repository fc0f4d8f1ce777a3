//! `wheelhouse doctor` names what will not work and the line that mends it; `wheelhouse status --plain` says every state in
//! words; what the program costs the cluster is told.

use std::{fs, process::Output};

use serde_json::Value;
use wheelhouse::demo::{AccessRule, Options};

use crate::{
    program::{Demo, Home},
    world::{begin, standing},
};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn checks<'a>(doctor: &'a Value, area: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let all = doctor["checks"].as_array().expect("a list");
    let of = all.iter().filter(|it| it["area"] == area);
    let text = |it: &'a Value, key: &str| it[key].as_str().unwrap_or_default();
    of.map(|it| (text(it, "verdict"), text(it, "text"), text(it, "mend"))).collect()
}

#[test]
fn a_cluster_where_everything_works_has_nothing_that_fails() {
    let demo = Demo::database("--speed 1 --scenario calm --seed 7 --tenants 6 --nodes 3");
    let doctor = demo.json(0, &["doctor", "-o", "json"]);
    assert_eq!(doctor["ok"], true, "{doctor:#}");
    let rights = checks(&doctor, "rights");
    assert!(rights.len() == 5 && rights.iter().all(|(verdict, ..)| *verdict == "ok"), "{rights:?}");
    assert_eq!(checks(&doctor, "metrics"), [("ok", "what pods and nodes use is measured", "")]);
    let database = checks(&doctor, "database");
    assert_eq!(database.iter().filter(|(verdict, ..)| *verdict == "ok").count(), 5, "{database:?}");
    let clocks = checks(&doctor, "clock");
    assert_eq!(clocks.iter().filter(|(verdict, ..)| *verdict == "ok").count(), 4, "{clocks:?}");
    assert_eq!(checks(&doctor, "proxy"), [("ok", "the API server is asked directly", "")]);
    let cost = &doctor["cost"];
    assert!(cost["watches"].as_u64() >= Some(10), "{cost}");
    assert!(
        cost["requests"]["total"].as_u64() >= Some(15) && cost["bytes"]["total"].as_u64() > Some(1_000),
        "{cost}"
    );
    let endpoints = cost["endpoints"].as_object().expect("a map");
    assert_eq!(endpoints.len(), 5, "{cost}");
    // Each endpoint is asked once a second, a few statements each time.
    for (endpoint, queries) in endpoints {
        let rate = queries["per_second"].as_f64().expect("a number");
        assert!(rate > 0.5 && rate < 60.0, "{endpoint}: {queries}");
    }
    let (told, _) = demo.run(0, &["doctor"]);
    for words in
        ["What this look costs the cluster:\n  API server: ", " queries a second; ", "nothing fails, "]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_does_not_answer_fails_with_what_to_do() {
    let home = Home::new();
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\n\
                      clusters:\n- {name: c, cluster: {server: \"http://127.0.0.1:1\"}}\nusers:\n- {name: u, user: {}}\n";
    fs::create_dir_all(home.path(".kube")).expect("a folder");
    fs::write(home.path(".kube/config"), kubeconfig).expect("a file");
    let output = home.run(&[
        "doctor",
        "-o",
        "json",
        "--timeout",
        "5s",
        "--galera-members",
        "127.0.0.1:2",
        "--galera-user",
        "x",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let doctor: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(doctor["ok"], false);
    let cluster = checks(&doctor, "cluster");
    assert!(cluster.len() == 1 && cluster[0].0 == "fails" && !cluster[0].2.is_empty(), "{cluster:?}");
    let database = checks(&doctor, "database");
    assert!(
        database.iter().any(|(v, text, _)| *v == "fails" && text.contains("127.0.0.1:2")),
        "{database:?}"
    );
    let terminal = checks(&doctor, "terminal");
    assert!(
        terminal
            .iter()
            .any(|(_, text, mend)| text.contains("TERM is not set") && mend.contains("export TERM")),
        "{terminal:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_are_missing_are_named_with_the_line_that_grants_them() {
    let cluster = begin(Options { speed: 60.0, ..standing(4) }).await;
    let see = AccessRule::new(&["get", "list", "watch"], &["*"], None);
    let token = cluster.users().add("oncall", &[see]);
    let kubeconfig = cluster.kubeconfig_for(&token);
    let run = async |arguments: &'static [&'static str]| {
        let kubeconfig = kubeconfig.clone();
        let ran = move || {
            let home = Home::new();
            fs::create_dir_all(home.path(".kube")).expect("a folder");
            fs::write(home.path(".kube/config"), kubeconfig).expect("a file");
            home.run(arguments)
        };
        tokio::task::spawn_blocking(ran).await.expect("it ends")
    };
    let output = run(&["doctor", "-o", "json"]).await;
    assert!(output.status.success(), "{}", said(&output));
    let doctor: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rights = checks(&doctor, "rights");
    assert_eq!(rights[0], ("ok", "viewer: you have them all", ""));
    let (verdict, text, mend) = rights[1];
    assert_eq!(verdict, "notice");
    assert!(
        text.contains("operator: you lack, in all namespaces: scale")
            && text.contains("update deployments/scale"),
        "{text}"
    );
    assert_eq!(mend, "wheelhouse rbac operator --user NAME | kubectl apply -f -");
    let output = run(&["doctor", "--role", "operator"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("✖ rights        operator: you lack"), "{}", said(&output));
}

#[test]
fn the_plain_status_is_in_words_alone() {
    for scenario in ["node-recovered", "pressure", "galera-no-quorum", "calm"] {
        let demo = Demo::database(&format!("--speed 0 --seed 7 --tenants 9 --nodes 4 --scenario {scenario}"));
        let (told, _) = demo.run(0, &["status", "--plain"]);
        let odd: Vec<char> = told.chars().filter(|c| !c.is_ascii() || "|`*#<>{}~^".contains(*c)).collect();
        assert_eq!(odd, Vec::<char>::new(), "{scenario}: {told}");
        assert!(told.lines().all(|line| line.ends_with(['.', '?', '!']) && !line.contains("  ")), "{told}");
        let tenants = demo.json(0, &["tenants", "-o", "json"]).as_array().map(Vec::len);
        assert_eq!(Some(told.lines().filter(|line| line.starts_with("Tenant ")).count()), tenants, "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("Node ")).count(), 4, "{told}");
        assert!(told.starts_with("Cluster demo at "), "{told}");
    }
    let demo = Demo::database("--speed 0 --seed 7 --tenants 4 --nodes 3 --scenario galera-no-quorum");
    let (told, _) = demo.run(0, &["status", "--plain"]);
    assert!(told.contains("Critical: "), "{told}");
    assert_eq!(demo.home.run(&demo.on(&["status", "--plain", "-o", "json"])).status.code(), Some(2));
}
