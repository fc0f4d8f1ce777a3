//! Asks one Galera member for its status.
//!
//! Every statement works on a member without a quorum as well, needs no transaction, and changes nothing. (`FLUSH
//! STATUS` is replicated and resets the counters of *all* members: never.) Least rights: USAGE for status and variables;
//! PROCESS for schema changes and lock holders; SELECT on `mysql.wsrep_cluster_members` for the last primary view.

use jiff::Timestamp;
use tokio::time::Instant;

use super::source::{self, optional, table};
use crate::{
    cluster::{Member, MemberRows, Observation, Seen, Table, Threads, Trouble},
    wire::sql::{Failure, Sql},
};

const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep\\_%' OR Variable_name IN \
                      ('Uptime','Threads_connected')";
const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
    ('datadir','hostname','max_connections','port','read_only','version','wsrep_cluster_address','wsrep_desync',\
    'wsrep_node_address','wsrep_node_incoming_address','wsrep_node_name','wsrep_on','wsrep_osu_method',\
    'wsrep_provider','wsrep_provider_options','wsrep_reject_queries','wsrep_sst_donor_rejects_queries','wsrep_sst_method')";
const PEERS: &str = "SELECT node_uuid, node_name, node_incoming_address FROM mysql.wsrep_cluster_members";
const THREADS: &str = "SELECT ID, USER, HOST, COMMAND, TIME, STATE, LEFT(INFO, 400) AS INFO, STAGE, MAX_STAGE, \
    PROGRESS FROM information_schema.PROCESSLIST WHERE (COMMAND <> 'Sleep' OR USER = 'system user') AND ID <> CONNECTION_ID() \
    ORDER BY TIME DESC LIMIT 200";
/// Who holds locks that keep an applier from writing: exact, where the plug-in `METADATA_LOCK_INFO` is installed. Sessions
/// that have only read a table, or written rows of it, are not in the way.
const HOLDERS: &str = "SELECT DISTINCT p.ID, p.USER, p.HOST, p.TIME, 'held' AS LOCK_MODE \
    FROM information_schema.METADATA_LOCK_INFO l JOIN information_schema.PROCESSLIST p ON p.ID = l.THREAD_ID \
    WHERE l.TABLE_NAME <> '' AND p.USER <> 'system user' AND l.LOCK_MODE IN ('MDL_SHARED_READ_ONLY',\
    'MDL_SHARED_NO_WRITE','MDL_SHARED_NO_READ_WRITE','MDL_EXCLUSIVE') LIMIT 5";
/// The last view changes seldom: it is asked every so many rounds.
const PEERS_EVERY: u64 = 5;

/// One member, and what is remembered between two rounds.
pub(super) struct Source {
    sql: Sql,
    round: u64,
    peers: Option<Table>,
}

impl source::Source for Source {
    type Known = Member;

    fn new(sql: Sql) -> Self {
        Self { sql, round: 0, peers: None }
    }

    async fn ask(&mut self, before: &Member) -> Result<Member, Failure> {
        let rows = self.read().await?;
        Ok(before.answered(&rows, Timestamp::now()))
    }

    fn failed(before: &Member, trouble: Trouble, why: &str) -> Member {
        before.failed(trouble, why, Timestamp::now())
    }

    fn news(member: Member) -> Observation {
        Observation::Member(Seen::Put(member.name.clone(), member))
    }
}

impl Source {
    /// One round of questions, over one connection.
    async fn read(&mut self) -> Result<MemberRows, Failure> {
        let begun = Instant::now();
        let status = table(self.sql.ask(STATUS).await?);
        let took = begun.elapsed();
        let variables = table(self.sql.ask(VARIABLES).await?);
        if self.round.is_multiple_of(PEERS_EVERY) {
            self.peers = optional(&mut self.sql, PEERS).await?;
        }
        self.round += 1;
        let threads = optional(&mut self.sql, THREADS).await?;
        let blocked =
            threads.as_ref().and_then(|t| Threads::from_rows(t, None)).and_then(|t| t.applier_blocked);
        let holders = match blocked {
            Some(seconds) => self.holders(seconds).await?,
            None => None,
        };
        Ok(MemberRows { status, variables, peers: self.peers.clone(), threads, holders, took })
    }

    /// Who holds the lock an applier waits for. Without the plug-in it can only be guessed: sessions that fell idle
    /// before the applier began to wait, the latest first.
    async fn holders(&mut self, seconds: u64) -> Result<Option<Table>, Failure> {
        if let Some(exact) = optional(&mut self.sql, HOLDERS).await?.filter(|t| !t.is_empty()) {
            return Ok(Some(exact));
        }
        let idle = format!(
            "SELECT ID, USER, HOST, TIME FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep' \
             AND USER <> 'system user' AND ID <> CONNECTION_ID() AND TIME >= {seconds} ORDER BY TIME LIMIT 3"
        );
        optional(&mut self.sql, &idle).await
    }
}
