//! Fills the tables of ProxySQL's admin port just before they are read, as the real one does: by the lower-case name
//! of the table in the text of the statement. Pure.

use rusqlite::Connection;

use super::{
    dialect::refill,
    hostgroups::{Backend, Probe},
    modules::LAYERED,
    noise::checksum,
    proxysql::{Checks, ProxySql},
    servers,
};

type Row = Vec<Option<String>>;
type Source = fn(&ProxySql) -> Vec<Row>;

/// The statements of the tenants' applications: hostgroup, text, share of its hostgroup's statements in percent,
/// average microseconds, rows sent for each.
const DIGESTS: [(i64, &str, u64, u64, u64); 10] = [
    (30, "SELECT * FROM `sessions` WHERE `id` = ? LIMIT ?", 38, 310, 1),
    (30, "SELECT * FROM `users` WHERE `id` = ? AND `deleted_at` IS NULL LIMIT ?", 27, 280, 1),
    (30, "SELECT `key`,`value` FROM `settings` WHERE `tenant_id` = ?", 18, 420, 37),
    (30, "SELECT COUNT(*) FROM `invoices` WHERE `status` = ? AND `due_at` < ?", 11, 5_900, 1),
    (
        30,
        "SELECT i.*,c.name FROM `invoices` i JOIN `customers` c ON c.id=i.customer_id ORDER BY i.id DESC LIMIT ?",
        6,
        14_800,
        25,
    ),
    (10, "UPDATE `sessions` SET `payload` = ?,`last_activity` = ? WHERE `id` = ?", 44, 1_250, 0),
    (10, "INSERT INTO `audit_log` (`user_id`,`action`,`at`) VALUES (?,?,?)", 25, 1_100, 0),
    (10, "UPDATE `invoices` SET `total` = ?,`updated_at` = ? WHERE `id` = ?", 14, 1_900, 0),
    (10, "SELECT * FROM `jobs` WHERE `reserved_at` IS NULL ORDER BY `id` LIMIT ? FOR UPDATE", 9, 2_400, 1),
    (10, "COMMIT", 8, 900, 0),
];

/// A row of `mysql_servers` for a backend.
fn row<const N: usize>(values: [String; N]) -> Row {
    values.into_iter().map(Some).collect()
}

/// Refreshes what a statement of the admin user names.
pub(super) fn refresh_admin(p: &mut ProxySql, sql: &str) {
    if sql.contains("runtime_mysql_servers") {
        p.hostgroups.purge();
        let rows: Vec<_> = p.hostgroups.backends.iter().map(|b| servers::row(b, b.status)).collect();
        refill(&p.admin, "main.runtime_mysql_servers", rows);
    }
    if sql.contains("runtime_checksums_values") {
        let order = [
            "admin_variables",
            "mysql_query_rules",
            "mysql_servers",
            "mysql_users",
            "mysql_variables",
            "proxysql_servers",
            "mysql_servers_v2",
        ];
        let rows: Vec<_> = order
            .iter()
            .map(|name| {
                let (version, epoch, sum) =
                    p.checksums.get(name).copied().unwrap_or((1, p.epoch_us / 1_000_000, 0));
                row([(*name).to_owned(), version.to_string(), epoch.to_string(), format!("0x{sum:016X}")])
            })
            .collect();
        refill(&p.admin, "main.runtime_checksums_values", rows);
    }
    for table in LAYERED.iter().filter(|t| **t != "mysql_servers") {
        if sql.contains(&format!("runtime_{table}")) {
            let fill = format!(
                "DELETE FROM main.runtime_{table}; INSERT INTO main.runtime_{table} SELECT * FROM live.{table};"
            );
            p.admin.execute_batch(&fill).expect("both layers have the same columns");
        }
    }
    refresh(p, sql, true);
}

/// Refreshes what a statement of the stats user names.
pub(super) fn refresh_stats(p: &mut ProxySql, sql: &str) {
    refresh(p, sql, false);
}

