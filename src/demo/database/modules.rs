//! The tables of ProxySQL's configuration: which are kept in layers, and which are loaded and saved together.

/// Tables that exist in memory, runtime and on disk.
pub(super) const LAYERED: [&str; 9] = [
    "mysql_servers",
    "mysql_galera_hostgroups",
    "mysql_users",
    "mysql_query_rules",
    "global_variables",
    "proxysql_servers",
    "scheduler",
    "mysql_hostgroup_attributes",
    "mysql_servers_ssl_params",
];

/// Tables that are loaded and saved together.
pub(super) struct Module {
    pub name: &'static str,
    pub tables: &'static [&'static str],
    /// Its name in `runtime_checksums_values`.
    pub checksum: Option<&'static str>,
}

pub(super) const MODULES: &[Module] = &[
    Module { name: "ADMIN VARIABLES", tables: &["global_variables"], checksum: Some("admin_variables") },
    Module { name: "MYSQL VARIABLES", tables: &["global_variables"], checksum: Some("mysql_variables") },
    Module {
        name: "MYSQL SERVERS",
        tables: &[
            "mysql_servers",
            "mysql_galera_hostgroups",
            "mysql_hostgroup_attributes",
            "mysql_servers_ssl_params",
        ],
        checksum: Some("mysql_servers_v2"),
    },
    Module { name: "MYSQL USERS", tables: &["mysql_users"], checksum: Some("mysql_users") },
    Module { name: "MYSQL QUERY RULES", tables: &["mysql_query_rules"], checksum: Some("mysql_query_rules") },
    Module { name: "PROXYSQL SERVERS", tables: &["proxysql_servers"], checksum: Some("proxysql_servers") },
    Module { name: "SCHEDULER", tables: &["scheduler"], checksum: None },
];
