use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::cluster::{
    EndpointSlice, Freshness, Key, LinkState, Slice, Snapshot, Trouble,
    platform::{Around, Component, ComponentKey, ComponentKind, Facts, Judged, Platform},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_925_000 + seconds).unwrap()
}

/// What `mysql -E` prints: rows under lines of stars, `NULL` for NULL.
fn rows(text: &str) -> Table {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("***") {
            rows.push(Vec::new());
            continue;
        }
        let first = rows.len() == 1;
        let (Some((name, value)), Some(row)) = (line.split_once(':'), rows.last_mut()) else { continue };
        if first {
            columns.push(name.trim().to_owned());
        }
        row.push(Some(value.trim().to_owned()).filter(|value| value != "NULL"));
    }
    Table::new(columns, rows)
}

/// The variables, as `SHOW GLOBAL VARIABLES` has them.
fn variables(text: &str) -> Table {
    let row = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim().strip_prefix("@@")?;
        Some(vec![Some(name.to_owned()), Some(value.trim().to_owned())])
    };
    Table::new(vec!["Variable_name".into(), "Value".into()], text.lines().filter_map(row).collect())
}

macro_rules! facts {
    ($state:literal, $node:literal) => {
        ReplicaFacts::read(
            &variables(include_str!(concat!(
                "../../../../tests/captures/platform/mysql/",
                $state,
                ".",
                $node,
                ".vars.txt"
            ))),
            Some(&rows(include_str!(concat!(
                "../../../../tests/captures/platform/mysql/",
                $state,
                ".",
                $node,
                ".all_slaves_status.txt"
            )))),
            None,
            at(0),
        )
    };
}

/// A primary at 127.0.5.1 and two replicas.
struct Lab {
    seen: Snapshot,
}

impl Lab {
    fn new() -> Self {
        let wanted = |n: u8| Wanted {
            name: format!("db-{n}").into(),
            address: format!("127.0.5.{n}:3306").into(),
            machine: None,
        };
        let around = Around { replicas: [1, 2, 3].map(wanted).to_vec(), ..Around::default() };
        let mut seen = Snapshot { around: Arc::new(around), at: at(0), ..Snapshot::default() };
        seen.platform = Slice { freshness: Freshness::Live { since: at(0) }, ..Slice::default() };
        Self { seen }
    }

    fn healthy() -> Self {
        Self::new()
            .with(1, facts!("healthy", "n1"))
            .with(2, facts!("healthy", "n2"))
            .with(3, facts!("healthy", "n3"))
    }

    fn put(mut self, n: u8, of: impl FnOnce(&Component) -> Component) -> Self {
        let key = ComponentKey::new(ComponentKind::Replica, format!("db-{n}"));
        let before = self.seen.platform.items.get(&key).cloned();
        let before = before.map_or_else(|| Component::new(key.clone()), |component| (*component).clone());
        self.seen.platform.items.insert(key, Arc::new(of(&before)));
        self.seen.surveyed.forget();
        self
    }

    fn with(self, n: u8, facts: ReplicaFacts) -> Self {
        let now = self.seen.at;
        self.put(n, |before| before.read(Facts::Replica(facts), None, now))
    }

    fn silent(self, n: u8) -> Self {
        self.put(n, |before| before.failed(Trouble::Silent, "it hangs", at(1)))
    }

    fn of(&self, n: u8) -> Judged {
        let platform = Platform::of(&self.seen);
        platform.components.iter().find(|row| *row.key.name == *format!("db-{n}")).unwrap().said[0].clone()
    }

    fn numbers(&self, n: u8) -> Vec<(&'static str, String)> {
        let platform = Platform::of(&self.seen);
        platform.components.iter().find(|row| *row.key.name == *format!("db-{n}")).unwrap().numbers.clone()
    }
}

fn told(judged: &Judged) -> (LinkState, Option<&str>, &str) {
    (judged.state, judged.rule, &judged.text)
}