fn refresh(p: &mut ProxySql, sql: &str, admin: bool) {
    let put = |p: &ProxySql, table: &str, rows: Vec<Row>| {
        let connection: &Connection = if admin { &p.admin } else { &p.stats };
        let schema = match (admin, table.starts_with("mysql_server_")) {
            (_, true) => "monitor",
            (true, false) => "stats",
            (false, false) => "main",
        };
        refill(connection, &format!("{schema}.{table}"), rows);
    };
    let sources: [(&str, Source); 12] = [
        ("stats_mysql_connection_pool", pool),
        ("stats_mysql_global", global),
        ("stats_mysql_processlist", processlist),
        ("stats_mysql_query_digest", digests),
        ("stats_mysql_errors", errors),
        ("stats_mysql_users", users),
        ("stats_mysql_query_rules", rules),
        ("stats_mysql_commands_counters", commands),
        ("stats_memory_metrics", memory),
        ("mysql_server_galera_log", galera_log),
        ("mysql_server_ping_log", |p| connection_log(&p.ping_log)),
        ("mysql_server_connect_log", |p| connection_log(&p.connect_log)),
    ];
    for (table, source) in sources {
        if sql.contains(table) {
            let rows = source(p);
            let reset = format!("{table}_reset");
            if sql.contains(&reset) {
                put(p, &reset, rows.clone());
                reset_counters(p, table);
            }
            put(p, table, rows);
        }
    }
}

/// Reading a `_reset` table sets the counters to zero, whoever reads it.
fn reset_counters(p: &mut ProxySql, table: &str) {
    match table {
        "stats_mysql_connection_pool" => {
            for b in &mut p.hostgroups.backends {
                let pool = &mut b.pool;
                (pool.ok, pool.err, pool.max_used, pool.queries, pool.sent, pool.received) =
                    (0, 0, 0, 0, 0, 0);
            }
        }
        "stats_mysql_query_digest" => p.digest_base = p.hostgroups.questions,
        "stats_mysql_errors" => p.hostgroups.failures.clear(),
        _ => {}
    }
}

fn latency(p: &ProxySql, b: &Backend) -> u64 {
    p.ping_log.iter().rev().find(|(place, ..)| *place == b.place()).map_or(0, |(_, _, took, _)| *took)
}

fn pool(p: &ProxySql) -> Vec<Row> {
    let line = |b: &Backend| {
        row([
            b.hostgroup.to_string(),
            b.hostname.clone(),
            b.port.to_string(),
            b.status.word().to_owned(),
            b.pool.used.to_string(),
            b.pool.free.to_string(),
            b.pool.ok.to_string(),
            b.pool.err.to_string(),
            b.pool.max_used.to_string(),
            b.pool.queries.to_string(),
            "0".to_owned(),
            b.pool.sent.to_string(),
            b.pool.received.to_string(),
            latency(p, b).to_string(),
        ])
    };
    let mut backends: Vec<_> = p.hostgroups.backends.iter().collect();
    backends.sort_by_key(|b| b.hostgroup);
    backends.into_iter().map(line).collect()
}

