//! Every rule of the database speaks in one world and is silent in the healthy one; says what it means, and what answers
//! it; and its threshold is in the configuration.

mod alike;
mod members;
mod proxies;
pub mod worlds;

use wheelhouse::{
    cluster::{Answer, Finding, RULES, Snapshot, findings},
    config::Config,
};

use super::{behind, finding, healthy, later, now, proxy_rows, rules, said};
use worlds::*;

/// A case: the rule, its world, words of what it says, words of what answers it, and the act of ours that does.
type Case = (&'static str, Snapshot, &'static str, &'static str, Option<Answer>);

fn of_the_database() -> Vec<&'static str> {
    let from = RULES.iter().position(|r| r.name == "galera-no-quorum").expect("the rule");
    RULES[from..].iter().map(|r| r.name).collect()
}

#[test]
fn every_rule_speaks_where_it_must_and_says_what_answers_it() {
    let cases = [members::cases(), proxies::cases(), alike::cases()].concat();
    let calm = findings(&behind("healthy", healthy()));
    assert!(calm.iter().all(|f| f.rule == "rights-missing"), "{calm:?}");
    for (rule, snapshot, text, remedy, act) in &cases {
        let found = findings(snapshot);
        let said = |f: &&Finding| {
            let words = f.remedy.as_deref().unwrap_or_default();
            f.rule == *rule && f.text.contains(text) && words.contains(remedy)
        };
        let hit =
            found.iter().find(said).unwrap_or_else(|| panic!("{rule}: “{text}”, “{remedy}” in {found:#?}"));
        match act {
            Some(act) => assert_eq!(hit.answer, Some(*act), "{hit:?}"),
            None => assert!(matches!(hit.answer, None | Some(Answer::Database)), "{hit:?}"),
        }
        for finding in found.iter().filter(|f| of_the_database().contains(&f.rule)) {
            let words = finding.remedy.as_deref().unwrap_or_default();
            assert!(
                finding.text.len() > 10 && words.len() > 10,
                "it says what it means and what answers it: {finding:?}"
            );
            assert!(!words.contains("FLUSH STATUS"), "{finding:?}");
        }
    }
    let spoken = |rule: &&'static str| cases.iter().any(|(name, ..)| name == rule);
    let silent: Vec<_> = of_the_database().into_iter().filter(|rule| !spoken(rule)).collect();
    assert!(silent.is_empty(), "no case for {silent:?}");
}