#[test]
fn a_primary_has_no_row_and_its_replicas_are_near() {
    let lab = Lab::healthy();
    assert_eq!(told(&lab.of(1)), (LinkState::Ok, None, "is the primary of 2 replicas"));
    assert_eq!(told(&lab.of(2)), (LinkState::Ok, None, "follows db-1"));
    let numbers = lab.numbers(2);
    assert!(numbers.contains(&("behind", "0 s".into())), "{numbers:?}");
    assert!(numbers.contains(&("transactions missing", "0".into())), "{numbers:?}");
    // Columns of MySQL 8 say the same.
    let text = include_str!("../../../../tests/captures/platform/mysql/healthy.n2.all_slaves_status.txt");
    let new = text
        .replace("Seconds_Behind_Master", "Seconds_Behind_Source")
        .replace("Slave_", "Replica_")
        .replace("Master_", "Source_");
    assert_ne!(text, new);
    let read = |text: &str| rows(text).lines().map(Channel::read).collect::<Vec<_>>();
    assert_eq!(read(text), read(&new));
}

#[test]
fn the_statements_are_those_that_the_version_of_the_server_knows() {
    for (version, known) in [
        ("10.11.6-MariaDB-1:10.11.6+maria~deb12-log", "SLAVE"),
        ("5.7.44-log", "SLAVE"),
        ("8.0.21", "SLAVE"),
        ("8.0.22", "REPLICA"),
        ("8.4.0", "REPLICA"),
        ("9.1.0-debug", "REPLICA"),
        ("", "SLAVE"),
    ] {
        for (facts, thread) in [(facts!("sql_stopped", "n2"), "SQL"), (facts!("io_stopped", "n2"), "IO")] {
            let facts = ReplicaFacts { version: Some(version.into()), ..facts };
            let remedy = Lab::healthy().with(2, facts).of(2).remedy.expect("a remedy");
            assert!(remedy.contains(&format!("`START {known} {thread}_THREAD`")), "{version}: {remedy}");
        }
    }
}

#[test]
fn null_is_worse_than_any_number() {
    let lag = Lab::healthy().with(2, facts!("lag", "n2")).of(2);
    assert_eq!(lag.state, LinkState::Ok, "5 s are near: {}", lag.text);
    for (facts, text) in [
        (facts!("io_stopped", "n2"), "has stopped fetching from db-1; how far it is behind is not known"),
        (
            facts!("sql_stopped", "n2"),
            "has stopped applying: its SQL thread does not run; how far it is behind is not known",
        ),
    ] {
        let lab = Lab::healthy().with(2, facts);
        assert_eq!(told(&lab.of(2)), (LinkState::Broken, Some("platform-replica-stopped"), text));
        assert!(lab.numbers(2).contains(&("behind", "NULL".into())));
    }
    let mut far = facts!("lag", "n2");
    far.channels.as_mut().unwrap()[0].behind = Some(45);
    let far = Lab::healthy().with(2, far).of(2);
    assert_eq!(
        told(&far),
        (
            LinkState::Warning,
            Some("platform-replica-lag"),
            "is 45s behind db-1 (Waiting for table metadata lock)"
        )
    );
}

#[test]
fn values_of_rows_do_not_stand_in_what_is_told() {
    let stopped = Lab::healthy().with(2, facts!("sql_error", "n2")).of(2);
    assert_eq!(stopped.rule, Some("platform-replica-stopped"));
    assert!(
        stopped.text.contains("error 1062") && stopped.text.contains("Duplicate entry … for key …"),
        "{}",
        stopped.text
    );
    assert!(!stopped.text.contains("'6'"), "{}", stopped.text);
    let denied = Lab::healthy().with(3, facts!("io_wrong_password", "n3")).of(3);
    assert_eq!(denied.state, LinkState::Broken);
    assert!(denied.text.starts_with("cannot fetch from its primary db-1 (error 1045"), "{}", denied.text);
}

#[test]
fn no_row_is_no_replica_and_not_a_good_one() {
    let gone = ReplicaFacts { channels: Some(vec![]), ..facts!("healthy", "n2") };
    let lab = Lab::healthy().with(2, gone.clone());
    let (state, rule, text) = (lab.of(2).state, lab.of(2).rule, lab.of(2).text);
    assert_eq!((state, rule), (LinkState::Broken, Some("platform-replica-stopped")));
    assert!(text.starts_with("is no replica (SHOW REPLICA STATUS has no row)"), "{text}");
    let lab = Lab::healthy().with(2, ReplicaFacts { read_only: Some(false), ..gone });
    assert!(
        lab.of(2).text.starts_with("follows nobody, nobody follows it, and it takes writes"),
        "{}",
        lab.of(2).text
    );
}

