//! The statements that give a backend other rows in a proxy, and what the servers of that proxy are then. Pure.
//!
//! The run sends these statements and a plan prints them: they are made here alone. A person types more slowly than a
//! run, and the monitor moves members meanwhile; so a statement does not name whom the monitor may move by then, it asks
//! the runtime for them.
//!
//! `LOAD MYSQL SERVERS TO RUNTIME` is never harmless on Galera hostgroups: with the rows as they were configured, every
//! member becomes a writer and the readers are gone until the monitor's next check. So memory is taken from the runtime
//! first, the rows of the surplus writers are deleted (loaded, `SHUNNED` is `ONLINE`), and only then rows are edited
//! and loaded.
//!
//! The LOAD leaves the deleted rows behind as `OFFLINE_HARD`, with the old weight, and at its next check the monitor
//! makes them live again: the old weight is back (measured, 4 of 4). Whoever reads `runtime_mysql_servers` right after
//! the LOAD purges them first (3 of 3), which is why [`SHOW`] follows it. A row whose connections are in use is not
//! purged.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::cluster::{Hostgroups, ServerRow};

/// Takes memory from the runtime.
pub const TAKE: &str = "SAVE MYSQL SERVERS FROM RUNTIME";
/// Brings memory to the runtime.
pub const LOAD: &str = "LOAD MYSQL SERVERS TO RUNTIME";
/// Shows what runs, and purges what the LOAD deleted.
pub const SHOW: &str =
    "SELECT hostgroup_id, hostname, port, status, weight FROM runtime_mysql_servers ORDER BY 1, 2, 3";
/// Stores memory on the disk.
pub const STORE: &str = "SAVE MYSQL SERVERS TO DISK";

/// The servers of a proxy in use: every row and whether it is `ONLINE`, in order, and what its hostgroups are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runtime {
    rows: Vec<(ServerRow, bool)>,
    groups: Vec<Hostgroups>,
}

/// How the rows of a backend stand.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// As they were before the change.
    AtFrom,
    /// As they are to be.
    AtTo,
    /// Neither.
    Elsewhere(Vec<ServerRow>),
}

impl Runtime {
    /// The servers in use. Rows on their way out (`OFFLINE_HARD`) are none.
    pub fn new(mut rows: Vec<(ServerRow, bool)>, groups: Vec<Hostgroups>) -> Self {
        rows.sort();
        Self { rows, groups }
    }

    /// The rows of a backend.
    pub fn rows_of(&self, address: &str) -> Vec<ServerRow> {
        self.rows.iter().filter(|(row, _)| &*row.address == address).map(|(row, _)| row.clone()).collect()
    }

    /// How a backend stands. The monitor moves it between the hostgroups of its cluster all the time: that alone makes
    /// no difference, unless the rows are exactly those of one end.
    pub fn stands(&self, address: &str, from: &[ServerRow], to: &[ServerRow]) -> Rows {
        let rows = self.rows_of(address);
        let exact = |rows: &[ServerRow]| rows.iter().cloned().collect::<BTreeSet<_>>();
        let loose = |rows: &[ServerRow]| {
            let place = |row: &ServerRow| match self.cluster_of(row.hostgroup) {
                Some(cluster) => (true, cluster as u64),
                None => (false, row.hostgroup.into()),
            };
            let all = rows.iter().map(|row| (place(row), ServerRow { hostgroup: 0, ..row.clone() }));
            all.collect::<BTreeSet<_>>()
        };
        match () {
            () if exact(&rows) == exact(to) => Rows::AtTo,
            () if exact(&rows) == exact(from) => Rows::AtFrom,
            () if loose(&rows) == loose(to) => Rows::AtTo,
            () if loose(&rows) == loose(from) => Rows::AtFrom,
            () => Rows::Elsewhere(rows),
        }
    }

    /// Takes memory from the runtime without the rows of the surplus writers, which a LOAD would make writers.
    pub fn take(&self) -> Vec<String> {
        let mut statements = vec![TAKE.to_owned()];
        for group in &self.groups {
            self.leave_surplus_out(group, &mut statements);
        }
        statements
    }

