//! A MySQL or MariaDB server with replicas, or one of them, is asked for its position and for what it replicates.
//!
//! Two statements a round, which change nothing and need no transaction. Least rights: `SLAVE MONITOR` (MySQL:
//! `REPLICATION CLIENT`) for the second; without it the rest is known.

use jiff::Timestamp;

use crate::{
    cluster::{
        Observation, Seen, Trouble,
        platform::{Component, Facts, replica::ReplicaFacts},
    },
    live::database::source::{self, table},
    wire::sql::{Failure, Kind, Sql},
};

const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id','server_uuid','version','read_only',\
    'gtid_binlog_pos','gtid_slave_pos','gtid_executed')";

/// The right that is missing (`SLAVE MONITOR`).
const NO_RIGHT: [u16; 2] = [1227, 1045];

/// One server.
pub(super) struct Source {
    sql: Sql,
}

impl source::Source for Source {
    type Known = Component;

    fn new(sql: Sql) -> Self {
        Self { sql }
    }

    async fn ask(&mut self, before: &Component) -> Result<Component, Failure> {
        let variables = table(self.sql.ask(VARIABLES).await?);
        let maria = variables.value("version").is_some_and(|version| version.contains("MariaDB"));
        // MySQL before 8.0.22 knows the old name alone, MySQL from 8.4 on the new one.
        let names: &[&str] =
            if maria { &["SHOW ALL SLAVES STATUS"] } else { &["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"] };
        let mut status = None;
        for statement in names {
            match self.sql.ask(statement).await {
                Ok(answer) => {
                    status = Some(table(answer));
                    break;
                }
                Err(Failure { kind: Kind::Statement(code), .. }) if NO_RIGHT.contains(&code) => {
                    // A right that is granted meanwhile is one of the next login.
                    self.sql.close();
                    break;
                }
                Err(failure) if failure.is_of_statement() => {}
                Err(failure) => return Err(failure),
            }
        }
        let said = match before.status.as_deref() {
            Some(Facts::Replica(facts)) => Some(facts),
            _ => None,
        };
        let now = Timestamp::now();
        let facts = ReplicaFacts::read(&variables, status.as_ref(), said, now);
        let behind = facts.channels.iter().flatten().filter_map(|channel| channel.behind).max();
        Ok(before.read(Facts::Replica(facts), behind.map(|s| s as f64), now))
    }

    fn failed(before: &Component, trouble: Trouble, why: &str) -> Component {
        before.failed(trouble, why, Timestamp::now())
    }

    fn news(component: Component) -> Observation {
        Observation::Platform(Seen::Put(component.name.clone(), component))
    }
}
