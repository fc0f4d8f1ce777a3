//! Writes to the database: the servers of a ProxySQL, its disk, and a member's desync.
//!
//! Which statements, and why, is said in `plan::edit`: a plan prints what is sent here. LOAD and SAVE answer "0 rows"
//! whatever came of them: what counts is what is read afterwards.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Failure, Hand, Writer, refused};
use crate::run::evidence::Moment;
use crate::{
    cluster::{Hostgroups, ServerRow, Table, Threads, is_off, is_on},
    plan::edit::{LOAD, Rows, Runtime, SHOW, STORE},
    wire::{DatabaseEndpoint, sql::Answer},
};

/// Every column; the tables are filled when their name is found in the statement in lower case.
const RUNTIME: &str = "SELECT hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, \
    max_replication_lag, use_ssl, max_latency_ms, comment FROM runtime_mysql_servers";
const HOSTGROUPS: &str = "SELECT writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, \
    active, max_writers, writer_is_also_reader, max_transactions_behind FROM runtime_mysql_galera_hostgroups";
const CHECKED: &str = "SELECT MAX(time_start_us) FROM monitor.mysql_server_galera_log";
const READ_ONLY: &str =
    "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'admin-read_only'";
const MONITOR: &str =
    "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-monitor_enabled'";
/// What its threads do, as the cockpit reads it.
const THREADS: &str = "SELECT ID, USER, HOST, COMMAND, TIME, STATE, LEFT(INFO, 400) AS INFO, STAGE, MAX_STAGE, PROGRESS \
    FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() ORDER BY TIME DESC LIMIT 400";
/// What of a server is configuration: its hostgroup and state are the monitor's.
const CONFIGURED: &str = "hostname, port, gtid_port, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms";

/// So often an edit of memory is begun again when the monitor has moved members amid it.
const MOVED: usize = 3;

/// What became of a write to the database.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::run) struct Written {
    /// It was written just now; otherwise it stood already.
    pub(in crate::run) wrote: bool,
    /// After which moment something must have been observed to be evidence.
    pub(in crate::run) mark: Moment,
}

impl Writer {
    /// Gives one backend other rows in one proxy: only while it has those of `from`, and only if `fence` holds right
    /// before each statement that counts. Nothing is written when it has those of `to` already.
    pub(in crate::run) async fn servers(
        &self,
        proxy: &str,
        address: &str,
        from: &[ServerRow],
        to: &[ServerRow],
        fence: impl Fn() -> bool,
    ) -> Result<Written, Failure> {
        let mut hand = self.reach(DatabaseEndpoint::Proxy(proxy.to_owned())).await?;
        editable(&mut hand).await?;
        monitored(&mut hand).await?;
        let (mut edited, mut again) = (false, 1);
        for _ in 0..MOVED {
            let runtime = runtime(&mut hand).await?;
            match runtime.stands(address, from, to) {
                Rows::AtTo if from == to => return self.memory_as_it_runs(&mut hand, &runtime, fence).await,
                Rows::AtTo => return Ok(Written { wrote: false, mark: mark(&mut hand).await? }),
                Rows::AtFrom => {}
                Rows::Elsewhere(rows) => {
                    let text = format!("{proxy} has {address} as {}, not as planned", words(&rows));
                    return Err(self.give_way(&mut hand, edited, &fence, text).await);
                }
            }
            let statements = match runtime.edit(address, from, to) {
                Ok(statements) => statements,
                Err(why) => return Err(self.give_way(&mut hand, edited, &fence, why).await),
            };
            if !fence() {
                return Err(Failure::Fenced);
            }
            edited = true;
            for statement in statements {
                hand.write(&statement).await?;
            }
            // The monitor may have moved the writer meanwhile: what was left out would now be the one that writes.
            if self::runtime(&mut hand).await? != runtime {
                continue;
            }
            let mut others = differ(&mut hand, "main.mysql_servers", "runtime_mysql_servers").await?;
            others.remove(address);
            if !others.is_empty() {
                let others = others.into_iter().collect::<Vec<_>>().join(", ");
                let text = format!(
                    "{proxy}: somebody edits {others} in its memory at this moment: nothing was loaded"
                );
                return Err(Failure::Drift(text));
            }
            if !fence() {
                return Err(Failure::Fenced);
            }
            hand.write(LOAD).await?;
            // Purges what was deleted before the monitor can make it live again; see `plan::edit`.
            hand.read(SHOW).await?;
            let now = self::runtime(&mut hand).await?;
            match now.stands(address, from, to) {
                Rows::AtTo => return Ok(Written { wrote: true, mark: mark(&mut hand).await? }),
                // The monitor was quicker than the SELECT, or sessions still held what was deleted.
                Rows::AtFrom if !from.is_empty() && !to.is_empty() && again > 0 => {
                    again -= 1;
                    continue;
                }
                Rows::AtFrom | Rows::Elsewhere(_) => {
                    let rows = words(&now.rows_of(address));
                    let text = format!("{proxy} answered the LOAD, and still has {address} as {rows}");
                    return Err(Failure::Drift(text));
                }
            }
        }
        let text =
            format!("{proxy}: its monitor moved members {MOVED} times amid the edit: nothing was loaded");
        Err(self.give_way(&mut hand, edited, &fence, text).await)
    }

