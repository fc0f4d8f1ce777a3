//! Proxies in every captured state: roles, and what they hide.

use std::sync::Arc;

use wheelhouse::cluster::{
    Layers, Observation, Proxy, ProxyName, ProxyRows, Seen, Severity, Table, Trouble,
    database::{Database, Expectations},
    findings,
};

use super::{behind, finding, healthy, now, proxy, proxysql, rules, said, silent, world};

#[test]
fn the_role_of_each_member_is_read_from_the_hostgroups() {
    for (state, roles, headline) in [
        ("healthy", ["writer", "next writer", "standby writer, reads"], "galera 3/3 writer n1"),
        ("failover_t2", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("desync_reader", ["writer", "offline", "next writer"], "galera 3/3 writer n1"),
        ("desync_writer", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("desync_all", ["writer", "offline", "offline"], "galera 3/3 writer n1"),
        ("readonly_n3", ["writer", "next writer", "reader"], "galera 3/3 writer n1"),
        ("reject_n1", ["shunned", "writer", "next writer"], "galera 3/3 writer n2"),
        ("hang_t22", ["offline", "writer", "next writer"], "galera 3/3 writer n2"),
        ("saturation", ["writer", "next writer", "standby writer, reads"], "galera 3/3 writer n1"),
    ] {
        let seen = Database::of(&behind(state, healthy())).unwrap();
        let said: Vec<_> = seen.members.iter().map(|r| r.role_words()).collect();
        assert_eq!(said, roles, "{state}");
        assert_eq!(seen.headline(), headline, "{state}");
        assert!(seen.unknown_backends.is_empty(), "{state}");
    }
}

#[test]
fn shunned_surplus_writers_are_normal_and_shunned_by_errors_are_not() {
    let calm = findings(&behind("healthy", healthy()));
    assert!(calm.iter().all(|f| f.severity == Severity::Notice), "{calm:?}");
    let shunned = findings(&behind("reject_n1", healthy()));
    assert!(finding(&shunned, "backend-shunned").text.contains("hostgroup 10"));
}

#[test]
fn a_writer_without_quorum_is_not_a_writer() {
    // ProxySQL keeps the last member ONLINE as the writer, for ever.
    let members =
        vec![said("nonprimary_survivor", 1, now()), silent(2, Trouble::Refused), silent(3, Trouble::Refused)];
    let snapshot = behind("nonprim_t18", members);
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(seen.members[0].role_words(), "writer");
    assert_eq!(seen.members[1].role_words(), "offline");
    assert_eq!(seen.headline(), "galera NO QUORUM");
    let found = findings(&snapshot);
    assert!(finding(&found, "no-writer").text.contains("takes none: no quorum"));
    assert!(rules(&found).contains(&"galera-no-quorum") && rules(&found).contains(&"readers-empty"));
    assert!(finding(&found, "clients-waiting").text.contains("4 clients wait"));
}

#[test]
fn what_a_proxy_hides_is_found() {
    let found = findings(&behind("desync_all", healthy()));
    assert!(finding(&found, "readers-empty").text.contains("30"));
    let found = findings(&behind("saturation", healthy()));
    assert!(finding(&found, "clients-waiting").text.contains("3 clients wait"));

    let mut snapshot = behind("healthy", healthy());
    let name = ProxyName::from("ps1");
    let what = |names: &[&str]| {
        Table::new(vec!["what".into()], names.iter().map(|n| vec![Some((*n).to_owned())]).collect())
    };
    let other = ProxyName::from("ps2");
    let drifting = ProxyRows {
        drift: Some(vec![("mysql_query_rules".into(), Layers::RuntimeDisk, what(&["rule 200"]))]),
        checksums: Some(Table::new(
            vec!["name".into(), "checksum".into()],
            vec![vec![Some("mysql_query_rules".into()), Some("0x1".into())]],
        )),
        connects: Some(Table::new(
            ["hostname", "port", "time_start_us", "connect_error"].map(String::from).to_vec(),
            vec![vec![
                Some("db1".into()),
                Some("3306".into()),
                Some("5".into()),
                Some("Access denied for user 'monitor'".into()),
            ]],
        )),
        ..ProxyRows::default()
    };
    let one = Proxy::clone(&snapshot.proxies.items[&name]);
    let two = Proxy::new(other.clone()).answered(&drifting, now());
    snapshot.observe(Observation::Proxy(Seen::All(vec![(name, one), (other, two)], now())));
    let found = findings(&snapshot);
    assert!(
        finding(&found, "proxy-drift").text.contains("mysql_query_rules")
            && finding(&found, "proxy-drift").text.contains("rule 200")
    );
    assert!(finding(&found, "proxies-differ").text.contains("mysql_query_rules"));
    assert!(finding(&found, "monitor-failing").text.contains("may not log in at db1:3306"));
    assert!(finding(&found, "rights-missing").text.contains("statistics rights only"));
}

#[test]
fn with_statistics_rights_the_roles_come_from_the_configuration() {
    let rows = ProxyRows {
        pool: proxysql("healthy_stats_mysql_connection_pool"),
        checks: proxysql("healthy_galera_log"),
        ..ProxyRows::default()
    };
    let stats = Proxy::new("ps1".into()).answered(&rows, now());
    let mut snapshot = behind("healthy", healthy());
    snapshot.observe(Observation::Proxy(Seen::All(vec![("ps1".into(), stats)], now())));
    assert_eq!(Database::of(&snapshot).unwrap().headline(), "galera 3/3");
    let hostgroups =
        vec![serde_json::from_str(r#"{"writer":10,"backup":20,"reader":30,"offline":9999}"#).unwrap()];
    snapshot.database = Arc::new(Expectations { hostgroups, ..(*snapshot.database).clone() });
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(seen.headline(), "galera 3/3 writer n1");
    // Two wait and no weight is known: who is next cannot be told.
    assert_eq!(seen.next_writer, None);
}

#[test]
fn proxies_without_members_tell_what_they_know() {
    let snapshot = world(vec![], vec![proxy("healthy", "ps1", now())], now());
    let seen = Database::of(&snapshot).unwrap();
    assert_eq!(seen.headline(), "proxysql 1/1 writer 127.0.0.1:24010");
    let found = findings(&snapshot);
    assert_eq!(rules(&found), ["configuration"], "{found:?}");
    let report = seen.report(&snapshot);
    let of = |part: &str| report.backends.iter().filter(|b| b.part == Some(part)).count();
    assert_eq!((of("writer"), of("backup"), of("reader")), (3, 2, 2));
    assert!(report.backends.iter().all(|b| b.member.is_none()));
    assert_eq!(report.writers[&ProxyName::from("ps1")][0].as_str(), "127.0.0.1:24010");

    // What is wrong with the writers is still said, and what cannot be asked is not said to be wrong.
    let none = ProxyRows { servers: Some(Table::default()), ..super::proxy_rows("healthy") };
    let none = Proxy::new("ps1".into()).answered(&none, now());
    let empty = world(vec![], vec![none], now());
    assert_eq!(Database::of(&empty).unwrap().headline(), "proxysql 1/1 NO WRITER");
    assert!(rules(&findings(&empty)).contains(&"no-writer"));
    let quiet = proxy("healthy", "ps1", now()).failed(Trouble::Silent, "frozen", now());
    let quiet = world(vec![], vec![quiet], now());
    let headline = Database::of(&quiet).unwrap().headline();
    assert_eq!(headline, "proxysql 0/1");
    assert_eq!(rules(&findings(&quiet)), ["proxy-lost", "configuration"]);

    // A writer that nobody configured is a writer all the same.
    let strange = world(healthy(), vec![proxy("healthy", "ps1", now())], now());
    let headline = Database::of(&strange).unwrap().headline();
    assert_eq!(headline, "galera 3/3 writer 127.0.0.1:24010");
    assert_eq!(finding(&findings(&strange), "member-unknown").severity, Severity::Warning);
    assert!(!rules(&findings(&strange)).contains(&"no-writer"));

    // And members without proxies.
    let alone = world(healthy(), vec![], now());
    assert_eq!(Database::of(&alone).unwrap().headline(), "galera 3/3");
    assert!(finding(&findings(&alone), "configuration").text.contains("no ProxySQL is configured"));
}
