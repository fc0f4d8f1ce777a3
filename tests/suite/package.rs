//! The Debian package, the archive of the kubectl plug-in and the definition of the container hold what they should.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::program::{Demo, Home, WHEELHOUSE};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn ran(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_packages_are_built_and_hold_the_program_its_pages_and_completions() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        eprintln!("dpkg-deb is not here: the packages are not tried");
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(top().join("tests/package"));
    let built = ran(command.env("WHEELHOUSE_PACK", "quick").arg(WHEELHOUSE).arg(out.path()));
    let files: Vec<PathBuf> = built.lines().map(PathBuf::from).collect();
    assert_eq!(files.len(), 3, "{built}");
    let listed = ran(Command::new("dpkg-deb").arg("--contents").arg(&files[0]));
    for path in [
        "./usr/bin/wheelhouse",
        "./usr/bin/kubectl-wheelhouse -> wheelhouse",
        "./usr/share/man/man1/wheelhouse.1.gz",
        "./usr/share/man/man1/wheelhouse-scale.1.gz",
        "./usr/share/man/man7/wheelhouse-keys.7.gz",
        "./usr/share/bash-completion/completions/wheelhouse",
        "./usr/share/zsh/vendor-completions/_wheelhouse",
        "./usr/share/fish/vendor_completions.d/wheelhouse.fish",
        "./usr/share/doc/wheelhouse/copyright",
        "./usr/share/doc/wheelhouse/rbac/viewer.yaml",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(path)), "{path}: {listed}");
    }
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
    let control = ran(Command::new("dpkg-deb").arg("--field").arg(&files[0]));
    assert!(control.contains(&format!("Version: {}\n", env!("CARGO_PKG_VERSION"))), "{control}");
    // Unpacked, the program runs, and a man page can be read.
    let unpacked = out.path().join("unpacked");
    ran(Command::new("dpkg-deb").arg("--extract").arg(&files[0]).arg(&unpacked));
    let version = ran(Command::new(unpacked.join("usr/bin/kubectl-wheelhouse")).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let page =
        ran(Command::new("gzip").arg("-dc").arg(unpacked.join("usr/share/man/man1/wheelhouse-scale.1.gz")));
    assert!(page.starts_with(".ie") && page.contains("replicas"), "{page}");
    let script = unpacked.join("usr/share/bash-completion/completions/wheelhouse");
    ran(Command::new("bash").arg("-n").arg(script));

    let krew: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(&files[2]).expect("a manifest")).expect("YAML");
    let platform = &krew["spec"]["platforms"][0];
    assert_eq!(krew["metadata"]["name"], "wheelhouse");
    assert_eq!(krew["spec"]["version"], format!("v{}", env!("CARGO_PKG_VERSION")));
    let sum = ran(Command::new("sha256sum").arg(&files[1]));
    assert_eq!(platform["sha256"].as_str(), sum.split(' ').next());
    let archived = ran(Command::new("tar").arg("-tzf").arg(&files[1]));
    assert!(archived.lines().any(|line| Some(line) == platform["bin"].as_str()), "{archived}");
}

/// No builder of images is needed for it, so what can be wrong in the definition is looked for here.
#[test]
fn the_container_is_defined_from_what_is_there_and_runs_as_nobody_in_particular() {
    let text = fs::read_to_string(top().join("src/package/Containerfile")).expect("a definition");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut stages = BTreeMap::new();
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "FROM" => {
                assert!(
                    words[1].contains(':') && !words[1].ends_with(":latest"),
                    "{line}: a version is named"
                );
                if let Some(name) = words.get(3) {
                    stages.insert((*name).to_owned(), line);
                }
            }
            "COPY" if words[1].starts_with("--from=") => {
                assert!(stages.contains_key(words[1].trim_start_matches("--from=")), "{line}: no such stage");
            }
            "COPY" => {
                for from in &words[1..words.len() - 1] {
                    assert!(top().join(from).exists(), "{line}: {from} is not there");
                }
            }
            "WORKDIR" | "ARG" | "RUN" | "USER" | "ENV" | "ENTRYPOINT" => {}
            other => panic!("{other} is no instruction of a Containerfile: {line}"),
        }
    }
    let rust =
        text.split("rust:").nth(1).and_then(|rest| rest.split('-').next()).expect("the builder's version");
    let manifest = fs::read_to_string(top().join("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains(&format!("rust-version = \"{rust}\"")), "the builder has another Rust: {rust}");
    assert!(text.contains("--no-default-features") && text.contains("USER 10001"), "{text}");
    assert_eq!(lines.last(), Some(&"ENTRYPOINT [\"/usr/bin/wheelhouse\"]"));
}

