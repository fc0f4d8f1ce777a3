//! What each scenario of the simulated database must show through the whole program: the line and the exit code of
//! `check`, the fields of `database -o json`, the words of every finding, and the header of the screen.
//!
//! The worlds stand still, so that nothing of it depends on the moment. Addresses are told by what stands there.

use serde_json::Value;
use wheelhouse::config::{Config, ProxyEntry};

use crate::program::Demo;

/// A member: its name, state, role, whether it is in the primary component, and whether reads go to it.
type Member = (&'static str, &'static str, &'static str, bool, bool);
/// A finding: how loud, which rule, about whom, and words of it.
type Said = (&'static str, &'static str, &'static str, &'static str);

const LISTED: bool = true;
const READS: bool = true;

/// What a scenario must show.
struct Signs {
    scenario: &'static str,
    /// Exit code of `check`, and the word of its line.
    check: (i32, &'static str),
    headline: &'static str,
    /// Size of the primary view, its weight, and how many more losses it survives.
    quorum: Option<(u64, u64, u64)>,
    members: [Member; 3],
    /// Where both proxies send writes.
    writes: &'static [&'static str],
    next_writer: Option<&'static str>,
    findings: &'static [Said],
}

const CALM: [Member; 3] = [
    ("db1", "synced", "writer", LISTED, !READS),
    ("db2", "synced", "next-writer", LISTED, READS),
    ("db3", "synced", "standby", LISTED, READS),
];
const DOWN: &str = "does not answer: refuses connections: no server runs there";

/// A served scenario whose addresses can be told.
struct Stage {
    demo: Demo,
    names: Vec<(String, String)>,
}

impl Stage {
    fn new(scenario: &str, speed: &str) -> Self {
        let demo =
            Demo::database(&format!("--tenants 2 --nodes 3 --seed 7 --speed {speed} --scenario {scenario}"));
        let written = std::fs::read_to_string(demo.home.path("demo.toml")).expect("the file");
        let config = Config::parse(&written).expect("a configuration");
        let members = config.galera.members.iter().map(ToString::to_string).zip(["db1", "db2", "db3"]);
        let proxies = config.proxysql.addresses.iter().map(|place| match place {
            ProxyEntry::Direct(address) => address.to_string(),
            ProxyEntry::Service { .. } => panic!("the demo names addresses"),
        });
        let names = members.chain(proxies.zip(["proxy1", "proxy2"]));
        let names = names.map(|(address, name)| (address, name.to_owned())).collect();
        Self { demo, names }
    }

    /// Names instead of addresses.
    fn told(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (address, name)| text.replace(address, name))
    }
}

/// In a world that stands still everything lasts: nothing is to be found only because the program looked for long.
const PATIENT: [&str; 6] = [
    "--set",
    "galera.thresholds.commits-still=1h",
    "--set",
    "galera.thresholds.unsynced=1h",
    "--set",
    "galera.thresholds.writers-settle=1h",
];

