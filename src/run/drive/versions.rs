//! The table in which a tenant's migrations are written down: read before its Job begins, and where nobody knows how that
//! ended. Only read, and only where it is configured; that it cannot be read stops nothing.

use std::time::Duration;

use tokio::time::timeout;

use super::{Driver, Session, Stop};
use crate::{
    cluster::MemberName,
    plan::{Change, Intent, Versions, compared},
    run::Event,
    wire::DatabaseEndpoint,
};

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Driver {
    /// Writes down what the table holds, right before the Job is started.
    pub(super) async fn keep_versions(
        &mut self,
        session: &mut Session<'_>,
        change: &Change,
    ) -> Result<(), Stop> {
        let kept = self.run.borrow().entries.iter().any(|e| matches!(e.event, Event::Versions(_)));
        if kept || !matches!(change, Change::StartJob(_)) {
            return Ok(());
        }
        match self.versions().await {
            Some(Ok(read)) => self.append(session, Event::Versions(read)).await,
            Some(Err(why)) => {
                tracing::info!(why, "the migrations table is not read");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A reason that leaves the outcome of a Job open, with what the table says of it.
    pub(super) async fn with_versions(&self, step: usize, why: String) -> String {
        let waits = matches!(self.run.borrow().plan().steps[step].change, Change::JobEnded(_));
        if !waits || self.facts.pause.is_some() {
            return why;
        }
        let Some(now) = self.versions().await else { return why };
        let run = self.run.borrow();
        let before = run.entries.iter().rev().find_map(|e| match &e.event {
            Event::Versions(read) => Some(read),
            _ => None,
        });
        format!("{why}; {}", compared(before, &now))
    }

    /// Reads the table at a member that answers; `None`: none is configured.
    async fn versions(&self) -> Option<Result<Versions, String>> {
        let (table, statement) = match &self.run.borrow().plan().intent {
            Intent::Migrate { migration } => migration.versions.as_ref()?.of(&migration.tenant)?,
            _ => return None,
        };
        let members: Vec<MemberName> = {
            let seen = self.seen.borrow();
            // Those that answered last come first; one that was slow to may answer this.
            let (live, others): (Vec<_>, Vec<_>) =
                seen.galera.values().partition(|member| member.now().is_some());
            live.into_iter().chain(others).map(|member| member.name.clone()).collect()
        };
        let Some(logins) = &self.access.database else {
            return Some(Err("no database is configured".into()));
        };
        let mut last = "no member of the database answers".to_owned();
        for member in members {
            let asked = async {
                let mut sql = logins.of(DatabaseEndpoint::Member(member.to_string())).await?;
                sql.ask(&statement).await.map_err(|failure| failure.text)
            };
            let answer = timeout(PATIENCE, asked).await;
            match answer
                .unwrap_or_else(|_| Err(format!("{member} did not answer within {} s", PATIENCE.as_secs())))
            {
                Ok(answer) => {
                    let mut row = answer.rows.into_iter().next().unwrap_or_default().into_iter();
                    let count = row.next().flatten().and_then(|n| n.parse().ok());
                    return Some(match count {
                        Some(count) => Ok(Versions { table, count, newest: row.next().flatten() }),
                        None => Err(format!("{member} answered without a number")),
                    });
                }
                Err(why) => last = why,
            }
        }
        Some(Err(last))
    }
}
