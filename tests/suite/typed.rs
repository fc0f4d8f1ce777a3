//! Every kubectl line that is printed to be typed is typed: into a shell, with the real kubectl, on the embedded cluster.
//!
//! Needs: kubectl
//!
//! One that kubectl refuses fails the test. Writes are made in earnest, each on what the line before has left; only a
//! drain is rehearsed, as it waits for budgets.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;
use wheelhouse::{
    cluster::{Key, Snapshot},
    plan::{Adopt, Bounds, Change, DeletionCost},
};

use crate::{
    kubectl::kubectl,
    program::{Demo, text},
};

/// A cluster, and a shell in which `kubectl` is the one of the tests.
struct Shell {
    demo: Demo,
    typed: BTreeSet<String>,
}

impl Shell {
    fn new(tenants: u32) -> Self {
        let size = format!("--tenants {tenants} --nodes 4 --seed 7 --scenario calm --speed 60");
        let demo = Demo::cluster(&size);
        let bin = demo.home.path("bin");
        fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(kubectl(), bin.join("kubectl")).expect("a link");
        Self { demo, typed: BTreeSet::new() }
    }

    /// Types a line: it has to succeed.
    fn types(&mut self, line: &str) -> String {
        let rehearsed = if line.contains(" drain ") { " --dry-run=client" } else { "" };
        let path =
            format!("{}:{}", self.demo.home.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("timeout")
            .args(["60", "sh", "-c", &format!("{line}{rehearsed}")])
            .env("PATH", path)
            .env("HOME", self.demo.home.path(""))
            .env_remove("KUBECONFIG")
            .output()
            .expect("a shell");
        let (out, err) = text(&output);
        assert!(output.status.success(), "{line}\n{out}\n{err}");
        self.typed.insert(verb(line));
        out
    }

    /// Types every line of kubectl that this command prints, as JSON and as text, and there must be one.
    fn types_what_is_printed_by(&mut self, arguments: &[&str]) {
        let arguments = self.demo.on(arguments);
        let told = |more: &[&str]| {
            let all: Vec<_> = arguments.iter().copied().chain(more.iter().copied()).collect();
            text(&self.demo.home.run(&all)).0
        };
        let (table, json) = (told(&[]), told(&["-o", "json"]));
        let mut lines = BTreeSet::new();
        if let Ok(json) = serde_json::from_str::<Value>(&json) {
            collect(&json, &mut lines);
        }
        let printed: Vec<_> = table.lines().filter_map(line_in).map(str::to_owned).collect();
        assert!(!printed.is_empty() && !lines.is_empty(), "{arguments:?}\n{table}\n{json}");
        for line in &printed {
            assert!(lines.contains(line), "{line} is printed, and is not in the JSON: {lines:?}");
        }
        lines.iter().for_each(|line| drop(self.types(line)));
    }

    fn json(&self, line: &str) -> Value {
        let kubeconfig = self.demo.served.kubeconfig();
        let arguments = line.split(' ').chain(["-o", "json", "--kubeconfig", kubeconfig]);
        let output = Command::new(kubectl()).args(arguments).output().expect("kubectl runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// The command of kubectl in a line, behind the flags that lead to the cluster.
fn verb(line: &str) -> String {
    let mut words = line.split(' ').skip(1);
    loop {
        match words.next().expect("a command") {
            "--kubeconfig" | "--context" | "-n" => drop(words.next()),
            word => return word.to_owned(),
        }
    }
}

/// The line of kubectl in a line of text, if one stands there to be typed.
fn line_in(text: &str) -> Option<&str> {
    let text = text.trim();
    let line = text.strip_prefix("by hand: ").or(text.strip_prefix("→ ")).unwrap_or(text);
    line.starts_with("kubectl -").then_some(line)
}

fn collect(json: &Value, lines: &mut BTreeSet<String>) {
    match json {
        Value::String(text) => lines.extend(text.lines().filter_map(line_in).map(str::to_owned)),
        Value::Array(all) => all.iter().for_each(|one| collect(one, lines)),
        Value::Object(all) => all.values().for_each(|one| collect(one, lines)),
        _ => {}
    }
}

#[test]
fn what_plans_and_predictions_print_is_right_when_typed() {
    let mut shell = Shell::new(6);
    let tenants = shell.demo.json(0, &["tenants", "-o", "json"]);
    let all = tenants.as_array().or(tenants["tenants"].as_array()).expect("tenants");
    let tenant = all[0]["name"].as_str().or(all[0]["tenant"].as_str()).expect("a name").to_owned();
    let pods = shell.json(&format!("get pods -n {tenant}"));
    let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a pod").to_owned();
    let pod = format!("{tenant}/{pod}");
    for arguments in [
        &["what-if", "worker-2", "--drain"][..],
        &["delete-pod", &pod, "--dry-run"],
        &["cordon", "worker-3", "--dry-run"],
        &["uncordon", "worker-3", "--dry-run"],
        &["scale", &tenant, "+1", "--dry-run"],
        &["restart", &tenant, "--dry-run"],
    ] {
        shell.types_what_is_printed_by(arguments);
    }
    let typed: Vec<_> = shell.typed.iter().map(String::as_str).collect();
    assert_eq!(typed, ["cordon", "delete", "drain", "rollout", "scale", "uncordon"]);
}

#[test]
fn what_the_steps_of_a_move_are_by_hand_is_right_when_typed() {
    let mut shell = Shell::new(24);
    let mut seen = Snapshot::default();
    seen.api.flags = ["--kubeconfig", shell.demo.served.kubeconfig()].map(Into::into).into();
    let hpas = shell.json("get hpa -A");
    let named = |object: &Value| {
        let meta = &object["metadata"];
        Key::new(meta["namespace"].as_str().expect("a namespace"), meta["name"].as_str().expect("a name"))
    };
    let autoscaler = named(&hpas["items"][0]);
    let pods = shell.json(&format!("get pods -n {}", autoscaler.namespace));
    let (pod, victim) = (named(&pods["items"][0]), named(&pods["items"][1]));
    let cost = |from, to| Change::DeletionCost(DeletionCost { pod: pod.clone(), uid: "u".into(), from, to });
    let adopt = Adopt {
        pod: pod.clone(),
        labels: [("moved".to_owned(), "1".to_owned())].into(),
        replica_set: "r".into(),
        victim,
        victim_uid: "u".into(),
        victim_node: "worker-1".into(),
    };
    let bounds = Bounds { autoscaler: autoscaler.clone(), from: (2, 6), to: (3, 7) };
    for change in [cost(0, -7), cost(-7, 5), cost(5, 0), Change::Adopt(adopt), Change::Bounds(bounds)] {
        let line = change.by_hand(&seen).expect("it can be done by hand");
        shell.types(&line);
    }
    let hpa = shell.json(&format!("get hpa {} -n {}", autoscaler.name, autoscaler.namespace));
    assert_eq!((&hpa["spec"]["minReplicas"], &hpa["spec"]["maxReplicas"]), (&3.into(), &7.into()));
    let pod = shell.json(&format!("get pod {} -n {}", pod.name, pod.namespace));
    assert!(pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"].is_null(), "{pod}");
    assert_eq!(pod["metadata"]["labels"]["moved"], "1");
}

#[test]
fn what_the_documentation_tells_to_type_is_right() {
    let mut shell = Shell::new(2);
    let kubeconfig = shell.demo.served.kubeconfig().to_owned();
    let texts = crate::readme::texts().iter();
    let lines: BTreeSet<_> =
        texts.flat_map(|(_, text)| text.lines()).filter(|line| line.starts_with("kubectl ")).collect();
    assert!(lines.len() >= 2, "{lines:?}");
    for line in lines {
        let told = line.split('#').next().unwrap_or_default().trim();
        shell.types(&told.replacen("kubectl ", &format!("kubectl --kubeconfig {kubeconfig} "), 1));
    }
}
