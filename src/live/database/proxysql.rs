//! Asks one ProxySQL, at its admin port.
//!
//! Table names stand in lower case (the tables are filled when their name is found in the statement, as written); never
//! a `*_reset` table (reading one resets the counters), never `SELECT CONFIG` (it tells every password), and of users
//! and variables names only. What is dear or changes seldom is asked every tenth round, and what differs between the layers
//! also when the servers that run have changed: whoever has just changed one wants to save it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::source::{self, optional, table};
use crate::{
    cluster::{Layers, Observation, Proxy, ProxyRows, Seen, Table, Trouble},
    wire::sql::{Failure, Sql},
};

const SERVERS: &str = "SELECT hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, \
    max_replication_lag, use_ssl, max_latency_ms, comment FROM runtime_mysql_servers";
const POOL: &str = "SELECT hostgroup, srv_host, srv_port, status, ConnUsed, ConnFree, ConnERR, Queries, Latency_us \
                    FROM stats_mysql_connection_pool";
const CHECKS: &str = "SELECT hostname, port, time_start_us, primary_partition, wsrep_local_recv_queue, \
    wsrep_local_state, error, CAST(strftime('%s', 'now') AS INTEGER) AS now FROM monitor.mysql_server_galera_log ORDER BY time_start_us DESC LIMIT 50";
const GLOBAL: &str = "SELECT Variable_Name, Variable_Value FROM stats_mysql_global WHERE Variable_Name IN \
                      ('ProxySQL_Uptime', 'Client_Connections_connected')";
const SESSIONS: &str = "SELECT hostgroup, srv_host, srv_port, command, \
    CASE WHEN srv_host IS NULL THEN NULL ELSE user END AS holder, CASE WHEN srv_host IS NULL THEN NULL ELSE db END AS schema, \
    COUNT(*) AS sessions, MAX(CAST(time_ms AS INTEGER)) AS longest_ms FROM stats_mysql_processlist \
    GROUP BY hostgroup, srv_host, srv_port, command, holder, schema";
const HOSTGROUPS: &str = "SELECT writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, \
    active, max_writers, writer_is_also_reader, max_transactions_behind FROM runtime_mysql_galera_hostgroups";
const CONNECTS: &str = "SELECT hostname, port, time_start_us, connect_error FROM monitor.mysql_server_connect_log \
                        ORDER BY time_start_us DESC LIMIT 50";
const ERRORS: &str =
    "SELECT hostname, port, errno, count_star, last_seen FROM stats_mysql_errors WHERE errno = 1047";
const SETTINGS: &str = "SELECT variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN \
    ('mysql-max_connections', 'mysql-monitor_galera_healthcheck_interval', 'mysql-monitor_enabled', 'admin-read_only')";
const DISK: &str = "SELECT hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, \
    max_replication_lag, use_ssl, max_latency_ms, comment FROM disk.mysql_servers";
const CHECKSUMS: &str = "SELECT name, checksum FROM runtime_checksums_values";
const DIGESTS: &str = "SELECT hostgroup, schemaname, digest_text, count_star, sum_time FROM stats_mysql_query_digest \
                       ORDER BY CAST(sum_time AS INTEGER) DESC LIMIT 40";
const VERSION: &str = "SELECT @@version";

/// What is dear or changes seldom is asked every so many rounds.
const SELDOM: u64 = 10;

/// What is compared between layers: the table, its name in runtime, what is shown of a difference, and the columns that
/// are configuration. Of servers not the hostgroup and the state: the monitor moves them. Of users not the password.
const LAYERED: &[(&str, &str, &str, &str)] = &[
    (
        "mysql_servers",
        "runtime_mysql_servers",
        "hostname || ':' || port",
        "hostname, port, weight, max_connections, use_ssl, max_latency_ms",
    ),
    (
        "mysql_query_rules",
        "runtime_mysql_query_rules",
        "'rule ' || rule_id",
        "rule_id, active, username, schemaname, match_digest, match_pattern, destination_hostgroup, apply",
    ),
    (
        "mysql_users",
        "runtime_mysql_users",
        "username",
        "username, active, default_hostgroup, max_connections, transaction_persistent",
    ),
    (
        "global_variables",
        "runtime_global_variables",
        "variable_name",
        // As what they mean: `1` on a disk is `true` at runtime.
        "variable_name, CASE WHEN lower(variable_value) IN ('1','on','yes','true') THEN 'true' \
         WHEN lower(variable_value) IN ('0','off','no','false') THEN 'false' ELSE variable_value END",
    ),
];

