//! What `wheelhouse rbac` prints is enough for everything it says it is for, no rule of it is too many, and what is
//! missing is named.

use std::process::Output;

use serde::Deserialize;
use wheelhouse::demo::{AccessRule, Cluster, Options};

use crate::{
    program::Home,
    world::{begin, standing},
};

#[derive(Deserialize)]
struct Manifest {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<PolicyRule>,
    #[serde(default)]
    subjects: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

const PROXIES: [&str; 2] = ["--proxysql-addresses", "database/service-proxysql:admin"];

/// What `wheelhouse rbac` prints.
fn printed(arguments: &[&str]) -> String {
    let printed = Home::new().run(&[&["rbac"], arguments].concat());
    assert!(printed.status.success(), "{}", words(&printed));
    String::from_utf8(printed.stdout).expect("text")
}

fn manifests(yaml: &str) -> Vec<Manifest> {
    let one = |yaml: &str| serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{e}: {yaml}"));
    yaml.split("---\n").map(one).collect()
}

/// The rules of these roles, as the embedded cluster takes them.
pub fn rights_of(arguments: &[&str]) -> Vec<AccessRule> {
    let full = |group: &str, resource: &str| match (group, resource.split_once('/')) {
        ("", _) => resource.to_owned(),
        (_, None) => format!("{resource}.{group}"),
        (_, Some((resource, sub))) => format!("{resource}.{group}/{sub}"),
    };
    let rule = |rule: &PolicyRule, namespace: Option<String>| AccessRule {
        verbs: rule.verbs.clone(),
        resources: rule.api_groups.iter().flat_map(|g| rule.resources.iter().map(|r| full(g, r))).collect(),
        namespace,
    };
    let all = manifests(&printed(arguments));
    let all = all.iter().flat_map(|m| m.rules.iter().map(|r| rule(r, m.metadata.namespace.clone())));
    all.collect()
}

async fn world() -> Cluster {
    begin(Options { speed: 60.0, ..standing(4) }).await
}

/// Runs a command on the cluster as a user with these rights.
async fn run_as(cluster: &Cluster, rights: &[AccessRule], arguments: &[&str]) -> Output {
    let home = Home::new();
    let token = cluster.users().add("oncall", rights);
    let path = home.path("kubeconfig");
    std::fs::write(&path, cluster.kubeconfig_for(&token)).expect("a file");
    let mut all = vec!["--kubeconfig".to_owned(), path.display().to_string()];
    all.extend(arguments.iter().map(|a| (*a).to_owned()));
    let command = move || home.run(&all.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(command).await.expect("it ends")
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The world with the journal's namespace, which the manifests make.
async fn world_with_journal() -> Cluster {
    let cluster = world().await;
    let all = AccessRule::new(&["*"], &["*"], None);
    let made = run_as(&cluster, &[all], &["scale", "acme", "-1", "--yes"]).await;
    assert!(made.status.success(), "{}", words(&made));
    cluster
}

/// The sources of the status that are not live.
fn not_live(status: &Output) -> Vec<String> {
    let status: serde_json::Value =
        serde_json::from_slice(&status.stdout).unwrap_or_else(|e| panic!("{e}: {}", words(status)));
    let sources = status["sources"].as_object().expect("a map");
    sources.iter().filter(|(_, known)| known["state"] != "live").map(|(name, _)| name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_everything_and_an_operator_scales() {
    let cluster = world_with_journal().await;
    let viewer = rights_of(&["viewer"]);
    let status = run_as(&cluster, &viewer, &["status", "-o", "json"]).await;
    assert!(status.status.success(), "{}", words(&status));
    assert_eq!(not_live(&status), Vec::<String>::new(), "{}", words(&status));
    let log = run_as(&cluster, &viewer, &["logs", "acme"]).await;
    assert!(log.status.success(), "{}", words(&log));
    let refused = run_as(&cluster, &viewer, &["scale", "acme", "5", "--yes"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("deployments/scale"), "{}", words(&refused));
    let scaled = run_as(&cluster, &rights_of(&["operator"]), &["scale", "acme", "5", "--yes"]).await;
    assert!(scaled.status.success(), "{}", words(&scaled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rule_of_a_viewer_is_too_many() {
    let cluster = world_with_journal().await;
    let viewer = rights_of(&["viewer"]);
    let each: Vec<_> = viewer
        .iter()
        .enumerate()
        .flat_map(|(i, rule)| rule.resources.iter().map(move |resource| (i, resource.clone())))
        .collect();
    assert!(each.len() > 15, "{each:?}");
    for (i, resource) in each {
        let mut less = viewer.clone();
        less[i].resources.retain(|r| *r != resource);
        if ["pods/log", "events"].contains(&resource.as_str()) {
            let what = if resource == "events" { "events" } else { "logs" };
            let told = run_as(&cluster, &less, &[what, "acme"]).await;
            assert!(words(&told).contains("may not"), "{resource}: {}", words(&told));
            continue;
        }
        if let Some((kind, group)) = resource.split_once('.')
            && ["networking.k8s.io", "discovery.k8s.io"].contains(&group)
        {
            // They are optional: what needs them says it, and nothing else changes.
            let told = run_as(&cluster, &less, &["reach", "-o", "json"]).await;
            let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
            let known = &told["sources"][kind];
            assert!(
                known["state"] == "missing"
                    && known["why"].as_str().is_some_and(|why| why.contains(&resource)),
                "{resource}: {told}"
            );
            continue;
        }
        if resource.ends_with("gateway.networking.k8s.io") || resource.ends_with("cert-manager.io") {
            // Extensions, which the embedded cluster does not have: without the right or with it they are not there.
            continue;
        }
        let status = run_as(&cluster, &less, &["status", "-o", "json", "--timeout", "5s"]).await;
        // ConfigMaps are read for the pools everywhere, and for the journals in their own namespace.
        let both = resource == "configmaps" && less[i].namespace.is_some();
        let reached = status.status.success() && !status.stdout.is_empty();
        assert!(both || !reached || !not_live(&status).is_empty(), "without {resource} nothing is missing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_journal_s_rights_nothing_falls_back_silently() {
    let cluster = world_with_journal().await;
    let mut rights = rights_of(&["operator"]);
    let journal =
        |rule: &AccessRule| rule.namespace.is_some() && rule.verbs.iter().any(|verb| verb == "create");
    rights.retain(|rule| !journal(rule));
    let refused = run_as(&cluster, &rights, &["scale", "acme", "5", "--yes"]).await;
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("--journal local") && said.contains("colleagues"), "{said}");
    let local = run_as(&cluster, &rights, &["scale", "acme", "5", "--yes", "--journal", "local"]).await;
    assert!(local.status.success(), "{}", words(&local));
}

/// The proxies as seen by a user with these rights, who names the database by arguments only.
async fn proxies_as(cluster: &Cluster, rights: &[AccessRule]) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let (user, password) = cluster.database().credentials.proxy_admin;
    std::fs::write(&file, format!("{password}\n")).expect("a file");
    let file = file.display().to_string();
    let arguments = ["database", "-o", "json", "--proxysql-addresses", "database/service-proxysql:admin"];
    let by = ["--proxysql-user", user, "--proxysql-password-file", &file];
    let seen = run_as(cluster, rights, &[&arguments[..], &by[..]].concat()).await;
    assert!(!words(&seen).contains(password));
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).expect("JSON");
    seen["proxies"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxies_are_reached_with_what_the_configuration_asks_for_and_the_missing_right_is_named() {
    let cluster = world().await;
    let proxies = proxies_as(&cluster, &rights_of(&[&["viewer"], &PROXIES[..]].concat())).await;
    let said = proxies.to_string();
    assert_eq!(proxies.as_array().map(Vec::len), Some(2), "{said}");
    assert!(!said.contains("port-forward to"), "{said}");
    let said = proxies_as(&cluster, &rights_of(&["viewer"])).await.to_string();
    assert!(said.contains("may not get pods/portforward in namespace database"), "{said}");
}

#[test]
fn the_manifests_are_for_the_configuration_and_for_whom_they_are_bound_to() {
    let secret = ["--set", "galera.password={ secret = \"db/login:password\" }"];
    let arguments = ["mover", "--user", "alice", "--service-account", "ops/wheelhouse"];
    let all = manifests(&printed(&[&arguments, &PROXIES[..], &secret].concat()));
    let named: Vec<_> = all
        .iter()
        .map(|m| format!("{} {} {}", m.kind, m.metadata.name, m.metadata.namespace.as_deref().unwrap_or("-")))
        .collect();
    for wanted in [
        "Namespace wheelhouse -",
        "ClusterRole wheelhouse-viewer -",
        "ClusterRoleBinding wheelhouse-viewer -",
        "Role wheelhouse-viewer-journal wheelhouse",
        "Role wheelhouse-proxies database",
        "RoleBinding wheelhouse-proxies database",
        "Role wheelhouse-secret-login db",
        "ClusterRole wheelhouse-operator -",
        "Role wheelhouse-operator-journal wheelhouse",
        "ClusterRole wheelhouse-mover -",
        "ClusterRoleBinding wheelhouse-mover -",
    ] {
        assert!(named.iter().any(|n| n == wanted), "{wanted}: {named:#?}");
    }
    assert!(!named.iter().any(|n| n.contains("migrator")), "{named:#?}");
    let bound: Vec<_> = all.iter().filter(|m| m.kind.ends_with("Binding")).collect();
    assert!(bound.iter().all(|m| m.subjects.len() == 2), "{named:#?}");
    let roles = all.iter().filter(|m| m.kind.ends_with("Role")).count();
    assert_eq!(bound.len(), roles);
    // In one namespace nothing is granted on the cluster.
    let all = manifests(&printed(&["migrator", "-n", "acme"]));
    assert!(all.iter().all(|m| !m.kind.starts_with("Cluster")), "{}", printed(&["migrator", "-n", "acme"]));
    assert!(all.iter().any(|m| m.kind == "Role" && m.metadata.namespace.as_deref() == Some("acme")));
    let wrong = Home::new().run(&["rbac", "viewre"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(words(&wrong).contains("viewer"), "{}", words(&wrong));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_migrator_s_role_migrates_and_what_is_missing_is_named() {
    let cluster = world_with_journal().await;
    let see = rights_of(&["operator"]);
    let migrate = ["migrate", "acme", "--gitops-paused", "--image", "2.5.0", "--confirm", "acme", "--yes"];
    let refused = run_as(&cluster, &see, &migrate).await;
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("may not create jobs in namespace acme"), "{said}");
    let rights = rights_of(&["migrator"]);
    let done = run_as(&cluster, &rights, &migrate).await;
    assert!(done.status.success(), "{}", words(&done));
    assert!(words(&done).contains("Successfully migrated"), "{}", words(&done));
    let always = ["--gitops-paused", "--yes"];
    for arguments in
        [&["release", "acme", "globex", "--image", "2.6.0", "--steady", "0s"][..], &["rollback", "globex"]]
    {
        let done = run_as(&cluster, &rights, &[arguments, &always].concat()).await;
        assert!(done.status.success(), "{arguments:?}: {}", words(&done));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mover_s_role_moves_cordons_and_restarts_and_what_is_missing_is_named() {
    let cluster = world_with_journal().await;
    let see = rights_of(&["operator"]);
    let json = |output: Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", words(&output)))
    };
    let tenants = json(run_as(&cluster, &see, &["tenants", "-o", "json"]).await);
    let nodes = json(run_as(&cluster, &see, &["nodes", "-o", "json"]).await);
    let names: Vec<_> = nodes.as_array().expect("a list").iter().filter_map(|n| n["name"].as_str()).collect();
    let can_move = tenants.as_array().expect("a list").iter().find_map(|tenant| {
        let placement = tenant["placement"].as_object()?;
        let to = names.iter().find(|name| !placement.contains_key(**name))?;
        Some((tenant["name"].as_str()?, placement.keys().next()?.as_str(), *to))
    });
    let (tenant, from, to) = can_move.expect("a tenant and a node without it");
    let a_move = ["move", tenant, "--from", from, "--to", to, "--yes"];
    let refused = run_as(&cluster, &see, &a_move).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("may not create pods"), "{}", words(&refused));
    let rights = rights_of(&["mover"]);
    for arguments in
        [&a_move[..], &["cordon", to, "--yes"], &["uncordon", to, "--yes"], &["restart", tenant, "--yes"]]
    {
        let done = run_as(&cluster, &rights, arguments).await;
        assert!(done.status.success(), "{arguments:?}: {}", words(&done));
    }
}