/// The counters of `stats_mysql_global`, in their order.
pub(super) fn global_pairs(p: &ProxySql) -> Vec<(String, String)> {
    let (reads, writes) = p.hostgroups.questions;
    let pools = || p.hostgroups.backends.iter().map(|b| &b.pool);
    let checks = |bad: bool| p.ping_log.iter().filter(|(.., error)| error.is_some() == bad).count() as u64;
    let connects =
        |bad: bool| p.connect_log.iter().filter(|(.., error)| error.is_some() == bad).count() as u64;
    let h = &p.hostgroups;
    include_str!("stats_global.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, recorded)| {
            let value = match name {
                "ProxySQL_Uptime" => (p.now - p.started) / 1000,
                "Active_Transactions" => {
                    let writer = h.roles.first().map_or(-1, |r| r.writer);
                    h.backends.iter().filter(|b| b.hostgroup == writer).map(|b| b.pool.used).sum()
                }
                "Client_Connections_connected" | "Client_Connections_non_idle" => h.clients,
                "Client_Connections_created" => h.clients + reads / 900,
                "Server_Connections_connected" => pools().map(|pool| pool.used + pool.free).sum(),
                "Server_Connections_created" => pools().map(|pool| pool.ok).sum(),
                "Server_Connections_aborted" => pools().map(|pool| pool.err).sum(),
                "Com_commit" => writes,
                "Questions" => reads + writes * 3,
                "Slow_queries" => h.gave_up / 3,
                "Queries_backends_bytes_recv" | "Queries_frontends_bytes_sent" => {
                    pools().map(|pool| pool.received).sum()
                }
                "Queries_backends_bytes_sent" | "Queries_frontends_bytes_recv" => {
                    pools().map(|pool| pool.sent).sum()
                }
                "ConnPool_get_conn_success" => reads + writes,
                "ConnPool_get_conn_failure" => h.gave_up * 90,
                "max_connect_timeouts" | "generated_error_packets" => h.gave_up,
                "MySQL_Monitor_ping_check_OK" => checks(false),
                "MySQL_Monitor_ping_check_ERR" => checks(true),
                "MySQL_Monitor_connect_check_OK" => connects(false),
                "MySQL_Monitor_connect_check_ERR" => connects(true),
                "Servers_table_version" => p.checksums.get("mysql_servers_v2").map_or(1, |c| c.0) + 1,
                "mysql_listener_paused" => return (name.to_owned(), p.paused.to_string()),
                _ => return (name.to_owned(), recorded.to_owned()),
            };
            (name.to_owned(), value.to_string())
        })
        .collect()
}

fn global(p: &ProxySql) -> Vec<Row> {
    global_pairs(p).into_iter().map(|(name, value)| row([name, value])).collect()
}

/// The sessions of clients. Those that wait for a backend have the command `Connect` and no backend.
pub(super) fn processlist(p: &ProxySql) -> Vec<Row> {
    let h = &p.hostgroups;
    let some = |text: &str| Some(text.to_owned());
    let mut busy: Vec<&Backend> = h.backends.iter().filter(|b| b.pool.used > 0).collect();
    busy.sort_by_key(|b| (b.hostgroup, b.port));
    let mut holders = busy.into_iter().flat_map(|b| (0..b.pool.used.min(12)).map(move |_| b));
    let default = h.roles.first().map_or(0, |r| r.writer);
    (0..h.clients)
        .map(|i| {
            let id = 14 + i + p.killed * h.clients;
            let mut fields = vec![
                Some((i % 2).to_string()),
                Some(id.to_string()),
                some("app"),
                some("tenant_acme"),
                Some(format!("10.4.{}.{}", 1 + i % 3, 20 + i)),
                Some((40_000 + id).to_string()),
            ];
            if let Some((since, hostgroup)) = h.waiting {
                fields.extend([Some(hostgroup.to_string()), None, None, None, None, some("Connect")]);
                fields.extend([Some((p.now - since + i * 7).to_string()), None, None, None]);
            } else if let Some(b) = holders.next() {
                fields.extend([
                    Some(b.hostgroup.to_string()),
                    some("10.4.1.9"),
                    Some((45_000 + id).to_string()),
                ]);
                fields.extend([Some(b.hostname.clone()), Some(b.port.to_string()), some("Query"), some("3")]);
                fields.extend([
                    some(DIGESTS[(i % 5) as usize + if b.hostgroup == default { 5 } else { 0 }].1),
                    some("4"),
                    None,
                ]);
            } else {
                fields.extend([Some(default.to_string()), None, None, None, None, some("Sleep")]);
                fields.extend([Some((i * 13 % 97).to_string()), None, None, None]);
            }
            fields
        })
        .collect()
}

fn digests(p: &ProxySql) -> Vec<Row> {
    let (reads, writes) = p.hostgroups.questions;
    let (reads, writes) = (reads.saturating_sub(p.digest_base.0), writes.saturating_sub(p.digest_base.1));
    let seconds = |ms: u64| ((p.epoch_us / 1000 + ms) / 1000).to_string();
    DIGESTS
        .iter()
        .filter_map(|(hostgroup, text, share, average, sent)| {
            let count = (if *hostgroup == 30 { reads } else { writes }) * share / 100;
            (count > 0).then(|| {
                row([
                    hostgroup.to_string(),
                    "tenant_acme".to_owned(),
                    "app".to_owned(),
                    String::new(),
                    format!("0x{:016X}", checksum(text)),
                    (*text).to_owned(),
                    count.to_string(),
                    seconds(p.started),
                    seconds(p.now),
                    (count * average).to_string(),
                    (average / 5).to_string(),
                    (average * 41).to_string(),
                    (count * u64::from(*sent == 0)).to_string(),
                    (count * sent).to_string(),
                ])
            })
        })
        .collect()
}