/// One proxy, and what is remembered between two rounds.
pub(super) struct Source {
    sql: Sql,
    round: u64,
    connection: u64,
    /// The admin tables may be read, on this connection.
    admin: bool,
    servers: Option<Table>,
}

impl source::Source for Source {
    type Known = Proxy;

    fn new(sql: Sql) -> Self {
        Self { sql, round: 0, connection: 0, admin: true, servers: None }
    }

    async fn ask(&mut self, before: &Proxy) -> Result<Proxy, Failure> {
        let rows = self.read().await?;
        Ok(before.answered(&rows, Timestamp::now()))
    }

    fn failed(before: &Proxy, trouble: Trouble, why: &str) -> Proxy {
        before.failed(trouble, why, Timestamp::now())
    }

    fn news(proxy: Proxy) -> Observation {
        Observation::Proxy(Seen::Put(proxy.name.clone(), proxy))
    }
}

impl Source {
    /// One round of questions, over one connection.
    async fn read(&mut self) -> Result<ProxyRows, Failure> {
        let begun = Instant::now();
        let pool = table(self.sql.ask(POOL).await?);
        let took = begun.elapsed();
        if self.sql.connections() != self.connection {
            self.connection = self.sql.connections();
            self.admin = true;
            self.round = 0;
        }
        let servers = match self.admin {
            true => optional(&mut self.sql, SERVERS).await?,
            false => None,
        };
        self.admin = servers.is_some();
        let mut rows = ProxyRows {
            servers,
            pool,
            checks: optional(&mut self.sql, CHECKS).await?.unwrap_or_default(),
            global: optional(&mut self.sql, GLOBAL).await?.unwrap_or_default(),
            sessions: optional(&mut self.sql, SESSIONS).await?.unwrap_or_default(),
            took,
            ..ProxyRows::default()
        };
        if self.admin {
            rows.hostgroups = optional(&mut self.sql, HOSTGROUPS).await?;
        }
        if self.round.is_multiple_of(SELDOM) {
            self.seldom(&mut rows).await?;
        } else if self.admin && rows.servers != self.servers {
            rows.drift = Some(drift(&mut self.sql).await?);
            rows.disk = optional(&mut self.sql, DISK).await?;
        }
        self.servers.clone_from(&rows.servers);
        self.round += 1;
        Ok(rows)
    }

    async fn seldom(&mut self, rows: &mut ProxyRows) -> Result<(), Failure> {
        let sql = &mut self.sql;
        rows.version = optional(sql, VERSION).await?.and_then(|t| first(&t));
        rows.connects = optional(sql, CONNECTS).await?;
        rows.errors = optional(sql, ERRORS).await?;
        rows.digests = optional(sql, DIGESTS).await?;
        if self.admin {
            rows.variables = optional(sql, SETTINGS).await?;
            rows.checksums = optional(sql, CHECKSUMS).await?;
            rows.disk = optional(sql, DISK).await?;
            rows.drift = Some(drift(sql).await?);
        }
        Ok(())
    }
}

async fn drift(sql: &mut Sql) -> Result<Vec<(Arc<str>, Layers, Table)>, Failure> {
    let mut found = Vec::new();
    for (name, runtime, what, columns) in LAYERED {
        let memory = format!("main.{name}");
        let disk = format!("disk.{name}");
        for (layers, one, other) in [
            (Layers::MemoryRuntime, memory.as_str(), *runtime),
            (Layers::RuntimeDisk, *runtime, disk.as_str()),
        ] {
            let either = |a: &str, b: &str| {
                format!(
                    "SELECT {what} AS what FROM (SELECT {columns} FROM {a} EXCEPT SELECT {columns} FROM {b})"
                )
            };
            let statement = format!("{} UNION {}", either(one, other), either(other, one));
            if let Some(rows) = optional(sql, &statement).await? {
                found.push(((*name).into(), layers, rows));
            }
        }
    }
    Ok(found)
}

fn first(table: &Table) -> Option<Arc<str>> {
    let line = table.lines().next()?;
    line.text("@@version").or_else(|| line.text("version()")).map(Into::into)
}