    /// What was edited in memory and is not to be loaded does not stay there for whoever loads next.
    async fn give_way(
        &self,
        hand: &mut Hand,
        edited: bool,
        fence: impl Fn() -> bool,
        why: String,
    ) -> Failure {
        if edited && fence() {
            let taken = async {
                let runtime = runtime(hand).await?;
                self.memory_as_it_runs(hand, &runtime, fence).await
            };
            if let Err(failure) = taken.await {
                return Failure::Drift(format!(
                    "{why}; its memory could not be put back: {}",
                    failure.text()
                ));
            }
        }
        Failure::Drift(why)
    }

    /// Takes memory from the runtime, without the surplus writers: what a run that was cut off between its edit and its
    /// LOAD has left there would else be loaded by whoever loads next.
    async fn memory_as_it_runs(
        &self,
        hand: &mut Hand,
        runtime: &Runtime,
        fence: impl Fn() -> bool,
    ) -> Result<Written, Failure> {
        let differs = !differ(hand, "main.mysql_servers", "runtime_mysql_servers").await?.is_empty();
        if differs {
            if !fence() {
                return Err(Failure::Fenced);
            }
            for statement in runtime.take() {
                hand.write(&statement).await?;
            }
        }
        Ok(Written { wrote: differs, mark: mark(hand).await? })
    }

    /// Stores the servers of a proxy on its disk as they run, without the surplus writers, which would all be writers
    /// after a restart. Memory is taken from the runtime for that: its rows may still name the writer before this one.
    pub(in crate::run) async fn save(
        &self,
        proxy: &str,
        fence: impl Fn() -> bool,
    ) -> Result<Written, Failure> {
        let mut hand = self.reach(DatabaseEndpoint::Proxy(proxy.to_owned())).await?;
        editable(&mut hand).await?;
        if differ(&mut hand, "runtime_mysql_servers", "disk.mysql_servers").await?.is_empty() {
            return Ok(Written { wrote: false, mark: mark(&mut hand).await? });
        }
        for statement in runtime(&mut hand).await?.take().iter().map(String::as_str).chain([STORE]) {
            if !fence() {
                return Err(Failure::Fenced);
            }
            hand.write(statement).await?;
        }
        let left = differ(&mut hand, "runtime_mysql_servers", "disk.mysql_servers").await?;
        if !left.is_empty() {
            let left = left.into_iter().collect::<Vec<_>>().join(", ");
            let text =
                format!("{proxy} answered the SAVE, and its disk still differs from its runtime: {left}");
            return Err(Failure::Drift(text));
        }
        Ok(Written { wrote: true, mark: mark(&mut hand).await? })
    }

    /// Takes a member out of flow control, or back into it. Refused while it donates, holds a global read lock or
    /// changes its schema alone: then the state is not ours to change.
    pub(in crate::run) async fn desync(
        &self,
        member: &str,
        from: bool,
        to: bool,
        fence: impl Fn() -> bool,
    ) -> Result<Written, Failure> {
        let mut hand = self.reach(DatabaseEndpoint::Member(member.to_owned())).await?;
        let now = desynced(&mut hand).await?;
        if now == to {
            return Ok(Written { wrote: false, mark: here() });
        }
        if now != from {
            let text = format!("{member}: wsrep_desync is {}, not as planned", on(now));
            return Err(Failure::Drift(text));
        }
        undisturbed(&mut hand, member, now).await?;
        unblocked(&mut hand, member).await?;
        if !fence() {
            return Err(Failure::Fenced);
        }
        // Sent once. A member counts each of them, also those nobody waits for any more, and forgets none.
        let statement = format!("SET GLOBAL wsrep_desync = {}", on(to));
        match hand.write_once(&statement).await {
            Err(Failure::Unreached(why)) => {
                return Err(Failure::Drift(format!(
                    "{why}; whether {statement} takes effect is not known, and it is not sent again while it may be pending: look at the process list of {member}"
                )));
            }
            other => other?,
        };
        if desynced(&mut hand).await? != to {
            let text = format!("{member} answered, and wsrep_desync is still {}", on(!to));
            return Err(Failure::Drift(text));
        }
        Ok(Written { wrote: true, mark: here() })
    }

