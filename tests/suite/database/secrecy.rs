//! Everything the program produced is searched for the passwords: screens, output, errors, logs, journals, process list.

use std::fs;

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Event},
};
use kube::{Api, api::ListParams};

use crate::program::Home;

/// What the program has said so far, by where.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// No secret stands anywhere in it.
    fn check(&self, secrets: &[String]) {
        for (place, bytes) in &self.0 {
            for secret in secrets {
                let tells = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!tells, "{place} tells a password");
            }
        }
    }
}

fn files(folder: &std::path::Path, said: &mut Said) {
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, said),
            // Where the demo keeps its passwords, as the configuration names it.
            false if path.to_string_lossy().ends_with("-password") => {}
            false => said.add(path.display().to_string(), fs::read(&path).expect("a file")),
        }
    }
}

#[test]
fn no_password_is_anywhere_in_what_the_program_produces() {
    let home = Home::new();
    let config = home.path("demo.toml").display().to_string();
    let of = ["--tenants", "2", "--nodes", "2", "--seed", "7", "--speed", "1", "--config-out", &config];
    let served = home.serve(&of);
    let file = |of: &str| format!("{}.{of}-password", served.kubeconfig());
    let read = |of: &str| fs::read_to_string(file(of)).expect("a password file").trim().to_owned();
    let wrong = "n0t-the-r1ght-one".to_owned();
    let secrets = [read("galera"), read("proxysql"), wrong.clone()];
    assert!(secrets.iter().all(|secret| secret.len() > 8));
    let mut said = Said::default();

    // An act: its plan, its run, its journal.
    let run = |said: &mut Said, code: i32, line: &[&str], env: &[(&str, &str)]| {
        let own: &[&str] = if line.contains(&"--config") { &[] } else { &["--config", &*config] };
        let arguments = [own, line].concat();
        let mut command = home.command(&arguments);
        let output =
            command.env("WHEELHOUSE_LOG", "trace").envs(env.iter().copied()).output().expect("it starts");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line:?}\n{text}");
        said.add(line.join(" "), text.clone());
        text
    };
    run(&mut said, 0, &["galera", "take-out", "db3", "--yes", "--journal", "cluster"], &[]);
    run(&mut said, 0, &["runs", "-o", "json"], &[]);
    run(&mut said, 0, &["database", "-o", "json"], &[]);

    // A wrong one, from a file, from the environment, and as a mistake in the configuration itself.
    fs::write(home.path("wrong"), format!("{wrong}\n")).expect("a file");
    let path = home.path("wrong").display().to_string();
    let text = run(&mut said, 1, &["database", "--galera-password-file", &path], &[]);
    assert!(text.contains("wrong password"), "{text}");
    let env = [("DB_PASSWORD", wrong.as_str())];
    let text = run(&mut said, 0, &["database", "--set", "proxysql.password.env=DB_PASSWORD"], &env);
    assert!(text.contains("wrong password"), "{text}");
    let bad = home.path("bad.toml").display().to_string();
    fs::write(&bad, format!("[galera]\nuser = \"x\"\npassword = \"{wrong}\"\n")).expect("a file");
    let text = run(&mut said, 2, &["database", "--config", &bad], &[]);
    assert!(text.contains("line 3") && text.contains("does not stand in the configuration"), "{text}");

    // The screens, and what the process list shows meanwhile.
    let right = [("DB_PASSWORD", secrets[0].as_str()), ("WHEELHOUSE_LOG", "trace")];
    let arguments = ["--config", &config, "--set", "galera.password.env=DB_PASSWORD"];
    let mut terminal = home.terminal_with(&arguments, &right, 120, 35);
    terminal.wait_for("galera 3/3");
    for (keys, words) in
        [("4", "QUEUE"), ("\r", "certification"), ("\x1b\t", "tab members"), ("5", "WHAT IS WRONG")]
    {
        terminal.keys(keys);
        let screen = terminal.wait(words, |screen| screen.to_lowercase().contains(&words.to_lowercase()));
        said.add(format!("the screen after {keys:?}"), screen);
    }
    for process in [terminal.id(), served.id()] {
        said.add("the process list", fs::read(format!("/proc/{process}/cmdline")).expect("it runs"));
    }
    terminal.keys("\x03");
    terminal.end();
    said.add("the terminal", terminal.raw());

    // What is kept: on this machine, and in the cluster.
    files(&home.path("state"), &mut said);
    assert!(said.0.iter().any(|(place, _)| place.ends_with(".log")), "a log is written");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kubeconfig = fs::read_to_string(&served.kubeconfig).expect("a kubeconfig");
    let kept = runtime.block_on(async {
        let (wire, _folder) = crate::world::wire(&kubeconfig).await;
        let client = wire.client().await.expect("a client");
        let all = ListParams::default();
        let maps = Api::<ConfigMap>::all(client.clone()).list(&all).await.expect("config maps").items;
        let leases = Api::<Lease>::all(client.clone()).list(&all).await.expect("leases").items;
        let events = Api::<Event>::all(client).list(&all).await.expect("events").items;
        [
            serde_json::to_string(&maps).expect("JSON"),
            serde_json::to_string(&leases).expect("JSON"),
            serde_json::to_string(&events).expect("JSON"),
        ]
    });
    assert!(kept[0].contains("take-out"), "the journal of the act is in the cluster: {}", kept[0]);
    for (place, text) in ["the journals", "the leases", "the events"].into_iter().zip(kept) {
        said.add(place, text);
    }
    said.check(&secrets);
    // And the search itself finds one.
    let mut found = Said::default();
    found.add("a test", format!("x{wrong}x"));
    assert!(std::panic::catch_unwind(|| found.check(&secrets)).is_err());
}
