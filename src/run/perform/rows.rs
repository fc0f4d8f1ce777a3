//! The rows of a proxy's servers: what stands, and which statements make of it what is wanted. Pure.

use std::collections::BTreeSet;

use crate::{cluster::ServerRow, wire::sql::Answer};

/// The hostgroups of one Galera cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Roles {
    writer: u32,
    backup: u32,
    reader: u32,
    offline: u32,
    also_reader: u8,
    max_writers: usize,
}

impl Roles {
    fn has(&self, hostgroup: u32) -> bool {
        [self.writer, self.backup, self.reader, self.offline].contains(&hostgroup)
    }
}

/// The servers in use, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Runtime(Vec<(ServerRow, bool)>);

/// How the rows of a backend stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Now {
    /// As they were before the change.
    AtFrom,
    /// As they are to be.
    AtTo,
    /// Neither.
    Elsewhere(Vec<ServerRow>),
}

/// Reads the answers of a proxy. Rows on their way out are none.
pub(super) fn parse(servers: &Answer, roles: &Answer) -> Result<(Runtime, Vec<Roles>), String> {
    let text = |row: &[Option<String>], i: usize| row.get(i).cloned().flatten();
    let number = |row: &[Option<String>], i: usize| {
        let found = text(row, i);
        found.as_deref().and_then(|v| v.parse::<u64>().ok()).ok_or_else(|| {
            format!("{} in place of a number is not understood", found.as_deref().unwrap_or("NULL"))
        })
    };
    let small = |row: &[Option<String>], i: usize| {
        number(row, i).and_then(|n| u32::try_from(n).map_err(|_| format!("{n} is out of range")))
    };
    let mut all = Vec::new();
    for row in &roles.rows {
        all.push(Roles {
            writer: small(row, 0)?,
            backup: small(row, 1)?,
            reader: small(row, 2)?,
            offline: small(row, 3)?,
            also_reader: number(row, 4)?.min(2) as u8,
            max_writers: number(row, 5)?.max(1) as usize,
        });
    }
    let mut rows = Vec::new();
    for row in &servers.rows {
        let status = text(row, 4).unwrap_or_default().to_uppercase();
        if status == "OFFLINE_HARD" {
            continue;
        }
        let server = ServerRow {
            hostgroup: small(row, 0)?,
            address: format!("{}:{}", text(row, 1).unwrap_or_default(), number(row, 2)?).into(),
            gtid_port: small(row, 3)?,
            weight: number(row, 5)?,
            compression: small(row, 6)?,
            max_connections: small(row, 7)?,
            max_replication_lag: small(row, 8)?,
            use_ssl: number(row, 9)? != 0,
            max_latency_ms: small(row, 10)?,
            comment: text(row, 11).unwrap_or_default().into(),
        };
        rows.push((server, status == "ONLINE"));
    }
    rows.sort();
    Ok((Runtime(rows), all))
}

impl Runtime {
    /// The rows of a backend.
    pub(super) fn rows_of(&self, address: &str) -> Vec<ServerRow> {
        self.0.iter().filter(|(row, _)| &*row.address == address).map(|(row, _)| row.clone()).collect()
    }

    /// How a backend stands. The monitor moves it between the hostgroups of its cluster all the time: that alone makes
    /// no difference, unless the rows are exactly those of one end.
    pub(super) fn of(&self, address: &str, from: &[ServerRow], to: &[ServerRow], roles: &[Roles]) -> Now {
        let rows = self.rows_of(address);
        let exact = |rows: &[ServerRow]| rows.iter().map(key).collect::<BTreeSet<_>>();
        let loose = |rows: &[ServerRow]| {
            let place = |row: &ServerRow| match roles.iter().position(|r| r.has(row.hostgroup)) {
                Some(cluster) => (true, cluster as u64),
                None => (false, row.hostgroup.into()),
            };
            rows.iter().map(|row| (place(row), rest(row))).collect::<BTreeSet<_>>()
        };
        match () {
            () if exact(&rows) == exact(to) => Now::AtTo,
            () if exact(&rows) == exact(from) => Now::AtFrom,
            () if loose(&rows) == loose(to) => Now::AtTo,
            () if loose(&rows) == loose(from) => Now::AtFrom,
            () => Now::Elsewhere(rows),
        }
    }

    fn row(&self, hostgroup: u32, address: &str) -> Option<&(ServerRow, bool)> {
        self.0.iter().find(|(row, _)| row.hostgroup == hostgroup && &*row.address == address)
    }
}

