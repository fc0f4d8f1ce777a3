//! `wheelhouse check` as a monitoring plug-in: one line, values after the bar, and an exit code for each case.

use crate::program::{Home, Served};

struct World {
    home: Home,
    config: String,
    served: Served,
}

impl World {
    fn new(scenario: &str) -> Self {
        let home = Home::new();
        let config = home.path("demo.toml").display().to_string();
        let of = ["--tenants", "2", "--nodes", "3", "--seed", "7", "--speed", "1", "--scenario", scenario];
        let served = home.serve(&[&of[..], &["--config-out", &config]].concat());
        Self { home, config, served }
    }

    /// The line of the check, which has to end with that code.
    fn check(&self, code: i32, more: &[&str]) -> String {
        check(&self.home, code, &[&["--config", &self.config], more, &["check"]].concat())
    }
}

/// The line of the check, which has to be one, with values as plug-ins give them.
fn check(home: &Home, code: i32, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).expect("a code")];
    assert!(out.starts_with(&format!("WHEELHOUSE {word} - ")) && out.lines().count() == 1, "{out}");
    assert!(out.matches('|').count() <= 1, "{out}");
    if let Some((_, data)) = out.split_once(" | ") {
        for value in data.split_whitespace() {
            let (label, numbers) = value.split_once('=').unwrap_or_else(|| panic!("{value} in {out}"));
            assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{value}");
            let mut numbers = numbers.split(';');
            let first = numbers.next().unwrap_or_default().trim_end_matches('%');
            assert!(first == "U" || first.parse::<f64>().is_ok(), "{value}");
            assert!(numbers.clone().count() <= 4, "{value}");
            assert!(numbers.all(|n| n.is_empty() || n.parse::<f64>().is_ok()), "{value}");
        }
    }
    out
}

#[test]
fn a_calm_world_is_ok_and_tells_its_values() {
    let line = World::new("calm").check(0, &[]);
    assert!(line.contains("2/2 tenants ready, 3/3 nodes ready, galera 3/3 writer db1 | "), "{line}");
    for value in [
        "tenants_whole=2;;;0;2",
        "nodes_ready=3;;;0;3",
        "members_in_view=3;;;0;3",
        "proxies_answering=2;;;0;2",
    ] {
        assert!(line.contains(value), "{value} in {line}");
    }
    assert!(line.contains(" flow_control=0.0%;5;20;0;100 receive_queue=0;100;;0"), "{line}");
    assert!(line.contains(" critical=0;;;0 warning=0;;;0"), "{line}");
}

#[test]
fn what_does_harm_with_the_next_failure_is_a_warning() {
    let line = World::new("proxysql-drift").check(1, &[]);
    assert!(line.contains("gone after a restart"), "{line}");
}

#[test]
fn what_users_see_now_is_critical() {
    let line = World::new("galera-no-quorum").check(2, &[]);
    assert!(line.contains("galera NO QUORUM") && line.contains("members_in_view=0;;;0;3"), "{line}");
    // No tenant serves its users, however many of its pods are ready.
    assert!(line.contains("0/2 tenants served (the database refuses writes)"), "{line}");
    assert!(line.contains("tenants_whole=0;;;0;2"), "{line}");
}

#[test]
fn what_cannot_be_known_is_unknown() {
    let world = World::new("calm");
    std::fs::write(world.home.path("wrong"), "a-wrong-password\n").expect("a file");
    let wrong = world.home.path("wrong").display().to_string();
    // Nobody of the database lets us look.
    let line = world.check(3, &["--galera-password-file", &wrong]);
    assert!(line.contains("galera CANNOT BE READ") && line.contains("wrong password"), "{line}");
    assert!(line.contains("flow_control=U;") && !line.contains("a-wrong-password"), "{line}");
    // A configuration that is not understood, arguments that are none, a cluster that is not there.
    let bad = world.home.path("bad.toml").display().to_string();
    std::fs::write(&bad, "[galera]\nquue = 1\n").expect("a file");
    let kubeconfig = world.served.kubeconfig();
    let line = check(&world.home, 3, &["--kubeconfig", kubeconfig, "--config", &bad, "check"]);
    assert!(line.contains("line 2: [galera] has no key `quue`"), "{line}");
    assert!(world.check(3, &["--set", "galera.thresholds.queue=many"]).contains("galera.thresholds.queue"));
    assert!(world.check(3, &["--no-such-flag"]).contains("--no-such-flag"));
    let line = check(&world.home, 3, &["--kubeconfig", "/nonexistent/kubeconfig", "check"]);
    assert!(line.contains("/nonexistent/kubeconfig"), "{line}");
}

#[test]
fn proxies_alone_are_shown_with_their_backends() {
    let world = World::new("calm");
    let output = world.home.run(&["--config", &world.config, "--set", "galera.members=[]", "database"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with("proxysql 2/2 writer "), "{out}");
    assert!(out.contains("HOSTGROUP") && out.contains("no members are configured"), "{out}");
    assert!(!out.contains("writes fail") && !out.contains("no member "), "{out}");
}
