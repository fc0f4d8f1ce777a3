//! The database is observed: every member and every ProxySQL in a task of its own, so that one that hangs never slows
//! the others. Each has a deadline for everything and is asked less often while it does not answer.
//!
//! Entered by the cockpit and the command line. It only reads.

mod configured;
mod logins;
mod pods;
mod way;

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{galera, proxysql};
use crate::{
    cluster::{Member, MemberName, Observation, Proxy, ProxyName, Seen, Table, Trouble},
    wire::sql::{Answer, Failure, Kind, Login, Sql},
};

use way::{Next, Way};

pub use configured::{Account, Configured, Password, Place, follow};
pub use logins::logins;
pub use way::Reach;

/// While an endpoint is down it is asked at least this often, so that its return is soon seen.
const RETRY_WITHIN: Duration = Duration::from_secs(5);
/// A login that was refused is not tried more often: servers count failed logins, and block.
const RETRY_DENIED: Duration = Duration::from_secs(30);

/// Whom to ask, and how often.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The members, by their configured address.
    pub members: Vec<(MemberName, Login)>,
    /// The proxies, by their configured address or pod.
    pub proxies: Vec<(ProxyName, Login)>,
    /// How long to wait between two rounds.
    pub every: Duration,
}

/// Observes all endpoints until the receiver is gone or the returned tasks are dropped. Of every endpoint something is
/// reported at once: that it is configured.
pub fn observe(endpoints: Endpoints, into: mpsc::Sender<Observation>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let Endpoints { members, proxies, every } = endpoints;
        let new = |(name, _): &(MemberName, Login)| (name.clone(), Member::new(name.clone()));
        let known = Seen::All(members.iter().map(new).collect(), Timestamp::now());
        let _ = into.send(Observation::Member(known)).await;
        let new = |(name, _): &(ProxyName, Login)| (name.clone(), Proxy::new(name.clone()));
        let known = Seen::All(proxies.iter().map(new).collect(), Timestamp::now());
        let _ = into.send(Observation::Proxy(known)).await;
        let mut tasks = JoinSet::new();
        for (name, login) in members {
            tasks.spawn(watch::<galera::Source>(
                Member::new(name),
                Way::new(login, None, None),
                every,
                into.clone(),
            ));
        }
        for (name, login) in proxies {
            tasks.spawn(watch::<proxysql::Source>(
                Proxy::new(name),
                Way::new(login, None, None),
                every,
                into.clone(),
            ));
        }
        while tasks.join_next().await.is_some() {}
    });
    tasks
}

/// What one endpoint is asked in a round, and what its answers make of what was known.
trait Source {
    /// What is known of the endpoint.
    type Known: Clone;

    fn new(sql: Sql) -> Self;
    async fn ask(&mut self, before: &Self::Known) -> Result<Self::Known, Failure>;
    fn failed(before: &Self::Known, trouble: Trouble, why: &str) -> Self::Known;
    fn news(known: Self::Known) -> Observation;
}

impl Source for galera::Source {
    type Known = Member;

    fn new(sql: Sql) -> Self {
        Self::new(sql)
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

impl Source for proxysql::Source {
    type Known = Proxy;

    fn new(sql: Sql) -> Self {
        Self::new(sql)
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

/// Asks one endpoint until nobody listens any more.
async fn watch<S: Source>(
    mut known: S::Known,
    mut way: Way,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut pause = every;
    loop {
        let mut source = S::new(way.sql().await);
        // For as long as the way is good.
        loop {
            let failure = match source.ask(&known).await {
                Ok(answered) => {
                    known = answered;
                    None
                }
                Err(failure) => {
                    let failure = way.told(failure);
                    known = S::failed(&known, trouble(&failure), &failure.text);
                    Some(failure)
                }
            };
            if into.send(S::news(known.clone())).await.is_err() {
                return;
            }
            pause = pause_after(failure.as_ref().map(trouble), pause, every);
            let next = way.after(failure.as_ref()).await;
            if next != Next::Now {
                sleep(pause).await;
            }
            if next != Next::Same {
                break;
            }
        }
    }
}

/// How long to wait before the next round: longer and longer while it does not answer.
fn pause_after(trouble: Option<Trouble>, pause: Duration, every: Duration) -> Duration {
    match trouble {
        None => every,
        Some(Trouble::Denied | Trouble::Tls | Trouble::NotMysql) => (pause * 2).min(RETRY_DENIED.max(every)),
        Some(_) => (pause * 2).min(RETRY_WITHIN.max(every)),
    }
}

fn trouble(failure: &Failure) -> Trouble {
    match failure.kind {
        Kind::Refused => Trouble::Refused,
        // A server that closes the connection at once is as good as none: it starts, stops, or was killed.
        Kind::Lost => Trouble::Refused,
        Kind::Silent => Trouble::Silent,
        Kind::Unreachable => Trouble::Unreachable,
        Kind::Denied => Trouble::Denied,
        Kind::Tls => Trouble::Tls,
        Kind::NotMysql => Trouble::NotMysql,
        Kind::Full => Trouble::Full,
        Kind::Statement(_) | Kind::Other => Trouble::Other,
    }
}

/// The answer as a table.
pub(super) fn table(answer: Answer) -> Table {
    Table::new(answer.columns, answer.rows)
}

/// The answer to a question that may be refused for lack of a right or a table: then there is none.
pub(super) async fn optional(sql: &mut Sql, statement: &str) -> Result<Option<Table>, Failure> {
    match sql.ask(statement).await {
        Ok(answer) => Ok(Some(table(answer))),
        Err(failure) if failure.is_of_statement() => Ok(None),
        Err(failure) => Err(failure),
    }
}
