//! The simulated members against a real one: the same questions, the ones our source sends, must have answers of the same
//! columns, names and shapes.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;
use wheelhouse::{
    demo::database::{self as simulated, Endpoint, Options, Scenario},
    live::database::{Endpoints, observe},
    wire::sql::{Answer, Login, Sql},
};

use super::lab::{Lab, NOBODY, PATIENCE, WATCHER};

/// How the names of floats end.
const FLOATS: &[&str] =
    &["_avg", "_paused", "_distance", "_interval", "_window", "_oooe", "_oool", "PROGRESS"];

/// What a value looks like.
fn shape(text: Option<&str>) -> &'static str {
    let Some(text) = text else { return "null" };
    let uuid = |t: &str| t.len() == 36 && t.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    let socket = |t: &str| t.rsplit_once(':').is_some_and(|(host, port)| !host.contains(' ') && digits(port));
    match text {
        "" => "empty",
        "ON" | "OFF" => "switch",
        _ if digits(number) => "integer",
        _ if number.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b)) => "decimal",
        _ if uuid(text) => "uuid",
        _ if text.contains(" = ") => "options",
        _ if text.split(',').all(socket) => "addresses",
        _ => "text",
    }
}

/// The shapes of an answer: by name where it is names and values, otherwise by column.
fn shapes(answer: &Answer) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut all: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for row in &answer.rows {
        for (column, value) in answer.columns.iter().zip(row) {
            let name = match (&answer.columns[..], column.as_str()) {
                ([name, _], "Value") if name == "Variable_name" => row[0].clone().unwrap_or_default(),
                _ => column.clone(),
            };
            // A float without a fraction is written as an integer.
            let shape = match shape(value.as_deref()) {
                "integer" | "decimal" if FLOATS.iter().any(|end| name.ends_with(end)) => "float",
                shape => shape,
            };
            all.entry(name).or_default().insert(shape);
        }
    }
    all
}

fn of(login: simulated::Login, at: std::net::SocketAddr) -> Login {
    let (user, password) = login;
    let password = Some(password.to_owned().into());
    Login { host: at.ip().to_string(), port: at.port(), user: user.into(), password, tls: None }
}

/// Asks the simulated members and a real one what our source asks.
pub async fn answers_like_a_real_member(lab: &Lab) {
    let calm = Options { scenario: Scenario::Calm, ..Options::default() };
    let demo = simulated::start(calm).await.expect("the simulated database starts");
    let (at, by) = (demo.members[0], demo.credentials);
    let (into, mut news) = mpsc::channel(100);
    let members = vec![("db1".into(), of(by.monitor, at))];
    let tasks = observe(Endpoints { members, proxies: vec![], every: PATIENCE }, into);
    let sent = |statement: &str| demo.heard(Endpoint::Member(0)).iter().any(|s| s.contains(statement));
    while !sent("PROCESSLIST") {
        tokio::time::timeout(PATIENCE, news.recv()).await.expect("the source asks").expect("it lives");
    }
    drop(tasks);
    let mut questions: Vec<_> = demo.heard(Endpoint::Member(0));
    // What is asked by who acts.
    questions
        .extend(["SELECT @@global.wsrep_desync", "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'"].map(str::to_owned));
    assert!(questions.len() >= 6, "{questions:?}");
    let (mut ours, mut real) = (Sql::new(of(by.monitor, at)), Sql::new(lab.login(1, WATCHER)));
    let mut differ = Vec::new();
    for question in &questions {
        let (ours, real) =
            (ours.ask(question).await.expect("an answer"), real.ask(question).await.expect("an answer"));
        assert!(!ours.rows.is_empty(), "{question}");
        if ours.columns != real.columns {
            differ.push(format!("{question}: columns {:?} and {:?}", ours.columns, real.columns));
        }
        let (ours, real) = (shapes(&ours), shapes(&real));
        for name in ours.keys().chain(real.keys()).collect::<BTreeSet<_>>() {
            match (ours.get(name), real.get(name)) {
                (Some(ours), Some(real)) if ours.is_subset(real) => {}
                (ours, real) => differ.push(format!("{question}: {name} is {ours:?} and {real:?}")),
            }
        }
    }
    assert!(differ.is_empty(), "simulated and real:\n{}", differ.join("\n"));
    // What is refused, and with which code.
    let refused = [
        (by.monitor, WATCHER, "SET GLOBAL wsrep_desync = ON"),
        (by.monitor, WATCHER, "SELECT * FROM information_schema.METADATA_LOCK_INFO"),
        (by.bare, NOBODY, "SELECT node_uuid FROM mysql.wsrep_cluster_members"),
        (by.bare, NOBODY, "SET GLOBAL wsrep_desync = ON"),
    ];
    for (their, user, statement) in refused {
        let ours = Sql::new(of(their, at)).ask(statement).await.expect_err("it is refused");
        let real = Sql::new(lab.login(1, user)).ask(statement).await.expect_err("it is refused");
        assert_eq!(ours.kind, real.kind, "{statement}: {ours} {real}");
    }
}
