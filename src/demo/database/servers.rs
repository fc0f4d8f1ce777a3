//! What the rows of `mysql_servers` and `mysql_galera_hostgroups` mean, and a backend as a row. Pure.

use rusqlite::Connection;

use super::{
    dialect::{self, Outcome},
    hostgroups::{Backend, Pool, Roles, Status},
};

/// The backends of `mysql_servers` in memory.
pub(super) fn backends(admin: &Connection) -> Vec<Backend> {
    let sql = "SELECT * FROM main.mysql_servers ORDER BY hostgroup_id, hostname, port";
    let Ok(Outcome::Rows(table)) = dialect::run(admin, sql, false) else { return Vec::new() };
    let row = |row: Vec<Option<String>>| {
        let text = |i: usize| row[i].clone().unwrap_or_default();
        let number = |i: usize| text(i).parse().unwrap_or(0);
        Backend {
            hostgroup: number(0),
            hostname: text(1),
            port: number(2) as u16,
            status: Status::loaded(&text(4)),
            weight: number(5),
            max_connections: number(7),
            others: [number(3), number(6), number(8), number(9), number(10)],
            comment: text(11),
            pool: Pool::default(),
        }
    };
    table.rows.into_iter().map(row).collect()
}

/// What the Galera hostgroups at runtime are for.
pub(super) fn roles(admin: &Connection) -> Vec<Roles> {
    let sql = "SELECT * FROM live.mysql_galera_hostgroups ORDER BY 1";
    let Ok(Outcome::Rows(table)) = dialect::run(admin, sql, false) else { return Vec::new() };
    let row = |row: Vec<Option<String>>| {
        let number = |i: usize| row[i].as_deref().and_then(|v| v.parse::<i64>().ok()).unwrap_or(0);
        Roles {
            writer: number(0),
            backup: number(1),
            reader: number(2),
            offline: number(3),
            active: number(4) != 0,
            max_writers: number(5),
            also_reader: number(6),
            max_behind: number(7) as u64,
        }
    };
    table.rows.into_iter().map(row).collect()
}

/// A backend as a row of `mysql_servers`, in that state.
pub(super) fn row(b: &Backend, status: Status) -> Vec<Option<String>> {
    let [gtid_port, compression, lag, ssl, latency] = b.others;
    let fields = [
        b.hostgroup.to_string(),
        b.hostname.clone(),
        b.port.to_string(),
        gtid_port.to_string(),
        status.word().to_owned(),
        b.weight.to_string(),
        compression.to_string(),
        b.max_connections.to_string(),
        lag.to_string(),
        ssl.to_string(),
        latency.to_string(),
        b.comment.clone(),
    ];
    fields.map(Some).into()
}