    /// The statements that give a backend the rows `to`, in memory, one a request: memory is taken from the runtime
    /// without the surplus writers, and edited. What follows is [`LOAD`], and at once [`SHOW`].
    ///
    /// # Errors
    /// One sentence, where loading would leave no writer or make a second one.
    pub fn edit(&self, address: &str, from: &[ServerRow], to: &[ServerRow]) -> Result<Vec<String>, String> {
        for group in &self.groups {
            self.sorted(group)?;
            let mut writers = self.writers(group);
            let stays = to.iter().any(|row| group.has(row.hostgroup));
            // Not measured: a LOAD that takes the writer away and makes another one of its own accord.
            if writers.remove(address) && writers.is_empty() && !stays {
                return Err(format!(
                    "{address} takes the writes: its rows go only after another takes them; move the writer first"
                ));
            }
        }
        let mut statements = self.take();
        let mut wanted = self.wanted(address, from, to);
        for group in &self.groups {
            let writers = self.writers(group);
            // Who comes back is no writer until the monitor says so.
            if !writers.is_empty() && !writers.contains(address) {
                for row in wanted.iter_mut().filter(|row| row.hostgroup == group.writer) {
                    row.hostgroup = group.backup;
                }
            }
        }
        let leaving = self.leave_readers(address, &mut wanted);
        statements.extend(leaving.iter().map(|(group, address)| delete(*group, address)));
        let (host, port) = split(address)?;
        if let Some(weight) = self.only_weight(address, &wanted) {
            let gone = self.rows_of(address).into_iter().map(|row| row.hostgroup);
            let gone = gone.filter(|group| !self.groups.iter().any(|g| g.writer == *group));
            let gone = gone.filter(|group| wanted.iter().all(|row| row.hostgroup != *group));
            statements.extend(gone.map(|group| delete(group, address)));
            statements.push(format!(
                "UPDATE mysql_servers SET weight = {weight} WHERE hostname = {} AND port = {port}",
                quoted(host)
            ));
            return Ok(statements);
        }
        if !self.rows_of(address).is_empty() {
            statements.push(format!(
                "DELETE FROM mysql_servers WHERE hostname = {} AND port = {port}",
                quoted(host)
            ));
        }
        let mut placed = BTreeSet::new();
        let rows = wanted.iter().filter(|row| placed.insert(row.hostgroup));
        statements.extend(rows.map(|row| insert(row, host, port)));
        Ok(statements)
    }

    /// What runs once a backend has been given other rows and the monitor has sorted its cluster.
    pub fn after(&self, address: &str, to: &[ServerRow]) -> Self {
        let mut rows: Vec<_> =
            self.rows.iter().filter(|(row, _)| &*row.address != address).cloned().collect();
        rows.extend(to.iter().map(|row| (row.clone(), true)));
        let mut after = Self { rows, groups: self.groups.clone() };
        for group in &self.groups {
            let waits = |row: &ServerRow| [group.writer, group.backup].contains(&row.hostgroup);
            let mut candidates: Vec<ServerRow> = Vec::new();
            for (row, _) in after.rows.iter().filter(|(row, _)| waits(row)) {
                if candidates.iter().all(|known| known.address != row.address) {
                    candidates.push(row.clone());
                }
            }
            candidates.sort_by_key(|row| Reverse(rank(row)));
            let all: BTreeSet<_> = candidates.iter().map(|row| row.address.clone()).collect();
            let own = |row: &ServerRow| all.contains(&row.address) && group.has(row.hostgroup);
            after.rows.retain(|(row, _)| !own(row));
            for (place, row) in candidates.into_iter().enumerate() {
                let writes = place < group.max_writers.max(1) as usize;
                let reads =
                    if writes { group.writer_is_also_reader == 1 } else { group.writer_is_also_reader != 0 };
                let mut put =
                    |hostgroup, online| after.rows.push((ServerRow { hostgroup, ..row.clone() }, online));
                put(group.writer, writes);
                if !writes {
                    put(group.backup, true);
                }
                if reads {
                    put(group.reader, true);
                }
            }
        }
        after.rows.sort();
        after
    }

    fn cluster_of(&self, hostgroup: u32) -> Option<usize> {
        self.groups.iter().position(|group| group.has(hostgroup))
    }

    fn writers(&self, group: &Hostgroups) -> BTreeSet<String> {
        let writes = |(row, online): &&(ServerRow, bool)| *online && row.hostgroup == group.writer;
        self.rows.iter().filter(writes).map(|(row, _)| row.address.to_string()).collect()
    }

    /// Refuses while the monitor has yet to sort the writers: a LOAD would then make every surplus writer one that
    /// writes.
    fn sorted(&self, group: &Hostgroups) -> Result<(), String> {
        let waiting = self.rows.iter().any(|(row, online)| !online && row.hostgroup == group.writer);
        let most = group.max_writers.max(1);
        match self.writers(group).len() {
            0 if waiting => Err(format!(
                "hostgroup {} has no writer now, and a LOAD would make all in waiting write: wait until the monitor has \
                 chosen one",
                group.writer
            )),
            n if n > most as usize => Err(format!(
                "{n} backends take writes in hostgroup {}, {most} may: wait until the monitor has sorted them",
                group.writer
            )),
            _ => Ok(()),
        }
    }