fn shows(signs: &Signs) -> Stage {
    let stage = Stage::new(signs.scenario, "0");
    let patient = |line: &[&'static str]| [line, &PATIENT].concat();
    let (out, _) = stage.demo.run(0, &patient(&["database", "-o", "json"]));
    let json: Value = serde_json::from_str(&stage.told(&out)).expect("JSON");
    assert_eq!(json["headline"], signs.headline);
    let quorum = &json["quorum"];
    assert_eq!((&quorum["expected"], &quorum["expected_weight"]), (&3.into(), &3.into()), "{quorum}");
    let primary = quorum["primary"].as_bool().expect("known").then(|| {
        let of = |field: &str| quorum[field].as_u64().expect("a number");
        (of("size"), of("weight"), of("safe_losses"))
    });
    assert_eq!(primary, signs.quorum, "{quorum}");
    for (address, state, role, primary, reads) in signs.members {
        let all = json["members"].as_array().expect("members");
        let member = all.iter().find(|m| m["address"] == address).expect("the member");
        let found = ["name", "state", "role", "primary", "reads"].map(|field| member[field].clone());
        // What is not known is null, and never a zero.
        let answers = !state.contains("down") && !state.contains("no answer");
        let primary = if answers { primary.into() } else { Value::Null };
        let expected: [Value; 5] = [address.into(), state.into(), role.into(), primary, reads.into()];
        assert_eq!(found, expected);
        for field in ["receive_queue", "flow_control", "age", "last_committed", "version"] {
            assert_eq!(member[field].is_null(), !answers, "{field}: {member}");
        }
        assert_eq!(member["trouble"].is_null(), answers, "{member}");
    }
    for proxy in ["proxy1", "proxy2"] {
        assert_eq!(json["writers"][proxy], Value::from(signs.writes.to_vec()), "{proxy}");
    }
    assert_eq!(json["next_writer"], Value::from(signs.next_writer));
    assert!(json["proxies"].as_array().expect("proxies").iter().all(|p| p["answers"] == true), "{json}");
    let findings: Vec<_> = json["findings"].as_array().expect("findings").iter().collect();
    let word = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
    let brief: Vec<_> = findings
        .iter()
        .map(|f| (word(f, "severity"), word(f, "rule"), word(&f["subject"], "name")))
        .collect();
    let mut expected: Vec<_> =
        signs.findings.iter().map(|(s, r, a, _)| ((*s).into(), (*r).into(), (*a).into())).collect();
    // Of one rule those come first whose address does, which the system chose.
    let sorted = |list: &mut Vec<(String, String, String)>| {
        let order: Vec<_> = list.iter().map(|(_, rule, _)| rule.clone()).collect();
        list.sort_by_key(|(s, rule, about)| (order.iter().position(|r| r == rule), s.clone(), about.clone()));
    };
    let mut brief = brief;
    sorted(&mut brief);
    sorted(&mut expected);
    assert_eq!(brief, expected);
    for (_, rule, about, words) in signs.findings {
        let words = words.replace("ADDRESS", about);
        let said = |f: &&&Value| word(f, "rule") == *rule && word(&f["subject"], "name") == *about;
        let texts: Vec<_> = findings.iter().filter(said).map(|f| word(f, "text")).collect();
        assert!(texts.iter().any(|text| text.contains(&words)), "{rule}: {words:?} is not in {texts:?}");
    }
    let (code, grade) = signs.check;
    let (out, _) = stage.demo.run(code, &patient(&["check"]));
    let line = stage.told(&out);
    // Where the database refuses everybody, no tenant serves its users.
    let refuses = signs.findings.iter().any(|(_, rule, ..)| ["galera-no-quorum", "no-writer"].contains(rule));
    let tenants = match refuses {
        true => "0/2 tenants served (the database refuses writes)",
        false => "2/2 tenants ready",
    };
    let whole = format!("WHEELHOUSE {grade} - {tenants}, 3/3 nodes ready, {}", signs.headline);
    assert!(line.starts_with(&whole) && line.lines().count() == 1, "{line}");
    if let Some((_, _, about, words)) = signs.findings.first() {
        assert!(line.contains(&format!("; {about}: {}", words.replace("ADDRESS", about))), "{line}");
    }
    let in_view = signs.quorum.map_or(0, |(size, _, _)| size);
    let (_, measured) = line.split_once(" | ").expect("performance data");
    assert!(measured.contains(&format!("members_in_view={in_view};;;0;3 ")), "{line}");
    // The header has fewer words for it.
    let brief = signs.headline.replace("DOES NOT ANSWER", "NO ANSWER");
    let terminal = stage.demo.home.terminal(&stage.demo.on(&PATIENT), 120, 30);
    terminal.wait("all of the header", |s| s.contains("fails:") && s.contains(&brief));
    drop(terminal);
    stage
}

#[test]
fn calm() {
    shows(&Signs {
        scenario: "calm",
        check: (0, "OK"),
        headline: "galera 3/3 writer db1",
        quorum: Some((3, 3, 1)),
        members: CALM,
        writes: &["db1"],
        next_writer: Some("db2"),
        findings: &[],
    });
}

#[test]
fn galera_degraded() {
    shows(&Signs {
        scenario: "galera-degraded",
        check: (1, "WARNING"),
        headline: "galera 2/3 writer db1",
        quorum: Some((2, 2, 0)),
        members: [CALM[0], CALM[1], ("db3", "down", "offline", !LISTED, !READS)],
        writes: &["db1"],
        next_writer: Some("db2"),
        findings: &[
            ("warning", "member-down", "db3", DOWN),
            (
                "warning",
                "galera-size",
                "galera",
                "2 of 3 members: quorum 2 of 3 weights, the next loss stops everything",
            ),
            ("notice", "member-unknown", "db3", "configured, and not among the members the cluster lists"),
        ],
    });
}

#[test]
fn galera_no_quorum() {
    const NO_READER: &str = "no backend ONLINE in reader hostgroup 30: reads wait and fail";
    const NO_WRITER: &str = "every proxy sends the writes here, and it takes none: no quorum: sees nobody else and refuses everything";
    let stage = shows(&Signs {
        scenario: "galera-no-quorum",
        check: (2, "CRITICAL"),
        headline: "galera NO QUORUM",
        quorum: None,
        // The proxies still send writes to it: their monitor leaves the last one standing.
        members: [
            ("db1", "no quorum", "writer", !LISTED, !READS),
            ("db2", "down", "offline", !LISTED, !READS),
            ("db3", "down", "offline", !LISTED, !READS),
        ],
        writes: &["db1"],
        next_writer: None,
        findings: &[
            (
                "critical",
                "galera-no-quorum",
                "galera",
                "no quorum: 1 of 3 members answer and none is in a primary component; everything is refused",
            ),
            ("critical", "no-writer", "db1", NO_WRITER),
            ("critical", "readers-empty", "proxy1", NO_READER),
            ("critical", "readers-empty", "proxy2", NO_READER),
            ("critical", "member-down", "db2", DOWN),
            ("critical", "member-down", "db3", DOWN),
            ("critical", "clients-waiting", "proxy1", "24 clients wait for a backend connection"),
            ("critical", "clients-waiting", "proxy2", "24 clients wait for a backend connection"),
        ],
    });
    let (sheet, _) = stage.demo.run(0, &["galera", "recovery"]);
    assert!(stage.told(&sheet).contains("pc.bootstrap"), "{sheet}");
}

#[test]
fn galera_all_down() {
    const NO_READER: &str = "no backend ONLINE in reader hostgroup 30: reads wait and fail";
    const NO_WRITER: &str = "no backend ONLINE in the writer hostgroup: writes fail";
    let stage = shows(&Signs {
        scenario: "galera-all-down",
        check: (2, "CRITICAL"),
        headline: "galera DOES NOT ANSWER",
        quorum: None,
        members: [
            ("db1", "down", "shunned", !LISTED, !READS),
            ("db2", "down", "offline", !LISTED, !READS),
            ("db3", "down", "offline", !LISTED, !READS),
        ],
        writes: &[],
        next_writer: None,
        findings: &[
            ("critical", "galera-no-quorum", "galera", "none of 3 members answers"),
            ("critical", "no-writer", "proxy1", NO_WRITER),
            ("critical", "no-writer", "proxy2", NO_WRITER),
            ("critical", "readers-empty", "proxy1", NO_READER),
            ("critical", "readers-empty", "proxy2", NO_READER),
            ("critical", "member-down", "db1", DOWN),
            ("critical", "member-down", "db2", DOWN),
            ("critical", "member-down", "db3", DOWN),
            ("critical", "clients-waiting", "proxy1", "24 clients wait for a backend connection"),
            ("critical", "clients-waiting", "proxy2", "24 clients wait for a backend connection"),
            ("warning", "backend-shunned", "db1", "shunned by errors in hostgroup 10 of proxy1"),
            ("warning", "backend-shunned", "db1", "shunned by errors in hostgroup 10 of proxy2"),
        ],
    });
    let (sheet, _) = stage.demo.run(0, &["galera", "recovery"]);
    assert!(
        sheet.contains("RECOVERY SHEET: no member answers") && sheet.contains("--wsrep-recover"),
        "{sheet}"
    );
}

#[test]
fn proxysql_drift() {
    shows(&Signs {
        scenario: "proxysql-drift",
        check: (1, "WARNING"),
        headline: "galera 3/3 writer db1",
        quorum: Some((3, 3, 1)),
        members: CALM,
        writes: &["db1"],
        next_writer: Some("db2"),
        findings: &[
            (
                "warning",
                "proxy-drift",
                "proxy1",
                "global_variables: runtime differs from disk: loaded, not saved, gone after a restart: \
                 mysql-max_connections",
            ),
            ("warning", "proxies-differ", "proxysql", "run different mysql_variables, servers (db3)"),
            (
                "notice",
                "proxy-drift",
                "proxy1",
                "mysql_servers: memory differs from runtime: edited, not loaded: db2",
            ),
            (
                "notice",
                "proxy-drift",
                "proxy2",
                "mysql_query_rules: memory differs from runtime: edited, not loaded: rule 200",
            ),
        ],
    });
}

#[test]
fn writer_lost() {
    let signs = Signs {
        scenario: "writer-lost",
        check: (1, "WARNING"),
        // Its peers have not noticed yet; the proxies have.
        headline: "galera 3/3 writer db2",
        quorum: Some((3, 3, 1)),
        members: [
            ("db1", "no answer, peers list it", "offline", !LISTED, !READS),
            ("db2", "synced", "writer", LISTED, !READS),
            ("db3", "synced", "next-writer", LISTED, READS),
        ],
        writes: &["db2"],
        next_writer: Some("db3"),
        findings: &[(
            "warning",
            "member-down",
            "db1",
            "does not answer us, but its peers list it as a member: refuses connections: no server runs there",
        )],
    };
    shows(&signs);
    // When time passes they notice.
    let stage = Stage::new("writer-lost", "20");
    let terminal = stage.demo.home.terminal(&stage.demo.on(&[]), 120, 30);
    terminal.wait_for("galera 2/3 writer db2");
    // The next loss does harm, this one does not: a warning.
    let (line, _) = stage.demo.run(1, &["check"]);
    let told = stage.told(&line);
    assert!(told.contains("galera 2/3 writer db2;") && told.contains("galera: 2 of 3 members"), "{line}");
}

#[test]
fn flow_control() {
    // The share is that of an interval: time must pass.
    let stage = Stage::new("flow-control", "1");
    let (line, _) = stage.demo.run(2, &["check"]);
    let line = stage.told(&line);
    assert!(line.starts_with("WHEELHOUSE CRITICAL - ") && line.contains("galera 3/3 writer db1"), "{line}");
    assert!(line.contains("; db3: all writes paused ") && line.contains(" % of the time for db3"), "{line}");
    let (out, _) = stage.demo.run(0, &["database", "-o", "json"]);
    let json: Value = serde_json::from_str(&stage.told(&out)).expect("JSON");
    for member in json["members"].as_array().expect("members") {
        let share = member["flow_control"].as_f64().expect("measured");
        assert!((0.2..0.8).contains(&share), "all are paused by the slowest: {member}");
        let waits = member["receive_queue"].as_u64().expect("known") > 16;
        assert_eq!(waits, member["name"] == "db3", "{member}");
    }
    let finding = &json["findings"][0];
    assert_eq!((&finding["rule"], &finding["answer"]), (&"flow-control".into(), &"desync".into()));
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(1), "{json}");
    let terminal = stage.demo.home.terminal(&stage.demo.on(&[]), 120, 30);
    terminal.wait_for("galera 3/3 writer db1");
    terminal.wait_for("all writes paused");
}