#[test]
fn a_plug_in_of_kubectl_calls_itself_that() {
    let home = Home::new();
    let plug_in = home.path("kubectl-wheelhouse");
    symlink(WHEELHOUSE, &plug_in).expect("a link");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&plug_in);
        command.args(arguments).env_clear().env("HOME", home.path(""));
        said(&command.output().expect("it starts"))
    };
    assert!(
        run(&["scale", "--help"]).contains("Usage: kubectl wheelhouse scale "),
        "{}",
        run(&["scale", "--help"])
    );
    assert!(run(&["help"]).contains("`kubectl wheelhouse help TOPIC`"), "{}", run(&["help"]));
    assert!(run(&["scale"]).contains("Usage: kubectl wheelhouse scale "), "{}", run(&["scale"]));
    let plain = said(&home.run(&["scale", "--help"]));
    assert!(plain.contains("Usage: wheelhouse scale "), "{plain}");
    let version = said(&home.run(&["--version"]));
    assert!(version.starts_with(&format!("wheelhouse {}", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
fn the_shell_is_offered_what_is_there_and_nothing_when_the_cluster_is_silent() {
    let demo = Demo::database("--speed 0 --seed 7 --tenants 12 --nodes 4");
    let offered = |on: &[&str], words: &[&str]| -> Vec<String> {
        let mut command = demo.home.command(&[]);
        let line = [&["--", "wheelhouse"], on, words].concat();
        command.args(&line).env("COMPLETE", "bash").env("_CLAP_IFS", "\n");
        command
            .env("_CLAP_COMPLETE_INDEX", (line.len() - 2).to_string())
            .env("_CLAP_COMPLETE_COMP_TYPE", "9");
        let output = command.output().expect("it starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| line.trim().to_owned()).collect()
    };
    let config = demo.home.path("demo.toml").display().to_string();
    let on = ["--config", &config];
    assert_eq!(offered(&on, &["scale", "ac"]), ["acme"]);
    assert_eq!(offered(&on, &["drain", "worker-"]), ["worker-1", "worker-2", "worker-3", "worker-4"]);
    assert_eq!(offered(&on, &["--context", "d"]), ["demo"]);
    assert_eq!(offered(&on, &["galera", "take-out", "db"]), ["db1", "db2", "db3"]);
    assert!(offered(&on, &["--theme", ""]).contains(&"light".to_owned()));
    assert_eq!(offered(&[], &["drill", "cert"]), ["certificate"]);
    assert!(offered(&on, &["sca"]).contains(&"scale".to_owned()));
    let begun = std::time::Instant::now();
    let nowhere = demo.home.path("nowhere");
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\n\
                      clusters:\n- {name: c, cluster: {server: \"http://10.255.255.1:1\"}}\nusers:\n- {name: u, user: {}}\n";
    fs::write(&nowhere, kubeconfig).expect("a file");
    let kubeconfig = nowhere.display().to_string();
    let silent = offered(&["--kubeconfig", &kubeconfig], &["scale", ""]);
    assert!(silent.iter().all(|word| word.starts_with('-')), "{silent:?}");
    assert!(begun.elapsed().as_secs() < 20, "the shell was kept waiting");
    let script = said(&demo.home.run(&["completions", "zsh"]));
    assert!(script.contains("#compdef wheelhouse"), "{script}");
    assert_eq!(demo.home.run(&["completions", "tcsh"]).status.code(), Some(2));
}