type Rest = (u32, u64, u32, u32, u32, bool, u32, String);

/// All but where it is.
fn rest(row: &ServerRow) -> Rest {
    (
        row.gtid_port,
        row.weight,
        row.compression,
        row.max_connections,
        row.max_replication_lag,
        row.use_ssl,
        row.max_latency_ms,
        row.comment.to_string(),
    )
}

fn key(row: &ServerRow) -> (u32, Rest) {
    (row.hostgroup, rest(row))
}

/// What is done to memory once it was taken from the runtime.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Edit {
    statements: Vec<String>,
}

impl Edit {
    /// One statement a request.
    pub(super) fn statements(self) -> Vec<String> {
        self.statements
    }

    /// Only leaves out the surplus writers.
    pub(super) fn of_surplus(runtime: &Runtime, roles: &[Roles]) -> Self {
        let mut edit = Self::default();
        for roles in roles {
            let writers = writers(runtime, roles);
            edit.leave_out(runtime, roles, &writers, None);
        }
        edit
    }

    /// Leaves out the surplus writers and gives a backend its wanted rows.
    pub(super) fn of(
        runtime: &Runtime,
        roles: &[Roles],
        address: &str,
        from: &[ServerRow],
        to: &[ServerRow],
    ) -> Result<Self, String> {
        let mut edit = Self::default();
        let mut wanted = wanted(runtime, roles, address, from, to);
        for roles in roles {
            let mut writers = writers(runtime, roles);
            sorted(runtime, roles, &writers)?;
            if writers.contains(address) && !to.iter().any(|row| roles.has(row.hostgroup)) {
                writers.remove(address);
                // Not measured: a LOAD that takes the writer away and makes another one of its own accord.
                if writers.is_empty() {
                    return Err(format!(
                        "{address} takes the writes: its rows go only after another takes them; move the writer first"
                    ));
                }
            }
            edit.leave_out(runtime, roles, &writers, Some(address));
            // Who comes back is no writer until the monitor says so.
            if !writers.is_empty() && !writers.contains(address) {
                for row in &mut wanted {
                    if row.hostgroup == roles.writer {
                        row.hostgroup = roles.backup;
                    }
                }
            }
            edit.leave_readers(runtime, roles, &writers, address, &mut wanted);
        }
        let (host, port) = split(address)?;
        edit.statements
            .push(format!("DELETE FROM mysql_servers WHERE hostname = {} AND port = {port}", quoted(host)));
        let mut placed = BTreeSet::new();
        for row in wanted.iter().filter(|row| placed.insert(row.hostgroup)) {
            edit.statements.push(insert(row, host, port));
        }
        Ok(edit)
    }

    /// Deletes the writer rows of all but these. A server without another row keeps one, as a writer in waiting.
    fn leave_out(
        &mut self,
        runtime: &Runtime,
        roles: &Roles,
        writers: &BTreeSet<String>,
        edited: Option<&str>,
    ) {
        if writers.is_empty() {
            return;
        }
        for (row, _) in runtime.0.iter().filter(|(row, _)| row.hostgroup == roles.writer) {
            if writers.contains(&*row.address) || edited == Some(&*row.address) {
                continue;
            }
            let elsewhere = |h: &u32| runtime.row(*h, &row.address).is_some();
            if [roles.backup, roles.reader, roles.offline].iter().any(elsewhere) {
                self.delete(roles.writer, &row.address);
            } else if let Ok((host, port)) = split(&row.address) {
                self.statements.push(format!(
                    "UPDATE mysql_servers SET hostgroup_id = {} WHERE hostgroup_id = {} AND hostname = {} AND port = {port}",
                    roles.backup, roles.writer, quoted(host)
                ));
            }
        }
    }

    /// Who is about to be elected leaves the readers with this LOAD, while others read: rows that were loaded stay
    /// where they are when the monitor makes a backend the writer, and it would read beside.
    fn leave_readers(
        &mut self,
        runtime: &Runtime,
        roles: &Roles,
        writers: &BTreeSet<String>,
        address: &str,
        wanted: &mut Vec<ServerRow>,
    ) {
        let waits = |row: &ServerRow| [roles.writer, roles.backup].contains(&row.hostgroup);
        let there = runtime.0.iter().filter(|(row, _)| &*row.address != address).map(|(row, _)| row);
        let rank = |row: &&ServerRow| {
            let (host, port) = split(&row.address).unwrap_or_default();
            (row.weight, host.to_owned(), port)
        };
        let next = there.chain(wanted.iter()).filter(|row| waits(row)).max_by_key(rank);
        let Some(next) = next.map(|row| row.address.clone()) else { return };
        let reads = |(row, online): &(ServerRow, bool)| {
            let stays = &*row.address != address || !wanted.is_empty();
            *online && row.hostgroup == roles.reader && row.address != next && stays
        };
        if roles.max_writers != 1
            || roles.also_reader == 1
            || writers.contains(&*next)
            || !runtime.0.iter().any(reads)
        {
            return;
        }
        if &*next != address {
            if runtime.row(roles.reader, &next).is_some() {
                self.delete(roles.reader, &next);
            }
        } else if wanted.iter().any(|row| row.hostgroup != roles.reader) {
            wanted.retain(|row| row.hostgroup != roles.reader);
        }
    }

