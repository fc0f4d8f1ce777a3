//! The README's rights are enough for everything it says they are for, and what is missing is named.

use std::process::Output;

use serde::Deserialize;
use wheelhouse::demo::{AccessRule, Cluster, Options};

use crate::{
    program::Home,
    world::{begin, standing},
};

#[derive(Deserialize)]
struct ClusterRole {
    rules: Vec<PolicyRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

/// The rules of the README's role for all, as the embedded cluster takes them.
fn readme_rights() -> Vec<AccessRule> {
    role_of_readme(1)
}

/// The rules of one of the README's roles, counted from 1.
fn role_of_readme(number: usize) -> Vec<AccessRule> {
    let readme = include_str!("../../README.md");
    let yaml = readme.split("```yaml\n").nth(number).and_then(|rest| rest.split("```").next());
    let yaml = yaml.expect("a ClusterRole");
    let role: ClusterRole = serde_saphyr::from_str(yaml).expect("valid YAML");
    let full = |group: &str, resource: &str| match (group, resource.split_once('/')) {
        ("", _) => resource.to_owned(),
        (_, None) => format!("{resource}.{group}"),
        (_, Some((resource, sub))) => format!("{resource}.{group}/{sub}"),
    };
    let rule = |rule: &PolicyRule| AccessRule {
        verbs: rule.verbs.clone(),
        resources: rule.api_groups.iter().flat_map(|g| rule.resources.iter().map(|r| full(g, r))).collect(),
        namespace: None,
    };
    role.rules.iter().map(rule).collect()
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_the_readme_are_enough_and_none_too_many_for_a_run() {
    let cluster = world().await;
    let rights = readme_rights();
    let status = run_as(&cluster, &rights, &["status", "-o", "json"]).await;
    assert!(status.status.success(), "{}", words(&status));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    for (source, known) in status["sources"].as_object().expect("a map") {
        assert_eq!(known["state"], "live", "{source}: {known}");
    }
    let scaled = run_as(&cluster, &rights, &["scale", "acme", "5", "--yes"]).await;
    assert!(scaled.status.success(), "{}", words(&scaled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rights_to_write_the_refusal_names_them() {
    let cluster = world().await;
    let see = &readme_rights()[..1];
    let refused = run_as(&cluster, see, &["scale", "acme", "5", "--yes"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("deployments/scale"), "{}", words(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_journal_s_rights_nothing_falls_back_silently() {
    let cluster = world().await;
    let rights = &readme_rights()[..3];
    let refused = run_as(&cluster, rights, &["scale", "acme", "5", "--yes"]).await;
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("--journal local") && said.contains("colleagues"), "{said}");
    let local = run_as(&cluster, rights, &["scale", "acme", "5", "--yes", "--journal", "local"]).await;
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
async fn the_rights_of_the_readme_reach_the_proxies_and_the_missing_one_is_named() {
    let cluster = world().await;
    let rights = readme_rights();
    let proxies = proxies_as(&cluster, &rights[..2]).await;
    let said = proxies.to_string();
    assert_eq!(proxies.as_array().map(Vec::len), Some(2), "{said}");
    assert!(!said.contains("port-forward to"), "{said}");
    let said = proxies_as(&cluster, &rights[..1]).await.to_string();
    assert!(said.contains("may not get pods/portforward in namespace database"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_migrator_s_role_migrates_and_what_is_missing_is_named() {
    let cluster = world().await;
    let see = readme_rights();
    let migrate = ["migrate", "acme", "--gitops-paused", "--image", "2.5.0", "--confirm", "acme", "--yes"];
    let refused = run_as(&cluster, &see, &migrate).await;
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("may not create jobs in namespace acme"), "{said}");
    let rights = [see, role_of_readme(3)].concat();
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
    let cluster = world().await;
    let see = readme_rights();
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
    let rights = [see, role_of_readme(2)].concat();
    for arguments in
        [&a_move[..], &["cordon", to, "--yes"], &["uncordon", to, "--yes"], &["restart", tenant, "--yes"]]
    {
        let done = run_as(&cluster, &rights, arguments).await;
        assert!(done.status.success(), "{arguments:?}: {}", words(&done));
    }
}
