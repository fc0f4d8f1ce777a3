//! The admin port of ProxySQL against its recordings: statements, tables, layers.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use wheelhouse::demo::database::{Endpoint, Scenario};

use super::{again, begin, capture, connect, options, rows, seconds, text};

#[tokio::test]
async fn the_layers_drift_and_a_restart_takes_the_disk() {
    let database = begin(Scenario::Calm).await;
    let login = database.credentials.proxy_admin;
    let mut conn = connect(database.proxies[0], login).await;
    let rule = "SELECT 'memory', destination_hostgroup FROM mysql_query_rules WHERE rule_id=200 UNION ALL \
                SELECT 'runtime', destination_hostgroup FROM runtime_mysql_query_rules WHERE rule_id=200 UNION ALL \
                SELECT 'disk', destination_hostgroup FROM disk.mysql_query_rules WHERE rule_id=200";
    let values = async |conn: &mut Conn| {
        rows(conn, rule).await.into_iter().map(|r| r[1].clone()).collect::<Vec<_>>().join(" ")
    };
    let sums = async |conn: &mut Conn| {
        let sql =
            "SELECT name, version, checksum FROM runtime_checksums_values WHERE name='mysql_query_rules'";
        rows(conn, sql).await.remove(0)
    };
    let before = sums(&mut conn).await;
    conn.query_drop("UPDATE mysql_query_rules SET destination_hostgroup=10 WHERE rule_id=200").await.unwrap();
    assert_eq!(values(&mut conn).await, "10 30 30");
    conn.query_drop("LOAD MYSQL QUERY RULES TO RUNTIME").await.unwrap();
    assert_eq!(values(&mut conn).await, "10 10 30");
    let after = sums(&mut conn).await;
    assert_eq!((before[1].as_str(), after[1].as_str(), before[2] == after[2]), ("1", "2", false));
    let sides = async |conn: &mut Conn| {
        let disk = rows(conn, "CHECKSUM DISK MYSQL QUERY RULES").await;
        disk == rows(conn, "CHECKSUM MEMORY MYSQL QUERY RULES").await
    };
    assert!(!sides(&mut conn).await);
    // A value out of range is put back without a word.
    conn.query_drop("SET mysql-monitor_galera_healthcheck_interval=1").await.unwrap();
    let variable = "SELECT variable_value FROM global_variables WHERE variable_name='mysql-monitor_galera_healthcheck_interval'";
    assert_eq!(rows(&mut conn, variable).await, [["1"]]);
    conn.query_drop("LOAD MYSQL VARIABLES TO RUNTIME").await.unwrap();
    assert_eq!(rows(&mut conn, variable).await, [["2000"]]);
    // A lone semicolon kills the process; what was not saved is gone.
    assert!(matches!(conn.query_drop(";").await, Err(Error::Io(_) | Error::Driver(_))));
    database.step(seconds(6));
    let mut conn = again(database.proxies[0], login).await;
    assert_eq!(values(&mut conn).await, "30 30 30");
    assert!(sides(&mut conn).await);
}

/// Statements whose recorded answer depends on the moment, the machine or the load: only their form is compared.
fn only_form(statement: &str) -> bool {
    [
        "CHECKSUM",
        "SHOW DATABASES",
        "SHOW FULL PROCESSLIST",
        "SHOW PROCESSLIST",
        "EXPLAIN",
        "SELECT USER",
        "SELECT CURRENT_USER",
    ]
    .iter()
    .chain(&[
        "SHOW VARIABLES LIKE 'mysql-mon",
        "SELECT GLOBAL_CHECKSUM",
        "SELECT CONFIG",
        "SELECT * FROM mysql_servers LIMIT",
    ])
    .chain(&[
        "SELECT hostgroup,srv_port",
        "SELECT COUNT(*) FROM monitor",
        "SELECT COUNT(*) FROM mysql_server_g",
    ])
    .any(|start| statement.starts_with(start))
}

