//! The simulated database, seen by the real sources over the wire: what is said in each scenario, and what is never
//! sent.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::mpsc;
use wheelhouse::{
    cluster::{Database, Finding, Freshness, Severity, Snapshot, Tenancy, findings},
    config::Config,
    demo::database::{self as simulated, Endpoint, Options, Scenario},
    live::database::{Account, Configured, Password, ProxyTarget, follow},
};

use crate::program::{Home, PATIENCE, text};

fn account((user, password): simulated::Login) -> Result<Account, String> {
    let password = Password::Known(Some(SecretString::from(password.to_owned())));
    Ok(Account { user: user.into(), password, tls: None })
}

pub fn configured(database: &simulated::Database, proxies_by: simulated::Login) -> Configured {
    let member = |at: &std::net::SocketAddr| (at.to_string().as_str().into(), at.ip().to_string(), at.port());
    let proxy = |at: &std::net::SocketAddr| {
        ProxyTarget::Direct(at.to_string().as_str().into(), at.ip().to_string(), at.port())
    };
    Configured {
        members: database.members.iter().map(member).collect(),
        members_by: account(database.credentials.monitor),
        proxies: database.proxies.iter().map(proxy).collect(),
        proxies_by: account(proxies_by),
        every: Duration::from_millis(50),
        expected: Default::default(),
    }
}