    /// Asks an endpoint itself whether it is there, and what the moment is there.
    pub(in crate::run) async fn look(&self, endpoint: &DatabaseEndpoint) -> Result<Moment, Failure> {
        let mut hand = self.reach(endpoint.clone()).await?;
        match endpoint {
            DatabaseEndpoint::Proxy(_) => mark(&mut hand).await,
            DatabaseEndpoint::Member(_) => desynced(&mut hand).await.map(|_| here()),
        }
    }

    /// Whether the servers of a proxy could be changed; nothing is written.
    pub(in crate::run) async fn may_edit(&self, proxy: &str) -> Result<(), Failure> {
        let mut hand = self.reach(DatabaseEndpoint::Proxy(proxy.to_owned())).await?;
        editable(&mut hand).await
    }

    /// Whether a member could be desynced by this login; nothing is written.
    pub(in crate::run) async fn may_desync(&self, member: &str) -> Result<(), Failure> {
        let mut hand = self.reach(DatabaseEndpoint::Member(member.to_owned())).await?;
        desynced(&mut hand).await?;
        let grants = hand.read("SHOW GRANTS").await?;
        let grants = grants.rows.iter().flatten().flatten().map(|g| g.to_uppercase());
        let global = |g: &str| g.contains(" ON *.* ");
        let enough = |g: &str| {
            let rights = g.split(" ON ").next().unwrap_or_default();
            rights.contains("ALL PRIVILEGES") || rights.split([' ', ',']).any(|r| r == "SUPER")
        };
        if grants.into_iter().any(|g| global(&g) && enough(&g)) {
            return Ok(());
        }
        let (name, user) = (&hand.name, hand.sql.user());
        let text =
            format!("{name}: user {user} may not set wsrep_desync: GRANT SUPER ON *.* TO {user} there");
        Err(refused(0, text))
    }
}

/// The moment here.
fn here() -> Moment {
    Moment { at: Timestamp::now(), checked: None }
}

/// The moment at a proxy.
async fn mark(hand: &mut Hand) -> Result<Moment, Failure> {
    let checked = first(hand, CHECKED).await?.and_then(|us| us.parse().ok());
    Ok(Moment { checked: checked.and_then(|us| Timestamp::from_microsecond(us).ok()), ..here() })
}

async fn first(hand: &mut Hand, question: &str) -> Result<Option<String>, Failure> {
    Ok(hand.read(question).await?.rows.into_iter().next().and_then(|row| row.into_iter().next()?))
}

/// The admin tables can be read and written with this login.
async fn editable(hand: &mut Hand) -> Result<(), Failure> {
    let read_only = match first(hand, READ_ONLY).await {
        Err(Failure::Refused { code: 1045, .. }) => {
            let text =
                format!("{}: its servers cannot be read with this login, only its statistics", hand.name);
            return Err(refused(0, text));
        }
        other => other?,
    };
    if read_only.as_deref().is_some_and(is_on) {
        let text =
            format!("{} is read-only (admin-read_only is true): its servers cannot be changed", hand.name);
        return Err(refused(0, text));
    }
    Ok(())
}

/// Without its monitor nobody sorts what is loaded: the writer would not move, and the proxies would write to different
/// members.
async fn monitored(hand: &mut Hand) -> Result<(), Failure> {
    match first(hand, MONITOR).await?.as_deref() {
        Some(value) if is_off(value) => Err(Failure::Drift(format!(
            "{}: its monitor is switched off (mysql-monitor_enabled={value}), and would sort nothing: nothing was written",
            hand.name
        ))),
        _ => Ok(()),
    }
}

async fn runtime(hand: &mut Hand) -> Result<Runtime, Failure> {
    let groups = hand.read(HOSTGROUPS).await?;
    let servers = hand.read(RUNTIME).await?;
    parse(&servers, &groups).map_err(|why| Failure::Drift(format!("{}: {why}", hand.name)))
}