#[test]
fn nought_seconds_are_worth_nothing_while_the_primary_hangs() {
    let lab = Lab::healthy().with(2, facts!("primary_hung_3s", "n2")).silent(1);
    let primary = lab.of(1);
    assert_eq!((primary.state, primary.rule), (LinkState::Broken, Some("platform-replica-down")));
    assert!(
        primary.text.ends_with("it is the primary of 2 replicas: nobody takes writes"),
        "{}",
        primary.text
    );
    // It has noticed: error 0 at 3 s.
    let noticed = lab.of(2);
    assert_eq!(noticed.state, LinkState::Warning);
    assert_eq!(noticed.text, "cannot reach its primary db-1, which does not answer here either");
    // It has not, and says 0.
    let unaware = lab.of(3);
    assert_eq!(
        told(&unaware),
        (
            LinkState::Warning,
            Some("platform-replica-lag"),
            "says 0 s behind, and its primary db-1 does not answer: nothing arrives, whatever it says"
        )
    );
    let later = Lab::healthy().with(2, facts!("primary_hung_11s", "n2")).silent(1).of(2);
    assert!(later.text.contains("(error 2013"), "{}", later.text);
    let back = Lab::healthy().with(2, facts!("after_hang", "n2")).with(1, {
        let written = facts!("after_hang", "n2").written;
        ReplicaFacts { written, ..facts!("healthy", "n1") }
    });
    assert_eq!(back.of(2).state, LinkState::Ok, "{}", back.of(2).text);
}

#[test]
fn a_position_that_stands_still_tells_a_lag_that_seconds_hide() {
    // The primary has been ahead for two minutes; the replica says 0.
    let before = ReplicaFacts {
        written: Gtids::read("0-1-30"),
        before: vec![(at(0), Gtids::read("0-1-30"))],
        ..facts!("healthy", "n1")
    };
    let mut lab = Lab::healthy();
    lab.seen.at = at(120);
    let lab = lab.with(1, before).with(2, facts!("healthy", "n2"));
    let still = lab.of(2);
    assert_eq!((still.state, still.rule), (LinkState::Warning, Some("platform-replica-lag")));
    assert_eq!(still.text, "says 0 s behind, and has had nothing of db-1 for 2m: its position stands still");
    assert!(lab.numbers(2).contains(&("transactions missing", "12".into())));
}

#[test]
fn a_write_on_a_replica_is_told_by_the_server_id_before_it_stops_anything() {
    let of = |text: &str| ReplicaFacts::read(&variables(text), None, None, at(0));
    let primary = of(include_str!("../../../../tests/captures/platform/mysql/errant.n1.gtid.txt"));
    let replica = of(include_str!("../../../../tests/captures/platform/mysql/errant.n2.gtid.txt"));
    let channels = facts!("healthy", "n2").channels;
    let lab = Lab::healthy()
        .with(1, ReplicaFacts { channels: Some(vec![]), ..primary })
        .with(2, ReplicaFacts { channels, ..replica.clone() });
    let errant = lab.of(2);
    assert_eq!((errant.state, errant.rule), (LinkState::Broken, Some("platform-replica-errant")));
    assert!(
        errant.text.starts_with("holds writes of its own that db-1 does not have (0-2-24)"),
        "{}",
        errant.text
    );
    // The status looked healthy, and it took the write because it may.
    let rules: Vec<_> = Platform::of(&lab.seen).wrong().map(|j| j.rule.unwrap()).collect();
    assert_eq!(rules, ["platform-replica-errant", "platform-replica-writable"]);
    // A failover sheet does not name it.
    let sheet = failover(&lab.seen).unwrap();
    assert_eq!(sheet.promote.as_deref(), Some("db-3"), "{sheet}");
    assert!(sheet.servers[1].unfit.as_ref().unwrap().contains("0-2-24"));
    // After the failover to it the same position is nobody's fault.
    let promoted = ReplicaFacts { channels: Some(vec![]), ..replica };
    let mut old = facts!("healthy", "n2");
    (old.server_id, old.written, old.applied) = (Some(1), Gtids::read("0-2-24"), Gtids::read("0-2-24"));
    old.channels.as_mut().unwrap()[0].source_id = Some(2);
    let lab = Lab::new().with(2, promoted).with(1, old);
    assert_eq!(lab.of(1).text, "follows db-2");
}