#[test]
fn every_threshold_of_the_configuration_silences_its_rule() {
    let crowd = || alone(vec![crowded("85")], 1.0);
    let saturated = || behind("saturation", healthy());
    let two = || fronted(vec![answers(|rows| rows.servers = servers(["ONLINE", "ONLINE", "SHUNNED"], "1"))]);
    // Read again, and nothing was checked in between.
    let idle = || {
        let mut snapshot = fronted(vec![answers(|_| {}).answered(&proxy_rows("healthy"), later(7.0))]);
        snapshot.at = later(7.0);
        snapshot
    };
    let cases: Vec<(&str, &str, Snapshot)> = vec![
        (
            "unsynced=1h",
            "member-unsynced",
            alone(
                vec![
                    said("desynced_peer", 1, now()),
                    said("healthy", 2, now()).answered(&super::rows("desynced", 2), later(1.0)),
                ],
                20.0,
            ),
        ),
        (
            "queue=1000",
            "queue-growing",
            alone(vec![counted(1, "wsrep_local_recv_queue", &["200", "300", "400"])], 3.0),
        ),
        ("flow-control=0.15", "flow-control", alone(throttled(12), 1.0)),
        (
            "gcache-window=1s",
            "gcache-window",
            alone(vec![counted(1, "wsrep_received_bytes", &["0", "2097152", "4194304"])], 2.0),
        ),
        ("conflicts=10", "conflicts", alone(vec![counted(1, "wsrep_local_cert_failures", &["0", "3"])], 1.0)),
        ("commits-still=1m", "commits-blocked", alone(vec![blocked()], 5.0)),
        ("lock-wait=1m", "lock-holder", alone(vec![locked(true, "6")], 1.0)),
        ("connections=0.9", "member-connections", crowd()),
        ("clients-waiting=1h", "clients-waiting", saturated()),
        ("commits-still=1m", "commits-blocked", alone(vec![waiting()], 5.0)),
        ("connections=0.9", "clients-waiting", full_of_clients("1740")),
        ("missed-checks=10", "monitor-failing", idle()),
    ];
    let settings = |setting: &str| [format!("galera.thresholds.{setting}")];
    for (setting, rule, snapshot) in cases {
        assert!(rules(&findings(&snapshot)).contains(&rule), "{rule}: {:?}", findings(&snapshot));
        let [setting] = settings(setting);
        let raised = configured(snapshot, &[&setting]);
        assert!(!rules(&findings(&raised)).contains(&rule), "{setting}: {:?}", findings(&raised));
    }
    // The two that say how grave it is, and the one that says when.
    let severity = |snapshot: &Snapshot, rule: &str| finding(&findings(snapshot), rule).severity;
    use wheelhouse::cluster::Severity::{Critical, Warning};
    assert_eq!(severity(&alone(throttled(12), 1.0), "flow-control"), Warning);
    assert_eq!(severity(&alone(throttled(20), 1.0), "flow-control"), Critical);
    assert!(!rules(&findings(&alone(throttled(4), 1.0))).contains(&"flow-control"));
    let low = configured(alone(throttled(12), 1.0), &["galera.thresholds.flow-control-critical=0.1"]);
    assert_eq!(severity(&low, "flow-control"), Critical);
    let low = configured(crowd(), &["galera.thresholds.connections-critical=0.85"]);
    assert_eq!(
        (severity(&crowd(), "member-connections"), severity(&low, "member-connections")),
        (Warning, Critical)
    );
    let (many, most) = (full_of_clients("1740"), full_of_clients("1946"));
    let low = configured(full_of_clients("1740"), &["galera.thresholds.connections-critical=0.84"]);
    assert_eq!([many, most, low].map(|s| severity(&s, "clients-waiting")), [Warning, Critical, Critical]);
    assert!(!rules(&findings(&full_of_clients("1600"))).contains(&"clients-waiting"));
    assert_eq!(severity(&two(), "two-writers"), Warning);
    let mut lasting = two();
    lasting.at = later(4.0);
    assert_eq!(severity(&lasting, "two-writers"), Critical);
    assert_eq!(
        severity(&configured(lasting, &["galera.thresholds.writers-settle=1m"]), "two-writers"),
        Warning
    );
}

#[test]
fn an_applier_in_the_state_of_a_past_schema_change_waits_for_a_lock_unless_there_is_one_now() {
    let found = findings(&alone(vec![stuck(&[])], 1.0));
    let text = &finding(&found, "lock-holder").text;
    assert!(text.starts_with("an applier has waited 6 s for a lock, "), "{text}");
    let state = "Waiting to execute in isolation";
    let alter: &[&str] =
        &["7", "system user", "", "Sleep", "6", state, "ALTER TABLE t.b FORCE", "1", "2", "5"];
    let found = findings(&alone(vec![stuck(&[alter])], 1.0));
    assert!(!rules(&found).contains(&"lock-holder"), "{found:?}");
}

#[test]
fn the_help_names_every_rule_and_every_threshold() {
    let text = |topic| wheelhouse::cli::help::topic(topic).expect("a topic").markdown();
    let (findings, configuration) = (text("findings"), text("configuration"));
    for rule in of_the_database() {
        assert!(findings.contains(&format!("| `{rule}` |")), "the help does not tell of {rule}");
        let told = findings.lines().find(|line| line.starts_with(&format!("| `{rule}` |")));
        assert!(told.is_some_and(|line| line.contains("Answer: ")), "what answers {rule} is not told");
    }
    let config = Config::default().to_toml();
    let (_, thresholds) = config.split_once("[galera.thresholds]\n").expect("the section");
    for key in
        thresholds.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split(" =").next())
    {
        assert!(configuration.contains(&format!("| `{key}` | ")), "the help does not tell what {key} is for");
        assert!(findings.contains(&format!("`{key}`")), "no finding tells that {key} is its threshold");
    }
}
