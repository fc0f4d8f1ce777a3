//! The tables of ProxySQL's admin databases, made from the columns recorded on a real one. Pure.

use std::{collections::BTreeMap, net::SocketAddr};

use rusqlite::Connection;

use super::modules::LAYERED;

/// Tables of the configuration whose rows the simulation does not have: in memory, at runtime and on disk.
const UNUSED: [&str; 9] = [
    "mysql_aws_aurora_hostgroups",
    "mysql_firewall_whitelist_rules",
    "mysql_firewall_whitelist_sqli_fingerprints",
    "mysql_firewall_whitelist_users",
    "mysql_group_replication_hostgroups",
    "mysql_query_rules_fast_routing",
    "mysql_replication_hostgroups",
    "restapi_routes",
    "mysql_collations",
];

/// Other tables without rows, by their database.
const EMPTY: [(&str, &str); 7] = [
    ("main", "coredump_filters"),
    ("main", "runtime_coredump_filters"),
    ("disk", "global_settings"),
    ("stats", "stats_mysql_gtid_executed"),
    ("monitor", "mysql_server_aws_aurora_check_status"),
    ("monitor", "mysql_server_aws_aurora_failovers"),
    ("monitor", "mysql_server_aws_aurora_log"),
];

/// Tables that exist and are empty.
fn empty() -> impl Iterator<Item = (&'static str, String)> {
    let unused = UNUSED.into_iter().flat_map(|table| {
        // Collations are compiled in: nothing of them is loaded.
        let runtime = (table != "mysql_collations").then(|| ("main", format!("runtime_{table}")));
        [("main", table.to_owned()), ("disk", table.to_owned())].into_iter().chain(runtime)
    });
    unused.chain(EMPTY.map(|(schema, table)| (schema, table.to_owned())))
}

/// Creates every table for the admin user in `admin`, and for the stats user in `stats`.
pub(super) fn create(admin: &Connection, stats: &Connection) {
    let mut columns: BTreeMap<(&str, &str), Vec<Vec<&str>>> = BTreeMap::new();
    for line in include_str!("columns.tsv").lines() {
        let fields: Vec<_> = line.split('\t').collect();
        if let [schema, table, ..] = fields[..] {
            columns.entry((schema, table)).or_default().push(fields);
        }
    }
    for ((schema, table), columns) in &columns {
        let body = body(columns);
        let made = |schema: &str, table: &str| format!("CREATE TABLE {schema}.{table} {body}");
        match *schema {
            "main" if LAYERED.contains(table) => {
                for schema in ["main", "disk", "live"] {
                    run(admin, &recorded(schema, table).unwrap_or_else(|| made(schema, table)));
                }
                run(admin, &made("main", &format!("runtime_{table}")));
            }
            "main" if *table == "runtime_checksums_values" => run(admin, &made("main", table)),
            "stats" => {
                run(admin, &made("stats", table));
                run(stats, &made("main", table));
                let reset = format!("{table}_reset");
                if RESET.contains(table) {
                    run(admin, &made("stats", &reset));
                    run(stats, &made("main", &reset));
                }
            }
            "monitor" => {
                run(admin, &made("monitor", table));
                run(stats, &made("monitor", table));
            }
            "stats_history" => run(admin, &made("stats_history", table)),
            _ => {}
        }
    }
    for (schema, table) in empty() {
        run(admin, &format!("CREATE TABLE {schema}.{table} (comment VARCHAR)"));
        match schema {
            "stats" => run(stats, &format!("CREATE TABLE main.{table} (comment VARCHAR)")),
            "monitor" => run(stats, &format!("CREATE TABLE monitor.{table} (comment VARCHAR)")),
            _ => {}
        }
    }
    let variables = "CREATE TABLE {}.global_variables (variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL);
                     INSERT INTO {}.global_variables VALUES ('mysql-max_allowed_packet','4194304')";
    run(admin, &variables.replace("{}", "stats"));
    run(stats, &variables.replace("{}", "main"));
}

/// Statistics that can also be read with a reset.
const RESET: [&str; 5] = [
    "stats_mysql_client_host_cache",
    "stats_mysql_connection_pool",
    "stats_mysql_errors",
    "stats_mysql_query_digest",
    "stats_proxysql_message_metrics",
];

fn run(connection: &Connection, sql: &str) {
    connection.execute_batch(sql).expect("the recorded schema is valid");
}

/// The recorded text of a table, with its constraints.
fn recorded(schema: &str, table: &str) -> Option<String> {
    let start = format!("CREATE TABLE {table} (");
    let text =
        include_str!("ddl.sql").split("\n;").map(str::trim_start).find(|text| text.starts_with(&start))?;
    Some(text.replacen(table, &format!("{schema}.{table}"), 1))
}

/// The columns of a table, from lines of schema, table, number, name, type, not null, default, place in the key.
fn body(columns: &[Vec<&str>]) -> String {
    let mut parts = Vec::new();
    let mut key = Vec::new();
    for column in columns {
        let [_, _, _, name, kind, required, default, place] = column[..] else { continue };
        let required = if required == "1" { " NOT NULL" } else { "" };
        let default = if default == "None" { String::new() } else { format!(" DEFAULT {default}") };
        parts.push(format!("{name} {kind}{required}{default}"));
        if place != "0" {
            key.push((place, name));
        }
    }
    if !key.is_empty() {
        key.sort();
        let names: Vec<_> = key.into_iter().map(|(_, name)| name).collect();
        parts.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    format!("({})", parts.join(", "))
}

/// The variables of a configured proxy: as recorded, with accounts of its own.
pub(super) fn variables(address: SocketAddr) -> Vec<(String, String)> {
    let (admin, stats) = (super::PROXY_ADMIN, super::PROXY_STATS);
    include_str!("global_variables.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, recorded)| {
            let value = match name {
                "admin-admin_credentials" => format!("{}:{}", admin.0, admin.1),
                "admin-stats_credentials" => format!("{}:{}", stats.0, stats.1),
                "admin-cluster_username" | "admin-cluster_password" => String::new(),
                "admin-mysql_ifaces" => address.to_string(),
                "mysql-interfaces" => "0.0.0.0:6033".to_owned(),
                "mysql-monitor_username" => super::MONITOR.0.to_owned(),
                "mysql-monitor_password" => super::MONITOR.1.to_owned(),
                _ => recorded.to_owned(),
            };
            (name.to_owned(), value)
        })
        .collect()
}