#[tokio::test]
async fn the_admin_port_answers_every_recorded_statement() {
    let database = begin(Scenario::Calm).await;
    let mut admin = connect(database.proxies[0], database.credentials.proxy_admin).await;
    let mut stats = connect(database.proxies[0], database.credentials.proxy_stats).await;
    let recording = capture("proxysql/client_compat.tsv");
    // A recorded statement may hold a line break: a record ends where it has three fields.
    let mut records: Vec<String> = Vec::new();
    for line in recording.lines() {
        match records.last_mut() {
            Some(last) if last.matches('\t').count() < 2 => *last = format!("{last}\n{line}"),
            _ => records.push(line.to_owned()),
        }
    }
    let mut compared = 0;
    for record in &records {
        let fields: Vec<_> = record.splitn(3, '\t').collect();
        let conn = match fields[0] {
            "pymysql/admin" => &mut admin,
            "pymysql/stats" => &mut stats,
            _ => continue,
        };
        let (statement, recorded) = (fields[1], fields[2]);
        let ours = match conn.query_iter(statement).await {
            Err(Error::Server(e)) => {
                let quote = if e.message.contains('\'') && !e.message.contains('"') { '"' } else { '\'' };
                let text = if quote == '\'' { e.message.replace('\'', "\\'") } else { e.message };
                format!("ERR OperationalError ({}, {quote}{text}{quote})", e.code)
            }
            Err(e) => panic!("{statement}: {e}"),
            Ok(result) if result.columns_ref().is_empty() => {
                let info = result.info().into_owned();
                let affected = result.affected_rows();
                result.drop_result().await.unwrap();
                format!("OK affected={affected} info={info}")
            }
            Ok(result) => {
                let names: Vec<_> = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
                let kinds: BTreeSet<_> = result.columns_ref().iter().map(|c| c.column_type() as u8).collect();
                let kinds: Vec<_> = kinds.into_iter().collect();
                let found: Vec<Row> = result.collect_and_drop().await.unwrap();
                let first =
                    found.first().map(|row| (0..row.len()).map(|i| text(&row[i])).collect::<Vec<_>>());
                let shown = |v: &Option<String>| v.as_ref().map_or("None".to_owned(), |v| format!("'{v}'"));
                let first = first.map_or("None".to_owned(), |row| {
                    let values: Vec<_> = row.iter().map(shown).collect();
                    format!("({}{})", values.join(", "), if values.len() == 1 { "," } else { "" })
                });
                let quoted = |name: &String| {
                    if name.contains('\'') { format!("\"{name}\"") } else { format!("'{name}'") }
                };
                let names: Vec<_> = names.iter().map(quoted).collect();
                format!("ROWS n={} cols=[{}] types={kinds:?} first={first}", found.len(), names.join(", "))
            }
        };
        let (recorded, ours) = match () {
            // `info` was recorded with its length byte.
            () if recorded.starts_with("OK ") => {
                let affected = recorded.split(' ').nth(1).unwrap();
                let info = recorded.split("ERROR: ").nth(1).map_or(String::new(), |rest| {
                    format!("ERROR: {}", rest.rsplit_once(['"', '\'']).unwrap().0)
                });
                (format!("OK {affected} info={info}"), ours)
            }
            () if only_form(statement) && recorded.starts_with("ROWS ") => {
                let form = |s: &str| {
                    let from = s.find("cols=").unwrap_or_else(|| panic!("{statement}: {s}"));
                    s[from..].split(" first=").next().unwrap().to_owned()
                };
                (form(recorded), form(&ours))
            }
            () if statement == "SHOW TABLES"
                || statement.starts_with("SELECT COUNT(*) FROM stats_mysql_query_digest_r") =>
            {
                let form =
                    |s: &str| s.split_once("cols=").unwrap().1.split(" first=").next().unwrap().to_owned();
                (form(recorded), form(&ours))
            }
            () => (recorded.to_owned(), ours),
        };
        assert_eq!(ours, recorded, "{}: {statement}", fields[0]);
        compared += 1;
    }
    assert!(compared > 110, "only {compared} statements compared");
}

#[tokio::test]
async fn the_admin_port_treats_binary_statements_and_resets_as_recorded() {
    let database = begin(Scenario::Calm).await;
    let login = database.credentials.proxy_admin;
    let mut conn = connect(database.proxies[0], login).await;
    let Err(Error::Server(e)) = conn.exec_drop("SELECT 1", ()).await else { panic!("prepared") };
    assert_eq!((e.code, e.message.as_str()), (1045, "Command not supported"));
    conn.ping().await.unwrap();
    assert!(conn.reset().await.is_err());
    // A client that asks for its settings on connecting does not get in.
    let asking = options(database.proxies[0], login).max_allowed_packet(None).wait_timeout(None);
    let Err(Error::Server(e)) = Conn::new(asking).await else { panic!("asked, and got in") };
    assert_eq!((e.code, e.message.as_str()), (1045, "ProxySQL Admin Error: near \",\": syntax error"));
    let Err(Error::Server(e)) = Conn::new(options(database.proxies[0], (login.0, "x"))).await else {
        panic!("in")
    };
    assert_eq!(e.message, "ProxySQL Error: Access denied for user 'admin'@'127.0.0.1' (using password: YES)");
}