    /// The rows among the writers of all that do not write, by what runs in the moment of the statement. Who has no
    /// other row keeps one, as a writer in waiting.
    fn leave_surplus_out(&self, group: &Hostgroups, statements: &mut Vec<String>) {
        if self.writers(group).is_empty() {
            return;
        }
        let alone = |row: &ServerRow| self.rows_of(&row.address).len() == 1;
        let surplus = self.rows.iter().filter(|(row, online)| !online && row.hostgroup == group.writer);
        for (row, _) in surplus.filter(|(row, _)| alone(row)) {
            if let Ok((host, port)) = split(&row.address) {
                statements.push(format!(
                    "UPDATE mysql_servers SET hostgroup_id = {} WHERE hostgroup_id = {} AND hostname = {} AND port = {port}",
                    group.backup, group.writer, quoted(host)
                ));
            }
        }
        let writer = group.writer;
        statements.push(format!(
            "DELETE FROM mysql_servers WHERE hostgroup_id = {writer} AND (hostname, port) IN (SELECT hostname, port FROM \
             runtime_mysql_servers WHERE hostgroup_id = {writer} AND status = 'SHUNNED') AND (hostname, port) IN (SELECT \
             hostname, port FROM mysql_servers WHERE hostgroup_id <> {writer})"
        ));
    }

    /// Who is about to be elected leaves the readers with this LOAD, while others read: rows that were loaded stay where
    /// they are when the monitor makes a backend the writer, and it would read beside. The edited backend's own rows go
    /// from `wanted`; of the others the hostgroup and the address of each row that goes is returned.
    fn leave_readers(&self, address: &str, wanted: &mut Vec<ServerRow>) -> Vec<(u32, String)> {
        let mut leaving = Vec::new();
        for group in &self.groups {
            let writers = self.writers(group);
            if group.writer_is_also_reader == 1 {
                continue;
            }
            let waits = |row: &&ServerRow| [group.writer, group.backup].contains(&row.hostgroup);
            let there = self.rows.iter().filter(|(row, _)| &*row.address != address).map(|(row, _)| row);
            let mut order: Vec<_> = there.chain(wanted.iter()).filter(waits).collect();
            order.sort_by_key(|row| Reverse(rank(row)));
            let mut elected: Vec<String> = Vec::new();
            for row in order {
                if elected.len() < group.max_writers.max(1) as usize
                    && elected.iter().all(|known| **known != *row.address)
                {
                    elected.push(row.address.to_string());
                }
            }
            let new: Vec<_> = elected.iter().filter(|next| !writers.contains(*next)).cloned().collect();
            let stays = |row: &ServerRow| &*row.address != address || !wanted.is_empty();
            let reads = |(row, online): &(ServerRow, bool)| {
                *online
                    && row.hostgroup == group.reader
                    && !new.contains(&row.address.to_string())
                    && stays(row)
            };
            if !self.rows.iter().any(reads) {
                continue;
            }
            for next in new {
                if next != address {
                    let reads = |row: &ServerRow| row.hostgroup == group.reader;
                    if self.rows_of(&next).iter().any(reads) {
                        leaving.push((group.reader, next));
                    }
                } else if wanted.iter().any(|row| row.hostgroup != group.reader) {
                    wanted.retain(|row| row.hostgroup != group.reader);
                }
            }
        }
        leaving
    }

    /// The rows to be. Where only values change, they change in the hostgroups the monitor has put the backend in by
    /// now.
    fn wanted(&self, address: &str, from: &[ServerRow], to: &[ServerRow]) -> Vec<ServerRow> {
        let places = |rows: &[ServerRow]| rows.iter().map(|r| r.hostgroup).collect::<BTreeSet<_>>();
        let rows = self.rows_of(address);
        if places(from) != places(to) || places(&rows) == places(to) {
            return to.to_vec();
        }
        let like = |row: &ServerRow| {
            let same = to.iter().find(|t| t.hostgroup == row.hostgroup);
            let cluster = self.cluster_of(row.hostgroup);
            let near = || to.iter().find(|t| cluster.is_some() && self.cluster_of(t.hostgroup) == cluster);
            let found = same.or_else(near)?;
            Some(ServerRow { hostgroup: row.hostgroup, ..found.clone() })
        };
        rows.iter().filter_map(like).collect()
    }

    /// The one weight of the wanted rows, where nothing else of them differs from what runs: then they stay, and the
    /// monitor may have moved them by the time the statement comes.
    fn only_weight(&self, address: &str, wanted: &[ServerRow]) -> Option<u64> {
        let weight = wanted.first()?.weight;
        let rows = self.rows_of(address);
        let same = |row: &ServerRow| {
            row.weight == weight
                && rows.iter().any(|now| ServerRow { weight: row.weight, ..now.clone() } == *row)
        };
        wanted.iter().all(same).then_some(weight)
    }
}

/// The election: by weight, then host name and port, each from the top.
fn rank(row: &ServerRow) -> (u64, String, u16) {
    let (host, port) = split(&row.address).unwrap_or_default();
    (row.weight, host.to_owned(), port)
}

fn delete(hostgroup: u32, address: &str) -> String {
    let (host, port) = split(address).unwrap_or_default();
    format!(
        "DELETE FROM mysql_servers WHERE hostgroup_id = {hostgroup} AND hostname = {} AND port = {port}",
        quoted(host)
    )
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

#[cfg(test)]
mod tests;