/// What is seen of it once this holds.
async fn seen(configured: Configured, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshot = Snapshot::new(Tenancy::default());
    let (tell, mut reports) = mpsc::channel(64);
    let _tasks = follow(configured, None, tell);
    let looking = async {
        while let Some(report) = reports.recv().await {
            snapshot.observe(report);
            snapshot.at = jiff::Timestamp::now();
            if holds(&snapshot) {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, looking).await.is_err() {
        panic!("waited in vain: {:#?} {:#?}", Database::of(&snapshot), findings(&snapshot));
    }
    snapshot
}

fn settled(s: &Snapshot) -> bool {
    s.galera.values().count() == 3
        && s.proxies.values().count() == 2
        && s.galera.values().all(|m| m.link.trouble().is_some() || m.history.len() > 1)
        && s.proxies.values().all(|p| p.link != Freshness::Connecting)
}

fn told(found: &[Finding]) -> Vec<String> {
    let word = |s| match s {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    found.iter().map(|f| format!("{} {}", word(f.severity), f.rule)).collect()
}

async fn world(scenario: Scenario) -> simulated::Database {
    simulated::start(Options { scenario, ..Options::default() }).await.expect("the simulated database starts")
}

/// The headline of a scenario, and its findings but notices: which, and how loud.
async fn judged(scenario: Scenario) -> (String, Vec<String>) {
    let database = world(scenario).await;
    let snapshot = seen(configured(&database, database.credentials.proxy_admin), settled).await;
    let mut said = told(&findings(&snapshot));
    said.retain(|line| !line.starts_with("notice"));
    said.dedup();
    let headline = Database::of(&snapshot).expect("a database is configured").headline();
    (headline, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scenario_has_its_headline_and_its_findings() {
    let cases: [(Scenario, &str, &[&str]); 6] = [
        (Scenario::Calm, "galera 3/3 writer db1", &[]),
        (Scenario::GaleraDegraded, "galera 2/3 writer db1", &["warning member-down", "warning galera-size"]),
        (
            Scenario::GaleraNoQuorum,
            "galera NO QUORUM",
            &[
                "critical galera-no-quorum",
                "critical no-writer",
                "critical readers-empty",
                "critical member-down",
                "critical clients-waiting",
            ],
        ),
        (
            Scenario::GaleraAllDown,
            "galera DOES NOT ANSWER",
            &[
                "critical galera-no-quorum",
                "critical no-writer",
                "critical readers-empty",
                "critical member-down",
                "critical clients-waiting",
                "warning backend-shunned",
            ],
        ),
        (
            Scenario::ProxysqlDrift,
            "galera 3/3 writer db1",
            &["warning proxy-drift", "warning proxies-differ"],
        ),
        // Its peers have not noticed yet; the proxies have.
        (Scenario::WriterLost, "galera 3/3 writer db2", &["warning member-down"]),
    ];
    for (scenario, headline, rules) in cases {
        let (said, found) = judged(scenario).await;
        assert_eq!(
            (said.as_str(), found),
            (headline, rules.iter().map(|r| (*r).to_owned()).collect()),
            "{scenario}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_member_is_found_by_the_time_it_takes_from_the_others() {
    let options = Options { scenario: Scenario::FlowControl, speed: 5.0, ..Options::default() };
    let database = simulated::start(options).await.expect("the simulated database starts");
    let snapshot = seen(configured(&database, database.credentials.proxy_admin), |s| {
        findings(s).iter().any(|f| f.rule.starts_with("flow-control"))
    })
    .await;
    let said = findings(&snapshot);
    let slow = said.iter().find(|f| f.rule.starts_with("flow-control")).expect("it was seen");
    assert!(slow.severity >= Severity::Warning && format!("{slow:?}").contains("db3"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_writer_leaves_the_view_when_its_peers_notice() {
    let database = world(Scenario::WriterLost).await;
    database.step(Duration::from_secs(15));
    let snapshot = seen(configured(&database, database.credentials.proxy_admin), settled).await;
    let judged = Database::of(&snapshot).expect("a database is configured");
    assert_eq!(judged.headline(), "galera 2/3 writer db2");
    let found = findings(&snapshot);
    // The quorum holds: the next loss would stop it.
    let size = found.iter().find(|f| f.rule == "galera-size").expect("two of three");
    assert_eq!(size.severity, Severity::Warning, "{size:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_harms_is_ever_sent_and_every_statement_is_answered() {
    let database = world(Scenario::Calm).await;
    // Long enough for what is asked seldom to be asked twice.
    let rounds = |s: &Snapshot| {
        settled(s)
            && s.galera.values().all(|m| m.history.len() > 12)
            && s.proxies.values().all(|p| p.history.len() > 22)
    };
    let snapshot = seen(configured(&database, database.credentials.proxy_admin), rounds).await;
    assert_eq!(findings(&snapshot), vec![], "a calm database has nothing wrong");
    for member in snapshot.galera.values() {
        let status = member.now().expect("it answers");
        assert!(status.threads.is_some() && status.peers.len() == 3, "{status:?}");
    }
    let members = (0..3).map(Endpoint::Member);
    for endpoint in members.chain((0..2).map(Endpoint::Proxy)) {
        let heard = database.heard(endpoint);
        assert!(heard.len() > 20, "{endpoint:?} heard {heard:?}");
        for statement in heard {
            let upper = statement.to_uppercase();
            for never in ["FLUSH", "_RESET", ";", "SELECT CONFIG", "SET ", "PASSWORD"] {
                assert!(!upper.contains(never), "{endpoint:?} was sent {statement}");
            }
            let verb = upper.split_whitespace().next().unwrap_or_default().to_owned();
            assert!(["SELECT", "SHOW"].contains(&verb.as_str()), "{endpoint:?} was sent {statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_statistics_user_what_cannot_be_known_is_said() {
    let database = world(Scenario::Calm).await;
    let snapshot = seen(configured(&database, database.credentials.proxy_stats), settled).await;
    assert!(snapshot.proxies.values().all(|p| p.now().is_some()), "{:?}", snapshot.proxies);
    let said = told(&findings(&snapshot));
    assert_eq!(said, ["warning rights-missing", "warning rights-missing"], "{:?}", findings(&snapshot));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cannot_be_read_is_the_reason_of_those_who_need_it() {
    let database = world(Scenario::Calm).await;
    let mut configured = configured(&database, database.credentials.proxy_admin);
    let by = Account {
        user: "x".into(),
        password: Password::Secret(wheelhouse::cluster::Key::new("db", "login"), "password".into()),
        tls: None,
    };
    configured.members_by = Ok(by);
    let snapshot = seen(configured, |s| {
        s.galera.values().count() == 3
            && s.galera.values().all(|m| m.link.trouble().is_some())
            && s.proxies.values().all(|p| p.now().is_some())
    })
    .await;
    for member in snapshot.galera.values() {
        assert!(member.link.trouble().is_some_and(|why| why.contains("db/login")), "{member:?}");
    }
}

#[test]
fn the_commands_say_it_and_never_a_password() {
    let home = Home::new();
    let config = home.path("demo.toml").display().to_string();
    let served = home.serve(&[
        "--tenants",
        "4",
        "--nodes",
        "3",
        "--speed",
        "1",
        "--scenario",
        "galera-all-down",
        "--config-out",
        &config,
    ]);
    let secrets: Vec<String> = ["galera", "proxysql"]
        .iter()
        .map(|of| format!("{}.{of}-password", served.kubeconfig()))
        .map(|path| std::fs::read_to_string(path).expect("a password file").trim().to_owned())
        .collect();
    let grastate = home.path("grastate.dat");
    let uuid = "0a3f1c6e-5b1e-11ef-8f0b-3b1f0c2d4e5f";
    std::fs::write(&grastate, format!("uuid:    {uuid}\nseqno:   1234\nsafe_to_bootstrap: 1\n"))
        .expect("a file");
    let run = |code: i32, arguments: &[&str]| {
        let mut all = vec!["--config", config.as_str()];
        all.extend(arguments);
        let output = home.command(&all).env("WHEELHOUSE_LOG", "trace").output().expect("the binary starts");
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        for secret in &secrets {
            assert!(
                secret.len() > 8 && !out.contains(secret) && !err.contains(secret),
                "{arguments:?} tells"
            );
        }
        (out, err)
    };
    let (out, _) = run(0, &["database", "-o", "json"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["headline"], "galera DOES NOT ANSWER");
    let members = json["members"].as_array().expect("members").clone();
    assert_eq!(members.len(), 3);
    let promised = ["name", "state", "primary", "role", "receive_queue", "flow_control", "age"];
    let besides = [
        "component",
        "cluster_size",
        "cluster_view",
        "weight",
        "flow_control_sender",
        "certification_failures",
        "brute_force_aborts",
        "last_committed",
        "gcache_transactions",
        "gcache_seconds",
        "connections",
        "version",
        "uptime",
    ];
    for key in promised.into_iter().chain(besides) {
        assert!(members.iter().all(|m| m.get(key).is_some()), "{key} is missing in {members:?}");
    }
    assert_eq!(json["proxies"].as_array().map(Vec::len), Some(2));
    for key in ["hostgroups", "drift", "sessions", "statements", "clients", "max_clients"] {
        let proxies = json["proxies"].as_array().expect("proxies");
        assert!(proxies.iter().all(|p| p.get(key).is_some()), "{key} is missing in {proxies:?}");
    }
    let backends = json["backends"].as_array().expect("backends").clone();
    assert!(!backends.is_empty());
    for key in ["proxy", "part", "member", "hostgroup", "address", "status", "used", "errors", "latency_us"] {
        assert!(backends.iter().all(|b| b.get(key).is_some()), "{key} is missing in {backends:?}");
    }
    let (out, _) = run(0, &["database"]);
    assert!(out.starts_with("galera DOES NOT ANSWER\n"), "{out}");
    let (out, _) = run(2, &["check"]);
    assert!(out.starts_with("WHEELHOUSE CRITICAL - ") && out.lines().count() == 1, "{out}");
    assert!(
        out.contains(
            "0/4 tenants served (the database refuses writes), 3/3 nodes ready, galera DOES NOT ANSWER"
        ),
        "{out}"
    );
    let (out, _) = run(0, &["galera", "recovery"]);
    assert!(out.contains("RECOVERY SHEET: no member answers") && out.contains("--wsrep-recover"), "{out}");
    let file = grastate.display().to_string();
    let (_, err) = run(2, &["galera", "recovery", "--grastate", &file]);
    assert!(err.contains("MEMBER="), "{err}");
    let first = members[0]["address"].as_str().expect("an address");
    let (out, _) = run(0, &["galera", "recovery", "--grastate", &format!("{first}={file}")]);
    assert!(out.contains(uuid) && out.contains("1234"), "{out}");
    let (out, _) = run(0, &["status"]);
    assert!(out.contains("nodes ready · galera DOES NOT ANSWER\n"), "{out}");
    let (out, _) = run(0, &["status", "-o", "json"]);
    let status: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(status["database"], "galera DOES NOT ANSWER");
    let files = std::fs::read_dir(home.path("state/wheelhouse")).expect("the state folder");
    let files: Vec<_> = files.map(|entry| entry.expect("a file").path()).collect();
    assert!(files.iter().any(|path| path.extension().is_some_and(|e| e == "log")), "{files:?}");
    for path in files.iter().filter(|path| !path.to_string_lossy().ends_with("-password")) {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{} tells", path.display());
    }
    std::fs::write(
        &config,
        std::fs::read_to_string(&config).expect("the file").replace("galera-password", "gone"),
    )
    .expect("the file");
    // Of what nobody can read nothing is known: that is no success.
    let (out, _) = run(1, &["database"]);
    assert!(out.contains("there is no password file"), "{out}");
    assert!(out.contains("quorum not known") && !out.contains("no quorum"), "{out}");
}

#[test]
fn a_check_without_a_cluster_is_unknown() {
    let home = Home::new();
    let output = home.run(&["check", "--kubeconfig", "/nonexistent/kubeconfig"]);
    let (out, _) = text(&output);
    assert_eq!(output.status.code(), Some(3), "{out}");
    assert!(out.starts_with("WHEELHOUSE UNKNOWN - "), "{out}");
    let output = home.run(&["database"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("no database is configured"));
}

#[test]
fn the_database_is_named_by_environment_and_flags_over_the_file() {
    let home = Home::new();
    let config = home.path("demo.toml").display().to_string();
    let served = home.serve(&["--tenants", "2", "--nodes", "2", "--config-out", &config]);
    let written = std::fs::read_to_string(&config).expect("the file");
    let written = Config::parse(&written).expect("a configuration");
    let mut members = written.galera.members.iter().map(ToString::to_string).collect::<Vec<_>>();
    members.sort_unstable();
    let user = written.galera.login.user.clone().expect("a user");
    let password = format!("{}.galera-password", served.kubeconfig());
    let named = |arguments: &[&str], members: &str, user: &str| {
        let mut command = home.command(&[&["database", "-o", "json"], arguments].concat());
        command.env("WHEELHOUSE_GALERA_MEMBERS", members).env("WHEELHOUSE_GALERA_USER", user);
        let output = command.env("WHEELHOUSE_GALERA_PASSWORD_FILE", &password).output().expect("it starts");
        let (out, err) = text(&output);
        let json: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
        let rows = json["members"].as_array().expect("members").clone();
        let mut rows: Vec<_> = rows.iter().map(|m| (m["address"].clone(), m["state"].clone())).collect();
        rows.sort_by_key(|(address, _)| address.to_string());
        rows
    };
    // By the environment alone.
    let seen = named(&[], &members.join(","), &user);
    assert_eq!(seen, members.iter().map(|m| (m.as_str().into(), "synced".into())).collect::<Vec<_>>());
    // A flag over the environment over the file.
    let seen = named(&["--config", &config, "--galera-user", &user], &members[1], "nobody-such");
    assert_eq!(seen, [(members[1].as_str().into(), "synced".into())]);
    let seen = named(&["--config", &config, "--galera-members", &members[2]], &members[1], &user);
    assert_eq!(seen, [(members[2].as_str().into(), "synced".into())]);
    let output = home.run(&["database", "--galera-members", "db 1"]);
    let (_, err) = text(&output);
    assert!(output.status.code() == Some(2) && err.contains("db1:3306"), "{err}");
    let output = home.run(&["database", "--galera-password", "secret"]);
    assert_eq!(output.status.code(), Some(2), "a password is no argument");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_is_told_in_its_time_and_delays_no_other() {
    let database = world(Scenario::Calm).await;
    database.fault(Endpoint::Member(0), Some(simulated::Fault::Hang));
    let hung = database.members[0].to_string();
    let others = |s: &Snapshot| {
        s.galera.values().filter(|m| m.name.as_str() != hung).map(|m| m.history.len()).collect::<Vec<_>>()
    };
    let configured = configured(&database, database.credentials.proxy_admin);
    let begun = std::time::Instant::now();
    let of = |s: &Snapshot| s.galera.values().find(|m| m.name.as_str() == hung).and_then(|m| m.trouble);
    let snapshot = seen(configured, |s| of(s).is_some()).await;
    let took = begun.elapsed();
    assert_eq!(of(&snapshot), Some(wheelhouse::cluster::Trouble::Silent));
    assert!(
        took < Duration::from_secs(8),
        "its deadline is 3 s to connect and 1 s to find out why: {took:?}"
    );
    // Every 50 ms on an idle machine; a machine that is busy may do a fifth of it.
    let rounds = others(&snapshot);
    assert!(rounds.len() == 2 && rounds.iter().all(|r| *r >= 12), "{rounds:?} within {took:?}");
    let asked = database.with(|s| s.greeted.clone());
    let once = [Endpoint::Member(1), Endpoint::Member(2), Endpoint::Proxy(0), Endpoint::Proxy(1)];
    assert!(once.iter().all(|endpoint| asked.get(endpoint) == Some(&1)), "one connection each: {asked:?}");
}

#[test]
fn the_files_of_a_demo_go_with_it() {
    let home = Home::new();
    let served = home.serve(&["--tenants", "2", "--nodes", "2"]);
    let folder = served.kubeconfig.parent().expect("a folder").to_owned();
    let secrets = || {
        let entries = std::fs::read_dir(&folder).expect("the folder");
        entries
            .filter(|e| e.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().contains("password")))
            .count()
    };
    assert_eq!(secrets(), 2);
    assert!(served.end("TERM").success());
    assert_eq!(secrets(), 0);
}

#[test]
fn the_help_says_what_is_true_of_the_database() {
    let text = wheelhouse::cli::help::topic("database").expect("a topic").markdown();
    let block = crate::readme::blocks(&text, "toml")[0];
    let config = Config::parse(block).expect("a configuration");
    assert_eq!((config.galera.members.len(), config.proxysql.addresses.len()), (3, 2));
    // The real members' tests log in with exactly these.
    let (look, act) = crate::galera::grants();
    let least = ["CREATE USER ", "GRANT PROCESS ON *.* ", "GRANT SELECT ON mysql.wsrep_cluster_members "];
    assert!(
        look.len() == 3 && look.iter().zip(least).all(|(given, least)| given.starts_with(least)),
        "{look:?}"
    );
    assert_eq!(act, ["GRANT SUPER ON *.* TO wheelhouse@'%'"]);
}

/// The incident of the README, as it is typed there.
#[test]
fn the_recovery_sheet_is_fed_with_what_the_members_left() {
    let home = Home::new();
    let config = home.path("lost.toml").display().to_string();
    let _served = home.serve(&["--scenario", "galera-no-quorum", "--tenants", "4", "--config-out", &config]);
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        let output = command.env("WHEELHOUSE_CONFIG", &config).output().expect("the binary starts");
        text(&output).0
    };
    assert!(run(&["database"]).contains("no quorum"));
    let bare = run(&["galera", "recovery"]);
    assert!(bare.contains("db2") && bare.contains("position not known"), "{bare}");
    let fed = |n: u32| format!("db{n}={}", home.path(&format!("lost.db{n}.recovered")).display());
    let sheet = run(&["galera", "recovery", "--recovered", &fed(2), "--recovered", &fed(3)]);
    assert!(sheet.contains("MOST ADVANCED") && !sheet.contains("position not known"), "{sheet}");
    assert!(!home.path("lost.db1.recovered").exists(), "that one answers");
}