/// Reads the answers of a proxy. Rows on their way out are none.
fn parse(servers: &Answer, groups: &Answer) -> Result<Runtime, String> {
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
    for row in &groups.rows {
        all.push(Hostgroups {
            writer: small(row, 0)?,
            backup: small(row, 1)?,
            reader: small(row, 2)?,
            offline: small(row, 3)?,
            active: number(row, 4)? != 0,
            max_writers: small(row, 5)?,
            writer_is_also_reader: number(row, 6)?.min(2) as u8,
            max_transactions_behind: number(row, 7)?,
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
    Ok(Runtime::new(rows, all))
}

/// Rows in words: `hostgroup 10 weight 50, hostgroup 30 weight 50`.
fn words(rows: &[ServerRow]) -> String {
    if rows.is_empty() {
        return "absent".into();
    }
    let row = |r: &ServerRow| format!("hostgroup {} weight {}", r.hostgroup, r.weight);
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

/// The servers whose configuration differs between two layers.
async fn differ(hand: &mut Hand, one: &str, other: &str) -> Result<BTreeSet<String>, Failure> {
    let minus = |a: &str, b: &str| {
        format!(
            "SELECT hostname || ':' || port AS what FROM \
             (SELECT {CONFIGURED} FROM {a} WHERE status <> 'OFFLINE_HARD' EXCEPT SELECT {CONFIGURED} FROM {b} \
             WHERE status <> 'OFFLINE_HARD')"
        )
    };
    let question = format!("{} UNION {}", minus(one, other), minus(other, one));
    Ok(hand.read(&question).await?.rows.into_iter().flatten().flatten().collect())
}

fn on(yes: bool) -> &'static str {
    if yes { "ON" } else { "OFF" }
}

async fn desynced(hand: &mut Hand) -> Result<bool, Failure> {
    match first(hand, "SELECT @@global.wsrep_desync").await?.as_deref() {
        Some(value) if is_on(value) => Ok(true),
        Some(value) if is_off(value) => Ok(false),
        other => {
            let other = other.unwrap_or("nothing");
            Err(refused(0, format!("{}: wsrep_desync reads {other}: is it a Galera member?", hand.name)))
        }
    }
}

/// Neither does another such statement wait there, nor an applier for a lock: the statement would wait behind it, and
/// take effect who knows when.
async fn unblocked(hand: &mut Hand, member: &str) -> Result<(), Failure> {
    let threads = hand.read(THREADS).await?;
    let threads = Table::new(threads.columns, threads.rows);
    let nothing = "nothing was written";
    let pending = threads.lines().find(|line| {
        let info = line.text("info").unwrap_or_default().to_ascii_lowercase();
        info.trim_start().starts_with("set") && info.contains("wsrep_desync")
    });
    if let Some(line) = pending {
        let text = format!(
            "{member}: {} of session {} is pending for {} s, and is not sent a second time: it takes effect once what it waits for is over; {nothing}",
            line.text("info").unwrap_or_default().trim(),
            line.text("id").unwrap_or("?"),
            line.text("time").unwrap_or("?"),
        );
        return Err(Failure::Drift(text));
    }
    if let Some(seconds) = Threads::from_rows(&threads, None).and_then(|t| t.applier_blocked) {
        let text = format!(
            "{member}: an applier has waited {seconds} s for a lock that a session there holds, and SET GLOBAL wsrep_desync would wait behind it: end that session first; {nothing}"
        );
        return Err(Failure::Drift(text));
    }
    Ok(())
}

/// Nothing but our own desync has taken the member out of step.
async fn undisturbed(hand: &mut Hand, member: &str, desynced: bool) -> Result<(), Failure> {
    let status = hand.read("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'").await?;
    let value = |name: &str| {
        let row = status.rows.iter().find(|r| r.first().is_some_and(|n| n.as_deref() == Some(name)))?;
        row.get(1)?.as_deref()
    };
    let drift = |why: String| Err(Failure::Drift(format!("{member} {why}: nothing was written")));
    if value("wsrep_cluster_status") != Some("Primary") {
        return drift("is not part of a primary component".into());
    }
    let reasons: u64 = value("wsrep_desync_count").and_then(|n| n.parse().ok()).unwrap_or(0);
    match (value("wsrep_local_state"), desynced) {
        (Some("4"), false) => Ok(()),
        (Some("2"), true) if reasons <= 1 => Ok(()),
        (Some("2"), _) => {
            drift("donates to another member, holds a global read lock or changes its schema alone".into())
        }
        _ => {
            let state = value("wsrep_local_state_comment").unwrap_or("in an unknown state").to_owned();
            drift(format!("is {state}, not Synced"))
        }
    }
}