#[test]
fn sets_of_mysql_tell_what_the_primary_does_not_have() {
    let own = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    let other = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
    let primary = Gtids::read(&format!("{own}:1-100"));
    // Newer ones of the primary itself are no fault: it was asked a moment earlier.
    assert!(Gtids::read(&format!("{own}:1-105")).errant_sets(&primary, Some(own)).is_empty());
    assert_eq!(
        Gtids::read(&format!("{own}:1-90,{other}:1-3")).errant_sets(&primary, Some(own)),
        [format!("3 of {other}")]
    );
}

#[test]
fn without_the_right_the_rest_is_known_and_the_right_is_named() {
    let lab = Lab::healthy().with(2, ReplicaFacts { channels: None, ..facts!("healthy", "n2") });
    let missing = lab.of(2);
    assert_eq!((missing.state, missing.rule), (LinkState::Notice, Some("platform-replica-right")));
    assert!(missing.remedy.unwrap().contains("SLAVE MONITOR"));
    assert_eq!(lab.of(1).text, "is the primary of 1 replica");
}

#[test]
fn the_sheet_fences_first_and_names_the_most_advanced() {
    let mut ahead = facts!("healthy", "n3");
    (ahead.applied, ahead.channels.as_mut().unwrap()[0].fetched) =
        (Gtids::read("0-1-19"), Gtids::read("0-1-20"));
    let lab = Lab::healthy().with(3, ahead).silent(1);
    let sheet = failover(&lab.seen).unwrap();
    assert_eq!(sheet.promote.as_deref(), Some("db-3"));
    assert_eq!(sheet.steps[0].on.as_ref(), "db-1");
    let text = sheet.to_string();
    for part in [
        "FAILOVER  the primary db-1 does not answer: it hangs",
        "db-3  127.0.5.3:3306  replica, position 0-1-19; 1 fetched and not applied",
        "db-3 holds all that the other replicas hold: 0-1-19",
        "db-1 was at 0-1-18 when it last answered",
        "until it is fenced",
        "CHANGE MASTER TO MASTER_HOST='127.0.5.3', MASTER_PORT=3306, MASTER_USE_GTID=slave_pos",
        "wheelhouse runs none of it",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // One that does not answer may hold more.
    let sheet = failover(&lab.silent(3).seen).unwrap();
    assert_eq!(sheet.promote.as_deref(), Some("db-2"));
    assert!(
        sheet.unproven.iter().any(|line| line == "db-3 does not answer: it may hold more than the others")
    );
}

#[test]
fn services_lead_to_the_server_that_takes_writes_and_to_replicas_that_replicate() {
    let with = |rw: &[&str], ro: &[&str], lab: Lab| {
        let mut lab = lab;
        let mut around = (*lab.seen.around).clone();
        around.read_write = Some(Key::new("db", "mysql-rw"));
        around.read_only = Some(Key::new("db", "mysql-ro"));
        lab.seen.around = Arc::new(around);
        for (name, hosts) in [("mysql-rw", rw), ("mysql-ro", ro)] {
            let key = Key::new("db", format!("{name}-abc"));
            let slice = EndpointSlice {
                key: key.clone(),
                service: Some(name.into()),
                total: 1,
                ready: 1,
                ports: vec![],
                elsewhere: hosts.iter().map(|host| Arc::from(*host)).collect(),
            };
            lab.seen.endpoint_slices.items.insert(key, Arc::new(slice));
        }
        lab.seen.surveyed.forget();
        let platform = Platform::of(&lab.seen);
        let told = platform.wrong().filter(|judged| judged.rule == Some("platform-replica-service"));
        told.map(|judged| format!("{} {}", judged.key.name, judged.text)).collect::<Vec<_>>()
    };
    let healthy = Lab::healthy;
    assert!(with(&["127.0.5.1"], &["127.0.5.2", "127.0.5.3"], healthy()).is_empty());
    assert_eq!(
        with(&["127.0.5.2"], &["127.0.5.3"], healthy()),
        ["db-2 is where the read-write Service db/mysql-rw leads, and is read-only: writes fail (1290)"]
    );
    assert_eq!(
        with(&["127.0.5.1", "127.0.5.2"], &[], healthy()),
        ["db-2 is behind the read-write Service db/mysql-rw, as 1 other server: one alone should be"]
    );
    assert_eq!(
        with(&["127.0.5.1"], &["127.0.5.1", "127.0.5.2"], healthy().with(2, facts!("io_stopped", "n2"))),
        [
            "db-1 is the primary and behind the read-only Service db/mysql-ro",
            "db-2 is still behind the read-only Service db/mysql-ro: clients read what is old or strayed"
        ]
    );
    // Of two that take writes neither is where it should lead alone.
    let writable = ReplicaFacts { read_only: Some(false), ..facts!("healthy", "n2") };
    assert_eq!(
        with(&["127.0.5.1", "127.0.5.2"], &[], healthy().with(2, writable)),
        [
            "db-1 is behind the read-write Service db/mysql-rw, as 1 other server: one alone should be",
            "db-2 is behind the read-write Service db/mysql-rw, as 1 other server: one alone should be"
        ]
    );
    // While the primary is away nothing arrives anywhere: that is told once, of the replicas.
    let away = healthy().with(2, facts!("primary_hung_3s", "n2")).silent(1);
    assert!(with(&["127.0.5.1"], &["127.0.5.2", "127.0.5.3"], away).is_empty());
    // What is not configured is not compared.
    assert!(with(&["192.0.2.1"], &[], healthy()).is_empty());
}

#[test]
fn a_service_that_leads_to_none_of_the_servers_is_not_known() {
    let mut lab = Lab::healthy();
    let around = Around { read_write: Some(Key::new("db", "mysql-rw")), ..(*lab.seen.around).clone() };
    lab.seen.around = Arc::new(around);
    let primary = lab.of(1);
    assert_eq!(
        told(&primary),
        (
            LinkState::Unknown,
            None,
            "the read-write Service db/mysql-rw leads to none of the servers configured: where is not known"
        )
    );
}

/// Sets of MySQL: the primary `a`, and another server `b`.
fn mysql(uuid: &str, executed: &str, fetched: Option<&str>) -> ReplicaFacts {
    let name = |text: &str| {
        let (a, b) = ("3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562");
        text.replace("a", "A").replace("b", b).replace("A", a)
    };
    let mut facts = facts!("healthy", "n2");
    (facts.version, facts.uuid) = (Some("8.0.39".into()), Some(name(uuid).into()));
    (facts.written, facts.applied) = (Gtids::read(&name(executed)), Gtids::read(&name(executed)));
    match fetched {
        Some(fetched) => facts.channels.as_mut().unwrap()[0].fetched = Gtids::read(&name(fetched)),
        None => (facts.channels, facts.server_id) = (Some(vec![]), Some(1)),
    }
    facts
}

#[test]
fn the_sheet_does_not_name_a_replica_of_mysql_with_writes_of_its_own() {
    let lab = Lab::new()
        .with(1, mysql("a", "a:1-100", None))
        .with(2, mysql("b", "a:1-100,b:1-3", Some("a:90-100")))
        .with(3, mysql("c", "a:1-99", Some("a:90-100")));
    assert_eq!(lab.of(2).rule, Some("platform-replica-errant"));
    let sheet = failover(&lab.silent(1).seen).unwrap();
    assert!(sheet.servers[1].unfit.as_ref().unwrap().contains("writes of its own (3 of"), "{sheet}");
    assert_eq!(sheet.promote.as_deref(), Some("db-3"));
    // The commands are those of MySQL.
    let text = sheet.to_string();
    assert!(text.contains("systemctl stop mysql") && text.contains("gtid_executed"), "{text}");
    assert!(!text.contains("mariadb") && !text.contains("gtid_binlog_pos"), "{text}");
}

#[test]
fn what_is_applied_and_what_is_fetched_count_together() {
    let lab = Lab::new()
        .with(1, mysql("a", "a:1-120", None))
        .with(2, mysql("b", "a:1-100", Some("a:90-120")))
        .with(3, mysql("c", "a:1-110", Some("a:90-110")));
    let sheet = failover(&lab.silent(1).seen).unwrap();
    assert_eq!(sheet.promote.as_deref(), Some("db-2"), "{sheet}");
}

#[test]
fn a_primary_that_was_never_heard_leaves_writes_of_their_own_unproven() {
    let lab = Lab::new().silent(1).with(2, facts!("healthy", "n2"));
    let sheet = failover(&lab.seen).unwrap();
    assert_eq!(sheet.promote.as_deref(), Some("db-2"));
    let line = "db-2 may hold writes of its own: its primary has never said what it holds";
    assert!(sheet.unproven.iter().any(|told| told == line), "{sheet}");
}