#[tokio::test]
async fn tables_and_columns_are_the_recorded_ones() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_admin).await;
    for schema in ["main", "disk", "stats", "monitor"] {
        let theirs: Vec<_> = capture(&format!("proxysql/show_tables_{schema}.tsv"))
            .lines()
            .skip(2)
            .map(str::to_owned)
            .collect();
        let ours: Vec<_> =
            rows(&mut conn, &format!("SHOW TABLES FROM {schema}")).await.into_iter().flatten().collect();
        assert_eq!(ours, theirs, "{schema}");
    }
    for name in [
        "mysql_server_galera_log failover_t2_galera_log",
        "mysql_server_ping_log healthy_ping_log",
        "mysql_server_connect_log healthy_connect_log",
        "runtime_checksums_values healthy_runtime_checksums_values",
        "runtime_mysql_servers healthy_runtime_mysql_servers",
        "stats_mysql_connection_pool healthy_stats_mysql_connection_pool",
        "stats_mysql_errors nonprim_t18_errors",
        "stats_mysql_global healthy_stats_mysql_global",
        "stats_mysql_processlist healthy_stats_mysql_processlist",
        "stats_mysql_query_digest healthy_stats_mysql_query_digest",
        "stats_mysql_users healthy_stats_mysql_users",
        "stats_mysql_commands_counters healthy_stats_mysql_commands_counters",
    ] {
        let (table, file) = name.split_once(' ').unwrap();
        let recorded = capture(&format!("proxysql/{file}.tsv"));
        let header: Vec<_> = recorded.lines().nth(1).unwrap().split('\t').collect();
        let result = conn.query_iter(format!("SELECT * FROM {table}")).await.unwrap();
        let names: Vec<_> = result.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
        assert_eq!(names, header, "{table}");
        let ours: Vec<Row> = result.collect_and_drop().await.unwrap();
        let theirs = recorded.lines().nth(2).map(|line| line.split('\t').collect::<Vec<_>>());
        let (Some(first), Some(theirs)) = (ours.first(), theirs) else { continue };
        for (i, value) in theirs.iter().enumerate() {
            let number = |v: &str| v.parse::<f64>().is_ok();
            if let Some(ours) = text(&first[i]).filter(|_| *value != "NULL" && header[i] != "info") {
                assert_eq!(
                    number(&ours),
                    number(value),
                    "{table}.{}: {ours:?}, recorded {value:?}",
                    header[i]
                );
            }
        }
        if table == "stats_mysql_global" {
            let names = |rows: Vec<String>| {
                rows.iter().map(|r| r.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
            };
            let theirs = names(recorded.lines().skip(2).map(str::to_owned).collect());
            assert_eq!(names(ours.iter().map(|row| text(&row[0]).unwrap()).collect()), theirs);
        }
    }
}

#[tokio::test]
async fn a_table_named_in_capitals_is_not_refreshed_and_a_reset_table_resets() {
    let database = begin(Scenario::Calm).await;
    let mut conn = connect(database.proxies[0], database.credentials.proxy_stats).await;
    let lower = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='Questions'";
    let upper = lower.replace("stats_mysql_global", "STATS_MYSQL_GLOBAL");
    let first = rows(&mut conn, lower).await;
    database.step(seconds(5));
    assert_eq!(rows(&mut conn, &upper).await, first);
    assert_ne!(rows(&mut conn, lower).await, first);
    let count = "SELECT COUNT(*) FROM stats_mysql_query_digest";
    assert_eq!(rows(&mut conn, count).await, [["10"]]);
    assert_eq!(rows(&mut conn, &format!("{count}_reset")).await, [["10"]]);
    assert_eq!(rows(&mut conn, count).await, [["0"]], "even the stats user's reading resets");
    assert!(database.heard(Endpoint::Proxy(0)).iter().any(|s| s.contains("_reset")));
}