fn errors(p: &ProxySql) -> Vec<Row> {
    let seconds = |ms: u64| ((p.epoch_us / 1000 + ms) / 1000).to_string();
    p.hostgroups
        .failures
        .iter()
        .map(|((hostgroup, (host, port), number), f)| {
            row([
                hostgroup.to_string(),
                host.clone(),
                port.to_string(),
                "app".to_owned(),
                "10.4.1.20".to_owned(),
                "tenant_acme".to_owned(),
                number.to_string(),
                f.count.to_string(),
                seconds(f.seen.0),
                seconds(f.seen.1),
                f.text.clone(),
            ])
        })
        .collect()
}

fn users(p: &ProxySql) -> Vec<Row> {
    vec![row(["app".to_owned(), p.hostgroups.clients.to_string(), "10000".to_owned()])]
}

fn rules(p: &ProxySql) -> Vec<Row> {
    let (reads, writes) = p.hostgroups.questions;
    vec![row(["100".to_owned(), (writes * 9 / 100).to_string()]), row(["200".to_owned(), reads.to_string()])]
}

fn commands(p: &ProxySql) -> Vec<Row> {
    let (reads, writes) = p.hostgroups.questions;
    let line = |(name, count, average): (&str, u64, u64)| {
        let parts = [
            count / 5,
            count * 3 / 5,
            count / 10,
            count / 10 - count / 100,
            0,
            count / 100,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        let mut line =
            vec![Some(name.to_owned()), Some((count * average).to_string()), Some(count.to_string())];
        line.extend(parts.map(|n| Some(n.to_string())));
        line
    };
    [
        ("COMMIT", writes, 900),
        ("INSERT", writes / 4, 1_100),
        ("SELECT", reads, 1_700),
        ("UPDATE", writes / 2, 1_400),
    ]
    .map(line)
    .into()
}

fn memory(_: &ProxySql) -> Vec<Row> {
    include_str!("memory_metrics.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, value)| row([name.to_owned(), value.to_owned()]))
        .collect()
}

/// One row a check. With an error the other columns hold the most pessimistic values.
fn galera_log(p: &ProxySql) -> Vec<Row> {
    let yes = |b: bool| if b { "YES" } else { "NO" }.to_owned();
    p.galera_log
        .iter()
        .map(|((host, port), at, took, probe)| {
            let (took, fields, error) = match probe {
                Probe::Reply { primary, read_only, queue, state, desync, reject, donor_rejects } => (
                    *took,
                    [
                        yes(*primary),
                        yes(*read_only),
                        queue.to_string(),
                        state.to_string(),
                        yes(*desync),
                        yes(*reject),
                        yes(*donor_rejects),
                        yes(false),
                    ],
                    None,
                ),
                failed => {
                    let text = match failed {
                        Probe::Failed(text) => text.clone(),
                        _ => "timeout or error in creating new connection: Lost connection to server at 'handshake: \
                              reading initial communication packet', system error: 110"
                            .to_owned(),
                    };
                    let zero = "0".to_owned();
                    (0, [yes(false), yes(true), zero.clone(), zero, yes(true), yes(true), yes(true), yes(false)], Some(text))
                }
            };
            let mut line = vec![Some(host.clone()), Some(port.to_string()), Some(at.to_string()), Some(took.to_string())];
            line.extend(fields.map(Some));
            line.push(error);
            line
        })
        .collect()
}

fn connection_log(log: &Checks<Option<String>>) -> Vec<Row> {
    log.iter()
        .map(|((host, port), at, took, error)| {
            vec![
                Some(host.clone()),
                Some(port.to_string()),
                Some(at.to_string()),
                Some(took.to_string()),
                error.clone(),
            ]
        })
        .collect()
}