    fn delete(&mut self, hostgroup: u32, address: &str) {
        if let Ok((host, port)) = split(address) {
            self.statements.push(format!(
                "DELETE FROM mysql_servers WHERE hostgroup_id = {hostgroup} AND hostname = {} AND port = {port}",
                quoted(host)
            ));
        }
    }
}

fn writers(runtime: &Runtime, roles: &Roles) -> BTreeSet<String> {
    let writes = |(row, online): &&(ServerRow, bool)| *online && row.hostgroup == roles.writer;
    runtime.0.iter().filter(writes).map(|(row, _)| row.address.to_string()).collect()
}

/// Refuses while the monitor has yet to sort the writers: a LOAD would then make every surplus writer one that writes.
fn sorted(runtime: &Runtime, roles: &Roles, writers: &BTreeSet<String>) -> Result<(), String> {
    let waiting = runtime.0.iter().any(|(row, online)| !online && row.hostgroup == roles.writer);
    match writers.len() {
        0 if waiting => Err(format!(
            "hostgroup {} has no writer now, and a LOAD would make all in waiting write: wait until the monitor has \
             chosen one",
            roles.writer
        )),
        n if n > roles.max_writers => Err(format!(
            "{n} backends take writes in hostgroup {}, {} may: wait until the monitor has sorted them",
            roles.writer, roles.max_writers
        )),
        _ => Ok(()),
    }
}

/// The rows to be. Where only values change, they change in the hostgroups the monitor has put the backend in by now.
fn wanted(
    runtime: &Runtime,
    roles: &[Roles],
    address: &str,
    from: &[ServerRow],
    to: &[ServerRow],
) -> Vec<ServerRow> {
    let places = |rows: &[ServerRow]| rows.iter().map(|r| r.hostgroup).collect::<BTreeSet<_>>();
    let rows = runtime.rows_of(address);
    if places(from) != places(to) || places(&rows) == places(to) {
        return to.to_vec();
    }
    let cluster = |hostgroup: u32| roles.iter().position(|r| r.has(hostgroup));
    let like = |row: &ServerRow| {
        let same = to.iter().find(|t| t.hostgroup == row.hostgroup);
        let near = || {
            to.iter()
                .find(|t| cluster(row.hostgroup).is_some() && cluster(t.hostgroup) == cluster(row.hostgroup))
        };
        let found = same.or_else(near)?;
        Some(ServerRow { hostgroup: row.hostgroup, ..found.clone() })
    };
    rows.iter().filter_map(like).collect()
}

fn insert(row: &ServerRow, host: &str, port: u16) -> String {
    let ServerRow { hostgroup, gtid_port, weight, compression, max_connections, .. } = row;
    format!(
        "INSERT INTO mysql_servers (hostgroup_id, hostname, port, gtid_port, status, weight, compression, \
         max_connections, max_replication_lag, use_ssl, max_latency_ms, comment) VALUES ({hostgroup}, {}, {port}, \
         {gtid_port}, 'ONLINE', {weight}, {compression}, {max_connections}, {}, {}, {}, {})",
        quoted(host),
        row.max_replication_lag,
        u8::from(row.use_ssl),
        row.max_latency_ms,
        quoted(&row.comment)
    )
}

/// `host:port` in two.
fn split(address: &str) -> Result<(&str, u16), String> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.filter(|(host, _)| !host.is_empty()).ok_or_else(|| format!("{address} is not HOST:PORT"))
}

/// A text of SQLite: only the quote itself has to be doubled.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// Rows in words: `hostgroups 10, 20 and 30 with weight 50`.
pub(super) fn words(rows: &[ServerRow]) -> String {
    if rows.is_empty() {
        return "absent".into();
    }
    let row = |r: &ServerRow| format!("hostgroup {} weight {}", r.hostgroup, r.weight);
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
